/*
 * Checkpoints: which format it is, by the first bytes.
 */
#include "model/checkpoint.h"

#include <string.h>

#include "model/safetensors.h"
#include "model/torch_checkpoint.h"
#include "util/mapped.h"
#include "util/memory.h"

int cn_checkpoint_parse(cn_weights *out, const void *bytes, size_t length, const char *name)
{
	memset(out, 0, sizeof(*out));
	out->file = cn_strdup(name);
	if (!out->file)
		return CAIRN_ENOMEM;
	/* Half precision doubles, bytes become eight. */
	out->limit = 8 * (uint64_t)length;
	int status;
	if (length >= 4 && memcmp(bytes, "PK\3\4", 4) == 0)
		status = cn_torch_zip_parse(out, bytes, length);
	else if (length >= 9 && ((const char *)bytes)[8] == '{')
		status = cn_safetensors_parse(out, bytes, length);
	else
		status = cn_torch_legacy_parse(out, bytes, length);
	if (status == 0)
		status = cn_weights_finish(out);
	if (status < 0)
		cn_weights_free(out);
	return status;
}

int cn_checkpoint_load(cn_weights *out, const char *path)
{
	cn_mapped file = { 0 };
	memset(out, 0, sizeof(*out));
	CN_TRY(cn_mapped_open(&file, path));
	int status = cn_checkpoint_parse(out, file.bytes, file.length, path);
	cn_mapped_close(&file);
	return status;
}
