/*
 * Models as the library's users see them: found by name, opened, listed, timed.
 */
#include "cairn/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/dispatch.h"
#include "model/bundle.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/parallel.h"
#include "util/progress.h"
#include "util/text.h"

/* bf16 is chosen by itself only where the recorded check came at least this near to f32: the level at which mean
 * average precision on Oxford buildings stayed within 0.2 points (docs/methods.md, "Precision"). */
#define BF16_LEAST_COSINE 0.995
#define BENCH_ROUNDS      5

static int choose_precision(const cairn_model *model, const char *wanted, int *bf16)
{
	int can = cn_cpu_has_bf16();
	if (!wanted || strcmp(wanted, "auto") == 0)
		*bf16 = cn_cpu_is_fast_in_bf16() && model->bf16_cosine >= BF16_LEAST_COSINE;
	else if (strcmp(wanted, "f32") == 0)
		*bf16 = 0;
	else if (strcmp(wanted, "bf16") == 0)
		*bf16 = 1;
	else
		return cn_fail(CAIRN_EINVALID, "precision '%s': known are auto, f32, bf16", wanted);
	if (*bf16 && !can)
		return cn_fail(CAIRN_EUNSUPPORTED,
			       "this processor does not compute in bf16; use precision f32 or auto");
	return 0;
}

/* An ensemble has no network of its own. */
static int load_members(cairn_model *model, const cairn_model_options *options)
{
	model->threads = options->threads ? options->threads : cn_cores();
	model->parameters = 0;
	for (size_t i = 0; i < model->ensemble.count; i++) {
		cairn_model *member = model->ensemble.members[i].model;
		CN_TRY(cn_model_load(member, options));
		model->parameters += member->parameters;
	}
	return 0;
}

int cn_model_load(cairn_model *model, const cairn_model_options *options)
{
	int bf16 = 0;
	if (model->ensemble.count)
		return load_members(model, options);
	CN_TRY(choose_precision(model, options->precision, &bf16));
	return cn_bundle_load(model, options->threads ? options->threads : cn_cores(), bf16);
}

int cairn_model_open(cairn_model **out, const char *name, const cairn_model_options *options)
{
	static const cairn_model_options defaults = CAIRN_MODEL_OPTIONS_INIT;
	cairn_model *model;
	*out = NULL;
	if (!options)
		options = &defaults;
	if (options->version != CAIRN_MODEL_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "cairn_model_options: version %u is unknown", options->version);
	CN_TRY(cn_bundle_read_named(&model, name, 0));
	int status = cn_model_load(model, options);
	if (status < 0) {
		cairn_model_free(model);
		return status;
	}
	*out = model;
	return 0;
}

int cairn_model_inspect(cairn_model **out, const char *name)
{
	*out = NULL;
	return cn_bundle_read_named(out, name, 0);
}

static const char *precision_of(const cairn_model *model)
{
	if (!model->ensemble.count)
		return !model->network ? "" : model->bf16 ? "bf16" : "f32";
	const char *first = precision_of(model->ensemble.members[0].model);
	for (size_t i = 1; i < model->ensemble.count; i++)
		if (strcmp(precision_of(model->ensemble.members[i].model), first) != 0)
			return "mixed";
	return first;
}

/* Of an ensemble the least; NAN where one of its members was not checked. */
static double bf16_cosine_of(const cairn_model *model)
{
	double least = model->ensemble.count ? 1 : model->bf16_cosine;
	for (size_t i = 0; i < model->ensemble.count; i++) {
		double cosine = model->ensemble.members[i].model->bf16_cosine;
		if (!(cosine >= least))
			least = cosine;
		if (isnan(least))
			return least;
	}
	return least;
}

static const char *kind_of(const cairn_model *model)
{
	return model->ensemble.count ? "ensemble"
	       : model->is_detector  ? "detector"
	       : model->is_local     ? "local"
				     : "global";
}

void cairn_model_get_info(const cairn_model *model, cairn_model_info *info)
{
	*info = (cairn_model_info){
		.name = model->name,
		.kind = kind_of(model),
		.folder = model->folder,
		.network = model->onnx ? model->onnx : "",
		.licence = model->licence,
		.fingerprint = model->fingerprint,
		.precision = precision_of(model),
		.whitening = cn_whitening_name(model->global.whitening),
		.dim = model->is_local ? model->local.kept : model->global.kept,
		.longest = cn_model_longest(model),
		.parameters = model->parameters,
		.bf16_cosine = bf16_cosine_of(model),
		.member_count = model->ensemble.count,
		.is_quantised = model->is_quantised,
		.generated = model->generated,
		.photographs = model->photographs,
	};
}

void cairn_model_get_member(const cairn_model *model, size_t i, cairn_model_member *out)
{
	const cn_member *member = &model->ensemble.members[i];
	*out = (cairn_model_member){ member->name, member->model->fingerprint, member->weight };
}

int cairn_model_list(char ***names, size_t *count)
{
	char *home, **all = NULL;
	size_t found = 0, kept = 0;
	*names = NULL;
	*count = 0;
	CN_TRY(cairn_model_home(&home));
	int status = cn_file_exists(home) ? cn_folder_list(home, &all, &found) : 0;
	for (size_t i = 0; i < found; i++) {
		char *json = cn_textf("%s/%s/model.json", home, all[i]);
		if (!json)
			status = CAIRN_ENOMEM;
		if (json && all[i][0] != '.' && cn_file_exists(json)) {
			char *name = all[i];
			all[i] = all[kept];
			all[kept++] = name;
		}
		cn_free(json);
	}
	cn_free(home);
	if (status < 0) {
		cn_names_free(all, found);
		return status;
	}
	for (size_t i = kept; i < found; i++)
		cn_free(all[i]);
	*names = all;
	*count = kept;
	return 0;
}

void cairn_model_names_free(char **names, size_t count)
{
	cn_names_free(names, count);
}

/* ---- how fast ---- */

struct bench {
	cairn_model *model;
	size_t shape[4];
	double until;   /* in cn_seconds() */
	uint64_t *done; /* for each thread */
};

static int run_until(void *context, size_t begin, size_t end, unsigned worker)
{
	struct bench *bench = context;
	cn_network *network = bench->model->network;
	(void)end, (void)worker;
	do {
		cn_request *request;
		cn_tensor input;
		CN_TRY(cn_network_acquire(network, bench->shape, 4, &request));
		int status = cn_request_input(request, &input);
		if (status == 0) {
			memset(input.data, 0, input.count * (input.type == CN_TENSOR_U8 ? 1 : sizeof(float)));
			status = cn_request_run(request);
		}
		cn_network_release(network, request);
		CN_TRY(status);
		bench->done[begin]++;
	} while (cn_seconds() < bench->until);
	return 0;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int bench_rounds(struct bench *bench, cn_workers *pool, double seconds, double *median)
{
	size_t threads = bench->model->threads;
	double rates[BENCH_ROUNDS];
	/* Kernels for this shape are made before the clock starts. */
	bench->until = 0;
	CN_TRY(cn_parallel_for(pool, threads, 1, run_until, bench));
	for (size_t round = 0; round < BENCH_ROUNDS; round++) {
		memset(bench->done, 0, threads * sizeof(*bench->done));
		double start = cn_seconds();
		uint64_t total = 0;
		bench->until = start + seconds / BENCH_ROUNDS;
		CN_TRY(cn_parallel_for(pool, threads, 1, run_until, bench));
		for (size_t i = 0; i < threads; i++)
			total += bench->done[i];
		rates[round] = (double)total / (cn_seconds() - start);
	}
	qsort(rates, BENCH_ROUNDS, sizeof(rates[0]), compare_doubles);
	*median = rates[BENCH_ROUNDS / 2];
	return 0;
}

int cairn_model_bench(cairn_model *model, uint32_t width, uint32_t height, double seconds, cairn_model_speed *out)
{
	if (model->ensemble.count)
		return cn_fail(CAIRN_EINVALID, "model '%s' is an ensemble and has no network; time its members",
			       model->name);
	if (!model->network)
		return cn_fail(CAIRN_EINVALID, "model '%s' was only looked at; open it first", model->name);
	if (width < 1 || height < 1 || width > 16384 || height > 16384 || !(seconds > 0 && seconds <= 3600))
		return cn_fail(CAIRN_EINVALID, "an input of %u x %u pixels for %g seconds cannot be timed", width,
			       height, seconds);
	struct bench bench = { .model = model };
	cn_workers *pool = NULL;
	memset(out, 0, sizeof(*out));
	cn_input_size(&model->input, width, height, 0, 1, &out->width, &out->height);
	cn_input_shape(&model->input, out->width, out->height, bench.shape);
	out->threads = model->threads;
	out->precision = model->bf16 ? "bf16" : "f32";
	CN_NEW(bench.done, model->threads, sizeof(*bench.done));
	int status = cn_workers_new(&pool, model->threads);
	if (status == 0)
		status = bench_rounds(&bench, pool, seconds, &out->images_per_second);
	cn_workers_free(pool);
	cn_free(bench.done);
	return status;
}
