/* Doubles as text against the plain definition: of the texts that read back as the same number, the one
 * with the fewest digits that printf finds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/number.h"
#include "support.h"

/* The digits alone, without point, exponent and zeros at either end. */
static void digits_of_text(const char *text, char out[64]) {
    size_t count = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9' && (count > 0 || *text != '0')) {
            out[count++] = *text;
        }
    }
    while (count > 0 && out[count - 1] == '0') {
        count--;
    }
    out[count] = '\0';
}

static void check(double value) {
    char text[STOA_DOUBLE_TEXT_BYTES], plain[64], ours[64], wanted[64];
    const size_t length = stoa_double_print(value, text);
    assert_int_equal(strlen(text), length);
    assert_true(strtod(text, NULL) == value);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(plain, sizeof plain, "%.*e", digits - 1, value);
        if (strtod(plain, NULL) == value) {
            break;
        }
    }
    digits_of_text(text, ours);
    digits_of_text(plain, wanted);
    assert_true(strlen(ours) <= strlen(wanted));
    if (strlen(ours) == strlen(wanted) && strlen(wanted) <= 15) {
        assert_string_equal(ours, wanted);
    }
}

static void doubles_have_their_shortest_text(void **state) {
    (void)state;
    support_random random = support_random_open("arrow.prop_numbers");
    static const double powers[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e12};
    for (int i = 0; i < 200000; i++) {
        const uint64_t whole = support_random_u64(&random) >> support_random_below(&random, 64);
        const double value = (double)whole / powers[support_random_below(&random, 11)];
        check(value);
        check(-nextafter(value, INFINITY));
    }
    static const double corners[] = {1e-4,
                                     9.999e-5,
                                     0.5,
                                     1e15,
                                     999999999999999.0,
                                     1e14 + 0.5,
                                     1e16,
                                     0.1 + 0.2,
                                     1e22,
                                     1e-300,
                                     123456789012345.0,
                                     1e15 - 1,
                                     0.00010000000000000002,
                                     4503599627370497.5};
    for (size_t i = 0; i < sizeof corners / sizeof *corners; i++) {
        check(corners[i]);
        check(-corners[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(doubles_have_their_shortest_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
