/*
 * index/ivf.h - what the files of the inverted file share.
 */
#ifndef CN_INDEX_IVF_H
#define CN_INDEX_IVF_H

#include "cairn/ivf.h"
#include "util/mapped.h"

#define CN_IVF_DEPTHS     4    /* k for which recall was measured: 1, 10, 100, 1000 */
#define CN_IVF_MAX_PROBES 1024 /* most probes for which it was */
#define CN_IVF_QUERIES    1000 /* rows with which it was, where there are as many */

/** By what of query and centroid lists are ordered. */
typedef enum { CN_IVF_BY_PRODUCT, CN_IVF_BY_COSINE, CN_IVF_ORDERS } cn_ivf_order;

struct cairn_ivf {
	size_t dim, list_count;
	float *centroids; /* list_count x dim */
	cn_ivf_order order;
	float *weights; /* list_count: what the products of queries and centroids are multiplied with for that order */
	int8_t *codes;  /* the centroids times their weights, encoded */
	float *scales;
	double error;
	float *recall;        /* CN_IVF_DEPTHS x CN_IVF_MAX_PROBES: with 1, 2, 3 ... probes */
	uint32_t fingerprint; /* of the centroids */
};

/** The k for which recall was measured, ascending. */
extern const size_t cn_ivf_depths[CN_IVF_DEPTHS];

/** Room for centroids and recall. */
int cn_ivf_new(cairn_ivf **out, size_t dim, size_t lists);

/** Fill in what follows from the centroids and the order. */
void cn_ivf_finish(cairn_ivf *ivf);

/** As cairn_ivf_open(), of bytes in memory, which are copied. @param name what errors call it */
int cn_ivf_parse(cairn_ivf **out, const void *bytes, size_t length, const char *name);

struct cairn_ivf_lists {
	cn_mapped file;       /* empty where the bytes are borrowed */
	const uint8_t *bytes; /* the whole file */
	char *path;
	uint32_t quantizer; /* its fingerprint */
	size_t rows, dim, list_count;
	const uint64_t *starts;  /* list_count + 1 */
	const uint32_t *numbers; /* rows: which row of the part */
	const float *scales;     /* rows */
	const int8_t *codes;     /* rows x dim */
};

/** As cairn_ivf_lists_open(), of bytes in memory, which are borrowed and aligned to 8. @param name what errors call it
 */
int cn_ivf_lists_parse(cairn_ivf_lists **out, const void *bytes, size_t length, const char *name, const cairn_ivf *ivf,
		       size_t rows);

#endif
