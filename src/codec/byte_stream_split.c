/* The kernel (byte_stream_split_kernel.h) transposes; here is what is counted and checked. */
#include "codec/byte_stream_split.h"

#include "codec/byte_stream_split_kernel.h"

stoa_status stoa_byte_stream_split_init(stoa_byte_stream_split *decoder, const uint8_t *bytes,
                                        size_t size, size_t value_bytes, stoa_error *err) {
    STOA_ASSERT(value_bytes > 0);
    if (size % value_bytes != 0) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte 0: expected streams of values of %zu bytes but "
                         "found %zu bytes",
                         value_bytes, size);
    }
    *decoder = (stoa_byte_stream_split){
        .bytes = bytes,
        .value_bytes = value_bytes,
        .count = size / value_bytes,
    };
    return STOA_OK;
}

static stoa_status check(const stoa_byte_stream_split *decoder, size_t count, stoa_error *err) {
    const size_t left = decoder->count - decoder->position;
    if (count <= left) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_CORRUPT,
                     "byte %zu: expected %zu more values in streams but found "
                     "%zu",
                     decoder->position, count, left);
}

stoa_status stoa_byte_stream_split_read(stoa_byte_stream_split *decoder, void *out, size_t count,
                                        stoa_error *err) {
    STOA_TRY(check(decoder, count, err));
    if (count > 0) {
        stoa_streams_join(decoder->bytes + decoder->position, decoder->count, decoder->value_bytes,
                          count, out);
    }
    decoder->position += count;
    return STOA_OK;
}

stoa_status stoa_byte_stream_split_skip(stoa_byte_stream_split *decoder, size_t count,
                                        stoa_error *err) {
    STOA_TRY(check(decoder, count, err));
    decoder->position += count;
    return STOA_OK;
}

void stoa_byte_stream_split_encode(const void *values, size_t value_bytes, size_t count,
                                   uint8_t *out) {
    stoa_streams_split(values, value_bytes, count, out);
}
