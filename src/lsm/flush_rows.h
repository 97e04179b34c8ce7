/* The rows of a flush: of all its memtables, in the order of their keys, without those that nobody can
 * read. */
#ifndef STOA_LSM_FLUSH_ROWS_H
#define STOA_LSM_FLUSH_ROWS_H

#include "lsm/interleave.h"
#include "lsm/memtable.h"

typedef struct stoa_flush_rows {
    stoa_pool *pool;
    const stoa_stripe_layout *layout;
    const stoa_memtable_piece **pieces; /* of all memtables */
    int64_t piece_count;
    int64_t piece_capacity;
    stoa_place *places; /* of pieces */
    int64_t count;
    int64_t capacity;
} stoa_flush_rows;

/// `memtables[0]` is the newest; `snapshots` as stoa_flush_options has them.
///
/// Owns     The caller releases `out`, also on error.
STOA_MUST_USE stoa_status stoa_flush_rows_init(stoa_flush_rows *out, stoa_pool *pool,
                                               stoa_memtable *const *memtables, int32_t count,
                                               const uint64_t *snapshots, int64_t snapshot_count,
                                               stoa_error *err);
void stoa_flush_rows_release(stoa_flush_rows *rows);

static inline stoa_memtable_row stoa_flush_row(const stoa_flush_rows *rows, int64_t index) {
    return (stoa_memtable_row){rows->pieces[rows->places[index].source], rows->places[index].row};
}

#endif
