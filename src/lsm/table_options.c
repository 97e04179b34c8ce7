/* Definitions of tables: what a program says about a table in a few words, checked against its schema
 * and made ready for use. What the manifest keeps of them is in table_options_json.c. */
#include "lsm/table_options.h"

#include <string.h>

#include "base/checked.h"
#include "lsm/merge_operator.h"
#include "lsm/table_options_internal.h"
#include "schema/constant.h"
#include "schema/scanner.h"

static const char *const operator_names[] = {
    [STOA_MERGE_LAST] = "last",       [STOA_MERGE_ADD] = "add",       [STOA_MERGE_MIN] = "min",
    [STOA_MERGE_MAX] = "max",         [STOA_MERGE_APPEND] = "append", [STOA_MERGE_UNION] = "union",
    [STOA_MERGE_PROGRAM] = "program",
};
enum { OPERATOR_COUNT = sizeof operator_names / sizeof *operator_names };

const char *const stoa_definition_codecs[STOA_DEFINITION_CODECS] = {"none", "lz4", "zstd"};

const char *stoa_merge_operator_name(stoa_merge_operator merge_operator) {
    return operator_names[merge_operator];
}

int32_t stoa_merge_operator_find(const char *name, size_t size) {
    for (int32_t i = 0; i < OPERATOR_COUNT; i++) {
        if (stoa_ascii_same_word(name, size, operator_names[i])) {
            return i;
        }
    }
    return -1;
}

/* -- making ----------------------------------------------------------------------------------- */

stoa_status stoa_definition_begin(struct stoa_definition_maker *maker, stoa_pool *pool,
                                  const stoa_schema *schema, stoa_error *err) {
    const size_t columns = (size_t)schema->root.child_count;
    void *memory = NULL;
    *maker = (struct stoa_definition_maker){.err = err};
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *maker->definition, &memory, err));
    stoa_definition *definition = memory;
    atomic_init(&definition->references, 1);
    stoa_arena_init(&definition->arena, pool);
    definition->schema = stoa_schema_retain(schema);
    definition->ttl_column = -1;
    definition->codec = stoa_definition_codecs[0];
    definition->filter_bits = STOA_FILTER_BITS_DEFAULT;
    maker->definition = definition;
    void **const lists[] = {(void **)&definition->operators, (void **)&definition->programs,
                            (void **)&maker->has_operator};
    const size_t sizes[] = {sizeof *definition->operators, sizeof *definition->programs,
                            sizeof *maker->has_operator};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const stoa_status status = stoa_arena_allocate_array(&definition->arena, columns, sizes[i],
                                                             lists[i], err);
        if (status != STOA_OK) {
            return stoa_definition_end(maker, status, &definition);
        }
    }
    return STOA_OK;
}

stoa_status stoa_definition_end(struct stoa_definition_maker *maker, stoa_status status,
                                stoa_definition **out) {
    *out = NULL;
    if (status == STOA_OK) {
        *out = maker->definition;
    } else {
        stoa_definition_release(maker->definition);
    }
    maker->definition = NULL;
    return status;
}

stoa_status stoa_definition_set_key(struct stoa_definition_maker *maker,
                                    const stoa_key_column *columns, int32_t count) {
    stoa_definition *definition = maker->definition;
    STOA_TRY(
        stoa_key_format_init(&definition->key, definition->schema, columns, count, maker->err));
    return stoa_stripe_layout_init(&definition->layout, &definition->arena, definition->schema,
                                   &definition->key, maker->err);
}

stoa_status stoa_definition_set_operator(struct stoa_definition_maker *maker, int32_t column,
                                         stoa_merge_operator merge_operator, const char *program) {
    stoa_definition *definition = maker->definition;
    const stoa_field *field = &definition->schema->root.children[column];
    if (maker->has_operator[column]) {
        return stoa_fail(maker->err, STOA_INVALID, "column '%.100s' is named twice", field->name);
    }
    if (definition->layout.column_nodes[column] < 0) {
        return stoa_fail(maker->err, STOA_INVALID,
                         "column '%.100s' is of the key, which never changes", field->name);
    }
    if (!stoa_merge_operator_takes(merge_operator, &field->type)) {
        return stoa_fail(maker->err, STOA_UNSUPPORTED,
                         "column '%.100s' of type %s has no operator '%s'", field->name,
                         stoa_type_describe(&field->type).text, operator_names[merge_operator]);
    }
    maker->has_operator[column] = true;
    definition->operators[column] = merge_operator;
    return program == NULL ? STOA_OK
                           : stoa_arena_copy_text(&definition->arena, program, strlen(program),
                                                  &definition->programs[column], maker->err);
}

stoa_status stoa_definition_set_ttl(struct stoa_definition_maker *maker, int32_t column,
                                    int64_t ttl_ms) {
    const stoa_field *field = &maker->definition->schema->root.children[column];
    const stoa_type_kind kind = field->type.kind;
    if (kind != STOA_TYPE_DATE && kind != STOA_TYPE_TIMESTAMP && kind != STOA_TYPE_TIMESTAMP_TZ) {
        return stoa_fail(
            maker->err, STOA_INVALID,
            "time to live: expected a column of dates or timestamps but found '%.100s' "
            "of type %s",
            field->name, stoa_type_describe(&field->type).text);
    }
    if (ttl_ms < 0) {
        return stoa_fail(maker->err, STOA_INVALID,
                         "time to live: expected 0 or more milliseconds but found %" PRId64,
                         ttl_ms);
    }
    maker->definition->ttl_column = column;
    maker->definition->ttl_ms = ttl_ms;
    return STOA_OK;
}

stoa_status stoa_definition_set_storage(struct stoa_definition_maker *maker,
                                        stoa_compaction_style compaction, uint64_t fifo_bytes,
                                        const char *codec, int32_t filter_bits) {
    stoa_definition *definition = maker->definition;
    int32_t number = 0;
    if (compaction < STOA_COMPACTION_LEVELED || compaction > STOA_COMPACTION_FIFO) {
        return stoa_fail(maker->err, STOA_INVALID,
                         "expected a style of compaction from 0 to %d but found %d",
                         STOA_COMPACTION_FIFO, (int)compaction);
    }
    if (fifo_bytes > INT64_MAX || (compaction == STOA_COMPACTION_FIFO && fifo_bytes == 0)) {
        return stoa_fail(maker->err, STOA_INVALID,
                         "fifo compaction: expected 1 to %" PRId64 " bytes but found %" PRIu64,
                         INT64_MAX, fifo_bytes);
    }
    while (codec != NULL && strcmp(codec, stoa_definition_codecs[number]) != 0) {
        if (++number == STOA_DEFINITION_CODECS) {
            return stoa_fail(maker->err, STOA_INVALID,
                             "codec: expected none, lz4 or zstd but found '%.60s'", codec);
        }
    }
    if (compaction == STOA_COMPACTION_FIFO && number > 0) {
        return stoa_fail(maker->err, STOA_UNSUPPORTED,
                         "codec '%s': with fifo compaction no file is ever written anew, and what "
                         "is written first is not compressed",
                         codec);
    }
    if (filter_bits < -1 || filter_bits > STOA_FILTER_BITS_MAX) {
        return stoa_fail(maker->err, STOA_INVALID,
                         "filter bits: expected -1 to %d but found %" PRId32, STOA_FILTER_BITS_MAX,
                         filter_bits);
    }
    definition->compaction = compaction;
    definition->fifo_bytes = fifo_bytes;
    definition->codec = stoa_definition_codecs[number];
    definition->filter_bits = filter_bits == 0 ? STOA_FILTER_BITS_DEFAULT : filter_bits;
    return STOA_OK;
}

/* -- options ---------------------------------------------------------------------------------- */

/* A column's name; its byte in the text is told when there is none of that name. */
static stoa_status take_column(stoa_scanner *scanner, const stoa_schema *schema, int32_t *out) {
    const char *name = NULL;
    (void)stoa_scanner_peek(scanner);
    const size_t from = scanner->position;
    STOA_TRY(stoa_scanner_take_name(scanner, &name));
    *out = stoa_schema_column_index(schema, name);
    if (*out < 0) {
        (void)stoa_fail(scanner->err, STOA_INVALID, "there is no column '%.100s', at byte %zu",
                        name, from);
        if (scanner->err != NULL) {
            scanner->err->offset = (int64_t)from;
        }
        return STOA_INVALID;
    }
    return STOA_OK;
}

/* Another item, or the end of the text. */
static stoa_status take_comma(stoa_scanner *scanner, bool *out_more) {
    *out_more = stoa_scanner_take(scanner, ',');
    (void)stoa_scanner_peek(scanner);
    return *out_more || scanner->position == scanner->size ? STOA_OK
                                                           : stoa_scanner_fail(scanner, "','");
}

/* "user, ts desc" */
static stoa_status parse_key(stoa_scanner *scanner, const stoa_schema *schema,
                             stoa_key_column columns[STOA_KEY_PARTS_MAX + 1], int32_t *out_count) {
    bool more = true;
    for (*out_count = 0; more && *out_count <= STOA_KEY_PARTS_MAX; ++*out_count) {
        stoa_key_column *column = &columns[*out_count];
        int32_t position;
        STOA_TRY(take_column(scanner, schema, &position));
        column->field_id = schema->root.children[position].id;
        column->descending = stoa_scanner_take_word(scanner, "desc");
        if (!column->descending) {
            (void)stoa_scanner_take_word(scanner, "asc");
        }
        STOA_TRY(take_comma(scanner, &more));
    }
    return STOA_OK;
}

static stoa_status read_key(stoa_scanner *scanner, const stoa_schema *schema,
                            stoa_key_column columns[STOA_KEY_PARTS_MAX + 1], int32_t *out_count) {
    stoa_status status = parse_key(scanner, schema, columns, out_count);
    stoa_wrap(status == STOA_OK ? NULL : scanner->err, "key '%.200s'", scanner->text);
    return status;
}

static bool is_of_key(const stoa_key_column *columns, int32_t count, int32_t field_id) {
    int32_t i = 0;
    while (i < count && columns[i].field_id != field_id) {
        i++;
    }
    return i < count;
}

stoa_status stoa_schema_require_key(stoa_pool *pool, const stoa_schema *schema, const char *key,
                                    const stoa_schema **out, stoa_error *err) {
    stoa_key_column columns[STOA_KEY_PARTS_MAX + 1];
    const int32_t field_count = schema->root.child_count;
    int32_t count;
    stoa_arena arena;
    stoa_field *fields = NULL;
    stoa_status status = STOA_OK;
    *out = NULL;
    stoa_arena_init(&arena, pool);
    stoa_scanner scanner = {.text = key, .size = strlen(key), .arena = &arena, .err = err};
    STOA_CHECK(read_key(&scanner, schema, columns, &count));
    STOA_CHECK(stoa_arena_allocate_array(&arena, (size_t)field_count, sizeof *fields,
                                         (void **)&fields, err));
    for (int32_t i = 0; i < field_count; i++) {
        fields[i] = schema->root.children[i];
        fields[i].required = fields[i].required || is_of_key(columns, count, fields[i].id);
    }
    STOA_CHECK(stoa_schema_create_version(pool, fields, field_count, schema->schema_id,
                                          schema->field_id_max, out, err));

done:
    stoa_arena_release(&arena);
    return status;
}

static stoa_status take_operator(stoa_scanner *scanner, stoa_merge_operator *out,
                                 const char **out_program) {
    const size_t size = stoa_scanner_word(scanner);
    const int32_t found = stoa_merge_operator_find(scanner->text + scanner->position, size);
    if (size == 0 || found < 0) {
        return stoa_scanner_fail(scanner, "last, add, min, max, append, union or program");
    }
    scanner->position += size;
    *out = (stoa_merge_operator)found;
    *out_program = NULL;
    if (*out != STOA_MERGE_PROGRAM) {
        return STOA_OK;
    }
    STOA_TRY(stoa_scanner_need(scanner, '('));
    STOA_TRY(stoa_scanner_take_name(scanner, out_program));
    return stoa_scanner_need(scanner, ')');
}

/* "total add, tags union, doc program(f)"; a text without a word says nothing. */
static stoa_status parse_merge(struct stoa_definition_maker *maker, stoa_scanner *scanner) {
    bool more = stoa_scanner_peek(scanner) != '\0' || scanner->position < scanner->size;
    while (more) {
        int32_t column;
        stoa_merge_operator merge_operator;
        const char *program;
        STOA_TRY(take_column(scanner, maker->definition->schema, &column));
        STOA_TRY(take_operator(scanner, &merge_operator, &program));
        STOA_TRY(stoa_definition_set_operator(maker, column, merge_operator, program));
        STOA_TRY(take_comma(scanner, &more));
    }
    return STOA_OK;
}

static stoa_status set_ttl(struct stoa_definition_maker *maker,
                           const stoa_state_table_options *options) {
    if (options->ttl_column == NULL) {
        return options->ttl_ms == 0
                   ? STOA_OK
                   : stoa_fail(maker->err, STOA_INVALID,
                               "time to live: expected the column that it is counted from");
    }
    const int32_t column = stoa_schema_column_index(maker->definition->schema, options->ttl_column);
    return column < 0 ? stoa_fail(maker->err, STOA_INVALID,
                                  "time to live: there is no column '%.100s'", options->ttl_column)
                      : stoa_definition_set_ttl(maker, column, options->ttl_ms);
}

static stoa_scanner scanner_of(const struct stoa_definition_maker *maker, const char *text) {
    return (stoa_scanner){.text = text == NULL ? "" : text,
                          .size = text == NULL ? 0 : strlen(text),
                          .arena = &maker->definition->arena,
                          .err = maker->err};
}

static stoa_status read_options(struct stoa_definition_maker *maker,
                                const stoa_state_table_options *options) {
    stoa_key_column columns[STOA_KEY_PARTS_MAX + 1];
    int32_t count;
    stoa_scanner key = scanner_of(maker, options->key);
    stoa_scanner merge = scanner_of(maker, options->merge);
    STOA_TRY(read_key(&key, maker->definition->schema, columns, &count));
    STOA_TRY(stoa_definition_set_key(maker, columns, count));
    stoa_status status = parse_merge(maker, &merge);
    if (status != STOA_OK) {
        stoa_wrap(maker->err, "merge '%.200s'", merge.text);
        return status;
    }
    STOA_TRY(set_ttl(maker, options));
    return stoa_definition_set_storage(maker, options->compaction, options->fifo_bytes,
                                       options->codec, options->filter_bits);
}

stoa_status stoa_definition_create(stoa_pool *pool, const stoa_schema *schema,
                                   const stoa_state_table_options *options, stoa_definition **out,
                                   stoa_error *err) {
    struct stoa_definition_maker maker;
    *out = NULL;
    STOA_TRY(stoa_definition_begin(&maker, pool, schema, err));
    return stoa_definition_end(&maker, read_options(&maker, options), out);
}

/* -- another schema --------------------------------------------------------------------------- */

static int32_t column_of_id(const stoa_schema *schema, int32_t id) {
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        if (schema->root.children[i].id == id) {
            return i;
        }
    }
    return -1;
}

static stoa_status copy_options(struct stoa_definition_maker *maker,
                                const stoa_definition *definition) {
    const stoa_schema *schema = maker->definition->schema;
    const stoa_field *columns = definition->schema->root.children;
    stoa_key_column key[STOA_KEY_PARTS_MAX];
    for (int32_t i = 0; i < definition->key.part_count; i++) {
        const stoa_key_part *part = &definition->key.parts[i];
        key[i] = (stoa_key_column){part->field->id, part->descending};
    }
    STOA_TRY(stoa_definition_set_key(maker, key, definition->key.part_count));
    for (int32_t i = 0; i < definition->schema->root.child_count; i++) {
        const int32_t column = column_of_id(schema, columns[i].id);
        if (column >= 0 && definition->operators[i] != STOA_MERGE_LAST) {
            STOA_TRY(stoa_definition_set_operator(maker, column, definition->operators[i],
                                                  definition->programs[i]));
        }
    }
    if (definition->ttl_column >= 0) {
        const stoa_field *field = &columns[definition->ttl_column];
        const int32_t column = column_of_id(schema, field->id);
        if (column < 0) {
            return stoa_fail(maker->err, STOA_INVALID,
                             "column '%.100s' is what the time to live is counted from",
                             field->name);
        }
        STOA_TRY(stoa_definition_set_ttl(maker, column, definition->ttl_ms));
    }
    return stoa_definition_set_storage(maker, definition->compaction, definition->fifo_bytes,
                                       definition->codec, definition->filter_bits);
}

stoa_status stoa_definition_alter(stoa_pool *pool, const stoa_definition *definition,
                                  const stoa_schema *schema, stoa_definition **out,
                                  stoa_error *err) {
    struct stoa_definition_maker maker;
    *out = NULL;
    STOA_TRY(stoa_definition_begin(&maker, pool, schema, err));
    return stoa_definition_end(&maker, copy_options(&maker, definition), out);
}

/* -- owners ----------------------------------------------------------------------------------- */

stoa_definition *stoa_definition_retain(stoa_definition *definition) {
    atomic_fetch_add_explicit(&definition->references, 1, memory_order_relaxed);
    return definition;
}

void stoa_definition_release(stoa_definition *definition) {
    /* Release by each owner, acquire by the last one: its free comes after all their reads. */
    if (definition == NULL ||
        atomic_fetch_sub_explicit(&definition->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    stoa_pool *pool = definition->arena.pool;
    stoa_schema_close(definition->schema);
    stoa_arena_release(&definition->arena);
    stoa_pool_free(pool, definition, sizeof *definition);
}

/* -- time to live ----------------------------------------------------------------------------- */

/* A point of time in milliseconds, rounded up, so that no row goes early; far ones stay far. */
static int64_t to_ms(const stoa_type *type, int64_t value) {
    enum { MS_PER_SECOND = 1000, MS_PER_DAY = 86400 * 1000 };
    if (type->kind == STOA_TYPE_DATE) {
        return value * MS_PER_DAY;
    }
    const int64_t per_second = stoa_type_per_second(type);
    if (per_second < MS_PER_SECOND) {
        int64_t ms;
        return stoa_mul_i64(value, MS_PER_SECOND, &ms) ? ms : value < 0 ? INT64_MIN : INT64_MAX;
    }
    const int64_t per_ms = per_second / MS_PER_SECOND;
    return value / per_ms + (value % per_ms > 0);
}

int64_t stoa_definition_expiry_of(const stoa_definition *definition, int64_t value) {
    const stoa_field *field = &definition->schema->root.children[definition->ttl_column];
    int64_t expiry;
    return stoa_add_i64(to_ms(&field->type, value), definition->ttl_ms, &expiry) ? expiry
                                                                                 : INT64_MAX;
}

int64_t stoa_definition_expiry_ms(const stoa_definition *definition, const struct ArrowArray *batch,
                                  int64_t row) {
    const int32_t column = definition->ttl_column;
    stoa_value value;
    if (column < 0) {
        return INT64_MAX;
    }
    stoa_value_from_array(&definition->schema->root.children[column].type, batch->children[column],
                          batch->offset + row, &value);
    return value.is_null ? INT64_MAX : stoa_definition_expiry_of(definition, value.i);
}

bool stoa_definition_is_expired(const stoa_definition *definition, const struct ArrowArray *batch,
                                int64_t row, int64_t now_ms) {
    const int64_t expiry_ms = stoa_definition_expiry_ms(definition, batch, row);
    return expiry_ms < INT64_MAX && expiry_ms <= now_ms;
}
