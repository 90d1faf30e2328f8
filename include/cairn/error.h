/*
 * cairn/error.h - how every function of cairn reports failure, and the two callbacks that long work may use.
 *
 * A function that can fail returns an int: 0 (or a count >= 0 where its comment says so) on success, one of the
 * negative CAIRN_E* codes on failure. The failing thread can then read cairn_last_error(), which names the file and the
 * value at fault and, where there is one, the remedy. A function that makes an object leaves NULL where it failed. A
 * function that returns void cannot fail.
 *
 * The library never prints, exits or aborts. What it has to say while it works goes to the log callback.
 */
#ifndef CAIRN_ERROR_H
#define CAIRN_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Status codes. The values are part of the ABI and never change; new ones are added at the end. */
enum {
	CAIRN_OK = 0,         /**< success */
	CAIRN_EINVALID = -1,  /**< an argument is out of range or two arguments do not fit each other */
	CAIRN_ENOMEM = -2,    /**< memory could not be had */
	CAIRN_EIO = -3,       /**< the system refused to read or write a file */
	CAIRN_ENOTFOUND = -4, /**< no such file, image, model or id */
	CAIRN_EFORMAT =
		-5, /**< a file given by the user is not what it should be: image, CSV, JSON, ONNX, checkpoint */
	CAIRN_EDAMAGED =
		-6, /**< a file written by cairn fails its checksum, or the catalogue contradicts the segments */
	CAIRN_ECANCELLED = -7,    /**< a callback asked to stop; what was committed before stays */
	CAIRN_EEXISTS = -8,       /**< the thing to be made is there already */
	CAIRN_ELIMIT = -9,        /**< larger than a limit that protects the machine (pixels, bytes, tensor sizes) */
	CAIRN_EUNSUPPORTED = -10, /**< well-formed, but this build or machine cannot do it */
	CAIRN_EBUSY = -11,        /**< another process is writing to the collection, or the same graph */
	CAIRN_ENOSPACE = -12,     /**< the disk is full; what was committed before stays */
	CAIRN_EBACKEND = -13 /**< a library underneath (inference, SQL, linear algebra) failed; the text says how */
};

/**
 * What went wrong last in this thread.
 *
 * @return borrowed UTF-8 text without a newline, never NULL, empty if nothing failed yet; valid until the next cairn
 * call of the same thread
 */
CAIRN_API const char *cairn_last_error(void);

/** The name of a status code, such as "CAIRN_EFORMAT"; never NULL. */
CAIRN_API const char *cairn_status_name(int status);

/** The version of the library at run time, "MAJOR.MINOR.PATCH". */
CAIRN_API const char *cairn_version(void);

/** How grave a log message is. */
typedef enum { CAIRN_LOG_DEBUG, CAIRN_LOG_INFO, CAIRN_LOG_WARNING } cairn_log_level;

/** Takes one message without newline. May be called from any thread, also from several at once. */
typedef void (*cairn_log_cb)(cairn_log_level level, const char *message, void *payload);

/** Choose where messages go, for the whole process; NULL (the default) drops them. Call before any other work starts.
 */
CAIRN_API void cairn_set_log(cairn_log_cb callback, void *payload);

/** How far a long piece of work is. */
typedef struct {
	const char *stage; /**< what is being done, such as "describing images"; borrowed for the call */
	uint64_t done;     /**< items finished */
	uint64_t total;    /**< items in all; 0 while unknown */
	uint64_t failed;   /**< items that were given up with an error */
} cairn_progress;

/**
 * Told about progress, at most some ten times a second and always at the end of a stage, from the calling thread's
 * process but possibly from a worker thread (never from two at once).
 *
 * @return 0 to go on; anything else cancels the work, which then returns CAIRN_ECANCELLED
 */
typedef int (*cairn_progress_cb)(const cairn_progress *progress, void *payload);

#ifdef __cplusplus
}
#endif
#endif
