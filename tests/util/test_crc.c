/* CRC-32C against published check values, and the processor's instruction against the table. */
#include <string.h>

#include "support.h"
#include "util/crc.h"

/* RFC 3720, appendix B.4, and the catalogue's "123456789". */
static void published_values(void **state)
{
	static const uint8_t command[48] = {
		0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 4, 0,
		0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
	};
	uint8_t zeros[32] = { 0 }, ones[32], up[32], down[32];
	struct {
		const void *bytes;
		size_t length;
		uint32_t crc;
	} cases[] = {
		{ "", 0, 0 },
		{ "123456789", 9, 0xe3069283u },
		{ zeros, 32, 0x8a9136aau },
		{ ones, 32, 0x62a8ab43u },
		{ up, 32, 0x46dd794eu },
		{ down, 32, 0x113fdb5cu },
		{ command, 48, 0xd9963a56u },
	};

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (int i = 0; i < 32; i++) {
		up[i] = (uint8_t)i;
		down[i] = (uint8_t)(31 - i);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(cn_crc32c(0, cases[i].bytes, cases[i].length), cases[i].crc);
		assert_int_equal(cn_crc32c_scalar(0, cases[i].bytes, cases[i].length), cases[i].crc);
	}
}

static void forms_agree_and_go_on(void **state)
{
	uint8_t bytes[600];
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)cn_test_random(&seed);
	for (int round = 0; round < 2000; round++) {
		size_t begin = cn_test_random(&seed) % 64, length = cn_test_random(&seed) % 500;
		size_t cut = length ? cn_test_random(&seed) % length : 0;
		uint32_t whole = cn_crc32c_scalar(0, bytes + begin, length);

		assert_int_equal(cn_crc32c(0, bytes + begin, length), whole);
		assert_int_equal(cn_crc32c(cn_crc32c(0, bytes + begin, cut), bytes + begin + cut, length - cut), whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_values),
		cmocka_unit_test(forms_agree_and_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
