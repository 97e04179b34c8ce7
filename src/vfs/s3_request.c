/* Requests to S3: signed, sent, judged, and repeated by the rules that S3 documents for its clients.
 *
 *     prepare   address, date, hash of the body, signature: anew for each attempt
 *     perform   those that are not done, side by side (http_client.h)
 *     judge     done · failed for good · again after a wait · again at once (elsewhere, other clock)
 *
 * Repeated are connections that fail, 429 and 5xx, and the few 4xx that say "try again". Waits grow
 * with jitter (retry.h); a quota per file system ends repeating early when most of it is in vain, so
 * that a store in trouble is not held under by its clients.
 *
 * Secrets are in the headers only: their buffer is wiped, and no message is made of them. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "vfs/retry.h"
#include "vfs/s3.h"
#include "vfs/sigv4.h"

enum {
    REDIRECTS_MAX = 5,
    QUOTA_MAX = 500,
    QUOTA_REPEAT = 5,
    SKEW_LEAST_MS = 4 * 60 * 1000, /* S3 allows 15 minutes */
    HEADERS_SENT_MAX = S3_HEADERS_MAX + 6
};

enum judgement { DONE, FAILED, AGAIN_LATER, AGAIN_NOW };

/* The request of an attempt; texts are in the call's buffer. */
struct attempt {
    stoa_http_request request;
    const char *headers[HEADERS_SENT_MAX];
    struct s3_bucket bucket;
    char origin[S3_ORIGIN_BYTES];
};

/* One round: the attempts of calls that are not done. */
struct round {
    struct s3_fs *fs;
    struct s3_call *calls;
    size_t count;
    const stoa_context *context;
    struct attempt *attempts;      /* count of them */
    stoa_http_request *requests;   /* of the calls that are not done, packed */
    stoa_http_response *responses; /* theirs */
    stoa_status *statuses;
    stoa_error *errors;
    size_t *indexes; /* which call */
};

void stoa_s3_call_add_header(struct s3_call *call, const char *header) {
    STOA_ASSERT(call->header_count < S3_HEADERS_MAX);
    call->headers[call->header_count++] = header;
}

static void wipe(stoa_buffer *buffer) {
    if (buffer->data != NULL) {
        OPENSSL_cleanse(buffer->data, buffer->capacity);
    }
    stoa_buffer_release(buffer);
}

void stoa_s3_call_release(struct s3_call *call, const stoa_context *context) {
    stoa_http_response_release(&call->response, context->pool);
    wipe(&call->text);
}

/* Appends a text with its NUL and notes where it begins: the buffer moves while it grows. */
static stoa_status add_text(struct s3_call *call, size_t *offsets, size_t *count, stoa_error *err,
                            const char *name, const char *value) {
    offsets[(*count)++] = call->text.size;
    STOA_TRY(stoa_buffer_append_text(&call->text, name, err));
    STOA_TRY(stoa_buffer_append_text(&call->text, value, err));
    return stoa_buffer_append_byte(&call->text, '\0', err);
}

static void hash_body(struct s3_call *call, bool is_tls) {
    if (call->payload_hash[0] != '\0') {
        return;
    }
    if (is_tls && call->body_size > 0) {
        (void)snprintf(call->payload_hash, sizeof call->payload_hash, "%s", STOA_SIGV4_UNSIGNED);
        return;
    }
    char hash[STOA_SIGV4_HASH_BYTES];
    stoa_sigv4_hash(call->body == NULL ? "" : call->body, call->body_size, hash);
    (void)snprintf(call->payload_hash, sizeof call->payload_hash, "%s", hash);
}

/* `headers` are those that are sent; the "Host" that is signed with them is made by the transport. */
static stoa_status sign(const struct s3_fs *fs, struct s3_call *call, const struct attempt *attempt,
                        const char *path, const char *date, const char *const *headers,
                        size_t header_count, stoa_buffer *out, stoa_error *err) {
    const char *signed_headers[HEADERS_SENT_MAX + 1];
    char host[S3_ORIGIN_BYTES + 8];
    (void)snprintf(host, sizeof host, "host:%s", strstr(attempt->origin, "://") + 3);
    memcpy((void *)signed_headers, (const void *)headers, header_count * sizeof headers[0]);
    signed_headers[header_count] = host;
    const stoa_sigv4_request request = {
        .method = call->method,
        .path = path,
        .query = call->query == NULL ? "" : call->query,
        .headers = signed_headers,
        .header_count = header_count + 1,
        .payload_hash = call->payload_hash,
        .region = attempt->bucket.region,
        .service = "s3",
        .date = date,
    };
    return stoa_sigv4_authorize(&request, fs->settings.access_key_id,
                                fs->settings.secret_access_key, out, err);
}

/* Headers of an attempt, with the signature last: into the call's text, offsets into `offsets`. */
static stoa_status make_headers(const struct s3_fs *fs, struct s3_call *call,
                                const struct attempt *attempt, const char *path, size_t *offsets,
                                size_t *count, stoa_error *err) {
    char date[STOA_SIGV4_DATE_BYTES];
    int64_t skew = atomic_load_explicit(&fs->skew_ms, memory_order_relaxed);
    for (size_t i = 0; i < call->header_count; i++) {
        STOA_TRY(add_text(call, offsets, count, err, call->headers[i], ""));
    }
    if (fs->settings.is_anonymous) {
        return STOA_OK;
    }
    stoa_sigv4_date((stoa_clock_unix_ms() + skew) / 1000, date);
    STOA_TRY(add_text(call, offsets, count, err, "x-amz-content-sha256: ", call->payload_hash));
    STOA_TRY(add_text(call, offsets, count, err, "x-amz-date: ", date));
    if (fs->settings.session_token != NULL) {
        STOA_TRY(add_text(call, offsets, count, err,
                          "x-amz-security-token: ", fs->settings.session_token));
    }
    const char *headers[HEADERS_SENT_MAX];
    stoa_buffer authorization = {.pool = call->text.pool};
    for (size_t i = 0; i < *count; i++) {
        headers[i] = (const char *)call->text.data + offsets[i];
    }
    stoa_status status = sign(fs, call, attempt, path, date, headers, *count, &authorization, err);
    if (status == STOA_OK) {
        offsets[(*count)++] = call->text.size;
        status = stoa_buffer_append(&call->text, authorization.data, authorization.size, err);
    }
    if (status == STOA_OK) {
        status = stoa_buffer_append_byte(&call->text, '\0', err);
    }
    stoa_buffer_release(&authorization);
    return status;
}

static stoa_status prepare(struct s3_fs *fs, struct s3_call *call, struct attempt *attempt,
                           const stoa_context *context, stoa_error *err) {
    size_t offsets[HEADERS_SENT_MAX];
    size_t count = 0;
    size_t url = 0;
    stoa_buffer path = {.pool = context->pool};
    const char *path_text = NULL;
    stoa_status status = STOA_OK;

    wipe(&call->text);
    call->text.pool = context->pool;
    stoa_s3_bucket_find(fs, call->name->bucket, &attempt->bucket);
    (void)snprintf(call->region, sizeof call->region, "%s", attempt->bucket.region);
    STOA_CHECK(stoa_s3_url_make(fs, call, &attempt->bucket, attempt->origin, &path, err));
    STOA_CHECK(stoa_buffer_text(&path, &path_text, err));
    hash_body(call, strncasecmp(attempt->origin, "https", 5) == 0);
    STOA_CHECK(make_headers(fs, call, attempt, path_text, offsets, &count, err));
    url = call->text.size;
    STOA_CHECK(stoa_buffer_append_format(&call->text, err, "%s%s%s%s", attempt->origin, path_text,
                                         call->query == NULL ? "" : "?",
                                         call->query == NULL ? "" : call->query));
    for (size_t i = 0; i < count; i++) {
        attempt->headers[i] = (const char *)call->text.data + offsets[i];
    }
    attempt->request = (stoa_http_request){
        .method = call->method,
        .url = (const char *)call->text.data + url,
        .headers = attempt->headers,
        .header_count = count,
        .body = call->body,
        .body_size = call->body_size,
        .buffer = call->buffer,
        .buffer_size = call->buffer_size,
        .body_limit = call->body_limit,
        .wanted_status = call->wanted_status,
    };

done:
    stoa_buffer_release(&path);
    return status;
}

/* What a status without an <Error> means (HEAD has no body). */
static const char *reason_of(int32_t status_code) {
    switch (status_code) {
    case 301: return "PermanentRedirect";
    case 400: return "BadRequest";
    case 403: return "Forbidden";
    case 404: return "NotFound";
    case 412: return "PreconditionFailed";
    case 500: return "InternalError";
    case 503: return "SlowDown";
    default: return "no reason given";
    }
}

static void fail_call(struct s3_call *call, stoa_status status) {
    const stoa_s3_refusal *refusal = &call->refusal;
    const char *code = refusal->code[0] != '\0' ? refusal->code
                                                : reason_of(call->response.status_code);
    call->is_done = true;
    call->status = stoa_fail(&call->error, status, "S3 answered %d %s%s%s",
                             (int)call->response.status_code, code,
                             refusal->message[0] == '\0' ? "" : ": ", refusal->message);
}

static bool has_code(const struct s3_call *call, const char *code) {
    return strcmp(call->refusal.code, code) == 0;
}

/* The server's clock is another one: taken from its answer, once for a call. */
static bool adopt_clock(struct s3_fs *fs, struct s3_call *call) {
    int64_t theirs = stoa_s3_date_parse(stoa_http_header(&call->response, "date"));
    int64_t skew = theirs - stoa_clock_unix_ms();
    int64_t known = atomic_load_explicit(&fs->skew_ms, memory_order_relaxed);
    int64_t change = skew > known ? skew - known : known - skew;
    if (theirs == 0 || call->has_skewed || change < SKEW_LEAST_MS) {
        return false;
    }
    call->has_skewed = true;
    atomic_store_explicit(&fs->skew_ms, skew, memory_order_relaxed);
    return true;
}

static bool is_region(const char *region) {
    size_t length = strspn(region,
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    return length > 0 && region[length] == '\0' && length < S3_REGION_BYTES;
}

/* Where else the bucket is: in another region, or at another host. */
static enum judgement follow(struct s3_fs *fs, struct s3_call *call,
                             const struct attempt *attempt) {
    struct s3_bucket bucket = attempt->bucket;
    const char *location = stoa_http_header(&call->response, "location");
    const char *region = stoa_http_header(&call->response, "x-amz-bucket-region");
    region = region != NULL ? region : call->refusal.region;
    bool is_elsewhere = is_region(region) && strcmp(region, call->region) != 0;
    if (call->redirects >= REDIRECTS_MAX) {
        fail_call(call, STOA_IO);
        stoa_wrap(&call->error, "still sent elsewhere after %d redirects", REDIRECTS_MAX);
        return FAILED;
    }
    if (is_elsewhere) {
        (void)snprintf(bucket.region, sizeof bucket.region, "%s", region);
        bucket.origin[0] = '\0';
    } else if (location == NULL || call->response.status_code == 400 ||
               !stoa_s3_redirect_origin(fs, attempt->origin, location, bucket.origin)) {
        fail_call(call, STOA_IO);
        if (location != NULL && call->response.status_code != 400) {
            stoa_wrap(&call->error, "sent to another host, where signed requests do not go");
        }
        return FAILED;
    }
    call->redirects++;
    call->status = stoa_s3_bucket_note(fs, &bucket, &call->error);
    call->is_done = call->status != STOA_OK;
    return call->is_done ? FAILED : AGAIN_NOW;
}

static bool is_transient(const struct s3_call *call) {
    static const char *const codes[] = {
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "InternalError",
        "ServiceUnavailable",
        "OperationAborted",
        "BadDigest",
        "ConditionalRequestConflict",
        "XAmzContentChecksumMismatch",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "IncompleteBody",
    };
    int32_t status_code = call->response.status_code;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (has_code(call, codes[i])) {
            return true;
        }
    }
    return status_code == 429 || status_code == 500 || status_code == 502 || status_code == 503 ||
           status_code == 504;
}

static stoa_status status_of(const struct s3_call *call) {
    static const char *const names[] = {"InvalidURI", "KeyTooLongError", "InvalidBucketName",
                                        "InvalidArgument", "400"};
    switch (call->response.status_code) {
    case 404: return STOA_NOT_FOUND;
    case 412: return STOA_CONFLICT;
    case 501: return STOA_UNSUPPORTED;
    default:
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            if (has_code(call, names[i])) {
                return STOA_INVALID;
            }
        }
        return STOA_IO;
    }
}

static enum judgement judge_refusal(struct s3_fs *fs, struct s3_call *call,
                                    const struct attempt *attempt) {
    int32_t status_code = call->response.status_code;
    bool is_redirect = status_code == 301 || status_code == 302 || status_code == 307 ||
                       status_code == 308;
    if (is_redirect || (status_code == 400 && has_code(call, "AuthorizationHeaderMalformed") &&
                        call->refusal.region[0] != '\0')) {
        return follow(fs, call, attempt);
    }
    /* HEAD has no body to give a reason in. */
    if (status_code == 400 && strcmp(call->method, "HEAD") == 0 &&
        stoa_http_header(&call->response, "x-amz-bucket-region") != NULL) {
        return follow(fs, call, attempt);
    }
    if (status_code == 403 &&
        (has_code(call, "RequestTimeTooSkewed") || call->refusal.code[0] == '\0') &&
        adopt_clock(fs, call)) {
        return AGAIN_NOW;
    }
    if (is_transient(call)) {
        fail_call(call, STOA_IO);
        call->is_done = false;
        return AGAIN_LATER;
    }
    fail_call(call, status_of(call));
    return FAILED;
}

/* Moves what came into the call, and says how to go on. */
static enum judgement judge(struct s3_fs *fs, struct s3_call *call, const struct attempt *attempt,
                            stoa_status status, const stoa_error *error,
                            const stoa_context *context) {
    int32_t status_code = call->response.status_code;
    bool is_wanted = call->wanted_status != 0 ? status_code == call->wanted_status
                                              : status_code >= 200 && status_code <= 299;
    call->refusal = (stoa_s3_refusal){0};
    if (status != STOA_OK) {
        call->status = status;
        call->error = *error;
        if (status == STOA_NOT_FOUND) {
            /* A library that is not installed is no object that is missing. */
            call->status = stoa_fail(&call->error, STOA_IO, "%s", error->message);
        }
        call->is_done = !call->response.is_repeatable;
        return call->is_done ? FAILED : AGAIN_LATER;
    }
    if (!is_wanted || call->fails_late) {
        const stoa_buffer *body = &call->response.body;
        bool is_refused = stoa_s3_refusal_read(context->pool, body->data, body->size,
                                               &call->refusal);
        if (!is_wanted || is_refused) {
            return judge_refusal(fs, call, attempt);
        }
    }
    call->status = STOA_OK;
    call->is_done = true;
    return DONE;
}

static void give_quota(struct s3_fs *fs) {
    int32_t quota = atomic_load_explicit(&fs->retry_quota, memory_order_relaxed);
    while (quota < QUOTA_MAX &&
           !atomic_compare_exchange_weak_explicit(&fs->retry_quota, &quota, quota + 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

static bool take_quota(struct s3_fs *fs) {
    int32_t quota = atomic_load_explicit(&fs->retry_quota, memory_order_relaxed);
    do {
        if (quota < QUOTA_REPEAT) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&fs->retry_quota, &quota, quota - QUOTA_REPEAT,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

/* Sends what is not done. `*out_wait_ms`: -1 nothing is left, else the least wait that was asked for
 * before `*out_later` of them (0: all at once). */
static stoa_status run_round(struct round *round, int64_t *out_wait_ms, size_t *out_later,
                             stoa_error *err) {
    size_t pending = 0;
    *out_wait_ms = -1;
    *out_later = 0;
    for (size_t i = 0; i < round->count; i++) {
        struct s3_call *call = &round->calls[i];
        if (call->is_done) {
            continue;
        }
        stoa_http_response_release(&call->response, round->context->pool);
        STOA_TRY(prepare(round->fs, call, &round->attempts[i], round->context, err));
        round->indexes[pending] = i;
        round->requests[pending] = round->attempts[i].request;
        round->responses[pending++] = (stoa_http_response){0};
    }
    stoa_status status = stoa_http_perform(round->fs->client, round->requests, pending,
                                           round->responses, round->statuses, round->errors,
                                           round->context, err);
    bool is_cancelled = stoa_cancel_is_triggered(round->context->cancel);
    for (size_t i = 0; i < pending; i++) {
        struct s3_call *call = &round->calls[round->indexes[i]];
        call->response = round->responses[i];
        enum judgement judgement = judge(round->fs, call, &round->attempts[round->indexes[i]],
                                         round->statuses[i], &round->errors[i], round->context);
        if (judgement == DONE) {
            give_quota(round->fs);
        } else if (judgement != FAILED) {
            const char *after = stoa_http_header(&call->response, "retry-after");
            int64_t asked = after == NULL ? 0 : strtoll(after, NULL, 10) * 1000;
            *out_wait_ms = asked > *out_wait_ms ? asked : *out_wait_ms;
            *out_wait_ms = *out_wait_ms < 0 ? 0 : *out_wait_ms;
            *out_later += judgement == AGAIN_LATER ? 1 : 0;
        }
    }
    /* What each call makes of its failure counts; that of all of them only where none says it. */
    return is_cancelled && status != STOA_OK ? status : STOA_OK;
}

static void end_calls(struct round *round, int32_t attempts, bool quota_is_out) {
    for (size_t i = 0; i < round->count; i++) {
        struct s3_call *call = &round->calls[i];
        if (!call->is_done) {
            call->is_done = true;
            if (quota_is_out) {
                stoa_wrap(&call->error, "too many requests in vain to repeat this one");
            } else if (attempts > 1) {
                stoa_wrap(&call->error, "after %d attempts", (int)attempts);
            }
        }
    }
}

static stoa_status run_rounds(struct round *round, stoa_error *err) {
    stoa_retry retry;
    int32_t limit = round->fs->settings.max_attempts;
    if (round->calls[0].attempts_max > 0 && round->calls[0].attempts_max < limit) {
        limit = round->calls[0].attempts_max;
    }
    stoa_retry_init(&retry, limit);
    for (;;) {
        int64_t wait_ms = -1;
        size_t later = 0;
        bool has_quota = true;
        STOA_TRY(stoa_cancel_check(round->context->cancel, err));
        STOA_TRY(run_round(round, &wait_ms, &later, err));
        if (wait_ms < 0) {
            return STOA_OK;
        }
        for (size_t i = 0; i < later && has_quota; i++) {
            has_quota = take_quota(round->fs);
        }
        if (later > 0 && (!has_quota || !stoa_retry_again(&retry, wait_ms, round->context))) {
            STOA_TRY(stoa_cancel_check(round->context->cancel, err));
            end_calls(round, retry.attempts, !has_quota);
            return STOA_OK;
        }
    }
}

static stoa_status first_failure(const struct s3_call *calls, size_t count, stoa_error *err) {
    for (size_t i = 0; i < count; i++) {
        if (calls[i].status != STOA_OK) {
            if (err != NULL) {
                *err = calls[i].error;
            }
            return calls[i].status;
        }
    }
    return STOA_OK;
}

stoa_status stoa_s3_run(struct s3_fs *fs, struct s3_call *calls, size_t count,
                        const stoa_context *context, stoa_error *err) {
    struct round round = {.fs = fs, .calls = calls, .count = count, .context = context};
    stoa_pool *pool = context->pool;
    void *memory = NULL;
    const size_t each = sizeof *round.attempts + sizeof *round.requests + sizeof *round.responses +
                        sizeof *round.statuses + sizeof *round.errors + sizeof *round.indexes;
    if (count == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_s3_connect(fs, err));
    STOA_TRY(stoa_pool_allocate_array(pool, count, each, &memory, err));
    /* One block, the parts with the strictest alignment first. */
    round.attempts = memory;
    round.requests = (stoa_http_request *)(void *)(round.attempts + count);
    round.responses = (stoa_http_response *)(void *)(round.requests + count);
    round.errors = (stoa_error *)(void *)(round.responses + count);
    round.indexes = (size_t *)(void *)(round.errors + count);
    round.statuses = (stoa_status *)(void *)(round.indexes + count);
    for (size_t i = 0; i < count; i++) {
        calls[i].error = (stoa_error)STOA_ERROR_NONE;
        calls[i].status = STOA_OK;
    }
    stoa_status status = run_rounds(&round, err);
    stoa_pool_free(pool, memory, count * each);
    return status != STOA_OK ? status : first_failure(calls, count, err);
}
