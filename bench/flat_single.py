"""Search through all rows for one query at a time: 300,000 rows of 512 dimensions, the 100 best, all threads, against IndexFlatIP of
FAISS. Run by `make bench-flat-single`. The data are those of flat_batch.py."""
import faiss

from common import Ratios, in_turn
from nearest import Index, bandwidth_and_peak, recall, timed, unit_vectors

ROWS, DIM, QUERIES, K, ROUNDS = 300_000, 512, 30, 100, 7
FLOOR = 0.999


def main():
    rows, queries = unit_vectors(ROWS, DIM, 1), unit_vectors(QUERIES, DIM, 2)
    cairn, peer = Index(rows), faiss.IndexFlatIP(DIM)
    peer.add(rows)
    one_by_one = lambda search: timed(lambda: [search(queries[i : i + 1], K) for i in range(QUERIES)], QUERIES)
    ours, theirs = in_turn(ROUNDS, one_by_one(cairn.search), one_by_one(peer.search))
    found = recall(cairn.search(queries, K), peer.search(queries, K)[1])
    (bandwidth, _), rate = bandwidth_and_peak(), ROWS * DIM / ours
    print(f"one query in {ROWS} x {DIM}, k = {K}: cairn {ours * 1e3:.2f} ms, FAISS {theirs * 1e3:.2f} ms; recall@{K} {found:.4f}")
    print(f"cairn reads {rate * 1e-9:.1f} GB/s, {rate / bandwidth:.2f} of the measured bandwidth of memory ({bandwidth * 1e-9:.1f})")
    if found < FLOOR:
        raise SystemExit(f"flat-single: recall {found:.4f} is below {FLOOR}")
    ratios = Ratios("flat-single")
    ratios.add("gaussian-300k-512", theirs / ours, f"FAISS {faiss.__version__} IndexFlatIP")
    ratios.end()


if __name__ == "__main__":
    main()
