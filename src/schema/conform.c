/* Bringing a validated batch into the canonical layout of its schema.
 *
 * The columns are moved out of the batch one by one. A column that lies canonically, down to its
 * leaves, is handed on as it is. Of any other, a tree of new nodes is made; a node's buffers that
 * fit are pointed at, and a keeper, counted by the nodes that point, holds the column for them.
 *
 * Everything that could be wrong with a value was found by validation, so what can fail here is
 * memory, and sums that pass the 31 bits of canonical offsets. */
#include <string.h>

#include "arrow/array.h"
#include "arrow/owner.h"
#include "arrow/schema.h"
#include "base/bits.h"
#include "base/checked.h"
#include "schema/conform_kernel.h"
#include "schema/fit.h"
#include "schema/nulls.h"
#include "schema/validate.h"

struct conformer {
    stoa_pool *pool;
    stoa_keeper *keeper; /* of the column at work */
    stoa_error *err;
};

/* `count` values of `array` from `start` on: data index array->offset + start. */
struct window {
    const struct ArrowSchema *arrow;
    const struct ArrowArray *array;
    stoa_arrow_layout layout;
    int64_t start;
    int64_t count;
};

static stoa_status convert(struct conformer *conformer, const stoa_field *field,
                           const struct window *window, struct ArrowArray *out);

/* -- what is canonical ------------------------------------------------------------------------ */

static bool lies_canonically(const stoa_type *type, const struct ArrowSchema *arrow) {
    stoa_arrow_layout layout;
    if (stoa_arrow_layout_parse(arrow, &layout, NULL) != STOA_OK || layout.dictionary ||
        stoa_fit_node(type, &layout, stoa_arrow_extension(arrow)) != STOA_FIT_SAME) {
        return false;
    }
    if (type->kind == STOA_TYPE_MAP) {
        arrow = stoa_arrow_entries(arrow);
    }
    if (stoa_type_is_nested(type->kind) && arrow->n_children != type->child_count) {
        return false;
    }
    for (int32_t i = 0; i < type->child_count; i++) {
        if ((type->kind == STOA_TYPE_STRUCT && stoa_fit_child(type, i, arrow) != i) ||
            !lies_canonically(&type->children[i].type, arrow->children[i])) {
            return false;
        }
    }
    return true;
}

static struct window window_of(const struct ArrowSchema *arrow, const struct ArrowArray *array,
                               int64_t start, int64_t count) {
    struct window window = {.arrow = arrow, .array = array, .start = start, .count = count};
    stoa_status status = stoa_arrow_layout_parse(arrow, &window.layout, NULL);
    STOA_ASSERT(status == STOA_OK); /* validation parsed it */
    (void)status;
    return window;
}

/* -- parts of nodes --------------------------------------------------------------------------- */

static stoa_status new_buffer(struct conformer *conformer, int64_t count, size_t width,
                              stoa_buffer *out) {
    size_t bytes;
    stoa_buffer_init(out, conformer->pool);
    if (!stoa_mul_size((size_t)count, width, &bytes)) {
        return stoa_fail(conformer->err, STOA_LIMIT,
                         "%" PRId64 " values of %zu bytes are more than memory can hold", count,
                         width);
    }
    return stoa_buffer_resize(out, bytes, conformer->err);
}

/* The new node begins at its own 0, so bits are moved; they are few. */
static stoa_status copy_validity(struct conformer *conformer, const struct window *window,
                                 struct ArrowArray *out) {
    out->length = window->count;
    out->null_count = 0;
    if (!stoa_array_has_validity(window->array)) {
        return STOA_OK;
    }
    stoa_buffer bits;
    STOA_TRY(new_buffer(conformer, (int64_t)stoa_bitmap_bytes(window->count), 1, &bits));
    const uint8_t *source = window->array->buffers[0];
    int64_t from = window->array->offset + window->start;
    if (window->count > 0) {
        stoa_bitmap_copy(source, from, bits.data, 0, window->count);
    }
    out->null_count = window->count - stoa_bitmap_count(source, from, window->count);
    stoa_arrow_array_set_buffer(out, 0, &bits);
    return STOA_OK;
}

static stoa_status fail_offsets(struct conformer *conformer, const stoa_field *field,
                                int64_t found) {
    return stoa_fail(conformer->err, STOA_LIMIT,
                     "column '%s': expected at most 2147483647 bytes or items in one batch but "
                     "found %" PRId64 "; make smaller batches",
                     field->name, found);
}

/* -- sharing ---------------------------------------------------------------------------------- */

static stoa_status share(struct conformer *conformer, const struct ArrowArray *array,
                         int64_t offset, int64_t length, struct ArrowArray *out) {
    *out = (struct ArrowArray){0};
    STOA_TRY(stoa_arrow_array_init(conformer->pool, array->n_buffers, array->n_children, false, out,
                                   conformer->err));
    for (int64_t i = 0; i < array->n_buffers; i++) {
        stoa_arrow_array_set_buffer_view(out, i, array->buffers[i]);
    }
    stoa_arrow_array_keep(out, conformer->keeper);
    out->offset = offset;
    out->length = length;
    bool whole = offset == array->offset && length == array->length;
    out->null_count = whole || array->null_count == 0 ? array->null_count : -1;
    for (int64_t i = 0; i < array->n_children; i++) {
        const struct ArrowArray *child = array->children[i];
        STOA_TRY(share(conformer, child, child->offset, child->length, out->children[i]));
    }
    return STOA_OK;
}

/* -- fixed widths ----------------------------------------------------------------------------- */

static __int128 decimal_factor(const stoa_type *type, const stoa_arrow_layout *layout) {
    __int128 factor = 1;
    for (int32_t scale = layout->scale; scale < type->scale; scale++) {
        factor *= 10;
    }
    return factor;
}

static void convert_values(const stoa_type *type, const struct window *window, void *target) {
    const stoa_arrow_layout *layout = &window->layout;
    int64_t at = window->array->offset + window->start;
    const uint8_t *source = (const uint8_t *)window->array->buffers[1] +
                            (size_t)at * (size_t)layout->byte_width;
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: stoa_kernel_bits((const int8_t *)source, target, window->count); break;
    case STOA_TYPE_DECIMAL:
        stoa_kernel_decimal_widen(source, layout->byte_width, decimal_factor(type, layout), target,
                                  window->count);
        break;
    case STOA_TYPE_DATE:
        stoa_kernel_days((const int64_t *)(const void *)source, target, window->count);
        break;
    case STOA_TYPE_TIME:
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
    case STOA_TYPE_DURATION:
        stoa_kernel_scale(source, layout->byte_width, target, (int32_t)stoa_type_value_bytes(type),
                          stoa_fit_unit_factor(type, layout), window->count);
        break;
    case STOA_TYPE_INTERVAL:
        stoa_kernel_interval(source, layout->kind, target, window->count);
        break;
    default: stoa_kernel_widen(source, layout->kind, target, type->kind, window->count); break;
    }
}

static stoa_status convert_fixed_width(struct conformer *conformer, const stoa_field *field,
                                       const struct window *window, struct ArrowArray *out) {
    stoa_buffer values;
    STOA_TRY(stoa_arrow_array_init(conformer->pool, 2, 0, false, out, conformer->err));
    STOA_TRY(copy_validity(conformer, window, out));
    bool bits = field->type.kind == STOA_TYPE_BOOLEAN;
    STOA_TRY(new_buffer(conformer, bits ? (int64_t)stoa_bitmap_bytes(window->count) : window->count,
                        bits ? 1 : stoa_type_value_bytes(&field->type), &values));
    if (window->count > 0) {
        convert_values(&field->type, window, values.data);
    }
    stoa_arrow_array_set_buffer(out, 1, &values);
    return STOA_OK;
}

/* -- strings and binaries --------------------------------------------------------------------- */

/* 64-bit offsets become 32-bit ones from the window's first byte on; the bytes stay where they are. */
static stoa_status convert_large(struct conformer *conformer, const stoa_field *field,
                                 const struct window *window, struct ArrowArray *out) {
    stoa_buffer offsets;
    STOA_TRY(new_buffer(conformer, window->count + 1, sizeof(int32_t), &offsets));
    stoa_arrow_array_set_buffer(out, 1, &offsets);
    if (window->count == 0) {
        return STOA_OK;
    }
    const int64_t *source = (const int64_t *)window->array->buffers[1] + window->array->offset +
                            window->start;
    int64_t bytes = source[window->count] - source[0];
    if (bytes > INT32_MAX) {
        return fail_offsets(conformer, field, bytes);
    }
    stoa_kernel_rebase_i64(source, (int32_t *)(uintptr_t)out->buffers[1], window->count);
    if (bytes > 0) {
        stoa_arrow_array_set_buffer_view(out, 2,
                                         (const uint8_t *)window->array->buffers[2] + source[0]);
        stoa_arrow_array_keep(out, conformer->keeper);
    }
    return STOA_OK;
}

static int32_t view_size(const struct window *window, int64_t row, const uint8_t **out_bytes) {
    int64_t at = window->array->offset + window->start + row;
    const uint8_t *view = (const uint8_t *)window->array->buffers[1] + (size_t)at * 16;
    int32_t words[4];
    memcpy(words, view, sizeof words);
    *out_bytes = words[0] <= 12 ? view + 4
                                : (const uint8_t *)window->array->buffers[2 + words[2]] + words[3];
    return words[0];
}

static bool row_is_null(const struct window *window, int64_t row) {
    return stoa_array_has_validity(window->array) &&
           !stoa_bit_get(window->array->buffers[0], window->array->offset + window->start + row);
}

static stoa_status view_offsets(struct conformer *conformer, const stoa_field *field,
                                const struct window *window, int32_t *offsets) {
    int64_t total = 0;
    offsets[0] = 0;
    for (int64_t i = 0; i < window->count; i++) {
        const uint8_t *bytes;
        total += row_is_null(window, i) ? 0 : view_size(window, i, &bytes);
        if (total > INT32_MAX) {
            return fail_offsets(conformer, field, total);
        }
        offsets[i + 1] = (int32_t)total;
    }
    return STOA_OK;
}

static stoa_status convert_views(struct conformer *conformer, const stoa_field *field,
                                 const struct window *window, struct ArrowArray *out) {
    stoa_buffer offsets;
    stoa_buffer bytes;
    STOA_TRY(new_buffer(conformer, window->count + 1, sizeof(int32_t), &offsets));
    int32_t *ends = (int32_t *)(void *)offsets.data;
    stoa_arrow_array_set_buffer(out, 1, &offsets);
    STOA_TRY(view_offsets(conformer, field, window, ends));
    STOA_TRY(new_buffer(conformer, ends[window->count], 1, &bytes));
    for (int64_t i = 0; i < window->count; i++) {
        const uint8_t *source;
        if (ends[i + 1] > ends[i]) {
            int32_t size = view_size(window, i, &source);
            memcpy(bytes.data + ends[i], source, (size_t)size);
        }
    }
    stoa_arrow_array_set_buffer(out, 2, &bytes);
    return STOA_OK;
}

static stoa_status convert_text(struct conformer *conformer, const stoa_field *field,
                                const struct window *window, struct ArrowArray *out) {
    STOA_TRY(stoa_arrow_array_init(conformer->pool, 3, 0, false, out, conformer->err));
    STOA_TRY(copy_validity(conformer, window, out));
    bool large = window->layout.kind == STOA_ARROW_LARGE_STRING ||
                 window->layout.kind == STOA_ARROW_LARGE_BINARY;
    return large ? convert_large(conformer, field, window, out)
                 : convert_views(conformer, field, window, out);
}

/* -- lists, maps, structs --------------------------------------------------------------------- */

/* Which items belong to the window. */
static void items_of(const struct window *window, int64_t *out_first, int64_t *out_count) {
    int64_t at = window->array->offset + window->start;
    *out_first = 0;
    *out_count = 0;
    if (window->layout.kind == STOA_ARROW_FIXED_LIST) {
        *out_first = at * window->layout.list_size;
        *out_count = window->count * window->layout.list_size;
    } else if (window->count > 0 && window->layout.kind == STOA_ARROW_LARGE_LIST) {
        const int64_t *offsets = (const int64_t *)window->array->buffers[1] + at;
        *out_first = offsets[0];
        *out_count = offsets[window->count] - offsets[0];
    } else if (window->count > 0) {
        const int32_t *offsets = (const int32_t *)window->array->buffers[1] + at;
        *out_first = offsets[0];
        *out_count = offsets[window->count] - offsets[0];
    }
}

static stoa_status make_offsets(struct conformer *conformer, const struct window *window,
                                struct ArrowArray *out) {
    stoa_buffer buffer;
    STOA_TRY(new_buffer(conformer, window->count + 1, sizeof(int32_t), &buffer));
    int32_t *offsets = (int32_t *)(void *)buffer.data;
    int64_t at = window->array->offset + window->start;
    if (window->layout.kind == STOA_ARROW_FIXED_LIST) {
        for (int64_t i = 0; i <= window->count; i++) {
            offsets[i] = (int32_t)(i * window->layout.list_size);
        }
    } else if (window->count > 0 && window->layout.kind == STOA_ARROW_LARGE_LIST) {
        stoa_kernel_rebase_i64((const int64_t *)window->array->buffers[1] + at, offsets,
                               window->count);
    } else if (window->count > 0) {
        stoa_kernel_rebase_i32((const int32_t *)window->array->buffers[1] + at, offsets,
                               window->count);
    }
    stoa_arrow_array_set_buffer(out, 1, &buffer);
    return STOA_OK;
}

static stoa_status convert_fields(struct conformer *conformer, const stoa_type *type,
                                  const struct ArrowSchema *arrow, const struct ArrowArray *array,
                                  int64_t start, int64_t count, struct ArrowArray *out) {
    for (int32_t i = 0; i < type->child_count; i++) {
        const stoa_field *field = &type->children[i];
        int64_t index = type->kind == STOA_TYPE_STRUCT ? stoa_fit_child(type, i, arrow) : i;
        if (index < 0) {
            STOA_TRY(stoa_array_make_nulls(conformer->pool, &field->type, count, out->children[i],
                                           conformer->err));
            continue;
        }
        struct window window = window_of(arrow->children[index], array->children[index], start,
                                         count);
        STOA_TRY(convert(conformer, field, &window, out->children[i]));
    }
    return STOA_OK;
}

static stoa_status convert_struct(struct conformer *conformer, const stoa_field *field,
                                  const struct window *window, struct ArrowArray *out) {
    STOA_TRY(stoa_arrow_array_init(conformer->pool, 1, field->type.child_count, false, out,
                                   conformer->err));
    STOA_TRY(copy_validity(conformer, window, out));
    return convert_fields(conformer, &field->type, window->arrow, window->array,
                          window->array->offset + window->start, window->count, out);
}

static stoa_status convert_list(struct conformer *conformer, const stoa_field *field,
                                const struct window *window, struct ArrowArray *out) {
    int64_t first;
    int64_t count;
    STOA_TRY(stoa_arrow_array_init(conformer->pool, 2, 1, false, out, conformer->err));
    STOA_TRY(copy_validity(conformer, window, out));
    items_of(window, &first, &count);
    if (count > INT32_MAX) {
        return fail_offsets(conformer, field, count);
    }
    STOA_TRY(make_offsets(conformer, window, out));
    if (field->type.kind == STOA_TYPE_LIST) {
        return convert_fields(conformer, &field->type, window->arrow, window->array, first, count,
                              out);
    }
    struct ArrowArray *entries = out->children[0];
    STOA_TRY(stoa_arrow_array_init(conformer->pool, 1, 2, false, entries, conformer->err));
    entries->length = count;
    const struct ArrowArray *source = window->array->children[0];
    return convert_fields(conformer, &field->type, stoa_arrow_entries(window->arrow), source,
                          source->offset + first, count, entries);
}

/* -- dictionaries ----------------------------------------------------------------------------- */

#define READ_INDICES(type)                                                                         \
    do {                                                                                           \
        const type *source = (const type *)window->array->buffers[1] + at;                         \
        for (int64_t i = 0; i < window->count; i++) {                                              \
            indices[i] = (int64_t)source[i];                                                       \
        }                                                                                          \
    } while (0)

/* A null's index may be anything, and so may one that lies under a null struct: both become -1. */
static void read_indices(const struct window *window, int64_t limit, int64_t *indices) {
    int64_t at = window->array->offset + window->start;
    switch (window->layout.kind) {
    case STOA_ARROW_INT8: READ_INDICES(int8_t); break;
    case STOA_ARROW_UINT8: READ_INDICES(uint8_t); break;
    case STOA_ARROW_INT16: READ_INDICES(int16_t); break;
    case STOA_ARROW_UINT16: READ_INDICES(uint16_t); break;
    case STOA_ARROW_INT32: READ_INDICES(int32_t); break;
    case STOA_ARROW_UINT32: READ_INDICES(uint32_t); break;
    default: READ_INDICES(int64_t); break;
    }
    for (int64_t i = 0; i < window->count; i++) {
        if (indices[i] < 0 || indices[i] >= limit || row_is_null(window, i)) {
            indices[i] = -1;
        }
    }
}

static stoa_status convert_dictionary(struct conformer *conformer, const stoa_field *field,
                                      const struct window *window, struct ArrowArray *out) {
    struct ArrowArray values = {0};
    struct ArrowSchema schema = {0};
    stoa_buffer indices;
    stoa_buffer_init(&indices, conformer->pool);
    stoa_status status = STOA_OK;
    const struct ArrowArray *dictionary = window->array->dictionary;
    struct window whole = window_of(window->arrow->dictionary, dictionary, 0, dictionary->length);
    STOA_CHECK(convert(conformer, field, &whole, &values));
    STOA_CHECK(stoa_field_to_arrow(conformer->pool, field, &schema, conformer->err));
    STOA_CHECK(new_buffer(conformer, window->count, sizeof(int64_t), &indices));
    if (window->count > 0) {
        read_indices(window, dictionary->length, (int64_t *)(void *)indices.data);
    }
    STOA_CHECK(stoa_arrow_take(conformer->pool, &schema, &values,
                               (const int64_t *)(const void *)indices.data, window->count, out,
                               conformer->err));
done:
    stoa_buffer_release(&indices);
    stoa_arrow_schema_release(&schema);
    stoa_arrow_array_release(&values);
    return status;
}

/* -- one node --------------------------------------------------------------------------------- */

static stoa_status convert_node(struct conformer *conformer, const stoa_field *field,
                                const struct window *window, struct ArrowArray *out) {
    if (window->layout.dictionary) {
        return convert_dictionary(conformer, field, window, out);
    }
    if (lies_canonically(&field->type, window->arrow)) {
        return share(conformer, window->array, window->array->offset + window->start, window->count,
                     out);
    }
    if (window->layout.kind == STOA_ARROW_NULL) {
        return stoa_array_make_nulls(conformer->pool, &field->type, window->count, out,
                                     conformer->err);
    }
    switch (field->type.kind) {
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY: return convert_text(conformer, field, window, out);
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP: return convert_list(conformer, field, window, out);
    case STOA_TYPE_STRUCT: return convert_struct(conformer, field, window, out);
    default: return convert_fixed_width(conformer, field, window, out);
    }
}

/* On failure `out` is released, so that whoever fills children leaves nothing half-made. */
static stoa_status convert(struct conformer *conformer, const stoa_field *field,
                           const struct window *window, struct ArrowArray *out) {
    *out = (struct ArrowArray){0};
    stoa_status status = convert_node(conformer, field, window, out);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}

/* -- columns ---------------------------------------------------------------------------------- */

struct held_column {
    stoa_pool *pool;
    struct ArrowArray array;
};

static void held_release(void *user) {
    struct held_column *held = user;
    stoa_arrow_array_release(&held->array);
    stoa_pool_free(held->pool, held, sizeof *held);
}

/* Moves a column out of the batch into a keeper; on failure it stays in the batch. */
static stoa_status hold_column(struct conformer *conformer, struct ArrowArray *column,
                               const struct ArrowArray **out_view) {
    void *memory = NULL;
    STOA_TRY(
        stoa_pool_allocate(conformer->pool, sizeof(struct held_column), &memory, conformer->err));
    struct held_column *held = memory;
    *held = (struct held_column){.pool = conformer->pool};
    stoa_status status = stoa_keeper_create(conformer->pool, held_release, held, &conformer->keeper,
                                            conformer->err);
    if (status != STOA_OK) {
        stoa_pool_free(conformer->pool, held, sizeof *held);
        return status;
    }
    held->array = *column;
    column->release = NULL;
    *out_view = &held->array;
    return STOA_OK;
}

static stoa_status conform_column(struct conformer *conformer, const stoa_field *field,
                                  const struct ArrowSchema *arrow, struct ArrowArray *column,
                                  int64_t start, int64_t count, struct ArrowArray *out) {
    if (lies_canonically(&field->type, arrow)) {
        *out = *column;
        column->release = NULL;
        if (start != 0 || count != out->length) {
            out->null_count = out->null_count == 0 ? 0 : -1;
        }
        out->offset += start;
        out->length = count;
        if (field->type.kind == STOA_TYPE_UNKNOWN) {
            out->null_count = count;
        }
        return STOA_OK;
    }
    const struct ArrowArray *held = NULL;
    STOA_TRY(hold_column(conformer, column, &held));
    struct window window = window_of(arrow, held, start, count);
    stoa_status status = convert(conformer, field, &window, out);
    stoa_keeper_release(conformer->keeper);
    conformer->keeper = NULL;
    return status;
}

static stoa_status conform_batch(struct conformer *conformer, const stoa_schema *schema,
                                 const struct ArrowSchema *arrow, struct ArrowArray *batch,
                                 struct ArrowArray *out) {
    const stoa_type *root = &schema->root;
    STOA_TRY(stoa_batch_validate(schema, arrow, batch, conformer->err));
    STOA_TRY(
        stoa_arrow_array_init(conformer->pool, 1, root->child_count, false, out, conformer->err));
    out->length = batch->length;
    for (int32_t i = 0; i < root->child_count; i++) {
        int64_t index = stoa_fit_child(root, i, arrow);
        if (index < 0) {
            STOA_TRY(stoa_array_make_nulls(conformer->pool, &root->children[i].type, batch->length,
                                           out->children[i], conformer->err));
            continue;
        }
        STOA_TRY(conform_column(conformer, &root->children[i], arrow->children[index],
                                batch->children[index], batch->offset, batch->length,
                                out->children[i]));
    }
    return STOA_OK;
}

stoa_status stoa_batch_conform(stoa_pool *pool, const stoa_schema *schema,
                               const struct ArrowSchema *arrow, struct ArrowArray *batch,
                               struct ArrowArray *out, stoa_error *err) {
    struct conformer conformer = {.pool = pool, .err = err};
    struct ArrowArray made = {0};
    stoa_status status = conform_batch(&conformer, schema, arrow, batch, &made);
    stoa_arrow_array_release(batch);
    if (status != STOA_OK) {
        stoa_arrow_array_release(&made);
    }
    *out = made;
    return status;
}
