/* Finding a field's way down through structs, by a walk over the tree. */
#include "schema/path.h"

static bool find(const stoa_type *type, int32_t id, stoa_field_path *path) {
    if (path->depth == STOA_SCHEMA_DEPTH_MAX) {
        return false;
    }
    int32_t step = path->depth++;
    for (int32_t i = 0; i < type->child_count; i++) {
        const stoa_field *field = &type->children[i];
        path->positions[step] = i;
        path->fields[step] = field;
        if (field->id == id ||
            (field->type.kind == STOA_TYPE_STRUCT && find(&field->type, id, path))) {
            return true;
        }
    }
    path->depth--;
    return false;
}

bool stoa_field_path_find(const stoa_schema *schema, int32_t id, stoa_field_path *out) {
    out->depth = 0;
    return find(&schema->root, id, out);
}
