/*
 * Errors in recipes. Words of the file are cut off in them, so that they cannot crowd out what is said.
 */
#include "recipe/place.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cairn/error.h"
#include "util/closest.h"
#include "util/text.h"

#define SHOWN_NAMES 20

static void path_text(char *out, size_t size, cn_recipe_place place)
{
	size_t used = 0;
	out[0] = '\0';
	if (place.stage >= 0)
		used = (size_t)snprintf(out, size, "stages[%ld]%s", place.stage, place.member ? "." : "");
	if (place.member)
		used += (size_t)snprintf(out + used, size - used, "%.100s", place.member);
	if (place.item >= 0)
		used += (size_t)snprintf(out + used, size - used, "[%ld]", place.item);
	if (used)
		snprintf(out + used, size - used, ": ");
}

int(cn_recipe_fail)(cn_recipe_place place, const char *format, ...)
{
	char path[256], what[CN_ERROR_SIZE];
	va_list arguments;
	path_text(path, sizeof(path), place);
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	return cn_fail(CAIRN_EFORMAT, "%s: %s%s", place.file, path, what);
}

int(cn_recipe_fail_unknown)(cn_recipe_place place, const char *word, const char *const *names, size_t count)
{
	const char *meant = cn_closest(word ? word : place.member, names, count);
	size_t shown = count > SHOWN_NAMES ? SHOWN_NAMES : count;
	cn_text list = CN_TEXT_INIT;
	int status = cn_text_add(&list, "");
	for (size_t i = 0; status == 0 && i < shown; i++)
		status = cn_text_addf(&list, "%s%s", i ? ", " : "", names[i]);
	if (status == 0 && shown < count)
		status = cn_text_addf(&list, " and %zu more", count - shown);
	if (status == 0)
		status = cn_recipe_fail(place, "%s%.100s%sis unknown; %s%s%s is one of %s", word ? "'" : "",
					word ? word : "", word ? "' " : "", meant ? "did you mean '" : "",
					meant ? meant : "", meant ? "'? It" : "it", list.data);
	cn_text_free(&list);
	return status;
}
