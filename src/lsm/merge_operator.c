/* Folding, column by column. Operators that answer one of the values they were given (the newest, the
 * least, the greatest) find its row, and the rows are gathered; sums, concatenations and sets are made
 * anew (merge_operator_kernel.c, merge_operator_list.c, merge_operator_program.c).
 *
 * Called by gets, scans and compactions. What can fail: memory, sums that do not fit, programs. */
#include "lsm/merge_operator.h"

#include "arrow/array.h"
#include "arrow/gather_kernel.h"
#include "arrow/owner.h"
#include "base/bits.h"
#include "lsm/key_kernel.h"
#include "lsm/merge_operator_internal.h"
#include "schema/constant.h"
#include "schema/nulls.h"

/* ---- What a type can do ---------------------------------------------------------------------- */

static bool has_order(const stoa_type *type) {
    return !stoa_type_is_nested(type->kind) && type->kind != STOA_TYPE_UNKNOWN &&
           type->kind != STOA_TYPE_INTERVAL;
}

static bool has_sum(const stoa_type *type) {
    return stoa_type_is_signed_integer(type->kind) || stoa_type_is_unsigned_integer(type->kind) ||
           type->kind == STOA_TYPE_FLOAT || type->kind == STOA_TYPE_DOUBLE ||
           type->kind == STOA_TYPE_DECIMAL || type->kind == STOA_TYPE_DURATION;
}

bool stoa_merge_operator_takes(stoa_merge_operator merge, const stoa_type *type) {
    switch (merge) {
    case STOA_MERGE_LAST: return true;
    case STOA_MERGE_ADD: return has_sum(type);
    case STOA_MERGE_MIN:
    case STOA_MERGE_MAX: return has_order(type);
    case STOA_MERGE_APPEND:
        return type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY ||
               type->kind == STOA_TYPE_LIST;
    case STOA_MERGE_UNION:
        return type->kind == STOA_TYPE_LIST && has_order(&type->children[0].type);
    case STOA_MERGE_PROGRAM: return has_order(type);
    }
    return false;
}

/* ---- What operators share -------------------------------------------------------------------- */

bool stoa_merge_is_valid(const stoa_merge_column *column, int64_t row) {
    return column->groups.validity == NULL ||
           stoa_bit_get(column->groups.validity, column->groups.validity_offset + row);
}

stoa_status stoa_merge_array_init(const stoa_merge_column *column, int64_t buffer_count,
                                  int64_t child_count, struct ArrowArray *out, stoa_error *err) {
    stoa_buffer validity;
    STOA_TRY(stoa_arrow_array_init(column->pool, buffer_count, child_count, false, out, err));
    out->length = column->groups.count;
    if (column->groups.validity == NULL) {
        return STOA_OK;
    }
    stoa_buffer_init(&validity, column->pool);
    STOA_TRY(stoa_buffer_resize(&validity, stoa_bitmap_bytes(out->length), err));
    out->null_count = stoa_merge_validity(&column->groups, validity.data);
    if (out->null_count == 0) {
        stoa_buffer_release(&validity);
    } else {
        stoa_arrow_array_set_buffer(out, 0, &validity);
    }
    return STOA_OK;
}

/* A primitive type's Arrow twin is its format alone, which needs no memory. */
stoa_status stoa_merge_take(stoa_pool *pool, const stoa_field *field, const struct ArrowArray *rows,
                            const int64_t *indices, int64_t count, struct ArrowArray *out,
                            stoa_error *err) {
    struct ArrowSchema twin;
    char format[STOA_ARROW_FORMAT_BYTES];
    if (!stoa_type_is_nested(field->type.kind)) {
        stoa_type_arrow_format(&field->type, format);
        twin = (struct ArrowSchema){.format = format, .name = field->name};
        return stoa_arrow_take(pool, &twin, rows, indices, count, out, err);
    }
    STOA_TRY(stoa_field_to_arrow(pool, field, &twin, err));
    const stoa_status status = stoa_arrow_take(pool, &twin, rows, indices, count, out, err);
    stoa_arrow_schema_release(&twin);
    return status;
}

/* ---- Operators that pick a row ---------------------------------------------------------------- */

#define VALUES(type) ((const type *)column->rows->buffers[1] + column->rows->offset)

static const uint8_t *bytes_from(const stoa_merge_column *column, int64_t width) {
    return (const uint8_t *)column->rows->buffers[1] + column->rows->offset * width;
}

/* All types of up to 8 bytes are compared as the numbers that they are in keys. */
static stoa_status pick_number(const stoa_merge_column *column, bool greatest, int64_t *picks,
                               stoa_error *err) {
    const stoa_merge_groups *groups = &column->groups;
    const int64_t first = groups->starts[0];
    const int64_t count = groups->starts[groups->count] - first;
    stoa_buffer buffer;
    stoa_buffer_init(&buffer, column->pool);
    STOA_TRY(stoa_buffer_reserve_exact(&buffer, (size_t)count * sizeof(uint64_t), err));
    uint64_t *numbers = (uint64_t *)(void *)buffer.data;
    stoa_key_numbers(&column->field->type, column->rows, column->rows->offset + first, count,
                     numbers);
    stoa_merge_pick_numbers(numbers, first, groups, greatest, picks);
    stoa_buffer_release(&buffer);
    return STOA_OK;
}

static stoa_status pick_extreme(const stoa_merge_column *column, bool greatest, int64_t *picks,
                                stoa_error *err) {
    const stoa_type *type = &column->field->type;
    const stoa_merge_groups *groups = &column->groups;
    if (groups->count == 0) {
        return STOA_OK;
    }
    switch (type->kind) {
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
        stoa_merge_pick_text(VALUES(int32_t), column->rows->buffers[2], groups, greatest, picks);
        return STOA_OK;
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID: {
        const int32_t width = (int32_t)stoa_type_value_bytes(type);
        stoa_merge_pick_fixed(bytes_from(column, width), width, groups, greatest, picks);
        return STOA_OK;
    }
    default: break;
    }
    if (stoa_key_width(type) > sizeof(uint64_t)) {
        stoa_merge_pick_i128(bytes_from(column, 16), groups, greatest, picks);
        return STOA_OK;
    }
    return pick_number(column, greatest, picks, err);
}

/* Values of one width are gathered at once: a fold for a get is of one group, and a builder would be
 * most of its time. */
static stoa_status gather_picks(const stoa_merge_column *column, const int64_t *picks,
                                struct ArrowArray *out, stoa_error *err) {
    const stoa_type *type = &column->field->type;
    const int64_t count = column->groups.count;
    stoa_buffer values;
    if (stoa_type_is_nested(type->kind) || type->kind == STOA_TYPE_BOOLEAN ||
        type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY ||
        type->kind == STOA_TYPE_UNKNOWN) {
        return stoa_merge_take(column->pool, column->field, column->rows, picks, count, out, err);
    }
    const size_t width = stoa_type_value_bytes(type);
    STOA_TRY(stoa_merge_array_init(column, 2, 0, out, err));
    stoa_buffer_init(&values, column->pool);
    STOA_TRY(stoa_buffer_reserve_exact(&values, (size_t)count * width, err));
    values.size = (size_t)count * width;
    stoa_gather_fixed(bytes_from(column, (int64_t)width), width, picks, count, values.data);
    stoa_arrow_array_set_buffer(out, 1, &values);
    return STOA_OK;
}

typedef enum pick { PICK_FIRST, PICK_LAST, PICK_LEAST, PICK_GREATEST } pick;

static stoa_status fold_by_pick(const stoa_merge_column *column, pick which, struct ArrowArray *out,
                                stoa_error *err) {
    stoa_buffer buffer;
    stoa_buffer_init(&buffer, column->pool);
    STOA_TRY(
        stoa_buffer_reserve_exact(&buffer, (size_t)column->groups.count * sizeof(int64_t), err));
    int64_t *picks = (int64_t *)(void *)buffer.data;
    stoa_status status = STOA_OK;
    if (which == PICK_FIRST) {
        stoa_merge_pick_first(&column->groups, picks);
    } else if (which == PICK_LAST) {
        stoa_merge_pick_last(&column->groups, picks);
    } else {
        STOA_CHECK(pick_extreme(column, which == PICK_GREATEST, picks, err));
    }
    STOA_CHECK(gather_picks(column, picks, out, err));

done:
    stoa_buffer_release(&buffer);
    return status;
}

/* ---- Sums ------------------------------------------------------------------------------------- */

/* The first group whose sum does not fit, or -1. */
static int64_t sum_values(const stoa_merge_column *column, void *sums) {
    const stoa_merge_groups *groups = &column->groups;
    __int128 low, high;
    switch (column->field->type.kind) {
    case STOA_TYPE_INT8: return stoa_merge_sum_i8(VALUES(int8_t), groups, sums);
    case STOA_TYPE_INT16: return stoa_merge_sum_i16(VALUES(int16_t), groups, sums);
    case STOA_TYPE_INT: return stoa_merge_sum_i32(VALUES(int32_t), groups, sums);
    case STOA_TYPE_UINT8: return stoa_merge_sum_u8(VALUES(uint8_t), groups, sums);
    case STOA_TYPE_UINT16: return stoa_merge_sum_u16(VALUES(uint16_t), groups, sums);
    case STOA_TYPE_UINT32: return stoa_merge_sum_u32(VALUES(uint32_t), groups, sums);
    case STOA_TYPE_UINT64: return stoa_merge_sum_u64(VALUES(uint64_t), groups, sums);
    case STOA_TYPE_FLOAT: stoa_merge_sum_f32(VALUES(float), groups, sums); return -1;
    case STOA_TYPE_DOUBLE: stoa_merge_sum_f64(VALUES(double), groups, sums); return -1;
    case STOA_TYPE_DECIMAL:
        stoa_grid_range(&column->field->type, &low, &high);
        return stoa_merge_sum_i128(bytes_from(column, 16), groups, high + 1, sums);
    default: return stoa_merge_sum_i64(VALUES(int64_t), groups, sums);
    }
}

static stoa_status refuse_sum(const stoa_merge_column *column, int64_t group, stoa_error *err) {
    const int64_t *starts = column->groups.starts;
    const stoa_status status = stoa_fail(err, STOA_INVALID,
                                         "column '%s': the sum of %" PRId64
                                         " values does not fit %s",
                                         column->field->name, starts[group + 1] - starts[group],
                                         stoa_type_describe(&column->field->type).text);
    stoa_error_set_column(err, column->index, column->field->name);
    stoa_error_set_row(err, group);
    return status;
}

static stoa_status fold_by_sum(const stoa_merge_column *column, struct ArrowArray *out,
                               stoa_error *err) {
    stoa_buffer sums;
    STOA_TRY(stoa_merge_array_init(column, 2, 0, out, err));
    stoa_buffer_init(&sums, column->pool);
    const size_t width = stoa_type_value_bytes(&column->field->type);
    STOA_TRY(stoa_buffer_reserve_exact(&sums, (size_t)column->groups.count * width, err));
    sums.size = (size_t)column->groups.count * width;
    const int64_t misfit = sum_values(column, sums.data);
    stoa_arrow_array_set_buffer(out, 1, &sums);
    return misfit < 0 ? STOA_OK : refuse_sum(column, misfit, err);
}

/* ---- All columns ------------------------------------------------------------------------------ */

static bool is_key(const stoa_definition *definition, int32_t column) {
    return definition->layout.column_nodes[column] < 0;
}

static stoa_status fold_column(const stoa_definition *definition, stoa_merge_programs *programs,
                               const stoa_merge_column *column, struct ArrowArray *out,
                               stoa_error *err) {
    if (is_key(definition, column->index)) {
        return fold_by_pick(column, PICK_FIRST, out, err);
    }
    switch (definition->operators[column->index]) {
    case STOA_MERGE_LAST: break;
    case STOA_MERGE_ADD: return fold_by_sum(column, out, err);
    case STOA_MERGE_MIN: return fold_by_pick(column, PICK_LEAST, out, err);
    case STOA_MERGE_MAX: return fold_by_pick(column, PICK_GREATEST, out, err);
    case STOA_MERGE_APPEND:
        return column->field->type.kind == STOA_TYPE_LIST
                   ? stoa_merge_append_lists(column, out, err)
                   : stoa_merge_append_texts(column, out, err);
    case STOA_MERGE_UNION: return stoa_merge_union(column, out, err);
    case STOA_MERGE_PROGRAM:
        return stoa_merge_program(column, programs, definition->programs[column->index], out, err);
    }
    return fold_by_pick(column, PICK_LAST, out, err);
}

static stoa_status fold_columns(const stoa_definition *definition, stoa_merge_programs *programs,
                                stoa_pool *pool, const struct ArrowArray *rows,
                                const int64_t *groups, const uint8_t *has_base,
                                struct ArrowArray *out, stoa_error *err) {
    for (int64_t i = 0; i < out->n_children; i++) {
        const struct ArrowArray *array = rows->children[i];
        const bool may_have_nulls = array->n_buffers > 0 && array->null_count != 0;
        const stoa_merge_column column = {
            .pool = pool,
            .field = &definition->schema->root.children[i],
            .index = (int32_t)i,
            .rows = array,
            .groups = {groups, out->length, may_have_nulls ? array->buffers[0] : NULL,
                       array->offset},
            .has_base = has_base,
        };
        STOA_TRY(fold_column(definition, programs, &column, out->children[i], err));
    }
    return STOA_OK;
}

stoa_status stoa_merge_fold(const stoa_definition *definition, stoa_merge_programs *programs,
                            stoa_pool *pool, const struct ArrowArray *rows, const int64_t *groups,
                            const uint8_t *has_base, int64_t group_count, struct ArrowArray *out,
                            stoa_error *err) {
    STOA_ASSERT(rows->offset == 0 && groups[group_count] <= rows->length);
    *out = (struct ArrowArray){0};
    STOA_TRY(stoa_arrow_array_init(pool, 1, rows->n_children, false, out, err));
    out->length = group_count;
    const stoa_status status = fold_columns(definition, programs, pool, rows, groups, has_base, out,
                                            err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}
