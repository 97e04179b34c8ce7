/* Runs SQL statements in one session and prints what they give; for the oracle tests.
 *
 *     tool_sql_query DATABASE [--text | --json | --count | --arrow] STATEMENT…
 *
 * --arrow writes the rows of the statements behind it as Arrow IPC streams, to the file that each of
 * them is followed by. With REPORT set, the report on scans follows each statement. Errors go to
 * standard error as "status: message" and end the program with status 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/query.h>
#include <stoa/text.h>

#include "arrow/ipc.h"

static int fail(const stoa_error *error) {
    fprintf(stderr, "%s: %s\n", stoa_status_name(error->status), error->message);
    return 1;
}

static void print_batch(stoa_text *text, const struct ArrowSchema *schema,
                        const struct ArrowArray *batch, stoa_text_style style) {
    for (int64_t row = 0; row < batch->length; row++) {
        for (int64_t c = 0; c < batch->n_children; c++) {
            stoa_error error = STOA_ERROR_NONE;
            const char *divider = style == STOA_TEXT_JSON ? ", " : " | ";
            stoa_status status = stoa_text_value(text, schema->children[c], batch->children[c], row,
                                                 style, &error);
            printf("%s%s", c > 0 ? divider : "",
                   status == STOA_OK ? stoa_text_view(text, NULL) : error.message);
        }
        printf("\n");
    }
}

static int print_stream(stoa_text *text, struct ArrowArrayStream *stream, const char *mode,
                        stoa_error *error) {
    struct ArrowSchema schema;
    struct ArrowArray batch;
    int64_t rows = 0;
    if (stoa_stream_schema(stream, &schema, error) != STOA_OK) {
        return fail(error);
    }
    stoa_status status;
    while ((status = stoa_stream_next(stream, &batch, error)) == STOA_OK && batch.release != NULL) {
        rows += batch.length;
        if (strcmp(mode, "--count") != 0) {
            print_batch(text, &schema, &batch,
                        strcmp(mode, "--json") == 0 ? STOA_TEXT_JSON : STOA_TEXT_PLAIN);
        }
        batch.release(&batch);
    }
    if (strcmp(mode, "--count") == 0 && schema.n_children > 0) {
        printf("%lld rows\n", (long long)rows);
    }
    schema.release(&schema);
    return status == STOA_OK ? 0 : fail(error);
}

/* Rows as an IPC stream in a new file. */
static stoa_status write_stream(stoa_database *database, struct ArrowArrayStream *stream,
                                const char *path, stoa_error *error) {
    stoa_context context = {.pool = stoa_database_pool(database)};
    stoa_ipc_options options = {.format = STOA_IPC_STREAM};
    stoa_fs_registry *registry = NULL;
    stoa_file *file = NULL;
    stoa_ipc_writer *writer = NULL;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_fs_registry_create(context.pool, &registry, error));
    STOA_CHECK(stoa_vfs_open(registry, path, STOA_OPEN_REPLACE, &context, &file, error));
    STOA_CHECK(stoa_stream_schema(stream, &schema, error));
    STOA_CHECK(stoa_ipc_writer_create(&context, file, &schema, &options, &writer, error));
    for (;;) {
        STOA_CHECK(stoa_stream_next(stream, &batch, error));
        if (batch.release == NULL) {
            break;
        }
        status = stoa_ipc_writer_write(writer, &batch, error);
        stoa_arrow_array_release(&batch);
        STOA_CHECK(status);
    }
    STOA_CHECK(stoa_ipc_writer_finish(writer, error));

done:
    stoa_ipc_writer_close(writer);
    stoa_file_close(file);
    stoa_arrow_schema_release(&schema);
    stoa_fs_registry_close(registry);
    return status;
}

static int run_to_file(stoa_database *database, stoa_session *session, const char *sql,
                       const char *path) {
    stoa_error error = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    if (stoa_session_run(session, sql, NULL, &stream, NULL, &error) != STOA_OK) {
        return fail(&error);
    }
    stoa_status status = write_stream(database, &stream, path, &error);
    stream.release(&stream);
    return status == STOA_OK ? 0 : fail(&error);
}

static int run(stoa_text *text, stoa_session *session, const char *sql, const char *mode) {
    stoa_error error = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    stoa_result_info info;
    if (stoa_session_run(session, sql, NULL, &stream, &info, &error) != STOA_OK) {
        return fail(&error);
    }
    int result = print_stream(text, &stream, mode, &error);
    stream.release(&stream);
    if (result == 0 && info.rows_changed >= 0) {
        printf("%s %lld\n", info.statement, (long long)info.rows_changed);
    }
    if (result == 0 && getenv("REPORT") != NULL) {
        printf("-- %s\n", stoa_session_scan_report(session));
    }
    return result;
}

int main(int argc, char **argv) {
    stoa_error error = STOA_ERROR_NONE;
    stoa_database *database = NULL;
    stoa_session *session = NULL;
    stoa_text *text = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = true;
    if (argc < 2) {
        fprintf(stderr, "tool_sql_query DATABASE [--text | --json | --count] STATEMENT...\n");
        return 2;
    }
    if (stoa_database_open(argv[1], &options, &database, &error) != STOA_OK ||
        stoa_text_create(stoa_database_pool(database), &text, &error) != STOA_OK ||
        stoa_session_open(database, &session, &error) != STOA_OK) {
        stoa_text_close(text);
        stoa_database_close(database);
        return fail(&error);
    }
    int result = 0;
    const char *mode = "--text";
    for (int i = 2; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            mode = argv[i];
            continue;
        }
        bool to_file = strcmp(mode, "--arrow") == 0 && i + 1 < argc;
        int one = to_file ? run_to_file(database, session, argv[i], argv[i + 1])
                          : run(text, session, argv[i], mode);
        i += to_file;
        result = one != 0 ? one : result;
    }
    stoa_text_close(text);
    stoa_session_close(session);
    stoa_database_close(database);
    return result;
}
