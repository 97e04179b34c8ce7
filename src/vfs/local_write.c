/* Writing local files, by one writer: two handles that append to one file overwrite each other.
 *
 * Writes are pwrite at the handle's own position, which moves only when all bytes were taken: a
 * write that failed half-way is repeated or given up without leaving garbage in between. fsync
 * reports a failed write-back once and then forgets the pages, so a file whose sync failed refuses
 * to write and sync from then on.
 *
 * A file that is made and written in one go, as data files of tables are, does not wait for its sync
 * to go to the disk:
 *
 *     the first GiB     through the page cache; the system begins to write every few MiB at once
 *     all behind it     direct (local_direct.c), where the file system says that it can
 *
 * A close cannot fail: what it cannot write is a line in the log. Only a sync tells.
 *
 * Files that are opened to append, that were synced once (logs), that grew ahead of their writes or
 * that are to be read soon stay in the page cache. STOA_DIRECT_WRITES in the environment says after
 * how many MiB direct writes begin, or "off". */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "mem/pool.h"
#include "vfs/local.h"
#include "vfs/local_direct.h"

enum { WRITE_BEHIND_BYTES = 8 << 20, ZERO_BYTES = 64 << 10 };

static const uint64_t direct_after_default = UINT64_C(1) << 30;

struct writer {
    stoa_pool *pool;
    const stoa_logger *logger;
    const stoa_file *handle; /* for its name */
    int descriptor;
    int failed_sync;   /* errno of the first failed sync; 0: none */
    bool goes_to_disk; /* it is made in one go: nobody waits to read it */
    bool has_failed;   /* of `direct`: only its rest can still be written */
    uint64_t position;
    uint64_t begun;        /* what lies before was given to the disk */
    uint64_t direct_after; /* bytes */
    stoa_direct *direct;   /* NULL: through the page cache */
};

static stoa_status writer_size(void *state, uint64_t *out, stoa_error *err) {
    const struct writer *writer = state;
    struct stat info;
    if (fstat(writer->descriptor, &info) != 0) {
        return stoa_fail_system(err, errno);
    }
    /* What waits in direct writes counts. */
    *out = (uint64_t)info.st_size;
    *out = writer->direct != NULL && *out < writer->position ? writer->position : *out;
    return STOA_OK;
}

stoa_status stoa_local_refuse_after(int failed_sync, stoa_error *err) {
    stoa_status status = STOA_OK;
    if (failed_sync != 0) {
        status = stoa_fail_system(err, failed_sync);
        stoa_wrap(err, "an earlier sync failed");
    }
    return status;
}

/* ---- Direct writes --------------------------------------------------------------------------- */

static void drop_direct(struct writer *writer) {
    stoa_direct_close(writer->direct);
    writer->direct = NULL;
    writer->has_failed = false;
    writer->goes_to_disk = false;
}

/* All that was taken is in the file afterwards, and the page cache is used. */
static stoa_status end_direct(struct writer *writer, stoa_error *err) {
    if (writer->direct != NULL) {
        STOA_TRY(stoa_direct_finish(writer->direct, err));
        drop_direct(writer);
    }
    return STOA_OK;
}

/* Begins direct writes when it is time and the write reaches over a boundary that they may begin at:
 * `*out_done` bytes before it are written. What keeps them from beginning is no error. */
static stoa_status begin_direct(struct writer *writer, const void *bytes, size_t size,
                                size_t *out_done, stoa_error *err) {
    *out_done = 0;
    if (!writer->goes_to_disk || writer->direct != NULL ||
        writer->position < writer->direct_after) {
        return STOA_OK;
    }
    const size_t alignment = stoa_direct_alignment(writer->descriptor);
    if (alignment == 0) {
        writer->direct_after = UINT64_MAX;
        return STOA_OK;
    }
    const size_t head = (size_t)((alignment - writer->position % alignment) % alignment);
    if (head > size) {
        return STOA_OK;
    }
    STOA_TRY(stoa_descriptor_write_at(writer->descriptor, bytes, head, writer->position, err));
    *out_done = head;
    stoa_status status = stoa_direct_create(writer->pool, writer->descriptor,
                                            writer->position + head, alignment, &writer->direct,
                                            err);
    if (status != STOA_OK) {
        stoa_log(writer->logger, STOA_LOG_DEBUG, "vfs", "no direct writes: %s",
                 err == NULL ? "they were refused" : err->message);
        stoa_error_clear(err);
        writer->direct_after = UINT64_MAX;
    } else if (!stoa_direct_has_ring(writer->direct)) {
        stoa_log(writer->logger, STOA_LOG_DEBUG, "vfs",
                 "direct writes go one by one: io_uring is not to be had");
    }
    return STOA_OK;
}

/* Takes as much as goes directly: all, or nothing from where direct writes have ended. */
static stoa_status write_direct(struct writer *writer, const void *bytes, size_t size,
                                size_t *out_done, stoa_error *err) {
    *out_done = 0;
    if (writer->direct == NULL) {
        return STOA_OK;
    }
    stoa_status status = stoa_direct_write(writer->direct, bytes, size, out_done, err);
    if (status != STOA_OK) {
        writer->has_failed = true;
    } else if (*out_done < size) {
        drop_direct(writer);
    }
    return status;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Only a beginning: nothing waits for it, and what fails is reported by the sync. */
static void write_behind(struct writer *writer) {
    if (writer->goes_to_disk && writer->direct == NULL &&
        writer->position - writer->begun >= WRITE_BEHIND_BYTES) {
        (void)sync_file_range(writer->descriptor, (off_t)writer->begun,
                              (off_t)(writer->position - writer->begun), SYNC_FILE_RANGE_WRITE);
        writer->begun = writer->position;
    }
}

static stoa_status writer_write(void *state, const void *bytes, size_t size, stoa_error *err) {
    struct writer *writer = state;
    const uint8_t *from = bytes;
    size_t head = 0, direct = 0;
    STOA_TRY(stoa_local_refuse_after(writer->failed_sync, err));
    if (writer->has_failed) {
        STOA_TRY(end_direct(writer, err));
    }
    STOA_TRY(begin_direct(writer, from, size, &head, err));
    STOA_TRY(write_direct(writer, from + head, size - head, &direct, err));
    const size_t done = head + direct;
    STOA_TRY(stoa_descriptor_write_at(writer->descriptor, from + done, size - done,
                                      writer->position + done, err));
    writer->position += size;
    write_behind(writer);
    return STOA_OK;
}

static stoa_status writer_sync(void *state, stoa_error *err) {
    struct writer *writer = state;
    STOA_TRY(stoa_local_refuse_after(writer->failed_sync, err));
    /* Bytes that do not fit are still here: that can be tried again. */
    STOA_TRY(end_direct(writer, err));
    writer->goes_to_disk = false;
    writer->failed_sync = stoa_descriptor_sync(writer->descriptor);
    return writer->failed_sync == 0 ? STOA_OK : stoa_fail_system(err, writer->failed_sync);
}

static stoa_status writer_truncate(void *state, uint64_t size, stoa_error *err) {
    struct writer *writer = state;
    STOA_TRY(stoa_local_refuse_after(writer->failed_sync, err));
    STOA_TRY(end_direct(writer, err));
    int failure = stoa_descriptor_set_length(writer->descriptor, size);
    if (failure != 0) {
        return stoa_fail_system(err, failure);
    }
    writer->position = size;
    writer->begun = size < writer->begun ? size : writer->begun;
    return STOA_OK;
}

/* ---- Space ahead ----------------------------------------------------------------------------- */

/* 0 or errno. Asked before anything is taken: a file system may use up all it has before it says
 * that it is not enough, and others would see a full disk meanwhile. */
static int check_space(int descriptor, const struct stat *info, uint64_t size) {
    struct statvfs disk;
    const uint64_t there = (uint64_t)info->st_blocks * 512; /* its unit, whatever the disk's */
    if (size <= there || fstatvfs(descriptor, &disk) != 0 || disk.f_blocks == 0) {
        return 0;
    }
    return (size - there) / disk.f_frsize > disk.f_bfree ? ENOSPC : 0;
}

static stoa_status write_zeros(int descriptor, uint64_t from, uint64_t to, stoa_error *err) {
    static const uint8_t zeros[ZERO_BYTES];
    while (from < to) {
        size_t part = to - from < sizeof zeros ? (size_t)(to - from) : sizeof zeros;
        STOA_TRY(stoa_descriptor_write_at(descriptor, zeros, part, from, err));
        from += part;
    }
    return STOA_OK;
}

static stoa_status set_aside(int descriptor, const struct stat *info, uint64_t size, bool grow,
                             stoa_error *err) {
    int failure = check_space(descriptor, info, size);
    if (failure != 0) {
        return stoa_fail_system(err, failure);
    }
    do {
        failure = fallocate(descriptor, grow ? 0 : FALLOC_FL_KEEP_SIZE, 0, (off_t)size) == 0
                      ? 0
                      : errno;
    } while (failure == EINTR);
    if (failure == EOPNOTSUPP || failure == ENOSYS) {
        return grow ? write_zeros(descriptor, (uint64_t)info->st_size, size, err) : STOA_OK;
    }
    return failure == 0 ? STOA_OK : stoa_fail_system(err, failure);
}

static stoa_status writer_preallocate(void *state, uint64_t size, bool grow, stoa_error *err) {
    struct writer *writer = state;
    struct stat info;
    STOA_TRY(stoa_local_refuse_after(writer->failed_sync, err));
    STOA_TRY(grow ? end_direct(writer, err) : STOA_OK);
    if (fstat(writer->descriptor, &info) != 0) {
        return stoa_fail_system(err, errno);
    }
    if (size == 0) {
        return STOA_OK;
    }
    stoa_status status = set_aside(writer->descriptor, &info, size, grow, err);
    if (status != STOA_OK && writer->direct == NULL) {
        /* Gives back what was had of it, behind the file's end too. */
        (void)stoa_descriptor_set_length(writer->descriptor, (uint64_t)info.st_size);
    } else if (grow) {
        writer->goes_to_disk = false;
    }
    return status;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void writer_advise(void *state, uint64_t offset, uint64_t size, stoa_file_advice advice) {
    struct writer *writer = state;
    (void)offset;
    (void)size;
    if (advice == STOA_ADVICE_WILL_NEED && writer->direct == NULL) {
        writer->goes_to_disk = false;
    }
}

static void writer_close(void *state) {
    struct writer *writer = state;
    stoa_error failure = STOA_ERROR_NONE;
    stoa_status status = end_direct(writer, &failure);
    stoa_direct_close(writer->direct);
    /* After an error of close the descriptor is gone too. Over a network it is the first to tell of
     * writes that failed. */
    if (close(writer->descriptor) != 0 && status == STOA_OK) {
        status = stoa_fail_system(&failure, errno);
    }
    if (status != STOA_OK) {
        stoa_log(writer->logger, STOA_LOG_WARN, "vfs",
                 "'%s' was closed without all that was written to it, and not synced before: %s",
                 stoa_file_uri(writer->handle), failure.message);
    }
    stoa_pool_free(writer->pool, writer, sizeof *writer);
}

static uint64_t direct_after(void) {
    const char *text = getenv("STOA_DIRECT_WRITES");
    char *end = NULL;
    if (text == NULL || text[0] == '\0') {
        return direct_after_default;
    }
    const unsigned long long mib = strtoull(text, &end, 10);
    return *end != '\0' || text[0] == '-' || mib > UINT64_MAX >> 20 ? UINT64_MAX : mib << 20;
}

stoa_status stoa_local_open_writer(const stoa_context *context, int descriptor, const char *path,
                                   const uint64_t *append_at, stoa_file **out, stoa_error *err) {
    static const stoa_file_operations operations = {
        .size = writer_size,
        .write = writer_write,
        .sync = writer_sync,
        .truncate = writer_truncate,
        .advise = writer_advise,
        .preallocate = writer_preallocate,
        .close = writer_close,
    };
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(struct writer), &memory, err));
    struct writer *writer = memory;
    writer->pool = context->pool;
    writer->logger = context->logger;
    writer->descriptor = descriptor;
    writer->goes_to_disk = append_at == NULL;
    writer->position = append_at == NULL ? 0 : *append_at;
    writer->direct_after = direct_after();
    stoa_status status = stoa_file_create(context->pool, path, &operations, writer, out, err);
    if (status != STOA_OK) {
        stoa_pool_free(context->pool, writer, sizeof *writer);
        return status;
    }
    writer->handle = *out;
    return STOA_OK;
}
