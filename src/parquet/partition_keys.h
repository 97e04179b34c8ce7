/* The values of one partition field over a block of rows, in a form that is quick to compare. */
#ifndef STOA_PARQUET_PARTITION_KEYS_H
#define STOA_PARQUET_PARTITION_KEYS_H

#include <string.h>

#include "schema/partition.h"

enum { STOA_PARTITION_KEY_ROWS = 256 };

/// Two values that are not null are the same where their numbers are, and their bytes where the type
/// has some.
typedef struct stoa_partition_keys {
    uint64_t numbers[STOA_PARTITION_KEY_ROWS]; /* the value, or a hash of its bytes; null: 0 */
    bool is_null[STOA_PARTITION_KEY_ROWS];
    bool in_bytes; /* strings, uuids, decimals: of these the next three */
    const uint8_t *bytes[STOA_PARTITION_KEY_ROWS]; /* borrowed from the array, or in `wide` */
    size_t sizes[STOA_PARTITION_KEY_ROWS];
    __int128 wide[STOA_PARTITION_KEY_ROWS];
} stoa_partition_keys;

/// The field's values for rows [at, at + count) of its column, from the start of the buffers; at most
/// STOA_PARTITION_KEY_ROWS.
void stoa_partition_keys_fill(stoa_partition_keys *keys, const stoa_partition_field *field,
                              const struct ArrowArray *column, int64_t at, int64_t count);

/// Whether the key of row `row` of the block is that of `value`, whose number is `number`.
static inline bool stoa_partition_key_is(const stoa_partition_keys *keys, int64_t row,
                                         const stoa_value *value, uint64_t number) {
    if (keys->numbers[row] != number || keys->is_null[row] != value->is_null) {
        return false;
    }
    if (!keys->in_bytes || value->is_null) {
        return true;
    }
    const bool is_decimal = value->type.kind == STOA_TYPE_DECIMAL;
    const size_t size = is_decimal ? sizeof value->decimal : value->size;
    return keys->sizes[row] == size &&
           (size == 0 ||
            memcmp(keys->bytes[row], is_decimal ? (const void *)&value->decimal : value->bytes,
                   size) == 0);
}

#endif
