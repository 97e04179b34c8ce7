/* Both encoders look at one aligned group of eight at a time. A group that is all one value starts a
 * run, which ends where the value changes; everything between runs is packed. Since runs start only
 * where a group starts, only the last literals of the input are ever filled up with zeros. */
#include "codec/rle.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "codec/bitpack_kernel.h"

/* Literals between two headers: one header for at most this many groups keeps every header within
 * three bytes, and decoders that buffer a whole run within reason. */
enum { GROUPS_MAX = 8192, GROUP = 8, U8_CHUNK = 512 };

size_t stoa_rle_bytes_max(size_t count, int width) {
    size_t groups = (count + GROUP - 1) / GROUP;
    /* Worst are runs of eight between single groups: a header of at most five bytes and a value for
     * each group of eight, or a header and the packed group. */
    return groups * (size_t)(width > 4 ? width + 3 : 8) + 16;
}

static inline size_t put_run(uint8_t *out, uint32_t value, size_t count, int width) {
    size_t size = stoa_store_varint(out, (uint64_t)count << 1);
    for (int bit = 0; bit < width; bit += 8) {
        out[size++] = (uint8_t)(value >> bit);
    }
    return size;
}

static inline bool group_repeats_u32(const uint32_t *values) {
    uint32_t differ = 0;
    for (int i = 1; i < GROUP; i++) {
        differ |= values[i] ^ values[0];
    }
    return differ == 0;
}

static size_t put_literals_u32(uint8_t *out, const uint32_t *values, size_t count, int width) {
    size_t size = 0;
    size_t groups = (count + GROUP - 1) / GROUP;
    while (groups > 0) {
        const size_t now = groups > GROUPS_MAX ? GROUPS_MAX : groups;
        const size_t whole = now * GROUP <= count ? now : now - 1;
        size += stoa_store_varint(out + size, (uint64_t)now << 1 | 1);
        stoa_bitpack_u32(values, whole * GROUP, width, out + size);
        size += whole * (size_t)width;
        values += whole * GROUP;
        count -= whole * GROUP;
        if (whole < now) {
            uint32_t last[GROUP] = {0};
            memcpy(last, values, count * sizeof *last);
            stoa_bitpack_u32(last, GROUP, width, out + size);
            size += (size_t)width;
        }
        groups -= now;
    }
    return size;
}

size_t stoa_rle_encode_u32(const uint32_t *values, size_t count, int width, uint8_t *out) {
    STOA_ASSERT(width >= 0 && width <= 32);
    size_t size = 0;
    size_t literals = 0; /* where the literals that wait begin */
    size_t at = 0;
    while (at + GROUP <= count) {
        if (!group_repeats_u32(values + at)) {
            at += GROUP;
            continue;
        }
        size_t end = at + GROUP;
        while (end < count && values[end] == values[at]) {
            end++;
        }
        size += put_literals_u32(out + size, values + literals, at - literals, width);
        size += put_run(out + size, values[at], end - at, width);
        at = end;
        literals = end;
    }
    return size + put_literals_u32(out + size, values + literals, count - literals, width);
}

static size_t put_literals_u8(uint8_t *out, const uint8_t *values, size_t count, int width) {
    size_t size = 0;
    size_t groups = (count + GROUP - 1) / GROUP;
    while (groups > 0) {
        size_t now = groups > GROUPS_MAX ? GROUPS_MAX : groups;
        groups -= now;
        size += stoa_store_varint(out + size, (uint64_t)now << 1 | 1);
        while (now > 0) {
            uint32_t wide[U8_CHUNK] = {0};
            size_t take = now < U8_CHUNK / GROUP ? now : U8_CHUNK / GROUP;
            size_t have = count < take * GROUP ? count : take * GROUP;
            for (size_t i = 0; i < have; i++) {
                wide[i] = values[i];
            }
            stoa_bitpack_u32(wide, take * GROUP, width, out + size);
            size += take * (size_t)width;
            values += have;
            count -= have;
            now -= take;
        }
    }
    return size;
}

size_t stoa_rle_encode_u8(const uint8_t *values, size_t count, int width, uint8_t *out) {
    STOA_ASSERT(width >= 0 && width <= 8);
    size_t size = 0;
    size_t literals = 0;
    size_t at = 0;
    while (at + GROUP <= count) {
        uint64_t pattern = UINT64_C(0x0101010101010101) * values[at];
        if (stoa_load_u64(values + at) != pattern) {
            at += GROUP;
            continue;
        }
        size_t end = at + GROUP;
        while (end + GROUP <= count && stoa_load_u64(values + end) == pattern) {
            end += GROUP;
        }
        while (end < count && values[end] == values[at]) {
            end++;
        }
        size += put_literals_u8(out + size, values + literals, at - literals, width);
        size += put_run(out + size, values[at], end - at, width);
        at = end;
        literals = end;
    }
    return size + put_literals_u8(out + size, values + literals, count - literals, width);
}

size_t stoa_rle_encode_constant(uint32_t value, size_t count, int width, uint8_t *out) {
    uint32_t group[GROUP];
    if (count < GROUP) {
        for (size_t i = 0; i < count; i++) {
            group[i] = value;
        }
        return put_literals_u32(out, group, count, width);
    }
    return put_run(out, value, count, width);
}
