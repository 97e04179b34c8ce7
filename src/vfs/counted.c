/* The counting file system: each call is passed on between two looks at the clock. Figures are
 * atomic counters that nobody waits for; nothing is ordered by them. */
#include "vfs/counted.h"

#include <stdatomic.h>

#include "base/clock.h"

struct figures {
    atomic_uint_fast64_t calls, errors, bytes;
    stoa_latency latency;
};

struct stoa_counted {
    stoa_pool *pool;
    stoa_fs inner;
    stoa_fs_operations operations; /* those that `inner` has */
    atomic_size_t references;      /* the file system and its open files */
    struct figures figures[STOA_COUNTED_CALL_COUNT];
};

struct counted_file {
    stoa_counted *counted;
    stoa_pool *pool;
    stoa_file *inner;
    stoa_file_operations operations; /* those that `inner` has */
};

static void add(atomic_uint_fast64_t *to, uint64_t value) {
    (void)atomic_fetch_add_explicit(to, value, memory_order_relaxed);
}

static stoa_status count(stoa_counted *counted, stoa_counted_call call, int64_t start_ns,
                         uint64_t bytes, stoa_status status) {
    struct figures *figures = &counted->figures[call];
    add(&figures->calls, 1);
    stoa_latency_add(&figures->latency, stoa_clock_monotonic_ns() - start_ns);
    if (status != STOA_OK) {
        add(&figures->errors, 1);
    } else if (bytes > 0) {
        add(&figures->bytes, bytes);
    }
    return status;
}

/* The last one frees: what the others did is visible to it. */
static void unreference(stoa_counted *counted) {
    if (atomic_fetch_sub_explicit(&counted->references, 1, memory_order_acq_rel) == 1) {
        stoa_pool_free(counted->pool, counted, sizeof *counted);
    }
}

static stoa_status file_size(void *state, uint64_t *out, stoa_error *err) {
    const struct counted_file *file = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = file->inner->operations->size(file->inner->state, out, err);
    return count(file->counted, STOA_COUNTED_SIZE, start, 0, status);
}

static stoa_status file_read_at(void *state, uint64_t offset, void *buffer, size_t size,
                                size_t *out_size, stoa_error *err) {
    const struct counted_file *file = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = file->inner->operations->read_at(file->inner->state, offset, buffer, size,
                                                          out_size, err);
    return count(file->counted, STOA_COUNTED_READ, start, status == STOA_OK ? *out_size : 0,
                 status);
}

static stoa_status file_read_vector(void *state, const stoa_read_range *ranges, size_t range_count,
                                    stoa_error *err) {
    const struct counted_file *file = state;
    uint64_t bytes = 0;
    for (size_t i = 0; i < range_count; i++) {
        bytes += ranges[i].size;
    }
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = file->inner->operations->read_vector(file->inner->state, ranges,
                                                              range_count, err);
    return count(file->counted, STOA_COUNTED_READ, start, bytes, status);
}

static stoa_status file_map(void *state, const void **out, uint64_t *out_size, stoa_error *err) {
    const struct counted_file *file = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = file->inner->operations->map(file->inner->state, out, out_size, err);
    return count(file->counted, STOA_COUNTED_MAP, start, status == STOA_OK ? *out_size : 0, status);
}

static stoa_status file_map_check(void *state, stoa_error *err) {
    const struct counted_file *file = state;
    return file->inner->operations->map_check(file->inner->state, err);
}

static stoa_status file_map_write(void *state, uint64_t size, void **out, stoa_error *err) {
    const struct counted_file *file = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = file->inner->operations->map_write(file->inner->state, size, out, err);
    return count(file->counted, STOA_COUNTED_MAP, start, status == STOA_OK ? size : 0, status);
}

static const uint32_t *file_map_mark(void *state) {
    const struct counted_file *file = state;
    return file->inner->operations->map_mark(file->inner->state);
}

static void file_advise(void *state, uint64_t offset, uint64_t size, stoa_file_advice advice) {
    const struct counted_file *file = state;
    file->inner->operations->advise(file->inner->state, offset, size, advice);
}

static stoa_status file_preallocate(void *state, uint64_t size, bool grow, stoa_error *err) {
    const struct counted_file *file = state;
    return file->inner->operations->preallocate(file->inner->state, size, grow, err);
}

static stoa_status file_write(void *state, const void *bytes, size_t size, stoa_error *err) {
    const struct counted_file *file = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = file->inner->operations->write(file->inner->state, bytes, size, err);
    return count(file->counted, STOA_COUNTED_WRITE, start, size, status);
}

static stoa_status file_sync(void *state, stoa_error *err) {
    const struct counted_file *file = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = file->inner->operations->sync(file->inner->state, err);
    return count(file->counted, STOA_COUNTED_SYNC, start, 0, status);
}

static stoa_status file_truncate(void *state, uint64_t size, stoa_error *err) {
    const struct counted_file *file = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = file->inner->operations->truncate(file->inner->state, size, err);
    return count(file->counted, STOA_COUNTED_TRUNCATE, start, 0, status);
}

static void file_close(void *state) {
    struct counted_file *file = state;
    stoa_counted *counted = file->counted;
    stoa_file_close(file->inner);
    stoa_pool_free(file->pool, file, sizeof *file);
    unreference(counted);
}

/* What the file behind lacks is lacking here, so that callers hear the same. */
static stoa_file_operations offered_by(const stoa_file_operations *inner) {
    return (stoa_file_operations){
        .size = inner->size == NULL ? NULL : file_size,
        .read_at = inner->read_at == NULL ? NULL : file_read_at,
        .read_vector = inner->read_vector == NULL ? NULL : file_read_vector,
        .map = inner->map == NULL ? NULL : file_map,
        .map_check = inner->map_check == NULL ? NULL : file_map_check,
        .map_write = inner->map_write == NULL ? NULL : file_map_write,
        .map_mark = inner->map_mark == NULL ? NULL : file_map_mark,
        .advise = inner->advise == NULL ? NULL : file_advise,
        .preallocate = inner->preallocate == NULL ? NULL : file_preallocate,
        .write = inner->write == NULL ? NULL : file_write,
        .sync = inner->sync == NULL ? NULL : file_sync,
        .truncate = inner->truncate == NULL ? NULL : file_truncate,
        .close = file_close,
    };
}

/* A handle around `inner`, which is closed when that fails. */
static stoa_status wrap_file(stoa_counted *counted, const char *path, stoa_file *inner,
                             const stoa_context *context, stoa_file **out, stoa_error *err) {
    void *memory = NULL;
    stoa_status status = stoa_pool_allocate_array(context->pool, 1, sizeof(struct counted_file),
                                                  &memory, err);
    struct counted_file *file = memory;
    if (status == STOA_OK) {
        *file = (struct counted_file){counted, context->pool, inner, offered_by(inner->operations)};
        status = stoa_file_create(context->pool, path, &file->operations, file, out, err);
    }
    if (status != STOA_OK) {
        stoa_pool_free(context->pool, memory, sizeof(struct counted_file));
        stoa_file_close(inner);
        return status;
    }
    (void)atomic_fetch_add_explicit(&counted->references, 1, memory_order_relaxed);
    return STOA_OK;
}

static stoa_status fs_open(void *state, const char *path, stoa_open_mode mode,
                           const stoa_context *context, stoa_file **out, stoa_error *err) {
    stoa_counted *counted = state;
    stoa_file *inner = NULL;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->open(counted->inner.state, path, mode, context,
                                                         &inner, err);
    STOA_TRY(count(counted, STOA_COUNTED_OPEN, start, 0, status));
    return wrap_file(counted, path, inner, context, out, err);
}

static stoa_status fs_lock(void *state, const char *path, const stoa_context *context,
                           stoa_file **out, stoa_error *err) {
    stoa_counted *counted = state;
    stoa_file *inner = NULL;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->lock(counted->inner.state, path, context,
                                                         &inner, err);
    STOA_TRY(count(counted, STOA_COUNTED_LOCK, start, 0, status));
    return wrap_file(counted, path, inner, context, out, err);
}

static stoa_status fs_stat(void *state, const char *path, const stoa_context *context,
                           stoa_file_info *out, stoa_error *err) {
    stoa_counted *counted = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->stat(counted->inner.state, path, context, out,
                                                         err);
    return count(counted, STOA_COUNTED_STAT, start, 0, status);
}

static stoa_status fs_list(void *state, const char *path, const stoa_context *context,
                           stoa_list_function function, void *user, stoa_error *err) {
    stoa_counted *counted = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->list(counted->inner.state, path, context,
                                                         function, user, err);
    return count(counted, STOA_COUNTED_LIST, start, 0, status);
}

static stoa_status fs_list_tree(void *state, const char *path, const stoa_context *context,
                                stoa_list_function function, void *user, stoa_error *err) {
    stoa_counted *counted = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->list_tree(counted->inner.state, path, context,
                                                              function, user, err);
    return count(counted, STOA_COUNTED_LIST, start, 0, status);
}

static stoa_status fs_remove_tree(void *state, const char *path, const stoa_context *context,
                                  stoa_error *err) {
    stoa_counted *counted = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->remove_tree(counted->inner.state, path, context,
                                                                err);
    return count(counted, STOA_COUNTED_REMOVE, start, 0, status);
}

static stoa_status fs_make_directory(void *state, const char *path, const stoa_context *context,
                                     stoa_error *err) {
    stoa_counted *counted = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->make_directory(counted->inner.state, path,
                                                                   context, err);
    return count(counted, STOA_COUNTED_MAKE_DIRECTORY, start, 0, status);
}

static stoa_status fs_remove(void *state, const char *path, const stoa_context *context,
                             stoa_error *err) {
    stoa_counted *counted = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->remove(counted->inner.state, path, context,
                                                           err);
    return count(counted, STOA_COUNTED_REMOVE, start, 0, status);
}

static stoa_status fs_rename(void *state, const char *from, const char *to,
                             const stoa_context *context, stoa_error *err) {
    stoa_counted *counted = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->rename(counted->inner.state, from, to, context,
                                                           err);
    return count(counted, STOA_COUNTED_RENAME, start, 0, status);
}

static stoa_status fs_link(void *state, const char *from, const char *to,
                           const stoa_context *context, stoa_error *err) {
    stoa_counted *counted = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->link(counted->inner.state, from, to, context,
                                                         err);
    return count(counted, STOA_COUNTED_LINK, start, 0, status);
}

static stoa_status fs_sync_directory(void *state, const char *path, const stoa_context *context,
                                     stoa_error *err) {
    stoa_counted *counted = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->sync_directory(counted->inner.state, path,
                                                                   context, err);
    return count(counted, STOA_COUNTED_SYNC_DIRECTORY, start, 0, status);
}

static stoa_status fs_put_if(void *state, const char *path, const stoa_context *context,
                             const char *expected, const void *bytes, size_t size,
                             char *out_version, stoa_error *err) {
    stoa_counted *counted = state;
    int64_t start = stoa_clock_monotonic_ns();
    stoa_status status = counted->inner.operations->put_if(counted->inner.state, path, context,
                                                           expected, bytes, size, out_version, err);
    return count(counted, STOA_COUNTED_PUT_IF, start, size, status);
}

static void fs_close(void *state) {
    stoa_counted *counted = state;
    stoa_fs_close(&counted->inner);
    unreference(counted);
}

stoa_status stoa_fs_counted_create(stoa_pool *pool, stoa_fs inner, stoa_fs *out,
                                   stoa_counted **out_counted, stoa_error *err) {
    void *memory = NULL;
    *out = (stoa_fs){0};
    *out_counted = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_counted), &memory, err));
    stoa_counted *counted = memory;
    const stoa_fs_operations *behind = inner.operations;
    counted->pool = pool;
    counted->inner = inner;
    atomic_init(&counted->references, 1);
    counted->operations = (stoa_fs_operations){
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
    *out = (stoa_fs){&counted->operations, counted};
    *out_counted = counted;
    return STOA_OK;
}

static uint64_t load(const atomic_uint_fast64_t *from) {
    return atomic_load_explicit(from, memory_order_relaxed);
}

void stoa_counted_get(const stoa_counted *counted, stoa_counted_call call,
                      stoa_counted_figures *out) {
    const struct figures *figures = &counted->figures[call];
    out->calls = load(&figures->calls);
    out->errors = load(&figures->errors);
    out->bytes = load(&figures->bytes);
    stoa_latency_get(&figures->latency, &out->latency);
}

void stoa_counted_reset(stoa_counted *counted) {
    for (size_t call = 0; call < STOA_COUNTED_CALL_COUNT; call++) {
        struct figures *figures = &counted->figures[call];
        atomic_store_explicit(&figures->calls, 0, memory_order_relaxed);
        atomic_store_explicit(&figures->errors, 0, memory_order_relaxed);
        atomic_store_explicit(&figures->bytes, 0, memory_order_relaxed);
        stoa_latency_reset(&figures->latency);
    }
}

stoa_status stoa_counted_print(const stoa_counted *counted, stoa_buffer *out, stoa_error *err) {
    static const char *const names[STOA_COUNTED_CALL_COUNT] = {
        "open", "stat", "list", "make directory", "remove", "rename", "link", "sync directory",
        "lock", "put",  "size", "read",           "map",    "write",  "sync", "truncate",
    };
    for (size_t call = 0; call < STOA_COUNTED_CALL_COUNT; call++) {
        stoa_counted_figures figures;
        const stoa_latency_figures *latency = &figures.latency;
        stoa_counted_get(counted, (stoa_counted_call)call, &figures);
        if (figures.calls == 0) {
            continue;
        }
        STOA_TRY(stoa_buffer_append_format(out, err,
                                           "%-14s %8" PRIu64 " calls %6" PRIu64 " failed %12" PRIu64
                                           " bytes   p50 %.1f  p90 %.1f  p99 %.1f  max %.1f us\n",
                                           names[call], figures.calls, figures.errors,
                                           figures.bytes,
                                           (double)stoa_latency_percentile_ns(latency, 0.5) / 1e3,
                                           (double)stoa_latency_percentile_ns(latency, 0.9) / 1e3,
                                           (double)stoa_latency_percentile_ns(latency, 0.99) / 1e3,
                                           (double)latency->ns_max / 1e3));
    }
    return STOA_OK;
}
