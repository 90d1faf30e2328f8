/*
 * The ranking of a run as a file.
 */
#include <inttypes.h>
#include <math.h>

#include "recipe/run.h"
#include "util/csv.h"
#include "util/file.h"

static int add_hit(cn_text *text, const cairn_answer *answer, size_t rank)
{
	cairn_hit hit;
	CN_TRY(cairn_answer_get(answer, rank, &hit));
	CN_TRY(cn_csv_add(text, cairn_answer_query(answer)));
	CN_TRY(cn_text_addf(text, ",%zu,%" PRId64 ",", rank + 1, hit.id));
	CN_TRY(cn_csv_add(text, hit.path));
	CN_TRY(cn_text_addf(text, ",%.7g,", (double)hit.score));
	if (hit.inliers != CAIRN_NO_INLIERS)
		CN_TRY(cn_text_addf(text, "%" PRId32, hit.inliers));
	CN_TRY(cn_text_add(text, ","));
	CN_TRY(cn_csv_add(text, hit.label));
	return cn_text_add(text, "\n");
}

static int write_query(cairn_run *run, cn_atomic_file *file, size_t query, size_t k, cn_text *text)
{
	cairn_answer *answer;
	CN_TRY(cairn_run_answer(&answer, run, SIZE_MAX, query, k, 0));
	int status = 0;
	text->length = 0;
	for (size_t i = 0; i < cairn_answer_count(answer) && status == 0; i++)
		status = add_hit(text, answer, i);
	if (status == 0 && text->length)
		status = cn_atomic_write(file, text->data, text->length);
	cairn_answer_free(answer);
	return status;
}

int cairn_run_write_csv(cairn_run *run, const char *path, size_t k)
{
	static const char header[] = "query,rank,id,path,score,inliers,label\n";
	cn_text text = CN_TEXT_INIT;
	cn_atomic_file file;
	CN_TRY(cn_run_expect_done(run));
	CN_TRY(cn_atomic_open(&file, path));
	int status = cn_atomic_write(&file, header, sizeof(header) - 1);
	for (size_t q = 0; q < run->query_count && status == 0; q++)
		status = write_query(run, &file, q, k, &text);
	if (status == 0)
		status = cn_atomic_commit(&file);
	cn_atomic_abort(&file);
	cn_text_free(&text);
	return status;
}
