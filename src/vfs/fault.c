/* The fault file system: every call passes a gate that counts it and may refuse it, and then goes
 * to the file system behind.
 *
 * Lock: `fault->lock` guards the counts and the plan; it is not held during calls to the file system
 * behind, nor while a call hangs. */
#include "vfs/fault.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"

struct stoa_fault {
    pthread_mutex_t lock;
    stoa_pool *pool;
    stoa_fs inner;
    stoa_fs_operations operations; /* with the features of `inner` */
    size_t references;             /* the file system and its open files */
    stoa_fault_options options;
    uint64_t calls[STOA_FAULT_CALL_COUNT];
    uint64_t written_bytes;
    uint64_t random;
    uint64_t plans; /* made so far: a call that hangs goes on when there is another */
    bool happened;
};

struct fault_file {
    stoa_fault *fault;
    stoa_pool *pool;
    stoa_file *inner;
    const stoa_cancel *cancel; /* of the context it was opened with */
};

static const char *const call_names[STOA_FAULT_CALL_COUNT] = {
    "any",    "open",  "stat",           "list",     "make directory", "remove",
    "rename", "link",  "sync directory", "lock",     "put if",         "size",
    "read",   "write", "sync",           "truncate",
};

/* With the lock held. */
static stoa_status refuse(stoa_fault *fault, stoa_fault_call call, stoa_error *err) {
    const stoa_fault_options *options = &fault->options;
    fault->happened = true;
    return stoa_fail(err, options->status == STOA_OK ? STOA_IO : options->status,
                     "fault made for a test at call %" PRIu64 " (%s)", fault->calls[STOA_FAULT_ANY],
                     call_names[call]);
}

/* Waits for `delay_ms`, or (negative) until another plan is made; not beyond the token. */
static stoa_status linger(stoa_fault *fault, int64_t delay_ms, uint64_t plan,
                          const stoa_cancel *cancel, stoa_error *err) {
    const struct timespec pause = {.tv_nsec = 1000000};
    int64_t end_ns = stoa_clock_monotonic_ns() + delay_ms * 1000000;
    bool is_over = false;
    while (!is_over) {
        STOA_TRY(stoa_cancel_check(cancel, err));
        (void)nanosleep(&pause, NULL);
        (void)pthread_mutex_lock(&fault->lock);
        is_over = delay_ms < 0 ? fault->plans != plan : stoa_clock_monotonic_ns() >= end_ns;
        (void)pthread_mutex_unlock(&fault->lock);
    }
    return STOA_OK;
}

static stoa_status pass(stoa_fault *fault, stoa_fault_call call, const stoa_cancel *cancel,
                        stoa_error *err) {
    (void)pthread_mutex_lock(&fault->lock);
    const stoa_fault_options *options = &fault->options;
    fault->calls[STOA_FAULT_ANY]++;
    fault->calls[call]++;
    bool counts = options->call == STOA_FAULT_ANY || options->call == call;
    bool is_it = options->fail_at != 0 && counts && fault->calls[options->call] == options->fail_at;
    bool is_after = fault->happened && options->fails_on;
    bool hangs = options->hangs && (is_it || is_after);
    int64_t delay_ms = hangs ? -1 : counts ? (int64_t)options->delay_ms : 0;
    uint64_t plan = fault->plans;
    fault->happened = fault->happened || hangs;
    stoa_status status = (is_it || is_after) && !hangs ? refuse(fault, call, err) : STOA_OK;
    (void)pthread_mutex_unlock(&fault->lock);
    return status == STOA_OK && delay_ms != 0 ? linger(fault, delay_ms, plan, cancel, err) : status;
}

static stoa_status offers(bool there, stoa_error *err) {
    return there ? STOA_OK : stoa_fail(err, STOA_UNSUPPORTED, "its file system does not offer it");
}

/* With the lock held, which is gone afterwards. */
static void unreference(stoa_fault *fault) {
    bool is_last = --fault->references == 0;
    (void)pthread_mutex_unlock(&fault->lock);
    if (is_last) {
        (void)pthread_mutex_destroy(&fault->lock);
        stoa_pool_free(fault->pool, fault, sizeof *fault);
    }
}

static stoa_status file_size(void *state, uint64_t *out, stoa_error *err) {
    const struct fault_file *file = state;
    STOA_TRY(pass(file->fault, STOA_FAULT_SIZE, file->cancel, err));
    STOA_TRY(offers(file->inner->operations->size != NULL, err));
    return file->inner->operations->size(file->inner->state, out, err);
}

static stoa_status file_read_at(void *state, uint64_t offset, void *buffer, size_t size,
                                size_t *out_size, stoa_error *err) {
    const struct fault_file *file = state;
    stoa_fault *fault = file->fault;
    STOA_TRY(pass(fault, STOA_FAULT_READ, file->cancel, err));
    STOA_TRY(offers(file->inner->operations->read_at != NULL, err));
    (void)pthread_mutex_lock(&fault->lock);
    if (fault->options.shortens_reads && size > 1) {
        size = 1 + (size_t)(stoa_random_next(&fault->random) % size);
    }
    (void)pthread_mutex_unlock(&fault->lock);
    return file->inner->operations->read_at(file->inner->state, offset, buffer, size, out_size,
                                            err);
}

static stoa_status file_map(void *state, const void **out, uint64_t *out_size, stoa_error *err) {
    const struct fault_file *file = state;
    STOA_TRY(pass(file->fault, STOA_FAULT_READ, file->cancel, err));
    STOA_TRY(offers(file->inner->operations->map != NULL, err));
    return file->inner->operations->map(file->inner->state, out, out_size, err);
}

static stoa_status file_map_check(void *state, stoa_error *err) {
    const struct fault_file *file = state;
    STOA_TRY(pass(file->fault, STOA_FAULT_READ, file->cancel, err));
    return file->inner->operations->map_check == NULL
               ? STOA_OK
               : file->inner->operations->map_check(file->inner->state, err);
}

/* Stores into the map pass no gate. */
static stoa_status file_map_write(void *state, uint64_t size, void **out, stoa_error *err) {
    const struct fault_file *file = state;
    STOA_TRY(pass(file->fault, STOA_FAULT_WRITE, file->cancel, err));
    STOA_TRY(offers(file->inner->operations->map_write != NULL, err));
    return file->inner->operations->map_write(file->inner->state, size, out, err);
}

static void file_advise(void *state, uint64_t offset, uint64_t size, stoa_file_advice advice) {
    const struct fault_file *file = state;
    stoa_file_advise(file->inner, offset, size, advice);
}

/* How much of a write reaches the file behind, and what the caller is told. */
static stoa_status admit(const struct fault_file *file, size_t *size, stoa_error *err) {
    stoa_fault *fault = file->fault;
    stoa_status status = pass(fault, STOA_FAULT_WRITE, file->cancel, err);
    (void)pthread_mutex_lock(&fault->lock);
    uint64_t space = fault->options.space_bytes;
    uint64_t left = space == 0 ? UINT64_MAX : space - fault->written_bytes;
    if (status != STOA_OK) {
        *size = fault->options.tears_writes ? (size_t)(stoa_random_next(&fault->random) % *size)
                                            : 0;
    } else if (*size > left) {
        fault->happened = true;
        *size = (size_t)left;
        status = stoa_fail(err, STOA_IO, "no space left on device (a fault made for a test)");
    }
    fault->written_bytes += space == 0 ? 0 : *size < left ? *size : left;
    (void)pthread_mutex_unlock(&fault->lock);
    return status;
}

static stoa_status file_write(void *state, const void *bytes, size_t size, stoa_error *err) {
    const struct fault_file *file = state;
    STOA_TRY(offers(file->inner->operations->write != NULL, err));
    stoa_status refused = admit(file, &size, err);
    stoa_error *inner_err = refused == STOA_OK ? err : NULL;
    stoa_status status = size == 0 ? STOA_OK
                                   : file->inner->operations->write(file->inner->state, bytes, size,
                                                                    inner_err);
    return refused == STOA_OK ? status : refused;
}

static stoa_status file_sync(void *state, stoa_error *err) {
    const struct fault_file *file = state;
    STOA_TRY(pass(file->fault, STOA_FAULT_SYNC, file->cancel, err));
    STOA_TRY(offers(file->inner->operations->sync != NULL, err));
    return file->inner->operations->sync(file->inner->state, err);
}

static stoa_status file_truncate(void *state, uint64_t size, stoa_error *err) {
    const struct fault_file *file = state;
    STOA_TRY(pass(file->fault, STOA_FAULT_TRUNCATE, file->cancel, err));
    STOA_TRY(offers(file->inner->operations->truncate != NULL, err));
    return file->inner->operations->truncate(file->inner->state, size, err);
}

/* Space that is set aside is not taken from `space_bytes`: the write that uses it is. */
static stoa_status file_preallocate(void *state, uint64_t size, bool grow, stoa_error *err) {
    const struct fault_file *file = state;
    STOA_TRY(pass(file->fault, STOA_FAULT_WRITE, file->cancel, err));
    if (file->inner->operations->preallocate == NULL) {
        return grow ? offers(false, err) : STOA_OK;
    }
    return file->inner->operations->preallocate(file->inner->state, size, grow, err);
}

static void file_close(void *state) {
    struct fault_file *file = state;
    stoa_fault *fault = file->fault;
    stoa_file_close(file->inner);
    stoa_pool_free(file->pool, file, sizeof *file);
    (void)pthread_mutex_lock(&fault->lock);
    unreference(fault);
}

/* A handle around `inner`, which is closed when that fails. No `read_vector`: each range then comes
 * through `read_at`, where it is counted and shortened. */
static stoa_status wrap_file(stoa_fault *fault, const char *path, stoa_file *inner,
                             const stoa_context *context, stoa_file **out, stoa_error *err) {
    static const stoa_file_operations operations = {
        .size = file_size,
        .read_at = file_read_at,
        .write = file_write,
        .sync = file_sync,
        .truncate = file_truncate,
        .map = file_map,
        .map_check = file_map_check,
        .map_write = file_map_write,
        .advise = file_advise,
        .preallocate = file_preallocate,
        .close = file_close,
    };
    void *memory = NULL;
    stoa_status status = stoa_pool_allocate_array(context->pool, 1, sizeof(struct fault_file),
                                                  &memory, err);
    if (status == STOA_OK) {
        status = stoa_file_create(context->pool, path, &operations, memory, out, err);
    }
    if (status != STOA_OK) {
        stoa_pool_free(context->pool, memory, sizeof(struct fault_file));
        stoa_file_close(inner);
        return status;
    }
    *(struct fault_file *)memory = (struct fault_file){fault, context->pool, inner,
                                                       context->cancel};
    (void)pthread_mutex_lock(&fault->lock);
    fault->references++;
    (void)pthread_mutex_unlock(&fault->lock);
    return STOA_OK;
}

static stoa_status fs_open(void *state, const char *path, stoa_open_mode mode,
                           const stoa_context *context, stoa_file **out, stoa_error *err) {
    stoa_fault *fault = state;
    stoa_file *inner = NULL;
    STOA_TRY(pass(fault, STOA_FAULT_OPEN, context->cancel, err));
    STOA_TRY(offers(fault->inner.operations->open != NULL, err));
    STOA_TRY(fault->inner.operations->open(fault->inner.state, path, mode, context, &inner, err));
    return wrap_file(fault, path, inner, context, out, err);
}

static stoa_status fs_lock(void *state, const char *path, const stoa_context *context,
                           stoa_file **out, stoa_error *err) {
    stoa_fault *fault = state;
    stoa_file *inner = NULL;
    STOA_TRY(pass(fault, STOA_FAULT_LOCK, context->cancel, err));
    STOA_TRY(offers(fault->inner.operations->lock != NULL, err));
    STOA_TRY(fault->inner.operations->lock(fault->inner.state, path, context, &inner, err));
    return wrap_file(fault, path, inner, context, out, err);
}

static stoa_status fs_stat(void *state, const char *path, const stoa_context *context,
                           stoa_file_info *out, stoa_error *err) {
    stoa_fault *fault = state;
    STOA_TRY(pass(fault, STOA_FAULT_STAT, context->cancel, err));
    STOA_TRY(offers(fault->inner.operations->stat != NULL, err));
    return fault->inner.operations->stat(fault->inner.state, path, context, out, err);
}

static stoa_status fs_list(void *state, const char *path, const stoa_context *context,
                           stoa_list_function function, void *user, stoa_error *err) {
    stoa_fault *fault = state;
    STOA_TRY(pass(fault, STOA_FAULT_LIST, context->cancel, err));
    STOA_TRY(offers(fault->inner.operations->list != NULL, err));
    return fault->inner.operations->list(fault->inner.state, path, context, function, user, err);
}

static stoa_status fs_make_directory(void *state, const char *path, const stoa_context *context,
                                     stoa_error *err) {
    stoa_fault *fault = state;
    STOA_TRY(pass(fault, STOA_FAULT_MAKE_DIRECTORY, context->cancel, err));
    STOA_TRY(offers(fault->inner.operations->make_directory != NULL, err));
    return fault->inner.operations->make_directory(fault->inner.state, path, context, err);
}

static stoa_status fs_remove(void *state, const char *path, const stoa_context *context,
                             stoa_error *err) {
    stoa_fault *fault = state;
    STOA_TRY(pass(fault, STOA_FAULT_REMOVE, context->cancel, err));
    STOA_TRY(offers(fault->inner.operations->remove != NULL, err));
    return fault->inner.operations->remove(fault->inner.state, path, context, err);
}

static stoa_status fs_rename(void *state, const char *from, const char *to,
                             const stoa_context *context, stoa_error *err) {
    stoa_fault *fault = state;
    STOA_TRY(pass(fault, STOA_FAULT_RENAME, context->cancel, err));
    STOA_TRY(offers(fault->inner.operations->rename != NULL, err));
    return fault->inner.operations->rename(fault->inner.state, from, to, context, err);
}

static stoa_status fs_link(void *state, const char *from, const char *to,
                           const stoa_context *context, stoa_error *err) {
    stoa_fault *fault = state;
    STOA_TRY(pass(fault, STOA_FAULT_LINK, context->cancel, err));
    STOA_TRY(offers(fault->inner.operations->link != NULL, err));
    return fault->inner.operations->link(fault->inner.state, from, to, context, err);
}

static stoa_status fs_sync_directory(void *state, const char *path, const stoa_context *context,
                                     stoa_error *err) {
    stoa_fault *fault = state;
    STOA_TRY(pass(fault, STOA_FAULT_SYNC_DIRECTORY, context->cancel, err));
    STOA_TRY(offers(fault->inner.operations->sync_directory != NULL, err));
    return fault->inner.operations->sync_directory(fault->inner.state, path, context, err);
}

/* When the answer is lost, the store may have done it all the same. */
static bool happens_unseen(stoa_fault *fault) {
    (void)pthread_mutex_lock(&fault->lock);
    bool happens = fault->options.tears_writes && stoa_random_next(&fault->random) % 2 == 0;
    (void)pthread_mutex_unlock(&fault->lock);
    return happens;
}

static stoa_status fs_put_if(void *state, const char *path, const stoa_context *context,
                             const char *expected, const void *bytes, size_t size,
                             char *out_version, stoa_error *err) {
    stoa_fault *fault = state;
    const stoa_fs *inner = &fault->inner;
    stoa_file_info unseen;
    stoa_status refused = pass(fault, STOA_FAULT_PUT_IF, context->cancel, err);
    if (refused == STOA_OK) {
        STOA_TRY(offers(inner->operations->put_if != NULL, err));
        return inner->operations->put_if(inner->state, path, context, expected, bytes, size,
                                         out_version, err);
    }
    if (inner->operations->put_if != NULL && happens_unseen(fault)) {
        STOA_IGNORE(inner->operations->put_if(inner->state, path, context, expected, bytes, size,
                                              unseen.version, NULL));
    }
    return refused;
}

static void fs_close(void *state) {
    stoa_fault *fault = state;
    stoa_fs_close(&fault->inner);
    (void)pthread_mutex_lock(&fault->lock);
    unreference(fault);
}

stoa_status stoa_fs_fault_create(stoa_pool *pool, stoa_fs inner, stoa_fs *out,
                                 stoa_fault **out_fault, stoa_error *err) {
    static const stoa_fs_operations operations = {
        .open = fs_open,
        .stat = fs_stat,
        .list = fs_list,
        .make_directory = fs_make_directory,
        .remove = fs_remove,
        .rename = fs_rename,
        .link = fs_link,
        .sync_directory = fs_sync_directory,
        .lock = fs_lock,
        .put_if = fs_put_if,
        .close = fs_close,
    };
    void *memory = NULL;
    *out = (stoa_fs){0};
    *out_fault = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_fault), &memory, err));
    stoa_fault *fault = memory;
    fault->pool = pool;
    fault->inner = inner;
    fault->references = 1;
    fault->operations = operations;
    fault->operations.features = inner.operations->features;
    (void)pthread_mutex_init(&fault->lock, NULL);
    *out = (stoa_fs){&fault->operations, fault};
    *out_fault = fault;
    return STOA_OK;
}

void stoa_fault_plan(stoa_fault *fault, const stoa_fault_options *options) {
    (void)pthread_mutex_lock(&fault->lock);
    fault->options = options == NULL ? (stoa_fault_options){0} : *options;
    memset(fault->calls, 0, sizeof fault->calls);
    fault->written_bytes = 0;
    fault->random = fault->options.seed;
    fault->plans++;
    fault->happened = false;
    (void)pthread_mutex_unlock(&fault->lock);
}

uint64_t stoa_fault_calls(stoa_fault *fault, stoa_fault_call call) {
    (void)pthread_mutex_lock(&fault->lock);
    uint64_t calls = fault->calls[call];
    (void)pthread_mutex_unlock(&fault->lock);
    return calls;
}

bool stoa_fault_happened(stoa_fault *fault) {
    (void)pthread_mutex_lock(&fault->lock);
    bool happened = fault->happened;
    (void)pthread_mutex_unlock(&fault->lock);
    return happened;
}

stoa_fs *stoa_fault_inner(stoa_fault *fault) {
    return &fault->inner;
}
