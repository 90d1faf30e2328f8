/*
 * Label files: columns, relative paths, and faults that are told with file and line.
 */
#include <string.h>

#include "collection/labels.h"
#include "photos.h"

static const char *write_csv(const char *content, size_t length)
{
	const char *path = keep(cn_test_path(cn_test_folder(), "labels.csv"));
	cn_test_write(path, content, length);
	return path;
}

static void refuses_faulty_files(void **state)
{
	(void)state;
	static const struct {
		const char *content, *text;
	} cases[] = {
		{ "", ":1: empty" },
		{ "path\na.jpg\n", ":1: no column 'label'" },
		{ "label,name\nx,a.jpg\n", ":1: no column 'path'" },
		{ "a.jpg,tower\n", ":1: no column" },
		{ "path,label,path\na,b,c\n", ":1: two columns for the path" },
		{ "path,image,label\na,b,c\n", ":1: two columns for the path" },
		{ "path,label\na.jpg\n", ":2: 1 fields" },
		{ "path,label\na.jpg,x\nb.jpg,y,z\n", ":3: 3 fields" },
		{ "path,label\n,x\n", ":2: the path is empty" },
		{ "path,label\na.jpg,x\n\n./a.jpg,y\n", ":4: './a.jpg' has the label 'y' here and 'x' in line 2" },
		{ "path,label\n\"a.jpg,x\n", "labels.csv:" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cn_labels labels;
		const char *path = write_csv(cases[i].content, strlen(cases[i].content));
		assert_fails(cn_labels_read(&labels, path), CAIRN_EFORMAT, cases[i].text);
		assert_non_null(strstr(cairn_last_error(), "labels.csv"));
	}
	cn_labels labels;
	assert_fails(cn_labels_read(&labels, "/no/such.csv"), CAIRN_ENOTFOUND, "/no/such.csv");
}

static void finds_labels_by_absolute_path(void **state)
{
	(void)state;
	static const char content[] =
		"\xef\xbb\xbfid,image,label\r\n1,/abs/x.jpg,one\r\n2,\"y, z.jpg\",\"two \"\"2\"\"\"\r\n"
		"3,/abs/x.jpg,one\r\n4,/abs/none.jpg,\r\n";
	const char *folder = keep(cn_test_folder()), *path = keep(cn_test_path(folder, "labels.csv"));
	cn_labels labels;
	cn_test_write(path, content, strlen(content));
	cn_test_write(cn_test_path(folder, "y, z.jpg"), "", 0);
	assert_ok(cn_labels_read(&labels, path));
	assert_string_equal(cn_labels_find(&labels, "/abs/x.jpg"), "one");
	assert_string_equal(cn_labels_find(&labels, cn_test_path(folder, "y, z.jpg")), "two \"2\"");
	assert_string_equal(cn_labels_find(&labels, "/abs/none.jpg"), "");
	assert_null(cn_labels_find(&labels, "/abs/other.jpg"));
	cn_labels_free(&labels);
}

static void names_the_parent_folder(void **state)
{
	(void)state;
	static const struct {
		const char *path, *label;
	} cases[] = { { "/a/b/c.jpg", "b" }, { "/a.jpg", "" }, { "/x y/\xc3\xa4/1.png", "\xc3\xa4" } };
	cn_text text = CN_TEXT_INIT;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_ok(cn_label_of_parent(&text, cases[i].path));
		assert_string_equal(text.data, cases[i].label);
	}
	cn_text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_faulty_files),
		cmocka_unit_test(finds_labels_by_absolute_path),
		cmocka_unit_test(names_the_parent_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
