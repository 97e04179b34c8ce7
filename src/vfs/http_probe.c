/* The first look at a file: does it exist, how large is it, which version, are there ranges.
 *
 * HEAD asks for all of it. Servers that refuse HEAD (405, 501), signed addresses that hold for GET
 * alone (403), and answers without a size are asked for the first byte instead: the Content-Range of
 * that answer has the size. */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/error.h"
#include "vfs/http_fields.h"
#include "vfs/http_fs.h"
#include "vfs/retry.h"

stoa_status stoa_http_fail_status(int32_t status_code, stoa_error *err) {
    static const struct {
        int32_t code;
        stoa_status status;
        const char *text;
    } known[] = {
        {400, STOA_INVALID, "Bad Request"},
        {401, STOA_IO, "Unauthorized: it wants a user or token that it knows"},
        {403, STOA_IO, "Forbidden"},
        {404, STOA_NOT_FOUND, "Not Found"},
        {405, STOA_IO, "Method Not Allowed"},
        {407, STOA_IO, "Proxy Authentication Required"},
        {408, STOA_IO, "Request Timeout"},
        {410, STOA_NOT_FOUND, "Gone"},
        {412, STOA_CONFLICT, "Precondition Failed: it was changed while it was read"},
        {414, STOA_INVALID, "URI Too Long"},
        {416, STOA_CONFLICT, "Range Not Satisfiable: it was changed while it was read"},
        {429, STOA_IO, "Too Many Requests"},
        {500, STOA_IO, "Internal Server Error"},
        {502, STOA_IO, "Bad Gateway"},
        {503, STOA_IO, "Service Unavailable"},
        {504, STOA_IO, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].code == status_code) {
            return stoa_fail(err, known[i].status, "the server answers %d %s", status_code,
                             known[i].text);
        }
    }
    return stoa_fail(err, STOA_IO, "the server answers %d, which is no answer to a read",
                     status_code);
}

/* Repeats what may be repeated; what is left is an answer of any other status, or a failure. */
static stoa_status ask(const struct http_target *target, const stoa_http_request *request,
                       const stoa_context *context, stoa_http_response *out, stoa_error *err) {
    stoa_retry retry;
    stoa_retry_init(&retry, target->fs->attempts);
    for (;;) {
        int64_t wait_ms = 0;
        stoa_status status = stoa_http_perform(target->fs->client, request, 1, out, NULL, NULL,
                                               context, err);
        if (status == STOA_OK) {
            if (!stoa_http_is_transient(out->status_code)) {
                return STOA_OK;
            }
            wait_ms = stoa_http_retry_after_ms(out, stoa_clock_unix_ms());
            status = stoa_http_fail_status(out->status_code, err);
        } else if (!out->is_repeatable) {
            return status;
        }
        if (!stoa_retry_again(&retry, wait_ms, context)) {
            STOA_TRY(stoa_cancel_check(context->cancel, err));
            return status;
        }
        stoa_http_response_release(out, context->pool);
    }
}

/* Moves the address that a redirect led to out of an answer. */
static void take_final_url(struct http_probe *probe, stoa_http_response *response,
                           const struct http_target *target) {
    stoa_pool_free_string(target->pool, probe->final_url);
    probe->final_url = response->final_url;
    response->final_url = NULL;
}

static stoa_status probe_head(const struct http_target *target, const stoa_context *context,
                              struct http_probe *out, bool *out_refused, stoa_error *err) {
    struct http_headers headers;
    stoa_http_response response;
    stoa_http_request request = stoa_http_target_request(target, "HEAD", &headers);
    stoa_status status = ask(target, &request, context, &response, err);
    int32_t code = response.status_code;
    *out_refused = status == STOA_OK && (code == 400 || code == 403 || code == 405 || code == 501);
    if (status == STOA_OK && code == 200) {
        const char *ranges = stoa_http_header(&response, "accept-ranges");
        stoa_http_pin_read(&out->pin, &response);
        out->pin.has_size = stoa_http_number_parse(stoa_http_header(&response, "content-length"),
                                                   &out->pin.size);
        out->has_no_ranges = ranges != NULL && strcasecmp(ranges, "none") == 0;
        take_final_url(out, &response, target);
    } else if (status == STOA_OK && !*out_refused) {
        status = stoa_http_fail_status(code, err);
    }
    stoa_http_response_release(&response, context->pool);
    return status;
}

static stoa_status read_first_byte(struct http_probe *out, const stoa_http_response *response,
                                   stoa_error *err) {
    stoa_http_range range;
    bool has_range = stoa_http_range_parse(stoa_http_header(response, "content-range"), &range);
    switch (response->status_code) {
    case 206:
        if (!has_range || range.begin != 0) {
            return stoa_fail(err, STOA_IO, "the server answers a range without saying which");
        }
        stoa_http_pin_read(&out->pin, response);
        out->pin.has_size = range.has_total;
        out->pin.size = range.total;
        return STOA_OK;
    case 200:
        stoa_http_pin_read(&out->pin, response);
        out->pin.has_size = stoa_http_number_parse(stoa_http_header(response, "content-length"),
                                                   &out->pin.size);
        out->has_no_ranges = true;
        return STOA_OK;
    case 416: /* an empty file has no first byte */
        if (has_range && range.has_total && range.total == 0) {
            stoa_http_pin_read(&out->pin, response);
            out->pin.has_size = true;
            return STOA_OK;
        }
        return stoa_http_fail_status(416, err);
    default: return stoa_http_fail_status(response->status_code, err);
    }
}

static stoa_status probe_first_byte(const struct http_target *target, const stoa_context *context,
                                    struct http_probe *out, stoa_error *err) {
    struct http_headers headers;
    stoa_http_response response;
    uint8_t byte;
    stoa_http_request request = stoa_http_target_request(target, "GET", &headers);
    headers.line[headers.count++] = "Range: bytes=0-0";
    request.header_count = headers.count;
    request.wanted_status = 206;
    request.buffer = &byte;
    request.buffer_size = 1;
    stoa_status status = ask(target, &request, context, &response, err);
    if (status == STOA_OK) {
        status = read_first_byte(out, &response, err);
    }
    if (status == STOA_OK) {
        take_final_url(out, &response, target);
    }
    stoa_http_response_release(&response, context->pool);
    return status;
}

stoa_status stoa_http_probe(const struct http_target *target, const stoa_context *context,
                            struct http_probe *out, stoa_error *err) {
    bool refused = false;
    *out = (struct http_probe){0};
    stoa_status status = probe_head(target, context, out, &refused, err);
    if (status == STOA_OK && (refused || !out->pin.has_size)) {
        status = probe_first_byte(target, context, out, err);
    }
    if (status != STOA_OK) {
        stoa_pool_free_string(target->pool, out->final_url);
        out->final_url = NULL;
    }
    return status;
}
