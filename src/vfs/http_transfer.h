/* One request on its way: what libcurl is told, what it calls back with, redirects, and what became
 * of it. Used by http_client.c alone, from one thread per transfer. */
#ifndef STOA_VFS_HTTP_TRANSFER_H
#define STOA_VFS_HTTP_TRANSFER_H

#include "vfs/http_client.h"
#include "vfs/http_curl.h"

enum {
    HTTP_LOOK_MS = 100,                /* how often stalled transfers are looked for */
    HTTP_RECEIVE_BYTES = 256 * 1024,   /* what one read of a socket may bring */
    HTTP_FAILURE_BODY_BYTES = 65536,   /* kept of an answer that was not wanted */
    HTTP_HEADER_BYTES_MAX = 256 * 1024 /* all headers of one answer */
};

struct http_settings {
    int64_t connect_timeout_ms;
    int64_t stall_timeout_ms;
    char *ca_file;       /* NULL: libcurl's */
    char connect_to[32]; /* as libcurl takes it; "": where a URL leads */
};

/* Where the body of a stream goes: to the reader who waits, what is left of a piece into `stash`. */
struct http_sink {
    uint8_t *to; /* of the reader */
    size_t room;
    bool is_paused;
    size_t stash_begin, stash_end;
    uint8_t stash[CURL_MAX_WRITE_SIZE];
};

enum http_body { HTTP_BODY_UNKNOWN, HTTP_BODY_WANTED, HTTP_BODY_OTHER };

struct http_transfer {
    const struct stoa_curl *curl;
    const struct http_settings *settings;
    const stoa_http_request *request;
    stoa_http_response *response;
    stoa_pool *pool;
    struct http_sink *sink; /* of a stream; NULL: the body goes where the request says */
    CURL *easy;
    struct curl_slist *headers;
    struct curl_slist *connect_to; /* NULL: where the URL leads */
    size_t index;                  /* of the request in its call */
    int redirects;
    size_t uploaded;
    int64_t started_ns;
    int64_t active_ns; /* when the last byte came or went */
    bool completed;    /* libcurl ended it without an error */
    bool in_headers;
    bool headers_ended;
    bool stopped; /* enough of an unwanted body: the rest was not read, on purpose */
    enum http_body body;
    stoa_status status; /* of our own functions, called by libcurl */
    stoa_error error;
    char reason[CURL_ERROR_SIZE];
};

/// Prepares `transfer->easy`, which was reset, for the request, at `url`.
STOA_MUST_USE stoa_status stoa_http_transfer_prepare(struct http_transfer *transfer,
                                                     const char *url, stoa_error *err);
/// Whether no byte came or went for too long.
bool stoa_http_transfer_is_stalled(const struct http_transfer *transfer, int64_t now_ns);
/// Its failure then.
stoa_status stoa_http_transfer_fail_stalled(struct http_transfer *transfer, stoa_error *err);
/// What the transfer that libcurl ended with `code` came to. On STOA_OK `out_url` (from the pool) is
/// where a redirect leads that is to be followed, or NULL.
STOA_MUST_USE stoa_status stoa_http_transfer_finish(struct http_transfer *transfer, CURLcode code,
                                                    char **out_url, stoa_error *err);
/// Gives back what the preparation took; not the easy handle.
void stoa_http_transfer_release(struct http_transfer *transfer);

#endif
