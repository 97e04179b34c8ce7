/* What stands in a page: its checksum compared, its values decompressed. */
#ifndef STOA_PARQUET_PAGE_BODY_H
#define STOA_PARQUET_PAGE_BODY_H

#include "codec/compress.h"
#include "parquet/page_reader.h"

/// Codecs, made when they are needed, and room for one decompressed page. All-zero but for the pool.
typedef struct stoa_page_body {
    stoa_pool *pool;
    stoa_codec *codecs[STOA_PARQUET_COMPRESSION_LZ4_RAW + 1];
    stoa_buffer plain;
} stoa_page_body;

void stoa_page_body_init(stoa_page_body *body, stoa_pool *pool);
void stoa_page_body_release(stoa_page_body *body);

/// Compares the page's checksum, where it has one, with its stored bytes.
///
/// Errors   STOA_CORRUPT  with page and byte
STOA_MUST_USE stoa_status stoa_page_body_check(const stoa_page_reader *reader,
                                               const stoa_parquet_page *page, const uint8_t *stored,
                                               stoa_error *err);

/// Decompresses the stored bytes. `*out_view`, page->plain_bytes long, is borrowed from `stored` or
/// until the next call; NULL for a compression that Stoa lacks. A header's promise takes no more
/// memory than the compression could make of the stored bytes.
///
/// Errors   STOA_CORRUPT  with page and byte
///          STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_page_body_open(stoa_page_body *body, const stoa_page_reader *reader,
                                              const stoa_parquet_page *page, int32_t compression,
                                              const uint8_t *stored, const uint8_t **out_view,
                                              stoa_error *err);

#endif
