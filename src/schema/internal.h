/* What the files of this folder share and nobody else sees. */
#ifndef STOA_SCHEMA_INTERNAL_H
#define STOA_SCHEMA_INTERNAL_H

#include <stoa/schema.h>

#include "mem/arena.h"
#include "schema/schema.h"

enum {
    /* Columns are at depth 1. Every recursion over types, texts and JSON ends here. */
    STOA_SCHEMA_DEPTH_MAX = 64,
    STOA_DECIMAL_DIGITS_MAX = 38
};

static inline bool stoa_type_is_nested(stoa_type_kind kind) {
    return kind == STOA_TYPE_LIST || kind == STOA_TYPE_MAP || kind == STOA_TYPE_STRUCT;
}
static inline bool stoa_type_has_unit(stoa_type_kind kind) {
    return kind == STOA_TYPE_TIME || kind == STOA_TYPE_TIMESTAMP ||
           kind == STOA_TYPE_TIMESTAMP_TZ || kind == STOA_TYPE_DURATION;
}
static inline bool stoa_type_is_signed_integer(stoa_type_kind kind) {
    return kind >= STOA_TYPE_INT8 && kind <= STOA_TYPE_LONG;
}
static inline bool stoa_type_is_unsigned_integer(stoa_type_kind kind) {
    return kind >= STOA_TYPE_UINT8 && kind <= STOA_TYPE_UINT64;
}

/* ASCII only, whatever locale the program runs in. */
static inline bool stoa_ascii_is_digit(char c) {
    return c >= '0' && c <= '9';
}
static inline bool stoa_ascii_is_word_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}
static inline bool stoa_ascii_is_word(char c) {
    return stoa_ascii_is_word_start(c) || stoa_ascii_is_digit(c);
}
static inline bool stoa_ascii_is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
static inline char stoa_ascii_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}
/// True when `word` (a C string) is these `size` bytes but for case.
static inline bool stoa_ascii_same_word(const char *text, size_t size, const char *word) {
    for (size_t i = 0; i < size; i++) {
        if (word[i] == '\0' || stoa_ascii_lower(text[i]) != stoa_ascii_lower(word[i])) {
            return false;
        }
    }
    return word[size] == '\0';
}

/// Fields being gathered before their number is known. The memory is an arena's.
struct stoa_field_list {
    stoa_arena *arena;
    stoa_field *items;
    int32_t count;
    int32_t capacity;
};

STOA_MUST_USE stoa_status stoa_field_list_append(struct stoa_field_list *list,
                                                 const stoa_field *field, stoa_error *err);

/// The type that stands at the start of `text` with all that belongs to it ("timestamp with time
/// zone"), primitive types only. `*out_size` is how much of the text it took.
///
/// Errors   STOA_INVALID  with `err->offset`
STOA_MUST_USE stoa_status stoa_type_parse_primitive(const char *text, size_t size, stoa_type *out,
                                                    stoa_error *err);

/// The name of a primitive type's kind and unit ("timestamptz_ns"), without parameters.
const char *stoa_type_name(const stoa_type *type);

/// Text of a type for messages, cut at the array's end.
typedef struct stoa_type_text {
    char text[160];
} stoa_type_text;

stoa_type_text stoa_type_describe(const stoa_type *type);

#endif
