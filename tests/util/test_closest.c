/* Names that were probably meant. */
#include "support.h"
#include "util/closest.h"

static const char *const names[] = { "search",  "verify",           "k",          "kq", "alpha",
				     "queries", "queries_in_graph", "min_inliers" };

static const struct {
	const char *word, *meant;
} words[] = {
	{ "serach", "search" },    /* exchanged */
	{ "seach", "search" },     /* left out */
	{ "searchh", "search" },   /* too much */
	{ "sxxrch", "search" },    /* two of six */
	{ "sxxxch", NULL },        /* three of six */
	{ "que", "queries" },      /* a beginning; the first of two */
	{ "queries_", "queries" }, /* one letter too much is as near as a beginning, and stands before */
	{ "queries_i", "queries_in_graph" },
	{ "x", NULL },
	{ "kw", "k" }, /* one letter from k, and from kq */
	{ "beta", NULL },
	{ "", NULL },
	{ "min-inliers", "min_inliers" },
	{ "Verify", "verify" },
	{ "frobnicate", NULL },
};

static void what_is_meant(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		const char *meant = cn_closest(words[i].word, names, sizeof(names) / sizeof(*names));
		if (words[i].meant)
			assert_string_equal(meant, words[i].meant);
		else
			assert_null(meant);
	}
	assert_null(cn_closest("search", names, 0));
}

static void long_words_are_near_to_nothing(void **state)
{
	(void)state;
	char word[80], name[80];
	const char *const one[] = { name };
	for (size_t length = 63; length <= 66; length++) {
		snprintf(word, sizeof(word), "%0*d", (int)length, 0);
		snprintf(name, sizeof(name), "%0*d", (int)length, 1);
		assert_ptr_equal(cn_closest(word, one, 1), length <= 64 ? name : NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_meant),
		cmocka_unit_test(long_words_are_near_to_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
