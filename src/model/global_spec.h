/*
 * model/global_spec.h - the member "global" of a model.json: how outputs of a network become one vector.
 *
 *     views of the image -> network -> map -> filters -> heads, joined -> views combined -> whitening
 *
 * docs/format.md, "Model bundles", is the specification, docs/methods.md says what each part computes.
 */
#ifndef CN_MODEL_GLOBAL_SPEC_H
#define CN_MODEL_GLOBAL_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "model/spec.h"

/** A fully connected layer: weight x + bias. */
typedef struct {
	char *weight_file, *bias_file; /* names in the bundle's folder; NULL: no layer, no bias */
	float *weight, *bias;          /* outputs x inputs; outputs */
	size_t outputs, inputs;        /* 0: no layer */
} cn_layer;

typedef enum { CN_POOL_NONE, CN_POOL_GEM, CN_POOL_MAC, CN_POOL_SPOC, CN_POOL_RMAC } cn_pool_kind;

/** One way from a map to a vector. */
typedef struct {
	cn_pool_kind pool;
	float p;           /* of GeM */
	float *channel_p;  /* of GeM: a power for each channel instead; or NULL */
	size_t channels;   /* numbers in channel_p */
	uint32_t levels;   /* of R-MAC, as all below */
	float overlap;     /* wanted of neighbouring regions on the longer side */
	int whole;         /* the whole map is a region too */
	cn_layer regional; /* of each region, between two normalisations */
	cn_layer layer;    /* of the pooled vector */
	int normalise;     /* to unit length before heads are joined */
} cn_head;

typedef enum { CN_ATTENTION_NONE, CN_ATTENTION_RESIDUAL, CN_ATTENTION_WEIGHT } cn_attention_kind;

/** What is done to a map before it is pooled, in this order. */
typedef struct {
	cn_attention_kind attention;
	char *attention_output; /* 1 x 1 x H x W; or NULL */
	int has_floor;
	float floor;            /* smaller numbers are raised to it */
	uint32_t regional_size; /* regional GeM: side of the window; 0: none */
	float regional_p, regional_weight;
} cn_filters;

typedef enum { CN_CROPS_NONE, CN_CROPS_FIVE, CN_CROPS_RANDOM } cn_crops;
typedef enum { CN_COMBINE_SUM, CN_COMBINE_MEAN, CN_COMBINE_GEM, CN_COMBINE_MAX } cn_combine;

/** Views of an image that are described together: every crop at every scale, and its mirror image. */
typedef struct {
	uint32_t scale_count;
	float scales[CN_MOST_SCALES];
	int flip;
	cn_crops crops;
	float crop;          /* side of a crop over that of the image; of random ones the least */
	uint32_t crop_count; /* random ones */
	uint32_t seed;
	cn_combine combine;
	float p; /* of CN_COMBINE_GEM */
} cn_views;

typedef enum {
	CN_WHITENING_NONE,
	CN_WHITENING_CENTRE,
	CN_WHITENING_PCA,
	CN_WHITENING_PCAW,
	CN_WHITENING_LW
} cn_whitening_kind;

typedef struct {
	char *output;     /* name of the output: a map (1 x C x H x W) if pooled, otherwise a vector (1 x D) */
	cn_tokens tokens; /* patch not 0: it is tokens (1 x N x C); without pooling the first is the vector */
	cn_filters filters;
	cn_head *heads;
	size_t head_count; /* >= 1 */
	cn_views views;
	uint32_t dim;                      /* dimensions that the heads give together */
	cn_whitening_kind whitening;       /* what was learned; it is applied alike */
	char *mean_file, *projection_file; /* names inside the bundle's folder, or NULL */
	int unit;                          /* to unit length before whitening */
	float *mean;                       /* whitening learned: dim floats, or NULL */
	float *projection;                 /* kept x dim floats, or NULL for centring only */
	uint32_t kept;                     /* dimensions after whitening; = dim without */
} cn_global_spec;

/** Read the member into a zeroed spec, but for what lies in other files. The caller frees it either way.
 * @param where what errors call it */
int cn_global_parse(cn_global_spec *spec, const json_t *global, const char *where);

/** The kind as model.json has it: "pcaw"; "none" without whitening. Borrowed. */
const char *cn_whitening_name(cn_whitening_kind kind);

/** The member "whitening" alone, of any object. @param where,place what errors call the object, and the member */
int cn_whitening_parse(cn_global_spec *spec, const json_t *owner, const char *where, const char *place);

/** Read its arrays, which must fit spec->dim; sets `kept`. */
int cn_whitening_load(cn_global_spec *spec, const char *folder);

/** Call `visit` for each file that a layer names, until it fails. @return what `visit` returned last, or 0 */
int cn_global_layer_files(const cn_global_spec *spec, int (*visit)(const char *file, void *payload), void *payload);

/** Read the arrays that it names. */
int cn_global_load(cn_global_spec *spec, const char *folder);

void cn_global_free(cn_global_spec *spec); /**< harmless on a zeroed spec */

/** Add everything that changes the descriptor. */
void cn_global_hash(XXH3_state_t *state, const cn_global_spec *spec);

/** 1 where the output is taken as it is, without a map. */
int cn_global_is_vector(const cn_global_spec *spec);

/** Dimensions that a head makes of a map of so many channels. */
size_t cn_head_dim(const cn_head *head, size_t channels);

/** CAIRN_EFORMAT unless layers and dimensions fit a map, or vector, of so many channels. @param where begins errors */
int cn_global_check_channels(const cn_global_spec *spec, size_t channels, const char *where);

#endif
