/* SQL over every table of a database and any file named in a query, by an embedded DuckDB.
 *
 * DuckDB is loaded at the first call here (from STOA_DUCKDB_DIR, or from beside this library), reads
 * tables through scans and writes through sinks; it owns no data. */
#ifndef STOA_QUERY_H
#define STOA_QUERY_H

#include <stoa/database.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoa_session stoa_session;
typedef struct stoa_statement stoa_statement;

/// Statements that share settings, temporary views and a transaction (BEGIN, COMMIT, ROLLBACK).
///
/// Threads  One statement at a time per session; sessions run side by side.
/// Errors   STOA_NOT_FOUND  libduckdb is nowhere; the message says where it was looked for
STOA_API STOA_MUST_USE stoa_status stoa_session_open(stoa_database *database, stoa_session **out,
                                                     stoa_error *err);
/// Rolls back what was not committed. A stream or a statement that is open keeps the session until it
/// is closed. NULL is allowed.
STOA_API void stoa_session_close(stoa_session *session);

/// How many bytes of `sql` the first statement takes, its semicolon included; 0 when nothing but
/// space and comments is left. `*complete` is false when the text ends inside it.
STOA_API size_t stoa_sql_statement_length(const char *sql, size_t size, bool *complete);

/// Prepares one statement.
///
/// Errors   STOA_INVALID  with `err->query_offset`; the message holds the line and a mark below it
STOA_API STOA_MUST_USE stoa_status stoa_session_prepare(stoa_session *session, const char *sql,
                                                        stoa_statement **out, stoa_error *err);
/// NULL is allowed.
STOA_API void stoa_statement_close(stoa_statement *statement);
/// How many different parameters the statement has ("?", "$1", "$name").
STOA_API int64_t stoa_statement_parameter_count(const stoa_statement *statement);
/// Binds row 0 of a one-column array to parameter `index` (from 1). Borrows both.
///
/// Errors   STOA_INVALID      there is no such parameter, or the array has no row
///          STOA_UNSUPPORTED  a type that the engine has no value for
///          STOA_NO_MEMORY
/// Threads  One call at a time per session, as for all that take a statement.
STOA_API STOA_MUST_USE stoa_status stoa_statement_bind(stoa_statement *statement, int64_t index,
                                                       const struct ArrowSchema *schema,
                                                       const struct ArrowArray *value,
                                                       stoa_error *err);
/// The same for one value, which is copied; a NULL text is a null. Errors as stoa_statement_bind.
STOA_API STOA_MUST_USE stoa_status stoa_statement_bind_text(stoa_statement *statement,
                                                            int64_t index, const char *value,
                                                            stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_statement_bind_i64(stoa_statement *statement, int64_t index,
                                                           int64_t value, stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_statement_bind_f64(stoa_statement *statement, int64_t index,
                                                           double value, stoa_error *err);

/// What a statement did. A statement without rows gives a stream without batches.
typedef struct stoa_result_info {
    bool has_rows;          /* SELECT and its like: read the stream */
    int64_t rows_changed;   /* by INSERT, DELETE, UPDATE, CREATE TABLE AS; -1 otherwise */
    char statement[32];     /* "SELECT", "INSERT", "CREATE TABLE", … */
} stoa_result_info;

/// Runs a prepared statement; may be called again. The stream is read in bounded memory; the next
/// statement of the session may run once it is released. `context` and `info` may be NULL.
///
/// Errors   STOA_INVALID    what the engine says of the statement; the session's last stream is open,
///                          its transaction was aborted, or its database is closed
///          STOA_NOT_FOUND  a table or a file that the statement names
///          STOA_CONFLICT   somebody else changed what this changes first
///          STOA_CANCELLED, STOA_IO, STOA_CORRUPT, STOA_NO_MEMORY, STOA_LIMIT
/// Owns     The caller releases `out`, which is empty on error.
STOA_API STOA_MUST_USE stoa_status stoa_statement_run(stoa_statement *statement,
                                                      const stoa_context *context,
                                                      struct ArrowArrayStream *out,
                                                      stoa_result_info *info, stoa_error *err);
/// Prepares and runs one statement. Errors as stoa_statement_run.
STOA_API STOA_MUST_USE stoa_status stoa_session_run(stoa_session *session, const char *sql,
                                                    const stoa_context *context,
                                                    struct ArrowArrayStream *out,
                                                    stoa_result_info *info, stoa_error *err);
/// The same in a session of its own, which lives as long as the stream. `context` may be NULL.
STOA_API STOA_MUST_USE stoa_status stoa_query(stoa_database *database, const char *sql,
                                              const stoa_context *context,
                                              struct ArrowArrayStream *out, stoa_error *err);

/// How tables were read by the session's last statement: parts planned and skipped, bytes, by which
/// road, as JSON. Valid until the next statement.
STOA_API const char *stoa_session_scan_report(stoa_session *session);

/// The engine's version ("1.5.6"), or NULL when it is not loaded.
STOA_API const char *stoa_engine_version(stoa_database *database);

#ifdef __cplusplus
}
#endif
#endif
