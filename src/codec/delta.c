/* A miniblock's bytes are taken from the reader as a whole before any of them is used, so the loops
 * inside it need no checks. Units of 32 values go straight to the caller; a unit that the caller wants
 * only a part of waits in the decoder. Padding behind the last value is stepped over, never unpacked
 * beyond its unit. */
#include "codec/delta.h"

#include <string.h>

#include "codec/delta_kernel.h"

enum { UNIT = STOA_DELTA_UNIT, BLOCK_FACTOR = 128, WIDTH_MAX = 64, SKIP_STEP = 256 };

static stoa_status fail_at(size_t position, const char *problem, stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT, "byte %zu: deltas: %s", position, problem);
}

static stoa_status check_sizes(stoa_delta_decoder *decoder, uint64_t block, uint64_t miniblocks,
                               stoa_error *err) {
    if (block == 0 || block > UINT32_MAX || block % BLOCK_FACTOR != 0) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte 0: deltas: expected blocks of a multiple of 128 "
                         "values but found %" PRIu64,
                         block);
    }
    if (miniblocks == 0 || miniblocks > block || block % miniblocks != 0 ||
        block / miniblocks % UNIT != 0) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte 0: deltas: expected miniblocks of a multiple of "
                         "32 values but found %" PRIu64 " in a block of %" PRIu64,
                         miniblocks, block);
    }
    decoder->miniblocks = (uint32_t)miniblocks;
    decoder->miniblock_values = (uint32_t)(block / miniblocks);
    decoder->miniblock = decoder->miniblocks;
    return STOA_OK;
}

stoa_status stoa_delta_decoder_init(stoa_delta_decoder *decoder, const uint8_t *bytes, size_t size,
                                    int value_bytes, stoa_error *err) {
    STOA_ASSERT(value_bytes == 4 || value_bytes == 8);
    *decoder = (stoa_delta_decoder){
        .reader = stoa_byte_reader_of(bytes, size),
        .value_bytes = value_bytes,
    };
    if (size == 0) {
        return STOA_OK;
    }
    uint64_t block, miniblocks, first;
    stoa_byte_reader *reader = &decoder->reader;
    if (!stoa_byte_reader_varint(reader, &block) || !stoa_byte_reader_varint(reader, &miniblocks) ||
        !stoa_byte_reader_varint(reader, &decoder->count) ||
        !stoa_byte_reader_varint(reader, &first)) {
        return fail_at(reader->position, "the header is cut off or overflows", err);
    }
    STOA_TRY(check_sizes(decoder, block, miniblocks, err));
    if (decoder->count == 0) {
        return STOA_OK;
    }
    decoder->last = (uint64_t)stoa_unzigzag(first);
    decoder->deltas_left = decoder->count - 1;
    decoder->pending_end = 1;
    if (value_bytes == 4) {
        decoder->pending.u32[0] = (uint32_t)decoder->last;
    } else {
        decoder->pending.u64[0] = decoder->last;
    }
    return STOA_OK;
}

uint64_t stoa_delta_decoder_left(const stoa_delta_decoder *decoder) {
    return decoder->deltas_left + decoder->packed_left +
           (decoder->pending_end - decoder->pending_at);
}

static stoa_status next_block(stoa_delta_decoder *decoder, stoa_error *err) {
    uint64_t smallest;
    if (!stoa_byte_reader_varint(&decoder->reader, &smallest)) {
        return fail_at(decoder->reader.position, "expected a block but the bytes end or overflow",
                       err);
    }
    decoder->smallest = (uint64_t)stoa_unzigzag(smallest);
    decoder->widths = stoa_byte_reader_take(&decoder->reader, decoder->miniblocks);
    if (decoder->widths == NULL) {
        return fail_at(decoder->reader.position, "the widths of a block are cut off", err);
    }
    decoder->miniblock = 0;
    return STOA_OK;
}

/* Widths of miniblocks without values may be anything, and have no bytes. */
static stoa_status next_miniblock(stoa_delta_decoder *decoder, stoa_error *err) {
    STOA_ASSERT(decoder->packed_left == 0 && decoder->deltas_left > 0);
    if (decoder->miniblock == decoder->miniblocks) {
        STOA_TRY(next_block(decoder, err));
    }
    decoder->width = decoder->widths[decoder->miniblock++];
    if (decoder->width > WIDTH_MAX) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte %zu: deltas: expected at most 64 bits but found "
                         "%d",
                         (size_t)(decoder->widths - decoder->reader.data) + decoder->miniblock - 1,
                         decoder->width);
    }
    const size_t bytes = (size_t)(decoder->miniblock_values / 8) * (size_t)decoder->width;
    decoder->packed = stoa_byte_reader_take(&decoder->reader, bytes);
    if (decoder->packed == NULL) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte %zu: deltas: expected a miniblock of %zu bytes "
                         "but found %zu",
                         decoder->reader.position, bytes, stoa_byte_reader_left(&decoder->reader));
    }
    decoder->packed_left = decoder->deltas_left < decoder->miniblock_values
                               ? decoder->deltas_left
                               : decoder->miniblock_values;
    decoder->deltas_left -= decoder->packed_left;
    return STOA_OK;
}

static stoa_status check_count(const stoa_delta_decoder *decoder, size_t count, stoa_error *err) {
    const uint64_t left = stoa_delta_decoder_left(decoder);
    if (count <= left) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_CORRUPT,
                     "byte %zu: deltas: expected %zu more values but found "
                     "%" PRIu64,
                     decoder->reader.position, count, left);
}

static void unpack(stoa_delta_decoder *decoder, size_t count, void *out) {
    if (decoder->value_bytes == 4) {
        uint32_t last = (uint32_t)decoder->last;
        stoa_delta_unpack_u32(decoder->packed, count, decoder->width, (uint32_t)decoder->smallest,
                              &last, out);
        decoder->last = last;
    } else {
        stoa_delta_unpack_u64(decoder->packed, count, decoder->width, decoder->smallest,
                              &decoder->last, out);
    }
    decoder->packed += count / 8 * (size_t)decoder->width;
}

static stoa_status read_values(stoa_delta_decoder *decoder, uint8_t *out, size_t count,
                               stoa_error *err) {
    const size_t value_bytes = (size_t)decoder->value_bytes;
    STOA_TRY(check_count(decoder, count, err));
    while (count > 0) {
        size_t now;
        if (decoder->pending_at < decoder->pending_end) {
            const size_t left = decoder->pending_end - decoder->pending_at;
            now = left < count ? left : count;
            memcpy(out, (const uint8_t *)&decoder->pending + decoder->pending_at * value_bytes,
                   now * value_bytes);
            decoder->pending_at += (uint32_t)now;
        } else if (decoder->packed_left == 0) {
            STOA_TRY(next_miniblock(decoder, err));
            continue;
        } else if (count >= UNIT && decoder->packed_left >= UNIT) {
            now = (decoder->packed_left < count ? (size_t)decoder->packed_left : count) / UNIT *
                  UNIT;
            unpack(decoder, now, out);
            decoder->packed_left -= now;
        } else {
            unpack(decoder, UNIT, &decoder->pending);
            decoder->pending_at = 0;
            decoder->pending_end = decoder->packed_left < UNIT ? (uint32_t)decoder->packed_left
                                                               : UNIT;
            decoder->packed_left -= decoder->pending_end;
            continue;
        }
        out += now * value_bytes;
        count -= now;
    }
    return STOA_OK;
}

stoa_status stoa_delta_decoder_read_i32(stoa_delta_decoder *decoder, int32_t *out, size_t count,
                                        stoa_error *err) {
    STOA_ASSERT(decoder->value_bytes == 4);
    return read_values(decoder, (uint8_t *)out, count, err);
}

stoa_status stoa_delta_decoder_read_i64(stoa_delta_decoder *decoder, int64_t *out, size_t count,
                                        stoa_error *err) {
    STOA_ASSERT(decoder->value_bytes == 8);
    return read_values(decoder, (uint8_t *)out, count, err);
}

/* Every value is the sum of all before it, so skipping is reading. */
stoa_status stoa_delta_decoder_skip(stoa_delta_decoder *decoder, size_t count, stoa_error *err) {
    uint64_t nowhere[SKIP_STEP];
    STOA_TRY(check_count(decoder, count, err));
    while (count > 0) {
        const size_t now = count < SKIP_STEP ? count : SKIP_STEP;
        STOA_TRY(read_values(decoder, (uint8_t *)nowhere, now, err));
        count -= now;
    }
    return STOA_OK;
}

/* Each turn takes a byte of the input at least: its miniblock's width. */
stoa_status stoa_delta_decoder_end(const stoa_delta_decoder *decoder, size_t *out,
                                   stoa_error *err) {
    stoa_delta_decoder walk = *decoder;
    while (walk.deltas_left > 0) {
        walk.packed_left = 0;
        STOA_TRY(next_miniblock(&walk, err));
    }
    *out = walk.reader.position;
    return STOA_OK;
}
