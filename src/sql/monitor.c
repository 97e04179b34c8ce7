/* DuckDB has no deadline of its own and looks at a cancellation token of ours nowhere, but takes an
 * interrupt from another thread within milliseconds. Polling between tasks of a pending result was
 * measured and is coarser (single tasks last up to 200 ms), so one thread looks at all tokens every
 * POLL_MS while queries run.
 *
 * Lock     `lock` guards the list and the flags of its members. It is not held while the engine or
 *          a callback is called: `busy` keeps a watch from going away meanwhile. */
#include "sql/monitor.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { POLL_MS = 4, PROGRESS_MS = 100 };

struct monitor {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a watch came, went or became idle; or `stop` */
    struct watch *watches;
    bool started;
    bool stop;
    pthread_t thread;
    const struct duckdb_api *api;
    stoa_pool *pool;
};

static void tell_progress(const struct duckdb_api *api, struct watch *watch, int64_t now_ns) {
    if (watch->context.progress == NULL ||
        now_ns - watch->told_ns < (int64_t)PROGRESS_MS * 1000000) {
        return;
    }
    watch->told_ns = now_ns;
    stoa_progress progress = {.phase = "querying", .unit = "percent", .total = 100};
    if (watch->rows_done != NULL && watch->rows_total > 0) {
        int64_t done = atomic_load_explicit(watch->rows_done, memory_order_relaxed);
        double part = (double)done / (double)watch->rows_total;
        progress.done = part >= 1.0 ? 100 : (uint64_t)(part * 100.0);
    } else {
        double percent = api->query_progress(watch->connection).percentage;
        if (percent < 0) {
            return; /* not known yet */
        }
        progress.done = percent >= 100.0 ? 100 : (uint64_t)percent;
    }
    watch->context.progress(watch->context.progress_user, &progress);
}

static void look_at(struct monitor *monitor, struct watch *watch) {
    if (!watch->interrupted && stoa_cancel_is_triggered(watch->context.cancel)) {
        watch->interrupted = true;
        monitor->api->interrupt(watch->connection);
    }
    tell_progress(monitor->api, watch, stoa_clock_monotonic_ns());
}

static void *watch_loop(void *user) {
    struct monitor *monitor = user;
    pthread_mutex_lock(&monitor->lock);
    while (!monitor->stop) {
        if (monitor->watches == NULL) {
            pthread_cond_wait(&monitor->changed, &monitor->lock);
            continue;
        }
        for (struct watch *w = monitor->watches; w != NULL; w = w->next) {
            w->busy = true;
            pthread_mutex_unlock(&monitor->lock);
            look_at(monitor, w);
            pthread_mutex_lock(&monitor->lock);
            w->busy = false; /* `w` is still in the list: removal waited for this */
            pthread_cond_broadcast(&monitor->changed);
        }
        pthread_mutex_unlock(&monitor->lock);
        struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&monitor->lock);
    }
    pthread_mutex_unlock(&monitor->lock);
    return NULL;
}

stoa_status stoa_sql_monitor_create(struct engine *engine, struct monitor **out, stoa_error *err) {
    struct monitor *monitor;
    STOA_TRY(stoa_pool_allocate_array(engine->pool, 1, sizeof *monitor, (void **)&monitor, err));
    monitor->api = engine->api;
    monitor->pool = engine->pool;
    pthread_mutex_init(&monitor->lock, NULL);
    pthread_cond_init(&monitor->changed, NULL);
    *out = monitor;
    return STOA_OK;
}

void stoa_sql_monitor_close(struct monitor *monitor) {
    if (monitor == NULL) {
        return;
    }
    STOA_ASSERT(monitor->watches == NULL);
    pthread_mutex_lock(&monitor->lock);
    monitor->stop = true;
    bool started = monitor->started;
    pthread_cond_broadcast(&monitor->changed);
    pthread_mutex_unlock(&monitor->lock);
    if (started) {
        pthread_join(monitor->thread, NULL);
    }
    pthread_cond_destroy(&monitor->changed);
    pthread_mutex_destroy(&monitor->lock);
    stoa_pool_free(monitor->pool, monitor, sizeof *monitor);
}

stoa_status stoa_sql_monitor_add(struct monitor *monitor, struct watch *watch,
                                 duckdb_connection connection, const stoa_context *context,
                                 stoa_error *err) {
    STOA_ASSERT(!watch->watched);
    if (context->cancel == NULL && context->progress == NULL) {
        return STOA_OK;
    }
    watch->connection = connection;
    watch->context = *context;
    watch->interrupted = false;
    watch->told_ns = stoa_clock_monotonic_ns();
    stoa_status status = STOA_OK;
    pthread_mutex_lock(&monitor->lock);
    if (!monitor->started) {
        int failed = pthread_create(&monitor->thread, NULL, watch_loop, monitor);
        monitor->started = failed == 0;
        status = failed == 0 ? STOA_OK : stoa_fail_errno(err, failed, "start a thread", "watcher");
    }
    if (status == STOA_OK) {
        watch->previous = NULL;
        watch->next = monitor->watches;
        if (watch->next != NULL) {
            watch->next->previous = watch;
        }
        monitor->watches = watch;
        watch->watched = true;
        pthread_cond_broadcast(&monitor->changed);
    }
    pthread_mutex_unlock(&monitor->lock);
    return status;
}

void stoa_sql_monitor_remove(struct monitor *monitor, struct watch *watch) {
    if (!watch->watched) {
        return;
    }
    pthread_mutex_lock(&monitor->lock);
    while (watch->busy) {
        pthread_cond_wait(&monitor->changed, &monitor->lock);
    }
    if (watch->previous != NULL) {
        watch->previous->next = watch->next;
    } else {
        monitor->watches = watch->next;
    }
    if (watch->next != NULL) {
        watch->next->previous = watch->previous;
    }
    watch->watched = false;
    pthread_mutex_unlock(&monitor->lock);
}
