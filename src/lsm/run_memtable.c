/* Windows of memtables: rows of many pieces in the order of their keys. A window lists the pieces that
 * its rows lie in, each once, so that a row is two small numbers and a column is put together from as
 * many arrays as there are pieces. */
#include "base/bytes.h"
#include "base/hash.h"
#include "lsm/interleave.h"
#include "lsm/key_bytes.h"
#include "lsm/run_internal.h"

enum { BLOCK = 64 }; /* rows that are asked for at once */

/* ---- Seeking --------------------------------------------------------------------------------- */

static bool is_less(const stoa_run_cursor *cursor, int64_t index, const uint8_t *key, size_t size) {
    const stoa_memtable *table = cursor->run.memtable;
    const stoa_memtable_row row = stoa_memtable_order_row(table, cursor->order, index);
    uint8_t number[8];
    size_t found;
    const uint8_t *bytes = stoa_memtable_key(table, &row, number, &found);
    return stoa_bytes_compare(bytes, found, key, size) < 0;
}

int64_t stoa_run_memtable_find(const stoa_run_cursor *cursor, const uint8_t *key, size_t size) {
    int64_t low = 0, count = cursor->order->count;
    while (count > 0) {
        const int64_t half = count / 2;
        if (is_less(cursor, low + half, key, size)) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

stoa_status stoa_run_memtable_seek(stoa_run_cursor *cursor, const uint8_t *key, size_t size,
                                   stoa_error *err) {
    if (cursor->order != NULL) {
        stoa_memtable_order_close(cursor->order);
        cursor->order = NULL;
    }
    STOA_TRY(stoa_memtable_order_of(cursor->run.memtable, &cursor->order, err));
    cursor->next = size == 0 ? 0 : stoa_run_memtable_find(cursor, key, size);
    return STOA_OK;
}

/* ---- Filling --------------------------------------------------------------------------------- */

/* Finds the number of a piece in the window's list: a table of numbers plus one, 0 is empty, at least
 * twice as large as the list can be. */
struct piece_table {
    uint32_t *slots;
    uint64_t mask;
    const stoa_memtable_piece **pieces;
    uint32_t count;
};

static stoa_status open_table(stoa_run_cursor *cursor, int64_t rows, stoa_run_window_rows *window,
                              struct piece_table *out, stoa_error *err) {
    uint64_t slots = 16;
    while (slots < 2 * (uint64_t)rows) {
        slots *= 2;
    }
    stoa_buffer_clear(&cursor->piece_slots);
    STOA_TRY(stoa_buffer_resize(&cursor->piece_slots, slots * sizeof *out->slots, err));
    STOA_TRY(stoa_buffer_reserve(&window->pieces, (size_t)rows * sizeof *out->pieces, err));
    *out = (struct piece_table){(uint32_t *)(void *)cursor->piece_slots.data, slots - 1,
                                (const stoa_memtable_piece **)(void *)window->pieces.data, 0};
    return STOA_OK;
}

static uint32_t piece_number(struct piece_table *table, const stoa_memtable_piece *piece) {
    uint64_t at = stoa_hash_u64((uint64_t)(uintptr_t)piece) & table->mask;
    for (; table->slots[at] != 0; at = (at + 1) & table->mask) {
        if (table->pieces[table->slots[at] - 1] == piece) {
            return table->slots[at] - 1;
        }
    }
    table->pieces[table->count++] = piece;
    table->slots[at] = table->count;
    return table->count - 1;
}

static stoa_status reserve_rows(stoa_run_window_rows *window, int64_t rows, stoa_error *err) {
    const size_t count = (size_t)rows;
    STOA_TRY(stoa_buffer_reserve(&window->places, count * sizeof(stoa_place), err));
    STOA_TRY(stoa_buffer_reserve(&window->sequences, count * sizeof(uint64_t), err));
    STOA_TRY(stoa_buffer_reserve(&window->operations, count, err));
    return window->layout->key->is_number
               ? stoa_buffer_reserve(&window->keys.numbers, count * sizeof(uint64_t), err)
               : stoa_buffer_reserve(&window->keys.offsets, (count + 1) * sizeof(uint32_t), err);
}

/* Pieces and places, sequence numbers and operations, and what is known of all rows. */
static void list_rows(const stoa_run_cursor *cursor, int64_t rows, stoa_run_window_rows *window,
                      struct piece_table *table) {
    stoa_place *places = (stoa_place *)(void *)window->places.data;
    uint64_t *sequences = (uint64_t *)(void *)window->sequences.data;
    uint64_t sequence_max = 0;
    bool has_only_puts = true;
    stoa_memtable_row block[BLOCK];
    for (int64_t i = 0; i < rows; i++) {
        if (i % BLOCK == 0) {
            stoa_memtable_order_rows(cursor->run.memtable, cursor->order, cursor->next + i,
                                     rows - i < BLOCK ? rows - i : BLOCK, block);
        }
        const stoa_memtable_row row = block[i % BLOCK];
        places[i] = (stoa_place){piece_number(table, row.piece), row.row};
        sequences[i] = stoa_memtable_sequence(&row);
        sequence_max = sequences[i] > sequence_max ? sequences[i] : sequence_max;
        window->operations.data[i] = (uint8_t)stoa_memtable_operation(&row);
        has_only_puts = has_only_puts && window->operations.data[i] == STOA_OPERATION_PUT;
    }
    window->window.sequence_max = sequence_max;
    window->window.has_only_puts = has_only_puts;
    window->has_sequences = true;
    window->has_operations = true;
    window->places.size = (size_t)rows * sizeof *places;
    window->sequences.size = (size_t)rows * sizeof *sequences;
    window->operations.size = (size_t)rows;
    window->pieces.size = table->count * sizeof *table->pieces;
}

static void copy_numbers(const struct piece_table *table, int64_t rows,
                         stoa_run_window_rows *window) {
    const stoa_place *places = (const stoa_place *)(const void *)window->places.data;
    uint64_t *numbers = (uint64_t *)(void *)window->keys.numbers.data;
    for (int64_t i = 0; i < rows; i++) {
        numbers[i] = table->pieces[places[i].source]->keys.numbers[places[i].row];
    }
    window->keys.numbers.size = (size_t)rows * sizeof *numbers;
    window->keys.count = rows;
}

static stoa_status copy_bytes(const struct piece_table *table, int64_t rows,
                              stoa_run_window_rows *window, stoa_error *err) {
    const stoa_place *places = (const stoa_place *)(const void *)window->places.data;
    uint32_t *offsets = (uint32_t *)(void *)window->keys.offsets.data;
    offsets[0] = 0;
    for (int64_t i = 0; i < rows; i++) {
        const stoa_keys_view *keys = &table->pieces[places[i].source]->keys;
        const uint32_t *at = keys->offsets + places[i].row;
        STOA_TRY(stoa_buffer_append(&window->keys.bytes, keys->bytes + at[0], at[1] - at[0], err));
        offsets[i + 1] = (uint32_t)window->keys.bytes.size; /* 64 KiB a key: below 2^29 */
    }
    window->keys.offsets.size = (size_t)(rows + 1) * sizeof *offsets;
    window->keys.count = rows;
    return STOA_OK;
}

stoa_status stoa_run_memtable_fill(stoa_run_cursor *cursor, int64_t max_rows,
                                   stoa_run_window_rows *window, stoa_error *err) {
    struct piece_table table;
    STOA_TRY(open_table(cursor, max_rows, window, &table, err));
    STOA_TRY(reserve_rows(window, max_rows, err));
    list_rows(cursor, max_rows, window, &table);
    if (!cursor->layout->key->is_number) {
        return copy_bytes(&table, max_rows, window, err);
    }
    copy_numbers(&table, max_rows, window);
    return STOA_OK;
}

/* ---- Columns --------------------------------------------------------------------------------- */

static stoa_status interleave(const stoa_run_window_rows *window, stoa_pool *pool, int32_t column,
                              const stoa_place *places, int64_t count, struct ArrowArray *out,
                              stoa_error *err) {
    const int32_t piece_count = (int32_t)(window->pieces.size / sizeof(stoa_memtable_piece *));
    const stoa_memtable_piece *const *pieces = (const stoa_memtable_piece *const *)(const void *)
                                                   window->pieces.data;
    const size_t bytes = (size_t)piece_count * sizeof(stoa_interleave_source);
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, bytes, &memory, err));
    stoa_interleave_source *sources = memory;
    for (int32_t i = 0; i < piece_count; i++) {
        const struct ArrowArray *batch = &pieces[i]->batch;
        const struct ArrowArray *array = batch->children[column];
        sources[i] = (stoa_interleave_source){array, array->offset + batch->offset};
    }
    const stoa_status status = stoa_interleave_column(window->layout, pool, column, sources,
                                                      piece_count, places, count, out, err);
    stoa_pool_free(pool, memory, bytes);
    return status;
}

stoa_status stoa_run_memtable_column(const stoa_run_window_rows *window, stoa_pool *pool,
                                     int32_t column, const uint32_t *rows, int64_t first,
                                     int64_t count, struct ArrowArray *out, stoa_error *err) {
    const stoa_place *places = (const stoa_place *)(const void *)window->places.data;
    if (rows == NULL) {
        return interleave(window, pool, column, places + first, count, out, err);
    }
    const size_t bytes = (size_t)count * sizeof *places;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, bytes, &memory, err));
    stoa_place *chosen = memory;
    for (int64_t i = 0; i < count; i++) {
        chosen[i] = places[rows[i]];
    }
    const stoa_status status = interleave(window, pool, column, chosen, count, out, err);
    stoa_pool_free(pool, memory, bytes);
    return status;
}
