#!/usr/bin/env python3
"""Make the checkpoints that test_checkpoint.c reads, without PyTorch: good ones in three formats, and hostile ones.

    make_checkpoints.py        writes into the folder checkpoints/ beside this file
"""
import collections
import io
import json
import pathlib
import pickle
import struct
import sys
import types
import zipfile

HERE = pathlib.Path(__file__).parent / "checkpoints"
MAGIC = 0x1950A86A20F9469CFC6C


def fake(module, name):
    """A function that pickles under the name of one of PyTorch's."""
    def function(*arguments):
        return arguments
    function.__module__, function.__qualname__, function.__name__ = module, name, name
    holder = sys.modules.setdefault(module, types.ModuleType(module))
    setattr(holder, name, function)
    return function


rebuild_tensor = fake("torch._utils", "_rebuild_tensor_v2")
rebuild_parameter = fake("torch._utils", "_rebuild_parameter")
storage_types = {}
for letter, name in zip("fdehqilbB?", ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")):
    class Storage:
        pass
    Storage.__module__, Storage.__qualname__, Storage.__name__ = "torch", name + "Storage", name + "Storage"
    setattr(sys.modules.setdefault("torch", types.ModuleType("torch")), name + "Storage", Storage)
    storage_types[name] = Storage


class Block:
    """A storage: its bytes and how many elements they are."""
    def __init__(self, key, kind, values, code, count=None):
        self.key, self.kind = key, kind
        self.data = struct.pack("<%d%s" % (len(values), code), *values)
        self.count = len(values) if count is None else count


class Tensor:
    def __init__(self, block, offset, size, stride):
        self.arguments = (block, offset, tuple(size), tuple(stride), False, collections.OrderedDict())

    def __reduce__(self):
        return rebuild_tensor, self.arguments


class Parameter:
    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        return rebuild_parameter, (self.tensor, True, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def __init__(self, stream, legacy, blocks, protocol=2):
        super().__init__(stream, protocol=protocol)
        self.legacy, self.blocks = legacy, blocks

    def persistent_id(self, thing):
        if not isinstance(thing, Block):
            return None
        self.blocks[thing.key] = thing
        tail = (None,) if self.legacy else ()
        return ("storage", storage_types[thing.kind], thing.key, "cpu", thing.count) + tail


def dump(thing, legacy, protocol=2):
    stream, blocks = io.BytesIO(), {}
    Pickler(stream, legacy, blocks, protocol).dump(thing)
    return stream.getvalue(), blocks


def as_legacy(thing, little=True):
    body, blocks = dump(thing, True)
    head = pickle.dumps(MAGIC, 2) + pickle.dumps(1001, 2)
    head += pickle.dumps({"protocol_version": 1001, "little_endian": little, "type_sizes": {"int": 4}}, 2)
    data = b"".join(struct.pack("<q", block.count) + block.data for block in blocks.values())
    return head + body + pickle.dumps(list(blocks), 2) + data


def as_zip(thing=None, prefix="archive/", method=zipfile.ZIP_STORED, body=None, blocks=None, order="little", protocol=2):
    if body is None:
        body, blocks = dump(thing, False, protocol)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        def add(name, data, how=zipfile.ZIP_STORED):
            archive.writestr(zipfile.ZipInfo(prefix + name, (1980, 1, 1, 0, 0, 0)), data, how)
        add("data.pkl", body)
        add("byteorder", order)
        for block in (blocks or {}).values():
            add("data/" + block.key, block.data, method)
    return stream.getvalue()


def bfloat(value):
    return struct.unpack("<I", struct.pack("<f", value))[0] >> 16


def good():
    plain = Block("0", "Float", [0.5 * i for i in range(24)], "f")
    return {
        "epoch": 7,
        "rate": 0.125,
        "notes": ["text", None, True, (1, 2), 2 ** 40, -5],
        "state_dict": collections.OrderedDict([
            ("plain", Tensor(plain, 0, (2, 3, 4), (12, 4, 1))),
            ("turned", Tensor(plain, 0, (4, 3, 2), (1, 4, 12))),
            ("part", Tensor(plain, 5, (2, 2), (12, 4))),
            ("scalar", Tensor(plain, 23, (), ())),
            ("empty", Tensor(plain, 0, (0, 3), (3, 1))),
            ("double", Tensor(Block("1", "Double", [1.5, -2.25], "d"), 0, (2,), (1,))),
            ("half", Tensor(Block("2", "Half", [1.5, -2.0, 6e-8, 65504.0], "e"), 0, (4,), (1,))),
            ("bfloat", Tensor(Block("3", "BFloat16", [bfloat(1.5), bfloat(-3.0)], "H"), 0, (2,), (1,))),
            ("long", Tensor(Block("4", "Long", [-1, 1 << 40], "q"), 0, (2,), (1,))),
            ("char", Tensor(Block("5", "Char", [-128, 127], "b"), 0, (2,), (1,))),
            ("bool", Tensor(Block("6", "Bool", [1, 0], "?"), 0, (2,), (1,))),
            ("parameter", Parameter(Tensor(Block("7", "Float", [2.0], "f"), 0, (1,), (1,)))),
        ]),
    }


def one(size, stride, offset=0, count=None, key="0"):
    """A dictionary of one float tensor over four numbers."""
    return {"x": Tensor(Block(key, "Float", [1.0, 2.0, 3.0, 4.0], "f", count), offset, size, stride)}


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def program(code):
    """A zip checkpoint whose pickle is this program."""
    return as_zip(body=b"\x80\x02" + code, blocks={})


def laughs():
    """Dictionaries of the same dictionary, four deep: few bytes, 40^4 entries."""
    inner = {"x": 1}
    for _ in range(4):
        inner = {"k%d" % i: inner for i in range(50)}
    return inner


def copies():
    """One list of pairs made into a dictionary again and again: 12 kB that ask for 24 MB, and ten times the bytes for a
    hundred times that."""
    pairs = b"]q\x01(X\x01\x00\x00\x00aK\x01\x86q\x02" + b"h\x02" * 2999 + b"e0"
    return program(b"ccollections\nOrderedDict\nq\x000" + pairs + b"h\x00h\x01\x85R0" * 1000 + b"}.")


def bomb():
    block = Block("0", "Float", [0.0] * 100000, "f")
    return as_zip({"x": Tensor(block, 0, (100000,), (1,))}, method=zipfile.ZIP_DEFLATED)


def loop():
    """A dictionary that holds itself."""
    return program(b"}q\x00X\x01\x00\x00\x00ah\x00s.")


files = {
    "good.pth": as_legacy(good()),
    "good.pt": as_zip(good()),
    "good4.pt": as_zip(good(), protocol=4),
    "good.safetensors": safetensors(
        {"__metadata__": {"made": "by hand"},
         "plain": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
         "half": {"dtype": "F16", "shape": [2], "data_offsets": [16, 20]},
         "long": {"dtype": "I64", "shape": [1], "data_offsets": [20, 28]},
         "scalar": {"dtype": "F32", "shape": [], "data_offsets": [28, 32]}},
        struct.pack("<4f2eqf", 0, 0.5, 1, 1.5, 1.5, -2, 1 << 40, 4)),
    "system.pt": program(b"cos\nsystem\nX\x04\x00\x00\x00true\x85R."),
    "stack_global.pt": program(b"\x8c\x05posix\x8c\x06system\x93."),
    "eval.pth": pickle.dumps(MAGIC, 2) + b"\x80\x02cbuiltins\neval\n.",
    "opcode.pt": program(b"}P1\n."),
    "memo.pt": program(b"}r\xff\xff\xff\x7f."),
    "unset_memo.pt": program(b"}h\x05."),
    "empty_stack.pt": program(b"."),
    "no_mark.pt": program(b"}u."),
    "bare_mark.pt": program(b"(u."),
    "no_stop.pt": program(b"}"),
    "list.pt": program(b"]."),
    "not_utf8.pt": program(b"X\x02\x00\x00\x00\xff\xfe."),
    "long_text.pt": program(b"X\xff\xff\xff\xff."),
    "odd_items.pt": program(b"}(NNNu."),
    "call_text.pt": program(b"X\x01\x00\x00\x00a)R."),
    "state.pt": program(b"N}b."),
    "loop.pt": loop(),
    "laughs.pt": as_zip(laughs()),
    "copies.pt": copies(),
    "outside.pt": as_zip(one((4,), (2,))),
    "offset.pt": as_zip(one((1,), (1,), offset=4)),
    "repeated.pt": as_zip(one((2, 4), (0, 1))),
    "overflow.pt": as_zip(one((1 << 40, 1 << 40), (1, 1))),
    "negative.pt": as_zip(one((-1,), (1,))),
    "negative_stride.pth": as_legacy(one((2,), (-1,))),
    "rank.pt": as_zip(one((1,) * 9, (1,) * 9)),
    "count.pt": as_zip(one((4,), (1,), count=1 << 40)),
    "count.pth": as_legacy(one((4,), (1,), count=1 << 40)),
    "big_endian.pth": as_legacy(one((4,), (1,)), little=False),
    "big_endian.pt": as_zip(one((4,), (1,)), order="big"),
    "compressed.pt": bomb(),
    "absolute.pt": as_zip(body=dump(one((4,), (1,), key="/etc/passwd"), False)[0], blocks={}),
    "parent.pt": as_zip(body=dump(one((4,), (1,), key="../../x"), False)[0], blocks={}),
    "no_pickle.pt": as_zip(body=b"", blocks={}, prefix="data.pkl.d/x"),
    "legacy_keys.pth": as_legacy(one((4,), (1,))).replace(b"]q\x00X\x01\x00\x00\x000", b"]q\x00X\x01\x00\x00\x001"),
    "header.safetensors": struct.pack("<Q", 1 << 40) + b"{}",
    "json.safetensors": safetensors(b"{\"x\": "),
    "range.safetensors": safetensors({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, b"1234"),
    "size.safetensors": safetensors({"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 16]}}, b"1234" * 4),
    "huge.safetensors": safetensors({"x": {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 16]}},
                                    b"1234" * 4),
    "type.safetensors": safetensors({"x": {"dtype": "C64", "shape": [2], "data_offsets": [0, 16]}}, b"1234" * 4),
    "member.safetensors": safetensors({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], "y": 1}}, b"1234" * 4),
    "none.safetensors": safetensors({"__metadata__": {}}),
}
HERE.mkdir(exist_ok=True)
for name, data in files.items():
    (HERE / name).write_bytes(data)
print(len(files), "files,", sum(map(len, files.values())), "bytes")
