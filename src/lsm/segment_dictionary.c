/* Dictionaries: different values in growing order, and for each row the place of its value among them. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "lsm/segment_writer.h"

enum { TRIAL = 512, NO_SLOT = UINT16_MAX };

struct text {
    const uint8_t *bytes;
    size_t size;
    uint16_t place; /* among the first appearances */
};

/* A number of a dictionary while the entries are sorted. */
struct entry {
    int64_t ordered;
    uint16_t place;
};

static int compare_texts(const void *left, const void *right) {
    const struct text *a = left, *b = right;
    return stoa_bytes_compare(a->bytes, a->size, b->bytes, b->size);
}

static int compare_entries(const void *left, const void *right) {
    const struct entry *a = left, *b = right;
    return (a->ordered > b->ordered) - (a->ordered < b->ordered);
}

static size_t codes_size(const stoa_segment_writer *writer, size_t entry_count) {
    return stoa_segment_packed_bytes(writer->count,
                                     stoa_segment_width(entry_count > 0 ? entry_count - 1 : 0));
}

/* Codes of first appearances become those of the sorted entries, which the slots say: the table is no
 * longer needed. */
static stoa_status append_codes(stoa_segment_writer *writer, size_t begin, stoa_buffer *out,
                                stoa_error *err) {
    const size_t bytes = stoa_segment_frames(writer->count) * STOA_FRAME_ROWS * sizeof(uint64_t);
    const uint16_t *codes = (const uint16_t *)(const void *)writer->codes.data;
    stoa_buffer_clear(&writer->differences);
    STOA_TRY(stoa_buffer_reserve(&writer->differences, bytes, err));
    uint64_t *packed = (uint64_t *)(void *)writer->differences.data;
    for (uint32_t i = 0; i < writer->count; i++) {
        packed[i] = writer->slots[codes[i]];
    }
    memset(packed + writer->count, 0, bytes - writer->count * sizeof *packed);
    STOA_TRY(stoa_segment_append_filling(out, begin, err));
    return stoa_segment_append_packed(writer, writer->count, writer->header.bits, out, err);
}

static void set_header(stoa_segment_writer *writer, size_t entry_count) {
    writer->header.kind = STOA_SEGMENT_DICTIONARY;
    writer->header.entry_count = (uint32_t)entry_count;
    writer->header.bits = (uint8_t)stoa_segment_width(entry_count - 1);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* The slot of a number among those that were found: its own, or an empty one. */
static size_t number_slot(const stoa_segment_writer *writer, const int64_t *entries,
                          int64_t number) {
    size_t slot = stoa_hash_u64((uint64_t)number) % STOA_SEGMENT_SLOTS;
    while (writer->slots[slot] != NO_SLOT && entries[writer->slots[slot]] != number) {
        slot = (slot + 1) % STOA_SEGMENT_SLOTS;
    }
    return slot;
}

static bool find_number(stoa_segment_writer *writer, int64_t *entries, size_t *found, size_t most,
                        int64_t number, uint16_t *out_code) {
    const size_t slot = number_slot(writer, entries, number);
    if (writer->slots[slot] == NO_SLOT) {
        if (*found == most) {
            return false;
        }
        writer->slots[slot] = (uint16_t)*found;
        entries[(*found)++] = number;
    }
    *out_code = writer->slots[slot];
    return true;
}

/* Some of the numbers tell whether they hardly repeat, or are so many that a dictionary is too large. */
static bool is_hopeless(stoa_segment_writer *writer, const int64_t *numbers, int64_t *entries,
                        size_t limit) {
    const uint32_t taken = writer->count < TRIAL ? writer->count : TRIAL;
    size_t found = 0;
    uint16_t code;
    memset(writer->slots, 0xFF, sizeof writer->slots);
    for (uint32_t i = 0; i < taken; i++) {
        (void)find_number(writer, entries, &found, TRIAL,
                          numbers[(uint64_t)i * writer->count / taken], &code);
    }
    return (writer->count >= 4 * TRIAL && found > TRIAL / 4 * 3) ||
           found * (size_t)writer->type.value_bytes + codes_size(writer, found) >= limit;
}

/* Different numbers in the order of their first appearance and the code of each value, or false when
 * there are too many for a dictionary below the limit. */
static stoa_status collect_numbers(stoa_segment_writer *writer, size_t limit, bool *out_found,
                                   stoa_error *err) {
    const int64_t *numbers = (const int64_t *)(const void *)writer->raw.data;
    const size_t worth = limit / (size_t)writer->type.value_bytes;
    const size_t most = worth < STOA_SEGMENT_ENTRIES_MAX ? worth : STOA_SEGMENT_ENTRIES_MAX;
    size_t found = 0;
    *out_found = false;
    stoa_buffer_clear(&writer->entries);
    STOA_TRY(stoa_buffer_reserve(&writer->entries, (most + TRIAL) * sizeof(int64_t), err));
    STOA_TRY(stoa_buffer_reserve(&writer->codes, writer->count * sizeof(uint16_t), err));
    int64_t *entries = (int64_t *)(void *)writer->entries.data;
    uint16_t *codes = (uint16_t *)(void *)writer->codes.data;
    if (is_hopeless(writer, numbers, entries, limit)) {
        return STOA_OK;
    }
    memset(writer->slots, 0xFF, sizeof writer->slots);
    for (uint32_t i = 0; i < writer->count; i++) {
        if (!find_number(writer, entries, &found, most, numbers[i], &codes[i])) {
            return STOA_OK;
        }
    }
    writer->entries.size = found * sizeof *entries;
    *out_found = true;
    return STOA_OK;
}

static stoa_status append_numbers(stoa_segment_writer *writer, stoa_buffer *out, stoa_error *err) {
    const size_t begin = out->size;
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
    set_header(writer, entry_count);
    STOA_TRY(stoa_buffer_append(out, &writer->header, sizeof writer->header, err));
    STOA_TRY(stoa_segment_append_values(writer, entries, entry_count, out, err));
    return append_codes(writer, begin, out, err);
}

stoa_status stoa_segment_write_numbers_dictionary(stoa_segment_writer *writer, size_t limit,
                                                  stoa_buffer *out, bool *out_written,
                                                  stoa_error *err) {
    *out_written = false;
    STOA_TRY(collect_numbers(writer, limit, out_written, err));
    if (!*out_written) {
        return STOA_OK;
    }
    const size_t entry_count = writer->entries.size / sizeof(int64_t);
    const size_t values = entry_count * (size_t)writer->type.value_bytes;
    *out_written = values + stoa_segment_filling(values) + codes_size(writer, entry_count) < limit;
    return *out_written ? append_numbers(writer, out, err) : STOA_OK;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

/* The same for texts; `out_size` is what the entries take with their offsets. */
static stoa_status collect_texts(stoa_segment_writer *writer, const uint8_t *bytes,
                                 const int32_t *offsets, size_t limit, size_t *out_size,
                                 stoa_error *err) {
    size_t found = 0, size = sizeof(uint32_t);
    stoa_buffer_clear(&writer->entries);
    STOA_TRY(
        stoa_buffer_reserve(&writer->entries, STOA_SEGMENT_ENTRIES_MAX * sizeof(struct text), err));
    STOA_TRY(stoa_buffer_reserve(&writer->codes, writer->count * sizeof(uint16_t), err));
    struct text *entries = (struct text *)(void *)writer->entries.data;
    uint16_t *codes = (uint16_t *)(void *)writer->codes.data;
    *out_size = SIZE_MAX / 2;
    memset(writer->slots, 0xFF, sizeof writer->slots);
    for (uint32_t i = 0; i < writer->count; i++) {
        const struct text text = {bytes + offsets[i], (size_t)(offsets[i + 1] - offsets[i]),
                                  (uint16_t)found};
        size_t slot = stoa_hash64(text.bytes, text.size) % STOA_SEGMENT_SLOTS;
        while (writer->slots[slot] != NO_SLOT &&
               compare_texts(&entries[writer->slots[slot]], &text) != 0) {
            slot = (slot + 1) % STOA_SEGMENT_SLOTS;
        }
        if (writer->slots[slot] == NO_SLOT) {
            size += text.size + sizeof(uint32_t);
            if (found == STOA_SEGMENT_ENTRIES_MAX || size > limit) {
                return STOA_OK;
            }
            writer->slots[slot] = (uint16_t)found;
            entries[found++] = text;
        }
        codes[i] = writer->slots[slot];
    }
    writer->entries.size = found * sizeof *entries;
    *out_size = size;
    return STOA_OK;
}

static stoa_status append_texts(stoa_segment_writer *writer, stoa_buffer *out, stoa_error *err) {
    const size_t begin = out->size;
    struct text *entries = (struct text *)(void *)writer->entries.data;
    const size_t entry_count = writer->entries.size / sizeof *entries;
    uint32_t end = 0;
    qsort(entries, entry_count, sizeof *entries, compare_texts);
    for (size_t i = 0; i < entry_count; i++) {
        writer->slots[entries[i].place] = (uint16_t)i;
        writer->header.value_size += (uint32_t)entries[i].size;
    }
    set_header(writer, entry_count);
    STOA_TRY(stoa_buffer_append(out, &writer->header, sizeof writer->header, err));
    STOA_TRY(stoa_buffer_append(out, &end, sizeof end, err));
    for (size_t i = 0; i < entry_count; i++) {
        end += (uint32_t)entries[i].size;
        STOA_TRY(stoa_buffer_append(out, &end, sizeof end, err));
    }
    for (size_t i = 0; i < entry_count; i++) {
        STOA_TRY(stoa_buffer_append(out, entries[i].bytes, entries[i].size, err));
    }
    return append_codes(writer, begin, out, err);
}

stoa_status stoa_segment_write_texts_dictionary(stoa_segment_writer *writer, const uint8_t *bytes,
                                                const int32_t *offsets, size_t limit,
                                                stoa_buffer *out, bool *out_written,
                                                stoa_error *err) {
    size_t size;
    *out_written = false;
    if (writer->count == 0) {
        return STOA_OK;
    }
    STOA_TRY(collect_texts(writer, bytes, offsets, limit, &size, err));
    const size_t entry_count = writer->entries.size / sizeof(struct text);
    *out_written = size + stoa_segment_filling(size) + codes_size(writer, entry_count) < limit;
    return *out_written ? append_texts(writer, out, err) : STOA_OK;
}
