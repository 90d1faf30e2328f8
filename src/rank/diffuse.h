/*
 * rank/diffuse.h - re-ranking by diffusion on the graph of mutual neighbours.
 *
 * Iscen, Tolias, Avrithis, Furon and Chum, "Efficient diffusion on region manifolds: recovering small objects with
 * compact CNN representations", CVPR 2017; docs/methods.md, "Diffusion". Regions are in rank/diffuse_regions.h, what is
 * computed ahead of all queries (Yang et al., AAAI 2019) in rank/diffuse_offline.h.
 *
 * Results do not depend on the number of threads. Graphs may be read from any number of threads.
 */
#ifndef CN_RANK_DIFFUSE_H
#define CN_RANK_DIFFUSE_H

#include "math/sparse.h"
#include "rank/diffuse_lists.h"

typedef struct {
	size_t neighbours;       /**< k: of an image in the graph, itself not counted; >= 1 */
	size_t query_neighbours; /**< kq: of a query, >= 1 */
	float gamma;             /**< exponent of similarities, > 0 */
	cn_solver_options solver;
} cn_diffusion_options;

/** Published constants for one vector an image, and for several. */
#define CN_DIFFUSION_GLOBAL                                                                                            \
	{                                                                                                              \
		50, 10, 3, CN_SOLVER_OPTIONS_INIT                                                                      \
	}
#define CN_DIFFUSION_REGIONAL                                                                                          \
	{                                                                                                              \
		200, 200, 3, CN_SOLVER_OPTIONS_INIT                                                                    \
	}

/** What is diffused on: S = D^-1/2 A D^-1/2. */
typedef struct {
	cn_sparse matrix; /**< S */
	float *roots;     /**< of the degrees D: a_ij = s_ij roots[i] roots[j]; 0 where there is no mutual neighbour */
} cn_diffusion_graph;

/**
 * a_ij = max(0, s)^gamma where i is among the k nearest of j and j among those of i, else 0; s is the mean of the
 * similarities in the two lists, which differ where they are approximate. An image is not its own neighbour, whether
 * its list has it or not.
 *
 * @param[out] out        the caller frees it with cn_diffusion_graph_free()
 * @param      neighbours of each image: line i is of position i
 * @param      options    `neighbours` and `gamma` are used; lists that are shorter count whole
 * @param      pool       NULL: in the calling thread alone
 * @return 0; CAIRN_EINVALID where a list names a position twice, one that is not there, a similarity that is not finite
 *         or an option is out of range; CAIRN_ENOMEM
 */
int cn_diffusion_graph_new(cn_diffusion_graph *out, const cn_neighbours *neighbours,
			   const cn_diffusion_options *options, cn_workers *pool);

/** Harmless on a zeroed struct. */
void cn_diffusion_graph_free(cn_diffusion_graph *graph);

/**
 * Rank by f of (I - alpha S) f = y, where y has max(0, s)^gamma for the query's kq nearest images, else 0. Images that
 * nothing reaches are not ranked; a caller who wants all appends them in the order of the search.
 *
 * @param out      as many queries as there are lines; as deep as is wanted
 * @param queries  a line each: the nearest images of the query
 * @param images   the image of each position, negative where it must not be found; NULL: the position itself
 * @param callback NULL, or told of queries
 * @return 0; CAIRN_EINVALID; CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
int cn_diffuse(cairn_ranking *out, const cn_diffusion_graph *graph, const cn_neighbours *queries,
	       const cn_diffusion_options *options, const int64_t *images, cn_workers *pool, cairn_progress_cb callback,
	       void *payload);

#endif
