/* Definitions of tables as the manifest keeps them: the JSON of the schema with more members.
 *
 *     {"type": "struct", "schema-id": 0, "fields": […], "last-column-id": 5,
 *      "key": [{"column-id": 1, "descending": false}],
 *      "merge": [{"column-id": 3, "operator": "add"},
 *                {"column-id": 4, "operator": "program", "program": "f"}],
 *      "ttl": {"column-id": 2, "ms": 86400000},
 *      "compaction": {"style": "leveled", "fifo-bytes": 0}, "codec": "none", "filter-bits": 10}
 *
 * All members are written but "ttl" where there is none, and "merge" has only columns that are not
 * merged by "last". A member, an operator, a style or a codec that is not known is from a newer
 * version: whoever went on without it would lose what it says. */
#include <string.h>

#include <jansson.h>

#include "arrow/print.h"
#include "lsm/table_options_internal.h"
#include "schema/schema.h"

static const char *const styles[] = {
    [STOA_COMPACTION_LEVELED] = "leveled",
    [STOA_COMPACTION_TIERED] = "tiered",
    [STOA_COMPACTION_FIFO] = "fifo",
};
enum { STYLE_COUNT = sizeof styles / sizeof *styles };

/* -- writing ---------------------------------------------------------------------------------- */

static int32_t id_of(const stoa_definition *definition, int32_t column) {
    return definition->schema->root.children[column].id;
}

static stoa_status print_key(const stoa_definition *definition, stoa_buffer *out, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(out, ",\"key\":[", err));
    for (int32_t i = 0; i < definition->key.part_count; i++) {
        const stoa_key_part *part = &definition->key.parts[i];
        STOA_TRY(stoa_buffer_append_format(out, err,
                                           "%s{\"column-id\":%" PRId32 ",\"descending\":%s}",
                                           i == 0 ? "" : ",", part->field->id,
                                           part->descending ? "true" : "false"));
    }
    return stoa_buffer_append_text(out, "]", err);
}

static stoa_status print_merge(const stoa_definition *definition, stoa_buffer *out,
                               stoa_error *err) {
    const char *between = "";
    STOA_TRY(stoa_buffer_append_text(out, ",\"merge\":[", err));
    for (int32_t i = 0; i < definition->schema->root.child_count; i++) {
        const char *program = definition->programs[i];
        if (definition->operators[i] == STOA_MERGE_LAST) {
            continue;
        }
        STOA_TRY(stoa_buffer_append_format(out, err,
                                           "%s{\"column-id\":%" PRId32 ",\"operator\":\"%s\"",
                                           between, id_of(definition, i),
                                           stoa_merge_operator_name(definition->operators[i])));
        if (program != NULL) {
            STOA_TRY(stoa_buffer_append_text(out, ",\"program\":", err));
            STOA_TRY(stoa_json_string_print(program, strlen(program), out, err));
        }
        STOA_TRY(stoa_buffer_append_text(out, "}", err));
        between = ",";
    }
    return stoa_buffer_append_text(out, "]", err);
}

stoa_status stoa_definition_print(const stoa_definition *definition, stoa_buffer *out,
                                  stoa_error *err) {
    const char *view = NULL;
    stoa_buffer_clear(out);
    STOA_TRY(stoa_schema_to_json(definition->schema, out, err));
    STOA_ASSERT(out->data[out->size - 1] == '}');
    out->size--;
    STOA_TRY(stoa_buffer_append_format(out, err, ",\"last-column-id\":%" PRId32,
                                       definition->schema->field_id_max));
    STOA_TRY(print_key(definition, out, err));
    STOA_TRY(print_merge(definition, out, err));
    if (definition->ttl_column >= 0) {
        STOA_TRY(stoa_buffer_append_format(out, err,
                                           ",\"ttl\":{\"column-id\":%" PRId32 ",\"ms\":%" PRId64
                                           "}",
                                           id_of(definition, definition->ttl_column),
                                           definition->ttl_ms));
    }
    STOA_TRY(stoa_buffer_append_format(out, err,
                                       ",\"compaction\":{\"style\":\"%s\",\"fifo-bytes\":%" PRIu64
                                       "},\"codec\":\"%s\","
                                       "\"filter-bits\":%" PRId32 "}",
                                       styles[definition->compaction], definition->fifo_bytes,
                                       definition->codec, definition->filter_bits));
    return stoa_buffer_text(out, &view, err);
}

/* -- reading ---------------------------------------------------------------------------------- */

/* Members that a newer version added are refused: `known` ends with NULL. */
static stoa_status check_members(const json_t *object, const char *const *known, stoa_error *err) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        const char *const *at = known;
        while (*at != NULL && strcmp(*at, name) != 0) {
            at++;
        }
        if (*at == NULL) {
            return stoa_fail(err, STOA_UNSUPPORTED,
                             "member '%.60s' is not known; a newer version wrote it", name);
        }
    }
    return STOA_OK;
}

static stoa_status need_kind(const json_t *json, json_type type, const char *member,
                             const char *expected, stoa_error *err) {
    return json != NULL && json_typeof(json) == type
               ? STOA_OK
               : stoa_fail(err, STOA_CORRUPT, "expected %s as member '%s'", expected, member);
}

static stoa_status read_integer(const json_t *object, const char *member, int64_t least,
                                int64_t most, int64_t *out, stoa_error *err) {
    const json_t *json = json_object_get(object, member);
    STOA_TRY(need_kind(json, JSON_INTEGER, member, "an integer", err));
    *out = json_integer_value(json);
    return *out >= least && *out <= most
               ? STOA_OK
               : stoa_fail(err, STOA_CORRUPT,
                           "member '%s': expected %" PRId64 " to %" PRId64 " but found %" PRId64,
                           member, least, most, *out);
}

static stoa_status read_text(const json_t *object, const char *member, const char **out,
                             stoa_error *err) {
    const json_t *json = json_object_get(object, member);
    STOA_TRY(need_kind(json, JSON_STRING, member, "a string", err));
    *out = json_string_value(json);
    return STOA_OK;
}

/* One of `names`, or what only a newer version knows. */
static stoa_status read_name(const json_t *object, const char *member, const char *const *names,
                             int32_t count, int32_t *out, stoa_error *err) {
    const char *text;
    STOA_TRY(read_text(object, member, &text, err));
    for (*out = 0; *out < count; ++*out) {
        if (strcmp(names[*out], text) == 0) {
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_UNSUPPORTED, "%s '%.60s' is not known; a newer version wrote it",
                     member, text);
}

static stoa_status read_column(const json_t *object, const stoa_schema *schema, int32_t *out,
                               stoa_error *err) {
    int64_t id;
    STOA_TRY(read_integer(object, "column-id", 1, INT32_MAX, &id, err));
    for (*out = 0; *out < schema->root.child_count; ++*out) {
        if (schema->root.children[*out].id == id) {
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_CORRUPT, "member 'column-id': there is no column %" PRId64, id);
}

static stoa_status read_key(struct stoa_definition_maker *maker, const json_t *root) {
    static const char *const known[] = {"column-id", "descending", NULL};
    const stoa_schema *schema = maker->definition->schema;
    const json_t *list = json_object_get(root, "key");
    stoa_key_column columns[STOA_KEY_PARTS_MAX];
    STOA_TRY(need_kind(list, JSON_ARRAY, "key", "a list", maker->err));
    const size_t count = json_array_size(list);
    for (size_t i = 0; i < count && i < STOA_KEY_PARTS_MAX; i++) {
        const json_t *item = json_array_get(list, i);
        int32_t column;
        STOA_TRY(need_kind(item, JSON_OBJECT, "key", "objects", maker->err));
        STOA_TRY(check_members(item, known, maker->err));
        STOA_TRY(read_column(item, schema, &column, maker->err));
        const json_t *descending = json_object_get(item, "descending");
        if (!json_is_boolean(descending)) {
            return stoa_fail(maker->err, STOA_CORRUPT,
                             "expected true or false as member 'descending'");
        }
        columns[i] = (stoa_key_column){schema->root.children[column].id, json_is_true(descending)};
    }
    return stoa_definition_set_key(maker, columns, count > INT32_MAX ? INT32_MAX : (int32_t)count);
}

static stoa_status read_operator(struct stoa_definition_maker *maker, const json_t *item) {
    static const char *const known[] = {"column-id", "operator", "program", NULL};
    const char *name;
    const char *program = NULL;
    int32_t column;
    STOA_TRY(need_kind(item, JSON_OBJECT, "merge", "objects", maker->err));
    STOA_TRY(check_members(item, known, maker->err));
    STOA_TRY(read_column(item, maker->definition->schema, &column, maker->err));
    STOA_TRY(read_text(item, "operator", &name, maker->err));
    const int32_t found = stoa_merge_operator_find(name, strlen(name));
    if (found < 0) {
        return stoa_fail(maker->err, STOA_UNSUPPORTED,
                         "operator '%.60s' is not known; a newer version wrote it", name);
    }
    if (found == STOA_MERGE_PROGRAM) {
        STOA_TRY(read_text(item, "program", &program, maker->err));
    }
    return stoa_definition_set_operator(maker, column, (stoa_merge_operator)found, program);
}

static stoa_status read_merge(struct stoa_definition_maker *maker, const json_t *root) {
    const json_t *list = json_object_get(root, "merge");
    STOA_TRY(need_kind(list, JSON_ARRAY, "merge", "a list", maker->err));
    for (size_t i = 0; i < json_array_size(list); i++) {
        STOA_TRY(read_operator(maker, json_array_get(list, i)));
    }
    return STOA_OK;
}

static stoa_status read_ttl(struct stoa_definition_maker *maker, const json_t *root) {
    static const char *const known[] = {"column-id", "ms", NULL};
    const json_t *ttl = json_object_get(root, "ttl");
    int32_t column;
    int64_t ttl_ms;
    if (ttl == NULL) {
        return STOA_OK;
    }
    STOA_TRY(need_kind(ttl, JSON_OBJECT, "ttl", "an object", maker->err));
    STOA_TRY(check_members(ttl, known, maker->err));
    STOA_TRY(read_column(ttl, maker->definition->schema, &column, maker->err));
    STOA_TRY(read_integer(ttl, "ms", 0, INT64_MAX, &ttl_ms, maker->err));
    return stoa_definition_set_ttl(maker, column, ttl_ms);
}

static stoa_status read_storage(struct stoa_definition_maker *maker, const json_t *root) {
    static const char *const known[] = {"style", "fifo-bytes", NULL};
    const json_t *compaction = json_object_get(root, "compaction");
    int64_t fifo_bytes, filter_bits;
    int32_t style, codec;
    STOA_TRY(need_kind(compaction, JSON_OBJECT, "compaction", "an object", maker->err));
    STOA_TRY(check_members(compaction, known, maker->err));
    STOA_TRY(read_name(compaction, "style", styles, STYLE_COUNT, &style, maker->err));
    STOA_TRY(read_integer(compaction, "fifo-bytes", 0, INT64_MAX, &fifo_bytes, maker->err));
    STOA_TRY(read_name(root, "codec", stoa_definition_codecs, STOA_DEFINITION_CODECS, &codec,
                       maker->err));
    STOA_TRY(read_integer(root, "filter-bits", -1, STOA_FILTER_BITS_MAX, &filter_bits, maker->err));
    return stoa_definition_set_storage(maker, (stoa_compaction_style)style, (uint64_t)fifo_bytes,
                                       stoa_definition_codecs[codec], (int32_t)filter_bits);
}

/* The schema with the highest id that the table ever gave. */
static stoa_status read_schema(stoa_pool *pool, const json_t *root, const char *text,
                               const stoa_schema **out, stoa_error *err) {
    const stoa_schema *schema = NULL;
    int64_t id_max;
    *out = NULL;
    STOA_TRY(read_integer(root, "last-column-id", 0, INT32_MAX, &id_max, err));
    STOA_TRY(stoa_schema_from_json(pool, text, strlen(text), &schema, err));
    const stoa_status status = stoa_schema_create_version(pool, schema->root.children,
                                                          schema->root.child_count,
                                                          schema->schema_id, (int32_t)id_max, out,
                                                          err);
    stoa_schema_close(schema);
    return status;
}

static stoa_status read_members(struct stoa_definition_maker *maker, const json_t *root) {
    STOA_TRY(read_key(maker, root));
    STOA_TRY(read_merge(maker, root));
    STOA_TRY(read_ttl(maker, root));
    return read_storage(maker, root);
}

static stoa_status read_definition(stoa_pool *pool, const json_t *root, const char *text,
                                   stoa_definition **out, stoa_error *err) {
    static const char *const known[] = {"type",        "schema-id", "fields", "last-column-id",
                                        "key",         "merge",     "ttl",    "compaction",
                                        "filter-bits", "codec",     NULL};
    struct stoa_definition_maker maker;
    const stoa_schema *schema = NULL;
    STOA_TRY(need_kind(root, JSON_OBJECT, "definition", "an object", err));
    STOA_TRY(check_members(root, known, err));
    STOA_TRY(read_schema(pool, root, text, &schema, err));
    const stoa_status status = stoa_definition_begin(&maker, pool, schema, err);
    stoa_schema_close(schema);
    STOA_TRY(status);
    return stoa_definition_end(&maker, read_members(&maker, root), out);
}

stoa_status stoa_definition_parse(stoa_pool *pool, const char *text, stoa_definition **out,
                                  stoa_error *err) {
    json_error_t problem;
    *out = NULL;
    json_t *root = json_loadb(text, strlen(text), JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL) {
        return stoa_fail(err, STOA_CORRUPT, "definition: line %d, byte %d: %s", problem.line,
                         problem.position, problem.text);
    }
    stoa_status status = read_definition(pool, root, text, out, err);
    json_decref(root);
    if (status != STOA_OK) {
        stoa_wrap(err, "definition");
    }
    if (status == STOA_INVALID) { /* what a person wrote is invalid; what we wrote is damaged */
        status = STOA_CORRUPT;
        if (err != NULL) {
            err->status = STOA_CORRUPT;
        }
    }
    return status;
}
