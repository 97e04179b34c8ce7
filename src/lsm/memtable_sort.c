/* A radix sort over the first 8 bytes of keys, which are all of a key that is a number; ties of longer
 * keys are sorted by comparing them. Rows go in from the newest to the oldest and the sort is stable, so
 * that is how versions come out.
 *
 * The highest bits in which keys differ decide first: what is left to do then lies in the cache, and
 * of a million keys it is little. Rows that came in order are not sorted. */
#include "lsm/memtable_sort.h"

#include "lsm/key_bytes.h"

enum { DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS, INSERTION_MAX = 12, IN_CACHE_MAX = 1 << 14 };

static uint64_t first_bytes(const stoa_memtable *table, const stoa_keys_view *keys, int64_t row) {
    if (table->layout->key->is_number) {
        return keys->numbers[row];
    }
    return stoa_key_prefix(keys->bytes + keys->offsets[row],
                           keys->offsets[row + 1] - keys->offsets[row]);
}

/* ---- Sorting --------------------------------------------------------------------------------- */

static void sort_numbers(stoa_memtable_item *items, stoa_memtable_item *other, int64_t count);

static void insertion_sort(stoa_memtable_item *items, int64_t count) {
    for (int64_t i = 1; i < count; i++) {
        const stoa_memtable_item item = items[i];
        int64_t at = i;
        for (; at > 0 && items[at - 1].number > item.number; at--) {
            items[at] = items[at - 1];
        }
        items[at] = item;
    }
}

/* Moves items to `out` by the digit of 8 bits from bit `shift` on, in the order that they have; where
 * each digit ends is in `ends`. */
static void distribute(const stoa_memtable_item *items, int64_t count, int shift,
                       uint32_t ends[DIGITS], stoa_memtable_item *out) {
    uint32_t counts[DIGITS] = {0};
    uint32_t place = 0;
    for (int64_t i = 0; i < count; i++) {
        counts[items[i].number >> shift & (DIGITS - 1)]++;
    }
    for (int digit = 0; digit < DIGITS; digit++) {
        ends[digit] = place;
        place += counts[digit];
    }
    for (int64_t i = 0; i < count; i++) {
        out[ends[items[i].number >> shift & (DIGITS - 1)]++] = items[i];
    }
}

/* The highest bit in which two of the numbers differ; -1: none. */
static int top_bit(const stoa_memtable_item *items, int64_t count) {
    uint64_t different = 0;
    for (int64_t i = 1; i < count; i++) {
        different |= items[i].number ^ items[0].number;
    }
    return different == 0 ? -1 : 63 - __builtin_clzll(different);
}

/* Sorts items that are in order but for the bits below `shift`. */
static void sort_rest(stoa_memtable_item *items, stoa_memtable_item *other, int64_t count,
                      int shift) {
    for (int64_t first = 0, end; shift > 0 && first < count; first = end) {
        end = first + 1;
        while (end < count && items[end].number >> shift == items[first].number >> shift) {
            end++;
        }
        sort_numbers(items + first, other + first, end - first);
    }
}

/* Stable. As deep as a number has digits. */
static void sort_numbers(stoa_memtable_item *items, stoa_memtable_item *other, int64_t count) {
    uint32_t ends[DIGITS];
    if (count <= INSERTION_MAX) {
        insertion_sort(items, count);
        return;
    }
    const int top = top_bit(items, count);
    if (top < DIGIT_BITS || count > IN_CACHE_MAX) {
        const int shift = top < DIGIT_BITS ? 0 : top - DIGIT_BITS + 1;
        if (top >= 0) {
            distribute(items, count, shift, ends, other);
            memcpy(items, other, (size_t)count * sizeof *items);
            sort_rest(items, other, count, shift);
        }
        return;
    }
    const int shift = top < 2 * DIGIT_BITS ? 0 : top - 2 * DIGIT_BITS + 1;
    distribute(items, count, shift, ends, other);
    distribute(other, count, shift + DIGIT_BITS, ends, items);
    sort_rest(items, other, count, shift);
}

/* By key, and newer rows (of greater places) first. */
static int compare_items(const stoa_memtable *table, const stoa_memtable_item *left,
                         const stoa_memtable_item *right) {
    const stoa_memtable_row a = stoa_memtable_row_at(table, left->place);
    const stoa_memtable_row b = stoa_memtable_row_at(table, right->place);
    const int order = stoa_memtable_compare(table, &a, &b);
    return order != 0 ? order : (left->place < right->place) - (left->place > right->place);
}

/* Merge sort of items whose first bytes are equal; `other` has room for as many. */
static void sort_ties(const stoa_memtable *table, stoa_memtable_item *items,
                      stoa_memtable_item *other, int64_t count) {
    if (count <= INSERTION_MAX) {
        for (int64_t i = 1; i < count; i++) {
            const stoa_memtable_item item = items[i];
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
static void mark_older(const stoa_memtable *table, stoa_memtable_item *items, int64_t count) {
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

/* By key; `other` has room for as many. */
static void sort_items(const stoa_memtable *table, stoa_memtable_item *items,
                       stoa_memtable_item *other, int64_t count) {
    sort_numbers(items, other, count);
    for (int64_t first = 0, end; !table->layout->key->is_number && first < count; first = end) {
        end = first + 1;
        while (end < count && items[end].number == items[first].number) {
            end++;
        }
        sort_ties(table, items + first, other + first, end - first);
    }
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* Rows between two cursors, and the digit that they are distributed by. */
struct rows {
    const stoa_memtable *table;
    stoa_memtable_cursor from;
    stoa_memtable_cursor to;
    int64_t count;
    int shift;
    uint32_t ends[DIGITS]; /* of the items of each digit */
    uint32_t most;         /* items of one digit */
};

static const stoa_keys_view *piece_rows(const struct rows *rows, uint32_t number, uint32_t *first,
                                        uint32_t *end) {
    *first = stoa_memtable_rows_between(rows->table, number, rows->from, rows->to, end);
    return &stoa_memtable_holder_at(rows->table, number)->piece.keys;
}

static void find_digit(struct rows *rows) {
    uint64_t any = 0, all = UINT64_MAX; /* bits that are 1 in some number, in every number */
    uint32_t first, end;
    rows->count = 0;
    for (uint32_t number = rows->from.piece; number <= rows->to.piece; number++) {
        const stoa_keys_view *keys = piece_rows(rows, number, &first, &end);
        for (uint32_t row = first; row < end; row++) {
            const uint64_t bytes = first_bytes(rows->table, keys, row);
            any |= bytes;
            all &= bytes;
        }
        rows->count += end - first;
    }
    const uint64_t different = any & ~all;
    const int top = different == 0 ? 0 : 63 - __builtin_clzll(different);
    rows->shift = top < DIGIT_BITS ? 0 : top - DIGIT_BITS + 1;
}

/* How many rows have each digit: `ends` is where they begin, as long as none was put there. */
static void count_digits(struct rows *rows) {
    uint32_t counts[DIGITS] = {0};
    uint32_t first, end, place = 0;
    for (uint32_t number = rows->from.piece; number <= rows->to.piece; number++) {
        const stoa_keys_view *keys = piece_rows(rows, number, &first, &end);
        for (uint32_t row = first; row < end; row++) {
            counts[first_bytes(rows->table, keys, row) >> rows->shift & (DIGITS - 1)]++;
        }
    }
    rows->most = 0;
    for (int digit = 0; digit < DIGITS; digit++) {
        rows->most = counts[digit] > rows->most ? counts[digit] : rows->most;
        rows->ends[digit] = place;
        place += counts[digit];
    }
}

/* Whether each key is greater than the one before it, so that nothing is left to do: found out by the
 * first two that are not. */
static bool is_sorted(const struct rows *rows) {
    const stoa_key_format *format = rows->table->layout->key;
    const stoa_keys_view *before = NULL;
    uint32_t first, end, last = 0; /* the row before, of `before` */
    for (uint32_t number = rows->from.piece; number <= rows->to.piece; number++) {
        const stoa_keys_view *keys = piece_rows(rows, number, &first, &end);
        for (uint32_t row = first; row < end; row++) {
            if (before != NULL && stoa_keys_compare(format, before, last, keys, row) >= 0) {
                return false;
            }
            before = keys;
            last = row;
        }
    }
    return true;
}

static void list_rows(const struct rows *rows, stoa_memtable_item *out) {
    uint32_t first, end;
    for (uint32_t number = rows->from.piece; number <= rows->to.piece; number++) {
        const stoa_keys_view *keys = piece_rows(rows, number, &first, &end);
        for (uint32_t row = first; row < end; row++) {
            *out++ = (stoa_memtable_item){first_bytes(rows->table, keys, row),
                                          stoa_memtable_place(number, row)};
        }
    }
}

/* Newest first. */
static void distribute_rows(struct rows *rows, stoa_memtable_item *out) {
    uint32_t first, end;
    for (uint32_t number = rows->to.piece + 1; number-- > rows->from.piece;) {
        const stoa_keys_view *keys = piece_rows(rows, number, &first, &end);
        for (uint32_t row = end; row-- > first;) {
            const uint64_t bytes = first_bytes(rows->table, keys, row);
            const uint64_t digit = bytes >> rows->shift & (DIGITS - 1);
            out[rows->ends[digit]++] = (stoa_memtable_item){bytes,
                                                            stoa_memtable_place(number, row)};
        }
    }
}

/* `items` has room for all, and for the most that have one digit behind them. */
static void sort_rows(struct rows *rows, stoa_memtable_item *items) {
    distribute_rows(rows, items);
    for (int digit = 0; digit < DIGITS; digit++) {
        const int64_t first = digit == 0 ? 0 : rows->ends[digit - 1];
        sort_items(rows->table, items + first, items + rows->count, rows->ends[digit] - first);
    }
    mark_older(rows->table, items, rows->count);
}

stoa_status stoa_memtable_sort(const stoa_memtable *table, stoa_memtable_cursor from,
                               stoa_memtable_cursor to, stoa_memtable_sorted *out,
                               stoa_error *err) {
    struct rows rows = {.table = table, .from = from, .to = to};
    void *memory = NULL;
    *out = (stoa_memtable_sorted){0};
    find_digit(&rows);
    if (rows.count > UINT32_MAX) {
        return stoa_fail(err, STOA_LIMIT, "expected at most 2^32 rows in memory");
    }
    const bool in_order = is_sorted(&rows);
    if (!in_order) {
        count_digits(&rows);
    }
    const size_t bytes = ((size_t)rows.count + rows.most) * sizeof(stoa_memtable_item);
    STOA_TRY(stoa_pool_allocate(table->pool, bytes, &memory, err));
    *out = (stoa_memtable_sorted){memory, rows.count, bytes};
    if (in_order) {
        list_rows(&rows, out->items);
    } else {
        sort_rows(&rows, out->items);
    }
    return STOA_OK;
}

void stoa_memtable_sorted_release(const stoa_memtable *table, stoa_memtable_sorted *sorted) {
    if (sorted->items != NULL) {
        stoa_pool_free(table->pool, sorted->items, sorted->bytes);
    }
    *sorted = (stoa_memtable_sorted){0};
}
