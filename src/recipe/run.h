/*
 * recipe/run.h - a run: what its stages share.
 */
#ifndef CN_RECIPE_RUN_H
#define CN_RECIPE_RUN_H

#include "cairn/graph.h"
#include "cairn/run.h"
#include "collection/keymap.h"
#include "recipe/cache.h"
#include "recipe/recipe.h"
#include "recipe/value.h"
#include "search/search.h"
#include "util/progress.h"

/** Counts up whenever a stage gives other values than before from the same. */
#define CN_RUN_FORM 1

/** Searchers by number: those of the local kinds, and one that knows of no local features. */
enum { CN_SEARCHER_GLOBAL = CN_MAX_SOURCES, CN_RUN_SEARCHERS };

/** One query. */
typedef struct {
	char *path;
	cairn_box box;
	int has_box;
	int64_t id;             /**< of `from`; 0: a photograph */
	cairn_collection *from; /**< NULL: a photograph; borrowed */
	int64_t *exclude;       /**< ascending */
	size_t exclude_count;
	cn_key content;                           /**< of a photograph, when it was last looked at */
	cairn_query *described[CN_RUN_SEARCHERS]; /**< of a photograph, by the number of the searcher, once it was */
} cn_run_query;

/** What was made of a stage. */
typedef struct {
	cn_value value;
	cn_key key;
	int is_made, is_cached;
	int needs_queries; /**< 0: it depends on the index alone */
	double seconds;
	uint64_t memory;
} cn_made;

struct cairn_run {
	const cairn_recipe *recipe;
	cairn_collection *index, *train;
	cairn_collection_info info; /* of the index */
	char *precision;
	unsigned threads;
	uint64_t memory;
	cairn_progress_cb progress;
	void *progress_payload;
	cn_cache cache;
	int keeps_queries; /* whether what depends on them is kept */
	int is_done;       /* the output is of the queries as they are now */
	cn_role *roles;    /* those of the recipe, as the options changed them */
	size_t role_count;
	cn_run_query *queries;
	size_t query_count, query_capacity;
	cairn_searcher *searchers[CN_RUN_SEARCHERS]; /* made when needed */
	cn_made *made;                               /* CN_GIVEN_COUNT + stages */
};

/** What a stage is run with. */
typedef struct cn_work {
	cairn_run *run;
	const cn_stage *stage;
	cn_key key;            /**< of the output */
	cn_value *out;         /**< type is set */
	cn_progress *progress; /**< not started */
} cn_work;

/** Value of an input; NULL where it is not there. */
const cn_value *cn_work_input(const cn_work *work, const char *name);

/** Of an input that takes several, in order. @return how many there are; fills in at most `most` */
size_t cn_work_inputs(const cn_work *work, const char *name, const cn_value **out, size_t most);

/** Parameters. */
size_t cn_work_size(const cn_work *work, const char *name);
double cn_work_real(const cn_work *work, const char *name);
int cn_work_is_set(const cn_work *work, const char *name);

/** Start to tell how far the stage is. */
void cn_work_start(const cn_work *work, uint64_t total);

/** The number of the searcher of a stage that needs local features: of the kind that its role "local" names, or the
 * index's first. @return 0; CAIRN_EINVALID where the index keeps none; CAIRN_ENOTFOUND where it does not keep that one
 */
int cn_run_local_searcher(const cairn_run *run, const cn_stage *stage, size_t *number);

/** Open a searcher by its number; borrowed. */
int cn_run_searcher(cairn_run *run, size_t number, cairn_searcher **out);

/** A query as a searcher knows it; give it back with cn_run_close_query(). */
int cn_run_open_query(cairn_run *run, size_t query, size_t searcher, cairn_query **out);
void cn_run_close_query(cairn_run *run, size_t query, cairn_query *opened);

/** What the run itself gives: CN_GIVEN_*. */
int cn_run_give(cairn_run *run, size_t given, cn_value *out);
int cn_run_given_key(cairn_run *run, size_t given, cn_key *out);

/** Not 0 where an image is the query's own. */
int cn_run_is_own(const cairn_run *run, size_t query, int64_t image);

/** The image that each query is, or CAIRN_NO_IMAGE. @param[out] out caller frees */
int cn_run_own_images(const cairn_run *run, int64_t **out);

/** That cairn_run_execute() ended well and nothing was changed since. */
int cn_run_expect_done(const cairn_run *run);

/** The searcher that photographs are described by: of the first stage that needs local features of them, if any. */
size_t cn_run_describing_searcher(const cairn_run *run);

void cn_run_free_queries(cairn_run *run);

/** Let a value be there: made or read. Keys must be known. */
int cn_run_need(cairn_run *run, size_t value);

/** Inliers from which on a stage that verifies believes in them. */
int32_t cn_run_trust(const cairn_run *run, size_t searcher, const cn_stage *stage);

/** Let a searcher verify as a stage says. What its queries verified otherwise is forgotten. */
int cn_run_verify_as(cairn_run *run, size_t searcher, const cn_stage *stage);

/** The nearest k images of the input "index" for each query, without the query itself. @param vectors of all queries
 * @param[out] out caller frees */
int cn_run_search_index(const cn_work *work, const float *vectors, size_t k, const cairn_index_options *how,
			cairn_ranking **out);

/** Files that a stage keeps beside its output. */
typedef struct {
	const char *what;           /**< a word for people, in KEY.json */
	const char *const *endings; /**< of the files in the cache */
	size_t count;
	int (*write)(void *context); /**< makes them */
	void *context;
} cn_kept_files;

/** Let files of a key be there and whole. */
int cn_run_keep(const cairn_run *run, cn_key key, const cn_kept_files *files);

/** The nearest k of every image of the index that an input is, kept in the cache. @param[out] out caller frees */
int cn_run_neighbours(const cn_work *work, const char *input, size_t k, cairn_graph **out);

#endif
