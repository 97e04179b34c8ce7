/* Schema elements stand in depth-first order; they are walked once, by a recursion that ends at
 * DEPTH_MAX. Each element is looked at as what it annotates (a list, a map) or as what it is (a
 * group, a value); a repeated field without an annotation is a required list of required items. */
#include "parquet/read_schema.h"

#include <stdio.h>

#include "parquet/arrow_schema.h"
#include "parquet/geo_type.h"
#include "parquet/read_variant.h"
#include "schema/schema.h"

enum { DEPTH_MAX = 64 };

struct builder {
    stoa_arena *arena;
    const stoa_parquet_footer *footer;
    int32_t at;   /* the element that comes next */
    int32_t leaf; /* the leaf that comes next */
    stoa_type_unit int96_unit;
    bool has_ids;
    bool has_variants;
    bool in_variant; /* whose parts cannot be left out */
    stoa_error cause;
};

/* The levels around an element: its own `optional` counted, its own `repeated` not. */
struct levels {
    int32_t definition;
    int32_t repetition;
    int32_t slot_definition;
};

static stoa_status build_field(struct builder *builder, struct levels levels, int depth,
                               stoa_field *field, stoa_read_node *node, stoa_error *err);
static stoa_status build_content(struct builder *builder, struct levels levels, bool nullable,
                                 int depth, stoa_field *field, stoa_read_node *node,
                                 stoa_error *err);

/* ---- Lists and maps -------------------------------------------------------------------------- */

static bool is_annotated(const stoa_parquet_element *element, int32_t logical, int32_t converted,
                         int32_t other) {
    return element->logical == logical ||
           (element->logical == STOA_PARQUET_LOGICAL_NONE &&
            (element->converted == converted || element->converted == other));
}

static bool is_list(const stoa_parquet_element *element) {
    return is_annotated(element, STOA_PARQUET_LOGICAL_LIST, STOA_PARQUET_CONVERTED_LIST,
                        STOA_PARQUET_CONVERTED_LIST);
}

static bool is_map(const stoa_parquet_element *element) {
    return is_annotated(element, STOA_PARQUET_LOGICAL_MAP, STOA_PARQUET_CONVERTED_MAP,
                        STOA_PARQUET_CONVERTED_MAP_KEY_VALUE);
}

/* The only child of the group at `index`, when it repeats; NULL otherwise. */
static const stoa_parquet_element *repeated_child(const struct builder *builder, int32_t index) {
    const stoa_parquet_element *elements = builder->footer->elements;
    if (elements[index].child_count != 1 || index + 1 >= builder->footer->element_count ||
        elements[index + 1].repetition != STOA_PARQUET_REPEATED) {
        return NULL;
    }
    return &elements[index + 1];
}

/* Whether the repeated field of a list is the item itself, as older writers have it, and not a group
 * around the item. */
static bool is_item(const struct builder *builder, int32_t index) {
    const stoa_parquet_element *list = &builder->footer->elements[index];
    const stoa_parquet_element *repeated = list + 1;
    char tuple[256];
    if (repeated->physical != -1 || repeated->child_count != 1 || is_list(repeated) ||
        is_map(repeated) || repeated[1].repetition == STOA_PARQUET_REPEATED) {
        return true;
    }
    (void)snprintf(tuple, sizeof tuple, "%s_tuple", list->name);
    return strcmp(repeated->name, "array") == 0 || strcmp(repeated->name, tuple) == 0;
}

static stoa_status take_children(struct builder *builder, int32_t count, stoa_field *field,
                                 stoa_read_node *node, stoa_field **out_fields, stoa_error *err) {
    void *fields = NULL, *nodes = NULL;
    STOA_TRY(
        stoa_arena_allocate_array(builder->arena, (size_t)count, sizeof(stoa_field), &fields, err));
    STOA_TRY(stoa_arena_allocate_array(builder->arena, (size_t)count, sizeof(stoa_read_node),
                                       &nodes, err));
    field->type.child_count = count;
    field->type.children = fields;
    node->child_count = count;
    node->children = nodes;
    *out_fields = fields;
    return STOA_OK;
}

/* `skip` elements stand between the list's and its item's. */
static stoa_status build_list(struct builder *builder, struct levels levels, int32_t skip,
                              bool item_has_repetition, int depth, stoa_field *field,
                              stoa_read_node *node, stoa_error *err) {
    stoa_field *item;
    field->type = (stoa_type){.kind = STOA_TYPE_LIST};
    node->item_definition = (uint8_t)(levels.definition + 1);
    STOA_TRY(take_children(builder, 1, field, node, &item, err));
    builder->at += skip;
    const struct levels below = {levels.definition + 1, levels.repetition + 1,
                                 levels.definition + 1};
    if (item_has_repetition) {
        STOA_TRY(build_field(builder, below, depth + 1, item, &node->children[0], err));
    } else {
        STOA_TRY(build_content(builder, below, false, depth + 1, item, &node->children[0], err));
    }
    item->name = "element";
    return STOA_OK;
}

static stoa_status build_map(struct builder *builder, struct levels levels, int depth,
                             stoa_field *field, stoa_read_node *node, stoa_error *err) {
    stoa_field *fields;
    field->type = (stoa_type){.kind = STOA_TYPE_MAP};
    node->item_definition = (uint8_t)(levels.definition + 1);
    STOA_TRY(take_children(builder, 2, field, node, &fields, err));
    builder->at += 2;
    const struct levels below = {levels.definition + 1, levels.repetition + 1,
                                 levels.definition + 1};
    STOA_TRY(build_field(builder, below, depth + 1, &fields[0], &node->children[0], err));
    STOA_TRY(build_field(builder, below, depth + 1, &fields[1], &node->children[1], err));
    fields[0].name = "key";
    fields[0].required = true; /* whatever the file says: a null key is refused when it is read */
    fields[1].name = "value";
    return STOA_OK;
}

static bool is_key_value(const stoa_parquet_element *repeated) {
    return repeated->physical == -1 && repeated->child_count == 2;
}

/* What is built of the element at hand ends with it. The tree was checked when the footer was read. */
static void skip_element(struct builder *builder) {
    int32_t left = 1;
    while (left > 0) {
        const stoa_parquet_element *element = &builder->footer->elements[builder->at++];
        builder->leaf += element->physical != -1;
        left += element->physical == -1 ? element->child_count - 1 : -1;
    }
}

/* A field that cannot be read does not keep the others from being read: it stands there with the reason,
 * for whoever asks for it. */
static stoa_status build_child(struct builder *builder, struct levels levels, int depth,
                               stoa_field *field, stoa_read_node *node, stoa_error *err) {
    const int32_t at = builder->at, leaf = builder->leaf;
    const bool has_ids = builder->has_ids, in_variant = builder->in_variant;
    const stoa_parquet_element *element = &builder->footer->elements[builder->at];
    const stoa_status status = build_field(builder, levels, depth, field, node, &builder->cause);
    if (status == STOA_OK) {
        return STOA_OK;
    }
    if (status != STOA_UNSUPPORTED || in_variant) {
        if (err != NULL && err != &builder->cause) {
            *err = builder->cause;
        }
        return status;
    }
    builder->at = at;
    builder->leaf = leaf;
    builder->in_variant = in_variant;
    builder->has_ids = has_ids && element->field_id > 0;
    *field = (stoa_field){.id = element->field_id, .name = element->name};
    *node = (stoa_read_node){.nullable = true,
                             .slot_repetition = (uint8_t)levels.repetition,
                             .slot_definition = (uint8_t)levels.slot_definition,
                             .leaf = builder->leaf,
                             .value_class = STOA_READ_NULL};
    const char *message = builder->cause.message;
    STOA_TRY(stoa_arena_copy_text(builder->arena, message, strlen(message), &node->refusal, err));
    builder->cause = (stoa_error)STOA_ERROR_NONE;
    skip_element(builder);
    return STOA_OK;
}

static stoa_status build_struct(struct builder *builder, struct levels levels, int32_t count,
                                int depth, stoa_field *field, stoa_read_node *node,
                                stoa_error *err) {
    stoa_field *fields;
    field->type = (stoa_type){.kind = STOA_TYPE_STRUCT};
    builder->at++;
    STOA_TRY(take_children(builder, count, field, node, &fields, err));
    for (int32_t i = 0; i < count; i++) {
        STOA_TRY(build_child(builder, levels, depth + 1, &fields[i], &node->children[i], err));
    }
    return STOA_OK;
}

/* The group as it is stored, and what it becomes. */
static stoa_status build_variant(struct builder *builder, struct levels levels, int32_t count,
                                 int depth, stoa_field *field, stoa_read_node *node,
                                 stoa_error *err) {
    static const stoa_field parts[] = {
        {.name = "metadata", .required = true, .type = {.kind = STOA_TYPE_BINARY}},
        {.name = "value", .required = true, .type = {.kind = STOA_TYPE_BINARY}}};
    const bool has_ids = builder->has_ids, in_variant = builder->in_variant;
    stoa_field stored = {0};
    stoa_shred *shred;
    stoa_field *fields;
    void *memory = NULL;
    builder->in_variant = true;
    STOA_TRY(build_struct(builder, levels, count, depth, &stored, node, err));
    builder->in_variant = in_variant;
    const stoa_status status =
        stoa_shred_create(builder->arena, &stored.type, node, &shred, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "column '%s'", field->name);
        return status;
    }
    STOA_TRY(stoa_arena_allocate(builder->arena, sizeof parts, &memory, err));
    fields = memory;
    memcpy(fields, parts, sizeof parts);
    field->type = (stoa_type){.kind = STOA_TYPE_STRUCT, .child_count = 2, .children = fields};
    field->extension = STOA_VARIANT_EXTENSION;
    node->shred = shred;
    builder->has_ids = has_ids; /* nobody gives ids to what is within a variant */
    builder->has_variants = true;
    return STOA_OK;
}

static stoa_status build_group(struct builder *builder, struct levels levels, int depth,
                               stoa_field *field, stoa_read_node *node, stoa_error *err) {
    const stoa_parquet_element *element = &builder->footer->elements[builder->at];
    const stoa_parquet_element *repeated = repeated_child(builder, builder->at);
    if (element->logical == STOA_PARQUET_LOGICAL_VARIANT) {
        return build_variant(builder, levels, element->child_count, depth, field, node, err);
    }
    if (repeated != NULL && is_map(element) && is_key_value(repeated) &&
        repeated[1].repetition != STOA_PARQUET_REPEATED) {
        return build_map(builder, levels, depth, field, node, err);
    }
    if (repeated != NULL && (is_list(element) || is_map(element))) {
        const bool item = is_item(builder, builder->at);
        return build_list(builder, levels, item ? 1 : 2, !item, depth, field, node, err);
    }
    return build_struct(builder, levels, element->child_count, depth, field, node, err);
}

/* The element as if it were required or, where `levels` count it already, optional. */
static stoa_status build_content(struct builder *builder, struct levels levels, bool nullable,
                                 int depth, stoa_field *field, stoa_read_node *node,
                                 stoa_error *err) {
    const stoa_parquet_element *element = &builder->footer->elements[builder->at];
    if (depth > DEPTH_MAX) {
        return stoa_fail(err, STOA_LIMIT, "fields are nested deeper than %d levels", DEPTH_MAX);
    }
    *field = (stoa_field){.id = element->field_id, .required = !nullable, .name = element->name};
    *node = (stoa_read_node){.nullable = nullable,
                             .slot_repetition = (uint8_t)levels.repetition,
                             .slot_definition = (uint8_t)levels.slot_definition,
                             .present_definition = (uint8_t)levels.definition,
                             .leaf = builder->leaf};
    builder->has_ids = builder->has_ids && element->field_id > 0;
    if (element->physical == -1) {
        STOA_TRY(build_group(builder, levels, depth, field, node, err));
    } else {
        builder->at++;
        builder->leaf++;
        STOA_TRY(stoa_read_schema_value(element, builder->int96_unit, &field->type, node, err));
        field->required = field->required && field->type.kind != STOA_TYPE_UNKNOWN;
        if (field->type.kind == STOA_TYPE_BINARY &&
            (element->logical == STOA_PARQUET_LOGICAL_GEOMETRY ||
             element->logical == STOA_PARQUET_LOGICAL_GEOGRAPHY)) {
            field->extension = STOA_GEO_EXTENSION;
            STOA_TRY(stoa_geo_metadata(builder->arena, builder->footer, element,
                                       &field->extension_metadata, err));
        }
    }
    node->kind = field->type.kind;
    return STOA_OK;
}

static stoa_status build_field(struct builder *builder, struct levels levels, int depth,
                               stoa_field *field, stoa_read_node *node, stoa_error *err) {
    const stoa_parquet_element *element = &builder->footer->elements[builder->at];
    if (element->repetition != STOA_PARQUET_REPEATED) {
        const bool optional = element->repetition == STOA_PARQUET_OPTIONAL;
        levels.definition += optional;
        return build_content(builder, levels, optional, depth, field, node, err);
    }
    *field = (stoa_field){.id = -1, .required = true, .name = element->name};
    *node = (stoa_read_node){.kind = STOA_TYPE_LIST,
                             .slot_repetition = (uint8_t)levels.repetition,
                             .slot_definition = (uint8_t)levels.slot_definition,
                             .present_definition = (uint8_t)levels.slot_definition,
                             .leaf = builder->leaf};
    builder->has_ids = false;
    return build_list(builder, levels, 0, false, depth, field, node, err);
}

/* ---- Ids and projection ---------------------------------------------------------------------- */

static int32_t highest_id(const stoa_type *type) {
    int32_t highest = 0;
    for (int32_t i = 0; i < type->child_count; i++) {
        const int32_t below = highest_id(&type->children[i].type);
        highest = type->children[i].id > highest ? type->children[i].id : highest;
        highest = below > highest ? below : highest;
    }
    return highest;
}

/* Where all other fields have ids, those of variants get the next ones. */
static void number_variants(const stoa_type *type, const stoa_read_node *node, int32_t *last) {
    for (int32_t i = 0; i < type->child_count; i++) {
        stoa_field *field = (stoa_field *)(uintptr_t)&type->children[i]; /* made by the builder */
        if (node->shred != NULL) {
            field->id = *last < INT32_MAX ? ++*last : 0;
        } else {
            number_variants(&field->type, &node->children[i], last);
        }
    }
}

/* All that a variant is stored in goes by the ids of its two parts. */
static void copy_ids(const stoa_type *type, stoa_read_node *node) {
    for (int32_t i = 0; node->shred != NULL && i < node->child_count; i++) {
        node->children[i].field_id = type->children[i != node->shred->metadata].id;
    }
    for (int32_t i = 0; node->shred == NULL && i < node->child_count; i++) {
        node->children[i].kind = type->children[i].type.kind;
        node->children[i].field_id = type->children[i].id;
        copy_ids(&type->children[i].type, &node->children[i]);
    }
}

stoa_status stoa_read_schema_create(const stoa_context *context, stoa_arena *arena,
                                    const stoa_parquet_footer *footer, stoa_type_unit int96_unit,
                                    stoa_read_node *out, const stoa_schema **out_schema,
                                    bool *out_has_ids, stoa_error *err) {
    struct builder builder = {.arena = arena,
                              .footer = footer,
                              .int96_unit = int96_unit,
                              .has_ids = true,
                              .cause = STOA_ERROR_NONE};
    stoa_field root = {0};
    stoa_error cause = STOA_ERROR_NONE;
    *out_schema = NULL;
    *out = (stoa_read_node){.kind = STOA_TYPE_STRUCT};
    STOA_TRY(build_struct(&builder, (struct levels){0}, footer->elements[0].child_count, 0, &root,
                          out, err));
    STOA_TRY(stoa_parquet_arrow_schema_apply(context, footer, &root.type, err));
    if (builder.has_ids && builder.has_variants) {
        int32_t last = highest_id(&root.type);
        number_variants(&root.type, out, &last);
    }
    stoa_status status = STOA_INVALID;
    for (int attempt = 0; attempt < 3 && status == STOA_INVALID; attempt++) {
        cause = (stoa_error)STOA_ERROR_NONE;
        if (attempt == 1) {
            STOA_TRY(stoa_read_schema_settle_names(arena, &root.type, err));
        }
        *out_has_ids = builder.has_ids && attempt < 2;
        status = stoa_schema_create(context->pool, root.type.children, root.type.child_count,
                                    *out_has_ids, out_schema, &cause);
    }
    if (status == STOA_INVALID) {
        return stoa_fail(err, STOA_UNSUPPORTED, "a Parquet schema that is not one of Stoa's: %s",
                         cause.message);
    }
    if (status != STOA_OK) {
        if (err != NULL) {
            *err = cause;
        }
        return status;
    }
    copy_ids(&(*out_schema)->root, out);
    return STOA_OK;
}

static bool is_named(int32_t id, const int32_t *ids, int32_t id_count) {
    for (int32_t i = 0; i < id_count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

static bool holds_named(const stoa_read_node *node, const int32_t *ids, int32_t id_count) {
    if (is_named(node->field_id, ids, id_count)) {
        return true;
    }
    for (int32_t i = 0; i < node->child_count; i++) {
        if (holds_named(&node->children[i], ids, id_count)) {
            return true;
        }
    }
    return false;
}

/* Bounded by the depth that the tree was built with. */
static stoa_status project_children(struct builder *builder, const stoa_type *type,
                                    const stoa_read_node *node, const int32_t *ids,
                                    int32_t id_count, stoa_field *out_field,
                                    stoa_read_node *out_node, stoa_error *err) {
    stoa_field *fields;
    int32_t count = 0;
    STOA_TRY(take_children(builder, node->child_count, out_field, out_node, &fields, err));
    for (int32_t i = 0; i < node->child_count; i++) {
        const stoa_read_node *child = &node->children[i];
        const bool is_key = node->kind == STOA_TYPE_MAP && i == 0;
        if (!is_key && !holds_named(child, ids, id_count) &&
            !(node->kind == STOA_TYPE_MAP && holds_named(&node->children[0], ids, id_count))) {
            continue;
        }
        fields[count] = type->children[i];
        out_node->children[count] = *child;
        if (!is_key && !is_named(child->field_id, ids, id_count) && child->shred == NULL &&
            child->child_count > 0 &&
            holds_named(child, ids, id_count)) {
            STOA_TRY(project_children(builder, &type->children[i].type, child, ids, id_count,
                                      &fields[count], &out_node->children[count], err));
        }
        count++;
    }
    out_field->type.child_count = count;
    out_node->child_count = count;
    if (count > 0) {
        out_node->leaf = out_node->children[0].leaf;
    }
    return STOA_OK;
}

const stoa_read_node *stoa_read_schema_find(const stoa_read_node *root, int32_t field_id) {
    for (int32_t i = 0; i < root->child_count; i++) {
        const stoa_read_node *child = &root->children[i];
        const stoa_read_node *found =
            child->field_id == field_id      ? child
            : child->kind == STOA_TYPE_STRUCT ? stoa_read_schema_find(child, field_id)
                                              : NULL;
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

stoa_status stoa_read_schema_project(stoa_pool *pool, stoa_arena *arena, const stoa_schema *schema,
                                     const stoa_read_node *root, const int32_t *ids,
                                     int32_t id_count, stoa_read_node *out,
                                     const stoa_schema **out_schema, stoa_error *err) {
    struct builder builder = {.arena = arena};
    stoa_field field = {.type = schema->root};
    *out_schema = NULL;
    for (int32_t i = 0; i < id_count; i++) {
        if (stoa_schema_field(schema, ids[i]) == NULL) {
            return stoa_fail(err, STOA_INVALID,
                             "expected the id of a field of the file but found %" PRId32, ids[i]);
        }
    }
    *out = *root;
    STOA_TRY(project_children(&builder, &schema->root, root, ids, id_count, &field, out, err));
    return stoa_schema_create_version(pool, field.type.children, field.type.child_count,
                                      schema->schema_id, schema->field_id_max, out_schema, err);
}
