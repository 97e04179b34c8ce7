/* Many at once: writers and readers from threads of one process and from several processes. No
 * append may be lost, no reader may see half of a transaction. */
#include "table_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, LOADS = 15, ROWS = 20, PROCESSES = 3 };

struct shared {
    table_world *world;
    _Atomic int failures;
    _Atomic bool stop;
    _Atomic int64_t conflicts;
};

static stoa_status load_both(table_world *world, int64_t first, stoa_error *err) {
    stoa_transaction *transaction = NULL;
    STOA_TRY(stoa_transaction_begin(world->db, &transaction, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(table_load(world, transaction, "a", STOA_APPEND, first, ROWS, err));
    STOA_CHECK(table_load(world, transaction, "b", STOA_APPEND, first, ROWS, err));
    status = stoa_transaction_commit(transaction, err);

done:
    stoa_transaction_close(transaction);
    return status;
}

static void *append_many(void *user) {
    struct shared *shared = user;
    for (int i = 0; i < LOADS; i++) {
        stoa_error err = STOA_ERROR_NONE;
        if (load_both(shared->world, i * ROWS, &err) != STOA_OK) {
            (void)fprintf(stderr, "append: %s\n", err.message);
            atomic_fetch_add(&shared->failures, 1);
        }
    }
    return NULL;
}

/* Overwrites conflict with the appends, or win; never anything else. */
static void *overwrite_many(void *user) {
    struct shared *shared = user;
    for (int i = 0; i < LOADS; i++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_status status = table_load(shared->world, NULL, "c", STOA_OVERWRITE, 0, i + 1, &err);
        if (status == STOA_CONFLICT) {
            atomic_fetch_add(&shared->conflicts, 1);
        } else if (status != STOA_OK) {
            (void)fprintf(stderr, "overwrite: %s\n", err.message);
            atomic_fetch_add(&shared->failures, 1);
        }
    }
    return NULL;
}

static int64_t planned_rows(table_world *world, stoa_transaction *transaction, const char *table) {
    stoa_plan *plan = NULL;
    if (stoa_table_plan(world->db, transaction, table, NULL, NULL, &plan, NULL) != STOA_OK) {
        return -1;
    }
    int64_t rows = stoa_plan_row_count(plan);
    stoa_plan_close(plan);
    return rows;
}

static void *read_many(void *user) {
    struct shared *shared = user;
    int64_t last = 0;
    while (!atomic_load(&shared->stop)) {
        stoa_transaction *transaction = NULL;
        if (stoa_transaction_begin(shared->world->db, &transaction, NULL) != STOA_OK) {
            atomic_fetch_add(&shared->failures, 1);
            break;
        }
        int64_t a = planned_rows(shared->world, transaction, "a");
        int64_t b = planned_rows(shared->world, transaction, "b");
        stoa_transaction_close(transaction);
        if (a != b || a < last || a % ROWS != 0) {
            (void)fprintf(stderr, "read %" PRId64 " and %" PRId64 " after %" PRId64 "\n", a, b,
                          last);
            atomic_fetch_add(&shared->failures, 1);
            break;
        }
        last = a;
    }
    return NULL;
}

static void *expire_many(void *user) {
    struct shared *shared = user;
    while (!atomic_load(&shared->stop)) {
        stoa_error err = STOA_ERROR_NONE;
        if (stoa_table_expire(shared->world->db, "a", INT64_MAX, NULL, &err) != STOA_OK) {
            (void)fprintf(stderr, "expire: %s\n", err.message);
            atomic_fetch_add(&shared->failures, 1);
        }
        (void)usleep(5000);
    }
    return NULL;
}

static void make_tables(table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_table_create(world->db, "a", NULL, world->schema, &err));
    ok(stoa_table_create(world->db, "b", NULL, world->schema, &err));
    ok(stoa_table_create(world->db, "c", NULL, world->schema, &err));
}

static void run_threads(bool in_memory) {
    static table_world world;
    table_world_init(&world, in_memory);
    make_tables(&world);
    struct shared shared = {.world = &world};
    pthread_t writers[THREADS], others[5];
    void *(*const roles[5])(void *) = {read_many, read_many, expire_many, overwrite_many,
                                       overwrite_many};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pthread_create(&others[i], NULL, roles[i], &shared), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&writers[i], NULL, append_many, &shared), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(writers[i], NULL);
    }
    atomic_store(&shared.stop, true);
    for (int i = 0; i < 5; i++) {
        (void)pthread_join(others[i], NULL);
    }
    assert_int_equal(atomic_load(&shared.failures), 0);
    assert_int_equal(table_rows(&world, NULL, "a", 0), THREADS * LOADS * ROWS);
    assert_int_equal(table_rows(&world, NULL, "b", 0), THREADS * LOADS * ROWS);
    table_world_end(&world);
}

static void threads_lose_no_append_in_memory(void **state) {
    (void)state;
    run_threads(true);
}

static void threads_lose_no_append_on_disk(void **state) {
    (void)state;
    run_threads(false);
}

static void child_writes(const char *path) {
    static table_world child;
    memset(&child, 0, sizeof child);
    stoa_error err = STOA_ERROR_NONE;
    (void)snprintf(child.path, sizeof child.path, "%s", path);
    bool done = stoa_pool_create(0, NULL, &child.pool, &err) == STOA_OK &&
                stoa_schema_parse(child.pool, TABLE_SCHEMA, &child.schema, &err) == STOA_OK &&
                stoa_schema_to_arrow(child.pool, child.schema, &child.arrow, &err) == STOA_OK &&
                table_world_try_open(&child, false, &err) == STOA_OK;
    for (int i = 0; i < LOADS && done; i++) {
        done = load_both(&child, i * ROWS, &err) == STOA_OK;
    }
    if (!done) {
        (void)fprintf(stderr, "child: %s\n", err.message);
    }
    stoa_database_close(child.db);
    _exit(done ? 0 : 1);
}

static void processes_lose_no_append_and_readers_see_whole_commits(void **state) {
    (void)state;
    static table_world world;
    pid_t children[PROCESSES];
    table_world_init(&world, false);
    make_tables(&world);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            child_writes(world.path);
        }
    }
    struct shared shared = {.world = &world};
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_many, &shared), 0);
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    atomic_store(&shared.stop, true);
    (void)pthread_join(reader, NULL);
    assert_int_equal(atomic_load(&shared.failures), 0);
    assert_int_equal(table_rows(&world, NULL, "a", 0), PROCESSES * LOADS * ROWS);
    assert_int_equal(table_rows(&world, NULL, "b", 0), PROCESSES * LOADS * ROWS);
    table_world_end(&world);
}

/* The same splits opened by several threads at once, and the plan closed while streams go on. */
static void *open_splits(void *user) {
    stoa_plan *plan = user;
    int64_t rows = 0;
    for (int32_t i = 0; i < stoa_plan_split_count(plan); i++) {
        struct ArrowArrayStream stream = {0};
        struct ArrowArray batch = {0};
        if (stoa_plan_open(plan, i, NULL, &stream, NULL) != STOA_OK) {
            return (void *)(intptr_t)-1;
        }
        while (stoa_stream_next(&stream, &batch, NULL) == STOA_OK && batch.release != NULL) {
            rows += batch.length;
            stoa_arrow_array_release(&batch);
        }
        stoa_arrow_stream_release(&stream);
    }
    return (void *)(intptr_t)rows;
}

static void splits_are_opened_from_any_thread(void **state) {
    (void)state;
    static table_world world;
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    pthread_t threads[THREADS];
    table_world_init(&world, true);
    ok(table_load(&world, NULL, "t", STOA_CREATE, 0, 200000, &err));
    ok(stoa_table_plan(world.db, NULL, "t", NULL, NULL, &plan, &err));
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, open_splits, plan), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *rows = NULL;
        (void)pthread_join(threads[i], &rows);
        assert_int_equal((intptr_t)rows, 200000);
    }
    stoa_plan_close(plan);
    table_world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_lose_no_append_and_readers_see_whole_commits),
        cmocka_unit_test(threads_lose_no_append_in_memory),
        cmocka_unit_test(threads_lose_no_append_on_disk),
        cmocka_unit_test(splits_are_opened_from_any_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
