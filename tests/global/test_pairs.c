/*
 * Pairs of images: from files, with their faults, and from folders.
 */
#include <stdlib.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/whitening.h"
#include "torture.h"

/* All pairs as "query>positive" with a line each; paths without `folder`. Caller frees. */
static char *text_of(const cairn_pairs *pairs, const char *folder)
{
	size_t skipped = strlen(folder) + 1, used = 0, size = 1 << 16;
	char *text = calloc(size, 1);
	for (size_t i = 0; i < cairn_pairs_count(pairs); i++) {
		const char *query, *positive;
		cairn_pairs_get(pairs, i, &query, &positive);
		used += (size_t)snprintf(text + used, size - used, "%s>%s\n", query + skipped, positive + skipped);
	}
	return text;
}

static const char *folder, *file;

static void expect_pairs(const char *content, const char *expected, size_t images)
{
	cairn_pairs *pairs;
	cn_test_write(file, content, strlen(content));
	assert_ok(cairn_pairs_read(&pairs, file));
	char *text = text_of(pairs, folder);
	assert_string_equal(text, expected);
	assert_int_equal(cairn_pairs_images(pairs), images);
	free(text);
	cairn_pairs_free(pairs);
}

static void files_are_read(void **state)
{
	(void)state;
	expect_pairs("a.png,b.png\n", "a.png>b.png\n", 2);
	expect_pairs("query,positive\nb.png,a.png\r\n\na.png,\"c,d.png\"\n", "b.png>a.png\na.png>c,d.png\n", 3);
	/* Pairs count as often as they stand there; an image is one however it is called. */
	expect_pairs("a.png,b.png\n./a.png,sub/../b.png\n", "a.png>b.png\na.png>b.png\n", 2);
	char absolute[2048];
	snprintf(absolute, sizeof(absolute), "%s/a.png,b.png\n", folder);
	expect_pairs(absolute, "a.png>b.png\n", 2);
}

static void faults_name_the_line(void **state)
{
	(void)state;
	static const struct {
		const char *content;
		int status;
		const char *text;
	} cases[] = {
		{ "a.png,b.png\na.png\n", CAIRN_EFORMAT, "pairs.csv:2: 1 fields" },
		{ "a.png,b.png,1\n", CAIRN_EFORMAT, "pairs.csv:1: 3 fields" },
		{ "query,positive\n\na.png,\n", CAIRN_EFORMAT, "pairs.csv:3: a path is empty" },
		{ "a.png,./a.png\n", CAIRN_EFORMAT, "pairs.csv:1: 'a.png' is paired with itself" },
		{ "a.png,b.png\na.png,z.png\n", CAIRN_ENOTFOUND, "pairs.csv:2: there is no image 'z.png'" },
		{ "a.png,b.png\nquery,positive\n", CAIRN_ENOTFOUND, "pairs.csv:2: there is no image 'query'" },
		{ "", CAIRN_EFORMAT, "no pair" },
		{ "query,positive\n", CAIRN_EFORMAT, "no pair" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cairn_pairs *pairs;
		cn_test_write(file, cases[i].content, strlen(cases[i].content));
		assert_fails(cairn_pairs_read(&pairs, file), cases[i].status, cases[i].text);
		assert_null(pairs);
	}
	cairn_pairs *pairs;
	assert_fails(cairn_pairs_read(&pairs, cn_test_path(folder, "none.csv")), CAIRN_ENOTFOUND, "none.csv");
}

static void images_of_a_folder_match(void **state)
{
	(void)state;
	/* The folder between is no part of the one around it, and what stands there twice is one. */
	static const char *const paths[] = { "x/p/3.png", "x/p/1.png", "x/p/sub/1.png", "x/q/1.png",
					     "x/p/z.png", "x/p/1.png", "x/q/2.png",     "x/pp/1.png" };
	cairn_pairs *pairs;
	assert_ok(cairn_pairs_in_folders(&pairs, paths, 8, 0, 0));
	char *text = text_of(pairs, "x");
	assert_string_equal(text, "p/1.png>p/3.png\np/1.png>p/z.png\np/3.png>p/z.png\nq/1.png>q/2.png\n");
	/* Only images that are in a pair. */
	assert_int_equal(cairn_pairs_images(pairs), 5);
	free(text);
	cairn_pairs_free(pairs);
	assert_fails(cairn_pairs_in_folders(&pairs, paths + 2, 2, 0, 0), CAIRN_EINVALID,
		     "no folder holds two of the 2");
	assert_fails(cairn_pairs_in_folders(&pairs, paths, 0, 0, 0), CAIRN_EINVALID, "no folder");
}

/* A choice is of different pairs, the same for the same seed whatever the order, and each pair is chosen as often. */
static void choices_are_seeded(void **state)
{
	(void)state;
	enum { PLACES = 2, VIEWS = 5, MOST = 3, SEEDS = 2000 };
	static char names[PLACES * VIEWS][32];
	const char *paths[PLACES * VIEWS], *backwards[PLACES * VIEWS];
	int chosen[PLACES][VIEWS][VIEWS] = { { { 0 } } };
	for (size_t i = 0; i < PLACES * VIEWS; i++) {
		snprintf(names[i], sizeof(names[i]), "/%zu/%zu.png", i / VIEWS, i % VIEWS);
		paths[i] = backwards[PLACES * VIEWS - 1 - i] = names[i];
	}
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		cairn_pairs *pairs, *again;
		assert_ok(cairn_pairs_in_folders(&pairs, paths, PLACES * VIEWS, MOST, seed));
		assert_ok(cairn_pairs_in_folders(&again, backwards, PLACES * VIEWS, MOST, seed));
		assert_int_equal(cairn_pairs_count(pairs), PLACES * MOST);
		char *text = text_of(pairs, ""), *other = text_of(again, "");
		assert_string_equal(text, other);
		free(text);
		free(other);
		int before[PLACES][VIEWS][VIEWS];
		memcpy(before, chosen, sizeof(before));
		for (size_t i = 0; i < PLACES * MOST; i++) {
			const char *query, *positive;
			cairn_pairs_get(pairs, i, &query, &positive);
			int place = query[1] - '0', a = query[3] - '0', b = positive[3] - '0';
			assert_true(a < b && positive[1] == query[1]);
			chosen[place][a][b]++;
			assert_int_equal(chosen[place][a][b], before[place][a][b] + 1);
		}
		cairn_pairs_free(pairs);
		cairn_pairs_free(again);
	}
	for (size_t place = 0; place < PLACES; place++)
		for (size_t a = 0; a < VIEWS; a++)
			for (size_t b = a + 1; b < VIEWS; b++)
				assert_in_range(chosen[place][a][b], SEEDS * 3 / 10 - 120, SEEDS * 3 / 10 + 120);
}

static int read_once(void *context)
{
	cairn_pairs *pairs;
	int status = cairn_pairs_read(&pairs, context);
	cairn_pairs_free(pairs);
	return status;
}

static int pair_once(void *context)
{
	static const char *const paths[] = { "a/1", "a/2", "b/1", "b/2", "b/3" };
	cairn_pairs *pairs;
	(void)context;
	int status = cairn_pairs_in_folders(&pairs, paths, 5, 2, 1);
	cairn_pairs_free(pairs);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	char path[2048];
	snprintf(path, sizeof(path), "%s", file);
	cn_test_write(file, "a.png,b.png\nb.png,a.png\n", 24);
	assert_true(cn_torture(read_once, path) > 10);
	assert_true(cn_torture(pair_once, NULL) >= 9);
}

static int make_files(void **state)
{
	static const char *const names[] = { "a.png", "b.png", "c,d.png" };
	(void)state;
	folder = keep(cn_test_folder());
	file = keep(cn_test_path(folder, "pairs.csv"));
	for (size_t i = 0; i < 3; i++)
		cn_test_write(cn_test_path(folder, names[i]), "x", 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_read),           cmocka_unit_test(faults_name_the_line),
		cmocka_unit_test(images_of_a_folder_match), cmocka_unit_test(choices_are_seeded),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("global/pairs", tests, make_files, NULL);
}
