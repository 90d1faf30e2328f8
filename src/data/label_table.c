/*
 * Labels by number.
 */
#include "data/label_table.h"

#include <stdlib.h>
#include <string.h>

#include "util/ids.h"
#include "util/memory.h"

void cn_label_table_free(cn_label_table *table)
{
	for (size_t i = 0; i < table->name_count; i++)
		cn_free(table->names[i]);
	cn_free(table->names);
	cn_free(table->ids);
	cn_free(table->labels);
	*table = (cn_label_table){ 0 };
}

int32_t cn_label_table_find(const cn_label_table *table, int64_t id)
{
	size_t at = cn_ids_find(table->ids, table->count, id);
	return at < table->count && table->ids[at] == id ? table->labels[at] : CN_NO_LABEL;
}

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, *(char *const *)item);
}

int32_t cn_label_table_number(const cn_label_table *table, const char *name)
{
	char **found = table->name_count
			       ? bsearch(name, table->names, table->name_count, sizeof(*table->names), compare_name)
			       : NULL;
	return found ? (int32_t)(found - table->names) : CN_NO_LABEL;
}
