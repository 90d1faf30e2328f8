/*
 * model/map.h - an output of a network as a feature map.
 */
#ifndef CN_MODEL_MAP_H
#define CN_MODEL_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "model/infer.h"

/** channels x height x width floats, C order. */
typedef struct {
	const float *data; /**< borrowed */
	size_t channels, height, width;
} cn_map;

static inline size_t cn_map_positions(const cn_map *map)
{
	return map->height * map->width;
}

/** How an output of tokens (1 x N x C; Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021) lies over the
 * input: some for the whole, then one a patch in reading order. */
typedef struct {
	uint32_t prefix; /**< tokens before those of the patches: class token, registers */
	uint32_t patch;  /**< side of a patch in pixels; 0: the output is no tokens */
} cn_tokens;

/**
 * View an output as a map: float32 of 1 x C x H x W, or 1 x C, which has one position.
 *
 * @param where begins errors; @param name of the output
 * @return 0; CAIRN_EFORMAT
 */
int cn_map_of(cn_map *out, const cn_tensor *tensor, const char *where, const char *name);

/**
 * The patches' tokens as a map of height / patch x width / patch positions.
 *
 * @param      width,height of the network's input
 * @param[out] buffer       what the map borrows; caller frees
 * @return 0; CAIRN_EFORMAT where the output is not float32 of 1 x (prefix + patches) x C; CAIRN_ENOMEM
 */
int cn_map_of_patches(cn_map *out, const cn_tensor *tensor, const cn_tokens *tokens, uint32_t width, uint32_t height,
		      const char *where, const char *name, float **buffer);

/** The first token, which stands for the whole image, as a map of one position. CAIRN_EFORMAT where the output is not
 * float32 of 1 x N x C. */
int cn_map_of_class(cn_map *out, const cn_tensor *tensor, const char *where, const char *name);

#endif
