/*
 * Filters of feature maps: attention (AGeM, DELF), ReLUP and regional GeM (SuperGlobal).
 */
#include "global/filters.h"

#include "math/power.h"
#include "util/memory.h"

static int weigh(const cn_filters *filters, const cn_map *map, const cn_map *attention, const char *where, float *out)
{
	size_t positions = cn_map_positions(map);
	float more = filters->attention == CN_ATTENTION_RESIDUAL ? 1 : 0;
	if (attention->channels != 1 || attention->height != map->height || attention->width != map->width)
		return cn_fail(CAIRN_EFORMAT, "%s: attention '%s' is %zu x %zu x %zu, but the map %zu x %zu", where,
			       filters->attention_output, attention->channels, attention->height, attention->width,
			       map->height, map->width);
	for (size_t c = 0; c < map->channels; c++)
		for (size_t i = 0; i < positions; i++)
			out[c * positions + i] *= more + attention->data[i];
	return 0;
}

/* A comparison with NaN is false, so that NaN stays. */
static void raise_to(float floor, float *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		numbers[i] = numbers[i] < floor ? floor : numbers[i];
}

/* Mirrored at the ends, which are not repeated: of 4, -1 is 1 and 4 is 2. */
static size_t mirrored(long i, size_t count)
{
	long last = (long)count - 1, period = 2 * last;
	if (last == 0)
		return 0;
	i %= period;
	i = i < 0 ? i + period : i;
	return (size_t)(i > last ? period - i : i);
}

/* Means over windows of `size` of a line whose numbers are `step` apart, in place. @param padded count + size - 1 */
static void mean_windows(double *line, size_t count, size_t step, size_t size, double *padded)
{
	size_t reach = size / 2;
	for (size_t i = 0; i < count; i++)
		padded[reach + i] = line[step * i];
	for (size_t i = 1; i <= reach; i++) {
		padded[reach - i] = padded[reach + mirrored(-(long)i, count)];
		padded[reach + count - 1 + i] = padded[reach + mirrored((long)(count - 1 + i), count)];
	}
	for (size_t i = 0; i < count; i++) {
		double sum = 0;
		for (size_t k = 0; k < size; k++)
			sum += padded[i + k];
		line[step * i] = sum / (double)size;
	}
}

/* (1 - w) x + w (mean of x^p over a window)^(1/p) for one channel. @param powers height x width @param padded a line */
static void add_regional_gem(const cn_filters *filters, float *channel, size_t height, size_t width, double *powers,
			     double *padded)
{
	size_t size = filters->regional_size, count = height * width;
	double p = (double)filters->regional_p, weight = (double)filters->regional_weight;
	for (size_t i = 0; i < count; i++)
		powers[i] = channel[i] < 0 ? 0 : (double)channel[i];
	cn_powers(powers, count, p, powers);
	for (size_t y = 0; y < height; y++)
		mean_windows(powers + y * width, width, 1, size, padded);
	for (size_t x = 0; x < width; x++)
		mean_windows(powers + x, height, width, size, padded);
	cn_powers(powers, count, 1 / p, powers);
	for (size_t i = 0; i < count; i++)
		channel[i] = (float)((1 - weight) * (double)channel[i] + weight * powers[i]);
}

static int add_regional_gems(const cn_filters *filters, const cn_map *map, float *out)
{
	size_t positions = cn_map_positions(map), longer = map->height > map->width ? map->height : map->width;
	double *scratch = cn_alloc(positions + longer + filters->regional_size, sizeof(*scratch));
	if (!scratch)
		return CAIRN_ENOMEM;
	for (size_t c = 0; c < map->channels; c++)
		add_regional_gem(filters, out + c * positions, map->height, map->width, scratch, scratch + positions);
	cn_free(scratch);
	return 0;
}

int cn_filter_map(const cn_filters *filters, cn_map *map, const cn_map *attention, const char *where, float **buffer)
{
	size_t count = map->channels * cn_map_positions(map);
	*buffer = NULL;
	if (filters->attention == CN_ATTENTION_NONE && !filters->has_floor && !filters->regional_size)
		return 0;
	float *out = cn_memdup(map->data, count * sizeof(*out));
	if (!out)
		return CAIRN_ENOMEM;
	int status = 0;
	if (filters->attention != CN_ATTENTION_NONE)
		status = weigh(filters, map, attention, where, out);
	if (status == 0 && filters->has_floor)
		raise_to(filters->floor, out, count);
	if (status == 0 && filters->regional_size)
		status = add_regional_gems(filters, map, out);
	if (status < 0) {
		cn_free(out);
		return status;
	}
	map->data = *buffer = out;
	return 0;
}
