/* Orders rows as Parquet files, for the benchmarks of reading. */
#ifndef STOA_BENCH_ORDERS_PARQUET_H
#define STOA_BENCH_ORDERS_PARQUET_H

#include "parquet/writer.h"

/// Ends the process with the error's message unless `status` is STOA_OK.
void orders_check(stoa_status status, const stoa_error *err);

/// Writes `row_count` orders to `path`, replacing what is there. Ends the process on failure.
void orders_write_parquet(const stoa_context *context, stoa_fs_registry *registry, const char *path,
                          int64_t row_count, const stoa_parquet_options *options);

#endif
