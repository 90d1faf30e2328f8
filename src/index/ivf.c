/*
 * The quantizer of an inverted file: centroids, and how many lists must be probed for which recall.
 */
#include "index/ivf.h"

#include <math.h>
#include <string.h>

#include "math/codes.h"
#include "math/dot.h"
#include "math/half.h"
#include "util/crc.h"
#include "util/file.h"
#include "util/memory.h"

#define MAGIC       "CAIRNQTZ"
#define VERSION     2
#define LEAST_NORM  1e-12f /* of a centroid that has a direction */
#define RECALL_SIZE (sizeof(float) * CN_IVF_DEPTHS * CN_IVF_MAX_PROBES)

/* All numbers little endian, as the only machines that run cairn store them. */
struct header {
	char magic[8];
	uint32_t version;
	uint32_t dim;
	uint64_t lists;
	double error;
	uint32_t order;
	uint32_t reserved[5];
	uint32_t contents_crc;
	uint32_t header_crc; /* over all before it */
};

_Static_assert(sizeof(struct header) == 64, "the header has no holes");

const size_t cn_ivf_depths[CN_IVF_DEPTHS] = { 1, 10, 100, 1000 };

int cn_ivf_new(cairn_ivf **out, size_t dim, size_t lists)
{
	cairn_ivf *ivf;
	size_t numbers;
	CN_TRY(cn_size_mul(dim, lists, &numbers));
	CN_NEW(ivf, 1, sizeof(*ivf));
	ivf->dim = dim;
	ivf->list_count = lists;
	ivf->centroids = cn_alloc(numbers, sizeof(*ivf->centroids));
	ivf->weights = cn_alloc(lists, sizeof(*ivf->weights));
	ivf->codes = cn_alloc(numbers, 1);
	ivf->scales = cn_alloc(lists, sizeof(*ivf->scales));
	ivf->recall = cn_alloc_zero(CN_IVF_DEPTHS * CN_IVF_MAX_PROBES, sizeof(*ivf->recall));
	if (!ivf->centroids || !ivf->weights || !ivf->codes || !ivf->scales || !ivf->recall) {
		cairn_ivf_free(ivf);
		return CAIRN_ENOMEM;
	}
	*out = ivf;
	return 0;
}

void cn_ivf_finish(cairn_ivf *ivf)
{
	cn_codes_encode(ivf->centroids, ivf->list_count, ivf->dim, ivf->codes, ivf->scales);
	for (size_t i = 0; i < ivf->list_count; i++) {
		float norm = ivf->order == CN_IVF_BY_COSINE ? cn_norm(ivf->centroids + i * ivf->dim, ivf->dim) : 1;
		ivf->weights[i] = norm > LEAST_NORM ? 1 / norm : 0;
		ivf->scales[i] *= ivf->weights[i];
	}
	ivf->fingerprint = cn_crc32c(0, ivf->centroids, ivf->list_count * ivf->dim * sizeof(*ivf->centroids));
}

void cairn_ivf_free(cairn_ivf *ivf)
{
	if (!ivf)
		return;
	cn_free(ivf->centroids);
	cn_free(ivf->weights);
	cn_free(ivf->codes);
	cn_free(ivf->scales);
	cn_free(ivf->recall);
	cn_free(ivf);
}

void cairn_ivf_get_info(const cairn_ivf *ivf, cairn_ivf_info *out)
{
	*out = (cairn_ivf_info){ ivf->dim, ivf->list_count, ivf->error };
}

/* Recall was measured with a sample of the rows, and other queries may need more lists: what is asked of it is more by
 * a standard error of such a sample, but not by more than half of what is left to 1. */
static double with_margin(double recall)
{
	double left = 1 - recall;
	return recall + fmin(sqrt(recall * left / CN_IVF_QUERIES), left / 2);
}

/* Between two depths recall falls about in proportion to the logarithm of k. */
size_t cairn_ivf_probes(const cairn_ivf *ivf, size_t k, double recall)
{
	double wanted = recall < 1 ? with_margin(recall) : recall;
	size_t depth = 0, most = ivf->list_count < CN_IVF_MAX_PROBES ? ivf->list_count : CN_IVF_MAX_PROBES;
	while (depth + 1 < CN_IVF_DEPTHS && cn_ivf_depths[depth + 1] <= k)
		depth++;
	int is_last = depth + 1 == CN_IVF_DEPTHS;
	const float *measured = ivf->recall + depth * CN_IVF_MAX_PROBES;
	const float *deeper = is_last ? measured : measured + CN_IVF_MAX_PROBES;
	double share = is_last || k < 1 ? 0 : log10((double)k / (double)cn_ivf_depths[depth]);
	for (size_t i = 0; i < most; i++)
		if ((double)measured[i] + share * ((double)deeper[i] - (double)measured[i]) >= wanted)
			return i + 1;
	return ivf->list_count;
}

/* ---- the file: header, recall, centroids ---- */

static uint32_t contents_crc(const cairn_ivf *ivf)
{
	uint32_t crc = cn_crc32c(0, ivf->recall, RECALL_SIZE);
	return cn_crc32c(crc, ivf->centroids, ivf->list_count * ivf->dim * sizeof(*ivf->centroids));
}

int cairn_ivf_save(const cairn_ivf *ivf, const char *path)
{
	cn_atomic_file file;
	struct header header = { .version = VERSION,
				 .dim = (uint32_t)ivf->dim,
				 .lists = ivf->list_count,
				 .error = ivf->error,
				 .order = ivf->order,
				 .contents_crc = contents_crc(ivf) };
	memcpy(header.magic, MAGIC, sizeof(header.magic));
	header.header_crc = cn_crc32c(0, &header, offsetof(struct header, header_crc));
	int status;
	CN_TRY(cn_atomic_open(&file, path));
	CN_GOTO(status, cn_atomic_write(&file, &header, sizeof(header)));
	CN_GOTO(status, cn_atomic_write(&file, ivf->recall, RECALL_SIZE));
	CN_GOTO(status, cn_atomic_write(&file, ivf->centroids, ivf->list_count * ivf->dim * sizeof(*ivf->centroids)));
	return cn_atomic_commit(&file);
done:
	cn_atomic_abort(&file);
	return status;
}

static int check_header(const struct header *header, size_t length, const char *name)
{
	if (length < sizeof(*header) || memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0)
		return cn_fail(CAIRN_EDAMAGED, "'%s' is not a quantizer of cairn", name);
	if (header->header_crc != cn_crc32c(0, header, offsetof(struct header, header_crc)))
		return cn_fail(CAIRN_EDAMAGED, "'%s': the checksum of the header is wrong", name);
	if (header->version != VERSION)
		return cn_fail(
			CAIRN_EUNSUPPORTED,
			"'%s' is a quantizer of version %u, this cairn knows version %d: 'cairn index --ivf --retrain' "
			"makes another",
			name, header->version, VERSION);
	if (header->dim < 1 || header->dim > CN_CODES_MAX_DIM || header->lists < 1 ||
	    header->lists > CAIRN_IVF_MAX_LISTS || !(header->error >= 0) || !isfinite(header->error) ||
	    header->order >= CN_IVF_ORDERS)
		return cn_fail(CAIRN_EDAMAGED,
			       "'%s' claims %llu centroids of %u dimensions with an error of %g, in order %u", name,
			       (unsigned long long)header->lists, header->dim, header->error, header->order);
	if (sizeof(*header) + RECALL_SIZE + header->lists * header->dim * sizeof(float) != length)
		return cn_fail(CAIRN_EDAMAGED, "'%s' has %zu bytes, not what %llu centroids of %u dimensions take",
			       name, length, (unsigned long long)header->lists, header->dim);
	return 0;
}

/* What a search relies on, whatever the bytes: products of centroids can be compared, and more probes find no less. */
static int check_contents(const cairn_ivf *ivf, const char *name)
{
	for (size_t i = 0; i < CN_IVF_DEPTHS * CN_IVF_MAX_PROBES; i++) {
		float before = i % CN_IVF_MAX_PROBES ? ivf->recall[i - 1] : 0;
		if (!(ivf->recall[i] >= before && ivf->recall[i] <= 1))
			return cn_fail(CAIRN_EDAMAGED, "'%s': number %zu of the recall is %g, after %g", name, i,
				       (double)ivf->recall[i], (double)before);
	}
	for (size_t i = 0; i < ivf->list_count * ivf->dim; i++)
		if (!(fabsf(ivf->centroids[i]) <= CN_HALF_LARGEST))
			return cn_fail(CAIRN_EDAMAGED, "'%s': a number of centroid %zu is %g", name, i / ivf->dim,
				       (double)ivf->centroids[i]);
	return 0;
}

static int read_contents(cairn_ivf *ivf, const uint8_t *bytes, const char *name)
{
	struct header header;
	memcpy(&header, bytes, sizeof(header));
	memcpy(ivf->recall, bytes + sizeof(header), RECALL_SIZE);
	memcpy(ivf->centroids, bytes + sizeof(header) + RECALL_SIZE, sizeof(float) * ivf->list_count * ivf->dim);
	ivf->error = header.error;
	ivf->order = (cn_ivf_order)header.order;
	if (contents_crc(ivf) != header.contents_crc)
		return cn_fail(CAIRN_EDAMAGED, "'%s': the checksum of the centroids is wrong", name);
	CN_TRY(check_contents(ivf, name));
	cn_ivf_finish(ivf);
	return 0;
}

int cn_ivf_parse(cairn_ivf **out, const void *bytes, size_t length, const char *name)
{
	struct header header = { 0 };
	cairn_ivf *ivf;
	*out = NULL;
	if (length >= sizeof(header))
		memcpy(&header, bytes, sizeof(header));
	CN_TRY(check_header(&header, length, name));
	CN_TRY(cn_ivf_new(&ivf, header.dim, header.lists));
	int status = read_contents(ivf, bytes, name);
	if (status < 0)
		cairn_ivf_free(ivf);
	else
		*out = ivf;
	return status;
}

int cairn_ivf_open(cairn_ivf **out, const char *path)
{
	cn_mapped file;
	*out = NULL;
	CN_TRY(cn_mapped_open(&file, path));
	int status = cn_ivf_parse(out, file.bytes, file.length, path);
	cn_mapped_close(&file);
	return status;
}
