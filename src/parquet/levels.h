/* Shredding: from Arrow's nested arrays to one leaf's levels and values, and fetching the values.
 *
 * Source   Melnik et al., "Dremel: Interactive Analysis of Web-Scale Datasets", section 4.1 */
#ifndef STOA_PARQUET_LEVELS_H
#define STOA_PARQUET_LEVELS_H

#include "codec/dictionary_kernel.h"
#include "mem/buffer.h"
#include "parquet/schema_twin.h"

/// Consecutive rows of one batch. The batch is borrowed.
typedef struct stoa_rows {
    const struct ArrowArray *batch;
    int64_t start;
    int64_t count;
} stoa_rows;

/// Everything of one leaf in one row group, made of any number of pieces, and the working memory
/// that the next leaf uses again. All-zero with stoa_leaf_values_init is empty.
typedef struct stoa_leaf_values {
    int64_t row_count;
    int64_t level_count;
    int64_t value_count;
    /* One byte a level; NULL where all are `definition_max`, or the leaf has no such levels. */
    const uint8_t *definition;
    const uint8_t *repetition;
    /* Values of `value_width` bytes, or stoa_bytes_view each; they may lie in the batches. */
    const void *data;

    stoa_buffer definition_buffer;
    stoa_buffer repetition_buffer;
    stoa_buffer data_buffer;
    stoa_buffer bytes; /* what views of converted values point to */
    stoa_buffer entries[2];
    stoa_buffer indices;
} stoa_leaf_values;

void stoa_leaf_values_init(stoa_leaf_values *values, stoa_pool *pool);
void stoa_leaf_values_release(stoa_leaf_values *values);

/// Collects `leaf` from `pieces`. `first_row` is where the first stands in the file, for messages.
///
/// Errors   STOA_INVALID  a null in a required field, or a value that its Parquet type cannot hold
///                        (with row and column)
///          STOA_LIMIT, STOA_NO_MEMORY
/// Owns     The values borrow the batches.
STOA_MUST_USE stoa_status stoa_leaf_values_collect(stoa_leaf_values *values, const stoa_leaf *leaf,
                                                   const stoa_rows *pieces, size_t piece_count,
                                                   int64_t first_row, stoa_error *err);

#endif
