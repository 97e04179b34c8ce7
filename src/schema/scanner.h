/* Reading the texts of schemas and predicates, word by word. */
#ifndef STOA_SCHEMA_SCANNER_H
#define STOA_SCHEMA_SCANNER_H

#include "schema/internal.h"

typedef struct stoa_scanner {
    const char *text;
    size_t size;
    size_t position;   /* invariant: position <= size */
    stoa_arena *arena; /* for names and quoted texts */
    stoa_error *err;
} stoa_scanner;

/// "expected X at byte N but found 'what stands there'", with err->offset set.
stoa_status stoa_scanner_fail(stoa_scanner *scanner, const char *expected);

/// Moves over white space.
void stoa_scanner_skip(stoa_scanner *scanner);
/// The next character that is no white space, or NUL at the end.
char stoa_scanner_peek(stoa_scanner *scanner);
bool stoa_scanner_take(stoa_scanner *scanner, char c);
/// Fails unless `c` comes next.
STOA_MUST_USE stoa_status stoa_scanner_need(stoa_scanner *scanner, char c);

/// The length of the word that comes next, 0 for none.
size_t stoa_scanner_word(stoa_scanner *scanner);
/// Keywords, in any case; all of them or none.
bool stoa_scanner_take_word(stoa_scanner *scanner, const char *word);
bool stoa_scanner_take_words(stoa_scanner *scanner, const char *const *words, size_t count);

/// Text from the `quote` that stands here to the next, a doubled one standing for itself.
STOA_MUST_USE stoa_status stoa_scanner_take_quoted(stoa_scanner *scanner, char quote,
                                                   const char **out);
/// A word, or anything in double quotes.
STOA_MUST_USE stoa_status stoa_scanner_take_name(stoa_scanner *scanner, const char **out);
STOA_MUST_USE stoa_status stoa_scanner_take_number(stoa_scanner *scanner, int32_t *out);

#endif
