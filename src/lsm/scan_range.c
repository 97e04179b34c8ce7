/* See scan_range.h.
 *
 * Of the key's columns those that equal a constant come first, then one with a lower or an upper bound, or
 * with both. Every bound is widened to the bytes of the values up to it: a range that is too large is
 * filtered, and nothing but speed is lost. */
#include "lsm/scan_range.h"

#include <math.h>

#include "lsm/scan.h"

enum { DEPTH_MAX = 64 }; /* of ANDs within ANDs that are looked into */

/* What is known of one column of the key. */
struct bounds {
    const stoa_value *equal;
    const stoa_value *lower;
    const stoa_value *upper;
};

static void narrow(const stoa_predicate *leaf, struct bounds *out) {
    const stoa_value *value = leaf->values;
    /* A null takes no row, and NaN has an order of its own: that is the filter's business. */
    if (leaf->value_count != 1 || value->is_null || isnan(value->f)) {
        return;
    }
    switch (leaf->kind) {
    case STOA_PREDICATE_EQUAL: out->equal = value; break;
    case STOA_PREDICATE_GREATER:
    case STOA_PREDICATE_GREATER_EQUAL:
        out->lower = out->lower == NULL || stoa_value_compare(value, out->lower) > 0 ? value
                                                                                     : out->lower;
        break;
    case STOA_PREDICATE_LESS:
    case STOA_PREDICATE_LESS_EQUAL:
        out->upper = out->upper == NULL || stoa_value_compare(value, out->upper) < 0 ? value
                                                                                     : out->upper;
        break;
    default: break;
    }
}

static void collect(const stoa_predicate *predicate, int32_t field_id, int depth,
                    struct bounds *out) {
    if (predicate->kind == STOA_PREDICATE_AND && depth < DEPTH_MAX) {
        for (int32_t i = 0; i < predicate->child_count; i++) {
            collect(predicate->children[i], field_id, depth + 1, out);
        }
    } else if (predicate->kind >= STOA_PREDICATE_EQUAL && predicate->field_id == field_id) {
        narrow(predicate, out);
    }
}

/* A constant that is too long for a key bounds nothing. */
static stoa_status add_bound(const stoa_key_format *format, const stoa_value *values, int32_t count,
                             stoa_buffer *out, stoa_error *err) {
    const size_t before = out->size;
    if (count == 0) {
        return STOA_OK;
    }
    stoa_error own = STOA_ERROR_NONE;
    stoa_status status = stoa_key_encode(format, values, count, out, &own);
    if (status == STOA_LIMIT) {
        out->size = before;
        return STOA_OK;
    }
    if (status != STOA_OK && err != NULL) {
        *err = own;
    }
    return status;
}

stoa_status stoa_key_range_of_predicate(const stoa_key_format *format,
                                        const stoa_predicate *predicate, stoa_buffer *bytes,
                                        stoa_key_range *out, stoa_error *err) {
    stoa_value from[STOA_KEY_PARTS_MAX], to[STOA_KEY_PARTS_MAX];
    int32_t from_count = 0, to_count = 0;
    stoa_buffer_clear(bytes);
    for (int32_t i = 0; predicate != NULL && i < format->part_count; i++) {
        const stoa_key_part *part = &format->parts[i];
        struct bounds bounds = {0};
        collect(predicate, part->field->id, 0, &bounds);
        if (bounds.equal != NULL) {
            from[from_count++] = to[to_count++] = *bounds.equal;
            continue;
        }
        const stoa_value *first = part->descending ? bounds.upper : bounds.lower;
        const stoa_value *last = part->descending ? bounds.lower : bounds.upper;
        if (first != NULL) {
            from[from_count++] = *first;
        }
        if (last != NULL) {
            to[to_count++] = *last;
        }
        break;
    }
    STOA_TRY(add_bound(format, to, to_count, bytes, err));
    const bool has_end = stoa_view_key_successor(bytes);
    const size_t to_size = has_end ? bytes->size : 0;
    STOA_TRY(add_bound(format, from, from_count, bytes, err));
    *out = (stoa_key_range){.from = bytes->data == NULL ? NULL : bytes->data + to_size,
                            .from_size = bytes->size - to_size,
                            .to = bytes->data,
                            .to_size = to_size,
                            .to_end = !has_end};
    return STOA_OK;
}
