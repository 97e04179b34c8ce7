/* Everything is read through pieces: what is left of a group that was begun, a run, or whole packed
 * groups. What the bytes claim is compared with the bytes that are there before it is used; groups
 * that nobody asks for need not be there. */
#include "codec/rle_decoder.h"

#include <string.h>

#include "base/bits.h"
#include "codec/bitpack_kernel.h"

stoa_status stoa_rle_decoder_init(stoa_rle_decoder *decoder, const uint8_t *bytes, size_t size,
                                  int width, stoa_error *err) {
    if (width < 0 || width > 32) {
        return stoa_fail(err, STOA_CORRUPT, "expected values of 0 to 32 bits but found %d", width);
    }
    *decoder = (stoa_rle_decoder){
        .reader = stoa_byte_reader_of(bytes, size),
        .width = width,
        .pending_at = STOA_RLE_GROUP,
    };
    return STOA_OK;
}

stoa_status stoa_rle_decoder_init_sized(stoa_rle_decoder *decoder, const uint8_t *bytes,
                                        size_t size, int width, size_t *out_used, stoa_error *err) {
    uint32_t length = 0;
    if (size < sizeof length) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte 0: expected the length of runs in 4 bytes but "
                         "found %zu bytes",
                         size);
    }
    length = stoa_load_u32(bytes);
    if (length > size - sizeof length) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte 0: expected at most %zu bytes of runs but found "
                         "the length %" PRIu32,
                         size - sizeof length, length);
    }
    if (out_used != NULL) {
        *out_used = sizeof length + length;
    }
    return stoa_rle_decoder_init(decoder, bytes + sizeof length, length, width, err);
}

static stoa_status next_header(stoa_rle_decoder *decoder, stoa_error *err) {
    const size_t at = decoder->reader.position;
    uint64_t header;
    if (!stoa_byte_reader_varint(&decoder->reader, &header)) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte %zu: expected the header of a run but the bytes "
                         "end or overflow",
                         at);
    }
    if (header >> 1 == 0) {
        return stoa_fail(err, STOA_CORRUPT, "byte %zu: found a run of nothing", at);
    }
    if (header & 1) {
        decoder->groups_left = header >> 1;
        return STOA_OK;
    }
    uint8_t bytes[4] = {0};
    if (!stoa_byte_reader_get(&decoder->reader, bytes, (size_t)(decoder->width + 7) / 8)) {
        return stoa_fail(err, STOA_CORRUPT, "byte %zu: the value of a run is cut off",
                         decoder->reader.position);
    }
    decoder->run_value = stoa_load_u32(bytes);
    if (decoder->width < 32 && decoder->run_value >> decoder->width != 0) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte %zu: expected a run's value of %d bits but found "
                         "%" PRIu32,
                         at, decoder->width, decoder->run_value);
    }
    decoder->run_left = header >> 1;
    return STOA_OK;
}

static stoa_status take_groups(stoa_rle_decoder *decoder, size_t groups, const uint8_t **out,
                               stoa_error *err) {
    const size_t width = (size_t)decoder->width;
    const size_t left = stoa_byte_reader_left(&decoder->reader);
    if (width > 0 && groups > left / width) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte %zu: expected %zu groups of eight values of %zu "
                         "bits but found %zu bytes",
                         decoder->reader.position, groups, width, left);
    }
    /* Never NULL, which says in a piece that nothing is packed. */
    static const uint8_t nothing = 0;
    *out = width > 0 ? stoa_byte_reader_take(&decoder->reader, groups * width) : &nothing;
    decoder->groups_left -= groups;
    return STOA_OK;
}

stoa_status stoa_rle_decoder_next(stoa_rle_decoder *decoder, size_t limit, stoa_rle_piece *out,
                                  stoa_error *err) {
    STOA_ASSERT(limit > 0);
    *out = (stoa_rle_piece){0};
    if (decoder->pending_at == STOA_RLE_GROUP && decoder->run_left == 0) {
        if (decoder->groups_left == 0) {
            STOA_TRY(next_header(decoder, err));
        }
        if (decoder->groups_left > 0 && limit >= STOA_RLE_GROUP) {
            const size_t wanted = limit / STOA_RLE_GROUP;
            const size_t groups = decoder->groups_left < wanted ? (size_t)decoder->groups_left
                                                                : wanted;
            out->count = groups * STOA_RLE_GROUP;
            return take_groups(decoder, groups, &out->packed, err);
        }
        if (decoder->groups_left > 0) {
            const uint8_t *packed = NULL;
            STOA_TRY(take_groups(decoder, 1, &packed, err));
            stoa_bitunpack_u32(packed, STOA_RLE_GROUP, decoder->width, decoder->pending);
            decoder->pending_at = 0;
        }
    }
    if (decoder->pending_at < STOA_RLE_GROUP) {
        const size_t left = STOA_RLE_GROUP - decoder->pending_at;
        out->count = left < limit ? left : limit;
        out->values = decoder->pending + decoder->pending_at;
        decoder->pending_at += (unsigned)out->count;
        return STOA_OK;
    }
    out->count = decoder->run_left < limit ? (size_t)decoder->run_left : limit;
    out->value = decoder->run_value;
    decoder->run_left -= out->count;
    return STOA_OK;
}

stoa_status stoa_rle_decoder_read_u32(stoa_rle_decoder *decoder, uint32_t *out, size_t count,
                                      stoa_error *err) {
    while (count > 0) {
        stoa_rle_piece piece;
        STOA_TRY(stoa_rle_decoder_next(decoder, count, &piece, err));
        if (piece.packed != NULL) {
            stoa_bitunpack_u32(piece.packed, piece.count, decoder->width, out);
        } else if (piece.values != NULL) {
            memcpy(out, piece.values, piece.count * sizeof *out);
        } else {
            for (size_t i = 0; i < piece.count; i++) {
                out[i] = piece.value;
            }
        }
        out += piece.count;
        count -= piece.count;
    }
    return STOA_OK;
}

stoa_status stoa_rle_decoder_read_u8(stoa_rle_decoder *decoder, uint8_t *out, size_t count,
                                     stoa_error *err) {
    STOA_ASSERT(decoder->width <= 8);
    while (count > 0) {
        stoa_rle_piece piece;
        STOA_TRY(stoa_rle_decoder_next(decoder, count, &piece, err));
        if (piece.packed != NULL) {
            stoa_bitunpack_u8(piece.packed, piece.count, decoder->width, out);
        } else if (piece.values != NULL) {
            for (size_t i = 0; i < piece.count; i++) {
                out[i] = (uint8_t)piece.values[i];
            }
        } else {
            memset(out, (int)piece.value, piece.count);
        }
        out += piece.count;
        count -= piece.count;
    }
    return STOA_OK;
}

stoa_status stoa_rle_decoder_read_bits(stoa_rle_decoder *decoder, uint8_t *bits, int64_t offset,
                                       size_t count, int64_t *out_ones, stoa_error *err) {
    STOA_ASSERT(decoder->width == 1);
    const int64_t start = offset;
    const int64_t end = offset + (int64_t)count;
    while (offset < end) {
        stoa_rle_piece piece;
        STOA_TRY(stoa_rle_decoder_next(decoder, (size_t)(end - offset), &piece, err));
        const int64_t have = (int64_t)piece.count;
        if (piece.packed != NULL) {
            stoa_bitmap_copy(piece.packed, 0, bits, offset, have);
        } else if (piece.values != NULL) {
            for (int64_t i = 0; i < have; i++) {
                stoa_bit_put(bits, offset + i, piece.values[i] != 0);
            }
        } else {
            stoa_bitmap_fill(bits, offset, have, piece.value != 0);
        }
        offset += have;
    }
    if (out_ones != NULL) {
        *out_ones = stoa_bitmap_count(bits, start, (int64_t)count);
    }
    return STOA_OK;
}

stoa_status stoa_rle_decoder_skip(stoa_rle_decoder *decoder, size_t count, stoa_error *err) {
    while (count > 0) {
        stoa_rle_piece piece;
        STOA_TRY(stoa_rle_decoder_next(decoder, count, &piece, err));
        count -= piece.count;
    }
    return STOA_OK;
}
