/*
 * What several commands share.
 */
#include "shared.h"

#include <float.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exit_code.h"
#include "options.h"
#include "say.h"
#include "text.h"

const char *const text_or_json[] = { "text", "json", NULL };
const char *const precisions[] = { "auto", "f32", "bf16", NULL };
const char *const geometries[] = { "affine", "homography", NULL };
const char *const bys[] = { "global", "asmk", "fused", NULL };
const char *const orders[] = { "fused", "inliers", NULL };

int is_json(const char *format)
{
	return format && strcmp(format, "json") == 0;
}

int split_weight(const char *text, cairn_describer_model *out)
{
	const char *colon = strrchr(text, ':');
	double weight = 1;
	int given = colon && colon > text && strchr("0123456789.+-", colon[1]);
	int good = !given || parse_real(colon + 1, FLT_MIN, FLT_MAX, &weight);
	out->name = given ? need_text("%.*s", (int)(colon - text), text) : need_text("%s", text);
	out->weight = (float)weight;
	return good ? given : -1;
}

char *find_image_file(const char *folder, const char *stem)
{
	const char *const *extensions = cairn_image_extensions();
	for (size_t i = 0; extensions[i]; i++) {
		for (int upper = 0; upper < 2; upper++) {
			char *name = need_text("%s.%s", stem, extensions[i]), *path;
			for (char *c = strrchr(name, '.') + 1; upper && *c; c++)
				*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
			path = join_path(folder, name);
			free(name);
			if (access(path, F_OK) == 0)
				return path;
			free(path);
		}
	}
	return NULL;
}

int check_overwriting(const char *option, const char *file, const char *ending)
{
	struct stat info;
	size_t length = strlen(file), tail = strlen(ending);
	if (stat(file, &info) == 0 && S_ISDIR(info.st_mode)) {
		say_error("%s %s: this is a folder; give the name of a file", option, file);
		return EXIT_INPUT;
	}
	if (stat(file, &info) != 0 || !S_ISREG(info.st_mode) ||
	    (length >= tail && strcasecmp(file + length - tail, ending) == 0))
		return 0;
	say_error("%s %s: this file is there already and is no %s file; give another name, or delete it first", option,
		  file, ending);
	return EXIT_INPUT;
}

char *structure_name(const cairn_structure_info *info)
{
	if (!info->kind)
		return need_text("lists");
	return info->regions ? need_text("ASMK of %s, regions by %s", info->kind, info->regions)
			     : need_text("ASMK of %s", info->kind);
}

char *structure_size(const cairn_structure_info *info)
{
	return need_text("%" PRIu64 " %s%s", info->units, info->kind ? "word" : "list", info->units == 1 ? "" : "s");
}

json_t *structure_json(const cairn_structure_info *info)
{
	json_t *object = json_object();
	set_member(object, "structure", text_json(info->kind ? "asmk" : "lists"));
	set_member(object, "local", info->kind ? text_json(info->kind) : json_null());
	if (info->kind)
		set_member(object, "regions", text_json(info->regions));
	set_member(object, info->kind ? "words" : "lists", json_integer((json_int_t)info->units));
	set_member(object, "trained_on", json_integer((json_int_t)info->trained));
	set_member(object, "covered", json_integer((json_int_t)info->covered));
	set_member(object, "images", json_integer((json_int_t)info->total));
	set_member(object, "bytes", json_integer((json_int_t)info->bytes));
	return object;
}

void warn_of_recall(cairn_collection *collection, const struct search_arguments *arguments)
{
	cairn_collection_info info;
	int has_lists = 0;
	if (!(arguments->recall > 0 && arguments->recall < 1) || cairn_collection_get_info(collection, &info) < 0)
		return;
	for (size_t i = 0; i < info.structure_count; i++) {
		const cairn_structure_info *structure = &info.structures[i];
		has_lists |= !structure->kind && structure->units && structure->covered == structure->total;
	}
	if (!has_lists)
		say_warning(
			"--recall has no effect: %s has no lists of all its images, which 'cairn index --ivf' makes",
			info.folder);
	else if (arguments->by && strcmp(arguments->by, "asmk") == 0)
		say_warning("--recall has no effect on a search by ASMK");
}

void search_options(cairn_search_options *out, const struct search_arguments *arguments)
{
	cairn_search_options_init(out);
	if (arguments->verify != UNSET)
		out->verify = (int32_t)arguments->verify;
	if (arguments->trust_inliers != UNSET)
		out->trust_inliers = (int32_t)arguments->trust_inliers;
	if (arguments->order && strcmp(arguments->order, "inliers") == 0)
		out->order = CAIRN_ORDER_INLIERS;
	if (arguments->geometry && strcmp(arguments->geometry, "homography") == 0)
		out->verification.geometry = CAIRN_HOMOGRAPHY;
	for (int i = 0; arguments->by && bys[i]; i++)
		if (strcmp(arguments->by, bys[i]) == 0)
			out->by = (cairn_search_by)(CAIRN_BY_GLOBAL + i);
	out->recall = arguments->recall;
	out->boost = (float)arguments->boost;
	out->local = arguments->local;
	out->precision = arguments->precision;
	out->threads = (uint32_t)arguments->threads;
}

int check_roles(const struct command *command, const struct texts *roles)
{
	for (size_t i = 0; i < roles->count; i++) {
		const char *equals = strchr(roles->items[i], '=');
		if (!equals || equals == roles->items[i] || !equals[1])
			return usage_error(command, "--model takes ROLE=NAME, not '%s'", roles->items[i]);
	}
	return EXIT_DONE;
}

cairn_recipe_role *read_roles(const struct texts *roles)
{
	cairn_recipe_role *list = need(roles->count, sizeof(*list));
	for (size_t i = 0; i < roles->count; i++) {
		const char *equals = strchr(roles->items[i], '=');
		list[i].name = need_text("%.*s", (int)(equals - roles->items[i]), roles->items[i]);
		list[i].model = equals + 1;
	}
	return list;
}

void free_roles(cairn_recipe_role *list, const struct texts *roles)
{
	for (size_t i = 0; list && i < roles->count; i++)
		free((char *)(uintptr_t)list[i].name);
	free(list);
}
