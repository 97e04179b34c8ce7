/* Ranges of deleted keys: every key from `from` up to, but without, `to` that is older than the range's
 * sequence number. A memtable and an SSTable each hold a set of them, mostly empty. */
#ifndef STOA_LSM_RANGE_SET_H
#define STOA_LSM_RANGE_SET_H

#include "mem/buffer.h"

typedef struct stoa_key_range {
    const uint8_t *from; /* bytes as stoa_key_encode gives them */
    size_t from_size;    /* 0: from the first key */
    const uint8_t *to;
    size_t to_size;
    bool to_end; /* to the last key; `to` is not looked at */
    uint64_t sequence;
} stoa_key_range;

/* All-zero with a pool is empty. Sorted by `from` once stoa_range_set_finish was called.
 *
 * Threads  Once it is finished any number may ask, while nobody adds. */
typedef struct stoa_range_set {
    stoa_pool *pool;
    stoa_key_range *ranges;
    int64_t count;
    int64_t capacity;
    struct stoa_range_tree *tree; /* one a range, behind the ranges */
    bool is_finished;
} stoa_range_set;

void stoa_range_set_release(stoa_range_set *set);
/// Copies the keys. A set that was finished is so no longer.
///
/// Errors   STOA_NO_MEMORY, STOA_LIMIT; the set is as it was
STOA_MUST_USE stoa_status stoa_range_set_add(stoa_range_set *set, const stoa_key_range *range,
                                             stoa_error *err);
/// Sorts, so that the queries below are fast.
void stoa_range_set_finish(stoa_range_set *set);
/// The greatest sequence number, at most `snapshot`, of the ranges that hold the key; 0: none. Looks at
/// every range of a set that is not finished; else at few more than those that hold the key.
uint64_t stoa_range_set_cover(const stoa_range_set *set, const uint8_t *key, size_t size,
                              uint64_t snapshot);

#endif
