/* What the files of the memtable share. */
#ifndef STOA_LSM_MEMTABLE_INTERNAL_H
#define STOA_LSM_MEMTABLE_INTERNAL_H

#include <pthread.h>

#include "lsm/memtable.h"
#include "lsm/row_cells.h"

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

/* A growing column of rows that come one by one. Its values lie in the piece's block. */
typedef struct stoa_memtable_column {
    struct ArrowArray array;
    const void *buffers[3];
    uint8_t *validity; /* NULL: required */
    uint8_t *values;   /* of texts: int32_t offsets */
    uint8_t *bytes;    /* texts */
    size_t byte_capacity;
    size_t byte_count; /* the writer's, as the next; of staged rows too */
    bool has_nulls;    /* perhaps; false: none */
} stoa_memtable_column;

/* Rows that come one by one. */
typedef struct stoa_memtable_rows {
    uint32_t capacity;
    uint32_t staged; /* rows that are published, and that will be; the writer's, as the next two */
    bool has_gaps;   /* sequences may not be consecutive */
    bool is_mixed;   /* operations may differ */
    uint8_t *operations;
    uint64_t *sequences;
    uint64_t *numbers; /* of keys; or their offsets and bytes */
    uint32_t *key_offsets;
    uint8_t *key_bytes;
    size_t key_capacity;
    struct ArrowArray **children;
    stoa_memtable_column columns[];
} stoa_memtable_rows;

/* A piece as its table has it: of a batch, or of rows. */
typedef struct stoa_memtable_holder {
    stoa_memtable_piece piece;
    size_t block_bytes;              /* of this struct with what lies behind it */
    stoa_memtable_rows *rows;        /* behind it; NULL: a batch */
    int64_t capacity;                /* rows that it has, or has room for */
    size_t held_bytes;               /* a batch's columns and keys */
    stoa_keys keys;                  /* a batch's */
    struct ArrowArray *batch_source; /* of a batch that is staged: the caller's */
    stoa_keys *keys_source;
} stoa_memtable_holder;

static inline const stoa_memtable_holder *stoa_memtable_holder_of(
    const stoa_memtable_piece *piece) {
    return (const stoa_memtable_holder *)(const void *)piece; /* its first member */
}

/* A place between rows, in the order of their coming. */
typedef struct stoa_memtable_cursor {
    uint32_t piece;
    uint32_t row;
} stoa_memtable_cursor;

/* Ranges of deletions: sets of which each has less than half the ranges of the one before it, so that
 * there are few, and a range is copied few times. Never changes. */
typedef struct stoa_memtable_ranges_list {
    struct stoa_memtable_ranges_list *before; /* what this one replaced: readers may be in it */
    stoa_range_set own;                       /* the last of the sets */
    int32_t count;
    const stoa_range_set *sets[];
} stoa_memtable_ranges_list;

struct stoa_memtable {
    atomic_int references;
    stoa_pool *pool;
    const stoa_stripe_layout *layout;
    struct ArrowSchema schema;
    int32_t nested_column; /* the first; -1: none */
    stoa_cell_rule *rules; /* one a column */

    /* The list of pieces: chunks never move, and are there before the count says so. */
    stoa_memtable_holder **chunks[STOA_MEMTABLE_CHUNKS];
    _Atomic uint32_t piece_count;
    _Atomic int64_t row_count; /* the last that is published */
    _Atomic size_t bytes;
    _Atomic(stoa_memtable_ranges_list *) ranges;

    /* The writer's. */
    uint32_t staged_pieces; /* published ones included */
    stoa_memtable_ranges_list *staged_ranges;
    stoa_buffer key; /* of the row that is added */

    pthread_mutex_t index_lock; /* who extends the index; guards what is not atomic of it */
    stoa_memtable_cursor index_end;
    int64_t indexed_keys;
    _Atomic int64_t indexed_rows;
    _Atomic(stoa_memtable_slots *) slots;

    pthread_mutex_t order_lock; /* who extends the order; guards the next two */
    stoa_memtable_order *order;
    stoa_memtable_cursor order_end;
};

static inline stoa_memtable_holder *stoa_memtable_holder_at(const stoa_memtable *table,
                                                            uint32_t piece) {
    return table->chunks[piece >> STOA_MEMTABLE_CHUNK_BITS][piece & (STOA_MEMTABLE_CHUNK - 1)];
}

static inline stoa_memtable_row stoa_memtable_row_at(const stoa_memtable *table, uint64_t place) {
    return (
        stoa_memtable_row){&stoa_memtable_holder_at(table, stoa_memtable_place_piece(place))->piece,
                           stoa_memtable_place_row(place)};
}

/// The end of what is published. Acquire: pairs with stoa_memtable_publish; pieces before the cursor's
/// are whole.
static inline stoa_memtable_cursor stoa_memtable_end(const stoa_memtable *table) {
    const uint32_t count = atomic_load_explicit(&table->piece_count, memory_order_acquire);
    if (count == 0) {
        return (stoa_memtable_cursor){0, 0};
    }
    const stoa_memtable_piece *last = &stoa_memtable_holder_at(table, count - 1)->piece;
    return (stoa_memtable_cursor){count - 1, (uint32_t)atomic_load_explicit(&last->row_count,
                                                                            memory_order_acquire)};
}

/// The rows of a piece that lie between two cursors: [return value, *out_end).
static inline uint32_t stoa_memtable_rows_between(const stoa_memtable *table, uint32_t piece,
                                                  stoa_memtable_cursor from,
                                                  stoa_memtable_cursor to, uint32_t *out_end) {
    const stoa_memtable_piece *between = &stoa_memtable_holder_at(table, piece)->piece;
    *out_end = piece == to.piece
                   ? to.row
                   : (uint32_t)atomic_load_explicit(&between->row_count, memory_order_relaxed);
    return piece == from.piece ? from.row : 0;
}

/// Memory that was taken, or given back.
static inline void stoa_memtable_count_bytes(stoa_memtable *table, size_t bytes) {
    atomic_fetch_add_explicit(&table->bytes, bytes, memory_order_relaxed);
}

/// -1, 0 or 1.
int stoa_memtable_compare(const stoa_memtable *table, const stoa_memtable_row *left,
                          const stoa_memtable_row *right);

/// Frees the index, for good.
void stoa_memtable_index_release(stoa_memtable *table);

/* ---- Pieces, for the writer ------------------------------------------------------------------ */

/// Puts a piece behind those that are staged. The place in the list is there: see
/// stoa_memtable_make_room.
void stoa_memtable_stage_piece(stoa_memtable *table, stoa_memtable_holder *holder);
STOA_MUST_USE stoa_status stoa_memtable_make_room(stoa_memtable *table, stoa_error *err);

/// Whether a batch is small, and such that its rows are copied to those that come one by one.
bool stoa_memtable_joins(const stoa_memtable *table, const struct ArrowArray *batch,
                         stoa_operation operation);
/// Stages the rows of a batch that joins.
STOA_MUST_USE stoa_status stoa_memtable_stage_copy(stoa_memtable *table,
                                                   const struct ArrowArray *batch,
                                                   const stoa_keys_view *keys,
                                                   stoa_operation operation,
                                                   uint64_t first_sequence, stoa_error *err);
/// Forgets rows of an open piece that were staged and not published.
void stoa_memtable_rows_discard(stoa_memtable_holder *holder);

/* ---- Ranges ---------------------------------------------------------------------------------- */

void stoa_memtable_ranges_publish(stoa_memtable *table);
void stoa_memtable_ranges_discard(stoa_memtable *table);
void stoa_memtable_ranges_release(stoa_memtable *table);

#endif
