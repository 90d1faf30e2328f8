"""Collections in trouble: empty, damaged, of another version, locked away, without their photographs or models."""
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys

from odd_photos import another_user
from support import DAMAGED, DONE, INPUT, USAGE, check, photograph, png, run_tests, skip

PROVEN = 20  # more inliers than chance gives
TINY = ("--model", "tiny")


def add(place, *words, collection="c"):
    """What an add counted, without zeros."""
    done = place.run("add", collection, *words, "--format", "json")
    if done.code != DONE:
        check(f"add {words} ends well", False, done)
        return {}
    return {name: count for name, count in done.json.items() if count and name not in ("seconds", "interrupted")}


def results(place, *words, collection="c"):
    answer = place.run("search", collection, *words, "--format", "json")
    if answer.code != DONE:
        check(f"search {words} ends well", False, answer)
        return []
    return answer.json["queries"][0]["results"]


def known(place, collection="c"):
    return place.run("info", collection, "--format", "json").json


def contents(folder):
    """Every file below a folder but the lock, which notes who wrote last."""
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != "lock"}


def every_command(place, photo, collection="c"):
    """Each command on the collection: (what, result)."""
    for words in (("info", collection), ("check", collection), ("search", collection, photo), ("search", collection, "--id", 1),
                  ("add", collection, photo), ("remove", collection, 1), ("compact", collection), ("check", collection, "--repair")):
        yield " ".join(str(word) for word in words if word != photo), place.run(*words)


def crc32c(data):
    """As in RFC 3720; slow, and good enough for a small file."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def change(catalogue, *statements):
    """Change a catalogue as no program must."""
    database = sqlite3.connect(catalogue)
    for statement in statements:
        database.execute(*statement) if isinstance(statement, tuple) else database.execute(statement)
    database.commit()
    database.close()


# ---- empty ----


def check_empty(place, what):
    photo = place / "p/scene-000.png"
    found = place.run("search", "c", photo)
    check(f"{what}: a search finds nothing", found.code == DONE and ": 0 found in" in found.out and "has no images" in found.err, found)
    page = place.run("search", "c", photo, "--report", "r.html", "--format", "json")
    check(f"{what}: which a report says", page.json["queries"][0]["results"] == [] and "Nothing was found" in
          (place / "r.html").read_text(), page)
    unknown = place.run("search", "c", "--id", 1)
    check(f"{what}: an id is unknown", unknown.code == INPUT and f"'{place / 'c'}' has no image 1" in unknown.err, unknown)
    check(f"{what}: check", place.run("check", "c").out == "0 images, no fault\n")
    compacted = place.run("compact", "c", "--format", "json")
    check(f"{what}: compact leaves no segment", compacted.code == DONE and compacted.json["segments"] == 0, compacted)
    check(f"{what}: info", known(place)["images"] == 0)


def test_empty(place):
    place.photographs("p", 3)
    place.model()
    for init in (("--model", "none"), TINY, (*TINY, "--local", "none")):
        place.collection("c", init=init)
        check_empty(place, f"empty, {' '.join(init)}")
        place.remove("c")
    place.collection("c", ["p"])
    gone = place.run("remove", "c", 1, 2, 3)
    check("all can be removed", gone.out.startswith("removed 3 images"), gone)
    check_empty(place, "all removed")
    check_empty(place, "all removed and compacted")
    check("what is added then has new ids", add(place, "p") == {"added": 3} and
          sorted(hit["id"] for hit in results(place, "p/scene-000.png")) == [4, 5, 6])


def test_ids(place):
    place.collection("c", place.photographs("p", 2))
    for number, code, message in ((3, INPUT, "has no image 3"), (2**63 - 1, INPUT, f"has no image {2**63 - 1}"),
                                  (0, USAGE, "from 1 to"), (2**63, USAGE, "from 1 to"), (-1, USAGE, "not '-1'"),
                                  ("1.0", USAGE, "'1.0'"), ("0x1", USAGE, "'0x1'"), (" 1", USAGE, "' 1'")):
        refused = place.run("search", "c", "--id", number)
        check(f"--id {number!r}: {message}", refused.code == code and message in refused.err and refused.out == "", refused)
    for word in (3, 2**63 - 1, 2**64, "1 ", "-1", "0x1"):
        refused = place.run("remove", "c", "--", word)
        check(f"remove {word!r}: unknown", refused.code == INPUT and "has no image" in refused.err and known(place)["images"] == 2,
              refused)


# ---- what happens to photographs ----


def test_removed_and_added_again(place):
    first, second = place.photographs("p", 2)
    place.collection("c", [first, second])
    place.run("remove", "c", first)
    check("a removed photograph is added again under a new id", add(place, first) == {"added": 1} and
          {hit["id"] for hit in results(place, first)} == {2, 3})
    place.run("compact", "c")
    check("compact keeps it", results(place, first)[0]["id"] == 3 and place.run("check", "c").code == DONE)


def test_moved(place):
    """Renumbered, exchanged and moved files: ids and labels go with what is to be seen."""
    place.photographs("p", 4)
    names = [f"p/scene-{i:03}.png" for i in range(5)]
    place.write("l.csv", "path,label\n" + "".join(f"{name},label {i}\n" for i, name in enumerate(names)))
    place.collection("c", ["p"], add=("--labels", "l.csv"))

    def at(scene):
        found = place.write("q.png", png(*photograph(scene)))
        return [(hit["id"], os.path.basename(hit["path"]), hit["label"]) for hit in results(place, found, "-k", 1)]

    for i in (3, 2, 1, 0):
        os.rename(place / names[i], place / names[i + 1])
    check("renumbered photographs are moved", add(place, "p") == {"moved": 4})
    check("each with its id and label", [at(scene) for scene in range(4)] ==
          [[(scene + 1, f"scene-{scene + 1:03}.png", f"label {scene}")] for scene in range(4)], [at(i) for i in range(4)])
    os.rename(place / names[1], place / "p/x")
    os.rename(place / names[4], place / names[1])
    os.rename(place / "p/x", place / names[4])
    check("so are exchanged ones", add(place, "p") == {"moved": 2, "unchanged": 2})
    check("with their ids and labels", at(0) == [(1, "scene-004.png", "label 0")] and at(3) == [(4, "scene-001.png", "label 3")],
          (at(0), at(3)))
    os.rename(place / "p", place / "q")
    check("a folder that was renamed", add(place, "q") == {"moved": 4} and at(2) == [(3, "scene-003.png", "label 2")], at(2))
    place.write(f"q/{os.path.basename(names[3])}", png(*photograph(77)))
    check("a changed photograph is described again, its label stays", add(place, "q") == {"updated": 1, "unchanged": 3}
          and at(77) == [(5, "scene-003.png", "label 2")], at(77))
    check("the old one is there no more", at(2)[0][0] != 3 and {hit["id"] for hit in results(place, "q.png")} == {1, 2, 4, 5})
    check("the collection is whole", place.run("check", "c").code == DONE)


def test_photographs_gone(place):
    photos = place.photographs("p", 3)
    view = place.photograph("q/view.png", 1, shift=(6, -4))
    place.collection("c", photos)
    before = results(place, view)
    shutil.rmtree(place / "p")
    check("a search needs no photograph but the query", results(place, view) == before and before[0]["inliers"] > PROVEN)
    check("by id it needs none", len(results(place, "--id", 2)) == 2)
    for what, query in (("a file", (view,)), ("an id", ("--id", 2))):
        page = place.run("search", "c", *query, "--report", "r.html")
        text = (place / "r.html").read_text()
        check(f"the report on {what} says which are missing", page.code == DONE and text.count("moved or deleted since") ==
              3, text.count("moved or deleted since"))
    check("check, compact and info need none", all(place.run(name, "c").code == DONE for name in ("check", "compact", "info")))
    gone = place.run("add", "c", "p")
    check("add says that they are gone, and keeps what it has", gone.code == INPUT and "p': No such file" in gone.err
          and known(place)["images"] == 3, gone)


def test_images_that_the_catalogue_lost(place):
    folder = place.collection("c", place.photographs("p", 4), add=("--batch", 2))
    change(folder / "catalogue.sqlite", "DELETE FROM images WHERE id = 2")
    refused = place.run("compact", "c")
    check("compact does not clear away what the catalogue lost", refused.code == DAMAGED and "segment 1 has 2 images, the catalogue knows 1"
          in refused.err, refused)
    found = place.run("check", "c")
    check("and check still finds it", found.code == DAMAGED and "knows 1 of them" in found.out + found.err, found)


def test_images_that_make_no_sense(place):
    folder = place.collection("c", place.photographs("p", 2))
    change(folder / "catalogue.sqlite", "UPDATE images SET width = -5 WHERE id = 1")
    found = place.run("check", "c")
    check("check tells a size that is none", found.code == DAMAGED and "of image 1 make no sense" in found.out + found.err, found)


# ---- versions ----


def test_other_versions_of_the_catalogue(place):
    photo, = place.photographs("p", 1)
    folder = place.collection("c", [photo])
    for version, remedy in ((1, "make the collection anew"), (5, "use a newer cairn")):
        change(folder / "catalogue.sqlite", f"PRAGMA user_version = {version}")
        before = contents(folder)
        for what, refused in every_command(place, photo):
            check(f"{what}: format version {version}", refused.code == INPUT and refused.out == "" and
                  f"format version {version}, this cairn knows versions 3 and 4: {remedy}" in refused.err, refused)
        check(f"version {version}: nothing of it is touched", contents(folder) == before)


def test_newer_segment(place):
    photo, = place.photographs("p", 1)
    folder = place.collection("c", [photo])
    name = "00000001.rootsift.features"
    header = bytearray((folder / "segments" / name).read_bytes())
    header[8:12] = struct.pack("<I", 2)
    header[124:128] = struct.pack("<I", crc32c(header[:124]))
    (folder / "segments" / name).write_bytes(header)
    change(folder / "catalogue.sqlite", ("UPDATE files SET crc32c = ?", (crc32c(header),)))
    for words in (("search", "c", photo), ("check", "c"), ("check", "c", "--repair")):
        refused = place.run(*words)
        check(f"{words[0]}, {len(words)} words: a segment of a newer cairn", refused.code == INPUT and f"{name}' is a feature segment of version 2" in
              refused.err, refused)
    check("and it is not thrown away", (folder / "segments" / name).read_bytes() == header and known(place)["images"] == 1)


# ---- damage ----

FILES = ("00000001.rootsift.features", "00000001.rows.npy", "00000001.images.npy")
CODES = ("00000001.codes.npy", "00000001.scales.npy")  # what --repair makes again from the rows
DAMAGES = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "text": lambda path: path.write_text("not what it was\n"),
    "a bit at its beginning": lambda path: flip(path, 9),
    "a bit in its middle": lambda path: flip(path, path.stat().st_size // 2),
    "a bit at its end": lambda path: flip(path, path.stat().st_size - 4),
}


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)


def two_segments(place):
    """Six images in two segments, with a network; kept aside as `whole`."""
    place.model()
    place.photographs("p", 6)
    place.collection("whole", ["p"], init=TINY, add=("--batch", 3))


def fresh(place):
    if (place / "c").exists():
        place.remove("c")
    shutil.copytree(place / "whole", place / "c")
    return place / "c/segments"


def mend(place, by_repair=False):
    (place / "dropped.csv").unlink(missing_ok=True)
    return place.run("check", "c", *(("--repair",) if by_repair else ("--drop", "dropped.csv")))


def test_damaged_segments(place):
    two_segments(place)
    for name in FILES + CODES:
        for what, damage in DAMAGES.items():
            segments = fresh(place)
            damage(segments / name)
            found = place.run("check", "c", "--format", "json")
            faults = found.json["faults"] if found.code == DAMAGED else []
            check(f"{name}, {what}: check names it", name in {fault["file"] for fault in faults} and found.json["images"] == 6
                  and all(fault["state"] == ("repairable" if fault["file"] in CODES else "droppable") for fault in faults), found)
            answer = place.run("search", "c", "--id", 6)
            check(f"{name}, {what}: search answers, or names it and the remedy", answer.code == DONE or
                  (answer.code == DAMAGED and name in answer.err and answer.out == "" and "cairn check" in answer.err),
                  answer)
            repaired = mend(place, name in CODES)
            left = [1, 2, 3, 4, 5, 6] if name in CODES else [4, 5, 6]
            check(f"{name}, {what}: mending leaves {len(left)} images", repaired.code == DONE and f"{name}: " in repaired.out and
                  f"\n{len(left)} images, " in repaired.out, repaired)
            check(f"{name}, {what}: and keeps the rest", place.run("check", "c").out == f"{len(left)} images, no fault\n" and
                  sorted(hit["id"] for hit in results(place, "--id", 6)) == left[:-1])


def test_compact_copies_nothing_damaged(place):
    two_segments(place)
    for name in FILES + CODES:
        for what, damage in DAMAGES.items():
            segments = fresh(place)
            damage(segments / name)
            before = contents(place / "c")
            compacted = place.run("compact", "c")
            check(f"{name}, {what}: compact names it and changes nothing", compacted.code == DAMAGED and name in compacted.err
                  and "cairn check" in compacted.err and contents(place / "c").items() >= before.items(), compacted)


def test_repair_keeps_what_cannot_be_read_today(place):
    two_segments(place)
    segments = fresh(place)
    aside = place / "aside"
    os.rename(segments / FILES[0], aside)
    os.mkdir(segments / FILES[0])
    repaired = mend(place)
    check("a file that cannot be read is told, with what to do, and nothing dropped", repaired.code == DAMAGED and FILES[0] in repaired.out
          and "6 images, 1 fault found, 0 repaired" in repaired.out and "what lies in its place" in repaired.err, repaired)
    os.rmdir(segments / FILES[0])
    os.rename(aside, segments / FILES[0])
    check("and when it can be read again, all is well", place.run("check", "c").out == "6 images, no fault\n")


def test_life_with_damage(place):
    two_segments(place)
    segments = fresh(place)
    flip(segments / FILES[0], 1000)
    before = contents(place / "c")
    compacted = place.run("compact", "c")
    check("compact refuses, with the remedy, and changes nothing", compacted.code == DAMAGED and FILES[0] in compacted.err
          and "cairn check" in compacted.err and contents(place / "c").items() >= before.items(), compacted)
    new = place.photograph("new.png", 50)
    check("new photographs can be added", add(place, new) == {"added": 1})
    check("old ones removed", place.run("remove", "c", 5).code == DONE)
    check("what needs no damaged file is answered", len(results(place, "--id", 7, "--verify", 0)) == 5)
    dropped = place.run("check", "c", "--drop", "dropped.csv", "--format", "json")
    check("drop", dropped.code == DONE and dropped.json["remaining"] == 0 and dropped.json["images"] == 3
          and dropped.json["dropped"] == 3 and dropped.json["faults"][0]["state"] == "dropped", dropped)
    check("and add", add(place, "p", new) == {"added": 4, "unchanged": 3})
    check("make it whole", place.run("check", "c").out == "7 images, no fault\n" and len(results(place, new)) == 7)


def test_no_segments(place):
    photo = place.photographs("p", 3)[0]
    place.collection("c", ["p"], add=("--batch", 2))
    shutil.rmtree(place / "c/segments")
    found = place.run("check", "c", "--format", "json")
    check("all segments gone: each is a fault", found.code == DAMAGED and [fault["file"] for fault in found.json["faults"]] ==
          ["00000001.rootsift.features", "00000002.rootsift.features"], found)
    answer = place.run("search", "c", photo)
    check("a search says so, with the remedy", answer.code == DAMAGED and "cairn check" in answer.err, answer)
    refused = mend(place)
    check("no image is forgotten for a missing disk", refused.code == INPUT and "mount it" in refused.err
          and known(place)["images"] == 3 and not (place / "dropped.csv").exists(), refused)


def forget_tables(path):
    change(path, "DROP TABLE images")


def another_database(path):
    path.unlink()
    change(path, "CREATE TABLE t(x)")


CATALOGUES = {
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(random.Random(1).randbytes(20000)),
    "text": lambda path: path.write_text("no database\n"),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:8192]),
    "without images": forget_tables,
    "somebody else's": another_database,
}


def test_damaged_catalogues(place):
    photo, = place.photographs("p", 1)
    place.collection("whole", [photo])
    for what, damage in CATALOGUES.items():
        segments = fresh(place)
        damage(segments.parent / "catalogue.sqlite")
        before = contents(segments)
        for command, refused in every_command(place, photo):
            check(f"{command}, catalogue {what}: damaged, with the remedy", refused.code == DAMAGED and "catalogue.sqlite'" in
                  refused.err and "restore it from a backup" in refused.err and refused.out == "", refused)
        check(f"catalogue {what}: segments are not touched", contents(segments) == before)
        refused = place.run("init", "c", "--model", "none")
        check(f"catalogue {what}: init makes nothing of it", refused.code == INPUT and "a collection already" in refused.err, refused)
    fresh(place)
    (place / "c/catalogue.sqlite").unlink()
    for command, refused in every_command(place, photo):
        check(f"{command}, no catalogue: no collection", refused.code == INPUT and "is no collection" in refused.err, refused)


def test_bits_of_the_catalogue(place):
    """Whatever changes in it: an answer or a message, never a crash."""
    photo, = place.photographs("p", 1)
    place.collection("whole", [photo])
    pick = random.Random(7)
    outcomes = []
    for _ in range(30):
        catalogue = fresh(place).parent / "catalogue.sqlite"
        content = bytearray(catalogue.read_bytes())
        used = [at for at, byte in enumerate(content) if byte]
        for _ in range(pick.randint(1, 4)):
            content[pick.choice(used)] = pick.randrange(256)
        catalogue.write_bytes(content)
        outcomes += [place.run("check", "c"), place.run("search", "c", photo)]
    bad = [outcome for outcome in outcomes if outcome.code not in (DONE, INPUT, DAMAGED)
           or (outcome.code == INPUT and not outcome.err)]
    check("a damaged catalogue never ends a command badly", not bad, bad[:3])
    check("some of the damage was noticed", sum(outcome.code == DAMAGED for outcome in outcomes) > 10)


# ---- rights ----


def test_read_only(place):
    who = another_user(place)
    if who is None:
        skip("a collection that may not be written", "root may write everything, and nobody else can run this cairn")
        return
    photo = place.photographs("p", 2)[0]
    folder = place.collection("c", ["p"])
    for path in [folder, *folder.rglob("*")]:
        os.chmod(path, 0o555 if path.is_dir() else 0o444)
    before = contents(folder)
    for words in (("search", "c", photo), ("search", "c", "--id", 1), ("info", "c"), ("check", "c")):
        read = place.run(*words, **who)
        check(f"{' '.join(words[:2])}: needs no right to write", read.code == DONE, read)
    for words in (("add", "c", photo), ("remove", "c", 1), ("compact", "c"), ("check", "c", "--repair")):
        refused = place.run(*words, **who)
        check(f"{words[0]}: may not, and says what", refused.code == INPUT and "Permission denied" in refused.err and
              str(folder) in refused.err and refused.out == "", refused)
    check("nothing was changed", contents(folder) == before)
    os.chmod(folder, 0)
    refused = place.run("info", "c", **who)
    check("a folder that may not be entered", refused.code == INPUT and "Permission denied" in refused.err, refused)
    os.chmod(folder, 0o700)
    os.chmod(place / "p", 0o555)
    refused = place.run("init", "p/new", "--model", "none", **who)
    check("init where one may not write", refused.code == INPUT and "p/new" in refused.err and "Permission denied" in refused.err,
          refused)
    os.chmod(place / "p", 0o700)


# ---- models ----


def test_model_missing(place):
    place.model()
    photos = place.photographs("p", 2)
    new = place.photograph("new.png", 9)
    place.collection("c", photos, init=TINY)
    bundle = place.home / "cairn/models/tiny"
    os.rename(bundle, place / "aside")
    message = f"the collection '{place / 'c'}' was made with the model 'tiny': there is no model 'tiny'"
    for words in (("search", "c", photos[0]), ("add", "c", new), ("add", "c", photos[0], new)):
        refused = place.run(*words)
        check(f"{words[0]}, {len(words) - 2} photographs: which model is missing", refused.code == INPUT and message in refused.err,
              refused)
    check("nothing was lost", known(place)["images"] == 2)
    check("known photographs need no model", add(place, "p") == {"unchanged": 2})
    check("nor does a search by id", [hit["id"] for hit in results(place, "--id", 1)] == [2])
    for name in ("info", "check", "compact"):
        check(f"nor {name}", place.run(name, "c").code == DONE)
    subprocess.run([sys.argv[2], "model", place / "other"], check=True)
    description = (place / "other/model.json").read_text()
    place.write("other/model.json", description.replace('"p": 3', '"p": 4'))
    place.run("model", "import", "tiny", "other/model.onnx", "other/model.json")
    changed = place.run("search", "c", photos[0])
    check("another model of that name is not taken for it", changed.code == INPUT and "is not the one that the collection" in
          changed.err and str(place / "c") in changed.err, changed)
    shutil.rmtree(bundle)
    os.rename(place / "aside", bundle)
    check("with the model all works again", add(place, new) == {"added": 1} and len(results(place, new)) == 3)
    (bundle / "model.json").write_text("{")
    broken = place.run("search", "c", photos[0])
    check("a bundle that is damaged is named", broken.code == INPUT and "tiny/model.json" in broken.err, broken)


# ---- several ----


def test_two_collections(place):
    place.photographs("p", 30)
    for name in ("a", "b"):
        place.collection(name)
    running = [place.start("add", name, "p", "--batch", 5, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for name in ("a", "b")]
    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in running]
    check("two collections take in the same photographs at once", ended == [(b"", DONE)] * 2, ended)
    documents = [[(hit["id"], hit["path"], hit["inliers"]) for hit in results(place, "p/scene-003.png", collection=name)]
                 for name in ("a", "b")]
    check("and are alike", documents[0] == documents[1] and len(documents[0]) == 30)
    check("both are whole", all(place.run("check", name).out == "30 images, no fault\n" for name in ("a", "b")))


run_tests(globals())
