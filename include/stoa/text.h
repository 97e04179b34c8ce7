/* Values as text, for programs that show rows to people. */
#ifndef STOA_TEXT_H
#define STOA_TEXT_H

#include <stdbool.h>

#include <stoa/arrow.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A text that grows: each call that fills it replaces what was there.
///
/// Threads  One call at a time per text.
typedef struct stoa_text stoa_text;

STOA_API STOA_MUST_USE stoa_status stoa_text_create(stoa_pool *pool, stoa_text **out,
                                                    stoa_error *err);
/// NULL is allowed.
STOA_API void stoa_text_close(stoa_text *text);
/// The text, NUL-terminated, valid until the text is filled again or closed. `out_size` (nullable)
/// is its length; values may hold NUL bytes of their own.
STOA_API const char *stoa_text_view(const stoa_text *text, size_t *out_size);

typedef enum stoa_text_style {
    STOA_TEXT_PLAIN, /* as DuckDB casts to VARCHAR; a null is NULL */
    STOA_TEXT_JSON   /* a JSON value */
} stoa_text_style;

/// Fills `out` with value `row` of `array`.
STOA_API STOA_MUST_USE stoa_status stoa_text_value(stoa_text *out, const struct ArrowSchema *schema,
                                                   const struct ArrowArray *array, int64_t row,
                                                   stoa_text_style style, stoa_error *err);
/// Fills `out` with an Arrow type as PyArrow writes it: "int64", "timestamp[us, tz=UTC]".
STOA_API STOA_MUST_USE stoa_status stoa_text_arrow_type(stoa_text *out,
                                                        const struct ArrowSchema *schema,
                                                        stoa_error *err);
STOA_API bool stoa_value_is_null(const struct ArrowSchema *schema, const struct ArrowArray *array,
                                 int64_t row);

#ifdef __cplusplus
}
#endif
#endif
