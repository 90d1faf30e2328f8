"""Recipes: what is shipped is sound; list, show and check; recipes of one's own."""
import json
import pathlib
import sys

from support import DONE, INPUT, USAGE, check, run_tests

SHIPPED = pathlib.Path(sys.argv[2])
NEAR = {"name": "near", "stage": "search", "k": 7}
VERIFIED = {"name": "verified", "stage": "verify", "ranking": "near"}


def recipe(*stages, **members):
    return json.dumps({"recipe": 1, "title": "A title", "stages": stages, **members})


def test_shipped_recipes_are_sound(place):
    files = sorted(SHIPPED.glob("*.json"))
    check("there are some", {"nii-2018.json", "superglobal.json"} <= {file.name for file in files}, files)
    for file in files:
        answer = place.run("recipe", "check", file)
        count = len(json.loads(file.read_text())["stages"])
        check(f"{file.name} is sound, without a warning", answer == (DONE, f"ok: {count} stages\n", ""), answer)
    listed = place.run("recipe", "list", "--names").out.split()
    check("all are listed without being told where they are", listed == [file.stem for file in files], listed)


def test_list(place):
    place.write("shipped/both.json", recipe(NEAR, title="Shipped"))
    place.write("shipped/a.json", recipe(NEAR))
    place.write("home/cairn/recipes/both.json", recipe(NEAR, title="Own"))
    place.write("home/cairn/recipes/faulty.json", "{}")
    place.environment["CAIRN_RECIPES"] = str(place / "shipped")
    answer = place.run("recipe", "list")
    check("names and titles", answer.code == DONE and [line.split(maxsplit=1) for line in answer.out.splitlines()]
          == [["a", "A title"], ["both", "Own"]], answer)
    check("a faulty one is warned of", "warning" in answer.err and "faulty.json: recipe: is missing" in answer.err, answer)
    check("--names", place.run("recipe", "list", "--names").out == "a\nboth\n")
    entries = {entry["name"]: entry for entry in place.run("recipe", "list", "--format", "json").json["recipes"]}
    check("json", entries["a"] == {"name": "a", "title": "A title", "path": str(place / "shipped/a.json")}
          and entries["both"]["path"] == str(place / "home/cairn/recipes/both.json")
          and "recipe: is missing" in entries["faulty"]["error"] and len(entries) == 3, entries)
    answer = place.run("recipe", "show", "both")
    check("one's own is shown", answer.out.startswith("both: Own\n"), answer)
    place.environment["CAIRN_RECIPES"] = str(place / "nothing")
    check("--home", place.run("recipe", "list", "--names", "--home", place / "elsewhere") == (DONE, "", ""))


SHOWN = """my: A title

One paragraph, a long one: it is filled to the width of eighty columns, word by
word.

Another, with \\x1b escaped.

models: global=lite0 local=xfeat

1. near: search -> ranking
    the images of the index that are nearest to each query
    queries          <- queries (default)
    index            <- index (default)
    by               global (default)
    k                7
    recall           0.95 (default)
    local            the role local, or the index's first kind (not set)
    asmk_weight      the calibrated value of the kind of features (not set)

2. other: search -> ranking
    the images of the index that are nearest to each query
    queries          <- queries (default)
    index            <- index (default)
    by               asmk
    k                100 (default)
    recall           0.95 (default)
    local            the role local, or the index's first kind (not set)
    asmk_weight      the calibrated value of the kind of features (not set)

3. both: fuse -> ranking
    several rankings become one
    rankings         <- near, other
    rule             sum (default)
    weights          [1, 0.5]
    missing          least (default)
    normalise        none (default)
    depth            all (not set)

output: both
"""


def test_show(place):
    about = ["One paragraph, a long one: it is filled to the width of eighty columns, word\nby word.", "Another, with \x1b escaped."]
    place.write("my.json", recipe({"name": "both", "stage": "fuse", "rankings": ["near", "other"], "weights": [1, 0.5]}, NEAR,
                                  {"name": "other", "stage": "search", "by": "asmk"}, about=about, output="both",
                                  models={"global": "lite0", "local": "xfeat"}))
    answer = place.run("recipe", "show", "my.json")
    check("text", answer == (DONE, SHOWN, ""), answer)
    answer = place.run("recipe", "show", "my.json", "--format", "json")
    whole = answer.json
    check("json has the order of running, and all defaults", [stage["name"] for stage in whole["stages"]] == ["near", "other", "both"]
          and whole["stages"][0] == dict(NEAR, queries="queries", index="index", by="global", recall=0.95)
          and whole["output"] == "both" and whole["models"] == {"global": "lite0", "local": "xfeat"}, answer)
    place.write("complete.json", answer.out)
    again = place.run("recipe", "show", "complete.json", "--format", "json")
    check("saved, it is the same recipe", again.out == answer.out, again)


def test_show_tells_of_training_sets_and_waste(place):
    place.write("my.json", recipe(NEAR, {"name": "end", "stage": "discriminate"}))
    check("needs a labelled set", "\ntakes a labelled set: --train\n" in place.run("recipe", "show", "my.json").out)
    place.write("waste.json", recipe(NEAR, VERIFIED, output="near"))
    answer = place.run("recipe", "show", "waste.json")
    check("what is not used is marked", "2. verified: verify -> verified (not used)\n" in answer.out, answer)


FAULTS = (
    ("{", "my.json:1:1: "),
    (recipe(NEAR, dict(VERIFIED, depth=0)), "my.json: stages[1].depth: 0 is outside 1 to 1000000"),
    (recipe(NEAR, dict(VERIFIED, stage="verfy")), "my.json: stages[1].stage: 'verfy' is unknown; did you mean 'verify'?"),
    (recipe(dict(NEAR, name="a\nb")), "my.json: stages[0].name: 'a\\nb' cannot be a name"),
    (recipe(dict(VERIFIED, ranking="verified")), "circle: 'verified' needs 'verified'"),
    (" " * 2**20 + recipe(NEAR), "more than the limit of 1048576"),
    (b"\xff", "my.json:1:"),
)


def test_check(place):
    place.write("my.json", recipe(NEAR))
    check("one stage", place.run("recipe", "check", "my.json") == (DONE, "ok: 1 stage\n", ""))
    check("by name", place.run("recipe", "check", "superglobal").out == "ok: 2 stages\n")
    for content, message in FAULTS:
        place.write("my.json", content)
        for command in ("check", "show"):
            answer = place.run("recipe", command, "my.json")
            check(f"{command}: {message}", answer.code == INPUT and answer.out == "" and answer.err.count("\n") == 1
                  and answer.err.startswith("cairn: ") and message in answer.err, answer)


def test_check_warns(place):
    place.write("my.json", recipe(NEAR, VERIFIED, output="near"))
    answer = place.run("recipe", "check", "my.json")
    check("a stage that is not used", answer.code == DONE and answer.out == "ok: 2 stages\n" and "warning: my.json: stages[1]: "
          "the output, 'near', does not depend on 'verified'" in answer.err, answer)
    check("not with --quiet", place.run("recipe", "check", "my.json", "--quiet") == (DONE, "ok: 2 stages\n", ""))


def test_what_is_not_there(place):
    for name, message in (("nii-2019", "did you mean 'nii-2018'?"), ("frobnicate", "there is no recipe 'frobnicate'"),
                          ("frobnicate.json", "frobnicate.json"), ("./nii-2018", "./nii-2018")):
        answer = place.run("recipe", "show", name)
        check(f"recipe show {name}", answer.code == INPUT and message in answer.err, answer)
    check("FILE is missing", place.run("recipe", "check").code == USAGE)


run_tests(globals())
