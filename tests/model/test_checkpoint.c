/* Checkpoints: good ones in each format, hostile ones, and good ones cut short or with a byte changed anywhere. */
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint.h"
#include "model/pickle.h"
#include "model/weights.h"
#include "networks.h"
#include "support.h"
#include "torture.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

static char *load(const char *name, size_t *length)
{
	char path[200], *bytes;
	snprintf(path, sizeof(path), "checkpoints/%s", name);
	assert_ok(cn_file_read(fixture(path), 1 << 20, &bytes, length));
	return bytes;
}

static int parse(cn_weights *weights, const char *name)
{
	size_t length;
	char *bytes = load(name, &length);
	int status = cn_checkpoint_parse(weights, bytes, length, name);
	cn_free(bytes);
	return status;
}

struct expected {
	const char *name;
	size_t rank, shape[3], count;
	double values[12]; /* the first ones */
};

static void expect(const cn_weights *weights, const struct expected *expected)
{
	const cn_weight *weight = cn_weights_find(weights, expected->name);
	assert_non_null(weight);
	assert_int_equal(weight->rank, expected->rank);
	assert_int_equal(weight->count, expected->count);
	for (size_t i = 0; i < expected->rank; i++)
		assert_int_equal(weight->shape[i], expected->shape[i]);
	for (size_t i = 0; i < expected->count && i < 12; i++) {
		double value = weight->numbers ? (double)weight->numbers[i] : (double)weight->integers[i];
		assert_true(value == expected->values[i]);
	}
}

static void torch_in_both_forms(void **state)
{
	(void)state;
	static const struct expected expected[] = {
		{ "state_dict.plain", 3, { 2, 3, 4 }, 24, { 0, .5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5 } },
		{ "state_dict.turned", 3, { 4, 3, 2 }, 24, { 0, 6, 2, 8, 4, 10, .5, 6.5, 2.5, 8.5, 4.5, 10.5 } },
		{ "state_dict.part", 2, { 2, 2 }, 4, { 2.5, 4.5, 8.5, 10.5 } },
		{ "state_dict.scalar", 0, { 0 }, 1, { 11.5 } },
		{ "state_dict.empty", 2, { 0, 3 }, 0, { 0 } },
		{ "state_dict.double", 1, { 2 }, 2, { 1.5, -2.25 } },
		{ "state_dict.half", 1, { 4 }, 4, { 1.5, -2, 0x1p-24, 65504 } },
		{ "state_dict.bfloat", 1, { 2 }, 2, { 1.5, -3 } },
		{ "state_dict.long", 1, { 2 }, 2, { -1, 0x1p40 } },
		{ "state_dict.char", 1, { 2 }, 2, { -128, 127 } },
		{ "state_dict.bool", 1, { 2 }, 2, { 1, 0 } },
		{ "state_dict.parameter", 1, { 1 }, 1, { 2 } },
	};
	static const char *const files[] = { "good.pth", "good.pt", "good4.pt" };
	for (size_t f = 0; f < 3; f++) {
		cn_weights weights;
		assert_ok(parse(&weights, files[f]));
		assert_int_equal(weights.count, sizeof(expected) / sizeof(expected[0]));
		for (size_t i = 0; i < weights.count; i++)
			expect(&weights, &expected[i]);
		cn_weights_free(&weights);
	}
}

static void safetensors(void **state)
{
	(void)state;
	static const struct expected expected[] = {
		{ "plain", 2, { 2, 2 }, 4, { 0, .5, 1, 1.5 } },
		{ "half", 1, { 2 }, 2, { 1.5, -2 } },
		{ "long", 1, { 1 }, 1, { 0x1p40 } },
		{ "scalar", 0, { 0 }, 1, { 4 } },
	};
	cn_weights weights;
	assert_ok(parse(&weights, "good.safetensors"));
	assert_int_equal(weights.count, 4);
	for (size_t i = 0; i < 4; i++)
		expect(&weights, &expected[i]);
	cn_weights_free(&weights);
}

static void hostile_files_are_refused_with_a_reason(void **state)
{
	(void)state;
	static const struct {
		const char *file;
		int code;
		const char *part;
	} cases[] = {
		{ "system.pt", CAIRN_EFORMAT, "os.system, which is not allowed" },
		{ "stack_global.pt", CAIRN_EFORMAT, "posix.system, which is not allowed" },
		{ "eval.pth", CAIRN_EFORMAT, "builtins.eval, which is not allowed" },
		{ "opcode.pt", CAIRN_EFORMAT, "instruction 0x50" },
		{ "memo.pt", CAIRN_EFORMAT, "memo index runs ahead" },
		{ "unset_memo.pt", CAIRN_EFORMAT, "memo index was never set" },
		{ "empty_stack.pt", CAIRN_EFORMAT, "stack is empty" },
		{ "bare_mark.pt", CAIRN_EFORMAT, "stack is empty" },
		{ "no_mark.pt", CAIRN_EFORMAT, "no mark" },
		{ "no_stop.pt", CAIRN_EFORMAT, "cut short" },
		{ "list.pt", CAIRN_EFORMAT, "not a dictionary" },
		{ "not_utf8.pt", CAIRN_EFORMAT, "not UTF-8" },
		{ "long_text.pt", CAIRN_EFORMAT, "cut short" },
		{ "odd_items.pt", CAIRN_EFORMAT, "cannot hold them" },
		{ "call_text.pt", CAIRN_EFORMAT, "not a function" },
		{ "state.pt", CAIRN_EFORMAT, "state" },
		{ "loop.pt", CAIRN_EFORMAT, "no tensors" },
		{ "laughs.pt", CAIRN_ELIMIT, "too many" },
		{ "copies.pt", CAIRN_ELIMIT, "more than 4194304 items" },
		{ "outside.pt", CAIRN_EFORMAT, "outside its storage" },
		{ "offset.pt", CAIRN_EFORMAT, "outside its storage" },
		{ "repeated.pt", CAIRN_EFORMAT, "its storage only 4" },
		{ "overflow.pt", CAIRN_EFORMAT, "outside its storage" },
		{ "negative.pt", CAIRN_EFORMAT, "size or stride" },
		{ "negative_stride.pth", CAIRN_EFORMAT, "size or stride" },
		{ "rank.pt", CAIRN_EFORMAT, "8 dimensions" },
		{ "count.pt", CAIRN_EFORMAT, "too few" },
		{ "count.pth", CAIRN_EFORMAT, "cut short" },
		{ "big_endian.pth", CAIRN_EUNSUPPORTED, "byte order" },
		{ "big_endian.pt", CAIRN_EUNSUPPORTED, "byte order" },
		{ "compressed.pt", CAIRN_EFORMAT, "compressed" },
		{ "absolute.pt", CAIRN_EFORMAT, "no entry" },
		{ "parent.pt", CAIRN_EFORMAT, "no entry" },
		{ "no_pickle.pt", CAIRN_EFORMAT, "no data.pkl" },
		{ "legacy_keys.pth", CAIRN_EFORMAT, "list of storages" },
		{ "header.safetensors", CAIRN_EFORMAT, "cut short or too long" },
		{ "json.safetensors", CAIRN_EFORMAT, "json.safetensors:1" },
		{ "range.safetensors", CAIRN_EFORMAT, "inside the file" },
		{ "size.safetensors", CAIRN_EFORMAT, "not what the shape needs" },
		{ "huge.safetensors", CAIRN_EFORMAT, "too large" },
		{ "type.safetensors", CAIRN_EUNSUPPORTED, "C64" },
		{ "member.safetensors", CAIRN_EFORMAT, "unknown member" },
		{ "none.safetensors", CAIRN_EFORMAT, "no tensors" },
	};
	cn_weights weights;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_fails(parse(&weights, cases[i].file), cases[i].code, cases[i].part);
		assert_non_null(strstr(cairn_last_error(), cases[i].file));
	}
	assert_fails(cn_checkpoint_load(&weights, "/none/x.pt"), CAIRN_ENOTFOUND, "/none/x.pt");
	assert_fails(cn_checkpoint_parse(&weights, "", 0, "empty"), CAIRN_EFORMAT, "empty");
}

/* As many storages as are possible, and the last of them again and again. */
static void time_for_storages_is_bounded(void **state)
{
	(void)state;
	static const char head[] = "X\7\0\0\0storageq\0ctorch\nFloatStorage\nq\1X\3\0\0\0cpuq\2", again[] = "h\3Q";
	enum { STORAGES = 16384, AGAIN = 10000 };
	cn_text text = CN_TEXT_INIT;
	cn_pickle pickle = { .file = "many" };
	size_t used;
	uint32_t result;
	assert_ok(cn_text_add_bytes(&text, head, sizeof(head) - 1));
	for (int i = 0; i < STORAGES; i++) {
		char number[6];
		snprintf(number, sizeof(number), "%05d", i);
		assert_ok(cn_text_add_bytes(&text, "(h\0h\1X\5\0\0\0", 10));
		assert_ok(cn_text_add(&text, number));
		assert_ok(cn_text_add_bytes(&text, "h\2K\1tq\3Q0", 9));
	}
	for (int i = 0; i < AGAIN; i++)
		assert_ok(cn_text_add_bytes(&text, again, sizeof(again) - 1));
	assert_fails(cn_pickle_read(&pickle, (const uint8_t *)text.data, text.length, &used, &result), CAIRN_ELIMIT,
		     "many: the pickle refers to its 16384 storages too often");
	cn_pickle_free(&pickle);
	cn_text_free(&text);
}

static const char *const good[] = { "good.pth", "good.pt", "good4.pt", "good.safetensors" };

static void cut_short_at_every_byte(void **state)
{
	(void)state;
	for (size_t f = 0; f < 4; f++) {
		size_t length;
		char *bytes = load(good[f], &length);
		for (size_t cut = 0; cut < length; cut++) {
			cn_weights weights;
			/* A copy of that size, so that sanitizers see a read past its end. */
			char *piece = cn_memdup(bytes, cut);
			int status = cn_checkpoint_parse(&weights, piece, cut, good[f]);
			assert_true(status < 0);
			assert_true(cairn_last_error()[0] != '\0');
			cn_free(piece);
		}
		cn_free(bytes);
	}
}

/* Some changes are harmless; none may crash, leak or be believed silently in shape and name. */
static void every_byte_changed(void **state)
{
	(void)state;
	static const unsigned char changes[] = { 0xff, 0x80, 0x01 };
	size_t refused = 0, tried = 0;
	for (size_t f = 0; f < 4; f++) {
		size_t length;
		char *bytes = load(good[f], &length);
		for (size_t at = 0; at < length; at++)
			for (size_t c = 0; c < 3; c++) {
				cn_weights weights;
				bytes[at] = (char)(bytes[at] ^ changes[c]);
				int status = cn_checkpoint_parse(&weights, bytes, length, good[f]);
				bytes[at] = (char)(bytes[at] ^ changes[c]);
				tried++;
				if (status < 0)
					refused++;
				else
					cn_weights_free(&weights);
			}
		cn_free(bytes);
	}
	assert_true(refused > tried / 2);
}

static void wanted_tensors_are_checked(void **state)
{
	(void)state;
	cn_weights weights;
	const cn_weight *weight;
	assert_ok(parse(&weights, "good.safetensors"));
	assert_ok(cn_weights_get(&weights, "plain", 2, (const size_t[]){ 2, 0 }, &weight));
	assert_fails(cn_weights_get(&weights, "none", 2, (const size_t[]){ 2, 0 }, &weight), CAIRN_EFORMAT,
		     "no tensor 'none'");
	assert_fails(cn_weights_get(&weights, "plain", 1, (const size_t[]){ 2 }, &weight), CAIRN_EFORMAT,
		     "2 dimensions, not 1");
	assert_fails(cn_weights_get(&weights, "plain", 2, (const size_t[]){ 2, 3 }, &weight), CAIRN_EFORMAT,
		     "is 2, not 3");
	assert_fails(cn_weights_get(&weights, "long", 1, (const size_t[]){ 1 }, &weight), CAIRN_EFORMAT,
		     "floating-point");
	cn_weights_free(&weights);
}

static int parse_and_free(void *name)
{
	char path[200];
	cn_weights weights;
	snprintf(path, sizeof(path), "checkpoints/%s", (const char *)name);
	CN_TRY(cn_checkpoint_load(&weights, fixture(path)));
	cn_weights_free(&weights);
	return 0;
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	for (size_t f = 0; f < 4; f++) {
		char name[40];
		snprintf(name, sizeof(name), "%s", good[f]);
		assert_true(cn_torture(parse_and_free, name) >= 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(torch_in_both_forms),
		cmocka_unit_test(safetensors),
		cmocka_unit_test(hostile_files_are_refused_with_a_reason),
		cmocka_unit_test(time_for_storages_is_bounded),
		cmocka_unit_test(cut_short_at_every_byte),
		cmocka_unit_test(every_byte_changed),
		cmocka_unit_test(wanted_tensors_are_checked),
		cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
