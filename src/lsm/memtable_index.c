/* The hash table: open addressing over slots of 64 bits, 16 of the key's hash above the place of its
 * newest row (plus one, so that 0 is empty). Older versions hang behind it: `before` of a row holds the
 * place of the one before, plus one.
 *
 * Who finds that rows are not in it takes the lock and adds them, piece by piece, with the next slots
 * prefetched while one is filled. Looking something up takes no lock: slots are only filled, or turned
 * to a newer row whose `before` was written first; a table that became too small is kept until the end. */
#include "lsm/memtable_internal.h"

#include "base/hash.h"
#include "lsm/key_bytes.h"

enum { SLOTS_MIN = 1 << 10, EXPECT_MIN = 1 << 12, AHEAD = 16, TAG_SHIFT = 48 };

static uint64_t hash_of(const stoa_memtable *table, const stoa_keys_view *keys, int64_t row) {
    return table->layout->key->is_number ? stoa_hash_u64(keys->numbers[row])
                                         : stoa_hash64(keys->bytes + keys->offsets[row],
                                                       keys->offsets[row + 1] - keys->offsets[row]);
}

static uint64_t slot_value(uint64_t hash, uint64_t place) {
    return hash >> TAG_SHIFT << TAG_SHIFT | (place + 1);
}

static uint64_t place_of(uint64_t slot) {
    return (slot & ((UINT64_C(1) << TAG_SHIFT) - 1)) - 1;
}

static size_t slots_bytes(uint64_t count) {
    return sizeof(stoa_memtable_slots) + (size_t)count * sizeof(uint64_t);
}

void stoa_memtable_index_release(stoa_memtable *table) {
    stoa_memtable_slots *slots = atomic_load(&table->slots);
    while (slots != NULL) {
        stoa_memtable_slots *before = slots->before;
        stoa_pool_free(table->pool, slots, slots_bytes(slots->mask + 1));
        slots = before;
    }
}

/* ---- Adding rows ----------------------------------------------------------------------------- */

/* Twice as many slots as keys, or more: where there are too few, for as many as are expected. The keys
 * that are in the old table go into the new one. */
static stoa_status grow(stoa_memtable *table, int64_t keys, int64_t expected, stoa_error *err) {
    stoa_memtable_slots *old = atomic_load_explicit(&table->slots, memory_order_relaxed);
    uint64_t count = old == NULL ? SLOTS_MIN : old->mask + 1;
    void *memory = NULL;
    if (old != NULL && (uint64_t)keys * 2 <= count) {
        return STOA_OK;
    }
    while ((uint64_t)(expected > keys ? expected : keys) * 2 > count) {
        count *= 2;
    }
    STOA_TRY(stoa_pool_allocate(table->pool, slots_bytes(count), &memory, err));
    memset(memory, 0, slots_bytes(count));
    stoa_memtable_slots *slots = memory;
    slots->before = old;
    slots->mask = count - 1;
    for (uint64_t i = 0; old != NULL && i <= old->mask; i++) {
        const uint64_t value = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
        if (value != 0) {
            const stoa_memtable_row row = stoa_memtable_row_at(table, place_of(value));
            uint64_t at = hash_of(table, &row.piece->keys, row.row) & slots->mask;
            while (atomic_load_explicit(&slots->slots[at], memory_order_relaxed) != 0) {
                at = (at + 1) & slots->mask;
            }
            atomic_store_explicit(&slots->slots[at], value, memory_order_relaxed);
        }
    }
    atomic_store_explicit(&table->slots, slots, memory_order_release);
    stoa_memtable_count_bytes(table, slots_bytes(count));
    return STOA_OK;
}

static void add_row(stoa_memtable *table, stoa_memtable_slots *slots, stoa_memtable_piece *piece,
                    uint32_t number, uint32_t row, uint64_t hash) {
    const stoa_memtable_row added = {piece, row};
    const uint64_t value = slot_value(hash, stoa_memtable_place(number, row));
    uint64_t at = hash & slots->mask;
    for (;; at = (at + 1) & slots->mask) {
        const uint64_t found = atomic_load_explicit(&slots->slots[at], memory_order_relaxed);
        if (found == 0) {
            piece->before[row] = 0;
            table->indexed_keys++;
            break;
        }
        if (found >> TAG_SHIFT == hash >> TAG_SHIFT) {
            const stoa_memtable_row other = stoa_memtable_row_at(table, place_of(found));
            if (stoa_memtable_compare(table, &added, &other) == 0) {
                piece->before[row] = place_of(found) + 1;
                break;
            }
        }
    }
    atomic_store_explicit(&slots->slots[at], value, memory_order_release);
}

/* Room for `before` of all rows that a piece may get. */
static stoa_status make_before(stoa_memtable *table, stoa_memtable_holder *holder,
                               stoa_error *err) {
    const size_t bytes = (size_t)holder->capacity * sizeof *holder->piece.before;
    void *memory = NULL;
    if (holder->piece.before == NULL) {
        STOA_TRY(stoa_pool_allocate(table->pool, bytes, &memory, err));
        holder->piece.before = memory;
        stoa_memtable_count_bytes(table, bytes);
    }
    return STOA_OK;
}

static stoa_status add_rows(stoa_memtable *table, uint32_t number, uint32_t first, uint32_t end,
                            stoa_error *err) {
    stoa_memtable_holder *holder = stoa_memtable_holder_at(table, number);
    const stoa_keys_view *keys = &holder->piece.keys;
    uint64_t hashes[AHEAD];
    STOA_TRY(make_before(table, holder, err));
    stoa_memtable_slots *slots = atomic_load_explicit(&table->slots, memory_order_relaxed);
    for (uint32_t i = first; i < end + AHEAD; i++) {
        if (i >= first + AHEAD) {
            add_row(table, slots, &holder->piece, number, i - AHEAD, hashes[i % AHEAD]);
        }
        if (i < end) {
            hashes[i % AHEAD] = hash_of(table, keys, i);
            __builtin_prefetch(&slots->slots[hashes[i % AHEAD] & slots->mask]);
        }
    }
    return STOA_OK;
}

static int64_t count_rows(const stoa_memtable *table, stoa_memtable_cursor from,
                          stoa_memtable_cursor to) {
    int64_t count = 0;
    for (uint32_t number = from.piece; number <= to.piece; number++) {
        uint32_t end;
        const uint32_t first = stoa_memtable_rows_between(table, number, from, to, &end);
        count += end - first;
    }
    return count;
}

/* Keys that there will be when `left` more rows are in, if as many of them are new as of those before. */
static int64_t expected_keys(const stoa_memtable *table, int64_t done, int64_t left) {
    return done < EXPECT_MIN ? 0
                             : table->indexed_keys + (int64_t)((double)table->indexed_keys /
                                                               (double)done * (double)left);
}

static stoa_status extend(stoa_memtable *table, stoa_error *err) {
    const stoa_memtable_cursor end = stoa_memtable_end(table);
    stoa_memtable_cursor *at = &table->index_end;
    const int64_t before = atomic_load_explicit(&table->indexed_rows, memory_order_relaxed);
    const int64_t total = count_rows(table, *at, end);
    int64_t added = 0;
    stoa_status status = STOA_OK;
    while (at->piece < end.piece || at->row < end.row) {
        uint32_t piece_end;
        const uint32_t first = stoa_memtable_rows_between(table, at->piece, *at, end, &piece_end);
        if (first < piece_end) {
            const int64_t expected = expected_keys(table, before + added, total - added);
            STOA_CHECK(grow(table, table->indexed_keys + (piece_end - first), expected, err));
            STOA_CHECK(add_rows(table, at->piece, first, piece_end, err));
        }
        added += piece_end - first;
        *at = at->piece < end.piece ? (stoa_memtable_cursor){at->piece + 1, 0} : end;
    }

done:
    atomic_store_explicit(&table->indexed_rows, before + added, memory_order_release);
    return status;
}

/* The rows that are there now, at least, are in the index. */
static stoa_status catch_up(stoa_memtable *table, stoa_error *err) {
    const int64_t count = atomic_load_explicit(&table->row_count, memory_order_acquire);
    if (atomic_load_explicit(&table->indexed_rows, memory_order_acquire) >= count) {
        return STOA_OK;
    }
    pthread_mutex_lock(&table->index_lock);
    stoa_status status = STOA_OK;
    if (atomic_load_explicit(&table->indexed_rows, memory_order_relaxed) < count) {
        status = extend(table, err);
    }
    pthread_mutex_unlock(&table->index_lock);
    return status;
}

/* ---- Looking up ------------------------------------------------------------------------------ */

static bool is_key(const stoa_memtable *table, const stoa_memtable_row *row, const uint8_t *key,
                   size_t size, uint64_t number) {
    const stoa_keys_view *keys = &row->piece->keys;
    if (table->layout->key->is_number) {
        return keys->numbers[row->row] == number;
    }
    const uint32_t first = keys->offsets[row->row];
    return keys->offsets[row->row + 1] - first == size &&
           (size == 0 || memcmp(keys->bytes + first, key, size) == 0);
}

void stoa_memtable_before(const stoa_memtable *table, const stoa_memtable_row *row,
                          stoa_memtable_row *out) {
    const uint64_t before = row->piece->before[row->row];
    *out = before == 0 ? (stoa_memtable_row){0} : stoa_memtable_row_at(table, before - 1);
}

stoa_status stoa_memtable_get(stoa_memtable *table, const uint8_t *key, size_t size,
                              uint64_t sequence, stoa_memtable_row *out, stoa_error *err) {
    *out = (stoa_memtable_row){0};
    STOA_TRY(catch_up(table, err));
    const stoa_memtable_slots *slots = atomic_load_explicit(&table->slots, memory_order_acquire);
    if (slots == NULL) {
        return STOA_OK;
    }
    const bool is_number = table->layout->key->is_number;
    const uint64_t number = is_number ? stoa_key_get_number(key, (int32_t)size) : 0;
    const uint64_t hash = is_number ? stoa_hash_u64(number) : stoa_hash64(key, size);
    for (uint64_t at = hash & slots->mask;; at = (at + 1) & slots->mask) {
        const uint64_t found = atomic_load_explicit(&slots->slots[at], memory_order_acquire);
        if (found == 0) {
            return STOA_OK;
        }
        stoa_memtable_row row = stoa_memtable_row_at(table, place_of(found));
        if (found >> TAG_SHIFT != hash >> TAG_SHIFT || !is_key(table, &row, key, size, number)) {
            continue;
        }
        while (row.piece != NULL && stoa_memtable_sequence(&row) > sequence) {
            stoa_memtable_before(table, &row, &row);
        }
        *out = row;
        return STOA_OK;
    }
}
