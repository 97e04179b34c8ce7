/* What the golden store (test_store_golden.c) holds, and how it was written: never changed, since the files
 * stay as they are. */
#ifndef STOA_TESTS_LSM_GOLDEN_STORE_H
#define STOA_TESTS_LSM_GOLDEN_STORE_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "lsm/bulk.h"
#include "lsm/store.h"
#include "sched/sched.h"
#include "support.h"

#define PLACE "memory:/db/state"

enum { COLUMNS_MAX = 16, USERS = 200, DAY_MS = 86400000 };
static const int64_t NOW_MS = INT64_C(1700000000000); /* 2023-11-14 22:13:20 */

enum { TOTALS, EVENTS, KEYS, SESSIONS, LOADED, NESTED, DROPPED, TABLES };
static const struct table {
    const char *schema;
    stoa_state_table_options options;
} tables[TABLES] = {
    [TOTALS] = {"user long not null, total decimal(12, 2), least double, most date, words string",
                {.key = "user",
                 .merge = "total add, least min, most max, words append",
                 .codec = "zstd"}},
    [EVENTS] = {"name string not null, at timestamp not null, n int, note string, gone int",
                {.key = "name, at desc", .compaction = STOA_COMPACTION_TIERED}},
    [KEYS] = {"a boolean not null, b int8 not null, c float not null, d decimal(20, 3) not null, "
              "e date not null, f fixed[2] not null, g binary not null, h uuid, i uint64, j time, "
              "k timestamptz, l duration, m int16, n decimal(4, 1)",
              {.key = "a, b desc, c, d desc, e, f desc, g desc", .filter_bits = -1}},
    [SESSIONS] = {"id uuid not null, at timestamp",
                  {.key = "id",
                   .ttl_column = "at",
                   .ttl_ms = DAY_MS,
                   .compaction = STOA_COMPACTION_FIFO,
                   .fifo_bytes = 1 << 30}},
    [LOADED] = {"k int not null, text string", {.key = "k desc", .codec = "lz4"}},
    [NESTED] = {"k int not null, tags list<string>, place struct<x: int8, y: double>, "
                "more map<string, long>",
                {.key = "k", .merge = "tags union"}},
    [DROPPED] = {"k int not null", {.key = "k"}},
};

static stoa_pool *pool;
static stoa_error err;

struct world {
    stoa_sched *sched;
    stoa_fs_registry *file_systems;
    stoa_store *store;
    stoa_state *tables[TABLES];
};

static int64_t now_ms(void *user) {
    (void)user;
    return NOW_MS;
}

/* ---- Opening ---------------------------------------------------------------------------------- */

static void world_begin(struct world *world) {
    memset(world, 0, sizeof *world);
    assert_ok(stoa_sched_create(pool, &(stoa_sched_options){.threads = 1}, &world->sched, &err),
              err);
    assert_ok(stoa_fs_registry_create(pool, &world->file_systems, &err), err);
}

static stoa_status try_open(struct world *world, bool read_only, const char *boot) {
    const stoa_store_options options = {.context = {.pool = pool, .sched = world->sched},
                                        .file_systems = world->file_systems,
                                        .directory = PLACE,
                                        .create = !read_only,
                                        .read_only = read_only,
                                        .boot = boot,
                                        .settings = {.no_background = true,
                                                     .log_segment_bytes = 8192,
                                                     .clock_ms = now_ms}};
    return stoa_store_open(&options, &world->store, &err);
}

static void open_store(struct world *world, bool read_only, const char *boot) {
    assert_ok(try_open(world, read_only, boot), err);
    for (int i = 0; i < DROPPED; i++) {
        assert_ok(stoa_store_open_table(world->store, i + 1, &world->tables[i], &err), err);
    }
    assert_int_equal(stoa_store_open_table(world->store, DROPPED + 1, &world->tables[DROPPED],
                                           &err),
                     STOA_NOT_FOUND);
    world->tables[DROPPED] = NULL;
}

static void close_store(struct world *world) {
    for (int i = 0; i < TABLES; i++) {
        stoa_state_close(world->tables[i]);
        world->tables[i] = NULL;
    }
    stoa_store_close(world->store);
    world->store = NULL;
}

static void world_end(struct world *world) {
    close_store(world);
    stoa_sched_close(world->sched);
    stoa_fs_registry_close(world->file_systems);
}

/* ---- Writing it ------------------------------------------------------------------------------- */

/* A row of texts, NULL for a null; of deletions the key's, in its order. */
static void write_row(struct world *world, int table, stoa_operation operation,
                      const char *const *texts) {
    stoa_state *state = world->tables[table];
    const stoa_schema *schema = stoa_state_schema(state);
    const bool keys_only = operation == STOA_OPERATION_DELETE;
    stoa_text *storage[COLUMNS_MAX] = {NULL};
    stoa_cell cells[COLUMNS_MAX];
    int32_t count = 0;
    for (; keys_only ? stoa_state_key_column(state, count) >= 0 : count < schema->root.child_count;
         count++) {
        const int32_t column = keys_only ? stoa_state_key_column(state, count) : count;
        cells[count] = (stoa_cell){.is_null = texts[count] == NULL};
        assert_ok(stoa_text_create(pool, &storage[count], &err), err);
        if (texts[count] != NULL) {
            assert_ok(stoa_cell_parse(&schema->root.children[column].type, texts[count],
                                      strlen(texts[count]), storage[count], &cells[count], &err),
                      err);
        }
    }
    assert_ok(keys_only ? stoa_state_delete(state, cells, STOA_DURABILITY_DEFAULT, &err)
              : operation == STOA_OPERATION_PUT
                  ? stoa_state_put(state, cells, STOA_DURABILITY_DEFAULT, &err)
                  : stoa_state_merge(state, cells, STOA_DURABILITY_DEFAULT, &err),
              err);
    for (int32_t i = 0; i < count; i++) {
        stoa_text_close(storage[i]);
    }
}
#define ROW(...) ((const char *const[]){__VA_ARGS__})

static void put_users(struct world *world, int64_t first, int64_t step, const char *words) {
    for (int64_t i = first; i < USERS; i += step) {
        char user[24], total[24], least[24];
        (void)snprintf(user, sizeof user, "%" PRId64, i * i - 50);
        (void)snprintf(total, sizeof total, "%" PRId64 ".%02" PRId64, i * 7919 % 1000, i % 100);
        (void)snprintf(least, sizeof least, "%" PRId64 ".5", i % 13);
        write_row(world, TOTALS, i % 3 == 0 ? STOA_OPERATION_MERGE : STOA_OPERATION_PUT,
                  ROW(user, total, i % 5 == 0 ? NULL : least, "2024-02-29", words));
    }
}

static void delete_users(struct world *world, int64_t from, int64_t to) {
    assert_ok(stoa_state_delete_range(world->tables[TOTALS], &(stoa_cell){.i = from}, 1,
                                      &(stoa_cell){.i = to}, 1, STOA_DURABILITY_DEFAULT, &err),
              err);
}

static void flush(struct world *world) {
    assert_ok(stoa_state_flush(world->tables[TOTALS], &err), err);
}

static void compact(struct world *world, int table) {
    assert_ok(stoa_state_compact(world->tables[table], NULL, 0, NULL, 0, NULL, &err), err);
}

static void write_totals(struct world *world) {
    put_users(world, 0, 1, "first words of this user, ");
    flush(world);
    put_users(world, 0, 2, "second, ");
    delete_users(world, 900, 1200);
    compact(world, TOTALS); /* compressed */
    put_users(world, 1, 4, "third, ");
    delete_users(world, 2000, 3000);
    write_row(world, TOTALS, STOA_OPERATION_DELETE, ROW("-50"));
    flush(world); /* beside it, with deletions */
}

static void alter(struct world *world) {
    static const stoa_state_alteration all[] =
        {{.kind = STOA_STATE_ADD_COLUMN, .text = "score float"},
         {.kind = STOA_STATE_SET_DATA_TYPE, .column = "n", .text = "long"},
         {.kind = STOA_STATE_RENAME_COLUMN, .column = "note", .text = "remark"},
         {.kind = STOA_STATE_DROP_COLUMN, .column = "gone"}};
    assert_ok(stoa_store_alter_table(world->store, EVENTS + 1, all, 4, &err), err);
}

static void write_events(struct world *world) {
    write_row(world, EVENTS, STOA_OPERATION_PUT,
              ROW("", "1969-12-31 23:59:59.999999", "-1", "empty", "1"));
    write_row(world, EVENTS, STOA_OPERATION_PUT,
              ROW("ada", "2024-02-29 12:30:45", "2147483647", NULL, "2"));
    write_row(world, EVENTS, STOA_OPERATION_PUT,
              ROW("ada", "2024-03-01 00:00:00", "7", "Ünïcode", NULL));
    write_row(world, EVENTS, STOA_OPERATION_PUT,
              ROW("ada lovelace", "2024-03-01 00:00:00", NULL, "", "3"));
    flush(world);
    alter(world);
    write_row(world, EVENTS, STOA_OPERATION_PUT,
              ROW("bob", "2024-03-02 00:00:00", "9223372036854775807", "after", "1.5"));
    flush(world);
}

static void write_keys(struct world *world) {
    static const char *const floats[] = {"-inf", "-1.5", "0", "1e-40", "3.25", "inf", "nan"};
    static const char *const bytes[] = {"", "\\x00", "\\x00\\xFF", "a", "\\xFF", "\\xFF\\x00"};
    for (int i = 0; i < 42; i++) {
        char small[8], decimal[40], day[16], number[24];
        (void)snprintf(small, sizeof small, "%d", i * 37 % 256 - 128);
        (void)snprintf(decimal, sizeof decimal, "%s%d9999999999999.%03d", i % 2 == 0 ? "-" : "",
                       i % 9, i);
        (void)snprintf(day, sizeof day, "%04d-01-01", 1900 + i * 5);
        (void)snprintf(number, sizeof number, "%d446744073709551615", i % 19);
        write_row(world, KEYS, STOA_OPERATION_PUT,
                  ROW(i % 3 == 0 ? "true" : "false", small, floats[i % 7], decimal, day,
                      i % 2 == 0 ? "\\x00\\xFF" : "zz", bytes[i % 6],
                      i % 5 == 0 ? NULL : "12345678-9abc-def0-1234-56789abcdef0", number,
                      "23:59:59.999999", "2024-02-29 12:00:00+02", "-90 seconds", "-32768",
                      i % 4 == 0 ? NULL : "-999.9"));
        if (i == 25) {
            flush(world);
        }
    }
}

static void write_sessions(struct world *world) {
    write_row(world, SESSIONS, STOA_OPERATION_PUT,
              ROW("00000000-0000-0000-0000-000000000001", "2023-11-14 00:00:00"));
    write_row(world, SESSIONS, STOA_OPERATION_PUT,
              ROW("ffffffff-ffff-ffff-ffff-ffffffffffff", "2023-11-13 00:00:00")); /* gone */
    flush(world);
    write_row(world, SESSIONS, STOA_OPERATION_PUT,
              ROW("80000000-0000-0000-0000-000000000000", NULL));
    flush(world);
}

static stoa_builder *builder_of(const struct world *world, int table, struct ArrowSchema *schema) {
    stoa_builder *builder = NULL;
    assert_ok(stoa_schema_to_arrow(pool, stoa_state_schema(world->tables[table]), schema, &err),
              err);
    assert_ok(stoa_builder_create(pool, schema, &builder, &err), err);
    return builder;
}

static void append_number(stoa_builder *parent, int64_t child, int64_t value) {
    assert_ok(stoa_builder_append_i64(stoa_builder_child(parent, child), value, &err), err);
}

static void append_text(stoa_builder *builder, const char *format, int64_t number) {
    char text[64];
    (void)snprintf(text, sizeof text, format, (int)number);
    assert_ok(stoa_builder_append_bytes(builder, text, strlen(text), &err), err);
}

static void load(struct world *world, int64_t first, int64_t count) {
    struct ArrowSchema schema;
    struct ArrowArray batch;
    stoa_bulk *bulk = NULL;
    stoa_builder *builder = builder_of(world, LOADED, &schema);
    for (int64_t i = first; i < first + count; i++) {
        append_number(builder, 0, i);
        append_text(stoa_builder_child(builder, 1), "row %d of those that came as files", i);
        assert_ok(stoa_builder_finish_value(builder, &err), err);
    }
    assert_ok(stoa_builder_finish(builder, &batch, &err), err);
    assert_ok(stoa_bulk_create(world->store, stoa_state_definition(world->tables[LOADED]),
                               STOA_OPERATION_PUT, &bulk, &err),
              err);
    assert_ok(stoa_bulk_put(bulk, &batch, &err), err);
    assert_ok(stoa_bulk_finish(bulk, &err), err);
    const stoa_bulk_table table = {.state = world->tables[LOADED], .bulks = &bulk, .count = 1};
    assert_ok(stoa_bulk_commit(world->store, &table, 1, &err), err);
    stoa_bulk_close(bulk);
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&schema);
}

static void append_nested(stoa_builder *builder, int64_t i) {
    stoa_builder *tags = stoa_builder_child(builder, 1), *place = stoa_builder_child(builder, 2);
    stoa_builder *more = stoa_builder_child(builder, 3), *entry = stoa_builder_child(more, 0);
    append_number(builder, 0, i);
    for (int64_t k = 0; k < i % 3; k++) {
        append_text(stoa_builder_child(tags, 0), "tag %d", i + k);
    }
    assert_ok(stoa_builder_finish_value(tags, &err), err);
    append_number(place, 0, i - 8);
    assert_ok(stoa_builder_append_f64(stoa_builder_child(place, 1), (double)i / 4, &err), err);
    assert_ok(stoa_builder_finish_value(place, &err), err);
    if (i % 4 == 0) {
        assert_ok(stoa_builder_append_null(more, &err), err);
    } else {
        append_text(stoa_builder_child(entry, 0), "key %d", i);
        append_number(entry, 1, i * i);
        assert_ok(stoa_builder_finish_value(entry, &err), err);
        assert_ok(stoa_builder_finish_value(more, &err), err);
    }
    assert_ok(stoa_builder_finish_value(builder, &err), err);
}

static void write_nested(struct world *world, bool merges, int64_t first, int64_t count) {
    struct ArrowSchema schema;
    struct ArrowArray batch;
    stoa_builder *builder = builder_of(world, NESTED, &schema);
    for (int64_t i = first; i < first + count; i++) {
        append_nested(builder, i);
    }
    assert_ok(stoa_builder_finish(builder, &batch, &err), err);
    stoa_state *state = world->tables[NESTED];
    assert_ok(merges ? stoa_state_merge_batch(state, &schema, &batch, STOA_DURABILITY_DEFAULT, &err)
                     : stoa_state_put_batch(state, &schema, &batch, STOA_DURABILITY_DEFAULT, &err),
              err);
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&schema);
}

static void write_log(struct world *world) {
    stoa_state_batch *batch = NULL;
    put_users(world, 0, 10, "in the log");
    delete_users(world, 30000, 30400);
    write_row(world, TOTALS, STOA_OPERATION_DELETE, ROW("-49"));
    write_row(world, EVENTS, STOA_OPERATION_PUT,
              ROW("carl", "2024-03-03 00:00:00", "3", NULL, "-0.25"));
    write_nested(world, true, 5, 4);
    assert_ok(stoa_state_batch_create(world->tables[LOADED], &batch, &err), err);
    for (int64_t i = 0; i < 3; i++) {
        const stoa_cell loaded[] = {{.i = 1000 + i}, {.bytes = "of a batch", .size = 10}};
        const stoa_cell user = {.i = i * i * 100 - 50};
        assert_ok(stoa_state_batch_put(batch, world->tables[LOADED], loaded, &err), err);
        assert_ok(stoa_state_batch_delete(batch, world->tables[TOTALS], &user, &err), err);
    }
    assert_ok(stoa_state_batch_commit(batch, STOA_DURABILITY_SYNC, &err), err);
    stoa_state_batch_close(batch);
}

static void make_tables(struct world *world) {
    for (int i = 0; i < TABLES; i++) {
        const stoa_schema *schema = NULL;
        assert_ok(stoa_schema_parse(pool, tables[i].schema, &schema, &err), err);
        assert_ok(stoa_store_create_table(world->store, i + 1, schema, &tables[i].options, &err),
                  err);
        stoa_schema_close(schema);
        assert_ok(stoa_store_open_table(world->store, i + 1, &world->tables[i], &err), err);
    }
}

static void fill_store(struct world *world) {
    make_tables(world);
    write_totals(world);
    write_events(world);
    write_keys(world);
    write_sessions(world);
    load(world, 0, 300);
    compact(world, LOADED);
    load(world, 290, 20);
    write_nested(world, false, 0, 20);
    flush(world);
    assert_ok(stoa_store_drop_table(world->store, DROPPED + 1, &err), err);
    write_log(world);
}

#endif
