/*
 * Adding images: a pipeline of two stages.
 *
 *   paths -> [ batch: look, hash; decode, describe; all threads, any order ] -> [ intake: decide, write, commit; in
 * order ]
 *
 * While the threads work on one batch, a further thread takes in the one before, so that no core waits for the disk. A
 * batch ends when it is full or has taken its time; images that were not reached, or whose turn would leave a gap, go
 * over into the next one. What stops the work (a wish to cancel, a full disk) is acted on after the images before it
 * are taken in.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "collection/intake.h"
#include "collection/labels.h"
#include "collection/scan.h"
#include "collection/structures.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/parallel.h"
#include "util/progress.h"

#define DEFAULT_BATCH 256
#define BATCH_SECONDS 20.0
/* Networks run faster when images of one size follow each other, but a batch must fill from its beginning: what is
 * taken in are the finished images at its head. */
#define WINDOW 64

struct batch {
	cn_image_slot *slots;
	size_t count;
};

struct add {
	cairn_collection *collection;
	const cairn_add_options *options;
	cairn_add_report *report;
	cn_path_list list;
	size_t next; /* path to look at */
	cn_labels labels;
	cn_text parent; /* label from the parent folder */
	cn_describers describers;
	cn_workers *pool;
	cn_progress progress;
	size_t batch_size;
	struct batch batches[2];
	struct batch *working, *taken; /* being described; being taken in */
	cn_image_slot **order;         /* in which the working batch is described */
	cn_keymap displaced;           /* the intake's */
	double deadline;               /* of the working batch; 0: none */
	/* What the describing threads look up: content that is in already, or in the hands of an earlier image. */
	pthread_mutex_t hint_mutex;
	cn_catalogue *hint_catalogue;
	cn_keymap hint_positions;
};

static void tell_error(const struct add *add, const char *path, int status, const char *message)
{
	if (add->options->on_error)
		add->options->on_error(path, status, message, add->options->error_payload);
}

/* ---- describing: several threads ---- */

/* 1 if an image before this one has the same content and is not committed yet; 0 after taking note of it; or an error.
 */
static int is_in_hands(struct add *add, const cn_image_slot *slot)
{
	uint64_t *position = cn_keymap_get(&add->hint_positions, slot->hash);
	if (!position)
		return cn_keymap_put(&add->hint_positions, slot->hash, slot->position, NULL) < 0 ? CAIRN_ENOMEM : 0;
	if (*position < slot->position)
		return 1;
	*position = slot->position;
	return 0;
}

/* 1 if describing this image is probably not needed; 0; or an error. */
static int seems_known(struct add *add, const cn_image_slot *slot)
{
	cn_image_entry row;
	pthread_mutex_lock(&add->hint_mutex);
	int status = cn_catalogue_find_hash(add->hint_catalogue, slot->hash, &row);
	if (status == 0)
		status = row.id ? 1 : is_in_hands(add, slot);
	pthread_mutex_unlock(&add->hint_mutex);
	return status;
}

static int look_at(struct add *add, cn_image_slot *slot)
{
	CN_TRY(cn_slot_look(slot, &add->describers));
	int known = seems_known(add, slot);
	if (known > 0)
		slot->state = CN_SLOT_KNOWN;
	return known < 0 ? known : 0;
}

static int is_late(const struct add *add)
{
	return add->deadline > 0 && cn_seconds() > add->deadline;
}

static int count(struct add *add, cn_image_slot *slot)
{
	if (slot->counted || slot->state == CN_SLOT_PENDING)
		return 0;
	slot->counted = 1;
	return cn_progress_add(&add->progress, 1, slot->state == CN_SLOT_FAILED);
}

/* cn_loop_body over the slots of the working batch. */
static int look_at_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct add *add = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		cn_image_slot *slot = &add->working->slots[i];
		if (slot->state == CN_SLOT_PENDING && !slot->looked && !is_late(add)) {
			int status = look_at(add, slot);
			if (status < 0)
				CN_TRY(cn_slot_fail(slot, status));
		}
		CN_TRY(count(add, slot));
	}
	return 0;
}

/* cn_loop_body over the order of the working batch. */
static int describe_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct add *add = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		cn_image_slot *slot = add->order[i];
		if (slot->state == CN_SLOT_PENDING && slot->looked && !is_late(add)) {
			int status = cn_slot_describe(slot, &add->describers);
			if (status < 0)
				CN_TRY(cn_slot_fail(slot, status));
		}
		CN_TRY(count(add, slot));
	}
	return 0;
}

/* By window, then by size, then by position. */
static int compare_slots(const void *a, const void *b)
{
	const cn_image_slot *x = *(cn_image_slot *const *)a, *y = *(cn_image_slot *const *)b;
	if (x->position / WINDOW != y->position / WINDOW)
		return x->position < y->position ? -1 : 1;
	if (x->width != y->width)
		return x->width < y->width ? -1 : 1;
	if (x->height != y->height)
		return x->height < y->height ? -1 : 1;
	return (x->position > y->position) - (x->position < y->position);
}

static int describe_slots(struct add *add)
{
	CN_TRY(cn_parallel_for(add->pool, add->working->count, 1, look_at_range, add));
	for (size_t i = 0; i < add->working->count; i++)
		add->order[i] = &add->working->slots[i];
	if (add->working->count)
		qsort(add->order, add->working->count, sizeof(*add->order), compare_slots);
	return cn_parallel_for(add->pool, add->working->count, 1, describe_range, add);
}

/* ---- feeding: this thread ---- */

/* The label that is given for a path; NULL if none. Borrowed until the next call. */
static int given_label(struct add *add, const char *path, const char **out)
{
	*out = cn_labels_find(&add->labels, path);
	if (*out || !add->options->label_from_parent)
		return 0;
	CN_TRY(cn_label_of_parent(&add->parent, path));
	*out = add->parent.data;
	return 0;
}

/* Make a slot for the path, or leave it out where nothing is to be done. */
static int feed_path(struct add *add, const char *path, size_t position)
{
	cn_image_entry row;
	const char *label;
	uint64_t size;
	int64_t mtime_ns;
	CN_TRY(given_label(add, path, &label));
	CN_TRY(cn_catalogue_find_path(add->collection->catalogue, path, &row));
	int same = row.id && cn_slot_stat(path, &size, &mtime_ns) == 0 && size == row.size && mtime_ns == row.mtime_ns;
	if (same && (!label || strcmp(label, row.label ? row.label : "") == 0)) {
		add->report->unchanged++;
		return cn_progress_add(&add->progress, 1, 0);
	}
	cn_image_slot *slot = &add->working->slots[add->working->count];
	*slot = (cn_image_slot){ .path = path, .position = position };
	slot->state = same ? CN_SLOT_LABELLED : CN_SLOT_PENDING;
	if (label) {
		slot->label = cn_strdup(label);
		if (!slot->label)
			return CAIRN_ENOMEM;
	}
	add->working->count++;
	return 0;
}

static int feed(struct add *add)
{
	while (add->working->count < add->batch_size && add->next < add->list.count) {
		CN_TRY(feed_path(add, add->list.paths[add->next], add->next));
		add->next++;
	}
	return 0;
}

/* ---- taking in: a thread of its own while the others describe ---- */

struct taking {
	struct add *add;
	pthread_t thread;
	int started, status;
	char error[CN_ERROR_SIZE];
};

static void *take_in(void *context)
{
	struct taking *taking = context;
	struct add *add = taking->add;
	if (add->taken->count)
		taking->status = cn_intake(add->collection, &add->describers, add->taken->slots, add->taken->count,
					   &add->displaced, add->report);
	if (taking->status < 0)
		cn_error_save(taking->error, sizeof(taking->error));
	return NULL;
}

static void start_taking(struct taking *taking, struct add *add)
{
	*taking = (struct taking){ .add = add };
	if (add->taken->count)
		taking->started = pthread_create(&taking->thread, NULL, take_in, taking) == 0;
	if (!taking->started)
		take_in(taking);
}

static void clear_batch(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		cn_slot_clear(&batch->slots[i]);
	batch->count = 0;
}

/* Waits, tells of images that failed, empties the batch. */
static int finish_taking(struct taking *taking)
{
	struct add *add = taking->add;
	if (taking->started)
		pthread_join(taking->thread, NULL);
	for (size_t i = 0; i < add->taken->count && taking->status == 0; i++) {
		const cn_image_slot *slot = &add->taken->slots[i];
		if (slot->state == CN_SLOT_FAILED)
			tell_error(add, slot->path, slot->status, slot->message);
	}
	clear_batch(add->taken);
	if (taking->status < 0)
		cn_error_restore(taking->error);
	return taking->status;
}

/* Content in the hands of images that are not committed yet. Positions of what is committed are dropped, and content
 * that failed with one image is tried again with the next. */
static int restart_hints(struct add *add)
{
	cn_keymap_free(&add->hint_positions);
	for (int i = 0; i < 2; i++) {
		for (size_t k = 0; k < add->batches[i].count; k++) {
			const cn_image_slot *slot = &add->batches[i].slots[k];
			if (slot->state == CN_SLOT_DESCRIBED)
				CN_TRY(cn_keymap_put(&add->hint_positions, slot->hash, slot->position, NULL));
		}
	}
	return 0;
}

/* The finished images at the head of the working batch become the one to take in; the rest is to be worked on. */
static void turn(struct add *add)
{
	struct batch *finished = add->working, *rest = add->taken;
	size_t done = 0;
	while (done < finished->count && finished->slots[done].state != CN_SLOT_PENDING)
		done++;
	rest->count = finished->count - done;
	if (rest->count)
		memcpy(rest->slots, finished->slots + done, rest->count * sizeof(*rest->slots));
	finished->count = done;
	add->working = rest;
	add->taken = finished;
}

static int describe_batch(struct add *add)
{
	struct taking taking;
	char error[CN_ERROR_SIZE];
	start_taking(&taking, add);
	add->deadline = add->options->batch ? 0 : cn_seconds() + BATCH_SECONDS;
	int status = describe_slots(add);
	if (status < 0)
		cn_error_save(error, sizeof(error));
	CN_TRY(finish_taking(&taking));
	turn(add);
	if (status < 0)
		cn_error_restore(error);
	return status < 0 ? status : restart_hints(add);
}

static int open_describers(struct add *add, unsigned threads)
{
	const cairn_add_options *options = add->options;
	cn_describers *describers = &add->describers;
	CN_TRY(cn_describers_start(describers, add->collection, options->precision, threads));
	describers->decoding.lenient = options->lenient;
	if (options->max_pixels)
		describers->decoding.max_pixels = options->max_pixels;
	if (options->max_bytes)
		describers->decoding.max_bytes = options->max_bytes;
	CN_TRY(cn_describers_need_global(describers));
	for (size_t i = 0; i < add->collection->sources.local_count; i++)
		CN_TRY(cn_describers_need_local(describers, i));
	return cn_describers_need_detector(describers);
}

/* Networks are opened when the first image needs them, so that a run that finds all in already is over at once. The
 * heavy work of the networks and of RootSIFT runs `threads` times at once; two take turns at each, so that one decodes
 * while the other's image is worked on. */
static int open_networks(struct add *add)
{
	unsigned threads = add->options->threads ? add->options->threads : cn_cores();
	if (add->pool)
		return 0;
	CN_TRY(open_describers(add, threads));
	return cn_workers_new(&add->pool, 2 * threads);
}

static int step(struct add *add)
{
	CN_TRY(feed(add));
	if (add->working->count)
		CN_TRY(open_networks(add));
	return describe_batch(add);
}

static int run(struct add *add)
{
	struct taking taking;
	char error[CN_ERROR_SIZE];
	int status;
	do
		status = step(add);
	while (status == 0 && (add->working->count || add->next < add->list.count));
	/* Only what was described is left to take in, whether the end was reached or something stopped the work. */
	if (status < 0)
		cn_error_save(error, sizeof(error));
	start_taking(&taking, add);
	int last = finish_taking(&taking);
	if (status < 0)
		cn_error_restore(error);
	return status < 0 ? status : last;
}

/* ---- beginning and end ---- */

static void tell_unused_labels(const struct add *add)
{
	size_t unused = cn_labels_unused(&add->labels);
	if (unused)
		cn_log(CAIRN_LOG_WARNING, "%s: %zu of %zu labels are of no image among those that were given",
		       add->options->labels, unused, add->labels.count);
}

static void scan_failed(const char *path, int status, const char *message, void *payload)
{
	struct add *add = payload;
	add->report->failed++;
	tell_error(add, path, status, message);
}

static int scan(struct add *add, const char *const *paths, size_t count)
{
	cn_progress progress;
	cn_progress_start(&progress, add->options->progress, add->options->progress_payload, "looking for images", 0);
	int status = cn_scan(&add->list, paths, count, scan_failed, add, &progress);
	cn_progress_end(&progress);
	return status;
}

static int make_batches(struct add *add)
{
	add->batch_size = add->options->batch ? add->options->batch : DEFAULT_BATCH;
	for (int i = 0; i < 2; i++)
		CN_NEW(add->batches[i].slots, add->batch_size, sizeof(cn_image_slot));
	CN_NEW(add->order, add->batch_size, sizeof(*add->order));
	add->working = &add->batches[0];
	add->taken = &add->batches[1];
	return 0;
}

static int prepare(struct add *add, const char *const *paths, size_t count)
{
	if (add->options->labels)
		CN_TRY(cn_labels_read(&add->labels, add->options->labels));
	CN_TRY(scan(add, paths, count));
	CN_TRY(make_batches(add));
	char *catalogue = cn_path_join(add->collection->folder, CN_CATALOGUE_NAME);
	if (!catalogue)
		return CAIRN_ENOMEM;
	int status = cn_catalogue_open(&add->hint_catalogue, catalogue, 0);
	cn_free(catalogue);
	return status;
}

static void clean_up(struct add *add)
{
	for (int i = 0; i < 2; i++) {
		clear_batch(&add->batches[i]);
		cn_free(add->batches[i].slots);
	}
	cn_free(add->order);
	cn_workers_free(add->pool);
	cn_describers_free(&add->describers);
	cn_catalogue_free(add->hint_catalogue);
	cn_keymap_free(&add->hint_positions);
	cn_keymap_free(&add->displaced);
	pthread_mutex_destroy(&add->hint_mutex);
	cn_labels_free(&add->labels);
	cn_text_free(&add->parent);
	cn_path_list_free(&add->list);
}

static int check_options(const cairn_collection *collection, const cairn_add_options *options)
{
	if (options->version != CAIRN_ADD_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "add options of version %u, this library knows %d", options->version,
			       CAIRN_ADD_OPTIONS_VERSION);
	if (options->batch > CAIRN_ADD_MAX_BATCH)
		return cn_fail(CAIRN_EINVALID, "a batch of %u images, at most %d are possible", options->batch,
			       CAIRN_ADD_MAX_BATCH);
	return cn_collection_expect_writable(collection);
}

int cairn_collection_add(cairn_collection *collection, const char *const *paths, size_t count,
			 const cairn_add_options *options, cairn_add_report *report)
{
	static const cairn_add_options defaults = CAIRN_ADD_OPTIONS_INIT;
	cairn_add_report own;
	struct add add = { .collection = collection, .options = options ? options : &defaults, .report = report };
	char error[CN_ERROR_SIZE];
	add.report = report ? report : &own;
	*add.report = (cairn_add_report){ 0 };
	CN_TRY(check_options(collection, add.options));
	pthread_mutex_init(&add.hint_mutex, NULL);
	int status = prepare(&add, paths, count);
	if (status == 0) {
		cn_progress_start(&add.progress, add.options->progress, add.options->progress_payload,
				  "describing images", add.list.count);
		status = run(&add);
		cn_progress_end(&add.progress);
	}
	if (status == 0)
		tell_unused_labels(&add);
	if (status < 0)
		cn_error_save(error, sizeof(error));
	clean_up(&add);
	int reloaded = cn_collection_reload(collection);
	if (status < 0)
		cn_error_restore(error);
	if (status < 0 || reloaded < 0)
		return status < 0 ? status : reloaded;
	return cn_structures_complete(collection, 1, add.options->threads, add.options->progress,
				      add.options->progress_payload);
}
