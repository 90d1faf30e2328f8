"""What ivf_batch.py and ivf_single.py share: the data, cairn and its peers at many settings, and the choice of each one's best.

The data: "clustered-1m-256", a million unit vectors of 256 dimensions and 10,000 queries of the same kind, each one of 20,000 centres plus
normally distributed noise of 0.7; the centres are random combinations of 64 directions. "rootsift-1m-128": RootSIFT descriptors of the
photographs of roxford-mini and ukbench-sample; those of roxford-mini's queries are the queries.

For each system and each recall that is aimed at, the fastest of its settings that reaches it is looked for: for each share of what is
scored anew the fewest lists, then these against each other. What was found is then timed in turn.
Recall is against exact search with float32, by score, since descriptors of the same thing may be equal. Peers' indexes are kept in
build/bench-ivf, since some take many minutes to build. Queries of one at a time run on one thread with all systems; cairn's time with
all threads, among which no peer divides a query, is told besides."""
import inspect
import json
import os
import subprocess
import tempfile
import time
import zlib

import faiss
import numpy as np

from common import BUILD, DATA, Ratios, in_turn
from nearest import InvertedFile, recall_by_score, timed

CACHE = BUILD / "bench-ivf"
K, QUERIES, TUNING, SINGLE, CHOOSING, ROUNDS = 10, 10_000, 2000, 2000, 3, 5
TARGETS = (0.90, 0.95, 0.99)
COUNTS = 0.95  # the target whose ratio counts
FACTORS = (2, 4, 8, 16, 32, 64)  # of what peers score anew
CORES = faiss.omp_get_max_threads()
PROBES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96, 112, 128)


def kept(make, *arguments):
    """What the function makes, made once for what it is and is given."""
    path = CACHE / f"{make.__name__}-{zlib.crc32((inspect.getsource(make) + repr(arguments)).encode()):08x}.npy"
    if not path.exists():
        np.save(path, make(*arguments))
    return np.load(path)


def clustered(count, seed):
    """See above."""
    fixed, random = np.random.default_rng(0), np.random.default_rng(seed)
    centres = fixed.standard_normal((20_000, 64), dtype=np.float32) @ (fixed.standard_normal((64, 256), dtype=np.float32) / 8)
    rows = centres[random.integers(0, len(centres), count)] + 0.7 * random.standard_normal((count, 256), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def rootsift(folders, most):
    """RootSIFT descriptors of the photographs, a seeded choice of at most so many."""
    paths = sorted(path for folder in folders for path in (DATA / folder).rglob("*.jpg"))
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        lines = "".join(f"{number}\t{path}\n" for number, path in enumerate(paths))
        subprocess.run([BUILD / "bench" / "dump_features", "rootsift", folder], input=lines, text=True, check=True)
        rows = np.concatenate([np.load(f"{folder}/{number}.descriptors.npy") for number in range(len(paths))])
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return np.random.default_rng(0).permutation(rows)[:most]


class Cairn:
    def __init__(self, case, rows):
        self.name, start = "cairn", time.perf_counter()
        self.index = InvertedFile(rows, CACHE, case)
        self.seconds = time.perf_counter() - start
        self.bytes = self.index.file_bytes / len(rows) + 2 * rows.shape[1] + 8
        self.series = [[{"probes": probes} for probes in PROBES]]

    def prepare(self, probes):
        self.probes = probes

    def search(self, queries, threads):
        return self.index.search(queries, K, threads=threads, probes=self.probes)


class Faiss:
    def __init__(self, case, rows, spec, series, training=1.0):
        key = zlib.crc32(rows[:1000].tobytes() + repr((rows.shape, training)).encode())
        self.name, path = spec, CACHE / f"{case}-{spec.replace(',', '_')}-{faiss.__version__}-{key:08x}.faiss"
        if path.exists():
            self.seconds = float(path.with_suffix(".seconds").read_text())
            self.index = faiss.read_index(str(path))
        else:
            start = time.perf_counter()
            self.index = faiss.index_factory(rows.shape[1], spec, faiss.METRIC_INNER_PRODUCT)
            self.index.train(rows[: int(len(rows) * training)])
            self.index.add(rows)
            self.seconds = time.perf_counter() - start
            faiss.write_index(self.index, str(path))
            path.with_suffix(".seconds").write_text(str(self.seconds))
        self.bytes, self.series = os.path.getsize(path) / len(rows), series

    def prepare(self, **setting):
        for name, value in setting.items():
            faiss.ParameterSpace().set_index_parameter(self.index, name, value)

    def search(self, queries, threads):
        if faiss.omp_get_max_threads() != threads:
            faiss.omp_set_num_threads(threads)
        return self.index.search(queries, K)[1]


def systems(case, rows):
    """Each has settings in series, of which every next one finds more."""
    refined = [[{"nprobe": probes, "k_factor_rf": factor} for probes in PROBES] for factor in FACTORS]
    flat = [[{"nprobe": probes} for probes in PROBES]]
    graph = [[{"efSearch": ef} for ef in (16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96, 112, 128, 192, 256, 384)]]
    half = rows.shape[1] // 4
    yield Cairn(case, rows)
    for lists in (1024, 4096):
        yield Faiss(case, rows, f"IVF{lists},PQ{half}x4fs,Refine(SQfp16)", refined, 0.3)
        yield Faiss(case, rows, f"IVF{lists},PQ{half // 2}x4fs,Refine(SQfp16)", refined, 0.3)
    for codes in ("SQ8", "RaBitQfs"):
        yield Faiss(case, rows, f"IVF2048,{codes},Refine(SQfp16)", refined, 0.3)
    yield Faiss(case, rows, "IVF1024,Flat", flat, 0.3)
    yield Faiss(case, rows, "HNSW32", graph)


def program(system, setting, queries, single, threads=1):
    """Seconds a query. @param threads for single queries"""
    def run():
        system.prepare(**setting)
        if not single:
            return timed(lambda: system.search(queries, CORES), len(queries))()
        system.search(queries[:1], threads)
        return timed(lambda: [system.search(queries[i : i + 1], threads) for i in range(SINGLE)], SINGLE)()
    return run


def first_reaching(series, recall_of, target):
    """The first setting of a series that reaches the target, and its recall, by halving; None where none does."""
    low, high = 0, len(series)
    while low < high:
        middle = (low + high) // 2
        if recall_of(series[middle]) >= target:
            high = middle
        else:
            low = middle + 1
    return (recall_of(series[low]), series[low]) if low < len(series) else None


def best_settings(system, queries, measure_recall, single):
    """For each target the setting that reaches it: of each series the first, and of these the fastest."""
    known, best = {}, {}

    def recall_of(setting):
        key = json.dumps(setting)
        if key not in known:
            system.prepare(**setting)
            known[key] = measure_recall(system.search(queries, CORES))
        return known[key]

    for target in TARGETS:
        points = [point for point in (first_reaching(series, recall_of, target) for series in system.series) if point]
        if len(points) > 1:
            times = in_turn(CHOOSING, *(program(system, setting, queries[:TUNING], single) for _, setting in points))
            points = [points[times.index(min(times))]]
        if points:
            best[target] = points[0]
    return best


def measure(ratios, case, rows, queries, single):
    exact = faiss.IndexFlatIP(rows.shape[1])
    exact.add(rows)
    least = exact.search(queries, K)[0][:, -1]
    all_systems, chosen = list(systems(case, rows)), []
    for system in all_systems:
        print(f"{case}: {system.name}: built in {system.seconds:.0f} s, {system.bytes:.0f} bytes a vector", flush=True)
        chosen.append(best_settings(system, queries, lambda found: recall_by_score(found, least, rows, queries), single))
    for target in TARGETS:
        able = [(system, *best[target]) for system, best in zip(all_systems, chosen) if target in best]
        if able[0][0] is not all_systems[0]:
            raise SystemExit(f"{case}: cairn does not reach a recall of {target}")
        for system, best in zip(all_systems, chosen):
            if target not in best:
                print(f"{case}: recall >= {target:.2f}: {system.name} does not reach it with any of its settings", flush=True)
        programs = [program(system, setting, queries, single) for system, _, setting in able]
        if single:
            programs.append(program(able[0][0], able[0][2], queries, True, CORES))
        times = in_turn(ROUNDS, *programs)
        for (system, found, setting), seconds in zip(able, times):
            print(f"{case}: recall >= {target:.2f}: {system.name} {json.dumps(setting)}: {1 / seconds:.0f} queries/s, recall@{K} {found:.4f}", flush=True)
        fastest = min(range(1, len(able)), key=lambda i: times[i])
        ratios.add(f"{case}-{target:.2f}", times[fastest] / times[0], f"FAISS {faiss.__version__} {able[fastest][0].name}", target == COUNTS)
        if single:
            ratios.add(f"{case}-{target:.2f}-threads", times[fastest] / times[-1], f"the same on its one thread, cairn on {CORES}", False)


def main(name, single):
    CACHE.mkdir(parents=True, exist_ok=True)
    ratios = Ratios(name)
    measure(ratios, "clustered-1m-256", kept(clustered, 1_000_000, 1), kept(clustered, QUERIES, 2), single)
    if (DATA / "roxford-mini").is_dir():
        photographs = ("roxford-mini/jpg", "ukbench-sample")
        measure(ratios, "rootsift-1m-128", kept(rootsift, photographs, 1_000_000), kept(rootsift, ("roxford-mini/queries",), QUERIES), single)
    ratios.end()
