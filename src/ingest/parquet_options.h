/* What a caller says in words of how Parquet is to be written, as the writer's options. */
#ifndef STOA_INGEST_PARQUET_OPTIONS_H
#define STOA_INGEST_PARQUET_OPTIONS_H

#include <stoa/load.h>

#include "mem/arena.h"
#include "parquet/writer.h"
#include "schema/partition.h"

/// `options` NULL is all defaults. Without `schema` no column is looked for.
///
/// Errors   STOA_INVALID    a value that is none, with its option's name
///          STOA_NOT_FOUND  a column that the schema lacks
/// Owns     What `out` points to comes from `arena`.
STOA_MUST_USE stoa_status stoa_parquet_options_read(const stoa_parquet_export_options *options,
                                                    const stoa_schema *schema, stoa_arena *arena,
                                                    stoa_parquet_options *out, stoa_error *err);

/// What of `sort` holds within each file of `spec` (nullable: one file) and can be written down: its
/// columns up to the first that the schema does not name so or whose order the engine and Parquet may see
/// differently, without those that are the same in all rows of a file.
///
/// Errors   STOA_INVALID  `sort` is no list of columns
/// Owns     `*out` comes from `arena`.
STOA_MUST_USE stoa_status stoa_parquet_sorting_read(const char *sort, const stoa_schema *schema,
                                                    const stoa_partition_spec *spec,
                                                    stoa_arena *arena,
                                                    const stoa_parquet_sorting_option **out,
                                                    int32_t *out_count, stoa_error *err);

#endif
