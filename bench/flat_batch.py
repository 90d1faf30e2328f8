"""Batch search through all rows: 1000 queries in 300,000 rows of 512 dimensions, the 100 best, all threads, against IndexFlatIP of
FAISS. Run by `make bench-flat-batch`. Rows and queries are unit vectors of normally distributed numbers, the worst case for codes:
the scores of neighbours lie as near each other as can be."""
import faiss

from common import Ratios, in_turn
from nearest import Index, bandwidth_and_peak, recall, timed, unit_vectors

ROWS, DIM, QUERIES, K, ROUNDS = 300_000, 512, 1000, 100, 7
FLOOR = 0.999


def main():
    rows, queries = unit_vectors(ROWS, DIM, 1), unit_vectors(QUERIES, DIM, 2)
    cairn, peer = Index(rows), faiss.IndexFlatIP(DIM)
    peer.add(rows)
    ours, theirs = in_turn(ROUNDS, timed(lambda: cairn.search(queries, K)), timed(lambda: peer.search(queries, K)))
    truth = peer.search(queries, K)[1]
    found, half = recall(cairn.search(queries, K), truth), recall(cairn.search(queries, K, exact=1), truth)
    operations, (_, peak) = 2 * ROWS * DIM * QUERIES, bandwidth_and_peak()
    print(f"{QUERIES} queries in {ROWS} x {DIM}, k = {K}: cairn {ours:.3f} s, FAISS {theirs:.3f} s; recall@{K} {found:.4f}, "
          f"without codes {half:.4f}")
    print(f"cairn: {operations / ours * 1e-9:.0f} GOP/s, {operations / ours / peak:.2f} of the measured peak of byte products ({peak * 1e-9:.0f}); "
          f"FAISS: {operations / theirs * 1e-9:.0f} GFLOP/s")
    if found < FLOOR:
        raise SystemExit(f"flat-batch: recall {found:.4f} is below {FLOOR}")
    ratios = Ratios("flat-batch")
    ratios.add("gaussian-300k-512", theirs / ours, f"FAISS {faiss.__version__} IndexFlatIP")
    ratios.end()


if __name__ == "__main__":
    main()
