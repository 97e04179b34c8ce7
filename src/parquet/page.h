/* Pages of one column chunk: where they end, their bytes, their headers. */
#ifndef STOA_PARQUET_PAGE_H
#define STOA_PARQUET_PAGE_H

#include "parquet/dictionary.h"
#include "parquet/levels.h"

enum { STOA_PAGE_LEVELS_MAX = 1 << 20 }; /* a page ends there however few bytes it has */

/// How the data pages of a chunk are written.
typedef struct stoa_page_style {
    int version;                   /* 1 or 2 */
    stoa_parquet_encoding encoding;
    int code_width;                /* bits of a dictionary's code, with RLE_DICTIONARY */
    size_t page_bytes;             /* a page ends once its values reach it */
    int64_t page_rows;             /* or it has so many rows */
} stoa_page_style;

/// A stretch of levels, and of the values that belong to them.
typedef struct stoa_page_range {
    int64_t first_level;
    int64_t level_count;
    int64_t first_value;
    int64_t value_count;
    int64_t row_count;
} stoa_page_range;

/// The page that begins where `before` ended (all-zero: the first): as many whole rows as reach the
/// bytes or the rows of a page. Bytes are counted as PLAIN would take them, or as codes.
stoa_page_range stoa_page_next(const stoa_leaf *leaf, const stoa_leaf_values *values,
                               const stoa_page_style *style, const stoa_page_range *before);

/// Appends the levels of a data page to `out`: the same bytes for both versions but for the lengths
/// that version 1 has before them. The sizes of both kinds are for the header of version 2.
///
/// Errors   STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_page_append_levels(const stoa_leaf *leaf,
                                                  const stoa_leaf_values *values, int version,
                                                  const stoa_page_range *range, stoa_buffer *out,
                                                  size_t *out_repetition_bytes,
                                                  size_t *out_definition_bytes, stoa_error *err);

/// Appends the values of a data page to `out`. `scratch` is working memory.
///
/// Errors   STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_page_append_values(const stoa_leaf *leaf,
                                                  const stoa_leaf_values *values,
                                                  const stoa_leaf_dictionary *dictionary,
                                                  const stoa_page_style *style,
                                                  const stoa_page_range *range,
                                                  stoa_buffer *scratch, stoa_buffer *out,
                                                  stoa_error *err);

/// What a header says. The body stands in the file as two pieces, of which the first may be empty.
typedef struct stoa_page_facts {
    stoa_parquet_page_kind kind;
    stoa_parquet_encoding encoding;
    int64_t value_count; /* levels of a data page, entries of a dictionary */
    int64_t null_count;  /* of version 2, as are the next four */
    int64_t row_count;
    size_t repetition_bytes;
    size_t definition_bytes;
    bool is_compressed;
    bool is_sorted;            /* of a dictionary: entries ascend */
    size_t uncompressed_bytes; /* of the body; both sizes at most INT32_MAX */
    const void *levels;        /* of version 2, never compressed */
    size_t level_bytes;
    const void *body;
    size_t body_bytes;
} stoa_page_facts;

/// Appends the header with the CRC-32 of the body's bytes.
///
/// Errors   STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_page_append_header(const stoa_page_facts *facts, stoa_buffer *out,
                                                  stoa_error *err);

#endif
