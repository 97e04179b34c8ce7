/* Finding the value behind a row: a dictionary is looked up, a run searched for, a union entered,
 * each at most STOA_ARROW_DEPTH_MAX times. */
#include "arrow/access.h"

#include <stdlib.h>
#include <string.h>

stoa_status stoa_arrow_cursor_init(const struct ArrowSchema *schema,
                                   const struct ArrowArray *array, int64_t row,
                                   stoa_arrow_cursor *out, stoa_error *err) {
    out->schema = schema;
    out->array = array;
    out->row = row;
    return stoa_arrow_layout_parse(schema, &out->layout, err);
}

static stoa_status no_such_value(const stoa_arrow_cursor *cursor, const char *what, int64_t found,
                                 int64_t count, stoa_error *err) {
    const char *name = cursor->schema->name == NULL ? "" : cursor->schema->name;
    return stoa_fail(err, STOA_INVALID,
                     "column '%s', row %" PRId64 ": expected %s below %" PRId64 " but found "
                     "%" PRId64, name, cursor->row, what, count, found);
}

static stoa_status enter(stoa_arrow_cursor *cursor, const struct ArrowSchema *schema,
                         const struct ArrowArray *array, int64_t row, const char *what,
                         stoa_error *err) {
    if (row < 0 || row >= array->length) {
        return no_such_value(cursor, what, row, array->length, err);
    }
    return stoa_arrow_cursor_init(schema, array, row, cursor, err);
}

/* The first run that ends behind `logical`. */
static int64_t run_find(const struct ArrowArray *ends, stoa_arrow_kind kind, int64_t logical) {
    int64_t low = 0;
    int64_t high = ends->length;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (stoa_arrow_integer_at(kind, ends->buffers[1], ends->offset + middle) > logical) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static stoa_status enter_run(stoa_arrow_cursor *cursor, stoa_error *err) {
    const struct ArrowArray *array = cursor->array;
    stoa_arrow_layout ends;
    STOA_TRY(stoa_arrow_layout_parse(cursor->schema->children[0], &ends, err));
    int64_t run = run_find(array->children[0], ends.kind, array->offset + cursor->row);
    return enter(cursor, cursor->schema->children[1], array->children[1], run, "a run", err);
}

int64_t stoa_arrow_union_child(const struct ArrowSchema *schema, int8_t id) {
    const char *at = schema->format + 4;
    for (int64_t child = 0; *at != '\0'; child++) {
        char *end;
        if (strtol(at, &end, 10) == id) {
            return child;
        }
        at = *end == ',' ? end + 1 : end;
    }
    return -1;
}

static stoa_status enter_union(stoa_arrow_cursor *cursor, stoa_error *err) {
    const struct ArrowArray *array = cursor->array;
    int64_t physical = array->offset + cursor->row;
    int8_t id = ((const int8_t *)array->buffers[0])[physical];
    int64_t child = stoa_arrow_union_child(cursor->schema, id);
    if (child < 0) {
        return no_such_value(cursor, "a type id", id, cursor->schema->n_children, err);
    }
    int64_t row = cursor->layout.kind == STOA_ARROW_SPARSE_UNION
                      ? physical
                      : stoa_arrow_offset_at(array->buffers[1], false, physical);
    return enter(cursor, cursor->schema->children[child], array->children[child], row,
                 "a value of a union", err);
}

stoa_status stoa_arrow_cursor_resolve(stoa_arrow_cursor *cursor, bool *out_null, stoa_error *err) {
    for (int depth = 0; depth <= STOA_ARROW_DEPTH_MAX; depth++) {
        int64_t physical = cursor->array->offset + cursor->row;
        stoa_arrow_kind kind = cursor->layout.kind;
        *out_null = kind == STOA_ARROW_NULL || (stoa_arrow_kind_has_validity(kind) &&
                                                !stoa_arrow_valid_at(cursor->array, physical));
        if (*out_null) {
            return STOA_OK;
        }
        if (cursor->layout.dictionary) {
            int64_t index = stoa_arrow_integer_at(kind, cursor->array->buffers[1], physical);
            STOA_TRY(enter(cursor, cursor->schema->dictionary, cursor->array->dictionary, index,
                           "a dictionary index", err));
        } else if (kind == STOA_ARROW_RUN_END) {
            STOA_TRY(enter_run(cursor, err));
        } else if (kind == STOA_ARROW_DENSE_UNION || kind == STOA_ARROW_SPARSE_UNION) {
            STOA_TRY(enter_union(cursor, err));
        } else {
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_INVALID, "the schema is nested deeper than %d levels",
                     STOA_ARROW_DEPTH_MAX);
}

void stoa_arrow_list_range(const stoa_arrow_layout *layout, const struct ArrowArray *array,
                           int64_t physical, int64_t *out_begin, int64_t *out_end) {
    if (layout->kind == STOA_ARROW_FIXED_LIST) {
        *out_begin = physical * layout->list_size;
        *out_end = *out_begin + layout->list_size;
        return;
    }
    bool wide = stoa_arrow_offset_bytes(layout->kind) == 8;
    *out_begin = stoa_arrow_offset_at(array->buffers[1], wide, physical);
    *out_end = stoa_arrow_offset_at(array->buffers[1], wide, physical + 1);
}
