/* The engine's errors as Stoa's. */
#ifndef STOA_SQL_DUCKDB_ERROR_H
#define STOA_SQL_DUCKDB_ERROR_H

#include <stoa/context.h>

#include "sql/text.h"

/* What is known when the engine fails; members may be NULL. */
struct engine_failure {
    const char *message;         /* the engine's, JSON as `errors_as_json` makes it, or plain */
    const char *sql;             /* the text that it was given */
    const struct sql_text *text; /* where `sql` comes from, when it is not what the user typed */
    const char *table_hint;      /* what our catalog says of a name that was not found */
    const stoa_cancel *cancel;
    size_t budget_bytes; /* the engine's memory limit */
};

/// Sets `err` and returns its status: STOA_CANCELLED, STOA_LIMIT, STOA_IO, STOA_UNSUPPORTED,
/// STOA_INTERNAL, else STOA_INVALID with `query_offset` and the line with a mark below it.
stoa_status stoa_sql_engine_fail(const struct engine_failure *failure, stoa_error *err);

/// Sets `query_offset` to where byte `at` of `sql` stands in what the user typed, and marks the line;
/// nothing when it stands nowhere there.
void stoa_sql_error_place(stoa_error *err, const char *sql, const struct sql_text *text,
                          int64_t at);

/// Appends "\n<the line of `sql` around `at`>\n    ^" to the message.
void stoa_sql_error_mark_query(stoa_error *err, const char *sql, size_t size, int64_t at);

#endif
