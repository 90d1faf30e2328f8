/*
 * Labels of images. Paths are kept as 128-bit hashes: with a billion of them the chance that two are alike is below
 * 1e-20.
 */
#include "collection/labels.h"

#include <string.h>

#include "collection/scan.h"
#include "util/csv.h"
#include "util/memory.h"

struct columns {
	int path, label, count;
};

void cn_labels_free(cn_labels *labels)
{
	cn_keymap_free(&labels->rows);
	cn_text_free(&labels->text);
	cn_free(labels->offsets);
	cn_free(labels->lines);
	cn_free(labels->used);
	*labels = (cn_labels){ 0 };
}

const char *cn_labels_find(cn_labels *labels, const char *path)
{
	const uint64_t *row = cn_keymap_get(&labels->rows, cn_key_of(path, strlen(path)));
	if (!row)
		return NULL;
	labels->used[*row] = 1;
	return labels->text.data + labels->offsets[*row];
}

size_t cn_labels_unused(const cn_labels *labels)
{
	size_t unused = 0;
	for (size_t i = 0; i < labels->count; i++)
		unused += !labels->used[i];
	return unused;
}

static int read_header(struct columns *out, cn_csv *csv, const char *file)
{
	const char *const *fields;
	*out = (struct columns){ -1, -1, cn_csv_next(csv, &fields) };
	if (out->count < 0)
		return out->count;
	if (out->count == 0)
		return cn_fail(CAIRN_EFORMAT, "%s:1: empty; it must begin with a line such as path,label", file);
	for (int i = 0; i < out->count; i++) {
		int *column = strcmp(fields[i], "label") == 0                                     ? &out->label
			      : strcmp(fields[i], "path") == 0 || strcmp(fields[i], "image") == 0 ? &out->path
												  : NULL;
		if (column && *column >= 0)
			return cn_fail(CAIRN_EFORMAT, "%s:%zu: two columns for the %s", file, cn_csv_line(csv),
				       column == &out->label ? "label" : "path");
		if (column)
			*column = i;
	}
	if (out->path < 0 || out->label < 0)
		return cn_fail(CAIRN_EFORMAT,
			       "%s:%zu: no column '%s'; the first line must name the columns, such as path,label", file,
			       cn_csv_line(csv), out->path < 0 ? "path" : "label");
	return 0;
}

static int grow(cn_labels *labels)
{
	size_t capacity = labels->capacity ? 2 * labels->capacity : 64;
	size_t *offsets = cn_realloc(labels->offsets, capacity, sizeof(*offsets));
	if (!offsets)
		return CAIRN_ENOMEM;
	labels->offsets = offsets;
	size_t *lines = cn_realloc(labels->lines, capacity, sizeof(*lines));
	if (!lines)
		return CAIRN_ENOMEM;
	labels->lines = lines;
	unsigned char *used = cn_realloc(labels->used, capacity, sizeof(*used));
	if (!used)
		return CAIRN_ENOMEM;
	labels->used = used;
	labels->capacity = capacity;
	return 0;
}

static int add_label(cn_labels *labels, const char *file, size_t line, const char *path, const char *label)
{
	char *absolute;
	uint64_t *row;
	CN_TRY(cn_scan_resolve(&absolute, file, path));
	int fresh = cn_keymap_put(&labels->rows, cn_key_of(absolute, strlen(absolute)), labels->count, &row);
	cn_free(absolute);
	if (fresh < 0)
		return fresh;
	if (!fresh) {
		if (strcmp(labels->text.data + labels->offsets[*row], label) == 0)
			return 0;
		return cn_fail(CAIRN_EFORMAT, "%s:%zu: '%s' has the label '%s' here and '%s' in line %zu", file, line,
			       path, label, labels->text.data + labels->offsets[*row], labels->lines[*row]);
	}
	if (labels->count == labels->capacity)
		CN_TRY(grow(labels));
	labels->offsets[labels->count] = labels->text.length;
	labels->used[labels->count] = 0;
	labels->lines[labels->count++] = line;
	return cn_text_add_bytes(&labels->text, label, strlen(label) + 1);
}

int cn_labels_read(cn_labels *out, const char *file)
{
	cn_csv *csv = NULL;
	struct columns columns;
	const char *const *fields;
	int status, count;
	*out = (cn_labels){ 0 };
	CN_GOTO(status, cn_csv_open(&csv, file));
	CN_GOTO(status, read_header(&columns, csv, file));
	while ((count = cn_csv_next(csv, &fields)) > 0) {
		if (count != columns.count) {
			status = cn_fail(CAIRN_EFORMAT, "%s:%zu: %d fields where the first line has %d", file,
					 cn_csv_line(csv), count, columns.count);
			goto done;
		}
		if (!*fields[columns.path]) {
			status = cn_fail(CAIRN_EFORMAT, "%s:%zu: the path is empty", file, cn_csv_line(csv));
			goto done;
		}
		CN_GOTO(status, add_label(out, file, cn_csv_line(csv), fields[columns.path], fields[columns.label]));
	}
	status = count;
done:
	cn_csv_free(csv);
	if (status < 0)
		cn_labels_free(out);
	return status;
}

int cn_label_of_parent(cn_text *out, const char *path)
{
	const char *end = cn_path_base(path);
	while (end > path && end[-1] == '/')
		end--;
	const char *begin = end;
	while (begin > path && begin[-1] != '/')
		begin--;
	out->length = 0;
	return cn_text_add_bytes(out, begin, (size_t)(end - begin));
}
