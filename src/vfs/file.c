/* Open files: the backend's functions, with what was tried and the URI before their messages.
 *
 * A backend may answer a read with fewer bytes than asked (a pipe, a network); the loops here go on
 * until all are there or the file has ended. */
#include <string.h>

#include "base/checked.h"
#include "mem/resource.h"
#include "vfs/vfs.h"

static stoa_status lacks(const stoa_file *file, const char *what, stoa_error *err) {
    return stoa_fail(err, STOA_UNSUPPORTED, "cannot %s '%s': its file system does not offer it",
                     what, file->uri);
}

static stoa_status explain(const stoa_file *file, stoa_status status, const char *what,
                           stoa_error *err) {
    if (status != STOA_OK) {
        stoa_wrap(err, "cannot %s '%s'", what, file->uri);
        stoa_error_set_file(err, file->uri, -1);
    }
    return status;
}

static stoa_status explain_read(const stoa_file *file, stoa_status status, uint64_t offset,
                                size_t size, stoa_error *err) {
    if (status != STOA_OK) {
        stoa_wrap(err, "cannot read %zu bytes at byte %" PRIu64 " of '%s'", size, offset,
                  file->uri);
        stoa_error_set_file(err, file->uri, offset > INT64_MAX ? -1 : (int64_t)offset);
    }
    return status;
}

static stoa_status read_fully(stoa_file *file, uint64_t offset, void *buffer, size_t size,
                              size_t *out_size, stoa_error *err) {
    size_t done = 0;
    *out_size = 0;
    uint64_t end;
    if (!stoa_add_u64(offset, size, &end) || end > INT64_MAX) {
        return stoa_fail(err, STOA_INVALID, "the range ends beyond what a file can hold");
    }
    while (done < size) {
        size_t got = 0;
        STOA_TRY(file->operations->read_at(file->state, offset + done, (uint8_t *)buffer + done,
                                           size - done, &got, err));
        if (got == 0) {
            break;
        }
        if (got > size - done) {
            return stoa_fail(err, STOA_INTERNAL,
                             "the file system answered %zu bytes to a request "
                             "for %zu",
                             got, size - done);
        }
        done += got;
    }
    *out_size = done;
    return STOA_OK;
}

static stoa_status read_exactly(stoa_file *file, uint64_t offset, void *buffer, size_t size,
                                stoa_error *err) {
    size_t got = 0;
    STOA_TRY(read_fully(file, offset, buffer, size, &got, err));
    if (got != size) {
        return stoa_fail(err, STOA_CORRUPT, "expected %zu bytes but the file ends after %zu", size,
                         got);
    }
    return STOA_OK;
}

/* Its database is closed: whoever still has the handle is told that nothing is offered. */
static void file_end(void *owner) {
    static const stoa_file_operations closed;
    stoa_file *file = owner;
    if (file->operations->close != NULL) {
        file->operations->close(file->state);
    }
    file->operations = &closed;
    file->state = NULL;
}

stoa_status stoa_file_create(stoa_pool *pool, const char *path,
                             const stoa_file_operations *operations, void *state, stoa_file **out,
                             stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_file), &memory, err));
    stoa_file *file = memory;
    stoa_status status = stoa_pool_copy_string(pool, path, &file->uri, err);
    if (status == STOA_OK) {
        status = stoa_resource_enter(pool, STOA_RESOURCE_FILE, file->uri, file_end, file,
                                     &file->resource, err);
    }
    if (status != STOA_OK) {
        stoa_pool_free_string(pool, file->uri);
        stoa_pool_free(pool, file, sizeof *file);
        return status;
    }
    file->operations = operations;
    file->state = state;
    file->pool = pool;
    *out = file;
    return STOA_OK;
}

stoa_status stoa_file_size(stoa_file *file, uint64_t *out, stoa_error *err) {
    *out = 0;
    if (file->operations->size == NULL) {
        return lacks(file, "tell the size of", err);
    }
    return explain(file, file->operations->size(file->state, out, err), "tell the size of", err);
}

stoa_status stoa_file_read(stoa_file *file, uint64_t offset, void *buffer, size_t size,
                           stoa_error *err) {
    if (file->operations->read_at == NULL) {
        return lacks(file, "read", err);
    }
    return explain_read(file, read_exactly(file, offset, buffer, size, err), offset, size, err);
}

stoa_status stoa_file_read_some(stoa_file *file, uint64_t offset, void *buffer, size_t size,
                                size_t *out_size, stoa_error *err) {
    *out_size = 0;
    if (file->operations->read_at == NULL) {
        return lacks(file, "read", err);
    }
    return explain_read(file, read_fully(file, offset, buffer, size, out_size, err), offset, size,
                        err);
}

static stoa_status check_range(const stoa_file *file, const stoa_read_range *range,
                               stoa_error *err) {
    uint64_t end;
    if (stoa_add_u64(range->offset, range->size, &end) && end <= INT64_MAX) {
        return STOA_OK;
    }
    return explain_read(file,
                        stoa_fail(err, STOA_INVALID,
                                  "the range ends beyond what a file can "
                                  "hold"),
                        range->offset, range->size, err);
}

stoa_status stoa_file_read_vector(stoa_file *file, const stoa_read_range *ranges, size_t count,
                                  stoa_error *err) {
    for (size_t i = 0; i < count; i++) {
        STOA_TRY(check_range(file, &ranges[i], err));
    }
    if (file->operations->read_vector != NULL) {
        stoa_status status = file->operations->read_vector(file->state, ranges, count, err);
        return explain(file, status, "read ranges of", err);
    }
    for (size_t i = 0; i < count; i++) {
        STOA_TRY(stoa_file_read(file, ranges[i].offset, ranges[i].buffer, ranges[i].size, err));
    }
    return STOA_OK;
}

stoa_status stoa_file_write(stoa_file *file, const void *bytes, size_t size, stoa_error *err) {
    if (file->operations->write == NULL) {
        return lacks(file, "write", err);
    }
    if (size == 0) {
        return STOA_OK;
    }
    stoa_status status = file->operations->write(file->state, bytes, size, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "cannot write %zu bytes to '%s'", size, file->uri);
        stoa_error_set_file(err, file->uri, -1);
    }
    return status;
}

stoa_status stoa_file_sync(stoa_file *file, stoa_error *err) {
    if (file->operations->sync == NULL) {
        return lacks(file, "sync", err);
    }
    return explain(file, file->operations->sync(file->state, err), "sync", err);
}

stoa_status stoa_file_truncate(stoa_file *file, uint64_t size, stoa_error *err) {
    if (file->operations->truncate == NULL) {
        return lacks(file, "truncate", err);
    }
    if (size > INT64_MAX) {
        return stoa_fail(err, STOA_INVALID,
                         "cannot truncate '%s' to %" PRIu64 " bytes: more than a "
                         "file can hold",
                         file->uri, size);
    }
    return explain(file, file->operations->truncate(file->state, size, err), "truncate", err);
}

stoa_status stoa_file_map(stoa_file *file, const void **out, uint64_t *out_size, stoa_error *err) {
    *out = NULL;
    *out_size = 0;
    if (file->operations->map == NULL) {
        return lacks(file, "map", err);
    }
    return explain(file, file->operations->map(file->state, out, out_size, err), "map", err);
}

stoa_status stoa_file_map_write(stoa_file *file, uint64_t size, void **out, stoa_error *err) {
    *out = NULL;
    if (file->operations->map_write == NULL) {
        return lacks(file, "map and write", err);
    }
    if (size == 0 || size > SIZE_MAX || size > INT64_MAX) {
        return stoa_fail(err, STOA_INVALID, "cannot map and write %" PRIu64 " bytes of '%s'", size,
                         file->uri);
    }
    return explain(file, file->operations->map_write(file->state, size, out, err), "map and write",
                   err);
}

stoa_status stoa_file_map_check(stoa_file *file, stoa_error *err) {
    if (file->operations->map_check == NULL) {
        return STOA_OK;
    }
    return explain(file, file->operations->map_check(file->state, err), "read the map of", err);
}

const uint32_t *stoa_file_map_mark(const stoa_file *file) {
    return file->operations->map_mark == NULL ? NULL : file->operations->map_mark(file->state);
}

void stoa_file_advise(stoa_file *file, uint64_t offset, uint64_t size, stoa_file_advice advice) {
    if (file->operations->advise != NULL && offset <= INT64_MAX && size <= INT64_MAX - offset) {
        file->operations->advise(file->state, offset, size, advice);
    }
}

stoa_status stoa_file_preallocate(stoa_file *file, uint64_t size, bool grow, stoa_error *err) {
    if (file->operations->preallocate == NULL) {
        return grow ? lacks(file, "set space aside for", err) : STOA_OK;
    }
    if (size > INT64_MAX) {
        return stoa_fail(err, STOA_INVALID,
                         "cannot set %" PRIu64 " bytes aside for '%s': more than a file can hold",
                         size, file->uri);
    }
    return explain(file, file->operations->preallocate(file->state, size, grow, err),
                   "set space aside for", err);
}

const char *stoa_file_uri(const stoa_file *file) {
    return file->uri;
}

void stoa_file_close(stoa_file *file) {
    if (file == NULL) {
        return;
    }
    stoa_resource_leave(file->resource);
    file_end(file);
    stoa_pool *pool = file->pool;
    stoa_pool_free_string(pool, file->uri);
    stoa_pool_free(pool, file, sizeof *file);
}
