/*
 * A program outside the tree that uses an installed libcairn: the test of cairn.pc and of what is exported.
 */
#include <cairn/cairn.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	const float rows[] = { 1, 0, 0, 1, 0.6f, 0.8f }, query[] = { 0, 1 };
	const int64_t images[] = { 1, 2, 3 };
	uint16_t halves[6];
	int8_t codes[6];
	float scales[3];
	const cairn_index_part part = { halves, codes, scales, images, 3 };
	const cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	cairn_index *index;
	cairn_ranking *ranking;
	if (cairn_index_encode(rows, 3, 2, halves, codes, scales) < 0 ||
	    cairn_index_new_flat(&index, 2, &part, 1, NULL, 0) < 0 ||
	    cairn_index_search(&ranking, index, query, 1, 2, &options) < 0) {
		fprintf(stderr, "%s\n", cairn_last_error());
		return 1;
	}
	const int64_t *found = cairn_ranking_images(ranking, 0);
	int good = found[0] == 2 && found[1] == 3 && strcmp(cairn_version(), "") != 0;
	printf("libcairn %s: %s\n", cairn_version(), good ? "works" : "wrong answer");
	cairn_ranking_free(ranking);
	cairn_index_free(index);
	return good ? 0 : 1;
}
