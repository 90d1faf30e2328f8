"""Ten million vectors of 128 dimensions in an inverted file, built and searched in a process that may use 8 GB of address space, mapped
files included. Run by `make bench-ivf-large`. Each vector is one of 200,000 normally distributed centres plus noise of 0.7 of their
spread; queries are of the same kind. Recall is against exact search through all rows; it ends with an error where recall is more than 0.01 below what was asked for."""
import resource
import tempfile
import time

import numpy as np

from common import BUILD
from nearest import InvertedFile, Rows, recall

COUNT, DIM, CENTRES, QUERIES, K, CHUNK = 10_000_000, 128, 200_000, 1000, 10, 250_000
LIMIT = 8 << 30
ALLOWED = 0.01  # recall is learned from 1000 rows; these are 1000 other vectors


def clustered(count, seed):
    centres, random = np.random.default_rng(0).standard_normal((CENTRES, DIM), dtype=np.float32), np.random.default_rng(seed)
    rows = centres[random.integers(0, CENTRES, count)] + 0.7 * random.standard_normal((count, DIM), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def make_rows(folder):
    """In files, as a collection keeps them."""
    kinds = {"halves": (np.uint16, (COUNT, DIM)), "codes": (np.int8, (COUNT, DIM)), "scales": (np.float32, (COUNT,))}
    arrays = {name: np.lib.format.open_memmap(f"{folder}/{name}.npy", "w+", kind, shape) for name, (kind, shape) in kinds.items()}
    rows = Rows(**arrays)
    for first in range(0, COUNT, CHUNK):
        rows.encode(first, clustered(CHUNK, 1 + first))
    for array in arrays.values():
        array.flush()
    return rows


def main():
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    queries = clustered(QUERIES, 0)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        rows, start = make_rows(folder), time.perf_counter()
        index = InvertedFile(rows, folder, "large")
        print(f"{COUNT} x {DIM}: built in {time.perf_counter() - start:.0f} s, {index.file_bytes / COUNT:.0f} bytes a vector in lists, "
              f"{3 * DIM + 4} as rows and codes", flush=True)
        start = time.perf_counter()
        truth = index.search(queries, K, exact=1)
        print(f"exact: {QUERIES / (time.perf_counter() - start):.0f} queries/s", flush=True)
        for target in (0.90, 0.95, 0.99):
            times = []
            for _ in range(5):
                start = time.perf_counter()
                found = index.search(queries, K, recall=target)
                times.append(time.perf_counter() - start)
            share = recall(found, truth)
            print(f"recall >= {target:.2f}: {QUERIES / sorted(times)[2]:.0f} queries/s, recall@{K} {share:.4f}", flush=True)
            if share < target - ALLOWED:
                raise SystemExit(f"ivf-large: a recall of {target} was asked for, {share:.4f} was found")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"ivf-large: {peak:.1f} GB of memory at most, within {LIMIT >> 30} GB of address space")


if __name__ == "__main__":
    main()
