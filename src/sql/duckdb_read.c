/* DuckDB vectors become Arrow arrays, in memory of our pools.
 *
 * A result comes in chunks of 2,048 rows; their values are appended to growing buffers until a batch
 * is large enough. The C API flattens vectors before it hands them over, so a value is found by its
 * row. Slots of nulls may be uninitialised and are zeroed here, so that no stale memory reaches a
 * file. Items of null lists and fields of null structs are not looked at. For how values differ see
 * duckdb_fill.c, which does the opposite. */
#include "sql/duckdb_read.h"

#include <string.h>

#include "arrow/owner.h"
#include "base/bits.h"
#include "base/checked.h"
#include "base/error.h"
#include "mem/buffer.h"
#include "sql/duckdb_convert.h"
#include "sql/duckdb_fill.h"

struct column_reader {
    const struct duckdb_api *api;
    stoa_pool *pool;
    const stoa_type *type;
    stoa_type entries; /* of a map: its child's type */
    duckdb_type engine_id;
    duckdb_type stored_id; /* of decimals and enums: the integer that they are kept in */
    int64_t array_size;    /* of the engine's arrays */
    int64_t rows;
    int64_t null_count;
    stoa_buffer validity;  /* empty while nothing was null */
    stoa_buffer values;    /* fixed width, bits, or offsets */
    stoa_buffer data;      /* text */
    stoa_buffer enum_text; /* the dictionary, and where each value begins in it */
    stoa_buffer enum_offsets;
    int32_t child_count;
    struct column_reader *children[];
};

static stoa_status append(struct column_reader *reader, duckdb_vector vector, int64_t offset,
                          int64_t count, stoa_error *err);

void stoa_sql_column_reader_close(struct column_reader *reader) {
    if (reader == NULL) {
        return;
    }
    for (int32_t i = 0; i < reader->child_count; i++) {
        stoa_sql_column_reader_close(reader->children[i]);
    }
    stoa_buffer_release(&reader->validity);
    stoa_buffer_release(&reader->values);
    stoa_buffer_release(&reader->data);
    stoa_buffer_release(&reader->enum_text);
    stoa_buffer_release(&reader->enum_offsets);
    stoa_pool_free(reader->pool, reader,
                   sizeof *reader + (size_t)reader->child_count * sizeof *reader->children);
}

static stoa_status read_enum(struct column_reader *reader, duckdb_logical_type engine_type,
                             stoa_error *err) {
    const struct duckdb_api *api = reader->api;
    uint32_t count = api->enum_dictionary_size(engine_type);
    int32_t end = 0;
    STOA_TRY(stoa_buffer_append(&reader->enum_offsets, &end, sizeof end, err));
    for (uint32_t i = 0; i < count; i++) {
        char *text = api->enum_dictionary_value(engine_type, i);
        stoa_status status = stoa_buffer_append_text(&reader->enum_text, text, err);
        api->free(text);
        STOA_TRY(status);
        end = (int32_t)reader->enum_text.size;
        STOA_TRY(stoa_buffer_append(&reader->enum_offsets, &end, sizeof end, err));
    }
    return STOA_OK;
}

/* Takes `engine_type`. */
static stoa_status create_child(struct column_reader *reader, int32_t index,
                                duckdb_logical_type engine_type, const stoa_type *type,
                                stoa_error *err) {
    stoa_status status = stoa_sql_column_reader_create(reader->api, reader->pool, engine_type, type,
                                                       &reader->children[index], err);
    reader->api->destroy_logical_type(&engine_type);
    return status;
}

static stoa_status create_children(struct column_reader *reader, duckdb_logical_type engine_type,
                                   stoa_error *err) {
    const struct duckdb_api *api = reader->api;
    const stoa_type *type = reader->type;
    switch (reader->engine_id) {
    case DUCKDB_TYPE_LIST:
        return create_child(reader, 0, api->list_type_child_type(engine_type),
                            &type->children[0].type, err);
    case DUCKDB_TYPE_ARRAY:
        reader->array_size = (int64_t)api->array_type_array_size(engine_type);
        return create_child(reader, 0, api->array_type_child_type(engine_type),
                            &type->children[0].type, err);
    case DUCKDB_TYPE_MAP: {
        /* In memory a map is a list of structs, and its type answers as one. */
        reader->entries = (stoa_type){.kind = STOA_TYPE_STRUCT,
                                      .child_count = type->child_count,
                                      .children = type->children};
        return create_child(reader, 0, api->list_type_child_type(engine_type), &reader->entries,
                            err);
    }
    case DUCKDB_TYPE_SQLNULL: /* what is null is null in all its parts */
        reader->entries = (stoa_type){.kind = STOA_TYPE_STRUCT,
                                      .child_count = type->child_count,
                                      .children = type->children};
        for (int32_t i = 0; i < reader->child_count; i++) {
            const stoa_type *child = type->kind == STOA_TYPE_MAP ? &reader->entries
                                                                 : &type->children[i].type;
            STOA_TRY(
                create_child(reader, i, api->create_logical_type(DUCKDB_TYPE_SQLNULL), child, err));
        }
        return STOA_OK;
    case DUCKDB_TYPE_STRUCT:
        for (int32_t i = 0; i < reader->child_count; i++) {
            STOA_TRY(create_child(reader, i, api->struct_type_child_type(engine_type, (idx_t)i),
                                  &type->children[i].type, err));
        }
        return STOA_OK;
    default: return STOA_OK;
    }
}

static int32_t child_count_of(const stoa_type *type) {
    return type->kind == STOA_TYPE_MAP ? 1 : type->child_count;
}

/* The pairs that the switch in append_values knows. */
static bool is_twin(const struct duckdb_api *api, duckdb_logical_type engine_type,
                    const stoa_type *type) {
    duckdb_type id = api->get_type_id(engine_type);
    if (id == DUCKDB_TYPE_SQLNULL) {
        return true; /* nulls are of any type */
    }
    switch (type->kind) {
    case STOA_TYPE_DECIMAL:
        return id == DUCKDB_TYPE_HUGEINT || id == DUCKDB_TYPE_UHUGEINT
                   ? type->precision == 38 && type->scale == 0
                   : id == DUCKDB_TYPE_DECIMAL && type->scale == api->decimal_scale(engine_type) &&
                         type->precision >= api->decimal_width(engine_type);
    case STOA_TYPE_STRING: return id == DUCKDB_TYPE_VARCHAR || id == DUCKDB_TYPE_ENUM;
    case STOA_TYPE_LIST: return id == DUCKDB_TYPE_LIST || id == DUCKDB_TYPE_ARRAY;
    case STOA_TYPE_MAP: return id == DUCKDB_TYPE_MAP;
    case STOA_TYPE_STRUCT:
        return id == DUCKDB_TYPE_STRUCT &&
               api->struct_type_child_count(engine_type) == (idx_t)type->child_count;
    default: return stoa_sql_engine_id_of(type) == id;
    }
}

stoa_status stoa_sql_column_reader_create(const struct duckdb_api *api, stoa_pool *pool,
                                          duckdb_logical_type engine_type, const stoa_type *type,
                                          struct column_reader **out, stoa_error *err) {
    *out = NULL;
    if (!is_twin(api, engine_type, type)) {
        char name[128];
        stoa_type_print(type, name, sizeof name);
        return stoa_fail(err, STOA_UNSUPPORTED, "the engine's type number %d is no twin of %s",
                         (int)api->get_type_id(engine_type), name);
    }
    int32_t child_count = child_count_of(type);
    struct column_reader *reader;
    STOA_TRY(
        stoa_pool_allocate_array(pool, 1,
                                 sizeof *reader + (size_t)child_count * sizeof *reader->children,
                                 (void **)&reader, err));
    reader->api = api;
    reader->pool = pool;
    reader->type = type;
    reader->engine_id = api->get_type_id(engine_type);
    reader->child_count = child_count;
    stoa_buffer_init(&reader->validity, pool);
    stoa_buffer_init(&reader->values, pool);
    stoa_buffer_init(&reader->data, pool);
    stoa_buffer_init(&reader->enum_text, pool);
    stoa_buffer_init(&reader->enum_offsets, pool);
    stoa_status status = STOA_OK;
    if (reader->engine_id == DUCKDB_TYPE_DECIMAL) {
        reader->stored_id = api->decimal_internal_type(engine_type);
    } else if (reader->engine_id == DUCKDB_TYPE_ENUM) {
        reader->stored_id = api->enum_internal_type(engine_type);
        STOA_CHECK(read_enum(reader, engine_type, err));
    }
    STOA_CHECK(create_children(reader, engine_type, err));

done:
    if (status != STOA_OK) {
        stoa_sql_column_reader_close(reader);
        return status;
    }
    *out = reader;
    return STOA_OK;
}

static bool row_is_valid(const uint64_t *mask, int64_t row) {
    return mask == NULL || (mask[row / 64] >> (row % 64) & 1) != 0;
}

/* Returns how many of the rows are null. */
static stoa_status append_validity(struct column_reader *reader, const uint64_t *mask,
                                   int64_t offset, int64_t count, int64_t *out_nulls,
                                   stoa_error *err) {
    int64_t valid = mask == NULL ? count : stoa_bitmap_count((const uint8_t *)mask, offset, count);
    *out_nulls = count - valid;
    if (*out_nulls == 0 && reader->null_count == 0) {
        return STOA_OK;
    }
    size_t size = stoa_bitmap_bytes(reader->rows + count);
    bool first = reader->null_count == 0;
    STOA_TRY(stoa_buffer_resize(&reader->validity, size, err));
    if (first) {
        stoa_bitmap_fill(reader->validity.data, 0, reader->rows, true);
    }
    if (mask == NULL) {
        stoa_bitmap_fill(reader->validity.data, reader->rows, count, true);
    } else {
        stoa_bitmap_copy((const uint8_t *)mask, offset, reader->validity.data, reader->rows, count);
    }
    reader->null_count += *out_nulls;
    return STOA_OK;
}

/* Room for `count` values of `width` bytes, counted at once. */
static stoa_status extend(struct column_reader *reader, int64_t count, size_t width, void **out,
                          stoa_error *err) {
    size_t size = (size_t)count * width;
    STOA_TRY(stoa_buffer_reserve(&reader->values, size, err));
    *out = reader->values.data + reader->values.size;
    reader->values.size += size;
    return STOA_OK;
}

/* Offsets are one more than values. */
static stoa_status begin_offsets(struct column_reader *reader, stoa_error *err) {
    return reader->values.size > 0
               ? STOA_OK
               : stoa_buffer_append_fill(&reader->values, 0, sizeof(int32_t), err);
}

static void zero_nulls(uint8_t *values, size_t width, const uint64_t *mask, int64_t offset,
                       int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (!row_is_valid(mask, offset + i)) {
            memset(values + (size_t)i * width, 0, width);
        }
    }
}

static stoa_status append_booleans(struct column_reader *reader, const bool *values,
                                   const uint64_t *mask, int64_t offset, int64_t count,
                                   stoa_error *err) {
    STOA_TRY(stoa_buffer_resize(&reader->values, stoa_bitmap_bytes(reader->rows + count), err));
    for (int64_t i = 0; i < count; i++) {
        bool value = row_is_valid(mask, offset + i) && values[offset + i];
        stoa_bit_put(reader->values.data, reader->rows + i, value);
    }
    return STOA_OK;
}

/* The engine's texts, or those that an enum's numbers stand for. */
static const char *text_at(const struct column_reader *reader, const void *values, int64_t row,
                           uint32_t *out_size) {
    if (reader->engine_id == DUCKDB_TYPE_ENUM) {
        uint32_t index = reader->stored_id == DUCKDB_TYPE_UTINYINT ? ((const uint8_t *)values)[row]
                         : reader->stored_id == DUCKDB_TYPE_USMALLINT
                             ? ((const uint16_t *)values)[row]
                             : ((const uint32_t *)values)[row];
        const int32_t *offsets = (const int32_t *)reader->enum_offsets.data;
        *out_size = (uint32_t)(offsets[index + 1] - offsets[index]);
        return (const char *)reader->enum_text.data + offsets[index];
    }
    const duckdb_string_t *string = (const duckdb_string_t *)values + row;
    *out_size = string->value.inlined.length;
    return *out_size <= sizeof string->value.inlined.inlined ? string->value.inlined.inlined
                                                             : string->value.pointer.ptr;
}

static stoa_status append_texts(struct column_reader *reader, const void *values,
                                const uint64_t *mask, int64_t offset, int64_t count,
                                stoa_error *err) {
    size_t total = 0;
    uint32_t size;
    for (int64_t i = 0; i < count; i++) {
        if (row_is_valid(mask, offset + i)) {
            (void)text_at(reader, values, offset + i, &size);
            total += size;
        }
    }
    if (total > (size_t)INT32_MAX - reader->data.size) {
        return stoa_fail(err, STOA_LIMIT, "a batch holds more than 2 GiB of text");
    }
    STOA_TRY(stoa_buffer_reserve(&reader->data, total, err));
    int32_t *ends;
    STOA_TRY(extend(reader, count, sizeof *ends, (void **)&ends, err));
    uint8_t *to = reader->data.data + reader->data.size;
    size_t end = reader->data.size;
    for (int64_t i = 0; i < count; i++) {
        if (row_is_valid(mask, offset + i)) {
            const char *text = text_at(reader, values, offset + i, &size);
            if (size > 0) {
                memcpy(to, text, size);
                to += size;
                end += size;
            }
        }
        ends[i] = (int32_t)end;
    }
    reader->data.size = end;
    return STOA_OK;
}

static stoa_status append_fixed(struct column_reader *reader, const duckdb_string_t *values,
                                const uint64_t *mask, int64_t offset, int64_t count,
                                stoa_error *err) {
    size_t width = (size_t)reader->type->length;
    uint8_t *to;
    STOA_TRY(extend(reader, count, width, (void **)&to, err));
    memset(to, 0, (size_t)count * width);
    for (int64_t i = 0; i < count; i++) {
        uint32_t size;
        if (!row_is_valid(mask, offset + i)) {
            continue;
        }
        const char *bytes = text_at(reader, values, offset + i, &size);
        if (size != width) {
            return stoa_fail(err, STOA_INVALID, "expected %zu bytes but found %u", width, size);
        }
        memcpy(to + (size_t)i * width, bytes, width);
    }
    return STOA_OK;
}

/* Items are taken in runs: entries that follow each other are one append. */
static stoa_status append_items(struct column_reader *reader, duckdb_vector vector,
                                const uint64_t *mask, int64_t offset, int64_t count,
                                stoa_error *err) {
    const duckdb_list_entry *entries = reader->api->vector_get_data(vector);
    duckdb_vector items = reader->engine_id == DUCKDB_TYPE_ARRAY
                              ? reader->api->array_vector_get_child(vector)
                              : reader->api->list_vector_get_child(vector);
    int64_t run_begin = 0;
    int64_t run_end = 0;
    int64_t end = reader->children[0]->rows;
    int32_t *ends;
    STOA_TRY(extend(reader, count, sizeof *ends, (void **)&ends, err));
    for (int64_t i = 0; i < count; i++) {
        if (row_is_valid(mask, offset + i)) {
            int64_t begin = reader->array_size > 0 ? (offset + i) * reader->array_size
                                                   : (int64_t)entries[offset + i].offset;
            int64_t size = reader->array_size > 0 ? reader->array_size
                                                  : (int64_t)entries[offset + i].length;
            if (size > 0 && begin != run_end) {
                STOA_TRY(append(reader->children[0], items, run_begin, run_end - run_begin, err));
                run_begin = begin;
                run_end = begin;
            }
            run_end += size;
            end += size;
        }
        if (end > INT32_MAX) {
            return stoa_fail(err, STOA_LIMIT, "a batch holds more than %d list items", INT32_MAX);
        }
        ends[i] = (int32_t)end;
    }
    return append(reader->children[0], items, run_begin, run_end - run_begin, err);
}

/* Nulls all the way down, whatever the type. */
static stoa_status append_nulls(struct column_reader *reader, int64_t count, stoa_error *err) {
    size_t bits = stoa_bitmap_bytes(reader->rows + count);
    if (reader->type->kind == STOA_TYPE_UNKNOWN) {
        reader->rows += count;
        return STOA_OK;
    }
    STOA_TRY(stoa_buffer_resize(&reader->validity, bits, err));
    if (reader->null_count == 0) {
        stoa_bitmap_fill(reader->validity.data, 0, reader->rows, true);
    }
    stoa_bitmap_fill(reader->validity.data, reader->rows, count, false);
    reader->null_count += count;
    stoa_type_kind kind = reader->type->kind;
    if (kind == STOA_TYPE_STRUCT) {
        for (int32_t c = 0; c < reader->child_count; c++) {
            STOA_TRY(append_nulls(reader->children[c], count, err));
        }
    } else if (kind == STOA_TYPE_BOOLEAN) {
        STOA_TRY(stoa_buffer_resize(&reader->values, bits, err));
        stoa_bitmap_fill(reader->values.data, reader->rows, count, false);
    } else if (stoa_sql_type_has_offsets(reader->type)) {
        int32_t *ends;
        STOA_TRY(begin_offsets(reader, err));
        STOA_TRY(extend(reader, count, sizeof *ends, (void **)&ends, err));
        int32_t end = (int32_t)(reader->child_count > 0 ? (size_t)reader->children[0]->rows
                                                        : reader->data.size);
        for (int64_t i = 0; i < count; i++) {
            ends[i] = end;
        }
    } else {
        size_t width = stoa_sql_type_arrow_width(reader->type);
        STOA_TRY(stoa_buffer_append_fill(&reader->values, 0, (size_t)count * width, err));
    }
    reader->rows += count;
    return STOA_OK;
}

/* Fields are taken in runs of rows whose struct is valid, or is not. */
static stoa_status append_fields(struct column_reader *reader, duckdb_vector vector,
                                 const uint64_t *mask, int64_t offset, int64_t count,
                                 stoa_error *err) {
    for (int32_t c = 0; c < reader->child_count; c++) {
        duckdb_vector field = reader->api->struct_vector_get_child(vector, (idx_t)c);
        for (int64_t i = 0; i < count;) {
            bool valid = row_is_valid(mask, offset + i);
            int64_t end = i + 1;
            while (end < count && row_is_valid(mask, offset + end) == valid) {
                end++;
            }
            STOA_TRY(valid ? append(reader->children[c], field, offset + i, end - i, err)
                           : append_nulls(reader->children[c], end - i, err));
            i = end;
        }
    }
    return STOA_OK;
}

static stoa_status append_converted(struct column_reader *reader, const void *values,
                                    const uint64_t *mask, int64_t offset, int64_t count,
                                    bool any_null, stoa_error *err) {
    size_t width = stoa_sql_type_arrow_width(reader->type);
    uint8_t *to;
    STOA_TRY(extend(reader, count, width, (void **)&to, err));
    struct conversion conversion = {.type = reader->type,
                                    .engine_id = reader->engine_id,
                                    .stored_id = reader->stored_id,
                                    .mask = any_null ? mask : NULL,
                                    .offset = offset,
                                    .count = count};
    STOA_TRY(stoa_sql_convert_values(&conversion, values, to, err));
    if (any_null) {
        zero_nulls(to, width, mask, offset, count);
    }
    return STOA_OK;
}

static stoa_status append_values(struct column_reader *reader, duckdb_vector vector,
                                 const uint64_t *mask, int64_t offset, int64_t count, bool any_null,
                                 stoa_error *err) {
    const void *values = reader->api->vector_get_data(vector);
    switch (reader->type->kind) {
    case STOA_TYPE_BOOLEAN: return append_booleans(reader, values, mask, offset, count, err);
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY: return append_texts(reader, values, mask, offset, count, err);
    case STOA_TYPE_FIXED: return append_fixed(reader, values, mask, offset, count, err);
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP: return append_items(reader, vector, mask, offset, count, err);
    case STOA_TYPE_STRUCT: return append_fields(reader, vector, mask, offset, count, err);
    default: return append_converted(reader, values, mask, offset, count, any_null, err);
    }
}

static stoa_status append(struct column_reader *reader, duckdb_vector vector, int64_t offset,
                          int64_t count, stoa_error *err) {
    if (count == 0) {
        return STOA_OK;
    }
    if (reader->engine_id == DUCKDB_TYPE_SQLNULL) {
        return append_nulls(reader, count, err);
    }
    const uint64_t *mask = reader->api->vector_get_validity(vector);
    int64_t nulls = 0;
    STOA_TRY(append_validity(reader, mask, offset, count, &nulls, err));
    if (stoa_sql_type_has_offsets(reader->type)) {
        STOA_TRY(begin_offsets(reader, err));
    }
    STOA_TRY(append_values(reader, vector, nulls > 0 ? mask : NULL, offset, count, nulls > 0, err));
    reader->rows += count;
    return STOA_OK;
}

stoa_status stoa_sql_column_reader_append(struct column_reader *reader, duckdb_vector vector,
                                          int64_t offset, int64_t count, stoa_error *err) {
    return append(reader, vector, offset, count, err);
}

size_t stoa_sql_column_reader_bytes(const struct column_reader *reader) {
    size_t bytes = reader->values.size + reader->data.size;
    for (int32_t i = 0; i < reader->child_count; i++) {
        bytes += stoa_sql_column_reader_bytes(reader->children[i]);
    }
    return bytes;
}

static int64_t buffer_count_of(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_UNKNOWN: return 0;
    case STOA_TYPE_STRUCT: return 1;
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY: return 3;
    default: return 2;
    }
}

stoa_status stoa_sql_column_reader_finish(struct column_reader *reader, struct ArrowArray *out,
                                          stoa_error *err) {
    int64_t buffers = buffer_count_of(reader->type);
    if (stoa_sql_type_has_offsets(reader->type)) {
        STOA_TRY(begin_offsets(reader, err));
    }
    STOA_TRY(stoa_arrow_array_init(reader->pool, buffers, reader->child_count, false, out, err));
    for (int32_t i = 0; i < reader->child_count; i++) {
        stoa_status status = stoa_sql_column_reader_finish(reader->children[i], out->children[i],
                                                           err);
        if (status != STOA_OK) {
            stoa_arrow_array_release(out);
            return status;
        }
    }
    out->length = reader->rows;
    out->null_count = reader->type->kind == STOA_TYPE_UNKNOWN ? reader->rows : reader->null_count;
    stoa_buffer *parts[] = {&reader->validity, &reader->values, &reader->data};
    for (int64_t i = 0; i < buffers; i++) {
        stoa_arrow_array_set_buffer(out, i, parts[i]);
    }
    reader->rows = 0;
    reader->null_count = 0;
    return STOA_OK;
}
