/*
 * The folder of a graph's state. Only files that have names of its own are deleted, so that a folder which happened to
 * be there loses nothing.
 */
#include "index/graph_folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/text.h"

#define STATE_NAME  "block-%06zu.lists"
#define STATE_PARSE "block-%zu.lists%n"
#define ATTEMPTS    8

static int take_folder(cn_graph_folder *folder)
{
	if (mkdir(folder->work, 0777) != 0 && errno != EEXIST)
		return cn_fail_errno("%s: making the folder", folder->work);
	return cn_lock_take(&folder->lock, folder->work);
}

int cn_graph_folder_open(cn_graph_folder *out, const char *prefix)
{
	*out = (cn_graph_folder){ cn_strdup(prefix), cn_textf("%s.work", prefix), -1 };
	int status = out->prefix && out->work ? take_folder(out) : CAIRN_ENOMEM;
	/* Another run may end, and remove the folder, between its being found and locked. */
	for (int i = 1; i < ATTEMPTS && status == CAIRN_ENOTFOUND; i++)
		status = take_folder(out);
	if (status < 0)
		cn_graph_folder_close(out);
	return status;
}

void cn_graph_folder_close(cn_graph_folder *folder)
{
	if (folder->lock >= 0)
		close(folder->lock);
	cn_free(folder->prefix);
	cn_free(folder->work);
	*folder = (cn_graph_folder){ NULL, NULL, -1 };
}

char *cn_graph_folder_state(const cn_graph_folder *folder, size_t block)
{
	return cn_textf("%s/" STATE_NAME, folder->work, block);
}

char *cn_graph_folder_draft(const cn_graph_folder *folder, const char *kind)
{
	return cn_textf("%s/%s.npy", folder->work, kind);
}

/* ---- deleting ---- */

static int is_state(const char *name, size_t *block)
{
	int length = 0;
	return sscanf(name, STATE_PARSE, block, &length) == 1 && length > 0 && !name[length];
}

static int ends_with(const char *name, const char *ending)
{
	size_t length = strlen(name), wanted = strlen(ending);
	return length >= wanted && strcmp(name + length - wanted, ending) == 0;
}

/* Temporary files are left by a kill. */
static int is_draft(const char *name)
{
	return (strncmp(name, ".cairn-", 7) == 0 && ends_with(name, ".tmp")) || strcmp(name, "ids.npy") == 0 ||
	       strcmp(name, "scores.npy") == 0 || strcmp(name, "images.npy") == 0;
}

static int remove_file(const cn_graph_folder *folder, const char *name)
{
	char *path = cn_path_join(folder->work, name);
	int status = path ? 0 : CAIRN_ENOMEM;
	if (path && unlink(path) != 0 && errno != ENOENT)
		status = cn_fail_errno("%s: removing", path);
	cn_free(path);
	return status;
}

int cn_graph_folder_clear(const cn_graph_folder *folder)
{
	char **names;
	size_t count, block;
	int status = 0;
	CN_TRY(cn_folder_list(folder->work, &names, &count));
	for (size_t i = 0; i < count && status == 0; i++)
		if (is_state(names[i], &block) || is_draft(names[i]))
			status = remove_file(folder, names[i]);
	cn_names_free(names, count);
	/* Last, so that nobody takes the folder in the midst; after it, rmdir() fails where somebody did. */
	if (status == 0)
		status = remove_file(folder, CN_LOCK_NAME);
	if (status == 0 && rmdir(folder->work) != 0 && errno != ENOTEMPTY && errno != EEXIST)
		status = cn_fail_errno("%s: removing", folder->work);
	return status;
}

/* ---- going on ---- */

static int is_same(const cn_graph_key *a, const cn_graph_key *b)
{
	return memcmp(a->fingerprint, b->fingerprint, sizeof(a->fingerprint)) == 0 && a->keep == b->keep &&
	       a->among == b->among;
}

struct found {
	cn_graph_key key;
	uint64_t block, count;
	cn_graph_mark mark;
};

/* What was kept of the states seen so far. */
struct adoption {
	cn_graph_key *key;
	size_t images;
	uint64_t most; /* images a block */
	cn_graph_mark *marks;
	size_t blocks; /* 0 until the first is kept */
	int is_foreign;
};

static int make_marks(struct adoption *adoption)
{
	uint64_t wide = adoption->key->block_images;
	adoption->blocks = adoption->images / wide + (adoption->images % wide > 0);
	adoption->marks = cn_alloc_zero(adoption->blocks, sizeof(*adoption->marks));
	return adoption->marks ? 0 : CAIRN_ENOMEM;
}

static int fits(const struct adoption *adoption, const struct found *found, size_t number)
{
	uint64_t wide = found->key.block_images, first;
	if (!is_same(adoption->key, &found->key) || found->block != number || wide > adoption->most ||
	    (adoption->marks && wide != adoption->key->block_images))
		return 0;
	if (__builtin_mul_overflow(wide, found->block, &first) || first >= adoption->images)
		return 0;
	uint64_t left = adoption->images - first;
	return found->count == (left < wide ? left : wide);
}

static int adopt_file(const cn_graph_folder *folder, struct adoption *adoption, const char *name, size_t number)
{
	struct found found;
	char *path = cn_path_join(folder->work, name);
	int status =
		path ? cn_graph_state_inspect(path, &found.key, &found.block, &found.count, &found.mark) : CAIRN_ENOMEM;
	cn_free(path);
	if (status == CAIRN_EDAMAGED) {
		cn_log(CAIRN_LOG_WARNING, "%s; what it held is done again", cairn_last_error());
		return remove_file(folder, name);
	}
	CN_TRY(status);
	if (!fits(adoption, &found, number)) {
		adoption->is_foreign = 1;
		return remove_file(folder, name);
	}
	if (!adoption->marks) {
		adoption->key->block_images = found.key.block_images;
		CN_TRY(make_marks(adoption));
	}
	adoption->marks[number] = found.mark;
	return 0;
}

int cn_graph_folder_adopt(const cn_graph_folder *folder, size_t images, cn_graph_key *key, cn_graph_mark **marks)
{
	struct adoption adoption = { .key = key, .images = images, .most = key->block_images };
	char **names;
	size_t count, block;
	int status = 0;
	*marks = NULL;
	CN_TRY(cn_folder_list(folder->work, &names, &count));
	for (size_t i = 0; i < count && status == 0; i++) {
		if (is_state(names[i], &block))
			status = adopt_file(folder, &adoption, names[i], block);
		else if (is_draft(names[i]))
			status = remove_file(folder, names[i]);
	}
	cn_names_free(names, count);
	if (status == 0 && adoption.is_foreign)
		cn_log(CAIRN_LOG_INFO,
		       "'%s' held work on other images, or with other options or more memory, which is of no use now",
		       folder->work);
	if (status == 0 && !adoption.marks)
		status = make_marks(&adoption);
	if (status < 0)
		cn_free(adoption.marks);
	else
		*marks = adoption.marks;
	return status;
}

/* ---- the graph itself ---- */

static int publish(const cn_graph_folder *folder, const char *kind, int is_trial)
{
	char *draft = cn_graph_folder_draft(folder, kind), *path = cn_textf("%s.%s.npy", folder->prefix, kind);
	struct stat there;
	int status = draft && path ? 0 : CAIRN_ENOMEM;
	if (status == 0 && is_trial && stat(path, &there) == 0 && !S_ISREG(there.st_mode))
		status = cn_fail(CAIRN_EIO, "'%s' is in the way: it is no file; move it", path);
	if (status == 0 && !is_trial && rename(draft, path) != 0)
		status = cn_fail_errno("%s: renaming into place", path);
	if (status == 0 && !is_trial)
		status = cn_parent_sync(path);
	cn_free(draft);
	cn_free(path);
	return status;
}

/* Made in the work folder, so that what a kill leaves of them is cleared away with the rest; the last are those that
 * others are read by. */
int cn_graph_folder_publish(const cn_graph_folder *folder)
{
	static const char *const kinds[] = { "scores", "ids", "images" };
	for (int is_trial = 1; is_trial >= 0; is_trial--)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			CN_TRY(publish(folder, kinds[i], is_trial));
	return 0;
}
