/* The loops of conform: `count` values from one layout into another. Whether a value fits was
 * checked before; what lies under a null may be anything, and comes out as anything. */
#ifndef STOA_SCHEMA_CONFORM_KERNEL_H
#define STOA_SCHEMA_CONFORM_KERNEL_H

#include <stdint.h>

#include <stoa/schema.h>

#include "arrow/layout.h"

/// Integers and floats into wider ones.
void stoa_kernel_widen(const void *source, stoa_arrow_kind from, void *target, stoa_type_kind to,
                       int64_t count);
/// Times and timestamps into finer units; widths are 4 and 8 bytes, the target's not the smaller.
void stoa_kernel_scale(const void *source, int32_t source_width, void *target, int32_t target_width,
                       int64_t factor, int64_t count);
/// Decimals of 4, 8, 16 and 32 bytes into 16, times `factor`.
void stoa_kernel_decimal_widen(const void *source, int32_t width, __int128 factor, void *target,
                               int64_t count);
/// Milliseconds into days.
void stoa_kernel_days(const int64_t *source, int32_t *target, int64_t count);
/// INTERVAL_MONTHS or INTERVAL_DAY_TIME into months, days, nanoseconds.
void stoa_kernel_interval(const void *source, stoa_arrow_kind from, void *target, int64_t count);
/// Bytes into bits; `target` is zeroed.
void stoa_kernel_bits(const int8_t *source, uint8_t *target, int64_t count);
/// count + 1 offsets, made relative to the first.
void stoa_kernel_rebase_i32(const int32_t *source, int32_t *target, int64_t count);
void stoa_kernel_rebase_i64(const int64_t *source, int32_t *target, int64_t count);

#endif
