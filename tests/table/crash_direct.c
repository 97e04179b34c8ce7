/* A loader that is killed while a data file of its goes past the page cache. The unfinished file lies
 * under tmp; the next open of the database removes it, and no table has a row more. */
#include "table_world.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, ROUNDS = 4, BATCH_ROWS = 100000, NAME_BYTES = 1200 };

static void load_until_killed(const char *path) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *db = NULL;
    stoa_sink *sink = NULL;
    struct ArrowSchema arrow = {0};
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    stoa_sink_options how = {.mode = STOA_APPEND, .codec = "none", .row_group_rows = BATCH_ROWS};
    options.threads = 1;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setenv("STOA_DIRECT_WRITES", "1", 1);
    bool goes_on = stoa_database_open(path, &options, &db, &err) == STOA_OK &&
                   stoa_sink_open(db, "t", &how, &sink, &err) == STOA_OK &&
                   stoa_schema_to_arrow(stoa_database_pool(db), stoa_sink_schema(sink), &arrow,
                                        &err) == STOA_OK;
    for (int64_t i = 0; goes_on && i < 500; i++) {
        goes_on = table_write_rows(sink, stoa_database_pool(db), &arrow, i * BATCH_ROWS, BATCH_ROWS,
                                   &err) == STOA_OK;
    }
    (void)fprintf(stderr, "loader: it was not killed: %s\n", err.message);
    _exit(1);
}

/* Bytes in the files of DB/tmp/<token>/. */
static int64_t unfinished_bytes(const char *database) {
    char path[NAME_BYTES];
    int64_t bytes = 0;
    (void)snprintf(path, sizeof path, "%s/tmp", database);
    DIR *tokens = opendir(path);
    for (struct dirent *token; tokens != NULL && (token = readdir(tokens)) != NULL;) {
        char folder[NAME_BYTES + 300];
        if (token->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(folder, sizeof folder, "%s/%s", path, token->d_name);
        DIR *files = opendir(folder);
        for (struct dirent *file; files != NULL && (file = readdir(files)) != NULL;) {
            struct stat info;
            bool is_file = fstatat(dirfd(files), file->d_name, &info, 0) == 0 &&
                           S_ISREG(info.st_mode);
            bytes += is_file ? (int64_t)info.st_size : 0;
        }
        if (files != NULL) {
            (void)closedir(files);
        }
    }
    if (tokens != NULL) {
        (void)closedir(tokens);
    }
    return bytes;
}

static void wait_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

static void an_unfinished_file_goes_with_the_next_open(void **state) {
    (void)state;
    table_world world;
    stoa_error err = STOA_ERROR_NONE;
    support_random random = support_random_open("crash_direct");
    table_world_init(&world, false);
    ok(table_load(&world, NULL, "t", STOA_CREATE, 0, 10, &err));
    for (int round = 0; round < ROUNDS; round++) {
        stoa_database_close(world.db);
        world.db = NULL;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            load_until_killed(world.path);
        }
        for (int wait = 0; wait < 20000 && unfinished_bytes(world.path) < 4 * MIB; wait++) {
            wait_ms(1);
        }
        wait_ms((long)support_random_below(&random, 50));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_true(unfinished_bytes(world.path) >= 4 * MIB);
        ok(table_world_try_open(&world, false, &err));
        assert_int_equal(unfinished_bytes(world.path), 0);
        assert_int_equal(table_rows(&world, NULL, "t", 0), 10);
        ok(stoa_database_verify(world.db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    }
    table_world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unfinished_file_goes_with_the_next_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
