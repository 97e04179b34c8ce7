/* Sessions, their transactions and the public face of statements.
 *
 * A session is one DuckDB connection and at most one transaction of ours. DuckDB's own transaction
 * is kept in step, for what is temporary. Its rule that COMMIT answers success after a failure, and
 * has rolled back, is not ours: here every failed statement aborts the transaction, all statements
 * but ROLLBACK are then refused, and COMMIT is an error that rolls back.
 *
 * A stream holds its session: the handle may be closed before. */
#include "sql/session.h"

#include <string.h>

#include "arrow/schema.h"
#include "arrow/stream.h"
#include "sql/sql.h"

stoa_session *stoa_sql_session_retain(stoa_session *session) {
    atomic_fetch_add_explicit(&session->references, 1, memory_order_relaxed);
    return session;
}

/* Gives back all but the handle. */
static void end(void *owner) {
    stoa_session *session = owner;
    stoa_transaction_close(session->transaction);
    session->transaction = NULL;
    stoa_sql_engine_disconnect(session->engine, &session->connection);
    session->ended = true;
}

static stoa_status open_on(struct engine *engine, stoa_session **out, stoa_error *err) {
    stoa_database *database = engine->database;
    stoa_session *session;
    stoa_pool *pool = stoa_database_pool(database);
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *session, (void **)&session, err));
    atomic_init(&session->references, 1);
    session->database = database;
    session->engine = engine;
    session->api = engine->api;
    session->pool = pool;
    stoa_buffer_init(&session->report, pool);
    stoa_status status = stoa_sql_engine_connect(engine, &session->connection, err);
    if (status == STOA_OK) {
        status = stoa_resource_enter(pool, STOA_RESOURCE_SESSION, "", end, session,
                                     &session->resource, err);
    }
    if (status != STOA_OK) {
        stoa_session_close(session);
        return status;
    }
    *out = session;
    return STOA_OK;
}

stoa_status stoa_session_open(stoa_database *database, stoa_session **out, stoa_error *err) {
    struct engine *engine;
    *out = NULL;
    STOA_TRY(stoa_sql_engine_get(database, &engine, err));
    return open_on(engine, out, err);
}

stoa_status stoa_sql_session_open_single(stoa_database *database, stoa_session **out,
                                         stoa_error *err) {
    struct engine *engine;
    *out = NULL;
    STOA_TRY(stoa_sql_engine_get_single(database, &engine, err));
    STOA_TRY(open_on(engine, out, err));
    (*out)->has_temporary =
        true; /* a reader may keep its rejects in tables that only DuckDB knows */
    return STOA_OK;
}

void stoa_session_close(stoa_session *session) {
    /* acq_rel: what other owners wrote is seen before the memory goes */
    if (session == NULL ||
        atomic_fetch_sub_explicit(&session->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    stoa_resource_leave(session->resource);
    end(session);
    stoa_buffer_release(&session->report);
    stoa_pool_free(session->pool, session, sizeof *session);
}

const char *stoa_session_scan_report(stoa_session *session) {
    return session->report.size > 0 ? (const char *)session->report.data : "[]";
}

const char *stoa_engine_version(stoa_database *database) {
    struct engine *engine = stoa_database_find_attachment(database, "sql");
    if (engine == NULL) {
        return NULL;
    }
    const char *version = engine->api->library_version();
    return version[0] == 'v' ? version + 1 : version;
}

/* ---- transactions --------------------------------------------------------------------------- */

static void end_transaction(stoa_session *session) {
    stoa_transaction_close(session->transaction);
    session->transaction = NULL;
    session->aborted = false;
}

static stoa_status begin(stoa_session *session, stoa_error *err) {
    if (session->transaction != NULL) {
        return stoa_fail(err, STOA_INVALID, "a transaction has begun already");
    }
    STOA_TRY(stoa_transaction_begin(session->database, &session->transaction, err));
    stoa_status status = stoa_sql_engine_execute(session->engine, session->connection, "BEGIN",
                                                 err);
    if (status != STOA_OK) {
        end_transaction(session);
    }
    return status;
}

static stoa_status rollback(stoa_session *session, stoa_error *err) {
    if (session->transaction == NULL) {
        return stoa_fail(err, STOA_INVALID, "no transaction has begun");
    }
    end_transaction(session);
    return stoa_sql_engine_execute(session->engine, session->connection, "ROLLBACK", err);
}

static stoa_status commit(stoa_session *session, stoa_error *err) {
    if (session->transaction == NULL) {
        return stoa_fail(err, STOA_INVALID, "no transaction has begun");
    }
    if (session->aborted) {
        STOA_TRY(rollback(session, err));
        return stoa_fail(err, STOA_INVALID,
                         "the transaction was rolled back, because a statement in it failed");
    }
    stoa_status status = stoa_transaction_commit(session->transaction, err);
    end_transaction(session);
    if (status != STOA_OK) {
        stoa_status undone = stoa_sql_engine_execute(session->engine, session->connection,
                                                     "ROLLBACK", NULL);
        (void)undone; /* the first failure is the one to tell */
        return status;
    }
    return stoa_sql_engine_execute(session->engine, session->connection, "COMMIT", err);
}

/* ---- statements ----------------------------------------------------------------------------- */

static stoa_status run_kind(struct run *run, struct ArrowArrayStream *out, stoa_error *err) {
    switch (run->statement->parsed.kind) {
    case STATEMENT_QUERY:
    case STATEMENT_ENGINE: return stoa_sql_run_query(run, out, err);
    case STATEMENT_INSERT: return stoa_sql_run_insert(run, err);
    case STATEMENT_DELETE:
    case STATEMENT_UPDATE: return stoa_sql_run_change(run, err);
    case STATEMENT_TRUNCATE: return stoa_sql_run_truncate(run, err);
    case STATEMENT_CREATE_TABLE: return stoa_sql_run_create(run, err);
    case STATEMENT_CREATE_TABLE_AS: return stoa_sql_run_create_as(run, err);
    case STATEMENT_DROP_TABLE: return stoa_sql_run_drop(run, err);
    case STATEMENT_RENAME_TABLE: return stoa_sql_run_rename(run, err);
    case STATEMENT_ALTER_TABLE: return stoa_sql_run_alter(run, err);
    case STATEMENT_BEGIN: return begin(run->session, err);
    case STATEMENT_COMMIT: return commit(run->session, err);
    case STATEMENT_ROLLBACK: return rollback(run->session, err);
    case STATEMENT_SHOW_TABLES:
    case STATEMENT_SHOW_ALL_TABLES: return stoa_sql_run_show(run, out, err);
    }
    return stoa_fail(err, STOA_INTERNAL, "a statement without a kind");
}

static stoa_status no_batch(void *state, struct ArrowArray *out, stoa_error *err) {
    (void)state;
    (void)err;
    *out = (struct ArrowArray){0};
    return STOA_OK;
}

/* Statements without rows give a stream without columns and batches. */
static stoa_status empty_stream(stoa_pool *pool, struct ArrowArrayStream *out, stoa_error *err) {
    struct ArrowSchema schema;
    stoa_stream_operations operations = {.next = no_batch};
    STOA_TRY(stoa_arrow_schema_init(pool, "+s", "", false, 0, &schema, err));
    return stoa_stream_create(pool, &schema, &operations, NULL, out, err);
}

static bool is_free(const stoa_session *session, stoa_error *err) {
    if (session->ended) {
        stoa_fail(err, STOA_INVALID, "the session's database was closed");
        return false;
    }
    if (session->busy) {
        stoa_fail(err, STOA_INVALID,
                  "the session's last result is still open: release its stream first");
        return false;
    }
    return true;
}

static bool may_run(const stoa_session *session, enum statement_kind kind, stoa_error *err) {
    if (!is_free(session, err)) {
        return false;
    }
    if (session->aborted && kind != STATEMENT_ROLLBACK && kind != STATEMENT_COMMIT) {
        stoa_fail(err, STOA_INVALID,
                  "the transaction was aborted by an earlier error: ROLLBACK first");
        return false;
    }
    return true;
}

static stoa_status run_in_view(struct run *run, struct ArrowArrayStream *out, stoa_error *err) {
    enum statement_kind kind = run->statement->parsed.kind;
    if (kind == STATEMENT_BEGIN || kind == STATEMENT_COMMIT || kind == STATEMENT_ROLLBACK) {
        return run_kind(run, out, err);
    }
    STOA_TRY(stoa_sql_view_open(run->session->engine, run->session->transaction, &run->context,
                                &run->view, err));
    stoa_status status = run_kind(run, out, err);
    stoa_sql_view_close(run->view); /* unless a stream has taken it */
    return status;
}

/* Positions are told within what the user gave, not within what is left of it. */
static void shift_position(const stoa_statement *statement, stoa_error *err) {
    if (err != NULL && err->query_offset >= 0) {
        err->query_offset += (int64_t)statement->skipped;
    }
}

stoa_status stoa_statement_run(stoa_statement *statement, const stoa_context *context,
                               struct ArrowArrayStream *out, stoa_result_info *info,
                               stoa_error *err) {
    stoa_session *session = statement->session;
    *out = (struct ArrowArrayStream){0};
    if (!may_run(session, statement->parsed.kind, err)) {
        return STOA_INVALID;
    }
    struct run run = {.session = session, .statement = statement, .info = {.rows_changed = -1}};
    run.context = context != NULL ? *context : (stoa_context){0};
    run.context.pool = run.context.pool != NULL ? run.context.pool : session->pool;
    stoa_database_fill_context(session->database, &run.context);
    memcpy(run.info.statement, statement->parsed.label, sizeof run.info.statement);
    stoa_buffer_clear(&session->report);

    stoa_status status = stoa_cancel_check(run.context.cancel, err);
    if (status == STOA_OK) {
        status = run_in_view(&run, out, err);
    }
    if (status == STOA_OK && out->release == NULL) {
        status = empty_stream(run.context.pool, out, err);
    }
    if (status != STOA_OK) {
        session->aborted = session->transaction != NULL;
        shift_position(statement, err);
        return status;
    }
    if (info != NULL) {
        *info = run.info;
    }
    return STOA_OK;
}

static stoa_status prepare(stoa_session *session, const char *sql, bool ask_engine,
                           stoa_statement **out, stoa_error *err) {
    *out = NULL;
    if (!is_free(session, err)) {
        return STOA_INVALID;
    }
    stoa_status status = stoa_sql_statement_create(session, sql, ask_engine, out, err);
    if (status != STOA_OK) {
        session->aborted = session->aborted || session->transaction != NULL;
    }
    return status;
}

stoa_status stoa_session_prepare(stoa_session *session, const char *sql, stoa_statement **out,
                                 stoa_error *err) {
    return prepare(session, sql, true, out, err);
}

stoa_status stoa_session_run(stoa_session *session, const char *sql, const stoa_context *context,
                             struct ArrowArrayStream *out, stoa_result_info *info,
                             stoa_error *err) {
    stoa_statement *statement;
    *out = (struct ArrowArrayStream){0};
    STOA_TRY(prepare(session, sql, false, &statement, err));
    stoa_status status = stoa_statement_run(statement, context, out, info, err);
    stoa_statement_close(statement);
    return status;
}

stoa_status stoa_query(stoa_database *database, const char *sql, const stoa_context *context,
                       struct ArrowArrayStream *out, stoa_error *err) {
    stoa_session *session;
    *out = (struct ArrowArrayStream){0};
    STOA_TRY(stoa_session_open(database, &session, err));
    stoa_status status = stoa_session_run(session, sql, context, out, NULL, err);
    stoa_session_close(session);
    return status;
}
