/* Loops of gather and append, one specialisation for each common width so that the compiler sees a
 * constant. See gather_kernel.h; the slow twins stand in tests/arrow/prop_kernels.c. */
#include "arrow/gather_kernel.h"

#include <string.h>

#include "base/bits.h"

int64_t stoa_gather_null_count(const uint8_t *validity, int64_t offset, const int64_t *indices,
                               int64_t count) {
    int64_t nulls = 0;
    if (validity == NULL) {
        for (int64_t i = 0; i < count; i++) {
            nulls += indices[i] < 0;
        }
        return nulls;
    }
    for (int64_t i = 0; i < count; i++) {
        nulls += indices[i] < 0 || !stoa_bit_get(validity, offset + indices[i]);
    }
    return nulls;
}

void stoa_gather_bits(const uint8_t *bits, int64_t offset, const int64_t *indices, int64_t count,
                      uint8_t *target, int64_t target_offset) {
    for (int64_t i = 0; i < count; i++) {
        bool value = indices[i] >= 0 && (bits == NULL || stoa_bit_get(bits, offset + indices[i]));
        stoa_bit_put(target, target_offset + i, value);
    }
}

/* Inlined with a constant width, memcpy and memset become single moves. */
static inline void gather_width(const uint8_t *values, size_t width, const int64_t *indices,
                                int64_t count, uint8_t *target) {
    for (int64_t i = 0; i < count; i++) {
        uint8_t *out = target + (size_t)i * width;
        if (indices[i] >= 0) {
            memcpy(out, values + (size_t)indices[i] * width, width);
        } else {
            memset(out, 0, width);
        }
    }
}

void stoa_gather_fixed(const uint8_t *values, size_t width, const int64_t *indices, int64_t count,
                       uint8_t *target) {
    switch (width) {
    case 0:
        return;
    case 1:
        gather_width(values, 1, indices, count, target);
        return;
    case 2:
        gather_width(values, 2, indices, count, target);
        return;
    case 4:
        gather_width(values, 4, indices, count, target);
        return;
    case 8:
        gather_width(values, 8, indices, count, target);
        return;
    case 16:
        gather_width(values, 16, indices, count, target);
        return;
    default:
        gather_width(values, width, indices, count, target);
        return;
    }
}

/* Offsets from outside may stand at any address, so they are read with memcpy. */
static inline int64_t offset_load(const void *offsets, bool wide, int64_t index) {
    if (wide) {
        int64_t value;
        memcpy(&value, (const char *)offsets + index * 8, sizeof value);
        return value;
    }
    int32_t value;
    memcpy(&value, (const char *)offsets + index * 4, sizeof value);
    return value;
}

static inline void offset_store(void *offsets, bool wide, int64_t index, int64_t value) {
    if (wide) {
        memcpy((char *)offsets + index * 8, &value, sizeof value);
    } else {
        int32_t narrow = (int32_t)value;
        memcpy((char *)offsets + index * 4, &narrow, sizeof narrow);
    }
}

static inline bool run_exists(const uint8_t *validity, int64_t validity_offset, int64_t index) {
    return index >= 0 && (validity == NULL || stoa_bit_get(validity, validity_offset + index));
}

int64_t stoa_gather_run_total(const void *offsets, bool wide, const uint8_t *validity,
                              int64_t validity_offset, const int64_t *indices, int64_t count) {
    int64_t total = 0;
    for (int64_t i = 0; i < count; i++) {
        if (run_exists(validity, validity_offset, indices[i])) {
            total += offset_load(offsets, wide, indices[i] + 1) -
                     offset_load(offsets, wide, indices[i]);
        }
    }
    return total;
}

int64_t stoa_gather_bytes(const void *offsets, bool wide, const uint8_t *validity,
                          int64_t validity_offset, const uint8_t *bytes, const int64_t *indices,
                          int64_t count, int64_t base, uint8_t *target, void *target_offsets) {
    int64_t end = base;
    for (int64_t i = 0; i < count; i++) {
        if (run_exists(validity, validity_offset, indices[i])) {
            int64_t begin = offset_load(offsets, wide, indices[i]);
            int64_t size = offset_load(offsets, wide, indices[i] + 1) - begin;
            if (size > 0) {
                memcpy(target + (end - base), bytes + begin, (size_t)size);
                end += size;
            }
        }
        offset_store(target_offsets, wide, i, end);
    }
    return end;
}

int64_t stoa_gather_items(const void *offsets, bool wide, const uint8_t *validity,
                          int64_t validity_offset, const int64_t *indices, int64_t count,
                          int64_t base, int64_t *items, void *target_offsets) {
    int64_t end = base;
    for (int64_t i = 0; i < count; i++) {
        if (run_exists(validity, validity_offset, indices[i])) {
            int64_t last = offset_load(offsets, wide, indices[i] + 1);
            for (int64_t item = offset_load(offsets, wide, indices[i]); item < last; item++) {
                items[end++ - base] = item;
            }
        }
        offset_store(target_offsets, wide, i, end);
    }
    return end;
}

void stoa_offsets_append(const void *offsets, bool wide, int64_t count, int64_t base,
                         void *target) {
    int64_t delta = base - offset_load(offsets, wide, 0);
    for (int64_t i = 0; i < count; i++) {
        offset_store(target, wide, i, offset_load(offsets, wide, i + 1) + delta);
    }
}
