"""Pairs of photographs of roxford-mini that show the same place or different ones, and cairn's local features of them as
floats. Shared by verify.py and codes.py."""
import json
import random
import subprocess
import tempfile
from typing import NamedTuple

import cv2
import numpy as np

from common import BUILD, need_data

RADIUS = 10  # pixels, where the longest side counts as REFERENCE
REFERENCE = 640
# What src/verify/kinds.c says of each kind: Lowe's ratio and the least cosine.
LIMITS = {"xfeat": (1.0, 0.75), "rootsift": (0.9, -1.0)}


class Features(NamedTuple):
    points: np.ndarray  # count x 2 float32, pixels of the full-size image
    descriptors: np.ndarray  # count x dim float32, unit vectors
    keypoints: np.ndarray  # count x 5 float32, as cairn_keypoint
    size: tuple  # width, height


class Pair(NamedTuple):
    a: str
    b: str
    same: bool


class Photographs:
    """roxford-mini: queries cropped to their boxes, database images whole."""

    def __init__(self):
        self.folder = need_data("roxford-mini")
        self.truth = json.loads((self.folder / "groundtruth.json").read_text())

    def query_pairs(self, count, seed=1):
        """`count` pairs of a query and an easy or hard positive of it, and as many with an image that is none."""
        positives = [Pair("query-" + query["image"], name, True) for query in self.truth["queries"] for name in query["easy"] + query["hard"]]
        known = {"query-" + query["image"]: set(query["easy"] + query["hard"] + query["junk"]) for query in self.truth["queries"]}
        chance = random.Random(seed)
        chosen = chance.sample(positives, min(count, len(positives)))
        return chosen + [Pair(pair.a, self.other(known[pair.a], chance), False) for pair in chosen]

    def image_pairs(self, count, same, seed=2):
        """Pairs of database images: two easy positives of one query, or an easy positive and an image that is none."""
        chance, pairs = random.Random(seed), []
        queries = [query for query in self.truth["queries"] if len(query["easy"]) > 1]
        while len(pairs) < count:
            query = chance.choice(queries)
            a, b = chance.sample(query["easy"], 2)
            pairs.append(Pair(a, b if same else self.other(set(query["easy"] + query["hard"] + query["junk"]), chance), same))
        return pairs

    def other(self, known, chance):
        while (name := chance.choice(self.truth["database"])) in known:
            pass
        return name

    def features(self, kind, pairs):
        """Features of all images of the pairs, by name."""
        boxes = {"query-" + query["image"]: query["box"] for query in self.truth["queries"]}
        names = sorted({name for pair in pairs for name in pair[:2]})
        lines = []
        for name in names:
            if name in boxes:
                lines.append(f"{name}\t{self.folder}/queries/{name[6:]}.jpg\t{' '.join(map(str, boxes[name]))}\n")
            else:
                lines.append(f"{name}\t{self.folder}/jpg/{name}.jpg\n")
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            subprocess.run([BUILD / "bench" / "dump_features", kind, folder], input="".join(lines), text=True, check=True)
            return {name: load(folder, name) for name in names}


def load(folder, name):
    keypoints, descriptors, size = (np.load(f"{folder}/{name}.{what}.npy") for what in ("points", "descriptors", "size"))
    return Features(np.ascontiguousarray(keypoints[:, :2]), unit(descriptors), keypoints, tuple(map(int, size[0])))


def unit(rows):
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def mutual_matches(a, b, ratio, least):
    """Indices of mutual nearest neighbours among unit vectors."""
    cosines = a @ b.T
    best, back = cosines.argmax(axis=1), cosines.argmax(axis=0)
    rows = np.arange(len(a))
    top = cosines[rows, best]
    keep = (back[best] == rows) & (top > least)
    if ratio < 1:
        two = -np.partition(-cosines, 1, axis=1)[:, :2]
        keep &= 2 - 2 * two[:, 0] < ratio * ratio * (2 - 2 * two[:, 1])
    return rows[keep], best[keep]


def opencv_inliers(a, b, kind):
    """Inliers of OpenCV's affine RANSAC among mutual nearest neighbours."""
    if len(a.points) < 2 or len(b.points) < 2:
        return 0
    from_a, to_b = mutual_matches(a.descriptors, b.descriptors, *LIMITS[kind])
    if len(from_a) < 3:
        return 0
    radius = RADIUS * max(b.size) / REFERENCE
    cv2.setRNGSeed(0)
    # As many trials and the same confidence as cairn's defaults.
    _, inliers = cv2.estimateAffine2D(a.points[from_a], b.points[to_b], method=cv2.RANSAC, ransacReprojThreshold=radius, maxIters=1000, confidence=0.999)
    return 0 if inliers is None else int(inliers.sum())


def auc(pairs, scores):
    """The chance that a pair of the same place has the higher score, ties counting half."""
    scores, same = np.asarray(scores, float), np.array([pair.same for pair in pairs])
    difference = scores[same][:, None] - scores[~same][None]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())
