/* RLE_DICTIONARY (and PLAIN_DICTIONARY) data pages: a byte with the width of the codes, then the codes
 * in the hybrid. Codes are unpacked, checked and looked up in one pass, part by part in the cache.
 *
 * Plain data over bytes that stay the caller's; after a failure it must not be used further.
 *
 * Errors   STOA_CORRUPT in all functions: the bytes end early, are no such encoding, or a code is not
 *          below the entry count
 * Threads  One call at a time; separate decoders are independent.
 * Source   Apache Parquet format 2.11, "Dictionary Encoding" */
#ifndef STOA_CODEC_DICTIONARY_DECODER_H
#define STOA_CODEC_DICTIONARY_DECODER_H

#include "codec/rle_decoder.h"

typedef struct stoa_dictionary_decoder {
    stoa_rle_decoder codes;
    uint32_t entry_count;
} stoa_dictionary_decoder;

/// Starts before the first value of a page's `size` bytes. No bytes at all are no values.
STOA_MUST_USE stoa_status stoa_dictionary_decoder_init(stoa_dictionary_decoder *decoder,
                                                       const uint8_t *bytes, size_t size,
                                                       uint32_t entry_count, stoa_error *err);

/// Takes exactly `count` codes.
STOA_MUST_USE stoa_status stoa_dictionary_decoder_read_codes(stoa_dictionary_decoder *decoder,
                                                             uint32_t *out, size_t count,
                                                             stoa_error *err);

/// Takes exactly `count` values of `value_bytes` (not 0) each; `entries` has entry_count of them, and
/// `out` does not overlap it.
STOA_MUST_USE stoa_status stoa_dictionary_decoder_read_fixed(stoa_dictionary_decoder *decoder,
                                                             const void *entries,
                                                             size_t value_bytes, void *out,
                                                             size_t count, stoa_error *err);

/// Steps over values; their codes are not checked.
STOA_MUST_USE stoa_status stoa_dictionary_decoder_skip(stoa_dictionary_decoder *decoder,
                                                       size_t count, stoa_error *err);

#endif
