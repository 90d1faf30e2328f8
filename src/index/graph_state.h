/*
 * index/graph_state.h - the lists of one block of images, in memory and in files (docs/format.md, "Graphs").
 */
#ifndef CN_INDEX_GRAPH_STATE_H
#define CN_INDEX_GRAPH_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "util/shortlist.h"

#define CN_FINGERPRINT_SIZE 16

/** What a state belongs to; states of others are no use. */
typedef struct {
	uint8_t fingerprint[CN_FINGERPRINT_SIZE]; /**< of all that results depend on */
	uint64_t block_images;                    /**< images a block */
	uint64_t among;                           /**< numbers on lists are below it */
	uint32_t keep;                            /**< items a list */
} cn_graph_key;

/** How far the lists of a block are. */
typedef struct {
	uint64_t step;   /**< of the steps below it, all that concern the block are in the lists */
	uint64_t ranked; /**< the lists of so many first images are final: scored anew and cut */
} cn_graph_mark;

/** A block's lists. */
typedef struct {
	cn_shortlist *lists; /**< an image each; numbers are of images */
	size_t count;
	size_t block; /**< SIZE_MAX: none */
	cn_graph_mark mark;
	int is_changed; /**< since it was last read or written */
	/* Room for the largest block: */
	cn_scored_row *items;
	size_t room, capacity;
	int distinct;
} cn_graph_state;

/** @param distinct the same number may come several times */
int cn_graph_state_init(cn_graph_state *out, size_t room, size_t keep, int distinct);
void cn_graph_state_free(cn_graph_state *state);

/** Empty lists. */
void cn_graph_state_start(cn_graph_state *state, const cn_graph_key *key, size_t block, size_t count);

/** Write atomically. */
int cn_graph_state_save(cn_graph_state *state, const cn_graph_key *key, const char *path);

/** A state's file in memory, its bytes borrowed. */
typedef struct {
	cn_graph_key key;
	uint64_t block, count;
	cn_graph_mark mark;
	const uint8_t *counts; /**< of items: count x uint32, not aligned */
	const uint8_t *items;  /**< list after list, not aligned */
} cn_graph_state_file;

/** Every byte is checked. @param name what errors call it @return 0; CAIRN_EDAMAGED */
int cn_graph_state_parse(cn_graph_state_file *out, const void *bytes, size_t length, const char *name);

/**
 * The lists of a file, which must be of this block.
 *
 * @param state made with key->keep and room for `count` lists
 * @param name  what errors call the file
 * @return 0; CAIRN_EDAMAGED, and the state is as it was
 */
int cn_graph_state_take(cn_graph_state *state, const cn_graph_state_file *file, const cn_graph_key *key, size_t block,
			size_t count, const char *name);

/** As the two above, of a file. @return 0; CAIRN_ENOTFOUND; CAIRN_EDAMAGED; CAIRN_EIO */
int cn_graph_state_load(cn_graph_state *state, const cn_graph_key *key, size_t block, size_t count, const char *path);

/** Whose state a file is. Every byte is checked. @return as cn_graph_state_load() */
int cn_graph_state_inspect(const char *path, cn_graph_key *key, uint64_t *block, uint64_t *count, cn_graph_mark *mark);

#endif
