/* Vectors of images from a matrix. */
#include "data/vectors.h"
#include "support.h"

static const float rows[3][2] = { { 1, 2 }, { 3, 4 }, { 5, 6 } };

static void rows_in_the_order_asked_for(void **state)
{
	static const int64_t images[] = { 2, 0, 2 };
	static const float expected[] = { 5, 6, 1, 2, 5, 6 };
	cn_vectors vectors = cn_vectors_of_matrix(&rows[0][0], 3, 2);
	float got[6];
	(void)state;
	assert_int_equal(vectors.get(&vectors, images, 3, got), 0);
	assert_memory_equal(got, expected, sizeof(expected));
	assert_int_equal(vectors.get(&vectors, images, 0, got), 0);
}

static void unknown_images(void **state)
{
	static const int64_t unknown[] = { -1, 3, INT64_MAX };
	cn_vectors vectors = cn_vectors_of_matrix(&rows[0][0], 3, 2);
	float got[2];
	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_fails(vectors.get(&vectors, &unknown[i], 1, got), CAIRN_ENOTFOUND, "there are 3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_in_the_order_asked_for),
		cmocka_unit_test(unknown_images),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
