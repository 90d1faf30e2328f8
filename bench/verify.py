"""Verification of one pair of 1000 x 1000 XFeat features on one thread: cairn_verify() against NumPy (one matrix product,
mutual nearest neighbours, cosine above 0.75) and OpenCV's affine RANSAC at 10 pixels. Run by `make bench-verify`.

Both get the same features, extracted by cairn; the peer gets the descriptors as floats, cairn's are coded in 8 bits. Timed are
pairs of whole database images of roxford-mini with 1000 features each. How well inliers tell same from different places (AUC) is
measured on queries, cropped to their boxes, against their positives and as many random other images; it ends with an error where
cairn's is worse by more than 0.005."""
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import ctypes
import sys
import time

import cv2
import numpy as np

from common import BUILD, Ratios, in_turn, need_models
from local_pairs import Photographs, auc, opencv_inliers

ROUNDS = 9
PAIRS = 40  # timed, of each case
POINTS = 1000
JUDGED = 735  # positives, and as many negatives
ALLOWED = 0.005


class Verification(ctypes.Structure):
    _fields_ = [("matches", ctypes.c_uint32), ("inliers", ctypes.c_uint32), ("model", ctypes.c_double * 9)]


class Cairn:
    """The public functions of include/cairn/features.h and verify.h."""

    def __init__(self):
        self.library = ctypes.CDLL(BUILD / "src" / "libcairn.so")
        self.library.cairn_last_error.restype = ctypes.c_char_p
        self.library.cairn_features_new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_size_t,
                                                    ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p]
        self.verify = self.library.cairn_verify
        self.verify.argtypes = [ctypes.c_void_p] * 5
        self.verifier = ctypes.c_void_p()
        self.check(self.library.cairn_verifier_new(ctypes.byref(self.verifier), None))
        self.result = Verification()
        self.result_at = ctypes.addressof(self.result)

    def check(self, status):
        if status < 0:
            sys.exit(f"verify: {self.library.cairn_last_error().decode()}")

    def coded(self, kind, features):
        handle = ctypes.c_void_p()
        keypoints, descriptors = np.ascontiguousarray(features.keypoints), np.ascontiguousarray(features.descriptors)
        self.check(self.library.cairn_features_new(ctypes.byref(handle), kind.encode(), *features.size, len(keypoints), descriptors.shape[1],
                                                   keypoints.ctypes.data, descriptors.ctypes.data))
        return handle

    def inliers(self, a, b):
        self.check(self.verify(self.verifier, a, b, self.result_at, None))
        return self.result.inliers


def seconds_a_pair(verify, pairs):
    """Of the processor: both run on one thread, and what else runs on the machine counts for neither."""
    start = time.process_time()
    for a, b in pairs:
        verify(a, b)
    return (time.process_time() - start) / len(pairs)


def measure(ratios, case, cairn, pairs, features, coded):
    pairs = [pair for pair in pairs if min(len(features[pair.a].points), len(features[pair.b].points)) == POINTS][:PAIRS]
    floats, codes = ([(of[pair.a], of[pair.b]) for pair in pairs] for of in (features, coded))
    ours, peers = in_turn(ROUNDS, lambda: seconds_a_pair(cairn.inliers, codes),
                          lambda: seconds_a_pair(lambda a, b: opencv_inliers(a, b, "xfeat"), floats))
    print(f"{case}: {len(pairs)} pairs of {POINTS} x {POINTS} features; cairn {ours * 1e3:.3f} ms, NumPy and OpenCV {peers * 1e3:.3f} ms a pair")
    ratios.add(case, peers / ours, f"NumPy {np.__version__} and OpenCV {cv2.__version__}, one thread")


def judge(cairn, pairs, features, coded):
    ours = auc(pairs, [cairn.inliers(coded[pair.a], coded[pair.b]) for pair in pairs])
    peers = auc(pairs, [opencv_inliers(features[pair.a], features[pair.b], "xfeat") for pair in pairs])
    count = sum(pair.same for pair in pairs)
    print(f"AUC of inliers, {count} pairs of the same place and {len(pairs) - count} others: cairn {ours:.4f}, NumPy and OpenCV {peers:.4f}")
    return ours >= peers - ALLOWED


def main():
    need_models("xfeat")
    cv2.setNumThreads(1)
    photographs, cairn, ratios = Photographs(), Cairn(), Ratios("verify")
    judged = photographs.query_pairs(JUDGED)
    timed = {case: photographs.image_pairs(3 * PAIRS, case == "same-place") for case in ("same-place", "different-place")}
    features = photographs.features("xfeat", sum(timed.values(), judged))
    coded = {name: cairn.coded("xfeat", of) for name, of in features.items()}
    good = judge(cairn, judged, features, coded)
    for case, pairs in timed.items():
        measure(ratios, case, cairn, pairs, features, coded)
    ratios.end()
    if not good:
        sys.exit(f"verify: cairn's AUC is worse by more than {ALLOWED}")


if __name__ == "__main__":
    main()
