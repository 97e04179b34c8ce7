/* Schemas: made once, checked once, shared by count, never changed.
 *
 * A schema and everything in it lie in one arena that dies with the last owner. Whoever has a tree
 * of fields (the text parser, the Arrow and JSON twins, a program) hands it to create, which copies
 * it and checks all that a schema promises, so that nobody behind it has to:
 *
 *   - names are not empty, valid UTF-8, and differ from their siblings byte for byte;
 *   - ids are positive and differ throughout the tree;
 *   - precision, scale, length and unit are in range for the kind, and zero for other kinds;
 *   - a list's child is "element", a map's are "key" (always required) and "value";
 *   - nesting ends at STOA_SCHEMA_DEPTH_MAX.
 *
 * Two hash tables with open addressing stand beside the tree: fields by id, columns by name. */
#include "schema/schema.h"

#include <stdatomic.h>
#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "schema/internal.h"

struct shared_schema {
    stoa_schema schema; /* first: a handle points to it */
    _Atomic int64_t owner_count;
    stoa_arena arena;
    const stoa_field **by_id; /* NULL: an empty place */
    size_t by_id_mask;
    const stoa_field **by_name; /* columns only */
    size_t by_name_mask;
};

struct copier {
    stoa_arena *arena;
    bool keep_ids;
    int64_t field_count;
    int32_t id_max;
};

/* -- checking and copying ------------------------------------------------------------------- */

static size_t table_size(int64_t count) {
    size_t size = 8;
    while (size < (size_t)count * 2) {
        size *= 2;
    }
    return size;
}

static const stoa_field **name_place(const stoa_field **table, size_t mask, const char *name) {
    size_t place = (size_t)stoa_hash64(name, strlen(name)) & mask;
    while (table[place] != NULL && strcmp(table[place]->name, name) != 0) {
        place = (place + 1) & mask;
    }
    return &table[place];
}

static const stoa_field **id_place(const stoa_field **table, size_t mask, int32_t id) {
    size_t place = (size_t)stoa_hash_u64((uint64_t)(uint32_t)id) & mask;
    while (table[place] != NULL && table[place]->id != id) {
        place = (place + 1) & mask;
    }
    return &table[place];
}

/* The table stays in the arena: for the columns it serves look-ups, for nested structs it is a few
 * bytes that die with the schema. */
static stoa_status index_names(stoa_arena *arena, const stoa_field *fields, int32_t count,
                               const stoa_field ***out, size_t *out_mask, stoa_error *err) {
    size_t size = table_size(count);
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate_array(arena, size, sizeof(stoa_field *), &memory, err));
    *out = memory;
    *out_mask = size - 1;
    for (int32_t i = 0; i < count; i++) {
        const stoa_field **place = name_place(*out, *out_mask, fields[i].name);
        if (*place != NULL) {
            return stoa_fail(err, STOA_INVALID, "the name '%s' stands twice", fields[i].name);
        }
        *place = &fields[i];
    }
    return STOA_OK;
}

static stoa_status check_name(const stoa_field *field, stoa_error *err) {
    if (field->name == NULL || field->name[0] == '\0') {
        return stoa_fail(err, STOA_INVALID,
                         "expected a name for every field but found an empty one");
    }
    if (!stoa_utf8_valid(field->name, strlen(field->name), NULL)) {
        return stoa_fail(err, STOA_INVALID, "a field's name is not valid UTF-8");
    }
    if (field->doc != NULL && !stoa_utf8_valid(field->doc, strlen(field->doc), NULL)) {
        return stoa_fail(err, STOA_INVALID, "field '%s': its doc is not valid UTF-8", field->name);
    }
    return STOA_OK;
}

static stoa_status check_parameters(const stoa_field *field, stoa_error *err) {
    const stoa_type *type = &field->type;
    if (type->kind == STOA_TYPE_DECIMAL) {
        if (type->precision < 1 || type->precision > STOA_DECIMAL_DIGITS_MAX) {
            return stoa_fail(err, STOA_INVALID,
                             "field '%s': expected a decimal's precision from 1 to 38 but found %d",
                             field->name, (int)type->precision);
        }
        if (type->scale < 0 || type->scale > type->precision) {
            return stoa_fail(
                err, STOA_INVALID,
                "field '%s': expected a decimal's scale from 0 to its precision %d but "
                "found %d",
                field->name, (int)type->precision, (int)type->scale);
        }
    }
    if (type->kind == STOA_TYPE_FIXED && type->length < 1) {
        return stoa_fail(err, STOA_INVALID,
                         "field '%s': expected a fixed length of 1 byte and more but found %d",
                         field->name, (int)type->length);
    }
    if (stoa_type_has_unit(type->kind) &&
        ((int)type->unit < STOA_TYPE_SECONDS || (int)type->unit > STOA_TYPE_NANOSECONDS ||
         (type->kind == STOA_TYPE_TIME && type->unit == STOA_TYPE_SECONDS))) {
        return stoa_fail(err, STOA_INVALID, "field '%s': %d is no unit of its type", field->name,
                         (int)type->unit);
    }
    if (type->kind == STOA_TYPE_UNKNOWN && field->required) {
        return stoa_fail(err, STOA_INVALID,
                         "field '%s': a required field cannot be of type unknown, which holds only "
                         "nulls",
                         field->name);
    }
    return STOA_OK;
}

static stoa_status check_child_count(const stoa_field *field, stoa_error *err) {
    const stoa_type *type = &field->type;
    int32_t expected = type->kind == STOA_TYPE_LIST ? 1 : type->kind == STOA_TYPE_MAP ? 2 : 0;
    if (type->kind == STOA_TYPE_STRUCT ? type->child_count < 0 : type->child_count != expected) {
        return stoa_fail(err, STOA_INVALID, "field '%s': expected %d nested fields but found %d",
                         field->name, (int)expected, (int)type->child_count);
    }
    return STOA_OK;
}

/* What the kind does not use is zero, so that equal types are equal member by member. */
static stoa_type plain_type(const stoa_type *source) {
    stoa_type type = {.kind = source->kind, .child_count = source->child_count};
    if (stoa_type_has_unit(source->kind)) {
        type.unit = source->unit;
    }
    if (source->kind == STOA_TYPE_DECIMAL) {
        type.precision = source->precision;
        type.scale = source->scale;
    }
    if (source->kind == STOA_TYPE_FIXED) {
        type.length = source->length;
    }
    return type;
}

static stoa_status copy_text(struct copier *copier, const char *text, const char **out,
                             stoa_error *err) {
    *out = NULL;
    return text == NULL ? STOA_OK
                        : stoa_arena_copy_text(copier->arena, text, strlen(text), out, err);
}

/* Names and requiredness of the children of lists and maps are the type's, not the caller's. */
static const char *given_name(stoa_type_kind parent, int32_t index) {
    if (parent == STOA_TYPE_LIST) {
        return "element";
    }
    if (parent == STOA_TYPE_MAP) {
        return index == 0 ? "key" : "value";
    }
    return NULL;
}

static stoa_status copy_field(struct copier *copier, stoa_type_kind parent, int32_t index,
                              const stoa_field *source, stoa_field *out, stoa_error *err) {
    stoa_field field = *source;
    if (given_name(parent, index) != NULL) {
        field.name = given_name(parent, index);
        field.required = field.required || (parent == STOA_TYPE_MAP && index == 0);
    }
    STOA_TRY(check_name(&field, err));
    if ((int)field.type.kind < STOA_TYPE_UNKNOWN || (int)field.type.kind > STOA_TYPE_STRUCT) {
        return stoa_fail(err, STOA_INVALID, "field '%s': %d is no kind of type", field.name,
                         (int)field.type.kind);
    }
    STOA_TRY(check_parameters(&field, err));
    STOA_TRY(check_child_count(&field, err));
    *out = (stoa_field){.required = field.required, .type = plain_type(&field.type)};
    STOA_TRY(copy_text(copier, field.name, &out->name, err));
    STOA_TRY(copy_text(copier, field.doc, &out->doc, err));
    STOA_TRY(copy_text(copier, field.extension, &out->extension, err));
    STOA_TRY(copy_text(copier, field.extension_metadata, &out->extension_metadata, err));
    copier->field_count++;
    if (!copier->keep_ids) {
        if (copier->id_max == INT32_MAX) {
            return stoa_fail(err, STOA_LIMIT, "a schema cannot have more than %d fields",
                             INT32_MAX);
        }
        out->id = ++copier->id_max;
        return STOA_OK;
    }
    out->id = field.id;
    if (field.id < 1) {
        return stoa_fail(err, STOA_INVALID, "field '%s': expected an id of 1 and more but found %d",
                         field.name, (int)field.id);
    }
    copier->id_max = field.id > copier->id_max ? field.id : copier->id_max;
    return STOA_OK;
}

/* All siblings get their ids before anything nested does, and then each sibling's children in turn:
 * the order of Iceberg's fresh ids. */
static stoa_status copy_fields(struct copier *copier, const stoa_type *source, stoa_type *target,
                               int32_t depth, stoa_error *err) {
    if (source->child_count == 0) {
        return STOA_OK;
    }
    if (depth > STOA_SCHEMA_DEPTH_MAX) {
        return stoa_fail(err, STOA_LIMIT, "types are nested deeper than %d levels",
                         STOA_SCHEMA_DEPTH_MAX);
    }
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate_array(copier->arena, (size_t)source->child_count,
                                       sizeof(stoa_field), &memory, err));
    stoa_field *fields = memory;
    target->children = fields;
    target->child_count = source->child_count;
    for (int32_t i = 0; i < source->child_count; i++) {
        STOA_TRY(copy_field(copier, source->kind, i, &source->children[i], &fields[i], err));
    }
    if (source->kind == STOA_TYPE_STRUCT && depth > 1) {
        const stoa_field **names = NULL;
        size_t mask = 0;
        STOA_TRY(index_names(copier->arena, fields, source->child_count, &names, &mask, err));
    }
    for (int32_t i = 0; i < source->child_count; i++) {
        STOA_TRY(copy_fields(copier, &source->children[i].type, &fields[i].type, depth + 1, err));
    }
    return STOA_OK;
}

static stoa_status index_ids(struct shared_schema *shared, const stoa_type *type, stoa_error *err) {
    for (int32_t i = 0; i < type->child_count; i++) {
        const stoa_field *field = &type->children[i];
        const stoa_field **place = id_place(shared->by_id, shared->by_id_mask, field->id);
        if (*place != NULL) {
            return stoa_fail(err, STOA_INVALID, "fields '%s' and '%s' have the same id %d",
                             (*place)->name, field->name, (int)field->id);
        }
        *place = field;
        STOA_TRY(index_ids(shared, &field->type, err));
    }
    return STOA_OK;
}

/* -- life ------------------------------------------------------------------------------------ */

static void shared_release(struct shared_schema *shared) {
    stoa_arena arena = shared->arena; /* the schema itself lies in it */
    stoa_arena_release(&arena);
}

static stoa_status fill(struct shared_schema *shared, const stoa_field *columns,
                        int32_t column_count, struct copier *copier, stoa_error *err) {
    stoa_type root = {.kind = STOA_TYPE_STRUCT, .child_count = column_count, .children = columns};
    shared->schema.root = (stoa_type){.kind = STOA_TYPE_STRUCT};
    STOA_TRY(copy_fields(copier, &root, &shared->schema.root, 1, err));
    STOA_TRY(index_names(copier->arena, shared->schema.root.children, column_count,
                         &shared->by_name, &shared->by_name_mask, err));
    size_t size = table_size(copier->field_count);
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate_array(copier->arena, size, sizeof(stoa_field *), &memory, err));
    shared->by_id = memory;
    shared->by_id_mask = size - 1;
    STOA_TRY(index_ids(shared, &shared->schema.root, err));
    shared->schema.field_id_max = copier->id_max;
    return STOA_OK;
}

static stoa_status create(stoa_pool *pool, const stoa_field *columns, int32_t column_count,
                          struct copier *copier, int32_t schema_id, const stoa_schema **out,
                          stoa_error *err) {
    STOA_ASSERT(column_count >= 0);
    *out = NULL;
    stoa_arena arena;
    stoa_arena_init(&arena, pool);
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate(&arena, sizeof(struct shared_schema), &memory, err));
    struct shared_schema *shared = memory;
    copier->arena = &arena;
    stoa_status status = fill(shared, columns, column_count, copier, err);
    shared->arena = arena;
    if (status != STOA_OK) {
        shared_release(shared);
        return status;
    }
    shared->schema.schema_id = schema_id;
    atomic_init(&shared->owner_count, 1);
    *out = &shared->schema;
    return STOA_OK;
}

stoa_status stoa_schema_create(stoa_pool *pool, const stoa_field *columns, int32_t column_count,
                               bool keep_ids, const stoa_schema **out, stoa_error *err) {
    struct copier copier = {.keep_ids = keep_ids};
    return create(pool, columns, column_count, &copier, 0, out, err);
}

stoa_status stoa_schema_create_version(stoa_pool *pool, const stoa_field *columns,
                                       int32_t column_count, int32_t schema_id,
                                       int32_t field_id_max, const stoa_schema **out,
                                       stoa_error *err) {
    struct copier copier = {.keep_ids = true, .id_max = field_id_max};
    return create(pool, columns, column_count, &copier, schema_id, out, err);
}

stoa_status stoa_schema_project(stoa_pool *pool, const stoa_schema *schema, const int32_t *columns,
                                int32_t column_count, const stoa_schema **out, stoa_error *err) {
    *out = NULL;
    stoa_arena scratch;
    stoa_arena_init(&scratch, pool);
    stoa_status status = STOA_OK;
    void *memory = NULL;
    STOA_CHECK(stoa_arena_allocate_array(&scratch, (size_t)column_count, sizeof(stoa_field),
                                         &memory, err));
    stoa_field *fields = memory;
    for (int32_t i = 0; i < column_count; i++) {
        if (columns[i] < 0 || columns[i] >= schema->root.child_count) {
            status = stoa_fail(err, STOA_INVALID, "expected a column from 0 to %d but found %d",
                               (int)schema->root.child_count - 1, (int)columns[i]);
            goto done;
        }
        fields[i] = schema->root.children[columns[i]];
    }
    STOA_CHECK(stoa_schema_create_version(pool, fields, column_count, schema->schema_id,
                                          schema->field_id_max, out, err));
done:
    stoa_arena_release(&scratch);
    return status;
}

/* Every schema was made by create, so the struct around it is known. */
static struct shared_schema *shared_of(const stoa_schema *schema) {
    return (struct shared_schema *)(uintptr_t)schema;
}

bool stoa_schema_same(const stoa_schema *left, const stoa_schema *right) {
    return left == right || (left->schema_id == right->schema_id &&
                             left->field_id_max == right->field_id_max &&
                             stoa_type_equal(&left->root, &right->root, true));
}

const stoa_schema *stoa_schema_retain(const stoa_schema *schema) {
    if (schema != NULL) {
        /* Relaxed: whoever retains has an owner's right already, so nothing can be freed under it. */
        atomic_fetch_add_explicit(&shared_of(schema)->owner_count, 1, memory_order_relaxed);
    }
    return schema;
}

void stoa_schema_close(const stoa_schema *schema) {
    if (schema == NULL) {
        return;
    }
    /* Release by each owner, acquire by the last one: its free comes after all their reads. */
    int64_t before = atomic_fetch_sub_explicit(&shared_of(schema)->owner_count, 1,
                                               memory_order_acq_rel);
    STOA_ASSERT(before >= 1);
    if (before == 1) {
        shared_release(shared_of(schema));
    }
}

/* -- looking up ------------------------------------------------------------------------------ */

const stoa_field *stoa_schema_column(const stoa_schema *schema, const char *name) {
    const struct shared_schema *shared = shared_of(schema);
    const stoa_field *found = *name_place(shared->by_name, shared->by_name_mask, name);
    if (found != NULL) {
        return found;
    }
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        const stoa_field *column = &schema->root.children[i];
        if (stoa_ascii_same_word(name, strlen(name), column->name)) {
            if (found != NULL) {
                return NULL;
            }
            found = column;
        }
    }
    return found;
}

int32_t stoa_schema_column_index(const stoa_schema *schema, const char *name) {
    const stoa_field *column = stoa_schema_column(schema, name);
    return column == NULL ? -1 : (int32_t)(column - schema->root.children);
}

const stoa_field *stoa_schema_field(const stoa_schema *schema, int32_t id) {
    const struct shared_schema *shared = shared_of(schema);
    return *id_place(shared->by_id, shared->by_id_mask, id);
}

bool stoa_type_equal(const stoa_type *left, const stoa_type *right, bool with_ids) {
    if (left->kind != right->kind || left->unit != right->unit ||
        left->precision != right->precision || left->scale != right->scale ||
        left->length != right->length || left->child_count != right->child_count) {
        return false;
    }
    for (int32_t i = 0; i < left->child_count; i++) {
        const stoa_field *a = &left->children[i];
        const stoa_field *b = &right->children[i];
        if (a->required != b->required || strcmp(a->name, b->name) != 0 ||
            (with_ids && a->id != b->id) || !stoa_type_equal(&a->type, &b->type, with_ids)) {
            return false;
        }
    }
    return true;
}

stoa_status stoa_field_list_append(struct stoa_field_list *list, const stoa_field *field,
                                   stoa_error *err) {
    if (list->count == list->capacity) {
        if (list->capacity > INT32_MAX / 2) {
            return stoa_fail(err, STOA_LIMIT, "more than %d fields", (int)list->capacity);
        }
        int32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        void *memory = NULL;
        STOA_TRY(stoa_arena_allocate_array(list->arena, (size_t)capacity, sizeof(stoa_field),
                                           &memory, err));
        if (list->count > 0) {
            memcpy(memory, list->items, (size_t)list->count * sizeof(stoa_field));
        }
        list->items = memory;
        list->capacity = capacity;
    }
    list->items[list->count++] = *field;
    return STOA_OK;
}
