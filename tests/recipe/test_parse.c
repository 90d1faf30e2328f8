/* Recipes: what is read of sound ones, and how each fault is named. */
#include <stdlib.h>
#include <string.h>

#include "cairn/image.h"
#include "recipe/recipe.h"
#include "recipes.h"
#include "support.h"
#include "util/memory.h"
#include "util/text.h"

/* ---- sound ---- */

static const char everything[] =
	"{'recipe':1,'title':'A title','about':['One.','Two.'],'models':{'global':'lite0','local':'xfeat'},'stages':["
	"{'name':'near','stage':'search','by':'global','k':1000},"
	"{'name':'verified','stage':'verify','ranking':'near','depth':100,'order':'fused'},"
	"{'name':'larger','stage':'augment','rule':'alpha','k':20,'alpha':3},"
	"{'name':'asked','stage':'expand','ranking':'verified','rule':'average','n':5,'min_inliers':40},"
	"{'name':'again','stage':'search','queries':'asked','index':'larger','k':1000},"
	"{'name':'end','stage':'diffuse','queries':'asked','tolerance':1e-3,'gamma':2.50,'truncation':200}],"
	"'output':'end'}";

static void everything_is_read(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	cairn_recipe_info info;
	cairn_recipe_role role;
	assert_ok(parse_recipe(&recipe, everything));
	cairn_recipe_get_info(recipe, &info);
	assert_string_equal(info.name, "my");
	assert_string_equal(info.path, "my.json");
	assert_string_equal(info.title, "A title");
	assert_string_equal(info.about, "One.\n\nTwo.");
	assert_string_equal(info.output, "end");
	assert_int_equal(info.needs_train, 0);
	assert_int_equal(info.role_count, 2);
	assert_ok(cairn_recipe_get_role(recipe, 1, &role));
	assert_string_equal(role.name, "local");
	assert_string_equal(role.model, "xfeat");
	assert_int_equal(cairn_recipe_count(recipe), 6);
	assert_string_equal(order_of(recipe), "near verified larger asked again end");
	assert_string_equal(parameter_of(recipe, 0, "k"), "1000");
	assert_string_equal(parameter_of(recipe, 0, "recall"), "0.95");
	assert_string_equal(parameter_of(recipe, 0, "asmk_weight"), "unset");
	assert_string_equal(parameter_of(recipe, 2, "rule"), "alpha");
	assert_string_equal(parameter_of(recipe, 5, "tolerance"), "0.001");
	assert_string_equal(parameter_of(recipe, 5, "gamma"), "2.5");
	assert_string_equal(parameter_of(recipe, 5, "truncation"), "200");
	cairn_recipe_free(recipe);
}

static void stages_say_what_they_are(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	cairn_recipe_stage stage;
	cairn_recipe_parameter parameter;
	const char *text;
	assert_ok(parse_recipe(&recipe, everything));
	assert_ok(cairn_recipe_get_stage(recipe, 1, &stage));
	assert_string_equal(stage.name, "verified");
	assert_string_equal(stage.method, "verify");
	assert_int_equal(stage.output, CAIRN_VALUE_VERIFIED);
	assert_int_equal(stage.input_count, 1);
	assert_ok(cairn_recipe_get_parameter(recipe, 1, 0, &parameter));
	assert_string_equal(parameter.name, "depth");
	assert_int_equal(parameter.is_default, 0);
	assert_null(parameter.unset);
	assert_ok(cairn_recipe_get_parameter(recipe, 1, 2, &parameter));
	assert_string_equal(parameter.name, "trust_inliers");
	assert_int_equal(parameter.is_default, 1);
	assert_null(parameter.value);
	assert_non_null(parameter.unset);
	assert_fails(cairn_recipe_get_stage(recipe, 6, &stage), CAIRN_EINVALID, "stage 6: there are 6");
	assert_fails(cairn_recipe_get_parameter(recipe, 1, 12, &parameter), CAIRN_EINVALID, "parameter 12");
	assert_fails(cairn_recipe_get_parameter(recipe, 6, 0, &parameter), CAIRN_EINVALID, "stage 6");
	assert_fails(cairn_recipe_get_input(recipe, 6, 0, &(cairn_recipe_input){ 0 }), CAIRN_EINVALID, "stage 6");
	assert_fails(cairn_recipe_get_input(recipe, 1, 1, &(cairn_recipe_input){ 0 }), CAIRN_EINVALID, "input 1");
	assert_fails(cairn_recipe_get_role(recipe, 2, &(cairn_recipe_role){ 0 }), CAIRN_EINVALID, "role 2");
	assert_fails(cairn_recipe_get_warning(recipe, 2, &text), CAIRN_EINVALID, "warning 2");
	cairn_recipe_free(recipe);
	cairn_recipe_free(NULL);
}

/* Inputs of a stage, by its number in the order of running. */
static const struct {
	const char *stages, *more;
	size_t stage;
	const char *inputs;
} inputs[] = {
	{ SEARCH("a"), "", 0, "queries=queries* index=index*" },
	{ SEARCH("a") ",{'name':'b','stage':'verify'}", "", 1, "ranking=a*" },
	{ SEARCH("a") "," VERIFY("b", "a"), "", 1, "ranking=a" },
	{ SEARCH("a") ",{'name':'b','stage':'cut','depth':5},{'name':'c','stage':'verify'}", "", 2, "ranking=b*" },
	/* the stage before in the file, not the one that runs before */
	{ "{'name':'v','stage':'verify','ranking':'late'}," SEARCH("early") ",{'name':'x','stage':'explore'}," SEARCH(
		  "late"),
	  ",'output':'x'", 1, "ranking=early* index=index*" },
	{ SEARCH("a") ",{'name':'d','stage':'discriminate'}", "", 1,
	  "ranking=a* queries=queries* index=index* train=train*" },
	{ SEARCH("a") ",{'name':'d','stage':'diffuse'}", "", 1, "queries=queries* index=index*" },
	{ SEARCH("a") ",{'name':'d','stage':'diffuse','ranking':'a'}", "", 1,
	  "queries=queries* index=index* ranking=a" },
	{ SEARCH("a") "," SEARCH("b") ",{'name':'f','stage':'fuse','rankings':['b','a']}", "", 2,
	  "rankings=b rankings=a" },
	/* inliers are those of the ranking where nothing else is said */
	{ SEARCH("a") "," VERIFY("b", "a") ",{'name':'e','stage':'expand','min_inliers':9}," SEARCH("c"), "", 2,
	  "ranking=b* queries=queries* index=index* verified=b*" },
	{ SEARCH("a") "," VERIFY("b",
				 "a") ",{'name':'e','stage':'expand','ranking':'a','verified':'b','min_inliers':9},"
				      "{'name':'s','stage':'search','queries':'e'}",
	  "", 2, "ranking=a queries=queries* index=index* verified=b" },
	{ SEARCH("a") "," VERIFY("b", "a") ",{'name':'e','stage':'expand'}," SEARCH("c"), "", 2,
	  "ranking=b* queries=queries* index=index*" },
};

static void inputs_and_their_defaults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {
		cairn_recipe *recipe;
		char *text = cn_textf(RECIPE("%s", "%s"), inputs[i].stages, inputs[i].more);
		assert_ok(parse_recipe(&recipe, text));
		assert_string_equal(inputs_of(recipe, inputs[i].stage), inputs[i].inputs);
		cairn_recipe_free(recipe);
		cn_free(text);
	}
}

static const struct {
	const char *stages, *more, *order;
} orders[] = {
	{ VERIFY("v", "s") "," SEARCH("s"), ",'output':'v'", "s v" },
	{ VERIFY("w", "t") "," SEARCH("a") "," VERIFY("v", "s") "," SEARCH("s") "," SEARCH("t"), "", "a s v t w" },
	{ SEARCH("c") "," SEARCH("b") "," SEARCH("a"), "", "c b a" },
	{ "{'name':'f','stage':'fuse','rankings':['y','x']}," VERIFY("x", "z") "," VERIFY("y", "z") "," SEARCH("z"),
	  ",'output':'f'", "z x y f" },
};

static void stages_follow_what_they_take(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		cairn_recipe *recipe;
		char *text = cn_textf(RECIPE("%s", "%s"), orders[i].stages, orders[i].more);
		assert_ok(parse_recipe(&recipe, text));
		assert_string_equal(order_of(recipe), orders[i].order);
		cairn_recipe_free(recipe);
		cn_free(text);
	}
}

static void the_last_of_the_file_is_the_output(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	cairn_recipe_info info;
	const char *text;
	assert_ok(parse_recipe(&recipe, RECIPE(VERIFY("v", "s") "," SEARCH("s"), "")));
	cairn_recipe_get_info(recipe, &info);
	assert_string_equal(info.output, "s");
	assert_int_equal(info.warning_count, 1);
	assert_ok(cairn_recipe_get_warning(recipe, 0, &text));
	assert_string_equal(text, "my.json: stages[0]: the output, 's', does not depend on 'v'");
	cairn_recipe_free(recipe);
}

static void what_is_not_used_is_told(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	cairn_recipe_info info;
	cairn_recipe_stage stage;
	static const int used[] = { 1, 0, 0, 1 };
	assert_ok(parse_recipe(&recipe,
			       RECIPE(SEARCH("a") "," SEARCH("b") "," VERIFY("c", "b") "," VERIFY("d", "a"), "")));
	cairn_recipe_get_info(recipe, &info);
	assert_int_equal(info.warning_count, 2);
	for (size_t i = 0; i < 4; i++) {
		assert_ok(cairn_recipe_get_stage(recipe, i, &stage));
		assert_int_equal(stage.is_used, used[i]);
	}
	cairn_recipe_free(recipe);
}

static void only_some_need_a_labelled_set(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	cairn_recipe_info info;
	assert_ok(parse_recipe(&recipe, RECIPE(SEARCH("a") ",{'name':'b','stage':'discriminate'}", "")));
	cairn_recipe_get_info(recipe, &info);
	assert_int_equal(info.needs_train, 1);
	cairn_recipe_free(recipe);
}

/* Cutting keeps inliers where there are any. */
static void a_cut_gives_what_it_takes(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	cairn_recipe_stage stage;
	static const cairn_value_type types[] = { CAIRN_VALUE_RANKING, CAIRN_VALUE_RANKING, CAIRN_VALUE_VERIFIED,
						  CAIRN_VALUE_VERIFIED, CAIRN_VALUE_VERIFIED };
	assert_ok(parse_recipe(&recipe, RECIPE(SEARCH("a") ",{'name':'b','stage':'cut','depth':50}," VERIFY(
						       "c", "b") ",{'name':'d','stage':'cut','min_inliers':20},"
								 "{'name':'e','stage':'cut','min_score':-0.5}",
					       "")));
	for (size_t i = 0; i < 5; i++) {
		assert_ok(cairn_recipe_get_stage(recipe, i, &stage));
		assert_int_equal(stage.output, types[i]);
	}
	cairn_recipe_free(recipe);
}

static void the_complete_recipe_says_the_same(void **state)
{
	(void)state;
	cairn_recipe *recipe, *again;
	char *first, *second;
	assert_ok(parse_recipe(&recipe, everything));
	assert_ok(cairn_recipe_to_json(&first, recipe));
	assert_non_null(strstr(first, "\"asmk_weight\"") ? NULL : first);
	assert_non_null(strstr(first, "\"recall\": 0.95"));
	assert_non_null(strstr(first, "\"verified\": \"verified\""));
	assert_non_null(strstr(first, "\"gamma\": 2.5"));
	assert_ok(cn_recipe_parse(&again, first, strlen(first), "my.json"));
	assert_ok(cairn_recipe_to_json(&second, again));
	assert_string_equal(first, second);
	for (size_t i = 0; i < cairn_recipe_count(again); i++)
		assert_null(strchr(inputs_of(again, i), '*'));
	cairn_bytes_free(first);
	cairn_bytes_free(second);
	cairn_recipe_free(recipe);
	cairn_recipe_free(again);
}

static void lists_in_the_complete_recipe(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	char *json;
	assert_ok(parse_recipe(&recipe,
			       RECIPE(SEARCH("a") "," SEARCH("b") ",{'name':'f','stage':'fuse','rankings':['b','a'],"
								  "'weights':[0.5,2]}",
				      "")));
	assert_string_equal(parameter_of(recipe, 2, "weights"), "[0.5, 2]");
	assert_ok(cairn_recipe_to_json(&json, recipe));
	assert_non_null(strstr(json, "\"rankings\": [\n        \"b\",\n        \"a\"\n      ]"));
	assert_non_null(strstr(json, "\"weights\": [\n        0.5,\n        2\n      ]"));
	cairn_bytes_free(json);
	cairn_recipe_free(recipe);
}

/* ---- faulty ---- */

#define WITH(member)       RECIPE("{'name':'a','stage':'search'," member "}", "")
#define AFTER_SEARCH(text) RECIPE(SEARCH("a") "," text, "")
#define NAMED(name)        RECIPE("{'name':'" name "','stage':'search'}", "")
#define FUSE(text)         AFTER_SEARCH(SEARCH("b") ",{'name':'f','stage':'fuse'," text "}")
#define NAME_CHARACTERS    "use 1 to 64 letters, digits, '_' and '-', a letter first"
#define LONG_NAME          "a1234567890123456789012345678901234567890123456789012345678901234"

static const struct {
	const char *text, *fault;
} faults[] = {
	/* no JSON */
	{ "", "my.json:1:0: " },
	{ "{", "my.json:1:1: " },
	{ "{'recipe':1,\n 'title':}", "my.json:2:" },
	{ "{'recipe':1,'recipe':1}", "my.json:1:" },
	{ "{'recipe':NaN}", "my.json:1:" },
	{ "{'recipe':Infinity}", "my.json:1:" },
	{ WITH("'recall':1e999"), "my.json:1:" },
	{ WITH("'k':99999999999999999999"), "my.json:1:" },
	{ "{'title':'\xff'}", "my.json:1:" },
	{ "{'title':'\\u0000'}", "my.json:1:" },
	{ "{} {}", "my.json:1:" },

	/* the whole */
	{ "[]", "my.json: must be an object, not a list" },
	{ "{}", "my.json: recipe: is missing; it is the version of the form, 1" },
	{ "{'recipe':2}", "my.json: recipe: version 2 is unknown; this cairn knows 1" },
	{ "{'recipe':'1'}", "my.json: recipe: must be the version of the form, 1, not a text" },
	{ "{'recipe':1.0}", "my.json: recipe: must be the version of the form, 1, not a number with a fraction" },
	{ "{'recipe':1,'stage':[]}", "my.json: stage: is unknown; did you mean 'stages'? It is one of recipe, title, "
				     "about, models, stages, output" },
	{ "{'recipe':1,'frobnicate':0}", "my.json: frobnicate: is unknown; it is one of recipe, title" },
	{ "{'recipe':1}", "my.json: title: is missing" },
	{ "{'recipe':1,'title':3}", "my.json: title: must be a text, not a whole number" },
	{ "{'recipe':1,'title':''}", "my.json: title: must be one line of 1 to 200 bytes" },
	{ "{'recipe':1,'title':'a\\nb'}", "my.json: title: must be one line" },
	{ "{'recipe':1,'title':'t'}", "my.json: stages: is missing" },
	{ "{'recipe':1,'title':'t','about':{}}", "my.json: about: must be a text or a list of texts, not an object" },
	{ "{'recipe':1,'title':'t','about':['a',null]}", "my.json: about[1]: must be a text, not null" },
	{ "{'recipe':1,'title':'t','models':'x'}", "my.json: models: must be an object, not a text" },
	{ "{'recipe':1,'title':'t','models':{'a b':'x'}}",
	  "my.json: models: 'a b' cannot be a name: " NAME_CHARACTERS },
	{ "{'recipe':1,'title':'t','models':{'a':''}}",
	  "my.json: models.a: must name a model or a kind of local features, not an empty text" },
	{ "{'recipe':1,'title':'t','models':{'a':[]}}",
	  "my.json: models.a: must name a model or a kind of local features, "
	  "not a list" },
	{ "{'recipe':1,'title':'t','stages':{}}", "my.json: stages: must be a list of objects, not an object" },
	{ RECIPE("", ""), "my.json: stages: has 0 stages; 1 to 1000 are possible" },

	/* a stage */
	{ RECIPE("3", ""), "my.json: stages[0]: must be an object, not a whole number" },
	{ RECIPE("{}", ""), "my.json: stages[0].stage: is missing" },
	{ RECIPE("{'stage':true}", ""), "my.json: stages[0].stage: must be a text, not true or false" },
	{ AFTER_SEARCH("{'stage':'serach'}"), "my.json: stages[1].stage: 'serach' is unknown; did you mean 'search'? "
					      "It is one of search, verify, expand, " },
	{ RECIPE("{'stage':'frobnicate'}", ""),
	  "my.json: stages[0].stage: 'frobnicate' is unknown; it is one of search, " },
	{ RECIPE("{'stage':'search','name':'a','dept':1}", ""),
	  "my.json: stages[0].dept: is unknown; it is one of name, stage, queries, index, by, k, recall, local, "
	  "asmk_weight" },
	{ AFTER_SEARCH("{'stage':'verify','name':'b','dept':1}"),
	  "my.json: stages[1].dept: is unknown; did you mean 'depth'? It is one of name, stage, ranking, depth, " },

	/* names */
	{ RECIPE("{'stage':'search'}", ""), "my.json: stages[0].name: is missing" },
	{ RECIPE("{'stage':'search','name':0}", ""), "my.json: stages[0].name: must be a text, not a whole number" },
	{ NAMED(""), "my.json: stages[0].name: '' cannot be a name: " NAME_CHARACTERS },
	{ NAMED("a b"), "my.json: stages[0].name: 'a b' cannot be a name" },
	{ NAMED("a/b"), "'a/b' cannot be a name" },
	{ NAMED("1a"), "'1a' cannot be a name" },
	{ NAMED("-a"), "'-a' cannot be a name" },
	{ NAMED("\u00e4"), "cannot be a name" },
	{ NAMED(LONG_NAME), "cannot be a name" },
	{ NAMED("queries"), "my.json: stages[0].name: 'queries' is what the run itself gives; take another name" },
	{ NAMED("index"), "'index' is what the run itself gives" },
	{ NAMED("train"), "'train' is what the run itself gives" },
	{ RECIPE(SEARCH("a") "," SEARCH("b") "," SEARCH("a"), ""),
	  "my.json: stages[2].name: 'a' is the name of stages[0] already" },

	/* parameters */
	{ WITH("'k':0"), "my.json: stages[0].k: 0 is outside 1 to 1000000" },
	{ WITH("'k':1000001"), "my.json: stages[0].k: 1000001 is outside 1 to 1000000" },
	{ WITH("'k':1.5"), "my.json: stages[0].k: must be a whole number, not a number with a fraction or exponent" },
	{ WITH("'k':'5'"), "my.json: stages[0].k: must be a whole number, not a text" },
	{ WITH("'k':null"), "my.json: stages[0].k: must be a whole number, not null" },
	{ WITH("'recall':0"), "my.json: stages[0].recall: 0 is not above 0 and at most 1" },
	{ WITH("'recall':1.01"), "my.json: stages[0].recall: 1.01 is not above 0 and at most 1" },
	{ WITH("'recall':[]"), "my.json: stages[0].recall: must be a number, not a list" },
	{ WITH("'asmk_weight':-0.5"), "my.json: stages[0].asmk_weight: -0.5 is outside 0 to 1000000000" },
	{ WITH("'by':'gobal'"),
	  "my.json: stages[0].by: 'gobal' is unknown; did you mean 'global'? It is one of global, asmk, fused" },
	{ WITH("'by':7"), "my.json: stages[0].by: must be a text, not a whole number" },
	{ AFTER_SEARCH("{'name':'d','stage':'discriminate','insert':1}"),
	  "my.json: stages[1].insert: must be true or false, not a whole number" },
	{ FUSE("'rankings':['a','b'],'weights':1"),
	  "my.json: stages[2].weights: must be a list of numbers, not a whole number" },
	{ FUSE("'rankings':['a','b'],'weights':[]"), "my.json: stages[2].weights: has 0 numbers; 1 to " },
	{ FUSE("'rankings':['a','b'],'weights':[1,-1]"), "my.json: stages[2].weights[1]: -1 is outside 0 to " },
	{ FUSE("'rankings':['a','b'],'weights':[1,true]"),
	  "my.json: stages[2].weights[1]: must be a number, not true or false" },

	/* references */
	{ AFTER_SEARCH("{'name':'b','stage':'verify','ranking':'c'}"),
	  "my.json: stages[1].ranking: 'c' is unknown; it is one of queries, index, train, a" },
	{ AFTER_SEARCH("{'name':'b','stage':'search','queries':'querys'}"),
	  "my.json: stages[1].queries: 'querys' is unknown; did you mean 'queries'? It is one of queries, " },
	{ AFTER_SEARCH("{'name':'b','stage':'verify','ranking':0}"),
	  "my.json: stages[1].ranking: must be the name of a stage or given value, not a whole number" },
	{ AFTER_SEARCH("{'name':'b','stage':'verify','ranking':['a']}"),
	  "my.json: stages[1].ranking: must be the name of a stage or given value, not a list" },
	{ RECIPE("{'name':'v','stage':'verify'}", ""),
	  "my.json: stages[0].ranking: is missing, and no stage stands before it that gives ranking" },
	{ AFTER_SEARCH("{'name':'b','stage':'augment'},{'name':'c','stage':'verify'}"),
	  "my.json: stages[2].ranking: is missing, and no stage stands before it that gives ranking" },
	{ FUSE("'rule':'sum'"), "my.json: stages[2].rankings: is missing; it is a list of 2 names or more" },
	{ FUSE("'rankings':'a'"), "my.json: stages[2].rankings: must be a list of names, not a text" },
	{ FUSE("'rankings':['a']"), "my.json: stages[2].rankings: has 1 names; 2 to 100 are possible" },
	{ FUSE("'rankings':['a','c']"), "my.json: stages[2].rankings[1]: 'c' is unknown; it is one of " },
	{ FUSE("'rankings':['a','a']"), "my.json: stages[2].rankings[1]: 'a' is there twice" },
	{ FUSE("'rankings':['a',{}]"), "my.json: stages[2].rankings[1]: must be the name of a stage or given value" },

	/* circles */
	{ RECIPE(VERIFY("a", "a"), ""),
	  "my.json: stages[0].ranking: stages need each other in a circle: 'a' needs 'a'" },
	{ RECIPE(SEARCH("s") "," VERIFY("a", "c") "," VERIFY("b", "a") "," VERIFY("c", "b"), ""),
	  "my.json: stages[1].ranking: stages need each other in a circle: 'a' needs 'c' needs 'b' needs 'a'" },
	/* what only leads into it is not told */
	{ RECIPE(VERIFY("z", "y") "," VERIFY("y", "x") "," VERIFY("x", "y"), ""),
	  "my.json: stages[1].ranking: stages need each other in a circle: 'y' needs 'x' needs 'y'" },

	/* types */
	{ AFTER_SEARCH(VERIFY("b", "queries")),
	  "my.json: stages[1].ranking: 'queries' is queries, but ranking or verified is wanted" },
	{ AFTER_SEARCH("{'name':'b','stage':'search','queries':'a'}"),
	  "my.json: stages[1].queries: 'a' is ranking, but queries is wanted" },
	{ AFTER_SEARCH("{'name':'b','stage':'search','index':'train'}"),
	  "my.json: stages[1].index: 'train' is train, but index is wanted" },
	{ AFTER_SEARCH("{'name':'b','stage':'discriminate','train':'index'}"),
	  "my.json: stages[1].train: 'index' is index, but train is wanted" },
	{ FUSE("'rankings':['a','index']"),
	  "my.json: stages[2].rankings[1]: 'index' is index, but ranking or verified is wanted" },
	{ AFTER_SEARCH("{'name':'e','stage':'expand','verified':'a','min_inliers':3}"),
	  "my.json: stages[1].verified: 'a' is ranking, but verified is wanted" },
	{ AFTER_SEARCH("{'name':'e','stage':'expand','min_inliers':3}"),
	  "my.json: stages[1].verified: is missing: min_inliers needs verified, and 'a' is ranking" },
	{ AFTER_SEARCH(VERIFY("b", "a") ",{'name':'e','stage':'expand','verified':'b'}"),
	  "my.json: stages[2].verified: goes with min_inliers, which is missing" },

	/* what must hold together */
	{ AFTER_SEARCH("{'name':'e','stage':'expand'},{'name':'b','stage':'search','by':'asmk','queries':'e'}"),
	  "my.json: stages[2].queries: by asmk and by fused search with local features, which only the given 'queries' "
	  "has" },
	{ RECIPE("{'name':'g','stage':'augment'},{'name':'b','stage':'search','by':'fused','index':'g'}", ""),
	  "my.json: stages[1].index: by asmk and by fused search with local features, which only the given 'index' "
	  "has" },
	{ AFTER_SEARCH("{'name':'v','stage':'verify','protocol':'delf','geometry':'homography'}"),
	  "my.json: stages[1].geometry: protocol delf knows affine maps only" },
	{ AFTER_SEARCH("{'name':'v','stage':'verify','protocol':'delf','max_distance':1,'radius':20}"),
	  "my.json: stages[1].reference_side: must be given with protocol delf" },
	{ FUSE("'rankings':['a','b'],'weights':[1]"), "my.json: stages[2].weights: there are 1 for 2 rankings" },
	{ FUSE("'rankings':['a','b'],'weights':[0,0]"), "my.json: stages[2].weights: all are 0" },
	{ FUSE("'rankings':['a','b'],'rule':'product','normalise':'zscore'"),
	  "my.json: stages[2].normalise: zscore gives numbers below 0, which rule product cannot multiply" },
	{ AFTER_SEARCH("{'name':'c','stage':'cut'}"),
	  "my.json: stages[1]: nothing is cut; give depth, min_score or min_inliers" },
	{ AFTER_SEARCH("{'name':'c','stage':'cut','min_inliers':5}"),
	  "my.json: stages[1].min_inliers: the ranking has no inliers; take a verified one" },

	/* output */
	{ RECIPE(SEARCH("a"), ",'output':'b'"), "my.json: output: 'b' is unknown; it is one of a" },
	{ RECIPE(SEARCH("near"), ",'output':'naer'"),
	  "my.json: output: 'naer' is unknown; did you mean 'near'? It is one of near" },
	{ RECIPE(SEARCH("a"), ",'output':'queries'"), "my.json: output: 'queries' is unknown; it is one of a" },
	{ RECIPE(SEARCH("a"), ",'output':1"), "my.json: output: must be the name of a stage, not a whole number" },
	{ AFTER_SEARCH("{'name':'g','stage':'augment'}"),
	  "my.json: output: 'g' gives index, but a recipe ends in ranking or verified" },
};

static void every_fault_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		cairn_recipe *recipe = (cairn_recipe *)&recipe;
		assert_fails(parse_recipe(&recipe, faults[i].text), CAIRN_EFORMAT, faults[i].fault);
		assert_null(recipe);
	}
}

/* `count` stages with names n0, n1, ..., made from a form that takes the number and that of the next one. */
static char *many_stages(size_t count, const char *form)
{
	cn_text text = CN_TEXT_INIT;
	assert_ok(cn_text_add(&text, "{'recipe':1,'title':'t','stages':["));
	for (size_t i = 0; i < count; i++) {
		char stage[160];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(stage, sizeof(stage), form, i, (i + 1) % count);
#pragma GCC diagnostic pop
		assert_ok(cn_text_addf(&text, "%s%s", i ? "," : "", stage));
	}
	assert_ok(cn_text_add(&text, "]}"));
	return text.data;
}

static void many_stages_and_too_many(void **state)
{
	(void)state;
	static const char search[] = "{'name':'n%zu','stage':'search','k':1%zu}";
	static const char next[] = "{'name':'n%zu','stage':'verify','ranking':'n%zu'}";
	cairn_recipe *recipe;
	char *text = many_stages(1000, search);
	assert_ok(parse_recipe(&recipe, text));
	assert_int_equal(cairn_recipe_count(recipe), 1000);
	cairn_recipe_free(recipe);
	cn_free(text);
	text = many_stages(1001, search);
	assert_fails(parse_recipe(&recipe, text), CAIRN_EFORMAT, "stages: has 1001 stages; 1 to 1000 are possible");
	cn_free(text);
	text = many_stages(1000, next);
	assert_fails(parse_recipe(&recipe, text), CAIRN_EFORMAT,
		     "'n0' needs 'n1' needs 'n2' needs 'n3' needs 'n4' needs 'n5' needs 'n6' needs 'n7' needs "
		     "... (992 stages more) needs 'n0'");
	cn_free(text);
}

static void a_long_list_of_names_is_cut_off(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	char *text = many_stages(30, "{'name':'n%zu','stage':'verify','ranking':'frobnicate%zu'}");
	assert_fails(parse_recipe(&recipe, text), CAIRN_EFORMAT, "n16, n17 and 12 more");
	cn_free(text);
}

static void deep_nesting_is_refused(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	size_t depth = 100000;
	char *text = malloc(depth + 1);
	memset(text, '[', depth);
	text[depth] = '\0';
	assert_fails(parse_recipe(&recipe, text), CAIRN_EFORMAT, "my.json:1:");
	free(text);
}

static void memory_that_runs_short_is_told(void **state)
{
	(void)state;
	cairn_recipe *recipe;
	long failures = 0;
	for (int status = -1; status < 0; failures++) {
		assert_true(failures < 10000);
		cn_memory_fail_at(failures);
		status = parse_recipe(&recipe, everything);
		cn_memory_fail_at(-1);
		if (status < 0)
			assert_fails(status, CAIRN_ENOMEM, NULL);
		else
			cairn_recipe_free(recipe);
	}
	assert_true(failures > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_read),
		cmocka_unit_test(stages_say_what_they_are),
		cmocka_unit_test(inputs_and_their_defaults),
		cmocka_unit_test(stages_follow_what_they_take),
		cmocka_unit_test(the_last_of_the_file_is_the_output),
		cmocka_unit_test(what_is_not_used_is_told),
		cmocka_unit_test(only_some_need_a_labelled_set),
		cmocka_unit_test(a_cut_gives_what_it_takes),
		cmocka_unit_test(the_complete_recipe_says_the_same),
		cmocka_unit_test(lists_in_the_complete_recipe),
		cmocka_unit_test(every_fault_is_named),
		cmocka_unit_test(many_stages_and_too_many),
		cmocka_unit_test(a_long_list_of_names_is_cut_off),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(memory_that_runs_short_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
