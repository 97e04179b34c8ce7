/* Objects open for reading: HEAD at the start, then ranges with the ETag that HEAD told, so that a
 * reader sees one version or an error, never two mixed.
 *
 * A large read is cut into parts that come side by side, straight into the caller's memory. Ranges
 * of a vectored read that lie close together are fetched at once and copied out. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "vfs/s3.h"

enum {
    GAP_BYTES_MAX = 64 << 10, /* so much in vain is cheaper than another request */
    MERGED_BYTES_MAX = 8 << 20,
    RANGE_HEADER_BYTES = 80,
    MATCH_HEADER_BYTES = S3_ETAG_BYTES + 16
};

struct reader {
    struct s3_fs *fs;
    stoa_context context;
    stoa_cancel *cancel; /* below the token that the file was opened with */
    char *path;
    struct s3_name name;
    struct s3_object object;
    char match[MATCH_HEADER_BYTES];
};

/* A part of the object, and where it goes. */
struct piece {
    uint64_t offset;
    size_t size;
    uint8_t *buffer;
    bool is_scratch; /* `buffer` is ours, for ranges that were merged */
    char range[RANGE_HEADER_BYTES];
};

static stoa_status read_size(void *state, uint64_t *out, stoa_error *err) {
    const struct reader *reader = state;
    (void)err;
    *out = reader->object.size;
    return STOA_OK;
}

static bool is_whole(const struct reader *reader, const struct piece *piece) {
    return piece->offset == 0 && piece->size == reader->object.size;
}

static void ask(const struct reader *reader, struct piece *piece, struct s3_call *call) {
    *call = (struct s3_call){.method = "GET",
                             .name = &reader->name,
                             .buffer = piece->buffer,
                             .buffer_size = piece->size,
                             .wanted_status = 206};
    if (reader->match[0] != '\0') {
        stoa_s3_call_add_header(call, reader->match);
    }
    if (is_whole(reader, piece)) {
        /* Only then do servers tell a checksum that can be compared. */
        call->wanted_status = 200;
        stoa_s3_call_add_header(call, "x-amz-checksum-mode: ENABLED");
        return;
    }
    (void)snprintf(piece->range, sizeof piece->range, "Range: bytes=%" PRIu64 "-%" PRIu64,
                   piece->offset, piece->offset + piece->size - 1);
    stoa_s3_call_add_header(call, piece->range);
}

/* A server that ignores conditions and ranges is found out by what it says that it sends. */
static stoa_status check_answer(const struct reader *reader, const struct piece *piece,
                                const struct s3_call *call, stoa_error *err) {
    char etag[S3_ETAG_BYTES];
    char wanted[RANGE_HEADER_BYTES];
    const char *range = stoa_http_header(&call->response, "content-range");
    stoa_s3_etag_copy(etag, stoa_http_header(&call->response, "etag"));
    if (reader->object.etag[0] != '\0' && strcmp(etag, reader->object.etag) != 0) {
        return stoa_fail(err, STOA_CONFLICT,
                         "it changed while it was open: expected the ETag %s but found %s",
                         reader->object.etag, etag[0] == '\0' ? "none" : etag);
    }
    if (is_whole(reader, piece)) {
        const char *checksum = stoa_http_header(&call->response, "x-amz-checksum-crc32c");
        char own[S3_CHECKSUM_HEADER_BYTES];
        stoa_s3_checksum_header(piece->buffer, piece->size, own);
        /* "…-3" is a checksum of checksums of parts. */
        bool is_plain = checksum != NULL && strchr(checksum, '-') == NULL;
        if (is_plain && strcmp(strchr(own, ' ') + 1, checksum) != 0) {
            return stoa_fail(err, STOA_CORRUPT,
                             "the checksum of what came is %s but S3 says it is %s",
                             strchr(own, ' ') + 1, checksum);
        }
        return STOA_OK;
    }
    (void)snprintf(wanted, sizeof wanted, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, piece->offset,
                   piece->offset + piece->size - 1, reader->object.size);
    if (range == NULL || strcmp(range, wanted) != 0) {
        return stoa_fail(err, STOA_CORRUPT, "expected the range '%s' but found '%.80s'", wanted,
                         range == NULL ? "none" : range);
    }
    return STOA_OK;
}

static void explain(const struct reader *reader, struct s3_call *call) {
    int32_t status_code = call->response.status_code;
    if (call->status == STOA_CONFLICT || status_code == 416) {
        call->status = stoa_fail(&call->error, STOA_CONFLICT,
                                 "it changed while it was open (its ETag was %s)",
                                 reader->object.etag);
    } else if (call->status == STOA_NOT_FOUND) {
        stoa_wrap(&call->error, "it was removed while it was open");
    }
}

/* At most S3_WAVE_CALLS. */
static stoa_status fetch_wave(struct reader *reader, struct piece *pieces, size_t count,
                              stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(reader->context.pool, count, sizeof(struct s3_call), &memory,
                                      err));
    struct s3_call *calls = memory;
    for (size_t i = 0; i < count; i++) {
        ask(reader, &pieces[i], &calls[i]);
    }
    stoa_status status = stoa_s3_run(reader->fs, calls, count, &reader->context, err);
    bool is_first = true;
    for (size_t i = 0; i < count; i++) {
        if (status == STOA_OK) {
            status = check_answer(reader, &pieces[i], &calls[i], err);
        } else if (calls[i].status == status && is_first) {
            explain(reader, &calls[i]);
            is_first = false;
            status = calls[i].status;
            if (err != NULL) {
                *err = calls[i].error;
            }
        }
        stoa_s3_call_release(&calls[i], &reader->context);
    }
    stoa_pool_free(reader->context.pool, memory, count * sizeof(struct s3_call));
    return status;
}

static stoa_status fetch(struct reader *reader, struct piece *pieces, size_t count,
                         stoa_error *err) {
    for (size_t done = 0; done < count;) {
        size_t wave = count - done < S3_WAVE_CALLS ? count - done : S3_WAVE_CALLS;
        STOA_TRY(fetch_wave(reader, pieces + done, wave, err));
        done += wave;
    }
    return STOA_OK;
}

static size_t part_count(const struct reader *reader, size_t size) {
    return (size + reader->fs->part_bytes - 1) / reader->fs->part_bytes;
}

/* Appends the parts of a range that goes straight to its buffer. */
static void cut(const struct reader *reader, const stoa_read_range *range, struct piece *pieces,
                size_t *count) {
    for (size_t done = 0; done < range->size;) {
        size_t part = range->size - done < reader->fs->part_bytes ? range->size - done
                                                                  : reader->fs->part_bytes;
        pieces[(*count)++] = (struct piece){.offset = range->offset + done,
                                            .size = part,
                                            .buffer = (uint8_t *)range->buffer + done};
        done += part;
    }
}

static stoa_status read_at(void *state, uint64_t offset, void *buffer, size_t size,
                           size_t *out_size, stoa_error *err) {
    struct reader *reader = state;
    uint64_t total = reader->object.size;
    size_t most = reader->fs->part_bytes * S3_WAVE_CALLS;
    *out_size = 0;
    if (offset >= total || size == 0) {
        return STOA_OK;
    }
    size = size < total - offset ? size : (size_t)(total - offset);
    /* The caller asks again for the rest. */
    size = size < most ? size : most;
    const stoa_read_range range = {offset, size, buffer};
    size_t room = part_count(reader, size);
    size_t count = 0;
    void *memory = NULL;
    STOA_TRY(
        stoa_pool_allocate_array(reader->context.pool, room, sizeof(struct piece), &memory, err));
    cut(reader, &range, memory, &count);
    stoa_status status = fetch(reader, memory, count, err);
    stoa_pool_free(reader->context.pool, memory, room * sizeof(struct piece));
    *out_size = status == STOA_OK ? size : 0;
    return status;
}

static int compare_ranges(const void *a, const void *b) {
    uint64_t x = (*(const stoa_read_range *const *)a)->offset;
    uint64_t y = (*(const stoa_read_range *const *)b)->offset;
    return (x > y) - (x < y);
}

/* How many of the sorted ranges from the first on are fetched at once, and up to which byte. */
static size_t merge(const stoa_read_range *const *ranges, size_t count, uint64_t *out_end) {
    uint64_t start = ranges[0]->offset;
    uint64_t end = start + ranges[0]->size;
    size_t taken = 1;
    while (taken < count) {
        uint64_t next_end = ranges[taken]->offset + ranges[taken]->size;
        if (ranges[taken]->offset > end + GAP_BYTES_MAX || next_end > start + MERGED_BYTES_MAX) {
            break;
        }
        end = next_end > end ? next_end : end;
        taken++;
    }
    *out_end = end;
    return taken;
}

static void copy_out(const struct piece *piece, const stoa_read_range *const *ranges,
                     size_t count) {
    for (size_t i = 0; i < count; i++) {
        memcpy(ranges[i]->buffer, piece->buffer + (ranges[i]->offset - piece->offset),
               ranges[i]->size);
    }
}

/* Sorted ranges that are not empty and lie within the object, S3_WAVE_CALLS pieces at a time. */
static stoa_status read_sorted(struct reader *reader, const stoa_read_range *const *ranges,
                               size_t count, stoa_error *err) {
    stoa_pool *pool = reader->context.pool;
    struct piece pieces[S3_WAVE_CALLS];
    size_t firsts[S3_WAVE_CALLS], merged[S3_WAVE_CALLS];
    for (size_t at = 0; at < count;) {
        size_t piece_count = 0;
        stoa_status status = STOA_OK;
        while (at < count && piece_count < S3_WAVE_CALLS && status == STOA_OK) {
            uint64_t end;
            size_t taken = merge(ranges + at, count - at, &end);
            size_t size = (size_t)(end - ranges[at]->offset);
            if (taken == 1 && part_count(reader, size) > S3_WAVE_CALLS - piece_count) {
                break;
            }
            if (taken == 1) {
                cut(reader, ranges[at], pieces, &piece_count);
            } else {
                void *memory = NULL;
                status = stoa_pool_allocate(pool, size, &memory, err);
                firsts[piece_count] = at;
                merged[piece_count] = taken;
                pieces[piece_count++] = (struct piece){.offset = ranges[at]->offset,
                                                       .size = status == STOA_OK ? size : 0,
                                                       .buffer = memory,
                                                       .is_scratch = true};
            }
            at += taken;
        }
        if (status == STOA_OK) {
            status = fetch(reader, pieces, piece_count, err);
        }
        for (size_t i = 0; i < piece_count; i++) {
            if (pieces[i].is_scratch && status == STOA_OK) {
                copy_out(&pieces[i], ranges + firsts[i], merged[i]);
            }
            if (pieces[i].is_scratch) {
                stoa_pool_free(pool, pieces[i].buffer, pieces[i].size);
            }
        }
        STOA_TRY(status);
        if (piece_count == 0) {
            /* One range of more parts than a wave has. */
            size_t got = 0;
            stoa_read_range left = *ranges[at++];
            while (left.size > 0) {
                STOA_TRY(read_at(reader, left.offset, left.buffer, left.size, &got, err));
                left = (stoa_read_range){left.offset + got, left.size - got,
                                         (uint8_t *)left.buffer + got};
            }
        }
    }
    return STOA_OK;
}

static stoa_status read_vector(void *state, const stoa_read_range *ranges, size_t count,
                               stoa_error *err) {
    struct reader *reader = state;
    uint64_t total = reader->object.size;
    size_t kept = 0;
    void *memory = NULL;
    for (size_t i = 0; i < count; i++) {
        uint64_t there = ranges[i].offset >= total ? 0 : total - ranges[i].offset;
        if (ranges[i].size > there) {
            return stoa_fail(err, STOA_CORRUPT,
                             "expected %zu bytes at byte %" PRIu64
                             " but the file ends after %" PRIu64,
                             ranges[i].size, ranges[i].offset, there);
        }
    }
    STOA_TRY(stoa_pool_allocate_array(reader->context.pool, count, sizeof(void *), &memory, err));
    const stoa_read_range **sorted = memory;
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].size > 0) {
            sorted[kept++] = &ranges[i];
        }
    }
    if (kept > 1) {
        qsort((void *)sorted, kept, sizeof *sorted, compare_ranges);
    }
    stoa_status status = read_sorted(reader, sorted, kept, err);
    stoa_pool_free(reader->context.pool, memory, count * sizeof(void *));
    return status;
}

static void close_reader(void *state) {
    struct reader *reader = state;
    struct s3_fs *fs = reader->fs;
    stoa_pool *pool = reader->context.pool;
    stoa_cancel_close(reader->cancel);
    stoa_pool_free_string(pool, reader->path);
    stoa_pool_free(pool, reader, sizeof *reader);
    stoa_s3_unreference(fs);
}

static const stoa_file_operations reading = {
    .size = read_size,
    .read_at = read_at,
    .read_vector = read_vector,
    .close = close_reader,
};

/* What is no object may be a directory, which is another mistake. */
static stoa_status find_object(struct reader *reader, stoa_error *err) {
    const struct s3_name *name = &reader->name;
    char prefix[S3_KEY_BYTES_MAX + 2];
    bool is_directory = name->key_size == 0;
    stoa_status status = STOA_NOT_FOUND;
    if (!stoa_s3_name_is_directory(name)) {
        status = stoa_s3_head(reader->fs, name, &reader->context, &reader->object, err);
    }
    if (status != STOA_NOT_FOUND) {
        return status;
    }
    (void)snprintf(prefix, sizeof prefix, "%s%s", name->key,
                   stoa_s3_name_is_directory(name) ? "" : "/");
    STOA_TRY(is_directory ? STOA_OK
                          : stoa_s3_has_prefix(reader->fs, name, prefix, &reader->context,
                                               &is_directory, err));
    return is_directory ? stoa_fail(err, STOA_INVALID, "it is a directory")
                        : stoa_fail(err, STOA_NOT_FOUND, "no such object");
}

stoa_status stoa_s3_open_read(struct s3_fs *fs, const char *path, const stoa_context *context,
                              stoa_file **out, stoa_error *err) {
    void *memory = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(struct reader), &memory, err));
    struct reader *reader = memory;
    reader->fs = fs;
    reader->context = *context;
    stoa_s3_reference(fs);
    STOA_CHECK(stoa_pool_copy_string(context->pool, path, &reader->path, err));
    STOA_CHECK(stoa_s3_name_parse(reader->path, &reader->name, err));
    if (context->cancel != NULL) {
        STOA_CHECK(stoa_cancel_create(context->cancel, &reader->cancel, err));
        reader->context.cancel = reader->cancel;
    }
    STOA_CHECK(find_object(reader, err));
    if (reader->object.etag[0] != '\0') {
        (void)snprintf(reader->match, sizeof reader->match, "If-Match: \"%s\"",
                       reader->object.etag);
    }
    STOA_CHECK(stoa_file_create(context->pool, path, &reading, reader, out, err));

done:
    if (status != STOA_OK) {
        close_reader(reader);
    }
    return status;
}
