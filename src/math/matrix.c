/*
 * The only file that knows BLAS and LAPACK.
 */
#include "math/matrix.h"

#include <cblas.h>
#include <lapacke.h>
#include <pthread.h>
#include <string.h>

#include "util/memory.h"

static void one_thread(void)
{
	openblas_set_num_threads(1);
}

/* cairn's own pool does the sharing out, so BLAS is held to one thread. */
static void initialise(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, one_thread);
}

int cn_matrix_eigen(size_t n, const double *symmetric, double *values, double *vectors)
{
	initialise();
	double *ascending = cn_alloc(n, sizeof(*ascending));
	double *work = cn_memdup(symmetric, n * n * sizeof(*work));
	int status = ascending && work ? 0 : CAIRN_ENOMEM;
	if (status == 0) {
		/* Column order of a symmetric matrix is its row order; then each eigenvector is a contiguous row. */
		int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', (int)n, work, (int)n, ascending);
		if (info != 0)
			status = cn_fail(CAIRN_EBACKEND, "eigenvectors of a %zu x %zu matrix: LAPACK gave %d", n, n,
					 info);
	}
	for (size_t i = 0; status == 0 && i < n; i++) {
		values[i] = ascending[n - 1 - i];
		memcpy(vectors + i * n, work + (n - 1 - i) * n, n * sizeof(*vectors));
	}
	cn_free(ascending);
	cn_free(work);
	return status;
}

void cn_matrix_add_squares(size_t n, const double *rows, size_t count, double *upper)
{
	initialise();
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)n, (int)count, 1.0, rows, (int)n, 1.0, upper, (int)n);
}

int cn_matrix_cholesky(size_t n, double *symmetric)
{
	initialise();
	/* What is the lower triangle by rows is the upper one by columns, and so LAPACK need not transpose. */
	int info = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', (int)n, symmetric, (int)n);
	if (info < 0)
		return cn_fail(CAIRN_EBACKEND, "Cholesky factor of a %zu x %zu matrix: LAPACK gave %d", n, n, info);
	for (size_t r = 0; r < n; r++)
		memset(symmetric + r * n + r + 1, 0, (n - r - 1) * sizeof(*symmetric));
	return info == 0;
}

int cn_matrix_invert_lower(size_t n, double *lower)
{
	initialise();
	int info = LAPACKE_dtrtri(LAPACK_COL_MAJOR, 'U', 'N', (int)n, lower, (int)n);
	if (info == 0)
		return 0;
	return cn_fail(CAIRN_EBACKEND, "inverse of a triangular %zu x %zu matrix: LAPACK gave %d", n, n, info);
}

void cn_matrix_transform(size_t n, const double *lower, double *symmetric)
{
	initialise();
	cblas_dtrmm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)n, (int)n, 1.0, lower,
		    (int)n, symmetric, (int)n);
	cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)n, (int)n, 1.0, lower, (int)n,
		    symmetric, (int)n);
}

void cn_matrix_times_lower(size_t n, double *rows, size_t count, const double *lower)
{
	initialise();
	cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (int)count, (int)n, 1.0, lower,
		    (int)n, rows, (int)n);
}
