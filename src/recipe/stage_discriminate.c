/*
 * The stage "discriminate": labels of queries and images are predicted from a labelled set; images with the query's
 * label come first.
 */
#include <string.h>

#include "collection/identity.h"
#include "index/vectors.h"
#include "rank/discriminate.h"
#include "recipe/run.h"
#include "recipe/stage_runs.h"
#include "util/memory.h"

#define BLOCK 4096 /* images that are predicted at once */

/* Labels and scores by their place. */
typedef struct {
	int32_t *labels;
	float *scores;
} predictions;

static int predictions_new(predictions *out, size_t count)
{
	CN_NEW(out->labels, count, sizeof(*out->labels));
	CN_NEW(out->scores, count, sizeof(*out->scores));
	return 0;
}

static void predictions_free(predictions *predicted)
{
	cn_free(predicted->labels);
	cn_free(predicted->scores);
}

static int predict(const cn_work *work, const cn_label_table *known, const float *vectors, size_t count,
		   int32_t *labels, float *scores)
{
	const cairn_index *train = cn_work_input(work, "train")->index;
	cairn_index_options how = CAIRN_INDEX_OPTIONS_INIT;
	size_t k = cn_work_size(work, "k");
	cairn_ranking *nearest;
	how.threads = work->run->threads;
	how.recall = 1;
	CN_TRY(cairn_index_search(&nearest, train, vectors, count, k, &how));
	int status = cn_predict_labels(labels, scores, nearest, known, k);
	cairn_ranking_free(nearest);
	return status;
}

/* All images of the index, block by block. @param ids count, ascending */
static int predict_images(const cn_work *work, const cn_label_table *known, const int64_t *ids, size_t count,
			  const predictions *out)
{
	const cn_vectors vectors = cn_vectors_of_index(cn_work_input(work, "index")->index);
	float *rows = cn_alloc_aligned(BLOCK * vectors.dim, sizeof(*rows));
	int status = rows ? 0 : CAIRN_ENOMEM;
	cn_work_start(work, count);
	for (size_t at = 0; at < count && status == 0; at += BLOCK) {
		size_t some = count - at < BLOCK ? count - at : BLOCK;
		status = vectors.get(&vectors, ids + at, some, rows);
		if (status == 0)
			status = predict(work, known, rows, some, out->labels + at, out->scores + at);
		if (status == 0)
			status = cn_progress_add(work->progress, some, 0);
	}
	cn_free(rows);
	return status;
}

static int discriminate(const cn_work *work, const cn_label_table *known, cn_label_table *images, const int64_t *own,
			const predictions *asked, const predictions *found)
{
	const cn_value *in = cn_work_input(work, "ranking"), *queries = cn_work_input(work, "queries");
	const cn_discriminate_options how = {
		.depth = cn_work_size(work, "depth"),
		.insert = cn_stage_argument(work->stage, "insert")->truth,
		.threshold = (float)cn_work_real(work, "threshold"),
		.own = own,
	};
	cn_labelled_images labelled;
	cn_rank_run with = { 0 };
	CN_TRY(predict(work, known, queries->vectors, queries->count, asked->labels, asked->scores));
	CN_TRY(predict_images(work, known, images->ids, images->count, found));
	memcpy(images->labels, found->labels, images->count * sizeof(*images->labels));
	int status = cn_labelled_images_init(&labelled, images, found->scores);
	if (status == 0)
		status = cn_workers_new(&with.pool, work->run->threads);
	if (status == 0)
		status = cn_rank_discriminate(&work->out->ranking, &with, in->ranking, asked->labels, asked->scores,
					      &labelled, &how);
	cn_workers_free(with.pool);
	cn_labelled_images_free(&labelled);
	return status;
}

int cn_run_discriminate(const cn_work *work)
{
	cn_label_table known = { 0 }, images = { 0 };
	predictions asked = { 0 }, found = { 0 };
	int64_t *own = NULL;
	int status = 0;
	CN_GOTO(status, cn_run_own_images(work->run, &own));
	CN_GOTO(status, cn_collection_labels(work->run->train, &known));
	/* Its labels are replaced by those predicted. */
	CN_GOTO(status, cn_collection_labels(work->run->index, &images));
	CN_GOTO(status, predictions_new(&asked, work->run->query_count));
	CN_GOTO(status, predictions_new(&found, images.count));
	status = discriminate(work, &known, &images, own, &asked, &found);
done:
	cn_free(own);
	predictions_free(&asked);
	predictions_free(&found);
	cn_label_table_free(&known);
	cn_label_table_free(&images);
	return status;
}
