/*
 * Progress. The rate is that of the last seconds, not of the whole: what is in already passes in no time, and a mean
 * from the start would promise too much for what follows.
 */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "say.h"
#include "text.h"

#define SAMPLE_SECONDS   0.5
#define INTERVAL_SECONDS 10.0
#define REDRAW_SECONDS   0.05
#define WIDEST_BAR       32
#define NARROWEST_BAR    6

static double plain_interval(void)
{
	const char *given = getenv("CAIRN_PROGRESS");
	double seconds;
	return given && parse_real(given, 0, 86400, &seconds) ? seconds : INTERVAL_SECONDS;
}

void progress_start(struct progress *progress, const char *stopping)
{
	*progress =
		(struct progress){ .stopping = stopping, .interval = plain_interval(), .last_shown = seconds_now() };
}

static void new_stage(struct progress *progress, const char *stage)
{
	snprintf(progress->stage, sizeof(progress->stage), "%s", stage);
	progress->first = progress->count = 0;
}

static void sample(struct progress *progress, double done, double time)
{
	unsigned last = (progress->first + progress->count - 1) % PROGRESS_SAMPLES;
	if (progress->count && time - progress->samples[last].time < SAMPLE_SECONDS)
		return;
	if (progress->count == PROGRESS_SAMPLES)
		progress->first = (progress->first + 1) % PROGRESS_SAMPLES;
	else
		progress->count++;
	last = (progress->first + progress->count - 1) % PROGRESS_SAMPLES;
	progress->samples[last].time = time;
	progress->samples[last].done = done;
}

/* Items a second; 0 while there is too little to go by. */
static double rate(const struct progress *progress, double done, double time)
{
	double seconds = time - progress->samples[progress->first].time;
	if (!progress->count || seconds < SAMPLE_SECONDS)
		return 0;
	return (done - progress->samples[progress->first].done) / seconds;
}

static void format_time(char *out, size_t size, double seconds)
{
	uint64_t s = (uint64_t)(seconds + 0.5);
	if (s >= 3600)
		snprintf(out, size, "%" PRIu64 ":%02u:%02u", s / 3600, (unsigned)(s / 60 % 60), (unsigned)(s % 60));
	else
		snprintf(out, size, "%u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
}

/* "84.2/s  1:05 left", as far as it is known. */
static void format_rate(char *out, size_t size, double left_over, double per_second)
{
	char left[32];
	*out = '\0';
	if (per_second <= 0)
		return;
	int length = snprintf(out, size, "  %.*f/s", per_second < 1 ? 2 : per_second < 100 ? 1 : 0, per_second);
	if (left_over <= 0 || length < 0)
		return;
	format_time(left, sizeof(left), left_over / per_second);
	snprintf(out + length, size - (size_t)length, "  %s left", left);
}

/* Items done, with what is done of the one in hand. */
static double done_of(const struct progress *progress, const cairn_progress *now)
{
	return (double)now->done + (now->done < now->total ? progress->part : 0);
}

static double fraction(const struct progress *progress, const cairn_progress *now)
{
	return now->done >= now->total ? 1 : done_of(progress, now) / (double)now->total;
}

static void plain_line(struct progress *progress, const cairn_progress *now, double time)
{
	double done = done_of(progress, now);
	char speed[80], failed[48] = "";
	if (is_quiet() || time - progress->last_shown < progress->interval)
		return;
	progress->last_shown = time;
	format_rate(speed, sizeof(speed), (double)now->total - done, rate(progress, done, time));
	if (now->failed)
		snprintf(failed, sizeof(failed), "  %" PRIu64 " failed", now->failed);
	if (now->total)
		say("%s: %" PRIu64 " of %" PRIu64 " (%d%%)%s%s", now->stage, now->done, now->total,
		    (int)(100 * fraction(progress, now)), speed, failed);
	else
		say("%s: %" PRIu64 "%s%s", now->stage, now->done, speed, failed);
}

/* A bar of `cells` character cells into `out`, which holds at least 4 bytes a cell and the colours. */
static void format_bar(char *out, size_t size, unsigned cells, double part)
{
	const char *full = has_utf8() ? "\u2501" : "=", *half = has_utf8() ? "\u2578" : "-";
	const char *empty = has_utf8() && has_colour() ? "\u2501" : has_utf8() ? "\u2500" : " ";
	unsigned halves = (unsigned)(2 * cells * part + 0.5);
	FILE *file = fmemopen(out, size, "w");
	if (!file)
		return;
	fputs(has_colour() ? "\033[36m" : "", file);
	for (unsigned i = 0; i < cells; i++) {
		if (i == (halves + 1) / 2)
			fputs(has_colour() ? "\033[90m" : "", file);
		fputs(2 * i + 1 < halves ? full : 2 * i < halves ? half : empty, file);
	}
	fputs(has_colour() ? "\033[0m" : "", file);
	fclose(file);
}

static void draw(struct progress *progress, const cairn_progress *now, double time)
{
	char speed[80], count[64], failed[48] = "", bar[8 * WIDEST_BAR] = "", line[8 * WIDEST_BAR + 320];
	unsigned width = terminal_width();
	double done = done_of(progress, now);
	format_rate(speed, sizeof(speed), (double)now->total - done, rate(progress, done, time));
	if (now->total)
		snprintf(count, sizeof(count), "%" PRIu64 "/%" PRIu64 " %3d%%", now->done, now->total,
			 (int)(100 * fraction(progress, now)));
	else
		snprintf(count, sizeof(count), "%" PRIu64, now->done);
	if (now->failed)
		snprintf(failed, sizeof(failed), "  %" PRIu64 " failed", now->failed);
	size_t used = strlen(progress->stage) + strlen(count) + strlen(speed) + strlen(failed) + 5;
	size_t cells = width > used ? width - used : 0;
	cells = cells > WIDEST_BAR ? WIDEST_BAR : cells;
	if (now->total && cells >= NARROWEST_BAR) {
		format_bar(bar, sizeof(bar), (unsigned)cells, fraction(progress, now));
		snprintf(line, sizeof(line), "%s  %s  %s%s%s%s%s", progress->stage, bar, count, speed,
			 has_colour() ? "\033[33m" : "", failed, has_colour() ? "\033[0m" : "");
	} else {
		/* Too narrow for a bar; a line that wraps would leave its first part behind. */
		snprintf(line, sizeof(line), "%.*s", (int)(width > 1 ? width - 1 : 1), count);
		if (used < width)
			snprintf(line, sizeof(line), "%s  %s%s%s", progress->stage, count, speed, failed);
	}
	status_line(line);
}

/* @return not 0 after Ctrl-C */
static int is_stopped(struct progress *progress)
{
	if (!interrupted())
		return 0;
	if (!progress->told && progress->stopping)
		say("%s", progress->stopping);
	progress->told = 1;
	return 1;
}

static int show(struct progress *progress, const cairn_progress *now)
{
	double time = seconds_now();
	int is_new = strcmp(progress->stage, now->stage) != 0;
	if (is_new)
		new_stage(progress, now->stage);
	sample(progress, done_of(progress, now), time);
	if (has_status_line() && (is_new || time - progress->last_shown >= REDRAW_SECONDS || now->done == now->total)) {
		progress->last_shown = time;
		draw(progress, now, time);
	}
	if (!has_status_line())
		plain_line(progress, now, time);
	return is_stopped(progress);
}

int progress_show(const cairn_progress *now, void *payload)
{
	struct progress *progress = payload;
	if (!progress->items.total)
		return show(progress, now);
	/* Work on one item may come in several stages; it does not go backwards for that. */
	double part = now->total ? (double)now->done / (double)now->total : 0;
	progress->part = part > progress->part ? part : progress->part;
	return show(progress, &progress->items);
}

int progress_item(struct progress *progress, const char *stage, uint64_t done, uint64_t total)
{
	progress->part = 0;
	if (total < 2)
		return is_stopped(progress);
	progress->items = (cairn_progress){ .stage = stage, .done = done, .total = total };
	return show(progress, &progress->items);
}

void progress_end(struct progress *progress)
{
	(void)progress;
	status_line(NULL);
}
