/*
 * Members by group.
 */
#include "util/groups.h"

#include <string.h>

void cn_list_groups(const uint32_t *group, size_t count, size_t groups, size_t *starts, uint32_t *members)
{
	memset(starts, 0, (groups + 1) * sizeof(*starts));
	for (size_t i = 0; i < count; i++)
		starts[group[i] + 1]++;
	for (size_t g = 0; g < groups; g++)
		starts[g + 1] += starts[g];
	for (size_t i = 0; i < count; i++)
		members[starts[group[i]]++] = (uint32_t)i;
	/* Each start has become the next one. */
	memmove(starts + 1, starts, groups * sizeof(*starts));
	starts[0] = 0;
}
