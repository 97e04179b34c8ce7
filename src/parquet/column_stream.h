/* An ordered stream whose columns are decoded side by side. */
#ifndef STOA_PARQUET_COLUMN_STREAM_H
#define STOA_PARQUET_COLUMN_STREAM_H

#include "parquet/read_plan.h"

/// True when the plan has enough columns of about the same cost for `thread_count` threads. Of files
/// that are not mapped the chunks of a row group are better read together, by a lane.
bool stoa_column_stream_suits(const stoa_read_plan *plan, int32_t thread_count);

/// What a stream over a plan owns.
typedef struct stoa_column_stream_owner {
    void *user;
    void (*close)(void *user); /* when nothing uses the plan any more */
} stoa_column_stream_owner;

/// Batches of all the plan's parts in order. The plan's reader has a context with a scheduler.
///
/// Memory   a few batches, and a page and a dictionary of each column
/// Errors   as stoa_parquet_reader_stream's
/// Owns     Takes `schema`, and calls owner->close, also on error.
STOA_MUST_USE stoa_status stoa_column_stream_create(const stoa_read_plan *plan,
                                                    struct ArrowSchema *schema,
                                                    const stoa_column_stream_owner *owner,
                                                    struct ArrowArrayStream *out, stoa_error *err);

#endif
