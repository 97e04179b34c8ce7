/* Sorted runs: rows by key, versions of one key from the newest to the oldest, wherever they lie: in a
 * memtable, in one SSTable, in files of a level that follow each other.
 *
 * A cursor gives the rows of a run as windows of up to a stripe: their keys decoded, all else when it
 * is asked for.
 *
 *     stoa_run_cursor_create(pool, layout, &run, &cursor, &err);
 *     stoa_run_cursor_seek(cursor, &range, &err);
 *     while (stoa_run_cursor_next(cursor, STOA_STRIPE_ROWS, &window, &err) == STOA_OK && window != NULL) {
 *         … window->keys, stoa_run_window_sequences, stoa_run_window_column …
 *         stoa_run_window_release(window);
 *     } */
#ifndef STOA_LSM_RUN_H
#define STOA_LSM_RUN_H

#include <stdatomic.h>

#include "lsm/memtable.h"
#include "lsm/range_set.h"
#include "lsm/version.h"

/* One of the two; borrowed. All versions of a key are in one of the files. */
typedef struct stoa_run {
    stoa_memtable *memtable;       /* NULL: files */
    stoa_table_file *const *files; /* by key, disjoint */
    int64_t file_count;
} stoa_run;

typedef struct stoa_run_cursor stoa_run_cursor;

/* Rows of a run that follow each other. Counted, so that whoever gathers may keep it; a run's memtable
 * or files stay open as long as its windows. */
typedef struct stoa_run_window {
    _Atomic int32_t references;
    int64_t count;         /* above 0 */
    stoa_keys_view keys;   /* its rows' */
    bool may_repeat;       /* two of its rows may have the same key */
    bool has_only_puts;    /* no deletion, no operand; false: not known */
    uint64_t sequence_max; /* none of its rows is newer */
} stoa_run_window;

/// Borrows the layout and the run.
STOA_MUST_USE stoa_status stoa_run_cursor_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                                                 const stoa_run *run, stoa_run_cursor **out,
                                                 stoa_error *err);
/// Windows stay valid. NULL is allowed.
void stoa_run_cursor_close(stoa_run_cursor *cursor);

/// Goes to the first row whose key lies in `range` (its sequence is not looked at; NULL: all keys), and
/// ends with the last one. A memtable's rows are those that are there at this moment, at least.
STOA_MUST_USE stoa_status stoa_run_cursor_seek(stoa_run_cursor *cursor, const stoa_key_range *range,
                                               stoa_error *err);

/// Says that no row of a stripe is of use to the reader.
typedef bool (*stoa_run_skip)(void *user, const stoa_sst *table, int64_t stripe);

/// Asked before a stripe is read; rows of those it says true for do not come. NULL: none is skipped.
void stoa_run_cursor_set_skip(stoa_run_cursor *cursor, stoa_run_skip skip, void *user);

/// The next rows, at most `max_rows` of them; `*out` is NULL at the end.
///
/// Errors   STOA_CORRUPT  (with file and stripe), STOA_NO_MEMORY, STOA_LIMIT
/// Owns     The caller releases the window.
STOA_MUST_USE stoa_status stoa_run_cursor_next(stoa_run_cursor *cursor, int64_t max_rows,
                                               stoa_run_window **out, stoa_error *err);

/// The stripe that the next row lies in, and where in it; NULL for memtables and at the end. Stripes that
/// are to be skipped count as others.
const stoa_stripe *stoa_run_cursor_stripe(const stoa_run_cursor *cursor, uint32_t *out_row);

/// Whether there are rows left.
///
/// Errors   STOA_CORRUPT (with file and stripe), STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_run_cursor_has_rows(stoa_run_cursor *cursor, bool *out,
                                                   stoa_error *err);

/// The key of the row that stands `rows` (1: the last) before the end of a range, in place of what
/// `key` held; `*out_found` is false where the range has fewer. Moves the cursor.
STOA_MUST_USE stoa_status stoa_run_cursor_back(stoa_run_cursor *cursor, const stoa_key_range *range,
                                               int64_t rows, stoa_buffer *key, bool *out_found,
                                               stoa_error *err);

stoa_run_window *stoa_run_window_retain(stoa_run_window *window);
/// NULL is allowed. Threads: any.
void stoa_run_window_release(stoa_run_window *window);

/// Of all rows of the window; valid as long as it is. Operations are stoa_operation's values.
///
/// Threads  One at a time a window, until the first call of each has returned.
STOA_MUST_USE stoa_status stoa_run_window_sequences(stoa_run_window *window, const uint64_t **out,
                                                    stoa_error *err);
STOA_MUST_USE stoa_status stoa_run_window_operations(stoa_run_window *window, const uint8_t **out,
                                                     stoa_error *err);

/// Column `column` of the schema of the rows listed, in growing order, or (`rows` NULL) of `count` rows
/// from `first` on; canonical layout. Not a column of the key: those come from the keys.
///
/// Errors   STOA_CORRUPT (with file, stripe and column), STOA_LIMIT, STOA_NO_MEMORY
/// Owns     On error `out` is released.
/// Threads  Any number at once.
STOA_MUST_USE stoa_status stoa_run_window_column(const stoa_run_window *window, stoa_pool *pool,
                                                 int32_t column, const uint32_t *rows,
                                                 int64_t first, int64_t count,
                                                 struct ArrowArray *out, stoa_error *err);

#endif
