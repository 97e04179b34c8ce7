/* The engine: one in-memory DuckDB instance for a database, opened at its first SQL. */
#ifndef STOA_SQL_ENGINE_H
#define STOA_SQL_ENGINE_H

#include <pthread.h>

#include <stoa/database.h>

#include "mem/pool.h"
#include "sql/duckdb_api.h"

struct view;
struct monitor;

/* A thread that is inside a call of the engine's which may bind names, and whose names they are.
 * Lives on that thread's stack. */
struct binding {
    pthread_t thread;
    struct view *view;
    struct binding *next;
};

struct engine {
    pthread_mutex_t lock;     /* guards `bindings`, `budget` and the engine's memory limit */
    struct binding *bindings; /* newest first */
    stoa_reservation budget;  /* what DuckDB may use, charged to the database's pool */
    size_t share_bytes;       /* what it should get when there is room */
    bool single;              /* it has no threads: queries run on those that ask */
    const struct duckdb_api *api;
    stoa_database *database; /* borrowed */
    stoa_pool *pool;         /* below the database's */
    stoa_pressure *pressure;
    duckdb_database handle;
    duckdb_connection control; /* for settings; used under `lock` */
    struct monitor *monitor;
};

/// The engine of a database; opened and closed with it.
STOA_MUST_USE stoa_status stoa_sql_engine_get(stoa_database *database, struct engine **out,
                                              stoa_error *err);

/// A second instance without threads of its own: a query runs on the thread that reads its rows, so
/// as many run at once as there are callers, and no more. It serves short queries over files; opened
/// at the first of them, with a smaller share of memory.
STOA_MUST_USE stoa_status stoa_sql_engine_get_single(stoa_database *database, struct engine **out,
                                                     stoa_error *err);

/// A connection with Stoa's settings. Not to be used from two threads at once.
STOA_MUST_USE stoa_status stoa_sql_engine_connect(struct engine *engine, duckdb_connection *out,
                                                  stoa_error *err);
void stoa_sql_engine_disconnect(struct engine *engine, duckdb_connection *connection);

/// While a binding is entered, table names that the calling thread binds are looked up in `view`.
void stoa_sql_engine_enter(struct engine *engine, struct binding *binding, struct view *view);
void stoa_sql_engine_leave(struct engine *engine, struct binding *binding);
struct view *stoa_sql_engine_current_view(struct engine *engine);

/// Bytes that DuckDB may use now. Called before a query, it also takes back what was given up under
/// pressure, as far as there is room.
size_t stoa_sql_engine_budget(struct engine *engine);

/// Runs a statement of Stoa's own without rows.
STOA_MUST_USE stoa_status stoa_sql_engine_execute(struct engine *engine,
                                                  duckdb_connection connection, const char *sql,
                                                  stoa_error *err);

#endif
