/*
 * Topological order, or the circle that there is none for.
 */
#include "recipe/order.h"

#include "recipe/place.h"
#include "util/memory.h"
#include "util/text.h"

#define SHOWN   8 /* stages of a circle */
#define UNKNOWN SIZE_MAX

/* ranks[i]: where stage i of the file comes, UNKNOWN where that is open. @return a link that is not met; NULL: none */
static const cn_link *open_link(const cn_stage *stage, const size_t *ranks)
{
	for (size_t i = 0; i < stage->link_count; i++)
		if (stage->links[i].value >= CN_GIVEN_COUNT && ranks[stage->links[i].value - CN_GIVEN_COUNT] == UNKNOWN)
			return &stage->links[i];
	return NULL;
}

/* @return how many stages have a rank */
static size_t rank_stages(const cairn_recipe *recipe, size_t *ranks)
{
	for (size_t rank = 0; rank < recipe->stage_count; rank++) {
		size_t next = 0;
		while (next < recipe->stage_count &&
		       (ranks[next] != UNKNOWN || open_link(&recipe->stages[next], ranks)))
			next++;
		if (next == recipe->stage_count)
			return rank;
		ranks[next] = rank;
	}
	return recipe->stage_count;
}

static size_t follow(const cairn_recipe *recipe, const size_t *ranks, size_t at)
{
	return open_link(&recipe->stages[at], ranks)->value - CN_GIVEN_COUNT;
}

/* A stage of a circle: every stage without a rank leads into one within as many steps as there are stages. */
static size_t find_circle(const cairn_recipe *recipe, const size_t *ranks)
{
	size_t at = 0, first;
	while (ranks[at] != UNKNOWN)
		at++;
	for (size_t i = 0; i < recipe->stage_count; i++)
		at = follow(recipe, ranks, at);
	first = at;
	for (size_t i = follow(recipe, ranks, at); i != at; i = follow(recipe, ranks, i))
		if (i < first)
			first = i;
	return first;
}

static int fail_circle(const cairn_recipe *recipe, const size_t *ranks, const char *file)
{
	size_t first = find_circle(recipe, ranks), at = first, count = 0;
	const cn_stage *stage = &recipe->stages[first];
	cn_text path = CN_TEXT_INIT;
	int status = 0;
	do {
		if (count++ < SHOWN)
			CN_GOTO(status, cn_text_addf(&path, "'%s' needs ", recipe->stages[at].name));
		at = follow(recipe, ranks, at);
	} while (at != first);
	if (count > SHOWN)
		CN_GOTO(status, cn_text_addf(&path, "... (%zu stages more) needs ", count - SHOWN));
	status = cn_recipe_fail(CN_PLACE(file, stage->place, open_link(stage, ranks)->input->name),
				"stages need each other in a circle: %s'%s'", path.data, stage->name);
done:
	cn_text_free(&path);
	return status;
}

static int move_stages(cairn_recipe *recipe, const size_t *ranks)
{
	cn_stage *ordered;
	CN_NEW(ordered, recipe->stage_count, sizeof(*ordered));
	for (size_t i = 0; i < recipe->stage_count; i++) {
		cn_stage *stage = &recipe->stages[i];
		for (size_t k = 0; k < stage->link_count; k++)
			if (stage->links[k].value >= CN_GIVEN_COUNT)
				stage->links[k].value = CN_GIVEN_COUNT + ranks[stage->links[k].value - CN_GIVEN_COUNT];
		ordered[ranks[i]] = *stage;
	}
	cn_free(recipe->stages);
	recipe->stages = ordered;
	return 0;
}

int cn_recipe_order(cairn_recipe *recipe, const char *file)
{
	size_t *ranks;
	int status;
	CN_NEW(ranks, recipe->stage_count, sizeof(*ranks));
	for (size_t i = 0; i < recipe->stage_count; i++)
		ranks[i] = UNKNOWN;
	status = rank_stages(recipe, ranks) == recipe->stage_count ? move_stages(recipe, ranks)
								   : fail_circle(recipe, ranks, file);
	cn_free(ranks);
	return status;
}
