/* The verbs of state tables: put, get, delete, scan, compact, publish.
 *
 * Words become cells by the types of their columns: a row in the order of the schema, a key in the order
 * of its columns. Verbs that look open the database to be read, so they work beside a writer. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli.h"

enum { NUMBER_PATH_BYTES = 64 };

/* A verb at work on one table. All-zero: nothing is open. */
struct work {
    const stoa_cli_arguments *arguments;
    stoa_cli_session session;
    stoa_state *state;
    const stoa_schema *schema; /* borrowed from the state */
    int32_t key_count;
};

/* A table that another process writes opens for reading only. The way into it says who that is. */
static stoa_status check_writable(const struct work *work, stoa_error *err) {
    const stoa_sink_options options = {.mode = STOA_UPSERT};
    stoa_sink *sink = NULL;
    stoa_status status = stoa_sink_open(work->session.database, work->arguments->positionals[1],
                                        &options, &sink, err);
    stoa_sink_close(sink);
    return status;
}

static stoa_status work_open(const stoa_cli_arguments *arguments, stoa_cli_open mode,
                             struct work *out, stoa_error *err) {
    *out = (struct work){.arguments = arguments};
    stoa_status status = stoa_cli_session_open(arguments->positionals[0], mode, &out->session, err);
    if (status == STOA_OK && mode == STOA_CLI_WRITE) {
        status = check_writable(out, err);
    }
    if (status == STOA_OK) {
        status = stoa_state_open(out->session.database, arguments->positionals[1], &out->state,
                                 err);
    }
    if (status == STOA_OK) {
        out->schema = stoa_state_schema(out->state);
        while (stoa_state_key_column(out->state, out->key_count) >= 0) {
            out->key_count++;
        }
    }
    return status;
}

static int work_end(struct work *work, stoa_status status, const stoa_error *err) {
    stoa_state_close(work->state);
    stoa_cli_session_close(&work->session);
    return status == STOA_OK ? STOA_EXIT_OK
                             : stoa_cli_fail(work->arguments->verb->name, status, err);
}

/* ---- words ----------------------------------------------------------------------------------- */

/* Cells and what they point to. */
struct cells {
    int32_t count;
    stoa_cell *cells;
    stoa_text **texts;
};

static void cells_release(struct cells *cells) {
    for (int32_t i = 0; i < cells->count; i++) {
        stoa_text_close(cells->texts[i]);
    }
    stoa_cli_free(cells->texts);
    stoa_cli_free(cells->cells);
    *cells = (struct cells){0};
}

static stoa_status cells_add(struct cells *cells, const struct work *work, const stoa_field *field,
                             const char *text, size_t size, stoa_error *err) {
    const size_t count = (size_t)cells->count + 1;
    cells->cells = stoa_cli_grow(cells->cells, count * sizeof *cells->cells);
    cells->texts = stoa_cli_grow(cells->texts, count * sizeof *cells->texts);
    cells->cells[count - 1] = (stoa_cell){.is_null = true};
    stoa_status status = stoa_text_create(work->session.context.pool, &cells->texts[count - 1],
                                          err);
    if (status != STOA_OK) {
        return status;
    }
    cells->count++;
    if (size == 4 && memcmp(text, "NULL", 4) == 0) {
        return STOA_OK;
    }
    status = stoa_cell_parse(&field->type, text, size, cells->texts[count - 1],
                             &cells->cells[count - 1], err);
    stoa_wrap(status == STOA_OK ? NULL : err, "column '%s'", field->name);
    return status;
}

static const stoa_field *key_field(const struct work *work, int32_t part) {
    return &work->schema->root.children[stoa_state_key_column(work->state, part)];
}

/* "user, day": the columns that were expected, for messages. */
static const char *print_columns(const struct work *work, bool key, char out[256]) {
    const int32_t count = key ? work->key_count : work->schema->root.child_count;
    size_t used = 0;
    out[0] = '\0';
    for (int32_t i = 0; i < count && used < 255; i++) {
        const stoa_field *field = key ? key_field(work, i) : &work->schema->root.children[i];
        const int written = snprintf(out + used, 256 - used, "%s%s", i > 0 ? ", " : "",
                                     field->name);
        used += written > 0 ? (size_t)written : 0;
    }
    return out;
}

/* The words behind the table's name, as a whole row or a whole key. */
static stoa_status cells_of_words(const struct work *work, bool key, struct cells *out,
                                  stoa_error *err) {
    const int32_t expected = key ? work->key_count : work->schema->root.child_count;
    const int32_t found = work->arguments->positional_count - 2;
    char columns[256];
    if (found != expected) {
        return stoa_fail(err, STOA_INVALID, "expected %d value%s (%s) but found %d", (int)expected,
                         expected == 1 ? "" : "s", print_columns(work, key, columns), (int)found);
    }
    stoa_status status = STOA_OK;
    for (int32_t i = 0; i < found && status == STOA_OK; i++) {
        const char *word = work->arguments->positionals[2 + i];
        const stoa_field *field = key ? key_field(work, i) : &work->schema->root.children[i];
        status = cells_add(out, work, field, word, strlen(word), err);
    }
    return status;
}

/* The next part of "eu,\"a,b\",7", unquoted in place of `part`; returns what is left behind it, or NULL at
 * the end. */
static const char *take_part(const char *text, char *part) {
    size_t size = 0;
    if (*text == '"') {
        for (text++; *text != '\0' && (*text != '"' || text[1] == '"'); text++) {
            text += *text == '"';
            part[size++] = *text;
        }
        text += *text == '"';
    }
    for (; *text != '\0' && *text != ','; text++) {
        part[size++] = *text;
    }
    part[size] = '\0';
    return *text == ',' ? text + 1 : NULL;
}

/* The first parts of a key as one option: with commas between them where the key has several. */
static stoa_status cells_of_option(const struct work *work, const char *option, struct cells *out,
                                   stoa_error *err) {
    const char *text = stoa_cli_value(work->arguments, option);
    stoa_status status = STOA_OK;
    if (text == NULL) {
        return STOA_OK;
    }
    if (work->key_count == 1) {
        status = cells_add(out, work, key_field(work, 0), text, strlen(text), err);
        stoa_wrap(status == STOA_OK ? NULL : err, "option '%s'", option);
        return status;
    }
    char *part = stoa_cli_allocate(strlen(text) + 1);
    for (const char *rest = text; rest != NULL && status == STOA_OK;) {
        rest = take_part(rest, part);
        status = out->count == work->key_count
                     ? stoa_fail(err, STOA_INVALID, "expected at most %d values but found more",
                                 (int)work->key_count)
                     : cells_add(out, work, key_field(work, out->count), part, strlen(part), err);
    }
    stoa_cli_free(part);
    stoa_wrap(status == STOA_OK ? NULL : err, "option '%s'", option);
    return status;
}

/* The bounds that --from and --to give; none is the first key, or behind the last. */
struct range {
    struct cells from;
    struct cells to;
};

static stoa_status range_of_options(const struct work *work, struct range *out, stoa_error *err) {
    stoa_status status = cells_of_option(work, "--from", &out->from, err);
    return status == STOA_OK ? cells_of_option(work, "--to", &out->to, err) : status;
}

static void range_release(struct range *range) {
    cells_release(&range->from);
    cells_release(&range->to);
}

static stoa_status durability_option(const stoa_cli_arguments *arguments, stoa_durability *out,
                                     stoa_error *err) {
    static const char *const names[] = {"none", "buffered", "interval", "sync"};
    static const stoa_durability values[] = {STOA_DURABILITY_NONE, STOA_DURABILITY_BUFFERED,
                                             STOA_DURABILITY_INTERVAL, STOA_DURABILITY_SYNC};
    const char *text = stoa_cli_value(arguments, "--durability");
    *out = STOA_DURABILITY_DEFAULT;
    for (size_t i = 0; text != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = values[i];
            return STOA_OK;
        }
    }
    return text == NULL
               ? STOA_OK
               : stoa_fail(err, STOA_INVALID,
                           "option '--durability': expected none, buffered, interval or sync but "
                           "found '%s'",
                           text);
}

/* ---- put ------------------------------------------------------------------------------------- */

/* Rows given as words, as a file in memory that the load can read. */
static stoa_status gather_rows(const stoa_cli_arguments *arguments, int *out_file,
                               char path[NUMBER_PATH_BYTES], stoa_error *err) {
    *out_file = memfd_create("rows", MFD_CLOEXEC);
    FILE *stream = *out_file < 0 ? NULL : fdopen(dup(*out_file), "w");
    for (int i = 2; stream != NULL && i < arguments->positional_count; i++) {
        (void)fprintf(stream, "%s\n", arguments->positionals[i]);
    }
    if (stream == NULL || fclose(stream) != 0) {
        return stoa_fail(err, STOA_IO, "cannot keep the rows in memory: %m");
    }
    (void)snprintf(path, NUMBER_PATH_BYTES, "/proc/self/fd/%d", *out_file);
    return STOA_OK;
}

/* Whole rows from standard input or, as JSON, from the command line: a load, all or nothing. */
static int put_rows(const stoa_cli_arguments *arguments, bool json) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_load_options options = STOA_LOAD_DEFAULT;
    stoa_load_report report = {0};
    stoa_cli_session session = {0};
    char path[NUMBER_PATH_BYTES] = "-";
    const char *paths[] = {path};
    int file = -1;
    options.mode = STOA_UPSERT;
    options.format = stoa_cli_value(arguments, "--input-format");
    options.format = options.format == NULL ? "jsonl" : options.format;
    stoa_status status = STOA_OK;
    if (json) {
        status = gather_rows(arguments, &file, path, &err);
    }
    if (status == STOA_OK) {
        status = stoa_cli_session_open(arguments->positionals[0], STOA_CLI_WRITE, &session, &err);
    }
    if (status == STOA_OK) {
        options.context = session.context;
        status = stoa_load(session.database, arguments->positionals[1], paths, 1, &options, &report,
                           &err);
    }
    if (file >= 0) {
        (void)close(file);
    }
    stoa_cli_session_close(&session);
    return status == STOA_OK ? STOA_EXIT_OK : stoa_cli_fail("put", status, &err);
}

static int put_row(const stoa_cli_arguments *arguments, stoa_durability durability) {
    stoa_error err = STOA_ERROR_NONE;
    struct work work;
    struct cells row = {0};
    stoa_status status = work_open(arguments, STOA_CLI_WRITE, &work, &err);
    if (status == STOA_OK) {
        status = cells_of_words(&work, false, &row, &err);
    }
    if (status == STOA_OK) {
        status = stoa_cli_value(arguments, "--merge") != NULL
                     ? stoa_state_merge(work.state, row.cells, durability, &err)
                     : stoa_state_put(work.state, row.cells, durability, &err);
    }
    cells_release(&row);
    return work_end(&work, status, &err);
}

int stoa_cli_put(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_durability durability;
    const bool json = stoa_cli_value(arguments, "--json") != NULL;
    const bool input = arguments->positional_count == 3 &&
                       strcmp(arguments->positionals[2], "-") == 0;
    if (durability_option(arguments, &durability, &err) != STOA_OK) {
        return stoa_cli_usage("put", "%s", err.message);
    }
    if (!json && !input) {
        return stoa_cli_value(arguments, "--input-format") == NULL
                   ? put_row(arguments, durability)
                   : stoa_cli_usage("put", "option '--input-format' is for rows from standard "
                                           "input: give - as the only value");
    }
    if (stoa_cli_value(arguments, "--merge") != NULL || durability != STOA_DURABILITY_DEFAULT) {
        return stoa_cli_usage("put", "options '--merge' and '--durability' are for one row of "
                                     "values: rows of JSON and from standard input replace others "
                                     "and are synced");
    }
    if (json && (input || stoa_cli_value(arguments, "--input-format") != NULL)) {
        return stoa_cli_usage("put", "rows are words (--json) or come from standard input (-), not "
                                     "both");
    }
    return put_rows(arguments, json);
}

/* ---- get, scan ------------------------------------------------------------------------------- */

/* Writes what a scan gives. */
static stoa_status show(struct work *work, const stoa_cli_output *output,
                        const stoa_state_scan_options *options, stoa_error *err) {
    struct ArrowArrayStream rows = {0};
    int64_t count = 0;
    stoa_status status = stoa_state_scan(work->state, options, &rows, err);
    return status == STOA_OK ? stoa_cli_output_rows(work->session.database, output, &rows,
                                                    &work->session.context, &count, err)
                             : status;
}

/* The key is looked for first, so that nothing is written where it is not there. */
static stoa_status show_key(struct work *work, const stoa_cli_output *output, stoa_error *err) {
    struct cells key = {0};
    stoa_state_snapshot *snapshot = NULL;
    int64_t count = 0;
    stoa_status status = cells_of_words(work, true, &key, err);
    if (status == STOA_OK) {
        status = stoa_state_snapshot_create(work->state, &snapshot, err);
    }
    const stoa_state_scan_options options = {.columns = stoa_cli_value(work->arguments,
                                                                       "--columns"),
                                             .from = key.cells,
                                             .from_count = key.count,
                                             .to = key.cells,
                                             .to_count = key.count,
                                             .to_included = true,
                                             .snapshot = snapshot,
                                             .context = work->session.context};
    if (status == STOA_OK) {
        status = stoa_state_count(work->state, &options, &count, err);
    }
    if (status == STOA_OK) {
        status = count == 0 ? stoa_fail(err, STOA_NOT_FOUND, "table '%s' has no such key",
                                        work->arguments->positionals[1])
                            : show(work, output, &options, err);
    }
    stoa_state_snapshot_close(snapshot);
    cells_release(&key);
    return status;
}

int stoa_cli_get(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    struct work work;
    const stoa_cli_output output = {.format = stoa_cli_value(arguments, "--format"),
                                    .path = stoa_cli_value(arguments, "--output")};
    if (stoa_cli_output_check(&output, &err) != STOA_OK) {
        return stoa_cli_usage("get", "%s", err.message);
    }
    stoa_status status = work_open(arguments, STOA_CLI_READ, &work, &err);
    if (status == STOA_OK) {
        status = show_key(&work, &output, &err);
    }
    return work_end(&work, status, &err);
}

static stoa_status show_range(struct work *work, const stoa_cli_output *output, int64_t limit,
                              stoa_error *err) {
    struct range range = {0};
    const bool prefix = stoa_cli_value(work->arguments, "--prefix") != NULL;
    stoa_status status = prefix ? cells_of_option(work, "--prefix", &range.from, err)
                                : range_of_options(work, &range, err);
    if (status == STOA_OK) {
        const struct cells *to = prefix ? &range.from : &range.to;
        status =
            show(work, output,
                 &(stoa_state_scan_options){.columns = stoa_cli_value(work->arguments, "--columns"),
                                            .where = stoa_cli_value(work->arguments, "--where"),
                                            .from = range.from.cells,
                                            .from_count = range.from.count,
                                            .to = to->cells,
                                            .to_count = to->count,
                                            .to_included = prefix,
                                            .reverse = stoa_cli_value(work->arguments,
                                                                      "--reverse") != NULL,
                                            .limit = limit,
                                            .context = work->session.context},
                 err);
    }
    range_release(&range);
    return status;
}

int stoa_cli_scan(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    struct work work;
    int64_t limit = 0;
    stoa_cli_output output = {.format = stoa_cli_value(arguments, "--format"),
                              .path = stoa_cli_value(arguments, "--output"),
                              .rows_max = 40};
    stoa_status status = stoa_cli_value_i64(arguments, "--limit", 1, &limit, &err);
    if (status == STOA_OK) {
        status = stoa_cli_value_i64(arguments, "--rows", 0, &output.rows_max, &err);
    }
    if (status == STOA_OK) {
        status = stoa_cli_output_check(&output, &err);
    }
    if (status != STOA_OK) {
        return stoa_cli_usage("scan", "%s", err.message);
    }
    if (stoa_cli_value(arguments, "--prefix") != NULL &&
        (stoa_cli_value(arguments, "--from") != NULL ||
         stoa_cli_value(arguments, "--to") != NULL)) {
        return stoa_cli_usage("scan", "option '--prefix' is a range of its own: give no --from and "
                                      "no --to with it");
    }
    status = work_open(arguments, STOA_CLI_READ, &work, &err);
    if (status == STOA_OK) {
        status = show_range(&work, &output, limit, &err);
    }
    return work_end(&work, status, &err);
}

/* ---- delete, compact, publish ---------------------------------------------------------------- */

static stoa_status delete_key(const struct work *work, stoa_durability durability,
                              stoa_error *err) {
    struct cells key = {0};
    stoa_status status = cells_of_words(work, true, &key, err);
    if (status == STOA_OK) {
        status = stoa_state_delete(work->state, key.cells, durability, err);
    }
    cells_release(&key);
    return status;
}

static stoa_status delete_range(const struct work *work, stoa_durability durability,
                                stoa_error *err) {
    struct range range = {0};
    stoa_status status = range_of_options(work, &range, err);
    if (status == STOA_OK) {
        status = stoa_state_delete_range(work->state, range.from.cells, range.from.count,
                                         range.to.cells, range.to.count, durability, err);
    }
    range_release(&range);
    return status;
}

int stoa_cli_delete(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    struct work work;
    stoa_durability durability;
    const bool range = stoa_cli_value(arguments, "--from") != NULL ||
                       stoa_cli_value(arguments, "--to") != NULL;
    const bool key = arguments->positional_count > 2;
    if (durability_option(arguments, &durability, &err) != STOA_OK) {
        return stoa_cli_usage("delete", "%s", err.message);
    }
    if (key == range) {
        return stoa_cli_usage("delete", "expected a key, or a range of keys by --from and --to%s",
                              key ? ", not both" : "");
    }
    stoa_status status = work_open(arguments, STOA_CLI_WRITE, &work, &err);
    if (status == STOA_OK) {
        status = range ? delete_range(&work, durability, &err)
                       : delete_key(&work, durability, &err);
    }
    return work_end(&work, status, &err);
}

int stoa_cli_compact(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    struct work work;
    struct range range = {0};
    const bool quiet = stoa_cli_value(arguments, "--quiet") != NULL;
    stoa_status status = work_open(arguments, STOA_CLI_WRITE, &work, &err);
    if (status == STOA_OK) {
        status = range_of_options(&work, &range, &err);
    }
    if (status == STOA_OK) {
        stoa_cli_progress *progress = stoa_cli_progress_start("compacting", !quiet);
        stoa_context context = work.session.context;
        context.progress = progress == NULL ? NULL : stoa_cli_progress_update;
        context.progress_user = progress;
        status = stoa_state_compact(work.state, range.from.cells, range.from.count, range.to.cells,
                                    range.to.count, &context, &err);
        stoa_cli_progress_end(progress);
    }
    range_release(&range);
    return work_end(&work, status, &err);
}

int stoa_cli_publish(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_session session;
    int64_t rows = 0;
    const char *target = arguments->positionals[2];
    const bool quiet = stoa_cli_value(arguments, "--quiet") != NULL;
    stoa_status status = stoa_cli_session_open(arguments->positionals[0], STOA_CLI_WRITE, &session,
                                               &err);
    if (status == STOA_OK) {
        stoa_cli_progress *progress = stoa_cli_progress_start("publishing", !quiet);
        stoa_context context = session.context;
        context.progress = progress == NULL ? NULL : stoa_cli_progress_update;
        context.progress_user = progress;
        status = stoa_state_publish(session.database, arguments->positionals[1], target, &context,
                                    &rows, &err);
        stoa_cli_progress_end(progress);
    }
    stoa_cli_session_close(&session);
    if (status != STOA_OK) {
        return stoa_cli_fail("publish", status, &err);
    }
    if (!quiet) {
        char text[32];
        (void)fprintf(stderr, "published %s row%s as %s\n", stoa_count_text(rows, text),
                      rows == 1 ? "" : "s", target);
    }
    return STOA_EXIT_OK;
}
