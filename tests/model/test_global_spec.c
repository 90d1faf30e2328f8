/*
 * The member "global" of a model.json: what may be said, what is refused and how, the files it names, fingerprints.
 */
#include "model/global_spec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "torture.h"
#include "util/json.h"
#include "util/npy.h"

static int parse(cn_global_spec *spec, const char *text)
{
	json_t *json;
	memset(spec, 0, sizeof(*spec));
	assert_ok(cn_json_parse(&json, text, strlen(text), "json"));
	int status = cn_global_parse(spec, json, "model.json: global");
	json_decref(json);
	return status;
}

/* ---- what may be said ---- */

static void what_is_not_said_has_a_default(void **state)
{
	(void)state;
	cn_global_spec spec;
	assert_ok(parse(&spec, "{\"output\":\"map\",\"pool\":\"mac\",\"dim\":4}"));
	assert_string_equal(spec.output, "map");
	assert_int_equal(spec.dim, 4);
	assert_int_equal(spec.kept, 4);
	assert_int_equal(spec.head_count, 1);
	assert_int_equal(spec.heads[0].pool, CN_POOL_MAC);
	assert_int_equal(spec.heads[0].normalise, 0);
	assert_null(spec.heads[0].layer.weight_file);
	assert_int_equal(spec.filters.attention, CN_ATTENTION_NONE);
	assert_int_equal(spec.filters.has_floor, 0);
	assert_int_equal(spec.filters.regional_size, 0);
	assert_int_equal(spec.views.scale_count, 1);
	assert_true(spec.views.scales[0] == 1);
	assert_int_equal(spec.views.flip, 0);
	assert_int_equal(spec.views.crops, CN_CROPS_NONE);
	assert_int_equal(spec.views.combine, CN_COMBINE_MEAN);
	assert_null(spec.mean_file);
	assert_int_equal(spec.unit, 0);
	assert_false(cn_global_is_vector(&spec));
	cn_global_free(&spec);
	/* Harmless on what was freed. */
	cn_global_free(&spec);
	assert_ok(parse(&spec, "{\"output\":\"v\",\"pool\":\"none\",\"dim\":65536}"));
	assert_true(cn_global_is_vector(&spec));
	cn_global_free(&spec);
	assert_ok(parse(&spec, "{\"output\":\"o\",\"dim\":8,\"pool\":\"rmac\"}"));
	assert_int_equal(spec.heads[0].levels, 3);
	assert_true(spec.heads[0].overlap == 0.4f);
	assert_int_equal(spec.heads[0].whole, 1);
	cn_global_free(&spec);
	assert_ok(parse(&spec, "{\"output\":\"o\",\"dim\":8,\"pool\":\"spoc\",\"views\":{\"combine\":\"sum\","
			       "\"crops\":{\"kind\":\"random\"}}}"));
	assert_int_equal(spec.views.crop_count, 10);
	assert_true(spec.views.crop == 0.875f);
	assert_int_equal(spec.views.seed, 0);
	cn_global_free(&spec);
}

static void assert_layer(const cn_layer *layer, const char *weight, const char *bias)
{
	assert_string_equal(layer->weight_file, weight);
	if (bias)
		assert_string_equal(layer->bias_file, bias);
	else
		assert_null(layer->bias_file);
	assert_null(layer->weight);
	assert_int_equal(layer->outputs, 0);
}

static void heads_are_read(void **state)
{
	(void)state;
	cn_global_spec spec;
	assert_ok(parse(
		&spec, "{\"output\":\"o\",\"dim\":9,\"heads\":["
		       "{\"pool\":\"gem\",\"p\":[2,3,4.5],\"normalise\":false},"
		       "{\"pool\":\"gem\",\"p\":100,\"layer\":{\"weight\":\"w0.npy\",\"bias\":\"b0.npy\"}},"
		       "{\"pool\":\"mac\"},{\"pool\":\"spoc\",\"normalise\":true},"
		       "{\"pool\":\"rmac\",\"levels\":16,\"overlap\":0.95,\"whole\":false,"
		       "\"regional\":{\"weight\":\"r.npy\",\"bias\":\"rb.npy\"},\"layer\":{\"weight\":\"w1.npy\"}}]}"));
	static const cn_pool_kind pools[] = { CN_POOL_GEM, CN_POOL_GEM, CN_POOL_MAC, CN_POOL_SPOC, CN_POOL_RMAC };
	assert_int_equal(spec.head_count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(spec.heads[i].pool, pools[i]);
		/* Those of a list are of unit length unless they say otherwise. */
		assert_int_equal(spec.heads[i].normalise, i != 0);
	}
	assert_int_equal(spec.heads[0].channels, 3);
	assert_true(spec.heads[0].channel_p[0] == 2 && spec.heads[0].channel_p[2] == 4.5f);
	assert_null(spec.heads[1].channel_p);
	assert_true(spec.heads[1].p == 100);
	assert_layer(&spec.heads[1].layer, "w0.npy", "b0.npy");
	assert_null(spec.heads[2].layer.weight_file);
	assert_int_equal(spec.heads[4].levels, 16);
	assert_true(spec.heads[4].overlap == 0.95f);
	assert_int_equal(spec.heads[4].whole, 0);
	assert_layer(&spec.heads[4].regional, "r.npy", "rb.npy");
	assert_layer(&spec.heads[4].layer, "w1.npy", NULL);
	cn_global_free(&spec);
	/* Without a list, what a head has is said beside the rest. */
	assert_ok(parse(&spec,
			"{\"output\":\"o\",\"dim\":9,\"pool\":\"rmac\",\"levels\":1,\"overlap\":0,\"whole\":false,"
			"\"regional\":{\"weight\":\"r.npy\"},\"layer\":{\"weight\":\"w.npy\"},\"normalise\":true}"));
	assert_int_equal(spec.head_count, 1);
	assert_int_equal(spec.heads[0].levels, 1);
	assert_layer(&spec.heads[0].regional, "r.npy", NULL);
	assert_layer(&spec.heads[0].layer, "w.npy", NULL);
	assert_int_equal(spec.heads[0].normalise, 1);
	cn_global_free(&spec);
}

static void filters_views_and_whitening_are_read(void **state)
{
	(void)state;
	cn_global_spec spec;
	assert_ok(parse(&spec,
			"{\"output\":\"o\",\"dim\":9,\"pool\":\"mac\","
			"\"attention\":{\"output\":\"a\",\"mode\":\"weight\"},\"floor\":0.014,"
			"\"regional_gem\":{\"size\":5,\"p\":2.5,\"weight\":0.5},"
			"\"views\":{\"scales\":[0.7071,1,1.4142],\"flip\":true,"
			"\"crops\":{\"kind\":\"random\",\"size\":0.5,\"count\":100,\"seed\":4294967295},"
			"\"combine\":\"gem\",\"p\":4.6},"
			"\"whitening\":{\"kind\":\"lw\",\"mean\":\"m.npy\",\"projection\":\"p.npy\",\"unit\":true}}"));
	assert_int_equal(spec.filters.attention, CN_ATTENTION_WEIGHT);
	assert_string_equal(spec.filters.attention_output, "a");
	assert_int_equal(spec.filters.has_floor, 1);
	assert_true(spec.filters.floor == 0.014f);
	assert_int_equal(spec.filters.regional_size, 5);
	assert_true(spec.filters.regional_p == 2.5f && spec.filters.regional_weight == 0.5f);
	assert_int_equal(spec.views.scale_count, 3);
	assert_true(spec.views.scales[0] == 0.7071f && spec.views.scales[2] == 1.4142f);
	assert_int_equal(spec.views.flip, 1);
	assert_int_equal(spec.views.crops, CN_CROPS_RANDOM);
	assert_true(spec.views.crop == 0.5f);
	assert_int_equal(spec.views.crop_count, 100);
	assert_true(spec.views.seed == UINT32_MAX);
	assert_int_equal(spec.views.combine, CN_COMBINE_GEM);
	assert_true(spec.views.p == 4.6f);
	assert_string_equal(spec.mean_file, "m.npy");
	assert_string_equal(spec.projection_file, "p.npy");
	assert_int_equal(spec.unit, 1);
	cn_global_free(&spec);
	static const struct {
		const char *word;
		cn_combine combine;
	} combines[] = { { "sum", CN_COMBINE_SUM }, { "mean", CN_COMBINE_MEAN }, { "max", CN_COMBINE_MAX } };
	for (size_t i = 0; i < 3; i++) {
		char text[256];
		snprintf(text, sizeof(text),
			 "{\"output\":\"o\",\"dim\":9,\"pool\":\"mac\",\"attention\":{\"output\":\"a\",\"mode\":"
			 "\"residual\"},\"views\":{\"crops\":{\"kind\":\"five\",\"size\":1},\"combine\":\"%s\"},"
			 "\"whitening\":{\"kind\":\"centre\",\"mean\":\"m.npy\"}}",
			 combines[i].word);
		assert_ok(parse(&spec, text));
		assert_int_equal(spec.views.combine, combines[i].combine);
		assert_int_equal(spec.views.crops, CN_CROPS_FIVE);
		assert_int_equal(spec.filters.attention, CN_ATTENTION_RESIDUAL);
		assert_null(spec.projection_file);
		assert_int_equal(spec.unit, 0);
		cn_global_free(&spec);
	}
}

/* ---- what may not ---- */

#define GLOBAL(text)    "{\"output\":\"o\",\"dim\":4," text "}"
#define MAC(text)       GLOBAL("\"pool\":\"mac\"," text)
#define HEADS(text)     GLOBAL("\"heads\":[" text "]")
#define VIEWS(text)     MAC("\"views\":{" text "}")
#define CROPS(text)     VIEWS("\"combine\":\"sum\",\"crops\":{" text "}")
#define WHITENING(text) MAC("\"whitening\":{" text "}")
#define REGIONAL(text)  MAC("\"regional_gem\":{" text "}")

static void faults_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *text, *part;
	} cases[] = {
		{ "{}", "global: member \"output\" is missing" },
		{ "[]", "global: must be an object" },
		{ "{\"output\":\"o\",\"pool\":\"mac\"}", "global: member \"dim\" is missing" },
		{ "{\"output\":\"o\",\"dim\":65537,\"pool\":\"mac\"}", "\"dim\" is 65537" },
		{ "{\"output\":\"o\",\"dim\":4}", "global: member \"pool\" is missing" },
		{ MAC("\"colour\":1"), "global: unknown member \"colour\"; known are: output, heads" },
		{ GLOBAL("\"pool\":\"sum\""), "known are \"none\", \"gem\", \"mac\", \"spoc\", \"rmac\"" },
		/* GeM */
		{ GLOBAL("\"pool\":\"gem\""), "member \"p\" is missing" },
		{ GLOBAL("\"pool\":\"gem\",\"p\":0.05"), "\"p\" is 0.05, but must be from 0.1 to 100" },
		{ GLOBAL("\"pool\":\"gem\",\"p\":101"), "\"p\" is 101" },
		{ GLOBAL("\"pool\":\"gem\",\"p\":\"3\""), "\"p\" must be a number, not a text" },
		{ GLOBAL("\"pool\":\"gem\",\"p\":[]"), "\"p\" has 0 numbers" },
		{ GLOBAL("\"pool\":\"gem\",\"p\":[3,0]"), "number 1 of \"p\" is not a number from 0.1 to 100" },
		{ GLOBAL("\"pool\":\"gem\",\"p\":[\"3\"]"), "number 0 of \"p\"" },
		{ MAC("\"p\":3"), "\"p\" goes with pool \"gem\" only" },
		/* R-MAC */
		{ MAC("\"levels\":3"), "\"levels\" goes with pool \"rmac\" only" },
		{ MAC("\"overlap\":0.4"), "\"overlap\" goes with pool \"rmac\" only" },
		{ MAC("\"whole\":true"), "\"whole\" goes with pool \"rmac\" only" },
		{ MAC("\"regional\":{\"weight\":\"w.npy\"}"), "\"regional\" goes with pool \"rmac\" only" },
		{ GLOBAL("\"pool\":\"rmac\",\"p\":3"), "\"p\" goes with pool \"gem\" only" },
		{ GLOBAL("\"pool\":\"rmac\",\"levels\":0"), "\"levels\" is 0, but must be from 1 to 16" },
		{ GLOBAL("\"pool\":\"rmac\",\"levels\":17"), "\"levels\" is 17" },
		{ GLOBAL("\"pool\":\"rmac\",\"overlap\":1"), "\"overlap\" is 1, but must be from 0 to 0.95" },
		{ GLOBAL("\"pool\":\"rmac\",\"overlap\":-0.1"), "\"overlap\" is -0.1" },
		{ GLOBAL("\"pool\":\"rmac\",\"whole\":1"), "\"whole\" must be true or false" },
		{ GLOBAL("\"pool\":\"rmac\",\"regional\":{}"), "global.regional: member \"weight\" is missing" },
		{ GLOBAL("\"pool\":\"rmac\",\"regional\":[]"), "\"regional\" must be an object" },
		/* Layers */
		{ MAC("\"layer\":{\"bias\":\"b.npy\"}"), "global.layer: member \"weight\" is missing" },
		{ MAC("\"layer\":{\"weight\":\"../w.npy\"}"), "global.layer: \"weight\" is \"../w.npy\"" },
		{ MAC("\"layer\":{\"weight\":\"w.npy\",\"bias\":\"\"}"), "\"bias\" is \"\", but must name a file" },
		{ MAC("\"layer\":{\"weight\":\"w.npy\",\"offset\":\"b.npy\"}"), "unknown member \"offset\"" },
		{ MAC("\"layer\":\"w.npy\""), "\"layer\" must be an object" },
		{ MAC("\"normalise\":1"), "\"normalise\" must be true or false" },
		/* Heads */
		{ HEADS(""), "\"heads\" has 0 entries, but must have 1 to 64" },
		{ GLOBAL("\"heads\":{}"), "\"heads\" must be an array" },
		{ HEADS("{\"pool\":\"mac\"},4"), "global.heads[1]: must be an object" },
		{ HEADS("{\"pool\":\"none\"}"), "global.heads[0]: \"pool\" is \"none\"" },
		{ HEADS("{\"pool\":\"mac\"},{\"pool\":\"mac\"},{\"pool\":\"gem\"}"),
		  "global.heads[2]: member \"p\" is missing" },
		{ HEADS("{\"pool\":\"mac\",\"dim\":4}"), "global.heads[0]: unknown member \"dim\"" },
		{ HEADS("{\"pool\":\"mac\",\"layer\":{\"weight\":\".w\"}}"), "global.heads[0].layer: \"weight\"" },
		{ MAC("\"heads\":[{\"pool\":\"mac\"}]"), "with \"heads\", \"pool\" is said in each of them" },
		{ GLOBAL("\"heads\":[{\"pool\":\"mac\"}],\"p\":3"), "with \"heads\", \"p\" is said" },
		{ GLOBAL("\"heads\":[{\"pool\":\"mac\"}],\"normalise\":true"), "with \"heads\", \"normalise\"" },
		/* Filters */
		{ MAC("\"attention\":{\"mode\":\"weight\"}"), "global.attention: member \"output\" is missing" },
		{ MAC("\"attention\":{\"output\":\"a\"}"), "global.attention: member \"mode\" is missing" },
		{ MAC("\"attention\":{\"output\":\"a\",\"mode\":\"add\"}"), "known are \"residual\", \"weight\"" },
		{ MAC("\"attention\":{\"output\":\"a\",\"mode\":\"weight\",\"p\":1}"), "unknown member \"p\"" },
		{ MAC("\"attention\":\"a\""), "\"attention\" must be an object" },
		{ MAC("\"floor\":\"0\""), "\"floor\" must be a number" },
		{ MAC("\"floor\":null"), "\"floor\" must be a number" },
		{ MAC("\"floor\":1e7"), "\"floor\" is 1e+07" },
		{ REGIONAL("\"p\":2.5,\"weight\":0.5"), "global.regional_gem: member \"size\" is missing" },
		{ REGIONAL("\"size\":5,\"weight\":0.5"), "global.regional_gem: member \"p\" is missing" },
		{ REGIONAL("\"size\":5,\"p\":2.5"), "global.regional_gem: member \"weight\" is missing" },
		{ REGIONAL("\"size\":4,\"p\":2.5,\"weight\":0.5"), "\"size\" is 4, but must be odd" },
		{ REGIONAL("\"size\":65,\"p\":2.5,\"weight\":0.5"), "\"size\" is 65" },
		{ REGIONAL("\"size\":5,\"p\":0,\"weight\":0.5"), "\"p\" is 0" },
		{ REGIONAL("\"size\":5,\"p\":2.5,\"weight\":1.5"), "\"weight\" is 1.5" },
		{ REGIONAL("\"size\":5,\"p\":2.5,\"weight\":0.5,\"pad\":2"), "unknown member \"pad\"" },
		{ GLOBAL("\"pool\":\"none\",\"floor\":0"), "go with pooled maps, not with pool \"none\"" },
		{ GLOBAL("\"pool\":\"none\",\"attention\":{\"output\":\"a\",\"mode\":\"weight\"}"), "pooled maps" },
		{ GLOBAL("\"pool\":\"none\",\"regional_gem\":{\"size\":5,\"p\":2.5,\"weight\":0.5}"), "pooled maps" },
		/* Views */
		{ VIEWS("\"flip\":true"), "global.views: member \"combine\" is missing" },
		{ VIEWS("\"combine\":\"median\""), "known are \"sum\", \"mean\", \"gem\", \"max\"" },
		{ VIEWS("\"combine\":\"gem\""), "global.views: member \"p\" is missing" },
		{ VIEWS("\"combine\":\"gem\",\"p\":0"), "\"p\" is 0" },
		{ VIEWS("\"combine\":\"sum\",\"p\":3"), "\"p\" goes with combine \"gem\" only" },
		{ VIEWS("\"combine\":\"sum\",\"scales\":[]"), "\"scales\" has 0 numbers, but must have 1 to 16" },
		{ VIEWS("\"combine\":\"sum\",\"scales\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"), "has 17 numbers" },
		{ VIEWS("\"combine\":\"sum\",\"scales\":[1,0.01]"),
		  "number 1 of \"scales\" is not a number from 0.05 to 8" },
		{ VIEWS("\"combine\":\"sum\",\"scales\":[8.5]"), "number 0 of \"scales\"" },
		{ VIEWS("\"combine\":\"sum\",\"scales\":[\"1\"]"), "number 0 of \"scales\"" },
		{ VIEWS("\"combine\":\"sum\",\"scales\":1"), "\"scales\" must be an array" },
		{ VIEWS("\"combine\":\"sum\",\"flip\":1"), "\"flip\" must be true or false" },
		{ VIEWS("\"combine\":\"sum\",\"turn\":1"), "global.views: unknown member \"turn\"" },
		{ CROPS("\"size\":0.5"), "global.views.crops: member \"kind\" is missing" },
		{ CROPS("\"kind\":\"ten\""), "known are \"five\", \"random\"" },
		{ CROPS("\"kind\":\"five\",\"size\":0.01"), "\"size\" is 0.01, but must be from 0.05 to 1" },
		{ CROPS("\"kind\":\"five\",\"size\":2"), "\"size\" is 2" },
		{ CROPS("\"kind\":\"five\",\"count\":5"), "\"count\" goes with kind \"random\" only" },
		{ CROPS("\"kind\":\"five\",\"seed\":5"), "\"seed\" goes with kind \"random\" only" },
		{ CROPS("\"kind\":\"random\",\"count\":0"), "\"count\" is 0, but must be from 1 to 100" },
		{ CROPS("\"kind\":\"random\",\"count\":101"), "\"count\" is 101" },
		{ CROPS("\"kind\":\"random\",\"seed\":-1"), "\"seed\" is -1" },
		{ CROPS("\"kind\":\"random\",\"seed\":4294967296"), "\"seed\" is 4294967296" },
		{ CROPS("\"kind\":\"random\",\"ratio\":1"), "global.views.crops: unknown member \"ratio\"" },
		/* Whitening */
		{ WHITENING("\"mean\":\"m.npy\""), "global.whitening: member \"kind\" is missing" },
		{ WHITENING("\"kind\":\"zca\",\"mean\":\"m.npy\""), "known are \"centre\", \"pca\", \"pcaw\", \"lw\"" },
		{ WHITENING("\"kind\":\"pca\",\"projection\":\"p.npy\""), "member \"mean\" is missing" },
		{ WHITENING("\"kind\":\"lw\",\"mean\":\"m.npy\""), "member \"projection\" is missing" },
		{ WHITENING("\"kind\":\"centre\",\"mean\":\"m.npy\",\"projection\":\"p.npy\""),
		  "kind \"centre\" has no \"projection\"" },
		{ WHITENING("\"kind\":\"centre\",\"mean\":\"m.npy\",\"unit\":\"yes\""),
		  "\"unit\" must be true or false" },
		{ WHITENING("\"kind\":\"centre\",\"mean\":\"a/m.npy\""), "must name a file in the bundle's folder" },
		{ WHITENING("\"kind\":\"none\",\"mean\":\"m.npy\""), "\"kind\" is \"none\"" },
		{ WHITENING("\"kind\":\"pca\",\"mean\":\"m.npy\",\"projection\":\"p.npy\",\"power\":1"),
		  "\"power\" goes with kind \"pcaw\" only" },
		{ WHITENING("\"kind\":\"pcaw\",\"mean\":\"m.npy\",\"projection\":\"p.npy\",\"power\":1.5"),
		  "\"power\" is 1.5, but must be from 0 to 1" },
		{ WHITENING("\"kind\":\"centre\",\"mean\":\"m.npy\",\"t\":1"), "unknown member \"t\"" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cn_global_spec spec;
		int status = parse(&spec, cases[i].text);
		if (status >= 0)
			fail_msg("%s is taken", cases[i].text);
		assert_fails(status, CAIRN_EFORMAT, cases[i].part);
		assert_fails(status, CAIRN_EFORMAT, "model.json: global");
		cn_global_free(&spec);
	}
}

/* ---- files ---- */

#define EVERYTHING                                                                                                     \
	"{\"output\":\"o\",\"dim\":9,\"heads\":["                                                                      \
	"{\"pool\":\"gem\",\"p\":[2,3,4,5]},"                                                                          \
	"{\"pool\":\"gem\",\"p\":3,\"layer\":{\"weight\":\"w.npy\",\"bias\":\"b.npy\"}},"                              \
	"{\"pool\":\"rmac\",\"levels\":3,\"overlap\":0.4,\"whole\":true,"                                              \
	"\"regional\":{\"weight\":\"rw.npy\",\"bias\":\"rb.npy\"},\"normalise\":true}],"                               \
	"\"attention\":{\"output\":\"a\",\"mode\":\"residual\"},\"floor\":0.014,"                                      \
	"\"regional_gem\":{\"size\":5,\"p\":2.5,\"weight\":0.5},"                                                      \
	"\"views\":{\"scales\":[0.5,1],\"flip\":true,\"crops\":{\"kind\":\"random\",\"size\":0.5,\"count\":7,"         \
	"\"seed\":9},\"combine\":\"gem\",\"p\":4},"                                                                    \
	"\"whitening\":{\"kind\":\"pcaw\",\"mean\":\"m.npy\",\"projection\":\"p.npy\",\"unit\":true}}"

/* Of 4 channels: heads of 4, 2 and 3 dimensions; 5 are kept. */
static const struct {
	const char *file;
	size_t rank, shape[2];
} arrays[] = {
	{ "w.npy", 2, { 2, 4 } }, { "b.npy", 1, { 2 } }, { "rw.npy", 2, { 3, 4 } },
	{ "rb.npy", 1, { 3 } },   { "m.npy", 1, { 9 } }, { "p.npy", 2, { 5, 9 } },
};
enum { ARRAYS = sizeof(arrays) / sizeof(*arrays) };

static void write_array(const char *folder, size_t i, float first)
{
	float numbers[45];
	for (size_t k = 0; k < 45; k++)
		numbers[k] = k ? (float)(i + k) : first;
	assert_ok(cn_npy_write(cn_test_path(folder, arrays[i].file), CN_NPY_F32, arrays[i].rank, arrays[i].shape,
			       numbers));
}

static void write_arrays(const char *folder)
{
	for (size_t i = 0; i < ARRAYS; i++)
		write_array(folder, i, 0.5f);
}

static void arrays_are_read(void **state)
{
	(void)state;
	const char *folder = cn_test_folder();
	cn_global_spec spec;
	write_arrays(folder);
	assert_ok(parse(&spec, EVERYTHING));
	assert_ok(cn_global_load(&spec, folder));
	assert_int_equal(spec.heads[1].layer.outputs, 2);
	assert_int_equal(spec.heads[1].layer.inputs, 4);
	assert_true(spec.heads[1].layer.weight[0] == 0.5f && spec.heads[1].layer.weight[7] == 7);
	assert_true(spec.heads[1].layer.bias[1] == 2);
	assert_int_equal(spec.heads[2].regional.outputs, 3);
	assert_true(spec.heads[2].regional.weight[11] == 13 && spec.heads[2].regional.bias[2] == 5);
	assert_true(spec.mean[8] == 12);
	assert_int_equal(spec.kept, 5);
	assert_true(spec.projection[44] == 49);
	assert_int_equal(cn_head_dim(&spec.heads[0], 4), 4);
	assert_int_equal(cn_head_dim(&spec.heads[1], 4), 2);
	assert_int_equal(cn_head_dim(&spec.heads[2], 4), 3);
	assert_ok(cn_global_check_channels(&spec, 4, "model 'm'"));
	cn_global_free(&spec);
}

struct names {
	char text[256];
	int left;
};

static int note_name(const char *file, void *payload)
{
	struct names *names = payload;
	strcat(strcat(names->text, file), " ");
	return names->left-- > 0 ? 0 : CAIRN_ECANCELLED;
}

static void files_of_layers_are_told(void **state)
{
	(void)state;
	struct names all = { .left = 99 }, some = { .left = 1 };
	cn_global_spec spec;
	assert_ok(parse(&spec, EVERYTHING));
	assert_ok(cn_global_layer_files(&spec, note_name, &all));
	assert_string_equal(all.text, "w.npy b.npy rw.npy rb.npy ");
	assert_int_equal(cn_global_layer_files(&spec, note_name, &some), CAIRN_ECANCELLED);
	assert_string_equal(some.text, "w.npy b.npy ");
	cn_global_free(&spec);
}

static void files_that_do_not_fit_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *file;
		size_t rank, shape[2];
		cn_npy_type type;
		float first;
		const char *part;
	} cases[] = {
		{ "w.npy", 1, { 8 }, CN_NPY_F32, 0, "w.npy" },
		{ "w.npy", 2, { 0, 4 }, CN_NPY_F32, 0, "w.npy: 0 x 4 numbers are no layer" },
		{ "w.npy", 2, { 2, 0 }, CN_NPY_F32, 0, "w.npy: 2 x 0 numbers are no layer" },
		{ "w.npy", 2, { 65537, 1 }, CN_NPY_F32, 0, "w.npy: 65537 x 1 numbers are no layer of 1 to 65536" },
		{ "w.npy", 2, { 2, 4 }, CN_NPY_F64, 0, "w.npy" },
		{ "w.npy", 2, { 2, 4 }, CN_NPY_F32, NAN, "w.npy: number 0 is not finite" },
		{ "b.npy", 1, { 3 }, CN_NPY_F32, 0, "b.npy" },
		{ "b.npy", 2, { 2, 1 }, CN_NPY_F32, 0, "b.npy" },
		{ "b.npy", 1, { 2 }, CN_NPY_F32, INFINITY, "b.npy: number 0 is not finite" },
		{ "rw.npy", 2, { 3, 4 }, CN_NPY_F32, -INFINITY, "rw.npy: number 0 is not finite" },
		{ "rb.npy", 1, { 4 }, CN_NPY_F32, 0, "rb.npy" },
		{ "m.npy", 1, { 8 }, CN_NPY_F32, 0, "m.npy" },
		{ "m.npy", 1, { 9 }, CN_NPY_F32, NAN, "m.npy: number 0 is not finite" },
		{ "p.npy", 2, { 5, 8 }, CN_NPY_F32, 0, "p.npy" },
		{ "p.npy", 2, { 10, 9 }, CN_NPY_F32, 0, "p.npy: 10 rows for 9 dimensions" },
		{ "p.npy", 2, { 0, 9 }, CN_NPY_F32, 0, "p.npy: 0 rows" },
	};
	float *numbers = calloc(65537, 2 * sizeof(*numbers));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *folder = cn_test_folder();
		cn_global_spec spec;
		write_arrays(folder);
		numbers[0] = cases[i].first;
		assert_ok(cn_npy_write(cn_test_path(folder, cases[i].file), cases[i].type, cases[i].rank,
				       cases[i].shape, numbers));
		assert_ok(parse(&spec, EVERYTHING));
		assert_fails(cn_global_load(&spec, folder), CAIRN_EFORMAT, cases[i].part);
		cn_global_free(&spec);
	}
	free(numbers);
	for (size_t i = 0; i < ARRAYS; i++) {
		const char *folder = cn_test_folder();
		cn_global_spec spec;
		write_arrays(folder);
		assert_int_equal(remove(cn_test_path(folder, arrays[i].file)), 0);
		assert_ok(parse(&spec, EVERYTHING));
		assert_fails(cn_global_load(&spec, folder), CAIRN_ENOTFOUND, arrays[i].file);
		cn_global_free(&spec);
	}
}

/* ---- dimensions ---- */

static void dimensions_must_agree(void **state)
{
	(void)state;
	static const float number = 1;
	static float powers[] = { 1, 2, 3, 4 };
	static char name[] = "w.npy", output[] = "o";
	const cn_layer to_3 = { name, NULL, (float *)(uintptr_t)&number, NULL, 3, 4 };
	const cn_layer of_3 = { name, NULL, (float *)(uintptr_t)&number, NULL, 2, 3 };
	const struct {
		cn_head head;
		uint32_t dim;
		size_t channels;
		const char *part;
	} cases[] = {
		{ { .pool = CN_POOL_MAC }, 4, 4, NULL },
		{ { .pool = CN_POOL_MAC },
		  4,
		  5,
		  "'o' has 5 channels, of which 5 numbers are made; model.json says \"dim\" 4" },
		{ { .pool = CN_POOL_MAC, .layer = to_3 }, 3, 4, NULL },
		{ { .pool = CN_POOL_MAC, .layer = to_3 }, 3, 5, "the layer w.npy takes 4 numbers, but gets 5" },
		{ { .pool = CN_POOL_MAC, .layer = to_3 }, 4, 4, "'o' has 4 channels, of which 3 numbers are made" },
		{ { .pool = CN_POOL_RMAC, .regional = to_3 }, 3, 4, NULL },
		{ { .pool = CN_POOL_RMAC, .regional = to_3 }, 3, 3, "the layer w.npy takes 4 numbers, but gets 3" },
		{ { .pool = CN_POOL_RMAC, .regional = to_3, .layer = of_3 }, 2, 4, NULL },
		{ { .pool = CN_POOL_RMAC, .regional = of_3, .layer = of_3 }, 2, 3, "takes 3 numbers, but gets 2" },
		{ { .pool = CN_POOL_NONE, .layer = of_3 }, 2, 3, NULL },
		{ { .pool = CN_POOL_GEM, .channel_p = powers, .channels = 4 }, 4, 4, NULL },
		{ { .pool = CN_POOL_GEM, .channel_p = powers, .channels = 4 },
		  5,
		  5,
		  "\"p\" has 4 numbers, but 'o' has 5 channels" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cn_head head = cases[i].head;
		const cn_global_spec spec = { .output = output, .heads = &head, .head_count = 1, .dim = cases[i].dim };
		int status = cn_global_check_channels(&spec, cases[i].channels, "model 'm'");
		if (cases[i].part) {
			assert_fails(status, CAIRN_EFORMAT, cases[i].part);
			assert_fails(status, CAIRN_EFORMAT, "model 'm': ");
		} else {
			assert_ok(status);
		}
	}
}

/* ---- fingerprints ---- */

static XXH128_hash_t hash_of(const char *text, const char *folder)
{
	cn_global_spec spec;
	XXH3_state_t *state = XXH3_createState();
	assert_ok(parse(&spec, text));
	assert_ok(cn_global_load(&spec, folder));
	XXH3_128bits_reset(state);
	cn_global_hash(state, &spec);
	XXH128_hash_t hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	cn_global_free(&spec);
	return hash;
}

enum { MOST_HASHES = 64 };

static void assert_new(XXH128_hash_t *hashes, size_t *count, XXH128_hash_t hash, const char *what)
{
	for (size_t i = 0; i < *count; i++)
		if (XXH128_isEqual(hashes[i], hash))
			fail_msg("%s has the hash of change %zu", what, i);
	assert_true(*count < MOST_HASHES);
	hashes[(*count)++] = hash;
}

/* EVERYTHING with a part replaced. */
static void change(char *out, size_t size, const char *from, const char *to)
{
	static const char text[] = EVERYTHING;
	const char *at = strstr(text, from);
	assert_non_null(at);
	snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void every_member_and_file_changes_the_hash(void **state)
{
	(void)state;
	static const char *const changes[][2] = {
		{ "\"output\":\"o\"", "\"output\":\"other\"" },
		{ "[2,3,4,5]", "[2,3,4,6]" },
		{ "[2,3,4,5]", "[2,3,4]" },
		{ "\"p\":[2,3,4,5]", "\"p\":3" },
		{ "\"p\":3,", "\"p\":3.5," },
		{ "\"pool\":\"gem\",\"p\":3,", "\"pool\":\"mac\"," },
		{ "\"pool\":\"gem\",\"p\":3,", "\"pool\":\"spoc\"," },
		{ ",\"bias\":\"b.npy\"", "" },
		{ ",\"layer\":{\"weight\":\"w.npy\",\"bias\":\"b.npy\"}", "" },
		{ "{\"pool\":\"gem\",\"p\":[2,3,4,5]},", "" },
		{ "\"levels\":3", "\"levels\":2" },
		{ "\"overlap\":0.4", "\"overlap\":0.3" },
		{ "\"whole\":true", "\"whole\":false" },
		{ "\"normalise\":true", "\"normalise\":false" },
		{ ",\"bias\":\"rb.npy\"", "" },
		{ "\"regional\":{", "\"layer\":{" },
		{ "\"output\":\"a\"", "\"output\":\"b\"" },
		{ "\"residual\"", "\"weight\"" },
		{ "\"attention\":{\"output\":\"a\",\"mode\":\"residual\"},", "" },
		{ "\"floor\":0.014,", "" },
		{ "\"floor\":0.014", "\"floor\":0" },
		{ "\"size\":5", "\"size\":3" },
		{ "\"p\":2.5", "\"p\":2" },
		{ "\"weight\":0.5", "\"weight\":0.25" },
		{ "\"regional_gem\":{\"size\":5,\"p\":2.5,\"weight\":0.5},", "" },
		{ "[0.5,1]", "[1,0.5]" },
		{ "[0.5,1]", "[0.5]" },
		{ "\"flip\":true", "\"flip\":false" },
		{ "\"kind\":\"random\",\"size\":0.5,\"count\":7,\"seed\":9", "\"kind\":\"five\",\"size\":0.5" },
		{ "\"size\":0.5", "\"size\":0.75" },
		{ "\"count\":7", "\"count\":8" },
		{ "\"seed\":9", "\"seed\":10" },
		{ "\"p\":4}", "\"p\":5}" },
		{ "\"combine\":\"gem\",\"p\":4", "\"combine\":\"sum\"" },
		{ "\"combine\":\"gem\",\"p\":4", "\"combine\":\"mean\"" },
		{ "\"combine\":\"gem\",\"p\":4", "\"combine\":\"max\"" },
		{ ",\"unit\":true", "" },
		{ "\"kind\":\"pcaw\",\"mean\":\"m.npy\",\"projection\":\"p.npy\"",
		  "\"kind\":\"centre\",\"mean\":\"m.npy\"" },
	};
	const char *folder = cn_test_folder();
	XXH128_hash_t hashes[MOST_HASHES];
	size_t count = 0;
	write_arrays(folder);
	assert_new(hashes, &count, hash_of(EVERYTHING, folder), "everything");
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		char text[2048];
		change(text, sizeof(text), changes[i][0], changes[i][1]);
		assert_new(hashes, &count, hash_of(text, folder), changes[i][1]);
	}
	for (size_t i = 0; i < ARRAYS; i++) {
		write_array(folder, i, 0.25f);
		assert_new(hashes, &count, hash_of(EVERYTHING, folder), arrays[i].file);
		write_array(folder, i, 0.5f);
	}
	/* And nothing else: not the order of members, nor what a default says already, nor how files are called. */
	assert_true(XXH128_isEqual(hash_of(EVERYTHING, folder), hashes[0]));
	XXH128_hash_t plain =
		hash_of(MAC("\"normalise\":false,\"views\":{\"scales\":[1],\"combine\":\"mean\"}"), folder);
	assert_true(XXH128_isEqual(plain, hash_of("{\"pool\":\"mac\",\"dim\":4,\"output\":\"o\"}", folder)));
	char text[2048];
	assert_int_equal(rename(cn_test_path(folder, "w.npy"), cn_test_path(folder, "v.npy")), 0);
	change(text, sizeof(text), "w.npy", "v.npy");
	assert_true(XXH128_isEqual(hash_of(text, folder), hashes[0]));
}

/* ---- memory ---- */

static int parse_and_load(void *folder)
{
	cn_global_spec spec;
	int status = parse(&spec, EVERYTHING);
	if (status == 0)
		status = cn_global_load(&spec, folder);
	cn_global_free(&spec);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	char folder[512];
	snprintf(folder, sizeof(folder), "%s", cn_test_folder());
	write_arrays(folder);
	assert_true(cn_torture(parse_and_load, folder) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_has_a_default),
		cmocka_unit_test(heads_are_read),
		cmocka_unit_test(filters_views_and_whitening_are_read),
		cmocka_unit_test(faults_are_named),
		cmocka_unit_test(arrays_are_read),
		cmocka_unit_test(files_of_layers_are_told),
		cmocka_unit_test(files_that_do_not_fit_are_named),
		cmocka_unit_test(dimensions_must_agree),
		cmocka_unit_test(every_member_and_file_changes_the_hash),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("model/global_spec", tests, NULL, NULL);
}
