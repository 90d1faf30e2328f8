/*
 * Building what makes searches faster or better: train what the segments share, then write each segment's file.
 *
 * Each file is a transaction: its number, the file, its entry. So an interruption loses one of them at most, and the
 * next run goes on with those that are missing. Training anew forgets the files of all segments in the transaction that
 * registers what was trained.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collection/structures.h"
#include "util/ids.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/parallel.h"
#include "util/progress.h"

#define MOST_WORDS            (1u << 20)
#define MOST_DEFAULT_WORDS    65536u
#define LEAST_DEFAULT_WORDS   256u
#define DESCRIPTORS_OF_A_WORD 20u
#define MOST_LISTS            (1u << 20)
/* Scanning fewer is over in no time. */
#define LEAST_ROWS 1024
/* More descriptors and more rounds cost in proportion and gain little (docs/methods.md, "ASMK"). */
#define MOST_POINTS 32
#define ITERATIONS  20
/* Images that are aggregated before they are written in order. */
#define CHUNK 64

struct building {
	cairn_collection *collection;
	const cairn_build_options *options;
	cairn_build_report *report;
	cn_workers *pool;
	int train; /* may what was never trained be trained? */
};

/* ---- registering ---- */

static void unlink_name(const cairn_collection *collection, const char *name)
{
	char *path = name ? cn_collection_file(collection, name) : NULL;
	if (path)
		unlink(path);
	cn_free(path);
}

/* What is registered no longer. */
static void delete_files(const cairn_collection *collection, int structure)
{
	const cn_snapshot *now = &collection->now;
	unlink_name(collection, now->structures[structure].file.name);
	for (size_t i = 0; i < now->segment_count; i++)
		unlink_name(collection, now->segments[i].record.files[CN_FILE_DERIVED + structure].name);
}

/* Commit or roll back; a file that did not get in goes. */
static int end_transaction(cairn_collection *collection, int status, const char *name)
{
	if (status == 0)
		status = cn_catalogue_commit(collection->catalogue);
	if (status < 0) {
		cn_catalogue_rollback(collection->catalogue);
		unlink_name(collection, name);
	}
	return status;
}

/* ---- what the segments share ---- */

static int save_shared(const cairn_collection *collection, int structure, const cn_shared *shared,
		       cn_structure_record *record)
{
	int64_t number;
	CN_TRY(cn_catalogue_new_number(collection->catalogue, &number));
	char *name = shared->codebook
			     ? cn_textf("%08lld.%s.codebook.npy", (long long)number, collection->locals[structure])
			     : cn_textf("%08lld.quantizer.ivf", (long long)number);
	char *path = name ? cn_collection_file(collection, name) : NULL;
	record->file.name = name;
	int status = path ? 0 : CAIRN_ENOMEM;
	if (status == 0)
		status = shared->codebook ? cairn_codebook_save(shared->codebook, path)
					  : cairn_ivf_save(shared->quantizer, path);
	if (status == 0)
		status = cn_file_checksum(path, &record->file.size, &record->file.crc);
	cn_free(path);
	return status;
}

static uint64_t units_of(const cn_shared *shared)
{
	cairn_ivf_info info;
	if (shared->codebook)
		return cairn_codebook_words(shared->codebook);
	cairn_ivf_get_info(shared->quantizer, &info);
	return info.lists;
}

/* In the place of the one before, whose files of segments go with it. */
static int take_shared(struct building *building, int structure, const cn_shared *shared, uint64_t trained)
{
	cairn_collection *collection = building->collection;
	cn_catalogue *catalogue = collection->catalogue;
	cn_structure_record record = { .units = units_of(shared), .trained = trained };
	CN_TRY(cn_catalogue_begin(catalogue));
	int status = save_shared(collection, structure, shared, &record);
	if (status == 0)
		status = cn_catalogue_set_structure(catalogue, &collection->sources, structure, &record);
	status = end_transaction(collection, status, record.file.name);
	cn_free(record.file.name);
	CN_TRY(status);
	building->report->trained++;
	delete_files(collection, structure);
	return cn_collection_reload(collection);
}

/* ---- copying a codebook ---- */

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

static int copy_of_collection(const struct building *building, size_t local, const char *folder, cairn_codebook **out)
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

static int copy_of_file(const struct building *building, size_t local, const char *path, cairn_codebook **out)
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

/* Inverted files know their codebook by its numbers, so the same once more would be work for nothing. */
static int is_same(const struct building *building, size_t local, const cairn_codebook *codebook)
{
	cairn_codebook *own;
	int same = 0;
	if (!building->collection->now.structures[CN_STRUCTURE_ASMK + local].file.name ||
	    cn_structure_codebook(building->collection, local, &own) < 0)
		return 0;
	if (cairn_codebook_words(own) == cairn_codebook_words(codebook))
		same = memcmp(cairn_codebook_vectors(own), cairn_codebook_vectors(codebook),
			      cairn_codebook_words(own) * cairn_codebook_dim(own) * sizeof(float)) == 0;
	cairn_codebook_free(own);
	return same;
}

static int copy_codebook(struct building *building, size_t local)
{
	const char *from = building->options->codebook;
	cairn_codebook *codebook = NULL;
	CN_TRY(is_folder(from) ? copy_of_collection(building, local, from, &codebook)
			       : copy_of_file(building, local, from, &codebook));
	const cn_shared shared = { .codebook = codebook };
	int status = is_same(building, local, codebook)
			     ? 0
			     : take_shared(building, CN_STRUCTURE_ASMK + (int)local, &shared, 0);
	cairn_codebook_free(codebook);
	return status;
}

/* ---- training ---- */

/* Told of the features of each image in turn. @return 0, 1 to stop, or an error */
typedef int (*features_visit)(void *context, const cairn_features *features);

static int visit_segment(struct building *building, size_t at, size_t local, cn_progress *progress,
			 features_visit visit, void *context)
{
	cairn_collection *collection = building->collection;
	const cn_snapshot *now = &collection->now;
	cn_feature_segment *segment;
	int status = 0;
	CN_TRY(cn_segment_features(collection, &collection->now.segments[at], local, &segment));
	for (size_t i = 0; i < cn_feature_segment_count(segment) && status == 0; i++) {
		int64_t id = cn_feature_segment_image(segment, i);
		size_t removed = cn_ids_find(now->removed, now->removed_count, id);
		cairn_features *features;
		CN_TRY(cn_progress_add(progress, 1, 0));
		if (removed < now->removed_count && now->removed[removed] == id)
			continue;
		CN_TRY(cn_feature_segment_read(segment, id, &features));
		status = visit(context, features);
		cairn_features_free(features);
	}
	return status;
}

static int visit_all(struct building *building, size_t local, const char *stage, features_visit visit, void *context)
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

static int train(struct building *building, size_t local, uint32_t words, cairn_codebook **out)
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

/* Remember that it is wanted, so that an add that brings enough makes it. */
static int postpone(struct building *building, int structure)
{
	cairn_collection *collection = building->collection;
	const cn_structure_record none = { .wanted = 1 };
	building->report->postponed++;
	if (collection->now.structures[structure].wanted)
		return 0;
	CN_TRY(cn_catalogue_begin(collection->catalogue));
	CN_TRY(end_transaction(
		collection, cn_catalogue_set_structure(collection->catalogue, &collection->sources, structure, &none),
		NULL));
	return cn_collection_reload(collection);
}

static int train_codebook(struct building *building, size_t local)
{
	uint32_t words = building->options->words;
	uint64_t descriptors = 0, images = building->collection->now.counts.images;
	cn_shared shared = { 0 };
	if (!words) {
		CN_TRY(visit_all(building, local, "counting features", count_descriptors, &descriptors));
		words = default_words(descriptors);
	}
	if (!words && images)
		cn_log(CAIRN_LOG_WARNING,
		       "%llu descriptors of '%s' are too few for ASMK, which needs %u to train its words on: it waits "
		       "for more images",
		       (unsigned long long)descriptors, building->collection->locals[local],
		       LEAST_DEFAULT_WORDS * DESCRIPTORS_OF_A_WORD);
	if (!words)
		return postpone(building, CN_STRUCTURE_ASMK + (int)local);
	CN_TRY(train(building, local, words, &shared.codebook));
	int status = take_shared(building, CN_STRUCTURE_ASMK + (int)local, &shared, images);
	cairn_codebook_free(shared.codebook);
	return status;
}

static int parts_of_segments(cairn_collection *collection, cairn_index_part **out)
{
	cn_snapshot *now = &collection->now;
	CN_NEW(*out, now->segment_count, sizeof(**out));
	for (size_t i = 0; i < now->segment_count; i++)
		CN_TRY(cn_segment_part(collection, &now->segments[i], &(*out)[i]));
	return 0;
}

static int train_on_parts(const struct building *building, const cairn_index_part *parts, cairn_ivf **out)
{
	const cairn_build_options *options = building->options;
	const cairn_collection *collection = building->collection;
	cairn_ivf_options how = CAIRN_IVF_OPTIONS_INIT;
	how.threads = options->threads;
	how.lists = options->lists;
	how.seed = options->seed;
	return cairn_ivf_train(out, collection->dim, parts, collection->now.segment_count, &how, options->progress,
			       options->progress_payload);
}

static int train_quantizer(struct building *building)
{
	cairn_collection *collection = building->collection;
	uint64_t rows = collection->now.rows;
	cairn_index_part *parts = NULL;
	cn_shared shared = { 0 };
	if (!building->options->lists && rows < LEAST_ROWS) {
		if (rows)
			cn_log(CAIRN_LOG_WARNING, "%llu descriptors are too few for lists: they wait for %d",
			       (unsigned long long)rows, LEAST_ROWS);
		return postpone(building, CN_STRUCTURE_LISTS);
	}
	int status = parts_of_segments(collection, &parts);
	if (status == 0)
		status = train_on_parts(building, parts, &shared.quantizer);
	cn_free(parts);
	if (status == 0)
		status = take_shared(building, CN_STRUCTURE_LISTS, &shared, rows);
	cairn_ivf_free(shared.quantizer);
	return status;
}

/* ---- inverted files ---- */

struct aggregation {
	const cn_feature_segment *features;
	const cairn_codebook *codebook;
	size_t first; /* image in the segment */
	cairn_asmk_aggregate *aggregates[CHUNK];
};

static int aggregate_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct aggregation *work = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		int64_t id = cn_feature_segment_image(work->features, work->first + i);
		cairn_features *features;
		CN_TRY(cn_feature_segment_read(work->features, id, &features));
		const cairn_features *const regions[] = { features };
		int status = cairn_asmk_aggregate_new(&work->aggregates[i], work->codebook, regions, 1, NULL);
		cairn_features_free(features);
		CN_TRY(status);
	}
	return 0;
}

static int write_chunk(struct building *building, struct aggregation *work, size_t count, cairn_asmk_writer *writer,
		       cn_progress *progress)
{
	int status = cn_parallel_for(building->pool, count, 1, aggregate_range, work);
	for (size_t i = 0; i < count; i++) {
		if (status == 0)
			status = cairn_asmk_writer_add(
				writer, cn_feature_segment_image(work->features, work->first + i), work->aggregates[i]);
		cairn_asmk_aggregate_free(work->aggregates[i]);
		work->aggregates[i] = NULL;
	}
	return status < 0 ? status : cn_progress_add(progress, count, 0);
}

/* Images removed since are written too: what a file holds depends on its segment alone. */
static int write_inverted(struct building *building, const cn_feature_segment *features, const char *kind,
			  const cairn_codebook *codebook, const char *path, cn_progress *progress)
{
	struct aggregation work = { .features = features, .codebook = codebook };
	size_t images = cn_feature_segment_count(features);
	cairn_asmk_writer *writer;
	int status = 0;
	CN_TRY(cairn_asmk_writer_new(&writer, path, kind, codebook, NULL));
	for (; work.first < images && status == 0; work.first += CHUNK) {
		size_t rest = images - work.first;
		status = write_chunk(building, &work, rest < CHUNK ? rest : CHUNK, writer, progress);
	}
	if (status == 0)
		status = cairn_asmk_writer_commit(writer);
	cairn_asmk_writer_free(writer);
	return status;
}

static int write_file(struct building *building, size_t at, int structure, const cn_shared *shared, const char *path,
		      cn_progress *progress)
{
	cairn_collection *collection = building->collection;
	cn_segment *segment = &collection->now.segments[at];
	cn_feature_segment *features;
	cairn_index_part part;
	if (structure != CN_STRUCTURE_LISTS) {
		CN_TRY(cn_segment_features(collection, segment, (size_t)structure, &features));
		return write_inverted(building, features, collection->locals[structure], shared->codebook, path,
				      progress);
	}
	CN_TRY(cn_segment_part(collection, segment, &part));
	CN_TRY(cairn_ivf_write_lists(shared->quantizer, &part, path, building->options->threads, NULL, NULL));
	return cn_progress_add(progress, segment->record.images, 0);
}

/* Under a number of its own; the transaction is open. */
static int add_file(struct building *building, size_t at, int structure, const cn_shared *shared, cn_progress *progress,
		    cn_segment_file *out)
{
	cairn_collection *collection = building->collection;
	int64_t number, segment = collection->now.segments[at].record.id;
	CN_TRY(cn_catalogue_new_number(collection->catalogue, &number));
	out->name = cn_segment_file_name(&collection->sources, number, CN_FILE_DERIVED + structure);
	char *path = out->name ? cn_collection_file(collection, out->name) : NULL;
	int status = path ? write_file(building, at, structure, shared, path, progress) : CAIRN_ENOMEM;
	if (status == 0)
		status = cn_file_checksum(path, &out->size, &out->crc);
	if (status == 0)
		status = cn_catalogue_set_file(collection->catalogue, &collection->sources, segment,
					       CN_FILE_DERIVED + structure, out);
	cn_free(path);
	return status;
}

static int write_segment(struct building *building, size_t at, int structure, const cn_shared *shared,
			 cn_progress *progress)
{
	cairn_collection *collection = building->collection;
	cn_segment_file file = { 0 };
	CN_TRY(cn_catalogue_begin(collection->catalogue));
	int status = add_file(building, at, structure, shared, progress, &file);
	status = end_transaction(collection, status, file.name);
	cn_free(file.name);
	building->report->written += status == 0;
	return status;
}

static uint64_t missing_images(const cn_snapshot *now, int structure)
{
	uint64_t images = 0;
	for (size_t i = 0; i < now->segment_count; i++)
		if (!now->segments[i].record.files[CN_FILE_DERIVED + structure].name)
			images += now->segments[i].record.images;
	return images;
}

static int write_missing(struct building *building, int structure, const cn_shared *shared, uint64_t images)
{
	const cairn_build_options *options = building->options;
	const cn_snapshot *now = &building->collection->now;
	cn_progress progress;
	int status = 0;
	cn_progress_start(&progress, options->progress, options->progress_payload,
			  structure == CN_STRUCTURE_LISTS ? "writing lists" : "writing inverted files", images);
	for (size_t i = 0; i < now->segment_count && status == 0; i++)
		if (!now->segments[i].record.files[CN_FILE_DERIVED + structure].name)
			status = write_segment(building, i, structure, shared, &progress);
	cn_progress_end(&progress);
	return status;
}

static int complete(struct building *building, int structure)
{
	cairn_collection *collection = building->collection;
	uint64_t images = missing_images(&collection->now, structure);
	char error[CN_ERROR_SIZE];
	cn_shared shared;
	if (!images)
		return 0;
	CN_TRY(cn_structure_open_shared(collection, structure, &shared));
	int status = write_missing(building, structure, &shared, images);
	cn_shared_free(&shared);
	if (status < 0)
		cn_error_save(error, sizeof(error));
	int reloaded = cn_collection_reload(collection);
	if (status < 0)
		cn_error_restore(error);
	return status < 0 ? status : reloaded;
}

/* ---- the whole ---- */

static int is_asked_for(const struct building *building, int structure)
{
	const cairn_build_options *options = building->options;
	if (structure == CN_STRUCTURE_LISTS)
		return options->ivf;
	return options->asmk && strcmp(options->asmk, building->collection->locals[structure]) == 0;
}

static int make_shared(struct building *building, int structure)
{
	const cairn_build_options *options = building->options;
	if (structure != CN_STRUCTURE_LISTS && options->codebook && is_asked_for(building, structure))
		return copy_codebook(building, (size_t)structure);
	int again = options->retrain && (is_asked_for(building, structure) || (!options->asmk && !options->ivf));
	if (!again && (building->collection->now.structures[structure].file.name || !building->train))
		return 0;
	return structure == CN_STRUCTURE_LISTS ? train_quantizer(building)
					       : train_codebook(building, (size_t)structure);
}

static int build_structure(struct building *building, int structure)
{
	const cn_structure_record *record = &building->collection->now.structures[structure];
	if (!record->wanted && !is_asked_for(building, structure))
		return 0;
	CN_TRY(make_shared(building, structure));
	return record->file.name ? complete(building, structure) : 0;
}

static int build(struct building *building)
{
	int locals = (int)building->collection->sources.local_count;
	CN_TRY(cn_workers_new(&building->pool, building->options->threads));
	int status = 0;
	for (int i = 0; i < locals && status == 0; i++)
		status = build_structure(building, CN_STRUCTURE_ASMK + i);
	if (status == 0)
		status = build_structure(building, CN_STRUCTURE_LISTS);
	cn_workers_free(building->pool);
	cn_catalogue_checkpoint(building->collection->catalogue);
	return status;
}

static int check_options(const cairn_collection *collection, const cairn_build_options *options)
{
	size_t local;
	if (options->version != CAIRN_BUILD_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "build options of version %u, this library knows %d", options->version,
			       CAIRN_BUILD_OPTIONS_VERSION);
	if (options->words > MOST_WORDS)
		return cn_fail(CAIRN_EINVALID, "a codebook of %u words, at most %u are possible", options->words,
			       MOST_WORDS);
	if (options->codebook && (!options->asmk || options->words || options->retrain))
		return cn_fail(CAIRN_EINVALID,
			       "a codebook that is copied ('%s') is for one kind of features, and is not trained",
			       options->codebook);
	if (options->lists > MOST_LISTS)
		return cn_fail(CAIRN_EINVALID, "%u lists, at most %u are possible", options->lists, MOST_LISTS);
	if (options->ivf && !collection->sources.global_count)
		return cn_fail(CAIRN_EINVALID, "'%s' has no global descriptors to make lists of", collection->folder);
	if (options->asmk)
		CN_TRY(cn_collection_local(collection, options->asmk, &local));
	return cn_collection_expect_writable(collection);
}

int cairn_collection_build_index(cairn_collection *collection, const cairn_build_options *options,
				 cairn_build_report *report)
{
	static const cairn_build_options defaults = CAIRN_BUILD_OPTIONS_INIT;
	cairn_build_report own;
	struct building building = { .collection = collection, .options = options ? options : &defaults, .train = 1 };
	building.report = report ? report : &own;
	*building.report = (cairn_build_report){ 0 };
	CN_TRY(check_options(collection, building.options));
	CN_TRY(cn_collection_expect_fresh(collection));
	return build(&building);
}

int cn_structures_complete(cairn_collection *collection, int train, uint32_t threads, cairn_progress_cb progress,
			   void *payload)
{
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	cairn_build_report report = { 0 };
	options.threads = threads;
	options.progress = progress;
	options.progress_payload = payload;
	struct building building = { .collection = collection, .options = &options, .report = &report, .train = train };
	return build(&building);
}
