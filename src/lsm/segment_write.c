/* Every encoding's size is computed from the values, and the smallest written; of equal ones the one
 * that is read faster. */
#include "base/bits.h"
#include "codec/bitpack_kernel.h"
#include "lsm/segment_writer.h"

enum { EXCEPTION_BYTES = sizeof(int64_t) + sizeof(uint32_t), SAMPLE_STEP = 16 };

/* How numbers become differences. */
struct frames {
    stoa_segment_kind kind;
    int64_t slope;
    int bits;
    size_t size; /* without the header */
    const int64_t *least;
    int64_t base; /* of a line, ordered as signed numbers are */
    bool has_exceptions;
};

static const int64_t *as_numbers(const stoa_buffer *buffer) {
    return (const int64_t *)(const void *)buffer->data;
}

/* ---- Parts ----------------------------------------------------------------------------------- */

stoa_status stoa_segment_append_filling(stoa_buffer *out, size_t begin, stoa_error *err) {
    const uint64_t zeros = 0;
    return stoa_buffer_append(out, &zeros, stoa_segment_filling(out->size - begin), err);
}

stoa_status stoa_segment_append_values(const stoa_segment_writer *writer, const int64_t *numbers,
                                       size_t count, stoa_buffer *out, stoa_error *err) {
    const size_t width = (size_t)writer->type.value_bytes;
    STOA_TRY(stoa_buffer_reserve(out, count * width, err));
    for (size_t i = 0; i < count; i++) {
        const __int128 value = numbers[i];
        memcpy(out->data + out->size, &value, width);
        out->size += width;
    }
    return STOA_OK;
}

stoa_status stoa_segment_append_packed(const stoa_segment_writer *writer, size_t count, int bits,
                                       stoa_buffer *out, stoa_error *err) {
    const size_t size = stoa_segment_packed_bytes(count, bits);
    STOA_TRY(stoa_buffer_reserve(out, size, err));
    if (bits > 0) {
        stoa_bitpack_u64((const uint64_t *)(const void *)writer->differences.data,
                         (count + 7) / 8 * 8, bits, out->data + out->size);
    }
    out->size += size;
    memset(out->data + out->size - STOA_SEGMENT_PADDING, 0, STOA_SEGMENT_PADDING);
    return STOA_OK;
}

static stoa_status append_header(const stoa_segment_writer *writer, stoa_buffer *out,
                                 stoa_error *err) {
    return stoa_buffer_append(out, &writer->header, sizeof writer->header, err);
}

/* ---- Values as numbers ----------------------------------------------------------------------- */

#define LOAD(type_name)                                                                            \
    for (uint32_t i = 0; i < count; i++) {                                                         \
        type_name value;                                                                           \
        memcpy(&value, bytes + i * sizeof value, sizeof value);                                    \
        out[i] = (int64_t)value;                                                                   \
    }                                                                                              \
    break;

static void load_numbers(stoa_segment_type type, const uint8_t *bytes, uint32_t count,
                         int64_t *out) {
    const bool is_signed = type.values == STOA_SEGMENT_SIGNED;
    switch (is_signed ? type.value_bytes : -type.value_bytes) {
    case 1: LOAD(int8_t)
    case -1: LOAD(uint8_t)
    case 2: LOAD(int16_t)
    case -2: LOAD(uint16_t)
    case 4: LOAD(int32_t)
    case -4: LOAD(uint32_t)
    case 16: LOAD(__int128)
    default: memcpy(out, bytes, count * sizeof *out); break;
    }
}

/* Integers of 16 bytes are numbers when all of them fit into 8. */
static bool fit_in_8_bytes(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        __int128 value;
        memcpy(&value, bytes + i * sizeof value, sizeof value);
        if (value != (int64_t)value) {
            return false;
        }
    }
    return true;
}

/* ---- Lines and frames ------------------------------------------------------------------------ */

/* Of two with the same size, the one that was there. */
static void consider(struct frames *best, const struct frames *other) {
    if (other->size < best->size) {
        *best = *other;
    }
}

static void consider_slope(const stoa_segment_writer *writer, const int64_t *numbers, size_t count,
                           int64_t slope, int64_t *bounds, struct frames *best) {
    const size_t frames = stoa_segment_frames(count);
    int64_t *least = bounds, *greatest = bounds + frames;
    int64_t low = INT64_MAX, high = INT64_MIN;
    uint64_t widest = 0;
    stoa_frames_bounds(numbers, count, writer->flip, slope, least, greatest);
    for (size_t i = 0; i < frames; i++) {
        const uint64_t range = (uint64_t)greatest[i] - (uint64_t)least[i];
        widest = range > widest ? range : widest;
        low = least[i] < low ? least[i] : low;
        high = greatest[i] > high ? greatest[i] : high;
    }
    const int line_bits = stoa_segment_width((uint64_t)high - (uint64_t)low);
    const int bits = stoa_segment_width(widest);
    const struct frames line = {STOA_SEGMENT_LINE,
                                slope,
                                line_bits,
                                2 * sizeof(int64_t) + stoa_segment_packed_bytes(count, line_bits),
                                least,
                                low,
                                false};
    const struct frames many = {STOA_SEGMENT_FRAMES,
                                slope,
                                bits,
                                (1 + frames) * sizeof(int64_t) +
                                    stoa_segment_packed_bytes(count, bits),
                                least,
                                0,
                                false};
    consider(best, &line);
    consider(best, &many);
}

/* Without a slope, or with that from the first number to the last. */
static stoa_status choose_frames(stoa_segment_writer *writer, const int64_t *numbers, size_t count,
                                 struct frames *out, stoa_error *err) {
    const size_t size = 2 * stoa_segment_frames(count) * sizeof(int64_t);
    stoa_buffer_clear(&writer->bounds);
    STOA_TRY(stoa_buffer_reserve(&writer->bounds, 2 * size, err));
    int64_t *bounds = (int64_t *)(void *)writer->bounds.data;
    *out = (struct frames){.size = SIZE_MAX};
    consider_slope(writer, numbers, count, 0, bounds, out);
    if (count > 1 && out->bits > 0) {
        const __int128 first = stoa_segment_ordered(writer, numbers[0]);
        const __int128 last = stoa_segment_ordered(writer, numbers[count - 1]);
        const __int128 steps = (__int128)count - 1, half = last < first ? -steps / 2 : steps / 2;
        const __int128 slope = (last - first + half) / steps;
        if (slope != 0 && slope == (int64_t)slope) {
            consider_slope(writer, numbers, count, (int64_t)slope, bounds + size / sizeof *bounds,
                           out);
        }
    }
    return STOA_OK;
}

/* Fills bases and differences. */
static stoa_status make_frames(stoa_segment_writer *writer, const int64_t *numbers, size_t count,
                               const struct frames *frames, stoa_error *err) {
    const size_t frame_count = stoa_segment_frames(count);
    const bool is_line = frames->kind == STOA_SEGMENT_LINE;
    stoa_buffer_clear(&writer->bases);
    stoa_buffer_clear(&writer->differences);
    STOA_TRY(stoa_buffer_reserve(&writer->bases, frame_count * sizeof(int64_t), err));
    STOA_TRY(stoa_buffer_reserve(&writer->differences,
                                 frame_count * STOA_FRAME_ROWS * sizeof(uint64_t), err));
    int64_t *bases = (int64_t *)(void *)writer->bases.data;
    uint64_t *differences = (uint64_t *)(void *)writer->differences.data;
    if (is_line) {
        bases[0] = (int64_t)((uint64_t)frames->base - writer->flip);
        stoa_frames_differences(numbers, count, bases[0], frames->slope, 0, differences);
    }
    for (size_t i = 0; i < frame_count && !is_line; i++) {
        const size_t first = i * STOA_FRAME_ROWS;
        const size_t rows = count - first < STOA_FRAME_ROWS ? count - first : STOA_FRAME_ROWS;
        bases[i] = (int64_t)((uint64_t)frames->least[i] - writer->flip +
                             (uint64_t)frames->slope * first);
        stoa_frames_differences(numbers + first, rows, bases[i], frames->slope, 0,
                                differences + first);
    }
    writer->bases.size = (is_line ? 1 : frame_count) * sizeof(int64_t);
    memset(differences + count, 0, (frame_count * STOA_FRAME_ROWS - count) * sizeof *differences);
    return STOA_OK;
}

/* Bits to which the differences are cut down where those that need more are exceptions. Every `step`-th is
 * looked at. */
static int cut_bits(const stoa_segment_writer *writer, int bits, size_t step, size_t *out_saved) {
    const uint64_t *differences = (const uint64_t *)(const void *)writer->differences.data;
    size_t widths[65] = {0}, looked_at = 0, beyond = 0, least;
    int best = bits;
    for (size_t i = 0; i < writer->count; i += step, looked_at++) {
        widths[stoa_segment_width(differences[i])]++;
    }
    const size_t whole = least = looked_at * (size_t)bits;
    for (int width = bits; width > 0; width--) {
        beyond += widths[width];
        const size_t cost = looked_at * (size_t)(width - 1) + beyond * 8 * EXCEPTION_BYTES;
        best = cost < least ? width - 1 : best;
        least = cost < least ? cost : least;
    }
    *out_saved = (whole - least) / 8 * step;
    return best;
}

bool stoa_segment_never_fall(const stoa_segment_writer *writer, const int64_t *numbers) {
    for (uint32_t i = 1; i < writer->count; i++) {
        if (stoa_segment_ordered(writer, numbers[i]) <
            stoa_segment_ordered(writer, numbers[i - 1])) {
            return false;
        }
    }
    return true;
}

/* Numbers that never fall are searched, and offsets walked along: neither with exceptions. */
static void drop_outliers(const stoa_segment_writer *writer, const int64_t *numbers,
                          struct frames *frames) {
    size_t saved;
    if (frames->bits < 2 || writer->type.values == STOA_SEGMENT_OFFSETS) {
        return;
    }
    (void)cut_bits(writer, frames->bits, SAMPLE_STEP, &saved);
    if (saved < frames->size / 16 || stoa_segment_never_fall(writer, numbers)) {
        return;
    }
    const int bits = cut_bits(writer, frames->bits, 1, &saved);
    if (saved > 0) {
        frames->bits = bits;
        frames->size -= saved;
        frames->has_exceptions = true;
    }
}

/* Rows whose difference does not fit, and doubles that are no whole numbers. Their differences become 0. */
static stoa_status collect_exceptions(stoa_segment_writer *writer, int bits, stoa_error *err) {
    uint64_t *differences = (uint64_t *)(void *)writer->differences.data;
    const int16_t *units = (const int16_t *)(const void *)writer->units.data;
    const int64_t *raw = as_numbers(&writer->raw);
    stoa_buffer_clear(&writer->places);
    stoa_buffer_clear(&writer->entries);
    for (uint32_t i = 0; i < writer->count; i++) {
        const bool is_wide = bits < 64 && differences[i] >> bits != 0;
        if (is_wide || (writer->units.size > 0 && units[i] == STOA_UNITS_NONE)) {
            STOA_TRY(stoa_buffer_append(&writer->places, &i, sizeof i, err));
            STOA_TRY(stoa_buffer_append(&writer->entries, &raw[i], sizeof *raw, err));
            differences[i] = 0;
        }
    }
    return STOA_OK;
}

static stoa_status append_frames(stoa_segment_writer *writer, size_t count,
                                 const struct frames *frames, stoa_buffer *out, stoa_error *err) {
    const size_t begin = out->size;
    writer->header.kind = (uint8_t)frames->kind;
    writer->header.bits = (uint8_t)frames->bits;
    writer->header.entry_count = (uint32_t)(writer->places.size / sizeof(uint32_t));
    STOA_TRY(append_header(writer, out, err));
    STOA_TRY(stoa_buffer_append(out, &frames->slope, sizeof frames->slope, err));
    STOA_TRY(stoa_buffer_append(out, writer->bases.data, writer->bases.size, err));
    if (writer->places.size > 0) {
        STOA_TRY(stoa_buffer_append(out, writer->entries.data, writer->entries.size, err));
        STOA_TRY(stoa_buffer_append(out, writer->places.data, writer->places.size, err));
        STOA_TRY(stoa_segment_append_filling(out, begin, err));
    }
    return stoa_segment_append_packed(writer, count, frames->bits, out, err);
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static stoa_status write_runs(stoa_segment_writer *writer, size_t runs, stoa_buffer *out,
                              stoa_error *err) {
    const size_t begin = out->size;
    const int64_t *numbers = as_numbers(&writer->raw);
    stoa_buffer_clear(&writer->places);
    stoa_buffer_clear(&writer->entries);
    for (uint32_t i = 1; i <= writer->count; i++) {
        if (i == writer->count || numbers[i] != numbers[i - 1]) {
            STOA_TRY(stoa_buffer_append(&writer->entries, &numbers[i - 1], sizeof *numbers, err));
            STOA_TRY(stoa_buffer_append(&writer->places, &i, sizeof i, err));
        }
    }
    writer->header = (stoa_segment_header){.kind = STOA_SEGMENT_RUNS,
                                           .count = writer->count,
                                           .entry_count = (uint32_t)runs};
    STOA_TRY(append_header(writer, out, err));
    STOA_TRY(stoa_segment_append_values(writer, as_numbers(&writer->entries), runs, out, err));
    STOA_TRY(stoa_segment_append_filling(out, begin, err));
    return stoa_buffer_append(out, writer->places.data, writer->places.size, err);
}

/* ---- Whole segments -------------------------------------------------------------------------- */

static stoa_status write_values(stoa_segment_writer *writer, stoa_segment_kind kind,
                                const void *values, size_t size, stoa_buffer *out,
                                stoa_error *err) {
    writer->header = (stoa_segment_header){.kind = (uint8_t)kind, .count = writer->count};
    STOA_TRY(append_header(writer, out, err));
    return stoa_buffer_append(out, values, size, err);
}

static stoa_status write_bits(stoa_segment_writer *writer, const uint8_t *bits, stoa_buffer *out,
                              stoa_error *err) {
    const int64_t set = stoa_bitmap_count(bits, 0, writer->count);
    if (set == 0 || set == writer->count) {
        return write_values(writer, STOA_SEGMENT_CONSTANT, &(uint8_t){set > 0}, 1, out, err);
    }
    const size_t begin = out->size + sizeof writer->header;
    STOA_TRY(
        write_values(writer, STOA_SEGMENT_PLAIN, bits, stoa_bitmap_bytes(writer->count), out, err));
    const int64_t unused = (int64_t)stoa_bitmap_bytes(writer->count) * 8 - writer->count;
    stoa_bitmap_fill(out->data + begin, writer->count, unused, false);
    return STOA_OK;
}

/* Runs and dictionaries where they are clearly smaller, for they are read more slowly; else plain values,
 * lines or frames. */
static stoa_status write_chosen(stoa_segment_writer *writer, const uint8_t *bytes,
                                const struct frames *frames, stoa_buffer *out, stoa_error *err) {
    const size_t width = (size_t)writer->type.value_bytes, plain = writer->count * width;
    const size_t runs = stoa_numbers_runs(as_numbers(&writer->raw), writer->count);
    const size_t run_bytes = runs * (width + sizeof(uint32_t)) + sizeof(uint64_t);
    const stoa_segment_header header = writer->header;
    const size_t least = frames->size < plain ? frames->size : plain;
    bool is_written;
    if (run_bytes < least - least / 4) {
        return write_runs(writer, runs, out, err);
    }
    writer->header = (stoa_segment_header){.count = writer->count};
    STOA_TRY(
        stoa_segment_write_numbers_dictionary(writer, least - least / 16, out, &is_written, err));
    if (is_written) {
        return STOA_OK;
    }
    if (plain <= frames->size) {
        return write_values(writer, STOA_SEGMENT_PLAIN, bytes, plain, out, err);
    }
    writer->header = header;
    if (frames->has_exceptions) {
        STOA_TRY(collect_exceptions(writer, frames->bits, err));
    }
    return append_frames(writer, writer->count, frames, out, err);
}

static stoa_status write_numbers(stoa_segment_writer *writer, const uint8_t *bytes,
                                 stoa_buffer *out, stoa_error *err) {
    const int64_t *numbers = as_numbers(&writer->raw);
    bool is_scaled = false, is_clipped;
    size_t exceptions = 0;
    struct frames frames;
    STOA_TRY(stoa_buffer_reserve(&writer->raw, (size_t)writer->count * sizeof *numbers, err));
    load_numbers(writer->type, bytes, writer->count, (int64_t *)(void *)writer->raw.data);
    numbers = as_numbers(&writer->raw);
    if (writer->type.values == STOA_SEGMENT_DOUBLES) {
        STOA_TRY(stoa_segment_scale_doubles(writer, &is_scaled, &exceptions, err));
        numbers = is_scaled ? as_numbers(&writer->numbers) : numbers;
    }
    STOA_TRY(choose_frames(writer, numbers, writer->count, &frames, err));
    STOA_TRY(stoa_segment_clip_outliers(writer, numbers, frames.bits, frames.size, &is_clipped,
                                        &exceptions, err));
    if (is_clipped) {
        numbers = as_numbers(&writer->numbers);
        STOA_TRY(choose_frames(writer, numbers, writer->count, &frames, err));
    }
    frames.size += exceptions * EXCEPTION_BYTES;
    frames.has_exceptions = exceptions > 0;
    STOA_TRY(make_frames(writer, numbers, writer->count, &frames, err));
    drop_outliers(writer, numbers, &frames);
    return write_chosen(writer, bytes, &frames, out, err);
}

static stoa_status write_fixed(stoa_segment_writer *writer, const uint8_t *bytes, stoa_buffer *out,
                               stoa_error *err) {
    const size_t width = (size_t)writer->type.value_bytes, size = writer->count * width;
    const bool is_number = writer->type.values != STOA_SEGMENT_FIXED && writer->count > 0;
    /* All values are equal when each is the same as the next. */
    if (writer->count > 0 && (size == width || memcmp(bytes, bytes + width, size - width) == 0)) {
        return write_values(writer, STOA_SEGMENT_CONSTANT, bytes, width, out, err);
    }
    if (!is_number || (width == 16 && !fit_in_8_bytes(bytes, writer->count))) {
        return write_values(writer, STOA_SEGMENT_PLAIN, bytes, size, out, err);
    }
    return write_numbers(writer, bytes, out, err);
}

static stoa_status write_texts(stoa_segment_writer *writer, const uint8_t *bytes,
                               const int32_t *offsets, stoa_buffer *out, stoa_error *err) {
    const size_t ends = (size_t)writer->count + 1;
    const size_t size = (size_t)(offsets[writer->count] - offsets[0]);
    struct frames frames;
    bool is_written;
    STOA_TRY(stoa_buffer_reserve(&writer->numbers, ends * sizeof(int64_t), err));
    int64_t *numbers = (int64_t *)(void *)writer->numbers.data;
    for (size_t i = 0; i < ends; i++) {
        numbers[i] = offsets[i] - offsets[0];
    }
    STOA_TRY(choose_frames(writer, numbers, ends, &frames, err));
    STOA_TRY(stoa_segment_write_texts_dictionary(writer, bytes, offsets, frames.size + size, out,
                                                 &is_written, err));
    if (is_written) {
        return STOA_OK;
    }
    writer->header = (stoa_segment_header){.count = writer->count, .value_size = (uint32_t)size};
    STOA_TRY(make_frames(writer, numbers, ends, &frames, err));
    STOA_TRY(append_frames(writer, ends, &frames, out, err));
    return size == 0 ? STOA_OK : stoa_buffer_append(out, bytes + offsets[0], size, err);
}

static stoa_status write_segment(stoa_segment_writer *writer, const void *data,
                                 const int32_t *offsets, stoa_buffer *out, stoa_error *err) {
    switch (writer->type.values) {
    case STOA_SEGMENT_BITS: return write_bits(writer, data, out, err);
    case STOA_SEGMENT_TEXTS: return write_texts(writer, data, offsets, out, err);
    default: return write_fixed(writer, data, out, err);
    }
}

/* ---- The writer ------------------------------------------------------------------------------ */

static stoa_buffer *buffers_of(stoa_segment_writer *writer, int *out_count) {
    *out_count = (int)((offsetof(stoa_segment_writer, slots) - offsetof(stoa_segment_writer, raw)) /
                       sizeof(stoa_buffer));
    return &writer->raw;
}

stoa_status stoa_segment_writer_create(stoa_pool *pool, stoa_segment_writer **out,
                                       stoa_error *err) {
    void *memory = NULL;
    int count;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_segment_writer), &memory, err));
    stoa_segment_writer *writer = memory;
    writer->pool = pool;
    stoa_buffer *buffers = buffers_of(writer, &count);
    for (int i = 0; i < count; i++) {
        stoa_buffer_init(&buffers[i], pool);
    }
    *out = writer;
    return STOA_OK;
}

void stoa_segment_writer_close(stoa_segment_writer *writer) {
    int count;
    if (writer == NULL) {
        return;
    }
    stoa_buffer *buffers = buffers_of(writer, &count);
    for (int i = 0; i < count; i++) {
        stoa_buffer_release(&buffers[i]);
    }
    stoa_pool_free(writer->pool, writer, sizeof *writer);
}

stoa_status stoa_segment_write(stoa_segment_writer *writer, stoa_segment_type type,
                               const void *data, const int32_t *offsets, int64_t count,
                               stoa_buffer *out, stoa_error *err) {
    const size_t begin = out->size;
    if (count >= INT32_MAX) {
        return stoa_fail(err, STOA_LIMIT, "expected fewer than 2^31 values in a segment");
    }
    writer->type = type;
    writer->count = (uint32_t)count;
    writer->flip = type.values == STOA_SEGMENT_UNSIGNED ? UINT64_C(1) << 63 : 0;
    writer->header = (stoa_segment_header){.count = (uint32_t)count};
    stoa_buffer_clear(&writer->units);
    stoa_buffer_clear(&writer->places);
    const stoa_status status = write_segment(writer, data, offsets, out, err);
    if (status != STOA_OK) {
        out->size = begin;
    }
    return status;
}
