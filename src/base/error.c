/* Failures: one sentence, a status, and where in the input it was.
 *
 * Everything here works on the caller's memory and cannot fail itself; it is what runs when there
 * is no memory left. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/utf8.h"

static void copy_name(char *target, const char *source) {
    (void)snprintf(target, STOA_ERROR_NAME_BYTES, "%s", source == NULL ? "" : source);
    stoa_secret_mask(target, STOA_ERROR_NAME_BYTES);
    stoa_utf8_cut(target, STOA_ERROR_NAME_BYTES);
}

void stoa_error_clear(stoa_error *err) {
    if (err != NULL) {
        *err = (stoa_error)STOA_ERROR_NONE;
    }
}

stoa_status stoa_fail(stoa_error *err, stoa_status status, const char *format, ...) {
    STOA_ASSERT(status != STOA_OK);
    if (err == NULL) {
        return status;
    }
    /* Arguments may point into `err` itself (an earlier message), so format before clearing. */
    char message[STOA_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    stoa_secret_mask(message, sizeof message);
    stoa_utf8_cut(message, sizeof message);
    stoa_error_clear(err);
    err->status = status;
    memcpy(err->message, message, sizeof message);
    return status;
}

void stoa_wrap(stoa_error *err, const char *format, ...) {
    if (err == NULL || err->status == STOA_OK) {
        return;
    }
    char context[STOA_ERROR_MESSAGE_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
    stoa_secret_mask(context, sizeof context);
    stoa_utf8_cut(context, sizeof context);
    char message[STOA_ERROR_MESSAGE_BYTES * 2];
    (void)snprintf(message, sizeof message, "%s: %s", context, err->message);
    memcpy(err->message, message, sizeof err->message);
    err->message[sizeof err->message - 1] = '\0';
    stoa_utf8_cut(err->message, sizeof err->message);
}

static stoa_status status_of_errno(int number) {
    switch (number) {
    case ENOENT:
    case ENOTDIR: return STOA_NOT_FOUND;
    case EEXIST: return STOA_EXISTS;
    case ENOMEM: return STOA_NO_MEMORY;
    case EISDIR:
    case ENOTEMPTY:
    case ENAMETOOLONG:
    case ELOOP: return STOA_INVALID;
    case EMFILE:
    case ENFILE: return STOA_LIMIT;
    default: return STOA_IO;
    }
}

stoa_status stoa_fail_system(stoa_error *err, int number) {
    char words[128] = "";
    return stoa_fail(err, status_of_errno(number), "%s", strerror_r(number, words, sizeof words));
}

stoa_status stoa_fail_errno(stoa_error *err, int number, const char *what, const char *name) {
    stoa_status status = stoa_fail_system(err, number);
    stoa_wrap(err, "cannot %s '%s'", what, name);
    stoa_error_set_file(err, name, -1);
    return status;
}

void stoa_error_set_row(stoa_error *err, int64_t row) {
    if (err != NULL) {
        err->row = row;
    }
}

void stoa_error_set_column(stoa_error *err, int32_t column_index, const char *name) {
    if (err != NULL) {
        err->column_index = column_index;
        copy_name(err->column, name);
    }
}

void stoa_error_set_file(stoa_error *err, const char *name, int64_t offset) {
    if (err != NULL) {
        copy_name(err->file, name);
        err->offset = offset;
    }
}

const char *stoa_status_name(stoa_status status) {
    static const char *const names[] = {"ok",        "invalid", "not found", "exists",
                                        "conflict",  "locked",  "io",        "corrupt",
                                        "no memory", "limit",   "cancelled", "unsupported",
                                        "internal"};
    size_t index = (size_t)status;
    return index < sizeof names / sizeof names[0] ? names[index] : "unknown";
}

void stoa_assert_failed(const char *condition, const char *file, int line) {
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
