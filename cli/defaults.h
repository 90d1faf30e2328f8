/*
 * cli/defaults.h - what the command chooses where the user does not; docs/results.md holds the measurements behind it.
 */
#ifndef CLI_DEFAULTS_H
#define CLI_DEFAULTS_H

#define DEFAULT_MODEL "efficientnet-lite0"
#define DEFAULT_LOCAL "rootsift"

#endif
