/*
 * cli/shared.h - options and small work that several commands share.
 */
#ifndef CLI_SHARED_H
#define CLI_SHARED_H

#include <float.h>

#include "cairn/descriptors.h"
#include "cairn/image.h"
#include "cairn/recipe.h"
#include "cairn/search.h"
#include "command.h"
#include "output.h"

extern const char *const text_or_json[]; /* the first is the default */
extern const char *const precisions[];
extern const char *const geometries[];

#define MOST_THREADS       1024

#define OPT_FORMAT(target) OPT_CHOICE("format", "FORMAT", target, text_or_json, "text or json (default text)")
#define OPT_THREADS(target)                                                                                            \
	OPT_WHOLE(0, "threads", "N", target, 0, MOST_THREADS, "use N threads (default 0: one for each core)")
#define OPT_PRECISION(target)                                                                                          \
	OPT_CHOICE("precision", "P", target, precisions,                                                               \
		   "auto, f32 or bf16: how networks compute (default auto: bf16 where the processor has it and the "   \
		   "model allows it)")

/** Whether the value of OPT_FORMAT says so; NULL is text. */
int is_json(const char *format);

/** Find an image's file by a name without extension; the caller frees it. NULL where there is none. */
char *find_image_file(const char *folder, const char *stem);

/** Before work whose outcome goes there: what is no file of that kind (ending ".html") is not overwritten. @return 0,
 * or EXIT_INPUT after saying so */
int check_overwriting(const char *option, const char *file, const char *ending);

/**
 * Read NAME or NAME:WEIGHT; the name may be a path that holds colons.
 *
 * @param[out] out name, which the caller frees in any case, and weight, 1 where none is given
 * @return 1 where a weight is given, 0 where none is; -1 where it is no number above 0
 */
int split_weight(const char *text, cairn_describer_model *out);

/** Options that give models roles of a recipe: each is ROLE=NAME. @return 0, or EXIT_USAGE after saying so */
int check_roles(const struct command *command, const struct texts *roles);

/** One a role, borrowing from the command line but for the names; after check_roles(). Free with free_roles(). */
cairn_recipe_role *read_roles(const struct texts *roles);
void free_roles(cairn_recipe_role *list, const struct texts *roles);

/** Options of a search that `search` and `eval` share. */
struct search_arguments {
	uint64_t verify, trust_inliers, threads;
	const char *by, *local, *order, *precision, *geometry;
	double boost, recall;
};

/** What --asmk takes. */
#define ASMK_VALUE "FILE.npy|DIR"

/** "ASMK of xfeat" or "lists". Caller frees. */
char *structure_name(const cairn_structure_info *info);

/** "4096 words" or "1 list". Caller frees. */
char *structure_size(const cairn_structure_info *info);

/** A structure as 'info' and 'index' tell of it. */
json_t *structure_json(const cairn_structure_info *info);

#define UNSET UINT64_MAX
#define SEARCH_ARGUMENTS_INIT                                                                                          \
	{                                                                                                              \
		.verify = UNSET, .trust_inliers = UNSET, .boost = NAN                                                  \
	}

extern const char *const orders[], *const bys[];

#define OPT_SEARCH(a)                                                                                                  \
	OPT_CHOICE("by", "WHAT", &(a).by, bys,                                                                         \
		   "global: by global descriptor; asmk: by aggregated local features; fused: by both (default: by "    \
		   "what the collection has; a warning tells where its ASMK is incomplete and not used, as while "     \
		   "'cairn add' runs)"),                                                                               \
		OPT_REAL("recall", "R", &(a).recall, DBL_MIN, 1,                                                       \
			 "the share of the best by global descriptor that is to be found where the collection has "    \
			 "lists "                                                                                      \
			 "(default 0.95); 1: all are compared exactly"),                                               \
		OPT_WHOLE(                                                                                             \
			0, "verify", "N", &(a).verify, 0, INT32_MAX,                                                   \
			"verify the N best by local features; 0: none (default 100 where the collection keeps local "  \
			"features); without a global descriptor and ASMK there is no best, and all are verified"),     \
		OPT_TEXT(0, "local", "KIND", &(a).local, COMPLETE_MODEL,                                               \
			 "the kind of local features to verify with and to search by (default: the first that the "    \
			 "collection keeps)"),                                                                         \
		OPT_CHOICE("order", "ORDER", &(a).order, orders,                                                       \
			   "fused: by score with a boost for inliers (default); inliers: by inliers where there are "  \
			   "enough, the others by "                                                                    \
			   "score below them"),                                                                        \
		OPT_CHOICE("geometry", "MAP", &(a).geometry, geometries,                                               \
			   "the map that matched points must agree on: affine (default) or homography"),               \
		OPT_WHOLE(0, "trust-inliers", "N", &(a).trust_inliers, 0, INT32_MAX,                                   \
			  "fewer inliers than N count as none when ordering (default: calibrated for each kind)"),     \
		OPT_REAL("boost", "X", &(a).boost, 0, 1000,                                                            \
			 "weight of inliers in the fused order (default: calibrated for each kind)"),                  \
		OPT_PRECISION(&(a).precision), OPT_THREADS(&(a).threads)

/** The library's options from the command's, defaults where nothing was given. */
void search_options(cairn_search_options *out, const struct search_arguments *arguments);

/** Warn where --recall was given, and searches in this collection find all whatever it says. */
void warn_of_recall(cairn_collection *collection, const struct search_arguments *arguments);

#endif
