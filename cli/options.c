/*
 * The parser. Options may stand anywhere, values follow after '=' or a space (single letters: at once or after a
 * space),
 * "--" ends the options. Words lead from group to command; what is left are operands.
 */
#include "options.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit_code.h"
#include "help.h"
#include "say.h"
#include "text.h"

struct common_options common;

const struct option common_options[] = {
	OPT_TEXT(0, "home", "DIR", &common.home, COMPLETE_FOLDER,
		 "keep models in DIR/models instead of $CAIRN_HOME/models or ~/.local/share/cairn/models"),
	OPT_FLAG('q', "quiet", &common.quiet, "only errors on stderr: no progress, no notes, no warnings"),
	OPT_FLAG('v', "verbose", &common.verbose, "also say what is done in detail"),
	OPT_FLAG('h', "help", &common.help, "this help"),
	OPT_END,
};

struct reading {
	struct arguments *out;
	int argc, at;
	char **argv;
	int ended;                      /* "--" was there */
	const struct option *given[64]; /* those that take one value */
	size_t given_count;
};

int usage_error(const struct command *command, const char *format, ...)
{
	char *message, *usage = usage_line(command);
	va_list list;
	va_start(list, format);
	int length = vasprintf(&message, format, list);
	va_end(list);
	if (length < 0)
		out_of_memory();
	say_error("%s%s%s", command->name, *command->name ? ": " : "", message);
	/* --quiet holds also while the line that has it is still being read. */
	if (!common.quiet) {
		say("usage: %s", usage);
		say("'cairn help%s%s' %s.", *command->name ? " " : "", command->name,
		    command->children ? "lists its commands" : "explains it");
	}
	free(usage);
	free(message);
	return EXIT_USAGE;
}

void option_spelling(const struct option *option, char *out, size_t size)
{
	if (option->name[1])
		snprintf(out, size, "--%s", option->name);
	else
		snprintf(out, size, "-%s", option->name);
}

/* ---- values ---- */

static int bad_value(const struct command *command, const struct option *option, const char *value)
{
	char spelling[64];
	option_spelling(option, spelling, sizeof(spelling));
	if (option->kind == OPTION_TEXT || option->kind == OPTION_LIST || option->kind == OPTION_OPTIONAL)
		return usage_error(command, "%s needs a value that is not empty: %s", spelling, option->value);
	if (option->kind == OPTION_WHOLE)
		return usage_error(command, "%s takes a whole number from %" PRIu64 " to %" PRIu64 ", not '%s'",
				   spelling, option->least, option->most, value);
	if (option->real_least <= -HUGE_VAL && option->real_most >= HUGE_VAL)
		return usage_error(command, "%s takes a decimal number, not '%s'", spelling, value);
	/* The least there is stands for all above 0. */
	if (option->real_least > 0 && option->real_least <= DBL_MIN)
		return usage_error(command, "%s takes a decimal number above 0 and at most %g, not '%s'", spelling,
				   option->real_most, value);
	return usage_error(command, "%s takes a decimal number from %g to %g, not '%s'", spelling, option->real_least,
			   option->real_most, value);
}

static int take_choice(const struct command *command, const struct option *option, const char *value)
{
	char spelling[64];
	char *all = need_text("%s", option->choices[0]);
	for (const char *const *choice = option->choices; *choice; choice++) {
		if (strcmp(*choice, value) == 0) {
			*option->to.text = *choice;
			free(all);
			return 0;
		}
		if (choice > option->choices) {
			char *longer = need_text("%s, %s", all, *choice);
			free(all);
			all = longer;
		}
	}
	const char *meant = closest(value, option->choices);
	option_spelling(option, spelling, sizeof(spelling));
	int status =
		usage_error(command, "%s takes %s%s, not '%s'%s%s%s", spelling, option->choices[1] ? "one of " : "",
			    all, value, meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	free(all);
	return status;
}

/* Of two values one would be lost without a word. */
static int take_once(struct reading *reading, const struct option *option)
{
	char spelling[64];
	if (option->kind == OPTION_LIST || option->kind == OPTION_FLAG)
		return 0;
	option_spelling(option, spelling, sizeof(spelling));
	for (size_t i = 0; i < reading->given_count; i++)
		if (reading->given[i] == option)
			return usage_error(reading->out->command, "%s was given twice; it takes one value", spelling);
	if (reading->given_count < sizeof(reading->given) / sizeof(*reading->given))
		reading->given[reading->given_count++] = option;
	return 0;
}

static int take_value(const struct command *command, const struct option *option, const char *value)
{
	switch (option->kind) {
	case OPTION_FLAG: /* has none */
		return 0;
	case OPTION_OPTIONAL:
	case OPTION_TEXT:
		if (!*value)
			break;
		*option->to.text = value;
		return 0;
	case OPTION_LIST:
		if (!*value)
			break;
		option->to.list->items = need_more(option->to.list->items, option->to.list->count + 1, sizeof(char *));
		option->to.list->items[option->to.list->count++] = value;
		return 0;
	case OPTION_CHOICE:
		return take_choice(command, option, value);
	case OPTION_WHOLE:
		if (parse_whole(value, option->least, option->most, option->to.whole))
			return 0;
		break;
	case OPTION_REAL:
		if (parse_real(value, option->real_least, option->real_most, option->to.real))
			return 0;
		break;
	}
	return bad_value(command, option, value);
}

/* ---- options ---- */

/* `letter` 0: by the first `length` bytes of `name`. */
static const struct option *find_in(const struct option *options, char letter, const char *name, size_t length)
{
	for (; options && options->name; options++) {
		if (letter ? options->letter == letter
			   : strlen(options->name) == length && strncmp(options->name, name, length) == 0)
			return options;
	}
	return NULL;
}

static const struct option *find_option(const struct command *command, char letter, const char *name, size_t length)
{
	const struct option *found = find_in(command->options, letter, name, length);
	return found ? found : find_in(common_options, letter, name, length);
}

static int unknown_option(const struct command *command, const char *word)
{
	const char *names[64], *meant;
	size_t count = 0, length = strcspn(word, "=");
	char *name = need_text("%.*s", (int)length, word);
	const struct option *lists[] = { command->options, common_options };
	for (size_t i = 0; i < 2; i++)
		for (const struct option *option = lists[i]; option && option->name; option++)
			if (!option->hidden && option->name[1] && count + 1 < sizeof(names) / sizeof(*names))
				names[count++] = option->name;
	names[count] = NULL;
	meant = name[0] == '-' && name[1] == '-' ? closest(name + 2, names) : NULL;
	int status = access(word, F_OK) == 0
			     ? usage_error(command, "unknown option '%s'; the file of that name is written './%s'",
					   word, word)
			     : usage_error(command, "unknown option '%s'%s%s%s", name,
					   meant ? "; did you mean '--" : "", meant ? meant : "", meant ? "'?" : "");
	free(name);
	return status;
}

/* The next word as a value; NULL after telling that it is missing. A word that is an option of this command is rather a
 * value forgotten. */
static const char *next_value(struct reading *reading, const struct option *option)
{
	const struct command *command = reading->out->command;
	const char *next = reading->at + 1 < reading->argc ? reading->argv[reading->at + 1] : NULL;
	char spelling[64];
	option_spelling(option, spelling, sizeof(spelling));
	if (!next) {
		usage_error(command, "%s needs a value: %s", spelling, option->value);
		return NULL;
	}
	if (strncmp(next, "--", 2) == 0 && (!next[2] || find_option(command, 0, next + 2, strcspn(next + 2, "=")))) {
		usage_error(command, "%s needs a value: %s (if '%s' is meant as one, write %s%s%s)", spelling,
			    option->value, next, spelling, option->name[1] ? "=" : "", next);
		return NULL;
	}
	reading->at++;
	return next;
}

static int read_long(struct reading *reading, const char *word)
{
	const struct command *command = reading->out->command;
	const char *name = word + 2, *value = strchr(name, '=');
	const struct option *option = find_option(command, 0, name, strcspn(name, "="));
	if (!option)
		return unknown_option(command, word);
	if (option->kind == OPTION_FLAG && value)
		return usage_error(command, "--%s takes no value, but '%s' was given", option->name, value + 1);
	if (option->kind == OPTION_FLAG) {
		*option->to.flag = 1;
		return 0;
	}
	if (take_once(reading, option) != 0)
		return EXIT_USAGE;
	if (option->kind == OPTION_OPTIONAL && !value) {
		*option->to.text = "";
		return 0;
	}
	value = value ? value + 1 : next_value(reading, option);
	return value ? take_value(command, option, value) : EXIT_USAGE;
}

/* "-k100", "-k 100", "-qv" */
static int read_letters(struct reading *reading, const char *word)
{
	const struct command *command = reading->out->command;
	for (const char *letter = word + 1; *letter; letter++) {
		const struct option *option = find_option(command, *letter, NULL, 0);
		const char *value = letter[1] ? letter + 1 : NULL;
		if (!option)
			return unknown_option(command, word);
		if (option->kind == OPTION_FLAG) {
			*option->to.flag = 1;
			continue;
		}
		if (take_once(reading, option) != 0)
			return EXIT_USAGE;
		if (!value)
			value = next_value(reading, option);
		return value ? take_value(command, option, value) : EXIT_USAGE;
	}
	return 0;
}

/* ---- words ---- */

/* The last word of a command's name. */
static const char *own_name(const struct command *command)
{
	const char *space = strrchr(command->name, ' ');
	return space ? space + 1 : command->name;
}

static const struct command *find_child(const struct command *group, const char *word, size_t length)
{
	for (const struct command *const *child = group->children; child && *child; child++)
		if (strlen(own_name(*child)) == length && strncmp(own_name(*child), word, length) == 0)
			return *child;
	return NULL;
}

const struct command *find_command(const char *name)
{
	const struct command *command = &cairn_command;
	while (command && *name) {
		size_t length = strcspn(name, " ");
		command = find_child(command, name, length);
		name += length + (name[length] == ' ');
	}
	return command;
}

/* What other programs call it. */
static const struct command *same_by_another_name(const struct command *group, const char *word)
{
	static const struct {
		const char *name, *ours;
	} names[] = {
		{ "rm", "remove" },   { "delete", "remove" }, { "create", "init" }, { "new", "init" },
		{ "find", "search" }, { "query", "search" },  { "ls", "info" },     { "fsck", "check" },
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i].name, word) == 0)
			return find_child(group, names[i].ours, strlen(names[i].ours));
	return NULL;
}

static const struct command *closest_child(const struct command *group, const char *word)
{
	const struct command *same = same_by_another_name(group, word);
	if (same)
		return same;
	const char *names[64], *meant;
	size_t count = 0;
	for (const struct command *const *child = group->children; child && *child && count < 63; child++)
		names[count++] = own_name(*child);
	names[count] = NULL;
	meant = closest(word, names);
	return meant ? find_child(group, meant, strlen(meant)) : NULL;
}

const struct command *closest_command(const char *name)
{
	const struct command *group = &cairn_command, *child;
	size_t length = strcspn(name, " ");
	while (name[length] && (child = find_child(group, name, length))) {
		group = child;
		name += length + 1;
		length = strcspn(name, " ");
	}
	return closest_child(group, name);
}

static int unknown_command(const struct command *group, const char *word)
{
	const struct command *child = closest_child(group, word);
	const char *meant = child ? own_name(child) : NULL;
	return usage_error(group, "unknown command '%s'%s%s%s", word, meant ? "; did you mean '" : "",
			   meant ? meant : "", meant ? "'?" : "");
}

static int read_word(struct reading *reading, const char *word)
{
	struct arguments *out = reading->out;
	if (out->command->children && !reading->ended) {
		const struct command *child = find_child(out->command, word, strlen(word));
		if (!child)
			return unknown_command(out->command, word);
		out->command = child;
		return 0;
	}
	out->operands = need_more(out->operands, out->count + 1, sizeof(*out->operands));
	out->operands[out->count++] = word;
	return 0;
}

static int check_operands(const struct arguments *arguments)
{
	const struct command *command = arguments->command;
	const struct operand *operand = command->operands;
	size_t given = arguments->count;
	for (; operand && operand->name; operand++) {
		if (!given && !operand->optional)
			return usage_error(command, "%s is missing", operand->name);
		given = operand->many || !given ? 0 : given - 1;
	}
	if (given)
		return usage_error(command, "'%s' is too much", arguments->operands[arguments->count - given]);
	for (size_t i = 0; i < arguments->count; i++)
		if (!*arguments->operands[i])
			return usage_error(command, "an operand is empty");
	return 0;
}

int read_command_line(struct arguments *out, int argc, char **argv)
{
	struct reading reading = { .out = out, .argc = argc, .argv = argv };
	*out = (struct arguments){ .command = &cairn_command };
	for (reading.at = 1; reading.at < argc; reading.at++) {
		const char *word = argv[reading.at];
		int status;
		if (reading.ended || word[0] != '-' || !word[1])
			status = read_word(&reading, word);
		else if (strcmp(word, "--") == 0) {
			reading.ended = 1;
			continue;
		} else
			status = word[1] == '-' ? read_long(&reading, word) : read_letters(&reading, word);
		if (status)
			return status;
	}
	return common.help || out->command->children ? 0 : check_operands(out);
}
