/* The text form of types and schemas, both ways.
 *
 *     schema  = column { "," column }
 *     column  = name [ ":" ] type { "not" "null" | "null" | 'doc' }
 *     type    = simple | "decimal" "(" p [ "," s ] ")" | "fixed" "[" n "]"
 *             | "list" "<" type [ "not" "null" ] ">" | "map" "<" type "," type [ "not" "null" ] ">"
 *             | "struct" "<" [ column { "," column } ] ">" | type "[" "]"
 *
 * Keywords are read in any case; many names of other systems are read, one name each is printed.
 * Nothing in the text is trusted, and nesting is bounded. */
#include <stdio.h>
#include <string.h>

#include "schema/internal.h"
#include "schema/scanner.h"

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

/* -- types ------------------------------------------------------------------------------------ */

static stoa_status parse_parameters(stoa_scanner *scanner, stoa_type *out) {
    if (out->kind == STOA_TYPE_DECIMAL) {
        STOA_TRY(stoa_scanner_need(scanner, '('));
        STOA_TRY(stoa_scanner_take_number(scanner, &out->precision));
        if (stoa_scanner_take(scanner, ',')) {
            STOA_TRY(stoa_scanner_take_number(scanner, &out->scale));
        }
        return stoa_scanner_need(scanner, ')');
    }
    if (out->kind == STOA_TYPE_FIXED) {
        bool square = stoa_scanner_take(scanner, '[');
        if (!square) {
            STOA_TRY(stoa_scanner_need(scanner, '('));
        }
        STOA_TRY(stoa_scanner_take_number(scanner, &out->length));
        return stoa_scanner_need(scanner, square ? ']' : ')');
    }
    return STOA_OK;
}

/* "timestamp with time zone", "time without time zone", "double precision" */
static stoa_status parse_more_words(stoa_scanner *scanner, stoa_type *type, const char *name) {
    static const char *const WITH[] = {"with", "time", "zone"};
    static const char *const WITHOUT[] = {"without", "time", "zone"};
    static const char *const PRECISION[] = {"precision"};
    if (strcmp(name, "double") == 0) {
        (void)stoa_scanner_take_words(scanner, PRECISION, 1);
    }
    if (strcmp(name, "timestamp") == 0 || strcmp(name, "time") == 0) {
        if (stoa_scanner_take_words(scanner, WITHOUT, 3)) {
            return STOA_OK;
        }
        size_t start = scanner->position;
        if (stoa_scanner_take_words(scanner, WITH, 3)) {
            if (type->kind == STOA_TYPE_TIME) {
                scanner->position = start;
                return stoa_scanner_fail(scanner, "a time without a zone");
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

static stoa_status parse_type(stoa_scanner *scanner, int32_t depth, stoa_type *out);
static stoa_status parse_columns(stoa_scanner *scanner, int32_t depth, char end,
                                 struct stoa_field_list *out);

static bool take_not_null(stoa_scanner *scanner) {
    static const char *const NOT_NULL[] = {"not", "null"};
    return stoa_scanner_take_words(scanner, NOT_NULL, 2);
}

static stoa_status parse_item(stoa_scanner *scanner, int32_t depth, struct stoa_field_list *list) {
    stoa_field field = {0};
    STOA_TRY(parse_type(scanner, depth, &field.type));
    field.required = take_not_null(scanner);
    return stoa_field_list_append(list, &field, scanner->err);
}

static stoa_status parse_nested(stoa_scanner *scanner, int32_t depth, stoa_type *out) {
    struct stoa_field_list list = {.arena = scanner->arena};
    STOA_TRY(stoa_scanner_need(scanner, '<'));
    if (out->kind == STOA_TYPE_STRUCT) {
        STOA_TRY(parse_columns(scanner, depth + 1, '>', &list));
    } else {
        STOA_TRY(parse_item(scanner, depth + 1, &list));
        if (out->kind == STOA_TYPE_MAP) {
            STOA_TRY(stoa_scanner_need(scanner, ','));
            STOA_TRY(parse_item(scanner, depth + 1, &list));
        }
    }
    STOA_TRY(stoa_scanner_need(scanner, '>'));
    out->children = list.items;
    out->child_count = list.count;
    return STOA_OK;
}

/* "string[]": what stands before becomes the element of a list. */
static stoa_status parse_suffixes(stoa_scanner *scanner, int32_t depth, stoa_type *out) {
    while (scanner->arena != NULL && stoa_scanner_peek(scanner) == '[') {
        if (++depth > STOA_SCHEMA_DEPTH_MAX) {
            return stoa_scanner_fail(scanner, "types nested at most 64 levels deep");
        }
        STOA_TRY(stoa_scanner_need(scanner, '['));
        STOA_TRY(stoa_scanner_need(scanner, ']'));
        struct stoa_field_list list = {.arena = scanner->arena};
        stoa_field element = {.type = *out};
        STOA_TRY(stoa_field_list_append(&list, &element, scanner->err));
        *out = (stoa_type){.kind = STOA_TYPE_LIST, .child_count = 1, .children = list.items};
    }
    return STOA_OK;
}

static stoa_status parse_type(stoa_scanner *scanner, int32_t depth, stoa_type *out) {
    *out = (stoa_type){0};
    if (depth > STOA_SCHEMA_DEPTH_MAX) {
        return stoa_scanner_fail(scanner, "types nested at most 64 levels deep");
    }
    size_t size = stoa_scanner_word(scanner);
    const struct type_name *name = find_type_name(scanner->text + scanner->position, size);
    if (name == NULL || (scanner->arena == NULL && stoa_type_is_nested(name->kind))) {
        return stoa_scanner_fail(scanner, "a type");
    }
    scanner->position += size;
    out->kind = name->kind;
    out->unit = name->unit;
    STOA_TRY(parse_more_words(scanner, out, name->name));
    STOA_TRY(parse_parameters(scanner, out));
    if (stoa_type_is_nested(out->kind)) {
        STOA_TRY(parse_nested(scanner, depth, out));
    }
    return parse_suffixes(scanner, depth, out);
}

static stoa_status parse_column(stoa_scanner *scanner, int32_t depth, stoa_field *out) {
    *out = (stoa_field){0};
    STOA_TRY(stoa_scanner_take_name(scanner, &out->name));
    (void)stoa_scanner_take(scanner, ':');
    STOA_TRY(parse_type(scanner, depth, &out->type));
    bool nullness = false;
    for (;;) {
        if (!nullness && take_not_null(scanner)) {
            nullness = true;
            out->required = true;
        } else if (!nullness && stoa_scanner_take_word(scanner, "null")) {
            nullness = true;
        } else if (out->doc == NULL && stoa_scanner_peek(scanner) == '\'') {
            STOA_TRY(stoa_scanner_take_quoted(scanner, '\'', &out->doc));
        } else {
            return STOA_OK;
        }
    }
}

static stoa_status parse_columns(stoa_scanner *scanner, int32_t depth, char end,
                                 struct stoa_field_list *out) {
    if (end != '\0' && stoa_scanner_peek(scanner) == end) {
        return STOA_OK;
    }
    do {
        stoa_field field;
        STOA_TRY(parse_column(scanner, depth, &field));
        STOA_TRY(stoa_field_list_append(out, &field, scanner->err));
    } while (stoa_scanner_take(scanner, ','));
    return STOA_OK;
}

stoa_status stoa_type_parse_primitive(const char *text, size_t size, stoa_type *out,
                                      stoa_error *err) {
    stoa_scanner scanner = {.text = text, .size = size, .err = err};
    STOA_TRY(parse_type(&scanner, 1, out));
    (void)stoa_scanner_peek(&scanner);
    return scanner.position == size ? STOA_OK : stoa_scanner_fail(&scanner, "the end of the type");
}

stoa_status stoa_schema_parse(stoa_pool *pool, const char *text, const stoa_schema **out,
                              stoa_error *err) {
    *out = NULL;
    stoa_arena scratch;
    stoa_arena_init(&scratch, pool);
    stoa_scanner scanner = {.text = text, .size = strlen(text), .arena = &scratch, .err = err};
    struct stoa_field_list columns = {.arena = &scratch};
    stoa_status status = STOA_OK;
    STOA_CHECK(parse_columns(&scanner, 1, '\0', &columns));
    (void)stoa_scanner_peek(&scanner);
    if (scanner.position != scanner.size) {
        status = stoa_scanner_fail(&scanner, "',' or the end of the text");
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
