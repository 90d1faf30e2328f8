/*
 * util/crc.h - CRC-32C (Castagnoli, polynomial 0x1EDC6F41), as iSCSI and ext4 use it.
 */
#ifndef CN_UTIL_CRC_H
#define CN_UTIL_CRC_H

#include <stddef.h>
#include <stdint.h>

/** @param crc 0 to start, or the result of the call before to go on */
uint32_t cn_crc32c(uint32_t crc, const void *bytes, size_t length);

/** The same without special instructions; the reference that tests compare with. */
uint32_t cn_crc32c_scalar(uint32_t crc, const void *bytes, size_t length);

#endif
