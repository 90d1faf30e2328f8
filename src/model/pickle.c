/*
 * The pickle machine: a stack, marks in it, a memo, and a table of the names that may be called.
 *
 * Every limit is there because a short file could otherwise ask for much memory or time: each value costs some 32
 * bytes, memo indices may not run ahead of the values, a storage table is searched by key, a list may be made into a
 * dictionary again and again.
 */
#include "model/pickle.h"

#include <stdio.h>
#include <string.h>

#include "util/memory.h"
#include "util/text.h"
#include "util/utf8.h"

#define MAX_VALUES   ((size_t)1 << 22)
#define MAX_STORAGES 16384
#define MAX_COMPARED ((size_t)MAX_STORAGES * MAX_STORAGES)
#define MAX_TENSORS  65536
#define MAX_NESTING  4

/* ---- names that may be used ---- */

enum { NAME_DICT, NAME_TENSOR, NAME_PARAMETER, NAME_STORAGE };

static const struct {
	const char *module, *name;
	int what;
	cn_stored_type type;
} names[] = {
	{ "collections", "OrderedDict", NAME_DICT, 0 },
	{ "torch._utils", "_rebuild_tensor_v2", NAME_TENSOR, 0 },
	{ "torch._utils", "_rebuild_parameter", NAME_PARAMETER, 0 },
	{ "torch", "FloatStorage", NAME_STORAGE, CN_STORED_F32 },
	{ "torch", "DoubleStorage", NAME_STORAGE, CN_STORED_F64 },
	{ "torch", "HalfStorage", NAME_STORAGE, CN_STORED_F16 },
	{ "torch", "BFloat16Storage", NAME_STORAGE, CN_STORED_BF16 },
	{ "torch", "LongStorage", NAME_STORAGE, CN_STORED_I64 },
	{ "torch", "IntStorage", NAME_STORAGE, CN_STORED_I32 },
	{ "torch", "ShortStorage", NAME_STORAGE, CN_STORED_I16 },
	{ "torch", "CharStorage", NAME_STORAGE, CN_STORED_I8 },
	{ "torch", "ByteStorage", NAME_STORAGE, CN_STORED_U8 },
	{ "torch", "BoolStorage", NAME_STORAGE, CN_STORED_BOOL },
};

/* ---- the machine ---- */

struct machine {
	cn_pickle *pickle;
	const uint8_t *start, *at, *end;
	uint32_t *stack;
	size_t depth, stack_capacity;
	size_t *marks;
	size_t mark_count, mark_capacity;
	uint32_t *memo; /* index of a value plus one; 0 where unset */
	size_t memo_count, memo_capacity;
};

static int bad(const struct machine *m, const char *what)
{
	return cn_fail(CAIRN_EFORMAT, "%s: pickle, byte %zu: %s", m->pickle->file, (size_t)(m->at - m->start), what);
}

/* Makes room for one more item in a growing array. */
static int reserve(void **items, size_t count, size_t *capacity, size_t size, size_t limit, const char *file)
{
	if (count < *capacity)
		return 0;
	if (count >= limit)
		return cn_fail(CAIRN_ELIMIT, "%s: the pickle has more than %zu parts of one kind", file, limit);
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown = cn_realloc(*items, wanted, size);
	if (!grown)
		return CAIRN_ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

#define RESERVE(items, count, capacity, limit, file)                                                                   \
	reserve((void **)&(items), (count), &(capacity), sizeof(*(items)), (limit), (file))

static cn_pickle_value *value_at(const struct machine *m, uint32_t index)
{
	return &m->pickle->values[index];
}

static int push(struct machine *m, uint32_t index)
{
	CN_TRY(RESERVE(m->stack, m->depth, m->stack_capacity, MAX_VALUES, m->pickle->file));
	m->stack[m->depth++] = index;
	return 0;
}

static int push_value(struct machine *m, cn_pickle_value value)
{
	cn_pickle *p = m->pickle;
	int status = RESERVE(p->values, p->value_count, p->value_capacity, MAX_VALUES, p->file);
	if (status < 0) {
		if (value.kind == CN_PICKLE_TUPLE || value.kind == CN_PICKLE_LIST || value.kind == CN_PICKLE_DICT)
			cn_free(value.items);
		return status;
	}
	p->values[p->value_count] = value;
	return push(m, (uint32_t)p->value_count++);
}

static int push_integer(struct machine *m, cn_pickle_kind kind, int64_t integer)
{
	return push_value(m, (cn_pickle_value){ .kind = kind, .integer = integer });
}

static int pop(struct machine *m, uint32_t *out)
{
	size_t floor = m->mark_count ? m->marks[m->mark_count - 1] : 0;
	*out = 0;
	if (m->depth <= floor)
		return bad(m, "the stack is empty");
	*out = m->stack[--m->depth];
	return 0;
}

static int top(const struct machine *m, uint32_t *out)
{
	size_t floor = m->mark_count ? m->marks[m->mark_count - 1] : 0;
	*out = 0;
	if (m->depth <= floor)
		return bad(m, "the stack is empty");
	*out = m->stack[m->depth - 1];
	return 0;
}

/* Takes the mark away; the items above it stay where they are, the caller lowers the depth. */
static int pop_mark(struct machine *m, size_t *floor)
{
	*floor = 0;
	if (m->mark_count == 0)
		return bad(m, "there is no mark");
	*floor = m->marks[--m->mark_count];
	return 0;
}

static int take(struct machine *m, size_t count, const uint8_t **out)
{
	*out = m->at;
	if ((size_t)(m->end - m->at) < count)
		return bad(m, "cut short");
	m->at += count;
	return 0;
}

static int take_number(struct machine *m, size_t bytes, uint64_t *out)
{
	const uint8_t *from;
	CN_TRY(take(m, bytes, &from));
	*out = 0;
	for (size_t i = 0; i < bytes; i++)
		*out |= (uint64_t)from[i] << (8 * i);
	return 0;
}

static int push_text(struct machine *m, size_t length_bytes)
{
	uint64_t length;
	const uint8_t *from;
	CN_TRY(take_number(m, length_bytes, &length));
	if (length > UINT32_MAX)
		return bad(m, "cut short");
	CN_TRY(take(m, (size_t)length, &from));
	if (!cn_utf8_valid((const char *)from, (size_t)length))
		return bad(m, "a text is not UTF-8");
	return push_value(
		m, (cn_pickle_value){ .kind = CN_PICKLE_TEXT, .count = (uint32_t)length, .text = (const char *)from });
}

static int push_long(struct machine *m)
{
	uint64_t length;
	const uint8_t *from;
	CN_TRY(take_number(m, 1, &length));
	CN_TRY(take(m, (size_t)length, &from));
	if (length > 8)
		return push_value(m, (cn_pickle_value){ .kind = CN_PICKLE_LONG,
							.count = (uint32_t)length,
							.text = (const char *)from });
	uint64_t bits = 0;
	for (size_t i = 0; i < length; i++)
		bits |= (uint64_t)from[i] << (8 * i);
	if (length > 0 && length < 8 && from[length - 1] & 0x80)
		bits |= ~(uint64_t)0 << (8 * length);
	return push_integer(m, CN_PICKLE_INTEGER, (int64_t)bits);
}

static int push_float(struct machine *m)
{
	const uint8_t *from;
	uint64_t bits = 0;
	cn_pickle_value value = { .kind = CN_PICKLE_FLOAT };
	CN_TRY(take(m, 8, &from));
	for (size_t i = 0; i < 8; i++)
		bits = bits << 8 | from[i];
	memcpy(&value.number, &bits, sizeof(value.number));
	return push_value(m, value);
}

/* A new tuple of the `count` items on top of the stack. */
static int push_tuple(struct machine *m, size_t floor)
{
	size_t count = m->depth - floor;
	cn_pickle_value value = { .kind = CN_PICKLE_TUPLE, .count = (uint32_t)count };
	if (count > 0) {
		value.items = cn_memdup(m->stack + floor, count * sizeof(*m->stack));
		if (!value.items)
			return CAIRN_ENOMEM;
	}
	m->depth = floor;
	return push_value(m, value);
}

static int push_short_tuple(struct machine *m, size_t count)
{
	size_t floor = m->mark_count ? m->marks[m->mark_count - 1] : 0;
	if (m->depth - floor < count)
		return bad(m, "the stack is empty");
	return push_tuple(m, m->depth - count);
}

/* Moves the items from `floor` on into a container. Its memory doubles, so that item after item costs little. */
static int append(struct machine *m, size_t floor, cn_pickle_kind kind)
{
	uint32_t target;
	size_t count = m->depth - floor;
	m->depth = floor;
	CN_TRY(top(m, &target));
	cn_pickle_value *value = value_at(m, target);
	if (value->kind != kind || (kind == CN_PICKLE_DICT && count % 2 != 0))
		return bad(m, "items are added to what cannot hold them");
	if (count == 0)
		return 0;
	size_t total = value->count + count, capacity = 1;
	while (capacity < total)
		capacity *= 2;
	if (total > MAX_VALUES)
		return cn_fail(CAIRN_ELIMIT, "%s: a container of more than %zu items", m->pickle->file, MAX_VALUES);
	uint32_t *items = cn_realloc(value->items, capacity, sizeof(*items));
	if (!items)
		return CAIRN_ENOMEM;
	memcpy(items + value->count, m->stack + floor, count * sizeof(*items));
	value->items = items;
	value->count = (uint32_t)total;
	return 0;
}

static int append_few(struct machine *m, size_t count, cn_pickle_kind kind)
{
	size_t floor = m->mark_count ? m->marks[m->mark_count - 1] : 0;
	if (m->depth - floor < count)
		return bad(m, "the stack is empty");
	return append(m, m->depth - count, kind);
}

static int append_marked(struct machine *m, cn_pickle_kind kind)
{
	size_t floor;
	CN_TRY(pop_mark(m, &floor));
	return append(m, floor, kind);
}

static int memo_put(struct machine *m, uint64_t index)
{
	uint32_t value;
	CN_TRY(top(m, &value));
	if (index > m->pickle->value_count)
		return bad(m, "a memo index runs ahead");
	while (m->memo_count <= index) {
		CN_TRY(RESERVE(m->memo, m->memo_count, m->memo_capacity, MAX_VALUES + 1, m->pickle->file));
		m->memo[m->memo_count++] = 0;
	}
	m->memo[index] = value + 1;
	return 0;
}

static int memo_get(struct machine *m, uint64_t index)
{
	if (index >= m->memo_count || m->memo[index] == 0)
		return bad(m, "a memo index was never set");
	return push(m, m->memo[index] - 1);
}

static int push_name(struct machine *m, const char *module, size_t module_length, const char *name, size_t name_length)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].module) == module_length && memcmp(names[i].module, module, module_length) == 0 &&
		    strlen(names[i].name) == name_length && memcmp(names[i].name, name, name_length) == 0)
			return push_integer(m, CN_PICKLE_NAME, (int64_t)i);
	char shown[128];
	snprintf(shown, sizeof(shown), "%.*s.%.*s", (int)(module_length < 60 ? module_length : 60), module,
		 (int)(name_length < 60 ? name_length : 60), name);
	for (char *c = shown; *c; c++)
		if (*c < 32 || *c > 126)
			*c = '?';
	return cn_fail(
		CAIRN_EFORMAT,
		"%s: the pickle refers to %s, which is not allowed; only plain tensors are read (save a state_dict)",
		m->pickle->file, shown);
}

static int read_global(struct machine *m)
{
	const char *parts[2];
	size_t lengths[2];
	for (int i = 0; i < 2; i++) {
		const uint8_t *line = m->at,
			      *stop = m->at < m->end ? memchr(line, '\n', (size_t)(m->end - line)) : NULL;
		if (!stop)
			return bad(m, "cut short");
		parts[i] = (const char *)line;
		lengths[i] = (size_t)(stop - line);
		m->at = stop + 1;
	}
	return push_name(m, parts[0], lengths[0], parts[1], lengths[1]);
}

static int read_stack_global(struct machine *m)
{
	uint32_t module, name;
	CN_TRY(pop(m, &name));
	CN_TRY(pop(m, &module));
	const cn_pickle_value *a = value_at(m, module), *b = value_at(m, name);
	if (a->kind != CN_PICKLE_TEXT || b->kind != CN_PICKLE_TEXT)
		return bad(m, "a name is not a text");
	return push_name(m, a->text, a->count, b->text, b->count);
}

/* ---- storages and tensors ---- */

static const cn_pickle_value *item(const struct machine *m, const cn_pickle_value *container, uint32_t index)
{
	return value_at(m, container->items[index]);
}

static int is_name(const cn_pickle_value *value, int what)
{
	return value->kind == CN_PICKLE_NAME && names[value->integer].what == what;
}

static int add_storage(struct machine *m, cn_pickle_storage storage)
{
	cn_pickle *p = m->pickle;
	p->compared += p->storage_count;
	if (p->compared > MAX_COMPARED)
		return cn_fail(CAIRN_ELIMIT, "%s: the pickle refers to its %zu storages too often", p->file,
			       p->storage_count);
	for (size_t i = 0; i < p->storage_count; i++) {
		const cn_pickle_storage *old = &p->storages[i];
		if (old->key_length != storage.key_length || memcmp(old->key, storage.key, old->key_length) != 0)
			continue;
		if (old->type != storage.type || old->elements != storage.elements)
			return bad(m, "a storage is described in two ways");
		return push_integer(m, CN_PICKLE_STORAGE, (int64_t)i);
	}
	CN_TRY(RESERVE(p->storages, p->storage_count, p->storage_capacity, MAX_STORAGES, p->file));
	p->storages[p->storage_count] = storage;
	return push_integer(m, CN_PICKLE_STORAGE, (int64_t)p->storage_count++);
}

/* ("storage", type, key, location, elements[, None]). */
static int read_persistent(struct machine *m)
{
	uint32_t index;
	CN_TRY(pop(m, &index));
	const cn_pickle_value *tuple = value_at(m, index);
	if (tuple->kind != CN_PICKLE_TUPLE || tuple->count < 5 || tuple->count > 6 ||
	    !cn_pickle_is_text(item(m, tuple, 0), "storage") || !is_name(item(m, tuple, 1), NAME_STORAGE) ||
	    item(m, tuple, 2)->kind != CN_PICKLE_TEXT || item(m, tuple, 4)->kind != CN_PICKLE_INTEGER ||
	    item(m, tuple, 4)->integer < 0 || (tuple->count == 6 && item(m, tuple, 5)->kind != CN_PICKLE_NONE))
		return bad(m, "a storage is not described as PyTorch does");
	const cn_pickle_value *key = item(m, tuple, 2);
	return add_storage(m, (cn_pickle_storage){ .key = key->text,
						   .key_length = key->count,
						   .type = names[item(m, tuple, 1)->integer].type,
						   .elements = (size_t)item(m, tuple, 4)->integer });
}

static int read_sizes(const struct machine *m, const cn_pickle_value *tuple, size_t *out)
{
	for (uint32_t i = 0; i < tuple->count; i++) {
		const cn_pickle_value *size = item(m, tuple, i);
		if (size->kind != CN_PICKLE_INTEGER || size->integer < 0)
			return bad(m, "a size or stride is not a number of 0 or more");
		out[i] = (size_t)size->integer;
	}
	return 0;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]). */
static int rebuild_tensor(struct machine *m, const cn_pickle_value *arguments)
{
	cn_pickle *p = m->pickle;
	if (arguments->count < 6 || arguments->count > 7)
		return bad(m, "a tensor is not described as PyTorch does");
	const cn_pickle_value *storage = item(m, arguments, 0), *offset = item(m, arguments, 1);
	const cn_pickle_value *size = item(m, arguments, 2), *stride = item(m, arguments, 3);
	if (storage->kind != CN_PICKLE_STORAGE || offset->kind != CN_PICKLE_INTEGER || offset->integer < 0 ||
	    size->kind != CN_PICKLE_TUPLE || stride->kind != CN_PICKLE_TUPLE || size->count != stride->count)
		return bad(m, "a tensor is not described as PyTorch does");
	if (size->count > CN_WEIGHTS_MAX_RANK)
		return bad(m, "a tensor has more than 8 dimensions");
	cn_pickle_tensor tensor = { .storage = (uint32_t)storage->integer };
	tensor.layout.type = p->storages[tensor.storage].type;
	tensor.layout.rank = size->count;
	tensor.layout.offset = (size_t)offset->integer;
	CN_TRY(read_sizes(m, size, tensor.layout.shape));
	CN_TRY(read_sizes(m, stride, tensor.layout.strides));
	CN_TRY(RESERVE(p->tensors, p->tensor_count, p->tensor_capacity, MAX_TENSORS, p->file));
	p->tensors[p->tensor_count] = tensor;
	return push_integer(m, CN_PICKLE_TENSOR, (int64_t)p->tensor_count++);
}

/* OrderedDict() or OrderedDict([[key, value], ...]). */
static int build_dict(struct machine *m, const cn_pickle_value *arguments)
{
	cn_pickle_value dict = { .kind = CN_PICKLE_DICT };
	if (arguments->count == 0)
		return push_value(m, dict);
	const cn_pickle_value *pairs = item(m, arguments, 0);
	if (arguments->count != 1 || pairs->kind != CN_PICKLE_LIST)
		return bad(m, "an OrderedDict is made of something else than pairs");
	m->pickle->copied += 2 * (size_t)pairs->count;
	if (m->pickle->copied > MAX_VALUES)
		return cn_fail(CAIRN_ELIMIT, "%s: dictionaries made of lists have more than %zu items", m->pickle->file,
			       MAX_VALUES);
	if (pairs->count > 0) {
		dict.items = cn_alloc(2 * (size_t)pairs->count, sizeof(*dict.items));
		if (!dict.items)
			return CAIRN_ENOMEM;
	}
	for (uint32_t i = 0; i < pairs->count; i++) {
		const cn_pickle_value *pair = item(m, pairs, i);
		if ((pair->kind != CN_PICKLE_LIST && pair->kind != CN_PICKLE_TUPLE) || pair->count != 2) {
			cn_free(dict.items);
			return bad(m, "an OrderedDict is made of something else than pairs");
		}
		memcpy(dict.items + 2 * i, pair->items, 2 * sizeof(*dict.items));
	}
	dict.count = 2 * pairs->count;
	return push_value(m, dict);
}

static int reduce(struct machine *m)
{
	uint32_t arguments_at, function_at;
	CN_TRY(pop(m, &arguments_at));
	CN_TRY(pop(m, &function_at));
	const cn_pickle_value *arguments = value_at(m, arguments_at), *function = value_at(m, function_at);
	if (arguments->kind != CN_PICKLE_TUPLE || function->kind != CN_PICKLE_NAME)
		return bad(m, "a call of something that is not a function");
	switch (names[function->integer].what) {
	case NAME_DICT:
		return build_dict(m, arguments);
	case NAME_TENSOR:
		return rebuild_tensor(m, arguments);
	case NAME_PARAMETER:
		if (arguments->count < 1 || item(m, arguments, 0)->kind != CN_PICKLE_TENSOR)
			return bad(m, "a parameter is not a tensor");
		return push(m, arguments->items[0]);
	default:
		return bad(m, "a storage is made by a call");
	}
}

/* The state of an OrderedDict is metadata, which nobody needs. */
static int build(struct machine *m)
{
	uint32_t state, target;
	CN_TRY(pop(m, &state));
	CN_TRY(top(m, &target));
	return value_at(m, target)->kind == CN_PICKLE_DICT ? 0 : bad(m, "a state is given to what has none");
}

/* ---- instructions ---- */

static int mark(struct machine *m)
{
	CN_TRY(RESERVE(m->marks, m->mark_count, m->mark_capacity, MAX_VALUES, m->pickle->file));
	m->marks[m->mark_count++] = m->depth;
	return 0;
}

static int unknown(struct machine *m, uint8_t code)
{
	return cn_fail(CAIRN_EFORMAT, "%s: pickle, byte %zu: the instruction 0x%02x is not one that a checkpoint needs",
		       m->pickle->file, (size_t)(m->at - m->start) - 1, code);
}

static int step_scalar(struct machine *m, uint8_t code)
{
	uint64_t number;
	switch (code) {
	case 'N':
		return push_value(m, (cn_pickle_value){ .kind = CN_PICKLE_NONE });
	case 0x88:
	case 0x89:
		return push_integer(m, CN_PICKLE_BOOL, code == 0x88);
	case 'J':
		CN_TRY(take_number(m, 4, &number));
		return push_integer(m, CN_PICKLE_INTEGER, (int32_t)(uint32_t)number);
	case 'K':
		CN_TRY(take_number(m, 1, &number));
		return push_integer(m, CN_PICKLE_INTEGER, (int64_t)number);
	case 'M':
		CN_TRY(take_number(m, 2, &number));
		return push_integer(m, CN_PICKLE_INTEGER, (int64_t)number);
	case 0x8a:
		return push_long(m);
	case 'G':
		return push_float(m);
	case 'X':
	case 'T':
		return push_text(m, 4);
	case 0x8c:
	case 'U':
		return push_text(m, 1);
	case 0x8d:
		return push_text(m, 8);
	default:
		return unknown(m, code);
	}
}

static int step_container(struct machine *m, uint8_t code)
{
	size_t floor;
	switch (code) {
	case ')':
		return push_value(m, (cn_pickle_value){ .kind = CN_PICKLE_TUPLE });
	case ']':
		return push_value(m, (cn_pickle_value){ .kind = CN_PICKLE_LIST });
	case '}':
		return push_value(m, (cn_pickle_value){ .kind = CN_PICKLE_DICT });
	case 't':
		CN_TRY(pop_mark(m, &floor));
		return push_tuple(m, floor);
	case 0x85:
	case 0x86:
	case 0x87:
		return push_short_tuple(m, (size_t)code - 0x84);
	case 'a':
		return append_few(m, 1, CN_PICKLE_LIST);
	case 'e':
		return append_marked(m, CN_PICKLE_LIST);
	case 's':
		return append_few(m, 2, CN_PICKLE_DICT);
	case 'u':
		return append_marked(m, CN_PICKLE_DICT);
	default:
		return step_scalar(m, code);
	}
}

static int step(struct machine *m, uint8_t code)
{
	uint64_t number;
	uint32_t dropped;
	switch (code) {
	case 0x80:
		CN_TRY(take_number(m, 1, &number));
		return number <= 5 ? 0 : bad(m, "the protocol is newer than 5");
	case 0x95: /* a frame: its length helps readers that fetch piece by piece */
		return take_number(m, 8, &number);
	case '(':
		return mark(m);
	case '0':
		return pop(m, &dropped);
	case 'q':
		CN_TRY(take_number(m, 1, &number));
		return memo_put(m, number);
	case 'r':
		CN_TRY(take_number(m, 4, &number));
		return memo_put(m, number);
	case 0x94:
		return memo_put(m, m->memo_count);
	case 'h':
		CN_TRY(take_number(m, 1, &number));
		return memo_get(m, number);
	case 'j':
		CN_TRY(take_number(m, 4, &number));
		return memo_get(m, number);
	case 'c':
		return read_global(m);
	case 0x93:
		return read_stack_global(m);
	case 'Q':
		return read_persistent(m);
	case 'R':
		return reduce(m);
	case 'b':
		return build(m);
	default:
		return step_container(m, code);
	}
}

static int run(struct machine *m, uint32_t *result)
{
	for (;;) {
		const uint8_t *code;
		CN_TRY(take(m, 1, &code));
		if (*code == '.')
			return pop(m, result);
		CN_TRY(step(m, *code));
	}
}

int cn_pickle_read(cn_pickle *pickle, const uint8_t *bytes, size_t length, size_t *used, uint32_t *result)
{
	struct machine m = { .pickle = pickle, .start = bytes, .at = bytes, .end = bytes + length };
	int status = run(&m, result);
	*used = (size_t)(m.at - m.start);
	cn_free(m.stack);
	cn_free(m.marks);
	cn_free(m.memo);
	return status;
}

void cn_pickle_free(cn_pickle *pickle)
{
	for (size_t i = 0; i < pickle->value_count; i++) {
		cn_pickle_kind kind = pickle->values[i].kind;
		if (kind == CN_PICKLE_TUPLE || kind == CN_PICKLE_LIST || kind == CN_PICKLE_DICT)
			cn_free(pickle->values[i].items);
	}
	cn_free(pickle->values);
	cn_free(pickle->storages);
	cn_free(pickle->tensors);
	memset(pickle, 0, sizeof(*pickle));
}

int cn_pickle_is_text(const cn_pickle_value *value, const char *text)
{
	return value->kind == CN_PICKLE_TEXT && value->count == strlen(text) &&
	       memcmp(value->text, text, value->count) == 0;
}

/* ---- what came out ---- */

struct collector {
	const cn_pickle *pickle;
	cn_weights *out;
	size_t visited;
};

static int collect_tensor(const struct collector *c, const cn_pickle_value *value, const cn_text *name)
{
	const cn_pickle_tensor *tensor = &c->pickle->tensors[value->integer];
	const cn_pickle_storage *storage = &c->pickle->storages[tensor->storage];
	cn_stored_tensor stored = tensor->layout;
	if (!storage->bytes)
		return cn_fail(CAIRN_EFORMAT, "%s: the numbers of '%.200s' are missing", c->pickle->file, name->data);
	stored.bytes = storage->bytes;
	stored.elements = storage->elements;
	return cn_weights_add(c->out, name->data, name->length, &stored);
}

/* A pickle may share one dictionary many times, so the work is counted, not the dictionaries. */
static int collect(struct collector *c, const cn_pickle_value *dict, const cn_text *prefix, int depth)
{
	const cn_pickle *p = c->pickle;
	for (uint32_t i = 0; i + 1 < dict->count; i += 2) {
		const cn_pickle_value *key = &p->values[dict->items[i]], *value = &p->values[dict->items[i + 1]];
		if (++c->visited > MAX_VALUES)
			return cn_fail(CAIRN_ELIMIT, "%s: too many entries", p->file);
		int wanted =
			key->kind == CN_PICKLE_TEXT && key->count > 0 &&
			(value->kind == CN_PICKLE_TENSOR || (value->kind == CN_PICKLE_DICT && depth < MAX_NESTING));
		if (!wanted)
			continue;
		cn_text name = CN_TEXT_INIT;
		int status = 0;
		if (prefix && prefix->length)
			status = cn_text_addf(&name, "%s.", prefix->data);
		if (status == 0)
			status = cn_text_add_bytes(&name, key->text, key->count);
		if (status == 0)
			status = value->kind == CN_PICKLE_TENSOR ? collect_tensor(c, value, &name)
								 : collect(c, value, &name, depth + 1);
		cn_text_free(&name);
		CN_TRY(status);
	}
	return 0;
}

int cn_pickle_collect(const cn_pickle *pickle, uint32_t root, cn_weights *out)
{
	struct collector collector = { .pickle = pickle, .out = out };
	const cn_pickle_value *dict = &pickle->values[root];
	if (dict->kind != CN_PICKLE_DICT)
		return cn_fail(CAIRN_EFORMAT, "%s: the checkpoint is not a dictionary of tensors", pickle->file);
	return collect(&collector, dict, NULL, 0);
}
