/* Partition specs in the JSON of their schema, as Iceberg writes them:
 *
 *     "partition-spec": [{"name": "ts_month", "transform": "month", "source-id": 4, "field-id": 1000}]
 *
 * Reading turns each field into its text, so that what a person writes and what stands in a catalog go
 * through the same checks.
 *
 * Source   Apache Iceberg table specification, "Appendix C: JSON serialization", "Partition Specs" */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "arrow/print.h"
#include "schema/partition.h"
#include "schema/schema.h"

enum { FIRST_FIELD_ID = 1000 };

stoa_status stoa_partition_spec_to_json(const stoa_partition_spec *spec, stoa_buffer *out,
                                        stoa_error *err) {
    STOA_ASSERT(out->size > 0 && out->data[out->size - 1] == '}');
    out->size--;
    STOA_TRY(stoa_buffer_append_text(out, ",\"partition-spec\":[", err));
    for (int32_t i = 0; i < spec->field_count; i++) {
        const stoa_partition_field *field = &spec->fields[i];
        char transform[32];
        stoa_transform_print(field, transform);
        STOA_TRY(stoa_buffer_append_text(out, i == 0 ? "{\"name\":" : ",{\"name\":", err));
        STOA_TRY(stoa_json_string_print(field->name, strlen(field->name), out, err));
        STOA_TRY(stoa_buffer_append_format(
            out, err, ",\"transform\":\"%s\",\"source-id\":%d,\"field-id\":%d}", transform,
            (int)field->source_id, FIRST_FIELD_ID + (int)i));
    }
    return stoa_buffer_append_text(out, "]}", err);
}

/* "bucket[16]" over a column as "bucket(16, "column")". */
static stoa_status add_field(const stoa_schema *schema, const json_t *json, stoa_buffer *text,
                             stoa_error *err) {
    const char *transform = json_string_value(json_object_get(json, "transform"));
    const json_t *source = json_object_get(json, "source-id");
    json_int_t id = json_integer_value(source);
    const stoa_field *column = json_is_integer(source) && id > 0 && id <= INT32_MAX
                                   ? stoa_schema_field(schema, (int32_t)id)
                                   : NULL;
    if (transform == NULL || column == NULL) {
        return stoa_fail(err, STOA_INVALID,
                         "member 'partition-spec': expected a transform and the id of a column");
    }
    const char *width = strchr(transform, '[');
    int name = (int)(width == NULL ? strlen(transform) : (size_t)(width - transform));
    STOA_TRY(stoa_buffer_append_format(text, err, "%s%.*s(", text->size == 0 ? "" : ", ", name,
                                       transform));
    if (width != NULL) {
        STOA_TRY(stoa_buffer_append_format(text, err, "%.*s, ", (int)strcspn(width + 1, "]"),
                                           width + 1));
    }
    STOA_TRY(stoa_sql_identifier_print(column->name, text, err));
    return stoa_buffer_append_byte(text, ')', err);
}

static stoa_status read_list(stoa_pool *pool, const stoa_schema *schema, const json_t *list,
                             stoa_partition_spec **out, stoa_error *err) {
    stoa_buffer text;
    const char *view = NULL;
    stoa_status status = STOA_OK;
    stoa_buffer_init(&text, pool);
    for (size_t i = 0; i < json_array_size(list); i++) {
        STOA_CHECK(add_field(schema, json_array_get(list, i), &text, err));
    }
    STOA_CHECK(stoa_buffer_text(&text, &view, err));
    STOA_CHECK(stoa_partition_spec_parse(pool, schema, view, out, err));

done:
    stoa_buffer_release(&text);
    return status;
}

stoa_status stoa_partition_spec_from_json(stoa_pool *pool, const stoa_schema *schema,
                                          const char *json, size_t size, stoa_partition_spec **out,
                                          stoa_error *err) {
    json_error_t problem;
    *out = NULL;
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL) {
        return stoa_fail(err, STOA_INVALID, "line %d, byte %d: %s", problem.line, problem.position,
                         problem.text);
    }
    const json_t *list = json_object_get(root, "partition-spec");
    stoa_status status = list == NULL ? STOA_OK : read_list(pool, schema, list, out, err);
    json_decref(root);
    return status;
}
