/* Temporary directories outside of databases: a process that was killed leaves one, the next process
 * removes it, and that of a living process stays. */
#include "table_world.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static stoa_database *open_memory(stoa_pool *pool) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *database = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.parent_pool = pool;
    options.threads = 1;
    ok(stoa_database_open(":memory:", &options, &database, &err));
    return database;
}

/* A child that makes its directory, writes into it, tells its name and waits to be killed. */
static pid_t start_child(char *out_path, size_t size) {
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    if (child == 0) {
        const char *path = NULL;
        stoa_pool *pool = NULL;
        stoa_error err = STOA_ERROR_NONE;
        (void)alarm(60); /* it ends even when nobody kills it */
        if (stoa_pool_create(0, NULL, &pool, &err) == STOA_OK &&
            stoa_database_temporary_directory(open_memory(pool), &path, &err) == STOA_OK) {
            char file[600];
            (void)snprintf(file, sizeof file, "%s/spill", path);
            FILE *spill = fopen(file, "w");
            (void)!write(pipe_ends[1], path, strlen(path) + 1);
            (void)fclose(spill);
        }
        for (;;) {
            (void)pause();
        }
    }
    size_t got = 0;
    while (got == 0 || out_path[got - 1] != '\0') {
        ssize_t more = read(pipe_ends[0], out_path + got, size - got);
        assert_true(more > 0);
        got += (size_t)more;
    }
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
    return child;
}

static void what_a_killed_process_left_is_removed(void **state) {
    char root[SUPPORT_PATH_BYTES], theirs[SUPPORT_PATH_BYTES];
    char foreign[SUPPORT_PATH_BYTES + 32];
    stoa_error err = STOA_ERROR_NONE;
    const char *ours = NULL, *later = NULL;
    (void)state;
    support_temp_directory(root);
    (void)setenv("TMPDIR", root, 1);
    (void)snprintf(foreign, sizeof foreign, "%s/stoa-notes", root);
    assert_int_equal(mkdir(foreign, 0755), 0);
    pid_t child = start_child(theirs, sizeof theirs);

    stoa_pool *pool = support_pool_open();
    stoa_database *first = open_memory(pool), *second = open_memory(pool);
    ok(stoa_database_temporary_directory(first, &ours, &err));
    assert_int_equal(access(theirs, F_OK), 0); /* the child is alive */

    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    ok(stoa_database_temporary_directory(second, &later, &err));
    assert_int_equal(access(theirs, F_OK), -1);
    assert_int_equal(access(ours, F_OK), 0);
    assert_int_equal(access(foreign, F_OK), 0); /* no name of ours */

    char gone[2][SUPPORT_PATH_BYTES];
    (void)snprintf(gone[0], sizeof gone[0], "%s", ours);
    (void)snprintf(gone[1], sizeof gone[1], "%s", later);
    stoa_database_close(first);
    stoa_database_close(second);
    assert_int_equal(access(gone[0], F_OK), -1);
    assert_int_equal(access(gone[1], F_OK), -1);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_process_left_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
