/* Iceberg's JSON of schemas, both ways.
 *
 *     {"type": "struct", "schema-id": 0, "fields": [
 *         {"id": 1, "name": "id", "required": true, "type": "long", "doc": "…"},
 *         {"id": 2, "name": "tags", "required": false, "type":
 *             {"type": "list", "element-id": 3, "element-required": true, "element": "string"}}]}
 *
 * Members that are not known are passed over when reading ("identifier-field-ids", defaults), for
 * later versions of the format add some; members that are known must be of the right kind. A member
 * that stands twice is refused, for readers would differ on which one counts.
 *
 * The text is parsed by jansson, which bounds its own nesting; the tree that it makes is walked to
 * STOA_SCHEMA_DEPTH_MAX.
 *
 * Source   Apache Iceberg table specification, "Appendix C: JSON serialization", "Schemas" */
#include <string.h>

#include <jansson.h>

#include "arrow/print.h"
#include "schema/internal.h"
#include "schema/schema.h"

enum { JSON_BYTES_MAX = 64 << 20 };

/* -- reading ---------------------------------------------------------------------------------- */

struct reader {
    stoa_arena *arena;
    stoa_error *err;
};

static const char *kind_name(const json_t *json) {
    if (json == NULL) {
        return "nothing";
    }
    switch (json_typeof(json)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    default: return "null";
    }
}

static stoa_status wrong(struct reader *reader, const char *member, const char *expected,
                         const json_t *found) {
    return stoa_fail(reader->err, STOA_INVALID, "member '%s': expected %s but found %s", member,
                     expected, kind_name(found));
}

static stoa_status read_id(struct reader *reader, const json_t *object, const char *member,
                           int32_t *out) {
    const json_t *json = json_object_get(object, member);
    if (!json_is_integer(json)) {
        return wrong(reader, member, "an integer", json);
    }
    json_int_t id = json_integer_value(json);
    if (id < 1 || id > INT32_MAX) {
        return stoa_fail(reader->err, STOA_INVALID,
                         "member '%s': expected an id from 1 to 2147483647 but found %lld", member,
                         (long long)id);
    }
    *out = (int32_t)id;
    return STOA_OK;
}

static stoa_status read_boolean(struct reader *reader, const json_t *object, const char *member,
                                bool *out) {
    const json_t *json = json_object_get(object, member);
    if (!json_is_boolean(json)) {
        return wrong(reader, member, "true or false", json);
    }
    *out = json_is_true(json);
    return STOA_OK;
}

static stoa_status read_type(struct reader *reader, const json_t *json, int32_t depth,
                             stoa_type *out);

static stoa_status read_primitive(struct reader *reader, const json_t *json, stoa_type *out) {
    static const char *const REFUSED[] = {"variant", "geometry", "geography"};
    const char *name = json_string_value(json);
    size_t size = json_string_length(json);
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        if (strncmp(name, REFUSED[i], strlen(REFUSED[i])) == 0) {
            return stoa_fail(reader->err, STOA_UNSUPPORTED, "type %s is not supported", REFUSED[i]);
        }
    }
    return stoa_type_parse_primitive(name, size, out, reader->err);
}

static stoa_status read_field(struct reader *reader, const json_t *json, int32_t depth,
                              stoa_field *out) {
    *out = (stoa_field){0};
    if (!json_is_object(json)) {
        return wrong(reader, "fields", "objects", json);
    }
    const json_t *name = json_object_get(json, "name");
    if (!json_is_string(name)) {
        return wrong(reader, "name", "a string", name);
    }
    out->name = json_string_value(name);
    stoa_status status = read_id(reader, json, "id", &out->id);
    if (status == STOA_OK) {
        status = read_boolean(reader, json, "required", &out->required);
    }
    const json_t *doc = json_object_get(json, "doc");
    if (status == STOA_OK && json_is_string(doc)) {
        out->doc = json_string_value(doc);
    } else if (status == STOA_OK && doc != NULL && !json_is_null(doc)) {
        status = wrong(reader, "doc", "a string", doc);
    }
    if (status == STOA_OK) {
        status = read_type(reader, json_object_get(json, "type"), depth, &out->type);
    }
    out->extension = json_string_value(json_object_get(json, "arrow-extension"));
    out->extension_metadata = json_string_value(json_object_get(json, "arrow-extension-metadata"));
    if (status != STOA_OK && depth == 1) {
        stoa_wrap(reader->err, "column '%.100s'", out->name);
    }
    return status;
}

static stoa_status read_fields(struct reader *reader, const json_t *object, int32_t depth,
                               stoa_type *out) {
    const json_t *fields = json_object_get(object, "fields");
    struct stoa_field_list list = {.arena = reader->arena};
    if (!json_is_array(fields)) {
        return wrong(reader, "fields", "an array", fields);
    }
    for (size_t i = 0; i < json_array_size(fields); i++) {
        stoa_field field;
        STOA_TRY(read_field(reader, json_array_get(fields, i), depth, &field));
        STOA_TRY(stoa_field_list_append(&list, &field, reader->err));
    }
    *out = (stoa_type){.kind = STOA_TYPE_STRUCT, .child_count = list.count, .children = list.items};
    return STOA_OK;
}

/* "element-id", "element-required" and "element", and so on; a map's key has no "required". */
static stoa_status read_item(struct reader *reader, const json_t *object, const char *name,
                             bool always_required, int32_t depth, struct stoa_field_list *list) {
    char member[32];
    stoa_field field = {.name = name, .required = true};
    (void)snprintf(member, sizeof member, "%s-id", name);
    STOA_TRY(read_id(reader, object, member, &field.id));
    if (!always_required) {
        (void)snprintf(member, sizeof member, "%s-required", name);
        STOA_TRY(read_boolean(reader, object, member, &field.required));
    }
    STOA_TRY(read_type(reader, json_object_get(object, name), depth + 1, &field.type));
    return stoa_field_list_append(list, &field, reader->err);
}

static stoa_status read_nested(struct reader *reader, const json_t *object, int32_t depth,
                               stoa_type *out) {
    const json_t *type = json_object_get(object, "type");
    const char *name = json_string_value(type);
    struct stoa_field_list list = {.arena = reader->arena};
    if (name == NULL) {
        return wrong(reader, "type", "a string", type);
    }
    if (strcmp(name, "struct") == 0) {
        return read_fields(reader, object, depth + 1, out);
    }
    if (strcmp(name, "list") == 0) {
        out->kind = STOA_TYPE_LIST;
        STOA_TRY(read_item(reader, object, "element", false, depth, &list));
    } else if (strcmp(name, "map") == 0) {
        out->kind = STOA_TYPE_MAP;
        STOA_TRY(read_item(reader, object, "key", true, depth, &list));
        STOA_TRY(read_item(reader, object, "value", false, depth, &list));
    } else {
        return stoa_fail(reader->err, STOA_INVALID,
                         "member 'type': expected struct, list or map but found '%.60s'", name);
    }
    out->children = list.items;
    out->child_count = list.count;
    return STOA_OK;
}

static stoa_status read_type(struct reader *reader, const json_t *json, int32_t depth,
                             stoa_type *out) {
    *out = (stoa_type){0};
    if (depth > STOA_SCHEMA_DEPTH_MAX) {
        return stoa_fail(reader->err, STOA_LIMIT, "types are nested deeper than %d levels",
                         STOA_SCHEMA_DEPTH_MAX);
    }
    if (json_is_string(json)) {
        return read_primitive(reader, json, out);
    }
    if (json_is_object(json)) {
        return read_nested(reader, json, depth, out);
    }
    return wrong(reader, "type", "a string or an object", json);
}

static stoa_status read_schema_id(struct reader *reader, const json_t *root, int32_t *out) {
    const json_t *json = json_object_get(root, "schema-id");
    *out = 0;
    if (json == NULL) {
        return STOA_OK;
    }
    if (!json_is_integer(json)) {
        return wrong(reader, "schema-id", "an integer", json);
    }
    json_int_t id = json_integer_value(json);
    if (id < 0 || id > INT32_MAX) {
        return stoa_fail(
            reader->err, STOA_INVALID,
            "member 'schema-id': expected a number from 0 to 2147483647 but found %lld",
            (long long)id);
    }
    *out = (int32_t)id;
    return STOA_OK;
}

static stoa_status read_schema(struct reader *reader, stoa_pool *pool, const json_t *root,
                               const stoa_schema **out) {
    stoa_type type;
    int32_t schema_id;
    if (!json_is_object(root)) {
        return stoa_fail(reader->err, STOA_INVALID, "expected a schema's JSON object but found %s",
                         kind_name(root));
    }
    const char *name = json_string_value(json_object_get(root, "type"));
    if (name == NULL || strcmp(name, "struct") != 0) {
        return stoa_fail(reader->err, STOA_INVALID,
                         "member 'type': expected \"struct\" for a schema");
    }
    STOA_TRY(read_schema_id(reader, root, &schema_id));
    STOA_TRY(read_fields(reader, root, 1, &type));
    return stoa_schema_create_version(pool, type.children, type.child_count, schema_id, 0, out,
                                      reader->err);
}

stoa_status stoa_schema_from_json(stoa_pool *pool, const char *json, size_t size,
                                  const stoa_schema **out, stoa_error *err) {
    *out = NULL;
    if (size > JSON_BYTES_MAX) {
        return stoa_fail(err, STOA_LIMIT, "a schema's JSON of %zu bytes is larger than %d bytes",
                         size, JSON_BYTES_MAX);
    }
    json_error_t problem;
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL) {
        stoa_status status = stoa_fail(err, STOA_INVALID, "line %d, byte %d: %s", problem.line,
                                       problem.position, problem.text);
        if (err != NULL) {
            err->line = problem.line;
            err->offset = problem.position;
        }
        return status;
    }
    stoa_arena scratch;
    stoa_arena_init(&scratch, pool);
    struct reader reader = {.arena = &scratch, .err = err};
    stoa_status status = read_schema(&reader, pool, root, out);
    stoa_arena_release(&scratch);
    json_decref(root);
    return status;
}

/* -- writing ---------------------------------------------------------------------------------- */

static stoa_status write_type(const stoa_type *type, stoa_buffer *out, stoa_error *err);

static stoa_status write_member(const char *name, const char *text, stoa_buffer *out,
                                stoa_error *err) {
    STOA_TRY(stoa_buffer_append_format(out, err, "\"%s\":", name));
    return stoa_json_string_print(text, strlen(text), out, err);
}

/* Members of Stoa's own, which Iceberg passes over. */
static stoa_status write_extension(const stoa_field *field, stoa_buffer *out, stoa_error *err) {
    if (field->extension == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_buffer_append_text(out, ",", err));
    STOA_TRY(write_member("arrow-extension", field->extension, out, err));
    if (field->extension_metadata == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_buffer_append_text(out, ",", err));
    return write_member("arrow-extension-metadata", field->extension_metadata, out, err);
}

static const char *truth(bool value) {
    return value ? "true" : "false";
}

static stoa_status write_fields(const stoa_type *type, stoa_buffer *out, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(out, "\"fields\":[", err));
    for (int32_t i = 0; i < type->child_count; i++) {
        const stoa_field *field = &type->children[i];
        STOA_TRY(stoa_buffer_append_format(out, err, "%s{\"id\":%d,", i == 0 ? "" : ",",
                                           (int)field->id));
        STOA_TRY(write_member("name", field->name, out, err));
        STOA_TRY(stoa_buffer_append_format(out, err,
                                           ",\"required\":%s,\"type\":", truth(field->required)));
        STOA_TRY(write_type(&field->type, out, err));
        if (field->doc != NULL) {
            STOA_TRY(stoa_buffer_append_text(out, ",", err));
            STOA_TRY(write_member("doc", field->doc, out, err));
        }
        STOA_TRY(write_extension(field, out, err));
        STOA_TRY(stoa_buffer_append_text(out, "}", err));
    }
    return stoa_buffer_append_text(out, "]", err);
}

static stoa_status write_item(const stoa_field *field, bool required, stoa_buffer *out,
                              stoa_error *err) {
    STOA_TRY(stoa_buffer_append_format(out, err, ",\"%s-id\":%d,\"%s\":", field->name,
                                       (int)field->id, field->name));
    STOA_TRY(write_type(&field->type, out, err));
    return required ? stoa_buffer_append_format(out, err, ",\"%s-required\":%s", field->name,
                                                truth(field->required))
                    : STOA_OK;
}

static stoa_status write_type(const stoa_type *type, stoa_buffer *out, stoa_error *err) {
    char name[64];
    switch (type->kind) {
    case STOA_TYPE_STRUCT:
        STOA_TRY(stoa_buffer_append_text(out, "{\"type\":\"struct\",", err));
        STOA_TRY(write_fields(type, out, err));
        break;
    case STOA_TYPE_LIST:
        STOA_TRY(stoa_buffer_append_text(out, "{\"type\":\"list\"", err));
        STOA_TRY(write_item(&type->children[0], true, out, err));
        break;
    case STOA_TYPE_MAP:
        STOA_TRY(stoa_buffer_append_text(out, "{\"type\":\"map\"", err));
        STOA_TRY(write_item(&type->children[0], false, out, err));
        STOA_TRY(write_item(&type->children[1], true, out, err));
        break;
    default:
        (void)stoa_type_print(type, name, sizeof name);
        return stoa_buffer_append_format(out, err, "\"%s\"", name);
    }
    return stoa_buffer_append_text(out, "}", err);
}

stoa_status stoa_schema_to_json(const stoa_schema *schema, stoa_buffer *out, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_format(out, err, "{\"type\":\"struct\",\"schema-id\":%d,",
                                       (int)schema->schema_id));
    STOA_TRY(write_fields(&schema->root, out, err));
    return stoa_buffer_append_text(out, "}", err);
}
