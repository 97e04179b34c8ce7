/* Rows in the format that was asked for. Tables, markdown and lines are for people and drawn here;
 * csv, json, jsonl, arrow and parquet are files and written by the library's export, whether they go
 * into a file or a pipe. */
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

static const char *const formats[] = {"table", "csv",  "tsv",   "json",    "jsonl",
                                      "markdown", "line", "arrow", "arrows", "parquet"};

static const char *chosen_format(const stoa_cli_output *output) {
    if (output->format != NULL) {
        return output->format;
    }
    if (output->path != NULL) {
        const char *dot = strrchr(output->path, '.');
        for (size_t i = 0; dot != NULL && i < sizeof formats / sizeof formats[0]; i++) {
            if (strcmp(dot + 1, formats[i]) == 0) {
                return formats[i];
            }
        }
        return dot != NULL && strcmp(dot, ".md") == 0 ? "markdown" : "csv";
    }
    return stoa_terminal_is(stdout) ? "table" : "csv";
}

bool stoa_cli_output_is_parquet(const stoa_cli_output *output) {
    return strcmp(chosen_format(output), "parquet") == 0;
}

stoa_status stoa_cli_output_check(const stoa_cli_output *output, stoa_error *err) {
    const char *format = chosen_format(output);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(format, formats[i]) == 0) {
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_INVALID,
                     "expected a format of table, csv, tsv, json, jsonl, markdown, line, arrow, "
                     "arrows or parquet but found '%s'",
                     format);
}

static stoa_status print_line_row(FILE *out, const struct ArrowSchema *schema,
                                  const struct ArrowArray *batch, int64_t row, int widest,
                                  stoa_text *text, stoa_error *err) {
    for (int64_t c = 0; c < schema->n_children; c++) {
        const struct ArrowSchema *field = schema->children[c];
        stoa_status status =
            stoa_text_value(text, field, batch->children[c], row, STOA_TEXT_PLAIN, err);
        if (status != STOA_OK) {
            return status;
        }
        int width = stoa_text_width(field->name, strlen(field->name));
        (void)fprintf(out, "%*s%s = %s\n", widest - width, "", field->name,
                      stoa_text_view(text, NULL));
    }
    return STOA_OK;
}

/* One value a line, as `name = value`, a blank line between rows. */
static stoa_status print_lines(FILE *out, struct ArrowArrayStream *rows,
                               const stoa_context *context, int64_t *out_rows, stoa_error *err) {
    struct ArrowSchema schema = {0};
    stoa_text *text = NULL;
    int64_t count = 0;
    int widest = 0;
    stoa_status status = stoa_text_create(context->pool, &text, err);
    if (status == STOA_OK) {
        status = stoa_stream_schema(rows, &schema, err);
    }
    for (int64_t c = 0; status == STOA_OK && c < schema.n_children; c++) {
        int width = stoa_text_width(schema.children[c]->name, strlen(schema.children[c]->name));
        widest = width > widest ? width : widest;
    }
    while (status == STOA_OK) {
        struct ArrowArray batch = {0};
        status = stoa_stream_next(rows, &batch, err);
        if (status != STOA_OK || batch.release == NULL) {
            break;
        }
        for (int64_t row = 0; row < batch.length && status == STOA_OK; row++) {
            (void)fputs(count++ > 0 ? "\n" : "", out);
            status = print_line_row(out, &schema, &batch, row, widest, text, err);
        }
        stoa_arrow_array_release(&batch);
    }
    *out_rows = count;
    stoa_text_close(text);
    stoa_arrow_schema_release(&schema);
    return status;
}

/* A pipe or a device is written to; a rename would put a file in its place. */
static bool is_special(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

/* Drawn formats into a file go under a temporary name first, like every other file of Stoa's. */
static stoa_status draw(const stoa_cli_output *output, const char *format,
                        struct ArrowArrayStream *rows, const stoa_context *context,
                        int64_t *out_rows, stoa_error *err) {
    FILE *out = stdout;
    char temporary[4096];
    bool special = output->path != NULL && is_special(output->path);
    if (output->path != NULL) {
        int length = snprintf(temporary, sizeof temporary, "%s%s", output->path,
                              special ? "" : ".partial");
        if (length < 0 || (size_t)length >= sizeof temporary) {
            return stoa_fail(err, STOA_INVALID, "the path '%s' is too long", output->path);
        }
        out = fopen(temporary, "we");
        if (out == NULL) {
            return stoa_fail(err, STOA_IO, "cannot create '%s': %m", temporary);
        }
    }
    stoa_status status;
    if (strcmp(format, "line") == 0) {
        status = print_lines(out, rows, context, out_rows, err);
    } else {
        bool markdown = strcmp(format, "markdown") == 0;
        int width = output->width > 0 || output->path != NULL ? output->width
                                                              : stoa_terminal_width();
        status = stoa_table_view(out, rows, markdown ? 0 : output->rows_max, width, markdown,
                                 context, out_rows, err);
    }
    if (fflush(out) != 0 && status == STOA_OK) {
        status = stoa_fail(err, STOA_IO, "cannot write the result: %m");
    }
    if (out != stdout) {
        (void)fclose(out);
        if (status == STOA_OK && !special && rename(temporary, output->path) != 0) {
            status = stoa_fail(err, STOA_IO, "cannot rename '%s' to '%s': %m", temporary,
                               output->path);
        }
        if (status != STOA_OK && !special) {
            (void)remove(temporary);
        }
    }
    return status;
}

stoa_status stoa_cli_output_rows(stoa_database *database, const stoa_cli_output *output,
                                 struct ArrowArrayStream *rows, const stoa_context *context,
                                 int64_t *out_rows, stoa_error *err) {
    const char *format = chosen_format(output);
    stoa_status status = stoa_cli_output_check(output, err);
    if (status == STOA_OK && (strcmp(format, "table") == 0 || strcmp(format, "markdown") == 0 ||
                              strcmp(format, "line") == 0)) {
        status = draw(output, format, rows, context, out_rows, err);
        stoa_arrow_stream_release(rows);
        return status;
    }
    stoa_file_format file_format = STOA_FORMAT_CSV;
    if (status == STOA_OK) {
        status = stoa_file_format_parse(format, &file_format, err);
    }
    if (status != STOA_OK) {
        stoa_arrow_stream_release(rows);
        return status;
    }
    if (output->path == NULL && stoa_terminal_is(stdout) &&
        (file_format == STOA_FORMAT_PARQUET || file_format == STOA_FORMAT_ARROW_FILE ||
         file_format == STOA_FORMAT_ARROW_STREAM)) {
        stoa_arrow_stream_release(rows);
        return stoa_fail(err, STOA_INVALID,
                         "format '%s' is not for a terminal: give -o FILE, or a pipe", format);
    }
    (void)fflush(stdout);
    const char *path = output->path == NULL ? "-" : output->path;
    return file_format == STOA_FORMAT_PARQUET
               ? stoa_export_parquet(database, rows, path, output->parquet, context, out_rows, err)
               : stoa_export(database, rows, file_format, path, context, out_rows, err);
}
