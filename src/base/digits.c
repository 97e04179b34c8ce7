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

size_t stoa_digits_print(uint64_t value, char *out) {
    size_t count = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10) {
        count++;
    }
    stoa_digits_pad(value, count, out);
    return count;
}
