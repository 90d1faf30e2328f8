#!/usr/bin/env python3
"""Measure mAP on revisited Oxford, reduced, and write the table of docs/results.md. Run by `make accuracy`.

Nothing is tuned here: a mean is learned without labels, on the database images or on ukbench-sample as a row says; minimum
inliers and boost are the defaults of the command, which were calibrated on other images (docs/results.md says which)."""
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CAIRN = ROOT / "build" / "cairn"
DATA = pathlib.Path(os.environ.get("CAIRN_DATA", ROOT.parent / "shared" / "data")).resolve()
WORK = ROOT / "build" / "accuracy"
ROXFORD = DATA / "roxford-mini"
UKBENCH = DATA / "ukbench-sample"
BEGIN, END = "<!-- made by make accuracy -->", "<!-- end -->"

# name, models, whether the first images are verified as well
DESCRIPTORS = [
    ("Lite0", ["efficientnet-lite0"], False),
    ("Lite0, centred on ukbench-sample", ["lite0-ukbench"], False),
    ("Lite0, centred", ["lite0-centred"], True),
    ("SSCD", ["sscd"], False),
    ("Lite0, centred, + SSCD", ["lite0-centred", "sscd"], True),
]
# bundles that are learned here: the images of their mean
CENTRED = {"lite0-centred": ROXFORD / "jpg", "lite0-ukbench": UKBENCH}
LOCALS = ["rootsift", "xfeat"]
# of the codebooks of ASMK, which are trained on ukbench-sample
WORDS = 16384
# shipped recipes, and the models that take their roles
RECIPES = [("fast", []), ("best", []), ("superglobal", []), ("nii-2018", ["--model", "local=rootsift"])]


def cairn(*arguments, **more):
    return subprocess.run([CAIRN, *map(str, arguments)], check=True, **more)


def have_model(name):
    return subprocess.run([CAIRN, "model", "info", name], capture_output=True).returncode == 0


def prepare_models():
    for name in ("efficientnet-lite0", "xfeat", "sscd"):
        if not have_model(name):
            cairn("model", "install", name)
    for name, folder in CENTRED.items():
        cairn("model", "whiten", "efficientnet-lite0", folder, "--kind", "centre", "-o", name, "--replace")


def collection(models, kinds, folders, name, work=WORK):
    folder = work / name
    cairn("init", folder, *sum((["--model", model] for model in models or ["none"]), []), *sum((["--local", kind] for kind in kinds), []))
    cairn("add", folder, *folders)
    return folder


def train_codebooks():
    folder = collection([], LOCALS, [UKBENCH], "codebooks")
    for kind in LOCALS:
        cairn("index", folder, "--asmk", "--local", kind, "--words", WORDS)
    return folder


def evaluate(folder, *options):
    start = time.perf_counter()
    out = cairn("eval", "roxford", folder, ROXFORD / "groundtruth.json", "--images", ROXFORD / "queries", "--format", "json", *options,
                capture_output=True, text=True).stdout
    return json.loads(out), time.perf_counter() - start


def row(title, scores, key="map"):
    return "| {} | {:.1f} | {:.1f} | {:.1f} | {:.1f} |".format(title, *(scores[level][key] for level in ("easy", "medium", "hard")), scores["medium"]["mp10"])


def search_by_asmk(folder, title, codebooks):
    """Without verification: by ASMK alone, and beside the global descriptor."""
    for kind in LOCALS:
        cairn("index", folder, f"--asmk={codebooks}", "--local", kind)
        for by, name in ("asmk", f"{kind} ASMK*"), ("fused", f"{title}, and {kind} ASMK*"):
            scores, _ = evaluate(folder, "--by", by, "--local", kind, "--verify", 0)
            yield row(name, scores)


def by_recipes(folder):
    """After each stage of the shipped recipes, the last of which is the recipe's output."""
    for recipe, roles in RECIPES:
        scores, seconds = evaluate(folder, "--recipe", recipe, *roles, "--cache", WORK / "cache")
        for stage in scores["stages"]:
            yield row(f"recipe {recipe}: {stage['name']}", stage)


def ladder(folders, suffix, codebooks):
    lines = ["| descriptor, re-ranking | E mAP | M mAP | H mAP | M mP@10 |", "|---|---|---|---|---|"]
    for title, models, verified in DESCRIPTORS:
        kinds = LOCALS if verified else ["none"]
        folder = collection(models, kinds, folders, "-".join(models) + suffix)
        scores, _ = evaluate(folder, "--by", "global", "--verify", 0)
        lines.append(row(title, scores))
        print(lines[-1], flush=True)
        for kind in LOCALS if verified else []:
            scores, seconds = evaluate(folder, "--by", "global", "--verify", 100, "--local", kind)
            lines.append(row(f"{title}, {kind} on the first 100", scores))
            print(lines[-1], f"{seconds:.0f} s", flush=True)
        if len(models) > 1:
            for line in itertools.chain(search_by_asmk(folder, title, codebooks), by_recipes(folder)):
                lines.append(line)
                print(line, flush=True)
    return lines


def write_results(lines, begin=BEGIN):
    path = ROOT / "docs" / "results.md"
    text = path.read_text()
    made = begin + "\n\n" + "\n".join(lines) + "\n\n" + END
    path.write_text(re.sub(re.escape(begin) + ".*?" + re.escape(END), lambda _: made, text, flags=re.S))


def start_anew(work):
    """What an older program computed must not be compared with this one's; installed models stay."""
    for old in work.glob("*"):
        if old.is_dir() and old.name != "home":
            shutil.rmtree(old)
    work.mkdir(parents=True, exist_ok=True)
    os.environ["CAIRN_HOME"] = str(WORK / "home")


def main():
    if not ROXFORD.is_dir():
        print(f"skipped: {ROXFORD} is not there; set CAIRN_DATA")
        return 0
    start_anew(WORK)
    prepare_models()
    codebooks = train_codebooks()
    lines = ["### 775 database images", ""] + ladder([ROXFORD / "jpg"], "", codebooks)
    lines += ["", "### The same and 1000 images of ukbench-sample as distractors", ""] + ladder([ROXFORD / "jpg", UKBENCH], "-ukbench", codebooks)
    write_results(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
