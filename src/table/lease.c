/* Leases: see lease.h. A lease is taken by making and locking a file; whoever can lock somebody
 * else's lease has the proof that its holder is gone. A file that is found unlocked in the moment
 * between its making and its locking is taken from its maker, who sees that and makes another. */
#include "table/lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "table/internal.h"

struct stoa_lease {
    stoa_database *database;
    stoa_file *file;
    char *uri;
    char token[STOA_LEASE_TOKEN_BYTES];
};

enum { LEASE_TRIES = 16, LEASE_NAME_BYTES = 64 };

static stoa_status take(stoa_lease *lease, int64_t commit_id, stoa_error *err) {
    stoa_database *database = lease->database;
    char name[LEASE_NAME_BYTES];
    (void)snprintf(lease->token, sizeof lease->token, "%016" PRIx64, (uint64_t)stoa_random_id());
    if (commit_id < 0) {
        (void)snprintf(name, sizeof name, "leases/%s.writer", lease->token);
    } else {
        (void)snprintf(name, sizeof name, "leases/%" PRId64 "-%s.reader", commit_id, lease->token);
    }
    if (database->is_remote) {
        return STOA_OK; /* a token and no file: nobody could tell whether its holder is alive */
    }
    STOA_TRY(stoa_database_path(database, name, &lease->uri, err));
    stoa_status status = stoa_vfs_lock(database->file_systems, lease->uri, NULL, &lease->file, err);
    if (status != STOA_OK) {
        stoa_pool_free_string(database->pool, lease->uri);
        lease->uri = NULL;
    }
    return status;
}

/* A writer's lease outlives a power failure as surely as the files that it covers. */
static stoa_status settle(const stoa_lease *lease, stoa_error *err) {
    return lease->database->is_remote ? STOA_OK
                                      : stoa_database_sync_folder(lease->database, "leases", err);
}

stoa_status stoa_lease_open(stoa_database *database, int64_t commit_id, stoa_lease **out,
                            stoa_error *err) {
    *out = NULL;
    stoa_lease *lease = NULL;
    STOA_TRY(stoa_pool_allocate_array(database->pool, 1, sizeof *lease, (void **)&lease, err));
    lease->database = database;
    stoa_status status = STOA_LOCKED;
    for (int i = 0; i < LEASE_TRIES && status == STOA_LOCKED; i++) {
        status = take(lease, commit_id, err);
    }
    if (status == STOA_OK && commit_id < 0) {
        status = settle(lease, err);
    }
    if (status == STOA_OK) {
        *out = lease;
        return STOA_OK;
    }
    stoa_lease_close(lease);
    bool read_only_place = database->read_only && (status == STOA_IO || status == STOA_NOT_FOUND);
    if (read_only_place) {
        stoa_error_clear(err);
    }
    return read_only_place ? STOA_OK : status;
}

void stoa_lease_close(stoa_lease *lease) {
    if (lease == NULL) {
        return;
    }
    if (lease->file != NULL) {
        STOA_IGNORE(stoa_vfs_remove(lease->database->file_systems, lease->uri, NULL, NULL));
        stoa_file_close(lease->file);
    }
    stoa_pool_free_string(lease->database->pool, lease->uri);
    stoa_pool_free(lease->database->pool, lease, sizeof *lease);
}

const char *stoa_lease_token(const stoa_lease *lease) {
    return lease->token;
}

/* Names are gathered first: a listing must not change its own directory. */
static stoa_status gather(void *user, const char *name, const stoa_file_info *info,
                          stoa_error *err) {
    (void)info;
    stoa_buffer *names = user;
    size_t size = strlen(name);
    if (size >= LEASE_NAME_BYTES) {
        return STOA_OK;
    }
    char entry[LEASE_NAME_BYTES] = {0};
    memcpy(entry, name, size);
    return stoa_buffer_append(names, entry, sizeof entry, err);
}

static bool parse_token(const char *text, const char *suffix, char *token) {
    size_t digits = strspn(text, "0123456789abcdef");
    if (digits != STOA_LEASE_TOKEN_BYTES - 1 || strcmp(text + digits, suffix) != 0) {
        return false;
    }
    memcpy(token, text, digits);
    token[digits] = '\0';
    return true;
}

/* "<commit>-<token>.reader" */
static bool parse_reader(const char *name, int64_t *commit_id, char *token) {
    char *end = NULL;
    if (name[0] < '0' || name[0] > '9') {
        return false;
    }
    *commit_id = strtoll(name, &end, 10);
    return *end == '-' && parse_token(end + 1, ".reader", token);
}

static stoa_status push_token(stoa_pool *pool, char (**list)[STOA_LEASE_TOKEN_BYTES],
                              int64_t *count, const char *token, stoa_error *err) {
    size_t item = STOA_LEASE_TOKEN_BYTES;
    STOA_TRY(stoa_pool_reallocate(pool, (void **)list, (size_t)*count * item,
                                  ((size_t)*count + 1) * item, err));
    memcpy((*list)[(*count)++], token, item);
    return STOA_OK;
}

/* Whether the holder of a lease lives. The proof of the contrary is a lock, given back at once. */
static stoa_status is_alive(stoa_database *database, const char *name, bool remove_dead, bool *out,
                            stoa_error *err) {
    char path[LEASE_NAME_BYTES + 8];
    char *uri = NULL;
    stoa_file *file = NULL;
    (void)snprintf(path, sizeof path, "leases/%s", name);
    STOA_TRY(stoa_database_path(database, path, &uri, err));
    stoa_status status = stoa_vfs_lock(database->file_systems, uri, NULL, &file, err);
    *out = status == STOA_LOCKED;
    if (status == STOA_OK && remove_dead) {
        STOA_IGNORE(stoa_vfs_remove(database->file_systems, uri, NULL, NULL));
    }
    stoa_file_close(file);
    stoa_pool_free_string(database->pool, uri);
    if (status == STOA_LOCKED) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}

static stoa_status sort_out(stoa_database *database, const char *name, stoa_lease_list *out,
                            stoa_error *err) {
    char token[STOA_LEASE_TOKEN_BYTES];
    int64_t commit_id = 0;
    bool alive = false;
    if (parse_reader(name, &commit_id, token)) {
        STOA_TRY(is_alive(database, name, true, &alive, err));
        if (alive && commit_id < out->horizon) {
            out->horizon = commit_id;
        }
    } else if (parse_token(name, ".writer", token)) {
        STOA_TRY(is_alive(database, name, false, &alive, err));
        return alive ? push_token(out->pool, &out->live, &out->live_count, token, err)
                     : push_token(out->pool, &out->dead, &out->dead_count, token, err);
    }
    return STOA_OK;
}

/* Without locks only this process is known to be alive, and readers are taken to be alive for the
 * grace period. */
static stoa_status read_remote(stoa_database *database, stoa_lease_list *out, stoa_error *err) {
    (void)pthread_mutex_lock(&database->lease_lock);
    stoa_status status = STOA_OK;
    if (database->writer_lease != NULL) {
        status = push_token(out->pool, &out->live, &out->live_count, database->writer_lease->token,
                            err);
    }
    (void)pthread_mutex_unlock(&database->lease_lock);
    STOA_TRY(status);
    return stoa_catalog_commit_before(database->catalog, stoa_clock_unix_ms() - database->grace_ms,
                                      &out->horizon, err);
}

stoa_status stoa_lease_list_read(stoa_database *database, stoa_lease_list *out, stoa_error *err) {
    *out = (stoa_lease_list){.pool = database->pool, .horizon = INT64_MAX};
    if (database->is_remote) {
        return read_remote(database, out, err);
    }
    stoa_buffer names;
    stoa_buffer_init(&names, database->pool);
    char *folder = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_database_path(database, "leases", &folder, err));
    STOA_CHECK(
        stoa_vfs_list(database->file_systems, folder, &database->context, gather, &names, err));
    for (size_t at = 0; at < names.size; at += LEASE_NAME_BYTES) {
        STOA_CHECK(sort_out(database, (const char *)names.data + at, out, err));
    }

done:
    if (status != STOA_OK) {
        stoa_lease_list_release(out);
    }
    stoa_pool_free_string(database->pool, folder);
    stoa_buffer_release(&names);
    return status;
}

void stoa_lease_list_release(stoa_lease_list *list) {
    stoa_pool_free(list->pool, list->live, (size_t)list->live_count * sizeof *list->live);
    stoa_pool_free(list->pool, list->dead, (size_t)list->dead_count * sizeof *list->dead);
    *list = (stoa_lease_list){.pool = list->pool};
}

bool stoa_lease_list_has_live(const stoa_lease_list *list, const char *token) {
    for (int64_t i = 0; i < list->live_count; i++) {
        if (memcmp(list->live[i], token, STOA_LEASE_TOKEN_BYTES - 1) == 0) {
            return true;
        }
    }
    return false;
}

void stoa_lease_forget(stoa_database *database, const char *token) {
    char path[LEASE_NAME_BYTES];
    char *uri = NULL;
    (void)snprintf(path, sizeof path, "leases/%s.writer", token);
    if (stoa_database_path(database, path, &uri, NULL) == STOA_OK) {
        STOA_IGNORE(stoa_vfs_remove(database->file_systems, uri, NULL, NULL));
        stoa_pool_free_string(database->pool, uri);
    }
}
