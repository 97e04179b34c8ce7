/* Tables of more files than the process may have open. */
#include "table_world.h"

#include <sys/resource.h>

enum { FILES = 500, FILE_ROWS = 3, DESCRIPTORS = 64 };

static void add_files(table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = STOA_APPEND, .file_bytes = 1, .row_group_rows = FILE_ROWS};
    int64_t rows = 0;
    ok(stoa_sink_open(world->db, "t", &options, &sink, &err));
    for (int64_t i = 0; i < FILES; i++) {
        ok(table_write_rows(sink, world->pool, &world->arrow, i * FILE_ROWS, FILE_ROWS, &err));
    }
    ok(stoa_sink_commit(sink, &rows, &err));
    assert_int_equal(rows, FILES * FILE_ROWS);
    stoa_sink_close(sink);
}

static void a_table_of_many_files_is_verified_with_few_descriptors(void **state) {
    (void)state;
    table_world world;
    stoa_error err = STOA_ERROR_NONE;
    struct rlimit before, few;
    int64_t files = 0;
    table_world_init(&world, false);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = DESCRIPTORS;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    ok(table_load(&world, NULL, "t", STOA_CREATE, 0, 0, &err));
    add_files(&world);
    for (int run = 0; run < 2; run++) {
        ok(stoa_database_verify(world.db, NULL, NULL, NULL, NULL, &files, NULL, &err));
        assert_in_range(files, FILES, FILES + 1);
        table_world_reopen(&world);
    }
    assert_int_equal(table_rows(&world, NULL, "t", 0), FILES * FILE_ROWS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    table_world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_of_many_files_is_verified_with_few_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
