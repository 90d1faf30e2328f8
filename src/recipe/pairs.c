/*
 * The file of verified pairs.
 */
#include "recipe/pairs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cairn/ranking.h"
#include "util/crc.h"
#include "util/file.h"
#include "util/memory.h"

#define MOST_BYTES ((uint64_t)1 << 40)

static uint32_t crc_of(const cn_pair_record *record)
{
	return cn_crc32c(0, record, offsetof(cn_pair_record, crc));
}

static int compare(const void *left, const void *right)
{
	const cn_pair_record *a = left, *b = right;
	if (a->query != b->query)
		return a->query < b->query ? -1 : 1;
	return a->image < b->image ? -1 : a->image > b->image;
}

/* Keeps the records before the first that is not whole. */
static int read_records(cn_pair_file *pairs)
{
	char *bytes;
	size_t length;
	if (!cn_file_exists(pairs->path))
		return 0;
	CN_TRY(cn_file_read(pairs->path, MOST_BYTES, &bytes, &length));
	pairs->records = cn_alloc(length / sizeof(*pairs->records), sizeof(*pairs->records));
	for (size_t i = 0; pairs->records && i < length / sizeof(*pairs->records); i++) {
		cn_pair_record record;
		memcpy(&record, bytes + i * sizeof(record), sizeof(record));
		if (record.crc != crc_of(&record) || record.inliers < 0)
			break;
		pairs->records[pairs->count++] = record;
	}
	cn_free(bytes);
	return pairs->records ? 0 : CAIRN_ENOMEM;
}

int cn_pair_file_open(cn_pair_file *out, const char *path)
{
	*out = (cn_pair_file){ .file = -1 };
	if (!path)
		return 0;
	out->path = cn_strdup(path);
	int status = out->path ? read_records(out) : CAIRN_ENOMEM;
	if (status == 0) {
		out->file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
		if (out->file < 0 || ftruncate(out->file, (off_t)(out->count * sizeof(*out->records))) != 0)
			status = cn_fail_errno("cannot write '%s'", path);
	}
	if (status < 0)
		cn_pair_file_close(out);
	else if (out->count > 1)
		qsort(out->records, out->count, sizeof(*out->records), compare);
	return status;
}

void cn_pair_file_close(cn_pair_file *pairs)
{
	if (pairs->file >= 0)
		close(pairs->file);
	cn_free(pairs->records);
	cn_free(pairs->path);
	*pairs = (cn_pair_file){ .file = -1 };
}

int32_t cn_pair_file_find(const cn_pair_file *pairs, size_t query, int64_t image)
{
	const cn_pair_record wanted = { .query = query, .image = image };
	const cn_pair_record *found =
		pairs->count ? bsearch(&wanted, pairs->records, pairs->count, sizeof(wanted), compare) : NULL;
	return found ? found->inliers : CAIRN_NO_INLIERS;
}

static int append(const cn_pair_file *pairs, const void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t written = write(pairs->file, (const char *)bytes + done, length - done);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return cn_fail_errno("cannot write '%s'", pairs->path);
		done += (size_t)written;
	}
	return 0;
}

int cn_pair_file_add(cn_pair_file *pairs, size_t query, const int64_t *images, const int32_t *inliers, size_t count)
{
	cn_pair_record *records;
	if (pairs->file < 0 || !count)
		return 0;
	CN_NEW(records, count, sizeof(*records));
	for (size_t i = 0; i < count; i++) {
		records[i] = (cn_pair_record){ .query = query, .image = images[i], .inliers = inliers[i] };
		records[i].crc = crc_of(&records[i]);
	}
	int status = append(pairs, records, count * sizeof(*records));
	cn_free(records);
	return status;
}
