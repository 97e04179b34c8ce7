/* Words, names, quotes and numbers: what the texts of schemas and of predicates are made of. The text
 * comes from people and programs; every failure carries the byte where it was found. */
#include "schema/scanner.h"

#include <string.h>

#include "base/utf8.h"

void stoa_scanner_skip(stoa_scanner *scanner) {
    while (scanner->position < scanner->size &&
           stoa_ascii_is_space(scanner->text[scanner->position])) {
        scanner->position++;
    }
}

/* What is shown of a wrong text: a word, or one character; nothing that would spoil a terminal. */
static size_t shown_size(const char *text, size_t size) {
    size_t end = 0;
    while (end < size && stoa_ascii_is_word(text[end]) && end < 60) {
        end++;
    }
    while (end > 0 && end < size && ((unsigned char)text[end] & 0xC0) == 0x80) {
        end--;
    }
    end = end == 0 && size > 0 ? 1 : end;
    return stoa_utf8_valid(text, end, NULL) && (unsigned char)text[0] >= ' ' ? end : 0;
}

stoa_status stoa_scanner_fail(stoa_scanner *scanner, const char *expected) {
    stoa_scanner_skip(scanner);
    const char *here = scanner->text + scanner->position;
    size_t left = scanner->size - scanner->position;
    size_t shown = left == 0 ? 0 : shown_size(here, left);
    if (left == 0) {
        (void)stoa_fail(scanner->err, STOA_INVALID, "expected %s at byte %zu but the text ends",
                        expected, scanner->position);
    } else if (shown > 0) {
        (void)stoa_fail(scanner->err, STOA_INVALID, "expected %s at byte %zu but found '%.*s'",
                        expected, scanner->position, (int)shown, here);
    } else {
        (void)stoa_fail(scanner->err, STOA_INVALID, "expected %s at byte %zu but found byte 0x%02x",
                        expected, scanner->position, (unsigned)(unsigned char)*here);
    }
    if (scanner->err != NULL) {
        scanner->err->offset = (int64_t)scanner->position;
    }
    return STOA_INVALID;
}

char stoa_scanner_peek(stoa_scanner *scanner) {
    stoa_scanner_skip(scanner);
    return scanner->position < scanner->size ? scanner->text[scanner->position] : '\0';
}

bool stoa_scanner_take(stoa_scanner *scanner, char c) {
    if (stoa_scanner_peek(scanner) != c || scanner->position >= scanner->size) {
        return false;
    }
    scanner->position++;
    return true;
}

size_t stoa_scanner_word(stoa_scanner *scanner) {
    stoa_scanner_skip(scanner);
    size_t end = scanner->position;
    if (end < scanner->size && stoa_ascii_is_word_start(scanner->text[end])) {
        while (end < scanner->size && stoa_ascii_is_word(scanner->text[end])) {
            end++;
        }
    }
    return end - scanner->position;
}

bool stoa_scanner_take_word(stoa_scanner *scanner, const char *word) {
    size_t size = stoa_scanner_word(scanner);
    if (!stoa_ascii_same_word(scanner->text + scanner->position, size, word)) {
        return false;
    }
    scanner->position += size;
    return true;
}

bool stoa_scanner_take_words(stoa_scanner *scanner, const char *const *words, size_t count) {
    size_t start = scanner->position;
    for (size_t i = 0; i < count; i++) {
        if (!stoa_scanner_take_word(scanner, words[i])) {
            scanner->position = start;
            return false;
        }
    }
    return true;
}

/* Text between two `quote`s, with a doubled one standing for itself. */
stoa_status stoa_scanner_take_quoted(stoa_scanner *scanner, char quote, const char **out) {
    size_t start = ++scanner->position;
    size_t end = start;
    while (end < scanner->size && (scanner->text[end] != quote ||
                                   (end + 1 < scanner->size && scanner->text[end + 1] == quote))) {
        end += scanner->text[end] == quote ? 2 : 1;
    }
    if (end >= scanner->size) {
        scanner->position = scanner->size;
        return stoa_scanner_fail(scanner, quote == '"' ? "a closing \"" : "a closing '");
    }
    if (memchr(scanner->text + start, '\0', end - start) != NULL) {
        return stoa_scanner_fail(scanner, "no zero byte in quotes");
    }
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate(scanner->arena, end - start + 1, &memory, scanner->err));
    char *copy = memory;
    size_t size = 0;
    for (size_t i = start; i < end; i++) {
        copy[size++] = scanner->text[i];
        i += scanner->text[i] == quote ? 1 : 0;
    }
    copy[size] = '\0';
    scanner->position = end + 1;
    *out = copy;
    return STOA_OK;
}

stoa_status stoa_scanner_take_name(stoa_scanner *scanner, const char **out) {
    if (stoa_scanner_peek(scanner) == '"') {
        return stoa_scanner_take_quoted(scanner, '"', out);
    }
    size_t size = stoa_scanner_word(scanner);
    if (size == 0) {
        return stoa_scanner_fail(scanner, "a column's name");
    }
    STOA_TRY(stoa_arena_copy_text(scanner->arena, scanner->text + scanner->position, size, out,
                                  scanner->err));
    scanner->position += size;
    return STOA_OK;
}

stoa_status stoa_scanner_take_number(stoa_scanner *scanner, int32_t *out) {
    (void)stoa_scanner_peek(scanner);
    int64_t value = 0;
    size_t start = scanner->position;
    while (scanner->position < scanner->size &&
           stoa_ascii_is_digit(scanner->text[scanner->position])) {
        value = value * 10 + (scanner->text[scanner->position] - '0');
        if (value > INT32_MAX) {
            scanner->position = start;
            return stoa_scanner_fail(scanner, "a number below 2^31");
        }
        scanner->position++;
    }
    if (scanner->position == start) {
        return stoa_scanner_fail(scanner, "a number");
    }
    *out = (int32_t)value;
    return STOA_OK;
}

stoa_status stoa_scanner_need(stoa_scanner *scanner, char c) {
    if (stoa_scanner_take(scanner, c)) {
        return STOA_OK;
    }
    char expected[] = "' '";
    expected[1] = c;
    return stoa_scanner_fail(scanner, expected);
}
