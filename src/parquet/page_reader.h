/* The pages of one chunk, one after the other, anybody's file. */
#ifndef STOA_PARQUET_PAGE_READER_H
#define STOA_PARQUET_PAGE_READER_H

#include "parquet/footer.h"

/// One page's header, checked against the chunk.
typedef struct stoa_parquet_page {
    int32_t kind; /* stoa_parquet_page_kind */
    uint64_t offset; /* of the header */
    uint64_t body_offset;
    uint32_t body_bytes; /* as it stands in the file */
    uint32_t plain_bytes;
    bool has_crc;
    uint32_t crc;
    int64_t value_count; /* nulls included; entries of a dictionary; 0 for other kinds */
    int32_t encoding;
    int32_t definition_encoding; /* version 1 only: RLE or BIT_PACKED */
    int32_t repetition_encoding;
    /* Version 2 only: levels stand before the body's compressed part. */
    int64_t row_count; /* -1: not said */
    int64_t null_count;
    uint32_t definition_bytes;
    uint32_t repetition_bytes;
    bool is_compressed;
} stoa_parquet_page;

typedef struct stoa_page_reader {
    stoa_file *file;
    uint64_t position;
    uint64_t end; /* of the chunk */
    int32_t page_index; /* of the page that was read last; -1 before the first */
    size_t read_ahead;  /* bytes that are read at a time, 0: no more than a header needs */
    const uint8_t *map; /* of the whole file, at least to `end`; NULL: it is read */
    uint64_t window_offset;
    stoa_buffer window; /* bytes of the file from there on, where it is read */
    const stoa_parquet_column *column;
    int32_t data_page_index; /* of the data page that comes next; who jumps sets it: encrypted pages
                                are bound to their number */
    stoa_buffer header;      /* decrypted, as the body */
    stoa_buffer body;
} stoa_page_reader;

void stoa_page_reader_init(stoa_page_reader *reader, stoa_pool *pool, stoa_file *file,
                           const stoa_parquet_column *column);
/// Goes to the beginning of another chunk, with the memory that it has. The file is read, and no more
/// of it than headers need, until `read_ahead` or `map` are set.
void stoa_page_reader_open(stoa_page_reader *reader, stoa_file *file,
                           const stoa_parquet_column *column);
/// Makes room for the first `size` bytes of the chunk that was opened, which the caller then reads into
/// `*out`. Until they are there the reader is not used.
STOA_MUST_USE stoa_status stoa_page_reader_prefetch(stoa_page_reader *reader, size_t size,
                                                    stoa_read_range *out, stoa_error *err);
void stoa_page_reader_release(stoa_page_reader *reader);

/// Reads the next header and moves behind the page's body. `*out_end` is true when there was none.
///
/// Errors   STOA_CORRUPT  with page number and byte; row group and column are the caller's to add
STOA_MUST_USE stoa_status stoa_page_reader_next(stoa_page_reader *reader, stoa_parquet_page *out,
                                                bool *out_end, stoa_error *err);

/// The stored bytes of the page that was read last: borrowed until the next call. Reads as much of
/// what follows in the chunk as `read_ahead` says. Of a map they are what the file holds if
/// stoa_file_map_check says so afterwards.
STOA_MUST_USE stoa_status stoa_page_reader_body(stoa_page_reader *reader,
                                                const stoa_parquet_page *page,
                                                const uint8_t **out_view, stoa_error *err);

/// Decrypts the stored bytes of the page that was read last, where its column is encrypted: `*view` is
/// then borrowed until the next call, and page->body_bytes how long it is. Else nothing changes.
///
/// Errors   STOA_CORRUPT  a wrong key or changed bytes, with page and byte
STOA_MUST_USE stoa_status stoa_page_reader_decrypt(stoa_page_reader *reader,
                                                   stoa_parquet_page *page, const uint8_t **view,
                                                   stoa_error *err);

/// A failure about the page that was read last.
stoa_status stoa_page_reader_fail(const stoa_page_reader *reader, uint64_t offset,
                                  const char *problem, stoa_error *err);

#endif
