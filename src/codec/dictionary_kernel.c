/* Values are taken in blocks: first every hash of a block is computed and its slot prefetched, then
 * the slots are probed, so that misses of the cache overlap. Probing is linear; half of the slots
 * are free, so a probe ends soon. */
#include "codec/dictionary_kernel.h"

#include <string.h>

#include "base/error.h"
#include "base/hash.h"

enum { BLOCK = 32 };

#define EMPTY UINT32_MAX

#define DEFINE_RANGE(NAME, TYPE)                                                                   \
    void stoa_dictionary_mark_##NAME(const TYPE *values, size_t count, TYPE low, uint8_t *marks) { \
        for (size_t i = 0; i < count; i++) {                                                       \
            marks[(TYPE)(values[i] - low)] = 1;                                                    \
        }                                                                                          \
    }                                                                                              \
    void stoa_dictionary_list_##NAME(const uint8_t *marks, size_t size, TYPE low, TYPE *entries) { \
        size_t known = 0;                                                                          \
        for (size_t i = 0; i < size; i++) {                                                        \
            if (marks[i] != 0) {                                                                   \
                entries[known++] = (TYPE)(low + (TYPE)i);                                          \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    void stoa_dictionary_look_up_##NAME(const TYPE *values, size_t count, TYPE low,                \
                                        const uint32_t *table, uint32_t *codes) {                  \
        for (size_t i = 0; i < count; i++) {                                                       \
            codes[i] = table[(TYPE)(values[i] - low)];                                             \
        }                                                                                          \
    }
DEFINE_RANGE(u8, uint8_t)
DEFINE_RANGE(u16, uint16_t)
DEFINE_RANGE(u32, uint32_t)
DEFINE_RANGE(u64, uint64_t)

uint32_t stoa_dictionary_number(const uint8_t *marks, size_t size, uint32_t *table) {
    uint32_t known = 0;
    for (size_t i = 0; i < size; i++) {
        table[i] = known;
        known += marks[i];
    }
    return known;
}

/* A byte at a time from the lowest; bytes that all entries share take no pass. */
stoa_dictionary_pair *stoa_dictionary_sort(stoa_dictionary_pair *pairs, size_t count) {
    enum { BYTES = 8, VALUES = 256 };
    size_t counts[BYTES][VALUES];
    memset(counts, 0, sizeof counts);
    for (size_t i = 0; i < count; i++) {
        for (int byte = 0; byte < BYTES; byte++) {
            counts[byte][pairs[i].entry >> (8 * byte) & 0xFF]++;
        }
    }
    stoa_dictionary_pair *from = pairs, *to = pairs + count;
    for (int byte = 0; byte < BYTES && count > 0; byte++) {
        size_t *places = counts[byte];
        size_t place = 0;
        if (places[from[0].entry >> (8 * byte) & 0xFF] == count) {
            continue;
        }
        for (int value = 0; value < VALUES; value++) {
            const size_t here = places[value];
            places[value] = place;
            place += here;
        }
        for (size_t i = 0; i < count; i++) {
            to[places[from[i].entry >> (8 * byte) & 0xFF]++] = from[i];
        }
        stoa_dictionary_pair *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

void stoa_dictionary_renumber(uint32_t *codes, size_t count, const uint32_t *places) {
    for (size_t i = 0; i < count; i++) {
        codes[i] = places[codes[i]];
    }
}

/* Integers of 32 and 64 bits differ only in their slot. */
#define DEFINE_INTEGERS(NAME, TYPE, SLOT)                                                          \
    size_t stoa_dictionary_encode_##NAME(const TYPE *values, size_t count, SLOT *slots, int bits,  \
                                         TYPE *entries, uint32_t *entry_count,                     \
                                         uint32_t entry_limit, uint32_t *codes) {                  \
        STOA_ASSERT(bits > 0 && bits < 32 && entry_limit <= UINT32_C(1) << (bits - 1));            \
        const size_t mask = ((size_t)1 << bits) - 1;                                               \
        uint32_t known = *entry_count;                                                             \
        size_t done = 0;                                                                           \
        while (done < count) {                                                                     \
            size_t places[BLOCK];                                                                  \
            const size_t block = count - done < BLOCK ? count - done : BLOCK;                      \
            for (size_t i = 0; i < block; i++) {                                                   \
                places[i] = (size_t)stoa_hash_u64(values[done + i]) & mask;                        \
                __builtin_prefetch(&slots[places[i]]);                                             \
            }                                                                                      \
            for (size_t i = 0; i < block; i++) {                                                   \
                const TYPE value = values[done + i];                                               \
                size_t place = places[i];                                                          \
                while (slots[place].code != EMPTY && slots[place].key != value) {                  \
                    place = (place + 1) & mask;                                                    \
                }                                                                                  \
                if (slots[place].code == EMPTY) {                                                  \
                    if (known == entry_limit) {                                                    \
                        *entry_count = known;                                                      \
                        return done + i;                                                           \
                    }                                                                              \
                    entries[known] = value;                                                        \
                    slots[place].key = value;                                                      \
                    slots[place].code = known++;                                                   \
                }                                                                                  \
                codes[done + i] = slots[place].code;                                               \
            }                                                                                      \
            done += block;                                                                         \
        }                                                                                          \
        *entry_count = known;                                                                      \
        return done;                                                                               \
    }                                                                                              \
    void stoa_dictionary_insert_##NAME(const TYPE *entries, uint32_t entry_count, SLOT *slots,     \
                                       int bits) {                                                 \
        const size_t mask = ((size_t)1 << bits) - 1;                                               \
        for (uint32_t code = 0; code < entry_count; code++) {                                      \
            size_t place = (size_t)stoa_hash_u64(entries[code]) & mask;                            \
            while (slots[place].code != EMPTY) {                                                   \
                place = (place + 1) & mask;                                                        \
            }                                                                                      \
            slots[place].key = entries[code];                                                      \
            slots[place].code = code;                                                              \
        }                                                                                          \
    }

DEFINE_INTEGERS(u32, uint32_t, stoa_dictionary_slot_u32)
DEFINE_INTEGERS(u64, uint64_t, stoa_dictionary_slot_u64)

static bool same_bytes(const stoa_bytes_view *left, const stoa_bytes_view *right) {
    return left->size == right->size &&
           (left->size == 0 || memcmp(left->data, right->data, left->size) == 0);
}

size_t stoa_dictionary_encode_bytes(const stoa_bytes_view *values, size_t count,
                                    stoa_dictionary_slot_bytes *slots, int bits,
                                    stoa_bytes_view *entries, uint32_t *entry_count,
                                    uint32_t entry_limit, uint32_t *codes) {
    STOA_ASSERT(bits > 0 && bits < 32 && entry_limit <= UINT32_C(1) << (bits - 1));
    const size_t mask = ((size_t)1 << bits) - 1;
    uint32_t known = *entry_count;
    size_t done = 0;
    while (done < count) {
        uint64_t hashes[BLOCK];
        const size_t block = count - done < BLOCK ? count - done : BLOCK;
        for (size_t i = 0; i < block; i++) {
            hashes[i] = stoa_hash64(values[done + i].data, values[done + i].size);
            __builtin_prefetch(&slots[(size_t)hashes[i] & mask]);
        }
        for (size_t i = 0; i < block; i++) {
            const stoa_bytes_view *value = &values[done + i];
            const uint32_t tag = (uint32_t)(hashes[i] >> 32);
            size_t place = (size_t)hashes[i] & mask;
            while (slots[place].code != EMPTY &&
                   (slots[place].tag != tag || !same_bytes(&entries[slots[place].code], value))) {
                place = (place + 1) & mask;
            }
            if (slots[place].code == EMPTY) {
                if (known == entry_limit) {
                    *entry_count = known;
                    return done + i;
                }
                entries[known] = *value;
                slots[place].tag = tag;
                slots[place].code = known++;
            }
            codes[done + i] = slots[place].code;
        }
        done += block;
    }
    *entry_count = known;
    return done;
}

void stoa_dictionary_insert_bytes(const stoa_bytes_view *entries, uint32_t entry_count,
                                  stoa_dictionary_slot_bytes *slots, int bits) {
    const size_t mask = ((size_t)1 << bits) - 1;
    for (uint32_t code = 0; code < entry_count; code++) {
        const uint64_t hash = stoa_hash64(entries[code].data, entries[code].size);
        size_t place = (size_t)hash & mask;
        while (slots[place].code != EMPTY) {
            place = (place + 1) & mask;
        }
        slots[place].tag = (uint32_t)(hash >> 32);
        slots[place].code = code;
    }
}
