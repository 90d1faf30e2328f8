/*
 * Folders of recipes, and what is in them.
 */
#include "recipe/find.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "model/bundle.h"
#include "recipe/folders.h"
#include "recipe/recipe.h"
#include "util/closest.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

#define ENDING       ".json"
#define MOST_FOLDERS 4

/** Folders in the order in which they are looked through; some may not be there. */
typedef struct {
	char *paths[MOST_FOLDERS];
	size_t count;
} folder_list;

/* ---- folders ---- */

static void free_folders(folder_list *all)
{
	for (size_t i = 0; i < all->count; i++)
		cn_free(all->paths[i]);
}

static int add_folder(folder_list *all, char *path)
{
	if (!path)
		return CAIRN_ENOMEM;
	all->paths[all->count++] = path;
	return 0;
}

/* Who has no home has no recipes of their own. */
static int add_home(folder_list *all)
{
	char *home, *path;
	int status = cn_home(&home);
	if (status == CAIRN_ENOTFOUND)
		return 0;
	CN_TRY(status);
	path = cn_path_join(home, "recipes");
	cn_free(home);
	return add_folder(all, path);
}

/* @param length of the folder in `file` */
static int add_beside(folder_list *all, const char *file, int length, const char *way)
{
	char *path = cn_textf("%.*s%s", length, file, way), *absolute = NULL;
	if (!path)
		return CAIRN_ENOMEM;
	int status = cn_path_absolute(&absolute, path);
	cn_free(path);
	return status < 0 ? status : add_folder(all, absolute);
}

/*
 * From the place of the library itself, so that an installation that was moved keeps its recipes, and a build has its
 * own. What the build configured comes last: of a program that the library is a part of, the place tells nothing.
 */
static int add_installed(folder_list *all)
{
	static const char inside = 0;
	Dl_info info;
	const char *file = dladdr(&inside, &info) && info.dli_fname ? info.dli_fname : "";
	int length = (int)(cn_path_base(file) - file);
	char *mark = cn_textf("%.*s../meson-private", length, file);
	int is_build = mark && length && cn_file_exists(mark);
	cn_free(mark);
	if (!mark)
		return CAIRN_ENOMEM;
	if (is_build)
		CN_TRY(add_beside(all, file, length, "../recipes"));
	else if (length && sizeof(CN_RECIPES_FROM_LIBRARY) > 1)
		CN_TRY(add_beside(all, file, length, CN_RECIPES_FROM_LIBRARY));
	return add_folder(all, cn_strdup(CN_RECIPES_INSTALLED));
}

static int find_folders(folder_list *all)
{
	const char *given = getenv("CAIRN_RECIPES");
	int status;
	memset(all, 0, sizeof(*all));
	status = add_home(all);
	if (status == 0)
		status = given && given[0] ? add_folder(all, cn_strdup(given)) : add_installed(all);
	if (status < 0)
		free_folders(all);
	return status;
}

/* ---- names ---- */

static int has_ending(const char *file)
{
	size_t length = strlen(file), ending = sizeof(ENDING) - 1;
	return length >= ending && strcmp(file + length - ending, ENDING) == 0;
}

/* Length of a recipe's name in that of its file; 0 where that is no recipe. */
static size_t name_length(const char *file)
{
	return file[0] != '.' && has_ending(file) ? strlen(file) - (sizeof(ENDING) - 1) : 0;
}

static int is_path(const char *name)
{
	return strchr(name, '/') || has_ending(name);
}

static int fail_missing(const char *name)
{
	cairn_recipe_entry *entries = NULL;
	const char **names, *meant;
	size_t count = 0;
	CN_TRY(cairn_recipe_list(&entries, &count));
	names = cn_alloc_zero(count, sizeof(*names));
	for (size_t i = 0; names && i < count; i++)
		names[i] = entries[i].name;
	meant = names ? cn_closest(name, names, count) : NULL;
	int status = cn_fail(CAIRN_ENOTFOUND,
			     "there is no recipe '%.100s'%s%s%s; 'cairn recipe list' lists those there are, and a file "
			     "is named with its ending",
			     name, meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	cn_free(names);
	cairn_recipe_entries_free(entries, count);
	return status;
}

/* @param[out] path NULL where no folder has it */
static int look_for(char **path, const folder_list *all, const char *name)
{
	for (size_t i = 0; name[0] && name[0] != '.' && i < all->count; i++) {
		char *file = cn_textf("%s/%s" ENDING, all->paths[i], name);
		if (!file)
			return CAIRN_ENOMEM;
		if (cn_file_exists(file)) {
			*path = file;
			return 0;
		}
		cn_free(file);
	}
	return 0;
}

int cn_recipe_find(char **path, const char *name)
{
	folder_list all;
	int status;
	*path = NULL;
	if (is_path(name)) {
		*path = cn_strdup(name);
		return *path ? 0 : CAIRN_ENOMEM;
	}
	CN_TRY(find_folders(&all));
	status = look_for(path, &all, name);
	free_folders(&all);
	return status < 0 || *path ? status : fail_missing(name);
}

/* ---- listing ---- */

/** Entries as they are found. */
typedef struct {
	cairn_recipe_entry *items;
	size_t count, capacity;
} entry_list;

static int has_entry(const entry_list *list, const char *file, size_t length)
{
	for (size_t i = 0; i < list->count; i++)
		if (strncmp(list->items[i].name, file, length) == 0 && !list->items[i].name[length])
			return 1;
	return 0;
}

static int read_entry(cairn_recipe_entry *entry, const char *folder, const char *file, size_t length)
{
	cairn_recipe *recipe = NULL;
	entry->name = cn_strndup(file, length);
	entry->path = cn_path_join(folder, file);
	if (!entry->name || !entry->path)
		return CAIRN_ENOMEM;
	int status = cn_recipe_read(&recipe, entry->path);
	if (status == CAIRN_ENOMEM)
		return status;
	char **told = status < 0 ? &entry->fault : &entry->title;
	*told = cn_strdup(status < 0 ? cairn_last_error() : recipe->title);
	cairn_recipe_free(recipe);
	return *told ? 0 : CAIRN_ENOMEM;
}

static int add_entry(entry_list *list, const char *folder, const char *file)
{
	size_t length = name_length(file);
	if (!length || has_entry(list, file, length))
		return 0;
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 16;
		cairn_recipe_entry *more = cn_realloc(list->items, capacity, sizeof(*more));
		if (!more)
			return CAIRN_ENOMEM;
		list->items = more;
		list->capacity = capacity;
	}
	memset(&list->items[list->count], 0, sizeof(*list->items));
	return read_entry(&list->items[list->count++], folder, file, length);
}

static int add_folder_entries(entry_list *list, const char *folder)
{
	char **files;
	size_t count;
	int status = 0;
	if (!cn_file_exists(folder))
		return 0;
	CN_TRY(cn_folder_list(folder, &files, &count));
	for (size_t i = 0; status == 0 && i < count; i++)
		status = add_entry(list, folder, files[i]);
	cn_names_free(files, count);
	return status;
}

static int compare_entries(const void *left, const void *right)
{
	const cairn_recipe_entry *a = left, *b = right;
	return strcmp(a->name, b->name);
}

int cairn_recipe_list(cairn_recipe_entry **out, size_t *count)
{
	entry_list list = { NULL, 0, 0 };
	folder_list all;
	int status = 0;
	*out = NULL;
	*count = 0;
	CN_TRY(find_folders(&all));
	for (size_t i = 0; status == 0 && i < all.count; i++)
		status = add_folder_entries(&list, all.paths[i]);
	free_folders(&all);
	if (status < 0) {
		cairn_recipe_entries_free(list.items, list.count);
		return status;
	}
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), compare_entries);
	*out = list.items;
	*count = list.count;
	return 0;
}

void cairn_recipe_entries_free(cairn_recipe_entry *items, size_t count)
{
	for (size_t i = 0; items && i < count; i++) {
		cn_free(items[i].name);
		cn_free(items[i].path);
		cn_free(items[i].title);
		cn_free(items[i].fault);
	}
	cn_free(items);
}
