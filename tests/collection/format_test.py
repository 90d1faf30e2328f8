"""Reads collections as docs/format.md describes them, with examples/read_collection.py, and compares with what the library
reads: the same images, and to the last bit the same keypoints and codes.

Usage: format_test.py DRIVER FOLDER_OF_EXAMPLES"""
import os
import struct
import subprocess
import sys
import tempfile

driver, examples = sys.argv[1:]
sys.path.insert(0, examples)
from read_collection import crc32c, read_collection, read_features  # noqa: E402

number = failed = 0


def told(ok, what):
    global number, failed
    number += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {number} - {what}", flush=True)


def run(*arguments):
    return subprocess.run([driver, *arguments], check=True, capture_output=True, text=True).stdout


def as_dumped(image, path, features):
    """One line as `driver dump` writes it of a collection without descriptors."""
    width, height, keypoints, _, codes = features["rootsift"]
    crc = crc32c(b"".join(struct.pack("<5f", *point) for point in keypoints) + b"".join(codes))
    return f"{image} {path} - {width}x{height} row:00000000 rootsift:{len(keypoints)}:{crc:08x}\n"


def refuses(path):
    try:
        list(read_features(path))
    except ValueError:
        return True
    return False


with tempfile.TemporaryDirectory(prefix="cairn-format-") as work:
    photos, folder = os.path.join(work, "photos"), os.path.join(work, "c")
    os.mkdir(photos)
    run("photos", photos, "6")
    run("create", folder)
    run("add", folder, "4", photos)
    run("remove", folder, "2")
    text = "".join(as_dumped(image, path, features) for image, path, _, features in read_collection(folder))
    told(text == run("dump", folder), "images, keypoints and codes are those that the library reads")
    told(text.count("\n") == 5, "the removed image is left out")
    segment = os.path.join(folder, "segments", "00000001.rootsift.features")
    with open(segment, "r+b") as file:
        file.seek(500)
        byte = file.read(1)
        file.seek(500)
        file.write(bytes([byte[0] ^ 1]))
    told(refuses(segment), "a changed bit is found")
print(f"1..{number}")
sys.exit(1 if failed else 0)
