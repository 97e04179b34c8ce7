/* Text formats.
 *
 * CSV by RFC 4180 with \n line ends: a null is an empty field, an empty string is "", and a field is
 * quoted when it holds a comma, a quote, a line end, or a space at either end. Lists, maps and
 * structs stand in a field as JSON. TSV is the same with tabs. JSON is one array with an object a
 * line, JSON Lines the objects alone.
 *
 * Values are printed straight into the buffer; a field that turns out to need
 * quotes is quoted in place. */
#include "ingest/text_writer.h"

#include <string.h>

#include "arrow/access.h"
#include "arrow/array.h"
#include "arrow/print.h"
#include "base/error.h"

static char delimiter_of(stoa_file_format format) {
    return format == STOA_FORMAT_TSV ? '\t' : ',';
}

static bool needs_quotes(const uint8_t *text, size_t size, char delimiter) {
    if (size == 0 || text[0] == ' ' || text[size - 1] == ' ') {
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] == (uint8_t)delimiter || text[i] == '"' || text[i] == '\n' || text[i] == '\r') {
            return true;
        }
    }
    return false;
}

/* Puts quotes around out[start..] and doubles those inside, from the end backwards. */
static stoa_status quote_field(stoa_buffer *out, size_t start, stoa_error *err) {
    size_t inner = 0;
    for (size_t i = start; i < out->size; i++) {
        inner += out->data[i] == '"';
    }
    STOA_TRY(stoa_buffer_reserve(out, inner + 2, err));
    size_t from = out->size;
    size_t to = out->size + inner + 2;
    out->size = to;
    out->data[--to] = '"';
    while (from > start) {
        uint8_t byte = out->data[--from];
        out->data[--to] = byte;
        if (byte == '"') {
            out->data[--to] = '"';
        }
    }
    out->data[--to] = '"';
    STOA_ASSERT(to == start);
    return STOA_OK;
}

/* A column of the batch at hand: where the row's value stands, and what comes before it. */
struct column {
    stoa_arrow_cursor at;
    bool is_nested;
    size_t prefix; /* JSON: ends here in the writer's prefixes */
};

struct text_batch {
    stoa_file_format format;
    const struct ArrowSchema *schema;
    struct column *columns;
    size_t column_count;
    stoa_buffer prefixes; /* JSON: `"name":` of each column, with a comma but for the first */
};

static stoa_status open_column(struct text_batch *text, size_t number,
                               const struct ArrowArray *batch, stoa_error *err) {
    struct column *column = &text->columns[number];
    const struct ArrowSchema *field = text->schema->children[number];
    STOA_TRY(stoa_arrow_cursor_init(field, batch->children[number], 0, &column->at, err));
    column->is_nested = field->format[0] == '+';
    if (text->format == STOA_FORMAT_JSON || text->format == STOA_FORMAT_JSONL) {
        STOA_TRY(number == 0 ? STOA_OK : stoa_buffer_append_byte(&text->prefixes, ',', err));
        STOA_TRY(stoa_json_string_print(field->name, strlen(field->name), &text->prefixes, err));
        STOA_TRY(stoa_buffer_append_byte(&text->prefixes, ':', err));
    }
    column->prefix = text->prefixes.size;
    return STOA_OK;
}

static stoa_status write_csv_row(struct text_batch *text, int64_t row, char delimiter,
                                 stoa_buffer *out, stoa_error *err) {
    for (size_t c = 0; c < text->column_count; c++) {
        struct column *column = &text->columns[c];
        STOA_TRY(c == 0 ? STOA_OK : stoa_buffer_append_byte(out, (uint8_t)delimiter, err));
        if (column->at.layout.kind == STOA_ARROW_NULL ||
            stoa_arrow_is_null(column->at.array, row)) {
            continue;
        }
        size_t start = out->size;
        column->at.row = row;
        STOA_TRY(stoa_arrow_value_print_at(&column->at,
                                           column->is_nested ? STOA_PRINT_JSON : STOA_PRINT_TEXT,
                                           out, err));
        if (needs_quotes(out->data + start, out->size - start, delimiter)) {
            STOA_TRY(quote_field(out, start, err));
        }
    }
    return stoa_buffer_append_byte(out, '\n', err);
}

static stoa_status write_json_row(struct text_batch *text, int64_t row, stoa_buffer *out,
                                  stoa_error *err) {
    size_t prefix = 0;
    STOA_TRY(stoa_buffer_append_byte(out, '{', err));
    for (size_t c = 0; c < text->column_count; c++) {
        struct column *column = &text->columns[c];
        STOA_TRY(
            stoa_buffer_append(out, text->prefixes.data + prefix, column->prefix - prefix, err));
        prefix = column->prefix;
        column->at.row = row;
        STOA_TRY(stoa_arrow_value_print_at(&column->at, STOA_PRINT_JSON, out, err));
    }
    return stoa_buffer_append_byte(out, '}', err);
}

stoa_status stoa_text_write_begin(stoa_file_format format, const struct ArrowSchema *schema,
                                  stoa_buffer *out, stoa_error *err) {
    if (format == STOA_FORMAT_JSON) {
        return stoa_buffer_append_byte(out, '[', err);
    }
    if (format == STOA_FORMAT_JSONL) {
        return STOA_OK;
    }
    char delimiter = delimiter_of(format);
    for (int64_t c = 0; c < schema->n_children; c++) {
        const char *name = schema->children[c]->name;
        STOA_TRY(c == 0 ? STOA_OK : stoa_buffer_append_byte(out, (uint8_t)delimiter, err));
        size_t start = out->size;
        STOA_TRY(stoa_buffer_append_text(out, name, err));
        if (needs_quotes(out->data + start, out->size - start, delimiter)) {
            STOA_TRY(quote_field(out, start, err));
        }
    }
    return stoa_buffer_append_byte(out, '\n', err);
}

static stoa_status write_rows(struct text_batch *text, int64_t row_count, bool first,
                              stoa_buffer *out, stoa_error *err) {
    for (int64_t row = 0; row < row_count; row++) {
        if (text->format == STOA_FORMAT_CSV || text->format == STOA_FORMAT_TSV) {
            STOA_TRY(write_csv_row(text, row, delimiter_of(text->format), out, err));
        } else if (text->format == STOA_FORMAT_JSON) {
            STOA_TRY(stoa_buffer_append_text(out, first && row == 0 ? "\n" : ",\n", err));
            STOA_TRY(write_json_row(text, row, out, err));
        } else {
            STOA_TRY(write_json_row(text, row, out, err));
            STOA_TRY(stoa_buffer_append_byte(out, '\n', err));
        }
    }
    return STOA_OK;
}

stoa_status stoa_text_write_batch(stoa_file_format format, const struct ArrowSchema *schema,
                                  const struct ArrowArray *batch, bool first, stoa_buffer *out,
                                  stoa_error *err) {
    struct text_batch text = {.format = format,
                              .schema = schema,
                              .column_count = (size_t)schema->n_children};
    void *memory;
    stoa_status status = STOA_OK;
    stoa_buffer_init(&text.prefixes, out->pool);
    STOA_TRY(
        stoa_pool_allocate_array(out->pool, text.column_count, sizeof *text.columns, &memory, err));
    text.columns = memory;
    for (size_t c = 0; c < text.column_count; c++) {
        STOA_CHECK(open_column(&text, c, batch, err));
    }
    STOA_CHECK(write_rows(&text, batch->length, first, out, err));

done:
    stoa_buffer_release(&text.prefixes);
    stoa_pool_free(out->pool, memory, text.column_count * sizeof *text.columns);
    return status;
}

stoa_status stoa_text_write_end(stoa_file_format format, int64_t row_count, stoa_buffer *out,
                                stoa_error *err) {
    if (format != STOA_FORMAT_JSON) {
        return STOA_OK;
    }
    return stoa_buffer_append_text(out, row_count > 0 ? "\n]\n" : "]\n", err);
}
