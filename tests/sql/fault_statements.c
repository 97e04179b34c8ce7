/* Statements with every nth allocation of ours failing: reported, no leak, nothing half-done. */
#include "sql_world.h"

static stoa_status run(stoa_session *session, const char *sql, stoa_error *err) {
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    stoa_status status = stoa_session_run(session, sql, NULL, &stream, NULL, err);
    if (status != STOA_OK) {
        return status;
    }
    status = stoa_stream_schema(&stream, &schema, err);
    if (status == STOA_OK) {
        stoa_arrow_schema_release(&schema);
    }
    while (status == STOA_OK) {
        status = stoa_stream_next(&stream, &batch, err);
        if (status != STOA_OK || batch.release == NULL) {
            break;
        }
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&stream);
    return status;
}

static stoa_status scenario(support_world *world, void *user, stoa_error *err) {
    static const char *const before[] = {
        "CREATE TABLE t AS SELECT i AS a, 'text number ' || i AS b, [i] AS c FROM range(3000) r(i)",
        "BEGIN",
    };
    const char *const *statements = user;
    stoa_database *db = NULL;
    stoa_session *session = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.parent_pool = world->pool;
    options.threads = 1;
    stoa_status status = stoa_database_open(":memory:", &options, &db, err);
    if (status == STOA_OK) {
        status = stoa_session_open(db, &session, err);
    }
    for (size_t i = 0; i < 2 && status == STOA_OK; i++) {
        status = run(session, before[i], err);
    }
    for (size_t i = 0; statements[i] != NULL && status == STOA_OK; i++) {
        status = run(session, statements[i], err);
    }
    stoa_session_close(session);
    stoa_database_close(db);
    return status;
}

static void queries_meet_the_end_of_memory(void **state) {
    (void)state;
    const char *const statements[] =
        {"SELECT a, b, c, {'x': b} FROM t WHERE a > 10 AND b LIKE 'text%'",
         "SELECT count(*) FROM t x JOIN t y USING (a)", "SHOW ALL TABLES", NULL};
    support_fail_each_allocation(NULL, scenario, NULL, (void *)(uintptr_t)statements);
}

static void changes_meet_the_end_of_memory(void **state) {
    (void)state;
    const char *const statements[] = {"INSERT INTO t (b, a) VALUES ('x', 1)",
                                      "UPDATE t SET b = NULL WHERE a < 100",
                                      "DELETE FROM t WHERE a = 7",
                                      "CREATE TABLE u (x INT NOT NULL, y STRUCT(z DATE))",
                                      "COMMIT",
                                      NULL};
    support_fail_each_allocation(NULL, scenario, NULL, (void *)(uintptr_t)statements);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_meet_the_end_of_memory),
        cmocka_unit_test(changes_meet_the_end_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
