/* Values of fixed width as numbers in the order of keys, and back.
 *
 * Kernels: they allocate nothing and report nothing. */
#ifndef STOA_LSM_KEY_KERNEL_H
#define STOA_LSM_KEY_KERNEL_H

#include <stoa/schema.h>

/// Bytes of a number in a key, 16 for the widest decimals; 0 for texts, fixed, and what no key may hold.
uint8_t stoa_key_width(const stoa_type *type);

/// Numbers of `count` values from the array's position `at`, for widths up to 8: as wide as the type,
/// in ascending order.
void stoa_key_numbers(const stoa_type *type, const struct ArrowArray *array, int64_t at,
                      int64_t count, uint64_t *out);

/// The least and the greatest of these numbers; `count` is not 0.
void stoa_key_bounds(const stoa_type *type, const struct ArrowArray *array, int64_t at,
                     int64_t count, uint64_t bounds[2]);

/// The numbers back into an Arrow buffer from its beginning (of booleans whole bytes of bits). The
/// numbers are no wider than the type.
void stoa_key_values(const stoa_type *type, const uint64_t *numbers, int64_t count, uint8_t *out);

/// False when there is a number that no value of the type has.
bool stoa_key_numbers_valid(const stoa_type *type, const uint64_t *numbers, int64_t count);

#endif
