/*
 * From the library's status codes to exit codes.
 */
#include "exit_code.h"

#include "cairn/error.h"

int exit_code(int status)
{
	if (status >= 0)
		return EXIT_DONE;
	switch (status) {
	case CAIRN_EINVALID:
		return EXIT_USAGE;
	case CAIRN_EDAMAGED:
		return EXIT_DAMAGED;
	case CAIRN_ECANCELLED:
		return EXIT_INTERRUPTED;
	default:
		return EXIT_INPUT;
	}
}
