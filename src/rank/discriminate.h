/*
 * rank/discriminate.h - discriminative re-ranking: labels predicted for queries and images order and extend the lists.
 *
 * Yokoo, Ozaki, Simo-Serra and Iizuka, "Two-stage discriminative re-ranking for large-scale landmark retrieval", CVPRW
 * 2020; docs/methods.md, "Discriminative re-ranking".
 */
#ifndef CN_RANK_DISCRIMINATE_H
#define CN_RANK_DISCRIMINATE_H

#include "data/label_table.h"
#include "rank/list.h"

/**
 * Predict a label for each query by its nearest labelled images.
 *
 * Of the first k places with an image, scores are summed up by label; the label with the largest sum wins, of equal
 * ones that whose first image is nearer. Its score is the sum divided by k, also where the list has fewer images.
 * Images without a label, or not among the known, take a place but have no say. Where none has one: CN_NO_LABEL, score
 * 0.
 *
 * @param      nearest of each query the nearest images of the labelled set, inner products as scores
 * @param      known   the labels of that set
 * @param      k       >= 1; 3 as published
 * @param[out] labels  one for each query
 * @param[out] scores  likewise
 * @return 0; CAIRN_EINVALID where k is 0; CAIRN_ENOMEM
 */
int cn_predict_labels(int32_t *labels, float *scores, const cairn_ranking *nearest, const cn_label_table *known,
		      size_t k);

/** One labelled image. */
typedef struct {
	int64_t image;
	float score;
	int32_t label;
} cn_labelled;

/** The images of an index by label. Immutable once made, so threads may share it. */
typedef struct {
	const cn_label_table *known; /**< borrowed */
	cn_labelled *items;          /**< those with a label: by label, then by descending score, then by id */
	size_t count;
} cn_labelled_images;

/**
 * @param[out] out    the caller frees it with cn_labelled_images_free(), also after a failure
 * @param      known  the predicted labels of the index's images, names are not needed; must outlive `out`
 * @param      scores known->count, not NaN: how sure each label is; not needed afterwards
 * @return 0; CAIRN_EINVALID naming the image where ids do not ascend, a label is below CN_NO_LABEL or a score is NaN;
 *         CAIRN_ENOMEM
 */
int cn_labelled_images_init(cn_labelled_images *out, const cn_label_table *known, const float *scores);
void cn_labelled_images_free(cn_labelled_images *images);

typedef struct {
	size_t depth;    /**< places of a list that are read and of the result, 1 to 2^31-1 */
	int insert;      /**< 1: images that are not in the list are inserted; 0: it is put into another order alone */
	float threshold; /**< an image is inserted if the query's score and its own together are above this */
	const int64_t *own; /**< NULL, or of each query the image that it is, which is not inserted; negative: none */
} cn_discriminate_options;

/** The published numbers. */
#define CN_DISCRIMINATE_OPTIONS_INIT                                                                                   \
	{                                                                                                              \
		.depth = 100, .insert = 1, .threshold = 0.6f                                                           \
	}

/**
 * Re-rank the first `depth` images of each list: those with the query's label come first, in their order; then the
 * inserted ones, that are in the index with this label and not among those read, by descending score, equal ones by
 * ascending id; then the others in their order. A list never has more than `depth` images. Without a label of the
 * query it stays as it is; an image that is not in `index` has no label.
 *
 * Scores are those of the list; an inserted image has its score in the index. Where one of the three groups would
 * begin above the end of the one before, its scores are lowered together until it does not.
 *
 * @param[out] out    of options->depth places; the caller frees it with cairn_ranking_free()
 * @param      run    NULL: the calling thread alone
 * @param      labels of each query; CN_NO_LABEL, or not negative
 * @param      scores of each query, not NaN
 * @return 0; CAIRN_EINVALID where an option, a label or a score is out of range; CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
int cn_rank_discriminate(cairn_ranking **out, const cn_rank_run *run, const cairn_ranking *ranking,
			 const int32_t *labels, const float *scores, const cn_labelled_images *index,
			 const cn_discriminate_options *options);

#endif
