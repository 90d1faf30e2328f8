"""mAP of revisited Oxford and Paris; docs/methods.md, "Evaluation". For rankings that no collection made: of those, `cairn eval
roxford` tells it."""
import json
import statistics


class Truth:
    """The queries and database of a folder such as roxford-mini."""

    def __init__(self, folder):
        truth = json.loads((folder / "groundtruth.json").read_text())
        self.database, self.queries = truth["database"], truth["queries"]

    def mean_precision(self, rankings):
        """Per cent, by protocol, of rankings that hold numbers of database images, from 1, best first. Images that were not
        found follow in order."""
        protocols = {"easy": (["easy"], ["junk", "hard"]), "medium": (["easy", "hard"], ["junk"]), "hard": (["hard"], ["junk", "easy"])}
        scores = {}
        for name, (positive, left_out) in protocols.items():
            found = [self.precision(query, ranking, positive, left_out) for query, ranking in zip(self.queries, rankings)]
            scores[name] = 100 * statistics.mean(value for value in found if value is not None)
        return scores

    def precision(self, query, ranking, positive, left_out):
        """None where there is no positive."""
        positives = {name for part in positive for name in query[part]}
        without = {name for part in left_out for name in query[part]}
        if not positives:
            return None
        seen = set(ranking)
        names = [self.database[image - 1] for image in ranking + [i for i in range(1, len(self.database) + 1) if i not in seen]]
        kept = [name for name in names if name not in without]
        ranks = [rank for rank, name in enumerate(kept) if name in positives]
        return sum((j / rank if rank else 1) + (j + 1) / (rank + 1) for j, rank in enumerate(ranks)) / 2 / len(positives)
