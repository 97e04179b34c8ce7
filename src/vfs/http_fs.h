/* The file systems http and https from within. http_fs.c: the schemes; http_target.c: what a URI
 * names; http_fetch.c: ranges with retries; http_file.c: open files; http_inorder.c: files of servers
 * without ranges. */
#ifndef STOA_VFS_HTTP_FS_H
#define STOA_VFS_HTTP_FS_H

#include <pthread.h>
#include <stdatomic.h>

#include <stoa/http.h>

#include "vfs/http_client.h"

/* Shared by both schemes; the last one closes it. Constant once it is made. */
struct http_fs {
    atomic_int references;
    stoa_pool *pool;
    stoa_http_client *client;
    char *origin; /* NULL: no credentials */
    char *user;
    char *password;
    char *headers[STOA_HTTP_HEADERS_MAX + 1]; /* the options', and the bearer's */
    size_t header_count;
    int32_t attempts;
    bool lacks_origin; /* the environment gives credentials and does not say for whom */
};

/* What a URI names: where to ask, and as whom. */
struct http_target {
    struct http_fs *fs;
    stoa_pool *pool;
    char *url; /* encoded, without user info and fragment */
    char *user;
    char *password;
    bool is_trusted; /* it has the origin that the options' credentials are for */
};

/// `path` is what follows the scheme and its colon.
///
/// Errors   STOA_INVALID  no host, or credentials without an origin
STOA_MUST_USE stoa_status stoa_http_target_init(struct http_target *target, struct http_fs *fs,
                                                const char *scheme, const char *path,
                                                stoa_pool *pool, stoa_error *err);
void stoa_http_target_release(struct http_target *target);

/* Headers of one request: the credentials', then up to two of its own. */
struct http_headers {
    const char *line[STOA_HTTP_HEADERS_MAX + 4];
    size_t count;
};
/// A GET or HEAD for `target`. `headers` takes those of its credentials, and lives as long.
stoa_http_request stoa_http_target_request(const struct http_target *target, const char *method,
                                           struct http_headers *headers);

enum { HTTP_TAG_BYTES = 256 };

/* Which version of a file is read. Texts are "" where the server does not say. */
struct http_pin {
    uint64_t size;
    bool has_size;
    char etag[HTTP_TAG_BYTES];
    char modified[HTTP_TAG_BYTES]; /* Last-Modified, as it was sent */
};

bool stoa_http_pin_is_strong(const struct http_pin *pin);
/// What an answer says of the version; `size` is not looked for.
void stoa_http_pin_read(struct http_pin *pin, const stoa_http_response *response);
/// Compares what both know, and learns what only `seen` does. `out_learned` is set on change.
///
/// Errors   STOA_CONFLICT  it is another version
STOA_MUST_USE stoa_status stoa_http_pin_check(struct http_pin *pin, const struct http_pin *seen,
                                              stoa_error *err);
void stoa_http_pin_info(const struct http_pin *pin, stoa_file_info *out);

/// The failure that a status means for who wanted to read.
stoa_status stoa_http_fail_status(int32_t status_code, stoa_error *err);

/* What a first look at a file tells. */
struct http_probe {
    struct http_pin pin;
    bool has_no_ranges; /* the server says so, or answered one with the whole */
    char *final_url;    /* after redirects, or NULL; from the target's pool */
};
/// HEAD, or one byte where HEAD is refused or tells no size.
STOA_MUST_USE stoa_status stoa_http_probe(const struct http_target *target,
                                          const stoa_context *context, struct http_probe *out,
                                          stoa_error *err);

/// An open file; `target` and what `probe` owns move into it, also on error.
STOA_MUST_USE stoa_status stoa_http_file_open(struct http_target *target, struct http_probe *probe,
                                              const stoa_context *context, stoa_file **out,
                                              stoa_error *err);

#endif
