"""RootSIFT against OpenCV's SIFT on one thread: time on images of 1024 pixels, and how many matches of photographs of the
same place a transformation explains. Run by `make bench-sift`.

Both sides get the same grey pixels, decoded before the clock starts, and give 2000 keypoints; the time of OpenCV is that
of SIFT alone, without the root. For quality one matcher and one RANSAC, both OpenCV's, take the descriptors of either side.
Ends with status 1 where cairn has fewer inliers than OpenCV on average."""
import json
import os
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np

from common import BUILD, Ratios, in_turn, need_data

POINTS = 2000
LONGEST = 1024
TIMED = 40
ROUNDS = 7
PAIRS = 300
RATIO = 0.9
PIXELS = 10  # reprojection error on a longest side of 640
PROGRAM = BUILD / "bench" / "bench_sift"


def enlarge(paths, folder):
    """Grey PNG files with a longest side of LONGEST."""
    made = []
    for path in paths:
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        scale = LONGEST / max(grey.shape)
        size = tuple(max(1, round(side * scale)) for side in grey.shape[::-1])
        made.append(os.path.join(folder, path.stem + ".png"))
        cv2.imwrite(made[-1], cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC))
    return made


def run_cairn(listed, *folder):
    return float(subprocess.run([PROGRAM, listed, str(POINTS), *folder], check=True, capture_output=True, text=True).stdout)


def write_list(paths, folder):
    listed = os.path.join(folder, "list.txt")
    with open(listed, "w") as file:
        file.writelines(path + "\n" for path in paths)
    return listed


def run_peer(sift, images):
    start = time.perf_counter()
    for image in images:
        sift.detectAndCompute(image, None)
    return time.perf_counter() - start


def measure_time(ratios, paths, folder):
    images = [cv2.imread(path, cv2.IMREAD_GRAYSCALE) for path in paths]
    listed = write_list(paths, folder)
    sift = cv2.SIFT_create(nfeatures=POINTS)
    cairn, peer = in_turn(ROUNDS, lambda: run_cairn(listed), lambda: run_peer(sift, images))
    print(f"sift: {len(paths)} images of {LONGEST} pixels, {POINTS} keypoints, one thread: cairn {1e3 * cairn / len(paths):.1f} ms an image, "
          f"OpenCV {1e3 * peer / len(paths):.1f} ms")
    ratios.add(f"time-{LONGEST}", peer / cairn, f"SIFT of OpenCV {cv2.__version__}")


def cairn_features(paths, folder):
    run_cairn(write_list(paths, folder), folder)
    load = lambda i, what: np.load(os.path.join(folder, f"{i}.{what}.npy"))
    return [(load(i, "points")[:, :2], load(i, "descriptors")) for i in range(len(paths))]


def peer_features(paths):
    sift = cv2.SIFT_create(nfeatures=POINTS)
    features = []
    for path in paths:
        keypoints, descriptors = sift.detectAndCompute(cv2.imread(path, cv2.IMREAD_GRAYSCALE), None)
        keypoints, descriptors = keypoints[:POINTS], descriptors[:POINTS]  # a tie of scores lets it give more
        root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-12))
        features.append((np.float32([keypoint.pt for keypoint in keypoints]), root.astype(np.float32)))
    return features


def nearest(similarity):
    """Of each row the nearest column, and whether it passes the ratio test; descriptors are unit vectors."""
    best = similarity.argmax(axis=1)
    two = -np.partition(-similarity, 1, axis=1)[:, :2]
    distance = np.sqrt(np.maximum(2 - 2 * two, 0))
    return best, distance[:, 0] < RATIO * distance[:, 1]


def inliers(a, b):
    similarity = a[1] @ b[1].T
    forth, good = nearest(similarity)
    back = similarity.argmax(axis=0)
    kept = np.flatnonzero(good & (back[forth] == np.arange(len(forth))))
    if len(kept) < 3:
        return 0
    cv2.setRNGSeed(0)
    _, mask = cv2.estimateAffine2D(a[0][kept], b[0][forth[kept]], method=cv2.RANSAC, maxIters=2000, confidence=0.999,
                                   ransacReprojThreshold=PIXELS * LONGEST / 640)
    return 0 if mask is None else int(mask.sum())


def choose_pairs(truth):
    """(query image, database image) names: of the same place, and as many of different places."""
    random = np.random.default_rng(0)
    queries = truth["queries"]
    same = [(query["image"], name) for query in queries for name in query["easy"] + query["hard"] if name != query["image"]]
    different = []
    for query in queries:
        known = set(query["easy"] + query["hard"] + query["junk"])
        others = [name for name in truth["database"] if name not in known and name != query["image"]]
        different += [(query["image"], name) for name in random.choice(others, 2 * PAIRS // len(queries) + 1, replace=False)]
    take = lambda pairs, count: [pairs[i] for i in random.permutation(len(pairs))[:count]]
    return take(same, PAIRS), take(different, 2 * PAIRS)


def area_under_curve(positives, negatives):
    """Chance that a positive pair has more inliers than a negative one, ties counting half."""
    positives, negatives = np.asarray(positives)[:, None], np.asarray(negatives)[None]
    return float(np.mean((positives > negatives) + 0.5 * (positives == negatives)))


def measure_quality(ratios, data, folder):
    truth = json.loads((data / "groundtruth.json").read_text())
    same, different = choose_pairs(truth)
    find = {path.stem: path for path in [*(data / "jpg").glob("*.jpg"), *(data / "queries").glob("*.jpg")]}
    names = sorted({os.path.splitext(name)[0] for pair in same + different for name in pair})
    paths = enlarge([find[name] for name in names], folder)
    means = []
    for side, features in (("cairn", cairn_features(paths, folder)), ("OpenCV", peer_features(paths))):
        of = dict(zip(names, features))
        count = lambda pairs: np.array([inliers(*(of[os.path.splitext(name)[0]] for name in pair)) for pair in pairs])
        positives, negatives = count(same), count(different)
        means.append(positives.mean())
        print(f"sift: {side}: inliers of {len(same)} pairs of the same place: mean {positives.mean():.1f}, median {np.median(positives):.0f}; "
              f"of {len(different)} pairs of different places: 99th percentile {np.percentile(negatives, 99):.0f}; "
              f"area under the curve {area_under_curve(positives, negatives):.4f}")
    print(f"sift: inliers of cairn to those of OpenCV: {means[0] / means[1]:.3f}")
    return means[0] >= means[1]


def main():
    cv2.setNumThreads(1)
    data = need_data("roxford-mini")
    ratios = Ratios("sift")
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        paths = sorted((data / "jpg").glob("*.jpg"))
        measure_time(ratios, enlarge(paths[:: len(paths) // TIMED][:TIMED], folder), folder)
        good = measure_quality(ratios, data, folder)
    ratios.end()
    if not good:
        sys.exit("sift: fewer inliers than OpenCV")


if __name__ == "__main__":
    main()
