/* Builds the tree of fields, for the reader (ids from the file) and the writer (ids counted up). */
#include "arrow/ipc_fields.h"

struct build {
    stoa_arena *arena;
    const stoa_ipc_ids *ids;
    uint32_t next_id;
};

static stoa_status build_node(struct build *build, const struct ArrowSchema *schema, int depth,
                              stoa_ipc_field *out, stoa_error *err);

static stoa_status allocate_fields(struct build *build, int64_t count, stoa_ipc_field **out,
                                   stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_arena_allocate_array(build->arena, (size_t)count, sizeof **out, &memory, err));
    *out = memory;
    return STOA_OK;
}

static stoa_status build_dictionary(struct build *build, const struct ArrowSchema *schema,
                                    int depth, stoa_ipc_field *out, stoa_error *err) {
    uint32_t index = build->next_id++;
    STOA_ASSERT(build->ids == NULL || index < build->ids->count);
    out->dictionary_id = build->ids == NULL ? (int64_t)index : build->ids->ids[index];
    STOA_TRY(allocate_fields(build, 1, &out->values, err));
    return build_node(build, schema->dictionary, depth + 1, out->values, err);
}

static stoa_status build_node(struct build *build, const struct ArrowSchema *schema, int depth,
                              stoa_ipc_field *out, stoa_error *err) {
    if (depth > STOA_ARROW_DEPTH_MAX) {
        return stoa_fail(err, STOA_UNSUPPORTED, "the schema is nested deeper than %d levels",
                         (int)STOA_ARROW_DEPTH_MAX);
    }
    out->schema = schema;
    STOA_TRY(stoa_arrow_layout_parse(schema, &out->layout, err));
    if (out->layout.dictionary) {
        return build_dictionary(build, schema, depth, out, err);
    }
    if (schema->n_children == 0) {
        return STOA_OK;
    }
    STOA_TRY(allocate_fields(build, schema->n_children, &out->children, err));
    out->child_count = schema->n_children;
    for (int64_t i = 0; i < schema->n_children; i++) {
        STOA_TRY(build_node(build, schema->children[i], depth + 1, &out->children[i], err));
    }
    return STOA_OK;
}

stoa_status stoa_ipc_fields_build(stoa_arena *arena, const struct ArrowSchema *schema,
                                  const stoa_ipc_ids *ids, stoa_ipc_field **out, stoa_error *err) {
    struct build build = {.arena = arena, .ids = ids};
    *out = NULL;
    STOA_TRY(allocate_fields(&build, 1, out, err));
    STOA_TRY(build_node(&build, schema, 0, *out, err));
    STOA_ASSERT(ids == NULL || build.next_id == ids->count);
    return STOA_OK;
}

uint32_t stoa_ipc_fields_dictionary_count(const stoa_ipc_field *field) {
    uint32_t count = 0;
    if (field->layout.dictionary) {
        count = 1 + stoa_ipc_fields_dictionary_count(field->values);
    }
    for (int64_t i = 0; i < field->child_count; i++) {
        count += stoa_ipc_fields_dictionary_count(&field->children[i]);
    }
    return count;
}
