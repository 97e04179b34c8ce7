/* A database that is closed before what was opened from it: everything is given back, handles that
 * are left answer errors, and the log says that something was forgotten. */
#include "sql_world.h"

static void keep_line(void *user, stoa_log_level level, const char *module, const char *line) {
    char *log = user;
    (void)level;
    (void)module;
    (void)snprintf(log + strlen(log), 8192 - strlen(log), "%s\n", line);
}

static stoa_database *open_logged(stoa_pool *pool, const char *uri, char *log) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *database = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = true;
    options.parent_pool = pool;
    options.memory_limit = (size_t)1 << 30;
    options.logger = (stoa_logger){keep_line, log, STOA_LOG_WARN};
    assert_ok(stoa_database_open(uri, &options, &database, &err), err);
    return database;
}

static void run(stoa_session *session, const char *sql) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream rows = {0};
    assert_ok(stoa_session_run(session, sql, NULL, &rows, NULL, &err), err);
    stoa_arrow_stream_release(&rows);
}

static void handles_outlive_their_database(void **state) {
    const char *const uris[] = {":memory:", *state};
    for (size_t i = 0; i < 2; i++) {
        stoa_error err = STOA_ERROR_NONE;
        char log[8192] = "";
        stoa_pool *pool = support_pool_open();
        stoa_database *database = open_logged(pool, uris[i], log);
        stoa_session *session = NULL, *reading = NULL;
        stoa_statement *statement = NULL;
        stoa_transaction *transaction = NULL;
        stoa_sink *sink = NULL;
        struct ArrowArrayStream rows = {0}, scan = {0}, picked = {0}, more = {0};
        struct ArrowArray batch = {0};
        int64_t count = 0;
        assert_ok(stoa_session_open(database, &session, &err), err);
        run(session, "create table t as select range as n from range(10000)");
        assert_ok(stoa_session_prepare(session, "select ? || n from t", &statement, &err), err);
        assert_ok(stoa_statement_bind_text(statement, 1, "a text that takes memory", &err), err);
        run(session, "begin");
        run(session, "delete from t where n = 1");
        assert_ok(stoa_session_open(database, &reading, &err), err);
        assert_ok(stoa_session_run(reading, "select * from t", NULL, &rows, NULL, &err), err);
        assert_ok(stoa_scan(database, "t", NULL, &scan, &err), err);
        assert_ok(stoa_stream_next(&scan, &batch, &err), err);
        stoa_arrow_array_release(&batch);
        /* Lanes of the database's threads are at this one. */
        assert_ok(stoa_scan(database, "t", &(stoa_scan_options){.where = "n > 5 or n = 1"}, &picked,
                            &err),
                  err);
        assert_ok(stoa_stream_next(&picked, &batch, &err), err);
        stoa_arrow_array_release(&batch);
        assert_ok(stoa_transaction_begin(database, &transaction, &err), err);
        assert_ok(stoa_sink_open(database, "t",
                                 &(stoa_sink_options){.mode = STOA_APPEND,
                                                      .transaction = transaction},
                                 &sink, &err),
                  err);

        stoa_database_close(database);

        assert_non_null(strstr(log, "was closed with"));
        assert_fails(stoa_stream_next(&rows, &batch, &err), STOA_INVALID, "was closed", err);
        assert_fails(stoa_stream_next(&scan, &batch, &err), STOA_INVALID, "was closed", err);
        assert_fails(stoa_stream_next(&picked, &batch, &err), STOA_INVALID, "was closed", err);
        assert_fails(stoa_session_run(session, "select 1", NULL, &more, NULL, &err), STOA_INVALID,
                     "database was closed", err);
        assert_ok(stoa_statement_bind_text(statement, 1, "another text, of no use", &err), err);
        assert_fails(stoa_statement_run(statement, NULL, &more, NULL, &err), STOA_INVALID,
                     "database was closed", err);
        assert_fails(stoa_transaction_commit(transaction, &err), STOA_INVALID, "over", err);
        assert_fails(stoa_sink_commit(sink, &count, &err), STOA_INVALID, NULL, err);
        stoa_arrow_stream_release(&rows);
        stoa_arrow_stream_release(&scan);
        stoa_arrow_stream_release(&picked);
        stoa_session_close(session);
        stoa_session_close(reading);
        stoa_statement_close(statement);
        stoa_sink_close(sink);
        stoa_transaction_close(transaction);
        support_pool_close(pool);
    }
}

static void nothing_is_told_when_nothing_was_forgotten(void **state) {
    char log[8192] = "";
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    stoa_database *database = open_logged(pool, *state, log);
    stoa_session *session = NULL;
    assert_ok(stoa_session_open(database, &session, &err), err);
    run(session, "create or replace table u as select range as n from range(10)");
    run(session, "insert into u select 1");
    stoa_session_close(session);
    stoa_database_close(database);
    assert_string_equal(log, "");
    support_pool_close(pool);
}

int main(void) {
    static char directory[SUPPORT_PATH_BYTES];
    support_temp_directory(directory);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(handles_outlive_their_database, directory),
        cmocka_unit_test_prestate(nothing_is_told_when_nothing_was_forgotten, directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
