"""The commands that keep a collection: init, add, remove, compact, check, info."""
import csv
import os
import random
import re
import resource
import shutil

from support import DAMAGED, DONE, INPUT, check, photograph, png, run_tests

COUNTS = ("added", "updated", "moved", "duplicate", "relabelled", "unchanged", "failed")
INFO = {"folder", "images", "removed", "labelled", "rows", "segments", "bytes", "dim", "models", "locals", "detector",
        "structures"}
COMPACT = {"images", "cleared", "segments_before", "segments", "bytes_before", "bytes"}


def add(place, *words):
    """What an add counted, without zeros, after checks that hold for every add."""
    done = place.run("add", *words, "--format", "json")
    report = done.json
    complete = set(report) == {*COUNTS, "interrupted", "seconds"}
    if not complete or report["interrupted"] or report["seconds"] < 0:
        check(f"add {words} reports all its members", False, done)
    return {name: report[name] for name in COUNTS if report[name]}


def info(place, name="c"):
    return place.run("info", name, "--format", "json").json


def labels(place, name="c"):
    """The labels of all images, by file name."""
    answers = place.run("search", name, "--id", 1, "--id", 2, "--format", "json").json["queries"]
    return {os.path.basename(hit["path"]): hit["label"] for answer in answers for hit in answer["results"]}


def scores(place, photo):
    """What a search with `photo` finds: score by id."""
    results = place.run("search", "c", photo, "--format", "json").json["queries"][0]["results"]
    return {hit["id"]: hit["score"] for hit in results}


# ---- init ----


def test_init(place):
    made = place.run("init", "c", "--model", "none")
    check("init says what it made and what comes next", made.code == DONE and made.out == "" and
          "made the collection c: no global descriptor, rootsift" in made.err and "cairn add c PATH" in made.err, made)
    empty = info(place)
    check("it is empty", empty["images"] == 0 and empty["locals"] == ["rootsift"] and empty["models"] == [], empty)
    check("and clean", place.run("check", "c").code == DONE)
    check("--quiet says nothing", place.run("init", "q", "--model", "none", "-q").err == "")
    (place / "there").mkdir()
    check("an empty folder will do", place.run("init", "there", "--model", "none").code == DONE)
    check("folders above are made", place.run("init", "x/y/z", "--model", "none").code == DONE)


# Command line, and what the message must hold.
REFUSED_INITS = (
    ("init c --model none", "is a collection already"),
    ("init full --model none", "is not empty (it holds 'note.txt')"),
    ("init full/note.txt --model none", "this is a file"),
    ("init full/note.txt/c --model none", "note.txt"),
    ("init new", "cairn model install efficientnet-lite0"),
    ("init new --model nothing", "no model 'nothing'"),
    ("init new --model none --local surf", "no model 'surf'"),
)


def test_init_refuses(place):
    place.collection()
    place.write("full/note.txt", "mine")
    for words, message in REFUSED_INITS:
        refused = place.run(*words.split())
        check(f"{words}: {message}", refused.code == INPUT and message in refused.err and refused.err.count("\n") == 1, refused)
    check("nothing is left behind", sorted(os.listdir(place.folder)) == ["c", "full", "home"], os.listdir(place.folder))
    check("what was there is untouched", (place / "full/note.txt").read_text() == "mine")


def test_no_collection(place):
    (place / "empty").mkdir()
    place.write("file", "x")
    for words in ("add {} file", "remove {} 1", "compact {}", "check {}", "info {}", "search {} file", "eval roxford {} file"):
        for name in ("nothing", "empty", "file"):
            refused = place.run(*words.format(name).split())
            check(f"{words.format(name)}: no collection", refused.code == INPUT and "is no collection; 'cairn init' makes one"
                  in refused.err and refused.out == "", refused)
    check("and none is made by that", os.listdir(place / "empty") == [])


# ---- add ----


def test_add_text(place):
    place.photographs("p", 3)
    place.write("p/broken.jpg", "no photograph")
    place.write("p/note.txt", "not even called one")
    place.collection()
    first = place.run("add", "c", "p")
    check("add tells what it added", re.match(r"added 3 images in \d+\.\d s \(\d+\.\d/s\)\n  failed +1\n$", first.out), first)
    check("and names what it could not read", first.code == DONE and "1 could not be read:\n" in first.err
          and "broken.jpg: not an image" in first.err and "note.txt" not in first.err, first)
    again = place.run("add", "c", "p")
    check("a second add finds all unchanged", re.match(r"added 0 images in \d+\.\d s\n  unchanged +3\n", again.out), again)


def test_add_knows_what_is_in(place):
    photos = place.photographs("p", 4)
    place.collection()
    check("new photographs", add(place, "c", "p") == {"added": 4})
    check("the same command again", add(place, "c", "p") == {"unchanged": 4})
    check("a single file of them, twice", add(place, "c", photos[0], "p/../p/scene-000.png") == {"unchanged": 1})
    os.rename(photos[0], place / "p/renamed.png")
    check("a renamed file is moved", add(place, "c", "p") == {"moved": 1, "unchanged": 3})
    place.photograph("p/scene-001.png", 77, size=(200, 100))
    check("a changed file is updated", add(place, "c", "p") == {"updated": 1, "unchanged": 3})
    shutil.copy(photos[2], place / "p/copy.png")
    check("a copy is a duplicate", add(place, "c", "p") == {"duplicate": 1, "unchanged": 4})
    os.unlink(photos[3])
    check("a deleted file stays in", add(place, "c", "p") == {"duplicate": 1, "unchanged": 3})
    place.write("p/broken.png", png(*photograph(5))[:300])
    check("a broken one fails, each time", [add(place, "c", "p").get("failed") for _ in range(2)] == [1, 1])
    known = info(place)
    check("info counts four, and the one that was replaced as removed", (known["images"], known["removed"]) == (4, 1), known)
    found = place.run("search", "c", place / "p/renamed.png", "--k", 1, "--format", "json").json["queries"][0]["results"]
    check("a search gives the new path", found[0]["path"] == str(place / "p/renamed.png"), found)


def test_add_touched_file(place):
    photo, = place.photographs("p", 1)
    place.collection("c", [photo])
    os.utime(photo, (1e9, 1e9))
    check("a new time on the same content changes nothing", add(place, "c", "p") == {"unchanged": 1})


def test_add_lists(place):
    place.photographs("p", 3)
    place.write("list.txt", f"p/scene-000.png\n\n{place / 'p/scene-001.png'}\np/nothing.png\n")
    place.write("p/list.txt", "scene-002.png\n")
    place.collection()
    listed = place.run("add", "c", "@list.txt", "--format", "json")
    check("a list of paths: what is missing is told, and no failure", listed.code == DONE and listed.json["added"] == 2
          and listed.json["failed"] == 1 and "nothing.png" in listed.err, listed)
    check("paths count from the folder of the list", add(place, "c", "@p/list.txt") == {"added": 1})
    missing = place.run("add", "c", "@nothing.txt")
    check("a list that is missing is told", missing.code == INPUT and "nothing.txt" in missing.err, missing)


def test_add_exit_codes(place):
    place.photographs("p", 1)
    place.write("p/broken.jpg", "no photograph")
    place.write("note.txt", "text")
    place.collection()
    for words, code in (("p", DONE), ("p/broken.jpg", INPUT), ("p p/broken.jpg", INPUT), ("nothing.jpg p", INPUT),
                        ("note.txt", INPUT), ("p/scene-000.png", DONE)):
        done = place.run("add", "c", *words.split())
        check(f"add {words} ends with {code}", done.code == code, done)


def test_outputs_spare_other_files(place):
    photos = place.photographs("p", 3)
    place.collection("c", ["p"])
    before = [open(photo, "rb").read() for photo in photos] + [(place / "c/catalogue.sqlite").read_bytes()]
    for words in (f"add c p --errors {photos[0]}", "add c p --errors c/catalogue.sqlite", f"search c {photos[0]} --report {photos[1]}",
                  f"verify {photos[0]} {photos[1]} --draw {photos[1]}"):
        refused = place.run(*words.split())
        check(f"refused: {words.split()[0]} {words.split()[-2]}", refused.code == INPUT and "give another name" in refused.err
              and refused.out == "", refused)
    check("no file is changed", before == [open(photo, "rb").read() for photo in photos] + [(place / "c/catalogue.sqlite").read_bytes()])
    place.write("old.html", "old")
    place.write("old.csv", "old")
    check("an old report is overwritten", place.run("search", "c", photos[0], "--report", "old.html").code == DONE
          and (place / "old.html").read_text() != "old")
    check("and an old list", place.run("add", "c", "p", "--errors", "old.csv").code == DONE and (place / "old.csv").read_text() != "old")


def test_labels_of_no_image(place):
    place.photographs("p", 2)
    place.write("labels.csv", "path,label\np/scene-000.png,tower\nscene-001.png,bridge\nnothing.png,bridge\n")
    place.collection()
    done = place.run("add", "c", "p", "--labels", "labels.csv")
    check("labels of no image are counted", done.code == DONE and "labels.csv: 2 of 3 labels are of no image" in done.err, done)
    place.write("good.csv", "path,label\np/scene-000.png,tower\n")
    check("and not where there are none", "labels are" not in place.run("add", "c", "p", "--labels", "good.csv").err)


def test_add_errors_file(place):
    place.photographs("p", 2)
    bad = [place.write(f"p/bad, \"{i}\".jpg", "no") for i in range(12)]
    place.collection()
    done = place.run("add", "c", "p", "--errors", "e.csv")
    with open(place / "e.csv", newline="") as file:
        header, *rows = list(csv.reader(file))
    check("--errors has path, status and message of each", header == ["path", "status", "message"] and {row[0] for row in rows}
          == set(map(str, bad)) and all(row[1] == "CAIRN_EFORMAT" and "not an image" in row[2] for row in rows), rows)
    check("stderr shows ten and says where all are", done.err.count("not an image") == 10 and "all of them are in e.csv"
          in done.err, done)
    check("and how to have such a file", "and 2 more; --errors FILE.csv" in place.run("add", "c", "p").err)
    before = info(place)
    refused = place.run("add", "c", "p", "--errors", "nowhere/e.csv")
    check("a file that cannot be written is told before the work", refused.code == INPUT and "nowhere/e.csv" in refused.err
          and refused.out == "" and info(place) == before, refused)


def test_add_limits(place):
    place.photograph("p/large.png", 1, size=(300, 200))
    place.photograph("p/small.png", 2, size=(100, 80))
    cut = png(160, 120, random.Random(3).randbytes(160 * 120 * 3))
    place.write("p/cut.png", cut[:len(cut) * 9 // 10])
    for option, added, status in (
            (("--max-pixels", 10000), 1, "CAIRN_ELIMIT"), (("--max-pixels", 60000), 2, "CAIRN_EFORMAT"),
            (("--max-bytes", 3000), 1, "CAIRN_ELIMIT"), (("--lenient",), 3, None)):
        name = "-".join(map(str, option)).strip("-")
        place.collection(name)
        report = place.run("add", name, "p", *option, "--errors", "e.csv", "--format", "json").json
        errors = (place / "e.csv").read_text()
        check(f"add {' '.join(map(str, option))}", report["added"] == added and (status or "path,") in errors, f"{report}\n{errors}")


def test_add_batches_and_threads(place):
    place.photographs("p", 7)
    for threads in (1, 2, 5):
        place.collection(f"c{threads}")
        add(place, f"c{threads}", "p", "--batch", 3, "--threads", threads)
        check(f"--batch 3 of 7 images makes 3 segments with {threads} threads", info(place, f"c{threads}")["segments"] == 3)
    contents = [{path.name: path.read_bytes() for path in (place / name / "segments").iterdir()} for name in ("c1", "c2", "c5")]
    check("the number of threads changes no byte", contents[0] == contents[1] == contents[2])


# ---- labels ----


def test_labels(place):
    place.photographs("p/alpha", 2)
    place.photographs("p/beta", 1, first=2)
    place.collection()
    check("labels from the parent folder", add(place, "c", "p", "--label-from", "parent") == {"added": 3})
    check("each image has that of its folder", labels(place) == {
        "scene-000.png": "alpha", "scene-001.png": "alpha", "scene-002.png": "beta"}, labels(place))
    check("info counts them", info(place)["labelled"] == 3)
    place.write("l.csv", 'extra,label,path\n1,"Notre-Dame, Paris",p/alpha/scene-000.png\n2,,p/beta/scene-002.png\n')
    check("labels from a CSV file", add(place, "c", "p", "--labels", "l.csv") == {"relabelled": 2, "unchanged": 3})
    check("one changed, one taken away, one as it was", labels(place) == {
        "scene-000.png": "Notre-Dame, Paris", "scene-001.png": "alpha", "scene-002.png": None}, labels(place))
    check("the CSV goes before the folder", add(place, "c", "p", "--labels", "l.csv", "--label-from", "parent")
          == {"unchanged": 3}, labels(place))
    check("the same file again changes nothing", add(place, "c", "p", "--labels", "l.csv") == {"unchanged": 3})
    place.write("p/l.csv", "image,label\nalpha/scene-001.png,tower\n")
    check("paths count from the CSV's folder, and the column may be image", add(place, "c", "p", "--labels", "p/l.csv")
          == {"relabelled": 1, "unchanged": 3} and labels(place)["scene-001.png"] == "tower")
    text = place.run("search", "c", "--id", 3).out
    check("a search shows them in brackets", "[Notre-Dame, Paris]" in text and "[tower]" in text, text)


BAD_LABELS = (
    ("nothing.csv", None, "nothing.csv"),
    ("empty.csv", "", "empty.csv"),
    ("columns.csv", "a,b\n1,2\n", "columns.csv:1: no column 'path'"),
    ("label.csv", "path,name\np,x\n", "no column 'label'"),
    ("fields.csv", "path,label\np,x\np,y,z\n", "fields.csv:3: 3 fields where the first line has 2"),
    ("quote.csv", 'path,label\np,"x\n', "quote.csv:"),
)


def test_faulty_labels(place):
    place.photographs("p", 1)
    place.collection()
    for name, content, message in BAD_LABELS:
        if content is not None:
            place.write(name, content)
        refused = place.run("add", "c", "p", "--labels", name)
        check(f"--labels {name}: {message}", refused.code == INPUT and message in refused.err and refused.out == "", refused)
    check("nothing was added", info(place)["images"] == 0)


# ---- remove, compact, info ----


def test_remove(place):
    photos = place.photographs("p", 6)
    place.collection("c", photos)
    for words, faults in (("1 99", ["image 99"]), ("1 p/nothing.png", [f"image of the path '{place}/p/nothing.png'"]),
                          ("99 p 1", ["image 99", f"image of the path '{place}/p'"]), ("0", ["image 0"])):
        refused = place.run("remove", "c", *words.split())
        wanted = [f"cairn: '{place}/c' has no {fault}" for fault in faults]
        check(f"remove {words}: nothing was removed", refused.code == INPUT and refused.err.splitlines()[:-1] == wanted
              and refused.err.endswith("nothing was removed\n") and info(place)["images"] == 6, refused)
    done = place.run("remove", "c", 3, "p/scene-000.png", 3, photos[0], "--format", "json")
    check("by id and by path, each once", done.code == DONE and done.json == {"removed": [1, 3]}, done)
    done = place.run("remove", "c", 2)
    check("text", done.out == "removed 1 image; 'cairn compact' frees the space\n", done)
    again = place.run("remove", "c", 2)
    check("what is removed is unknown", again.code == INPUT and "has no image 2" in again.err, again)
    known = info(place)
    check("info counts what stays and what was removed", (known["images"], known["removed"]) == (3, 3), known)
    check("the files stay", all(path.exists() for path in photos))
    found = place.run("search", "c", photos[0], "--format", "json").json["queries"][0]["results"]
    check("a search finds the others only", sorted(hit["id"] for hit in found) == [4, 5, 6], found)
    check("add brings them back under new ids", add(place, "c", "p") == {"added": 3, "unchanged": 3})
    place.photograph("7", 7)
    add(place, "c", "7")
    check("digits are an id, with a folder a path", place.run("remove", "c", "./7", "--format", "json").json == {"removed": [10]})


def test_compact(place):
    photos = place.photographs("p", 5)
    place.collection("c", photos, add=("--batch", 2))
    before = scores(place, photos[4])
    place.run("remove", "c", 1, 2)
    done = place.run("compact", "c", "--format", "json")
    report = done.json
    check("compact reports all its members", set(report) == COMPACT, done)
    check("it clears what was removed, into one segment", (report["images"], report["cleared"], report["segments_before"],
                                                            report["segments"]) == (3, 2, 3, 1), report)
    check("which takes less space", 0 < report["bytes"] < report["bytes_before"], report)
    after = scores(place, photos[4])
    check("ids and scores stay", after == {number: before[number] for number in (3, 4, 5)}, f"{before} {after}")
    check("the collection is clean", place.run("check", "c").code == DONE)
    again = place.run("compact", "c")
    check("again there is nothing to clear", again.code == DONE and again.out.startswith("cleared 0 removed images: 1 segment"),
          again)


def test_info(place):
    place.collection("c", place.photographs("p", 2), add=("--label-from", "parent"))
    known = info(place)
    check("info has all its members", set(known) == INFO, known)
    check("with their values", known["folder"] == str(place / "c") and known["images"] == 2 and known["labelled"] == 2
          and known["segments"] == 1 and known["dim"] == 0 and known["rows"] == 0, known)
    size = sum(path.stat().st_size for path in (place / "c").rglob("*") if path.is_file() and path.suffix in (".features",))
    check("bytes are those of its files, at least", known["bytes"] >= size > 0, known)
    place.run("remove", "c", 1)
    text = place.run("info", "c").out
    for line in (f"collection  {place / 'c'}", "images      1 (and 1 removed; 'cairn compact' frees them)", "labelled    1",
                 "descriptor  none", "features    rootsift"):
        check(f"info as text: {line.split()[0]}", line in text.splitlines(), text)
    check("a path through a link and with a slash", place.run("info", "./c/").out == text)


# ---- check ----


def damage(path, at=-100):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


def test_check_and_repair(place):
    place.collection("c", place.photographs("p", 6), add=("--batch", 3))
    clean = place.run("check", "c")
    check("a clean collection", clean.code == DONE and clean.out == "6 images, no fault\n", clean)
    check("as JSON", place.run("check", "c", "--format", "json").json == {"images": 6, "faults": [], "notes": [], "dropped": 0,
                                                                          "remaining": 0})
    segment = place / "c/segments/00000002.rootsift.features"
    damage(segment)
    found = place.run("check", "c")
    check("a changed bit is a fault: code 3, file and remedy", found.code == DAMAGED and "00000002.rootsift.features" in found.out
          and "1 fault found, 0 repaired" in found.out and "--drop FILE.csv" in found.err and "--repair" not in found.err, found)
    document = place.run("check", "c", "--format", "json").json
    check("as JSON: file, fault, state", document["remaining"] == 1 and document["faults"][0].keys() ==
          {"file", "fault", "state"} and document["faults"][0]["state"] == "droppable", document)
    check("checking changes nothing", place.run("check", "c").code == DAMAGED)
    repaired = place.run("check", "c", "--repair")
    check("--repair forgets no image", repaired.code == DAMAGED and "6 images, 1 fault found, 0 repaired" in repaired.out, repaired)
    place.write("labels.csv", "path,label\np/scene-003.png,tower\n")
    check("a label of a damaged segment", add(place, "c", "p", "--labels", "labels.csv") == {"relabelled": 1, "unchanged": 6})
    place.write("there.csv", "path,label\n")
    refused = place.run("check", "c", "--drop", "there.csv")
    check("--drop writes over no file", refused.code == INPUT and "there.csv" in refused.err
          and place.run("check", "c").out.endswith("6 images, 1 fault found, 0 repaired\n"), refused)
    dropped = place.run("check", "c", "--drop", "dropped.csv")
    check("--drop forgets the images, and says how many", dropped.code == DONE and "(dropped with its images)" in dropped.out
          and "3 images dropped" in dropped.out, dropped)
    kept = (place / "dropped.csv").read_text().splitlines()
    check("the file has their paths and labels", len(kept) == 4 and kept[0] == "path,label"
          and [line.rsplit(",", 1)[1] for line in kept[1:]].count("tower") == 1, kept)
    check("what is left is clean", place.run("check", "c").out == "3 images, no fault\n")
    check("where nothing is dropped, no file is made", place.run("check", "c", "--drop", "none.csv").code == DONE
          and not (place / "none.csv").exists())
    check("add describes those images again, with their labels", add(place, "c", "p", "--labels", "dropped.csv") ==
          {"added": 3, "unchanged": 3} and place.run("info", "c", "--format", "json").json["labelled"] == 1)
    check("and the whole is clean", place.run("check", "c").out == "6 images, no fault\n")


def test_damaged_segment_elsewhere(place):
    photos = place.photographs("p", 2)
    place.collection("c", photos)
    damage(place / "c/segments/00000001.rootsift.features")
    found = place.run("search", "c", photos[0])
    check("a search that meets damage ends with 3 and names the file", found.code == DAMAGED
          and "00000001.rootsift.features" in found.err, found)


def test_limited_files(place):
    place.collection("c")
    place.photographs("p", 20)
    before = os.listdir(place / "c/segments")
    limited = place.run("add", "c", "p", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)))
    check("files that must not grow further end add with a message", limited.code == INPUT and "00000001.rootsift" in limited.err,
          limited)
    check("and nothing is left of it", os.listdir(place / "c/segments") == before, os.listdir(place / "c/segments"))
    check("without the limit it is done", place.run("add", "c", "p").code == DONE and place.run("check", "c").code == DONE)


run_tests(globals())
