/* Keys back to cells, one key at a time. */
#ifndef STOA_LSM_KEY_CELLS_H
#define STOA_LSM_KEY_CELLS_H

#include <stoa/state.h>

#include "lsm/key.h"

/* Where the bytes of a number lie that a cell points to. */
typedef struct stoa_cell_storage {
    _Alignas(16) uint8_t bytes[16];
} stoa_cell_storage;

/// The cells of those of `columns` that are of the key; others are passed over. `key` is a whole key, as
/// stoa_key_encode gives it. Bytes of cells are appended to `bytes`, or lie in `storage` (one a column).
///
/// Errors   STOA_CORRUPT  bytes that are no key of this format; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_key_cells(const stoa_key_format *format, const uint8_t *key,
                                         size_t size, const int32_t *columns, int32_t count,
                                         stoa_cell *out, stoa_cell_storage *storage,
                                         stoa_buffer *bytes, stoa_error *err);

#endif
