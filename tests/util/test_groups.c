/* Members by group. */
#include "support.h"
#include "util/groups.h"

static void each_group_has_its_members_in_order(void **state)
{
	enum { COUNT = 500, MOST = 40 };
	uint32_t group[COUNT], members[COUNT];
	size_t starts[MOST + 1];
	uint64_t seed = 3;
	(void)state;
	for (size_t groups = 1; groups <= MOST; groups += 3)
		for (size_t count = 0; count <= COUNT; count += 125) {
			/* Some groups have none. */
			for (size_t i = 0; i < count; i++)
				group[i] = (uint32_t)(cn_test_random(&seed) % groups / 2 * 2);
			cn_list_groups(group, count, groups, starts, members);
			size_t at = 0;
			for (uint32_t g = 0; g < groups; g++) {
				assert_int_equal(starts[g], at);
				for (uint32_t i = 0; i < count; i++)
					if (group[i] == g)
						assert_int_equal(members[at++], i);
			}
			assert_int_equal(starts[groups], count);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_group_has_its_members_in_order) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
