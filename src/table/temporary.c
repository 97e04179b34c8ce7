/* The directory for temporary files of this process: below the database's where that is a local one
 * to write in, and there a writer's lease says whose it is; else among the system's temporary files,
 * where it holds a lock file of its own. Either way the next process sees that its owner is gone and
 * removes it: clean.c for those in databases, this file for the others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table/internal.h"

enum { TRIES = 16, NAME_BYTES = 64 };

static const char prefix[] = "stoa-";
static const char lock_name[] = "lock";

static const char *system_root(void) {
    const char *root = getenv("TMPDIR");
    return root == NULL || *root == '\0' ? "/tmp" : root;
}

/* Makes the directory and takes its lock. STOA_LOCKED when a process that looks for abandoned ones
 * was in between. */
static stoa_status make_in_system(stoa_database *database, char **out, stoa_error *err) {
    char name[NAME_BYTES];
    char *path = NULL, *lock = NULL;
    stoa_status status = STOA_OK;
    (void)snprintf(name, sizeof name, "%s%016" PRIx64, prefix, (uint64_t)stoa_random_id());
    STOA_CHECK(stoa_vfs_join(database->pool, system_root(), name, &path, err));
    STOA_CHECK(stoa_vfs_join(database->pool, path, lock_name, &lock, err));
    STOA_CHECK(stoa_vfs_make_directories(database->file_systems, path, &database->context, err));
    STOA_CHECK(stoa_vfs_lock(database->file_systems, lock, &database->context,
                             &database->temporary_lock, err));
    *out = path;
    path = NULL;

done:
    stoa_pool_free_string(database->pool, path);
    stoa_pool_free_string(database->pool, lock);
    return status;
}

static bool is_ours(const char *name) {
    size_t size = sizeof prefix - 1;
    return strncmp(name, prefix, size) == 0 && strlen(name + size) == 16 &&
           strspn(name + size, "0123456789abcdef") == 16;
}

static stoa_status note_name(void *user, const char *name, const stoa_file_info *info,
                             stoa_error *err) {
    return is_ours(name) && info->is_directory && !info->is_link
               ? stoa_buffer_append(user, name, strlen(name) + 1, err)
               : STOA_OK;
}

/* Whoever gets the lock may remove it all; the lock file goes with the rest. */
static void remove_if_abandoned(stoa_database *database, const char *name) {
    stoa_file *lock_file = NULL;
    char *path = NULL, *lock = NULL;
    if (stoa_vfs_join(database->pool, system_root(), name, &path, NULL) == STOA_OK &&
        stoa_vfs_join(database->pool, path, lock_name, &lock, NULL) == STOA_OK &&
        stoa_vfs_lock(database->file_systems, lock, &database->context, &lock_file, NULL) ==
            STOA_OK) {
        STOA_IGNORE(stoa_vfs_remove_tree(database->file_systems, path, NULL, NULL));
    }
    stoa_file_close(lock_file);
    stoa_pool_free_string(database->pool, path);
    stoa_pool_free_string(database->pool, lock);
}

/* Best effort: what cannot be listed or locked belongs to somebody else. */
static void remove_abandoned(stoa_database *database) {
    stoa_buffer names;
    stoa_buffer_init(&names, database->pool);
    STOA_IGNORE(stoa_vfs_list(database->file_systems, system_root(), &database->context, note_name,
                              &names, NULL));
    for (size_t at = 0; at < names.size; at += strlen((const char *)names.data + at) + 1) {
        remove_if_abandoned(database, (const char *)names.data + at);
    }
    stoa_buffer_release(&names);
}

static stoa_status make_in_database(stoa_database *database, char **out, stoa_error *err) {
    char name[NAME_BYTES];
    char *path = NULL;
    if (database->writer_lease == NULL) {
        STOA_TRY(stoa_lease_open(database, -1, &database->writer_lease, err));
    }
    (void)snprintf(name, sizeof name, "tmp/%s", stoa_lease_token(database->writer_lease));
    STOA_TRY(stoa_database_path(database, name, &path, err));
    stoa_status status = stoa_vfs_make_directories(database->file_systems, path, &database->context,
                                                   err);
    if (status != STOA_OK) {
        stoa_pool_free_string(database->pool, path);
        return status;
    }
    *out = path;
    return STOA_OK;
}

/* Under lease_lock. */
static stoa_status make(stoa_database *database, char **out, stoa_error *err) {
    if (database->directory != NULL && !database->read_only && !database->is_remote) {
        return make_in_database(database, out, err);
    }
    remove_abandoned(database);
    stoa_status status = STOA_LOCKED;
    /* A process that looks for abandoned ones may hold the lock, or have removed the directory. */
    for (int i = 0; i < TRIES && (status == STOA_LOCKED || status == STOA_NOT_FOUND); i++) {
        status = make_in_system(database, out, err);
    }
    return status;
}

stoa_status stoa_database_temporary_directory(stoa_database *database, const char **out_view,
                                              stoa_error *err) {
    stoa_status status = STOA_OK;
    (void)pthread_mutex_lock(&database->lease_lock);
    if (database->temporary_directory == NULL) {
        status = make(database, &database->temporary_directory, err);
    }
    *out_view = database->temporary_directory;
    (void)pthread_mutex_unlock(&database->lease_lock);
    return status;
}

stoa_status stoa_database_stage(stoa_database *database, stoa_pool *pool, stoa_stage **stage,
                                stoa_error *err) {
    const char *directory = NULL;
    if (*stage != NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_database_temporary_directory(database, &directory, err));
    return stoa_stage_create(database->file_systems, directory, pool, stage, err);
}

void stoa_database_remove_temporary(stoa_database *database) {
    if (database->temporary_directory != NULL) {
        STOA_IGNORE(stoa_vfs_remove_tree(database->file_systems, database->temporary_directory,
                                         NULL, NULL));
        stoa_pool_free_string(database->pool, database->temporary_directory);
        database->temporary_directory = NULL;
    }
    stoa_file_close(database->temporary_lock);
    database->temporary_lock = NULL;
}
