/* Validation's loops. Each asks the cheap question for a whole block first, in a form that compiles
 * to vector instructions, and looks at single values only where the answer is bad: data is right
 * nearly always. */
#include "schema/validate_kernel.h"

#include <stdbool.h>
#include <string.h>

#include "base/bits.h"
#include "base/error.h"
#include "base/utf8.h"

enum { BLOCK = 1024 };

static bool is_valid(struct stoa_validity validity, int64_t index) {
    return validity.bits == NULL || stoa_bit_get(validity.bits, validity.offset + index);
}

#define DEFINE_FIRST(name, type, parameters, wrong)                                                \
    int64_t name parameters {                                                                      \
        for (int64_t start = 0; start < count; start += BLOCK) {                                   \
            int64_t end = count - start < BLOCK ? count : start + BLOCK;                           \
            unsigned bad = 0;                                                                      \
            for (int64_t i = start; i < end; i++) {                                                \
                type value = values[i];                                                            \
                bad |= (unsigned)(wrong);                                                          \
            }                                                                                      \
            for (int64_t i = start; bad != 0 && i < end; i++) {                                    \
                type value = values[i];                                                            \
                if ((wrong) && is_valid(validity, i)) {                                            \
                    return i;                                                                      \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        return -1;                                                                                 \
    }

DEFINE_FIRST(stoa_kernel_outside_i32, int32_t,
             (const int32_t *values, int64_t count, struct stoa_validity validity, int32_t low,
              int32_t high),
             (value < low) | (value > high))
DEFINE_FIRST(stoa_kernel_outside_i64, int64_t,
             (const int64_t *values, int64_t count, struct stoa_validity validity, int64_t low,
              int64_t high),
             (value < low) | (value > high))
DEFINE_FIRST(stoa_kernel_fraction_i64, int64_t,
             (const int64_t *values, int64_t count, struct stoa_validity validity, int64_t unit),
             value % unit != 0)

/* Of 32 bytes only those fit whose upper half repeats the sign of the lower. */
static bool decimal_read(const uint8_t *bytes, int32_t width, __int128 *out) {
    int32_t narrow;
    int64_t wide;
    __int128 high;
    switch (width) {
    case 4:
        memcpy(&narrow, bytes, sizeof narrow);
        *out = narrow;
        return true;
    case 8:
        memcpy(&wide, bytes, sizeof wide);
        *out = wide;
        return true;
    case 32:
        memcpy(out, bytes, sizeof *out);
        memcpy(&high, bytes + sizeof *out, sizeof high);
        return high == (*out < 0 ? -1 : 0);
    default: memcpy(out, bytes, sizeof *out); return true;
    }
}

int64_t stoa_kernel_decimal(const void *values, int32_t width, int64_t count,
                            struct stoa_validity validity, __int128 limit) {
    STOA_ASSERT(width == 4 || width == 8 || width == 16 || width == 32);
    const uint8_t *bytes = values;
    for (int64_t i = 0; i < count; i++) {
        __int128 value;
        bool fits = decimal_read(bytes + (size_t)i * (size_t)width, width, &value);
        if ((!fits || value > limit || value < -limit) && is_valid(validity, i)) {
            return i;
        }
    }
    return -1;
}

#define DEFINE_OFFSETS(name, type)                                                                 \
    int64_t name(const type *offsets, int64_t count) {                                             \
        unsigned bad = 0;                                                                          \
        for (int64_t i = 0; i < count; i++) {                                                      \
            bad |= (unsigned)(offsets[i + 1] < offsets[i]);                                        \
        }                                                                                          \
        for (int64_t i = 0; bad != 0 && i < count; i++) {                                          \
            if (offsets[i + 1] < offsets[i]) {                                                     \
                return i;                                                                          \
            }                                                                                      \
        }                                                                                          \
        return -1;                                                                                 \
    }

DEFINE_OFFSETS(stoa_kernel_offsets_i32, int32_t)
DEFINE_OFFSETS(stoa_kernel_offsets_i64, int64_t)

/* All bytes are looked at as one text; then each string is right exactly when none begins inside a
 * character. Only when that fails is each string asked, for the wrong bytes may be a null's. */
#define DEFINE_UTF8(name, type)                                                                    \
    int64_t name(const type *offsets, const uint8_t *bytes, int64_t count,                         \
                 struct stoa_validity validity) {                                                  \
        type first = offsets[0];                                                                   \
        size_t total = (size_t)(offsets[count] - first);                                           \
        if (total == 0) {                                                                          \
            return -1;                                                                             \
        }                                                                                          \
        unsigned inside = 0;                                                                       \
        for (int64_t i = 0; i < count; i++) {                                                      \
            type at = offsets[i] < offsets[count] ? offsets[i] : first;                            \
            inside |= (unsigned)((bytes[at] & 0xC0) == 0x80);                                      \
        }                                                                                          \
        if (inside == 0 && stoa_utf8_valid(bytes + first, total, NULL)) {                          \
            return -1;                                                                             \
        }                                                                                          \
        for (int64_t i = 0; i < count; i++) {                                                      \
            if (!stoa_utf8_valid(bytes + offsets[i], (size_t)(offsets[i + 1] - offsets[i]),        \
                                 NULL) &&                                                          \
                is_valid(validity, i)) {                                                           \
                return i;                                                                          \
            }                                                                                      \
        }                                                                                          \
        return -1;                                                                                 \
    }

DEFINE_UTF8(stoa_kernel_utf8_i32, int32_t)
DEFINE_UTF8(stoa_kernel_utf8_i64, int64_t)

int64_t stoa_kernel_next_bit(int64_t start, int64_t count, struct stoa_validity validity,
                             int value) {
    uint8_t skip = value ? 0x00 : 0xFF;
    int64_t i = start;
    while (i < count) {
        int64_t bit = validity.offset + i;
        if ((bit & 7) == 0 && count - i >= 8 && validity.bits[bit >> 3] == skip) {
            i += 8;
        } else if (stoa_bit_get(validity.bits, bit) == (value != 0)) {
            return i;
        } else {
            i++;
        }
    }
    return count;
}

int64_t stoa_kernel_null(int64_t count, struct stoa_validity validity) {
    int64_t found = stoa_kernel_next_bit(0, count, validity, 0);
    return found == count ? -1 : found;
}
