/* Names of tables. They are kept as given and compared with ASCII letters folded, as SQL engines do
 * with identifiers; beyond ASCII there is no folding, so that the answer never depends on a locale
 * or on a version of Unicode. No name ever becomes part of a path: folders carry ids. */
#include "table/names.h"

#include <string.h>

#include "base/utf8.h"

static char fold(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

stoa_status stoa_table_name_check(const char *name, stoa_error *err) {
    if (name == NULL || name[0] == '\0') {
        return stoa_fail(err, STOA_INVALID, "expected a table's name but found an empty one");
    }
    size_t size = strnlen(name, STOA_TABLE_NAME_BYTES_MAX + 1);
    if (size > STOA_TABLE_NAME_BYTES_MAX) {
        return stoa_fail(err, STOA_INVALID,
                         "expected a table's name of at most %d bytes but found "
                         "'%.40s…'",
                         STOA_TABLE_NAME_BYTES_MAX, name);
    }
    size_t bad = 0;
    if (!stoa_utf8_valid(name, size, &bad)) {
        return stoa_fail(err, STOA_INVALID,
                         "expected a table's name in UTF-8 but byte %zu of it is "
                         "not",
                         bad);
    }
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < 0x20 || c == 0x7F) {
            return stoa_fail(err, STOA_INVALID,
                             "expected a table's name without control characters "
                             "but found byte 0x%02x at byte %zu of it",
                             c, i);
        }
    }
    return STOA_OK;
}

void stoa_table_name_fold(const char *name, char *out) {
    size_t i = 0;
    for (; name[i] != '\0'; i++) {
        STOA_ASSERT(i < STOA_TABLE_NAME_BYTES_MAX);
        out[i] = fold(name[i]);
    }
    out[i] = '\0';
}

/* The textbook's three rows of the matrix; names are short, so all of it is computed. */
int32_t stoa_table_name_distance(const char *left, const char *right, int32_t limit) {
    enum { WIDTH = STOA_TABLE_NAME_BYTES_MAX + 1 };
    int32_t rows[3][WIDTH];
    int32_t left_size = (int32_t)strnlen(left, WIDTH - 1);
    int32_t right_size = (int32_t)strnlen(right, WIDTH - 1);
    int32_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (int32_t j = 0; j <= right_size; j++) {
        above[j] = j;
    }
    for (int32_t i = 1; i <= left_size; i++) {
        row[0] = i;
        for (int32_t j = 1; j <= right_size; j++) {
            char a = fold(left[i - 1]), b = fold(right[j - 1]);
            int32_t best = above[j - 1] + (a != b);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a == fold(right[j - 2]) && b == fold(left[i - 2]) &&
                before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            row[j] = best;
        }
        int32_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[right_size] > limit ? limit + 1 : above[right_size];
}
