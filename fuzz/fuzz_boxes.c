/*
 * Files of boxes of arbitrary bytes: refused with a text, or opened, and then each line is refused with a text or is a
 * box of an image, and so are all that are read of that image.
 */
#include <math.h>
#include <string.h>

#include "cairn/error.h"
#include "index/box_segment.h"
#include "target.h"
#include "util/memory.h"

int fuzz_accepted;

static void check_image(const cn_box_segment *segment, int64_t image)
{
	cn_boxes boxes;
	int status = cn_box_segment_read(segment, image, &boxes);
	FUZZ_CHECK(status == 0 || (cairn_last_error()[0] && !boxes.items));
	for (size_t i = 0; i < boxes.count; i++) {
		const cairn_box *place = &boxes.items[i].place;
		FUZZ_CHECK(place->x0 >= 0 && place->x0 < place->x1 && isfinite(place->x1));
		FUZZ_CHECK(place->y0 >= 0 && place->y0 < place->y1 && isfinite(place->y1));
		FUZZ_CHECK(i == 0 || boxes.items[i].score <= boxes.items[i - 1].score);
	}
	cn_boxes_free(&boxes);
}

static void read_all(const uint8_t *bytes, size_t size)
{
	cn_box_segment segment;
	if (cn_box_segment_parse(&segment, bytes, size, "fuzz") < 0) {
		FUZZ_CHECK(cairn_last_error()[0] && !segment.lines);
		return;
	}
	fuzz_accepted = 1;
	for (size_t i = 0; i < segment.count; i++) {
		int64_t image = 0;
		int status = cn_box_segment_line(&segment, i, &image);
		FUZZ_CHECK(status < 0 ? cairn_last_error()[0] : image >= 1);
		fuzz_accepted &= status == 0;
		check_image(&segment, image);
	}
	cn_box_segment_close(&segment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Files are aligned as mapped ones are. */
	uint8_t *bytes = cn_alloc_aligned(size, 1);
	FUZZ_CHECK(bytes);
	fuzz_accepted = 0;
	if (size)
		memcpy(bytes, data, size);
	read_all(bytes, size);
	cn_free(bytes);
	return 0;
}
