/* From memory to files: memtables of all tables are frozen together, so that one number says what is in
 * files and what the log is still needed for, and written by a task, the oldest first. */
#include "base/clock.h"
#include "lsm/flush.h"
#include "lsm/store_internal.h"

enum { FROZEN_MAX = 2 }; /* generations that wait; the next full memtable waits for the oldest */
_Static_assert(FROZEN_MAX + 1 < STOA_VIEW_MEMTABLES, "views have room for all memtables");

/* ---- Freezing -------------------------------------------------------------------------------- */

static size_t generation_bytes(int64_t count) {
    return sizeof(stoa_store_generation) + (size_t)count * sizeof(struct store_frozen);
}

static void free_generation(stoa_store *store, stoa_store_generation *generation) {
    for (int64_t i = 0; i < generation->count; i++) {
        stoa_memtable_close(generation->items[i].memtable);
        stoa_state_view_release(generation->items[i].view);
        stoa_state_release(generation->items[i].state);
    }
    stoa_pool_free(store->pool, generation, generation_bytes(generation->capacity));
}

/* What takes the place of a table's memtable, made before anything is changed. `item->memtable` is the
 * new one until they are swapped. */
static stoa_status prepare_item(stoa_store_generation *generation, stoa_state *state,
                                stoa_error *err) {
    struct store_frozen *item = &generation->items[generation->count++];
    const stoa_definition *definition = state->definition;
    *item = (struct store_frozen){.state = stoa_state_retain(state)};
    STOA_TRY(stoa_memtable_create(state->pool, &definition->layout, &item->memtable, err));
    const stoa_state_view *now = atomic_load_explicit(&state->view, memory_order_relaxed);
    STOA_TRY(stoa_state_view_create(state->store->pool, now->definition, now->version, &item->view,
                                    err));
    stoa_state_view_add(item->view, item->memtable);
    for (int32_t i = 0; i < now->memtable_count; i++) {
        stoa_state_view_add(item->view, now->memtables[i]);
    }
    return STOA_OK;
}

static void swap_item(struct store_frozen *item) {
    stoa_memtable *full = item->state->active;
    item->state->active = item->memtable;
    item->state->active_bytes = stoa_memtable_bytes(
        item->memtable); /* an empty one counts nothing */
    item->state->has_rows = false;
    item->memtable = full;
    stoa_state_show_view(item->state, item->view);
    item->view = NULL;
}

/* With commit_lock. Views are made from the present ones and published under the store's lock, so that
 * no change of files comes between. */
stoa_status stoa_store_freeze(stoa_store *store, uint64_t log_segment, uint64_t last_sequence,
                              stoa_error *err) {
    void *memory = NULL;
    stoa_store_generation *generation = NULL;
    pthread_mutex_lock(&store->lock);
    stoa_status status = STOA_OK;
    const int32_t table_count = store->table_count;
    STOA_CHECK(stoa_pool_allocate(store->pool, generation_bytes(table_count), &memory, err));
    generation = memory;
    *generation = (stoa_store_generation){.capacity = table_count,
                                          .log_segment = log_segment,
                                          .last_sequence = last_sequence};
    for (int32_t i = 0; i < table_count; i++) {
        if (store->tables[i]->has_rows) {
            STOA_CHECK(prepare_item(generation, store->tables[i], err));
        }
    }
    for (int64_t i = 0; i < generation->count; i++) {
        swap_item(&generation->items[i]);
    }
    *(store->youngest == NULL ? &store->oldest : &store->youngest->next) = generation;
    store->youngest = generation;
    store->generation_count++;
    store->memtable_bytes = 0;
    generation = NULL;

done:
    pthread_mutex_unlock(&store->lock);
    if (generation != NULL) {
        free_generation(store, generation);
    }
    return status;
}

/* ---- Flushing -------------------------------------------------------------------------------- */

struct flush {
    stoa_table_file **files;
    stoa_file_placement *placements;
    int64_t count;
};

static uint64_t next_file(void *user) {
    return stoa_store_new_file(user);
}

static stoa_status write_item(stoa_store *store, const struct store_frozen *item,
                              const uint64_t *snapshots, int64_t snapshot_count,
                              stoa_file_placement *out, stoa_error *err) {
    stoa_state_view *view = stoa_state_acquire(item->state);
    const stoa_flush_options options = {.context = store->context,
                                        .file_systems = store->file_systems,
                                        .directory = store->directory,
                                        .definition = view->definition,
                                        .snapshots = snapshots,
                                        .snapshot_count = snapshot_count,
                                        .new_file = next_file,
                                        .new_file_user = store};
    *out = (stoa_file_placement){.state = item->state};
    stoa_status status = stoa_flush_run(&item->memtable, 1, &options, &out->file, err);
    stoa_state_view_release(view);
    return status;
}

/* Writes the generation's files, all or none of them. */
static stoa_status write_generation(stoa_store *store, const stoa_store_generation *generation,
                                    struct flush *flush, stoa_error *err) {
    uint64_t *snapshots = NULL;
    int64_t snapshot_count = 0;
    STOA_TRY(stoa_pool_allocate_array(store->pool, (size_t)generation->count,
                                      sizeof *flush->placements, (void **)&flush->placements, err));
    STOA_TRY(stoa_store_snapshots(store, &snapshots, &snapshot_count, err));
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < generation->count && status == STOA_OK; i++) {
        status = write_item(store, &generation->items[i], snapshots, snapshot_count,
                            &flush->placements[flush->count], err);
        flush->count += status == STOA_OK && flush->placements[flush->count].file != NULL;
    }
    stoa_pool_free(store->pool, snapshots, (size_t)snapshot_count * sizeof *snapshots);
    return status;
}

static void release_flush(stoa_store *store, struct flush *flush, int64_t capacity) {
    for (int64_t i = 0; i < flush->count; i++) {
        stoa_table_file_release(flush->placements[i].file);
    }
    stoa_pool_free(store->pool, flush->placements, (size_t)capacity * sizeof *flush->placements);
}

static stoa_store_generation *oldest_generation(stoa_store *store) {
    pthread_mutex_lock(&store->lock);
    stoa_store_generation *generation = store->oldest;
    pthread_mutex_unlock(&store->lock);
    return generation;
}

void stoa_store_forget_oldest(stoa_store *store) {
    pthread_mutex_lock(&store->lock);
    stoa_store_generation *generation = store->oldest;
    store->oldest = generation->next;
    if (store->oldest == NULL) {
        store->youngest = NULL;
    }
    store->generation_count--;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
    free_generation(store, generation);
}

/* Only one thread does this at a time: the flush task, or who recovers. */
stoa_status stoa_store_flush_oldest(stoa_store *store, stoa_error *err) {
    const stoa_store_generation *generation = oldest_generation(store);
    if (generation == NULL) {
        return STOA_OK;
    }
    struct flush flush = {0};
    stoa_store_worker worker;
    const int64_t capacity = generation->count;
    const uint64_t log_segment = generation->log_segment;
    const int64_t begun_ns = stoa_clock_monotonic_ns();
    stoa_status status = STOA_OK;
    stoa_store_worker_enter(store, &worker);
    STOA_CHECK(write_generation(store, generation, &flush, err));
    const stoa_store_change change = {.added = flush.placements,
                                      .added_count = flush.count,
                                      .flushed = generation,
                                      .flushed_sequence = generation->last_sequence,
                                      .log_segment = log_segment};
    STOA_CHECK(stoa_store_change_files(store, &change, err));
    stoa_store_count_flush(store, &change, stoa_clock_monotonic_ns() - begun_ns);
    stoa_store_forget_oldest(store);
    if (log_segment != 0) {
        /* Segments that cannot be given back now are when the store is opened next. */
        STOA_IGNORE(stoa_wal_release(store->wal, log_segment, NULL));
    }

done:
    stoa_store_worker_leave(store, &worker);
    release_flush(store, &flush, capacity);
    return status;
}

/* Who gets it flushes until nothing is left; everybody else waits for `changed`. */
static bool claim_flush(stoa_store *store) {
    pthread_mutex_lock(&store->lock);
    const bool claimed = !store->is_flushing && store->oldest != NULL;
    store->is_flushing = store->is_flushing || claimed;
    pthread_mutex_unlock(&store->lock);
    return claimed;
}

/* Ends the claim when nothing is left, or on an error. */
static bool continues_flush(stoa_store *store, stoa_status status) {
    pthread_mutex_lock(&store->lock);
    const bool continues = status == STOA_OK && store->oldest != NULL;
    store->is_flushing = continues;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
    return continues;
}

static stoa_status flush_claimed(stoa_store *store, stoa_error *err) {
    stoa_status status;
    do {
        status = stoa_store_flush_oldest(store, err);
        if (status == STOA_OK) {
            stoa_store_compact_if_due(store);
        }
    } while (continues_flush(store, status));
    return status;
}

static stoa_status flush_task(void *user, stoa_error *err) {
    stoa_store *store = user;
    if (claim_flush(store) && flush_claimed(store, err) != STOA_OK) {
        /* What is in memory stays there, and in the log; whoever needs the room tries again. */
        stoa_log(store->context.logger, STOA_LOG_WARN, "lsm", "a flush failed: %s", err->message);
    }
    return STOA_OK;
}

void stoa_store_start_flush(stoa_store *store) {
    if (!store->settings.no_background) {
        stoa_group_spawn(&store->flushes, flush_task, store);
    }
}

/* Waits until at most `count` generations are left. A caller that finds nobody at work does it by
 * itself: a worker that waits for a task which no other worker is free for would wait for ever. */
static stoa_status wait_for_flush(stoa_store *store, int32_t count, stoa_error *err) {
    stoa_status status = STOA_OK;
    pthread_mutex_lock(&store->lock);
    while (store->generation_count > count && status == STOA_OK) {
        if (store->is_flushing) {
            pthread_cond_wait(&store->changed, &store->lock);
            continue;
        }
        pthread_mutex_unlock(&store->lock);
        if (claim_flush(store)) {
            status = flush_claimed(store, err);
        }
        pthread_mutex_lock(&store->lock);
    }
    pthread_mutex_unlock(&store->lock);
    if (status != STOA_OK) {
        stoa_wrap(err, "writing what is in memory into files");
    }
    return status;
}

/* ---- Room for a commit ----------------------------------------------------------------------- */

/* With commit_lock: freezes the memtables in which there is something, and begins a segment of the
 * log. */
static stoa_status freeze_now(stoa_store *store, stoa_error *err) {
    uint64_t segment = 0;
    STOA_TRY(stoa_wal_rotate(store->wal, &segment, err));
    const uint64_t last = atomic_load_explicit(&store->last_sequence, memory_order_relaxed);
    return stoa_store_freeze(store, segment, last, err);
}

static int32_t generation_count(stoa_store *store) {
    pthread_mutex_lock(&store->lock);
    const int32_t count = store->generation_count;
    pthread_mutex_unlock(&store->lock);
    return count;
}

/* commit_lock is given up while this waits: a thread that flushes may run other tasks meanwhile, and
 * those may commit. */
static stoa_status freeze_when_possible(stoa_store *store, stoa_error *err) {
    while (generation_count(store) >= FROZEN_MAX) {
        if (stoa_store_works_here(store)) {
            return STOA_OK; /* the memtables grow beyond their size */
        }
        const int64_t begun_ns = stoa_clock_monotonic_ns();
        pthread_mutex_unlock(&store->commit_lock);
        const stoa_status status = wait_for_flush(store, FROZEN_MAX - 1, err);
        pthread_mutex_lock(&store->commit_lock);
        stoa_store_count_stall(store, STOA_STALL_MEMTABLES, stoa_clock_monotonic_ns() - begun_ns);
        STOA_TRY(status);
    }
    return store->memtable_bytes > 0 ? freeze_now(store, err) : STOA_OK; /* somebody else did */
}

stoa_status stoa_store_make_room(stoa_store *store, bool *out_frozen, stoa_error *err) {
    *out_frozen = false;
    if (store->memtable_bytes < store->settings.memtable_bytes) {
        return STOA_OK;
    }
    STOA_TRY(freeze_when_possible(store, err));
    *out_frozen = true;
    return STOA_OK;
}

stoa_status stoa_store_wait_flushed(stoa_store *store, stoa_error *err) {
    return wait_for_flush(store, 0, err);
}

stoa_status stoa_store_flush(stoa_store *store, stoa_error *err) {
    STOA_TRY(stoa_store_check_writable(store, err));
    STOA_TRY(stoa_store_check_may_wait(store, err));
    pthread_mutex_lock(&store->commit_lock);
    stoa_status status = store->memtable_bytes > 0 ? freeze_when_possible(store, err) : STOA_OK;
    pthread_mutex_unlock(&store->commit_lock);
    STOA_TRY(status);
    return wait_for_flush(store, 0, err);
}
