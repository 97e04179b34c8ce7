/* One query of the engine's: prepared, given parameters, started, read in batches. */
#ifndef STOA_SQL_DUCKDB_QUERY_H
#define STOA_SQL_DUCKDB_QUERY_H

#include "sql/text.h"
#include "sql/view.h"

/* A value for $1, $2 or $name. */
struct parameter {
    const char *name;   /* "1", "2", "name" */
    duckdb_value value; /* NULL: not given yet */
};

struct query_source {
    duckdb_connection connection;
    struct view *view;
    const char *sql;
    const struct sql_text *text; /* where `sql` comes from; NULL: it is what the user typed */
    const struct parameter *parameters;
    int64_t parameter_count;
};

/* Everything that `source` points to outlives the query. */
struct engine_query;

/// Prepares the query: its columns are known then.
STOA_MUST_USE stoa_status stoa_sql_engine_query_prepare(const struct query_source *source,
                                                        struct engine_query **out, stoa_error *err);
/// NULL is allowed. A query that is still running is interrupted.
void stoa_sql_engine_query_close(struct engine_query *query);

int64_t stoa_sql_engine_query_column_count(const struct engine_query *query);
/// As the engine names it; borrowed until the query is closed.
const char *stoa_sql_engine_query_column_name(const struct engine_query *query, int64_t column);
/// The columns as fields (names made unique, ids 0), in the arena.
STOA_MUST_USE stoa_status stoa_sql_engine_query_fields(const struct engine_query *query,
                                                       stoa_arena *arena, stoa_field **out,
                                                       stoa_error *err);

/// Binds the parameters and runs the query until its first rows are there. With `target` its columns
/// come in the canonical layout of that schema, else in the engine's twins. What has no rows (SET,
/// CREATE TEMP TABLE, COPY) is run to its end.
///
/// Errors   STOA_INVALID  a parameter without a value; whatever the query itself does wrong
STOA_MUST_USE stoa_status stoa_sql_engine_query_start(struct engine_query *query,
                                                      const stoa_schema *target, stoa_error *err);
bool stoa_sql_engine_query_has_rows(const struct engine_query *query);
/// Rows that a statement without rows says it changed; -1 when it does not say.
int64_t stoa_sql_engine_query_changed(const struct engine_query *query);
STOA_MUST_USE stoa_status stoa_sql_engine_query_schema(const struct engine_query *query,
                                                       struct ArrowSchema *out, stoa_error *err);
/// The next batch; `out` is released at the end.
STOA_MUST_USE stoa_status stoa_sql_engine_query_next(struct engine_query *query,
                                                     struct ArrowArray *out, stoa_error *err);

#endif
