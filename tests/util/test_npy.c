/* NumPy files: what is written, what NumPy writes, and what nobody should believe. */
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "torture.h"
#include "util/npy.h"

#define NPY_MAX 4096

/* Version, header text and `data` bytes of zeros as one file. @return its length */
static size_t make_npy(uint8_t *out, int version, const char *header, size_t data)
{
	size_t text = strlen(header), at = version == 1 ? 10 : 12;

	memset(out, 0, NPY_MAX);
	memcpy(out, "\x93NUMPY", 6);
	out[6] = (uint8_t)version;
	out[8] = (uint8_t)(text & 0xff);
	out[9] = (uint8_t)(text >> 8);
	memcpy(out + at, header, text);
	return at + text + data;
}

static void headers_in_every_legal_form(void **state)
{
	static const struct {
		int version;
		const char *header;
		cn_npy_type type;
		size_t rank, shape[3], count;
	} cases[] = {
		{ 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", CN_NPY_F32, 2, { 2, 3 }, 6 },
		{ 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", CN_NPY_F32, 2, { 2, 3 }, 6 },
		{ 3, "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }\n", CN_NPY_F16, 2, { 2, 3 }, 6 },
		{ 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (5,), }     \n", CN_NPY_F64, 1, { 5 }, 5 },
		{ 1, "{'descr': '|i1', 'fortran_order': False, 'shape': (), }\n", CN_NPY_I8, 0, { 0 }, 1 },
		{ 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 7), }\n", CN_NPY_U8, 2, { 0, 7 }, 0 },
		{ 1, "{'descr': '<i1', 'fortran_order': False, 'shape': (3L, 4L), }\n", CN_NPY_I8, 2, { 3, 4 }, 12 },
		{ 1, "{\"shape\":(1,2,3),\"fortran_order\":False,\"descr\":\"<i4\"}", CN_NPY_I32, 3, { 1, 2, 3 }, 6 },
		{ 1, "  {'descr' : '<i8' ,'shape':( 2 , ) , 'fortran_order' : False }", CN_NPY_I64, 1, { 2 }, 2 },
	};
	uint8_t file[NPY_MAX];
	cn_npy array;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t data = cases[i].count * cn_npy_type_size(cases[i].type);
		size_t length = make_npy(file, cases[i].version, cases[i].header, data);

		assert_ok(cn_npy_parse(&array, file, length, "memory"));
		assert_int_equal(array.type, cases[i].type);
		assert_int_equal(array.rank, cases[i].rank);
		assert_int_equal(array.count, cases[i].count);
		for (size_t d = 0; d < array.rank; d++)
			assert_int_equal(array.shape[d], cases[i].shape[d]);
		assert_ptr_equal(array.data, file + length - data);
		/* One byte more or less is a damaged file. */
		assert_fails(cn_npy_parse(&array, file, length + 1, "memory"), CAIRN_EFORMAT,
			     "memory: the header announces");
		assert_fails(cn_npy_parse(&array, file, length - 1, "memory"), CAIRN_EFORMAT, "memory: ");
	}
}

#define ORDER "'fortran_order': False, "

static void hostile_headers_are_refused(void **state)
{
	static const struct {
		int version;
		const char *header, *part;
	} cases[] = {
		{ 0, "{'descr': '<f4', " ORDER "'shape': (2,)}", "version 0.0" },
		{ 4, "{'descr': '<f4', " ORDER "'shape': (2,)}", "version 4.0" },
		{ 1, "", "does not begin with {" },
		{ 1, "   \n", "does not begin with {" },
		{ 1, "{", "text in quotes" },
		{ 1, "{}", "missing" },
		{ 1, "{'descr': '<f4', " ORDER "}", "is missing" },
		{ 1, "{'descr': '<f4', 'shape': (2,)}", "is missing" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (2,)", "comma is missing" },
		{ 1, "{'descr': '<f4' " ORDER "'shape': (2,)}", "comma is missing" },
		{ 1, "{'descr' '<f4', " ORDER "'shape': (2,)}", "colon is missing" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (2,)} x", "text follows" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (2,), 'more': 1}", "a key other than" },
		{ 1, "{'descr': '<f4', 'descr': '<f4', " ORDER "'shape': (2,)}", "stands twice" },
		{ 1, "{'desc", "not closed" },
		{ 1, "{'descr': '<f4", "not closed" },
		{ 1, "{'descr': '<f4\", ", "not closed" },
		{ 1, "{'descr': '>f4', " ORDER "'shape': (2,)}", "'>f4' are not read" },
		{ 1, "{'descr': '=f4', " ORDER "'shape': (2,)}", "not read" },
		{ 1, "{'descr': '|f4', " ORDER "'shape': (2,)}", "not read" },
		{ 1, "{'descr': '<c8', " ORDER "'shape': (2,)}", "not read" },
		{ 1, "{'descr': '|O', " ORDER "'shape': (2,)}", "'|O' are not read" },
		{ 1, "{'descr': '', " ORDER "'shape': (2,)}", "not read" },
		{ 1, "{'descr': '<f4<f4<f4<f4<f4<f4<f4<f4', " ORDER "'shape': (2,)}", "not read" },
		{ 1, "{'descr': [('a', '<f4')], " ORDER "'shape': (2,)}", "records" },
		{ 1, "{'descr': f4, " ORDER "'shape': (2,)}", "text in quotes" },
		{ 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2,)}", "Fortran order" },
		{ 1, "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", "neither True nor False" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': 2}", "not a tuple" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (2)}", "not a tuple" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': [2,]}", "not a tuple" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (2 3)}", "comma is missing in 'shape'" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (,)}", "missing or negative" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (-2,)}", "missing or negative" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (2.0,)}", "comma is missing in 'shape'" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (0x10,)}", "comma" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (99999999999999999999,)}", "too large" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (18446744073709551615,)}", "overflows" },
		{ 1, "{'descr': '<f8', " ORDER "'shape': (2305843009213693952,)}", "overflows" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (4294967296, 4294967296)}", "overflows" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (4294967296, 0, 4294967296)}", "overflows" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (1,1,1,1,1,1,1,1,1)}", "more than 8 dimensions" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (1,1,1,1,1,1,1,1,", "more than 8 dimensions" },
		{ 1, "{'descr': '<f4', " ORDER "'shape': (__import__('os'),)}", "missing or negative" },
	};
	uint8_t file[NPY_MAX];
	cn_npy array;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t length = make_npy(file, cases[i].version, cases[i].header, 8);

		assert_fails(cn_npy_parse(&array, file, length, "memory"), CAIRN_EFORMAT, cases[i].part);
		assert_null(array.data);
	}
}

/* Cut at every byte, the copy exactly as long as the cut, so that a sanitizer sees any byte read behind it. */
static void a_file_cut_anywhere_is_refused(void **state)
{
	uint8_t file[NPY_MAX];
	cn_npy array;

	(void)state;
	for (int version = 1; version <= 3; version++) {
		size_t whole = make_npy(file, version, "{'descr': '<f4', " ORDER "'shape': (2, 1), }  \n", 8);

		assert_ok(cn_npy_parse(&array, file, whole, "memory"));
		for (size_t length = 0; length < whole; length++) {
			uint8_t *cut = malloc(length ? length : 1);

			memcpy(cut, file, length);
			assert_fails(cn_npy_parse(&array, cut, length, "memory"), CAIRN_EFORMAT, "memory");
			free(cut);
		}
	}
	assert_fails(cn_npy_parse(&array, NULL, 0, "memory"), CAIRN_EFORMAT, "not a .npy file");
	assert_fails(cn_npy_parse(&array, "PK\3\4 a zip archive", 18, "memory"), CAIRN_EFORMAT, "not a .npy file");
	/* A header length far behind the end. */
	make_npy(file, 2, "{}", 0);
	memset(file + 8, 0xff, 4);
	assert_fails(cn_npy_parse(&array, file, 200, "memory"), CAIRN_EFORMAT, "ends within");
}

static void what_is_written_is_read(void **state)
{
	static const struct {
		cn_npy_type type;
		size_t rank, shape[CN_NPY_MAX_RANK];
	} cases[] = {
		{ CN_NPY_F32, 2, { 7, 5 } },  { CN_NPY_F16, 1, { 9 } },
		{ CN_NPY_F64, 0, { 0 } },     { CN_NPY_I8, 3, { 2, 3, 4 } },
		{ CN_NPY_U8, 2, { 0, 128 } }, { CN_NPY_I32, 8, { 1, 1, 2, 1, 1, 3, 1, 1 } },
		{ CN_NPY_I64, 1, { 64 } },
	};
	const char *path = cn_test_path(cn_test_folder(), "a.npy");
	uint8_t data[1024];
	uint64_t seed = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)cn_test_random(&seed);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t wrong[CN_NPY_MAX_RANK], any[CN_NPY_MAX_RANK] = { 0 }, rank = cases[i].rank;
		cn_npy_type other = cases[i].type == CN_NPY_F32 ? CN_NPY_I64 : CN_NPY_F32;
		cn_npy array;

		assert_ok(cn_npy_write(path, cases[i].type, rank, cases[i].shape, data));
		assert_ok(cn_npy_open(&array, path));
		assert_int_equal((size_t)((const uint8_t *)array.data - array.file.bytes) % 64, 0);
		assert_memory_equal(array.data, data, array.count * cn_npy_type_size(array.type));
		assert_ok(cn_npy_expect(&array, path, cases[i].type, rank, cases[i].shape));
		assert_ok(cn_npy_expect(&array, path, cases[i].type, rank, any));
		assert_fails(cn_npy_expect(&array, path, other, rank, any), CAIRN_EFORMAT, "wanted");
		assert_fails(cn_npy_expect(&array, path, cases[i].type, rank + 1, any), CAIRN_EFORMAT,
			     "dimensions, wanted");
		memcpy(wrong, cases[i].shape, sizeof(wrong));
		if (rank) {
			wrong[rank - 1]++;
			assert_fails(cn_npy_expect(&array, path, cases[i].type, rank, wrong), CAIRN_EFORMAT,
				     "dimension");
		}
		cn_npy_close(&array);
		assert_null(array.data);
		cn_npy_close(&array);
	}
}

/* The bytes that numpy.save(numpy.arange(3, dtype="<i4")) wrote. */
static void numpys_own_bytes(void **state)
{
	static const char header[] = "\x93NUMPY\x01\x00v\x00{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }";
	uint8_t file[140];
	const char *path = cn_test_path(cn_test_folder(), "a.npy");
	size_t shape[] = { 3 };
	static const int32_t values[] = { 0, 1, 2 };
	cn_npy array;

	(void)state;
	memset(file, ' ', 128);
	memcpy(file, header, sizeof(header) - 1);
	file[127] = '\n';
	memcpy(file + 128, values, sizeof(values));
	cn_test_write(path, file, sizeof(file));
	assert_ok(cn_npy_open(&array, path));
	assert_ok(cn_npy_expect(&array, path, CN_NPY_I32, 1, shape));
	assert_memory_equal(array.data, values, sizeof(values));
	cn_npy_close(&array);
}

static void bad_files_and_shapes(void **state)
{
	const char *folder = cn_test_folder(), *path = cn_test_path(folder, "a.npy");
	size_t huge[] = { SIZE_MAX, 2 }, nine[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	cn_npy array;

	(void)state;
	assert_fails(cn_npy_open(&array, path), CAIRN_ENOTFOUND, path);
	cn_test_write(path, "", 0);
	assert_fails(cn_npy_open(&array, path), CAIRN_EFORMAT, path);
	assert_fails(cn_npy_write(path, CN_NPY_F32, 2, huge, NULL), CAIRN_EFORMAT, "overflows");
	assert_fails(cn_npy_write(path, CN_NPY_F32, 9, nine, NULL), CAIRN_EINVALID, "dimensions");
	assert_fails(cn_npy_write("/dev/full", CN_NPY_F32, 2, (size_t[]){ 1, 1 }, (float[]){ 1 }), CAIRN_ENOSPACE,
		     "/dev/full");
}

static int write_and_open(void *path)
{
	static const float data[6] = { 1, 2, 3, 4, 5, 6 };
	static const size_t shape[] = { 2, 3 };
	cn_npy array;

	CN_TRY(cn_npy_write(path, CN_NPY_F32, 2, shape, data));
	CN_TRY(cn_npy_open(&array, path));
	cn_npy_close(&array);
	return 0;
}

static void memory_may_run_out(void **state)
{
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s", cn_test_path(cn_test_folder(), "a.npy"));
	assert_true(cn_torture(write_and_open, path) >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_in_every_legal_form),
		cmocka_unit_test(hostile_headers_are_refused),
		cmocka_unit_test(a_file_cut_anywhere_is_refused),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(numpys_own_bytes),
		cmocka_unit_test(bad_files_and_shapes),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
