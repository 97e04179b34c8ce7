/* The ends of a deque: who may touch which of its places.
 *
 *          tail           split          head
 *      ──────┼──────────────┼──────────────┼──────
 *      taken │    public    │    private   │ free
 *
 * The owner adds and takes back at `head`, which only it knows. Thieves take from `tail`, and only up
 * to `split`. Both marks lie in one word, so that every change of hands is one atomic operation and
 * needs no fence: a compare-and-swap that succeeds has seen the newest tail and the newest split.
 *
 * A third part of the word counts how often the owner took something back. Without it a thief could
 * read a place, the owner take that place back and fill it anew, and the thief's swap succeed on a
 * word that looks the same. It would take 2^32 times during one swap to fool the thief so.
 *
 * Places count up and wrap at 2^16; the user of the deque maps them to memory.
 *
 * The owner orders its writes to a place before stoa_deque_publish (release), and a thief reads the
 * place after its load (acquire). Every other operation passes that order on, for all of them are
 * read-modify-writes or stores of the owner's.
 *
 * The macros are there for the test that runs every interleaving of these functions. */
#ifndef STOA_SCHED_DEQUE_H
#define STOA_SCHED_DEQUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef STOA_DEQUE_LOAD
#define STOA_DEQUE_LOAD(word) atomic_load_explicit((word), memory_order_acquire)
#define STOA_DEQUE_ADD(word, value) atomic_fetch_add_explicit((word), (value), memory_order_seq_cst)
#define STOA_DEQUE_SWAP(word, expected, wanted)                                                    \
    atomic_compare_exchange_strong_explicit((word), (expected), (wanted), memory_order_seq_cst,    \
                                            memory_order_acquire)
#define STOA_DEQUE_STORE(word, value) atomic_store_explicit((word), (value), memory_order_release)
#endif

typedef struct stoa_deque {
    _Atomic uint64_t ends; /* from the low end: tail (16 bits), split (16 bits), taken back (32) */
} stoa_deque;

static inline uint64_t stoa_deque_pack(uint64_t taken_back, uint16_t tail, uint16_t split) {
    return taken_back << 32 | (uint64_t)split << 16 | tail;
}

static inline uint16_t stoa_deque_tail(uint64_t ends) {
    return (uint16_t)ends;
}

static inline uint16_t stoa_deque_split(uint64_t ends) {
    return (uint16_t)(ends >> 16);
}

static inline uint16_t stoa_deque_count(uint64_t ends) {
    return (uint16_t)(stoa_deque_split(ends) - stoa_deque_tail(ends));
}

/// Owner: `count` more places, written before this, are open to thieves. Where the split wraps it
/// carries into the count of what was taken back, which does no harm.
static inline void stoa_deque_publish(stoa_deque *deque, uint16_t count) {
    (void)STOA_DEQUE_ADD(&deque->ends, (uint64_t)count << 16);
}

/// Owner: takes back public places down to `place`, and half of those below it, so that thieves
/// still find some. False: `place` was stolen. On true `*out_split` is the new split, at most `place`.
static inline bool stoa_deque_take_back(stoa_deque *deque, uint16_t place, uint16_t *out_split) {
    uint64_t ends = STOA_DEQUE_LOAD(&deque->ends);
    for (;;) {
        uint16_t tail = stoa_deque_tail(ends);
        int16_t below = (int16_t)(uint16_t)(place - tail);
        if (below < 0) {
            return false;
        }
        uint16_t split = (uint16_t)(tail + below / 2);
        if (STOA_DEQUE_SWAP(&deque->ends, &ends, stoa_deque_pack((ends >> 32) + 1, tail, split))) {
            *out_split = split;
            return true;
        }
    }
}

/// Owner: every place from `place` up was stolen and is given back by its thief; all is free again.
static inline void stoa_deque_reset(stoa_deque *deque, uint16_t place) {
    uint64_t ends = STOA_DEQUE_LOAD(&deque->ends);
    STOA_DEQUE_STORE(&deque->ends, stoa_deque_pack((ends >> 32) + 1, place, place));
}

/// Owner of a deque without a private part: takes the newest place. False: there is none.
static inline bool stoa_deque_pop(stoa_deque *deque, uint16_t *out_place) {
    uint64_t ends = STOA_DEQUE_LOAD(&deque->ends);
    for (;;) {
        uint16_t tail = stoa_deque_tail(ends), place = (uint16_t)(stoa_deque_split(ends) - 1);
        if (stoa_deque_count(ends) == 0) {
            return false;
        }
        if (STOA_DEQUE_SWAP(&deque->ends, &ends, stoa_deque_pack((ends >> 32) + 1, tail, place))) {
            *out_place = place;
            return true;
        }
    }
}

/// Thief, first half: how many places it may try for, from the tail on: at most `most`, and at most
/// half (rounded up) of what is public. `*out_ends` is for the second half.
static inline uint16_t stoa_deque_look(stoa_deque *deque, uint16_t most, uint64_t *out_ends) {
    uint64_t ends = STOA_DEQUE_LOAD(&deque->ends);
    uint16_t count = stoa_deque_count(ends);
    *out_ends = ends;
    count = (uint16_t)(count - count / 2);
    return count < most ? count : most;
}

/// Thief, second half: the places are its own, if nothing changed since it looked.
static inline bool stoa_deque_steal(stoa_deque *deque, uint64_t ends, uint16_t count) {
    uint16_t tail = (uint16_t)(stoa_deque_tail(ends) + count);
    uint64_t wanted = stoa_deque_pack(ends >> 32, tail, stoa_deque_split(ends));
    return STOA_DEQUE_SWAP(&deque->ends, &ends, wanted);
}

#endif
