/*
 * recipe/rules.h - what the inputs and parameters of a stage must hold together; called through the table of stages.
 */
#ifndef CN_RECIPE_RULES_H
#define CN_RECIPE_RULES_H

struct cn_stage;

/** ASMK needs local features, which only what the run gives has. */
int cn_check_search(const struct cn_stage *stage, const char *file);

/** The protocol of DELF knows affine maps only, and its numbers differ from paper to paper. */
int cn_check_verify(const struct cn_stage *stage, const char *file);

/** One weight for each ranking, not all 0; standard scores are not multiplied. */
int cn_check_fuse(const struct cn_stage *stage, const char *file);

/** Inliers must be there to be counted; something must be cut. */
int cn_check_cut(const struct cn_stage *stage, const char *file);

#endif
