/*
 * What is done with one image by one thread: look at the file, hash it, decode it once, describe it.
 */
#include "collection/slot.h"

#include <string.h>
#include <sys/stat.h>

#include "local/boxes.h"
#include "math/half.h"
#include "util/memory.h"
#include "util/text.h"

static void drop_results(cn_image_slot *slot)
{
	cn_free(slot->row);
	slot->row = NULL;
	for (size_t i = 0; i < CN_MAX_SOURCES; i++) {
		cairn_features_free(slot->features[i]);
		slot->features[i] = NULL;
	}
	cn_boxes_free(&slot->boxes);
}

void cn_slot_clear(cn_image_slot *slot)
{
	drop_results(slot);
	cn_free(slot->label);
	cn_free(slot->message);
	*slot = (cn_image_slot){ 0 };
}

int cn_slot_stat(const char *path, uint64_t *size, int64_t *mtime_ns)
{
	struct stat info;
	if (stat(path, &info) != 0)
		return cn_fail_errno("cannot open '%s'", path);
	if (!S_ISREG(info.st_mode))
		return cn_fail(CAIRN_EFORMAT, "'%s' is not a regular file, no image", path);
	*size = (uint64_t)info.st_size;
	*mtime_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
	return 0;
}

int cn_slot_look(cn_image_slot *slot, const cn_describers *describers)
{
	CN_TRY(cn_slot_stat(slot->path, &slot->size, &slot->mtime_ns));
	if (slot->size > describers->decoding.max_bytes)
		return cn_fail(CAIRN_ELIMIT, "'%s' has %llu bytes, more than the limit of %llu", slot->path,
			       (unsigned long long)slot->size, (unsigned long long)describers->decoding.max_bytes);
	CN_TRY(cn_key_of_file(&slot->hash, slot->path));
	/* What is wrong with the image will be said when it is described. */
	if (cairn_image_size(slot->path, &describers->decoding, &slot->width, &slot->height) < 0)
		slot->width = slot->height = 0;
	slot->looked = 1;
	return 0;
}

static int run_describer(cn_image_slot *slot, const cn_describers *describers, const cairn_image *image)
{
	size_t dim = describers->collection->dim;
	float *row = cn_alloc(dim, sizeof(*row));
	slot->row = cn_alloc(dim, sizeof(*slot->row));
	int status = row && slot->row ? cairn_describer_run(describers->describer, image, NULL, row) : CAIRN_ENOMEM;
	if (status == 0)
		cn_halves_from_floats(row, dim, slot->row);
	cn_free(row);
	return status;
}

static int run_networks(cn_image_slot *slot, const cn_describers *describers, const cairn_image *image)
{
	slot->width = cairn_image_full_width(image);
	slot->height = cairn_image_full_height(image);
	if (describers->describer)
		CN_TRY(run_describer(slot, describers, image));
	for (size_t i = 0; i < describers->collection->sources.local_count; i++)
		CN_TRY(cairn_extractor_run(describers->extractors[i], image, NULL, &slot->features[i]));
	return describers->detector ? cn_boxes_detect(&slot->boxes, describers->detector, image) : 0;
}

int cn_slot_describe(cn_image_slot *slot, const cn_describers *describers)
{
	cairn_image *image;
	uint64_t size;
	int64_t mtime_ns;
	CN_TRY(cairn_image_open(&image, slot->path, &describers->decoding));
	int status = run_networks(slot, describers, image);
	cairn_image_free(image);
	if (status == 0)
		status = cn_slot_stat(slot->path, &size, &mtime_ns);
	if (status == 0 && (size != slot->size || mtime_ns != slot->mtime_ns))
		status = cn_fail(CAIRN_EIO, "'%s' was changed while it was read; add it again", slot->path);
	if (status < 0)
		drop_results(slot);
	else
		slot->state = CN_SLOT_DESCRIBED;
	return status;
}

/* Failures that the next image would meet as well. */
static int stops_all(int status)
{
	static const int codes[] = { CAIRN_ENOMEM,     CAIRN_ENOSPACE, CAIRN_EBACKEND,
				     CAIRN_ECANCELLED, CAIRN_EDAMAGED, CAIRN_EBUSY };
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		if (status == codes[i])
			return 1;
	}
	return 0;
}

int cn_slot_fail(cn_image_slot *slot, int status)
{
	if (stops_all(status))
		return status;
	slot->message = cn_strdup(cairn_last_error());
	if (!slot->message)
		return CAIRN_ENOMEM;
	slot->status = status;
	slot->state = CN_SLOT_FAILED;
	return 0;
}
