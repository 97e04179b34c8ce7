/* The engine's CSV reader takes anything that people call CSV, and takes its time. Nearly all files
 * are plainer than that, so a block is tried here first: fields that begin with a quote or hold none,
 * as many in each row as there are columns, and values as programs write them. The first thing that
 * is not so ends the try, and the engine reads the block from its start; what a value means is
 * therefore never decided in two ways. A property test compares both.
 *
 * Bytes that may end a field are found 64 at a time, as bits of a mask; fields go from one bit to the
 * next. */
#include "ingest/csv_rows.h"

#include <math.h>
#include <string.h>

#include "arrow/owner.h"
#include "base/bits.h"
#include "base/error.h"
#include "base/utf8.h"
#include "ingest/csv_value_kernel.h"

enum { MASK_BYTES = 64, ROWS_PER_LOOK = 1024 };

#define WHOLE_DOUBLE_MAX 9007199254740992.0 /* below it every whole double is one whole number */

struct column {
    stoa_type_kind kind;
    stoa_buffer validity; /* empty while there are no nulls */
    stoa_buffer values;   /* of strings: offsets */
    stoa_buffer data;     /* of strings */
    int64_t null_count;
};

struct field {
    const uint8_t *bytes;
    size_t size;
    bool quoted;
    bool doubled; /* quotes within are written twice */
};

enum field_end { FIELD_NEXT, ROW_NEXT, TEXT_END, FIELD_UNSURE };

struct rows {
    const uint8_t *bytes;
    size_t size;
    uint8_t delimiter;
    uint8_t quote;
    bool returns; /* a row ends in "\r\n" */
    size_t base;  /* of the mask */
    uint64_t mask;
    size_t at; /* where the next field begins */
    struct column *columns;
    int32_t column_count;
    int64_t capacity;
    int64_t count;
    stoa_csv_place place;
};

bool stoa_csv_rows_offers(const stoa_csv_dialect *dialect, const stoa_schema *columns) {
    if (dialect->delimiter[0] == '\0' || dialect->delimiter[1] != '\0' ||
        dialect->delimiter[0] == ' ' || dialect->quote[0] == '\0' ||
        dialect->quote[0] != dialect->escape[0] || dialect->delimiter[0] == dialect->quote[0] ||
        dialect->date_format[0] != '\0' || dialect->timestamp_format[0] != '\0' ||
        strcmp(dialect->newline, "\\r") == 0) {
        return false;
    }
    for (int32_t i = 0; i < columns->root.child_count; i++) {
        const stoa_type *type = &columns->root.children[i].type;
        bool micros = type->kind == STOA_TYPE_TIMESTAMP && type->unit == STOA_TYPE_MICROSECONDS;
        if (!micros && type->kind != STOA_TYPE_LONG && type->kind != STOA_TYPE_INT &&
            type->kind != STOA_TYPE_DOUBLE && type->kind != STOA_TYPE_STRING &&
            type->kind != STOA_TYPE_DATE) {
            return false;
        }
    }
    return true;
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* The next byte that is a mark; `size` when there is none. */
static size_t next_mark(struct rows *rows) {
    while (rows->mask == 0) {
        if (rows->base + MASK_BYTES >= rows->size) {
            return rows->size;
        }
        rows->base += MASK_BYTES;
        size_t left = rows->size - rows->base;
        rows->mask = stoa_csv_marks_kernel(rows->bytes + rows->base,
                                           left < MASK_BYTES ? left : MASK_BYTES, rows->delimiter,
                                           rows->quote);
    }
    size_t at = rows->base + (size_t)__builtin_ctzll(rows->mask);
    rows->mask &= rows->mask - 1;
    return at;
}

static void begin_at(struct rows *rows, size_t at) {
    size_t left = rows->size - at;
    rows->at = at;
    rows->base = at;
    rows->mask = stoa_csv_marks_kernel(rows->bytes + at, left < MASK_BYTES ? left : MASK_BYTES,
                                       rows->delimiter, rows->quote);
}

/* What the mark at `at` ends, and where the next field begins. */
static enum field_end end_of(struct rows *rows, size_t at) {
    if (at == rows->size) {
        rows->at = at;
        return TEXT_END;
    }
    uint8_t byte = rows->bytes[at];
    rows->at = at + 1;
    if (byte == rows->delimiter) {
        return FIELD_NEXT;
    }
    if (byte == '\n' && !rows->returns) {
        return ROW_NEXT;
    }
    if (byte == '\r' && rows->returns && at + 1 < rows->size && rows->bytes[at + 1] == '\n') {
        (void)next_mark(rows);
        rows->at = at + 2;
        return ROW_NEXT;
    }
    return FIELD_UNSURE;
}

static enum field_end quoted_field(struct rows *rows, size_t begin, struct field *out) {
    out->quoted = true;
    out->doubled = false;
    out->bytes = rows->bytes + begin + 1;
    for (;;) {
        size_t at = next_mark(rows);
        if (at == rows->size) {
            return FIELD_UNSURE; /* never closed */
        }
        if (rows->bytes[at] != rows->quote) {
            continue;
        }
        if (at + 1 < rows->size && rows->bytes[at + 1] == rows->quote) {
            (void)next_mark(rows);
            out->doubled = true;
            continue;
        }
        out->size = at - begin - 1;
        size_t end = next_mark(rows);
        return end == at + 1 ? end_of(rows, end) : FIELD_UNSURE;
    }
}

static enum field_end next_field(struct rows *rows, struct field *out) {
    size_t begin = rows->at;
    size_t at = next_mark(rows);
    if (at < rows->size && rows->bytes[at] == rows->quote) {
        return at == begin ? quoted_field(rows, begin, out) : FIELD_UNSURE;
    }
    *out = (struct field){.bytes = rows->bytes + begin, .size = at - begin};
    return end_of(rows, at);
}

/* ---- values ---------------------------------------------------------------------------------- */

static stoa_status append_null(struct rows *rows, struct column *column, stoa_error *err) {
    if (column->validity.size == 0) {
        size_t bytes = stoa_bitmap_bytes(rows->capacity);
        STOA_TRY(stoa_buffer_reserve_exact(&column->validity, bytes, err));
        memset(column->validity.data, 0xFF, bytes);
        column->validity.size = bytes;
    }
    stoa_bit_clear(column->validity.data, rows->count);
    column->null_count++;
    if (column->kind == STOA_TYPE_INT || column->kind == STOA_TYPE_DATE) {
        memset(column->values.data + rows->count * 4, 0, 4);
    } else if (column->kind != STOA_TYPE_STRING) {
        memset(column->values.data + rows->count * 8, 0, 8);
    }
    return STOA_OK;
}

static stoa_status append_string(const struct rows *rows, struct column *column,
                                 const struct field *field, stoa_error *err) {
    if (!field->doubled) {
        return stoa_buffer_append(&column->data, field->bytes, field->size, err);
    }
    STOA_TRY(stoa_buffer_reserve(&column->data, field->size, err));
    for (size_t i = 0; i < field->size; i++) {
        column->data.data[column->data.size++] = field->bytes[i];
        i += field->bytes[i] == rows->quote;
    }
    return STOA_OK;
}

/* A whole number written as another number is one ("1e3", "2.0"), or has a fraction. */
static stoa_csv_outcome long_of_double(const struct field *field, int64_t *out) {
    double value = 0;
    if (!stoa_csv_double_kernel(field->bytes, field->size, &value)) {
        return STOA_CSV_UNSURE;
    }
    if (value != trunc(value)) {
        return STOA_CSV_FRACTION;
    }
    *out = (int64_t)(fabs(value) < WHOLE_DOUBLE_MAX ? value : 0);
    return fabs(value) < WHOLE_DOUBLE_MAX ? STOA_CSV_ROWS : STOA_CSV_UNSURE;
}

/* The engine takes spaces around numbers away. */
static void trim(struct field *field) {
    while (field->size > 0 && field->bytes[0] == ' ') {
        field->bytes++;
        field->size--;
    }
    while (field->size > 0 && field->bytes[field->size - 1] == ' ') {
        field->size--;
    }
}

static stoa_csv_outcome put_whole(const struct rows *rows, struct column *column,
                                  struct field *field) {
    int64_t value = 0;
    trim(field);
    if (!stoa_csv_long_kernel(field->bytes, field->size, &value)) {
        stoa_csv_outcome outcome = long_of_double(field, &value);
        if (outcome != STOA_CSV_ROWS) {
            return outcome;
        }
    }
    if (column->kind == STOA_TYPE_LONG) {
        memcpy(column->values.data + rows->count * 8, &value, 8);
        return STOA_CSV_ROWS;
    }
    int32_t narrow = (int32_t)value;
    memcpy(column->values.data + rows->count * 4, &narrow, 4);
    return narrow == value ? STOA_CSV_ROWS : STOA_CSV_UNSURE;
}

static bool put_other(const struct rows *rows, struct column *column, const struct field *field) {
    uint8_t *values = column->values.data;
    switch (column->kind) {
    case STOA_TYPE_DOUBLE: {
        double value;
        bool fine = stoa_csv_double_kernel(field->bytes, field->size, &value);
        memcpy(values + rows->count * 8, &value, fine ? 8 : 0);
        return fine;
    }
    case STOA_TYPE_DATE: {
        int32_t value;
        bool fine = stoa_csv_date_kernel(field->bytes, field->size, &value);
        memcpy(values + rows->count * 4, &value, fine ? 4 : 0);
        return fine;
    }
    default: {
        int64_t value;
        bool fine = stoa_csv_timestamp_kernel(field->bytes, field->size, &value);
        memcpy(values + rows->count * 8, &value, fine ? 8 : 0);
        return fine;
    }
    }
}

static stoa_status put(struct rows *rows, struct column *column, struct field *field,
                       stoa_csv_outcome *out, stoa_error *err) {
    *out = STOA_CSV_ROWS;
    if (field->size == 0) {
        STOA_TRY(append_null(rows, column, err));
    } else if (column->kind == STOA_TYPE_STRING) {
        STOA_TRY(append_string(rows, column, field, err));
    } else if (field->doubled) {
        *out = STOA_CSV_UNSURE;
    } else if (column->kind == STOA_TYPE_LONG || column->kind == STOA_TYPE_INT) {
        *out = put_whole(rows, column, field);
    } else {
        *out = put_other(rows, column, field) ? STOA_CSV_ROWS : STOA_CSV_UNSURE;
    }
    if (column->kind == STOA_TYPE_STRING) {
        int32_t end = (int32_t)column->data.size; /* a block is far below 2 GiB */
        memcpy(column->values.data + (rows->count + 1) * 4, &end, 4);
    }
    return STOA_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static stoa_csv_outcome judge(struct rows *rows, stoa_csv_outcome outcome, int32_t column,
                              const struct field *field) {
    if (outcome == STOA_CSV_FRACTION) {
        rows->place.column = column;
        rows->place.value = field->bytes;
        rows->place.value_size = field->size;
    }
    return outcome;
}

static stoa_status read_row(struct rows *rows, stoa_csv_outcome *out, stoa_error *err) {
    enum field_end end = FIELD_NEXT;
    int32_t column = 0;
    *out = STOA_CSV_UNSURE;
    for (; end == FIELD_NEXT; column++) {
        struct field field = {0};
        size_t begin = rows->at;
        end = next_field(rows, &field);
        bool last = end == ROW_NEXT || end == TEXT_END;
        if (column == 0 && last && field.size == 0 && !field.quoted && rows->column_count > 1) {
            *out = STOA_CSV_ROWS; /* an empty line is no row */
            return STOA_OK;
        }
        if (end == FIELD_UNSURE || column == rows->column_count ||
            (column == 0 && last && field.size == 0) || rows->at == begin) {
            return STOA_OK;
        }
        stoa_csv_outcome outcome;
        STOA_TRY(put(rows, &rows->columns[column], &field, &outcome, err));
        if (outcome != STOA_CSV_ROWS) {
            *out = judge(rows, outcome, column, &field);
            return STOA_OK;
        }
    }
    if (column == rows->column_count) {
        rows->count++;
        *out = STOA_CSV_ROWS;
    }
    return STOA_OK;
}

static stoa_status read_rows(struct rows *rows, const stoa_context *context, stoa_csv_outcome *out,
                             stoa_error *err) {
    *out = STOA_CSV_ROWS;
    for (int64_t look = ROWS_PER_LOOK; rows->at < rows->size && *out == STOA_CSV_ROWS; look--) {
        if (look == 0) {
            STOA_TRY(stoa_cancel_check(context->cancel, err));
            look = ROWS_PER_LOOK;
        }
        STOA_TRY(read_row(rows, out, err));
    }
    return STOA_OK;
}

/* Behind the lines and the header above the rows; false when they cannot be told. */
static bool skip_head(const stoa_csv_dialect *dialect, struct rows *rows) {
    size_t at = 0;
    for (int64_t i = 0; i < dialect->skip; i++) {
        const uint8_t *found = memchr(rows->bytes + at, '\n', rows->size - at);
        if (found == NULL) {
            return false;
        }
        at = (size_t)(found - rows->bytes) + 1;
    }
    begin_at(rows, at);
    if (!dialect->header) {
        return true;
    }
    enum field_end end = FIELD_NEXT;
    int32_t count = 0;
    for (; end == FIELD_NEXT; count++) {
        struct field field;
        end = next_field(rows, &field);
    }
    return end != FIELD_UNSURE && count == rows->column_count;
}

static stoa_status reserve(struct rows *rows, const stoa_text_block *block, const stoa_type *types,
                           stoa_pool *pool, stoa_error *err) {
    for (int32_t i = 0; i < rows->column_count; i++) {
        struct column *column = &rows->columns[i];
        column->kind = types->children[i].type.kind;
        bool narrow = column->kind == STOA_TYPE_STRING || column->kind == STOA_TYPE_INT ||
                      column->kind == STOA_TYPE_DATE;
        size_t bytes = (size_t)(rows->capacity + 1) * (narrow ? 4 : 8);
        stoa_buffer_init(&column->validity, pool);
        stoa_buffer_init(&column->values, pool);
        stoa_buffer_init(&column->data, pool);
        STOA_TRY(stoa_buffer_reserve_exact(&column->values, bytes, err));
        if (column->kind == STOA_TYPE_STRING) {
            memset(column->values.data, 0, 4);
            STOA_TRY(stoa_buffer_reserve(&column->data,
                                         block->size / (size_t)rows->column_count + 1, err));
        }
    }
    return STOA_OK;
}

static stoa_status finish(struct rows *rows, stoa_pool *pool, struct ArrowArray *out,
                          stoa_error *err) {
    STOA_TRY(stoa_arrow_array_init(pool, 1, rows->column_count, false, out, err));
    out->length = rows->count;
    for (int32_t i = 0; i < rows->column_count; i++) {
        struct column *column = &rows->columns[i];
        struct ArrowArray *array = out->children[i];
        bool string = column->kind == STOA_TYPE_STRING;
        bool narrow = string || column->kind == STOA_TYPE_INT || column->kind == STOA_TYPE_DATE;
        stoa_status status = stoa_arrow_array_init(pool, string ? 3 : 2, 0, false, array, err);
        if (status != STOA_OK) {
            stoa_arrow_array_release(out);
            return status;
        }
        array->length = rows->count;
        array->null_count = column->null_count;
        column->values.size = (size_t)(rows->count + string) * (narrow ? 4 : 8);
        stoa_arrow_array_set_buffer(array, 0, &column->validity);
        stoa_arrow_array_set_buffer(array, 1, &column->values);
        if (string) {
            stoa_arrow_array_set_buffer(array, 2, &column->data);
        }
    }
    return STOA_OK;
}

static void release_columns(struct rows *rows, stoa_pool *pool) {
    for (int32_t i = 0; i < rows->column_count; i++) {
        stoa_buffer_release(&rows->columns[i].validity);
        stoa_buffer_release(&rows->columns[i].values);
        stoa_buffer_release(&rows->columns[i].data);
    }
    stoa_pool_free(pool, rows->columns, (size_t)rows->column_count * sizeof *rows->columns);
}

stoa_status stoa_csv_rows_read(const stoa_csv_dialect *dialect, const stoa_schema *columns,
                               const stoa_text_block *block, const stoa_context *context,
                               struct ArrowArray *out, stoa_csv_outcome *out_outcome,
                               stoa_csv_place *out_place, stoa_error *err) {
    struct rows rows = {.bytes = block->bytes,
                        .size = block->size,
                        .delimiter = (uint8_t)dialect->delimiter[0],
                        .quote = (uint8_t)dialect->quote[0],
                        .returns = strcmp(dialect->newline, "\\r\\n") == 0,
                        .column_count = columns->root.child_count,
                        .capacity = stoa_ingest_count_kernel(block->bytes, block->size, '\n') + 1};
    void *memory = NULL;
    stoa_status status = STOA_OK;
    *out = (struct ArrowArray){0};
    *out_outcome = STOA_CSV_UNSURE;
    /* The engine leaves a mark at the start out; the rest must be UTF-8. */
    if (block->size >= 3 && memcmp(block->bytes, "\xEF\xBB\xBF", 3) == 0) {
        return STOA_OK;
    }
    if (!stoa_utf8_valid(block->bytes, block->size, NULL)) {
        return STOA_OK;
    }
    STOA_TRY(stoa_pool_allocate_array(context->pool, (size_t)rows.column_count,
                                      sizeof *rows.columns, &memory, err));
    rows.columns = memory;
    STOA_CHECK(reserve(&rows, block, &columns->root, context->pool, err));
    if (block->is_first ? !skip_head(dialect, &rows) : (begin_at(&rows, 0), false)) {
        goto done;
    }
    STOA_CHECK(read_rows(&rows, context, out_outcome, err));
    if (*out_outcome == STOA_CSV_FRACTION) {
        *out_place = rows.place;
        out_place->line = block->first_line +
                          stoa_ingest_count_kernel(block->bytes,
                                                   (size_t)(rows.place.value - block->bytes), '\n');
    } else if (*out_outcome == STOA_CSV_ROWS) {
        status = finish(&rows, context->pool, out, err);
    }

done:
    release_columns(&rows, context->pool);
    return status;
}
