/* Databases for tests: a checked pool, a temporary directory, and tables of two columns, `id long`
 * (consecutive numbers) and `name string` ("n<id>"), whose content is told by a range of ids. */
#ifndef STOA_TESTS_TABLE_WORLD_H
#define STOA_TESTS_TABLE_WORLD_H

#include "support.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arrow/builder.h"
#include "table/table.h"

#define ok(expression) assert_ok((expression), err)

typedef struct table_world {
    stoa_pool *pool;
    char path[SUPPORT_PATH_BYTES];
    stoa_database *db;
    const stoa_schema *schema;
    struct ArrowSchema arrow;
} table_world;

#define TABLE_SCHEMA "id long not null, name string"

static inline stoa_status table_world_try_open(table_world *world, bool create, stoa_error *err) {
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = create;
    options.parent_pool = world->pool;
    options.busy_timeout_ms = 20000;
    options.threads = 2;
    return stoa_database_open(world->path, &options, &world->db, err);
}

static inline void table_world_reopen(table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database_close(world->db);
    world->db = NULL;
    ok(table_world_try_open(world, false, &err));
}

static inline void table_world_init(table_world *world, bool in_memory) {
    stoa_error err = STOA_ERROR_NONE;
    memset(world, 0, sizeof *world);
    world->pool = support_pool_open();
    if (in_memory) {
        (void)snprintf(world->path, sizeof world->path, ":memory:");
    } else {
        char parent[SUPPORT_PATH_BYTES];
        support_temp_directory(parent);
        (void)snprintf(world->path, sizeof world->path, "%.480s/db.stoa", parent);
    }
    ok(table_world_try_open(world, true, &err));
    ok(stoa_schema_parse(world->pool, TABLE_SCHEMA, &world->schema, &err));
    ok(stoa_schema_to_arrow(world->pool, world->schema, &world->arrow, &err));
}

static inline void table_world_end(table_world *world) {
    stoa_arrow_schema_release(&world->arrow);
    stoa_schema_close(world->schema);
    stoa_database_close(world->db);
    support_pool_close(world->pool);
}

/// Rows with ids [first, first + count).
static inline stoa_status table_make_batch(stoa_pool *pool, const struct ArrowSchema *arrow,
                                           int64_t first, int64_t count, struct ArrowArray *out,
                                           stoa_error *err) {
    stoa_builder *builder = NULL;
    STOA_TRY(stoa_builder_create(pool, arrow, &builder, err));
    stoa_status status = STOA_OK;
    for (int64_t i = first; i < first + count; i++) {
        char name[32];
        int size = snprintf(name, sizeof name, "n%" PRId64, i);
        STOA_CHECK(stoa_builder_append_i64(stoa_builder_child(builder, 0), i, err));
        STOA_CHECK(
            stoa_builder_append_bytes(stoa_builder_child(builder, 1), name, (size_t)size, err));
        STOA_CHECK(stoa_builder_finish_value(builder, err));
    }
    status = stoa_builder_finish(builder, out, err);

done:
    stoa_builder_close(builder);
    return status;
}

static inline stoa_status table_write_rows(stoa_sink *sink, stoa_pool *pool,
                                           const struct ArrowSchema *arrow, int64_t first,
                                           int64_t count, stoa_error *err) {
    struct ArrowArray batch = {0};
    STOA_TRY(table_make_batch(pool, arrow, first, count, &batch, err));
    return stoa_sink_write(sink, arrow, &batch, err);
}

/// One sink with one batch, committed (or handed to the transaction).
static inline stoa_status table_load(table_world *world, stoa_transaction *transaction,
                                     const char *table, stoa_write_mode mode, int64_t first,
                                     int64_t count, stoa_error *err) {
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = mode, .transaction = transaction};
    options.schema = mode == STOA_CREATE ? world->schema : NULL;
    STOA_TRY(stoa_sink_open(world->db, table, &options, &sink, err));
    stoa_status status = STOA_OK;
    if (count > 0) {
        status = table_write_rows(sink, world->pool, &world->arrow, first, count, err);
    }
    if (status == STOA_OK) {
        int64_t rows = -1;
        status = stoa_sink_commit(sink, &rows, err);
        if (status == STOA_OK) {
            assert_int_equal(rows, count);
        }
    }
    stoa_sink_close(sink);
    return status;
}

/// The number of rows a table has, by its plan.
static inline int64_t table_rows(table_world *world, stoa_transaction *transaction,
                                 const char *table, int64_t snapshot_id) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    stoa_scan_request request = {.limit = -1, .snapshot_id = snapshot_id};
    ok(stoa_table_plan(world->db, transaction, table, &request, NULL, &plan, &err));
    int64_t rows = stoa_plan_row_count(plan);
    stoa_plan_close(plan);
    return rows;
}

/// Count and sum of `id` over a table in memory, read through streams; checks the names too.
typedef struct table_sums {
    int64_t count;
    int64_t sum;
    int64_t splits;
} table_sums;

static inline void table_sum_batch(const struct ArrowArray *batch, table_sums *sums) {
    const struct ArrowArray *ids = batch->children[0], *names = batch->children[1];
    const int64_t *values = (const int64_t *)ids->buffers[1] + ids->offset + batch->offset;
    const int32_t *offsets = (const int32_t *)names->buffers[1] + names->offset + batch->offset;
    for (int64_t i = 0; i < batch->length; i++) {
        char wanted[32];
        int size = snprintf(wanted, sizeof wanted, "n%" PRId64, values[i]);
        assert_int_equal(offsets[i + 1] - offsets[i], size);
        assert_memory_equal((const char *)names->buffers[2] + offsets[i], wanted, (size_t)size);
        sums->sum += values[i];
    }
    sums->count += batch->length;
}

static inline table_sums table_sum_plan(stoa_plan *plan) {
    stoa_error err = STOA_ERROR_NONE;
    table_sums sums = {0, 0, stoa_plan_split_count(plan)};
    for (int32_t i = 0; i < stoa_plan_split_count(plan); i++) {
        struct ArrowArrayStream stream = {0};
        ok(stoa_plan_open(plan, i, NULL, &stream, &err));
        for (;;) {
            struct ArrowArray batch = {0};
            ok(stoa_stream_next(&stream, &batch, &err));
            if (batch.release == NULL) {
                break;
            }
            table_sum_batch(&batch, &sums);
            stoa_arrow_array_release(&batch);
        }
        stoa_arrow_stream_release(&stream);
    }
    return sums;
}

static inline table_sums table_sum(table_world *world, stoa_transaction *transaction,
                                   const char *table, int64_t snapshot_id) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    stoa_scan_request request = {.limit = -1, .snapshot_id = snapshot_id};
    ok(stoa_table_plan(world->db, transaction, table, &request, NULL, &plan, &err));
    table_sums sums = table_sum_plan(plan);
    stoa_plan_close(plan);
    return sums;
}

static inline int64_t table_range_sum(int64_t first, int64_t count) {
    return count * first + count * (count - 1) / 2;
}

static inline void table_assert_range(table_world *world, stoa_transaction *transaction,
                                      const char *table, int64_t first, int64_t count) {
    table_sums sums = table_sum(world, transaction, table, 0);
    assert_int_equal(sums.count, count);
    assert_int_equal(sums.sum, table_range_sum(first, count));
}

#endif
