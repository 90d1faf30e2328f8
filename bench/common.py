"""What the benchmarks share: where things are, medians of repeated runs, and the lines they print."""
import multiprocessing
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("CAIRN_BUILD", "build")).resolve()
DATA = pathlib.Path(os.environ.get("CAIRN_DATA", "../shared/data")).resolve()
CAIRN = BUILD / "cairn"
HOME = pathlib.Path(os.environ.get("CAIRN_HOME", pathlib.Path.home() / ".local/share/cairn"))


def need_data(folder):
    """The folder of measuring data, or exit 0 after saying that there is nothing to measure on."""
    path = DATA / folder
    if not path.is_dir():
        print(f"skipped: {path} is not there; set CAIRN_DATA")
        sys.exit(0)
    return path


def need_models(*names):
    """Install the models that are missing."""
    for name in names:
        if not (HOME / "models" / name / "model.json").exists():
            subprocess.run([CAIRN, "model", "install", name], check=True)


def in_turn(runs, *programs):
    """Run the programs in turn, `runs` times each after one warm-up; each returns its seconds. Medians, in order."""
    times = [[] for _ in programs]
    for run in range(runs + 1):
        for program, kept in zip(programs, times):
            seconds = program()
            if run:
                kept.append(seconds)
    return [statistics.median(kept) for kept in times]


def timed_add(wanted, paths, threads):
    """Seconds of `cairn add` as a whole command. @param wanted options of `cairn init`"""
    folder = tempfile.mkdtemp(prefix="cairn-bench-", dir=BUILD)
    try:
        listed, collection = os.path.join(folder, "list.txt"), os.path.join(folder, "collection")
        with open(listed, "w") as file:
            file.writelines(path + "\n" for path in paths)
        subprocess.run([CAIRN, "init", collection, *wanted], check=True, capture_output=True)
        start = time.perf_counter()
        subprocess.run([CAIRN, "add", collection, "@" + listed, "--threads", str(threads)], check=True, capture_output=True)
        return time.perf_counter() - start
    finally:
        shutil.rmtree(folder)


def run_workers(worker, count, paths, *arguments):
    """Seconds of `count` processes that share the paths; each runs worker(its paths, *arguments, ready, go, done): it releases `ready` when it
    has warmed up, waits for `go`, and releases `done`."""
    # A forked worker would wait for threads of the libraries that it has not.
    spawn = multiprocessing.get_context("spawn")
    ready, done, go = spawn.Semaphore(0), spawn.Semaphore(0), spawn.Event()
    workers = [spawn.Process(target=worker, args=(paths[i::count], *arguments, ready, go, done)) for i in range(count)]
    for process in workers:
        process.start()
    for _ in workers:
        ready.acquire()
    start = time.perf_counter()
    go.set()
    for _ in workers:
        done.acquire()
    seconds = time.perf_counter() - start
    for process in workers:
        process.join()
    return seconds


class Ratios:
    """Collects `NAME.CASE: ratio R (peer)` and ends with the least of those that count."""

    def __init__(self, name):
        self.name = name
        self.least = float("inf")

    def add(self, case, ratio, peer, counts=True):
        print(f"{self.name}.{case}: ratio {ratio:.2f} ({peer})", flush=True)
        if counts:
            self.least = min(self.least, ratio)

    def end(self):
        print(f"{self.name}: ratio {self.least:.2f}")
