/* Open local files.
 *
 * Reads are pread and preadv, so that any number of threads share a handle. Writes are pwrite at
 * the handle's own position, which moves only when all bytes are in the file: a write that failed
 * half-way is repeated or given up without leaving garbage in between. One writer a file: two
 * handles that append to one file overwrite each other.
 *
 * fsync reports a failed write-back once and then forgets the pages, so a file whose sync failed
 * refuses to write and sync from then on. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mem/pool.h"
#include "vfs/local.h"

/* Linux moves at most 0x7ffff000 bytes in one call. */
enum { TRANSFER_BYTES_MAX = 1 << 30, VECTOR_RANGES_MAX = 64 };

struct local_file {
    stoa_pool *pool;
    int descriptor;
    int failed_sync; /* errno of the first failed sync; 0: none */
    uint64_t position;
    void *mapping;
    size_t mapping_bytes;
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

static stoa_status local_read_vector(void *state, const stoa_read_range *ranges, size_t count,
                                     stoa_error *err) {
    struct local_file *file = state;
    for (size_t first = 0; first < count;) {
        struct iovec vector[VECTOR_RANGES_MAX];
        size_t n = adjacent(ranges + first, count - first);
        size_t wanted = 0;
        for (size_t i = 0; i < n; i++) {
            vector[i] = (struct iovec){ranges[first + i].buffer, ranges[first + i].size};
            wanted += ranges[first + i].size;
        }
        ssize_t got = n == 1
                          ? -1
                          : preadv(file->descriptor, vector, (int)n, (off_t)ranges[first].offset);
        /* What one call did not deliver (short, interrupted, in error) each range reads by itself
         * and explains. */
        for (size_t i = 0; i < n && got != (ssize_t)wanted; i++) {
            STOA_TRY(read_range(file, &ranges[first + i], err));
        }
        first += n;
    }
    return STOA_OK;
}

static stoa_status refuse_after_failed_sync(const struct local_file *file, stoa_error *err) {
    stoa_status status = STOA_OK;
    if (file->failed_sync != 0) {
        status = stoa_fail_system(err, file->failed_sync);
        stoa_wrap(err, "an earlier sync failed");
    }
    return status;
}

static stoa_status local_write(void *state, const void *bytes, size_t size, stoa_error *err) {
    struct local_file *file = state;
    STOA_TRY(refuse_after_failed_sync(file, err));
    size_t done = 0;
    while (done < size) {
        size_t part = size - done < TRANSFER_BYTES_MAX ? size - done : TRANSFER_BYTES_MAX;
        ssize_t put = pwrite(file->descriptor, (const uint8_t *)bytes + done, part,
                             (off_t)(file->position + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return stoa_fail_system(err, put == 0 ? EIO : errno);
        }
        done += (size_t)put;
    }
    file->position += size;
    return STOA_OK;
}

static stoa_status local_sync(void *state, stoa_error *err) {
    struct local_file *file = state;
    STOA_TRY(refuse_after_failed_sync(file, err));
    if (fdatasync(file->descriptor) != 0) {
        file->failed_sync = errno;
        return stoa_fail_system(err, errno);
    }
    return STOA_OK;
}

static stoa_status local_truncate(void *state, uint64_t size, stoa_error *err) {
    struct local_file *file = state;
    int result;
    STOA_TRY(refuse_after_failed_sync(file, err));
    do {
        result = ftruncate(file->descriptor, (off_t)size);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        return stoa_fail_system(err, errno);
    }
    file->position = size;
    return STOA_OK;
}

static stoa_status local_map(void *state, const void **out, uint64_t *out_size, stoa_error *err) {
    struct local_file *file = state;
    uint64_t size;
    if (file->mapping == NULL) {
        STOA_TRY(local_size(file, &size, err));
        if (size == 0) {
            *out = "";
            return STOA_OK;
        }
        void *mapping = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, file->descriptor, 0);
        if (mapping == MAP_FAILED) {
            return stoa_fail_system(err, errno);
        }
        file->mapping = mapping;
        file->mapping_bytes = (size_t)size;
    }
    *out = file->mapping;
    *out_size = file->mapping_bytes;
    return STOA_OK;
}

static void local_close(void *state) {
    struct local_file *file = state;
    if (file->mapping != NULL) {
        (void)munmap(file->mapping, file->mapping_bytes);
    }
    /* After an error of close the descriptor is gone too; what had to be durable was synced. */
    (void)close(file->descriptor);
    stoa_pool_free(file->pool, file, sizeof *file);
}

static const stoa_file_operations reading = {
    .size = local_size,
    .read_at = local_read_at,
    .read_vector = local_read_vector,
    .map = local_map,
    .close = local_close,
};

static const stoa_file_operations writing = {
    .size = local_size,
    .write = local_write,
    .sync = local_sync,
    .truncate = local_truncate,
    .close = local_close,
};

static stoa_status open_regular(stoa_pool *pool, int descriptor, const char *path,
                                stoa_open_mode mode, uint64_t size, stoa_file **out,
                                stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct local_file), &memory, err));
    struct local_file *file = memory;
    file->pool = pool;
    file->descriptor = descriptor;
    file->position = mode == STOA_OPEN_APPEND ? size : 0;
    stoa_status status = stoa_file_create(pool, path, mode == STOA_OPEN_READ ? &reading : &writing,
                                          file, out, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, file, sizeof *file);
    }
    return status;
}

/* Directories are refused; what cannot be positioned (a pipe, a terminal) is read in order. */
static stoa_status open_descriptor(stoa_pool *pool, int descriptor, const char *path,
                                   stoa_open_mode mode, stoa_file **out, stoa_error *err) {
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
    return open_regular(pool, descriptor, path, mode, (uint64_t)info.st_size, out, err);
}

stoa_status stoa_local_open(void *state, const char *path, stoa_open_mode mode,
                            const stoa_context *context, stoa_file **out, stoa_error *err) {
    static const int flags[] = {
        [STOA_OPEN_READ] = O_RDONLY,
        [STOA_OPEN_CREATE] = O_WRONLY | O_CREAT | O_EXCL,
        [STOA_OPEN_REPLACE] = O_WRONLY | O_CREAT | O_TRUNC,
        [STOA_OPEN_APPEND] = O_WRONLY | O_CREAT,
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
    stoa_status status = open_descriptor(context->pool, descriptor, path, mode, out, err);
    if (status != STOA_OK) {
        (void)close(descriptor);
    }
    return status;
}
