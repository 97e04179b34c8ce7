/* Pages of one column chunk: where they end, their bytes, their headers. */
#ifndef STOA_PARQUET_PAGE_H
#define STOA_PARQUET_PAGE_H

#include "parquet/dictionary.h"
#include "parquet/levels.h"

enum { STOA_PAGE_LEVELS_MAX = 1 << 20 }; /* a page ends there however few bytes it has */

/// A stretch of levels, and of the values that belong to them.
typedef struct stoa_page_range {
    int64_t first_level;
    int64_t level_count;
    int64_t first_value;
    int64_t value_count;
} stoa_page_range;

/// The page that begins at `first_level`: as many whole rows as reach `page_bytes` of values.
/// `code_width` is the bits of a dictionary code, or -1 where values are plain.
stoa_page_range stoa_page_next(const stoa_leaf *leaf, const stoa_leaf_values *values,
                               int64_t first_level, int64_t first_value, int code_width,
                               size_t page_bytes);

/// Appends the uncompressed body of a data page (levels, then values) to `out`.
///
/// Errors   STOA_LIMIT  the page is larger than Parquet's 2 GiB (one row holds that much)
STOA_MUST_USE stoa_status stoa_page_append_data(const stoa_leaf *leaf,
                                                const stoa_leaf_values *values,
                                                const stoa_leaf_dictionary *dictionary,
                                                int code_width, const stoa_page_range *range,
                                                stoa_buffer *out, stoa_error *err);

/// Appends `count` values in PLAIN.
STOA_MUST_USE stoa_status stoa_page_append_plain(const stoa_leaf *leaf, const void *values,
                                                 int64_t count, stoa_buffer *out, stoa_error *err);

/// Appends the header of a page whose body, as it will stand in the file, is given.
STOA_MUST_USE stoa_status stoa_page_append_header(stoa_parquet_page_kind kind,
                                                  int64_t value_count, bool has_dictionary,
                                                  size_t uncompressed_bytes, const void *body,
                                                  size_t body_bytes, stoa_buffer *out,
                                                  stoa_error *err);

#endif
