/*
 * kNN graphs of index values, kept in the cache by what they are of.
 */
#include "recipe/run.h"
#include "util/memory.h"

int cn_run_keep(const cairn_run *run, cn_key key, const cn_kept_files *files)
{
	json_t *about;
	CN_TRY(cn_cache_look(&run->cache, key, &about));
	if (about) {
		json_decref(about);
		return 0;
	}
	CN_TRY(files->write(files->context));
	about = json_pack("{s:s}", "stage", files->what);
	int status = about ? cn_cache_note(&run->cache, key, files->endings, files->count, about)
			   : cn_fail(CAIRN_ENOMEM, "out of memory");
	json_decref(about);
	return status;
}

/* A graph to be written. */
typedef struct {
	const cairn_run *run;
	const cairn_index *index;
	size_t k;
	const char *prefix;
} graph_writing;

static int write_graph(void *context)
{
	const graph_writing *graph = context;
	cairn_graph_options how = CAIRN_GRAPH_OPTIONS_INIT;
	how.threads = graph->run->threads;
	how.memory = graph->run->memory;
	how.progress = graph->run->progress;
	how.progress_payload = graph->run->progress_payload;
	return cairn_graph_write(graph->index, NULL, graph->k, graph->prefix, &how, NULL);
}

static cn_key key_of(const cn_work *work, const char *input, size_t k)
{
	const cn_link *link = cn_stage_link(work->stage, input);
	const cn_key parts[] = { work->run->made[link->value].key, { 0, k } };
	return cn_key_of(parts, sizeof(parts));
}

int cn_run_neighbours(const cn_work *work, const char *input, size_t k, cairn_graph **out)
{
	static const char *const endings[] = { "graph.images.npy", "graph.ids.npy", "graph.scores.npy" };
	const cn_key key = key_of(work, input, k);
	char *prefix = cn_cache_path(&work->run->cache, key, "graph");
	graph_writing graph = { work->run, cn_work_input(work, input)->index, k, prefix };
	int status = prefix ? cn_run_keep(work->run, key, &(cn_kept_files){ "graph", endings, 3, write_graph, &graph })
			    : CAIRN_ENOMEM;
	if (status == 0)
		status = cairn_graph_open(out, prefix);
	cn_free(prefix);
	return status;
}
