#!/usr/bin/env python3
"""Make roxford_golden.json: small random ground truths and rankings with their scores, worked out in exact fractions from
the definition of the protocol, on the list with its left-out images removed. Where a list ranks the whole database, these
scores are those of compute_map() of the published evaluate.py (revisitop), to rounding: compared once, by hand. Usage: make_golden.py > roxford_golden.json"""
import json
import random
from fractions import Fraction

PROTOCOLS = {"easy": ({"easy"}, {"hard", "junk"}), "medium": ({"easy", "hard"}, {"junk"}),
             "hard": ({"hard"}, {"easy", "junk"})}


def score_query(query, ranked, protocol):
    """AP and precision at 1, 5, 10; None where there is nothing to find."""
    wanted, left_out = ({name for key in keys for name in query[key]} for keys in PROTOCOLS[protocol])
    if not wanted:
        return None
    hits = [name in wanted for name in ranked if name not in left_out]
    # Precision after each number of places; before the first place it counts as 1.
    precision = [Fraction(1)] + [Fraction(sum(hits[:n]), n) for n in range(1, len(hits) + 1)]
    area = sum((precision[n] + precision[n + 1]) / 2 for n, hit in enumerate(hits) if hit)
    ap = area / len(wanted)
    # A list may end as soon as nothing is left to find.
    everything_by = len(hits) - hits[::-1].index(True) if sum(hits) == len(wanted) else None
    cut = {k: k if everything_by is None else min(k, everything_by) for k in (1, 5, 10)}
    return [ap] + [Fraction(sum(hits[:cut[k]]), cut[k]) for k in (1, 5, 10)]


def score(truth, lists, protocol):
    scores = [s for s in (score_query(q, names, protocol) for q, names in zip(truth["queries"], lists)) if s]
    means = [float(100 * sum(column) / len(scores)) for column in zip(*scores)] or [0.0] * 4
    return dict(zip(("map", "mp1", "mp5", "mp10"), means), queries=len(scores))


def make_truth(rng, images, queries):
    database = [f"place_{i:03d}" for i in range(images)]
    truth = {"database": database, "queries": []}
    for q in range(queries):
        # From lists that are mostly empty to lists that hold the whole database.
        share = rng.choice([0.05, 0.3, 0.9])
        related = rng.sample(database, round(share * images))
        kinds = rng.choice([("easy", "hard", "junk"), ("easy", "hard", "junk"), ("junk",), ("easy", "junk"), ("hard",)])
        query = {"image": f"query_{q}", "box": [0.5, 1, 2 + q, 3.25], "easy": [], "hard": [], "junk": []}
        for name in related:
            query[rng.choice(kinds)].append(name)
        truth["queries"].append(query)
    return truth


def make_list(rng, query, database, style):
    """None stands for an image that is not in the database."""
    everything = rng.sample(database, len(database))
    positives = query["easy"] + query["hard"]
    others = [name for name in everything if name not in positives]
    if style == "best":
        return positives + others
    if style == "worst":
        return others + positives
    if style == "empty":
        return []
    if style == "short":
        return everything[:rng.randrange(1, 8)]
    if style == "only junk":
        return query["junk"][:]
    if style == "strangers":
        mixed = everything + [None] * (len(database) // 2)
        return rng.sample(mixed, len(mixed))
    return everything


def main():
    rng = random.Random(20180324)
    cases = []
    for style in ("random", "random", "best", "worst", "empty", "short", "only junk", "strangers", "mixed", "mixed"):
        for images, queries in ((1, 1), (9, 3), (40, 5)):
            truth = make_truth(rng, images, queries)
            styles = [rng.choice(["random", "best", "worst", "empty", "short", "strangers"]) if style == "mixed" else style
                      for _ in truth["queries"]]
            lists = [make_list(rng, q, truth["database"], s) for q, s in zip(truth["queries"], styles)]
            position = {name: i for i, name in enumerate(truth["database"])}
            cases.append({"name": f"{style}, {images} images", "truth": truth,
                          "lists": [[-1 if name is None else position[name] for name in names] for names in lists],
                          "scores": {p: score(truth, lists, p) for p in PROTOCOLS}})
    print("[" + ",\n".join(json.dumps(case) for case in cases) + "]")


if __name__ == "__main__":
    main()
