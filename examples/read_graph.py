#!/usr/bin/env python3
"""Read what `cairn knn` wrote: the nearest pairs of images that are among each other's neighbours. Needs NumPy.
Usage: read_graph.py PREFIX [PAIRS]"""
import sys

import numpy


def read_graph(prefix):
    """(images, ids, scores): the image of each line, its neighbours (-1 where there are fewer) and their scores."""
    images, ids, scores = (numpy.load(f"{prefix}.{kind}.npy", mmap_mode="r") for kind in ("images", "ids", "scores"))
    if ids.shape != scores.shape or len(ids) != len(images):
        sys.exit(f"{prefix}: arrays of {images.shape}, {ids.shape} and {scores.shape}, which are not of one graph")
    return images, ids, scores


def mutual_pairs(images, ids, scores):
    """Yields (score, one, other) for each pair of images that are among each other's neighbours, one < other."""
    lines = {image: set(line) for image, line in zip(images.tolist(), ids.tolist())}
    for image, line, values in zip(images.tolist(), ids.tolist(), scores.tolist()):
        for other, score in zip(line, values):
            if image < other and image in lines.get(other, ()):
                yield score, image, other


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for score, one, other in sorted(mutual_pairs(*read_graph(sys.argv[1])), reverse=True)[:int((sys.argv[2:] or [20])[0])]:
        print(f"{score:.4f} {one} {other}")


if __name__ == "__main__":
    main()
