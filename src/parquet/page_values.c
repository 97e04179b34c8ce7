/* An encoding is an entry of the table at the end: `begin` looks at what stands before the values, and
 * one of three functions appends some of them, for booleans (bits), for values of a fixed size, and
 * for byte arrays, which come as views and are gathered here. The formats themselves are decoded in
 * src/codec; what goes wrong there gets page and byte here. */
#include "parquet/page_values.h"

#include <stdio.h>

#include "base/bits.h"
#include "codec/gather_kernel.h"

enum { PIECE = 1024, ROOM_MIN = 4096 };

static bool has_bytes(const stoa_chunk_reader *chunk) {
    return chunk->element->physical == STOA_PARQUET_BYTE_ARRAY;
}

static bool is_boolean(const stoa_chunk_reader *chunk) {
    return chunk->element->physical == STOA_PARQUET_BOOLEAN;
}

/* Passes on how a decoder ended; STOA_CORRUPT with page and byte. */
static stoa_status decoded(const stoa_chunk_reader *chunk, stoa_status status,
                           const stoa_error *cause, stoa_error *err) {
    if (status == STOA_CORRUPT) {
        return stoa_chunk_reader_fail(chunk, cause->message, err);
    }
    if (status != STOA_OK && err != NULL) {
        *err = *cause;
    }
    return status;
}

#define DECODE(call)                                                                               \
    do {                                                                                           \
        stoa_error cause = STOA_ERROR_NONE;                                                        \
        STOA_TRY(decoded(chunk, (call), &cause, err));                                             \
    } while (0)

/* ---- Appending ------------------------------------------------------------------------------- */

static stoa_status reserve_bits(stoa_chunk_values *out, int64_t count, stoa_error *err) {
    return stoa_buffer_resize(&out->data, stoa_bitmap_bytes(out->value_count + count), err);
}

static stoa_status reserve_fixed(const stoa_chunk_reader *chunk, stoa_chunk_values *out,
                                 int64_t count, uint8_t **at, stoa_error *err) {
    const size_t size = (size_t)count * (size_t)chunk->value_bytes;
    STOA_TRY(stoa_buffer_reserve(&out->data, size, err));
    *at = out->data.data + out->data.size;
    out->data.size += size;
    return STOA_OK;
}

/* Offsets begin with a zero. */
static stoa_status reserve_offsets(stoa_chunk_values *out, size_t count, int32_t **at,
                                   stoa_error *err) {
    stoa_buffer *offsets = &out->offsets;
    STOA_TRY(stoa_buffer_reserve(offsets, (count + 1) * sizeof(int32_t), err));
    if (offsets->size == 0) {
        memset(offsets->data, 0, sizeof(int32_t));
        offsets->size = sizeof(int32_t);
    }
    *at = (int32_t *)(void *)(offsets->data + offsets->size);
    offsets->size += count * sizeof(int32_t);
    return STOA_OK;
}

static stoa_status fail_large(stoa_chunk_values *out, stoa_error *err) {
    out->is_full = true;
    return stoa_fail(err, STOA_LIMIT,
                     "more than %zu bytes of strings in one batch; ask for batches of fewer rows",
                     out->bytes_max);
}

static stoa_status append_views(const stoa_bytes_view *views, size_t count, stoa_chunk_values *out,
                                stoa_error *err) {
    const size_t size = stoa_views_bytes(views, count, out->bytes_max - out->data.size);
    int32_t *ends;
    if (size == SIZE_MAX) {
        return fail_large(out, err);
    }
    STOA_TRY(stoa_buffer_reserve(&out->data, size, err));
    STOA_TRY(reserve_offsets(out, count, &ends, err));
    stoa_views_gather_i32(views, count, (int32_t)out->data.size, ends,
                          out->data.data == NULL ? NULL : out->data.data + out->data.size);
    out->data.size += size;
    return STOA_OK;
}

/* ---- PLAIN ----------------------------------------------------------------------------------- */

static stoa_status begin_plain(stoa_chunk_reader *chunk, const uint8_t *bytes, size_t size,
                               stoa_error *err) {
    (void)err;
    if (is_boolean(chunk)) {
        chunk->values.bools = (stoa_plain_bools){bytes, size, 0};
    } else {
        chunk->values.plain = stoa_byte_reader_of(bytes, size);
    }
    return STOA_OK;
}

static stoa_status plain_bits(stoa_chunk_reader *chunk, size_t count, stoa_chunk_values *out,
                              stoa_error *err) {
    DECODE(stoa_plain_read_bools(&chunk->values.bools, out->data.data, out->value_count, count,
                                 &cause));
    return STOA_OK;
}

static stoa_status plain_fixed(stoa_chunk_reader *chunk, size_t count, uint8_t *out,
                               stoa_error *err) {
    const size_t width = (size_t)chunk->value_bytes;
    const uint8_t *bytes;
    DECODE(stoa_plain_take_fixed(&chunk->values.plain, width, count, &bytes, &cause));
    memcpy(out, bytes, count * width);
    return STOA_OK;
}

/* Values of a page are taken to be equally long, until one does not fit. */
static stoa_status append_plain(stoa_chunk_reader *chunk, size_t count, stoa_chunk_values *out,
                                stoa_error *err) {
    stoa_byte_reader *plain = &chunk->values.plain;
    const size_t left = stoa_byte_reader_left(plain);
    int32_t *ends;
    if (count > left / sizeof(uint32_t)) {
        return stoa_chunk_reader_fail(chunk, "expected as many values as its levels say", err);
    }
    const size_t rest = left - count * sizeof(uint32_t);
    const size_t share = (size_t)((double)rest * (double)count /
                                  (double)(count + (size_t)chunk->entries_left));
    STOA_TRY(reserve_offsets(out, count, &ends, err));
    STOA_TRY(stoa_buffer_reserve(&out->data, share, err));
    while (count > 0) {
        const size_t capacity = out->data.capacity < out->bytes_max ? out->data.capacity
                                                                    : out->bytes_max;
        size_t done;
        DECODE(stoa_plain_gather_i32(plain, count, (int32_t)out->data.size, ends,
                                     out->data.data == NULL ? NULL
                                                            : out->data.data + out->data.size,
                                     capacity - out->data.size, &done, &cause));
        out->data.size = done > 0 ? (size_t)ends[done - 1] : out->data.size;
        count -= done;
        ends += done;
        if (count > 0) {
            const size_t next = stoa_load_u32(plain->data + plain->position);
            if (next > out->bytes_max - out->data.size) {
                out->offsets.size -= count * sizeof(int32_t);
                return fail_large(out, err);
            }
            STOA_TRY(stoa_buffer_reserve(&out->data, next + ROOM_MIN, err));
        }
    }
    return STOA_OK;
}

/* ---- Dictionaries ---------------------------------------------------------------------------- */

/* The entries' own bytes are kept: the page's are gone with the next. Behind the last of them more can
 * be read, so that short ones are copied without a look at their size. */
static stoa_status load_views(stoa_chunk_reader *chunk, size_t count, stoa_error *err) {
    stoa_buffer *views = &chunk->dictionary_views;
    stoa_byte_reader reader = stoa_byte_reader_of(chunk->dictionary.data, chunk->dictionary.size);
    stoa_buffer_clear(views);
    STOA_TRY(stoa_buffer_reserve(views, count * sizeof(stoa_bytes_view), err));
    views->size = count * sizeof(stoa_bytes_view);
    stoa_bytes_view *entries = (stoa_bytes_view *)(void *)views->data;
    chunk->dictionary_size_max = 0;
    DECODE(stoa_plain_read_bytes(&reader, entries, count, &cause));
    for (size_t i = 0; i < count; i++) {
        if (entries[i].size > chunk->dictionary_size_max) {
            chunk->dictionary_size_max = entries[i].size;
        }
    }
    return STOA_OK;
}

stoa_status stoa_page_dictionary_load(stoa_chunk_reader *chunk, const uint8_t *bytes, size_t size,
                                      int64_t count, stoa_error *err) {
    const uint64_t each = has_bytes(chunk) ? 4 : (uint64_t)chunk->value_bytes;
    if (is_boolean(chunk) || (uint64_t)count > size / each || count > UINT32_MAX) {
        return stoa_chunk_reader_fail(chunk,
                                      "expected as many dictionary entries as its header says",
                                      err);
    }
    stoa_buffer_clear(&chunk->dictionary);
    STOA_TRY(stoa_buffer_reserve(&chunk->dictionary, size + STOA_SHORT_BYTES, err));
    STOA_TRY(stoa_buffer_append(&chunk->dictionary, bytes, size, err));
    memset(chunk->dictionary.data + size, 0, STOA_SHORT_BYTES);
    if (has_bytes(chunk)) {
        STOA_TRY(load_views(chunk, (size_t)count, err));
    }
    chunk->dictionary_count = (uint32_t)count;
    chunk->has_dictionary = true;
    return STOA_OK;
}

static stoa_status begin_codes(stoa_chunk_reader *chunk, const uint8_t *bytes, size_t size,
                               stoa_error *err) {
    if (!chunk->has_dictionary && size > 0) {
        return stoa_chunk_reader_fail(chunk, "expected a dictionary page before it", err);
    }
    DECODE(stoa_dictionary_decoder_init(&chunk->values.codes, bytes, size, chunk->dictionary_count,
                                        &cause));
    return STOA_OK;
}

static stoa_status codes_fixed(stoa_chunk_reader *chunk, size_t count, uint8_t *out,
                               stoa_error *err) {
    DECODE(stoa_dictionary_decoder_read_fixed(&chunk->values.codes, chunk->dictionary.data,
                                              (size_t)chunk->value_bytes, out, count, &cause));
    return STOA_OK;
}

/* At most PIECE of them. */
static stoa_status append_entries(const stoa_chunk_reader *chunk, const uint32_t *codes,
                                  size_t count, stoa_chunk_values *out, stoa_error *err) {
    const stoa_bytes_view *entries = (const void *)chunk->dictionary_views.data;
    const size_t room = count * chunk->dictionary_size_max + STOA_SHORT_BYTES;
    if (chunk->dictionary_size_max <= STOA_SHORT_BYTES && room <= out->bytes_max - out->data.size) {
        int32_t *ends;
        STOA_TRY(stoa_buffer_reserve(&out->data, room, err));
        STOA_TRY(reserve_offsets(out, count, &ends, err));
        stoa_codes_gather_short_i32(entries, chunk->dictionary_size_max, codes, count,
                                    (int32_t)out->data.size, ends,
                                    out->data.data + out->data.size);
        out->data.size = (size_t)ends[count - 1];
        return STOA_OK;
    }
    stoa_bytes_view views[PIECE];
    for (size_t i = 0; i < count; i++) {
        views[i] = entries[codes[i]];
    }
    return append_views(views, count, out, err);
}

static stoa_status append_codes(stoa_chunk_reader *chunk, size_t count, stoa_chunk_values *out,
                                stoa_error *err) {
    for (size_t done = 0; done < count;) {
        uint32_t codes[PIECE];
        const size_t now = count - done < PIECE ? count - done : PIECE;
        DECODE(stoa_dictionary_decoder_read_codes(&chunk->values.codes, codes, now, &cause));
        STOA_TRY(append_entries(chunk, codes, now, out, err));
        done += now;
    }
    return STOA_OK;
}

enum { BYTE_CODES = 256 };

size_t stoa_page_code_bytes(const stoa_chunk_reader *chunk) {
    return chunk->dictionary_count <= BYTE_CODES ? 1 : sizeof(uint32_t);
}

/* A page may spend more bits than its dictionary asks for. */
static stoa_status wide_codes(stoa_chunk_reader *chunk, size_t count, uint8_t *out,
                              stoa_error *err) {
    while (count > 0) {
        uint32_t codes[PIECE];
        const size_t now = count < PIECE ? count : PIECE;
        DECODE(stoa_dictionary_decoder_read_codes(&chunk->values.codes, codes, now, &cause));
        for (size_t i = 0; i < now; i++) {
            out[i] = (uint8_t)codes[i];
        }
        out += now;
        count -= now;
    }
    return STOA_OK;
}

static stoa_status take_codes(stoa_chunk_reader *chunk, size_t count, stoa_chunk_values *out,
                              stoa_error *err) {
    const size_t width = stoa_page_code_bytes(chunk);
    if (chunk->page.encoding != STOA_PARQUET_PLAIN_DICTIONARY &&
        chunk->page.encoding != STOA_PARQUET_RLE_DICTIONARY) {
        chunk->has_other_encoding = true;
        return stoa_chunk_reader_fail(chunk, "expected codes of a dictionary", err);
    }
    STOA_TRY(stoa_buffer_reserve(&out->data, count * width, err));
    uint8_t *at = out->data.data + out->data.size;
    if (width > 1) {
        DECODE(stoa_dictionary_decoder_read_codes(&chunk->values.codes, (uint32_t *)(void *)at,
                                                  count, &cause));
    } else if (chunk->values.codes.codes.width <= 8) {
        DECODE(stoa_rle_decoder_read_u8(&chunk->values.codes.codes, at, count, &cause));
    } else {
        STOA_TRY(wide_codes(chunk, count, at, err));
    }
    out->data.size += count * width;
    return STOA_OK;
}

stoa_status stoa_page_entries_take(stoa_chunk_reader *chunk, const uint32_t *codes, int64_t count,
                                   stoa_chunk_values *out, stoa_error *err) {
    uint8_t *at;
    out->value_count += count;
    if (!has_bytes(chunk)) {
        STOA_TRY(reserve_fixed(chunk, out, count, &at, err));
        stoa_codes_gather(chunk->dictionary.data, chunk->dictionary_count,
                          (size_t)chunk->value_bytes, codes, (size_t)count, at);
        return STOA_OK;
    }
    while (count > 0) {
        const size_t now = count < PIECE ? (size_t)count : PIECE;
        STOA_TRY(append_entries(chunk, codes, now, out, err));
        codes += now;
        count -= (int64_t)now;
    }
    return STOA_OK;
}

/* ---- Booleans in runs ------------------------------------------------------------------------ */

static stoa_status begin_runs(stoa_chunk_reader *chunk, const uint8_t *bytes, size_t size,
                              stoa_error *err) {
    DECODE(stoa_rle_decoder_init_sized(&chunk->values.runs, bytes, size, 1, NULL, &cause));
    return STOA_OK;
}

static stoa_status runs_bits(stoa_chunk_reader *chunk, size_t count, stoa_chunk_values *out,
                             stoa_error *err) {
    DECODE(stoa_rle_decoder_read_bits(&chunk->values.runs, out->data.data, out->value_count, count,
                                      NULL, &cause));
    return STOA_OK;
}

/* ---- Differences ----------------------------------------------------------------------------- */

static stoa_status begin_delta(stoa_chunk_reader *chunk, const uint8_t *bytes, size_t size,
                               stoa_error *err) {
    if (chunk->element->physical != STOA_PARQUET_INT32 &&
        chunk->element->physical != STOA_PARQUET_INT64) {
        return stoa_chunk_reader_fail(chunk, "expected DELTA_BINARY_PACKED of integers only", err);
    }
    DECODE(stoa_delta_decoder_init(&chunk->values.delta, bytes, size, chunk->value_bytes, &cause));
    return STOA_OK;
}

static stoa_status delta_fixed(stoa_chunk_reader *chunk, size_t count, uint8_t *out,
                               stoa_error *err) {
    if (chunk->value_bytes == 4) {
        DECODE(stoa_delta_decoder_read_i32(&chunk->values.delta, (int32_t *)(void *)out, count,
                                           &cause));
    } else {
        DECODE(stoa_delta_decoder_read_i64(&chunk->values.delta, (int64_t *)(void *)out, count,
                                           &cause));
    }
    return STOA_OK;
}

static stoa_status begin_lengths(stoa_chunk_reader *chunk, const uint8_t *bytes, size_t size,
                                 stoa_error *err) {
    DECODE(stoa_delta_lengths_decoder_init(&chunk->values.lengths, bytes, size, &cause));
    return STOA_OK;
}

static stoa_status lengths_views(stoa_chunk_reader *chunk, stoa_bytes_view *out, size_t count,
                                 stoa_error *err) {
    DECODE(stoa_delta_lengths_decoder_read(&chunk->values.lengths, out, count, &cause));
    return STOA_OK;
}

static stoa_status begin_prefixes(stoa_chunk_reader *chunk, const uint8_t *bytes, size_t size,
                                  stoa_error *err) {
    stoa_delta_bytes_decoder_release(&chunk->prefixes);
    DECODE(
        stoa_delta_bytes_decoder_init(&chunk->prefixes, chunk->context->pool, bytes, size, &cause));
    return STOA_OK;
}

static stoa_status prefixes_fixed(stoa_chunk_reader *chunk, size_t count, uint8_t *out,
                                  stoa_error *err) {
    DECODE(stoa_delta_bytes_decoder_read_fixed(&chunk->prefixes, (size_t)chunk->value_bytes, out,
                                               count, &cause));
    return STOA_OK;
}

/* These values lie nowhere as a whole: they are put together where they go. */
static stoa_status append_prefixes(stoa_chunk_reader *chunk, size_t count, stoa_chunk_values *out,
                                   stoa_error *err) {
    while (count > 0) {
        stoa_bytes_view views[PIECE];
        size_t next, done;
        int32_t *ends;
        DECODE(stoa_delta_bytes_decoder_peek(&chunk->prefixes, &next, &cause));
        if (next > out->bytes_max - out->data.size) {
            return fail_large(out, err);
        }
        STOA_TRY(stoa_buffer_reserve(&out->data, next + ROOM_MIN, err));
        size_t room = out->data.capacity - out->data.size;
        room = room > out->bytes_max - out->data.size ? out->bytes_max - out->data.size : room;
        DECODE(stoa_delta_bytes_decoder_read(&chunk->prefixes, views, count < PIECE ? count : PIECE,
                                             out->data.data + out->data.size, room, &done, &cause));
        STOA_TRY(reserve_offsets(out, done, &ends, err));
        for (size_t i = 0; i < done; i++) {
            out->data.size += views[i].size;
            ends[i] = (int32_t)out->data.size;
        }
        count -= done;
    }
    return STOA_OK;
}

/* ---- Streams of bytes ------------------------------------------------------------------------ */

static stoa_status begin_split(stoa_chunk_reader *chunk, const uint8_t *bytes, size_t size,
                               stoa_error *err) {
    DECODE(stoa_byte_stream_split_init(&chunk->values.split, bytes, size,
                                       (size_t)chunk->value_bytes, &cause));
    return STOA_OK;
}

static stoa_status split_fixed(stoa_chunk_reader *chunk, size_t count, uint8_t *out,
                               stoa_error *err) {
    DECODE(stoa_byte_stream_split_read(&chunk->values.split, out, count, &cause));
    return STOA_OK;
}

/* ---- The table ------------------------------------------------------------------------------- */

/* A kind of values without a function does not come in the encoding. */
static const struct decoder {
    stoa_status (*begin)(stoa_chunk_reader *chunk, const uint8_t *bytes, size_t size,
                         stoa_error *err);
    stoa_status (*bits)(stoa_chunk_reader *chunk, size_t count, stoa_chunk_values *out,
                        stoa_error *err);
    stoa_status (*fixed)(stoa_chunk_reader *chunk, size_t count, uint8_t *out, stoa_error *err);
    stoa_status (*views)(stoa_chunk_reader *chunk, stoa_bytes_view *out, size_t count,
                         stoa_error *err);
    stoa_status (*append)(stoa_chunk_reader *chunk, size_t count, stoa_chunk_values *out,
                          stoa_error *err); /* instead of `views` */
} DECODERS[] = {
    [STOA_PARQUET_PLAIN] = {begin_plain, plain_bits, plain_fixed, NULL, append_plain},
    [STOA_PARQUET_PLAIN_DICTIONARY] = {begin_codes, NULL, codes_fixed, NULL, append_codes},
    [STOA_PARQUET_RLE] = {begin_runs, runs_bits, NULL, NULL, NULL},
    [STOA_PARQUET_DELTA_BINARY_PACKED] = {begin_delta, NULL, delta_fixed, NULL, NULL},
    [STOA_PARQUET_DELTA_LENGTH_BYTE_ARRAY] = {begin_lengths, NULL, NULL, lengths_views, NULL},
    [STOA_PARQUET_DELTA_BYTE_ARRAY] = {begin_prefixes, NULL, prefixes_fixed, NULL, append_prefixes},
    [STOA_PARQUET_RLE_DICTIONARY] = {begin_codes, NULL, codes_fixed, NULL, append_codes},
    [STOA_PARQUET_BYTE_STREAM_SPLIT] = {begin_split, NULL, split_fixed, NULL, NULL},
};

static const struct decoder *decoder_of(const stoa_chunk_reader *chunk) {
    const size_t encoding = (size_t)chunk->page.encoding;
    if (encoding >= sizeof DECODERS / sizeof *DECODERS) {
        return NULL;
    }
    const struct decoder *decoder = &DECODERS[encoding];
    const bool has_values = is_boolean(chunk)  ? decoder->bits != NULL
                            : has_bytes(chunk) ? decoder->views != NULL || decoder->append != NULL
                                               : decoder->fixed != NULL;
    return has_values ? decoder : NULL;
}

stoa_status stoa_page_values_begin(stoa_chunk_reader *chunk, const uint8_t *bytes, size_t size,
                                   stoa_error *err) {
    const struct decoder *decoder = decoder_of(chunk);
    if (decoder == NULL) {
        char problem[96];
        (void)snprintf(problem, sizeof problem, "%s values do not come in the encoding %s",
                       stoa_parquet_physical_name(chunk->element->physical),
                       stoa_parquet_encoding_name(chunk->page.encoding));
        return stoa_chunk_reader_fail(chunk, problem, err);
    }
    return decoder->begin(chunk, bytes, size, err);
}

static stoa_status take_views(stoa_chunk_reader *chunk, const struct decoder *decoder, size_t count,
                              stoa_chunk_values *out, stoa_error *err) {
    for (size_t done = 0; done < count;) {
        stoa_bytes_view views[PIECE];
        const size_t now = count - done < PIECE ? count - done : PIECE;
        STOA_TRY(decoder->views(chunk, views, now, err));
        STOA_TRY(append_views(views, now, out, err));
        done += now;
    }
    return STOA_OK;
}

stoa_status stoa_page_values_take(stoa_chunk_reader *chunk, int64_t count, stoa_chunk_values *out,
                                  stoa_error *err) {
    const struct decoder *decoder = decoder_of(chunk);
    uint8_t *at;
    if (count == 0) {
        return STOA_OK;
    }
    if (chunk->takes_codes) {
        STOA_TRY(take_codes(chunk, (size_t)count, out, err));
    } else if (is_boolean(chunk)) {
        STOA_TRY(reserve_bits(out, count, err));
        STOA_TRY(decoder->bits(chunk, (size_t)count, out, err));
    } else if (!has_bytes(chunk)) {
        STOA_TRY(reserve_fixed(chunk, out, count, &at, err));
        STOA_TRY(decoder->fixed(chunk, (size_t)count, at, err));
    } else if (decoder->append != NULL) {
        STOA_TRY(decoder->append(chunk, (size_t)count, out, err));
    } else {
        STOA_TRY(take_views(chunk, decoder, (size_t)count, out, err));
    }
    out->value_count += count;
    return STOA_OK;
}

/* Codes are passed over without being unpacked, and plain values of a fixed size need not be copied. */
stoa_status stoa_page_values_skip(stoa_chunk_reader *chunk, int64_t count,
                                  stoa_chunk_values *scratch, stoa_error *err) {
    const uint8_t *bytes;
    switch (count == 0 || is_boolean(chunk) ? -1 : chunk->page.encoding) {
    case STOA_PARQUET_PLAIN_DICTIONARY:
    case STOA_PARQUET_RLE_DICTIONARY:
        DECODE(stoa_dictionary_decoder_skip(&chunk->values.codes, (size_t)count, &cause));
        return STOA_OK;
    case STOA_PARQUET_PLAIN:
        if (!has_bytes(chunk)) {
            DECODE(stoa_plain_take_fixed(&chunk->values.plain, (size_t)chunk->value_bytes,
                                         (size_t)count, &bytes, &cause));
            return STOA_OK;
        }
        break;
    default: break;
    }
    return stoa_page_values_take(chunk, count, scratch, err);
}
