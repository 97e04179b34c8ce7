/* Parts are decoded one after the other, each for all keys; of keys of any length, a position in each
 * key is kept between them. The bytes may be anybody's. */
#include "arrow/owner.h"
#include "base/bits.h"
#include "lsm/key.h"
#include "lsm/key_bytes.h"
#include "lsm/key_kernel.h"

enum { BLOCK = 1024 };

struct decoder {
    const stoa_keys_view *keys;
    stoa_pool *pool;
    uint32_t *positions; /* in `bytes`, of each key's next part; NULL for numbers */
    int shift;           /* of numbers: bits behind the part */
};

static stoa_status corrupt(const stoa_key_part *part, int64_t row, const char *problem,
                           stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT, "key of row %" PRId64 ", column '%s': %s", row,
                     part->field->name, problem);
}

static uint32_t bytes_left(const struct decoder *decoder, int64_t row) {
    return decoder->keys->offsets[row + 1] - decoder->positions[row];
}

/* ---- Parts of one size ----------------------------------------------------------------------- */

/* Takes `size` bytes of the row's key; NULL when it ends before. */
static const uint8_t *take(struct decoder *decoder, int64_t row, uint32_t size) {
    if (bytes_left(decoder, row) < size) {
        return NULL;
    }
    const uint8_t *bytes = decoder->keys->bytes + decoder->positions[row];
    decoder->positions[row] += size;
    return bytes;
}

static stoa_status decode_numbers(struct decoder *decoder, const stoa_key_part *part,
                                  stoa_buffer *values, stoa_error *err) {
    const stoa_type *type = &part->field->type;
    const uint64_t mask = stoa_key_mask(part->size), inverted = part->descending ? mask : 0;
    const bool is_bits = type->kind == STOA_TYPE_BOOLEAN;
    const size_t width = type->kind == STOA_TYPE_DECIMAL ? STOA_KEY_DECIMAL_BYTES
                                                         : (size_t)part->size;
    const int64_t count = decoder->keys->count;
    uint64_t numbers[BLOCK];
    STOA_TRY(stoa_buffer_reserve_exact(values,
                                       is_bits ? stoa_bitmap_bytes(count) : (size_t)count * width,
                                       err));
    for (int64_t first = 0; first < count; first += BLOCK) {
        const int64_t rows = count - first < BLOCK ? count - first : BLOCK;
        for (int64_t i = 0; i < rows; i++) {
            if (decoder->positions == NULL) {
                numbers[i] = decoder->keys->numbers[first + i] >> decoder->shift & mask;
            } else {
                const uint8_t *bytes = take(decoder, first + i, (uint32_t)part->size);
                if (bytes == NULL) {
                    return corrupt(part, first + i, "ends early", err);
                }
                numbers[i] = stoa_key_get_number(bytes, part->size);
            }
            numbers[i] ^= inverted;
        }
        if (!stoa_key_numbers_valid(type, numbers, rows)) {
            return corrupt(part, first, "it or one of the next holds no value of its type", err);
        }
        stoa_key_values(type, numbers, rows, values->data + values->size);
        values->size += is_bits ? stoa_bitmap_bytes(rows) : (size_t)rows * width;
    }
    return STOA_OK;
}

static stoa_status decode_fixed(struct decoder *decoder, const stoa_key_part *part,
                                stoa_buffer *values, stoa_error *err) {
    const size_t size = (size_t)part->size;
    STOA_TRY(stoa_buffer_reserve_exact(values, (size_t)decoder->keys->count * size, err));
    for (int64_t row = 0; row < decoder->keys->count; row++) {
        uint8_t *out = values->data + values->size;
        uint8_t bytes[STOA_KEY_DECIMAL_BYTES];
        const uint8_t *source = take(decoder, row, (uint32_t)size);
        if (source == NULL) {
            return corrupt(part, row, "ends early", err);
        }
        if (part->kind == STOA_KEY_DECIMAL) {
            memcpy(bytes, source, sizeof bytes);
            if (part->descending) {
                stoa_key_invert(bytes, sizeof bytes);
            }
            stoa_key_get_decimal(bytes, out);
        } else if (size > 0) {
            memcpy(out, source, size);
            if (part->descending) {
                stoa_key_invert(out, size);
            }
        }
        values->size += size;
    }
    return STOA_OK;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

/* Appends the text that begins at the row's position, without escapes and end. `out` has room for what
 * is left of the key. */
static stoa_status unescape(struct decoder *decoder, const stoa_key_part *part, int64_t row,
                            stoa_buffer *out, stoa_error *err) {
    const uint8_t flip = part->descending ? 0xFF : 0;
    const uint32_t left = bytes_left(decoder, row);
    const uint8_t *bytes = decoder->keys->bytes + decoder->positions[row];
    for (uint32_t i = 0; i < left; i++) {
        const uint8_t byte = bytes[i] ^ flip;
        if (byte == STOA_KEY_ESCAPED) {
            i++;
            const uint8_t next = i < left ? bytes[i] ^ flip : 1;
            if (next == STOA_KEY_ESCAPED) {
                decoder->positions[row] += i + 1;
                return STOA_OK;
            }
            if (next != STOA_KEY_ESCAPE) {
                return corrupt(part, row, "expected an end or a byte 0 within a text", err);
            }
        }
        out->data[out->size++] = byte;
    }
    return corrupt(part, row, "a text without its end", err);
}

static stoa_status decode_texts(struct decoder *decoder, const stoa_key_part *part,
                                stoa_buffer *offsets, stoa_buffer *values, stoa_error *err) {
    const int64_t count = decoder->keys->count;
    int32_t end = 0;
    STOA_TRY(stoa_buffer_reserve_exact(offsets, (size_t)(count + 1) * sizeof end, err));
    STOA_TRY(stoa_buffer_append(offsets, &end, sizeof end, err));
    for (int64_t row = 0; row < count; row++) {
        const uint32_t left = bytes_left(decoder, row);
        STOA_TRY(stoa_buffer_reserve(values, left, err));
        if (part->kind == STOA_KEY_TEXT) {
            STOA_TRY(unescape(decoder, part, row, values, err));
        } else {
            STOA_TRY(stoa_buffer_append(values, decoder->keys->bytes + decoder->positions[row],
                                        left, err));
            decoder->positions[row] += left;
        }
        if (values->size > INT32_MAX) {
            return stoa_fail(err, STOA_LIMIT, "column '%s': more than 2 GiB of texts",
                             part->field->name);
        }
        end = (int32_t)values->size;
        STOA_TRY(stoa_buffer_append(offsets, &end, sizeof end, err));
    }
    return STOA_OK;
}

/* ---- All parts ------------------------------------------------------------------------------- */

static stoa_status decode_part(struct decoder *decoder, const stoa_key_part *part,
                               struct ArrowArray *out, stoa_error *err) {
    const bool is_text = part->kind >= STOA_KEY_TEXT;
    stoa_buffer offsets, values;
    stoa_buffer_init(&offsets, decoder->pool);
    stoa_buffer_init(&values, decoder->pool);
    stoa_status status = stoa_arrow_array_init(decoder->pool, is_text ? 3 : 2, 0, false, out, err);
    if (status == STOA_OK) {
        status = is_text ? decode_texts(decoder, part, &offsets, &values, err)
                 : part->kind == STOA_KEY_NUMBER ? decode_numbers(decoder, part, &values, err)
                                                 : decode_fixed(decoder, part, &values, err);
    }
    if (status != STOA_OK) {
        stoa_buffer_release(&offsets);
        stoa_buffer_release(&values);
        stoa_arrow_array_release(out);
        return status;
    }
    out->length = decoder->keys->count;
    if (is_text) {
        stoa_arrow_array_set_buffer(out, 1, &offsets);
    }
    stoa_arrow_array_set_buffer(out, is_text ? 2 : 1, &values);
    return STOA_OK;
}

/* Where each key of any length begins, after looking at all offsets. */
static stoa_status begin_keys(struct decoder *decoder, stoa_error *err) {
    const stoa_keys_view *keys = decoder->keys;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(decoder->pool, (size_t)(keys->count + 1) * sizeof(uint32_t),
                                &memory, err));
    decoder->positions = memory;
    for (int64_t row = 0; row < keys->count; row++) {
        if (keys->offsets[row + 1] < keys->offsets[row]) {
            return stoa_fail(err, STOA_CORRUPT, "key of row %" PRId64 ": ends before it begins",
                             row);
        }
        decoder->positions[row] = keys->offsets[row];
    }
    return STOA_OK;
}

static stoa_status decode_parts(const stoa_key_format *format, struct decoder *decoder,
                                struct ArrowArray *arrays, stoa_error *err) {
    decoder->shift = 8 * format->fixed_bytes;
    if (!format->is_number) {
        STOA_TRY(begin_keys(decoder, err));
    }
    for (int32_t i = 0; i < format->part_count; i++) {
        decoder->shift -= 8 * format->parts[i].size;
        STOA_TRY(decode_part(decoder, &format->parts[i], &arrays[i], err));
    }
    for (int64_t row = 0; !format->is_number && row < decoder->keys->count; row++) {
        if (bytes_left(decoder, row) > 0) {
            return corrupt(&format->parts[format->part_count - 1], row, "bytes behind the key",
                           err);
        }
    }
    return STOA_OK;
}

stoa_status stoa_keys_decode(const stoa_key_format *format, stoa_pool *pool,
                             const stoa_keys_view *keys, struct ArrowArray *arrays,
                             stoa_error *err) {
    struct decoder decoder = {.keys = keys, .pool = pool};
    memset(arrays, 0, (size_t)format->part_count * sizeof *arrays);
    const stoa_status status = decode_parts(format, &decoder, arrays, err);
    if (decoder.positions != NULL) {
        stoa_pool_free(pool, decoder.positions, (size_t)(keys->count + 1) * sizeof(uint32_t));
    }
    for (int32_t i = 0; status != STOA_OK && i < format->part_count; i++) {
        stoa_arrow_array_release(&arrays[i]);
    }
    return status;
}
