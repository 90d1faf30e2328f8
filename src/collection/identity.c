/*
 * What a collection is: models, files, labels.
 */
#include "collection/identity.h"

#include <string.h>

#include "collection/handle.h"
#include "util/memory.h"

/* ---- alike ---- */

static int expect_same_source(const cairn_collection *a, const cairn_collection *b, const cn_source *ours,
			      const cn_source *theirs)
{
	if (strcmp(ours->fingerprint, theirs->fingerprint) == 0)
		return 0;
	return cn_fail(CAIRN_EINVALID,
		       "'%s' and '%s' were made with different models: '%s' (fingerprint %s) and '%s' (%s)", a->folder,
		       b->folder, ours->name, ours->fingerprint, theirs->name, theirs->fingerprint);
}

static int expect_same_globals(const cairn_collection *a, const cairn_collection *b)
{
	const cn_sources *ours = &a->sources, *theirs = &b->sources;
	if (ours->global_count != theirs->global_count)
		return cn_fail(CAIRN_EINVALID, "'%s' has %zu global models and '%s' %zu; they must have the same",
			       a->folder, ours->global_count, b->folder, theirs->global_count);
	for (size_t i = 0; i < ours->global_count; i++) {
		CN_TRY(expect_same_source(a, b, &ours->globals[i], &theirs->globals[i]));
		if (ours->globals[i].weight != theirs->globals[i].weight)
			return cn_fail(CAIRN_EINVALID, "model '%s' has the weight %g in '%s' and %g in '%s'",
				       ours->globals[i].name, (double)ours->globals[i].weight, a->folder,
				       (double)theirs->globals[i].weight, b->folder);
	}
	return 0;
}

int cn_collection_expect_alike(cairn_collection *a, cairn_collection *b, int global, const char *local)
{
	size_t ours, theirs;
	if (global)
		CN_TRY(expect_same_globals(a, b));
	if (!local)
		return 0;
	CN_TRY(cn_collection_local(a, local, &ours));
	CN_TRY(cn_collection_local(b, local, &theirs));
	return expect_same_source(a, b, &a->sources.locals[ours], &b->sources.locals[theirs]);
}

/* ---- labels ---- */

int cn_collection_labels(cairn_collection *collection, cn_label_table *out)
{
	*out = (cn_label_table){ 0 };
	pthread_mutex_lock(&collection->mutex);
	int status = cn_catalogue_ids(collection->catalogue, 1, INT64_MAX, 0, &out->ids, &out->count);
	if (status == 0)
		status = cn_catalogue_labels(collection->catalogue, out);
	pthread_mutex_unlock(&collection->mutex);
	if (status < 0)
		cn_label_table_free(out);
	return status;
}

/* ---- what it holds ---- */

static int add_number(cn_text *text, uint64_t number)
{
	return cn_text_add_bytes(text, &number, sizeof(number));
}

/* With its NUL, so that two texts are never taken for others that give the same bytes together. */
static int add_words(cn_text *text, const char *words)
{
	return cn_text_add_bytes(text, words, strlen(words) + 1);
}

static int add_source(cn_text *text, const cn_source *source)
{
	CN_TRY(add_words(text, source->kind));
	CN_TRY(add_words(text, source->fingerprint));
	return cn_text_add_bytes(text, &source->weight, sizeof(source->weight));
}

static int add_file(cn_text *text, uint64_t role, const cn_segment_file *file)
{
	CN_TRY(add_number(text, role));
	CN_TRY(add_number(text, file->size));
	return add_number(text, file->crc);
}

static int add_segment(cn_text *text, const cn_segment_record *segment)
{
	CN_TRY(add_number(text, (uint64_t)segment->first));
	CN_TRY(add_number(text, (uint64_t)segment->last));
	for (size_t i = 0; i < CN_FILES; i++)
		if (segment->files[i].name)
			CN_TRY(add_file(text, i, &segment->files[i]));
	return 0;
}

static int describe_content(const cairn_collection *collection, const cn_label_table *labels, cn_text *text)
{
	const cn_sources *sources = &collection->sources;
	const cn_snapshot *now = &collection->now;
	for (size_t i = 0; i < sources->global_count; i++)
		CN_TRY(add_source(text, &sources->globals[i]));
	for (size_t i = 0; i < sources->local_count; i++)
		CN_TRY(add_source(text, &sources->locals[i]));
	if (sources->detector.name)
		CN_TRY(add_source(text, &sources->detector));
	for (size_t i = 0; i < now->segment_count; i++)
		CN_TRY(add_segment(text, &now->segments[i].record));
	for (size_t i = 0; i < labels->name_count; i++)
		CN_TRY(add_words(text, labels->names[i]));
	CN_TRY(cn_text_add_bytes(text, labels->ids, labels->count * sizeof(*labels->ids)));
	return cn_text_add_bytes(text, labels->labels, labels->count * sizeof(*labels->labels));
}

int cn_collection_key(cairn_collection *collection, cn_key *out)
{
	cn_label_table labels;
	cn_text text = { 0 };
	CN_TRY(cn_collection_labels(collection, &labels));
	pthread_mutex_lock(&collection->mutex);
	int status = cn_collection_expect_fresh(collection);
	if (status == 0)
		status = describe_content(collection, &labels, &text);
	pthread_mutex_unlock(&collection->mutex);
	if (status == 0)
		*out = cn_key_of(text.data, text.length);
	cn_text_free(&text);
	cn_label_table_free(&labels);
	return status;
}
