/*
 * search/report.h - the writer of report pages, apart from where its content comes from.
 *
 * A page is written section by section into an atomic file: one query's thumbnails are in memory at a time.
 */
#ifndef CN_SEARCH_REPORT_H
#define CN_SEARCH_REPORT_H

#include "cairn/search.h"
#include "util/file.h"
#include "util/progress.h"

/** One result as it is shown. Everything is borrowed. */
typedef struct {
	const char *path;
	const char *label; /**< NULL: none */
	float score;
	float similarity;               /**< NAN: unknown */
	int32_t inliers;                /**< CAIRN_NO_INLIERS: not verified */
	const cairn_point_pair *points; /**< to be drawn; NULL: no drawing */
	size_t point_count;
	int trusted; /**< the inliers say something */
} cn_report_hit;

/** One query with its results, best first. Everything is borrowed. */
typedef struct {
	const char *query;
	const char *stage; /**< of a recipe, whose result it is; NULL: of a search */
	cairn_box box;     /**< in pixels of the full-size photograph; all zero: none */
	cairn_answer_times times;
	size_t found; /**< results there are; hit_count of them are shown */
	const cn_report_hit *hits;
	size_t hit_count;
} cn_report_section;

/** A page being written. */
typedef struct {
	cn_atomic_file file;
	cn_progress *progress; /**< counts the results as they are written; NULL: nobody asks */
} cn_report;

/** Begin a page. @param queries how many sections will follow, for the heading */
int cn_report_begin(cn_report *report, const char *path, const char *title, size_t queries);

/** Add a query. Photographs that are missing or damaged get a tile that says so. */
int cn_report_add(cn_report *report, const cn_report_section *section);

/** End the page and move it into place. */
int cn_report_commit(cn_report *report);

/** Give up; harmless after a commit. */
void cn_report_abort(cn_report *report);

#endif
