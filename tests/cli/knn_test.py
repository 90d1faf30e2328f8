"""knn: what it writes, how it goes on after interruptions, and what it refuses."""
import array
import ast
import math
import os
import pathlib
import random
import signal
import sqlite3
import struct
import time

from support import DONE, INPUT, INTERRUPTED, TIME_LIMIT, USAGE, check, run_tests

KINDS = ("images", "ids", "scores")
MEMBERS = {"images", "k", "neighbours", "blocks", "resumed", "seconds", "files"}
MANY = 6000
SLOW = {"CAIRN_KERNELS": "scalar"}


def npy(path):
    """(shape, flat list) of an array that cairn wrote."""
    data = pathlib.Path(path).read_bytes()
    length, = struct.unpack_from("<H", data, 8)
    header = ast.literal_eval(data[10:10 + length].decode())
    values = array.array({"<i8": "q", "<f4": "f"}[header["descr"]], data[10 + length:])
    return header["shape"], values.tolist()


def graph(prefix):
    """(images, ids, scores), the latter two as lists of lines."""
    (count,), images = npy(f"{prefix}.images.npy")
    lines = []
    for kind in ("ids", "scores"):
        (rows, k), values = npy(f"{prefix}.{kind}.npy")
        lines.append([values[k * i:k * (i + 1)] for i in range(rows)])
        assert rows == count
    return images, *lines


def contents(prefix):
    return [pathlib.Path(f"{prefix}.{kind}.npy").read_bytes() for kind in KINDS]


def small(place, name="c", count=7, first=0):
    """A collection of some photographs, described by a tiny network."""
    if not (place / "tiny-bundle").exists():
        place.model()
    return place.collection(name, place.photographs(f"photos-{name}", count, first), ("--model", "tiny", "--local", "none"))


def write_npy(path, descr, shape, data):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data)
    return path.stat().st_size


def add_rows(folder, count, seed=1):
    """Images that never were photographs, as a segment of their own. Checksums are left out: only `check` reads them."""
    pick, catalogue = random.Random(seed), sqlite3.connect(folder / "catalogue.sqlite")
    dim, = catalogue.execute("SELECT sum(dim) FROM sources WHERE role = 'global'").fetchone()
    first = catalogue.execute("SELECT max(id) FROM images").fetchone()[0] + 1
    codes, scales, rows = bytearray(), array.array("f"), bytearray()
    for _ in range(count):
        row = [127, *(pick.randint(-127, 127) for _ in range(dim - 1))]
        scale = 1 / math.sqrt(sum(code * code for code in row))
        codes += struct.pack(f"{dim}b", *row)
        scales.append(scale)
        rows += struct.pack(f"{dim}e", *(code * scale for code in row))
    ids, name = range(first, first + count), "00009999"
    with catalogue:
        catalogue.executemany("INSERT INTO images (id, path, size, mtime_ns, width, height, hash, removed) "
                              "VALUES (?, ?, 1, 1, 1, 1, ?, 0)", ((i, b"/none/%d" % i, i.to_bytes(16, "big")) for i in ids))
        catalogue.execute("INSERT INTO segments (id, first, last, images, rows) VALUES (9999, ?, ?, ?, ?)",
                          (first, first + count - 1, count, count))
        for role, descr, shape, data in (("rows", "<f2", (count, dim), rows), ("codes", "|i1", (count, dim), codes),
                                         ("scales", "<f4", (count,), scales.tobytes()),
                                         ("images", "<i8", (count,), array.array("q", ids).tobytes())):
            size = write_npy(folder / f"segments/{name}.{role}.npy", descr, shape, data)
            catalogue.execute("INSERT INTO files (segment, role, name, size, crc32c) VALUES (9999, ?, ?, ?, 0)",
                              (role, f"{name}.{role}.npy", size))
    catalogue.close()


def large(place, name="c"):
    folder = small(place, name, 2)
    add_rows(folder, MANY)
    return folder


# ---- what is written ----


def test_is_what_search_finds(place):
    small(place)
    place.run("remove", "c", 3)
    done = place.run("knn", "c", "-k", 4, "-o", "near", "--format", "json")
    check("json: all members", done.code == DONE and done.err == "" and set(done.json) == MEMBERS, done)
    check("json: counts", (done.json["images"], done.json["k"], done.json["neighbours"], done.json["blocks"],
                           done.json["resumed"]) == (6, 4, 24, 1, 0), done)
    check("json: files", done.json["files"] == {kind: f"near.{kind}.npy" for kind in KINDS}, done)
    images, ids, scores = graph(place / "near")
    check("a line an image that is not removed", images == [1, 2, 4, 5, 6, 7], images)
    for image, line, values in zip(images, ids, scores):
        found = place.run("search", "c", "--id", image, "-k", 4, "--format", "json").json["queries"][0]["results"]
        check(f"image {image}: the neighbours that search finds", [hit["id"] for hit in found] == line, (found, line))
        check(f"image {image}: and their scores", all(abs(hit["similarity"] - score) < 1e-3 for hit, score in zip(found, values)),
              (found, values))
    exact = place.run("knn", "c", "-k", 4, "-o", "exact", "--exact")
    check("--exact finds the same", exact.code == DONE and contents(place / "exact") == contents(place / "near"), exact)
    check("text: one line", exact.out.startswith("24 neighbours of 6 images in ") and exact.out.count("\n") == 1, exact)
    check("no work is left behind", not (place / "near.work").exists() and not (place / "exact.work").exists())


def test_among_another_collection(place):
    small(place, "c", 3)
    small(place, "d", 5, 2)  # the first of these is the last of those
    done = place.run("knn", "c", "--in", "d", "-k", 2, "-o", "near", "--format", "json")
    images, ids, scores = graph(place / "near")
    check("lines are of the first, neighbours of the other", done.code == DONE and images == [1, 2, 3]
          and done.json["neighbours"] == 6, done)
    check("the same photograph comes first", ids[2][0] == 1 and scores[2][0] > 0.999, (ids, scores))


def test_k_above_what_there_is(place):
    small(place, count=3)
    done = place.run("knn", "c", "-k", 5, "-o", "near", "--format", "json")
    images, ids, scores = graph(place / "near")
    check("what is missing is -1 and -inf", done.json["neighbours"] == 6 and all(
        sorted(line[:2]) == [i for i in images if i != image] and line[2:] == [-1] * 3
        and values[2:] == [-math.inf] * 3 for image, line, values in zip(images, ids, scores)), (ids, scores))


def test_empty_collection(place):
    place.model()
    place.collection("c", init=("--model", "tiny"))
    done = place.run("knn", "c", "-o", "near", "--format", "json")
    check("no lines", done.code == DONE and done.json["images"] == 0 and graph(place / "near") == ([], [], []), done)


# ---- interruptions ----


def start(place, prefix):
    return place.start("knn", "c", "-o", prefix, "--memory", "5M", "-q", environment=SLOW)


def states(place, prefix):
    return {path: path.stat().st_mtime_ns for path in place.folder.glob(f"{prefix}.work/block-*.lists")}


def until_written(place, prefix, process, before, count):
    """Wait until so many state files were written; says whether the command is still running then."""
    deadline = time.monotonic() + TIME_LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        if len(states(place, prefix).items() - before.items()) >= count:
            return True
        time.sleep(0.005)
    return False


def test_interruptions(place):
    large(place)
    done = place.run("knn", "c", "-o", "calm", "--format", "json", environment=SLOW)
    check("undisturbed, in memory", done.code == DONE and done.json["blocks"] == 1
          and done.json["neighbours"] == 100 * (MANY + 2), done)
    wanted = contents(place / "calm")
    for name, number in (("kill", signal.SIGKILL), ("int", signal.SIGINT), ("term", signal.SIGTERM)):
        for count in (1, 3):
            before, process = states(place, name), start(place, name)
            running = until_written(place, name, process, before, count)
            time.sleep(random.uniform(0, 0.1))
            process.send_signal(number)
            code = process.wait(TIME_LIMIT)
            check(f"{name}: stopped after {count} states", running
                  and code == (-signal.SIGKILL if number == signal.SIGKILL else INTERRUPTED), code)
        check(f"{name}: nothing is there that is not complete", not list(place.folder.glob(f"{name}.*.npy")))
        again = place.run("knn", "c", "-o", name, "--memory", "5M", "--threads", 1, "--format", "json", environment=SLOW)
        check(f"{name}: goes on", again.code == DONE and again.json["blocks"] > 3
              and (number == signal.SIGKILL or again.json["resumed"] > 0), again)
        check(f"{name}: the same bytes", contents(place / name) == wanted)
        check(f"{name}: the work is gone", not (place / f"{name}.work").exists())


def test_changed_collection(place):
    folder = large(place)
    process = start(place, "near")
    running = until_written(place, "near", process, {}, 3)
    process.send_signal(signal.SIGINT)
    check("interrupted", process.wait(TIME_LIMIT) == INTERRUPTED and running)
    place.run("remove", "c", 1)
    done = place.run("knn", "c", "-o", "near", "--memory", "5M", "-v", "--format", "json")
    check("begun anew, and said so", done.code == DONE and done.json["resumed"] == 0 and "of no use" in done.err, done)
    images, ids, _ = graph(place / "near")
    check("the removed image is gone", images[0] == 2 and not any(1 in line for line in ids))
    os.unlink(folder / "segments/00009999.codes.npy")
    check("a damaged collection is told", place.run("knn", "c", "-o", "near").code not in (DONE, USAGE))


def test_one_at_a_time(place):
    large(place)
    process = start(place, "near")
    running = until_written(place, "near", process, {}, 1)
    second = place.run("knn", "c", "-o", "near", "-k", 3)
    other = place.run("knn", "c", "-o", "other", "-k", 3)
    check("a second run with the same PREFIX is refused", running and process.poll() is None and second.code == INPUT
          and f"'near.work' is being written to by process {process.pid}" in second.err and second.out == "", second)
    check("with another it is not", other.code == DONE, other)
    process.kill()
    process.wait(TIME_LIMIT)
    after = place.run("knn", "c", "-o", "near", "-k", 3)
    check("the lock went with the process", after.code == DONE and contents(place / "near") == contents(place / "other"), after)
    check("nothing of it is left", not (place / "near.work").exists())


# ---- what is refused ----

WRONG = (
    ("c", USAGE, "-o is missing"),
    ("c -o", USAGE, "needs a value"),
    ("c -o near/", USAGE, "not 'near/'"),
    ("c -o near -k 0", USAGE, "-k takes a whole number from 1"),
    ("c -o near --memory 2X", USAGE, "--memory takes a whole number of bytes such as 500M or 2G, not '2X'"),
    ("c -o near --memory G", USAGE, "not 'G'"),
    ("c -o near --memory 1.5G", USAGE, "not '1.5G'"),
    ("c -o near --memory 1iB", USAGE, "not '1iB'"),
    ("c -o near --memory 1kb", INPUT, "1024 bytes of memory are too little"),
    ("c -o near --memory 99999999999T", USAGE, "not '99999999999T'"),
    ("c -o near --memory 0", USAGE, "not '0'"),
    ("c -o near --memory 1K", INPUT, "1024 bytes of memory are too little"),
    ("c -o none/near", INPUT, "none/near.work"),
    ("nothing -o near", INPUT, "nothing"),
    ("c --in nothing -o near", INPUT, "nothing"),
    ("local -o near", INPUT, "without a global model"),
)


def test_refuses(place):
    small(place)
    place.collection("local", place.photographs("p", 2))
    for words, code, message in WRONG:
        refused = place.run("knn", *words.split())
        check(f"knn {words}: {message}", refused.code == code and message in refused.err and refused.out == "", refused)
    check("nothing is left behind", not list(place.folder.glob("near*.npy")))


run_tests(globals())
