/* The caching file system: reads by blocks, from the cache's files or from behind.
 *
 * Opening asks the file system behind for size and version, and nothing more; the file there is
 * opened when the first block is missing, and must then have the same version still. Within a
 * handle a block is unknown, busy (one thread fetches it, the others wait) or checked: then it is
 * read where it lies. Between handles and processes the locks of cache_store.c do the waiting.
 *
 * Lock: `file->lock` guards the states, `inner` and `is_opening`; it is not held during input and
 * output. */
#include "vfs/cache.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "vfs/cache_store.h"

enum { RUN_BLOCKS_MAX = 32 };
#define RUN_BYTES_MAX ((size_t)32 << 20)

enum block_state { BLOCK_UNKNOWN = 0, BLOCK_BUSY, BLOCK_CHECKED };

struct cached_fs {
    stoa_pool *pool;
    stoa_fs inner;
    stoa_fs_operations operations; /* those that `inner` has */
    stoa_cache *cache;
    char *name;
    atomic_size_t references; /* the file system and its open files */
};

struct cached_file {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    stoa_file *inner; /* NULL until a block is missing */
    bool is_opening;
    uint8_t *states; /* of enum block_state */
    struct cached_fs *fs;
    stoa_context context;
    char *path;
    stoa_file_info info;
    struct cache_entry entry;
    uint64_t block_count;
    atomic_bool is_full; /* the disk takes no more: what is missing is read past the cache */
    char *data_path;     /* once somebody asked for it */
};

/* ---- the file behind ---- */

static void wait_for_change(struct cached_file *file) {
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 10000000; /* the token is looked at in between */
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&file->changed, &file->lock, &until);
}

/* A file that changed since the handle was opened has other bytes than the entry says. */
static stoa_status check_version(struct cached_file *file, stoa_error *err) {
    stoa_file_info now = {0};
    struct cached_fs *fs = file->fs;
    STOA_TRY(fs->inner.operations->stat(fs->inner.state, file->path, &file->context, &now, err));
    if (strcmp(now.version, file->info.version) != 0 || now.size != file->info.size) {
        return stoa_fail(err, STOA_CONFLICT,
                         "the file changed while it was read: it was version '%s' and is '%s'",
                         file->info.version, now.version);
    }
    return STOA_OK;
}

static stoa_status open_inner(struct cached_file *file, stoa_file **out, stoa_error *err) {
    struct cached_fs *fs = file->fs;
    STOA_TRY(fs->inner.operations->open(fs->inner.state, file->path, STOA_OPEN_READ, &file->context,
                                        out, err));
    stoa_status status = check_version(file, err);
    if (status != STOA_OK) {
        stoa_file_close(*out);
        *out = NULL;
    }
    return status;
}

static stoa_status get_inner(struct cached_file *file, stoa_file **out, stoa_error *err) {
    stoa_status status = STOA_OK;
    (void)pthread_mutex_lock(&file->lock);
    while (file->is_opening && status == STOA_OK) {
        wait_for_change(file);
        status = stoa_cancel_check(file->context.cancel, err);
    }
    bool opens = status == STOA_OK && file->inner == NULL;
    file->is_opening = file->is_opening || opens;
    *out = file->inner;
    (void)pthread_mutex_unlock(&file->lock);
    if (!opens) {
        return status;
    }
    status = open_inner(file, out, err);
    (void)pthread_mutex_lock(&file->lock);
    file->is_opening = false;
    file->inner = *out;
    (void)pthread_cond_broadcast(&file->changed);
    (void)pthread_mutex_unlock(&file->lock);
    return status;
}

static stoa_status read_past(struct cached_file *file, uint64_t offset, void *buffer, size_t size,
                             size_t *out_size, stoa_error *err) {
    stoa_file *inner = NULL;
    STOA_TRY(get_inner(file, &inner, err));
    return inner->operations->read_at(inner->state, offset, buffer, size, out_size, err);
}

static stoa_status fetch(struct cached_file *file, uint64_t offset, uint8_t *buffer, size_t size,
                         stoa_error *err) {
    for (size_t done = 0; done < size;) {
        size_t got = 0;
        STOA_TRY(read_past(file, offset + done, buffer + done, size - done, &got, err));
        if (got == 0) {
            return stoa_fail(err, STOA_CORRUPT,
                             "expected %" PRIu64 " bytes but the file ends at %" PRIu64,
                             file->info.size, offset + done);
        }
        done += got;
    }
    return STOA_OK;
}

/* ---- blocks ---- */

/* Consecutive blocks that this thread alone looks after, and their bytes. */
struct run {
    uint64_t first;
    uint64_t count;
    uint8_t *bytes;
    bool is_there[RUN_BLOCKS_MAX];  /* in `bytes` */
    bool is_stored[RUN_BLOCKS_MAX]; /* and in the cache */
};

static uint8_t *run_block(const struct cached_file *file, const struct run *run, uint64_t index) {
    return run->bytes + index * file->entry.block_bytes;
}

/* Takes from the cache what is there; true when nothing is missing. */
static bool load_run(const struct cached_file *file, struct run *run) {
    bool is_whole = true;
    for (uint64_t i = 0; i < run->count; i++) {
        if (!run->is_there[i]) {
            run->is_there[i] = stoa_cache_block_read(&file->entry, run->first + i,
                                                     run_block(file, run, i));
            run->is_stored[i] = run->is_there[i];
        }
        is_whole = is_whole && run->is_there[i];
    }
    return is_whole;
}

/* Reads what is missing from behind, adjacent blocks at once, and stores it. */
static stoa_status fetch_run(struct cached_file *file, struct run *run, stoa_error *err) {
    for (uint64_t i = 0; i < run->count;) {
        size_t bytes = 0;
        uint64_t end = i;
        for (; end < run->count && !run->is_there[end]; end++) {
            bytes += stoa_cache_block_size(&file->entry, run->first + end);
        }
        if (bytes > 0) {
            STOA_TRY(fetch(file, (run->first + i) * file->entry.block_bytes,
                           run_block(file, run, i), bytes, err));
        }
        for (; i < end; i++) {
            run->is_there[i] = true;
            run->is_stored[i] = stoa_cache_block_write(&file->entry, run->first + i,
                                                       run_block(file, run, i));
            if (!run->is_stored[i]) {
                /* relaxed: a hint, taken sooner or later */
                atomic_store_explicit(&file->is_full, true, memory_order_relaxed);
            }
        }
        i += end == i ? 1 : 0;
    }
    return STOA_OK;
}

static stoa_status fill_run(struct cached_file *file, struct run *run, stoa_error *err) {
    if (load_run(file, run)) {
        return STOA_OK;
    }
    STOA_TRY(
        stoa_cache_blocks_lock(&file->entry, run->first, run->count, file->context.cancel, err));
    stoa_status status = load_run(file, run) ? STOA_OK : fetch_run(file, run, err);
    stoa_cache_blocks_unlock(&file->entry, run->first, run->count);
    return status;
}

/* Waits until nobody is busy with `block`. Then either it is checked (`run->count` 0), or it and the
 * unknown ones after it, up to `last`, are this thread's. */
static stoa_status claim(struct cached_file *file, uint64_t block, uint64_t last, struct run *run,
                         stoa_error *err) {
    uint64_t most = RUN_BYTES_MAX / file->entry.block_bytes;
    stoa_status status = STOA_OK;
    most = most < 1 ? 1 : most < RUN_BLOCKS_MAX ? most : RUN_BLOCKS_MAX;
    *run = (struct run){.first = block};
    (void)pthread_mutex_lock(&file->lock);
    while (file->states[block] == BLOCK_BUSY && status == STOA_OK) {
        wait_for_change(file);
        status = stoa_cancel_check(file->context.cancel, err);
    }
    while (status == STOA_OK && run->count < most && block + run->count <= last &&
           file->states[block + run->count] == BLOCK_UNKNOWN) {
        file->states[block + run->count++] = BLOCK_BUSY;
    }
    (void)pthread_mutex_unlock(&file->lock);
    return status;
}

static void unclaim(struct cached_file *file, const struct run *run) {
    (void)pthread_mutex_lock(&file->lock);
    for (uint64_t i = 0; i < run->count; i++) {
        file->states[run->first + i] = run->is_stored[i] ? BLOCK_CHECKED : BLOCK_UNKNOWN;
    }
    (void)pthread_cond_broadcast(&file->changed);
    (void)pthread_mutex_unlock(&file->lock);
}

/* A checked block is read where it lies; when somebody cut the file since, it is unknown again. */
static bool read_checked(struct cached_file *file, uint64_t block, uint64_t offset, void *buffer,
                         size_t size) {
    ssize_t got;
    do {
        got = pread(file->entry.data, buffer, size, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    if (got == (ssize_t)size) {
        return true;
    }
    (void)pthread_mutex_lock(&file->lock);
    file->states[block] = file->states[block] == BLOCK_CHECKED ? BLOCK_UNKNOWN
                                                               : file->states[block];
    (void)pthread_mutex_unlock(&file->lock);
    return false;
}

/* Brings a claimed run's bytes, gives the part that begins at `offset`, and unclaims it. */
static stoa_status read_run(struct cached_file *file, struct run *run, uint64_t offset,
                            void *buffer, size_t size, size_t *out_size, stoa_error *err) {
    stoa_pool *pool = file->context.pool;
    size_t run_bytes = (size_t)run->count * file->entry.block_bytes;
    void *memory = NULL;
    if (stoa_pool_allocate(pool, run_bytes, &memory, NULL) != STOA_OK) {
        unclaim(file, run); /* a cache makes no read fail: what was asked for needs no memory */
        return read_past(file, offset, buffer, size, out_size, err);
    }
    run->bytes = memory;
    stoa_status status = fill_run(file, run, err);
    if (status == STOA_OK && buffer != NULL) {
        uint64_t begin = offset - run->first * file->entry.block_bytes;
        *out_size = size < run_bytes - begin ? size : (size_t)(run_bytes - begin);
        memcpy(buffer, run->bytes + begin, *out_size);
    }
    unclaim(file, run);
    stoa_pool_free(pool, memory, run_bytes);
    return status;
}

static stoa_status cached_read_at(void *state, uint64_t offset, void *buffer, size_t size,
                                  size_t *out_size, stoa_error *err) {
    struct cached_file *file = state;
    struct run run;
    *out_size = 0;
    if (offset >= file->info.size || size == 0) {
        return STOA_OK;
    }
    uint64_t left = file->info.size - offset;
    size = left < size ? (size_t)left : size;
    uint64_t block = offset / file->entry.block_bytes;
    uint64_t last = (offset + size - 1) / file->entry.block_bytes;
    for (;;) {
        STOA_TRY(stoa_cancel_check(file->context.cancel, err));
        STOA_TRY(claim(file, block, last, &run, err));
        if (run.count > 0) {
            break;
        }
        uint64_t block_left = (block + 1) * file->entry.block_bytes - offset;
        *out_size = block_left < size ? (size_t)block_left : size;
        if (read_checked(file, block, offset, buffer, *out_size)) {
            return STOA_OK;
        }
    }
    if (atomic_load_explicit(&file->is_full, memory_order_relaxed)) {
        unclaim(file, &run);
        return read_past(file, offset, buffer, size, out_size, err);
    }
    return read_run(file, &run, offset, buffer, size, out_size, err);
}

static stoa_status cached_size(void *state, uint64_t *out, stoa_error *err) {
    (void)err;
    *out = ((const struct cached_file *)state)->info.size;
    return STOA_OK;
}

/* ---- files ---- */

/* The last one frees: what the others did is visible to it. */
static void unreference(struct cached_fs *fs) {
    if (atomic_fetch_sub_explicit(&fs->references, 1, memory_order_acq_rel) == 1) {
        stoa_cache_close(fs->cache);
        stoa_pool_free_string(fs->pool, fs->name);
        stoa_pool_free(fs->pool, fs, sizeof *fs);
    }
}

static void cached_close(void *state) {
    struct cached_file *file = state;
    struct cached_fs *fs = file->fs;
    stoa_pool *pool = file->context.pool;
    stoa_file_close(file->inner);
    stoa_cache_entry_close(&file->entry);
    stoa_pool_free(pool, file->states, (size_t)file->block_count);
    stoa_pool_free_string(pool, file->path);
    stoa_pool_free_string(pool, file->data_path);
    (void)pthread_cond_destroy(&file->changed);
    (void)pthread_mutex_destroy(&file->lock);
    stoa_pool_free(pool, file, sizeof *file);
    unreference(fs);
}

static const stoa_file_operations reading = {
    .size = cached_size,
    .read_at = cached_read_at,
    .close = cached_close,
};

static stoa_status make_file(struct cached_fs *fs, const char *path, const stoa_context *context,
                             const stoa_file_info *info, struct cache_entry *entry, stoa_file **out,
                             stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(struct cached_file), &memory, err));
    struct cached_file *file = memory;
    file->fs = fs;
    file->context = *context;
    file->info = *info;
    file->entry = *entry;
    file->block_count = (info->size + entry->block_bytes - 1) / entry->block_bytes;
    (void)atomic_fetch_add_explicit(&fs->references, 1, memory_order_relaxed);
    (void)pthread_mutex_init(&file->lock, NULL);
    (void)pthread_cond_init(&file->changed, NULL);
    *entry = (struct cache_entry){0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_pool_copy_string(context->pool, path, &file->path, err));
    STOA_CHECK(stoa_pool_allocate_array(context->pool, (size_t)file->block_count, 1, &memory, err));
    file->states = memory;
    STOA_CHECK(stoa_file_create(context->pool, path, &reading, file, out, err));
    return STOA_OK;

done:
    cached_close(file);
    return status;
}

static stoa_status fs_open(void *state, const char *path, stoa_open_mode mode,
                           const stoa_context *context, stoa_file **out, stoa_error *err) {
    struct cached_fs *fs = state;
    const stoa_fs_operations *inner = fs->inner.operations;
    stoa_file_info info = {0};
    struct cache_entry entry;
    if (mode == STOA_OPEN_UPDATE) { /* stores into a map change no version */
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "files behind a read cache are not changed in place");
    }
    if (mode == STOA_OPEN_READ && inner->stat != NULL) {
        STOA_TRY(inner->stat(fs->inner.state, path, context, &info, err));
    }
    /* What has no version cannot be recognised; what has no bytes need not be kept. */
    if (info.is_directory || info.version[0] == '\0' || info.size == 0 ||
        !stoa_cache_entry_open(fs->cache, fs->name, path, info.version, info.size, &entry)) {
        return inner->open(fs->inner.state, path, mode, context, out, err);
    }
    stoa_status status = make_file(fs, path, context, &info, &entry, out, err);
    stoa_cache_entry_close(&entry);
    return status;
}

static bool is_checked(struct cached_file *file) {
    (void)pthread_mutex_lock(&file->lock);
    uint64_t block = 0;
    while (block < file->block_count && file->states[block] == BLOCK_CHECKED) {
        block++;
    }
    (void)pthread_mutex_unlock(&file->lock);
    return block == file->block_count;
}

stoa_status stoa_cached_file_path(stoa_file *handle, const char **out, stoa_error *err) {
    *out = NULL;
    if (handle->operations != &reading) {
        return STOA_OK;
    }
    struct cached_file *file = handle->state;
    char path[PATH_MAX];
    for (uint64_t block = 0; block < file->block_count;) {
        struct run run;
        size_t ignored;
        STOA_TRY(stoa_cancel_check(file->context.cancel, err));
        STOA_TRY(claim(file, block, file->block_count - 1, &run, err));
        if (run.count > 0) {
            STOA_TRY(read_run(file, &run, block * file->entry.block_bytes, NULL, 0, &ignored, err));
        }
        if (atomic_load_explicit(&file->is_full, memory_order_relaxed)) {
            return STOA_OK;
        }
        block += run.count > 0 ? run.count : 1;
    }
    if (!is_checked(file) || !stoa_cache_data_path(&file->entry, path, sizeof path)) {
        return STOA_OK;
    }
    if (file->data_path == NULL) {
        STOA_TRY(stoa_pool_copy_string(file->context.pool, path, &file->data_path, err));
    }
    *out = file->data_path;
    return STOA_OK;
}

/* ---- the rest goes to the file system behind ---- */

static stoa_status fs_stat(void *state, const char *path, const stoa_context *context,
                           stoa_file_info *out, stoa_error *err) {
    const stoa_fs *inner = &((struct cached_fs *)state)->inner;
    return inner->operations->stat(inner->state, path, context, out, err);
}

static stoa_status fs_list(void *state, const char *path, const stoa_context *context,
                           stoa_list_function function, void *user, stoa_error *err) {
    const stoa_fs *inner = &((struct cached_fs *)state)->inner;
    return inner->operations->list(inner->state, path, context, function, user, err);
}

static stoa_status fs_list_tree(void *state, const char *path, const stoa_context *context,
                                stoa_list_function function, void *user, stoa_error *err) {
    const stoa_fs *inner = &((struct cached_fs *)state)->inner;
    return inner->operations->list_tree(inner->state, path, context, function, user, err);
}

static stoa_status fs_remove_tree(void *state, const char *path, const stoa_context *context,
                                  stoa_error *err) {
    const stoa_fs *inner = &((struct cached_fs *)state)->inner;
    return inner->operations->remove_tree(inner->state, path, context, err);
}

static stoa_status fs_make_directory(void *state, const char *path, const stoa_context *context,
                                     stoa_error *err) {
    const stoa_fs *inner = &((struct cached_fs *)state)->inner;
    return inner->operations->make_directory(inner->state, path, context, err);
}

static stoa_status fs_remove(void *state, const char *path, const stoa_context *context,
                             stoa_error *err) {
    const stoa_fs *inner = &((struct cached_fs *)state)->inner;
    return inner->operations->remove(inner->state, path, context, err);
}

static stoa_status fs_rename(void *state, const char *from, const char *to,
                             const stoa_context *context, stoa_error *err) {
    const stoa_fs *inner = &((struct cached_fs *)state)->inner;
    return inner->operations->rename(inner->state, from, to, context, err);
}

static stoa_status fs_link(void *state, const char *from, const char *to,
                           const stoa_context *context, stoa_error *err) {
    const stoa_fs *inner = &((struct cached_fs *)state)->inner;
    return inner->operations->link(inner->state, from, to, context, err);
}

static stoa_status fs_sync_directory(void *state, const char *path, const stoa_context *context,
                                     stoa_error *err) {
    const stoa_fs *inner = &((struct cached_fs *)state)->inner;
    return inner->operations->sync_directory(inner->state, path, context, err);
}

static stoa_status fs_lock(void *state, const char *path, const stoa_context *context,
                           stoa_file **out, stoa_error *err) {
    const stoa_fs *inner = &((struct cached_fs *)state)->inner;
    return inner->operations->lock(inner->state, path, context, out, err);
}

static stoa_status fs_put_if(void *state, const char *path, const stoa_context *context,
                             const char *expected, const void *bytes, size_t size,
                             char *out_version, stoa_error *err) {
    const stoa_fs *inner = &((struct cached_fs *)state)->inner;
    return inner->operations->put_if(inner->state, path, context, expected, bytes, size,
                                     out_version, err);
}

static void fs_close(void *state) {
    struct cached_fs *fs = state;
    stoa_fs_close(&fs->inner);
    unreference(fs);
}

stoa_status stoa_fs_cached_create(stoa_pool *pool, stoa_fs inner, const char *name,
                                  stoa_cache *cache, stoa_fs *out, stoa_error *err) {
    void *memory = NULL;
    const stoa_fs_operations *behind = inner.operations;
    *out = (stoa_fs){0};
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct cached_fs), &memory, err));
    struct cached_fs *fs = memory;
    stoa_status status = stoa_pool_copy_string(pool, name, &fs->name, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, fs, sizeof *fs);
        return status;
    }
    fs->pool = pool;
    fs->inner = inner;
    fs->cache = stoa_cache_retain(cache);
    atomic_init(&fs->references, 1);
    fs->operations = (stoa_fs_operations){
        .open = behind->open == NULL ? NULL : fs_open,
        .stat = behind->stat == NULL ? NULL : fs_stat,
        .list = behind->list == NULL ? NULL : fs_list,
        .make_directory = behind->make_directory == NULL ? NULL : fs_make_directory,
        .remove = behind->remove == NULL ? NULL : fs_remove,
        .rename = behind->rename == NULL ? NULL : fs_rename,
        .link = behind->link == NULL ? NULL : fs_link,
        .sync_directory = behind->sync_directory == NULL ? NULL : fs_sync_directory,
        .lock = behind->lock == NULL ? NULL : fs_lock,
        .put_if = behind->put_if == NULL ? NULL : fs_put_if,
        .list_tree = behind->list_tree == NULL ? NULL : fs_list_tree,
        .remove_tree = behind->remove_tree == NULL ? NULL : fs_remove_tree,
        .close = fs_close,
        .features = behind->features,
    };
    *out = (stoa_fs){&fs->operations, fs};
    return STOA_OK;
}
