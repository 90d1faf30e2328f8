#!/usr/bin/env python3
"""How mAP on revisited Oxford, reduced, changes as descriptors are made as the challenges' winners made them, a row a step, and write the
table of docs/results.md. Run by `make ladder`. Nothing is verified by geometry.

Nothing is tuned here: scales, powers and floors are those of the papers (docs/methods.md); whitening, PCA and codebooks are learned on
ukbench-sample, whose four views of each object are the matching pairs."""
import json
import os
import sys

from accuracy import ROXFORD, UKBENCH, WORDS, WORK, cairn, collection, evaluate, have_model, row, start_anew, write_results

LADDER = WORK.parent / "ladder"
BEGIN = "<!-- made by make ladder -->"
LITE0 = "efficientnet-lite0"
SCALES = {"scales": [2**-0.5, 1, 2**0.5], "combine": "sum"}
SUPERGLOBAL = {"p": 4.6, "regional_gem": {"size": 5, "p": 2.5, "weight": 0.5}, "views": {**SCALES, "combine": "max"}}
HEADS = [{"pool": "gem", "p": 3}, {"pool": "rmac"}, {"pool": "mac"}, {"pool": "spoc"}]
ATTENTIVE = {"method": "attentive", "descriptors": "features", "attention": "norm", "dim": 1280, "max_points": 1000, "threshold": 0}
# title, models
GLOBAL = [
    ("Lite0, GeM", [LITE0]),
    ("... at three scales", ["lite0-scales"]),
    ("... and whitened (PCA)", ["lite0-pcaw"]),
    ("... or half whitened (t = 0.5)", ["lite0-half"]),
    ("... or whitened from pairs (Lw)", ["lite0-lw"]),
    ("three scales, pooled as SuperGlobal", ["lite0-superglobal"]),
    ("three scales; GeM, R-MAC, MAC and SPoC joined, half whitened", ["lite0-heads-half"]),
    ("half whitened, + SSCD", ["lite0-half", "sscd"]),
    ("whitened from pairs, + SSCD", ["lite0-lw", "sscd"]),
]
BEST = ("half whitened, + SSCD", ["lite0-half", "sscd"])
# title, local model, regions
LOCAL = [
    ("xfeat ASMK*", "xfeat", "none"),
    ("xfeat regional ASMK*, a grid", "xfeat", "grid"),
    ("attentive Lite0 features ASMK*", "lite0-attentive", "none"),
    ("attentive Lite0 features regional ASMK*, a grid", "lite0-attentive", "grid"),
]


def description(name):
    return json.loads((WORK / "home" / "models" / name / "model.json").read_text())


def derive(name, part, **members):
    """A bundle with Lite0's network and this "global" or "local"."""
    about = {key: value for key, value in description(LITE0).items() if key in ("format", "cache", "licence", "input")}
    about["kind"] = part
    about[part] = dict(description(LITE0)["global"] if part == "global" else {}, **members)
    if "heads" in members:
        about[part] = {key: value for key, value in about[part].items() if key not in ("pool", "p")}
    path = LADDER / f"{name}.json"
    path.write_text(json.dumps(about))
    cairn("model", "import", name, WORK / "home" / "models" / LITE0 / "model.onnx", path, "--replace")


def write_pairs():
    """All pairs of the four views of an object."""
    paths = sorted(UKBENCH.glob("*.jpg"))
    groups = [paths[i:i + 4] for i in range(0, len(paths), 4)]
    lines = [f"{a},{b}\n" for group in groups for i, a in enumerate(group) for b in group[i + 1:]]
    file = LADDER / "pairs.csv"
    file.write_text("".join(lines))
    return file


def whiten(model, name, *options):
    cairn("model", "whiten", model, *options, "-o", name, "--replace")


def prepare_models():
    for name in (LITE0, "xfeat", "sscd"):
        if not have_model(name):
            cairn("model", "install", name)
    derive("lite0-scales", "global", views=SCALES)
    derive("lite0-superglobal", "global", **SUPERGLOBAL)
    derive("lite0-heads", "global", heads=HEADS, dim=4 * 1280, views=SCALES)
    derive("lite0-points", "local", **ATTENTIVE)
    whiten("lite0-scales", "lite0-pcaw", UKBENCH, "--kind", "pcaw", "--dim", 512)
    whiten("lite0-scales", "lite0-half", UKBENCH, "--kind", "pcaw", "--power", 0.5, "--dim", 512)
    whiten("lite0-scales", "lite0-lw", "--kind", "lw", "--pairs", write_pairs(), "--dim", 512)
    whiten("lite0-heads", "lite0-heads-half", UKBENCH, "--kind", "pcaw", "--power", 0.5, "--dim", 512)
    cairn("model", "pca", "lite0-points", UKBENCH, "--dim", 128, "-o", "lite0-attentive", "--replace")


def train_codebooks():
    folder = collection([], ["xfeat", "lite0-attentive"], [UKBENCH], "codebooks", LADDER)
    for kind in ("xfeat", "lite0-attentive"):
        cairn("index", folder, "--asmk", "--local", kind, "--words", WORDS)
    return folder


class Table:
    """A row is printed as soon as it is known, and what is known is kept where the rest is cut off."""

    def __init__(self, title, tables):
        self.lines = [f"### {title}", "", "| step | E mAP | M mAP | H mAP | M mP@10 |", "|---|---|---|---|---|"]
        self.tables = tables
        tables.append(self)

    def add(self, title, scores):
        self.lines.append(row(title, scores))
        print(self.lines[-1], flush=True)
        write_results([line for table in self.tables for line in [*table.lines, ""]][:-1], BEGIN)


def global_steps(table, folders, suffix):
    for title, models in GLOBAL:
        folder = collection(models, ["none"], folders, "-".join(models) + suffix, LADDER)
        table.add(title, evaluate(folder, "--by", "global", "--verify", 0)[0])


def local_steps(table, folders, suffix, codebooks):
    title, models = BEST
    folder = collection(models, ["xfeat", "lite0-attentive"], folders, "best" + suffix, LADDER)
    for name, kind, regions in LOCAL:
        cairn("index", folder, f"--asmk={codebooks}", "--local", kind, "--regions", regions)
        table.add(name, evaluate(folder, "--by", "asmk", "--local", kind, "--verify", 0)[0])
        table.add(f"{title}, and {name}", evaluate(folder, "--by", "fused", "--local", kind, "--verify", 0)[0])


def main():
    if not ROXFORD.is_dir():
        print(f"skipped: {ROXFORD} is not there; set CAIRN_DATA")
        return 0
    start_anew(LADDER)
    prepare_models()
    tables = []
    plain = Table("775 database images, step by step", tables)
    global_steps(plain, [ROXFORD / "jpg"], "")
    more = Table("The same and 1000 images of ukbench-sample as distractors, step by step", tables)
    global_steps(more, [ROXFORD / "jpg", UKBENCH], "-ukbench")
    codebooks = train_codebooks()
    local_steps(plain, [ROXFORD / "jpg"], "", codebooks)
    local_steps(more, [ROXFORD / "jpg", UKBENCH], "-ukbench", codebooks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
