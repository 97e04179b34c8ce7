/* Files of servers without ranges: the body is read once, in order.
 *
 * Its first bytes (as many as HELD_BYTES_MAX, and as the pool allows) are held, so that a small file
 * can be read anywhere and the beginning of a large one twice (once to see what it is). Behind that
 * only the next byte can be read. A body that breaks off is asked for again and skipped to where it
 * broke, when the server says which version it sends. Reading at byte 0 begins anew at any time. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "vfs/http_fields.h"
#include "vfs/http_file.h"
#include "vfs/retry.h"

enum { HELD_BYTES_MAX = 64 << 20, STEP_BYTES = 256 * 1024 };

static void end_stream(struct http_inorder *inorder) {
    stoa_http_stream_close(inorder->stream);
    inorder->stream = NULL;
}

/* `out_repeats` says that a failure may be tried again, not before `out_wait_ms`. */
static stoa_status open_once(struct http_file *file, bool *out_repeats, int64_t *out_wait_ms,
                             stoa_error *err) {
    struct http_inorder *inorder = &file->inorder;
    struct http_headers headers;
    struct http_pin pin, seen;
    char *start_url = NULL;
    *out_repeats = false;
    *out_wait_ms = 0;
    STOA_TRY(stoa_http_file_look(file, &pin, &start_url, err));
    stoa_http_request request = stoa_http_target_request(&file->target, "GET", &headers);
    request.start_url = start_url;
    request.wanted_status = 200;
    stoa_status status = stoa_http_stream_open(file->target.fs->client, &request, &file->context,
                                               &inorder->stream, err);
    stoa_pool_free_string(file->context.pool, start_url);
    if (status != STOA_OK) {
        *out_repeats = status == STOA_IO;
        return status;
    }
    const stoa_http_response *response = stoa_http_stream_response(inorder->stream);
    if (response->status_code != 200) {
        *out_repeats = stoa_http_is_transient(response->status_code);
        *out_wait_ms = stoa_http_retry_after_ms(response, stoa_clock_unix_ms());
        return stoa_http_fail_status(response->status_code, err);
    }
    stoa_http_pin_read(&seen, response);
    seen.has_size = stoa_http_number_parse(stoa_http_header(response, "content-length"),
                                           &seen.size);
    return stoa_http_file_check(file, &seen, err);
}

/* Begins the body, with retries; it stands at byte 0 then. */
static stoa_status begin(struct http_file *file, stoa_retry *retry, stoa_error *err) {
    struct http_inorder *inorder = &file->inorder;
    for (;;) {
        bool repeats = false;
        int64_t wait_ms = 0;
        stoa_status status = open_once(file, &repeats, &wait_ms, err);
        if (status == STOA_OK) {
            return STOA_OK;
        }
        end_stream(inorder);
        if (!repeats) {
            return status;
        }
        if (!stoa_retry_again(retry, wait_ms, &file->context)) {
            STOA_TRY(stoa_cancel_check(file->context.cancel, err));
            return status;
        }
    }
}

static stoa_status skip(struct http_file *file, uint64_t size, stoa_error *err) {
    uint8_t *bytes = NULL;
    void *memory = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_pool_allocate(file->context.pool, STEP_BYTES, &memory, err));
    bytes = memory;
    while (size > 0 && status == STOA_OK) {
        size_t got = 0;
        size_t part = size < STEP_BYTES ? (size_t)size : STEP_BYTES;
        status = stoa_http_stream_read(file->inorder.stream, bytes, part, &got, &file->context,
                                       err);
        size -= got;
        if (status == STOA_OK && got == 0) {
            status = stoa_fail(err, STOA_CONFLICT,
                               "it was changed while it was read: it is "
                               "shorter now");
        }
    }
    stoa_pool_free(file->context.pool, memory, STEP_BYTES);
    return status;
}

static bool may_resume(struct http_file *file) {
    pthread_mutex_lock(&file->lock);
    bool is_known = file->pin.etag[0] != '\0' || file->pin.modified[0] != '\0';
    pthread_mutex_unlock(&file->lock);
    return is_known;
}

/* The next bytes of the body: fewer than `size` only at its end. */
static stoa_status read_next(struct http_file *file, uint8_t *buffer, size_t size, size_t *out_size,
                             stoa_error *err) {
    struct http_inorder *inorder = &file->inorder;
    stoa_retry retry;
    *out_size = 0;
    stoa_retry_init(&retry, file->target.fs->attempts);
    while (*out_size < size && !inorder->has_ended) {
        size_t got = 0;
        stoa_status status = STOA_OK;
        if (inorder->stream == NULL) {
            STOA_TRY(begin(file, &retry, err));
            status = skip(file, inorder->position, err);
        }
        if (status == STOA_OK) {
            status = stoa_http_stream_read(inorder->stream, buffer + *out_size, size - *out_size,
                                           &got, &file->context, err);
        }
        *out_size += got;
        inorder->position += got;
        if (status == STOA_OK) {
            inorder->has_ended = got == 0;
            continue;
        }
        bool repeats = stoa_http_stream_response(inorder->stream)->is_repeatable &&
                       may_resume(file);
        end_stream(inorder);
        if (!repeats || !stoa_retry_again(&retry, 0, &file->context)) {
            return status;
        }
    }
    return STOA_OK;
}

/* Goes on without what was held: the file is too long, or the pool too small. */
static void stop_holding(struct http_inorder *inorder) {
    inorder->holds = false;
    stoa_buffer_release(&inorder->held);
}

/* Reads into `held` until it has `wanted` bytes, the body ends, or it is too much to hold. Not a
 * byte more is read: a reader in order goes on where holding ended. */
static stoa_status hold(struct http_file *file, uint64_t wanted, stoa_error *err) {
    struct http_inorder *inorder = &file->inorder;
    stoa_buffer *held = &inorder->held;
    while (inorder->holds && held->size < wanted && !inorder->has_ended) {
        size_t got = 0;
        size_t step = wanted - held->size < STEP_BYTES ? (size_t)(wanted - held->size) : STEP_BYTES;
        stoa_status status = held->size + step > HELD_BYTES_MAX
                                 ? STOA_LIMIT
                                 : stoa_buffer_reserve(held, step, err);
        if (status == STOA_LIMIT) {
            stoa_error_clear(err);
            stop_holding(inorder);
            return STOA_OK;
        }
        STOA_TRY(status);
        status = read_next(file, held->data + held->size, step, &got, err);
        held->size += got;
        STOA_TRY(status);
    }
    return STOA_OK;
}

static stoa_status read_behind(struct http_file *file, uint64_t offset, uint8_t *buffer,
                               size_t size, size_t *out_size, stoa_error *err) {
    struct http_inorder *inorder = &file->inorder;
    if (offset == 0 && inorder->position > 0) {
        end_stream(inorder);
        inorder->position = 0;
        inorder->has_ended = false;
    }
    if (inorder->has_ended && offset >= inorder->position) {
        return STOA_OK;
    }
    if (offset != inorder->position) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "the server offers no ranges, so it can only be read in order: at byte "
                         "%" PRIu64 " now",
                         inorder->position);
    }
    return read_next(file, buffer, size, out_size, err);
}

static stoa_status read_held(struct http_file *file, uint64_t offset, uint8_t *buffer, size_t size,
                             size_t *out_size, stoa_error *err) {
    struct http_inorder *inorder = &file->inorder;
    if (inorder->holds && offset >= inorder->held.size) {
        STOA_TRY(hold(file, offset + size, err));
    }
    if (!inorder->holds) {
        return read_behind(file, offset, buffer, size, out_size, err);
    }
    size_t left = offset < inorder->held.size ? inorder->held.size - (size_t)offset : 0;
    *out_size = size < left ? size : left;
    if (*out_size > 0) {
        memcpy(buffer, inorder->held.data + offset, *out_size);
    }
    return STOA_OK;
}

stoa_status stoa_http_inorder_read(struct http_file *file, uint64_t offset, uint8_t *buffer,
                                   size_t size, size_t *out_size, stoa_error *err) {
    *out_size = 0;
    pthread_mutex_lock(&file->inorder.lock);
    stoa_status status = read_held(file, offset, buffer, size, out_size, err);
    pthread_mutex_unlock(&file->inorder.lock);
    return status;
}

stoa_status stoa_http_inorder_size(struct http_file *file, uint64_t *out, stoa_error *err) {
    struct http_inorder *inorder = &file->inorder;
    pthread_mutex_lock(&inorder->lock);
    stoa_status status = hold(file, UINT64_MAX, err);
    if (status == STOA_OK && !inorder->has_ended) {
        status = stoa_fail(err, STOA_UNSUPPORTED,
                           "the server does not say, and the file is too large to be held");
    }
    *out = inorder->position;
    pthread_mutex_unlock(&inorder->lock);
    return status;
}
