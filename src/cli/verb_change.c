/* The verbs that change what is there: drop, rename, expire. */
#include <string.h>
#include <time.h>

#include "cli.h"

static int begin(const stoa_cli_arguments *arguments, stoa_cli_session *session, stoa_error *err) {
    stoa_status status =
        stoa_cli_session_open(arguments->positionals[0], STOA_CLI_WRITE, session, err);
    return status == STOA_OK ? STOA_EXIT_OK : stoa_cli_fail(arguments->verb->name, status, err);
}

static int end(const stoa_cli_arguments *arguments, stoa_cli_session *session, stoa_status status,
               const stoa_error *err) {
    stoa_cli_session_close(session);
    return status == STOA_OK ? STOA_EXIT_OK : stoa_cli_fail(arguments->verb->name, status, err);
}

int stoa_cli_drop(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_session session;
    int code = begin(arguments, &session, &err);
    if (code != STOA_EXIT_OK) {
        return code;
    }
    stoa_status status = stoa_table_drop(session.database, arguments->positionals[1], &err);
    if (status == STOA_NOT_FOUND && stoa_cli_value(arguments, "--if-exists") != NULL) {
        status = STOA_OK;
    }
    return end(arguments, &session, status, &err);
}

int stoa_cli_rename(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_session session;
    int code = begin(arguments, &session, &err);
    if (code != STOA_EXIT_OK) {
        return code;
    }
    stoa_status status = stoa_table_rename(session.database, arguments->positionals[1],
                                           arguments->positionals[2], &err);
    return end(arguments, &session, status, &err);
}

int stoa_cli_expire(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    const char *age = stoa_cli_value(arguments, "--older-than");
    int64_t age_ms = 0;
    if (stoa_cli_age_parse("--older-than", age == NULL ? "7d" : age, &age_ms, &err) != STOA_OK) {
        return stoa_cli_usage("expire", "%s", err.message);
    }
    stoa_cli_session session;
    int code = begin(arguments, &session, &err);
    if (code != STOA_EXIT_OK) {
        return code;
    }
    int64_t removed = 0;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    stoa_status status = stoa_table_expire(session.database, arguments->positionals[1],
                                           now_ms - age_ms, &removed, &err);
    if (status == STOA_OK) {
        char text[32];
        (void)fprintf(stderr, "removed %s file%s\n", stoa_count_text(removed, text),
                      removed == 1 ? "" : "s");
    }
    return end(arguments, &session, status, &err);
}
