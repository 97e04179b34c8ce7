/* Values of HTTP's headers (RFC 9110): numbers, dates, ranges. Any text is a value or none. */
#ifndef STOA_VFS_HTTP_FIELDS_H
#define STOA_VFS_HTTP_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "vfs/http_client.h"

/// A number of decimal digits alone, at most INT64_MAX. `text` may be NULL, which is none.
bool stoa_http_number_parse(const char *text, uint64_t *out);

/// "Sun, 06 Nov 1994 08:49:37 GMT" and the two older forms, as milliseconds since 1970. `text` may be
/// NULL, which is none.
bool stoa_http_date_parse(const char *text, int64_t *out_ms);

typedef struct stoa_http_range {
    uint64_t begin, end; /* [begin, end); equal in "bytes *" */
    uint64_t total;
    bool has_total;
} stoa_http_range;

/// A Content-Range. `text` may be NULL, which is none.
bool stoa_http_range_parse(const char *text, stoa_http_range *out);

/// What an answer's Retry-After asks for, in milliseconds from `now_ms` (since 1970); 0: nothing.
int64_t stoa_http_retry_after_ms(const stoa_http_response *response, int64_t now_ms);

/// True for a status that the same request may do better with later: 408, 429, 500, 502, 503, 504.
bool stoa_http_is_transient(int32_t status_code);

#endif
