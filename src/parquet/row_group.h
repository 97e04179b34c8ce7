/* Some rows become the bytes of one row group and what the footer says of it: a pure function for each
 * column chunk, which any thread may compute. */
#ifndef STOA_PARQUET_ROW_GROUP_H
#define STOA_PARQUET_ROW_GROUP_H

#include "parquet/column_encoder.h"

/// A batch that several row groups may share. Freed when the last lets go, by whichever thread.
typedef struct stoa_shared_batch stoa_shared_batch;

/// Takes `batch`, also on error.
STOA_MUST_USE stoa_status stoa_shared_batch_create(stoa_pool *pool, struct ArrowArray *batch,
                                                   stoa_shared_batch **out, stoa_error *err);
const struct ArrowArray *stoa_shared_batch_array(const stoa_shared_batch *batch);
void stoa_shared_batch_retain(stoa_shared_batch *batch);
void stoa_shared_batch_close(stoa_shared_batch *batch);

/// Rows that wait to be encoded, then the encoded group. All-zero with a pool is empty.
typedef struct stoa_row_group {
    stoa_buffer pieces; /* stoa_rows */
    stoa_buffer owners; /* stoa_shared_batch *, one a piece */
    int64_t first_row;
    int64_t row_count;
    uint64_t raw_bytes; /* an estimate of what the rows take in memory */
    stoa_chunk *chunks; /* one a leaf, made by stoa_row_group_init, as are their bytes */
    stoa_buffer *chunk_bytes;
    stoa_chunk_index *chunk_indexes;
    int32_t chunk_count;
    stoa_pool *pool;
} stoa_row_group;

STOA_MUST_USE stoa_status stoa_row_group_init(stoa_row_group *group, stoa_pool *pool,
                                              int32_t leaf_count, stoa_error *err);
void stoa_row_group_release(stoa_row_group *group);
/// Empties the group and keeps the memory of its chunks.
void stoa_row_group_clear(stoa_row_group *group);

/// Adds rows [start, start + count) of a batch.
STOA_MUST_USE stoa_status stoa_row_group_add(stoa_row_group *group, stoa_shared_batch *batch,
                                             int64_t start, int64_t count, uint64_t raw_bytes,
                                             stoa_error *err);

/// Fills chunks[leaf_index], its bytes and its index.
///
/// Threads  Different leaves of a group may be encoded at once, each with an encoder of its own.
STOA_MUST_USE stoa_status stoa_row_group_encode(stoa_row_group *group, int32_t leaf_index,
                                                stoa_column_encoder *encoder,
                                                const stoa_leaf *leaf, stoa_error *err);
/// Lets the batches go, once all leaves are encoded.
void stoa_row_group_drop_rows(stoa_row_group *group);

/// Appends a RowGroup struct to `out` for a group that begins at `offset` of the file, with its bloom
/// filters behind its chunks, and its page indexes to `indexes`.
STOA_MUST_USE stoa_status stoa_row_group_describe(const stoa_row_group *group,
                                                  const stoa_leaf *leaves, uint64_t offset,
                                                  int32_t ordinal,
                                                  const stoa_parquet_options *options,
                                                  const int32_t *sorting_leaves, stoa_buffer *out,
                                                  stoa_index_writer *indexes, stoa_error *err);

#endif
