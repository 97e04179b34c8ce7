/* UTF-8 validation: ASCII eight bytes at a time, everything else by Unicode's table 3-7. */
#include "base/utf8.h"

#include <string.h>

/* Length of the well-formed sequence at `bytes`, 0 when there is none. */
static size_t sequence_length(const uint8_t *bytes, size_t size) {
    uint8_t lead = bytes[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || size < length) {
        return 0;
    }
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (bytes[1] < low || bytes[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

bool stoa_utf8_valid(const void *data, size_t size, size_t *bad_offset) {
    const uint8_t *bytes = data;
    size_t i = 0;
    while (i < size) {
        uint64_t word;
        if (size - i >= sizeof word) {
            memcpy(&word, bytes + i, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof word;
                continue;
            }
        }
        size_t length = sequence_length(bytes + i, size - i);
        if (length == 0) {
            if (bad_offset != NULL) {
                *bad_offset = i;
            }
            return false;
        }
        i += length;
    }
    return true;
}

void stoa_utf8_cut(char *text, size_t capacity) {
    size_t length = strnlen(text, capacity);
    if (length + 1 < capacity) {
        return;
    }
    size_t end = length;
    while (end > 0 && ((unsigned char)text[end - 1] & 0xC0) == 0x80) {
        end--;
    }
    if (end == 0) {
        return;
    }
    unsigned char lead = (unsigned char)text[end - 1];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (length - (end - 1) < need) {
        text[end - 1] = '\0';
    }
}
