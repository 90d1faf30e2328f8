/*
 * recipe/pairs.h - which pairs of query and image were verified, and their inliers, in a file that only grows.
 *
 * So no pair is verified twice, by whichever stages, and a run that is killed loses what was not yet written. A record
 * of the file is 24 bytes, little endian: query (uint64), image (int64), inliers (int32), CRC-32C of these 20 bytes.
 * What follows the first record that is not whole is cut off.
 */
#ifndef CN_RECIPE_PAIRS_H
#define CN_RECIPE_PAIRS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
	uint64_t query;
	int64_t image;
	int32_t inliers;
	uint32_t crc;
} cn_pair_record;

/** Start zeroed. */
typedef struct {
	char *path;
	int file;                /* -1: nothing is kept */
	cn_pair_record *records; /* what the file held when it was opened, by query, then image */
	size_t count;
} cn_pair_file;

/** @param path copied; NULL: nothing is kept @return 0; CAIRN_EIO; CAIRN_ENOMEM */
int cn_pair_file_open(cn_pair_file *out, const char *path);
void cn_pair_file_close(cn_pair_file *pairs);

/** @return the inliers, or CAIRN_NO_INLIERS where the pair was not there when the file was opened */
int32_t cn_pair_file_find(const cn_pair_file *pairs, size_t query, int64_t image);

/** Append pairs of one query. @return 0; CAIRN_EIO; CAIRN_ENOSPACE; CAIRN_ENOMEM */
int cn_pair_file_add(cn_pair_file *pairs, size_t query, const int64_t *images, const int32_t *inliers, size_t count);

#endif
