/*
 * cli/filter.h - the options that say which images of a collection are wanted.
 */
#ifndef CLI_FILTER_H
#define CLI_FILTER_H

#include "cairn/collection.h"
#include "command.h"

struct filter_arguments {
	struct texts labels, where;
	const char *ids;
};

#define OPT_FILTER(a)                                                                                                  \
	OPT_LIST(0, "label", "NAME", &(a).labels, COMPLETE_NOTHING,                                                    \
		 "only images with this label; given several times, with one of them"),                                \
		OPT_TEXT(0, "ids", "FILE", &(a).ids, COMPLETE_FILE,                                                    \
			 "only images whose ids stand in FILE, one a line; - reads stdin"),                            \
		OPT_LIST(0, "where", "EXPRESSION", &(a).where, COMPLETE_NOTHING,                                       \
			 "only images for which this SQL expression is true; given several times, for which all are")

/** A section on what OPT_FILTER's help has no room for. */
#define FILTER_SECTION                                                                                                 \
	{                                                                                                              \
		"filters", "--label, --ids and --where choose the images that may be found; all that is given must "   \
			   "hold. A search among few images costs less than one among all.\n\n"                        \
			   "EXPRESSION is one SQL expression, as SQLite understands it, over the columns id, path, "   \
			   "label (NULL without one), size (bytes), mtime_ns, width and height; texts stand in "       \
			   "single quotes; functions of numbers, texts and dates may be called.\n\n"                   \
			   "Labels that no image has, and ids of no image, are warned of. The exit status is 2 where " \
			   "no image is left, 1 with a faulty expression."                                             \
	}

/** Whether any of the options was given. */
int is_filter_given(const struct filter_arguments *arguments);

/** A filter and what it borrows. */
struct filter {
	cairn_filter filter;
	int64_t *ids;
};

/**
 * Read the list of ids, if there is one.
 *
 * @param[out] out borrows from the arguments; to be freed with free_filter(), also after a failure
 * @return 0, or an exit code after saying what is wrong
 */
int read_filter(const struct filter_arguments *arguments, struct filter *out);

void free_filter(struct filter *filter);

#endif
