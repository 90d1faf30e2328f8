/*
 * NumPy files of arbitrary bytes: an error with a text, or an array that lies within the bytes.
 */
#include "cairn/error.h"
#include "target.h"
#include "util/npy.h"

int fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cn_npy array;
	size_t count = 1, bytes;

	fuzz_accepted = cn_npy_parse(&array, data, size, "fuzz") == 0;
	if (!fuzz_accepted) {
		FUZZ_CHECK(cairn_last_error()[0] && !array.data);
		return 0;
	}
	FUZZ_CHECK(array.rank <= CN_NPY_MAX_RANK);
	for (size_t i = 0; i < array.rank; i++)
		count *= array.shape[i];
	bytes = array.count * cn_npy_type_size(array.type);
	FUZZ_CHECK(count == array.count && bytes <= size && (const uint8_t *)array.data == data + (size - bytes));
	/* Every byte may be read. */
	volatile uint8_t sum = 0;
	for (size_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)array.data)[i]);
	cn_npy_close(&array);
	return 0;
}
