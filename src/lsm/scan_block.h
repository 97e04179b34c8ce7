/* Memory of batches: all columns of a batch lie in one block, which is filled again when whoever had the
 * batch has released it. Texts alone have memory of their own, which is kept as well.
 *
 * A block is counted: by the scan, by a batch and by each of its columns, which may be moved out. */
#ifndef STOA_LSM_SCAN_BLOCK_H
#define STOA_LSM_SCAN_BLOCK_H

#include <stdatomic.h>
#include <stoa/arrow.h>

#include "mem/buffer.h"

/* What a column of a block looks like. */
typedef struct stoa_scan_shape {
    size_t width; /* bytes of a value; 0: bits, or texts */
    bool is_text;
} stoa_scan_shape;

typedef struct stoa_scan_block_column {
    stoa_scan_shape shape;
    uint8_t *validity; /* room for it; of use where `has_validity` is set */
    uint8_t *values;   /* with room for 8 values more, and a line of memory */
    stoa_buffer offsets; /* int32_t: of texts */
    stoa_buffer bytes;
    bool has_validity;
} stoa_scan_block_column;

typedef struct stoa_scan_block {
    _Atomic int64_t references;
    stoa_pool *pool;
    size_t size; /* bytes of the block itself */
    int64_t capacity;
    int32_t column_count;
    stoa_scan_block_column *columns;
    struct ArrowArray *arrays;
    struct ArrowArray **pointers;
    const void **buffers; /* three a column, and one that is NULL */
} stoa_scan_block;

/// Makes `*block` (NULL: none yet) one that nobody else has, with room for `rows` rows, of which it has
/// the first `kept` already; with none kept its texts are empty and no column has a validity.
STOA_MUST_USE stoa_status stoa_scan_block_reserve(stoa_pool *pool, const stoa_scan_shape *shapes,
                                                  int32_t column_count, int64_t kept, int64_t rows,
                                                  stoa_scan_block **block, stoa_error *err);
/// NULL is allowed. Batches stay valid.
void stoa_scan_block_release(stoa_scan_block *block);

/// The first `rows` rows as a batch, which borrows the block's memory and counts it.
///
/// Threads  Batches and their columns may be released by any.
void stoa_scan_block_batch(stoa_scan_block *block, int64_t rows, struct ArrowArray *out);

#endif
