/* The dialect is the engine's guess, made for a whole file at once, so that no block is read in
 * another way than its neighbours. Where the beginning holds no quote, '"' is one all the same: the
 * engine would take later ones for letters.
 *
 * The engine counts records, not lines, and from the start of what it is given. It also tells bytes,
 * and from those the true line is counted. */
#include "ingest/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ingest/answer.h"
#include "ingest/check.h"
#include "ingest/columns.h"
#include "schema/schema.h"

#define REJECTS "stoa_block_rejects"
#define SCANS "stoa_block_scans"

enum { SLACK_BYTES = 64 };

/* The sniffer's word for a character that the text does not use. */
static bool is_absent(const char *text) {
    return text == NULL || text[0] == '\0' || strcmp(text, "(empty)") == 0;
}

static void copy_word(char *out, size_t capacity, const char *text) {
    (void)snprintf(out, capacity, "%s", text == NULL ? "" : text);
}

struct sniffed {
    stoa_csv_dialect *dialect;
    stoa_buffer columns;
    bool any;
};

static stoa_status take_sniffed(void *user, const char *const *values, int64_t count,
                                stoa_error *err) {
    struct sniffed *sniffed = user;
    stoa_csv_dialect *dialect = sniffed->dialect;
    (void)count;
    sniffed->any = true;
    copy_word(dialect->delimiter, sizeof dialect->delimiter,
              is_absent(values[0]) ? "," : values[0]);
    copy_word(dialect->quote, sizeof dialect->quote, is_absent(values[1]) ? "\"" : values[1]);
    copy_word(dialect->escape, sizeof dialect->escape,
              is_absent(values[2]) ? dialect->quote : values[2]);
    dialect->newline = values[3] == NULL                     ? "\\n"
                       : strstr(values[3], "\\r\\n") != NULL ? "\\r\\n"
                       : strstr(values[3], "\\r") != NULL    ? "\\r"
                                                             : "\\n";
    dialect->skip = values[4] == NULL ? 0 : strtoll(values[4], NULL, 10);
    dialect->header = values[5] != NULL && strcmp(values[5], "true") == 0;
    copy_word(dialect->date_format, sizeof dialect->date_format, values[6]);
    copy_word(dialect->timestamp_format, sizeof dialect->timestamp_format, values[7]);
    stoa_buffer_clear(&sniffed->columns);
    STOA_TRY(stoa_buffer_append_text(&sniffed->columns, values[8] == NULL ? "{}" : values[8], err));
    return stoa_buffer_append_byte(&sniffed->columns, '\0', err);
}

static stoa_status print_path(const stoa_text_block *block, stoa_buffer *sql, stoa_error *err) {
    return stoa_buffer_append_format(sql, err, "'/proc/self/fd/%d'", block->descriptor);
}

/* The reader's buffer holds the block, and so its longest line. */
static stoa_status print_sizes(const stoa_text_block *block, stoa_buffer *sql, stoa_error *err) {
    size_t bytes = block->size + SLACK_BYTES;
    return stoa_buffer_append_format(sql, err, ", buffer_size = %zu, max_line_size = %zu",
                                     2 * bytes, bytes);
}

/* `types` NULL: all types are guessed. */
static stoa_status sniff(stoa_session *session, const stoa_ingest_input *input,
                         const stoa_text_block *sample, const char *types,
                         const stoa_context *context, struct sniffed *out, stoa_error *err) {
    const char *text = NULL;
    stoa_buffer sql;
    stoa_buffer_init(&sql, context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_buffer_append_text(
        &sql,
        "SELECT Delimiter, Quote, Escape, NewLineDelimiter, SkipRows, HasHeader, DateFormat, "
        "TimestampFormat, '{' || array_to_string([ '''' || replace(c.name, '''', '''''') || ''': "
        "''' || replace(c.type, '''', '''''') || '''' for c in Columns], ', ') || '}' "
        "FROM sniff_csv(",
        err));
    STOA_CHECK(print_path(sample, &sql, err));
    STOA_CHECK(stoa_buffer_append_text(&sql, ", comment = ''", err));
    if (input->kind.format == STOA_FORMAT_TSV) {
        STOA_CHECK(stoa_buffer_append_text(&sql, ", delim = '\t'", err));
    }
    if (types != NULL) {
        STOA_CHECK(stoa_buffer_append_format(&sql, err, ", types = {%s}", types));
    }
    STOA_CHECK(print_sizes(sample, &sql, err));
    STOA_CHECK(stoa_buffer_append_byte(&sql, ')', err));
    STOA_CHECK(stoa_buffer_text(&sql, &text, err));
    STOA_CHECK(stoa_ingest_each_row(session, text, context, take_sniffed, out, err));
    if (!out->any) {
        status = stoa_fail(err, STOA_INVALID, "no table was found");
    }

done:
    stoa_buffer_release(&sql);
    return status;
}

/* The columns that the sniffer named, as a schema. */
static stoa_status describe(stoa_session *session, const stoa_text_block *sample,
                            const stoa_buffer *columns, const stoa_context *context,
                            stoa_csv_dialect *dialect, stoa_error *err) {
    const char *text = NULL;
    stoa_buffer sql;
    stoa_buffer_init(&sql, context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_buffer_append_text(&sql, "SELECT * FROM read_csv(", err));
    STOA_CHECK(print_path(sample, &sql, err));
    STOA_CHECK(stoa_buffer_append_text(&sql, ", auto_detect = false, columns = ", err));
    STOA_CHECK(stoa_buffer_append_text(&sql, (const char *)columns->data, err));
    STOA_CHECK(print_sizes(sample, &sql, err));
    STOA_CHECK(stoa_buffer_append_text(&sql, ") LIMIT 0", err));
    STOA_CHECK(stoa_buffer_text(&sql, &text, err));
    STOA_CHECK(stoa_ingest_describe(session, text, context, &dialect->found, err));

done:
    stoa_buffer_release(&sql);
    return status;
}

stoa_status stoa_csv_dialect_find(stoa_session *session, const stoa_ingest_input *input,
                                  const stoa_text_block *sample, const stoa_schema *target,
                                  const stoa_context *context, stoa_csv_dialect *out,
                                  stoa_error *err) {
    struct sniffed sniffed = {.dialect = out};
    const char *text = NULL;
    stoa_buffer types;
    *out = (stoa_csv_dialect){0};
    stoa_buffer_init(&types, context->pool);
    stoa_buffer_init(&sniffed.columns, context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(sniff(session, input, sample, NULL, context, &sniffed, err));
    STOA_CHECK(describe(session, sample, &sniffed.columns, context, out, err));
    STOA_CHECK(stoa_ingest_check_skipped(input, sample->bytes, sample->size, out->skip, err));
    if (target != NULL) {
        /* Again, for formats of dates and whether the first line is a header under these types. */
        STOA_CHECK(stoa_ingest_columns_print(out->found, target, STOA_COLUMNS_NAMED, context->pool,
                                             &types, err));
        STOA_CHECK(stoa_buffer_text(&types, &text, err));
        if (text[0] != '\0') {
            STOA_CHECK(sniff(session, input, sample, text, context, &sniffed, err));
        }
    }

done:
    stoa_buffer_release(&sniffed.columns);
    stoa_buffer_release(&types);
    if (status != STOA_OK) {
        stoa_csv_dialect_release(out);
    }
    return status;
}

void stoa_csv_dialect_release(stoa_csv_dialect *dialect) {
    stoa_schema_close(dialect->found);
    *dialect = (stoa_csv_dialect){0};
}

stoa_ingest_cut stoa_csv_dialect_cut(const stoa_csv_dialect *dialect) {
    bool returns = strcmp(dialect->newline, "\\r") == 0;
    return (stoa_ingest_cut){.end = returns ? '\r' : '\n',
                             .quote = (uint8_t)dialect->quote[0],
                             .escape = (uint8_t)dialect->escape[0],
                             .delimiter = (uint8_t)dialect->delimiter[0]};
}

static stoa_status print_option(const char *name, const char *value, stoa_buffer *sql,
                                stoa_error *err) {
    STOA_TRY(stoa_buffer_append_format(sql, err, ", %s = ", name));
    return stoa_sql_literal_print(value, sql, err);
}

stoa_status stoa_csv_options_print(const stoa_csv_dialect *dialect, const stoa_schema *found,
                                   const stoa_schema *target, stoa_pool *pool, stoa_buffer *sql,
                                   stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(sql, ", auto_detect = false, comment = ''", err));
    STOA_TRY(print_option("delim", dialect->delimiter, sql, err));
    STOA_TRY(print_option("quote", dialect->quote, sql, err));
    STOA_TRY(print_option("escape", dialect->escape, sql, err));
    STOA_TRY(print_option("new_line", dialect->newline, sql, err));
    if (dialect->date_format[0] != '\0') {
        STOA_TRY(print_option("dateformat", dialect->date_format, sql, err));
    }
    if (dialect->timestamp_format[0] != '\0') {
        STOA_TRY(print_option("timestampformat", dialect->timestamp_format, sql, err));
    }
    STOA_TRY(stoa_buffer_append_text(sql, ", columns = {", err));
    STOA_TRY(stoa_ingest_columns_print(found, target, STOA_COLUMNS_FOUND, pool, sql, err));
    return stoa_buffer_append_byte(sql, '}', err);
}

stoa_status stoa_csv_query_print(const stoa_csv_dialect *dialect, const char *options,
                                 const stoa_text_block *block, bool rejects, stoa_buffer *sql,
                                 stoa_error *err) {
    bool head = block->is_first;
    STOA_TRY(stoa_buffer_append_text(sql, "SELECT * FROM read_csv(", err));
    STOA_TRY(print_path(block, sql, err));
    STOA_TRY(stoa_buffer_append_text(sql, options, err));
    STOA_TRY(stoa_buffer_append_format(sql, err, ", header = %s, skip = %lld",
                                       head && dialect->header ? "true" : "false",
                                       (long long)(head ? dialect->skip : 0)));
    STOA_TRY(print_sizes(block, sql, err));
    if (rejects) {
        STOA_TRY(stoa_buffer_append_text(sql,
                                         ", store_rejects = true, rejects_table = '" REJECTS
                                         "', rejects_scan = '" SCANS "'",
                                         err));
    }
    return stoa_buffer_append_byte(sql, ')', err);
}

struct rejection {
    const stoa_text_block *block;
    stoa_csv_reject_function function;
    void *user;
};

static stoa_status take_reject(void *user, const char *const *values, int64_t count,
                               stoa_error *err) {
    const struct rejection *rejection = user;
    const stoa_text_block *block = rejection->block;
    int64_t byte = values[0] == NULL ? 1 : strtoll(values[0], NULL, 10);
    size_t before = byte < 1                           ? 0
                    : (size_t)(byte - 1) < block->size ? (size_t)(byte - 1)
                                                       : block->size;
    stoa_csv_reject reject = {.line = block->first_line +
                                      stoa_ingest_count_kernel(block->bytes, before, '\n'),
                              .column = values[1] == NULL ? "" : values[1],
                              .message = values[2] == NULL ? "" : values[2],
                              .text = values[3] == NULL ? "" : values[3]};
    (void)count;
    return rejection->function(rejection->user, &reject, err);
}

stoa_status stoa_csv_each_reject(stoa_session *session, const stoa_text_block *block,
                                 const stoa_context *context, stoa_csv_reject_function function,
                                 void *user, stoa_error *err) {
    struct rejection rejection = {block, function, user};
    stoa_status status = stoa_ingest_each_row(
        session,
        "SELECT line_byte_position, column_name, error_message, csv_line FROM " REJECTS
        " ORDER BY line, column_idx",
        context, take_reject, &rejection, err);
    stoa_status dropped = stoa_ingest_run(session, "DROP TABLE " REJECTS, context,
                                          status == STOA_OK ? err : NULL);
    status = status == STOA_OK ? dropped : status;
    dropped = stoa_ingest_run(session, "DROP TABLE " SCANS, context,
                              status == STOA_OK ? err : NULL);
    return status == STOA_OK ? dropped : status;
}
