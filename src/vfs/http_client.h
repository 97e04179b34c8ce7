/* Requests over HTTP: one attempt each, many at a time. What to repeat and how requests are signed
 * is for those above (http.c, s3.c); this is transport.
 *
 * A body comes as its server sends it: a content encoding is not undone. Proxies are those of the
 * usual environment (http_proxy, https_proxy, all_proxy, no_proxy). */
#ifndef STOA_VFS_HTTP_CLIENT_H
#define STOA_VFS_HTTP_CLIENT_H

#include "mem/buffer.h"
#include "vfs/vfs.h"

typedef struct stoa_http_client stoa_http_client;

enum { STOA_HTTP_CONNECTIONS_MAX = 64 };

typedef struct stoa_http_options {
    int64_t connect_timeout_ms; /* 0: 10 s */
    int64_t stall_timeout_ms;   /* no byte for so long is an error; 0: 30 s */
    int32_t connections;        /* requests of one call that run at a time; 0: 16, at most 64 */
    const char *ca_file;        /* PEM; NULL: STOA_CA_FILE, else SSL_CERT_FILE, else the system's */
    int32_t connect_port;       /* for tests: all connections go to this port of loopback; 0: no */
} stoa_http_options;

/// A client keeps connections open between requests. Cheap: libcurl is opened at the first request.
///
/// Errors   STOA_INVALID  an option is out of range
/// Threads  Any, several at a time.
STOA_MUST_USE stoa_status stoa_http_client_create(stoa_pool *pool, const stoa_http_options *options,
                                                  stoa_http_client **out, stoa_error *err);
/// After all calls and streams. NULL is allowed.
void stoa_http_client_close(stoa_http_client *client);

typedef struct stoa_http_request {
    const char *method;
    const char *url; /* sent as it is: encoded by the caller, without user info */
    /* Where to begin in place of `url` (the final_url of an earlier answer); NULL: at `url`. What
     * is secret still goes only to the origin (scheme, host, port) of `url`. */
    const char *start_url;
    const char *const *headers; /* "Name: value"; "Name:" keeps one of the library's away */
    size_t header_count;
    const void *body; /* NULL: none */
    size_t body_size;
    const char *user; /* basic authentication; NULL: none */
    const char *password;
    /* Where a wanted answer's body goes: exactly `buffer_size` bytes into `buffer` (more or fewer
     * is STOA_IO), or, when `buffer` is NULL, into `response->body`, at most `body_limit` of them
     * (0: 64 KiB; more is STOA_LIMIT). The body of any other answer goes to `response->body`, cut
     * at 64 KiB without an error. */
    void *buffer;
    size_t buffer_size;
    size_t body_limit;
    int32_t wanted_status; /* 0: any from 200 to 299 */
    /* At most 10, for GET and HEAD alone; other methods get the 3xx answer. To another origin go
     * no credentials and no headers but those that say which bytes (Range, If-…, Accept…); from
     * https to http is an error. */
    bool follows_redirects;
} stoa_http_request;

typedef struct stoa_http_response {
    int32_t status_code; /* 0: none came */
    stoa_buffer headers; /* "name: value\0"…, names in lower case, of the last answer */
    stoa_buffer body;
    uint64_t
        received;    /* bytes of a wanted answer's body that are there, also of a failed attempt */
    char *final_url; /* after redirects; NULL: where it began; from the context's pool */
    bool is_repeatable; /* of a failed attempt: the connection failed, timed out or was cut */
    bool was_sent;      /* of a failed attempt: the server may have acted on it */
} stoa_http_response;

/// The value of a header (name in lower case), or NULL; the first where there are several; borrowed.
const char *stoa_http_header(const stoa_http_response *response, const char *name);
/// Gives back what an answer holds; all-zero is the released state. `pool` is the context's.
void stoa_http_response_release(stoa_http_response *response, stoa_pool *pool);

/// Runs requests[0..count) side by side and waits for all. An answer with any status code is
/// STOA_OK here; look at `status_code`. `out_status` and `errors` (both nullable) take what became
/// of each; the call answers the first failure. `responses` need not be initialised.
///
/// Errors   STOA_IO         no answer: the message says why (name, refused, reset, timeout,
///                          certificate, cut short), never with secrets
///          STOA_CANCELLED  within milliseconds of the token; all that had not ended is given up
///          STOA_NOT_FOUND  libcurl is not installed
///          STOA_INVALID    a URL is none
/// Owns     The caller releases every response, also on error. `context` has a pool.
/// Threads  Any, several at a time.
STOA_MUST_USE stoa_status stoa_http_perform(stoa_http_client *client,
                                            const stoa_http_request *requests, size_t count,
                                            stoa_http_response *responses, stoa_status *out_status,
                                            stoa_error *errors, const stoa_context *context,
                                            stoa_error *err);

/// One answer that is read piece by piece, in order.
typedef struct stoa_http_stream stoa_http_stream;

/// Sends the request and waits for the answer's headers; `buffer` and `body_limit` are not looked
/// at. Errors as stoa_http_perform.
///
/// Owns     The caller closes the stream. `request->method` lives as long.
/// Threads  A stream is used by one thread at a time.
STOA_MUST_USE stoa_status stoa_http_stream_open(stoa_http_client *client,
                                                const stoa_http_request *request,
                                                const stoa_context *context, stoa_http_stream **out,
                                                stoa_error *err);
/// Status and headers; the body of an answer that was not wanted, which then has no more. Borrowed.
const stoa_http_response *stoa_http_stream_response(const stoa_http_stream *stream);
/// Reads `size` bytes, or fewer at the end of the body and before a failure: 0 is the end. A failure
/// is final.
STOA_MUST_USE stoa_status stoa_http_stream_read(stoa_http_stream *stream, void *buffer, size_t size,
                                                size_t *out_size, const stoa_context *context,
                                                stoa_error *err);
/// NULL is allowed.
void stoa_http_stream_close(stoa_http_stream *stream);

#endif
