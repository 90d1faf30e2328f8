/*
 * Lists of an inverted file: the rows of a part, written once.
 *
 *   +--------+--------+---------+--------+-------+
 *   | header | starts | numbers | scales | codes |     each begins at a multiple of 64 bytes
 *   +--------+--------+---------+--------+-------+
 */
#include <string.h>

#include "index/ivf.h"
#include "math/assign.h"
#include "math/codes.h"
#include "math/dot.h"
#include "math/half.h"
#include "util/bits.h"
#include "util/crc.h"
#include "util/file.h"
#include "util/groups.h"
#include "util/memory.h"
#include "util/parallel.h"
#include "util/progress.h"

#define MAGIC    "CAIRNIVF"
#define VERSION  1
#define ALIGN    64
#define BATCH    8192 /* rows at once */
#define SECTIONS 4

enum { STARTS, NUMBERS, SCALES, CODES };

/* All numbers little endian, as the only machines that run cairn store them. */
struct header {
	char magic[8];
	uint32_t version;
	uint32_t dim;
	uint64_t lists, rows;
	double error;
	uint32_t quantizer; /* its fingerprint */
	uint32_t crcs[SECTIONS];
	uint32_t reserved[16];
	uint32_t header_crc; /* over all before it */
};

_Static_assert(sizeof(struct header) == 128, "the header has no holes");
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "starts are written as they are");

static size_t padded(size_t length)
{
	return (length + ALIGN - 1) / ALIGN * ALIGN;
}

/* With padding; none behind the codes, which nothing follows. */
static void section_lengths(uint64_t rows, uint64_t lists, uint64_t dim, uint64_t out[SECTIONS])
{
	out[STARTS] = padded((lists + 1) * sizeof(uint64_t));
	out[NUMBERS] = padded(rows * sizeof(uint32_t));
	out[SCALES] = padded(rows * sizeof(float));
	out[CODES] = rows * dim;
}

/* ---- writing ---- */

struct writing {
	const cairn_ivf *ivf;
	const cairn_index_part *part;
	cn_workers *pool;
	cn_centroids centroids;
	cn_progress progress;
	cn_atomic_file file;
	struct header header;
	uint32_t *list_of_row;
	size_t *starts;    /* lists + 1 */
	uint32_t *numbers; /* rows, by list */
	float *scales;
	float *floats;  /* BATCH x dim, or fewer rows where the part has fewer */
	int8_t *codes;  /* likewise */
	double *errors; /* BATCH */
	size_t first;   /* of the batch */
};

static int allocate(struct writing *writing)
{
	size_t rows = writing->part->count, dim = writing->ivf->dim, batch = rows < BATCH ? rows : BATCH;
	CN_NEW(writing->list_of_row, rows, sizeof(*writing->list_of_row));
	CN_NEW(writing->starts, writing->ivf->list_count + 1, sizeof(*writing->starts));
	CN_NEW(writing->numbers, rows, sizeof(*writing->numbers));
	CN_NEW(writing->scales, rows, sizeof(*writing->scales));
	CN_NEW(writing->floats, batch * dim, sizeof(*writing->floats));
	CN_NEW(writing->codes, batch * dim, 1);
	CN_NEW(writing->errors, batch, sizeof(*writing->errors));
	return 0;
}

static int check_rows(const struct writing *writing, size_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!cn_all_finite(writing->floats + i * writing->ivf->dim, writing->ivf->dim))
			return cn_fail(CAIRN_EINVALID, "'%s': row %zu of the part holds a number that is not finite",
				       writing->file.path, first + i);
	return 0;
}

static int assign_rows(struct writing *writing)
{
	const cairn_ivf *ivf = writing->ivf;
	size_t rows = writing->part->count, dim = ivf->dim;
	CN_TRY(cn_centroids_init(&writing->centroids, ivf->centroids, ivf->list_count, dim));
	for (size_t first = 0; first < rows; first += BATCH) {
		size_t count = rows - first < BATCH ? rows - first : BATCH;
		cn_halves_to_floats(writing->part->rows + first * dim, count * dim, writing->floats);
		CN_TRY(check_rows(writing, first, count));
		CN_TRY(cn_assign(writing->pool, &writing->centroids, writing->floats, count, 1,
				 writing->list_of_row + first));
		CN_TRY(cn_progress_add(&writing->progress, count, 0));
	}
	return 0;
}

/* cn_loop_body over the batch. */
static int encode_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct writing *writing = context;
	size_t dim = writing->ivf->dim;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		size_t row = writing->numbers[writing->first + i];
		const float *centroid = writing->ivf->centroids + writing->list_of_row[row] * dim;
		float *residual = writing->floats + i * dim;
		double error = 0;
		cn_halves_to_floats(writing->part->rows + row * dim, dim, residual);
		for (size_t k = 0; k < dim; k++) {
			residual[k] -= centroid[k];
			error += (double)residual[k] * (double)residual[k];
		}
		writing->errors[i] = error;
		cn_codes_encode(residual, 1, dim, writing->codes + i * dim, &writing->scales[writing->first + i]);
	}
	return 0;
}

static int write_section(struct writing *writing, int section, const void *bytes, size_t length)
{
	static const char zeros[ALIGN];
	size_t padding = section == CODES ? 0 : padded(length) - length;
	uint32_t *crc = &writing->header.crcs[section];
	*crc = cn_crc32c(cn_crc32c(*crc, bytes, length), zeros, padding);
	CN_TRY(cn_atomic_write(&writing->file, bytes, length));
	return cn_atomic_write(&writing->file, zeros, padding);
}

/* Scales stand before the codes but are known only with them, so codes are made twice: that is cheaper than keeping
 * them. */
static int encode_all(struct writing *writing, int with_codes)
{
	size_t rows = writing->part->count, dim = writing->ivf->dim;
	double error = 0;
	for (writing->first = 0; writing->first < rows; writing->first += BATCH) {
		size_t count = rows - writing->first < BATCH ? rows - writing->first : BATCH;
		CN_TRY(cn_parallel_for(writing->pool, count, 256, encode_range, writing));
		for (size_t i = 0; i < count; i++)
			error += writing->errors[i];
		if (with_codes)
			CN_TRY(write_section(writing, CODES, writing->codes, count * dim));
		CN_TRY(cn_progress_add(&writing->progress, with_codes ? count : 0, 0));
	}
	writing->header.error = rows ? error / (double)rows : 0;
	return 0;
}

static int write_header(struct writing *writing)
{
	struct header *header = &writing->header;
	memcpy(header->magic, MAGIC, sizeof(header->magic));
	header->version = VERSION;
	header->dim = (uint32_t)writing->ivf->dim;
	header->lists = writing->ivf->list_count;
	header->rows = writing->part->count;
	header->quantizer = writing->ivf->fingerprint;
	header->header_crc = cn_crc32c(0, header, offsetof(struct header, header_crc));
	if (fseek(writing->file.stream, 0, SEEK_SET) != 0)
		return cn_fail_errno("cannot write '%s'", writing->file.path);
	return cn_atomic_write(&writing->file, header, sizeof(*header));
}

static int write_all(struct writing *writing)
{
	static const struct header empty;
	size_t rows = writing->part->count;
	CN_TRY(allocate(writing));
	CN_TRY(assign_rows(writing));
	/* Within a list, rows keep their order. */
	cn_list_groups(writing->list_of_row, rows, writing->ivf->list_count, writing->starts, writing->numbers);
	CN_TRY(encode_all(writing, 0));
	CN_TRY(cn_atomic_write(&writing->file, &empty, sizeof(empty)));
	CN_TRY(write_section(writing, STARTS, writing->starts,
			     (writing->ivf->list_count + 1) * sizeof(*writing->starts)));
	CN_TRY(write_section(writing, NUMBERS, writing->numbers, rows * sizeof(*writing->numbers)));
	CN_TRY(write_section(writing, SCALES, writing->scales, rows * sizeof(*writing->scales)));
	CN_TRY(encode_all(writing, 1));
	return write_header(writing);
}

int cairn_ivf_write_lists(const cairn_ivf *ivf, const cairn_index_part *part, const char *path, uint32_t threads,
			  cairn_progress_cb progress, void *payload)
{
	struct writing writing = { .ivf = ivf, .part = part };
	if (part->count > UINT32_MAX)
		return cn_fail(CAIRN_ELIMIT, "'%s': lists of %zu rows; %u at most are possible", path, part->count,
			       UINT32_MAX);
	CN_TRY(cn_workers_new(&writing.pool, threads));
	cn_progress_start(&writing.progress, progress, payload, "sorting rows into lists", 2 * (uint64_t)part->count);
	int status = cn_atomic_open(&writing.file, path);
	if (status == 0) {
		status = write_all(&writing);
		if (status == 0)
			status = cn_atomic_commit(&writing.file);
		else
			cn_atomic_abort(&writing.file);
	}
	cn_progress_end(&writing.progress);
	cn_workers_free(writing.pool);
	cn_centroids_free(&writing.centroids);
	cn_free(writing.list_of_row);
	cn_free(writing.starts);
	cn_free(writing.numbers);
	cn_free(writing.scales);
	cn_free(writing.floats);
	cn_free(writing.codes);
	cn_free(writing.errors);
	return status;
}

/* ---- reading ---- */

static int check_header(const struct header *header, size_t length, const cairn_ivf *ivf, size_t rows, const char *name)
{
	uint64_t lengths[SECTIONS], wanted = sizeof(*header);
	if (length < sizeof(*header) || memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0)
		return cn_fail(CAIRN_EDAMAGED, "'%s' does not hold the lists of a quantizer", name);
	if (header->header_crc != cn_crc32c(0, header, offsetof(struct header, header_crc)))
		return cn_fail(CAIRN_EDAMAGED, "'%s': the checksum of the header is wrong", name);
	if (header->version != VERSION)
		return cn_fail(CAIRN_EUNSUPPORTED,
			       "'%s' holds lists of a quantizer in version %u, this cairn knows version %d", name,
			       header->version, VERSION);
	if (header->quantizer != ivf->fingerprint || header->dim != ivf->dim || header->lists != ivf->list_count)
		return cn_fail(CAIRN_EDAMAGED, "'%s' was written with another quantizer", name);
	if (header->rows != rows)
		return cn_fail(CAIRN_EDAMAGED, "'%s' has the lists of %llu rows, not of %zu", name,
			       (unsigned long long)header->rows, rows);
	section_lengths(rows, ivf->list_count, ivf->dim, lengths);
	for (int i = 0; i < SECTIONS; i++)
		wanted += lengths[i];
	if (wanted != length)
		return cn_fail(CAIRN_EDAMAGED, "'%s' has %zu bytes instead of %llu", name, length,
			       (unsigned long long)wanted);
	return 0;
}

static int check_section(const cairn_ivf_lists *lists, int section)
{
	static const char *const names[SECTIONS] = { "starts", "numbers", "scales", "codes" };
	const void *sections[SECTIONS] = { lists->starts, lists->numbers, lists->scales, lists->codes };
	struct header header;
	uint64_t lengths[SECTIONS];
	memcpy(&header, lists->bytes, sizeof(header));
	section_lengths(lists->rows, lists->list_count, lists->dim, lengths);
	if (cn_crc32c(0, sections[section], lengths[section]) != header.crcs[section])
		return cn_fail(CAIRN_EDAMAGED, "'%s': the checksum of the %s is wrong", lists->path, names[section]);
	return 0;
}

static int check_starts(const cairn_ivf_lists *lists)
{
	for (size_t l = 0; l < lists->list_count; l++)
		if (lists->starts[l] > lists->starts[l + 1])
			return cn_fail(CAIRN_EDAMAGED, "'%s': list %zu ends before it begins", lists->path, l);
	if (lists->starts[0] != 0 || lists->starts[lists->list_count] != lists->rows)
		return cn_fail(CAIRN_EDAMAGED, "'%s': the lists do not hold the %zu rows", lists->path, lists->rows);
	return 0;
}

/* Each row once, since an image that was found twice would stand in a ranking twice. */
static int check_numbers(const cairn_ivf_lists *lists)
{
	uint64_t *seen;
	int status = 0;
	CN_NEW(seen, lists->rows / CN_BITS_WORD + 1, sizeof(*seen));
	for (size_t i = 0; status == 0 && i < lists->rows; i++) {
		uint32_t number = lists->numbers[i];
		if (number >= lists->rows || cn_bit(seen, number))
			status = cn_fail(CAIRN_EDAMAGED, "'%s': row %u of %zu is out of range or there twice",
					 lists->path, number, lists->rows);
		else
			cn_bit_set(seen, number);
	}
	cn_free(seen);
	return status;
}

static int parse(cairn_ivf_lists *lists, const uint8_t *bytes, size_t length, const char *name, const cairn_ivf *ivf,
		 size_t rows)
{
	struct header header = { 0 };
	uint64_t lengths[SECTIONS];
	if (length >= sizeof(header))
		memcpy(&header, bytes, sizeof(header));
	CN_TRY(check_header(&header, length, ivf, rows, name));
	lists->path = cn_strdup(name);
	if (!lists->path)
		return CAIRN_ENOMEM;
	lists->bytes = bytes;
	lists->quantizer = ivf->fingerprint;
	lists->rows = rows;
	lists->dim = ivf->dim;
	lists->list_count = ivf->list_count;
	section_lengths(rows, ivf->list_count, ivf->dim, lengths);
	const uint8_t *at = bytes + sizeof(header);
	lists->starts = (const void *)at;
	lists->numbers = (const void *)(at += lengths[STARTS]);
	lists->scales = (const void *)(at += lengths[NUMBERS]);
	lists->codes = (const int8_t *)(at + lengths[SCALES]);
	/* What a search follows must lead nowhere else; the rest is read when it is needed. */
	CN_TRY(check_section(lists, STARTS));
	CN_TRY(check_section(lists, NUMBERS));
	CN_TRY(check_starts(lists));
	return check_numbers(lists);
}

int cn_ivf_lists_parse(cairn_ivf_lists **out, const void *bytes, size_t length, const char *name, const cairn_ivf *ivf,
		       size_t rows)
{
	cairn_ivf_lists *lists;
	*out = NULL;
	CN_NEW(lists, 1, sizeof(*lists));
	int status = parse(lists, bytes, length, name, ivf, rows);
	if (status < 0)
		cairn_ivf_lists_free(lists);
	else
		*out = lists;
	return status;
}

int cairn_ivf_lists_open(cairn_ivf_lists **out, const char *path, const cairn_ivf *ivf, size_t rows)
{
	cn_mapped file;
	*out = NULL;
	CN_TRY(cn_mapped_open(&file, path));
	int status = cn_ivf_lists_parse(out, file.bytes, file.length, path, ivf, rows);
	if (status < 0)
		cn_mapped_close(&file);
	else
		(*out)->file = file;
	return status;
}

void cairn_ivf_lists_free(cairn_ivf_lists *lists)
{
	if (!lists)
		return;
	cn_mapped_close(&lists->file);
	cn_free(lists->path);
	cn_free(lists);
}

int cairn_ivf_lists_check(const cairn_ivf_lists *lists)
{
	for (int i = 0; i < SECTIONS; i++)
		CN_TRY(check_section(lists, i));
	return 0;
}

double cairn_ivf_lists_error(const cairn_ivf_lists *lists)
{
	struct header header;
	memcpy(&header, lists->bytes, sizeof(header));
	return header.error;
}
