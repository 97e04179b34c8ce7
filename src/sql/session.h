/* Sessions and their statements: what the files that run statements share. */
#ifndef STOA_SQL_SESSION_H
#define STOA_SQL_SESSION_H

#include <stdatomic.h>

#include <stoa/query.h>

#include "mem/resource.h"
#include "sql/duckdb_query.h"
#include "sql/statement.h"

struct stoa_session {
    atomic_int references; /* the handle, its statements and its open stream */
    stoa_database *database;
    struct engine *engine;
    const struct duckdb_api *api; /* the engine's; statements use it when the engine is closed */
    stoa_pool *pool;
    duckdb_connection connection;
    stoa_transaction *transaction; /* between BEGIN and COMMIT */
    bool aborted;       /* a statement of the transaction failed: only ROLLBACK is left */
    bool busy;          /* a stream is open */
    bool has_temporary; /* something was created that only DuckDB knows */
    stoa_buffer report; /* text with its NUL */
    stoa_resource *resource;
    bool ended; /* its database is closed */
};

struct stoa_statement {
    atomic_int references; /* the handle and its open stream */
    stoa_session *session;
    stoa_pool *pool;
    stoa_arena arena;
    char *sql; /* without the semicolons around it */
    size_t size;
    size_t skipped; /* bytes before `sql` in what the user gave */
    struct tokens tokens;
    struct statement parsed;
    struct parameter *parameters;
    int64_t parameter_count;
};

/* One run of a statement. */
struct run {
    stoa_session *session;
    stoa_statement *statement;
    stoa_context context; /* with a pool */
    struct view *view;
    bool inline_values; /* parameters become literals in texts: for plans that are only explained */
    stoa_result_info info;
};

stoa_session *stoa_sql_session_retain(stoa_session *session);
stoa_statement *stoa_sql_statement_retain(stoa_statement *statement);

/// Reads the statement; with `prepare` also asks the engine whether it understands it.
STOA_MUST_USE stoa_status stoa_sql_statement_create(stoa_session *session, const char *sql,
                                                    bool prepare, stoa_statement **out,
                                                    stoa_error *err);

/// The source of a query over `sql`, with the statement's parameters.
struct query_source stoa_sql_run_source(const struct run *run, const char *sql,
                                        const struct sql_text *text);
/// Appends bytes of the statement, its parameters under names of Stoa's: `?` becomes $stoa_1,
/// $stoa_2 and so on.
STOA_MUST_USE stoa_status stoa_sql_run_piece(const struct run *run, struct sql_text *text,
                                             struct text_range range, stoa_error *err);
/// Lets the provider look at `sql` (without parameters), if some table has parts to skip.
STOA_MUST_USE stoa_status stoa_sql_run_prune(struct run *run, const char *sql, stoa_error *err);
/// Keeps how the view's tables are read for stoa_session_scan_report.
void stoa_sql_run_report(struct run *run);

/// Reads all of a query into a sink; `out_rows` counts them.
STOA_MUST_USE stoa_status stoa_sql_run_pump(struct run *run, struct engine_query *query,
                                            stoa_sink *sink, int64_t *out_rows, stoa_error *err);

/* The statements; each fills run->info. */
STOA_MUST_USE stoa_status stoa_sql_run_query(struct run *run, struct ArrowArrayStream *out,
                                             stoa_error *err);
/// The same for a text of Stoa's own, which it takes.
STOA_MUST_USE stoa_status stoa_sql_run_text(struct run *run, struct sql_text *text,
                                            struct ArrowArrayStream *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_run_insert(struct run *run, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_run_create_as(struct run *run, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_run_create(struct run *run, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_run_drop(struct run *run, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_run_rename(struct run *run, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_run_alter(struct run *run, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_run_change(struct run *run, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_run_truncate(struct run *run, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_run_show(struct run *run, struct ArrowArrayStream *out,
                                            stoa_error *err);

/// True when a temporary table of the session's own hides ours of that name.
STOA_MUST_USE stoa_status stoa_sql_run_is_temporary(struct run *run, const char *table, bool *out,
                                                    stoa_error *err);

#endif
