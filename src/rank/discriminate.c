/*
 * Discriminative re-ranking. The published program compares with the score of an undefined variable when it inserts;
 * what is meant is the query's.
 */
#include "rank/discriminate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/ids.h"
#include "util/memory.h"

/* ---- predicting ---- */

typedef struct {
	int32_t label;
	double sum;
} vote;

static void add_vote(vote *votes, size_t *count, int32_t label, float score)
{
	size_t i = 0;
	while (i < *count && votes[i].label != label)
		i++;
	if (i == *count)
		votes[(*count)++] = (vote){ label, 0 };
	votes[i].sum += (double)score;
}

/* @param votes room for k */
static vote predict(const cairn_ranking *nearest, size_t query, const cn_label_table *known, size_t k, vote *votes)
{
	const int64_t *images = cairn_ranking_images(nearest, query);
	const float *scores = cairn_ranking_scores(nearest, query);
	size_t places = cairn_ranking_count(nearest, query), count = 0;
	for (size_t i = 0, taken = 0; i < places && taken < k; i++) {
		if (images[i] < 0)
			continue;
		int32_t label = cn_label_table_find(known, images[i]);
		taken++;
		if (label != CN_NO_LABEL)
			add_vote(votes, &count, label, scores[i]);
	}
	vote winner = count ? votes[0] : (vote){ CN_NO_LABEL, 0 };
	for (size_t i = 1; i < count; i++)
		if (votes[i].sum > winner.sum)
			winner = votes[i];
	return winner;
}

int cn_predict_labels(int32_t *labels, float *scores, const cairn_ranking *nearest, const cn_label_table *known,
		      size_t k)
{
	size_t depth = cairn_ranking_depth(nearest);
	if (k < 1)
		return cn_fail(CAIRN_EINVALID, "labels by the 0 nearest images; at least 1 is needed");
	vote *votes = cn_alloc(k < depth ? k : depth, sizeof(*votes));
	if (!votes)
		return CAIRN_ENOMEM;
	for (size_t query = 0; query < cairn_ranking_queries(nearest); query++) {
		vote winner = predict(nearest, query, known, k, votes);
		labels[query] = winner.label;
		scores[query] = (float)(winner.sum / (double)k);
	}
	cn_free(votes);
	return 0;
}

/* ---- images by label ---- */

static int by_label(const void *left, const void *right)
{
	const cn_labelled *a = left, *b = right;
	if (a->label != b->label)
		return a->label < b->label ? -1 : 1;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return (a->image > b->image) - (a->image < b->image);
}

static int check_image(const cn_label_table *known, const float *scores, size_t i)
{
	if (known->labels[i] < CN_NO_LABEL || isnan(scores[i]))
		return cn_fail(CAIRN_EINVALID,
			       "image %lld has the label %d with score %g; labels are not negative, %d is none",
			       (long long)known->ids[i], known->labels[i], (double)scores[i], CN_NO_LABEL);
	return 0;
}

int cn_labelled_images_init(cn_labelled_images *out, const cn_label_table *known, const float *scores)
{
	*out = (cn_labelled_images){ .known = known };
	CN_TRY(cn_ids_ascend(known->ids, known->count, "labelled"));
	out->items = cn_alloc(known->count, sizeof(*out->items));
	if (!out->items)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < known->count; i++) {
		CN_TRY(check_image(known, scores, i));
		if (known->labels[i] != CN_NO_LABEL)
			out->items[out->count++] = (cn_labelled){ known->ids[i], scores[i], known->labels[i] };
	}
	if (out->count > 1)
		qsort(out->items, out->count, sizeof(*out->items), by_label);
	return 0;
}

void cn_labelled_images_free(cn_labelled_images *images)
{
	cn_free(images->items);
	*images = (cn_labelled_images){ 0 };
}

/* The first item of a label. */
static size_t find_items(const cn_labelled_images *index, int32_t label)
{
	size_t begin = 0, end = index->count;
	while (begin < end) {
		size_t middle = begin + (end - begin) / 2;
		if (index->items[middle].label < label)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin;
}

/* ---- re-ranking ---- */

struct work {
	const int32_t *labels;
	const float *scores;
	const cn_labelled_images *index;
	const cn_discriminate_options *options;
};

/* Move the images that have the label to `spare`. @return how many; the others are left in the list */
static size_t take_positives(const cn_labelled_images *index, cn_rank_list *list, int32_t label)
{
	size_t positives = 0, others = 0;
	for (size_t i = 0; i < list->count; i++) {
		cn_scored item = list->items[i];
		if (cn_label_table_find(index->known, item.id) == label)
			list->spare[positives++] = item;
		else
			list->items[others++] = item;
	}
	list->count = others;
	return positives;
}

/* Append images of the query's label to the `count` that are in `spare`. @return how many there are then */
static size_t insert(const struct work *work, cn_rank_list *list, size_t query, size_t count)
{
	const cn_labelled_images *index = work->index;
	const int64_t *own = work->options->own;
	for (size_t i = find_items(index, work->labels[query]);
	     i < index->count && index->items[i].label == work->labels[query] && count < work->options->depth; i++) {
		const cn_labelled *item = &index->items[i];
		if (!(work->scores[query] + item->score > work->options->threshold))
			break;
		if (own && own[query] == item->image)
			continue;
		if (!cn_ids_have(list->ids, list->read, item->image))
			list->spare[count++] = (cn_scored){ item->score, item->image };
	}
	return count;
}

/* cn_rank_body. */
static int rerank(void *context, cn_rank_list *list, size_t query, unsigned worker)
{
	const struct work *work = context;
	int32_t label = work->labels[query];
	(void)worker;
	if (label == CN_NO_LABEL)
		return 0;
	size_t positives = take_positives(work->index, list, label);
	size_t inserted = work->options->insert ? insert(work, list, query, positives) : positives;
	size_t count = inserted + list->count;
	memcpy(list->spare + inserted, list->items, list->count * sizeof(*list->items));
	cn_scores_follow(list->spare, inserted, positives);
	cn_scores_follow(list->spare, count, inserted);
	cn_rank_list_take(list, count);
	return 0;
}

static int check(const struct work *work, const cairn_ranking *ranking)
{
	const cn_discriminate_options *options = work->options;
	if (options->depth < 1 || options->depth > INT32_MAX || isnan(options->threshold))
		return cn_fail(CAIRN_EINVALID,
			       "discriminative re-ranking to depth %zu with threshold %g; the depth is 1 to %d",
			       options->depth, (double)options->threshold, INT32_MAX);
	for (size_t i = 0; i < cairn_ranking_queries(ranking); i++)
		if (work->labels[i] < CN_NO_LABEL || isnan(work->scores[i]))
			return cn_fail(CAIRN_EINVALID,
				       "query %zu has the label %d with score %g; labels are not negative, %d is none",
				       i, work->labels[i], (double)work->scores[i], CN_NO_LABEL);
	return 0;
}

int cn_rank_discriminate(cairn_ranking **out, const cn_rank_run *run, const cairn_ranking *ranking,
			 const int32_t *labels, const float *scores, const cn_labelled_images *index,
			 const cn_discriminate_options *options)
{
	struct work work = { .labels = labels, .scores = scores, .index = index, .options = options };
	*out = NULL;
	CN_TRY(check(&work, ranking));
	return cn_rank_lists(out, &(cn_rank_job){ .run = run,
						  .ranking = ranking,
						  .take = options->depth,
						  .depth = options->depth,
						  .stage = "discriminating",
						  .body = rerank,
						  .context = &work });
}
