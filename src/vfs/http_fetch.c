/* Ranges of a file, side by side, each until it is whole.
 *
 * A body that breaks off is gone on with at the byte where it broke, by a new request under the same
 * condition (If-Match), so a retry never mixes versions. Attempts are counted without progress: a
 * server that cuts every connection after a while is slow, not broken. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "vfs/http_fields.h"
#include "vfs/http_file.h"
#include "vfs/retry.h"

enum {
    CONDITION_BYTES = HTTP_TAG_BYTES + 32,
    PROGRESS_BYTES = 65536 /* so many more bytes make a new start for the count of attempts */
};

/* One request for what a part still lacks. */
struct attempt {
    struct http_part *part;
    struct http_headers headers;
    char range[64];
};

struct round {
    struct http_file *file;
    struct http_part *parts;
    size_t count;
    struct attempt *attempts; /* one for each part */
    stoa_http_request *requests;
    stoa_http_response *responses;
    stoa_status *statuses;
    stoa_error *errors;
    size_t pending; /* of the arrays, in this round */
    struct http_pin pin;
    char *start_url;
    char condition[CONDITION_BYTES];
    /* What came of it. */
    uint64_t progress;
    int64_t wait_ms;
    bool has_no_ranges;
    bool forgets_redirect;
    stoa_status status; /* what stays when nothing is tried again */
    stoa_error error;
};

static void set_condition(struct round *round) {
    const struct http_pin *pin = &round->pin;
    round->condition[0] = '\0';
    if (stoa_http_pin_is_strong(pin)) {
        (void)snprintf(round->condition, sizeof round->condition, "If-Match: %s", pin->etag);
    } else if (pin->modified[0] != '\0' && pin->modified[0] != '#') {
        (void)snprintf(round->condition, sizeof round->condition, "If-Unmodified-Since: %s",
                       pin->modified);
    }
}

static void add_request(struct round *round, struct http_part *part) {
    size_t i = round->pending++;
    struct attempt *attempt = &round->attempts[i];
    struct http_headers *headers = &attempt->headers;
    uint64_t first = part->offset + part->done, last = part->offset + part->size - 1;
    stoa_http_request *request = &round->requests[i];
    attempt->part = part;
    *request = stoa_http_target_request(&round->file->target, "GET", headers);
    (void)snprintf(attempt->range, sizeof attempt->range, "Range: bytes=%" PRIu64 "-%" PRIu64,
                   first, last);
    headers->line[headers->count++] = attempt->range;
    if (round->condition[0] != '\0') {
        headers->line[headers->count++] = round->condition;
    }
    request->header_count = headers->count;
    request->start_url = round->start_url;
    request->wanted_status = 206;
    request->buffer = part->buffer + part->done;
    request->buffer_size = part->size - part->done;
}

static stoa_status fail_final(stoa_status status, const stoa_error *error, stoa_error *err) {
    if (err != NULL) {
        *err = *error;
    }
    return status;
}

/* To be tried again; `error` is what stays if it is not. */
static stoa_status repeat(struct round *round, stoa_status status, const stoa_error *error) {
    round->status = status;
    round->error = *error;
    return STOA_OK;
}

/* The bytes of a 206 count when they are of the right version and place. */
static stoa_status accept_bytes(struct round *round, struct attempt *attempt,
                                const stoa_http_response *response, stoa_error *err) {
    struct http_part *part = attempt->part;
    struct http_pin seen;
    stoa_http_range range;
    uint64_t first = part->offset + part->done;
    if (!stoa_http_range_parse(stoa_http_header(response, "content-range"), &range) ||
        range.end == 0) {
        return stoa_fail(err, STOA_IO, "the server answers a range without saying which");
    }
    stoa_http_pin_read(&seen, response);
    seen.has_size = range.has_total;
    seen.size = range.total;
    STOA_TRY(stoa_http_file_check(round->file, &seen, err));
    if (range.begin != first || range.end > part->offset + part->size) {
        return stoa_fail(err, STOA_IO,
                         "the server was asked for bytes %" PRIu64 " to %" PRIu64
                         " and answers bytes %" PRIu64 " to %" PRIu64,
                         first, part->offset + part->size - 1, range.begin, range.end - 1);
    }
    if (response->received > range.end - range.begin) {
        return stoa_fail(err, STOA_IO, "the server sent more bytes than its answer says there are");
    }
    part->done += (size_t)response->received;
    round->progress += response->received;
    return STOA_OK;
}

static bool is_stale_redirect(const struct round *round, int32_t code) {
    return round->start_url != NULL &&
           (code == 400 || code == 401 || code == 403 || code == 404 || code == 410);
}

static stoa_status judge_status(struct round *round, const stoa_http_response *response,
                                stoa_error *err) {
    stoa_error error = STOA_ERROR_NONE;
    int32_t code = response->status_code;
    if (code == 200) {
        round->has_no_ranges = true;
        return STOA_OK;
    }
    stoa_status status = stoa_http_fail_status(code, &error);
    if (stoa_http_is_transient(code)) {
        int64_t wait_ms = stoa_http_retry_after_ms(response, stoa_clock_unix_ms());
        round->wait_ms = wait_ms > round->wait_ms ? wait_ms : round->wait_ms;
        return repeat(round, status, &error);
    }
    if (is_stale_redirect(round, code)) {
        round->forgets_redirect = true;
        return repeat(round, status, &error);
    }
    return fail_final(status, &error, err);
}

static stoa_status judge(struct round *round, size_t i, stoa_error *err) {
    struct attempt *attempt = &round->attempts[i];
    const stoa_http_response *response = &round->responses[i];
    stoa_status status = round->statuses[i];
    if (status != STOA_OK && !response->is_repeatable) {
        return fail_final(status, &round->errors[i], err);
    }
    if (response->status_code == 206) {
        STOA_TRY(accept_bytes(round, attempt, response, err));
    }
    if (status != STOA_OK) {
        return repeat(round, status, &round->errors[i]);
    }
    return response->status_code == 206 ? STOA_OK : judge_status(round, response, err);
}

static stoa_status run_round(struct round *round, stoa_error *err) {
    const stoa_context *context = &round->file->context;
    stoa_error ignored = STOA_ERROR_NONE;
    stoa_status status = STOA_OK;
    round->pending = 0;
    round->wait_ms = 0;
    round->progress = 0;
    round->forgets_redirect = false;
    STOA_TRY(stoa_http_file_look(round->file, &round->pin, &round->start_url, err));
    set_condition(round);
    for (size_t i = 0; i < round->count; i++) {
        if (round->parts[i].done < round->parts[i].size) {
            add_request(round, &round->parts[i]);
        }
    }
    STOA_IGNORE(stoa_http_perform(round->file->target.fs->client, round->requests, round->pending,
                                  round->responses, round->statuses, round->errors, context,
                                  &ignored)); /* each status is judged */
    for (size_t i = 0; i < round->pending; i++) {
        if (status == STOA_OK) {
            status = judge(round, i, err);
        }
        if (round->start_url == NULL && round->responses[i].status_code == 206) {
            stoa_http_file_learn_redirect(round->file, &round->responses[i]);
        }
        stoa_http_response_release(&round->responses[i], context->pool);
    }
    stoa_pool_free_string(context->pool, round->start_url);
    round->start_url = NULL;
    if (round->forgets_redirect) {
        stoa_http_file_forget_redirect(round->file);
    }
    return status;
}

static bool is_done(const struct round *round) {
    for (size_t i = 0; i < round->count; i++) {
        if (round->parts[i].done < round->parts[i].size) {
            return false;
        }
    }
    return true;
}

static stoa_status run(struct round *round, stoa_error *err) {
    const stoa_context *context = &round->file->context;
    int32_t limit = round->file->target.fs->attempts;
    uint64_t progress = 0;
    stoa_retry retry;
    stoa_retry_init(&retry, limit);
    for (;;) {
        STOA_TRY(run_round(round, err));
        if (round->has_no_ranges || is_done(round)) {
            return STOA_OK;
        }
        progress += round->progress;
        if (progress >= PROGRESS_BYTES) {
            stoa_retry_init(&retry, limit);
            progress = 0;
        }
        if (!stoa_retry_again(&retry, round->wait_ms, context)) {
            STOA_TRY(stoa_cancel_check(context->cancel, err));
            return fail_final(round->status, &round->error, err);
        }
    }
}

static size_t bytes_per_part(void) {
    return sizeof(struct attempt) + sizeof(stoa_http_request) + sizeof(stoa_http_response) +
           sizeof(stoa_status) + sizeof(stoa_error);
}

stoa_status stoa_http_fetch(struct http_file *file, struct http_part *parts, size_t count,
                            bool *out_no_ranges, stoa_error *err) {
    struct round round = {.file = file, .parts = parts, .count = count, .error = STOA_ERROR_NONE};
    stoa_pool *pool = file->context.pool;
    void *memory = NULL;
    *out_no_ranges = false;
    if (count == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_pool_allocate_array(pool, count, bytes_per_part(), &memory, err));
    round.attempts = memory;
    round.requests = (stoa_http_request *)(void *)(round.attempts + count);
    round.responses = (stoa_http_response *)(void *)(round.requests + count);
    round.errors = (stoa_error *)(void *)(round.responses + count);
    round.statuses = (stoa_status *)(void *)(round.errors + count);
    stoa_status status = run(&round, err);
    *out_no_ranges = round.has_no_ranges;
    stoa_pool_free(pool, memory, count * bytes_per_part());
    return status;
}
