/*
 * local/attentive.h - features at the positions of a map that attention chooses, over several scales.
 *
 * Noh et al., "Large-Scale Image Retrieval with Attentive Deep Local Features" (DELF), ICCV 2017; Cao, Araujo and Sim,
 * "Unifying Deep Local and Global Features for Image Search" (DELG), ECCV 2020; Tolias, Jenicek and Chum, "Learning and
 * Aggregating Deep Local Descriptors for Instance-level Recognition" (HOW), ECCV 2020. docs/methods.md, "Attentive
 * features".
 */
#ifndef CN_LOCAL_ATTENTIVE_H
#define CN_LOCAL_ATTENTIVE_H

#include "image/image.h"
#include "local/points.h"
#include "model/bundle.h"

/** Where the positions of a map at one scale lie. Pixels are those of the image at scale 1, the working image. */
typedef struct {
	cn_receptive_field field;
	double step[2]; /**< y, x: pixels of the working image for one at this scale */
} cn_attentive_scale;

/** Which features are kept. */
typedef struct {
	float threshold; /**< least attention */
	float iou;       /**< a feature is dropped if its box overlaps that of a better one more; 1: none is */
	uint32_t max_points;
} cn_attentive_rule;

/** Features of scales that may drop each other's. */
struct cn_attentive_set {
	struct cn_attentive_feature *features;
	float *descriptors; /* held x dim, unit */
	size_t count, held;
	uint32_t scales_left; /* that have not come yet */
};

/** Features of some scales. */
typedef struct {
	cn_attentive_rule rule;
	cn_attentive_scale scales[CN_MOST_SCALES];
	uint32_t set_of[CN_MOST_SCALES], count, done;
	struct cn_attentive_set sets[CN_MOST_SCALES];
	uint32_t dim;
	int64_t positions; /* of the scales that are done */
} cn_attentive;

/** Begin. @param count of scales, 1 to CN_MOST_SCALES; all come, one after the other */
void cn_attentive_start(cn_attentive *gathered, const cn_attentive_scale *scales, uint32_t count,
			const cn_attentive_rule *rule);
void cn_attentive_free(cn_attentive *gathered);

/** How many descriptors are held: of scales that no scale to come can change, at most max_points a set. */
size_t cn_attentive_held(const cn_attentive *gathered);

/**
 * Add the features of the next scale. Descriptors of zeros are none. All maps have the same number of channels.
 *
 * @param map       not borrowed beyond the call
 * @param attention of each position; NULL: the L2 norm of its descriptor
 */
int cn_attentive_add(cn_attentive *gathered, const cn_map *map, const float *attention);

/**
 * The best of all scales, by attention; of equals those that were added first, then in reading order.
 *
 * @param      width,height of the working image, into which points are moved
 * @param[out] points       the caller frees it with cn_points_free()
 */
int cn_attentive_choose(const cn_attentive *gathered, uint32_t width, uint32_t height, cn_points *points);

/**
 * Run a model of the method "attentive" on an image.
 *
 * @param      is_box       the image was cut out with a box
 * @param      width,height of the working image
 * @param[out] points       in its pixels; the caller frees it with cn_points_free()
 * @return 0; CAIRN_EFORMAT where outputs have other shapes than model.json says; CAIRN_EBACKEND where they are not
 *         finite; CAIRN_ENOMEM
 */
int cn_attentive_points(cairn_model *model, const cairn_image *image, int is_box, uint32_t width, uint32_t height,
			uint32_t max_points, cn_points *points);

#endif
