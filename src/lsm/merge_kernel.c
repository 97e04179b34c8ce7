/* Three loops: one window alone is handed on whole; two windows of numbers are merged without a branch
 * that depends on keys, 64 rows at a time, into a word that says where each row comes from; all else
 * goes through a tree of losers. Wherever one window's rows lie below all others for a while, their
 * end is searched for instead (galloping).
 *
 * Keys that are no numbers are compared by the 8 bytes behind what all of them begin with, and by all
 * bytes only where these are equal. The slow twin stands in tests/lsm/prop_merge.c. */
#include "lsm/merge_kernel.h"

#include "base/bytes.h"
#include "lsm/key_bytes.h"

enum { WORD = 64, STREAK = 8 }; /* rows of one window in a row before it is worth a search */

#define NO_HEAD UINT32_MAX

/* ---- Keys ------------------------------------------------------------------------------------ */

struct bytes {
    const uint8_t *data;
    uint32_t size;
};

static inline struct bytes bytes_at(const stoa_keys_view *keys, uint32_t row) {
    const uint32_t *at = keys->offsets + row;
    return (struct bytes){keys->bytes + at[0], at[1] - at[0]};
}

/* What stoa_merge_head.key is for a row. */
static inline uint64_t key_of(const stoa_merge_state *state, const stoa_keys_view *keys,
                              uint32_t row) {
    if (state->is_number) {
        return keys->numbers[row];
    }
    const struct bytes key = bytes_at(keys, row);
    if (key.size >= state->common + sizeof(uint64_t)) {
        return __builtin_bswap64(stoa_load_u64(key.data + state->common));
    }
    /* A file whose keys are in no order may have one that is shorter than what they should share. */
    return key.size > state->common
               ? stoa_key_prefix(key.data + state->common, key.size - state->common)
               : 0;
}

/* Of rows whose `key` is the same. */
static int compare_bytes(const stoa_keys_view *left, uint32_t left_row, const stoa_keys_view *right,
                         uint32_t right_row) {
    const struct bytes a = bytes_at(left, left_row), b = bytes_at(right, right_row);
    return stoa_bytes_compare(a.data, a.size, b.data, b.size);
}

/* Whether a row has the key of the row before it in the output. */
static inline bool is_last(const stoa_merge_state *state, const stoa_merge_head *head,
                           uint32_t row) {
    if (!state->has_last) {
        return false;
    }
    if (state->is_number) {
        return head->keys.numbers[row] == state->last_number;
    }
    const struct bytes key = bytes_at(&head->keys, row);
    return key.size == state->last_size &&
           (key.size == 0 || memcmp(key.data, state->last_bytes, key.size) == 0);
}

static inline void set_last(stoa_merge_state *state, const stoa_merge_head *head, uint32_t row) {
    state->has_last = true;
    if (state->is_number) {
        state->last_number = head->keys.numbers[row];
    } else {
        const struct bytes key = bytes_at(&head->keys, row);
        state->last_bytes = key.data;
        state->last_size = key.size;
    }
}

/* ---- Spans ----------------------------------------------------------------------------------- */

/* Rows of a head from its next one on; they follow what was put before where that is possible. */
static inline void put_span(stoa_merge_state *state, stoa_merge_head *head, uint32_t count,
                            bool continues) {
    stoa_merge_span *before = &state->spans[state->span_count - 1];
    if (!continues && before->run == head->run) {
        before->count += count;
    } else {
        state->spans[state->span_count++] = (stoa_merge_span){head->next, count, head->run,
                                                              continues};
    }
    head->next += count;
    state->row_count += count;
}

/* The same for rows that may have keys twice. Ends with the last row's key as the last. */
static void put_rows(stoa_merge_state *state, stoa_merge_head *head, uint32_t count) {
    const uint32_t end = head->next + count;
    bool continues = is_last(state, head, head->next);
    for (uint32_t row = head->next; head->may_repeat && row + 1 < end; row++) {
        set_last(state, head, row);
        if (is_last(state, head, row + 1)) {
            put_span(state, head, row + 1 - head->next, continues);
            continues = true;
        }
    }
    set_last(state, head, end - 1);
    put_span(state, head, end - head->next, continues);
}

/* ---- Galloping ------------------------------------------------------------------------------- */

/* Whether a row of the head comes before the row `limit` stands at. Of equal keys the newer run's does. */
static bool comes_before(const stoa_merge_state *state, const stoa_merge_head *head, uint32_t row,
                         const stoa_merge_head *limit) {
    const uint64_t key = key_of(state, &head->keys, row);
    if (key != limit->key) {
        return key < limit->key;
    }
    const int order = state->is_number ? 0
                                       : compare_bytes(&head->keys, row, &limit->keys, limit->next);
    return order != 0 ? order < 0 : head->run < limit->run;
}

/* How many of the head's rows come before the limit's next one, at most `most`; the first one does. */
static uint32_t gallop(const stoa_merge_state *state, const stoa_merge_head *head,
                       const stoa_merge_head *limit, uint32_t most) {
    uint32_t low = 1, step = 1; /* rows [0, low) do */
    while (low + step <= most && comes_before(state, head, head->next + low + step - 1, limit)) {
        low += step;
        step *= 2;
    }
    uint32_t count = low + step <= most ? step - 1 : most - low;
    while (count > 0) {
        const uint32_t half = count / 2;
        if (comes_before(state, head, head->next + low + half, limit)) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

static inline uint32_t rows_left(const stoa_merge_state *state, const stoa_merge_head *head) {
    const int64_t rows = head->count - head->next, room = state->rows_max - state->row_count;
    return (uint32_t)(rows < room ? rows : room);
}

/* ---- Two windows of numbers ------------------------------------------------------------------ */

/* Turns a word of origins (bit i: row i comes from `b`) into spans. `same` has the rows that have the
 * key of the row before. */
static inline void put_word(stoa_merge_state *state, stoa_merge_head *a, stoa_merge_head *b,
                            uint64_t origins, uint64_t same) {
    stoa_merge_span *span = &state->spans[state->span_count - 1];
    const uint64_t carried = span->run == a->run ? 0 : span->run == b->run ? 1 : ~origins & 1;
    uint64_t begins = (origins ^ (origins << 1 | carried)) | same;
    uint32_t at = begins != 0 ? (uint32_t)__builtin_ctzll(begins) : WORD;
    uint32_t next[2] = {a->next, b->next};
    if (at > 0) {
        span->count += at;
        next[origins & 1] += at;
    }
    while (begins != 0) {
        const uint32_t from_b = origins >> at & 1;
        const bool continues = same >> at & 1;
        begins &= begins - 1;
        const uint32_t end = begins != 0 ? (uint32_t)__builtin_ctzll(begins) : WORD;
        *++span = (stoa_merge_span){next[from_b], end - at, from_b ? b->run : a->run, continues};
        next[from_b] += end - at;
        at = end;
    }
    state->span_count = span - state->spans + 1;
    state->row_count += WORD;
    a->next = next[0];
    b->next = next[1];
}

static inline void merge_word(stoa_merge_state *state, stoa_merge_head *a, stoa_merge_head *b) {
    const uint64_t *left = a->keys.numbers + a->next, *right = b->keys.numbers + b->next;
    uint64_t origins = 0, same = 0;
    uint64_t last = state->has_last ? state->last_number : ~(*left < *right ? *left : *right);
    for (int i = 0; i < WORD; i++) {
        const uint64_t l = *left, r = *right;
        const uint64_t from_right = r < l;
        const uint64_t key = from_right ? r : l;
        origins |= from_right << i;
        same |= (uint64_t)(key == last) << i;
        last = key;
        right += from_right;
        left += 1 - from_right;
    }
    state->has_last = true;
    state->last_number = last;
    put_word(state, a, b, origins, same);
}

/* `a` is the newer one. Stops where a window has no more rows, which it says, or too few for a word. */
static bool merge_two(stoa_merge_state *state, stoa_merge_head *a, stoa_merge_head *b) {
    const uint64_t *left = a->keys.numbers, *right = b->keys.numbers;
    while (a->count - a->next >= WORD && b->count - b->next >= WORD &&
           state->rows_max - state->row_count >= WORD) {
        a->key = left[a->next];
        b->key = right[b->next];
        if (left[a->next + WORD - 1] <= b->key) {
            put_rows(state, a, gallop(state, a, b, rows_left(state, a)));
        } else if (right[b->next + WORD - 1] < a->key) {
            put_rows(state, b, gallop(state, b, a, rows_left(state, b)));
        } else {
            merge_word(state, a, b);
        }
    }
    return a->next == a->count || b->next == b->count;
}

/* ---- The tree of losers ---------------------------------------------------------------------- */

/* Whether head `x` with key `x_key` comes before head `y`. Places of the tree without a head come last. */
static inline bool beats(const stoa_merge_state *state, uint64_t x_key, uint32_t x, uint64_t y_key,
                         uint32_t y, const bool is_number) {
    if (is_number || x_key != y_key || x == NO_HEAD || y == NO_HEAD) {
        return (x_key < y_key) | ((x_key == y_key) & (x < y));
    }
    const stoa_merge_head *a = &state->heads[x], *b = &state->heads[y];
    const int order = compare_bytes(&a->keys, a->next, &b->keys, b->next);
    return order != 0 ? order < 0 : x < y;
}

/* Goes up from head `winner`'s leaf with its new key; returns the head that has the first key now. */
static inline uint32_t replay(stoa_merge_state *state, uint32_t leaves, uint32_t winner,
                              const bool is_number) {
    uint64_t key = state->heads[winner].key;
    for (uint32_t node = (leaves + winner) / 2; node > 0; node /= 2) {
        const uint64_t other_key = state->loser_keys[node];
        const uint32_t other = state->losers[node];
        const bool swaps = beats(state, other_key, other, key, winner, is_number);
        state->loser_keys[node] = swaps ? key : other_key;
        state->losers[node] = swaps ? winner : other;
        key = swaps ? other_key : key;
        winner = swaps ? other : winner;
    }
    return winner;
}

/* Plays all matches below a node and returns the winner. As deep as the tree: at most 10. */
static uint32_t play(stoa_merge_state *state, uint32_t leaves, uint32_t node,
                     const bool is_number) {
    if (node >= leaves) {
        return node - leaves < (uint32_t)state->head_count ? node - leaves : NO_HEAD;
    }
    const uint32_t left = play(state, leaves, 2 * node, is_number);
    const uint32_t right = play(state, leaves, 2 * node + 1, is_number);
    const uint64_t left_key = left == NO_HEAD ? UINT64_MAX : state->heads[left].key;
    const uint64_t right_key = right == NO_HEAD ? UINT64_MAX : state->heads[right].key;
    const bool left_wins = beats(state, left_key, left, right_key, right, is_number);
    state->loser_keys[node] = left_wins ? right_key : left_key;
    state->losers[node] = left_wins ? right : left;
    return left_wins ? left : right;
}

/* The best of those that lost to the winner on its way up. */
static uint32_t runner_up(const stoa_merge_state *state, uint32_t leaves, uint32_t winner,
                          const bool is_number) {
    uint32_t best = NO_HEAD;
    uint64_t best_key = UINT64_MAX;
    for (uint32_t node = (leaves + winner) / 2; node > 0; node /= 2) {
        if (beats(state, state->loser_keys[node], state->losers[node], best_key, best, is_number)) {
            best = state->losers[node];
            best_key = state->loser_keys[node];
        }
    }
    return best;
}

/* One row of the winner. Returns false when that was its window's last. */
static inline bool put_row(stoa_merge_state *state, stoa_merge_head *head, const bool is_number) {
    const bool continues = is_number ? state->has_last & (head->key == state->last_number)
                                     : is_last(state, head, head->next);
    stoa_merge_span *spans = state->spans;
    const int64_t last = state->span_count - 1;
    if (continues || spans[last].run != head->run) {
        spans[state->span_count++] = (stoa_merge_span){head->next, 1, head->run, continues};
    } else {
        spans[last].count++;
    }
    if (is_number) {
        state->has_last = true;
        state->last_number = head->key;
    } else {
        set_last(state, head, head->next);
    }
    state->row_count++;
    return ++head->next < head->count;
}

static inline void merge_tree(stoa_merge_state *state, const bool is_number) {
    uint32_t leaves = 2;
    while (leaves < (uint32_t)state->head_count) {
        leaves *= 2;
    }
    for (int32_t i = 0; i < state->head_count; i++) {
        state->heads[i].key = key_of(state, &state->heads[i].keys, state->heads[i].next);
    }
    uint32_t winner = play(state, leaves, 1, is_number), streak = 0;
    while (state->row_count < state->rows_max) {
        stoa_merge_head *head = &state->heads[winner];
        if (streak < STREAK) {
            if (!put_row(state, head, is_number)) {
                return;
            }
        } else {
            const uint32_t second = runner_up(state, leaves, winner, is_number);
            put_rows(state, head,
                     gallop(state, head, &state->heads[second], rows_left(state, head)));
            if (head->next == head->count) {
                return;
            }
        }
        head->key = key_of(state, &head->keys, head->next);
        const uint32_t next = replay(state, leaves, winner, is_number);
        streak = next == winner ? streak + 1 : 0;
        winner = next;
    }
}

void stoa_merge_heads(stoa_merge_state *state) {
    if (state->head_count == 1) {
        put_rows(state, &state->heads[0], rows_left(state, &state->heads[0]));
        return;
    }
    if (!state->is_number) {
        merge_tree(state, false);
        return;
    }
    if (state->head_count == 2 && merge_two(state, &state->heads[0], &state->heads[1])) {
        return;
    }
    merge_tree(state, true);
}
