/* Predicates from text.
 *
 *     or         = and { "or" and }
 *     and        = not { "and" not }
 *     not        = "not" not | test
 *     test       = "(" or ")" | "true" | "false"
 *                | "starts_with" "(" column "," 'text' ")"
 *                | literal op column
 *                | column [ op literal | [ "not" ] ( "between" literal "and" literal
 *                         | "in" "(" literal { "," literal } ")" | "like" 'prefix%' )
 *                         | "is" [ "not" ] "null" ]          (a boolean column may stand alone)
 *     literal    = ( number | 'text' | "true" | "false" | "null" ) [ "::" type ] | type 'text'
 *     column     = name { "." name }
 *
 * The depth of parentheses and of "not" is bounded. A chain of "and" or "or" is one node. */
#include <string.h>

#include "schema/predicate_build.h"
#include "schema/scanner.h"

enum { TEXT_DEPTH_MAX = 100, LITERALS_FIRST = 8 };

struct parser {
    stoa_scanner scanner;
    const stoa_schema *schema;
    int32_t depth;
};

static stoa_status parse_or(struct parser *parser, const stoa_predicate **out);

static stoa_status expected(struct parser *parser, const char *what) {
    return stoa_scanner_fail(&parser->scanner, what);
}

static bool take_word(struct parser *parser, const char *word) {
    return stoa_scanner_take_word(&parser->scanner, word);
}

/* -- columns ---------------------------------------------------------------------------------- */

static const stoa_field *find_child(const stoa_type *type, const char *name) {
    const stoa_field *found = NULL;
    for (int32_t i = 0; i < type->child_count; i++) {
        if (strcmp(type->children[i].name, name) == 0) {
            return &type->children[i];
        }
    }
    for (int32_t i = 0; i < type->child_count; i++) {
        if (stoa_ascii_same_word(name, strlen(name), type->children[i].name)) {
            if (found != NULL) {
                return NULL;
            }
            found = &type->children[i];
        }
    }
    return found;
}

static stoa_status unknown_column(struct parser *parser, size_t position, const char *name,
                                  const stoa_field *parent) {
    stoa_error *err = parser->scanner.err;
    (void)stoa_fail(err, STOA_INVALID, "%s '%s' at byte %zu: there is no such %s%s%s",
                    parent == NULL ? "column" : "field", name, position,
                    parent == NULL ? "column" : "field in '", parent == NULL ? "" : parent->name,
                    parent == NULL ? "" : "'");
    if (err != NULL) {
        err->offset = (int64_t)position;
    }
    return STOA_INVALID;
}

static stoa_status parse_column(struct parser *parser, const stoa_field **out) {
    const stoa_field *field = NULL;
    do {
        const char *name = NULL;
        (void)stoa_scanner_peek(&parser->scanner);
        size_t position = parser->scanner.position;
        STOA_TRY(stoa_scanner_take_name(&parser->scanner, &name));
        const stoa_field *found = field == NULL ? stoa_schema_column(parser->schema, name)
                                  : field->type.kind == STOA_TYPE_STRUCT
                                      ? find_child(&field->type, name)
                                      : NULL;
        if (found == NULL) {
            return unknown_column(parser, position, name, field);
        }
        field = found;
    } while (stoa_scanner_take(&parser->scanner, '.'));
    *out = field;
    return STOA_OK;
}

/* -- literals --------------------------------------------------------------------------------- */

static bool number_next(struct parser *parser) {
    char c = stoa_scanner_peek(&parser->scanner);
    return stoa_ascii_is_digit(c) || c == '-' || c == '+' || c == '.';
}

static void take_number(struct parser *parser, stoa_literal *out) {
    stoa_scanner *scanner = &parser->scanner;
    size_t start = scanner->position;
    bool exponent = false;
    while (scanner->position < scanner->size) {
        char c = scanner->text[scanner->position];
        bool sign = c == '+' || c == '-';
        bool after_e = scanner->position > start &&
                       stoa_ascii_lower(scanner->text[scanner->position - 1]) == 'e';
        bool part = stoa_ascii_is_digit(c) || (c == '.' && !exponent) ||
                    (sign && (scanner->position == start || after_e)) ||
                    (stoa_ascii_lower(c) == 'e' && !exponent && scanner->position > start);
        if (!part) {
            break;
        }
        exponent = exponent || stoa_ascii_lower(c) == 'e';
        scanner->position++;
    }
    out->form = STOA_LITERAL_NUMBER;
    out->text = scanner->text + start;
    out->size = scanner->position - start;
}

static stoa_status take_text(struct parser *parser, stoa_literal *out) {
    const char *text = NULL;
    STOA_TRY(stoa_scanner_take_quoted(&parser->scanner, '\'', &text));
    out->form = STOA_LITERAL_TEXT;
    out->text = text;
    out->size = strlen(text);
    return STOA_OK;
}

/* How much of the text before the next quote names a type: "date '", "timestamp with time zone '".
 * 0: what stands here is no such thing. */
static size_t type_before_quote(struct parser *parser, stoa_type *out) {
    stoa_scanner probe = parser->scanner;
    size_t start = (stoa_scanner_skip(&probe), probe.position);
    for (int32_t words = 0; words < 4; words++) {
        size_t size = stoa_scanner_word(&probe);
        if (size == 0) {
            break;
        }
        probe.position += size;
    }
    size_t size = probe.position - start;
    if (size == 0 || stoa_scanner_peek(&probe) != '\'' ||
        stoa_type_parse_primitive(probe.text + start, size, out, NULL) != STOA_OK) {
        return 0;
    }
    return size;
}

static bool literal_next(struct parser *parser) {
    static const char *const WORDS[] = {"true", "false", "null"};
    stoa_type type;
    if (number_next(parser) || stoa_scanner_peek(&parser->scanner) == '\'') {
        return true;
    }
    size_t size = stoa_scanner_word(&parser->scanner);
    for (size_t i = 0; size > 0 && i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (stoa_ascii_same_word(parser->scanner.text + parser->scanner.position, size, WORDS[i])) {
            return true;
        }
    }
    return type_before_quote(parser, &type) > 0;
}

/* "::timestamp_ns", "::decimal(10, 2)" */
static stoa_status take_cast(struct parser *parser, stoa_literal *out) {
    stoa_scanner *scanner = &parser->scanner;
    if (!stoa_scanner_take(scanner, ':')) {
        return STOA_OK;
    }
    STOA_TRY(stoa_scanner_need(scanner, ':'));
    stoa_scanner_skip(scanner);
    size_t start = scanner->position;
    size_t end = start + stoa_scanner_word(scanner);
    if (end < scanner->size && scanner->text[end] == '(') {
        const char *close = memchr(scanner->text + end, ')', scanner->size - end);
        end = close == NULL ? end : (size_t)(close - scanner->text) + 1;
    }
    if (stoa_type_parse_primitive(scanner->text + start, end - start, &out->type, NULL) !=
        STOA_OK) {
        return expected(parser, "a type");
    }
    scanner->position = end;
    out->typed = true;
    return STOA_OK;
}

static stoa_status parse_literal(struct parser *parser, stoa_literal *out) {
    *out = (stoa_literal){0};
    size_t typed = 0;
    if (number_next(parser)) {
        take_number(parser, out);
    } else if (stoa_scanner_peek(&parser->scanner) == '\'') {
        STOA_TRY(take_text(parser, out));
    } else if (take_word(parser, "null")) {
        out->form = STOA_LITERAL_NULL;
    } else if ((out->truth = take_word(parser, "true")) || take_word(parser, "false")) {
        out->form = STOA_LITERAL_BOOLEAN;
    } else if ((typed = type_before_quote(parser, &out->type)) > 0) {
        (void)stoa_scanner_peek(&parser->scanner);
        parser->scanner.position += typed;
        (void)stoa_scanner_peek(&parser->scanner);
        STOA_TRY(take_text(parser, out));
        out->typed = true;
        return STOA_OK;
    } else {
        return expected(parser, "a constant");
    }
    return take_cast(parser, out);
}

/* A failure that has no place yet gets the literal's. */
static stoa_status placed(struct parser *parser, size_t position, stoa_status status) {
    stoa_error *err = parser->scanner.err;
    if (status == STOA_INVALID && err != NULL && err->offset < 0) {
        stoa_wrap(err, "byte %zu", position);
        err->offset = (int64_t)position;
    }
    return status;
}

/* -- tests ------------------------------------------------------------------------------------ */

static bool take_operator(struct parser *parser, stoa_predicate_kind *out) {
    stoa_scanner *scanner = &parser->scanner;
    if (stoa_scanner_take(scanner, '=')) {
        (void)(scanner->position < scanner->size && scanner->text[scanner->position] == '=' &&
               scanner->position++);
        *out = STOA_PREDICATE_EQUAL;
        return true;
    }
    char first = stoa_scanner_peek(scanner);
    char second = scanner->position + 1 < scanner->size ? scanner->text[scanner->position + 1]
                                                        : '\0';
    if ((first == '<' && second == '>') || (first == '!' && second == '=')) {
        *out = STOA_PREDICATE_NOT_EQUAL;
        scanner->position += 2;
        return true;
    }
    if (first != '<' && first != '>') {
        return false;
    }
    bool equal = second == '=';
    *out = first == '<' ? (equal ? STOA_PREDICATE_LESS_EQUAL : STOA_PREDICATE_LESS)
                        : (equal ? STOA_PREDICATE_GREATER_EQUAL : STOA_PREDICATE_GREATER);
    scanner->position += equal ? 2 : 1;
    return true;
}

static stoa_predicate_kind mirrored(stoa_predicate_kind op) {
    switch (op) {
    case STOA_PREDICATE_LESS: return STOA_PREDICATE_GREATER;
    case STOA_PREDICATE_LESS_EQUAL: return STOA_PREDICATE_GREATER_EQUAL;
    case STOA_PREDICATE_GREATER: return STOA_PREDICATE_LESS;
    case STOA_PREDICATE_GREATER_EQUAL: return STOA_PREDICATE_LESS_EQUAL;
    default: return op;
    }
}

static stoa_status primitive_only(struct parser *parser, const stoa_field *field) {
    if (!stoa_type_is_nested(field->type.kind) && field->type.kind != STOA_TYPE_INTERVAL) {
        return STOA_OK;
    }
    return stoa_fail(parser->scanner.err, STOA_UNSUPPORTED,
                     "column '%s' of type %s cannot be compared in a predicate", field->name,
                     stoa_type_describe(&field->type).text);
}

static stoa_status compare(struct parser *parser, stoa_predicate_kind op, const stoa_field *field,
                           const stoa_literal *literal, size_t position,
                           const stoa_predicate **out) {
    STOA_TRY(primitive_only(parser, field));
    return placed(parser, position,
                  stoa_predicate_compare(parser->scanner.arena, op, field, literal, out,
                                         parser->scanner.err));
}

static size_t here(struct parser *parser) {
    (void)stoa_scanner_peek(&parser->scanner);
    return parser->scanner.position;
}

static stoa_status parse_comparison(struct parser *parser, stoa_predicate_kind op,
                                    const stoa_field *field, const stoa_predicate **out) {
    stoa_literal literal;
    size_t position = here(parser);
    STOA_TRY(parse_literal(parser, &literal));
    return compare(parser, op, field, &literal, position, out);
}

static stoa_status parse_between(struct parser *parser, const stoa_field *field,
                                 const stoa_predicate **out) {
    const stoa_predicate *sides[2];
    STOA_TRY(parse_comparison(parser, STOA_PREDICATE_GREATER_EQUAL, field, &sides[0]));
    if (!take_word(parser, "and")) {
        return expected(parser, "'and' of a between");
    }
    STOA_TRY(parse_comparison(parser, STOA_PREDICATE_LESS_EQUAL, field, &sides[1]));
    return stoa_predicate_node(parser->scanner.arena, STOA_PREDICATE_AND, sides, 2, out,
                               parser->scanner.err);
}

static stoa_status parse_in(struct parser *parser, const stoa_field *field,
                            const stoa_predicate **out) {
    stoa_arena *arena = parser->scanner.arena;
    int32_t capacity = 0;
    int32_t count = 0;
    stoa_literal *literals = NULL;
    size_t position = here(parser);
    STOA_TRY(primitive_only(parser, field));
    STOA_TRY(stoa_scanner_need(&parser->scanner, '('));
    do {
        if (count == capacity) {
            capacity = capacity == 0 ? LITERALS_FIRST : capacity * 2;
            void *memory = NULL;
            STOA_TRY(stoa_arena_allocate_array(arena, (size_t)capacity, sizeof(stoa_literal),
                                               &memory, parser->scanner.err));
            if (count > 0) {
                memcpy(memory, literals, (size_t)count * sizeof(stoa_literal));
            }
            literals = memory;
        }
        STOA_TRY(parse_literal(parser, &literals[count++]));
    } while (stoa_scanner_take(&parser->scanner, ','));
    STOA_TRY(stoa_scanner_need(&parser->scanner, ')'));
    return placed(parser, position,
                  stoa_predicate_in(arena, field, literals, count, out, parser->scanner.err));
}

static stoa_status starts_with(struct parser *parser, const stoa_field *field,
                               const stoa_literal *prefix, size_t position,
                               const stoa_predicate **out) {
    if (field->type.kind != STOA_TYPE_STRING && field->type.kind != STOA_TYPE_BINARY) {
        return placed(parser, position,
                      stoa_fail(parser->scanner.err, STOA_INVALID,
                                "column '%s': expected a string for a prefix but its type is %s",
                                field->name, stoa_type_describe(&field->type).text));
    }
    stoa_value value = {.type = field->type, .is_null = prefix->form == STOA_LITERAL_NULL};
    if (!value.is_null) {
        STOA_TRY(placed(parser, position,
                        stoa_value_parse(parser->scanner.arena, &field->type, prefix->text,
                                         prefix->size, &value, parser->scanner.err)));
    }
    return stoa_predicate_leaf(parser->scanner.arena, STOA_PREDICATE_STARTS_WITH, field->id, &value,
                               1, out, parser->scanner.err);
}

/* Only patterns whose one wildcard is a % at the end; others are for the engine. */
static stoa_status parse_like(struct parser *parser, const stoa_field *field,
                              const stoa_predicate **out) {
    stoa_literal pattern = {0};
    size_t position = here(parser);
    if (stoa_scanner_peek(&parser->scanner) != '\'') {
        return expected(parser, "a pattern in quotes");
    }
    STOA_TRY(take_text(parser, &pattern));
    size_t plain = strcspn(pattern.text, "%_\\");
    if (plain == pattern.size) {
        return compare(parser, STOA_PREDICATE_EQUAL, field, &pattern, position, out);
    }
    if (pattern.text[plain] != '%' || plain + 1 != pattern.size) {
        stoa_status status =
            stoa_fail(parser->scanner.err, STOA_UNSUPPORTED,
                      "like '%.60s' at byte %zu: only patterns that end in their one %% are "
                      "supported here",
                      pattern.text, position);
        if (parser->scanner.err != NULL) {
            parser->scanner.err->offset = (int64_t)position;
        }
        return status;
    }
    pattern.size = plain;
    return starts_with(parser, field, &pattern, position, out);
}

static stoa_status negate(struct parser *parser, bool wanted, const stoa_predicate **inout) {
    return wanted ? stoa_predicate_node(parser->scanner.arena, STOA_PREDICATE_NOT, inout, 1, inout,
                                        parser->scanner.err)
                  : STOA_OK;
}

static stoa_status parse_is_null(struct parser *parser, const stoa_field *field,
                                 const stoa_predicate **out) {
    bool not= take_word(parser, "not");
    if (!take_word(parser, "null")) {
        return expected(parser, "'null'");
    }
    return stoa_predicate_leaf(parser->scanner.arena,
                               not? STOA_PREDICATE_IS_NOT_NULL : STOA_PREDICATE_IS_NULL, field->id,
                               NULL, 0, out, parser->scanner.err);
}

static stoa_status parse_after_column(struct parser *parser, const stoa_field *field,
                                      const stoa_predicate **out) {
    stoa_predicate_kind op;
    if (take_operator(parser, &op)) {
        return parse_comparison(parser, op, field, out);
    }
    if (take_word(parser, "is")) {
        return parse_is_null(parser, field, out);
    }
    bool not= take_word(parser, "not");
    if (take_word(parser, "between")) {
        STOA_TRY(parse_between(parser, field, out));
    } else if (take_word(parser, "in")) {
        STOA_TRY(parse_in(parser, field, out));
    } else if (take_word(parser, "like")) {
        STOA_TRY(parse_like(parser, field, out));
    } else if (!not &&field->type.kind == STOA_TYPE_BOOLEAN) {
        stoa_value truth = {.type = field->type, .i = 1};
        return stoa_predicate_leaf(parser->scanner.arena, STOA_PREDICATE_EQUAL, field->id, &truth,
                                   1, out, parser->scanner.err);
    } else {
        return expected(parser, "a comparison");
    }
    return negate(parser, not, out);
}

static stoa_status parse_starts_with(struct parser *parser, const stoa_predicate **out) {
    const stoa_field *field = NULL;
    stoa_literal prefix;
    STOA_TRY(stoa_scanner_need(&parser->scanner, '('));
    STOA_TRY(parse_column(parser, &field));
    STOA_TRY(stoa_scanner_need(&parser->scanner, ','));
    size_t position = here(parser);
    STOA_TRY(parse_literal(parser, &prefix));
    if (prefix.form != STOA_LITERAL_TEXT && prefix.form != STOA_LITERAL_NULL) {
        return expected(parser, "a prefix in quotes");
    }
    STOA_TRY(stoa_scanner_need(&parser->scanner, ')'));
    return starts_with(parser, field, &prefix, position, out);
}

static bool function_next(struct parser *parser, const char *name) {
    stoa_scanner probe = parser->scanner;
    if (!stoa_scanner_take_word(&probe, name) || stoa_scanner_peek(&probe) != '(') {
        return false;
    }
    parser->scanner = probe;
    return true;
}

static stoa_status parse_literal_first(struct parser *parser, const stoa_predicate **out) {
    stoa_literal literal;
    const stoa_field *field = NULL;
    stoa_predicate_kind op;
    size_t position = here(parser);
    STOA_TRY(parse_literal(parser, &literal));
    if (!take_operator(parser, &op)) {
        if (literal.form == STOA_LITERAL_BOOLEAN && !literal.typed) {
            return stoa_predicate_node(parser->scanner.arena,
                                       literal.truth ? STOA_PREDICATE_TRUE : STOA_PREDICATE_FALSE,
                                       NULL, 0, out, parser->scanner.err);
        }
        return expected(parser, "a comparison");
    }
    STOA_TRY(parse_column(parser, &field));
    return compare(parser, mirrored(op), field, &literal, position, out);
}

static stoa_status parse_test(struct parser *parser, const stoa_predicate **out) {
    if (stoa_scanner_take(&parser->scanner, '(')) {
        STOA_TRY(parse_or(parser, out));
        return stoa_scanner_need(&parser->scanner, ')');
    }
    if (function_next(parser, "starts_with")) {
        return parse_starts_with(parser, out);
    }
    if (literal_next(parser)) {
        return parse_literal_first(parser, out);
    }
    const stoa_field *field = NULL;
    STOA_TRY(parse_column(parser, &field));
    return parse_after_column(parser, field, out);
}

/* -- and, or, not ----------------------------------------------------------------------------- */

/* A column named "not" must stand in quotes, and so must one named "and" or "or". */
static stoa_status parse_not(struct parser *parser, const stoa_predicate **out) {
    if (++parser->depth > TEXT_DEPTH_MAX) {
        return expected(parser, "a predicate nested at most 100 levels deep");
    }
    if (take_word(parser, "not")) {
        STOA_TRY(parse_not(parser, out));
        STOA_TRY(negate(parser, true, out));
    } else {
        STOA_TRY(parse_test(parser, out));
    }
    parser->depth--;
    return STOA_OK;
}

/* `next` { word `next` } as one node, or as what it is when it stands alone. */
static stoa_status parse_chain(struct parser *parser, const char *word, stoa_predicate_kind kind,
                               stoa_status (*next)(struct parser *, const stoa_predicate **),
                               const stoa_predicate **out) {
    stoa_buffer children;
    stoa_buffer_init(&children, parser->scanner.arena->pool);
    stoa_status status = STOA_OK;
    do {
        const stoa_predicate *child = NULL;
        STOA_CHECK(next(parser, &child));
        STOA_CHECK(stoa_buffer_append(&children, &child, sizeof(void *), parser->scanner.err));
    } while (take_word(parser, word));
    size_t count = children.size / sizeof(void *);
    const stoa_predicate *const *list = (const stoa_predicate *const *)(void *)children.data;
    if (count == 1) {
        *out = list[0];
    } else {
        status = stoa_predicate_node(parser->scanner.arena, kind, list, (int32_t)count, out,
                                     parser->scanner.err);
    }
done:
    stoa_buffer_release(&children);
    return status;
}

static stoa_status parse_and(struct parser *parser, const stoa_predicate **out) {
    return parse_chain(parser, "and", STOA_PREDICATE_AND, parse_not, out);
}

static stoa_status parse_or(struct parser *parser, const stoa_predicate **out) {
    return parse_chain(parser, "or", STOA_PREDICATE_OR, parse_and, out);
}

stoa_status stoa_predicate_parse(stoa_arena *arena, const stoa_schema *schema, const char *text,
                                 const stoa_predicate **out, stoa_error *err) {
    struct parser parser = {
        .scanner = {.text = text, .size = strlen(text), .arena = arena, .err = err},
        .schema = schema,
    };
    *out = NULL;
    const stoa_predicate *parsed = NULL;
    STOA_TRY(parse_or(&parser, &parsed));
    (void)stoa_scanner_peek(&parser.scanner);
    if (parser.scanner.position != parser.scanner.size) {
        return expected(&parser, "'and', 'or' or the end of the text");
    }
    *out = parsed;
    return STOA_OK;
}
