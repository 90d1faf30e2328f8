"""Names and places that break careless programs: what goes in comes out again byte by byte, and terminals stay sane."""
import csv
import html.parser
import io
import os
import re
import shlex
import shutil
import subprocess
import time
import unicodedata

from support import DONE, INPUT, USAGE, check, photograph, png, program, run_tests

NAMES = {
    "blanks": b"a b  c.png",
    "blank first": b" a.png",
    "dash first": b"-x.png",
    "an option": b"--format=json.png",
    "at first": b"@list.png",
    "line feed": b"two\nlines.png",
    "carriage return": b"over\rwritten.png",
    "tab": b"tab\there.png",
    "colour": b"\x1b[31mred.png",
    "title": b"\x1b]0;owned\x07.png",
    "delete": b"del\x7f.png",
    "control above ASCII": b"csi\xc2\x9b31m.png",
    "composed": b"caf\xc3\xa9.png",
    "decomposed": b"cafe\xcc\x81.png",
    "no UTF-8": b"latin-\xe9\xff.png",
    "half a character": b"half\xe2\x82.png",
    "surrogate": b"sur\xed\xa0\x80.png",
    "replacement": b"rep\xef\xbf\xbd.png",
    "beyond the plane": b"\xf0\x9f\x97\xbf.png",
    "quotes": b"\"it's\".png",
    "comma": b"a,b;c.png",
    "shell": b"$(touch owned)`x`&|>.png",
    "markup": b"<b>&amp;.png",
    "pattern": b"*?[a].png",
    "backslash": b"back\\n.png",
    "per cent": b"100%s%n.png",
    "digits": b"17.png",
    "longest": b"n" * 251 + b".png",
}
FORMATS = ("text", "json", "csv")


def controls(text):
    """Control characters, and bytes that are no UTF-8, which a terminal must not get."""
    return [char for char in text if char != "\n" and unicodedata.category(char) in ("Cc", "Cs")]


def under(place, folder, name):
    return os.path.join(os.fsencode(place.folder), folder.encode(), name)


def odd_folder(place, folder="p"):
    """A folder with a photograph under each of the names: {what: path as bytes}."""
    (place / folder).mkdir()
    paths = {what: under(place, folder, name) for what, name in NAMES.items()}
    for i, path in enumerate(paths.values()):
        with open(path, "wb") as file:
            file.write(png(*photograph(i)))
    return paths


def original(record, key="path"):
    """The bytes of a path in JSON."""
    return bytes.fromhex(record[key + "_bytes"]) if key + "_bytes" in record else record[key].encode()


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def same(what, found, wanted):
    check(what, sorted(found) == sorted(wanted), f"{sorted(set(found) ^ set(wanted))}")


# ---- what goes in comes out ----


def test_round_trip(place):
    paths = odd_folder(place)
    place.collection()
    added = place.run("add", "c", "p")
    check("photographs of all names are added", f"added {len(NAMES)} images" in added.out and added.err == "", added)
    query = under(place, "p", NAMES["no UTF-8"])
    answers = {form: place.run("search", "c", query, "--format", form) for form in FORMATS}
    document, = answers["json"].json["queries"]
    same("JSON has all paths", map(original, document["results"]), paths.values())
    check("and that of the query", original(document, "query") == query, document["query"])
    check("with bytes beside it only where they are needed", {what for what, path in paths.items() for hit in
          document["results"] if original(hit) == path and "path_bytes" in hit} == {"no UTF-8", "half a character", "surrogate"})
    lines = rows(answers["csv"].out)
    same("CSV has all paths", [os.fsencode(line["path"]) for line in lines], paths.values())
    check("and that of the query", {os.fsencode(line["query"]) for line in lines} == {query})
    text = answers["text"]
    check("text has no control characters, but escapes", controls(text.out) == [] and all(
        escape in text.out for escape in ("two\\nlines", "tab\\there", "\\x1b[31mred", "\\xc2\\x9b31m", "latin-\\xe9\\xff")), text)
    check("and a line for each", text.out.count("\n") == len(NAMES) + 3, text)
    known = place.run("add", "c", *paths.values())
    check("each is known when it is named", f"unchanged  {len(NAMES)}" in known.out and known.code == DONE, known)
    for what, path in paths.items():
        found = place.run("search", "c", path, "--format", "json", "-k", 1).json["queries"][0]["results"]
        check(f"{what}: found by itself", original(found[0]) == path and found[0]["inliers"] > 20, found)
    gone = place.run("remove", "c", *paths.values(), "--format", "json")
    check("all can be removed by path", len(gone.json["removed"]) == len(NAMES), gone)


def test_relative_names(place):
    paths = odd_folder(place)
    place.collection()
    names = list(NAMES.values())
    safe = [b"./" + name if name[:1] in b"-@" else name for name in names]
    added = place.run("add", "../c", *safe, cwd=place / "p")
    check("in their folder names need ./ before - and @ only", f"added {len(names)} images" in added.out, added)
    marked = place.run("add", "../c", "--", *[b"./" + name if name[:1] == b"@" else name for name in names], cwd=place / "p")
    check("after -- a dash needs nothing", f"unchanged  {len(names)}" in marked.out and marked.code == DONE, marked)
    answer = place.run("search", "../c", *safe, "--format", "json", "-k", 1, cwd=place / "p")
    same("queries come back as they were given", [original(query, "query") for query in answer.json["queries"]], safe)
    same("results with absolute paths", [original(query["results"][0]) for query in answer.json["queries"]], paths.values())


def test_failures_of_odd_names(place):
    (place / "p").mkdir()
    paths = [under(place, "p", name) for name in NAMES.values()]
    for path in paths:
        with open(path, "wb") as file:
            file.write(b"no photograph")
    place.collection()
    place.photograph("good.png", 1)
    outcomes = {
        "add of a folder": place.run("add", "c", "p", "--errors", "e.csv"),
        "add of files": place.run("add", "c", *paths),
        "search": place.run("search", "c", *paths),
        "verify": place.run("verify", "good.png", paths[8]),
        "remove": place.run("remove", "c", *paths),
        "info": place.run("info", paths[8]),
        "init": place.run("init", paths[8], "--model", "none"),
        "an unknown option": place.run("add", b"--\x1b[31m"),
        "an unknown command": place.run(b"\x1b[31m"),
        "a bad value": place.run("search", "c", "good.png", b"-k\x1b[31m"),
        "a bad choice": place.run("search", "c", "good.png", b"--format=\x1b[31m\xff"),
        "a missing report folder": place.run("search", "c", "good.png", b"--report=\x1b[31m/r.html"),
        "a missing list": place.run("add", "c", b"@\x1b[31m\xc2\x9b"),
        "missing labels": place.run("add", "c", "good.png", b"--labels=\x1b[31m\xc2\x9b"),
    }
    for what, outcome in outcomes.items():
        check(f"{what}: a message without control characters", outcome.err != "" and controls(outcome.out + outcome.err) == [],
              repr(outcome.err))
    told = rows((place / "e.csv").read_bytes().decode("utf-8", "surrogateescape"))
    same("--errors has all paths", [os.fsencode(row["path"]) for row in told], paths)
    check("its messages are one line each, and name the file", all("\n" not in row["message"] and controls(row["message"]) == []
                                                                  for row in told), told)
    shown = outcomes["search"].err
    check("search names each", all(escape in shown for escape in (
        "two\\nlines.png: not an image", "\\x1b[31mred.png: ", "latin-\\xe9\\xff.png: ", "csi\\xc2\\x9b31m.png: ", "café.png: ")), shown)
    failed = place.run("search", "c", paths[8], "--format", "json").json["queries"][0]
    check("JSON has path and reason", original(failed, "query") == paths[8] and "\\x1b[31mred.png: not" in failed["error"], failed)


class Words(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.words, self.tags = "", set()
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)

    def handle_data(self, data):
        self.words += data


def test_labels_and_report(place):
    odd_folder(place, "label \x1b[31m\n")
    place.collection()
    folder = place / "label \x1b[31m\n"
    latin = place / os.fsdecode(b"latin-\xe9")
    latin.mkdir()
    place.photograph(f"{latin.name}/a.png", 99)
    added = place.run("add", "c", folder, latin, "--label-from", "parent")
    check("labels from odd folders", f"added {len(NAMES) + 1} images" in added.out, added)
    answers = {form: place.run("search", "c", latin / "a.png", "--format", form) for form in FORMATS}
    results = answers["json"].json["queries"][0]["results"]
    check("JSON has them", {original(hit, "label") for hit in results} == {b"label \x1b[31m\n", b"latin-\xe9"}, results[0])
    check("so has CSV", {os.fsencode(row["label"]) for row in rows(answers["csv"].out)} == {b"label \x1b[31m\n", b"latin-\xe9"})
    check("text shows escapes", controls(answers["text"].out) == [] and "[label \\x1b[31m\\n]" in answers["text"].out
          and "[latin-\\xe9]" in answers["text"].out, answers["text"])
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["path", "label"])
    for name in NAMES.values():
        writer.writerow([os.fsdecode(under(place, folder.name, name)), os.fsdecode(name)])
    place.write("l.csv", table.getvalue().encode("utf-8", "surrogateescape"))
    relabelled = place.run("add", "c", folder, "--labels", "l.csv")
    check("labels for odd paths from a CSV file", f"relabelled {len(NAMES)}" in relabelled.out, relabelled)
    report = os.fsencode(place.folder) + b"/r \x1b[31m\xff.html"
    page = place.run("search", "c", latin / "a.png", "--report", report)
    check("a report of an odd name is written, and told", page.code == DONE and os.path.exists(report)
          and controls(page.err) == [] and "r \\x1b[31m\\xff.html" in page.err, page)
    with open(report, "rb") as file:
        words = Words(file.read().decode())
    check("its names stay text", "<b>&amp;.png" in words.words and "b" not in words.tags and "café.png" in words.words)
    check("no name was run", not (place / "owned").exists() and not (folder / "owned").exists())


# ---- what looks like something else ----


def test_dash(place):
    place.photograph("-x.png", 1)
    place.collection()
    told = place.run("add", "c", "-x.png")
    check("a file that looks like an option: how to write it", told.code == USAGE and "the file of that name is written './-x.png'"
          in told.err, told)
    check("an option that is none, as ever", "file" not in place.run("add", "c", "-y.png").err.splitlines()[0])
    check("./ helps", place.run("add", "c", "./-x.png").code == DONE)
    check("so does --", "unchanged  1" in place.run("add", "--", "c", "-x.png").out)
    check("after the other operands too", "unchanged  1" in place.run("add", "c", "--", "-x.png").out)
    made = place.run("init", "--model", "none", "--", "-c")
    check("a collection with a dash", made.code == DONE and "cairn add ./-c PATH" in made.err, made)


def test_at(place):
    place.photograph("@at.png", 1)
    place.photograph("plain.png", 2)
    place.collection()
    missing = place.run("add", "c", "@nothing.png", "plain.png")
    check("a list that is not there: what was taken for a list", missing.code == INPUT and
          "'@nothing.png' names a list (a file of that name is written './@nothing.png')" in missing.err
          and "No such file" in missing.err and "added 1 image" in missing.out, missing)
    picture = place.run("add", "c", "@plain.png")
    check("a list that is a photograph is refused as one", picture.code == INPUT and "a path a line" in picture.err
          and picture.err.count("\n") == 2 and "added 0 images" in picture.out, picture)
    check("a file with an @", "added 1 image" in place.run("add", "c", "./@at.png").out)
    place.write("list.txt", "@at.png\n -x \nplain.png")
    listed = place.run("add", "c", "@list.txt")
    check("in a list an @ is a name, blanks belong to it, and the last line needs no end", "unchanged  2" in listed.out
          and " -x '" in listed.err and listed.code == DONE, listed)
    place.write("marked.txt", "\ufeffplain.png\n")
    marked = place.run("add", "c", "@marked.txt")
    check("a byte order mark before a list is none of its names", "unchanged  1" in marked.out and marked.code == DONE, marked)
    piped = place.run("add", "c", "@/dev/stdin", input=os.fsencode(place / "plain.png") + b"\n")
    check("a list through a pipe", piped.code == DONE and "unchanged  1" in piped.out, piped)
    (place / "folder").mkdir()
    folder = place.run("add", "c", "@folder")
    check("a list that is a folder", folder.code == INPUT and "folder: Is a directory" in folder.err, folder)


def test_forms_of_unicode(place):
    composed, decomposed = "caf\u00e9.png", "cafe\u0301.png"
    place.photograph(f"p/{composed}", 1)
    place.photograph(f"p/{decomposed}", 2)
    place.collection()
    check("two files whose names look alike are two", "added 2 images" in place.run("add", "c", "p").out)
    check("the one that is named is removed", place.run("remove", "c", f"p/{composed}", "--format", "json").json == {"removed": [2]})
    left = place.run("search", "c", "--id", 1, "--format", "json").json["queries"][0]
    check("the other stays", left["query"].endswith(decomposed), left)


def test_empty_words(place):
    photo = place.photograph("a.png", 1)
    place.collection("c", [photo])
    for words in (("add", "c", ""), ("add", "", photo), ("search", "c", ""), ("verify", photo, ""), ("info", ""), ("init", ""),
                  ("remove", "c", ""), ("check", ""), ("compact", ""), ("search", "c", photo, "--report", ""),
                  ("add", "c", photo, "--errors="), ("add", "c", photo, "--labels", ""), ("verify", photo, photo, "--draw", ""),
                  ("init", "n", "--model", ""), ("init", "n", "--local="), ("info", "c", "--home", ""), ("search", "c", "--id", "")):
        refused = place.run(*words)
        check(f"{' '.join(str(word) or repr('') for word in words)[-50:]}: empty", refused.code == USAGE and "empty" in
              refused.err and refused.out == "", refused)
    place.write("list.txt", "\n\n\r\n")
    blank = place.run("add", "c", "@list.txt")
    check("a list of empty lines has no image", blank.code == DONE and "no image was found" in blank.err, blank)


# ---- where things are ----


def test_ways_to_a_place(place):
    photo = place.photograph("p/sub/a.png", 1)
    place.collection("c", [photo])
    for folder, words in ((".", "p"), (".", "./p/"), (".", "p//sub/../sub/./a.png"), (".", "p p/sub p/sub/a.png ./p"),
                          (".", photo), ("p", "."), ("p", "sub"), ("p/sub", ".."), ("p/sub", "a.png ./a.png"), ("c", "../p")):
        known = place.run("add", place / "c", *str(words).split(), cwd=place / folder)
        check(f"in {folder}: {str(words)[-40:]}", known.code == DONE and "unchanged  1" in known.out and "failed" not in known.out, known)
    for folder, name in ((".", "c/"), (".", "./c//"), ("c", "."), ("c/segments", ".."), ("p", "../c"), ("p", "sub/../../c")):
        known = place.run("info", name, cwd=place / folder)
        check(f"the collection as {name} in {folder}", known.code == DONE and f"collection  {place / 'c'}\n" in known.out, known)


def test_above_a_link(place):
    place.photograph("real/a.png", 1)
    place.photograph("else/a.png", 2)
    (place / "real/sub").mkdir()
    os.symlink(place / "real/sub", place / "else/link")
    place.collection()
    place.run("add", "c", "else/link/../a.png")
    found = place.run("search", "c", "else/link/../a.png", "--format", "json").json["queries"][0]["results"]
    check("link/.. is the folder above the link's target, as the system has it", found[0]["path"] == str(place / "real/a.png")
          and found[0]["inliers"] > 20, found)


def test_odd_collections(place):
    photo = place.photograph("p/a.png", 1)
    for name in ("my photos", "50% #1?&c=d", "päth/\u65e5\u672c", "it's \"quoted\"", "line\nfeed", "\x1b[31m", "-dash", "tab\t",
                 os.fsdecode(b"latin-\xe9\xff"), "n" * 255, "@at", "c;touch owned"):
        made = place.run("init", "--model", "none", "--", name)
        what = ascii(name)[:40]
        suggested = re.search(r"cairn add (.*) PATH\.\.\.\n", made.err)
        if not controls(name) and "\n" not in name:
            word, = shlex.split(suggested.group(1))
            check(f"{what}: the suggestion can be typed", os.path.samefile(place / word, place / name), made)
        whole = place / name
        outcomes = [place.run(*words) for words in (
            ("add", whole, "p"), ("search", whole, photo), ("remove", whole, 1), ("add", whole, "p"), ("compact", whole),
            ("check", whole), ("info", whole))]
        check(f"{what}: all commands", made.code == DONE and all(outcome.code == DONE for outcome in outcomes),
              "\n".join(map(str, outcomes)))
        check(f"{what}: no control characters", not any(controls(outcome.out + outcome.err) for outcome in [made, *outcomes]))
        document = place.run("info", whole, "--format", "json").json
        check(f"{what}: JSON has it", original(document, "folder") == os.fsencode(whole), document)
        os.rename(place / name, place / "moved")
        found = place.run("search", "moved", photo)
        check(f"{what}: and it can be moved", found.code == DONE and ": 1 found" in found.out, found)
        place.remove("moved")
    check("no name was run", not (place / "owned").exists())


def test_one_inside_the_other(place):
    place.photographs("p", 2)
    place.collection("p/c", ["p"])
    check("a collection among its photographs", "2 images, no fault" in place.run("check", "p/c").out)
    again = place.run("add", "p/c", "p")
    check("none of its own files is taken", "unchanged  2" in again.out and "failed" not in again.out, again)
    place.photographs("p/c/more", 1, first=5)
    inside = place.run("add", "p/c", "p/c")
    check("photographs in a collection's folder", "added 1 image" in inside.out, inside)
    place.run("compact", "p/c")
    check("stay, and are no fault", place.run("check", "p/c", "--repair").out == "3 images, no fault\n" and
          (place / "p/c/more/scene-005.png").exists())
    refused = place.run("init", "p", "--model", "none")
    check("a folder of photographs is not made a collection", refused.code == INPUT and "is not empty" in refused.err, refused)


def test_deep(place):
    """As deep as paths go, and deeper."""
    top = place / "top"
    start = os.open(".", os.O_RDONLY)
    os.chdir(place.folder)
    try:
        os.mkdir("top")
        os.chdir("top")
        count = 0
        for depth in range(30):
            with open("x.png", "wb") as file:
                file.write(png(*photograph(depth, (80, 60))))
            os.mkdir("n" * 200)
            os.chdir("n" * 200)
            count += len(str(top)) + 201 * depth + len("/x.png") < 4096
        place.collection()
        added = place.run("add", "c", top)
        check("photographs are added as deep as paths go", f"added {count} images" in added.out and count > 15, added.out)
        check("what lies deeper is told, with the reason", added.code == DONE and
              re.search(r"failed +1\n", added.out) and added.err.count("File name too long\n") == 1, added)
        whole = place.run("add", place / "c", "x.png", cwd=".")
        check("a working folder that is too deep is told", whole.code == INPUT and "path of the current folder has more than"
              in whole.err, whole)
    finally:
        os.fchdir(start)
        os.close(start)
    missing = place.run("search", "c", "/" + "m/" * 2040 + "x.png")
    check("the reason is told behind the longest path", missing.err.endswith("x.png: No such file or directory\n")
          and " ... " in missing.err, missing)


def test_folder_that_is_gone(place):
    (place / "gone").mkdir()
    place.collection("c", place.photographs("p", 1))
    words = [program, "add", str(place / "c")]
    for path, code, message in (("a.png", INPUT, "the current folder: No such file"), (str(place / "p"), DONE, "")):
        (place / "gone").mkdir(exist_ok=True)
        done = subprocess.run(["sh", "-c", 'cd gone && rmdir ../gone && exec "$@"', "sh", *words, path], cwd=place.folder,
                              env=place.environ(), capture_output=True, text=True, timeout=60)
        check(f"a working folder that was deleted, and {'a relative' if code else 'an absolute'} path", done.returncode == code
              and message in done.stderr, done)


def test_many(place):
    count = 2500
    for i in range(count):
        place.write(f"p/{i % 10}/{i:05}.png", png(16, 16, (i.to_bytes(3, "big") * 256)))
    place.collection()
    start = time.monotonic()
    first = place.run("add", "c", "p", environment={"CAIRN_PROGRESS": "0.2"})
    seconds = time.monotonic() - start
    check(f"{count} small files in {seconds:.1f} s", f"added {count} images" in first.out and seconds < 40, first)
    shown = [int(number) for number in re.findall(rf"describing images: (\d+) of {count} ", first.err)]
    check("with progress that grows", shown and shown == sorted(shown), first.err[-500:])
    start = time.monotonic()
    again = place.run("add", "c", "p")
    check("again in no time", f"unchanged  {count}" in again.out and time.monotonic() - start < 10, again)
    paths = [f"p/{i % 10}/{i:05}.png" for i in range(0, count, 2)]
    named = place.run("add", "c", *paths, *paths)
    check("many on the command line, each twice", f"unchanged  {len(paths)}\n" in named.out and named.code == DONE, named)
    found = place.run("search", "c", paths[7], "-k", count, "--format", "csv")
    check("a search gives all of them", found.out.count("\n") == count + 1 and found.code == DONE, found.err)
    shutil.rmtree(place / "p/3")
    check("a folder that is gone is no failure", f"unchanged  {count * 9 // 10}" in place.run("add", "c", "p").out)


run_tests(globals())
