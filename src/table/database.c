/* Opening and closing a database, and the state that its parts share: the newest view and its pins,
 * names for files, what other modules attach.
 *
 *     DB/catalog.db            tables, schemas, snapshots, files (SQLite)
 *     DB/tables/<id>/…         data files; <id> never changes, so a rename touches no file
 *     DB/state/…               the store of all tables of the kind state (src/lsm)
 *     DB/tmp/<token>/…         unfinished files and what the engine spills
 *     DB/leases/…              who is alive (lease.h)
 *
 * ":memory:" is the same without a directory and without a catalog file: its tables are those of
 * the process. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "sched/sched.h"
#include "table/internal.h"
#include "table/state_home.h"
#include "vfs/registry.h"

enum { DEFAULT_BUSY_MS = 10000, DEFAULT_GRACE_MS = 24 * 3600 * 1000 };

struct attachment {
    struct attachment *next;
    char *name;
    void *value;
    stoa_attachment_close close;
};

int64_t stoa_random_id(void) {
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) {
        bits = stoa_hash_u64((uint64_t)stoa_clock_monotonic_ns() ^ (uint64_t)getpid() << 32);
    }
    bits &= INT64_MAX;
    return bits == 0 ? 1 : (int64_t)bits;
}

void stoa_table_folder(int64_t table_id, char out[64]) {
    (void)snprintf(out, 64, "tables/%016" PRIx64, (uint64_t)table_id);
}

stoa_status stoa_database_path(stoa_database *database, const char *path, char **out,
                               stoa_error *err) {
    return stoa_vfs_join(database->pool, database->directory, path, out, err);
}

stoa_status stoa_database_sync_folder(stoa_database *database, const char *path, stoa_error *err) {
    char *uri = NULL;
    if (stoa_vfs_has(database->file_systems, database->directory, STOA_FS_NO_DIRECTORIES)) {
        return STOA_OK;
    }
    STOA_TRY(stoa_database_path(database, path, &uri, err));
    stoa_status status = stoa_vfs_sync_directory(database->file_systems, uri, &database->context,
                                                 err);
    stoa_pool_free_string(database->pool, uri);
    return status;
}

void stoa_database_remove_file(stoa_database *database, const char *path) {
    char *uri = NULL;
    if (stoa_database_path(database, path, &uri, NULL) == STOA_OK) {
        STOA_IGNORE(stoa_vfs_remove(database->file_systems, uri, NULL, NULL));
        stoa_pool_free_string(database->pool, uri);
    }
}

/* Below "tables/<id>": the third part of the path and what follows are partitions. */
void stoa_database_remove_partitions(stoa_database *database, const char *path) {
    char *folder = NULL;
    if (database->is_remote) {
        return; /* there are no folders */
    }
    const char *table = strchr(path, '/');
    table = table == NULL ? NULL : strchr(table + 1, '/');
    if (table == NULL || stoa_pool_copy_string(database->pool, path, &folder, NULL) != STOA_OK) {
        return;
    }
    for (char *end = strrchr(folder, '/'); end > folder + (table - path);
         end = strrchr(folder, '/')) {
        *end = '\0';
        stoa_database_remove_file(database, folder);
    }
    stoa_pool_free(database->pool, folder, strlen(path) + 1);
}

static stoa_status check_process(const stoa_database *database, stoa_error *err) {
    if (getpid() != database->process) {
        return stoa_fail(err, STOA_INVALID,
                         "database '%s' was opened before a fork: open it anew "
                         "in the child",
                         database->uri);
    }
    return STOA_OK;
}

stoa_status stoa_database_check_writable(stoa_database *database, stoa_error *err) {
    STOA_TRY(check_process(database, err));
    if (database->read_only) {
        return stoa_fail(err, STOA_INVALID, "database '%s' is open for reading only",
                         database->uri);
    }
    return STOA_OK;
}

/* ---- the newest view; all of these hold view_lock ---- */

static stoa_status add_memory_entries(stoa_database *database, stoa_view *view, stoa_error *err) {
    for (int64_t i = 0; i < database->memory_count; i++) {
        STOA_TRY(stoa_view_add(view, stoa_entry_retain(database->memory_entries[i]), err));
    }
    return STOA_OK;
}

/* The lease is taken before the view is read: what the view names is then covered already. */
static stoa_status load_view(stoa_database *database, stoa_error *err) {
    stoa_view *view = NULL;
    stoa_status status = STOA_OK;
    int64_t version = 0, commit_id = 0;
    STOA_CHECK(stoa_view_create(database->pool, &view, err));
    if (database->catalog != NULL) {
        STOA_CHECK(stoa_catalog_commit_id(database->catalog, &commit_id, err));
        STOA_CHECK(stoa_lease_open(database, commit_id, &view->lease, err));
        STOA_CHECK(stoa_catalog_read_view(database->catalog, database->view, view, &version, err));
    }
    STOA_CHECK(add_memory_entries(database, view, err));
    stoa_view_finish(view);
    stoa_view_release(database->view);
    database->view = view;
    database->view_version = version;
    database->view_stale = false;
    return STOA_OK;

done:
    if (view != NULL) {
        stoa_lease_close(view->lease);
        view->lease = NULL;
    }
    stoa_view_release(view);
    return status;
}

static stoa_status is_newest(stoa_database *database, bool *out, stoa_error *err) {
    int64_t version = 0;
    *out = false;
    if (database->view == NULL || database->view_stale) {
        return STOA_OK;
    }
    if (database->catalog != NULL) {
        STOA_TRY(stoa_catalog_data_version(database->catalog, &version, err));
    }
    *out = version == database->view_version;
    return STOA_OK;
}

/* A view that nobody had pinned gets its lease anew, and is looked at again after that. */
static stoa_status refresh_view(stoa_database *database, stoa_error *err) {
    bool newest = false;
    STOA_TRY(is_newest(database, &newest, err));
    if (newest && database->catalog != NULL && database->view->lease == NULL) {
        STOA_TRY(stoa_lease_open(database, database->view->commit_id, &database->view->lease, err));
        STOA_TRY(is_newest(database, &newest, err));
    }
    if (newest) {
        return STOA_OK;
    }
    stoa_view *old = database->view;
    if (old != NULL && old->pins == 0) {
        stoa_lease_close(old->lease);
        old->lease = NULL;
    }
    return load_view(database, err);
}

stoa_status stoa_database_pin(stoa_database *database, stoa_view **out, stoa_error *err) {
    *out = NULL;
    STOA_TRY(check_process(database, err));
    (void)pthread_mutex_lock(&database->view_lock);
    stoa_status status = refresh_view(database, err);
    if (status == STOA_OK) {
        *out = stoa_view_retain(database->view);
        database->view->pins++;
        database->pin_count++;
    }
    (void)pthread_mutex_unlock(&database->view_lock);
    if (status != STOA_OK) {
        stoa_wrap(err, "database '%s'", database->uri);
    }
    return status;
}

void stoa_database_pin_again(stoa_database *database, stoa_view *view) {
    (void)pthread_mutex_lock(&database->view_lock);
    STOA_ASSERT(view->pins > 0);
    view->pins++;
    database->pin_count++;
    (void)stoa_view_retain(view);
    (void)pthread_mutex_unlock(&database->view_lock);
}

void stoa_database_unpin(stoa_database *database, stoa_view *view) {
    if (view == NULL) {
        return;
    }
    stoa_lease *lease = NULL;
    (void)pthread_mutex_lock(&database->view_lock);
    STOA_ASSERT(view->pins > 0 && database->pin_count >= view->pins);
    database->pin_count--;
    if (--view->pins == 0) {
        lease = view->lease;
        view->lease = NULL;
    }
    (void)pthread_mutex_unlock(&database->view_lock);
    stoa_lease_close(lease);
    stoa_view_release(view);
}

bool stoa_entry_in_process(const stoa_database *database, const stoa_entry *entry) {
    return entry->kind != NULL && (!entry->kind->durable || database->catalog == NULL);
}

bool stoa_database_has_other_pins(stoa_database *database) {
    (void)pthread_mutex_lock(&database->view_lock);
    bool others = database->pin_count > 1;
    (void)pthread_mutex_unlock(&database->view_lock);
    return others;
}

/* ---- files ---- */

stoa_status stoa_database_writer_lease(stoa_database *database, const stoa_lease **out,
                                       stoa_error *err) {
    stoa_status status = STOA_OK;
    (void)pthread_mutex_lock(&database->lease_lock);
    if (database->writer_lease == NULL) {
        status = stoa_lease_open(database, -1, &database->writer_lease, err);
    }
    *out = database->writer_lease;
    (void)pthread_mutex_unlock(&database->lease_lock);
    return status;
}

stoa_status stoa_database_file_name(stoa_database *database, char out[64], stoa_error *err) {
    const stoa_lease *lease = NULL;
    STOA_TRY(stoa_database_writer_lease(database, &lease, err));
    (void)pthread_mutex_lock(&database->lease_lock);
    (void)snprintf(out, 64, "%s-%08" PRId64 ".parquet", stoa_lease_token(lease),
                   ++database->file_count);
    (void)pthread_mutex_unlock(&database->lease_lock);
    return STOA_OK;
}

/* ---- attachments ---- */

static struct attachment *find_attachment(stoa_database *database, const char *name) {
    struct attachment *found = database->attachments;
    while (found != NULL && strcmp(found->name, name) != 0) {
        found = found->next;
    }
    return found;
}

static stoa_status add_attachment(stoa_database *database, const char *name,
                                  stoa_attachment_create create, stoa_attachment_close close_it,
                                  struct attachment **out, stoa_error *err) {
    struct attachment *made = NULL;
    STOA_TRY(stoa_pool_allocate_array(database->pool, 1, sizeof *made, (void **)&made, err));
    made->close = close_it;
    stoa_status status = stoa_pool_copy_string(database->pool, name, &made->name, err);
    if (status == STOA_OK) {
        status = create(database, &made->value, err);
    }
    if (status != STOA_OK) {
        stoa_pool_free_string(database->pool, made->name);
        stoa_pool_free(database->pool, made, sizeof *made);
        return status;
    }
    made->next = database->attachments;
    database->attachments = made;
    *out = made;
    return STOA_OK;
}

stoa_status stoa_database_attachment(stoa_database *database, const char *name,
                                     stoa_attachment_create create, stoa_attachment_close close_it,
                                     void **out, stoa_error *err) {
    stoa_status status = STOA_OK;
    *out = NULL;
    (void)pthread_mutex_lock(&database->attachment_lock);
    struct attachment *found = find_attachment(database, name);
    if (found == NULL) {
        status = add_attachment(database, name, create, close_it, &found, err);
    }
    if (status == STOA_OK) {
        *out = found->value;
    }
    (void)pthread_mutex_unlock(&database->attachment_lock);
    return status;
}

void *stoa_database_find_attachment(stoa_database *database, const char *name) {
    (void)pthread_mutex_lock(&database->attachment_lock);
    struct attachment *found = find_attachment(database, name);
    (void)pthread_mutex_unlock(&database->attachment_lock);
    return found == NULL ? NULL : found->value;
}

static void close_attachments(stoa_database *database) {
    while (database->attachments != NULL) {
        struct attachment *first = database->attachments;
        database->attachments = first->next;
        first->close(first->value);
        stoa_pool_free_string(database->pool, first->name);
        stoa_pool_free(database->pool, first, sizeof *first);
    }
}

/* ---- opening ---- */

static stoa_status make_pool(const stoa_database_options *options, stoa_pool **out,
                             stoa_error *err) {
    if (options->parent_pool != NULL) {
        return stoa_pool_create_child(options->parent_pool, "database", options->memory_limit, out,
                                      err);
    }
    size_t limit = options->memory_limit;
    if (limit == 0) {
        STOA_TRY(stoa_memory_limit_default(&limit, err));
    }
    return stoa_pool_create(limit, NULL, out, err);
}

static stoa_status set_default_kind(stoa_database *database, const char *name, stoa_error *err) {
    if (name == NULL) {
        name = database->directory == NULL ? "memory" : "parquet";
    }
    const stoa_table_kind *kind = stoa_table_kind_find(name);
    if (kind == NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "tables of kind '%.40s' are not offered; there are "
                         "%s",
                         name, stoa_table_kind_names());
    }
    if (kind->durable && !kind->anywhere && database->directory == NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "tables of kind '%s' need a directory, which "
                         "database '%s' has not",
                         name, database->uri);
    }
    return stoa_pool_copy_string(database->pool, name, &database->default_kind, err);
}

stoa_status stoa_database_make_folders(stoa_fs_registry *file_systems, const char *directory,
                                       const stoa_context *context, stoa_error *err) {
    static const char *const names[] = {"tables", "tmp", "leases"};
    if (stoa_vfs_has(file_systems, directory, STOA_FS_NO_DIRECTORIES)) {
        return STOA_OK;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = NULL;
        STOA_TRY(stoa_vfs_join(context->pool, directory, names[i], &path, err));
        stoa_status status = stoa_vfs_make_directories(file_systems, path, context, err);
        stoa_pool_free_string(context->pool, path);
        STOA_TRY(status);
    }
    return STOA_OK;
}

/* What is there decides together with what was asked for. */
static stoa_status open_catalog(stoa_database *database, const stoa_database_options *options,
                                stoa_error *err) {
    char *uri = NULL;
    bool exists = false;
    stoa_catalog_options how = {options->create || options->must_create, options->read_only,
                                options->busy_timeout_ms,
                                database->is_remote ? database->file_systems : NULL,
                                database->context};
    how.busy_timeout_ms = how.busy_timeout_ms <= 0 ? DEFAULT_BUSY_MS : how.busy_timeout_ms;
    how.create = how.create && !options->read_only;
    STOA_TRY(stoa_database_path(database, "catalog.db", &uri, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_exists(database->file_systems, uri, &database->context, &exists, err));
    if (exists && options->must_create) {
        status = stoa_fail(err, STOA_EXISTS, "there is a database already");
        goto done;
    }
    if (!exists && !how.create) {
        status = stoa_fail(err, STOA_NOT_FOUND, "there is no database (no catalog.db in it)");
        goto done;
    }
    if (!exists) {
        STOA_CHECK(stoa_database_make_folders(database->file_systems, database->directory,
                                              &database->context, err));
    }
    STOA_CHECK(stoa_catalog_open(database->pool,
                                 database->is_remote ? uri : stoa_vfs_local_path(uri), &how,
                                 &database->catalog, err));
    if (!exists) {
        STOA_CHECK(stoa_database_sync_folder(database, "", err));
    }

done:
    stoa_pool_free_string(database->pool, uri);
    return status;
}

static stoa_status open_parts(stoa_database *database, const char *uri,
                              const stoa_database_options *options, stoa_error *err) {
    STOA_TRY(stoa_resources_create(database->pool, &database->resources, err));
    STOA_TRY(stoa_pool_copy_string(database->pool, uri, &database->uri, err));
    STOA_TRY(
        stoa_pool_create_child(database->pool, "memory tables", 0, &database->memory_pool, err));
    stoa_sched_options how = {.threads = options->threads};
    STOA_TRY(stoa_sched_create(database->pool, &how, &database->sched, err));
    STOA_TRY(stoa_group_init(&database->closings, database->sched, STOA_BACKGROUND, NULL, err));
    database->context = (stoa_context){.cancel = options->cancel, .logger = &database->logger};
    stoa_database_fill_context(database, &database->context);
    database->file_systems = options->file_systems;
    if (database->file_systems == NULL) {
        STOA_TRY(stoa_fs_registry_create(database->pool, &database->own_file_systems, err));
        database->file_systems = database->own_file_systems;
        stoa_fs_registry_set_logger(database->file_systems, &database->logger);
    }
    bool in_memory = strcmp(uri, ":memory:") == 0;
    database->is_remote = !in_memory && stoa_vfs_local_path(uri) == NULL;
    if (!in_memory) {
        STOA_TRY(stoa_pool_copy_string(database->pool, uri, &database->directory, err));
    }
    STOA_TRY(set_default_kind(database, options->default_kind, err));
    STOA_TRY(stoa_state_home_create(database, &database->state_home, err));
    if (in_memory) {
        return STOA_OK;
    }
    STOA_TRY(open_catalog(database, options, err));
    if (!database->read_only) {
        stoa_database_clean(database);
    }
    return STOA_OK;
}

stoa_status stoa_database_open(const char *uri, const stoa_database_options *options,
                               stoa_database **out, stoa_error *err) {
    static const stoa_database_options defaults = STOA_DATABASE_DEFAULT;
    options = options == NULL ? &defaults : options;
    *out = NULL;
    if (uri == NULL || *uri == '\0') {
        return stoa_fail(err, STOA_INVALID, "expected a database's name but found an empty one");
    }
    stoa_pool *pool = NULL;
    stoa_database *database = NULL;
    STOA_TRY(make_pool(options, &pool, err));
    stoa_status status = stoa_pool_allocate_array(pool, 1, sizeof *database, (void **)&database,
                                                  err);
    if (status != STOA_OK) {
        stoa_pool_close(pool);
        return status;
    }
    database->pool = pool;
    database->read_only = options->read_only;
    database->logger = options->logger;
    database->grace_ms = options->grace_ms <= 0 ? DEFAULT_GRACE_MS : options->grace_ms;
    database->process = getpid();
    (void)pthread_mutex_init(&database->commit_lock, NULL);
    (void)pthread_mutex_init(&database->view_lock, NULL);
    (void)pthread_mutex_init(&database->lease_lock, NULL);
    (void)pthread_mutex_init(&database->attachment_lock, NULL);
    status = open_parts(database, uri, options, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "database '%s'", uri);
        stoa_database_close(database);
        return status;
    }
    *out = database;
    return STOA_OK;
}

static void close_view(stoa_database *database) {
    if (database->view != NULL) {
        STOA_ASSERT(database->view->pins == 0);
        stoa_lease_close(database->view->lease);
        database->view->lease = NULL;
        stoa_view_release(database->view);
    }
    for (int64_t i = 0; i < database->memory_count; i++) {
        stoa_entry_release(database->memory_entries[i]);
    }
    stoa_pool_free(database->pool, database->memory_entries,
                   (size_t)database->memory_capacity * sizeof *database->memory_entries);
}

void stoa_database_close(stoa_database *database) {
    /* A child of fork shares files and locks with its parent: it may not give any of them back. */
    if (database == NULL || database->process != getpid()) {
        return;
    }
    /* Streams and the like hold pins and connections; files may be the database's own until here. */
    (void)stoa_resources_release(database->resources, STOA_RESOURCE_TRANSACTION, &database->logger,
                                 database->uri);
    close_attachments(database);
    if (database->closings.cancel != NULL) {
        STOA_IGNORE(stoa_group_wait(&database->closings, NULL));
    }
    stoa_state_home_close(database->state_home);
    stoa_sched_close(database->sched);
    close_view(database);
    stoa_database_remove_temporary(database);
    stoa_lease_close(database->writer_lease);
    stoa_catalog_close(database->catalog);
    stoa_resources_close(database->resources, &database->logger, database->uri);
    stoa_fs_registry_close(database->own_file_systems);
    stoa_pool *pool = database->pool;
    stoa_pool_free_string(pool, database->default_kind);
    stoa_pool_free_string(pool, database->directory);
    stoa_pool_free_string(pool, database->uri);
    stoa_pool_close(database->memory_pool);
    (void)pthread_mutex_destroy(&database->commit_lock);
    (void)pthread_mutex_destroy(&database->view_lock);
    (void)pthread_mutex_destroy(&database->lease_lock);
    (void)pthread_mutex_destroy(&database->attachment_lock);
    stoa_pool_free(pool, database, sizeof *database);
    stoa_pool_close(pool);
}

stoa_pool *stoa_database_pool(stoa_database *database) {
    return database->pool;
}

stoa_sched *stoa_database_sched(stoa_database *database) {
    return database->sched;
}

void stoa_database_fill_context(stoa_database *database, stoa_context *context) {
    context->pool = context->pool != NULL ? context->pool : database->pool;
    context->sched = context->sched != NULL ? context->sched : database->sched;
}

const stoa_context *stoa_database_context(const stoa_database *database) {
    return &database->context;
}

const char *stoa_database_uri(const stoa_database *database) {
    return database->uri;
}

stoa_fs_registry *stoa_database_file_systems(stoa_database *database) {
    return database->file_systems;
}

int32_t stoa_database_threads(const stoa_database *database) {
    return stoa_sched_threads(database->sched);
}
