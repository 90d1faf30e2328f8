"""What the tests of the command share: results in TAP, a private place to run it in, and photographs to run it on.

A test file holds functions whose names begin with `test_`; each gets a `Place` of its own and says what it finds with
`check()`. Its last line is `run_tests(globals())`. Usage of every file: NAME_test.py CAIRN [MORE...]"""
import collections
import fcntl
import json
import os
import pathlib
import pty
import random
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback
import zlib

TIME_LIMIT = 60
DONE, USAGE, INPUT, DAMAGED, INTERRUPTED = range(5)  # exit codes

program = os.path.abspath(sys.argv[1])
_results = []


def check(what, condition, detail=None):
    """One line of TAP; what else is known of a failure follows it as comments. Returns the condition."""
    _results.append(bool(condition))
    print(f"{'ok' if condition else 'not ok'} {len(_results)} - {what}".replace("#", "\\#"), flush=True)
    if not condition and detail is not None:
        for line in str(detail).splitlines()[-40:]:
            print(f"#   {line}", flush=True)
    return condition


def skip(what, why):
    _results.append(True)
    print(f"ok {len(_results)} - {what} # SKIP {why}", flush=True)


def run_tests(names):
    """Run the `test_` functions of a module in the order of their definition, and end the program."""
    for name, test in list(names.items()):
        if not name.startswith("test_"):
            continue
        with tempfile.TemporaryDirectory(prefix="cairn-cli-") as folder:
            try:
                test(Place(pathlib.Path(folder).resolve()))
            except Exception:
                check(f"{name} runs to its end", False, traceback.format_exc())
    print(f"1..{len(_results)}")
    sys.exit(0 if all(_results) else 1)


class Result(collections.namedtuple("Result", "code out err")):
    """How a run of the command ended: exit code (negative: the signal that killed it) and what it wrote."""

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"exit code {self.code}\nstdout: {self.out}\nstderr: {self.err}"


class Place:
    """A folder to work in, with a home of its own. Relative paths on command lines count from it."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "CAIRN_HOME": str(self.home / "cairn"), "LANG": "C.UTF-8",
        }

    def __str__(self):
        return str(self.folder)

    def __truediv__(self, name):
        return self.folder / name

    def run(self, *arguments, input=b"", environment=None, timeout=TIME_LIMIT, cwd=None, **streams):
        """Run `cairn ARGUMENT...` to its end. `environment` is laid over the usual one; None as a value takes away.
        Streams are as for subprocess.run(), and kept unless one is given. What is no UTF-8 comes as surrogates."""
        streams.setdefault("stdout", subprocess.PIPE)
        streams.setdefault("stderr", subprocess.PIPE)
        if "stdin" not in streams:
            streams["input"] = input
        done = subprocess.run([program, *map(_word, arguments)], cwd=cwd or self.folder, env=self.environ(environment),
                              timeout=timeout, **streams)
        out, err = ((text or b"").decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
        return Result(done.returncode, out, err)

    def start(self, *arguments, environment=None, **streams):
        """Start `cairn ARGUMENT...` and return the process, for those who want to disturb it."""
        return subprocess.Popen([program, *map(_word, arguments)], cwd=self.folder, env=self.environ(environment),
                                **streams)

    def terminal(self, *arguments, columns=80, environment=None, stdout=None):
        """Start `cairn ARGUMENT...` on a Terminal: stderr, and stdout unless it goes elsewhere."""
        return Terminal(self, arguments, columns, environment, stdout)

    def environ(self, over=None):
        whole = {**self.environment, **(over or {})}
        return {name: value for name, value in whole.items() if value is not None}

    def write(self, name, content):
        """Write a text or bytes below the folder, and what folders it needs."""
        path = self / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def photograph(self, name, scene, **how):
        """Write a photograph() as a PNG below the folder."""
        width, height, pixels = photograph(scene, **how)
        return self.write(name, png(width, height, pixels))

    def photographs(self, folder, count, first=0, **how):
        """Photographs of `count` different scenes: FOLDER/scene-000.png and so on."""
        return [self.photograph(f"{folder}/scene-{i:03}.png", i, **how) for i in range(first, first + count)]

    def slow_photographs(self, folder, count, size=(480, 360)):
        """Photographs that take a while: large, all the same picture but, by their contents, no duplicates."""
        picture = png(*photograph(0, size))
        return [self.write(f"{folder}/slow-{i:04}.png", picture + b"copy %d" % i) for i in range(count)]

    def model(self, name="tiny", kind="model"):
        """A tiny global network, or another kind that the driver of tests/collection makes, installed under that name; the test
        needs the driver as argument."""
        bundle = self / f"{name}-bundle"
        subprocess.run([sys.argv[2], kind, bundle], check=True)
        made = self.run("model", "import", name, bundle / "model.onnx", bundle / "model.json")
        assert made.code == DONE, made
        return bundle

    def collection(self, name="c", photos=None, init=("--model", "none"), add=()):
        """A collection that needs no network: RootSIFT only, holding `photos` (a list of paths)."""
        made = self.run("init", name, *init)
        assert made.code == DONE, made
        if photos:
            added = self.run("add", name, *photos, *add)
            assert added.code == DONE, added
        return self / name

    def remove(self, name):
        path = self / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


class Terminal:
    """A pseudo-terminal that the command writes to; `shown` holds what came so far."""

    def __init__(self, place, arguments, columns, environment, stdout):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.shown = ""
        self.process = place.start(*arguments, environment={"TERM": "xterm", **(environment or {})}, stdin=slave,
                                   stdout=slave if stdout is None else stdout, stderr=slave, start_new_session=True)
        os.close(slave)

    def until(self, text, timeout=TIME_LIMIT):
        """Read until `text` is shown; says whether it was, before the end of the command and of the time."""
        deadline = time.monotonic() + timeout
        while text not in self.shown and time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.1)[0] and not self._read():
                break
        return text in self.shown

    def _read(self):
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # the command has ended
            return False
        self.shown += piece.decode("utf-8", "replace")
        return bool(piece)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self, timeout=TIME_LIMIT):
        """Wait for the end; the result has everything that was shown as its err."""
        self.until("never shown \0", timeout)
        os.close(self.master)
        return Result(self.process.wait(timeout), "", self.shown)


def _word(argument):
    return argument if isinstance(argument, (str, bytes, os.PathLike)) else str(argument)


def photograph(scene, size=(160, 120), shift=(0, 0)):
    """A photograph of a wall of posters: the same `scene` is the same place, seen from elsewhere by another `shift` (in
    pixels). Different scenes share nothing. Returns (width, height, rgb)."""
    width, height = size
    pick = random.Random(f"scene {scene}")
    pixels = bytearray(b"\x78\x74\x70" * (width * height))
    for _ in range(width * height // 320):
        x, y = pick.randrange(width) + shift[0], pick.randrange(height) + shift[1]
        w, h, colour = pick.randint(3, 16), pick.randint(3, 16), bytes(pick.randrange(256) for _ in range(3))
        left, right = max(0, x), min(width, x + w)
        for row in range(max(0, y), min(height, y + h)):
            if left < right:
                pixels[3 * (row * width + left):3 * (row * width + right)] = colour * (right - left)
    return width, height, bytes(pixels)


def png(width, height, pixels):
    """An RGB picture as the bytes of a PNG file."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + pixels[3 * width * y:3 * width * (y + 1)] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
