/*
 * Revisited Oxford and Paris (Radenovic, Iscen, Tolias, Avrithis, Chum: Revisiting Oxford and Paris, CVPR 2018). Each
 * query knows easy, hard and junk images of the database; a protocol turns these into positives and images that are
 * taken out of the list before ranks are counted. docs/methods.md, "Evaluation".
 */
#include "cairn/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/image.h"
#include "util/json.h"
#include "util/memory.h"
#include "util/text.h"

/** What a database image is to a query. */
typedef enum { OTHER, EASY, HARD, JUNK } relation_kind;

typedef struct {
	size_t image;
	relation_kind kind;
} relation;

typedef struct {
	char *name;
	cairn_box box;
	relation *relations; /* by image, each image once */
	size_t count;
} truth_query;

typedef struct {
	const char *name; /* borrowed from `names` */
	size_t image;
} named_image;

struct cairn_roxford {
	char **names; /* by image */
	named_image *by_name;
	size_t images;
	truth_query *queries;
	size_t query_count;
};

/* The name between its folder and the ending of an image file. A dot elsewhere belongs to the name. */
static const char *stem(const char *path, size_t *length)
{
	const char *name = cn_path_base(path), *extension = cairn_image_extension(name);

	*length = extension > name ? (size_t)(extension - name) : strlen(name);
	return name;
}

static char *copy_stem(const char *path)
{
	size_t length;
	const char *name = stem(path, &length);

	return cn_strndup(name, length);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const named_image *)a)->name, ((const named_image *)b)->name);
}

static int read_database(cairn_roxford *truth, const char *path, const json_t *root)
{
	const json_t *database;

	CN_TRY(cn_json_get_array(root, path, "database", &database));
	CN_NEW(truth->names, json_array_size(database), sizeof(*truth->names));
	CN_NEW(truth->by_name, json_array_size(database), sizeof(*truth->by_name));
	for (size_t i = 0; i < json_array_size(database); i++) {
		const json_t *name = json_array_get(database, i);

		if (!json_is_string(name) || !json_string_length(name))
			return cn_fail(CAIRN_EFORMAT, "%s: database[%zu]: must be the name of an image", path, i);
		truth->names[i] = copy_stem(json_string_value(name));
		if (!truth->names[i])
			return CAIRN_ENOMEM;
		truth->by_name[i] = (named_image){ truth->names[i], i };
		truth->images++;
	}
	if (truth->images > 1)
		qsort(truth->by_name, truth->images, sizeof(*truth->by_name), compare_names);
	for (size_t i = 1; i < truth->images; i++)
		if (strcmp(truth->by_name[i - 1].name, truth->by_name[i].name) == 0)
			return cn_fail(CAIRN_EFORMAT, "%s: database: \"%s\" is listed twice", path,
				       truth->by_name[i].name);
	return 0;
}

static int compare_relations(const void *a, const void *b)
{
	const relation *x = a, *y = b;

	return (x->image > y->image) - (x->image < y->image);
}

static int read_relations(const cairn_roxford *truth, truth_query *query, const char *where, const char *key,
			  const json_t *list, relation_kind kind)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *name = json_array_get(list, i);
		int64_t image;

		if (!json_is_string(name))
			return cn_fail(CAIRN_EFORMAT, "%s.%s[%zu]: must be the name of an image", where, key, i);
		image = cairn_roxford_find(truth, json_string_value(name));
		if (image < 0)
			return cn_fail(CAIRN_EFORMAT, "%s.%s[%zu]: \"%s\" is not in \"database\"", where, key, i,
				       json_string_value(name));
		query->relations[query->count++] = (relation){ (size_t)image, kind };
	}
	return 0;
}

static int read_lists(const cairn_roxford *truth, truth_query *query, const char *where, const json_t *value)
{
	static const char *const keys[] = { "easy", "hard", "junk" };
	const json_t *lists[3];
	size_t total = 0;

	for (int i = 0; i < 3; i++) {
		CN_TRY(cn_json_get_array(value, where, keys[i], &lists[i]));
		total += json_array_size(lists[i]);
	}
	CN_NEW(query->relations, total, sizeof(*query->relations));
	for (int i = 0; i < 3; i++)
		CN_TRY(read_relations(truth, query, where, keys[i], lists[i], (relation_kind)(EASY + i)));
	if (total > 1)
		qsort(query->relations, total, sizeof(*query->relations), compare_relations);
	for (size_t i = 1; i < total; i++)
		if (query->relations[i - 1].image == query->relations[i].image)
			return cn_fail(CAIRN_EFORMAT, "%s: \"%s\" is listed twice among easy, hard and junk", where,
				       truth->names[query->relations[i].image]);
	return 0;
}

static int read_box(cairn_box *box, const char *where, const json_t *value)
{
	const json_t *corners;
	double c[4];

	CN_TRY(cn_json_get_array(value, where, "box", &corners));
	if (json_array_size(corners) != 4)
		return cn_fail(CAIRN_EFORMAT, "%s.box: must be [x0, y0, x1, y1]", where);
	for (size_t i = 0; i < 4; i++) {
		if (!json_is_number(json_array_get(corners, i)))
			return cn_fail(CAIRN_EFORMAT, "%s.box[%zu]: must be a number", where, i);
		c[i] = json_number_value(json_array_get(corners, i));
	}
	if (!(c[0] < c[2] && c[1] < c[3]))
		return cn_fail(CAIRN_EFORMAT, "%s.box: [%g, %g, %g, %g] is empty; the order is x0, y0, x1, y1", where,
			       c[0], c[1], c[2], c[3]);
	*box = (cairn_box){ c[0], c[1], c[2], c[3] };
	return 0;
}

static int read_query(const cairn_roxford *truth, truth_query *query, const char *where, const json_t *value)
{
	const char *name;

	CN_TRY(cn_json_get_text(value, where, "image", &name));
	query->name = copy_stem(name);
	if (!query->name)
		return CAIRN_ENOMEM;
	CN_TRY(read_box(&query->box, where, value));
	return read_lists(truth, query, where, value);
}

static int read_queries(cairn_roxford *truth, const char *path, const json_t *root)
{
	const json_t *queries;

	CN_TRY(cn_json_get_array(root, path, "queries", &queries));
	CN_NEW(truth->queries, json_array_size(queries), sizeof(*truth->queries));
	for (size_t i = 0; i < json_array_size(queries); i++) {
		char *where = cn_textf("%s: queries[%zu]", path, i);
		int status;

		if (!where)
			return CAIRN_ENOMEM;
		truth->query_count++;
		status = read_query(truth, &truth->queries[i], where, json_array_get(queries, i));
		cn_free(where);
		CN_TRY(status);
	}
	return 0;
}

int cairn_roxford_open(cairn_roxford **out, const char *path)
{
	cairn_roxford *truth = NULL;
	json_t *root = NULL;
	int status;

	*out = NULL;
	CN_TRY(cn_json_read(&root, path));
	truth = cn_alloc_zero(1, sizeof(*truth));
	if (!truth) {
		status = CAIRN_ENOMEM;
		goto done;
	}
	CN_GOTO(status, read_database(truth, path, root));
	CN_GOTO(status, read_queries(truth, path, root));
	*out = truth;
	truth = NULL;
done:
	cairn_roxford_free(truth);
	json_decref(root);
	return status;
}

void cairn_roxford_free(cairn_roxford *truth)
{
	if (!truth)
		return;
	for (size_t i = 0; i < truth->images; i++)
		cn_free(truth->names[i]);
	for (size_t i = 0; i < truth->query_count; i++) {
		cn_free(truth->queries[i].name);
		cn_free(truth->queries[i].relations);
	}
	cn_free(truth->names);
	cn_free(truth->by_name);
	cn_free(truth->queries);
	cn_free(truth);
}

size_t cairn_roxford_queries(const cairn_roxford *truth)
{
	return truth->query_count;
}

size_t cairn_roxford_images(const cairn_roxford *truth)
{
	return truth->images;
}

const char *cairn_roxford_query_name(const cairn_roxford *truth, size_t query)
{
	return truth->queries[query].name;
}

const char *cairn_roxford_image_name(const cairn_roxford *truth, size_t image)
{
	return truth->names[image];
}

cairn_box cairn_roxford_query_box(const cairn_roxford *truth, size_t query)
{
	return truth->queries[query].box;
}

int64_t cairn_roxford_find(const cairn_roxford *truth, const char *name)
{
	size_t low = 0, high = truth->images, length;
	const char *wanted = stem(name, &length);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *found = truth->by_name[middle].name;
		int order = strncmp(found, wanted, length);

		if (order == 0 && found[length] == '\0')
			return (int64_t)truth->by_name[middle].image;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

static int is_positive(cairn_roxford_protocol protocol, relation_kind kind)
{
	return (kind == EASY && protocol != CAIRN_ROXFORD_HARD) || (kind == HARD && protocol != CAIRN_ROXFORD_EASY);
}

/* Related but neither wanted nor counted: junk always, and of easy and hard whichever the protocol does not ask for. */
static int is_left_out(cairn_roxford_protocol protocol, relation_kind kind)
{
	return kind != OTHER && !is_positive(protocol, kind);
}

int cairn_roxford_is_junk(const cairn_roxford *truth, cairn_roxford_protocol protocol, size_t query, size_t image)
{
	const truth_query *q = &truth->queries[query];
	relation key = { image, OTHER };
	const relation *found = NULL;

	if (q->count)
		found = bsearch(&key, q->relations, q->count, sizeof(key), compare_relations);
	return found && is_left_out(protocol, found->kind);
}

#define CUTS 3
static const size_t cuts[CUTS] = { 1, 5, 10 };

/** One query's scores, from 0 to 1. */
typedef struct {
	double ap;
	double precision[CUTS];
} query_scores;

/* Images of the list are told apart from others and from those seen before. */
#define SEEN 0x80

static int check_list(const cairn_roxford *truth, size_t query, const int64_t *list, size_t length, uint8_t *marks)
{
	for (size_t i = 0; i < length; i++) {
		if (list[i] < -1 || (list[i] >= 0 && (uint64_t)list[i] >= truth->images))
			return cn_fail(CAIRN_EINVALID, "list of query %zu: no database image has the position %lld",
				       query, (long long)list[i]);
		if (list[i] < 0)
			continue;
		if (marks[list[i]] & SEEN)
			return cn_fail(CAIRN_EINVALID, "list of query %zu: image %lld (%s) stands twice", query,
				       (long long)list[i], truth->names[list[i]]);
		marks[list[i]] |= SEEN;
	}
	return 0;
}

/*
 * AP by the trapezoidal rule over recall, and precision at the cuts. The benchmark measures precision at min(k, rank of
 * the last positive), so that a query with fewer than k positives can reach 1. A positive that is missing from the list
 * has no rank below any k: then k itself is meant, and a short list gains nothing.
 */
static void score_query(cairn_roxford_protocol protocol, const int64_t *list, size_t length, const uint8_t *marks,
			size_t positives, query_scores *out)
{
	size_t rank = 0, found = 0, last = 0, hits[CUTS] = { 0 };
	double area = 0;

	for (size_t i = 0; i < length; i++) {
		relation_kind kind = list[i] < 0 ? OTHER : (relation_kind)(marks[list[i]] & ~SEEN);

		if (is_left_out(protocol, kind))
			continue;
		if (is_positive(protocol, kind)) {
			area += rank ? (double)found / (double)rank : 1;
			area += (double)(found + 1) / (double)(rank + 1);
			found++;
			last = rank + 1;
			for (int c = 0; c < CUTS; c++)
				hits[c] += rank < cuts[c];
		}
		rank++;
	}
	out->ap = area / (2 * (double)positives);
	for (int c = 0; c < CUTS; c++)
		out->precision[c] = (double)hits[c] / (double)(found == positives && last < cuts[c] ? last : cuts[c]);
}

static size_t count_positives(const truth_query *query, cairn_roxford_protocol protocol)
{
	size_t count = 0;

	for (size_t i = 0; i < query->count; i++)
		count += is_positive(protocol, query->relations[i].kind);
	return count;
}

static int add_query(const cairn_roxford *truth, cairn_roxford_protocol protocol, size_t query, const int64_t *list,
		     size_t length, uint8_t *marks, cairn_roxford_scores *sum)
{
	const truth_query *q = &truth->queries[query];
	size_t positives = count_positives(q, protocol);
	query_scores one;

	memset(marks, OTHER, truth->images);
	for (size_t i = 0; i < q->count; i++)
		marks[q->relations[i].image] = (uint8_t)q->relations[i].kind;
	CN_TRY(check_list(truth, query, list, length, marks));
	if (positives == 0)
		return 0;
	score_query(protocol, list, length, marks, positives, &one);
	sum->queries++;
	sum->map += one.ap;
	sum->mp1 += one.precision[0];
	sum->mp5 += one.precision[1];
	sum->mp10 += one.precision[2];
	return 0;
}

int cairn_roxford_score(const cairn_roxford *truth, cairn_roxford_protocol protocol, const int64_t *const *lists,
			const size_t *lengths, cairn_roxford_scores *out)
{
	cairn_roxford_scores sum = { 0 };
	uint8_t *marks;
	int status = 0;

	*out = sum;
	if (protocol != CAIRN_ROXFORD_EASY && protocol != CAIRN_ROXFORD_MEDIUM && protocol != CAIRN_ROXFORD_HARD)
		return cn_fail(CAIRN_EINVALID, "protocol %d is not one of easy, medium, hard", (int)protocol);
	CN_NEW(marks, truth->images, 1);
	for (size_t i = 0; i < truth->query_count; i++)
		CN_GOTO(status, add_query(truth, protocol, i, lists[i], lengths[i], marks, &sum));
	if (sum.queries) {
		double scale = 100 / (double)sum.queries;

		*out = (cairn_roxford_scores){ sum.map * scale, sum.mp1 * scale, sum.mp5 * scale, sum.mp10 * scale,
					       sum.queries };
	}
done:
	cn_free(marks);
	return status;
}
