#!/usr/bin/env python3
"""Test of scripts/gnd_to_json.py on pickles made here, in TAP. Usage: test_gnd_to_json.py SCRIPT

NumPy's classes are imitated in how they pickle themselves, so that arrays can be had without NumPy."""
import copy
import json
import pathlib
import pickle
import struct
import subprocess
import sys
import tempfile
import types

SCRIPT = sys.argv[1]
TRUTH = {
    "imlist": ["a", "b", "c", "d"],
    "qimlist": ["q0", "q1"],
    "gnd": [
        {"bbx": [1.5, 2, 30.25, 40], "easy": [0, 2], "hard": [1], "junk": []},
        {"bbx": [0, 0, 1, 1], "easy": [], "hard": [], "junk": [3, 0]},
    ],
}
WANTED = {
    "name": "truth",
    "database": ["a", "b", "c", "d"],
    "queries": [
        {"image": "q0", "box": [1.5, 2, 30.25, 40], "easy": ["a", "c"], "hard": ["b"], "junk": []},
        {"image": "q1", "box": [0, 0, 1, 1], "easy": [], "hard": [], "junk": ["d", "a"]},
    ],
}


def imitate_numpy(package):
    """Modules named as NumPy's, with classes whose pickles have the form of NumPy's."""
    names = ("numpy", package, f"{package}.multiarray", f"{package}.numeric")
    modules = {name: types.ModuleType(name) for name in names}
    sys.modules.update(modules)
    multiarray, numeric = modules[f"{package}.multiarray"], modules[f"{package}.numeric"]

    class dtype:
        def __init__(self, name, order="<"):
            self.name, self.order = name, order

        def __reduce__(self):
            return dtype, (self.name, False, True), (3, self.order, None, None, None, -1, -1, 0)

        def __setstate__(self, state):
            pass

    class ndarray:
        def __init__(self, dtype_, raw, shape, buffer=False):
            self.dtype, self.raw, self.shape, self.buffer = dtype_, raw, shape, buffer

        def __reduce__(self):
            if self.buffer:
                return numeric._frombuffer, (self.raw, self.dtype, self.shape, "C")
            return multiarray._reconstruct, (ndarray, (0,), b"b"), (1, self.shape, self.dtype, False, self.raw)

        def __setstate__(self, state):
            pass

    class number:
        def __init__(self, dtype_, raw):
            self.dtype, self.raw = dtype_, raw

        def __reduce__(self):
            return multiarray.scalar, (self.dtype, self.raw)

    def named(module, name, thing):
        thing.__module__, thing.__qualname__, thing.__name__ = module, name, name
        setattr(sys.modules[module], name, thing)

    named("numpy", "dtype", dtype)
    named("numpy", "ndarray", ndarray)
    named(multiarray.__name__, "_reconstruct", lambda *a: None)
    named(multiarray.__name__, "scalar", lambda *a: None)
    named(numeric.__name__, "_frombuffer", lambda *a: None)
    return dtype, ndarray, number


def with_arrays(package, numbers="i8", order="<", buffer=False):
    """The truth with its lists as arrays and a corner of a box as a NumPy number."""
    dtype, ndarray, number = imitate_numpy(package)
    letter = {"i8": "q", "i4": "i", "u2": "H", "f8": "d"}[numbers]
    truth = copy.deepcopy(TRUTH)
    for one in truth["gnd"]:
        for key in ("easy", "hard", "junk"):
            raw = struct.pack(f"{order}{len(one[key])}{letter}", *one[key])
            one[key] = ndarray(dtype(numbers, order), raw, (len(one[key]),), buffer)
        one["bbx"][0] = number(dtype("f8"), struct.pack("<d", one["bbx"][0]))
    raw = "".join(name.ljust(3, "\0") for name in truth["imlist"]).encode("utf-32-le")
    truth["imlist"] = ndarray(dtype("U3"), raw, (4,))
    truth["qimlist"] = ndarray(dtype("O8", "|"), list(truth["qimlist"]), (2,))
    return truth


class Shell:
    """What a hostile pickle does."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        import os
        return os.system, (f"touch {self.mark}",)


def changed(**members):
    truth = copy.deepcopy(TRUTH)
    for key, value in members.items():
        if key in truth:
            truth[key] = value
        else:
            truth["gnd"][0][key] = value
    return truth


def without(key):
    truth = copy.deepcopy(TRUTH)
    (truth if key in truth else truth["gnd"][1]).pop(key)
    return truth


def run(content):
    """Exit status, JSON or None, and messages."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "gnd_truth.pkl"), pathlib.Path(folder, "truth.json")
        source.write_bytes(content)
        done = subprocess.run([sys.executable, SCRIPT, source, target], capture_output=True, text=True)
        return done.returncode, json.loads(target.read_text()) if target.exists() else None, done.stderr


def main():
    good = {f"plain lists, protocol {p}": pickle.dumps(TRUTH, protocol=p) for p in (0, 2, 4, 5)}
    for package in ("numpy.core", "numpy._core"):
        for protocol in (2, 4):
            truth = with_arrays(package)
            good[f"arrays of {package}, protocol {protocol}"] = pickle.dumps(truth, protocol=protocol)
    for numbers, order in (("i4", "<"), ("i8", ">"), ("u2", "<"), ("f8", "<")):
        truth = with_arrays("numpy.core", numbers, order)
        good[f"arrays of {order}{numbers}"] = pickle.dumps(truth, protocol=3)
    good["arrays as buffers"] = pickle.dumps(with_arrays("numpy.core", buffer=True), protocol=4)
    good["an image listed twice"] = pickle.dumps(changed(easy=[0, 2, 0], hard=[1, 2]))

    mark = pathlib.Path(tempfile.mkdtemp(), "mark")
    bad = {
        "a call of the shell": (pickle.dumps(Shell(mark)), "asks for posix.system"),
        "no pickle": (b"{}", "not a pickle"),
        "nothing": (b"", "not a pickle"),
        "a cut pickle": (pickle.dumps(TRUTH)[:-20], "not a pickle"),
        "another object": (pickle.dumps([1, 2]), "no 'imlist'"),
        "no gnd": (pickle.dumps(without("gnd")), "no 'gnd'"),
        "a query without junk": (pickle.dumps(without("junk")), "query 1 (q1) has no 'junk'"),
        "too few queries": (pickle.dumps(changed(qimlist=["q0"])), "1 queries, but 2 entries"),
        "a position behind the end": (pickle.dumps(changed(hard=[4])), "'hard' has the position 4"),
        "a negative position": (pickle.dumps(changed(easy=[-1])), "'easy' has the position -1"),
        "half a position": (pickle.dumps(changed(easy=[0.5])), "'easy' has the position 0.5"),
        "a position that is text": (pickle.dumps(changed(easy=["a"])), "gnd_truth.pkl: "),
        "three corners": (pickle.dumps(changed(bbx=[1, 2, 3])), "is not x0, y0, x1, y1"),
        "an endless corner": (pickle.dumps(changed(bbx=[1, 2, 3, float("nan")])), "is not x0, y0, x1, y1"),
        "names that are numbers": (pickle.dumps(changed(imlist=[1, 2, 3, 4])), "not a name"),
    }
    print(f"1..{len(good) + len(bad) + 1}")
    number = 0

    def report(passed, name, detail):
        nonlocal number
        number += 1
        print(f"{'ok' if passed else 'not ok'} {number} - {name}")
        if not passed:
            print("# " + detail.replace("\n", "\n# "))

    for name, content in good.items():
        status, truth, message = run(content)
        report(status == 0 and truth == WANTED, name, f"status {status}, {truth}\n{message}")
    for name, (content, part) in bad.items():
        status, truth, message = run(content)
        # One line that names the file, not a trace of calls.
        report(status == 2 and truth is None and part in message and message.count("\n") == 1, name,
               f"status {status}, wanted \"{part}\"\n{message}")
    report(not mark.exists(), "the shell was not called", "a file was made")


if __name__ == "__main__":
    main()
