/* Rows out of a block of CSV without the engine, where every value is written in the plainest way. */
#ifndef STOA_INGEST_CSV_ROWS_H
#define STOA_INGEST_CSV_ROWS_H

#include "ingest/csv.h"

/// What came of a block.
typedef enum stoa_csv_outcome {
    STOA_CSV_ROWS,   /* all of its rows */
    STOA_CSV_UNSURE, /* nothing: something in it is the engine's to judge */
    STOA_CSV_FRACTION /* nothing: a column of whole numbers has a fraction, which the engine rounds */
} stoa_csv_outcome;

/// Where a fraction stands.
typedef struct stoa_csv_place {
    int64_t line; /* of the file */
    int32_t column;
    const uint8_t *value; /* in the block */
    size_t value_size;
} stoa_csv_place;

/// True when blocks of this dialect, read as these columns, can be tried.
bool stoa_csv_rows_offers(const stoa_csv_dialect *dialect, const stoa_schema *columns);

/// Reads a block. `out` is a batch of `columns` in their canonical layout when the outcome is
/// STOA_CSV_ROWS, else released; a block without rows gives a batch without rows.
///
/// Errors   STOA_CANCELLED, STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_csv_rows_read(const stoa_csv_dialect *dialect,
                                             const stoa_schema *columns,
                                             const stoa_text_block *block,
                                             const stoa_context *context, struct ArrowArray *out,
                                             stoa_csv_outcome *out_outcome,
                                             stoa_csv_place *out_place, stoa_error *err);

#endif
