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
