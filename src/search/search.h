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
	cairn_search_by by;           /* when it was made; CAIRN_BY_AUTO: all images are candidates */
	int needs_global;             /* queries have a global descriptor */
	int warned;                   /* that ASMK is missing */
	const char *local;            /* kind that queries have, NULL: none; borrowed from the collection */
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
	float *descriptor;        /* NULL where it is not searched by */
	cairn_features *features; /* NULL where neither searched by nor verified */
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
	char *stage; /* of a recipe that found it; NULL: a search */
	cairn_search_by by;
	cairn_box box;
	cairn_answer_times times;
	size_t count;
	cn_answer_hit *hits;
};

/** An image as it stands after global search and verification. */
typedef struct {
	int64_t id;
	float similarity;    /* NAN where not searched by it */
	float asmk;          /* the same */
	float score;         /* what the order is by */
	int32_t inliers;     /* CAIRN_NO_INLIERS where not verified; counts where there is no pair */
	const cn_pair *pair; /* NULL where it is not there */
	int trusted;         /* its inliers reach the minimum of the order */
} cn_candidate;

typedef struct {
	cn_candidate *items;
	size_t count;
} cn_candidates;

/** Ids to leave out, ascending. */
typedef struct {
	const int64_t *ids;
	size_t count;
} cn_exclusion;

/**
 * The best images for a query, best first, without the query itself; CAIRN_BY_AUTO: all images, by id.
 *
 * @param depth how many are wanted of each list
 * @param[out] out caller frees the items, also after a failure
 */
int cn_candidates_find(const cairn_query *query, cairn_search_by by, const cn_exclusion *exclude, size_t depth,
		       cn_candidates *out);

/** Let a searcher verify in another way; after a failure it does as before. What its queries have verified is theirs to
 * forget. */
int cn_searcher_set_verification(cairn_searcher *searcher, const cairn_verify_options *options);

/** Verify the first `depth` candidates: each gets its pair. */
int cn_verify_best(cairn_query *query, cn_candidates *candidates, size_t depth);

/** Make an answer from candidates, best first, after the searcher's min_score and min_inliers; at most k hits. */
int cn_answer_new(cairn_answer **out, const cairn_query *query, cairn_search_by by, const cn_candidate *candidates,
		  size_t count);

#endif
