/* Which rows of a batch make a predicate true?
 *
 * Every node is asked for one bitmap: the rows that make it TRUE, or the rows that make it FALSE.
 * As in predicate_match.c, NOT turns one question into the other, and a null is in neither answer:
 * three-valued logic with one bit a row. A leaf compares all values with a kernel, turns the bits
 * over where the opposite was asked for, and takes out the nulls, its own and those of the structs
 * around it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "schema/path.h"
#include "schema/predicate_build.h"
#include "schema/select_kernel.h"

enum { IN_LOOPS_MAX = 16 }; /* more constants than that are sorted and searched */

struct selector {
    const stoa_schema *schema;
    const struct ArrowArray *batch;
    stoa_pool *pool;
    size_t bytes; /* of a bitmap */
    stoa_error *err;
};

/* The values of a leaf for the batch's rows: data index `first` belongs to row 0. */
struct leaf {
    const stoa_field *field;
    const struct ArrowArray *array;
    int64_t first;
    int64_t count;
};

/* -- finding the leaf ------------------------------------------------------------------------- */

static void take_out_nulls(const struct ArrowArray *array, int64_t first, int64_t count,
                           uint8_t *scratch, uint8_t *bits) {
    if (array->null_count == 0 || array->n_buffers == 0 || array->buffers[0] == NULL ||
        count == 0) {
        return;
    }
    size_t bytes = stoa_bitmap_bytes(count);
    scratch[bytes - 1] = 0;
    stoa_bitmap_copy(array->buffers[0], first, scratch, 0, count);
    stoa_bits_and(bits, scratch, bytes);
}

/* Walks down to the leaf; where `bits` is given, rows that are null at any step leave it. */
static stoa_status walk(const struct selector *selector, int32_t field_id, uint8_t *scratch,
                        uint8_t *bits, struct leaf *out) {
    stoa_field_path path;
    if (!stoa_field_path_find(selector->schema, field_id, &path)) {
        return stoa_fail(
            selector->err, STOA_INVALID,
            "the predicate refers to field %d, which is no field of the schema outside "
            "lists and maps",
            (int)field_id);
    }
    const struct ArrowArray *array = selector->batch;
    int64_t first = array->offset;
    for (int32_t i = 0; i < path.depth; i++) {
        array = array->children[path.positions[i]];
        first += array->offset;
        if (bits != NULL) {
            take_out_nulls(array, first, selector->batch->length, scratch, bits);
        }
    }
    *out = (struct leaf){.field = path.fields[path.depth - 1],
                         .array = array,
                         .first = first,
                         .count = selector->batch->length};
    return STOA_OK;
}

/* -- comparisons ------------------------------------------------------------------------------ */

#define SELECT(kernel, type, constant)                                                             \
    kernel((const type *)data + leaf->first, leaf->count, op, (type)(constant), out)

static void select_boolean(const struct leaf *leaf, stoa_compare op, bool constant, uint8_t *out) {
    size_t bytes = stoa_bitmap_bytes(leaf->count);
    memset(out, 0, bytes);
    stoa_bitmap_copy(leaf->array->buffers[1], leaf->first, out, 0, leaf->count);
    bool all = op == STOA_COMPARE_LESS_EQUAL && constant;
    bool none = op == STOA_COMPARE_LESS && !constant;
    bool flip = op == STOA_COMPARE_EQUAL ? !constant : true;
    if (all || none) {
        memset(out, 0, bytes);
        flip = all;
    }
    if (flip) {
        stoa_bits_not(out, leaf->count);
    }
}

static void select_rows(const struct leaf *leaf, stoa_compare op, const stoa_value *constant,
                        uint8_t *out) {
    const stoa_type *type = &leaf->field->type;
    const void *data = leaf->array->buffers[1];
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: select_boolean(leaf, op, constant->i != 0, out); break;
    case STOA_TYPE_INT8: SELECT(stoa_select_i8, int8_t, constant->i); break;
    case STOA_TYPE_INT16: SELECT(stoa_select_i16, int16_t, constant->i); break;
    case STOA_TYPE_INT:
    case STOA_TYPE_DATE: SELECT(stoa_select_i32, int32_t, constant->i); break;
    case STOA_TYPE_UINT8: SELECT(stoa_select_u8, uint8_t, constant->i); break;
    case STOA_TYPE_UINT16: SELECT(stoa_select_u16, uint16_t, constant->i); break;
    case STOA_TYPE_UINT32: SELECT(stoa_select_u32, uint32_t, constant->i); break;
    case STOA_TYPE_UINT64: SELECT(stoa_select_u64, uint64_t, constant->i); break;
    case STOA_TYPE_FLOAT: SELECT(stoa_select_f32, float, constant->f); break;
    case STOA_TYPE_DOUBLE: SELECT(stoa_select_f64, double, constant->f); break;
    case STOA_TYPE_TIME:
        if (type->unit == STOA_TYPE_MILLISECONDS) {
            SELECT(stoa_select_i32, int32_t, constant->i);
        } else {
            SELECT(stoa_select_i64, int64_t, constant->i);
        }
        break;
    case STOA_TYPE_DECIMAL:
        stoa_select_i128((const uint8_t *)data + (size_t)leaf->first * 16, leaf->count, op,
                         constant->decimal, out);
        break;
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
        stoa_select_text((const int32_t *)data + leaf->first, leaf->array->buffers[2], leaf->count,
                         op, constant->bytes, constant->size, out);
        break;
    case STOA_TYPE_UUID:
    case STOA_TYPE_FIXED: {
        size_t width = type->kind == STOA_TYPE_UUID ? 16 : (size_t)type->length;
        stoa_select_fixed((const uint8_t *)data + (size_t)leaf->first * width, width, leaf->count,
                          op, constant->bytes, constant->size, out);
        break;
    }
    default: SELECT(stoa_select_i64, int64_t, constant->i); break;
    }
}

/* Each operator as one of the kernels' three, turned over or not. */
static stoa_compare kernel_of(stoa_predicate_kind kind, bool *out_inverted) {
    *out_inverted = kind == STOA_PREDICATE_NOT_EQUAL || kind == STOA_PREDICATE_GREATER ||
                    kind == STOA_PREDICATE_GREATER_EQUAL;
    switch (kind) {
    case STOA_PREDICATE_LESS:
    case STOA_PREDICATE_GREATER_EQUAL: return STOA_COMPARE_LESS;
    case STOA_PREDICATE_LESS_EQUAL:
    case STOA_PREDICATE_GREATER: return STOA_COMPARE_LESS_EQUAL;
    default: return STOA_COMPARE_EQUAL;
    }
}

/* -- sets ------------------------------------------------------------------------------------- */

static int compare_values(const void *left, const void *right) {
    return stoa_value_compare(left, right);
}

/* For long lists: one search a row. */
static stoa_status search_rows(const struct selector *selector, const struct leaf *leaf,
                               const stoa_predicate *predicate, uint8_t *out) {
    void *memory = NULL;
    size_t count = 0;
    size_t capacity = (size_t)predicate->value_count;
    STOA_TRY(stoa_pool_allocate_array(selector->pool, capacity, sizeof(stoa_value), &memory,
                                      selector->err));
    stoa_value *values = memory;
    for (int32_t i = 0; i < predicate->value_count; i++) {
        if (!predicate->values[i].is_null) {
            values[count++] = predicate->values[i];
        }
    }
    qsort(values, count, sizeof *values, compare_values);
    memset(out, 0, selector->bytes);
    for (int64_t row = 0; row < leaf->count; row++) {
        stoa_value value;
        stoa_value_from_array(&leaf->field->type, leaf->array,
                              leaf->first - leaf->array->offset + row, &value);
        if (!value.is_null &&
            bsearch(&value, values, count, sizeof *values, compare_values) != NULL) {
            stoa_bit_set(out, row);
        }
    }
    stoa_pool_free(selector->pool, memory, capacity * sizeof(stoa_value));
    return STOA_OK;
}

static stoa_status select_in(const struct selector *selector, const struct leaf *leaf,
                             const stoa_predicate *predicate, uint8_t *scratch, uint8_t *out) {
    if (predicate->value_count > IN_LOOPS_MAX) {
        return search_rows(selector, leaf, predicate, out);
    }
    memset(out, 0, selector->bytes);
    for (int32_t i = 0; i < predicate->value_count; i++) {
        if (!predicate->values[i].is_null) {
            select_rows(leaf, STOA_COMPARE_EQUAL, &predicate->values[i], scratch);
            stoa_bits_or(out, scratch, selector->bytes);
        }
    }
    return STOA_OK;
}

static bool has_null(const stoa_predicate *predicate) {
    for (int32_t i = 0; i < predicate->value_count; i++) {
        if (predicate->values[i].is_null) {
            return true;
        }
    }
    return false;
}

/* -- leaves ----------------------------------------------------------------------------------- */

static stoa_status check_constants(const struct selector *selector, const struct leaf *leaf,
                                   const stoa_predicate *predicate) {
    const stoa_type *type = &leaf->field->type;
    bool comparable = !stoa_type_is_nested(type->kind) && type->kind != STOA_TYPE_INTERVAL;
    bool text = type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY;
    if (!comparable || (predicate->kind == STOA_PREDICATE_STARTS_WITH && !text)) {
        return stoa_fail(selector->err, STOA_UNSUPPORTED,
                         "column '%s' of type %s cannot be compared so in a predicate",
                         leaf->field->name, stoa_type_describe(type).text);
    }
    if (predicate->kind != STOA_PREDICATE_IN && predicate->value_count != 1) {
        return stoa_fail(selector->err, STOA_INVALID,
                         "column '%s': expected one constant to compare with but found %d",
                         leaf->field->name, (int)predicate->value_count);
    }
    for (int32_t i = 0; i < predicate->value_count; i++) {
        const stoa_value *value = &predicate->values[i];
        if (!value->is_null && (value->type.kind != type->kind || value->type.unit != type->unit ||
                                value->type.scale != type->scale)) {
            return stoa_fail(selector->err, STOA_INVALID,
                             "column '%s': expected a constant of type %s but found %s",
                             leaf->field->name, stoa_type_describe(type).text,
                             stoa_type_describe(&value->type).text);
        }
    }
    return STOA_OK;
}

/* Before nulls are taken out: rows whose value makes the leaf TRUE. */
static stoa_status select_values(const struct selector *selector, const struct leaf *leaf,
                                 const stoa_predicate *predicate, uint8_t *scratch, uint8_t *out) {
    bool inverted = false;
    STOA_TRY(check_constants(selector, leaf, predicate));
    if (predicate->kind == STOA_PREDICATE_IN) {
        return select_in(selector, leaf, predicate, scratch, out);
    }
    const stoa_value *constant = &predicate->values[0];
    if (predicate->kind == STOA_PREDICATE_STARTS_WITH) {
        stoa_select_prefix((const int32_t *)leaf->array->buffers[1] + leaf->first,
                           leaf->array->buffers[2], leaf->count, constant->bytes, constant->size,
                           out);
        return STOA_OK;
    }
    select_rows(leaf, kernel_of(predicate->kind, &inverted), constant, out);
    if (inverted) {
        stoa_bits_not(out, leaf->count);
    }
    return STOA_OK;
}

static stoa_status select_nulls(const struct selector *selector, const stoa_predicate *predicate,
                                bool wanted, uint8_t *scratch, uint8_t *out) {
    struct leaf leaf;
    memset(out, 0, selector->bytes);
    stoa_bits_not(out, selector->batch->length);
    STOA_TRY(walk(selector, predicate->field_id, scratch, out, &leaf));
    if (leaf.field->type.kind == STOA_TYPE_UNKNOWN) {
        memset(out, 0, selector->bytes);
    }
    if (wanted) {
        stoa_bits_not(out, selector->batch->length);
    }
    return STOA_OK;
}

static stoa_status select_leaf(const struct selector *selector, const stoa_predicate *predicate,
                               bool truth, uint8_t *scratch, uint8_t *out) {
    struct leaf leaf;
    if (predicate->kind == STOA_PREDICATE_IS_NULL ||
        predicate->kind == STOA_PREDICATE_IS_NOT_NULL) {
        return select_nulls(selector, predicate,
                            (predicate->kind == STOA_PREDICATE_IS_NULL) == truth, scratch, out);
    }
    STOA_TRY(walk(selector, predicate->field_id, NULL, NULL, &leaf));
    STOA_TRY(check_constants(selector, &leaf, predicate));
    /* A null constant makes a comparison unknown, and "in" unless another one is equal. */
    bool null = has_null(predicate) && (predicate->kind != STOA_PREDICATE_IN || !truth);
    if (null || leaf.field->type.kind == STOA_TYPE_UNKNOWN) {
        memset(out, 0, selector->bytes);
        return STOA_OK;
    }
    STOA_TRY(select_values(selector, &leaf, predicate, scratch, out));
    if (!truth) {
        stoa_bits_not(out, leaf.count);
    }
    return walk(selector, predicate->field_id, scratch, out, &leaf);
}

/* -- trees ------------------------------------------------------------------------------------ */

static stoa_status select_node(const struct selector *selector, const stoa_predicate *predicate,
                               bool truth, int32_t depth, uint8_t *out);

static bool any_bit(const uint8_t *bits, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (bits[i] != 0) {
            return true;
        }
    }
    return false;
}

static void fill(const struct selector *selector, bool value, uint8_t *out) {
    memset(out, 0, selector->bytes);
    if (value) {
        stoa_bits_not(out, selector->batch->length);
    }
}

/* AND is true where all are, false where one is; OR the other way round. */
static stoa_status select_chain(const struct selector *selector, const stoa_predicate *predicate,
                                bool truth, int32_t depth, uint8_t *scratch, uint8_t *out) {
    bool all = (predicate->kind == STOA_PREDICATE_AND) == truth;
    fill(selector, all, out);
    for (int32_t i = 0; i < predicate->child_count; i++) {
        STOA_TRY(select_node(selector, predicate->children[i], truth, depth + 1, scratch));
        if (all) {
            stoa_bits_and(out, scratch, selector->bytes);
            if (!any_bit(out, selector->bytes)) {
                return STOA_OK;
            }
        } else {
            stoa_bits_or(out, scratch, selector->bytes);
        }
    }
    return STOA_OK;
}

static stoa_status select_with_scratch(const struct selector *selector,
                                       const stoa_predicate *predicate, bool truth, int32_t depth,
                                       uint8_t *out) {
    void *scratch = NULL;
    STOA_TRY(stoa_pool_allocate(selector->pool, selector->bytes, &scratch, selector->err));
    stoa_status status = predicate->kind == STOA_PREDICATE_AND ||
                                 predicate->kind == STOA_PREDICATE_OR
                             ? select_chain(selector, predicate, truth, depth, scratch, out)
                             : select_leaf(selector, predicate, truth, scratch, out);
    stoa_pool_free(selector->pool, scratch, selector->bytes);
    return status;
}

static stoa_status select_node(const struct selector *selector, const stoa_predicate *predicate,
                               bool truth, int32_t depth, uint8_t *out) {
    if (depth > STOA_PREDICATE_DEPTH_MAX) {
        return stoa_fail(selector->err, STOA_LIMIT, "a predicate is nested deeper than %d levels",
                         STOA_PREDICATE_DEPTH_MAX);
    }
    switch (predicate->kind) {
    case STOA_PREDICATE_TRUE:
    case STOA_PREDICATE_FALSE:
        fill(selector, (predicate->kind == STOA_PREDICATE_TRUE) == truth, out);
        return STOA_OK;
    case STOA_PREDICATE_NOT:
        return select_node(selector, predicate->children[0], !truth, depth + 1, out);
    default: return select_with_scratch(selector, predicate, truth, depth, out);
    }
}

stoa_status stoa_predicate_select(const stoa_predicate *predicate, const stoa_schema *schema,
                                  const struct ArrowArray *batch, stoa_pool *pool,
                                  uint8_t *selection, stoa_error *err) {
    struct selector selector = {.schema = schema,
                                .batch = batch,
                                .pool = pool,
                                .bytes = stoa_bitmap_bytes(batch->length),
                                .err = err};
    STOA_ASSERT(batch->n_children == schema->root.child_count);
    if (batch->length == 0) {
        return STOA_OK;
    }
    return select_node(&selector, predicate, true, 1, selection);
}
