/* See partitions.h. Values go to the engine as texts that it casts to the columns' types, which is
 * exact: they are the texts that folders are named with. `file_index` counts the files of a call. */
#include "sql/partitions.h"

#include <string.h>

#include "schema/hive_path.h"
#include "schema/schema.h"
#include "sql/duckdb_fill.h"

/* The empty branch gives the columns their order, the other one their types. */
const char stoa_sql_partitioned_macro[] =
    "CREATE MACRO stoa_partitioned(files, partitions, columns) AS TABLE "
    "FROM (SELECT unnest(columns) WHERE false) UNION ALL BY NAME "
    "(SELECT unnest(partitions[(file_index + 1)::BIGINT]), f.* "
    "FROM read_parquet(files, hive_partitioning := false) AS f)";

static const stoa_field *lacking_column(const stoa_plan *plan, int32_t field) {
    const stoa_partition_field *told = &stoa_plan_partitions(plan)->fields[field];
    return told->transform == STOA_TRANSFORM_IDENTITY
               ? stoa_schema_field(stoa_plan_table_schema(plan), told->source_id)
               : NULL;
}

bool stoa_sql_plan_lacks_columns(const stoa_plan *plan) {
    const stoa_partition_spec *spec = stoa_plan_partitions(plan);
    for (int32_t i = 0; spec != NULL && i < spec->field_count; i++) {
        if (lacking_column(plan, i) != NULL) {
            return true;
        }
    }
    return false;
}

static stoa_status print_value(const stoa_value *value, stoa_buffer *out, stoa_error *err) {
    stoa_buffer_clear(out);
    STOA_TRY(stoa_hive_value_print(value, out, err));
    return value->type.kind == STOA_TYPE_TIMESTAMP_TZ ? stoa_buffer_append_text(out, "+00", err)
                                                      : STOA_OK;
}

/* ---- values of the engine's ------------------------------------------------------------------ */

/* Columns of a struct that is being made; all of them are given back by members_release. */
struct members {
    const struct duckdb_api *api;
    duckdb_logical_type types[STOA_PARTITION_FIELDS_MAX];
    const char *names[STOA_PARTITION_FIELDS_MAX];
    idx_t count;
};

static void members_release(struct members *members) {
    for (idx_t i = 0; i < members->count; i++) {
        members->api->destroy_logical_type(&members->types[i]);
    }
}

static duckdb_logical_type struct_type(const struct duckdb_api *api, const stoa_plan *plan) {
    struct members members = {.api = api};
    duckdb_logical_type type = NULL;
    for (int32_t i = 0; i < stoa_plan_partitions(plan)->field_count; i++) {
        const stoa_field *column = lacking_column(plan, i);
        if (column != NULL) {
            members.types[members.count] = stoa_sql_engine_type(api, &column->type);
            members.names[members.count++] = column->name;
        }
    }
    type = api->create_struct_type(members.types, members.names, members.count);
    members_release(&members);
    return type;
}

static duckdb_value split_value(const struct duckdb_api *api, const stoa_plan *plan, int32_t split,
                                duckdb_logical_type type, stoa_buffer *text) {
    duckdb_value members[STOA_PARTITION_FIELDS_MAX];
    idx_t count = 0;
    for (int32_t i = 0; i < stoa_plan_partitions(plan)->field_count; i++) {
        const stoa_value *value = &stoa_plan_partition(plan, split)[i];
        if (lacking_column(plan, i) == NULL) {
            continue;
        }
        members[count++] = !value->is_null && print_value(value, text, NULL) == STOA_OK
                               ? api->create_varchar_length((const char *)text->data,
                                                            (idx_t)text->size)
                               : api->create_null_value();
    }
    duckdb_value made = api->create_struct_value(type, members);
    for (idx_t i = 0; i < count; i++) {
        api->destroy_value(&members[i]);
    }
    return made;
}

duckdb_value stoa_sql_partition_values(const struct duckdb_api *api, const stoa_plan *plan,
                                       stoa_pool *pool) {
    duckdb_value *values = NULL;
    stoa_buffer text;
    size_t count = (size_t)stoa_plan_split_count(plan);
    if (stoa_pool_allocate_array(pool, count, sizeof *values, (void **)&values, NULL) != STOA_OK) {
        return NULL;
    }
    stoa_buffer_init(&text, pool);
    duckdb_logical_type type = struct_type(api, plan);
    for (size_t i = 0; i < count; i++) {
        values[i] = split_value(api, plan, (int32_t)i, type, &text);
    }
    duckdb_value list = api->create_list_value(type, values, (idx_t)count);
    for (size_t i = 0; i < count; i++) {
        api->destroy_value(&values[i]);
    }
    api->destroy_logical_type(&type);
    stoa_buffer_release(&text);
    stoa_pool_free(pool, values, count * sizeof *values);
    return list;
}

/* The engine takes arrays of each. */
static duckdb_value null_struct(const struct duckdb_api *api, const stoa_type *root,
                                stoa_arena *arena) {
    duckdb_logical_type *types = NULL;
    duckdb_value *values = NULL;
    const char **names = NULL;
    size_t count = (size_t)root->child_count;
    if (stoa_arena_allocate_array(arena, count, sizeof *types, (void **)&types, NULL) != STOA_OK ||
        stoa_arena_allocate_array(arena, count, sizeof *values, (void **)&values, NULL) !=
            STOA_OK ||
        stoa_arena_allocate_array(arena, count, sizeof *names, (void **)&names, NULL) != STOA_OK) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        types[i] = api->create_logical_type(DUCKDB_TYPE_SQLNULL);
        values[i] = api->create_null_value();
        names[i] = root->children[i].name;
    }
    duckdb_logical_type type = api->create_struct_type(types, names, (idx_t)count);
    duckdb_value made = api->create_struct_value(type, values);
    for (size_t i = 0; i < count; i++) {
        api->destroy_logical_type(&types[i]);
        api->destroy_value(&values[i]);
    }
    api->destroy_logical_type(&type);
    return made;
}

duckdb_value stoa_sql_partition_columns(const struct duckdb_api *api, const stoa_plan *plan,
                                        stoa_pool *pool) {
    stoa_arena arena;
    stoa_arena_init(&arena, pool);
    duckdb_value made = null_struct(api, &stoa_plan_table_schema(plan)->root, &arena);
    stoa_arena_release(&arena);
    return made;
}

/* ---- the same as text ------------------------------------------------------------------------ */

static stoa_status add_value(const stoa_value *value, const stoa_field *column, stoa_buffer *bytes,
                             struct sql_text *text, stoa_error *err) {
    const char *view = NULL;
    if (value->is_null) {
        return stoa_sql_text_add(text, "NULL", err);
    }
    STOA_TRY(print_value(value, bytes, err));
    if (memchr(bytes->data == NULL ? (void *)"" : bytes->data, '\0', bytes->size) != NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "column '%s': a partition whose value has a zero byte cannot be rewritten",
                         column->name);
    }
    STOA_TRY(stoa_buffer_text(bytes, &view, err));
    return stoa_sql_text_literal(text, view, err);
}

static stoa_status add_values(const stoa_plan *plan, int32_t split, stoa_buffer *bytes,
                              struct sql_text *text, stoa_error *err) {
    bool first = true;
    for (int32_t i = 0; i < stoa_plan_partitions(plan)->field_count; i++) {
        const stoa_field *column = lacking_column(plan, i);
        if (column == NULL) {
            continue;
        }
        STOA_TRY(stoa_sql_text_add(text, first ? "{" : ", ", err));
        STOA_TRY(stoa_sql_text_identifier(text, column->name, err));
        STOA_TRY(stoa_sql_text_add(text, ": CAST(", err));
        STOA_TRY(add_value(&stoa_plan_partition(plan, split)[i], column, bytes, text, err));
        STOA_TRY(stoa_sql_text_add(text, " AS ", err));
        STOA_TRY(stoa_type_to_duckdb(&column->type, &text->text, err));
        STOA_TRY(stoa_sql_text_add(text, ")", err));
        first = false;
    }
    return stoa_sql_text_add(text, "}", err);
}

static stoa_status add_order(const stoa_plan *plan, struct sql_text *text, stoa_error *err) {
    const stoa_type *root = &stoa_plan_table_schema(plan)->root;
    STOA_TRY(stoa_sql_text_add(text, "(FROM (SELECT ", err));
    for (int32_t i = 0; i < root->child_count; i++) {
        STOA_TRY(stoa_sql_text_add(text, i == 0 ? "NULL AS " : ", NULL AS ", err));
        STOA_TRY(stoa_sql_text_identifier(text, root->children[i].name, err));
    }
    return stoa_sql_text_add(text, " WHERE false) UNION ALL BY NAME (SELECT unnest([", err);
}

static stoa_status add_rows(stoa_plan *plan, const int32_t *splits, int32_t count,
                            const char *options, const stoa_context *context, stoa_buffer *bytes,
                            struct sql_text *text, stoa_error *err) {
    for (int32_t i = 0; i < count; i++) {
        STOA_TRY(stoa_sql_text_add(text, i == 0 ? "" : ", ", err));
        STOA_TRY(add_values(plan, splits != NULL ? splits[i] : i, bytes, text, err));
    }
    STOA_TRY(stoa_sql_text_add(text, "][(file_index + 1)::BIGINT]), f.* FROM read_parquet([", err));
    for (int32_t i = 0; i < count; i++) {
        const char *path = NULL;
        STOA_TRY(
            stoa_plan_parquet_path(plan, splits != NULL ? splits[i] : i, context, &path, err));
        STOA_TRY(stoa_sql_text_add(text, i == 0 ? "" : ", ", err));
        STOA_TRY(stoa_sql_text_literal(text, path, err));
    }
    STOA_TRY(stoa_sql_text_add(text, "]", err));
    STOA_TRY(stoa_sql_text_add(text, options, err));
    return stoa_sql_text_add(text, ", hive_partitioning = false) AS f))", err);
}

stoa_status stoa_sql_add_partitioned(stoa_plan *plan, const int32_t *splits, int32_t count,
                                     const char *options, const stoa_context *context,
                                     struct sql_text *text, stoa_error *err) {
    stoa_buffer bytes;
    stoa_buffer_init(&bytes, text->text.pool);
    stoa_status status = add_order(plan, text, err);
    if (status == STOA_OK) {
        status = add_rows(plan, splits, count, options, context, &bytes, text, err);
    }
    stoa_buffer_release(&bytes);
    return status;
}
