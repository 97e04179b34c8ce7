/* Opening segments, and single values of them. */
#include "lsm/segment.h"

#include "base/bits.h"
#include "base/bytes.h"
#include "lsm/segment_format.h"

static const double powers[STOA_SEGMENT_SCALE_MAX + 1] = {1,   1e1, 1e2, 1e3, 1e4,
                                                          1e5, 1e6, 1e7, 1e8, 1e9};

/* ---- Opening --------------------------------------------------------------------------------- */

static stoa_status corrupt(const char *problem, size_t offset, stoa_error *err) {
    stoa_fail(err, STOA_CORRUPT, "segment: %s", problem);
    if (err != NULL) {
        err->offset = (int64_t)offset;
    }
    return STOA_CORRUPT;
}

static stoa_status ends_early(const stoa_byte_reader *reader, stoa_error *err) {
    return corrupt("ends early", reader->size, err);
}

static bool is_number(stoa_segment_class values) {
    return values == STOA_SEGMENT_SIGNED || values == STOA_SEGMENT_UNSIGNED ||
           values == STOA_SEGMENT_OFFSETS || values == STOA_SEGMENT_DOUBLES;
}

static bool are_zeros(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* What fills up to 8 bytes, from the segment's beginning. */
static stoa_status take_filling(stoa_byte_reader *reader, stoa_error *err) {
    const size_t size = stoa_segment_filling(reader->position);
    const uint8_t *filling = stoa_byte_reader_take(reader, size);
    if (filling == NULL) {
        return ends_early(reader, err);
    }
    return are_zeros(filling, size) ? STOA_OK
                                    : corrupt("expected zeros", reader->position - size, err);
}

/* Packed values, of which those beyond `count` and the bytes behind are zero. */
static stoa_status take_packed(stoa_byte_reader *reader, size_t count, int bits,
                               const uint8_t **out, stoa_error *err) {
    const size_t size = stoa_segment_packed_bytes(count, bits);
    *out = stoa_byte_reader_take(reader, size);
    if (*out == NULL) {
        return ends_early(reader, err);
    }
    bool is_filled = are_zeros(*out + size - STOA_SEGMENT_PADDING, STOA_SEGMENT_PADDING);
    for (size_t i = count; i % 8 != 0; i++) {
        is_filled = is_filled && stoa_segment_unpack(*out, i, bits) == 0;
    }
    return is_filled ? STOA_OK
                     : corrupt("expected zeros behind packed values", reader->position, err);
}

/* Rows that grow, below `count`. */
static stoa_status check_places(const stoa_segment *segment, uint32_t limit, stoa_error *err) {
    int64_t before = -1;
    for (uint32_t i = 0; i < segment->entry_count; i++) {
        const int64_t place = stoa_load_u32(segment->places + i * sizeof(uint32_t));
        if (place <= before || place >= limit) {
            return corrupt("rows of runs or exceptions that do not grow", 16, err);
        }
        before = place;
    }
    return STOA_OK;
}

/* Slope, bases, exceptions and differences of `count` numbers. */
static stoa_status open_frames(stoa_segment *segment, const stoa_segment_header *header,
                               size_t count, stoa_byte_reader *reader, stoa_error *err) {
    const bool is_line = segment->kind == STOA_SEGMENT_LINE;
    const size_t bases = is_line ? 1 : stoa_segment_frames(count);
    const uint8_t *slope = stoa_byte_reader_take(reader, sizeof(int64_t));
    segment->frames = (stoa_frames){
        .bases = stoa_byte_reader_take(reader, bases * sizeof(int64_t)),
        .row_mask = is_line ? SIZE_MAX : STOA_FRAME_ROWS - 1,
        .bits = header->bits,
        .correction = header->correction,
        .divisor = header->scale > 0 ? powers[header->scale - 1] : 0,
    };
    if (slope == NULL || segment->frames.bases == NULL || segment->entry_count > segment->count) {
        return ends_early(reader, err);
    }
    segment->frames.slope = stoa_load_i64(slope);
    segment->frames.base = is_line ? stoa_load_i64(segment->frames.bases) : 0;
    if (segment->entry_count > 0) {
        segment->values = stoa_byte_reader_take(reader, segment->entry_count * sizeof(int64_t));
        segment->places = stoa_byte_reader_take(reader, segment->entry_count * sizeof(uint32_t));
        if (segment->values == NULL || segment->places == NULL) {
            return ends_early(reader, err);
        }
        STOA_TRY(take_filling(reader, err));
        STOA_TRY(check_places(segment, segment->count, err));
    }
    return take_packed(reader, count, header->bits, &segment->frames.packed, err);
}

/* Numbers `count` of them from 0 on, never falling, up to `end`. */
static stoa_status check_offsets(const stoa_segment *segment, uint32_t count, uint64_t end,
                                 stoa_error *err) {
    enum { BLOCK = 512 };
    int64_t offsets[BLOCK];
    int64_t before = 0;
    for (uint32_t first = 0; first < count; first += BLOCK) {
        const uint32_t rows = count - first < BLOCK ? count - first : BLOCK;
        stoa_frames_read(&segment->frames, first, (rows + 7) / 8 * 8, 8, (uint8_t *)offsets);
        bool is_growing = first > 0 || offsets[0] == 0;
        for (uint32_t i = 0; i < rows; i++) {
            is_growing &= offsets[i] >= before;
            before = offsets[i];
        }
        if (!is_growing || before > INT32_MAX) {
            return corrupt("offsets that do not grow", 16, err);
        }
    }
    return end == UINT64_MAX || end == (uint64_t)before ? STOA_OK
                                                        : corrupt("texts end elsewhere", 16, err);
}

static stoa_status open_codes(stoa_segment *segment, const stoa_segment_header *header,
                              stoa_byte_reader *reader, stoa_error *err) {
    segment->frames = (stoa_frames){.row_mask = SIZE_MAX, .bits = header->bits};
    STOA_TRY(take_packed(reader, segment->count, header->bits, &segment->frames.packed, err));
    return stoa_codes_below(segment->frames.packed, segment->count, header->bits,
                            segment->entry_count)
               ? STOA_OK
               : corrupt("a code beyond the dictionary", 16, err);
}

static stoa_status take_text_entries(stoa_segment *segment, uint32_t value_size,
                                     stoa_byte_reader *reader, stoa_error *err) {
    uint32_t end = 0;
    segment->offsets = stoa_byte_reader_take(reader, (segment->entry_count + 1) * sizeof(uint32_t));
    segment->values = stoa_byte_reader_take(reader, value_size);
    if (segment->offsets == NULL || segment->values == NULL) {
        return ends_early(reader, err);
    }
    for (uint32_t i = 0; i <= segment->entry_count; i++) {
        const uint32_t next = stoa_load_u32(segment->offsets + i * sizeof next);
        if (next < end || (i == 0 && next != 0)) {
            return corrupt("the texts of a dictionary overlap", 16, err);
        }
        end = next;
    }
    return end == value_size ? STOA_OK
                             : corrupt("the texts of a dictionary end elsewhere", 16, err);
}

/* `count` values of the type's width. */
static stoa_status take_values(stoa_segment *segment, uint32_t count, stoa_byte_reader *reader,
                               stoa_error *err) {
    const bool are_bits = segment->type.values == STOA_SEGMENT_BITS;
    const size_t size = are_bits ? stoa_bitmap_bytes(count)
                                 : (size_t)count * (size_t)segment->type.value_bytes;
    segment->values = stoa_byte_reader_take(reader, size);
    if (segment->values == NULL) {
        return ends_early(reader, err);
    }
    if (are_bits && segment->kind == STOA_SEGMENT_CONSTANT) {
        return segment->values[0] <= 1 ? STOA_OK : corrupt("a bit that is neither", 16, err);
    }
    const bool is_filled = !are_bits || count % 8 == 0 ||
                           segment->values[size - 1] >> (count % 8) == 0;
    return is_filled ? STOA_OK : corrupt("bits behind the last one", 16, err);
}

static stoa_status open_dictionary(stoa_segment *segment, const stoa_segment_header *header,
                                   stoa_byte_reader *reader, stoa_error *err) {
    if (segment->entry_count > STOA_SEGMENT_ENTRIES_MAX || header->bits > 32) {
        return corrupt("too many entries in a dictionary", 8, err);
    }
    STOA_TRY(segment->type.values == STOA_SEGMENT_TEXTS
                 ? take_text_entries(segment, header->value_size, reader, err)
                 : take_values(segment, segment->entry_count, reader, err));
    STOA_TRY(take_filling(reader, err));
    return open_codes(segment, header, reader, err);
}

static stoa_status open_runs(stoa_segment *segment, stoa_byte_reader *reader, stoa_error *err) {
    STOA_TRY(take_values(segment, segment->entry_count, reader, err));
    STOA_TRY(take_filling(reader, err));
    segment->places = stoa_byte_reader_take(reader, segment->entry_count * sizeof(uint32_t));
    if (segment->places == NULL || segment->entry_count == 0) {
        return ends_early(reader, err);
    }
    STOA_TRY(check_places(segment, segment->count + 1, err));
    const uint8_t *last = segment->places + (segment->entry_count - 1) * sizeof(uint32_t);
    return stoa_load_u32(segment->places) > 0 && stoa_load_u32(last) == segment->count
               ? STOA_OK
               : corrupt("runs that end elsewhere", 16, err);
}

static stoa_status open_text_frames(stoa_segment *segment, const stoa_segment_header *header,
                                    stoa_byte_reader *reader, stoa_error *err) {
    const uint32_t ends = segment->count + 1;
    STOA_TRY(open_frames(segment, header, ends, reader, err));
    segment->values = stoa_byte_reader_take(reader, header->value_size);
    return segment->values == NULL ? ends_early(reader, err)
                                   : check_offsets(segment, ends, header->value_size, err);
}

/* Whether values of this class have this encoding, and the header says nothing else. */
static bool is_known(stoa_segment_type type, const stoa_segment_header *header) {
    const bool is_text = type.values == STOA_SEGMENT_TEXTS;
    const bool is_packed = header->kind >= STOA_SEGMENT_LINE && header->kind != STOA_SEGMENT_RUNS;
    const bool is_frames = header->kind == STOA_SEGMENT_LINE || header->kind == STOA_SEGMENT_FRAMES;
    const bool is_scaled = is_frames && type.values == STOA_SEGMENT_DOUBLES;
    const bool has_entries = header->kind == STOA_SEGMENT_DICTIONARY ||
                             header->kind == STOA_SEGMENT_RUNS ||
                             (is_frames && !is_text && type.values != STOA_SEGMENT_OFFSETS);
    if (header->bits > (is_packed ? 64 : 0) ||
        header->scale > (is_scaled ? 1 + STOA_SEGMENT_SCALE_MAX : 0) ||
        header->correction > (header->scale > 0 ? STOA_SEGMENT_CORRECTION_MAX : 0) ||
        (header->entry_count > 0 && !has_entries) || (header->value_size > 0 && !is_text)) {
        return false;
    }
    switch (header->kind) {
    case STOA_SEGMENT_CONSTANT:
    case STOA_SEGMENT_PLAIN: return !is_text;
    case STOA_SEGMENT_LINE:
    case STOA_SEGMENT_FRAMES:
    case STOA_SEGMENT_DICTIONARY: return is_text || is_number(type.values);
    case STOA_SEGMENT_RUNS: return is_number(type.values);
    default: return false;
    }
}

static stoa_status open_body(stoa_segment *segment, const stoa_segment_header *header,
                             stoa_byte_reader *reader, stoa_error *err) {
    switch (segment->kind) {
    case STOA_SEGMENT_CONSTANT: return take_values(segment, 1, reader, err);
    case STOA_SEGMENT_PLAIN: return take_values(segment, segment->count, reader, err);
    case STOA_SEGMENT_DICTIONARY: return open_dictionary(segment, header, reader, err);
    case STOA_SEGMENT_RUNS: return open_runs(segment, reader, err);
    case STOA_SEGMENT_LINE:
    case STOA_SEGMENT_FRAMES: break;
    }
    return segment->type.values == STOA_SEGMENT_TEXTS
               ? open_text_frames(segment, header, reader, err)
               : open_frames(segment, header, segment->count, reader, err);
}

/* Offsets that lead into other segments; frames are how they are nearly always written. */
static stoa_status check_numbers(const stoa_segment *segment, stoa_error *err) {
    if (stoa_segment_is_frames(segment)) {
        return check_offsets(segment, segment->count, UINT64_MAX, err);
    }
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
    if (!is_known(type, &header)) {
        return corrupt("an encoding that this version does not know", 0, err);
    }
    if (header.count != count) {
        return stoa_fail(err, STOA_CORRUPT,
                         "segment: expected %" PRIu32 " values but found %" PRIu32, count,
                         header.count);
    }
    *out = (stoa_segment){
        .type = type,
        .kind = (stoa_segment_kind)header.kind,
        .count = count,
        .entry_count = header.entry_count,
    };
    STOA_TRY(open_body(out, &header, &reader, err));
    if (type.values == STOA_SEGMENT_OFFSETS) {
        STOA_TRY(check_numbers(out, err));
    }
    return stoa_byte_reader_left(&reader) == 0
               ? STOA_OK
               : corrupt("bytes behind its end", reader.position, err);
}

/* ---- One value ------------------------------------------------------------------------------- */

/* The first place that is not less than `row`; entry_count when there is none. */
static uint32_t find_place(const stoa_segment *segment, uint32_t row) {
    uint32_t low = 0, count = segment->entry_count;
    while (count > 0) {
        const uint32_t half = count / 2;
        const bool is_less = stoa_load_u32(segment->places + (low + half) * sizeof row) < row;
        low = is_less ? low + half + 1 : low;
        count = is_less ? count - half - 1 : half;
    }
    return low;
}

uint32_t stoa_segment_entry(const stoa_segment *segment, uint32_t row) {
    switch (segment->kind) {
    case STOA_SEGMENT_PLAIN: return row;
    case STOA_SEGMENT_DICTIONARY:
        return (uint32_t)stoa_segment_unpack(segment->frames.packed, row, segment->frames.bits);
    case STOA_SEGMENT_RUNS: return find_place(segment, row + 1);
    default: return 0;
    }
}

uint32_t stoa_segment_exception(const stoa_segment *segment, uint32_t row) {
    return find_place(segment, row);
}

/* Of lines and frames: the number that is meant, of doubles its bits. */
static int64_t frames_number(const stoa_segment *segment, uint32_t row) {
    if (segment->entry_count > 0) {
        const uint32_t exception = find_place(segment, row);
        if (exception < segment->entry_count &&
            stoa_load_u32(segment->places + exception * sizeof row) == row) {
            return stoa_load_i64(segment->values + exception * sizeof(int64_t));
        }
    }
    int64_t number = stoa_frames_number(&segment->frames, row);
    if (segment->frames.divisor != 0) {
        const double value = stoa_frames_double(&segment->frames, number);
        memcpy(&number, &value, sizeof number);
    }
    return number;
}

int64_t stoa_segment_number(const stoa_segment *segment, uint32_t row) {
    if (stoa_segment_is_frames(segment)) {
        return frames_number(segment, row);
    }
    const bool is_signed = segment->type.values == STOA_SEGMENT_SIGNED;
    const uint8_t *at = segment->values + (size_t)stoa_segment_entry(segment, row) *
                                              (size_t)segment->type.value_bytes;
    switch (segment->type.value_bytes) {
    case 1: return is_signed ? (int64_t)(int8_t)*at : (int64_t)*at;
    case 2: return is_signed ? (int64_t)(int16_t)stoa_load_u16(at) : (int64_t)stoa_load_u16(at);
    case 4: return is_signed ? (int64_t)(int32_t)stoa_load_u32(at) : (int64_t)stoa_load_u32(at);
    default: return stoa_load_i64(at);
    }
}

bool stoa_segment_bit(const stoa_segment *segment, uint32_t row) {
    return segment->kind == STOA_SEGMENT_CONSTANT ? segment->values[0] != 0
                                                  : stoa_bit_get(segment->values, row);
}

static const uint8_t *text_at(const stoa_segment *segment, uint32_t row, size_t *out_size) {
    if (segment->kind == STOA_SEGMENT_DICTIONARY) {
        const size_t code = stoa_segment_entry(segment, row);
        const uint32_t first = stoa_load_u32(segment->offsets + code * sizeof first);
        *out_size = stoa_load_u32(segment->offsets + (code + 1) * sizeof first) - first;
        return segment->values + first;
    }
    const int64_t first = stoa_frames_number(&segment->frames, row);
    *out_size = (size_t)(stoa_frames_number(&segment->frames, (size_t)row + 1) - first);
    return segment->values + first;
}

const uint8_t *stoa_segment_value(const stoa_segment *segment, uint32_t row, uint8_t storage[16],
                                  size_t *out_size) {
    const size_t width = (size_t)segment->type.value_bytes;
    if (segment->type.values == STOA_SEGMENT_TEXTS) {
        return text_at(segment, row, out_size);
    }
    *out_size = width;
    if (!stoa_segment_is_frames(segment)) {
        return segment->values + stoa_segment_entry(segment, row) * width;
    }
    const __int128 value = frames_number(segment, row);
    memcpy(storage, &value, 16);
    return storage;
}

/* ---- Searching ------------------------------------------------------------------------------- */

/* Rows [low, high) are searched. */
static uint32_t search(const stoa_segment *segment, uint32_t low, uint32_t high, uint64_t number) {
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const bool is_less = (uint64_t)stoa_segment_number(segment, middle) < number;
        low = is_less ? middle + 1 : low;
        high = is_less ? high : middle;
    }
    return low;
}

/* Where a line can pass the number: it and what differs from it at most say which rows are too low and
 * which are not. */
static void narrow_by_line(const stoa_frames *frames, uint64_t number, uint32_t *low,
                           uint32_t *high) {
    const uint64_t base = (uint64_t)frames->base, slope = (uint64_t)frames->slope;
    const uint64_t most = frames->bits >= 64 ? UINT64_MAX : (UINT64_C(1) << frames->bits) - 1;
    const uint64_t beyond = number > base ? number - base : 0;
    if (frames->slope <= 0) {
        return;
    }
    const uint64_t last = beyond / slope + (beyond % slope != 0);
    const uint64_t first = beyond > most ? (beyond - most) / slope : 0;
    *high = last < *high ? (uint32_t)last : *high;
    *low = first < *high ? (uint32_t)first : *high;
}

/* The frame before the first whose base is not less. */
static void narrow_by_bases(const stoa_frames *frames, uint64_t number, uint32_t *low,
                            uint32_t *high) {
    uint32_t frame = 0, count = (uint32_t)stoa_segment_frames(*high);
    while (count > 1) {
        const uint32_t half = count / 2;
        frame += stoa_load_u64(frames->bases + (frame + half) * sizeof number) < number ? half : 0;
        count -= half;
    }
    *low = frame * STOA_FRAME_ROWS;
    *high = *high - *low < STOA_FRAME_ROWS ? *high : *low + STOA_FRAME_ROWS;
}

uint32_t stoa_segment_find(const stoa_segment *segment, uint64_t number) {
    uint32_t low = 0, high = segment->count;
    if (high == 0 || !stoa_segment_is_frames(segment) || segment->entry_count > 0) {
        return search(segment, low, high, number);
    }
    if (segment->kind == STOA_SEGMENT_LINE) {
        narrow_by_line(&segment->frames, number, &low, &high);
    } else {
        narrow_by_bases(&segment->frames, number, &low, &high);
    }
    const uint32_t row = search(segment, low, high, number);
    /* Bases may lie below the numbers before them, and a line may wrap around. */
    if (row == low && low > 0 && (uint64_t)stoa_segment_number(segment, low - 1) >= number) {
        return search(segment, 0, low, number);
    }
    if (row == high && high < segment->count &&
        (uint64_t)stoa_segment_number(segment, high) < number) {
        return search(segment, high, segment->count, number);
    }
    return row;
}

void stoa_segment_find_prefetch(const stoa_segment *segment, uint64_t number, int step) {
    const stoa_frames *frames = &segment->frames;
    uint32_t low = 0, high = segment->count;
    if (high == 0) {
        return;
    }
    if (segment->kind == STOA_SEGMENT_FRAMES && step == 0) {
        __builtin_prefetch(frames->bases + stoa_segment_frames(high) / 2 * sizeof(uint64_t));
    } else if (segment->kind == STOA_SEGMENT_FRAMES) {
        narrow_by_bases(frames, number, &low, &high);
        stoa_segment_prefetch(segment, low);
        stoa_segment_prefetch(segment, high - 1);
    } else if (step > 0 && (segment->kind != STOA_SEGMENT_LINE || frames->bits > 0)) {
        if (segment->kind == STOA_SEGMENT_LINE) {
            narrow_by_line(frames, number, &low, &high);
        }
        stoa_segment_prefetch(segment, low < segment->count ? low : 0);
    }
}
