/* See hive.h. Types are found as DuckDB finds them: whole numbers, days, instants, else text; a value
 * counts as one of them only if it would be written just so, so that nothing is lost. */
#include "ingest/hive.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "schema/hive_path.h"
#include "schema/schema.h"

enum { COLUMNS_MAX = 256 };

struct finder {
    stoa_arena *arena;
    stoa_hive_columns *out;
    const char **texts; /* of file f, as out->values; NULL: null */
    size_t file_count;
};

/* ---- names and texts ------------------------------------------------------------------------- */

/* The folder at `*at`, "name=value", and moves behind it; false at the file's own name. */
static bool next_folder(const char **at, const char **name, size_t *name_size, const char **value,
                        size_t *value_size) {
    for (;;) {
        const char *end = strchr(*at, '/');
        if (end == NULL) {
            return false;
        }
        const char *sign = memchr(*at, '=', (size_t)(end - *at));
        *name = *at;
        *at = end + 1;
        if (sign != NULL && sign > *name) {
            *name_size = (size_t)(sign - *name);
            *value = sign + 1;
            *value_size = (size_t)(end - *value);
            return true;
        }
    }
}

static stoa_status unescape(stoa_arena *arena, const char *text, size_t size, const char **out,
                            stoa_error *err) {
    stoa_buffer plain;
    stoa_buffer_init(&plain, arena->pool);
    stoa_status status = stoa_hive_unescape(text, size, &plain, err);
    if (status == STOA_OK) {
        status = stoa_arena_copy_text(arena, (const char *)plain.data, plain.size, out, err);
    }
    stoa_buffer_release(&plain);
    return status;
}

static int32_t find_name(const stoa_hive_columns *columns, const char *name) {
    int32_t i = 0;
    while (i < columns->count && strcmp(columns->names[i], name) != 0) {
        i++;
    }
    return i;
}

/* Calls `visit` for each folder of a path. */
typedef stoa_status (*visit_folder)(struct finder *finder, size_t file, const char *name,
                                    const char *value, size_t value_size, stoa_error *err);

static stoa_status each_folder(struct finder *finder, const char *path, size_t file,
                               visit_folder visit, stoa_error *err) {
    const char *at = path, *name, *value, *plain;
    size_t name_size, value_size;
    while (next_folder(&at, &name, &name_size, &value, &value_size)) {
        STOA_TRY(unescape(finder->arena, name, name_size, &plain, err));
        if (stoa_utf8_valid(plain, strlen(plain), NULL)) {
            STOA_TRY(visit(finder, file, plain, value, value_size, err));
        }
    }
    return STOA_OK;
}

static stoa_status note_name(struct finder *finder, size_t file, const char *name,
                             const char *value, size_t value_size, stoa_error *err) {
    (void)file, (void)value, (void)value_size;
    if (find_name(finder->out, name) < finder->out->count) {
        return STOA_OK;
    }
    if (finder->out->count == COLUMNS_MAX) {
        return stoa_fail(err, STOA_LIMIT, "the names of folders make more than %d columns",
                         COLUMNS_MAX);
    }
    finder->out->names[finder->out->count++] = name;
    return STOA_OK;
}

static stoa_status note_text(struct finder *finder, size_t file, const char *name,
                             const char *value, size_t value_size, stoa_error *err) {
    bool is_null = value_size == 0 || (value_size == strlen(STOA_HIVE_NULL) &&
                                       memcmp(value, STOA_HIVE_NULL, value_size) == 0);
    int32_t column = find_name(finder->out, name);
    const char **text = &finder->texts[file * (size_t)finder->out->count + (size_t)column];
    *text = NULL;
    return is_null ? STOA_OK : unescape(finder->arena, value, value_size, text, err);
}

/* ---- types ----------------------------------------------------------------------------------- */

/* The value is what the text says, and would be written so. */
static bool is_written_so(stoa_arena *arena, const stoa_type *type, const char *text) {
    stoa_value value;
    stoa_buffer again;
    if (stoa_value_parse(arena, type, text, strlen(text), &value, NULL) != STOA_OK) {
        return false;
    }
    stoa_buffer_init(&again, arena->pool);
    bool same = stoa_hive_value_print(&value, &again, NULL) == STOA_OK &&
                again.size == strlen(text) && memcmp(again.data, text, again.size) == 0;
    stoa_buffer_release(&again);
    return same;
}

static stoa_type find_type(const struct finder *finder, int32_t column) {
    static const stoa_type candidates[] = {
        {.kind = STOA_TYPE_LONG},
        {.kind = STOA_TYPE_DATE},
        {.kind = STOA_TYPE_TIMESTAMP, .unit = STOA_TYPE_MICROSECONDS},
    };
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        bool fits = true, any = false;
        for (size_t file = 0; file < finder->file_count && fits; file++) {
            const char *text = finder->texts[file * (size_t)finder->out->count + (size_t)column];
            any = any || text != NULL;
            fits = text == NULL || is_written_so(finder->arena, &candidates[i], text);
        }
        if (fits && any) {
            return candidates[i];
        }
    }
    return (stoa_type){.kind = STOA_TYPE_STRING};
}

static stoa_status set_types(struct finder *finder, const stoa_schema *known, stoa_error *err) {
    stoa_hive_columns *out = finder->out;
    STOA_TRY(stoa_arena_allocate_array(finder->arena, (size_t)out->count, sizeof *out->types,
                                       (void **)&out->types, err));
    for (int32_t i = 0; i < out->count; i++) {
        const stoa_field *field = known == NULL ? NULL : stoa_schema_column(known, out->names[i]);
        out->types[i] = field != NULL && stoa_hive_type_has_text(&field->type)
                            ? field->type
                            : find_type(finder, i);
    }
    return STOA_OK;
}

/* Instants in names of folders carry no zone: they are in UTC. */
static stoa_status parse_value(struct finder *finder, const stoa_type *type, const char *text,
                               stoa_value *out, stoa_error *err) {
    stoa_buffer instant;
    if (text == NULL) {
        *out = (stoa_value){.type = *type, .is_null = true};
        return STOA_OK;
    }
    if (type->kind != STOA_TYPE_TIMESTAMP_TZ ||
        stoa_value_parse(finder->arena, type, text, strlen(text), out, NULL) == STOA_OK) {
        return stoa_value_parse(finder->arena, type, text, strlen(text), out, err);
    }
    stoa_buffer_init(&instant, finder->arena->pool);
    stoa_status status = stoa_buffer_append_format(&instant, err, "%sZ", text);
    if (status == STOA_OK) {
        status = stoa_value_parse(finder->arena, type, (const char *)instant.data, instant.size,
                                  out, err);
    }
    stoa_buffer_release(&instant);
    return status;
}

static stoa_status set_values(struct finder *finder, const char *const *paths, stoa_error *err) {
    stoa_hive_columns *out = finder->out;
    stoa_value *values = NULL;
    size_t count = (size_t)out->count;
    STOA_TRY(stoa_arena_allocate_array(finder->arena, finder->file_count * count, sizeof *values,
                                       (void **)&values, err));
    out->values = values;
    for (size_t i = 0; i < finder->file_count * count; i++) {
        stoa_status status = parse_value(finder, &out->types[i % count], finder->texts[i],
                                         &values[i], err);
        if (status != STOA_OK) {
            stoa_wrap(err, "'%s': folder of column '%s'", paths[i / count], out->names[i % count]);
            stoa_error_set_file(err, paths[i / count], -1);
            return status;
        }
    }
    return STOA_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

stoa_status stoa_hive_find(stoa_pool *pool, const char *const *paths, size_t count,
                           const stoa_schema *known, stoa_hive_columns *out, stoa_error *err) {
    *out = (stoa_hive_columns){0};
    stoa_arena_init(&out->arena, pool);
    struct finder finder = {.arena = &out->arena, .out = out, .file_count = count};
    STOA_TRY(stoa_arena_allocate_array(&out->arena, COLUMNS_MAX, sizeof *out->names,
                                       (void **)&out->names, err));
    for (size_t i = 0; i < count; i++) {
        STOA_TRY(each_folder(&finder, paths[i], i, note_name, err));
    }
    if (out->count == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(&out->arena, count * (size_t)out->count,
                                       sizeof *finder.texts, (void **)&finder.texts, err));
    for (size_t i = 0; i < count; i++) {
        STOA_TRY(each_folder(&finder, paths[i], i, note_text, err));
    }
    STOA_TRY(set_types(&finder, known, err));
    return set_values(&finder, paths, err);
}

void stoa_hive_release(stoa_hive_columns *columns) {
    stoa_arena_release(&columns->arena);
    *columns = (stoa_hive_columns){0};
}

stoa_status stoa_hive_add_columns(stoa_hive_columns *columns, stoa_pool *pool,
                                  const stoa_schema *schema, const stoa_schema **out,
                                  const int32_t **out_ids, stoa_error *err) {
    stoa_field *fields = NULL;
    int32_t *ids = NULL;
    int32_t count = schema->root.child_count;
    int32_t next_id = schema->field_id_max + 1;
    STOA_TRY(stoa_arena_allocate_array(&columns->arena, (size_t)(count + columns->count),
                                       sizeof *fields, (void **)&fields, err));
    STOA_TRY(stoa_arena_allocate_array(&columns->arena, (size_t)columns->count, sizeof *ids,
                                       (void **)&ids, err));
    if (count > 0) {
        memcpy(fields, schema->root.children, (size_t)count * sizeof *fields);
    }
    for (int32_t i = 0; i < columns->count; i++) {
        int32_t at = stoa_schema_column_index(schema, columns->names[i]);
        bool is_new = at < 0;
        at = is_new ? count++ : at;
        ids[i] = is_new ? next_id++ : fields[at].id;
        fields[at] = (stoa_field){.id = ids[i],
                                  .name = is_new ? columns->names[i] : fields[at].name,
                                  .type = columns->types[i]};
    }
    *out_ids = ids;
    return stoa_schema_create_version(pool, fields, count, schema->schema_id, next_id - 1, out,
                                      err);
}
