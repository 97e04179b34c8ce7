/* The loops of merge operators over groups of rows: which row of a group wins, and sums.
 *
 * Kernels: they allocate nothing and report nothing. Of equal values the older one wins, so that
 * folding a group in parts gives the same bits as folding it at once. */
#ifndef STOA_LSM_MERGE_OPERATOR_KERNEL_H
#define STOA_LSM_MERGE_OPERATOR_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

/* Group g is rows [starts[g], starts[g + 1]), at least one. */
typedef struct stoa_merge_groups {
    const int64_t *starts; /* count + 1 */
    int64_t count;
    const uint8_t *validity; /* NULL: no nulls */
    int64_t validity_offset; /* the bit of row 0 */
} stoa_merge_groups;

/// The row that a group becomes; the group's first where all are null.
void stoa_merge_pick_first(const stoa_merge_groups *groups, int64_t *picks);
/// The newest that is not null.
void stoa_merge_pick_last(const stoa_merge_groups *groups, int64_t *picks);

/// The least or the greatest that is not null, of values as numbers in the order of keys
/// (stoa_key_numbers): the first is row `first_row`.
void stoa_merge_pick_numbers(const uint64_t *numbers, int64_t first_row,
                             const stoa_merge_groups *groups, bool greatest, int64_t *picks);
/// The same of 16-byte integers, at any alignment, from row 0 on.
void stoa_merge_pick_i128(const uint8_t *values, const stoa_merge_groups *groups, bool greatest,
                          int64_t *picks);
/// By unsigned bytes, a beginning before what it begins.
void stoa_merge_pick_text(const int32_t *offsets, const uint8_t *bytes,
                          const stoa_merge_groups *groups, bool greatest, int64_t *picks);
void stoa_merge_pick_fixed(const uint8_t *values, int32_t width, const stoa_merge_groups *groups,
                           bool greatest, int64_t *picks);

/// Sums without the nulls; 0 for a group of nulls. The answer is the first group whose sum does not fit
/// the type, -1 when all do. Only the whole sum counts, whatever its parts come to.
int64_t stoa_merge_sum_i8(const int8_t *values, const stoa_merge_groups *groups, int8_t *sums);
int64_t stoa_merge_sum_i16(const int16_t *values, const stoa_merge_groups *groups, int16_t *sums);
int64_t stoa_merge_sum_i32(const int32_t *values, const stoa_merge_groups *groups, int32_t *sums);
int64_t stoa_merge_sum_i64(const int64_t *values, const stoa_merge_groups *groups, int64_t *sums);
int64_t stoa_merge_sum_u8(const uint8_t *values, const stoa_merge_groups *groups, uint8_t *sums);
int64_t stoa_merge_sum_u16(const uint16_t *values, const stoa_merge_groups *groups, uint16_t *sums);
int64_t stoa_merge_sum_u32(const uint32_t *values, const stoa_merge_groups *groups, uint32_t *sums);
int64_t stoa_merge_sum_u64(const uint64_t *values, const stoa_merge_groups *groups, uint64_t *sums);
/// 16 bytes each, at any alignment; magnitudes below `limit`, which is at most 10^38.
int64_t stoa_merge_sum_i128(const uint8_t *values, const stoa_merge_groups *groups, __int128 limit,
                            uint8_t *sums);
/// As IEEE 754 adds doubles, from the oldest to the newest.
void stoa_merge_sum_f32(const float *values, const stoa_merge_groups *groups, float *sums);
void stoa_merge_sum_f64(const double *values, const stoa_merge_groups *groups, double *sums);

/// A bit a group: whether it has a value that is not null. Returns how many have none.
int64_t stoa_merge_validity(const stoa_merge_groups *groups, uint8_t *out);

#endif
