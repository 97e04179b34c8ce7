/* Log lines: formatted into a fixed buffer, delivered by the caller's function. */
#include <stoa/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "base/utf8.h"

void stoa_log(const stoa_logger *logger, stoa_log_level level, const char *module,
              const char *format, ...) {
    if (logger == NULL || logger->function == NULL || level > logger->level) {
        return;
    }
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    stoa_secret_mask(message, sizeof message);
    stoa_utf8_cut(message, sizeof message);
    logger->function(logger->user, level, module, message);
}

stoa_status stoa_log_level_parse(const char *text, stoa_log_level *out, stoa_error *err) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int level = STOA_LOG_ERROR; level <= STOA_LOG_DEBUG; level++) {
        if (strcmp(text, names[level]) == 0) {
            *out = (stoa_log_level)level;
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_INVALID,
                     "log level: expected error, warn, info or debug but found "
                     "'%s'",
                     text);
}
