/* Writing Parquet: batches in, one file out, in bounded memory.
 *
 * Rows are collected into row groups of exactly `row_group_rows`, or as many as `row_group_bytes` hold
 * where rows are wide; a full one is encoded by a pure function of its rows and the options, so that
 * the same rows give the same bytes however they were split into calls and however many threads
 * encode.
 *
 * Source   Apache Parquet format 2.11 */
#ifndef STOA_PARQUET_WRITER_H
#define STOA_PARQUET_WRITER_H

#include <stoa/schema.h>

#include "mem/arena.h"
#include "parquet/format.h"
#include "schema/predicate.h"
#include "vfs/vfs.h"

typedef enum stoa_parquet_codec {
    STOA_PARQUET_NONE,
    STOA_PARQUET_SNAPPY,
    STOA_PARQUET_GZIP,
    STOA_PARQUET_ZSTD,
    STOA_PARQUET_LZ4_RAW,
    STOA_PARQUET_BROTLI
} stoa_parquet_codec;

/// Rows are sorted by a column: what the caller says, and the writer checks and writes down.
typedef struct stoa_parquet_sorting_option {
    int32_t field_id;
    bool descending;
    bool nulls_first;
} stoa_parquet_sorting_option;

/* Which encodings are chosen from. */
typedef enum stoa_parquet_profile {
    STOA_PARQUET_COMPATIBLE, /* PLAIN and dictionaries, pages of version 1: every engine reads them fast */
    STOA_PARQUET_MODERN      /* also deltas, streams of bytes and runs, pages of version 2: smaller */
} stoa_parquet_profile;

/* An encoding that is asked for. */
typedef struct stoa_parquet_column_encoding {
    const char *column; /* of the schema, or a leaf by its path in Parquet: 'tags.list.element' */
    stoa_parquet_encoding encoding; /* RLE_DICTIONARY: as long as it fits dictionary_bytes */
} stoa_parquet_column_encoding;

typedef struct stoa_parquet_options {
    stoa_parquet_codec codec;
    int32_t level;           /* of the codec; 0 means its default */
    int64_t row_group_rows;
    size_t page_bytes;       /* a data page ends once its values reach it */
    size_t dictionary_bytes; /* a dictionary that would grow beyond it is given up */
    int32_t row_groups_in_flight; /* full ones kept in memory; 0: what context.sched's threads need */
    const char *const *metadata_keys; /* key-value metadata of the footer */
    const char *const *metadata_values;
    int32_t metadata_count;
    const int32_t *bloom_fields; /* ids of fields that get a bloom filter in every row group */
    int32_t bloom_count;
    double bloom_rate;           /* of false positives */
    size_t bloom_bytes;          /* the most that a filter takes, whatever its rate becomes */
    const stoa_parquet_sorting_option *sorting; /* rows come by the first, then the second, … */
    int32_t sorting_count;
    stoa_parquet_profile profile;
    int64_t page_rows;        /* a data page ends once it has so many rows */
    uint64_t row_group_bytes; /* of the rows in memory; a larger row is a group of its own */
    const stoa_parquet_column_encoding *encodings;
    int32_t encoding_count;
    bool unsynced; /* finish leaves it to the caller to sync the file */
    bool stores_plainly; /* variants and geometries as structs and binaries, which every engine reads */
} stoa_parquet_options;

#define STOA_PARQUET_DEFAULT                                                                       \
    {                                                                                              \
        .codec = STOA_PARQUET_ZSTD, .row_group_rows = 122880, .page_bytes = 1 << 20,               \
        .dictionary_bytes = 1 << 20, .bloom_rate = 0.01, .bloom_bytes = 1 << 20,                   \
        .page_rows = 20480, .row_group_bytes = 128 << 20                                           \
    }

/// What a finished file holds, for a catalog. Bounds cover the whole file; long strings are cut to
/// 64 bytes (the upper bound rounded up), unknown where that is impossible.
///
/// Owns     `columns` (one a leaf that is not inside a list or map) and what they point to belong to
///          the struct; stoa_parquet_summary_release gives them back.
typedef struct stoa_parquet_summary {
    int64_t row_count;
    int64_t row_group_count;
    uint64_t file_bytes;
    uint64_t content_hash; /* XXH3 of every byte of the file */
    stoa_field_summary *columns;
    int32_t column_count;
    stoa_arena arena;
} stoa_parquet_summary;

typedef struct stoa_parquet_writer stoa_parquet_writer;

/// Starts a file for batches in the canonical layout of `schema` (stoa_batch_conform).
///
/// Column chunks are encoded as tasks of context->sched; without one, by the caller's thread.
///
/// Owns     Borrows `file` (opened for sequential writes) until close; retains `schema`.
/// Threads  One call at a time.
STOA_MUST_USE stoa_status stoa_parquet_writer_create(const stoa_context *context, stoa_file *file,
                                                     const stoa_schema *schema,
                                                     const stoa_parquet_options *options,
                                                     stoa_parquet_writer **out, stoa_error *err);

/// Takes `batch`, also on error. Memory in use is about the row groups in flight, at most one more
/// than context.sched has threads, and the one that is being filled.
STOA_MUST_USE stoa_status stoa_parquet_writer_write(stoa_parquet_writer *writer,
                                                    struct ArrowArray *batch, stoa_error *err);

/// Bytes in the file and estimated bytes of the rows that still wait; for splitting into files.
uint64_t stoa_parquet_writer_bytes(const stoa_parquet_writer *writer);

/// Writes the last row group and the footer, and syncs the file unless the options say otherwise.
STOA_MUST_USE stoa_status stoa_parquet_writer_finish(stoa_parquet_writer *writer,
                                                     stoa_parquet_summary *out, stoa_error *err);
void stoa_parquet_summary_release(stoa_parquet_summary *summary);

/// Without finish before it, what was written is no Parquet file. NULL is allowed.
void stoa_parquet_writer_close(stoa_parquet_writer *writer);

#endif
