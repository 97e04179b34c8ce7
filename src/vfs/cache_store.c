/* The cache on disk. Each version of each file is an entry of two files, named by a 128-bit hash of
 * file system, path, version, size and block size:
 *
 *     <key>.data   the file's bytes where they lie in the file, with holes
 *     <key>.map    for each block 8 bytes: 0, or a checksum of the block, mixed with key and number
 *
 * A block is written first and its checksum after it, without a sync: after kill -9 the kernel has
 * both or the block alone, and after a power cut a block that does not fit its checksum is not
 * there. So a torn, flipped, cut or mixed-up block is never served: whoever reads a block for the
 * first time through a handle compares. A version is part of the name, so an entry never changes
 * its meaning, and two processes that write one block write the same bytes.
 *
 * Locks are open-file-description locks on the map, which end with the process: on the 8 bytes of a
 * block while somebody fetches it, so that others wait and find it there; and shared on one byte far
 * behind while a handle is open, which eviction asks for alone before it removes an entry. The time
 * of the map's last change is that of the last use, which gives the order of eviction. Nobody keeps
 * a count of bytes for all: each cache adds up the directory when it has stored a sixteenth of its
 * limit since it last did. */
#include "vfs/cache_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"

enum { KEY_DIGITS = 32, SUFFIX_BYTES = 6, LOOKS_EACH_LIMIT = 16, OPEN_ATTEMPTS = 100 };
#define DEFAULT_LIMIT_BYTES (UINT64_C(10) << 30)
#define DEFAULT_BLOCK_BYTES (UINT32_C(1) << 20)
#define BLOCK_BYTES_MAX (UINT32_C(64) << 20)
#define USE_OFFSET ((off_t)1 << 62) /* the byte that says: in use */

struct stoa_cache {
    pthread_mutex_t lock; /* guards what follows up to `is_full` */
    size_t references;
    uint64_t unseen_bytes; /* stored since the directory was last added up */
    bool complained;
    bool is_full; /* the last look found no room */
    stoa_pool *pool;
    char *directory;
    uint64_t limit_bytes;
    uint32_t block_bytes;
    stoa_logger logger;
};

/* ---- settings ---- */

stoa_status stoa_cache_directory(stoa_pool *pool, char **out, stoa_error *err) {
    const char *own = getenv("STOA_CACHE_DIR");
    const char *shared = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    *out = NULL;
    if (own != NULL && own[0] != '\0') {
        return stoa_pool_copy_string(pool, own, out, err);
    }
    if (shared != NULL && shared[0] == '/') {
        return stoa_vfs_join(pool, shared, "stoa-files", out, err);
    }
    if (home != NULL && home[0] == '/') {
        return stoa_vfs_join(pool, home, ".cache/stoa-files", out, err);
    }
    return stoa_fail(err, STOA_NOT_FOUND,
                     "no directory for the cache: none of STOA_CACHE_DIR, XDG_CACHE_HOME and HOME "
                     "is set");
}

stoa_status stoa_cache_limit(uint64_t *out, stoa_error *err) {
    const char *text = getenv("STOA_CACHE_BYTES");
    const char *directory = getenv("STOA_CACHE_DIR");
    size_t limit = 0;
    *out = directory != NULL && directory[0] != '\0' ? DEFAULT_LIMIT_BYTES : 0;
    if (text == NULL || text[0] == '\0') {
        return STOA_OK;
    }
    stoa_status status = stoa_memory_size_parse(text, &limit, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "STOA_CACHE_BYTES");
        return status;
    }
    *out = limit;
    return STOA_OK;
}

static stoa_status take_settings(stoa_cache *cache, const stoa_cache_options *options,
                                 stoa_error *err) {
    cache->block_bytes = options->block_bytes == 0 ? DEFAULT_BLOCK_BYTES : options->block_bytes;
    cache->limit_bytes = options->limit_bytes == 0 ? DEFAULT_LIMIT_BYTES : options->limit_bytes;
    if (cache->block_bytes % 4096 != 0 || cache->block_bytes > BLOCK_BYTES_MAX) {
        return stoa_fail(err, STOA_INVALID,
                         "expected a block size that is a multiple of 4096, at most %" PRIu32
                         ", but found %" PRIu32,
                         BLOCK_BYTES_MAX, cache->block_bytes);
    }
    if (options->logger != NULL) {
        cache->logger = *options->logger;
    }
    return options->directory == NULL
               ? stoa_cache_directory(cache->pool, &cache->directory, err)
               : stoa_pool_copy_string(cache->pool, options->directory, &cache->directory, err);
}

stoa_status stoa_cache_create(stoa_pool *pool, const stoa_cache_options *options, stoa_cache **out,
                              stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_cache), &memory, err));
    stoa_cache *cache = memory;
    cache->pool = pool;
    cache->references = 1;
    cache->unseen_bytes = UINT64_MAX; /* look before storing anything */
    stoa_status status = take_settings(cache, options, err);
    if (status != STOA_OK) {
        stoa_pool_free_string(pool, cache->directory);
        stoa_pool_free(pool, cache, sizeof *cache);
        return status;
    }
    (void)pthread_mutex_init(&cache->lock, NULL);
    *out = cache;
    return STOA_OK;
}

void stoa_cache_set_logger(stoa_cache *cache, const stoa_logger *logger) {
    cache->logger = *logger;
}

stoa_cache *stoa_cache_retain(stoa_cache *cache) {
    (void)pthread_mutex_lock(&cache->lock);
    cache->references++;
    (void)pthread_mutex_unlock(&cache->lock);
    return cache;
}

void stoa_cache_close(stoa_cache *cache) {
    if (cache == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&cache->lock);
    bool is_last = --cache->references == 0;
    (void)pthread_mutex_unlock(&cache->lock);
    if (is_last) {
        (void)pthread_mutex_destroy(&cache->lock);
        stoa_pool_free_string(cache->pool, cache->directory);
        stoa_pool_free(cache->pool, cache, sizeof *cache);
    }
}

void stoa_cache_complain(stoa_cache *cache, const char *what, int number) {
    (void)pthread_mutex_lock(&cache->lock);
    bool is_first = !cache->complained;
    cache->complained = true;
    (void)pthread_mutex_unlock(&cache->lock);
    if (is_first) {
        stoa_error err = STOA_ERROR_NONE;
        (void)stoa_fail_system(&err, number);
        stoa_log(&cache->logger, STOA_LOG_WARN, "vfs",
                 "cannot %s the cache in '%s': %s; going on without", what, cache->directory,
                 err.message);
    }
}

/* ---- locks ---- */

static bool lock_bytes(int descriptor, short kind, off_t start, off_t length) {
    struct flock range = {.l_type = kind, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    int result;
    do {
        result = fcntl(descriptor, F_OFD_SETLK, &range);
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

stoa_status stoa_cache_blocks_lock(const struct cache_entry *entry, uint64_t block, uint64_t count,
                                   const stoa_cancel *cancel, stoa_error *err) {
    const struct timespec pause = {.tv_nsec = 1000000};
    while (!lock_bytes(entry->map, F_WRLCK, (off_t)(block * 8), (off_t)(count * 8))) {
        if (errno != EAGAIN && errno != EACCES) {
            return STOA_OK;
        }
        STOA_TRY(stoa_cancel_check(cancel, err));
        (void)nanosleep(&pause, NULL);
    }
    return STOA_OK;
}

void stoa_cache_blocks_unlock(const struct cache_entry *entry, uint64_t block, uint64_t count) {
    (void)lock_bytes(entry->map, F_UNLCK, (off_t)(block * 8), (off_t)(count * 8));
}

/* ---- adding up and eviction ---- */

struct candidate {
    struct timespec used;
    uint64_t bytes;
    char key[KEY_DIGITS + 1];
};

static int compare_candidates(const void *a, const void *b) {
    const struct candidate *one = a, *other = b;
    if (one->used.tv_sec != other->used.tv_sec) {
        return one->used.tv_sec < other->used.tv_sec ? -1 : 1;
    }
    return (one->used.tv_nsec > other->used.tv_nsec) - (one->used.tv_nsec < other->used.tv_nsec);
}

/* What `name` and a suffix occupy; 0 when it is gone. */
static uint64_t file_bytes(int directory, const char *key, const char *suffix,
                           struct timespec *out_used) {
    char name[KEY_DIGITS + SUFFIX_BYTES];
    struct stat info;
    (void)snprintf(name, sizeof name, "%.32s%s", key, suffix);
    if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return 0;
    }
    *out_used = info.st_mtim;
    return (uint64_t)info.st_blocks * 512;
}

/* Every entry has one of its two files counted as the candidate; a map without data and data without
 * a map (somebody was killed while removing) count as well. */
static stoa_status add_candidate(stoa_buffer *list, int directory, const char *name,
                                 uint64_t *total, stoa_error *err) {
    struct candidate candidate = {.bytes = 0};
    struct timespec ignored;
    size_t length = strlen(name);
    bool is_map = length == KEY_DIGITS + 4 && strcmp(name + KEY_DIGITS, ".map") == 0;
    bool is_data = length == KEY_DIGITS + 5 && strcmp(name + KEY_DIGITS, ".data") == 0;
    if (!is_map && !is_data) {
        return STOA_OK;
    }
    memcpy(candidate.key, name, KEY_DIGITS);
    if (is_data && file_bytes(directory, name, ".map", &ignored) > 0) {
        return STOA_OK; /* counted with its map */
    }
    candidate.bytes = file_bytes(directory, name, ".data", &candidate.used);
    candidate.bytes += file_bytes(directory, name, ".map", &candidate.used);
    *total += candidate.bytes;
    return stoa_buffer_append(list, &candidate, sizeof candidate, err);
}

static stoa_status list_candidates(stoa_cache *cache, stoa_buffer *list, uint64_t *total,
                                   stoa_error *err) {
    DIR *directory = opendir(cache->directory);
    *total = 0;
    if (directory == NULL) {
        return errno == ENOENT ? STOA_OK : stoa_fail_system(err, errno);
    }
    stoa_status status = STOA_OK;
    for (const struct dirent *entry = readdir(directory); entry != NULL && status == STOA_OK;
         entry = readdir(directory)) {
        status = add_candidate(list, dirfd(directory), entry->d_name, total, err);
    }
    (void)closedir(directory);
    return status;
}

stoa_status stoa_cache_used(stoa_cache *cache, uint64_t *out, stoa_error *err) {
    stoa_buffer list = {.pool = cache->pool};
    stoa_status status = list_candidates(cache, &list, out, err);
    stoa_buffer_release(&list);
    return status;
}

static bool entry_path(const stoa_cache *cache, const char *key, const char *suffix,
                       char out[PATH_MAX]) {
    int length = snprintf(out, PATH_MAX, "%s/%s%s", cache->directory, key, suffix);
    return length > 0 && length < PATH_MAX;
}

/* Removes an entry that nobody uses. The map goes last: while it is there, so is its lock. */
static bool evict(const stoa_cache *cache, const char *key) {
    char data_path[PATH_MAX], map_path[PATH_MAX];
    if (!entry_path(cache, key, ".data", data_path) || !entry_path(cache, key, ".map", map_path)) {
        return false;
    }
    int map = open(map_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool is_alone = map >= 0 && lock_bytes(map, F_WRLCK, USE_OFFSET, 1);
    if (is_alone) {
        (void)unlink(data_path);
        (void)unlink(map_path);
    }
    if (map >= 0) {
        (void)close(map);
    }
    return is_alone;
}

/* Removes what was not used for longest, until a tenth of the limit is free or all is in use. */
static stoa_status make_room(stoa_cache *cache, bool *out_full, stoa_error *err) {
    stoa_buffer list = {.pool = cache->pool};
    uint64_t total = 0;
    uint64_t goal = cache->limit_bytes - cache->limit_bytes / 10;
    stoa_status status = list_candidates(cache, &list, &total, err);
    size_t count = list.size / sizeof(struct candidate);
    struct candidate *candidates = (struct candidate *)(void *)list.data;
    if (status == STOA_OK && total > goal && count > 0) {
        qsort(candidates, count, sizeof *candidates, compare_candidates);
        for (size_t i = 0; i < count && total > goal; i++) {
            total -= evict(cache, candidates[i].key) ? candidates[i].bytes : 0;
        }
    }
    *out_full = status != STOA_OK || total >= cache->limit_bytes;
    stoa_buffer_release(&list);
    return status;
}

/* Whether `bytes` more may be stored. The directory is added up by one thread at a time, without the
 * lock: the others go on with what the last look found. */
static bool has_room(stoa_cache *cache, uint64_t bytes) {
    uint64_t interval = cache->limit_bytes / LOOKS_EACH_LIMIT;
    (void)pthread_mutex_lock(&cache->lock);
    bool looks = cache->unseen_bytes > interval || cache->unseen_bytes + bytes > interval;
    cache->unseen_bytes = looks ? bytes : cache->unseen_bytes + bytes;
    bool is_full = cache->is_full;
    (void)pthread_mutex_unlock(&cache->lock);
    if (looks) {
        STOA_IGNORE(make_room(cache, &is_full, NULL)); /* what cannot be looked at is full */
        (void)pthread_mutex_lock(&cache->lock);
        cache->is_full = is_full;
        (void)pthread_mutex_unlock(&cache->lock);
    }
    return !is_full;
}

/* ---- entries ---- */

static void make_key(const char *name, const char *path, const char *version, uint64_t size,
                     uint32_t block_bytes, uint64_t out[2]) {
    for (uint64_t half = 0; half < 2; half++) {
        const uint64_t numbers[] = {half, size, block_bytes};
        stoa_hash_stream stream;
        stoa_hash_stream_init(&stream);
        stoa_hash_stream_update(&stream, numbers, sizeof numbers);
        stoa_hash_stream_update(&stream, name, strlen(name) + 1);
        stoa_hash_stream_update(&stream, path, strlen(path) + 1);
        stoa_hash_stream_update(&stream, version, strlen(version) + 1);
        out[half] = stoa_hash_stream_finish(&stream);
    }
}

static void print_key(const uint64_t key[2], char out[KEY_DIGITS + 1]) {
    (void)snprintf(out, KEY_DIGITS + 1, "%016" PRIx64 "%016" PRIx64, key[0], key[1]);
}

static bool make_directories(const char *directory) {
    char path[PATH_MAX];
    size_t length = strlen(directory);
    if (length >= sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(path, directory, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            char kept = path[i];
            path[i] = '\0';
            if (mkdir(path, 0700) != 0 && errno != EEXIST) {
                return false;
            }
            path[i] = kept;
        }
    }
    return true;
}

/* Marks a map as used. False while it is being removed; where locks cannot be had, all is in use. */
static bool mark_used(int map) {
    return lock_bytes(map, F_RDLCK, USE_OFFSET, 1) || (errno != EAGAIN && errno != EACCES);
}

static bool is_named(const char *path, int descriptor) {
    struct stat named, held;
    return fstat(descriptor, &held) == 0 && stat(path, &named) == 0 &&
           named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

/* Opens the map and marks it as used. One that is being removed is made again. */
static int open_map(const char *path) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
        int map = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (map < 0 || (mark_used(map) && is_named(path, map))) {
            return map;
        }
        (void)close(map);
        (void)nanosleep(&pause, NULL);
    }
    errno = EBUSY;
    return -1;
}

static bool open_files(struct cache_entry *entry) {
    char key[KEY_DIGITS + 1], path[PATH_MAX];
    print_key(entry->key, key);
    if (!entry_path(entry->cache, key, ".map", path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    entry->map = open_map(path);
    if (entry->map < 0 && errno == ENOENT && make_directories(entry->cache->directory)) {
        entry->map = open_map(path);
    }
    if (entry->map < 0) {
        return false;
    }
    if (!entry_path(entry->cache, key, ".data", path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    entry->data = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    (void)futimens(entry->map, NULL);
    return entry->data >= 0;
}

bool stoa_cache_entry_open(stoa_cache *cache, const char *name, const char *path,
                           const char *version, uint64_t size, struct cache_entry *out) {
    *out = (struct cache_entry){.cache = cache, .data = -1, .map = -1, .size = size};
    out->block_bytes = cache->block_bytes;
    make_key(name, path, version, size, cache->block_bytes, out->key);
    if (!open_files(out)) {
        stoa_cache_complain(cache, "use", errno);
        stoa_cache_entry_close(out);
        return false;
    }
    return true;
}

void stoa_cache_entry_close(struct cache_entry *entry) {
    if (entry->cache == NULL) {
        return;
    }
    if (entry->map >= 0) {
        (void)futimens(entry->map, NULL);
        (void)close(entry->map);
    }
    if (entry->data >= 0) {
        (void)close(entry->data);
    }
    *entry = (struct cache_entry){0};
}

bool stoa_cache_data_path(const struct cache_entry *entry, char *out, size_t size) {
    char key[KEY_DIGITS + 1];
    print_key(entry->key, key);
    int length = snprintf(out, size, "%s/%s.data", entry->cache->directory, key);
    return length > 0 && (size_t)length < size;
}

/* ---- blocks ---- */

size_t stoa_cache_block_size(const struct cache_entry *entry, uint64_t block) {
    uint64_t begin = block * entry->block_bytes;
    uint64_t left = entry->size - begin;
    return left < entry->block_bytes ? (size_t)left : entry->block_bytes;
}

/* Never 0, which says that the block is not there. */
static uint64_t checksum(const struct cache_entry *entry, uint64_t block, const uint8_t *bytes) {
    uint64_t sum = stoa_hash64(bytes, stoa_cache_block_size(entry, block)) ^
                   stoa_hash_u64(entry->key[0] + block);
    return sum == 0 ? 1 : sum;
}

static bool read_fully(int descriptor, void *out, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(descriptor, (uint8_t *)out + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

static bool write_fully(int descriptor, const void *bytes, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t put = pwrite(descriptor, (const uint8_t *)bytes + done, size - done,
                             (off_t)(offset + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            errno = put == 0 ? ENOSPC : errno;
            return false;
        }
        done += (size_t)put;
    }
    return true;
}

bool stoa_cache_block_read(const struct cache_entry *entry, uint64_t block, uint8_t *out) {
    uint64_t sum = 0;
    return read_fully(entry->map, &sum, sizeof sum, block * sizeof sum) && sum != 0 &&
           read_fully(entry->data, out, stoa_cache_block_size(entry, block),
                      block * entry->block_bytes) &&
           checksum(entry, block, out) == sum;
}

bool stoa_cache_block_write(const struct cache_entry *entry, uint64_t block, const uint8_t *bytes) {
    size_t size = stoa_cache_block_size(entry, block);
    uint64_t sum = checksum(entry, block, bytes);
    if (!has_room(entry->cache, size)) {
        return false;
    }
    if (!write_fully(entry->data, bytes, size, block * entry->block_bytes) ||
        !write_fully(entry->map, &sum, sizeof sum, block * sizeof sum)) {
        stoa_cache_complain(entry->cache, "write to", errno);
        return false;
    }
    return true;
}
