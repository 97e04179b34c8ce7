/* A query in a connection of its own, as a stream: for callers without a session. */
#ifndef STOA_SQL_DETACHED_H
#define STOA_SQL_DETACHED_H

#include "sql/duckdb_query.h"

struct detached;

/// Opens a connection and a view. `transaction` may be NULL.
STOA_MUST_USE stoa_status stoa_sql_detached_open(stoa_database *database,
                                                 stoa_transaction *transaction,
                                                 const stoa_context *context, struct detached **out,
                                                 stoa_error *err);
/// NULL is allowed.
void stoa_sql_detached_close(struct detached *detached);
/// The query's text, to be written before it is prepared.
struct sql_text *stoa_sql_detached_text(struct detached *detached);
STOA_MUST_USE stoa_status stoa_sql_detached_prepare(struct detached *detached,
                                                    struct engine_query **out_view,
                                                    stoa_error *err);
/// Runs the prepared query; takes `detached`, also on error. `target` and `plan` may be NULL: the
/// stream retains the one, and takes the other.
STOA_MUST_USE stoa_status stoa_sql_detached_stream(struct detached *detached,
                                                   const stoa_schema *target, stoa_plan *plan,
                                                   struct ArrowArrayStream *out, stoa_error *err);

#endif
