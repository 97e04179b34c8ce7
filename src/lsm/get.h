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

/* What is got for several keys at once. */
typedef struct stoa_many_keys {
    const stoa_keys_view *keys; /* in any order, equal ones too */
    const int32_t *columns;     /* of the schema; NULL: all */
    int32_t column_count;
} stoa_many_keys;

/// The columns of the rows of these keys, nested ones too, in the order of the keys, one row each: nulls
/// where there is none, and then 0 in its bit of `found` (keys->count of them). Keys are looked for
/// side by side, so that their waits for memory overlap.
///
/// Errors   as stoa_view_get; STOA_LIMIT  more than 2 GiB of texts or items in a column
/// Owns     The caller releases `out`, a batch in the canonical layout but for the nulls; on error it is
///          released.
STOA_MUST_USE stoa_status stoa_view_get_many(const stoa_view_reading *reading, stoa_pool *pool,
                                             const stoa_many_keys *wanted, struct ArrowArray *out,
                                             uint8_t *found, stoa_error *err);

#endif
