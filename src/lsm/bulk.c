/* See bulk.h. The commit holds the lock of commits while the manifest is written: a row that came between
 * the load's numbers and its files would be newer than the load and older than what readers find first. */
#include "lsm/bulk.h"

#include "arrow/array.h"
#include "lsm/bulk_fold.h"
#include "lsm/flush.h"
#include "lsm/store_internal.h"

struct stoa_bulk {
    stoa_store *store;
    stoa_pool *pool;
    stoa_definition *definition;
    stoa_operation operation;
    stoa_memtable *memtable; /* NULL: nothing in memory */
    uint64_t row_count;      /* put into it so far */
    stoa_table_file **files;
    int64_t file_count;
    int64_t file_capacity;
    bool keeps_files; /* they belong to the table, or perhaps do */
};

stoa_status stoa_bulk_create(stoa_store *store, stoa_definition *definition,
                             stoa_operation operation, stoa_bulk **out, stoa_error *err) {
    stoa_bulk *bulk = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(store->pool, 1, sizeof *bulk, (void **)&bulk, err));
    bulk->store = store;
    bulk->pool = store->pool;
    bulk->definition = stoa_definition_retain(definition);
    bulk->operation = operation;
    *out = bulk;
    return STOA_OK;
}

void stoa_bulk_close(stoa_bulk *bulk) {
    if (bulk == NULL) {
        return;
    }
    for (int64_t i = 0; i < bulk->file_count; i++) {
        if (!bulk->keeps_files) {
            atomic_store_explicit(&bulk->files[i]->is_obsolete, true, memory_order_relaxed);
        }
        stoa_table_file_release(bulk->files[i]);
    }
    stoa_pool_free(bulk->pool, bulk->files,
                   (size_t)bulk->file_capacity * sizeof(stoa_table_file *));
    stoa_memtable_close(bulk->memtable);
    stoa_definition_release(bulk->definition);
    stoa_pool_free(bulk->pool, bulk, sizeof *bulk);
}

/* ---- Files ------------------------------------------------------------------------------------- */

static uint64_t new_file(void *user) {
    return stoa_store_new_file(user);
}

/* `memtable` as a file, or NULL where it holds nothing. */
static stoa_status write_memtable(stoa_store *store, const stoa_definition *definition,
                                  stoa_memtable *memtable, bool is_bulk, stoa_table_file **out,
                                  stoa_error *err) {
    static const uint64_t newest = UINT64_MAX;
    stoa_flush_options options = {.context = store->context,
                                  .file_systems = store->file_systems,
                                  .directory = store->directory,
                                  .definition = definition,
                                  .snapshots = &newest,
                                  .snapshot_count = 1,
                                  .is_bulk = is_bulk,
                                  .new_file = new_file,
                                  .new_file_user = store};
    options.context.progress = NULL;
    return stoa_flush_run(&memtable, 1, &options, out, err);
}

static stoa_status reserve_file(stoa_bulk *bulk, stoa_error *err) {
    if (bulk->file_count < bulk->file_capacity) {
        return STOA_OK;
    }
    const int64_t capacity = bulk->file_capacity == 0 ? 8 : 2 * bulk->file_capacity;
    void *memory = (void *)bulk->files;
    STOA_TRY(stoa_pool_reallocate(bulk->pool, &memory,
                                  (size_t)bulk->file_capacity * sizeof(stoa_table_file *),
                                  (size_t)capacity * sizeof(stoa_table_file *), err));
    bulk->files = memory;
    bulk->file_capacity = capacity;
    return STOA_OK;
}

/* All rows of a file will have one number, so that no key may have two. */
static stoa_status fold(stoa_bulk *bulk, stoa_error *err) {
    stoa_memtable *folded = NULL;
    if (bulk->operation != STOA_OPERATION_MERGE) {
        return STOA_OK; /* of others the older ones are left out */
    }
    STOA_TRY(stoa_bulk_fold(bulk->pool, bulk->definition, bulk->store->programs, bulk->memtable,
                            &folded, err));
    stoa_memtable_close(bulk->memtable);
    bulk->memtable = folded;
    return STOA_OK;
}

stoa_status stoa_bulk_finish(stoa_bulk *bulk, stoa_error *err) {
    stoa_table_file *file = NULL;
    if (bulk->memtable == NULL) {
        return STOA_OK;
    }
    STOA_TRY(reserve_file(bulk, err));
    STOA_TRY(fold(bulk, err));
    STOA_TRY(write_memtable(bulk->store, bulk->definition, bulk->memtable, true, &file, err));
    if (file != NULL) {
        bulk->files[bulk->file_count++] = file;
    }
    stoa_memtable_close(bulk->memtable);
    bulk->memtable = NULL;
    bulk->row_count = 0;
    return STOA_OK;
}

stoa_status stoa_bulk_put(stoa_bulk *bulk, struct ArrowArray *batch, stoa_error *err) {
    stoa_status status = STOA_OK;
    const uint64_t rows = (uint64_t)batch->length;
    if (rows == 0) {
        goto done;
    }
    if (bulk->memtable == NULL) {
        STOA_CHECK(
            stoa_memtable_create(bulk->pool, &bulk->definition->layout, &bulk->memtable, err));
    }
    STOA_TRY(
        stoa_memtable_append(bulk->memtable, batch, bulk->operation, bulk->row_count + 1, err));
    bulk->row_count += rows;
    return stoa_memtable_bytes(bulk->memtable) < bulk->store->settings.memtable_bytes
               ? STOA_OK
               : stoa_bulk_finish(bulk, err);

done:
    stoa_arrow_array_release(batch);
    return status;
}

/* ---- The commit -------------------------------------------------------------------------------- */

void stoa_state_wait_loaded(stoa_state *state) {
    stoa_store *store = state->store;
    pthread_mutex_lock(&store->lock);
    while (atomic_load_explicit(&state->is_loading, memory_order_relaxed)) {
        pthread_cond_wait(&store->changed, &store->lock);
    }
    pthread_mutex_unlock(&store->lock);
}

/* All tables at once, so that two loads of the same ones do not wait for each other. */
static void begin_loading(stoa_store *store, const stoa_bulk_table *tables, int64_t count) {
    pthread_mutex_lock(&store->lock);
    for (int64_t i = 0; i < count;) {
        if (atomic_load_explicit(&tables[i].state->is_loading, memory_order_relaxed)) {
            pthread_cond_wait(&store->changed, &store->lock);
            i = 0;
        } else {
            i++;
        }
    }
    for (int64_t i = 0; i < count; i++) {
        atomic_store_explicit(&tables[i].state->is_loading, true, memory_order_release);
    }
    pthread_mutex_unlock(&store->lock);
}

static void end_loading(stoa_store *store, const stoa_bulk_table *tables, int64_t count) {
    pthread_mutex_lock(&store->lock);
    for (int64_t i = 0; i < count; i++) {
        atomic_store_explicit(&tables[i].state->is_loading, false, memory_order_release);
    }
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
}

/* With commit_lock. */
static bool has_rows_in_memory(const stoa_bulk_table *tables, int64_t count) {
    bool found = false;
    for (int64_t i = 0; i < count && !found; i++) {
        stoa_state_view *view = stoa_state_acquire(tables[i].state);
        found = tables[i].state->has_rows || view->memtable_count > 1;
        stoa_state_view_release(view);
    }
    return found;
}

/* Returns with commit_lock, also on error. Who had passed the wait before it began may still write. */
static stoa_status lock_flushed(stoa_store *store, const stoa_bulk_table *tables, int64_t count,
                                stoa_error *err) {
    stoa_status status = STOA_OK;
    pthread_mutex_lock(&store->commit_lock);
    while (status == STOA_OK && has_rows_in_memory(tables, count)) {
        pthread_mutex_unlock(&store->commit_lock);
        status = stoa_store_flush(store, err);
        pthread_mutex_lock(&store->commit_lock);
    }
    return status;
}

/* What a commit adds, in a list with room for all. */
struct addition {
    stoa_store *store;
    stoa_file_placement *placements;
    int64_t count;
    uint64_t sequence; /* of the last one */
};

static stoa_status check_table(const stoa_bulk_table *table, stoa_error *err) {
    const stoa_state *state = table->state;
    if (atomic_load_explicit(&state->is_dropped, memory_order_acquire)) {
        return stoa_fail(err, STOA_CONFLICT, "the table was dropped");
    }
    STOA_TRY(stoa_state_check_current(state, err));
    for (int64_t i = 0; i < table->count; i++) {
        if (table->bulks[i]->definition !=
            atomic_load_explicit(&state->definition, memory_order_acquire)) {
            return stoa_fail(err, STOA_CONFLICT,
                             "the table's schema was changed since the load began");
        }
    }
    return STOA_OK;
}

/* A file of nothing but the deletion of all that is older. */
static stoa_status add_deletion(struct addition *addition, stoa_state *state, stoa_error *err) {
    const stoa_definition *definition = atomic_load_explicit(&state->definition,
                                                             memory_order_acquire);
    const stoa_key_range all = {.to_end = true, .sequence = ++addition->sequence};
    stoa_memtable *memtable = NULL;
    stoa_table_file *file = NULL;
    STOA_TRY(stoa_memtable_create(state->pool, &definition->layout, &memtable, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_memtable_stage_range(memtable, &all, err));
    stoa_memtable_publish(memtable);
    STOA_CHECK(write_memtable(addition->store, definition, memtable, false, &file, err));
    addition->placements[addition->count++] = (stoa_file_placement){.state = state, .file = file};

done:
    stoa_memtable_close(memtable);
    return status;
}

static void add_bulk(struct addition *addition, stoa_state *state, stoa_bulk *bulk) {
    for (int64_t i = 0; i < bulk->file_count; i++) {
        stoa_table_file *file = stoa_table_file_retain(bulk->files[i]);
        file->info.sequence_min = file->info.sequence_max = ++addition->sequence;
        stoa_sst_set_sequence(file->sst, addition->sequence);
        addition->placements[addition->count++] = (stoa_file_placement){.state = state,
                                                                        .file = file};
    }
    bulk->keeps_files = true;
}

static stoa_status add_table(struct addition *addition, const stoa_bulk_table *table,
                             stoa_error *err) {
    STOA_TRY(check_table(table, err));
    if (table->replaces) {
        STOA_TRY(add_deletion(addition, table->state, err));
    }
    for (int64_t i = 0; i < table->count; i++) {
        add_bulk(addition, table->state, table->bulks[i]);
    }
    return STOA_OK;
}

static int64_t count_files(const stoa_bulk_table *tables, int64_t count) {
    int64_t files = 0;
    for (int64_t i = 0; i < count; i++) {
        files += tables[i].replaces;
        for (int64_t j = 0; j < tables[i].count; j++) {
            files += tables[i].bulks[j]->file_count;
        }
    }
    return files;
}

/* With commit_lock. */
static stoa_status commit_locked(stoa_store *store, const stoa_bulk_table *tables, int64_t count,
                                 stoa_error *err) {
    const size_t bytes = (size_t)count_files(tables, count) * sizeof(stoa_file_placement);
    struct addition addition = {.store = store,
                                .sequence = atomic_load_explicit(&store->last_sequence,
                                                                 memory_order_relaxed)};
    stoa_status status = STOA_OK;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(store->pool, bytes, &memory, err));
    addition.placements = memory;
    for (int64_t i = 0; i < count; i++) {
        STOA_CHECK(add_table(&addition, &tables[i], err));
    }
    const stoa_store_change change = {.added = addition.placements,
                                      .added_count = addition.count,
                                      .last_sequence = addition.sequence};
    if (addition.count > 0) {
        STOA_CHECK(stoa_store_change_files(store, &change, err));
    }
    /* Pairs with stoa_state_sequence: who sees the number sees the files. */
    atomic_store_explicit(&store->last_sequence, addition.sequence, memory_order_release);

done:
    for (int64_t i = 0; i < addition.count; i++) {
        stoa_table_file_release(addition.placements[i].file);
    }
    stoa_pool_free(store->pool, memory, bytes);
    return status;
}

stoa_status stoa_bulk_commit(stoa_store *store, const stoa_bulk_table *tables, int64_t count,
                             stoa_error *err) {
    STOA_TRY(stoa_store_check_writable(store, err));
    begin_loading(store, tables, count);
    stoa_status status = lock_flushed(store, tables, count, err);
    if (status == STOA_OK) {
        status = commit_locked(store, tables, count, err);
    }
    pthread_mutex_unlock(&store->commit_lock);
    end_loading(store, tables, count);
    if (status == STOA_OK) {
        stoa_store_compact_if_due(store);
    }
    return status;
}
