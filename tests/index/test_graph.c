/*
 * The kNN graph against a double loop. Rows hold -1, 0 and 1, which codes and half precision keep as they are, so that
 * every kernel gives the same scores and ties abound.
 */
#include "cairn/graph.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "math/dispatch.h"
#include "support.h"
#include "torture.h"
#include "util/crc.h"
#include "util/file.h"
#include "util/heap.h"
#include "util/memory.h"
#include "util/npy.h"

#define MOST_PARTS 4

/* ---- indexes ---- */

struct shape {
	size_t dim, parts, rows; /* rows of a part; the second part is empty */
	unsigned rows_an_image;  /* about */
	unsigned removed;
	int64_t first_id;
	int real; /* normally distributed rows; else -1, 0, 1 */
};

struct world {
	size_t dim, parts, images;
	cairn_index_part part[MOST_PARTS];
	uint16_t *halves[MOST_PARTS];
	int8_t *codes[MOST_PARTS];
	float *rows[MOST_PARTS], *scales[MOST_PARTS];
	int64_t *row_images[MOST_PARTS], *ids, removed[64];
	size_t removed_count;
	cairn_index *index;
};

static int is_removed(const struct world *world, int64_t id)
{
	for (size_t i = 0; i < world->removed_count; i++)
		if (world->removed[i] == id)
			return 1;
	return 0;
}

static void make_part(struct world *world, const struct shape *shape, size_t p, int64_t *id, uint64_t *seed)
{
	size_t count = p == 1 ? 0 : shape->rows, numbers = count * shape->dim;
	world->rows[p] = malloc(numbers * sizeof(float) + 1);
	world->halves[p] = malloc(numbers * sizeof(uint16_t) + 1);
	world->codes[p] = malloc(numbers + 1);
	world->scales[p] = malloc(count * sizeof(float) + 1);
	world->row_images[p] = malloc(count * sizeof(int64_t) + 1);
	for (size_t i = 0; i < numbers; i++)
		world->rows[p][i] = shape->real ? cn_test_normal(seed) : (float)((int)(cn_test_random(seed) % 3) - 1);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || cn_test_random(seed) % shape->rows_an_image == 0)
			*id += 1 + (int64_t)(cn_test_random(seed) % 2);
		world->row_images[p][i] = *id;
		if (!is_removed(world, *id) && (!world->images || world->ids[world->images - 1] != *id))
			world->ids[world->images++] = *id;
	}
	assert_ok(cairn_index_encode(world->rows[p], count, shape->dim, world->halves[p], world->codes[p],
				     world->scales[p]));
	world->part[p] =
		(cairn_index_part){ world->halves[p], world->codes[p], world->scales[p], world->row_images[p], count };
}

static void make_world(struct world *world, const struct shape *shape)
{
	uint64_t seed = shape->rows * 31 + shape->dim + (uint64_t)shape->first_id;
	int64_t id = shape->first_id;
	*world = (struct world){ .dim = shape->dim, .parts = shape->parts };
	for (; world->removed_count < shape->removed; world->removed_count++)
		world->removed[world->removed_count] = shape->first_id + 2 + 5 * (int64_t)world->removed_count;
	world->ids = malloc(shape->parts * shape->rows * sizeof(*world->ids) + 1);
	for (size_t p = 0; p < shape->parts; p++)
		make_part(world, shape, p, &id, &seed);
	assert_ok(cairn_index_new_flat(&world->index, world->dim, world->part, world->parts, world->removed,
				       world->removed_count));
}

static void free_world(struct world *world)
{
	cairn_index_free(world->index);
	for (size_t p = 0; p < world->parts; p++) {
		free(world->rows[p]);
		free(world->halves[p]);
		free(world->codes[p]);
		free(world->scales[p]);
		free(world->row_images[p]);
	}
	free(world->ids);
}

/* ---- a graph, and what it should be ---- */

struct result {
	cn_npy images, ids, scores;
};

static void read_result(struct result *result, const char *prefix)
{
	char path[512];
	snprintf(path, sizeof(path), "%s.images.npy", prefix);
	assert_ok(cn_npy_open(&result->images, path));
	assert_ok(cn_npy_expect(&result->images, path, CN_NPY_I64, 1, (const size_t[]){ 0 }));
	snprintf(path, sizeof(path), "%s.ids.npy", prefix);
	assert_ok(cn_npy_open(&result->ids, path));
	assert_ok(cn_npy_expect(&result->ids, path, CN_NPY_I64, 2, (const size_t[]){ result->images.count, 0 }));
	snprintf(path, sizeof(path), "%s.scores.npy", prefix);
	assert_ok(cn_npy_open(&result->scores, path));
	assert_ok(cn_npy_expect(&result->scores, path, CN_NPY_F32, 2, result->ids.shape));
}

static void close_result(struct result *result)
{
	cn_npy_close(&result->images);
	cn_npy_close(&result->ids);
	cn_npy_close(&result->scores);
}

static void assert_same(const char *prefix, const char *wanted)
{
	static const char *const kinds[] = { "images", "ids", "scores" };
	for (size_t i = 0; i < 3; i++) {
		char path[512], *bytes, *others;
		size_t length, other_length;
		snprintf(path, sizeof(path), "%s.%s.npy", prefix, kinds[i]);
		assert_ok(cn_file_read(path, 1 << 30, &bytes, &length));
		snprintf(path, sizeof(path), "%s.%s.npy", wanted, kinds[i]);
		assert_ok(cn_file_read(path, 1 << 30, &others, &other_length));
		assert_int_equal(length, other_length);
		assert_memory_equal(bytes, others, length);
		cn_free(bytes);
		cn_free(others);
	}
}

static float dot(const float *a, const float *b, size_t dim)
{
	float sum = 0;
	for (size_t k = 0; k < dim; k++)
		sum += a[k] * b[k];
	return sum;
}

/* The best pair of rows of each image of `among` with one row, kept in `found`. */
static void offer_all(const struct world *among, const float *row, cn_scored *found)
{
	size_t at = 0;
	for (size_t p = 0; p < among->parts; p++)
		for (size_t i = 0; i < among->part[p].count; i++) {
			if (is_removed(among, among->row_images[p][i]))
				continue;
			while (found[at].id != among->row_images[p][i])
				at++;
			float score = dot(row, among->rows[p] + i * among->dim, among->dim);
			found[at].score = score > found[at].score ? score : found[at].score;
		}
}

static void naive(const struct world *world, const struct world *among, int64_t id, cn_scored *found)
{
	for (size_t i = 0; i < among->images; i++)
		found[i] = (cn_scored){ -INFINITY, among->ids[i] };
	for (size_t p = 0; p < world->parts; p++)
		for (size_t i = 0; i < world->part[p].count; i++)
			if (world->row_images[p][i] == id)
				offer_all(among, world->rows[p] + i * world->dim, found);
	for (size_t i = 0; world == among && i < among->images; i++)
		if (found[i].id == id)
			found[i].score = NAN; /* comes last, and is not counted */
	qsort(found, among->images, sizeof(*found), cn_scored_compare);
}

static void assert_result(const char *prefix, const struct world *world, const struct world *among, size_t k)
{
	cn_scored *found = malloc(among->images * sizeof(*found) + 1);
	size_t others = among->images - (world == among), used = k < others ? k : others;
	struct result result;
	read_result(&result, prefix);
	assert_int_equal(result.images.count, world->images);
	assert_int_equal(result.ids.shape[1], k);
	for (size_t i = 0; i < world->images; i++) {
		const int64_t *ids = (const int64_t *)result.ids.data + i * k;
		const float *scores = (const float *)result.scores.data + i * k;
		assert_int_equal(((const int64_t *)result.images.data)[i], world->ids[i]);
		naive(world, among, world->ids[i], found);
		for (size_t j = 0; j < k; j++) {
			assert_int_equal(ids[j], j < used ? found[j].id : -1);
			assert_true(scores[j] == (j < used ? found[j].score : -INFINITY));
		}
	}
	close_result(&result);
	free(found);
}

/* The least memory that will do, from what the refusal says. */
static uint64_t least_memory(const struct world *world, const struct world *among, size_t k,
			     cairn_graph_options options, const char *prefix)
{
	unsigned long long least;
	options.memory = 1;
	assert_fails(cairn_graph_write(world->index, among ? among->index : NULL, k, prefix, &options, NULL),
		     CAIRN_ELIMIT, "too little");
	assert_int_equal(sscanf(strstr(cairn_last_error(), "at least"), "at least %llu", &least), 1);
	return least;
}

/* ---- results ---- */

static const struct {
	struct shape shape;
	size_t k;
	struct shape other; /* dim 0: none */
	int exact;
} cases[] = {
	{ { 8, 1, 300, 1, 0, 0, 0 }, 5, { 0 }, 0 },
	{ { 12, 4, 130, 1, 30, 7, 0 }, 20, { 0 }, 0 },
	{ { 12, 4, 130, 1, 30, 7, 0 }, 20, { 0 }, 1 },
	{ { 17, 4, 200, 3, 20, 0, 0 }, 10, { 0 }, 0 },
	{ { 17, 4, 200, 3, 20, 0, 0 }, 10, { 0 }, 1 },
	{ { 3, 3, 900, 300, 0, 0, 0 }, 4, { 0 }, 0 }, /* images of hundreds of rows */
	{ { 4, 1, 40, 1, 0, 0, 0 }, 100, { 0 }, 0 },  /* k above what there is */
	{ { 4, 1, 1, 1, 0, 0, 0 }, 3, { 0 }, 0 },
	{ { 2, 1, 2100, 1, 5, 0, 0 }, 3, { 0 }, 0 }, /* several chunks and bands; nearly all scores are equal */
	{ { 9, 3, 100, 1, 3, 0, 0 }, 7, { 9, 3, 250, 1, 9, 50, 0 }, 0 },
	{ { 9, 3, 100, 2, 3, 0, 0 }, 7, { 9, 4, 150, 3, 9, 5000, 0 }, 0 },
	{ { 9, 1, 5, 1, 0, 0, 0 }, 7, { 9, 2, 0, 1, 0, 0, 0 }, 0 }, /* among none */
	{ { 9, 1, 0, 1, 0, 0, 0 }, 7, { 0 }, 0 },
};

static void graph_is_exact_at_every_level(void **state)
{
	const char *prefix = cn_test_path(cn_test_folder(), "g");
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world, other, *among = cases[i].other.dim ? &other : &world;
		make_world(&world, &cases[i].shape);
		if (among == &other)
			make_world(&other, &cases[i].other);
		for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
			cairn_graph_options options = CAIRN_GRAPH_OPTIONS_INIT;
			cairn_graph_report report;
			cn_kernels_force((cn_kernels)level);
			options.threads = 1 + (unsigned)level;
			options.exact = cases[i].exact;
			options.memory = level == CN_KERNELS_AVX2 || !world.images
						 ? 0
						 : least_memory(&world, among == &other ? &other : NULL, cases[i].k,
								options, prefix);
			assert_ok(cairn_graph_write(world.index, among == &other ? other.index : NULL, cases[i].k,
						    prefix, &options, &report));
			assert_result(prefix, &world, among, cases[i].k);
			assert_int_equal(report.images, world.images);
			assert_int_equal(report.blocks, options.memory ? (world.images + 63) / 64 : world.images > 0);
			assert_true(report.resumed == 0);
		}
		free_world(&world);
		if (among == &other)
			free_world(&other);
	}
}

/* Of real numbers, where another order of anything would show. */
static const struct shape real_shape = { 24, 3, 350, 1, 10, 0, 1 }, regions_shape = { 24, 3, 350, 2, 10, 0, 1 };
#define REAL_K 15

static void threads_and_memory_change_no_byte(void **state)
{
	const char *prefix = cn_test_path(cn_test_folder(), "g"), *wanted = cn_test_path(cn_test_folder(), "wanted");
	const struct shape *shapes[] = { &real_shape, &regions_shape };
	(void)state;
	for (size_t s = 0; s < 2; s++) {
		cairn_graph_options options = CAIRN_GRAPH_OPTIONS_INIT;
		cairn_graph_report report;
		struct world world;
		make_world(&world, shapes[s]);
		assert_ok(cairn_graph_write(world.index, NULL, REAL_K, wanted, &options, NULL));
		for (options.threads = 1; options.threads <= 4; options.threads++) {
			uint64_t least = least_memory(&world, NULL, REAL_K, options, prefix);
			for (uint64_t part = 4; part <= 16; part += 3) {
				options.memory = least * part / 4;
				assert_ok(cairn_graph_write(world.index, NULL, REAL_K, prefix, &options, &report));
				assert_true(report.blocks > 1);
				assert_same(prefix, wanted);
			}
		}
		free_world(&world);
	}
}

static void codes_lose_next_to_nothing(void **state)
{
	const char *near = cn_test_path(cn_test_folder(), "near"), *exact = cn_test_path(cn_test_folder(), "exact");
	const struct shape shape = { 64, 1, 2000, 1, 0, 0, 1 };
	cairn_graph_options options = CAIRN_GRAPH_OPTIONS_INIT;
	struct result a, b;
	struct world world;
	size_t same = 0;
	(void)state;
	make_world(&world, &shape);
	assert_ok(cairn_graph_write(world.index, NULL, 10, near, &options, NULL));
	options.exact = 1;
	assert_ok(cairn_graph_write(world.index, NULL, 10, exact, &options, NULL));
	read_result(&a, near);
	read_result(&b, exact);
	for (size_t i = 0; i < a.ids.count; i++)
		same += ((const int64_t *)a.ids.data)[i] == ((const int64_t *)b.ids.data)[i];
	assert_true((double)same > 0.999 * (double)a.ids.count);
	close_result(&a);
	close_result(&b);
	free_world(&world);
}

/* ---- interruptions ---- */

/* Work that is cut into many steps, and what it comes to. */
struct work {
	struct world world;
	cairn_graph_options options;
	const char *prefix, *wanted;
};

static void make_work(struct work *work, const struct shape *shape)
{
	*work = (struct work){ .options = CAIRN_GRAPH_OPTIONS_INIT };
	const char *folder = cn_test_folder();
	work->prefix = cn_test_path(folder, "g");
	work->wanted = cn_test_path(folder, "wanted");
	make_world(&work->world, shape);
	assert_ok(cairn_graph_write(work->world.index, NULL, REAL_K, work->wanted, NULL, NULL));
	work->options.threads = 2;
	work->options.memory = least_memory(&work->world, NULL, REAL_K, work->options, work->prefix);
}

static int run(const struct work *work, cairn_graph_report *report)
{
	return cairn_graph_write(work->world.index, NULL, REAL_K, work->prefix, &work->options, report);
}

static void assert_complete(const struct work *work, double least_resumed)
{
	char path[512];
	cairn_graph_report report;
	assert_ok(run(work, &report));
	assert_true(report.resumed >= least_resumed && report.resumed < 1.0001);
	assert_same(work->prefix, work->wanted);
	snprintf(path, sizeof(path), "%s.work", work->prefix);
	assert_false(cn_file_exists(path));
}

static int cancel(const cairn_progress *now, void *payload)
{
	(void)now;
	(void)payload;
	return 1;
}

/* Cancel at the first tick `times` times; each run does one step at least. @return 1 if the graph was complete before
 */
static int cancel_often(struct work *work, size_t times)
{
	int status = CAIRN_ECANCELLED;
	work->options.progress = cancel;
	for (size_t i = 0; i < times && status == CAIRN_ECANCELLED; i++) {
		status = run(work, NULL);
		if (status < 0)
			assert_fails(status, CAIRN_ECANCELLED, "cancelled");
	}
	work->options.progress = NULL;
	return status == 0;
}

static void cancelling_at_every_tick_changes_no_byte(void **state)
{
	const struct shape *shapes[] = { &real_shape, &regions_shape };
	(void)state;
	for (size_t s = 0; s < 2; s++)
		for (int blocks = 0; blocks < 2; blocks++) {
			struct work work;
			make_work(&work, shapes[s]);
			work.options.memory = blocks ? work.options.memory : 0;
			assert_true(cancel_often(&work, 1000));
			assert_same(work.prefix, work.wanted);
			cancel_often(&work, 2);
			assert_complete(&work, 0.001);
			free_world(&work.world);
		}
}

/* In a child, that is killed after a while. @return 1 if it was still running */
static int run_killed(const struct work *work, useconds_t after)
{
	int how;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(run(work, NULL) < 0);
	usleep(after);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_true(WIFSIGNALED(how) || WEXITSTATUS(how) == 0);
	return WIFSIGNALED(how);
}

static void a_kill_at_any_instant_changes_no_byte(void **state)
{
	struct work work;
	uint64_t seed = 5;
	size_t kills = 0;
	(void)state;
	make_work(&work, &real_shape);
	work.options.checkpoint = 1e-9;
	while (kills < 30) {
		useconds_t after = (useconds_t)(cn_test_random(&seed) % 60000);
		if (run_killed(&work, after))
			kills++;
		else
			assert_same(work.prefix, work.wanted);
	}
	assert_complete(&work, 0);
	free_world(&work.world);
}

static int run_counted(void *context)
{
	return run(context, NULL);
}

static void short_memory_is_reported_and_loses_nothing(void **state)
{
	const struct shape shape = { 4, 3, 70, 2, 4, 0, 1 };
	struct work work;
	(void)state;
	make_work(&work, &shape);
	work.options.threads = 1;
	work.options.checkpoint = 1e-9;
	assert_true(cn_torture(run_counted, &work) > 40);
	assert_complete(&work, 0);
	free_world(&work.world);
}

struct second_run {
	const struct work *work;
	int status;
	char text[512];
};

static int run_another(const cairn_progress *now, void *payload)
{
	struct second_run *second = payload;
	(void)now;
	/* The last tick comes when all is written, and others may write. */
	if (second->status)
		return 0;
	second->status = cairn_graph_write(second->work->world.index, NULL, 1, second->work->prefix, NULL, NULL);
	snprintf(second->text, sizeof(second->text), "%s", cairn_last_error());
	return 0;
}

static void one_writes_at_a_time(void **state)
{
	struct work work;
	struct second_run second = { .work = &work };
	char holder[64];
	(void)state;
	make_work(&work, &real_shape);
	work.options.progress = run_another;
	work.options.progress_payload = &second;
	assert_complete(&work, 0);
	snprintf(holder, sizeof(holder), "g.work' is being written to by process %ld:", (long)getpid());
	assert_int_equal(second.status, CAIRN_EBUSY);
	assert_non_null(strstr(second.text, holder));
	work.options.progress = NULL;
	assert_complete(&work, 0);
	free_world(&work.world);
}

/* ---- what is found in the work folder ---- */

static char told[4096];

static void take_message(cairn_log_level level, const char *message, void *payload)
{
	(void)level, (void)payload;
	strncat(told, message, sizeof(told) - strlen(told) - 1);
}

static const char *work_file(const struct work *work, const char *name)
{
	static char path[512];
	snprintf(path, sizeof(path), "%s.work/%s", work->prefix, name);
	return path;
}

static void damaged_states_are_done_again(void **state)
{
	static const struct {
		size_t at; /* byte to change; from the end if `from_end` */
		int from_end;
		size_t length; /* to cut to; 0: not cut */
	} damages[] = {
		{ 0, 0, 0 }, { 8, 0, 0 }, { 16, 0, 0 }, { 32, 0, 0 }, { 70, 0, 0 }, { 90, 0, 0 },
		{ 1, 1, 0 }, { 9, 1, 0 }, { 0, 0, 1 },  { 0, 0, 83 }, { 0, 0, 84 }, { 0, 0, 600 },
	};
	struct work work;
	(void)state;
	make_work(&work, &real_shape);
	cairn_set_log(take_message, NULL);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		char *bytes;
		size_t length;
		const char *path = work_file(&work, i % 2 ? "block-000002.lists" : "block-000000.lists");
		assert_false(cancel_often(&work, 5));
		assert_ok(cn_file_read(path, 1 << 30, &bytes, &length));
		bytes[damages[i].from_end ? length - damages[i].at : damages[i].at] ^= 0x41;
		cn_test_write(path, bytes, damages[i].length ? damages[i].length : length);
		cn_free(bytes);
		told[0] = '\0';
		assert_complete(&work, 0);
		assert_non_null(strstr(told, "damaged"));
	}
	cairn_set_log(NULL, NULL);
	free_world(&work.world);
}

/* Numbers behind a checksum that is right. */
static void forged_states_are_done_again(void **state)
{
	enum { COUNT = 24, RANKED = 40, BLOCK_IMAGES = 48, EMPTY = 80 + sizeof(uint32_t) };
	static const struct {
		size_t at;
		uint64_t number;
		size_t length; /* to cut to; 0: not cut */
	} forgeries[] = {
		{ BLOCK_IMAGES, 0, EMPTY }, { COUNT, 0, EMPTY },           { COUNT, UINT64_MAX / 4, 0 },
		{ BLOCK_IMAGES, 1, 0 },     { RANKED, UINT64_MAX / 2, 0 },
	};
	struct work work;
	(void)state;
	make_work(&work, &real_shape);
	cairn_set_log(take_message, NULL);
	for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		const char *path = work_file(&work, "block-000000.lists");
		const uint64_t none = 0;
		char *bytes;
		size_t length;
		assert_false(cancel_often(&work, 5));
		assert_ok(cn_file_read(path, 1 << 30, &bytes, &length));
		if (forgeries[i].length) {
			length = forgeries[i].length;
			memcpy(bytes + COUNT, &none, sizeof(none));
			memcpy(bytes + RANKED, &none, sizeof(none));
		}
		memcpy(bytes + forgeries[i].at, &forgeries[i].number, sizeof(forgeries[i].number));
		uint32_t crc = cn_crc32c(0, bytes, length - sizeof(crc));
		memcpy(bytes + length - sizeof(crc), &crc, sizeof(crc));
		cn_test_write(path, bytes, length);
		cn_free(bytes);
		told[0] = '\0';
		assert_complete(&work, 0);
		assert_non_null(strstr(told, "damaged"));
	}
	cairn_set_log(NULL, NULL);
	free_world(&work.world);
}

static void other_work_is_begun_anew(void **state)
{
	struct shape other_shape = real_shape;
	struct work work;
	struct world other;
	char path[512];
	cairn_graph_report report;
	(void)state;
	make_work(&work, &real_shape);
	other_shape.first_id++;
	make_world(&other, &other_shape);
	cairn_set_log(take_message, NULL);
	for (int what = 0; what < 4; what++) {
		cairn_graph_options options = work.options;
		options.exact = what == 1;
		options.memory = what == 2 ? 2 * options.memory : 0;
		told[0] = '\0';
		assert_false(cancel_often(&work, 6));
		if (what == 2)
			options.depth = 50;
		assert_ok(cairn_graph_write(what == 3 ? other.index : work.world.index, NULL, REAL_K + (what == 0),
					    work.prefix, &options, &report));
		assert_true(report.resumed == 0);
		assert_non_null(strstr(told, "of no use"));
	}
	cairn_set_log(NULL, NULL);
	/* A file that is none of cairn's is left alone. */
	cancel_often(&work, 1);
	cn_test_write(work_file(&work, "note"), "x", 1);
	assert_ok(run(&work, NULL));
	assert_true(cn_file_exists(work_file(&work, "note")));
	snprintf(path, sizeof(path), "%s", work_file(&work, "block-000000.lists"));
	assert_false(cn_file_exists(path));
	free_world(&other);
	free_world(&work.world);
}

/* Threads and a larger limit of memory go on with what is there. */
static void other_threads_and_memory_go_on(void **state)
{
	struct work work;
	(void)state;
	make_work(&work, &real_shape);
	assert_false(cancel_often(&work, 40));
	work.options.threads = 1;
	work.options.memory *= 3;
	assert_complete(&work, 0.1);
	free_world(&work.world);
}

/* Full while states are written, and where all lists are in memory and the graph itself has no room. */
static void a_full_disk_is_reported_and_loses_nothing(void **state)
{
	static const struct {
		const char *size;
		int blocks;
	} disks[] = { { "size=200k", 1 }, { "size=60k", 0 } };
	struct work work;
	char disk[64];
	(void)state;
	make_work(&work, &real_shape);
	snprintf(disk, sizeof(disk), "%s", cn_test_folder());
	work.prefix = cn_test_path(disk, "g");
	for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
		if (mount("none", disk, "tmpfs", 0, disks[i].size) != 0) {
			print_message("# skipped: no small disk can be mounted: %s\n", strerror(errno));
			break;
		}
		work.options.memory = disks[i].blocks ? work.options.memory : 0;
		assert_fails(run(&work, NULL), CAIRN_ENOSPACE, "g.work/");
		assert_fails(run(&work, NULL), CAIRN_ENOSPACE, "g.work/");
		assert_int_equal(mount("none", disk, "tmpfs", MS_REMOUNT, "size=64m"), 0);
		assert_complete(&work, 0);
		assert_int_equal(umount(disk), 0);
	}
	free_world(&work.world);
}

/* ---- faults ---- */

static void faults_are_reported(void **state)
{
	const struct shape shape = { 4, 1, 70, 1, 0, 0, 0 }, wide_shape = { 5, 1, 3, 1, 0, 0, 0 };
	const char *prefix = cn_test_path(cn_test_folder(), "g");
	cairn_graph_options options = CAIRN_GRAPH_OPTIONS_INIT;
	struct world world, wide;
	cairn_index *twice;
	(void)state;
	make_world(&world, &shape);
	make_world(&wide, &wide_shape);
	cairn_index_part parts[] = { world.part[0], world.part[0] };
	assert_ok(cairn_index_new_flat(&twice, 4, parts, 2, NULL, 0));
	assert_fails(cairn_graph_write(world.index, NULL, 0, prefix, NULL, NULL), CAIRN_EINVALID, "the 0 nearest");
	assert_fails(cairn_graph_write(world.index, NULL, 65537, prefix, NULL, NULL), CAIRN_EINVALID,
		     "65537 nearest images; 1 to 65536");
	assert_fails(cairn_graph_write(world.index, wide.index, 1, prefix, NULL, NULL), CAIRN_EINVALID,
		     "4 dimensions are looked for among rows of 5");
	assert_fails(cairn_graph_write(twice, NULL, 1, prefix, NULL, NULL), CAIRN_EINVALID, "part 1");
	assert_fails(cairn_graph_write(world.index, twice, 1, prefix, NULL, NULL), CAIRN_EINVALID, "must ascend");
	assert_fails(cairn_graph_write(world.index, NULL, 1, cn_test_path(cn_test_folder(), "none/g"), NULL, NULL),
		     CAIRN_ENOTFOUND, "none/g.work");
	options.memory = 1000;
	assert_fails(cairn_graph_write(world.index, NULL, 1, prefix, &options, NULL), CAIRN_ELIMIT, "1000 bytes");
	options.version = 9;
	assert_fails(cairn_graph_write(world.index, NULL, 1, prefix, &options, NULL), CAIRN_EINVALID, "version 9");
	cairn_index_free(twice);
	free_world(&wide);
	free_world(&world);
}

static void numbers_that_are_not_finite_are_damage(void **state)
{
	static const uint16_t not_a_number = 0x7e00, infinite = 0x7c00;
	const struct shape shape = { 4, 1, 70, 1, 0, 0, 0 };
	const char *prefix = cn_test_path(cn_test_folder(), "bad");
	cairn_graph_options options = CAIRN_GRAPH_OPTIONS_INIT;
	struct world asking, world;
	(void)state;
	make_world(&asking, &shape);
	for (int i = 0; i < 4; i++) {
		make_world(&world, &shape);
		world.halves[0][4 * 7] = i % 2 ? infinite : not_a_number;
		options.exact = i / 2;
		assert_fails(cairn_graph_write(world.index, NULL, 3, prefix, &options, NULL), CAIRN_EDAMAGED,
			     "not finite");
		if (i % 2)
			assert_fails(cairn_graph_write(asking.index, world.index, 3, prefix, &options, NULL),
				     CAIRN_EDAMAGED, "not finite");
		free_world(&world);
	}
	free_world(&asking);
}

static void a_graph_stays_whole_where_the_next_one_fails(void **state)
{
	const struct shape shape = { 4, 1, 70, 1, 0, 0, 0 };
	const char *folder = cn_test_folder(), *prefix = cn_test_path(folder, "g");
	struct world world;
	char *before, *after;
	size_t length, length_after;
	(void)state;
	make_world(&world, &shape);
	assert_ok(cairn_graph_write(world.index, NULL, 3, prefix, NULL, NULL));
	assert_ok(cn_file_read(cn_test_path(folder, "g.scores.npy"), 1 << 20, &before, &length));
	assert_int_equal(remove(cn_test_path(folder, "g.ids.npy")), 0);
	assert_int_equal(mkdir(cn_test_path(folder, "g.ids.npy"), 0777), 0);
	assert_fails(cairn_graph_write(world.index, NULL, 4, prefix, NULL, NULL), CAIRN_EIO,
		     "g.ids.npy' is in the way");
	assert_ok(cn_file_read(cn_test_path(folder, "g.scores.npy"), 1 << 20, &after, &length_after));
	assert_int_equal(length, length_after);
	assert_memory_equal(before, after, length);
	cn_free(before);
	cn_free(after);
	free_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(graph_is_exact_at_every_level),
		cmocka_unit_test(threads_and_memory_change_no_byte),
		cmocka_unit_test(codes_lose_next_to_nothing),
		cmocka_unit_test(cancelling_at_every_tick_changes_no_byte),
		cmocka_unit_test(a_kill_at_any_instant_changes_no_byte),
		cmocka_unit_test(one_writes_at_a_time),
		cmocka_unit_test(short_memory_is_reported_and_loses_nothing),
		cmocka_unit_test(damaged_states_are_done_again),
		cmocka_unit_test(forged_states_are_done_again),
		cmocka_unit_test(other_work_is_begun_anew),
		cmocka_unit_test(other_threads_and_memory_go_on),
		cmocka_unit_test(a_full_disk_is_reported_and_loses_nothing),
		cmocka_unit_test(faults_are_reported),
		cmocka_unit_test(numbers_that_are_not_finite_are_damage),
		cmocka_unit_test(a_graph_stays_whole_where_the_next_one_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
