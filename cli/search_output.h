/*
 * cli/search_output.h - answers of a search on stdout: text and CSV one by one as they come, JSON as one document at
 * the end.
 */
#ifndef CLI_SEARCH_OUTPUT_H
#define CLI_SEARCH_OUTPUT_H

#include <jansson.h>

#include "cairn/search.h"

extern const char *const search_formats[]; /* the first is the default */

struct search_output {
	enum { SEARCH_TEXT, SEARCH_JSON, SEARCH_CSV } form;
	json_t *queries; /* of JSON */
};

/** @param format one of search_formats; NULL: the default */
void search_output_start(struct search_output *output, const char *format);

/** @param id of the image that was searched with; 0 for a file. @return EXIT_DONE, or EXIT_INPUT after it was told */
int search_output_answer(struct search_output *output, const cairn_answer *answer, int64_t id);

/** A query that could not be answered; `path` is empty where an id was given. */
void search_output_failure(struct search_output *output, const char *path, int64_t id, const char *message);

/** @return as search_output_answer() */
int search_output_end(struct search_output *output, int interrupted);

#endif
