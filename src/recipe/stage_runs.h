/*
 * recipe/stage_runs.h - what makes the output of each stage; called through the table of stages.
 *
 * Each fills work->out, whose type is set, and leaves an error text where it fails.
 */
#ifndef CN_RECIPE_STAGE_RUNS_H
#define CN_RECIPE_STAGE_RUNS_H

struct cn_work;

int cn_run_search(const struct cn_work *work);
int cn_run_verify(const struct cn_work *work);
int cn_run_cut(const struct cn_work *work);
int cn_run_expand(const struct cn_work *work);
int cn_run_augment(const struct cn_work *work);
int cn_run_diffuse(const struct cn_work *work);
int cn_run_explore(const struct cn_work *work);
int cn_run_reciprocal(const struct cn_work *work);
int cn_run_superglobal(const struct cn_work *work);
int cn_run_discriminate(const struct cn_work *work);
int cn_run_fuse(const struct cn_work *work);

#endif
