"""What the benchmarks of search share: cairn's index through the public functions of include/cairn/index.h, made data, recall, and the
limits of the machine."""
import ctypes
import os
import subprocess
import time

import numpy as np

from common import BUILD


class Part(ctypes.Structure):
    _fields_ = [("rows", ctypes.c_void_p), ("codes", ctypes.c_void_p), ("scales", ctypes.c_void_p), ("images", ctypes.c_void_p), ("count", ctypes.c_size_t)]


class Options(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("threads", ctypes.c_uint), ("depth", ctypes.c_size_t), ("exact", ctypes.c_int),
                ("recall", ctypes.c_double), ("probes", ctypes.c_size_t), ("only", ctypes.c_void_p), ("only_count", ctypes.c_size_t)]


def load_library():
    library = ctypes.CDLL(BUILD / "src" / "libcairn.so")
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    library.cairn_last_error.restype = ctypes.c_char_p
    library.cairn_index_encode.argtypes = [pointer, size, size, pointer, pointer, pointer]
    library.cairn_index_new_flat.argtypes = [pointer, size, pointer, size, pointer, size]
    library.cairn_index_free.argtypes = [pointer]
    library.cairn_index_search.argtypes = [pointer, pointer, pointer, size, size, pointer]
    library.cairn_ivf_train.argtypes = [pointer, size, pointer, size, pointer, pointer, pointer]
    library.cairn_ivf_write_lists.argtypes = [pointer, pointer, ctypes.c_char_p, ctypes.c_uint, pointer, pointer]
    library.cairn_ivf_lists_open.argtypes = [pointer, ctypes.c_char_p, pointer, size]
    library.cairn_ivf_probes.argtypes = [pointer, size, ctypes.c_double]
    library.cairn_ivf_probes.restype = size
    library.cairn_index_new_ivf.argtypes = [pointer, pointer, pointer, pointer, size, pointer, size]
    library.cairn_ranking_images.argtypes = [pointer, size]
    library.cairn_ranking_images.restype = ctypes.POINTER(ctypes.c_int64)
    library.cairn_ranking_free.argtypes = [pointer]
    return library


class Rows:
    """Rows as an index keeps them, in arrays that may be mapped files; their ids are 0, 1, 2 ..."""

    def __init__(self, halves, codes, scales):
        self.library, self.halves, self.codes, self.scales = load_library(), halves, codes, scales
        self.shape, self.images = halves.shape, np.arange(len(halves))
        self.part = Part(halves.ctypes.data, codes.ctypes.data, scales.ctypes.data, self.images.ctypes.data, len(halves))

    @classmethod
    def of(cls, rows):
        """Of float32 rows."""
        made = cls(np.empty(rows.shape, np.uint16), np.empty(rows.shape, np.int8), np.empty(len(rows), np.float32))
        made.encode(0, rows)
        return made

    def encode(self, first, rows):
        where = slice(first, first + len(rows))
        halves, codes, scales = self.halves[where], self.codes[where], self.scales[where]
        if self.library.cairn_index_encode(rows.ctypes.data, *rows.shape, halves.ctypes.data, codes.ctypes.data, scales.ctypes.data) < 0:
            raise RuntimeError(self.library.cairn_last_error().decode())


class Index:
    """A flat index over float32 rows, or over Rows."""

    def __init__(self, rows):
        self.rows = rows if isinstance(rows, Rows) else Rows.of(rows)
        self.library, (self.count, self.dim), self.part = self.rows.library, self.rows.shape, self.rows.part
        self.index = ctypes.c_void_p()
        self.call("cairn_index_new_flat", ctypes.byref(self.index), self.dim, ctypes.byref(self.part), 1, None, 0)

    def call(self, name, *arguments):
        if getattr(self.library, name)(*arguments) < 0:
            raise RuntimeError(self.library.cairn_last_error().decode())

    def search(self, queries, k, threads=0, depth=0, exact=0, recall=0, probes=0):
        """The ids of the k best for each query; -1 where there are fewer."""
        options, ranking = Options(1, threads, depth, exact, recall, probes, None, 0), ctypes.c_void_p()
        self.call("cairn_index_search", ctypes.byref(ranking), self.index, queries.ctypes.data, len(queries), k, ctypes.byref(options))
        ids = np.ctypeslib.as_array(self.library.cairn_ranking_images(ranking, 0), (len(queries), k)).copy()
        self.library.cairn_ranking_free(ranking)
        return ids


class IvfOptions(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("threads", ctypes.c_uint), ("lists", ctypes.c_size_t), ("seed", ctypes.c_uint64)]


class InvertedFile(Index):
    """An index with lists, in files of the folder. It has no codes of whole rows, which only scans of all rows read."""

    def __init__(self, rows, folder, name, lists=0):
        super().__init__(rows)
        self.library.cairn_index_free(self.index)
        self.part.codes = self.part.scales = None
        self.quantizer, self.lists, path = ctypes.c_void_p(), ctypes.c_void_p(), f"{folder}/{name}.ivf"
        self.call("cairn_ivf_train", ctypes.byref(self.quantizer), self.dim, ctypes.byref(self.part), 1, ctypes.byref(IvfOptions(1, 0, lists, 1)), None, None)
        self.call("cairn_ivf_write_lists", self.quantizer, ctypes.byref(self.part), path.encode(), 0, None, None)
        self.call("cairn_ivf_lists_open", ctypes.byref(self.lists), path.encode(), self.quantizer, self.count)
        self.call("cairn_index_new_ivf", ctypes.byref(self.index), self.quantizer, ctypes.byref(self.part), ctypes.byref(self.lists), 1, None, 0)
        self.file_bytes = os.path.getsize(path)


def unit_vectors(count, dim, seed):
    """Normally distributed numbers, brought to unit length."""
    rows = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def timed(program, count=1):
    """A program that returns the seconds it takes for each of `count` things."""
    def run():
        start = time.perf_counter()
        program()
        return (time.perf_counter() - start) / count
    return run


def bandwidth_and_peak():
    """Bytes read from memory a second, and operations on bytes a second, at most; of this machine, by bench_limits.c: of tiles where it has
    them, else of vectors."""
    out = subprocess.run([BUILD / "bench" / "bench_limits"], check=True, capture_output=True, text=True).stdout
    bandwidth, vectors, tiles = (float(number) for number in out.split())
    return bandwidth, max(vectors, tiles)


def recall(found, truth):
    """The mean share of each query's true neighbours that was found."""
    return float(np.mean([np.isin(one, other).mean() for one, other in zip(truth, found)]))


def recall_by_score(found, least, rows, queries):
    """The share of what was found that is as good as the last true neighbour of its query, whose score is `least`: so it does not matter
    which of several equal rows is found."""
    scores = np.einsum("qkd,qd->qk", rows[found], queries)
    return float(np.mean((scores >= least[:, None] - 1e-6) & (found >= 0)))
