/*
 * util/npy.h - NumPy's .npy files (versions 1.0 to 3.0 read, 1.0 written): C order, little endian.
 */
#ifndef CN_UTIL_NPY_H
#define CN_UTIL_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "util/file.h"
#include "util/mapped.h"

#define CN_NPY_MAX_RANK 8

typedef enum { CN_NPY_F32, CN_NPY_F16, CN_NPY_F64, CN_NPY_I8, CN_NPY_U8, CN_NPY_I32, CN_NPY_I64 } cn_npy_type;

size_t cn_npy_type_size(cn_npy_type type);

/** A mapped array. */
typedef struct {
	cn_mapped file;
	cn_npy_type type;
	size_t rank;
	size_t shape[CN_NPY_MAX_RANK];
	size_t count;     /**< product of the shape */
	const void *data; /**< aligned to 64 bytes in files written by cairn; do not assume more than 1 in others */
} cn_npy;

/** Map an array. Header and size are checked: CAIRN_EFORMAT names the fault (Fortran order, other types, short file).
 */
int cn_npy_open(cn_npy *out, const char *path);

/** Parse an array in memory, which is borrowed. @param name what errors call it */
int cn_npy_parse(cn_npy *out, const void *bytes, size_t length, const char *name);
void cn_npy_close(cn_npy *array);

/** CAIRN_EFORMAT unless the array has this type and rank, and this size in every dimension that is not 0 in `shape`. */
int cn_npy_expect(const cn_npy *array, const char *name, cn_npy_type type, size_t rank, const size_t *shape);

/** Write a whole array atomically; data begin at a multiple of 64 bytes. */
int cn_npy_write(const char *path, cn_npy_type type, size_t rank, const size_t *shape, const void *data);

/** Write the header only, for writers that stream the rows into an open file. */
int cn_npy_write_header(cn_atomic_file *file, cn_npy_type type, size_t rank, const size_t *shape);

#endif
