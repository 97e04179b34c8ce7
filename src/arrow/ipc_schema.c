/* Reading Schema tables.
 *
 * A field is read in this order: name, type (which gives the format string), dictionary encoding,
 * children, metadata. Afterwards stoa_arrow_layout_parse judges format and children together, the
 * same judge as for schemas from anywhere else.
 *
 * Tables of a FlatBuffer may be shared, so that a few bytes describe a tree without end: the number
 * of fields, the bytes of texts and the depth are limited by the size of the metadata.
 *
 * Source   Apache Arrow, format/Schema.fbs; "The Arrow C data interface", "Data type description" */
#include "arrow/ipc_schema.h"

#include "arrow/ipc_format.h"
#include "arrow/schema.h"
#include "base/bytes.h"
#include "base/utf8.h"

enum {
    FIELD_BYTES_MIN = 8, /* no honest field takes less */
    TEXT_FACTOR = 16,    /* honest writers may share texts, but not without end */
    TEXT_BYTES_FREE = 1 << 16
};

struct read {
    stoa_pool *pool;
    stoa_arena *arena;
    stoa_flat_reader *reader;
    stoa_buffer format;   /* scratch */
    stoa_buffer metadata; /* scratch */
    stoa_buffer ids;
    uint64_t fields_left;
    uint64_t text_left;
};

static stoa_status field_read(struct read *read, stoa_flat_table field, int depth,
                              struct ArrowSchema *out, stoa_error *err);

/* The first fault that the FlatBuffer reader met, if any. */
static stoa_status check_reader(const struct read *read, stoa_error *err) {
    if (read->reader->wrong == NULL) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_CORRUPT, "%s (at byte %u of it)", read->reader->wrong,
                     read->reader->wrong_at);
}

static stoa_status spend(uint64_t *left, uint64_t amount, const char *what, stoa_error *err) {
    if (*left < amount) {
        return stoa_fail(err, STOA_CORRUPT, "the schema has more %s than its bytes can hold", what);
    }
    *left -= amount;
    return STOA_OK;
}

/* Before room is made for as many fields as a vector claims. */
static stoa_status check_count(const struct read *read, stoa_flat_vector fields, stoa_error *err) {
    uint64_t left = read->fields_left;
    return spend(&left, fields.count, "fields", err);
}

/* Copies a text that must be UTF-8 without NUL, since C strings carry it from here on. */
static stoa_status text_read(struct read *read, stoa_flat_table table, uint32_t number,
                             const char *what, const char **out, stoa_error *err) {
    uint32_t size = 0;
    const char *text = stoa_flat_string(table, number, &size);
    STOA_TRY(check_reader(read, err));
    STOA_TRY(spend(&read->text_left, size, "text", err));
    if (text != NULL && !stoa_utf8_valid(text, size, NULL)) {
        return stoa_fail(err, STOA_CORRUPT, "the %s is not UTF-8", what);
    }
    if (text != NULL && memchr(text, 0, size) != NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED, "the %s '%.100s' goes on after a NUL byte", what,
                         text);
    }
    return stoa_arena_copy_text(read->arena, text == NULL ? "" : text, size, out, err);
}

static stoa_status format_put(struct read *read, const char *text, stoa_error *err) {
    return stoa_buffer_append(&read->format, text, strlen(text) + 1, err);
}

static stoa_status unknown(const char *what, int64_t found, stoa_error *err) {
    return stoa_fail(err, STOA_UNSUPPORTED, "%s %" PRId64 " is not known", what, found);
}

static stoa_status int_read(struct read *read, stoa_flat_table type, stoa_error *err) {
    int32_t width = stoa_flat_i32(type, INT_BIT_WIDTH, 0);
    bool is_signed = stoa_flat_bool(type, INT_IS_SIGNED, false);
    switch (width) {
    case 8: return format_put(read, is_signed ? "c" : "C", err);
    case 16: return format_put(read, is_signed ? "s" : "S", err);
    case 32: return format_put(read, is_signed ? "i" : "I", err);
    case 64: return format_put(read, is_signed ? "l" : "L", err);
    default:
        return stoa_fail(err, STOA_CORRUPT,
                         "expected an integer of 8, 16, 32 or 64 bits but found "
                         "%" PRId32,
                         width);
    }
}

/* One of `count` formats by an enumeration's value. */
static stoa_status choice_read(struct read *read, const char *const *formats, int16_t count,
                               int16_t choice, const char *what, stoa_error *err) {
    if (choice < 0 || choice >= count) {
        return unknown(what, choice, err);
    }
    return format_put(read, formats[choice], err);
}

static stoa_status time_read(struct read *read, stoa_flat_table type, stoa_error *err) {
    static const char *const formats[] = {"tts", "ttm", "ttu", "ttn"};
    int16_t unit = stoa_flat_i16(type, TIME_UNIT, UNIT_MILLISECOND);
    int32_t width = stoa_flat_i32(type, TIME_BIT_WIDTH, 32);
    if (unit >= 0 && unit < 4 && width != (unit <= UNIT_MILLISECOND ? 32 : 64)) {
        return stoa_fail(err, STOA_CORRUPT, "expected a time of %d bits but found %" PRId32,
                         unit <= UNIT_MILLISECOND ? 32 : 64, width);
    }
    return choice_read(read, formats, 4, unit, "time unit", err);
}

static stoa_status timestamp_read(struct read *read, stoa_flat_table type, stoa_error *err) {
    static const char units[] = "smun";
    int16_t unit = stoa_flat_i16(type, TIME_UNIT, 0);
    if (unit < 0 || unit >= 4) {
        return unknown("time unit", unit, err);
    }
    const char *timezone = NULL;
    STOA_TRY(text_read(read, type, TIMESTAMP_TIMEZONE, "time zone", &timezone, err));
    const char head[] = {'t', 's', units[unit], ':'};
    STOA_TRY(stoa_buffer_append(&read->format, head, sizeof head, err));
    return format_put(read, timezone, err);
}

static stoa_status decimal_read(struct read *read, stoa_flat_table type, stoa_error *err) {
    int32_t precision = stoa_flat_i32(type, DECIMAL_PRECISION, 0);
    int32_t scale = stoa_flat_i32(type, DECIMAL_SCALE, 0);
    int32_t width = stoa_flat_i32(type, DECIMAL_BIT_WIDTH, 128);
    STOA_TRY(
        stoa_buffer_append_format(&read->format, err, "d:%" PRId32 ",%" PRId32, precision, scale));
    if (width != 128) {
        STOA_TRY(stoa_buffer_append_format(&read->format, err, ",%" PRId32, width));
    }
    return stoa_buffer_append_byte(&read->format, 0, err);
}

/* "+ud:0,1,…"; without type ids, children count up from 0. */
static stoa_status union_read(struct read *read, stoa_flat_table type, uint32_t child_count,
                              stoa_error *err) {
    static const char *const heads[] = {"+us:", "+ud:"};
    int16_t mode = stoa_flat_i16(type, UNION_MODE, 0);
    if (mode < 0 || mode > 1) {
        return unknown("union mode", mode, err);
    }
    stoa_flat_vector ids = stoa_flat_vector_of(type, UNION_TYPE_IDS, sizeof(int32_t));
    STOA_TRY(check_reader(read, err));
    if (ids.reader != NULL && ids.count != child_count) {
        return stoa_fail(err, STOA_CORRUPT, "expected %u type ids of a union but found %u",
                         child_count, ids.count);
    }
    STOA_TRY(stoa_buffer_append_text(&read->format, heads[mode], err));
    for (uint32_t i = 0; i < child_count; i++) {
        int32_t id = ids.reader == NULL ? (int32_t)i : stoa_load_i32(stoa_flat_element(ids, i));
        STOA_TRY(
            stoa_buffer_append_format(&read->format, err, i == 0 ? "%" PRId32 : ",%" PRId32, id));
    }
    return stoa_buffer_append_byte(&read->format, 0, err);
}

static stoa_status width_read(struct read *read, stoa_flat_table type, const char *head,
                              stoa_error *err) {
    int32_t width = stoa_flat_i32(type, FIXED_WIDTH, 0);
    STOA_TRY(stoa_buffer_append_format(&read->format, err, "%s%" PRId32, head, width));
    return stoa_buffer_append_byte(&read->format, 0, err);
}

static stoa_status simple_read(struct read *read, uint8_t kind, stoa_error *err) {
    static const char *const formats[] = {
        [TYPE_NULL] = "n",
        [TYPE_BINARY] = "z",
        [TYPE_UTF8] = "u",
        [TYPE_BOOL] = "b",
        [TYPE_LIST] = "+l",
        [TYPE_STRUCT] = "+s",
        [TYPE_MAP] = "+m",
        [TYPE_LARGE_BINARY] = "Z",
        [TYPE_LARGE_UTF8] = "U",
        [TYPE_LARGE_LIST] = "+L",
        [TYPE_RUN_END_ENCODED] = "+r",
        [TYPE_BINARY_VIEW] = "vz",
        [TYPE_UTF8_VIEW] = "vu",
        [TYPE_LIST_VIEW] = "+vl",
        [TYPE_LARGE_LIST_VIEW] = "+vL",
    };
    if (kind == TYPE_NONE) {
        return stoa_fail(err, STOA_CORRUPT, "the type is missing");
    }
    if (kind >= sizeof formats / sizeof formats[0]) {
        return unknown("type number", kind, err);
    }
    return format_put(read, formats[kind], err);
}

/* Leaves the format string in read->format. */
static stoa_status type_read(struct read *read, stoa_flat_table field, uint8_t kind,
                             uint32_t child_count, stoa_error *err) {
    static const char *const floats[] = {"e", "f", "g"};
    static const char *const dates[] = {"tdD", "tdm"};
    static const char *const intervals[] = {"tiM", "tiD", "tin"};
    static const char *const durations[] = {"tDs", "tDm", "tDu", "tDn"};
    stoa_flat_table type = stoa_flat_child(field, FIELD_TYPE);
    stoa_buffer_clear(&read->format);
    switch (kind) {
    case TYPE_INT: return int_read(read, type, err);
    case TYPE_FLOATING_POINT:
        return choice_read(read, floats, 3, stoa_flat_i16(type, FLOAT_PRECISION, 0),
                           "float precision", err);
    case TYPE_DECIMAL: return decimal_read(read, type, err);
    case TYPE_DATE:
        return choice_read(read, dates, 2, stoa_flat_i16(type, DATE_UNIT, UNIT_MILLISECOND),
                           "date unit", err);
    case TYPE_TIME: return time_read(read, type, err);
    case TYPE_TIMESTAMP: return timestamp_read(read, type, err);
    case TYPE_INTERVAL:
        return choice_read(read, intervals, 3, stoa_flat_i16(type, INTERVAL_UNIT, 0),
                           "interval unit", err);
    case TYPE_DURATION:
        return choice_read(read, durations, 4, stoa_flat_i16(type, TIME_UNIT, UNIT_MILLISECOND),
                           "time unit", err);
    case TYPE_UNION: return union_read(read, type, child_count, err);
    case TYPE_FIXED_SIZE_BINARY: return width_read(read, type, "w:", err);
    case TYPE_FIXED_SIZE_LIST: return width_read(read, type, "+w:", err);
    default: return simple_read(read, kind, err);
    }
}

/* Key-value pairs, put together in the encoding of the C data interface. */
static stoa_status metadata_read(struct read *read, stoa_flat_table table, uint32_t number,
                                 struct ArrowSchema *out, stoa_error *err) {
    stoa_flat_vector pairs = stoa_flat_tables_of(table, number);
    STOA_TRY(check_reader(read, err));
    if (pairs.count == 0) {
        return STOA_OK;
    }
    stoa_buffer_clear(&read->metadata);
    STOA_TRY(stoa_buffer_append(&read->metadata, &pairs.count, sizeof pairs.count, err));
    for (uint32_t i = 0; i < pairs.count; i++) {
        stoa_flat_table pair = stoa_flat_element_table(pairs, i);
        for (uint32_t part = KEY_VALUE_KEY; part <= KEY_VALUE_VALUE; part++) {
            uint32_t size = 0;
            const char *text = stoa_flat_string(pair, part, &size);
            STOA_TRY(check_reader(read, err));
            STOA_TRY(spend(&read->text_left, (uint64_t)size + sizeof size, "metadata", err));
            STOA_TRY(stoa_buffer_append(&read->metadata, &size, sizeof size, err));
            STOA_TRY(stoa_buffer_append(&read->metadata, text, size, err));
        }
    }
    return stoa_arrow_schema_copy_metadata(read->pool, out, (const char *)read->metadata.data, err);
}

static stoa_status children_read(struct read *read, stoa_flat_vector children, int depth,
                                 struct ArrowSchema *out, stoa_error *err) {
    for (uint32_t i = 0; i < children.count; i++) {
        STOA_TRY(field_read(read, stoa_flat_element_table(children, i), depth + 1, out->children[i],
                            err));
    }
    return STOA_OK;
}

/* A node of the field's own type, its children still to be read. */
static stoa_status typed_open(struct read *read, stoa_flat_table field, uint32_t child_count,
                              const char *name, bool nullable, struct ArrowSchema *out,
                              stoa_error *err) {
    uint8_t kind = stoa_flat_u8(field, FIELD_TYPE_TYPE, TYPE_NONE);
    bool sorted = kind == TYPE_MAP &&
                  stoa_flat_bool(stoa_flat_child(field, FIELD_TYPE), MAP_KEYS_SORTED, false);
    STOA_TRY(type_read(read, field, kind, child_count, err));
    STOA_TRY(check_reader(read, err));
    STOA_TRY(stoa_arrow_schema_init(read->pool, (const char *)read->format.data, name, nullable,
                                    child_count, out, err));
    out->flags |= sorted ? ARROW_FLAG_MAP_KEYS_SORTED : 0;
    return STOA_OK;
}

static stoa_status encoding_read(struct read *read, stoa_flat_table encoding, const char *name,
                                 bool nullable, struct ArrowSchema *out, stoa_error *err) {
    int64_t id = stoa_flat_i64(encoding, ENCODING_ID, 0);
    int16_t kind = stoa_flat_i16(encoding, ENCODING_KIND, 0);
    stoa_flat_table index = stoa_flat_child(encoding, ENCODING_INDEX_TYPE);
    STOA_TRY(check_reader(read, err));
    if (kind != 0) {
        return unknown("kind of dictionary", kind, err);
    }
    stoa_buffer_clear(&read->format);
    STOA_TRY(stoa_flat_present(index) ? int_read(read, index, err) : format_put(read, "i", err));
    STOA_TRY(stoa_buffer_append(&read->ids, &id, sizeof id, err));
    STOA_TRY(stoa_arrow_schema_init(read->pool, (const char *)read->format.data, name, nullable, 0,
                                    out, err));
    if (stoa_flat_bool(encoding, ENCODING_IS_ORDERED, false)) {
        out->flags |= ARROW_FLAG_DICTIONARY_ORDERED;
    }
    return stoa_arrow_schema_add_dictionary(read->pool, out, err);
}

/* Everything of a field but its children; `*out_typed` is the node that they belong to: the field
 * itself, or the nameless values of its dictionary. */
static stoa_status field_open(struct read *read, stoa_flat_table field, uint32_t child_count,
                              const char *name, struct ArrowSchema *out,
                              struct ArrowSchema **out_typed, stoa_error *err) {
    bool nullable = stoa_flat_bool(field, FIELD_NULLABLE, false);
    stoa_flat_table encoding = stoa_flat_child(field, FIELD_DICTIONARY);
    STOA_TRY(check_reader(read, err));
    *out_typed = out;
    if (stoa_flat_present(encoding)) {
        STOA_TRY(encoding_read(read, encoding, name, nullable, out, err));
        *out_typed = out->dictionary;
        STOA_TRY(typed_open(read, field, child_count, "", true, out->dictionary, err));
    } else {
        STOA_TRY(typed_open(read, field, child_count, name, nullable, out, err));
    }
    return metadata_read(read, field, FIELD_METADATA, out, err);
}

static stoa_status field_read(struct read *read, stoa_flat_table field, int depth,
                              struct ArrowSchema *out, stoa_error *err) {
    const char *name = NULL;
    stoa_flat_vector children = stoa_flat_tables_of(field, FIELD_CHILDREN);
    STOA_TRY(check_reader(read, err));
    STOA_TRY(spend(&read->fields_left, 1, "fields", err));
    STOA_TRY(check_count(read, children, err));
    if (depth > STOA_ARROW_DEPTH_MAX) {
        return stoa_fail(err, STOA_UNSUPPORTED, "the schema is nested deeper than %d levels",
                         (int)STOA_ARROW_DEPTH_MAX);
    }
    STOA_TRY(text_read(read, field, FIELD_NAME, "name of a field", &name, err));
    struct ArrowSchema *typed = NULL;
    stoa_status status = field_open(read, field, children.count, name, out, &typed, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "field '%.60s'", name);
        return status;
    }
    STOA_TRY(children_read(read, children, depth, typed, err));
    stoa_arrow_layout layout;
    if (typed != out) {
        STOA_TRY(stoa_arrow_layout_parse(typed, &layout, err));
    }
    return stoa_arrow_layout_parse(out, &layout, err);
}

static stoa_status root_read(struct read *read, stoa_flat_table table, struct ArrowSchema *out,
                             stoa_error *err) {
    int16_t endianness = stoa_flat_i16(table, SCHEMA_ENDIANNESS, ENDIANNESS_LITTLE);
    stoa_flat_vector fields = stoa_flat_tables_of(table, SCHEMA_FIELD_LIST);
    STOA_TRY(check_reader(read, err));
    if (!stoa_flat_present(table)) {
        return stoa_fail(err, STOA_CORRUPT, "the schema is missing");
    }
    if (endianness != ENDIANNESS_LITTLE) {
        return stoa_fail(err, STOA_UNSUPPORTED, "big-endian data is not supported");
    }
    STOA_TRY(check_count(read, fields, err));
    STOA_TRY(stoa_arrow_schema_init(read->pool, "+s", "", false, fields.count, out, err));
    STOA_TRY(children_read(read, fields, 0, out, err));
    return metadata_read(read, table, SCHEMA_METADATA, out, err);
}

stoa_status stoa_ipc_schema_read(stoa_pool *pool, stoa_arena *arena, stoa_flat_table table,
                                 struct ArrowSchema *out, stoa_ipc_ids *out_ids, stoa_error *err) {
    *out = (struct ArrowSchema){0};
    *out_ids = (stoa_ipc_ids){0};
    stoa_flat_reader none = {0};
    stoa_flat_reader *reader = stoa_flat_present(table) ? table.reader : &none;
    struct read read = {
        .pool = pool,
        .arena = arena,
        .reader = reader,
        .fields_left = reader->size / FIELD_BYTES_MIN,
        .text_left = (uint64_t)reader->size * TEXT_FACTOR + TEXT_BYTES_FREE,
    };
    stoa_buffer_init(&read.format, pool);
    stoa_buffer_init(&read.metadata, pool);
    stoa_buffer_init(&read.ids, pool);
    void *memory = NULL;
    stoa_status status = STOA_OK;

    STOA_CHECK(root_read(&read, table, out, err));
    STOA_CHECK(stoa_arena_allocate(arena, read.ids.size, &memory, err));
    if (read.ids.size > 0) {
        memcpy(memory, read.ids.data, read.ids.size);
    }
    *out_ids = (stoa_ipc_ids){memory, (uint32_t)(read.ids.size / sizeof(int64_t))};

done:
    stoa_buffer_release(&read.format);
    stoa_buffer_release(&read.metadata);
    stoa_buffer_release(&read.ids);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(out);
        if (status == STOA_INVALID) { /* what is a wrong request elsewhere is a wrong file here */
            status = STOA_CORRUPT;
            if (err != NULL) {
                err->status = status;
            }
        }
    }
    return status;
}
