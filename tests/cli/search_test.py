"""search and verify: what they find, in each of their forms, and the pages and drawings they write."""
import base64
import csv
import html.parser
import io
import os
import re

from support import DONE, INPUT, USAGE, check, run_tests

RESULT = ["rank", "id", "path", "score", "similarity", "asmk", "inliers", "label", "width", "height"]
COLUMNS = ["query", "rank", "id", "path", "score", "inliers", "label"]
PROVEN = 20  # more inliers than chance gives


def places(place, count=4, name="c", **how):
    """A collection of `count` places, and beside it another view of each of them: (folder, views)."""
    photos = place.photographs("p", count)
    place.collection(name, photos, **how)
    return name, [place.photograph(f"q/view-{i:03}.png", i, shift=(6, -4)) for i in range(count)]


def documents(place, *words, code=DONE):
    answer = place.run("search", *words, "--format", "json")
    if answer.code != code:
        check(f"search {words} ends with {code}", False, answer)
    return answer.json["queries"]


def results(place, *words):
    return documents(place, *words)[0]["results"]


def rows(text):
    return list(csv.reader(io.StringIO(text, newline="")))


# ---- what is found ----


def test_finds_the_place(place):
    collection, views = places(place)
    for i, view in enumerate(views):
        first, *others = results(place, collection, view)
        check(f"view {i}: its place comes first, proven", first["path"] == str(place / f"p/scene-{i:03}.png")
              and first["inliers"] > PROVEN, first)
        check(f"view {i}: no other place is", all(hit["inliers"] < PROVEN for hit in others) and len(others) == 3, others)
    text = place.run("search", collection, views[2])
    check("text: a heading, names, a line a result", re.match(
        r".*/q/view-002\.png: 4 found in \d+\.\d\d s\nrank +score +similarity +inliers +id +path\n   1  .* 3  /.*/scene-002\.png\n",
        text.out) and text.err == "", text)


def test_json(place):
    collection, views = places(place)
    document, = documents(place, collection, "q/view-001.png")
    check("a query has its members", list(document) == ["query", "id", "box", "by", "seconds", "results"], list(document))
    check("with the path as it was given", document["query"] == "q/view-001.png" and document["id"] is None
          and document["box"] is None, document)
    check("and seconds of each stage", list(document["seconds"]) == ["decode", "describe", "search", "verify"]
          and all(value >= 0 for value in document["seconds"].values()), document["seconds"])
    check("a result has its members", all(list(hit) == RESULT for hit in document["results"]))
    check("ranks count from 1, scores descend", [hit["rank"] for hit in document["results"]] == [1, 2, 3, 4] and
          sorted((hit["score"] for hit in document["results"]), reverse=True) == [hit["score"] for hit in document["results"]])
    check("what is not known is null", document["results"][0]["similarity"] is None and document["results"][0]["label"] is None)
    check("width and height are those of the photograph", (document["results"][0]["width"], document["results"][0]["height"])
          == (160, 120))


def test_csv(place):
    collection, views = places(place, add=("--label-from", "parent"))
    answer = place.run("search", collection, views[0], views[1], "--k", 2, "--format", "csv")
    header, *lines = rows(answer.out)
    check("CSV: one line of names, then a line a result", header == COLUMNS and len(lines) == 4 and answer.err == "", answer)
    document = documents(place, collection, views[0], views[1], "--k", 2)
    same = [[query["query"], str(hit["rank"]), str(hit["id"]), hit["path"], f"{hit['score']:.6g}", str(hit["inliers"]), "p"]
            for query in document for hit in query["results"]]
    for line in lines:
        line[4] = f"{float(line[4]):.6g}"
    check("CSV and JSON say the same", lines == same, f"{lines}\n{same}")
    check("lines end with LF", "\r" not in answer.out)


def test_csv_quotes(place):
    name = 'comma, "quote"\nand line.png'
    place.photograph(f"p/{name}", 1)
    place.write("l.csv", "path,label\n" + '"p/' + name.replace('"', '""') + '","a ""label"", quoted"\n')
    place.collection("c", ["p"], add=("--labels", "l.csv"))
    answer = place.run("search", "c", f"p/{name}", "--format", "csv")
    fields = rows(answer.out)[1]
    check("fields with commas, quotes and line breaks come back whole", fields[0] == f"p/{name}" and
          fields[3] == str(place / "p" / name) and fields[6] == 'a "label", quoted', fields)
    text = place.run("search", "c", f"p/{name}").out
    check("in text a line break is shown as an escape", "quote\"\\nand line.png" in text, text)


# ---- which results ----


def test_limits(place):
    collection, views = places(place, count=6)
    whole = results(place, collection, views[0])
    for k in (1, 3, 6, 100):
        check(f"--k {k}", results(place, collection, views[0], "--k", k) == whole[:k])
    for least in (0, 5, PROVEN, 1000):
        wanted = [hit["id"] for hit in whole if hit["inliers"] >= least]
        found = results(place, collection, views[0], "--min-inliers", least)
        check(f"--min-inliers {least}", [hit["id"] for hit in found] == wanted, found)
    for least in (-1, 0.001, whole[0]["score"] - 0.001, 99):
        wanted = [hit["id"] for hit in whole if hit["score"] >= least]
        found = results(place, collection, views[0], "--min-score", least)
        check(f"--min-score leaves out what is below: {len(wanted)} stay", [hit["id"] for hit in found] == wanted, found)
    nothing = place.run("search", collection, views[0], "--min-score", 99)
    check("nothing found is no failure", nothing.code == DONE and ": 0 found in" in nothing.out, nothing)


def labelled(place, **how):
    """Six places: tower is the label of 1 and 4, bridge of 2, and 3, 5 and 6 have none."""
    photos = place.photographs("p", 6)
    place.write("l.csv", "path,label\n" + "".join(f"{photos[i]},{label}\n" for i, label in ((0, "tower"), (1, "bridge"), (3, "tower"))))
    place.write("ids.txt", "6\n\n 2 \r\n2\n3")
    place.write("marked.txt", "\ufeff5\n3\n")
    place.collection("c", photos, add=("--labels", "l.csv"), **how)
    return place.photograph("q/view.png", 1, shift=(6, -4))


FILTERS = {
    ("--label", "tower"): [1, 4],
    ("--label", "tower", "--label", "bridge"): [1, 2, 4],
    ("--where", "label IS NULL"): [3, 5, 6],
    ("--ids", "ids.txt"): [2, 3, 6],
    ("--ids", "marked.txt"): [3, 5],
    ("--where", "id > 2 -- the last four", "--where", "id < 3 OR label = 'tower'"): [4],
    ("--where", "id > 2 AND width = 160"): [3, 4, 5, 6],
    ("--where", "label LIKE 'b%' OR path LIKE '%/scene-005.png'"): [2, 6],
    ("--label", "tower", "--where", "id > 1"): [4],
    ("--label", "tower", "--label", "bridge", "--ids", "ids.txt", "--where", "id < 6"): [2],
}


def test_filters(place):
    for kind, init in (("local features only", ("--model", "none")), ("a global model", ("--model", "tiny", "--local", "rootsift"))):
        if "tiny" in init:
            place.remove("c")
            place.model()
        view = labelled(place, init=init)
        whole = {hit["id"]: hit for hit in results(place, "c", view)}
        for words, ids in FILTERS.items():
            answer = place.run("search", "c", view, *words, "--format", "json")
            found = answer.json["queries"][0]["results"]
            check(f"{kind}, {' '.join(words)}: {ids}", sorted(hit["id"] for hit in found) == ids and answer.err == "", answer)
            check("with the score and the inliers that they have among all", all(
                (hit["score"], hit["inliers"]) == (whole[hit["id"]]["score"], whole[hit["id"]]["inliers"]) for hit in found), found)
        check(f"{kind}: an image may be searched with that the filter leaves out",
              [hit["id"] for hit in results(place, "c", "--id", 1, "--label", "bridge")] == [2])
        answer = place.run("search", "c", view, "--ids", "-", "--format", "json", input=b"4\n5\n")
        check(f"{kind}: ids from stdin", sorted(hit["id"] for hit in answer.json["queries"][0]["results"]) == [4, 5], answer)


def test_filters_that_select_little(place):
    view = labelled(place)
    place.write("unknown.txt", "4\n77\n78\n")
    place.write("bad.txt", "4\n4.5\n")
    place.write("nul.txt", b"4\n1\0002\n")
    for words, warning in ((("--label", "tower", "--label", "castle"), "no image has the label 'castle'"),
                           (("--ids", "unknown.txt"), "2 of 3 ids are of no image")):
        answer = place.run("search", "c", view, *words, "--format", "csv")
        check(f"{' '.join(words)}: a warning", answer.code == DONE and warning in answer.err and "warning" in answer.err
              and len(rows(answer.out)) > 1, answer)
    for words, code, message in (
            (("--label", "castle"), INPUT, "the filter selects no image"),
            (("--where", "width > 9999"), INPUT, "the filter selects no image"),
            (("--ids", "/dev/null"), INPUT, "the filter selects no image"),
            (("--ids", "nowhere.txt"), INPUT, "nowhere.txt"),
            (("--ids", "."), INPUT, "--ids . cannot be read"),
            (("--ids", "bad.txt"), INPUT, "bad.txt:2: '4.5' is no id"),
            (("--ids", "nul.txt"), INPUT, "nul.txt:2: '1' and a NUL byte is no id"),
            (("--ids", "/dev/zero"), INPUT, "/dev/zero:1: ''... is no id"),
            (("--ids", "ids.txt", "--ids", "bad.txt"), USAGE, "--ids was given twice"),
            (("--by", "asmk", "--by=asmk"), USAGE, "--by was given twice"),
            (("-k", "3", "-k4"), USAGE, "-k was given twice"),
            (("--where", "width >"), USAGE, "incomplete input"),
            (("--where", "label = \"tower\""), USAGE, "single quotes"),
            (("--where", "1; DROP TABLE images"), USAGE, "syntax error"),
            (("--where", "id IN (SELECT id FROM images)"), USAGE, "prohibited")):
        answer = place.run("search", "c", view, *words, "--format", "json")
        check(f"{' '.join(words)} ends with {code}: {message}", answer.code == code and message in answer.err and answer.out == "",
              answer)
    check("the catalogue is as it was", place.run("check", "c").out == "6 images, no fault\n")


def test_orders(place):
    collection, views = places(place)
    fused, inliers = (results(place, collection, views[0], "--order", order) for order in ("fused", "inliers"))
    check("--order inliers: what has enough comes first, by their number", inliers[0]["id"] == fused[0]["id"]
          and inliers[0]["score"] > inliers[0]["inliers"] > PROVEN > fused[0]["score"], inliers)
    without = results(place, collection, views[0], "--boost", 0)
    check("--boost 0: inliers add nothing", all(hit["score"] == 0 for hit in without), without)
    distrusted = results(place, collection, views[0], "--trust-inliers", 5000)
    check("--trust-inliers: fewer count as none", all(hit["score"] == 0 for hit in distrusted), distrusted)
    plane = results(place, collection, views[0], "--geometry", "homography")
    check("--geometry homography proves the place too", plane[0]["inliers"] > PROVEN, plane)


def test_box(place):
    wall = place.photograph("p/wall.png", 1, size=(320, 120))
    place.collection("c", [wall, *place.photographs("o", 2)])
    parts = {box: results(place, "c", wall, "--box", box) for box in ("0,0,320,120", "0,0,120,120", "0.5,0,60.5,60")}
    inliers = [found[0]["inliers"] for found in parts.values()]
    check("a smaller part has fewer points that match", all(found[0]["id"] == 1 for found in parts.values()) and
          inliers == sorted(inliers, reverse=True) and inliers[-1] < inliers[0], inliers)
    document, = documents(place, "c", wall, "--box", "0.5,0,60.5,60")
    check("JSON has the box", document["box"] == [0.5, 0, 60.5, 60], document["box"])
    beyond = results(place, "c", wall, "--box", "-50,-50,1000,1000")
    check("what is outside of the photograph is cut off", beyond[0]["inliers"] == inliers[0], beyond)
    outside = place.run("search", "c", wall, "--box", "400,10,500,60")
    check("a box that holds nothing is told with the size", outside.code == USAGE and "from 0,0 to 320,120" in outside.err and "wall.png" in outside.err, outside)


def test_ids(place):
    collection, views = places(place)
    place.run("add", collection, *views)  # ids 5 to 8 are views of 1 to 4
    document, = documents(place, collection, "--id", 2)
    check("an image of the collection is a query", document["id"] == 2 and document["query"] == str(place / "p/scene-001.png")
          and document["results"][0]["id"] == 6, document)
    check("it is left out of its own results", [hit["id"] for hit in document["results"]].count(2) == 0)
    os.unlink(place / "p/scene-001.png")
    check("its file is not needed", documents(place, collection, "--id", 2)[0]["results"] == document["results"])
    place.run("remove", collection, 2)
    gone = place.run("search", collection, "--id", 2)
    check("a removed image is unknown", gone.code == INPUT and "has no image 2" in gone.err, gone)


def test_empty_collection(place):
    place.collection()
    answer = place.run("search", "c", place.photograph("q.png", 1))
    check("an empty collection has nothing, which is no failure", answer.code == DONE and ": 0 found in" in answer.out and "has no images" in answer.err, answer)


# ---- several queries ----


def test_several_queries_one_fails(place):
    collection, views = places(place)
    place.write("q/broken.jpg", "no photograph")
    words = (collection, views[0], "q/broken.jpg", views[1], "--id", 3, "--id", 99, "--k", 1)
    first, broken, second, third, unknown = documents(place, *words, code=INPUT)
    check("the others are answered, photographs before ids", [query["results"][0]["id"] for query in (first, second)] == [1, 2]
          and third["id"] == 3, third)
    check("a failed query has query, id and error", list(broken) == ["query", "id", "error"] and broken["query"] ==
          "q/broken.jpg" and broken["id"] is None and "not an image" in broken["error"], broken)
    check("so has an unknown id", unknown["query"] == "" and unknown["id"] == 99 and "no image 99" in unknown["error"], unknown)
    text = place.run("search", *words)
    check("stderr tells of each failure", text.code == INPUT and "broken.jpg: not an image" in text.err
          and "has no image 99" in text.err and text.err.count("\n") == 2, text)
    check("CSV has the answered ones only", {line[0] for line in rows(place.run("search", *words, "--format", "csv").out)[1:]}
          == {str(views[0]), str(views[1]), str(place / "p/scene-002.png")})


def test_exit_code_is_that_of_the_first_failure(place):
    collection, views = places(place)
    answer = place.run("search", collection, "nothing.jpg", views[0])
    check("a file that is missing: 2", answer.code == INPUT and "nothing.jpg: No such file" in answer.err, answer)
    check("all queries failed: an empty table", place.run("search", collection, "nothing.jpg", "--format", "csv").out
          == ",".join(COLUMNS) + "\n")


def test_same_answer_whatever_threads_and_place(place):
    collection, views = places(place)
    wanted = place.run("search", collection, *views, "--format", "csv").out
    for threads in (1, 2, 7):
        check(f"the same with --threads {threads}", place.run("search", collection, *views, "--threads", threads, "--format",
                                                               "csv").out == wanted)
    elsewhere = place.run("search", place / collection, *views, "--format", "csv", cwd="/")
    check("the same from another folder", elsewhere.out == wanted, elsewhere)


def test_other_kinds_of_features(place):
    collection, views = places(place)
    refused = place.run("search", collection, views[0], "--local", "xfeat")
    check("features that the collection does not keep", refused.code == INPUT and "no local features of kind 'xfeat'"
          in refused.err, refused)
    every = place.run("search", collection, *views[:2], "--verify", 1, "--recall", 0.5, "--format", "json")
    check("without a global descriptor all are verified", all(hit["inliers"] is not None for query in every.json["queries"]
                                                              for hit in query["results"]), every)
    warnings = every.err.splitlines()
    check("and it is told once that an option has no effect", len(warnings) == 2 and "--recall has no effect" in warnings[0]
          and "--verify has no effect" in warnings[1], warnings)


# ---- with a network ----


def test_with_a_network(place):
    place.model()
    collection, views = places(place, init=("--model", "tiny"))
    whole = results(place, collection, views[0], "--verify", 0)
    check("without verification the order is that of the cosine", [hit["score"] for hit in whole] ==
          [hit["similarity"] for hit in whole] and all(hit["inliers"] is None for hit in whole), whole)
    text = place.run("search", collection, views[0], "--verify", 0).out.splitlines()[2].split()
    check("as text an unknown number of inliers is -", text[3] == "-" and text[1] == text[2] != "-", text)
    fields = rows(place.run("search", collection, views[0], "--verify", 0, "--format", "csv").out)[1]
    check("as CSV it is empty", fields[5] == "" and fields[4] != "", fields)
    some = results(place, collection, views[0], "--verify", 2)
    check("--verify 2 verifies two", sum(hit["inliers"] is not None for hit in some) == 2 and len(some) == 4, some)
    proven = results(place, collection, views[0], "--verify", 2, "--min-inliers", 1)
    check("--min-inliers leaves out those not verified", len(proven) <= 2 and all(hit["inliers"] for hit in proven), proven)
    itself = results(place, collection, "p/scene-000.png")
    check("a photograph has cosine 1 with itself", abs(itself[0]["similarity"] - 1) < 1e-4, itself)
    place.collection("plain", ["p"], init=("--model", "tiny", "--local", "none"))
    answer = place.run("search", "plain", views[0], "--format", "json")
    check("a collection without local features verifies nothing", answer.code == DONE and all(
        hit["inliers"] is None for hit in answer.json["queries"][0]["results"]), answer)
    refused = place.run("search", "plain", views[0], "--verify", 5)
    check("and says so where it is asked to", refused.code == USAGE and "no local features" in refused.err, refused)


# ---- report ----


class Page(html.parser.HTMLParser):
    """What a page holds: how often each tag, all text, and the attributes that could lead elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.words, self.pictures = {}, [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attributes:
            if tag == "img" and name == "src" and value.startswith("data:image/jpeg;base64,"):
                self.pictures.append(base64.b64decode(value.partition(",")[2], validate=True))
            elif name in ("src", "href", "srcset", "action", "data") or name.startswith("on"):
                self.links.append((tag, name, value))

    def handle_data(self, data):
        self.words.append(data)


def test_report(place):
    collection, views = places(place, add=("--label-from", "parent"))
    answer = place.run("search", collection, *views[:2], "--report", "r.html", "--format", "csv")
    check("--report says where it is, and the answers are printed too", answer.code == DONE and answer.err == "report: r.html\n"
          and len(rows(answer.out)) == 9, answer)
    text = (place / "r.html").read_text()
    page = Page(text)
    check("the page leads nowhere else", page.links == [] and not {"script", "link", "iframe"} & set(page.tags)
          and not re.search(r"https?://|url\(|@import", text), page.links)
    check("all its pictures are in it", page.tags["img"] == len(page.pictures) and all(
        picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9") for picture in page.pictures))
    check("two queries with four results each, some drawn", page.tags["section"] == 2 and page.tags["li"] == 8
          and page.tags["figure"] >= 2 and page.tags["img"] == 2 + 8 + page.tags["figure"], page.tags)
    words = "".join(page.words)
    check("with names, labels and inliers", all(word in words for word in ("view-000.png", "scene-001.png", "inliers", "score")))
    check("no other file is left", sorted(os.listdir(place.folder)) == ["c", "home", "p", "q", "r.html"])


def test_report_of_hostile_names(place):
    place.photograph("p/<script>alert(1)<script>.png", 1)
    place.write("l.csv", "path,label\np/<script>alert(1)<script>.png,<img src=x onerror=y>\n")
    place.collection("c", ["p"], add=("--labels", "l.csv"))
    place.run("search", "c", "p/<script>alert(1)<script>.png", "--report", "r.html")
    page = Page((place / "r.html").read_text())
    check("names and labels stay text", "script" not in page.tags and page.links == [] and "<img src=x onerror=y>"
          in "".join(page.words), page.tags)


def test_report_with_failures(place):
    collection, views = places(place)
    os.unlink(place / "p/scene-003.png")
    answer = place.run("search", collection, views[0], "nothing.jpg", "--report", "r.html")
    page = Page((place / "r.html").read_text())
    check("a failed query is left out of the page", answer.code == INPUT and page.tags["section"] == 1, answer)
    check("a photograph that is gone is told in its place", "File is missing" in "".join(page.words))
    answer = place.run("search", collection, "nothing.jpg", "--report", "none.html")
    check("without any answer there is no page", answer.code == INPUT and "none.html was not written" in answer.err
          and not (place / "none.html").exists(), answer)
    for target in ("nowhere/r.html", "r.html/r.html"):
        answer = place.run("search", collection, views[0], "--report", target)
        check(f"--report {target} is refused before the work", answer.code == INPUT and answer.out == "" and target in answer.err,
              answer)
    (place / "folder").mkdir()
    answer = place.run("search", collection, views[0], "--report", "folder")
    check("--report with a folder is told", answer.code == INPUT and "folder" in answer.err, answer)


# ---- verify ----

VERIFICATION = ["a", "b", "local", "features", "matches", "inliers", "geometry", "model", "points"]


def test_verify(place):
    place.photograph("a.png", 1)
    place.photograph("b.png", 1, shift=(6, -4))
    place.photograph("c.png", 2)
    for geometry in ("affine", "homography"):
        document = place.run("verify", "a.png", "b.png", "--geometry", geometry, "--format", "json").json
        check(f"{geometry}: the members", list(document) == VERIFICATION and document["geometry"] == geometry, list(document))
        check(f"{geometry}: many inliers, as many points", PROVEN < document["inliers"] == len(document["points"])
              <= document["matches"] <= min(document["features"]), document["inliers"])
        right, down = document["model"][0][2], document["model"][1][2]
        check(f"{geometry}: the map is the shift between the views", abs(right - 6) < 0.5 and abs(down + 4) < 0.5
              and abs(document["model"][2][2] - 1) < 0.01, document["model"])
        check(f"{geometry}: so are the points", all(abs(bx - ax - 6) < 2 and abs(by - ay + 4) < 2
                                                    for ax, ay, bx, by in document["points"]))
    other = place.run("verify", "a.png", "c.png", "--format", "json").json
    check("two places share no more than chance", other["inliers"] < PROVEN, other["inliers"])
    text = place.run("verify", "a.png", "b.png")
    check("as text", re.match(r"inliers +\d+ of \d+ matches \(\d+ and \d+ rootsift features\)\naffine( +[-+.e\d]+){3}\n", text.out)
          and text.err == "", text)
    blank = place.photograph("blank.png", 1, size=(40, 40), shift=(500, 500))
    nothing = place.run("verify", "a.png", blank, "--format", "json").json
    check("a blank picture has no map", nothing["inliers"] == 0 and nothing["model"] is None and nothing["points"] == [], nothing)


def test_draw(place):
    place.photograph("a.png", 1)
    place.photograph("b.png", 1, shift=(6, -4))
    for name, start in (("d.png", b"\x89PNG"), ("d.jpg", b"\xff\xd8"), ("d.JPEG", b"\xff\xd8")):
        answer = place.run("verify", "a.png", "b.png", "--draw", name)
        check(f"--draw {name}", answer.code == DONE and answer.err == f"drawing: {name}\n"
              and (place / name).read_bytes().startswith(start), answer)
    place.run("verify", "a.png", "b.png", "--draw", "h.png", "--height", 100)
    header = (place / "h.png").read_bytes()[16:24]
    check("--height is that of the drawing", int.from_bytes(header[4:], "big") == 100 < int.from_bytes(header[:4], "big"), header)
    for name, code in (("d.gif", USAGE), ("d", USAGE), ("nowhere/d.png", INPUT)):
        answer = place.run("verify", "a.png", "b.png", "--draw", name)
        check(f"--draw {name} is refused", answer.code == code and name in answer.err, answer)


def test_verify_failures(place):
    place.photograph("a.png", 1)
    place.write("broken.jpg", "no photograph")
    for words, message in (("a.png nothing.png", "nothing.png: No such file"), ("broken.jpg a.png", "broken.jpg: not an image"),
                           ("a.png a.png --local nothing", "no model 'nothing'"), ("home a.png", "home")):
        answer = place.run("verify", *words.split())
        check(f"verify {words}: {message}", answer.code == INPUT and message in answer.err and answer.out == "", answer)


run_tests(globals())
