"""Photographs as they come from cameras, phones, scanners and people who mean harm."""
import os
import struct
import subprocess
import sys
import zlib

from support import png

# EXIF 2.32, tag 274: on which side of the upright picture the stored row 0 and column 0 are.
SIDES = {1: "TL", 2: "TR", 3: "BR", 4: "BL", 5: "LT", 6: "RT", 7: "RB", 8: "LB"}


def turned(picture, orientation):
    """An upright (width, height, rgb) as a camera stores it that notes this orientation."""
    width, height, pixels = picture
    row0, column0 = SIDES[orientation]
    rows = [[pixels[3 * i:3 * i + 3] for i in range(width * y, width * (y + 1))] for y in range(height)]
    if row0 in "LR":
        rows = list(zip(*rows))
    if row0 in "BR":
        rows = rows[::-1]
    if column0 in "BR":
        rows = [row[::-1] for row in rows]
    return len(rows[0]), len(rows), b"".join(pixel for row in rows for pixel in row)


def _directory(entries, order="<"):
    """An image file directory of TIFF: (tag, type, count, value) each, values of up to 4 bytes in place."""
    packed = b"".join(struct.pack(order + ("HHIHxx" if kind == 3 and count == 1 else "HHII"), tag, kind, count, value)
                      for tag, kind, count, value in entries)
    return struct.pack(order + "H", len(entries)) + packed + bytes(4)


def tiff(picture, orientation=1, claimed=None):
    """Uncompressed, one strip; exact to the pixel. `claimed` is a size that is not true."""
    width, height, pixels = picture
    said_width, said_height = claimed or (width, height)
    bits, data = 8, 14
    directory = _directory([
        (256, 4, 1, said_width), (257, 4, 1, said_height), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, data), (274, 3, 1, orientation), (277, 3, 1, 3), (278, 4, 1, said_height), (279, 4, 1, len(pixels))])
    pixels += bytes(len(pixels) % 2)
    return b"II*\0" + struct.pack("<I", data + len(pixels)) + struct.pack("<3H", 8, 8, 8) + pixels + directory


def with_exif(jpeg, orientation, order="<"):
    """A JPEG with an EXIF block that has nothing but the orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    block = b"Exif\0\0" + mark + struct.pack(order + "I", 8) + _directory([(274, 3, 1, orientation)], order)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claiming(file, width, height, interlaced=0):
    """A PNG whose header tells of another size than its pixels have."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlaced)
    return file[:8] + _chunk(b"IHDR", header) + file[33:]


def huge_png(side):
    """side x side pixels, black and white, a bit each, in a small file."""
    row = {shade: b"\0" + bytes(255 * ((x // 6 + shade) % 2) for x in range(side // 8)) for shade in (0, 1)}
    pack = zlib.compressobj(1)
    rows = [pack.compress(row[y // 48 % 2]) for y in range(side)]
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"".join(rows) + pack.flush())
            + _chunk(b"IEND", b""))


def flat(shade, size=(80, 60)):
    """One colour and nothing to see."""
    return png(*size, bytes([shade, 255 - shade, 90]) * (size[0] * size[1]))


def another_user(place):
    """How Place.run() is told to run as somebody whom file modes hold back: {} if we are; None where nobody can."""
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    if os.geteuid() != 0:
        return {}
    os.chmod(place.folder, 0o777)
    try:
        return nobody if place.run("--version", **nobody).code == 0 else None
    except OSError:
        return None


def kinds(place, source, folder, *names):
    """The PNG at `source` as files of these kinds (all, if none is named) below `folder`: their paths."""
    (place / folder).mkdir(exist_ok=True)
    subprocess.run([sys.argv[3], source, place / folder, *names], check=True)
    return sorted((place / folder).iterdir())
