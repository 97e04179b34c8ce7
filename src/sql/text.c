/* See text.h. Pieces are in order of their place in the new text. */
#include "sql/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "schema/schema.h"

void stoa_sql_text_init(struct sql_text *text, stoa_pool *pool, const char *source,
                        size_t source_size) {
    *text = (struct sql_text){.source = source, .source_size = source_size};
    stoa_buffer_init(&text->text, pool);
    stoa_buffer_init(&text->pieces, pool);
}

void stoa_sql_text_release(struct sql_text *text) {
    stoa_buffer_release(&text->text);
    stoa_buffer_release(&text->pieces);
}

stoa_status stoa_sql_text_add(struct sql_text *text, const char *words, stoa_error *err) {
    return stoa_buffer_append_text(&text->text, words, err);
}

stoa_status stoa_sql_text_format(struct sql_text *text, stoa_error *err, const char *format, ...) {
    char words[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    STOA_ASSERT(size >= 0 && (size_t)size < sizeof words);
    return stoa_buffer_append(&text->text, words, (size_t)size, err);
}

stoa_status stoa_sql_text_identifier(struct sql_text *text, const char *name, stoa_error *err) {
    return stoa_sql_identifier_print(name, &text->text, err);
}

stoa_status stoa_sql_text_literal(struct sql_text *text, const char *value, stoa_error *err) {
    return stoa_sql_literal_print(value, &text->text, err);
}

stoa_status stoa_sql_text_piece(struct sql_text *text, size_t begin, size_t end, stoa_error *err) {
    STOA_ASSERT(begin <= end && end <= text->source_size);
    struct text_piece piece = {text->text.size, begin, end - begin};
    STOA_TRY(stoa_buffer_append(&text->pieces, &piece, sizeof piece, err));
    return stoa_buffer_append(&text->text, text->source + begin, end - begin, err);
}

stoa_status stoa_sql_text_view(struct sql_text *text, const char **out, stoa_error *err) {
    return stoa_buffer_text(&text->text, out, err);
}

int64_t stoa_sql_text_source(const struct sql_text *text, int64_t at) {
    const struct text_piece *pieces = (const struct text_piece *)text->pieces.data;
    size_t count = text->pieces.size / sizeof *pieces;
    for (size_t i = 0; i < count; i++) {
        if (at >= (int64_t)pieces[i].at && at <= (int64_t)(pieces[i].at + pieces[i].size)) {
            return (int64_t)pieces[i].source + at - (int64_t)pieces[i].at;
        }
    }
    return -1;
}
