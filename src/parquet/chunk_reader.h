/* One column chunk, read from its beginning in pieces of whole rows: levels, and the values that are
 * there, in the order of the file.
 *
 * A page decoder (page_values.c) has one entry for each encoding. */
#ifndef STOA_PARQUET_CHUNK_READER_H
#define STOA_PARQUET_CHUNK_READER_H

#include "codec/bitpacked_levels.h"
#include "codec/byte_stream_split.h"
#include "codec/delta_bytes.h"
#include "codec/dictionary_decoder.h"
#include "codec/plain.h"
#include "parquet/page_body.h"
#include "parquet/page_index.h"
#include "parquet/read_schema.h"

/// What was read: `entry_count` pairs of levels and `value_count` values.
typedef struct stoa_chunk_values {
    int64_t entry_count;
    bool all_present;       /* every entry has a value, and `definition` was not filled */
    stoa_buffer definition; /* one byte an entry */
    stoa_buffer repetition; /* the same; empty for columns that do not repeat */
    int64_t value_count;
    stoa_buffer data;    /* values of value_bytes, bits of booleans, or bytes of any length */
    stoa_buffer offsets; /* of the last kind: int32, one more than values */
    size_t bytes_max; /* that `data` may take of byte arrays; INT32_MAX at most */
    bool is_full;     /* reading failed because it would have taken more, or too many entries */
} stoa_chunk_values;

enum { STOA_CHUNK_BLOCK = 4096 }; /* entries whose levels are decoded at a time */

/* Levels of one kind within a page. */
typedef struct stoa_level_reader {
    uint8_t max;
    bool is_packed; /* BIT_PACKED */
    stoa_rle_decoder runs;
    stoa_bitpacked_levels packed;
} stoa_level_reader;

typedef struct stoa_chunk_reader {
    const stoa_context *context;
    const stoa_parquet_column *column;
    const stoa_parquet_leaf *leaf;
    const stoa_parquet_element *element;
    int32_t value_bytes; /* 0: BOOLEAN and BYTE_ARRAY */
    bool ignores_checksums;
    bool takes_codes;        /* values are read as numbers of entries of the dictionary */
    bool has_other_encoding; /* that was asked of a page without a dictionary, and failed */
    stoa_page_reader pages;
    stoa_page_body body;
    stoa_parquet_page page;
    bool has_dictionary;
    uint32_t dictionary_count;
    stoa_buffer dictionary;       /* values, or bytes of any length */
    stoa_buffer dictionary_views; /* stoa_bytes_view of the latter */
    size_t dictionary_size_max;   /* of theirs */

    /* The current page. */
    int64_t entries_left; /* whose levels were not decoded */
    int64_t entries_seen; /* of all pages until now */
    stoa_level_reader definition;
    stoa_level_reader repetition;
    union {
        stoa_byte_reader plain;
        stoa_plain_bools bools;
        stoa_rle_decoder runs;
        stoa_dictionary_decoder codes;
        stoa_delta_decoder delta;
        stoa_delta_lengths_decoder lengths;
        stoa_byte_stream_split split;
    } values;
    stoa_delta_bytes_decoder prefixes; /* owns memory, so it stands by itself */

    /* A block of levels of a repeated column; rows end where the next begins. */
    bool has_begun;
    bool begins_row; /* so must the next page: seek has gone there */
    int32_t block_count;
    int32_t block_at;
    uint8_t block_definition[STOA_CHUNK_BLOCK];
    uint8_t block_repetition[STOA_CHUNK_BLOCK];
} stoa_chunk_reader;

void stoa_chunk_values_init(stoa_chunk_values *values, stoa_pool *pool);
void stoa_chunk_values_release(stoa_chunk_values *values);
/// Forgets what was read and keeps the memory.
void stoa_chunk_values_clear(stoa_chunk_values *values);

/// A file that chunks are read from; everything is borrowed.
typedef struct stoa_chunk_source {
    stoa_file *file;
    const stoa_parquet_footer *footer;
    const uint8_t *map; /* stoa_file_map's, or NULL: the file is read */
    uint64_t map_bytes;
    bool ignores_checksums;
} stoa_chunk_source;

/// No chunk yet. Borrows the context; lies in its owner.
void stoa_chunk_reader_init(stoa_chunk_reader *chunk, const stoa_context *context);
void stoa_chunk_reader_release(stoa_chunk_reader *chunk);

/// Goes to the beginning of a chunk, whose physical type is its leaf's, and reads nothing yet. Memory
/// for pages is kept from the chunk before.
void stoa_chunk_reader_open(stoa_chunk_reader *chunk, const stoa_chunk_source *source,
                            int32_t group, int32_t leaf);

/// Reads the next `row_count` rows into `out`, in place of what it held. Pages of a column that does
/// not repeat are not even decompressed when all of their rows are passed over with `skips`.
///
/// Errors   STOA_CORRUPT      with page and byte
///          STOA_UNSUPPORTED  an encoding or compression (named)
///          STOA_LIMIT        more than 2 GiB of bytes or entries
///          STOA_CANCELLED, STOA_IO, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_chunk_reader_read(stoa_chunk_reader *chunk, int64_t row_count,
                                                 bool skips, stoa_chunk_values *out,
                                                 stoa_error *err);

/// Reads the dictionary, if that is the chunk's first page; before the first read.
///
/// Errors   as stoa_chunk_reader_read
STOA_MUST_USE stoa_status stoa_chunk_reader_load_dictionary(stoa_chunk_reader *chunk,
                                                            stoa_error *err);

/// Goes to a page, number `page` of `index`, whose first row comes next then: between two reads. Loads
/// the dictionary, if there is one, on the way.
///
/// Errors   as stoa_chunk_reader_read
STOA_MUST_USE stoa_status stoa_chunk_reader_seek(stoa_chunk_reader *chunk,
                                                 const stoa_page_index *index, int32_t page,
                                                 stoa_error *err);
/// Reads no more ahead than from where the chunk stands to the end of a page.
void stoa_chunk_reader_limit(stoa_chunk_reader *chunk, const stoa_page_index *index, int32_t page);

/// A failure about the current page.
stoa_status stoa_chunk_reader_fail(const stoa_chunk_reader *chunk, const char *problem,
                                   stoa_error *err);

#endif
