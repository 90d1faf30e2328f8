/*
 * RootSIFT from end to end: what is chosen and in which order, and that a scene which is turned or brightened still
 * matches itself.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "local/rootsift.h"
#include "local/sift.h"
#include "scenes.h"
#include "torture.h"

enum { WIDTH = 160, HEIGHT = 120 };

static float *scene;
static cn_rootsift *sift;

static int set_up(void **state)
{
	(void)state;
	scene = scene_texture(WIDTH, HEIGHT, 11);
	assert_ok(cn_rootsift_new(&sift, 2));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(scene);
	cn_rootsift_free(sift);
	return 0;
}

static void assert_same_points(const cn_points *a, const cn_points *b, size_t count)
{
	assert_true(a->count >= count && b->count >= count);
	assert_memory_equal(a->keypoints, b->keypoints, count * sizeof(*a->keypoints));
	assert_memory_equal(a->descriptors, b->descriptors, count * CN_SIFT_DIM * sizeof(float));
}

static void the_best_come_first_and_lie_within_the_image(void **state)
{
	(void)state;
	cn_points points, fewer;
	assert_ok(cn_rootsift_run(sift, scene, WIDTH, HEIGHT, 5000, &points));
	assert_true(points.count > 200);
	assert_int_equal(points.dim, CN_SIFT_DIM);
	for (size_t i = 0; i < points.count; i++) {
		const cairn_keypoint *point = &points.keypoints[i];
		assert_true(point->x >= 0 && point->x <= WIDTH - 1 && point->y >= 0 && point->y <= HEIGHT - 1);
		assert_true(point->scale > 4 && point->scale < WIDTH);
		assert_true(point->angle >= 0 && (double)point->angle <= 2 * acos(-1));
		assert_true(i == 0 || point->score <= points.keypoints[i - 1].score);
	}
	static const uint32_t counts[] = { 0, 1, 2, 50, 199 };
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		assert_ok(cn_rootsift_run(sift, scene, WIDTH, HEIGHT, counts[i], &fewer));
		assert_int_equal(fewer.count, counts[i]);
		assert_same_points(&points, &fewer, fewer.count);
		cn_points_free(&fewer);
	}
	cn_points_free(&points);
}

static void there_are_none_where_nothing_is(void **state)
{
	(void)state;
	static const uint32_t sizes[][2] = { { 1, 1 }, { 2, 3 }, { 11, 11 }, { 1, 4000 }, { 4000, 1 }, { 64, 48 } };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t count = (size_t)sizes[i][0] * sizes[i][1];
		float *flat = malloc(count * sizeof(*flat));
		cn_points points;
		for (size_t k = 0; k < count; k++)
			flat[k] = 93;
		assert_ok(cn_rootsift_run(sift, flat, sizes[i][0], sizes[i][1], 100, &points));
		assert_int_equal(points.count, 0);
		cn_points_free(&points);
		free(flat);
	}
}

/* How many points of `a` have their nearest descriptor in `b` at the place that `where` gives. */
static double share_found(const cn_points *a, const cn_points *b, void (*where)(float *x, float *y))
{
	size_t good = 0;
	for (size_t i = 0; i < a->count; i++) {
		size_t best = 0;
		double most = -1;
		for (size_t j = 0; j < b->count; j++) {
			double dot = 0;
			for (size_t k = 0; k < CN_SIFT_DIM; k++)
				dot += (double)a->descriptors[i * CN_SIFT_DIM + k] *
				       (double)b->descriptors[j * CN_SIFT_DIM + k];
			if (dot > most) {
				most = dot;
				best = j;
			}
		}
		float x = a->keypoints[i].x, y = a->keypoints[i].y;
		where(&x, &y);
		good += hypotf(x - b->keypoints[best].x, y - b->keypoints[best].y) < 1.5f;
	}
	return (double)good / (double)a->count;
}

static void stay(float *x, float *y)
{
	(void)x, (void)y;
}

static void turn(float *x, float *y)
{
	float old = *x;
	*x = *y;
	*y = WIDTH - 1 - old;
}

static void a_scene_matches_itself_when_it_is_turned_or_brightened(void **state)
{
	(void)state;
	cn_points points, others;
	float *turned = scene_turned(scene, WIDTH, HEIGHT), *bright = malloc(sizeof(float) * WIDTH * HEIGHT);
	for (size_t i = 0; i < WIDTH * HEIGHT; i++)
		bright[i] = 40 + 0.8f * scene[i];
	assert_ok(cn_rootsift_run(sift, scene, WIDTH, HEIGHT, 300, &points));
	assert_ok(cn_rootsift_run(sift, turned, HEIGHT, WIDTH, 400, &others));
	assert_true(share_found(&points, &others, turn) > 0.95);
	cn_points_free(&others);
	assert_ok(cn_rootsift_run(sift, bright, WIDTH, HEIGHT, 400, &others));
	assert_true(share_found(&points, &others, stay) > 0.95);
	cn_points_free(&others);
	cn_points_free(&points);
	free(turned);
	free(bright);
}

struct caller {
	const cn_points *wanted;
	uint32_t height; /* of the part of the scene that it works on */
	int differs;
};

static void *call_often(void *context)
{
	struct caller *caller = context;
	for (int i = 0; i < 6; i++) {
		cn_points points;
		if (cn_rootsift_run(sift, scene, WIDTH, caller->height, 300, &points) < 0 ||
		    points.count != caller->wanted->count ||
		    memcmp(points.descriptors, caller->wanted->descriptors,
			   points.count * CN_SIFT_DIM * sizeof(float)) != 0)
			caller->differs = 1;
		cn_points_free(&points);
	}
	return NULL;
}

/* More callers than were announced, with images of two sizes, on scratch memory that they share. */
static void threads_get_the_same_bytes(void **state)
{
	(void)state;
	cn_points wanted[2];
	struct caller callers[5];
	pthread_t threads[5];
	for (uint32_t i = 0; i < 2; i++)
		assert_ok(cn_rootsift_run(sift, scene, WIDTH, HEIGHT - 40 * i, 300, &wanted[i]));
	for (uint32_t i = 0; i < 5; i++) {
		callers[i] = (struct caller){ &wanted[i % 2], HEIGHT - 40 * (i % 2), 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
	}
	for (size_t i = 0; i < 5; i++) {
		pthread_join(threads[i], NULL);
		assert_false(callers[i].differs);
	}
	cn_points_free(&wanted[0]);
	cn_points_free(&wanted[1]);
}

static void images_too_large_are_refused(void **state)
{
	(void)state;
	cn_points points;
	assert_fails(cn_rootsift_run(sift, scene, 65536, 65536, 10, &points), CAIRN_ELIMIT, "65536 x 65536");
}

static int make_and_run(void *context)
{
	cn_rootsift *fresh = NULL;
	cn_points points = { 0 };
	(void)context;
	int status = cn_rootsift_new(&fresh, 1);
	if (status >= 0)
		status = cn_rootsift_run(fresh, scene, WIDTH, HEIGHT, 100, &points);
	cn_points_free(&points);
	cn_rootsift_free(fresh);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	assert_true(cn_torture(make_and_run, NULL) >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_come_first_and_lie_within_the_image),
		cmocka_unit_test(there_are_none_where_nothing_is),
		cmocka_unit_test(a_scene_matches_itself_when_it_is_turned_or_brightened),
		cmocka_unit_test(threads_get_the_same_bytes),
		cmocka_unit_test(images_too_large_are_refused),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("local/rootsift", tests, set_up, tear_down);
}
