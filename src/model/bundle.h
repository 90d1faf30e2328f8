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
#include "model/infer.h"

typedef enum { CN_CHANNELS_RGB, CN_CHANNELS_BGR, CN_CHANNELS_GREY } cn_channels;
typedef enum { CN_LAYOUT_NCHW, CN_LAYOUT_NHWC } cn_layout;

/** How pixels become the input tensor: value = (pixel - mean) / std for each channel. CN_CHANNELS_GREY is the plain
 * mean (R + G + B) / 3, not a weighted one. */
typedef struct {
	cn_tensor_type type; /* CN_TENSOR_F32 or CN_TENSOR_U8 (then mean and std are not applied) */
	cn_layout layout;
	cn_channels channels;
	float mean[3], std[3];
	uint32_t longest;                   /* images are reduced (never enlarged) to this longest side */
	uint32_t box_longest;               /* the same for a part that was cut out with a box; 0: as `longest` */
	uint32_t multiple;                  /* sides are rounded to the nearest multiple, at least one */
	uint32_t fixed_width, fixed_height; /* not 0: every image is resized to exactly this */
} cn_input_spec;

typedef enum { CN_POOL_NONE, CN_POOL_GEM } cn_pool_kind;

/** Global models: from outputs to a descriptor. */
typedef struct {
	char *output; /* name of the output: a map (1 x C x H x W) if pooled, otherwise a vector (1 x D) */
	cn_pool_kind pool;
	float p;                           /* of GeM */
	uint32_t dim;                      /* dimensions that come out of pooling */
	char *mean_file, *projection_file; /* names inside the bundle's folder, or NULL */
	float *mean;                       /* whitening learned: dim floats, or NULL */
	float *projection;                 /* kept x dim floats, or NULL for centring only */
	uint32_t kept;                     /* dimensions after whitening; = dim without */
} cn_global_spec;

/** Local models: names of the three dense outputs of an XFeat-like network. */
typedef struct {
	char *descriptors; /* 1 x D x H/8 x W/8 */
	char *keypoints;   /* 1 x 65 x H/8 x W/8 logits */
	char *reliability; /* 1 x 1 x H/8 x W/8, 0 to 1 */
	uint32_t dim;
	uint32_t max_points;
	float threshold; /* least keypoint probability */
} cn_local_spec;

struct cairn_model {
	char *name, *folder, *licence;
	char *network_name; /* as model.json says: a name inside the folder, or an absolute path */
	char *onnx;         /* where the ONNX file is */
	char fingerprint[33];
	int is_local;
	int cache;
	double bf16_cosine; /* NAN: not checked */
	uint64_t parameters;
	cn_input_spec input;
	cn_global_spec global;
	cn_local_spec local;
	int bf16;            /* in use */
	unsigned threads;    /* that it was opened for */
	cn_network *network; /* NULL where only inspected */
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

/** Load the network of a bundle that was read, and check that it takes and gives what model.json says. */
int cn_bundle_load(cairn_model *model, unsigned threads, int bf16);

/** CAIRN_EINVALID unless it may name a bundle: 1 to 63 letters, digits, '.', '_', '-', not beginning with '.'. */
int cn_bundle_check_name(const char *name);

/** $CAIRN_HOME, or cairn's folder in the user's data folder. @param[out] out caller frees */
int cn_home(char **out);

/** The folder of the bundle of that name in the model home. @param[out] out caller frees */
int cn_bundle_folder(char **out, const char *name);

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

/** The longest side it works on. */
uint32_t cn_input_longest(const cn_input_spec *spec);

/** Size that an image of width x height is resized to before it goes in. @param is_box it was cut out with a box */
void cn_input_size(const cn_input_spec *spec, uint32_t width, uint32_t height, int is_box, uint32_t *out_width,
		   uint32_t *out_height);

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

/** Write whitening into a bundle: copies `model`'s bundle to `target` unless they are the same, replaces the
 * parameters.
 *  @param mean dim floats. @param projection kept x dim or NULL */
int cn_bundle_set_whitening(const cairn_model *model, const char *target, const char *kind, const float *mean,
			    const float *projection, uint32_t kept);

#endif
