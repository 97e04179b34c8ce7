/* The manifest of a store. docs/formats/manifest.md has its files and their bytes.
 *
 * There is one log at a time, the one that `CURRENT` names. Edits are appended to it as long as all
 * that it holds is known to be durable. Where that is not known (a write or a sync failed, the last
 * record was torn, or `CURRENT` may or may not have been replaced), the log is given up: the next
 * append writes a new one, with everything, and has `CURRENT` name it. A number that `CURRENT` may
 * name is never used again. */
#include "lsm/manifest.h"

#include "lsm/manifest_internal.h"

enum { CHECKPOINT_BYTES = 64 << 10, CHECKPOINT_FACTOR = 4, OPEN_TRIES = 16, STRAYS = 8 };

struct stoa_manifest {
    stoa_manifest_place place;
    char *directory;
    bool read_only;
    uint64_t checkpoint_bytes;
    uint64_t
        retry_bytes; /* how long a log gets that could not be begun anew, before the next try */
    stoa_file *lock;
    stoa_manifest_contents contents;
    uint64_t number;             /* of the log */
    uint64_t number_max;         /* that `CURRENT` may name */
    uint64_t number_min;         /* that may still be there */
    stoa_manifest_log log;       /* of who reads only */
    stoa_manifest_writer writer; /* without a file: the next append begins a new log */
};

/* ---- New logs -------------------------------------------------------------------------------- */

/* What cannot be removed now is tried again with the next log. */
static void remove_old(stoa_manifest *manifest) {
    bool are_gone = true;
    for (uint64_t number = manifest->number_min; number < manifest->number; number++) {
        const stoa_status status = stoa_manifest_remove(&manifest->place, number, NULL);
        are_gone = are_gone && (status == STOA_OK || status == STOA_NOT_FOUND);
        manifest->number_min += are_gone;
    }
}

/* Gives the log up for a new one, which says what the state says and `edit` (nullable). */
static stoa_status begin_log(stoa_manifest *manifest, const stoa_manifest_edit *edit,
                             stoa_error *err) {
    const uint64_t number = manifest->number_max + 1;
    stoa_manifest_writer next;
    STOA_TRY(stoa_manifest_writer_create(&next, &manifest->place, number, &manifest->contents.state,
                                         edit, err));
    manifest->number_max = number;
    stoa_manifest_writer_close(&manifest->writer);
    const stoa_status status = stoa_manifest_current_write(&manifest->place, number, err);
    if (status != STOA_OK) {
        stoa_manifest_writer_close(&next);
        return status;
    }
    manifest->number = number;
    manifest->writer = next;
    manifest->retry_bytes = 0;
    remove_old(manifest);
    return STOA_OK;
}

/* The edit that made the log too long counts already, so a failure is none of its own: the log goes
 * on, or, where it was given up, the next append says what is wrong. */
static void checkpoint(stoa_manifest *manifest) {
    const uint64_t size = manifest->writer.size;
    stoa_error err = STOA_ERROR_NONE;
    if (size <= manifest->checkpoint_bytes || size <= manifest->retry_bytes ||
        size / CHECKPOINT_FACTOR <= manifest->contents.bytes) {
        return;
    }
    if (begin_log(manifest, NULL, &err) != STOA_OK) {
        manifest->retry_bytes = 2 * size;
        stoa_log(manifest->place.context.logger, STOA_LOG_WARN, "lsm",
                 "the manifest cannot be shortened: %s", err.message);
    }
}

stoa_status stoa_manifest_append(stoa_manifest *manifest, const stoa_manifest_edit *edit,
                                 stoa_error *err) {
    stoa_manifest_change change;
    if (manifest->read_only) {
        return stoa_fail(err, STOA_INVALID, "the manifest of '%s' is open for reading only",
                         manifest->directory);
    }
    STOA_TRY(stoa_manifest_change_prepare(&change, &manifest->contents, edit, err));
    const stoa_status status = manifest->writer.file == NULL
                                   ? begin_log(manifest, edit, err)
                                   : stoa_manifest_writer_add(&manifest->writer, &manifest->place,
                                                              manifest->number, edit, err);
    if (status != STOA_OK) {
        stoa_manifest_change_drop(&change, manifest->place.context.pool);
        return status;
    }
    stoa_manifest_change_apply(&change, &manifest->contents);
    checkpoint(manifest);
    return STOA_OK;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void init_contents(stoa_manifest_contents *contents, stoa_pool *pool) {
    stoa_manifest_contents_init(contents, pool);
    contents->state.next_file = 1;
}

/* The log that `CURRENT` names. While it is being looked for, another may take its place. */
static stoa_status open_log(const stoa_manifest_place *place, stoa_manifest_log *log,
                            stoa_error *err) {
    uint64_t before = 0;
    for (int i = 0; i < OPEN_TRIES; i++) {
        uint64_t number;
        STOA_TRY(stoa_manifest_current_read(place, &number, err));
        const stoa_status status = stoa_manifest_log_open(log, place, number, err);
        if (status != STOA_NOT_FOUND) {
            return status;
        }
        if (number == before) {
            break;
        }
        before = number;
    }
    return stoa_fail(err, STOA_CORRUPT,
                     "'%s': CURRENT names manifest %016" PRIx64 " but there is none",
                     place->directory, before);
}

/* Reads all that there is, in place of what the manifest had. */
static stoa_status load(stoa_manifest *manifest, const stoa_cancel *cancel, stoa_error *err) {
    stoa_manifest_contents contents;
    stoa_manifest_log log;
    STOA_TRY(open_log(&manifest->place, &log, err));
    init_contents(&contents, manifest->place.context.pool);
    const stoa_status status = stoa_manifest_log_read(&log, cancel, &contents, err);
    if (status != STOA_OK) {
        stoa_manifest_contents_release(&contents);
        stoa_manifest_log_release(&log);
        return status;
    }
    stoa_manifest_contents_release(&manifest->contents);
    stoa_manifest_log_release(&manifest->log);
    manifest->contents = contents;
    manifest->log = log;
    manifest->number = manifest->number_max = log.number;
    return STOA_OK;
}

stoa_status stoa_manifest_follow(stoa_manifest *manifest, bool *out_changed, stoa_error *err) {
    uint64_t number, size;
    *out_changed = false;
    if (!manifest->read_only) {
        return stoa_fail(err, STOA_INVALID, "the manifest of '%s' is open for writing",
                         manifest->directory);
    }
    STOA_TRY(stoa_manifest_current_read(&manifest->place, &number, err));
    STOA_TRY(stoa_file_size(manifest->log.file, &size, err));
    /* Shorter: an edit that could not be synced was taken back. */
    if (number != manifest->number || size < manifest->log.size) {
        const stoa_status status = load(manifest, NULL, err);
        *out_changed = status == STOA_OK;
        return status;
    }
    const uint64_t before = manifest->log.record_count;
    const stoa_status status = stoa_manifest_log_read(&manifest->log, NULL, &manifest->contents,
                                                      err);
    *out_changed = manifest->log.record_count > before;
    return status;
}

const stoa_manifest_state *stoa_manifest_state_of(const stoa_manifest *manifest) {
    return &manifest->contents.state;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* A manifest without `CURRENT` is what a crash left of the first one, which says nothing yet. */
static stoa_status check_stray(void *user, const char *name, const stoa_file_info *info,
                               stoa_error *err) {
    enum { EMPTY_BYTES = sizeof(stoa_manifest_header) + sizeof(stoa_manifest_record) + 8 };
    const char *first = "MANIFEST-0000000000000001";
    const char *directory = user;
    if (strncmp(name, first, strlen("MANIFEST-")) != 0 ||
        (strcmp(name, first) == 0 && info->size <= EMPTY_BYTES)) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_CORRUPT, "'%s' has '%s' but no CURRENT", directory, name);
}

static stoa_status create(stoa_manifest *manifest, stoa_error *err) {
    STOA_TRY(stoa_vfs_list(manifest->place.file_systems, manifest->directory,
                           &manifest->place.context, check_stray, manifest->directory, err));
    manifest->number_min = 1;
    return begin_log(manifest, NULL, err);
}

/* Removes what crashes left beside the log, under numbers near its own. */
static stoa_status remove_strays(stoa_manifest *manifest, stoa_error *err) {
    const stoa_manifest_place *place = &manifest->place;
    const uint64_t number = manifest->number;
    /* `CURRENT` may have been renamed by a process that died before it was durable. */
    STOA_TRY(stoa_vfs_sync_directory(place->file_systems, place->directory, &place->context, err));
    for (uint64_t i = 1; i <= STRAYS; i++) {
        STOA_IGNORE(stoa_manifest_remove(place, number + i, NULL));
    }
    manifest->number_min = number > STRAYS ? number - STRAYS : 1;
    remove_old(manifest);
    return STOA_OK;
}

stoa_status stoa_manifest_lock(const stoa_manifest_place *place, stoa_file **out, stoa_error *err) {
    char *uri = NULL;
    STOA_TRY(stoa_vfs_join(place->context.pool, place->directory, "LOCK", &uri, err));
    const stoa_status status = stoa_vfs_lock(place->file_systems, uri, &place->context, out, err);
    stoa_pool_free_string(place->context.pool, uri);
    return status;
}

static stoa_status open_to_write(stoa_manifest *manifest, const stoa_manifest_options *options,
                                 stoa_error *err) {
    const stoa_manifest_place *place = &manifest->place;
    uint64_t number;
    if (options->create) {
        STOA_TRY(
            stoa_vfs_make_directories(place->file_systems, place->directory, &place->context, err));
    } else {
        STOA_TRY(stoa_manifest_current_read(place, &number, err));
    }
    STOA_TRY(stoa_manifest_lock(place, &manifest->lock, err));
    stoa_status status = stoa_manifest_current_read(place, &number, err);
    if (status == STOA_NOT_FOUND && options->create) {
        stoa_error_clear(err);
        return create(manifest, err);
    }
    STOA_TRY(status);
    STOA_TRY(load(manifest, options->context.cancel, err));
    if (!manifest->log.is_torn) {
        STOA_TRY(stoa_manifest_writer_open(&manifest->writer, place, &manifest->log, err));
    }
    stoa_manifest_log_release(&manifest->log);
    return remove_strays(manifest, err);
}

stoa_status stoa_manifest_open(const stoa_manifest_options *options, stoa_manifest **out,
                               stoa_error *err) {
    stoa_pool *pool = options->context.pool;
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof **out, &memory, err));
    stoa_manifest *manifest = memory;
    manifest->place = (stoa_manifest_place){.context = options->context,
                                            .file_systems = options->file_systems};
    /* Files keep the token that they were opened with: what is written later is not to end half-way. */
    manifest->place.context.cancel = NULL;
    manifest->place.context.progress = NULL;
    manifest->read_only = options->read_only;
    manifest->checkpoint_bytes = options->checkpoint_bytes > 0 ? options->checkpoint_bytes
                                                               : CHECKPOINT_BYTES;
    init_contents(&manifest->contents, pool);
    stoa_status status = stoa_pool_copy_string(pool, options->directory, &manifest->directory, err);
    manifest->place.directory = manifest->directory;
    if (status == STOA_OK) {
        status = manifest->read_only ? load(manifest, options->context.cancel, err)
                                     : open_to_write(manifest, options, err);
    }
    if (status != STOA_OK) {
        stoa_manifest_close(manifest);
        return status;
    }
    *out = manifest;
    return STOA_OK;
}

void stoa_manifest_close(stoa_manifest *manifest) {
    if (manifest == NULL) {
        return;
    }
    stoa_pool *pool = manifest->place.context.pool;
    stoa_manifest_writer_close(&manifest->writer);
    stoa_manifest_log_release(&manifest->log);
    stoa_file_close(manifest->lock);
    stoa_manifest_contents_release(&manifest->contents);
    stoa_pool_free_string(pool, manifest->directory);
    stoa_pool_free(pool, manifest, sizeof *manifest);
}

/* ---- Copies ---------------------------------------------------------------------------------- */

stoa_status stoa_manifest_write_new(const stoa_context *context, stoa_fs_registry *file_systems,
                                    const char *directory, const stoa_manifest_state *state,
                                    stoa_error *err) {
    const stoa_manifest_place place = {*context, file_systems, directory};
    stoa_manifest_writer writer;
    uint64_t number;
    const stoa_status status = stoa_manifest_current_read(&place, &number, err);
    if (status == STOA_OK) {
        return stoa_fail(err, STOA_EXISTS, "'%s' has a manifest already", directory);
    }
    if (status != STOA_NOT_FOUND) {
        return status;
    }
    stoa_error_clear(err);
    STOA_TRY(stoa_manifest_writer_create(&writer, &place, 1, state, NULL, err));
    stoa_manifest_writer_close(&writer);
    return stoa_manifest_current_write(&place, 1, err);
}
