/*
 * util/groups.h - what belongs to which group, by a counting sort.
 */
#ifndef CN_UTIL_GROUPS_H
#define CN_UTIL_GROUPS_H

#include <stddef.h>
#include <stdint.h>

/**
 * List the members of each group, in ascending order.
 *
 * @param      group   of each of count members, below `groups`
 * @param[out] starts  groups + 1: group g has members[starts[g]] up to, not including, members[starts[g + 1]]
 * @param[out] members count
 */
void cn_list_groups(const uint32_t *group, size_t count, size_t groups, size_t *starts, uint32_t *members);

#endif
