/* Open local files, and reading them: pread and preadv, so that any number of threads share a
 * handle, and maps, which map_guard.c keeps from ending the process. Files opened to update are written
 * through maps; all other writing: local_write.c. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mem/pool.h"
#include "vfs/local.h"
#include "vfs/map_guard.h"

/* Linux moves at most 0x7ffff000 bytes in one call. */
enum {
    TRANSFER_BYTES_MAX = 1 << 30,
    VECTOR_RANGES_MAX = 64,
    RANGES_AHEAD = 32,
    GROUPS_A_QUESTION = 8
};

struct local_file {
    stoa_pool *pool;
    int descriptor;
    int failed_sync;              /* errno of the first failed sync; 0: none */
    atomic_bool wants_huge_pages; /* a part of the map was said to be read in order */
    stoa_guarded_map map;
};

static stoa_status local_size(void *state, uint64_t *out, stoa_error *err) {
    const struct local_file *file = state;
    struct stat info;
    if (fstat(file->descriptor, &info) != 0) {
        return stoa_fail_system(err, errno);
    }
    *out = (uint64_t)info.st_size;
    return STOA_OK;
}

static stoa_status local_read_at(void *state, uint64_t offset, void *buffer, size_t size,
                                 size_t *out_size, stoa_error *err) {
    const struct local_file *file = state;
    ssize_t got;
    size_t part = size < TRANSFER_BYTES_MAX ? size : TRANSFER_BYTES_MAX;
    do {
        got = pread(file->descriptor, buffer, part, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return stoa_fail_system(err, errno);
    }
    *out_size = (size_t)got;
    return STOA_OK;
}

static stoa_status read_range(struct local_file *file, const stoa_read_range *range,
                              stoa_error *err) {
    size_t done = 0;
    while (done < range->size) {
        size_t got = 0;
        STOA_TRY(local_read_at(file, range->offset + done, (uint8_t *)range->buffer + done,
                               range->size - done, &got, err));
        if (got == 0) {
            return stoa_fail(err, STOA_CORRUPT,
                             "expected %zu bytes at byte %" PRIu64 " but the file ends after %zu",
                             range->size, range->offset, done);
        }
        done += got;
    }
    return STOA_OK;
}

/* How many of the ranges follow each other without a gap, and so can be one preadv. */
static size_t adjacent(const stoa_read_range *ranges, size_t count) {
    size_t n = 1;
    size_t bytes = ranges[0].size;
    while (n < count && n < VECTOR_RANGES_MAX && bytes < TRANSFER_BYTES_MAX &&
           ranges[n].size < TRANSFER_BYTES_MAX - bytes &&
           ranges[n].offset == ranges[n - 1].offset + ranges[n - 1].size) {
        bytes += ranges[n].size;
        n++;
    }
    return n;
}

/* Asks the system to fetch the next ranges while this one is waited for. On a cold disk small ranges
 * come four times as fast, a little faster than through io_uring (bench/vfs). */
static void announce(const struct local_file *file, const stoa_read_range *ranges, size_t count,
                     size_t first, size_t *announced) {
    const size_t end = count - first < RANGES_AHEAD ? count : first + RANGES_AHEAD;
    for (*announced = *announced < first ? first : *announced; *announced < end; ++*announced) {
        const stoa_read_range *range = &ranges[*announced];
        if (range->size > 0) {
            (void)posix_fadvise(file->descriptor, (off_t)range->offset, (off_t)range->size,
                                POSIX_FADV_WILLNEED);
        }
    }
}

/* Ranges are in memory until one is not: from there on they are announced. Asking costs a fifth of a
 * small read, so only every eighth is asked. */
static stoa_status local_read_vector(void *state, const stoa_read_range *ranges, size_t count,
                                     stoa_error *err) {
    struct local_file *file = state;
    bool is_cold = false;
    size_t announced = 0, groups = 0;
    for (size_t first = 0; first < count;) {
        struct iovec vector[VECTOR_RANGES_MAX];
        size_t n = adjacent(ranges + first, count - first);
        size_t wanted = 0;
        for (size_t i = 0; i < n; i++) {
            vector[i] = (struct iovec){ranges[first + i].buffer, ranges[first + i].size};
            wanted += ranges[first + i].size;
        }
        const off_t offset = (off_t)ranges[first].offset;
        ssize_t got = -1;
        if (!is_cold && n < count && groups++ % GROUPS_A_QUESTION == 0) {
            got = preadv2(file->descriptor, vector, (int)n, offset, RWF_NOWAIT);
            is_cold = got != (ssize_t)wanted;
        }
        if (is_cold) {
            announce(file, ranges, count, first, &announced);
        }
        if (got != (ssize_t)wanted && n > 1) {
            got = preadv(file->descriptor, vector, (int)n, offset);
        }
        /* What one call did not deliver (short, interrupted, in error) each range reads by itself
         * and explains. */
        for (size_t i = 0; i < n && got != (ssize_t)wanted; i++) {
            STOA_TRY(read_range(file, &ranges[first + i], err));
        }
        first += n;
    }
    return STOA_OK;
}

static stoa_status local_map(void *state, const void **out, uint64_t *out_size, stoa_error *err) {
    struct local_file *file = state;
    uint64_t size;
    if (file->map.bytes == NULL) {
        STOA_TRY(local_size(file, &size, err));
        if (size == 0) {
            *out = "";
            return STOA_OK;
        }
        STOA_TRY(stoa_guarded_map_open(file->descriptor, (size_t)size, false, &file->map, err));
    }
    *out = file->map.bytes;
    *out_size = file->map.size;
    return STOA_OK;
}

static stoa_status local_map_write(void *state, uint64_t size, void **out, stoa_error *err) {
    struct local_file *file = state;
    uint64_t there = file->map.size;
    if (file->map.bytes == NULL) {
        STOA_TRY(local_size(file, &there, err));
    }
    if (size > there) {
        return stoa_fail(err, STOA_INVALID, "it has %" PRIu64 " bytes, not %" PRIu64, there, size);
    }
    if (file->map.bytes == NULL) {
        STOA_TRY(stoa_guarded_map_open(file->descriptor, (size_t)size, true, &file->map, err));
    }
    *out = file->map.bytes;
    return STOA_OK;
}

static const uint32_t *local_map_mark(void *state) {
    const struct local_file *file = state;
    return file->map.bytes == NULL ? NULL : stoa_guarded_map_mark(&file->map);
}

/* A file that ends within a page has zeros behind its end, without any fault: so the size counts
 * too. */
static stoa_status local_map_check(void *state, stoa_error *err) {
    struct local_file *file = state;
    uint64_t size;
    if (file->map.bytes == NULL) {
        return STOA_OK;
    }
    STOA_TRY(local_size(file, &size, err));
    if (size < file->map.size) {
        return stoa_fail(err, STOA_IO,
                         "it was cut short to %" PRIu64 " bytes while %zu were mapped", size,
                         file->map.size);
    }
    return stoa_guarded_map_is_broken(&file->map)
               ? stoa_fail(err, STOA_IO,
                           "a part could not be read: it was cut short, or the disk "
                           "failed")
               : STOA_OK;
}

/* Who goes through a map in order has it read from the disk, and mapped, by huge pages: that is as fast
 * or faster then, and a fifth faster for whoever maps the file next. Others would read too much. */
static void advise_map(struct local_file *file, uint64_t offset, uint64_t size,
                       stoa_file_advice advice, int word) {
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t begin = offset / page * page;
    uint64_t end = size == 0 || size > file->map.size - offset ? file->map.size : offset + size;
    uint8_t *bytes = (uint8_t *)file->map.bytes + begin;
    if (file->map.is_writable && advice == STOA_ADVICE_WILL_NEED) {
        word = MADV_POPULATE_WRITE; /* what keeps a page from being had, the store into it meets */
    }
    (void)madvise(bytes, (size_t)(end - begin), word);
    if (advice == STOA_ADVICE_SEQUENTIAL) {
        atomic_store_explicit(&file->wants_huge_pages, true, memory_order_relaxed);
        (void)madvise(bytes, (size_t)(end - begin), MADV_HUGEPAGE);
    } else if ((advice == STOA_ADVICE_NORMAL || advice == STOA_ADVICE_RANDOM) &&
               atomic_load_explicit(&file->wants_huge_pages, memory_order_relaxed)) {
        (void)madvise(bytes, (size_t)(end - begin), MADV_NOHUGEPAGE);
    }
}

static void local_advise(void *state, uint64_t offset, uint64_t size, stoa_file_advice advice) {
    static const struct {
        int file, map;
    } words[] = {
        [STOA_ADVICE_NORMAL] = {POSIX_FADV_NORMAL, MADV_NORMAL},
        [STOA_ADVICE_SEQUENTIAL] = {POSIX_FADV_SEQUENTIAL, MADV_SEQUENTIAL},
        [STOA_ADVICE_RANDOM] = {POSIX_FADV_RANDOM, MADV_RANDOM},
        [STOA_ADVICE_WILL_NEED] = {POSIX_FADV_WILLNEED, MADV_WILLNEED},
        [STOA_ADVICE_DONE] = {POSIX_FADV_DONTNEED, MADV_DONTNEED},
    };
    struct local_file *file = state;
    if (file->map.bytes != NULL && offset < file->map.size) {
        advise_map(file, offset, size, advice, words[advice].map);
    }
    (void)posix_fadvise(file->descriptor, (off_t)offset, (off_t)size, words[advice].file);
}

/* What was stored where the file could not take it is not made good by writing the rest. */
static stoa_status local_sync(void *state, stoa_error *err) {
    struct local_file *file = state;
    STOA_TRY(stoa_local_refuse_after(file->failed_sync, err));
    STOA_TRY(local_map_check(state, err));
    file->failed_sync = stoa_descriptor_sync(file->descriptor);
    return file->failed_sync == 0 ? STOA_OK : stoa_fail_system(err, file->failed_sync);
}

static void local_close(void *state) {
    struct local_file *file = state;
    stoa_guarded_map_close(&file->map);
    (void)close(file->descriptor);
    stoa_pool_free(file->pool, file, sizeof *file);
}

/* A handle that reads, or one that updates. */
static stoa_status open_handle(stoa_pool *pool, int descriptor, const char *path, bool updates,
                               stoa_file **out, stoa_error *err) {
    static const stoa_file_operations updating = {
        .size = local_size,
        .read_at = local_read_at,
        .read_vector = local_read_vector,
        .sync = local_sync,
        .map_write = local_map_write,
        .map_check = local_map_check,
        .advise = local_advise,
        .close = local_close,
    };
    static const stoa_file_operations reading = {
        .size = local_size,
        .read_at = local_read_at,
        .read_vector = local_read_vector,
        .map = local_map,
        .map_check = local_map_check,
        .map_mark = local_map_mark,
        .advise = local_advise,
        .close = local_close,
    };
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct local_file), &memory, err));
    struct local_file *file = memory;
    file->pool = pool;
    file->descriptor = descriptor;
    stoa_status status = stoa_file_create(pool, path, updates ? &updating : &reading, file, out,
                                          err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, file, sizeof *file);
    }
    return status;
}

/* Directories are refused; what cannot be positioned (a pipe, a terminal) is read in order. */
static stoa_status open_descriptor(const stoa_context *context, int descriptor, const char *path,
                                   stoa_open_mode mode, stoa_file **out, stoa_error *err) {
    stoa_pool *pool = context->pool;
    struct stat info;
    if (fstat(descriptor, &info) != 0) {
        return stoa_fail_system(err, errno);
    }
    if (S_ISDIR(info.st_mode)) {
        return stoa_fail(err, STOA_INVALID, "it is a directory");
    }
    if (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode) || S_ISCHR(info.st_mode)) {
        return stoa_descriptor_open(pool, descriptor, true, path, out, err);
    }
    if (mode == STOA_OPEN_READ || mode == STOA_OPEN_UPDATE) {
        return open_handle(pool, descriptor, path, mode == STOA_OPEN_UPDATE, out, err);
    }
    const uint64_t size = (uint64_t)info.st_size;
    return stoa_local_open_writer(context, descriptor, path,
                                  mode == STOA_OPEN_APPEND ? &size : NULL, out, err);
}

stoa_status stoa_local_open(void *state, const char *path, stoa_open_mode mode,
                            const stoa_context *context, stoa_file **out, stoa_error *err) {
    static const int flags[] = {
        [STOA_OPEN_READ] = O_RDONLY,
        [STOA_OPEN_CREATE] = O_WRONLY | O_CREAT | O_EXCL,
        [STOA_OPEN_REPLACE] = O_WRONLY | O_CREAT | O_TRUNC,
        [STOA_OPEN_APPEND] = O_WRONLY | O_CREAT,
        [STOA_OPEN_UPDATE] = O_RDWR,
    };
    (void)state;
    int descriptor;
    do {
        descriptor = open(path, flags[mode] | O_CLOEXEC | O_NOCTTY, 0666);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) {
        return errno == EISDIR ? stoa_fail(err, STOA_INVALID, "it is a directory")
                               : stoa_fail_system(err, errno);
    }
    stoa_status status = open_descriptor(context, descriptor, path, mode, out, err);
    if (status != STOA_OK) {
        (void)close(descriptor);
    }
    return status;
}
