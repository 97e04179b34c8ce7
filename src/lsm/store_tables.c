/* The tables of a store: made, opened, dropped, and put together from what the manifest says. */
#include <inttypes.h>
#include <stdio.h>

#include "lsm/store_internal.h"

/* ---- In memory ------------------------------------------------------------------------------- */

stoa_status stoa_state_create_for(stoa_store *store, int64_t id, stoa_definition *definition,
                                  stoa_version *version, stoa_state **out, stoa_error *err) {
    stoa_pool *pool = NULL;
    stoa_state *state = NULL;
    stoa_state_view *view = NULL;
    STOA_TRY(stoa_pool_create_child(store->pool, "state table", 0, &pool, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_pool_allocate_array(pool, 1, sizeof *state, (void **)&state, err));
    atomic_init(&state->references, 1);
    state->store = stoa_store_retain(store);
    state->id = id;
    state->pool = pool;
    pthread_mutex_init(&state->view_lock, NULL);
    STOA_CHECK(stoa_memtable_create(pool, &definition->layout, &state->active, err));
    state->active_bytes = stoa_memtable_bytes(state->active);
    STOA_CHECK(stoa_state_view_create(store->pool, definition, version, &view, err));
    stoa_state_view_add(view, state->active);
    atomic_init(&state->view, view);
    atomic_init(&state->definition, stoa_definition_retain(definition));
    STOA_CHECK(stoa_state_enter(state, definition, err));
    *out = state;
    return STOA_OK;

done:
    if (state != NULL) {
        stoa_state_release(state);
    } else {
        stoa_pool_close(pool);
    }
    return status;
}

/* Takes the store's reference. With the store's lock. */
static stoa_status add_table(stoa_store *store, stoa_state *state, stoa_error *err) {
    if (store->table_count == store->table_capacity) {
        const int32_t capacity = store->table_capacity == 0 ? 8 : 2 * store->table_capacity;
        void *memory = store->tables;
        STOA_TRY(stoa_pool_reallocate(store->pool, &memory,
                                      (size_t)store->table_capacity * sizeof *store->tables,
                                      (size_t)capacity * sizeof *store->tables, err));
        store->tables = memory;
        store->table_capacity = capacity;
    }
    store->tables[store->table_count++] = state;
    return STOA_OK;
}

/* ---- From the manifest ------------------------------------------------------------------------ */

static stoa_status copy_key(stoa_pool *pool, const stoa_buffer *key, stoa_buffer *out,
                            stoa_error *err) {
    stoa_buffer_init(out, pool);
    return stoa_buffer_append(out, key->data, key->size, err);
}

stoa_status stoa_store_file_uri(const stoa_store *store, uint64_t number, char **out,
                                stoa_error *err) {
    char name[32];
    (void)snprintf(name, sizeof name, "%016" PRIx64 ".sst", number);
    return stoa_vfs_join(store->pool, store->directory, name, out, err);
}

static stoa_status open_file(stoa_store *store, const stoa_definition *definition,
                             const stoa_table_file_info *info, stoa_table_file **out,
                             stoa_error *err) {
    stoa_table_file_info copy = *info;
    stoa_file *file = NULL;
    stoa_sst *sst = NULL;
    char *uri = NULL;
    stoa_status status = STOA_OK;
    stoa_buffer_init(&copy.first_key, store->pool);
    stoa_buffer_init(&copy.last_key, store->pool);
    STOA_CHECK(copy_key(store->pool, &info->first_key, &copy.first_key, err));
    STOA_CHECK(copy_key(store->pool, &info->last_key, &copy.last_key, err));
    STOA_CHECK(stoa_store_file_uri(store, info->number, &uri, err));
    STOA_CHECK(
        stoa_vfs_open(store->file_systems, uri, STOA_OPEN_READ, &store->context, &file, err));
    STOA_CHECK(stoa_sst_open(&store->context, file, &definition->layout, &sst, err));
    if (stoa_sst_summary_of(sst)->sequence_max == 0 && info->sequence_max > 0) {
        stoa_sst_set_sequence(sst, info->sequence_max);
    }
    status = stoa_table_file_create(store->pool, store->file_systems, uri, &copy, sst, out, err);
    stoa_pool_free_string(store->pool, uri);
    return status;

done:
    stoa_table_file_info_release(&copy);
    stoa_pool_free_string(store->pool, uri);
    return status;
}

/* A version in the making: files that it will have, a reference each. */
struct loading {
    stoa_store *store;
    const stoa_definition *definition;
    const stoa_version *before; /* whose open files are taken; NULL: none */
    stoa_table_file **files;
    int64_t count;
};

static stoa_status begin_loading(struct loading *loading, int64_t capacity, stoa_error *err) {
    return stoa_pool_allocate_array(loading->store->pool, (size_t)capacity,
                                    sizeof(stoa_table_file *), (void **)&loading->files, err);
}

static stoa_status take_file(struct loading *loading, const stoa_table_file_info *info,
                             int32_t level, stoa_error *err) {
    stoa_table_file *file = stoa_version_find_file(loading->before, info->number);
    if (file == NULL) {
        STOA_TRY(open_file(loading->store, loading->definition, info, &file, err));
    } else {
        stoa_table_file_retain(file)->info.level = level;
    }
    loading->files[loading->count++] = file;
    return STOA_OK;
}

static stoa_status make_version(const struct loading *loading, stoa_version **out,
                                stoa_error *err) {
    stoa_version *empty = NULL;
    STOA_TRY(stoa_version_create(loading->store->pool, &empty, err));
    const stoa_status status = stoa_version_apply(empty, NULL, 0, loading->files, loading->count,
                                                  out, err);
    stoa_version_release(empty);
    return status;
}

static void end_loading(struct loading *loading, int64_t capacity) {
    for (int64_t i = 0; i < loading->count; i++) {
        stoa_table_file_release(loading->files[i]);
    }
    stoa_pool_free(loading->store->pool, loading->files,
                   (size_t)capacity * sizeof(stoa_table_file *));
}

stoa_status stoa_store_load_version(stoa_store *store, int64_t id,
                                    const stoa_definition *definition, const stoa_version *before,
                                    stoa_version **out, stoa_error *err) {
    const stoa_manifest_state *manifest = stoa_manifest_state_of(store->manifest);
    struct loading loading = {.store = store, .definition = definition, .before = before};
    STOA_TRY(begin_loading(&loading, manifest->file_count, err));
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < manifest->file_count; i++) {
        const stoa_manifest_file *file = &manifest->files[i];
        if (file->table_id == id) {
            STOA_CHECK(take_file(&loading, &file->info, file->info.level, err));
        }
    }
    STOA_CHECK(make_version(&loading, out, err));

done:
    end_loading(&loading, manifest->file_count);
    return status;
}

static int64_t count_files(const stoa_version *version) {
    int64_t count = 0;
    for (int level = 0; level < STOA_LEVELS; level++) {
        count += version->levels[level].count;
    }
    return count;
}

stoa_status stoa_store_reopen_version(stoa_store *store, const stoa_version *version,
                                      const stoa_definition *definition, const stoa_version *before,
                                      stoa_version **out, stoa_error *err) {
    const int64_t capacity = count_files(version);
    struct loading loading = {.store = store, .definition = definition, .before = before};
    STOA_TRY(begin_loading(&loading, capacity, err));
    stoa_status status = STOA_OK;
    for (int level = 0; level < STOA_LEVELS; level++) {
        for (int64_t i = 0; i < version->levels[level].count; i++) {
            STOA_CHECK(take_file(&loading, &version->levels[level].files[i]->info, level, err));
        }
    }
    STOA_CHECK(make_version(&loading, out, err));

done:
    end_loading(&loading, capacity);
    return status;
}

stoa_status stoa_store_load_table(stoa_store *store, const stoa_manifest_table *table,
                                  stoa_error *err) {
    stoa_definition *definition = NULL;
    stoa_version *version = NULL;
    stoa_state *state = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_definition_parse(store->pool, table->definition, &definition, err));
    STOA_CHECK(stoa_store_load_version(store, table->id, definition, NULL, &version, err));
    STOA_CHECK(stoa_state_create_for(store, table->id, definition, version, &state, err));
    pthread_mutex_lock(&store->lock); /* who follows loads tables while others look for theirs */
    status = add_table(store, state, err);
    if (status == STOA_OK) {
        stoa_state_measure(state);
        state = NULL;
    }
    pthread_mutex_unlock(&store->lock);

done:
    stoa_state_release(state);
    stoa_version_release(version);
    stoa_definition_release(definition);
    return status;
}

stoa_status stoa_store_load_tables(stoa_store *store, stoa_error *err) {
    const stoa_manifest_state *manifest = stoa_manifest_state_of(store->manifest);
    for (int32_t i = 0; i < manifest->table_count; i++) {
        STOA_TRY(stoa_store_load_table(store, &manifest->tables[i], err));
    }
    atomic_store_explicit(&store->next_file, manifest->next_file > 0 ? manifest->next_file : 1,
                          memory_order_relaxed);
    atomic_store_explicit(&store->last_sequence, manifest->last_sequence, memory_order_release);
    return STOA_OK;
}

/* ---- Made, opened, dropped -------------------------------------------------------------------- */

static stoa_status make_durable(stoa_store *store, int64_t id, const stoa_definition *definition,
                                stoa_error *err) {
    stoa_buffer text;
    stoa_buffer_init(&text, store->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_definition_print(definition, &text, err));
    const stoa_manifest_table table = {.id = id, .definition = (const char *)text.data};
    const stoa_store_change change = {.table = &table};
    STOA_CHECK(stoa_store_change_files(store, &change, err));

done:
    stoa_buffer_release(&text);
    return status;
}

stoa_status stoa_store_create_table(stoa_store *store, int64_t id, const stoa_schema *schema,
                                    const stoa_state_table_options *options, stoa_error *err) {
    stoa_definition *definition = NULL;
    STOA_TRY(stoa_definition_create(store->pool, schema, options, &definition, err));
    stoa_status status = stoa_store_create_table_of(store, id, definition, err);
    stoa_definition_release(definition);
    return status;
}

stoa_status stoa_store_create_table_of(stoa_store *store, int64_t id, stoa_definition *definition,
                                       stoa_error *err) {
    stoa_version *version = NULL;
    stoa_state *state = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_store_check_writable(store, err));
    STOA_CHECK(stoa_version_create(store->pool, &version, err));
    STOA_CHECK(stoa_state_create_for(store, id, definition, version, &state, err));
    STOA_CHECK(make_durable(store, id, definition, err));
    pthread_mutex_lock(&store->lock);
    status = add_table(store, state, err);
    state = status == STOA_OK ? NULL
                              : state; /* without memory it is there when it is opened anew */
    pthread_mutex_unlock(&store->lock);

done:
    stoa_state_release(state);
    stoa_version_release(version);
    return status;
}

stoa_status stoa_store_open_table(stoa_store *store, int64_t id, stoa_state **out,
                                  stoa_error *err) {
    *out = stoa_store_find(store, id);
    return *out != NULL ? STOA_OK
                        : stoa_fail(err, STOA_NOT_FOUND, "no state table has the id %" PRId64, id);
}

/* Its files go with the last reader. */
static void mark_obsolete(stoa_state *state) {
    stoa_state_view *view = stoa_state_acquire(state);
    for (int level = 0; level < STOA_LEVELS; level++) {
        for (int64_t i = 0; i < view->version->levels[level].count; i++) {
            atomic_store_explicit(&view->version->levels[level].files[i]->is_obsolete, true,
                                  memory_order_relaxed);
        }
    }
    stoa_state_view_release(view);
}

stoa_status stoa_store_drop_table(stoa_store *store, int64_t id, stoa_error *err) {
    stoa_state *state = NULL;
    STOA_TRY(stoa_store_open_table(store, id, &state, err));
    /* Writes end before it is gone; a flush or compaction of its files ends without it. */
    pthread_mutex_lock(&store->commit_lock);
    const bool is_dropped = atomic_exchange_explicit(&state->is_dropped, true,
                                                     memory_order_acq_rel);
    pthread_mutex_unlock(&store->commit_lock);
    if (is_dropped) { /* by somebody else, at this moment */
        stoa_state_release(state);
        return stoa_fail(err, STOA_NOT_FOUND, "the table was dropped");
    }
    const stoa_store_change change = {.dropped_id = id, .dropped = state};
    stoa_status status = stoa_store_change_files(store, &change, err);
    if (status != STOA_OK) {
        atomic_store_explicit(&state->is_dropped, false, memory_order_release);
    } else {
        mark_obsolete(state);
    }
    stoa_state_release(state);
    return status;
}

stoa_status stoa_store_each_table(stoa_store *store, stoa_store_table_function function, void *user,
                                  stoa_error *err) {
    stoa_state **tables = NULL;
    int64_t count = 0;
    STOA_TRY(stoa_store_list(store, &tables, &count, err));
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < count && status == STOA_OK; i++) {
        status = function(user, tables[i]->id, err);
    }
    stoa_store_list_release(store, tables, count);
    return status;
}

stoa_status stoa_store_register_merge(stoa_store *store, const char *name,
                                      stoa_merge_function function, void *user, stoa_error *err) {
    return stoa_merge_programs_set(store->programs, name, function, user, err);
}
