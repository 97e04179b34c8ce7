/* An export is the same file whatever the number of threads; cancelled or failing at any batch, there is
 * no file. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <stoa/database.h>
#include <stoa/load.h>

#include "arrow/schema.h"
#include "arrow/stream.h"
#include "base/error.h"
#include "random_batch.h"

enum { BATCHES = 24 };

static const support_batch_options KINDS =
    {.kinds = (SUPPORT_KINDS_INTEGERS | SUPPORT_KIND(STOA_ARROW_DOUBLE) |
               SUPPORT_KIND(STOA_ARROW_STRING) | SUPPORT_KIND(STOA_ARROW_BOOL) |
               SUPPORT_KIND(STOA_ARROW_LIST) | SUPPORT_KIND(STOA_ARROW_STRUCT)),
     .column_count = 5,
     .depth = 2,
     .no_dictionaries = true};

/* The same rows each time it is opened. */
struct rows {
    support_random random;
    stoa_pool *pool;
    struct ArrowSchema schema;
    int64_t given;
    int64_t fails_at;
    int64_t cancel_at;
    stoa_cancel *cancel;
};

static stoa_status rows_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct rows *rows = state;
    const int64_t at = rows->given++;
    if (at == rows->fails_at) {
        return stoa_fail(err, STOA_CORRUPT, "batch %d is broken", (int)at);
    }
    if (at == rows->cancel_at) {
        stoa_cancel_trigger(rows->cancel);
    }
    if (at < BATCHES) {
        const int64_t count = at % 5 == 0 ? 0 : support_random_between(&rows->random, 1, 120);
        support_random_batch(&rows->random, rows->pool, &rows->schema, &KINDS, count, out);
    }
    return STOA_OK;
}

static void rows_close(void *state) {
    stoa_arrow_schema_release(&((struct rows *)state)->schema);
}

static void open_rows(struct rows *rows, struct ArrowArrayStream *out) {
    static const stoa_stream_operations operations = {rows_next, rows_close};
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema schema;
    support_random_schema(&rows->random, rows->pool, &KINDS, &rows->schema);
    assert_ok(stoa_arrow_schema_copy(rows->pool, &rows->schema, &schema, &err), err);
    assert_ok(stoa_stream_create(rows->pool, &schema, &operations, rows, out, &err), err);
}

struct export {
    support_world world;
    stoa_database *database;
    int32_t threads;
    uint64_t seed;
    stoa_file_format format;
    int64_t fails_at;
    int64_t cancel_at;
};

static void export_open(struct export *export) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    support_world_open(&export->world);
    options.create = true;
    options.parent_pool = export->world.pool;
    options.file_systems = export->world.registry;
    options.threads = export->threads;
    assert_ok(stoa_database_open(":memory:", &options, &export->database, &err), err);
}

static void export_close(struct export *export) {
    stoa_database_close(export->database);
    support_world_close(&export->world);
}

static stoa_status export_run(struct export *export, stoa_error *err) {
    struct ArrowArrayStream stream;
    struct rows rows = {.random = {export->seed},
                        .pool = export->world.pool,
                        .fails_at = export->fails_at,
                        .cancel_at = export->cancel_at};
    int64_t count = 0;
    assert_ok(stoa_cancel_create(NULL, &rows.cancel, err), *err);
    const stoa_context context = {.cancel = rows.cancel};
    open_rows(&rows, &stream);
    stoa_status status = stoa_export(export->database, &stream, export->format, "test:/out",
                                     &context, &count, err);
    stoa_cancel_close(rows.cancel);
    return status;
}

static const stoa_file_format FORMATS[] = {STOA_FORMAT_CSV,        STOA_FORMAT_TSV,
                                           STOA_FORMAT_JSON,       STOA_FORMAT_JSONL,
                                           STOA_FORMAT_ARROW_FILE, STOA_FORMAT_ARROW_STREAM,
                                           STOA_FORMAT_PARQUET};
enum { FORMAT_COUNT = sizeof FORMATS / sizeof *FORMATS };

static void any_number_of_threads_writes_the_same(void **state) {
    (void)state;
    support_random random = support_random_open("ingest.thread_export");
    for (int i = 0; i < FORMAT_COUNT; i++) {
        stoa_pool *pool = support_pool_open();
        stoa_buffer first = {.pool = pool};
        const uint64_t seed = support_random_u64(&random);
        for (int32_t threads = 1; threads <= 4; threads++) {
            stoa_error err = STOA_ERROR_NONE;
            stoa_buffer bytes = {.pool = pool};
            struct export export = {.threads = threads,
                                    .seed = seed,
                                    .format = FORMATS[i],
                                    .fails_at = -1,
                                    .cancel_at = -1};
            export_open(&export);
            assert_ok(export_run(&export, &err), err);
            assert_ok(stoa_vfs_read_all(export.world.registry, "test:/out", NULL, 64 << 20, pool,
                                        &bytes, &err),
                      err);
            export_close(&export);
            if (threads == 1) {
                first = stoa_buffer_move(&bytes);
                assert_true(first.size > 100);
                continue;
            }
            assert_int_equal(bytes.size, first.size);
            assert_memory_equal(bytes.data, first.data, first.size);
            stoa_buffer_release(&bytes);
        }
        stoa_buffer_release(&first);
        support_pool_close(pool);
    }
}

static void what_ends_early_leaves_no_file(void **state) {
    (void)state;
    for (int64_t at = 0; at < BATCHES; at++) {
        for (int fails = 0; fails < 2; fails++) {
            stoa_error err = STOA_ERROR_NONE;
            bool exists = true;
            struct export export = {.threads = 3,
                                    .seed = (uint64_t)at,
                                    .format = FORMATS[at % FORMAT_COUNT],
                                    .fails_at = fails ? at : -1,
                                    .cancel_at = fails ? -1 : at};
            export_open(&export);
            if (fails) {
                assert_fails(export_run(&export, &err), STOA_CORRUPT, "is broken", err);
            } else {
                assert_fails(export_run(&export, &err), STOA_CANCELLED, NULL, err);
            }
            assert_ok(stoa_vfs_exists(export.world.registry, "test:/out", NULL, &exists, &err),
                      err);
            assert_false(exists);
            export_close(&export);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_threads_writes_the_same),
        cmocka_unit_test(what_ends_early_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
