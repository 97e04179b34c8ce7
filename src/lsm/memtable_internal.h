/* What the files of the memtable share. */
#ifndef STOA_LSM_MEMTABLE_INTERNAL_H
#define STOA_LSM_MEMTABLE_INTERNAL_H

#include <pthread.h>

#include "lsm/memtable.h"

enum {
    STOA_MEMTABLE_ROW_BITS = 24,
    STOA_MEMTABLE_PIECE_BITS = 24,
    STOA_MEMTABLE_CHUNK_BITS = 12, /* pieces of one chunk of the list */
    STOA_MEMTABLE_CHUNK = 1 << STOA_MEMTABLE_CHUNK_BITS,
    STOA_MEMTABLE_CHUNKS = 1 << (STOA_MEMTABLE_PIECE_BITS - STOA_MEMTABLE_CHUNK_BITS)
};

/* Where a row is: its piece above its row. */
static inline uint64_t stoa_memtable_place(uint32_t piece, uint32_t row) {
    return (uint64_t)piece << STOA_MEMTABLE_ROW_BITS | row;
}
static inline uint32_t stoa_memtable_place_row(uint64_t place) {
    return (uint32_t)place & ((1u << STOA_MEMTABLE_ROW_BITS) - 1);
}
static inline uint32_t stoa_memtable_place_piece(uint64_t place) {
    return (uint32_t)(place >> STOA_MEMTABLE_ROW_BITS) & ((1u << STOA_MEMTABLE_PIECE_BITS) - 1);
}

/* A hash table, never made smaller; the one before stays while somebody may read it. */
typedef struct stoa_memtable_slots {
    struct stoa_memtable_slots *before;
    uint64_t mask;
    _Atomic uint64_t slots[]; /* 0: empty; else tag above the place, see memtable_index.c */
} stoa_memtable_slots;

struct stoa_memtable {
    atomic_int references;
    stoa_pool *pool;
    const stoa_stripe_layout *layout;

    /* The list of pieces: chunks never move, and are there before the count says so. */
    stoa_memtable_piece **chunks[STOA_MEMTABLE_CHUNKS];
    _Atomic uint32_t piece_count;
    _Atomic int64_t row_count;

    pthread_mutex_t index_lock; /* who extends the index */
    _Atomic uint32_t indexed_pieces;
    int64_t indexed_keys;
    _Atomic(stoa_memtable_slots *) slots;

    pthread_mutex_t order_lock; /* who extends the order */
    stoa_memtable_order *order;
    uint32_t ordered_pieces;
};

static inline stoa_memtable_piece *stoa_memtable_piece_at(const stoa_memtable *table,
                                                          uint32_t piece) {
    return table->chunks[piece >> STOA_MEMTABLE_CHUNK_BITS][piece & (STOA_MEMTABLE_CHUNK - 1)];
}

static inline stoa_memtable_row stoa_memtable_row_at(const stoa_memtable *table, uint64_t place) {
    return (stoa_memtable_row){stoa_memtable_piece_at(table, stoa_memtable_place_piece(place)),
                               stoa_memtable_place_row(place)};
}

/// -1, 0 or 1.
int stoa_memtable_compare(const stoa_memtable *table, const stoa_memtable_row *left,
                          const stoa_memtable_row *right);

/// Frees the index, for good.
void stoa_memtable_index_release(stoa_memtable *table);

#endif
