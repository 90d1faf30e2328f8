#!/usr/bin/env python3
"""Calibrate on ukbench-sample, for each kind of local features: the weight of ASMK beside the cosine, the least inliers worth
trusting and their boost. Prints what src/verify/kinds.c holds. Run by `make calibrate`; images that results are reported on are not used.

Every image is searched with among the others. Of the first 200 by cosine and by ASMK, logistic regression predicts "same object"
from both similarities; the weight is the ratio of their two weights. Of the first 100 by cosine, which are verified: for each minimum, logistic regression predicts
"same object" from cosine and log(1 + inliers), the latter 0 below the minimum. The boost is the ratio of the two weights;
the best minimum is the one of the least mean negative log-likelihood."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
CAIRN = ROOT / "build" / "cairn"
UKBENCH = pathlib.Path(os.environ.get("CAIRN_DATA", ROOT.parent / "shared" / "data")).resolve() / "ukbench-sample"
WORK = ROOT / "build" / "calibrate"
KINDS = ("rootsift", "xfeat")
MINIMA = (5, 6, 8, 10, 12, 15, 20, 25, 30, 35, 40, 50)


def cairn(*arguments):
    return subprocess.run([CAIRN, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def make_collection():
    folder = WORK / "collection"
    # What an older program computed must not be calibrated on.
    shutil.rmtree(WORK, ignore_errors=True)
    cairn("model", "install", "efficientnet-lite0", "xfeat")
    cairn("model", "whiten", "efficientnet-lite0", UKBENCH, "--kind", "centre", "-o", "calibrate-lite0")
    cairn("init", folder, "--model", "calibrate-lite0", *sum((["--local", kind] for kind in KINDS), []))
    cairn("add", folder, UKBENCH)
    for kind in KINDS:
        cairn("index", folder, "--asmk", "--local", kind)
    return folder


def object_of(path):
    """Four views of an object follow each other."""
    return int(re.search(r"ukbench(\d+)", path).group(1)) // 4


def pairs(folder, kind, evidence, *options):
    """Cosine, evidence ("inliers" or "asmk") and whether it is the same object, of all pairs found that have it."""
    count = json.loads(cairn("info", folder, "--format", "json"))["images"]
    ids = sum((["--id", i + 1] for i in range(count)), [])
    queries = json.loads(cairn("search", folder, *ids, "--local", kind, *options, "--format", "json"))["queries"]
    rows = [(hit["similarity"], hit[evidence], object_of(hit["path"]) == object_of(query["query"]))
            for query in queries for hit in query["results"] if hit[evidence] is not None]
    similarity, found, same = map(np.array, zip(*rows))
    return similarity, found, same


def fit(similarity, evidence, same):
    """Logistic regression by Newton's method: weights and mean negative log-likelihood."""
    x = np.column_stack([similarity, evidence, np.ones(len(same))])
    weights = np.zeros(3)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (same - p) - 1e-3 * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(3)
        weights += np.linalg.solve(hessian, gradient)
    p = 1 / (1 + np.exp(-x @ weights))
    return weights, -np.log(np.clip(np.where(same, p, 1 - p), 1e-12, 1)).mean()


def main():
    if not UKBENCH.is_dir():
        print(f"skipped: {UKBENCH} is not there; set CAIRN_DATA")
        return
    os.environ["CAIRN_HOME"] = str(WORK / "home")
    folder = make_collection()
    for kind in KINDS:
        similarity, asmk, same = pairs(folder, kind, "asmk", "--by", "fused", "-k", 200, "--verify", 0)
        # In hundredths, so that the regularisation weighs on both alike.
        weights, loss = fit(similarity, 100 * asmk, same)
        print(f"{kind}: ASMK weight {100 * weights[1] / weights[0]:.2f}, loss {loss:.5f}")
        similarity, inliers, same = pairs(folder, kind, "inliers", "--by", "global", "-k", 100, "--verify", 100, "--boost", 0)
        chance = np.percentile(inliers[~same], 99)
        print(f"{kind}: {same.sum()} pairs of one object, {(~same).sum()} of two; 99% of the latter have at most {chance:.0f} inliers")
        # Below that, a minimum would let chance in.
        for least in [m for m in MINIMA if m > chance]:
            weights, loss = fit(similarity, np.where(inliers >= least, np.log1p(inliers), 0), same)
            print(f"  minimum {least:3d}: boost {weights[1] / weights[0]:.3f}, loss {loss:.5f}")


if __name__ == "__main__":
    main()
