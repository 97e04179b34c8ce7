/* See partition_keys.h. Columns of numbers and of strings, which partitions mostly are, are read column
 * by column; the others value by value. */
#include "parquet/partition_keys.h"

#include <math.h>

#include "base/bits.h"
#include "base/hash.h"

static void mark_nulls(stoa_partition_keys *keys, const struct ArrowArray *column, int64_t at,
                       int64_t count) {
    memset(keys->is_null, 0, (size_t)count * sizeof keys->is_null[0]);
    if (column->null_count == 0 || column->buffers[0] == NULL) {
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        keys->is_null[i] = !stoa_bit_get(column->buffers[0], at + i);
    }
}

static void clear_nulls(stoa_partition_keys *keys, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        keys->numbers[i] = keys->is_null[i] ? 0 : keys->numbers[i];
    }
}

static void fill_numbers(stoa_partition_keys *keys, const stoa_partition_field *field,
                         const struct ArrowArray *column, bool is_wide, int64_t at, int64_t count) {
    int64_t numbers[STOA_PARTITION_KEY_ROWS];
    mark_nulls(keys, column, at, count);
    if (is_wide) {
        memcpy(numbers, (const int64_t *)column->buffers[1] + at, (size_t)count * sizeof *numbers);
    } else {
        const int32_t *narrow = (const int32_t *)column->buffers[1] + at;
        for (int64_t i = 0; i < count; i++) {
            numbers[i] = narrow[i];
        }
    }
    for (int64_t i = 0; i < count; i++) {
        numbers[i] = keys->is_null[i] ? 0 : numbers[i]; /* what stands under a null is anything */
    }
    stoa_partition_transform_numbers(field, numbers, count);
    memcpy(keys->numbers, numbers, (size_t)count * sizeof *numbers);
    clear_nulls(keys, count);
}

static void fill_texts(stoa_partition_keys *keys, const stoa_partition_field *field,
                       const struct ArrowArray *column, int64_t at, int64_t count) {
    const int32_t *offsets = (const int32_t *)column->buffers[1] + at;
    const uint8_t *bytes = column->buffers[2];
    mark_nulls(keys, column, at, count);
    keys->in_bytes = true;
    for (int64_t i = 0; i < count; i++) {
        const size_t size = (size_t)(offsets[i + 1] - offsets[i]);
        keys->bytes[i] = size == 0 ? NULL : bytes + offsets[i];
        keys->sizes[i] = field->transform == STOA_TRANSFORM_TRUNCATE
                             ? stoa_partition_truncate_text(field, keys->bytes[i], size)
                             : size;
        keys->numbers[i] = keys->is_null[i] ? 0 : stoa_hash64(keys->bytes[i], keys->sizes[i]);
    }
}

static void fill_value(stoa_partition_keys *keys, int64_t row, const stoa_value *value) {
    keys->is_null[row] = value->is_null;
    keys->numbers[row] = 0;
    if (value->is_null) {
        return;
    }
    switch (value->type.kind) {
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE: {
        double number = isnan(value->f) ? (double)NAN : value->f;
        memcpy(&keys->numbers[row], &number, sizeof number);
        return;
    }
    case STOA_TYPE_DECIMAL:
        keys->wide[row] = value->decimal;
        keys->bytes[row] = (const uint8_t *)&keys->wide[row];
        keys->sizes[row] = sizeof value->decimal;
        break;
    case STOA_TYPE_STRING:
    case STOA_TYPE_UUID:
        keys->bytes[row] = value->bytes;
        keys->sizes[row] = value->size;
        break;
    default: keys->numbers[row] = (uint64_t)value->i; return;
    }
    keys->in_bytes = true;
    keys->numbers[row] = stoa_hash64(keys->bytes[row], keys->sizes[row]);
}

static void fill_values(stoa_partition_keys *keys, const stoa_partition_field *field,
                        const struct ArrowArray *column, int64_t at, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        stoa_value source, value;
        stoa_value_from_array(&field->source, column, at + i - column->offset, &source);
        stoa_partition_transform(field, &source, &value);
        fill_value(keys, i, &value);
    }
}

void stoa_partition_keys_fill(stoa_partition_keys *keys, const stoa_partition_field *field,
                              const struct ArrowArray *column, int64_t at, int64_t count) {
    STOA_ASSERT(count <= STOA_PARTITION_KEY_ROWS);
    keys->in_bytes = false;
    switch (field->source.kind) {
    case STOA_TYPE_INT:
    case STOA_TYPE_DATE: fill_numbers(keys, field, column, false, at, count); return;
    case STOA_TYPE_LONG:
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ: fill_numbers(keys, field, column, true, at, count); return;
    case STOA_TYPE_STRING:
        if (field->transform != STOA_TRANSFORM_BUCKET) {
            fill_texts(keys, field, column, at, count);
            return;
        }
        break;
    default: break;
    }
    fill_values(keys, field, column, at, count);
}
