/* Memtables: the newest rows of a table, as the batches that brought them.
 *
 * Batches are kept, not copied, with their keys beside them; rows that come one by one are gathered in
 * a batch that is still growing. Nothing else is done when rows are added; those who read make what
 * they need of the rows that are there by then: a hash table over keys for gets, an order of rows for
 * scans and for freezing. Neither is made twice for the same rows.
 *
 * Adding has two steps, because a log record is written in between, and what is in the log must become
 * visible:
 *
 *     stoa_memtable_stage_row(table, cells, STOA_OPERATION_PUT, sequence, &err);     may fail
 *     … the record is written; if that fails: stoa_memtable_discard(table) …
 *     stoa_memtable_publish(table);                                                  cannot fail
 *
 * Threads  One adds at a time; any number read at the same time, without waiting for it. */
#ifndef STOA_LSM_MEMTABLE_H
#define STOA_LSM_MEMTABLE_H

#include <stdatomic.h>

#include <stoa/state.h>

#include "lsm/range_set.h"
#include "lsm/stripe.h"

typedef struct stoa_memtable stoa_memtable;

/* Rows that lie together. Those of a batch have the operation and consecutive sequence numbers;
 * of rows that came one by one, each has its own. */
typedef struct stoa_memtable_piece {
    /* Canonical layout. Of rows that came one by one: columns with room for more rows than there are,
     * which the piece owns (`release` is NULL). Writers may change other rows' bits in a byte of a
     * bitmap: it is read through stoa_memtable_bit. */
    struct ArrowArray batch;
    stoa_keys_view keys; /* `count` is not to be looked at */
    _Atomic int64_t row_count;
    stoa_operation operation;
    uint64_t first_sequence;
    const uint64_t *sequences; /* NULL: first_sequence and on */
    const uint8_t *operations; /* NULL: all the same */
    uint64_t *before; /* of each row: where the version before it is, see memtable_index.c */
} stoa_memtable_piece;

typedef struct stoa_memtable_row {
    const stoa_memtable_piece *piece; /* NULL: none */
    uint32_t row;
} stoa_memtable_row;

static inline uint64_t stoa_memtable_sequence(const stoa_memtable_row *row) {
    const stoa_memtable_piece *piece = row->piece;
    return piece->sequences == NULL ? piece->first_sequence + row->row : piece->sequences[row->row];
}

static inline stoa_operation stoa_memtable_operation(const stoa_memtable_row *row) {
    const stoa_memtable_piece *piece = row->piece;
    return piece->operations == NULL ? piece->operation
                                     : (stoa_operation)piece->operations[row->row];
}

/// A bit of a piece's bitmap, whose other bits may change meanwhile.
static inline bool stoa_memtable_bit(const uint8_t *bits, int64_t index) {
    return __atomic_load_n(&bits[index >> 3], __ATOMIC_RELAXED) >> (index & 7) & 1;
}

/// Borrows the layout. All memory is charged to `pool`, but for what the batches hold already.
STOA_MUST_USE stoa_status stoa_memtable_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                                               stoa_memtable **out, stoa_error *err);
stoa_memtable *stoa_memtable_retain(stoa_memtable *table);
/// The last one frees it. NULL is allowed.
void stoa_memtable_close(stoa_memtable *table);

/* ---- Adding ---------------------------------------------------------------------------------- */

/// Makes ready that the rows of a batch in the schema's canonical layout (of deletions only the columns
/// of the key count) are added, with numbers from `first_sequence` on, above all before. `keys` are
/// what stoa_keys_append made of all its rows.
///
/// Owns     Both are the caller's, and may not move, until they are published: then the table has them,
///          and the caller's are released structs, or (small batches) copies, and they stay as they are.
/// Errors   STOA_LIMIT  a table's 2^24 pieces or a batch's 2^24 rows are too few; STOA_NO_MEMORY. What
///          was staged before stays staged.
STOA_MUST_USE stoa_status stoa_memtable_stage_batch(stoa_memtable *table, struct ArrowArray *batch,
                                                    stoa_keys *keys, stoa_operation operation,
                                                    uint64_t first_sequence, stoa_error *err);

/// The same for one row: `cells` are all columns in the order of the schema, of deletions the key's in
/// the order of the key. They are copied.
///
/// Errors   as stoa_cell_rule_check; STOA_UNSUPPORTED also where another column of the table is nested;
///          STOA_LIMIT  also a key of more than STOA_KEY_BYTES_MAX bytes; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_memtable_stage_row(stoa_memtable *table, const stoa_cell *cells,
                                                  stoa_operation operation, uint64_t sequence,
                                                  stoa_error *err);

/// The same for a range of deleted keys, which are copied.
STOA_MUST_USE stoa_status stoa_memtable_stage_range(stoa_memtable *table,
                                                    const stoa_key_range *range, stoa_error *err);

/// What was staged is there for readers, in the order of staging.
void stoa_memtable_publish(stoa_memtable *table);
/// Whether it takes rows one by one: no column is nested.
bool stoa_memtable_takes_rows(const stoa_memtable *table);
/// What was staged is forgotten.
void stoa_memtable_discard(stoa_memtable *table);

/// Encodes the keys of a batch, stages and publishes it. Takes `batch`, also on error.
///
/// Errors   STOA_INVALID, STOA_LIMIT  as stoa_keys_append and stoa_memtable_stage_batch
STOA_MUST_USE stoa_status stoa_memtable_append(stoa_memtable *table, struct ArrowArray *batch,
                                               stoa_operation operation, uint64_t first_sequence,
                                               stoa_error *err);

/* ---- Reading --------------------------------------------------------------------------------- */

int64_t stoa_memtable_row_count(const stoa_memtable *table);
/// Memory that it holds: columns and keys (of batches what their rows take, shared or not), what is set
/// aside for rows to come, what readers have made. Any thread.
size_t stoa_memtable_bytes(const stoa_memtable *table);

/// The newest version of a key whose number is at most `sequence`; `key` as stoa_key_encode gives it.
/// Ranges of deletions are not looked at.
///
/// Errors   STOA_NO_MEMORY  of the index
STOA_MUST_USE stoa_status stoa_memtable_get(stoa_memtable *table, const uint8_t *key, size_t size,
                                            uint64_t sequence, stoa_memtable_row *out,
                                            stoa_error *err);

/// The version of the same key before a row that stoa_memtable_get gave, or none.
void stoa_memtable_before(const stoa_memtable *table, const stoa_memtable_row *row,
                          stoa_memtable_row *out);

/// The greatest sequence number, at most `snapshot`, of the deleted ranges that hold the key; 0: none.
uint64_t stoa_memtable_range_cover(const stoa_memtable *table, const uint8_t *key, size_t size,
                                   uint64_t snapshot);
/// Adds the deleted ranges that are there now to `out`.
STOA_MUST_USE stoa_status stoa_memtable_ranges(const stoa_memtable *table, stoa_range_set *out,
                                               stoa_error *err);
bool stoa_memtable_has_ranges(const stoa_memtable *table);

/// Columns of a row that is no deletion (NULL: the first `count`), none of them nested. Bytes of cells
/// lie in the table: they are there as long as it is.
void stoa_memtable_cells(const stoa_memtable *table, const stoa_memtable_row *row,
                         const int32_t *columns, int32_t count, stoa_cell *out);

/* Rows that follow each other in an order; orders share them. */
typedef struct stoa_memtable_chunk {
    atomic_int references;
    uint32_t count;
    uint64_t rows[]; /* where they are; STOA_MEMTABLE_OLDER beside it */
} stoa_memtable_chunk;
#define STOA_MEMTABLE_OLDER (UINT64_C(1) << 63)

/* All rows that were there, by key, versions of one key from the newest to the oldest. Counted. */
typedef struct stoa_memtable_order {
    atomic_int references;
    stoa_pool *pool;
    int64_t count;
    int64_t chunk_count;
    int64_t chunk_capacity;
    int64_t *starts; /* of each chunk its first row */
    stoa_memtable_chunk *chunks[];
} stoa_memtable_order;

/// The order of the rows that are there now, at least.
STOA_MUST_USE stoa_status stoa_memtable_order_of(stoa_memtable *table, stoa_memtable_order **out,
                                                 stoa_error *err);
void stoa_memtable_order_close(stoa_memtable_order *order);
/// One row; finding it takes some steps.
stoa_memtable_row stoa_memtable_order_row(const stoa_memtable *table,
                                          const stoa_memtable_order *order, int64_t index);
/// Rows [first, first + count), which are there.
void stoa_memtable_order_rows(const stoa_memtable *table, const stoa_memtable_order *order,
                              int64_t first, int64_t count, stoa_memtable_row *out);
/// Where one row is, with STOA_MEMTABLE_OLDER if it has the key of the one before it.
uint64_t stoa_memtable_order_place(const stoa_memtable_order *order, int64_t index);

/// The key of a row as bytes; of numbers they are put into `number`.
const uint8_t *stoa_memtable_key(const stoa_memtable *table, const stoa_memtable_row *row,
                                 uint8_t number[8], size_t *out_size);

#endif
