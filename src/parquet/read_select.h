/* Some of the rows that were read of a column outside lists and maps: levels and values of rows whose
 * bit is set. */
#ifndef STOA_PARQUET_READ_SELECT_H
#define STOA_PARQUET_READ_SELECT_H

#include "parquet/chunk_reader.h"

/// Rows [0, row_count) of what was read, and which of them are wanted. Bits count from bit 0 of the
/// first byte; bits behind the last row do not matter.
typedef struct stoa_row_selection {
    const uint8_t *bits;
    int64_t row_count;
    int64_t selected; /* how many are set */
} stoa_row_selection;

/// Puts what `values` holds of the selected rows behind what `out` holds. `value_bytes` is that of a
/// stored value, or of a code; 0: `is_boolean` bits, else bytes of any length.
///
/// Errors   STOA_LIMIT  more than 2 GiB of bytes
///          STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_read_select(const stoa_chunk_values *values, uint8_t definition_max,
                                           size_t value_bytes, bool is_boolean,
                                           const stoa_row_selection *rows, stoa_chunk_values *out,
                                           stoa_error *err);

/// Levels alone, in place; values stay as they are.
void stoa_read_select_levels(stoa_chunk_values *values, const stoa_row_selection *rows);

#endif
