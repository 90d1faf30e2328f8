"""Diffusion from each of 100,000 images ahead of all queries (Yang et al., AAAI 2019; n = 1000, kd = 50, kq = 10), against the authors'
method as their public program has it: for each image scipy cuts the rows and columns of its n nearest out of the sparse matrix and solves by
its conjugate gradients, and joblib runs that on all cores; a query adds up rows of a sparse matrix. Run by `make bench-diffusion`; --quick
takes 20,000 images.

Both get the same lists of nearest images, made by cairn. Vectors are made: a cluster of 100 is a closed curve in 128 dimensions, with noise,
so that its ends do not know each other; what a query of the curve should find is the cluster. joblib's threads, which the program uses,
hold each other up in Python, so processes are timed too and the faster of the two counts. The peer would take minutes, so it computes the
rows that the queries need and its time is scaled. It ends with an error where rows or mAP differ."""
import argparse
import ctypes
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time

import joblib
import numpy as np
import scipy
import scipy.sparse as sparse
import scipy.sparse.linalg

from common import BUILD, Ratios
from knn import Options as GraphOptions
from nearest import Index

IMAGES, QUICK_IMAGES, DIM, CLUSTER, QUERIES = 100_000, 20_000, 128, 100, 400
KD, KQ, N, GAMMA, ALPHA = 50, 10, 1000, 3, 0.99
RADIUS, NOISE = 0.7, 1.4
RUNS = 3
ALLOWED = 0.002  # of mAP
CORES = os.cpu_count()


def curves(count, seed):
    """Unit vectors of clusters one after the other, and for each query one of a curve with its cluster."""
    random = np.random.default_rng(seed)
    clusters = count // CLUSTER
    unit = lambda rows: rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    centres, one, other = (unit(random.standard_normal((clusters, DIM))) for _ in range(3))

    def draw(which):
        angle = random.uniform(0, 2 * np.pi, (len(which), 1))
        noise = NOISE * random.standard_normal((len(which), DIM)) / np.sqrt(DIM)
        return unit(centres[which] + RADIUS * (np.cos(angle) * one[which] + np.sin(angle) * other[which]) + noise).astype(np.float32)

    asked = random.integers(0, clusters, QUERIES)
    return draw(np.repeat(np.arange(clusters), CLUSTER)), draw(asked), asked


def nearest(rows, queries, folder):
    """Of every image the N - 1 nearest others, of every query the KQ nearest images; ids and similarities."""
    index = Index(rows)
    index.library.cairn_graph_write.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p]
    index.call("cairn_graph_write", index.index, None, N - 1, os.fsencode(f"{folder}/knn"), ctypes.byref(GraphOptions(1, 0, 0, 0, 0, 0, None, None)), None)
    ids = index.search(queries, KQ)
    near = np.einsum("qkd,qd->qk", rows[ids], queries).astype(np.float32)
    return np.load(f"{folder}/knn.ids.npy").astype(np.int32), np.load(f"{folder}/knn.scores.npy"), ids.astype(np.int32), near


class Peer:
    """The public program's steps, on lists that begin with the image itself."""

    def __init__(self, ids, scores):
        own = np.arange(len(ids), dtype=np.int32)[:, None]
        self.lists = np.hstack([own, ids])
        self.laplacian = self.make_laplacian(self.lists[:, :KD], np.hstack([np.ones((len(ids), 1), np.float32), scores])[:, :KD])
        self.start = np.zeros(N)
        self.start[0] = 1

    @staticmethod
    def make_laplacian(ids, scores):
        weights = np.maximum(scores, 0) ** GAMMA
        rows, columns, values = [], [], []
        for i, line in enumerate(ids):
            mutual = (ids[line] == i).any(axis=1) & (line != i)
            rows.append(np.full(mutual.sum(), i))
            columns.append(line[mutual])
            values.append(weights[i, mutual])
        shape = (len(ids), len(ids))
        affinity = sparse.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape, dtype=np.float32)
        roots = sparse.diags((affinity @ np.ones(len(ids)) + 1e-12) ** -0.5, dtype=np.float32)
        return (sparse.identity(len(ids), dtype=np.float32) - ALPHA * (roots @ affinity @ roots)).tocsr()

    def row(self, image):
        ids = self.lists[image]
        values, _ = scipy.sparse.linalg.cg(self.laplacian[ids][:, ids], self.start, rtol=1e-6, maxiter=20)
        order = np.argsort(-values)
        return values[order].astype(np.float32), ids[order]

    def search(self, offline, ids, scores):
        values = (scores ** GAMMA) @ offline[ids]
        best = np.argpartition(-values, N)[:N]
        return best[np.argsort(-values[best])]


def row_of(image):
    return peer.row(image)


def seconds_of(work):
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def peer_rows(images):
    """Rows of the images; seconds of threads and of processes."""
    threads, rows = seconds_of(lambda: joblib.Parallel(n_jobs=CORES, prefer="threads")(joblib.delayed(row_of)(i) for i in images))
    with multiprocessing.get_context("fork").Pool(CORES) as pool:
        pool.map(row_of, images[:2 * CORES])
        processes, _ = seconds_of(lambda: pool.map(row_of, images, chunksize=32))
    return rows, threads, processes


def mean_precision(ranked, asked):
    """mAP where a query's cluster is what it should find; the area below is made of rectangles."""
    hits = (ranked >= 0) & (ranked // CLUSTER == asked[:, None])
    precision = np.cumsum(hits, axis=1) / np.arange(1, ranked.shape[1] + 1)
    return 100 * float(np.mean((precision * hits).sum(axis=1) / CLUSTER))


def run_cairn(folder, images, threads):
    np.save(f"{folder}/sample.npy", images.astype(np.int32))
    command = [BUILD / "bench" / "bench_diffusion", folder, KD - 1, N, threads, RUNS, f"{folder}/sample.npy"]
    numbers = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout.split()
    return [float(number) for number in numbers]


def sparse_rows(rows, images, count):
    """The rows of the images as the peer keeps them; others are empty."""
    values, ids = (np.concatenate(part) for part in zip(*rows))
    return sparse.csr_matrix((values, (np.repeat(images, N), ids)), shape=(count, count), dtype=np.float32)


def differ_most(offline, images, folder):
    """The largest difference of a value of the two, relative to the largest of its row."""
    ids, values, worst = np.load(f"{folder}/sample.ids.npy"), np.load(f"{folder}/sample.values.npy"), 0
    for place, image in enumerate(images):
        own, used = np.zeros(offline.shape[1], np.float32), ids[place] >= 0
        own[ids[place][used]] = values[place][used]
        theirs = offline[image].toarray()[0]
        worst = max(worst, np.abs(own - theirs).max() / theirs.max())
    return worst


def main():
    global peer
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_IMAGES} images")
    count = QUICK_IMAGES if parser.parse_args().quick else IMAGES
    rows, queries, asked = curves(count, 1)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        ids, scores, near, near_scores = nearest(rows, queries, folder)
        for name, array in (("graph.ids", ids), ("graph.scores", scores), ("queries.ids", near), ("queries.scores", near_scores)):
            np.save(f"{folder}/{name}.npy", array)
        needed = np.unique(near)
        graph, offline, query, entries, edges = run_cairn(folder, needed, CORES)
        peer_graph, peer = seconds_of(lambda: Peer(ids, scores))
        found, threads, processes = peer_rows(needed)
        theirs = sparse_rows(found, needed, count)
        times = [seconds_of(lambda: peer.search(theirs, i, s)) for i, s in zip(near, near_scores)]
        ranked = np.stack([ranking for _, ranking in times])
        worst = differ_most(theirs, needed[:300], folder)
        own_ranked = np.load(f"{folder}/ranked.npy")
    peer_offline, peer_query = min(threads, processes) * count / len(needed), statistics.median(seconds for seconds, _ in times)
    exact = mean_precision(np.argsort(-(queries @ rows.T), axis=1, kind="stable")[:, :N], asked)
    own, other = mean_precision(own_ranked, asked), mean_precision(ranked, asked)
    print(f"{count} x {DIM}, {edges:.1f} mutual neighbours an image, {entries:.0f} of {N} reached: mAP of similarity {exact:.2f}, cairn {own:.2f}, "
          f"peer {other:.2f}; rows differ by {worst:.1e} at most")
    print(f"graph: cairn {graph:.2f} s, peer {peer_graph:.1f} s; diffusion: cairn {offline:.2f} s, peer {peer_offline:.0f} s (threads "
          f"{threads * count / len(needed):.0f}, processes {processes * count / len(needed):.0f}), scaled from {len(needed)} images; a query: "
          f"cairn {query * 1e6:.0f} us, peer {peer_query * 1e6:.0f} us, one thread each")
    if abs(own - other) > ALLOWED * 100 or worst > 1e-3:
        sys.exit("diffusion: the two do not agree")
    ratios, name = Ratios("diffusion"), f"scipy {scipy.__version__}, joblib {joblib.__version__}"
    ratios.add(f"offline-{count // 1000}k", (peer_graph + peer_offline) / (graph + offline), f"{name}, scaled from {len(needed)} images")
    ratios.add("query", peer_query / query, name)
    ratios.end()


if __name__ == "__main__":
    main()
