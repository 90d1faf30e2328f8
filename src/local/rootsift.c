/*
 * RootSIFT from end to end: detect, take the best, orient, describe; with scratch memory for each caller.
 *
 * The best keypoints are chosen before anything is described, for only then does the cost of description not depend on
 * how busy the image is.
 */
#include "local/rootsift.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "local/sift.h"
#include "util/memory.h"

#define RADIUS 6.0 /* of the described patch, in sigmas: two cells of three */

/* Scratch memory of one caller. */
struct slot {
	cn_sift_scratch scratch;
	cairn_keypoint *keypoints; /* capacity */
	uint32_t *sources;         /* the extremum of each */
	size_t capacity;
	int taken;
};

struct cn_rootsift {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	unsigned count;
	struct slot *slots;
};

int cn_rootsift_new(cn_rootsift **out, unsigned threads)
{
	cn_rootsift *sift;
	CN_NEW(sift, 1, sizeof(*sift));
	sift->count = threads ? threads : 1;
	sift->slots = cn_alloc_zero(sift->count, sizeof(*sift->slots));
	if (!sift->slots) {
		cn_free(sift);
		return CAIRN_ENOMEM;
	}
	pthread_mutex_init(&sift->lock, NULL);
	pthread_cond_init(&sift->returned, NULL);
	*out = sift;
	return 0;
}

void cn_rootsift_free(cn_rootsift *sift)
{
	if (!sift)
		return;
	for (unsigned i = 0; i < sift->count; i++) {
		cn_sift_scratch_free(&sift->slots[i].scratch);
		cn_free(sift->slots[i].keypoints);
		cn_free(sift->slots[i].sources);
	}
	pthread_cond_destroy(&sift->returned);
	pthread_mutex_destroy(&sift->lock);
	cn_free(sift->slots);
	cn_free(sift);
}

/* The first that is free, so that few threads use few; waits where more call than were announced. */
static struct slot *take(cn_rootsift *sift)
{
	struct slot *found = NULL;
	pthread_mutex_lock(&sift->lock);
	while (!found) {
		for (unsigned i = 0; i < sift->count && !found; i++)
			if (!sift->slots[i].taken)
				found = &sift->slots[i];
		if (!found)
			pthread_cond_wait(&sift->returned, &sift->lock);
	}
	found->taken = 1;
	pthread_mutex_unlock(&sift->lock);
	return found;
}

static void give_back(cn_rootsift *sift, struct slot *slot)
{
	pthread_mutex_lock(&sift->lock);
	slot->taken = 0;
	pthread_cond_signal(&sift->returned);
	pthread_mutex_unlock(&sift->lock);
}

/* A total order, since what qsort does with equals is not defined. */
static int by_score(const void *left, const void *right)
{
	const cn_sift_extremum *a = left, *b = right;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	if (a->octave != b->octave)
		return a->octave < b->octave ? -1 : 1;
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	if (a->cell_y != b->cell_y)
		return a->cell_y < b->cell_y ? -1 : 1;
	return a->cell_x < b->cell_x ? -1 : a->cell_x > b->cell_x;
}

/* Two samples may have been refined to the same extremum. */
static int is_same(const cn_sift_extremum *a, const cn_sift_extremum *b)
{
	return a->octave == b->octave && a->level == b->level && a->cell_x == b->cell_x && a->cell_y == b->cell_y;
}

static int reserve(struct slot *slot, size_t capacity)
{
	if (capacity <= slot->capacity)
		return 0;
	cairn_keypoint *keypoints = cn_realloc(slot->keypoints, capacity, sizeof(*keypoints));
	if (!keypoints)
		return CAIRN_ENOMEM;
	slot->keypoints = keypoints;
	uint32_t *sources = cn_realloc(slot->sources, capacity, sizeof(*sources));
	if (!sources)
		return CAIRN_ENOMEM;
	slot->sources = sources;
	slot->capacity = capacity;
	return 0;
}

/* Orients the extrema, best first, until there are enough keypoints. */
static size_t orient_best(struct slot *slot, size_t most)
{
	const cn_sift_scratch *scratch = &slot->scratch;
	size_t count = 0;
	for (size_t i = 0; i < scratch->count && count < most; i++) {
		const cn_sift_extremum *extremum = &scratch->extrema[i];
		const cn_sift_octave *octave = &scratch->octaves[extremum->octave];
		float angles[CN_SIFT_ORIENTATIONS];
		if (i && is_same(extremum, extremum - 1))
			continue;
		size_t angle_count = cn_sift_orient(angles, octave, extremum);
		for (size_t a = 0; a < angle_count && count < most; a++, count++) {
			slot->keypoints[count] = (cairn_keypoint){
				.x = (float)((double)extremum->x * octave->pixel),
				.y = (float)((double)extremum->y * octave->pixel),
				.scale = (float)(RADIUS * (double)extremum->sigma * octave->pixel),
				.angle = angles[a],
				.score = extremum->score,
			};
			slot->sources[count] = (uint32_t)i;
		}
	}
	return count;
}

static int extract(struct slot *slot, const float *grey, size_t width, size_t height, size_t most, cn_points *points)
{
	cn_sift_scratch *scratch = &slot->scratch;
	CN_TRY(cn_sift_detect(scratch, grey, width, height));
	if (scratch->count)
		qsort(scratch->extrema, scratch->count, sizeof(*scratch->extrema), by_score);
	if (most > scratch->count * CN_SIFT_ORIENTATIONS)
		most = scratch->count * CN_SIFT_ORIENTATIONS;
	CN_TRY(reserve(slot, most));
	size_t count = orient_best(slot, most);
	CN_TRY(cn_points_new(points, count, CN_SIFT_DIM));
	for (size_t i = 0; i < count; i++) {
		const cn_sift_extremum *extremum = &scratch->extrema[slot->sources[i]];
		points->keypoints[i] = slot->keypoints[i];
		cn_sift_describe(points->descriptors + i * CN_SIFT_DIM, &scratch->octaves[extremum->octave], extremum,
				 points->keypoints[i].angle);
	}
	return 0;
}

int cn_rootsift_run(cn_rootsift *sift, const float *grey, uint32_t width, uint32_t height, uint32_t max_points,
		    cn_points *points)
{
	struct slot *slot = take(sift);
	memset(points, 0, sizeof(*points));
	int status = extract(slot, grey, width, height, max_points, points);
	give_back(sift, slot);
	return status;
}
