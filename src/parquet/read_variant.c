/* A variant's group holds `metadata`, `value` and `typed_value`; a typed_value may be a list or a group
 * whose elements or fields are again pairs of value and typed_value. A value is assembled from the
 * inside out, at the end of one buffer, and objects and arrays get their heads when their parts stand
 * there. The recursion is as deep as the schema.
 *
 * Source   Apache Parquet format 2.12, "VariantShredding.md" */
#include "parquet/read_variant.h"

#include <stdio.h>

#include "arrow/owner.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "parquet/variant.h"

/* ---- Schema ---------------------------------------------------------------------------------- */

static stoa_status refuse(const char *name, const char *what, stoa_error *err) {
    return stoa_fail(err, STOA_UNSUPPORTED, "a shredded variant whose '%s' %s is not supported",
                     name, what);
}

static void set_fixed(stoa_shred *shred, stoa_variant_primitive primitive, int32_t bytes) {
    shred->kind = STOA_SHRED_FIXED;
    shred->head = stoa_variant_head(primitive);
    shred->value_bytes = bytes;
    shred->arrow_bytes = bytes;
}

static void set_decimal(stoa_shred *shred, const stoa_type *type, stoa_read_class value_class) {
    const bool is_small = value_class == STOA_READ_DECIMAL_I32;
    const bool is_middle = value_class == STOA_READ_DECIMAL_I64;
    set_fixed(shred,
              is_small    ? STOA_VARIANT_DECIMAL4
              : is_middle ? STOA_VARIANT_DECIMAL8
                          : STOA_VARIANT_DECIMAL16,
              is_small    ? 4
              : is_middle ? 8
                          : 16);
    shred->kind = STOA_SHRED_DECIMAL;
    shred->arrow_bytes = 16;
    shred->scale = (uint8_t)type->scale;
}

static bool set_timestamp(stoa_shred *shred, stoa_type_unit unit, bool utc) {
    if (unit == STOA_TYPE_MICROSECONDS) {
        set_fixed(shred, utc ? STOA_VARIANT_TIMESTAMP_TZ : STOA_VARIANT_TIMESTAMP, 8);
    } else if (unit == STOA_TYPE_NANOSECONDS) {
        set_fixed(shred, utc ? STOA_VARIANT_TIMESTAMP_TZ_NANOS : STOA_VARIANT_TIMESTAMP_NANOS, 8);
    }
    return unit == STOA_TYPE_MICROSECONDS || unit == STOA_TYPE_NANOSECONDS;
}

/* False for a type that variants do not have. */
static bool set_primitive(stoa_shred *shred, const stoa_type *type, const stoa_read_node *node) {
    if (node->value_class == STOA_READ_INT96 || node->value_class == STOA_READ_FLOAT16) {
        return false;
    }
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: shred->kind = STOA_SHRED_BOOL; return true;
    case STOA_TYPE_INT8: set_fixed(shred, STOA_VARIANT_INT8, 1); return true;
    case STOA_TYPE_INT16: set_fixed(shred, STOA_VARIANT_INT16, 2); return true;
    case STOA_TYPE_INT: set_fixed(shred, STOA_VARIANT_INT32, 4); return true;
    case STOA_TYPE_LONG: set_fixed(shred, STOA_VARIANT_INT64, 8); return true;
    case STOA_TYPE_FLOAT: set_fixed(shred, STOA_VARIANT_FLOAT, 4); return true;
    case STOA_TYPE_DOUBLE: set_fixed(shred, STOA_VARIANT_DOUBLE, 8); return true;
    case STOA_TYPE_DECIMAL: set_decimal(shred, type, node->value_class); return true;
    case STOA_TYPE_DATE: set_fixed(shred, STOA_VARIANT_DATE, 4); return true;
    case STOA_TYPE_TIME:
        set_fixed(shred, STOA_VARIANT_TIME, 8);
        return type->unit == STOA_TYPE_MICROSECONDS;
    case STOA_TYPE_TIMESTAMP: return set_timestamp(shred, type->unit, false);
    case STOA_TYPE_TIMESTAMP_TZ: return set_timestamp(shred, type->unit, true);
    case STOA_TYPE_BINARY: shred->kind = STOA_SHRED_BINARY; return true;
    case STOA_TYPE_STRING: shred->kind = STOA_SHRED_STRING; return true;
    case STOA_TYPE_UUID: set_fixed(shred, STOA_VARIANT_UUID, 16); return true;
    default: return false;
    }
}

static stoa_status fill_pair(stoa_arena *arena, const stoa_type *stored, const stoa_read_node *node,
                             bool is_whole, stoa_shred *out, stoa_error *err);

static stoa_status take_parts(stoa_arena *arena, int32_t count, stoa_shred *out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count, sizeof(stoa_shred), &memory, err));
    out->parts = memory;
    out->part_count = count;
    return STOA_OK;
}

static stoa_status fill_typed(stoa_arena *arena, const stoa_field *typed,
                              const stoa_read_node *node, stoa_shred *out, stoa_error *err) {
    const stoa_type *type = &typed->type;
    char text[96];
    if (type->kind == STOA_TYPE_LIST || type->kind == STOA_TYPE_STRUCT) {
        out->kind = type->kind == STOA_TYPE_LIST ? STOA_SHRED_ARRAY : STOA_SHRED_OBJECT;
        STOA_TRY(take_parts(arena, type->child_count, out, err));
        for (int32_t i = 0; i < type->child_count; i++) {
            STOA_TRY(fill_pair(arena, &type->children[i].type, &node->children[i], false,
                               &out->parts[i], err));
            out->parts[i].name = type->children[i].name;
        }
        return STOA_OK;
    }
    if (set_primitive(out, type, node)) {
        return STOA_OK;
    }
    (void)stoa_type_print(type, text, sizeof text);
    return refuse("typed_value", text, err);
}

/* The fields of a group that stands for one value. */
static stoa_status fill_pair(stoa_arena *arena, const stoa_type *stored, const stoa_read_node *node,
                             bool is_whole, stoa_shred *out, stoa_error *err) {
    *out = (stoa_shred){.metadata = -1, .value = -1, .typed = -1};
    if (stored->kind != STOA_TYPE_STRUCT || node->shred != NULL) {
        return refuse("typed_value", "without groups of value and typed_value", err);
    }
    for (int32_t i = 0; i < stored->child_count; i++) {
        const stoa_field *field = &stored->children[i];
        const bool is_binary = field->type.kind == STOA_TYPE_BINARY;
        if (is_whole && strcmp(field->name, "metadata") == 0 && is_binary && out->metadata < 0) {
            out->metadata = i;
        } else if (strcmp(field->name, "value") == 0 && is_binary && out->value < 0) {
            out->value = i;
        } else if (strcmp(field->name, "typed_value") == 0 && out->typed < 0) {
            out->typed = i;
            STOA_TRY(fill_typed(arena, field, &node->children[i], out, err));
        } else {
            return refuse(field->name, "is none of its fields", err);
        }
    }
    if ((out->value < 0 && out->typed < 0) || (is_whole && out->metadata < 0)) {
        return refuse("value", "or metadata is missing", err);
    }
    return STOA_OK;
}

stoa_status stoa_shred_create(stoa_arena *arena, const stoa_type *stored,
                              const stoa_read_node *node, stoa_shred **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate(arena, sizeof(stoa_shred), &memory, err));
    *out = memory;
    return fill_pair(arena, stored, node, true, *out, err);
}

/* ---- Values ---------------------------------------------------------------------------------- */

struct assembly {
    stoa_buffer out;
    stoa_buffer parts; /* stoa_variant_part, of all that is open */
    const uint8_t *metadata_bytes;
    size_t metadata_size;
    stoa_variant_metadata metadata;
    bool metadata_is_parsed;
    stoa_error *err;
};

struct view {
    const uint8_t *bytes;
    size_t size;
};

static bool is_valid(const struct ArrowArray *array, int64_t row) {
    const uint8_t *validity = array->buffers[0];
    return validity == NULL || stoa_bit_get(validity, row);
}

static struct view view_of(const struct ArrowArray *array, int64_t row) {
    const int32_t *offsets = array->buffers[1];
    const size_t size = (size_t)(offsets[row + 1] - offsets[row]);
    return (struct view){size == 0 ? (const uint8_t *)""
                                   : (const uint8_t *)array->buffers[2] + offsets[row],
                         size};
}

static stoa_status fail(const char *problem, stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT, "a shredded variant: %s", problem);
}

/* Only objects ask for names. */
static stoa_status open_metadata(struct assembly *assembly) {
    if (!assembly->metadata_is_parsed) {
        STOA_TRY(stoa_variant_metadata_parse(assembly->metadata_bytes, assembly->metadata_size,
                                             &assembly->metadata, assembly->err));
        assembly->metadata_is_parsed = true;
    }
    return STOA_OK;
}

static stoa_status append_value(struct assembly *assembly, struct view value) {
    size_t size;
    STOA_TRY(stoa_variant_value_size(value.bytes, value.size, &size, assembly->err));
    if (size != value.size) {
        return fail("bytes stand behind a value", assembly->err);
    }
    return stoa_buffer_append(&assembly->out, value.bytes, value.size, assembly->err);
}

static stoa_status append_head(struct assembly *assembly, uint8_t head, const void *bytes,
                               size_t size) {
    STOA_TRY(stoa_buffer_append_byte(&assembly->out, head, assembly->err));
    return stoa_buffer_append(&assembly->out, bytes, size, assembly->err);
}

static stoa_status append_primitive(struct assembly *assembly, const stoa_shred *shred,
                                    const struct ArrowArray *typed, int64_t row) {
    const uint8_t *values = typed->buffers[1];
    struct view view;
    uint8_t length[4];
    if (shred->kind == STOA_SHRED_BOOL) {
        return stoa_buffer_append_byte(&assembly->out,
                                       stoa_variant_head(stoa_bit_get(values, row)
                                                             ? STOA_VARIANT_TRUE
                                                             : STOA_VARIANT_FALSE),
                                       assembly->err);
    }
    switch (shred->kind) {
    case STOA_SHRED_STRING:
        view = view_of(typed, row);
        return stoa_variant_append_string(&assembly->out, view.bytes, view.size, assembly->err);
    case STOA_SHRED_BINARY:
        view = view_of(typed, row);
        stoa_store_u32(length, (uint32_t)view.size);
        STOA_TRY(
            append_head(assembly, stoa_variant_head(STOA_VARIANT_BINARY), length, sizeof length));
        return stoa_buffer_append(&assembly->out, view.bytes, view.size, assembly->err);
    case STOA_SHRED_DECIMAL:
        STOA_TRY(append_head(assembly, shred->head, &shred->scale, 1));
        return stoa_buffer_append(&assembly->out, values + (size_t)row * 16,
                                  (size_t)shred->value_bytes, assembly->err);
    default:
        return append_head(assembly, shred->head, values + (size_t)row * (size_t)shred->arrow_bytes,
                           (size_t)shred->value_bytes);
    }
}

static stoa_status assemble(struct assembly *assembly, const stoa_shred *shred,
                            const struct ArrowArray *pair, int64_t row, bool *out_missing);

static stoa_status add_part(struct assembly *assembly, stoa_variant_part part) {
    return stoa_buffer_append(&assembly->parts, &part, sizeof part, assembly->err);
}

/* Puts the head before what stands behind `begin`, and forgets its parts. */
static stoa_status wrap(struct assembly *assembly, size_t begin, size_t parts_begin,
                        bool is_object) {
    const size_t count = (assembly->parts.size - parts_begin) / sizeof(stoa_variant_part);
    void *parts = assembly->parts.data == NULL ? NULL : assembly->parts.data + parts_begin;
    const stoa_status status = stoa_variant_wrap(&assembly->out, begin, is_object, parts,
                                                 (uint32_t)count, assembly->err);
    assembly->parts.size = parts_begin;
    return status;
}

static stoa_status assemble_array(struct assembly *assembly, const stoa_shred *shred,
                                  const struct ArrowArray *list, int64_t row) {
    const int32_t *offsets = list->buffers[1];
    const size_t begin = assembly->out.size, parts_begin = assembly->parts.size;
    for (int32_t i = offsets[row]; i < offsets[row + 1]; i++) {
        const stoa_variant_part part = {.offset = (uint32_t)(assembly->out.size - begin)};
        bool is_missing;
        STOA_TRY(add_part(assembly, part));
        STOA_TRY(assemble(assembly, &shred->parts[0], list->children[0], i, &is_missing));
        if (is_missing) {
            STOA_TRY(stoa_buffer_append_byte(&assembly->out, stoa_variant_head(STOA_VARIANT_NULL),
                                             assembly->err));
        }
    }
    return wrap(assembly, begin, parts_begin, false);
}

static bool is_shredded(const stoa_shred *shred, const char *name, size_t size) {
    for (int32_t i = 0; i < shred->part_count; i++) {
        if (strlen(shred->parts[i].name) == size && memcmp(shred->parts[i].name, name, size) == 0) {
            return true;
        }
    }
    return false;
}

/* Fields that no column has. One that has a column and stands here too is the writer's fault; the
 * column is right. */
static stoa_status add_other_fields(struct assembly *assembly, const stoa_shred *shred,
                                    struct view value, size_t begin) {
    stoa_variant_container object;
    size_t bytes = 0;
    if (!stoa_variant_is_object(value.bytes, value.size)) {
        return fail("shredded fields stand beside a value that is no object", assembly->err);
    }
    STOA_TRY(stoa_variant_container_parse(value.bytes, value.size, &object, assembly->err));
    for (uint32_t i = 0; i < object.count; i++) {
        stoa_variant_part part = {.id = stoa_variant_container_id(&object, i),
                                  .offset = (uint32_t)(assembly->out.size - begin)};
        struct view field;
        STOA_TRY(stoa_variant_metadata_name(&assembly->metadata, part.id, &part.name,
                                            &part.name_size, assembly->err));
        STOA_TRY(
            stoa_variant_container_value(&object, i, &field.bytes, &field.size, assembly->err));
        bytes += field.size;
        if (bytes > object.values_size) {
            return fail("the fields of an object overlap", assembly->err); /* and multiply */
        }
        if (!is_shredded(shred, part.name, part.name_size)) {
            STOA_TRY(add_part(assembly, part));
            STOA_TRY(stoa_buffer_append(&assembly->out, field.bytes, field.size, assembly->err));
        }
    }
    return STOA_OK;
}

static stoa_status assemble_object(struct assembly *assembly, const stoa_shred *shred,
                                   const struct ArrowArray *fields, int64_t row,
                                   const struct view *value) {
    const size_t begin = assembly->out.size, parts_begin = assembly->parts.size;
    STOA_TRY(open_metadata(assembly));
    for (int32_t i = 0; i < shred->part_count; i++) {
        const stoa_shred *field = &shred->parts[i];
        stoa_variant_part part = {.name = field->name,
                                  .name_size = strlen(field->name),
                                  .offset = (uint32_t)(assembly->out.size - begin)};
        bool is_missing;
        STOA_TRY(assemble(assembly, field, fields->children[i], row, &is_missing));
        if (is_missing) {
            continue;
        }
        STOA_TRY(stoa_variant_metadata_find(&assembly->metadata, part.name, part.name_size,
                                            &part.id, assembly->err));
        STOA_TRY(add_part(assembly, part));
    }
    if (value != NULL) {
        STOA_TRY(add_other_fields(assembly, shred, *value, begin));
    }
    return wrap(assembly, begin, parts_begin, true);
}

/* One value of a group of value and typed_value; missing where neither is there. */
static stoa_status assemble(struct assembly *assembly, const stoa_shred *shred,
                            const struct ArrowArray *pair, int64_t row, bool *out_missing) {
    const struct ArrowArray *values = shred->value >= 0 ? pair->children[shred->value] : NULL;
    const struct ArrowArray *typed = shred->typed >= 0 ? pair->children[shred->typed] : NULL;
    const bool is_there = is_valid(pair, row);
    const bool has_value = is_there && values != NULL && is_valid(values, row);
    const bool has_typed = is_there && typed != NULL && is_valid(typed, row);
    const struct view value = has_value ? view_of(values, row) : (struct view){NULL, 0};
    *out_missing = !has_value && !has_typed;
    if (assembly->out.size > INT32_MAX) {
        return stoa_fail(assembly->err, STOA_LIMIT,
                         "more than 2 GiB of variants in one batch; ask for batches of fewer rows");
    }
    if (!has_typed) {
        return has_value ? append_value(assembly, value) : STOA_OK;
    }
    if (shred->kind == STOA_SHRED_OBJECT) {
        return assemble_object(assembly, shred, typed, row, has_value ? &value : NULL);
    }
    if (has_value) {
        return fail("both value and typed_value are there", assembly->err);
    }
    return shred->kind == STOA_SHRED_ARRAY ? assemble_array(assembly, shred, typed, row)
                                           : append_primitive(assembly, shred, typed, row);
}

/* ---- Arrays ---------------------------------------------------------------------------------- */

static stoa_status assemble_row(struct assembly *assembly, const stoa_shred *shred,
                                const struct ArrowArray *stored, int64_t row) {
    const struct ArrowArray *metadata = stored->children[shred->metadata];
    bool is_missing;
    if (!is_valid(stored, row)) {
        return STOA_OK;
    }
    if (!is_valid(metadata, row)) {
        return fail("it has no metadata", assembly->err);
    }
    const struct view view = view_of(metadata, row);
    assembly->metadata_bytes = view.bytes;
    assembly->metadata_size = view.size;
    assembly->metadata_is_parsed = false;
    STOA_TRY(assemble(assembly, shred, stored, row, &is_missing));
    return is_missing ? stoa_buffer_append_byte(&assembly->out,
                                                stoa_variant_head(STOA_VARIANT_NULL), assembly->err)
                      : STOA_OK;
}

static stoa_status assemble_rows(struct assembly *assembly, const stoa_shred *shred,
                                 const struct ArrowArray *stored, stoa_buffer *offsets) {
    stoa_error *err = assembly->err;
    STOA_TRY(stoa_buffer_resize(offsets, ((size_t)stored->length + 1) * sizeof(int32_t), err));
    int32_t *ends = (int32_t *)(void *)offsets->data;
    ends[0] = 0;
    for (int64_t row = 0; row < stored->length; row++) {
        const stoa_status status = assemble_row(assembly, shred, stored, row);
        if (status != STOA_OK) {
            stoa_wrap(err, "value %" PRId64 " of the batch", row);
            return status;
        }
        if (assembly->out.size > INT32_MAX) {
            return stoa_fail(err, STOA_LIMIT,
                             "more than 2 GiB of variants in one batch; ask for batches of fewer "
                             "rows");
        }
        ends[row + 1] = (int32_t)assembly->out.size;
    }
    return STOA_OK;
}

static stoa_status make_values(stoa_pool *pool, const stoa_shred *shred,
                               const struct ArrowArray *stored, struct ArrowArray *out,
                               stoa_error *err) {
    struct assembly assembly = {.err = err};
    stoa_status status = STOA_OK;
    stoa_buffer offsets;
    stoa_buffer_init(&offsets, pool);
    stoa_buffer_init(&assembly.out, pool);
    stoa_buffer_init(&assembly.parts, pool);
    STOA_CHECK(assemble_rows(&assembly, shred, stored, &offsets));
    STOA_CHECK(stoa_arrow_array_init(pool, 3, 0, false, out, err));
    out->length = stored->length;
    stoa_arrow_array_set_buffer(out, 1, &offsets);
    stoa_arrow_array_set_buffer(out, 2, &assembly.out);

done:
    stoa_buffer_release(&offsets);
    stoa_buffer_release(&assembly.out);
    stoa_buffer_release(&assembly.parts);
    return status;
}

/* Metadata stays as it is; rows without a variant have no bytes in either. */
static stoa_status make_struct(stoa_pool *pool, const stoa_shred *shred, struct ArrowArray *stored,
                               struct ArrowArray *out, stoa_error *err) {
    STOA_TRY(stoa_arrow_array_init(pool, 1, 2, false, out, err));
    out->length = stored->length;
    out->null_count = stored->null_count;
    if (stored->buffers[0] != NULL) {
        stoa_buffer validity;
        stoa_buffer_init(&validity, pool);
        STOA_TRY(stoa_buffer_append(&validity, stored->buffers[0],
                                    stoa_bitmap_bytes(stored->length), err));
        stoa_arrow_array_set_buffer(out, 0, &validity);
    }
    STOA_TRY(make_values(pool, shred, stored, out->children[1], err));
    *out->children[0] = *stored->children[shred->metadata];
    stored->children[shred->metadata]->release = NULL;
    return STOA_OK;
}

stoa_status stoa_shred_assemble(stoa_pool *pool, const stoa_shred *shred, struct ArrowArray *stored,
                                struct ArrowArray *out, stoa_error *err) {
    *out = (struct ArrowArray){0};
    const stoa_status status = make_struct(pool, shred, stored, out, err);
    stoa_arrow_array_release(stored);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}
