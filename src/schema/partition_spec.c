/* Partition specs: their text, and which transform goes with which type. See partition.h. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "schema/hive_path.h"
#include "schema/partition.h"
#include "schema/scanner.h"
#include "schema/schema.h"

static const struct {
    const char *name;
    const char *plural; /* as Spark also says */
    const char *suffix; /* of the field's name */
} transforms[] = {
    [STOA_TRANSFORM_IDENTITY] = {"identity", "identity", ""},
    [STOA_TRANSFORM_YEAR] = {"year", "years", "_year"},
    [STOA_TRANSFORM_MONTH] = {"month", "months", "_month"},
    [STOA_TRANSFORM_DAY] = {"day", "days", "_day"},
    [STOA_TRANSFORM_HOUR] = {"hour", "hours", "_hour"},
    [STOA_TRANSFORM_BUCKET] = {"bucket", "bucket", "_bucket"},
    [STOA_TRANSFORM_TRUNCATE] = {"truncate", "truncate", "_trunc"},
};
enum { TRANSFORM_COUNT = sizeof transforms / sizeof transforms[0] };

static bool has_width(stoa_transform transform) {
    return transform == STOA_TRANSFORM_BUCKET || transform == STOA_TRANSFORM_TRUNCATE;
}

/* ---- what goes together ---------------------------------------------------------------------- */

static bool is_number(stoa_type_kind kind) {
    return stoa_type_is_signed_integer(kind) || stoa_type_is_unsigned_integer(kind) ||
           kind == STOA_TYPE_DECIMAL;
}

static bool is_instant(stoa_type_kind kind) {
    return kind == STOA_TYPE_TIMESTAMP || kind == STOA_TYPE_TIMESTAMP_TZ;
}

static bool applies(stoa_transform transform, const stoa_type *type) {
    stoa_type_kind kind = type->kind;
    switch (transform) {
    case STOA_TRANSFORM_IDENTITY: return stoa_hive_type_has_text(type);
    case STOA_TRANSFORM_HOUR: return is_instant(kind);
    case STOA_TRANSFORM_BUCKET:
        return is_number(kind) || is_instant(kind) || kind == STOA_TYPE_DATE ||
               kind == STOA_TYPE_TIME || kind == STOA_TYPE_STRING || kind == STOA_TYPE_BINARY ||
               kind == STOA_TYPE_FIXED || kind == STOA_TYPE_UUID;
    case STOA_TRANSFORM_TRUNCATE: return is_number(kind) || kind == STOA_TYPE_STRING;
    default: return is_instant(kind) || kind == STOA_TYPE_DATE;
    }
}

static stoa_status check_type(const stoa_partition_field *field, const char *column,
                              stoa_error *err) {
    if (applies(field->transform, &field->source)) {
        return STOA_OK;
    }
    bool no_text = field->transform == STOA_TRANSFORM_IDENTITY;
    return stoa_fail(err, no_text ? STOA_UNSUPPORTED : STOA_INVALID,
                     "column '%.100s': %s does not go with type %s", column,
                     no_text ? "partitioning" : transforms[field->transform].name,
                     stoa_type_describe(&field->source).text);
}

static stoa_status check_name(const stoa_partition_spec *spec, const stoa_schema *schema,
                              const stoa_partition_field *field, stoa_error *err) {
    const stoa_field *column = stoa_schema_column(schema, field->name);
    if (column != NULL && field->transform != STOA_TRANSFORM_IDENTITY) {
        return stoa_fail(err, STOA_INVALID,
                         "partition '%.100s' would hide the column of this name", field->name);
    }
    for (int32_t i = 0; i < spec->field_count; i++) {
        if (strcmp(spec->fields[i].name, field->name) == 0) {
            return stoa_fail(err, STOA_INVALID, "partition '%.100s' is named twice", field->name);
        }
    }
    return STOA_OK;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* "month(" makes a transform; a column may be called the same. */
static bool take_transform(stoa_scanner *scanner, stoa_transform *out) {
    size_t before = scanner->position;
    for (int i = 0; i < TRANSFORM_COUNT; i++) {
        if ((stoa_scanner_take_word(scanner, transforms[i].name) ||
             stoa_scanner_take_word(scanner, transforms[i].plural)) &&
            stoa_scanner_take(scanner, '(')) {
            *out = (stoa_transform)i;
            return true;
        }
        scanner->position = before;
    }
    *out = STOA_TRANSFORM_IDENTITY;
    return false;
}

static stoa_status parse_width(stoa_scanner *scanner, stoa_partition_field *field) {
    size_t before = scanner->position;
    STOA_TRY(stoa_scanner_take_number(scanner, &field->width));
    int32_t most = field->transform == STOA_TRANSFORM_BUCKET ? STOA_BUCKETS_MAX : INT32_MAX;
    if (field->width < 1 || field->width > most) {
        scanner->position = before;
        return stoa_fail(scanner->err, STOA_INVALID, "%s: expected a number of 1 to %d but found %d",
                         transforms[field->transform].name, (int)most, (int)field->width);
    }
    return STOA_OK;
}

static stoa_status parse_field(stoa_scanner *scanner, const stoa_schema *schema,
                               stoa_partition_field *field, const char **out_column) {
    bool brackets = take_transform(scanner, &field->transform);
    bool wide = has_width(field->transform);
    bool width_first = wide && stoa_ascii_is_digit(stoa_scanner_peek(scanner));
    if (width_first) {
        STOA_TRY(parse_width(scanner, field));
        STOA_TRY(stoa_scanner_need(scanner, ','));
    }
    STOA_TRY(stoa_scanner_take_name(scanner, out_column));
    const stoa_field *column = stoa_schema_column(schema, *out_column);
    if (column == NULL) {
        return stoa_fail(scanner->err, STOA_INVALID, "there is no column '%.100s'", *out_column);
    }
    if (wide && !width_first) {
        STOA_TRY(stoa_scanner_need(scanner, ','));
        STOA_TRY(parse_width(scanner, field));
    }
    field->source_id = column->id;
    field->source = column->type;
    *out_column = column->name;
    return brackets ? stoa_scanner_need(scanner, ')') : STOA_OK;
}

static void set_result(stoa_partition_field *field) {
    bool same = field->transform == STOA_TRANSFORM_IDENTITY ||
                field->transform == STOA_TRANSFORM_TRUNCATE;
    stoa_type_kind kind = field->transform == STOA_TRANSFORM_DAY ? STOA_TYPE_DATE : STOA_TYPE_INT;
    field->source.children = NULL;
    field->source.child_count = 0;
    field->type = same ? field->source : (stoa_type){.kind = kind};
}

static stoa_status add_field(stoa_partition_spec *spec, stoa_scanner *scanner,
                             const stoa_schema *schema) {
    stoa_partition_field field = {0};
    const char *column = NULL;
    stoa_buffer name;
    stoa_buffer_init(&name, spec->arena.pool);
    stoa_status status = STOA_OK;
    STOA_TRY(parse_field(scanner, schema, &field, &column));
    STOA_TRY(check_type(&field, column, scanner->err));
    set_result(&field);
    STOA_CHECK(stoa_buffer_append_text(&name, column, scanner->err));
    STOA_CHECK(
        stoa_buffer_append_text(&name, transforms[field.transform].suffix, scanner->err));
    STOA_CHECK(stoa_arena_copy_text(&spec->arena, (const char *)name.data, name.size, &field.name,
                                    scanner->err));
    STOA_CHECK(check_name(spec, schema, &field, scanner->err));
    if (spec->field_count == STOA_PARTITION_FIELDS_MAX) {
        status = stoa_fail(scanner->err, STOA_LIMIT, "a table has at most %d partition fields",
                           STOA_PARTITION_FIELDS_MAX);
        goto done;
    }
    spec->fields[spec->field_count++] = field;

done:
    stoa_buffer_release(&name);
    return status;
}

static stoa_status check_rest(const stoa_partition_spec *spec, const stoa_schema *schema,
                              stoa_error *err) {
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        if (stoa_partition_identity(spec, schema->root.children[i].id) < 0) {
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_INVALID,
                     "every column is a partition, which leaves none for the files");
}

static stoa_status parse_all(stoa_partition_spec *spec, stoa_scanner *scanner,
                             const stoa_schema *schema) {
    STOA_TRY(stoa_arena_allocate_array(&spec->arena, STOA_PARTITION_FIELDS_MAX,
                                       sizeof *spec->fields, (void **)&spec->fields, scanner->err));
    do {
        STOA_TRY(add_field(spec, scanner, schema));
    } while (stoa_scanner_take(scanner, ','));
    if (stoa_scanner_peek(scanner) != '\0') {
        return stoa_scanner_fail(scanner, "',' or the end of the partitions");
    }
    return check_rest(spec, schema, scanner->err);
}

stoa_status stoa_partition_spec_parse(stoa_pool *pool, const stoa_schema *schema, const char *text,
                                      stoa_partition_spec **out, stoa_error *err) {
    stoa_partition_spec *spec = NULL;
    stoa_arena scratch;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *spec, (void **)&spec, err));
    atomic_init(&spec->references, 1);
    stoa_arena_init(&spec->arena, pool);
    stoa_arena_init(&scratch, pool);
    stoa_scanner scanner = {.text = text, .size = strlen(text), .arena = &scratch, .err = err};
    stoa_status status = parse_all(spec, &scanner, schema);
    if (status == STOA_OK) {
        *out = spec;
    } else {
        if (err != NULL && err->offset < 0) {
            err->offset = (int64_t)scanner.position;
        }
        stoa_partition_spec_close(spec);
    }
    stoa_arena_release(&scratch);
    return status;
}

stoa_status stoa_partition_spec_print(const stoa_partition_spec *spec, const stoa_schema *schema,
                                      stoa_buffer *out, stoa_error *err) {
    for (int32_t i = 0; i < spec->field_count; i++) {
        const stoa_partition_field *field = &spec->fields[i];
        const stoa_field *column = stoa_schema_field(schema, field->source_id);
        bool plain = field->transform == STOA_TRANSFORM_IDENTITY;
        bool bare = column != NULL && stoa_ascii_is_word_start(column->name[0]);
        for (const char *c = column == NULL ? "" : column->name; *c != '\0'; c++) {
            bare = bare && stoa_ascii_is_word(*c);
        }
        if (column == NULL) {
            return stoa_fail(err, STOA_INVALID, "partition '%.100s' is of no column", field->name);
        }
        STOA_TRY(stoa_buffer_append_text(out, i == 0 ? "" : ", ", err));
        STOA_TRY(plain ? STOA_OK
                       : stoa_buffer_append_format(out, err, "%s(",
                                                   transforms[field->transform].name));
        STOA_TRY(field->width == 0 ? STOA_OK
                                   : stoa_buffer_append_format(out, err, "%d, ",
                                                               (int)field->width));
        STOA_TRY(bare ? stoa_buffer_append_text(out, column->name, err)
                      : stoa_sql_identifier_print(column->name, out, err));
        STOA_TRY(stoa_buffer_append_text(out, plain ? "" : ")", err));
    }
    return STOA_OK;
}

void stoa_transform_print(const stoa_partition_field *field, char out[32]) {
    const char *name = transforms[field->transform].name;
    (void)(field->width == 0 ? snprintf(out, 32, "%s", name)
                             : snprintf(out, 32, "%s[%d]", name, (int)field->width));
}

/* ---- owners, columns ------------------------------------------------------------------------- */

stoa_partition_spec *stoa_partition_spec_retain(stoa_partition_spec *spec) {
    if (spec != NULL) {
        atomic_fetch_add_explicit(&spec->references, 1, memory_order_relaxed);
    }
    return spec;
}

void stoa_partition_spec_close(stoa_partition_spec *spec) {
    /* Pairs with itself: whoever frees sees what other owners did before. */
    if (spec == NULL ||
        atomic_fetch_sub_explicit(&spec->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    stoa_pool *pool = spec->arena.pool;
    stoa_arena_release(&spec->arena);
    stoa_pool_free(pool, spec, sizeof *spec);
}

bool stoa_partition_spec_equal(const stoa_partition_spec *left, const stoa_partition_spec *right) {
    if (left == NULL || right == NULL || left->field_count != right->field_count) {
        return left == right;
    }
    for (int32_t i = 0; i < left->field_count; i++) {
        if (left->fields[i].source_id != right->fields[i].source_id ||
            left->fields[i].transform != right->fields[i].transform ||
            left->fields[i].width != right->fields[i].width) {
            return false;
        }
    }
    return true;
}

int32_t stoa_partition_identity(const stoa_partition_spec *spec, int32_t source_id) {
    for (int32_t i = 0; i < spec->field_count; i++) {
        if (spec->fields[i].transform == STOA_TRANSFORM_IDENTITY &&
            spec->fields[i].source_id == source_id) {
            return i;
        }
    }
    return -1;
}

stoa_status stoa_partition_file_schema(stoa_pool *pool, const stoa_partition_spec *spec,
                                       const stoa_schema *schema, const stoa_schema **out,
                                       stoa_error *err) {
    int32_t *columns = NULL;
    int32_t count = 0;
    size_t bytes = (size_t)schema->root.child_count * sizeof *columns;
    STOA_TRY(stoa_pool_allocate(pool, bytes, (void **)&columns, err));
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        if (stoa_partition_identity(spec, schema->root.children[i].id) < 0) {
            columns[count++] = i;
        }
    }
    stoa_status status = stoa_schema_project(pool, schema, columns, count, out, err);
    stoa_pool_free(pool, columns, bytes);
    return status;
}
