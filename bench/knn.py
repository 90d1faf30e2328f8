"""The kNN graph of 300,000 x 512 descriptors, k = 100, against FAISS's exact flat search over the same rows, and against the rate at
which cairn itself searches. Run by `make bench-knn`; --quick takes 30,000 rows.

FAISS would search all of its own rows for minutes, so it is timed on a seeded sample of them as queries and the time is scaled. Rows
are made: 4000 places, each a unit vector; a row is its place plus noise of about the place's length, normalised, so that
neighbours are near but not equal and places have 75 rows."""
import argparse
import ctypes
import os
import pathlib
import tempfile
import time

import faiss
import numpy as np

from common import Ratios
from nearest import Index, Options, recall

DIM, K, SEED = 512, 100, 7
PEER_QUERIES = 5000  # of the rows, for FAISS
OWN_QUERIES = 1000   # for cairn's own rate


class GraphOptions(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("threads", ctypes.c_uint), ("depth", ctypes.c_size_t), ("exact", ctypes.c_int),
                ("memory", ctypes.c_uint64), ("checkpoint", ctypes.c_double), ("progress", ctypes.c_void_p), ("payload", ctypes.c_void_p)]


def made_rows(count):
    random = np.random.default_rng(SEED)
    places = random.standard_normal((max(1, count // 75), DIM), np.float32)
    rows = np.empty((count, DIM), np.float32)
    for begin in range(0, count, 10000):
        block = rows[begin:begin + 10000]
        block[:] = places[random.integers(len(places), size=len(block))] + random.standard_normal(block.shape, np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return rows


def seconds(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def graph(index, prefix, memory):
    options = GraphOptions(1, 0, 0, 0, memory, 0, None, None)
    index.library.cairn_graph_write.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p,
                                                ctypes.c_void_p]
    index.call("cairn_graph_write", index.index, None, K, os.fsencode(prefix), ctypes.byref(options), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="30,000 rows")
    count = 30000 if parser.parse_args().quick else 300000
    ratios, rows = Ratios("knn"), made_rows(count)
    index, random = Index(rows), np.random.default_rng(SEED + 1)
    own = np.ascontiguousarray(rows[random.choice(count, OWN_QUERIES, replace=False)])
    sample = random.choice(count, PEER_QUERIES, replace=False)
    index.search(own, K)
    rate = OWN_QUERIES * count / np.median([seconds(lambda: index.search(own, K)) for _ in range(5)])
    with tempfile.TemporaryDirectory() as folder:
        prefix = pathlib.Path(folder) / "graph"
        taken = seconds(lambda: graph(index, prefix, 0))
        blocks = seconds(lambda: graph(index, pathlib.Path(folder) / "blocks", count * 700))
        ids = np.load(f"{prefix}.ids.npy")
        assert np.array_equal(ids, np.load(f"{folder}/blocks.ids.npy"))
    peer = faiss.IndexFlatIP(DIM)
    peer.add(rows)
    queries = np.ascontiguousarray(rows[sample])
    begin = time.perf_counter()
    _, truth = peer.search(queries, K + 1)
    peer_taken = (time.perf_counter() - begin) * count / PEER_QUERIES
    others = [[other for other in line if other != own][:K] for line, own in zip(truth.tolist(), sample.tolist())]
    print(f"{count} x {DIM}, k = {K}: cairn {taken:.1f} s, with {count * 700 >> 20} MiB of memory {blocks:.1f} s; FAISS {peer_taken:.1f} s, "
          f"scaled from {PEER_QUERIES} queries; recall {recall(ids[sample], np.array(others)):.4f}")
    print(f"half of all pairs at the rate of cairn's own search of {OWN_QUERIES} queries ({rate * DIM / 1e9:.0f} G multiply-adds/s): "
          f"{count * count / 2 / rate:.1f} s; the graph takes {taken / (count * count / 2 / rate):.2f} times that")
    ratios.add(f"{count}x{DIM}", peer_taken / taken, "FAISS IndexFlatIP")
    ratios.end()


if __name__ == "__main__":
    main()
