/* The engine's watcher: a thread that interrupts running queries whose token was triggered and
 * tells progress. It starts with the first query that has a token or a progress callback, and
 * sleeps while there is none. */
#ifndef STOA_SQL_MONITOR_H
#define STOA_SQL_MONITOR_H

#include <stdatomic.h>

#include <stoa/context.h>

#include "sql/engine.h"

struct monitor;

/* A query that is being watched. Lives in its owner; all-zero is not watched. */
struct watch {
    struct watch *next;
    struct watch *previous;
    duckdb_connection connection;
    stoa_context context;
    bool watched;
    bool busy;                            /* the watcher is using it without the lock */
    bool interrupted;                     /* once is enough */
    int64_t told_ns;                      /* when progress was last told */
    const atomic_int_fast64_t *rows_done; /* of our own scans; NULL: ask the engine */
    int64_t rows_total;
};

STOA_MUST_USE stoa_status stoa_sql_monitor_create(struct engine *engine, struct monitor **out,
                                                  stoa_error *err);
void stoa_sql_monitor_close(struct monitor *monitor);

/// Watches `connection` until stoa_sql_monitor_remove. Does nothing when the context has neither a
/// token nor a progress callback.
STOA_MUST_USE stoa_status stoa_sql_monitor_add(struct monitor *monitor, struct watch *watch,
                                               duckdb_connection connection,
                                               const stoa_context *context, stoa_error *err);
/// After this the watcher does not touch the connection or the callback.
void stoa_sql_monitor_remove(struct monitor *monitor, struct watch *watch);

#endif
