/* Aligning is done twice: once for a file, where the trees of both schemas are walked side by side,
 * and for each batch, where there is nothing to do when the file has just what is wanted, and else
 * stoa_batch_conform, which widens, reorders and fills in by name, is given the batch under the names
 * of the schema that is wanted. So a renamed column costs nothing. */
#include "parquet/align.h"

#include <string.h>

#include "arrow/array.h"
#include "arrow/owner.h"
#include "base/error.h"
#include "mem/arena.h"
#include "schema/schema.h"
#include "schema/validate.h"

/* A field of the batch that needs something done to it. Hollow structs are those whose fields in the
 * file are none of the schema's: one of them is read to know where the struct is null, and thrown
 * away. */
struct stoa_parquet_spot {
    const struct stoa_parquet_spot *next;
    const char *name;
    const int32_t *path; /* positions of children in the batch, downwards */
    int32_t depth;
};

/* Where a column of the rows comes from. */
struct stoa_parquet_column {
    int32_t position;          /* among the stored columns; -1: a constant */
    struct ArrowArray value;   /* of one row */
    struct ArrowSchema arrow;
};

struct aligner {
    stoa_arena *arena;
    stoa_field_match match;
    int32_t *field_ids;
    int32_t field_count;
    int32_t field_capacity;
    bool omits; /* something of the file is not read */
    const struct stoa_parquet_spot *hollow;
    const struct stoa_parquet_spot *seconds;
};

/* The way to a field, as positions in the batch. */
struct place {
    const struct place *parent;
    int32_t position;
    int32_t depth;
};

static stoa_status add_field(struct aligner *aligner, int32_t id, stoa_error *err) {
    if (aligner->field_count == aligner->field_capacity) {
        const int32_t capacity = aligner->field_capacity * 2 + 16;
        void *memory = NULL;
        STOA_TRY(stoa_arena_allocate_array(aligner->arena, (size_t)capacity, sizeof(int32_t),
                                           &memory, err));
        if (aligner->field_count > 0) {
            memcpy(memory, aligner->field_ids, (size_t)aligner->field_count * sizeof(int32_t));
        }
        aligner->field_ids = memory;
        aligner->field_capacity = capacity;
    }
    aligner->field_ids[aligner->field_count++] = id;
    return STOA_OK;
}

static stoa_status add_spot(struct aligner *aligner, const struct place *place, const char *name,
                            const struct stoa_parquet_spot **list, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate_array(aligner->arena, 1, sizeof(struct stoa_parquet_spot), &memory,
                                       err));
    struct stoa_parquet_spot *spot = memory;
    STOA_TRY(stoa_arena_allocate_array(aligner->arena, (size_t)place->depth, sizeof(int32_t),
                                       &memory, err));
    int32_t *path = memory;
    *spot = (struct stoa_parquet_spot){
        .next = *list, .name = name, .path = path, .depth = place->depth};
    for (const struct place *at = place; at->depth > 0; at = at->parent) {
        path[at->depth - 1] = at->position;
    }
    *list = spot;
    return STOA_OK;
}

/* Parquet has no unit of seconds: the writer makes them milliseconds, and the reader seconds again. */
static bool is_seconds(const stoa_type *file, const stoa_type *wanted) {
    return file->kind == wanted->kind &&
           (file->kind == STOA_TYPE_TIMESTAMP || file->kind == STOA_TYPE_TIMESTAMP_TZ) &&
           file->unit == STOA_TYPE_MILLISECONDS && wanted->unit == STOA_TYPE_SECONDS;
}

static stoa_status align_type(struct aligner *aligner, const struct place *place,
                              const stoa_field *file, const stoa_type *wanted, stoa_type *out,
                              stoa_error *err);

static stoa_status align_fields(struct aligner *aligner, const struct place *place,
                                const stoa_type *file, const stoa_type *wanted, stoa_type *out,
                                stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate_array(aligner->arena, (size_t)file->child_count + 1,
                                       sizeof(stoa_field), &memory, err));
    stoa_field *fields = memory;
    *out = *file;
    out->children = fields;
    out->child_count = 0;
    STOA_TRY(stoa_arena_allocate_array(aligner->arena, (size_t)wanted->child_count + 1,
                                       sizeof(bool), &memory, err));
    bool *taken = memory;
    for (int32_t i = 0; i < file->child_count; i++) {
        const stoa_field *child = &file->children[i];
        const int32_t at = stoa_type_match_child(wanted, file, child, aligner->match);
        if (at < 0 || taken[at]) {
            aligner->omits = true;
            continue;
        }
        taken[at] = true;
        stoa_field *field = &fields[out->child_count];
        const struct place below = {place, out->child_count++, place->depth + 1};
        *field = *child;
        field->name = wanted->children[at].name;
        STOA_TRY(align_type(aligner, &below, child, &wanted->children[at].type, &field->type, err));
    }
    return STOA_OK;
}

/* The value of a map may be read in part; its key is read whole. */
static stoa_status align_items(struct aligner *aligner, const struct place *place,
                               const stoa_field *file, const stoa_type *wanted, stoa_type *out,
                               stoa_error *err) {
    void *memory = NULL;
    const int32_t last = file->type.child_count - 1;
    STOA_TRY(stoa_arena_allocate_array(aligner->arena, (size_t)file->type.child_count,
                                       sizeof(stoa_field), &memory, err));
    stoa_field *fields = memory;
    memcpy(fields, file->type.children, (size_t)file->type.child_count * sizeof *fields);
    *out = file->type;
    out->children = fields;
    /* The entries of a map are a struct of their own in Arrow. */
    const struct place entries = {place, 0, place->depth + 1};
    const struct place below = {last == 1 ? &entries : place, last,
                                place->depth + (last == 1 ? 2 : 1)};
    return align_type(aligner, &below, &file->type.children[last], &wanted->children[last].type,
                      &fields[last].type, err);
}

static stoa_status align_type(struct aligner *aligner, const struct place *place,
                              const stoa_field *file, const stoa_type *wanted, stoa_type *out,
                              stoa_error *err) {
    if (file->type.kind != wanted->kind || file->type.child_count == 0) {
        *out = file->type; /* what does not fit is found when all is known */
        if (is_seconds(&file->type, wanted)) {
            out->unit = STOA_TYPE_SECONDS;
            STOA_TRY(add_spot(aligner, place, file->name, &aligner->seconds, err));
        }
        return add_field(aligner, file->id, err);
    }
    if (file->type.kind != STOA_TYPE_STRUCT) {
        return align_items(aligner, place, file, wanted, out, err);
    }
    STOA_TRY(align_fields(aligner, place, &file->type, wanted, out, err));
    if (out->child_count > 0) {
        return STOA_OK;
    }
    STOA_TRY(add_spot(aligner, place, file->name, &aligner->hollow, err));
    return add_field(aligner, file->type.children[0].id, err);
}

/* Whether an array of `found` is one of `wanted` as it lies. */
static bool lies_as(const stoa_type *found, const stoa_type *wanted) {
    if (found->kind != wanted->kind || found->unit != wanted->unit ||
        found->precision != wanted->precision || found->scale != wanted->scale ||
        found->length != wanted->length || found->child_count != wanted->child_count) {
        return false;
    }
    for (int32_t i = 0; i < found->child_count; i++) {
        const stoa_field *left = &found->children[i], *right = &wanted->children[i];
        if ((right->required && !left->required) ||
            (found->kind == STOA_TYPE_STRUCT && strcmp(left->name, right->name) != 0) ||
            !lies_as(&left->type, &right->type)) {
            return false;
        }
    }
    return true;
}

stoa_field_match stoa_parquet_align_match(const stoa_parquet_reader *reader) {
    return stoa_parquet_reader_has_field_ids(reader) ? STOA_MATCH_BY_ID : STOA_MATCH_BY_NAME;
}

static const stoa_value *constant_of(int32_t id, const stoa_parquet_constant *constants,
                                     int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (constants[i].field_id == id) {
            return &constants[i].value;
        }
    }
    return NULL;
}

/* Splits the columns into those that are stored and those that are constants. */
static stoa_status set_constants(stoa_pool *pool, const stoa_parquet_constant *constants,
                                 int32_t count, stoa_parquet_align *out, stoa_error *err) {
    const stoa_type *root = &out->schema->root;
    void *memory = NULL;
    int32_t stored_count = 0;
    if (count == 0) {
        out->stored = stoa_schema_retain(out->schema);
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(&out->arena, (size_t)root->child_count + 1, sizeof(int32_t),
                                       &memory, err));
    int32_t *stored = memory;
    STOA_TRY(stoa_arena_allocate_array(&out->arena, (size_t)root->child_count + 1,
                                       sizeof *out->columns, &memory, err));
    struct stoa_parquet_column *columns = memory;
    out->columns = columns;
    for (int32_t i = 0; i < root->child_count; i++) {
        const stoa_field *field = &root->children[i];
        const stoa_value *value = constant_of(field->id, constants, count);
        if (value == NULL) {
            columns[i].position = stored_count;
            stored[stored_count++] = i;
            continue;
        }
        columns[i].position = -1;
        STOA_TRY(stoa_parquet_constant_array(pool, field, value, &columns[i].value, err));
        STOA_TRY(stoa_field_to_arrow(pool, field, &columns[i].arrow, err));
    }
    return stoa_schema_project(pool, out->schema, stored, stored_count, &out->stored, err);
}

static stoa_status align_file(stoa_pool *pool, const stoa_parquet_reader *reader,
                              stoa_field_match match, bool validates, stoa_parquet_align *out,
                              stoa_error *err) {
    const stoa_type *file = &stoa_parquet_reader_schema(reader)->root;
    struct aligner aligner = {.arena = &out->arena, .match = match};
    const struct place root = {0};
    const stoa_schema *found = NULL;
    stoa_type type;
    STOA_TRY(align_fields(&aligner, &root, file, &out->stored->root, &type, err));
    STOA_TRY(add_field(&aligner, 0, err)); /* so that there is an array also for no field */
    out->field_ids = aligner.omits ? aligner.field_ids : NULL;
    out->field_count = aligner.omits ? aligner.field_count - 1 : 0;
    out->hollow = aligner.hollow;
    out->seconds = aligner.seconds;
    out->same = !validates && aligner.hollow == NULL && lies_as(&type, &out->stored->root);
    STOA_TRY(stoa_schema_create(pool, type.children, type.child_count, true, &found, err));
    stoa_status status = stoa_schema_to_arrow(pool, found, &out->found, err);
    stoa_schema_close(found);
    STOA_TRY(status);
    return out->same ? STOA_OK : stoa_batch_validate_types(out->stored, &out->found, err);
}

stoa_status stoa_parquet_align_init(stoa_pool *pool, const stoa_parquet_reader *reader,
                                    const stoa_schema *schema,
                                    const stoa_parquet_constant *constants, int32_t constant_count,
                                    stoa_field_match match, bool validates, stoa_parquet_align *out,
                                    stoa_error *err) {
    *out = (stoa_parquet_align){.schema = stoa_schema_retain(schema)};
    stoa_arena_init(&out->arena, pool);
    STOA_TRY(set_constants(pool, constants, constant_count, out, err));
    return align_file(pool, reader, match, validates, out, err);
}

void stoa_parquet_align_release(stoa_parquet_align *align) {
    for (int32_t i = 0; align->columns != NULL && i < align->schema->root.child_count; i++) {
        struct stoa_parquet_column column = align->columns[i];
        stoa_arrow_array_release(&column.value);
        stoa_arrow_schema_release(&column.arrow);
    }
    stoa_schema_close(align->stored);
    stoa_arrow_schema_release(&align->found);
    stoa_schema_close(align->schema);
    stoa_arena_release(&align->arena);
    *align = (stoa_parquet_align){0};
}

static struct ArrowArray *array_at(struct ArrowArray *batch, const struct stoa_parquet_spot *spot) {
    struct ArrowArray *array = batch;
    for (int32_t i = 0; i < spot->depth; i++) {
        array = array->children[spot->path[i]];
    }
    return array;
}

/* A struct's children are its own to give away. */
static void empty_struct(struct ArrowArray *array) {
    for (int64_t i = 0; i < array->n_children; i++) {
        stoa_arrow_array_release(array->children[i]);
    }
    array->n_children = 0;
}

/* In place: the values were decoded for nobody else. */
static stoa_status make_seconds(struct ArrowArray *array, const char *name, stoa_error *err) {
    int64_t *values = (int64_t *)(uintptr_t)array->buffers[1] + array->offset;
    for (int64_t i = 0; i < array->length; i++) {
        if (values[i] % 1000 != 0 && !stoa_arrow_is_null(array, i)) {
            stoa_fail(err, STOA_INVALID,
                      "column '%s': expected whole seconds but found %" PRId64 " milliseconds",
                      name, values[i]);
            stoa_error_set_column(err, -1, name);
            return STOA_INVALID;
        }
        values[i] /= 1000;
    }
    return STOA_OK;
}

/* The one value of each constant is taken for every row. */
static stoa_status fill_columns(const stoa_parquet_align *align, stoa_pool *pool,
                                const int64_t *zeros, struct ArrowArray *batch,
                                struct ArrowArray *out, stoa_error *err) {
    for (int64_t i = 0; i < out->n_children; i++) {
        const struct stoa_parquet_column *column = &align->columns[i];
        if (column->position >= 0) {
            *out->children[i] = *batch->children[column->position];
            batch->children[column->position]->release = NULL;
        } else {
            STOA_TRY(stoa_arrow_take(pool, &column->arrow, &column->value, zeros, batch->length,
                                     out->children[i], err));
        }
    }
    return STOA_OK;
}

static stoa_status add_constants(const stoa_parquet_align *align, stoa_pool *pool,
                                 struct ArrowArray *batch, stoa_error *err) {
    const size_t bytes = (size_t)batch->length * sizeof(int64_t);
    int64_t *zeros = NULL;
    struct ArrowArray made = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_pool_allocate(pool, bytes, (void **)&zeros, err));
    memset(zeros, 0, bytes);
    STOA_CHECK(stoa_arrow_array_init(pool, 1, align->schema->root.child_count, false, &made, err));
    made.length = batch->length;
    STOA_CHECK(fill_columns(align, pool, zeros, batch, &made, err));

done:
    stoa_pool_free(pool, zeros, bytes);
    stoa_arrow_array_release(batch);
    if (status != STOA_OK) {
        stoa_arrow_array_release(&made);
        return status;
    }
    *batch = made;
    return STOA_OK;
}

stoa_status stoa_parquet_align_batch(const stoa_parquet_align *align, stoa_pool *pool,
                                     struct ArrowArray *batch, stoa_error *err) {
    struct ArrowArray made = {0};
    for (const struct stoa_parquet_spot *at = align->seconds; at != NULL; at = at->next) {
        const stoa_status status = make_seconds(array_at(batch, at), at->name, err);
        if (status != STOA_OK) {
            stoa_arrow_array_release(batch);
            return status;
        }
    }
    for (const struct stoa_parquet_spot *at = align->hollow; at != NULL; at = at->next) {
        empty_struct(array_at(batch, at));
    }
    if (!align->same) {
        STOA_TRY(stoa_batch_conform(pool, align->stored, &align->found, batch, &made, err));
        *batch = made;
    }
    return align->columns == NULL ? STOA_OK : add_constants(align, pool, batch, err);
}
