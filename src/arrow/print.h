/* Values and batches as text. */
#ifndef STOA_ARROW_PRINT_H
#define STOA_ARROW_PRINT_H

#include <stoa/arrow.h>

#include "arrow/access.h"
#include "mem/buffer.h"

typedef enum stoa_print_style {
    STOA_PRINT_TEXT, /* bare at the top, as DuckDB casts to VARCHAR; nested as {'a': 1, 'b': [x]} */
    STOA_PRINT_JSON  /* a JSON value: strings quoted, NaN and infinities as strings, blobs as \x.. */
} stoa_print_style;

/// Appends one value; a null is "NULL" in text and null in JSON.
STOA_MUST_USE stoa_status stoa_arrow_value_print(const struct ArrowSchema *schema,
                                                 const struct ArrowArray *array, int64_t row,
                                                 stoa_print_style style, stoa_buffer *out,
                                                 stoa_error *err);
/// The same where a cursor stands, for who prints row after row: a format string is parsed when its
/// cursor is made.
STOA_MUST_USE stoa_status stoa_arrow_value_print_at(const stoa_arrow_cursor *at,
                                                    stoa_print_style style, stoa_buffer *out,
                                                    stoa_error *err);
/// Appends a JSON string literal with its quotes.
STOA_MUST_USE stoa_status stoa_json_string_print(const char *text, size_t size, stoa_buffer *out,
                                                 stoa_error *err);

#endif
