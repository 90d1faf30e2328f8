/*
 * Opening what describes images. Each network is checked first: what another one says cannot be compared with what the
 * collection keeps.
 */
#include "collection/describers.h"

#include <string.h>

#include "local/rootsift.h"
#include "model/bundle.h"

static int is_rootsift(const cn_source *source)
{
	return strcmp(source->name, "rootsift") == 0;
}

static int check_source(const cn_source *source, const char *folder)
{
	cairn_model *model;
	cairn_model_info info;
	if (is_rootsift(source))
		return strcmp(source->fingerprint, CN_ROOTSIFT_FINGERPRINT) == 0
			       ? 0
			       : cn_fail(CAIRN_EUNSUPPORTED,
					 "the collection '%s' holds RootSIFT features of another version of cairn "
					 "(%s, now %s): make a new collection",
					 folder, source->fingerprint, CN_ROOTSIFT_FINGERPRINT);
	int status = cairn_model_inspect(&model, source->name);
	/* init takes no name that makes no sense: where there is one, the catalogue is damaged. */
	if (status < 0)
		return cn_fail_context(status == CAIRN_EINVALID ? CAIRN_EDAMAGED : status,
				       "the collection '%s' was made with the model '%s'", folder, source->name);
	cairn_model_get_info(model, &info);
	if (strcmp(info.fingerprint, source->fingerprint) != 0)
		status = cn_fail(
			CAIRN_ENOTFOUND,
			"model '%s' is not the one that the collection '%s' was made with (fingerprint %s, then %s): "
			"put the old bundle back, or make a new collection",
			source->name, folder, info.fingerprint, source->fingerprint);
	cairn_model_free(model);
	return status;
}

/* @param[out] longest,shortest 0 for a model that is not there or damaged: what needs it will fail */
static int sides_of(const cn_source *source, uint32_t *longest, uint32_t *shortest)
{
	cairn_model *model;
	*longest = CN_ROOTSIFT_LONGEST;
	*shortest = 0;
	if (is_rootsift(source))
		return 0;
	*longest = 0;
	int status = cairn_model_inspect(&model, source->name);
	if (status < 0)
		return status == CAIRN_ENOMEM ? status : 0;
	*longest = cn_model_longest(model);
	*shortest = cn_model_shortest(model);
	cairn_model_free(model);
	return 0;
}

static int add_sides(cn_describers *describers, const cn_source *sources, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t longest, shortest;
		CN_TRY(sides_of(&sources[i], &longest, &shortest));
		if (longest > describers->decoding.shrink_to)
			describers->decoding.shrink_to = longest;
		if (shortest > describers->decoding.shrink_shortest)
			describers->decoding.shrink_shortest = shortest;
	}
	return 0;
}

int cn_describers_start(cn_describers *describers, const cairn_collection *collection, const char *precision,
			unsigned threads)
{
	const cn_sources *sources = &collection->sources;
	*describers = (cn_describers){ .collection = collection,
				       .precision = precision,
				       .threads = threads,
				       .decoding = CAIRN_IMAGE_OPTIONS_INIT };
	CN_TRY(add_sides(describers, sources->globals, sources->global_count));
	CN_TRY(add_sides(describers, sources->locals, sources->local_count));
	return add_sides(describers, &sources->detector, sources->detector.name != NULL);
}

void cn_describers_free(cn_describers *describers)
{
	cairn_describer_free(describers->describer);
	for (size_t i = 0; i < CN_MAX_SOURCES; i++)
		cairn_extractor_free(describers->extractors[i]);
	cairn_model_free(describers->detector);
	*describers = (cn_describers){ 0 };
}

int cn_describers_need_global(cn_describers *describers)
{
	const cairn_collection *collection = describers->collection;
	cairn_describer_options how = CAIRN_DESCRIBER_OPTIONS_INIT;
	cairn_describer *describer;
	how.threads = describers->threads;
	how.precision = describers->precision;
	if (describers->describer || collection->sources.global_count == 0)
		return 0;
	for (size_t i = 0; i < collection->sources.global_count; i++)
		CN_TRY(check_source(&collection->sources.globals[i], collection->folder));
	CN_TRY(cairn_describer_new(&describer, collection->models, collection->sources.global_count, &how));
	size_t dim = cairn_describer_dim(describer);
	if (dim != collection->dim) {
		cairn_describer_free(describer);
		return cn_fail(CAIRN_EDAMAGED, "'%s': its models give %zu dimensions, its catalogue says %zu",
			       collection->folder, dim, collection->dim);
	}
	describers->describer = describer;
	return 0;
}

int cn_describers_need_local(cn_describers *describers, size_t local)
{
	const cairn_collection *collection = describers->collection;
	const cn_source *source = &collection->sources.locals[local];
	cairn_extractor_options how = CAIRN_EXTRACTOR_OPTIONS_INIT;
	how.threads = describers->threads;
	how.precision = describers->precision;
	if (describers->extractors[local])
		return 0;
	CN_TRY(check_source(source, collection->folder));
	return cairn_extractor_new(&describers->extractors[local], source->name, &how);
}

int cn_describers_need_detector(cn_describers *describers)
{
	const cairn_collection *collection = describers->collection;
	const cn_source *source = &collection->sources.detector;
	cairn_model_options how = CAIRN_MODEL_OPTIONS_INIT;
	how.threads = describers->threads;
	how.precision = describers->precision;
	if (describers->detector || !source->name)
		return 0;
	CN_TRY(check_source(source, collection->folder));
	return cairn_model_open(&describers->detector, source->name, &how);
}
