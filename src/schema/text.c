/* The text form of types and schemas, both ways.
 *
 *     schema  = column { "," column }
 *     column  = name [ ":" ] type { "not" "null" | "null" | 'doc' }
 *     type    = simple | "decimal" "(" p [ "," s ] ")" | "fixed" "[" n "]"
 *             | "list" "<" type [ "not" "null" ] ">" | "map" "<" type "," type [ "not" "null" ] ">"
 *             | "struct" "<" [ column { "," column } ] ">" | type "[" "]"
 *
 * Keywords are read in any case; many names of other systems are read, one name each is printed.
 * The text comes from people and programs: nothing in it is trusted, nesting is bounded, and every
 * failure carries the byte where it was found. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "schema/internal.h"

struct type_name {
    const char *name;
    stoa_type_kind kind;
    stoa_type_unit unit;
};

// clang-format off
/* The first name of a kind and unit is the one that is printed. */
static const struct type_name TYPE_NAMES[] = {
    {"unknown", STOA_TYPE_UNKNOWN, 0}, {"null", STOA_TYPE_UNKNOWN, 0},
    {"boolean", STOA_TYPE_BOOLEAN, 0}, {"bool", STOA_TYPE_BOOLEAN, 0},
    {"int8", STOA_TYPE_INT8, 0}, {"tinyint", STOA_TYPE_INT8, 0},
    {"int16", STOA_TYPE_INT16, 0}, {"smallint", STOA_TYPE_INT16, 0},
    {"int", STOA_TYPE_INT, 0}, {"integer", STOA_TYPE_INT, 0}, {"int32", STOA_TYPE_INT, 0},
    {"long", STOA_TYPE_LONG, 0}, {"bigint", STOA_TYPE_LONG, 0}, {"int64", STOA_TYPE_LONG, 0},
    {"uint8", STOA_TYPE_UINT8, 0}, {"utinyint", STOA_TYPE_UINT8, 0},
    {"uint16", STOA_TYPE_UINT16, 0}, {"usmallint", STOA_TYPE_UINT16, 0},
    {"uint32", STOA_TYPE_UINT32, 0}, {"uinteger", STOA_TYPE_UINT32, 0},
    {"uint64", STOA_TYPE_UINT64, 0}, {"ubigint", STOA_TYPE_UINT64, 0},
    {"float", STOA_TYPE_FLOAT, 0}, {"real", STOA_TYPE_FLOAT, 0}, {"float32", STOA_TYPE_FLOAT, 0},
    {"double", STOA_TYPE_DOUBLE, 0}, {"float64", STOA_TYPE_DOUBLE, 0},
    {"decimal", STOA_TYPE_DECIMAL, 0}, {"numeric", STOA_TYPE_DECIMAL, 0},
    {"date", STOA_TYPE_DATE, 0}, {"date32", STOA_TYPE_DATE, 0},
    {"time", STOA_TYPE_TIME, STOA_TYPE_MICROSECONDS},
    {"time_us", STOA_TYPE_TIME, STOA_TYPE_MICROSECONDS},
    {"time_ms", STOA_TYPE_TIME, STOA_TYPE_MILLISECONDS},
    {"time_ns", STOA_TYPE_TIME, STOA_TYPE_NANOSECONDS},
    {"timestamp", STOA_TYPE_TIMESTAMP, STOA_TYPE_MICROSECONDS},
    {"timestamp_us", STOA_TYPE_TIMESTAMP, STOA_TYPE_MICROSECONDS},
    {"datetime", STOA_TYPE_TIMESTAMP, STOA_TYPE_MICROSECONDS},
    {"timestamp_s", STOA_TYPE_TIMESTAMP, STOA_TYPE_SECONDS},
    {"timestamp_ms", STOA_TYPE_TIMESTAMP, STOA_TYPE_MILLISECONDS},
    {"timestamp_ns", STOA_TYPE_TIMESTAMP, STOA_TYPE_NANOSECONDS},
    {"timestamptz", STOA_TYPE_TIMESTAMP_TZ, STOA_TYPE_MICROSECONDS},
    {"timestamptz_us", STOA_TYPE_TIMESTAMP_TZ, STOA_TYPE_MICROSECONDS},
    {"timestamptz_s", STOA_TYPE_TIMESTAMP_TZ, STOA_TYPE_SECONDS},
    {"timestamptz_ms", STOA_TYPE_TIMESTAMP_TZ, STOA_TYPE_MILLISECONDS},
    {"timestamptz_ns", STOA_TYPE_TIMESTAMP_TZ, STOA_TYPE_NANOSECONDS},
    {"duration", STOA_TYPE_DURATION, STOA_TYPE_MICROSECONDS},
    {"duration_us", STOA_TYPE_DURATION, STOA_TYPE_MICROSECONDS},
    {"duration_s", STOA_TYPE_DURATION, STOA_TYPE_SECONDS},
    {"duration_ms", STOA_TYPE_DURATION, STOA_TYPE_MILLISECONDS},
    {"duration_ns", STOA_TYPE_DURATION, STOA_TYPE_NANOSECONDS},
    {"interval", STOA_TYPE_INTERVAL, 0},
    {"string", STOA_TYPE_STRING, 0}, {"varchar", STOA_TYPE_STRING, 0},
    {"text", STOA_TYPE_STRING, 0}, {"utf8", STOA_TYPE_STRING, 0},
    {"binary", STOA_TYPE_BINARY, 0}, {"blob", STOA_TYPE_BINARY, 0},
    {"bytea", STOA_TYPE_BINARY, 0}, {"varbinary", STOA_TYPE_BINARY, 0},
    {"fixed", STOA_TYPE_FIXED, 0}, {"uuid", STOA_TYPE_UUID, 0},
    {"list", STOA_TYPE_LIST, 0}, {"array", STOA_TYPE_LIST, 0},
    {"map", STOA_TYPE_MAP, 0}, {"struct", STOA_TYPE_STRUCT, 0},
};
// clang-format on
enum { TYPE_NAME_COUNT = sizeof TYPE_NAMES / sizeof TYPE_NAMES[0] };

/* -- words ------------------------------------------------------------------------------------ */

struct parser {
    const char *text;
    size_t size;
    size_t position;
    stoa_arena *arena; /* NULL: primitive types only */
    stoa_error *err;
};

static void skip_space(struct parser *parser) {
    while (parser->position < parser->size &&
           stoa_ascii_is_space(parser->text[parser->position])) {
        parser->position++;
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

stoa_status stoa_text_fail(const char *text, size_t size, size_t position, const char *expected,
                           stoa_error *err) {
    stoa_status status;
    if (position >= size) {
        status = stoa_fail(err, STOA_INVALID, "expected %s at byte %zu but the text ends", expected,
                           position);
    } else {
        size_t shown = shown_size(text + position, size - position);
        status = shown > 0
                     ? stoa_fail(err, STOA_INVALID, "expected %s at byte %zu but found '%.*s'",
                                 expected, position, (int)shown, text + position)
                     : stoa_fail(err, STOA_INVALID, "expected %s at byte %zu but found byte 0x%02x",
                                 expected, position, (unsigned)(unsigned char)text[position]);
    }
    if (err != NULL) {
        err->offset = (int64_t)position;
    }
    return status;
}

static stoa_status fail_here(struct parser *parser, const char *expected) {
    skip_space(parser);
    return stoa_text_fail(parser->text, parser->size, parser->position, expected, parser->err);
}

static char peek(struct parser *parser) {
    skip_space(parser);
    return parser->position < parser->size ? parser->text[parser->position] : '\0';
}

static bool take_char(struct parser *parser, char c) {
    if (peek(parser) != c || parser->position >= parser->size) {
        return false;
    }
    parser->position++;
    return true;
}

static size_t word_size(struct parser *parser) {
    skip_space(parser);
    size_t end = parser->position;
    if (end < parser->size && stoa_ascii_is_word_start(parser->text[end])) {
        while (end < parser->size && stoa_ascii_is_word(parser->text[end])) {
            end++;
        }
    }
    return end - parser->position;
}

static bool take_word(struct parser *parser, const char *word) {
    size_t size = word_size(parser);
    if (!stoa_ascii_same_word(parser->text + parser->position, size, word)) {
        return false;
    }
    parser->position += size;
    return true;
}

static bool take_words(struct parser *parser, const char *const *words, size_t count) {
    size_t start = parser->position;
    for (size_t i = 0; i < count; i++) {
        if (!take_word(parser, words[i])) {
            parser->position = start;
            return false;
        }
    }
    return true;
}

/* Text between two `quote`s, with a doubled one standing for itself. */
static stoa_status take_quoted(struct parser *parser, char quote, const char **out) {
    size_t start = ++parser->position;
    size_t end = start;
    while (end < parser->size &&
           (parser->text[end] != quote ||
            (end + 1 < parser->size && parser->text[end + 1] == quote))) {
        end += parser->text[end] == quote ? 2 : 1;
    }
    if (end >= parser->size) {
        parser->position = parser->size;
        return fail_here(parser, quote == '"' ? "a closing \"" : "a closing '");
    }
    if (memchr(parser->text + start, '\0', end - start) != NULL) {
        return fail_here(parser, "no zero byte in quotes");
    }
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate(parser->arena, end - start + 1, &memory, parser->err));
    char *copy = memory;
    size_t size = 0;
    for (size_t i = start; i < end; i++) {
        copy[size++] = parser->text[i];
        i += parser->text[i] == quote ? 1 : 0;
    }
    copy[size] = '\0';
    parser->position = end + 1;
    *out = copy;
    return STOA_OK;
}

static stoa_status take_name(struct parser *parser, const char **out) {
    if (peek(parser) == '"') {
        return take_quoted(parser, '"', out);
    }
    size_t size = word_size(parser);
    if (size == 0) {
        return fail_here(parser, "a column's name");
    }
    STOA_TRY(stoa_arena_copy_text(parser->arena, parser->text + parser->position, size, out,
                                  parser->err));
    parser->position += size;
    return STOA_OK;
}

static stoa_status take_number(struct parser *parser, int32_t *out) {
    (void)peek(parser);
    int64_t value = 0;
    size_t start = parser->position;
    while (parser->position < parser->size &&
           stoa_ascii_is_digit(parser->text[parser->position])) {
        value = value * 10 + (parser->text[parser->position] - '0');
        if (value > INT32_MAX) {
            parser->position = start;
            return fail_here(parser, "a number below 2^31");
        }
        parser->position++;
    }
    if (parser->position == start) {
        return fail_here(parser, "a number");
    }
    *out = (int32_t)value;
    return STOA_OK;
}

static stoa_status need(struct parser *parser, char c) {
    if (take_char(parser, c)) {
        return STOA_OK;
    }
    char expected[] = "' '";
    expected[1] = c;
    return fail_here(parser, expected);
}

/* -- types ------------------------------------------------------------------------------------ */

static stoa_status parse_parameters(struct parser *parser, stoa_type *out) {
    if (out->kind == STOA_TYPE_DECIMAL) {
        STOA_TRY(need(parser, '('));
        STOA_TRY(take_number(parser, &out->precision));
        if (take_char(parser, ',')) {
            STOA_TRY(take_number(parser, &out->scale));
        }
        return need(parser, ')');
    }
    if (out->kind == STOA_TYPE_FIXED) {
        bool square = take_char(parser, '[');
        if (!square) {
            STOA_TRY(need(parser, '('));
        }
        STOA_TRY(take_number(parser, &out->length));
        return need(parser, square ? ']' : ')');
    }
    return STOA_OK;
}

/* "timestamp with time zone", "time without time zone", "double precision" */
static stoa_status parse_more_words(struct parser *parser, stoa_type *type, const char *name) {
    static const char *const WITH[] = {"with", "time", "zone"};
    static const char *const WITHOUT[] = {"without", "time", "zone"};
    static const char *const PRECISION[] = {"precision"};
    if (strcmp(name, "double") == 0) {
        (void)take_words(parser, PRECISION, 1);
    }
    if (strcmp(name, "timestamp") == 0 || strcmp(name, "time") == 0) {
        if (take_words(parser, WITHOUT, 3)) {
            return STOA_OK;
        }
        size_t start = parser->position;
        if (take_words(parser, WITH, 3)) {
            if (type->kind == STOA_TYPE_TIME) {
                parser->position = start;
                return fail_here(parser, "a time without a zone");
            }
            type->kind = STOA_TYPE_TIMESTAMP_TZ;
        }
    }
    return STOA_OK;
}

static const struct type_name *find_type_name(const char *word, size_t size) {
    for (size_t i = 0; i < TYPE_NAME_COUNT; i++) {
        if (stoa_ascii_same_word(word, size, TYPE_NAMES[i].name)) {
            return &TYPE_NAMES[i];
        }
    }
    return NULL;
}

static stoa_status parse_type(struct parser *parser, int32_t depth, stoa_type *out);
static stoa_status parse_columns(struct parser *parser, int32_t depth, char end,
                                 struct stoa_field_list *out);

static bool take_not_null(struct parser *parser) {
    static const char *const NOT_NULL[] = {"not", "null"};
    return take_words(parser, NOT_NULL, 2);
}

static stoa_status parse_item(struct parser *parser, int32_t depth, struct stoa_field_list *list) {
    stoa_field field = {0};
    STOA_TRY(parse_type(parser, depth, &field.type));
    field.required = take_not_null(parser);
    return stoa_field_list_append(list, &field, parser->err);
}

static stoa_status parse_nested(struct parser *parser, int32_t depth, stoa_type *out) {
    struct stoa_field_list list = {.arena = parser->arena};
    STOA_TRY(need(parser, '<'));
    if (out->kind == STOA_TYPE_STRUCT) {
        STOA_TRY(parse_columns(parser, depth + 1, '>', &list));
    } else {
        STOA_TRY(parse_item(parser, depth + 1, &list));
        if (out->kind == STOA_TYPE_MAP) {
            STOA_TRY(need(parser, ','));
            STOA_TRY(parse_item(parser, depth + 1, &list));
        }
    }
    STOA_TRY(need(parser, '>'));
    out->children = list.items;
    out->child_count = list.count;
    return STOA_OK;
}

/* "string[]": what stands before becomes the element of a list. */
static stoa_status parse_suffixes(struct parser *parser, int32_t depth, stoa_type *out) {
    while (parser->arena != NULL && peek(parser) == '[') {
        if (++depth > STOA_SCHEMA_DEPTH_MAX) {
            return fail_here(parser, "types nested at most 64 levels deep");
        }
        STOA_TRY(need(parser, '['));
        STOA_TRY(need(parser, ']'));
        struct stoa_field_list list = {.arena = parser->arena};
        stoa_field element = {.type = *out};
        STOA_TRY(stoa_field_list_append(&list, &element, parser->err));
        *out = (stoa_type){.kind = STOA_TYPE_LIST, .child_count = 1, .children = list.items};
    }
    return STOA_OK;
}

static stoa_status parse_type(struct parser *parser, int32_t depth, stoa_type *out) {
    *out = (stoa_type){0};
    if (depth > STOA_SCHEMA_DEPTH_MAX) {
        return fail_here(parser, "types nested at most 64 levels deep");
    }
    size_t size = word_size(parser);
    const struct type_name *name = find_type_name(parser->text + parser->position, size);
    if (name == NULL || (parser->arena == NULL && stoa_type_is_nested(name->kind))) {
        return fail_here(parser, "a type");
    }
    parser->position += size;
    out->kind = name->kind;
    out->unit = name->unit;
    STOA_TRY(parse_more_words(parser, out, name->name));
    STOA_TRY(parse_parameters(parser, out));
    if (stoa_type_is_nested(out->kind)) {
        STOA_TRY(parse_nested(parser, depth, out));
    }
    return parse_suffixes(parser, depth, out);
}

static stoa_status parse_column(struct parser *parser, int32_t depth, stoa_field *out) {
    *out = (stoa_field){0};
    STOA_TRY(take_name(parser, &out->name));
    (void)take_char(parser, ':');
    STOA_TRY(parse_type(parser, depth, &out->type));
    bool nullness = false;
    for (;;) {
        if (!nullness && take_not_null(parser)) {
            nullness = true;
            out->required = true;
        } else if (!nullness && take_word(parser, "null")) {
            nullness = true;
        } else if (out->doc == NULL && peek(parser) == '\'') {
            STOA_TRY(take_quoted(parser, '\'', &out->doc));
        } else {
            return STOA_OK;
        }
    }
}

static stoa_status parse_columns(struct parser *parser, int32_t depth, char end,
                                 struct stoa_field_list *out) {
    if (end != '\0' && peek(parser) == end) {
        return STOA_OK;
    }
    do {
        stoa_field field;
        STOA_TRY(parse_column(parser, depth, &field));
        STOA_TRY(stoa_field_list_append(out, &field, parser->err));
    } while (take_char(parser, ','));
    return STOA_OK;
}

stoa_status stoa_type_parse_primitive(const char *text, size_t size, stoa_type *out,
                                      stoa_error *err) {
    struct parser parser = {.text = text, .size = size, .err = err};
    STOA_TRY(parse_type(&parser, 1, out));
    (void)peek(&parser);
    return parser.position == size ? STOA_OK : fail_here(&parser, "the end of the type");
}

stoa_status stoa_schema_parse(stoa_pool *pool, const char *text, const stoa_schema **out,
                              stoa_error *err) {
    *out = NULL;
    stoa_arena scratch;
    stoa_arena_init(&scratch, pool);
    struct parser parser = {.text = text, .size = strlen(text), .arena = &scratch, .err = err};
    struct stoa_field_list columns = {.arena = &scratch};
    stoa_status status = STOA_OK;
    STOA_CHECK(parse_columns(&parser, 1, '\0', &columns));
    (void)peek(&parser);
    if (parser.position != parser.size) {
        status = fail_here(&parser, "',' or the end of the text");
        goto done;
    }
    STOA_CHECK(stoa_schema_create(pool, columns.items, columns.count, false, out, err));
done:
    stoa_arena_release(&scratch);
    return status;
}

/* -- printing --------------------------------------------------------------------------------- */

struct printer {
    char *out;
    size_t capacity;
    size_t length; /* that the whole text has, also beyond capacity */
};

static void put(struct printer *printer, const char *text, size_t size) {
    if (printer->length < printer->capacity) {
        size_t room = printer->capacity - printer->length;
        memcpy(printer->out + printer->length, text, size < room ? size : room);
    }
    printer->length += size;
}

static void put_text(struct printer *printer, const char *text) {
    put(printer, text, strlen(text));
}

static void put_quoted(struct printer *printer, const char *text, char quote) {
    put(printer, &quote, 1);
    for (const char *c = text; *c != '\0'; c++) {
        put(printer, c, 1);
        if (*c == quote) {
            put(printer, c, 1);
        }
    }
    put(printer, &quote, 1);
}

static void put_name(struct printer *printer, const char *name) {
    bool plain = true;
    for (const char *c = name; *c != '\0'; c++) {
        plain = plain && (unsigned char)*c < 0x80 &&
                (c == name ? stoa_ascii_is_word_start(*c) : stoa_ascii_is_word(*c));
    }
    if (plain) {
        put_text(printer, name);
    } else {
        put_quoted(printer, name, '"');
    }
}

const char *stoa_type_name(const stoa_type *type) {
    for (size_t i = 0; i < TYPE_NAME_COUNT; i++) {
        if (TYPE_NAMES[i].kind == type->kind &&
            (!stoa_type_has_unit(type->kind) || TYPE_NAMES[i].unit == type->unit)) {
            return TYPE_NAMES[i].name;
        }
    }
    return "?";
}

static void put_type(struct printer *printer, const stoa_type *type);

static void put_field(struct printer *printer, const stoa_field *field, const char *separator) {
    put_name(printer, field->name);
    put_text(printer, separator);
    put_type(printer, &field->type);
    put_text(printer, field->required ? " not null" : "");
    if (field->doc != NULL) {
        put_text(printer, " ");
        put_quoted(printer, field->doc, '\'');
    }
}

static void put_children(struct printer *printer, const stoa_type *type) {
    put_text(printer, "<");
    for (int32_t i = 0; i < type->child_count; i++) {
        const stoa_field *child = &type->children[i];
        put_text(printer, i == 0 ? "" : ", ");
        if (type->kind == STOA_TYPE_STRUCT) {
            put_field(printer, child, ": ");
            continue;
        }
        put_type(printer, &child->type);
        bool key = type->kind == STOA_TYPE_MAP && i == 0; /* always required, so never said */
        put_text(printer, child->required && !key ? " not null" : "");
    }
    put_text(printer, ">");
}

static void put_type(struct printer *printer, const stoa_type *type) {
    char number[48];
    put_text(printer, stoa_type_name(type));
    if (type->kind == STOA_TYPE_DECIMAL) {
        (void)snprintf(number, sizeof number, "(%d, %d)", (int)type->precision, (int)type->scale);
        put_text(printer, number);
    } else if (type->kind == STOA_TYPE_FIXED) {
        (void)snprintf(number, sizeof number, "[%d]", (int)type->length);
        put_text(printer, number);
    } else if (stoa_type_is_nested(type->kind)) {
        put_children(printer, type);
    }
}

static size_t finish(struct printer *printer) {
    if (printer->capacity > 0) {
        size_t end = printer->length < printer->capacity ? printer->length : printer->capacity - 1;
        printer->out[end] = '\0';
    }
    return printer->length;
}

size_t stoa_type_print(const stoa_type *type, char *out, size_t capacity) {
    struct printer printer = {.out = out, .capacity = capacity};
    put_type(&printer, type);
    return finish(&printer);
}

size_t stoa_schema_print(const stoa_schema *schema, char *out, size_t capacity) {
    struct printer printer = {.out = out, .capacity = capacity};
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        put_text(&printer, i == 0 ? "" : ", ");
        put_field(&printer, &schema->root.children[i], " ");
    }
    return finish(&printer);
}

stoa_type_text stoa_type_describe(const stoa_type *type) {
    stoa_type_text text;
    size_t length = stoa_type_print(type, text.text, sizeof text.text);
    if (length >= sizeof text.text) {
        memcpy(text.text + sizeof text.text - 4, "...", 4);
    }
    return text;
}
