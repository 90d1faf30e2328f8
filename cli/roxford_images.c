/*
 * Which images of a collection are the ground truth's, and which do not count for a query.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_code.h"
#include "roxford.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static char *stem_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path,
		   *extension = cairn_image_extension(base);
	return need_text("%.*s", (int)(extension ? (size_t)(extension - base) : strlen(base)), base);
}

static int is_query_name(const char **names, size_t count, const char *path)
{
	char *stem = stem_of(path);
	const char *key = stem;
	int found = bsearch(&key, names, count, sizeof(*names), compare_names) != NULL;
	free(stem);
	return found;
}

static const char **query_names(const cairn_roxford *truth)
{
	size_t count = cairn_roxford_queries(truth);
	const char **names = need(count, sizeof(*names));
	for (size_t q = 0; q < count; q++)
		names[q] = cairn_roxford_query_name(truth, q);
	qsort(names, count, sizeof(*names), compare_names);
	return names;
}

static void tell_matched(struct evaluation *evaluation)
{
	size_t database = cairn_roxford_images(evaluation->truth), there = 0, distractors = 0;
	uint8_t *seen = need(database, 1);
	for (size_t i = 0; i < evaluation->image_count; i++) {
		const struct roxford_image *image = &evaluation->images[i];
		distractors += image->position < 0 && !image->is_query;
		if (image->position >= 0 && seen[image->position])
			say_warning("two images of the collection are called '%s'; the better one counts",
				    cairn_roxford_image_name(evaluation->truth, (size_t)image->position));
		else if (image->position >= 0)
			there += seen[image->position] = 1;
	}
	free(seen);
	say("%zu of %zu database images are in the collection, with %zu distractors", there, database, distractors);
	size_t missing = database - there;
	if (there && missing)
		say_warning("%zu database image%s missing; positives among them count as not found", missing,
			    missing == 1 ? " is" : "s are");
	evaluation->there = there;
}

int roxford_read_images(struct evaluation *evaluation)
{
	int64_t *ids;
	int status = cairn_collection_ids(evaluation->collection, &ids, &evaluation->image_count);
	if (status < 0)
		return status;
	const char **names = query_names(evaluation->truth);
	evaluation->images = need(evaluation->image_count, sizeof(*evaluation->images));
	evaluation->exclude = need(evaluation->image_count, sizeof(*evaluation->exclude));
	for (size_t i = 0; i < evaluation->image_count && status == 0; i++) {
		cairn_image_record record;
		struct roxford_image *image = &evaluation->images[i];
		status = cairn_collection_find_id(evaluation->collection, ids[i], &record);
		if (status < 0)
			break;
		image->id = ids[i];
		image->position = cairn_roxford_find(evaluation->truth, record.path);
		image->is_query = image->position < 0 &&
				  is_query_name(names, cairn_roxford_queries(evaluation->truth), record.path);
	}
	free(names);
	cairn_bytes_free(ids);
	if (status == 0)
		tell_matched(evaluation);
	return status;
}

/* What is missing is told before hours of work, not after. */
int roxford_find_queries(struct evaluation *evaluation, const char *truth, const char *folder)
{
	size_t count = cairn_roxford_queries(evaluation->truth), missing = 0;
	const char *first = NULL;
	if (!count || !evaluation->there) {
		say_error("%s: %s", truth,
			  count ? "none of its database images is in the collection" : "there is no query in it");
		return EXIT_INPUT;
	}
	evaluation->paths = need(count, sizeof(*evaluation->paths));
	for (size_t q = 0; q < count; q++) {
		const char *name = cairn_roxford_query_name(evaluation->truth, q);
		evaluation->paths[q] = find_image_file(folder, name);
		first = first || evaluation->paths[q] ? first : name;
		missing += !evaluation->paths[q];
	}
	if (!missing)
		return EXIT_DONE;
	say_error("%zu of %zu query photographs cannot be found: there is no %s.jpg in %s; name their folder with "
		  "--images",
		  missing, count, first, folder);
	return EXIT_INPUT;
}

static int compare_image(const void *key, const void *item)
{
	int64_t id = *(const int64_t *)key, other = ((const struct roxford_image *)item)->id;
	return id < other ? -1 : id > other;
}

static const struct roxford_image *image_of(const struct evaluation *evaluation, int64_t id)
{
	return bsearch(&id, evaluation->images, evaluation->image_count, sizeof(*evaluation->images), compare_image);
}

/* Neither right nor wrong: what the protocol leaves out, and photographs of queries. */
static int does_not_count(const struct evaluation *evaluation, int protocol, size_t query,
			  const struct roxford_image *image)
{
	return image->is_query ||
	       (image->position >= 0 && cairn_roxford_is_junk(evaluation->truth, (cairn_roxford_protocol)protocol,
							      query, (size_t)image->position));
}

/* ---- lists ---- */

size_t roxford_junk(struct evaluation *evaluation, int protocol, size_t query)
{
	size_t count = 0;
	for (size_t i = 0; i < evaluation->image_count; i++) {
		if (does_not_count(evaluation, protocol, query, &evaluation->images[i]))
			evaluation->exclude[count++] = evaluation->images[i].id;
	}
	return count;
}

/* The answer as positions; of two files of one name the better. */
void roxford_keep_answer(struct evaluation *evaluation, int protocol, size_t query, const cairn_answer *answer)
{
	size_t count = cairn_answer_count(answer), kept = 0;
	int64_t *list = need(count, sizeof(*list));
	uint8_t *seen = need(cairn_roxford_images(evaluation->truth), 1);
	cairn_hit hit;
	for (size_t i = 0; i < count && cairn_answer_get(answer, i, &hit) == 0; i++) {
		const struct roxford_image *image = image_of(evaluation, hit.id);
		int64_t position = image ? image->position : -1;
		/* A search was told to leave these out; a recipe ranks them with all others. */
		if (image && does_not_count(evaluation, protocol, query, image))
			continue;
		if (position >= 0 && seen[position]++)
			continue;
		list[kept++] = position;
	}
	free(seen);
	evaluation->protocols[protocol].lists[query] = list;
	evaluation->protocols[protocol].lengths[query] = kept;
}

int roxford_score(struct evaluation *evaluation, int protocol)
{
	return cairn_roxford_score(evaluation->truth, (cairn_roxford_protocol)protocol,
				   (const int64_t *const *)evaluation->protocols[protocol].lists,
				   evaluation->protocols[protocol].lengths, &evaluation->protocols[protocol].scores);
}
