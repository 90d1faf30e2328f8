/*
 * Reports: answers as one HTML page that needs nothing else. Pictures are JPEG in base64, text is escaped, and what is
 * written depends on the answers and the photographs alone.
 */
#include "search/report.h"

#include <math.h>
#include <string.h>

#include "cairn/ranking.h"
#include "search/report_style.h"
#include "search/search.h"
#include "util/memory.h"
#include "util/text.h"

#define THUMBNAIL_HEIGHT 240
#define QUERY_HEIGHT     400
#define DRAWING_HEIGHT   360
#define JPEG_QUALITY     84
/* Photographs are decoded no smaller than this, which is enough for the widest that is drawn well. */
#define DECODE_SIDE           1024
#define MOST_THUMBNAIL_ASPECT 4

/* Base64 (RFC 4648), straight into the file. */
static int write_base64(cn_atomic_file *file, const uint8_t *bytes, size_t length)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[4096];
	size_t used = 0;

	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t group = (uint32_t)bytes[i] << 16;

		if (left > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];
		text[used++] = digits[group >> 18];
		text[used++] = digits[group >> 12 & 63];
		text[used++] = left > 1 ? digits[group >> 6 & 63] : '=';
		text[used++] = left > 2 ? digits[group & 63] : '=';
		if (used == sizeof(text)) {
			CN_TRY(cn_atomic_write(file, text, used));
			used = 0;
		}
	}
	return cn_atomic_write(file, text, used);
}

static int write_text(cn_report *report, const char *text)
{
	return cn_atomic_write(&report->file, text, strlen(text));
}

static int write_escaped(cn_report *report, const char *value)
{
	cn_text text = CN_TEXT_INIT;
	int status = cn_text_add_html(&text, value);

	if (status == 0)
		status = cn_atomic_write(&report->file, text.data, text.length);
	cn_text_free(&text);
	return status;
}

/* One piece of markup with one value from outside in it. */
static int write_around(cn_report *report, const char *before, const char *value, const char *after)
{
	CN_TRY(write_text(report, before));
	CN_TRY(write_escaped(report, value));
	return write_text(report, after);
}

__attribute__((format(printf, 2, 3))) static int write_format(cn_report *report, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return write_text(report, text);
}

static int write_picture(cn_report *report, const cairn_image *image, const char *alternative)
{
	uint8_t *bytes;
	size_t length;

	CN_TRY(cairn_image_encode(image, "jpeg", JPEG_QUALITY, &bytes, &length));

	int status = write_format(report, "<img width=\"%u\" height=\"%u\" alt=\"", cairn_image_width(image),
				  cairn_image_height(image));

	if (status == 0)
		status = write_around(report, "", alternative, "\" src=\"data:image/jpeg;base64,");
	if (status == 0)
		status = write_base64(&report->file, bytes, length);
	cairn_bytes_free(bytes);
	return status < 0 ? status : write_text(report, "\">");
}

static int open_photograph(cairn_image **out, const char *path)
{
	cairn_image_options options = CAIRN_IMAGE_OPTIONS_INIT;

	options.shrink_to = DECODE_SIDE;
	options.lenient = 1;
	return cairn_image_open(out, path, &options);
}

/* At most `height` high and MOST_THUMBNAIL_ASPECT times that wide; never enlarged. */
static int fit(cairn_image **out, const cairn_image *image, uint32_t height)
{
	double width = cairn_image_width(image), scale = fmin(1, (double)height / cairn_image_height(image));

	scale = fmin(scale, (double)height * MOST_THUMBNAIL_ASPECT / width);
	return cairn_image_resize(out, image, (uint32_t)fmax(1, round(width * scale)),
				  (uint32_t)fmax(1, round(cairn_image_height(image) * scale)));
}

/* A report on a thousand photographs is not given up for one; but without memory there is no going on. */
static int write_missing(cn_report *report, int status)
{
	const char *what = status == CAIRN_ENOTFOUND ? "File is missing" : "Cannot be shown";
	char reason[CN_ERROR_SIZE];

	if (status == CAIRN_ENOMEM)
		return status;
	cn_error_save(reason, sizeof(reason));
	CN_TRY(write_around(report, "<div class=\"missing\" title=\"", reason, "\"><b>"));
	CN_TRY(write_text(report, what));
	return write_text(report, status == CAIRN_ENOTFOUND ? "</b>moved or deleted since it was added</div>\n"
							    : "</b>damaged, or not readable</div>\n");
}

static int write_thumbnail(cn_report *report, const char *path)
{
	cairn_image *image = NULL, *thumbnail = NULL;
	int status = open_photograph(&image, path);

	if (status < 0)
		return write_missing(report, status);
	status = fit(&thumbnail, image, THUMBNAIL_HEIGHT);
	if (status == 0)
		status = write_picture(report, thumbnail, cn_path_base(path));
	cairn_image_free(thumbnail);
	cairn_image_free(image);
	return status;
}

static int write_badge(cn_report *report, int32_t inliers, int trusted)
{
	if (inliers == CAIRN_NO_INLIERS)
		return 0;
	return write_format(report, "<span class=\"badge%s\" title=\"matched points that agree%s\">%d %s</span>",
			    trusted ? "" : " none", trusted ? "" : "; so few happen by chance", (int)inliers,
			    inliers == 1 ? "inlier" : "inliers");
}

static int write_numbers(cn_report *report, const cn_report_hit *hit)
{
	CN_TRY(write_format(report, "<div class=\"numbers\"><span title=\"what the order is by\">score %.3f</span>",
			    (double)hit->score));
	if (!isnan(hit->similarity))
		CN_TRY(write_format(report, "<span title=\"cosine of the global descriptors\">similarity %.3f</span>",
				    (double)hit->similarity));
	return write_text(report, "</div>");
}

static int write_bar(cn_report *report, float similarity)
{
	if (isnan(similarity))
		return 0;
	return write_format(report, "<div class=\"bar\"><i style=\"width:%.1f%%\"></i></div>",
			    100 * fmin(fmax((double)similarity, 0), 1));
}

static int write_hit(cn_report *report, const cn_report_hit *hit, size_t rank)
{
	CN_TRY(write_around(report, "<li class=\"hit\" title=\"", hit->path, "\"><div class=\"well\">"));
	CN_TRY(write_format(report, "<span class=\"rank\">%zu</span>", rank));
	CN_TRY(write_badge(report, hit->inliers, hit->trusted));
	CN_TRY(write_thumbnail(report, hit->path));
	CN_TRY(write_text(report, "</div>"));
	CN_TRY(write_bar(report, hit->similarity));
	CN_TRY(write_around(report, "<div class=\"text\"><div class=\"name\">", cn_path_base(hit->path), "</div>"));
	if (hit->label)
		CN_TRY(write_around(report, "<div class=\"label\">", hit->label, "</div>"));
	CN_TRY(write_numbers(report, hit));
	return write_text(report, "</div></li>\n");
}

static int write_hits(cn_report *report, const cn_report_section *section)
{
	if (section->hit_count == 0)
		return write_text(report, "<p class=\"empty\">Nothing was found.</p>\n");
	CN_TRY(write_text(report, "<h3>"));
	if (section->hit_count < section->found)
		CN_TRY(write_format(report, "%zu of ", section->hit_count));
	CN_TRY(write_format(report, "%zu %s</h3>\n<ol class=\"grid\">\n", section->found,
			    section->found == 1 ? "result" : "results"));
	for (size_t i = 0; i < section->hit_count; i++) {
		CN_TRY(write_hit(report, &section->hits[i], i + 1));
		if (report->progress)
			CN_TRY(cn_progress_add(report->progress, 1, 0));
	}
	return write_text(report, "</ol>\n");
}

static int write_drawing(cn_report *report, const cairn_image *query, const cn_report_hit *hit, size_t rank)
{
	cairn_image *image = NULL, *drawing = NULL;
	int status = open_photograph(&image, hit->path);

	/* Its tile says already that it is missing. */
	if (status < 0)
		return status == CAIRN_ENOMEM ? status : 0;
	CN_GOTO(status, cairn_draw_matches(&drawing, query, image, hit->points, hit->point_count, DRAWING_HEIGHT));
	CN_GOTO(status, write_text(report, "<figure>"));
	CN_GOTO(status, write_picture(report, drawing, "the query and the result with matched points joined"));
	CN_GOTO(status, write_around(report, "<figcaption title=\"", hit->path, "\"><span>"));
	CN_GOTO(status, write_format(report, "%zu&ensp;", rank));
	CN_GOTO(status, write_around(report, "", cn_path_base(hit->path), "</span>"));
	status =
		write_format(report, "<span>%zu matched points agree</span></figcaption></figure>\n", hit->point_count);
done:
	cairn_image_free(drawing);
	cairn_image_free(image);
	return status;
}

static int write_drawings(cn_report *report, const cn_report_section *section, const cairn_image *query)
{
	int begun = 0;

	for (size_t i = 0; query && i < section->hit_count; i++) {
		if (!section->hits[i].points || section->hits[i].point_count == 0)
			continue;
		if (!begun)
			CN_TRY(write_text(report,
					  "<div class=\"drawings\"><h3>Matched points</h3><div class=\"wide\">\n"));
		begun = 1;
		CN_TRY(write_drawing(report, query, &section->hits[i], i + 1));
	}
	return begun ? write_text(report, "</div></div>\n") : 0;
}

static int has_box(const cairn_box *box)
{
	return box->x1 > box->x0 && box->y1 > box->y0;
}

/* Twice, dark around light, to be seen on any photograph. */
static void draw_query_box(cairn_image *image, const cairn_box *box)
{
	double x = (double)cairn_image_width(image) / cairn_image_full_width(image);
	double y = (double)cairn_image_height(image) / cairn_image_full_height(image);
	cairn_box scaled = { box->x0 * x, box->y0 * y, box->x1 * x, box->y1 * y };
	cairn_box inner = { scaled.x0 + 1, scaled.y0 + 1, scaled.x1 - 1, scaled.y1 - 1 };

	cairn_image_draw_box(image, scaled, 8, (cairn_colour){ 20, 22, 26 });
	cairn_image_draw_box(image, inner, 4, (cairn_colour){ 255, 205, 70 });
}

static int write_query_picture(cn_report *report, const cn_report_section *section, const cairn_image *query)
{
	cairn_image *picture;

	CN_TRY(fit(&picture, query, QUERY_HEIGHT));
	if (has_box(&section->box))
		draw_query_box(picture, &section->box);

	int status = write_picture(report, picture, "the query");

	cairn_image_free(picture);
	return status;
}

static int write_time(cn_report *report, const char *what, double seconds)
{
	if (!(seconds > 0))
		return 0;
	return write_format(report, "<dt>%s</dt><dd>%.*f ms</dd>", what, seconds < 0.001 ? 2 : seconds < 0.01,
			    seconds * 1000);
}

static int write_query_facts(cn_report *report, const cn_report_section *section)
{
	const cairn_box *box = &section->box;

	CN_TRY(write_around(report, "<h2>", cn_path_base(section->query), "</h2>\n"));
	CN_TRY(write_around(report, "<p class=\"path\">", section->query, "</p>\n<dl>"));
	if (section->stage)
		CN_TRY(write_around(report, "<dt>stage</dt><dd>", section->stage, "</dd>"));
	if (has_box(box))
		CN_TRY(write_format(report, "<dt>box</dt><dd>%g, %g to %g, %g</dd>", box->x0, box->y0, box->x1,
				    box->y1));
	CN_TRY(write_time(report, "decode", section->times.decode));
	CN_TRY(write_time(report, "describe", section->times.describe));
	CN_TRY(write_time(report, "search", section->times.search));
	CN_TRY(write_time(report, "verify", section->times.verify));
	return write_text(report, "</dl>\n");
}

static int write_section(cn_report *report, const cn_report_section *section, const cairn_image *query, int opened)
{
	CN_TRY(write_text(report, "<section><div class=\"query\">"));
	CN_TRY(query ? write_query_picture(report, section, query) : write_missing(report, opened));
	CN_TRY(write_query_facts(report, section));
	CN_TRY(write_text(report, "</div>\n<div>\n"));
	CN_TRY(write_hits(report, section));
	CN_TRY(write_drawings(report, section, query));
	return write_text(report, "</div></section>\n");
}

int cn_report_begin(cn_report *report, const char *path, const char *title, size_t queries)
{
	int status = 0;

	*report = (cn_report){ 0 };
	CN_TRY(cn_atomic_open(&report->file, path));
	CN_GOTO(status, write_around(report,
				     "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
				     "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
				     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
				     "img-src data:; style-src 'unsafe-inline'\">\n<title>",
				     title, "</title>\n<style>"));
	CN_GOTO(status, write_text(report, report_style));
	CN_GOTO(status, write_around(report, "</style>\n</head>\n<body>\n<header><h1>", title, "</h1>"));
	CN_GOTO(status,
		write_format(report, "<p>%zu %s</p></header>\n<main>\n", queries, queries == 1 ? "query" : "queries"));
	return 0;
done:
	cn_report_abort(report);
	return status;
}

int cn_report_add(cn_report *report, const cn_report_section *section)
{
	cairn_image *query = NULL;
	int opened = open_photograph(&query, section->query);
	int status = write_section(report, section, query, opened);

	cairn_image_free(query);
	return status;
}

int cn_report_commit(cn_report *report)
{
	int status = write_format(report,
				  "</main>\n<footer><p>Made by cairn %s. Boxes, scores and matched points as found; "
				  "hover over a picture for its path.</p></footer>\n</body>\n</html>\n",
				  cairn_version());

	if (status < 0)
		return status;
	return cn_atomic_commit(&report->file);
}

void cn_report_abort(cn_report *report)
{
	cn_atomic_abort(&report->file);
}

/* The points are copies; the caller frees those of every hit. */
static int fill_hit(cn_report_hit *to, const cairn_answer *answer, size_t rank, int draw)
{
	cairn_point_pair *points = NULL;
	cairn_hit hit;

	CN_TRY(cairn_answer_get(answer, rank, &hit));
	*to = (cn_report_hit){
		.path = hit.path,
		.label = hit.label,
		.score = hit.score,
		.similarity = hit.similarity,
		.inliers = hit.inliers,
		.trusted = hit.trusted,
	};
	if (draw && hit.trusted)
		CN_TRY(cairn_answer_points(answer, rank, &points, &to->point_count));
	to->points = points;
	return 0;
}

static size_t shown(const cairn_answer *answer, const cairn_report_options *options)
{
	size_t found = cairn_answer_count(answer);

	return found < options->results ? found : options->results;
}

static int add_answer(cn_report *report, const cairn_answer *answer, const cairn_report_options *options)
{
	cn_report_section section = {
		.query = cairn_answer_query(answer),
		.stage = answer->stage,
		.box = cairn_answer_box(answer),
		.times = cairn_answer_get_times(answer),
		.found = cairn_answer_count(answer),
	};
	size_t count = shown(answer, options);
	cn_report_hit *hits;
	int status = 0;

	CN_NEW(hits, count, sizeof(*hits));
	for (size_t i = 0; i < count && status == 0; i++)
		status = fill_hit(&hits[i], answer, i, i < options->drawings);
	section.hits = hits;
	section.hit_count = count;
	if (status == 0)
		status = cn_report_add(report, &section);
	for (size_t i = 0; i < count; i++)
		cairn_bytes_free((void *)(uintptr_t)hits[i].points);
	cn_free(hits);
	return status;
}

/* Answers of several stages to one query follow each other. */
static size_t count_queries(const cairn_answer *const *answers, size_t count)
{
	size_t queries = 0;
	for (size_t i = 0; i < count; i++)
		queries += i == 0 || !answers[i]->stage ||
			   strcmp(cairn_answer_query(answers[i]), cairn_answer_query(answers[i - 1])) != 0;
	return queries;
}

static int write_report(const char *path, const cairn_answer *const *answers, size_t count,
			const cairn_report_options *options, cn_progress *progress)
{
	cn_report report;
	int status = 0;

	CN_TRY(cn_report_begin(&report, path, options->title ? options->title : "cairn search",
			       count_queries(answers, count)));
	report.progress = progress;
	for (size_t i = 0; i < count; i++)
		CN_GOTO(status, add_answer(&report, answers[i], options));
	CN_GOTO(status, cn_report_commit(&report));
done:
	cn_report_abort(&report);
	return status;
}

int cairn_report_write(const char *path, const cairn_answer *const *answers, size_t count,
		       const cairn_report_options *options)
{
	static const cairn_report_options defaults = CAIRN_REPORT_OPTIONS_INIT;
	cn_progress progress;
	uint64_t total = 0;

	if (!options)
		options = &defaults;
	if (options->version != CAIRN_REPORT_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "report options have version %u; this library knows %d",
			       options->version, CAIRN_REPORT_OPTIONS_VERSION);
	for (size_t i = 0; i < count; i++)
		total += shown(answers[i], options);
	cn_progress_start(&progress, options->progress, options->progress_payload, "writing the report", total);

	int status = write_report(path, answers, count, options, &progress);

	cn_progress_end(&progress);
	return status;
}
