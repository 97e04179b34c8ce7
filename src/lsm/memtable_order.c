/* The order of rows, in chunks that orders share: rows that came since the last time are sorted by
 * themselves and put into copies of the chunks that they belong to. So a scan after a single put costs a
 * chunk, and the list of chunks, but not the table. */
#include "lsm/memtable_sort.h"

enum { CHUNK_ROWS = 2048 };

/* ---- Orders ---------------------------------------------------------------------------------- */

static size_t chunk_bytes(uint32_t capacity) {
    return sizeof(stoa_memtable_chunk) + capacity * sizeof(uint64_t);
}

static size_t order_bytes(int64_t capacity) {
    return sizeof(stoa_memtable_order) +
           (size_t)capacity * (sizeof(stoa_memtable_chunk *) + sizeof(int64_t));
}

static stoa_status create_order(stoa_pool *pool, int64_t capacity, stoa_memtable_order **out,
                                stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, order_bytes(capacity), &memory, err));
    stoa_memtable_order *order = memory;
    *order = (stoa_memtable_order){.pool = pool, .chunk_capacity = capacity};
    atomic_init(&order->references, 1);
    order->starts = (int64_t *)(void *)(order->chunks + capacity);
    *out = order;
    return STOA_OK;
}

static void add_chunk(stoa_memtable_order *order, stoa_memtable_chunk *chunk) {
    STOA_ASSERT(order->chunk_count < order->chunk_capacity);
    order->starts[order->chunk_count] = order->count;
    order->chunks[order->chunk_count++] = chunk;
    order->count += chunk->count;
}

void stoa_memtable_order_close(stoa_memtable_order *order) {
    if (atomic_fetch_sub_explicit(&order->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (int64_t i = 0; i < order->chunk_count; i++) {
        stoa_memtable_chunk *chunk = order->chunks[i];
        if (atomic_fetch_sub_explicit(&chunk->references, 1, memory_order_acq_rel) == 1) {
            stoa_pool_free(order->pool, chunk, chunk_bytes(chunk->count));
        }
    }
    stoa_pool_free(order->pool, order, order_bytes(order->chunk_capacity));
}

/* The chunk that holds a row. */
static int64_t chunk_of(const stoa_memtable_order *order, int64_t index) {
    int64_t low = 0, count = order->chunk_count;
    while (count > 1) {
        const int64_t half = count / 2;
        low += order->starts[low + half] <= index ? half : 0;
        count -= half;
    }
    return low;
}

uint64_t stoa_memtable_order_place(const stoa_memtable_order *order, int64_t index) {
    const int64_t chunk = chunk_of(order, index);
    return order->chunks[chunk]->rows[index - order->starts[chunk]];
}

stoa_memtable_row stoa_memtable_order_row(const stoa_memtable *table,
                                          const stoa_memtable_order *order, int64_t index) {
    return stoa_memtable_row_at(table, stoa_memtable_order_place(order, index));
}

void stoa_memtable_order_rows(const stoa_memtable *table, const stoa_memtable_order *order,
                              int64_t first, int64_t count, stoa_memtable_row *out) {
    for (int64_t chunk = chunk_of(order, first); count > 0; chunk++) {
        const stoa_memtable_chunk *rows = order->chunks[chunk];
        int64_t at = first - order->starts[chunk];
        for (; at < rows->count && count > 0; at++, first++, count--) {
            *out++ = stoa_memtable_row_at(table, rows->rows[at]);
        }
    }
}

/* ---- Where rows belong ------------------------------------------------------------------------ */

/* An order and the sorted rows that come into it. Once its place is known, an item's number is that:
 * SAME_KEY, and the row of the chunk that it comes before. */
struct extension {
    const stoa_memtable *table;
    const stoa_memtable_order *before;
    stoa_memtable_item *items;
    int64_t count;
    stoa_memtable_order *after;
};
static const uint64_t SAME_KEY = UINT64_C(1) << 63;

/* The key of a row against an item's, whose number is its key's yet: -1, 0 or 1. */
static int compare(const struct extension *all, uint64_t place, const stoa_memtable_item *item) {
    const stoa_memtable_row row = stoa_memtable_row_at(all->table, place);
    if (all->table->layout->key->is_number) {
        const uint64_t number = row.piece->keys.numbers[row.row];
        return (number > item->number) - (number < item->number);
    }
    const stoa_memtable_row other = stoa_memtable_row_at(all->table, item->place);
    return stoa_memtable_compare(all->table, &row, &other);
}

/* The last chunk from `chunk` on that begins with a lesser key; `chunk` where none of the others does.
 * Steps grow, so that what lies near costs little. */
static int64_t find_chunk(const struct extension *all, int64_t chunk,
                          const stoa_memtable_item *item) {
    const stoa_memtable_order *before = all->before;
    int64_t step = 1;
    while (chunk + step < before->chunk_count &&
           compare(all, before->chunks[chunk + step]->rows[0], item) < 0) {
        chunk += step;
        step *= 2;
    }
    for (; step > 0; step /= 2) {
        if (chunk + step < before->chunk_count &&
            compare(all, before->chunks[chunk + step]->rows[0], item) < 0) {
            chunk += step;
        }
    }
    return chunk;
}

/* The first row of the chunk, from `row` on, whose key is not less; the chunk's count where there is
 * none. */
static uint32_t find_row(const struct extension *all, const stoa_memtable_chunk *chunk,
                         uint32_t row, const stoa_memtable_item *item) {
    uint32_t step = 1;
    while (row + step <= chunk->count && compare(all, chunk->rows[row + step - 1], item) < 0) {
        row += step;
        step *= 2;
    }
    for (; step > 0; step /= 2) {
        if (row + step <= chunk->count && compare(all, chunk->rows[row + step - 1], item) < 0) {
            row += step;
        }
    }
    return row;
}

/* Places the items from `first` on that belong to one chunk, `*chunk` or a later one, from `*row` on;
 * returns their end. */
static int64_t place_items(const struct extension *all, int64_t first, int64_t *chunk) {
    const stoa_memtable_order *before = all->before;
    int64_t next = first;
    uint32_t row = 0;
    *chunk = find_chunk(all, *chunk, &all->items[first]);
    for (; next < all->count; next++) {
        stoa_memtable_item *item = &all->items[next];
        if (next > first && find_chunk(all, *chunk, item) != *chunk) {
            break;
        }
        row = find_row(all, before->chunks[*chunk], row, item);
        if (row == before->chunks[*chunk]->count && *chunk + 1 < before->chunk_count) {
            if (next > first) {
                break;
            }
            ++*chunk; /* it comes before the first row of the next one */
            row = 0;
        }
        const bool is_same = row < before->chunks[*chunk]->count &&
                             compare(all, before->chunks[*chunk]->rows[row], item) == 0;
        item->number = (is_same ? SAME_KEY : 0) | row;
    }
    return next;
}

/* ---- Making orders ---------------------------------------------------------------------------- */

/* Where rows of new chunks are put, which are as many as there is room for. */
struct writer {
    stoa_memtable_chunk **chunk;
    uint32_t at;
};

static void put(struct writer *writer, uint64_t row) {
    if (writer->at == (*writer->chunk)->count) {
        writer->chunk++;
        writer->at = 0;
    }
    (*writer->chunk)->rows[writer->at++] = row;
}

/* Chunks for so many rows, to be filled. */
static stoa_status make_chunks(struct extension *all, int64_t rows, struct writer *writer,
                               stoa_error *err) {
    stoa_memtable_order *after = all->after;
    const int64_t parts = (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
    *writer = (struct writer){.chunk = after->chunks + after->chunk_count};
    for (int64_t i = 0; i < parts; i++) {
        const uint32_t count = (uint32_t)(rows * (i + 1) / parts - rows * i / parts);
        void *memory = NULL;
        STOA_TRY(stoa_pool_allocate(after->pool, chunk_bytes(count), &memory, err));
        stoa_memtable_chunk *chunk = memory;
        atomic_init(&chunk->references, 1);
        chunk->count = count;
        add_chunk(after, chunk);
    }
    return STOA_OK;
}

/* New items are newer than all rows: of equal keys they come first, and the first of the old ones is
 * older than they are. */
static stoa_status merge_chunk(struct extension *all, const stoa_memtable_chunk *chunk,
                               int64_t first, int64_t end, stoa_error *err) {
    const uint32_t old_count = chunk == NULL ? 0 : chunk->count;
    struct writer writer;
    uint32_t old = 0;
    uint64_t mark = 0; /* of the next old row */
    STOA_TRY(make_chunks(all, (int64_t)old_count + end - first, &writer, err));
    for (int64_t i = first; i < end; i++) {
        const stoa_memtable_item *item = &all->items[i];
        for (; chunk != NULL && old < (uint32_t)item->number; mark = 0) {
            put(&writer, chunk->rows[old++] | mark);
        }
        put(&writer, item->place);
        mark = chunk != NULL && (item->number & SAME_KEY) != 0 ? STOA_MEMTABLE_OLDER : 0;
    }
    for (; old < old_count; mark = 0) {
        put(&writer, chunk->rows[old++] | mark);
    }
    return STOA_OK;
}

static void share_chunks(struct extension *all, int64_t first, int64_t end) {
    for (int64_t i = first; i < end; i++) {
        stoa_memtable_chunk *chunk = all->before->chunks[i];
        atomic_fetch_add_explicit(&chunk->references, 1, memory_order_relaxed);
        add_chunk(all->after, chunk);
    }
}

static stoa_status merge(struct extension *all, stoa_error *err) {
    const stoa_memtable_order *before = all->before;
    int64_t shared = 0; /* chunks before it are in the new order */
    int64_t chunk = 0;
    if (before->chunk_count == 0) {
        return merge_chunk(all, NULL, 0, all->count, err);
    }
    for (int64_t first = 0, end; first < all->count; first = end) {
        end = place_items(all, first, &chunk);
        share_chunks(all, shared, chunk);
        STOA_TRY(merge_chunk(all, before->chunks[chunk], first, end, err));
        shared = chunk + 1;
    }
    share_chunks(all, shared, before->chunk_count);
    return STOA_OK;
}

/* A chunk that gets rows becomes one more for every CHUNK_ROWS of them, begun ones included. */
static int64_t most_chunks(int64_t chunks, int64_t added) {
    const int64_t more = chunks + added / CHUNK_ROWS + 1;
    return chunks + (added < more ? added : more);
}

static stoa_status extend(stoa_memtable *table, stoa_memtable_cursor end, stoa_error *err) {
    stoa_memtable_sorted sorted;
    stoa_status status = STOA_OK;
    struct extension all = {.table = table, .before = table->order};
    STOA_CHECK(stoa_memtable_sort(table, table->order_end, end, &sorted, err));
    all.items = sorted.items;
    all.count = sorted.count;
    STOA_CHECK(create_order(table->pool, most_chunks(all.before->chunk_count, all.count),
                            &all.after, err));
    STOA_CHECK(merge(&all, err));
    stoa_memtable_count_bytes(table, (size_t)all.count * sizeof(uint64_t));
    stoa_memtable_order_close(table->order);
    table->order = all.after;
    table->order_end = end;
    all.after = NULL;

done:
    if (all.after != NULL) {
        stoa_memtable_order_close(all.after);
    }
    stoa_memtable_sorted_release(table, &sorted);
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
