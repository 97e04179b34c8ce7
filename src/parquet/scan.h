/* Reading a file as the source of a pipeline, for who wants to work on batches in the lanes that decode
 * them; stoa_parquet_reader_stream is for all others.
 *
 *     stoa_parquet_scan_open(reader, &options, &scan, err);
 *     pipeline.source = stoa_parquet_scan_source(scan);
 *     stoa_parquet_scan_options(scan, &pipeline.options);
 *     … stoa_pipeline_run(&pipeline, context, err) …
 *     stoa_parquet_scan_close(scan); */
#ifndef STOA_PARQUET_SCAN_H
#define STOA_PARQUET_SCAN_H

#include "parquet/reader.h"
#include "pipeline/pipeline.h"

typedef struct stoa_parquet_scan stoa_parquet_scan;

/// Borrows the reader. `options` are copied; whether batches come in order is the pipeline's to say.
///
/// Errors   STOA_INVALID  a field, row group or range that the file does not have
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     The caller closes `*out` when no pipeline uses it, before the reader.
STOA_MUST_USE stoa_status stoa_parquet_scan_open(const stoa_parquet_reader *reader,
                                                 const stoa_parquet_read_options *options,
                                                 stoa_parquet_scan **out, stoa_error *err);
/// NULL is allowed.
void stoa_parquet_scan_close(stoa_parquet_scan *scan);

/// How many parts it has, and the number within the file of the first row that part `part` looks at.
int64_t stoa_parquet_scan_part_count(const stoa_parquet_scan *scan);
int64_t stoa_parquet_scan_part_row(const stoa_parquet_scan *scan, int64_t part);

/// The source of one run. A morsel is a batch, a part a row group or a piece of one. Errors are those of
/// the reader's streams.
stoa_pipeline_source stoa_parquet_scan_source(stoa_parquet_scan *scan);

/// Sets how many lanes there is work for, and a window that lets them run ahead as far as they need to
/// in an ordered run; a caller may set less.
void stoa_parquet_scan_options(const stoa_parquet_scan *scan, stoa_pipeline_options *options);

#endif
