/* The loops of gather and append. They take pointers and counts, allocate nothing, report nothing;
 * indices are in range (the caller has checked), and -1 stands for a null. Targets do not overlap
 * sources. */
#ifndef STOA_ARROW_GATHER_KERNEL_H
#define STOA_ARROW_GATHER_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// How many of the gathered values are null: index -1, or a 0 in `validity` (nullable: all valid) at
/// bit `offset` + index.
int64_t stoa_gather_null_count(const uint8_t *validity, int64_t offset, const int64_t *indices,
                               int64_t count);

/// target bit `target_offset` + i = bits[offset + indices[i]], 0 for -1. `bits` NULL means all ones.
void stoa_gather_bits(const uint8_t *bits, int64_t offset, const int64_t *indices, int64_t count,
                      uint8_t *target, int64_t target_offset);

/// `width` bytes a value, from `values` + indices[i] * width; zeros for -1.
void stoa_gather_fixed(const uint8_t *values, size_t width, const int64_t *indices, int64_t count,
                       uint8_t *target);

/// Total length of the runs [offsets[k], offsets[k + 1]) for k = indices[i], and none for -1 or where
/// `validity` (nullable, at `validity_offset` + k) is 0.
int64_t stoa_gather_run_total(const void *offsets, bool wide, const uint8_t *validity,
                              int64_t validity_offset, const int64_t *indices, int64_t count);

/// Copies the same runs of bytes one after the other; target_offsets[i] = end of run i, counting on
/// from `base`. Returns the end of the last.
int64_t stoa_gather_bytes(const void *offsets, bool wide, const uint8_t *validity,
                          int64_t validity_offset, const uint8_t *bytes, const int64_t *indices,
                          int64_t count, int64_t base, uint8_t *target, void *target_offsets);

/// The same runs as lists: writes the ends, and the index of each item into `items`.
int64_t stoa_gather_items(const void *offsets, bool wide, const uint8_t *validity,
                          int64_t validity_offset, const int64_t *indices, int64_t count,
                          int64_t base, int64_t *items, void *target_offsets);

/// target[i] = offsets[i + 1] - offsets[0] + base, for `count` values: offsets appended to others.
void stoa_offsets_append(const void *offsets, bool wide, int64_t count, int64_t base, void *target);

#endif
