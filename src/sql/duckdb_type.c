/* See duckdb_type.h. */
#include "sql/duckdb_type.h"

#include <string.h>

#include "arrow/schema.h"
#include "base/error.h"
#include "schema/schema.h"

enum { DEPTH_MAX = 64 };

struct reading {
    const struct duckdb_api *api;
    stoa_arena *arena;
    int depth;
};

static stoa_status read_type(struct reading *reading, duckdb_logical_type engine_type,
                             stoa_type *out, stoa_error *err);

static bool plain_kind(duckdb_type id, stoa_type *out) {
    static const struct {
        duckdb_type id;
        stoa_type_kind kind;
        stoa_type_unit unit;
        int precision;
    } kinds[] = {
        {DUCKDB_TYPE_BOOLEAN, STOA_TYPE_BOOLEAN, 0, 0},
        {DUCKDB_TYPE_TINYINT, STOA_TYPE_INT8, 0, 0},
        {DUCKDB_TYPE_SMALLINT, STOA_TYPE_INT16, 0, 0},
        {DUCKDB_TYPE_INTEGER, STOA_TYPE_INT, 0, 0},
        {DUCKDB_TYPE_BIGINT, STOA_TYPE_LONG, 0, 0},
        {DUCKDB_TYPE_UTINYINT, STOA_TYPE_UINT8, 0, 0},
        {DUCKDB_TYPE_USMALLINT, STOA_TYPE_UINT16, 0, 0},
        {DUCKDB_TYPE_UINTEGER, STOA_TYPE_UINT32, 0, 0},
        {DUCKDB_TYPE_UBIGINT, STOA_TYPE_UINT64, 0, 0},
        {DUCKDB_TYPE_HUGEINT, STOA_TYPE_DECIMAL, 0, 38},
        {DUCKDB_TYPE_UHUGEINT, STOA_TYPE_DECIMAL, 0, 38},
        {DUCKDB_TYPE_FLOAT, STOA_TYPE_FLOAT, 0, 0},
        {DUCKDB_TYPE_DOUBLE, STOA_TYPE_DOUBLE, 0, 0},
        {DUCKDB_TYPE_DATE, STOA_TYPE_DATE, 0, 0},
        {DUCKDB_TYPE_TIME, STOA_TYPE_TIME, STOA_TYPE_MICROSECONDS, 0},
        {DUCKDB_TYPE_TIME_NS, STOA_TYPE_TIME, STOA_TYPE_NANOSECONDS, 0},
        {DUCKDB_TYPE_TIMESTAMP_S, STOA_TYPE_TIMESTAMP, STOA_TYPE_SECONDS, 0},
        {DUCKDB_TYPE_TIMESTAMP_MS, STOA_TYPE_TIMESTAMP, STOA_TYPE_MILLISECONDS, 0},
        {DUCKDB_TYPE_TIMESTAMP, STOA_TYPE_TIMESTAMP, STOA_TYPE_MICROSECONDS, 0},
        {DUCKDB_TYPE_TIMESTAMP_NS, STOA_TYPE_TIMESTAMP, STOA_TYPE_NANOSECONDS, 0},
        {DUCKDB_TYPE_TIMESTAMP_TZ, STOA_TYPE_TIMESTAMP_TZ, STOA_TYPE_MICROSECONDS, 0},
        {DUCKDB_TYPE_INTERVAL, STOA_TYPE_INTERVAL, 0, 0},
        {DUCKDB_TYPE_VARCHAR, STOA_TYPE_STRING, 0, 0},
        {DUCKDB_TYPE_ENUM, STOA_TYPE_STRING, 0, 0},
        {DUCKDB_TYPE_BLOB, STOA_TYPE_BINARY, 0, 0},
        {DUCKDB_TYPE_UUID, STOA_TYPE_UUID, 0, 0},
        {DUCKDB_TYPE_SQLNULL, STOA_TYPE_INT, 0, 0}, /* as DuckDB itself gives it out */
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].id == id) {
            *out = (stoa_type){.kind = kinds[i].kind,
                               .unit = kinds[i].unit,
                               .precision = kinds[i].precision};
            return true;
        }
    }
    return false;
}

static const char *engine_name(duckdb_type id) {
    switch ((int)id) {
    case DUCKDB_TYPE_UNION: return "UNION";
    case DUCKDB_TYPE_BIT: return "BIT";
    case DUCKDB_TYPE_TIME_TZ: return "TIME WITH TIME ZONE";
    case DUCKDB_TYPE_BIGNUM: return "BIGNUM";
    case 40: return "GEOMETRY";
    case 41: return "VARIANT";
    default: return "without a name";
    }
}

static stoa_status child_fields(struct reading *reading, int32_t count, stoa_type *out,
                                stoa_field **fields, stoa_error *err) {
    STOA_TRY(stoa_arena_allocate_array(reading->arena, (size_t)count, sizeof **fields,
                                       (void **)fields, err));
    out->children = *fields;
    out->child_count = count;
    return STOA_OK;
}

/* Takes `engine_type`. */
static stoa_status read_child(struct reading *reading, duckdb_logical_type engine_type,
                              const char *name, bool required, stoa_field *out, stoa_error *err) {
    *out = (stoa_field){.name = name, .required = required};
    stoa_status status = read_type(reading, engine_type, &out->type, err);
    reading->api->destroy_logical_type(&engine_type);
    return status;
}

static stoa_status read_struct(struct reading *reading, duckdb_logical_type engine_type,
                               stoa_type *out, stoa_error *err) {
    const struct duckdb_api *api = reading->api;
    int32_t count = (int32_t)api->struct_type_child_count(engine_type);
    stoa_field *fields;
    out->kind = STOA_TYPE_STRUCT;
    STOA_TRY(child_fields(reading, count, out, &fields, err));
    for (int32_t i = 0; i < count; i++) {
        char *name = api->struct_type_child_name(engine_type, (idx_t)i);
        const char *kept = NULL;
        stoa_status status = stoa_arena_copy_text(reading->arena, name, strlen(name), &kept, err);
        api->free(name);
        STOA_TRY(status);
        STOA_TRY(read_child(reading, api->struct_type_child_type(engine_type, (idx_t)i), kept,
                            false, &fields[i], err));
    }
    return STOA_OK;
}

static stoa_status read_type(struct reading *reading, duckdb_logical_type engine_type,
                             stoa_type *out, stoa_error *err) {
    const struct duckdb_api *api = reading->api;
    duckdb_type id = api->get_type_id(engine_type);
    stoa_field *fields;
    *out = (stoa_type){0};
    if (plain_kind(id, out)) {
        return STOA_OK;
    }
    if (++reading->depth > DEPTH_MAX) {
        return stoa_fail(err, STOA_UNSUPPORTED, "a type nests deeper than %d levels", DEPTH_MAX);
    }
    stoa_status status = STOA_OK;
    switch (id) {
    case DUCKDB_TYPE_DECIMAL:
        out->kind = STOA_TYPE_DECIMAL;
        out->precision = api->decimal_width(engine_type);
        out->scale = api->decimal_scale(engine_type);
        break;
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
        out->kind = STOA_TYPE_LIST;
        STOA_TRY(child_fields(reading, 1, out, &fields, err));
        status = read_child(reading,
                            id == DUCKDB_TYPE_LIST ? api->list_type_child_type(engine_type)
                                                   : api->array_type_child_type(engine_type),
                            "element", false, &fields[0], err);
        break;
    case DUCKDB_TYPE_MAP:
        out->kind = STOA_TYPE_MAP;
        STOA_TRY(child_fields(reading, 2, out, &fields, err));
        STOA_TRY(
            read_child(reading, api->map_type_key_type(engine_type), "key", true, &fields[0], err));
        status = read_child(reading, api->map_type_value_type(engine_type), "value", false,
                            &fields[1], err);
        break;
    case DUCKDB_TYPE_STRUCT: status = read_struct(reading, engine_type, out, err); break;
    default:
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "the engine's type %s has no twin in Arrow: cast it to VARCHAR",
                         engine_name(id));
    }
    reading->depth--;
    return status;
}

stoa_status stoa_sql_type_from_engine(const struct duckdb_api *api, stoa_arena *arena,
                                      duckdb_logical_type engine_type, stoa_type *out,
                                      stoa_error *err) {
    struct reading reading = {api, arena, 0};
    return read_type(&reading, engine_type, out, err);
}

static stoa_status write_schema(stoa_pool *pool, const stoa_type *type, const char *name,
                                bool nullable, struct ArrowSchema *out, stoa_error *err) {
    char format[STOA_ARROW_FORMAT_BYTES];
    stoa_type_arrow_format(type, format);
    bool map = type->kind == STOA_TYPE_MAP;
    STOA_TRY(stoa_arrow_schema_init(pool, format, name, nullable, map ? 1 : type->child_count, out,
                                    err));
    stoa_status status = STOA_OK;
    if (type->kind == STOA_TYPE_UUID) {
        const char *keys[] = {"ARROW:extension:name", "ARROW:extension:metadata"};
        const char *values[] = {"arrow.uuid", ""};
        STOA_CHECK(stoa_arrow_schema_set_metadata(pool, out, keys, values, 2, err));
    }
    if (map) {
        stoa_type entries = {.kind = STOA_TYPE_STRUCT,
                             .child_count = type->child_count,
                             .children = type->children};
        STOA_CHECK(write_schema(pool, &entries, "entries", false, out->children[0], err));
        goto done;
    }
    for (int32_t i = 0; i < type->child_count; i++) {
        const stoa_field *child = &type->children[i];
        STOA_CHECK(
            write_schema(pool, &child->type, child->name, !child->required, out->children[i], err));
    }

done:
    if (status != STOA_OK) {
        stoa_arrow_schema_release(out);
    }
    return status;
}

stoa_status stoa_sql_type_arrow_schema(stoa_pool *pool, const stoa_type *type, const char *name,
                                       struct ArrowSchema *out, stoa_error *err) {
    return write_schema(pool, type, name, true, out, err);
}
