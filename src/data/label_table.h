/*
 * data/label_table.h - the labels of images by number, for whoever compares labels more than it shows them.
 */
#ifndef CN_DATA_LABEL_TABLE_H
#define CN_DATA_LABEL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define CN_NO_LABEL ((int32_t)-1)

/** Start zeroed. */
typedef struct {
	int64_t *ids;    /**< count, ascending */
	int32_t *labels; /**< count: which of the names; CN_NO_LABEL: none */
	size_t count;
	char **names; /**< name_count, in byte order */
	size_t name_count;
} cn_label_table;

void cn_label_table_free(cn_label_table *table);

/** The label of an image; CN_NO_LABEL also where the image is not in the table. */
int32_t cn_label_table_find(const cn_label_table *table, int64_t id);

/** The number of a name, or CN_NO_LABEL. */
int32_t cn_label_table_number(const cn_label_table *table, const char *name);

#endif
