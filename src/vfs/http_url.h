/* URLs as the transport compares and follows them. */
#ifndef STOA_VFS_HTTP_URL_H
#define STOA_VFS_HTTP_URL_H

#include <stdbool.h>

#include "mem/pool.h"
#include "vfs/http_curl.h"

/// Whether two URLs have the same scheme, host and port.
///
/// Errors   STOA_INVALID  one of them is no URL of http or https
STOA_MUST_USE stoa_status stoa_http_url_same_origin(const struct stoa_curl *curl, const char *a,
                                                    const char *b, bool *out, stoa_error *err);

/// Where a redirect from `from` to `to` (absolute) leads: without user info and fragment.
///
/// Errors   STOA_IO  it leads from https to http, to another protocol, or `to` is no URL
/// Owns     `out` is from `pool` (stoa_pool_free_string).
STOA_MUST_USE stoa_status stoa_http_url_redirect(const struct stoa_curl *curl, stoa_pool *pool,
                                                 const char *from, const char *to, char **out,
                                                 stoa_error *err);

#endif
