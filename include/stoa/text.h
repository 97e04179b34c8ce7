/* Values as text, for programs that show rows to people. */
#ifndef STOA_TEXT_H
#define STOA_TEXT_H

#include <stoa/arrow.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum stoa_text_style {
    STOA_TEXT_PLAIN, /* as DuckDB casts to VARCHAR */
    STOA_TEXT_JSON   /* a JSON value */
} stoa_text_style;

/// Writes value `row` of `array` into `out` (`capacity` bytes, cut at a character, always
/// NUL-terminated) and sets `*out_size` to the length that it has or would have. A null is "NULL"
/// in plain text and null in JSON.
STOA_API STOA_MUST_USE stoa_status stoa_value_text(const struct ArrowSchema *schema,
                                                   const struct ArrowArray *array, int64_t row,
                                                   stoa_text_style style, char *out,
                                                   size_t capacity, size_t *out_size,
                                                   stoa_error *err);
STOA_API bool stoa_value_is_null(const struct ArrowSchema *schema, const struct ArrowArray *array,
                                 int64_t row);
/// "int64", "timestamp[us, tz=UTC]" of an Arrow field, as PyArrow writes it.
STOA_API STOA_MUST_USE stoa_status stoa_arrow_type_text(const struct ArrowSchema *schema, char *out,
                                                        size_t capacity, size_t *out_size,
                                                        stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
