#!/usr/bin/env python3
"""Write small seed files for the fuzz targets. Each format has sound files (good-NAME), which the target must accept; from
each of them a half (half-NAME), all but the last byte (short-NAME) and some with one bit flipped (flip-NAME-N) are made; and
files that are faulty in the ways that matter. Standard library only; the same bytes every time. Usage: make_corpus.py FOLDER"""
import base64
import collections
import io
import json
import pathlib
import pickle
import shutil
import struct
import sys
import zipfile
import zlib


# ---- NumPy arrays ----

def npy(descr, shape, data, version=(1, 0), fortran=False):
    header = ("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, fortran, shape)).encode()
    length = 2 if version[0] == 1 else 4
    header += b" " * (-(10 + (length - 2) + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes(version) + len(header).to_bytes(length, "little") + header + data


def npy_good():
    yield "f4", npy("<f4", (2, 3), bytes(24))
    yield "i8-v2", npy("<i8", (4,), bytes(32), (2, 0))
    yield "i1-v3", npy("|i1", (1, 2, 2), bytes(4), (3, 0))
    yield "none", npy("<f8", (0, 7), b"")
    yield "scalar", npy("<f2", (), bytes(2))


def npy_faulty():
    yield "fortran", npy("<f4", (2, 2), bytes(16), fortran=True)
    yield "shorter", npy("<f8", (100,), bytes(8))
    yield "huge", npy("<f4", (2**40, 2**40), b"")
    yield "object", npy("|O", (1,), b"\x80\x04N.")
    yield "big-endian", npy(">f4", (1,), bytes(4))
    yield "header", b"\x93NUMPY\2\0\xff\xff\xff\xff{"


# ---- boxes ----

def box_lines(*lines):
    return npy("<f8", (len(lines), 6), b"".join(struct.pack("<6d", *line) for line in lines))


def boxes_good():
    yield "three", box_lines((1, 0, 0, 640, 480, 0.9), (1, 5, 5.5, 6, 7, 0.9), (7, 1, 2, 3, 4, -1))
    yield "none", npy("<f8", (0, 6), b"")


def boxes_faulty():
    yield "infinite", box_lines((1, 0, 0, float("inf"), 1, 0.5))
    yield "not-a-number", box_lines((float("nan"), 0, 0, 1, 1, 0.5))
    yield "no-id", box_lines((0.5, 0, 0, 1, 1, 0.5))
    yield "huge-id", box_lines((1e300, 0, 0, 1, 1, 0.5))
    yield "backwards", box_lines((2, 0, 0, 1, 1, 0.5), (1, 0, 0, 1, 1, 0.5))
    yield "better-later", box_lines((2, 0, 0, 1, 1, 0.5), (2, 0, 0, 1, 1, 0.6))
    yield "empty-box", box_lines((2, 3, 0, 3, 1, 0.5))
    yield "five-columns", npy("<f8", (1, 5), bytes(40))
    yield "floats", npy("<f4", (1, 6), bytes(24))


# ---- images ----

def png(width, height, depth, colour, rows, *more):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*extra) for extra in more)
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def profile(red=0.4360):
    """An ICC profile of three primaries and one parametric curve: sRGB, unless another red is given."""
    def numbers(*values):
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
    tags = [(b"rXYZ", b"XYZ \0\0\0\0" + numbers(red, 0.2225, 0.0139)),
            (b"gXYZ", b"XYZ \0\0\0\0" + numbers(0.3851, 0.7169, 0.0971)),
            (b"bXYZ", b"XYZ \0\0\0\0" + numbers(0.1431, 0.0606, 0.7141))]
    curve = b"para\0\0\0\0\0\3\0\0" + numbers(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    table, data, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags:
        table += name + struct.pack(">II", at + len(data), len(content))
        data += content
    header = struct.pack(">I4sI4s4s4s12s4s", at + len(data), b"", 0x04200000, b"mntr", b"RGB ", b"XYZ ", b"", b"acsp")
    return header.ljust(128, b"\0") + table + data


def iccp(content):
    return b"iCCP", b"p\0\0" + zlib.compress(content)


def jpeg(width, height, channels=1, orientation=0):
    """Mid-grey: every coefficient is 0, which takes one bit for DC and one for the end of the block."""
    def segment(mark, data):
        return b"\xff" + bytes([mark]) + struct.pack(">H", len(data) + 2) + data
    exif = b"Exif\0\0II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 274, 3, 1, orientation) + bytes(4)
    ids = range(1, channels + 1)
    frame = struct.pack(">BHHB", 8, height, width, channels) + b"".join(bytes([i, 0x11, 0]) for i in ids)
    scan = bytes([channels]) + b"".join(bytes([i, 0]) for i in ids) + b"\0\x3f\0"
    bits = 2 * channels * ((width + 7) // 8) * ((height + 7) // 8)
    table = b"\1" + bytes(15) + b"\0"
    return (b"\xff\xd8" + (segment(0xe1, exif) if orientation else b"") + segment(0xdb, b"\0" + b"\1" * 64)
            + segment(0xc0, frame) + segment(0xc4, b"\0" + table + b"\x10" + table) + segment(0xda, scan)
            + (((1 << -bits % 8) - 1).to_bytes((bits + 7) // 8, "big")) + b"\xff\xd9")


def tiff(width, height, bits=8, samples=1):
    tags = ((256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1),
            (273, 4, 1, 8 + 2 + 9 * 12 + 4), (277, 3, 1, samples), (278, 3, 1, height), (279, 4, 1, width * height * bits // 8))
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
            + bytes(4) + bytes(width * height * bits // 8))


# 16 x 16 black pixels each, written by libvips.
WEBP = b"RIFF$\0\0\0WEBPVP8 " + bytes.fromhex("180000003001009d012a1000100004006825a400037000fef39d8000")
AVIF = zlib.decompress(base64.b64decode(
    "eNpjYGCQSSupLEgsy0xjAAIQnZuZZpibmQjiv8pNLUlkgADFjJScIiiboSAzuYQBDfAVZJbkglmMQKyUmZOfDOK4OAD5jGBhPggNBJJArJyZmZcGVy8K5KQy"
    "QXmJZQaGIGZWZkFRAZD2zixIzgfSwsn5OUV5yTkVDExAyNYAFOJJLDN0bmTgASkXySwuSIXaIADDBZkVmSABZg4ODiAlnlmQC/MS0F0sjU3MLSDf5aYklggx"
    "cHFK8Py/oeDgcKHBiEsaKO7AsLIvdgIACu4w6g=="))
HEIC = zlib.decompress(base64.b64decode(
    "eNpjYGCQSSupLMhIzUxmAILczDRDEDs3MzGNgYFxbW5qSSIDBChmpOQUQdkMBZnJJQxogK8gsyQXzGICYoHMlESIEgEgZGCwyMzJT2YEMlwcgPKMEC2MF2Es"
    "BmWEKJzmAOvLzEuDmyoK5KQygVQA1WSUJRsyIAmClaQXZaaAmDcyC4oKgPS2zILkfCBdBlTtzMhcAHeu3AeGP39//GBg4GdWAJom4cDIw/j/P0gBM8MEEAFE"
    "cruYHBSBklpOjIxoMgsUGlmnvVo369kDB4cDDSAhMNGiBFTO5sJ4sPhgJ9ASkcziglSohQ5QjCwmAMMFmRWZIAFmDg6Qr6UyC3JhAQ8MF6ZGJgYmJuYWsExR"
    "ahosxFMyc9PB4QYKMe1cSIjLazCul1TU5Hun/Dn+/2KOOWJODcuXPzn5YOY/o+l97QozAIwzWNE="))
GIF = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\1\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\1\0;"


def image_good():
    row = b"\0\x40\x80\xc0"
    yield "grey.png", png(4, 3, 8, 0, b"\0\1\2\3\4" * 3)
    yield "large.png", png(70, 40, 8, 0, bytes(71 * 40))
    yield "rgba.png", png(2, 2, 8, 6, (b"\0" + b"\x40\x80\xc0\x20" * 2) * 2)
    yield "grey16.png", png(2, 2, 16, 0, b"\0\1\2\3\4" * 2)
    yield "palette.png", png(4, 1, 2, 3, b"\0\x1b", (b"PLTE", bytes(range(12))), (b"tRNS", b"\0\x80"))
    yield "srgb.png", png(1, 1, 8, 2, row, iccp(profile()))
    yield "other-profile.png", png(1, 1, 8, 2, row, iccp(profile(0.6)))
    yield "faulty-profile.png", png(1, 1, 8, 2, row, iccp(profile()[:150]))
    yield "tiny.gif", GIF
    yield "grey.tiff", tiff(2, 2)
    yield "large.tiff", tiff(70, 40)
    yield "grey16.tiff", tiff(3, 2, 16)
    yield "grey.jpeg", jpeg(8, 8)
    yield "large.jpeg", jpeg(70, 40)
    yield "colour.jpeg", jpeg(20, 9, 3)
    yield "turned.jpeg", jpeg(20, 9, 3, 6)
    yield "black.webp", WEBP
    yield "lossless.webp", b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0"


def image_faulty():
    # Not every libvips reads these two; where it does, they are sound.
    yield "black.avif", AVIF
    yield "black.heic", HEIC
    yield "huge.png", png(100000, 100000, 8, 2, b"")
    yield "nothing.png", png(0, 0, 8, 2, b"")
    yield "floats.tiff", tiff(2, 2, 32)
    yield "jpeg-start", b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xdb\0C\0" + bytes(range(1, 65)) + b"\xff\xc0\0\x0b\x08\0\x08\0\x08\1\1\x11\0"
    yield "text", b"this is no picture\n"


# ---- checkpoints ----

def checkpoint_pickle(offset=0, size=(2, 3), stride=(3, 1), rebuild=b"ctorch._utils\n_rebuild_tensor_v2\n"):
    def number(value):
        return b"J" + struct.pack("<i", value)
    persistent = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" + b"0X\3\0\0\0cpu" + number(6) + b"tQ"
    sizes = b"(" + b"".join(map(number, size)) + b"t(" + b"".join(map(number, stride)) + b"t"
    tensor = rebuild + b"(" + persistent + number(offset) + sizes + b"\x89ccollections\nOrderedDict\n)RtR"
    return b"\x80\x02}X\1\0\0\0w" + tensor + b"s."


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def safetensors(data, **members):
    header = json.dumps(members).encode()
    return struct.pack("<Q", len(header)) + header + data


def field(number, value):
    """One field of a protocol buffer: an integer, or bytes, or a text."""
    def varint(rest):
        return (bytes([rest & 127 | 128]) + varint(rest >> 7)) if rest > 127 else bytes([rest])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx(**changes):
    """A 1 x 1 convolution of three channels into two. The target reads what begins with an "o" as ONNX."""
    def port(name, *sides):
        shape = b"".join(field(1, field(2, side) if isinstance(side, str) else field(1, side)) for side in sides)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))
    node = field(1, "image") + field(1, "w") + field(2, "map") + field(4, changes.get("operator", "Conv"))
    node += field(5, field(1, "group") + field(3, 1) + field(20, 2)) + changes.get("attributes", b"")
    weights = b"".join(field(1, side) for side in (2, 3, 1, 1)) + field(2, 1) + field(8, "w") + field(9, changes.get("raw", bytes(24)))
    graph = (field(1, node) + field(2, "g") + field(5, weights) + field(11, port("image", 1, 3, "h", "w"))
             + field(12, port(changes.get("output", "map"), 1, 2, "h", "w")))
    return b"o" + field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def numbers_attribute(name, *numbers):
    return field(5, field(1, name) + b"".join(field(8, number) for number in numbers) + field(20, 7))


def text_attribute(name, text):
    return field(5, field(1, name) + field(4, text) + field(20, 3))


WINDOW = numbers_attribute("kernel_shape", 3, 2) + numbers_attribute("strides", 2, 1)
WEIGHTS = struct.pack("<6f", *range(6))


def checkpoint_good():
    good = checkpoint_pickle()
    yield "zip", zipped([("archive/data.pkl", good), ("archive/data/0", WEIGHTS), ("archive/version", b"3\n"), ("archive/byteorder", b"little")])
    yield "zip-strided", zipped([("a/data.pkl", checkpoint_pickle(stride=(1, 2))), ("a/data/0", WEIGHTS)])
    legacy = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    yield "legacy", legacy + good + pickle.dumps(["0"], 2) + struct.pack("<q", 6) + WEIGHTS
    yield "safetensors", safetensors(WEIGHTS, w={"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]})
    yield "safetensors-types", safetensors(
        WEIGHTS, __metadata__={"a": "b"}, h={"dtype": "F16", "shape": [2], "data_offsets": [0, 4]},
        l={"dtype": "I64", "shape": [1], "data_offsets": [8, 16]}, n={"dtype": "BOOL", "shape": [0, 3], "data_offsets": [4, 4]})
    yield "onnx", onnx()
    yield "onnx-window", onnx(operator="MaxPool", attributes=WINDOW + numbers_attribute("pads", 1, 0, 1, 2) + numbers_attribute("dilations", 1, 3))
    yield "onnx-same", onnx(operator="AveragePool", attributes=WINDOW + text_attribute("auto_pad", "SAME_LOWER"))
    yield "onnx-transpose", onnx(operator="Transpose", attributes=numbers_attribute("perm", 0, 3, 1, 2))
    yield "onnx-pad", onnx(operator="Pad", attributes=numbers_attribute("pads", 0, 0, 1, 2, 0, 0, 3, 4))
    yield "onnx-reduce", onnx(operator="ReduceL2", attributes=numbers_attribute("axes", 1))
    yield "onnx-flatten", onnx(operator="Flatten")


def checkpoint_faulty():
    yield "zip-outside", zipped([("a/data.pkl", checkpoint_pickle(offset=100)), ("a/data/0", WEIGHTS)])
    yield "zip-negative", zipped([("a/data.pkl", checkpoint_pickle(stride=(-3, 1))), ("a/data/0", WEIGHTS)])
    yield "zip-system", zipped([("a/data.pkl", checkpoint_pickle(rebuild=b"cos\nsystem\n")), ("a/data/0", WEIGHTS)])
    yield "safetensors-outside", safetensors(WEIGHTS[:8], w={"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]})
    yield "plain", pickle.dumps(collections.OrderedDict(a=1, b=[1.5, None, True], c=("x", 2**70)), 2)
    yield "onnx-empty", onnx(raw=b"")
    yield "onnx-far", onnx(operator="MaxPool", attributes=numbers_attribute("kernel_shape", 2**62, 2**63 - 1))
    yield "onnx-output", onnx(output="other")
    yield "onnx-nested", b"o" + field(7, field(1, field(5, field(6, field(1, field(5, field(6, b"")))))))


# ---- model.json ----

GLOBAL = {"format": 1, "name": "tiny", "kind": "global", "network": "model.onnx", "licence": "none",
          "input": {"type": "f32", "layout": "NCHW", "channels": "RGB", "mean": [127, 127, 127], "std": [128, 128, 128], "longest": 512, "multiple": 32},
          "global": {"output": "features", "pool": "gem", "p": 3.0, "dim": 4}}
LOCAL = {"format": 1, "name": "points", "kind": "local", "network": "/models/model.onnx", "cache": False,
         "input": {"type": "u8", "layout": "NHWC", "channels": "GREY", "longest": 960, "box_longest": 640, "multiple": 1, "fixed": [320, 240]},
         "local": {"descriptors": "d", "keypoints": "k", "reliability": "r", "dim": 64, "max_points": 1000, "threshold": 0.05},
         "check": {"bf16_cosine": 0.999, "inputs": 3}, "source": {"url": "https://example.org"}}

ENSEMBLE = {"format": 1, "name": "both", "kind": "ensemble", "licence": "none",
            "members": [{"model": "tiny", "weight": 1, "fingerprint": "0" * 32}, {"model": "/models/other", "weight": 0.5, "fingerprint": "1" * 32}],
            "whitening": {"kind": "pcaw", "mean": "mean.npy", "projection": "projection.npy", "unit": True, "power": 0.5}}


def described(**members):
    """GLOBAL with this in "global" instead."""
    return json.dumps(dict(GLOBAL, **{"global": dict({"output": "map", "dim": 4}, **members)})).encode()


HEADS = [{"pool": "gem", "p": [3, 2.5, 1], "normalise": False}, {"pool": "mac", "layer": {"weight": "w.npy", "bias": "b.npy"}},
         {"pool": "spoc"}, {"pool": "rmac", "levels": 3, "overlap": 0.4, "whole": True, "regional": {"weight": "r.npy"}}]
VIEWS = {"scales": [0.7071, 1, 1.4142], "flip": True, "crops": {"kind": "random", "size": 0.5, "count": 3, "seed": 1}, "combine": "gem", "p": 3}


def local(**members):
    return json.dumps(dict(LOCAL, local={"descriptors": "d", "dim": 128, "max_points": 1000, **members})).encode()


TOKENS = {"prefix": 5, "patch": 14}


def detector(**members):
    part = dict({"outputs": {"boxes": "b", "scores": "s"}, "format": "yxyx", "coordinates": "normalised"}, **members)
    return json.dumps(dict({key: GLOBAL[key] for key in GLOBAL if key != "global"}, kind="detector", detector=part)).encode()


def bundle_good():
    yield "xfeat", local(method="xfeat", keypoints="k", reliability="r", threshold=0.05)
    yield "attentive", local(method="attentive", attention={"output": "a"}, scales=[0.25, 1, 2], threshold=100, iou=0.5,
                             pca={"mean": "mean.npy", "projection": "projection.npy"})
    yield "attentive-field", local(method="attentive", attention="norm", receptive_field={"size": 291, "stride": 32, "pad": 145})
    yield "attentive-tokens", local(method="attentive", attention="norm", tokens=TOKENS)
    yield "dense", local(method="dense", keypoints="heat", threshold=0.005, radius=4, border=0)
    yield "keypoints", local(method="keypoints", keypoints="k", scores="s", coordinates="unit", threshold=-1)
    yield "tokens", json.dumps(dict(GLOBAL, **{"global": {"output": "t", "pool": "none", "dim": 4, "tokens": TOKENS}})).encode()
    yield "global", json.dumps(GLOBAL).encode()
    yield "heads", described(heads=HEADS)
    yield "rmac", described(pool="rmac", regional={"weight": "r.npy", "bias": "b.npy"}, layer={"weight": "w.npy"}, normalise=True)
    yield "filters", described(pool="gem", p=4.6, attention={"output": "a", "mode": "residual"}, floor=0.014,
                               regional_gem={"size": 5, "p": 2.5, "weight": 0.5})
    yield "views", described(pool="mac", views=VIEWS)
    yield "crops", described(pool="none", views={"crops": {"kind": "five", "size": 0.875}, "combine": "max"})
    yield "unit", described(pool="spoc", whitening={"kind": "lw", "mean": "m.npy", "projection": "p.npy", "unit": True})
    yield "bins", json.dumps(dict(GLOBAL, input=dict(GLOBAL["input"], bins={
        "ratios": [0.67, 0.77, 1.33, 1.5], "sizes": [[512, 352], [512, 384], [448, 448], [384, 512], [352, 512]]}))).encode()
    yield "whitened", json.dumps(dict(GLOBAL, **{"global": {
        "output": "v", "pool": "none", "dim": 4, "whitening": {"kind": "pcaw", "mean": "mean.npy", "projection": "projection.npy"}}})).encode()
    yield "local", json.dumps(LOCAL, indent=1).encode()
    yield "ensemble", json.dumps(ENSEMBLE).encode()
    yield "detector", detector()
    yield "detector-classes", detector(outputs={"boxes": "b", "scores": "s", "classes": "c"}, format="cxcywh", coordinates="pixels",
                                       threshold=0.3, iou=0.5, max_boxes=10, class_ids=[0, 65535])


def bundle_faulty():
    yield "unknown", json.dumps(dict(GLOBAL, surprise=1)).encode()
    yield "no-deviation", json.dumps(dict(GLOBAL, input=dict(GLOBAL["input"], std=[0, 0, 0]))).encode()
    yield "outside", json.dumps(dict(GLOBAL, network="../model.onnx")).encode()
    yield "no-boxes", detector(outputs={"scores": "s"})
    yield "no-format", detector(format="xywh")
    yield "many-classes", detector(class_ids=[1] * 257)
    yield "negative-class", detector(class_ids=[-1])
    yield "no-method", local(method="sparse", keypoints="k")
    yield "other-members", local(method="dense", keypoints="heat", threshold=0.1, scores="s")
    yield "no-attention", local(method="attentive", attention="sum")
    yield "no-scales", local(method="attentive", attention="norm", scales=[])
    yield "two-fields", local(method="attentive", attention="norm", tokens=TOKENS, receptive_field={"size": 1, "stride": 1, "pad": 0})
    yield "no-patch", local(method="attentive", attention="norm", tokens={"prefix": 1, "patch": 0})
    yield "pca-outside", local(method="attentive", attention="norm", pca={"mean": "../mean.npy", "projection": "p.npy"})
    yield "both", json.dumps(dict(GLOBAL, local=LOCAL["local"])).encode()
    yield "no-heads", described(heads=[])
    yield "many-heads", described(heads=[{"pool": "mac"}] * 65)
    yield "many-powers", described(pool="gem", p=[3] * 65537)
    yield "infinite-power", described(pool="gem", p=[3]).replace(b"[3]", b"[1e400]")
    yield "heads-twice", described(pool="mac", heads=HEADS)
    yield "many-scales", described(pool="mac", views=dict(VIEWS, scales=[1] * 17))
    yield "even-window", described(pool="mac", regional_gem={"size": 4, "p": 2.5, "weight": 0.5})
    yield "filtered-vector", described(pool="none", floor=0)
    yield "unsorted-bins", json.dumps(dict(GLOBAL, input=dict(GLOBAL["input"], bins={
        "ratios": [2, 1], "sizes": [[8, 8], [8, 8], [8, 8]]}))).encode()
    yield "twice", json.dumps(dict(ENSEMBLE, members=2 * ENSEMBLE["members"][:1])).encode()
    yield "no-weight", json.dumps(dict(ENSEMBLE, members=[dict(ENSEMBLE["members"][0], weight=0)])).encode()
    yield "deep", b"[" * 5000
    yield "empty", b""


# ---- feature segments ----

def feature_segment(dim, images, kind=b"tiny"):
    """Without checksums, which the target puts right itself. An image: (id, width, height, points, block)."""
    blocks, table = b"", b""
    for image, width, height, points, block in images:
        table += struct.pack("<qQIIIfII", image, 128 + len(blocks), points, width, height, 0.01, 0, 0)
        blocks += block
    header = b"CAIRNFEA" + struct.pack("<IIQQQ64s", 1, dim, len(images), 128 + len(blocks), 128 + len(blocks) + len(table), kind)
    return header.ljust(128, b"\0") + blocks + table


FIELDS = struct.pack("<15H", 0, 30000, 65535, 1, 2, 3, 0x3C00, 0, 0x4000, 0, 16384, 65535, 0x3C00, 0x3800, 0x3400)
BLOCK = FIELDS.ljust(64, b"\0") + bytes(range(12)).ljust(64, b"\0")


def features_good():
    yield "two", feature_segment(4, [(1, 640, 480, 3, BLOCK), (7, 1, 1, 0, b"")])
    yield "none", feature_segment(64, [])


def features_faulty():
    yield "infinite", feature_segment(4, [(1, 640, 480, 3, b"\0\x7c" * 32 + BLOCK[64:])])
    yield "overlong", feature_segment(4, [(1, 640, 480, 0xFFFFFFFF, BLOCK)])
    yield "backwards", feature_segment(4, [(9, 640, 480, 3, BLOCK), (2, 640, 480, 3, BLOCK)])
    yield "lowest-code", feature_segment(4, [(1, 640, 480, 3, BLOCK[:64] + b"\x80" * 64)])
    yield "start", b"CAIRNFEA"


# ---- ASMK files ----

def inverted_file(dim, words, flags, *blocks, kind=b"test"):
    """Lengths and offsets right; the target puts the checksums right. A block: ids with the number of words of each, and
    lists of (word, bytes of codes, bytes of factors, images)."""
    body, table = b"", b""
    for images, lists in blocks:
        head = b"".join(struct.pack("<q", image) for image, _ in images) + b"".join(struct.pack("<I", count) for _, count in images)
        postings, end = b"", 0
        for word, codes, factors, places in lists:
            end += len(places)
            head += struct.pack("<III", word, end, 0)
            postings += codes + factors + struct.pack(f"<{len(places)}H", *places)
        table += struct.pack("<QIIII", 128 + len(body), len(images), len(lists), end, 0)
        body += head + postings + bytes(-len(head + postings) % 8)
    length = 128 + len(body) + len(table)
    header = b"CAIRNASM" + struct.pack("<IIIIIIQQQ64s", 1, dim, words, flags, 0, len(blocks), sum(len(images) for images, _ in blocks),
                                       128 + len(body), length, kind)
    return header.ljust(128, b"\0") + body + table


def asmk_good():
    yield "two-blocks", inverted_file(4, 9, 1, ([(1, 2), (5, 1)], [(0, bytes(16), b"", (0, 1)), (8, bytes(8), b"", (0,))]),
                                      ([(6, 0), (7, 1)], [(3, bytes(8), b"", (1,))]))
    yield "bytes", inverted_file(3, 2, 2, ([(0, 1), (2**40, 1)], [(1, bytes(range(6)), bytes(8), (0, 1))]))
    yield "none", inverted_file(64, 65536, 1)


def asmk_faulty():
    yield "backwards", inverted_file(4, 9, 1, ([(5, 1), (1, 0)], [(0, bytes(8), b"", (0,))]))
    yield "outside", inverted_file(4, 9, 1, ([(1, 1)], [(0, bytes(8), b"", (700,))]))
    yield "twice", inverted_file(4, 9, 1, ([(1, 2)], [(0, bytes(16), b"", (0, 0))]))
    yield "no-such-word", inverted_file(4, 9, 1, ([(1, 1)], [(9, bytes(8), b"", (0,))]))
    yield "overlong", inverted_file(4, 9, 1, ([(1, 1)], [(0, bytes(8), b"", (0,))]))[:-16] + b"\xff" * 16
    yield "start", b"CAIRNASM"


# ---- quantizers with lists ----

def inverted(centroids, lists, starts=None, numbers=None, error=0.5, rows=None):
    """Without the table of recall, checksums and the fingerprint, which the target puts in itself. A list: numbers of rows."""
    def padded(data):
        return data + bytes(-len(data) % 64)
    dim, count = len(centroids[0]), sum(map(len, lists))
    quantizer = struct.pack("<8sIIQd32x", b"CAIRNQTZ", 2, dim, len(centroids), error)
    quantizer += b"".join(struct.pack(f"<{dim}f", *centroid) for centroid in centroids)
    header = struct.pack("<8sIIQQd", b"CAIRNIVF", 1, dim, len(centroids), count if rows is None else rows, error).ljust(128, b"\0")
    starts = starts or [sum(map(len, lists[:i])) for i in range(len(lists) + 1)]
    numbers = numbers or [row for rows in lists for row in rows]
    data = header + padded(struct.pack(f"<{len(starts)}Q", *starts)) + padded(struct.pack(f"<{len(numbers)}I", *numbers))
    data += padded(struct.pack(f"<{count}f", *[0.01] * count)) + bytes(i * 37 % 256 for i in range(count * dim))
    return struct.pack("<I", len(quantizer)) + quantizer + data


CENTROIDS = [(1, 0, -1), (0, 2, 0.5), (-3, 0, 0)]


def ivf_good():
    yield "three", inverted(CENTROIDS, [(0, 3, 4), (), (1, 2)])
    yield "one", inverted([(0.5,)], [tuple(range(9))])
    yield "none", inverted(CENTROIDS, [(), (), ()])


def ivf_faulty():
    yield "not-a-number", inverted([(float("nan"), 0, 0)] + CENTROIDS[1:], [(0,), (1,), ()])
    yield "infinite", inverted([(float("inf"), 0, 0)] + CENTROIDS[1:], [(0,), (1,), ()])
    yield "twice", inverted(CENTROIDS, [(0, 1), (), (1,)])
    yield "outside", inverted(CENTROIDS, [(0, 4000000000), (), (1,)])
    yield "backwards", inverted(CENTROIDS, [(0, 1), (), (2,)], starts=[0, 3, 1, 3])
    yield "beyond", inverted(CENTROIDS, [(0, 1), (), (2,)], starts=[0, 2**63, 2**63, 3])
    yield "overlong", inverted(CENTROIDS, [(0, 1), (), (2,)], rows=2**62)
    yield "no-lists", struct.pack("<I8sIIQd32x", 64, b"CAIRNQTZ", 2, 1, 0, 0.5)


# ---- states of kNN graphs ----

def graph_state(lists, keep=3, among=9, block=2, step=7, ranked=0, block_images=4, images=None, counts=None):
    """Without the checksum, which the target puts right itself. A list: (score, number of the image)."""
    header = struct.pack("<8sIIQQQQQQ16s", b"CAIRNKNN", 1, keep, block, len(lists) if images is None else images, step, ranked,
                         block_images, among, b"fingerprint")
    counts = counts or [len(items) for items in lists]
    return header + struct.pack(f"<{len(counts)}I", *counts) + b"".join(struct.pack("<fI", *item) for items in lists for item in items) + bytes(4)


STATE = [[(0.5, 8), (0.25, 1), (0.25, 4)], [], [(-1, 0)]]


def graph_good():
    yield "three", graph_state(STATE)
    yield "ranked", graph_state(STATE + [[(float("inf"), 3), (float("-inf"), 3)]], ranked=4)
    yield "first", graph_state([[]], keep=2**32 - 1, among=1, block=0, step=0, block_images=1)


def graph_faulty():
    yield "not-a-number", graph_state([[(float("nan"), 1)]])
    yield "outside", graph_state([[(0.5, 9)]])
    yield "overlong", graph_state([[(0.5, 1)] * 4])
    yield "too-many-images", graph_state(STATE * 2)
    yield "ranked-beyond", graph_state(STATE, ranked=4)
    yield "no-images", graph_state([], block_images=0)
    yield "huge", graph_state(STATE, images=2**62)
    yield "huge-list", graph_state(STATE, keep=2**32 - 1, counts=[2**32 - 1, 2**32 - 1, 2])
    yield "start", b"CAIRNKNN"


# ---- recipes ----

def stage(name, kind, **members):
    return dict(name=name, stage=kind, **members)


NEAR = stage("near", "search", k=1000, recall=0.5)
VERIFIED = stage("verified", "verify", ranking="near", order="keep", protocol="delf", max_distance=0.9, radius=10, reference_side=0, seed=9007199254740992)


def recipe(*stages, **members):
    return json.dumps({"recipe": 1, "title": "t", "stages": stages, **members}).encode()


def recipe_good():
    yield "search", recipe(NEAR)
    yield "backwards", recipe(VERIFIED, NEAR, output="verified")
    yield "expanded", recipe(NEAR, VERIFIED, stage("larger", "augment", rule="alpha"), stage("asked", "expand", ranking="verified", min_inliers=40),
                             stage("again", "search", queries="asked", index="larger"), stage("end", "diffuse", tolerance=1e-3, truncation=200),
                             about=["one", "two"], models={"global": "m", "local": "xfeat"})
    yield "fused", recipe(NEAR, stage("asmk", "search", by="asmk"), stage("both", "fuse", rankings=["near", "asmk"], weights=[1, 0.25]),
                          stage("cut", "cut", min_score=-1.5), stage("end", "discriminate"), output="end")
    yield "walks", recipe(NEAR, stage("a", "explore"), stage("b", "reciprocal"), stage("c", "superglobal"), about="text", output="c")


def recipe_faulty():
    yield "circle", recipe(stage("a", "verify", ranking="b"), stage("b", "verify", ranking="a"))
    yield "twice", recipe(NEAR, NEAR)
    yield "no-such", recipe(stage("a", "serach"))
    yield "no-ranking", recipe(VERIFIED)
    yield "outside", recipe(stage("a", "search", k=0))
    yield "type", recipe(NEAR, stage("a", "search", queries="near"))
    yield "given", recipe(stage("queries", "search"))
    yield "infinite", recipe(stage("a", "search", recall=1)).replace(b'"recall": 1', b'"recall": 1e999')
    yield "deep", b'{"recipe":' * 5000
    yield "empty", b""


# ---- all ----

SEEDS = {"boxes": (boxes_good, boxes_faulty), "npy": (npy_good, npy_faulty), "image": (image_good, image_faulty), "checkpoint": (checkpoint_good, checkpoint_faulty),
         "asmk": (asmk_good, asmk_faulty), "bundle": (bundle_good, bundle_faulty), "features": (features_good, features_faulty),
         "graph": (graph_good, graph_faulty), "ivf": (ivf_good, ivf_faulty), "recipe": (recipe_good, recipe_faulty)}
FLIPS = 8


def damaged(name, data):
    yield "half-" + name, data[:len(data) // 2]
    yield "short-" + name, data[:-1]
    for i in range(FLIPS):
        at = (2 * i + 1) * len(data) // (2 * FLIPS)
        yield f"flip-{name}-{i}", data[:at] + bytes([data[at] ^ 1 << i % 8]) + data[at + 1:]


def seeds(good, faulty):
    for name, data in good():
        yield "good-" + name, data
        yield from damaged(name, data)
    yield from faulty()


def main():
    folder = pathlib.Path(sys.argv[1])
    for target, makers in SEEDS.items():
        shutil.rmtree(folder / target, ignore_errors=True)
        (folder / target).mkdir(parents=True)
        for name, data in seeds(*makers):
            if target != "image":
                (folder / target / name).write_bytes(data)
                continue
            # The image target reads its options from the first byte: as they are by default; lenient and reduced.
            (folder / target / name).write_bytes(b"\0" + data)
            (folder / target / (name + "-lenient")).write_bytes(b"\3" + data)
    (folder.parent / "corpus.stamp").write_text("")


if __name__ == "__main__":
    main()
