/* The memory that rows take, of which row groups may only have so much. */
#ifndef STOA_PARQUET_ROW_BYTES_H
#define STOA_PARQUET_ROW_BYTES_H

#include <stoa/schema.h>

/// Bytes of rows [start, start + count) of a batch in the canonical layout of `schema`: values and
/// offsets, without validity. The bytes of rows add up, however they are cut.
uint64_t stoa_rows_bytes(const stoa_schema *schema, const struct ArrowArray *batch, int64_t start,
                         int64_t count);

/// How many of `count` rows from `start` on take at most `bytes_max`; `out_bytes` is what they take.
int64_t stoa_rows_fitting(const stoa_schema *schema, const struct ArrowArray *batch, int64_t start,
                          int64_t count, uint64_t bytes_max, uint64_t *out_bytes);

#endif
