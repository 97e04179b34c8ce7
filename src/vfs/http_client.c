/* Requests side by side: libcurl's multi interface, driven by whoever calls, on a lane of its own
 * (http_lane.h). libcurl copies each piece of a body once, from its receive buffer to where the
 * caller wants it. */
#include "vfs/http_client.h"

#include <string.h>

#include "base/clock.h"
#include "vfs/http_lane.h"

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

/* Calls -----------------------------------------------------------------------------------------*/

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
    stoa_http_lane_end(call->lane, transfer);
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
    stoa_status status = stoa_http_lane_begin(call->lane, transfer, url, &error);
    if (status != STOA_OK) {
        retire(call, transfer, status, &error);
    }
}

/* libcurl is done with a request: it is answered, failed, or sent on to where a redirect leads. */
static void complete(struct call *call, struct http_transfer *transfer, CURLcode code) {
    stoa_error error = STOA_ERROR_NONE;
    char *url = NULL;
    stoa_status status = stoa_http_transfer_finish(transfer, code, &url, &error);
    if (url != NULL) {
        stoa_http_lane_end(call->lane, transfer);
        status = stoa_http_lane_begin(call->lane, transfer, url, &error);
        stoa_pool_free_string(call->context->pool, url);
        if (status == STOA_OK) {
            return;
        }
    }
    retire(call, transfer, status, &error);
}

static void reap(struct call *call) {
    struct http_transfer *transfer;
    CURLcode code = CURLE_OK;
    while ((transfer = stoa_http_lane_done(call->lane, call->curl, &code)) != NULL) {
        complete(call, transfer, code);
    }
}

static void fail_stalled(struct call *call) {
    int64_t now_ns = stoa_clock_monotonic_ns();
    for (int i = 0; i < call->slots; i++) {
        struct http_transfer *transfer = &call->transfers[i];
        if (transfer->easy != NULL && stoa_http_transfer_is_stalled(transfer, now_ns)) {
            stoa_error error = STOA_ERROR_NONE;
            stoa_status status = stoa_http_transfer_fail_stalled(transfer, &error);
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
    int running = 0;
    STOA_TRY(stoa_http_lane_work(call->lane, call->curl, &running, err));
    STOA_TRY(stoa_cancel_check(call->context->cancel, err));
    reap(call);
    return call->active == running && call->active > 0
               ? stoa_http_lane_wait(call->lane, call->curl, call->context->cancel, err)
               : STOA_OK;
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
        if (now_ns - looked_ns > HTTP_LOOK_MS * 1000000LL) {
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
    STOA_CHECK(stoa_http_lane_take(client, call.curl, &call.lane, &error));
    run(&call);
    stoa_http_lane_give(client, call.curl, call.lane);

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
