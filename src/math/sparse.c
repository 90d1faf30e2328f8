/*
 * Sparse matrices: made in two passes, one that counts the entries of each row and one that puts them down, so that
 * threads can share either.
 */
#include "math/sparse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

#define GRAIN 256 /* rows that a thread takes at once */

int cn_sparse_init(cn_sparse *out, size_t rows, size_t columns)
{
	memset(out, 0, sizeof(*out));
	if (rows > UINT32_MAX - 1 || columns > UINT32_MAX - 1)
		return cn_fail(CAIRN_ELIMIT, "a sparse matrix of %zu x %zu; at most %u rows and columns are possible",
			       rows, columns, UINT32_MAX - 1);
	out->rows = rows;
	out->columns = columns;
	CN_NEW(out->starts, rows + 1, sizeof(*out->starts));
	return 0;
}

int cn_sparse_make_room(cn_sparse *matrix)
{
	for (size_t i = 0; i < matrix->rows; i++)
		matrix->starts[i + 1] += matrix->starts[i];
	uint64_t count = matrix->starts[matrix->rows];
	CN_NEW(matrix->column, count, sizeof(*matrix->column));
	CN_NEW(matrix->values, count, sizeof(*matrix->values));
	return 0;
}

void cn_sparse_free(cn_sparse *matrix)
{
	cn_free(matrix->starts);
	cn_free(matrix->column);
	cn_free(matrix->values);
	memset(matrix, 0, sizeof(*matrix));
}

/* ---- from entries ---- */

static int check_entries(size_t rows, size_t columns, const cn_triplet *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].row >= rows || entries[i].column >= columns || !isfinite(entries[i].value))
			return cn_fail(CAIRN_EINVALID,
				       "sparse matrix of %zu x %zu: entry %zu is %g in row %u and column %u", rows,
				       columns, i, (double)entries[i].value, entries[i].row, entries[i].column);
	return 0;
}

/* Equal ones stay in the order given, as their addresses tell. */
static int by_place(const void *left, const void *right)
{
	const cn_triplet *a = *(const cn_triplet *const *)left, *b = *(const cn_triplet *const *)right;
	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int is_new_place(const cn_triplet *const *order, size_t i)
{
	return i == 0 || order[i]->row != order[i - 1]->row || order[i]->column != order[i - 1]->column;
}

static int fill_from(cn_sparse *out, const cn_triplet *const *order, size_t count)
{
	for (size_t i = 0; i < count; i++)
		out->starts[order[i]->row + 1] += (uint64_t)is_new_place(order, i);
	CN_TRY(cn_sparse_make_room(out));
	for (size_t i = 0, place = 0; i < count; i++) {
		place += (size_t)is_new_place(order, i);
		out->column[place - 1] = order[i]->column;
		out->values[place - 1] += order[i]->value;
	}
	return 0;
}

int cn_sparse_new(cn_sparse *out, size_t rows, size_t columns, const cn_triplet *entries, size_t count)
{
	memset(out, 0, sizeof(*out));
	CN_TRY(check_entries(rows, columns, entries, count));
	const cn_triplet **order = cn_alloc(count, sizeof(const cn_triplet *));
	if (!order)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < count; i++)
		order[i] = &entries[i];
	if (count > 1)
		qsort(order, count, sizeof(const cn_triplet *), by_place);
	int status = cn_sparse_init(out, rows, columns);
	if (status == 0)
		status = fill_from(out, order, count);
	cn_free(order);
	if (status < 0)
		cn_sparse_free(out);
	return status;
}

/* ---- from another ---- */

static int transpose(cn_sparse *out, const cn_sparse *matrix, uint64_t *next)
{
	for (uint64_t k = 0; k < matrix->starts[matrix->rows]; k++)
		out->starts[matrix->column[k] + 1]++;
	CN_TRY(cn_sparse_make_room(out));
	memcpy(next, out->starts, out->rows * sizeof(*next));
	for (size_t i = 0; i < matrix->rows; i++)
		for (uint64_t k = matrix->starts[i]; k < matrix->starts[i + 1]; k++) {
			uint64_t place = next[matrix->column[k]]++;
			out->column[place] = (uint32_t)i;
			out->values[place] = matrix->values[k];
		}
	return 0;
}

int cn_sparse_transpose(cn_sparse *out, const cn_sparse *matrix)
{
	memset(out, 0, sizeof(*out));
	uint64_t *next = cn_alloc(matrix->columns, sizeof(*next));
	int status = next ? cn_sparse_init(out, matrix->columns, matrix->rows) : CAIRN_ENOMEM;
	if (status == 0)
		status = transpose(out, matrix, next);
	cn_free(next);
	if (status < 0)
		cn_sparse_free(out);
	return status;
}

struct choice {
	const cn_sparse *matrix;
	const uint32_t *chosen;
	uint32_t *place; /* columns: the new number + 1, 0: not chosen */
	cn_sparse *out;
};

static int count_chosen(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct choice *choice = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		const uint64_t *starts = choice->matrix->starts + choice->chosen[i];
		for (uint64_t k = starts[0]; k < starts[1]; k++)
			choice->out->starts[i + 1] += choice->place[choice->matrix->column[k]] != 0;
	}
	return 0;
}

static int copy_chosen(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct choice *choice = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		const uint64_t *starts = choice->matrix->starts + choice->chosen[i];
		uint64_t to = choice->out->starts[i];
		for (uint64_t k = starts[0]; k < starts[1]; k++) {
			uint32_t place = choice->place[choice->matrix->column[k]];
			if (!place)
				continue;
			choice->out->column[to] = place - 1;
			choice->out->values[to++] = choice->matrix->values[k];
		}
	}
	return 0;
}

static int check_choice(const cn_sparse *matrix, const uint32_t *chosen, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (chosen[i] >= matrix->rows || (i && chosen[i] <= chosen[i - 1]))
			return cn_fail(CAIRN_EINVALID,
				       "rows of a sparse matrix: number %u, the choice's %zu of %zu, must be below %zu "
				       "and above the one before",
				       chosen[i], i, count, matrix->rows);
	return 0;
}

int cn_sparse_submatrix(cn_sparse *out, const cn_sparse *matrix, const uint32_t *chosen, size_t count, cn_workers *pool)
{
	struct choice choice = { matrix, chosen, NULL, out };
	int status;
	memset(out, 0, sizeof(*out));
	CN_TRY(check_choice(matrix, chosen, count));
	CN_NEW(choice.place, matrix->columns, sizeof(*choice.place));
	for (size_t i = 0; i < count; i++)
		choice.place[chosen[i]] = (uint32_t)i + 1;
	CN_GOTO(status, cn_sparse_init(out, count, count));
	CN_GOTO(status, cn_parallel_for(pool, count, GRAIN, count_chosen, &choice));
	CN_GOTO(status, cn_sparse_make_room(out));
	status = cn_parallel_for(pool, count, GRAIN, copy_chosen, &choice);
done:
	cn_free(choice.place);
	if (status < 0)
		cn_sparse_free(out);
	return status;
}

/* ---- its numbers ---- */

struct scaling {
	cn_sparse *matrix;
	float *roots;
};

static int find_roots(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct scaling *scaling = context;
	const cn_sparse *matrix = scaling->matrix;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		double sum = 0;
		for (uint64_t k = matrix->starts[i]; k < matrix->starts[i + 1]; k++)
			sum += (double)matrix->values[k];
		scaling->roots[i] = sum > 0 ? (float)sqrt(sum) : 0;
	}
	return 0;
}

static int scale_rows(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct scaling *scaling = context;
	const cn_sparse *matrix = scaling->matrix;
	(void)worker;
	for (size_t i = begin; i < end; i++)
		for (uint64_t k = matrix->starts[i]; k < matrix->starts[i + 1]; k++) {
			/* In double: the product of two small roots may be no float. */
			double roots = (double)scaling->roots[i] * (double)scaling->roots[matrix->column[k]];
			matrix->values[k] = roots > 0 ? (float)((double)matrix->values[k] / roots) : 0;
		}
	return 0;
}

int cn_sparse_normalise(cn_sparse *matrix, float *roots, cn_workers *pool)
{
	struct scaling scaling = { matrix, roots };
	if (!roots)
		CN_NEW(scaling.roots, matrix->rows, sizeof(*scaling.roots));
	int status = cn_parallel_for(pool, matrix->rows, GRAIN, find_roots, &scaling);
	if (status == 0)
		status = cn_parallel_for(pool, matrix->rows, GRAIN, scale_rows, &scaling);
	if (!roots)
		cn_free(scaling.roots);
	return status;
}
