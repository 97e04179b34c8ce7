/* Is an array from outside what its schema says?
 *
 * The interface carries no buffer sizes, so what can be proven is that every count, offset, index
 * and view stays inside what the array itself claims; sizes of buffers are the importer's to check
 * (the IPC reader does). The layout check touches a constant number of bytes for each column; the
 * full check reads every value once.
 *
 * Both walk the schema, at most STOA_ARROW_DEPTH_MAX deep, and check a node before its children, so
 * that nothing is read through a pointer or count that was not checked before.
 *
 * Source   Apache Arrow columnar format 1.5, "Physical memory layout" */
#include <stdarg.h>
#include <string.h>

#include "arrow/access.h"
#include "arrow/array.h"
#include "arrow/number.h"
#include "arrow/path.h"
#include "base/checked.h"
#include "base/utf8.h"

struct node {
    const struct ArrowArray *array;
    const struct ArrowSchema *schema;
    stoa_arrow_layout layout;
    const struct path *path;
    bool rows_direct; /* a value here is a row of the batch, not an item of a list */
    bool full;
    stoa_error *err;
};

/* "column 'a.b': …" or, for one value, "row 5, column 'a.b': …". */
static stoa_status bad(const struct node *node, int64_t value, const char *format, ...)
    STOA_PRINTF(3, 4);

static stoa_status bad(const struct node *node, int64_t value, const char *format, ...) {
    char what[512];
    char name[STOA_ERROR_NAME_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    path_text(node->path, name);
    stoa_status status;
    if (value < 0) {
        status = stoa_fail(node->err, STOA_INVALID, "column '%s': %s", name, what);
    } else {
        status = stoa_fail(node->err, STOA_INVALID, "%s %" PRId64 ", column '%s': %s",
                           node->rows_direct ? "row" : "value", value, name, what);
    }
    path_locate(node->path, node->rows_direct ? value : -1, node->err);
    return status;
}

/* Behind the last value, counted from the start of the buffers. */
static int64_t end_of(const struct node *node) {
    return node->array->offset + node->array->length;
}

static bool value_is_valid(const struct node *node, int64_t i) {
    return stoa_arrow_valid_at(node->array, node->array->offset + i);
}

static stoa_status counts_check(const struct node *node) {
    const struct ArrowArray *array = node->array;
    int64_t end;
    if (array->release == NULL) {
        return bad(node, -1, "its array was released");
    }
    if (array->length < 0 || array->offset < 0 ||
        !stoa_add_i64(array->offset, array->length, &end) || end > INT64_MAX / 64) {
        return bad(node, -1, "length %" PRId64 " at offset %" PRId64 " is out of range",
                   array->length, array->offset);
    }
    if (array->null_count < -1 || array->null_count > array->length) {
        return bad(node, -1, "expected 0 to %" PRId64 " nulls but found %" PRId64, array->length,
                   array->null_count);
    }
    bool views = stoa_arrow_kind_is_view(node->layout.kind);
    int64_t wanted = node->layout.buffer_count + views;
    if (array->n_buffers != wanted && !(views && array->n_buffers > wanted)) {
        return bad(node, -1, "expected %" PRId64 " buffers but found %" PRId64, wanted,
                   array->n_buffers);
    }
    if (array->n_buffers > 0 && array->buffers == NULL) {
        return bad(node, -1, "its buffers are missing");
    }
    return STOA_OK;
}

static stoa_status family_check(const struct node *node) {
    const struct ArrowArray *array = node->array;
    if (array->n_children != node->schema->n_children) {
        return bad(node, -1, "expected %" PRId64 " children but found %" PRId64,
                   node->schema->n_children, array->n_children);
    }
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children == NULL || array->children[i] == NULL) {
            return bad(node, -1, "child %" PRId64 " is missing", i);
        }
    }
    if ((array->dictionary != NULL) != node->layout.dictionary) {
        return bad(node, -1, "expected %s dictionary but found %s",
                   node->layout.dictionary ? "a" : "no", node->layout.dictionary ? "none" : "one");
    }
    return STOA_OK;
}

/* Which buffers must be there for the values there are. */
static stoa_status buffers_check(const struct node *node) {
    const struct ArrowArray *array = node->array;
    stoa_arrow_kind kind = node->layout.kind;
    if (stoa_arrow_kind_has_validity(kind)) {
        if (array->buffers[0] == NULL && array->null_count > 0) {
            return bad(node, -1, "%" PRId64 " nulls but no validity bitmap", array->null_count);
        }
    } else if (kind != STOA_ARROW_NULL && array->null_count > 0) {
        return bad(node, -1, "expected no nulls of its own but found %" PRId64, array->null_count);
    }
    bool is_union = kind == STOA_ARROW_DENSE_UNION || kind == STOA_ARROW_SPARSE_UNION;
    if (is_union && end_of(node) > 0 && array->buffers[0] == NULL) {
        return bad(node, -1, "its type ids are missing");
    }
    bool bytes_wanted = kind == STOA_ARROW_FIXED ? node->layout.byte_width > 0 : true;
    if (array->n_buffers > 1 && end_of(node) > 0 && bytes_wanted && array->buffers[1] == NULL) {
        return bad(node, -1, "buffer 1 is missing");
    }
    if (node->layout.byte_width > 1) {
        int64_t bytes;
        if (!stoa_mul_i64(end_of(node), node->layout.byte_width, &bytes)) {
            return bad(node, -1, "%" PRId64 " values of %d bytes are out of range", end_of(node),
                       node->layout.byte_width);
        }
    }
    return STOA_OK;
}

/* ---- offsets ---- */

static int64_t offset_of(const struct node *node, int64_t i) {
    return stoa_arrow_offset_at(node->array->buffers[1],
                                stoa_arrow_offset_bytes(node->layout.kind) == 8,
                                node->array->offset + i);
}

static stoa_status offsets_check(const struct node *node, int64_t limit) {
    if (node->array->length == 0) {
        return STOA_OK;
    }
    int64_t begin = offset_of(node, 0);
    int64_t end = offset_of(node, node->array->length);
    if (begin < 0 || end < begin || end > limit) {
        return bad(node, -1, "expected offsets from 0 to %" PRId64 " but found %" PRId64 " to "
                   "%" PRId64, limit, begin, end);
    }
    if (!node->full) {
        return STOA_OK;
    }
    for (int64_t i = 0; i < node->array->length; i++) {
        if (offset_of(node, i + 1) < offset_of(node, i)) {
            return bad(node, i, "expected an offset of at least %" PRId64 " but found %" PRId64,
                       offset_of(node, i), offset_of(node, i + 1));
        }
    }
    return STOA_OK;
}

static stoa_status utf8_check(const struct node *node, int64_t i) {
    stoa_arrow_bytes bytes =
        stoa_arrow_bytes_at(&node->layout, node->array, node->array->offset + i);
    size_t at;
    if (!stoa_utf8_valid(bytes.data, (size_t)bytes.size, &at)) {
        return bad(node, i, "expected UTF-8 but found byte 0x%02X at byte %zu", bytes.data[at], at);
    }
    return STOA_OK;
}

static stoa_status bytes_check(const struct node *node) {
    STOA_TRY(offsets_check(node, INT64_MAX));
    int64_t length = node->array->length;
    bool empty = length == 0 || offset_of(node, length) == offset_of(node, 0);
    if (!empty && node->array->buffers[2] == NULL) {
        return bad(node, -1, "its bytes are missing");
    }
    bool text = node->layout.kind == STOA_ARROW_STRING ||
                node->layout.kind == STOA_ARROW_LARGE_STRING;
    for (int64_t i = 0; node->full && text && i < length; i++) {
        if (value_is_valid(node, i)) {
            STOA_TRY(utf8_check(node, i));
        }
    }
    return STOA_OK;
}

/* ---- views ---- */

static stoa_status view_check(const struct node *node, int64_t i, const int64_t *sizes,
                              int64_t count) {
    const uint8_t *view =
        (const uint8_t *)node->array->buffers[1] + (node->array->offset + i) * 16;
    int64_t size = stoa_load_i32(view);
    if (size < 0) {
        return bad(node, i, "expected a length but found %" PRId64, size);
    }
    if (size <= 12) {
        return STOA_OK;
    }
    int64_t buffer = stoa_load_i32(view + 8);
    int64_t offset = stoa_load_i32(view + 12);
    if (buffer < 0 || buffer >= count || node->array->buffers[2 + buffer] == NULL) {
        return bad(node, i, "expected one of %" PRId64 " buffers but found %" PRId64, count,
                   buffer);
    }
    if (offset < 0 || offset + size > sizes[buffer]) {
        return bad(node, i, "expected a view into %" PRId64 " bytes but found bytes %" PRId64
                   " to %" PRId64, sizes[buffer], offset, offset + size);
    }
    const uint8_t *data = node->array->buffers[2 + buffer];
    if (memcmp(view + 4, data + offset, 4) != 0) {
        return bad(node, i, "its first four bytes are not those of the value");
    }
    return STOA_OK;
}

static stoa_status views_check(const struct node *node) {
    int64_t count = node->array->n_buffers - 3;
    const int64_t *sizes = node->array->buffers[node->array->n_buffers - 1];
    if (count > 0 && sizes == NULL) {
        return bad(node, -1, "the sizes of its %" PRId64 " buffers are missing", count);
    }
    for (int64_t i = 0; node->full && i < node->array->length; i++) {
        if (!value_is_valid(node, i)) {
            continue;
        }
        STOA_TRY(view_check(node, i, sizes, count));
        if (node->layout.kind == STOA_ARROW_STRING_VIEW) {
            STOA_TRY(utf8_check(node, i));
        }
    }
    return STOA_OK;
}

/* ---- nested values ---- */

static stoa_status child_length_check(const struct node *node, int64_t child, int64_t wanted) {
    if (node->array->children[child]->length < wanted) {
        return bad(node, -1, "expected at least %" PRId64 " values in child '%s' but found "
                   "%" PRId64, wanted,
                   node->schema->children[child]->name == NULL
                       ? ""
                       : node->schema->children[child]->name,
                   node->array->children[child]->length);
    }
    return STOA_OK;
}

static stoa_status children_length_check(const struct node *node, int64_t scale) {
    int64_t wanted;
    if (!stoa_mul_i64(end_of(node), scale, &wanted)) {
        return bad(node, -1, "%" PRId64 " lists of %" PRId64 " items are out of range",
                   end_of(node), scale);
    }
    for (int64_t i = 0; i < node->array->n_children; i++) {
        STOA_TRY(child_length_check(node, i, wanted));
    }
    return STOA_OK;
}

static stoa_status union_check(const struct node *node) {
    bool sparse = node->layout.kind == STOA_ARROW_SPARSE_UNION;
    if (sparse) {
        STOA_TRY(children_length_check(node, 1));
    }
    for (int64_t i = 0; node->full && i < node->array->length; i++) {
        int64_t physical = node->array->offset + i;
        int8_t id = ((const int8_t *)node->array->buffers[0])[physical];
        int64_t child = stoa_arrow_union_child(node->schema, id);
        if (child < 0) {
            return bad(node, i, "expected a type id of '%.64s' but found %d",
                       node->schema->format + 4, id);
        }
        int64_t at = sparse ? 0 : stoa_arrow_offset_at(node->array->buffers[1], false, physical);
        if (!sparse && (at < 0 || at >= node->array->children[child]->length)) {
            return bad(node, i, "expected a value below %" PRId64 " but found %" PRId64,
                       node->array->children[child]->length, at);
        }
    }
    return STOA_OK;
}

/* Counts of the run ends' own array, which is read here before its turn comes. */
static stoa_status run_ends_check(const struct node *node) {
    const struct ArrowArray *ends = node->array->children[0];
    stoa_arrow_layout layout;
    STOA_TRY(stoa_arrow_layout_parse(node->schema->children[0], &layout, node->err));
    if (layout.dictionary || (layout.kind != STOA_ARROW_INT16 && layout.kind != STOA_ARROW_INT32 &&
                              layout.kind != STOA_ARROW_INT64)) {
        return bad(node, -1, "expected run ends of type int16, int32 or int64 but found %s",
                   stoa_arrow_kind_name(layout.kind));
    }
    if (ends->length < 0 || ends->offset < 0 || ends->n_buffers != 2 || ends->null_count > 0 ||
        (ends->length > 0 && ends->buffers[1] == NULL)) {
        return bad(node, -1, "its run ends are no array of %" PRId64 " integers", ends->length);
    }
    STOA_TRY(child_length_check(node, 1, ends->length));
    int64_t last = ends->length == 0 ? 0
                                     : stoa_arrow_integer_at(layout.kind, ends->buffers[1],
                                                             ends->offset + ends->length - 1);
    if (last < end_of(node)) {
        return bad(node, -1, "expected runs to row %" PRId64 " but found an end at %" PRId64,
                   end_of(node), last);
    }
    int64_t before = 0;
    for (int64_t i = 0; node->full && i < ends->length; i++) {
        int64_t end = stoa_arrow_integer_at(layout.kind, ends->buffers[1], ends->offset + i);
        if (end <= before) {
            return bad(node, -1, "run %" PRId64 ": expected an end behind %" PRId64 " but found "
                       "%" PRId64, i, before, end);
        }
        before = end;
    }
    return STOA_OK;
}

/* A map's entries and keys are never null. Called when the children were checked. */
static stoa_status map_check(const struct node *node) {
    const struct ArrowArray *entries = node->array->children[0];
    const struct ArrowSchema *schema = node->schema->children[0];
    for (int64_t i = 0; node->full && i < node->array->length; i++) {
        int64_t begin, end;
        if (!value_is_valid(node, i)) {
            continue;
        }
        stoa_arrow_list_range(&node->layout, node->array, node->array->offset + i, &begin, &end);
        for (int64_t k = begin; k < end; k++) {
            stoa_arrow_cursor key;
            bool null;
            STOA_TRY(stoa_arrow_cursor_init(schema->children[0], entries->children[0],
                                            entries->offset + k, &key, node->err));
            STOA_TRY(stoa_arrow_cursor_resolve(&key, &null, node->err));
            if (null || !stoa_arrow_valid_at(entries, entries->offset + k)) {
                return bad(node, i, "expected a key but found a null");
            }
        }
    }
    return STOA_OK;
}

/* ---- values ---- */

static stoa_status decimals_check(const struct node *node) {
    for (int64_t i = 0; node->full && i < node->array->length; i++) {
        stoa_arrow_bytes bytes =
            stoa_arrow_bytes_at(&node->layout, node->array, node->array->offset + i);
        if (value_is_valid(node, i) &&
            !stoa_decimal_fits(bytes.data, (int32_t)bytes.size, node->layout.precision)) {
            char text[STOA_DECIMAL_TEXT_BYTES];
            (void)stoa_decimal_print(bytes.data, (int32_t)bytes.size, 0, text);
            return bad(node, i, "expected at most %d digits but found %s", node->layout.precision,
                       text);
        }
    }
    return STOA_OK;
}

static stoa_status indices_check(const struct node *node) {
    int64_t count = node->array->dictionary->length;
    for (int64_t i = 0; node->full && i < node->array->length; i++) {
        int64_t index = stoa_arrow_integer_at(node->layout.kind, node->array->buffers[1],
                                              node->array->offset + i);
        if (value_is_valid(node, i) && (index < 0 || index >= count)) {
            return bad(node, i, "expected a dictionary index below %" PRId64 " but found %" PRId64,
                       count, index);
        }
    }
    return STOA_OK;
}

static stoa_status null_count_check(const struct node *node) {
    const struct ArrowArray *array = node->array;
    if (!node->full || array->null_count < 0 || array->buffers == NULL ||
        !stoa_arrow_kind_has_validity(node->layout.kind) || array->buffers[0] == NULL) {
        return STOA_OK;
    }
    int64_t nulls =
        array->length - stoa_bitmap_count(array->buffers[0], array->offset, array->length);
    if (nulls != array->null_count) {
        return bad(node, -1, "expected %" PRId64 " nulls but found %" PRId64, array->null_count,
                   nulls);
    }
    return STOA_OK;
}

static stoa_status values_check(const struct node *node) {
    if (node->layout.dictionary) {
        return indices_check(node);
    }
    switch (node->layout.kind) {
    case STOA_ARROW_STRING:
    case STOA_ARROW_LARGE_STRING:
    case STOA_ARROW_BINARY:
    case STOA_ARROW_LARGE_BINARY:
        return bytes_check(node);
    case STOA_ARROW_STRING_VIEW:
    case STOA_ARROW_BINARY_VIEW:
        return views_check(node);
    case STOA_ARROW_LIST:
    case STOA_ARROW_LARGE_LIST:
    case STOA_ARROW_MAP:
        return offsets_check(node, node->array->children[0]->length);
    case STOA_ARROW_FIXED_LIST:
        return children_length_check(node, node->layout.list_size);
    case STOA_ARROW_STRUCT:
        return children_length_check(node, 1);
    case STOA_ARROW_DENSE_UNION:
    case STOA_ARROW_SPARSE_UNION:
        return union_check(node);
    case STOA_ARROW_RUN_END:
        return run_ends_check(node);
    case STOA_ARROW_DECIMAL:
        return decimals_check(node);
    default:
        return STOA_OK;
    }
}

static stoa_status node_check(const struct ArrowSchema *schema, const struct ArrowArray *array,
                              const struct path *path, bool rows_direct, bool full, int depth,
                              stoa_error *err) {
    if (depth > STOA_ARROW_DEPTH_MAX) {
        return stoa_fail(err, STOA_INVALID, "the schema is nested deeper than %d levels",
                         STOA_ARROW_DEPTH_MAX);
    }
    struct node node = {array, schema, {0}, path, rows_direct, full, err};
    STOA_TRY(stoa_arrow_layout_parse(schema, &node.layout, err));
    STOA_TRY(counts_check(&node));
    STOA_TRY(family_check(&node));
    STOA_TRY(buffers_check(&node));
    STOA_TRY(null_count_check(&node));
    STOA_TRY(values_check(&node));
    bool same_rows = rows_direct && node.layout.kind == STOA_ARROW_STRUCT && array->offset == 0;
    for (int64_t i = 0; i < schema->n_children; i++) {
        struct path child = path_child(path, schema->children[i], i);
        STOA_TRY(node_check(schema->children[i], array->children[i], &child, same_rows, full,
                            depth + 1, err));
    }
    if (node.layout.dictionary) {
        STOA_TRY(node_check(schema->dictionary, array->dictionary, path, false, full, depth + 1,
                            err));
    }
    return node.layout.kind == STOA_ARROW_MAP ? map_check(&node) : STOA_OK;
}

stoa_status stoa_arrow_validate(const struct ArrowSchema *schema, const struct ArrowArray *array,
                                stoa_arrow_check check, stoa_error *err) {
    struct path root = {NULL, schema, -1};
    return node_check(schema, array, &root, true, check == STOA_ARROW_CHECK_FULL, 0, err);
}
