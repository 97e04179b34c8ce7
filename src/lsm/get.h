/* Gets: the newest version of a key that a reader sees, over all that a view has.
 *
 * Memtables come first, the newest before the others, then the files of level 0, then one file of each
 * level below. The first put or deletion ends the search; operands of merges are gathered until one
 * comes, and folded. */
#ifndef STOA_LSM_GET_H
#define STOA_LSM_GET_H

#include "lsm/merge_operator.h"
#include "lsm/view.h"

/* How a view is read. */
typedef struct stoa_view_reading {
    stoa_state_view *view;
    stoa_merge_programs *programs; /* may be NULL */
    uint64_t snapshot;             /* versions up to it are seen */
    int64_t now_ms;                /* rows whose time has come by then are not there */
} stoa_view_reading;

/// A row of columns of the definition's schema (of `columns`; NULL: all).
///
/// Errors   STOA_UNSUPPORTED  a nested column; STOA_NO_MEMORY
/// Owns     Keeps a reference to the definition. The caller closes it (stoa_row_close).
STOA_MUST_USE stoa_status stoa_row_create_for(stoa_pool *pool, stoa_definition *definition,
                                              const int32_t *columns, int32_t column_count,
                                              stoa_row **out, stoa_error *err);

/// Fills a row with the columns of the row of a key, given as stoa_key_encode encodes it. The row keeps a
/// reference to the view where its cells need it. A put whose time has come is a deletion; so is a fold
/// of operands.
///
/// Errors   STOA_INVALID      the row was made for another definition than the view's; a sum of operands
///                            that does not fit
///          STOA_CORRUPT      a damaged file (with stripe and column), and nothing else of it
///          STOA_UNSUPPORTED  a program's operator that is not registered
///          STOA_IO, STOA_NO_MEMORY
/// Owns     On error, and where nothing is found, the row's cells are not to be read.
/// Threads  Any number at once, each with a row of its own.
STOA_MUST_USE stoa_status stoa_view_get(const stoa_view_reading *reading, const uint8_t *key,
                                        size_t size, stoa_row *row, bool *found, stoa_error *err);

#endif
