/*
 * RootSIFT of image files on one thread: seconds of extraction alone, and the features for a comparison of quality.
 *
 * Files are decoded to grey levels of one byte before the clock starts; what is timed begins there and ends with
 * keypoints and descriptors in float. Prints the seconds of all images together.
 *
 * Usage: bench_sift LIST POINTS [FOLDER]
 *   LIST    a file with one path a line
 *   POINTS  most keypoints of an image
 *   FOLDER  where to write N.points.npy (x, y, scale, angle, score) and N.descriptors.npy for each line N from 0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cairn/image.h"
#include "local/rootsift.h"
#include "util/npy.h"

struct picture {
	uint32_t width, height;
	uint8_t *grey;
};

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Decodes a file whose three channels are equal. */
static int read_picture(struct picture *picture, const char *path)
{
	cairn_image *image;
	CN_TRY(cairn_image_open(&image, path, NULL));
	size_t count = (size_t)cairn_image_width(image) * cairn_image_height(image);
	picture->width = cairn_image_width(image);
	picture->height = cairn_image_height(image);
	picture->grey = malloc(count);
	for (size_t i = 0; picture->grey && i < count; i++)
		picture->grey[i] = cairn_image_pixels(image)[3 * i];
	cairn_image_free(image);
	return picture->grey ? 0 : cn_fail(CAIRN_ENOMEM, "%s: out of memory", path);
}

/* Extracts with the clock running. */
static int extract(cn_rootsift *sift, const struct picture *picture, uint32_t most, cn_points *points, double *time)
{
	double start = seconds();
	size_t count = (size_t)picture->width * picture->height;
	float *grey = malloc(count * sizeof(*grey));
	if (!grey)
		return cn_fail(CAIRN_ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		grey[i] = picture->grey[i];
	int status = cn_rootsift_run(sift, grey, picture->width, picture->height, most, points);
	free(grey);
	*time += seconds() - start;
	return status;
}

static int write_points(const char *folder, size_t number, const cn_points *points)
{
	char path[4096];
	size_t keypoints[] = { points->count, 5 }, descriptors[] = { points->count, points->dim };
	snprintf(path, sizeof(path), "%s/%zu.points.npy", folder, number);
	CN_TRY(cn_npy_write(path, CN_NPY_F32, 2, keypoints, points->keypoints));
	snprintf(path, sizeof(path), "%s/%zu.descriptors.npy", folder, number);
	return cn_npy_write(path, CN_NPY_F32, 2, descriptors, points->descriptors);
}

static int run(FILE *list, uint32_t most, const char *folder)
{
	char path[4096];
	double time = 0;
	int status = 0;
	cn_rootsift *sift = NULL;
	CN_TRY(cn_rootsift_new(&sift, 1));
	for (size_t number = 0; status == 0 && fgets(path, sizeof(path), list); number++) {
		struct picture picture = { 0 };
		cn_points points = { 0 };
		path[strcspn(path, "\n")] = '\0';
		status = read_picture(&picture, path);
		if (status == 0)
			status = extract(sift, &picture, most, &points, &time);
		if (status == 0 && folder)
			status = write_points(folder, number, &points);
		cn_points_free(&points);
		free(picture.grey);
	}
	cn_rootsift_free(sift);
	if (status == 0)
		printf("%.6f\n", time);
	return status;
}

int main(int argc, char **argv)
{
	FILE *list = argc >= 3 ? fopen(argv[1], "r") : NULL;
	if (!list) {
		fprintf(stderr, "usage: bench_sift LIST POINTS [FOLDER]\n");
		return 2;
	}
	int status = run(list, (uint32_t)strtoul(argv[2], NULL, 10), argc > 3 ? argv[3] : NULL);
	if (status < 0)
		fprintf(stderr, "bench_sift: %s\n", cairn_last_error());
	fclose(list);
	return status < 0;
}
