/* Opening the database that a verb names, with Ctrl-C and the log connected. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { LOCK_WAIT_MS = 3000 }; /* for another process to end that writes state tables */

static void log_line(void *user, stoa_log_level level, const char *module, const char *message) {
    (void)user;
    static const char *const names[] = {"error", "warn", "info", "debug"};
    (void)fprintf(stderr, "stoa: %s: %s: %s\n", names[level], module, message);
}

/* A database that lies where this user may not write can still be read. */
static bool is_write_protected(const char *uri) {
    char catalog[4096];
    int length = snprintf(catalog, sizeof catalog, "%s/catalog.db", uri);
    const char *const paths[] = {uri, catalog};
    for (size_t i = 0; i < 2 && length > 0 && (size_t)length < sizeof catalog; i++) {
        if (access(paths[i], W_OK) != 0 && (errno == EACCES || errno == EROFS)) {
            return true;
        }
    }
    return false;
}

stoa_status stoa_cli_session_open(const char *uri, stoa_cli_open mode, stoa_cli_session *out,
                                  stoa_error *err) {
    *out = (stoa_cli_session){0};
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = mode == STOA_CLI_CREATE || strcmp(uri, ":memory:") == 0;
    options.read_only = mode == STOA_CLI_READ && strcmp(uri, ":memory:") != 0;
    if (mode == STOA_CLI_WRITE && is_write_protected(uri)) {
        options.read_only = true;
    }
    options.logger.function = log_line;
    const char *level = getenv("STOA_LOG");
    stoa_status status = STOA_OK;
    if (level != NULL && level[0] != '\0') {
        status = stoa_log_level_parse(level, &options.logger.level, err);
        stoa_wrap(err, "STOA_LOG");
    }
    if (status == STOA_OK) {
        status = stoa_interrupt_install(&out->cancel, err);
    }
    if (status == STOA_OK) {
        options.cancel = out->cancel;
        status = stoa_database_open(uri, &options, &out->database, err);
    }
    if (status == STOA_OK && !options.read_only) {
        const stoa_state_options state = {.lock_wait_ms = LOCK_WAIT_MS};
        status = stoa_state_configure(out->database, &state, err);
    }
    if (status != STOA_OK) {
        stoa_cli_session_close(out);
        return status;
    }
    out->context.pool = stoa_database_pool(out->database);
    out->context.cancel = out->cancel;
    return STOA_OK;
}

void stoa_cli_session_close(stoa_cli_session *session) {
    stoa_database_close(session->database);
    stoa_interrupt_set(NULL);
    stoa_cancel_close(session->cancel);
    *session = (stoa_cli_session){0};
}
