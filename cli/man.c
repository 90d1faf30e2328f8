/*
 * Man pages in the man(7) macros, from the same tables as the help.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/error.h"
#include "help.h"
#include "options.h"
#include "text.h"

/* Text that groff shows as it is: '-' is the ASCII one, a line cannot become a request. */
static void put(FILE *file, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (i == 0 && (*text == '.' || *text == '\''))
			fputs("\\&", file);
		if (text[i] == '\\')
			fputs("\\e", file);
		else if (text[i] == '-')
			fputs("\\-", file);
		else if (text[i] == '\'')
			fputs("\\(aq", file);
		else if (text[i] == '~')
			fputs("\\(ti", file);
		else if (text[i] == '^')
			fputs("\\(ha", file);
		else
			putc(text[i], file);
	}
}

static void put_line(FILE *file, const char *text)
{
	put(file, text, strlen(text));
	putc('\n', file);
}

/* "cairn-model-install" */
static char *page_name(const struct command *command)
{
	char *name = need_text("cairn%s%s", *command->name ? "-" : "", command->name);
	for (char *c = name; *c; c++)
		if (*c == ' ')
			*c = '-';
	return name;
}

static void lines(FILE *file, const char *text, size_t length)
{
	while (length) {
		const char *end = memchr(text, '\n', length);
		size_t line = end ? (size_t)(end - text) : length;
		put(file, text, line);
		putc('\n', file);
		line += end != NULL;
		text += line;
		length -= line;
	}
}

static void paragraphs(FILE *file, const char *text)
{
	const char *start = text;
	while (*text) {
		const char *end = strstr(text, "\n\n");
		size_t length = end ? (size_t)(end - text) : strlen(text);
		if (*text == ' ') {
			fputs(text > start ? ".PP\n.nf\n" : ".nf\n", file);
			lines(file, text, length);
			fputs(".fi\n", file);
		} else {
			fputs(text > start ? ".PP\n" : "", file);
			lines(file, text, length);
		}
		text += length + (end ? 2 : 0);
	}
}

static void section(FILE *file, const char *title)
{
	fputs(".SH ", file);
	for (; *title; title++)
		putc(toupper((unsigned char)*title), file);
	putc('\n', file);
}

static void option(FILE *file, const struct option *option)
{
	fputs(".TP\n\\fB", file);
	if (option->letter)
		fprintf(file, "\\-%c", option->letter);
	if (option->letter && option->name[1])
		fputs("\\fR, \\fB", file);
	if (option->name[1]) {
		fputs("\\-\\-", file);
		put(file, option->name, strlen(option->name));
	}
	fputs("\\fR", file);
	if (option->value) {
		int optional = option->kind == OPTION_OPTIONAL;
		fputs(optional ? "[=\\fI" : " \\fI", file);
		put(file, option->value, strlen(option->value));
		fputs(optional ? "\\fR]" : "\\fR", file);
	}
	putc('\n', file);
	put_line(file, option->help);
}

static void options(FILE *file, const struct option *list)
{
	for (; list && list->name; list++)
		if (!list->hidden)
			option(file, list);
}

static void synopsis(FILE *file, const struct command *command)
{
	char *variant;
	section(file, "synopsis");
	for (size_t n = 0; (variant = usage_variant(command, n)); n++) {
		size_t name = strlen(command->name);
		fputs(n ? ".br\n\\fBcairn" : "\\fBcairn", file);
		if (name) {
			putc(' ', file);
			put(file, command->name, name);
		}
		fputs("\\fR", file);
		put_line(file, variant + name);
		free(variant);
	}
}

static void children(FILE *file, const struct command *group)
{
	section(file, "commands");
	for (const struct command *const *child = group->children; *child; child++) {
		char *page = page_name(*child);
		fputs(".TP\n\\fB", file);
		put(file, page, strlen(page));
		fputs("\\fR(1)\n", file);
		put_line(file, (*child)->summary);
		free(page);
	}
}

static void examples(FILE *file, const struct example *example)
{
	section(file, "examples");
	for (; example->command; example++) {
		fputs(".TP\n\\fB", file);
		put(file, example->command, strlen(example->command));
		fputs("\\fR\n", file);
		put_line(file, example->about);
	}
}

/* What holds for all commands stands in each page, where it is looked for. */
static void exit_status(FILE *file)
{
	static const struct {
		const char *code, *meaning;
	} codes[] = {
		{ "0", "done" },
		{ "1", "bad usage: the command line is wrong, or a value is out of range (CAIRN_EINVALID)" },
		{ "2",
		  "bad input: a file, image, model or collection is missing, unreadable, not what it should be or too "
		  "large; "
		  "the disk is full; the collection is busy; standard output cannot be written; all other errors" },
		{ "3", "damaged data: a file that cairn wrote fails its checksum (CAIRN_EDAMAGED)" },
		{ "4", "interrupted by SIGINT or SIGTERM: what was committed stays, the same command goes on "
		       "(CAIRN_ECANCELLED)" },
	};
	section(file, "exit status");
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		fprintf(file, ".TP\n\\fB%s\\fR\n", codes[i].code);
		put_line(file, codes[i].meaning);
	}
}

static void environment(FILE *file)
{
	static const struct {
		const char *name, *meaning;
	} variables[] = {
		{ "CAIRN_HOME", "models live in $CAIRN_HOME/models, recipes in $CAIRN_HOME/recipes; by default it is "
				"~/.local/share/cairn" },
		{ "CAIRN_RECIPES",
		  "the folder of the recipes that came with cairn, where it is not to find them itself" },
		{ "CAIRN_PROGRESS", "seconds between lines of progress where stderr is no terminal (10)" },
		{ "NO_COLOR", "if set and not empty, no colours on a terminal" },
	};
	section(file, "environment");
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
		fprintf(file, ".TP\n\\fB%s\\fR\n", variables[i].name);
		put_line(file, variables[i].meaning);
	}
}

/* The commands beside this one, and what it belongs to. */
static void see_also(FILE *file, const struct command *command)
{
	char *group = need_text("%s", command->name), *space = strrchr(group, ' ');
	section(file, "see also");
	*(space ? space : group) = '\0';
	const struct command *parent = find_command(group);
	char *page = page_name(parent);
	fputs("\\fB", file);
	put(file, page, strlen(page));
	fputs("\\fR(1)", file);
	free(page);
	for (const struct command *const *child = parent->children; child && *child; child++) {
		if (*child == command)
			continue;
		page = page_name(*child);
		fputs(",\n\\fB", file);
		put(file, page, strlen(page));
		fputs("\\fR(1)", file);
		free(page);
	}
	putc('\n', file);
	free(group);
}

void print_man(FILE *file, const struct command *command)
{
	char *name = page_name(command);
	fputs(".TH \"", file);
	for (const char *c = name; *c; c++)
		putc(toupper((unsigned char)*c), file);
	fprintf(file, "\" \"1\" \"\" \"cairn %s\" \"User Commands\"\n", cairn_version());
	/* Left-aligned, without hyphenation: paths and options stay whole. */
	fputs(".nh\n.ad l\n", file);
	section(file, "name");
	put(file, name, strlen(name));
	fputs(" \\- ", file);
	put_line(file, command->summary);
	synopsis(file, command);
	section(file, "description");
	paragraphs(file, command->description);
	if (command->children)
		children(file, command);
	section(file, "options");
	options(file, command->options);
	options(file, common_options);
	for (const struct section *more = command->sections; more && more->title; more++) {
		section(file, more->title);
		paragraphs(file, more->text);
	}
	if (command->examples)
		examples(file, command->examples);
	exit_status(file);
	environment(file);
	see_also(file, command);
	free(name);
}
