/* Every encoding's size is computed from the values, and the smallest written; of equal ones the one
 * that is read faster. */
#include <math.h>
#include <stdlib.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "codec/bitpack_kernel.h"
#include "lsm/segment_format.h"

enum { SLOTS = 2 * STOA_SEGMENT_ENTRIES_MAX, SAMPLE = 16, TRIAL = 512, NO_SLOT = UINT16_MAX };

static const double powers[STOA_SEGMENT_SCALE_MAX + 1] = {1,   1e1, 1e2, 1e3, 1e4,
                                                          1e5, 1e6, 1e7, 1e8, 1e9};

struct stoa_segment_writer {
    stoa_pool *pool;
    stoa_segment_type type;
    uint32_t count;
    uint64_t flip; /* turns the order of the numbers into that of signed ones */
    stoa_segment_header header;
    stoa_buffer numbers; /* int64_t a value */
    stoa_buffer packed;  /* uint64_t a value: differences or codes, filled up to whole frames */
    stoa_buffer bases;   /* int64_t a frame */
    stoa_buffer entries; /* int64_t, in growing order; of texts struct text */
    stoa_buffer codes;   /* uint16_t a value: place of the first appearance */
    uint16_t slots[SLOTS];
};

struct text {
    const uint8_t *bytes;
    size_t size;
    uint16_t place; /* among the first appearances */
};

static int width_of(uint64_t max) {
    return max == 0 ? 0 : 64 - __builtin_clzll(max);
}

static const int64_t *numbers_of(const stoa_segment_writer *writer) {
    return (const int64_t *)(const void *)writer->numbers.data;
}

/* ---- Values as numbers ----------------------------------------------------------------------- */

#define LOAD(type_name)                                                                            \
    for (uint32_t i = 0; i < count; i++) {                                                         \
        type_name value;                                                                           \
        memcpy(&value, bytes + i * sizeof value, sizeof value);                                    \
        out[i] = (int64_t)value;                                                                   \
    }

static void load_numbers(stoa_segment_type type, const uint8_t *bytes, uint32_t count,
                         int64_t *out) {
    const bool is_signed = type.values == STOA_SEGMENT_SIGNED;
    switch (type.value_bytes) {
    case 1:
        if (is_signed) {
            LOAD(int8_t)
        } else {
            LOAD(uint8_t)
        }
        break;
    case 2:
        if (is_signed) {
            LOAD(int16_t)
        } else {
            LOAD(uint16_t)
        }
        break;
    case 4:
        if (is_signed) {
            LOAD(int32_t)
        } else {
            LOAD(uint32_t)
        }
        break;
    case 16: LOAD(__int128) break;
    default: LOAD(int64_t) break;
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

/* The whole number that stands for a double, when dividing it gives back the same bits. */
static bool scale_double(double value, double power, int64_t *out) {
    const double product = value * power;
    if (!(fabs(product) < 0x1p53)) {
        return false;
    }
    *out = llrint(product);
    const double back = (double)*out / power;
    return memcmp(&back, &value, sizeof back) == 0;
}

/* Doubles that were decimal fractions, as prices are, become whole numbers. */
static bool scale_doubles(stoa_segment_writer *writer, const uint8_t *bytes, int64_t *out) {
    const uint32_t step = writer->count < SAMPLE ? 1 : writer->count / SAMPLE;
    int exponent = 0;
    for (uint32_t i = 0; i < writer->count; i += step) {
        double value;
        memcpy(&value, bytes + i * sizeof value, sizeof value);
        while (!scale_double(value, powers[exponent], out)) {
            if (++exponent > STOA_SEGMENT_SCALE_MAX) {
                return false;
            }
        }
    }
    for (; exponent <= STOA_SEGMENT_SCALE_MAX; exponent++) {
        uint32_t i = 0;
        for (; i < writer->count; i++) {
            double value;
            memcpy(&value, bytes + i * sizeof value, sizeof value);
            if (!scale_double(value, powers[exponent], &out[i])) {
                break;
            }
        }
        if (i == writer->count) {
            writer->header.scale = (uint8_t)(1 + exponent);
            return true;
        }
    }
    return false;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

/* Fills bases and differences; the bits of the widest difference are returned. */
static stoa_status make_frames(stoa_segment_writer *writer, const int64_t *numbers, size_t count,
                               int *out_bits, stoa_error *err) {
    const size_t frames = stoa_segment_frames(count);
    uint64_t widest = 0;
    stoa_buffer_clear(&writer->bases);
    stoa_buffer_clear(&writer->packed);
    STOA_TRY(stoa_buffer_reserve(&writer->bases, frames * sizeof(int64_t), err));
    STOA_TRY(
        stoa_buffer_reserve(&writer->packed, frames * STOA_SEGMENT_FRAME * sizeof(uint64_t), err));
    int64_t *bases = (int64_t *)(void *)writer->bases.data;
    uint64_t *packed = (uint64_t *)(void *)writer->packed.data;
    for (size_t frame = 0; frame < frames; frame++) {
        const size_t first = frame * STOA_SEGMENT_FRAME;
        const size_t rows = count - first < STOA_SEGMENT_FRAME ? count - first : STOA_SEGMENT_FRAME;
        int64_t least = INT64_MAX;
        for (size_t i = 0; i < rows; i++) {
            const int64_t ordered = (int64_t)((uint64_t)numbers[first + i] ^ writer->flip);
            least = ordered < least ? ordered : least;
        }
        bases[frame] = (int64_t)((uint64_t)least ^ writer->flip);
        memset(packed + first, 0, STOA_SEGMENT_FRAME * sizeof *packed);
        for (size_t i = 0; i < rows; i++) {
            packed[first + i] = (uint64_t)numbers[first + i] - (uint64_t)bases[frame];
            widest |= packed[first + i];
        }
    }
    writer->bases.size = frames * sizeof(int64_t);
    writer->packed.size = frames * STOA_SEGMENT_FRAME * sizeof(uint64_t);
    *out_bits = width_of(widest);
    return STOA_OK;
}

static stoa_status append_packed(const stoa_segment_writer *writer, size_t count, int bits,
                                 stoa_buffer *out, stoa_error *err) {
    const size_t size = stoa_segment_packed_bytes(count, bits);
    STOA_TRY(stoa_buffer_reserve(out, size, err));
    memset(out->data + out->size, 0, size);
    if (bits > 0) {
        stoa_bitpack_u64((const uint64_t *)(const void *)writer->packed.data, (count + 7) / 8 * 8,
                         bits, out->data + out->size);
    }
    out->size += size;
    return STOA_OK;
}

/* ---- Dictionaries ---------------------------------------------------------------------------- */

static int compare_texts(const void *left, const void *right) {
    const struct text *a = left, *b = right;
    return stoa_bytes_compare(a->bytes, a->size, b->bytes, b->size);
}

/* The slot of a number among those that were found: its own, or an empty one. */
static size_t number_slot(const stoa_segment_writer *writer, const int64_t *entries,
                          int64_t number) {
    size_t slot = stoa_hash_u64((uint64_t)number) % SLOTS;
    while (writer->slots[slot] != NO_SLOT && entries[writer->slots[slot]] != number) {
        slot = (slot + 1) % SLOTS;
    }
    return slot;
}

/* Numbers that hardly repeat are not worth a dictionary; some of them tell. */
static bool hardly_repeat(stoa_segment_writer *writer, const int64_t *numbers, int64_t *entries) {
    size_t found = 0;
    if (writer->count < 4 * TRIAL) {
        return false;
    }
    memset(writer->slots, 0xFF, sizeof writer->slots);
    for (uint32_t i = 0; i < TRIAL; i++) {
        const int64_t number = numbers[(uint64_t)i * writer->count / TRIAL];
        const size_t slot = number_slot(writer, entries, number);
        if (writer->slots[slot] == NO_SLOT) {
            writer->slots[slot] = (uint16_t)found;
            entries[found++] = number;
        }
    }
    return found > TRIAL / 4 * 3;
}

/* Different numbers in the order of their first appearance and the code of each value, or false when
 * there are too many for a dictionary of `worth` bytes to be smaller. */
static stoa_status collect_numbers(stoa_segment_writer *writer, size_t worth, bool *out_found,
                                   stoa_error *err) {
    const int64_t *numbers = numbers_of(writer);
    const size_t most = worth / sizeof(int64_t) < STOA_SEGMENT_ENTRIES_MAX
                            ? worth / sizeof(int64_t)
                            : STOA_SEGMENT_ENTRIES_MAX;
    size_t found = 0;
    *out_found = false;
    stoa_buffer_clear(&writer->entries);
    STOA_TRY(stoa_buffer_reserve(&writer->entries, (most + TRIAL) * sizeof(int64_t), err));
    STOA_TRY(stoa_buffer_reserve(&writer->codes, writer->count * sizeof(uint16_t), err));
    int64_t *entries = (int64_t *)(void *)writer->entries.data;
    uint16_t *codes = (uint16_t *)(void *)writer->codes.data;
    if (hardly_repeat(writer, numbers, entries)) {
        return STOA_OK;
    }
    memset(writer->slots, 0xFF, sizeof writer->slots);
    for (uint32_t i = 0; i < writer->count; i++) {
        const size_t slot = number_slot(writer, entries, numbers[i]);
        if (writer->slots[slot] == NO_SLOT) {
            if (found == most) {
                return STOA_OK;
            }
            writer->slots[slot] = (uint16_t)found;
            entries[found++] = numbers[i];
        }
        codes[i] = writer->slots[slot];
    }
    writer->entries.size = found * sizeof(int64_t);
    *out_found = true;
    return STOA_OK;
}

/* A number of a dictionary while the entries are sorted. */
struct entry {
    int64_t ordered;
    uint16_t place; /* among the first appearances */
};

static int compare_entries(const void *left, const void *right) {
    const struct entry *a = left, *b = right;
    return (a->ordered > b->ordered) - (a->ordered < b->ordered);
}

/* Codes of first appearances become those of the sorted entries, which the slots say: the table is no
 * longer needed. */
static stoa_status pack_codes(stoa_segment_writer *writer, stoa_error *err) {
    const size_t bytes = stoa_segment_frames(writer->count) * STOA_SEGMENT_FRAME * sizeof(uint64_t);
    const uint16_t *codes = (const uint16_t *)(const void *)writer->codes.data;
    stoa_buffer_clear(&writer->packed);
    STOA_TRY(stoa_buffer_reserve(&writer->packed, bytes, err));
    uint64_t *packed = (uint64_t *)(void *)writer->packed.data;
    memset(packed, 0, bytes);
    for (uint32_t i = 0; i < writer->count; i++) {
        packed[i] = writer->slots[codes[i]];
    }
    return STOA_OK;
}

static stoa_status write_number_dictionary(stoa_segment_writer *writer, stoa_buffer *out,
                                           stoa_error *err) {
    int64_t *entries = (int64_t *)(void *)writer->entries.data;
    const size_t entry_count = writer->entries.size / sizeof *entries;
    struct entry sorted[STOA_SEGMENT_ENTRIES_MAX];
    for (size_t i = 0; i < entry_count; i++) {
        sorted[i] = (struct entry){(int64_t)((uint64_t)entries[i] ^ writer->flip), (uint16_t)i};
    }
    qsort(sorted, entry_count, sizeof *sorted, compare_entries);
    for (size_t i = 0; i < entry_count; i++) {
        writer->slots[sorted[i].place] = (uint16_t)i;
        entries[i] = (int64_t)((uint64_t)sorted[i].ordered ^ writer->flip);
    }
    writer->header.kind = STOA_SEGMENT_DICTIONARY;
    writer->header.entry_count = (uint32_t)entry_count;
    writer->header.bits = (uint8_t)width_of(entry_count - 1);
    STOA_TRY(pack_codes(writer, err));
    STOA_TRY(stoa_buffer_append(out, &writer->header, sizeof writer->header, err));
    STOA_TRY(stoa_buffer_append(out, entries, writer->entries.size, err));
    return append_packed(writer, writer->count, writer->header.bits, out, err);
}

/* The same for texts; codes are those of first appearances until the entries are sorted. */
static stoa_status collect_texts(stoa_segment_writer *writer, const uint8_t *bytes,
                                 const int32_t *offsets, size_t worth, bool *out_found,
                                 stoa_error *err) {
    size_t found = 0, size = 0;
    *out_found = false;
    stoa_buffer_clear(&writer->entries);
    STOA_TRY(
        stoa_buffer_reserve(&writer->entries, STOA_SEGMENT_ENTRIES_MAX * sizeof(struct text), err));
    STOA_TRY(stoa_buffer_reserve(&writer->codes, writer->count * sizeof(uint16_t), err));
    struct text *entries = (struct text *)(void *)writer->entries.data;
    uint16_t *codes = (uint16_t *)(void *)writer->codes.data;
    memset(writer->slots, 0xFF, sizeof writer->slots);
    for (uint32_t i = 0; i < writer->count; i++) {
        const struct text text = {bytes + offsets[i], (size_t)(offsets[i + 1] - offsets[i]),
                                  (uint16_t)found};
        size_t slot = stoa_hash64(text.bytes, text.size) % SLOTS;
        while (writer->slots[slot] != NO_SLOT &&
               compare_texts(&entries[writer->slots[slot]], &text) != 0) {
            slot = (slot + 1) % SLOTS;
        }
        if (writer->slots[slot] == NO_SLOT) {
            size += text.size + sizeof(uint32_t);
            if (found == STOA_SEGMENT_ENTRIES_MAX || size > worth) {
                return STOA_OK;
            }
            writer->slots[slot] = (uint16_t)found;
            entries[found++] = text;
        }
        codes[i] = writer->slots[slot];
    }
    writer->entries.size = found * sizeof *entries;
    *out_found = true;
    return STOA_OK;
}

static stoa_status write_text_dictionary(stoa_segment_writer *writer, stoa_buffer *out,
                                         stoa_error *err) {
    struct text *entries = (struct text *)(void *)writer->entries.data;
    const size_t entry_count = writer->entries.size / sizeof *entries;
    uint32_t end = 0;
    qsort(entries, entry_count, sizeof *entries, compare_texts);
    for (size_t i = 0; i < entry_count; i++) {
        writer->slots[entries[i].place] = (uint16_t)i;
        writer->header.value_size += (uint32_t)entries[i].size;
    }
    writer->header.kind = STOA_SEGMENT_DICTIONARY;
    writer->header.entry_count = (uint32_t)entry_count;
    writer->header.bits = (uint8_t)width_of(entry_count - 1);
    STOA_TRY(pack_codes(writer, err));
    STOA_TRY(stoa_buffer_append(out, &writer->header, sizeof writer->header, err));
    STOA_TRY(stoa_buffer_append(out, &end, sizeof end, err));
    for (size_t i = 0; i < entry_count; i++) {
        end += (uint32_t)entries[i].size;
        STOA_TRY(stoa_buffer_append(out, &end, sizeof end, err));
    }
    for (size_t i = 0; i < entry_count; i++) {
        STOA_TRY(stoa_buffer_append(out, entries[i].bytes, entries[i].size, err));
    }
    return append_packed(writer, writer->count, writer->header.bits, out, err);
}

/* ---- Whole segments -------------------------------------------------------------------------- */

static stoa_status write_constant(stoa_segment_writer *writer, const void *value, size_t size,
                                  stoa_buffer *out, stoa_error *err) {
    writer->header.kind = STOA_SEGMENT_CONSTANT;
    STOA_TRY(stoa_buffer_append(out, &writer->header, sizeof writer->header, err));
    return stoa_buffer_append(out, value, size, err);
}

static stoa_status write_plain(stoa_segment_writer *writer, const void *values, size_t size,
                               stoa_buffer *out, stoa_error *err) {
    writer->header.kind = STOA_SEGMENT_PLAIN;
    writer->header.scale = 0;
    STOA_TRY(stoa_buffer_append(out, &writer->header, sizeof writer->header, err));
    return stoa_buffer_append(out, values, size, err);
}

static stoa_status write_bits(stoa_segment_writer *writer, const uint8_t *bits, stoa_buffer *out,
                              stoa_error *err) {
    const int64_t set = stoa_bitmap_count(bits, 0, writer->count);
    if (set == 0 || set == writer->count) {
        return write_constant(writer, &(uint8_t){set > 0}, 1, out, err);
    }
    const size_t begin = out->size + sizeof writer->header;
    STOA_TRY(write_plain(writer, bits, stoa_bitmap_bytes(writer->count), out, err));
    const int64_t unused = (int64_t)stoa_bitmap_bytes(writer->count) * 8 - writer->count;
    stoa_bitmap_fill(out->data + begin, writer->count, unused, false);
    return STOA_OK;
}

static stoa_status write_fixed(stoa_segment_writer *writer, const uint8_t *bytes, stoa_buffer *out,
                               stoa_error *err) {
    const size_t width = (size_t)writer->type.value_bytes, size = writer->count * width;
    /* All values are equal when each is the same as the next. */
    if (writer->count > 0 && (size == width || memcmp(bytes, bytes + width, size - width) == 0)) {
        return write_constant(writer, bytes, width, out, err);
    }
    return write_plain(writer, bytes, size, out, err);
}

static stoa_status write_numbers(stoa_segment_writer *writer, const uint8_t *bytes,
                                 stoa_buffer *out, stoa_error *err) {
    const size_t plain = writer->count * (size_t)writer->type.value_bytes;
    int bits;
    bool found;
    STOA_TRY(make_frames(writer, numbers_of(writer), writer->count, &bits, err));
    const int64_t *bases = (const int64_t *)(const void *)writer->bases.data;
    if (bits == 0 && (writer->bases.size == sizeof *bases ||
                      memcmp(bases, bases + 1, writer->bases.size - sizeof *bases) == 0)) {
        return write_constant(writer, bases, sizeof *bases, out, err);
    }
    const size_t frames = writer->bases.size + stoa_segment_packed_bytes(writer->count, bits);
    const size_t least = frames < plain ? frames : plain;
    STOA_TRY(collect_numbers(writer, least, &found, err));
    if (found) {
        const size_t entries = writer->entries.size / sizeof(int64_t);
        if (writer->entries.size + stoa_segment_packed_bytes(writer->count, width_of(entries - 1)) <
            least) {
            return write_number_dictionary(writer, out, err);
        }
    }
    if (plain <= frames) {
        return write_plain(writer, bytes, plain, out, err);
    }
    writer->header.kind = STOA_SEGMENT_FRAMES;
    writer->header.bits = (uint8_t)bits;
    STOA_TRY(stoa_buffer_append(out, &writer->header, sizeof writer->header, err));
    STOA_TRY(stoa_buffer_append(out, bases, writer->bases.size, err));
    return append_packed(writer, writer->count, bits, out, err);
}

static stoa_status write_texts(stoa_segment_writer *writer, const uint8_t *bytes,
                               const int32_t *offsets, stoa_buffer *out, stoa_error *err) {
    const size_t ends = (size_t)writer->count + 1;
    const size_t size = (size_t)(offsets[writer->count] - offsets[0]);
    int bits;
    bool found;
    STOA_TRY(stoa_buffer_reserve(&writer->numbers, ends * sizeof(int64_t), err));
    int64_t *numbers = (int64_t *)(void *)writer->numbers.data;
    for (size_t i = 0; i < ends; i++) {
        numbers[i] = offsets[i] - offsets[0];
    }
    STOA_TRY(make_frames(writer, numbers, ends, &bits, err));
    const size_t plain = writer->bases.size + stoa_segment_packed_bytes(ends, bits) + size;
    STOA_TRY(collect_texts(writer, bytes, offsets, plain, &found, err));
    if (found && writer->entries.size > 0) {
        const size_t entry_count = writer->entries.size / sizeof(struct text);
        const struct text *entries = (const struct text *)(const void *)writer->entries.data;
        size_t dictionary = (entry_count + 1) * sizeof(uint32_t) +
                            stoa_segment_packed_bytes(writer->count, width_of(entry_count - 1));
        for (size_t i = 0; i < entry_count; i++) {
            dictionary += entries[i].size;
        }
        if (dictionary < plain) {
            return write_text_dictionary(writer, out, err);
        }
    }
    writer->header.kind = STOA_SEGMENT_PLAIN;
    writer->header.bits = (uint8_t)bits;
    writer->header.value_size = (uint32_t)size;
    STOA_TRY(stoa_buffer_append(out, &writer->header, sizeof writer->header, err));
    STOA_TRY(stoa_buffer_append(out, writer->bases.data, writer->bases.size, err));
    STOA_TRY(append_packed(writer, ends, bits, out, err));
    return size == 0 ? STOA_OK : stoa_buffer_append(out, bytes + offsets[0], size, err);
}

static stoa_status write_segment(stoa_segment_writer *writer, const void *data,
                                 const int32_t *offsets, stoa_buffer *out, stoa_error *err) {
    const size_t room = (size_t)writer->count * sizeof(int64_t);
    bool is_number = writer->count > 0;
    switch (writer->type.values) {
    case STOA_SEGMENT_BITS: return write_bits(writer, data, out, err);
    case STOA_SEGMENT_FIXED: return write_fixed(writer, data, out, err);
    case STOA_SEGMENT_TEXTS: return write_texts(writer, data, offsets, out, err);
    case STOA_SEGMENT_SIGNED:
    case STOA_SEGMENT_UNSIGNED:
    case STOA_SEGMENT_OFFSETS:
    case STOA_SEGMENT_DOUBLES: break;
    }
    STOA_TRY(stoa_buffer_reserve(&writer->numbers, room, err));
    int64_t *numbers = (int64_t *)(void *)writer->numbers.data;
    if (writer->type.value_bytes == 16) {
        is_number = is_number && fit_in_8_bytes(data, writer->count);
    }
    if (!is_number) {
        return write_plain(writer, data, (size_t)writer->count * (size_t)writer->type.value_bytes,
                           out, err);
    }
    if (writer->type.values != STOA_SEGMENT_DOUBLES || !scale_doubles(writer, data, numbers)) {
        load_numbers(writer->type, data, writer->count, numbers);
    }
    return write_numbers(writer, data, out, err);
}

/* ---- The writer ------------------------------------------------------------------------------ */

stoa_status stoa_segment_writer_create(stoa_pool *pool, stoa_segment_writer **out,
                                       stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_segment_writer), &memory, err));
    stoa_segment_writer *writer = memory;
    writer->pool = pool;
    stoa_buffer_init(&writer->numbers, pool);
    stoa_buffer_init(&writer->packed, pool);
    stoa_buffer_init(&writer->bases, pool);
    stoa_buffer_init(&writer->entries, pool);
    stoa_buffer_init(&writer->codes, pool);
    *out = writer;
    return STOA_OK;
}

void stoa_segment_writer_close(stoa_segment_writer *writer) {
    if (writer == NULL) {
        return;
    }
    stoa_buffer_release(&writer->numbers);
    stoa_buffer_release(&writer->packed);
    stoa_buffer_release(&writer->bases);
    stoa_buffer_release(&writer->entries);
    stoa_buffer_release(&writer->codes);
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
    stoa_buffer_clear(&writer->numbers);
    stoa_buffer_clear(&writer->codes);
    const stoa_status status = write_segment(writer, data, offsets, out, err);
    if (status != STOA_OK) {
        out->size = begin;
    }
    return status;
}
