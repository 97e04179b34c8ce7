#include "lsm/row_cells.h"

#include <math.h>

#include "base/utf8.h"
#include "lsm/cell.h"
#include "lsm/key_bytes.h"
#include "lsm/key_kernel.h"
#include "schema/constant.h"
#include "schema/nulls.h"

/* ---- Checks ---------------------------------------------------------------------------------- */

static stoa_cell_class class_of(stoa_type_kind kind) {
    switch (kind) {
    case STOA_TYPE_FLOAT: return STOA_CELL_FLOAT;
    case STOA_TYPE_DOUBLE: return STOA_CELL_DOUBLE;
    case STOA_TYPE_DECIMAL: return STOA_CELL_DECIMAL;
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID:
    case STOA_TYPE_INTERVAL: return STOA_CELL_FIXED;
    case STOA_TYPE_STRING: return STOA_CELL_STRING;
    case STOA_TYPE_BINARY: return STOA_CELL_BINARY;
    case STOA_TYPE_UNKNOWN: return STOA_CELL_NULL;
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP:
    case STOA_TYPE_STRUCT: return STOA_CELL_NESTED;
    default: return STOA_CELL_WHOLE;
    }
}

void stoa_cell_rule_init(stoa_cell_rule *rule, const stoa_field *field) {
    const stoa_type *type = &field->type;
    __int128 low = 0, high = 1;
    *rule = (stoa_cell_rule){.class = class_of(type->kind),
                             .required = field->required,
                             .field = field};
    if (rule->class <= STOA_CELL_FIXED && type->kind != STOA_TYPE_BOOLEAN) {
        rule->size = stoa_type_value_bytes(type);
        stoa_grid_range(type, &low, &high);
    }
    if (type->kind == STOA_TYPE_UINT64) { /* its bits: nothing is out of range */
        low = INT64_MIN;
        high = INT64_MAX;
    }
    rule->lower = (int64_t)low;
    rule->span = (uint64_t)(high - low);
    rule->bound = high + 1;
}

/* What holds for nearly all cells; where it does not, stoa_cell_check says why. */
static bool is_fine(const stoa_cell_rule *rule, const stoa_cell *cell) {
    __int128 decimal;
    if (cell->is_null) {
        return !rule->required;
    }
    switch (rule->class) {
    case STOA_CELL_WHOLE: return (uint64_t)cell->i - (uint64_t)rule->lower <= rule->span;
    case STOA_CELL_FLOAT: return !isfinite(cell->f) || isfinite((float)cell->f);
    case STOA_CELL_DOUBLE: return true;
    case STOA_CELL_DECIMAL:
        if (cell->size != sizeof decimal) {
            return false;
        }
        memcpy(&decimal, cell->bytes, sizeof decimal);
        return -rule->bound < decimal && decimal < rule->bound;
    case STOA_CELL_FIXED: return cell->size == rule->size;
    case STOA_CELL_STRING:
        return cell->size <= INT32_MAX && stoa_utf8_valid(cell->bytes, cell->size, NULL);
    case STOA_CELL_BINARY: return cell->size <= INT32_MAX;
    case STOA_CELL_NULL:
    case STOA_CELL_NESTED: break;
    }
    return false;
}

stoa_status stoa_cell_rule_check_any(const stoa_cell_rule *rule, const stoa_cell *cell,
                                     stoa_error *err) {
    if (__builtin_expect(is_fine(rule, cell), 1)) {
        return STOA_OK;
    }
    const stoa_status status = stoa_cell_check(rule->field, cell, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "column '%s'", rule->field->name);
        stoa_error_set_column(err, -1, rule->field->name);
    }
    return status;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static const stoa_cell *cell_of(const stoa_key_format *format, const stoa_cell *cells,
                                bool keys_only, int32_t part) {
    return &cells[keys_only ? part : format->parts[part].column];
}

/* Of floats, whose numbers are made by the kernel. */
static uint64_t float_number(const stoa_type *type, double value) {
    const float narrow = (float)value;
    const void *buffers[2] = {NULL, type->kind == STOA_TYPE_FLOAT ? (const void *)&narrow : &value};
    const struct ArrowArray array = {.length = 1, .n_buffers = 2, .buffers = buffers};
    uint64_t number;
    stoa_key_numbers(type, &array, 0, 1, &number);
    return number;
}

/* As stoa_key_numbers: the sign bit of signed ones is flipped. */
static uint64_t part_number(const stoa_key_part *part, const stoa_cell *cell) {
    const stoa_type *type = &part->field->type;
    const uint64_t mask = stoa_key_mask(part->size);
    uint64_t number = (uint64_t)cell->i;
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN:
    case STOA_TYPE_UINT8:
    case STOA_TYPE_UINT16:
    case STOA_TYPE_UINT32:
    case STOA_TYPE_UINT64: break;
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE: number = float_number(type, cell->f); break;
    case STOA_TYPE_DECIMAL: memcpy(&number, cell->bytes, sizeof number); /* fallthrough */
    default: number ^= UINT64_C(1) << (8 * part->size - 1); break;
    }
    return (part->descending ? ~number : number) & mask;
}

uint64_t stoa_cells_number(const stoa_key_format *format, const stoa_cell *cells, bool keys_only) {
    uint64_t number = part_number(&format->parts[0], cell_of(format, cells, keys_only, 0));
    for (int32_t i = 1; i < format->part_count; i++) {
        const stoa_key_part *part = &format->parts[i];
        number = number << (8 * part->size) |
                 part_number(part, cell_of(format, cells, keys_only, i));
    }
    return number;
}

static stoa_value value_of(const stoa_key_part *part, const stoa_cell *cell) {
    stoa_value value = {.i = cell->i, .f = cell->f, .bytes = cell->bytes, .size = cell->size};
    if (part->field->type.kind == STOA_TYPE_DECIMAL) {
        memcpy(&value.decimal, cell->bytes, sizeof value.decimal);
    }
    return value;
}

stoa_status stoa_cells_key(const stoa_key_format *format, const stoa_cell *cells, bool keys_only,
                           int32_t count, stoa_buffer *out, stoa_error *err) {
    stoa_value values[STOA_KEY_PARTS_MAX];
    STOA_ASSERT(count >= 0 && count <= format->part_count);
    if (count == 0) {
        return STOA_OK;
    }
    for (int32_t i = 0; i < count; i++) {
        const stoa_cell *cell = cell_of(format, cells, keys_only, i);
        stoa_cell_rule rule;
        stoa_cell_rule_init(&rule, format->parts[i].field);
        STOA_TRY(stoa_cell_rule_check(&rule, cell, err));
    }
    if (!format->is_number || count < format->part_count) {
        for (int32_t i = 0; i < count; i++) {
            values[i] = value_of(&format->parts[i], cell_of(format, cells, keys_only, i));
        }
        return stoa_key_encode(format, values, count, out, err);
    }
    uint8_t number[8];
    stoa_key_put_number(number, stoa_cells_number(format, cells, keys_only), format->fixed_bytes);
    return stoa_buffer_append(out, number, (size_t)format->fixed_bytes, err);
}
