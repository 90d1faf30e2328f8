"""What flat_batch.py and flat_single.py share: search through all of 300,000 rows of 512 dimensions, the 100 best, all threads, against
IndexFlatIP of FAISS. Rows and queries are unit vectors of normally distributed numbers, the worst case for codes: the scores of
neighbours lie as near each other as can be. It ends with an error where recall is below 0.999."""
import faiss

from common import Ratios, in_turn
from nearest import Index, bandwidth_and_peak, recall, timed, unit_vectors

ROWS, DIM, K, ROUNDS = 300_000, 512, 100, 7
FLOOR = 0.999


def tell_rates(ours, theirs, single):
    """How near to the limits of the machine; seconds a query."""
    bandwidth, peak = bandwidth_and_peak()
    if single:
        rate = ROWS * DIM / ours
        print(f"cairn reads {rate * 1e-9:.1f} GB/s, {rate / bandwidth:.2f} of the measured bandwidth of memory ({bandwidth * 1e-9:.1f})")
        return
    operations = 2 * ROWS * DIM
    print(f"cairn: {operations / ours * 1e-9:.0f} GOP/s, {operations / ours / peak:.2f} of the measured peak of byte products ({peak * 1e-9:.0f}); "
          f"FAISS: {operations / theirs * 1e-9:.0f} GFLOP/s")


def main(name, count, single):
    rows, queries = unit_vectors(ROWS, DIM, 1), unit_vectors(count, DIM, 2)
    cairn, peer = Index(rows), faiss.IndexFlatIP(DIM)
    peer.add(rows)
    at_once = 1 if single else count
    asked = lambda search: timed(lambda: [search(queries[i : i + at_once], K) for i in range(0, count, at_once)], count)
    ours, theirs = in_turn(ROUNDS, asked(cairn.search), asked(peer.search))
    truth = peer.search(queries, K)[1]
    found, half = recall(cairn.search(queries, K), truth), recall(cairn.search(queries, K, exact=1), truth)
    print(f"{at_once} at once of {count} queries in {ROWS} x {DIM}, k = {K}: cairn {ours * 1e3:.3f} ms a query, FAISS {theirs * 1e3:.3f}; "
          f"recall@{K} {found:.4f}, without codes {half:.4f}")
    tell_rates(ours, theirs, single)
    if found < FLOOR:
        raise SystemExit(f"{name}: recall {found:.4f} is below {FLOOR}")
    ratios = Ratios(name)
    ratios.add("gaussian-300k-512", theirs / ours, f"FAISS {faiss.__version__} IndexFlatIP")
    ratios.end()
