/*
 * collection/structures.h - what makes searching a collection faster or better, and can be made again from the rest.
 *
 *   segments/NNNNNNNN.KIND.codebook.npy   the words of ASMK, for all segments
 *   segments/NNNNNNNN.KIND.asmk           the inverted file of a segment
 *   segments/NNNNNNNN.quantizer.ivf       the centroids of lists, for all segments
 *   segments/NNNNNNNN.lists               the lists of a segment
 *
 * All have numbers of their own, so that no name is ever used twice and nothing that is registered changes in place. A
 * structure is used where every segment has its file; otherwise searches do without it.
 */
#ifndef CN_COLLECTION_STRUCTURES_H
#define CN_COLLECTION_STRUCTURES_H

#include "collection/handle.h"

/** What the catalogue says of structures, into a snapshot whose segments were read. */
int cn_structures_read(cairn_collection *collection, cn_snapshot *snapshot);
void cn_structures_close(cn_snapshot *snapshot); /**< harmless on a zeroed snapshot */

/** Is there a codebook or quantizer, and does every segment have its file? */
int cn_structure_is_complete(const cn_snapshot *snapshot, int structure);

/** Delete its files, which are still those of the snapshot and no longer registered. */
void cn_structure_delete_files(const cairn_collection *collection, int structure);

/** What the segments of a structure share: one of both. */
typedef struct {
	cairn_codebook *codebook;
	cairn_ivf *quantizer;
} cn_shared;

/** Read it as the catalogue knows it. @param[out] out to be freed with cn_shared_free(). @return 0; CAIRN_EDAMAGED;
 * CAIRN_ENOTFOUND */
int cn_structure_open_shared(const cairn_collection *collection, int structure, cn_shared *out);
void cn_shared_free(cn_shared *shared); /**< harmless on a zeroed struct */

/** Make now.index of lists; they are complete. */
int cn_structure_make_index(cairn_collection *collection);

/** The codebook of a local kind, as the catalogue knows it. @param[out] out caller frees. @return 0; CAIRN_EDAMAGED;
 * CAIRN_ENOTFOUND */
int cn_structure_codebook(const cairn_collection *collection, size_t local, cairn_codebook **out);

/** What add and compact end with: the structures that are wanted, for the segments that lack them. @param train not 0:
 * train also what was never trained */
int cn_structures_complete(cairn_collection *collection, int train, uint32_t threads, cairn_progress_cb progress,
			   void *payload);

#endif
