/* Two digits a step, from the end. */
#include "base/digits.h"

#include <string.h>

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

void stoa_digits_pad(uint64_t value, size_t count, char *out) {
    while (count >= 2) {
        count -= 2;
        memcpy(out + count, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (count == 1) {
        out[0] = (char)('0' + value % 10);
    }
}

/* From the number of bits: 1233 / 4096 is a little more than log10(2), so the guess is right or one too
 * many. */
static size_t count_digits(uint64_t value) {
    static const uint64_t powers[] = {1u,
                                      10u,
                                      100u,
                                      1000u,
                                      10000u,
                                      100000u,
                                      1000000u,
                                      10000000u,
                                      100000000u,
                                      1000000000u,
                                      10000000000u,
                                      100000000000u,
                                      1000000000000u,
                                      10000000000000u,
                                      100000000000000u,
                                      1000000000000000u,
                                      10000000000000000u,
                                      100000000000000000u,
                                      1000000000000000000u,
                                      10000000000000000000u};
    value |= 1; /* 0 has one digit too; no other number changes its count */
    const size_t guess = (size_t)(64 - __builtin_clzll(value)) * 1233 >> 12;
    return guess + (value >= powers[guess]);
}

size_t stoa_digits_print(uint64_t value, char *out) {
    const size_t count = count_digits(value);
    stoa_digits_pad(value, count, out);
    return count;
}
