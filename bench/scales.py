"""Which scale codes should have: one a row, one a dimension, or one for all. The share of the 100 true neighbours among the best by
8-bit codes. Run by `scripts/bench.sh scales`."""
import numpy as np

from nearest import unit_vectors

ROWS, DIM, QUERIES, K, DEPTHS = 50_000, 512, 200, 100, (100, 105, 110, 120, 130)


def encode(rows, scales):
    return np.clip(np.rint(rows / scales), -127, 127)


def by_row(rows):
    scales = np.abs(rows).max(axis=1, keepdims=True) / 127
    return encode(rows, scales), scales.T


def shares(scores, truth):
    ranks = np.take_along_axis(np.argsort(np.argsort(-scores, axis=1), axis=1), truth, 1)
    return ", ".join(f"{depth}: {(ranks < depth).mean():.4f}" for depth in DEPTHS)


def compare(what, rows, queries):
    truth = np.argsort(-(queries @ rows.T), axis=1)[:, :K]
    codes, scales = by_row(rows)
    print(f"{what}: one a row: {shares((by_row(queries)[0] @ codes.T) * scales, truth)}")
    scales = np.abs(rows).max(axis=0) / 127
    print(f"{what}: one a dimension: {shares(by_row(queries * scales)[0] @ encode(rows, scales).T, truth)}")
    print(f"{what}: one for all: {shares(by_row(queries)[0] @ encode(rows, np.abs(rows).max() / 127).T, truth)}")


def main():
    rows, queries = unit_vectors(ROWS, DIM, 1), unit_vectors(QUERIES, DIM, 2)
    compare("normally distributed", rows, queries)
    falling = (np.arange(DIM, dtype=np.float32) + 1) ** -0.5
    lengths = lambda vectors: np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, queries = rows * falling, queries * falling
    compare("falling", rows / lengths(rows), queries / lengths(queries))


if __name__ == "__main__":
    main()
