/*
 * photos.h - what the tests of the collection share: generated photographs, small collections, and their whole content
 * as text, to compare two of them.
 */
#ifndef CN_TESTS_PHOTOS_H
#define CN_TESTS_PHOTOS_H

#include "cairn/collection.h"
#include "support.h"

/** A copy of a path out of one of the short-lived buffers of support.h. */
const char *keep(const char *text);

/** Save a photograph full of blobs and corners, another one for each seed. The ending says which format. */
void photo_save(const char *path, uint64_t seed);

/** The same with everything moved to the right and down: another view of that place. */
void photo_save_moved(const char *path, uint64_t seed, int right, int down);

/** A white photograph, in which there are no local features. */
void photo_save_plain(const char *path);

/** Photographs place-PP-view-V.png of places with seeds from `seed` on, in a new folder; each view is moved a bit. */
const char *photo_views(size_t places, size_t views, uint64_t seed);

/** The photographs 000.png, 001.png and so on with seeds from `seed` on, in a new folder. */
const char *photo_folder(size_t count, uint64_t seed);

/** A bundle with a tiny network of random weights (one convolution, GeM pooling, 16 dimensions) in a new folder. The
 * network gives an "attention" of the map's size too, of which the bundle says nothing. */
void model_write(const char *folder, const char *name, uint64_t seed);

/** A bundle with a tiny network of random weights for local features of 16 dimensions. */
void model_write_local(const char *folder, const char *name, uint64_t seed);

/** What a tiny detector lists, whatever the image. */
typedef struct {
	size_t count, columns;  /* columns 0: the scores are 1 x count, otherwise 1 x count x columns */
	const float *boxes;     /* count x 4 */
	const float *scores;    /* count x columns */
	const int64_t *classes; /* count, or NULL: no such output */
	float drift;            /* times the mean of the input, added to every number of the boxes */
} detector_listing;

/** A bundle with a detector of outputs "boxes", "scores" and, as a list without the 1, "classes". @param members of
 * "detector" in model.json */
void model_write_detector(const char *folder, const char *name, const char *members, const detector_listing *listing);

/** A detector of two boxes, and one of too low a score, whose places depend on the image a little. */
void model_write_boxes(const char *folder, const char *name);

/** Let models be looked for by name in a new folder; its path is borrowed. */
const char *model_home_new(void);

/** A global bundle in a temporary folder, whose path is borrowed. */
const char *model_new(const char *name, uint64_t seed);

/** A new collection in a new folder that keeps RootSIFT only; borrowed path. */
const char *collection_new(void);

/** Create it and open it for writing. */
cairn_collection *collection_new_open(void);

/** Add one path with these options (NULL: defaults), which must succeed. */
cairn_add_report collection_add(cairn_collection *collection, const char *path, const cairn_add_options *options);

/** A new collection of the photographs in a folder, with RootSIFT and up to two models (NULL: none; weights 2 and 1),
 * `batch` images a segment; borrowed path. */
const char *collection_made(const char *model, const char *second, const char *photos, uint32_t batch);

/** Register a segment with one image of `count` descriptor rows and one local feature; its id. */
int64_t collection_add_rows(cairn_collection *collection, const float *rows, size_t count);

/** Number of faults that check finds, with repair or without. */
int collection_faults(cairn_collection *collection, cairn_check_mode mode);

/** All records, features and boxes, one line an image; caller frees with free(). */
char *collection_text(cairn_collection *collection);

/** Change some bytes of a file, from `at` on. */
void file_overwrite(const char *path, size_t at, const void *bytes, size_t length);

/** Size of a file; -1 where it is not there. */
long file_size(const char *path);

#endif
