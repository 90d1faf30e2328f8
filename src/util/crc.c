/*
 * CRC-32C by table, eight bits a step, and by the processor's own instruction where it has one.
 */
#include "util/crc.h"

#include <pthread.h>
#include <string.h>

#define REFLECTED_POLYNOMIAL 0x82f63b78u

static uint32_t table[256];

static void make_table(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t rest = byte;

		for (int bit = 0; bit < 8; bit++)
			rest = rest >> 1 ^ (rest & 1 ? REFLECTED_POLYNOMIAL : 0);
		table[byte] = rest;
	}
}

uint32_t cn_crc32c_scalar(uint32_t crc, const void *bytes, size_t length)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const uint8_t *b = bytes;

	pthread_once(&once, make_table);
	crc = ~crc;
	for (size_t i = 0; i < length; i++)
		crc = crc >> 8 ^ table[(crc ^ b[i]) & 0xff];
	return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *bytes, size_t length)
{
	const uint8_t *b = bytes;
	uint64_t state = (uint32_t)~crc;

	for (; length >= 8; length -= 8, b += 8) {
		uint64_t word;

		memcpy(&word, b, 8);
		state = _mm_crc32_u64(state, word);
	}
	for (; length; length--, b++)
		state = _mm_crc32_u8((uint32_t)state, *b);
	return ~(uint32_t)state;
}

uint32_t cn_crc32c(uint32_t crc, const void *bytes, size_t length)
{
	return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, bytes, length)
						: cn_crc32c_scalar(crc, bytes, length);
}
#else
uint32_t cn_crc32c(uint32_t crc, const void *bytes, size_t length)
{
	return cn_crc32c_scalar(crc, bytes, length);
}
#endif
