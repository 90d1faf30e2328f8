/*
 * cairn/export.h - marks what libcairn exports; everything else in the library is hidden.
 */
#ifndef CAIRN_EXPORT_H
#define CAIRN_EXPORT_H

#if defined(__GNUC__) || defined(__clang__)
#define CAIRN_API __attribute__((visibility("default")))
#else
#define CAIRN_API
#endif

#endif
