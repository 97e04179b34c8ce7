/* Blocks and their rows while memory and the file system fail at every place there is. The engine is
 * left out: its own tests fail its calls. */
#include <string.h>

#include <stoa/schema.h>

#include "arrow/array.h"
#include "base/error.h"
#include "ingest/csv_rows.h"
#include "support.h"

enum { ROWS = 40, BLOCK_BYTES = 100 };

static const char line[] = "12,\"two\nlines\",0.25,2024-02-29 10:00:00\n,,,\n";

static stoa_status make_file(support_world *world, void *user, stoa_error *err) {
    (void)user;
    stoa_file *file = NULL;
    STOA_TRY(stoa_vfs_open(world->registry, "test:/t.csv", STOA_OPEN_REPLACE, NULL, &file, err));
    stoa_status status = stoa_file_write(file, "a,b,c,d\n", 8, err);
    for (int i = 0; i < ROWS && status == STOA_OK; i++) {
        status = stoa_file_write(file, line, sizeof line - 1, err);
    }
    if (status == STOA_OK) {
        status = stoa_file_sync(file, err);
    }
    stoa_file_close(file);
    return status;
}

static stoa_status read_blocks(stoa_text_reader *reader, stoa_text_block *block,
                               const stoa_csv_dialect *dialect, const stoa_schema *columns,
                               const stoa_context *context, int64_t *out_rows, stoa_error *err) {
    for (;;) {
        struct ArrowArray rows = {0};
        stoa_csv_outcome outcome;
        stoa_csv_place place;
        STOA_TRY(stoa_text_reader_next(reader, block, err));
        if (block->size == 0) {
            return STOA_OK;
        }
        STOA_TRY(
            stoa_csv_rows_read(dialect, columns, block, context, &rows, &outcome, &place, err));
        if (outcome != STOA_CSV_ROWS) {
            return stoa_fail(err, STOA_INTERNAL, "expected rows but the block was left");
        }
        *out_rows += rows.length;
        stoa_arrow_array_release(&rows);
    }
}

static stoa_status read_file(support_world *world, void *user, stoa_error *err) {
    int64_t *rows = user;
    stoa_context context = {.pool = world->pool};
    stoa_ingest_input input = {.name = "test:/t.csv", .path = "test:/t.csv"};
    stoa_csv_dialect dialect = {.delimiter = ",",
                                .quote = "\"",
                                .escape = "\"",
                                .newline = "\\n",
                                .header = true};
    stoa_text_block block = {.pool = world->pool};
    stoa_text_reader reader = {0};
    const stoa_schema *columns = NULL;
    stoa_status status = STOA_OK;
    *rows = 0;
    STOA_CHECK(
        stoa_schema_parse(world->pool, "a long, b string, c double, d timestamp", &columns, err));
    status = stoa_text_reader_open(world->registry, &input, &context, BLOCK_BYTES, &reader, err);
    if (status != STOA_OK) {
        stoa_schema_close(columns);
        return status; /* nothing is left to release */
    }
    reader.cut = stoa_csv_dialect_cut(&dialect);
    STOA_CHECK(read_blocks(&reader, &block, &dialect, columns, &context, rows, err));

done:
    stoa_text_reader_release(&reader);
    stoa_text_block_release(&block);
    stoa_schema_close(columns);
    return status;
}

static void expect_rows(support_world *world, void *user, stoa_status status) {
    (void)world;
    if (status == STOA_OK) {
        assert_int_equal(*(int64_t *)user, 2 * ROWS);
    }
}

static void every_failing_allocation_is_reported(void **state) {
    (void)state;
    int64_t rows = 0;
    assert_true(support_fail_each_allocation(make_file, read_file, expect_rows, &rows) > 50);
}

static void every_failing_call_is_reported(void **state) {
    (void)state;
    int64_t rows = 0;
    assert_true(support_fail_each_call(make_file, read_file, expect_rows, &rows) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test(every_failing_call_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
