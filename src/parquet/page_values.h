/* Decoders of values, one for each encoding. */
#ifndef STOA_PARQUET_PAGE_VALUES_H
#define STOA_PARQUET_PAGE_VALUES_H

#include "parquet/chunk_reader.h"

/// Begins the current page, whose values are these bytes; they stay until the next page begins.
///
/// Errors   STOA_CORRUPT, STOA_UNSUPPORTED, STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_page_values_begin(stoa_chunk_reader *chunk, const uint8_t *bytes,
                                                 size_t size, stoa_error *err);

/// Appends the next `count` values.
STOA_MUST_USE stoa_status stoa_page_values_take(stoa_chunk_reader *chunk, int64_t count,
                                                stoa_chunk_values *out, stoa_error *err);

/// Passes over the next `count` values; `scratch` is what they may be decoded to.
STOA_MUST_USE stoa_status stoa_page_values_skip(stoa_chunk_reader *chunk, int64_t count,
                                                stoa_chunk_values *scratch, stoa_error *err);

/// Bytes of a dictionary's codes, as they are read where chunk->takes_codes: 1, else 4. Codes of one
/// byte are not checked to be below the entry count.
size_t stoa_page_code_bytes(const stoa_chunk_reader *chunk);

/// Appends the entries that `count` codes, all of them below the entry count, stand for.
STOA_MUST_USE stoa_status stoa_page_entries_take(stoa_chunk_reader *chunk, const uint32_t *codes,
                                                 int64_t count, stoa_chunk_values *out,
                                                 stoa_error *err);

/// Decodes a dictionary page of `count` entries.
STOA_MUST_USE stoa_status stoa_page_dictionary_load(stoa_chunk_reader *chunk, const uint8_t *bytes,
                                                    size_t size, int64_t count, stoa_error *err);

#endif
