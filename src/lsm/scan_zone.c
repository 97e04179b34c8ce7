/* What the directory of an SSTable says of a stripe, as bounds that a predicate is held against. Zones
 * keep the first 8 bytes of a value's key form: all of a number of up to 8 bytes, the beginning of
 * others, which then are bounds that may be wider than the truth. Of the key, its first part has bounds:
 * those of the first and last key. */
#include "lsm/key_bytes.h"
#include "lsm/key_kernel.h"
#include "lsm/scan_internal.h"

enum { COLUMNS_MAX = 16, BOUND_BYTES = 16 };

/* Bounds of one column, and the bytes that they point to. */
struct bounds {
    stoa_value lower;
    stoa_value upper;
    uint8_t lower_bytes[BOUND_BYTES];
    uint8_t upper_bytes[BOUND_BYTES];
};

static void value_of_bytes(const stoa_type *type, const uint8_t *bytes, stoa_value *out) {
    const void *buffers[2] = {NULL, bytes};
    const struct ArrowArray array = {.length = 1, .n_buffers = 2, .buffers = buffers};
    stoa_value_from_array(type, &array, 0, out);
}

/* Numbers of up to 8 bytes: the value itself. */
static void bound_of_number(const stoa_type *type, uint64_t number, uint8_t bytes[BOUND_BYTES],
                            stoa_value *out) {
    memset(bytes, 0, BOUND_BYTES);
    stoa_key_values(type, &number, 1, bytes);
    value_of_bytes(type, bytes, out);
}

/* A decimal of 16 bytes, of which the first 8 are known. */
static void bound_of_decimal(const stoa_type *type, uint64_t number, uint8_t rest,
                             uint8_t bytes[BOUND_BYTES], stoa_value *out) {
    uint8_t key[STOA_KEY_DECIMAL_BYTES];
    memset(key, rest, sizeof key);
    stoa_key_put_number(key, number, sizeof number);
    stoa_key_get_decimal(key, bytes);
    value_of_bytes(type, bytes, out);
}

/* A text that is not above any whose first 8 bytes these are. */
static void lower_of_text(const stoa_type *type, uint64_t number, uint8_t bytes[BOUND_BYTES],
                          stoa_value *out) {
    *out = (stoa_value){.type = *type, .bytes = bytes, .size = sizeof number};
    stoa_key_put_number(bytes, number, sizeof number);
    while (out->size > 0 && bytes[out->size - 1] == 0) {
        out->size--;
    }
}

/* A text above all whose first 8 bytes these are; false where there is none. */
static bool upper_of_text(const stoa_type *type, uint64_t number, uint8_t bytes[BOUND_BYTES],
                          stoa_value *out) {
    *out = (stoa_value){.type = *type, .bytes = bytes, .size = sizeof number};
    stoa_key_put_number(bytes, number + 1, sizeof number);
    return number != UINT64_MAX;
}

static bool is_nan(const stoa_value *value) {
    const stoa_type_kind kind = value->type.kind;
    return (kind == STOA_TYPE_FLOAT || kind == STOA_TYPE_DOUBLE) && value->f != value->f;
}

static void summarize_bounds(const stoa_type *type, uint64_t lower, uint64_t upper,
                             struct bounds *bounds, stoa_field_summary *out) {
    const uint8_t width = stoa_key_width(type);
    if (type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY) {
        lower_of_text(type, lower, bounds->lower_bytes, &bounds->lower);
        out->lower = &bounds->lower;
        if (upper_of_text(type, upper, bounds->upper_bytes, &bounds->upper)) {
            out->upper = &bounds->upper;
        }
        return;
    }
    if (width == STOA_KEY_DECIMAL_BYTES) {
        bound_of_decimal(type, lower, 0, bounds->lower_bytes, &bounds->lower);
        bound_of_decimal(type, upper, UINT8_MAX, bounds->upper_bytes, &bounds->upper);
    } else if (width > 0) {
        bound_of_number(type, lower, bounds->lower_bytes, &bounds->lower);
        bound_of_number(type, upper, bounds->upper_bytes, &bounds->upper);
    } else {
        return; /* fixed and uuid: no bounds */
    }
    /* Every NaN is above all numbers, so where the upper bound is none there is none. */
    out->may_have_nan = is_nan(&bounds->upper);
    out->lower = is_nan(&bounds->lower) ? NULL : &bounds->lower;
    out->upper = is_nan(&bounds->upper) ? NULL : &bounds->upper;
}

static bool summarize_zone(const stoa_field *field, const stoa_zone *zone, int64_t rows,
                           struct bounds *bounds, stoa_field_summary *out) {
    *out = (stoa_field_summary){.field_id = field->id,
                                .value_count = rows,
                                .null_count = zone->null_count,
                                .may_have_nan = true};
    if (field->type.child_count > 0 || field->type.kind == STOA_TYPE_UNKNOWN) {
        return false;
    }
    if (zone->has_bounds) {
        summarize_bounds(&field->type, zone->lower, zone->upper, bounds, out);
    }
    return true;
}

/* The first part of the key, where it is a number. */
static bool summarize_key(const stoa_key_format *format, const stoa_sst_member *member,
                          struct bounds *bounds, stoa_field_summary *out) {
    const stoa_key_part *part = &format->parts[0];
    if (part->kind != STOA_KEY_NUMBER || member->first_key_size < (uint32_t)part->size ||
        member->last_key_size < (uint32_t)part->size) {
        return false;
    }
    uint64_t lower = stoa_key_get_number(member->first_key, part->size);
    uint64_t upper = stoa_key_get_number(member->last_key, part->size);
    if (part->descending) {
        const uint64_t swap = lower;
        lower = ~upper & stoa_key_mask(part->size);
        upper = ~swap & stoa_key_mask(part->size);
    }
    *out = (stoa_field_summary){.field_id = part->field->id,
                                .value_count = member->stripe.row_count,
                                .may_have_nan = true};
    const uint64_t both[2] = {lower, upper};
    if (!stoa_key_numbers_valid(&part->field->type, both, 2)) {
        return false; /* reading the stripe says what is wrong with it */
    }
    summarize_bounds(&part->field->type, lower, upper, bounds, out);
    return true;
}

bool stoa_view_scan_zones_exclude(const stoa_view_scan *scan, const stoa_sst *table,
                                  int64_t stripe) {
    const stoa_schema *schema = scan->definition->schema;
    const stoa_key_format *format = &scan->definition->key;
    const stoa_sst_member *member = stoa_sst_member_at(table, stripe);
    stoa_field_summary summaries[COLUMNS_MAX];
    struct bounds bounds[COLUMNS_MAX];
    int32_t count = 0;
    if (member->stripe.schema != NULL) {
        return false; /* its zones are of another schema's columns */
    }
    for (int32_t i = 0; i < scan->tested_count && count < COLUMNS_MAX; i++) {
        const int32_t column = scan->tested[i];
        const stoa_zone *zone = stoa_sst_zone(table, stripe, column);
        if (zone != NULL) {
            count += summarize_zone(&schema->root.children[column], zone, member->stripe.row_count,
                                    &bounds[count], &summaries[count]);
        } else if (format->parts[0].column == column) {
            count += summarize_key(format, member, &bounds[count], &summaries[count]);
        }
    }
    return !stoa_predicate_may_match(scan->options.predicate, schema, summaries, count);
}
