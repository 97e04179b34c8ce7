/* The engine for other modules: queries over files and tables, in a connection of their own. */
#ifndef STOA_SQL_SQL_H
#define STOA_SQL_SQL_H

#include <stoa/query.h>

/// Runs one query (SELECT and its like) that the calling module wrote. With `target` the columns
/// come in the canonical layout of that schema: as many columns as it has, each of the engine's type
/// for it (`CAST(x AS …)` with stoa_type_to_duckdb makes it so). The stream holds what it needs; the
/// database must outlive it.
///
/// Errors   as stoa_query, but without a position: the text is not the user's
/// Threads  Streams are independent of each other; each is read from one thread at a time.
STOA_MUST_USE stoa_status stoa_sql_stream(stoa_database *database, const char *sql,
                                          const stoa_schema *target, const stoa_context *context,
                                          struct ArrowArrayStream *out, stoa_error *err);

/// The columns that such a query would give, without running it: ids are given from 1.
STOA_MUST_USE stoa_status stoa_sql_describe(stoa_database *database, const char *sql,
                                            const stoa_context *context, const stoa_schema **out,
                                            stoa_error *err);

/// A session whose queries run on the thread that reads their rows, and on no other: for many short
/// queries over files, side by side in tasks.
///
/// Threads  Separate sessions are independent; each is used by one thread at a time.
STOA_MUST_USE stoa_status stoa_sql_session_open_single(stoa_database *database, stoa_session **out,
                                                       stoa_error *err);

#endif
