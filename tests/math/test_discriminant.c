/*
 * Supervised whitening against a dense computation by loops, and by what it must not depend on.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/discriminant.h"
#include "support.h"
#include "torture.h"

enum { DIM = 7, ROWS = 60, PAIRS = 45 };

struct world {
	float rows[ROWS * DIM];
	uint32_t pairs[2 * PAIRS];
};

/* Pairs differ much along some directions, and rows along others. */
static void make_world(struct world *world, uint64_t seed)
{
	float mix[DIM][DIM];
	for (size_t r = 0; r < DIM; r++)
		for (size_t c = 0; c < DIM; c++)
			mix[r][c] = cn_test_normal(&seed);
	for (size_t i = 0; i < ROWS; i += 2) {
		float place[DIM];
		for (size_t k = 0; k < DIM; k++)
			place[k] = cn_test_normal(&seed) / (float)(k + 1);
		for (size_t view = i; view < i + 2; view++)
			for (size_t k = 0; k < DIM; k++) {
				float sum = 2;
				for (size_t c = 0; c < DIM; c++)
					sum += mix[k][c] * place[c] + 0.05f * (float)(c + 1) * cn_test_normal(&seed);
				world->rows[view * DIM + k] = sum;
			}
	}
	for (size_t i = 0; i < PAIRS; i++) {
		uint32_t place = (uint32_t)(cn_test_random(&seed) % (ROWS / 2));
		world->pairs[2 * i] = 2 * place;
		world->pairs[2 * i + 1] = 2 * place + 1;
	}
}

/* ---- the plain way ---- */

static void cholesky(double a[DIM][DIM])
{
	for (size_t r = 0; r < DIM; r++)
		for (size_t c = 0; c < DIM; c++) {
			double sum = a[r][c];
			for (size_t k = 0; k < c; k++)
				sum -= a[r][k] * a[c][k];
			a[r][c] = c > r ? 0 : c == r ? sqrt(sum) : sum / a[c][c];
		}
}

static void invert_lower(double l[DIM][DIM], double out[DIM][DIM])
{
	memset(out, 0, sizeof(double[DIM][DIM]));
	for (size_t c = 0; c < DIM; c++)
		for (size_t r = c; r < DIM; r++) {
			double sum = r == c;
			for (size_t k = c; k < r; k++)
				sum -= l[r][k] * out[k][c];
			out[r][c] = sum / l[r][r];
		}
}

static void rotate(double a[DIM][DIM], double v[DIM][DIM], size_t p, size_t q)
{
	double angle = 0.5 * atan2(2 * a[p][q], a[q][q] - a[p][p]), c = cos(angle), s = sin(angle);
	for (size_t k = 0; k < DIM; k++) {
		double x = a[k][p], y = a[k][q];
		a[k][p] = c * x - s * y;
		a[k][q] = s * x + c * y;
	}
	for (size_t k = 0; k < DIM; k++) {
		double x = a[p][k], y = a[q][k];
		a[p][k] = c * x - s * y;
		a[q][k] = s * x + c * y;
		x = v[k][p], y = v[k][q];
		v[k][p] = c * x - s * y;
		v[k][q] = s * x + c * y;
	}
}

struct plain {
	double mean[DIM], projection[DIM][DIM];
};

/* V^T inverse, axes by descending eigenvalue. @param a symmetric; destroyed */
static void turn(struct plain *out, double a[DIM][DIM], double inverse[DIM][DIM])
{
	double v[DIM][DIM] = { { 0 } };
	for (size_t k = 0; k < DIM; k++)
		v[k][k] = 1;
	for (int sweep = 0; sweep < 60; sweep++)
		for (size_t p = 0; p < DIM; p++)
			for (size_t q = p + 1; q < DIM; q++)
				rotate(a, v, p, q);
	for (size_t rank = 0; rank < DIM; rank++) {
		size_t best = 0;
		for (size_t k = 1; k < DIM; k++)
			if (a[k][k] > a[best][best])
				best = k;
		a[best][best] = -INFINITY;
		for (size_t c = 0; c < DIM; c++) {
			out->projection[rank][c] = 0;
			for (size_t k = 0; k < DIM; k++)
				out->projection[rank][c] += v[k][best] * inverse[k][c];
		}
	}
}

static void learn_plainly(struct plain *out, const struct world *world)
{
	double spread[DIM][DIM] = { { 0 } }, inverse[DIM][DIM], moment[DIM][DIM] = { { 0 } };
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < PAIRS; i++) {
		const float *q = world->rows + world->pairs[2 * i] * DIM,
			    *p = world->rows + world->pairs[2 * i + 1] * DIM;
		for (size_t r = 0; r < DIM; r++) {
			out->mean[r] += (double)q[r] / PAIRS;
			for (size_t c = 0; c < DIM; c++)
				spread[r][c] += ((double)q[r] - (double)p[r]) * ((double)q[c] - (double)p[c]) / PAIRS;
		}
	}
	cholesky(spread);
	invert_lower(spread, inverse);
	for (size_t i = 0; i < ROWS; i++) {
		double white[DIM] = { 0 };
		for (size_t r = 0; r < DIM; r++)
			for (size_t c = 0; c < DIM; c++)
				white[r] += inverse[r][c] * ((double)world->rows[i * DIM + c] - out->mean[c]);
		for (size_t r = 0; r < DIM; r++)
			for (size_t c = 0; c < DIM; c++)
				moment[r][c] += white[r] * white[c] / ROWS;
	}
	turn(out, moment, inverse);
}

/* Which way an axis points is left open. */
static void assert_axis(const float *found, const double *expected, double tolerance)
{
	double sign = 0, size = 0;
	for (size_t k = 0; k < DIM; k++) {
		sign += (double)found[k] * expected[k];
		size = fmax(size, fabs(expected[k]));
	}
	for (size_t k = 0; k < DIM; k++)
		assert_true(fabs((double)found[k] - copysign(1, sign) * expected[k]) < tolerance * size);
}

static void equals_a_dense_computation(void **state)
{
	static struct world world;
	struct plain plain;
	cn_discriminant found;
	(void)state;
	for (size_t keep = 1; keep <= DIM; keep++) {
		make_world(&world, 100 + keep);
		learn_plainly(&plain, &world);
		assert_ok(cn_discriminant_learn(&found, world.rows, ROWS, DIM, world.pairs, PAIRS, keep));
		assert_int_equal(found.dim, DIM);
		assert_int_equal(found.kept, keep);
		assert_true(found.ridge < 1.5e-10);
		for (size_t k = 0; k < DIM; k++)
			assert_true(fabs((double)found.mean[k] - plain.mean[k]) < 1e-6);
		for (size_t i = 0; i < keep; i++)
			assert_axis(found.projection + i * DIM, plain.projection[i], 1e-5);
		cn_discriminant_free(&found);
	}
}

/* @param[out] out kept numbers of P (x - m) */
static void project(const cn_discriminant *learned, const float *row, double *out)
{
	for (size_t i = 0; i < learned->kept; i++) {
		out[i] = 0;
		for (size_t k = 0; k < learned->dim; k++)
			out[i] += (double)learned->projection[i * learned->dim + k] *
				  ((double)row[k] - (double)learned->mean[k]);
	}
}

/* Behind the projection pairs differ alike in all directions, and the axes of the rows are those of coordinates. */
static void what_it_makes_white_is_white(void **state)
{
	static struct world world;
	double spread[DIM][DIM] = { { 0 } }, moment[DIM][DIM] = { { 0 } };
	cn_discriminant learned;
	(void)state;
	make_world(&world, 7);
	assert_ok(cn_discriminant_learn(&learned, world.rows, ROWS, DIM, world.pairs, PAIRS, DIM));
	for (size_t i = 0; i < PAIRS; i++) {
		double q[DIM], p[DIM];
		project(&learned, world.rows + world.pairs[2 * i] * DIM, q);
		project(&learned, world.rows + world.pairs[2 * i + 1] * DIM, p);
		for (size_t r = 0; r < DIM; r++)
			for (size_t c = 0; c < DIM; c++)
				spread[r][c] += (q[r] - p[r]) * (q[c] - p[c]) / PAIRS;
	}
	for (size_t i = 0; i < ROWS; i++) {
		double x[DIM];
		project(&learned, world.rows + i * DIM, x);
		for (size_t r = 0; r < DIM; r++)
			for (size_t c = 0; c < DIM; c++)
				moment[r][c] += x[r] * x[c] / ROWS;
	}
	for (size_t r = 0; r < DIM; r++) {
		assert_true(r == 0 || moment[r][r] <= moment[r - 1][r - 1] * (1 + 1e-6));
		for (size_t c = 0; c < DIM; c++) {
			assert_true(fabs(spread[r][c] - (r == c)) < 1e-4);
			assert_true(r == c || fabs(moment[r][c]) < 1e-4 * moment[0][0]);
		}
	}
	cn_discriminant_free(&learned);
}

/* Rows that are moved, stretched and sheared are projected to the same places: none of that says what matches. */
static void linear_maps_change_nothing(void **state)
{
	static struct world world, other;
	cn_discriminant a, b;
	uint64_t seed = 3;
	float map[DIM][DIM];
	(void)state;
	make_world(&world, 8);
	other = world;
	for (size_t r = 0; r < DIM; r++)
		for (size_t c = 0; c < DIM; c++)
			map[r][c] = (r == c ? 2.0f : 0) + 0.4f * cn_test_normal(&seed);
	for (size_t i = 0; i < ROWS; i++)
		for (size_t r = 0; r < DIM; r++) {
			double sum = 5 - (double)r;
			for (size_t c = 0; c < DIM; c++)
				sum += (double)map[r][c] * (double)world.rows[i * DIM + c];
			other.rows[i * DIM + r] = (float)sum;
		}
	assert_ok(cn_discriminant_learn(&a, world.rows, ROWS, DIM, world.pairs, PAIRS, DIM));
	assert_ok(cn_discriminant_learn(&b, other.rows, ROWS, DIM, other.pairs, PAIRS, DIM));
	double signs[DIM] = { 0 };
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < ROWS; i++) {
			double x[DIM], y[DIM];
			project(&a, world.rows + i * DIM, x);
			project(&b, other.rows + i * DIM, y);
			for (size_t k = 0; k < DIM; k++) {
				if (pass == 0)
					signs[k] += x[k] * y[k];
				else
					assert_true(fabs(x[k] - copysign(1, signs[k]) * y[k]) <
						    2e-3 * (1 + fabs(x[k])));
			}
		}
	cn_discriminant_free(&a);
	cn_discriminant_free(&b);
}

/* With fewer pairs than dimensions the moment has no factor of its own, and the ridge gives it one. */
static void few_pairs_are_enough_for_finite_numbers(void **state)
{
	static struct world world;
	cn_discriminant learned;
	(void)state;
	make_world(&world, 9);
	for (size_t pairs = 1; pairs < DIM; pairs++) {
		assert_ok(cn_discriminant_learn(&learned, world.rows, ROWS, DIM, world.pairs, pairs, DIM));
		assert_true(learned.ridge >= 1e-10 && learned.ridge < 1e-5);
		for (size_t k = 0; k < DIM * DIM; k++)
			assert_true(isfinite(learned.projection[k]));
		cn_discriminant_free(&learned);
	}
}

static void faults_are_reported(void **state)
{
	float rows[] = { 1, 2, 1, 2, 3, 5 };
	static const uint32_t alike[] = { 0, 1 }, outside[] = { 0, 3 }, good[] = { 0, 2 };
	cn_discriminant out;
	(void)state;
	assert_fails(cn_discriminant_learn(&out, rows, 3, 2, alike, 1, 2), CAIRN_EINVALID, "are equal");
	assert_fails(cn_discriminant_learn(&out, rows, 3, 2, outside, 1, 2), CAIRN_EINVALID, "rows 0 and 3, of 3");
	assert_fails(cn_discriminant_learn(&out, rows, 3, 2, good, 0, 2), CAIRN_EINVALID, "0 pairs");
	assert_fails(cn_discriminant_learn(&out, rows, 3, 2, good, 1, 0), CAIRN_EINVALID, "0 dimensions to keep");
	assert_fails(cn_discriminant_learn(&out, rows, 3, 2, good, 1, 3), CAIRN_EINVALID, "3 dimensions to keep");
	assert_fails(cn_discriminant_learn(&out, rows, 1, 2, good, 1, 1), CAIRN_EINVALID, "1 rows");
	rows[3] = INFINITY;
	assert_fails(cn_discriminant_learn(&out, rows, 3, 2, good, 1, 2), CAIRN_EINVALID, "not finite");
	assert_null(out.projection);
}

static int learn_once(void *context)
{
	const struct world *world = context;
	cn_discriminant learned;
	int status = cn_discriminant_learn(&learned, world->rows, ROWS, DIM, world->pairs, PAIRS, 3);
	cn_discriminant_free(&learned);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	static struct world world;
	(void)state;
	make_world(&world, 10);
	assert_true(cn_torture(learn_once, &world) >= 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_a_dense_computation), cmocka_unit_test(what_it_makes_white_is_white),
		cmocka_unit_test(linear_maps_change_nothing), cmocka_unit_test(few_pairs_are_enough_for_finite_numbers),
		cmocka_unit_test(faults_are_reported),        cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
