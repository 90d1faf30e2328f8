/*
 * Report pages: what is on them, that nothing from outside is markup, and that missing photographs do no harm.
 */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/ranking.h"
#include "search/report.h"
#include "search/search.h"
#include "util/memory.h"
#include "util/text.h"
#include "util/utf8.h"

/* A photograph with a dark and a light side; its path is borrowed from a static ring. */
static const char *photograph(const char *folder, const char *name, uint32_t width, uint32_t height)
{
	const char *path = cn_test_path(folder, name);
	cairn_image *image;

	assert_ok(cairn_image_new(&image, width, height, NULL));
	cairn_image_draw_line(image, 0, height / 2.0, width, height / 2.0, height / 3.0, (cairn_colour){ 30, 60, 90 });

	uint8_t *bytes;
	size_t length;

	assert_ok(cairn_image_encode(image, "png", 0, &bytes, &length));
	cn_test_write(path, bytes, length);
	cairn_bytes_free(bytes);
	cairn_image_free(image);
	return path;
}

static char *write_page(const char *folder, const cn_report_section *sections, size_t count)
{
	const char *path = cn_test_path(folder, "page.html");
	cn_report report;
	size_t length;
	char *page;

	assert_ok(cn_report_begin(&report, path, "A <title> & \"more\"", count));
	for (size_t i = 0; i < count; i++)
		assert_ok(cn_report_add(&report, &sections[i]));
	assert_ok(cn_report_commit(&report));
	cn_report_abort(&report);
	assert_ok(cn_file_read(path, 1u << 26, &page, &length));
	assert_int_equal(strlen(page), length);
	return page;
}

static size_t occurrences(const char *page, const char *part)
{
	size_t count = 0;

	for (const char *at = page; (at = strstr(at, part)) != NULL; at += strlen(part))
		count++;
	return count;
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Decodes the picture that begins at `text`, up to the closing quote. */
static cairn_image *picture_at(const char *text)
{
	size_t length = strcspn(text, "\""), used = 0;
	uint8_t *bytes = test_malloc(length);
	cairn_image *image;
	uint32_t bits = 0;

	assert_int_equal(length % 4, 0);
	for (size_t i = 0; i < length && text[i] != '='; i++) {
		assert_true(base64_digit(text[i]) >= 0);
		bits = bits << 6 | (uint32_t)base64_digit(text[i]);
		if (i % 4)
			bytes[used++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	assert_ok(cairn_image_decode(&image, bytes, used, "embedded", NULL));
	test_free(bytes);
	return image;
}

static void pictures_are_embedded(void **state)
{
	static const cairn_point_pair points[] = { { 10, 20, 30, 40 }, { 100, 200, 130, 240 } };
	const char *folder = cn_test_folder();
	const cn_report_hit hits[] = {
		{ photograph(folder, "wide.png", 900, 300), "Town hall", 0.75f, 0.5f, 2, points, 2, 1 },
		{ photograph(folder, "small.png", 40, 30), NULL, 0.25f, NAN, CAIRN_NO_INLIERS, NULL, 0, 0 },
		{ photograph(folder, "tall.png", 100, 3000), NULL, 0.2f, -0.5f, 0, NULL, 0, 0 },
	};
	const cn_report_section section = {
		.query = photograph(folder, "query.png", 640, 480),
		.box = { 100, 100, 300, 200 },
		.found = 7,
		.hits = hits,
		.hit_count = 3,
	};
	/* In the order of the page: query, three thumbnails, one drawing. */
	static const uint32_t sizes[][2] = { { 533, 400 }, { 720, 240 }, { 40, 30 }, { 8, 240 }, { 0, 360 } };
	char *page = write_page(folder, &section, 1);
	const char *at = page;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		at = strstr(at, "data:image/jpeg;base64,");
		assert_non_null(at);
		at += strlen("data:image/jpeg;base64,");
		cairn_image *image = picture_at(at);
		if (sizes[i][0])
			assert_int_equal(cairn_image_width(image), sizes[i][0]);
		assert_int_equal(cairn_image_height(image), sizes[i][1]);
		cairn_image_free(image);
	}
	assert_null(strstr(at, "base64,"));
	assert_non_null(strstr(page, "3 of 7 results"));
	assert_non_null(strstr(page, "Town hall"));
	assert_non_null(strstr(page, ">2 inliers<"));
	assert_non_null(strstr(page, "score 0.750"));
	assert_non_null(strstr(page, "similarity 0.500"));
	assert_int_equal(occurrences(page, "similarity "), 2);
	assert_int_equal(occurrences(page, "inliers</span>"), 2);
	assert_int_equal(occurrences(page, "badge none"), 1);
	assert_null(strstr(page, "nan"));
	cn_free(page);
}

static void headings_and_times_say_what_there_is(void **state)
{
	static const struct {
		size_t found, shown;
		double seconds;
		const char *heading, *time;
	} cases[] = {
		{ 1, 1, 1.5, "<h3>1 result</h3>", "<dd>1500 ms</dd>" },
		{ 2, 2, 0.0042, "<h3>2 results</h3>", "<dd>4.2 ms</dd>" },
		{ 9, 2, 0.00006, "<h3>2 of 9 results</h3>", "<dd>0.06 ms</dd>" },
	};
	const char *folder = cn_test_folder(), *path = photograph(folder, "q.png", 50, 50);
	const cn_report_hit hits[] = { { path, NULL, 1, 1, 0, NULL, 0, 1 }, { path, NULL, 1, 1, 0, NULL, 0, 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const cn_report_section section = { .query = path,
						    .times.verify = cases[i].seconds,
						    .found = cases[i].found,
						    .hits = hits,
						    .hit_count = cases[i].shown };
		char *page = write_page(folder, &section, 1);

		assert_non_null(strstr(page, cases[i].heading));
		assert_non_null(strstr(page, cases[i].time));
		assert_int_equal(occurrences(page, " ms</dd>"), 1);
		cn_free(page);
	}
}

static void pages_need_nothing_else(void **state)
{
	static const char *const forbidden[] = { "http:", "https:", "src=\"/", "url(", "<script", "<link", "@import" };
	const char *folder = cn_test_folder();
	const cn_report_section section = { .query = photograph(folder, "q.png", 50, 50) };
	char *page = write_page(folder, &section, 1);

	(void)state;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (strstr(page, forbidden[i]))
			fail_msg("the page holds '%s'", forbidden[i]);
	assert_non_null(strstr(page, "Nothing was found"));
	assert_non_null(strstr(page, "prefers-color-scheme:dark"));
	assert_memory_equal(page, "<!DOCTYPE html>", 15);
	cn_free(page);
}

static void hostile_names_stay_text(void **state)
{
	static const char *const names[] = {
		"<script>alert(1)<",  "\" onmouseover=\"alert(1)", "' onerror='alert(1)",
		"&lt;&amp;",          "bad \xff\xc3( utf8",        "%s%n%d",
		"\"><img src=x>.png",
	};
	const char *folder = cn_test_folder();

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *path = photograph(folder, names[i], 20, 20);
		const cn_report_hit hits[] = {
			{ path, names[i], 1, 1, 3, NULL, 0, 1 },
			{ cn_test_path(folder, "absent <script>"), "</li>", 1, 1, 3, NULL, 0, 1 },
		};
		const cn_report_section section = { .query = path, .found = 2, .hits = hits, .hit_count = 2 };
		char *page = write_page(folder, &section, 1);

		assert_null(strstr(page, "<script"));
		assert_null(strstr(page, "\" onmouseover"));
		assert_null(strstr(page, "' onerror"));
		assert_null(strstr(page, "<img src=x"));
		assert_int_equal(occurrences(page, "</li>"), 2);
		assert_int_equal(occurrences(page, "<img "), 2);
		assert_non_null(strstr(page, "<title>A &lt;title&gt; &amp; &quot;more&quot;</title>"));
		assert_true(cn_utf8_valid(page, strlen(page)));
		cn_free(page);
	}
}

static void missing_photographs_get_a_tile(void **state)
{
	static const cairn_point_pair point = { 1, 2, 3, 4 };
	const char *folder = cn_test_folder(), *broken = cn_test_path(folder, "broken.jpg");
	const cn_report_hit hits[] = {
		{ cn_test_path(folder, "gone.jpg"), NULL, 1, 1, 1, &point, 1, 1 },
		{ broken, NULL, 1, 1, 1, &point, 1, 1 },
	};
	const cn_report_section sections[] = {
		{ .query = photograph(folder, "here.png", 30, 30), .found = 2, .hits = hits, .hit_count = 2 },
		{ .query = "/nowhere/query.jpg", .found = 2, .hits = hits, .hit_count = 2 },
	};

	(void)state;
	cn_test_write(broken, "no image", 8);
	char *page = write_page(folder, sections, 2);
	assert_int_equal(occurrences(page, "File is missing"), 3);
	assert_int_equal(occurrences(page, "Cannot be shown"), 2);
	assert_int_equal(occurrences(page, "<figure>"), 0);
	assert_int_equal(occurrences(page, "<section>"), 2);
	assert_int_equal(occurrences(page, "</section>"), 2);
	assert_non_null(strstr(page, "2 queries"));
	cn_free(page);
}

/* An answer as a search leaves it. */
static void fill_answer(cairn_answer *answer, cn_answer_hit hits[3], char *query, char *path)
{
	static cairn_point_pair points[] = { { 1, 1, 2, 2 }, { 5, 9, 6, 8 } };
	static cairn_match matches[2];

	for (int i = 0; i < 3; i++)
		hits[i] = (cn_answer_hit){
			.hit = { .id = i + 1,
				 .path = path,
				 .score = 1,
				 .similarity = 0.5f,
				 .inliers = 2,
				 .trusted = i < 2,
				 .matches = matches },
			.points = points,
		};
	*answer = (cairn_answer){ .query = query, .count = 3, .hits = hits };
}

static void answers_are_reported(void **state)
{
	static const struct {
		cairn_report_options options;
		size_t thumbnails, drawings;
	} cases[] = {
		{ CAIRN_REPORT_OPTIONS_INIT, 3, 2 }, /* the third proves nothing */
		{ { .version = CAIRN_REPORT_OPTIONS_VERSION, .results = 2, .drawings = 1, .title = "Title" }, 2, 1 },
		{ { .version = CAIRN_REPORT_OPTIONS_VERSION, .results = 1, .drawings = 5 }, 1, 1 },
		{ { .version = CAIRN_REPORT_OPTIONS_VERSION, .results = 0, .drawings = 0 }, 0, 0 },
	};
	const char *folder = cn_test_folder(), *target = cn_test_path(folder, "report.html");
	char *query = cn_strdup(photograph(folder, "query.png", 40, 40)), *page;
	char *path = cn_strdup(photograph(folder, "hit.png", 40, 40));
	cn_answer_hit hits[3];
	cairn_answer answer;
	const cairn_answer *const answers[] = { &answer, &answer };
	size_t length;

	(void)state;
	fill_answer(&answer, hits, query, path);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(cairn_report_write(target, answers, 2, &cases[i].options));
		assert_ok(cn_file_read(target, 1u << 26, &page, &length));
		assert_int_equal(occurrences(page, "<li "), 2 * cases[i].thumbnails);
		assert_int_equal(occurrences(page, "<figure>"), 2 * cases[i].drawings);
		assert_non_null(strstr(page, cases[i].options.title ? "Title" : "cairn search"));
		cn_free(page);
	}
	cn_free(query);
	cn_free(path);
}

/* Stages of a recipe: a section each, a query once, and drawings only where there are points. */
static void stages_are_reported_by_query(void **state)
{
	static const cairn_report_options options = CAIRN_REPORT_OPTIONS_INIT;
	const char *folder = cn_test_folder(), *target = cn_test_path(folder, "report.html");
	char *queries[2] = { cn_strdup(photograph(folder, "a.png", 40, 40)),
			     cn_strdup(photograph(folder, "b.png", 40, 40)) };
	char *path = cn_strdup(photograph(folder, "hit.png", 40, 40)), *page;
	char near[] = "near", proven[] = "<proven>";
	cn_answer_hit hits[4][3];
	cairn_answer answers[4];
	const cairn_answer *const all[] = { &answers[0], &answers[1], &answers[2], &answers[3] };
	size_t length;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		fill_answer(&answers[i], hits[i], queries[i / 2], path);
		answers[i].stage = i % 2 ? proven : near;
		for (size_t k = 0; k < 3 && i % 2 == 0; k++) {
			hits[i][k].points = NULL;
			hits[i][k].hit.matches = NULL;
		}
	}
	assert_ok(cairn_report_write(target, all, 4, &options));
	assert_ok(cn_file_read(target, 1u << 26, &page, &length));
	assert_int_equal(occurrences(page, "<section>"), 4);
	assert_int_equal(occurrences(page, "<dt>stage</dt><dd>near</dd>"), 2);
	assert_int_equal(occurrences(page, "<dt>stage</dt><dd>&lt;proven&gt;</dd>"), 2);
	assert_int_equal(occurrences(page, "<figure>"), 2 * 2);
	assert_non_null(strstr(page, "2 queries"));
	cn_free(page);
	cn_free(queries[0]);
	cn_free(queries[1]);
	cn_free(path);
}

/* Stops when `after` results are written. */
struct stopping {
	uint64_t after, done, total;
};

static int stop(const cairn_progress *progress, void *payload)
{
	struct stopping *stopping = payload;
	stopping->done = progress->done;
	stopping->total = progress->total;
	return progress->done >= stopping->after;
}

static void progress_is_told_and_may_cancel(void **state)
{
	const char *folder = cn_test_folder(), *target = cn_test_path(folder, "report.html");
	char *query = cn_strdup(photograph(folder, "query.png", 40, 40)), *page;
	struct stopping stopping = { .after = 100 };
	cairn_report_options options = CAIRN_REPORT_OPTIONS_INIT;
	cn_answer_hit hits[3];
	cairn_answer answer;
	const cairn_answer *const answers[] = { &answer, &answer };
	size_t length;

	(void)state;
	fill_answer(&answer, hits, query, query);
	options.results = 2;
	options.progress = stop;
	options.progress_payload = &stopping;
	assert_ok(cairn_report_write(target, answers, 2, &options));
	assert_int_equal(stopping.done, 4);
	assert_int_equal(stopping.total, 4);
	cn_test_write(target, "before", 6);
	stopping.after = 1;
	assert_fails(cairn_report_write(target, answers, 2, &options), CAIRN_ECANCELLED, "writing the report");
	assert_int_equal(stopping.done, 1);
	assert_ok(cn_file_read(target, 100, &page, &length));
	assert_string_equal(page, "before");
	cn_free(page);
	cn_free(query);
}

static void failures_leave_nothing(void **state)
{
	const cairn_report_options wrong = { .version = 99, .results = 1, .drawings = 1 };
	const char *folder = cn_test_folder(), *target = cn_test_path(folder, "report.html");
	char *query = cn_strdup(photograph(folder, "query.png", 40, 40));
	cn_answer_hit hits[3];
	cairn_answer answer;
	const cairn_answer *const answers[] = { &answer };
	int status = CAIRN_ENOMEM, failures = -1;
	char **names;
	size_t count;

	(void)state;
	fill_answer(&answer, hits, query, query);
	assert_fails(cairn_report_write(target, answers, 1, &wrong), CAIRN_EINVALID, "99");
	assert_fails(cairn_report_write("/nowhere.d/r.html", answers, 1, NULL), CAIRN_ENOTFOUND, "/nowhere.d");
	for (long n = 0; status < 0; n++, failures++) {
		cn_memory_fail_at(n);
		status = cairn_report_write(target, answers, 1, NULL);
		cn_memory_fail_at(-1);
		if (status < 0)
			assert_fails(status, CAIRN_ENOMEM, NULL);
		assert_ok(cn_folder_list(folder, &names, &count));
		for (size_t i = 0; i < count; i++)
			assert_null(strstr(names[i], ".tmp"));
		cn_names_free(names, count);
	}
	assert_true(failures > 30);
	cn_free(query);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pictures_are_embedded),
		cmocka_unit_test(headings_and_times_say_what_there_is),
		cmocka_unit_test(pages_need_nothing_else),
		cmocka_unit_test(hostile_names_stay_text),
		cmocka_unit_test(missing_photographs_get_a_tile),
		cmocka_unit_test(answers_are_reported),
		cmocka_unit_test(stages_are_reported_by_query),
		cmocka_unit_test(progress_is_told_and_may_cancel),
		cmocka_unit_test(failures_leave_nothing),
	};

	return cmocka_run_group_tests_name("search/report", tests, NULL, NULL);
}
