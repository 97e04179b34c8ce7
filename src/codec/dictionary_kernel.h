/* Building dictionaries: each value becomes the code of its first appearance.
 *
 * Kernels over open-addressing tables that the caller makes. A table of 2^bits slots, all bytes
 * 0xFF while empty, must keep at least half of its slots free: `entry_limit` is at most 2^(bits-1).
 * Encoding stops before the first value that would pass the limit; the caller then makes a larger
 * table (`insert` fills it with what is known), or gives the dictionary up. */
#ifndef STOA_CODEC_DICTIONARY_KERNEL_H
#define STOA_CODEC_DICTIONARY_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "codec/views.h"

enum { STOA_DICTIONARY_EMPTY = 0xFF }; /* every byte of an empty table */

typedef struct stoa_dictionary_slot_u32 {
    uint32_t key;
    uint32_t code; /* UINT32_MAX: empty */
} stoa_dictionary_slot_u32;

typedef struct stoa_dictionary_slot_u64 {
    uint64_t key;
    uint32_t code;
    uint32_t unused;
} stoa_dictionary_slot_u64;

typedef struct stoa_dictionary_slot_bytes {
    uint32_t tag; /* the upper half of the hash: most unequal keys differ in it */
    uint32_t code;
} stoa_dictionary_slot_bytes;

/// Integers within a small range need no hashing. First every value marks its place, value - low, of
/// `marks`, one byte each, all 0 at the beginning.
void stoa_dictionary_mark_u8(const uint8_t *values, size_t count, uint8_t low, uint8_t *marks);
void stoa_dictionary_mark_u16(const uint16_t *values, size_t count, uint16_t low, uint8_t *marks);
void stoa_dictionary_mark_u32(const uint32_t *values, size_t count, uint32_t low, uint8_t *marks);
void stoa_dictionary_mark_u64(const uint64_t *values, size_t count, uint64_t low, uint8_t *marks);

/// Then marked places are numbered in `table`, from 0 on; returns how many there are.
uint32_t stoa_dictionary_number(const uint8_t *marks, size_t size, uint32_t *table);

/// Then the values of marked places are listed, and every value gets its number.
void stoa_dictionary_list_u8(const uint8_t *marks, size_t size, uint8_t low, uint8_t *entries);
void stoa_dictionary_list_u16(const uint8_t *marks, size_t size, uint16_t low, uint16_t *entries);
void stoa_dictionary_list_u32(const uint8_t *marks, size_t size, uint32_t low, uint32_t *entries);
void stoa_dictionary_list_u64(const uint8_t *marks, size_t size, uint64_t low, uint64_t *entries);
void stoa_dictionary_look_up_u8(const uint8_t *values, size_t count, uint8_t low,
                                const uint32_t *table, uint32_t *codes);
void stoa_dictionary_look_up_u16(const uint16_t *values, size_t count, uint16_t low,
                                 const uint32_t *table, uint32_t *codes);
void stoa_dictionary_look_up_u32(const uint32_t *values, size_t count, uint32_t low,
                                 const uint32_t *table, uint32_t *codes);
void stoa_dictionary_look_up_u64(const uint64_t *values, size_t count, uint64_t low,
                                 const uint32_t *table, uint32_t *codes);

/// Returns how many of `count` values were encoded; `entries` has room for `entry_limit`.
size_t stoa_dictionary_encode_u32(const uint32_t *values, size_t count,
                                  stoa_dictionary_slot_u32 *slots, int bits, uint32_t *entries,
                                  uint32_t *entry_count, uint32_t entry_limit, uint32_t *codes);
size_t stoa_dictionary_encode_u64(const uint64_t *values, size_t count,
                                  stoa_dictionary_slot_u64 *slots, int bits, uint64_t *entries,
                                  uint32_t *entry_count, uint32_t entry_limit, uint32_t *codes);
size_t stoa_dictionary_encode_bytes(const stoa_bytes_view *values, size_t count,
                                    stoa_dictionary_slot_bytes *slots, int bits,
                                    stoa_bytes_view *entries, uint32_t *entry_count,
                                    uint32_t entry_limit, uint32_t *codes);

/// An entry of a dictionary that is sorted, and the code that it had before.
typedef struct stoa_dictionary_pair {
    uint64_t entry;
    uint32_t code;
} stoa_dictionary_pair;

/// Sorts by the entries' bits as unsigned numbers; `pairs` has room for twice `count`. The result stands in
/// the half that is returned.
stoa_dictionary_pair *stoa_dictionary_sort(stoa_dictionary_pair *pairs, size_t count);

/// Each code becomes its place in `places`.
void stoa_dictionary_renumber(uint32_t *codes, size_t count, const uint32_t *places);

/// Puts known entries, all different, into an empty table.
void stoa_dictionary_insert_u32(const uint32_t *entries, uint32_t entry_count,
                                stoa_dictionary_slot_u32 *slots, int bits);
void stoa_dictionary_insert_u64(const uint64_t *entries, uint32_t entry_count,
                                stoa_dictionary_slot_u64 *slots, int bits);
void stoa_dictionary_insert_bytes(const stoa_bytes_view *entries, uint32_t entry_count,
                                  stoa_dictionary_slot_bytes *slots, int bits);

#endif
