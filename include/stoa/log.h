/* What Stoa says while it works goes to a function of the program's; nowhere, until one is given. */
#ifndef STOA_LOG_H
#define STOA_LOG_H

#include <stoa/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum stoa_log_level {
    STOA_LOG_ERROR = 0,
    STOA_LOG_WARN = 1,
    STOA_LOG_INFO = 2,
    STOA_LOG_DEBUG = 3
} stoa_log_level;

/// Receives one line without its newline. It may be called from any thread, and must not call
/// Stoa. `module` is the module's name ("table").
typedef void (*stoa_log_function)(void *user, stoa_log_level level, const char *module,
                                  const char *message);

/// Where the log lines of one database go; all-zero is silence.
typedef struct stoa_logger {
    stoa_log_function function;
    void *user;
    stoa_log_level level; /* lines above it are not even formatted */
} stoa_logger;

/// Formats and delivers one line. `logger` may be NULL.
STOA_API void stoa_log(const stoa_logger *logger, stoa_log_level level, const char *module,
                       const char *format, ...) STOA_PRINTF(4, 5);

/// "error", "warn", "info" or "debug" to a level; STOA_INVALID for anything else.
STOA_API STOA_MUST_USE stoa_status stoa_log_level_parse(const char *text, stoa_log_level *out,
                                                        stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
