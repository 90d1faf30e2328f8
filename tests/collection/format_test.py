"""Reads collections as docs/format.md describes them, with examples/read_collection.py, and compares with what the library
reads: the same images, and to the last bit the same descriptors, keypoints, codes and boxes.

Usage: format_test.py DRIVER FOLDER_OF_EXAMPLES"""
import os
import struct
import subprocess
import sys
import tempfile

driver, examples = sys.argv[1:]
sys.path.insert(0, examples)
from read_collection import crc32c, read_collection, read_features, read_rows  # noqa: E402

number = failed = 0


def told(ok, what):
    global number, failed
    number += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {number} - {what}", flush=True)


def run(*arguments):
    return subprocess.run([driver, *arguments], check=True, capture_output=True, text=True).stdout


def as_dumped(image, path, rows, features, boxes):
    """One line as `driver dump` writes it."""
    width, height, keypoints, _, codes = features["rootsift"]
    row = crc32c(b"".join(struct.pack("<f", value) for value in rows[0])) if rows else 0
    crc = crc32c(b"".join(struct.pack("<5f", *point) for point in keypoints) + b"".join(codes))
    box_crc = crc32c(b"".join(struct.pack("<5d", *box) for box in boxes))
    found = f" boxes:{len(boxes)}:{box_crc:08x}" if boxes else ""
    return f"{image} {path} - {width}x{height} row:{row:08x} rootsift:{len(keypoints)}:{crc:08x}{found}\n"


def single(value):
    """Rounded to float32."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def encoded(row):
    """Codes and scale of a row, as docs/format.md computes them."""
    largest = max(map(abs, row))
    factor = single(127 / largest)
    return [round(single(value * factor)) for value in row], single(largest / 127)


def refuses(path):
    try:
        list(read_features(path))
    except ValueError:
        return True
    return False


with tempfile.TemporaryDirectory(prefix="cairn-format-") as work:
    photos, model = os.path.join(work, "photos"), os.path.join(work, "tiny")
    os.mkdir(photos)
    run("photos", photos, "6")
    run("model", model)
    for name, models in (("plain", []), ("described", [model])):
        folder = os.path.join(work, name)
        run("create", folder, *models)
        run("add", folder, "4", photos)
        run("remove", folder, "2")
        text = "".join(as_dumped(*image) for image in read_collection(folder))
        told(text == run("dump", folder), f"{name}: images, rows, keypoints and codes are those that the library reads")
        told(text.count("\n") == 5, f"{name}: the removed image is left out")
    detector, boxed = os.path.join(work, "tiny-boxes"), os.path.join(work, "boxed")
    run("detector", detector)
    run("create-boxes", boxed, detector)
    run("add", boxed, "4", photos)
    text = "".join(as_dumped(*image) for image in read_collection(boxed))
    told(text == run("dump", boxed) and text.count(" boxes:2:") == 6, "boxes are those that the library reads")
    files = {role: os.path.join(folder, "segments", f"00000001.{role}.npy") for role in ("rows", "codes", "scales", "images")}
    told(all(encoded(row) == (list(codes), scale) for _, row, codes, scale in read_rows(files)),
         "codes and scales are what the rows give")
    segment = os.path.join(folder, "segments", "00000001.rootsift.features")
    with open(segment, "r+b") as file:
        file.seek(500)
        byte = file.read(1)
        file.seek(500)
        file.write(bytes([byte[0] ^ 1]))
    told(refuses(segment), "a changed bit is found")
print(f"1..{number}")
sys.exit(1 if failed else 0)
