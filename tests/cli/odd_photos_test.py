"""Photographs of every kind, and files that only look like one: what add, search and verify make of them."""
import csv
import os
import socket
import time

from odd_photos import another_user, claiming, flat, huge_png, kinds, tiff, turned, with_exif
from support import DONE, INPUT, check, photograph, png, run_tests, skip

PROVEN = 20  # more inliers than chance gives
SIZE = (160, 120)


def add(place, *words, code=DONE, collection="c"):
    """What an add counted, without zeros; it must end with `code`."""
    done = place.run("add", collection, *words, "--format", "json")
    if not check(f"add {' '.join(str(word) for word in words)[-60:]} ends with {code}", done.code == code, done):
        return {}
    return {name: count for name, count in done.json.items() if count and name not in ("seconds", "interrupted")}


def search(place, *words, code=DONE, collection="c"):
    """The queries of a search, with their results."""
    answer = place.run("search", collection, *words, "--format", "json")
    if answer.code != code:
        check(f"search {words} ends with {code}", False, answer)
    return answer.json["queries"]


def verify(place, a, b, *words):
    return place.run("verify", a, b, "--format", "json", *words).json


def errors(place, file):
    """The list of an add --errors: {file name: (status, message)}."""
    with open(place / file, newline="") as lines:
        return {os.path.basename(row["path"]): (row["status"], row["message"]) for row in csv.DictReader(lines)}


# ---- orientation ----


def is_identity(model):
    return model and all(abs(model[i][j] - (i == j)) < 0.02 + 2 * (j == 2) for i in range(3) for j in range(3))


def test_orientations(place):
    place.model()
    upright, picture = place.photograph("p/upright.png", 1), photograph(1)
    for orientation in range(1, 9):
        place.write(f"p/turned-{orientation}.tif", tiff(turned(picture, orientation), orientation))
    place.collection("c", ["p"], init=("--model", "tiny"))
    itself = verify(place, upright, upright)
    found = search(place, upright)[0]["results"]
    check("the upright and eight turned photographs are nine images", len(found) == 9, found)
    check("all are as large as the upright one", {(hit["width"], hit["height"]) for hit in found} == {SIZE}, found)
    # Half precision changes a cosine by up to 0.0005, and here all by as much.
    check("with the same descriptor", {hit["similarity"] for hit in found} == {found[0]["similarity"]} and found[0]["similarity"] > 0.9995, found)
    check("and the same features", {hit["inliers"] for hit in found} == {itself["inliers"]} and itself["inliers"] > PROVEN, found)
    for orientation in range(1, 9):
        pair = verify(place, upright, f"p/turned-{orientation}.tif")
        check(f"orientation {orientation}: every point in its place", pair["points"] == itself["points"], pair)


def test_exif(place):
    upright = place.photograph("upright.png", 1)
    for orientation in (1, 2, 6, 7):
        stored = place.write("stored.png", png(*turned(photograph(1), orientation)))
        jpeg, = kinds(place, stored, "j", "JPEG without subsampling")
        for order in "<>":
            turned_back = place.write("e.jpg", with_exif(jpeg.read_bytes(), orientation, order))
            pair = verify(place, upright, turned_back)
            check(f"EXIF {order}{orientation}: upright", pair["inliers"] > PROVEN and is_identity(pair["model"]), pair["model"])
    for orientation in (0, 9, 65535):
        unknown = place.write("e.jpg", with_exif(jpeg.read_bytes(), orientation))
        pair = verify(place, stored, unknown)
        check(f"EXIF orientation {orientation}, which there is not: as stored", is_identity(pair["model"]), pair)
    broken = bytearray(with_exif(jpeg.read_bytes(), 3))
    broken[16:24] = b"\xff" * 8
    pair = verify(place, stored, place.write("e.jpg", bytes(broken)))
    check("a broken EXIF block: as stored", is_identity(pair["model"]), pair)


# ---- kinds of files ----

EXACT = ("PNG.png", "TIFF.tif", "big-TIFF.tif", "interlaced-PNG.png", "16-bit-PNG.png", "16-bit-TIFF.tif",
         "lossless-WebP.webp", "TIFF-of-two-pages.tif", "animated-WebP.webp")


def test_kinds(place):
    source = place.photograph("source.png", 1, size=(320, 240))
    files = kinds(place, source, "k")
    place.collection()
    counts = add(place, "k")
    check("all kinds are read; the two grey JPEGs are the same", len(files) > 30 and counts ==
          {"added": len(files) - 1, "duplicate": 1}, counts)
    found = {os.path.basename(hit["path"]): hit for hit in search(place, source)[0]["results"]}
    inliers = {name: hit["inliers"] for name, hit in found.items()}
    check("each shows the place", all(count > PROVEN for count in inliers.values()), inliers)
    check("those without loss as well as the photograph itself", {inliers[name] for name in EXACT} == {max(inliers.values())},
          inliers)
    check("of several pages the first counts", {(hit["width"], hit["height"]) for hit in found.values()} == {(320, 240)}, found)
    place.photograph("other.png", 2)
    place.collection("d", [source, "other.png"])
    answers = search(place, *files, collection="d")
    check("each is a query", all(answer["results"][0]["id"] == 1 and answer["results"][0]["inliers"] > PROVEN
                                 for answer in answers), answers)


def test_names(place):
    names = ("UPPER.PNG", "Mixed.JpEg", "photo.jpg", "a.b.c.tiff", ".hidden.png", "x.AVIF", "no-ending", "photo.txt", "png")
    for i, name in enumerate(names):
        place.photograph(f"p/{name}", i)
    place.collection()
    check("from a folder those that end like images, whatever they hold", add(place, "p") == {"added": 6})
    check("the others where they are named", add(place, "p/no-ending", "p/photo.txt", "p/png") == {"added": 3})
    nothing = place.run("add", "c", place.write("q/no-ending", flat(1)).parent)
    check("a folder without any is told", nothing.code == DONE and "no image was found; 'cairn help add'" in nothing.err, nothing)


# ---- what is none ----

WHOLE = png(*photograph(1))
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><image href="{0}" width="9" height="9"/></svg>'
NONE = "not an image in JPEG, PNG, WebP, TIFF, GIF, HEIF or AVIF format"
BROKEN = "damaged or cut short"

# Name, content ({0} is a pipe: whoever opens it waits for ever), and what the message must hold.
FRAUDS = (
    ("zero.jpg", b"", "empty, no image"),
    ("text.jpg", "no photograph\n", NONE),
    ("page.png", "<!doctype html><img src={0}>", NONE),
    ("drawing.svg", SVG, NONE),
    ("drawing.png", SVG, NONE),
    ("entity.png", '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "{0}">]>' + SVG, NONE),
    ("script.jpg", "%!PS\n({0}) (r) file closefile\nshowpage\n", NONE),
    ("page.pdf", "%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/Launch/F({0})>>>>endobj\n", NONE),
    ("page.jpg", "%PDF-1.7\n", NONE),
    ("magick.gif", "push graphic-context\nfill 'url({0})'\npop graphic-context\n", NONE),
    ("bitmap.bmp", b"BM" + bytes(100), NONE),
    ("begin.jpg", b"\xff\xd8\xff", BROKEN),
    ("begin.png", WHOLE[:8], BROKEN),
    ("begin.gif", b"GIF89a", BROKEN),
    ("begin.tif", b"II*\0", BROKEN),
    ("begin.webp", b"RIFF\0\0\0\0WEBP", BROKEN),
    ("begin.heic", b"\0\0\0\x18ftypheic", BROKEN),
    ("cut.png", WHOLE[:len(WHOLE) // 2], BROKEN),
    ("width.png", claiming(WHOLE, 0, 10), BROKEN),
    ("claim.png", claiming(WHOLE, 31623, 31623), "31623 x 31623 pixels, more than the limit of 400000000"),
    ("claim.tif", tiff(photograph(1), claimed=(40000, 25000)), "40000 x 25000 pixels, more than the limit"),
    ("below.png", claiming(WHOLE, 19000, 19000), BROKEN),
    ("below.tif", tiff(photograph(1), claimed=(19000, 19000)), BROKEN),
    ("woven.png", claiming(WHOLE, 19000, 19000, interlaced=1), BROKEN),
)


def frauds(place):
    pipe = place / "pipe"
    os.mkfifo(pipe)
    for name, content, _ in FRAUDS:
        place.write(f"f/{name}", content.replace("{0}", str(pipe)) if isinstance(content, str) else content)
    return [f"f/{name}" for name, _, _ in FRAUDS]


def test_frauds(place):
    files, good = frauds(place), place.photograph("f/good.png", 1)
    place.collection()
    start = time.monotonic()
    counts = add(place, *files, good, "--errors", "e.csv", code=INPUT)
    check("the photograph among them is added", counts == {"added": 1, "failed": len(files)}, counts)
    told = errors(place, "e.csv")
    queries = search(place, *files, good, code=INPUT)
    check("and found", queries[-1]["results"][0]["inliers"] > PROVEN, queries[-1])
    check("quickly", time.monotonic() - start < 20)
    for (name, _, message), query in zip(FRAUDS, queries):
        status, text = told.get(name, (None, ""))
        check(f"{name}: {message}", f"f/{name}: " in text and message in text and not text.endswith(": "), text)
        check(f"{name}: so says search", f"f/{name}: " in query["error"] and message in query["error"], query)
    for name in ("text.jpg", "cut.png"):
        refused = place.run("verify", good, f"f/{name}")
        check(f"verify refuses {name}", refused.code == INPUT and refused.out == "" and f"f/{name}: " in refused.err, refused)
    counts = add(place, "f", "--lenient")
    check("in a folder they are no failure", counts["failed"] > 12 and counts["unchanged"] == 1, counts)
    check("the collection is whole", place.run("check", "c").code == DONE)


def usage(place, *words):
    """A run's result, its seconds and the most memory it took, in MB."""
    start = time.monotonic()
    with open(place / "out", "wb") as out, open(place / "err", "wb") as err:
        process = place.start(*words, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, time.monotonic() - start, used.ru_maxrss / 1024


def test_claims_cost_nothing(place):
    frauds(place)
    place.collection()
    for words in (("add", "c", "f", "--lenient"), ("search", "c", "f/claim.png", "--box", "0,0,100,100"),
                  ("verify", "f/claim.tif", "f/claim.png", "--draw", "d.png")):
        code, seconds, megabytes = usage(place, *words)
        check(f"{words[0]}: a size that is only claimed costs little", seconds < 15 and megabytes < 400, (seconds, megabytes))


def test_hundred_megapixels(place):
    large = place.write("p/large.png", huge_png(10000))
    place.collection()
    for words in (("add", "c", large), ("search", "c", large, "--box", "0,0,3000,2000"), ("verify", large, large)):
        code, seconds, megabytes = usage(place, *words)
        check(f"{words[0]}: 100 megapixels in {seconds:.0f} s and {megabytes:.0f} MB", code == DONE and seconds < 30 and
              megabytes < 800, (place / "err").read_text())
    found = search(place, large)[0]["results"]
    check("the size is that of the whole", (found[0]["width"], found[0]["height"]) == (10000, 10000), found)


# ---- no files at all ----


def test_no_files(place):
    place.photograph("p/a.png", 1)
    (place / "p/folder.jpg").mkdir()
    place.photograph("p/folder.jpg/inside.png", 2)
    os.mkfifo(place / "p/pipe.jpg")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(place / "p/socket.png"))
    os.symlink("a.png", place / "p/link.png")
    os.symlink("nowhere.png", place / "p/dangling.png")
    os.symlink("loop.png", place / "p/loop.png")
    os.symlink("..", place / "p/circle.jpg")
    place.collection()
    counts = add(place, "p", "--errors", "e.csv")
    check("photographs are found, in a folder called like one too; a link is the same photograph", counts ==
          {"added": 2, "duplicate": 1, "failed": 4}, counts)
    wanted = {"pipe.jpg": "not a regular file", "socket.png": "not a regular file", "dangling.png": "No such file",
              "loop.png": "symbolic links"}
    told = errors(place, "e.csv")
    for name, message in wanted.items():
        check(f"{name} in a folder: {message}", message in told.get(name, ("", ""))[1], told)
        named = place.run("add", "c", f"p/{name}", "p/a.png")
        check(f"{name} named: {message}, and the other is looked at", named.code == INPUT and message in named.err
              and "unchanged  1" in named.out, named)
        query = place.run("search", "c", f"p/{name}")
        check(f"{name} as a query: {message}", query.code == INPUT and f"p/{name}: " in query.err and message in query.err, query)
        pair = place.run("verify", "p/a.png", f"p/{name}")
        check(f"{name} in verify: {message}", pair.code == INPUT and f"p/{name}: " in pair.err and message in pair.err, pair)
    for name in ("folder.jpg", "circle.jpg"):
        query = place.run("search", "c", f"p/{name}")
        check(f"{name} as a query: a folder", query.code == INPUT and f"p/{name}: a folder" in query.err, query)
    check("a folder that is named is searched, whatever its name", add(place, "p/folder.jpg") == {"unchanged": 1})
    place.collection("d")
    check("a link alone is a photograph under the link's name", add(place, "p/link.png", collection="d") == {"added": 1} and
          search(place, "p/a.png", collection="d")[0]["results"][0]["path"] == str(place / "p/link.png"))


def test_unreadable(place):
    who = another_user(place)
    if who is None:
        skip("files that may not be read", "root may read everything, and nobody else can run this cairn")
        return
    place.photograph("p/good.png", 1)
    place.photograph("p/closed.png", 2)
    place.photograph("p/locked/inside.png", 3)
    os.chmod(place / "p/closed.png", 0)
    os.chmod(place / "p/locked", 0)
    place.run("init", "c", "--model", "none", **who)
    done = place.run("add", "c", "p", **who)
    check("a file and a folder that may not be read are told, the rest is added", done.code == DONE and "added 1 image" in
          done.out and all(f"{name}': Permission denied" in done.err or f"{name}: Permission denied" in done.err
                           for name in ("closed.png", "locked")), done)
    for words in ("add c p/closed.png", "add c p/locked", "search c p/closed.png", "verify p/good.png p/closed.png"):
        refused = place.run(*words.split(), **who)
        check(f"{words}: permission denied", refused.code == INPUT and "Permission denied" in refused.err, refused)
    os.chmod(place / "p/locked", 0o700)


# ---- cut short ----


def test_truncated(place):
    source = place.photograph("source.png", 1, size=(640, 480))
    whole = kinds(place, source, "k", "JPEG", "progressive JPEG", "PNG")
    for file in whole:
        content = file.read_bytes()
        place.write(f"p/{file.name}", content[:len(content) * 8 // 10])
        place.write(f"q/{file.name}", content[:100])
    place.collection()
    counts = add(place, "p", "--errors", "e.csv")
    told = errors(place, "e.csv")
    check("what is cut short is refused", counts == {"failed": 3} and all(BROKEN in text for _, text in told.values()), told)
    lenient = place.run("add", "c", "p", "--lenient")
    check("--lenient takes what there is, and says of which", "added 3 images" in lenient.out and all(
        f"warning: {place / 'p'}/{file.name}: {BROKEN}; what can be read of it is used\n" in lenient.err for file in whole), lenient)
    found = search(place, source)[0]["results"]
    check("which is enough to know the place", len(found) == 3 and all(hit["inliers"] > PROVEN for hit in found), found)
    check("it stays in later", add(place, "p") == {"unchanged": 3})
    nothing = place.run("add", "c", "q", "--lenient")
    check("where nothing is left, that is told", "failed     3" in nothing.out and nothing.err.count(BROKEN) == 3, nothing)


# ---- little to see ----


def test_thin(place):
    place.model()
    thin = {"1x1": (1, 1), "1x20000": (1, 20000), "20000x1": (20000, 1), "3x9000": (3, 9000), "200x2": (200, 2)}
    for name, size in thin.items():
        place.write(f"p/{name}.png", png(*size, photograph(size, (200, 300))[2][:3 * size[0] * size[1]]))
    place.collection("c", init=("--model", "tiny"))
    check("photographs of a pixel, of a row, of a column", add(place, "p") == {"added": 5})
    for query in search(place, *(f"p/{name}.png" for name in thin)):
        best = max(query["results"], key=lambda hit: hit["similarity"])
        check(f"{query['query']}: like itself", best["similarity"] > 0.999, query)
    for name in thin:
        pair = place.run("verify", f"p/{name}.png", f"p/{name}.png", "--draw", "d.png")
        check(f"verify --draw: {name}", pair.code == DONE and (place / "d.png").read_bytes().startswith(b"\x89PNG"), pair)
    page = place.run("search", "c", "p/1x1.png", "p/20000x1.png", "--report", "r.html")
    check("and a report of them", page.code == DONE and "report: r.html" in page.err, page)


def test_flat(place):
    for shade in (0, 128, 255):
        place.write(f"p/{shade}.png", flat(shade))
    place.collection()
    check("photographs without anything to see are added", add(place, "p") == {"added": 3})
    answer = search(place, "p/0.png")[0]["results"]
    check("a search with one ends well, nothing proven", len(answer) == 3 and all(hit["inliers"] == 0 for hit in answer), answer)
    check("also by id", len(search(place, "--id", 2)[0]["results"]) == 2)
    check("--min-inliers leaves them out", search(place, "p/0.png", "--min-inliers", 1)[0]["results"] == [])
    pair = verify(place, "p/0.png", "p/0.png", "--draw", "d.png")
    check("verify finds no points, and no map", pair["features"] == [0, 0] and pair["inliers"] == 0 and pair["model"] is None, pair)
    place.photograph("p/wall.png", 1)
    check("a wall among them is found", add(place, "p") == {"added": 1, "unchanged": 3} and
          search(place, "p/wall.png")[0]["results"][0]["id"] == 4)
    check("in a report", place.run("search", "c", "p/0.png", "p/wall.png", "--report", "r.html").code == DONE)
    compacted = place.run("compact", "c")
    check("compact and check", compacted.code == DONE and place.run("check", "c").out == "4 images, no fault\n", compacted)


def test_identical(place):
    first = place.photograph("p/a.png", 1)
    place.write("p/b.png", first.read_bytes())
    place.collection()
    check("the same photograph twice is one image", add(place, "p") == {"added": 1, "duplicate": 1})
    check("whatever the order", add(place, "p/b.png", first) == {"duplicate": 1, "unchanged": 1})
    unknown = place.run("remove", "c", "p/b.png")
    check("the second name is unknown to remove", unknown.code == INPUT and "no image of the path" in unknown.err, unknown)
    os.unlink(first)
    check("where the first is gone, the second takes its place", add(place, "p") == {"moved": 1})
    found = search(place, "p/b.png")[0]["results"]
    check("under the same id", [(hit["id"], hit["path"]) for hit in found] == [(1, str(place / "p/b.png"))], found)


run_tests(globals())
