/* What S3 answers in XML. See s3_xml.c. */
#ifndef STOA_VFS_S3_XML_H
#define STOA_VFS_S3_XML_H

#include "mem/buffer.h"

/// Called at the end of every element: `path` is "ListBucketResult/Contents/Key", `text` what stood
/// in it ("" where other elements stood). Both are borrowed for the call.
typedef stoa_status (*stoa_s3_xml_function)(void *user, const char *path, const char *text,
                                            stoa_error *err);

/// Reads a document that nobody vouches for.
///
/// Errors   STOA_CORRUPT  it is no XML, has a document type, a text with a NUL, or more depth, text
///                        or elements than any answer of S3 has
///          STOA_NO_MEMORY, STOA_LIMIT, and what `function` answers
STOA_MUST_USE stoa_status stoa_s3_xml_read(stoa_pool *pool, const void *bytes, size_t size,
                                           stoa_s3_xml_function function, void *user,
                                           stoa_error *err);

/// Appends `text` as the text of an element.
STOA_MUST_USE stoa_status stoa_s3_xml_escape(stoa_buffer *out, const char *text, stoa_error *err);

/// Appends what a percent-encoded text stands for ('+' is a space, as S3 writes keys).
///
/// Errors   STOA_CORRUPT  a '%' without two digits, or an encoded NUL
STOA_MUST_USE stoa_status stoa_s3_decode(stoa_buffer *out, const char *text, stoa_error *err);

/// Why a request was refused: "code", "message" and what else helps to go on. Cut at their sizes,
/// and without control characters.
typedef struct stoa_s3_refusal {
    char code[64];
    char message[256];
    char region[64];
} stoa_s3_refusal;

/// Reads an <Error>. False when there is none; `out` is then empty.
bool stoa_s3_refusal_read(stoa_pool *pool, const void *bytes, size_t size, stoa_s3_refusal *out);

/// One object or common beginning of a page of a listing.
typedef struct stoa_s3_entry {
    const char *key; /* whole, decoded; of a prefix with its '/' */
    const char *etag;
    uint64_t size;
    int64_t modified_ms;
    bool is_prefix;
} stoa_s3_entry;

typedef stoa_status (*stoa_s3_entry_function)(void *user, const stoa_s3_entry *entry,
                                              stoa_error *err);

/// Reads a page of ListObjectsV2. `token` becomes how to ask for the next page, "" after the last.
///
/// Errors   STOA_CORRUPT  it is no such page; and what `function` answers
STOA_MUST_USE stoa_status stoa_s3_page_read(stoa_pool *pool, const void *bytes, size_t size,
                                            stoa_s3_entry_function function, void *user,
                                            stoa_buffer *token, stoa_error *err);

/// Finds the text of the first element with that path. `out` gets a NUL, not counted.
///
/// Errors   STOA_CORRUPT  there is none
STOA_MUST_USE stoa_status stoa_s3_text_read(stoa_pool *pool, const void *bytes, size_t size,
                                            const char *path, stoa_buffer *out, stoa_error *err);

/// Milliseconds since 1970 of "2026-03-01T12:30:45.000Z", or 0 when it is none.
int64_t stoa_s3_time_parse(const char *text);
/// The same of a header, "Fri, 24 May 2013 00:00:00 GMT"; `text` may be NULL.
int64_t stoa_s3_date_parse(const char *text);

#endif
