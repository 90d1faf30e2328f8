/*
 * The arrays of a graph (docs/format.md, "Graphs"), line by line from the blocks' final lists.
 */
#include <math.h>

#include "index/graph_work.h"
#include "util/memory.h"
#include "util/npy.h"

typedef int (*write_line)(cn_graph_work *work, cn_atomic_file *file, const cn_shortlist *list, void *line);

static int write_ids(cn_graph_work *work, cn_atomic_file *file, const cn_shortlist *list, void *line)
{
	int64_t *ids = line;
	size_t k = work->plan.demand.k;
	for (size_t i = 0; i < k; i++)
		ids[i] = i < list->count ? work->among->ids[list->items[i].row] : -1;
	work->neighbours += list->count;
	return cn_atomic_write(file, ids, k * sizeof(*ids));
}

static int write_scores(cn_graph_work *work, cn_atomic_file *file, const cn_shortlist *list, void *line)
{
	float *scores = line;
	size_t k = work->plan.demand.k;
	for (size_t i = 0; i < k; i++)
		scores[i] = i < list->count ? list->items[i].score : -INFINITY;
	return cn_atomic_write(file, scores, k * sizeof(*scores));
}

static int write_lines(cn_graph_work *work, cn_atomic_file *file, cn_npy_type type, write_line write, void *line)
{
	size_t shape[] = { work->images.count, work->plan.demand.k };
	CN_TRY(cn_npy_write_header(file, type, 2, shape));
	for (size_t block = 0; block < work->plan.blocks; block++) {
		CN_TRY(cn_graph_work_hold(work, 0, block));
		for (size_t i = 0; i < work->held[0].count; i++)
			CN_TRY(write(work, file, &work->held[0].lists[i], line));
	}
	return 0;
}

static int write_array(cn_graph_work *work, const char *kind, cn_npy_type type, write_line write)
{
	cn_atomic_file file = { NULL, NULL, NULL };
	char *path = cn_graph_folder_draft(&work->folder, kind);
	void *line = cn_alloc(work->plan.demand.k, cn_npy_type_size(type));
	int status = path && line ? cn_atomic_open(&file, path) : CAIRN_ENOMEM;
	if (status == 0)
		status = write_lines(work, &file, type, write, line);
	if (status == 0)
		status = cn_atomic_commit(&file);
	cn_atomic_abort(&file);
	cn_free(line);
	cn_free(path);
	return status;
}

static int write_images(cn_graph_work *work)
{
	char *path = cn_graph_folder_draft(&work->folder, "images");
	int status = path ? cn_npy_write(path, CN_NPY_I64, 1, &work->images.count, work->images.ids) : CAIRN_ENOMEM;
	cn_free(path);
	return status;
}

int cn_graph_output(cn_graph_work *work)
{
	CN_TRY(write_images(work));
	CN_TRY(write_array(work, "ids", CN_NPY_I64, write_ids));
	CN_TRY(write_array(work, "scores", CN_NPY_F32, write_scores));
	CN_TRY(cn_graph_folder_publish(&work->folder));
	return cn_graph_folder_clear(&work->folder);
}
