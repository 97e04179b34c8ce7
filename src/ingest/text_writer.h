/* Batches as text: CSV, TSV, JSON and JSON Lines. */
#ifndef STOA_INGEST_TEXT_WRITER_H
#define STOA_INGEST_TEXT_WRITER_H

#include <stoa/load.h>

#include "mem/buffer.h"

/// What comes before the first row (a header, a bracket), for rows, and after the last. All append
/// to `out`.
STOA_MUST_USE stoa_status stoa_text_write_begin(stoa_file_format format,
                                                const struct ArrowSchema *schema, stoa_buffer *out,
                                                stoa_error *err);
/// `first` says that no row was written before.
///
/// Threads  Any, also for batches of one file.
STOA_MUST_USE stoa_status stoa_text_write_batch(stoa_file_format format,
                                                const struct ArrowSchema *schema,
                                                const struct ArrowArray *batch, bool first,
                                                stoa_buffer *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_text_write_end(stoa_file_format format, int64_t row_count,
                                              stoa_buffer *out, stoa_error *err);

#endif
