/* `stoa sql`: statements from the command line, a file or standard input, results to standard
 * output. Several statements run in order in one session; the first failure ends the run. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

struct text {
    char *bytes;
    size_t size;
};

static stoa_status read_stream(FILE *stream, const char *name, struct text *out, stoa_error *err) {
    size_t capacity = 1 << 16;
    out->bytes = stoa_cli_allocate(capacity);
    out->size = 0;
    for (;;) {
        size_t count = fread(out->bytes + out->size, 1, capacity - out->size - 1, stream);
        out->size += count;
        if (count == 0) {
            break;
        }
        if (capacity - out->size < capacity / 2) {
            capacity *= 2;
            out->bytes = stoa_cli_grow(out->bytes, capacity);
        }
    }
    out->bytes[out->size] = '\0';
    return ferror(stream) ? stoa_fail(err, STOA_IO, "cannot read '%s': %m", name) : STOA_OK;
}

static stoa_status read_file(const char *path, struct text *out, stoa_error *err) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return stoa_fail(err, STOA_IO, "cannot open '%s': %m", path);
    }
    stoa_status status = read_stream(file, path, out, err);
    (void)fclose(file);
    return status;
}

static stoa_status run_one(stoa_cli_session *session, stoa_session *sql_session, const char *sql,
                           const stoa_cli_output *output, bool explain, stoa_error *err) {
    struct ArrowArrayStream rows = {0};
    stoa_result_info info = {0};
    int64_t count = 0;
    stoa_status status =
        stoa_session_run(sql_session, sql, &session->context, &rows, &info, err);
    if (status != STOA_OK) {
        return status;
    }
    if (info.has_rows) {
        status = stoa_cli_output_rows(session->database, output, &rows, &session->context, &count,
                                      err);
    } else {
        stoa_arrow_stream_release(&rows);
        if (info.rows_changed >= 0 && stoa_terminal_is(stderr)) {
            char text[32];
            (void)fprintf(stderr, "%s: %s row%s\n", info.statement,
                          stoa_count_text(info.rows_changed, text),
                          info.rows_changed == 1 ? "" : "s");
        }
    }
    if (status == STOA_OK && explain) {
        const char *report = stoa_session_scan_report(sql_session);
        (void)fprintf(stderr, "%s\n", report == NULL ? "{}" : report);
    }
    return status;
}

static stoa_status run_all(stoa_cli_session *session, struct text *text,
                           const stoa_cli_output *output, bool explain, stoa_error *err) {
    stoa_session *sql_session = NULL;
    stoa_status status = stoa_session_open(session->database, &sql_session, err);
    size_t position = 0;
    while (status == STOA_OK) {
        bool complete = false;
        size_t length = stoa_sql_statement_length(text->bytes + position, text->size - position,
                                                  &complete);
        if (length == 0) {
            break;
        }
        char after = text->bytes[position + length];
        text->bytes[position + length] = '\0';
        status = run_one(session, sql_session, text->bytes + position, output, explain, err);
        text->bytes[position + length] = after;
        position += length;
    }
    stoa_session_close(sql_session);
    return status;
}

static stoa_status gather(const stoa_cli_arguments *arguments, struct text *out, stoa_error *err) {
    const char *path = stoa_cli_value(arguments, "--file");
    if (path != NULL && strcmp(path, "-") != 0) {
        return read_file(path, out, err);
    }
    if (path != NULL || arguments->positional_count == 1) {
        return read_stream(stdin, "standard input", out, err);
    }
    size_t size = 0;
    for (int i = 1; i < arguments->positional_count; i++) {
        size += strlen(arguments->positionals[i]) + 2;
    }
    out->bytes = stoa_cli_allocate(size + 1);
    for (int i = 1; i < arguments->positional_count; i++) {
        size_t length = strlen(arguments->positionals[i]);
        memcpy(out->bytes + out->size, arguments->positionals[i], length);
        out->size += length;
        memcpy(out->bytes + out->size, ";\n", 2);
        out->size += 2;
    }
    return STOA_OK;
}

int stoa_cli_sql(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_output output = {.format = stoa_cli_value(arguments, "--format"),
                              .path = stoa_cli_value(arguments, "--output"),
                              .rows_max = 40};
    int64_t width = 0;
    stoa_status status = stoa_cli_value_i64(arguments, "--rows", 0, &output.rows_max, &err);
    if (status == STOA_OK) {
        status = stoa_cli_value_i64(arguments, "--width", 1, &width, &err);
    }
    if (status == STOA_OK) {
        status = stoa_cli_output_check(&output, &err);
    }
    const char *dialect = stoa_cli_value(arguments, "--dialect");
    if (status == STOA_OK && dialect != NULL && strcmp(dialect, "duckdb") != 0) {
        status = stoa_fail(&err, STOA_INVALID,
                           "option '--dialect': expected duckdb but found '%s'", dialect);
    }
    if (status != STOA_OK) {
        return stoa_cli_usage("sql", "%s", err.message);
    }
    output.width = width > 0 && width < 10000 ? (int)width : 0;
    if (arguments->positional_count == 1 && stoa_cli_value(arguments, "--file") == NULL &&
        isatty(STDIN_FILENO)) {
        return stoa_cli_usage("sql", "expected a query, -f FILE, or standard input that is not a "
                                     "terminal (see also 'stoa shell')");
    }
    struct text text = {0};
    stoa_cli_session session = {0};
    status = gather(arguments, &text, &err);
    if (status == STOA_OK) {
        status = stoa_cli_session_open(arguments->positionals[0], STOA_CLI_WRITE, &session, &err);
    }
    if (status == STOA_OK) {
        status = run_all(&session, &text, &output, stoa_cli_value(arguments, "--explain") != NULL,
                         &err);
        stoa_cli_session_close(&session);
    }
    stoa_cli_free(text.bytes);
    return status == STOA_OK ? STOA_EXIT_OK : stoa_cli_fail("sql", status, &err);
}
