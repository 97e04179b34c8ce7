/* A piece of the hybrid at a time: a run is one code, checked once, and its value is repeated; packed
 * codes go through a small array on the stack that never leaves the first-level cache. */
#include "codec/dictionary_decoder.h"

#include <string.h>

#include "codec/bitpack_kernel.h"
#include "codec/gather_kernel.h"

enum { STEP = 1024 };

stoa_status stoa_dictionary_decoder_init(stoa_dictionary_decoder *decoder, const uint8_t *bytes,
                                         size_t size, uint32_t entry_count, stoa_error *err) {
    /* A run of 2^31 - 1 times the code 0. Where codes have no bits, some writers leave it out. */
    static const uint8_t zeros[] = {0, 0xFE, 0xFF, 0xFF, 0xFF, 0x0F};
    decoder->entry_count = entry_count;
    if (size == 1 && bytes[0] == 0) {
        bytes = zeros;
        size = sizeof zeros;
    }
    if (size == 0) {
        return stoa_rle_decoder_init(&decoder->codes, bytes, 0, 0, err);
    }
    return stoa_rle_decoder_init(&decoder->codes, bytes + 1, size - 1, bytes[0], err);
}

static stoa_status fail_code(const stoa_dictionary_decoder *decoder, uint32_t code,
                             stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT,
                     "byte %zu: expected codes of a dictionary of %" PRIu32
                     " entries but found %" PRIu32,
                     decoder->codes.reader.position + 1, decoder->entry_count, code);
}

stoa_status stoa_dictionary_decoder_read_codes(stoa_dictionary_decoder *decoder, uint32_t *out,
                                               size_t count, stoa_error *err) {
    STOA_TRY(stoa_rle_decoder_read_u32(&decoder->codes, out, count, err));
    const uint32_t highest = stoa_codes_highest(out, count);
    return count == 0 || highest < decoder->entry_count ? STOA_OK
                                                        : fail_code(decoder, highest, err);
}

static stoa_status read_values(stoa_dictionary_decoder *decoder, const uint8_t *entries,
                               size_t value_bytes, uint8_t *out, size_t count, stoa_error *err) {
    STOA_ASSERT(value_bytes > 0);
    while (count > 0) {
        stoa_rle_piece piece;
        STOA_TRY(stoa_rle_decoder_next(&decoder->codes, count < STEP ? count : STEP, &piece, err));
        uint32_t unpacked[STEP];
        const uint32_t *codes = piece.values;
        if (piece.packed != NULL) {
            stoa_bitunpack_u32(piece.packed, piece.count, decoder->codes.width, unpacked);
            codes = unpacked;
        }
        const uint32_t highest = codes != NULL ? stoa_codes_highest(codes, piece.count)
                                               : piece.value;
        if (highest >= decoder->entry_count) {
            return fail_code(decoder, highest, err);
        }
        if (codes != NULL) {
            stoa_codes_gather(entries, decoder->entry_count, value_bytes, codes, piece.count, out);
        } else {
            stoa_repeat_fixed(entries + piece.value * value_bytes, value_bytes, piece.count, out);
        }
        out += piece.count * value_bytes;
        count -= piece.count;
    }
    return STOA_OK;
}

stoa_status stoa_dictionary_decoder_read_fixed(stoa_dictionary_decoder *decoder,
                                               const void *entries, size_t value_bytes, void *out,
                                               size_t count, stoa_error *err) {
    return read_values(decoder, entries, value_bytes, out, count, err);
}

stoa_status stoa_dictionary_decoder_skip(stoa_dictionary_decoder *decoder, size_t count,
                                         stoa_error *err) {
    return stoa_rle_decoder_skip(&decoder->codes, count, err);
}
