/*
 * A quantizer and lists of arbitrary bytes: refused with a text, or opened, and then a search finds each image at most
 * once.
 *
 * The input is the length of the quantizer (uint32), the quantizer without its table of recall, and the lists. The
 * table is put in here: three quarters of the bytes would else be numbers that are only compared. Checksums would keep
 * a fuzzer out, so they are put right.
 */
#include <string.h>

#include "index/ivf.h"
#include "target.h"
#include "util/crc.h"
#include "util/memory.h"

int fuzz_accepted;

enum { MOST_ROWS = 64, QUERIES = 3, K = 5 };
enum { Q_HEADER = 64, Q_CRC_AT = 56, Q_HEADER_CRC_AT = 60, RECALL = 4 * CN_IVF_DEPTHS * CN_IVF_MAX_PROBES };
enum { L_HEADER = 128, ROWS_AT = 24, QUANTIZER_AT = 40, CRCS_AT = 44, L_HEADER_CRC_AT = 124 };

/* ---- searching ---- */

static void check_ranking(const cairn_ranking *ranking, int64_t rows)
{
	for (size_t q = 0; q < QUERIES; q++) {
		const int64_t *images = cairn_ranking_images(ranking, q);
		for (size_t i = 0; i < cairn_ranking_count(ranking, q); i++) {
			FUZZ_CHECK(images[i] >= 0 && images[i] < rows);
			for (size_t j = 0; j < i; j++)
				FUZZ_CHECK(images[i] != images[j]);
		}
	}
}

static void search_index(const cairn_index *index, const float *vectors, size_t rows)
{
	static const int64_t only[] = { 0, 1, 2, 5, 6, 7, 8, 9, 30 };
	for (int i = 0; i < 4; i++) {
		cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
		cairn_ranking *ranking;
		options.threads = 1;
		options.probes = i / 2 ? 1 : 0;
		options.only = i % 2 ? only : NULL;
		options.only_count = options.only ? sizeof(only) / sizeof(only[0]) : 0;
		FUZZ_CHECK(cairn_index_search(&ranking, index, vectors, QUERIES, K, &options) == 0);
		check_ranking(ranking, (int64_t)rows);
		cairn_ranking_free(ranking);
	}
}

static void search_lists(const cairn_ivf *ivf, const cairn_ivf_lists *lists, size_t rows)
{
	size_t count = (rows + QUERIES) * ivf->dim;
	float *vectors = cn_alloc(count, sizeof(*vectors));
	uint16_t *halves = cn_alloc(count, sizeof(*halves));
	int8_t *codes = cn_alloc(count, 1);
	float scales[MOST_ROWS + QUERIES];
	int64_t images[MOST_ROWS];
	cairn_index *index;
	FUZZ_CHECK(vectors && halves && codes);
	for (size_t i = 0; i < count; i++)
		vectors[i] = (float)(i * 7 % 11) - 5;
	for (size_t i = 0; i < rows; i++)
		images[i] = (int64_t)i;
	FUZZ_CHECK(cairn_index_encode(vectors, rows + QUERIES, ivf->dim, halves, codes, scales) == 0);
	const cairn_index_part part = { halves, codes, scales, images, rows };
	FUZZ_CHECK(cairn_index_new_ivf(&index, ivf, &part, &lists, 1, NULL, 0) == 0);
	search_index(index, vectors + rows * ivf->dim, rows);
	cairn_index_free(index);
	cn_free(vectors);
	cn_free(halves);
	cn_free(codes);
}

/* ---- opening ---- */

static void try_lists(const cairn_ivf *ivf, const uint8_t *bytes, size_t size)
{
	cairn_ivf_lists *lists;
	uint64_t rows = 0;
	if (size >= L_HEADER)
		memcpy(&rows, bytes + ROWS_AT, sizeof(rows));
	if (cn_ivf_lists_parse(&lists, bytes, size, "lists", ivf, rows < MOST_ROWS ? rows : MOST_ROWS) < 0) {
		FUZZ_CHECK(cairn_last_error()[0] && !lists);
		return;
	}
	fuzz_accepted = 1;
	(void)cairn_ivf_lists_check(lists);
	(void)cairn_ivf_lists_error(lists);
	search_lists(ivf, lists, rows);
	cairn_ivf_lists_free(lists);
}

static void put_crc(uint8_t *place, const uint8_t *from, size_t length)
{
	uint32_t crc = cn_crc32c(0, from, length);
	memcpy(place, &crc, sizeof(crc));
}

/* The quantizer's fingerprint, and the checksums of the sections that are as long as the header says. */
static void seal_lists(const cairn_ivf *ivf, uint8_t *bytes, size_t size)
{
	uint64_t rows, starts = ((ivf->list_count + 1) * 8 + 63) / 64 * 64, numbers;
	memcpy(&rows, bytes + ROWS_AT, sizeof(rows));
	memcpy(bytes + QUANTIZER_AT, &ivf->fingerprint, sizeof(ivf->fingerprint));
	numbers = rows <= MOST_ROWS ? (rows * 4 + 63) / 64 * 64 : 0;
	if (L_HEADER + starts + numbers <= size) {
		put_crc(bytes + CRCS_AT, bytes + L_HEADER, starts);
		put_crc(bytes + CRCS_AT + 4, bytes + L_HEADER + starts, numbers);
	}
	put_crc(bytes + L_HEADER_CRC_AT, bytes, L_HEADER_CRC_AT);
}

static void try_quantizer(const uint8_t *bytes, size_t size, uint8_t *lists, size_t lists_size)
{
	cairn_ivf *ivf;
	if (cn_ivf_parse(&ivf, bytes, size, "quantizer") < 0) {
		FUZZ_CHECK(cairn_last_error()[0] && !ivf);
		return;
	}
	try_lists(ivf, lists, lists_size);
	if (lists_size >= L_HEADER) {
		seal_lists(ivf, lists, lists_size);
		try_lists(ivf, lists, lists_size);
	}
	cairn_ivf_free(ivf);
}

/* @param bytes of a quantizer without its table; room for it behind them */
static size_t add_recall(uint8_t *bytes, size_t size)
{
	memmove(bytes + Q_HEADER + RECALL, bytes + Q_HEADER, size - Q_HEADER);
	for (size_t i = 0; i < RECALL / sizeof(float); i++) {
		/* More than a half with one list, all with a few. */
		float share = i % CN_IVF_MAX_PROBES < 3 ? 0.6f : 1;
		memcpy(bytes + Q_HEADER + i * sizeof(share), &share, sizeof(share));
	}
	put_crc(bytes + Q_CRC_AT, bytes + Q_HEADER, size - Q_HEADER + RECALL);
	put_crc(bytes + Q_HEADER_CRC_AT, bytes, Q_HEADER_CRC_AT);
	return size + RECALL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t cut;
	fuzz_accepted = 0;
	if (size < sizeof(cut))
		return 0;
	memcpy(&cut, data, sizeof(cut));
	data += sizeof(cut);
	size -= sizeof(cut);
	size_t first = cut < size ? cut : size;
	/* Files are aligned as mapped ones are. */
	uint8_t *quantizer = cn_alloc_aligned(first + RECALL, 1), *lists = cn_alloc_aligned(size - first, 1);
	FUZZ_CHECK(quantizer && lists);
	memcpy(quantizer, data, first);
	memcpy(lists, data + first, size - first);
	try_quantizer(quantizer, first, lists, size - first);
	if (first >= Q_HEADER)
		try_quantizer(quantizer, add_recall(quantizer, first), lists, size - first);
	cn_free(quantizer);
	cn_free(lists);
	return 0;
}
