/* The order of ranked positions against qsort(). */
#include <stdlib.h>
#include <string.h>

#include "rank/diffuse_lists.h"
#include "support.h"

enum { MOST = 3000 };

static int by_definition(const void *left, const void *right)
{
	const cn_scored_row *a = left, *b = right;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

/* Few different scores, of either sign, zeros of both signs, and many. */
static void order_by_score_then_row(void **state)
{
	static const size_t counts[] = { 0, 1, 2, 17, 255, 1000, MOST };
	static cn_scored_row items[MOST], room[MOST], wanted[MOST];
	uint64_t seed = 1;
	(void)state;
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
		for (int different = 0; different < 2; different++) {
			size_t count = counts[c];
			for (size_t i = 0; i < count; i++) {
				float score = cn_test_normal(&seed);
				if (!different)
					score = score < 0 ? -0.0f : score > 1 ? -1e-30f : score > 0.5f ? 0.25f : 0;
				items[i] = (cn_scored_row){ score, (uint32_t)(i * 7919 % MOST) };
			}
			memcpy(wanted, items, sizeof(items));
			qsort(wanted, count, sizeof(*wanted), by_definition);
			cn_diffuse_sort(items, room, count);
			for (size_t i = 0; i < count; i++) {
				assert_int_equal(items[i].row, wanted[i].row);
				assert_true(items[i].score == wanted[i].score);
			}
		}
}

static void weights_are_powers_of_what_is_above_zero(void **state)
{
	static const float cases[][3] = {
		{ 0.5f, 3, 0.125f }, { 0.25f, 0.5f, 0.5f }, { 0.7f, 1, 0.7f },
		{ 0, 3, 0 },         { -0.5f, 3, 0 },       { -0.5f, 2, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(cn_diffusion_weight(cases[i][0], cases[i][1]) == cases[i][2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_by_score_then_row),
		cmocka_unit_test(weights_are_powers_of_what_is_above_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
