/*
 * UTF-8.
 */
#include "util/utf8.h"

/* The second byte's range rules out overlong forms, surrogates and code points above U+10FFFF (Unicode, table 3-7). */
size_t cn_utf8_step(const char *bytes, size_t length)
{
	const unsigned char *b = (const unsigned char *)bytes;
	unsigned char low = 0x80, high = 0xbf;
	size_t step;

	if (length == 0)
		return 0;
	if (b[0] < 0x80)
		return 1;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	step = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	if (b[0] == 0xe0)
		low = 0xa0;
	else if (b[0] == 0xed)
		high = 0x9f;
	else if (b[0] == 0xf0)
		low = 0x90;
	else if (b[0] == 0xf4)
		high = 0x8f;
	if (length < step || b[1] < low || b[1] > high)
		return 0;
	for (size_t i = 2; i < step; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	return step;
}

int cn_utf8_valid(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length;) {
		size_t step = cn_utf8_step(bytes + i, length - i);

		if (step == 0)
			return 0;
		i += step;
	}
	return 1;
}
