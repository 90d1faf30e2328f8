/* Runs: what is made again after a change, going on after a stop, damage, and what a run refuses. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../rank/lists.h"
#include "runs.h"
#include "torture.h"
#include "util/file.h"

static cn_test_world_folders folders;
static cairn_collection *images, *asked; /* opened once, only read */

/* Each kind of value, a graph and offline rows. */
#define NEAR         "{'name':'near','stage':'search','k':14}"
#define PROVEN       "{'name':'proven','stage':'verify','ranking':'near','depth':5}"
#define LARGER       "{'name':'larger','stage':'augment','k':3}"
#define JOINED       "{'name':'joined','stage':'expand','ranking':'proven','n':3}"
#define AGAIN        "{'name':'again','stage':'search','queries':'joined','index':'larger','k':12}"
#define FLOWN        "{'name':'flown','stage':'diffuse','ranking':'again','method':'offline','k':4,'kq':3}"
#define PIPE(stages) RECIPE(stages "," JOINED "," AGAIN "," FLOWN, "")

static const char pipe_recipe[] = PIPE(NEAR "," PROVEN "," LARGER);

static void start_asked(running *out, const char *text, const char *cache)
{
	cairn_run_options options = run_with(cache);
	start_run(out, text, images, &options);
	assert_ok(cairn_run_add_collection(out->run, asked));
}

/* Run with the queries of `asked` and keep what came from where. @return the ranking; caller frees */
static char *run_once(const char *text, const char *cache, char origins[512])
{
	running run;
	start_asked(&run, text, cache);
	assert_ok(cairn_run_execute(run.run));
	snprintf(origins, 512, "%s", origins_of(&run));
	char *csv = csv_of(&run);
	end_run(&run);
	return csv;
}

/* ---- what is made again ---- */

static void a_second_run_takes_all_from_the_cache(void **state)
{
	const char *cache = keep(cn_test_folder());
	char origins[512];
	(void)state;
	char *first = run_once(pipe_recipe, cache, origins);
	assert_string_equal(origins, "near:made proven:made larger:made joined:made again:made flown:made");
	char *second = run_once(pipe_recipe, cache, origins);
	assert_string_equal(origins, "near:- proven:- larger:- joined:- again:- flown:cache");
	assert_string_equal(first, second);
	assert_int_equal(strncmp(first, "query,rank,id,path,score,inliers,label\n", 39), 0);
	free(first);
	free(second);
}

static void only_what_depends_on_a_change_is_made_again(void **state)
{
	static const struct {
		const char *what, *text, *origins;
	} cases[] = {
		{ "another name, title and default written out",
		  "{'recipe':1,'title':'other','stages':[{'name':'first','stage':'search','k':14,'by':'global'}," //
		  "{'name':'proven','stage':'verify','ranking':'first','depth':5},"                               //
		  LARGER "," JOINED "," AGAIN "," FLOWN "]}",
		  "first:- proven:- larger:- joined:- again:- flown:cache" },
		{ "a parameter of the last stage",
		  RECIPE(NEAR "," PROVEN "," LARGER "," JOINED "," AGAIN
			      ",{'name':'flown','stage':'diffuse','ranking':'again','method':'offline','k':4,'kq':2}",
			 ""),
		  "near:- proven:- larger:- joined:- again:cache flown:made" },
		{ "a parameter of verification",
		  PIPE(NEAR ",{'name':'proven','stage':'verify','ranking':'near','depth':6}," LARGER),
		  "near:cache proven:made larger:cache joined:made again:made flown:made" },
		{ "a parameter of the index", PIPE(NEAR "," PROVEN ",{'name':'larger','stage':'augment','k':2}"),
		  "near:- proven:- larger:made joined:cache again:made flown:made" },
		{ "a parameter of the first search", PIPE("{'name':'near','stage':'search','k':13}," PROVEN "," LARGER),
		  "near:made proven:made larger:cache joined:made again:made flown:made" },
		{ "another output", RECIPE(NEAR "," PROVEN, ""), "near:- proven:cache" },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		const char *cache = keep(cn_test_folder());
		char origins[512];
		free(run_once(pipe_recipe, cache, origins));
		char *kept = run_once(cases[c].text, cache, origins);
		if (strcmp(origins, cases[c].origins) != 0)
			fail_msg("%s: %s", cases[c].what, origins);
		/* As if there had been nothing before. */
		char *fresh = run_once(cases[c].text, keep(cn_test_folder()), origins);
		assert_string_equal(kept, fresh);
		free(kept);
		free(fresh);
	}
}

/* Numbers that look alike with nine digits are others. */
static void close_numbers_have_keys_of_their_own(void **state)
{
	static const char *const parameters[] = { "'alpha':0.5", "'alpha':0.50000000000001", "'alpha':0.5,'gamma':3",
						  "'gamma':3.000000000001" };
	char keys[4][33];
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		running run;
		char text[256];
		snprintf(text, sizeof(text), RECIPE("{'name':'d','stage':'diffuse','k':4,'kq':2,%s}", ""),
			 parameters[i]);
		start_asked(&run, text, cn_test_folder());
		assert_ok(cairn_run_execute(run.run));
		memcpy(keys[i], stage_of(&run, "d").key, sizeof(keys[i]));
		end_run(&run);
	}
	assert_string_not_equal(keys[0], keys[1]);
	assert_string_equal(keys[0], keys[2]);
	assert_string_not_equal(keys[2], keys[3]);
}

static void keys_tell_values_apart(void **state)
{
	running run;
	(void)state;
	start_asked(&run, pipe_recipe, cn_test_folder());
	assert_ok(cairn_run_execute(run.run));
	for (size_t i = 0; i < run.recipe->stage_count; i++) {
		cairn_run_stage a, b;
		assert_ok(cairn_run_get_stage(run.run, i, &a));
		assert_int_equal(strlen(a.key), 32);
		assert_true(a.memory > 1 << 20);
		for (size_t k = 0; k < i; k++) {
			assert_ok(cairn_run_get_stage(run.run, k, &b));
			assert_string_not_equal(a.key, b.key);
		}
	}
	end_run(&run);
}

/* Excluded images change what is verified, and nothing before. */
static void excluded_images_are_part_of_what_is_verified(void **state)
{
	static const int64_t junk[] = { 1, 2 };
	running run;
	(void)state;
	start_asked(&run, RECIPE(NEAR "," PROVEN, ""), cn_test_folder());
	assert_ok(cairn_run_execute(run.run));
	char *before = csv_of(&run);
	const cairn_run_stage near = stage_of(&run, "near"), proven = stage_of(&run, "proven");
	assert_ok(cairn_run_exclude(run.run, 0, junk, 2));
	assert_ok(cairn_run_execute(run.run));
	assert_string_equal(stage_of(&run, "near").key, near.key);
	assert_true(stage_of(&run, "near").seconds == near.seconds);
	assert_string_not_equal(stage_of(&run, "proven").key, proven.key);
	char *excluded = csv_of(&run);
	assert_string_not_equal(before, excluded);
	assert_ok(cairn_run_exclude(run.run, 0, NULL, 0));
	assert_ok(cairn_run_execute(run.run));
	assert_true(stage_of(&run, "proven").is_cached);
	char *after = csv_of(&run);
	assert_string_equal(before, after);
	free(before);
	free(excluded);
	free(after);
	end_run(&run);
}

static void changes_of_collections_are_seen(void **state)
{
	static const int64_t removed[] = { 2 };
	const char *folder = keep(collection_made(folders.model, NULL, folders.photos, 4));
	cairn_collection *index = open_collection(folder, 1);
	cairn_run_options options = run_with(keep(cn_test_folder()));
	running run;
	(void)state;
	start_run(&run, RECIPE(NEAR "," PROVEN, ""), index, &options);
	assert_ok(cairn_run_add_collection(run.run, asked));
	assert_ok(cairn_run_execute(run.run));
	assert_true(cn_test_has(value_of(&run, "proven")->ranking, 0, SIZE_MAX, 2));
	assert_ok(cairn_run_execute(run.run));
	assert_string_equal(origins_of(&run), "near:made proven:made");
	assert_ok(cairn_collection_remove(index, removed, 1));
	assert_ok(cairn_run_execute(run.run));
	assert_false(cn_test_has(value_of(&run, "proven")->ranking, 0, SIZE_MAX, 2));
	assert_int_equal(cairn_ranking_count(value_of(&run, "near")->ranking, 0), IMAGES - 1);
	/* Opening the same anew changes nothing but where it is. */
	assert_ok(cairn_collection_refresh(index));
	assert_ok(cairn_run_execute(run.run));
	assert_string_equal(origins_of(&run), "near:made proven:made");
	end_run(&run);
	cairn_collection_free(index);
}

static void relabel(const char *folder, const char *label)
{
	char csv[512];
	const char *file = keep(cn_test_path(cn_test_folder(), "labels.csv"));
	cairn_collection *collection = open_collection(folder, 1);
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	cairn_image_record record;
	assert_ok(cairn_collection_find_id(collection, 1, &record));
	const char *path = keep(record.path);
	snprintf(csv, sizeof(csv), "path,label\n%s,%s\n", path, label);
	cn_test_write(file, csv, strlen(csv));
	options.labels = file;
	collection_add(collection, path, &options);
	cairn_collection_free(collection);
}

static void labels_are_part_of_what_depends_on_them(void **state)
{
	const char *folder = keep(collection_made(folders.model, NULL, folders.photos, 4));
	const char *cache = keep(cn_test_folder());
	static const char *const origins[] = { "near:made named:made", "near:cache named:made", "near:- named:cache" };
	(void)state;
	for (int i = 0; i < 3; i++) {
		running run;
		cairn_run_options options = run_with(cache);
		if (i < 2)
			relabel(folder, i ? "tower" : "bridge");
		cairn_collection *labelled = open_collection(folder, 0);
		options.train = labelled;
		start_run(&run, RECIPE(NEAR ",{'name':'named','stage':'discriminate'}", ""), images, &options);
		assert_ok(cairn_run_add_collection(run.run, asked));
		assert_ok(cairn_run_execute(run.run));
		assert_string_equal(origins_of(&run), origins[i]);
		end_run(&run);
		cairn_collection_free(labelled);
	}
}

/* A copy of the index holds the same, but its images are not the index's own. */
static void a_copy_of_the_index_is_not_the_index(void **state)
{
	const char *cache = keep(cn_test_folder());
	cairn_collection *copy = open_collection(folders.index, 0);
	(void)state;
	for (int i = 0; i < 2; i++) {
		running run;
		cairn_run_options options = run_with(cache);
		start_run(&run, RECIPE("{'name':'a','stage':'search','k':3}", ""), images, &options);
		assert_ok(cairn_run_add_collection(run.run, i ? copy : images));
		assert_ok(cairn_run_execute(run.run));
		for (size_t q = 0; q < IMAGES; q++)
			assert_int_equal(cn_test_has(value_of(&run, "a")->ranking, q, SIZE_MAX, (int64_t)q + 1), i);
		end_run(&run);
	}
	cairn_collection_free(copy);
}

/* Without a folder for it, what depends on queries is not kept. */
static void the_default_cache_is_the_index_own(void **state)
{
	const char *folder = keep(collection_made(folders.model, NULL, folders.photos, 4));
	(void)state;
	for (int i = 0; i < 2; i++) {
		cairn_collection *index = open_collection(folder, 0);
		cairn_run_options options = run_with(NULL);
		running run;
		char **names;
		size_t count;
		start_run(&run, RECIPE(NEAR "," PROVEN "," LARGER "," JOINED "," AGAIN, ""), index, &options);
		assert_ok(cairn_run_add_collection(run.run, asked));
		assert_ok(cairn_run_execute(run.run));
		assert_string_equal(origins_of(&run), i ? "near:made proven:made larger:cache joined:made again:made"
							: "near:made proven:made larger:made joined:made again:made");
		assert_ok(cn_folder_list(cn_test_path(folder, "cache"), &names, &count));
		/* Rows and a graph, each with its description. */
		assert_int_equal(count, 5 + 4);
		cn_names_free(names, count);
		end_run(&run);
		assert_int_equal(collection_faults(index, CAIRN_CHECK_ONLY), 0);
		cairn_collection_free(index);
	}
}

/* ---- stops and damage ---- */

struct stopping {
	int calls, after;
};

static int stop(const cairn_progress *progress, void *payload)
{
	struct stopping *stopping = payload;
	assert_non_null(progress->stage);
	return ++stopping->calls > stopping->after;
}

static void goes_on_after_a_stop_at_any_callback(void **state)
{
	char origins[512];
	char *whole = run_once(pipe_recipe, keep(cn_test_folder()), origins);
	int stops = 0;
	(void)state;
	for (int after = 0;; after++) {
		const char *cache = keep(cn_test_folder());
		struct stopping stopping = { .after = after };
		cairn_run_options options = run_with(cache);
		running run;
		options.progress = stop;
		options.progress_payload = &stopping;
		start_run(&run, pipe_recipe, images, &options);
		assert_ok(cairn_run_add_collection(run.run, asked));
		int status = cairn_run_execute(run.run);
		int was_stopped = status == CAIRN_ECANCELLED;
		if (was_stopped) {
			cairn_answer *answer;
			assert_fails(status, CAIRN_ECANCELLED, NULL);
			assert_fails(cairn_run_answer(&answer, run.run, SIZE_MAX, 0, 5, 0), CAIRN_EINVALID,
				     "has not run");
			/* Half of the time the same run goes on, otherwise another. */
			stopping.after = INT32_MAX;
			if (after % 2 == 0)
				assert_ok(cairn_run_execute(run.run));
		} else {
			assert_ok(status);
		}
		char *csv = was_stopped && after % 2 ? run_once(pipe_recipe, cache, origins) : csv_of(&run);
		assert_string_equal(csv, whole);
		free(csv);
		end_run(&run);
		stops += was_stopped;
		if (!was_stopped)
			break;
	}
	assert_true(stops >= 8);
	free(whole);
}

static int warnings;

static void count_warning(cairn_log_level level, const char *message, void *payload)
{
	(void)payload;
	warnings += level == CAIRN_LOG_WARNING && strstr(message, "made again") != NULL;
}

/* @return what it held before; the caller frees it */
static char *flip_a_byte(const char *path, size_t *length)
{
	char *whole = bytes_of(path, length), *bytes = bytes_of(path, length);
	assert_int_equal(unlink(path), 0);
	bytes[*length - 5] ^= 1;
	cn_test_write(path, bytes, *length);
	free(bytes);
	return whole;
}

static int is_json(const char *name)
{
	return strlen(name) > 5 && strcmp(name + strlen(name) - 5, ".json") == 0;
}

/* With the descriptions of stages gone all else is read that is there, the graph and what it is of too. */
static void forget_stages(const char *cache, const running *run)
{
	for (size_t i = 0; i < run->recipe->stage_count; i++) {
		char name[64];
		cairn_run_stage stage;
		assert_ok(cairn_run_get_stage(run->run, i, &stage));
		snprintf(name, sizeof(name), "%s.json", stage.key);
		unlink(cn_test_path(cache, name));
	}
}

/* A damaged file of the cache changes no result, whichever it is. */
static void damage_is_mended(void **state)
{
	const char *cache = keep(cn_test_folder());
	char origins[512], **names;
	char *whole = run_once(pipe_recipe, cache, origins);
	size_t count;
	(void)state;
	assert_ok(cn_folder_list(cache, &names, &count));
	/* 14 arrays of 6 stages, two graphs, offline rows, pairs; descriptions of all but the pairs */
	assert_int_equal(count, 14 + 2 * 3 + 2 + 1 + 6 + 3);
	cairn_set_log(count_warning, NULL);
	for (int forgetting = 0; forgetting < 2; forgetting++)
		for (size_t i = 0; i < count; i++) {
			running run;
			warnings = 0;
			start_asked(&run, pipe_recipe, cache);
			assert_ok(cairn_run_execute(run.run));
			assert_int_equal(warnings, 0);
			if (forgetting)
				forget_stages(cache, &run);
			end_run(&run);
			if (forgetting && is_json(names[i]) && !cn_file_exists(cn_test_path(cache, names[i])))
				continue;
			const char *path = keep(cn_test_path(cache, names[i]));
			size_t length;
			char *before = flip_a_byte(path, &length), *csv = run_once(pipe_recipe, cache, origins);
			assert_string_equal(csv, whole);
			free(csv);
			/* Not all is looked at each time. */
			cn_test_write(path, before, length);
			free(before);
			/* A graph is only looked at where a stage is made. */
			if (forgetting && (strstr(names[i], ".graph.") || strstr(names[i], ".offline.")))
				assert_int_equal(warnings, 1);
		}
	cairn_set_log(NULL, NULL);
	cn_names_free(names, count);
	free(whole);
}

/* ---- queries ---- */

static void photographs_are_described_as_a_search_does(void **state)
{
	const cairn_box box = { 20, 10, 100, 80 };
	const char *path = keep(cn_test_path(folders.photos, "place-02-view-1.png"));
	cairn_search_options how;
	cairn_searcher *searcher;
	running run;
	(void)state;
	cairn_search_options_init(&how);
	how.threads = 1;
	how.precision = "f32";
	how.by = CAIRN_BY_GLOBAL;
	how.k = 14;
	how.verify = 5;
	assert_ok(cairn_searcher_new(&searcher, images, &how));
	cairn_run_options options = run_with(cn_test_folder());
	start_run(&run, RECIPE(NEAR "," PROVEN, ""), images, &options);
	assert_ok(cairn_run_add_photo(run.run, path, NULL));
	assert_ok(cairn_run_add_photo(run.run, path, &box));
	assert_int_equal(cairn_run_queries(run.run), 2);
	const cairn_query *described = run.run->queries[1].described[0];
	assert_non_null(described);
	assert_string_equal(cairn_run_query_path(run.run, 1), path);
	assert_null(cairn_run_query_path(run.run, 2));
	assert_ok(cairn_run_execute(run.run));
	/* Once, when it was added. */
	assert_ptr_equal(run.run->queries[1].described[0], described);
	for (size_t q = 0; q < 2; q++) {
		cairn_answer *direct, *answer;
		assert_ok(cairn_search_path(&direct, searcher, path, q ? &box : NULL));
		assert_ok(cairn_run_answer(&answer, run.run, SIZE_MAX, q, SIZE_MAX, 1));
		assert_string_equal(cairn_answer_query(answer), path);
		assert_int_equal(cairn_answer_box(answer).x1, q ? 100 : 0);
		assert_int_equal(cairn_answer_count(answer), cairn_answer_count(direct));
		for (size_t i = 0; i < cairn_answer_count(direct); i++) {
			cairn_hit a, b;
			assert_ok(cairn_answer_get(answer, i, &a));
			assert_ok(cairn_answer_get(direct, i, &b));
			assert_int_equal(a.id, b.id);
			assert_int_equal(a.inliers, b.inliers);
			assert_int_equal(a.trusted, b.trusted);
			assert_true(fabsf(a.score - b.score) <= 1e-6f);
			assert_int_equal(a.matches != NULL, b.inliers > 0);
			if (a.inliers > 0)
				assert_memory_equal(a.matches, b.matches, (size_t)a.inliers * sizeof(*a.matches));
		}
		cairn_answer_free(direct);
		cairn_answer_free(answer);
	}
	end_run(&run);
	cairn_searcher_free(searcher);
}

/* Whoever writes another photograph to the path asks another question, also in the same run. */
static void a_photograph_is_known_by_its_content(void **state)
{
	const char *path = keep(cn_test_path(cn_test_folder(), "asked.png"));
	cairn_run_options options = run_with(cn_test_folder());
	running run;
	(void)state;
	start_run(&run, RECIPE(NEAR "," PROVEN, ""), images, &options);
	assert_fails(cairn_run_add_photo(run.run, path, NULL), CAIRN_ENOTFOUND, "asked.png");
	assert_int_equal(cairn_run_queries(run.run), 0);
	photo_save_plain(path);
	assert_ok(cairn_run_add_photo(run.run, path, NULL));
	for (int place = 0; place < PLACES; place += 2) {
		photo_save_moved(path, (uint64_t)place + 1, 3, 3);
		assert_ok(cairn_run_execute(run.run));
		int64_t best = cairn_ranking_images(value_of(&run, "proven")->ranking, 0)[0];
		assert_int_equal((best - 1) / VIEWS, place);
	}
	end_run(&run);
}

static void answers_tell_what_a_stage_found(void **state)
{
	running run;
	cairn_answer *answer;
	(void)state;
	/* Two verifications, and a cut of the first of them: its points are those of the first. */
	start_asked(&run,
		    RECIPE(NEAR ",{'name':'p','stage':'verify','ranking':'near','trust_inliers':1000},"
				"{'name':'r','stage':'verify','ranking':'near','radius':1.5},"
				"{'name':'c','stage':'cut','ranking':'p','depth':4},"
				"{'name':'f','stage':'fuse','rankings':['c','r']},"
				"{'name':'unused','stage':'search','k':2}",
			   ",'output':'f'"),
		    cn_test_folder());
	for (size_t i = 0; i < 2; i++) {
		assert_fails(cairn_run_answer(&answer, run.run, SIZE_MAX, 0, 5, 0), CAIRN_EINVALID, "has not run");
		assert_null(answer);
		assert_fails(cairn_run_write_csv(run.run, cn_test_path(cn_test_folder(), "r.csv"), 5), CAIRN_EINVALID,
			     "has not run");
		/* Nor where queries came or excluded images changed since. */
		assert_ok(cairn_run_execute(run.run));
		assert_ok(i ? cairn_run_exclude(run.run, 0, NULL, 0) : cairn_run_add_id(run.run, 3));
	}
	assert_ok(cairn_run_execute(run.run));
	const cn_value *cut = value_of(&run, "c");
	size_t number = 0;
	for (; strcmp(run.recipe->stages[number].name, "c") != 0;)
		number++;
	for (size_t q = 0; q < QUERIES + 1; q++) {
		assert_ok(cairn_run_answer(&answer, run.run, number, q, 3, 1));
		assert_int_equal(cairn_answer_count(answer), 3);
		for (size_t i = 0; i < 3; i++) {
			cairn_hit hit;
			assert_ok(cairn_answer_get(answer, i, &hit));
			assert_int_equal(hit.id, cairn_ranking_images(cut->ranking, q)[i]);
			assert_int_equal(hit.inliers, cn_value_inliers(cut, q)[i]);
			assert_int_equal(hit.matches != NULL, hit.inliers > 0);
			assert_false(hit.trusted);
			assert_true(isnan(hit.similarity));
		}
		cairn_answer_free(answer);
	}
	size_t count = cairn_recipe_count(run.recipe);
	assert_fails(cairn_run_answer(&answer, run.run, count, 0, 5, 0), CAIRN_EINVALID, "counted from 0");
	assert_fails(cairn_run_answer(&answer, run.run, SIZE_MAX, QUERIES + 1, 5, 0), CAIRN_EINVALID, "counted from 0");
	for (number = 0; strcmp(run.recipe->stages[number].name, "unused") != 0;)
		number++;
	assert_fails(cairn_run_answer(&answer, run.run, number, 0, 5, 0), CAIRN_EINVALID, "'unused' does not run");
	cairn_run_stage stage;
	assert_fails(cairn_run_get_stage(run.run, count, &stage), CAIRN_EINVALID, "counted from 0");
	end_run(&run);
}

static void stages_without_a_ranking_have_no_answer(void **state)
{
	running run;
	cairn_answer *answer;
	(void)state;
	start_asked(&run, pipe_recipe, cn_test_folder());
	assert_ok(cairn_run_execute(run.run));
	size_t refused = 0;
	for (size_t i = 0; i < run.recipe->stage_count; i++) {
		cairn_value_type type = run.recipe->stages[i].output;
		if (type != CAIRN_VALUE_QUERIES && type != CAIRN_VALUE_INDEX)
			continue;
		assert_fails(cairn_run_answer(&answer, run.run, i, 0, 5, 0), CAIRN_EINVALID, "gives no ranking");
		refused++;
	}
	assert_int_equal(refused, 2);
	end_run(&run);
}

/* As many hits as are asked for, also more than a search gives by default. */
static void long_rankings_are_whole(void **state)
{
	enum { MANY = 130 };
	const char *folder = keep(cn_test_path(cn_test_folder(), "many")), *photos = keep(photo_folder(MANY, 500));
	const cairn_describer_model model = { folders.model, 2 };
	const cairn_collection_options kept = { CAIRN_COLLECTION_OPTIONS_VERSION, &model, 1, NULL, 0, NULL };
	cairn_run_options options = run_with(cn_test_folder());
	cairn_answer *answer;
	running run;
	(void)state;
	assert_ok(cairn_collection_create(folder, &kept));
	cairn_collection *many = open_collection(folder, 1);
	collection_add(many, photos, NULL);
	start_run(&run, RECIPE("{'name':'a','stage':'search','k':125}", ""), many, &options);
	assert_ok(cairn_run_add_id(run.run, 7));
	assert_ok(cairn_run_execute(run.run));
	assert_ok(cairn_run_answer(&answer, run.run, SIZE_MAX, 0, SIZE_MAX, 0));
	assert_int_equal(cairn_answer_count(answer), 125);
	cairn_answer_free(answer);
	assert_ok(cairn_run_answer(&answer, run.run, SIZE_MAX, 0, 110, 1));
	assert_int_equal(cairn_answer_count(answer), 110);
	cairn_answer_free(answer);
	end_run(&run);
	cairn_collection_free(many);
}

/* Without a global model, what needs local features alone runs. */
static void local_features_alone_are_enough(void **state)
{
	const char *folder = keep(collection_made(NULL, NULL, folders.photos, 4));
	cairn_build_options build = CAIRN_BUILD_OPTIONS_INIT;
	cairn_collection *index = open_collection(folder, 1);
	cairn_run_options options = run_with(cn_test_folder());
	cairn_recipe *recipe;
	cairn_run *never;
	running run;
	(void)state;
	static const char words[] =
		RECIPE("{'name':'a','stage':'search','by':'asmk','k':14},{'name':'b','stage':'verify'}", "");
	assert_ok(parse_recipe(&recipe, words));
	assert_fails(cairn_run_new(&never, recipe, index, &options), CAIRN_ENOTFOUND, "cairn index --asmk");
	cairn_recipe_free(recipe);
	build.asmk = "rootsift";
	build.words = 32;
	assert_ok(cairn_collection_build_index(index, &build, NULL));
	start_run(&run, words, index, &options);
	assert_ok(cairn_run_add_collection(run.run, index));
	assert_ok(cairn_run_add_photo(run.run, keep(cn_test_path(folders.photos, "place-03-view-0.png")), NULL));
	assert_ok(cairn_run_execute(run.run));
	const cairn_ranking *ranking = value_of(&run, "b")->ranking;
	for (size_t q = 0; q < IMAGES; q++) {
		assert_int_equal((cairn_ranking_images(ranking, q)[0] - 1) / VIEWS, q / VIEWS);
		assert_false(cn_test_has(ranking, q, SIZE_MAX, (int64_t)q + 1));
	}
	assert_int_equal(cairn_ranking_images(ranking, IMAGES)[0], 3 * VIEWS + 1);
	end_run(&run);
	cairn_collection_free(index);
}

/* ---- refusals ---- */

static void expect_refusal(const char *text, cairn_collection *index, const cairn_run_options *options, int code,
			   const char *part)
{
	cairn_recipe *recipe;
	cairn_run *run = NULL;
	assert_ok(parse_recipe(&recipe, text));
	assert_fails(cairn_run_new(&run, recipe, index, options), code, part);
	assert_null(run);
	cairn_recipe_free(recipe);
}

static void what_is_missing_is_told_before_anything_runs(void **state)
{
	const cairn_describer_model model = { folders.model, 2 };
	const cairn_collection_options kept = { CAIRN_COLLECTION_OPTIONS_VERSION, &model, 1, NULL, 0, NULL };
	const char *folder = keep(cn_test_path(cn_test_folder(), "global"));
	const cairn_recipe_role other[] = { { "local", "xfeat" } }, unknown[] = { { "lokal", "rootsift" } };
	cairn_collection *only_global, *only_local = open_collection(collection_made(NULL, NULL, folders.photos, 4), 0);
	cairn_collection *others = open_collection(collection_made(model_new("other", 9), NULL, folders.photos, 4), 0);
	cairn_run_options options = run_with(cn_test_folder()), changed;
	(void)state;
	assert_ok(cairn_collection_create(folder, &kept));
	only_global = open_collection(folder, 0);
	expect_refusal(RECIPE(SEARCH("a") "," VERIFY("b", "a"), ""), only_global, &options, CAIRN_EINVALID,
		       "keeps no local features, which the stage 'b'");
	expect_refusal(RECIPE(SEARCH("a"), ""), only_local, &options, CAIRN_EINVALID,
		       "has no global descriptors, which the stage 'a'");
	expect_refusal(RECIPE("{'name':'a','stage':'search','by':'fused'}", ""), only_local, &options, CAIRN_EINVALID,
		       "has no global descriptors");
	expect_refusal(RECIPE("{'name':'a','stage':'search','by':'asmk'}", ""), only_local, &options, CAIRN_ENOTFOUND,
		       "stage 'a'");
	expect_refusal(RECIPE(SEARCH("a") ",{'name':'b','stage':'discriminate'}", ""), images, &options, CAIRN_EINVALID,
		       "--train");
	changed = options;
	changed.train = others;
	expect_refusal(RECIPE(SEARCH("a") ",{'name':'b','stage':'discriminate'}", ""), images, &changed, CAIRN_EINVALID,
		       "different models");
	changed = options;
	changed.roles = other;
	changed.role_count = 1;
	expect_refusal(RECIPE(SEARCH("a") "," VERIFY("b", "a"), ""), images, &changed, CAIRN_ENOTFOUND,
		       "no local features of kind 'xfeat'");
	changed.roles = unknown;
	expect_refusal(RECIPE(SEARCH("a"), ""), images, &changed, CAIRN_EINVALID, "no role 'lokal'");
	changed = options;
	changed.version = 77;
	expect_refusal(RECIPE(SEARCH("a"), ""), images, &changed, CAIRN_EINVALID, "version 77");
	cairn_collection_free(only_global);
	cairn_collection_free(only_local);
	cairn_collection_free(others);
}

static void roles_are_taken_by_others(void **state)
{
	static const char text[] =
		RECIPE(SEARCH("a") "," VERIFY("b", "a") ",{'name':'c','stage':'verify','ranking':'a','local':'fine'},"
							"{'name':'d','stage':'fuse','rankings':['b','c']}",
		       ",'models':{'local':'xfeat','fine':'xfeat'}");
	const cairn_recipe_role roles[] = { { "fine", "disk" }, { "local", "rootsift" }, { "fine", "rootsift" } };
	cairn_run_options options = run_with(cn_test_folder());
	running run;
	(void)state;
	expect_refusal(text, images, &options, CAIRN_ENOTFOUND, "--model local=KIND");
	options.roles = roles;
	options.role_count = 2;
	expect_refusal(text, images, &options, CAIRN_ENOTFOUND, "--model fine=KIND");
	options.role_count = 3;
	start_run(&run, text, images, &options);
	end_run(&run);
}

static void queries_of_other_models_are_refused(void **state)
{
	cairn_collection *others = open_collection(collection_made(model_new("other", 9), NULL, folders.photos, 4), 0);
	const cairn_describer_model model = { folders.model, 2 };
	const cairn_collection_options kept = { CAIRN_COLLECTION_OPTIONS_VERSION, &model, 1, NULL, 0, NULL };
	const char *folder = keep(cn_test_path(cn_test_folder(), "global"));
	cairn_run_options options = run_with(cn_test_folder());
	running run;
	(void)state;
	assert_ok(cairn_collection_create(folder, &kept));
	cairn_collection *plain = open_collection(folder, 0);
	start_run(&run, RECIPE(SEARCH("a") "," VERIFY("b", "a"), ""), images, &options);
	assert_fails(cairn_run_add_collection(run.run, others), CAIRN_EINVALID, "different models");
	/* Known before the search, not when its outcome is to be verified. */
	assert_fails(cairn_run_add_collection(run.run, plain), CAIRN_ENOTFOUND, "rootsift");
	assert_fails(cairn_run_add_id(run.run, 99), CAIRN_ENOTFOUND, "99");
	assert_int_equal(cairn_run_queries(run.run), 0);
	assert_fails(cairn_run_execute(run.run), CAIRN_EINVALID, "no queries");
	assert_fails(cairn_run_exclude(run.run, 0, NULL, 0), CAIRN_EINVALID, "query 0");
	assert_ok(cairn_run_add_id(run.run, 1));
	const int64_t falling[] = { 3, 2 };
	assert_fails(cairn_run_exclude(run.run, 0, falling, 2), CAIRN_EINVALID, "2 follows 3");
	end_run(&run);
	cairn_collection_free(others);
	cairn_collection_free(plain);
}

static void a_cache_that_cannot_be_made_is_told(void **state)
{
	const char *file = keep(cn_test_path(cn_test_folder(), "file"));
	(void)state;
	cn_test_write(file, "", 0);
	cairn_run_options options = run_with(keep(cn_test_path(file, "cache")));
	expect_refusal(RECIPE(SEARCH("a"), ""), images, &options, CAIRN_EIO, "file");
}

static int run_all(void *cache)
{
	cairn_run_options options = run_with(cache);
	cairn_recipe *recipe;
	cairn_run *run = NULL;
	cairn_answer *answer = NULL;
	int status = 0;
	CN_GOTO(status, parse_recipe(&recipe, RECIPE("{'name':'a','stage':'search','k':3},"
						     "{'name':'b','stage':'verify','depth':1},"
						     "{'name':'e','stage':'expand','n':2,'min_inliers':1},"
						     "{'name':'c','stage':'search','queries':'e','k':2}",
						     "")));
	status = cairn_run_new(&run, recipe, images, &options);
	if (status == 0)
		status = cairn_run_add_id(run, 4);
	if (status == 0)
		status = cairn_run_execute(run);
	if (status == 0)
		status = cairn_run_answer(&answer, run, SIZE_MAX, 0, 2, 1);
	if (status == 0)
		assert_int_equal(cairn_answer_count(answer), 2);
	cairn_answer_free(answer);
	cairn_run_free(run);
	cairn_recipe_free(recipe);
done:
	return status;
}

static void memory_may_run_out(void **state)
{
	char cache[4096];
	(void)state;
	snprintf(cache, sizeof(cache), "%s", cn_test_folder());
	assert_true(cn_torture(run_all, cache) >= 60);
}

static int set_up(void **state)
{
	(void)state;
	make_world(&folders);
	images = open_collection(folders.index, 0);
	asked = open_collection(folders.asked, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cairn_collection_free(images);
	cairn_collection_free(asked);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_run_takes_all_from_the_cache),
		cmocka_unit_test(only_what_depends_on_a_change_is_made_again),
		cmocka_unit_test(keys_tell_values_apart),
		cmocka_unit_test(close_numbers_have_keys_of_their_own),
		cmocka_unit_test(excluded_images_are_part_of_what_is_verified),
		cmocka_unit_test(changes_of_collections_are_seen),
		cmocka_unit_test(labels_are_part_of_what_depends_on_them),
		cmocka_unit_test(a_copy_of_the_index_is_not_the_index),
		cmocka_unit_test(the_default_cache_is_the_index_own),
		cmocka_unit_test(goes_on_after_a_stop_at_any_callback),
		cmocka_unit_test(damage_is_mended),
		cmocka_unit_test(photographs_are_described_as_a_search_does),
		cmocka_unit_test(a_photograph_is_known_by_its_content),
		cmocka_unit_test(answers_tell_what_a_stage_found),
		cmocka_unit_test(stages_without_a_ranking_have_no_answer),
		cmocka_unit_test(long_rankings_are_whole),
		cmocka_unit_test(local_features_alone_are_enough),
		cmocka_unit_test(what_is_missing_is_told_before_anything_runs),
		cmocka_unit_test(roles_are_taken_by_others),
		cmocka_unit_test(queries_of_other_models_are_refused),
		cmocka_unit_test(a_cache_that_cannot_be_made_is_told),
		cmocka_unit_test(memory_may_run_out),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
