"""run: whole recipes from outside, what they leave behind, and that a run goes on after a kill; eval roxford by a recipe."""
import csv
import json
import random
import re
import signal
import subprocess
import time

from support import DONE, INPUT, INTERRUPTED, USAGE, check, run_tests

PLACES, VIEWS = 5, 2
COLUMNS = ["query", "rank", "id", "path", "score", "inliers", "label"]
NEAR = {"name": "near", "stage": "search", "k": 9, "recall": 1}
PROVEN = {"name": "proven", "stage": "verify", "ranking": "near", "depth": 4}
WORDS = {"name": "words", "stage": "search", "by": "asmk", "k": 6}
LONG = (
    NEAR, PROVEN, WORDS,
    {"name": "larger", "stage": "augment", "k": 3},
    {"name": "joined", "stage": "expand", "ranking": "proven", "n": 3, "times": 2},
    {"name": "again", "stage": "search", "queries": "joined", "index": "larger", "k": 8},
    {"name": "flown", "stage": "diffuse", "ranking": "again", "method": "offline", "k": 4, "kq": 3},
    {"name": "walked", "stage": "explore", "ranking": "near", "k": 4, "depth": 8},
    {"name": "mutual", "stage": "reciprocal", "k1": 4, "k2": 2},
    {"name": "refined", "stage": "superglobal", "ranking": "near"},
    {"name": "named", "stage": "discriminate", "ranking": "near", "threshold": 0},
    {"name": "all", "stage": "fuse", "rankings": ["proven", "words", "flown", "mutual", "refined", "named"]},
    {"name": "end", "stage": "cut", "depth": 7},
)


def recipe(place, *stages, name="my.json", **members):
    place.write(name, json.dumps({"recipe": 1, "title": "A run", "stages": stages, **members}))
    return f"./{name}"


def world(place):
    """An index c of two views of each place with ASMK, other views in q/, and their labels in a collection t."""
    place.model("tiny")
    for i in range(PLACES):
        for view in range(VIEWS):
            place.photograph(f"p/place-{i}-{view}.png", i, shift=(5 * view, -3 * view))
        place.photograph(f"q/view-{i}.png", i, shift=(6, 4))
        place.photograph(f"t/place-{i}/a.png", i, shift=(-5, 3))
        place.photograph(f"t/place-{i}/b.png", i, shift=(-9, 5))
    for name, photos, add in (("c", "p", ()), ("labelled", "t", ("--label-from", "parent",))):
        place.collection(name, [photos], ("--model", "tiny", "--local", "rootsift"), ("--precision", "f32", *add))
    built = place.run("index", "c", "--asmk", "--words", 32)
    assert built.code == DONE, built


def run(place, name, query, *words, out="out"):
    queries = [word for path in (query if isinstance(query, list) else [query]) for word in ("--query", path)]
    return place.run("run", name, *queries, "--index", "c", "-o", out, "--precision", "f32", *words)


def ranking(place, out="out"):
    return (place / out / "ranking.csv").read_bytes()


def rows(place, out="out"):
    with open(place / out / "ranking.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def origins(answer):
    return {stage["name"]: stage["from"] for stage in answer.json["stages"]}


# ---- what is found and left behind ----


def test_photographs(place):
    world(place)
    name = recipe(place, NEAR, PROVEN)
    done = run(place, name, "q", "--format", "json")
    check("a run of a folder ends well", done.code == DONE, done)
    check("its files are made", {file.name for file in (place / "out").iterdir()} == {"ranking.csv", "queries", "cache"})
    found = rows(place)
    check("the ranking has its columns", list(found[0]) == COLUMNS, found[0])
    check("a line a query and rank", [(row["query"], row["rank"]) for row in found]
          == [(str(place / f"q/view-{i}.png"), str(rank)) for i in range(PLACES) for rank in range(1, 10)], found)
    first = [row for row in found if row["rank"] == "1"]
    check("each finds its place, proven", all(re.search(rf"/place-{i}-\d\.png$", row["path"]) and int(row["inliers"]) > 15
                                              for i, row in enumerate(first)), first)
    check("of the others inliers are not known", sum(row["inliers"] == "" for row in found) == PLACES * 5, found)
    check("JSON has its members", list(done.json) == ["queries", "seconds", "folder", "stages"] and done.json["queries"] == PLACES
          and done.json["folder"] == "out", done)
    stage = done.json["stages"][1]
    check("and of each stage", list(stage) == ["name", "stage", "from", "seconds", "memory", "key"] and stage["name"] == "proven"
          and stage["stage"] == "verify" and stage["from"] == "made" and stage["seconds"] > 0 and stage["memory"] > 1 << 20
          and (place / f"out/cache/{stage['key']}.json").exists(), stage)
    before = ranking(place)
    again = run(place, name, "q", "--format", "json")
    check("a second run takes all from the cache", origins(again) == {"near": "not needed", "proven": "cache"}, again)
    check("and gives the same bytes", ranking(place) == before)
    text = run(place, name, "q", "-k", 2)
    check("as text", text.code == DONE and re.match(r"name +stage +from +seconds +memory so far\nnear +search +not needed +0\.00 +\n"
          rf"proven +verify +cache +\d+\.\d\d +\n{PLACES} queries in \d+\.\d s: out/ranking\.csv\n$", text.out), text)
    check("-k cuts", len(rows(place)) == 2 * PLACES, rows(place))
    cached = run(place, recipe(place, NEAR, {**PROVEN, "depth": 5}, name="more.json"), "q", "--format", "json")
    check("what does not depend on a change is not made again", origins(cached) == {"near": "cache", "proven": "made"}, cached)


def test_queries_are_those_of_the_command_line(place):
    world(place)
    name = recipe(place, NEAR)
    for query, views in (("q/view-1.png", [1]), (["q/view-3.png", "q/view-1.png"], [1, 3]), ("@list.txt", [4]), ("q", range(PLACES))):
        place.write("list.txt", "q/view-4.png\n")
        done = run(place, name, query, "-k", 1)
        check(f"{query}", done.code == DONE and {row["query"] for row in rows(place)}
              == {str(place / f"q/view-{i}.png") for i in views}, (done, rows(place)))
    place.write("q/copy-of-0.png", (place / "q/view-0.png").read_bytes())
    done = run(place, name, "q/copy-of-0.png", "-k", 1)
    check("a copy of a photograph of before", done.code == DONE and [row["query"] for row in rows(place)]
          == [str(place / "q/copy-of-0.png")], (done, rows(place)))
    place.write("q/broken.png", "no photograph")
    done = run(place, name, ["q/broken.png", "q/view-2.png"], "-k", 1)
    check("what cannot be read is told, and the others are asked", done.code == DONE and "broken.png: not an image" in done.err
          and "1 photograph could not be read and is no query" in done.err and len(rows(place)) == 1, done)


def test_collections_as_queries(place):
    world(place)
    name = recipe(place, NEAR, PROVEN)
    place.collection("asked", ["q"], ("--model", "tiny", "--local", "rootsift"), ("--precision", "f32"))
    for out, query in (("out", "q"), ("other", "asked")):
        check(f"{query} is asked", run(place, name, query, out=out).code == DONE)
    check("a collection asks what its photographs ask", ranking(place) == ranking(place, "other"))
    check("and needs no other", not (place / "other/queries").exists())
    for query in ("c", "./p/../c"):
        own = run(place, name, query, out="own")
        found = rows(place, "own")
        check(f"{query}: the index itself", own.code == DONE and len(found) == PLACES * VIEWS * 9, own)
        check("its images do not find themselves", all(row["query"] != row["path"] for row in found), found)
    searched = place.run("search", "c", *(word for i in range(1, PLACES * VIEWS + 1) for word in ("--id", i)), "--by", "global",
                         "--verify", 4, "-k", 9, "--recall", 1, "--format", "csv")
    check("what is found is what a search finds, in the same form", (place / "own/ranking.csv").read_text() == searched.out, searched)
    place.collection("words", ["q"])
    other = run(place, name, "words", out="bad")
    check("a collection of other models is refused", other.code == USAGE and "global models" in other.err
          and not (place / "bad/ranking.csv").exists(), other)


def test_report(place):
    world(place)
    place.photograph("q/<odd> & name.png", 2, shift=(3, 3))
    done = run(place, recipe(place, NEAR, PROVEN, WORDS, {"name": "unused", "stage": "search", "k": 2},
                             {"name": "all", "stage": "fuse", "rankings": ["proven", "words"]}, output="all"), "q", "--report", 3)
    check("a run with a report", done.code == DONE and "out/ranking.csv, report.html" in done.out, done)
    page = (place / "out/report.html").read_text()
    stages = re.findall(r"<dt>stage</dt><dd>(\w+)</dd>", page)
    check("each stage stands there once a query", stages == ["near", "proven", "words", "all"] * 3, stages)
    queries = re.findall(r"<section>.*?<h2>(.*?)</h2>", page, re.S)
    check("queries are spread over all, and their names are escaped", len(set(queries)) == 3
          and queries[0] == "&lt;odd&gt; &amp; name.png", queries)
    check("the title is the recipe's", "<title>A run</title>" in page and "3 queries" in page, page[:2000])
    check("points are drawn where a stage verifies", page.count("<details") > 0 or "matched" in page, page[-2000:])
    done = run(place, "./my.json", "q", "--report", 100)
    page = (place / "out/report.html").read_text()
    check("at most all queries are shown", len(re.findall("<section>", page)) == 4 * (PLACES + 1), done)


# ---- kills ----


def test_goes_on_after_kills(place):
    world(place)
    name = recipe(place, *LONG)
    words = ("--train", "labelled", "--threads", 2)
    start = time.monotonic()
    whole = run(place, name, "q", *words, out="whole")
    seconds = time.monotonic() - start
    check("an undisturbed run", whole.code == DONE and len(rows(place, "whole")) == 7 * PLACES, whole)
    pick, kills, tries = random.Random(7), 0, 0
    while kills < 10 and tries < 40:
        out = f"killed-{tries // 3}"
        tries += 1
        process = place.start("run", name, "--query", "q", "--index", "c", "-o", out, "--precision", "f32", *words,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(pick.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        if tries % 3 == 0:
            done = run(place, name, "q", *words, out=out)
            check(f"{out}: goes on, with the same bytes", done.code == DONE and ranking(place, out) == ranking(place, "whole"), done)
    check("it was killed often enough", kills >= 10, (kills, tries, seconds))


def test_interrupt(place):
    world(place)
    place.slow_photographs("slow", 60)
    name = recipe(place, NEAR)
    process = place.terminal("run", name, "--query", "slow", "--index", "c", "-o", "out")
    check("it tells how far it is", process.until("/60") or process.until("%"), process.shown)
    process.interrupt()
    done = process.end()
    check("Ctrl-C ends it", done.code == INTERRUPTED and "run the same command again" in done.err, done)
    check("and nothing is left half", not (place / "out/ranking.csv").exists())


# ---- refusals ----


def test_usage(place):
    name = recipe(place, NEAR)
    whole = ["--query", "q", "--index", "c", "-o", "out"]
    cases = (
        ("no recipe", whole, "RECIPE"),
        ("no query", [name, *whole[2:]], "--query is missing"),
        ("no index", [name, *whole[:2], *whole[4:]], "--index is missing"),
        ("no output", [name, *whole[:4]], "-o is missing"),
        ("k 0", [name, *whole, "-k", "0"], "-k"),
        ("memory of words", [name, *whole, "--memory", "much"], "--memory takes"),
        ("a role without a model", [name, *whole, "--model", "local="], "--model takes ROLE=NAME"),
        ("a model without a role", [name, *whole, "--model", "rootsift"], "--model takes ROLE=NAME"),
        ("an unknown option", [name, *whole, "--recipe", "x"], "--recipe"),
    )
    for what, words, message in cases:
        refused = place.run("run", *words)
        check(what, refused.code == USAGE and message in refused.err and refused.out == "", refused)
    check("and nothing is made", not (place / "out").exists())


def test_failures(place):
    world(place)
    name = recipe(place, NEAR, PROVEN)
    cases = (
        ("no such recipe", ("nothing.json", "q"), (), "nothing.json"),
        ("a faulty recipe", (recipe(place, {"name": "a", "stage": "serach"}, name="bad.json"), "q"), (), "did you mean 'search'"),
        ("no such photograph", (name, "q/nothing.png"), (), "nothing.png"),
        ("no labelled set", (recipe(place, NEAR, LONG[10], name="train.json"), "q"), (), "--train", USAGE),
        ("an unknown role", (name, "q"), ("--model", "lokal=rootsift"), "no role 'lokal'", USAGE),
        ("a kind that is not kept", (name, "q"), ("--model", "local=xfeat"), "no local features of kind 'xfeat'"),
    )
    for what, words, more, message, *code in cases:
        failed = run(place, *words, *more)
        check(what, failed.code == (*code, INPUT)[0] and message in failed.err and failed.out == "", failed)
    check("no ranking is made", not (place / "out/ranking.csv").exists())
    failed = run(place, name, "q", out="no/such/folder")
    check("a folder that cannot be made", failed.code == INPUT and "no/such/folder" in failed.err, failed)
    role = run(place, name, "q", "--model", "local=rootsift", out="role")
    check("a role may be given the kind that is there", role.code == DONE, role)


# ---- eval ----


def test_eval(place):
    world(place)
    database = [f"place-{i}-{view}" for i in range(PLACES) for view in range(VIEWS)]
    queries = [{"image": f"view-{i}", "box": [0, 0, 160, 120], "easy": [f"place-{i}-0"], "hard": [f"place-{i}-1"],
                "junk": [f"place-{(i + 1) % PLACES}-0"]} for i in range(PLACES)]
    place.write("gnd.json", json.dumps({"name": "toy", "database": database, "queries": queries}))
    words = ("eval", "roxford", "c", "gnd.json", "--images", "q", "--precision", "f32", "--format", "json")

    def scores(*more):
        done = place.run(*words, *more)
        if done.code != DONE:
            check(" ".join(map(str, more)), False, done)
        return {level: done.json[level] for level in ("easy", "medium", "hard")}
    plain = recipe(place, {"name": "near", "stage": "search", "k": 100}, name="plain.json")
    check("a plain search has the scores of --verify 0", scores("--recipe", plain) == scores("--by", "global", "--verify", 0))
    both = recipe(place, {"name": "near", "stage": "search", "k": 100}, {"name": "proven", "stage": "verify"}, name="both.json")
    for cache in ((), ("--cache", "kept"), ("--cache", "kept")):
        check(f"with verification, {cache}", scores("--recipe", both, *cache) == scores("--by", "global", "--verify", 100))
    check("the shipped recipe finds all", scores("--recipe", "superglobal")["easy"]["queries"] == PLACES)
    check("a cache is kept where it is wanted", any((place / "kept").glob("*.pairs")))
    check("what does not depend on queries is kept in the collection", (place / "c/cache").is_dir()
          and not any((place / "c/cache").glob("*.ids.npy")))
    for option in (("--model", "local=rootsift"), ("--cache", "kept")):
        refused = place.run(*words, *option)
        check(f"{option[0]} goes with a recipe", refused.code == USAGE and "goes with --recipe" in refused.err, refused)


# ---- search ----


def test_search_by_a_recipe(place):
    world(place)
    name = recipe(place, NEAR, PROVEN)
    words = ("search", "c", "--recipe", name, "--precision", "f32", "--format", "csv", "-k", 5)
    photos = [f"q/view-{i}.png" for i in range(PLACES)]
    found = place.run(*words, *photos)
    run(place, name, photos, "-k", 5)
    # A run asks with descriptors as collections keep them, so scores differ in their last digits.
    tidy = [[(row["rank"], row["id"], row["inliers"]) for row in some] for some in (csv.DictReader(found.out.splitlines()), rows(place))]
    check("what is found is what a run finds", found.code == DONE and len(tidy[0]) == 5 * PLACES and tidy[0] == tidy[1], (found, tidy[1]))
    fast, plain = (place.run("search", "c", *photos, "--precision", "f32", "--format", "csv", *more) for more in (("--recipe", "fast"), ()))
    check("the recipe fast is what a search does by itself", fast == plain and len(plain.out.splitlines()) > PLACES, (fast, plain))
    own = place.run(*words, "--id", 1)
    check("an image does not find itself", own.code == DONE and all(row["id"] != "1" for row in csv.DictReader(own.out.splitlines())), own)
    some = place.run(*words, "q/nothing.png", photos[0], "--report", "page.html")
    check("one that cannot be read is told, and the other answered", some.code == INPUT and "nothing.png" in some.err and
          len(some.out.splitlines()) == 6 and (place / "page.html").stat().st_size > 1000, some)
    for option, message in ((("--label", "x"), "do not go with --recipe"), (("--model", "local"), "ROLE=NAME")):
        refused = place.run(*words, photos[0], *option)
        check(f"{option[0]} is refused", refused.code == USAGE and message in refused.err and refused.out == "", refused)
    refused = place.run("search", "c", photos[0], "--model", "local=rootsift")
    check("--model without a recipe", refused.code == USAGE and "--recipe" in refused.err, refused)


run_tests(globals())
