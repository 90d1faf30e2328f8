"""What the benchmarks share: where things are, medians of repeated runs, and the lines they print."""
import os
import pathlib
import statistics
import subprocess
import sys

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
