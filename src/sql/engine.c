/* Opening and closing the engine, its settings, and its share of the memory budget.
 *
 * DuckDB cannot be told to take memory from a pool, but it keeps a limit. That limit is charged to
 * the database's pool as a whole, so the process keeps its budget whatever a query does: half of the
 * pool's limit at first, given back down to BUDGET_FLOOR when others press, taken again by later
 * queries when there is room. What does not fit spills into the database's temporary directory.
 *
 * Names are bound (tables looked up) on the thread that calls prepare or execute, and DuckDB's
 * callback for unknown names does not say for which connection. So a thread enters a binding before
 * such a call, and the callback finds it by the thread's identity.
 *
 * Lock     `lock` is a leaf but for one thing: DuckDB's own locks are taken below it when the memory
 *          limit is changed. Callbacks from DuckDB take it only to look up a binding. */
#include "sql/engine.h"

#include <stdio.h>
#include <string.h>

#include "sql/duckdb_error.h"
#include "sql/duckdb_load.h"
#include "sql/duckdb_scan.h"
#include "sql/monitor.h"
#include "sql/partitions.h"
#include "table/table.h"

#define BUDGET_FLOOR ((size_t)32 << 20)
#define BUDGET_SHARE_MIN ((size_t)16 << 20)

/* A view over our Parquet files as DuckDB's own reader gives them. A macro, because a replacement
 * scan cannot pass named arguments, and without this one a folder "year=2024" above the database
 * would become a column. */
static const char files_macro[] = "CREATE MACRO stoa_files(files) AS TABLE "
                                  "SELECT * FROM read_parquet(files, hive_partitioning := false)";

static const char *const connection_settings[] = {
    "SET errors_as_json = true",
    "SET TimeZone = 'UTC'",
    "SET enable_progress_bar = true", /* without it there is no progress to ask for */
    "SET enable_progress_bar_print = false",
    "SET progress_bar_time = 0",
};

stoa_status stoa_sql_engine_execute(struct engine *engine, duckdb_connection connection,
                                    const char *sql, stoa_error *err) {
    const struct duckdb_api *api = engine->api;
    duckdb_result result;
    memset(&result, 0, sizeof result);
    stoa_status status = STOA_OK;
    if (api->query(connection, sql, &result) != DuckDBSuccess) {
        struct engine_failure failure = {.message = api->result_error(&result)};
        status = stoa_sql_engine_fail(&failure, err);
        stoa_wrap(err, "%s", sql);
    }
    api->destroy_result(&result);
    return status;
}

static stoa_status set_memory_limit(struct engine *engine, size_t bytes, stoa_error *err) {
    char sql[64];
    snprintf(sql, sizeof sql, "SET memory_limit = '%zuB'", bytes);
    return stoa_sql_engine_execute(engine, engine->control, sql, err);
}

/* Asked from any thread, also from one that is inside DuckDB: never waits. */
static size_t give_back(void *user, size_t needed) {
    struct engine *engine = user;
    if (pthread_mutex_trylock(&engine->lock) != 0) {
        return 0;
    }
    size_t given = 0;
    size_t now = engine->budget.bytes;
    if (now > BUDGET_FLOOR) {
        size_t next = now - BUDGET_FLOOR > needed ? now - needed : BUDGET_FLOOR;
        if (set_memory_limit(engine, next, NULL) == STOA_OK &&
            stoa_reservation_resize(&engine->budget, engine->pool, next, NULL) == STOA_OK) {
            given = now - next;
        }
    }
    pthread_mutex_unlock(&engine->lock);
    return given;
}

size_t stoa_sql_engine_budget(struct engine *engine) {
    pthread_mutex_lock(&engine->lock);
    size_t missing = engine->share_bytes - engine->budget.bytes;
    stoa_pool *pool = stoa_database_pool(engine->database);
    size_t limit = stoa_pool_limit(pool);
    /* Twice what is missing must be free: this is for when the pressure is over. */
    if (missing > 0 && (limit == 0 || stoa_pool_used(pool) + 2 * missing <= limit) &&
        stoa_reservation_resize(&engine->budget, engine->pool, engine->share_bytes, NULL) ==
            STOA_OK &&
        set_memory_limit(engine, engine->share_bytes, NULL) != STOA_OK) {
        stoa_status shrunk = stoa_reservation_resize(&engine->budget, engine->pool,
                                                     engine->share_bytes - missing, NULL);
        STOA_ASSERT(shrunk == STOA_OK);
        (void)shrunk;
    }
    size_t budget = engine->budget.bytes;
    pthread_mutex_unlock(&engine->lock);
    return budget;
}

static stoa_status budget_take(struct engine *engine, stoa_error *err) {
    size_t limit = stoa_pool_limit(stoa_database_pool(engine->database));
    if (limit == 0) {
        STOA_TRY(stoa_memory_limit_default(&limit, err));
    }
    engine->share_bytes = limit / 2 > BUDGET_SHARE_MIN ? limit / 2 : BUDGET_SHARE_MIN;
    for (size_t bytes = engine->share_bytes;; bytes /= 2) {
        bool last = bytes / 2 < BUDGET_SHARE_MIN;
        stoa_status status = stoa_reservation_resize(&engine->budget, engine->pool, bytes,
                                                     last ? err : NULL);
        if (status == STOA_OK || status != STOA_LIMIT || last) {
            return status;
        }
    }
}

static stoa_status open_instance(struct engine *engine, stoa_error *err) {
    const struct duckdb_api *api = engine->api;
    const char *temporary;
    STOA_TRY(stoa_database_temporary_directory(engine->database, &temporary, err));

    char memory[32];
    char threads[16];
    snprintf(memory, sizeof memory, "%zuB", engine->budget.bytes);
    snprintf(threads, sizeof threads, "%d",
             engine->single ? 1 : (int)stoa_database_threads(engine->database));
    const char *const settings[][2] = {
        {"memory_limit", memory},
        {"threads", threads},
        {"temp_directory", temporary},
        {"autoinstall_known_extensions", "false"}, /* or a misspelt function asks the network */
        {"autoload_known_extensions", "false"},
        /* What the files of a single engine are called says nothing of what is in them. */
        {"enable_external_file_cache", engine->single ? "false" : "true"},
    };
    duckdb_config config = NULL;
    stoa_status status = STOA_OK;
    if (api->create_config(&config) != DuckDBSuccess) {
        return stoa_fail(err, STOA_NO_MEMORY, "the engine has no memory for its settings");
    }
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (api->set_config(config, settings[i][0], settings[i][1]) != DuckDBSuccess) {
            status = stoa_fail(err, STOA_INTERNAL, "the engine refuses %s = '%s'", settings[i][0],
                               settings[i][1]);
            goto done;
        }
    }
    char *message = NULL;
    if (api->open_ext(NULL, &engine->handle, config, &message) != DuckDBSuccess) {
        status = stoa_fail(err, STOA_INTERNAL, "the engine does not open: %s",
                           message != NULL ? message : "no reason given");
        api->free(message);
        goto done;
    }
    STOA_CHECK(stoa_sql_engine_connect(engine, &engine->control, err));

done:
    api->destroy_config(&config);
    return status;
}

static void engine_close(void *attachment) {
    struct engine *engine = attachment;
    STOA_ASSERT(engine->bindings == NULL);
    stoa_pressure_unregister(engine->pressure);
    stoa_sql_monitor_close(engine->monitor);
    if (engine->handle != NULL) {
        stoa_sql_engine_disconnect(engine, &engine->control);
        engine->api->close(&engine->handle);
    }
    stoa_reservation_release(&engine->budget);
    pthread_mutex_destroy(&engine->lock);
    stoa_pool *pool = engine->pool;
    stoa_pool_free(pool, engine, sizeof *engine);
    stoa_pool_close(pool);
}

static stoa_status open_any(stoa_database *database, bool single, void **out, stoa_error *err) {
    stoa_pool *pool = NULL;
    struct engine *engine = NULL;
    STOA_TRY(stoa_pool_create_child(stoa_database_pool(database), "engine", 0, &pool, err));
    stoa_status status = stoa_pool_allocate_array(pool, 1, sizeof *engine, (void **)&engine, err);
    if (status != STOA_OK) {
        stoa_pool_close(pool);
        return status;
    }
    engine->database = database;
    engine->single = single;
    engine->pool = pool;
    pthread_mutex_init(&engine->lock, NULL);

    STOA_CHECK(stoa_sql_duckdb_load(&engine->api, err));
    STOA_CHECK(budget_take(engine, err));
    STOA_CHECK(open_instance(engine, err));
    STOA_CHECK(stoa_sql_engine_execute(engine, engine->control, files_macro, err));
    STOA_CHECK(
        stoa_sql_engine_execute(engine, engine->control, stoa_sql_partitioned_macro, err));
    STOA_CHECK(stoa_sql_scan_function_register(engine, err));
    STOA_CHECK(stoa_sql_monitor_create(engine, &engine->monitor, err));
    STOA_CHECK(stoa_pressure_register(stoa_database_pool(database), give_back, engine,
                                      &engine->pressure, err));
    *out = engine;

done:
    if (status != STOA_OK) {
        engine_close(engine);
    }
    return status;
}

static stoa_status engine_open(stoa_database *database, void **out, stoa_error *err) {
    return open_any(database, false, out, err);
}

static stoa_status single_open(stoa_database *database, void **out, stoa_error *err) {
    return open_any(database, true, out, err);
}

stoa_status stoa_sql_engine_get(stoa_database *database, struct engine **out, stoa_error *err) {
    void *attachment = NULL;
    STOA_TRY(
        stoa_database_attachment(database, "sql", engine_open, engine_close, &attachment, err));
    *out = attachment;
    return STOA_OK;
}

stoa_status stoa_sql_engine_get_single(stoa_database *database, struct engine **out,
                                       stoa_error *err) {
    void *attachment = NULL;
    STOA_TRY(stoa_database_attachment(database, "sql.single", single_open, engine_close,
                                      &attachment, err));
    *out = attachment;
    return STOA_OK;
}

stoa_status stoa_sql_engine_connect(struct engine *engine, duckdb_connection *out,
                                    stoa_error *err) {
    *out = NULL;
    if (engine->api->connect(engine->handle, out) != DuckDBSuccess) {
        return stoa_fail(err, STOA_INTERNAL, "the engine refuses a connection");
    }
    for (size_t i = 0; i < sizeof connection_settings / sizeof *connection_settings; i++) {
        stoa_status status = stoa_sql_engine_execute(engine, *out, connection_settings[i], err);
        if (status != STOA_OK) {
            stoa_sql_engine_disconnect(engine, out);
            return status;
        }
    }
    return STOA_OK;
}

void stoa_sql_engine_disconnect(struct engine *engine, duckdb_connection *connection) {
    if (*connection != NULL) {
        engine->api->disconnect(connection);
        *connection = NULL;
    }
}

void stoa_sql_engine_enter(struct engine *engine, struct binding *binding, struct view *view) {
    binding->thread = pthread_self();
    binding->view = view;
    pthread_mutex_lock(&engine->lock);
    binding->next = engine->bindings;
    engine->bindings = binding;
    pthread_mutex_unlock(&engine->lock);
}

void stoa_sql_engine_leave(struct engine *engine, struct binding *binding) {
    pthread_mutex_lock(&engine->lock);
    struct binding **link = &engine->bindings;
    while (*link != binding) {
        link = &(*link)->next;
    }
    *link = binding->next;
    pthread_mutex_unlock(&engine->lock);
}

struct view *stoa_sql_engine_current_view(struct engine *engine) {
    struct view *view = NULL;
    pthread_t self = pthread_self();
    pthread_mutex_lock(&engine->lock);
    for (struct binding *b = engine->bindings; b != NULL && view == NULL; b = b->next) {
        view = pthread_equal(b->thread, self) ? b->view : NULL;
    }
    pthread_mutex_unlock(&engine->lock);
    return view;
}
