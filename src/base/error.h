/* The two macros that may hide control flow, and the assertion. See include/stoa/status.h. */
#ifndef STOA_BASE_ERROR_H
#define STOA_BASE_ERROR_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#include <stoa/status.h>

/// Passes a failure up at once; for functions with nothing to release.
#define STOA_TRY(expression)                                                                       \
    do {                                                                                           \
        stoa_status stoa_try_status_ = (expression);                                               \
        if (stoa_try_status_ != STOA_OK) {                                                         \
            return stoa_try_status_;                                                               \
        }                                                                                          \
    } while (0)

/// Passes a failure to the label `done`, through the local variable `status`.
#define STOA_CHECK(expression)                                                                     \
    do {                                                                                           \
        status = (expression);                                                                     \
        if (status != STOA_OK) {                                                                   \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/// A failure that changes nothing: cleaning up after another one. The reason stands beside the call.
#define STOA_IGNORE(expression)                                                                    \
    do {                                                                                           \
        stoa_status stoa_ignored_status_ = (expression);                                           \
        (void)stoa_ignored_status_;                                                                \
    } while (0)

/// A belief about this program, never about its input. On in debug and sanitizer builds.
#if defined(STOA_ASSERTS)
#define STOA_ASSERT(condition)                                                                     \
    ((condition) ? (void)0 : stoa_assert_failed(#condition, __FILE__, __LINE__))
#else
#define STOA_ASSERT(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

__attribute__((noreturn)) void stoa_assert_failed(const char *condition, const char *file,
                                                  int line);

/// The failure of a system call in the system's own words alone, for callers that put what was tried
/// and its object before it. Statuses as stoa_fail_errno.
stoa_status stoa_fail_system(stoa_error *err, int number);

/// The failure of a system call: `number` is errno, `what` says what was tried ("open", "read").
/// ENOENT and ENOTDIR become STOA_NOT_FOUND, EEXIST STOA_EXISTS, ENOMEM STOA_NO_MEMORY, EISDIR,
/// ENOTEMPTY, ENAMETOOLONG and ELOOP STOA_INVALID, EMFILE and ENFILE STOA_LIMIT (closing files
/// helps), all others STOA_IO; the message ends in the system's own words.
stoa_status stoa_fail_errno(stoa_error *err, int number, const char *what, const char *name);

/// Where in the input a failure lies; each may be called on a NULL `err`.
void stoa_error_set_row(stoa_error *err, int64_t row);
void stoa_error_set_column(stoa_error *err, int32_t column_index, const char *name);
void stoa_error_set_file(stoa_error *err, const char *name, int64_t offset);

#endif
