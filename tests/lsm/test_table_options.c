/* What a program says of a table, as the manifest keeps it and as it is used. */
#include "arrow/builder.h"
#include "lsm/table_options.h"
#include "rows.h"
#include "schema/schema.h"

static const char SCHEMA[] =
    "user string not null, ts timestamp not null, total double, tags list<string>, \"last, seen\" "
    "timestamp, doc string, bits uint64, price decimal(10, 2), shape struct<x: int>, "
    "shapes list<struct<x: int>>, span interval, day date, raw binary";

struct world {
    stoa_pool *pool;
    const stoa_schema *schema;
    stoa_definition *definition;
    stoa_error err;
};

static void open_world(struct world *world, const char *schema) {
    *world = (struct world){.pool = support_pool_open()};
    assert_ok(stoa_schema_parse(world->pool, schema, &world->schema, &world->err), world->err);
}

static void close_world(struct world *world) {
    stoa_definition_release(world->definition);
    stoa_schema_close(world->schema);
    support_pool_close(world->pool);
}

static int32_t column_of(const struct world *world, const char *name) {
    return stoa_schema_column_index(world->definition->schema, name);
}

static void every_option_is_kept(void **state) {
    struct world world;
    const stoa_state_table_options options = {
        .key = " user , ts DESC",
        .merge = "total add, tags union, \"last, seen\" max, doc program(\"my \"\"own\"\"\"), "
                 "bits Min, raw append, price last",
        .ttl_column = "last, seen",
        .ttl_ms = 86400000,
        .compaction = STOA_COMPACTION_TIERED,
        .fifo_bytes = 1 << 30,
        .codec = "zstd",
        .filter_bits = -1,
    };
    (void)state;
    open_world(&world, SCHEMA);
    assert_ok(stoa_definition_create(world.pool, world.schema, &options, &world.definition,
                                     &world.err),
              world.err);
    const stoa_definition *definition = world.definition;
    assert_int_equal(definition->key.part_count, 2);
    assert_string_equal(definition->key.parts[0].field->name, "user");
    assert_false(definition->key.parts[0].descending);
    assert_string_equal(definition->key.parts[1].field->name, "ts");
    assert_true(definition->key.parts[1].descending);
    assert_ptr_equal(definition->layout.key, &definition->key);
    assert_ptr_equal(definition->layout.schema, definition->schema);
    assert_int_equal(definition->operators[column_of(&world, "user")], STOA_MERGE_LAST);
    assert_int_equal(definition->operators[column_of(&world, "total")], STOA_MERGE_ADD);
    assert_int_equal(definition->operators[column_of(&world, "tags")], STOA_MERGE_UNION);
    assert_int_equal(definition->operators[column_of(&world, "last, seen")], STOA_MERGE_MAX);
    assert_int_equal(definition->operators[column_of(&world, "doc")], STOA_MERGE_PROGRAM);
    assert_string_equal(definition->programs[column_of(&world, "doc")], "my \"own\"");
    assert_null(definition->programs[column_of(&world, "total")]);
    assert_int_equal(definition->operators[column_of(&world, "bits")], STOA_MERGE_MIN);
    assert_int_equal(definition->operators[column_of(&world, "raw")], STOA_MERGE_APPEND);
    assert_int_equal(definition->operators[column_of(&world, "price")], STOA_MERGE_LAST);
    assert_int_equal(definition->ttl_column, column_of(&world, "last, seen"));
    assert_int_equal(definition->ttl_ms, 86400000);
    assert_int_equal(definition->compaction, STOA_COMPACTION_TIERED);
    assert_int_equal(definition->fifo_bytes, 1 << 30);
    assert_string_equal(definition->codec, "zstd");
    assert_int_equal(definition->filter_bits, -1);
    close_world(&world);
}

static void defaults_are_the_documented_ones(void **state) {
    struct world world;
    const stoa_state_table_options options = {.key = "user"};
    (void)state;
    open_world(&world, SCHEMA);
    assert_ok(stoa_definition_create(world.pool, world.schema, &options, &world.definition,
                                     &world.err),
              world.err);
    assert_int_equal(world.definition->ttl_column, -1);
    assert_int_equal(world.definition->compaction, STOA_COMPACTION_LEVELED);
    assert_string_equal(world.definition->codec, "none");
    assert_int_equal(world.definition->filter_bits, 10);
    for (int32_t i = 0; i < world.schema->root.child_count; i++) {
        assert_int_equal(world.definition->operators[i], STOA_MERGE_LAST);
    }
    close_world(&world);
}

static void wrong_options_are_refused_by_name(void **state) {
    static const struct {
        stoa_state_table_options options;
        stoa_status status;
        const char *message;
        int64_t offset; /* 0: none is told */
    } cases[] = {
        {{.key = NULL}, STOA_INVALID, "key '': expected a column's name", 0},
        {{.key = "user, nobody"}, STOA_INVALID, "there is no column 'nobody', at byte 6", 6},
        {{.key = "user ascending"},
         STOA_INVALID,
         "expected ',' at byte 5 but found 'ascending'",
         5},
        {{.key = "user,"}, STOA_INVALID, "the text ends", 5},
        {{.key = "user, user"}, STOA_INVALID, "named twice", 0},
        {{.key = "total"}, STOA_INVALID, "must be 'not null'", 0},
        {{.key = "user", .merge = "total"}, STOA_INVALID, "expected last, add, min", 5},
        {{.key = "user", .merge = "total sum"}, STOA_INVALID, "but found 'sum'", 6},
        {{.key = "user", .merge = "total add,"}, STOA_INVALID, "the text ends", 10},
        {{.key = "user", .merge = "total add total min"}, STOA_INVALID, "expected ','", 10},
        {{.key = "user", .merge = "total add, total min"},
         STOA_INVALID,
         "'total' is named twice",
         0},
        {{.key = "user", .merge = "user last"}, STOA_INVALID, "is of the key", 0},
        {{.key = "user", .merge = "doc program"}, STOA_INVALID, "expected '('", 11},
        {{.key = "user", .merge = "doc program(f"}, STOA_INVALID, "expected ')'", 13},
        {{.key = "user", .merge = "doc add"},
         STOA_UNSUPPORTED,
         "column 'doc' of type string has no operator 'add'",
         0},
        {{.key = "user", .merge = "tags min"}, STOA_UNSUPPORTED, "no operator 'min'", 0},
        {{.key = "user", .merge = "span max"}, STOA_UNSUPPORTED, "no operator 'max'", 0},
        {{.key = "user", .merge = "total append"}, STOA_UNSUPPORTED, "no operator 'append'", 0},
        {{.key = "user", .merge = "shapes union"}, STOA_UNSUPPORTED, "no operator 'union'", 0},
        {{.key = "user", .merge = "shape program(f)"}, STOA_UNSUPPORTED, "'program'", 0},
        {{.key = "user", .ttl_column = "when"}, STOA_INVALID, "there is no column 'when'", 0},
        {{.key = "user", .ttl_column = "doc"},
         STOA_INVALID,
         "expected a column of dates or timestamps but found 'doc' of type string",
         0},
        {{.key = "user", .ttl_column = "day", .ttl_ms = -1}, STOA_INVALID, "but found -1", 0},
        {{.key = "user", .ttl_ms = 5}, STOA_INVALID, "expected the column", 0},
        {{.key = "user", .compaction = (stoa_compaction_style)3}, STOA_INVALID, "but found 3", 0},
        {{.key = "user", .compaction = STOA_COMPACTION_FIFO}, STOA_INVALID, "bytes but found 0", 0},
        {{.key = "user", .codec = "snappy"}, STOA_INVALID, "but found 'snappy'", 0},
        {{.key = "user", .compaction = STOA_COMPACTION_FIFO, .fifo_bytes = 1, .codec = "lz4"},
         STOA_UNSUPPORTED,
         "codec 'lz4': with fifo compaction",
         0},
        {{.key = "user", .filter_bits = -2}, STOA_INVALID, "expected -1 to 64 but found -2", 0},
        {{.key = "user", .filter_bits = 65}, STOA_INVALID, "expected -1 to 64 but found 65", 0},
    };
    struct world world;
    (void)state;
    open_world(&world, SCHEMA);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(stoa_definition_create(world.pool, world.schema, &cases[i].options,
                                            &world.definition, &world.err),
                     cases[i].status, cases[i].message, world.err);
        assert_null(world.definition);
        if (cases[i].offset > 0) {
            assert_int_equal(world.err.offset, cases[i].offset);
        }
    }
    close_world(&world);
}

static void a_key_has_at_most_16_columns(void **state) {
    struct world world;
    char text[1024] = "", key[256] = "";
    for (int i = 0; i < 18; i++) {
        sprintf(text + strlen(text), "%sc%d int not null", i == 0 ? "" : ", ", i);
        sprintf(key + strlen(key), "%sc%d", i == 0 ? "" : ",", i);
    }
    const stoa_state_table_options options = {.key = key};
    (void)state;
    open_world(&world, text);
    assert_fails(stoa_definition_create(world.pool, world.schema, &options, &world.definition,
                                        &world.err),
                 STOA_INVALID, "expected 1 to 16 columns", world.err);
    close_world(&world);
}

/* -- text ------------------------------------------------------------------------------------- */

/* A table that once had a column 5. */
static const char GOLDEN[] =
    "{\"type\":\"struct\",\"schema-id\":3,\"fields\":[{\"id\":1,\"name\":\"user\",\"required\":true,"
    "\"type\":\"string\"},{\"id\":2,\"name\":\"ts\",\"required\":true,\"type\":\"timestamp\"},"
    "{\"id\":4,\"name\":\"total\",\"required\":false,\"type\":\"double\"},{\"id\":3,\"name\":\"doc\","
    "\"required\":false,\"type\":\"string\"}],\"last-column-id\":5,"
    "\"key\":[{\"column-id\":1,\"descending\":false},{\"column-id\":2,\"descending\":true}],"
    "\"merge\":[{\"column-id\":4,\"operator\":\"add\"},"
    "{\"column-id\":3,\"operator\":\"program\",\"program\":\"f \\\"g\\\"\"}],"
    "\"ttl\":{\"column-id\":2,\"ms\":1000},"
    "\"compaction\":{\"style\":\"tiered\",\"fifo-bytes\":0},\"codec\":\"lz4\",\"filter-bits\":12}";

static void text_reads_back_as_itself(void **state) {
    struct world world;
    stoa_buffer text;
    (void)state;
    open_world(&world, "unused int");
    stoa_buffer_init(&text, world.pool);
    assert_ok(stoa_definition_parse(world.pool, GOLDEN, &world.definition, &world.err), world.err);
    assert_int_equal(world.definition->schema->field_id_max, 5);
    assert_int_equal(world.definition->schema->schema_id, 3);
    assert_int_equal(world.definition->operators[2], STOA_MERGE_ADD);
    assert_string_equal(world.definition->programs[3], "f \"g\"");
    assert_int_equal(world.definition->ttl_column, 1);
    assert_int_equal(world.definition->ttl_ms, 1000);
    assert_int_equal(world.definition->compaction, STOA_COMPACTION_TIERED);
    assert_ok(stoa_buffer_append_text(&text, "what was there before", &world.err), world.err);
    assert_ok(stoa_definition_print(world.definition, &text, &world.err), world.err);
    assert_string_equal((const char *)text.data, GOLDEN);
    assert_int_equal(text.size, strlen(GOLDEN));
    stoa_buffer_release(&text);
    close_world(&world);
}

/* The golden text with one piece of it replaced. */
static const char *changed(const char *piece, const char *replacement) {
    static char text[2 * sizeof GOLDEN];
    const char *at = strstr(GOLDEN, piece);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - GOLDEN), GOLDEN, replacement,
             at + strlen(piece));
    return text;
}

static void what_is_newer_or_damaged_is_refused(void **state) {
    static const struct {
        const char *piece;
        const char *replacement;
        stoa_status status;
        const char *message;
    } cases[] = {
        {"\"codec\"", "\"colour\":1,\"codec\"", STOA_UNSUPPORTED, "member 'colour' is not known"},
        {"\"ms\"", "\"from\":1,\"ms\"", STOA_UNSUPPORTED, "member 'from' is not known"},
        {"\"style\"", "\"ratio\":1,\"style\"", STOA_UNSUPPORTED, "member 'ratio' is not known"},
        {"\"descending\"", "\"nulls\":1,\"descending\"", STOA_UNSUPPORTED, "'nulls' is not known"},
        {"\"operator\"", "\"over\":1,\"operator\"", STOA_UNSUPPORTED, "'over' is not known"},
        {"\"add\"", "\"median\"", STOA_UNSUPPORTED, "operator 'median' is not known"},
        {"\"tiered\"", "\"lazy\"", STOA_UNSUPPORTED, "style 'lazy' is not known"},
        {"\"lz4\"", "\"lz5\"", STOA_UNSUPPORTED, "codec 'lz5' is not known"},
        {"\"add\"", "\"append\"", STOA_UNSUPPORTED, "no operator 'append'"},
        {"{\"type\":\"struct\"", "", STOA_CORRUPT, "line 1"},
        {"\"type\":\"struct\"", "\"type\":\"list\"", STOA_CORRUPT, "expected \"struct\""},
        {"\"key\":[{\"column-id\":1", "\"key\":[{\"column-id\":9", STOA_CORRUPT, "no column 9"},
        {"\"key\":[{\"column-id\":1", "\"key\":[{\"column-id\":2", STOA_CORRUPT, "named twice"},
        {"\"key\":[{\"column-id\":1", "\"key\":[{\"column-id\":4", STOA_CORRUPT,
         "must be 'not null'"},
        {"\"descending\":true", "\"descending\":1", STOA_CORRUPT, "expected true or false"},
        {"\"column-id\":4", "\"column-id\":1", STOA_CORRUPT, "is of the key"},
        {"\"operator\":\"add\"", "\"operator\":3", STOA_CORRUPT, "expected a string"},
        {",\"program\":\"f \\\"g\\\"\"", "", STOA_CORRUPT, "member 'program'"},
        {"\"ms\":1000", "\"ms\":-1", STOA_CORRUPT, "member 'ms'"},
        {"\"ttl\":{\"column-id\":2", "\"ttl\":{\"column-id\":3", STOA_CORRUPT, "time to live"},
        {"\"fifo-bytes\":0", "\"fifo-bytes\":-1", STOA_CORRUPT, "member 'fifo-bytes'"},
        {"\"tiered\"", "\"fifo\"", STOA_CORRUPT, "fifo compaction"},
        {"\"filter-bits\":12", "\"filter-bits\":4294967297", STOA_CORRUPT, "member 'filter-bits'"},
        {"\"last-column-id\":5", "\"last-column-id\":\"5\"", STOA_CORRUPT, "'last-column-id'"},
        {"\"last-column-id\":5,", "", STOA_CORRUPT, "'last-column-id'"},
    };
    struct world world;
    (void)state;
    open_world(&world, "unused int");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = changed(cases[i].piece, cases[i].replacement);
        assert_fails(stoa_definition_parse(world.pool, text, &world.definition, &world.err),
                     cases[i].status, cases[i].message, world.err);
        assert_null(world.definition);
    }
    assert_fails(stoa_definition_parse(world.pool, "[]", &world.definition, &world.err),
                 STOA_CORRUPT, "expected an object", world.err);
    close_world(&world);
}

/* -- time to live ------------------------------------------------------------------------------ */

static int64_t expiry_of(const char *type, int64_t ttl_ms, const char *value) {
    struct world world;
    struct ArrowSchema arrow;
    struct ArrowArray batch;
    stoa_builder *builder;
    char text[128];
    snprintf(text, sizeof text, "k int not null, t %s", type);
    open_world(&world, text);
    const stoa_state_table_options options = {.key = "k", .ttl_column = "t", .ttl_ms = ttl_ms};
    assert_ok(stoa_definition_create(world.pool, world.schema, &options, &world.definition,
                                     &world.err),
              world.err);
    assert_ok(stoa_schema_to_arrow(world.pool, world.schema, &arrow, &world.err), world.err);
    assert_ok(stoa_builder_create(world.pool, &arrow, &builder, &world.err), world.err);
    for (int row = 0; row < 2; row++) {
        assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 0), row, &world.err),
                  world.err);
        if (row == 0 || value == NULL) {
            assert_ok(stoa_builder_append_null(stoa_builder_child(builder, 1), &world.err),
                      world.err);
        } else {
            assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 1),
                                              strtoll(value, NULL, 10), &world.err),
                      world.err);
        }
        assert_ok(stoa_builder_finish_value(builder, &world.err), world.err);
    }
    assert_ok(stoa_builder_finish(builder, &batch, &world.err), world.err);
    assert_int_equal(stoa_definition_expiry_ms(world.definition, &batch, 0), INT64_MAX);
    assert_false(stoa_definition_is_expired(world.definition, &batch, 0, INT64_MAX));
    const int64_t expiry_ms = stoa_definition_expiry_ms(world.definition, &batch, 1);
    if (expiry_ms < INT64_MAX) {
        assert_true(stoa_definition_is_expired(world.definition, &batch, 1, expiry_ms));
    }
    if (expiry_ms > INT64_MIN) {
        assert_false(stoa_definition_is_expired(world.definition, &batch, 1, expiry_ms - 1));
    }
    stoa_arrow_array_release(&batch);
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&arrow);
    close_world(&world);
    return expiry_ms;
}

static void rows_go_when_their_time_has_come(void **state) {
    (void)state;
    assert_int_equal(expiry_of("timestamp_s", 5, "2"), 2005);
    assert_int_equal(expiry_of("timestamp_ms", 5, "2"), 7);
    assert_int_equal(expiry_of("timestamp", 5, "2000"), 7);
    assert_int_equal(expiry_of("timestamp", 5, "2001"), 8);
    assert_int_equal(expiry_of("timestamptz", 0, "-2001"), -2);
    assert_int_equal(expiry_of("timestamptz_ns", 5, "2000001"), 8);
    assert_int_equal(expiry_of("date", 5, "-1"), 5 - 86400000);
    assert_int_equal(expiry_of("date", 5, NULL), INT64_MAX);
    assert_int_equal(expiry_of("timestamp_s", 5, "9223372036854775807"), INT64_MAX);
    assert_int_equal(expiry_of("timestamp_s", 0, "-9223372036854775808"), INT64_MIN);
    assert_int_equal(expiry_of("timestamp_ms", INT64_MAX, "1"), INT64_MAX);
}

static void without_a_column_rows_never_go(void **state) {
    struct world world;
    const stoa_state_table_options options = {.key = "user"};
    struct ArrowArray batch = {0};
    (void)state;
    open_world(&world, SCHEMA);
    assert_ok(stoa_definition_create(world.pool, world.schema, &options, &world.definition,
                                     &world.err),
              world.err);
    assert_false(stoa_definition_is_expired(world.definition, &batch, 0, INT64_MAX));
    close_world(&world);
}

/* -- failures --------------------------------------------------------------------------------- */

static stoa_status make_and_read(support_world *world, void *user, stoa_error *err) {
    const stoa_state_table_options options = {.key = "user, ts desc",
                                              .merge = "doc program(f), total add",
                                              .ttl_column = "ts"};
    stoa_definition *definition = NULL, *again = NULL;
    const stoa_schema *schema = NULL;
    stoa_buffer text;
    stoa_status status = STOA_OK;
    (void)user;
    stoa_buffer_init(&text, world->pool);
    STOA_CHECK(stoa_schema_parse(world->pool, SCHEMA, &schema, err));
    STOA_CHECK(stoa_definition_create(world->pool, schema, &options, &definition, err));
    STOA_CHECK(stoa_definition_print(definition, &text, err));
    STOA_CHECK(stoa_definition_parse(world->pool, (const char *)text.data, &again, err));

done:
    stoa_definition_release(definition);
    stoa_definition_release(again);
    stoa_schema_close(schema);
    stoa_buffer_release(&text);
    return status;
}

static void failed_allocations_leave_nothing(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(NULL, make_and_read, NULL, NULL) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_kept),
        cmocka_unit_test(defaults_are_the_documented_ones),
        cmocka_unit_test(wrong_options_are_refused_by_name),
        cmocka_unit_test(a_key_has_at_most_16_columns),
        cmocka_unit_test(text_reads_back_as_itself),
        cmocka_unit_test(what_is_newer_or_damaged_is_refused),
        cmocka_unit_test(rows_go_when_their_time_has_come),
        cmocka_unit_test(without_a_column_rows_never_go),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
