/*
 * NumPy's array files: a magic string, a version, a length, a Python dictionary in text, the elements. The dictionary
 * is read by a parser for exactly the form that NumPy writes; nothing is evaluated.
 */
#include "util/npy.h"

#include <string.h>

#include "util/memory.h"
#include "util/text.h"

#define MAGIC        "\x93NUMPY"
#define MAGIC_LENGTH 6
#define ALIGNMENT    64

static const struct {
	const char *descr;
	size_t size;
} types[] = {
	[CN_NPY_F32] = { "<f4", 4 }, [CN_NPY_F16] = { "<f2", 2 }, [CN_NPY_F64] = { "<f8", 8 },
	[CN_NPY_I8] = { "|i1", 1 },  [CN_NPY_U8] = { "|u1", 1 },  [CN_NPY_I32] = { "<i4", 4 },
	[CN_NPY_I64] = { "<i8", 8 },
};

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

/** What is left of the header's text. */
typedef struct {
	const char *at, *end;
	const char *name; /* of the file, for errors */
} scanner;

size_t cn_npy_type_size(cn_npy_type type)
{
	return types[type].size;
}

static int bad_header(const scanner *s, const char *what)
{
	return cn_fail(CAIRN_EFORMAT, "%s: the .npy header is faulty: %s", s->name, what);
}

static void skip_space(scanner *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
}

static int accept(scanner *s, char wanted)
{
	skip_space(s);
	if (s->at == s->end || *s->at != wanted)
		return 0;
	s->at++;
	return 1;
}

static int accept_word(scanner *s, const char *word)
{
	size_t length = strlen(word);

	skip_space(s);
	if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0)
		return 0;
	s->at += length;
	return 1;
}

/* A text in single or double quotes, without escapes. */
static int scan_text(scanner *s, const char **text, size_t *length)
{
	const char *close;
	char quote;

	skip_space(s);
	if (s->at == s->end || (*s->at != '\'' && *s->at != '"'))
		return bad_header(s, "a text in quotes is missing");
	quote = *s->at++;
	close = memchr(s->at, quote, (size_t)(s->end - s->at));
	if (!close)
		return bad_header(s, "a quote is not closed");
	*text = s->at;
	*length = (size_t)(close - s->at);
	s->at = close + 1;
	return 0;
}

static int scan_size(scanner *s, size_t *out)
{
	size_t value = 0;
	const char *begin;

	skip_space(s);
	begin = s->at;
	for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *s->at - '0', &value))
			return bad_header(s, "a dimension is too large");
	if (s->at == begin)
		return bad_header(s, "a dimension is missing or negative");
	/* NumPy under Python 2 wrote long integers. */
	if (s->at < s->end && *s->at == 'L')
		s->at++;
	*out = value;
	return 0;
}

/* "()", "(3,)", "(3, 4)", "(3, 4,)"; not "(3)", which is no tuple. */
static int scan_shape(scanner *s, cn_npy *out)
{
	int comma = 0;

	if (!accept(s, '('))
		return bad_header(s, "'shape' is not a tuple");
	while (!accept(s, ')')) {
		if (out->rank && !comma)
			return bad_header(s, "a comma is missing in 'shape'");
		if (out->rank == CN_NPY_MAX_RANK)
			return cn_fail(CAIRN_EFORMAT, "%s: more than %d dimensions", s->name, CN_NPY_MAX_RANK);
		CN_TRY(scan_size(s, &out->shape[out->rank++]));
		comma = accept(s, ',');
	}
	if (out->rank == 1 && !comma)
		return bad_header(s, "'shape' is not a tuple");
	return 0;
}

static int scan_type(scanner *s, cn_npy *out)
{
	const char *text;
	size_t length;

	skip_space(s);
	if (s->at < s->end && *s->at == '[')
		return cn_fail(CAIRN_EFORMAT, "%s: an array of records; save one field as a plain array", s->name);
	CN_TRY(scan_text(s, &text, &length));
	for (size_t i = 0; i < TYPE_COUNT; i++)
		if (length == 3 && memcmp(text + 1, types[i].descr + 1, 2) == 0 &&
		    (text[0] == types[i].descr[0] || (types[i].size == 1 && text[0] == '<'))) {
			out->type = (cn_npy_type)i;
			return 0;
		}
	return cn_fail(CAIRN_EFORMAT,
		       "%s: elements of type '%.*s' are not read; save as <f4, <f2, <f8, |i1, |u1, <i4 or <i8", s->name,
		       length > 16 ? 16 : (int)length, text);
}

static int scan_order(scanner *s)
{
	if (accept_word(s, "False"))
		return 0;
	if (accept_word(s, "True"))
		return cn_fail(CAIRN_EFORMAT, "%s: Fortran order; save numpy.ascontiguousarray(array) instead",
			       s->name);
	return bad_header(s, "'fortran_order' is neither True nor False");
}

static int scan_member(scanner *s, cn_npy *out, unsigned *seen)
{
	static const char *const keys[] = { "descr", "fortran_order", "shape" };
	const char *key;
	size_t length = 0, k = 0;

	CN_TRY(scan_text(s, &key, &length));
	while (k < 3 && (strlen(keys[k]) != length || memcmp(keys[k], key, length) != 0))
		k++;
	if (k == 3)
		return bad_header(s, "a key other than 'descr', 'fortran_order', 'shape'");
	if (*seen & 1u << k)
		return bad_header(s, "a key stands twice");
	*seen |= 1u << k;
	if (!accept(s, ':'))
		return bad_header(s, "a colon is missing");
	return k == 0 ? scan_type(s, out) : k == 1 ? scan_order(s) : scan_shape(s, out);
}

static int scan_dictionary(scanner *s, cn_npy *out)
{
	unsigned seen = 0;
	int comma = 1;

	if (!accept(s, '{'))
		return bad_header(s, "it does not begin with {");
	while (!accept(s, '}')) {
		if (!comma)
			return bad_header(s, "a comma is missing");
		CN_TRY(scan_member(s, out, &seen));
		comma = accept(s, ',');
	}
	if (seen != 7)
		return bad_header(s, "one of 'descr', 'fortran_order', 'shape' is missing");
	skip_space(s);
	if (s->at != s->end)
		return bad_header(s, "text follows the }");
	return 0;
}

/* Find the dictionary's text and the offset of the elements behind it. */
static int find_header(scanner *s, const uint8_t *bytes, size_t length, size_t *offset)
{
	size_t fixed, header;

	if (length < MAGIC_LENGTH + 2 || memcmp(bytes, MAGIC, MAGIC_LENGTH) != 0)
		return cn_fail(CAIRN_EFORMAT, "%s: not a .npy file", s->name);
	if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
		return cn_fail(CAIRN_EFORMAT, "%s: .npy version %d.%d; 1.0, 2.0 and 3.0 are read", s->name, bytes[6],
			       bytes[7]);
	fixed = bytes[6] == 1 ? 10 : 12;
	if (length < fixed)
		return cn_fail(CAIRN_EFORMAT, "%s: ends within the .npy header", s->name);
	header = (size_t)bytes[8] | (size_t)bytes[9] << 8;
	if (bytes[6] > 1)
		header |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
	if (header > length - fixed)
		return cn_fail(CAIRN_EFORMAT, "%s: ends within the .npy header", s->name);
	s->at = (const char *)bytes + fixed;
	s->end = s->at + header;
	*offset = fixed + header;
	return 0;
}

/* Number of elements and bytes of a shape. A shape with a 0 is refused too if its other sizes overflow. */
static int shape_size(const char *name, cn_npy_type type, size_t rank, const size_t *shape, size_t *count, size_t *size)
{
	int empty = 0;

	*count = 1;
	for (size_t i = 0; i < rank; i++) {
		empty |= shape[i] == 0;
		if (shape[i] && __builtin_mul_overflow(*count, shape[i], count))
			return cn_fail(CAIRN_EFORMAT, "%s: the shape's product overflows", name);
	}
	if (__builtin_mul_overflow(*count, types[type].size, size))
		return cn_fail(CAIRN_EFORMAT, "%s: the shape's product overflows", name);
	if (empty)
		*count = *size = 0;
	return 0;
}

int cn_npy_parse(cn_npy *out, const void *bytes, size_t length, const char *name)
{
	scanner s = { .name = name };
	cn_npy array = { .rank = 0 };
	size_t offset, size;

	*out = array;
	CN_TRY(find_header(&s, bytes, length, &offset));
	CN_TRY(scan_dictionary(&s, &array));
	CN_TRY(shape_size(name, array.type, array.rank, array.shape, &array.count, &size));
	if (length - offset != size)
		return cn_fail(CAIRN_EFORMAT, "%s: the header announces %zu bytes of elements, the file has %zu", name,
			       size, length - offset);
	array.data = (const uint8_t *)bytes + offset;
	*out = array;
	return 0;
}

int cn_npy_open(cn_npy *out, const char *path)
{
	cn_mapped file;
	int status;

	*out = (cn_npy){ .rank = 0 };
	CN_TRY(cn_mapped_open(&file, path));
	status = cn_npy_parse(out, file.bytes, file.length, path);
	if (status < 0) {
		cn_mapped_close(&file);
		return status;
	}
	out->file = file;
	return 0;
}

void cn_npy_close(cn_npy *array)
{
	cn_mapped_close(&array->file);
	*array = (cn_npy){ .rank = 0 };
}

int cn_npy_expect(const cn_npy *array, const char *name, cn_npy_type type, size_t rank, const size_t *shape)
{
	if (array->type != type)
		return cn_fail(CAIRN_EFORMAT, "%s: elements are %s, wanted %s", name, types[array->type].descr,
			       types[type].descr);
	if (array->rank != rank)
		return cn_fail(CAIRN_EFORMAT, "%s: %zu dimensions, wanted %zu", name, array->rank, rank);
	for (size_t i = 0; i < rank; i++)
		if (shape[i] && array->shape[i] != shape[i])
			return cn_fail(CAIRN_EFORMAT, "%s: dimension %zu is %zu, wanted %zu", name, i, array->shape[i],
				       shape[i]);
	return 0;
}

int cn_npy_write_header(cn_atomic_file *file, cn_npy_type type, size_t rank, const size_t *shape)
{
	cn_text text = CN_TEXT_INIT;
	uint8_t fixed[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0 };
	size_t padding, count, size;
	int status;

	if (rank > CN_NPY_MAX_RANK)
		return cn_fail(CAIRN_EINVALID, "%s: %zu dimensions, at most %d", file->path, rank, CN_NPY_MAX_RANK);
	CN_TRY(shape_size(file->path, type, rank, shape, &count, &size));
	CN_GOTO(status, cn_text_addf(&text, "{'descr': '%s', 'fortran_order': False, 'shape': (", types[type].descr));
	for (size_t i = 0; i < rank; i++)
		CN_GOTO(status, cn_text_addf(&text, "%s%zu", i ? ", " : "", shape[i]));
	CN_GOTO(status, cn_text_add(&text, rank == 1 ? ",), }" : "), }"));
	padding = ALIGNMENT - (sizeof(fixed) + text.length + 1) % ALIGNMENT;
	CN_GOTO(status, cn_text_addf(&text, "%*s\n", (int)padding, ""));
	fixed[8] = (uint8_t)(text.length & 0xff);
	fixed[9] = (uint8_t)(text.length >> 8);
	CN_GOTO(status, cn_atomic_write(file, fixed, sizeof(fixed)));
	status = cn_atomic_write(file, text.data, text.length);
done:
	cn_text_free(&text);
	return status;
}

int cn_npy_write(const char *path, cn_npy_type type, size_t rank, const size_t *shape, const void *data)
{
	cn_atomic_file file;
	size_t count, size;
	int status;

	CN_TRY(cn_atomic_open(&file, path));
	CN_GOTO(status, cn_npy_write_header(&file, type, rank, shape));
	CN_GOTO(status, shape_size(path, type, rank, shape, &count, &size));
	CN_GOTO(status, cn_atomic_write(&file, data, size));
	return cn_atomic_commit(&file);
done:
	cn_atomic_abort(&file);
	return status;
}
