/*
 * kNN graphs of index values, kept in the cache by what they are of.
 */
#include "recipe/run.h"
#include "util/memory.h"

static int name_graph(const cn_work *work, const char *input, size_t k, char **prefix)
{
	const cn_link *link = cn_stage_link(work->stage, input);
	const cn_key parts[] = { work->run->made[link->value].key, { 0, k } };
	*prefix = cn_cache_path(&work->run->cache, cn_key_of(parts, sizeof(parts)), "graph");
	return *prefix ? 0 : CAIRN_ENOMEM;
}

static int write_graph(const cn_work *work, const cairn_index *index, size_t k, const char *prefix)
{
	cairn_graph_options how = CAIRN_GRAPH_OPTIONS_INIT;
	how.threads = work->run->threads;
	how.memory = work->run->memory;
	how.progress = work->run->progress;
	how.progress_payload = work->run->progress_payload;
	return cairn_graph_write(index, NULL, k, prefix, &how, NULL);
}

int cn_run_neighbours(const cn_work *work, const char *input, size_t k, cairn_graph **out)
{
	const cn_value *index = cn_work_input(work, input);
	char *prefix;
	CN_TRY(name_graph(work, input, k, &prefix));
	int status = cairn_graph_open(out, prefix);
	if (status == CAIRN_ENOTFOUND || status == CAIRN_EFORMAT) {
		status = write_graph(work, index->index, k, prefix);
		if (status == 0)
			status = cairn_graph_open(out, prefix);
	}
	cn_free(prefix);
	return status;
}
