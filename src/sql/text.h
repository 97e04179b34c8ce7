/* SQL text that Stoa writes around pieces of what somebody typed, remembering where each piece came
 * from: errors that the engine finds in the new text are shown where they stand in the old one. */
#ifndef STOA_SQL_TEXT_H
#define STOA_SQL_TEXT_H

#include "mem/buffer.h"

struct text_piece {
    size_t at;     /* in the new text */
    size_t source; /* in the old text */
    size_t size;
};

/* All-zero with a pool is empty. */
struct sql_text {
    stoa_buffer text;   /* ends in a NUL that is not counted, once stoa_sql_text_view was called */
    stoa_buffer pieces; /* of struct text_piece */
    const char *source; /* borrowed; NULL: all of the text is Stoa's own */
    size_t source_size;
    const struct sql_text *outer; /* borrowed; what `source` was made from, NULL: it was typed */
};

void stoa_sql_text_init(struct sql_text *text, stoa_pool *pool, const char *source,
                        size_t source_size);
void stoa_sql_text_release(struct sql_text *text);

/// Appends words of Stoa's own.
STOA_MUST_USE stoa_status stoa_sql_text_add(struct sql_text *text, const char *words,
                                            stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_text_format(struct sql_text *text, stoa_error *err,
                                               const char *format, ...) STOA_PRINTF(3, 4);
STOA_MUST_USE stoa_status stoa_sql_text_identifier(struct sql_text *text, const char *name,
                                                   stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_text_literal(struct sql_text *text, const char *value,
                                                stoa_error *err);
/// Appends bytes [begin, end) of the source.
STOA_MUST_USE stoa_status stoa_sql_text_piece(struct sql_text *text, size_t begin, size_t end,
                                              stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_text_view(struct sql_text *text, const char **out,
                                             stoa_error *err);

/// Where byte `at` of the new text stands in the source, or -1 when it is Stoa's own.
int64_t stoa_sql_text_source(const struct sql_text *text, int64_t at);

#endif
