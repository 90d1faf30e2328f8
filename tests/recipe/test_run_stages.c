/* Each stage of a run gives what the functions give that it stands for, and leaves a query's own image out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../rank/lists.h"
#include "cairn/rerank.h"
#include "index/vectors.h"
#include "math/half.h"
#include "rank/diffuse_offline.h"
#include "rank/discriminate.h"
#include "rank/explore.h"
#include "rank/reciprocal.h"
#include "rank/superglobal.h"
#include "runs.h"
#include "util/ids.h"

static cn_test_world_folders folders;
static cairn_collection *images, *asked, *train; /* opened once, only read */
static float query_vectors[QUERIES * DIM];

/* Run a recipe with the queries of `asked`. */
static void run_asked(running *out, const char *text)
{
	cairn_run_options options = run_with(cn_test_folder());
	options.train = train;
	start_run(out, text, images, &options);
	assert_ok(cairn_run_add_collection(out->run, asked));
	assert_ok(cairn_run_execute(out->run));
}

static const cairn_index *index_of(cairn_collection *collection)
{
	const cairn_index *index;
	assert_ok(cairn_collection_index(&index, collection));
	return index;
}

static cairn_ranking *searched(const float *vectors, size_t k)
{
	cairn_ranking *out;
	assert_ok(cairn_index_search(&out, index_of(images), vectors, QUERIES, k, NULL));
	return out;
}

static cairn_graph *graph_of_images(size_t k)
{
	const char *prefix = keep(cn_test_path(cn_test_folder(), "g"));
	cairn_graph *graph;
	assert_ok(cairn_graph_write(index_of(images), NULL, k, prefix, NULL, NULL));
	assert_ok(cairn_graph_open(&graph, prefix));
	return graph;
}

/* ---- search and verify ---- */

static void search_by_global_is_a_search_of_the_index(void **state)
{
	static const struct {
		const char *stage;
		size_t k;
	} cases[] = {
		{ "{'name':'a','stage':'search'}", 100 },
		{ "{'name':'a','stage':'search','k':4}", 4 },
		{ "{'name':'a','stage':'search','k':1,'recall':1}", 1 },
		{ "{'name':'a','stage':'search','k':15,'recall':1}", 15 },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		running run;
		char text[256];
		snprintf(text, sizeof(text), RECIPE("%s", ""), cases[c].stage);
		run_asked(&run, text);
		cairn_ranking *direct = searched(query_vectors, cases[c].k);
		cn_test_same(value_of(&run, "a")->ranking, direct);
		cairn_ranking_free(direct);
		end_run(&run);
	}
}

/* How the command's search would be asked for what a recipe says. */
static cairn_answer *search_directly(const cairn_search_options *options, size_t query)
{
	cairn_searcher *searcher;
	cairn_query *opened;
	cairn_answer *answer;
	assert_ok(cairn_searcher_new(&searcher, images, options));
	assert_ok(cairn_query_from_collection(&opened, searcher, asked, (int64_t)query + 1));
	assert_ok(cairn_search(&answer, searcher, opened, NULL, 0));
	cairn_query_free(opened);
	cairn_searcher_free(searcher);
	return answer;
}

static cairn_search_options plain_options(void)
{
	cairn_search_options options;
	cairn_search_options_init(&options);
	options.threads = 1;
	options.precision = "f32";
	options.by = CAIRN_BY_GLOBAL;
	return options;
}

static void assert_as_searched(const cn_value *value, size_t query, const cairn_answer *answer)
{
	size_t count = cairn_ranking_count(value->ranking, query);
	const int32_t *inliers = cn_value_inliers(value, query);
	assert_int_equal(count, cairn_answer_count(answer));
	for (size_t i = 0; i < count; i++) {
		cairn_hit hit;
		assert_ok(cairn_answer_get(answer, i, &hit));
		assert_int_equal(cairn_ranking_images(value->ranking, query)[i], hit.id);
		assert_true(fabsf(cairn_ranking_scores(value->ranking, query)[i] - hit.score) <= 1e-6f);
		assert_int_equal(inliers ? inliers[i] : CAIRN_NO_INLIERS, hit.inliers);
	}
}

static void search_by_features_is_a_search(void **state)
{
	static const struct {
		const char *stage;
		cairn_search_by by;
		uint32_t k;
		float weight;
	} cases[] = {
		{ "{'name':'a','stage':'search','by':'asmk'}", CAIRN_BY_ASMK, 100, NAN },
		{ "{'name':'a','stage':'search','by':'asmk','k':3}", CAIRN_BY_ASMK, 3, NAN },
		{ "{'name':'a','stage':'search','by':'fused'}", CAIRN_BY_FUSED, 100, NAN },
		{ "{'name':'a','stage':'search','by':'fused','asmk_weight':2}", CAIRN_BY_FUSED, 100, 2 },
		{ "{'name':'a','stage':'search','by':'fused','k':15,'asmk_weight':0.25}", CAIRN_BY_FUSED, 15, 0.25f },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		running run;
		char text[256];
		cairn_search_options options = plain_options();
		options.by = cases[c].by;
		options.k = cases[c].k;
		options.asmk_weight = cases[c].weight;
		options.verify = 0;
		snprintf(text, sizeof(text), RECIPE("%s", ""), cases[c].stage);
		run_asked(&run, text);
		for (size_t q = 0; q < QUERIES; q++) {
			cairn_answer *answer = search_directly(&options, q);
			assert_as_searched(value_of(&run, "a"), q, answer);
			cairn_answer_free(answer);
		}
		end_run(&run);
	}
}

static void verify_is_that_of_a_search(void **state)
{
	static const struct {
		const char *parameters;

		int32_t verify, trust;
		float boost;
		cairn_order order;
		cairn_geometry geometry;
		cairn_verify_protocol protocol;
		float radius;
	} cases[] = {
		{ .parameters = "", .verify = 100, .trust = -1, .boost = NAN },
		{ .parameters = ",'depth':4", .verify = 4, .trust = -1, .boost = NAN },
		{ .parameters = ",'depth':1", .verify = 1, .trust = -1, .boost = NAN },
		{ .parameters = ",'order':'inliers'",
		  .verify = 100,
		  .trust = -1,
		  .boost = NAN,
		  .order = CAIRN_ORDER_INLIERS },
		{ .parameters = ",'trust_inliers':12,'boost':2", .verify = 100, .trust = 12, .boost = 2 },
		{ .parameters = ",'geometry':'homography'",
		  .verify = 100,
		  .trust = -1,
		  .boost = NAN,
		  .geometry = CAIRN_HOMOGRAPHY },
		{ .parameters = ",'protocol':'delf','max_distance':0.8,'radius':4,'reference_side':640",
		  .verify = 100,
		  .trust = 0,
		  .boost = NAN,
		  .protocol = CAIRN_VERIFY_DELF,
		  .radius = 4 },
		{ .parameters = ",'radius':1.5", .verify = 100, .trust = -1, .boost = NAN, .radius = 1.5f },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		running run;
		char text[512];
		cairn_search_options options = plain_options();
		options.verify = cases[c].verify;
		options.trust_inliers = cases[c].trust;
		options.boost = cases[c].boost;
		options.order = cases[c].order;
		options.verification.geometry = cases[c].geometry;
		options.verification.protocol = cases[c].protocol;
		if (cases[c].radius > 0)
			options.verification.radius = cases[c].radius;
		snprintf(text, sizeof(text), RECIPE(SEARCH("a") ",{'name':'b','stage':'verify'%s%s}", ""),
			 cases[c].parameters, cases[c].trust == 0 ? ",'trust_inliers':0" : "");
		run_asked(&run, text);
		for (size_t q = 0; q < QUERIES; q++) {
			cairn_answer *answer = search_directly(&options, q);
			assert_as_searched(value_of(&run, "b"), q, answer);
			cairn_answer_free(answer);
		}
		end_run(&run);
	}
}

static void verify_may_keep_the_order(void **state)
{
	running run;
	(void)state;
	run_asked(&run, RECIPE(SEARCH("a") "," VERIFY("b", "a") ",{'name':'c','stage':'verify','ranking':'a','order':"
								"'keep','depth':6}",
			       ""));
	const cn_value *kept = value_of(&run, "c"), *before = value_of(&run, "a");
	cn_test_same(kept->ranking, before->ranking);
	for (size_t q = 0; q < QUERIES; q++)
		for (size_t i = 0; i < IMAGES; i++)
			assert_int_equal(cn_value_inliers(kept, q)[i] != CAIRN_NO_INLIERS, i < 6);
	end_run(&run);
}

static size_t verified_of(const cn_value *value, size_t query)
{
	size_t count = 0;
	for (size_t i = 0; i < cairn_ranking_count(value->ranking, query); i++)
		count += cn_value_inliers(value, query)[i] != CAIRN_NO_INLIERS;
	return count;
}

/* Excluded images among the first are verified with the others, but do not take a place of the `depth`. */
static void excluded_images_do_not_count(void **state)
{
	running run;
	cairn_run_options options = run_with(cn_test_folder());
	(void)state;
	start_run(&run, RECIPE(SEARCH("a") ",{'name':'b','stage':'verify','depth':4,'order':'keep'}", ""), images,
		  &options);
	assert_ok(cairn_run_add_collection(run.run, asked));
	assert_ok(cairn_run_execute(run.run));
	const int64_t *found = cairn_ranking_images(value_of(&run, "a")->ranking, 2);
	int64_t junk[] = { found[0], found[3], found[4], found[9] };
	qsort(junk, 4, sizeof(*junk), cn_ids_compare);
	assert_ok(cairn_run_exclude(run.run, 2, junk, 4));
	assert_ok(cairn_run_execute(run.run));
	const cn_value *value = value_of(&run, "b");
	for (size_t q = 0; q < QUERIES; q++)
		assert_int_equal(verified_of(value, q), q == 2 ? 7 : 4);
	for (size_t i = 0; i < 7; i++)
		assert_true(cn_value_inliers(value, 2)[i] >= 0);
	end_run(&run);
}

/* ---- expand and augment ---- */

/* As the stage has them: with cosines of the vectors for scores. */
static cairn_ranking *with_cosines(const float *vectors, const cairn_ranking *ranking, size_t n)
{
	const cn_vectors rows = cn_vectors_of_index(index_of(images));
	cairn_ranking *out;
	assert_ok(cairn_ranking_new(&out, QUERIES, n));
	for (size_t q = 0; q < QUERIES; q++)
		for (size_t i = 0; i < n && i < cairn_ranking_count(ranking, q); i++) {
			int64_t id = cairn_ranking_images(ranking, q)[i];
			float row[DIM];
			double sum = 0;
			assert_ok(rows.get(&rows, &id, 1, row));
			for (size_t d = 0; d < DIM; d++)
				sum += (double)vectors[q * DIM + d] * (double)row[d];
			assert_ok(cairn_ranking_set(out, q, i, id, (float)sum));
		}
	return out;
}

static void assert_near(const float *a, const float *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_true(fabsf(a[i] - b[i]) <= 2e-6f);
}

static void expand_is_query_expansion(void **state)
{
	static const struct {
		const char *parameters;
		cairn_neighbour_weights weights;
		size_t n;
		double alpha;
		int inliers, times;
	} cases[] = {
		{ "'n':3", CAIRN_WEIGHTS_AVERAGE, 3, 3, -1, 1 },
		{ "'rule':'rank_decay','n':7", CAIRN_WEIGHTS_DECAY, 7, 3, -1, 1 },
		{ "'rule':'alpha','n':5,'alpha':2", CAIRN_WEIGHTS_ALPHA, 5, 2, -1, 1 },
		{ "'n':2,'min_inliers':5", CAIRN_WEIGHTS_AVERAGE, 2, 3, 5, 1 },
		{ "'n':4,'times':3", CAIRN_WEIGHTS_AVERAGE, 4, 3, -1, 3 },
		{ "'n':40", CAIRN_WEIGHTS_AVERAGE, 40, 3, -1, 1 },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		running run;
		char text[512];
		float expected[QUERIES * DIM];
		cairn_expansion_options how = CAIRN_EXPANSION_OPTIONS_INIT;
		cairn_ranking *proven = NULL;
		how.weights = cases[c].weights;
		how.neighbours = cases[c].n;
		how.alpha = cases[c].alpha;
		how.inliers = (float)cases[c].inliers;
		snprintf(text, sizeof(text),
			 RECIPE(SEARCH("a") "," VERIFY("v", "a") ",{'name':'e','stage':'expand','ranking':'%s',%s},"
								 "{'name':'z','stage':'search','queries':'e'}",
				""),
			 cases[c].inliers < 0 ? "a" : "v", cases[c].parameters);
		run_asked(&run, text);
		const cn_value *verified = value_of(&run, cases[c].inliers < 0 ? "a" : "v");
		if (cases[c].inliers >= 0) {
			assert_ok(cairn_ranking_new(&proven, QUERIES, IMAGES));
			for (size_t q = 0; q < QUERIES; q++)
				for (size_t i = 0; i < IMAGES; i++)
					assert_ok(cairn_ranking_set(proven, q, i,
								    cairn_ranking_images(verified->ranking, q)[i],
								    (float)cn_value_inliers(verified, q)[i]));
		}
		cairn_ranking *near = with_cosines(query_vectors, verified->ranking, cases[c].n);
		memcpy(expected, query_vectors, sizeof(expected));
		for (int i = 0; i < cases[c].times; i++) {
			assert_ok(cairn_expand_queries(expected, index_of(images), expected, QUERIES, near, proven,
						       &how));
			cairn_ranking_free(near);
			near = searched(expected, cases[c].n);
		}
		cairn_ranking_free(near);
		cairn_ranking_free(proven);
		assert_int_equal(value_of(&run, "e")->count, QUERIES);
		assert_near(value_of(&run, "e")->vectors, expected, QUERIES * DIM);
		/* And the next search is by them. */
		cairn_ranking *direct = searched(value_of(&run, "e")->vectors, 100);
		cn_test_same(value_of(&run, "z")->ranking, direct);
		cairn_ranking_free(direct);
		end_run(&run);
	}
}

struct rows {
	int64_t ids[IMAGES];
	float vectors[IMAGES * DIM];
	size_t count;
};

static int take_rows(const int64_t *ids, const float *vectors, size_t count, void *payload)
{
	struct rows *rows = payload;
	memcpy(rows->ids + rows->count, ids, count * sizeof(*ids));
	memcpy(rows->vectors + rows->count * DIM, vectors, count * DIM * sizeof(*vectors));
	rows->count += count;
	return 0;
}

static void augment_is_database_side_augmentation(void **state)
{
	static const struct {
		const char *parameters;
		cairn_neighbour_weights weights;
		size_t k;
		double alpha;
	} cases[] = {
		{ "'k':3", CAIRN_WEIGHTS_AVERAGE, 3, 3 },
		{ "'k':5,'rule':'rank_decay'", CAIRN_WEIGHTS_DECAY, 5, 3 },
		{ "'k':40,'rule':'alpha','alpha':1.5", CAIRN_WEIGHTS_ALPHA, 40, 1.5 },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		running run;
		char text[512];
		struct rows rows = { .count = 0 };
		uint16_t halves[IMAGES * DIM];
		cairn_augmentation_options how = CAIRN_AUGMENTATION_OPTIONS_INIT;
		how.weights = cases[c].weights;
		how.neighbours = cases[c].k;
		how.alpha = cases[c].alpha;
		snprintf(text, sizeof(text),
			 RECIPE("{'name':'x','stage':'augment',%s},{'name':'z','stage':'search','index':'x'}", ""),
			 cases[c].parameters);
		run_asked(&run, text);
		cairn_graph *graph = graph_of_images(cases[c].k);
		assert_ok(cairn_augment(index_of(images), cairn_graph_neighbours(graph), take_rows, &rows, &how));
		cairn_graph_free(graph);
		const cn_row_segment *made = &value_of(&run, "x")->segment;
		cn_halves_from_floats(rows.vectors, IMAGES * DIM, halves);
		assert_int_equal(made->count, IMAGES);
		assert_memory_equal(made->images, rows.ids, sizeof(rows.ids));
		assert_memory_equal(made->rows, halves, sizeof(halves));
		cairn_ranking *direct;
		assert_ok(cairn_index_search(&direct, value_of(&run, "x")->index, query_vectors, QUERIES, 100, NULL));
		cn_test_same(value_of(&run, "z")->ranking, direct);
		cairn_ranking_free(direct);
		end_run(&run);
	}
}

/* ---- the graph ---- */

/* Ids are 1 to IMAGES, so an image's position is its id less one. */
static void to_positions(const int64_t *ids, size_t count, int32_t *out)
{
	for (size_t i = 0; i < count; i++)
		out[i] = ids[i] > 0 ? (int32_t)ids[i] - 1 : -1;
}

/* Diffusion of queries from their kq nearest; images it does not reach follow as the search had them. */
static cairn_ranking *diffuse_directly(int offline, size_t k, size_t kq, size_t depth, const cairn_ranking *before)
{
	cn_diffusion_options how = CN_DIFFUSION_GLOBAL;
	cn_offline_options cut = CN_OFFLINE_OPTIONS_INIT;
	size_t lists_k = offline ? 1000 : k;
	cairn_graph *kept = graph_of_images(lists_k);
	const cairn_neighbours *lines = cairn_graph_neighbours(kept);
	cairn_ranking *begin = searched(query_vectors, kq), *found, *out;
	int32_t *ids = malloc(IMAGES * lists_k * sizeof(*ids)), starts[QUERIES * IMAGES];
	int64_t numbers[IMAGES];
	cn_diffusion_graph graph = { 0 };
	how.neighbours = k;
	how.query_neighbours = kq;
	for (int64_t i = 0; i < IMAGES; i++)
		numbers[i] = i + 1;
	to_positions(lines->ids, IMAGES * lists_k, ids);
	to_positions(cairn_ranking_images(begin, 0), QUERIES * kq, starts);
	const cn_neighbours lists = { IMAGES, lists_k, ids, lines->scores };
	const cn_neighbours from = { QUERIES, kq, starts, cairn_ranking_scores(begin, 0) };
	assert_ok(cn_diffusion_graph_new(&graph, &lists, &how, NULL));
	assert_ok(cairn_ranking_new(&found, QUERIES, depth));
	if (offline) {
		const char *prefix = keep(cn_test_path(cn_test_folder(), "o"));
		cn_offline_rows rows;
		cn_offline_searcher searcher;
		assert_ok(cn_offline_write(prefix, &graph, &lists, &cut, NULL, NULL, NULL));
		assert_ok(cn_offline_open(&rows, prefix));
		assert_ok(cn_offline_searcher_init(&searcher, &rows, NULL));
		assert_ok(cn_offline_search(found, &searcher, &from, &how, numbers));
		cn_offline_searcher_free(&searcher);
		cn_offline_close(&rows);
	} else {
		assert_ok(cn_diffuse(found, &graph, &from, &how, numbers, NULL, NULL, NULL));
	}
	assert_ok(cairn_ranking_new(&out, QUERIES, depth));
	for (size_t q = 0; q < QUERIES; q++) {
		size_t count = cairn_ranking_count(found, q);
		for (size_t i = 0; i < count; i++)
			assert_ok(cairn_ranking_set(out, q, i, cairn_ranking_images(found, q)[i],
						    cairn_ranking_scores(found, q)[i]));
		for (size_t i = 0; before && i < cairn_ranking_count(before, q) && count < depth; i++)
			if (!cn_test_has(found, q, SIZE_MAX, cairn_ranking_images(before, q)[i]))
				assert_ok(cairn_ranking_set(out, q, count++, cairn_ranking_images(before, q)[i], 0));
	}
	cairn_ranking_free(found);
	cairn_ranking_free(begin);
	cn_diffusion_graph_free(&graph);
	cairn_graph_free(kept);
	free(ids);
	return out;
}

static void diffuse_is_diffusion(void **state)
{
	static const struct {
		const char *parameters;
		int offline;
		size_t k, kq, depth;
		int has_before;
	} cases[] = {
		{ "'k':4,'kq':3,'depth':15", 0, 4, 3, 15, 0 },
		{ "'k':4,'kq':3,'depth':5", 0, 4, 3, 5, 0 },
		{ "'k':2,'kq':1,'ranking':'a'", 0, 2, 1, 12, 1 },
		{ "'k':50,'kq':10", 0, 50, 10, 100, 0 },
		{ "'method':'offline','k':4,'kq':3,'ranking':'a','depth':15", 1, 4, 3, 15, 1 },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		running run;
		char text[512];
		snprintf(text, sizeof(text),
			 RECIPE("{'name':'a','stage':'search','k':12},{'name':'d','stage':'diffuse',%s}", ""),
			 cases[c].parameters);
		run_asked(&run, text);
		cairn_ranking *before = searched(query_vectors, 12);
		cairn_ranking *direct = diffuse_directly(cases[c].offline, cases[c].k, cases[c].kq, cases[c].depth,
							 cases[c].has_before ? before : NULL);
		cn_test_same(value_of(&run, "d")->ranking, direct);
		cairn_ranking_free(before);
		cairn_ranking_free(direct);
		end_run(&run);
	}
}

static void explore_is_a_walk(void **state)
{
	const cn_explore_options how = { .k = 3, .threshold = 0.9f, .depth = 7 };
	running run;
	cairn_ranking *direct, *before = searched(query_vectors, 5);
	cairn_graph *graph = graph_of_images(3);
	(void)state;
	run_asked(&run, RECIPE("{'name':'a','stage':'search','k':5},"
			       "{'name':'b','stage':'explore','k':3,'threshold':0.9,'depth':7}",
			       ""));
	assert_ok(cn_rank_explore(&direct, NULL, before, cairn_graph_neighbours(graph), &how));
	cn_test_same(value_of(&run, "b")->ranking, direct);
	cairn_ranking_free(direct);
	cairn_ranking_free(before);
	cairn_graph_free(graph);
	end_run(&run);
}

/* ---- re-ranking ---- */

static void reciprocal_and_superglobal_re_rank(void **state)
{
	const cn_reciprocal_options reciprocal = { .most = 12, .k1 = 5, .k2 = 2, .lambda = 0.4f };
	const cn_superglobal_options superglobal = { .most = 12, .neighbours = 3, .weight = 0.5f };
	const cn_vectors vectors = cn_vectors_of_index(index_of(images));
	running run;
	cairn_ranking *direct, *before = searched(query_vectors, 14);
	(void)state;
	run_asked(&run,
		  RECIPE("{'name':'a','stage':'search','k':14},"
			 "{'name':'b','stage':'reciprocal','k1':5,'k2':2,'lambda':0.4,'depth':12},"
			 "{'name':'c','stage':'superglobal','ranking':'a','depth':12,'neighbours':3,'weight':0.5},"
			 "{'name':'f','stage':'fuse','rankings':['b','c']}",
			 ""));
	assert_ok(cn_rank_reciprocal(&direct, NULL, before, query_vectors, &vectors, &reciprocal));
	cn_test_same(value_of(&run, "b")->ranking, direct);
	cairn_ranking_free(direct);
	assert_ok(cn_rank_superglobal(&direct, NULL, before, query_vectors, &vectors, &superglobal));
	cn_test_same(value_of(&run, "c")->ranking, direct);
	cairn_ranking_free(direct);
	cairn_ranking_free(before);
	end_run(&run);
}

/* Places of the labelled set are numbers, so predictions can be told from its order: image i is of place i / 2. */
static void discriminate_is_discriminative_re_ranking(void **state)
{
	enum { K = 3 };
	cn_discriminate_options how = { .depth = 9, .insert = 1, .threshold = 0.5f };
	running run;
	int64_t train_ids[2 * PLACES], ids[IMAGES];
	int32_t train_labels[2 * PLACES], asked_labels[QUERIES], labels[IMAGES];
	float asked_scores[QUERIES], scores[IMAGES], rows[IMAGES * DIM];
	cairn_ranking *near, *direct, *before = searched(query_vectors, 6);
	const cn_label_table known = { .ids = train_ids, .labels = train_labels, .count = 2 * PLACES };
	const cn_label_table predicted = { .ids = ids, .labels = labels, .count = IMAGES };
	cn_labelled_images labelled;
	(void)state;
	for (int i = 0; i < 2 * PLACES; i++) {
		train_ids[i] = i + 1;
		train_labels[i] = i / 2;
	}
	for (int i = 0; i < IMAGES; i++) {
		ids[i] = i + 1;
		assert_ok(cairn_collection_descriptor(images, i + 1, rows + i * DIM));
	}
	run_asked(&run, RECIPE("{'name':'a','stage':'search','k':6},"
			       "{'name':'b','stage':'discriminate','k':3,'threshold':0.5,'depth':9}",
			       ""));
	assert_ok(cairn_index_search(&near, index_of(train), query_vectors, QUERIES, K, NULL));
	assert_ok(cn_predict_labels(asked_labels, asked_scores, near, &known, K));
	cairn_ranking_free(near);
	assert_ok(cairn_index_search(&near, index_of(train), rows, IMAGES, K, NULL));
	assert_ok(cn_predict_labels(labels, scores, near, &known, K));
	cairn_ranking_free(near);
	assert_ok(cn_labelled_images_init(&labelled, &predicted, scores));
	assert_ok(cn_rank_discriminate(&direct, NULL, before, asked_labels, asked_scores, &labelled, &how));
	cn_test_same(value_of(&run, "b")->ranking, direct);
	cn_labelled_images_free(&labelled);
	cairn_ranking_free(direct);
	cairn_ranking_free(before);
	end_run(&run);
}

static void fuse_is_fusion(void **state)
{
	static const double weights[] = { 2, 0.5 };
	static const struct {
		const char *parameters;
		cairn_fusion_options how;
		size_t depth;
	} cases[] = {
		{ "", CAIRN_FUSION_OPTIONS_INIT, 19 },
		{ ",'rule':'reciprocal','depth':7",
		  { 1, CAIRN_FUSE_RECIPROCAL_RANKS, CAIRN_NORMALISE_NONE, CAIRN_MISSING_LEAST, 60, NULL, 1 },
		  7 },
		{ ",'rule':'product','normalise':'minmax','missing':'zero'",
		  { 1, CAIRN_FUSE_PRODUCT, CAIRN_NORMALISE_MIN_MAX, CAIRN_MISSING_ZERO, 60, NULL, 1 },
		  19 },
		{ ",'weights':[2,0.5],'normalise':'zscore'",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_Z_SCORE, CAIRN_MISSING_LEAST, 60, weights, 1 },
		  19 },
		{ ",'weights':[2,0.5],'normalise':'best'",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_BEST, CAIRN_MISSING_LEAST, 60, weights, 1 },
		  19 },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		running run;
		char text[512];
		cairn_ranking *direct;
		snprintf(text, sizeof(text),
			 RECIPE("{'name':'a','stage':'search','k':12},{'name':'b','stage':'search','by':'asmk','k':7},"
				"{'name':'f','stage':'fuse','rankings':['b','a']%s}",
				""),
			 cases[c].parameters);
		run_asked(&run, text);
		const cairn_ranking *const both[] = { value_of(&run, "b")->ranking, value_of(&run, "a")->ranking };
		assert_ok(cairn_fuse(&direct, both, 2, cases[c].depth, &cases[c].how));
		cn_test_same(value_of(&run, "f")->ranking, direct);
		cairn_ranking_free(direct);
		end_run(&run);
	}
}

static void cut_leaves_out(void **state)
{
	static const struct {
		const char *parameters;
		size_t depth;
		float least;
		int32_t inliers;
	} cases[] = {
		{ "'depth':3", 3, -INFINITY, CAIRN_NO_INLIERS },
		{ "'depth':300", 100, -INFINITY, CAIRN_NO_INLIERS },
		{ "'min_score':1", 100, 1, CAIRN_NO_INLIERS },
		{ "'min_inliers':0", 100, -INFINITY, 0 },
		{ "'min_inliers':9,'depth':2", 2, -INFINITY, 9 },
		{ "'min_score':100000", 100, 100000, CAIRN_NO_INLIERS },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		running run;
		char text[512];
		snprintf(text, sizeof(text),
			 RECIPE(SEARCH("a") ",{'name':'b','stage':'verify','depth':6},{'name':'c','stage':'cut',%s}",
				""),
			 cases[c].parameters);
		run_asked(&run, text);
		const cn_value *before = value_of(&run, "b"), *after = value_of(&run, "c");
		assert_int_equal(after->type, CAIRN_VALUE_VERIFIED);
		assert_int_equal(cairn_ranking_depth(after->ranking), cases[c].depth);
		for (size_t q = 0; q < QUERIES; q++) {
			size_t kept = 0;
			for (size_t i = 0; i < cairn_ranking_count(before->ranking, q); i++) {
				float score = cairn_ranking_scores(before->ranking, q)[i];
				int32_t inliers = cn_value_inliers(before, q)[i];
				if (kept == cases[c].depth || score < cases[c].least || inliers < cases[c].inliers)
					continue;
				assert_int_equal(cairn_ranking_images(after->ranking, q)[kept],
						 cairn_ranking_images(before->ranking, q)[i]);
				assert_true(cairn_ranking_scores(after->ranking, q)[kept] == score);
				assert_int_equal(cn_value_inliers(after, q)[kept++], inliers);
			}
			assert_int_equal(cairn_ranking_count(after->ranking, q), kept);
		}
		end_run(&run);
	}
}

/* ---- the query itself ---- */

/* All stages there are, with parameters that would find an image by itself. */
static const char everything[] = RECIPE(
	"{'name':'near','stage':'search','k':15},"
	"{'name':'words','stage':'search','by':'asmk','k':15},"
	"{'name':'both','stage':'search','by':'fused','k':15},"
	"{'name':'proven','stage':'verify','ranking':'near','depth':6},"
	"{'name':'larger','stage':'augment','k':2},"
	"{'name':'joined','stage':'expand','ranking':'proven','n':3,'times':2,'min_inliers':9},"
	"{'name':'again','stage':'search','queries':'joined','index':'larger','k':15},"
	"{'name':'flown','stage':'diffuse','ranking':'again','k':4,'kq':3},"
	"{'name':'ahead','stage':'diffuse','method':'offline','k':4,'kq':3},"
	"{'name':'walked','stage':'explore','ranking':'near','k':4,'threshold':0,'depth':15},"
	"{'name':'mutual','stage':'reciprocal','ranking':'walked','k1':4,'k2':2},"
	"{'name':'refined','stage':'superglobal','ranking':'near'},"
	"{'name':'named','stage':'discriminate','ranking':'near','threshold':-2,'depth':15},"
	"{'name':'all','stage':'fuse','rankings':['words','both','again','flown','ahead','mutual','refined','named']},"
	"{'name':'end','stage':'cut','depth':10}",
	"");

static void an_image_does_not_find_itself(void **state)
{
	running run;
	cairn_run_options options = run_with(cn_test_folder());
	options.train = train;
	(void)state;
	start_run(&run, everything, images, &options);
	assert_ok(cairn_run_add_collection(run.run, images));
	assert_ok(cairn_run_execute(run.run));
	size_t rankings = 0;
	for (size_t s = 0; s < run.recipe->stage_count; s++) {
		const cn_stage *stage = &run.recipe->stages[s];
		if (stage->output != CAIRN_VALUE_RANKING && stage->output != CAIRN_VALUE_VERIFIED)
			continue;
		const cairn_ranking *ranking = value_of(&run, stage->name)->ranking;
		rankings++;
		for (size_t q = 0; q < IMAGES; q++) {
			assert_true(cairn_ranking_count(ranking, q) >= 5);
			if (cn_test_has(ranking, q, SIZE_MAX, (int64_t)q + 1))
				fail_msg("image %zu is in its own ranking of %s", q + 1, stage->name);
		}
	}
	assert_int_equal(rankings, 13);
	/* All others are there. */
	for (size_t q = 0; q < IMAGES; q++)
		assert_int_equal(cairn_ranking_count(value_of(&run, "near")->ranking, q), IMAGES - 1);
	end_run(&run);
}

/* A query's own image does not join it either when it is searched again between two expansions. */
static void expansion_does_not_meet_the_query_again(void **state)
{
	running run;
	cairn_run_options options = run_with(cn_test_folder());
	float expected[DIM];
	cairn_expansion_options how = CAIRN_EXPANSION_OPTIONS_INIT;
	(void)state;
	how.weights = CAIRN_WEIGHTS_AVERAGE;
	how.neighbours = 2;
	start_run(&run,
		  RECIPE("{'name':'a','stage':'search','k':2},{'name':'e','stage':'expand','n':2,'times':2},"
			 "{'name':'z','stage':'search','queries':'e'}",
			 ""),
		  images, &options);
	assert_ok(cairn_run_add_id(run.run, 4));
	assert_ok(cairn_run_execute(run.run));
	assert_ok(cairn_collection_descriptor(images, 4, expected));
	for (int times = 0; times < 2; times++) {
		cairn_ranking *found, *others;
		size_t kept = 0;
		assert_ok(cairn_index_search(&found, index_of(images), expected, 1, 3, NULL));
		assert_ok(cairn_ranking_new(&others, 1, 2));
		for (size_t i = 0; i < 3 && kept < 2; i++)
			if (cairn_ranking_images(found, 0)[i] != 4)
				assert_ok(cairn_ranking_set(others, 0, kept++, cairn_ranking_images(found, 0)[i], 1));
		assert_ok(cairn_expand_queries(expected, index_of(images), expected, 1, others, NULL, &how));
		cairn_ranking_free(found);
		cairn_ranking_free(others);
	}
	assert_near(value_of(&run, "e")->vectors, expected, DIM);
	end_run(&run);
}

/* ---- threads ---- */

static void threads_change_nothing(void **state)
{
	char *csv[2];
	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		running run;
		cairn_run_options options = run_with(cn_test_folder());
		options.train = train;
		options.threads = 1 + 2 * i;
		start_run(&run, everything, images, &options);
		assert_ok(cairn_run_add_collection(run.run, asked));
		assert_ok(cairn_run_add_collection(run.run, images));
		assert_ok(cairn_run_execute(run.run));
		csv[i] = csv_of(&run);
		end_run(&run);
	}
	assert_string_equal(csv[0], csv[1]);
	free(csv[0]);
	free(csv[1]);
}

static int set_up(void **state)
{
	(void)state;
	make_world(&folders);
	images = open_collection(folders.index, 0);
	asked = open_collection(folders.asked, 0);
	train = open_collection(folders.train, 0);
	for (size_t i = 0; i < QUERIES; i++)
		assert_ok(cairn_collection_descriptor(asked, (int64_t)i + 1, query_vectors + i * DIM));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cairn_collection_free(images);
	cairn_collection_free(asked);
	cairn_collection_free(train);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(search_by_global_is_a_search_of_the_index),
		cmocka_unit_test(search_by_features_is_a_search),
		cmocka_unit_test(verify_is_that_of_a_search),
		cmocka_unit_test(verify_may_keep_the_order),
		cmocka_unit_test(excluded_images_do_not_count),
		cmocka_unit_test(expand_is_query_expansion),
		cmocka_unit_test(augment_is_database_side_augmentation),
		cmocka_unit_test(diffuse_is_diffusion),
		cmocka_unit_test(explore_is_a_walk),
		cmocka_unit_test(reciprocal_and_superglobal_re_rank),
		cmocka_unit_test(discriminate_is_discriminative_re_ranking),
		cmocka_unit_test(fuse_is_fusion),
		cmocka_unit_test(cut_leaves_out),
		cmocka_unit_test(an_image_does_not_find_itself),
		cmocka_unit_test(expansion_does_not_meet_the_query_again),
		cmocka_unit_test(threads_change_nothing),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
