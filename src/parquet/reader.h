/* Reading Parquet files, anybody's, into Arrow batches.
 *
 *     stoa_parquet_reader_open(context, file, NULL, &reader, &err);
 *     stoa_parquet_read_options options = STOA_PARQUET_READ_ALL;
 *     stoa_parquet_reader_stream(reader, &options, &stream, &err);
 *     … stoa_stream_next(&stream, &batch, &err) …
 *     stream.release(&stream);
 *     stoa_parquet_reader_close(reader);
 *
 * Source   Apache Parquet format 2.11 */
#ifndef STOA_PARQUET_READER_H
#define STOA_PARQUET_READER_H

#include <stoa/arrow.h>
#include <stoa/context.h>
#include <stoa/schema.h>

#include "parquet/crypto.h"
#include "parquet/row_ranges.h"
#include "schema/predicate.h"

typedef struct stoa_parquet_reader stoa_parquet_reader;

typedef struct stoa_parquet_open_options {
    stoa_type_unit int96_unit; /* of the timestamps that INT96 columns become; 0: nanoseconds, which
                                  hold the years 1677 to 2262 only */
    const stoa_parquet_keys *keys; /* of encrypted files, used while the file is opened; NULL: none */
} stoa_parquet_open_options;

#define STOA_PARQUET_OPEN_DEFAULT {0}

/// Reads and checks the footer. The context is kept, the file borrowed until close; several reads of
/// it may run at a time. `options` may be NULL. Keys in use are copied, and wiped by close.
///
/// Errors   STOA_CORRUPT      no Parquet file, or its footer does not hold together (with byte); what is
///                            encrypted or signed is not authentic: a wrong key or changed bytes
///          STOA_INVALID      an encrypted footer without its key; an AAD prefix that is not the file's
///          STOA_UNSUPPORTED  names that Stoa's schemas do not have
///          STOA_IO, STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_parquet_reader_open(const stoa_context *context, stoa_file *file,
                                                   const stoa_parquet_open_options *options,
                                                   stoa_parquet_reader **out, stoa_error *err);
/// After its streams. Batches may outlive it. NULL is allowed.
void stoa_parquet_reader_close(stoa_parquet_reader *reader);

/// The schema of the whole file: field ids are the file's where all fields have one, else given anew.
/// Fields that cannot be read are there as nulls; only a stream that has them is refused.
const stoa_schema *stoa_parquet_reader_schema(const stoa_parquet_reader *reader);
/// Whether those ids are the file's, and mean the same columns in other files of the same table.
bool stoa_parquet_reader_has_field_ids(const stoa_parquet_reader *reader);
int32_t stoa_parquet_reader_group_count(const stoa_parquet_reader *reader);
int64_t stoa_parquet_reader_group_rows(const stoa_parquet_reader *reader, int32_t group);

/* What to read of a file; all arrays are copied, but not the predicate. */
typedef struct stoa_parquet_read_options {
    const int32_t *field_ids; /* fields at any depth, with all below them; NULL: all columns */
    int32_t field_count;
    const int32_t *groups; /* in this order; NULL: all */
    int32_t group_count;
    const stoa_parquet_row_range *ranges; /* of the file, growing and apart; NULL: all rows */
    int32_t range_count;
    /* Only rows that make it true; NULL: all. It refers to fields of the file's schema, projected or
     * not, that lie outside lists and maps, and is borrowed by the stream. */
    const stoa_predicate *predicate;
    int64_t batch_rows;     /* at most; 0: about a megabyte of them, 4,096 to 65,536; fewer where one
                               column's values have a fixed size of kilobytes */
    /* That strings or binaries of one column of a batch may take; a batch has fewer rows then, at least
     * one, which may take more. 0, and no more than: 2 GiB. Not with a predicate. */
    size_t column_bytes;
    /* Fields of strings or binaries at any depth that come dictionary-encoded, with indices of 32 bits
     * and dictionaries of their own in each batch. STOA_UNSUPPORTED with a predicate. */
    const int32_t *dictionary_ids;
    int32_t dictionary_count;
    bool dictionary_all;    /* all of them */
    bool ignores_checksums; /* of pages */
    bool unordered;         /* a stream's batches may come in any order, as they are ready */
} stoa_parquet_read_options;

#define STOA_PARQUET_READ_ALL ((stoa_parquet_read_options){0})

/// A stream of batches in the canonical layout of the schema, which has the file's order. A batch does
/// not go beyond its row group. Row groups, and pieces of large ones, are decoded side by side by tasks
/// of the context's scheduler, and by who asks for batches. Texts are not checked to be UTF-8, nor
/// decimals to have no more than their digits: stoa_arrow_validate does.
///
/// Memory   for each thread a batch, a page of each column, dictionaries, and up to 32 MiB of stored
///          bytes of a file that cannot be mapped; a page is at most what its compression can make of
///          its stored bytes. Batches that wait for their turn: a few where columns are decoded side by
///          side, else as much as row groups of up to 64 MiB ask for, a thread, and no more than a
///          quarter of what the pool may hold
/// Errors   STOA_INVALID  a field, row group or range that the file does not have; a column that is
///                        encrypted, without a key
///          STOA_UNSUPPORTED  a field of a type that Stoa's schemas do not have (named)
///          of batches: STOA_CORRUPT (with row group, column, page and byte), STOA_UNSUPPORTED (an
///          encoding or compression, named), STOA_INVALID (a value that Arrow's type cannot hold),
///          STOA_LIMIT (more than 2 GiB of strings, or 2^31 items, in a row), STOA_CANCELLED,
///          STOA_IO, STOA_NO_MEMORY
/// Threads  One call at a time for a stream; several streams of a reader are independent.
STOA_MUST_USE stoa_status stoa_parquet_reader_stream(const stoa_parquet_reader *reader,
                                                     const stoa_parquet_read_options *options,
                                                     struct ArrowArrayStream *out, stoa_error *err);

#endif
