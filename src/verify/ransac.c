/*
 * RANSAC. Deterministic: the same pairs in the same order and the same seed give the same model on every machine.
 */
#include "verify/ransac.h"

#include <math.h>
#include <string.h>

#include "util/random.h"

#define CONFIDENCE   0.999
#define FIRST_POOL   12 /* best matches that the first samples are drawn from */
#define LOCAL_ROUNDS 4
#define TRIAL_BITS   24 /* enough for the most trials that may be asked for */

struct state {
	const cn_pairs *pairs;
	const cn_ransac_options *options;
	uint64_t random;
	uint32_t *scratch;
	size_t best;
	double model[9];
};

static void draw(uint64_t *random, size_t pool, size_t wanted, uint32_t *sample)
{
	for (size_t i = 0; i < wanted; i++) {
		size_t k;
		do {
			sample[i] = (uint32_t)(((cn_random(random) >> 32) * pool) >> 32);
			for (k = 0; k < i && sample[k] != sample[i]; k++)
				continue;
		} while (k < i);
	}
}

/* Twice the area of the triangle that three points of one image make. */
static float area(const float *x, const float *y, uint32_t a, uint32_t b, uint32_t c)
{
	return (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a]);
}

/* Three points of either image on a line or in one place determine nothing; cheaper to see than to fit. */
static int is_degenerate(const cn_pairs *pairs, const uint32_t *sample, size_t count)
{
	static const uint8_t triples[4][3] = { { 0, 1, 2 }, { 1, 2, 3 }, { 0, 2, 3 }, { 0, 1, 3 } };
	for (size_t i = 0; i < (count == 4 ? 4 : 1); i++) {
		uint32_t a = sample[triples[i][0]], b = sample[triples[i][1]], c = sample[triples[i][2]];
		if (!(fabsf(area(pairs->ax, pairs->ay, a, b, c)) > 16.0f) ||
		    !(fabsf(area(pairs->bx, pairs->by, a, b, c)) > 16.0f))
			return 1;
	}
	return 0;
}

static int is_plausible(const struct state *state, const double model[9], const uint32_t *sample)
{
	return state->options->plain ||
	       cn_model_is_plausible(state->options->geometry, model, (double)state->pairs->ax[sample[0]],
				     (double)state->pairs->ay[sample[0]]);
}

/* Least squares on the inliers, again and again while that finds more of them; of as many, the last fit is taken. */
static void optimise(struct state *state)
{
	const cn_ransac_options *options = state->options;
	for (int round = 0; round < LOCAL_ROUNDS; round++) {
		double model[9];
		uint32_t *inliers = state->scratch;
		size_t count =
			cn_model_inliers(options->geometry, state->model, state->pairs, options->radius, inliers);
		if (!cn_model_fit(options->geometry, state->pairs, inliers, count, model) ||
		    !is_plausible(state, model, inliers))
			return;
		size_t better = cn_model_count(options->geometry, model, state->pairs, options->radius);
		if (better < state->best)
			return;
		int done = better == state->best;
		state->best = better;
		memcpy(state->model, model, sizeof(model));
		if (done)
			return;
	}
}

/*
 * Trials after which a sample without outlier was drawn with the wanted confidence: the least n with
 * (1 - share^sample)^n <= 1 - CONFIDENCE. Products are rounded alike on every machine; pow() and log() are not.
 */
static uint32_t trials_needed(size_t inliers, size_t count, size_t sample)
{
	double good = 1, share = (double)inliers / (double)count, miss[TRIAL_BITS], left = 1;
	uint32_t trials = 0;
	for (size_t i = 0; i < sample; i++)
		good *= share;
	miss[0] = 1 - good;
	for (int bit = 1; bit < TRIAL_BITS; bit++)
		miss[bit] = miss[bit - 1] * miss[bit - 1];
	for (int bit = TRIAL_BITS; bit-- > 0;)
		if (left * miss[bit] > 1 - CONFIDENCE) {
			left *= miss[bit];
			trials += 1u << bit;
		}
	return trials + 1;
}

static void try_sample(struct state *state, const uint32_t *sample, size_t wanted)
{
	const cn_ransac_options *options = state->options;
	double model[9];
	if (!options->plain && is_degenerate(state->pairs, sample, wanted))
		return;
	if (!cn_model_fit(options->geometry, state->pairs, sample, wanted, model) ||
	    !is_plausible(state, model, sample))
		return;
	size_t count = cn_model_count(options->geometry, model, state->pairs, options->radius);
	if (count <= state->best)
		return;
	state->best = count;
	memcpy(state->model, model, sizeof(model));
	if (!options->plain && count > wanted)
		optimise(state);
}

/* The pool of matches that samples are drawn from grows to all of them over the first quarter of the trials. */
static size_t pool_size(const struct state *state, uint32_t trial)
{
	size_t count = state->pairs->count;
	if (state->options->plain || count <= FIRST_POOL)
		return count;
	size_t grown = FIRST_POOL + (size_t)(4.0 * trial / state->options->trials * (double)(count - FIRST_POOL));
	return grown < count ? grown : count;
}

size_t cn_ransac(const cn_pairs *pairs, const cn_ransac_options *options, uint32_t *scratch, double model[9],
		 uint32_t *inliers)
{
	size_t wanted = cn_model_pairs(options->geometry);
	struct state state = { .pairs = pairs, .options = options, .random = options->seed, .scratch = scratch };
	memset(model, 0, 9 * sizeof(*model));
	if (pairs->count < wanted)
		return 0;
	uint32_t needed = options->trials;
	for (uint32_t trial = 0; trial < options->trials && trial < needed; trial++) {
		uint32_t sample[4] = { 0 };
		size_t before = state.best;
		draw(&state.random, pool_size(&state, trial), wanted, sample);
		try_sample(&state, sample, wanted);
		if (state.best > before && !options->plain)
			needed = trials_needed(state.best, pairs->count, wanted);
	}
	if (state.best == 0)
		return 0;
	memcpy(model, state.model, sizeof(state.model));
	return cn_model_inliers(options->geometry, model, pairs, options->radius, inliers);
}
