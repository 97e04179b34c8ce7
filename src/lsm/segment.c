#include "lsm/segment.h"

#include "base/bits.h"
#include "base/bytes.h"
#include "codec/bitpack_kernel.h"
#include "lsm/segment_format.h"

static const int64_t scales[STOA_SEGMENT_SCALE_MAX + 1] = {1,         10,        100,     1000,
                                                           10000,     100000,    1000000, 10000000,
                                                           100000000, 1000000000};

/* ---- Opening --------------------------------------------------------------------------------- */

static stoa_status corrupt(const char *problem, size_t offset, stoa_error *err) {
    stoa_fail(err, STOA_CORRUPT, "segment: %s", problem);
    if (err != NULL) {
        err->offset = (int64_t)offset;
    }
    return STOA_CORRUPT;
}

static bool is_number(stoa_segment_class values) {
    return values == STOA_SEGMENT_SIGNED || values == STOA_SEGMENT_UNSIGNED ||
           values == STOA_SEGMENT_OFFSETS || values == STOA_SEGMENT_DOUBLES;
}

/* Packed values with their padding, of which the first are used. */
static bool take_packed(stoa_byte_reader *reader, size_t count, int bits, const uint8_t **out) {
    *out = stoa_byte_reader_take(reader, stoa_segment_packed_bytes(count, bits));
    return *out != NULL;
}

static bool take_frames(stoa_byte_reader *reader, size_t count, stoa_segment *segment) {
    segment->bases = stoa_byte_reader_take(reader, stoa_segment_frames(count) * sizeof(int64_t));
    return segment->bases != NULL && take_packed(reader, count, segment->bits, &segment->packed);
}

/* Every code names an entry. */
static stoa_status check_codes(const stoa_segment *segment, stoa_error *err) {
    if (segment->bits > 32) {
        return corrupt("expected codes of at most 32 bits", 1, err);
    }
    for (uint32_t i = 0; i < segment->count; i++) {
        if (stoa_segment_unpack(segment->packed, i, segment->bits) >= segment->entry_count) {
            return corrupt("a code beyond the dictionary", 0, err);
        }
    }
    return STOA_OK;
}

static stoa_status open_number_dictionary(stoa_segment *segment, stoa_byte_reader *reader,
                                          stoa_error *err) {
    if (segment->entry_count > STOA_SEGMENT_ENTRIES_MAX) {
        return corrupt("too many entries in a dictionary", 8, err);
    }
    segment->values = stoa_byte_reader_take(reader, segment->entry_count * sizeof(int64_t));
    if (segment->values == NULL ||
        !take_packed(reader, segment->count, segment->bits, &segment->packed)) {
        return corrupt("ends early", reader->size, err);
    }
    return check_codes(segment, err);
}

static stoa_status open_text_dictionary(stoa_segment *segment, stoa_byte_reader *reader,
                                        stoa_error *err) {
    if (segment->entry_count > STOA_SEGMENT_ENTRIES_MAX) {
        return corrupt("too many entries in a dictionary", 8, err);
    }
    segment->offsets = stoa_byte_reader_take(reader, (segment->entry_count + 1) * sizeof(uint32_t));
    segment->values = stoa_byte_reader_take(reader, segment->value_size);
    if (segment->offsets == NULL || segment->values == NULL ||
        !take_packed(reader, segment->count, segment->bits, &segment->packed)) {
        return corrupt("ends early", reader->size, err);
    }
    uint32_t end = 0;
    for (uint32_t i = 0; i <= segment->entry_count; i++) {
        const uint32_t next = stoa_load_u32(segment->offsets + i * sizeof next);
        if (next < end || (i == 0 && next != 0)) {
            return corrupt("the texts of a dictionary overlap", 16, err);
        }
        end = next;
    }
    if (end != segment->value_size) {
        return corrupt("the texts of a dictionary end elsewhere", 16, err);
    }
    return check_codes(segment, err);
}

static uint64_t text_offset(const stoa_segment *segment, size_t index) {
    return stoa_load_u64(segment->bases + index / STOA_SEGMENT_FRAME * sizeof(int64_t)) +
           stoa_segment_unpack(segment->packed, index, segment->bits);
}

static stoa_status open_plain_texts(stoa_segment *segment, stoa_byte_reader *reader,
                                    stoa_error *err) {
    if (!take_frames(reader, (size_t)segment->count + 1, segment)) {
        return corrupt("ends early", reader->size, err);
    }
    segment->values = stoa_byte_reader_take(reader, segment->value_size);
    if (segment->values == NULL) {
        return corrupt("ends early", reader->size, err);
    }
    uint64_t end = 0;
    for (size_t i = 0; i <= segment->count; i++) {
        const uint64_t next = text_offset(segment, i);
        if (next < end || next > segment->value_size || (i == 0 && next != 0)) {
            return corrupt("a text that lies outside", 16, err);
        }
        end = next;
    }
    return end == segment->value_size ? STOA_OK : corrupt("texts end elsewhere", 16, err);
}

/* What the kind needs of the rest of the bytes. */
static stoa_status open_body(stoa_segment *segment, stoa_byte_reader *reader, stoa_error *err) {
    const stoa_segment_class values = segment->type.values;
    const size_t width = (size_t)segment->type.value_bytes;
    size_t size = 0;
    switch (segment->kind) {
    case STOA_SEGMENT_CONSTANT:
        if (values == STOA_SEGMENT_TEXTS) {
            break;
        }
        size = is_number(values) ? sizeof(int64_t) : values == STOA_SEGMENT_BITS ? 1 : width;
        segment->values = stoa_byte_reader_take(reader, size);
        return segment->values != NULL ? STOA_OK : corrupt("ends early", reader->size, err);
    case STOA_SEGMENT_PLAIN:
        if (values == STOA_SEGMENT_TEXTS) {
            return open_plain_texts(segment, reader, err);
        }
        size = values == STOA_SEGMENT_BITS ? stoa_bitmap_bytes(segment->count)
                                           : segment->count * width;
        segment->values = stoa_byte_reader_take(reader, size);
        return segment->values != NULL ? STOA_OK : corrupt("ends early", reader->size, err);
    case STOA_SEGMENT_FRAMES:
        if (!is_number(values)) {
            break;
        }
        return take_frames(reader, segment->count, segment)
                   ? STOA_OK
                   : corrupt("ends early", reader->size, err);
    case STOA_SEGMENT_DICTIONARY:
        if (values == STOA_SEGMENT_TEXTS) {
            return open_text_dictionary(segment, reader, err);
        }
        return is_number(values) ? open_number_dictionary(segment, reader, err)
                                 : corrupt("an encoding that its values do not have", 0, err);
    }
    return corrupt("an encoding that its values do not have", 0, err);
}

static stoa_status check_offsets(const stoa_segment *segment, stoa_error *err) {
    int64_t before = 0;
    for (uint32_t i = 0; i < segment->count; i++) {
        const int64_t offset = stoa_segment_number(segment, i);
        if (offset < before || offset > INT32_MAX || (i == 0 && offset != 0)) {
            return corrupt("offsets that do not grow", 16, err);
        }
        before = offset;
    }
    return STOA_OK;
}

stoa_status stoa_segment_open(stoa_segment_type type, const uint8_t *bytes, size_t size,
                              uint32_t count, stoa_segment *out, stoa_error *err) {
    stoa_byte_reader reader = stoa_byte_reader_of(bytes, size);
    stoa_segment_header header;
    if (!stoa_byte_reader_get(&reader, &header, sizeof header)) {
        return corrupt("shorter than its header", size, err);
    }
    if (header.kind > STOA_SEGMENT_DICTIONARY || header.bits > 64 || header.zero != 0 ||
        header.scale > 1 + STOA_SEGMENT_SCALE_MAX ||
        (header.scale > 0 && type.values != STOA_SEGMENT_DOUBLES)) {
        return corrupt("an encoding that this version does not know", 0, err);
    }
    if (header.count != count) {
        stoa_fail(err, STOA_CORRUPT, "segment: expected %" PRIu32 " values but found %" PRIu32,
                  count, header.count);
        return STOA_CORRUPT;
    }
    *out = (stoa_segment){
        .type = type,
        .kind = (stoa_segment_kind)header.kind,
        .bits = header.bits,
        .scale = header.scale > 0 ? scales[header.scale - 1] : 0,
        .count = count,
        .entry_count = header.entry_count,
        .value_size = header.value_size,
    };
    STOA_TRY(open_body(out, &reader, err));
    if (type.values == STOA_SEGMENT_OFFSETS) {
        STOA_TRY(check_offsets(out, err));
    }
    return stoa_byte_reader_left(&reader) == 0
               ? STOA_OK
               : corrupt("bytes behind its end", reader.position, err);
}

/* ---- One value ------------------------------------------------------------------------------- */

bool stoa_segment_is_narrow(const stoa_segment *segment) {
    return segment->type.value_bytes != 16 || segment->kind != STOA_SEGMENT_PLAIN;
}

static int64_t plain_number(const stoa_segment *segment, uint32_t row) {
    const bool is_signed = segment->type.values == STOA_SEGMENT_SIGNED;
    const uint8_t *at = segment->values + (size_t)row * (size_t)segment->type.value_bytes;
    switch (segment->type.value_bytes) {
    case 1: return is_signed ? (int64_t)(int8_t)*at : (int64_t)*at;
    case 2: return is_signed ? (int64_t)(int16_t)stoa_load_u16(at) : (int64_t)stoa_load_u16(at);
    case 4: return is_signed ? (int64_t)(int32_t)stoa_load_u32(at) : (int64_t)stoa_load_u32(at);
    default: return (int64_t)stoa_load_u64(at);
    }
}

/* The number that is stored: of scaled doubles the whole one. */
static int64_t stored_number(const stoa_segment *segment, uint32_t row) {
    switch (segment->kind) {
    case STOA_SEGMENT_CONSTANT: return (int64_t)stoa_load_u64(segment->values);
    case STOA_SEGMENT_PLAIN: return plain_number(segment, row);
    case STOA_SEGMENT_FRAMES: return (int64_t)text_offset(segment, row);
    case STOA_SEGMENT_DICTIONARY: break;
    }
    const uint64_t code = stoa_segment_unpack(segment->packed, row, segment->bits);
    return (int64_t)stoa_load_u64(segment->values + code * sizeof(int64_t));
}

int64_t stoa_segment_number(const stoa_segment *segment, uint32_t row) {
    const int64_t number = stored_number(segment, row);
    if (segment->scale == 0) {
        return number;
    }
    const double value = (double)number / (double)segment->scale;
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

bool stoa_segment_bit(const stoa_segment *segment, uint32_t row) {
    return segment->kind == STOA_SEGMENT_CONSTANT ? segment->values[0] != 0
                                                  : stoa_bit_get(segment->values, row);
}

static const uint8_t *text_at(const stoa_segment *segment, uint32_t row, size_t *out_size) {
    if (segment->kind == STOA_SEGMENT_DICTIONARY) {
        const uint64_t code = stoa_segment_unpack(segment->packed, row, segment->bits);
        const uint32_t first = stoa_load_u32(segment->offsets + code * sizeof first);
        *out_size = stoa_load_u32(segment->offsets + (code + 1) * sizeof first) - first;
        return segment->values + first;
    }
    const uint64_t first = text_offset(segment, row);
    *out_size = (size_t)(text_offset(segment, (size_t)row + 1) - first);
    return segment->values + first;
}

const uint8_t *stoa_segment_value(const stoa_segment *segment, uint32_t row, uint8_t storage[16],
                                  size_t *out_size) {
    const size_t width = (size_t)segment->type.value_bytes;
    if (segment->type.values == STOA_SEGMENT_TEXTS) {
        return text_at(segment, row, out_size);
    }
    *out_size = width;
    if (segment->type.values == STOA_SEGMENT_FIXED || !stoa_segment_is_narrow(segment)) {
        return segment->values + (segment->kind == STOA_SEGMENT_CONSTANT ? 0 : row * width);
    }
    const __int128 value = stoa_segment_number(segment, row);
    memcpy(storage, &value, 16);
    return storage;
}

/* ---- Many values ----------------------------------------------------------------------------- */

/* Numbers as wide as the type; 16 bytes keep the sign. */
static void store_numbers(const stoa_segment *segment, const int64_t *numbers, uint32_t count,
                          uint8_t *out) {
    switch (segment->type.value_bytes) {
    case 1:
        for (uint32_t i = 0; i < count; i++) {
            out[i] = (uint8_t)numbers[i];
        }
        break;
    case 2:
        for (uint32_t i = 0; i < count; i++) {
            const uint16_t value = (uint16_t)numbers[i];
            memcpy(out + i * sizeof value, &value, sizeof value);
        }
        break;
    case 4:
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t value = (uint32_t)numbers[i];
            memcpy(out + i * sizeof value, &value, sizeof value);
        }
        break;
    case 16:
        for (uint32_t i = 0; i < count; i++) {
            const __int128 value = numbers[i];
            memcpy(out + i * sizeof value, &value, sizeof value);
        }
        break;
    default:
        if (segment->scale == 0) {
            memcpy(out, numbers, count * sizeof *numbers);
            break;
        }
        for (uint32_t i = 0; i < count; i++) {
            const double value = (double)numbers[i] / (double)segment->scale;
            memcpy(out + i * sizeof value, &value, sizeof value);
        }
        break;
    }
}

/* Up to a frame of numbers from row `first`, within one frame. */
static void read_frame(const stoa_segment *segment, uint32_t first, uint32_t count,
                       int64_t numbers[STOA_SEGMENT_FRAME]) {
    uint64_t unpacked[STOA_SEGMENT_FRAME] = {0};
    const uint32_t skipped = first % STOA_SEGMENT_FRAME;
    if (segment->bits > 0) {
        /* Frames begin with a byte, whatever the bits. */
        const size_t frame = first / STOA_SEGMENT_FRAME;
        stoa_bitunpack_u64(segment->packed + frame * STOA_SEGMENT_FRAME / 8 * (size_t)segment->bits,
                           (skipped + count + 7) / 8 * 8, segment->bits, unpacked);
    }
    if (segment->kind == STOA_SEGMENT_FRAMES) {
        const uint64_t base = stoa_load_u64(segment->bases +
                                            first / STOA_SEGMENT_FRAME * sizeof(int64_t));
        for (uint32_t i = 0; i < count; i++) {
            numbers[i] = (int64_t)(base + unpacked[skipped + i]);
        }
    } else {
        for (uint32_t i = 0; i < count; i++) {
            memcpy(&numbers[i], segment->values + unpacked[skipped + i] * sizeof *numbers,
                   sizeof *numbers);
        }
    }
}

static void read_numbers(const stoa_segment *segment, uint32_t first, uint32_t count,
                         uint8_t *out) {
    int64_t numbers[STOA_SEGMENT_FRAME];
    const size_t width = (size_t)segment->type.value_bytes;
    if (segment->kind == STOA_SEGMENT_CONSTANT) {
        for (size_t i = 0; i < STOA_SEGMENT_FRAME; i++) {
            numbers[i] = (int64_t)stoa_load_u64(segment->values);
        }
    }
    for (uint32_t done = 0; done < count;) {
        const uint32_t in_frame = STOA_SEGMENT_FRAME - (first + done) % STOA_SEGMENT_FRAME;
        const uint32_t rows = count - done < in_frame ? count - done : in_frame;
        if (segment->kind != STOA_SEGMENT_CONSTANT) {
            read_frame(segment, first + done, rows, numbers);
        }
        store_numbers(segment, numbers, rows, out + done * width);
        done += rows;
    }
}

static void read_bits(const stoa_segment *segment, uint32_t first, uint32_t count, uint8_t *out,
                      int64_t out_at) {
    if (segment->kind == STOA_SEGMENT_CONSTANT) {
        stoa_bitmap_fill(out, out_at, count, segment->values[0] != 0);
    } else {
        stoa_bitmap_copy(segment->values, first, out, out_at, count);
    }
}

void stoa_segment_read(const stoa_segment *segment, uint32_t first, uint32_t count, void *out,
                       int64_t out_at) {
    const size_t width = (size_t)segment->type.value_bytes;
    uint8_t *bytes = (uint8_t *)out +
                     (segment->type.values == STOA_SEGMENT_BITS ? 0 : (size_t)out_at * width);
    STOA_ASSERT(first <= segment->count && count <= segment->count - first);
    if (count == 0) {
        return;
    }
    if (segment->type.values == STOA_SEGMENT_BITS) {
        read_bits(segment, first, count, bytes, out_at);
    } else if (segment->kind == STOA_SEGMENT_PLAIN) {
        memcpy(bytes, segment->values + first * width, count * width);
    } else if (segment->type.values == STOA_SEGMENT_FIXED) {
        for (uint32_t i = 0; i < count; i++) {
            memcpy(bytes + i * width, segment->values, width);
        }
    } else {
        read_numbers(segment, first, count, bytes);
    }
}

void stoa_segment_take(const stoa_segment *segment, const uint32_t *rows, int64_t count, void *out,
                       int64_t out_at) {
    uint8_t *bytes = out;
    const size_t width = (size_t)segment->type.value_bytes;
    for (int64_t i = 0; i < count; i++) {
        STOA_ASSERT(rows[i] < segment->count);
        if (segment->type.values == STOA_SEGMENT_BITS) {
            stoa_bit_put(bytes, out_at + i, stoa_segment_bit(segment, rows[i]));
        } else {
            uint8_t storage[16];
            size_t size;
            const uint8_t *value = stoa_segment_value(segment, rows[i], storage, &size);
            memcpy(bytes + (size_t)(out_at + i) * width, value, width);
        }
    }
}

stoa_status stoa_segment_texts(const stoa_segment *segment, const uint32_t *rows, uint32_t first,
                               int64_t count, stoa_buffer *offsets, stoa_buffer *bytes,
                               stoa_error *err) {
    int32_t end;
    STOA_ASSERT(offsets->size >= sizeof end);
    memcpy(&end, offsets->data + offsets->size - sizeof end, sizeof end);
    STOA_TRY(stoa_buffer_reserve(offsets, (size_t)count * sizeof end, err));
    for (int64_t i = 0; i < count; i++) {
        size_t size;
        const uint8_t *text = text_at(segment, rows != NULL ? rows[i] : first + (uint32_t)i, &size);
        if (size > (size_t)(INT32_MAX - end)) {
            return stoa_fail(err, STOA_LIMIT, "more than 2 GiB of texts in a batch");
        }
        STOA_TRY(stoa_buffer_append(bytes, text, size, err));
        end += (int32_t)size;
        STOA_TRY(stoa_buffer_append(offsets, &end, sizeof end, err));
    }
    return STOA_OK;
}
