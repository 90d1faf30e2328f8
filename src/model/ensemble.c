/*
 * Ensembles. Members are single networks: an ensemble of ensembles would say no more than one of their members.
 */
#include "model/ensemble.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/bundle.h"
#include "util/memory.h"
#include "util/text.h"

#define MOST_DIM 65536

/* ---- making ---- */

static int keep_name(char **out, const char *name)
{
	if (strchr(name, '/'))
		return cn_path_absolute(out, name);
	CN_TRY(cn_bundle_check_name(name));
	*out = cn_strdup(name);
	return *out ? 0 : CAIRN_ENOMEM;
}

int cn_ensemble_add(cn_ensemble *ensemble, const char *name, double weight, const char *fingerprint)
{
	if (!(weight > 0) || !isfinite((float)weight) || (float)weight == 0)
		return cn_fail(CAIRN_EINVALID, "model '%s': its weight %g must be a positive number", name, weight);
	if (ensemble->count == CN_MOST_MEMBERS)
		return cn_fail(CAIRN_EINVALID, "an ensemble has at most %d members", CN_MOST_MEMBERS);
	cn_member *members = cn_realloc(ensemble->members, ensemble->count + 1, sizeof(*members));
	if (!members)
		return CAIRN_ENOMEM;
	ensemble->members = members;
	cn_member *member = &members[ensemble->count];
	*member = (cn_member){ .weight = (float)weight };
	CN_TRY(keep_name(&member->name, name));
	ensemble->count++;
	if (fingerprint) {
		member->fingerprint = cn_strdup(fingerprint);
		if (!member->fingerprint)
			return CAIRN_ENOMEM;
	}
	for (size_t i = 0; i + 1 < ensemble->count; i++)
		if (strcmp(members[i].name, member->name) == 0)
			return cn_fail(CAIRN_EINVALID, "'%s' is given twice", name);
	return 0;
}

void cn_ensemble_free(cn_ensemble *ensemble)
{
	for (size_t i = 0; i < ensemble->count; i++) {
		cn_free(ensemble->members[i].name);
		cn_free(ensemble->members[i].fingerprint);
		cairn_model_free(ensemble->members[i].model);
	}
	cn_free(ensemble->members);
	*ensemble = (cn_ensemble){ 0 };
}

/* ---- model.json ---- */

static int parse_member(cn_ensemble *ensemble, const json_t *object, const char *where)
{
	static const char *const known[] = { "model", "weight", "fingerprint", NULL };
	const char *name, *fingerprint;
	double weight = 0;
	CN_TRY(cn_json_only(object, where, known));
	CN_TRY(cn_json_get_text(object, where, "model", &name));
	CN_TRY(cn_json_get_number(object, where, "weight", &weight));
	CN_TRY(cn_json_get_text(object, where, "fingerprint", &fingerprint));
	/* Where the working directory is must not matter. */
	if (strchr(name, '/') && name[0] != '/')
		return cn_fail(CAIRN_EFORMAT, "%s: \"model\" is \"%s\", but must be a name or an absolute path", where,
			       name);
	int status = cn_ensemble_add(ensemble, name, weight, fingerprint);
	return status == CAIRN_EINVALID ? cn_fail_context(CAIRN_EFORMAT, "%s", where) : status;
}

int cn_ensemble_parse(cn_ensemble *ensemble, const json_t *root, const char *where)
{
	const json_t *members;
	CN_TRY(cn_json_get_array(root, where, "members", &members));
	size_t count = json_array_size(members);
	if (count < 1 || count > CN_MOST_MEMBERS)
		return cn_fail(CAIRN_EFORMAT, "%s: \"members\" has %zu entries, but must have 1 to %d", where, count,
			       CN_MOST_MEMBERS);
	for (size_t i = 0; i < count; i++) {
		char place[512];
		snprintf(place, sizeof(place), "%.400s: members[%zu]", where, i);
		CN_TRY(parse_member(ensemble, json_array_get(members, i), place));
	}
	return 0;
}

json_t *cn_ensemble_json(const cn_ensemble *ensemble)
{
	json_t *list = json_array();
	for (size_t i = 0; list && i < ensemble->count; i++) {
		const cn_member *member = &ensemble->members[i];
		json_t *object = json_pack("{s:s, s:f, s:s}", "model", member->name, "weight", (double)member->weight,
					   "fingerprint", member->model->fingerprint);
		if (json_array_append_new(list, object) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

/* ---- members ---- */

static int read_member(const cairn_model *model, cn_member *member)
{
	int status = cn_bundle_read_named(&member->model, member->name, 1);
	if (status < 0)
		return model->name ? cn_fail_context(status, "the ensemble '%s' has the member '%s'", model->name,
						     member->name)
				   : status;
	if (!member->fingerprint || strcmp(member->fingerprint, member->model->fingerprint) == 0)
		return 0;
	return cn_fail(CAIRN_ENOTFOUND,
		       "the ensemble '%s' has the member '%s', which is not the model that it was learned with "
		       "(fingerprint %s, then %s): put the old bundle back, or learn the ensemble again",
		       model->name, member->name, member->model->fingerprint, member->fingerprint);
}

static int is_new_licence(const cn_ensemble *ensemble, size_t i)
{
	const char *licence = ensemble->members[i].model->licence;
	for (size_t k = 0; k < i; k++)
		if (strcmp(ensemble->members[k].model->licence, licence) == 0)
			return 0;
	return licence[0] != '\0';
}

/* Those of the members, each once. */
static int join_licences(cairn_model *model)
{
	cn_text text = CN_TEXT_INIT;
	int status = cn_text_add(&text, "");
	for (size_t i = 0; status == 0 && i < model->ensemble.count; i++)
		if (is_new_licence(&model->ensemble, i))
			status = cn_text_addf(&text, "%s%s", text.length ? "; " : "",
					      model->ensemble.members[i].model->licence);
	if (status < 0) {
		cn_text_free(&text);
		return status;
	}
	model->licence = text.data;
	return 0;
}

int cn_ensemble_read(cairn_model *model)
{
	cn_ensemble *ensemble = &model->ensemble;
	double squares = 0;
	size_t dim = 0;
	for (size_t i = 0; i < ensemble->count; i++) {
		cn_member *member = &ensemble->members[i];
		CN_TRY(read_member(model, member));
		if (member->model->is_local || member->model->is_detector)
			return cn_fail(CAIRN_EINVALID, "model '%s' gives %s, not a global descriptor", member->name,
				       cn_model_gives(member->model));
		dim += member->model->global.kept;
		squares += (double)member->weight * (double)member->weight;
	}
	for (size_t i = 0; i < ensemble->count; i++)
		ensemble->members[i].factor = (float)((double)ensemble->members[i].weight / sqrt(squares));
	if (dim > MOST_DIM)
		return cn_fail(CAIRN_EINVALID, "the models have %zu dimensions together; at most %d are possible", dim,
			       MOST_DIM);
	model->global.dim = model->global.kept = (uint32_t)dim;
	return model->licence ? 0 : join_licences(model);
}

void cn_ensemble_hash(XXH3_state_t *state, const cn_ensemble *ensemble)
{
	for (size_t i = 0; i < ensemble->count; i++) {
		const cn_member *member = &ensemble->members[i];
		XXH3_128bits_update(state, member->model->fingerprint, sizeof(member->model->fingerprint));
		XXH3_128bits_update(state, &member->factor, sizeof(member->factor));
	}
}
