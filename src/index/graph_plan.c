/*
 * Cutting the making of a graph into pieces.
 */
#include "index/graph_plan.h"

#include "math/scan.h"
#include "util/memory.h"

#define CHUNK       1024 /* rows a thread takes at once */
#define LEAST_BLOCK 64   /* images; smaller blocks would be read and written more than multiplied */
#define ROOM        12   /* bytes that a number of a band takes: as it is, encoded and packed */

/* ---- memory ---- */

size_t cn_graph_plan_most_queries(const cn_image_rows *images, int exact)
{
	size_t best = cn_query_panels_best(exact ? CN_NUMBER_F32 : CN_NUMBER_I8, images->parts->dim);
	return best < images->parts->rows_an_image ? images->parts->rows_an_image : best;
}

/* Approximate: as a double, so that nothing overflows. */
static double memory_of(const cn_image_rows *images, const cn_image_rows *among, const cn_graph_demand *demand,
			double block)
{
	size_t capacity = 0;
	/* Beyond what fits, the limit is passed anyway. */
	if (cn_shortlist_capacity(demand->keep, &capacity) < 0)
		capacity = SIZE_MAX;
	double list = sizeof(cn_shortlist) + (double)capacity * sizeof(cn_scored_row);
	double band = block * (double)images->parts->rows_an_image;
	double most = (double)cn_graph_plan_most_queries(images, demand->exact);
	double blocks = demand->self && block < (double)images->count ? 2 : 1;
	double tables = (double)(images->count + (demand->self ? 0 : among->count)) * 16;
	band = band < most ? band : most;
	return tables + blocks * block * list + band * (demand->threads * list + (double)images->parts->dim * ROOM);
}

int cn_graph_plan_block(const cn_image_rows *images, const cn_image_rows *among, const cn_graph_demand *demand,
			size_t *block_images)
{
	size_t least = images->count < LEAST_BLOCK ? images->count : LEAST_BLOCK, most = images->count;
	double limit = (double)demand->memory, needed = memory_of(images, among, demand, (double)least);
	if (needed > limit)
		return cn_fail(
			CAIRN_ELIMIT,
			"%.0f bytes of memory are too little for the %zu nearest of %zu images with %u threads; at "
			"least %.0f are needed",
			limit, demand->k, images->count, demand->threads, needed);
	*block_images = most > 0 ? most : 1;
	if (memory_of(images, among, demand, (double)most) <= limit)
		return 0;
	while (least < most) {
		size_t middle = least + (most - least + 1) / 2;
		if (memory_of(images, among, demand, (double)middle) <= limit)
			least = middle;
		else
			most = middle - 1;
	}
	*block_images = least;
	return 0;
}

/* ---- spans ---- */

/* How many images from `first` on make a span: up to `end`, of one part if it must be, with at most `rows` rows. */
static size_t span_length(const cn_image_rows *images, size_t first, size_t end, size_t rows, int in_one_part)
{
	const cn_row_part *part = cn_row_parts_find(images->parts, images->first[first]);
	size_t part_end = in_one_part ? part->first + part->data.count : SIZE_MAX;
	size_t count = 1, taken = cn_image_rows_of(images, first);
	while (first + count < end && images->first[first + count] < part_end) {
		taken += cn_image_rows_of(images, first + count);
		if (taken > rows)
			break;
		count++;
	}
	return count;
}

static int cut(cn_spans *out, const cn_image_rows *images, size_t block_images, size_t blocks, size_t rows,
	       int in_one_part)
{
	out->items = cn_alloc(images->count, sizeof(*out->items));
	out->from = cn_alloc(blocks + 1, sizeof(*out->from));
	if (!out->items || !out->from)
		return CAIRN_ENOMEM;
	for (size_t block = 0, image = 0; block < blocks; block++) {
		size_t end = images->count - image < block_images ? images->count : image + block_images;
		out->from[block] = out->count;
		while (image < end) {
			cn_span span = { image, span_length(images, image, end, rows, in_one_part) };
			out->items[out->count++] = span;
			image += span.count;
		}
	}
	out->from[blocks] = out->count;
	cn_span *fitting = cn_realloc(out->items, out->count, sizeof(*fitting));
	out->items = fitting ? fitting : out->items;
	return fitting ? 0 : CAIRN_ENOMEM;
}

static void free_spans(cn_spans *spans)
{
	cn_free(spans->items);
	cn_free(spans->from);
}

/* ---- the plan ---- */

int cn_graph_plan_init(cn_graph_plan *out, const cn_image_rows *images, const cn_image_rows *among,
		       const cn_graph_demand *demand, size_t block_images)
{
	*out = (cn_graph_plan){ .images = images, .among = among, .demand = *demand, .block_images = block_images };
	out->blocks = images->count / block_images + (images->count % block_images > 0);
	out->most_queries = cn_graph_plan_most_queries(images, demand->exact);
	out->first_step = cn_alloc_zero(out->blocks + 1, sizeof(*out->first_step));
	int status = out->first_step ? 0 : CAIRN_ENOMEM;
	if (status == 0)
		status = cut(&out->bands, images, block_images, out->blocks, out->most_queries, 0);
	if (status == 0 && demand->self)
		status = cut(&out->chunks, among, block_images, out->blocks, CHUNK, 1);
	else if (status == 0)
		status = cut(&out->chunks, among, among->count, 1, CHUNK, 1);
	if (status < 0) {
		cn_graph_plan_free(out);
		return status;
	}
	for (size_t b = 0; b < out->blocks; b++)
		out->first_step[b + 1] = out->first_step[b] + cn_graph_plan_partners(out, b).count *
								      (out->bands.from[b + 1] - out->bands.from[b]);
	return 0;
}

void cn_graph_plan_free(cn_graph_plan *plan)
{
	free_spans(&plan->bands);
	free_spans(&plan->chunks);
	cn_free(plan->first_step);
	*plan = (cn_graph_plan){ 0 };
}

cn_span cn_graph_plan_images(const cn_graph_plan *plan, size_t block)
{
	size_t first = block * plan->block_images, left = plan->images->count - first;
	return (cn_span){ first, left < plan->block_images ? left : plan->block_images };
}

cn_span cn_graph_plan_partners(const cn_graph_plan *plan, size_t block)
{
	return plan->demand.self ? (cn_span){ block, plan->blocks - block } : (cn_span){ 0, 1 };
}

uint64_t cn_graph_plan_step(const cn_graph_plan *plan, size_t block, size_t partner)
{
	size_t bands = plan->bands.from[block + 1] - plan->bands.from[block];
	return plan->first_step[block] + (partner - cn_graph_plan_partners(plan, block).first) * bands;
}

size_t cn_graph_plan_first_chunk(const cn_graph_plan *plan, size_t block, size_t partner, cn_span band)
{
	size_t chunk = plan->chunks.from[partner];
	if (!plan->demand.self || block != partner)
		return chunk;
	while (plan->chunks.items[chunk].first + plan->chunks.items[chunk].count <= band.first)
		chunk++;
	return chunk;
}
