/* Memtables: the newest rows of a table, as the batches that brought them.
 *
 * Batches are kept, not copied, with their keys beside them. Nothing else is done when rows are added;
 * those who read make what they need of the rows that are there by then: a hash table over keys for
 * gets, an order of rows for scans and for freezing. Neither is made twice for the same rows.
 *
 * Threads  One appends at a time; any number read at the same time, without waiting for it. */
#ifndef STOA_LSM_MEMTABLE_H
#define STOA_LSM_MEMTABLE_H

#include <stdatomic.h>

#include "lsm/stripe.h"

typedef struct stoa_memtable stoa_memtable;

/* A batch of rows that came together. Row i has the sequence number first_sequence + i. */
typedef struct stoa_memtable_piece {
    struct ArrowArray batch;
    stoa_keys keys;
    uint64_t first_sequence;
    stoa_operation operation;
    uint64_t *before; /* of each row: where the version before it is, see memtable_index.c */
} stoa_memtable_piece;

typedef struct stoa_memtable_row {
    const stoa_memtable_piece *piece; /* NULL: none */
    uint32_t row;
} stoa_memtable_row;

static inline uint64_t stoa_memtable_sequence(const stoa_memtable_row *row) {
    return row->piece->first_sequence + row->row;
}

/// Borrows the layout. All memory is charged to `pool`, but for what the batches hold already.
STOA_MUST_USE stoa_status stoa_memtable_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                                               stoa_memtable **out, stoa_error *err);
stoa_memtable *stoa_memtable_retain(stoa_memtable *table);
/// The last one frees it. NULL is allowed.
void stoa_memtable_close(stoa_memtable *table);

/// Adds the rows of a batch in the schema's canonical layout (of deletions only the columns of the key
/// count), with numbers from `first_sequence` on, above all before. Takes `batch`, also on error.
///
/// Errors   STOA_INVALID, STOA_LIMIT  as stoa_keys_append; STOA_LIMIT also where a table's 2^24 batches
///          or a batch's 2^24 rows are too few; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_memtable_append(stoa_memtable *table, struct ArrowArray *batch,
                                               stoa_operation operation, uint64_t first_sequence,
                                               stoa_error *err);

int64_t stoa_memtable_row_count(const stoa_memtable *table);

/// The newest version of a key whose number is at most `sequence`; `key` as stoa_key_encode gives it.
///
/// Errors   STOA_NO_MEMORY  of the index
STOA_MUST_USE stoa_status stoa_memtable_get(stoa_memtable *table, const uint8_t *key, size_t size,
                                            uint64_t sequence, stoa_memtable_row *out,
                                            stoa_error *err);

/// The version of the same key before a row that stoa_memtable_get gave, or none.
void stoa_memtable_before(const stoa_memtable *table, const stoa_memtable_row *row,
                          stoa_memtable_row *out);

/* All rows that were there, by key, versions of one key from the newest to the oldest. Counted. */
typedef struct stoa_memtable_order {
    atomic_int references;
    stoa_pool *pool;
    int64_t count;
    uint64_t *rows; /* see stoa_memtable_order_row */
} stoa_memtable_order;

/// The order of the rows that are there now, at least.
STOA_MUST_USE stoa_status stoa_memtable_order_of(stoa_memtable *table, stoa_memtable_order **out,
                                                 stoa_error *err);
void stoa_memtable_order_close(stoa_memtable_order *order);
stoa_memtable_row stoa_memtable_order_row(const stoa_memtable *table,
                                          const stoa_memtable_order *order, int64_t index);

/// The key of a row as bytes; of numbers they are put into `number`.
const uint8_t *stoa_memtable_key(const stoa_memtable *table, const stoa_memtable_row *row,
                                 uint8_t number[8], size_t *out_size);

#endif
