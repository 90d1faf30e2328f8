/*
 * index/flat.h - what an index is made of, for work on all of its rows at once.
 */
#ifndef CN_INDEX_FLAT_H
#define CN_INDEX_FLAT_H

#include "index/row_parts.h"

const cn_row_parts *cn_index_parts(const cairn_index *index);

/** Which rows count, by number; NULL: all. */
const uint64_t *cn_index_live(const cairn_index *index);

#endif
