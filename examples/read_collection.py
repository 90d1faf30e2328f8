#!/usr/bin/env python3
"""Print what a collection holds of each image: its path, its descriptors, its local features, its boxes. The files are read as
docs/format.md describes them, without cairn. Usage: read_collection.py DIR

Checksums in plain Python take some half a second an image; a package for CRC-32C is faster by far. With NumPy, numpy.load(path, mmap_mode="r") does what read_array() does here, and faster."""
import ast
import math
import pathlib
import sqlite3
import struct
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def read_features(path):
    """Yields (image, kind, width, height, keypoints, code_scale, codes) for each image of a feature segment: keypoints are
    (x, y, scale, angle, score), codes one bytes object a keypoint, of signed bytes."""
    data = pathlib.Path(path).read_bytes()
    magic, version, dim, count, table, length, kind, table_crc, header_crc = struct.unpack_from("<8sIIQQQ64s16xII", data)
    if magic != b"CAIRNFEA" or version != 1 or length != len(data):
        raise ValueError(f"{path}: no feature segment of version 1")
    if crc32c(data[:124]) != header_crc or crc32c(data[table:]) != table_crc:
        raise ValueError(f"{path}: a checksum differs")
    for at in range(table, length, 40):
        image, offset, points, width, height, code_scale, crc = struct.unpack_from("<qQIIIfI4x", data, at)
        fields = -(-10 * points // 64) * 64  # five arrays of 16-bit numbers, together padded to 64 bytes
        block = data[offset:offset + fields + -(-dim * points // 64) * 64]
        if crc32c(block) != crc:
            raise ValueError(f"{path}: the checksum of image {image} differs")
        x, y, angle = (struct.unpack_from(f"<{points}H", block, 2 * points * i) for i in (0, 1, 3))
        scale, score = (struct.unpack_from(f"<{points}e", block, 2 * points * i) for i in (2, 4))
        keypoints = [(x[i] * width / 65535 - 0.5, y[i] * height / 65535 - 0.5, scale[i], angle[i] / 65536 * math.tau, score[i])
                     for i in range(points)]
        codes = [block[fields + dim * i:fields + dim * (i + 1)] for i in range(points)]
        yield image, kind.rstrip(b"\0").decode(), width, height, keypoints, code_scale, codes


def read_array(path):
    """The shape of an array in a .npy file of version 1.0, and its elements in one tuple."""
    data = pathlib.Path(path).read_bytes()
    if data[:8] != b"\x93NUMPY\x01\x00":
        raise ValueError(f"{path}: no NumPy file of version 1.0")
    start = 10 + struct.unpack_from("<H", data, 8)[0]
    header = ast.literal_eval(data[10:start].decode("latin-1"))
    letter = {"<f2": "e", "|i1": "b", "<f4": "f", "<f8": "d", "<i8": "q"}[header["descr"]]
    return header["shape"], struct.unpack(f"<{math.prod(header['shape'])}{letter}", data[start:])


def read_rows(files):
    """Yields (image, descriptor, codes, scale) for each row of a descriptor segment; descriptor = scale * codes, nearly."""
    (count, dim), rows = read_array(files["rows"])
    _, codes = read_array(files["codes"])
    _, scales = read_array(files["scales"])
    _, images = read_array(files["images"])
    for i in range(count):
        yield images[i], rows[dim * i:dim * (i + 1)], codes[dim * i:dim * (i + 1)], scales[i]


def read_boxes(path):
    """Yields (image, (x0, y0, x1, y1, score)) for each box of a detector."""
    (count, columns), numbers = read_array(path)
    for i in range(0, count * columns, columns):
        yield int(numbers[i]), numbers[i + 1:i + columns]


def read_collection(folder):
    """Yields (id, path, rows, {kind: features}, boxes) for each image that is not removed."""
    folder = pathlib.Path(folder)
    catalogue = sqlite3.connect(f"{folder.absolute().as_uri()}/catalogue.sqlite?mode=ro", uri=True)
    for segment, first, last in catalogue.execute("SELECT id, first, last FROM segments ORDER BY first").fetchall():
        files = {role: folder / "segments" / name
                 for role, name in catalogue.execute("SELECT role, name FROM files WHERE segment = ?", (segment,))}
        rows, features, boxes = {}, {}, {}
        if "rows" in files:
            for image, row, *_ in read_rows(files):
                rows.setdefault(image, []).append(row)
        for role, path in files.items():
            if role.startswith("features:"):
                for image, kind, *what in read_features(path):
                    features.setdefault(image, {})[kind] = what
        if "boxes" in files:
            for image, box in read_boxes(files["boxes"]):
                boxes.setdefault(image, []).append(box)
        images = "SELECT id, path FROM images WHERE removed = 0 AND id BETWEEN ? AND ? ORDER BY id"
        for image, path in catalogue.execute(images, (first, last)):
            yield image, path.decode(errors="replace"), rows.get(image, []), features.get(image, {}), boxes.get(image, [])


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for image, path, rows, features, boxes in read_collection(sys.argv[1]):
        print(image, path)
        for row in rows:
            print(f"  descriptor of {len(row)} dimensions, norm {math.hypot(*row):.4f}")
        for kind, (width, height, keypoints, code_scale, codes) in features.items():
            print(f"  {len(keypoints)} {kind} features of {width} x {height} pixels")
            for (x, y, scale, angle, score), code in list(zip(keypoints, codes))[:3]:
                norm = math.hypot(*(value * code_scale for value in struct.unpack(f"{len(code)}b", code)))
                print(f"    ({x:.2f}, {y:.2f}) radius {scale:.2f} angle {math.degrees(angle):.1f} score {score:.3f} norm {norm:.3f}")
        for x0, y0, x1, y1, score in boxes:
            print(f"  box from ({x0:.1f}, {y0:.1f}) to ({x1:.1f}, {y1:.1f}) score {score:.3f}")


if __name__ == "__main__":
    main()
