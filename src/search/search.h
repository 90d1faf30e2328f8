/*
 * search/search.h - what the files of this room share: searcher, query and answer.
 */
#ifndef CN_SEARCH_SEARCH_H
#define CN_SEARCH_SEARCH_H

#include "cairn/search.h"
#include "collection/describers.h"
#include "search/pair_cache.h"
#include "search/selection.h"
#include "util/parallel.h"

struct cairn_searcher {
	cairn_collection *collection;
	cairn_collection_info info;
	cairn_search_options options; /* without borrowed text and filter */
	char *precision;              /* options.precision */
	cn_selection selection;       /* options.filter */
	const char *local;            /* kind to verify with, NULL: none; borrowed from the collection */
	size_t local_index;           /* its number there */
	cn_describers describers;
	cn_workers *pool;
	cairn_verifier **verifiers; /* one a thread of the pool */
};

struct cairn_query {
	cairn_searcher *searcher;
	char *path;
	cairn_box box;
	int64_t id;               /* 0 unless it is an image of the collection */
	float *descriptor;        /* NULL without global model */
	cairn_features *features; /* NULL without verification */
	cn_pair_cache pairs;
	cairn_answer_times times;
};

/* A hit and what it points to. */
typedef struct {
	cairn_hit hit;
	char *path, *label;
	cairn_match *matches;
	cairn_point_pair *points;
} cn_answer_hit;

struct cairn_answer {
	char *query;
	cairn_box box;
	cairn_answer_times times;
	size_t count;
	cn_answer_hit *hits;
};

/** An image as it stands after global search and verification. */
typedef struct {
	int64_t id;
	float similarity;    /* NAN without global model */
	float score;         /* what the order is by */
	const cn_pair *pair; /* NULL where not verified */
	int trusted;         /* its inliers reach the minimum of the order */
} cn_candidate;

typedef struct {
	cn_candidate *items;
	size_t count;
} cn_candidates;

/** Verify the first `depth` candidates: each gets its pair. */
int cn_verify_best(cairn_query *query, cn_candidates *candidates, size_t depth);

/** Make an answer from candidates, best first, after the searcher's min_score and min_inliers; at most k hits. */
int cn_answer_new(cairn_answer **out, const cairn_query *query, const cn_candidate *candidates, size_t count);

#endif
