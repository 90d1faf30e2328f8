/*
 * model/bundle.h - model.json read: what goes into a network, what comes out, what is done with it.
 *
 * docs/format.md, "Model bundles", is the specification.
 */
#ifndef CN_MODEL_BUNDLE_H
#define CN_MODEL_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/model.h"
#include "model/detector_spec.h"
#include "model/ensemble.h"
#include "model/global_spec.h"
#include "model/infer.h"
#include "model/local_spec.h"

typedef enum { CN_CHANNELS_RGB, CN_CHANNELS_BGR, CN_CHANNELS_GREY } cn_channels;
typedef enum { CN_LAYOUT_NCHW, CN_LAYOUT_NHWC } cn_layout;

#define CN_MOST_BINS 16

/** How pixels become the input tensor: value = (pixel - mean) / std for each channel. CN_CHANNELS_GREY is the plain
 * mean (R + G + B) / 3, not a weighted one. */
typedef struct {
	cn_tensor_type type; /* CN_TENSOR_F32 or CN_TENSOR_U8 (then mean and std are not applied) */
	cn_layout layout;
	cn_channels channels;
	float mean[3], std[3];
	uint32_t longest;                    /* images are reduced (never enlarged) to this longest side */
	uint32_t box_longest;                /* the same for a part that was cut out with a box; 0: as `longest` */
	uint32_t multiple;                   /* sides are rounded to the nearest multiple, at least one */
	uint32_t fixed_width, fixed_height;  /* not 0: every image is resized to exactly this */
	uint32_t bin_count;                  /* not 0: sizes by aspect, and none of the above */
	float bin_ratios[CN_MOST_BINS - 1];  /* bin i is of images whose height / width is below the i-th, ascending */
	uint32_t bin_sizes[CN_MOST_BINS][2]; /* width, height; the last of all other images */
} cn_input_spec;

struct cairn_model {
	char *name, *folder, *licence;
	char *network_name; /* as model.json says: a name inside the folder, or an absolute path */
	char *onnx;         /* where the ONNX file is */
	char fingerprint[33];
	int is_local, is_detector; /* neither: global */
	int cache;
	double bf16_cosine; /* of `generated`, the least; NAN: not checked */
	cairn_model_cost generated, photographs;
	int is_quantised; /* as model.json says, or the network once it is loaded */
	uint64_t parameters;
	cn_input_spec input;
	cn_global_spec global;
	cn_local_spec local;
	cn_detector_spec detector;
	cn_ensemble ensemble;  /* with members: no network and no input; of `global` whitening and dimensions only */
	int bf16;              /* in use */
	unsigned threads;      /* that it was opened for */
	cn_network *network;   /* NULL where only inspected, and of an ensemble */
	cn_field_graph *field; /* of local models that need it, else NULL */
};

/**
 * Read the text of a model.json into a zeroed model: everything but what lies in other files.
 *
 * @param where what errors call it
 * @return 0; CAIRN_EFORMAT naming the member at fault; the caller frees the model's parts with cairn_model_free()
 * either way
 */
int cn_bundle_parse(cairn_model *model, const char *bytes, size_t length, const char *where);

/** Read the bundle in a folder: model.json, whitening, fingerprint. The network is only hashed. */
int cn_bundle_read(cairn_model **out, const char *folder);

/** Read the bundle of that name, or in the folder of that path. @param is_member 1: of an ensemble, and then it must
 * not be one */
int cn_bundle_read_named(cairn_model **out, const char *name, int is_member);

/** Load a model that was read, or the members of an ensemble, in the precision that the options ask for. */
int cn_model_load(cairn_model *model, const cairn_model_options *options);

/** Load the network of a bundle that was read, and check that it takes and gives what model.json says. */
int cn_bundle_load(cairn_model *model, unsigned threads, int bf16);

/** For errors: "a global descriptor", "local features" or "boxes". */
const char *cn_model_gives(const cairn_model *model);

/** CAIRN_EINVALID unless it may name a bundle: 1 to 63 letters, digits, '.', '_', '-', not beginning with '.'. */
int cn_bundle_check_name(const char *name);

/** $CAIRN_HOME, or cairn's folder in the user's data folder. @param[out] out caller frees */
int cn_home(char **out);

/** The folder of the bundle of that name in the model home. @param[out] out caller frees */
int cn_bundle_folder(char **out, const char *name);

/** CAIRN_EEXISTS where the model home has a bundle of that name. */
int cn_bundle_expect_free(const char *name);

/** A bundle that is being made beside its final place. */
typedef struct {
	char *name, *final, *folder; /* folder: the temporary one */
} cn_bundle_draft;

/** Make the temporary folder. CAIRN_EEXISTS where the bundle is there and replace is 0. */
int cn_bundle_draft_open(cn_bundle_draft *draft, const char *name, int replace);

/** Exchange it with the bundle that is there, in one step where the file system can do that. */
int cn_bundle_draft_commit(cn_bundle_draft *draft);

/** Delete what was made so far and free; harmless after a commit. */
void cn_bundle_draft_close(cn_bundle_draft *draft);

/** The longest side it works on, at scale 1. */
uint32_t cn_input_longest(const cn_input_spec *spec);

/** The longest side of the largest view that the model takes of an image: it need not be decoded larger than this and
 * cn_model_shortest(). */
uint32_t cn_model_longest(const cairn_model *model);

/** The least that the shortest side of an image must have, so that no view with sides of its own, fixed or by aspect,
 * enlarges what decoding reduced; 0 where views have the image's aspect. */
uint32_t cn_model_shortest(const cairn_model *model);

/** Size that an image of width x height is resized to before it goes in. @param is_box it was cut out with a box
 * @param scale of that size, which may then enlarge the image */
void cn_input_size(const cn_input_spec *spec, uint32_t width, uint32_t height, int is_box, float scale,
		   uint32_t *out_width, uint32_t *out_height);

/** Shape of the input tensor for an image of that size: 4 numbers. */
void cn_input_shape(const cn_input_spec *spec, uint32_t width, uint32_t height, size_t shape[4]);

/** Fill the tensor from width x height x 3 RGB bytes. */
void cn_input_fill(const cn_input_spec *spec, const uint8_t *rgb, uint32_t width, uint32_t height, void *tensor);

/**
 * Run the network on an image of the input's size.
 *
 * @param      rgb     height x width x 3 bytes
 * @param[out] request holds the outputs; the caller releases it to model->network
 */
int cn_model_run(cairn_model *model, const uint8_t *rgb, uint32_t width, uint32_t height, cn_request **request);

/**
 * View an output of a request that has been run as a map.
 *
 * @param      tokens       patch 0: it is a map or a vector; otherwise tokens
 * @param      width,height of the network's input
 * @param[out] buffer       what the map borrows unless NULL; caller frees
 * @return 0; CAIRN_EFORMAT; CAIRN_ENOMEM
 */
int cn_model_map(const cairn_model *model, cn_request *request, const char *name, const cn_tokens *tokens,
		 uint32_t width, uint32_t height, cn_map *out, float **buffer);

/** Parameters of whitening. */
typedef struct {
	cn_whitening_kind kind;
	int unit;                /* vectors are brought to unit length first */
	double power;            /* of CN_WHITENING_PCAW */
	const float *mean;       /* dim */
	const float *projection; /* kept x dim; NULL for CN_WHITENING_CENTRE */
	uint32_t kept;
} cn_whitening;

/** Note what bf16 costs on photographs in the bundle's model.json. */
int cn_bundle_note_cost(const cairn_model *model, const cairn_model_cost *photographs);

/** Write whitening into a bundle: copies `model`'s bundle to `target` unless they are the same, replaces the
 * parameters. */
int cn_bundle_set_whitening(const cairn_model *model, const char *target, const cn_whitening *whitening);

/** The same with the PCA of a local bundle's descriptors. @param mean model->local.dim floats. @param projection kept x
 * dim */
int cn_bundle_set_pca(const cairn_model *model, const char *target, const float *mean, const float *projection,
		      uint32_t kept);

#endif
