/* Values of a leaf as the bytes of a page, in any encoding but a dictionary's codes. */
#ifndef STOA_PARQUET_VALUE_ENCODER_H
#define STOA_PARQUET_VALUE_ENCODER_H

#include "parquet/levels.h"

/// Whether the format lets the leaf's values be written so. RLE is for booleans only.
bool stoa_leaf_allows(const stoa_leaf *leaf, stoa_parquet_encoding encoding);

/// Bytes of a value between stoa_leaf_values.data's begin and the next one.
static inline size_t stoa_leaf_stride(const stoa_leaf *leaf) {
    return stoa_leaf_has_views(leaf) ? sizeof(stoa_bytes_view) : (size_t)leaf->value_width;
}

/// Appends `count` values of the leaf's class, which `encoding` allows. `scratch` is working memory.
///
/// Errors   STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_values_encode(const stoa_leaf *leaf, stoa_parquet_encoding encoding,
                                             const void *values, int64_t count,
                                             stoa_buffer *scratch, stoa_buffer *out,
                                             stoa_error *err);

/// Where PLAIN bytes of fixed size lie as they are, so that nothing needs to be copied; else NULL.
const void *stoa_values_are_plain(const stoa_leaf *leaf, const void *values);

/// Bytes that values take in PLAIN (booleans: as if a byte each).
double stoa_values_plain_bytes(const stoa_leaf *leaf, const void *values, int64_t count);

#endif
