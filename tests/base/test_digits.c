/* Digits against the C library's. */
#include "base/digits.h"

#include <stdio.h>
#include <string.h>

#include "support.h"

static void check(uint64_t value) {
    char ours[STOA_DIGITS_MAX + 1], theirs[32];
    ours[stoa_digits_print(value, ours)] = '\0';
    snprintf(theirs, sizeof theirs, "%llu", (unsigned long long)value);
    assert_string_equal(ours, theirs);
}

static void numbers_are_printed_as_the_library_does(void **state) {
    (void)state;
    support_random random = support_random_open("base.digits");
    check(0);
    check(UINT64_MAX);
    for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10) {
        check(power - 1);
        check(power);
        check(power + 1);
    }
    for (int i = 0; i < 20000; i++) {
        check(support_random_u64(&random) >> support_random_below(&random, 64));
    }
}

static void padding_keeps_the_last_digits(void **state) {
    (void)state;
    char text[8] = "xxxxxxx";
    stoa_digits_pad(7, 3, text);
    stoa_digits_pad(12345, 4, text + 3);
    assert_memory_equal(text, "0072345", 8);
    stoa_digits_pad(9, 0, text);
    assert_memory_equal(text, "0072345", 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_printed_as_the_library_does),
        cmocka_unit_test(padding_keeps_the_last_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
