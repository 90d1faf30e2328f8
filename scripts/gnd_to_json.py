#!/usr/bin/env python3
"""Convert a ground truth of revisited Oxford or Paris (gnd_roxford5k.pkl, gnd_rparis6k.pkl) into the JSON that
`cairn eval roxford` reads. Usage: gnd_to_json.py GROUNDTRUTH.pkl OUT.json

A pickle can name any function for its reader to call. This reader knows plain data and the few names that NumPy arrays are
made of, and stands in for those itself, so that NumPy is not needed and nothing of the file is ever run."""
import codecs
import json
import math
import pathlib
import pickle
import struct
import sys

LISTS = ("easy", "hard", "junk")
# NumPy's kind and size of an element -> struct's letter.
LETTERS = {"b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
           "f2": "e", "f4": "f", "f8": "d"}


class Fault(Exception):
    """What is wrong with the file, for the user."""


class Dtype:
    """Stands in for numpy.dtype: kind and size ("i8") and byte order."""

    def __init__(self, name, *_):
        self.name, self.order = str(name), "<"

    def __setstate__(self, state):
        if state[1] in ("<", ">"):
            self.order = state[1]

    def decode(self, raw):
        if isinstance(raw, (list, tuple)):
            return list(raw)
        if isinstance(raw, str):  # bytes of a pickle that Python 2 wrote
            raw = raw.encode("latin1")
        raw = bytes(raw)
        kind, size = self.name[0], self.name[1:]
        if kind in "SU" and size.isdigit() and int(size) > 0:
            step = int(size) * (4 if kind == "U" else 1)
            coding = {"S": "latin1", "U": "utf-32-le" if self.order == "<" else "utf-32-be"}[kind]
            return [raw[i:i + step].decode(coding).rstrip("\0") for i in range(0, len(raw), step)]
        if self.name not in LETTERS:
            raise Fault(f"an array has elements of type '{self.name}'")
        letter = LETTERS[self.name]
        if len(raw) % struct.calcsize(letter):
            raise Fault("an array is cut short")
        return list(struct.unpack(f"{self.order}{len(raw) // struct.calcsize(letter)}{letter}", raw))


class Array:
    """Stands in for numpy.ndarray; all its elements in one list."""

    def __init__(self, *_):
        self.elements = []

    def __setstate__(self, state):
        _, _, dtype, _, raw = state
        self.elements = dtype.decode(raw)


def reconstruct(*_):
    return Array()


def from_buffer(buffer, dtype, *_):
    array = Array()
    array.elements = dtype.decode(buffer)
    return array


def scalar(dtype, raw):
    return dtype.decode(raw)[0]


def encode(text, coding="latin1"):
    if coding not in ("latin1", "latin-1"):
        raise Fault(f"bytes in the coding '{coding}'")
    return codecs.encode(text, "latin1")


def no_bytes():
    """Old forms of pickles make empty bytes by a call without arguments."""
    return b""


class PlainUnpickler(pickle.Unpickler):
    MOVED = {"numpy._core.multiarray": "numpy.core.multiarray", "numpy._core.numeric": "numpy.core.numeric",
             "__builtin__": "builtins"}
    KNOWN = {
        "numpy.ndarray": Array,
        "numpy.dtype": Dtype,
        "numpy.core.multiarray._reconstruct": reconstruct,
        "numpy.core.multiarray.scalar": scalar,
        "numpy.core.numeric._frombuffer": from_buffer,
        "_codecs.encode": encode,
        "builtins.bytes": no_bytes,
    }

    def find_class(self, module, name):
        known = self.KNOWN.get(f"{self.MOVED.get(module, module)}.{name}")
        if known is None:
            raise Fault(f"it asks for {module}.{name}, which a ground truth does not need")
        return known


def plain(value):
    """A value as a flat list."""
    if isinstance(value, Array):
        value = value.elements
    if not isinstance(value, (list, tuple)):
        raise Fault(f"a list was expected, not {type(value).__name__}")
    flat = []
    for one in value:
        flat.extend(plain(one) if isinstance(one, (list, tuple, Array)) else [one])
    return flat


def names(value, key):
    flat = plain(value)
    if not all(isinstance(name, str) for name in flat):
        raise Fault(f"'{key}' holds something that is not a name")
    return flat


def member(mapping, key, where):
    if not isinstance(mapping, dict) or key not in mapping:
        raise Fault(f"{where} has no '{key}'")
    return mapping[key]


def convert_query(image, truth, database, where):
    box = [float(corner) for corner in plain(member(truth, "bbx", where))]
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise Fault(f"{where}: 'bbx' is not x0, y0, x1, y1")
    query = {"image": image, "box": box}
    listed = set()
    for key in LISTS:
        query[key] = []
        for index in plain(member(truth, key, where)):
            if isinstance(index, bool) or index != int(index) or not 0 <= index < len(database):
                raise Fault(f"{where}: '{key}' has the position {index}, but there are {len(database)} images")
            name = database[int(index)]
            if name in listed:
                print(f"{where}: {name} stands twice; the first of easy, hard, junk is kept", file=sys.stderr)
                continue
            listed.add(name)
            query[key].append(name)
    return query


def convert(path):
    with open(path, "rb") as file:
        try:
            # Text of Python 2 keeps its bytes.
            content = PlainUnpickler(file, encoding="latin1").load()
        except Fault:
            raise
        except Exception as error:  # the unpickler raises whatever a damaged file leads it to
            raise Fault(f"not a pickle, or damaged ({type(error).__name__}: {error})") from None
    database = names(member(content, "imlist", "the file"), "imlist")
    queries = names(member(content, "qimlist", "the file"), "qimlist")
    truths = member(content, "gnd", "the file")
    truths = truths.elements if isinstance(truths, Array) else truths
    if len(truths) != len(queries):
        raise Fault(f"{len(queries)} queries, but {len(truths)} entries in 'gnd'")
    return {
        "name": pathlib.Path(path).stem.removeprefix("gnd_"),
        "database": database,
        "queries": [convert_query(image, truth, database, f"query {i} ({image})")
                    for i, (image, truth) in enumerate(zip(queries, truths))],
    }


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 1
    try:
        truth = convert(sys.argv[1])
    except (Fault, OSError, TypeError, ValueError) as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        return 2
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(truth, file, indent=1)
        file.write("\n")
    print(f"{sys.argv[2]}: {len(truth['database'])} images, {len(truth['queries'])} queries", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
