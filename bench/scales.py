"""Which scale codes should have: one a row, one a dimension, or one for all: the share of the 100 true neighbours among the best by
8-bit codes. Then what a search finds of rows that are hard to tell apart. Run by `scripts/bench.sh scales`."""
import numpy as np

from common import in_turn
from nearest import Index, recall, timed, unit_vectors

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


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def search(what, rows, queries):
    truth = np.argsort(-(queries.astype(np.float64) @ rows.T.astype(np.float64)), axis=1)[:, :K]
    index, less = Index(rows), K + K // 4 + 10
    found = [recall(index.search(queries, K, **how), truth) for how in ({}, {"depth": less}, {"exact": 1})]
    seconds = in_turn(5, *(timed(lambda depth=depth: index.search(queries, K, depth=depth)) for depth in (0, less)))
    print(f"{what}: recall@{K} {found[0]:.3f}, with a depth of {less} {found[1]:.3f} in {seconds[1] / seconds[0]:.2f} of the time, "
          f"without codes {found[2]:.3f}", flush=True)


def search_hard_cases():
    """Groups of 200 rows around one direction, and rows that have one number in common; queries are of the same kind."""
    random, centres = np.random.default_rng(3), unit_vectors(100, DIM, 4)
    for noise in (0.1, 0.05):
        near = lambda count: unit(centres[np.arange(count) % 100] + noise / DIM**0.5 * random.standard_normal((count, DIM), dtype=np.float32))
        rows = near(20_000)
        search(f"groups of 200, cosine {np.mean(rows[:100] @ rows[100:200].T * np.eye(100)) * 100:.4f}", rows, near(QUERIES))
    for common in (1, 2):
        alike = lambda count, seed: unit(np.hstack([unit_vectors(count, DIM - 1, seed), np.full((count, 1), common, np.float32)]))
        search(f"one number of {common} in common", alike(20_000, 5), alike(QUERIES, 6))


def main():
    rows, queries = unit_vectors(ROWS, DIM, 1), unit_vectors(QUERIES, DIM, 2)
    compare("normally distributed", rows, queries)
    falling = (np.arange(DIM, dtype=np.float32) + 1) ** -0.5
    compare("falling", unit(rows * falling), unit(queries * falling))
    search_hard_cases()


if __name__ == "__main__":
    main()
