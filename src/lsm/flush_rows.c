/* A row is a place among the pieces of all memtables, with a mark where it has the key of the row before
 * it: so keys are compared once, when a memtable is sorted or two are merged, and not to find versions. */
#include "lsm/flush_rows.h"

#include "lsm/memtable_internal.h"

/* An order of rows while it is made; rows as those of stoa_memtable_order. */
struct list {
    uint64_t *rows;
    int64_t count;
};

static void free_list(stoa_pool *pool, struct list *list) {
    if (list->rows != NULL) {
        stoa_pool_free(pool, list->rows, (size_t)list->count * sizeof *list->rows);
    }
    *list = (struct list){0};
}

static stoa_status make_list(stoa_pool *pool, int64_t count, struct list *out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, (size_t)count * sizeof *out->rows, &memory, err));
    *out = (struct list){memory, count};
    return STOA_OK;
}

static stoa_memtable_row row_at(const stoa_flush_rows *rows, uint64_t row) {
    return (stoa_memtable_row){rows->pieces[stoa_memtable_place_piece(row)],
                               stoa_memtable_place_row(row)};
}

/* ---- Memtables ------------------------------------------------------------------------------- */

static stoa_status add_pieces(stoa_flush_rows *rows, const stoa_memtable *table, stoa_error *err) {
    const int64_t count = stoa_memtable_end(table).piece + INT64_C(1);
    void *memory = (void *)rows->pieces;
    if (rows->piece_count + count > (INT64_C(1) << STOA_MEMTABLE_PIECE_BITS)) {
        return stoa_fail(err, STOA_LIMIT, "expected at most 2^24 batches in one flush");
    }
    STOA_TRY(stoa_pool_reallocate(rows->pool, &memory,
                                  (size_t)rows->piece_capacity * sizeof *rows->pieces,
                                  (size_t)(rows->piece_count + count) * sizeof *rows->pieces, err));
    rows->pieces = memory;
    rows->piece_capacity = rows->piece_count + count;
    for (int64_t i = 0; i < count; i++) {
        rows->pieces[rows->piece_count++] = &stoa_memtable_holder_at(table, (uint32_t)i)->piece;
    }
    return STOA_OK;
}

/* The order of one memtable, with the numbers that its pieces have among all. */
static stoa_status list_memtable(stoa_flush_rows *rows, stoa_memtable *table, struct list *out,
                                 stoa_error *err) {
    const uint64_t base = stoa_memtable_place((uint32_t)rows->piece_count, 0);
    stoa_memtable_order *order = NULL;
    *out = (struct list){0};
    if (stoa_memtable_row_count(table) == 0) {
        return STOA_OK;
    }
    STOA_TRY(add_pieces(rows, table, err));
    STOA_TRY(stoa_memtable_order_of(table, &order, err));
    const stoa_status status = make_list(rows->pool, order->count, out, err);
    uint64_t *next = out->rows;
    for (int64_t i = 0; status == STOA_OK && i < order->chunk_count; i++) {
        const stoa_memtable_chunk *chunk = order->chunks[i];
        for (uint32_t row = 0; row < chunk->count; row++) {
            *next++ = chunk->rows[row] + base;
        }
    }
    stoa_memtable_order_close(order);
    return status;
}

/* Of equal keys the newer rows come first; the older list is merged in and freed, as is the other. */
static stoa_status merge(stoa_flush_rows *rows, struct list *newer, struct list *older,
                         struct list *out, stoa_error *err) {
    const stoa_key_format *key = rows->layout->key;
    struct list merged;
    int64_t a = 0, b = 0, at = 0;
    uint64_t mark = 0; /* of the next older row */
    STOA_TRY(make_list(rows->pool, newer->count + older->count, &merged, err));
    while (a < newer->count && b < older->count) {
        const stoa_memtable_row left = row_at(rows, newer->rows[a]);
        const stoa_memtable_row right = row_at(rows, older->rows[b]);
        const int order = stoa_keys_compare(key, &left.piece->keys, left.row, &right.piece->keys,
                                            right.row);
        if (order <= 0) {
            merged.rows[at++] = newer->rows[a++];
            mark = order == 0 ? STOA_MEMTABLE_OLDER : 0;
        } else {
            merged.rows[at++] = older->rows[b++] | mark;
            mark = 0;
        }
    }
    for (; a < newer->count; a++) {
        merged.rows[at++] = newer->rows[a];
    }
    for (; b < older->count; b++, mark = 0) {
        merged.rows[at++] = older->rows[b] | mark;
    }
    free_list(rows->pool, newer);
    free_list(rows->pool, older);
    *out = merged;
    return STOA_OK;
}

static stoa_status list_all(stoa_flush_rows *rows, stoa_memtable *const *memtables, int32_t count,
                            struct list *out, stoa_error *err) {
    STOA_TRY(list_memtable(rows, memtables[0], out, err));
    for (int32_t i = 1; i < count; i++) {
        struct list older;
        STOA_ASSERT(memtables[i]->layout == rows->layout);
        stoa_status status = list_memtable(rows, memtables[i], &older, err);
        if (status == STOA_OK && older.count > 0) {
            status = merge(rows, out, &older, out, err);
        }
        if (status != STOA_OK) {
            free_list(rows->pool, &older);
            return status;
        }
    }
    return STOA_OK;
}

/* ---- Versions -------------------------------------------------------------------------------- */

/* Whether a snapshot sees a version, which is followed by one of sequence `next`. */
static bool is_seen(const uint64_t *snapshots, int64_t count, uint64_t sequence, uint64_t next) {
    int64_t low = 0, high = count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (snapshots[middle] < sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && snapshots[low] < next;
}

/* Into places. Of a key with one version nothing is looked at; otherwise a version stays if it is the
 * newest, if a snapshot sees it, or if what stays above it is merged into it. */
static void choose(stoa_flush_rows *rows, const struct list *list, const uint64_t *snapshots,
                   int64_t snapshot_count) {
    uint64_t next = 0;  /* the sequence of the version above */
    bool merges = true; /* what stays above, if anything, is an operand */
    for (int64_t i = 0; i < list->count; i++) {
        const uint64_t entry = list->rows[i];
        const bool is_older = (entry & STOA_MEMTABLE_OLDER) != 0;
        const bool has_older = i + 1 < list->count &&
                               (list->rows[i + 1] & STOA_MEMTABLE_OLDER) != 0;
        bool stays = true;
        if (is_older || has_older) {
            const stoa_memtable_row row = row_at(rows, entry);
            const uint64_t sequence = stoa_memtable_sequence(&row);
            stays = !is_older || merges || is_seen(snapshots, snapshot_count, sequence, next);
            merges = stays && stoa_memtable_operation(&row) == STOA_OPERATION_MERGE;
            next = sequence;
        }
        if (stays) {
            rows->places[rows->count++] = (stoa_place){stoa_memtable_place_piece(entry),
                                                       stoa_memtable_place_row(entry)};
        }
    }
}

stoa_status stoa_flush_rows_init(stoa_flush_rows *out, stoa_pool *pool,
                                 stoa_memtable *const *memtables, int32_t count,
                                 const uint64_t *snapshots, int64_t snapshot_count,
                                 stoa_error *err) {
    struct list list = {0};
    void *memory = NULL;
    stoa_status status = STOA_OK;
    *out = (stoa_flush_rows){.pool = pool, .layout = memtables[0]->layout};
    STOA_CHECK(list_all(out, memtables, count, &list, err));
    STOA_CHECK(stoa_pool_allocate(pool, (size_t)list.count * sizeof *out->places, &memory, err));
    out->places = memory;
    out->capacity = list.count;
    choose(out, &list, snapshots, snapshot_count);

done:
    free_list(pool, &list);
    return status;
}

void stoa_flush_rows_release(stoa_flush_rows *rows) {
    if (rows->places != NULL) {
        stoa_pool_free(rows->pool, rows->places, (size_t)rows->capacity * sizeof *rows->places);
    }
    if (rows->pieces != NULL) {
        stoa_pool_free(rows->pool, (void *)rows->pieces,
                       (size_t)rows->piece_capacity * sizeof *rows->pieces);
    }
    *rows = (stoa_flush_rows){0};
}
