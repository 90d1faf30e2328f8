/* Hamming distances at every kernel level, against counting bit by bit; rows at any address, nothing read beyond. */
#include <stdlib.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/hamming.h"
#include "support.h"

static unsigned bit_of(const void *bytes, size_t i)
{
	return (((const uint8_t *)bytes)[i / 8] >> i % 8) & 1u;
}

static uint16_t distance(const void *a, const void *b, size_t bits)
{
	unsigned sum = 0;
	for (size_t i = 0; i < bits; i++)
		sum += bit_of(a, i) != bit_of(b, i);
	return (uint16_t)sum;
}

static void check(size_t count, size_t words, size_t shift, uint64_t *seed)
{
	uint64_t query[CN_HAMMING_MAX_WORDS];
	size_t length = count * words * 8;
	/* Exactly as long as the rows, so that AddressSanitizer sees what is read beyond them. */
	uint8_t *memory = malloc(length + shift + !length), *rows = memory + shift;
	uint16_t *found = malloc((count + 1) * sizeof(*found));
	for (size_t w = 0; w < words; w++)
		query[w] = cn_test_random(seed);
	for (size_t i = 0; i < length; i++)
		rows[i] = (uint8_t)cn_test_random(seed);
	/* No bit and every bit different. */
	for (size_t i = 0; i < words * 8 && count > 1; i++) {
		memcpy(rows + i, (const uint8_t *)query + i, 1);
		rows[words * 8 + i] = (uint8_t)~rows[i];
	}
	for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
		cn_kernels_force((cn_kernels)level);
		memset(found, 0x55, (count + 1) * sizeof(*found));
		cn_hamming(query, rows, count, words, found);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(found[i], distance(query, rows + i * words * 8, words * 64));
		assert_int_equal(found[count], 0x5555);
	}
	free(memory);
	free(found);
}

static void every_level_gives_the_definition(void **state)
{
	static const size_t counts[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 100 };
	uint64_t seed = 11;
	(void)state;
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
		for (size_t words = 1; words <= CN_HAMMING_MAX_WORDS; words++)
			check(counts[c], words, (c + words) % 9, &seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_level_gives_the_definition) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
