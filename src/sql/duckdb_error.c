/* DuckDB is asked for errors as JSON (`SET errors_as_json = true`): kind, message and position are
 * members of an object, so that nothing here depends on the wording of a message. Some kinds put
 * their name before the object ("Parser Error: {…}"); what does not parse is taken as plain text.
 *
 *     {"exception_type":"Binder","exception_message":"Referenced column \"foo\" not found …",
 *      "error_subtype":"COLUMN_NOT_FOUND","position":"10","name":"foo"} */
#include "sql/duckdb_error.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { MARK_WIDTH = 76, MARK_BEFORE = 50 };

static const struct {
    const char *type; /* names of duckdb::ExceptionType */
    stoa_status status;
} status_of_type[] = {
    {"IO", STOA_IO},
    {"HTTP", STOA_IO},
    {"Network", STOA_IO},
    {"Out of Memory", STOA_LIMIT},
    {"INTERRUPT", STOA_CANCELLED},
    {"Interrupt", STOA_CANCELLED},
    {"Not implemented", STOA_UNSUPPORTED},
    {"Missing Extension", STOA_UNSUPPORTED},
    {"Extension Autoloading", STOA_UNSUPPORTED},
    {"FATAL", STOA_INTERNAL},
    {"Fatal", STOA_INTERNAL},
    {"INTERNAL", STOA_INTERNAL},
    {"Internal", STOA_INTERNAL},
};

static stoa_status status_from_type(const char *type) {
    for (size_t i = 0; i < sizeof status_of_type / sizeof *status_of_type; i++) {
        if (strcmp(type, status_of_type[i].type) == 0) {
            return status_of_type[i].status;
        }
    }
    return STOA_INVALID;
}

/* One line, in lower case at the start unless a name or an abbreviation begins it. */
static void message_tidy(const char *message, char *out, size_t capacity) {
    size_t used = 0;
    for (const char *s = message; *s != '\0' && used + 1 < capacity; s++) {
        bool space = *s == '\n' || *s == '\r' || *s == '\t' || *s == ' ';
        if (!space) {
            out[used++] = *s;
        } else if (used > 0 && out[used - 1] != ' ') {
            out[used++] = ' ';
        }
    }
    while (used > 0 && (out[used - 1] == ' ' || out[used - 1] == '!')) {
        used--;
    }
    out[used] = '\0';
    if (isupper((unsigned char)out[0]) && !isupper((unsigned char)out[1])) {
        out[0] = (char)tolower((unsigned char)out[0]);
    }
}

static size_t back_to_character(const char *text, size_t at) {
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80) {
        at--;
    }
    return at;
}

void stoa_sql_error_mark_query(stoa_error *err, const char *sql, size_t size, int64_t at) {
    if (err == NULL || sql == NULL || at < 0 || (size_t)at > size) {
        return;
    }
    size_t place = (size_t)at;
    size_t begin = place;
    while (begin > 0 && sql[begin - 1] != '\n') {
        begin--;
    }
    size_t end = place;
    while (end < size && sql[end] != '\n') {
        end++;
    }
    if (place - begin > MARK_BEFORE) {
        begin = back_to_character(sql, place - MARK_BEFORE);
    }
    if (end - begin > MARK_WIDTH) {
        end = back_to_character(sql, begin + MARK_WIDTH);
    }
    char line[MARK_WIDTH + 8];
    size_t length = 0;
    size_t column = 0;
    for (size_t i = begin; i < end && length + 1 < sizeof line; i++) {
        unsigned char c = (unsigned char)sql[i];
        line[length++] = (char)(c < ' ' ? ' ' : c);
        column += i < place && (c & 0xC0) != 0x80;
    }
    line[length] = '\0';
    size_t used = strlen(err->message);
    int wanted = snprintf(err->message + used, sizeof err->message - used, "\n%s\n%*s^", line,
                          (int)column, "");
    if (wanted < 0 || (size_t)wanted >= sizeof err->message - used) {
        err->message[used] = '\0'; /* no room: the sentence without its mark */
    }
}

static const char *member(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

void stoa_sql_error_place(stoa_error *err, const char *sql, const struct sql_text *text,
                          int64_t at) {
    size_t size = strlen(sql);
    for (; text != NULL && at >= 0; text = text->outer) {
        if (text->source == NULL) {
            return;
        }
        at = stoa_sql_text_source(text, at);
        sql = text->source;
        size = text->source_size;
    }
    if (err != NULL && at >= 0 && (size_t)at <= size) {
        err->query_offset = at;
        stoa_sql_error_mark_query(err, sql, size, at);
    }
}

/* A position that the user can find in what was typed; else the sentence stands alone. */
static void place_error(const struct engine_failure *failure, const char *position,
                        stoa_error *err) {
    char *end = NULL;
    long long at = strtoll(position, &end, 10);
    if (err == NULL || position[0] == '\0' || *end != '\0' || at < 0 || failure->sql == NULL) {
        return;
    }
    stoa_sql_error_place(err, failure->sql, failure->text, at);
}

static stoa_status fail_from_json(const struct engine_failure *failure, const json_t *object,
                                  stoa_error *err) {
    stoa_status status = status_from_type(member(object, "exception_type"));
    char message[STOA_ERROR_MESSAGE_BYTES];
    bool unknown_table = strcmp(member(object, "error_subtype"), "MISSING_ENTRY") == 0 &&
                         strcmp(member(object, "type"), "Table") == 0;
    if (unknown_table && failure->table_hint != NULL && failure->table_hint[0] != '\0') {
        message_tidy(failure->table_hint, message, sizeof message);
    } else {
        message_tidy(member(object, "exception_message"), message, sizeof message);
    }
    if (status == STOA_CANCELLED) {
        if (stoa_cancel_is_triggered(failure->cancel)) {
            return stoa_cancel_check(failure->cancel, err);
        }
        return stoa_fail(err, status, "the query was interrupted");
    }
    if (status == STOA_LIMIT) {
        return stoa_fail(err, status, "the engine's memory budget of %zu bytes is used up: %s",
                         failure->budget_bytes, message);
    }
    if (status == STOA_INTERNAL) {
        return stoa_fail(err, status, "the engine failed: %s", message);
    }
    const bool is_encrypted = strstr(message, "'encryption_config'") != NULL;
    stoa_fail(err, status, "%s%s", message,
              is_encrypted ? ": 'stoa cat --keys' shows its rows, 'stoa load --keys' makes a table"
                           : "");
    if (status == STOA_INVALID || status == STOA_UNSUPPORTED) {
        place_error(failure, member(object, "position"), err);
    }
    return status;
}

stoa_status stoa_sql_engine_fail(const struct engine_failure *failure, stoa_error *err) {
    const char *text = failure->message != NULL ? failure->message : "no message";
    const char *brace = strchr(text, '{');
    json_t *object = brace != NULL ? json_loads(brace, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    if (object != NULL && json_is_object(object) &&
        json_is_string(json_object_get(object, "exception_type"))) {
        stoa_status status = fail_from_json(failure, object, err);
        json_decref(object);
        return status;
    }
    json_decref(object);
    if (stoa_cancel_is_triggered(failure->cancel)) {
        return stoa_cancel_check(failure->cancel, err);
    }
    char message[STOA_ERROR_MESSAGE_BYTES];
    message_tidy(text, message, sizeof message);
    return stoa_fail(err, STOA_INVALID, "%s", message);
}
