/*
 * image/profile.h - which colour profiles change nothing.
 */
#ifndef CN_IMAGE_PROFILE_H
#define CN_IMAGE_PROFILE_H

#include <stddef.h>
#include <stdint.h>

/**
 * Whether an ICC profile describes sRGB, to within half a grey level. Setting up a colour transform takes several times
 * as long as decoding a small photograph, and most profiles in photographs are of this kind.
 *
 * @return 1 or 0; 0 for whatever is damaged or not understood
 */
int cn_profile_is_srgb(const uint8_t *profile, size_t length);

#endif
