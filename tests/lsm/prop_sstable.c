/* SSTables of random rows: written, opened, searched, verified; every flipped byte and every cut is
 * found; every allocation and call that fails is told. */
#include "arrow/array.h"
#include "base/bytes.h"
#include "lsm/key_bytes.h"
#include "lsm/sstable.h"
#include "rows.h"

enum { ROUNDS = 24, STRIPE_ROWS = 700 };

static const char URI[] = "test:/t.sst";
static const char *const SCHEMAS[] = {
    "k long not null, a int, c string, d double, f decimal(25, 3), u uuid",
    "k string not null, l int not null, a list<int>, b map<string, double>, e boolean",
};

static const stoa_compression CODECS[] = {STOA_COMPRESSION_NONE, STOA_COMPRESSION_LZ4_RAW,
                                          STOA_COMPRESSION_ZSTD};

/* The rows of one table. */
struct rows {
    const stoa_schema *schema;
    struct ArrowSchema arrow;
    struct ArrowArray batch;
    stoa_key_format key;
    stoa_arena arena;
    stoa_stripe_layout layout;
    stoa_keys keys;
    stoa_buffer sequences;
    stoa_buffer operations;
    stoa_range_set ranges;
    int32_t filter_bits;
    stoa_compression codec;
};

/* Some ranges, of which the last may reach to the end. */
static void make_ranges(stoa_pool *pool, support_random *random, int64_t count, struct rows *rows) {
    rows->ranges = (stoa_range_set){.pool = pool};
    for (int64_t i = 0; i < count; i++) {
        uint8_t from[16], to[16];
        stoa_error err;
        const stoa_key_range range = {.from = from,
                                      .from_size = support_random_below(random, 9),
                                      .to = to,
                                      .to_size = support_random_below(random, 9),
                                      .to_end = support_random_below(random, 5) == 0,
                                      .sequence = 1 + support_random_below(random, 5000)};
        support_random_bytes(random, from, sizeof from);
        support_random_bytes(random, to, sizeof to);
        assert_ok(stoa_range_set_add(&rows->ranges, &range, &err), err);
    }
    stoa_range_set_finish(&rows->ranges);
}

static void make_rows(stoa_pool *pool, support_random *random, int round, int64_t count,
                      struct rows *rows) {
    static const stoa_key_column columns[] = {{1, false}, {2, false}};
    const struct rows_options options = {25, 9, 4, 12, false};
    stoa_error err;
    uint64_t number = 0;
    assert_ok(stoa_schema_parse(pool, SCHEMAS[round % 2], &rows->schema, &err), err);
    assert_ok(stoa_schema_to_arrow(pool, rows->schema, &rows->arrow, &err), err);
    assert_ok(stoa_key_format_init(&rows->key, rows->schema, columns, 1 + round % 2, &err), err);
    stoa_arena_init(&rows->arena, pool);
    assert_ok(stoa_stripe_layout_init(&rows->layout, &rows->arena, rows->schema, &rows->key, &err),
              err);
    rows_batch(support_random_u64(random), rows->schema, &options, count, &rows->batch);
    stoa_keys_init(&rows->keys, pool);
    stoa_buffer_init(&rows->sequences, pool);
    stoa_buffer_init(&rows->operations, pool);
    if (!rows->key.is_number) {
        assert_ok(stoa_buffer_append(&rows->keys.offsets, &(uint32_t){0}, 4, &err), err);
    }
    rows->codec = CODECS[round / 2 % 3];
    rows->filter_bits = (int32_t)support_random_below(random, 12) - 1;
    make_ranges(pool, random, round % 3 == 0 ? 0 : (int64_t)support_random_below(random, 5), rows);
    uint64_t sequence = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint64_t step = support_random_below(random, 4) * 7;
        number += step;
        sequence = step > 0 || i == 0 ? 1000 + support_random_below(random, 100) + (uint64_t)count
                                      : sequence - 1;
        if (rows->key.is_number) {
            assert_ok(stoa_buffer_append(&rows->keys.numbers, &number, sizeof number, &err), err);
        } else {
            assert_ok(stoa_buffer_append_format(&rows->keys.bytes, &err, "k%09" PRIu64, number),
                      err);
            const uint32_t end = (uint32_t)rows->keys.bytes.size;
            assert_ok(stoa_buffer_append(&rows->keys.offsets, &end, sizeof end, &err), err);
        }
        assert_ok(stoa_buffer_append(&rows->sequences, &sequence, sizeof sequence, &err), err);
        assert_ok(stoa_buffer_append_byte(&rows->operations,
                                          (uint8_t)support_random_below(random, 3), &err),
                  err);
        rows->keys.count++;
    }
}

static void drop_rows(struct rows *rows) {
    stoa_range_set_release(&rows->ranges);
    stoa_keys_release(&rows->keys);
    stoa_buffer_release(&rows->sequences);
    stoa_buffer_release(&rows->operations);
    stoa_arrow_array_release(&rows->batch);
    stoa_arrow_schema_release(&rows->arrow);
    stoa_arena_release(&rows->arena);
    stoa_schema_close(rows->schema);
}

static stoa_status write_table(const support_world *world, const struct rows *rows,
                               stoa_sst_summary *summary, stoa_error *err) {
    const stoa_context context = {.pool = world->pool};
    const stoa_keys_view keys = stoa_keys_view_of(&rows->keys);
    stoa_status status = STOA_OK;
    stoa_file *file = NULL;
    stoa_sst_writer *writer = NULL;
    stoa_stripe_encoder *encoder = NULL;
    stoa_sst_stripe stripe;
    stoa_sst_stripe_init(&stripe, world->pool);
    STOA_CHECK(stoa_vfs_open(world->registry, URI, STOA_OPEN_REPLACE, &context, &file, err));
    STOA_CHECK(
        stoa_sst_writer_create(&context, file, &rows->layout, rows->filter_bits, &writer, err));
    STOA_CHECK(stoa_stripe_encoder_create(world->pool, &rows->layout, rows->codec, &encoder, err));
    for (int64_t first = 0; first < rows->batch.length; first += STRIPE_ROWS) {
        const int64_t left = rows->batch.length - first;
        const stoa_stripe_rows part = {&keys,
                                       first,
                                       (const uint64_t *)(const void *)rows->sequences.data + first,
                                       rows->operations.data + first,
                                       &rows->batch,
                                       first,
                                       left < STRIPE_ROWS ? left : STRIPE_ROWS};
        STOA_CHECK(stoa_sst_stripe_encode(encoder, &rows->layout, &part, &stripe, err));
        STOA_CHECK(stoa_sst_writer_add(writer, &stripe, err));
    }
    for (int64_t i = 0; i < rows->ranges.count; i++) {
        STOA_CHECK(stoa_sst_writer_add_range(writer, &rows->ranges.ranges[i], err));
    }
    STOA_CHECK(stoa_sst_writer_finish(writer, summary, err));

done:
    stoa_sst_stripe_release(&stripe);
    stoa_stripe_encoder_close(encoder);
    stoa_sst_writer_close(writer);
    stoa_file_close(file);
    return status;
}

static stoa_status open_table(const support_world *world, const struct rows *rows, stoa_sst **out,
                              stoa_error *err) {
    const stoa_context context = {.pool = world->pool};
    stoa_file *file;
    STOA_TRY(stoa_vfs_open(world->registry, URI, STOA_OPEN_READ, &context, &file, err));
    return stoa_sst_open(&context, file, &rows->layout, out, err);
}

/* ---- What a table answers -------------------------------------------------------------------- */

static void check_columns(stoa_pool *pool, const struct rows *rows, const stoa_sst *table) {
    stoa_error err;
    for (int64_t i = 0; i < stoa_sst_summary_of(table)->stripe_count; i++) {
        const stoa_stripe *stripe = stoa_sst_stripe_at(table, i);
        const stoa_stripe_selection all = {NULL, 0, stripe->row_count};
        for (int32_t c = 0; c < rows->schema->root.child_count; c++) {
            struct ArrowArray found, expected;
            if (rows->layout.column_nodes[c] < 0) {
                assert_null(stoa_sst_zone(table, i, c));
                continue;
            }
            assert_ok(stoa_stripe_column(stripe, pool, c, &all, &found, &err), err);
            int64_t indices[STRIPE_ROWS];
            for (int64_t row = 0; row < stripe->row_count; row++) {
                indices[row] = i * STRIPE_ROWS + row;
            }
            assert_ok(stoa_arrow_take(pool, rows->arrow.children[c], rows->batch.children[c],
                                      indices, stripe->row_count, &expected, &err),
                      err);
            assert_ok(stoa_arrow_compare(rows->arrow.children[c], &expected,
                                         rows->arrow.children[c], &found, &err),
                      err);
            assert_int_equal(stoa_sst_zone(table, i, c)->null_count,
                             stoa_arrow_null_count(rows->arrow.children[c], &expected));
            stoa_arrow_array_release(&found);
            stoa_arrow_array_release(&expected);
        }
    }
}

static void check_search(support_random *random, const struct rows *rows, const stoa_sst *table) {
    const stoa_keys_view keys = stoa_keys_view_of(&rows->keys);
    stoa_error err;
    for (int i = 0; i < 300; i++) {
        char key[32];
        size_t size = 8;
        int64_t expected = 0;
        const uint64_t number = support_random_below(random, (uint64_t)keys.count * 12 + 1);
        if (rows->key.is_number) {
            stoa_key_put_number((uint8_t *)key, number, 8);
            while (expected < keys.count && keys.numbers[expected] < number) {
                expected++;
            }
        } else {
            size = (size_t)snprintf(key, sizeof key, "k%09" PRIu64, number);
            while (expected < keys.count &&
                   memcmp(keys.bytes + keys.offsets[expected], key, size) < 0) {
                expected++;
            }
        }
        stoa_sst_position found;
        assert_ok(stoa_sst_find(table, (const uint8_t *)key, size, &found, &err), err);
        assert_int_equal(found.stripe * STRIPE_ROWS + found.row,
                         expected == keys.count
                             ? stoa_sst_summary_of(table)->stripe_count * STRIPE_ROWS
                             : expected);
    }
}

/* Bounds of 8-byte values are the values. */
static void check_zones(const struct rows *rows, const stoa_sst *table) {
    const struct ArrowArray *column = rows->batch.children[1];
    if (!rows->key.is_number) {
        return;
    }
    for (int64_t i = 0; i < stoa_sst_summary_of(table)->stripe_count; i++) {
        const stoa_zone *zone = stoa_sst_zone(table, i, 1);
        int64_t lower = INT64_MAX, upper = INT64_MIN;
        for (int64_t row = 0; row < stoa_sst_stripe_at(table, i)->row_count; row++) {
            stoa_value value;
            stoa_value_from_array(&rows->schema->root.children[1].type, column,
                                  i * STRIPE_ROWS + row, &value);
            lower = !value.is_null && value.i < lower ? value.i : lower;
            upper = !value.is_null && value.i > upper ? value.i : upper;
        }
        assert_true(zone->has_bounds);
        assert_int_equal(zone->lower, (uint32_t)lower ^ UINT32_C(1) << 31);
        assert_int_equal(zone->upper, (uint32_t)upper ^ UINT32_C(1) << 31);
    }
}

/* Every key is found; where there is a filter few others are. */
static void check_filter(const struct rows *rows, stoa_sst *table) {
    const stoa_keys_view keys = stoa_keys_view_of(&rows->keys);
    int64_t wrong = 0;
    for (int64_t i = 0; i < keys.count; i++) {
        uint8_t number[8];
        size_t size;
        const uint8_t *key = stoa_keys_bytes(&rows->key, &keys, i, number, &size);
        const uint64_t hash = stoa_sst_key_hash(key, size);
        assert_true(stoa_sst_may_contain(table, hash));
        wrong += stoa_sst_may_contain(table, ~hash);
    }
    if (rows->filter_bits == -1) {
        assert_int_equal(wrong, keys.count);
    } else if (rows->filter_bits == 0 || rows->filter_bits >= 8) {
        assert_true(wrong <= 10 + keys.count / 20);
    }
}

static void check_cell(const struct rows *rows, int32_t column, int64_t row,
                       const stoa_cell *cell) {
    stoa_value value;
    stoa_value_from_array(&rows->schema->root.children[column].type, rows->batch.children[column],
                          row, &value);
    assert_int_equal(cell->is_null, value.is_null);
    if (value.is_null) {
        return;
    }
    switch (value.type.kind) {
    case STOA_TYPE_DOUBLE: assert_memory_equal(&cell->f, &value.f, sizeof value.f); break;
    case STOA_TYPE_DECIMAL: assert_memory_equal(cell->bytes, &value.decimal, 16); break;
    case STOA_TYPE_STRING:
    case STOA_TYPE_UUID:
        assert_int_equal(cell->size, value.size);
        assert_memory_equal(cell->bytes, value.bytes, value.size);
        break;
    default: assert_int_equal(cell->i, value.i); break;
    }
}

static void check_cells(const struct rows *rows, const stoa_sst *table,
                        const stoa_sst_position *position) {
    const int64_t row = position->stripe * STRIPE_ROWS + position->row;
    stoa_error err;
    for (int32_t c = 0; c < rows->schema->root.child_count; c++) {
        const int32_t node = rows->layout.column_nodes[c];
        stoa_cell cell;
        stoa_cell_storage storage;
        if (node >= 0 && rows->layout.nodes[node].subtree == 1) {
            assert_ok(stoa_sst_cells(table, position, &c, 1, &cell, &storage, &err), err);
            check_cell(rows, c, row, &cell);
        }
    }
}

/* All versions of a key that a snapshot sees, against those rows, of which `expected` is the first. */
static void check_versions(const struct rows *rows, stoa_sst *table, const stoa_sst_key *key,
                           uint64_t snapshot, int64_t expected) {
    const stoa_keys_view keys = stoa_keys_view_of(&rows->keys);
    const uint64_t *sequences = (const uint64_t *)(const void *)rows->sequences.data;
    stoa_sst_version version;
    stoa_error err;
    uint8_t number[8];
    size_t size;
    assert_ok(stoa_sst_get(table, key, snapshot, NULL, &version, &err), err);
    for (; expected < keys.count; expected++) {
        const uint8_t *bytes = stoa_keys_bytes(&rows->key, &keys, expected, number, &size);
        if (stoa_bytes_compare(bytes, size, key->bytes, key->size) != 0) {
            break;
        }
        if (sequences[expected] > snapshot) {
            continue;
        }
        uint64_t sequence;
        assert_true(version.is_found);
        assert_int_equal(version.position.stripe * STRIPE_ROWS + version.position.row, expected);
        assert_int_equal(version.operation, rows->operations.data[expected]);
        assert_ok(stoa_sst_sequence(table, &version.position, &sequence, &err), err);
        assert_int_equal(sequence, sequences[expected]);
        check_cells(rows, table, &version.position);
        assert_ok(stoa_sst_before(table, key, &version, &err), err);
    }
    assert_false(version.is_found);
}

static void check_gets(support_random *random, const struct rows *rows, stoa_sst *table) {
    const stoa_keys_view keys = stoa_keys_view_of(&rows->keys);
    const uint64_t *sequences = (const uint64_t *)(const void *)rows->sequences.data;
    for (int i = 0; i < 300 && keys.count > 0; i++) {
        uint8_t number[8], other[32];
        size_t size;
        int64_t row = (int64_t)support_random_below(random, (uint64_t)keys.count);
        const uint64_t snapshot = support_random_bool(random)
                                      ? UINT64_MAX
                                      : sequences[row] - 1 + support_random_below(random, 3);
        const uint8_t *bytes = stoa_keys_bytes(&rows->key, &keys, row, number, &size);
        while (row > 0 && stoa_keys_compare(&rows->key, &keys, row - 1, &keys, row) == 0) {
            row--;
        }
        const stoa_sst_key key = stoa_sst_key_of(&rows->key, bytes, size);
        check_versions(rows, table, &key, snapshot, row);
        memcpy(other, bytes, size);
        other[size - 1] ^= 1; /* numbers grow by seven */
        const stoa_sst_key no_key = stoa_sst_key_of(&rows->key, other, size);
        stoa_sst_version version;
        stoa_error err;
        assert_ok(stoa_sst_get(table, &no_key, snapshot, NULL, &version, &err), err);
        if (version.is_found) {
            const int64_t at = version.position.stripe * STRIPE_ROWS + version.position.row;
            const uint8_t *found = stoa_keys_bytes(&rows->key, &keys, at, number, &size);
            assert_int_equal(stoa_bytes_compare(found, size, other, no_key.size), 0);
        }
    }
}

static void check_counts(const struct rows *rows, const stoa_sst *table) {
    const stoa_sst_summary *summary = stoa_sst_summary_of(table);
    int64_t deletes = rows->ranges.count;
    for (size_t i = 0; i < rows->operations.size; i++) {
        deletes += rows->operations.data[i] == STOA_OPERATION_DELETE;
    }
    assert_int_equal(summary->row_count, rows->batch.length);
    assert_int_equal(summary->delete_count, deletes);
    assert_int_equal(summary->range_count, rows->ranges.count);
}

static void check_ranges(support_random *random, const struct rows *rows, const stoa_sst *table) {
    const stoa_range_set *found = stoa_sst_ranges(table);
    assert_int_equal(found->count, rows->ranges.count);
    for (int i = 0; i < 200; i++) {
        uint8_t key[8];
        const size_t size = support_random_below(random, 9);
        const uint64_t snapshot = support_random_below(random, 6000);
        support_random_bytes(random, key, sizeof key);
        assert_int_equal(stoa_range_set_cover(found, key, size, snapshot),
                         stoa_range_set_cover(&rows->ranges, key, size, snapshot));
    }
}

/* Keys that rows have or ranges hold are within the bounds. */
static void check_bounds(stoa_pool *pool, support_random *random, const struct rows *rows,
                         const stoa_sst *table) {
    const stoa_keys_view keys = stoa_keys_view_of(&rows->keys);
    stoa_buffer first, last;
    stoa_error err;
    stoa_buffer_init(&first, pool);
    stoa_buffer_init(&last, pool);
    assert_ok(stoa_sst_bounds(table, &first, &last, &err), err);
    for (int64_t i = 0; i < keys.count + 500; i++) {
        uint8_t number[8], any[8];
        size_t size = rows->key.is_number ? 8 : support_random_below(random, 9);
        support_random_bytes(random, any, sizeof any);
        const uint8_t *key = i < keys.count ? stoa_keys_bytes(&rows->key, &keys, i, number, &size)
                                            : any;
        if (i < keys.count || stoa_range_set_cover(&rows->ranges, key, size, UINT64_MAX) > 0) {
            assert_true(stoa_bytes_compare(first.data, first.size, key, size) <= 0);
            assert_true(stoa_bytes_compare(last.data, last.size, key, size) >= 0);
        }
    }
    stoa_buffer_release(&first);
    stoa_buffer_release(&last);
}

static void tables_come_back(void **state) {
    support_random random = support_random_open("lsm.prop_sstable rows");
    uint64_t decompressed = 0;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        support_world world;
        struct rows rows;
        stoa_sst_summary summary;
        stoa_sst *table;
        stoa_error err;
        support_world_open(&world);
        const int64_t count = round == 0 ? 0 : (int64_t)support_random_below(&random, 6000);
        make_rows(world.pool, &random, round, count, &rows);
        assert_ok(write_table(&world, &rows, &summary, &err), err);
        assert_int_equal(summary.row_count, count);
        assert_ok(open_table(&world, &rows, &table, &err), err);
        assert_memory_equal(stoa_sst_summary_of(table), &summary, sizeof summary);
        check_columns(world.pool, &rows, table);
        check_search(&random, &rows, table);
        check_zones(&rows, table);
        check_filter(&rows, table);
        check_counts(&rows, table);
        check_gets(&random, &rows, table);
        check_ranges(&random, &rows, table);
        check_bounds(world.pool, &random, &rows, table);
        assert_int_equal(stoa_sst_codec(table), count == 0 ? STOA_COMPRESSION_NONE : rows.codec);
        const uint64_t held = stoa_sst_memory_bytes(table);
        assert_true(rows.codec != STOA_COMPRESSION_NONE || held == 0);
        decompressed += held;
        assert_ok(stoa_sst_verify(table, &err), err);
        assert_int_equal(stoa_sst_memory_bytes(table), held);
        stoa_sst_close(table);
        drop_rows(&rows);
        support_world_close(&world);
    }
    assert_true(decompressed > 0);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static void put_file(const support_world *world, const uint8_t *bytes, size_t size) {
    const stoa_context context = {.pool = world->pool};
    stoa_file *file;
    stoa_error err;
    assert_ok(stoa_vfs_open(world->registry, URI, STOA_OPEN_REPLACE, &context, &file, &err), err);
    assert_ok(stoa_file_write(file, bytes, size, &err), err);
    assert_ok(stoa_file_sync(file, &err), err);
    stoa_file_close(file);
}

static stoa_status open_and_verify(const support_world *world, const struct rows *rows,
                                   stoa_error *err) {
    stoa_sst *table;
    STOA_TRY(open_table(world, rows, &table, err));
    const stoa_status status = stoa_sst_verify(table, err);
    stoa_sst_close(table);
    return status;
}

/* There is something compressed where there is a codec, so that damage hits it. */
static void check_compression(const support_world *world, const struct rows *rows) {
    stoa_sst *table;
    stoa_error err;
    assert_ok(open_table(world, rows, &table, &err), err);
    check_columns(world->pool, rows, table);
    assert_int_equal(stoa_sst_memory_bytes(table) > 0, rows->codec != STOA_COMPRESSION_NONE);
    stoa_sst_close(table);
}

static void every_change_is_found(void **state) {
    support_random random = support_random_open("lsm.prop_sstable damage");
    (void)state;
    for (int round = 0; round < 6; round++) {
        support_world world;
        struct rows rows;
        stoa_sst_summary summary;
        stoa_error err;
        stoa_buffer bytes;
        support_world_open(&world);
        make_rows(world.pool, &random, round, round < 2 ? 40 : 100, &rows);
        assert_ok(write_table(&world, &rows, &summary, &err), err);
        stoa_buffer_init(&bytes, world.pool);
        const stoa_context context = {.pool = world.pool};
        assert_ok(stoa_vfs_read_all(world.registry, URI, &context, SIZE_MAX, world.pool, &bytes,
                                    &err),
                  err);
        assert_int_equal(bytes.size, summary.file_bytes);
        for (size_t i = 0; i < bytes.size; i++) {
            const uint8_t flipped = (uint8_t)(1u << support_random_below(&random, 8));
            bytes.data[i] ^= flipped;
            put_file(&world, bytes.data, bytes.size);
            const stoa_status status = open_and_verify(&world, &rows, &err);
            if (status != STOA_CORRUPT && status != STOA_UNSUPPORTED) {
                fail_msg("byte %zu of %zu: status %d", i, bytes.size, (int)status);
            }
            bytes.data[i] ^= flipped;
        }
        for (size_t size = 0; size < bytes.size; size += 1 + bytes.size / 200) {
            put_file(&world, bytes.data, size);
            assert_int_equal(open_and_verify(&world, &rows, &err), STOA_CORRUPT);
        }
        put_file(&world, bytes.data, bytes.size);
        assert_ok(open_and_verify(&world, &rows, &err), err);
        check_compression(&world, &rows);
        stoa_buffer_release(&bytes);
        drop_rows(&rows);
        support_world_close(&world);
    }
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static stoa_status write_and_read(support_world *world, void *user, stoa_error *err) {
    struct rows rows;
    stoa_sst_summary summary;
    support_random random = {42};
    stoa_pool *pool = support_pool_open(); /* the rows are not what fails */
    make_rows(pool, &random, *(const int *)user, 100, &rows);
    stoa_status status = write_table(world, &rows, &summary, err);
    if (status == STOA_OK) {
        status = open_and_verify(world, &rows, err);
    }
    drop_rows(&rows);
    support_pool_close(pool);
    return status;
}

static void faults_are_told(void **state) {
    (void)state;
    for (int round = 1; round < 6; round += 2) {
        assert_true(support_fail_each_allocation(NULL, write_and_read, NULL, &round) > 20);
        assert_true(support_fail_each_call(NULL, write_and_read, NULL, &round) > 5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_come_back),
        cmocka_unit_test(every_change_is_found),
        cmocka_unit_test(faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
