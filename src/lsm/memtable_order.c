/* The order of rows: a radix sort over the first 8 bytes of keys, which are all of a key that is a
 * number; ties of longer keys are sorted by comparing them. Rows go in from the newest to the oldest
 * and the sort is stable, so that is how versions come out. Pieces that came since the last time are
 * sorted by themselves and merged in. */
#include "lsm/memtable_internal.h"

#include "lsm/key_bytes.h"

enum { DIGITS = 256, PASSES = 8, INSERTION_MAX = 12 };

/* A row while it is sorted. */
struct item {
    uint64_t number;
    uint64_t place;
};

static uint64_t first_bytes(const stoa_memtable *table, const stoa_keys_view *keys, int64_t row) {
    if (table->layout->key->is_number) {
        return keys->numbers[row];
    }
    return stoa_key_prefix(keys->bytes + keys->offsets[row],
                           keys->offsets[row + 1] - keys->offsets[row]);
}

/* ---- Sorting --------------------------------------------------------------------------------- */

/* Least significant digit first; digits that are the same in all items cost nothing. Ends in `items`
 * or in `other`, which is returned. */
static struct item *radix_sort(struct item *items, struct item *other, int64_t count,
                               uint32_t (*counts)[DIGITS]) {
    memset(counts, 0, PASSES * sizeof *counts);
    for (int64_t i = 0; i < count; i++) {
        for (int pass = 0; pass < PASSES; pass++) {
            counts[pass][items[i].number >> (8 * pass) & 0xFF]++;
        }
    }
    for (int pass = 0; pass < PASSES; pass++) {
        uint32_t *digits = counts[pass];
        if (count == 0 || digits[items[0].number >> (8 * pass) & 0xFF] == count) {
            continue;
        }
        uint32_t place = 0;
        for (int digit = 0; digit < DIGITS; digit++) {
            const uint32_t these = digits[digit];
            digits[digit] = place;
            place += these;
        }
        for (int64_t i = 0; i < count; i++) {
            other[digits[items[i].number >> (8 * pass) & 0xFF]++] = items[i];
        }
        struct item *swap = items;
        items = other;
        other = swap;
    }
    return items;
}

/* By key, and newer rows (of greater places) first. */
static int compare_items(const stoa_memtable *table, const struct item *left,
                         const struct item *right) {
    const stoa_memtable_row a = stoa_memtable_row_at(table, left->place);
    const stoa_memtable_row b = stoa_memtable_row_at(table, right->place);
    const int order = stoa_memtable_compare(table, &a, &b);
    return order != 0 ? order : (left->place < right->place) - (left->place > right->place);
}

/* Merge sort of items whose first bytes are equal; `other` has room for as many. */
static void sort_ties(const stoa_memtable *table, struct item *items, struct item *other,
                      int64_t count) {
    if (count <= INSERTION_MAX) {
        for (int64_t i = 1; i < count; i++) {
            const struct item item = items[i];
            int64_t at = i;
            for (; at > 0 && compare_items(table, &items[at - 1], &item) > 0; at--) {
                items[at] = items[at - 1];
            }
            items[at] = item;
        }
        return;
    }
    const int64_t half = count / 2; /* so the depth is at most 24 */
    sort_ties(table, items, other, half);
    sort_ties(table, items + half, other + half, count - half);
    memcpy(other, items, (size_t)count * sizeof *items);
    int64_t left = 0, right = half;
    for (int64_t i = 0; i < count; i++) {
        const bool from_left = right == count || (left < half && compare_items(table, &other[left],
                                                                               &other[right]) < 0);
        items[i] = from_left ? other[left++] : other[right++];
    }
}

/* Marks rows that have the key of the row before them. */
static void mark_older(const stoa_memtable *table, struct item *items, int64_t count) {
    const bool is_number = table->layout->key->is_number;
    for (int64_t i = 1; i < count; i++) {
        if (items[i].number != items[i - 1].number) {
            continue;
        }
        const stoa_memtable_row a = stoa_memtable_row_at(table, items[i - 1].place);
        const stoa_memtable_row b = stoa_memtable_row_at(table, items[i].place);
        if (is_number || stoa_memtable_compare(table, &a, &b) == 0) {
            items[i].place |= STOA_MEMTABLE_OLDER;
        }
    }
}

static struct item *sort_items(const stoa_memtable *table, struct item *items, struct item *other,
                               int64_t count, uint32_t (*counts)[DIGITS]) {
    struct item *sorted = radix_sort(items, other, count, counts);
    struct item *spare = sorted == items ? other : items;
    if (table->layout->key->is_number) {
        return sorted;
    }
    for (int64_t first = 0, end; first < count; first = end) {
        end = first + 1;
        while (end < count && sorted[end].number == sorted[first].number) {
            end++;
        }
        sort_ties(table, sorted + first, spare + first, end - first);
    }
    return sorted;
}

/* ---- The order ------------------------------------------------------------------------------- */

void stoa_memtable_order_close(stoa_memtable_order *order) {
    if (atomic_fetch_sub_explicit(&order->references, 1, memory_order_acq_rel) == 1) {
        stoa_pool_free(order->pool, order->rows, (size_t)(order->count + 1) * sizeof *order->rows);
        stoa_pool_free(order->pool, order, sizeof *order);
    }
}

stoa_memtable_row stoa_memtable_order_row(const stoa_memtable *table,
                                          const stoa_memtable_order *order, int64_t index) {
    return stoa_memtable_row_at(table, order->rows[index]);
}

static stoa_status create_order(stoa_pool *pool, int64_t count, stoa_memtable_order **out,
                                stoa_error *err) {
    void *memory = NULL, *rows = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_memtable_order), &memory, err));
    const stoa_status status = stoa_pool_allocate(pool, (size_t)(count + 1) * sizeof(uint64_t),
                                                  &rows, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, memory, sizeof(stoa_memtable_order));
        return status;
    }
    stoa_memtable_order *order = memory;
    *order = (stoa_memtable_order){.pool = pool, .count = count, .rows = rows};
    atomic_init(&order->references, 1);
    *out = order;
    return STOA_OK;
}

/* The new rows are newer than all before, so of equal keys they come first: then the first of the old
 * ones is older than they are. */
static void merge(const stoa_memtable *table, const stoa_memtable_order *before,
                  const struct item *added, int64_t count, uint64_t *out) {
    const int64_t old_count = before == NULL ? 0 : before->count;
    int64_t old = 0, new = 0;
    uint64_t mark = 0; /* of the next old row */
    while (old < old_count && new < count) {
        const stoa_memtable_row a = stoa_memtable_row_at(table, before->rows[old]);
        const stoa_memtable_row b = stoa_memtable_row_at(table, added[new].place);
        const int order = stoa_memtable_compare(table, &a, &b);
        if (order < 0) {
            *out++ = before->rows[old++] | mark;
            mark = 0;
        } else {
            *out++ = added[new ++].place;
            mark = order == 0 ? STOA_MEMTABLE_OLDER : 0;
        }
    }
    for (; old < old_count; mark = 0) {
        *out++ = before->rows[old++] | mark;
    }
    while (new < count) {
        *out++ = added[new ++].place;
    }
}

/* Rows between two cursors, the newest first. */
static void list_items(const stoa_memtable *table, stoa_memtable_cursor from,
                       stoa_memtable_cursor to, struct item *items) {
    for (uint32_t number = to.piece + 1; number-- > from.piece;) {
        const stoa_keys_view *keys = &stoa_memtable_holder_at(table, number)->piece.keys;
        uint32_t end;
        const uint32_t first = stoa_memtable_rows_between(table, number, from, to, &end);
        for (uint32_t row = end; row-- > first;) {
            *items++ = (struct item){first_bytes(table, keys, row),
                                     stoa_memtable_place(number, row)};
        }
    }
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

static stoa_status extend(stoa_memtable *table, stoa_memtable_cursor end, stoa_error *err) {
    const int64_t count = count_rows(table, table->order_end, end);
    const int64_t old_count = table->order == NULL ? 0 : table->order->count;
    void *memory = NULL;
    stoa_memtable_order *order = NULL;
    if (count > UINT32_MAX) {
        return stoa_fail(err, STOA_LIMIT, "expected at most 2^32 rows in memory");
    }
    const size_t items_bytes = (size_t)count * sizeof(struct item);
    const size_t bytes = 2 * items_bytes + PASSES * DIGITS * sizeof(uint32_t);
    STOA_TRY(stoa_pool_allocate(table->pool, bytes, &memory, err));
    struct item *items = memory, *other = items + count;
    const stoa_status status = create_order(table->pool, old_count + count, &order, err);
    if (status == STOA_OK) {
        list_items(table, table->order_end, end, items);
        items = sort_items(table, items, other, count,
                           (uint32_t (*)[DIGITS])(void *)(other + count));
        mark_older(table, items, count);
        merge(table, table->order, items, count, order->rows);
        if (table->order != NULL) {
            stoa_memtable_order_close(table->order);
        }
        stoa_memtable_count_bytes(table, (size_t)count * sizeof *order->rows);
        table->order = order;
        table->order_end = end;
    }
    stoa_pool_free(table->pool, memory, bytes);
    return status;
}

/* No rows: an order of none, which is kept as well. */
stoa_status stoa_memtable_order_of(stoa_memtable *table, stoa_memtable_order **out,
                                   stoa_error *err) {
    stoa_status status = STOA_OK;
    const int64_t count = atomic_load_explicit(&table->row_count, memory_order_acquire);
    pthread_mutex_lock(&table->order_lock);
    if (table->order == NULL) {
        status = create_order(table->pool, 0, &table->order, err);
    }
    if (status == STOA_OK && table->order->count < count) {
        status = extend(table, stoa_memtable_end(table), err);
    }
    if (status == STOA_OK) {
        *out = table->order;
        atomic_fetch_add_explicit(&table->order->references, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&table->order_lock);
    return status;
}
