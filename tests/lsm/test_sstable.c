/* What readers of SSTables do with what they do not know, and with damage: each kind of section by
 * itself; the bounds of ranges. */
#include "lsm/key_bytes.h"
#include "lsm/sstable_format.h"
#include "schema/schema.h"
#include "table_rows.h"

enum { ROWS = 200, STRIPE_ROWS = 50 };

static const char URI[] = "test:/t.sst";

struct table {
    support_world world;
    struct table_format format;
    stoa_buffer bytes; /* of the file */
};

static void write_stripe(const struct table_format *format, stoa_stripe_encoder *encoder,
                         int32_t first, stoa_sst_stripe *out) {
    int32_t ids[STRIPE_ROWS];
    int64_t values[STRIPE_ROWS];
    uint64_t sequences[STRIPE_ROWS];
    const uint8_t operations[STRIPE_ROWS] = {STOA_OPERATION_PUT};
    struct ArrowArray batch;
    stoa_keys keys;
    stoa_error err;
    for (int32_t i = 0; i < STRIPE_ROWS; i++) {
        ids[i] = (first + i) * 10;
        values[i] = first + i;
        sequences[i] = 100 + (uint64_t)i;
    }
    table_batch(format, ids, values, STRIPE_ROWS, &batch);
    stoa_keys_init(&keys, format->pool);
    assert_ok(stoa_keys_append(&format->key, &batch, 0, STRIPE_ROWS, &keys, &err), err);
    const stoa_keys_view view = stoa_keys_view_of(&keys);
    const stoa_stripe_rows rows = {&view, 0, sequences, operations, &batch, 0, STRIPE_ROWS};
    assert_ok(stoa_sst_stripe_encode(encoder, &format->layout, &rows, out, &err), err);
    stoa_keys_release(&keys);
    stoa_arrow_array_release(&batch);
}

static void write_table(struct table *table, int32_t row_count, const stoa_key_range *range) {
    const stoa_context context = {.pool = table->world.pool};
    stoa_file *file;
    stoa_sst_writer *writer;
    stoa_stripe_encoder *encoder;
    stoa_sst_stripe stripe;
    stoa_sst_summary summary;
    stoa_error err;
    assert_ok(stoa_vfs_open(table->world.registry, URI, STOA_OPEN_REPLACE, &context, &file, &err),
              err);
    assert_ok(stoa_sst_writer_create(&context, file, &table->format.layout, 0, &writer, &err), err);
    assert_ok(stoa_stripe_encoder_create(context.pool, &table->format.layout, STOA_COMPRESSION_NONE,
                                         &encoder, &err),
              err);
    stoa_sst_stripe_init(&stripe, context.pool);
    for (int32_t first = 0; first < row_count; first += STRIPE_ROWS) {
        write_stripe(&table->format, encoder, first, &stripe);
        assert_ok(stoa_sst_writer_add(writer, &stripe, &err), err);
    }
    if (range != NULL) {
        assert_ok(stoa_sst_writer_add_range(writer, range, &err), err);
    }
    assert_ok(stoa_sst_writer_finish(writer, &summary, &err), err);
    stoa_sst_stripe_release(&stripe);
    stoa_stripe_encoder_close(encoder);
    stoa_sst_writer_close(writer);
    stoa_file_close(file);
    stoa_buffer_init(&table->bytes, context.pool);
    assert_ok(stoa_vfs_read_all(table->world.registry, URI, &context, SIZE_MAX, context.pool,
                                &table->bytes, &err),
              err);
}

static void table_open(struct table *table, bool has_text, int32_t row_count,
                       const stoa_key_range *range) {
    support_world_open(&table->world);
    table_format_open(table->world.pool, has_text, &table->format);
    write_table(table, row_count, range);
}

static void table_close(struct table *table) {
    stoa_buffer_release(&table->bytes);
    table_format_close(&table->format);
    support_world_close(&table->world);
}

/* Puts the bytes back into the file, and opens it. */
static stoa_status reopen(const struct table *table, stoa_sst **out, stoa_error *err) {
    const stoa_context context = {.pool = table->world.pool};
    stoa_file *file;
    STOA_TRY(stoa_vfs_open(table->world.registry, URI, STOA_OPEN_REPLACE, &context, &file, err));
    stoa_status status = stoa_file_write(file, table->bytes.data, table->bytes.size, err);
    if (status == STOA_OK) {
        status = stoa_file_sync(file, err);
    }
    stoa_file_close(file);
    STOA_TRY(status);
    STOA_TRY(stoa_vfs_open(table->world.registry, URI, STOA_OPEN_READ, &context, &file, err));
    return stoa_sst_open(&context, file, &table->format.layout, out, err);
}

static stoa_sst_footer footer_of(const struct table *table) {
    stoa_sst_footer footer;
    memcpy(&footer, table->bytes.data + table->bytes.size - sizeof footer, sizeof footer);
    return footer;
}

static stoa_sst_section section_of(const struct table *table, stoa_sst_section_kind kind) {
    const stoa_sst_footer footer = footer_of(table);
    stoa_sst_section section = {0};
    for (uint32_t i = 0; i < footer.section_count && section.kind != kind; i++) {
        memcpy(&section, table->bytes.data + footer.sections_offset + i * sizeof section,
               sizeof section);
    }
    assert_int_equal(section.kind, kind);
    return section;
}

/* Another section of 8 bytes behind the others. */
static void add_section(struct table *table, uint32_t kind, uint32_t flags) {
    stoa_sst_footer footer = footer_of(table);
    stoa_sst_section sections[8];
    const uint64_t content = 42;
    stoa_error err;
    memcpy(sections, table->bytes.data + footer.sections_offset,
           footer.section_count * sizeof *sections);
    sections[footer.section_count] = (stoa_sst_section){kind,
                                                        flags,
                                                        footer.sections_offset,
                                                        sizeof content,
                                                        stoa_crc32c(0, &content, sizeof content),
                                                        0};
    footer.section_count++;
    table->bytes.size = footer.sections_offset;
    assert_ok(stoa_buffer_append(&table->bytes, &content, sizeof content, &err), err);
    footer.sections_offset = table->bytes.size;
    footer.sections_crc = stoa_crc32c(0, sections, footer.section_count * sizeof *sections);
    assert_ok(stoa_buffer_append(&table->bytes, sections, footer.section_count * sizeof *sections,
                                 &err),
              err);
    footer.crc = stoa_crc32c(0, &footer, offsetof(stoa_sst_footer, crc));
    assert_ok(stoa_buffer_append(&table->bytes, &footer, sizeof footer, &err), err);
}

static void sections_of_newer_versions_are_refused_if_required(void **state) {
    (void)state;
    for (uint32_t flags = 0; flags < 4; flags++) {
        struct table table;
        stoa_sst *sst = NULL;
        stoa_error err;
        table_open(&table, false, ROWS, NULL);
        add_section(&table, 77, flags);
        const stoa_status status = reopen(&table, &sst, &err);
        assert_int_equal(status, flags == 0 ? STOA_OK : STOA_UNSUPPORTED);
        if (status == STOA_OK) {
            assert_ok(stoa_sst_verify(sst, &err), err);
        } else {
            assert_non_null(strstr(err.message, "kind 77"));
        }
        stoa_sst_close(status == STOA_OK ? sst : NULL);
        table_close(&table);
    }
}

static void damaged_sections_are_named(void **state) {
    static const struct {
        stoa_sst_section_kind kind;
        const char *name;
    } kinds[] = {{STOA_SST_DIRECTORY, "directory"},
                 {STOA_SST_ABOUT, "schema"},
                 {STOA_SST_RANGES, "ranges of deletions"}};
    const stoa_key_range range = {.from = (const uint8_t *)"a",
                                  .from_size = 1,
                                  .to_end = true,
                                  .sequence = 7};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct table table;
        stoa_sst *sst;
        stoa_error err;
        table_open(&table, false, ROWS, &range);
        table.bytes.data[section_of(&table, kinds[i].kind).offset + 5] ^= 1;
        assert_int_equal(reopen(&table, &sst, &err), STOA_CORRUPT);
        assert_non_null(strstr(err.message, kinds[i].name));
        assert_non_null(strstr(err.message, URI));
        table_close(&table);
    }
}

/* The filter says nothing that the rows do not: without it reads go on. */
static void a_damaged_filter_is_not_asked(void **state) {
    struct table table;
    stoa_sst *sst;
    stoa_sst_position found;
    stoa_error err;
    stoa_buffer key;
    (void)state;
    table_open(&table, false, ROWS, NULL);
    const stoa_sst_section section = section_of(&table, STOA_SST_FILTER);
    memset(table.bytes.data + section.offset + section.size - 8, 0, 8);
    assert_ok(reopen(&table, &sst, &err), err);
    stoa_buffer_init(&key, table.world.pool);
    for (int32_t i = 0; i < ROWS; i++) {
        table_key(&table.format, i * 10, &key);
        assert_true(stoa_sst_may_contain(sst, stoa_sst_key_hash(key.data, key.size)));
        assert_ok(stoa_sst_find(sst, key.data, key.size, &found, &err), err);
        assert_int_equal(found.stripe * STRIPE_ROWS + found.row, i);
    }
    assert_int_equal(stoa_sst_verify(sst, &err), STOA_CORRUPT);
    assert_non_null(strstr(err.message, "filter"));
    stoa_buffer_release(&key);
    stoa_sst_close(sst);
    table_close(&table);
}

static void a_damaged_stripe_leaves_the_others(void **state) {
    struct table table;
    stoa_sst *sst;
    stoa_sst_position found;
    stoa_error err;
    stoa_buffer key;
    (void)state;
    table_open(&table, false, ROWS, NULL);
    table.bytes.data[sizeof(stoa_sst_header) + sizeof(stoa_sst_header) + 3] ^= 0x10;
    assert_ok(reopen(&table, &sst, &err), err);
    stoa_buffer_init(&key, table.world.pool);
    for (int32_t i = 0; i < ROWS; i++) {
        table_key(&table.format, i * 10, &key);
        const stoa_status status = stoa_sst_find(sst, key.data, key.size, &found, &err);
        assert_int_equal(status, i < STRIPE_ROWS ? STOA_CORRUPT : STOA_OK);
        if (status == STOA_CORRUPT) {
            assert_non_null(strstr(err.message, "stripe 0"));
            assert_non_null(strstr(err.message, URI));
        }
    }
    stoa_buffer_release(&key);
    stoa_sst_close(sst);
    table_close(&table);
}

/* The bounds of a table of one range and no rows. */
static void check_bounds(bool has_text, stoa_key_range range, const char *first, size_t first_size,
                         const char *last, size_t last_size) {
    struct table table;
    stoa_sst *sst;
    stoa_buffer from, to;
    stoa_error err;
    range.sequence = 1;
    table_open(&table, has_text, 0, &range);
    assert_ok(reopen(&table, &sst, &err), err);
    stoa_buffer_init(&from, table.world.pool);
    stoa_buffer_init(&to, table.world.pool);
    assert_ok(stoa_sst_bounds(sst, &from, &to, &err), err);
    assert_int_equal(from.size, first_size);
    assert_int_equal(to.size, last_size);
    assert_memory_equal(from.data == NULL ? (uint8_t *)"" : from.data, first, first_size);
    assert_memory_equal(to.data == NULL ? (uint8_t *)"" : to.data, last,
                        last_size < 16 ? last_size : 16);
    stoa_buffer_release(&from);
    stoa_buffer_release(&to);
    stoa_sst_close(sst);
    table_close(&table);
}

static void bounds_end_before_the_end_of_a_range(void **state) {
    const uint8_t *low = (const uint8_t *)"\0\0\0\1";
    const uint8_t *high = (const uint8_t *)"\0\1\0\0";
    const uint8_t *text = (const uint8_t *)"ab\0";
    (void)state;
    check_bounds(false, (stoa_key_range){.from = low, .from_size = 4, .to = high, .to_size = 4},
                 "\0\0\0\1", 4, "\0\0\xff\xff", 4);
    check_bounds(false, (stoa_key_range){.from = low, .from_size = 4, .to = high, .to_size = 2},
                 "\0\0\0\1", 4, "\0\0\xff\xff", 4);
    check_bounds(false, (stoa_key_range){.to_end = true}, "", 0, "\xff\xff\xff\xff", 4);
    /* Nothing is before the first key. */
    check_bounds(false, (stoa_key_range){.to = (const uint8_t *)"\0\0", .to_size = 2}, "", 0, "",
                 0);
    check_bounds(true, (stoa_key_range){.from = text, .from_size = 1, .to = text, .to_size = 3},
                 "a", 1, "ab", 2);
    check_bounds(true, (stoa_key_range){.from = text, .from_size = 1, .to = text, .to_size = 2},
                 "a", 1, "aa\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                 STOA_KEY_BYTES_MAX);
}

/* ---- Older schemas --------------------------------------------------------------------------- */

#define FIELD(id, name, required, type)                                                            \
    "{\"id\":" #id ",\"name\":\"" name "\",\"required\":" required ",\"type\":\"" type "\"}"
#define SCHEMA(fields) "{\"type\":\"struct\",\"schema-id\":0,\"fields\":[" fields "]}"

static const char OLDER[] = SCHEMA(
    FIELD(1, "id", "true", "int") "," FIELD(2, "a", "false",
                                            "int") "," FIELD(3, "b", "true",
                                                             "float") "," FIELD(4, "c", "false",
                                                                                "string"));
/* `a` and `b` are wider, `c` has another name and place, `d` is new. */
static const char NEWER[] = SCHEMA(
    FIELD(4, "text", "false", "string") "," FIELD(1, "id", "true", "int") "," FIELD(
        5, "d", "false", "double") "," FIELD(2, "a", "false", "long") "," FIELD(3, "b", "true",
                                                                                "double"));
static const char DROPPED[] = SCHEMA(
    FIELD(1, "id", "true", "int") "," FIELD(3, "b", "true", "float"));
static const char OTHER[] = SCHEMA(
    FIELD(1, "id", "true", "int") "," FIELD(2, "a", "false", "string"));

static void format_open(stoa_pool *pool, const char *json, struct table_format *format) {
    static const stoa_key_column key = {1, false};
    stoa_error err;
    *format = (struct table_format){.pool = pool};
    assert_ok(stoa_schema_from_json(pool, json, strlen(json), &format->schema, &err), err);
    assert_ok(stoa_schema_to_arrow(pool, format->schema, &format->arrow, &err), err);
    assert_ok(stoa_key_format_init(&format->key, format->schema, &key, 1, &err), err);
    stoa_arena_init(&format->arena, pool);
    assert_ok(stoa_stripe_layout_init(&format->layout, &format->arena, format->schema, &format->key,
                                      &err),
              err);
}

/* Rows 0 to 9: their number, a null or -5 times it, a quarter of it, its letter. */
static void write_older(support_world *world) {
    const stoa_context context = {.pool = world->pool};
    struct table_format format;
    struct ArrowArray batch;
    stoa_builder *builder;
    stoa_keys keys;
    stoa_stripe_encoder *encoder;
    stoa_sst_stripe stripe;
    stoa_sst_writer *writer;
    stoa_sst_summary summary;
    stoa_file *file;
    stoa_error err;
    uint64_t sequences[10] = {0};
    const uint8_t operations[10] = {STOA_OPERATION_PUT};
    format_open(world->pool, OLDER, &format);
    assert_ok(stoa_builder_create(world->pool, &format.arrow, &builder, &err), err);
    for (int64_t i = 0; i < 10; i++) {
        const char letter = "abcdefghij"[i];
        stoa_builder *a = stoa_builder_child(builder, 1);
        assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 0), i, &err), err);
        assert_ok(i == 3 ? stoa_builder_append_null(a, &err)
                         : stoa_builder_append_i64(a, i * -5, &err),
                  err);
        assert_ok(stoa_builder_append_f64(stoa_builder_child(builder, 2), (double)i / 4, &err),
                  err);
        assert_ok(stoa_builder_append_bytes(stoa_builder_child(builder, 3), &letter, 1, &err), err);
    }
    assert_ok(stoa_builder_finish_rows(builder, 10, &err), err);
    assert_ok(stoa_builder_finish(builder, &batch, &err), err);
    stoa_builder_close(builder);
    stoa_keys_init(&keys, world->pool);
    assert_ok(stoa_keys_append(&format.key, &batch, 0, 10, &keys, &err), err);
    const stoa_keys_view view = stoa_keys_view_of(&keys);
    const stoa_stripe_rows rows = {&view, 0, sequences, operations, &batch, 0, 10};
    stoa_sst_stripe_init(&stripe, world->pool);
    assert_ok(stoa_stripe_encoder_create(world->pool, &format.layout, STOA_COMPRESSION_NONE,
                                         &encoder, &err),
              err);
    assert_ok(stoa_vfs_open(world->registry, URI, STOA_OPEN_REPLACE, &context, &file, &err), err);
    assert_ok(stoa_sst_writer_create(&context, file, &format.layout, 0, &writer, &err), err);
    assert_ok(stoa_sst_stripe_encode(encoder, &format.layout, &rows, &stripe, &err), err);
    assert_ok(stoa_sst_writer_add(writer, &stripe, &err), err);
    assert_ok(stoa_sst_writer_finish(writer, &summary, &err), err);
    stoa_sst_writer_close(writer);
    stoa_file_close(file);
    stoa_stripe_encoder_close(encoder);
    stoa_sst_stripe_release(&stripe);
    stoa_keys_release(&keys);
    stoa_arrow_array_release(&batch);
    table_format_close(&format);
}

static stoa_status open_as(const support_world *world, const struct table_format *format,
                           stoa_sst **out, stoa_error *err) {
    const stoa_context context = {.pool = world->pool};
    stoa_file *file;
    STOA_TRY(stoa_vfs_open(world->registry, URI, STOA_OPEN_READ, &context, &file, err));
    return stoa_sst_open(&context, file, &format->layout, out, err);
}

static void files_of_older_schemas_are_read(void **state) {
    static const int32_t columns[] = {0, 2, 3, 4};
    support_world world;
    struct table_format format;
    stoa_sst *sst;
    stoa_error err;
    (void)state;
    support_world_open(&world);
    write_older(&world);
    format_open(world.pool, NEWER, &format);
    assert_ok(open_as(&world, &format, &sst, &err), err);
    assert_ok(stoa_sst_verify(sst, &err), err);
    for (uint32_t i = 0; i < 10; i++) {
        const stoa_sst_position position = {0, i};
        stoa_cell cells[4];
        stoa_cell_storage storage[4];
        assert_ok(stoa_sst_cells(sst, &position, columns, 4, cells, storage, &err), err);
        assert_memory_equal(cells[0].bytes, &"abcdefghij"[i], 1);
        assert_true(cells[1].is_null);
        assert_int_equal(cells[2].is_null, i == 3);
        assert_int_equal(cells[2].i, i == 3 ? 0 : (int64_t)i * -5);
        assert_true(cells[3].f == (double)i / 4);
    }
    const stoa_zone *zone = stoa_sst_zone(sst, 0, 3);
    assert_true(zone->has_bounds);
    assert_int_equal(zone->lower, (uint64_t)-45 ^ UINT64_C(1) << 63);
    assert_int_equal(zone->upper, UINT64_C(1) << 63);
    assert_int_equal(zone->null_count, 1);
    assert_int_equal(stoa_sst_zone(sst, 0, 2)->null_count, 10);
    assert_null(stoa_sst_zone(sst, 0, 1));
    stoa_sst_close(sst);
    table_format_close(&format);
    support_world_close(&world);
}

static void dropped_columns_are_verified_too(void **state) {
    support_world world;
    struct table_format format;
    stoa_sst *sst;
    stoa_cell cell;
    stoa_cell_storage storage;
    stoa_error err;
    (void)state;
    support_world_open(&world);
    write_older(&world);
    format_open(world.pool, DROPPED, &format);
    assert_ok(open_as(&world, &format, &sst, &err), err);
    assert_ok(stoa_sst_verify(sst, &err), err);
    assert_ok(stoa_sst_cells(sst, &(stoa_sst_position){0, 9}, &(int32_t){1}, 1, &cell, &storage,
                             &err),
              err);
    assert_true(cell.f == 2.25);
    stoa_sst_close(sst);
    table_format_close(&format);
    format_open(world.pool, OTHER, &format);
    assert_int_equal(open_as(&world, &format, &sst, &err), STOA_INVALID);
    table_format_close(&format);
    support_world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_of_newer_versions_are_refused_if_required),
        cmocka_unit_test(damaged_sections_are_named),
        cmocka_unit_test(a_damaged_filter_is_not_asked),
        cmocka_unit_test(a_damaged_stripe_leaves_the_others),
        cmocka_unit_test(bounds_end_before_the_end_of_a_range),
        cmocka_unit_test(files_of_older_schemas_are_read),
        cmocka_unit_test(dropped_columns_are_verified_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
