/*
 * Decoding of arbitrary bytes: an image or an error, within small limits. The first byte chooses how.
 */
#include "cairn/image.h"
#include "target.h"

#define MAX_PIXELS (1u << 20)

int fuzz_accepted;

static void check_image(const cairn_image *image)
{
	const uint8_t *pixels = cairn_image_pixels(image);
	size_t count = (size_t)cairn_image_width(image) * cairn_image_height(image);
	volatile uint8_t sum = 0;

	FUZZ_CHECK(count > 0 && count <= MAX_PIXELS);
	FUZZ_CHECK(cairn_image_full_width(image) >= cairn_image_width(image) &&
		   cairn_image_full_height(image) >= cairn_image_height(image));
	for (size_t i = 0; i < 3 * count; i++)
		sum = (uint8_t)(sum + pixels[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cairn_image_options options = CAIRN_IMAGE_OPTIONS_INIT;
	cairn_image *image;

	fuzz_accepted = 0;
	if (size < 1)
		return 0;
	options.max_pixels = MAX_PIXELS;
	options.max_bytes = 1u << 20;
	options.lenient = data[0] & 1;
	options.shrink_to = data[0] & 2 ? 16 : 0;
	fuzz_accepted = cairn_image_decode(&image, data + 1, size - 1, "fuzz", &options) == 0;
	if (!fuzz_accepted) {
		FUZZ_CHECK(cairn_last_error()[0] && !image);
		return 0;
	}
	check_image(image);
	cairn_image_free(image);
	return 0;
}
