/*
 * collection/slot.h - one image on its way into a collection: what is known of its file, and what was computed from it.
 */
#ifndef CN_COLLECTION_SLOT_H
#define CN_COLLECTION_SLOT_H

#include "collection/describers.h"

typedef enum {
	CN_SLOT_PENDING,
	CN_SLOT_DESCRIBED,
	CN_SLOT_KNOWN,   /**< hashed; its content seems to be in already, or to come with an earlier image */
	CN_SLOT_FAILED,  /**< status and message say why */
	CN_SLOT_LABELLED /**< unchanged but for its label */
} cn_slot_state;

typedef struct {
	const char *path; /* borrowed */
	size_t position;  /* among the paths of this run */
	cn_slot_state state;
	int looked;  /* size, time and hash are known */
	int counted; /* in the progress */
	char *label; /* given for it; NULL: none; empty: take away the one it has */
	int64_t id;  /* once it has one */
	uint64_t size;
	int64_t mtime_ns;
	cn_key hash;
	uint32_t width, height; /* 0 until they are known */
	uint16_t *row;          /* its descriptor, float16 */
	cairn_features *features[CN_MAX_SOURCES];
	cn_boxes boxes; /* none without a detector */
	int status;
	char *message;
} cn_image_slot;

void cn_slot_clear(cn_image_slot *slot);

/** Size and modification time of a regular file. */
int cn_slot_stat(const char *path, uint64_t *size, int64_t *mtime_ns);

/** Fill in size, time and hash, and width and height if they can be read. */
int cn_slot_look(cn_image_slot *slot, const cn_describers *describers);

/** Decode and describe; the state becomes CN_SLOT_DESCRIBED. */
int cn_slot_describe(cn_image_slot *slot, const cn_describers *describers);

/** The state becomes CN_SLOT_FAILED with the text of the last error. @return 0; or `status` where it is not the image's
 * fault (memory, disk, inference), and then the slot stays as it is */
int cn_slot_fail(cn_image_slot *slot, int status);

#endif
