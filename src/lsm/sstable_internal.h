/* What the files of the SSTable reader share. */
#ifndef STOA_LSM_SSTABLE_INTERNAL_H
#define STOA_LSM_SSTABLE_INTERNAL_H

#include <stdatomic.h>

#include "lsm/sstable_format.h"

/* Samples of the keys of a stripe that are no numbers. */
enum {
    STOA_SST_SAMPLE_ROWS = 16,
    STOA_SST_SAMPLES = STOA_STRIPE_ROWS / STOA_SST_SAMPLE_ROWS,
};

typedef enum stoa_sst_filter_state {
    STOA_SST_FILTER_UNCHECKED,
    STOA_SST_FILTER_SOUND,
    STOA_SST_FILTER_UNUSABLE /* there is none, or it is damaged */
} stoa_sst_filter_state;

struct stoa_sst {
    stoa_context context;
    stoa_file *file;
    const stoa_stripe_layout *layout; /* of the table, by which it is read */
    const stoa_stripe_layout *stored; /* of the file: the same, or the schema's */
    stoa_stripe_schema schema;        /* of a file with an older schema than the table's */
    bool is_older;
    const uint8_t *bytes;
    uint64_t size;
    bool is_mapped;
    const uint32_t *map_mark; /* NULL: the file is asked */
    stoa_buffer copy;         /* of a file that cannot be mapped */
    stoa_arena arena;
    stoa_sst_section sections[STOA_SST_SECTIONS_MAX];
    uint32_t section_count;
    stoa_sst_member *members; /* a stripe each */
    stoa_stripe_slot *slots;
    stoa_stripe_decompression decompression;
    /* Of the last key of each stripe, searched first: the number, or 8 bytes behind the common ones. */
    uint64_t *last_numbers;
    bool has_even_keys; /* numbers of which each is as much above the one before */
    size_t common_size; /* bytes that all keys begin with, of those that are no numbers */
    uint64_t
        *samples; /* of keys that are no numbers, STOA_SST_SAMPLES a stripe: see sstable_search.c */
    _Atomic uint8_t *sample_states;
    stoa_range_set ranges;
    stoa_bloom_filter filter;
    _Atomic uint8_t filter_state; /* a stoa_sst_filter_state */
    stoa_sst_summary summary;
    bool is_numbered; /* by stoa_sst_set_sequence: the sequence numbers in the file are zeros */
};

/// The first stripe whose last key is not less. `number` is the key's, filled up with zeros, where keys are
/// numbers.
int64_t stoa_sst_find_stripe(const stoa_sst *table, const uint8_t *key, size_t size,
                             uint64_t number);
/// The first row in that stripe whose key is not less.
stoa_status stoa_sst_find_row(const stoa_sst *table, const uint8_t *key, size_t size,
                              uint64_t number, stoa_sst_position *position, stoa_error *err);

/// Asks for the memory that stoa_sst_find_row is going to need, in two steps (0 and 1).
void stoa_sst_find_row_prefetch(const stoa_sst *table, const stoa_sst_key *key, int64_t stripe,
                                int step);

/// Puts the file and the stripe before what went wrong.
stoa_status stoa_sst_wrap(const stoa_sst *table, int64_t stripe, stoa_status status,
                          stoa_error *err);

/// STOA_CORRUPT with the file and a byte of it.
stoa_status stoa_sst_corrupt(const stoa_sst *table, uint64_t offset, const char *problem,
                             stoa_error *err);
/// NULL: the table has none.
const stoa_sst_section *stoa_sst_section_of(const stoa_sst *table, stoa_sst_section_kind kind);
/// Compares a section with its checksum.
stoa_status stoa_sst_section_check(const stoa_sst *table, const stoa_sst_section *section,
                                   stoa_error *err);

#endif
