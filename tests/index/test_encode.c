/* Rows as an index keeps them: halves, and codes that halves alone decide. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/index.h"
#include "levels.h"
#include "math/half.h"
#include "support.h"
#include "util/memory.h"

#define ROWS 40
#define DIM  67

struct encoded {
	uint16_t halves[ROWS * DIM];
	int8_t codes[ROWS * DIM];
	float scales[ROWS];
};

/* Rows of all sizes that half precision has, of its subnormal numbers too, and one of zeros. */
static void fill(float *rows, uint64_t *seed)
{
	for (size_t i = 0; i < ROWS; i++)
		for (size_t k = 0; k < DIM; k++)
			rows[i * DIM + k] = i ? ldexpf(cn_test_uniform(seed) - 0.5f, 16 - (int)i) : 0;
	rows[DIM] = 65504;
	rows[DIM + 1] = -65504;
}

static void rows_are_rounded_and_encoded(void **state)
{
	static float rows[ROWS * DIM];
	static struct encoded made;
	uint64_t seed = 1;
	(void)state;
	fill(rows, &seed);
	assert_ok(cairn_index_encode(rows, ROWS, DIM, made.halves, made.codes, made.scales));
	for (size_t i = 0; i < ROWS; i++) {
		int largest = 0;
		for (size_t k = 0; k < DIM; k++) {
			float half = cn_half_to_float(made.halves[i * DIM + k]);
			int code = made.codes[i * DIM + k];
			assert_int_equal(made.halves[i * DIM + k], cn_half_from_float(rows[i * DIM + k]));
			assert_true(fabsf((float)code * made.scales[i] - half) <= made.scales[i] * 0.50001f);
			largest = abs(code) > largest ? abs(code) : largest;
		}
		assert_int_equal(largest, made.scales[i] > 0 ? 127 : 0);
	}
	assert_true(made.scales[0] == 0);
	assert_true(made.scales[1] == 65504.0f / 127);
	assert_true(made.scales[ROWS - 1] > 0);
}

/* Encoding what was kept gives it again, at every level: so codes can be checked, and made anew. */
static void codes_are_a_function_of_the_half_row(void **state)
{
	static float rows[ROWS * DIM], rounded[ROWS * DIM];
	static struct encoded made, again;
	uint64_t seed = 2;
	(void)state;
	fill(rows, &seed);
	cn_kernels_force(CN_KERNELS_SCALAR);
	assert_ok(cairn_index_encode(rows, ROWS, DIM, made.halves, made.codes, made.scales));
	cn_halves_to_floats(made.halves, ROWS * DIM, rounded);
	assert_memory_not_equal(rounded, rows, sizeof(rows));
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
		cn_kernels_force((cn_kernels)level);
		memset(&again, 0x55, sizeof(again));
		assert_ok(cairn_index_encode(rows, ROWS, DIM, again.halves, again.codes, again.scales));
		assert_memory_equal(&again, &made, sizeof(made));
		memset(&again, 0x55, sizeof(again));
		assert_ok(cairn_index_encode(rounded, ROWS, DIM, again.halves, again.codes, again.scales));
		assert_memory_equal(&again, &made, sizeof(made));
		/* One by one as well as together. */
		for (size_t i = 0; i < ROWS; i++)
			assert_ok(cairn_index_encode(rows + i * DIM, 1, DIM, again.halves + i * DIM,
						     again.codes + i * DIM, again.scales + i));
		assert_memory_equal(&again, &made, sizeof(made));
	}
}

static void faults_are_reported(void **state)
{
	static const struct {
		size_t at;
		float number;
		const char *part;
	} faults[] = {
		{ 0, NAN, "row 0 holds nan" },
		{ 2 * DIM + 5, INFINITY, "row 2 holds inf" },
		{ 39 * DIM + 66, -INFINITY, "row 39 holds -inf" },
		{ DIM, 65505, "row 1 holds 65505, which is no half-precision number (up to 65504)" },
		{ 3 * DIM - 1, -1e30f, "row 2 holds -1e+30" },
	};
	static float rows[ROWS * DIM];
	static struct encoded made;
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		rows[faults[i].at] = faults[i].number;
		assert_fails(cairn_index_encode(rows, ROWS, DIM, made.halves, made.codes, made.scales), CAIRN_EINVALID,
			     faults[i].part);
		rows[faults[i].at] = 0;
	}
	cn_memory_fail_at(0);
	assert_fails(cairn_index_encode(rows, ROWS, DIM, made.halves, made.codes, made.scales), CAIRN_ENOMEM, NULL);
	cn_memory_fail_at(-1);
	assert_ok(cairn_index_encode(NULL, 0, DIM, NULL, NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_rounded_and_encoded),
		cmocka_unit_test(codes_are_a_function_of_the_half_row),
		cmocka_unit_test(faults_are_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
