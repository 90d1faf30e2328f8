/*
 * --help: usage, description, options in two columns, examples; filled to the width of the terminal.
 */
#include "help.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "options.h"
#include "text.h"

#define NARROWEST 60
#define WIDEST    100
#define COLUMN    26 /* where the text of an option begins */

static unsigned page_width(void)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_col)
		return 80;
	return size.ws_col < NARROWEST ? NARROWEST : size.ws_col > WIDEST ? WIDEST : size.ws_col;
}

static char *usage_of_operands(const struct command *command)
{
	char *text = need_text("%s", command->name);
	for (const struct operand *operand = command->operands; operand && operand->name; operand++) {
		char *longer = need_text("%s %s%s%s%s", text, operand->optional ? "[" : "", operand->name,
					 operand->many ? "..." : "", operand->optional ? "]" : "");
		free(text);
		text = longer;
	}
	char *whole = need_text("%s%s", text, command->options ? " [options]" : "");
	free(text);
	return whole;
}

char *usage_variant(const struct command *command, size_t n)
{
	if (command->children)
		return n ? NULL : need_text("%s%sCOMMAND [options]", command->name, *command->name ? " " : "");
	if (command->usage)
		return command->usage[n] ? need_text("%s %s", command->name, command->usage[n]) : NULL;
	return n ? NULL : usage_of_operands(command);
}

char *usage_line(const struct command *command)
{
	char *variant = usage_variant(command, 0), *line = need_text("cairn %s", variant);
	free(variant);
	return line;
}

void for_each_command(const struct command *root, void (*visit)(const struct command *command, void *payload),
		      void *payload)
{
	visit(root, payload);
	for (const struct command *const *child = root->children; child && *child; child++)
		for_each_command(*child, visit, payload);
}

/* Words of `text` from column `at` on, continued at `indent`. */
static void fill(FILE *file, const char *text, unsigned at, unsigned indent, unsigned width)
{
	int first = 1;
	while (*text) {
		size_t length = strcspn(text, " \n");
		if (!first && at + 1 + length > width) {
			fprintf(file, "\n%*s", (int)indent, "");
			at = indent;
			first = 1;
		}
		fprintf(file, "%s%.*s", first ? "" : " ", (int)length, text);
		at += (unsigned)length + (first ? 0 : 1);
		first = 0;
		text += length + (text[length] != '\0');
	}
	putc('\n', file);
}

/* Paragraphs, filled; lines that begin with two spaces as they are. */
static void paragraphs(FILE *file, const char *text, unsigned width)
{
	while (*text) {
		const char *end = strstr(text, "\n\n");
		size_t length = end ? (size_t)(end - text) : strlen(text);
		char *paragraph = need_text("%.*s", (int)length, text);
		if (paragraph[0] == ' ')
			fprintf(file, "%s\n", paragraph);
		else
			fill(file, paragraph, 0, 0, width);
		free(paragraph);
		text += length;
		if (*text) {
			putc('\n', file);
			text += 2;
		}
	}
}

static char *option_head(const struct option *option)
{
	const char *value = option->value ? option->value : "";
	if (!option->name[1])
		return need_text("  -%s %s", option->name, value);
	if (option->letter)
		return need_text("  -%c, --%s%s%s", option->letter, option->name, *value ? " " : "", value);
	if (option->kind == OPTION_OPTIONAL)
		return need_text("      --%s[=%s]", option->name, value);
	return need_text("      --%s%s%s", option->name, *value ? " " : "", value);
}

static void print_option(FILE *file, const struct option *option, unsigned width)
{
	char *head = option_head(option);
	if (strlen(head) + 2 > COLUMN)
		fprintf(file, "%s\n%*s", head, COLUMN, "");
	else
		fprintf(file, "%-*s", COLUMN, head);
	fill(file, option->help, COLUMN, COLUMN, width);
	free(head);
}

static void print_options(FILE *file, const char *title, const struct option *options, unsigned width)
{
	fprintf(file, "\n%s:\n", title);
	for (; options->name; options++)
		if (!options->hidden)
			print_option(file, options, width);
}

static void print_children(FILE *file, const struct command *group, unsigned width)
{
	fputs("\ncommands:\n", file);
	for (const struct command *const *child = group->children; *child; child++) {
		fprintf(file, "  %-*s", COLUMN - 2, (*child)->name);
		fill(file, (*child)->summary, COLUMN, COLUMN, width);
	}
}

void print_help(FILE *file, const struct command *command)
{
	unsigned width = page_width();
	char *variant;
	for (size_t n = 0; (variant = usage_variant(command, n)); n++) {
		fprintf(file, "%s cairn %s\n", n ? "      " : "usage:", variant);
		free(variant);
	}
	putc('\n', file);
	paragraphs(file, command->description, width);
	if (command->children)
		print_children(file, command, width);
	if (command->options)
		print_options(file, "options", command->options, width);
	print_options(file, command->options ? "options of all commands" : "options", common_options, width);
	for (const struct section *section = command->sections; section && section->title; section++) {
		fprintf(file, "\n%s:\n", section->title);
		paragraphs(file, section->text, width);
	}
	if (command->examples)
		fputs("\nexamples:\n", file);
	for (const struct example *example = command->examples; example && example->command; example++)
		fprintf(file, "  %s\n      %s\n", example->command, example->about);
	if (command->children)
		fprintf(file, "\n'cairn help %s%sCOMMAND' explains a command.\n", command->name,
			*command->name ? " " : "");
}
