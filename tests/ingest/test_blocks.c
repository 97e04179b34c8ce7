/* Loads of texts that are cut into many blocks: what is said of bad rows, what is set aside, records
 * that are too long, guesses that do not hold, progress and its end by a token. */
#include "load_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 64 };

struct text {
    char *bytes;
    size_t size;
    size_t capacity;
};

static void add(struct text *text, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert_in_range(size, 0, sizeof line - 1);
    if (text->size + (size_t)size > text->capacity) {
        text->capacity = 2 * (text->capacity + sizeof line);
        text->bytes = realloc(text->bytes, text->capacity);
        assert_non_null(text->bytes);
    }
    memcpy(text->bytes + text->size, line, (size_t)size);
    text->size += (size_t)size;
}

static void put(load_world *world, const char *uri, struct text *text) {
    load_world_put(world, uri, text->bytes, text->size);
    free(text->bytes);
    *text = (struct text){0};
}

static void a_bad_row_in_a_later_block_is_told_by_its_true_line(void **state) {
    (void)state;
    load_world world;
    stoa_error err = STOA_ERROR_NONE;
    struct text text = {0};
    load_world_open(&world, 2);
    add(&text, "id,name,n\n");
    for (int i = 0; i < 500; i++) {
        add(&text, "%d,\"two\nlines\",%d\n", i, i);
    }
    add(&text, "500,bad,many\n501,worse,still\n");
    put(&world, "test:/bad.csv", &text);
    assert_fails(load_world_load(&world, "t", "test:/bad.csv", "id long, name string, n long", NULL,
                                 BLOCK_BYTES, &err),
                 STOA_INVALID, "many", err);
    assert_int_equal(err.line, 1002);
    assert_string_equal(err.column, "n");
    assert_string_equal(err.file, "test:/bad.csv");
    assert_non_null(strstr(err.message, "line 1002"));
    assert_false(stoa_table_exists(world.db, NULL, "t"));
    load_world_close(&world);
}

static void a_row_that_does_not_fit_is_counted_from_the_start_of_the_load(void **state) {
    (void)state;
    load_world world;
    stoa_error err = STOA_ERROR_NONE;
    struct text text = {0};
    load_world_open(&world, 2);
    add(&text, "id,n\n");
    for (int i = 0; i < 300; i++) {
        add(&text, i == 277 ? "%d,\n" : "%d,%d\n", i, i);
    }
    put(&world, "test:/null.csv", &text);
    assert_fails(load_world_load(&world, "t", "test:/null.csv", "id long, n long not null", NULL,
                                 BLOCK_BYTES, &err),
                 STOA_INVALID, "row 277", err);
    assert_int_equal(err.row, 277);
    assert_string_equal(err.column, "n");
    load_world_close(&world);
}

static void read_text(load_world *world, const char *uri, stoa_buffer *out) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_context context = {.pool = world->world.pool};
    stoa_buffer_init(out, world->world.pool);
    assert_ok(stoa_vfs_read_all(world->world.registry, uri, &context, 1 << 20, world->world.pool,
                                out, &err),
              err);
    assert_ok(stoa_buffer_append_byte(out, '\0', &err), err);
}

static void rejects_keep_the_order_of_the_file(void **state) {
    (void)state;
    load_world world;
    stoa_error err = STOA_ERROR_NONE;
    struct text text = {0};
    stoa_buffer lines;
    load_world_open(&world, 3);
    add(&text, "id,name,n\n");
    for (int i = 0; i < 400; i++) {
        add(&text, i % 40 == 7 ? "%d,\"a\nb\",x\n" : i % 40 == 23 ? "%d,c,\n" : "%d,d,1\n", i);
    }
    put(&world, "test:/some.csv", &text);
    assert_ok(load_world_load(&world, "t", "test:/some.csv",
                              "id long, name string, n long not null", "test:/rejects.jsonl",
                              BLOCK_BYTES, &err),
              err);
    assert_int_equal(world.report.rows_loaded, 380);
    assert_int_equal(world.report.rows_rejected, 20);
    read_text(&world, "test:/rejects.jsonl", &lines);
    const char *at = (const char *)lines.data;
    for (int i = 0; i < 10; i++) {
        char expected[64];
        /* Each of the rows before that was set aside for its text took two lines. */
        (void)snprintf(expected, sizeof expected, "\"line\":%d,\"column\":\"n\"",
                       i * 40 + 7 + 2 + i);
        at = strstr(at, expected);
        assert_non_null(at);
        (void)snprintf(expected, sizeof expected, "\"id\":%d,", i * 40 + 23);
        at = strstr(at, expected);
        assert_non_null(at);
    }
    stoa_buffer_release(&lines);
    load_world_close(&world);
}

static void a_record_may_be_longer_than_a_block_but_not_without_end(void **state) {
    (void)state;
    load_world world;
    stoa_error err = STOA_ERROR_NONE;
    struct text text = {0};
    load_world_open(&world, 2);
    add(&text, "id,name\n1,short\n2,\"");
    for (int i = 0; i < 2000; i++) {
        add(&text, "line %d\n", i);
    }
    add(&text, "\"\n3,short\n");
    put(&world, "test:/long.csv", &text);
    assert_ok(load_world_load(&world, "t", "test:/long.csv", "id long, name string", NULL,
                              BLOCK_BYTES, &err),
              err);
    assert_int_equal(world.report.rows_loaded, 3);

    stoa_load_options options = STOA_LOAD_DEFAULT;
    stoa_ingest_tuning tuning = {.block_bytes = BLOCK_BYTES, .record_bytes_max = 4096};
    const char *uri = "test:/long.csv";
    options.schema = "id long, name string";
    assert_fails(stoa_ingest_load(world.db, "u", &uri, 1, &options, &tuning, &world.report, &err),
                 STOA_LIMIT, "4096 bytes", err);
    assert_int_equal(err.line, 3);
    assert_string_equal(err.file, "test:/long.csv");
    load_world_close(&world);
}

static void a_bad_line_of_json_is_told_by_its_number(void **state) {
    (void)state;
    load_world world;
    stoa_error err = STOA_ERROR_NONE;
    struct text text = {0};
    load_world_open(&world, 2);
    for (int i = 0; i < 300; i++) {
        add(&text, i == 222 ? "{\"id\" %d}\n" : "{\"id\": %d}\n", i);
    }
    put(&world, "test:/bad.jsonl", &text);
    assert_fails(load_world_load(&world, "t", "test:/bad.jsonl", "id long", NULL, 256, &err),
                 STOA_INVALID, "line 223", err);
    assert_int_equal(err.line, 223);
    assert_null(strstr(err.message, "/proc/"));
    load_world_close(&world);
}

static void members_and_fractions_of_json_are_not_lost(void **state) {
    (void)state;
    load_world world;
    stoa_error err = STOA_ERROR_NONE;
    struct text text = {0};
    load_world_open(&world, 2);
    for (int i = 0; i < 100; i++) {
        add(&text, "{\"id\": %d, \"at\": {\"x\": 1}}\n", i);
    }
    add(&text, "{\"id\": 100, \"at\": {\"x\": 1, \"y\\u0021\": 2}}\n");
    put(&world, "test:/more.jsonl", &text);
    assert_fails(load_world_load(&world, "t", "test:/more.jsonl", "id long, at struct<x: long>",
                                 NULL, 256, &err),
                 STOA_INVALID, "y\\u0021", err);
    assert_int_equal(err.line, 101);
    assert_ok(load_world_load(&world, "t", "test:/more.jsonl",
                              "id long, at struct<x: long, \"y!\": long>", NULL, 256, &err),
              err);
    for (int i = 0; i < 30000; i++) { /* more than is looked at first */
        add(&text, "{\"id\": %d}\n", i);
    }
    add(&text, "{\"id\": 2.5}\n");
    put(&world, "test:/half.jsonl", &text);
    assert_fails(load_world_load(&world, "u", "test:/half.jsonl", "id long", NULL, 0, &err),
                 STOA_INVALID, "2.5", err);
    assert_int_equal(err.line, 30001);
    assert_ok(load_world_load(&world, "u", "test:/half.jsonl", NULL, NULL, 0, &err), err);
    load_world_close(&world);
}

static void a_fraction_below_the_sample_is_not_rounded(void **state) {
    (void)state;
    load_world world;
    stoa_error err = STOA_ERROR_NONE;
    struct text text = {0};
    load_world_open(&world, 2);
    add(&text, "id,n\n");
    for (int i = 0; i < 100000; i++) {
        add(&text, i == 90000 ? "%d,%d.5\n" : i == 80000 ? "%d,%d.0\n" : "%d,%d\n", i, i);
    }
    put(&world, "test:/late.csv", &text);
    assert_fails(load_world_load(&world, "t", "test:/late.csv", NULL, NULL, 0, &err), STOA_INVALID,
                 "90000.5", err);
    assert_int_equal(err.line, 90002);
    assert_string_equal(err.column, "n");
    assert_ok(load_world_load(&world, "t", "test:/late.csv", "id long, n double", NULL, 0, &err),
              err);
    load_world_close(&world);
}

/* What is asked for while it runs, from the thread that tells. */
struct watcher {
    stoa_cancel *cancel;
    uint64_t rows;
    uint64_t bytes;
    int calls;
};

static void watch(void *user, const stoa_progress *progress) {
    struct watcher *watcher = user;
    assert_true(progress->done >= watcher->rows);
    assert_true(progress->bytes_done >= watcher->bytes);
    assert_true(progress->bytes_done <= progress->bytes_total);
    watcher->rows = progress->done;
    watcher->bytes = progress->bytes_done;
    watcher->calls++;
    stoa_cancel_trigger(watcher->cancel);
}

static void make_long(load_world *world, const char *uri) {
    struct text text = {0};
    add(&text, "id,name\n");
    for (int i = 0; i < 100000; i++) {
        add(&text, "%d,name %d\n", i, i);
    }
    put(world, uri, &text);
}

static void a_load_ends_at_its_token_and_leaves_nothing(void **state) {
    (void)state;
    load_world world;
    stoa_error err = STOA_ERROR_NONE;
    struct watcher watcher = {0};
    load_world_open(&world, 2);
    make_long(&world, "test:/long.csv");
    assert_ok(stoa_cancel_create(NULL, &watcher.cancel, &err), err);
    stoa_load_options options = STOA_LOAD_DEFAULT;
    stoa_ingest_tuning tuning = {.block_bytes = 4096};
    const char *uri = "test:/long.csv";
    options.context.cancel = watcher.cancel;
    options.context.progress = watch;
    options.context.progress_user = &watcher;
    assert_fails(stoa_ingest_load(world.db, "t", &uri, 1, &options, &tuning, &world.report, &err),
                 STOA_CANCELLED, NULL, err);
    assert_true(watcher.calls >= 1);
    assert_false(stoa_table_exists(world.db, NULL, "t"));
    stoa_cancel_close(watcher.cancel);
    load_world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_row_in_a_later_block_is_told_by_its_true_line),
        cmocka_unit_test(a_row_that_does_not_fit_is_counted_from_the_start_of_the_load),
        cmocka_unit_test(rejects_keep_the_order_of_the_file),
        cmocka_unit_test(a_record_may_be_longer_than_a_block_but_not_without_end),
        cmocka_unit_test(a_bad_line_of_json_is_told_by_its_number),
        cmocka_unit_test(members_and_fractions_of_json_are_not_lost),
        cmocka_unit_test(a_fraction_below_the_sample_is_not_rounded),
        cmocka_unit_test(a_load_ends_at_its_token_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
