"""From how many rows on an inverted file is worth it: cairn's search through all rows against its own inverted file at a recall of 0.95, of
the 10 best in clustered rows as in ivf_cases.py, in batches of 1000 queries on all threads and one at a time on one. Run by
`scripts/bench.sh ivf-sizes`."""
import tempfile

from common import BUILD, in_turn
from ivf_cases import clustered
from nearest import Index, InvertedFile, recall, timed

SIZES, QUERIES, SINGLE, K, ROUNDS = (10_000, 30_000, 100_000, 300_000, 1_000_000), 1000, 100, 10, 5


def searches(index, queries, **how):
    """A program for the batch and one for single queries, which give seconds a query."""
    one_by_one = lambda: [index.search(queries[i : i + 1], K, threads=1, **how) for i in range(SINGLE)]
    return timed(lambda: index.search(queries, K, **how), len(queries)), timed(one_by_one, SINGLE)


def main():
    rows, queries = clustered(max(SIZES), 1), clustered(QUERIES, 2)
    for size in SIZES:
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            flat, lists = Index(rows[:size]), InvertedFile(rows[:size], folder, "rows")
            times = in_turn(ROUNDS, *searches(flat, queries), *searches(lists, queries, recall=0.95))
            found = recall(lists.search(queries, K, recall=0.95), flat.search(queries, K, exact=1))
        batch, single = times[0] / times[2], times[1] / times[3]
        print(f"{size} rows: all rows {1 / times[0]:.0f}/s and {1 / times[1]:.0f}/s one by one, lists {batch:.1f} and {single:.1f} times as many, "
              f"recall {found:.3f}", flush=True)


if __name__ == "__main__":
    main()
