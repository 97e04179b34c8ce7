/* Are two arrays the same values, and if not, where do they part?
 *
 * Columns of a batch are walked one after the other, each only up to the earliest row at which an
 * earlier one differed, so that the report names the first row. Values are reached through cursors:
 * dictionaries, runs and unions are seen through, offsets and what lies under nulls do not matter.
 * Texts of the two values are made in a pool of their own, only when there is a difference to tell.
 */
#include <string.h>

#include "arrow/access.h"
#include "arrow/array.h"
#include "arrow/path.h"
#include "arrow/print.h"

/* Where the two differ first. `row` counts rows of the root. */
struct difference {
    bool found;
    int64_t row;
    stoa_error error;
};

/* ---- types ---- */

static const struct ArrowSchema *plain_schema(const struct ArrowSchema *schema) {
    for (int depth = 0; depth <= STOA_ARROW_DEPTH_MAX; depth++) {
        if (schema->dictionary != NULL) {
            schema = schema->dictionary;
        } else if (schema->format != NULL && strcmp(schema->format, "+r") == 0 &&
                   schema->n_children == 2 && schema->children[1] != NULL) {
            schema = schema->children[1];
        } else {
            break;
        }
    }
    return schema;
}

static bool layouts_equal(const stoa_arrow_layout *a, const stoa_arrow_layout *b) {
    return a->kind == b->kind && a->unit == b->unit && a->precision == b->precision &&
           a->scale == b->scale && a->byte_width == b->byte_width && a->list_size == b->list_size &&
           strcmp(a->timezone_view, b->timezone_view) == 0;
}

static const char *name_of(const struct ArrowSchema *schema) {
    return schema->name == NULL ? "" : schema->name;
}

static stoa_status types_differ(const struct path *path, const char *what, const char *expected,
                                const char *found, stoa_error *err) {
    char name[STOA_ERROR_NAME_BYTES];
    path_text(path, name);
    stoa_status status = stoa_fail(err, STOA_INVALID,
                                   "column '%s': expected %s '%.200s' but found '%.200s'", name,
                                   what, expected, found);
    path_locate(path, -1, err);
    return status;
}

static stoa_status types_compare(const struct ArrowSchema *left, const struct ArrowSchema *right,
                                 const struct path *path, int depth, stoa_error *err) {
    if (depth > STOA_ARROW_DEPTH_MAX) {
        return stoa_fail(err, STOA_INVALID, "the schema is nested deeper than %d levels",
                         STOA_ARROW_DEPTH_MAX);
    }
    left = plain_schema(left);
    right = plain_schema(right);
    stoa_arrow_layout a;
    stoa_arrow_layout b;
    STOA_TRY(stoa_arrow_layout_parse(left, &a, err));
    STOA_TRY(stoa_arrow_layout_parse(right, &b, err));
    if (!layouts_equal(&a, &b)) {
        bool same_kind = a.kind == b.kind;
        return types_differ(path, same_kind ? "format" : "type",
                            same_kind ? left->format : stoa_arrow_kind_name(a.kind),
                            same_kind ? right->format : stoa_arrow_kind_name(b.kind), err);
    }
    if (left->n_children != right->n_children) {
        char name[STOA_ERROR_NAME_BYTES];
        path_text(path, name);
        return stoa_fail(err, STOA_INVALID,
                         "column '%s': expected %" PRId64 " fields but found %" PRId64, name,
                         left->n_children, right->n_children);
    }
    bool entries = path->parent != NULL && strcmp(path->parent->schema->format, "+m") == 0;
    for (int64_t i = 0; i < left->n_children; i++) {
        struct path child = path_child(path, left->children[i], i);
        if (a.kind == STOA_ARROW_STRUCT && !entries &&
            strcmp(name_of(left->children[i]), name_of(right->children[i])) != 0) {
            return types_differ(&child, "the name", name_of(left->children[i]),
                                name_of(right->children[i]), err);
        }
        STOA_TRY(types_compare(left->children[i], right->children[i], &child, depth + 1, err));
    }
    return STOA_OK;
}

/* ---- reports ---- */

static void text_of(const stoa_arrow_cursor *at, bool null, stoa_buffer *buffer, char out[200]) {
    if (null) {
        memcpy(out, "NULL", 5);
        return;
    }
    stoa_buffer_clear(buffer);
    const char *text;
    if (stoa_arrow_value_print(at->schema, at->array, at->row, STOA_PRINT_TEXT, buffer, NULL) !=
            STOA_OK ||
        stoa_buffer_text(buffer, &text, NULL) != STOA_OK) {
        text = "(no memory to show it)";
    }
    (void)snprintf(out, 200, "%s", text);
}

struct walk {
    int64_t root_row;
    struct difference *difference;
    stoa_error *err; /* of failures to read, not of differences */
};

static void report(const struct walk *walk, const struct path *path, const char *expected,
                   const char *found) {
    char name[STOA_ERROR_NAME_BYTES];
    path_text(path, name);
    struct difference *difference = walk->difference;
    difference->found = true;
    difference->row = walk->root_row;
    if (name[0] == '\0') {
        (void)stoa_fail(&difference->error, STOA_INVALID,
                        "row %" PRId64 ": expected %s but found %s", walk->root_row, expected,
                        found);
    } else {
        (void)stoa_fail(&difference->error, STOA_INVALID,
                        "row %" PRId64 ", column '%s': expected %s but found %s", walk->root_row,
                        name, expected, found);
    }
    path_locate(path, walk->root_row, &difference->error);
}

static void report_values(const struct walk *walk, const struct path *path,
                          const stoa_arrow_cursor *left, bool left_null,
                          const stoa_arrow_cursor *right, bool right_null) {
    stoa_pool *pool;
    if (stoa_pool_create(0, NULL, &pool, NULL) != STOA_OK) {
        report(walk, path, "one value", "another (no memory to show them)");
        return;
    }
    stoa_buffer buffer;
    stoa_buffer_init(&buffer, pool);
    char expected[200];
    char found[200];
    text_of(left, left_null, &buffer, expected);
    text_of(right, right_null, &buffer, found);
    stoa_buffer_release(&buffer);
    stoa_pool_close(pool);
    report(walk, path, expected, found);
}

/* ---- values ---- */

static stoa_status values_compare(struct walk *walk, const stoa_arrow_cursor *left,
                                  const stoa_arrow_cursor *right, const struct path *path,
                                  int depth);

/* Any NaN is any other; else bit for bit. */
static bool floats_equal(stoa_arrow_kind kind, const uint8_t *a, const uint8_t *b) {
    if (kind == STOA_ARROW_DOUBLE) {
        uint64_t x = stoa_load_u64(a), y = stoa_load_u64(b);
        const uint64_t infinity = UINT64_C(0x7FF) << 52;
        return x == y || ((x << 1 >> 1) > infinity && (y << 1 >> 1) > infinity);
    }
    if (kind == STOA_ARROW_FLOAT) {
        uint32_t x = stoa_load_u32(a), y = stoa_load_u32(b);
        return x == y || ((x & 0x7FFFFFFF) > 0x7F800000 && (y & 0x7FFFFFFF) > 0x7F800000);
    }
    uint16_t x = stoa_load_u16(a), y = stoa_load_u16(b);
    return x == y || ((x & 0x7FFF) > 0x7C00 && (y & 0x7FFF) > 0x7C00);
}

static bool leaves_equal(const stoa_arrow_cursor *left, const stoa_arrow_cursor *right) {
    int64_t a = left->array->offset + left->row;
    int64_t b = right->array->offset + right->row;
    stoa_arrow_kind kind = left->layout.kind;
    if (kind == STOA_ARROW_BOOL) {
        return stoa_bit_get(left->array->buffers[1], a) ==
               stoa_bit_get(right->array->buffers[1], b);
    }
    stoa_arrow_bytes x = stoa_arrow_bytes_at(&left->layout, left->array, a);
    stoa_arrow_bytes y = stoa_arrow_bytes_at(&right->layout, right->array, b);
    if (kind == STOA_ARROW_FLOAT16 || kind == STOA_ARROW_FLOAT || kind == STOA_ARROW_DOUBLE) {
        return floats_equal(kind, x.data, y.data);
    }
    return x.size == y.size && (x.size == 0 || memcmp(x.data, y.data, (size_t)x.size) == 0);
}

/* Rows [left_row, …) and [right_row, …) of two children; ends at the first difference. */
static stoa_status run_compare(struct walk *walk, const stoa_arrow_cursor *left, int64_t left_row,
                               const stoa_arrow_cursor *right, int64_t right_row, int64_t count,
                               const struct path *path, int64_t child, int depth) {
    stoa_arrow_cursor a;
    stoa_arrow_cursor b;
    struct path below = path_child(path, left->schema->children[child], child);
    STOA_TRY(stoa_arrow_cursor_init(left->schema->children[child], left->array->children[child],
                                    left_row, &a, walk->err));
    STOA_TRY(stoa_arrow_cursor_init(right->schema->children[child], right->array->children[child],
                                    right_row, &b, walk->err));
    for (int64_t i = 0; i < count && !walk->difference->found; i++) {
        STOA_TRY(values_compare(walk, &a, &b, &below, depth + 1));
        a.row++;
        b.row++;
    }
    return STOA_OK;
}

static stoa_status lists_compare(struct walk *walk, const stoa_arrow_cursor *left,
                                 const stoa_arrow_cursor *right, const struct path *path,
                                 int depth) {
    int64_t left_begin, left_end, right_begin, right_end;
    stoa_arrow_list_range(&left->layout, left->array, left->array->offset + left->row, &left_begin,
                          &left_end);
    stoa_arrow_list_range(&right->layout, right->array, right->array->offset + right->row,
                          &right_begin, &right_end);
    int64_t count = left_end - left_begin;
    int64_t other = right_end - right_begin;
    STOA_TRY(run_compare(walk, left, left_begin, right, right_begin, count < other ? count : other,
                         path, 0, depth));
    if (count != other && !walk->difference->found) {
        char expected[40];
        char found[40];
        (void)snprintf(expected, sizeof expected, "%" PRId64 " items", count);
        (void)snprintf(found, sizeof found, "%" PRId64, other);
        report(walk, path, expected, found);
    }
    return STOA_OK;
}

static stoa_status structs_compare(struct walk *walk, const stoa_arrow_cursor *left,
                                   const stoa_arrow_cursor *right, const struct path *path,
                                   int depth) {
    for (int64_t i = 0; i < left->schema->n_children && !walk->difference->found; i++) {
        STOA_TRY(run_compare(walk, left, left->array->offset + left->row, right,
                             right->array->offset + right->row, 1, path, i, depth));
    }
    return STOA_OK;
}

/* The alternative that a union's value is, or -1 for what is no union. Values of different
 * alternatives differ even when they look the same. */
static int64_t alternative(const stoa_arrow_cursor *at) {
    if (at->layout.kind != STOA_ARROW_DENSE_UNION && at->layout.kind != STOA_ARROW_SPARSE_UNION) {
        return -1;
    }
    const int8_t *ids = at->array->buffers[0];
    return stoa_arrow_union_child(at->schema, ids[at->array->offset + at->row]);
}

static stoa_status values_compare(struct walk *walk, const stoa_arrow_cursor *left,
                                  const stoa_arrow_cursor *right, const struct path *path,
                                  int depth) {
    if (depth > STOA_ARROW_DEPTH_MAX) {
        return stoa_fail(walk->err, STOA_INVALID, "the arrays are nested deeper than %d levels",
                         STOA_ARROW_DEPTH_MAX);
    }
    stoa_arrow_cursor a = *left;
    stoa_arrow_cursor b = *right;
    bool left_null;
    bool right_null;
    bool same_alternative = alternative(left) == alternative(right);
    STOA_TRY(stoa_arrow_cursor_resolve(&a, &left_null, walk->err));
    STOA_TRY(stoa_arrow_cursor_resolve(&b, &right_null, walk->err));
    if (left_null != right_null || !same_alternative ||
        (!left_null && a.layout.kind != b.layout.kind)) {
        report_values(walk, path, &a, left_null, &b, right_null);
        return STOA_OK;
    }
    if (left_null) {
        return STOA_OK;
    }
    switch (a.layout.kind) {
    case STOA_ARROW_LIST:
    case STOA_ARROW_LARGE_LIST:
    case STOA_ARROW_FIXED_LIST:
    case STOA_ARROW_MAP:
        return lists_compare(walk, &a, &b, path, depth);
    case STOA_ARROW_STRUCT:
        return structs_compare(walk, &a, &b, path, depth);
    default:
        if (!leaves_equal(&a, &b)) {
            report_values(walk, path, &a, false, &b, false);
        }
        return STOA_OK;
    }
}

/* ---- the whole ---- */

static stoa_status rows_compare(const stoa_arrow_cursor *left, const stoa_arrow_cursor *right,
                                int64_t rows, const struct path *path,
                                struct difference *difference, stoa_error *err) {
    stoa_arrow_cursor a = *left;
    stoa_arrow_cursor b = *right;
    struct difference own = {.error = STOA_ERROR_NONE};
    struct walk walk = {0, &own, err};
    for (int64_t row = 0; row < rows && !own.found; row++) {
        walk.root_row = row;
        a.row = left->row + row;
        b.row = right->row + row;
        STOA_TRY(values_compare(&walk, &a, &b, path, 1));
    }
    if (own.found) {
        *difference = own;
    }
    return STOA_OK;
}

static bool is_batch(const stoa_arrow_cursor *at) {
    return at->layout.kind == STOA_ARROW_STRUCT && !at->layout.dictionary &&
           at->array->buffers[0] == NULL;
}

static stoa_status columns_compare(const stoa_arrow_cursor *left, const stoa_arrow_cursor *right,
                                   const struct path *root, struct difference *difference,
                                   stoa_error *err) {
    int64_t rows = left->array->length;
    for (int64_t i = 0; i < left->schema->n_children; i++) {
        stoa_arrow_cursor a;
        stoa_arrow_cursor b;
        struct path path = path_child(root, left->schema->children[i], i);
        STOA_TRY(stoa_arrow_cursor_init(left->schema->children[i], left->array->children[i],
                                        left->array->offset, &a, err));
        STOA_TRY(stoa_arrow_cursor_init(right->schema->children[i], right->array->children[i],
                                        right->array->offset, &b, err));
        STOA_TRY(rows_compare(&a, &b, difference->found ? difference->row : rows, &path, difference,
                              err));
    }
    return STOA_OK;
}

stoa_status stoa_arrow_compare(const struct ArrowSchema *left_schema, const struct ArrowArray *left,
                               const struct ArrowSchema *right_schema,
                               const struct ArrowArray *right, stoa_error *err) {
    struct path root = {NULL, left_schema, -1};
    STOA_TRY(types_compare(left_schema, right_schema, &root, 0, err));
    if (left->length != right->length) {
        return stoa_fail(err, STOA_INVALID, "expected %" PRId64 " rows but found %" PRId64,
                         left->length, right->length);
    }
    stoa_arrow_cursor a;
    stoa_arrow_cursor b;
    struct difference difference = {.error = STOA_ERROR_NONE};
    STOA_TRY(stoa_arrow_cursor_init(left_schema, left, 0, &a, err));
    STOA_TRY(stoa_arrow_cursor_init(right_schema, right, 0, &b, err));
    if (is_batch(&a) && is_batch(&b)) {
        STOA_TRY(columns_compare(&a, &b, &root, &difference, err));
    } else {
        STOA_TRY(rows_compare(&a, &b, left->length, &root, &difference, err));
    }
    if (difference.found && err != NULL) {
        *err = difference.error;
    }
    return difference.found ? STOA_INVALID : STOA_OK;
}
