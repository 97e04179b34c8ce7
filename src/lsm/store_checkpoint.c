/* Checkpoints: all tables of a store at one moment, as a store in another directory.
 *
 * The files that the manifest names between two edits are what all commits up to a sequence number left,
 * as memtables of all tables are frozen and written together. The exception is a bulk load that came
 * while rows of other tables, with smaller numbers, were in memory only: then these are flushed first.
 * SSTables never change, so the copy has links to them; its manifest says that no log is needed. */
#include <stoa/state_maintenance.h>

#include "lsm/store_internal.h"
#include "vfs/new_directory.h"

enum { TAKE_TRIES = 100 };

struct checkpoint {
    stoa_store *store;
    stoa_context context;
    stoa_arena arena;
    stoa_manifest_state state; /* in the arena; keys are the files' */
    stoa_version **versions;   /* that keep the files */
    int64_t version_count;
    stoa_new_directory made;
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

static stoa_status add_file(struct checkpoint *checkpoint, const stoa_table_file_info *info,
                            stoa_error *err) {
    stoa_store *store = checkpoint->store;
    char *from = NULL, *to = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_store_file_uri(store, info->number, &from, err));
    STOA_CHECK(
        stoa_vfs_join(store->pool, checkpoint->made.temporary, strrchr(from, '/') + 1, &to, err));
    status = stoa_vfs_link_or_copy(store->file_systems, from, to, &checkpoint->context, err);

done:
    stoa_pool_free_string(store->pool, from);
    stoa_pool_free_string(store->pool, to);
    return status;
}

static stoa_status make(struct checkpoint *checkpoint, const char *directory, stoa_error *err) {
    stoa_fs_registry *file_systems = checkpoint->store->file_systems;
    stoa_new_directory *made = &checkpoint->made;
    STOA_TRY(stoa_new_directory_begin(made, file_systems, directory, &checkpoint->context, err));
    STOA_TRY(take(checkpoint, err));
    for (int64_t i = 0; i < checkpoint->state.file_count; i++) {
        STOA_TRY(stoa_cancel_check(checkpoint->context.cancel, err));
        STOA_TRY(add_file(checkpoint, &checkpoint->state.files[i].info, err));
    }
    STOA_TRY(stoa_manifest_write_new(&checkpoint->context, file_systems, made->temporary,
                                     &checkpoint->state, err));
    return stoa_new_directory_finish(made, err);
}

static void release(struct checkpoint *checkpoint) {
    for (int64_t i = 0; i < checkpoint->version_count; i++) {
        stoa_version_release(checkpoint->versions[i]);
    }
    stoa_arena_release(&checkpoint->arena);
    stoa_new_directory_release(&checkpoint->made);
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
    STOA_CHECK(stoa_store_check_writable(store, err));
    status = make(&checkpoint, directory, err);

done:
    release(&checkpoint);
    if (status != STOA_OK) {
        stoa_wrap(err, "making the checkpoint '%s'", directory);
    }
    return status;
}
