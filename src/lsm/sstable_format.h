/* The bytes around the stripes of an SSTable; docs/formats/sstable.md. */
#ifndef STOA_LSM_SSTABLE_FORMAT_H
#define STOA_LSM_SSTABLE_FORMAT_H

#include "codec/bloom_kernel.h"
#include "lsm/sstable.h"

#define STOA_SST_MAGIC "StoaSST"
enum {
    STOA_SST_VERSION = 1,
    STOA_SST_ALIGNMENT = 8,
    STOA_SST_SECTIONS_MAX = 64,
    STOA_SST_FILTER_ALIGNMENT =
        64 /* of its blocks in the file: none lies in two lines of the cache */
};

typedef struct stoa_sst_header {
    char magic[8];
    uint32_t version;
    uint32_t zero;
} stoa_sst_header;

/* What stands behind the stripes, in growing order of kinds. */
typedef enum stoa_sst_section_kind {
    STOA_SST_DIRECTORY = 1,
    STOA_SST_ABOUT,
    STOA_SST_RANGES,
    STOA_SST_FILTER
} stoa_sst_section_kind;

/* A reader that does not know the kind refuses the file; without the flag it passes over the section. */
enum { STOA_SST_SECTION_REQUIRED = 1 };

/* Sections follow each other without gaps, from the end of the stripes to the list of sections. */
typedef struct stoa_sst_section {
    uint32_t kind;
    uint32_t flags;
    uint64_t offset;
    uint64_t size; /* a multiple of 8 */
    uint32_t crc;
    uint32_t zero;
} stoa_sst_section;

/* One in the directory for every stripe; a zone a column, a part a segment, and the bytes of its first
 * and last key follow, then zeros up to a multiple of 8. */
typedef struct stoa_sst_entry {
    uint64_t offset; /* of the stripe in the file */
    uint32_t size;
    uint32_t row_count;
    uint32_t delete_count;
    uint32_t merge_count;
    uint32_t prefix_size; /* at most the first key's */
    uint32_t first_key_size;
    uint32_t last_key_size;
    uint32_t zero;
    uint64_t sequence_min;
    uint64_t sequence_max;
} stoa_sst_entry;

/* What is said of the whole table; the schema as JSON follows, then for each column of the key its
 * field id and 1 where it is descending, 4 bytes each. */
typedef struct stoa_sst_about {
    int64_t row_count;
    int64_t stripe_count;
    int64_t delete_count;
    int64_t range_count;
    uint64_t sequence_min;
    uint64_t sequence_max;
    uint32_t segment_count;
    uint32_t column_count;
    uint32_t schema_size;
    uint32_t key_count;
    uint32_t codec; /* a stoa_sst_codec_number: of segments that have a raw size */
    uint32_t zero;
} stoa_sst_about;

typedef enum stoa_sst_codec_number {
    STOA_SST_CODEC_NONE,
    STOA_SST_CODEC_LZ4, /* one raw block a segment */
    STOA_SST_CODEC_ZSTD
} stoa_sst_codec_number;

/* The most bytes that one byte of a raw LZ4 block stands for. */
enum { STOA_SST_LZ4_RATIO_MAX = 255 };

/* One for every range of deletions; the bytes of its two keys follow, then zeros up to a multiple of 8. */
typedef struct stoa_sst_range {
    uint64_t sequence;
    uint32_t from_size;
    uint32_t to_size;
    uint32_t to_end; /* 0 or 1 */
    uint32_t zero;
} stoa_sst_range;

enum { STOA_SST_HASH_XXH3 = 1 }; /* 64 bits, seed 0, of a key's bytes */

/* Before the blocks of the filter; `padding` zeros are between them. */
typedef struct stoa_sst_filter {
    uint32_t hash;
    uint32_t padding; /* less than STOA_SST_FILTER_ALIGNMENT */
    uint64_t block_count;
} stoa_sst_filter;

typedef struct stoa_sst_footer {
    uint64_t sections_offset;
    uint32_t section_count;
    uint32_t sections_crc;
    uint32_t version;
    uint32_t crc; /* of the bytes before */
    char magic[8];
} stoa_sst_footer;

_Static_assert(sizeof(stoa_sst_header) == 16 && sizeof(stoa_sst_section) == 32 &&
                   sizeof(stoa_sst_entry) == 56 && sizeof(stoa_sst_about) == 72 &&
                   sizeof(stoa_sst_range) == 24 && sizeof(stoa_sst_filter) == 16 &&
                   sizeof(stoa_sst_footer) == 32 && sizeof(stoa_stripe_part) == 16 &&
                   sizeof(stoa_zone) == 24,
               "the format's structs have no padding");

static inline size_t stoa_sst_aligned(size_t size) {
    return (size + STOA_SST_ALIGNMENT - 1) / STOA_SST_ALIGNMENT * STOA_SST_ALIGNMENT;
}

#endif
