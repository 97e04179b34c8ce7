/* Lengths of byte arrays come from outside; each is compared with what is left before it is used. */
#include "codec/plain.h"

#include "base/bits.h"

__extension__ typedef __int128 wide;

enum { SECONDS_A_DAY = 86400, NANOSECOND_DAYS = 106752 /* of 64 bits of nanoseconds, at most */ };
#define NANOSECONDS_A_SECOND INT64_C(1000000000)
#define JULIAN_DAY_OF_1970 INT64_C(2440588)
#define MICROSECONDS_A_DAY (SECONDS_A_DAY * INT64_C(1000000))

stoa_status stoa_plain_take_fixed(stoa_byte_reader *reader, size_t value_bytes, size_t count,
                                  const uint8_t **out, stoa_error *err) {
    STOA_ASSERT(value_bytes > 0);
    const size_t left = stoa_byte_reader_left(reader);
    if (count > left / value_bytes) {
        return stoa_fail(err, STOA_CORRUPT,
                         "byte %zu: expected %zu values of %zu bytes but found "
                         "%zu bytes",
                         reader->position, count, value_bytes, left);
    }
    *out = stoa_byte_reader_take(reader, count * value_bytes);
    return STOA_OK;
}

static stoa_status take_bytes(stoa_byte_reader *reader, stoa_bytes_view *out, stoa_error *err) {
    uint8_t length[4];
    const size_t at = reader->position;
    if (!stoa_byte_reader_get(reader, length, sizeof length)) {
        return stoa_fail(err, STOA_CORRUPT, "byte %zu: the length of a value is cut off", at);
    }
    out->size = stoa_load_u32(length);
    out->data = stoa_byte_reader_take(reader, out->size);
    if (out->data == NULL) {
        return stoa_fail(err, STOA_CORRUPT, "byte %zu: expected a value of %zu bytes but found %zu",
                         at, out->size, stoa_byte_reader_left(reader));
    }
    return STOA_OK;
}

stoa_status stoa_plain_read_bytes(stoa_byte_reader *reader, stoa_bytes_view *out, size_t count,
                                  stoa_error *err) {
    for (size_t i = 0; i < count; i++) {
        STOA_TRY(take_bytes(reader, &out[i], err));
    }
    return STOA_OK;
}

/* Blocks are copied whole, over what comes behind the value, where both sides have so much. */
__attribute__((always_inline)) static inline void copy_bytes(uint8_t *to, const uint8_t *from,
                                                             size_t size, size_t to_left,
                                                             size_t from_left) {
    enum { BLOCK = 32, BLOCKS_MAX = 256 };
    if (size <= BLOCKS_MAX && to_left >= size + BLOCK && from_left >= size + BLOCK) {
        for (size_t at = 0; at < size; at += BLOCK) {
            memcpy(to + at, from + at, BLOCK);
        }
    } else if (size > 0) {
        memcpy(to, from, size);
    }
}

stoa_status stoa_plain_gather_i32(stoa_byte_reader *reader, size_t count, int32_t offset,
                                  int32_t *ends, uint8_t *out, size_t room, size_t *out_done,
                                  stoa_error *err) {
    stoa_byte_reader at = *reader;
    size_t done = 0;
    for (; done < count; done++) {
        stoa_bytes_view value = {0};
        const size_t before = at.position;
        STOA_TRY(take_bytes(&at, &value, err));
        if (value.size > room) {
            at.position = before;
            break;
        }
        copy_bytes(out, value.data, value.size, room,
                   value.size + stoa_byte_reader_left(&at));
        out += value.size;
        room -= value.size;
        offset += (int32_t)value.size;
        ends[done] = offset;
    }
    *reader = at;
    *out_done = done;
    return STOA_OK;
}

stoa_status stoa_plain_skip_bytes(stoa_byte_reader *reader, size_t count, stoa_error *err) {
    for (size_t i = 0; i < count; i++) {
        stoa_bytes_view value;
        STOA_TRY(take_bytes(reader, &value, err));
    }
    return STOA_OK;
}

static stoa_status check_bools(const stoa_plain_bools *bools, size_t count, stoa_error *err) {
    /* A size that fits memory has a bit count that may not; bytes are compared instead. */
    const size_t begun = (8 - bools->position % 8) % 8;
    const size_t whole = bools->size - (bools->position + 7) / 8;
    if (count > begun && (count - begun - 1) / 8 + 1 > whole) {
        return stoa_fail(err, STOA_CORRUPT, "byte %zu: expected %zu booleans but found %zu bytes",
                         bools->position / 8, count, whole);
    }
    return STOA_OK;
}

stoa_status stoa_plain_read_bools(stoa_plain_bools *bools, uint8_t *bits, int64_t offset,
                                  size_t count, stoa_error *err) {
    STOA_TRY(check_bools(bools, count, err));
    stoa_bitmap_copy(bools->bytes, (int64_t)bools->position, bits, offset, (int64_t)count);
    bools->position += count;
    return STOA_OK;
}

stoa_status stoa_plain_skip_bools(stoa_plain_bools *bools, size_t count, stoa_error *err) {
    STOA_TRY(check_bools(bools, count, err));
    bools->position += count;
    return STOA_OK;
}

size_t stoa_plain_encode_bytes(const stoa_bytes_view *values, size_t count, uint8_t *out) {
    uint8_t *at = out;
    for (size_t i = 0; i < count; i++) {
        STOA_ASSERT(values[i].size <= UINT32_MAX);
        stoa_store_u32(at, (uint32_t)values[i].size);
        at += 4;
        if (values[i].size > 0) {
            memcpy(at, values[i].data, values[i].size);
            at += values[i].size;
        }
    }
    return (size_t)(at - out);
}

/* Spark counts microseconds in 64 bits and adds the Julian day of 1970 to them before it cuts days off:
 * from the year 285,428 on that overflows into negative days, and is undone by the same overflow when
 * Spark reads. Nobody else has such days. Nanoseconds since 1970. */
static wide undo_overflow(wide nanoseconds) {
    const wide all = (wide)1 << 64;
    const wide microseconds = nanoseconds / 1000 - (nanoseconds % 1000 < 0) + all;
    const bool overflowed = microseconds > INT64_MAX - JULIAN_DAY_OF_1970 * MICROSECONDS_A_DAY &&
                            microseconds <= INT64_MAX;
    return overflowed ? nanoseconds + all * 1000 : nanoseconds;
}

/* Nanoseconds may be negative or more than a day: some writers had them so. */
size_t stoa_int96_to_ticks(const uint8_t *bytes, size_t count, int64_t ticks_per_second,
                           int64_t *out) {
    STOA_ASSERT(ticks_per_second >= 1 && ticks_per_second <= NANOSECONDS_A_SECOND);
    const int64_t nanoseconds_a_tick = NANOSECONDS_A_SECOND / ticks_per_second;
    for (size_t i = 0; i < count; i++) {
        const int64_t nanoseconds = stoa_load_i64(bytes + i * STOA_INT96_BYTES);
        const int64_t day = (int32_t)stoa_load_u32(bytes + i * STOA_INT96_BYTES + 8) -
                            JULIAN_DAY_OF_1970;
        /* The sum of what alone would not fit may fit: the first day of the range begins outside. */
        wide ticks = (wide)day * SECONDS_A_DAY * ticks_per_second +
                     nanoseconds / nanoseconds_a_tick - (nanoseconds % nanoseconds_a_tick < 0);
        if (day < INT64_MIN / MICROSECONDS_A_DAY + NANOSECOND_DAYS) {
            const wide whole = undo_overflow((wide)day * SECONDS_A_DAY * NANOSECONDS_A_SECOND +
                                             nanoseconds);
            ticks = whole / nanoseconds_a_tick - (whole % nanoseconds_a_tick < 0);
        }
        if (ticks < INT64_MIN || ticks > INT64_MAX) {
            return i;
        }
        out[i] = (int64_t)ticks;
    }
    return count;
}
