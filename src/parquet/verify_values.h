/* Whether what a file says about a chunk's values is true of them. */
#ifndef STOA_PARQUET_VERIFY_VALUES_H
#define STOA_PARQUET_VERIFY_VALUES_H

#include "parquet/chunk_reader.h"
#include "parquet/page_index.h"

/// Decodes a chunk's values and holds them against its statistics, its column index and its bloom
/// filter: counts of nulls agree, no value lies outside the bounds of its page or chunk, none is missing
/// in the filter, pages without values are those that the index names, the boundary order is that of
/// the bounds. Bounds in an order that Stoa does not know are passed over, and so are encodings and
/// codecs that it lacks.
///
/// Errors   STOA_CORRUPT  with the page; row group and column are the caller's to add
///          STOA_CANCELLED, STOA_IO, STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_parquet_verify_values(const stoa_context *context,
                                                     const stoa_chunk_source *source,
                                                     int32_t group, int32_t leaf,
                                                     const stoa_page_index *index,
                                                     stoa_arena *arena, stoa_error *err);

#endif
