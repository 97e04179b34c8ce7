/* A loader that is killed with SIGKILL at random moments, again and again over one database. Each of
 * its transactions appends batch n to three tables, with several files in two of them, and every
 * fourth one replaces or renames something. What it was told is committed, it writes into a pipe.
 *
 * After every death: all tables hold the same batches, none is half there, none that was acknowledged
 * is lost, every file that the catalog names is whole, and no file stays that it does not name. */
#include "table_world.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 50, SECONDS = 10, SLOW_SECONDS = 50, FILES_A = 3 };

static stoa_status load_into(stoa_database *db, stoa_transaction *transaction, const char *table,
                             int files, int64_t n, stoa_error *err) {
    stoa_sink *sink = NULL;
    struct ArrowSchema arrow = {0};
    stoa_sink_options options = {.mode = STOA_APPEND, .transaction = transaction, .file_bytes = 1};
    STOA_TRY(stoa_sink_open(db, table, &options, &sink, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_schema_to_arrow(stoa_database_pool(db), stoa_sink_schema(sink), &arrow, err));
    for (int i = 0; i < files; i++) {
        STOA_CHECK(table_write_rows(sink, stoa_database_pool(db), &arrow, n * ROWS, ROWS, err));
    }
    status = stoa_sink_commit(sink, NULL, err);

done:
    stoa_arrow_schema_release(&arrow);
    stoa_sink_close(sink);
    return status;
}

static stoa_status one_transaction(stoa_database *db, int64_t n, stoa_error *err) {
    stoa_transaction *transaction = NULL;
    STOA_TRY(stoa_transaction_begin(db, &transaction, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(load_into(db, transaction, "a", FILES_A, n, err));
    STOA_CHECK(load_into(db, transaction, "b", 2, n, err));
    STOA_CHECK(load_into(db, transaction, "c", 1, n, err));
    if (n % 4 == 3) {
        STOA_CHECK(stoa_table_rename_in(db, transaction, n % 8 == 3 ? "x" : "y",
                                        n % 8 == 3 ? "y" : "x", err));
    }
    status = stoa_transaction_commit(transaction, err);

done:
    stoa_transaction_close(transaction);
    return status;
}

static void loader(const char *path, int pipe_end, int64_t n) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *db = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.threads = 1;
    if (stoa_database_open(path, &options, &db, &err) != STOA_OK) {
        (void)fprintf(stderr, "loader: %s\n", err.message);
        _exit(3);
    }
    for (;; n++) {
        if (one_transaction(db, n, &err) != STOA_OK) {
            (void)fprintf(stderr, "loader: batch %" PRId64 ": %s\n", n, err.message);
            _exit(4);
        }
        if (write(pipe_end, &n, sizeof n) != (ssize_t)sizeof n) {
            _exit(5);
        }
        if (n % 5 == 4 && stoa_table_expire(db, "b", INT64_MAX, NULL, &err) != STOA_OK) {
            (void)fprintf(stderr, "loader: %s\n", err.message);
            _exit(6);
        }
    }
}

struct tally {
    const char *root;
    int64_t files;
    int64_t rows;
};
static stoa_status tally_file(void *user, const stoa_file_entry *file, stoa_error *err) {
    struct tally *tally = user;
    char path[SUPPORT_PATH_BYTES + 128];
    (void)err;
    (void)snprintf(path, sizeof path, "%s/%s", tally->root, file->path);
    assert_int_equal(access(path, R_OK), 0);
    tally->files++;
    tally->rows += file->row_count;
    return STOA_OK;
}

static stoa_status count_entry(void *user, const char *name, const stoa_file_info *info,
                               stoa_error *err) {
    (void)name;
    (void)info;
    (void)err;
    ++*(int64_t *)user;
    return STOA_OK;
}

struct folder_sum {
    stoa_database *db;
    const char *root;
    int64_t files;
};
static stoa_status sum_folder(void *user, const char *name, const stoa_file_info *info,
                              stoa_error *err) {
    struct folder_sum *sum = user;
    char path[SUPPORT_PATH_BYTES + 128];
    (void)info;
    (void)snprintf(path, sizeof path, "%s/tables/%s", sum->root, name);
    return stoa_vfs_list(stoa_database_file_systems(sum->db), path, NULL, count_entry, &sum->files,
                         err);
}

/* Opens, checks everything, and returns how many batches are there. */
static int64_t check(table_world *world, int64_t acknowledged) {
    stoa_error err = STOA_ERROR_NONE;
    struct tally a = {.root = world->path}, b = a, c = a;
    ok(table_world_try_open(world, false, &err));
    ok(stoa_table_files(world->db, "a", tally_file, &a, &err));
    ok(stoa_table_files(world->db, "b", tally_file, &b, &err));
    ok(stoa_table_files(world->db, "c", tally_file, &c, &err));
    int64_t batches = c.files;
    assert_int_equal(c.rows, batches * ROWS);
    assert_int_equal(b.files, 2 * batches);
    assert_int_equal(a.files, FILES_A * batches);
    assert_int_equal(a.rows, FILES_A * batches * ROWS);
    assert_true(batches >= acknowledged);
    assert_true(batches <= acknowledged + 1);
    bool x = (batches / 4) % 2 == 0;
    assert_int_equal(stoa_table_exists(world->db, NULL, x ? "x" : "y"), true);
    assert_int_equal(stoa_table_exists(world->db, NULL, x ? "y" : "x"), false);
    struct folder_sum sum = {world->db, world->path, 0};
    char path[SUPPORT_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/tables", world->path);
    ok(stoa_vfs_list(stoa_database_file_systems(world->db), path, NULL, sum_folder, &sum, &err));
    assert_int_equal(sum.files, a.files + b.files + c.files);
    stoa_database_close(world->db);
    world->db = NULL;
    return batches;
}

static int64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t run_and_kill(const char *path, int64_t first, int64_t sleep_us) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        loader(path, ends[1], first);
    }
    (void)close(ends[1]);
    (void)usleep((useconds_t)sleep_us);
    assert_int_equal(kill(child, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    int64_t n = 0, acknowledged = first;
    while (read(ends[0], &n, sizeof n) == (ssize_t)sizeof n) {
        acknowledged = n + 1;
    }
    (void)close(ends[0]);
    return acknowledged;
}

static void a_killed_loader_loses_nothing_that_it_was_promised(void **state) {
    (void)state;
    static table_world world;
    stoa_error err = STOA_ERROR_NONE;
    table_world_init(&world, false);
    support_random random = support_random_open("table.crash_loader");
    static const char *const names[] = {"a", "b", "c", "x"};
    for (size_t i = 0; i < 4; i++) {
        ok(stoa_table_create(world.db, names[i], NULL, world.schema, &err));
    }
    stoa_database_close(world.db);
    world.db = NULL;
    int64_t batches = 0, deaths = 0, end = now_ms() + SECONDS * 1000;
    const int64_t last = end + SLOW_SECONDS * 1000; /* on a machine that has much else to do */
    while (now_ms() < end || ((deaths <= 10 || batches <= 10) && now_ms() < last)) {
        int64_t sleep_us = support_random_between(&random, 1000, 120000);
        int64_t acknowledged = run_and_kill(world.path, batches, sleep_us);
        batches = check(&world, acknowledged);
        deaths++;
    }
    (void)fprintf(stderr, "%" PRId64 " deaths, %" PRId64 " batches\n", deaths, batches);
    assert_true(deaths > 10);
    assert_true(batches > 10);
    ok(table_world_try_open(&world, false, &err));
    ok(stoa_database_verify(world.db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    table_world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_loader_loses_nothing_that_it_was_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
