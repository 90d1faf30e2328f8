#!/usr/bin/env python3
"""Check who may call whom: from the #include lines of src/ and cli/, and from the symbols that each room's objects
need and define. Usage: .ci/layers.py [BUILD_FOLDER]. The rule is the table in docs/architecture.md."""
import collections
import pathlib
import re
import subprocess
import sys

# A room may use the rooms of the rows above its own, never those of its own row.
LAYERS = [
    ["util"],
    ["math", "data"],
    ["image", "model", "verify", "index"],
    ["global", "local", "rank", "eval"],
    ["collection"],
    ["search"],
    ["recipe"],
]
LEVEL = {room: level for level, row in enumerate(LAYERS) for room in row}
# A dependency that one room alone may include.
ONLY_IN = {
    r"vips/": "image",
    r"openvino/": "model",
    r"protobuf-c|onnx.*pb-c": "model",
    r"zip\.h": "model",
    r"cblas|lapacke|openblas": "math",
    r"sqlite3\.h": "collection",
    r"jansson\.h": "util",
}
ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def allowed(user, used):
    return used == user or LEVEL[used] < LEVEL[user]


def include_faults():
    for path in sorted(ROOT.glob("src/*/**/*.[ch]")):
        room = path.relative_to(ROOT / "src").parts[0]
        if room not in LEVEL:
            yield f"{path.relative_to(ROOT)}: room '{room}' has no place in the layers"
            continue
        for mark, name in INCLUDE.findall(path.read_text()):
            used = name.split("/")[0]
            if mark == '"' and used in LEVEL and not allowed(room, used):
                yield f"{path.relative_to(ROOT)}: {room} must not include {name}"
            for pattern, owner in ONLY_IN.items():
                # jansson's types pass through util/json.h
                if re.match(pattern, name) and room != owner:
                    yield f"{path.relative_to(ROOT)}: <{name}> belongs to {owner}"
    for path in sorted(ROOT.glob("cli/**/*.[ch]")):
        for mark, name in INCLUDE.findall(path.read_text()):
            own = (path.parent / name).exists() or (ROOT / "cli" / name).exists()
            if mark == '"' and not name.startswith("cairn/") and not own:
                yield f"{path.relative_to(ROOT)}: cli includes cairn/*.h only, not {name}"


def room_symbols(build):
    """The symbols that each room defines and those that it needs from elsewhere."""
    defined, needed = {}, collections.defaultdict(set)
    for room in LEVEL:
        archive = build / "src" / f"libroom_{room}.a"
        lines = subprocess.run(["nm", "-P", str(archive)], capture_output=True, text=True, check=True).stdout.splitlines()
        for line in lines:
            words = line.split()
            if len(words) < 2 or not words[0].startswith(("cn_", "cairn_")):
                continue
            if words[1] == "U":
                needed[room].add(words[0])
            elif words[1].isupper():
                if defined.get(words[0], room) != room:
                    yield f"{words[0]} is defined in {defined[words[0]]} and in {room}"
                defined[words[0]] = room
    for room, symbols in needed.items():
        for symbol in sorted(symbols):
            if symbol in defined and not allowed(room, defined[symbol]):
                yield f"objects of {room} need {symbol}, which {defined[symbol]} defines"


def main():
    faults = list(include_faults())
    if len(sys.argv) > 1:
        faults += list(room_symbols(pathlib.Path(sys.argv[1])))
    for fault in faults:
        print("layers:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
