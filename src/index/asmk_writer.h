/*
 * index/asmk_writer.h - writing ASMK files image by image or, for merging, posting by posting.
 */
#ifndef CN_INDEX_ASMK_WRITER_H
#define CN_INDEX_ASMK_WRITER_H

#include "index/asmk_file.h"

/** Begin a file. @param header what it is to say of kind, dim, words, flags and codebook_crc; the rest is filled in */
int cn_asmk_writer_begin(cairn_asmk_writer **out, const char *path, const cn_asmk_header *header);

/** 1 if an image with `words` words must begin a new block. */
int cn_asmk_writer_is_full(const cairn_asmk_writer *writer, size_t words);

/** Append an image to the current block. @param image above the one before */
int cn_asmk_writer_image(cairn_asmk_writer *writer, int64_t image, size_t words);

/** Append postings of one word in the current block; in any order, but one a word and image. @param images their
 * numbers within the block */
int cn_asmk_writer_posting(cairn_asmk_writer *writer, uint32_t word, size_t image, const uint8_t *code, float scale);

/** Write the current block, if it has images. */
int cn_asmk_writer_flush(cairn_asmk_writer *writer);

#endif
