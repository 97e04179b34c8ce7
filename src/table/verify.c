/* Verifying: the catalog's own structure, then every file that any snapshot of a table names, byte
 * by byte. All damage is reported, not only the first. */
#include <string.h>

#include "parquet/footer.h"
#include "parquet/verify.h"
#include "table/internal.h"

struct verify {
    stoa_database *database;
    stoa_context context;
    stoa_damage_function function;
    void *user;
    stoa_error first; /* damage */
    int64_t files;
    uint64_t bytes;
};

static void report(struct verify *verify, const stoa_error *damage) {
    if (verify->first.status == STOA_OK) {
        verify->first = *damage;
    }
    if (verify->function != NULL) {
        verify->function(verify->user, damage);
    }
}

/* Damage is reported and gone past; what keeps us from looking ends the run. */
static stoa_status settle(struct verify *verify, const stoa_entry *entry, stoa_status status,
                          stoa_error *err) {
    if (status != STOA_CORRUPT && status != STOA_NOT_FOUND && status != STOA_UNSUPPORTED) {
        return status;
    }
    if (entry != NULL) {
        stoa_wrap(err, "table '%s'", entry->name);
    }
    err->status = STOA_CORRUPT;
    report(verify, err);
    stoa_error_clear(err);
    return STOA_OK;
}

static void report_damage(void *user, const stoa_error *damage) {
    report(user, damage);
}

static stoa_status fail_count(const char *what, uint64_t expected, uint64_t found,
                              stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT, "expected %" PRIu64 " %s but found %" PRIu64, expected,
                     what, found);
}

/* Pages have checksums, their headers and the footer have none: the whole file's hash covers all. */
static stoa_status check_hash(struct verify *verify, const stoa_part *part, stoa_file *file,
                              stoa_error *err) {
    stoa_hash_stream hash;
    stoa_hash_stream_init(&hash);
    STOA_TRY(stoa_file_copy(file, part->byte_count, NULL, &verify->context, &hash, err));
    const uint64_t found = stoa_hash_stream_finish(&hash);
    return found == part->content_hash
               ? STOA_OK
               : stoa_fail(err, STOA_CORRUPT,
                           "expected bytes with hash %016" PRIx64 " but found %016" PRIx64,
                           part->content_hash, found);
}

static stoa_status check_content(struct verify *verify, const stoa_part *part, stoa_file *file,
                                 stoa_error *err) {
    stoa_parquet_footer footer = {0};
    stoa_status status = stoa_parquet_footer_read(&verify->context, file, NULL, &footer, err);
    if (status == STOA_OK && footer.row_count != part->row_count) {
        status = fail_count("rows", (uint64_t)part->row_count, (uint64_t)footer.row_count, err);
    }
    stoa_parquet_footer_release(&footer);
    STOA_TRY(status);
    /* First what can say where the damage is, then what misses none. */
    STOA_TRY(stoa_parquet_verify(&verify->context, file, NULL, err));
    return check_hash(verify, part, file, err);
}

static stoa_status check_file(struct verify *verify, const stoa_part *part, const char *uri,
                              stoa_error *err) {
    stoa_database *database = verify->database;
    stoa_file_info info;
    STOA_TRY(stoa_vfs_stat(database->file_systems, uri, &verify->context, &info, err));
    if (info.size != part->byte_count) {
        return fail_count("bytes", part->byte_count, info.size, err);
    }
    verify->bytes += info.size;
    stoa_file *file = NULL;
    STOA_TRY(
        stoa_vfs_open(database->file_systems, uri, STOA_OPEN_READ, &verify->context, &file, err));
    stoa_status status = check_content(verify, part, file, err);
    stoa_file_close(file);
    return status;
}

static stoa_status verify_parts(struct verify *verify, const stoa_entry *entry,
                                const stoa_part_vector *parts, stoa_error *err) {
    for (int64_t i = 0; i < parts->count; i++) {
        const stoa_part *part = parts->items[i];
        char *uri = NULL;
        if (part->path == NULL) {
            continue;
        }
        STOA_TRY(stoa_cancel_check(verify->context.cancel, err));
        STOA_TRY(stoa_database_path(verify->database, part->path, &uri, err));
        verify->files++;
        stoa_status status = check_file(verify, part, uri, err);
        stoa_pool_free_string(verify->database->pool, uri);
        if (status != STOA_OK) {
            stoa_wrap(err, "'%s'", part->path);
            stoa_error_set_file(err, part->path, err->offset);
        }
        STOA_TRY(settle(verify, entry, status, err));
        if (verify->context.progress != NULL) {
            verify->context.progress(verify->context.progress_user,
                                     &(stoa_progress){"verifying", "files", (uint64_t)verify->files,
                                                      0, verify->bytes, 0});
        }
    }
    return STOA_OK;
}

/* Parts of `entry` that `seen` does not have yet, added to it and returned in `fresh`. */
static stoa_status collect(struct verify *verify, stoa_entry *entry, stoa_part_vector *seen,
                           stoa_part_vector *fresh, stoa_error *err) {
    stoa_part_vector all = {.pool = verify->database->pool};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_entry_parts(verify->database, entry, &all, err));
    for (int64_t i = 0; i < all.count; i++) {
        if (!stoa_part_vector_has(seen, all.items[i]->id)) {
            STOA_CHECK(stoa_part_vector_push(fresh, all.items[i], err));
            (void)stoa_part_retain(all.items[i]);
        }
    }
    STOA_CHECK(stoa_part_vector_append(seen, fresh, err));

done:
    stoa_part_vector_release(&all);
    return status;
}

static stoa_status verify_state(struct verify *verify, stoa_entry *entry, stoa_part_vector *seen,
                                stoa_error *err) {
    stoa_part_vector fresh = {.pool = verify->database->pool};
    stoa_status status = collect(verify, entry, seen, &fresh, err);
    if (status == STOA_OK) {
        status = verify_parts(verify, entry, &fresh, err);
    } else {
        status = settle(verify, entry, status, err);
    }
    stoa_part_vector_release(&fresh);
    return status;
}

static stoa_status verify_history(struct verify *verify, stoa_entry *entry, stoa_part_vector *seen,
                                  stoa_error *err) {
    stoa_database *database = verify->database;
    stoa_snapshot *snapshots = NULL;
    int64_t count = 0;
    stoa_status status = stoa_catalog_read_snapshots(database->catalog, database->pool, entry->id,
                                                     &snapshots, &count, err);
    STOA_TRY(settle(verify, entry, status, err));
    status = STOA_OK;
    for (int64_t i = 0; i < count && status == STOA_OK; i++) {
        stoa_entry *earlier = NULL;
        if (snapshots[i].snapshot_id == entry->snapshot.snapshot_id) {
            continue;
        }
        status = stoa_catalog_read_snapshot(database->catalog, entry, snapshots[i].snapshot_id,
                                            &earlier, err);
        status = status == STOA_OK ? verify_state(verify, earlier, seen, err)
                                   : settle(verify, entry, status, err);
        stoa_entry_release(earlier);
    }
    stoa_pool_free(database->pool, snapshots, (size_t)count * sizeof *snapshots);
    return status;
}

static stoa_status verify_table(struct verify *verify, stoa_entry *entry, stoa_error *err) {
    stoa_part_vector seen = {.pool = verify->database->pool};
    stoa_status status = STOA_OK;
    if (entry->kind == NULL || entry->kind->durable) {
        STOA_CHECK(verify_state(verify, entry, &seen, err));
        STOA_CHECK(verify_history(verify, entry, &seen, err));
    }

done:
    stoa_part_vector_release(&seen);
    return status;
}

static const stoa_access_method *access_of(const stoa_entry *entry) {
    return entry->kind == NULL ? NULL : entry->kind->access;
}

/* One table (`entry`), or all of the kind at once. */
static stoa_status verify_kind(struct verify *verify, const stoa_view *view,
                               const stoa_access_method *access, const stoa_entry *entry,
                               stoa_error *err) {
    stoa_kind_check check = {.view = view,
                             .entry = entry,
                             .context = verify->context,
                             .function = report_damage,
                             .user = verify};
    const stoa_status status = access->verify(verify->database, &check, err);
    verify->files += check.files;
    verify->bytes += check.bytes;
    return settle(verify, entry, status, err);
}

static stoa_status verify_one(struct verify *verify, const stoa_view *view, const char *table,
                              stoa_error *err) {
    stoa_entry *entry = NULL;
    STOA_TRY(stoa_view_lookup(view, table, &entry, err));
    const stoa_access_method *access = access_of(entry);
    stoa_status status = access == NULL ? verify_table(verify, entry, err)
                                        : verify_kind(verify, view, access, entry, err);
    stoa_entry_release(entry);
    return status;
}

static stoa_status verify_view(struct verify *verify, const stoa_view *view, const char *table,
                               stoa_error *err) {
    const stoa_access_method *done = NULL; /* there is one kind that has any */
    if (table != NULL) {
        return verify_one(verify, view, table, err);
    }
    for (int64_t i = 0; i < view->count; i++) {
        const stoa_access_method *access = access_of(view->entries[i]);
        if (access == NULL) {
            STOA_TRY(verify_table(verify, view->entries[i], err));
        } else if (access != done) {
            STOA_TRY(verify_kind(verify, view, access, NULL, err));
            done = access;
        }
    }
    return STOA_OK;
}

stoa_status stoa_database_verify(stoa_database *database, const char *table,
                                 const stoa_context *context, stoa_damage_function function,
                                 void *user, int64_t *out_files, uint64_t *out_bytes,
                                 stoa_error *err) {
    stoa_error own = STOA_ERROR_NONE; /* settle needs one to pass on */
    stoa_view *view = NULL;
    struct verify verify = {.database = database,
                            .function = function,
                            .user = user,
                            .first = STOA_ERROR_NONE};
    if (context != NULL) {
        verify.context = *context;
    }
    stoa_database_fill_context(database, &verify.context);
    stoa_status status = STOA_OK;
    if (database->catalog != NULL) {
        status = settle(&verify, NULL, stoa_catalog_check(database->catalog, &own), &own);
    }
    if (status == STOA_OK) {
        status = stoa_database_pin(database, &view, &own);
    }
    if (status == STOA_OK) {
        status = verify_view(&verify, view, table, &own);
        stoa_database_unpin(database, view);
    }
    if (out_files != NULL) {
        *out_files = verify.files;
    }
    if (out_bytes != NULL) {
        *out_bytes = verify.bytes;
    }
    if (status == STOA_OK && verify.first.status != STOA_OK) {
        own = verify.first;
        status = STOA_CORRUPT;
    }
    if (status != STOA_OK && err != NULL) {
        *err = own;
    }
    return status;
}
