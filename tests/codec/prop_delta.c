/* Deltas against a slow version that follows the specification, in blocks of every shape; byte arrays
 * behind delta-packed lengths and prefixes; both read in random parts, cut off and damaged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/delta.h"
#include "codec/delta_bytes.h"
#include "support.h"

enum { COUNT_MAX = 2000, ROUNDS = 200 };

/* ---- A slow writer and reader ------------------------------------------------------------------ */

static int width_of(uint64_t value) {
    int width = 0;
    while (width < 64 && value >> width != 0) {
        width++;
    }
    return width;
}

/* Any block and miniblock sizes; `spare` bits wider than needed; padding and unused widths are noise. */
static size_t slow_encode(support_random *random, const uint64_t *values, size_t count,
                          size_t block, size_t miniblocks, int bits, int spare, uint8_t *out) {
    const uint64_t mask = bits == 64 ? UINT64_MAX : UINT32_MAX;
    const size_t miniblock = block / miniblocks;
    size_t size = stoa_store_varint(out, block);
    size += stoa_store_varint(out + size, miniblocks);
    size += stoa_store_varint(out + size, count);
    size += stoa_store_varint(out + size, stoa_zigzag(count > 0 ? (int64_t)values[0] : 0));
    for (size_t start = 1; start < count; start += block) {
        const size_t now = count - start < block ? count - start : block;
        uint64_t smallest = 0;
        for (size_t i = 0; i < now; i++) {
            const uint64_t delta = values[start + i] - values[start + i - 1];
            if (i == 0 || (int64_t)delta < (int64_t)smallest) {
                smallest = delta;
            }
        }
        size += stoa_store_varint(out + size, stoa_zigzag((int64_t)smallest));
        uint8_t *widths = out + size;
        support_random_bytes(random, widths, miniblocks);
        size += miniblocks;
        for (size_t m = 0; m * miniblock < now; m++) {
            int width = 0;
            for (size_t i = m * miniblock; i < (m + 1) * miniblock && i < now; i++) {
                const uint64_t above = (values[start + i] - values[start + i - 1] - smallest) &
                                       mask;
                width = width_of(above) > width ? width_of(above) : width;
            }
            width = width + spare > 64 ? 64 : width + spare;
            widths[m] = (uint8_t)width;
            const size_t bytes = miniblock / 8 * (size_t)width;
            support_random_bytes(random, out + size, bytes);
            for (size_t i = m * miniblock; i < (m + 1) * miniblock && i < now; i++) {
                const uint64_t above = (values[start + i] - values[start + i - 1] - smallest) &
                                       mask;
                for (int j = 0; j < width; j++) {
                    const size_t bit = (i - m * miniblock) * (size_t)width + (size_t)j;
                    uint8_t *byte = &out[size + bit / 8];
                    *byte = (uint8_t)((*byte & ~(1u << (bit % 8))) | (above >> j & 1) << (bit % 8));
                }
            }
            size += bytes;
        }
    }
    return size;
}

static size_t slow_varint(const uint8_t *bytes, uint64_t *out) {
    size_t size = 0;
    *out = 0;
    do {
        *out |= (uint64_t)(bytes[size] & 0x7F) << (7 * size);
    } while (bytes[size++] & 0x80);
    return size;
}

/* Returns where the bytes of the last miniblock with values end. */
static size_t slow_decode(const uint8_t *bytes, uint64_t *out, uint64_t *count) {
    uint64_t block, miniblocks, word;
    size_t at = slow_varint(bytes, &block);
    at += slow_varint(bytes + at, &miniblocks);
    at += slow_varint(bytes + at, count);
    at += slow_varint(bytes + at, &word);
    const size_t miniblock = (size_t)(block / miniblocks);
    uint64_t last = (uint64_t)stoa_unzigzag(word);
    size_t done = 0;
    if (*count > 0) {
        out[done++] = last;
    }
    while (done < *count) {
        at += slow_varint(bytes + at, &word);
        const uint64_t smallest = (uint64_t)stoa_unzigzag(word);
        const uint8_t *widths = bytes + at;
        at += miniblocks;
        for (size_t m = 0; m < miniblocks && done < *count; m++) {
            for (size_t i = 0; i < miniblock && done < *count; i++) {
                uint64_t above = 0;
                for (size_t j = 0; j < widths[m]; j++) {
                    const size_t bit = i * widths[m] + j;
                    above |= (uint64_t)(bytes[at + bit / 8] >> (bit % 8) & 1) << j;
                }
                last += above + smallest;
                out[done++] = last;
            }
            at += miniblock / 8 * widths[m];
        }
    }
    return at;
}

/* ---- Integers ---------------------------------------------------------------------------------- */

/* Steady, small, large and extreme steps, changing now and then. */
static void fill(support_random *random, uint64_t *values, size_t count, int bits) {
    uint64_t value = support_random_u64(random);
    int style = 0;
    for (size_t i = 0; i < count; i++) {
        if (support_random_below(random, 70) == 0) {
            style = (int)support_random_below(random, 66);
        }
        value += style == 65 ? 3 : style == 0 ? 0 : support_random_u64(random) >> (64 - style);
        values[i] = bits == 64 ? value : (uint64_t)(int64_t)(int32_t)value;
    }
}

static stoa_status read_some(stoa_delta_decoder *decoder, uint64_t *out, size_t count,
                             stoa_error *err) {
    if (decoder->value_bytes == 8) {
        return stoa_delta_decoder_read_i64(decoder, (int64_t *)out, count, err);
    }
    int32_t narrow[COUNT_MAX];
    assert_true(count <= COUNT_MAX);
    STOA_TRY(stoa_delta_decoder_read_i32(decoder, narrow, count, err));
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint64_t)(int64_t)narrow[i];
    }
    return STOA_OK;
}

/* Reads and skips in random parts; what is read is what was written at that place. */
static void assert_parts(support_random *random, const uint8_t *bytes, size_t size, int bits,
                         const uint64_t *want, size_t count) {
    stoa_error err = STOA_ERROR_NONE;
    uint64_t *got = malloc((count + 1) * sizeof *got);
    uint8_t *exact = malloc(size);
    memcpy(exact, bytes, size);
    stoa_delta_decoder decoder;
    assert_ok(stoa_delta_decoder_init(&decoder, exact, size, bits / 8, &err), err);
    const uint64_t step_max = 1 + support_random_below(random, count + 1);
    size_t done = 0;
    while (done < count) {
        size_t step = (size_t)support_random_below(random, step_max + 1);
        step = step > count - done ? count - done : step;
        assert_int_equal(stoa_delta_decoder_left(&decoder), count - done);
        if (support_random_below(random, 4) == 0) {
            assert_ok(stoa_delta_decoder_skip(&decoder, step, &err), err);
        } else {
            assert_ok(read_some(&decoder, got, step, &err), err);
            assert_memory_equal(got, want + done, step * sizeof *got);
        }
        done += step;
    }
    assert_fails(read_some(&decoder, got, 1, &err), STOA_CORRUPT, "1 more", err);
    free(exact);
    free(got);
}

static void deltas_equal_their_reference(void **state) {
    (void)state;
    static uint64_t values[COUNT_MAX], back[COUNT_MAX];
    support_random random = support_random_open("delta");
    for (int round = 0; round < ROUNDS; round++) {
        const int bits = round % 2 ? 64 : 32;
        const size_t count = (size_t)support_random_below(&random, round % 3 ? 300 : COUNT_MAX);
        fill(&random, values, count, bits);
        uint8_t *bytes = malloc(stoa_delta_bytes_max(count, bits / 8));
        size_t size;
        if (bits == 64) {
            size = stoa_delta_encode_i64((const int64_t *)values, count, bytes);
        } else {
            int32_t narrow[COUNT_MAX];
            for (size_t i = 0; i < count; i++) {
                narrow[i] = (int32_t)values[i];
            }
            size = stoa_delta_encode_i32(narrow, count, bytes);
        }
        assert_true(size <= stoa_delta_bytes_max(count, bits / 8));
        uint64_t found;
        assert_int_equal(slow_decode(bytes, back, &found), size);
        assert_int_equal(found, count);
        for (size_t i = 0; bits == 32 && i < count; i++) {
            back[i] = (uint64_t)(int64_t)(int32_t)back[i];
        }
        assert_memory_equal(back, values, count * sizeof *back);
        assert_parts(&random, bytes, size, bits, values, count);
        free(bytes);
    }
}

static void blocks_of_every_shape_are_read(void **state) {
    (void)state;
    static uint64_t values[COUNT_MAX];
    support_random random = support_random_open("delta_blocks");
    for (int round = 0; round < ROUNDS; round++) {
        const int bits = support_random_bool(&random) ? 64 : 32;
        const size_t miniblock = 32 * (size_t)(1 + support_random_below(&random, 9));
        size_t miniblocks = 1 + (size_t)support_random_below(&random, 9);
        while (miniblock * miniblocks % 128 != 0) {
            miniblocks++;
        }
        const size_t block = miniblock * miniblocks;
        const size_t count = (size_t)support_random_below(&random, round % 3 ? 300 : COUNT_MAX);
        fill(&random, values, count, bits);
        uint8_t *bytes = malloc(100 + (count + 2 * block) * 10);
        const size_t size = slow_encode(&random, values, count, block, miniblocks, bits,
                                        (int)support_random_below(&random, 40), bytes);
        size_t end = 0;
        stoa_delta_decoder decoder;
        assert_int_equal(stoa_delta_decoder_init(&decoder, bytes, size + 50, bits / 8, NULL),
                         STOA_OK);
        assert_int_equal(stoa_delta_decoder_end(&decoder, &end, NULL), STOA_OK);
        assert_int_equal(end, size);
        assert_parts(&random, bytes, size, bits, values, count);
        free(bytes);
    }
}

static void sizes_outside_the_format_are_refused(void **state) {
    (void)state;
    static const struct {
        uint8_t bytes[16];
        size_t size;
        const char *words;
    } cases[] = {
        {{0x80, 0x01, 4, 5}, 4, "header is cut off"},
        {{0, 4, 5, 0}, 4, "multiple of 128"},
        {{127, 1, 5, 0}, 4, "multiple of 128"},
        {{0x80, 0x01, 0, 5, 0}, 5, "multiple of 32"},
        {{0x80, 0x01, 3, 5, 0}, 5, "multiple of 32"},
        {{0x80, 0x01, 8, 5, 0}, 5, "multiple of 32"},
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 4, 5, 0}, 9, "multiple of 128"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_delta_decoder decoder;
        assert_fails(stoa_delta_decoder_init(&decoder, cases[i].bytes, cases[i].size, 4, &err),
                     STOA_CORRUPT, cases[i].words, err);
    }
    /* A width of 65 bits, met when its miniblock is. */
    static const uint8_t wide[] = {0x80, 0x01, 4, 9, 2, 0, 65, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    stoa_error err = STOA_ERROR_NONE;
    int64_t out[9];
    stoa_delta_decoder decoder;
    assert_ok(stoa_delta_decoder_init(&decoder, wide, sizeof wide, 8, &err), err);
    assert_ok(stoa_delta_decoder_read_i64(&decoder, out, 1, &err), err);
    assert_int_equal(out[0], 1);
    assert_fails(stoa_delta_decoder_read_i64(&decoder, out, 8, &err), STOA_CORRUPT,
                 "byte 6: deltas: expected at most 64 bits but found 65", err);
}

/* A count of 2^60 values is no reason to allocate or to loop: it is the caller's to compare. */
static void claimed_counts_cost_nothing(void **state) {
    (void)state;
    uint8_t bytes[64];
    size_t size = stoa_store_varint(bytes, 128);
    size += stoa_store_varint(bytes + size, 4);
    size += stoa_store_varint(bytes + size, UINT64_C(1) << 60);
    size += stoa_store_varint(bytes + size, 0);
    memset(bytes + size, 0, sizeof bytes - size);
    stoa_error err = STOA_ERROR_NONE;
    stoa_delta_decoder decoder;
    size_t end;
    assert_ok(stoa_delta_decoder_init(&decoder, bytes, sizeof bytes, 8, &err), err);
    assert_int_equal(stoa_delta_decoder_left(&decoder), UINT64_C(1) << 60);
    assert_fails(stoa_delta_decoder_end(&decoder, &end, &err), STOA_CORRUPT, "byte", err);
    assert_fails(stoa_delta_decoder_skip(&decoder, SIZE_MAX, &err), STOA_CORRUPT, "byte", err);
}

/* ---- Byte arrays ------------------------------------------------------------------------------- */

struct texts {
    size_t count;
    stoa_bytes_view views[300];
    uint8_t bytes[300 * 40];
};

/* Values that share a beginning with the one before, often; `fixed` not 0: all of that length. */
static void fill_texts(support_random *random, struct texts *texts, size_t count, size_t fixed) {
    uint8_t *at = texts->bytes;
    texts->count = count;
    for (size_t i = 0; i < count; i++) {
        const size_t size = fixed > 0 ? fixed : (size_t)support_random_below(random, 41);
        support_random_bytes(random, at, size);
        if (i > 0 && support_random_bool(random)) {
            const size_t most = texts->views[i - 1].size < size ? texts->views[i - 1].size : size;
            memcpy(at, texts->views[i - 1].data, (size_t)support_random_below(random, most + 1));
        }
        texts->views[i] = (stoa_bytes_view){at, size};
        at += size;
    }
}

static void assert_views(const stoa_bytes_view *got, const stoa_bytes_view *want, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(got[i].size, want[i].size);
        if (want[i].size > 0) {
            assert_memory_equal(got[i].data, want[i].data, want[i].size);
        }
    }
}

static void lengths_give_back_what_went_in(void **state) {
    (void)state;
    support_random random = support_random_open("delta_lengths");
    stoa_pool *pool = support_pool_open();
    struct texts *texts = malloc(sizeof *texts);
    for (int round = 0; round < ROUNDS; round++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_bytes_view got[300];
        stoa_buffer bytes;
        stoa_delta_lengths_decoder decoder;
        stoa_buffer_init(&bytes, pool);
        fill_texts(&random, texts, (size_t)support_random_below(&random, 301), 0);
        assert_ok(stoa_delta_lengths_encode(texts->views, texts->count, &bytes, &err), err);
        assert_ok(stoa_delta_lengths_decoder_init(&decoder, bytes.data, bytes.size, &err), err);
        for (size_t done = 0; done < texts->count;) {
            size_t step = (size_t)support_random_below(&random, 150);
            step = step > texts->count - done ? texts->count - done : step;
            if (support_random_below(&random, 4) == 0) {
                assert_ok(stoa_delta_lengths_decoder_skip(&decoder, step, &err), err);
            } else {
                assert_ok(stoa_delta_lengths_decoder_read(&decoder, got, step, &err), err);
                assert_views(got, texts->views + done, step);
            }
            done += step;
        }
        assert_int_equal(stoa_byte_reader_left(&decoder.data), 0);
        assert_fails(stoa_delta_lengths_decoder_read(&decoder, got, 1, &err), STOA_CORRUPT, NULL,
                     err);
        stoa_buffer_release(&bytes);
    }
    free(texts);
    support_pool_close(pool);
}

/* One random walk over a prefix decoder: reads into too little room, peeks, skips. */
static void walk_prefixes(support_random *random, stoa_delta_bytes_decoder *decoder,
                          const struct texts *texts) {
    stoa_error err = STOA_ERROR_NONE;
    size_t done = 0;
    while (done < texts->count) {
        size_t step = (size_t)support_random_below(random, 150);
        step = step > texts->count - done ? texts->count - done : step;
        if (support_random_below(random, 4) == 0) {
            assert_ok(stoa_delta_bytes_decoder_skip(decoder, step, &err), err);
            done += step;
            continue;
        }
        size_t next = 0, taken = 0;
        assert_ok(stoa_delta_bytes_decoder_peek(decoder, &next, &err), err);
        assert_int_equal(next, texts->views[done].size);
        const size_t room = (size_t)support_random_below(random, 3000);
        uint8_t *data = malloc(room > 0 ? room : 1);
        stoa_bytes_view got[150];
        assert_ok(stoa_delta_bytes_decoder_read(decoder, got, step, data, room, &taken, &err), err);
        assert_true(taken == step || texts->views[done + taken].size <= 40);
        assert_true(taken > 0 || step == 0 || next > room);
        assert_views(got, texts->views + done, taken);
        free(data);
        done += taken;
    }
    size_t next = 1;
    assert_ok(stoa_delta_bytes_decoder_peek(decoder, &next, &err), err);
    assert_int_equal(next, 0);
    assert_fails(stoa_delta_bytes_decoder_skip(decoder, 1, &err), STOA_CORRUPT, "1 more", err);
}

static void prefixes_give_back_what_went_in(void **state) {
    (void)state;
    support_random random = support_random_open("delta_prefixes");
    stoa_pool *pool = support_pool_open();
    struct texts *texts = malloc(sizeof *texts);
    for (int round = 0; round < ROUNDS; round++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_buffer bytes;
        stoa_delta_bytes_decoder decoder;
        stoa_buffer_init(&bytes, pool);
        fill_texts(&random, texts, (size_t)support_random_below(&random, 301), 0);
        assert_ok(stoa_delta_bytes_encode(texts->views, texts->count, &bytes, &err), err);
        assert_ok(stoa_delta_bytes_decoder_init(&decoder, pool, bytes.data, bytes.size, &err), err);
        walk_prefixes(&random, &decoder, texts);
        stoa_delta_bytes_decoder_release(&decoder);
        stoa_delta_bytes_decoder_release(&decoder);
        stoa_buffer_release(&bytes);
    }
    free(texts);
    support_pool_close(pool);
}

static void fixed_values_must_have_their_width(void **state) {
    (void)state;
    support_random random = support_random_open("delta_fixed");
    stoa_pool *pool = support_pool_open();
    struct texts *texts = malloc(sizeof *texts);
    for (size_t width = 1; width <= 40; width++) {
        stoa_error err = STOA_ERROR_NONE;
        static uint8_t got[300 * 41];
        stoa_buffer bytes;
        stoa_buffer_init(&bytes, pool);
        fill_texts(&random, texts, 300, width);
        assert_ok(stoa_delta_bytes_encode(texts->views, 300, &bytes, &err), err);
        for (size_t asked = width - 1; asked <= width + 1; asked++) {
            stoa_delta_bytes_decoder decoder;
            assert_ok(stoa_delta_bytes_decoder_init(&decoder, pool, bytes.data, bytes.size, &err),
                      err);
            const stoa_status status = stoa_delta_bytes_decoder_read_fixed(&decoder, asked, got,
                                                                           300, &err);
            assert_int_equal(status, asked == width ? STOA_OK : STOA_CORRUPT);
            if (asked == width) {
                assert_memory_equal(got, texts->bytes, 300 * width);
            }
            stoa_delta_bytes_decoder_release(&decoder);
        }
        stoa_buffer_release(&bytes);
    }
    free(texts);
    support_pool_close(pool);
}

/* ---- Damage ------------------------------------------------------------------------------------ */

/* Exact copies on the heap, so that the address sanitizer sees any byte read outside. */
static stoa_status read_prefixes(stoa_pool *pool, const uint8_t *bytes, size_t size, size_t count) {
    uint8_t *exact = malloc(size > 0 ? size : 1);
    memcpy(exact, bytes, size);
    stoa_bytes_view views[300];
    uint8_t data[4000];
    size_t done = 0;
    stoa_delta_bytes_decoder decoder = {0};
    stoa_status status = stoa_delta_bytes_decoder_init(&decoder, pool, exact, size, NULL);
    if (status == STOA_OK) {
        status = stoa_delta_bytes_decoder_read(&decoder, views, count, data, sizeof data, &done,
                                               NULL);
    }
    stoa_delta_bytes_decoder_release(&decoder);
    free(exact);
    return status;
}

static stoa_status read_lengths(const uint8_t *bytes, size_t size, size_t count) {
    uint8_t *exact = malloc(size > 0 ? size : 1);
    memcpy(exact, bytes, size);
    stoa_bytes_view views[300];
    uint64_t sum = 0;
    stoa_delta_lengths_decoder decoder;
    stoa_status status = stoa_delta_lengths_decoder_init(&decoder, exact, size, NULL);
    if (status == STOA_OK) {
        status = stoa_delta_lengths_decoder_read(&decoder, views, count, NULL);
    }
    for (size_t i = 0; status == STOA_OK && i < count; i++) {
        for (size_t j = 0; j < views[i].size; j++) {
            sum += views[i].data[j];
        }
    }
    assert_true(sum < UINT64_MAX);
    free(exact);
    return status;
}

static void damage_is_an_error_or_other_values(void **state) {
    (void)state;
    enum { COUNT = 100 };
    support_random random = support_random_open("delta_damage");
    stoa_pool *pool = support_pool_open();
    struct texts *texts = malloc(sizeof *texts);
    stoa_buffer prefixes, lengths;
    stoa_buffer_init(&prefixes, pool);
    stoa_buffer_init(&lengths, pool);
    fill_texts(&random, texts, COUNT, 0);
    assert_int_equal(stoa_delta_bytes_encode(texts->views, COUNT, &prefixes, NULL), STOA_OK);
    assert_int_equal(stoa_delta_lengths_encode(texts->views, COUNT, &lengths, NULL), STOA_OK);
    for (size_t cut = 0; cut < prefixes.size; cut++) {
        assert_int_equal(read_prefixes(pool, prefixes.data, cut, COUNT), STOA_CORRUPT);
    }
    for (size_t cut = 0; cut < lengths.size; cut++) {
        assert_int_equal(read_lengths(lengths.data, cut, COUNT), STOA_CORRUPT);
    }
    for (size_t bit = 0; bit < prefixes.size * 8; bit++) {
        prefixes.data[bit / 8] = (uint8_t)(prefixes.data[bit / 8] ^ 1u << (bit % 8));
        const stoa_status status = read_prefixes(pool, prefixes.data, prefixes.size, COUNT);
        assert_true(status == STOA_OK || status == STOA_CORRUPT);
        prefixes.data[bit / 8] = (uint8_t)(prefixes.data[bit / 8] ^ 1u << (bit % 8));
    }
    for (size_t bit = 0; bit < lengths.size * 8; bit++) {
        lengths.data[bit / 8] = (uint8_t)(lengths.data[bit / 8] ^ 1u << (bit % 8));
        const stoa_status status = read_lengths(lengths.data, lengths.size, COUNT);
        assert_true(status == STOA_OK || status == STOA_CORRUPT);
        lengths.data[bit / 8] = (uint8_t)(lengths.data[bit / 8] ^ 1u << (bit % 8));
    }
    stoa_buffer_release(&lengths);
    stoa_buffer_release(&prefixes);
    free(texts);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deltas_equal_their_reference),
        cmocka_unit_test(blocks_of_every_shape_are_read),
        cmocka_unit_test(sizes_outside_the_format_are_refused),
        cmocka_unit_test(claimed_counts_cost_nothing),
        cmocka_unit_test(lengths_give_back_what_went_in),
        cmocka_unit_test(prefixes_give_back_what_went_in),
        cmocka_unit_test(fixed_values_must_have_their_width),
        cmocka_unit_test(damage_is_an_error_or_other_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
