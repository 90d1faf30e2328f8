"""eval roxford on a ground truth small enough to score by hand."""
import json
import os
import re

from support import DONE, INPUT, check, run_tests

PROTOCOLS = ("easy", "medium", "hard")
SCORES = ["map", "mp1", "mp5", "mp10", "queries"]
WHOLE = [0, 0, 160, 120]


def benchmark(place, count=4):
    """A collection of `count` places and, in q/, another view of each."""
    place.photographs("p", count)
    place.collection("c", ["p"])
    for i in range(count):
        place.photograph(f"q/view-{i}.png", i, shift=(6, -4))


def scene(i):
    return f"scene-{i:03}"


def query(i, easy=(), hard=(), junk=(), box=None):
    return {"image": f"view-{i}", "box": box or WHOLE, "easy": list(easy), "hard": list(hard), "junk": list(junk)}


def truth(place, database, queries, name="gnd.json"):
    return place.write(name, json.dumps({"name": "toy", "database": database, "queries": queries})).name


def evaluate(place, *words):
    return place.run("eval", "roxford", "c", *words, "--images", "q", "--format", "json")


def rounded(scores):
    return [round(scores[name], 2) for name in SCORES]


def test_scores(place):
    benchmark(place)
    place.photograph("p/other-view.png", 0, shift=(-5, 3))
    place.run("add", "c", "p")
    database = [scene(i) for i in range(4)] + ["other-view", "absent"]
    # View 0 has an easy and a hard positive, found first and second; view 1 finds one of two, since the other is absent;
    # view 3 has a hard one, found first.
    gnd = truth(place, database, [
        query(0, easy=[scene(0)], hard=["other-view"]),
        query(1, easy=[scene(1), "absent"]),
        query(3, hard=[scene(3)], junk=[scene(0)]),
    ])
    done = evaluate(place, gnd)
    check("JSON has the protocols and seconds", done.code == DONE and list(done.json) == [*PROTOCOLS, "seconds"], done)
    check("and each its scores", all(list(done.json[protocol]) == SCORES for protocol in PROTOCOLS), done)
    # easy: views 0 (all 100) and 1 (one of two found at rank 1: AP 50, precision 1, 1/5, 1/10)
    check("easy", rounded(done.json["easy"]) == [75, 100, 60, 55, 2], done.json["easy"])
    # medium: views 0 (both found: 100), 1 (as before) and 3 (100)
    check("medium", rounded(done.json["medium"]) == [83.33, 100, 73.33, 70, 3], done.json["medium"])
    # hard: views 0 (its easy one is left out) and 3
    check("hard", rounded(done.json["hard"]) == [100, 100, 100, 100, 2], done.json["hard"])
    check("stderr tells what was matched, and what is missing", "5 of 6 database images are in the collection, with 0 distractors"
          in done.err and "warning: 1 database image is missing" in done.err, done.err)
    text = place.run("eval", "roxford", "c", gnd, "--images", "q")
    check("as text", text.code == DONE and re.match(
        r" +mAP +mP@1 +mP@5 +mP@10 +queries\neasy +75\.00 +100\.00 +60\.00 +55\.00 +2\nmedium +83\.33 ", text.out), text)
    check("--quiet leaves the scores", place.run("eval", "roxford", "c", gnd, "--images", "q", "-q") == (0, text.out, ""))


def test_wrong_answers_lower_the_score(place):
    """A query whose only positive is another place: that comes somewhere behind its own."""
    benchmark(place)
    gnd = truth(place, [scene(i) for i in range(4)], [query(0, easy=[scene(1)])])
    scores = evaluate(place, gnd).json["easy"]
    check("a positive behind a wrong image", scores["mp1"] == 0 < scores["map"] < 50, scores)
    gnd = truth(place, [scene(i) for i in range(4)], [query(0, easy=[scene(1)], junk=[scene(0), scene(2), scene(3)])])
    scores = evaluate(place, gnd).json["easy"]
    check("what is junk does not stand before it", scores["map"] == 100, scores)
    gnd = truth(place, [scene(1)], [query(0, easy=[scene(1)])])
    done = evaluate(place, gnd)
    check("images that are not in the database are distractors", done.json["easy"]["map"] < 50 and "with 3 distractors" in done.err,
          done)
    gnd = truth(place, [scene(0)], [query(0)])
    scores = evaluate(place, gnd).json["easy"]
    check("no query with a positive: no score", scores == {**dict.fromkeys(SCORES), "queries": 0}, scores)
    text = place.run("eval", "roxford", "c", gnd, "--images", "q").out
    check("in text neither", re.search(r"^hard +- +- +- +- +0$", text, re.M), text)


def test_queries_of_the_collection_are_left_out(place):
    benchmark(place)
    place.run("add", "c", "q/view-0.png")
    gnd = truth(place, [scene(i) for i in range(4)], [query(0, easy=[scene(0)])])
    done = evaluate(place, gnd)
    check("the query's own photograph is no answer", done.json["easy"]["map"] == 100 and "with 0 distractors" in done.err, done)


def test_two_images_of_one_name(place):
    benchmark(place)
    place.photograph(f"again/{scene(0)}.png", 9)
    place.run("add", "c", "again")
    gnd = truth(place, [scene(i) for i in range(4)], [query(0, easy=[scene(0)])])
    done = evaluate(place, gnd)
    check("of two files of one name the better counts, and it is told", done.json["easy"]["map"] == 100
          and f"two images of the collection are called '{scene(0)}'" in done.err, done)


def test_box_and_folder(place):
    benchmark(place)
    database = [scene(i) for i in range(4)]
    gnd = truth(place, database, [query(0, easy=[scene(0)], box=[10.5, 10.5, 150, 110])])
    check("a part of the photograph", evaluate(place, gnd).json["easy"]["map"] == 100)
    default = place.run("eval", "roxford", "../c", "../gnd.json", "--format", "json", cwd=place / "q")
    check("without --images photographs are looked for here", default.code == DONE and default.json["easy"]["map"] == 100, default)
    os.rename(place / "q/view-0.png", place / "q/view-0.PNG")
    check("their ending may be in capitals", evaluate(place, gnd).code == DONE)
    gnd = truth(place, [f"{name}.jpg" for name in database], [{**query(0, easy=[f"{scene(0)}.jpg"]), "image": "view-0.jpg"}])
    check("names may have an ending", evaluate(place, gnd).json["easy"]["map"] == 100)
    for name in ("verify 2", "order inliers", "geometry homography", "threads 1"):
        option, value = name.split()
        done = evaluate(place, gnd, f"--{option}", value)
        check(f"--{name}", done.code == DONE and done.json["easy"]["map"] == 100, done)


def test_failures(place):
    benchmark(place)
    database, good = [scene(i) for i in range(4)], query(0, easy=[scene(0)])
    cases = (
        ("a query photograph is missing", [good, query(7), query(8)], ("2 of 3 query photographs cannot be found", "view-7", "--images")),
        ("no query at all", [], ("there is no query in it",)),
        ("a name is not in the database", [query(0, easy=["nothing"])], ("gnd.json", "nothing")),
        ("a name is in two lists", [query(0, easy=[scene(0)], junk=[scene(0)])], ("gnd.json", scene(0))),
        ("a box is empty", [query(0, easy=[scene(0)], box=[5, 5, 5, 9])], ("gnd.json", "box")),
        ("a member is missing", [{"image": "view-0"}], ("gnd.json", "box")),
    )
    for what, queries, messages in cases:
        failed = evaluate(place, truth(place, database, queries))
        check(what, failed.code == INPUT and failed.out == "" and all(message in failed.err for message in messages), failed)
    place.write("half.json", '{"database": ["a"')
    for name in ("half.json", "nothing.json"):
        failed = evaluate(place, name)
        check(f"{name} is told", failed.code == INPUT and name in failed.err and failed.out == "", failed)
    place.write("q/view-9.png", "no photograph")
    failed = evaluate(place, truth(place, database, [good, query(9)]))
    check("a query that cannot be read stops it", failed.code == INPUT and "view-9.png: not an image" in failed.err
          and failed.out == "", failed)
    failed = evaluate(place, truth(place, database, [query(0, easy=[scene(0)], box=[500, 500, 600, 600])]))
    check("so does a box outside of the photograph", failed.code == INPUT and "q/view-0.png: box 500,500,600,600"
          in failed.err, failed)


run_tests(globals())
