/* Short questions to the engine, whose answers are texts. */
#ifndef STOA_INGEST_ANSWER_H
#define STOA_INGEST_ANSWER_H

#include <stoa/query.h>

#include "mem/arena.h"

/// The texts of one row; `values[i]` is NULL where column i is.
typedef stoa_status (*stoa_ingest_row_function)(void *user, const char *const *values,
                                                int64_t count, stoa_error *err);

/// Runs `sql` and calls `function` with each row's values as text, in order.
STOA_MUST_USE stoa_status stoa_ingest_each_row(stoa_session *session, const char *sql,
                                               const stoa_context *context,
                                               stoa_ingest_row_function function, void *user,
                                               stoa_error *err);
/// Runs a statement whose rows, if it has any, are of no interest.
STOA_MUST_USE stoa_status stoa_ingest_run(stoa_session *session, const char *sql,
                                          const stoa_context *context, stoa_error *err);
/// The columns that a query would give. The caller closes `*out`.
STOA_MUST_USE stoa_status stoa_ingest_describe(stoa_session *session, const char *sql,
                                               const stoa_context *context, const stoa_schema **out,
                                               stoa_error *err);

#endif
