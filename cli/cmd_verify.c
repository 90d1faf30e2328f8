/*
 * cairn verify: do two photographs show the same place?
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cairn/search.h"
#include "defaults.h"
#include "exit_code.h"
#include "output.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *local = DEFAULT_LOCAL, *geometry, *draw, *format, *precision;
static uint64_t height = 640, threads;

/* The two photographs and what is known of them. */
struct pair {
	const char *paths[2];
	cairn_image *images[2];
	cairn_features *features[2];
	cairn_verification result;
	cairn_point_pair *points; /* result.inliers of them */
};

static int extract(struct pair *pair)
{
	cairn_extractor_options how = CAIRN_EXTRACTOR_OPTIONS_INIT;
	cairn_image_options decode = CAIRN_IMAGE_OPTIONS_INIT;
	cairn_extractor *extractor;
	how.threads = (uint32_t)threads;
	how.precision = precision;
	int status = cairn_extractor_new(&extractor, local, &how);
	if (status < 0)
		return status;
	decode.shrink_to = cairn_extractor_longest(extractor);
	decode.shrink_shortest = cairn_extractor_shortest(extractor);
	if (draw && decode.shrink_to < 2 * height)
		decode.shrink_to = (uint32_t)(2 * height);
	for (int i = 0; i < 2 && status == 0; i++) {
		status = cairn_image_open(&pair->images[i], pair->paths[i], &decode);
		if (status == 0)
			status = cairn_extractor_run(extractor, pair->images[i], NULL, &pair->features[i]);
	}
	cairn_extractor_free(extractor);
	return status;
}

static void keep_points(struct pair *pair, const cairn_match *matches)
{
	const cairn_keypoint *a = cairn_features_keypoints(pair->features[0]),
			     *b = cairn_features_keypoints(pair->features[1]);
	pair->points = need(pair->result.inliers, sizeof(*pair->points));
	for (size_t i = 0; i < pair->result.inliers; i++) {
		const cairn_keypoint *from = &a[matches[i].a], *to = &b[matches[i].b];
		pair->points[i] = (cairn_point_pair){ from->x, from->y, to->x, to->y };
	}
}

static int compare(struct pair *pair)
{
	cairn_verify_options options;
	cairn_verifier *verifier;
	const cairn_match *matches;
	cairn_verify_options_init(&options);
	if (geometry && strcmp(geometry, "homography") == 0)
		options.geometry = CAIRN_HOMOGRAPHY;
	int status = cairn_verifier_new(&verifier, &options);
	if (status < 0)
		return status;
	status = cairn_verify(verifier, pair->features[0], pair->features[1], &pair->result, &matches);
	if (status == 0)
		keep_points(pair, matches);
	cairn_verifier_free(verifier);
	return status;
}

static int draw_pair(const struct pair *pair)
{
	cairn_image *drawing;
	int status = cairn_draw_matches(&drawing, pair->images[0], pair->images[1], pair->points, pair->result.inliers,
					(uint32_t)height);
	if (status < 0)
		return status;
	status = cairn_image_save(drawing, draw);
	cairn_image_free(drawing);
	return status;
}

static void print_text(const struct pair *pair)
{
	const double *m = pair->result.model;
	printf("inliers     %u of %u matches (%zu and %zu %s features)\n", pair->result.inliers, pair->result.matches,
	       cairn_features_count(pair->features[0]), cairn_features_count(pair->features[1]), local);
	if (!pair->result.inliers)
		return;
	for (int row = 0; row < 3; row++)
		printf("%-10s  %12.6g  %12.6g  %12.6g\n",
		       row        ? ""
		       : geometry ? geometry
				  : "affine",
		       m[3 * row], m[3 * row + 1], m[3 * row + 2]);
}

static json_t *model_json(const cairn_verification *result)
{
	json_t *model = json_array();
	if (!result->inliers) {
		json_decref(model);
		return json_null();
	}
	for (int row = 0; row < 3; row++) {
		json_t *line = json_array();
		for (int column = 0; column < 3; column++)
			add_item(line, number_json(result->model[3 * row + column]));
		add_item(model, line);
	}
	return model;
}

static void print_as_json(const struct pair *pair)
{
	json_t *root = json_object(), *counts = json_array(), *points = json_array();
	set_bytes(root, "a", pair->paths[0]);
	set_bytes(root, "b", pair->paths[1]);
	set_member(root, "local", text_json(local));
	for (int i = 0; i < 2; i++)
		add_item(counts, json_integer((json_int_t)cairn_features_count(pair->features[i])));
	set_member(root, "features", counts);
	set_member(root, "matches", json_integer(pair->result.matches));
	set_member(root, "inliers", json_integer(pair->result.inliers));
	set_member(root, "geometry", text_json(geometry ? geometry : "affine"));
	set_member(root, "model", model_json(&pair->result));
	for (size_t i = 0; i < pair->result.inliers; i++) {
		const cairn_point_pair *p = &pair->points[i];
		add_item(points, box_json((cairn_box){ (double)p->ax, (double)p->ay, (double)p->bx, (double)p->by }));
	}
	set_member(root, "points", points);
	print_json(root);
}

/* A drawing must not take the place of what is drawn. */
static int is_drawn_over(const char *path)
{
	struct stat photograph, drawing;
	return draw && stat(path, &photograph) == 0 && stat(draw, &drawing) == 0 &&
	       photograph.st_dev == drawing.st_dev && photograph.st_ino == drawing.st_ino;
}

static int run(const struct arguments *arguments)
{
	struct pair pair = { .paths = { arguments->operands[0], arguments->operands[1] } };
	for (int i = 0; i < 2; i++)
		if (is_drawn_over(pair.paths[i])) {
			say_error("--draw %s: this is one of the photographs; give another name", draw);
			return EXIT_INPUT;
		}
	int status = extract(&pair);
	if (status == 0)
		status = compare(&pair);
	if (status == 0 && draw)
		status = draw_pair(&pair);
	int code = EXIT_DONE;
	if (status < 0)
		code = say_failure(status);
	else if (is_json(format))
		print_as_json(&pair);
	else
		print_text(&pair);
	if (status == 0) {
		code = output_end(EXIT_DONE);
		if (draw)
			say("drawing: %s", draw);
	}
	free(pair.points);
	for (int i = 0; i < 2; i++) {
		cairn_features_free(pair.features[i]);
		cairn_image_free(pair.images[i]);
	}
	return code;
}

static const struct operand operands[] = {
	{ "A.jpg", COMPLETE_FILE, 0, 0 },
	{ "B.jpg", COMPLETE_FILE, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_TEXT(0, "local", "KIND", &local, COMPLETE_MODEL,
		 "the kind of local features: rootsift, xfeat or a local model's name (default " DEFAULT_LOCAL ")"),
	OPT_CHOICE("geometry", "MAP", &geometry, geometries,
		   "the map that matched points must agree on: affine (default) or homography"),
	OPT_TEXT(0, "draw", "FILE.png", &draw, COMPLETE_FILE,
		 "draw both photographs side by side with the inliers joined (.png or .jpg)"),
	OPT_WHOLE(0, "height", "N", &height, 16, 8192, "height of the drawing in pixels (default 640)"),
	OPT_PRECISION(&precision),
	OPT_THREADS(&threads),
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output",
	  "One object: a and b (the paths), local, features (two counts), matches, inliers, geometry, model (three "
	  "rows of a "
	  "3 x 3 matrix that takes pixels of A to pixels of B, null where none was found) and points, the inliers as "
	  "[ax, ay, bx, by] in pixels of the full-size photographs." },
	{ NULL, NULL },
};

static const struct example example_list[] = {
	{ "cairn verify one.jpg other.jpg --draw matches.png", "and look at the matched points" },
	{ NULL, NULL },
};

const struct command cmd_verify = {
	.name = "verify",
	.summary = "compare two photographs point by point",
	.description = "Matches the local features of two photographs and looks for one geometric map that many of the "
		       "matches agree on: the "
		       "inliers. A handful happens by chance; dozens do not.",
	.operands = operands,
	.options = options,
	.sections = sections,
	.examples = example_list,
	.run = run,
};
