"""The kNN graph of 300,000 x 512 descriptors, k = 100, against the exact flat search of FAISS for all of its own rows, and against the
rate at which cairn itself searches. Run by `make bench-knn`; --quick takes 30,000 rows. Rows are unit vectors of normally distributed
numbers. FAISS would take minutes, so it is timed on a sample of the rows as queries, and its time scaled."""
import argparse
import ctypes
import os
import tempfile

import faiss
import numpy as np

from common import Ratios
from nearest import Index, recall, timed, unit_vectors

ROWS, QUICK_ROWS, DIM, K = 300_000, 30_000, 512, 100
PEER_QUERIES, OWN_QUERIES = 5000, 1000
LITTLE = 1200  # bytes an image: lists are kept in files
FLOOR = 0.999


class Options(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("threads", ctypes.c_uint), ("depth", ctypes.c_size_t), ("exact", ctypes.c_int),
                ("memory", ctypes.c_uint64), ("checkpoint", ctypes.c_double), ("progress", ctypes.c_void_p), ("payload", ctypes.c_void_p)]


def write_graph(index, prefix, memory):
    index.library.cairn_graph_write.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p,
                                                ctypes.c_void_p]
    index.call("cairn_graph_write", index.index, None, K, os.fsencode(prefix), ctypes.byref(Options(1, 0, 0, 0, memory, 0, None, None)), None)


def measure_cairn(index, queries, sample):
    """Seconds of the graph with much and with little memory, of its share of pairs at the rate of a batch search; neighbours."""
    with tempfile.TemporaryDirectory() as folder:
        search = timed(lambda: index.search(queries, K), len(queries))
        a_query = [search() for _ in range(4)][1:]
        whole = timed(lambda: write_graph(index, f"{folder}/whole", 0))()
        blocks = timed(lambda: write_graph(index, f"{folder}/blocks", index.count * LITTLE))()
        a_query += [search() for _ in range(3)]
        ids = np.load(f"{folder}/whole.ids.npy")
        if not np.array_equal(ids, np.load(f"{folder}/blocks.ids.npy")):
            raise SystemExit("knn: the amount of memory changes the result")
        return whole, blocks, np.median(a_query) * index.count / 2, ids[sample]


def measure_peer(rows, sample):
    """Seconds for all rows, from those for the sample; the sample's neighbours, itself left out."""
    peer, queries, found = faiss.IndexFlatIP(DIM), rows[sample], []
    peer.add(rows)
    seconds = timed(lambda: found.append(peer.search(queries, K + 1)[1]))()
    others = [[other for other in line if other != own][:K] for line, own in zip(found[0].tolist(), sample.tolist())]
    return seconds * len(rows) / len(sample), np.array(others)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS} rows")
    count = QUICK_ROWS if parser.parse_args().quick else ROWS
    rows, sample = unit_vectors(count, DIM, 1), np.random.default_rng(2).choice(count, PEER_QUERIES, replace=False)
    whole, blocks, share, ids = measure_cairn(Index(rows), unit_vectors(OWN_QUERIES, DIM, 3), sample)
    peer, truth = measure_peer(rows, sample)
    found = recall(ids, truth)
    print(f"{count} x {DIM}, k = {K}: cairn {whole:.1f} s, with {count * LITTLE >> 20} MiB for lists {blocks:.1f} s; FAISS {peer:.1f} s, scaled from "
          f"{PEER_QUERIES} of the rows; recall@{K} {found:.4f}")
    print(f"half of all pairs at the rate of cairn's own search of {OWN_QUERIES} queries ({count * count / 2 * DIM / share * 1e-9:.0f} G multiply-adds a "
          f"second) take {share:.1f} s; the graph takes {whole / share:.2f} times that, with little memory {blocks / share:.2f} times")
    if found < FLOOR:
        raise SystemExit(f"knn: recall {found:.4f} is below {FLOOR}")
    ratios = Ratios("knn")
    ratios.add(f"gaussian-{count // 1000}k-{DIM}", peer / whole, f"FAISS {faiss.__version__} IndexFlatIP, scaled from {PEER_QUERIES} queries")
    ratios.end()


if __name__ == "__main__":
    main()
