"""Search by local features, ASMK* and ASMK: cairn against the package asmk (PyPI), which runs on faiss. Run by `make bench-asmk`.

Both get the same XFeat features of roxford-mini, extracted by cairn (the package as floats), and the same codebook of 16384 words,
trained by cairn on ukbench-sample; five words a descriptor of a query, alpha 3, no threshold. Queries are cropped to their boxes.
Timed is one query after another from its features to its ranking: assignment to words, aggregation, search. It ends with an
error where cairn's mAP differs by more than 0.5."""
import os
import subprocess
import sys
import time

import faiss
import numpy as np

HERE = sys.path.pop(0)  # this file has the name of the package
from asmk import asmk_method, codebook as peer_codebook, index as peer_index

sys.path.insert(0, HERE)
from common import BUILD, DATA, Ratios, in_turn, need_data, need_models
from roxford import Truth

KIND = "xfeat"
WORDS = 16384
RUNS = 5
ALLOWED = 0.5
WORK = BUILD / "bench-asmk"


def step(*arguments, **more):
    return subprocess.run([BUILD / "bench" / "bench_asmk", *map(str, arguments)], check=True, text=True, stdout=subprocess.PIPE, **more).stdout


def features(name, lines):
    """Features of the images of the lines, kept between runs."""
    path = WORK / f"{name}.features"
    if not path.exists():
        step("features", KIND, path, input="".join(line + "\n" for line in lines))
    return path


def floats(path):
    step("dump", path, path.with_suffix(""))
    return np.load(path.with_suffix(".descriptors.npy")), np.load(path.with_suffix(".images.npy"))


class Peer:
    """The package, with the codebook of cairn."""

    def __init__(self, vectors, database, binary):
        factory = peer_index.initialize_index(gpu_id=None)
        words = peer_codebook.Codebook(factory, size=len(vectors))
        words.index(vectors)
        params = {"index": {"gpu_id": None},
                  "build_ivf": {"kernel": {"binary": binary}, "ivf": {"use_idf": False}, "quantize": {"multiple_assignment": 1}, "aggregate": {}},
                  "query_ivf": {"quantize": {"multiple_assignment": 5}, "aggregate": {}, "search": {"topk": None},
                                "similarity": {"similarity_threshold": 0.0, "alpha": 3.0}}}
        self.method = asmk_method.ASMKMethod(params, {}, codebook=words).build_ivf(database[0], database[1].copy())

    def search(self, queries, threads):
        """Ranked images, and seconds."""
        faiss.omp_set_num_threads(threads)
        start = time.perf_counter()
        _, _, ranks, _ = self.method.query_ivf(*queries)
        return ranks, time.perf_counter() - start

    def stages(self, queries, threads):
        """Milliseconds a query of assignment to words, of aggregation, and of the inverted file."""
        faiss.omp_set_num_threads(threads)
        method, (vectors, numbers), seconds = self.method, queries, np.zeros(3)
        params = method.params["query_ivf"]
        similarity = lambda *x: method.kernel.similarity(*x, **params["similarity"])
        for number in np.unique(numbers):
            own, marks = numbers == number, [time.perf_counter()]
            quantized = method.codebook.quantize(vectors[own], **params["quantize"])
            marks.append(time.perf_counter())
            aggregated = method.kernel.aggregate_image(*quantized, **params["aggregate"])
            marks.append(time.perf_counter())
            method.inverted_file.search(*aggregated, **params["search"], similarity_func=similarity)
            seconds += np.diff([*marks, time.perf_counter()])
        return seconds / len(np.unique(numbers)) * 1e3

    def bytes(self):
        """What its postings take, without what its arrays have in reserve."""
        file = self.method.inverted_file
        vector = next(row for row in file.ivf_vecs if row is not None)
        number = next(row for row in file.ivf_image_ids if row is not None)
        return int(file.counts.sum()) * (vector.dtype.itemsize * vector.shape[1] + number.dtype.itemsize) + file.norm_factor.nbytes


class Cairn:
    """bench_asmk, which opens its files anew each time; its own clock leaves that out."""

    def __init__(self, words, database, queries, binary):
        self.form = "binary" if binary else "bytes"
        self.words, self.queries, self.file = words, queries, WORK / f"{self.form}.asmk"
        step("write", database, words, self.form, self.file)

    def search(self, count, threads):
        ranked = WORK / "ranked.npy"
        seconds = float(step("search", self.queries, self.words, self.file, count, threads, ranked))
        return np.load(ranked), seconds

    def bytes(self):
        return self.file.stat().st_size


def judge(truth, name, ranks):
    scores = truth.mean_precision([[image for image in row if image > 0] for row in ranks.tolist()])
    print(f"{name}: mAP easy {scores['easy']:.2f}, medium {scores['medium']:.2f}, hard {scores['hard']:.2f}", flush=True)
    return scores


def compare(ratios, truth, words, database, queries, binary):
    """One form: quality, bytes an image, seconds with one thread and with all."""
    form, count = "ASMK*" if binary else "ASMK", len(truth.database)
    cairn, peer = Cairn(words, database, queries, binary), Peer(np.load(words), floats(database), binary)
    query_floats = floats(queries)
    mine = judge(truth, f"{form}, cairn", cairn.search(count, 1)[0])
    others = judge(truth, f"{form}, asmk", peer.search(query_floats, 1)[0])
    print(f"{form}: {cairn.bytes() / count:.0f} bytes an image, asmk {peer.bytes() / count:.0f}")
    for threads in (1, os.cpu_count()):
        ours, theirs = in_turn(RUNS, lambda: cairn.search(count, threads)[1], lambda: peer.search(query_floats, threads)[1])
        each = len(truth.queries)
        print(f"{form}, {threads} threads: {ours / each * 1e3:.1f} ms a query, asmk {theirs / each * 1e3:.1f}")
        ratios.add(f"{'signs' if binary else 'bytes'}-{threads}", theirs / ours, "asmk on faiss")
    parts = peer.stages(query_floats, 1)
    print(f"{form}, 1 thread: of the package's {parts.sum():.1f} ms a query {parts[0]:.1f} are assignment, {parts[1]:.1f} aggregation, "
          f"{parts[2]:.1f} the inverted file", flush=True)
    return max(abs(mine[level] - others[level]) for level in mine) <= ALLOWED


def main():
    need_models(KIND)
    folder, others = need_data("roxford-mini"), need_data("ukbench-sample")
    WORK.mkdir(exist_ok=True)
    truth = Truth(folder)
    database = features("database", [f"{folder}/jpg/{name}.jpg" for name in truth.database])
    queries = features("queries", [f"{folder}/queries/{query['image']}.jpg\t{' '.join(map(str, query['box']))}" for query in truth.queries])
    words = WORK / f"words-{WORDS}.npy"
    if not words.exists():
        start = time.perf_counter()
        step("codebook", features("ukbench", sorted(map(str, others.glob("*.jpg")))), WORDS, words)
        print(f"codebook of {WORDS} words: {time.perf_counter() - start:.0f} s", flush=True)
    ratios = Ratios("asmk")
    alike = [compare(ratios, truth, words, database, queries, binary) for binary in (True, False)]
    ratios.end()
    if not all(alike):
        sys.exit(f"asmk: mAP differs by more than {ALLOWED}")


if __name__ == "__main__":
    main()
