#include "lsm/stripe_schema.h"

#include "lsm/key_kernel.h"
#include "schema/conform_kernel.h"
#include "schema/unify.h"

enum { NAME_BYTES = 64 };

struct mapping {
    stoa_stripe_schema *schema;
    stoa_error *err;
};

/* ---- Values ---------------------------------------------------------------------------------- */

bool stoa_stripe_type_changed(const stoa_type *from, const stoa_type *to) {
    return from->kind != to->kind || (to->kind == STOA_TYPE_DECIMAL && from->scale != to->scale);
}

static stoa_arrow_kind arrow_kind(stoa_type_kind kind) {
    switch (kind) {
    case STOA_TYPE_INT8: return STOA_ARROW_INT8;
    case STOA_TYPE_INT16: return STOA_ARROW_INT16;
    case STOA_TYPE_INT: return STOA_ARROW_INT32;
    case STOA_TYPE_UINT8: return STOA_ARROW_UINT8;
    case STOA_TYPE_UINT16: return STOA_ARROW_UINT16;
    case STOA_TYPE_UINT32: return STOA_ARROW_UINT32;
    default: return STOA_ARROW_FLOAT;
    }
}

void stoa_stripe_values_widen(const stoa_type *from, const stoa_type *to, const void *source,
                              int64_t count, void *out) {
    if (to->kind != STOA_TYPE_DECIMAL) {
        stoa_kernel_widen(source, arrow_kind(from->kind), out, to->kind, count);
        return;
    }
    __int128 factor = 1;
    for (int32_t i = from->scale; i < to->scale; i++) {
        factor *= 10;
    }
    stoa_kernel_decimal_widen(source, sizeof factor, factor, out, count);
}

/* ---- Fields ---------------------------------------------------------------------------------- */

static bool is_nested(stoa_type_kind kind) {
    return kind == STOA_TYPE_LIST || kind == STOA_TYPE_MAP || kind == STOA_TYPE_STRUCT;
}

static bool is_time(stoa_type_kind kind) {
    return kind == STOA_TYPE_TIME || kind == STOA_TYPE_TIMESTAMP ||
           kind == STOA_TYPE_TIMESTAMP_TZ || kind == STOA_TYPE_DURATION || kind == STOA_TYPE_DATE;
}

static stoa_status refuse_type(const stoa_field *field, const stoa_type *found, stoa_error *err) {
    char from[NAME_BYTES], to[NAME_BYTES];
    (void)stoa_type_print(found, from, sizeof from);
    (void)stoa_type_print(&field->type, to, sizeof to);
    return stoa_fail(err, STOA_INVALID,
                     "field '%s': expected a type that holds the values of %s but found %s",
                     field->name, from, to);
}

static stoa_status check_types(const stoa_field *field, const stoa_field *found, stoa_error *err) {
    const stoa_type *from = &found->type, *to = &field->type;
    if (field->required && !found->required) {
        return stoa_fail(err, STOA_INVALID,
                         "field '%s' is required, but was not when it was "
                         "written",
                         field->name);
    }
    if (is_nested(from->kind) || is_nested(to->kind)) {
        return from->kind == to->kind ? STOA_OK : refuse_type(field, from, err);
    }
    if (stoa_type_equal(from, to, false)) {
        return STOA_OK;
    }
    if (!stoa_type_widens(from, to)) {
        return refuse_type(field, from, err);
    }
    if (is_time(from->kind)) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "field '%s': a change of the unit of times is not read", field->name);
    }
    return STOA_OK;
}

static void forget_nodes(const struct mapping *mapping, int32_t index) {
    const int32_t end = index + mapping->schema->table->nodes[index].subtree;
    for (int32_t i = index; i < end; i++) {
        mapping->schema->nodes[i] = -1;
    }
}

/* Which child of `from` is a child of `type`, of the same kind; lists and maps have theirs by place. */
static int32_t find_child(const stoa_type *from, const stoa_type *type, int32_t child) {
    if (type->kind != STOA_TYPE_STRUCT) {
        return child;
    }
    for (int32_t i = 0; i < from->child_count; i++) {
        if (from->children[i].id == type->children[child].id) {
            return i;
        }
    }
    return -1;
}

static int32_t node_of_child(const stoa_stripe_layout *layout, int32_t node, int32_t child) {
    int32_t below = node + 1;
    for (int32_t i = 0; i < child; i++) {
        below += layout->nodes[below].subtree;
    }
    return below;
}

/* `index` is of the table; `found` is the field that the file has at `node`, or NULL. What was of type
 * unknown was nothing but nulls. As deep as the schema. */
static stoa_status map_node(const struct mapping *mapping, int32_t index, const stoa_field *field,
                            int32_t node, const stoa_field *found) {
    const stoa_stripe_layout *file = &mapping->schema->file;
    if (found == NULL ||
        (found->type.kind == STOA_TYPE_UNKNOWN && found->type.kind != field->type.kind)) {
        forget_nodes(mapping, index);
        return !field->required
                   ? STOA_OK
                   : stoa_fail(mapping->err, STOA_INVALID,
                               "field '%s' is required, but rows were written without it",
                               field->name);
    }
    STOA_TRY(check_types(field, found, mapping->err));
    mapping->schema->nodes[index] = node;
    int32_t below = index + 1;
    for (int32_t i = 0; i < field->type.child_count; i++) {
        const int32_t child = find_child(&found->type, &field->type, i);
        STOA_TRY(map_node(mapping, below, &field->type.children[i],
                          child < 0 ? -1 : node_of_child(file, node, child),
                          child < 0 ? NULL : &found->type.children[child]));
        below += mapping->schema->table->nodes[below].subtree;
    }
    return STOA_OK;
}

static int32_t column_of(const stoa_schema *schema, int32_t id) {
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        if (schema->root.children[i].id == id) {
            return i;
        }
    }
    return -1;
}

/* The key of the file: columns of the same ids and types. */
static stoa_status find_key(stoa_stripe_schema *schema, stoa_error *err) {
    const stoa_key_format *key = schema->table->key;
    stoa_key_column columns[STOA_KEY_PARTS_MAX];
    for (int32_t i = 0; i < key->part_count; i++) {
        const stoa_field *field = key->parts[i].field;
        const int32_t column = column_of(schema->schema, field->id);
        if (column < 0 ||
            !stoa_type_equal(&schema->schema->root.children[column].type, &field->type, false)) {
            return stoa_fail(err, STOA_INVALID,
                             "column '%s' of the key was of another type, or not there, when rows "
                             "were written",
                             field->name);
        }
        columns[i] = (stoa_key_column){field->id, key->parts[i].descending};
    }
    return stoa_key_format_init(&schema->key, schema->schema, columns, key->part_count, err);
}

static stoa_status map_columns(stoa_stripe_schema *schema, stoa_error *err) {
    const struct mapping mapping = {schema, err};
    const stoa_stripe_layout *table = schema->table;
    void *nodes = NULL;
    STOA_TRY(find_key(schema, err));
    STOA_TRY(
        stoa_stripe_layout_init(&schema->file, &schema->arena, schema->schema, &schema->key, err));
    STOA_TRY(stoa_arena_allocate_array(&schema->arena, (size_t)table->node_count + 1,
                                       sizeof *schema->nodes, &nodes, err));
    schema->nodes = nodes;
    for (int32_t i = 0; i < table->schema->root.child_count; i++) {
        const stoa_field *field = &table->schema->root.children[i];
        const int32_t column = column_of(schema->schema, field->id);
        if (table->column_nodes[i] >= 0) {
            STOA_TRY(map_node(&mapping, table->column_nodes[i], field,
                              column < 0 ? -1 : schema->file.column_nodes[column],
                              column < 0 ? NULL : &schema->schema->root.children[column]));
        }
    }
    return STOA_OK;
}

stoa_status stoa_stripe_schema_init(stoa_stripe_schema *out, stoa_pool *pool,
                                    const stoa_stripe_layout *table, const stoa_schema *schema,
                                    stoa_error *err) {
    *out = (stoa_stripe_schema){.table = table, .schema = stoa_schema_retain(schema)};
    stoa_arena_init(&out->arena, pool);
    const stoa_status status = map_columns(out, err);
    if (status != STOA_OK) {
        stoa_stripe_schema_release(out);
    }
    return status;
}

void stoa_stripe_schema_release(stoa_stripe_schema *schema) {
    stoa_arena_release(&schema->arena);
    stoa_schema_close(schema->schema);
    *schema = (stoa_stripe_schema){0};
}

/* ---- Columns --------------------------------------------------------------------------------- */

int32_t stoa_stripe_schema_column(const stoa_stripe_schema *schema, int32_t column) {
    const int32_t node = schema->table->column_nodes[column];
    const int32_t id = schema->table->schema->root.children[column].id;
    return node >= 0 && schema->nodes[node] < 0 ? -1 : column_of(schema->schema, id);
}

bool stoa_stripe_schema_bound(const stoa_stripe_schema *schema, int32_t column, uint64_t *bound) {
    const int32_t found = stoa_stripe_schema_column(schema, column);
    if (found < 0) {
        return false;
    }
    const stoa_type *from = &schema->schema->root.children[found].type;
    const stoa_type *to = &schema->table->schema->root.children[column].type;
    const uint8_t from_width = stoa_key_width(from), to_width = stoa_key_width(to);
    if (!stoa_stripe_type_changed(from, to) && from_width == to_width) {
        return true;
    }
    if (from_width == 0 || from_width > 8 || to_width == 0 || to_width > 8 ||
        !stoa_key_numbers_valid(from, bound, 1)) {
        return false;
    }
    _Alignas(16) uint8_t value[16] = {0}, widened[16] = {0};
    const void *buffers[2] = {NULL, value};
    const struct ArrowArray array = {.length = 1, .n_buffers = 2, .buffers = buffers};
    stoa_key_values(from, bound, 1, value);
    if (stoa_stripe_type_changed(from, to)) {
        stoa_stripe_values_widen(from, to, value, 1, widened);
        buffers[1] = widened;
    }
    stoa_key_numbers(to, &array, 0, 1, bound);
    return true;
}
