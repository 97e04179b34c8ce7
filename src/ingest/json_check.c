/* A walk over JSON values beside the tree of their types, without a tree of the values.
 *
 * The engine's reader, once it is given columns, drops members that it was not told of, rounds
 * fractions, and recurses without a limit. All three are found here, in one look at the bytes. A line
 * that is no JSON comes out fine: the walk only has to survive it. */
#include "ingest/json_check.h"

#include <jansson.h>
#include <string.h>

struct level {
    const stoa_type *type; /* of the object or array; NULL: whatever it holds is taken as it is */
    int32_t hint;          /* members mostly come in the order of the fields */
    bool object;
};

struct walk {
    const char *text;
    size_t size;
    size_t at;
    int64_t line;
    int depth;
    bool key_next;
    const stoa_type *value; /* what the next value is read as */
    const char *name;       /* the last member */
    size_t name_size;
    const stoa_type *root;
    struct level levels[STOA_JSON_DEPTH_MAX + 1];
};

static bool is_whole(const stoa_type *type) {
    return type != NULL && type->kind >= STOA_TYPE_INT8 && type->kind <= STOA_TYPE_UINT64;
}

static bool name_is(const stoa_field *field, const char *name, size_t size) {
    return strncmp(field->name, name, size) == 0 && field->name[size] == '\0';
}

static const stoa_field *find_plain(struct level *level, const char *name, size_t size) {
    int32_t count = level->type->child_count;
    for (int32_t i = 0; i < count; i++) {
        int32_t index = (level->hint + i) % count;
        if (name_is(&level->type->children[index], name, size)) {
            level->hint = (index + 1) % count;
            return &level->type->children[index];
        }
    }
    return NULL;
}

/* A name with escapes in it: rare, and decoded by a parser. */
static const stoa_field *find_escaped(struct level *level, const char *name, size_t size) {
    json_t *decoded = json_loadb(name - 1, size + 2, JSON_DECODE_ANY, NULL);
    const stoa_field *found = NULL;
    if (json_is_string(decoded)) {
        found = find_plain(level, json_string_value(decoded), json_string_length(decoded));
    }
    json_decref(decoded);
    return found;
}

/* Moves past a string whose quote was read; it ends at a line's end at the latest. */
static void skip_string(struct walk *walk) {
    for (; walk->at < walk->size; walk->at++) {
        char c = walk->text[walk->at];
        if (c == '\\') {
            walk->at++;
        } else if (c == '"' || c == '\n') {
            break;
        }
    }
    if (walk->at > walk->size) {
        walk->at = walk->size;
    }
}

/* A member's name: what is its value read as? */
static stoa_json_fault take_key(struct walk *walk) {
    struct level *level = &walk->levels[walk->depth - 1];
    size_t begin = walk->at;
    skip_string(walk);
    walk->name = walk->text + begin;
    walk->name_size = walk->at - begin;
    walk->key_next = false;
    walk->value = NULL;
    if (level->type == NULL) {
        return STOA_JSON_FINE;
    }
    if (level->type->kind == STOA_TYPE_MAP) {
        walk->value = &level->type->children[1].type;
        return STOA_JSON_FINE;
    }
    if (level->type->kind != STOA_TYPE_STRUCT || level->type->child_count == 0) {
        return STOA_JSON_FINE;
    }
    bool escaped = memchr(walk->name, '\\', walk->name_size) != NULL;
    const stoa_field *field = escaped ? find_escaped(level, walk->name, walk->name_size)
                                      : find_plain(level, walk->name, walk->name_size);
    if (field == NULL) {
        return STOA_JSON_MEMBER;
    }
    walk->value = &field->type;
    return STOA_JSON_FINE;
}

static stoa_json_fault open_level(struct walk *walk, bool object) {
    if (walk->depth == STOA_JSON_DEPTH_MAX) {
        return STOA_JSON_DEEP;
    }
    const stoa_type *type = walk->depth == 0 && object ? walk->root : walk->value;
    walk->levels[walk->depth++] = (struct level){.type = type, .object = object};
    walk->key_next = object;
    walk->value = !object && type != NULL && type->kind == STOA_TYPE_LIST ? &type->children[0].type
                                                                          : NULL;
    return STOA_JSON_FINE;
}

static void close_level(struct walk *walk) {
    walk->depth -= walk->depth > 0;
    walk->key_next = false;
}

/* After a comma: a member in an object, the next item in an array. */
static void next_item(struct walk *walk) {
    if (walk->depth == 0) {
        return;
    }
    const struct level *level = &walk->levels[walk->depth - 1];
    walk->key_next = level->object;
    if (!level->object) {
        walk->value = level->type != NULL && level->type->kind == STOA_TYPE_LIST
                          ? &level->type->children[0].type
                          : NULL;
    }
}

static bool is_number_byte(char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

static stoa_json_fault take_number(struct walk *walk, stoa_json_place *out) {
    size_t begin = walk->at - 1;
    bool fraction = false;
    for (; walk->at < walk->size && is_number_byte(walk->text[walk->at]); walk->at++) {
        char c = walk->text[walk->at];
        fraction = fraction || c == '.' || c == 'e' || c == 'E';
    }
    if (!fraction || !is_whole(walk->value)) {
        return STOA_JSON_FINE;
    }
    out->value = walk->text + begin;
    out->value_size = walk->at - begin;
    return STOA_JSON_FRACTION;
}

static void begin_line(struct walk *walk) {
    walk->line++;
    walk->depth = 0;
    walk->key_next = false;
    walk->value = NULL;
    walk->name_size = 0;
}

static stoa_json_fault take_string(struct walk *walk) {
    stoa_json_fault fault = STOA_JSON_FINE;
    if (walk->key_next) {
        fault = take_key(walk);
    } else {
        skip_string(walk);
    }
    if (walk->at < walk->size && walk->text[walk->at] == '"') {
        walk->at++;
    }
    return fault;
}

stoa_json_fault stoa_json_check(const char *text, size_t size, const stoa_schema *columns,
                                stoa_json_place *out) {
    struct walk walk = {.text = text,
                        .size = size,
                        .line = 1,
                        .root = &columns->root,
                        .name = text};
    stoa_json_fault fault = STOA_JSON_FINE;
    *out = (stoa_json_place){0};
    while (walk.at < size && fault == STOA_JSON_FINE) {
        char c = text[walk.at++];
        switch (c) {
        case '\n': begin_line(&walk); break;
        case '{': fault = open_level(&walk, true); break;
        case '[': fault = open_level(&walk, false); break;
        case '}':
        case ']': close_level(&walk); break;
        case ',': next_item(&walk); break;
        case '"': fault = take_string(&walk); break;
        default: fault = c == '-' || (c >= '0' && c <= '9') ? take_number(&walk, out) : fault;
        }
    }
    out->line = walk.line;
    out->name = walk.name;
    out->name_size = walk.name_size;
    return fault;
}
