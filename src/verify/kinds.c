/*
 * Defaults for each kind of local features: minimum and boost calibrated for the named ones (docs/results.md says on
 * which images), a cautious guess for all others.
 */
#include "verify/kinds.h"

#include <string.h>

const cn_kind *cn_kind_find(const char *kind)
{
	static const cn_kind kinds[] = {
		{ "rootsift", 0.9f, -1.0f, 8, 90.0f, 0.14f },
		{ "xfeat", 1.0f, 0.75f, 30, 70.0f, 0.06f },
		{ NULL, 1.0f, -1.0f, 15, 70.0f, 0.1f },
	};
	size_t i = 0;
	while (kinds[i].kind && strcmp(kinds[i].kind, kind) != 0)
		i++;
	return &kinds[i];
}
