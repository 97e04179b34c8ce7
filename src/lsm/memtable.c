#include "lsm/memtable_internal.h"

stoa_status stoa_memtable_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                                 stoa_memtable **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_memtable), &memory, err));
    memset(memory, 0, sizeof(stoa_memtable));
    stoa_memtable *table = memory;
    atomic_init(&table->references, 1);
    table->pool = pool;
    table->layout = layout;
    pthread_mutex_init(&table->index_lock, NULL);
    pthread_mutex_init(&table->order_lock, NULL);
    *out = table;
    return STOA_OK;
}

stoa_memtable *stoa_memtable_retain(stoa_memtable *table) {
    atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
    return table;
}

static void free_piece(stoa_memtable *table, stoa_memtable_piece *piece) {
    if (piece->before != NULL) {
        stoa_pool_free(table->pool, piece->before,
                       (size_t)piece->keys.count * sizeof *piece->before);
    }
    stoa_arrow_array_release(&piece->batch);
    stoa_keys_release(&piece->keys);
    stoa_pool_free(table->pool, piece, sizeof *piece);
}

void stoa_memtable_close(stoa_memtable *table) {
    if (table == NULL ||
        atomic_fetch_sub_explicit(&table->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    const uint32_t count = atomic_load_explicit(&table->piece_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        free_piece(table, stoa_memtable_piece_at(table, i));
    }
    for (uint32_t i = 0; i < STOA_MEMTABLE_CHUNKS && table->chunks[i] != NULL; i++) {
        stoa_pool_free(table->pool, table->chunks[i],
                       STOA_MEMTABLE_CHUNK * sizeof *table->chunks[i]);
    }
    stoa_memtable_index_release(table);
    if (table->order != NULL) {
        stoa_memtable_order_close(table->order);
    }
    pthread_mutex_destroy(&table->index_lock);
    pthread_mutex_destroy(&table->order_lock);
    stoa_pool_free(table->pool, table, sizeof *table);
}

/* Room in the list for piece `number`. */
static stoa_status make_room(stoa_memtable *table, uint32_t number, stoa_error *err) {
    const uint32_t chunk = number >> STOA_MEMTABLE_CHUNK_BITS;
    void *memory = NULL;
    if (number >> STOA_MEMTABLE_PIECE_BITS != 0) {
        return stoa_fail(err, STOA_LIMIT, "expected at most 2^24 batches in memory");
    }
    if (table->chunks[chunk] == NULL) {
        STOA_TRY(stoa_pool_allocate(table->pool, STOA_MEMTABLE_CHUNK * sizeof *table->chunks[0],
                                    &memory, err));
        table->chunks[chunk] = memory;
    }
    return STOA_OK;
}

stoa_status stoa_memtable_append(stoa_memtable *table, struct ArrowArray *batch,
                                 stoa_operation operation, uint64_t first_sequence,
                                 stoa_error *err) {
    const uint32_t number = atomic_load_explicit(&table->piece_count, memory_order_relaxed);
    stoa_status status = STOA_OK;
    stoa_memtable_piece *piece = NULL;
    void *memory = NULL;
    if (batch->length >= INT64_C(1) << STOA_MEMTABLE_ROW_BITS) {
        status = stoa_fail(err, STOA_LIMIT, "expected fewer than 2^24 rows in a batch");
        goto done;
    }
    STOA_CHECK(make_room(table, number, err));
    STOA_CHECK(stoa_pool_allocate(table->pool, sizeof *piece, &memory, err));
    piece = memory;
    *piece = (stoa_memtable_piece){.first_sequence = first_sequence, .operation = operation};
    stoa_keys_init(&piece->keys, table->pool);
    STOA_CHECK(stoa_keys_append(table->layout->key, batch, 0, batch->length, &piece->keys, err));
    piece->batch = *batch;
    batch->release = NULL;
    table->chunks[number >> STOA_MEMTABLE_CHUNK_BITS][number & (STOA_MEMTABLE_CHUNK - 1)] = piece;
    piece = NULL;
    atomic_fetch_add_explicit(&table->row_count, stoa_memtable_piece_at(table, number)->keys.count,
                              memory_order_relaxed);
    atomic_store_explicit(&table->piece_count, number + 1, memory_order_release);

done:
    stoa_arrow_array_release(batch);
    if (piece != NULL) {
        free_piece(table, piece);
    }
    return status;
}

int64_t stoa_memtable_row_count(const stoa_memtable *table) {
    return atomic_load_explicit(&table->row_count, memory_order_relaxed);
}

const uint8_t *stoa_memtable_key(const stoa_memtable *table, const stoa_memtable_row *row,
                                 uint8_t number[8], size_t *out_size) {
    const stoa_keys_view keys = stoa_keys_view_of(&row->piece->keys);
    return stoa_keys_bytes(table->layout->key, &keys, row->row, number, out_size);
}

int stoa_memtable_compare(const stoa_memtable *table, const stoa_memtable_row *left,
                          const stoa_memtable_row *right) {
    const stoa_keys_view a = stoa_keys_view_of(&left->piece->keys);
    const stoa_keys_view b = stoa_keys_view_of(&right->piece->keys);
    return stoa_keys_compare(table->layout->key, &a, left->row, &b, right->row);
}
