/* The verbs that change what is there: drop, rename, alter, expire. */
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

/* The changes of columns by their words: how many values follow. */
static const struct {
    const char *word;
    stoa_state_alteration_kind kind;
    int value_count;
    const char *values;
} changes[] = {
    {"add", STOA_STATE_ADD_COLUMN, 1, "'COL TYPE'"},
    {"drop", STOA_STATE_DROP_COLUMN, 1, "COL"},
    {"rename", STOA_STATE_RENAME_COLUMN, 2, "COL NEW"},
    {"widen", STOA_STATE_SET_DATA_TYPE, 2, "COL TYPE"},
    {"nullable", STOA_STATE_DROP_NOT_NULL, 1, "COL"},
};
enum { CHANGE_KINDS = sizeof changes / sizeof changes[0] };

/* Words into alterations, which borrow them; `out` has room for one a word. */
static stoa_status read_changes(const char *const *words, int count, stoa_state_alteration *out,
                                int32_t *out_count, stoa_error *err) {
    *out_count = 0;
    for (int i = 0; i < count;) {
        int which = 0;
        while (which < CHANGE_KINDS && strcmp(words[i], changes[which].word) != 0) {
            which++;
        }
        if (which == CHANGE_KINDS) {
            return stoa_fail(err, STOA_INVALID,
                             "expected add, drop, rename, widen or nullable but found '%s'",
                             words[i]);
        }
        if (count - i - 1 < changes[which].value_count) {
            return stoa_fail(err, STOA_INVALID, "expected %s behind '%s'", changes[which].values,
                             words[i]);
        }
        const bool adds = changes[which].kind == STOA_STATE_ADD_COLUMN;
        out[(*out_count)++] = (stoa_state_alteration){
            .kind = changes[which].kind,
            .column = adds ? NULL : words[i + 1],
            .text = adds || changes[which].value_count == 2 ? words[i + (adds ? 1 : 2)] : NULL};
        i += 1 + changes[which].value_count;
    }
    return STOA_OK;
}

int stoa_cli_alter(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_session session;
    stoa_state_alteration alterations[STOA_CLI_POSITIONALS_MAX];
    int32_t count = 0;
    if (read_changes(arguments->positionals + 2, arguments->positional_count - 2, alterations,
                     &count, &err) != STOA_OK) {
        return stoa_cli_usage("alter", "%s", err.message);
    }
    int code = begin(arguments, &session, &err);
    if (code != STOA_EXIT_OK) {
        return code;
    }
    stoa_status status = stoa_state_alter(session.database, arguments->positionals[1], alterations,
                                          count, &err);
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
