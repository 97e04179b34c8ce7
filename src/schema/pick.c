/* Picking rows and columns out of batches, for scans of tables and of files. */
#include "schema/pick.h"

#include <string.h>

#include "arrow/array.h"
#include "base/bits.h"
#include "schema/schema.h"

/* ---- a list of names ------------------------------------------------------------------------- */

/* One name of the list, from `*at` to its comma. */
static stoa_status next_name(stoa_arena *arena, const char **at, const char **out,
                             stoa_error *err) {
    const char *from = *at + strspn(*at, " \t\n");
    char *name = NULL;
    size_t used = 0;
    STOA_TRY(stoa_arena_allocate(arena, strlen(from) + 1, (void **)&name, err));
    if (*from == '"') {
        for (from++; *from != '\0' && !(from[0] == '"' && from[1] != '"'); from++) {
            name[used++] = *from;
            from += *from == '"';
        }
        if (*from == '\0') {
            return stoa_fail(err, STOA_INVALID, "columns: a quoted name does not end");
        }
        from++;
        from += strspn(from, " \t\n");
    } else {
        used = strcspn(from, ",");
        memcpy(name, from, used);
        from += used;
        while (used > 0 && strchr(" \t\n", name[used - 1]) != NULL) {
            used--;
        }
    }
    if (*from != ',' && *from != '\0') {
        return stoa_fail(err, STOA_INVALID, "columns: expected ',' behind \"%.*s\" but found '%s'",
                         (int)used, name, from);
    }
    name[used] = '\0';
    *at = *from == ',' ? from + 1 : NULL;
    *out = name;
    return STOA_OK;
}

stoa_status stoa_columns_parse(stoa_arena *arena, const stoa_schema *schema, const char *text,
                               const int32_t **out, int32_t *out_count, stoa_error *err) {
    const char *at = text;
    int32_t *columns;
    int32_t count = 0;
    size_t most = 1;
    for (const char *c = at; *c != '\0'; c++) {
        most += *c == ',';
    }
    STOA_TRY(stoa_arena_allocate_array(arena, most, sizeof *columns, (void **)&columns, err));
    while (at != NULL) {
        const char *name = NULL;
        STOA_TRY(next_name(arena, &at, &name, err));
        columns[count] = stoa_schema_column_index(schema, name);
        if (columns[count++] < 0) {
            return stoa_fail(err, STOA_NOT_FOUND, "there is no column '%s'", name);
        }
    }
    *out = columns;
    *out_count = count;
    return STOA_OK;
}

/* ---- what is to be read ---------------------------------------------------------------------- */

static bool holds_field(const stoa_field *field, int32_t id) {
    if (field->id == id) {
        return true;
    }
    for (int32_t i = 0; i < field->type.child_count; i++) {
        if (holds_field(&field->type.children[i], id)) {
            return true;
        }
    }
    return false;
}

/* As deep as whoever made the predicate let it be. */
static void mark_columns(const stoa_predicate *predicate, const stoa_schema *schema, bool *marks) {
    for (int32_t i = 0; i < predicate->child_count; i++) {
        mark_columns(predicate->children[i], schema, marks);
    }
    if (predicate->kind < STOA_PREDICATE_EQUAL) {
        return;
    }
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        marks[i] = marks[i] || holds_field(&schema->root.children[i], predicate->field_id);
    }
}

stoa_status stoa_pick_schema(stoa_pool *pool, stoa_arena *arena, const stoa_schema *schema,
                             const stoa_predicate *predicate, const int32_t *columns,
                             int32_t column_count, const stoa_schema **out,
                             const int32_t **out_columns, stoa_error *err) {
    const size_t all = (size_t)schema->root.child_count;
    bool *marks;
    int32_t *read, *picked, *place;
    int32_t read_count = 0;
    bool as_read = true;
    *out_columns = NULL;
    if (columns == NULL) {
        *out = stoa_schema_retain(schema);
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(arena, all + 1, sizeof *marks, (void **)&marks, err));
    STOA_TRY(stoa_arena_allocate_array(arena, all + 1, sizeof *read, (void **)&read, err));
    STOA_TRY(stoa_arena_allocate_array(arena, all + 1, sizeof *place, (void **)&place, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)column_count + 1, sizeof *picked,
                                       (void **)&picked, err));
    if (predicate != NULL) {
        mark_columns(predicate, schema, marks);
    }
    for (int32_t i = 0; i < column_count; i++) {
        marks[columns[i]] = true;
    }
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        if (marks[i]) {
            place[i] = read_count;
            read[read_count++] = i;
        }
    }
    for (int32_t i = 0; i < column_count; i++) {
        picked[i] = place[columns[i]];
        as_read = as_read && picked[i] == i;
    }
    *out_columns = as_read && read_count == column_count ? NULL : picked;
    return stoa_schema_project(pool, schema, read, read_count, out, err);
}

/* ---- batches --------------------------------------------------------------------------------- */

/* The rows that are selected, as indices; `*out_count` -1: all of them. */
static stoa_status select_rows(stoa_pool *pool, const stoa_schema *schema,
                               const stoa_predicate *predicate, const struct ArrowArray *batch,
                               int64_t *indices, int64_t *out_count, stoa_error *err) {
    const size_t bitmap = stoa_bitmap_bytes(batch->length);
    uint8_t *selection = NULL;
    int64_t count = 0;
    STOA_TRY(stoa_pool_allocate(pool, bitmap, (void **)&selection, err));
    stoa_status status = stoa_predicate_select(predicate, schema, batch, pool, selection, err);
    if (status == STOA_OK && stoa_bitmap_count(selection, 0, batch->length) == batch->length) {
        count = -1;
    } else if (status == STOA_OK) {
        for (int64_t i = 0; i < batch->length; i++) {
            indices[count] = i;
            count += stoa_bit_get(selection, i);
        }
    }
    stoa_pool_free(pool, selection, bitmap);
    *out_count = count;
    return status;
}

static stoa_status pick_columns(stoa_pool *pool, const int32_t *columns, int32_t column_count,
                                struct ArrowArray *batch, stoa_error *err) {
    struct ArrowArray chosen = {0};
    if (columns == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arrow_select_columns(pool, batch, columns, column_count, &chosen, err));
    stoa_arrow_array_release(batch);
    *batch = chosen;
    return STOA_OK;
}

static stoa_status take_rows(stoa_pool *pool, const stoa_schema *schema, const int32_t *columns,
                             int32_t column_count, const int64_t *indices, int64_t count,
                             struct ArrowArray *batch, stoa_error *err) {
    const stoa_schema *picked = NULL;
    struct ArrowSchema arrow = {0};
    struct ArrowArray chosen = {0};
    stoa_status status = STOA_OK;
    if (columns == NULL) {
        STOA_CHECK(stoa_schema_to_arrow(pool, schema, &arrow, err));
    } else {
        STOA_CHECK(stoa_schema_project(pool, schema, columns, column_count, &picked, err));
        STOA_CHECK(stoa_schema_to_arrow(pool, picked, &arrow, err));
    }
    STOA_CHECK(stoa_arrow_take(pool, &arrow, batch, indices, count, &chosen, err));
    stoa_arrow_array_release(batch);
    *batch = chosen;

done:
    stoa_arrow_schema_release(&arrow);
    stoa_schema_close(picked);
    return status;
}

stoa_status stoa_batch_pick(stoa_pool *pool, const stoa_schema *schema,
                            const stoa_predicate *predicate, const int32_t *columns,
                            int32_t column_count, struct ArrowArray *batch, stoa_error *err) {
    stoa_status status = STOA_OK;
    int64_t *indices = NULL;
    int64_t count = -1;
    const size_t bytes = predicate == NULL ? 0 : (size_t)batch->length * sizeof *indices;
    if (predicate != NULL) {
        STOA_CHECK(stoa_pool_allocate(pool, bytes, (void **)&indices, err));
        STOA_CHECK(select_rows(pool, schema, predicate, batch, indices, &count, err));
    }
    STOA_CHECK(pick_columns(pool, columns, column_count, batch, err));
    if (count >= 0) {
        STOA_CHECK(take_rows(pool, schema, columns, column_count, indices, count, batch, err));
    }

done:
    stoa_pool_free(pool, indices, bytes);
    if (status != STOA_OK) {
        stoa_arrow_array_release(batch);
    }
    return status;
}
