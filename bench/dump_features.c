/*
 * Extracts local features as cairn does and writes them as floats, before they become codes, for peers that match
 * floats.
 *
 * Usage: dump_features KIND FOLDER < LIST
 *
 * A line of the list is NAME<tab>PATH, or NAME<tab>PATH<tab>x0 y0 x1 y1 for a part. Into the folder go
 * NAME.descriptors.npy (count x dim floats), NAME.points.npy (count x 5: x, y, scale, angle, score) and NAME.size.npy
 * (width, height of the full-size image).
 */
#include <stdio.h>
#include <string.h>

#include "cairn/features.h"
#include "util/npy.h"

static const char *folder, *name;

static int write_array(const char *what, cn_npy_type type, size_t rows, size_t columns, const void *data)
{
	char path[4096];
	const size_t shape[2] = { rows, columns };
	if ((size_t)snprintf(path, sizeof(path), "%s/%s.%s.npy", folder, name, what) >= sizeof(path))
		return CAIRN_EINVALID;
	return cn_npy_write(path, type, 2, shape, data);
}

/* The linker puts __wrap_X where the library calls X: the one place where its floats pass by. */
int __real_cairn_features_new(cairn_features **out, const char *kind, uint32_t width, uint32_t height, size_t count,
			      uint32_t dim, const cairn_keypoint *keypoints, const float *descriptors);
int __wrap_cairn_features_new(cairn_features **out, const char *kind, uint32_t width, uint32_t height, size_t count,
			      uint32_t dim, const cairn_keypoint *keypoints, const float *descriptors);

int __wrap_cairn_features_new(cairn_features **out, const char *kind, uint32_t width, uint32_t height, size_t count,
			      uint32_t dim, const cairn_keypoint *keypoints, const float *descriptors)
{
	const int32_t size[2] = { (int32_t)width, (int32_t)height };
	int status = write_array("descriptors", CN_NPY_F32, count, dim, descriptors);
	if (status == 0)
		status = write_array("points", CN_NPY_F32, count, sizeof(*keypoints) / sizeof(float), keypoints);
	if (status == 0)
		status = write_array("size", CN_NPY_I32, 1, 2, size);
	return status < 0 ? status
			  : __real_cairn_features_new(out, kind, width, height, count, dim, keypoints, descriptors);
}

static int dump(cairn_extractor *extractor, const char *path, const cairn_box *box)
{
	cairn_image *image;
	cairn_features *features = NULL;
	int status = cairn_image_open(&image, path, NULL);
	if (status < 0)
		return status;
	status = cairn_extractor_run(extractor, image, box, &features);
	cairn_features_free(features);
	cairn_image_free(image);
	return status;
}

int main(int argc, char **argv)
{
	char line[8192], path[4096], first[256];
	cairn_extractor *extractor;
	if (argc != 3) {
		fprintf(stderr, "usage: dump_features KIND FOLDER < LIST\n");
		return 2;
	}
	folder = argv[2];
	name = first;
	int status = cairn_extractor_new(&extractor, argv[1], NULL);
	while (status == 0 && fgets(line, sizeof(line), stdin)) {
		cairn_box box;
		int read = sscanf(line, "%255[^\t]\t%4095[^\t\n]\t%lf %lf %lf %lf", first, path, &box.x0, &box.y0,
				  &box.x1, &box.y1);
		if (read >= 2)
			status = dump(extractor, path, read == 6 ? &box : NULL);
	}
	if (status < 0)
		fprintf(stderr, "dump_features: %s\n", cairn_last_error());
	else
		cairn_extractor_free(extractor);
	return status < 0;
}
