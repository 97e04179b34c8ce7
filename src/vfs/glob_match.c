/* One part of a path against one part of a pattern: '*', '?', '[…]', '\'.
 *
 * Only the last '*' is ever tried again, which is enough: an earlier one could not help where the
 * later one, matching more, does not. So there is no recursion, and the time is bounded. */
#include "vfs/glob.h"

#include <stdint.h>
#include <string.h>

/* The code point at `text` and its length; a byte that is no UTF-8 counts as one character. */
static uint32_t character(const char *text, size_t size, size_t *out_length) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : bytes[0] >= 0xC2 ? 2 : 1;
    *out_length = 1;
    if (length == 1 || length > size || bytes[0] > 0xF4) {
        return bytes[0];
    }
    uint32_t value = bytes[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return bytes[0];
        }
        value = value << 6 | (bytes[i] & 0x3Fu);
    }
    *out_length = length;
    return value;
}

/* One character of the pattern, or the one behind a '\'. */
static uint32_t literal(const char *pattern, size_t size, size_t *out_length) {
    size_t escape = pattern[0] == '\\' && size > 1 ? 1 : 0;
    uint32_t value = character(pattern + escape, size - escape, out_length);
    *out_length += escape;
    return value;
}

/* Matches "[…]" at `pattern`. Returns its length, 0 when it has no end. A ']' right after the '['
 * (or '[!') is one of the set. */
static size_t match_set(const char *pattern, size_t size, uint32_t c, bool *out) {
    size_t at = 1;
    bool is_negated = at < size && (pattern[at] == '!' || pattern[at] == '^');
    at += is_negated ? 1 : 0;
    bool is_in = false;
    for (size_t first = at; at < size && (pattern[at] != ']' || at == first);) {
        size_t length;
        uint32_t low = literal(pattern + at, size - at, &length);
        uint32_t high = low;
        at += length;
        if (at + 1 < size && pattern[at] == '-' && pattern[at + 1] != ']') {
            high = literal(pattern + at + 1, size - at - 1, &length);
            at += 1 + length;
        }
        is_in = is_in || (low <= c && c <= high);
    }
    *out = is_in != is_negated;
    return at < size ? at + 1 : 0;
}

/* Matches one character of `name`; returns how much of the pattern that took, 0 for no match. */
static size_t match_one(const char *pattern, size_t size, uint32_t c) {
    if (pattern[0] == '?') {
        return 1;
    }
    if (pattern[0] == '[') {
        bool is_in = false;
        size_t length = match_set(pattern, size, c, &is_in);
        if (length > 0) {
            return is_in ? length : 0;
        }
    }
    size_t length;
    return literal(pattern, size, &length) == c ? length : 0;
}

bool stoa_glob_match(const char *pattern, size_t pattern_size, const char *name) {
    size_t name_size = strlen(name);
    size_t p = 0, n = 0;
    size_t star = SIZE_MAX, star_name = 0;
    if (name[0] == '.' && (pattern_size == 0 || pattern[0] != '.')) {
        return false;
    }
    for (;;) {
        if (p < pattern_size && pattern[p] == '*') {
            star = p++;
            star_name = n;
            continue;
        }
        if (n == name_size && p == pattern_size) {
            return true;
        }
        size_t length = 1;
        size_t taken = 0;
        if (n < name_size && p < pattern_size) {
            taken = match_one(pattern + p, pattern_size - p,
                              character(name + n, name_size - n, &length));
        }
        if (taken > 0) {
            p += taken;
            n += length;
        } else if (star != SIZE_MAX && star_name < name_size) {
            (void)character(name + star_name, name_size - star_name, &length);
            star_name += length;
            n = star_name;
            p = star + 1;
        } else {
            return false;
        }
    }
}

bool stoa_glob_is_double_star(const stoa_glob_part *part) {
    return part->size == 2 && memcmp(part->text, "**", 2) == 0;
}

/* Before a "**" one is also behind it. */
static uint64_t pass_double_stars(const stoa_glob_part *parts, size_t count, uint64_t states) {
    for (size_t i = 0; i < count; i++) {
        if ((states >> i & 1) != 0 && stoa_glob_is_double_star(&parts[i])) {
            states |= UINT64_C(1) << (i + 1);
        }
    }
    return states;
}

/* One step: from the sets of parts that may come next to the one after `name`. */
static uint64_t step(const stoa_glob_part *parts, size_t count, uint64_t states, const char *name,
                     bool is_last) {
    uint64_t next = 0;
    for (size_t i = 0; i < count; i++) {
        if ((states >> i & 1) == 0) {
            continue;
        }
        bool is_double_star = stoa_glob_is_double_star(&parts[i]);
        if (is_double_star && name[0] != '.') {
            /* A directory, or the file where nothing comes behind. */
            next |= !is_last ? UINT64_C(1) << i : i + 1 == count ? UINT64_C(1) << count : 0;
        } else if (!is_double_star && stoa_glob_match(parts[i].text, parts[i].size, name)) {
            next |= UINT64_C(1) << (i + 1);
        }
    }
    return next;
}

/* Bit i of `states`: the parts before i have matched all names before this one. */
bool stoa_glob_match_path(const stoa_glob_part *parts, size_t count, const char *path) {
    char name[1025]; /* S3 has keys of so many bytes, others shorter names */
    uint64_t states = pass_double_stars(parts, count, 1);
    for (;;) {
        size_t size = strcspn(path, "/");
        bool is_last = path[size] == '\0';
        if (size >= sizeof name) {
            return false;
        }
        memcpy(name, path, size);
        name[size] = '\0';
        states = step(parts, count, states, name, is_last);
        if (is_last) {
            return (states >> count & 1) != 0;
        }
        states = pass_double_stars(parts, count, states);
        path += size + 1;
    }
}
