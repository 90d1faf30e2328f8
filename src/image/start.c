/*
 * libvips, started once.
 */
#include <pthread.h>
#include <string.h>
#include <vips/vips.h>

#include "image/image.h"
#include "util/log.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int start_failed;

/* libvips warns of odd metadata and the like; the library itself never prints. */
static void pass_on(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data)
{
	(void)domain, (void)level, (void)data;
	cn_log(CAIRN_LOG_DEBUG, "libvips: %s", message);
}

static void start(void)
{
	if (vips_init("cairn") != 0) {
		start_failed = 1;
		return;
	}
	vips_concurrency_set(1);
	vips_cache_set_max(0);
	g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG,
			  pass_on, NULL);
}

int cn_vips_start(void)
{
	pthread_once(&once, start);
	return start_failed ? cn_fail(CAIRN_EBACKEND, "libvips %s does not start", vips_version_string()) : 0;
}

void cn_vips_error(char *text, size_t size)
{
	char *said = vips_error_buffer_copy();
	size_t length = strlen(said);

	while (length && said[length - 1] == '\n')
		said[--length] = '\0';
	for (size_t i = 0; i < length; i++)
		if (said[i] == '\n')
			said[i] = ';';
	snprintf(text, size, "%s", said);
	g_free(said);
}
