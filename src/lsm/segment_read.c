/* Many values of a segment at once. */
#include "base/bits.h"
#include "base/bytes.h"
#include "codec/bitpack_kernel.h"
#include "codec/gather_kernel.h"
#include "lsm/segment_format.h"

enum { BLOCK = 512, DENSE = BLOCK / 6, SHORT = 16 };

/* ---- Rows one after the other ---------------------------------------------------------------- */

static void store_number(int64_t number, size_t width, uint8_t *out) {
    const __int128 wide = number;
    memcpy(out, &wide, width);
}

/* Up to this many bits lie in 8 bytes, whichever bit of the first they begin with. */
enum { ONE_LOAD_BITS = 57 };

/* stoa_frames_number where there is no need to look at the bits of each row. */
static int64_t narrow_number(const stoa_frames *frames, uint64_t mask, size_t row) {
    const size_t at = row * (size_t)frames->bits;
    return (int64_t)(stoa_frames_base(frames, row) +
                     (stoa_load_u64(frames->packed + at / 8) >> (at % 8) & mask));
}

/* The stored numbers of rows, listed or from `first` on, as values of the type's width; exceptions aside.
 * The width is a constant in each copy. */
__attribute__((always_inline)) static inline void store_each(const stoa_frames *all,
                                                             const uint32_t *rows, uint32_t first,
                                                             int64_t count, size_t width,
                                                             bool is_divided, uint8_t *out) {
    const stoa_frames local = *all,
                      *frames = &local; /* which bytes that are written do not alias */
    const bool is_narrow = frames->bits <= ONE_LOAD_BITS;
    const uint64_t mask = is_narrow ? (UINT64_C(1) << frames->bits) - 1 : 0;
    for (int64_t i = 0; i < count; i++) {
        const size_t row = rows != NULL ? rows[i] : first + (uint32_t)i;
        const int64_t number = is_narrow ? narrow_number(frames, mask, row)
                                         : stoa_frames_number(frames, row);
        if (is_divided) {
            const double value = stoa_frames_double(frames, number);
            memcpy(out + (size_t)i * width, &value, sizeof value);
        } else {
            store_number(number, width, out + (size_t)i * width);
        }
    }
}

static void store_rows(const stoa_segment *segment, const uint32_t *rows, uint32_t first,
                       int64_t count, uint8_t *out) {
    const stoa_frames *frames = &segment->frames;
    if (frames->divisor != 0) {
        store_each(frames, rows, first, count, 8, true, out);
        return;
    }
    switch (segment->type.value_bytes) {
    case 1: store_each(frames, rows, first, count, 1, false, out); break;
    case 2: store_each(frames, rows, first, count, 2, false, out); break;
    case 4: store_each(frames, rows, first, count, 4, false, out); break;
    case 16: store_each(frames, rows, first, count, 16, false, out); break;
    default: store_each(frames, rows, first, count, 8, false, out); break;
    }
}

static void put_exceptions(const stoa_segment *segment, uint32_t first, uint32_t count,
                           uint8_t *out) {
    const size_t width = (size_t)segment->type.value_bytes;
    for (uint32_t i = stoa_segment_exception(segment, first); i < segment->entry_count; i++) {
        const uint32_t row = stoa_load_u32(segment->places + i * sizeof row);
        if (row - first >= count) {
            return;
        }
        store_number(stoa_load_i64(segment->values + i * sizeof(int64_t)), width,
                     out + (row - first) * width);
    }
}

/* Some rows, by the groups that they lie in. */
static void read_groups(const stoa_segment *segment, uint32_t first, uint32_t count, uint8_t *out) {
    const size_t width = (size_t)segment->type.value_bytes;
    const uint32_t skipped = first % STOA_FRAME_GROUP;
    uint8_t values[(BLOCK + 2 * STOA_FRAME_GROUP) * sizeof(__int128)];
    stoa_frames_read(&segment->frames, first - skipped, (skipped + count + 7) / 8 * 8, (int)width,
                     values);
    memcpy(out, values + skipped * width, count * width);
}

/* Whole groups by the kernel, what is before and behind them by the row. */
static void read_rows(const stoa_segment *segment, uint32_t first, uint32_t count, uint8_t *out) {
    const size_t width = (size_t)segment->type.value_bytes;
    const uint32_t end = first + count;
    const uint32_t begin = (first + STOA_FRAME_GROUP - 1) / STOA_FRAME_GROUP * STOA_FRAME_GROUP;
    const uint32_t before = (begin < end ? begin : end) - first;
    const uint32_t groups = (count - before) / STOA_FRAME_GROUP * STOA_FRAME_GROUP;
    const uint32_t done = before + groups;
    store_rows(segment, NULL, first, before, out);
    stoa_frames_read(&segment->frames, groups > 0 ? begin : 0, groups, (int)width,
                     out + before * width);
    store_rows(segment, NULL, first + done, count - done, out + done * width);
}

static void read_frames(const stoa_segment *segment, uint32_t first, uint32_t count, uint8_t *out) {
    if (count >= SHORT && count <= BLOCK) {
        read_groups(segment, first, count, out);
    } else {
        read_rows(segment, first, count, out);
    }
    if (segment->entry_count > 0) {
        put_exceptions(segment, first, count, out);
    }
}

/* Codes of up to a block of rows, of which the first has code [0] plus what is returned. */
static uint32_t read_codes(const stoa_segment *segment, uint32_t first, uint32_t count,
                           uint32_t codes[BLOCK + STOA_FRAME_GROUP]) {
    const uint32_t skipped = first % STOA_FRAME_GROUP;
    const int bits = segment->frames.bits;
    stoa_bitunpack_u32(segment->frames.packed + first / STOA_FRAME_GROUP * (size_t)bits,
                       (skipped + count + 7) / 8 * 8, bits, codes);
    return skipped;
}

static void read_dictionary(const stoa_segment *segment, uint32_t first, uint32_t count,
                            uint8_t *out) {
    const size_t width = (size_t)segment->type.value_bytes;
    uint32_t codes[BLOCK + STOA_FRAME_GROUP];
    for (uint32_t done = 0; done < count;) {
        const uint32_t rows = count - done < BLOCK ? count - done : BLOCK;
        const uint32_t skipped = read_codes(segment, first + done, rows, codes);
        stoa_codes_gather(segment->values, segment->entry_count, width, codes + skipped, rows,
                          out + done * width);
        done += rows;
    }
}

static void read_runs(const stoa_segment *segment, uint32_t first, uint32_t count, uint8_t *out) {
    const size_t width = (size_t)segment->type.value_bytes;
    const uint32_t end = first + count;
    for (uint32_t row = first, run = stoa_segment_entry(segment, first); row < end; run++) {
        const uint32_t stop = stoa_load_u32(segment->places + run * sizeof stop);
        const uint32_t rows = (stop < end ? stop : end) - row;
        stoa_repeat_fixed(segment->values + run * width, width, rows, out);
        out += rows * width;
        row += rows;
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

static void read_values(const stoa_segment *segment, uint32_t first, uint32_t count, uint8_t *out) {
    const size_t width = (size_t)segment->type.value_bytes;
    switch (segment->kind) {
    case STOA_SEGMENT_CONSTANT: stoa_repeat_fixed(segment->values, width, count, out); break;
    case STOA_SEGMENT_PLAIN: memcpy(out, segment->values + first * width, count * width); break;
    case STOA_SEGMENT_LINE:
    case STOA_SEGMENT_FRAMES: read_frames(segment, first, count, out); break;
    case STOA_SEGMENT_DICTIONARY: read_dictionary(segment, first, count, out); break;
    case STOA_SEGMENT_RUNS: read_runs(segment, first, count, out); break;
    }
}

void stoa_segment_read(const stoa_segment *segment, uint32_t first, uint32_t count, void *out,
                       int64_t out_at) {
    STOA_ASSERT(first <= segment->count && count <= segment->count - first);
    if (count == 0) {
        return;
    }
    if (segment->type.values == STOA_SEGMENT_BITS) {
        read_bits(segment, first, count, out, out_at);
    } else {
        read_values(segment, first, count,
                    (uint8_t *)out + (size_t)out_at * (size_t)segment->type.value_bytes);
    }
}

/* ---- Rows in any order ----------------------------------------------------------------------- */

/* How many of the next rows lie in the block of the first of them. */
static int64_t rows_in_block(const uint32_t *rows, int64_t count) {
    const uint32_t block = rows[0] / BLOCK;
    int64_t same = 1;
    while (same < count && same < BLOCK && rows[same] / BLOCK == block) {
        same++;
    }
    return same;
}

__attribute__((always_inline)) static inline void pick(const uint8_t *block, const uint32_t *rows,
                                                       int64_t count, size_t width, uint8_t *out) {
    for (int64_t i = 0; i < count; i++) {
        memcpy(out + (size_t)i * width, block + rows[i] % BLOCK * width, width);
    }
}

static void pick_rows(const uint8_t *block, const uint32_t *rows, int64_t count, size_t width,
                      uint8_t *out) {
    switch (width) {
    case 1: pick(block, rows, count, 1, out); break;
    case 2: pick(block, rows, count, 2, out); break;
    case 4: pick(block, rows, count, 4, out); break;
    case 8: pick(block, rows, count, 8, out); break;
    default: pick(block, rows, count, width, out); break;
    }
}

/* Where many rows in a row lie in one block, unpacking all of it is cheaper than one by one. */
static void take_frames(const stoa_segment *segment, const uint32_t *rows, int64_t count,
                        uint8_t *out) {
    const size_t width = (size_t)segment->type.value_bytes;
    uint8_t values[BLOCK * sizeof(__int128)];
    for (int64_t i = 0; i < count;) {
        const int64_t near = rows_in_block(rows + i, count - i);
        if (near < DENSE) {
            store_rows(segment, rows + i, 0, near, out + (size_t)i * width);
            i += near;
            continue;
        }
        const uint32_t first = rows[i] / BLOCK * BLOCK;
        const uint32_t left = segment->count - first;
        stoa_frames_read(&segment->frames, first, left < BLOCK ? (left + 7) / 8 * 8 : BLOCK,
                         (int)width, values);
        pick_rows(values, rows + i, near, width, out + (size_t)i * width);
        i += near;
    }
}

static void take_exceptions(const stoa_segment *segment, const uint32_t *rows, int64_t count,
                            uint8_t *out) {
    const size_t width = (size_t)segment->type.value_bytes;
    for (int64_t i = 0; i < count; i++) {
        const uint32_t exception = stoa_segment_exception(segment, rows[i]);
        if (exception < segment->entry_count &&
            stoa_load_u32(segment->places + exception * sizeof *rows) == rows[i]) {
            store_number(stoa_load_i64(segment->values + exception * sizeof(int64_t)), width,
                         out + (size_t)i * width);
        }
    }
}

/* Which entry each row has. */
static void take_entries(const stoa_segment *segment, const uint32_t *rows, int64_t count,
                         uint32_t *entries) {
    const uint8_t *packed = segment->frames.packed;
    const int bits = segment->frames.bits;
    if (segment->kind == STOA_SEGMENT_DICTIONARY) {
        for (int64_t i = 0; i < count; i++) {
            entries[i] = (uint32_t)stoa_segment_unpack(packed, rows[i], bits);
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        entries[i] = stoa_segment_entry(segment, rows[i]);
    }
}

static void take_values(const stoa_segment *segment, const uint32_t *rows, int64_t count,
                        uint8_t *out) {
    const size_t width = (size_t)segment->type.value_bytes;
    uint32_t entries[BLOCK];
    if (stoa_segment_is_frames(segment)) {
        take_frames(segment, rows, count, out);
        if (segment->entry_count > 0) {
            take_exceptions(segment, rows, count, out);
        }
        return;
    }
    if (segment->kind == STOA_SEGMENT_CONSTANT) {
        stoa_repeat_fixed(segment->values, width, (size_t)count, out);
        return;
    }
    if (segment->kind == STOA_SEGMENT_PLAIN) {
        stoa_codes_gather(segment->values, segment->count, width, rows, (size_t)count, out);
        return;
    }
    for (int64_t done = 0; done < count; done += BLOCK) {
        const int64_t here = count - done < BLOCK ? count - done : BLOCK;
        take_entries(segment, rows + done, here, entries);
        stoa_codes_gather(segment->values, segment->entry_count, width, entries, (size_t)here,
                          out + (size_t)done * width);
    }
}

void stoa_segment_take(const stoa_segment *segment, const uint32_t *rows, int64_t count, void *out,
                       int64_t out_at) {
    for (int64_t i = 0; i < count; i++) {
        STOA_ASSERT(rows[i] < segment->count);
    }
    if (segment->type.values == STOA_SEGMENT_BITS) {
        for (int64_t i = 0; i < count; i++) {
            stoa_bit_put(out, out_at + i, stoa_segment_bit(segment, rows[i]));
        }
    } else if (count > 0) {
        take_values(segment, rows, count,
                    (uint8_t *)out + (size_t)out_at * (size_t)segment->type.value_bytes);
    }
}

bool stoa_segment_choose(const stoa_segment *segment, uint32_t first, uint32_t count,
                         const uint8_t *bits, void *out) {
    STOA_ASSERT(first <= segment->count && count <= segment->count - first);
    if (!stoa_segment_is_frames(segment) || segment->entry_count > 0 ||
        segment->type.values == STOA_SEGMENT_TEXTS || first % STOA_FRAME_GROUP != 0) {
        return false;
    }
    stoa_frames_choose(&segment->frames, first, (count + 7) / 8 * 8, bits,
                       segment->type.value_bytes, out);
    return true;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static stoa_status too_many_texts(stoa_error *err) {
    return stoa_fail(err, STOA_LIMIT, "more than 2 GiB of texts in a batch");
}

/* Ends of texts one after the other, of which the first begins at `begin` and is to begin at `at`. */
static void read_ends(const stoa_segment *segment, uint32_t first, uint32_t count, int64_t begin,
                      int32_t at, int32_t *ends) {
    const int32_t moved = (int32_t)(at - begin);
    const stoa_segment offsets = {.type = {STOA_SEGMENT_OFFSETS, sizeof *ends},
                                  .kind = segment->kind,
                                  .frames = segment->frames};
    read_frames(&offsets, first + 1, count, (uint8_t *)ends);
    for (uint32_t i = 0; i < count; i++) {
        ends[i] += moved;
    }
}

bool stoa_segment_texts_view(const stoa_segment *segment, uint32_t first, uint32_t count,
                             int32_t *ends, const uint8_t **out_bytes, size_t *out_size) {
    if (!stoa_segment_is_frames(segment)) {
        return false;
    }
    const int64_t begin = stoa_frames_number(&segment->frames, first);
    *out_bytes = segment->values + begin;
    *out_size = (size_t)(stoa_frames_number(&segment->frames, (size_t)first + count) - begin);
    read_ends(segment, first, count, begin, 0, ends);
    return true;
}

static stoa_status read_texts(const stoa_segment *segment, uint32_t first, uint32_t count,
                              int32_t *ends, stoa_buffer *bytes, stoa_error *err) {
    const int64_t begin = stoa_frames_number(&segment->frames, first);
    const int64_t size = stoa_frames_number(&segment->frames, (size_t)first + count) - begin;
    if (size > INT32_MAX - ends[-1]) {
        return too_many_texts(err);
    }
    read_ends(segment, first, count, begin, ends[-1], ends);
    return stoa_buffer_append(bytes, segment->values + begin, (size_t)size, err);
}

/* Texts of up to a block of rows, where they lie. */
struct pieces {
    const uint8_t *bytes[BLOCK];
    uint32_t sizes[BLOCK];
};

static uint64_t find_pieces(const stoa_segment *segment, const uint32_t *rows, int64_t count,
                            struct pieces *out) {
    uint32_t entries[BLOCK];
    uint64_t size = 0;
    if (segment->kind == STOA_SEGMENT_DICTIONARY) {
        take_entries(segment, rows, count, entries);
        for (int64_t i = 0; i < count; i++) {
            const uint8_t *at = segment->offsets + entries[i] * sizeof(uint32_t);
            const uint32_t first = stoa_load_u32(at);
            out->bytes[i] = segment->values + first;
            out->sizes[i] = stoa_load_u32(at + sizeof first) - first;
            size += out->sizes[i];
        }
        return size;
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t first = stoa_frames_number(&segment->frames, rows[i]);
        out->bytes[i] = segment->values + first;
        out->sizes[i] = (uint32_t)(stoa_frames_number(&segment->frames, (size_t)rows[i] + 1) -
                                   first);
        size += out->sizes[i];
    }
    return size;
}

/* Where the bytes of all texts end. */
static const uint8_t *end_of_texts(const stoa_segment *segment) {
    return segment->values +
           (segment->kind == STOA_SEGMENT_DICTIONARY
                ? stoa_load_u32(segment->offsets + segment->entry_count * sizeof(uint32_t))
                : stoa_frames_number(&segment->frames, segment->count));
}

/* Short texts are copied as SHORT bytes, of which those behind the text are written over by the next;
 * there is room for them behind the last. */
static void copy_pieces(const struct pieces *pieces, int64_t count, const uint8_t *end,
                        uint8_t *out) {
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *bytes = pieces->bytes[i];
        const uint32_t size = pieces->sizes[i];
        if (size <= SHORT && end - bytes >= SHORT) {
            memcpy(out, bytes, SHORT);
        } else if (size > 0) {
            memcpy(out, bytes, size);
        }
        out += size;
    }
}

static stoa_status take_texts(const stoa_segment *segment, const uint32_t *rows, int64_t count,
                              int32_t *ends, stoa_buffer *bytes, stoa_error *err) {
    const uint8_t *texts_end = end_of_texts(segment);
    struct pieces pieces;
    int32_t end = ends[-1];
    for (int64_t first = 0; first < count; first += BLOCK) {
        const int64_t here = count - first < BLOCK ? count - first : BLOCK;
        const uint64_t size = find_pieces(segment, rows + first, here, &pieces);
        if (size > (uint64_t)(INT32_MAX - end)) {
            return too_many_texts(err);
        }
        STOA_TRY(stoa_buffer_reserve(bytes, (size_t)size + SHORT, err));
        copy_pieces(&pieces, here, texts_end, bytes->data + bytes->size);
        bytes->size += (size_t)size;
        for (int64_t i = 0; i < here; i++) {
            end += (int32_t)pieces.sizes[i];
            ends[first + i] = end;
        }
    }
    return STOA_OK;
}

/* The same for rows one after the other, which a dictionary scatters. */
static stoa_status read_entries(const stoa_segment *segment, uint32_t first, uint32_t count,
                                int32_t *ends, stoa_buffer *bytes, stoa_error *err) {
    uint32_t rows[BLOCK];
    for (uint32_t done = 0; done < count; done += BLOCK) {
        const uint32_t here = count - done < BLOCK ? count - done : BLOCK;
        for (uint32_t i = 0; i < here; i++) {
            rows[i] = first + done + i;
        }
        STOA_TRY(take_texts(segment, rows, here, ends + done, bytes, err));
    }
    return STOA_OK;
}

stoa_status stoa_segment_texts(const stoa_segment *segment, const uint32_t *rows, uint32_t first,
                               int64_t count, stoa_buffer *offsets, stoa_buffer *bytes,
                               stoa_error *err) {
    const size_t size = (size_t)count * sizeof(int32_t);
    STOA_ASSERT(offsets->size >= sizeof(int32_t));
    STOA_TRY(stoa_buffer_reserve(offsets, size, err));
    int32_t *ends = (int32_t *)(void *)(offsets->data + offsets->size);
    if (rows != NULL) {
        STOA_TRY(take_texts(segment, rows, count, ends, bytes, err));
    } else if (stoa_segment_is_frames(segment)) {
        STOA_TRY(read_texts(segment, first, (uint32_t)count, ends, bytes, err));
    } else {
        STOA_TRY(read_entries(segment, first, (uint32_t)count, ends, bytes, err));
    }
    offsets->size += size;
    return STOA_OK;
}
