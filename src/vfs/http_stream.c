/* One answer read piece by piece, in order, for servers that offer no ranges and bodies of unknown
 * length. A stream holds a lane for as long as it is open. While nobody reads, libcurl holds what
 * comes back, and the connection's own flow control the server. */
#include <string.h>

#include "base/clock.h"
#include "vfs/http_lane.h"

struct stoa_http_stream {
    stoa_http_client *client;
    stoa_pool *pool;
    const struct stoa_curl *curl;
    struct lane *lane;
    stoa_http_request request;
    stoa_http_response response;
    stoa_reservation reservation;
    struct http_transfer transfer;
    struct http_sink sink;
    bool has_ended;     /* libcurl is done with it */
    stoa_status status; /* what it ended with */
    stoa_error error;
};

/* libcurl ended the transfer: a redirect begins the next one. */
static stoa_status take_end(stoa_http_stream *stream, CURLcode code, stoa_error *err) {
    char *url = NULL;
    stoa_status status = stoa_http_transfer_finish(&stream->transfer, code, &url, err);
    stoa_http_lane_end(stream->lane, &stream->transfer);
    if (url != NULL) {
        stream->transfer.response->received = 0;
        status = stoa_http_lane_begin(stream->lane, &stream->transfer, url, err);
        stoa_pool_free_string(stream->pool, url);
    } else {
        stream->has_ended = true;
    }
    return status;
}

static stoa_status step(stoa_http_stream *stream, const stoa_context *context, stoa_error *err) {
    int running = 0;
    CURLcode code = CURLE_OK;
    STOA_TRY(stoa_http_lane_work(stream->lane, stream->curl, &running, err));
    STOA_TRY(stoa_cancel_check(context->cancel, err));
    if (stoa_http_lane_done(stream->lane, stream->curl, &code) != NULL) {
        return take_end(stream, code, err);
    }
    if (stoa_http_transfer_is_stalled(&stream->transfer, stoa_clock_monotonic_ns())) {
        return stoa_http_transfer_fail_stalled(&stream->transfer, err);
    }
    return STOA_OK;
}

/* A failure is final: the transfer is given up and every later read answers the same. */
static stoa_status keep(stoa_http_stream *stream, stoa_status status, stoa_error *err) {
    stoa_http_lane_end(stream->lane, &stream->transfer);
    stream->has_ended = true;
    stream->status = status;
    if (err != NULL) {
        *err = stream->error;
    }
    return status;
}

/* Until the body of a wanted answer has begun, or all of the answer is there. */
static stoa_status await_body(stoa_http_stream *stream, const stoa_context *context,
                              stoa_error *err) {
    const struct http_sink *sink = &stream->sink;
    for (;;) {
        STOA_TRY(step(stream, context, err));
        if (stream->has_ended || sink->is_paused) {
            return STOA_OK;
        }
        STOA_TRY(stoa_http_lane_wait(stream->lane, stream->curl, context->cancel, err));
    }
}

stoa_status stoa_http_stream_open(stoa_http_client *client, const stoa_http_request *request,
                                  const stoa_context *context, stoa_http_stream **out,
                                  stoa_error *err) {
    stoa_status status = STOA_OK;
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(stoa_http_stream), &memory, err));
    stoa_http_stream *stream = memory;
    stream->client = client;
    stream->pool = context->pool;
    stream->request = *request;
    stoa_buffer_init(&stream->response.headers, stream->pool);
    stoa_buffer_init(&stream->response.body, stream->pool);
    STOA_CHECK(stoa_cancel_check(context->cancel, err));
    STOA_CHECK(stoa_curl_load(&stream->curl, err));
    STOA_CHECK(
        stoa_reservation_resize(&stream->reservation, stream->pool, HTTP_RECEIVE_BYTES, err));
    STOA_CHECK(stoa_http_lane_take(client, stream->curl, &stream->lane, err));
    stream->transfer = (struct http_transfer){
        .curl = stream->curl,
        .settings = &client->settings,
        .request = &stream->request,
        .response = &stream->response,
        .pool = stream->pool,
        .sink = &stream->sink,
        .error = STOA_ERROR_NONE,
    };
    STOA_CHECK(stoa_http_lane_begin(stream->lane, &stream->transfer,
                                    request->start_url != NULL ? request->start_url : request->url,
                                    err));
    STOA_CHECK(await_body(stream, context, err));
    long code = 0;
    if (!stream->has_ended) {
        (void)stream->curl->curl_easy_getinfo(stream->transfer.easy, CURLINFO_RESPONSE_CODE, &code);
        stream->response.status_code = (int32_t)code;
    }
    *out = stream;
    return STOA_OK;

done:
    stoa_http_stream_close(stream);
    return status;
}

const stoa_http_response *stoa_http_stream_response(const stoa_http_stream *stream) {
    return &stream->response;
}

static void take_stash(struct http_sink *sink) {
    size_t left = sink->stash_end - sink->stash_begin;
    size_t part = left < sink->room ? left : sink->room;
    memcpy(sink->to, sink->stash + sink->stash_begin, part);
    sink->stash_begin += part;
    sink->to += part;
    sink->room -= part;
}

static stoa_status resume(stoa_http_stream *stream, stoa_error *err) {
    if (!stream->sink.is_paused || stream->sink.room == 0) {
        return STOA_OK;
    }
    stream->sink.is_paused = false;
    CURLcode code = stream->curl->curl_easy_pause(stream->transfer.easy, CURLPAUSE_CONT);
    return code == CURLE_OK ? STOA_OK : take_end(stream, code, err);
}

static stoa_status fill(stoa_http_stream *stream, const stoa_context *context, stoa_error *err) {
    struct http_sink *sink = &stream->sink;
    stream->transfer.active_ns = stoa_clock_monotonic_ns(); /* the reader's own pause is no stall */
    take_stash(sink);
    if (sink->room > 0 && !stream->has_ended) {
        STOA_TRY(resume(stream, err));
    }
    while (sink->room > 0 && !stream->has_ended) {
        size_t before = sink->room;
        STOA_TRY(step(stream, context, err));
        if (sink->room == before && !stream->has_ended) {
            STOA_TRY(stoa_http_lane_wait(stream->lane, stream->curl, context->cancel, err));
        }
    }
    return STOA_OK;
}

stoa_status stoa_http_stream_read(stoa_http_stream *stream, void *buffer, size_t size,
                                  size_t *out_size, const stoa_context *context, stoa_error *err) {
    *out_size = 0;
    if (stream->status != STOA_OK) {
        return keep(stream, stream->status, err);
    }
    stream->sink.to = buffer;
    stream->sink.room = size;
    stream->error = (stoa_error)STOA_ERROR_NONE;
    stoa_status status = fill(stream, context, &stream->error);
    *out_size = size - stream->sink.room;
    stream->sink.room = 0;
    if (status == STOA_OK) {
        return STOA_OK;
    }
    stoa_status kept = keep(stream, status, err);
    return *out_size > 0 && status != STOA_CANCELLED ? STOA_OK : kept;
}

void stoa_http_stream_close(stoa_http_stream *stream) {
    if (stream == NULL) {
        return;
    }
    if (stream->lane != NULL) {
        stoa_http_lane_end(stream->lane, &stream->transfer);
        stoa_http_lane_give(stream->client, stream->curl, stream->lane);
    }
    stoa_http_response_release(&stream->response, stream->pool);
    stoa_reservation_release(&stream->reservation);
    stoa_pool_free(stream->pool, stream, sizeof *stream);
}
