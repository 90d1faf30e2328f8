/* Verification from end to end, on feature sets made from point pairs with one descriptor a pair. */
#include <string.h>

#include "math/dispatch.h"
#include "scene.h"
#include "torture.h"
#include "util/memory.h"
#include "verify/kinds.h"

#define DIM 32

/* One side of a scene. Features of a pair share a descriptor; their order is by random scores. */
static cairn_features *side_new(const char *kind, const float *x, const float *y, size_t count, double scale,
				uint64_t seed)
{
	cairn_keypoint *keypoints = calloc(count + 1, sizeof(*keypoints));
	float *descriptors = malloc(count * DIM * sizeof(*descriptors) + 1);
	uint64_t shared = 77;
	cairn_features *set;
	for (size_t i = 0; i < count; i++) {
		keypoints[i] = (cairn_keypoint){ (float)((double)x[i] * scale), (float)((double)y[i] * scale), 1, 0,
						 cn_test_uniform(&seed) };
		for (size_t k = 0; k < DIM; k++)
			descriptors[i * DIM + k] = cn_test_normal(&shared);
	}
	assert_ok(cairn_features_new(&set, kind, (uint32_t)(SCENE_WIDTH * scale), (uint32_t)(SCENE_HEIGHT * scale),
				     count, DIM, keypoints, descriptors));
	free(keypoints);
	free(descriptors);
	return set;
}

struct pair {
	cairn_features *a, *b;
	size_t true_count;
};

/* @param scale_a,scale_b sizes of the images, as multiples of SCENE_WIDTH x SCENE_HEIGHT */
static struct pair pair_new(const double map[9], const scene_shape *shape, double scale_a, double scale_b)
{
	struct scene scene;
	scene_new(&scene, map, shape);
	struct pair pair = {
		side_new("kind", scene.pairs.ax, scene.pairs.ay, shape->count, scale_a, shape->seed + 1),
		side_new("kind", scene.pairs.bx, scene.pairs.by, shape->count, scale_b, shape->seed + 2),
		scene.true_count,
	};
	scene_free(&scene);
	return pair;
}

static void pair_free(struct pair *pair)
{
	cairn_features_free(pair->a);
	cairn_features_free(pair->b);
}

static void verify_once(const cairn_verify_options *options, const struct pair *pair, cairn_verification *result)
{
	cairn_verifier *verifier;
	assert_ok(cairn_verifier_new(&verifier, options));
	assert_ok(cairn_verify(verifier, pair->a, pair->b, result, NULL));
	cairn_verifier_free(verifier);
}

/* Where the model takes a point, against its partner, in pixels of b. */
static double residual(const struct pair *pair, const double model[9], const cairn_match *match)
{
	const cairn_keypoint *from = &cairn_features_keypoints(pair->a)[match->a];
	const cairn_keypoint *to = &cairn_features_keypoints(pair->b)[match->b];
	double u, v;
	scene_map(model, (double)from->x, (double)from->y, &u, &v);
	return hypot(u - (double)to->x, v - (double)to->y);
}

static void check_pair(cairn_geometry geometry, const double map[9], const scene_shape *shape, double scale_a,
		       double scale_b)
{
	struct pair pair = pair_new(map, shape, scale_a, scale_b);
	cairn_verify_options options;
	cairn_verifier *verifier;
	cairn_verification result;
	const cairn_match *inliers;
	size_t near = 0;
	const double size = 640 * scale_b / 640;
	cairn_verify_options_init(&options);
	options.geometry = geometry;
	options.seed = shape->seed;
	assert_ok(cairn_verifier_new(&verifier, &options));
	assert_ok(cairn_verify(verifier, pair.a, pair.b, &result, &inliers));
	assert_int_equal(result.matches, shape->count);
	assert_in_range(result.inliers, pair.true_count * 98 / 100, pair.true_count + 3 + shape->count / 50);
	for (size_t i = 0; i < result.inliers; i++) {
		assert_true(residual(&pair, result.model, &inliers[i]) < 10.01 * size);
		assert_true(i == 0 || inliers[i].a > inliers[i - 1].a);
		assert_true(inliers[i].similarity > 0.99f && inliers[i].similarity <= 1);
	}
	/* Inliers are all matches that the model brings near. */
	const cairn_match *matches;
	assert_int_equal(cairn_verifier_match(verifier, pair.a, pair.b, &matches), shape->count);
	for (size_t i = 0; i < shape->count; i++)
		near += residual(&pair, result.model, &matches[i]) < 9.99 * size;
	assert_true(near <= result.inliers);
	cairn_verifier_free(verifier);
	pair_free(&pair);
}

static void known_maps_are_found(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		const scene_shape shape = { 150, 0.7, 1, seed };
		for (size_t k = 0; k < 4; k++)
			check_pair(CAIRN_AFFINE, scene_affine[k], &shape, 1, 1);
		for (size_t k = 0; k < 3; k++)
			check_pair(CAIRN_HOMOGRAPHY, scene_homography[k], &shape, 1, 1);
	}
}

/* The same two photographs, scanned with 640 pixels or with 16000: what is near and what is plausible stays. */
static void sizes_of_the_images_do_not_matter(void **state)
{
	static const double scales[] = { 0.5, 1, 25 };
	(void)state;
	for (size_t a = 0; a < 3; a++)
		for (size_t b = 0; b < 3; b++) {
			const scene_shape shape = { 100, 0.5, 1, a * 3 + b };
			check_pair(CAIRN_AFFINE, scene_affine[1], &shape, scales[a], scales[b]);
			check_pair(CAIRN_HOMOGRAPHY, scene_homography[1], &shape, scales[a], scales[b]);
		}
}

/* Pairs that are off by 4 pixels of b, which has 1280: 2 pixels where its side counts as 640. */
static void the_radius_is_in_pixels_of_the_reference(void **state)
{
	static const struct {
		float radius, reference;
		int near;
	} cases[] = { { 10, 640, 1 },    { 2.1f, 640, 1 },  { 1.9f, 640, 0 }, { 4.1f, 0, 1 },  { 3.9f, 0, 0 },
		      { 4.1f, 1280, 1 }, { 3.9f, 1280, 0 }, { 1.1f, 320, 1 }, { 0.9f, 320, 0 } };
	enum { COUNT = 40 };
	const scene_shape shape = { COUNT, 0, 0, 3 };
	struct scene scene;
	(void)state;
	scene_new(&scene, scene_affine[0], &shape);
	for (size_t i = 0; i < COUNT; i++)
		if (i % 2) {
			scene.numbers[2][i] += 1.2f * (i % 4 == 1 ? 1.0f : -1.0f);
			scene.numbers[3][i] += 1.6f * (i % 4 == 1 ? 1.0f : -1.0f);
		}
	struct pair pair = { side_new("kind", scene.numbers[0], scene.numbers[1], COUNT, 1, 1),
			     side_new("kind", scene.numbers[2], scene.numbers[3], COUNT, 2, 2), 0 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_verify_options options;
		cairn_verification result;
		cairn_verify_options_init(&options);
		options.radius = cases[i].radius;
		options.reference_side = cases[i].reference;
		verify_once(&options, &pair, &result);
		/* The map may tilt a little to catch some. */
		if (cases[i].near ? result.inliers != COUNT : result.inliers >= COUNT - 2)
			fail_msg("case %zu: %u inliers", i, result.inliers);
	}
	pair_free(&pair);
	scene_free(&scene);
}

/* ---- the published protocol ---- */

/* One descriptor in b for all of a, `near` of them near. */
static struct pair star(size_t near, size_t far)
{
	size_t count = near + far;
	cairn_keypoint keypoints[20] = { { 0 } };
	float descriptors[20 * DIM] = { 0 };
	struct pair pair = { 0 };
	for (size_t i = 0; i < count; i++) {
		keypoints[i] = (cairn_keypoint){ (float)(i * i * 10), (float)(i * 35), 1, 0, 1 };
		descriptors[i * DIM] = 1;
		descriptors[i * DIM + 1 + i] = i < near ? 0.2f : 2;
	}
	assert_ok(cairn_features_new(&pair.a, "kind", 640, 480, count, DIM, keypoints, descriptors));
	assert_ok(cairn_features_new(&pair.b, "kind", 640, 480, near, DIM, keypoints, descriptors));
	return pair;
}

static void the_published_protocol_wants_four_neighbours(void **state)
{
	(void)state;
	for (size_t near = 0; near <= 8; near++) {
		struct pair pair = star(near, 5);
		cairn_verify_options options;
		cairn_verification result;
		cairn_verify_options_init(&options);
		options.protocol = CAIRN_VERIFY_DELF;
		verify_once(&options, &pair, &result);
		assert_int_equal(result.matches, near);
		assert_int_equal(result.inliers, near > 3 ? near : 0);
		/* A verifier by mutual neighbours is content with three. */
		options.protocol = CAIRN_VERIFY_MUTUAL;
		verify_once(&options, &pair, &result);
		assert_int_equal(result.inliers, near > 2 ? near : 0);
		pair_free(&pair);
	}
}

/* Several features of a may have the same neighbour in b, and the ratio test is a choice. */
static void the_published_protocol_matches_one_way(void **state)
{
	enum { COUNT = 12 };
	static const struct {
		float max_distance, ratio;
		uint32_t matches;
	} cases[] = {
		{ 0.8f, 0, COUNT }, { 0.8f, 0.9f, COUNT }, { 0.8f, 0.1f, 0 }, { 0.15f, 0, 0 }, { INFINITY, 0.9f, COUNT }
	};
	cairn_keypoint keypoints[COUNT];
	float of_a[COUNT * DIM] = { 0 }, of_b[2 * DIM] = { 0 };
	struct pair pair = { 0 };
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		keypoints[i] = (cairn_keypoint){ (float)i, (float)(i * i), 1, 0, 1 };
		of_a[i * DIM] = 1;
		of_a[i * DIM + 2 + i] = 0.2f;
	}
	of_b[0] = of_b[DIM + 1] = 1;
	assert_ok(cairn_features_new(&pair.a, "kind", 640, 480, COUNT, DIM, keypoints, of_a));
	assert_ok(cairn_features_new(&pair.b, "kind", 640, 480, 2, DIM, keypoints, of_b));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_verify_options options;
		cairn_verifier *verifier;
		const cairn_match *matches;
		cairn_verify_options_init(&options);
		options.protocol = CAIRN_VERIFY_DELF;
		options.max_distance = cases[i].max_distance;
		options.ratio = cases[i].ratio;
		assert_ok(cairn_verifier_new(&verifier, &options));
		assert_int_equal(cairn_verifier_match(verifier, pair.a, pair.b, &matches), cases[i].matches);
		for (uint32_t k = 0; k < cases[i].matches; k++) {
			assert_int_equal(matches[k].a, k);
			assert_int_equal(matches[k].b, 0);
		}
		cairn_verifier_free(verifier);
	}
	pair_free(&pair);
}

/* ---- what determines nothing ---- */

static void sets_that_cannot_be_verified(void **state)
{
	static const struct {
		size_t na, nb;
		uint32_t matches;
	} cases[] = { { 0, 0, 0 },  { 0, 1, 0 },  { 1, 0, 0 },  { 1, 1, 1 },
		      { 0, 50, 0 }, { 50, 0, 0 }, { 2, 50, 2 }, { 50, 2, 2 } };
	static const double nothing[9];
	const scene_shape shape = { 50, 0, 0, 5 };
	struct scene scene;
	(void)state;
	scene_new(&scene, scene_affine[0], &shape);
	for (int how = 0; how < 3; how++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			/* Scores fall, so that the first features of both sets are the same. */
			struct pair pair = { side_new("kind", scene.numbers[0], scene.numbers[1], cases[i].na, 1, 1),
					     side_new("kind", scene.numbers[2], scene.numbers[3], cases[i].nb, 1, 2),
					     0 };
			cairn_verify_options options;
			cairn_verification result;
			cairn_verify_options_init(&options);
			options.protocol = how == 2 ? CAIRN_VERIFY_DELF : CAIRN_VERIFY_MUTUAL;
			options.min_similarity = how == 2 ? NAN : 0.9f;
			options.geometry = how == 1 ? CAIRN_HOMOGRAPHY : CAIRN_AFFINE;
			verify_once(&options, &pair, &result);
			assert_int_equal(result.matches, cases[i].matches);
			assert_int_equal(result.inliers, 0);
			assert_memory_equal(result.model, nothing, sizeof(nothing));
			pair_free(&pair);
		}
	scene_free(&scene);
}

static void mirrored_and_crowded_sets(void **state)
{
	static const double mirror[9] = { -1, 0, 640, 0, 1, 0, 0, 0, 1 }, point[9] = { 0, 0, 50, 0, 0, 60, 0, 0, 1 };
	const scene_shape shape = { 60, 0, 0, 5 };
	const double *maps[] = { mirror, point };
	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (int geometry = CAIRN_AFFINE; geometry <= CAIRN_HOMOGRAPHY; geometry++) {
			struct pair pair = pair_new(maps[i], &shape, 1, 1);
			cairn_verify_options options;
			cairn_verification result;
			cairn_verify_options_init(&options);
			options.geometry = (cairn_geometry)geometry;
			verify_once(&options, &pair, &result);
			assert_int_equal(result.matches, 60);
			assert_int_equal(result.inliers, 0);
			pair_free(&pair);
		}
}

/* ---- repeatability ---- */

static void the_same_seed_gives_the_same_bytes(void **state)
{
	cairn_match first[150];
	(void)state;
	for (int how = 0; how < 6; how++) {
		const scene_shape shape = { 150, 0.6, 4, 7 };
		struct pair pair = pair_new(scene_affine[1], &shape, 1, 1.7),
			    other = pair_new(scene_affine[2], &shape, 1, 1);
		cairn_verify_options options;
		cairn_verification wanted, result;
		const cairn_match *inliers;
		cairn_verifier *verifier;
		cairn_verify_options_init(&options);
		options.protocol = how % 3 == 2 ? CAIRN_VERIFY_DELF : CAIRN_VERIFY_MUTUAL;
		options.geometry = how % 3 == 1 ? CAIRN_HOMOGRAPHY : CAIRN_AFFINE;
		options.seed = (uint64_t)how;
		for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
			cn_kernels_force((cn_kernels)level);
			assert_ok(cairn_verifier_new(&verifier, &options));
			for (int again = 0; again < 2; again++) {
				assert_ok(cairn_verify(verifier, pair.a, pair.b, &result, &inliers));
				if (level == 0 && again == 0) {
					wanted = result;
					memcpy(first, inliers, result.inliers * sizeof(*first));
				}
				assert_memory_equal(&result, &wanted, sizeof(result));
				assert_memory_equal(inliers, first, result.inliers * sizeof(*first));
				/* What the verifier did before leaves no trace. */
				assert_ok(cairn_verify(verifier, other.b, other.a, &result, NULL));
			}
			cairn_verifier_free(verifier);
		}
		pair_free(&pair);
		pair_free(&other);
	}
}

/* ---- faults ---- */

static void bad_options_are_refused(void **state)
{
	static const struct {
		size_t field;
		double value;
		const char *part;
	} cases[] = {
		{ offsetof(cairn_verify_options, version), 7, "version 7" },
		{ offsetof(cairn_verify_options, protocol), 9, "protocol 9" },
		{ offsetof(cairn_verify_options, geometry), 4, "geometry 4" },
		{ offsetof(cairn_verify_options, trials), 0, "0 trials" },
		{ offsetof(cairn_verify_options, trials), 10000001, "10000001 trials" },
		{ offsetof(cairn_verify_options, ratio), -0.25, "ratio -0.25" },
		{ offsetof(cairn_verify_options, ratio), 1.5, "ratio 1.5" },
		{ offsetof(cairn_verify_options, ratio), (double)NAN, "nan" },
		{ offsetof(cairn_verify_options, min_similarity), -1.5, "min_similarity -1.5" },
		{ offsetof(cairn_verify_options, min_similarity), 1.25, "min_similarity 1.25" },
		{ offsetof(cairn_verify_options, min_similarity), (double)INFINITY, "inf" },
		{ offsetof(cairn_verify_options, max_distance), 0, "max_distance 0" },
		{ offsetof(cairn_verify_options, max_distance), -3, "max_distance -3" },
		{ offsetof(cairn_verify_options, max_distance), (double)NAN, "nan" },
		{ offsetof(cairn_verify_options, radius), 0, "radius 0" },
		{ offsetof(cairn_verify_options, radius), -2, "radius -2" },
		{ offsetof(cairn_verify_options, radius), (double)INFINITY, "inf" },
		{ offsetof(cairn_verify_options, reference_side), -640, "reference_side -640" },
		{ offsetof(cairn_verify_options, reference_side), (double)INFINITY, "inf" },
		{ offsetof(cairn_verify_options, reference_side), (double)NAN, "nan" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_verify_options options;
		cairn_verifier *verifier = NULL;
		cairn_verify_options_init(&options);
		const float real = (float)cases[i].value;
		const uint32_t whole = cases[i].value > 0 && i < 5 ? (uint32_t)cases[i].value : 0;
		memcpy((char *)&options + cases[i].field, i < 5 ? (const void *)&whole : (const void *)&real, 4);
		assert_fails(cairn_verifier_new(&verifier, &options), CAIRN_EINVALID, cases[i].part);
		assert_null(verifier);
	}
}

static void the_published_protocol_has_affine_maps_only(void **state)
{
	cairn_verify_options options;
	cairn_verifier *verifier;
	(void)state;
	cairn_verify_options_init(&options);
	options.protocol = CAIRN_VERIFY_DELF;
	options.geometry = CAIRN_HOMOGRAPHY;
	assert_fails(cairn_verifier_new(&verifier, &options), CAIRN_EINVALID, "affine");
}

static void sets_of_other_kinds_are_refused(void **state)
{
	static const float descriptors[3] = { 1, 2, 3 };
	static const cairn_keypoint keypoint;
	cairn_features *sets[3];
	cairn_verifier *verifier;
	cairn_verification result;
	const cairn_match *matches;
	(void)state;
	assert_ok(cairn_features_new(&sets[0], "one", 9, 9, 1, 3, &keypoint, descriptors));
	assert_ok(cairn_features_new(&sets[1], "other", 9, 9, 1, 3, &keypoint, descriptors));
	assert_ok(cairn_features_new(&sets[2], "one", 9, 9, 1, 2, &keypoint, descriptors));
	assert_ok(cairn_verifier_new(&verifier, NULL));
	for (int i = 1; i < 3; i++) {
		const char *part = i == 1 ? "'other' of 3" : "'one' of 2";
		assert_fails(cairn_verify(verifier, sets[0], sets[i], &result, NULL), CAIRN_EINVALID, part);
		assert_int_equal(result.matches, 0);
		assert_fails(cairn_verifier_match(verifier, sets[0], sets[i], &matches), CAIRN_EINVALID, part);
	}
	cairn_verifier_free(verifier);
	cairn_verifier_free(NULL);
	for (int i = 0; i < 3; i++)
		cairn_features_free(sets[i]);
}

static int verify_in_new_memory(void *context)
{
	const struct pair *pair = context;
	cairn_verifier *verifier;
	cairn_verification result;
	CN_TRY(cairn_verifier_new(&verifier, NULL));
	int status = cairn_verify(verifier, pair->a, pair->b, &result, NULL);
	if (status < 0) {
		/* After a failure the verifier is as good as new. */
		cn_memory_fail_at(-1);
		assert_ok(cairn_verify(verifier, pair->a, pair->b, &result, NULL));
		assert_true(result.inliers > 20);
		cn_memory_fail_at(0);
		free(cn_alloc(1, 1));
	}
	cairn_verifier_free(verifier);
	return status;
}

static void memory_may_run_out(void **state)
{
	const scene_shape shape = { 60, 0.3, 1, 3 };
	struct pair pair = pair_new(scene_affine[1], &shape, 1, 1);
	(void)state;
	/* The verifier, its five arrays, two of matching; the fast kernels ask for one more. */
	assert_in_range(cn_torture(verify_in_new_memory, &pair), 8, 9);
	pair_free(&pair);
}

/* ---- what is known of the kinds ---- */

static void kinds_have_their_limits(void **state)
{
	/* The minimum and the boost of the first two are those that `make calibrate` printed. */
	static const cn_kind wanted[] = { { "rootsift", 0.9f, -1.0f, 8, 90.0f, 0.14f },
					  { "xfeat", 1.0f, 0.75f, 30, 70.0f, 0.06f },
					  { "another", 1.0f, -1.0f, 15, 70.0f, 0.1f } };
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const cn_kind *kind = cn_kind_find(wanted[i].kind);
		if (i < 2)
			assert_string_equal(kind->kind, wanted[i].kind);
		else
			assert_null(kind->kind);
		assert_float_equal(kind->ratio, wanted[i].ratio, 0);
		assert_float_equal(kind->min_similarity, wanted[i].min_similarity, 0);
		assert_int_equal(kind->trust, wanted[i].trust);
		assert_float_equal(kind->asmk_weight, wanted[i].asmk_weight, 0);
		assert_float_equal(kind->boost, wanted[i].boost, 0);
	}
}

/* A weak partner, cosine 0.6, and a strong one, 0.9. */
static void limits_of_the_kind_hold_unless_others_are_given(void **state)
{
	static const struct {
		const char *kind;
		float ratio, min_similarity;
		int matches;
	} cases[] = {
		{ "xfeat", 0, NAN, 1 },    { "xfeat", 0, 0.5f, 2 },      { "xfeat", 0, 0.95f, 0 },
		{ "xfeat", 0, 0.59f, 2 },  { "xfeat", 0, 0.61f, 1 },     { "xfeat", 0, 0.89f, 1 },
		{ "xfeat", 0, 0.91f, 0 },  { "another", 0, NAN, 2 },     { "another", 0, 0.7f, 1 },
		{ "rootsift", 0, NAN, 2 }, { "rootsift", 0.5f, NAN, 1 }, { "xfeat", 1, -1, 2 },
	};
	static const float of_a[] = { 1, 0, 0, 0, 0, 1, 0, 0 }, of_b[] = { 0.6f, 0, 0.8f, 0, 0, 0.9f, 0, 0.435889894f };
	static const cairn_keypoint keypoints[2];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pair pair = { 0 };
		cairn_verify_options options;
		cairn_verifier *verifier;
		const cairn_match *matches;
		assert_ok(cairn_features_new(&pair.a, cases[i].kind, 9, 9, 2, 4, keypoints, of_a));
		assert_ok(cairn_features_new(&pair.b, cases[i].kind, 9, 9, 2, 4, keypoints, of_b));
		cairn_verify_options_init(&options);
		options.ratio = cases[i].ratio;
		options.min_similarity = cases[i].min_similarity;
		assert_ok(cairn_verifier_new(&verifier, &options));
		int count = cairn_verifier_match(verifier, pair.a, pair.b, &matches);
		if (count != cases[i].matches)
			fail_msg("case %zu: %d matches", i, count);
		cairn_verifier_free(verifier);
		pair_free(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_maps_are_found),
		cmocka_unit_test(sizes_of_the_images_do_not_matter),
		cmocka_unit_test(the_radius_is_in_pixels_of_the_reference),
		cmocka_unit_test(the_published_protocol_wants_four_neighbours),
		cmocka_unit_test(the_published_protocol_matches_one_way),
		cmocka_unit_test(sets_that_cannot_be_verified),
		cmocka_unit_test(mirrored_and_crowded_sets),
		cmocka_unit_test(the_same_seed_gives_the_same_bytes),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(the_published_protocol_has_affine_maps_only),
		cmocka_unit_test(sets_of_other_kinds_are_refused),
		cmocka_unit_test(memory_may_run_out),
		cmocka_unit_test(kinds_have_their_limits),
		cmocka_unit_test(limits_of_the_kind_hold_unless_others_are_given),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
