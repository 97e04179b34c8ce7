/* One request on its way through libcurl: RFC 9110 and 9112 as libcurl speaks them.
 *
 * Redirects are followed here and not by libcurl, which would take headers that it does not know to
 * be secret to any host. Certificates are verified always; nothing turns that off. */
#include "vfs/http_transfer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <stoa/stoa.h>

#include "base/clock.h"
#include "vfs/http_url.h"

enum { REDIRECTS_MAX = 10, SEND_BYTES = 256 * 1024 };

static bool is_method(const struct http_transfer *transfer, const char *name) {
    return strcmp(transfer->request->method, name) == 0;
}

/* What libcurl calls ----------------------------------------------------------------------------*/

/* The first failure of ours; libcurl only learns that there was one. */
static size_t give_up(struct http_transfer *transfer, stoa_status status) {
    transfer->status = status;
    return CURL_WRITEFUNC_ERROR;
}

static bool is_wanted(const struct http_transfer *transfer, long code) {
    int32_t wanted = transfer->request->wanted_status;
    return wanted != 0 ? code == wanted : code >= 200 && code <= 299;
}

static stoa_status begin_body(struct http_transfer *transfer) {
    const stoa_http_request *request = transfer->request;
    stoa_buffer *body = &transfer->response->body;
    curl_off_t length = -1;
    long code = 0;
    (void)transfer->curl->curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &code);
    transfer->body = is_wanted(transfer, code) ? HTTP_BODY_WANTED : HTTP_BODY_OTHER;
    stoa_buffer_clear(body);
    if (transfer->body == HTTP_BODY_OTHER || request->buffer != NULL) {
        return STOA_OK;
    }
    size_t limit = request->body_limit > 0 ? request->body_limit : HTTP_FAILURE_BODY_BYTES;
    (void)transfer->curl->curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
                                            &length);
    return transfer->sink == NULL && length > 0 && (uint64_t)length <= limit
               ? stoa_buffer_reserve_exact(body, (size_t)length, &transfer->error)
               : STOA_OK;
}

static size_t take_other(struct http_transfer *transfer, const char *bytes, size_t size) {
    stoa_buffer *body = &transfer->response->body;
    size_t left = HTTP_FAILURE_BODY_BYTES - body->size;
    stoa_status status = stoa_buffer_append(body, bytes, size < left ? size : left,
                                            &transfer->error);
    if (status != STOA_OK) {
        return give_up(transfer, status);
    }
    transfer->stopped = size > left;
    return transfer->stopped ? CURL_WRITEFUNC_ERROR : size;
}

/* A piece that does not fit is kept; the next one waits in libcurl until the reader comes back. */
static size_t take_stream(struct http_transfer *transfer, const char *bytes, size_t size) {
    struct http_sink *sink = transfer->sink;
    STOA_ASSERT(size <= sizeof sink->stash);
    if (sink->room == 0 && size > 0) {
        sink->is_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    size_t part = size < sink->room ? size : sink->room;
    memcpy(sink->to, bytes, part);
    sink->to += part;
    sink->room -= part;
    if (part < size) {
        memcpy(sink->stash, bytes + part, size - part);
        sink->stash_begin = 0;
        sink->stash_end = size - part;
    }
    return size;
}

static size_t take_wanted(struct http_transfer *transfer, const char *bytes, size_t size) {
    const stoa_http_request *request = transfer->request;
    stoa_http_response *response = transfer->response;
    if (transfer->sink != NULL) {
        return take_stream(transfer, bytes, size);
    }
    if (request->buffer != NULL) {
        if (size > request->buffer_size - response->received) {
            return give_up(transfer, stoa_fail(&transfer->error, STOA_IO,
                                               "the server sent more than the %zu bytes asked for",
                                               request->buffer_size));
        }
        memcpy((uint8_t *)request->buffer + response->received, bytes, size);
    } else {
        size_t limit = request->body_limit > 0 ? request->body_limit : HTTP_FAILURE_BODY_BYTES;
        if (size > limit - response->body.size) {
            return give_up(transfer,
                           stoa_fail(&transfer->error, STOA_LIMIT,
                                     "the answer is longer than the limit of %zu bytes", limit));
        }
        stoa_status status = stoa_buffer_append(&response->body, bytes, size, &transfer->error);
        if (status != STOA_OK) {
            return give_up(transfer, status);
        }
    }
    response->received += size;
    return size;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *user) {
    struct http_transfer *transfer = user;
    size_t size = one * count;
    transfer->active_ns = stoa_clock_monotonic_ns();
    if (transfer->body == HTTP_BODY_UNKNOWN) {
        stoa_status status = begin_body(transfer);
        if (status != STOA_OK) {
            return give_up(transfer, status);
        }
    }
    return transfer->body == HTTP_BODY_WANTED ? take_wanted(transfer, bytes, size)
                                              : take_other(transfer, bytes, size);
}

/* "Name: value\r\n" to "name: value\0". What is no such line is left out. */
static stoa_status keep_header(struct http_transfer *transfer, const char *line, size_t size) {
    stoa_buffer *headers = &transfer->response->headers;
    const char *colon = memchr(line, ':', size);
    if (colon == NULL || colon == line || line[0] == ' ' || line[0] == '\t' ||
        memchr(line, '\0', size) != NULL) {
        return STOA_OK;
    }
    if (size > HTTP_HEADER_BYTES_MAX - headers->size) {
        return stoa_fail(&transfer->error, STOA_IO, "the headers are longer than %d bytes",
                         HTTP_HEADER_BYTES_MAX);
    }
    STOA_TRY(stoa_buffer_reserve(headers, size + 3, &transfer->error));
    for (const char *c = line; c < colon; c++) {
        headers->data[headers->size++] = (uint8_t)tolower((unsigned char)*c);
    }
    const char *value = colon + 1, *end = line + size;
    while (value < end && isspace((unsigned char)*value)) {
        value++;
    }
    while (end > value && isspace((unsigned char)end[-1])) {
        end--;
    }
    memcpy(headers->data + headers->size, ": ", 2);
    memcpy(headers->data + headers->size + 2, value, (size_t)(end - value));
    headers->size += 2 + (size_t)(end - value);
    headers->data[headers->size++] = '\0';
    return STOA_OK;
}

/* One line. A status line begins an answer (of several: 100, then the real one), an empty line ends
 * its headers; lines after the body are trailers, and nobody asks for those. */
static size_t on_header(char *line, size_t one, size_t count, void *user) {
    struct http_transfer *transfer = user;
    size_t size = one * count;
    transfer->active_ns = stoa_clock_monotonic_ns();
    if (!transfer->in_headers) {
        if (size > 5 && memcmp(line, "HTTP/", 5) == 0) {
            transfer->in_headers = true;
            transfer->headers_ended = false;
            stoa_buffer_clear(&transfer->response->headers);
        }
        return size;
    }
    if (size <= 2 && (size == 0 || line[0] == '\r' || line[0] == '\n')) {
        transfer->in_headers = false;
        transfer->headers_ended = true;
        return size;
    }
    stoa_status status = keep_header(transfer, line, size);
    return status == STOA_OK ? size : give_up(transfer, status);
}

static size_t on_upload(char *out, size_t one, size_t count, void *user) {
    struct http_transfer *transfer = user;
    const stoa_http_request *request = transfer->request;
    size_t left = request->body_size - transfer->uploaded;
    size_t size = one * count < left ? one * count : left;
    transfer->active_ns = stoa_clock_monotonic_ns();
    if (size > 0) {
        memcpy(out, (const uint8_t *)request->body + transfer->uploaded, size);
        transfer->uploaded += size;
    }
    return size;
}

/* A kept connection that turns out dead is replaced, and the body begins again. */
static int on_seek(void *user, curl_off_t offset, int origin) {
    struct http_transfer *transfer = user;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > transfer->request->body_size) {
        return CURL_SEEKFUNC_FAIL;
    }
    transfer->uploaded = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* What libcurl is told --------------------------------------------------------------------------*/

/* Only a lack of memory fails here; the first failure is kept in `code`. */
struct setter {
    const struct http_transfer *transfer;
    CURLcode code;
};

static void set_long(struct setter *setter, CURLoption option, long value) {
    if (setter->code == CURLE_OK) {
        setter->code = setter->transfer->curl->curl_easy_setopt(setter->transfer->easy, option,
                                                                value);
    }
}

static void set_pointer(struct setter *setter, CURLoption option, const void *value) {
    if (setter->code == CURLE_OK) {
        setter->code = setter->transfer->curl->curl_easy_setopt(setter->transfer->easy, option,
                                                                value);
    }
}

#define SET_FUNCTION(setter, option, function)                                                     \
    do {                                                                                           \
        if ((setter)->code == CURLE_OK) {                                                          \
            (setter)->code = (setter)->transfer->curl->curl_easy_setopt((setter)->transfer->easy,  \
                                                                        option, function);         \
        }                                                                                          \
    } while (0)

/* The headers that say which bytes are asked for, and to whom: any host may see them. */
static bool is_harmless(const char *header) {
    static const char *const names[] =
        {"accept",   "accept-encoding",     "if-match", "if-modified-since", "if-none-match",
         "if-range", "if-unmodified-since", "range",    "user-agent"};
    size_t length = strcspn(header, ":;");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == length && strncasecmp(names[i], header, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool gives_header(const stoa_http_request *request, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < request->header_count; i++) {
        if (strncasecmp(request->headers[i], name, length) == 0 &&
            request->headers[i][length] == ':') {
            return true;
        }
    }
    return false;
}

static stoa_status add_line(const struct http_transfer *transfer, struct curl_slist **list,
                            const char *line, stoa_error *err) {
    struct curl_slist *longer = transfer->curl->curl_slist_append(*list, line);
    if (longer == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "no memory for a header");
    }
    *list = longer;
    return STOA_OK;
}

static stoa_status add_header(struct http_transfer *transfer, const char *line, stoa_error *err) {
    return add_line(transfer, &transfer->headers, line, err);
}

static stoa_status add_headers(struct http_transfer *transfer, bool with_secrets, stoa_error *err) {
    const stoa_http_request *request = transfer->request;
    for (size_t i = 0; i < request->header_count; i++) {
        if (with_secrets || is_harmless(request->headers[i])) {
            STOA_TRY(add_header(transfer, request->headers[i], err));
        }
    }
    /* libcurl waits up to a second for a "100 Continue" that few servers send. */
    if (!gives_header(request, "Expect")) {
        STOA_TRY(add_header(transfer, "Expect:", err));
    }
    return gives_header(request, "Accept-Encoding")
               ? STOA_OK
               : add_header(transfer, "Accept-Encoding: identity", err);
}

static void set_method(struct setter *setter, const struct http_transfer *transfer) {
    const stoa_http_request *request = transfer->request;
    if (is_method(transfer, "HEAD")) {
        set_long(setter, CURLOPT_NOBODY, 1);
        return;
    }
    if (is_method(transfer, "PUT") || is_method(transfer, "POST") || request->body != NULL) {
        set_long(setter, CURLOPT_UPLOAD, 1);
        set_long(setter, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BYTES);
        if (setter->code == CURLE_OK) {
            setter->code = transfer->curl->curl_easy_setopt(transfer->easy,
                                                            CURLOPT_INFILESIZE_LARGE,
                                                            (curl_off_t)request->body_size);
        }
        SET_FUNCTION(setter, CURLOPT_READFUNCTION, on_upload);
        set_pointer(setter, CURLOPT_READDATA, transfer);
        SET_FUNCTION(setter, CURLOPT_SEEKFUNCTION, on_seek);
        set_pointer(setter, CURLOPT_SEEKDATA, transfer);
    }
    if (!is_method(transfer, "GET")) {
        set_pointer(setter, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

static void set_transport(struct setter *setter, const struct http_settings *settings) {
    set_long(setter, CURLOPT_NOSIGNAL, 1);
    set_long(setter, CURLOPT_QUICK_EXIT, 1); /* a name that is being looked up holds nobody */
    set_pointer(setter, CURLOPT_PROTOCOLS_STR, "http,https");
    set_long(setter, CURLOPT_PATH_AS_IS, 1);
    set_long(setter, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
    set_long(setter, CURLOPT_CONNECTTIMEOUT_MS, (long)settings->connect_timeout_ms);
    set_long(setter, CURLOPT_BUFFERSIZE, HTTP_RECEIVE_BYTES);
    set_long(setter, CURLOPT_TCP_KEEPALIVE, 1);
    set_long(setter, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    if (settings->ca_file != NULL) {
        set_pointer(setter, CURLOPT_CAINFO, settings->ca_file);
        set_pointer(setter, CURLOPT_CAPATH, NULL);
    }
    set_pointer(setter, CURLOPT_CONNECT_TO, setter->transfer->connect_to);
}

static void set_callbacks(struct setter *setter, struct http_transfer *transfer) {
    set_pointer(setter, CURLOPT_PRIVATE, transfer);
    set_pointer(setter, CURLOPT_ERRORBUFFER, transfer->reason);
    SET_FUNCTION(setter, CURLOPT_WRITEFUNCTION, on_body);
    set_pointer(setter, CURLOPT_WRITEDATA, transfer);
    SET_FUNCTION(setter, CURLOPT_HEADERFUNCTION, on_header);
    set_pointer(setter, CURLOPT_HEADERDATA, transfer);
}

static stoa_status set_all(struct http_transfer *transfer, const char *url, bool with_secrets,
                           stoa_error *err) {
    const stoa_http_request *request = transfer->request;
    struct setter setter = {transfer, CURLE_OK};
    set_pointer(&setter, CURLOPT_URL, url);
    set_pointer(&setter, CURLOPT_USERAGENT, "stoa");
    set_pointer(&setter, CURLOPT_HTTPHEADER, transfer->headers);
    if (request->user != NULL && with_secrets) {
        set_long(&setter, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        set_pointer(&setter, CURLOPT_USERNAME, request->user);
        set_pointer(&setter, CURLOPT_PASSWORD, request->password != NULL ? request->password : "");
    }
    set_transport(&setter, transfer->settings);
    set_method(&setter, transfer);
    set_callbacks(&setter, transfer);
    if (setter.code == CURLE_OK) {
        return STOA_OK;
    }
    return stoa_fail(err, setter.code == CURLE_OUT_OF_MEMORY ? STOA_NO_MEMORY : STOA_INTERNAL,
                     "libcurl refuses an option: %s",
                     transfer->curl->curl_easy_strerror(setter.code));
}

stoa_status stoa_http_transfer_prepare(struct http_transfer *transfer, const char *url,
                                       stoa_error *err) {
    bool with_secrets = true;
    transfer->uploaded = 0;
    transfer->completed = transfer->in_headers = transfer->headers_ended = transfer->stopped =
        false;
    transfer->body = HTTP_BODY_UNKNOWN;
    transfer->reason[0] = '\0';
    transfer->started_ns = transfer->active_ns = stoa_clock_monotonic_ns();
    if (url != transfer->request->url) {
        STOA_TRY(stoa_http_url_same_origin(transfer->curl, transfer->request->url, url,
                                           &with_secrets, err));
    }
    STOA_TRY(add_headers(transfer, with_secrets, err));
    if (transfer->settings->connect_to[0] != '\0') {
        STOA_TRY(add_line(transfer, &transfer->connect_to, transfer->settings->connect_to, err));
    }
    return set_all(transfer, url, with_secrets, err);
}

/* While a connection is being made, libcurl's own limit holds. */
bool stoa_http_transfer_is_stalled(const struct http_transfer *transfer, int64_t now_ns) {
    int64_t limit_ns = transfer->settings->stall_timeout_ms * 1000000;
    curl_off_t ready_us = 0;
    if (now_ns - transfer->active_ns < limit_ns) {
        return false;
    }
    (void)transfer->curl->curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    return ready_us > 0 && now_ns - (transfer->started_ns + ready_us * 1000) >= limit_ns;
}

stoa_status stoa_http_transfer_fail_stalled(struct http_transfer *transfer, stoa_error *err) {
    transfer->response->is_repeatable = transfer->response->was_sent = true;
    return stoa_fail(err, STOA_IO, "the server sent nothing for %" PRId64 " ms",
                     transfer->settings->stall_timeout_ms);
}

/* What became of it -----------------------------------------------------------------------------*/

static bool is_repeatable(CURLcode code) {
    static const CURLcode codes[] = {
        CURLE_COULDNT_RESOLVE_PROXY,
        CURLE_COULDNT_RESOLVE_HOST,
        CURLE_COULDNT_CONNECT,
        CURLE_OPERATION_TIMEDOUT,
        CURLE_PARTIAL_FILE,
        CURLE_GOT_NOTHING,
        CURLE_SEND_ERROR,
        CURLE_RECV_ERROR,
        CURLE_SSL_CONNECT_ERROR,
        CURLE_HTTP2,
        CURLE_HTTP2_STREAM,
        CURLE_SEND_FAIL_REWIND,
        CURLE_PROXY,
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

static stoa_status fail_code(struct http_transfer *transfer, CURLcode code, stoa_error *err) {
    if (code == CURLE_OUT_OF_MEMORY && transfer->in_headers) {
        /* What libcurl says to a header of more than 100 KiB. */
        return stoa_fail(err, STOA_IO, "a header of the answer is too long");
    }
    stoa_status status = code == CURLE_OUT_OF_MEMORY          ? STOA_NO_MEMORY
                         : code == CURLE_URL_MALFORMAT        ? STOA_INVALID
                         : code == CURLE_UNSUPPORTED_PROTOCOL ? STOA_UNSUPPORTED
                                                              : STOA_IO;
    char *reason = transfer->reason;
    if (isupper((unsigned char)reason[0]) && islower((unsigned char)reason[1])) {
        reason[0] = (char)tolower((unsigned char)reason[0]);
    }
    reason[strcspn(reason, "\r\n")] = '\0';
    transfer->response->is_repeatable = is_repeatable(code);
    return stoa_fail(err, status, "%s",
                     reason[0] != '\0' ? reason : transfer->curl->curl_easy_strerror(code));
}

static stoa_status fail_short(struct http_transfer *transfer, stoa_error *err) {
    transfer->response->is_repeatable = true;
    return stoa_fail(err, STOA_IO,
                     "the answer was cut short: expected %zu bytes but %" PRIu64 " came",
                     transfer->request->buffer_size, transfer->response->received);
}

/* Whether the answer came, whole. */
static stoa_status check_answer(struct http_transfer *transfer, CURLcode code, stoa_error *err) {
    const stoa_http_request *request = transfer->request;
    stoa_http_response *response = transfer->response;
    if (transfer->status != STOA_OK) {
        if (err != NULL) {
            *err = transfer->error;
        }
        return transfer->status;
    }
    if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && transfer->stopped)) {
        return fail_code(transfer, code, err);
    }
    if (!transfer->headers_ended) {
        response->is_repeatable = true;
        return stoa_fail(err, STOA_IO, "the connection was cut within the headers");
    }
    bool is_filled = request->buffer == NULL || is_method(transfer, "HEAD") ||
                     !is_wanted(transfer, response->status_code) ||
                     response->received == request->buffer_size;
    return is_filled ? STOA_OK : fail_short(transfer, err);
}

static bool is_redirect(const struct http_transfer *transfer) {
    int32_t code = transfer->response->status_code;
    return transfer->request->follows_redirects &&
           (is_method(transfer, "GET") || is_method(transfer, "HEAD")) &&
           (code == 301 || code == 302 || code == 303 || code == 307 || code == 308);
}

static stoa_status follow(struct http_transfer *transfer, char **out_url, stoa_error *err) {
    stoa_http_response *response = transfer->response;
    const char *from = NULL, *to = NULL;
    (void)transfer->curl->curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &to);
    (void)transfer->curl->curl_easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &from);
    if (to == NULL || from == NULL) {
        return STOA_OK;
    }
    if (transfer->redirects++ >= REDIRECTS_MAX) {
        return stoa_fail(err, STOA_IO, "the server redirects more than %d times", REDIRECTS_MAX);
    }
    char *url = NULL;
    STOA_TRY(stoa_http_url_redirect(transfer->curl, transfer->pool, from, to, &url, err));
    stoa_pool_free_string(transfer->pool, response->final_url);
    response->final_url = NULL;
    stoa_status status = stoa_pool_copy_string(transfer->pool, url, &response->final_url, err);
    if (status != STOA_OK) {
        stoa_pool_free_string(transfer->pool, url);
        return status;
    }
    *out_url = url;
    return STOA_OK;
}

stoa_status stoa_http_transfer_finish(struct http_transfer *transfer, CURLcode code, char **out_url,
                                      stoa_error *err) {
    long status_code = 0, sent = 0;
    *out_url = NULL;
    (void)transfer->curl->curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status_code);
    (void)transfer->curl->curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent);
    transfer->response->status_code = (int32_t)status_code;
    transfer->response->was_sent = sent > 0;
    STOA_TRY(check_answer(transfer, code, err));
    return is_redirect(transfer) ? follow(transfer, out_url, err) : STOA_OK;
}

void stoa_http_transfer_release(struct http_transfer *transfer) {
    transfer->curl->curl_slist_free_all(transfer->headers);
    transfer->curl->curl_slist_free_all(transfer->connect_to);
    transfer->headers = transfer->connect_to = NULL;
}
