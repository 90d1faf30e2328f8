/*
 * The stages that recipes are made of. docs/recipes.md has the same table for people, and a test compares the two.
 */
#include "recipe/stages.h"

#include <string.h>

#include "recipe/rules.h"
#include "recipe/stage_runs.h"

#define MOST_IMAGES     1000000
#define MOST_INLIERS    1000000
#define MOST_NEIGHBOURS 65536
#define MOST_SCORE      1e9
#define MOST_SEED       9007199254740992.0 /* 2^53: what JSON's readers agree on */

/* A preset is the default; ABSENT tells what holds where there is none. */
#define INTEGER(n, preset, from, upto, h)                                                                              \
	{                                                                                                              \
		.name = n, .kind = CN_INTEGER, .number = preset, .least = from, .most = upto, .help = h                \
	}
#define INTEGER_OR(n, absent, from, upto, h)                                                                           \
	{                                                                                                              \
		.name = n, .kind = CN_INTEGER, .presence = CN_OPTIONAL, .text = absent, .least = from, .most = upto,   \
		.help = h                                                                                              \
	}
#define REAL(n, preset, from, upto, h)                                                                                 \
	{                                                                                                              \
		.name = n, .kind = CN_REAL, .number = preset, .least = from, .most = upto, .help = h                   \
	}
#define REAL_ABOVE(n, preset, from, upto, h)                                                                           \
	{                                                                                                              \
		.name = n, .kind = CN_REAL, .number = preset, .least = from, .most = upto, .above = 1, .help = h       \
	}
#define REAL_OR(n, absent, from, upto, h)                                                                              \
	{                                                                                                              \
		.name = n, .kind = CN_REAL, .presence = CN_OPTIONAL, .text = absent, .least = from, .most = upto,      \
		.help = h                                                                                              \
	}
#define REALS_OR(n, absent, from, upto, h)                                                                             \
	{                                                                                                              \
		.name = n, .kind = CN_REALS, .presence = CN_OPTIONAL, .text = absent, .least = from, .most = upto,     \
		.help = h                                                                                              \
	}
#define TEXT_OR(n, absent, h)                                                                                          \
	{                                                                                                              \
		.name = n, .kind = CN_TEXT, .presence = CN_OPTIONAL, .text = absent, .help = h                         \
	}
#define BOOL(n, preset, h)                                                                                             \
	{                                                                                                              \
		.name = n, .kind = CN_BOOL, .number = preset, .help = h                                                \
	}
#define CHOICE(n, preset, of, h)                                                                                       \
	{                                                                                                              \
		.name = n, .kind = CN_CHOICE, .text = preset, .choices = of, .help = h                                 \
	}
#define END                                                                                                            \
	{                                                                                                              \
		.name = NULL                                                                                           \
	}

#define RANKING                                                                                                        \
	{                                                                                                              \
		.name = "ranking", .type = CAIRN_VALUE_RANKING                                                         \
	}
#define QUERIES                                                                                                        \
	{                                                                                                              \
		.name = "queries", .type = CAIRN_VALUE_QUERIES                                                         \
	}
#define INDEX                                                                                                          \
	{                                                                                                              \
		.name = "index", .type = CAIRN_VALUE_INDEX                                                             \
	}
#define TRAIN                                                                                                          \
	{                                                                                                              \
		.name = "train", .type = CAIRN_VALUE_TRAIN                                                             \
	}

static const cn_stage_input of_ranking[] = { RANKING, END };
static const cn_stage_input of_index[] = { INDEX, END };
static const cn_stage_input of_queries_index[] = { QUERIES, INDEX, END };
static const cn_stage_input of_ranking_index[] = { RANKING, INDEX, END };
static const cn_stage_input of_ranking_queries_index[] = { RANKING, QUERIES, INDEX, END };

/* ---- finding and proving ---- */

static const char *const search_by[] = { "global", "asmk", "fused", NULL };
static const cn_parameter search_parameters[] = {
	CHOICE("by", "global", search_by, "what images are compared by: global descriptors, ASMK, or both added up"),
	INTEGER("k", 100, 1, MOST_IMAGES, "images to find for each query"),
	REAL_ABOVE("recall", 0.95, 0, 1, "share of the best by global descriptor that is to be found; 1 is exact"),
	TEXT_OR("local", "the role local, or the index's first kind", "role of the local features"),
	REAL_OR("asmk_weight", "the calibrated value of the kind of features", 0, MOST_SCORE,
		"weight of the ASMK similarity beside the cosine, with by fused"),
	END,
};

static const char *const verify_order[] = { "fused", "inliers", "keep", NULL };
static const char *const verify_geometry[] = { "affine", "homography", NULL };
static const char *const verify_protocol[] = { "mutual", "delf", NULL };
static const cn_parameter verify_parameters[] = {
	INTEGER("depth", 100, 1, MOST_IMAGES, "first images of each list that are verified"),
	CHOICE("order", "fused", verify_order, "by score with a boost for inliers, by inliers, or as it was"),
	INTEGER_OR("trust_inliers", "the calibrated value of the kind of features", 0, MOST_INLIERS,
		   "fewer inliers count as none in the order"),
	REAL_OR("boost", "the calibrated value of the kind of features", 0, 1000,
		"weight of inliers, with order fused"),
	CHOICE("geometry", "affine", verify_geometry, "the map that matched points must agree on"),
	CHOICE("protocol", "mutual", verify_protocol, "cairn's verification, or the published one of DELF"),
	REAL_ABOVE("max_distance", 0.8, 0, 2,
		   "distance of unit descriptors below which they match, with protocol delf"),
	REAL_ABOVE("radius", 10, 0, 100000, "pixels within which a point is an inlier"),
	REAL("reference_side", 640, 0, 100000, "longest side in which the radius is measured; 0: true pixels"),
	INTEGER("trials", 1000, 1, 10000000, "most RANSAC trials"),
	INTEGER("seed", 0, 0, MOST_SEED, "of the random choices in RANSAC"),
	TEXT_OR("local", "the role local, or the index's first kind", "role of the local features"),
	END,
};

static const cn_parameter cut_parameters[] = {
	INTEGER_OR("depth", "all", 1, MOST_IMAGES, "images that are kept of each list"),
	REAL_OR("min_score", "any", -MOST_SCORE, MOST_SCORE, "images with a lower score are left out"),
	INTEGER_OR("min_inliers", "any", 0, MOST_INLIERS,
		   "images with fewer inliers are left out; needs a verified ranking"),
	END,
};

/* ---- expansion and augmentation ---- */

static const char *const weight_rule[] = { "average", "rank_decay", "alpha", NULL };
static const cn_stage_input expand_inputs[] = {
	RANKING,
	QUERIES,
	INDEX,
	{ .name = "verified",
	  .type = CAIRN_VALUE_VERIFIED,
	  .optional = 1,
	  .with = "min_inliers",
	  .or_from = "ranking" },
	END,
};
static const cn_parameter expand_parameters[] = {
	CHOICE("rule", "average", weight_rule, "what a neighbour counts for: 1, (n - rank) / n, or similarity^alpha"),
	INTEGER("n", 10, 1, MOST_NEIGHBOURS, "first images of each list that join the query"),
	REAL("alpha", 3, 0, 1000, "power of the similarity, with rule alpha"),
	INTEGER_OR("min_inliers", "none join", 0, MOST_INLIERS, "verified images with more inliers than this join too"),
	INTEGER("times", 1, 1, 100, "how often to expand; between two times it is searched again"),
	END,
};

static const cn_parameter augment_parameters[] = {
	CHOICE("rule", "average", weight_rule, "what a neighbour counts for: 1, (k - rank) / k, or similarity^alpha"),
	INTEGER("k", 20, 1, MOST_NEIGHBOURS, "nearest images that join each image of the index"),
	REAL("alpha", 3, 0, 1000, "power of the similarity, with rule alpha"),
	END,
};

/* ---- walks and diffusion ---- */

static const char *const diffuse_method[] = { "global", "offline", NULL };
static const cn_stage_input diffuse_inputs[] = {
	QUERIES,
	INDEX,
	{ .name = "ranking", .type = CAIRN_VALUE_RANKING, .optional = 1 },
	END,
};
static const cn_parameter diffuse_parameters[] = {
	CHOICE("method", "global", diffuse_method, "solved for each query, or ahead of all queries for each image"),
	INTEGER("k", 50, 1, MOST_NEIGHBOURS, "mutual neighbours that edges of the graph join"),
	INTEGER("kq", 10, 1, MOST_NEIGHBOURS, "neighbours of a query, where diffusion begins"),
	REAL_ABOVE("gamma", 3, 0, 1000, "power of similarities"),
	REAL("alpha", 0.99, 0, 0.999999, "share that flows on at each step"),
	INTEGER("truncation", 1000, 1, MOST_NEIGHBOURS, "nearest images that the graph is cut to, with method offline"),
	INTEGER("iterations", 20, 1, 100000, "most steps of conjugate gradient"),
	REAL("tolerance", 1e-6, 0, 1, "relative residual at which it ends"),
	INTEGER_OR("depth", "as many as the ranking has, or 100", 1, MOST_IMAGES, "images of each list in the end"),
	END,
};

static const cn_parameter explore_parameters[] = {
	INTEGER("k", 100, 1, MOST_NEIGHBOURS, "neighbours that are looked at of each image that is taken"),
	REAL("threshold", 0.5, -MOST_SCORE, MOST_SCORE, "candidates above this are taken at once, others one by one"),
	INTEGER("depth", 100, 1, MOST_IMAGES, "images that are taken by walking"),
	END,
};

/* ---- re-ranking ---- */

static const cn_parameter reciprocal_parameters[] = {
	INTEGER("k1", 20, 1, MOST_NEIGHBOURS, "neighbours that must be mutual"),
	INTEGER("k2", 6, 1, MOST_NEIGHBOURS, "encodings that are averaged for one; 1: none but its own"),
	REAL("lambda", 0.3, 0, 1, "share of the descriptors' own distance"),
	INTEGER("depth", 400, 1, MOST_IMAGES, "first images of each list that are re-ranked"),
	END,
};

static const cn_parameter superglobal_parameters[] = {
	INTEGER("depth", 400, 1, MOST_IMAGES, "first images of each list that are re-ranked"),
	INTEGER("neighbours", 9, 0, MOST_NEIGHBOURS, "images among them that refine an image"),
	REAL("weight", 0.15, 0, 1000, "of a neighbour, times its similarity; the image itself has 1"),
	END,
};

static const cn_stage_input discriminate_inputs[] = { RANKING, QUERIES, INDEX, TRAIN, END };
static const cn_parameter discriminate_parameters[] = {
	INTEGER("k", 3, 1, MOST_NEIGHBOURS, "nearest labelled images that predict a label"),
	REAL("threshold", 0.6, -MOST_SCORE, MOST_SCORE,
	     "images are inserted if their score and the query's together are above"),
	INTEGER("depth", 100, 1, MOST_IMAGES, "images of each list that are read, and of each list in the end"),
	BOOL("insert", 1, "images of the query's label that are not in the list are inserted"),
	END,
};

static const char *const fuse_rule[] = { "sum", "reciprocal", "product", NULL };
static const char *const fuse_normalise[] = { "none", "minmax", "zscore", "best", NULL };
static const char *const fuse_missing[] = { "least", "zero", NULL };
static const cn_stage_input fuse_inputs[] = {
	{ .name = "rankings", .type = CAIRN_VALUE_RANKING, .many = 1 },
	END,
};
static const cn_parameter fuse_parameters[] = {
	CHOICE("rule", "sum", fuse_rule, "scores are added up or multiplied, or reciprocal ranks are added up"),
	REALS_OR("weights", "1 each", 0, MOST_SCORE, "one for each ranking"),
	CHOICE("missing", "least", fuse_missing, "score of an image that a ranking does not have: its least, or 0"),
	CHOICE("normalise", "none", fuse_normalise,
	       "what is done to the scores of a list before; zscore not with product"),
	INTEGER_OR("depth", "all", 1, MOST_IMAGES, "images of each list in the end"),
	END,
};

/* ---- all ---- */

const cn_stage_type cn_stage_types[] = {
	{ .name = "search",
	  .help = "the images of the index that are nearest to each query",
	  .inputs = of_queries_index,
	  .output = CAIRN_VALUE_RANKING,
	  .parameters = search_parameters,
	  .run = cn_run_search,
	  .check = cn_check_search },
	{ .name = "verify",
	  .help = "matches local features and counts those that agree on one geometric map",
	  .inputs = of_ranking,
	  .output = CAIRN_VALUE_VERIFIED,
	  .parameters = verify_parameters,
	  .run = cn_run_verify,
	  .check = cn_check_verify },
	{ .name = "expand",
	  .help = "queries joined with the best images that they found",
	  .inputs = expand_inputs,
	  .output = CAIRN_VALUE_QUERIES,
	  .parameters = expand_parameters,
	  .run = cn_run_expand },
	{ .name = "augment",
	  .help = "images of the index joined with their nearest neighbours",
	  .inputs = of_index,
	  .output = CAIRN_VALUE_INDEX,
	  .parameters = augment_parameters,
	  .run = cn_run_augment },
	{ .name = "diffuse",
	  .help = "similarity that flows along the neighbours of neighbours",
	  .inputs = diffuse_inputs,
	  .output = CAIRN_VALUE_RANKING,
	  .parameters = diffuse_parameters,
	  .run = cn_run_diffuse },
	{ .name = "explore",
	  .help = "images taken by walking from neighbour to neighbour, by cosines as the ranking must have them",
	  .inputs = of_ranking_index,
	  .output = CAIRN_VALUE_RANKING,
	  .parameters = explore_parameters,
	  .run = cn_run_explore },
	{ .name = "reciprocal",
	  .help = "order by the mutual neighbours that images share",
	  .inputs = of_ranking_queries_index,
	  .output = CAIRN_VALUE_RANKING,
	  .parameters = reciprocal_parameters,
	  .run = cn_run_reciprocal },
	{ .name = "superglobal",
	  .help = "order by descriptors refined with their neighbours in the list",
	  .inputs = of_ranking_queries_index,
	  .output = CAIRN_VALUE_RANKING,
	  .parameters = superglobal_parameters,
	  .run = cn_run_superglobal },
	{ .name = "discriminate",
	  .help = "images with the label predicted for the query come first",
	  .inputs = discriminate_inputs,
	  .output = CAIRN_VALUE_RANKING,
	  .parameters = discriminate_parameters,
	  .run = cn_run_discriminate },
	{ .name = "fuse",
	  .help = "several rankings become one",
	  .inputs = fuse_inputs,
	  .output = CAIRN_VALUE_RANKING,
	  .parameters = fuse_parameters,
	  .run = cn_run_fuse,
	  .check = cn_check_fuse },
	{ .name = "cut",
	  .help = "leaves images out of a ranking",
	  .inputs = of_ranking,
	  .output = CAIRN_VALUE_RANKING,
	  .output_as = "ranking",
	  .parameters = cut_parameters,
	  .run = cn_run_cut,
	  .check = cn_check_cut },
	{ .name = NULL },
};

const cn_stage_type *cn_stage_type_find(const char *name)
{
	for (const cn_stage_type *type = cn_stage_types; type->name; type++)
		if (strcmp(type->name, name) == 0)
			return type;
	return NULL;
}

size_t cn_parameter_place(const cn_stage_type *type, const char *name)
{
	size_t place = 0;
	while (strcmp(type->parameters[place].name, name) != 0)
		place++;
	return place;
}
