/*
 * runs.h - what tests of runs share: a small index, queries and a labelled set of generated photographs, and recipes
 * run on them.
 */
#ifndef CN_TESTS_RECIPE_RUNS_H
#define CN_TESTS_RECIPE_RUNS_H

#include "../collection/photos.h"
#include "cairn/run.h"
#include "recipe/run.h"
#include "recipes.h"

/** Image i + 1 of the index is view i % VIEWS of place i / VIEWS; query i is another view of place i; the labelled set
 * has two more of each, labelled "place-N". */
enum { PLACES = 5, VIEWS = 3, IMAGES = PLACES * VIEWS, QUERIES = PLACES, DIM = 16 };

/** Folders; the index has ASMK, all keep RootSIFT and the same global model. */
typedef struct {
	const char *model, *photos, *index, *asked, *train;
} cn_test_world_folders;

/** Make them once. */
void make_world(cn_test_world_folders *out);

cairn_collection *open_collection(const char *folder, int writable);

/** A recipe on its way. */
typedef struct {
	cairn_recipe *recipe;
	cairn_run *run;
} running;

/** Options of one thread with this cache. */
cairn_run_options run_with(const char *cache);

/** Prepare a run of a recipe as for parse_recipe(). */
void start_run(running *out, const char *text, cairn_collection *index, const cairn_run_options *options);
void end_run(running *run);

/** What a stage gave, and how it went. */
const cn_value *value_of(const running *run, const char *stage);
cairn_run_stage stage_of(const running *run, const char *stage);

/** "near:cache verified:made end:-": where the stages' outputs came from, '-' where they were not needed. Static. */
const char *origins_of(const running *run);

/** The bytes of the run's ranking.csv; caller frees with free(). */
char *csv_of(const running *run);

/** The bytes of a file with a NUL behind; caller frees with free(). */
char *bytes_of(const char *path, size_t *length);

#endif
