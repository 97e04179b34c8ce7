/* Sets of key ranges, and which of them hold a key.
 *
 * A finished set is a search tree without pointers: sorted by `from`, the middle of a part is its root.
 * Of every part its root knows which range reaches furthest and the newest sequence number, so that a
 * part that ends before the key, or is older than what was found, is passed over. Long ranges over
 * many short ones, which defeat a plain binary search, cost no more than others. */
#include "lsm/range_set.h"

#include <stdlib.h>

#include "base/bytes.h"

/* Of the part whose middle a range is. */
struct stoa_range_tree {
    int64_t furthest; /* the range whose end is the greatest */
    uint64_t sequence_max;
};

enum { RANGES_MIN = 4 };
enum { RANGE_BYTES = sizeof(stoa_key_range) + sizeof(struct stoa_range_tree) };

void stoa_range_set_release(stoa_range_set *set) {
    for (int64_t i = 0; i < set->count; i++) {
        const stoa_key_range *range = &set->ranges[i];
        stoa_pool_free(set->pool, (void *)(uintptr_t)range->from,
                       range->from_size + range->to_size);
    }
    if (set->ranges != NULL) {
        stoa_pool_free(set->pool, set->ranges, (size_t)set->capacity * RANGE_BYTES);
    }
    *set = (stoa_range_set){.pool = set->pool};
}

/* Twice the room. What the tree said is made anew by the next finish. */
static stoa_status grow(stoa_range_set *set, stoa_error *err) {
    const int64_t capacity = set->capacity == 0 ? RANGES_MIN : 2 * set->capacity;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(set->pool, (size_t)capacity, RANGE_BYTES, &memory, err));
    if (set->count > 0) {
        memcpy(memory, set->ranges, (size_t)set->count * sizeof *set->ranges);
    }
    if (set->ranges != NULL) {
        stoa_pool_free(set->pool, set->ranges, (size_t)set->capacity * RANGE_BYTES);
    }
    set->ranges = memory;
    set->tree = (void *)(set->ranges + capacity);
    set->capacity = capacity;
    return STOA_OK;
}

stoa_status stoa_range_set_add(stoa_range_set *set, const stoa_key_range *range, stoa_error *err) {
    const size_t to_size = range->to_end ? 0 : range->to_size;
    void *memory = NULL;
    STOA_ASSERT(range->sequence > 0);
    if (set->count == set->capacity) {
        STOA_TRY(grow(set, err));
    }
    STOA_TRY(stoa_pool_allocate(set->pool, range->from_size + to_size, &memory, err));
    uint8_t *bytes = memory;
    if (range->from_size > 0) {
        memcpy(bytes, range->from, range->from_size);
    }
    if (to_size > 0) {
        memcpy(bytes + range->from_size, range->to, to_size);
    }
    set->ranges[set->count++] = (stoa_key_range){.from = bytes,
                                                 .from_size = range->from_size,
                                                 .to = bytes + range->from_size,
                                                 .to_size = to_size,
                                                 .to_end = range->to_end,
                                                 .sequence = range->sequence};
    set->is_finished = false;
    return STOA_OK;
}

static int compare_ranges(const void *left, const void *right) {
    const stoa_key_range *a = left;
    const stoa_key_range *b = right;
    const int order = stoa_bytes_compare(a->from, a->from_size, b->from, b->from_size);
    return order != 0 ? order : (a->sequence < b->sequence) - (a->sequence > b->sequence);
}

static bool ends_before(const stoa_key_range *range, const stoa_key_range *other) {
    return !range->to_end && (other->to_end || stoa_bytes_compare(range->to, range->to_size,
                                                                  other->to, other->to_size) < 0);
}

static bool ends_above(const stoa_key_range *range, const uint8_t *key, size_t size) {
    return range->to_end || stoa_bytes_compare(key, size, range->to, range->to_size) < 0;
}

/* The tree of ranges [begin, end), of which there is one at least; returns its root. */
static int64_t build(stoa_range_set *set, int64_t begin, int64_t end) {
    const int64_t middle = begin + (end - begin) / 2;
    struct stoa_range_tree *root = &set->tree[middle];
    const int64_t parts[2][2] = {{begin, middle}, {middle + 1, end}};
    *root = (struct stoa_range_tree){middle, set->ranges[middle].sequence};
    for (int i = 0; i < 2; i++) {
        if (parts[i][0] == parts[i][1]) {
            continue;
        }
        const struct stoa_range_tree *part = &set->tree[build(set, parts[i][0], parts[i][1])];
        if (ends_before(&set->ranges[root->furthest], &set->ranges[part->furthest])) {
            root->furthest = part->furthest;
        }
        if (part->sequence_max > root->sequence_max) {
            root->sequence_max = part->sequence_max;
        }
    }
    return middle;
}

void stoa_range_set_finish(stoa_range_set *set) {
    if (set->count > 0) {
        qsort(set->ranges, (size_t)set->count, sizeof *set->ranges, compare_ranges);
        (void)build(set, 0, set->count);
    }
    set->is_finished = true;
}

struct query {
    const uint8_t *key;
    size_t size;
    uint64_t snapshot;
    uint64_t best;
};

/* Returns whether the range begins at or below the key. */
static bool look_at(const stoa_key_range *range, struct query *query) {
    if (stoa_bytes_compare(range->from, range->from_size, query->key, query->size) > 0) {
        return false;
    }
    if (range->sequence > query->best && range->sequence <= query->snapshot &&
        ends_above(range, query->key, query->size)) {
        query->best = range->sequence;
    }
    return true;
}

static void search(const stoa_range_set *set, int64_t begin, int64_t end, struct query *query) {
    while (begin < end) {
        const int64_t middle = begin + (end - begin) / 2;
        const struct stoa_range_tree *root = &set->tree[middle];
        if (root->sequence_max <= query->best ||
            !ends_above(&set->ranges[root->furthest], query->key, query->size)) {
            return;
        }
        if (look_at(&set->ranges[middle], query)) {
            search(set, begin, middle, query);
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
}

uint64_t stoa_range_set_cover(const stoa_range_set *set, const uint8_t *key, size_t size,
                              uint64_t snapshot) {
    struct query query = {.key = key, .size = size, .snapshot = snapshot};
    if (set->is_finished) {
        search(set, 0, set->count, &query);
        return query.best;
    }
    for (int64_t i = 0; i < set->count; i++) {
        (void)look_at(&set->ranges[i], &query);
    }
    return query.best;
}
