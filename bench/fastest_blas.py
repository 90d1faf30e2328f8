"""Print what OPENBLAS_CORETYPE makes this machine's peers multiply fastest; nothing where their own choice is the fastest.

The OpenBLAS that peers bring chooses its kernels by the model of the processor, and falls back to those of 2004 where it does not know
the model; then it is told which to take, so that a peer is as fast as it can be."""
import os
import subprocess
import sys

TIMING = """
import time, faiss, numpy
rows, queries = (numpy.random.default_rng(0).random((count, 512), dtype=numpy.float32) for count in (20_000, 500))
index = faiss.IndexFlatIP(512)
index.add(rows)
def once():
    start = time.perf_counter()
    index.search(queries, 10)
    return time.perf_counter() - start
print(min(once() for _ in range(5)))
"""


def seconds(core):
    environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_CORETYPE"}
    if core:
        environment["OPENBLAS_CORETYPE"] = core
    done = subprocess.run([sys.executable, "-c", TIMING], env=environment, capture_output=True, text=True)
    return float(done.stdout) if done.returncode == 0 else float("inf")


with open("/proc/cpuinfo") as file:
    flags = file.read()
cores = [""] + ["SKYLAKEX"] * ("avx512bw" in flags) + ["HASWELL"] * ("avx2" in flags)
times = {core: seconds(core) for core in cores}
best = min(times, key=times.get)
print(best if times[best] < 0.9 * times[""] else "")
