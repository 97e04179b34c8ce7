/* The client: libcurl's multi interface, driven by whoever calls.
 *
 * A lane is one multi handle with its kept connections. A call takes an idle lane (the last one
 * used, whose connections are the freshest), runs its requests on the caller's own thread, and puts
 * the lane back. So threads never wait for each other, no lock is taken for a byte that comes, and
 * TLS is decrypted on as many cores as there are callers.
 *
 * libcurl copies each piece of a body once, from its receive buffer to where the caller wants it. */
#include "vfs/http_client.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vfs/http_transfer.h"

enum {
    CONNECTIONS_DEFAULT = 16,
    CONNECT_TIMEOUT_MS = 10000,
    STALL_TIMEOUT_MS = 30000,
    IDLE_LANES_MAX = 16,
    POLL_TOKEN_MS = 4, /* a token cannot wake anybody: it is looked at so often */
    POLL_MS = 100
};

struct lane {
    struct lane *next;
    CURLM *multi;
    CURL *easy[STOA_HTTP_CONNECTIONS_MAX]; /* idle handles */
    int easy_count;
};

struct stoa_http_client {
    pthread_mutex_t lock; /* over `idle` and `idle_count` */
    struct lane *idle;
    int idle_count;
    stoa_pool *pool;
    int32_t connections;
    struct http_settings settings;
};

/* One call of stoa_http_perform. */
struct call {
    stoa_http_client *client;
    const struct stoa_curl *curl;
    struct lane *lane;
    const stoa_context *context;
    const stoa_http_request *requests;
    stoa_http_response *responses;
    stoa_status *statuses; /* NULL: nobody asks */
    stoa_error *errors;
    size_t count;
    size_t next; /* the first request that has not begun */
    struct http_transfer *transfers;
    struct http_transfer **free; /* those of `transfers` that run nothing */
    int slots;
    int active;
    stoa_status status; /* the first failure */
    stoa_error *err;
};

const char *stoa_http_header(const stoa_http_response *response, const char *name) {
    size_t length = strlen(name);
    const char *line = (const char *)response->headers.data;
    const char *end = line + response->headers.size;
    while (line < end) {
        if (strncmp(line, name, length) == 0 && strncmp(line + length, ": ", 2) == 0) {
            return line + length + 2;
        }
        line += strlen(line) + 1;
    }
    return NULL;
}

void stoa_http_response_release(stoa_http_response *response, stoa_pool *pool) {
    stoa_buffer_release(&response->headers);
    stoa_buffer_release(&response->body);
    stoa_pool_free_string(pool, response->final_url);
    *response = (stoa_http_response){0};
}

/* Lanes -----------------------------------------------------------------------------------------*/

static void lane_close(stoa_http_client *client, const struct stoa_curl *curl, struct lane *lane) {
    for (int i = 0; i < lane->easy_count; i++) {
        curl->curl_easy_cleanup(lane->easy[i]);
    }
    (void)curl->curl_multi_cleanup(lane->multi);
    stoa_pool_free(client->pool, lane, sizeof *lane);
}

static stoa_status lane_open(stoa_http_client *client, const struct stoa_curl *curl,
                             struct lane **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(client->pool, 1, sizeof(struct lane), &memory, err));
    struct lane *lane = memory;
    lane->multi = curl->curl_multi_init();
    if (lane->multi == NULL) {
        stoa_pool_free(client->pool, lane, sizeof *lane);
        return stoa_fail(err, STOA_NO_MEMORY, "no memory for libcurl");
    }
    (void)curl->curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)client->connections);
    *out = lane;
    return STOA_OK;
}

static stoa_status lane_take(stoa_http_client *client, const struct stoa_curl *curl,
                             struct lane **out, stoa_error *err) {
    pthread_mutex_lock(&client->lock);
    struct lane *lane = client->idle;
    if (lane != NULL) {
        client->idle = lane->next;
        client->idle_count--;
    }
    pthread_mutex_unlock(&client->lock);
    *out = lane;
    return lane != NULL ? STOA_OK : lane_open(client, curl, out, err);
}

static void lane_give(stoa_http_client *client, const struct stoa_curl *curl, struct lane *lane) {
    pthread_mutex_lock(&client->lock);
    bool kept = client->idle_count < IDLE_LANES_MAX;
    if (kept) {
        lane->next = client->idle;
        client->idle = lane;
        client->idle_count++;
    }
    pthread_mutex_unlock(&client->lock);
    if (!kept) {
        lane_close(client, curl, lane);
    }
}

static CURL *lane_take_easy(struct lane *lane, const struct stoa_curl *curl) {
    if (lane->easy_count == 0) {
        return curl->curl_easy_init();
    }
    CURL *easy = lane->easy[--lane->easy_count];
    curl->curl_easy_reset(easy);
    return easy;
}

static void lane_give_easy(struct lane *lane, const struct stoa_curl *curl, CURL *easy) {
    if (lane->easy_count < STOA_HTTP_CONNECTIONS_MAX) {
        lane->easy[lane->easy_count++] = easy;
    } else {
        curl->curl_easy_cleanup(easy);
    }
}

/* Calls -----------------------------------------------------------------------------------------*/

static stoa_status begin(struct call *call, struct http_transfer *transfer, const char *url,
                         stoa_error *err) {
    transfer->easy = lane_take_easy(call->lane, call->curl);
    if (transfer->easy == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "no memory for libcurl");
    }
    STOA_TRY(stoa_http_transfer_prepare(transfer, url, err));
    CURLMcode code = call->curl->curl_multi_add_handle(call->lane->multi, transfer->easy);
    if (code != CURLM_OK) {
        return stoa_fail(err, code == CURLM_OUT_OF_MEMORY ? STOA_NO_MEMORY : STOA_INTERNAL,
                         "libcurl takes no request: %s", call->curl->curl_multi_strerror(code));
    }
    return STOA_OK;
}

/* Takes the transfer off libcurl; one that runs is cut. A handle whose transfer failed may still hold
 * its receive buffer, and then takes no size for a new one: it is not used again. */
static void end(struct call *call, struct http_transfer *transfer) {
    if (transfer->easy == NULL) {
        return;
    }
    (void)call->curl->curl_multi_remove_handle(call->lane->multi, transfer->easy);
    stoa_http_transfer_release(transfer);
    if (transfer->completed) {
        lane_give_easy(call->lane, call->curl, transfer->easy);
    } else {
        call->curl->curl_easy_cleanup(transfer->easy);
    }
    transfer->easy = NULL;
}

static void note(struct call *call, size_t index, stoa_status status, const stoa_error *error) {
    if (call->statuses != NULL) {
        call->statuses[index] = status;
    }
    if (call->errors != NULL) {
        call->errors[index] = *error;
    }
    if (status != STOA_OK && call->status == STOA_OK) {
        call->status = status;
        if (call->err != NULL) {
            *call->err = *error;
        }
    }
}

static void retire(struct call *call, struct http_transfer *transfer, stoa_status status,
                   const stoa_error *error) {
    end(call, transfer);
    note(call, transfer->index, status, error);
    call->active--;
    call->free[call->slots - call->active - 1] = transfer;
}

static void start_next(struct call *call) {
    struct http_transfer *transfer = call->free[call->slots - call->active - 1];
    size_t index = call->next++;
    const stoa_http_request *request = &call->requests[index];
    stoa_error error = STOA_ERROR_NONE;
    call->active++;
    *transfer = (struct http_transfer){
        .curl = call->curl,
        .settings = &call->client->settings,
        .request = request,
        .response = &call->responses[index],
        .pool = call->context->pool,
        .index = index,
        .error = STOA_ERROR_NONE,
    };
    const char *url = request->start_url != NULL ? request->start_url : request->url;
    stoa_status status = begin(call, transfer, url, &error);
    if (status != STOA_OK) {
        retire(call, transfer, status, &error);
    }
}

/* libcurl is done with a request: it is answered, failed, or sent on to where a redirect leads. */
static void complete(struct call *call, struct http_transfer *transfer, CURLcode code) {
    stoa_error error = STOA_ERROR_NONE;
    char *url = NULL;
    transfer->completed = code == CURLE_OK;
    stoa_status status = stoa_http_transfer_finish(transfer, code, &url, &error);
    if (url != NULL) {
        end(call, transfer);
        status = begin(call, transfer, url, &error);
        stoa_pool_free_string(call->context->pool, url);
        if (status == STOA_OK) {
            return;
        }
    }
    retire(call, transfer, status, &error);
}

static void reap(struct call *call) {
    CURLMsg *message;
    int left = 0;
    while ((message = call->curl->curl_multi_info_read(call->lane->multi, &left)) != NULL) {
        struct http_transfer *transfer = NULL;
        CURLcode code = message->data.result;
        (void)call->curl->curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        complete(call, transfer, code);
    }
}

static void fail_stalled(struct call *call) {
    int64_t now_ns = stoa_clock_monotonic_ns();
    for (int i = 0; i < call->slots; i++) {
        struct http_transfer *transfer = &call->transfers[i];
        if (transfer->easy != NULL && stoa_http_transfer_is_stalled(transfer, now_ns)) {
            stoa_error error = STOA_ERROR_NONE;
            transfer->response->is_repeatable = transfer->response->was_sent = true;
            stoa_status status = stoa_fail(&error, STOA_IO,
                                           "the server sent nothing for %" PRId64 " ms",
                                           call->client->settings.stall_timeout_ms);
            retire(call, transfer, status, &error);
        }
    }
}

/* Ends all that runs and all that has not begun. */
static void give_up(struct call *call, stoa_status status, const stoa_error *error) {
    for (int i = 0; call->transfers != NULL && i < call->slots; i++) {
        if (call->transfers[i].easy != NULL) {
            call->transfers[i].response->was_sent = true;
            retire(call, &call->transfers[i], status, error);
        }
    }
    while (call->next < call->count) {
        note(call, call->next++, status, error);
    }
}

static stoa_status step(struct call *call, stoa_error *err) {
    const stoa_cancel *token = call->context->cancel;
    int running = 0;
    CURLMcode code = call->curl->curl_multi_perform(call->lane->multi, &running);
    STOA_TRY(stoa_cancel_check(token, err));
    if (code == CURLM_OK) {
        reap(call);
        if (call->active == running && call->active > 0) {
            code = call->curl->curl_multi_poll(call->lane->multi, NULL, 0,
                                               token != NULL ? POLL_TOKEN_MS : POLL_MS, NULL);
        }
    }
    return code == CURLM_OK
               ? STOA_OK
               : stoa_fail(err, code == CURLM_OUT_OF_MEMORY ? STOA_NO_MEMORY : STOA_INTERNAL,
                           "libcurl fails: %s", call->curl->curl_multi_strerror(code));
}

static void run(struct call *call) {
    int64_t looked_ns = stoa_clock_monotonic_ns();
    while (call->next < call->count || call->active > 0) {
        stoa_error error = STOA_ERROR_NONE;
        while (call->next < call->count && call->active < call->slots) {
            start_next(call);
        }
        stoa_status status = step(call, &error);
        if (status != STOA_OK) {
            give_up(call, status, &error);
            return;
        }
        int64_t now_ns = stoa_clock_monotonic_ns();
        if (now_ns - looked_ns > POLL_MS * 1000000LL) {
            fail_stalled(call);
            looked_ns = now_ns;
        }
    }
}

/* libcurl's receive buffers are charged to the caller; where there is no room for all, fewer
 * requests run at a time. */
static stoa_status reserve(struct call *call, stoa_reservation *reservation, stoa_error *err) {
    int slots = call->count < (size_t)call->client->connections ? (int)call->count
                                                                : call->client->connections;
    stoa_status status;
    do {
        status = stoa_reservation_resize(reservation, call->context->pool,
                                         (size_t)slots * HTTP_RECEIVE_BYTES, err);
        call->slots = slots;
        slots /= 2;
    } while (status == STOA_LIMIT && slots > 0);
    return status;
}

static stoa_status allocate_transfers(struct call *call, stoa_error *err) {
    void *memory = NULL;
    size_t slots = (size_t)call->slots;
    STOA_TRY(stoa_pool_allocate_array(call->context->pool, slots, sizeof *call->transfers, &memory,
                                      err));
    call->transfers = memory;
    STOA_TRY(
        stoa_pool_allocate_array(call->context->pool, slots, sizeof *call->free, &memory, err));
    call->free = memory;
    for (size_t i = 0; i < slots; i++) {
        call->free[i] = &call->transfers[i];
    }
    return STOA_OK;
}

stoa_status stoa_http_perform(stoa_http_client *client, const stoa_http_request *requests,
                              size_t count, stoa_http_response *responses, stoa_status *out_status,
                              stoa_error *errors, const stoa_context *context, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_reservation reservation = {0};
    stoa_error error = STOA_ERROR_NONE;
    struct call call = {
        .client = client,
        .context = context,
        .requests = requests,
        .responses = responses,
        .statuses = out_status,
        .errors = errors,
        .count = count,
        .err = err,
    };
    for (size_t i = 0; i < count; i++) {
        responses[i] = (stoa_http_response){0};
        stoa_buffer_init(&responses[i].headers, context->pool);
        stoa_buffer_init(&responses[i].body, context->pool);
    }
    if (count == 0) {
        return STOA_OK;
    }
    STOA_CHECK(stoa_cancel_check(context->cancel, &error));
    STOA_CHECK(stoa_curl_load(&call.curl, &error));
    STOA_CHECK(reserve(&call, &reservation, &error));
    STOA_CHECK(allocate_transfers(&call, &error));
    STOA_CHECK(lane_take(client, call.curl, &call.lane, &error));
    run(&call);
    lane_give(client, call.curl, call.lane);

done:
    if (status != STOA_OK) {
        give_up(&call, status, &error);
    }
    if (call.free != NULL) {
        stoa_pool_free(context->pool, call.free, (size_t)call.slots * sizeof *call.free);
    }
    if (call.transfers != NULL) {
        stoa_pool_free(context->pool, call.transfers, (size_t)call.slots * sizeof *call.transfers);
    }
    stoa_reservation_release(&reservation);
    return call.status;
}

/* The client ------------------------------------------------------------------------------------*/

static const char *default_ca_file(void) {
    static const char *const names[] = {"STOA_CA_FILE", "SSL_CERT_FILE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return value;
        }
    }
    return NULL;
}

static stoa_status check_options(const stoa_http_options *options, stoa_error *err) {
    if (options->connect_timeout_ms < 0 || options->connect_timeout_ms > INT32_MAX ||
        options->stall_timeout_ms < 0 || options->stall_timeout_ms > INT32_MAX) {
        return stoa_fail(err, STOA_INVALID, "expected a timeout of 0 to %d ms", INT32_MAX);
    }
    if (options->connections < 0 || options->connections > STOA_HTTP_CONNECTIONS_MAX) {
        return stoa_fail(err, STOA_INVALID, "expected 0 to %d connections but found %d",
                         STOA_HTTP_CONNECTIONS_MAX, options->connections);
    }
    return STOA_OK;
}

stoa_status stoa_http_client_create(stoa_pool *pool, const stoa_http_options *options,
                                    stoa_http_client **out, stoa_error *err) {
    static const stoa_http_options defaults = {0};
    void *memory = NULL;
    *out = NULL;
    options = options != NULL ? options : &defaults;
    STOA_TRY(check_options(options, err));
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_http_client), &memory, err));
    stoa_http_client *client = memory;
    const char *ca_file = options->ca_file != NULL ? options->ca_file : default_ca_file();
    stoa_status status = stoa_pool_copy_string(pool, ca_file, &client->settings.ca_file, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, client, sizeof *client);
        return status;
    }
    (void)pthread_mutex_init(&client->lock, NULL);
    client->pool = pool;
    client->connections = options->connections > 0 ? options->connections : CONNECTIONS_DEFAULT;
    client->settings.connect_timeout_ms = options->connect_timeout_ms > 0
                                              ? options->connect_timeout_ms
                                              : CONNECT_TIMEOUT_MS;
    client->settings.stall_timeout_ms = options->stall_timeout_ms > 0 ? options->stall_timeout_ms
                                                                      : STALL_TIMEOUT_MS;
    client->settings.open_socket = options->open_socket;
    client->settings.open_socket_user = options->open_socket_user;
    *out = client;
    return STOA_OK;
}

void stoa_http_client_close(stoa_http_client *client) {
    if (client == NULL) {
        return;
    }
    const struct stoa_curl *curl = NULL;
    while (client->idle != NULL) {
        /* There is a lane, so libcurl is loaded. */
        STOA_IGNORE(stoa_curl_load(&curl, NULL));
        struct lane *lane = client->idle;
        client->idle = lane->next;
        lane_close(client, curl, lane);
    }
    (void)pthread_mutex_destroy(&client->lock);
    stoa_pool_free_string(client->pool, client->settings.ca_file);
    stoa_pool_free(client->pool, client, sizeof *client);
}
