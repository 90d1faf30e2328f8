/*
 * collection/structures.h - what makes searching a collection faster or better, and can be made again from the rest.
 *
 *   segments/NNNNNNNN.KIND.codebook.npy   the words of ASMK, for all segments
 *   segments/NNNNNNNN.KIND.asmk           the ASMK file of a segment
 *   segments/NNNNNNNN.quantizer.ivf       the centroids of lists, for all segments
 *   segments/NNNNNNNN.lists               the lists of a segment
 *
 * All have numbers of their own, so that no name is ever used twice and nothing that is registered changes in place. A
 * structure is used where every segment has its file; otherwise searches do without it.
 */
#ifndef CN_COLLECTION_STRUCTURES_H
#define CN_COLLECTION_STRUCTURES_H

#include "collection/handle.h"
#include "util/parallel.h"
#include "util/progress.h"

/** A run of cairn_collection_build_index(). */
typedef struct {
	cairn_collection *collection;
	const cairn_build_options *options;
	cairn_build_report *report;
	cn_workers *pool;
	int train; /**< may what was never trained be trained? */
} cn_building;

/** Do the options ask for a structure, and for another than there is already? */
typedef enum { CN_NOT_ASKED, CN_ASKED, CN_ASKED_ANEW } cn_asked;

/** What a type of structure is called and does. `local` is the local kind that it is of, 0 for one of descriptors. */
typedef struct {
	int first;               /**< number of the first of this type */
	int of_locals;           /**< one for each local kind; 0: one of the descriptors */
	const char *name;        /**< in the catalogue, and how names of segments' files end */
	const char *shared_name; /**< how the name of the file that segments share ends */
	const char *writing;     /**< the stage of progress in which the segments' files are written */

	cn_asked (*asked)(const cn_building *building, size_t local);
	/** Train or copy what the segments share, and give it to cn_building_take() or cn_building_postpone(). */
	int (*make)(cn_building *building, size_t local);
	/** @param shared the codebook or quantizer */
	int (*save)(const void *shared, const char *path);
	/** Open it in the snapshot, as the catalogue knows it, unless it is. CAIRN_EDAMAGED; CAIRN_ENOTFOUND */
	int (*open)(cairn_collection *collection, size_t local);

	/* These two after it was opened. */
	/** Write the file of a segment, which depends on nothing but that and the segment's other files. */
	int (*write)(const cn_building *building, cn_segment *segment, size_t local, const char *path,
		     cn_progress *progress);
	/** A file's bytes are what was written; does it also belong to that, and to this segment? CAIRN_EDAMAGED */
	int (*check)(const cairn_collection *collection, const cn_segment *segment, size_t local, const char *path);
	/** As cairn_asmk_merge(), where compaction can join the files of a local kind; NULL: they are written anew. */
	int (*merge)(const char *path, const char *const *paths, size_t count, const int64_t *removed,
		     size_t removed_count);
} cn_structure_type;

extern const cn_structure_type cn_structure_asmk, cn_structure_lists;

/** The type of a structure, and the local kind that it is of (0: of descriptors). */
const cn_structure_type *cn_structure_type_of(int structure);
size_t cn_structure_local(int structure);

/** Can a collection with these sources have it? All below is for those that it can have. */
int cn_structure_is_possible(const cn_sources *sources, int structure);

/** "asmk:KIND" or "lists"; "NNNNNNNN.KIND.ending" or "NNNNNNNN.ending". Caller frees; NULL where memory is short. */
char *cn_structure_role(const cn_sources *sources, int structure);
char *cn_structure_file_name(const cn_sources *sources, int64_t number, int structure, const char *ending);

/** What the catalogue says of structures, into a snapshot whose segments were read. */
int cn_structures_read(cairn_collection *collection, cn_snapshot *snapshot);
void cn_structures_close(cn_snapshot *snapshot); /**< harmless on a zeroed snapshot */

/** How many images are in segments that lack its file. */
uint64_t cn_structure_missing(const cn_snapshot *snapshot, int structure);

/** Is there a codebook or quantizer, and does every segment have its file? */
int cn_structure_is_complete(const cn_snapshot *snapshot, int structure);

/** Delete its files, which are still those of the snapshot and no longer registered. */
void cn_structure_delete_files(const cairn_collection *collection, int structure);

/** Failing with `status`, what the writer of a collection misses or cannot read as what it wrote is CAIRN_EDAMAGED; the
 * text gets the remedy. */
int cn_structure_fault(const cairn_collection *collection, int status);

/** What a structure is to aggregate besides whole images, by the options or as before; NULL: nothing. */
const char *cn_structure_regions(const cn_building *building, int structure);

/** Do the options ask for other regions than there are? */
int cn_structure_regions_change(const cn_building *building, int structure);

/** In the place of the one before, whose files of segments go with it. @param units words or lists. @param trained
 * images or rows, 0 where it was copied */
int cn_building_take(cn_building *building, int structure, const void *shared, uint64_t units, uint64_t trained);

/** Remember that it is wanted, so that an add that brings enough images makes it. */
int cn_building_postpone(cn_building *building, int structure);

/** Train or copy the codebook of a local kind; the `make` of ASMK. */
int cn_codebook_make(cn_building *building, size_t local);

/** Make now.index of lists; they are complete. */
int cn_structure_lists_index(cairn_collection *collection);

/** The codebook of a local kind, as the catalogue knows it. @param[out] out caller frees. @return 0; CAIRN_EDAMAGED;
 * CAIRN_ENOTFOUND */
int cn_structure_codebook(const cairn_collection *collection, size_t local, cairn_codebook **out);

/** What add and compact end with: the structures that are wanted, for the segments that lack them. @param train not 0:
 * train also what was never trained */
int cn_structures_complete(cairn_collection *collection, int train, uint32_t threads, cairn_progress_cb progress,
			   void *payload);

#endif
