/*
 * What a search prints.
 */
#include "search_output.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_code.h"
#include "output.h"
#include "say.h"
#include "shared.h"
#include "text.h"

const char *const search_formats[] = { "text", "json", "csv", NULL };

/* ---- text ---- */

/* Of small values, as ASMK has them, three decimals would show nothing of the order. */
static const char *cell(char *out, size_t size, float value)
{
	int is_small = value != 0 && fabsf(value) < 0.1F;
	if (isnan(value))
		return "-";
	snprintf(out, size, is_small ? "%#.3g" : "%.3f", (double)value);
	return out;
}

static void print_hit(size_t rank, const cairn_hit *hit)
{
	char score[32], similarity[32], inliers[32] = "-";
	char *path = visible(hit->path), *label = visible(hit->label ? hit->label : "");
	if (hit->inliers != CAIRN_NO_INLIERS)
		snprintf(inliers, sizeof(inliers), "%" PRId32, hit->inliers);
	printf("%4zu  %7s  %10s  %7s  %6" PRId64 "  %s%s%s%s\n", rank + 1, cell(score, sizeof(score), hit->score),
	       cell(similarity, sizeof(similarity), hit->similarity), inliers, hit->id, path, *label ? "  [" : "",
	       label, *label ? "]" : "");
	free(path);
	free(label);
}

static void print_text(const cairn_answer *answer)
{
	cairn_answer_times times = cairn_answer_get_times(answer);
	size_t count = cairn_answer_count(answer);
	char *query = visible(cairn_answer_query(answer));
	cairn_hit hit;
	printf("%s: %zu found in %.2f s\n", query, count, times.decode + times.describe + times.search + times.verify);
	if (count)
		printf("%4s  %7s  %10s  %7s  %6s  %s\n", "rank", "score", "similarity", "inliers", "id", "path");
	for (size_t i = 0; i < count && cairn_answer_get(answer, i, &hit) == 0; i++)
		print_hit(i, &hit);
	putchar('\n');
	free(query);
}

/* ---- CSV ---- */

static void print_csv(const cairn_answer *answer)
{
	cairn_hit hit;
	for (size_t i = 0; i < cairn_answer_count(answer) && cairn_answer_get(answer, i, &hit) == 0; i++) {
		csv_field(stdout, cairn_answer_query(answer));
		printf(",%zu,%" PRId64 ",", i + 1, hit.id);
		csv_field(stdout, hit.path);
		putchar(',');
		if (!isnan(hit.score))
			printf("%.7g", (double)hit.score);
		putchar(',');
		if (hit.inliers != CAIRN_NO_INLIERS)
			printf("%" PRId32, hit.inliers);
		putchar(',');
		csv_field(stdout, hit.label);
		putchar('\n');
	}
}

/* ---- JSON ---- */

static json_t *hit_json(size_t rank, const cairn_hit *hit)
{
	json_t *object = json_object();
	set_member(object, "rank", json_integer((json_int_t)rank + 1));
	set_member(object, "id", json_integer(hit->id));
	set_bytes(object, "path", hit->path);
	set_member(object, "score", number_json(hit->score));
	set_member(object, "similarity", number_json(hit->similarity));
	set_member(object, "asmk", number_json(hit->asmk));
	set_member(object, "inliers", hit->inliers == CAIRN_NO_INLIERS ? json_null() : json_integer(hit->inliers));
	set_bytes(object, "label", hit->label);
	set_member(object, "width", json_integer(hit->width));
	set_member(object, "height", json_integer(hit->height));
	return object;
}

static json_t *query_json(const char *path, int64_t id)
{
	json_t *object = json_object();
	set_bytes(object, "query", path);
	set_member(object, "id", id ? json_integer(id) : json_null());
	return object;
}

static json_t *answer_json(const cairn_answer *answer, int64_t id)
{
	json_t *object = query_json(cairn_answer_query(answer), id), *seconds = json_object(), *results = json_array();
	cairn_answer_times times = cairn_answer_get_times(answer);
	cairn_box box = cairn_answer_box(answer);
	cairn_search_by by = cairn_answer_by(answer);
	cairn_hit hit;
	set_member(object, "box", box.x1 > box.x0 ? box_json(box) : json_null());
	set_member(object, "by", by == CAIRN_BY_AUTO ? json_null() : text_json(bys[by - CAIRN_BY_GLOBAL]));
	set_member(seconds, "decode", number_json(times.decode));
	set_member(seconds, "describe", number_json(times.describe));
	set_member(seconds, "search", number_json(times.search));
	set_member(seconds, "verify", number_json(times.verify));
	set_member(object, "seconds", seconds);
	for (size_t i = 0; i < cairn_answer_count(answer) && cairn_answer_get(answer, i, &hit) == 0; i++)
		add_item(results, hit_json(i, &hit));
	set_member(object, "results", results);
	return object;
}

/* ---- the forms together ---- */

void search_output_start(struct search_output *output, const char *format)
{
	*output = (struct search_output){ .form = SEARCH_TEXT };
	if (format && strcmp(format, "json") == 0) {
		output->form = SEARCH_JSON;
		output->queries = json_array();
	} else if (format && strcmp(format, "csv") == 0) {
		output->form = SEARCH_CSV;
		puts("query,rank,id,path,score,inliers,label");
	}
}

int search_output_answer(struct search_output *output, const cairn_answer *answer, int64_t id)
{
	if (output->form == SEARCH_JSON) {
		add_item(output->queries, answer_json(answer, id));
		return EXIT_DONE;
	}
	clear_for_output();
	if (output->form == SEARCH_CSV)
		print_csv(answer);
	else
		print_text(answer);
	return output_end(EXIT_DONE);
}

void search_output_failure(struct search_output *output, const char *path, int64_t id, const char *message)
{
	if (output->form != SEARCH_JSON)
		return;
	json_t *object = query_json(path, id);
	set_member(object, "error", text_json(message));
	add_item(output->queries, object);
}

int search_output_end(struct search_output *output, int interrupted)
{
	if (output->form != SEARCH_JSON)
		return output_end(EXIT_DONE);
	json_t *root = json_object();
	set_member(root, "queries", output->queries);
	set_member(root, "interrupted", json_boolean(interrupted));
	return print_json(root);
}
