/* Signatures of requests to AWS and what speaks its language, version 4. See sigv4.c. */
#ifndef STOA_VFS_SIGV4_H
#define STOA_VFS_SIGV4_H

#include "mem/buffer.h"

/// What stands for the hash of a body that is not signed.
#define STOA_SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

enum {
    STOA_SIGV4_DATE_BYTES = 17, /* "20130524T000000Z" and its NUL */
    STOA_SIGV4_HASH_BYTES = 65  /* 64 hexadecimal digits and a NUL */
};

/// A request as it will be sent. Texts are borrowed.
typedef struct stoa_sigv4_request {
    const char *method;
    const char *path;           /* from its '/', percent-encoded once */
    const char *query;          /* without its '?', percent-encoded; "": none */
    const char *const *headers; /* "Name: value"; all of them are signed, "host" among them */
    size_t header_count;
    const char *payload_hash; /* of the body, or STOA_SIGV4_UNSIGNED */
    const char *region;
    const char *service;
    const char *date; /* of stoa_sigv4_date; the request has it as "x-amz-date" too */
} stoa_sigv4_request;

/// The time as signatures write it, in seconds since 1970 (the years 0 to 9999).
void stoa_sigv4_date(int64_t unix_s, char out[STOA_SIGV4_DATE_BYTES]);

/// SHA-256 in hexadecimal digits.
void stoa_sigv4_hash(const void *bytes, size_t size, char out[STOA_SIGV4_HASH_BYTES]);

/// Appends the header "Authorization: AWS4-HMAC-SHA256 …" to `out`.
///
/// Errors   STOA_NO_MEMORY, STOA_LIMIT; STOA_INTERNAL when libcrypto refuses
/// Source   AWS General Reference, "Signature Version 4"; Amazon S3 API Reference, "Authenticating
///          Requests: Using the Authorization Header"
STOA_MUST_USE stoa_status stoa_sigv4_authorize(const stoa_sigv4_request *request,
                                               const char *access_key_id,
                                               const char *secret_access_key, stoa_buffer *out,
                                               stoa_error *err);

/// Appends `text` with every byte but letters, digits, '-', '.', '_', '~' as "%XX"; '/' too unless
/// `keeps_slashes`.
STOA_MUST_USE stoa_status stoa_sigv4_encode(stoa_buffer *out, const char *text, size_t size,
                                            bool keeps_slashes, stoa_error *err);

#endif
