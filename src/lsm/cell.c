/* A cell has what its column's type asks for in one of its members; include/stoa/state.h says which. */
#include "lsm/cell.h"

#include <math.h>
#include <string.h>

#include "arrow/number.h"
#include "base/utf8.h"
#include "schema/constant.h"
#include "schema/nulls.h"
#include "schema/predicate.h"

void stoa_cell_from_array(const stoa_type *type, const struct ArrowArray *array, int64_t row,
                          stoa_cell *out) {
    stoa_value value;
    stoa_value_from_array(type, array, row, &value);
    *out = (stoa_cell){value.is_null, value.i, value.f, value.bytes, value.size};
    if (type->kind == STOA_TYPE_DECIMAL && !value.is_null) {
        out->size = stoa_type_value_bytes(type);
        out->bytes = (const uint8_t *)array->buffers[1] +
                     (array->offset + row) * (int64_t)out->size;
    }
}

/* ---- Checks ----------------------------------------------------------------------------------- */

static stoa_status check_size(const stoa_type *type, const stoa_cell *cell, stoa_error *err) {
    const size_t expected = stoa_type_value_bytes(type);
    return cell->size == expected
               ? STOA_OK
               : stoa_fail(err, STOA_INVALID, "expected the %zu bytes of a %s but found %zu",
                           expected, stoa_type_describe(type).text, cell->size);
}

static stoa_status check_decimal(const stoa_type *type, const stoa_cell *cell, stoa_error *err) {
    STOA_TRY(check_size(type, cell, err));
    return stoa_decimal_fits(cell->bytes, (int32_t)cell->size, type->precision)
               ? STOA_OK
               : stoa_fail(err, STOA_INVALID, "expected %s but found more digits",
                           stoa_type_describe(type).text);
}

static stoa_status check_length(const stoa_cell *cell, stoa_error *err) {
    return cell->size <= INT32_MAX
               ? STOA_OK
               : stoa_fail(err, STOA_LIMIT, "expected at most %" PRId32 " bytes but found %zu",
                           INT32_MAX, cell->size);
}

static stoa_status check_text(const stoa_cell *cell, stoa_error *err) {
    size_t bad = 0;
    STOA_TRY(check_length(cell, err));
    return stoa_utf8_valid(cell->bytes, cell->size, &bad)
               ? STOA_OK
               : stoa_fail(err, STOA_INVALID, "expected UTF-8 but found another byte at %zu", bad);
}

static stoa_status check_float(const stoa_cell *cell, stoa_error *err) {
    return isfinite(cell->f) && !isfinite((float)cell->f)
               ? stoa_fail(err, STOA_INVALID, "expected float but found %g", cell->f)
               : STOA_OK;
}

/* A uint64 is any 64 bits. */
static stoa_status check_number(const stoa_type *type, const stoa_cell *cell, stoa_error *err) {
    __int128 low = 0, high = 1;
    if (type->kind != STOA_TYPE_BOOLEAN) {
        stoa_grid_range(type, &low, &high);
    }
    if (type->kind == STOA_TYPE_UINT64 || (cell->i >= low && cell->i <= high)) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_INVALID, "expected %s but found %" PRId64,
                     stoa_type_describe(type).text, cell->i);
}

stoa_status stoa_cell_check(const stoa_field *field, const stoa_cell *cell, stoa_error *err) {
    const stoa_type *type = &field->type;
    if (cell->is_null) {
        return field->required ? stoa_fail(err, STOA_INVALID, "expected %s but found null",
                                           stoa_type_describe(type).text)
                               : STOA_OK;
    }
    switch (type->kind) {
    case STOA_TYPE_UNKNOWN:
        return stoa_fail(err, STOA_INVALID, "expected null, which is all that the type has");
    case STOA_TYPE_FLOAT: return check_float(cell, err);
    case STOA_TYPE_DOUBLE: return STOA_OK;
    case STOA_TYPE_BINARY: return check_length(cell, err);
    case STOA_TYPE_STRING: return check_text(cell, err);
    case STOA_TYPE_DECIMAL: return check_decimal(type, cell, err);
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID:
    case STOA_TYPE_INTERVAL: return check_size(type, cell, err);
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP:
    case STOA_TYPE_STRUCT:
        return stoa_fail(err, STOA_UNSUPPORTED, "a cell of type %s: give it in a batch",
                         stoa_type_describe(type).text);
    default: return check_number(type, cell, err);
    }
}

/* ---- Appending -------------------------------------------------------------------------------- */

stoa_status stoa_cell_append(stoa_builder *builder, const stoa_field *field, const stoa_cell *cell,
                             stoa_error *err) {
    if (cell->is_null) {
        return stoa_builder_append_null(builder, err);
    }
    switch (field->type.kind) {
    case STOA_TYPE_BOOLEAN: return stoa_builder_append_bool(builder, cell->i != 0, err);
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE: return stoa_builder_append_f64(builder, cell->f, err);
    case STOA_TYPE_UINT64: return stoa_builder_append_u64(builder, (uint64_t)cell->i, err);
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
    case STOA_TYPE_DECIMAL:
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID:
    case STOA_TYPE_INTERVAL:
        return stoa_builder_append_bytes(builder, cell->bytes, cell->size, err);
    default: return stoa_builder_append_i64(builder, cell->i, err);
    }
}
