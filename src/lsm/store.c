/* Opening a store. */
#include "lsm/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "lsm/store_internal.h"

enum {
    INTERVAL_MS = 100,
    MEMTABLE_BYTES = 64 << 20,
    MEMTABLE_BYTES_MIN = 128 << 10, /* the first rows of a table take a part of it */
    READ_TRIES = 10,
    MEMTABLE_SHARE = 16 /* … but at most this part of the pool's limit */
};

int64_t stoa_store_now_ms(const stoa_store *store) {
    return store->settings.clock_ms != NULL ? store->settings.clock_ms(store->settings.clock_user)
                                            : stoa_clock_unix_ms();
}

struct stoa_definition *stoa_state_definition(const stoa_state *state) {
    return atomic_load_explicit(&state->definition, memory_order_acquire);
}

size_t stoa_store_memtable_bytes(const stoa_store *store) {
    return store->settings.memtable_bytes;
}

stoa_store *stoa_state_store(const stoa_state *state) {
    return state->store;
}

static void fill_settings(stoa_store *store) {
    stoa_state_options *settings = &store->settings;
    if (settings->durability == STOA_DURABILITY_DEFAULT) {
        settings->durability = STOA_DURABILITY_BUFFERED;
    }
    if (settings->interval_ms <= 0) {
        settings->interval_ms = INTERVAL_MS;
    }
    if (settings->memtable_bytes == 0) {
        const size_t limit = stoa_pool_limit(store->pool);
        settings->memtable_bytes = limit > 0 && limit / MEMTABLE_SHARE < MEMTABLE_BYTES
                                       ? limit / MEMTABLE_SHARE
                                       : MEMTABLE_BYTES;
    }
    if (settings->memtable_bytes < MEMTABLE_BYTES_MIN) {
        settings->memtable_bytes = MEMTABLE_BYTES_MIN;
    }
}

/* ---- What is left behind ----------------------------------------------------------------------- */

/* The files that versions name, by number. */
struct named {
    stoa_store *store;
    uint64_t *numbers; /* in growing order */
    int64_t count;
};

static int compare_numbers(const void *left, const void *right) {
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static stoa_status remove_stray(void *user, const char *name, const stoa_file_info *info,
                                stoa_error *err) {
    const struct named *named = user;
    stoa_store *store = named->store;
    uint64_t number = 0;
    char *uri = NULL;
    if (info->is_directory || !stoa_table_file_parse_name(name, &number)) {
        return STOA_OK;
    }
    if (named->count > 0 && bsearch(&number, named->numbers, (size_t)named->count,
                                    sizeof *named->numbers, compare_numbers) != NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_store_file_uri(store, number, &uri, err));
    STOA_IGNORE(stoa_vfs_remove(store->file_systems, uri, &store->context, NULL));
    stoa_pool_free_string(store->pool, uri);
    return STOA_OK;
}

/* Files that no version names: of flushes and compactions that a crash cut off. */
static stoa_status remove_strays(stoa_store *store, stoa_error *err) {
    const stoa_manifest_state *manifest = stoa_manifest_state_of(store->manifest);
    struct named named = {.store = store, .count = manifest->file_count};
    STOA_TRY(stoa_pool_allocate_array(store->pool, (size_t)named.count, sizeof *named.numbers,
                                      (void **)&named.numbers, err));
    for (int64_t i = 0; i < named.count; i++) {
        named.numbers[i] = manifest->files[i].info.number;
    }
    if (named.count > 0) {
        qsort(named.numbers, (size_t)named.count, sizeof *named.numbers, compare_numbers);
    }
    const stoa_status status = stoa_vfs_list(store->file_systems, store->directory, &store->context,
                                             remove_stray, &named, err);
    stoa_pool_free(store->pool, named.numbers, (size_t)named.count * sizeof *named.numbers);
    return status;
}

/* ---- Syncing every so often -------------------------------------------------------------------- */

static struct timespec in_ms(int64_t ms) {
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static void *sync_now_and_then(void *user) {
    stoa_store *store = user;
    pthread_mutex_lock(&store->lock);
    while (!store->is_closing) {
        const struct timespec until = in_ms(store->settings.interval_ms);
        while (!store->is_closing &&
               pthread_cond_timedwait(&store->changed, &store->lock, &until) != ETIMEDOUT) {
        }
        pthread_mutex_unlock(&store->lock);
        stoa_error error;
        if (stoa_wal_sync(store->wal, stoa_wal_end(store->wal), &error) != STOA_OK) {
            stoa_log(store->context.logger, STOA_LOG_ERROR, "lsm", "%s", error.message);
        }
        pthread_mutex_lock(&store->lock);
    }
    pthread_mutex_unlock(&store->lock);
    return NULL;
}

stoa_status stoa_store_sync_later(stoa_store *store, stoa_error *err) {
    if (atomic_load_explicit(&store->has_syncer, memory_order_acquire)) {
        return STOA_OK;
    }
    int failure = 0;
    pthread_mutex_lock(&store->lock);
    if (!atomic_load_explicit(&store->has_syncer, memory_order_relaxed)) {
        failure = pthread_create(&store->syncer, NULL, sync_now_and_then, store);
        atomic_store_explicit(&store->has_syncer, failure == 0, memory_order_release);
    }
    pthread_mutex_unlock(&store->lock);
    return failure == 0 ? STOA_OK
                        : stoa_fail(err, STOA_IO, "starting a thread: %s", strerror(failure));
}

/* ---- Opening ----------------------------------------------------------------------------------- */

static stoa_status init_locks(stoa_store *store, stoa_error *err) {
    pthread_condattr_t attributes;
    pthread_mutex_init(&store->commit_lock, NULL);
    pthread_mutex_init(&store->manifest_lock, NULL);
    pthread_mutex_init(&store->lock, NULL);
    pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    store->snapshots.before = store->snapshots.after = &store->snapshots;
    STOA_TRY(stoa_group_init(&store->flushes, store->context.sched, STOA_FOREGROUND, NULL, err));
    stoa_status status = stoa_group_init(&store->compactions, store->context.sched, STOA_BACKGROUND,
                                         NULL, err);
    if (status != STOA_OK) {
        STOA_IGNORE(stoa_group_wait(&store->flushes, NULL));
    }
    return status;
}

static stoa_status open_parts(stoa_store *store, const stoa_store_options *options,
                              stoa_error *err) {
    const stoa_manifest_options manifest = {.context = store->context,
                                            .file_systems = store->file_systems,
                                            .directory = store->directory,
                                            .create = options->create,
                                            .read_only = options->read_only};
    STOA_TRY(stoa_merge_programs_create(store->pool, &store->programs, err));
    STOA_TRY(stoa_rate_limiter_create(store->pool, store->settings.write_rate_bytes,
                                      &store->limiter, err));
    if (options->create && !options->read_only) {
        STOA_TRY(
            stoa_vfs_make_directories(store->file_systems, store->directory, &store->context, err));
    }
    STOA_TRY(stoa_manifest_open(&manifest, &store->manifest, err));
    store->loaded_sequence = stoa_manifest_state_of(store->manifest)->last_sequence;
    STOA_TRY(stoa_store_load_tables(store, err));
    if (!store->read_only) {
        STOA_TRY(remove_strays(store, err));
    }
    uint64_t last_sequence = 0;
    STOA_TRY(stoa_store_recover(store, &last_sequence, err));
    stoa_store_raise_sequence(store, last_sequence);
    return STOA_OK;
}

static stoa_status open_once(const stoa_store_options *options, stoa_store **out, stoa_error *err) {
    stoa_pool *pool = NULL;
    stoa_store *store = NULL;
    STOA_TRY(stoa_pool_create_child(options->context.pool, "state", 0, &pool, err));
    stoa_status status = stoa_pool_allocate_array(pool, 1, sizeof *store, (void **)&store, err);
    if (status != STOA_OK) {
        stoa_pool_close(pool);
        return status;
    }
    atomic_init(&store->references, 1);
    store->pool = pool;
    store->context = options->context;
    store->context.pool = pool;
    store->file_systems = options->file_systems;
    store->read_only = options->read_only;
    store->settings = options->settings;
    fill_settings(store);
    status = init_locks(store, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, store, sizeof *store);
        stoa_pool_close(pool);
        return status;
    }
    STOA_CHECK(stoa_pool_copy_string(pool, options->directory, &store->directory, err));
    STOA_CHECK(stoa_pool_copy_string(pool, options->boot, &store->boot, err));
    STOA_CHECK(open_parts(store, options, err));
    stoa_store_compact_if_due(store);
    *out = store;
    return STOA_OK;

done:
    stoa_store_close(store);
    stoa_wrap(err, "opening the state tables in %s", options->directory);
    return status;
}

/* A reader may meet files and segments that the writer has just given up: then the manifest names
 * others. What is really damaged is so the second time too. */
stoa_status stoa_store_open(const stoa_store_options *options, stoa_store **out, stoa_error *err) {
    stoa_status status = open_once(options, out, err);
    for (int i = 1; i < READ_TRIES && options->read_only &&
                    (status == STOA_CORRUPT || status == STOA_NOT_FOUND || status == STOA_CONFLICT);
         i++) {
        status = open_once(options, out, err);
    }
    return status;
}
