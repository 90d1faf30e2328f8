/*
 * Answers: hits with everything they point to, independent of query and collection.
 */
#include <math.h>
#include <string.h>

#include "search/search.h"
#include "util/memory.h"

static int copy_pair(cn_answer_hit *to, const cn_pair *pair)
{
	to->hit.inliers = (int32_t)pair->result.inliers;
	to->matches = cn_memdup(pair->matches, pair->result.inliers * sizeof(*pair->matches));
	to->points = cn_memdup(pair->points, pair->result.inliers * sizeof(*pair->points));
	to->hit.matches = to->matches;
	return to->matches && to->points ? 0 : CAIRN_ENOMEM;
}

static int fill_hit(cn_answer_hit *to, cairn_collection *collection, const cn_candidate *from)
{
	cairn_image_record record;
	CN_TRY(cairn_collection_find_id(collection, from->id, &record));
	to->path = cn_strdup(record.path);
	to->label = record.label ? cn_strdup(record.label) : NULL;
	if (!to->path || (record.label && !to->label))
		return CAIRN_ENOMEM;
	to->hit = (cairn_hit){
		.id = from->id,
		.path = to->path,
		.label = to->label,
		.score = from->score,
		.similarity = from->similarity,
		.asmk = from->asmk,
		.inliers = from->inliers,
		.trusted = from->trusted,
		.width = record.width,
		.height = record.height,
	};
	return from->pair ? copy_pair(to, from->pair) : 0;
}

static int is_wanted(const cairn_search_options *options, const cn_candidate *candidate)
{
	if (candidate->score < options->min_score)
		return 0;
	return options->min_inliers <= 0 || candidate->inliers >= options->min_inliers;
}

int cn_answer_new(cairn_answer **out, const cairn_query *query, cairn_search_by by, const cn_candidate *candidates,
		  size_t count)
{
	const cairn_search_options *options = &query->searcher->options;
	cairn_answer *answer;
	CN_NEW(answer, 1, sizeof(*answer));
	int status = 0;
	answer->by = by;
	answer->box = query->box;
	answer->times = query->times;
	answer->query = cn_strdup(query->path);
	answer->hits = cn_alloc_zero(count < options->k ? count : options->k, sizeof(*answer->hits));
	if (!answer->query || !answer->hits)
		CN_GOTO(status, CAIRN_ENOMEM);
	for (size_t i = 0; i < count && answer->count < options->k; i++)
		if (is_wanted(options, &candidates[i])) {
			/* Counted before it is filled, so that a half-filled hit is freed as well. */
			cn_answer_hit *hit = &answer->hits[answer->count++];
			CN_GOTO(status, fill_hit(hit, query->searcher->collection, &candidates[i]));
		}
	*out = answer;
	return 0;
done:
	cairn_answer_free(answer);
	return status;
}

void cairn_answer_free(cairn_answer *answer)
{
	if (!answer)
		return;
	for (size_t i = 0; i < answer->count; i++) {
		cn_free(answer->hits[i].path);
		cn_free(answer->hits[i].label);
		cn_free(answer->hits[i].matches);
		cn_free(answer->hits[i].points);
	}
	cn_free(answer->hits);
	cn_free(answer->query);
	cn_free(answer->stage);
	cn_free(answer);
}

size_t cairn_answer_count(const cairn_answer *answer)
{
	return answer->count;
}

static int check_rank(const cairn_answer *answer, size_t rank)
{
	if (rank < answer->count)
		return 0;
	return cn_fail(CAIRN_EINVALID, "rank %zu: the answer has %zu hits, counted from 0", rank, answer->count);
}

int cairn_answer_get(const cairn_answer *answer, size_t rank, cairn_hit *hit)
{
	CN_TRY(check_rank(answer, rank));
	*hit = answer->hits[rank].hit;
	return 0;
}

const char *cairn_answer_query(const cairn_answer *answer)
{
	return answer->query;
}

cairn_search_by cairn_answer_by(const cairn_answer *answer)
{
	return answer->by;
}

cairn_box cairn_answer_box(const cairn_answer *answer)
{
	return answer->box;
}

cairn_answer_times cairn_answer_get_times(const cairn_answer *answer)
{
	return answer->times;
}

int cairn_answer_points(const cairn_answer *answer, size_t rank, cairn_point_pair **pairs, size_t *count)
{
	CN_TRY(check_rank(answer, rank));
	const cn_answer_hit *from = &answer->hits[rank];
	/* Of a recipe's stage inliers may be known without them. */
	size_t inliers = from->points && from->hit.inliers > 0 ? (size_t)from->hit.inliers : 0;
	*pairs = cn_memdup(from->points, inliers * sizeof(**pairs));
	*count = inliers;
	return *pairs ? 0 : CAIRN_ENOMEM;
}
