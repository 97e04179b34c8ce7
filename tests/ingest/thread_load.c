/* One thread and several give the same table: rows keep the order of the files. */
#include "load_world.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 20000, LINE_BYTES = 96 };

static char *make_text(size_t *out_size) {
    char *text = malloc((size_t)(ROWS + 1) * LINE_BYTES);
    assert_non_null(text);
    size_t size = (size_t)snprintf(text, LINE_BYTES, "id,name,at\n");
    for (int i = 0; i < ROWS; i++) {
        size += (size_t)snprintf(text + size, LINE_BYTES,
                                 i % 3 == 0 ? "%d,\"line\nof %d\",2024-01-%02d 10:00:00\n"
                                            : "%d,row %d,2024-01-%02d 10:00:00\n",
                                 i, i * 7, 1 + i % 28);
    }
    *out_size = size;
    return text;
}

static void load_with(int32_t threads, load_world *out, const char *text, size_t size) {
    stoa_error err = STOA_ERROR_NONE;
    load_world_open(out, threads);
    load_world_put(out, "test:/t.csv", text, size);
    assert_ok(load_world_load(out, "t", "test:/t.csv", NULL, NULL, 16384, &err), err);
    assert_int_equal(out->report.rows_loaded, ROWS);
}

static void threads_do_not_change_the_table(void **state) {
    (void)state;
    size_t size = 0;
    char *text = make_text(&size);
    load_world worlds[2];
    struct ArrowSchema schemas[2];
    struct ArrowArray rows[2];
    stoa_error err = STOA_ERROR_NONE;
    load_with(1, &worlds[0], text, size);
    load_with(4, &worlds[1], text, size);
    for (int i = 0; i < 2; i++) {
        load_world_rows(&worlds[i], "t", &schemas[i], &rows[i]);
    }
    assert_ok(stoa_arrow_compare(&schemas[0], &rows[0], &schemas[1], &rows[1], &err), err);
    for (int i = 0; i < 2; i++) {
        stoa_arrow_array_release(&rows[i]);
        stoa_arrow_schema_release(&schemas[i]);
        load_world_close(&worlds[i]);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_do_not_change_the_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
