/* UTF-8 validation against a slow reference that decodes by the bit patterns of RFC 3629 and then
 * judges the code point; over every sequence of up to three bytes, and mutated random text. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

struct form {
    uint8_t mask, lead;
    uint32_t low, high;
};

static const struct form forms[] = {
    {0x80, 0x00, 0x0, 0x7F},
    {0xE0, 0xC0, 0x80, 0x7FF},
    {0xF0, 0xE0, 0x800, 0xFFFF},
    {0xF8, 0xF0, 0x10000, 0x10FFFF},
};

static size_t slow_length(const uint8_t *bytes, size_t size) {
    for (size_t extra = 0; extra < 4; extra++) {
        const struct form *form = &forms[extra];
        if ((bytes[0] & form->mask) != form->lead) {
            continue;
        }
        if (size < extra + 1) {
            return 0;
        }
        uint32_t code = (uint32_t)(bytes[0] & ~form->mask & 0xFF);
        for (size_t i = 1; i <= extra; i++) {
            if (bytes[i] < 0x80 || bytes[i] > 0xBF) {
                return 0;
            }
            code = code * 64 + (bytes[i] - 0x80u);
        }
        bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
        return code >= form->low && code <= form->high && !is_surrogate ? extra + 1 : 0;
    }
    return 0;
}

static size_t slow_bad_offset(const uint8_t *bytes, size_t size) {
    size_t at = 0;
    while (at < size) {
        size_t length = slow_length(bytes + at, size - at);
        if (length == 0) {
            return at;
        }
        at += length;
    }
    return SIZE_MAX;
}

static void assert_same(const uint8_t *bytes, size_t size) {
    size_t bad = SIZE_MAX;
    size_t wanted = slow_bad_offset(bytes, size);
    bool valid = stoa_utf8_valid(bytes, size, &bad);
    assert_int_equal(valid, wanted == SIZE_MAX);
    assert_true(bad == wanted);
    assert_int_equal(stoa_utf8_valid(bytes, size, NULL), valid);
}

static void every_sequence_of_three_bytes(void **state) {
    (void)state;
    /* By hand, not by assert_same: sixteen million times. */
    for (uint32_t i = 0; i < 1u << 24; i++) {
        uint8_t bytes[3] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        if (bytes[0] < 0x80 && bytes[1] < 0x80) {
            continue;
        }
        bool wanted = slow_bad_offset(bytes, 3) == SIZE_MAX;
        if (stoa_utf8_valid(bytes, 3, NULL) != wanted) {
            fail_msg("%02X %02X %02X: expected %d", bytes[0], bytes[1], bytes[2], wanted);
        }
    }
}

static void every_lead_of_four_bytes(void **state) {
    (void)state;
    const uint8_t edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    for (uint32_t lead = 0; lead < 256; lead++) {
        for (uint32_t second = 0; second < 256; second++) {
            for (size_t i = 0; i < 100; i++) {
                uint8_t bytes[4] = {(uint8_t)lead, (uint8_t)second, edges[i / 10], edges[i % 10]};
                if ((slow_bad_offset(bytes, 4) == SIZE_MAX) != stoa_utf8_valid(bytes, 4, NULL)) {
                    assert_same(bytes, 4);
                }
            }
        }
    }
}

static size_t put_character(support_random *random, uint8_t *out) {
    uint32_t code;
    uint32_t most = (uint32_t[]){0x7F, 0x7FF, 0xFFFF, 0x10FFFF}[support_random_below(random, 4)];
    do {
        code = (uint32_t)support_random_below(random, (uint64_t)most + 1);
    } while (code >= 0xD800 && code <= 0xDFFF);
    size_t extra = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (size_t i = extra; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (uint8_t)(forms[extra].lead | code);
    return extra + 1;
}

static void random_text_whole_cut_and_mutated(void **state) {
    (void)state;
    support_random random = support_random_open(__func__);
    uint8_t text[256];
    for (int round = 0; round < 50000; round++) {
        size_t size = 0;
        size_t most = (size_t)support_random_below(&random, 200);
        while (size < most) {
            if (support_random_bool(&random)) {
                for (uint64_t run = support_random_below(&random, 20); run > 0 && size < most;
                     run--) {
                    text[size++] = 'a';
                }
            }
            size += put_character(&random, text + size);
        }
        /* In memory of exactly that size: no byte beyond may be looked at. */
        uint8_t *exact = malloc(size == 0 ? 1 : size);
        assert_non_null(exact);
        memcpy(exact, text, size);
        assert_true(stoa_utf8_valid(exact, size, NULL));
        if (size > 0) {
            exact[support_random_below(&random, size)] = (uint8_t)support_random_u64(&random);
            assert_same(exact, size);
            assert_same(exact, (size_t)support_random_below(&random, size + 1));
        }
        free(exact);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_three_bytes),
        cmocka_unit_test(every_lead_of_four_bytes),
        cmocka_unit_test(random_text_whole_cut_and_mutated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
