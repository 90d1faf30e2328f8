/*
 * cairn model bench: how fast a network runs here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/collection.h"
#include "cairn/model.h"
#include "exit_code.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *format, *precision, *size_text;
static uint64_t threads;
static double seconds = 3;

#define LARGEST_SIDE 8192

static int read_size(const struct command *command, uint32_t *width, uint32_t *height)
{
	char *copy = need_text("%s", size_text), *cross = strchr(copy, 'x');
	uint64_t sides[2];
	if (cross)
		*cross = '\0';
	int good = cross && parse_whole(copy, 1, LARGEST_SIDE, &sides[0]) &&
		   parse_whole(cross + 1, 1, LARGEST_SIDE, &sides[1]);
	free(copy);
	if (!good)
		return usage_error(command, "--size takes WIDTHxHEIGHT, each from 1 to %d, not '%s'", LARGEST_SIDE,
				   size_text);
	*width = (uint32_t)sides[0];
	*height = (uint32_t)sides[1];
	return 0;
}

/* What bf16 costs on the images given. @return EXIT_DONE, or an exit code after saying what is wrong */
static int measure(const char *name, const char **operands_given, size_t given, cairn_model_cost *cost)
{
	struct progress progress;
	char **paths;
	size_t count;
	*cost = (cairn_model_cost){ 0 };
	if (!given)
		return EXIT_DONE;
	int status = cairn_find_images(operands_given, given, &paths, &count);
	if (status < 0)
		return say_failure(status);
	interrupt_watch();
	progress_start(&progress, NULL);
	status = cairn_model_measure(name, (const char *const *)paths, count, (uint32_t)threads, progress_show,
				     &progress, cost);
	progress_end(&progress);
	cairn_paths_free(paths, count);
	if (status == CAIRN_ECANCELLED) {
		say("interrupted: nothing was noted");
		return EXIT_INTERRUPTED;
	}
	return status < 0 ? say_failure(status) : EXIT_DONE;
}

static json_t *cost_json(const cairn_model_cost *cost)
{
	if (!cost->images)
		return json_null();
	json_t *object = json_object();
	set_member(object, "mean", number_json(cost->mean));
	set_member(object, "least", number_json(cost->least));
	set_member(object, "images", json_integer(cost->images));
	return object;
}

static int print(const cairn_model_speed *speed, const cairn_model_cost *cost)
{
	if (!is_json(format)) {
		printf("%.1f images/s at %ux%u in %s, %u thread%s\n", speed->images_per_second, speed->width,
		       speed->height, speed->precision, speed->threads, speed->threads == 1 ? "" : "s");
		if (cost->images)
			printf("bf16: cosine to f32 at least %.5f, %.5f in the mean, over %u photographs\n",
			       cost->least, cost->mean, cost->images);
		return output_end(EXIT_DONE);
	}
	json_t *root = json_object();
	set_member(root, "images_per_second", number_json(speed->images_per_second));
	set_member(root, "width", json_integer(speed->width));
	set_member(root, "height", json_integer(speed->height));
	set_member(root, "precision", text_json(speed->precision));
	set_member(root, "threads", json_integer(speed->threads));
	set_member(root, "bf16", cost_json(cost));
	return print_json(root);
}

static int bench(cairn_model *model, uint32_t width, uint32_t height, cairn_model_speed *speed)
{
	cairn_model_info info;
	cairn_model_get_info(model, &info);
	/* A photograph's usual form. */
	if (!width) {
		width = info.longest;
		height = info.longest * 3 / 4;
	}
	int status = cairn_model_bench(model, width, height, seconds, speed);
	return status < 0 ? say_failure(status) : EXIT_DONE;
}

static int run(const struct arguments *arguments)
{
	cairn_model_options options = CAIRN_MODEL_OPTIONS_INIT;
	cairn_model *model;
	cairn_model_speed speed;
	cairn_model_cost cost;
	uint32_t width = 0, height = 0;
	int code = size_text ? read_size(arguments->command, &width, &height) : 0;
	if (code)
		return code;
	options.threads = (uint32_t)threads;
	options.precision = precision;
	int status = cairn_model_open(&model, arguments->operands[0], &options);
	if (status < 0)
		return say_failure(status);
	code = bench(model, width, height, &speed);
	cairn_model_free(model);
	if (code == EXIT_DONE)
		code = measure(arguments->operands[0], arguments->operands + 1, arguments->count - 1, &cost);
	return code == EXIT_DONE ? print(&speed, &cost) : code;
}

static const struct operand operands[] = {
	{ "NAME", COMPLETE_MODEL, 0, 0 },
	{ "PATH", COMPLETE_FILE, 1, 1 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_TEXT(0, "size", "WIDTHxHEIGHT", &size_text, COMPLETE_NOTHING,
		 "size of the input, rounded as images are (default: the model's longest side, 4:3)"),
	OPT_REAL("seconds", "S", &seconds, 0.1, 3600, "measure for S seconds (default 3)"),
	OPT_PRECISION(&precision),
	OPT_THREADS(&threads),
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output", "One object: images_per_second (median over rounds), width, height, precision, threads, "
			 "and bf16: null, or with PATHs an object with mean and least cosine to f32 and the number of "
			 "images." },
	{ NULL, NULL },
};

const struct command cmd_model_bench = {
	.name = "model bench",
	.summary = "how fast a model runs on this machine",
	.description = "Runs the network alone, without decoding images, and tells how many images a second it takes. "
		       "With photographs (files, folders with all below them, or @list.txt) it also runs on each in "
		       "f32 and in bf16, tells how far what comes out differs, and notes that in the bundle: 'cairn "
		       "model info' shows it.",
	.operands = operands,
	.options = options,
	.sections = sections,
	.run = run,
};
