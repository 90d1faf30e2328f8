/* Revisited Oxford and Paris: scores against an independent implementation (make_golden.py), faulty ground truths. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/eval.h"
#include "support.h"
#include "torture.h"
#include "util/json.h"
#include "util/text.h"

#define QUERIES_MAX 8
#define LIST_MAX    128

static cairn_roxford *open_json(const json_t *value)
{
	const char *path = cn_test_path(cn_test_folder(), "truth.json");
	cairn_roxford *truth;

	assert_ok(cn_json_write(path, value));
	assert_ok(cairn_roxford_open(&truth, path));
	return truth;
}

static cairn_roxford *open_text(const char *text)
{
	const char *path = cn_test_path(cn_test_folder(), "truth.json");
	cairn_roxford *truth;

	cn_test_write(path, text, strlen(text));
	assert_ok(cairn_roxford_open(&truth, path));
	return truth;
}

static void assert_score(const json_t *wanted, const char *name, const char *key, double got)
{
	double value = json_number_value(json_object_get(wanted, key));

	if (fabs(value - got) < 1e-9)
		return;
	print_error("%s: %s is %.12g, wanted %.12g\n", name, key, got, value);
	fail();
}

static void check_golden(const json_t *golden)
{
	static const char *const protocols[] = { "easy", "medium", "hard" };
	const char *name = json_string_value(json_object_get(golden, "name"));
	const json_t *lists = json_object_get(golden, "lists");
	cairn_roxford *truth = open_json(json_object_get(golden, "truth"));
	int64_t images[QUERIES_MAX][LIST_MAX];
	const int64_t *rows[QUERIES_MAX];
	size_t lengths[QUERIES_MAX];

	assert_int_equal(cairn_roxford_queries(truth), json_array_size(lists));
	for (size_t q = 0; q < json_array_size(lists); q++) {
		const json_t *list = json_array_get(lists, q);

		rows[q] = images[q];
		lengths[q] = json_array_size(list);
		assert_in_range(lengths[q], 0, LIST_MAX);
		for (size_t i = 0; i < lengths[q]; i++)
			images[q][i] = json_integer_value(json_array_get(list, i));
	}
	for (int p = CAIRN_ROXFORD_EASY; p <= CAIRN_ROXFORD_HARD; p++) {
		const json_t *wanted = json_object_get(json_object_get(golden, "scores"), protocols[p]);
		cairn_roxford_scores scores;

		assert_ok(cairn_roxford_score(truth, (cairn_roxford_protocol)p, rows, lengths, &scores));
		assert_score(wanted, name, "map", scores.map);
		assert_score(wanted, name, "mp1", scores.mp1);
		assert_score(wanted, name, "mp5", scores.mp5);
		assert_score(wanted, name, "mp10", scores.mp10);
		assert_score(wanted, name, "queries", (double)scores.queries);
	}
	cairn_roxford_free(truth);
}

static void scores_agree_with_the_definition(void **state)
{
	json_t *golden;

	(void)state;
	assert_ok(cn_json_read(&golden, CN_GOLDEN "/roxford_golden.json"));
	assert_true(json_array_size(golden) >= 30);
	for (size_t i = 0; i < json_array_size(golden); i++)
		check_golden(json_array_get(golden, i));
	json_decref(golden);
}

static const char small[] =
	"{\"database\": [\"a\", \"b\", \"c\", \"d\", \"e\"], \"queries\": [{\"image\": \"q\", \"box\": "
	"[1, 2.5, 30, 40], \"easy\": [\"d\"], \"hard\": [\"b\"], \"junk\": [\"a\"]}]}";

/* Worked out by hand: b d among a b c d e. */
static void a_case_by_hand(void **state)
{
	static const struct {
		cairn_roxford_protocol protocol;
		size_t length;
		double map, mp1, mp5, mp10;
	} cases[] = {
		/* a and b leave the list: c d e, d at rank 1; (0/1 + 1/2) / 2 */
		{ CAIRN_ROXFORD_EASY, 5, 25, 0, 50, 50 },
		/* a leaves it: b c d e; ((1 + 1/1) / 2 + (1/2 + 2/3) / 2) / 2 */
		{ CAIRN_ROXFORD_MEDIUM, 5, 100 * (1 + 7.0 / 12) / 2, 100, 200.0 / 3, 200.0 / 3 },
		/* a and d leave it: b c e */
		{ CAIRN_ROXFORD_HARD, 5, 100, 100, 100, 100 },
		/* Cut before d: it has no rank, and the places of the cut that nobody fills count as wrong. */
		{ CAIRN_ROXFORD_MEDIUM, 3, 50, 100, 20, 10 },
		{ CAIRN_ROXFORD_EASY, 3, 0, 0, 0, 0 },
		{ CAIRN_ROXFORD_EASY, 0, 0, 0, 0, 0 },
	};
	static const int64_t list[] = { 0, 1, 2, 3, 4 };
	const int64_t *lists[] = { list };
	cairn_roxford *truth = open_text(small);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_roxford_scores scores;

		assert_ok(cairn_roxford_score(truth, cases[i].protocol, lists, &cases[i].length, &scores));
		assert_true(fabs(scores.map - cases[i].map) < 1e-9);
		assert_true(fabs(scores.mp1 - cases[i].mp1) < 1e-9);
		assert_true(fabs(scores.mp5 - cases[i].mp5) < 1e-9);
		assert_true(fabs(scores.mp10 - cases[i].mp10) < 1e-9);
		assert_int_equal(scores.queries, 1);
	}
	cairn_roxford_free(truth);
}

static void what_a_ground_truth_tells(void **state)
{
	static const int junk[3][5] = { { 1, 1, 0, 0, 0 }, { 1, 0, 0, 0, 0 }, { 1, 0, 0, 1, 0 } };
	cairn_roxford *truth = open_text(small);
	cairn_box box = cairn_roxford_query_box(truth, 0);

	(void)state;
	assert_int_equal(cairn_roxford_images(truth), 5);
	assert_int_equal(cairn_roxford_queries(truth), 1);
	assert_string_equal(cairn_roxford_query_name(truth, 0), "q");
	assert_true(box.x0 == 1 && box.y0 == 2.5 && box.x1 == 30 && box.y1 == 40);
	for (int p = CAIRN_ROXFORD_EASY; p <= CAIRN_ROXFORD_HARD; p++)
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(cairn_roxford_is_junk(truth, (cairn_roxford_protocol)p, 0, i), junk[p][i]);
	cairn_roxford_free(truth);
	cairn_roxford_free(NULL);
}

static void names_lose_folder_and_ending(void **state)
{
	static const struct {
		const char *name;
		int64_t image;
	} cases[] = {
		{ "a_1", 0 },   { "a_1.jpg", 0 },         { "x/a_1.JPEG", 0 },
		{ "a_10", 1 },  { "a_10.png", 1 },        { "st.paul", 2 },
		{ "a_", -1 },   { "a_100", -1 },          { "", -1 },
		{ "st", -1 },   { "a_1.txt", -1 },        { "a_1/", -1 },
		{ ".jpg", -1 }, { "/z/st.paul.webp", 2 },
	};
	cairn_roxford *truth =
		open_text("{\"database\": [\"jpg/a_1.jpg\", \"a_10\", \"st.paul\"], \"queries\": [{\"image\": "
			  "\"queries/q.jpg\", \"box\": [0,0,1,1], \"easy\": [\"a_10.jpg\"], \"hard\": [], \"junk\": "
			  "[]}]}");

	(void)state;
	assert_string_equal(cairn_roxford_image_name(truth, 0), "a_1");
	assert_string_equal(cairn_roxford_query_name(truth, 0), "q");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(cairn_roxford_find(truth, cases[i].name), cases[i].image);
	cairn_roxford_free(truth);
}

#define ABC "{\"database\": [\"a\", \"b\", \"c\"], \"queries\": "
#define Q   "\"image\": \"q\", \"box\": [0, 0, 1, 1]"

static void faulty_ground_truths_are_refused(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{ "{", ":1:1: " },
		{ "[]", "must be an object" },
		{ "{\"queries\": []}", "\"database\" is missing" },
		{ "{\"database\": {}, \"queries\": []}", "\"database\" must be an array" },
		{ "{\"database\": [\"a\", 7], \"queries\": []}", "database[1]: must be the name" },
		{ "{\"database\": [\"\"], \"queries\": []}", "database[0]: must be the name" },
		{ "{\"database\": [\"b\", \"a\", \"x/b.jpg\"], \"queries\": []}", "\"b\" is listed twice" },
		{ "{\"database\": [\"a\"]}", "\"queries\" is missing" },
		{ ABC "[7]}", "queries[0]: must be an object" },
		{ ABC "[{\"box\": [0, 0, 1, 1], \"easy\": [], \"hard\": [], \"junk\": []}]}", "\"image\" is missing" },
		{ ABC "[{\"image\": \"q\", \"easy\": [], \"hard\": [], \"junk\": []}]}", "\"box\" is missing" },
		{ ABC "[{\"image\": \"q\", \"box\": [0, 0, 1], \"easy\": [], \"hard\": [], \"junk\": []}]}",
		  "x0, y0, x1, y1" },
		{ ABC "[{\"image\": \"q\", \"box\": [0, 0, 1, \"1\"], \"easy\": []}]}", "box[3]: must be a number" },
		{ ABC "[{\"image\": \"q\", \"box\": [5, 0, 1, 1], \"easy\": []}]}", "is empty" },
		{ ABC "[{" Q ", \"hard\": [], \"junk\": []}]}", "queries[0]: member \"easy\" is missing" },
		{ ABC "[{" Q ", \"easy\": [], \"hard\": 1, \"junk\": []}]}", "\"hard\" must be an array" },
		{ ABC "[{" Q ", \"easy\": [\"a\"], \"hard\": [\"z\"], \"junk\": []}]}",
		  "queries[0].hard[0]: \"z\" is not in \"database\"" },
		{ ABC "[{" Q ", \"easy\": [\"a\", 2], \"hard\": [], \"junk\": []}]}", "easy[1]: must be the name" },
		{ ABC "[{" Q ", \"easy\": [\"b\", \"b\"], \"hard\": [], \"junk\": []}]}",
		  "queries[0]: \"b\" is listed twice" },
		{ ABC "[{" Q ", \"easy\": [\"b\", \"a\"], \"hard\": [], \"junk\": [\"c\", \"b\"]}]}",
		  "\"b\" is listed twice" },
	};
	const char *folder = cn_test_folder(), *path = cn_test_path(folder, "truth.json");
	cairn_roxford *truth;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_test_write(path, cases[i].text, strlen(cases[i].text));
		assert_fails(cairn_roxford_open(&truth, path), CAIRN_EFORMAT, cases[i].part);
		assert_non_null(strstr(cairn_last_error(), path));
		assert_null(truth);
	}
	assert_fails(cairn_roxford_open(&truth, cn_test_path(folder, "none.json")), CAIRN_ENOTFOUND, "none.json");
}

static void faulty_lists_are_refused(void **state)
{
	static const struct {
		int64_t list[3];
		const char *part;
	} cases[] = {
		{ { 0, 5, 1 }, "list of query 0: no database image has the position 5" },
		{ { 0, -2, 1 }, "position -2" },
		{ { INT64_MAX, 0, 1 }, "position 9223372036854775807" },
		{ { 2, 1, 2 }, "image 2 (c) stands twice" },
	};
	static const int64_t strangers[] = { -1, -1, -1 };
	const int64_t *lists[1] = { strangers };
	size_t length = 3;
	cairn_roxford *truth = open_text(small);
	cairn_roxford_scores scores;

	(void)state;
	assert_ok(cairn_roxford_score(truth, CAIRN_ROXFORD_EASY, lists, &length, &scores));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lists[0] = cases[i].list;
		assert_fails(cairn_roxford_score(truth, CAIRN_ROXFORD_EASY, lists, &length, &scores), CAIRN_EINVALID,
			     cases[i].part);
		assert_int_equal(scores.queries, 0);
	}
	assert_fails(cairn_roxford_score(truth, (cairn_roxford_protocol)3, lists, &length, &scores), CAIRN_EINVALID,
		     "protocol 3");
	cairn_roxford_free(truth);
}

static void no_queries_give_no_scores(void **state)
{
	cairn_roxford *truth = open_text("{\"database\": [], \"queries\": []}");
	cairn_roxford_scores scores;

	(void)state;
	assert_ok(cairn_roxford_score(truth, CAIRN_ROXFORD_HARD, NULL, NULL, &scores));
	assert_int_equal(scores.queries, 0);
	assert_true(scores.map == 0 && scores.mp10 == 0);
	assert_int_equal(cairn_roxford_find(truth, "a"), -1);
	cairn_roxford_free(truth);
}

/* Positives first, then all others: every query that has a positive scores 100 under its protocol. */
static void the_reduced_benchmark_can_be_solved(void **state)
{
	const char *data = cn_test_data();
	size_t queries, images, *lengths;
	int64_t **lists;
	cairn_roxford *truth;

	(void)state;
	if (!data)
		skip();
	assert_ok(cairn_roxford_open(&truth, cn_test_path(data, "roxford-mini/groundtruth.json")));
	queries = cairn_roxford_queries(truth);
	images = cairn_roxford_images(truth);
	assert_int_equal(queries, 70);
	lists = calloc(queries, sizeof(*lists));
	lengths = calloc(queries, sizeof(*lengths));
	for (size_t q = 0; q < queries; q++) {
		lists[q] = calloc(images, sizeof(**lists));
		/* What only one of easy and hard leaves out is a positive of medium. */
		for (int wanted = 1; wanted >= 0; wanted--)
			for (size_t i = 0; i < images; i++) {
				int positive = cairn_roxford_is_junk(truth, CAIRN_ROXFORD_EASY, q, i) !=
					       cairn_roxford_is_junk(truth, CAIRN_ROXFORD_HARD, q, i);

				if (positive == wanted)
					lists[q][lengths[q]++] = (int64_t)i;
			}
		assert_int_equal(lengths[q], images);
	}
	for (int p = CAIRN_ROXFORD_EASY; p <= CAIRN_ROXFORD_HARD; p++) {
		cairn_roxford_scores scores;

		assert_ok(cairn_roxford_score(truth, (cairn_roxford_protocol)p, (const int64_t *const *)lists, lengths,
					      &scores));
		assert_true(fabs(scores.map - 100) < 1e-9 && fabs(scores.mp10 - 100) < 1e-9);
		if (p == CAIRN_ROXFORD_MEDIUM)
			assert_int_equal(scores.queries, 69);
	}
	for (size_t q = 0; q < queries; q++)
		free(lists[q]);
	free(lists);
	free(lengths);
	cairn_roxford_free(truth);
}

static int open_and_score(void *path)
{
	static const int64_t list[] = { 3, 1, 2 };
	const int64_t *lists[] = { list };
	size_t length = 3;
	cairn_roxford_scores scores;
	cairn_roxford *truth;
	int status;

	CN_TRY(cairn_roxford_open(&truth, path));
	status = cairn_roxford_score(truth, CAIRN_ROXFORD_EASY, lists, &length, &scores);
	cairn_roxford_free(truth);
	return status;
}

static void memory_may_run_out(void **state)
{
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s", cn_test_path(cn_test_folder(), "truth.json"));
	cn_test_write(path, small, sizeof(small) - 1);
	assert_true(cn_torture(open_and_score, path) >= 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores_agree_with_the_definition),
		cmocka_unit_test(a_case_by_hand),
		cmocka_unit_test(what_a_ground_truth_tells),
		cmocka_unit_test(names_lose_folder_and_ending),
		cmocka_unit_test(faulty_ground_truths_are_refused),
		cmocka_unit_test(faulty_lists_are_refused),
		cmocka_unit_test(no_queries_give_no_scores),
		cmocka_unit_test(the_reduced_benchmark_can_be_solved),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
