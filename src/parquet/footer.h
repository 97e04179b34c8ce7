/* What the footer of a Parquet file says, anybody's file, checked as far as it can be without the
 * pages: the tree of schema elements is one, every row group has every leaf, every chunk lies within
 * the file. */
#ifndef STOA_PARQUET_FOOTER_H
#define STOA_PARQUET_FOOTER_H

#include <stoa/context.h>

#include "mem/arena.h"
#include "mem/buffer.h"
#include "parquet/crypto.h"
#include "parquet/format.h"
#include "vfs/vfs.h"

enum { STOA_PARQUET_TREE_DEPTH_MAX = 256 }; /* deeper schemas are refused */

typedef struct stoa_parquet_element {
    const char *name;
    int32_t physical; /* stoa_parquet_physical; -1 for groups */
    int32_t type_length;
    int32_t repetition;
    int32_t child_count;
    int32_t converted; /* -1: none */
    int32_t scale;
    int32_t precision;
    int32_t field_id; /* -1: none */
    int32_t logical;  /* stoa_parquet_logical */
    int32_t logical_bits; /* INTEGER */
    bool logical_signed;  /* INTEGER */
    bool logical_utc;     /* TIME, TIMESTAMP */
    int32_t logical_unit; /* the same: 1 ms, 2 us, 3 ns */
    const char *crs;      /* GEOMETRY, GEOGRAPHY; NULL: not said */
    int32_t edges;        /* GEOGRAPHY: how edges are interpolated */
} stoa_parquet_element;

typedef struct stoa_parquet_leaf {
    const char *name; /* path with dots */
    int32_t element;
    int32_t definition_max;
    int32_t repetition_max;
} stoa_parquet_leaf;

/// Bytes that are unknown are NULL.
typedef struct stoa_parquet_bounds {
    const uint8_t *min;
    size_t min_size;
    const uint8_t *max;
    size_t max_size;
    bool min_exact;
    bool max_exact;
    int64_t null_count;     /* -1: unknown */
    int64_t distinct_count; /* -1: unknown */
    int64_t nan_count;      /* -1: unknown */
    bool is_deprecated; /* they are the first bounds of the format: compared as signed */
} stoa_parquet_bounds;

/// Where something belonging to a chunk stands, unchecked; either is -1 where the footer does not
/// say.
typedef struct stoa_parquet_place {
    int64_t offset;
    int64_t bytes;
} stoa_parquet_place;

typedef struct stoa_parquet_pair {
    const char *key;
    const char *value; /* NULL: none */
    size_t value_size;
} stoa_parquet_pair;

typedef struct stoa_parquet_encoding_count {
    int32_t page_kind;
    int32_t encoding;
    int32_t page_count;
} stoa_parquet_encoding_count;

/// How a chunk is encrypted; all-zero: it is not.
typedef struct stoa_parquet_column_crypto {
    bool is_encrypted;
    bool has_own_key;  /* not the footer's */
    bool is_locked;    /* without a key: its pages cannot be read */
    bool has_metadata; /* in the clear, perhaps without statistics; an unknown chunk has no bytes */
    const stoa_parquet_cipher *cipher; /* NULL: not encrypted, or locked */
    int32_t group_ordinal;             /* what modules are bound to */
    int32_t ordinal;
    const uint8_t *key_metadata;
    size_t key_metadata_size;
    const uint8_t *sealed; /* its metadata, encrypted; NULL: none */
    size_t sealed_size;
} stoa_parquet_column_crypto;

typedef struct stoa_parquet_column {
    int32_t physical;
    int32_t compression;
    const int32_t *encodings;
    int32_t encoding_count;
    int64_t value_count; /* nulls included */
    int64_t uncompressed_bytes;
    int64_t compressed_bytes;
    int64_t data_offset;
    int64_t dictionary_offset; /* -1: none */
    uint64_t offset;           /* where the chunk begins: the lesser of the two */
    bool has_bounds;
    stoa_parquet_bounds bounds;
    const stoa_parquet_encoding_count *encoding_counts;
    int32_t encoding_count_count;
    int64_t byte_array_bytes; /* of all BYTE_ARRAY values without their lengths; -1: not said */
    stoa_parquet_place bloom; /* bloom_filter.h */
    stoa_parquet_place offset_index; /* page_index.h */
    stoa_parquet_place column_index;
    const stoa_parquet_pair *pairs;
    int32_t pair_count;
    stoa_parquet_column_crypto crypto;
} stoa_parquet_column;

/// Rows of a group stand in this order, as its writer claims.
typedef struct stoa_parquet_sorting {
    int32_t leaf;
    bool descending;
    bool nulls_first;
} stoa_parquet_sorting;

typedef struct stoa_parquet_group {
    const stoa_parquet_column *columns; /* one a leaf */
    const stoa_parquet_sorting *sorting; /* by the first, then the second, … */
    int32_t sorting_count;
    int64_t row_count;
    int64_t uncompressed_bytes;
    int32_t ordinal; /* -1: not said */
} stoa_parquet_group;

typedef struct stoa_parquet_footer {
    uint64_t file_bytes;
    uint64_t footer_offset;
    int32_t version;
    int64_t row_count;
    const char *created_by; /* NULL: not said */
    const stoa_parquet_element *elements; /* elements[0] is the root */
    int32_t element_count;
    const stoa_parquet_leaf *leaves;
    int32_t leaf_count;
    const int32_t *orders; /* stoa_parquet_order of each leaf's bounds; NULL: not said */
    const stoa_parquet_group *groups;
    int32_t group_count;
    const stoa_parquet_pair *pairs;
    int32_t pair_count;
    bool is_encrypted; /* the footer, not only columns */
    stoa_parquet_algorithm algorithm;
    const uint8_t *key_metadata;
    size_t key_metadata_size;
    stoa_parquet_crypto *crypto;       /* NULL: nothing is encrypted */
    const stoa_parquet_cipher *cipher; /* the footer's; NULL: there is no key for it */
    stoa_arena arena;
} stoa_parquet_footer;

/// Reads and checks the footer. Memory is at most a small multiple of the footer's own bytes. What is
/// encrypted is decrypted where `keys` (NULL: none) has the key; chunks without theirs are locked. The
/// signature of a clear footer is checked where there is the footer's key.
///
/// Errors   STOA_CORRUPT  no Parquet file, or its footer does not hold together (with byte), or what
///                        is encrypted or signed is not authentic
///          STOA_INVALID  an encrypted footer without its key; an AAD prefix that is not the file's
/// Owns     The caller releases `out`, also after an error (harmless then). Keys are copied, and wiped
///          by the release.
STOA_MUST_USE stoa_status stoa_parquet_footer_read(const stoa_context *context, stoa_file *file,
                                                   const stoa_parquet_keys *keys,
                                                   stoa_parquet_footer *out, stoa_error *err);

/// Whether the pages of a chunk can be read.
///
/// Errors   STOA_INVALID  it is encrypted, and there is no key for it (column and key named)
STOA_MUST_USE stoa_status stoa_parquet_column_check_unlocked(const stoa_parquet_footer *footer,
                                                             int32_t group, int32_t leaf,
                                                             stoa_error *err);

/// Decrypts, in its place, what belongs to a chunk and stands by itself: an index, a bloom filter. What
/// is not encrypted stays as it is. `*size` becomes that of the decrypted bytes, `*out_used` how many
/// stored ones they were.
///
/// Errors   STOA_CORRUPT  not authentic, or longer than `*size`
STOA_MUST_USE stoa_status stoa_parquet_column_decrypt(stoa_pool *pool,
                                                      const stoa_parquet_column *column,
                                                      stoa_parquet_module module, uint8_t *bytes,
                                                      size_t *size, size_t *out_used,
                                                      stoa_error *err);

/// True where a leaf's bounds, of a chunk or of a page, compare as its type does (with NaN in none):
/// the file says so, or they are deprecated ones of numbers.
bool stoa_parquet_bounds_are_ordered(const stoa_parquet_footer *footer, int32_t leaf,
                                     const stoa_parquet_bounds *bounds);

void stoa_parquet_footer_release(stoa_parquet_footer *footer);

#endif
