/* The first rows of a file, in its order or in that of a column. */
#ifndef STOA_PARQUET_READ_TOP_H
#define STOA_PARQUET_READ_TOP_H

#include "parquet/reader.h"

/// By one field outside lists and maps that can be compared: numbers by value with NaN above all, texts
/// by bytes; rows that are equal in their order in the file.
typedef struct stoa_parquet_row_order {
    int32_t field_id;
    bool descending;
    bool nulls_first; /* either way */
} stoa_parquet_row_order;

/// The first `limit` (above 0) rows by `order` of what `options` ask for, in that order, as one batch,
/// or none. Reads when it is called: row groups go by their bounds, and the worst row that is held
/// proves more and more of the others away, as a predicate would; then columns are read only where
/// rows are left. A row group that is named twice counts once; options->unordered and
/// options->batch_rows do not matter.
///
/// Memory   for each of `limit` rows its value by which it is ordered; then those rows, twice
/// Errors   STOA_INVALID  no such limit or field, or one that has no order; else as
///                        stoa_parquet_reader_stream and its batches
/// Owns     `out` does not refer to the reader.
/// Threads  the caller's
STOA_MUST_USE stoa_status stoa_parquet_reader_top(const stoa_parquet_reader *reader,
                                                  const stoa_parquet_read_options *options,
                                                  const stoa_parquet_row_order *order, int64_t limit,
                                                  struct ArrowArrayStream *out, stoa_error *err);

/// stoa_parquet_reader_stream with no more than the first `limit` (above 0) rows of what it would give;
/// what comes after them is hardly read.
///
/// Errors   STOA_INVALID  no such limit; else the same
STOA_MUST_USE stoa_status stoa_parquet_reader_first(const stoa_parquet_reader *reader,
                                                    const stoa_parquet_read_options *options,
                                                    int64_t limit, struct ArrowArrayStream *out,
                                                    stoa_error *err);

#endif
