/*
 * The codebook that the ASMK of a collection's segments share: trained on its features, or copied from elsewhere.
 */
#include <string.h>
#include <sys/stat.h>

#include "collection/structures.h"
#include "util/ids.h"
#include "util/log.h"
#include "util/memory.h"

#define MOST_DEFAULT_WORDS    65536u
#define LEAST_DEFAULT_WORDS   256u
#define DESCRIPTORS_OF_A_WORD 20u
/* More descriptors and more rounds cost in proportion and gain little (docs/methods.md, "ASMK"). */
#define MOST_POINTS 32
#define ITERATIONS  20

static int take(cn_building *building, size_t local, const cairn_codebook *codebook, uint64_t images)
{
	return cn_building_take(building, CN_STRUCTURE_ASMK + (int)local, codebook, cairn_codebook_words(codebook),
				images);
}

/* ---- copying ---- */

static int check_origin(const cairn_collection *collection, const cairn_collection *origin, size_t local, size_t there)
{
	const cn_source *own = &collection->sources.locals[local], *other = &origin->sources.locals[there];
	if (strcmp(own->fingerprint, other->fingerprint) != 0)
		return cn_fail(CAIRN_EINVALID, "'%s': its features '%s' are of another model than those of '%s'",
			       origin->folder, own->kind, collection->folder);
	if (!origin->now.structures[CN_STRUCTURE_ASMK + there].file.name)
		return cn_fail(CAIRN_ENOTFOUND, "'%s' has no codebook of '%s'; 'cairn index --asmk' makes it",
			       origin->folder, own->kind);
	return 0;
}

static int copy_of_collection(const cn_building *building, size_t local, const char *folder, cairn_codebook **out)
{
	cairn_collection *origin;
	size_t there;
	CN_TRY(cairn_collection_open(&origin, folder, 0));
	int status = cn_collection_local(origin, building->collection->locals[local], &there);
	if (status == 0)
		status = check_origin(building->collection, origin, local, there);
	if (status == 0)
		status = cn_structure_codebook(origin, there, out);
	cairn_collection_free(origin);
	return status;
}

static int copy_of_file(const cn_building *building, size_t local, const char *path, cairn_codebook **out)
{
	const cn_source *source = &building->collection->sources.locals[local];
	CN_TRY(cairn_codebook_open(out, path));
	if (cairn_codebook_dim(*out) == source->dim)
		return 0;
	int status = cn_fail(CAIRN_EINVALID, "'%s': words of %zu dimensions; descriptors of '%s' have %u", path,
			     cairn_codebook_dim(*out), source->kind, source->dim);
	cairn_codebook_free(*out);
	*out = NULL;
	return status;
}

static int is_folder(const char *path)
{
	struct stat info;
	return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* ASMK files know their codebook by its numbers, so the same once more would be work for nothing. */
static int is_same(const cn_building *building, size_t local, const cairn_codebook *codebook)
{
	cn_snapshot *now = &building->collection->now;
	if (!now->structures[CN_STRUCTURE_ASMK + local].file.name ||
	    cn_structure_regions_change(building, CN_STRUCTURE_ASMK + (int)local) ||
	    cn_structure_asmk.open(building->collection, local) < 0)
		return 0;
	const cairn_codebook *own = now->codebooks[local];
	return cairn_codebook_words(own) == cairn_codebook_words(codebook) &&
	       memcmp(cairn_codebook_vectors(own), cairn_codebook_vectors(codebook),
		      cairn_codebook_words(own) * cairn_codebook_dim(own) * sizeof(float)) == 0;
}

static int copy_codebook(cn_building *building, size_t local)
{
	const char *from = building->options->codebook;
	cairn_codebook *codebook = NULL;
	CN_TRY(is_folder(from) ? copy_of_collection(building, local, from, &codebook)
			       : copy_of_file(building, local, from, &codebook));
	int status = is_same(building, local, codebook) ? 0 : take(building, local, codebook, 0);
	cairn_codebook_free(codebook);
	return status;
}

/* ---- training ---- */

/* Told of the features of each image in turn. @return 0, 1 to stop, or an error */
typedef int (*features_visit)(void *context, const cairn_features *features);

static int visit_segment(cn_building *building, size_t at, size_t local, cn_progress *progress, features_visit visit,
			 void *context)
{
	cairn_collection *collection = building->collection;
	const cn_snapshot *now = &collection->now;
	cn_feature_segment *segment;
	int status = 0;
	CN_TRY(cn_segment_features(collection, &collection->now.segments[at], local, &segment));
	for (size_t i = 0; i < cn_feature_segment_count(segment) && status == 0; i++) {
		int64_t id = cn_feature_segment_image(segment, i);
		cairn_features *features;
		CN_TRY(cn_progress_add(progress, 1, 0));
		if (cn_ids_have(now->removed, now->removed_count, id))
			continue;
		CN_TRY(cn_feature_segment_read(segment, id, &features));
		status = visit(context, features);
		cairn_features_free(features);
	}
	return status;
}

static int visit_all(cn_building *building, size_t local, const char *stage, features_visit visit, void *context)
{
	const cn_snapshot *now = &building->collection->now;
	uint64_t images = 0;
	cn_progress progress;
	int status = 0;
	for (size_t i = 0; i < now->segment_count; i++)
		images += now->segments[i].record.images;
	cn_progress_start(&progress, building->options->progress, building->options->progress_payload, stage, images);
	for (size_t i = 0; i < now->segment_count && status == 0; i++)
		status = visit_segment(building, i, local, &progress, visit, context);
	cn_progress_end(&progress);
	return status < 0 ? status : 0;
}

/* Counts no further than what most words need. */
static int count_descriptors(void *context, const cairn_features *features)
{
	uint64_t *count = context;
	*count += cairn_features_count(features);
	return *count >= (uint64_t)MOST_DEFAULT_WORDS * DESCRIPTORS_OF_A_WORD;
}

static int give_to_trainer(void *context, const cairn_features *features)
{
	return cairn_codebook_trainer_add(context, features);
}

static uint32_t default_words(uint64_t descriptors)
{
	uint32_t words = MOST_DEFAULT_WORDS;
	while (words >= LEAST_DEFAULT_WORDS && (uint64_t)words * DESCRIPTORS_OF_A_WORD > descriptors)
		words /= 2;
	return words >= LEAST_DEFAULT_WORDS ? words : 0;
}

static int train(cn_building *building, size_t local, uint32_t words, cairn_codebook **out)
{
	cairn_codebook_options how = CAIRN_CODEBOOK_OPTIONS_INIT;
	cairn_codebook_trainer *trainer;
	how.words = words;
	how.max_points = MOST_POINTS;
	how.iterations = ITERATIONS;
	how.seed = building->options->seed;
	how.threads = building->options->threads;
	CN_TRY(cairn_codebook_trainer_new(&trainer, &how));
	int status = visit_all(building, local, "reading features", give_to_trainer, trainer);
	if (status == 0)
		status = cairn_codebook_trainer_run(out, trainer, building->options->progress,
						    building->options->progress_payload);
	cairn_codebook_trainer_free(trainer);
	return status;
}

static void warn_of_few(const cairn_collection *collection, size_t local, uint64_t descriptors)
{
	int is_there = collection->now.structures[CN_STRUCTURE_ASMK + local].file.name != NULL;
	cn_log(CAIRN_LOG_WARNING,
	       "too few descriptors of '%s' for ASMK: %llu, and it needs %u to train its words on; %s",
	       collection->locals[local], (unsigned long long)descriptors, LEAST_DEFAULT_WORDS * DESCRIPTORS_OF_A_WORD,
	       is_there ? "the words of before stay" : "it waits for more images");
}

static int train_codebook(cn_building *building, size_t local)
{
	uint32_t words = building->options->words;
	uint64_t descriptors = 0, images = building->collection->now.counts.images;
	cairn_codebook *codebook = NULL;
	if (words && !images)
		return cn_fail(CAIRN_EINVALID, "'%s' has no images yet to train %u words on; add some first",
			       building->collection->folder, words);
	if (!words) {
		CN_TRY(visit_all(building, local, "counting features", count_descriptors, &descriptors));
		words = default_words(descriptors);
	}
	if (!words && images)
		warn_of_few(building->collection, local, descriptors);
	if (!words)
		return cn_building_postpone(building, CN_STRUCTURE_ASMK + (int)local);
	CN_TRY(train(building, local, words, &codebook));
	int status = take(building, local, codebook, images);
	cairn_codebook_free(codebook);
	return status;
}

/* The words stay, and the files of segments are written anew. */
static int keep_codebook(cn_building *building, size_t local)
{
	cairn_collection *collection = building->collection;
	uint64_t trained = collection->now.structures[CN_STRUCTURE_ASMK + local].trained;
	cairn_codebook *codebook;
	CN_TRY(cn_structure_codebook(collection, local, &codebook));
	int status = take(building, local, codebook, trained);
	cairn_codebook_free(codebook);
	return status;
}

int cn_codebook_make(cn_building *building, size_t local)
{
	const cn_structure_record *record = &building->collection->now.structures[CN_STRUCTURE_ASMK + local];
	if (record->file.name && !building->options->retrain && !building->options->codebook)
		return keep_codebook(building, local);
	return building->options->codebook && cn_structure_asmk.asked(building, local)
		       ? copy_codebook(building, local)
		       : train_codebook(building, local);
}
