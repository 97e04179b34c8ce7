/* The bytes around the stripes of an SSTable; docs/formats/sstable.md. */
#ifndef STOA_LSM_SSTABLE_FORMAT_H
#define STOA_LSM_SSTABLE_FORMAT_H

#include "lsm/sstable.h"

#define STOA_SST_MAGIC "StoaSST"
enum { STOA_SST_VERSION = 1, STOA_SST_ALIGNMENT = 8 };

typedef struct stoa_sst_header {
    char magic[8];
    uint32_t version;
    uint32_t zero;
} stoa_sst_header;

/* One in the directory for every stripe; a zone a column, a part a segment, and the bytes of its first
 * and last key follow, then zeros up to a multiple of 8. */
typedef struct stoa_sst_entry {
    uint64_t offset; /* of the stripe in the file */
    uint32_t size;
    uint32_t row_count;
    uint32_t prefix_size; /* at most the first key's */
    uint32_t first_key_size;
    uint32_t last_key_size;
    uint32_t zero;
} stoa_sst_entry;

/* What is said of the whole table; the schema as JSON follows, then for each column of the key its
 * field id and 1 where it is descending, 4 bytes each. */
typedef struct stoa_sst_about {
    int64_t row_count;
    int64_t stripe_count;
    uint64_t sequence_min;
    uint64_t sequence_max;
    uint32_t segment_count;
    uint32_t column_count;
    uint32_t schema_size;
    uint32_t key_count;
} stoa_sst_about;

typedef struct stoa_sst_footer {
    uint64_t directory_offset;
    uint64_t directory_size;
    uint64_t about_offset;
    uint64_t about_size;
    uint32_t directory_crc;
    uint32_t about_crc;
    uint32_t version;
    uint32_t crc; /* of the bytes before */
    char magic[8];
} stoa_sst_footer;

_Static_assert(sizeof(stoa_sst_header) == 16 && sizeof(stoa_sst_entry) == 32 &&
                   sizeof(stoa_sst_about) == 48 && sizeof(stoa_sst_footer) == 56 &&
                   sizeof(stoa_stripe_part) == 12 && sizeof(stoa_zone) == 24,
               "the format's structs have no padding");

static inline size_t stoa_sst_aligned(size_t size) {
    return (size + STOA_SST_ALIGNMENT - 1) / STOA_SST_ALIGNMENT * STOA_SST_ALIGNMENT;
}

#endif
