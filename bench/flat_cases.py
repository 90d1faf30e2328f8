"""What flat_batch.py and flat_single.py share: search through all of 300,000 rows of 512 dimensions, the 100 best, against IndexFlatIP of
FAISS. Rows and queries are unit vectors of normally distributed numbers: the scores of neighbours lie as near
each other as can be. It ends with an error where recall is below 0.999.

For a single query IndexFlatIP takes one thread however many there are. So one thread of each is measured too, and IndexFlatIP in as many
shards as there are cores, a thread each; and for many queries what FAISS has with 8-bit codes."""
import faiss
import numpy as np

from common import Ratios, in_turn
from nearest import Index, bandwidth_and_peak, recall, timed, unit_vectors

ROWS, DIM, K, ROUNDS = 300_000, 512, 100, 7
FLOOR = 0.999
CORES = faiss.omp_get_max_threads()
CASE = "gaussian-300k-512"


def tell_rates(ours, theirs, single, at_once):
    """How near to the limits of the machine; seconds a query."""
    bandwidth, peak = bandwidth_and_peak()
    if single:
        rate = ROWS * DIM / ours
        print(f"cairn reads {rate * 1e-9:.1f} GB/s, {rate / bandwidth:.2f} of the measured bandwidth of memory ({bandwidth * 1e-9:.1f})")
    elif peak:
        operations = 2 * ROWS * DIM
        print(f"cairn: {operations / ours * 1e-9:.0f} GOP/s, {operations / ours / peak:.2f} of the measured peak of byte products ({peak * 1e-9:.0f}); "
              f"FAISS: {operations / theirs * 1e-9:.0f} GFLOP/s")
        print(f"memory alone: {ROWS * DIM / bandwidth * 1e3:.1f} ms for all queries, {ROWS * DIM / bandwidth / ours / at_once * 100:.0f} % of what they take")


def flat(rows):
    index = faiss.IndexFlatIP(DIM)
    index.add(rows)
    return index


def shards(rows):
    """IndexFlatIP with a thread for each core for one query."""
    index = faiss.IndexShards(DIM, True, True)
    for part in np.array_split(rows, CORES):
        index.add_shard(flat(part))
    return index


def refined_codes(rows):
    """8-bit codes, of which as many are scored anew in half precision as cairn's."""
    index = faiss.index_factory(DIM, "SQ8,Refine(SQfp16)", faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add(rows)
    faiss.ParameterSpace().set_index_parameter(index, "k_factor_rf", 1.7)
    return index


def asked(search, queries, at_once):
    """A program that searches for all queries and gives the seconds a query."""
    return timed(lambda: [search(queries[i : i + at_once], K) for i in range(0, len(queries), at_once)], len(queries))


def main(name, count, single):
    rows, queries = unit_vectors(ROWS, DIM, 1), unit_vectors(count, DIM, 2)
    at_once = 1 if single else count
    cairn, peer, ratios = Index(rows), flat(rows), Ratios(name)
    ours, theirs = in_turn(ROUNDS, asked(cairn.search, queries, at_once), asked(peer.search, queries, at_once))
    truth = peer.search(queries, K)[1]
    found, half = recall(cairn.search(queries, K), truth), recall(cairn.search(queries, K, exact=1), truth)
    print(f"{at_once} at once of {count} queries in {ROWS} x {DIM}, k = {K}: cairn {ours * 1e3:.3f} ms a query, FAISS {theirs * 1e3:.3f}; "
          f"recall@{K} {found:.4f}, without codes {half:.4f}")
    tell_rates(ours, theirs, single, at_once)
    if found < FLOOR:
        raise SystemExit(f"{name}: recall {found:.4f} is below {FLOOR}")
    ratios.add(CASE, theirs / ours, f"FAISS {faiss.__version__} IndexFlatIP")
    if single:
        one, = in_turn(ROUNDS, asked(lambda some, k: cairn.search(some, k, threads=1), queries, 1))
        ratios.add(f"{CASE}-one-thread", theirs / one, "the same; one thread each", False)
        other, what = shards(rows), f"IndexFlatIP in {CORES} shards, a thread each"
    else:
        other, what = refined_codes(rows), "SQ8,Refine(SQfp16)"
    again, others = in_turn(3, asked(cairn.search, queries, at_once), asked(other.search, queries, at_once))
    ratios.add(f"{CASE}-{'shards' if single else 'codes'}", others / again,
               f"FAISS {what}; recall@{K} {recall(other.search(queries, K)[1], truth):.4f}", False)
    ratios.end()
