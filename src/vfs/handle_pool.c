/* The handle pool: SHARDS hash tables of entries in chains, each with a lock of its own and a list of
 * its idle entries, the one not used for longest first. A path is always in the same shard, whatever
 * its version.
 *
 * An entry is held (`references` counts by whom), idle (in the list), or dropped: not in the table any
 * more, and closed by the last who puts it back.
 *
 * Locks    `shard.lock` guards the table, the list and the entries of one shard. It is not held while
 *          a file is opened or closed, and never two at once. Two threads may open the same file at
 *          the same time; the second one to be done takes the first one's. */
#include "vfs/handle_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/hash.h"
#include "vfs/registry.h"

enum { SHARDS = 16, BUCKETS = 64, HANDLES_DEFAULT = 256, VERSION_BYTES = 64 };

struct stoa_handle {
    struct stoa_handle *next; /* in its chain, or in a list of those to be closed */
    struct stoa_handle *older;
    struct stoa_handle *newer;
    const stoa_fs *fs;
    char *path;
    uint64_t hash;
    char version[VERSION_BYTES];
    stoa_file *file;
    size_t references;
    bool is_dropped;
};

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct stoa_handle *buckets[BUCKETS];
    struct stoa_handle *oldest; /* of the idle ones */
    struct stoa_handle *newest;
    size_t idle;
    uint64_t hits;
    uint64_t misses;
    uint64_t changes; /* of paths of this shard */
};

struct stoa_handle_pool {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    size_t handle_count_max;
    atomic_size_t open;      /* relaxed: a bound, not a lock */
    atomic_uint next_victim; /* the shard that gives next; relaxed */
    struct shard shards[SHARDS];
};

static struct shard *shard_of(stoa_handle_pool *handles, uint64_t hash) {
    return &handles->shards[hash % SHARDS];
}

static struct stoa_handle **bucket_of(struct shard *shard, uint64_t hash) {
    return &shard->buckets[(hash / SHARDS) % BUCKETS];
}

/* With the lock held. */
static void idle_remove(struct shard *shard, struct stoa_handle *handle) {
    *(handle->older == NULL ? &shard->oldest : &handle->older->newer) = handle->newer;
    *(handle->newer == NULL ? &shard->newest : &handle->newer->older) = handle->older;
    handle->older = NULL;
    handle->newer = NULL;
    shard->idle--;
}

/* With the lock held. */
static void idle_append(struct shard *shard, struct stoa_handle *handle) {
    handle->older = shard->newest;
    *(shard->newest == NULL ? &shard->oldest : &shard->newest->newer) = handle;
    shard->newest = handle;
    shard->idle++;
}

/* Takes an entry out of the table; an idle one goes to `*closing`. With the lock held. */
static void drop(struct shard *shard, struct stoa_handle **place, struct stoa_handle **closing) {
    struct stoa_handle *handle = *place;
    *place = handle->next;
    handle->next = NULL;
    handle->is_dropped = true;
    if (handle->references == 0) {
        idle_remove(shard, handle);
        handle->next = *closing;
        *closing = handle;
    }
}

/* Without any lock: closing a file may take its time. */
static size_t close_all(stoa_handle_pool *handles, struct stoa_handle *closing) {
    size_t count = 0;
    while (closing != NULL) {
        struct stoa_handle *handle = closing;
        closing = handle->next;
        stoa_file_close(handle->file);
        stoa_pool_free_string(handles->pool, handle->path);
        stoa_pool_free(handles->pool, handle, sizeof *handle);
        (void)atomic_fetch_sub_explicit(&handles->open, 1, memory_order_relaxed);
        count++;
    }
    return count;
}

/* What a look-up looks for. */
struct key {
    const stoa_fs *fs;
    const char *path;
    const char *version;
    uint64_t hash;
};

static bool has_path(const struct stoa_handle *handle, const struct key *key) {
    return handle->hash == key->hash && handle->fs == key->fs &&
           strcmp(handle->path, key->path) == 0;
}

/* The entry, which the caller holds then; NULL when there is none. Entries of other versions are
 * dropped. With the lock held. */
static struct stoa_handle *take(struct shard *shard, const struct key *key,
                                struct stoa_handle **closing) {
    struct stoa_handle **place = bucket_of(shard, key->hash);
    while (*place != NULL) {
        struct stoa_handle *handle = *place;
        if (!has_path(handle, key)) {
            place = &handle->next;
        } else if (strcmp(handle->version, key->version) != 0) {
            drop(shard, place, closing);
        } else {
            if (handle->references++ == 0) {
                idle_remove(shard, handle);
            }
            return handle;
        }
    }
    return NULL;
}

static struct stoa_handle *oldest_of(struct shard *shard, struct stoa_handle **closing) {
    struct stoa_handle *oldest = shard->oldest;
    if (oldest != NULL) {
        struct stoa_handle **place = bucket_of(shard, oldest->hash);
        while (*place != oldest) {
            place = &(*place)->next;
        }
        drop(shard, place, closing);
    }
    return oldest;
}

size_t stoa_handle_pool_close_idle(stoa_handle_pool *handles, size_t count) {
    size_t closed = 0;
    unsigned empty = 0;
    while (closed < count && empty < SHARDS) {
        struct stoa_handle *closing = NULL;
        unsigned at = atomic_fetch_add_explicit(&handles->next_victim, 1, memory_order_relaxed);
        struct shard *shard = &handles->shards[at % SHARDS];
        (void)pthread_mutex_lock(&shard->lock);
        empty = oldest_of(shard, &closing) == NULL ? empty + 1 : 0;
        (void)pthread_mutex_unlock(&shard->lock);
        closed += close_all(handles, closing);
    }
    return closed;
}

static stoa_status open_handle(stoa_handle_pool *handles, const char *uri, const struct key *key,
                               struct stoa_handle **out, stoa_error *err) {
    const stoa_context context = {.pool = handles->pool};
    void *memory = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_pool_allocate_array(handles->pool, 1, sizeof(struct stoa_handle), &memory, err));
    struct stoa_handle *handle = memory;
    STOA_CHECK(stoa_pool_copy_string(handles->pool, key->path, &handle->path, err));
    STOA_CHECK(stoa_vfs_open(handles->registry, uri, STOA_OPEN_READ, &context, &handle->file, err));
    handle->fs = key->fs;
    handle->hash = key->hash;
    memcpy(handle->version, key->version, strlen(key->version) + 1);
    handle->references = 1;
    (void)atomic_fetch_add_explicit(&handles->open, 1, memory_order_relaxed);
    *out = handle;
    return STOA_OK;

done:
    stoa_pool_free_string(handles->pool, handle->path);
    stoa_pool_free(handles->pool, handle, sizeof *handle);
    return status;
}

/* `changes` is what the shard had counted before: when a path was changed while the file was opened,
 * nobody knows which content this is, and it serves its caller only. */
static stoa_status miss(stoa_handle_pool *handles, const char *uri, const struct key *key,
                        uint64_t changes, struct stoa_handle **out, stoa_error *err) {
    struct shard *shard = shard_of(handles, key->hash);
    struct stoa_handle *closing = NULL;
    struct stoa_handle *handle = NULL;
    size_t open = atomic_load_explicit(&handles->open, memory_order_relaxed);
    if (open >= handles->handle_count_max) {
        (void)stoa_handle_pool_close_idle(handles, open - handles->handle_count_max + 1);
    }
    STOA_TRY(open_handle(handles, uri, key, &handle, err));
    (void)pthread_mutex_lock(&shard->lock);
    struct stoa_handle *other = take(shard, key, &closing);
    if (other != NULL) {
        handle->next = closing;
        closing = handle;
        handle = other;
    } else if (shard->changes != changes) {
        handle->is_dropped = true;
    } else {
        struct stoa_handle **bucket = bucket_of(shard, key->hash);
        handle->next = *bucket;
        *bucket = handle;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    (void)close_all(handles, closing);
    *out = handle;
    return STOA_OK;
}

stoa_status stoa_handle_pool_get(stoa_handle_pool *handles, const char *uri, const char *version,
                                 stoa_handle **out, stoa_error *err) {
    stoa_fs *fs = NULL;
    struct key key = {.version = version};
    struct stoa_handle *closing = NULL;
    *out = NULL;
    if (strlen(version) >= VERSION_BYTES) {
        return stoa_fail(err, STOA_INVALID, "expected a version of less than %d bytes for '%s'",
                         VERSION_BYTES, uri);
    }
    STOA_TRY(stoa_fs_find(handles->registry, uri, &fs, &key.path, err));
    key.fs = fs;
    key.hash = stoa_hash64(key.path, strlen(key.path));
    struct shard *shard = shard_of(handles, key.hash);
    (void)pthread_mutex_lock(&shard->lock);
    *out = take(shard, &key, &closing);
    *(*out != NULL ? &shard->hits : &shard->misses) += 1;
    uint64_t changes = shard->changes;
    (void)pthread_mutex_unlock(&shard->lock);
    (void)close_all(handles, closing);
    return *out != NULL ? STOA_OK : miss(handles, uri, &key, changes, out, err);
}

stoa_file *stoa_handle_file(const stoa_handle *handle) {
    return handle->file;
}

void stoa_handle_put(stoa_handle_pool *handles, stoa_handle *handle) {
    struct shard *shard = shard_of(handles, handle->hash);
    struct stoa_handle *closing = NULL;
    bool is_over = atomic_load_explicit(&handles->open, memory_order_relaxed) >
                   handles->handle_count_max;
    (void)pthread_mutex_lock(&shard->lock);
    STOA_ASSERT(handle->references > 0);
    if (--handle->references == 0 && handle->is_dropped) {
        closing = handle;
    } else if (handle->references == 0) {
        idle_append(shard, handle);
        if (is_over) {
            (void)oldest_of(shard, &closing);
        }
    }
    (void)pthread_mutex_unlock(&shard->lock);
    (void)close_all(handles, closing);
}

/* What a registry tells of a path that was written or removed. */
static void path_changed(void *user, const stoa_fs *fs, const char *path) {
    stoa_handle_pool *handles = user;
    const struct key key = {fs, path, "", stoa_hash64(path, strlen(path))};
    struct shard *shard = shard_of(handles, key.hash);
    struct stoa_handle *closing = NULL;
    (void)pthread_mutex_lock(&shard->lock);
    shard->changes++;
    struct stoa_handle **place = bucket_of(shard, key.hash);
    while (*place != NULL) {
        if (has_path(*place, &key)) {
            drop(shard, place, &closing);
        } else {
            place = &(*place)->next;
        }
    }
    (void)pthread_mutex_unlock(&shard->lock);
    (void)close_all(handles, closing);
}

/* A directory took its files along, or brought others. */
static void tree_changed(void *user, const stoa_fs *fs, const char *path) {
    stoa_handle_pool *handles = user;
    size_t length = strlen(path);
    struct stoa_handle *closing = NULL;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &handles->shards[i];
        (void)pthread_mutex_lock(&shard->lock);
        shard->changes++;
        for (size_t b = 0; b < BUCKETS; b++) {
            struct stoa_handle **place = &shard->buckets[b];
            while (*place != NULL) {
                const char *own = (*place)->path;
                bool is_below = (*place)->fs == fs && strncmp(own, path, length) == 0 &&
                                (own[length] == '\0' || own[length] == '/');
                if (is_below) {
                    drop(shard, place, &closing);
                } else {
                    place = &(*place)->next;
                }
            }
        }
        (void)pthread_mutex_unlock(&shard->lock);
    }
    (void)close_all(handles, closing);
}

static bool give_back(void *user) {
    return stoa_handle_pool_close_idle(user, SHARDS) > 0;
}

stoa_handle_pool_counts stoa_handle_pool_count(stoa_handle_pool *handles) {
    stoa_handle_pool_counts counts = {
        .open = atomic_load_explicit(&handles->open, memory_order_relaxed)};
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &handles->shards[i];
        (void)pthread_mutex_lock(&shard->lock);
        counts.hits += shard->hits;
        counts.misses += shard->misses;
        counts.idle += shard->idle;
        (void)pthread_mutex_unlock(&shard->lock);
    }
    return counts;
}

stoa_status stoa_handle_pool_create(stoa_pool *pool, stoa_fs_registry *registry,
                                    const stoa_handle_pool_options *options, stoa_handle_pool **out,
                                    stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_handle_pool), &memory, err));
    stoa_handle_pool *handles = memory;
    stoa_fs_watcher watcher = {path_changed, tree_changed, give_back, handles};
    stoa_status status = stoa_fs_registry_watch(registry, &watcher, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, handles, sizeof *handles);
        return status;
    }
    handles->pool = pool;
    handles->registry = registry;
    handles->handle_count_max = options == NULL || options->handle_count_max == 0
                                    ? (size_t)HANDLES_DEFAULT
                                    : options->handle_count_max;
    for (size_t i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_init(&handles->shards[i].lock, NULL);
    }
    *out = handles;
    return STOA_OK;
}

void stoa_handle_pool_close(stoa_handle_pool *handles) {
    if (handles == NULL) {
        return;
    }
    stoa_fs_registry_unwatch(handles->registry);
    (void)stoa_handle_pool_close_idle(handles, SIZE_MAX);
    STOA_ASSERT(atomic_load(&handles->open) == 0);
    for (size_t i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_destroy(&handles->shards[i].lock);
    }
    stoa_pool_free(handles->pool, handles, sizeof *handles);
}
