/*
 * index/graph_folder.h - where a graph is written, and the folder that holds its state until it is complete.
 */
#ifndef CN_INDEX_GRAPH_FOLDER_H
#define CN_INDEX_GRAPH_FOLDER_H

#include "index/graph_state.h"

typedef struct {
	char *prefix, *work; /* PREFIX, PREFIX.work */
	int lock;            /* of the latter; -1: none */
} cn_graph_folder;

/** Make the folder of the state where there is none, and lock it. @return 0; CAIRN_EBUSY where another call writes to
 * it, of this process or another; CAIRN_ENOTFOUND where the folder that it is to be in is not there; CAIRN_ENOSPACE;
 * CAIRN_EIO; CAIRN_ENOMEM */
int cn_graph_folder_open(cn_graph_folder *out, const char *prefix);

/** Harmless where it is open no more, or never was and `lock` is -1. */
void cn_graph_folder_close(cn_graph_folder *folder);

/** Path of a block's state; the caller frees it; NULL where memory is short. */
char *cn_graph_folder_state(const cn_graph_folder *folder, size_t block);

/**
 * See what earlier runs left. States of this fingerprint stay, as far as they were cut alike; what is damaged or of
 * something else is deleted, and told of.
 *
 * @param         images in all blocks
 * @param[in,out] key    block_images: the most that there may be; becomes what states were cut by, if any stay
 * @param[out]    marks  how far each block is; the caller frees it with cn_free()
 */
int cn_graph_folder_adopt(const cn_graph_folder *folder, size_t images, cn_graph_key *key, cn_graph_mark **marks);

/** The arrays of a graph that are all complete, put into their places. */
int cn_graph_folder_publish(const cn_graph_folder *folder);

/** Path where one of them is made; the caller frees it; NULL where memory is short. @param kind such as "ids" */
char *cn_graph_folder_draft(const cn_graph_folder *folder, const char *kind);

/** Delete the state, and the folder if it holds nothing else. Others may take it from then on. */
int cn_graph_folder_clear(const cn_graph_folder *folder);

#endif
