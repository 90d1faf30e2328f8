/* Recipes by name: the folders they are looked for in, what is listed, and what reading a file can meet. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "recipe/recipe.h"
#include "recipes.h"
#include "support.h"
#include "util/file.h"

static const char *home, *shipped;

static void write_recipe(const char *folder, const char *file, const char *title)
{
	char text[300];
	int length =
		snprintf(text, sizeof(text),
			 "{\"recipe\":1,\"title\":\"%s\",\"stages\":[{\"name\":\"a\",\"stage\":\"search\"}]}", title);
	cn_test_write(cn_test_path(folder, file), text, (size_t)length);
}

static int set_up(void **state)
{
	(void)state;
	char *own;
	home = strdup(cn_test_folder());
	shipped = strdup(cn_test_folder());
	own = strdup(cn_test_path(home, "recipes"));
	mkdir(own, 0700);
	setenv("CAIRN_HOME", home, 1);
	setenv("CAIRN_RECIPES", shipped, 1);
	write_recipe(shipped, "both.json", "shipped");
	write_recipe(shipped, "alone.json", "Alone");
	write_recipe(shipped, ".hidden.json", "hidden");
	write_recipe(shipped, "no-recipe.txt", "text");
	write_recipe(own, "both.json", "own");
	cn_test_write(cn_test_path(own, "faulty.json"), "{}", 2);
	free(own);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free((void *)(uintptr_t)home);
	free((void *)(uintptr_t)shipped);
	return 0;
}

static const struct {
	const char *name, *title, *fault; /* one of both */
} listed[] = {
	{ "alone", "Alone", NULL },
	{ "both", "own", NULL },
	{ "faulty", NULL, "recipes/faulty.json: recipe: is missing" },
};

static void one_s_own_stand_before_those_shipped(void **state)
{
	(void)state;
	cairn_recipe_entry *entries;
	size_t count;
	assert_ok(cairn_recipe_list(&entries, &count));
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(entries[i].name, listed[i].name);
		assert_true(cn_file_exists(entries[i].path));
		assert_int_equal(!entries[i].title, !listed[i].title);
		assert_int_equal(!entries[i].fault, !listed[i].fault);
		if (listed[i].title)
			assert_string_equal(entries[i].title, listed[i].title);
		else
			assert_non_null(strstr(entries[i].fault, listed[i].fault));
	}
	cairn_recipe_entries_free(entries, count);
	cairn_recipe_entries_free(NULL, 0);
}

static void opened_by_name_and_by_path(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	cairn_recipe_info info;
	static const char *const titles[] = { "own", "shipped" };
	for (int by_path = 0; by_path < 2; by_path++) {
		assert_ok(cairn_recipe_open(&recipe, by_path ? cn_test_path(shipped, "both.json") : "both"));
		cairn_recipe_get_info(recipe, &info);
		assert_string_equal(info.title, titles[by_path]);
		assert_string_equal(info.name, "both");
		cairn_recipe_free(recipe);
	}
}

static void what_is_not_there(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	assert_fails(cairn_recipe_open(&recipe, "alnoe"), CAIRN_ENOTFOUND,
		     "there is no recipe 'alnoe'; did you mean 'alone'?");
	assert_fails(cairn_recipe_open(&recipe, "frobnicate"), CAIRN_ENOTFOUND,
		     "there is no recipe 'frobnicate'; 'cairn recipe list'");
	assert_fails(cairn_recipe_open(&recipe, ""), CAIRN_ENOTFOUND, "there is no recipe ''");
	assert_fails(cairn_recipe_open(&recipe, ".hidden"), CAIRN_ENOTFOUND, "there is no recipe '.hidden'");
	assert_fails(cairn_recipe_open(&recipe, cn_test_path(shipped, "missing.json")), CAIRN_ENOTFOUND,
		     "missing.json");
	assert_fails(cairn_recipe_open(&recipe, "missing.json"), CAIRN_ENOTFOUND, "missing.json");
	assert_fails(cairn_recipe_open(&recipe, shipped), CAIRN_EIO, shipped);
	assert_null(recipe);
	assert_fails(cairn_recipe_open(&recipe, "faulty"), CAIRN_EFORMAT, "faulty.json: recipe: is missing");
}

static void a_folder_that_is_not_there_has_none(void **state)
{
	(void)state;
	cairn_recipe_entry *entries;
	size_t count;
	setenv("CAIRN_RECIPES", cn_test_path(shipped, "nothing"), 1);
	setenv("CAIRN_HOME", cn_test_path(shipped, "nobody"), 1);
	assert_ok(cairn_recipe_list(&entries, &count));
	assert_int_equal(count, 0);
	cairn_recipe_entries_free(entries, count);
	setenv("CAIRN_RECIPES", shipped, 1);
	setenv("CAIRN_HOME", home, 1);
}

static void without_a_home(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	cairn_recipe_info info;
	char *user = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
	unsetenv("CAIRN_HOME");
	unsetenv("XDG_DATA_HOME");
	unsetenv("HOME");
	assert_ok(cairn_recipe_open(&recipe, "both"));
	cairn_recipe_get_info(recipe, &info);
	assert_string_equal(info.title, "shipped");
	cairn_recipe_free(recipe);
	setenv("CAIRN_HOME", home, 1);
	if (user)
		setenv("HOME", user, 1);
	free(user);
}

static void a_huge_file_is_no_recipe(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	size_t length = CN_RECIPE_BYTES + 1;
	char *spaces = malloc(length);
	memset(spaces, ' ', length);
	cn_test_write(cn_test_path(shipped, "huge.json"), spaces, length);
	assert_fails(cairn_recipe_open(&recipe, cn_test_path(shipped, "huge.json")), CAIRN_EFORMAT,
		     "huge.json: 1048577 bytes, more than the limit of 1048576; that is no recipe");
	free(spaces);
	remove(cn_test_path(shipped, "huge.json"));
}

static void keep_warning(cairn_log_level level, const char *message, void *payload)
{
	if (level == CAIRN_LOG_WARNING)
		snprintf(payload, 200, "%s", strrchr(message, '/'));
}

static void warnings_go_to_the_log(void **state)
{
	(void)state;
	static const char text[] = "{\"recipe\":1,\"title\":\"t\",\"stages\":[{\"name\":\"a\",\"stage\":\"search\"},"
				   "{\"name\":\"b\",\"stage\":\"search\"}]}";
	cairn_recipe *recipe;
	char told[200] = "";
	const char *path = cn_test_path(shipped, "wasteful.json");
	cn_test_write(path, text, sizeof(text) - 1);
	cairn_set_log(keep_warning, told);
	assert_ok(cairn_recipe_open(&recipe, path));
	cairn_set_log(NULL, NULL);
	assert_string_equal(told, "/wasteful.json: stages[0]: the output, 'b', does not depend on 'a'");
	cairn_recipe_free(recipe);
	remove(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_s_own_stand_before_those_shipped),
		cmocka_unit_test(opened_by_name_and_by_path),
		cmocka_unit_test(what_is_not_there),
		cmocka_unit_test(a_folder_that_is_not_there_has_none),
		cmocka_unit_test(without_a_home),
		cmocka_unit_test(a_huge_file_is_no_recipe),
		cmocka_unit_test(warnings_go_to_the_log),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
