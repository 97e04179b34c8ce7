/* Checkpoints: all tables of a store at one moment, as a store in another directory.
 *
 * The files that the manifest names between two edits are what all commits up to a sequence number left,
 * as memtables of all tables are frozen and written together. The exception is a bulk load that came
 * while rows of other tables, with smaller numbers, were in memory only: then these are flushed first.
 * SSTables never change, so the copy has links to them; its manifest says that no log is needed. */
#include <stoa/state_maintenance.h>

#include "lsm/store_internal.h"

enum { TAKE_TRIES = 100 };

struct checkpoint {
    stoa_store *store;
    stoa_context context;
    stoa_arena arena;
    stoa_manifest_state state; /* in the arena; keys are the files' */
    stoa_version **versions;   /* that keep the files */
    int64_t version_count;
    char *directory; /* where it is made */
};

/* ---- One moment ------------------------------------------------------------------------------ */

/* With manifest_lock. */
static stoa_status take_tables(struct checkpoint *checkpoint, const stoa_manifest_state *now,
                               stoa_error *err) {
    stoa_manifest_state *state = &checkpoint->state;
    STOA_TRY(stoa_arena_allocate_array(&checkpoint->arena, (size_t)now->table_count,
                                       sizeof *state->tables, (void **)&state->tables, err));
    for (int32_t i = 0; i < now->table_count; i++) {
        const char *definition = now->tables[i].definition;
        state->tables[i].id = now->tables[i].id;
        STOA_TRY(stoa_arena_copy_text(&checkpoint->arena, definition, strlen(definition),
                                      &state->tables[i].definition, err));
    }
    state->table_count = now->table_count;
    state->next_file = now->next_file;
    state->last_sequence = now->last_sequence > now->flushed_sequence ? now->last_sequence
                                                                      : now->flushed_sequence;
    state->flushed_sequence = state->last_sequence;
    return STOA_OK;
}

/* With manifest_lock: under it, versions are what the manifest says. */
static void take_version(struct checkpoint *checkpoint, stoa_state *table, int64_t file_count) {
    stoa_manifest_state *state = &checkpoint->state;
    stoa_state_view *view = stoa_state_acquire(table);
    stoa_version *version = stoa_version_retain(view->version);
    checkpoint->versions[checkpoint->version_count++] = version;
    stoa_state_view_release(view);
    for (int32_t level = 0; level < STOA_LEVELS; level++) {
        for (int64_t i = 0; i < version->levels[level].count; i++) {
            STOA_ASSERT(state->file_count < file_count);
            state->files[state->file_count++] =
                (stoa_manifest_file){table->id, version->levels[level].files[i]->info};
        }
    }
}

/* With manifest_lock. */
static stoa_status take_files(struct checkpoint *checkpoint, const stoa_manifest_state *now,
                              stoa_error *err) {
    stoa_store *store = checkpoint->store;
    stoa_manifest_state *state = &checkpoint->state;
    stoa_state **tables = NULL;
    int64_t count = 0;
    STOA_TRY(stoa_store_list(store, &tables, &count, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arena_allocate_array(&checkpoint->arena, (size_t)now->file_count,
                                         sizeof *state->files, (void **)&state->files, err));
    STOA_CHECK(stoa_arena_allocate_array(&checkpoint->arena, (size_t)count, sizeof(stoa_version *),
                                         (void **)&checkpoint->versions, err));
    for (int64_t i = 0; i < count; i++) {
        take_version(checkpoint, tables[i], now->file_count);
    }
    STOA_ASSERT(state->file_count == now->file_count);

done:
    stoa_store_list_release(store, tables, count);
    return status;
}

/* A number up to which all commits are in files; 0 where some are in memory only. */
static uint64_t sequence_in_files(stoa_store *store) {
    uint64_t sequence = 0;
    pthread_mutex_lock(&store->commit_lock);
    pthread_mutex_lock(&store->lock);
    if (store->memtable_bytes == 0 && store->oldest == NULL) {
        sequence = atomic_load_explicit(&store->last_sequence, memory_order_relaxed);
    }
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_unlock(&store->commit_lock);
    return sequence;
}

/* `*out_taken` is false where a bulk load is newer than rows that are not in files. */
static stoa_status try_take(struct checkpoint *checkpoint, bool *out_taken, stoa_error *err) {
    stoa_store *store = checkpoint->store;
    const uint64_t sequence = sequence_in_files(store);
    stoa_status status = STOA_OK;
    pthread_mutex_lock(&store->manifest_lock);
    const stoa_manifest_state *now = stoa_manifest_state_of(store->manifest);
    *out_taken = store->loaded_sequence <= sequence ||
                 store->loaded_sequence <= now->flushed_sequence;
    if (*out_taken) {
        STOA_CHECK(take_tables(checkpoint, now, err));
        STOA_CHECK(take_files(checkpoint, now, err));
    }

done:
    pthread_mutex_unlock(&store->manifest_lock);
    return status;
}

static stoa_status take(struct checkpoint *checkpoint, stoa_error *err) {
    bool taken = false;
    for (int i = 0; i < TAKE_TRIES && !taken; i++) {
        STOA_TRY(stoa_cancel_check(checkpoint->context.cancel, err));
        STOA_TRY(stoa_store_flush(checkpoint->store, err));
        STOA_TRY(try_take(checkpoint, &taken, err));
    }
    return taken ? STOA_OK
                 : stoa_fail(err, STOA_CONFLICT, "bulk loads came during each of %d flushes",
                             TAKE_TRIES);
}

/* ---- The copy -------------------------------------------------------------------------------- */

static stoa_status copy_file(const struct checkpoint *checkpoint, const char *from, const char *to,
                             uint64_t size, stoa_error *err) {
    stoa_store *store = checkpoint->store;
    stoa_file *source = NULL, *target = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_open(store->file_systems, from, STOA_OPEN_READ, &checkpoint->context,
                             &source, err));
    STOA_CHECK(stoa_vfs_open(store->file_systems, to, STOA_OPEN_CREATE, &checkpoint->context,
                             &target, err));
    STOA_CHECK(stoa_file_copy(source, size, target, &checkpoint->context, NULL, err));
    STOA_CHECK(stoa_file_sync(target, err));

done:
    stoa_file_close(source);
    stoa_file_close(target);
    return status;
}

static stoa_status add_file(const struct checkpoint *checkpoint, const stoa_table_file_info *info,
                            stoa_error *err) {
    stoa_store *store = checkpoint->store;
    char *from = NULL, *to = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_store_file_uri(store, info->number, &from, err));
    STOA_CHECK(stoa_vfs_join(store->pool, checkpoint->directory, strrchr(from, '/') + 1, &to, err));
    status = stoa_vfs_link(store->file_systems, from, to, &checkpoint->context, err);
    if (status == STOA_UNSUPPORTED) {
        stoa_error_clear(err);
        status = copy_file(checkpoint, from, to, info->bytes, err);
    }

done:
    stoa_pool_free_string(store->pool, from);
    stoa_pool_free_string(store->pool, to);
    return status;
}

/* The manifest comes last, and with it the directory is synced: it holds all names by then. */
static stoa_status fill(const struct checkpoint *checkpoint, stoa_error *err) {
    const stoa_store *store = checkpoint->store;
    STOA_TRY(stoa_vfs_make_directory(store->file_systems, checkpoint->directory,
                                     &checkpoint->context, err));
    for (int64_t i = 0; i < checkpoint->state.file_count; i++) {
        STOA_TRY(stoa_cancel_check(checkpoint->context.cancel, err));
        STOA_TRY(add_file(checkpoint, &checkpoint->state.files[i].info, err));
    }
    return stoa_manifest_write_new(&checkpoint->context, store->file_systems, checkpoint->directory,
                                   &checkpoint->state, err);
}

/* Makes all of it under another name, and renames that. */
static stoa_status make(struct checkpoint *checkpoint, const char *directory, stoa_error *err) {
    stoa_store *store = checkpoint->store;
    char *parent = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_parent(store->pool, directory, &parent, err));
    STOA_CHECK(stoa_vfs_make_directories(store->file_systems, parent, &checkpoint->context, err));
    STOA_CHECK(stoa_vfs_temporary_name(store->pool, directory, &checkpoint->directory, err));
    status = fill(checkpoint, err);
    if (status == STOA_OK) {
        status = stoa_vfs_publish(store->file_systems, checkpoint->directory, directory,
                                  &checkpoint->context, err);
    }
    if (status != STOA_OK) { /* without the token: a cancelled one is cleared away too */
        STOA_IGNORE(stoa_vfs_remove_tree(store->file_systems, checkpoint->directory,
                                         &store->context, NULL));
    }

done:
    stoa_pool_free_string(store->pool, parent);
    stoa_pool_free_string(store->pool, checkpoint->directory);
    return status;
}

static stoa_status check_target(const stoa_store *store, const char *directory,
                                const stoa_context *context, stoa_error *err) {
    bool is_there = false;
    STOA_TRY(stoa_store_check_writable(store, err));
    if (stoa_vfs_has(store->file_systems, directory, STOA_FS_NO_DIRECTORIES)) {
        return stoa_fail(err, STOA_UNSUPPORTED, "the file system has no directories to rename");
    }
    STOA_TRY(stoa_vfs_exists(store->file_systems, directory, context, &is_there, err));
    return is_there ? stoa_fail(err, STOA_EXISTS, "it exists") : STOA_OK;
}

static void release(struct checkpoint *checkpoint) {
    for (int64_t i = 0; i < checkpoint->version_count; i++) {
        stoa_version_release(checkpoint->versions[i]);
    }
    stoa_arena_release(&checkpoint->arena);
}

stoa_status stoa_state_checkpoint(stoa_state *state, const char *directory,
                                  const stoa_context *context, stoa_error *err) {
    stoa_store *store = state->store;
    struct checkpoint checkpoint = {.store = store, .context = store->context};
    if (context != NULL) {
        checkpoint.context.cancel = context->cancel;
    }
    stoa_arena_init(&checkpoint.arena, store->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(check_target(store, directory, &checkpoint.context, err));
    STOA_CHECK(take(&checkpoint, err));
    status = make(&checkpoint, directory, err);

done:
    release(&checkpoint);
    if (status != STOA_OK) {
        stoa_wrap(err, "making the checkpoint '%s'", directory);
    }
    return status;
}
