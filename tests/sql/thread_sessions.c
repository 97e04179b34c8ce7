/* Several sessions at once, over the same tables: readers see whole commits only. */
#include "sql_world.h"

#include <pthread.h>
#include <stdatomic.h>

static sql_world world;
static atomic_int stop;
static atomic_int failures;
static atomic_int reads;

static stoa_status read_number(stoa_session *session, const char *sql, int64_t *out,
                               stoa_error *err) {
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    stoa_status status = stoa_session_run(session, sql, NULL, &stream, NULL, err);
    if (status != STOA_OK) {
        return status;
    }
    status = stoa_stream_next(&stream, &batch, err);
    if (status == STOA_OK) {
        *out = *(const int64_t *)batch.children[0]->buffers[1];
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&stream);
    return status;
}

static void note(stoa_status status, const stoa_error *err) {
    if (status != STOA_OK) {
        print_message("%s\n", err->message);
        atomic_fetch_add(&failures, 1);
    }
}

/* Every commit keeps sum(a) at zero and the two tables of one length. */
static void *reader(void *user) {
    (void)user;
    stoa_error err = STOA_ERROR_NONE;
    stoa_session *session;
    if (stoa_session_open(world.db, &session, &err) != STOA_OK) {
        note(err.status, &err);
        return NULL;
    }
    while (!atomic_load(&stop)) {
        int64_t value = -1;
        note(read_number(session,
                         "SELECT coalesce(sum(a), 0)::BIGINT + ((SELECT count(*) FROM t) - "
                         "(SELECT count(*) FROM u))::BIGINT FROM t WHERE s LIKE 'a text of many%'",
                         &value, &err),
             &err);
        if (value != 0) {
            print_message("expected 0 but found %lld\n", (long long)value);
            atomic_fetch_add(&failures, 1);
        }
        atomic_fetch_add(&reads, 1);
    }
    stoa_session_close(session);
    return NULL;
}

static stoa_status run(stoa_session *session, const char *sql, stoa_error *err) {
    struct ArrowArrayStream stream;
    stoa_status status = stoa_session_run(session, sql, NULL, &stream, NULL, err);
    if (status == STOA_OK) {
        stoa_arrow_stream_release(&stream);
    }
    return status;
}

static void *writer(void *user) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_session *session;
    int number = *(int *)user;
    if (stoa_session_open(world.db, &session, &err) != STOA_OK) {
        note(err.status, &err);
        return NULL;
    }
    for (int i = 0; i < 12; i++) {
        static const char *const steps[] = {
            "BEGIN",
            "INSERT INTO t SELECT i, 'a text of many words ' || i FROM range(-500, 501) r(i)",
            "INSERT INTO u SELECT i FROM range(1001) r(i)",
            "COMMIT",
        };
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            stoa_status status = run(session, i % 4 == number && s == 3 ? "ROLLBACK" : steps[s],
                                     &err);
            if (status == STOA_CONFLICT) {
                break; /* somebody else was first */
            }
            note(status, &err);
        }
    }
    stoa_session_close(session);
    return NULL;
}

static void sessions_run_side_by_side(bool in_memory) {
    pthread_t threads[4];
    int numbers[2] = {0, 1};
    sql_world_open(&world, in_memory);
    atomic_store(&stop, 0);
    atomic_store(&failures, 0);
    atomic_store(&reads, 0);
    sql_expect(&world, "CREATE TABLE t (a BIGINT, s VARCHAR)", "");
    sql_expect(&world, "CREATE TABLE u (b BIGINT)", "");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, writer, &numbers[i]), 0);
        assert_int_equal(pthread_create(&threads[2 + i], NULL, reader, NULL), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store(&stop, 1);
    for (int i = 2; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&failures), 0);
    assert_true(atomic_load(&reads) > 0);
    sql_expect(&world, "SELECT sum(a), count(*) - (SELECT count(*) FROM u) FROM t", "0 | 0\n");
    sql_world_close(&world);
}

static void sessions_run_side_by_side_in_memory(void **state) {
    (void)state;
    sessions_run_side_by_side(true);
}
static void sessions_run_side_by_side_over_files(void **state) {
    (void)state;
    sessions_run_side_by_side(false);
}

/* The engine is opened once, however many ask for it at the same moment. */
static void *open_and_ask(void *user) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_session *session;
    int64_t value = 0;
    stoa_status status = stoa_session_open(user, &session, &err);
    if (status == STOA_OK) {
        status = read_number(session, "SELECT 42::BIGINT", &value, &err);
        stoa_session_close(session);
    }
    note(status, &err);
    return NULL;
}

static void the_engine_opens_once(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    pthread_t threads[4];
    stoa_database *db;
    atomic_store(&failures, 0);
    assert_ok(stoa_database_open(":memory:", NULL, &db, &err), err);
    assert_null(stoa_engine_version(db));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_ask, db), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&failures), 0);
    assert_memory_equal(stoa_engine_version(db), "1.5.", 4);
    stoa_database_close(db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_run_side_by_side_in_memory),
        cmocka_unit_test(sessions_run_side_by_side_over_files),
        cmocka_unit_test(the_engine_opens_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
