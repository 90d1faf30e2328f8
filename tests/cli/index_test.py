"""index and init --asmk: what they build, say and refuse, and searches by it."""
from support import DONE, INPUT, USAGE, check, run_tests

BUILT = ["trained", "written", "postponed", "structures", "interrupted"]
STRUCTURE = ["structure", "local", "regions", "words", "trained_on", "covered", "images", "bytes"]


def index(place, *words):
    done = place.run("index", *words, "--format", "json")
    check(f"index {words} is done", done.code == DONE, done)
    return done.json


def search(place, *words):
    return place.run("search", "c", "--id", 1, *words, "--format", "json").json["queries"][0]["results"]


def test_building(place):
    place.collection("c", place.photographs("p", 6), add=("--batch", 2))
    told = place.run("index", "c")
    check("nothing asked for, nothing built", told.code == DONE and "--asmk" in told.out, told)
    built = index(place, "c", "--asmk", "--words", 32)
    check("it reports all its members", list(built) == BUILT and list(built["structures"][0]) == STRUCTURE, built)
    check("and what it did", (built["trained"], built["written"], built["postponed"], built["interrupted"]) == (1, 3, 0, False), built)
    structure = built["structures"][0]
    check("of which kind and size", (structure["structure"], structure["local"], structure["words"], structure["trained_on"],
                                     structure["covered"], structure["images"]) == ("asmk", "rootsift", 32, 6, 6, 6), structure)
    check("info tells the same", place.run("info", "c", "--format", "json").json["structures"] == built["structures"])
    text = place.run("info", "c").out
    check("also as text", "ASMK of rootsift  32 words" in text, text)
    again = index(place, "c")
    check("a second run has nothing to do", again["trained"] == again["written"] == 0, again)
    check("nor has the same once more", index(place, "c", "--asmk", "--words", 32) == again)
    other = place.run("index", "c", "--asmk", "--words", 16)
    check("another number of words is not passed over", other.code == INPUT and "has 32 words; --retrain makes others" in other.err,
          other)
    place.run("add", "c", *place.photographs("more", 2, first=10))
    check("added images are in it", place.run("info", "c", "--format", "json").json["structures"][0]["covered"] == 8)
    trained = index(place, "c", "--retrain", "--asmk", "--words", 16)
    check("it is trained again", (trained["trained"], trained["structures"][0]["words"], trained["structures"][0]["covered"])
          == (1, 16, 8), trained)
    place.run("remove", "c", 2)
    place.run("compact", "c")
    check("a compaction keeps it", place.run("info", "c", "--format", "json").json["structures"][0]["covered"] == 7)
    check("the collection is clean", place.run("check", "c").code == DONE)


def test_regions(place):
    place.collection("c", place.photographs("p", 4), add=("--batch", 2))
    whole = index(place, "c", "--asmk", "--words", 32)["structures"][0]
    codebook = lambda: next((place / "c" / "segments").glob("*.codebook.npy")).read_bytes()
    words, found = codebook(), search(place, "--by", "asmk")
    check("images are whole at first", whole["regions"] is None, whole)
    regional = index(place, "c", "--asmk", "--regions", "grid")
    structure = regional["structures"][0]
    check("regions are aggregated with the same words", (structure["regions"], structure["words"], structure["trained_on"], regional["written"])
          == ("grid", 32, 4, 2) and codebook() == words, regional)
    check("images then have more words", structure["bytes"] > whole["bytes"], structure)
    again = index(place, "c", "--asmk", "--regions", "grid")
    check("asking once more changes nothing", again["trained"] == again["written"] == 0, again)
    place.run("add", "c", *place.photographs("more", 2, first=10))
    place.run("remove", "c", 2)
    place.run("compact", "c")
    structure = index(place, "c")["structures"][0]
    check("adding and compacting keep them", (structure["regions"], structure["covered"]) == ("grid", 5), structure)
    check("info names them", "regions by grid" in place.run("info", "c").out)
    check("the collection is clean", place.run("check", "c").code == DONE)
    check("searches by ASMK and fused find images", search(place, "--by", "asmk") and place.run("search", "c", "--id", 1).code == DONE)
    unknown = place.run("index", "c", "--asmk", "--regions", "squares")
    check("other regions are refused", unknown.code != DONE and "'squares' are not known" in unknown.err, unknown)
    check("--regions needs --asmk", place.run("index", "c", "--regions", "grid").code == USAGE)
    place.collection("d", place.photographs("p", 4), add=("--batch", 2))
    index(place, "d", "--asmk", "--words", 32, "--regions", "grid")
    index(place, "d", "--asmk", "--regions", "none")
    check("and back: searches are as before", place.run("search", "d", "--id", 1, "--by", "asmk", "--format", "json").json["queries"][0]["results"][0]["score"]
          == found[0]["score"])


def test_boxes(place):
    place.model("boxes", kind="detector")
    photos = place.photographs("p", 4)
    place.collection("c", photos, init=("--model", "none", "--detector", "boxes"), add=("--batch", 2))
    info = place.run("info", "c")
    check("info names the detector", "boxes       by boxes" in info.out
          and place.run("info", "c", "--format", "json").json["detector"] == "boxes", info)
    check("each segment has a file of boxes", len(list((place / "c" / "segments").glob("*.boxes.npy"))) == 2)
    regional = index(place, "c", "--asmk", "--words", 32, "--regions", "boxes")
    check("boxes are aggregated", regional["structures"][0]["regions"] == "boxes", regional)
    place.run("remove", "c", 2)
    place.run("compact", "c")
    check("a compaction carries them", len(list((place / "c" / "segments").glob("*.boxes.npy"))) == 1
          and index(place, "c")["structures"][0]["covered"] == 3)
    check("the collection is clean", place.run("check", "c").code == DONE)
    check("searches by ASMK find images", search(place, "--by", "asmk"))
    place.collection("plain", photos[:2])
    none = place.run("index", "plain", "--asmk", "--regions", "boxes")
    check("without boxes the remedy is told", none.code == USAGE and "keeps no boxes; 'cairn init --detector'" in none.err, none)
    for words, message in (("--local none --model boxes", "a global one is needed"), ("--detector boxes --local none", "--local none keeps none"),
                           ("--model none --detector rootsift", "rootsift"), ("--model none --detector nothing", "nothing")):
        refused = place.run("init", "d", *words.split())
        check(f"init {words} is refused and makes nothing", refused.code != DONE and message in refused.err and not (place / "d").exists(),
              refused)
    told = place.run("model", "info", "boxes")
    check("model info tells the kind", told.code == DONE and "detector" in told.out, told)


def test_growth(place):
    place.collection("c", place.photographs("p", 2))
    index(place, "c", "--asmk", "--words", 16)
    place.run("add", "c", *place.photographs("more", 6, first=10))
    text = place.run("info", "c").out
    check("info advises to train again", "trained on 2, there are 8 now" in text and "cairn index --retrain" in text, text)


def test_copying(place):
    place.collection("a", place.photographs("p", 4))
    index(place, "a", "--asmk", "--words", 32)
    codebook = next((place / "a" / "segments").glob("*.codebook.npy"))
    for name, source in (("of-file", codebook), ("of-collection", place / "a")):
        made = place.run("init", name, "--model", "none", f"--asmk={source}")
        check(f"init --asmk copies {name[3:]}", made.code == DONE, made)
        place.run("add", name, place / "p")
        known = place.run("info", name, "--format", "json").json["structures"][0]
        check("and add uses it", (known["words"], known["trained_on"], known["covered"]) == (32, 0, 4), known)
    waiting = place.run("init", "waiting", "--model", "none", "--asmk")
    check("init --asmk without a codebook says nothing more", waiting.code == DONE and "warning" not in waiting.err, waiting)
    added = place.run("add", "waiting", place / "p")
    check("add with too few features says so and goes on", added.code == DONE and "too few descriptors of 'rootsift' for ASMK" in added.err, added)


def test_searching(place):
    photos = place.photographs("p", 4)
    views = [place.photograph(f"q/view-{i:03}.png", i, shift=(6, -4)) for i in range(4)]
    place.collection("c", photos + views)
    before = search(place, "--verify", 0)
    check("without ASMK, asmk is null", all(hit["asmk"] is None for hit in before), before)
    index(place, "c", "--asmk", "--words", 32)
    found = search(place, "--verify", 0)
    check("with it, the other view is the first", found[0]["id"] == 5 and found[0]["asmk"] == found[0]["score"] > 0, found)
    check("by asmk is the same here", search(place, "--verify", 0, "--by", "asmk") == found)
    lines = place.run("search", "c", "--id", 1, "--verify", 0).out.splitlines()[2:2 + len(found)]
    check("text shows three digits of a score, however small", all(abs(float(line.split()[1]) - hit["score"]) <= 0.005001 * hit["score"]
          for line, hit in zip(lines, found)), lines)
    check("the first are verified", search(place, "--verify", 1)[0]["inliers"] > 20)
    for words, code, message in (("--by global", USAGE, "no global descriptors"), ("--by fused", USAGE, "no global descriptors"),
                                 ("--by nonsense", USAGE, "global, asmk, fused"),
                                 ("--recall 0", USAGE, "--recall takes a decimal number above 0 and at most 1, not '0'"),
                                 ("--recall 1.1", USAGE, "--recall")):
        refused = place.run("search", "c", "--id", 1, *words.split())
        check(f"search {words} is refused", refused.code == code and message in refused.err, refused)


def by(place, *words):
    """What a search says that it went by, and what it warns of."""
    found = place.run("search", "c", "--id", 1, "--verify", 0, *words, "--format", "json")
    return found.json["queries"][0]["by"], found.err


def test_what_is_searched_by(place):
    place.model()
    place.collection("c", place.photographs("p", 3), init=("--model", "tiny"))
    check("by global descriptor", by(place) == ("global", ""))
    index(place, "c", "--asmk", "--words", 32)
    check("with ASMK by both", by(place) == ("fused", "") and by(place, "--by", "asmk") == ("asmk", ""))
    file = next((place / "c" / "segments").glob("*.asmk"))
    good = file.read_bytes()
    file.unlink()
    what, told = by(place)
    check("a file of it that is gone is told in one line", what == "global" and file.name in told and
          "searching without it" in told and told.count("\n") == 1, told)
    file.write_bytes(good)
    next((place / "c" / "segments").glob("*.codebook.npy")).unlink()
    what, told = by(place)
    check("a codebook too", what == "global" and "codebook" in told, told)


def test_empty(place):
    place.collection("a", place.photographs("p", 2))
    index(place, "a", "--asmk", "--words", 32)
    place.run("init", "c", "--model", "none", f"--asmk={place / 'a'}")
    for words in ((), ("--by", "asmk")):
        found = place.run("search", "c", place / "p/scene-000.png", *words)
        check(f"an empty collection has no results {words}", found.code == DONE and "0 found" in found.out and "has no images" in found.err, found)


def test_damage(place):
    place.collection("c", place.photographs("p", 4))
    index(place, "c", "--asmk", "--words", 32)
    file = next((place / "c" / "segments").glob("*.asmk"))
    good = file.read_bytes()
    for at in range(0, len(good), 1 + len(good) // 40):
        file.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1:])
        found = place.run("search", "c", "--id", 1)
        if found.code not in (DONE, 3):
            check(f"damage at {at} is no crash", False, found)
        told = place.run("check", "c")
        if told.code != 3 or file.name not in told.out + told.err:
            check(f"damage at {at} is found", False, told)
    repaired = place.run("check", "c", "--repair")
    check("repair drops it", repaired.code == DONE and not file.exists(), repaired)
    check("index makes it again", index(place, "c")["written"] == 1)


def test_lists(place):
    place.model()
    place.collection("c", place.photographs("p", 8), init=("--model", "tiny", "--local", "none"))
    built = index(place, "c", "--ivf", "--lists", 3)
    check("lists are built", built["structures"][0]["lists"] == 3 and built["structures"][0]["local"] is None, built)
    other = place.run("index", "c", "--ivf", "--lists", 4)
    check("another number of lists is not passed over", other.code == INPUT and "has 3 lists; --retrain makes others" in other.err,
          other)
    whole = search(place, "--recall", 1)
    check("a search that is to find all is exact", len(whole) == 7)
    again = place.run("index", "c", "--retrain")
    check("where there are too few to train on, it says that the lists stay", again.code == DONE and "warning: too few descriptors "
          "for lists: 8, and they need 1024; those of before stay" in again.err and "3 lists" in again.out, again)
    check("a low recall finds some of them", {hit["id"] for hit in search(place, "--recall", 0.01)} <= {hit["id"] for hit in whole})
    place.run("remove", "c", 2)
    text = place.run("index", "c", "--retrain", "--ivf", "--lists", 1).out
    check("one is no plural, and removed images are not counted", text.startswith("lists: 1 list, all images, "), text)


def test_refusals(place):
    place.collection("c", place.photographs("p", 2))
    place.collection("global", init=("--model", "none"))
    for words, code, message in (("c --words 5", USAGE, "--words"), ("c --local rootsift", USAGE, "--local"),
                                 ("c --lists 5", USAGE, "--lists"), ("c --asmk=x.npy --retrain", USAGE, "--retrain"),
                                 ("c --asmk=", USAGE, "--asmk"), ("c --asmk=x.npy", INPUT, "x.npy"),
                                 ("c --asmk --local xfeat", INPUT, "xfeat"), ("c --ivf", USAGE, "no global descriptors"),
                                 ("nowhere --asmk", INPUT, "nowhere")):
        refused = place.run("index", *words.split())
        check(f"index {words} is refused", refused.code == code and message in refused.err, refused)
    place.model()
    place.collection("empty", init=("--model", "tiny"))
    for words, message in (("--ivf --lists 3", "0 descriptors, too few for 3 lists; add more images first"),
                           ("--asmk --words 3", "no images yet to train 3 words on; add some first")):
        refused = place.run("index", "empty", *words.split())
        check(f"index {words} of an empty collection is refused", refused.code == USAGE and message in refused.err, refused)
    place.write("bad.npy", "no array")
    for name in ("bad.npy", "none.npy", "home"):
        made = place.run("init", "d", "--model", "none", f"--asmk={name}")
        check(f"init with {name} as codebook tells it and makes nothing", made.code == INPUT and name in made.err
              and not (place / "d").exists(), made)
    none = place.run("init", "e", "--local", "none", "--asmk")
    check("init --asmk needs local features", none.code == USAGE and not (place / "e").exists(), none)


run_tests(globals())
