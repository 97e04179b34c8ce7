/* SSTables of this version of the format, kept as files: whatever is written differently later, they must
 * still be read. With the argument `write` the program writes them anew (before a first release only:
 * afterwards a file that cannot be read any more is a bug). */
#include <stdio.h>
#include <string.h>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "lsm/sstable.h"
#include "schema/schema.h"
#include "support.h"

enum { ROWS = 300, STRIPE_ROWS = 120, RANGES = 2 };

struct golden {
    const char *path;
    const char *schema;
    stoa_key_column key[2];
    int32_t key_count;
    stoa_compression codec;
};
static const struct golden GOLDENS[] = {
    {"tests/lsm/golden/sstable/number.sst",
     "k int not null, a long, b string, c double, d decimal(25, 3), e boolean, f uuid not null, "
     "g list<int>, h struct<x: int8, y: timestamp> not null, i unknown",
     {{1, false}},
     1,
     STOA_COMPRESSION_NONE},
    {"tests/lsm/golden/sstable/text.sst",
     "k string not null, l int not null, a float, b map<string, long>, c fixed[3]",
     {{1, false}, {2, true}},
     2,
     STOA_COMPRESSION_NONE},
    {"tests/lsm/golden/sstable/number-zstd.sst",
     "k int not null, a long, b string, c double, d decimal(25, 3), e boolean, f uuid not null, "
     "g list<int>, h struct<x: int8, y: timestamp> not null, i unknown",
     {{1, false}},
     1,
     STOA_COMPRESSION_ZSTD},
    {"tests/lsm/golden/sstable/text-lz4.sst",
     "k string not null, l int not null, a float, b map<string, long>, c fixed[3]",
     {{1, false}, {2, true}},
     2,
     STOA_COMPRESSION_LZ4_RAW},
};
enum { GOLDEN_COUNT = sizeof GOLDENS / sizeof *GOLDENS };

struct table {
    support_world world;
    const stoa_schema *schema;
    struct ArrowSchema arrow;
    stoa_key_format key;
    stoa_arena arena;
    stoa_stripe_layout layout;
    struct ArrowArray batch;
    stoa_keys keys;
    uint64_t sequences[ROWS];
    uint8_t operations[ROWS];
};

/* Value `i` of a type, of children too: every fifth is null where it may be. */
static void append_value(stoa_builder *builder, const stoa_field *field, int64_t i) {
    const stoa_type *type = &field->type;
    char text[32];
    stoa_error err;
    if (!field->required && (i % 5 == 3 || type->kind == STOA_TYPE_UNKNOWN)) {
        assert_ok(stoa_builder_append_null(builder, &err), err);
        return;
    }
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN:
        assert_ok(stoa_builder_append_bool(builder, i % 3 == 0, &err), err);
        return;
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE:
        assert_ok(stoa_builder_append_f64(builder, (double)(i * 7 % 400) / 4, &err), err);
        return;
    case STOA_TYPE_STRING:
        snprintf(text, sizeof text, "text %03d", (int)(i / 2 % 50));
        assert_ok(stoa_builder_append_bytes(builder, text, strlen(text), &err), err);
        return;
    case STOA_TYPE_UUID:
    case STOA_TYPE_FIXED:
        memset(text, (int)(i % 100), sizeof text);
        assert_ok(stoa_builder_append_bytes(builder, text,
                                            type->kind == STOA_TYPE_UUID ? 16
                                                                         : (size_t)type->length,
                                            &err),
                  err);
        return;
    case STOA_TYPE_STRUCT:
        for (int32_t c = 0; c < type->child_count; c++) {
            append_value(stoa_builder_child(builder, c), &type->children[c], i + c);
        }
        break;
    case STOA_TYPE_LIST:
        for (int64_t item = 0; item < i % 4; item++) {
            append_value(stoa_builder_child(builder, 0), &type->children[0], i + item);
        }
        break;
    case STOA_TYPE_MAP:
        for (int64_t item = 0; item < i % 3; item++) {
            stoa_builder *entry = stoa_builder_child(builder, 0);
            append_value(stoa_builder_child(entry, 0), &type->children[0], i + 2 * item);
            append_value(stoa_builder_child(entry, 1), &type->children[1], i + item);
            assert_ok(stoa_builder_finish_value(entry, &err), err);
        }
        break;
    default: assert_ok(stoa_builder_append_i64(builder, i * i % 120, &err), err); return;
    }
    assert_ok(stoa_builder_finish_value(builder, &err), err);
}

/* Two versions of every third key. */
static int64_t key_of(int64_t row) {
    return row / 4 * 3 + (row % 4 < 2 ? 0 : row % 4 - 1);
}

static void append_key(const struct golden *golden, stoa_builder *builder, int64_t row) {
    char text[32];
    stoa_error err;
    if (golden->key_count == 1) {
        assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 0), key_of(row) - 50, &err),
                  err);
        return;
    }
    snprintf(text, sizeof text, "name/%04d", (int)(key_of(row) / 10));
    assert_ok(stoa_builder_append_bytes(stoa_builder_child(builder, 0), text, strlen(text), &err),
              err);
    assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 1), 100 - key_of(row) % 10, &err),
              err);
}

static void make_rows(const struct golden *golden, struct table *table) {
    stoa_builder *builder;
    stoa_error err;
    assert_ok(stoa_builder_create(table->world.pool, &table->arrow, &builder, &err), err);
    for (int64_t row = 0; row < ROWS; row++) {
        append_key(golden, builder, row);
        for (int32_t c = golden->key_count; c < table->schema->root.child_count; c++) {
            append_value(stoa_builder_child(builder, c), &table->schema->root.children[c], row + c);
        }
        table->sequences[row] = row % 4 == 1 ? 7 : 1000 + (uint64_t)row;
        table->operations[row] = (uint8_t)(row % 31 == 0   ? STOA_OPERATION_DELETE
                                           : row % 17 == 0 ? STOA_OPERATION_MERGE
                                                           : STOA_OPERATION_PUT);
    }
    assert_ok(stoa_builder_finish_rows(builder, ROWS, &err), err);
    assert_ok(stoa_builder_finish(builder, &table->batch, &err), err);
    stoa_builder_close(builder);
    stoa_keys_init(&table->keys, table->world.pool);
    assert_ok(stoa_keys_append(&table->key, &table->batch, 0, ROWS, &table->keys, &err), err);
}

static void table_open(const struct golden *golden, struct table *table) {
    stoa_error err;
    support_world_open(&table->world);
    stoa_pool *pool = table->world.pool;
    assert_ok(stoa_schema_parse(pool, golden->schema, &table->schema, &err), err);
    assert_ok(stoa_schema_to_arrow(pool, table->schema, &table->arrow, &err), err);
    assert_ok(stoa_key_format_init(&table->key, table->schema, golden->key, golden->key_count,
                                   &err),
              err);
    stoa_arena_init(&table->arena, pool);
    assert_ok(stoa_stripe_layout_init(&table->layout, &table->arena, table->schema, &table->key,
                                      &err),
              err);
    make_rows(golden, table);
}

static void table_close(struct table *table) {
    stoa_keys_release(&table->keys);
    stoa_arrow_array_release(&table->batch);
    stoa_arena_release(&table->arena);
    stoa_arrow_schema_release(&table->arrow);
    stoa_schema_close(table->schema);
    support_world_close(&table->world);
}

static stoa_key_range range_of(int number) {
    return (stoa_key_range){.from = (const uint8_t *)"\x80\x00",
                            .from_size = number == 0 ? 0 : 2,
                            .to = (const uint8_t *)"\x80\x00\x01",
                            .to_size = number == 0 ? 3 : 0,
                            .to_end = number == 1,
                            .sequence = 40 + (uint64_t)number};
}

static void write_golden(const struct golden *golden) {
    struct table table;
    stoa_file *file;
    stoa_sst_writer *writer;
    stoa_stripe_encoder *encoder;
    stoa_sst_stripe stripe;
    stoa_sst_summary summary;
    stoa_error err;
    table_open(golden, &table);
    const stoa_context context = {.pool = table.world.pool};
    const stoa_keys_view keys = stoa_keys_view_of(&table.keys);
    assert_ok(stoa_vfs_open(table.world.registry, golden->path, STOA_OPEN_REPLACE, &context, &file,
                            &err),
              err);
    assert_ok(stoa_sst_writer_create(&context, file, &table.layout, 0, &writer, &err), err);
    assert_ok(stoa_stripe_encoder_create(context.pool, &table.layout, golden->codec, &encoder,
                                         &err),
              err);
    stoa_sst_stripe_init(&stripe, context.pool);
    for (int64_t first = 0; first < ROWS; first += STRIPE_ROWS) {
        const int64_t count = ROWS - first < STRIPE_ROWS ? ROWS - first : STRIPE_ROWS;
        const stoa_stripe_rows rows =
            {&keys, first, table.sequences + first, table.operations + first, &table.batch,
             first, count};
        assert_ok(stoa_sst_stripe_encode(encoder, &table.layout, &rows, &stripe, &err), err);
        assert_ok(stoa_sst_writer_add(writer, &stripe, &err), err);
    }
    for (int i = 0; i < RANGES; i++) {
        const stoa_key_range range = range_of(i);
        assert_ok(stoa_sst_writer_add_range(writer, &range, &err), err);
    }
    assert_ok(stoa_sst_writer_finish(writer, &summary, &err), err);
    stoa_sst_stripe_release(&stripe);
    stoa_stripe_encoder_close(encoder);
    stoa_sst_writer_close(writer);
    stoa_file_close(file);
    table_close(&table);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void check_stripe(const struct table *table, const stoa_stripe *stripe, int64_t first) {
    const stoa_stripe_selection all = {NULL, 0, stripe->row_count};
    stoa_error err;
    for (int32_t c = 0; c < table->schema->root.child_count; c++) {
        struct ArrowArray found, expected;
        if (table->layout.column_nodes[c] < 0) {
            continue;
        }
        assert_ok(stoa_stripe_column(stripe, table->world.pool, c, &all, &found, &err), err);
        const stoa_arrow_selection rows = {table->batch.children[c], NULL, first,
                                           stripe->row_count};
        assert_ok(stoa_arrow_take_from(table->world.pool, table->arrow.children[c], &rows, 1,
                                       &expected, &err),
                  err);
        assert_ok(stoa_arrow_compare(table->arrow.children[c], &expected, table->arrow.children[c],
                                     &found, &err),
                  err);
        stoa_arrow_array_release(&found);
        stoa_arrow_array_release(&expected);
    }
}

static void check_versions(const struct table *table, stoa_sst *sst) {
    const stoa_keys_view keys = stoa_keys_view_of(&table->keys);
    for (int64_t row = 0; row < ROWS; row++) {
        uint8_t number[8];
        size_t size;
        uint64_t sequence;
        stoa_sst_version version;
        stoa_error err;
        const uint8_t *bytes = stoa_keys_bytes(&table->key, &keys, row, number, &size);
        const stoa_sst_key key = stoa_sst_key_of(&table->key, bytes, size);
        assert_ok(stoa_sst_get(sst, &key, table->sequences[row], NULL, &version, &err), err);
        assert_true(version.is_found);
        assert_int_equal(version.position.stripe * STRIPE_ROWS + version.position.row, row);
        assert_int_equal(version.operation, table->operations[row]);
        assert_ok(stoa_sst_sequence(sst, &version.position, &sequence, &err), err);
        assert_int_equal(sequence, table->sequences[row]);
    }
}

static void golden_tables_are_read(void **state) {
    (void)state;
    for (int i = 0; i < GOLDEN_COUNT; i++) {
        struct table table;
        stoa_file *file;
        stoa_sst *sst;
        stoa_error err;
        table_open(&GOLDENS[i], &table);
        const stoa_context context = {.pool = table.world.pool};
        assert_ok(stoa_vfs_open(table.world.registry, GOLDENS[i].path, STOA_OPEN_READ, &context,
                                &file, &err),
                  err);
        assert_ok(stoa_sst_open(&context, file, &table.layout, &sst, &err), err);
        assert_ok(stoa_sst_verify(sst, &err), err);
        assert_int_equal(stoa_sst_codec(sst), GOLDENS[i].codec);
        const stoa_sst_summary *summary = stoa_sst_summary_of(sst);
        assert_int_equal(summary->row_count, ROWS);
        assert_int_equal(summary->range_count, RANGES);
        for (int64_t s = 0; s < summary->stripe_count; s++) {
            check_stripe(&table, stoa_sst_stripe_at(sst, s), s * STRIPE_ROWS);
        }
        check_versions(&table, sst);
        assert_int_equal(stoa_sst_memory_bytes(sst) > 0, GOLDENS[i].codec != STOA_COMPRESSION_NONE);
        const stoa_range_set *ranges = stoa_sst_ranges(sst);
        const uint8_t key[] = {0x80, 0, 0, 9};
        assert_int_equal(stoa_range_set_cover(ranges, key, 4, 100), 41);
        assert_int_equal(stoa_range_set_cover(ranges, key, 4, 40), 40);
        stoa_sst_close(sst);
        table_close(&table);
    }
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_tables_are_read),
    };
    for (int i = 0; count == 2 && strcmp(arguments[1], "write") == 0 && i < GOLDEN_COUNT; i++) {
        write_golden(&GOLDENS[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
