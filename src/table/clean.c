/* Removing files that nobody needs. Two roads, and both would rather leave a file than remove one too
 * many:
 *
 *     sweep   files that the catalog names as past: of dropped tables and expired snapshots, once no
 *             reader of an earlier commit is alive
 *     clean   files that the catalog never named: of processes that ended in the middle. An open
 *             looks for them when it finds the lease of a dead process, an expire always
 *
 * The order of looking is what makes them safe. A sweep reads the newest commit first and the leases
 * after it: a reader who comes later sees that commit. A clean lists files first, then finds that
 * their writers are gone, then asks the catalog: who is gone commits nothing any more. Failures are logged
 * and leave work for the next time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "table/internal.h"

/* ---- sweep ---- */

struct sweep {
    stoa_database *database;
    stoa_buffer paths;  /* each with its NUL */
    stoa_buffer tables; /* int64_t each, repeats */
};

static stoa_status note_file(void *user, int64_t table_id, const char *path, stoa_error *err) {
    struct sweep *sweep = user;
    STOA_TRY(stoa_buffer_append(&sweep->tables, &table_id, sizeof table_id, err));
    return stoa_buffer_append(&sweep->paths, path, strlen(path) + 1, err);
}

/* Files go before their rows: a crash in between finds the rows again, and the files gone. */
static stoa_status remove_files(struct sweep *sweep, int64_t *out_count, stoa_error *err) {
    stoa_database *database = sweep->database;
    for (size_t at = 0; at < sweep->paths.size;) {
        const char *path = (const char *)sweep->paths.data + at;
        char *uri = NULL;
        STOA_TRY(stoa_database_path(database, path, &uri, err));
        stoa_status status = stoa_vfs_remove(database->file_systems, uri, &database->context, err);
        stoa_pool_free_string(database->pool, uri);
        if (status != STOA_OK && status != STOA_NOT_FOUND) {
            return status;
        }
        stoa_database_remove_partitions(database, path);
        *out_count += status == STOA_OK;
        at += strlen(path) + 1;
    }
    return STOA_OK;
}

/* Empty folders of tables that are gone for good. */
static void remove_folders(struct sweep *sweep) {
    const int64_t *ids = (const int64_t *)(void *)sweep->tables.data;
    size_t count = sweep->tables.size / sizeof *ids;
    for (size_t i = 0; i < count; i++) {
        bool named = true;
        char folder[64];
        if (i > 0 && ids[i] == ids[i - 1]) {
            continue;
        }
        if (stoa_catalog_names_table(sweep->database->catalog, ids[i], &named, NULL) == STOA_OK &&
            !named) {
            stoa_table_folder(ids[i], folder);
            stoa_database_remove_file(sweep->database, folder);
        }
    }
}

struct forgetting {
    stoa_catalog *catalog;
    int64_t horizon;
};

static stoa_status forget(void *user, int64_t commit_id, bool *out_publish, stoa_error *err) {
    const struct forgetting *forgetting = user;
    (void)commit_id, (void)out_publish;
    return stoa_catalog_forget(forgetting->catalog, forgetting->horizon, err);
}

static stoa_status find_horizon(stoa_database *database, int64_t *out, stoa_error *err) {
    stoa_lease_list leases;
    STOA_TRY(stoa_catalog_commit_id(database->catalog, out, err));
    STOA_TRY(stoa_lease_list_read(database, &leases, err));
    *out = leases.horizon < *out ? leases.horizon : *out;
    stoa_lease_list_release(&leases);
    return STOA_OK;
}

static stoa_status run_sweep(stoa_database *database, int64_t *out_count, stoa_error *err) {
    struct sweep sweep = {.database = database};
    stoa_buffer_init(&sweep.paths, database->pool);
    stoa_buffer_init(&sweep.tables, database->pool);
    bool any = false;
    int64_t horizon = 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_catalog_has_garbage(database->catalog, &any, err));
    if (!any) {
        goto done;
    }
    STOA_CHECK(find_horizon(database, &horizon, err));
    STOA_CHECK(stoa_catalog_garbage(database->catalog, horizon, note_file, &sweep, err));
    STOA_CHECK(remove_files(&sweep, out_count, err));
    struct forgetting forgetting = {database->catalog, horizon};
    STOA_CHECK(stoa_catalog_change(database->catalog, forget, &forgetting, err));
    remove_folders(&sweep);

done:
    stoa_buffer_release(&sweep.paths);
    stoa_buffer_release(&sweep.tables);
    return status;
}

void stoa_database_sweep(stoa_database *database) {
    stoa_error err = STOA_ERROR_NONE;
    int64_t count = 0;
    if (database->catalog == NULL || database->read_only) {
        return;
    }
    if (run_sweep(database, &count, &err) != STOA_OK) {
        stoa_log(&database->logger, STOA_LOG_WARN, "table", "sweeping '%s': %s", database->uri,
                 err.message);
    }
}

/* ---- clean ---- */

/* Paths below the database's directory, each with its NUL. */
struct listing {
    stoa_database *database;
    stoa_buffer paths;
    const char *folder; /* being listed */
    stoa_buffer *below; /* gets the folders in it, each with its NUL; NULL: they count as files */
};

static stoa_status note_path(void *user, const char *name, const stoa_file_info *info,
                             stoa_error *err) {
    struct listing *listing = user;
    if (listing->database->is_remote && !info->is_directory &&
        (info->modified_ms == 0 ||
         info->modified_ms > stoa_clock_unix_ms() - listing->database->grace_ms)) {
        return STOA_OK; /* its writer may be at work */
    }
    stoa_buffer *list = info->is_directory && listing->below != NULL ? listing->below
                                                                     : &listing->paths;
    STOA_TRY(stoa_buffer_append_text(list, listing->folder, err));
    STOA_TRY(stoa_buffer_append_byte(list, '/', err));
    return stoa_buffer_append(list, name, strlen(name) + 1, err);
}

/* What lies directly in `folder`, at the end of the list; nothing when there is no such folder. */
static stoa_status list_folder(struct listing *listing, const char *folder, stoa_error *err) {
    char *uri = NULL;
    STOA_TRY(stoa_database_path(listing->database, folder, &uri, err));
    listing->folder = folder;
    stoa_status status = stoa_vfs_list(listing->database->file_systems, uri,
                                       &listing->database->context, note_path, listing, err);
    stoa_pool_free_string(listing->database->pool, uri);
    if (status == STOA_NOT_FOUND || status == STOA_INVALID) {
        stoa_error_clear(err);
        return STOA_OK; /* none, gone by now, or a file */
    }
    return status;
}

static const char *next_path(const struct listing *listing, size_t *at) {
    if (*at >= listing->paths.size) {
        return NULL;
    }
    const char *path = (const char *)listing->paths.data + *at;
    *at += strlen(path) + 1;
    return path;
}

/* The files below the folders, and at the end of `folders` those of partitions, which hold some. */
static stoa_status list_files(struct listing *folders, struct listing *files, stoa_error *err) {
    stoa_pool *pool = folders->database->pool;
    const char *next;
    files->below = &folders->paths;
    for (size_t at = 0; (next = next_path(folders, &at)) != NULL;) {
        char *folder = NULL; /* the list moves as it grows */
        STOA_TRY(stoa_pool_copy_string(pool, next, &folder, err));
        stoa_status status = list_folder(files, folder, err);
        stoa_pool_free_string(pool, folder);
        STOA_TRY(status);
    }
    return STOA_OK;
}

/* The token in "…/<token>" or "…/<token>-<n>.parquet", when it is one of nobody alive. */
static bool is_abandoned(const stoa_lease_list *leases, const char *path) {
    const char *name = strrchr(path, '/') + 1;
    size_t digits = strspn(name, "0123456789abcdef");
    return digits == STOA_LEASE_TOKEN_BYTES - 1 && (name[digits] == '-' || name[digits] == '\0') &&
           !stoa_lease_list_has_live(leases, name);
}

static stoa_status clean_files(stoa_database *database, const stoa_lease_list *leases,
                               const struct listing *files, stoa_error *err) {
    const char *path;
    for (size_t at = 0; (path = next_path(files, &at)) != NULL;) {
        bool named = true;
        if (!is_abandoned(leases, path)) {
            continue;
        }
        STOA_TRY(stoa_catalog_names_file(database->catalog, path, &named, err));
        if (!named) {
            stoa_log(&database->logger, STOA_LOG_INFO, "table",
                     "removing '%s', left behind by a "
                     "process that has ended",
                     path);
            stoa_database_remove_file(database, path);
            stoa_database_remove_partitions(database, path);
        }
    }
    return STOA_OK;
}

/* Folders of tables that were never committed. With another writer alive they may be that writer's:
 * none is removed then, and none where nobody knows. One that is not empty stays by itself. */
static void clean_folders(stoa_database *database, const stoa_lease_list *leases,
                          const struct listing *folders) {
    const char *path;
    if (database->is_remote) {
        return;
    }
    for (size_t at = 0; leases->live_count == 0 && (path = next_path(folders, &at)) != NULL;) {
        char *end = NULL;
        bool named = true;
        unsigned long long id = strtoull(strrchr(path, '/') + 1, &end, 16);
        if (*end == '\0' && id <= INT64_MAX &&
            stoa_catalog_names_table(database->catalog, (int64_t)id, &named, NULL) == STOA_OK &&
            !named) {
            stoa_database_remove_file(database, path);
        }
    }
}

static void clean_temporary(stoa_database *database, const stoa_lease_list *leases,
                            const struct listing *temporary) {
    const char *path;
    for (size_t at = 0; (path = next_path(temporary, &at)) != NULL;) {
        char *uri = NULL;
        if (is_abandoned(leases, path) &&
            stoa_database_path(database, path, &uri, NULL) == STOA_OK) {
            /* What cannot be removed now is found again. */
            STOA_IGNORE(stoa_vfs_remove_tree(database->file_systems, uri, NULL, NULL));
            stoa_pool_free_string(database->pool, uri);
        }
    }
}

static stoa_status has_dead_leases(stoa_database *database, bool *out, stoa_error *err) {
    stoa_lease_list leases;
    STOA_TRY(stoa_lease_list_read(database, &leases, err));
    *out = leases.dead_count > 0;
    stoa_lease_list_release(&leases);
    return STOA_OK;
}

/* Files first, leases second, the catalog third; leases of the dead go last, so that a crash in here
 * leaves them as the sign of work to do. */
static stoa_status run_clean(stoa_database *database, stoa_error *err) {
    stoa_lease_list leases = {.pool = database->pool};
    struct listing folders = {.database = database}, files = folders, temporary = folders;
    stoa_buffer_init(&folders.paths, database->pool);
    stoa_buffer_init(&files.paths, database->pool);
    stoa_buffer_init(&temporary.paths, database->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(list_folder(&temporary, "tmp", err));
    STOA_CHECK(list_folder(&folders, "tables", err));
    STOA_CHECK(list_files(&folders, &files, err));
    STOA_CHECK(stoa_lease_list_read(database, &leases, err));
    STOA_CHECK(clean_files(database, &leases, &files, err));
    clean_folders(database, &leases, &folders);
    clean_temporary(database, &leases, &temporary);
    for (int64_t i = 0; i < leases.dead_count; i++) {
        stoa_lease_forget(database, leases.dead[i]);
    }

done:
    stoa_lease_list_release(&leases);
    stoa_buffer_release(&folders.paths);
    stoa_buffer_release(&files.paths);
    stoa_buffer_release(&temporary.paths);
    return status;
}

void stoa_database_clean(stoa_database *database) {
    stoa_error err = STOA_ERROR_NONE;
    bool needed = false;
    stoa_status status = has_dead_leases(database, &needed, &err);
    if (status == STOA_OK && needed) {
        status = run_clean(database, &err);
    }
    if (status != STOA_OK) {
        stoa_log(&database->logger, STOA_LOG_WARN, "table", "cleaning '%s': %s", database->uri,
                 err.message);
    }
    /* Who opens a database in an object store may have no right to remove anything. */
    if (!database->is_remote) {
        stoa_database_sweep(database);
    }
}

/* ---- expire ---- */

struct expiry {
    stoa_catalog *catalog;
    int64_t table_id;
    int64_t keep_newer_than_ms;
};

static stoa_status expire_durable(void *user, int64_t commit_id, bool *out_publish,
                                  stoa_error *err) {
    const struct expiry *expiry = user;
    int64_t count = 0;
    STOA_TRY(stoa_catalog_expire(expiry->catalog, commit_id, expiry->table_id,
                                 expiry->keep_newer_than_ms, &count, err));
    *out_publish = count > 0;
    return STOA_OK;
}

/* The newest chain without its older end: new nodes down to the last that is kept. */
static stoa_status copy_chain(stoa_database *database, const stoa_entry *entry,
                              int64_t keep_newer_than_ms, stoa_entry **out, stoa_error *err) {
    stoa_entry **link = out;
    *out = NULL;
    for (const stoa_entry *state = entry; state != NULL; state = state->previous) {
        stoa_entry *copy = NULL;
        stoa_entry_facts facts = {state->id, state->name, state->kind_name, state->schema,
                                  state->snapshot, state->spec};
        if (state != entry && state->snapshot.time_ms < keep_newer_than_ms) {
            continue;
        }
        stoa_status status = stoa_entry_create(database->pool, &facts, &copy, err);
        if (status == STOA_OK) {
            copy->parts.pool = database->pool;
            status = stoa_part_vector_append(&copy->parts, &state->parts, err);
            atomic_store_explicit(&copy->loaded, true, memory_order_release);
            *link = copy;
            link = &copy->previous;
        }
        if (status != STOA_OK) {
            stoa_entry_release(*out);
            *out = NULL;
            return status;
        }
    }
    return STOA_OK;
}

static stoa_status expire_in_memory(stoa_database *database, int64_t id, int64_t keep_newer_than_ms,
                                    stoa_error *err) {
    stoa_entry *shorter = NULL, *old = NULL;
    stoa_status status = STOA_OK;
    (void)pthread_mutex_lock(&database->commit_lock);
    (void)pthread_mutex_lock(&database->view_lock);
    for (int64_t i = 0; i < database->memory_count; i++) {
        if (database->memory_entries[i]->id == id) {
            old = database->memory_entries[i];
            status = copy_chain(database, old, keep_newer_than_ms, &shorter, err);
            if (status == STOA_OK) {
                database->memory_entries[i] = shorter;
                database->view_stale = true;
            } else {
                old = NULL;
            }
            break;
        }
    }
    (void)pthread_mutex_unlock(&database->view_lock);
    (void)pthread_mutex_unlock(&database->commit_lock);
    stoa_entry_release(old);
    return status;
}

static stoa_status find_table(stoa_database *database, const char *table, stoa_entry **out,
                              stoa_error *err) {
    stoa_view *view = NULL;
    STOA_TRY(stoa_database_pin(database, &view, err));
    stoa_status status = stoa_view_lookup(view, table, out, err);
    stoa_database_unpin(database, view);
    return status;
}

stoa_status stoa_table_expire(stoa_database *database, const char *table,
                              int64_t keep_newer_than_ms, int64_t *out_removed_files,
                              stoa_error *err) {
    int64_t count = 0;
    stoa_entry *entry = NULL;
    if (out_removed_files != NULL) {
        *out_removed_files = 0;
    }
    STOA_TRY(find_table(database, table, &entry, err));
    stoa_status status = STOA_OK;
    if (entry->kind != NULL && !entry->kind->durable) {
        status = expire_in_memory(database, entry->id, keep_newer_than_ms, err);
        goto done;
    }
    struct expiry expiry = {database->catalog, entry->id, keep_newer_than_ms};
    STOA_CHECK(stoa_database_check_writable(database, err));
    STOA_CHECK(stoa_catalog_change(database->catalog, expire_durable, &expiry, err));
    STOA_CHECK(run_clean(database, err));
    STOA_CHECK(run_sweep(database, &count, err));
    if (out_removed_files != NULL) {
        *out_removed_files = count;
    }

done:
    stoa_entry_release(entry);
    if (status != STOA_OK) {
        stoa_wrap(err, "expiring snapshots of '%s'", table);
    }
    return status;
}
