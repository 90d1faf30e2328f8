"""What 8-bit descriptors and 16-bit coordinates cost in matching: inliers of mutual nearest neighbours and OpenCV's affine RANSAC on
the same features as floats, with descriptors coded as cairn codes them, and with coordinates as cairn stores them. Positives of
the queries of roxford-mini (cropped to their boxes) against as many random other images. Run by `make bench-codes`."""
import cv2
import numpy as np

from common import need_models
from local_pairs import LIMITS, Photographs, auc, opencv_inliers

MOST = 735  # pairs of each sort


def coded(rows):
    """Signed bytes with one factor for the set; as vectors again, whose length is that of the codes."""
    if not rows.size:
        return rows
    factor = 127 / np.abs(rows).max()
    return (np.round(rows * factor) / factor).astype(np.float32)


def stored(points, size):
    """Fixed point: 65535 steps over the width and over the height."""
    side = np.array(size, float)
    steps = np.clip(np.round((points + 0.5) / side * 65535), 0, 65535)
    return (steps * side / 65535 - 0.5).astype(np.float32)


FORMS = {
    "float": lambda f: f,
    "8-bit descriptors": lambda f: f._replace(descriptors=coded(f.descriptors)),
    "16-bit coordinates": lambda f: f._replace(points=stored(f.points, f.size)),
    "both": lambda f: f._replace(descriptors=coded(f.descriptors), points=stored(f.points, f.size)),
}


def main():
    need_models("xfeat")
    cv2.setNumThreads(1)
    photographs = Photographs()
    pairs = photographs.query_pairs(MOST)
    same = np.array([pair.same for pair in pairs])
    print(f"{same.sum()} pairs of the same place, {(~same).sum()} others")
    for kind in LIMITS:
        floats = photographs.features(kind, pairs)
        for what, form in FORMS.items():
            features = {name: form(of) for name, of in floats.items()}
            inliers = np.array([opencv_inliers(features[pair.a], features[pair.b], kind) for pair in pairs])
            print(f"{kind}, {what}: AUC {auc(pairs, inliers):.4f}, inliers {inliers[same].mean():.2f} same, {inliers[~same].mean():.2f} others", flush=True)


if __name__ == "__main__":
    main()
