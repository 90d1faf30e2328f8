/* Random numbers: the published sequence; reservoirs that give every item the same chance. */
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "util/random.h"

static void the_sequence_is_splitmix64(void **state)
{
	/* The first numbers of Vigna's public-domain program for the seed 1234567. */
	static const uint64_t wanted[] = { 6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
					   4593380528125082431u, 16408922859458223821u };
	uint64_t seed = 1234567;
	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_true(cn_random(&seed) == wanted[i]);
}

static void numbers_stay_below(void **state)
{
	static const uint64_t limits[] = { 1, 2, 3, 10, (uint64_t)1 << 40, UINT64_MAX };
	uint64_t seed = 3;
	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		uint64_t largest = 0;
		for (size_t n = 0; n < 1000; n++) {
			uint64_t number = cn_random_below(&seed, limits[i]);
			largest = number > largest ? number : largest;
			assert_true(number < limits[i]);
		}
		assert_true(largest >= limits[i] - limits[i] / 50 - 1);
	}
}

static void a_reservoir_gives_every_item_the_same_chance(void **state)
{
	enum { ITEMS = 40, KEPT = 10, RUNS = 20000 };
	unsigned kept[ITEMS] = { 0 };
	(void)state;
	for (uint64_t run = 0; run < RUNS; run++) {
		size_t places[KEPT + 1];
		cn_reservoir reservoir = cn_reservoir_start(KEPT, run);
		for (size_t i = 0; i < ITEMS; i++) {
			size_t place = cn_reservoir_next(&reservoir);
			assert_true(place <= KEPT && (i >= KEPT || place == i));
			places[place] = i;
		}
		for (size_t k = 0; k < KEPT; k++)
			kept[places[k]]++;
	}
	/* A quarter of the runs; five standard deviations are 306. */
	for (size_t i = 0; i < ITEMS; i++)
		assert_in_range(kept[i], RUNS / 4 - 306, RUNS / 4 + 306);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sequence_is_splitmix64),
		cmocka_unit_test(numbers_stay_below),
		cmocka_unit_test(a_reservoir_gives_every_item_the_same_chance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
