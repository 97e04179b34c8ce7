/* See state_home.h. */
#include "table/state_home.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { WAIT_STEP_MS = 20, WAIT_MS_MAX = 24 * 3600 * 1000 };

struct merge_program {
    struct merge_program *next;
    char *name;
    stoa_merge_function function;
    void *user;
};

struct stoa_state_home {
    pthread_mutex_t lock; /* held while the store is opened or followed; guards all below */
    stoa_database *database;
    char *directory; /* of its files, a URI */
    stoa_state_options settings;
    stoa_store *store; /* the one to use; NULL: not opened yet */
    bool writes;
    stoa_store *before; /* that was read before this process wrote; NULL: none */
    struct merge_program *programs;
};

static stoa_status set_directory(stoa_state_home *home, stoa_error *err) {
    stoa_database *database = home->database;
    char name[40];
    if (database->directory != NULL) {
        return stoa_database_path(database, "state", &home->directory, err);
    }
    /* Several databases in memory may share a registry. */
    (void)snprintf(name, sizeof name, "memory:/state-%016" PRIx64, (uint64_t)stoa_random_id());
    return stoa_pool_copy_string(database->pool, name, &home->directory, err);
}

stoa_status stoa_state_home_create(stoa_database *database, stoa_state_home **out,
                                   stoa_error *err) {
    stoa_state_home *home = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(database->pool, 1, sizeof *home, (void **)&home, err));
    home->database = database;
    (void)pthread_mutex_init(&home->lock, NULL);
    stoa_status status = set_directory(home, err);
    if (status != STOA_OK) {
        stoa_state_home_close(home);
        return status;
    }
    *out = home;
    return STOA_OK;
}

void stoa_state_home_close(stoa_state_home *home) {
    if (home == NULL) {
        return;
    }
    stoa_database *database = home->database;
    stoa_pool *pool = database->pool;
    const bool was_used = home->store != NULL;
    stoa_store_close(home->store);
    stoa_store_close(home->before);
    if (was_used && database->directory == NULL) {
        STOA_IGNORE(stoa_vfs_remove_tree(database->file_systems, home->directory, NULL, NULL));
    }
    while (home->programs != NULL) {
        struct merge_program *first = home->programs;
        home->programs = first->next;
        stoa_pool_free_string(pool, first->name);
        stoa_pool_free(pool, first, sizeof *first);
    }
    stoa_pool_free_string(pool, home->directory);
    (void)pthread_mutex_destroy(&home->lock);
    stoa_pool_free(pool, home, sizeof *home);
}

/* ---- opening; all but the first two of these hold the lock ---- */

static stoa_status check_place(const stoa_state_home *home, stoa_error *err) {
    const stoa_database *database = home->database;
    return database->is_remote
               ? stoa_fail(
                     err, STOA_UNSUPPORTED,
                     "database '%s': tables of kind 'state' need a directory on this machine, "
                     "as their log is mapped",
                     database->uri)
               : STOA_OK;
}

stoa_status stoa_state_home_directory(const stoa_database *database, const char **out,
                                      stoa_error *err) {
    *out = database->state_home->directory;
    return check_place(database->state_home, err);
}

static stoa_status open_store(stoa_state_home *home, bool writes, const stoa_context *context,
                              stoa_store **out, stoa_error *err) {
    const stoa_database *database = home->database;
    const stoa_store_options options = {.context = *context,
                                        .file_systems = database->file_systems,
                                        .directory = home->directory,
                                        .create = writes,
                                        .read_only = !writes,
                                        .settings = home->settings};
    stoa_store *store = NULL;
    STOA_TRY(stoa_store_open(&options, &store, err));
    for (const struct merge_program *program = home->programs; program != NULL;
         program = program->next) {
        stoa_status status = stoa_store_register_merge(store, program->name, program->function,
                                                       program->user, err);
        if (status != STOA_OK) {
            stoa_store_close(store);
            return status;
        }
    }
    *out = store;
    return STOA_OK;
}

/* What processes left that ended between the store's part of a change and the catalog's: tables that no
 * catalog names, and columns that it does not know of. With the store's lock nobody else is about to. */
struct leftovers {
    stoa_database *database;
    stoa_store *store;
    const stoa_view *view;
};

static stoa_entry *find_entry(const stoa_view *view, int64_t id) {
    for (int64_t i = 0; i < view->count; i++) {
        if (view->entries[i]->id == id) {
            return view->entries[i];
        }
    }
    return NULL;
}

struct correction {
    stoa_catalog *catalog;
    stoa_change change;
};

static stoa_status write_correction(void *user, int64_t commit_id, bool *out_publish,
                                    stoa_error *err) {
    const struct correction *correction = user;
    (void)out_publish;
    return stoa_catalog_apply(correction->catalog, commit_id, &correction->change, err);
}

/* Best effort: plans go by the store's columns in any case. */
static stoa_status correct_schema(stoa_database *database, stoa_entry *entry,
                                  const stoa_schema *schema, stoa_error *err) {
    stoa_error failure = STOA_ERROR_NONE;
    struct correction correction = {database->catalog, {.base = entry}};
    const stoa_entry_facts facts = {entry->id,       entry->name, entry->kind_name, schema,
                                    entry->snapshot, entry->spec};
    STOA_TRY(stoa_entry_create(database->pool, &facts, &correction.change.now, err));
    if (stoa_catalog_change(database->catalog, write_correction, &correction, &failure) !=
        STOA_OK) {
        stoa_log(&database->logger, STOA_LOG_WARN, "table",
                 "the catalog does not say yet which columns table '%s' has: %s", entry->name,
                 failure.message);
    }
    stoa_entry_release(correction.change.now);
    return STOA_OK;
}

static stoa_status follow_schema(const struct leftovers *leftovers, stoa_entry *entry,
                                 stoa_error *err) {
    stoa_state *state = NULL;
    STOA_TRY(stoa_store_open_table(leftovers->store, entry->id, &state, err));
    const stoa_schema *schema = stoa_state_schema(state);
    stoa_status status = STOA_OK;
    if (leftovers->database->catalog != NULL && schema->schema_id != entry->schema->schema_id) {
        status = correct_schema(leftovers->database, entry, schema, err);
    }
    stoa_state_close(state);
    return status;
}

static stoa_status settle_leftover(void *user, int64_t id, stoa_error *err) {
    const struct leftovers *leftovers = user;
    stoa_entry *entry = find_entry(leftovers->view, id);
    return entry == NULL ? stoa_store_drop_table(leftovers->store, id, err)
                         : follow_schema(leftovers, entry, err);
}

static stoa_status settle_leftovers(stoa_state_home *home, stoa_store *store, stoa_error *err) {
    struct leftovers leftovers = {.database = home->database, .store = store};
    stoa_view *view = NULL;
    STOA_TRY(stoa_database_pin(home->database, &view, err));
    leftovers.view = view;
    stoa_status status = stoa_store_each_table(store, settle_leftover, &leftovers, err);
    stoa_database_unpin(home->database, view);
    return status;
}

static stoa_status open_to_write(stoa_state_home *home, stoa_error *err) {
    stoa_store *store = NULL;
    STOA_TRY(check_place(home, err));
    STOA_TRY(stoa_database_check_writable(home->database, err));
    STOA_TRY(open_store(home, true, &home->database->context, &store, err));
    stoa_status status = settle_leftovers(home, store, err);
    if (status == STOA_OK && home->database->directory != NULL) {
        status = stoa_database_sync_folder(home->database, "", err); /* the name `state` */
    }
    if (status != STOA_OK) {
        stoa_store_close(store);
        return status;
    }
    home->before = home->store;
    home->store = store;
    home->writes = true;
    return STOA_OK;
}

static stoa_status try_to_write(stoa_state_home *home, stoa_store **out, int64_t *out_wait_ms,
                                stoa_error *err) {
    (void)pthread_mutex_lock(&home->lock);
    stoa_status status = home->writes ? STOA_OK : open_to_write(home, err);
    *out = home->store;
    *out_wait_ms = home->settings.lock_wait_ms;
    (void)pthread_mutex_unlock(&home->lock);
    return status;
}

/* Others in this process go on reading meanwhile. */
static stoa_status wait_to_write(stoa_state_home *home, const stoa_error *locked, stoa_store **out,
                                 int64_t wait_ms, stoa_error *err) {
    static const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000};
    const stoa_database *database = home->database;
    const int64_t end_ns = stoa_clock_monotonic_ns() + wait_ms * 1000000;
    stoa_status status = STOA_LOCKED;
    stoa_log(&database->logger, STOA_LOG_INFO, "table", "waiting to write: %s", locked->message);
    while (status == STOA_LOCKED && stoa_clock_monotonic_ns() < end_ns) {
        STOA_TRY(stoa_cancel_check(database->context.cancel, err));
        (void)nanosleep(&step, NULL);
        stoa_error_clear(err);
        status = try_to_write(home, out, &wait_ms, err);
    }
    return status;
}

stoa_status stoa_state_home_write(stoa_database *database, stoa_store **out, stoa_error *err) {
    stoa_error own = STOA_ERROR_NONE;
    int64_t wait_ms = 0;
    stoa_status status = try_to_write(database->state_home, out, &wait_ms, &own);
    if (status == STOA_LOCKED && wait_ms > 0) {
        const stoa_error locked = own;
        status = wait_to_write(database->state_home, &locked, out,
                               wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX, &own);
    }
    if (status != STOA_OK && err != NULL) {
        *err = own;
    }
    return status;
}

static stoa_status open_to_read(stoa_state_home *home, stoa_error *err) {
    STOA_TRY(check_place(home, err));
    if (home->store == NULL) {
        return open_store(home, false, &home->database->context, &home->store, err);
    }
    return stoa_store_follow(home->store, err);
}

stoa_status stoa_state_home_read(stoa_database *database, stoa_store **out, stoa_error *err) {
    stoa_state_home *home = database->state_home;
    (void)pthread_mutex_lock(&home->lock);
    stoa_status status = home->writes ? STOA_OK : open_to_read(home, err);
    *out = home->store;
    (void)pthread_mutex_unlock(&home->lock);
    return status;
}

stoa_status stoa_state_home_read_anew(stoa_database *database, const stoa_context *context,
                                      stoa_store **out, stoa_error *err) {
    stoa_state_home *home = database->state_home;
    *out = NULL;
    (void)pthread_mutex_lock(&home->lock);
    stoa_status status = check_place(home, err);
    if (status == STOA_OK) {
        status = open_store(home, false, context, out, err);
    }
    (void)pthread_mutex_unlock(&home->lock);
    return status;
}

stoa_status stoa_state_home_flush(stoa_database *database, stoa_error *err) {
    stoa_state_home *home = database->state_home;
    (void)pthread_mutex_lock(&home->lock);
    stoa_store *store = home->writes ? home->store : NULL; /* stays until the database is closed */
    (void)pthread_mutex_unlock(&home->lock);
    return store == NULL ? STOA_OK : stoa_store_flush(store, err);
}

stoa_durability stoa_state_home_durability(stoa_database *database) {
    stoa_state_home *home = database->state_home;
    (void)pthread_mutex_lock(&home->lock);
    const stoa_durability durability = home->settings.durability;
    (void)pthread_mutex_unlock(&home->lock);
    return durability == STOA_DURABILITY_DEFAULT ? STOA_DURABILITY_SYNC : durability;
}

/* ---- for programs ---- */

stoa_status stoa_state_configure(stoa_database *database, const stoa_state_options *options,
                                 stoa_error *err) {
    stoa_state_home *home = database->state_home;
    stoa_status status = STOA_OK;
    (void)pthread_mutex_lock(&home->lock);
    if (home->store != NULL) {
        status = stoa_fail(err, STOA_INVALID,
                           "database '%s': its state tables are in use, and are configured before",
                           database->uri);
    } else {
        home->settings = *options;
    }
    (void)pthread_mutex_unlock(&home->lock);
    return status;
}

/* With the lock. */
static stoa_status add_program(stoa_state_home *home, const char *name,
                               stoa_merge_function function, void *user, stoa_error *err) {
    stoa_pool *pool = home->database->pool;
    struct merge_program *program = home->programs;
    while (program != NULL && strcmp(program->name, name) != 0) {
        program = program->next;
    }
    if (program == NULL) {
        STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *program, (void **)&program, err));
        stoa_status status = stoa_pool_copy_string(pool, name, &program->name, err);
        if (status != STOA_OK) {
            stoa_pool_free(pool, program, sizeof *program);
            return status;
        }
        program->next = home->programs;
        home->programs = program;
    }
    program->function = function;
    program->user = user;
    return STOA_OK;
}

stoa_status stoa_state_register_merge(stoa_database *database, const char *name,
                                      stoa_merge_function function, void *user, stoa_error *err) {
    stoa_state_home *home = database->state_home;
    (void)pthread_mutex_lock(&home->lock);
    stoa_status status = add_program(home, name, function, user, err);
    stoa_store *const stores[] = {home->store, home->before};
    for (int i = 0; i < 2 && status == STOA_OK; i++) {
        if (stores[i] != NULL) {
            status = stoa_store_register_merge(stores[i], name, function, user, err);
        }
    }
    (void)pthread_mutex_unlock(&home->lock);
    return status;
}

stoa_status stoa_state_home_check_kind(const stoa_entry *entry, stoa_error *err) {
    return entry->kind == &stoa_table_kind_state
               ? STOA_OK
               : stoa_fail(err, STOA_INVALID, "table '%s' is of kind '%s', not 'state'",
                           entry->name, entry->kind_name);
}

static stoa_status open_handle(stoa_database *database, const stoa_entry *entry, stoa_state **out,
                               stoa_error *err) {
    stoa_store *store = NULL;
    stoa_status status = STOA_LOCKED;
    STOA_TRY(stoa_state_home_check_kind(entry, err));
    if (!database->read_only) {
        status = stoa_state_home_write(database, &store, err);
    }
    if (status == STOA_LOCKED) { /* another process writes: this one may look */
        stoa_error_clear(err);
        status = stoa_state_home_read(database, &store, err);
    }
    STOA_TRY(status);
    status = stoa_store_open_table(store, entry->id, out, err);
    stoa_wrap(status == STOA_OK ? NULL : err, "table '%s'", entry->name);
    return status;
}

stoa_status stoa_state_open(stoa_database *database, const char *table, stoa_state **out,
                            stoa_error *err) {
    stoa_view *view = NULL;
    stoa_entry *entry = NULL;
    *out = NULL;
    STOA_TRY(stoa_database_pin(database, &view, err));
    stoa_status status = stoa_view_lookup(view, table, &entry, err);
    if (status == STOA_OK) {
        status = open_handle(database, entry, out, err);
    }
    stoa_entry_release(entry);
    stoa_database_unpin(database, view);
    return status;
}
