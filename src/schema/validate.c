/* Does a batch fit a schema?
 *
 * Three passes, each over one column's tree at a time, in an order in which each may rely on those
 * before it:
 *
 *   match      names and types: every Arrow field finds its field, and fits it (validate_match.c)
 *   structure  offsets rise and views point into their buffers, for all values, seen or not
 *   values     nulls in required fields, UTF-8, decimals, times: for the values that can be seen
 *
 * A value under a null list or struct cannot be seen: whatever lies there is nobody's data. So the
 * third pass walks runs of rows that are valid, which is one run where nothing is null.
 *
 * The first failure is found with the column's path and an index in its own array, which lies
 * somewhere below lists; the chain of frames leads it back to the row of the batch. */
#include "schema/validate.h"

#include <stdio.h>
#include <string.h>

#include "arrow/array.h"
#include "arrow/number.h"
#include "base/bits.h"
#include "base/utf8.h"
#include "schema/validate_frame.h"
#include "schema/validate_kernel.h"

enum { TEXT_SHOWN_BYTES = 48 };

/* -- walking ---------------------------------------------------------------------------------- */

/* Parses what match_node has parsed before, so it cannot fail. */
static struct stoa_node node_of(const stoa_field *field, const struct ArrowSchema *arrow,
                                const struct ArrowArray *array) {
    struct stoa_node node = {.field = field, .arrow = arrow, .array = array};
    stoa_status status = stoa_arrow_layout_parse(arrow, &node.layout, NULL);
    STOA_ASSERT(status == STOA_OK);
    (void)status;
    return node;
}

static struct stoa_validity validity_of(const struct ArrowArray *array, int64_t start) {
    struct stoa_validity validity = {NULL, array->offset + start};
    if (stoa_array_has_validity(array)) {
        validity.bits = array->buffers[0];
    }
    return validity;
}

/* -- second pass: structure ------------------------------------------------------------------- */

static stoa_status check_structure(const struct stoa_frame *parent, const char *name,
                                   const struct stoa_node *node);

static stoa_status check_view(const struct ArrowArray *array, int64_t index) {
    int32_t view[4];
    memcpy(view, (const uint8_t *)array->buffers[1] + (size_t)index * sizeof view, sizeof view);
    if (view[0] < 0) {
        return STOA_INVALID;
    }
    if (view[0] <= 12) {
        return STOA_OK;
    }
    int64_t buffer_count = array->n_buffers - 3;
    const int64_t *sizes = array->buffers[array->n_buffers - 1];
    if (view[2] < 0 || view[2] >= buffer_count || view[3] < 0) {
        return STOA_INVALID;
    }
    return (int64_t)view[3] + view[0] <= sizes[view[2]] ? STOA_OK : STOA_INVALID;
}

static int64_t first_bad_view(const struct ArrowArray *array) {
    struct stoa_validity validity = validity_of(array, 0);
    for (int64_t i = 0; i < array->length; i++) {
        bool valid = validity.bits == NULL || stoa_bit_get(validity.bits, validity.offset + i);
        if (valid && check_view(array, array->offset + i) != STOA_OK) {
            return i;
        }
    }
    return -1;
}

static stoa_status check_own_structure(const struct stoa_frame *frame,
                                       const struct stoa_node *node) {
    const struct ArrowArray *array = node->array;
    int64_t bad = -1;
    if (array->length == 0) {
        return STOA_OK;
    }
    switch (node->layout.kind) {
    case STOA_ARROW_STRING:
    case STOA_ARROW_BINARY:
    case STOA_ARROW_LIST:
    case STOA_ARROW_MAP:
        bad = stoa_kernel_offsets_i32((const int32_t *)array->buffers[1] + array->offset,
                                      array->length);
        break;
    case STOA_ARROW_LARGE_STRING:
    case STOA_ARROW_LARGE_BINARY:
    case STOA_ARROW_LARGE_LIST:
        bad = stoa_kernel_offsets_i64((const int64_t *)array->buffers[1] + array->offset,
                                      array->length);
        break;
    case STOA_ARROW_STRING_VIEW:
    case STOA_ARROW_BINARY_VIEW:
        bad = first_bad_view(array);
        return bad < 0 ? STOA_OK
                       : stoa_frame_reject(frame, bad, "a view into its buffers",
                                           "one that points elsewhere");
    default: return STOA_OK;
    }
    return bad < 0
               ? STOA_OK
               : stoa_frame_reject(frame, bad, "offsets that rise", "one below the one before it");
}

/* The struct that a map's keys and values lie in. */
static struct stoa_frame entries_frame(const struct stoa_frame *map) {
    static const stoa_arrow_layout STRUCT = {.kind = STOA_ARROW_STRUCT, .timezone_view = ""};
    return (struct stoa_frame){.parent = map,
                               .array = map->array->children[0],
                               .layout = &STRUCT,
                               .name = "",
                               .column_index = map->column_index,
                               .err = map->err};
}

static stoa_status structure_of_children(const struct stoa_frame *frame,
                                         const struct stoa_node *node) {
    const stoa_type *type = &node->field->type;
    const struct ArrowSchema *arrow = node->arrow;
    struct stoa_frame parent = *frame;
    if (type->kind == STOA_TYPE_MAP) {
        arrow = stoa_arrow_entries(arrow);
        parent = entries_frame(frame);
    }
    for (int32_t i = 0; i < type->child_count; i++) {
        int64_t index = type->kind == STOA_TYPE_STRUCT ? stoa_fit_child(type, i, arrow) : i;
        if (index >= 0) {
            struct stoa_node child = node_of(&type->children[i], arrow->children[index],
                                             parent.array->children[index]);
            const char *name = type->kind == STOA_TYPE_LIST ? NULL : type->children[i].name;
            STOA_TRY(check_structure(&parent, name, &child));
        }
    }
    return STOA_OK;
}

static stoa_status check_structure(const struct stoa_frame *parent, const char *name,
                                   const struct stoa_node *node) {
    struct stoa_frame frame = {.parent = parent,
                               .array = node->array,
                               .layout = &node->layout,
                               .name = name,
                               .err = parent->err,
                               .column_index = parent->column_index};
    if (node->layout.dictionary) {
        struct stoa_node values = node_of(node->field, node->arrow->dictionary,
                                          node->array->dictionary);
        return check_structure(parent, name, &values);
    }
    if (node->layout.kind == STOA_ARROW_NULL) {
        return STOA_OK;
    }
    STOA_TRY(check_own_structure(&frame, node));
    return structure_of_children(&frame, node);
}

/* -- third pass: values ----------------------------------------------------------------------- */

static stoa_status check_run(const struct stoa_frame *frame, const struct stoa_node *node,
                             int64_t start, int64_t count);

static stoa_status reject_value(const struct stoa_frame *frame, const struct stoa_node *node,
                                int64_t row, const char *found) {
    return stoa_frame_reject(frame, row, stoa_type_describe(&node->field->type).text, found);
}

static void show_bytes(const uint8_t *bytes, size_t size, char out[STOA_FOUND_BYTES]) {
    size_t length = 0;
    out[length++] = '\'';
    size_t shown = size < TEXT_SHOWN_BYTES ? size : TEXT_SHOWN_BYTES;
    for (size_t i = 0; i < shown; i++) {
        bool plain = bytes[i] >= ' ' && bytes[i] < 0x7F && bytes[i] != '\\';
        length += (size_t)snprintf(out + length, STOA_FOUND_BYTES - length,
                                   plain ? "%c" : "\\x%02x", bytes[i]);
    }
    (void)snprintf(out + length, STOA_FOUND_BYTES - length, "%s", shown < size ? "'..." : "'");
}

static stoa_status reject_text(const struct stoa_frame *frame, int64_t row, const uint8_t *bytes,
                               size_t size) {
    char found[STOA_FOUND_BYTES];
    show_bytes(bytes, size, found);
    return stoa_frame_reject(frame, row, "a UTF-8 string", found);
}

static stoa_status check_views_utf8(const struct stoa_frame *frame, const struct stoa_node *node,
                                    int64_t start, int64_t count) {
    const struct ArrowArray *array = node->array;
    struct stoa_validity validity = validity_of(array, start);
    for (int64_t i = 0; i < count; i++) {
        if (validity.bits != NULL && !stoa_bit_get(validity.bits, validity.offset + i)) {
            continue;
        }
        const uint8_t *view = (const uint8_t *)array->buffers[1] +
                              (size_t)(array->offset + start + i) * 16;
        int32_t words[4];
        memcpy(words, view, sizeof words);
        const uint8_t *bytes = words[0] <= 12
                                   ? view + 4
                                   : (const uint8_t *)array->buffers[2 + words[2]] + words[3];
        if (!stoa_utf8_valid(bytes, (size_t)words[0], NULL)) {
            return reject_text(frame, start + i, bytes, (size_t)words[0]);
        }
    }
    return STOA_OK;
}

static stoa_status check_utf8(const struct stoa_frame *frame, const struct stoa_node *node,
                              int64_t start, int64_t count) {
    const struct ArrowArray *array = node->array;
    struct stoa_validity validity = validity_of(array, start);
    const uint8_t *bytes = array->n_buffers > 2 ? array->buffers[2] : NULL;
    int64_t at = array->offset + start;
    if (node->layout.kind == STOA_ARROW_STRING_VIEW) {
        return check_views_utf8(frame, node, start, count);
    }
    if (node->layout.kind == STOA_ARROW_STRING) {
        const int32_t *offsets = (const int32_t *)array->buffers[1] + at;
        int64_t bad = stoa_kernel_utf8_i32(offsets, bytes, count, validity);
        return bad < 0 ? STOA_OK
                       : reject_text(frame, start + bad, bytes + offsets[bad],
                                     (size_t)(offsets[bad + 1] - offsets[bad]));
    }
    const int64_t *offsets = (const int64_t *)array->buffers[1] + at;
    int64_t bad = stoa_kernel_utf8_i64(offsets, bytes, count, validity);
    return bad < 0 ? STOA_OK
                   : reject_text(frame, start + bad, bytes + offsets[bad],
                                 (size_t)(offsets[bad + 1] - offsets[bad]));
}

static __int128 power_of_ten(int32_t exponent) {
    __int128 power = 1;
    for (int32_t i = 0; i < exponent; i++) {
        power *= 10;
    }
    return power;
}

static stoa_status check_decimal(const struct stoa_frame *frame, const struct stoa_node *node,
                                 int64_t start, int64_t count) {
    int32_t width = node->layout.byte_width;
    const uint8_t *values = (const uint8_t *)node->array->buffers[1] +
                            (size_t)(node->array->offset + start) * (size_t)width;
    int32_t gained = node->field->type.scale - node->layout.scale;
    __int128 limit = power_of_ten(node->field->type.precision - gained) - 1;
    int64_t bad = stoa_kernel_decimal(values, width, count, validity_of(node->array, start), limit);
    if (bad < 0) {
        return STOA_OK;
    }
    char found[STOA_DECIMAL_TEXT_BYTES];
    (void)stoa_decimal_print(values + (size_t)bad * (size_t)width, width, node->layout.scale,
                             found);
    return reject_value(frame, node, start + bad, found);
}

static const char *unit_name(stoa_time_unit unit) {
    static const char *const NAMES[] = {"s", "ms", "us", "ns"};
    return NAMES[unit];
}

static stoa_status reject_number(const struct stoa_frame *frame, const struct stoa_node *node,
                                 int64_t row, int64_t number, const char *what) {
    char found[STOA_FOUND_BYTES];
    (void)snprintf(found, sizeof found, "%" PRId64 " %s%s", number, unit_name(node->layout.unit),
                   what);
    return reject_value(frame, node, row, found);
}

static stoa_status check_time(const struct stoa_frame *frame, const struct stoa_node *node,
                              int64_t start, int64_t count) {
    const struct ArrowArray *array = node->array;
    struct stoa_validity validity = validity_of(array, start);
    int64_t day = 86400 * stoa_time_unit_per_second(node->layout.unit);
    int64_t at = array->offset + start;
    int64_t bad;
    int64_t number = 0;
    if (node->layout.kind == STOA_ARROW_TIME32) {
        const int32_t *values = (const int32_t *)array->buffers[1] + at;
        bad = stoa_kernel_outside_i32(values, count, validity, 0, (int32_t)(day - 1));
        number = bad < 0 ? 0 : values[bad];
    } else {
        const int64_t *values = (const int64_t *)array->buffers[1] + at;
        bad = stoa_kernel_outside_i64(values, count, validity, 0, day - 1);
        number = bad < 0 ? 0 : values[bad];
    }
    return bad < 0 ? STOA_OK
                   : reject_number(frame, node, start + bad, number, ", which is outside the day");
}

/* Finer units reach less far. */
static stoa_status check_unit(const struct stoa_frame *frame, const struct stoa_node *node,
                              int64_t start, int64_t count) {
    int64_t factor = stoa_fit_unit_factor(&node->field->type, &node->layout);
    if (factor == 1) {
        return STOA_OK;
    }
    struct stoa_validity validity = validity_of(node->array, start);
    int64_t at = node->array->offset + start;
    int64_t most = INT64_MAX / factor;
    int64_t bad;
    int64_t number = 0;
    if (node->layout.kind == STOA_ARROW_DATE32) {
        const int32_t *days = (const int32_t *)node->array->buffers[1] + at;
        bad = most >= INT32_MAX ? -1
                                : stoa_kernel_outside_i32(days, count, validity, (int32_t)-most,
                                                          (int32_t)most);
        number = bad < 0 ? 0 : days[bad];
    } else {
        const int64_t *values = (const int64_t *)node->array->buffers[1] + at;
        bad = stoa_kernel_outside_i64(values, count, validity, INT64_MIN / factor, most);
        number = bad < 0 ? 0 : values[bad];
    }
    return bad < 0 ? STOA_OK
                   : reject_number(frame, node, start + bad, number,
                                   ", which its unit cannot hold");
}

static stoa_status check_date(const struct stoa_frame *frame, const struct stoa_node *node,
                              int64_t start, int64_t count) {
    enum { DAY_MS = 86400000 };
    if (node->layout.kind == STOA_ARROW_DATE32) {
        return STOA_OK;
    }
    const int64_t *values = (const int64_t *)node->array->buffers[1] + node->array->offset + start;
    struct stoa_validity validity = validity_of(node->array, start);
    int64_t bad = stoa_kernel_fraction_i64(values, count, validity, DAY_MS);
    if (bad >= 0) {
        return reject_number(frame, node, start + bad, values[bad], ", which is within a day");
    }
    bad = stoa_kernel_outside_i64(values, count, validity, (int64_t)INT32_MIN * DAY_MS,
                                  (int64_t)INT32_MAX * DAY_MS);
    return bad < 0 ? STOA_OK
                   : reject_number(frame, node, start + bad, values[bad],
                                   ", which 32 bits of days cannot hold");
}

/* -- nested values ---------------------------------------------------------------------------- */

static stoa_status check_struct(const struct stoa_frame *frame, const stoa_type *type,
                                const struct ArrowSchema *arrow, const struct ArrowArray *array,
                                int64_t start, int64_t count) {
    for (int32_t i = 0; i < type->child_count; i++) {
        int64_t index = stoa_fit_child(type, i, arrow);
        if (index < 0) {
            continue; /* missing and optional */
        }
        struct stoa_node child = node_of(&type->children[i], arrow->children[index],
                                         array->children[index]);
        struct stoa_frame below = {.parent = frame,
                                   .name = type->children[i].name,
                                   .err = frame->err,
                                   .array = child.array,
                                   .layout = &child.layout,
                                   .column_index = frame->parent == NULL ? i : frame->column_index};
        STOA_TRY(check_run(&below, &child, array->offset + start, count));
    }
    return STOA_OK;
}

static stoa_status check_items(const struct stoa_frame *frame, const struct stoa_node *node,
                               int64_t start, int64_t count) {
    int64_t first = stoa_frame_offset_at(frame, start);
    int64_t items = stoa_frame_offset_at(frame, start + count) - first;
    const stoa_type *type = &node->field->type;
    if (type->kind == STOA_TYPE_LIST) {
        struct stoa_node child = node_of(&type->children[0], node->arrow->children[0],
                                         node->array->children[0]);
        struct stoa_frame below = {.parent = frame,
                                   .err = frame->err,
                                   .array = child.array,
                                   .layout = &child.layout,
                                   .column_index = frame->column_index};
        return check_run(&below, &child, first, items);
    }
    /* Keys and values count from the map's own items: the entries' struct only shifts them. */
    const struct ArrowSchema *entries_arrow = stoa_arrow_entries(node->arrow);
    const struct ArrowArray *entries = node->array->children[0];
    if (stoa_array_has_validity(entries) &&
        stoa_kernel_null(items, validity_of(entries, first)) >= 0) {
        int64_t bad = stoa_kernel_null(items, validity_of(entries, first));
        return stoa_frame_reject(frame, stoa_frame_row_of_item(frame, first + bad),
                                 "an entry of a map", "null");
    }
    struct stoa_frame middle = entries_frame(frame);
    for (int32_t i = 0; i < 2; i++) {
        struct stoa_node child = node_of(&type->children[i], entries_arrow->children[i],
                                         entries->children[i]);
        struct stoa_frame below = {.parent = &middle,
                                   .name = type->children[i].name,
                                   .err = frame->err,
                                   .array = child.array,
                                   .layout = &child.layout,
                                   .column_index = frame->column_index};
        STOA_TRY(check_run(&below, &child, entries->offset + first, items));
    }
    return STOA_OK;
}

static stoa_status check_children(const struct stoa_frame *frame, const struct stoa_node *node,
                                  int64_t start, int64_t count) {
    if (node->field->type.kind == STOA_TYPE_STRUCT) {
        return check_struct(frame, &node->field->type, node->arrow, node->array, start, count);
    }
    return check_items(frame, node, start, count);
}

static stoa_status check_nested(const struct stoa_frame *frame, const struct stoa_node *node,
                                int64_t start, int64_t count) {
    struct stoa_validity validity = validity_of(node->array, start);
    if (validity.bits == NULL) {
        return check_children(frame, node, start, count);
    }
    int64_t row = stoa_kernel_next_bit(0, count, validity, 1);
    while (row < count) {
        int64_t end = stoa_kernel_next_bit(row, count, validity, 0);
        STOA_TRY(check_children(frame, node, start + row, end - row));
        row = stoa_kernel_next_bit(end, count, validity, 1);
    }
    return STOA_OK;
}

/* -- dictionaries ----------------------------------------------------------------------------- */

static int64_t index_at(const struct stoa_node *node, int64_t row) {
    int64_t at = node->array->offset + row;
    const void *data = node->array->buffers[1];
    switch (node->layout.kind) {
    case STOA_ARROW_INT8: return ((const int8_t *)data)[at];
    case STOA_ARROW_UINT8: return ((const uint8_t *)data)[at];
    case STOA_ARROW_INT16: return ((const int16_t *)data)[at];
    case STOA_ARROW_UINT16: return ((const uint16_t *)data)[at];
    case STOA_ARROW_INT32: return ((const int32_t *)data)[at];
    case STOA_ARROW_UINT32: return ((const uint32_t *)data)[at];
    default: return ((const int64_t *)data)[at]; /* uint64 above 2^63 is negative: out of range */
    }
}

/* The whole dictionary is looked at once where it is no larger than the run. Only when something is
 * wrong in it, or it is larger, does each row ask for its own value: an unused value may be wrong. */
static stoa_status check_dictionary(const struct stoa_frame *frame, const struct stoa_node *node,
                                    int64_t start, int64_t count) {
    const struct ArrowArray *values = node->array->dictionary;
    struct stoa_node value = node_of(node->field, node->arrow->dictionary, values);
    struct stoa_frame quiet = *frame;
    quiet.err = NULL;
    quiet.array = values;
    quiet.layout = &value.layout;
    bool sound = values->length <= count && check_run(&quiet, &value, 0, values->length) == STOA_OK;
    struct stoa_validity validity = validity_of(node->array, start);
    for (int64_t i = 0; i < count; i++) {
        if (validity.bits != NULL && !stoa_bit_get(validity.bits, validity.offset + i)) {
            continue;
        }
        int64_t index = index_at(node, start + i);
        if (index < 0 || index >= values->length) {
            char expected[STOA_FOUND_BYTES];
            char found[STOA_FOUND_BYTES];
            (void)snprintf(expected, sizeof expected, "a dictionary index below %" PRId64,
                           values->length);
            (void)snprintf(found, sizeof found, "%" PRId64, index);
            return stoa_frame_reject(frame, start + i, expected, found);
        }
        if (!sound) {
            struct stoa_frame used = quiet;
            used.err = frame->err;
            used.has_row = true;
            used.row = start + i;
            STOA_TRY(check_run(&used, &value, index, 1));
        }
    }
    return STOA_OK;
}

/* -- one run of rows of one node -------------------------------------------------------------- */

static stoa_status check_values(const struct stoa_frame *frame, const struct stoa_node *node,
                                int64_t start, int64_t count) {
    switch (node->field->type.kind) {
    case STOA_TYPE_DECIMAL: return check_decimal(frame, node, start, count);
    case STOA_TYPE_DATE: return check_date(frame, node, start, count);
    case STOA_TYPE_TIME: return check_time(frame, node, start, count);
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
    case STOA_TYPE_DURATION: return check_unit(frame, node, start, count);
    case STOA_TYPE_STRING: return check_utf8(frame, node, start, count);
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP:
    case STOA_TYPE_STRUCT: return check_nested(frame, node, start, count);
    default: return STOA_OK;
    }
}

static stoa_status check_run(const struct stoa_frame *frame, const struct stoa_node *node,
                             int64_t start, int64_t count) {
    if (count == 0) {
        return STOA_OK;
    }
    struct stoa_validity validity = validity_of(node->array, start);
    if (node->layout.kind == STOA_ARROW_NULL) {
        return node->field->required ? stoa_frame_reject_null(frame, node, start) : STOA_OK;
    }
    if (node->field->required && validity.bits != NULL) {
        int64_t bad = stoa_kernel_null(count, validity);
        if (bad >= 0) {
            return stoa_frame_reject_null(frame, node, start + bad);
        }
    }
    return node->layout.dictionary ? check_dictionary(frame, node, start, count)
                                   : check_values(frame, node, start, count);
}

/* -- the batch -------------------------------------------------------------------------------- */

static stoa_status check_format(const struct ArrowSchema *arrow, stoa_error *err) {
    if (arrow->format == NULL || strcmp(arrow->format, "+s") != 0) {
        return stoa_fail(err, STOA_INVALID, "expected a batch of Arrow format '+s' but found '%s'",
                         arrow->format == NULL ? "" : arrow->format);
    }
    return STOA_OK;
}

stoa_status stoa_batch_validate_types(const stoa_schema *schema, const struct ArrowSchema *arrow,
                                      stoa_error *err) {
    const struct stoa_frame root = {.column_index = -1, .err = err};
    STOA_TRY(check_format(arrow, err));
    return stoa_validate_match(&root, &schema->root, arrow);
}

stoa_status stoa_batch_validate(const stoa_schema *schema, const struct ArrowSchema *arrow,
                                const struct ArrowArray *batch, stoa_error *err) {
    STOA_TRY(check_format(arrow, err));
    STOA_TRY(stoa_arrow_validate(arrow, batch, STOA_ARROW_CHECK_LAYOUT, err));
    struct stoa_frame root = {.array = batch, .column_index = -1, .err = err};
    STOA_TRY(stoa_validate_match(&root, &schema->root, arrow));
    struct stoa_validity rows = validity_of(batch, 0);
    if (rows.bits != NULL && stoa_kernel_null(batch->length, rows) >= 0) {
        int64_t row = stoa_kernel_null(batch->length, rows);
        (void)stoa_fail(err, STOA_INVALID, "row %" PRId64 ": expected a row but found null", row);
        stoa_error_set_row(err, row);
        return STOA_INVALID;
    }
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        const stoa_field *field = &schema->root.children[i];
        int64_t index = stoa_fit_child(&schema->root, i, arrow);
        if (index >= 0) {
            struct stoa_frame top = root;
            top.column_index = i;
            struct stoa_node node = node_of(field, arrow->children[index], batch->children[index]);
            STOA_TRY(check_structure(&top, field->name, &node));
        }
    }
    return check_struct(&root, &schema->root, arrow, batch, 0, batch->length);
}
