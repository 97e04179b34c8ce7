/* A database over a pool that is checked for leaks, and a session in it; rows as text. */
#ifndef STOA_TESTS_SQL_WORLD_H
#define STOA_TESTS_SQL_WORLD_H

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/query.h>
#include <stoa/text.h>

#include "arrow/print.h"
#include "mem/buffer.h"

typedef struct sql_world {
    stoa_pool *pool;
    stoa_database *db;
    stoa_session *session;
    stoa_result_info info; /* of the last statement */
    stoa_buffer rows;      /* "1 | a\n2 | b\n" */
    char directory[SUPPORT_PATH_BYTES];
} sql_world;

/// In memory, or in a directory of its own.
static inline void sql_world_open(sql_world *world, bool in_memory) {
    stoa_error err = STOA_ERROR_NONE;
    *world = (sql_world){.pool = support_pool_open()};
    stoa_buffer_init(&world->rows, world->pool);
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = true;
    options.parent_pool = world->pool;
    options.memory_limit = (size_t)1 << 30;
    options.threads = 2;
    const char *uri = ":memory:";
    if (!in_memory) {
        support_temp_directory(world->directory);
        uri = world->directory;
    }
    assert_ok(stoa_database_open(uri, &options, &world->db, &err), err);
    assert_ok(stoa_session_open(world->db, &world->session, &err), err);
}

static inline void sql_world_close(sql_world *world) {
    stoa_session_close(world->session);
    stoa_database_close(world->db);
    stoa_buffer_release(&world->rows);
    support_pool_close(world->pool);
}

/// Reads a stream to its end, as text, and releases it.
static inline stoa_status sql_read(sql_world *world, struct ArrowArrayStream *stream,
                                   stoa_error *err) {
    struct ArrowSchema schema;
    struct ArrowArray batch = {0};
    stoa_buffer_clear(&world->rows);
    stoa_status status = stoa_stream_schema(stream, &schema, err);
    while (status == STOA_OK) {
        status = stoa_stream_next(stream, &batch, err);
        if (status != STOA_OK || batch.release == NULL) {
            break;
        }
        for (int64_t row = 0; row < batch.length && status == STOA_OK; row++) {
            for (int64_t c = 0; c < batch.n_children && status == STOA_OK; c++) {
                status = c > 0 ? stoa_buffer_append_text(&world->rows, " | ", err) : STOA_OK;
                if (status == STOA_OK) {
                    status = stoa_arrow_value_print(schema.children[c], batch.children[c], row,
                                                    STOA_PRINT_TEXT, &world->rows, err);
                }
            }
            if (status == STOA_OK) {
                status = stoa_buffer_append_text(&world->rows, "\n", err);
            }
        }
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(stream);
    return status;
}

static inline stoa_status sql_try_with(sql_world *world, stoa_session *session, const char *sql,
                                       const stoa_context *context, stoa_error *err) {
    struct ArrowArrayStream stream;
    stoa_status status = stoa_session_run(session, sql, context, &stream, &world->info, err);
    return status == STOA_OK ? sql_read(world, &stream, err) : status;
}

static inline stoa_status sql_try(sql_world *world, const char *sql, stoa_error *err) {
    return sql_try_with(world, world->session, sql, NULL, err);
}

/// Runs one statement that must succeed and give exactly these rows (NULL: any).
static inline void sql_expect(sql_world *world, const char *sql, const char *rows) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_status status = sql_try(world, sql, &err);
    if (status != STOA_OK) {
        fail_msg("%s\n%s", sql, err.message);
    }
    if (rows != NULL) {
        const char *found;
        assert_ok(stoa_buffer_text(&world->rows, &found, &err), err);
        if (strcmp(found, rows) != 0) {
            fail_msg("%s\nexpected:\n%s\nfound:\n%s", sql, rows, found);
        }
    }
}

/// Runs one statement that changes so many rows.
static inline void sql_change(sql_world *world, const char *sql, int64_t changed) {
    sql_expect(world, sql, "");
    assert_int_equal(world->info.rows_changed, changed);
}

static inline void sql_fails(sql_world *world, const char *sql, stoa_status status,
                             const char *text) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_status found = sql_try(world, sql, &err);
    if (found == STOA_OK) {
        fail_msg("%s\nexpected a failure", sql);
    }
    assert_fails(found, status, text, err);
}

#endif
