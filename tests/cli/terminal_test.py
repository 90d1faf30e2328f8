"""Progress, interruption, streams that are closed or full, and several commands at once on one collection."""
import fcntl
import json
import os
import re
import signal
import sqlite3
import subprocess
import tempfile
import time

from support import DONE, INPUT, INTERRUPTED, TIME_LIMIT, Result, check, run_tests

SLOW = 40     # photographs that together take half a second or more
QUERIES = 24  # so do these, as queries
ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def frames(shown):
    """What the status line showed, one after the other, as a person sees it."""
    return [ESCAPE.sub("", frame) for frame in re.split("[\r\n]+", shown)]


def screen(shown):
    """The lines that a terminal holds after all that was shown, as far as cairn uses one."""
    lines, column = [""], 0
    for piece in re.findall(r"\x1b\[K|\x1b\[[0-9;]*m|[^\x1b]", shown):
        if piece == "\n":
            lines.append("")
        elif piece == "\r":
            column = 0
        elif piece == "\x1b[K":
            lines[-1] = lines[-1][:column]
        elif len(piece) == 1:
            lines[-1] = lines[-1][:column] + piece + lines[-1][column + 1:]
            column += 1
    return lines


def counts(shown):
    return [tuple(map(int, pair)) for pair in re.findall(r"(\d+)/(\d+) +\d+%", shown)]


def query_set(place, count):
    """A ground truth whose queries are photographs that take a while, as (collection, ground truth, folder)."""
    names = [path.stem for path in place.slow_photographs("queries", count)]
    place.collection("c", place.photographs("photos", 4))
    boxes = [f'{{"image": "{name}", "box": [0, 0, 480, 360], "easy": ["scene-000"], "hard": [], "junk": []}}'
             for name in names]
    place.write("gnd.json", f'{{"database": ["scene-000"], "queries": [{", ".join(boxes)}]}}')
    return "c", "gnd.json", "queries"


def long_commands(place):
    """The commands that take long, on work of a second or so: (name, command line, stage that is shown)."""
    collection, truth, folder = query_set(place, QUERIES)
    queries = sorted((place / folder).iterdir())
    place.slow_photographs("new", SLOW)
    return (
        ("add", ("add", collection, "new", "--threads", 1), "describing images"),
        ("search", ("search", collection, *queries), "answering queries"),
        ("eval roxford", ("eval", "roxford", collection, truth, "--images", folder), "answering queries"),
    )


def test_bar_on_a_terminal(place):
    for name, words, stage in long_commands(place):
        ended = place.terminal(*words, stdout=subprocess.DEVNULL).end()
        shown = counts(ended.err)
        check(f"{name}: a bar on a terminal", ended.code == DONE and stage in ended.err and "━" in ended.err, ended)
        check(f"{name}: which only grows", shown and shown == sorted(shown), shown)
        check(f"{name}: and is taken away at the end", not any("━" in line for line in screen(ended.err)), screen(ended.err))


def test_plain_lines_elsewhere(place):
    for name, words, stage in long_commands(place):
        ended = place.run(*words, environment={"CAIRN_PROGRESS": "0"})
        lines = [line for line in ended.err.splitlines() if line.startswith(f"{stage}: ")]
        check(f"{name}: plain lines where stderr is no terminal", ended.code == DONE and len(lines) > 1, ended.err)
        check(f"{name}: with count, total and per cent", all(re.match(rf"{stage}: \d+ of \d+ \(\d+%\)", line)
                                                               for line in lines), lines)
        check(f"{name}: without any control character", not re.search(r"[\x00-\x09\x0b-\x1f]", ended.err), ended.err)
        quiet = place.run(*words, "--quiet", environment={"CAIRN_PROGRESS": "0"})
        check(f"{name}: nothing with --quiet", quiet.code == DONE and quiet.err == "", quiet.err)


def test_one_query_shows_its_pairs(place):
    place.slow_photographs("photos", 20, size=(320, 240))
    place.collection("c", ["photos"])
    ended = place.terminal("search", "c", "--id", 1, stdout=subprocess.DEVNULL).end()
    check("search with one query shows the pairs that are verified", "verifying" in ended.err and "19/19" in ended.err,
          ended)
    ended = place.terminal("search", "c", "--id", 1, "--report", "r.html", stdout=subprocess.DEVNULL).end()
    check("and the report that is written", "writing the report" in ended.err, ended)


def test_results_and_bar_share_a_terminal(place):
    words = long_commands(place)[1][1]
    ended = place.terminal(*words, "--k", 1).end()
    lines = screen(ended.err)
    headings = [line for line in lines if re.fullmatch(r"/\S+/slow-\d+\.png: 1 found in \d+\.\d+ s", line)]
    check("results stand on lines of their own beside the bar", len(headings) == QUERIES and not any("━" in line for line in lines)
          and "━" in ended.err, "\n".join(lines))


LOOKS = (
    # what, environment, columns, must be shown, must not be shown
    ("colours", {}, 80, "\x1b[36m", None),
    ("NO_COLOR takes colours away", {"NO_COLOR": "1"}, 80, "━", "\x1b[36m"),
    ("an empty NO_COLOR does not", {"NO_COLOR": ""}, 80, "\x1b[36m", None),
    ("ASCII in a locale without UTF-8", {"LANG": "C", "LC_ALL": "C"}, 80, "=", "━"),
    ("a dumb terminal gets plain lines", {"TERM": "dumb", "CAIRN_PROGRESS": "0"}, 80, "describing images: ", "\x1b"),
    ("no TERM means the same", {"TERM": None, "CAIRN_PROGRESS": "0"}, 80, "describing images: ", "\x1b"),
    ("a narrow terminal gets no bar", {}, 30, "%", "━"),
    ("a very narrow one gets what fits", {}, 10, "/", "━"),
)


def test_looks(place):
    place.slow_photographs("new", 12, size=(240, 180))
    for i, (what, environment, columns, shown, hidden) in enumerate(LOOKS):
        place.collection(f"c{i}")
        ended = place.terminal("add", f"c{i}", "new", columns=columns, environment=environment,
                               stdout=subprocess.DEVNULL).end()
        check(what, ended.code == DONE and shown in ended.err and (not hidden or hidden not in ended.err), repr(ended.err))
        widest = max(len(frame) for frame in frames(ended.err))
        check(f"{what}: no line is wider than the terminal", columns > 30 or widest < columns, widest)


def test_interrupt_and_resume(place):
    place.slow_photographs("new", SLOW)
    place.collection()
    terminal = place.terminal("add", "c", "new", "--threads", 1)
    terminal.until("%")
    terminal.interrupt()
    ended = terminal.end()
    check("Ctrl-C ends an add with code 4", ended.code == INTERRUPTED, ended)
    check("which says that it stops, and how to go on", "stopping" in ended.err and "same command again" in ended.err, ended)
    report = place.run("info", "c", "--format", "json").json
    check("some photographs are in, not all", 0 < report["images"] < SLOW, report)
    check("the collection is clean", place.run("check", "c").code == DONE)
    again = place.run("add", "c", "new", "--format", "json").json
    check("the same command adds the rest", again["added"] == SLOW - report["images"]
          and again["unchanged"] == report["images"] and not again["interrupted"], again)


def caught(process, number):
    """Whether the process has a handler for the signal."""
    with open(f"/proc/{process.pid}/status") as status:
        mask = next(line for line in status if line.startswith("SigCgt:")).split()[1]
    return int(mask, 16) >> (number - 1) & 1


class Blocked:
    """A command that cannot get past its first message, because the pipe behind its stderr is full."""

    def __init__(self, place, *words, **how):
        self.reading, writing = os.pipe()
        self.filling = b"." * fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        os.write(writing, self.filling)
        self.out = tempfile.TemporaryFile()
        self.process = place.start(*words, environment={"CAIRN_PROGRESS": "0"}, stdout=self.out, stderr=writing, **how)
        os.close(writing)

    def wait_for_handler(self, wanted):
        deadline = time.monotonic() + TIME_LIMIT
        while self.process.poll() is None and caught(self.process, signal.SIGINT) != wanted and time.monotonic() < deadline:
            time.sleep(0.001)

    def signal(self, number):
        """Send a signal once the command watches for it, and wait until it has come."""
        self.wait_for_handler(1)
        self.process.send_signal(number)
        self.wait_for_handler(0)

    def end(self):
        """Read what was written, so that the command goes on, until it ends."""
        with os.fdopen(self.reading, "rb") as stream:
            err = stream.read()[len(self.filling):].decode()
        code = self.process.wait(TIME_LIMIT)
        self.out.seek(0)
        return Result(code, self.out.read().decode(), err)


INTERRUPTIONS = (
    # command line, last line of its messages
    ("add c new", "interrupted: what was added stays; run the same command again to go on"),
    ("search c p/scene-000.png p/scene-001.png", "interrupted: 0 of 2 queries were answered"),
    ("search c p/scene-000.png --report r.html", "interrupted: 0 of 1 query was answered; r.html was not written"),
    ("eval roxford c gnd.json --images p", "interrupted: nothing was scored"),
    ("check c", "interrupted: not everything was read"),
    ("compact c", "interrupted: the collection is as it was"),
    ("model whiten tiny p", "interrupted: nothing was learned"),
    ("index c --asmk --words 16", "interrupted: the same command again goes on where it stopped"),
    ("index c --asmk --words 8 --retrain", "interrupted before the training was over: the same command again begins it anew"),
)


def test_signals_stop_long_commands(place):
    place.model()
    place.photographs("new", 5, first=10)
    place.collection("c", place.photographs("p", 4), add=("--batch", 1))
    place.write("gnd.json", '{"database": ["scene-001"], "queries": [{"image": "scene-000", "box": [0, 0, 99, 99], '
                            '"easy": ["scene-001"], "hard": [], "junk": []}]}')
    fingerprint = place.run("model", "info", "tiny", "--format", "json").json["fingerprint"]
    for words, message in INTERRUPTIONS:
        for number in (signal.SIGINT, signal.SIGTERM):
            command = Blocked(place, *words.split())
            command.signal(number)
            ended = command.end()
            check(f"{words}: {number.name} ends it with code 4", ended.code == INTERRUPTED, ended)
            check(f"{words}: {number.name}: {message}", ended.err.splitlines()[-1:] == [message], ended)
        command = Blocked(place, *words.split())
        command.signal(signal.SIGINT)
        command.process.send_signal(signal.SIGINT)
        code = command.process.wait(TIME_LIMIT)
        check(f"{words}: a second Ctrl-C ends it at once", code == -signal.SIGINT, code)
        os.close(command.reading)
        again = place.run("check", "c", "--repair")
        check(f"{words}: the collection is clean after that", again.code == DONE and "fault found" not in again.out, again)
    check("compact left the segments", place.run("info", "c", "--format", "json").json["segments"] >= 4)
    check("whiten left the model", place.run("model", "info", "tiny", "--format", "json").json["fingerprint"] == fingerprint)
    check("what was stopped can be done", all(place.run(*words.split()).code == DONE for words, _ in INTERRUPTIONS))


def has_open(process, folder):
    """Whether the process has opened a file below the folder."""
    files = []
    for name in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            files.append(os.readlink(f"/proc/{process.pid}/fd/{name}"))
        except FileNotFoundError:  # closed meanwhile
            pass
    return any(file.startswith(f"{folder}/") for file in files)


def test_signals_while_a_collection_is_opened(place):
    place.photographs("new", 2, first=10)
    place.collection("c", place.photographs("p", 2))
    for words in ("add c new", "search c --id 1", "index c --asmk --words 8", "check c", "compact c"):
        command = Blocked(place, *words.split())
        while command.process.poll() is None and not has_open(command.process, place / "c"):
            pass
        command.process.send_signal(signal.SIGTERM)
        ended = command.end()
        check(f"{words}: SIGTERM ends it with code 4 from the beginning on", ended.code == INTERRUPTED, ended)


def test_ignored_signals_stay_ignored(place):
    place.photographs("new", 5)
    place.collection()
    command = Blocked(place, "add", "c", "new", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    time.sleep(0.2)
    command.process.send_signal(signal.SIGINT)
    ended = command.end()
    check("a background job that ignores Ctrl-C goes on", ended.code == DONE and "added 5 images" in ended.out, ended)


def interrupted_in_a_pipe(place, number, words):
    """Send a signal once the command has told of progress."""
    process = place.start(*words, environment={"CAIRN_PROGRESS": "0"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = process.stderr.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=TIME_LIMIT)
    return process.returncode, out.decode(), (first + err).decode()


def test_interrupted_search_prints_what_it_has(place):
    words = long_commands(place)[1][1]
    code, out, err = interrupted_in_a_pipe(place, signal.SIGINT, (*words, "--format", "csv", "--report", "r.html"))
    check("CSV of the queries that were answered", code == INTERRUPTED and out.startswith("query,rank,"), out)
    told = re.search(r"interrupted: (\d+) of \d+ queries were answered; r\.html was not written", err)
    answered = {line.split(",")[0] for line in out.splitlines()[1:]}
    check("their number is told", told and int(told[1]) == len(answered) < QUERIES, err)
    check("no report is left", not (place / "r.html").exists(), os.listdir(place.folder))
    place.write("r.html", "an older report")
    interrupted_in_a_pipe(place, signal.SIGINT, (*words, "--report", "r.html"))
    check("an older one stays", (place / "r.html").read_text() == "an older report")
    code, out, _ = interrupted_in_a_pipe(place, signal.SIGINT, (*words, "--format", "json"))
    document = json.loads(out)
    check("JSON is whole and says so", code == INTERRUPTED and document["interrupted"] is True
          and len(document["queries"]) < QUERIES, out[-300:])


def writing_commands(place):
    """Command lines that write to stdout, on a collection `c` of four photographs."""
    place.collection("c", place.photographs("p", 4))
    one, other = "p/scene-000.png", "p/scene-001.png"
    plain = (
        "--version", "--help", "help search", "help --man", "help --list", "help --completion bash", "info c", "check c",
        "add c p", f"search c {one}", f"search c {one} {other} --format csv", f"verify {one} {other}", "model list",
        "model list --names --help", "remove c 4", "compact c",
    )
    json = ("info c", "check c", "add c p", f"search c {one}", f"verify {one} {other}", "model list", "remove c 3", "compact c")
    return plain + tuple(f"{words} --format json" for words in json)


def test_full_disk_behind_stdout(place):
    for words in writing_commands(place):
        with open("/dev/full", "w") as full:
            ended = place.run(*words.split(), stdout=full)
        lines = [line for line in ended.err.splitlines() if "standard output" in line]
        check(f"a full disk is told once: {words}", ended.code == INPUT
              and lines == ["cairn: cannot write to standard output: No space left on device"], ended)


def test_reader_that_goes_away(place):
    for words in writing_commands(place):
        reading, writing = os.pipe()
        os.close(reading)
        ended = place.run(*words.split(), stdout=writing)
        os.close(writing)
        check(f"a closed pipe ends it quietly: {words}", ended.code == INPUT and "standard output" not in ended.err, ended)


def test_search_stops_when_nobody_reads(place):
    words = long_commands(place)[1][1]
    start = time.monotonic()
    whole = place.run(*words, "--format", "csv")
    seconds = time.monotonic() - start
    check("all queries with four results each", whole.code == DONE and whole.out.count("\n") == 1 + 4 * QUERIES)
    start = time.monotonic()
    process = place.start(*words, "--format", "csv", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    err = process.communicate(timeout=TIME_LIMIT)[1].decode()
    early = time.monotonic() - start
    check("`search | head -1` stops without a word", process.returncode == INPUT and err == "", err)
    check("and stops early", early < seconds / 2, f"{early} s of {seconds} s")


def test_closed_streams(place):
    place.collection("c", place.photographs("photos", 2))
    for stream, code in (("stdin", DONE), ("stdout", INPUT), ("stderr", DONE)):
        number = ("stdin", "stdout", "stderr").index(stream)
        ended = place.run("info", "c", stdin=subprocess.DEVNULL, preexec_fn=lambda: os.close(number))
        check(f"info with {stream} closed", ended.code == code, ended)
    ended = place.run("add", "c", "photos", "--errors", "e.csv", preexec_fn=lambda: (os.close(1), os.close(2)))
    check("no message ends up in a file", (place / "e.csv").read_text() == "path,status,message\n", ended)
    check("nor in the collection", place.run("check", "c").code == DONE)


def test_interrupt_while_images_are_selected(place):
    """A condition that takes minutes over the many images that the catalogue is made to hold."""
    place.collection("c", place.photographs("photos", 1))
    catalogue = sqlite3.connect(place / "c/catalogue.sqlite")
    with catalogue:
        catalogue.executemany("INSERT INTO images(path, size, mtime_ns, width, height, hash) VALUES(?, 1, 1, 1, 1, zeroblob(16))",
                              ((f"/{i}".encode(),) for i in range(50000)))
    catalogue.close()
    terminal = place.terminal("search", "c", "--id", 1, "--where", "replace(hex(path || '%s'), '0', '11') = ''" % ("0" * 100000))
    shown = terminal.until("selecting images")
    terminal.interrupt()
    ended = terminal.end()
    check("Ctrl-C stops a search while its images are selected", shown and ended.code == INTERRUPTED
          and "selecting images: cancelled" in ended.err, ended)


def test_one_writer_many_readers(place):
    place.collection("c", place.photographs("photos", 3))
    place.photographs("new", 6, first=3)
    writer = Blocked(place, "add", "c", "new", "--format", "json")
    writer.wait_for_handler(1)
    for words in ("add c photos", "remove c 1", "compact c", "check c --repair"):
        ended = place.run(*words.split())
        check(f"{words}: busy while another adds", ended.code == INPUT and str(writer.process.pid) in ended.err, ended)
    for words in ("info c", "search c photos/scene-000.png", "check c", "search c --id 2"):
        ended = place.run(*words.split())
        check(f"{words}: answered while another adds", ended.code == DONE, ended)
    ended = writer.end()
    check("the writer goes on undisturbed", ended.code == DONE and ended.json["added"] == 6, ended)
    check("afterwards another may write", place.run("remove", "c", 1).code == DONE)


run_tests(globals())
