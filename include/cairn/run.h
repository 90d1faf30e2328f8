/*
 * cairn/run.h - running a recipe: queries and a collection go in, rankings come out.
 *
 * Every stage's output is kept in a folder under a key made of the stage, its parameters and the keys of what it took,
 * so a run that was stopped goes on where it was, and after a change only what depends on it is made again. Results do
 * not depend on threads, nor on where a run was stopped.
 *
 * Thread-safety: a run serves one thread at a time; it uses several inside. Collections may be shared.
 */
#ifndef CAIRN_RUN_H
#define CAIRN_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/collection.h"
#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/recipe.h"
#include "cairn/search.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cairn_run cairn_run;

/** How a recipe is run. Text is copied. */
typedef struct {
	uint32_t version;        /**< CAIRN_RUN_OPTIONS_VERSION */
	cairn_collection *train; /**< the labelled set, for recipes that need one; borrowed, must outlive the run */
	/** Folder that outputs of stages are kept in, made if it is not there. NULL: the folder "cache" of the index,
	 * and what depends on the queries is not kept */
	const char *cache;
	const cairn_recipe_role *roles; /**< role_count models in the place of those that the recipe names */
	size_t role_count;
	uint32_t threads;           /**< 0: one for each core */
	uint64_t memory;            /**< of graphs, as in cairn_graph_options; 0: 2 GiB */
	const char *precision;      /**< "auto", "f32" or "bf16"; NULL: auto */
	cairn_progress_cb progress; /**< NULL: none. cairn_progress.stage is the name of a stage of the recipe */
	void *progress_payload;
} cairn_run_options;

#define CAIRN_RUN_OPTIONS_VERSION 1
#define CAIRN_RUN_OPTIONS_INIT                                                                                         \
	{                                                                                                              \
		CAIRN_RUN_OPTIONS_VERSION, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, NULL                                 \
	}

/**
 * Prepare a run.
 *
 * @param[out] out    caller frees it with cairn_run_free()
 * @param      recipe borrowed; must outlive the run
 * @param      index  what is searched; borrowed, must outlive the run
 * @return 0; CAIRN_EINVALID where the recipe needs what the index does not keep, the labelled set is missing or of
 * other models, or a role is unknown; CAIRN_ENOTFOUND; CAIRN_EIO; CAIRN_ENOMEM
 */
CAIRN_API int cairn_run_new(cairn_run **out, const cairn_recipe *recipe, cairn_collection *index,
			    const cairn_run_options *options);

/** Free a run; NULL is allowed. */
CAIRN_API void cairn_run_free(cairn_run *run);

/**
 * Ask with a photograph.
 *
 * @param box NULL, or the part to ask with, in pixels of the upright full-size photograph
 * @return 0; errors of cairn_query_open(), and then it is no query of the run
 */
CAIRN_API int cairn_run_add_photo(cairn_run *run, const char *path, const cairn_box *box);

/** Ask with an image of the index, which is left out of its own ranking. @return 0; CAIRN_ENOTFOUND; CAIRN_ENOMEM */
CAIRN_API int cairn_run_add_id(cairn_run *run, int64_t id);

/** Ask with every image of a collection, in order of their ids. @param queries made by the same models as the index;
 * borrowed, must outlive the run. The index itself: each image is left out of its own ranking
 * @return 0; CAIRN_EINVALID naming what differs; CAIRN_ENOMEM */
CAIRN_API int cairn_run_add_collection(cairn_run *run, cairn_collection *queries);

/** How many queries there are. */
CAIRN_API size_t cairn_run_queries(const cairn_run *run);

/** Path of a query's photograph; borrowed until queries are added. NULL where there is no such query. */
CAIRN_API const char *cairn_run_query_path(const cairn_run *run, size_t query);

/** Images that do not count among the first that stages verify, as a benchmark's junk; all else is done with them as
 * with others. @param ids ascending; copied; NULL: none @return 0; CAIRN_EINVALID; CAIRN_ENOMEM */
CAIRN_API int cairn_run_exclude(cairn_run *run, size_t query, const int64_t *ids, size_t count);

/**
 * Run what is not done yet. May be called again after queries were added or excluded images changed; what does not
 * depend on that is not done again.
 *
 * @return 0; CAIRN_EINVALID where there are no queries; CAIRN_ECANCELLED, and what was done is kept; errors of the
 *         stages
 */
CAIRN_API int cairn_run_execute(cairn_run *run);

/** How a stage went, in the order of cairn_recipe_get_stage(). */
typedef struct {
	const char *name, *method; /**< borrowed from the recipe */
	cairn_value_type output;
	double seconds;  /**< it took when it was made; 0: it was not needed */
	int is_cached;   /**< 1 if it was made by an earlier run */
	uint64_t memory; /**< the most bytes that the process had in memory until its end; 0 where it is cached */
	char key[33];    /**< of its output: part of the names of its files in the cache */
} cairn_run_stage;

/** @return 0; CAIRN_EINVALID where there is no such stage */
CAIRN_API int cairn_run_get_stage(const cairn_run *run, size_t i, cairn_run_stage *out);

/**
 * What a stage that gives a ranking found for a query, as a search's answer.
 *
 * @param[out] out     a new answer; the caller frees it with cairn_answer_free()
 * @param      stage   number of a stage, or SIZE_MAX for the recipe's output
 * @param      k       at most so many hits
 * @param      matches not 0: with the matched points of verified images, which may mean to verify them again
 * @return 0; CAIRN_EINVALID where the stage gives no ranking or has not run; CAIRN_ENOTFOUND; CAIRN_ENOMEM
 */
CAIRN_API int cairn_run_answer(cairn_answer **out, cairn_run *run, size_t stage, size_t query, size_t k, int matches);

/**
 * Write the recipe's ranking as CSV: query,rank,id,path,score,inliers,label, as `cairn search` prints it
 * (docs/format.md); fields are empty where nothing is known.
 *
 * @param path written under a temporary name and renamed
 * @param k    at most so many lines a query
 * @return 0; CAIRN_EINVALID where it has not run; CAIRN_EIO; CAIRN_ENOSPACE; CAIRN_ENOMEM
 */
CAIRN_API int cairn_run_write_csv(cairn_run *run, const char *path, size_t k);

#ifdef __cplusplus
}
#endif
#endif
