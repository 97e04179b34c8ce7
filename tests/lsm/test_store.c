/* A store as a whole: what is written is read, also after it was flushed, compacted and opened anew. */
#include <stdio.h>

#include <stoa/state_maintenance.h>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "lsm/store_internal.h"
#include "store_support.h"

static stoa_pool *pool;

static void put(struct store_test *test, int64_t user, int64_t total, const char *name) {
    stoa_error err;
    const stoa_cell row[] = {{.i = user}, {.i = total}, {.bytes = name, .size = strlen(name)}};
    assert_ok(stoa_state_put(test->totals, row, STOA_DURABILITY_DEFAULT, &err), err);
}

static void add(struct store_test *test, int64_t user, int64_t total) {
    stoa_error err;
    const stoa_cell row[] = {{.i = user}, {.i = total}, {.is_null = true}};
    assert_ok(stoa_state_merge(test->totals, row, STOA_DURABILITY_DEFAULT, &err), err);
}

static void delete_range(struct store_test *test, int64_t from, int64_t to) {
    stoa_error err;
    assert_ok(stoa_state_delete_range(test->totals, &(stoa_cell){.i = from}, 1,
                                      &(stoa_cell){.i = to}, 1, STOA_DURABILITY_DEFAULT, &err),
              err);
}

/* The total of a user; -1: there is no such row. */
static int64_t total_at(struct store_test *test, int64_t user,
                        const stoa_state_snapshot *snapshot) {
    stoa_error err;
    stoa_row *row = NULL;
    bool found = false;
    assert_ok(stoa_row_create(test->totals, "total", &row, &err), err);
    assert_ok(stoa_state_get(test->totals, &(stoa_cell){.i = user}, snapshot, row, &found, &err),
              err);
    const int64_t total = found ? stoa_row_cells(row)->i : -1;
    stoa_row_close(row);
    return total;
}

static int64_t total_of(struct store_test *test, int64_t user) {
    return total_at(test, user, NULL);
}

static void flush(struct store_test *test) {
    stoa_error err;
    assert_ok(stoa_state_flush(test->totals, &err), err);
}

static void reopen(struct store_test *test) {
    store_test_close(test);
    store_test_open(test);
}

static void test_rows_are_read_back(void **state) {
    (void)state;
    struct store_test test;
    store_test_begin(&test, pool);
    store_test_open(&test);
    put(&test, 7, 70, "seven");
    put(&test, 8, 80, "eight");
    put(&test, 7, 71, "seven again");
    assert_int_equal(total_of(&test, 7), 71);
    assert_int_equal(total_of(&test, 8), 80);
    assert_int_equal(total_of(&test, 9), -1);
    flush(&test);
    assert_int_equal(total_of(&test, 7), 71);
    store_test_end(&test);
}

static void test_the_log_brings_rows_back(void **state) {
    (void)state;
    struct store_test test;
    store_test_begin(&test, pool);
    store_test_open(&test);
    put(&test, 1, 10, "one");
    add(&test, 1, 5);
    put(&test, 2, 20, "two");
    delete_range(&test, 2, 3);
    reopen(&test);
    assert_int_equal(total_of(&test, 1), 15);
    assert_int_equal(total_of(&test, 2), -1);
    flush(&test);
    add(&test, 1, 1);
    reopen(&test);
    assert_int_equal(total_of(&test, 1), 16);
    reopen(&test);
    assert_int_equal(total_of(&test, 1), 16); /* nothing is folded twice */
    store_test_end(&test);
}

/* Rows that came one by one are not kept as a batch each. */
static void test_rows_of_the_log_take_no_more_room(void **state) {
    (void)state;
    enum { USERS = 5000 };
    struct store_test test;
    store_test_begin(&test, pool);
    store_test_open(&test);
    for (int64_t i = 0; i < USERS; i++) {
        put(&test, i, i, "somebody");
    }
    const uint64_t used = stoa_pool_used(pool);
    reopen(&test);
    assert_true(stoa_pool_used(pool) < used + used / 4);
    for (int64_t i = 0; i < USERS; i++) {
        assert_int_equal(total_of(&test, i), i);
    }
    store_test_end(&test);
}

static void test_snapshots_stay_as_they_are(void **state) {
    (void)state;
    struct store_test test;
    stoa_state_snapshot *snapshot = NULL;
    stoa_error err;
    store_test_begin(&test, pool);
    store_test_open(&test);
    put(&test, 1, 10, "one");
    assert_ok(stoa_state_snapshot_create(test.totals, &snapshot, &err), err);
    add(&test, 1, 5);
    put(&test, 2, 20, "two");
    flush(&test);
    assert_ok(stoa_state_delete(test.totals, &(stoa_cell){.i = 1}, STOA_DURABILITY_DEFAULT, &err),
              err);
    flush(&test);
    assert_ok(stoa_state_settle(test.totals, &err), err);
    assert_int_equal(total_at(&test, 1, snapshot), 10);
    assert_int_equal(total_at(&test, 2, snapshot), -1);
    assert_int_equal(total_of(&test, 1), -1);
    stoa_state_snapshot_close(snapshot);
    store_test_end(&test);
}

static void test_a_batch_is_one_commit(void **state) {
    (void)state;
    struct store_test test;
    stoa_state_batch *batch = NULL;
    stoa_error err;
    store_test_begin(&test, pool);
    store_test_open(&test);
    assert_ok(stoa_state_batch_create(test.totals, &batch, &err), err);
    const stoa_cell one[] = {{.i = 1}, {.i = 10}, {.bytes = "one", .size = 3}};
    const stoa_cell wrong[] = {{.is_null = true}, {.i = 10}, {.is_null = true}};
    assert_ok(stoa_state_batch_put(batch, test.totals, one, &err), err);
    assert_ok(stoa_state_batch_put(batch, test.totals, wrong, &err), err);
    assert_int_equal(stoa_state_batch_commit(batch, STOA_DURABILITY_DEFAULT, &err), STOA_INVALID);
    assert_int_equal(total_of(&test, 1), -1);
    stoa_state_batch_close(batch);

    assert_ok(stoa_state_batch_create(test.totals, &batch, &err), err);
    assert_ok(stoa_state_batch_put(batch, test.totals, one, &err), err);
    assert_ok(stoa_state_batch_delete(batch, test.totals, &(stoa_cell){.i = 1}, &err), err);
    assert_ok(stoa_state_batch_merge(batch, test.totals, one, &err), err);
    assert_ok(stoa_state_batch_commit(batch, STOA_DURABILITY_SYNC, &err), err);
    assert_int_equal(total_of(&test, 1), 10);
    stoa_state_batch_close(batch);
    reopen(&test);
    assert_int_equal(total_of(&test, 1), 10);
    store_test_end(&test);
}

static void test_full_memtables_become_files(void **state) {
    (void)state;
    struct store_test test;
    stoa_error err;
    store_test_begin(&test, pool);
    test.settings.memtable_bytes = 256 << 10;
    test.settings.log_segment_bytes = 64 << 10;
    store_test_open(&test);
    for (int64_t i = 0; i < 20000; i++) {
        put(&test, i * 7919 % 20000, i, "somebody");
    }
    for (int64_t i = 0; i < 20000; i++) {
        assert_int_equal(total_of(&test, i * 7919 % 20000), i);
    }
    assert_ok(stoa_state_settle(test.totals, &err), err);
    for (int64_t i = 0; i < 20000; i += 7) {
        assert_int_equal(total_of(&test, i * 7919 % 20000), i);
    }
    reopen(&test);
    for (int64_t i = 0; i < 20000; i++) {
        assert_int_equal(total_of(&test, i * 7919 % 20000), i);
    }
    store_test_end(&test);
}

static void test_a_table_tells_its_key(void **state) {
    (void)state;
    struct store_test test;
    store_test_begin(&test, pool);
    store_test_open(&test);
    assert_int_equal(stoa_state_key_column(test.totals, 0), 0);
    assert_int_equal(stoa_state_key_column(test.totals, 1), -1);
    assert_int_equal(stoa_state_key_column(test.totals, -1), -1);
    store_test_end(&test);
}

static void test_readers_follow(void **state) {
    (void)state;
    struct store_test test;
    stoa_error err;
    store_test_begin(&test, pool);
    store_test_open(&test);
    put(&test, 1, 10, "one");
    struct store_test reader = test;
    reader.store = NULL;
    assert_ok(store_test_open_as(&reader, true, &err), err);
    assert_ok(stoa_store_open_table(reader.store, TOTALS, &reader.totals, &err), err);
    assert_int_equal(total_of(&reader, 1), 10);
    add(&test, 1, 1);
    assert_int_equal(total_of(&reader, 1), 10);
    assert_ok(stoa_store_follow(reader.store, &err), err);
    assert_int_equal(total_of(&reader, 1), 11);
    flush(&test);
    add(&test, 1, 1);
    assert_ok(stoa_store_follow(reader.store, &err), err);
    assert_int_equal(total_of(&reader, 1), 12);
    const stoa_cell row[] = {{.i = 1}, {.i = 10}, {.bytes = "one", .size = 3}};
    assert_int_equal(stoa_state_put(reader.totals, row, STOA_DURABILITY_DEFAULT, &err),
                     STOA_INVALID);
    assert_int_equal(stoa_state_flush(reader.totals, &err), STOA_INVALID);
    assert_int_equal(stoa_state_settle(reader.totals, &err), STOA_INVALID);
    assert_int_equal(stoa_state_sync(reader.totals, &err), STOA_INVALID);
    store_test_close(&reader);
    store_test_end(&test);
}

static void test_a_dropped_table_is_gone(void **state) {
    (void)state;
    struct store_test test;
    stoa_state *again = NULL;
    stoa_error err;
    store_test_begin(&test, pool);
    store_test_open(&test);
    put(&test, 1, 10, "one");
    flush(&test);
    put(&test, 1, 11, "one");
    assert_ok(stoa_store_drop_table(test.store, TOTALS, &err), err);
    assert_int_equal(total_of(&test, 1), 11); /* whoever has it open reads on */
    const stoa_cell row[] = {{.i = 1}, {.i = 10}, {.bytes = "one", .size = 3}};
    assert_int_equal(stoa_state_put(test.totals, row, STOA_DURABILITY_DEFAULT, &err),
                     STOA_NOT_FOUND);
    assert_int_equal(stoa_store_open_table(test.store, TOTALS, &again, &err), STOA_NOT_FOUND);
    reopen(&test);
    assert_int_equal(total_of(&test, 1), -1);
    store_test_end(&test);
}

static void make_users(const int64_t *users, int64_t count, struct ArrowSchema *schema,
                       struct ArrowArray *out) {
    const stoa_schema *key = NULL;
    stoa_builder *builder = NULL;
    stoa_error err;
    assert_ok(stoa_schema_parse(pool, "user long not null", &key, &err), err);
    assert_ok(stoa_schema_to_arrow(pool, key, schema, &err), err);
    assert_ok(stoa_builder_create(pool, schema, &builder, &err), err);
    for (int64_t i = 0; i < count; i++) {
        assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 0), users[i], &err), err);
        assert_ok(stoa_builder_finish_value(builder, &err), err);
    }
    assert_ok(stoa_builder_finish(builder, out, &err), err);
    stoa_builder_close(builder);
    stoa_schema_close(key);
}

static void test_many_keys_at_once(void **state) {
    (void)state;
    static const int64_t users[] = {3, 9, 1, 3};
    struct store_test test;
    struct ArrowSchema key_schema, schema;
    struct ArrowArray keys, rows;
    uint8_t found = 0;
    stoa_error err;
    store_test_begin(&test, pool);
    store_test_open(&test);
    put(&test, 1, 10, "one");
    flush(&test);
    put(&test, 3, 30, "three");
    add(&test, 1, 1);
    make_users(users, 4, &key_schema, &keys);
    assert_ok(stoa_state_get_many(test.totals, &key_schema, &keys, "total, user", NULL, &schema,
                                  &rows, &found, &err),
              err);
    assert_int_equal(found & 15, 13);
    assert_int_equal(rows.length, 4);
    assert_string_equal(schema.children[0]->name, "total");
    const int64_t *totals = rows.children[0]->buffers[1];
    assert_int_equal(totals[0], 30);
    assert_int_equal(totals[2], 11);
    assert_int_equal(totals[3], 30);
    assert_int_equal(rows.children[0]->null_count, 1);
    stoa_arrow_array_release(&rows);
    stoa_arrow_schema_release(&schema);
    stoa_arrow_schema_release(&key_schema);
    store_test_end(&test);
}

static void expect_extremes(struct store_test *test, const char *column, int64_t least,
                            int64_t greatest) {
    stoa_cell lower, upper;
    bool found = false;
    stoa_error err;
    assert_ok(stoa_state_extremes(test->totals, column, NULL, &lower, &upper, &found, &err), err);
    assert_true(found);
    assert_int_equal(lower.i, least);
    assert_int_equal(upper.i, greatest);
}

static void test_extremes(void **state) {
    (void)state;
    struct store_test test;
    stoa_cell lower, upper;
    bool found = true;
    stoa_error err;
    store_test_begin(&test, pool);
    store_test_open(&test);
    assert_ok(stoa_state_extremes(test.totals, "total", NULL, &lower, &upper, &found, &err), err);
    assert_false(found);
    for (int64_t i = 0; i < 20000; i++) {
        put(&test, i * 7 % 20000 - 50, i - 10000, "somebody");
    }
    expect_extremes(&test, "total", -10000, 9999); /* in memory */
    expect_extremes(&test, "user", -50, 19949);
    assert_ok(stoa_state_compact(test.totals, NULL, 0, NULL, 0, NULL, &err), err);
    expect_extremes(&test, "total", -10000, 9999); /* by what the file says */
    put(&test, 3, 123456, "somebody");
    delete_range(&test, -50, 0);
    expect_extremes(&test, "total", -9992, 123456); /* what is in memory counts */
    expect_extremes(&test, "user", 0, 19949);
    assert_int_equal(stoa_state_extremes(test.totals, "name", NULL, &lower, &upper, &found, &err),
                     STOA_UNSUPPORTED);
    store_test_end(&test);
}

/* Files that are newer than a snapshot say nothing of what it sees. */
static void test_extremes_of_a_snapshot(void **state) {
    (void)state;
    struct store_test test;
    stoa_state_snapshot *snapshots[2];
    stoa_cell lower, upper;
    bool found = true;
    stoa_error err;
    store_test_begin(&test, pool);
    test.settings.no_background = true;
    store_test_open(&test);
    for (int i = 0; i < 2; i++) {
        assert_ok(stoa_state_snapshot_create(test.totals, &snapshots[i], &err), err);
        put(&test, i, 100 + i, "somebody");
        flush(&test);
    }
    assert_ok(stoa_state_extremes(test.totals, "total", snapshots[0], &lower, &upper, &found, &err),
              err);
    assert_false(found);
    assert_ok(stoa_state_extremes(test.totals, "total", snapshots[1], &lower, &upper, &found, &err),
              err);
    assert_true(found);
    assert_int_equal(lower.i, 100);
    assert_int_equal(upper.i, 100);
    stoa_state_snapshot_close(snapshots[0]);
    stoa_state_snapshot_close(snapshots[1]);
    store_test_end(&test);
}

static void drop_odd(void *user, const struct ArrowArray *rows, uint8_t *keep) {
    const int64_t *users = rows->children[0]->buffers[1];
    (void)user;
    for (int64_t i = 0; i < rows->length; i++) {
        keep[i] = users[rows->offset + i] % 2 == 0;
    }
}

static void test_a_filter_leaves_rows_out(void **state) {
    (void)state;
    struct store_test test;
    stoa_error err;
    store_test_begin(&test, pool);
    store_test_open(&test);
    for (int64_t i = 0; i < 100; i++) {
        put(&test, i, i, "somebody");
    }
    stoa_state_set_filter(test.totals, drop_odd, NULL);
    assert_ok(stoa_state_flush(test.totals, &err), err);
    for (int64_t i = 0; i < 100; i++) {
        add(&test, i, 1);
    }
    assert_ok(stoa_state_compact(test.totals, NULL, 0, NULL, 0, NULL, &err), err);
    for (int64_t i = 0; i < 100; i++) {
        assert_int_equal(total_of(&test, i), i % 2 == 0 ? i + 1 : -1);
    }
    store_test_end(&test);
}

/* Files of the table with their codec; `*out_bytes` is what they hold of decompressed segments. */
static int64_t count_files(const struct store_test *test, stoa_compression codec,
                           uint64_t *out_bytes) {
    stoa_state_view *view = stoa_state_acquire(test->totals);
    int64_t count = 0;
    *out_bytes = 0;
    for (int32_t level = 0; level < STOA_LEVELS; level++) {
        const stoa_level *files = &view->version->levels[level];
        for (int64_t i = 0; i < files->count; i++) {
            count += stoa_sst_codec(files->files[i]->sst) == codec;
            *out_bytes += stoa_sst_memory_bytes(files->files[i]->sst);
        }
    }
    stoa_state_view_release(view);
    return count;
}

static void check_users(struct store_test *test, int64_t count) {
    stoa_error err;
    int64_t counted;
    assert_ok(stoa_state_count(test->totals, &(stoa_state_scan_options){0}, &counted, &err), err);
    assert_int_equal(counted, count);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(total_of(test, i), i % 3 == 0 ? i + 1 : i);
    }
}

/* Flushes compress nothing; what is compacted to the last level is compressed, and read like the rest. */
static void check_codec(const char *name, stoa_compression codec) {
    enum { USERS = 3000 };
    struct store_test test;
    stoa_error err;
    uint64_t held;
    stoa_state_table_statistics statistics;
    store_test_begin(&test, pool);
    test.settings.no_background = true;
    test.codec = name;
    store_test_open(&test);
    for (int64_t i = 0; i < USERS; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "user number %" PRId64 " of some, by their name", i);
        put(&test, i, i, text);
    }
    flush(&test);
    for (int64_t i = 0; i < USERS; i += 3) {
        add(&test, i, 1);
    }
    flush(&test);
    check_users(&test, USERS);
    assert_int_equal(count_files(&test, STOA_COMPRESSION_NONE, &held), 2);
    assert_int_equal(held, 0);
    assert_ok(stoa_state_compact(test.totals, NULL, 0, NULL, 0, NULL, &err), err);
    assert_int_equal(count_files(&test, codec, &held), 1);
    assert_int_equal(held, 0);
    check_users(&test, USERS);
    (void)count_files(&test, codec, &held);
    assert_true(held > 0);
    stoa_state_table_statistics_get(test.totals, &statistics);
    assert_int_equal(statistics.decompressed_bytes, held);
    reopen(&test);
    assert_int_equal(count_files(&test, codec, &held), 1);
    assert_int_equal(held, 0);
    check_users(&test, USERS);
    put(&test, 1, 1, "one again");
    flush(&test);
    assert_ok(stoa_state_compact(test.totals, NULL, 0, NULL, 0, NULL, &err), err);
    assert_int_equal(count_files(&test, codec, &held), 1);
    check_users(&test, USERS);
    store_test_end(&test);
}

static void test_the_last_level_is_compressed(void **state) {
    (void)state;
    check_codec("lz4", STOA_COMPRESSION_LZ4_RAW);
    check_codec("zstd", STOA_COMPRESSION_ZSTD);
}

static int64_t count_stripes(const struct store_test *test) {
    stoa_state_view *view = stoa_state_acquire(test->totals);
    int64_t count = 0;
    for (int32_t level = 0; level < STOA_LEVELS; level++) {
        const stoa_level *files = &view->version->levels[level];
        for (int64_t i = 0; i < files->count; i++) {
            count += stoa_sst_summary_of(files->files[i]->sst)->stripe_count;
        }
    }
    stoa_state_view_release(view);
    return count;
}

/* A column of a stripe has at most 2 GiB, which 8192 rows would soon exceed. */
static void test_large_rows_make_small_stripes(void **state) {
    enum { USERS = 96, NAME_BYTES = 512 << 10 };
    static char name[NAME_BYTES + 1];
    struct store_test test;
    stoa_error err;
    (void)state;
    memset(name, 'n', NAME_BYTES);
    store_test_begin(&test, pool);
    test.settings.no_background = true;
    store_test_open(&test);
    for (int64_t i = 0; i < USERS; i++) {
        name[0] = (char)(' ' + i); /* no dictionary */
        put(&test, i, i, name);
    }
    flush(&test);
    put(&test, 0, 1, name);
    flush(&test);
    assert_ok(stoa_state_compact(test.totals, NULL, 0, NULL, 0, NULL, &err), err);
    assert_in_range(count_stripes(&test), 2, 4);
    for (int64_t i = 0; i < USERS; i++) {
        assert_int_equal(total_of(&test, i), i == 0 ? 1 : i);
    }
    store_test_end(&test);
}

static int setup(void **state) {
    (void)state;
    stoa_error err;
    return stoa_pool_create(0, NULL, &pool, &err) == STOA_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    assert_int_equal(stoa_pool_used(pool), 0);
    stoa_pool_close(pool);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_are_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_log_brings_rows_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows_of_the_log_take_no_more_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshots_stay_as_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_batch_is_one_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_memtables_become_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_table_tells_its_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readers_follow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_keys_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extremes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extremes_of_a_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_filter_leaves_rows_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_last_level_is_compressed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_rows_make_small_stripes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_dropped_table_is_gone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
