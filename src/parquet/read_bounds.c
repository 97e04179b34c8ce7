#include "parquet/read_bounds.h"

#include <math.h>

#include "arrow/number.h"
#include "base/bytes.h"
#include "parquet/read_kernel.h"

enum { DECIMAL_BYTES_MAX = 16 };

static bool is_float(const stoa_bounds_reader *reader) {
    return reader->type.kind == STOA_TYPE_FLOAT || reader->type.kind == STOA_TYPE_DOUBLE;
}

static bool is_narrow(const stoa_read_node *node) {
    return node->value_class == STOA_READ_NARROW_1 || node->value_class == STOA_READ_NARROW_2;
}

stoa_bounds_reader stoa_bounds_reader_of(const stoa_parquet_footer *footer,
                                         const stoa_read_node *node, const stoa_type *type) {
    const stoa_parquet_element *element = &footer->elements[footer->leaves[node->leaf].element];
    const int32_t order = footer->orders == NULL ? STOA_PARQUET_ORDER_NONE
                                                 : footer->orders[node->leaf];
    stoa_bounds_reader reader = {.node = node, .type = *type, .physical = element->physical};
    if (type->kind == STOA_TYPE_DECIMAL && element->physical == STOA_PARQUET_FIXED) {
        reader.decimal_bytes = element->type_length;
    }
    reader.type.children = NULL;
    reader.type.child_count = 0;
    reader.has_order = node->value_class != STOA_READ_NULL &&
                       node->value_class != STOA_READ_INT96 &&
                       node->value_class != STOA_READ_INTERVAL &&
                       element->logical != STOA_PARQUET_LOGICAL_GEOMETRY &&
                       element->logical != STOA_PARQUET_LOGICAL_GEOGRAPHY;
    reader.is_number = element->physical <= STOA_PARQUET_DOUBLE &&
                       element->physical != STOA_PARQUET_INT96;
    reader.is_unsigned = type->kind == STOA_TYPE_UINT32 || type->kind == STOA_TYPE_UINT64;
    reader.follows_type = order == STOA_PARQUET_ORDER_TYPE ||
                          (order == STOA_PARQUET_ORDER_IEEE_754 && is_float(&reader));
    return reader;
}

/* ---- One bound ------------------------------------------------------------------------------- */

static bool fits(stoa_type_kind kind, int64_t value) {
    switch (kind) {
    case STOA_TYPE_INT8: return value >= INT8_MIN && value <= INT8_MAX;
    case STOA_TYPE_INT16: return value >= INT16_MIN && value <= INT16_MAX;
    case STOA_TYPE_UINT8: return value >= 0 && value <= UINT8_MAX;
    case STOA_TYPE_UINT16: return value >= 0 && value <= UINT16_MAX;
    default: return true;
    }
}

static bool read_number(const stoa_bounds_reader *reader, const uint8_t *bytes, size_t size,
                        stoa_value *out) {
    const size_t expected = reader->physical == STOA_PARQUET_BOOLEAN ? 1
                            : reader->physical == STOA_PARQUET_INT32 ? 4
                                                                     : 8;
    if (size != expected) {
        return false;
    }
    out->i = size == 1                               ? bytes[0] != 0
             : size == 8                             ? stoa_load_i64(bytes)
             : reader->type.kind == STOA_TYPE_UINT32 ? (int64_t)stoa_load_u32(bytes)
                                                     : stoa_load_i32(bytes);
    out->decimal = out->i;
    return fits(reader->type.kind, out->i);
}

static bool read_float(const stoa_bounds_reader *reader, const uint8_t *bytes, size_t size,
                       stoa_value *out) {
    float narrow;
    const size_t expected = reader->physical == STOA_PARQUET_FIXED   ? 2
                            : reader->physical == STOA_PARQUET_FLOAT ? 4
                                                                     : 8;
    if (size != expected) {
        return false;
    }
    if (size == 2) {
        out->f = stoa_half_to_double(stoa_load_u16(bytes));
    } else if (size == 4) {
        memcpy(&narrow, bytes, sizeof narrow);
        out->f = (double)narrow;
    } else {
        memcpy(&out->f, bytes, sizeof out->f);
    }
    return !isnan(out->f);
}

static bool read_bytes(const stoa_bounds_reader *reader, const uint8_t *bytes, size_t size,
                       stoa_value *out) {
    if (reader->type.kind != STOA_TYPE_DECIMAL) {
        out->bytes = bytes;
        out->size = size;
        return true;
    }
    uint8_t wide[DECIMAL_BYTES_MAX];
    if (size == 0 || size > sizeof wide ||
        (reader->decimal_bytes > 0 && size != (size_t)reader->decimal_bytes)) {
        return false;
    }
    stoa_decimal_load(bytes, size, wide);
    memcpy(&out->decimal, wide, sizeof out->decimal);
    return true;
}

static bool read_bound(const stoa_bounds_reader *reader, const uint8_t *bytes, size_t size,
                       stoa_value *out) {
    *out = (stoa_value){.type = reader->type};
    if (is_float(reader)) {
        return read_float(reader, bytes, size, out);
    }
    return reader->physical == STOA_PARQUET_BYTE_ARRAY || reader->physical == STOA_PARQUET_FIXED
               ? read_bytes(reader, bytes, size, out)
               : read_number(reader, bytes, size, out);
}

/* ---- Both ------------------------------------------------------------------------------------ */

/* The bits that say that signed and unsigned order differ. */
static bool is_high(const stoa_bounds_reader *reader, const stoa_value *value) {
    return reader->type.kind == STOA_TYPE_UINT32 ? value->i > INT32_MAX : value->i < 0;
}

static bool is_trusted(const stoa_bounds_reader *reader, bool is_deprecated,
                       const stoa_read_bounds *bounds) {
    if (reader->follows_type && !is_deprecated) {
        return true;
    }
    return reader->is_number && (!reader->is_unsigned || (bounds->has_lower && bounds->has_upper &&
                                                          !is_high(reader, &bounds->lower) &&
                                                          !is_high(reader, &bounds->upper)));
}

/* Values of 8 and 16 bits that stand outside their type are cut when they are read, so one bound alone
 * does not say enough. */
void stoa_bounds_reader_read(const stoa_bounds_reader *reader, const uint8_t *min, size_t min_size,
                             const uint8_t *max, size_t max_size, bool is_deprecated,
                             stoa_read_bounds *out) {
    *out = (stoa_read_bounds){0};
    if (!reader->has_order) {
        return;
    }
    out->has_lower = min != NULL && read_bound(reader, min, min_size, &out->lower);
    out->has_upper = max != NULL && read_bound(reader, max, max_size, &out->upper);
    if (out->has_lower != (min != NULL) || out->has_upper != (max != NULL) ||
        (is_narrow(reader->node) && out->has_lower != out->has_upper) ||
        (out->has_lower && out->has_upper && stoa_value_compare(&out->lower, &out->upper) > 0) ||
        !is_trusted(reader, is_deprecated, out)) {
        *out = (stoa_read_bounds){0};
    }
}

stoa_field_summary stoa_bounds_summary(const stoa_bounds_reader *reader, int64_t rows,
                                       int64_t null_count, int64_t nan_count,
                                       const stoa_read_bounds *bounds) {
    const bool believes = null_count >= 0 && null_count <= rows;
    return (stoa_field_summary){.field_id = reader->node->field_id,
                                .value_count = rows,
                                .null_count = reader->node->present_definition == 0 ? 0
                                              : believes                            ? null_count
                                                                                    : -1,
                                .may_have_nan = is_float(reader) && nan_count != 0,
                                .lower = bounds->has_lower ? &bounds->lower : NULL,
                                .upper = bounds->has_upper ? &bounds->upper : NULL};
}
