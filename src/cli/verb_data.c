/* The verbs that move rows: init, load, export, cat, inspect. */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli.h"

static double seconds_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool quiet(const stoa_cli_arguments *arguments) {
    return stoa_cli_value(arguments, "--quiet") != NULL;
}

int stoa_cli_init(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *database = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = true;
    options.must_create = true;
    stoa_status status =
        stoa_database_open(arguments->positionals[0], &options, &database, &err);
    if (status != STOA_OK) {
        return stoa_cli_fail("init", status, &err);
    }
    stoa_database_close(database);
    if (!quiet(arguments)) {
        (void)fprintf(stderr, "made an empty database in %s\n", arguments->positionals[0]);
    }
    return STOA_EXIT_OK;
}

static stoa_status int96_option(const stoa_cli_arguments *arguments, stoa_type_unit *out,
                                stoa_error *err) {
    static const char *const names[] = {"ms", "us", "ns"};
    static const stoa_type_unit units[] = {STOA_TYPE_MILLISECONDS, STOA_TYPE_MICROSECONDS,
                                           STOA_TYPE_NANOSECONDS};
    const char *text = stoa_cli_value(arguments, "--int96");
    for (size_t i = 0; text != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = units[i];
            return STOA_OK;
        }
    }
    return text == NULL ? STOA_OK
                        : stoa_fail(err, STOA_INVALID,
                                    "option '--int96': expected ns, us or ms but found '%s'", text);
}

/* Where a state table's column of the time to live ends in "seen 7d": at the last blank. */
static stoa_status ttl_option(const stoa_cli_arguments *arguments, stoa_state_table_options *state,
                              char column[256], stoa_error *err) {
    const char *text = stoa_cli_value(arguments, "--ttl");
    const char *blank = text == NULL ? NULL : strrchr(text, ' ');
    if (text == NULL) {
        return STOA_OK;
    }
    if (blank == NULL || blank == text || blank - text > 255) {
        return stoa_fail(err, STOA_INVALID,
                         "option '--ttl': expected a column and an age such as 'seen 7d' but found "
                         "'%s'",
                         text);
    }
    (void)snprintf(column, 256, "%.*s", (int)(blank - text), text);
    state->ttl_column = column;
    return stoa_cli_age_parse("--ttl", blank + 1, &state->ttl_ms, err);
}

static stoa_status compaction_option(const stoa_cli_arguments *arguments,
                                     stoa_compaction_style *out, stoa_error *err) {
    static const char *const names[] = {
        [STOA_COMPACTION_LEVELED] = "leveled",
        [STOA_COMPACTION_TIERED] = "tiered",
        [STOA_COMPACTION_FIFO] = "fifo",
    };
    const char *text = stoa_cli_value(arguments, "--compaction");
    for (size_t i = 0; text != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (stoa_compaction_style)i;
            return STOA_OK;
        }
    }
    return text == NULL
               ? STOA_OK
               : stoa_fail(err, STOA_INVALID,
                           "option '--compaction': expected leveled, tiered or fifo but found '%s'",
                           text);
}

/* Of the table's files. */
static stoa_status storage_options(const stoa_cli_arguments *arguments,
                                   stoa_state_table_options *state, stoa_error *err) {
    int64_t fifo_bytes = 0, filter_bits = -1;
    stoa_status status = compaction_option(arguments, &state->compaction, err);
    if (status == STOA_OK) {
        status = stoa_cli_value_i64(arguments, "--fifo-bytes", 1, &fifo_bytes, err);
    }
    if (status == STOA_OK) {
        status = stoa_cli_value_i64(arguments, "--filter-bits", 0, &filter_bits, err);
    }
    if (status != STOA_OK) {
        return status;
    }
    if ((state->compaction == STOA_COMPACTION_FIFO) != (fifo_bytes > 0)) {
        return stoa_fail(err, STOA_INVALID,
                         "options '--compaction fifo' and '--fifo-bytes' go together");
    }
    state->fifo_bytes = (uint64_t)fifo_bytes;
    state->filter_bits = filter_bits < 0           ? 0  /* the default */
                         : filter_bits == 0        ? -1 /* none */
                         : filter_bits > INT32_MAX ? INT32_MAX
                                                   : (int32_t)filter_bits;
    return STOA_OK;
}

static stoa_status state_options(const stoa_cli_arguments *arguments,
                                 stoa_state_table_options *state, char ttl_column[256],
                                 stoa_load_options *out, stoa_error *err) {
    static const char *const own[] = {"--key",        "--merge",      "--ttl",
                                      "--compaction", "--fifo-bytes", "--filter-bits"};
    const bool is_state = out->kind != NULL && strcmp(out->kind, "state") == 0;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (!is_state && stoa_cli_value(arguments, own[i]) != NULL) {
            return stoa_fail(err, STOA_INVALID,
                             "option '%s' is for new state tables: give --kind state with it",
                             own[i]);
        }
    }
    if (!is_state || out->mode != STOA_CREATE) {
        return STOA_OK;
    }
    state->key = stoa_cli_value(arguments, "--key");
    state->merge = stoa_cli_value(arguments, "--merge");
    state->codec = out->codec;
    out->codec = NULL;
    out->state = state;
    if (state->key == NULL) {
        return stoa_fail(err, STOA_INVALID, "a state table needs --key, such as 'user, ts desc'");
    }
    stoa_status status = storage_options(arguments, state, err);
    return status == STOA_OK ? ttl_option(arguments, state, ttl_column, err) : status;
}

static stoa_status load_options(const stoa_cli_arguments *arguments, stoa_load_options *out,
                                stoa_error *err) {
    const char *mode = stoa_cli_value(arguments, "--mode");
    if (mode == NULL || strcmp(mode, "create") == 0) {
        out->mode = STOA_CREATE;
    } else if (strcmp(mode, "append") == 0) {
        out->mode = STOA_APPEND;
    } else if (strcmp(mode, "overwrite") == 0) {
        out->mode = STOA_OVERWRITE;
    } else if (strcmp(mode, "upsert") == 0) {
        out->mode = STOA_UPSERT;
    } else if (strcmp(mode, "merge") == 0) {
        out->mode = STOA_MERGE;
    } else {
        return stoa_fail(err, STOA_INVALID,
                         "option '--mode': expected create, append, overwrite, upsert or merge but "
                         "found '%s'",
                         mode);
    }
    const char *on_error = stoa_cli_value(arguments, "--on-error");
    if (on_error != NULL && strncmp(on_error, "reject:", 7) == 0 && on_error[7] != '\0') {
        out->reject_file = on_error + 7;
    } else if (on_error != NULL && strcmp(on_error, "fail") != 0) {
        return stoa_fail(err, STOA_INVALID,
                         "option '--on-error': expected fail or reject:FILE but found '%s'",
                         on_error);
    }
    out->kind = stoa_cli_value(arguments, "--kind");
    out->schema = stoa_cli_value(arguments, "--schema");
    out->format = stoa_cli_value(arguments, "--format");
    out->codec = stoa_cli_value(arguments, "--codec");
    out->partition = stoa_cli_value(arguments, "--partition");
    out->sort = stoa_cli_value(arguments, "--sort");
    out->ignore_folders = stoa_cli_value(arguments, "--no-hive") != NULL;
    out->keys = stoa_cli_value(arguments, "--keys");
    stoa_status status = int96_option(arguments, &out->int96_unit, err);
    if (status == STOA_OK) {
        status = stoa_cli_value_i64(arguments, "--batch-rows", 1, &out->batch_rows, err);
    }
    return status;
}

static void print_load(const char *table, const stoa_load_report *report, double seconds) {
    char rows[32];
    char time[32];
    char bytes[32];
    (void)fprintf(stderr, "loaded %s row%s into %s from %lld file%s (%s) in %s",
                  stoa_count_text(report->rows_loaded, rows), report->rows_loaded == 1 ? "" : "s",
                  table, (long long)report->files, report->files == 1 ? "" : "s",
                  stoa_bytes_text(report->bytes_read, bytes), stoa_seconds_text(seconds, time));
    if (report->rows_rejected > 0) {
        (void)fprintf(stderr, ", rejected %s", stoa_count_text(report->rows_rejected, rows));
    }
    (void)fputc('\n', stderr);
}

int stoa_cli_load(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_load_options options = STOA_LOAD_DEFAULT;
    stoa_state_table_options state = {0};
    char ttl_column[256];
    stoa_status status = load_options(arguments, &options, &err);
    if (status == STOA_OK) {
        status = state_options(arguments, &state, ttl_column, &options, &err);
    }
    if (status == STOA_INVALID) {
        return stoa_cli_usage("load", "%s", err.message);
    }
    if (status != STOA_OK) {
        return stoa_cli_fail("load", status, &err);
    }
    stoa_cli_session session;
    status = stoa_cli_session_open(arguments->positionals[0], STOA_CLI_CREATE, &session, &err);
    if (status != STOA_OK) {
        return stoa_cli_fail("load", status, &err);
    }
    char title[128];
    const char *table = arguments->positionals[1];
    (void)snprintf(title, sizeof title, "loading %.100s", table);
    stoa_cli_progress *progress = stoa_cli_progress_start(title, !quiet(arguments));
    options.context = session.context;
    options.context.progress = progress == NULL ? NULL : stoa_cli_progress_update;
    options.context.progress_user = progress;
    double started = seconds_now();
    stoa_load_report report = {0};
    status = stoa_load(session.database, table, arguments->positionals + 2,
                       (size_t)arguments->positional_count - 2, &options, &report, &err);
    stoa_cli_progress_end(progress);
    stoa_cli_session_close(&session);
    if (status != STOA_OK) {
        return stoa_cli_fail("load", status, &err);
    }
    if (!quiet(arguments)) {
        print_load(table, &report, seconds_now() - started);
    }
    return STOA_EXIT_OK;
}

/* A query starts with a keyword and has a space in it; everything else names a table. */
static bool looks_like_query(const char *text) {
    static const char *const words[] = {"select", "with", "from", "values", "("};
    while (*text == ' ' || *text == '\n' || *text == '\t') {
        text++;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);
        if (strncasecmp(text, words[i], length) == 0 &&
            (words[i][0] == '(' || strchr(" \n\t(", text[length]) != NULL) &&
            text[length] != '\0') {
            return true;
        }
    }
    return false;
}

static stoa_status size_option(const stoa_cli_arguments *arguments, const char *option,
                               int64_t *out, stoa_error *err) {
    const char *text = stoa_cli_value(arguments, option);
    size_t size = 0;
    if (text == NULL) {
        return STOA_OK;
    }
    if (stoa_memory_size_parse(text, &size, NULL) != STOA_OK || size < 1 || size > INT64_MAX) {
        return stoa_fail(err, STOA_INVALID,
                         "option '%s': expected a number of bytes (65536, 64MiB) but found '%s'",
                         option, text);
    }
    *out = (int64_t)size;
    return STOA_OK;
}

static stoa_status parquet_options(const stoa_cli_arguments *arguments, bool is_parquet,
                                   stoa_parquet_export_options *out, stoa_error *err) {
    static const char *const names[] = {"--codec", "--level", "--profile", "--row-group-rows",
                                        "--row-group-bytes", "--page-bytes", "--page-rows",
                                        "--bloom", "--encoding"};
    for (size_t i = 0; !is_parquet && i < sizeof names / sizeof names[0]; i++) {
        if (stoa_cli_value(arguments, names[i]) != NULL) {
            return stoa_fail(err, STOA_INVALID, "option '%s' is for Parquet files only", names[i]);
        }
    }
    int64_t level = 0;
    const struct {
        const char *name;
        int64_t least;
        int64_t *target;
    } numbers[] = {{"--level", INT32_MIN, &level},
                   {"--row-group-rows", 1, &out->row_group_rows},
                   {"--page-rows", 1, &out->page_rows}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        stoa_status status = stoa_cli_value_i64(arguments, numbers[i].name, numbers[i].least,
                                                numbers[i].target, err);
        if (status != STOA_OK) {
            return status;
        }
    }
    if (level > INT32_MAX || (level == 0 && stoa_cli_value(arguments, "--level") != NULL)) {
        return stoa_fail(err, STOA_INVALID, "option '--level': there is no level %s",
                         stoa_cli_value(arguments, "--level"));
    }
    stoa_status status = size_option(arguments, "--row-group-bytes", &out->row_group_bytes, err);
    if (status == STOA_OK) {
        status = size_option(arguments, "--page-bytes", &out->page_bytes, err);
    }
    out->level = (int32_t)level;
    out->codec = stoa_cli_value(arguments, "--codec");
    out->profile = stoa_cli_value(arguments, "--profile");
    out->bloom = stoa_cli_value(arguments, "--bloom");
    out->sort = stoa_cli_value(arguments, "--sort");
    out->encoding = stoa_cli_value(arguments, "--encoding");
    return status;
}

/* All columns of a table, or of a query that may end in semicolons, in an order. */
static char *sorted_query(const char *source, const char *order) {
    static const char of_query[] = "SELECT * FROM (%.*s\n) ORDER BY %s";
    static const char of_table[] = "SELECT * FROM \"%.*s\" ORDER BY %s";
    const bool query = looks_like_query(source);
    size_t length = strlen(source);
    while (query && length > 0 && strchr("; \n\t", source[length - 1]) != NULL) {
        length--;
    }
    char *name = stoa_cli_allocate(2 * length + 1);
    size_t size = 0;
    for (size_t i = 0; i < length; i++) {
        name[size++] = source[i];
        if (!query && source[i] == '"') {
            name[size++] = '"';
        }
    }
    const size_t room = size + strlen(order) + sizeof of_table;
    char *sql = stoa_cli_allocate(room);
    (void)snprintf(sql, room, query ? of_query : of_table, (int)size, name, order);
    stoa_cli_free(name);
    return sql;
}

/* The rows of a table or a query, in any order or sorted by the engine. */
static stoa_status open_rows(const stoa_cli_session *session, const char *source, const char *sort,
                             struct ArrowArrayStream *out, stoa_error *err) {
    if (sort == NULL && looks_like_query(source)) {
        return stoa_query(session->database, source, &session->context, out, err);
    }
    if (sort == NULL) {
        stoa_scan_options options = STOA_SCAN_DEFAULT;
        options.context = session->context;
        return stoa_scan(session->database, source, &options, out, err);
    }
    stoa_text *order = NULL;
    stoa_status status = stoa_text_create(session->context.pool, &order, err);
    if (status == STOA_OK) {
        status = stoa_sort_to_sql(sort, order, err);
    }
    if (status == STOA_OK) {
        char *sql = sorted_query(source, stoa_text_view(order, NULL));
        status = stoa_query(session->database, sql, &session->context, out, err);
        stoa_cli_free(sql);
    }
    stoa_text_close(order);
    return status;
}

int stoa_cli_export(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_export_options parquet = {0};
    stoa_cli_output output = {.format = stoa_cli_value(arguments, "--format"),
                              .path = stoa_cli_value(arguments, "--output"),
                              .parquet = &parquet};
    if (output.path == NULL && output.format == NULL) {
        return stoa_cli_usage("export", "expected -o FILE or --format");
    }
    if (output.path != NULL && strcmp(output.path, "-") == 0) {
        output.path = NULL;
    }
    const stoa_folder_export_options folder = {
        .partition = stoa_cli_value(arguments, "--partition"),
        .overwrite = stoa_cli_value(arguments, "--overwrite") != NULL,
        .parquet = &parquet};
    if (folder.partition == NULL && folder.overwrite) {
        return stoa_cli_usage("export", "option '--overwrite' goes with --partition");
    }
    if (folder.partition != NULL) {
        if (output.path == NULL ||
            (output.format != NULL && strcmp(output.format, "parquet") != 0)) {
            return stoa_cli_usage("export", "option '--partition' makes a folder of Parquet files: "
                                            "give -o DIR, and no other format");
        }
        output.format = "parquet";
    }
    stoa_status status = stoa_cli_output_check(&output, &err);
    if (status == STOA_OK) {
        status = parquet_options(arguments, stoa_cli_output_is_parquet(&output), &parquet, &err);
    }
    if (status != STOA_OK) {
        return stoa_cli_usage("export", "%s", err.message);
    }
    stoa_cli_session session;
    status = stoa_cli_session_open(arguments->positionals[0], STOA_CLI_READ, &session, &err);
    if (status != STOA_OK) {
        return stoa_cli_fail("export", status, &err);
    }
    status = stoa_parquet_export_check(session.context.pool, &parquet, &err);
    if (status == STOA_INVALID) {
        stoa_cli_session_close(&session);
        return stoa_cli_usage("export", "%s", err.message);
    }
    struct ArrowArrayStream rows = {0};
    int64_t count = 0;
    if (status == STOA_OK) {
        status = open_rows(&session, arguments->positionals[1], parquet.sort, &rows, &err);
    }
    if (status == STOA_OK && folder.partition != NULL) {
        status = stoa_export_folder(session.database, &rows, output.path, &folder,
                                    &session.context, &count, &err);
    } else if (status == STOA_OK) {
        status = stoa_cli_output_rows(session.database, &output, &rows, &session.context, &count,
                                      &err);
    }
    stoa_cli_session_close(&session);
    if (status != STOA_OK) {
        return stoa_cli_fail("export", status, &err);
    }
    if (output.path != NULL && !quiet(arguments)) {
        char text[32];
        (void)fprintf(stderr, "wrote %s row%s to %s\n", stoa_count_text(count, text),
                      count == 1 ? "" : "s", output.path);
    }
    return STOA_EXIT_OK;
}

int stoa_cli_cat(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_file_scan_options options = STOA_FILE_SCAN_DEFAULT;
    stoa_cli_output output = {.format = stoa_cli_value(arguments, "--format"),
                              .path = stoa_cli_value(arguments, "--output"),
                              .rows_max = 40};
    options.format = stoa_cli_value(arguments, "--input-format");
    options.columns = stoa_cli_value(arguments, "--columns");
    options.where = stoa_cli_value(arguments, "--where");
    options.keys = stoa_cli_value(arguments, "--keys");
    stoa_status status = stoa_cli_value_i64(arguments, "--rows", 0, &output.rows_max, &err);
    if (status == STOA_OK) {
        status = stoa_cli_value_i64(arguments, "--limit", 1, &options.limit, &err);
    }
    if (status == STOA_OK) {
        status = int96_option(arguments, &options.int96_unit, &err);
    }
    if (status == STOA_OK) {
        status = stoa_cli_output_check(&output, &err);
    }
    if (status != STOA_OK) {
        return stoa_cli_usage("cat", "%s", err.message);
    }
    stoa_cli_session session;
    struct ArrowArrayStream rows = {0};
    int64_t count = 0;
    status = stoa_cli_session_open(":memory:", STOA_CLI_READ, &session, &err);
    if (status == STOA_OK) {
        options.context = session.context;
        options.ignore_folders = stoa_cli_value(arguments, "--no-hive") != NULL;
        status = stoa_file_scan(session.database, arguments->positionals,
                                (size_t)arguments->positional_count, &options, &rows, &err);
    }
    if (status == STOA_OK) {
        status = stoa_cli_output_rows(session.database, &output, &rows, &session.context, &count,
                                      &err);
    }
    stoa_cli_session_close(&session);
    return status == STOA_OK ? STOA_EXIT_OK : stoa_cli_fail("cat", status, &err);
}

int stoa_cli_inspect(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_session session;
    const stoa_inspect_options options = {
        .with_pages = stoa_cli_value(arguments, "--pages") != NULL,
        .as_text = stoa_cli_value(arguments, "--json") == NULL &&
                   (stoa_cli_value(arguments, "--text") != NULL || stoa_terminal_is(stdout)),
        .keys = stoa_cli_value(arguments, "--keys")};
    stoa_status status = stoa_cli_session_open(":memory:", STOA_CLI_READ, &session, &err);
    stoa_text *text = NULL;
    if (status == STOA_OK) {
        status = stoa_text_create(session.context.pool, &text, &err);
    }
    for (int i = 0; i < arguments->positional_count && status == STOA_OK; i++) {
        status = stoa_file_inspect(session.database, arguments->positionals[i], &options, text,
                                   &err);
        if (status == STOA_OK) {
            (void)fprintf(stdout, "%s\n", stoa_text_view(text, NULL));
        }
    }
    stoa_text_close(text);
    stoa_cli_session_close(&session);
    return status == STOA_OK ? STOA_EXIT_OK : stoa_cli_fail("inspect", status, &err);
}
