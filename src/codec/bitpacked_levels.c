/* The size of all levels is checked once, at the start. */
#include "codec/bitpacked_levels.h"

#include "base/checked.h"
#include "codec/bitpack_kernel.h"

enum { WIDTH_MAX = 8 };

stoa_status stoa_bitpacked_levels_init(stoa_bitpacked_levels *levels, const uint8_t *bytes,
                                       size_t size, int width, size_t count, size_t *out_used,
                                       stoa_error *err) {
    STOA_ASSERT(width >= 0 && width <= WIDTH_MAX);
    size_t bits;
    if (!stoa_mul_size(count, (size_t)width, &bits) || bits / 8 + (bits % 8 != 0) > size) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte 0: expected %zu levels of %d bits but found %zu "
                         "bytes",
                         count, width, size);
    }
    *levels = (stoa_bitpacked_levels){.bytes = bytes, .width = width, .count = count};
    *out_used = bits / 8 + (bits % 8 != 0);
    return STOA_OK;
}

static stoa_status check(const stoa_bitpacked_levels *levels, size_t count, stoa_error *err) {
    const size_t left = levels->count - levels->position;
    if (count <= left) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_CORRUPT, "byte %zu: expected %zu more levels but found %zu",
                     levels->position * (size_t)levels->width / 8, count, left);
}

stoa_status stoa_bitpacked_levels_read_u8(stoa_bitpacked_levels *levels, uint8_t *out, size_t count,
                                          stoa_error *err) {
    STOA_TRY(check(levels, count, err));
    stoa_bitunpack_reversed_u8(levels->bytes, levels->position, count, levels->width, out);
    levels->position += count;
    return STOA_OK;
}

stoa_status stoa_bitpacked_levels_skip(stoa_bitpacked_levels *levels, size_t count,
                                       stoa_error *err) {
    STOA_TRY(check(levels, count, err));
    levels->position += count;
    return STOA_OK;
}
