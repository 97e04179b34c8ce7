/* One table says which of Parquet's compressions Stoa has, and the most that each can make of a byte:
 * a bound on memory that a page's header cannot talk us out of. */
#include "parquet/page_body.h"

#include <stdio.h>

#include "base/hash.h"

void stoa_page_body_init(stoa_page_body *body, stoa_pool *pool) {
    *body = (stoa_page_body){.pool = pool};
    stoa_buffer_init(&body->plain, pool);
}

void stoa_page_body_release(stoa_page_body *body) {
    for (size_t i = 0; i < sizeof body->codecs / sizeof *body->codecs; i++) {
        stoa_codec_close(body->codecs[i]);
        body->codecs[i] = NULL;
    }
    stoa_buffer_release(&body->plain);
}

/* Snappy copies 64 bytes with 3, LZ4 255 with 1, deflate 258 with 2 bits, zstd 128 KiB with 4
 * bytes, brotli 16 MiB with as few. */
static bool compression_of(int32_t number, stoa_compression *out, uint64_t *out_ratio) {
    switch (number) {
    case STOA_PARQUET_COMPRESSION_NONE:
        *out = STOA_COMPRESSION_NONE;
        *out_ratio = 1;
        return true;
    case STOA_PARQUET_COMPRESSION_SNAPPY:
        *out = STOA_COMPRESSION_SNAPPY;
        *out_ratio = 64;
        return true;
    case STOA_PARQUET_COMPRESSION_GZIP:
        *out = STOA_COMPRESSION_GZIP;
        *out_ratio = 1040;
        return true;
    case STOA_PARQUET_COMPRESSION_BROTLI:
        *out = STOA_COMPRESSION_BROTLI;
        *out_ratio = (uint64_t)1 << 22;
        return true;
    case STOA_PARQUET_COMPRESSION_LZ4:
        *out = STOA_COMPRESSION_LZ4_HADOOP;
        *out_ratio = 256;
        return true;
    case STOA_PARQUET_COMPRESSION_ZSTD:
        *out = STOA_COMPRESSION_ZSTD;
        *out_ratio = 65536;
        return true;
    case STOA_PARQUET_COMPRESSION_LZ4_RAW:
        *out = STOA_COMPRESSION_LZ4_RAW;
        *out_ratio = 256;
        return true;
    default: return false;
    }
}

stoa_status stoa_page_body_check(const stoa_page_reader *reader, const stoa_parquet_page *page,
                                 const uint8_t *stored, stoa_error *err) {
    if (!page->has_crc) {
        return STOA_OK;
    }
    const uint32_t crc = stoa_crc32(0, stored, page->body_bytes);
    if (crc == page->crc) {
        return STOA_OK;
    }
    char problem[96];
    (void)snprintf(problem, sizeof problem,
                   "expected a checksum of %08" PRIx32 " but found %08" PRIx32, page->crc, crc);
    return stoa_page_reader_fail(reader, page->offset, problem, err);
}

static stoa_status decompress(stoa_page_body *body, const stoa_page_reader *reader,
                              const stoa_parquet_page *page, stoa_codec *codec,
                              const uint8_t *stored, stoa_error *err) {
    /* Levels of version 2 are never compressed. */
    const size_t levels = (size_t)page->definition_bytes + page->repetition_bytes;
    stoa_buffer *plain = &body->plain;
    stoa_buffer_clear(plain);
    STOA_TRY(stoa_buffer_reserve(plain, page->plain_bytes, err));
    if (levels > 0) {
        memcpy(plain->data, stored, levels);
    }
    stoa_error cause = STOA_ERROR_NONE;
    stoa_status status = stoa_codec_decompress(codec, stored + levels, page->body_bytes - levels,
                                               plain->data == NULL ? NULL : plain->data + levels,
                                               page->plain_bytes - levels, &cause);
    if (status == STOA_CORRUPT) {
        return stoa_page_reader_fail(reader, page->offset, cause.message, err);
    }
    if (status != STOA_OK && err != NULL) {
        *err = cause;
    }
    plain->size = page->plain_bytes;
    return status;
}

stoa_status stoa_page_body_open(stoa_page_body *body, const stoa_page_reader *reader,
                                const stoa_parquet_page *page, int32_t compression,
                                const uint8_t *stored, const uint8_t **out_view, stoa_error *err) {
    stoa_compression kind;
    uint64_t ratio;
    *out_view = NULL;
    if (page->kind == STOA_PARQUET_DATA_PAGE_V2 && !page->is_compressed) {
        compression = STOA_PARQUET_COMPRESSION_NONE;
    }
    if (!compression_of(compression, &kind, &ratio)) {
        return STOA_OK;
    }
    if (kind == STOA_COMPRESSION_NONE) {
        if (page->body_bytes != page->plain_bytes) {
            return stoa_page_reader_fail(reader, page->offset,
                                         "expected as many bytes as the page has uncompressed",
                                         err);
        }
        *out_view = stored;
        return STOA_OK;
    }
    if (page->plain_bytes > ratio * page->body_bytes) {
        return stoa_page_reader_fail(reader, page->offset,
                                     "promises more bytes than its compression can hold", err);
    }
    stoa_codec **codec = &body->codecs[compression];
    if (*codec == NULL) {
        STOA_TRY(stoa_codec_create(body->pool, kind, 0, codec, err));
    }
    STOA_TRY(decompress(body, reader, page, *codec, stored, err));
    *out_view = body->plain.data == NULL ? stored : body->plain.data;
    return STOA_OK;
}
