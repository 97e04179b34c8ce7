/* How every call of Stoa says what happened: a status for the program, an error for the person.
 *
 * A function that can fail returns a `stoa_status` and takes a nullable `stoa_error *` last. The
 * error is plain data owned by the caller: no heap, no thread-local state, nothing to release. */
#ifndef STOA_STATUS_H
#define STOA_STATUS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define STOA_API __attribute__((visibility("default")))
#define STOA_MUST_USE __attribute__((warn_unused_result))
#define STOA_PRINTF(format_index, first_index)                                                     \
    __attribute__((format(printf, format_index, first_index)))
#else
#define STOA_API
#define STOA_MUST_USE
#define STOA_PRINTF(format_index, first_index)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// What happened, named for what the caller can do about it. Values never change.
typedef enum stoa_status {
    STOA_OK = 0,
    STOA_INVALID = 1,      /* the request or the rows are wrong: correct them */
    STOA_NOT_FOUND = 2,    /* no such file, table, column or snapshot */
    STOA_EXISTS = 3,       /* it is there already */
    STOA_CONFLICT = 4,     /* somebody else committed first: start again from the new state */
    STOA_LOCKED = 5,       /* somebody else holds it: wait, or stop the holder */
    STOA_IO = 6,           /* the system refused to read or write */
    STOA_CORRUPT = 7,      /* the bytes are not what was written */
    STOA_NO_MEMORY = 8,    /* the machine has no memory left */
    STOA_LIMIT = 9,        /* a budget given by the program is used up */
    STOA_CANCELLED = 10,   /* a token was cancelled or its deadline passed */
    STOA_UNSUPPORTED = 11, /* known and not offered here; the message names it */
    STOA_INTERNAL = 12     /* a bug of Stoa's or of its engine's: report it */
} stoa_status;

enum { STOA_ERROR_MESSAGE_BYTES = 1024, STOA_ERROR_NAME_BYTES = 192 };

/// What went wrong, as a sentence and as data.
///
/// Units    `row` and `column_index` count from 0 within the batch or file named; `line` counts
///          from 1; `offset` is bytes from the start of `file`; `query_offset` is bytes from the
///          start of the query text. -1 means that it does not apply.
/// Owns     Nothing: copy it freely.
typedef struct stoa_error {
    stoa_status status;
    int64_t row;
    int64_t line;
    int64_t offset;
    int64_t query_offset;
    int32_t column_index;
    char column[STOA_ERROR_NAME_BYTES];
    char file[STOA_ERROR_NAME_BYTES];
    char message[STOA_ERROR_MESSAGE_BYTES];
} stoa_error;

#define STOA_ERROR_NONE {STOA_OK, -1, -1, -1, -1, -1, {0}, {0}, {0}}

/// The status's name as in this header, without its prefix and in lower case: "not found".
STOA_API const char *stoa_status_name(stoa_status status);

/// Sets `err` to a new failure and returns `status`. `err` may be NULL; `status` is not STOA_OK.
/// The message is cut at STOA_ERROR_MESSAGE_BYTES - 1 bytes, never inside a UTF-8 sequence.
STOA_API stoa_status stoa_fail(stoa_error *err, stoa_status status, const char *format, ...)
    STOA_PRINTF(3, 4);

/// Puts "context: " before the message of a failure that is being passed up. `err` may be NULL.
STOA_API void stoa_wrap(stoa_error *err, const char *format, ...) STOA_PRINTF(2, 3);

/// Empties `err`. NULL is allowed.
STOA_API void stoa_error_clear(stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
