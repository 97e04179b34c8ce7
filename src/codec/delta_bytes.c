/* Lengths are read ahead in steps; what a length takes of the input is checked when it is used. A value
 * is built from the one before where the caller wants it, so only the last value of a call is copied
 * into the decoder. Skipping keeps cutting and extending that copy. */
#include "codec/delta_bytes.h"

#include <string.h>

enum { STEP = STOA_DELTA_BYTES_STEP };

static stoa_status lengths_init(stoa_delta_lengths_decoder *decoder, const uint8_t *bytes,
                                size_t size, size_t start, stoa_error *err) {
    size_t end = 0;
    STOA_TRY(stoa_delta_decoder_init(&decoder->lengths, bytes + start, size - start,
                                     (int)sizeof(int32_t), err));
    STOA_TRY(stoa_delta_decoder_end(&decoder->lengths, &end, err));
    decoder->data = stoa_byte_reader_of(bytes, size);
    decoder->data.position = start + end;
    return STOA_OK;
}

stoa_status stoa_delta_lengths_decoder_init(stoa_delta_lengths_decoder *decoder,
                                            const uint8_t *bytes, size_t size, stoa_error *err) {
    return lengths_init(decoder, bytes, size, 0, err);
}

static stoa_status take_value(stoa_byte_reader *data, int32_t length, stoa_bytes_view *out,
                              stoa_error *err) {
    if (length < 0) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte %zu: expected the length of a value but found "
                         "%" PRId32,
                         data->position, length);
    }
    out->size = (size_t)length;
    out->data = stoa_byte_reader_take(data, out->size);
    if (out->data == NULL && out->size > 0) {
        return stoa_fail(err, STOA_CORRUPT, "byte %zu: expected a value of %zu bytes but found %zu",
                         data->position, out->size, stoa_byte_reader_left(data));
    }
    return STOA_OK;
}

stoa_status stoa_delta_lengths_decoder_read(stoa_delta_lengths_decoder *decoder,
                                            stoa_bytes_view *out, size_t count, stoa_error *err) {
    while (count > 0) {
        int32_t lengths[STEP];
        const size_t now = count < STEP ? count : STEP;
        STOA_TRY(stoa_delta_decoder_read_i32(&decoder->lengths, lengths, now, err));
        for (size_t i = 0; i < now; i++) {
            STOA_TRY(take_value(&decoder->data, lengths[i], &out[i], err));
        }
        out += now;
        count -= now;
    }
    return STOA_OK;
}

stoa_status stoa_delta_lengths_decoder_skip(stoa_delta_lengths_decoder *decoder, size_t count,
                                            stoa_error *err) {
    while (count > 0) {
        stoa_bytes_view nowhere[STEP];
        const size_t now = count < STEP ? count : STEP;
        STOA_TRY(stoa_delta_lengths_decoder_read(decoder, nowhere, now, err));
        count -= now;
    }
    return STOA_OK;
}

stoa_status stoa_delta_bytes_decoder_init(stoa_delta_bytes_decoder *decoder, stoa_pool *pool,
                                          const uint8_t *bytes, size_t size, stoa_error *err) {
    size_t end = 0;
    stoa_buffer_init(&decoder->last, pool);
    decoder->ahead_at = 0;
    decoder->ahead_end = 0;
    STOA_TRY(stoa_delta_decoder_init(&decoder->prefixes, bytes, size, (int)sizeof(int32_t), err));
    STOA_TRY(stoa_delta_decoder_end(&decoder->prefixes, &end, err));
    STOA_TRY(lengths_init(&decoder->suffixes, bytes, size, end, err));
    const uint64_t prefixes = stoa_delta_decoder_left(&decoder->prefixes);
    const uint64_t suffixes = stoa_delta_decoder_left(&decoder->suffixes.lengths);
    if (prefixes != suffixes) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte %zu: expected %" PRIu64 " suffixes, as many as "
                         "prefixes, but found %" PRIu64,
                         end, prefixes, suffixes);
    }
    return STOA_OK;
}

void stoa_delta_bytes_decoder_release(stoa_delta_bytes_decoder *decoder) {
    stoa_buffer_release(&decoder->last);
}

static uint64_t values_left(const stoa_delta_bytes_decoder *decoder) {
    return stoa_delta_decoder_left(&decoder->prefixes) + decoder->ahead_end - decoder->ahead_at;
}

static stoa_status read_ahead(stoa_delta_bytes_decoder *decoder, stoa_error *err) {
    const uint64_t left = stoa_delta_decoder_left(&decoder->prefixes);
    const size_t now = left < STEP ? (size_t)left : STEP;
    STOA_TRY(stoa_delta_decoder_read_i32(&decoder->prefixes, decoder->prefix, now, err));
    STOA_TRY(stoa_delta_lengths_decoder_read(&decoder->suffixes, decoder->suffix, now, err));
    decoder->ahead_at = 0;
    decoder->ahead_end = (uint32_t)now;
    return STOA_OK;
}

/* The next value's parts, which stay next; `before_size` is the length of the value before it. */
static stoa_status next_parts(stoa_delta_bytes_decoder *decoder, size_t before_size,
                              size_t *out_prefix, stoa_bytes_view *out_suffix, stoa_error *err) {
    if (decoder->ahead_at == decoder->ahead_end) {
        STOA_TRY(read_ahead(decoder, err));
    }
    const int32_t prefix = decoder->prefix[decoder->ahead_at];
    if (prefix < 0 || (size_t)prefix > before_size) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte %zu: expected a prefix of at most %zu bytes, the "
                         "value before, but found %" PRId32,
                         decoder->suffixes.data.position, before_size, prefix);
    }
    *out_prefix = (size_t)prefix;
    *out_suffix = decoder->suffix[decoder->ahead_at];
    return STOA_OK;
}

static stoa_status check_count(const stoa_delta_bytes_decoder *decoder, size_t count,
                               stoa_error *err) {
    const uint64_t left = values_left(decoder);
    if (count <= left) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_CORRUPT, "byte %zu: expected %zu more values but found %" PRIu64,
                     decoder->suffixes.data.position, count, left);
}

stoa_status stoa_delta_bytes_decoder_peek(stoa_delta_bytes_decoder *decoder, size_t *out_size,
                                          stoa_error *err) {
    size_t prefix = 0;
    stoa_bytes_view suffix = {0};
    if (values_left(decoder) > 0) {
        STOA_TRY(next_parts(decoder, decoder->last.size, &prefix, &suffix, err));
    }
    *out_size = prefix + suffix.size;
    return STOA_OK;
}

static void put_value(uint8_t *to, const stoa_bytes_view *before, size_t prefix,
                      const stoa_bytes_view *suffix) {
    if (prefix > 0) {
        memcpy(to, before->data, prefix);
    }
    if (suffix->size > 0) {
        memcpy(to + prefix, suffix->data, suffix->size);
    }
}

stoa_status stoa_delta_bytes_decoder_read(stoa_delta_bytes_decoder *decoder, stoa_bytes_view *out,
                                          size_t count, uint8_t *data, size_t room,
                                          size_t *out_count, stoa_error *err) {
    STOA_TRY(check_count(decoder, count, err));
    stoa_bytes_view before = {decoder->last.data, decoder->last.size};
    size_t used = 0;
    size_t done = 0;
    for (; done < count; done++) {
        size_t prefix = 0;
        stoa_bytes_view suffix = {0};
        STOA_TRY(next_parts(decoder, before.size, &prefix, &suffix, err));
        if (prefix + suffix.size > room - used) {
            break;
        }
        out[done] = (stoa_bytes_view){data + used, prefix + suffix.size};
        if (out[done].size > 0) {
            put_value(data + used, &before, prefix, &suffix);
        }
        used += out[done].size;
        before = out[done];
        decoder->ahead_at++;
    }
    *out_count = done;
    if (done == 0) {
        return STOA_OK;
    }
    stoa_buffer_clear(&decoder->last);
    return stoa_buffer_append(&decoder->last, before.data, before.size, err);
}

stoa_status stoa_delta_bytes_decoder_read_fixed(stoa_delta_bytes_decoder *decoder,
                                                size_t value_bytes, uint8_t *out, size_t count,
                                                stoa_error *err) {
    STOA_TRY(check_count(decoder, count, err));
    while (count > 0) {
        stoa_bytes_view views[STEP];
        const size_t now = count < STEP ? count : STEP;
        size_t done = 0;
        STOA_TRY(
            stoa_delta_bytes_decoder_read(decoder, views, now, out, now * value_bytes, &done, err));
        for (size_t i = 0; i < done; i++) {
            if (views[i].size != value_bytes) {
                return stoa_fail(err, STOA_CORRUPT,
                                 "byte %zu: expected a value of %zu bytes but "
                                 "found %zu",
                                 decoder->suffixes.data.position, value_bytes, views[i].size);
            }
        }
        if (done < now) {
            return stoa_fail(err, STOA_CORRUPT,
                             "byte %zu: expected values of %zu bytes but found "
                             "a longer one",
                             decoder->suffixes.data.position, value_bytes);
        }
        out += now * value_bytes;
        count -= now;
    }
    return STOA_OK;
}

stoa_status stoa_delta_bytes_decoder_skip(stoa_delta_bytes_decoder *decoder, size_t count,
                                          stoa_error *err) {
    STOA_TRY(check_count(decoder, count, err));
    for (size_t i = 0; i < count; i++) {
        size_t prefix = 0;
        stoa_bytes_view suffix = {0};
        STOA_TRY(next_parts(decoder, decoder->last.size, &prefix, &suffix, err));
        decoder->last.size = prefix;
        STOA_TRY(stoa_buffer_append(&decoder->last, suffix.data, suffix.size, err));
        decoder->ahead_at++;
    }
    return STOA_OK;
}
