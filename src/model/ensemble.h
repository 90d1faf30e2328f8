/*
 * model/ensemble.h - several global models that are one: their unit vectors, weighted, concatenated and then whitened
 * together.
 *
 * The bundle of an ensemble holds no network; it names its members, and has their fingerprints, so that a member that
 * is another one now is found out. docs/format.md, "Ensembles".
 */
#ifndef CN_MODEL_ENSEMBLE_H
#define CN_MODEL_ENSEMBLE_H

#include <stddef.h>
#include <xxhash.h>

#include "cairn/model.h"
#include "util/json.h"

#define CN_MOST_MEMBERS 64

typedef struct {
	char *name;         /* an installed bundle, or the absolute path of a bundle's folder */
	char *fingerprint;  /* that it must have; NULL: any */
	float weight;       /* as given, > 0 */
	float factor;       /* weight / root of the sum of squared weights */
	cairn_model *model; /* NULL until it was read */
} cn_member;

typedef struct {
	cn_member *members;
	size_t count; /* 0: the model is no ensemble */
} cn_ensemble;

/** Add a member that is not read yet. @param name as people give it @return 0; CAIRN_EINVALID */
int cn_ensemble_add(cn_ensemble *ensemble, const char *name, double weight, const char *fingerprint);

/** Read the member "members" of a model.json. @param where what errors call it */
int cn_ensemble_parse(cn_ensemble *ensemble, const json_t *root, const char *where);

/**
 * Read the members' bundles and find the ensemble's dimensions, and its licence where it has none yet.
 *
 * @param model whose ensemble has members
 * @return 0; CAIRN_ENOTFOUND where a member is missing or has another fingerprint; CAIRN_EINVALID where one is not a
 *         network's global descriptor
 */
int cn_ensemble_read(cairn_model *model);

/** "members" of a model.json. @return NULL where memory is short */
json_t *cn_ensemble_json(const cn_ensemble *ensemble);

/** Add everything that changes the joined vector. */
void cn_ensemble_hash(XXH3_state_t *state, const cn_ensemble *ensemble);

void cn_ensemble_free(cn_ensemble *ensemble); /**< harmless on a zeroed one */

#endif
