/* Batches as text: CSV, TSV, JSON and JSON Lines. */
#ifndef STOA_INGEST_TEXT_WRITER_H
#define STOA_INGEST_TEXT_WRITER_H

#include <stoa/load.h>

#include "ingest/output_file.h"

/// What comes before the first row (a header, a bracket), for a row, and after the last.
STOA_MUST_USE stoa_status stoa_text_write_begin(stoa_file_format format,
                                                const struct ArrowSchema *schema,
                                                stoa_ingest_output *output, stoa_error *err);
/// `first_row` is the number of rows written before this batch.
STOA_MUST_USE stoa_status stoa_text_write_batch(stoa_file_format format,
                                                const struct ArrowSchema *schema,
                                                const struct ArrowArray *batch, int64_t first_row,
                                                stoa_ingest_output *output, stoa_error *err);
STOA_MUST_USE stoa_status stoa_text_write_end(stoa_file_format format, int64_t row_count,
                                              stoa_ingest_output *output, stoa_error *err);

#endif
