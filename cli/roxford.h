/*
 * cli/roxford.h - what 'cairn eval roxford' is made of: which images are which, ranking by searches or by a recipe,
 * scores.
 */
#ifndef CLI_ROXFORD_H
#define CLI_ROXFORD_H

#include "cairn/eval.h"
#include "cairn/run.h"
#include "cairn/search.h"
#include "progress.h"

#define PROTOCOLS 3

/* An image of the collection, ids ascending. */
struct roxford_image {
	int64_t id;
	int64_t position; /* in the ground truth's database; -1: a distractor */
	int is_query;     /* a query's own photograph, which is neither */
};

/* A stage of a recipe that gives a ranking. */
struct roxford_stage {
	size_t number; /* in the recipe */
	const char *name;
	cairn_roxford_scores scores[PROTOCOLS];
};

struct evaluation {
	cairn_roxford *truth;
	cairn_collection *collection;
	cairn_searcher *searcher; /* this, */
	cairn_recipe *recipe;     /* or these */
	cairn_run *run;
	struct roxford_stage *stages;
	size_t stage_count;
	struct roxford_image *images;
	size_t image_count, there; /* of the collection; database images among them */
	int64_t *exclude;          /* room for all images */
	char **paths;              /* of the query photographs */
	struct {
		int64_t **lists; /* one a query: positions, best first */
		size_t *lengths;
		cairn_roxford_scores scores;
	} protocols[PROTOCOLS];
	struct progress progress;
	double seconds;
};

/** Look up which images of the collection the ground truth knows, and tell how many. */
int roxford_read_images(struct evaluation *evaluation);

/** Find the photographs of the queries in a folder. @param truth the ground truth's file, for errors @return an exit
 * code */
int roxford_find_queries(struct evaluation *evaluation, const char *truth, const char *folder);

/** Put the ids of images that do not count for a query into evaluation->exclude. @return how many they are */
size_t roxford_junk(struct evaluation *evaluation, int protocol, size_t query);

/** Keep an answer as the query's list of positions. */
void roxford_keep_answer(struct evaluation *evaluation, int protocol, size_t query, const cairn_answer *answer);

/** Score the lists of a protocol. */
int roxford_score(struct evaluation *evaluation, int protocol);

/** Open a recipe and prepare to run it. @param options without roles */
int roxford_make_run(struct evaluation *evaluation, const char *recipe, const cairn_run_options *options);

/** Run the recipe for all queries and protocols, and score each of its stages. What went wrong is told. */
int roxford_run(struct evaluation *evaluation);

#endif
