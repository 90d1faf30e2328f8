/*
 * model/bundle_file.h - the files that lie beside a model.json and are named in it.
 */
#ifndef CN_MODEL_BUNDLE_FILE_H
#define CN_MODEL_BUNDLE_FILE_H

#include <stddef.h>

#include "util/json.h"

/** A member that names a file in the bundle's folder. @param[out] out caller frees */
int cn_bundle_get_file(const json_t *object, const char *where, const char *key, char **out);

/** The same where the member may be missing; *out is then left as it is. */
int cn_bundle_opt_file(const json_t *object, const char *where, const char *key, char **out);

/**
 * Read an array of finite float32.
 *
 * @param         folder of the bundle
 * @param[in,out] shape  rank numbers; 0: any, and what it is is put there
 * @param[out]    out    caller frees
 */
int cn_bundle_read_array(const char *folder, const char *file, size_t rank, size_t *shape, float **out);

#endif
