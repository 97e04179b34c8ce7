/* Loads of texts in a memory file system into a memory database, and what came of them. */
#ifndef STOA_TESTS_INGEST_LOAD_WORLD_H
#define STOA_TESTS_INGEST_LOAD_WORLD_H

#include <string.h>

#include <stoa/database.h>
#include <stoa/sched.h>

#include "arrow/array.h"
#include "base/error.h"
#include "ingest/load.h"
#include "support.h"

typedef struct load_world {
    support_world world;
    stoa_database *db;
    stoa_load_report report;
} load_world;

static inline void load_world_open(load_world *out, int32_t threads) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    support_world_open(&out->world);
    options.create = true;
    options.parent_pool = out->world.pool;
    options.file_systems = out->world.registry;
    options.threads = threads;
    assert_ok(stoa_database_open(":memory:", &options, &out->db, &err), err);
}

static inline void load_world_close(load_world *world) {
    stoa_database_close(world->db);
    support_world_close(&world->world);
}

static inline void load_world_put(load_world *world, const char *uri, const void *bytes,
                                  size_t size) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(world->world.registry, uri, STOA_OPEN_REPLACE, NULL, &file, &err), err);
    assert_ok(stoa_file_write(file, bytes, size, &err), err);
    assert_ok(stoa_file_sync(file, &err), err);
    stoa_file_close(file);
}

/* Loads `uri` into a new table, in blocks of about `block_bytes` (0: the default). */
static inline stoa_status load_world_load(load_world *world, const char *table, const char *uri,
                                          const char *schema, const char *reject_file,
                                          size_t block_bytes, stoa_error *err) {
    stoa_load_options options = STOA_LOAD_DEFAULT;
    stoa_ingest_tuning tuning = {.block_bytes = block_bytes};
    options.schema = schema;
    options.reject_file = reject_file;
    return stoa_ingest_load(world->db, table, &uri, 1, &options, &tuning, &world->report, err);
}

/* All rows of a table, in one batch. */
static inline void load_world_rows(load_world *world, const char *table,
                                   struct ArrowSchema *out_schema, struct ArrowArray *out) {
    enum { BATCHES_MAX = 100000 };
    static struct ArrowArray batches[BATCHES_MAX];
    static const struct ArrowArray *views[BATCHES_MAX];
    stoa_error err = STOA_ERROR_NONE;
    stoa_scan_options options = STOA_SCAN_DEFAULT;
    struct ArrowArrayStream stream;
    int64_t count = 0;
    assert_ok(stoa_scan(world->db, table, &options, &stream, &err), err);
    assert_ok(stoa_stream_schema(&stream, out_schema, &err), err);
    for (;; count++) {
        assert_true(count < BATCHES_MAX);
        batches[count] = (struct ArrowArray){0};
        assert_ok(stoa_stream_next(&stream, &batches[count], &err), err);
        views[count] = &batches[count];
        if (batches[count].release == NULL) {
            break;
        }
    }
    assert_ok(stoa_arrow_concat(world->world.pool, out_schema, views, count, out, &err), err);
    for (int64_t i = 0; i < count; i++) {
        stoa_arrow_array_release(&batches[i]);
    }
    stoa_arrow_stream_release(&stream);
}

/* Both tables hold the same rows in the same order. */
static inline void load_world_expect_same(load_world *world, const char *left, const char *right) {
    struct ArrowSchema schemas[2];
    struct ArrowArray rows[2];
    stoa_error err = STOA_ERROR_NONE;
    load_world_rows(world, left, &schemas[0], &rows[0]);
    load_world_rows(world, right, &schemas[1], &rows[1]);
    assert_int_equal(rows[0].length, rows[1].length);
    assert_ok(stoa_arrow_compare(&schemas[0], &rows[0], &schemas[1], &rows[1], &err), err);
    for (int i = 0; i < 2; i++) {
        stoa_arrow_array_release(&rows[i]);
        stoa_arrow_schema_release(&schemas[i]);
    }
}

static inline void load_world_drop(load_world *world, const char *table) {
    stoa_error err = STOA_ERROR_NONE;
    assert_ok(stoa_table_drop(world->db, table, &err), err);
}

#endif
