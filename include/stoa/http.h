/* Files by http and https: reading, in ranges where the server offers them.
 *
 * Every registry has both schemes; a program that needs credentials or other limits than the
 * environment gives registers them again with options of its own. What is secret is sent only to
 * the origin that it is for, also after redirects, and reaches no message. */
#ifndef STOA_HTTP_H
#define STOA_HTTP_H

#include <stoa/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { STOA_HTTP_HEADERS_MAX = 32 };

/// All-zero is what no environment variable is set for.
typedef struct stoa_http_fs_options {
    /* "https://host" or "https://host:port", or with http: whom all below down to `headers` is for.
     * Needed where one of them is set. */
    const char *origin;
    const char *user; /* basic authentication; a URI's own "user:password@" goes before it */
    const char *password;
    const char *bearer;         /* a token */
    const char *const *headers; /* "Name: value" */
    size_t header_count;        /* at most STOA_HTTP_HEADERS_MAX */
    const char *ca_file;        /* PEM; NULL: STOA_CA_FILE, else SSL_CERT_FILE, else the system's */
    int64_t connect_timeout_ms; /* 0: 10 s */
    int64_t stall_timeout_ms;   /* no byte for so long breaks a connection; 0: 30 s */
    int32_t connections;        /* of one call; 0: 16, at most 64 */
    int32_t attempts;           /* of one request without progress; 0: 5 */
} stoa_http_fs_options;

/// Registers "http" and "https". `options` NULL takes credentials from STOA_HTTP_ORIGIN,
/// STOA_HTTP_USER, STOA_HTTP_PASSWORD and STOA_HTTP_BEARER, as every new registry does.
///
/// Errors   STOA_INVALID  an option is out of range, holds a line break, or lacks its origin
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     `options` is copied.
/// Threads  Before the registry is shared.
STOA_API STOA_MUST_USE stoa_status stoa_fs_register_http(stoa_fs_registry *registry,
                                                         const stoa_http_fs_options *options,
                                                         stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
