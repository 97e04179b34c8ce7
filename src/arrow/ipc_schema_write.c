/* Writing Schema tables: each field is its table, then its name, type, encoding, children and
 * metadata, in the order in which the table refers to them.
 *
 * Source   Apache Arrow, format/Schema.fbs */
#include "arrow/ipc_builder.h"
#include "arrow/ipc_format.h"
#include "arrow/ipc_schema.h"
#include "arrow/schema.h"
#include "base/bytes.h"

static stoa_status field_write(const stoa_ipc_field *field, stoa_buffer *out, uint32_t referrer,
                               stoa_error *err);

static uint8_t type_of(const stoa_arrow_layout *layout) {
    static const uint8_t types[] = {
        [STOA_ARROW_NULL] = TYPE_NULL,
        [STOA_ARROW_BOOL] = TYPE_BOOL,
        [STOA_ARROW_INT8] = TYPE_INT,
        [STOA_ARROW_UINT8] = TYPE_INT,
        [STOA_ARROW_INT16] = TYPE_INT,
        [STOA_ARROW_UINT16] = TYPE_INT,
        [STOA_ARROW_INT32] = TYPE_INT,
        [STOA_ARROW_UINT32] = TYPE_INT,
        [STOA_ARROW_INT64] = TYPE_INT,
        [STOA_ARROW_UINT64] = TYPE_INT,
        [STOA_ARROW_FLOAT16] = TYPE_FLOATING_POINT,
        [STOA_ARROW_FLOAT] = TYPE_FLOATING_POINT,
        [STOA_ARROW_DOUBLE] = TYPE_FLOATING_POINT,
        [STOA_ARROW_DECIMAL] = TYPE_DECIMAL,
        [STOA_ARROW_DATE32] = TYPE_DATE,
        [STOA_ARROW_DATE64] = TYPE_DATE,
        [STOA_ARROW_TIME32] = TYPE_TIME,
        [STOA_ARROW_TIME64] = TYPE_TIME,
        [STOA_ARROW_TIMESTAMP] = TYPE_TIMESTAMP,
        [STOA_ARROW_DURATION] = TYPE_DURATION,
        [STOA_ARROW_INTERVAL_MONTHS] = TYPE_INTERVAL,
        [STOA_ARROW_INTERVAL_DAY_TIME] = TYPE_INTERVAL,
        [STOA_ARROW_INTERVAL_MONTH_DAY_NANO] = TYPE_INTERVAL,
        [STOA_ARROW_STRING] = TYPE_UTF8,
        [STOA_ARROW_LARGE_STRING] = TYPE_LARGE_UTF8,
        [STOA_ARROW_STRING_VIEW] = TYPE_UTF8_VIEW,
        [STOA_ARROW_BINARY] = TYPE_BINARY,
        [STOA_ARROW_LARGE_BINARY] = TYPE_LARGE_BINARY,
        [STOA_ARROW_BINARY_VIEW] = TYPE_BINARY_VIEW,
        [STOA_ARROW_FIXED] = TYPE_FIXED_SIZE_BINARY,
        [STOA_ARROW_LIST] = TYPE_LIST,
        [STOA_ARROW_LARGE_LIST] = TYPE_LARGE_LIST,
        [STOA_ARROW_FIXED_LIST] = TYPE_FIXED_SIZE_LIST,
        [STOA_ARROW_STRUCT] = TYPE_STRUCT,
        [STOA_ARROW_MAP] = TYPE_MAP,
        [STOA_ARROW_DENSE_UNION] = TYPE_UNION,
        [STOA_ARROW_SPARSE_UNION] = TYPE_UNION,
        [STOA_ARROW_RUN_END] = TYPE_RUN_END_ENCODED,
    };
    return types[layout->kind];
}

static bool is_signed(stoa_arrow_kind kind) {
    return kind == STOA_ARROW_INT8 || kind == STOA_ARROW_INT16 || kind == STOA_ARROW_INT32 ||
           kind == STOA_ARROW_INT64;
}

static stoa_status int_write(const stoa_arrow_layout *layout, stoa_buffer *out, uint32_t referrer,
                             stoa_error *err) {
    stoa_flat_slot slots[] = {
        [INT_BIT_WIDTH] = STOA_FLAT_SCALAR(4, (uint64_t)layout->byte_width * 8),
        [INT_IS_SIGNED] = STOA_FLAT_SCALAR(1, is_signed(layout->kind)),
    };
    return stoa_flat_write_table(out, referrer, slots, 2, err);
}

static stoa_status timestamp_write(const stoa_arrow_layout *layout, stoa_buffer *out,
                                   uint32_t referrer, stoa_error *err) {
    bool zoned = layout->timezone_view[0] != '\0';
    stoa_flat_slot slots[] = {
        [TIME_UNIT] = STOA_FLAT_SCALAR(2, (uint64_t)layout->unit),
        [TIMESTAMP_TIMEZONE] = zoned ? STOA_FLAT_REFERENCE : STOA_FLAT_ABSENT,
    };
    STOA_TRY(stoa_flat_write_table(out, referrer, slots, 2, err));
    return zoned ? stoa_flat_write_string(out, slots[TIMESTAMP_TIMEZONE].position,
                                          layout->timezone_view, strlen(layout->timezone_view), err)
                 : STOA_OK;
}

/* The ids stand in the format string, which the layout's parser has checked. */
static stoa_status union_write(const stoa_ipc_field *field, stoa_buffer *out, uint32_t referrer,
                               stoa_error *err) {
    stoa_flat_slot slots[] = {
        [UNION_MODE] = STOA_FLAT_SCALAR(2, field->layout.kind == STOA_ARROW_DENSE_UNION),
        [UNION_TYPE_IDS] = STOA_FLAT_REFERENCE,
    };
    STOA_TRY(stoa_flat_write_table(out, referrer, slots, 2, err));
    uint32_t first = 0;
    STOA_TRY(stoa_flat_write_vector(out, slots[UNION_TYPE_IDS].position, NULL,
                                    (size_t)field->child_count, sizeof(int32_t), &first, err));
    const char *at = field->schema->format + strlen("+ud:");
    for (int64_t i = 0; i < field->child_count; i++) {
        uint32_t id = 0;
        for (; *at >= '0' && *at <= '9'; at++) {
            id = id * 10 + (uint32_t)(*at - '0');
        }
        stoa_store_u32(out->data + first + (size_t)i * sizeof id, id);
        at += *at == ',';
    }
    return STOA_OK;
}

static stoa_status decimal_write(const stoa_arrow_layout *layout, stoa_buffer *out,
                                 uint32_t referrer, stoa_error *err) {
    stoa_flat_slot slots[] = {
        [DECIMAL_PRECISION] = STOA_FLAT_SCALAR(4, (uint32_t)layout->precision),
        [DECIMAL_SCALE] = STOA_FLAT_SCALAR(4, (uint32_t)layout->scale),
        [DECIMAL_BIT_WIDTH] = STOA_FLAT_SCALAR(4, (uint64_t)layout->byte_width * 8),
    };
    return stoa_flat_write_table(out, referrer, slots, 3, err);
}

/* Types whose table has one scalar of `size` bytes, or none. */
static stoa_status scalar_write(stoa_buffer *out, uint32_t referrer, uint8_t size, uint64_t value,
                                stoa_error *err) {
    stoa_flat_slot slots[] = {STOA_FLAT_SCALAR(size, value)};
    return stoa_flat_write_table(out, referrer, slots, size == 0 ? 0 : 1, err);
}

static stoa_status type_write(const stoa_ipc_field *field, stoa_buffer *out, uint32_t referrer,
                              stoa_error *err) {
    const stoa_arrow_layout *layout = &field->layout;
    switch (layout->kind) {
    case STOA_ARROW_INT8:
    case STOA_ARROW_UINT8:
    case STOA_ARROW_INT16:
    case STOA_ARROW_UINT16:
    case STOA_ARROW_INT32:
    case STOA_ARROW_UINT32:
    case STOA_ARROW_INT64:
    case STOA_ARROW_UINT64: return int_write(layout, out, referrer, err);
    case STOA_ARROW_FLOAT16: return scalar_write(out, referrer, 2, 0, err);
    case STOA_ARROW_FLOAT: return scalar_write(out, referrer, 2, 1, err);
    case STOA_ARROW_DOUBLE: return scalar_write(out, referrer, 2, 2, err);
    case STOA_ARROW_DECIMAL: return decimal_write(layout, out, referrer, err);
    case STOA_ARROW_DATE32: return scalar_write(out, referrer, 2, 0, err);
    case STOA_ARROW_DATE64: return scalar_write(out, referrer, 2, 1, err);
    case STOA_ARROW_TIME32:
    case STOA_ARROW_TIME64: {
        stoa_flat_slot slots[] = {
            [TIME_UNIT] = STOA_FLAT_SCALAR(2, (uint64_t)layout->unit),
            [TIME_BIT_WIDTH] = STOA_FLAT_SCALAR(4, (uint64_t)layout->byte_width * 8),
        };
        return stoa_flat_write_table(out, referrer, slots, 2, err);
    }
    case STOA_ARROW_TIMESTAMP: return timestamp_write(layout, out, referrer, err);
    case STOA_ARROW_DURATION: return scalar_write(out, referrer, 2, (uint64_t)layout->unit, err);
    case STOA_ARROW_INTERVAL_MONTHS: return scalar_write(out, referrer, 2, 0, err);
    case STOA_ARROW_INTERVAL_DAY_TIME: return scalar_write(out, referrer, 2, 1, err);
    case STOA_ARROW_INTERVAL_MONTH_DAY_NANO: return scalar_write(out, referrer, 2, 2, err);
    case STOA_ARROW_FIXED: return scalar_write(out, referrer, 4, (uint32_t)layout->byte_width, err);
    case STOA_ARROW_FIXED_LIST:
        return scalar_write(out, referrer, 4, (uint32_t)layout->list_size, err);
    case STOA_ARROW_MAP:
        return scalar_write(out, referrer, 1,
                            (field->schema->flags & ARROW_FLAG_MAP_KEYS_SORTED) != 0, err);
    case STOA_ARROW_DENSE_UNION:
    case STOA_ARROW_SPARSE_UNION: return union_write(field, out, referrer, err);
    default: return scalar_write(out, referrer, 0, 0, err);
    }
}

struct pairs {
    stoa_buffer *out;
    uint32_t next; /* the reference to the next pair */
};

static stoa_status pair_write(void *user, const char *key, int32_t key_size, const char *value,
                              int32_t value_size, stoa_error *err) {
    struct pairs *pairs = user;
    stoa_flat_slot slots[] = {STOA_FLAT_REFERENCE, STOA_FLAT_REFERENCE};
    STOA_TRY(stoa_flat_write_table(pairs->out, pairs->next, slots, KEY_VALUE_FIELDS, err));
    STOA_TRY(stoa_flat_write_string(pairs->out, slots[KEY_VALUE_KEY].position, key,
                                    (size_t)key_size, err));
    STOA_TRY(stoa_flat_write_string(pairs->out, slots[KEY_VALUE_VALUE].position, value,
                                    (size_t)value_size, err));
    pairs->next += sizeof(uint32_t);
    return STOA_OK;
}

static uint32_t pair_count(const char *metadata) {
    int32_t count = metadata == NULL ? 0 : stoa_load_i32(metadata);
    return count < 0 ? 0 : (uint32_t)count;
}

static stoa_status metadata_write(const char *metadata, stoa_buffer *out, uint32_t referrer,
                                  stoa_error *err) {
    struct pairs pairs = {.out = out};
    STOA_TRY(stoa_flat_write_vector(out, referrer, NULL, pair_count(metadata), sizeof(uint32_t),
                                    &pairs.next, err));
    return stoa_arrow_metadata_each(metadata, pair_write, &pairs, err);
}

static stoa_status encoding_write(const stoa_ipc_field *field, stoa_buffer *out, uint32_t referrer,
                                  stoa_error *err) {
    bool ordered = (field->schema->flags & ARROW_FLAG_DICTIONARY_ORDERED) != 0;
    stoa_flat_slot slots[] = {
        [ENCODING_ID] = STOA_FLAT_SCALAR(8, (uint64_t)field->dictionary_id),
        [ENCODING_INDEX_TYPE] = STOA_FLAT_REFERENCE,
        [ENCODING_IS_ORDERED] = STOA_FLAT_SCALAR(1, ordered),
        [ENCODING_KIND] = STOA_FLAT_ABSENT,
    };
    STOA_TRY(stoa_flat_write_table(out, referrer, slots, ENCODING_FIELDS, err));
    return int_write(&field->layout, out, slots[ENCODING_INDEX_TYPE].position, err);
}

static stoa_status children_write(const stoa_ipc_field *parent, stoa_buffer *out, uint32_t referrer,
                                  stoa_error *err) {
    uint32_t first = 0;
    STOA_TRY(stoa_flat_write_vector(out, referrer, NULL, (size_t)parent->child_count,
                                    sizeof(uint32_t), &first, err));
    for (int64_t i = 0; i < parent->child_count; i++) {
        STOA_TRY(field_write(&parent->children[i], out,
                             first + (uint32_t)((size_t)i * sizeof(uint32_t)), err));
    }
    return STOA_OK;
}

static stoa_status field_write(const stoa_ipc_field *field, stoa_buffer *out, uint32_t referrer,
                               stoa_error *err) {
    const struct ArrowSchema *schema = field->schema;
    const char *name = schema->name == NULL ? "" : schema->name;
    const stoa_ipc_field *typed = field->layout.dictionary ? field->values : field;
    stoa_flat_slot slots[] = {
        [FIELD_NAME] = STOA_FLAT_REFERENCE,
        [FIELD_NULLABLE] = STOA_FLAT_SCALAR(1, (schema->flags & ARROW_FLAG_NULLABLE) != 0),
        [FIELD_TYPE_TYPE] = STOA_FLAT_SCALAR(1, type_of(&typed->layout)),
        [FIELD_TYPE] = STOA_FLAT_REFERENCE,
        [FIELD_DICTIONARY] = field->layout.dictionary ? STOA_FLAT_REFERENCE : STOA_FLAT_ABSENT,
        [FIELD_CHILDREN] = STOA_FLAT_REFERENCE,
        [FIELD_METADATA] = pair_count(schema->metadata) > 0 ? STOA_FLAT_REFERENCE
                                                            : STOA_FLAT_ABSENT,
    };
    STOA_TRY(stoa_flat_write_table(out, referrer, slots, FIELD_FIELDS, err));
    STOA_TRY(stoa_flat_write_string(out, slots[FIELD_NAME].position, name, strlen(name), err));
    STOA_TRY(type_write(typed, out, slots[FIELD_TYPE].position, err));
    if (field->layout.dictionary) {
        STOA_TRY(encoding_write(field, out, slots[FIELD_DICTIONARY].position, err));
    }
    STOA_TRY(children_write(typed, out, slots[FIELD_CHILDREN].position, err));
    return slots[FIELD_METADATA].size == 0
               ? STOA_OK
               : metadata_write(schema->metadata, out, slots[FIELD_METADATA].position, err);
}

stoa_status stoa_ipc_schema_write(const stoa_ipc_field *root, stoa_buffer *out, uint32_t referrer,
                                  stoa_error *err) {
    const char *metadata = root->schema->metadata;
    stoa_flat_slot slots[] = {
        [SCHEMA_ENDIANNESS] = STOA_FLAT_SCALAR(2, ENDIANNESS_LITTLE),
        [SCHEMA_FIELD_LIST] = STOA_FLAT_REFERENCE,
        [SCHEMA_METADATA] = pair_count(metadata) > 0 ? STOA_FLAT_REFERENCE : STOA_FLAT_ABSENT,
        [SCHEMA_FEATURES] = STOA_FLAT_ABSENT,
    };
    STOA_TRY(stoa_flat_write_table(out, referrer, slots, SCHEMA_FIELDS, err));
    STOA_TRY(children_write(root, out, slots[SCHEMA_FIELD_LIST].position, err));
    return slots[SCHEMA_METADATA].size == 0
               ? STOA_OK
               : metadata_write(metadata, out, slots[SCHEMA_METADATA].position, err);
}
