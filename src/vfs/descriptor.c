/* Calls on descriptors that a signal may interrupt; and descriptors that cannot be positioned: pipes,
 * terminals, sockets. Their reads and writes go in order; a read at any offset but the next is
 * refused. */
#include <errno.h>
#include <unistd.h>

#include "mem/pool.h"
#include "vfs/local.h"
#include "vfs/vfs.h"

enum { TRANSFER_BYTES_MAX = 1 << 30 };

struct stream {
    stoa_pool *pool;
    int descriptor;
    bool owned;
    uint64_t position; /* of the next read */
};

stoa_status stoa_descriptor_write_at(int descriptor, const void *bytes, size_t size, uint64_t at,
                                     stoa_error *err) {
    for (size_t done = 0; done < size;) {
        size_t part = size - done < TRANSFER_BYTES_MAX ? size - done : TRANSFER_BYTES_MAX;
        ssize_t put = pwrite(descriptor, (const uint8_t *)bytes + done, part, (off_t)(at + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return stoa_fail_system(err, put == 0 ? EIO : errno);
        }
        done += (size_t)put;
    }
    return STOA_OK;
}

int stoa_descriptor_set_length(int descriptor, uint64_t size) {
    int result;
    do {
        result = ftruncate(descriptor, (off_t)size);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

int stoa_descriptor_sync(int descriptor) {
    int result;
    do {
        result = fdatasync(descriptor);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

static stoa_status stream_read_at(void *state, uint64_t offset, void *buffer, size_t size,
                                  size_t *out_size, stoa_error *err) {
    struct stream *stream = state;
    if (offset != stream->position) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "it can only be read in order: at byte %" PRIu64 " now", stream->position);
    }
    ssize_t got;
    do {
        got = read(stream->descriptor, buffer,
                   size < TRANSFER_BYTES_MAX ? size : TRANSFER_BYTES_MAX);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return stoa_fail_system(err, errno);
    }
    stream->position += (uint64_t)got;
    *out_size = (size_t)got;
    return STOA_OK;
}

static stoa_status stream_write(void *state, const void *bytes, size_t size, stoa_error *err) {
    const struct stream *stream = state;
    for (size_t done = 0; done < size;) {
        size_t part = size - done < TRANSFER_BYTES_MAX ? size - done : TRANSFER_BYTES_MAX;
        ssize_t put = write(stream->descriptor, (const uint8_t *)bytes + done, part);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return stoa_fail_system(err, put == 0 ? EIO : errno);
        }
        done += (size_t)put;
    }
    return STOA_OK;
}

/* A pipe has nothing to make durable; a file that standard output was sent to has. */
static stoa_status stream_sync(void *state, stoa_error *err) {
    const struct stream *stream = state;
    int failure = stoa_descriptor_sync(stream->descriptor);
    return failure == 0 || failure == EINVAL || failure == EROFS ? STOA_OK
                                                                 : stoa_fail_system(err, failure);
}

static void stream_close(void *state) {
    struct stream *stream = state;
    if (stream->owned) {
        (void)close(stream->descriptor);
    }
    stoa_pool_free(stream->pool, stream, sizeof *stream);
}

stoa_status stoa_descriptor_open(stoa_pool *pool, int descriptor, bool owned, const char *name,
                                 stoa_file **out, stoa_error *err) {
    static const stoa_file_operations operations = {
        .read_at = stream_read_at,
        .write = stream_write,
        .sync = stream_sync,
        .close = stream_close,
    };
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct stream), &memory, err));
    struct stream *stream = memory;
    *stream = (struct stream){.pool = pool, .descriptor = descriptor, .owned = owned};
    stoa_status status = stoa_file_create(pool, name, &operations, stream, out, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, stream, sizeof *stream);
    }
    return status;
}

stoa_status stoa_file_from_descriptor(stoa_pool *pool, int descriptor, const char *name,
                                      stoa_file **out, stoa_error *err) {
    return stoa_descriptor_open(pool, descriptor, false, name, out, err);
}
