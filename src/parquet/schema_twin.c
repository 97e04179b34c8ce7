/* One table says which Parquet type each of Stoa's has (twin_of); everything else follows from it:
 * the schema elements of the footer, and for each leaf how values are fetched, ordered and written.
 *
 * Lists and maps have the three levels of the standard:
 *
 *     optional group tags (LIST) { repeated group list { optional binary element (STRING) } }
 *     optional group m (MAP) { repeated group key_value { required … key; optional … value } }
 *
 * Source   Apache Parquet format 2.11, "LogicalTypes.md" */
#include "parquet/schema_twin.h"

#include <stdio.h>

#include "parquet/geo_type.h"
#include "parquet/read_schema.h"

enum { LEVEL_MAX = 255, NO_CONVERTED = -1, INTERVAL_BYTES = 12, UUID_BYTES = 16, VARIANT_VERSION = 1 };

/* What the table says of one type. `bits` and `is_signed` are the INTEGER annotation. */
struct twin {
    stoa_parquet_physical physical;
    int32_t type_length;
    int32_t converted;
    stoa_parquet_logical logical;
    int8_t bits;
    bool is_signed;
    bool utc;
    stoa_leaf_class value_class;
    int32_t width;
    int64_t multiplier;
};

/* Bytes that hold every unscaled value of a decimal of `precision` (1 to 38) digits. */
static int32_t decimal_bytes(int32_t precision) {
    /* n bytes hold 10^p - 1 when 8 n - 1 >= log2(10) p; 3.3219280949 is that logarithm, and no
     * power of ten is so near to one of two that the last digit could matter. */
    int32_t bits = (int32_t)((double)precision * 3.3219280949) + 1;
    return (bits + 1 + 7) / 8;
}

static struct twin simple(stoa_parquet_physical physical, stoa_leaf_class value_class,
                          int32_t width) {
    return (struct twin){.physical = physical,
                         .converted = NO_CONVERTED,
                         .value_class = value_class,
                         .width = width,
                         .multiplier = 1};
}

static struct twin integer(stoa_leaf_class value_class, int8_t bits, bool is_signed,
                           int32_t converted) {
    struct twin twin =
        simple(bits == 64 ? STOA_PARQUET_INT64 : STOA_PARQUET_INT32, value_class, bits / 8);
    twin.logical = STOA_PARQUET_LOGICAL_INTEGER;
    twin.bits = bits;
    twin.is_signed = is_signed;
    twin.converted = converted;
    return twin;
}

static struct twin annotated(struct twin twin, stoa_parquet_logical logical, int32_t converted) {
    twin.logical = logical;
    twin.converted = converted;
    return twin;
}

static struct twin fixed(stoa_leaf_class value_class, int32_t length) {
    struct twin twin = simple(STOA_PARQUET_FIXED, value_class, 0);
    twin.type_length = length;
    return twin;
}

static struct twin decimal(int32_t precision) {
    struct twin twin;
    if (precision <= 9) {
        twin = simple(STOA_PARQUET_INT32, STOA_LEAF_I32, 4);
    } else if (precision <= 18) {
        twin = simple(STOA_PARQUET_INT64, STOA_LEAF_I64, 8);
    } else {
        twin = fixed(STOA_LEAF_FIXED_SIGNED, decimal_bytes(precision));
    }
    return annotated(twin, STOA_PARQUET_LOGICAL_DECIMAL, STOA_PARQUET_CONVERTED_DECIMAL);
}

static struct twin time_of_day(stoa_type_unit unit) {
    bool millis = unit == STOA_TYPE_MILLISECONDS;
    struct twin twin = millis ? simple(STOA_PARQUET_INT32, STOA_LEAF_I32, 4)
                              : simple(STOA_PARQUET_INT64, STOA_LEAF_I64, 8);
    int32_t converted = millis ? STOA_PARQUET_CONVERTED_TIME_MILLIS
                        : unit == STOA_TYPE_MICROSECONDS ? STOA_PARQUET_CONVERTED_TIME_MICROS
                                                         : NO_CONVERTED;
    return annotated(twin, STOA_PARQUET_LOGICAL_TIME, converted);
}

/* Parquet has no seconds: they become milliseconds. The converted types mean an instant in UTC to
 * those readers that know nothing newer, so wall clocks get none. */
static struct twin timestamp(stoa_type_unit unit, bool utc) {
    struct twin twin = simple(STOA_PARQUET_INT64, STOA_LEAF_I64, 8);
    int32_t converted = !utc || unit == STOA_TYPE_NANOSECONDS ? NO_CONVERTED
                        : unit == STOA_TYPE_MICROSECONDS ? STOA_PARQUET_CONVERTED_TIMESTAMP_MICROS
                                                         : STOA_PARQUET_CONVERTED_TIMESTAMP_MILLIS;
    twin = annotated(twin, STOA_PARQUET_LOGICAL_TIMESTAMP, converted);
    twin.utc = utc;
    twin.multiplier = unit == STOA_TYPE_SECONDS ? 1000 : 1;
    return twin;
}

static struct twin twin_of(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_UNKNOWN:
        return annotated(simple(STOA_PARQUET_INT32, STOA_LEAF_NULL, 0),
                         STOA_PARQUET_LOGICAL_UNKNOWN, NO_CONVERTED);
    case STOA_TYPE_BOOLEAN: return simple(STOA_PARQUET_BOOLEAN, STOA_LEAF_BOOL, 1);
    case STOA_TYPE_INT8: return integer(STOA_LEAF_I8, 8, true, STOA_PARQUET_CONVERTED_INT_8);
    case STOA_TYPE_INT16: return integer(STOA_LEAF_I16, 16, true, STOA_PARQUET_CONVERTED_INT_16);
    case STOA_TYPE_INT: return simple(STOA_PARQUET_INT32, STOA_LEAF_I32, 4);
    case STOA_TYPE_LONG: return simple(STOA_PARQUET_INT64, STOA_LEAF_I64, 8);
    case STOA_TYPE_UINT8: return integer(STOA_LEAF_U8, 8, false, STOA_PARQUET_CONVERTED_UINT_8);
    case STOA_TYPE_UINT16:
        return integer(STOA_LEAF_U16, 16, false, STOA_PARQUET_CONVERTED_UINT_16);
    case STOA_TYPE_UINT32:
        return integer(STOA_LEAF_U32, 32, false, STOA_PARQUET_CONVERTED_UINT_32);
    case STOA_TYPE_UINT64:
        return integer(STOA_LEAF_U64, 64, false, STOA_PARQUET_CONVERTED_UINT_64);
    case STOA_TYPE_FLOAT: return simple(STOA_PARQUET_FLOAT, STOA_LEAF_FLOAT, 4);
    case STOA_TYPE_DOUBLE: return simple(STOA_PARQUET_DOUBLE, STOA_LEAF_DOUBLE, 8);
    case STOA_TYPE_DECIMAL: return decimal(type->precision);
    case STOA_TYPE_DATE:
        return annotated(simple(STOA_PARQUET_INT32, STOA_LEAF_I32, 4), STOA_PARQUET_LOGICAL_DATE,
                         STOA_PARQUET_CONVERTED_DATE);
    case STOA_TYPE_TIME: return time_of_day(type->unit);
    case STOA_TYPE_TIMESTAMP: return timestamp(type->unit, false);
    case STOA_TYPE_TIMESTAMP_TZ: return timestamp(type->unit, true);
    case STOA_TYPE_DURATION: return simple(STOA_PARQUET_INT64, STOA_LEAF_I64, 8);
    case STOA_TYPE_INTERVAL:
        return annotated(fixed(STOA_LEAF_FIXED_NO_ORDER, INTERVAL_BYTES), STOA_PARQUET_LOGICAL_NONE,
                         STOA_PARQUET_CONVERTED_INTERVAL);
    case STOA_TYPE_STRING:
        return annotated(simple(STOA_PARQUET_BYTE_ARRAY, STOA_LEAF_BYTES, 0),
                         STOA_PARQUET_LOGICAL_STRING, STOA_PARQUET_CONVERTED_UTF8);
    case STOA_TYPE_BINARY: return simple(STOA_PARQUET_BYTE_ARRAY, STOA_LEAF_BYTES, 0);
    case STOA_TYPE_FIXED: return fixed(STOA_LEAF_FIXED, type->length);
    case STOA_TYPE_UUID:
        return annotated(fixed(STOA_LEAF_FIXED, UUID_BYTES), STOA_PARQUET_LOGICAL_UUID,
                         NO_CONVERTED);
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP:
    case STOA_TYPE_STRUCT: break;
    }
    STOA_ASSERT(!"a nested type has no physical twin");
    return simple(STOA_PARQUET_INT32, STOA_LEAF_NULL, 0);
}

/* ---- Schema elements ------------------------------------------------------------------------- */

static int32_t count_elements(const stoa_type *type) {
    int32_t count = 1 + (type->kind == STOA_TYPE_LIST || type->kind == STOA_TYPE_MAP);
    for (int32_t i = 0; i < type->child_count; i++) {
        count += count_elements(&type->children[i].type);
    }
    return count;
}

static void write_unit(stoa_thrift_writer *writer, int16_t id, stoa_type_unit unit) {
    stoa_thrift_begin_struct(writer, id);
    stoa_thrift_write_empty(writer, unit == STOA_TYPE_NANOSECONDS    ? 3
                                    : unit == STOA_TYPE_MICROSECONDS ? 2
                                                                     : 1);
    stoa_thrift_end_struct(writer);
}

static void write_logical(stoa_thrift_writer *writer, const stoa_type *type,
                          const struct twin *twin) {
    if (twin->logical == STOA_PARQUET_LOGICAL_NONE) {
        return;
    }
    stoa_thrift_begin_struct(writer, 10);
    stoa_thrift_begin_struct(writer, (int16_t)twin->logical);
    switch (twin->logical) {
    case STOA_PARQUET_LOGICAL_DECIMAL:
        stoa_thrift_write_i32(writer, 1, type->scale);
        stoa_thrift_write_i32(writer, 2, type->precision);
        break;
    case STOA_PARQUET_LOGICAL_TIME:
    case STOA_PARQUET_LOGICAL_TIMESTAMP:
        stoa_thrift_write_bool(writer, 1, twin->utc);
        write_unit(writer, 2, type->unit);
        break;
    case STOA_PARQUET_LOGICAL_INTEGER:
        stoa_thrift_write_i8(writer, 1, twin->bits);
        stoa_thrift_write_bool(writer, 2, twin->is_signed);
        break;
    default: break;
    }
    stoa_thrift_end_struct(writer);
    stoa_thrift_end_struct(writer);
}

/* An element is written by its writer, which keeps what fails. */
static void write_geo(stoa_thrift_writer *writer, const stoa_field *field) {
    int32_t edges;
    stoa_buffer crs;
    stoa_buffer_init(&crs, writer->out->pool);
    const stoa_status status = stoa_geo_parse(field->extension_metadata, &crs, &edges, writer->err);
    if (status != STOA_OK) {
        writer->status = status;
    }
    stoa_thrift_begin_struct(writer, 10);
    stoa_thrift_begin_struct(writer, edges >= 0 ? STOA_PARQUET_LOGICAL_GEOGRAPHY
                                                : STOA_PARQUET_LOGICAL_GEOMETRY);
    if (crs.size > 0) {
        stoa_thrift_write_binary(writer, 1, crs.data, crs.size);
    }
    if (edges >= 0) {
        stoa_thrift_write_i32(writer, 2, edges);
    }
    stoa_thrift_end_struct(writer);
    stoa_thrift_end_struct(writer);
    stoa_buffer_release(&crs);
}

static bool has_extension(const stoa_field *field, stoa_type_kind kind, const char *name) {
    return field->extension != NULL && field->type.kind == kind &&
           strcmp(field->extension, name) == 0;
}

static bool is_variant(const stoa_field *field) {
    const stoa_type *type = &field->type;
    return has_extension(field, STOA_TYPE_STRUCT, STOA_VARIANT_EXTENSION) &&
           type->child_count == 2 && strcmp(type->children[0].name, "metadata") == 0 &&
           strcmp(type->children[1].name, "value") == 0 &&
           type->children[0].type.kind == STOA_TYPE_BINARY &&
           type->children[1].type.kind == STOA_TYPE_BINARY;
}

static void write_leaf_element(stoa_thrift_writer *writer, const stoa_field *field,
                               const char *name, bool keeps_extensions) {
    const struct twin twin = twin_of(&field->type);
    stoa_thrift_item_struct(writer);
    stoa_thrift_write_i32(writer, 1, (int32_t)twin.physical);
    if (twin.physical == STOA_PARQUET_FIXED) {
        stoa_thrift_write_i32(writer, 2, twin.type_length);
    }
    stoa_thrift_write_i32(writer, 3, field->required ? STOA_PARQUET_REQUIRED
                                                     : STOA_PARQUET_OPTIONAL);
    stoa_thrift_write_text(writer, 4, name);
    if (twin.converted != NO_CONVERTED) {
        stoa_thrift_write_i32(writer, 6, twin.converted);
    }
    if (field->type.kind == STOA_TYPE_DECIMAL) {
        stoa_thrift_write_i32(writer, 7, field->type.scale);
        stoa_thrift_write_i32(writer, 8, field->type.precision);
    }
    stoa_thrift_write_i32(writer, 9, field->id);
    write_logical(writer, &field->type, &twin);
    if (keeps_extensions && has_extension(field, STOA_TYPE_BINARY, STOA_GEO_EXTENSION)) {
        write_geo(writer, field);
    }
    stoa_thrift_end_struct(writer);
}

static void write_group(stoa_thrift_writer *writer, const char *name,
                        stoa_parquet_repetition repetition, int32_t children, int32_t field_id,
                        int32_t converted, stoa_parquet_logical logical) {
    stoa_thrift_item_struct(writer);
    stoa_thrift_write_i32(writer, 3, (int32_t)repetition);
    stoa_thrift_write_text(writer, 4, name);
    stoa_thrift_write_i32(writer, 5, children);
    if (converted != NO_CONVERTED) {
        stoa_thrift_write_i32(writer, 6, converted);
    }
    if (field_id > 0) {
        stoa_thrift_write_i32(writer, 9, field_id);
    }
    if (logical != STOA_PARQUET_LOGICAL_NONE) {
        stoa_thrift_begin_struct(writer, 10);
        stoa_thrift_begin_struct(writer, (int16_t)logical);
        if (logical == STOA_PARQUET_LOGICAL_VARIANT) {
            stoa_thrift_write_i8(writer, 1, VARIANT_VERSION);
        }
        stoa_thrift_end_struct(writer);
        stoa_thrift_end_struct(writer);
    }
    stoa_thrift_end_struct(writer);
}

/* Recursion is as deep as the schema, whose depth stoa_schema_create has checked. */
static void write_element(stoa_thrift_writer *writer, const stoa_field *field, const char *name,
                          bool keeps_extensions) {
    const stoa_type *type = &field->type;
    const stoa_parquet_repetition repetition =
        field->required ? STOA_PARQUET_REQUIRED : STOA_PARQUET_OPTIONAL;
    switch (type->kind) {
    case STOA_TYPE_LIST:
        write_group(writer, name, repetition, 1, field->id, STOA_PARQUET_CONVERTED_LIST,
                    STOA_PARQUET_LOGICAL_LIST);
        write_group(writer, "list", STOA_PARQUET_REPEATED, 1, 0, NO_CONVERTED,
                    STOA_PARQUET_LOGICAL_NONE);
        write_element(writer, &type->children[0], "element", keeps_extensions);
        break;
    case STOA_TYPE_MAP:
        write_group(writer, name, repetition, 1, field->id, STOA_PARQUET_CONVERTED_MAP,
                    STOA_PARQUET_LOGICAL_MAP);
        write_group(writer, "key_value", STOA_PARQUET_REPEATED, 2, 0, NO_CONVERTED,
                    STOA_PARQUET_LOGICAL_NONE);
        write_element(writer, &type->children[0], "key", keeps_extensions);
        write_element(writer, &type->children[1], "value", keeps_extensions);
        break;
    case STOA_TYPE_STRUCT:
        write_group(writer, name, repetition, type->child_count, field->id, NO_CONVERTED,
                    keeps_extensions && is_variant(field) ? STOA_PARQUET_LOGICAL_VARIANT
                                                          : STOA_PARQUET_LOGICAL_NONE);
        for (int32_t i = 0; i < type->child_count; i++) {
            write_element(writer, &type->children[i], type->children[i].name, keeps_extensions);
        }
        break;
    default: write_leaf_element(writer, field, name, keeps_extensions); break;
    }
}

void stoa_schema_twin_write(stoa_thrift_writer *writer, const stoa_schema *schema,
                            bool keeps_extensions) {
    stoa_thrift_begin_list(writer, 2, STOA_THRIFT_STRUCT, (size_t)count_elements(&schema->root));
    stoa_thrift_item_struct(writer);
    stoa_thrift_write_text(writer, 4, "schema");
    stoa_thrift_write_i32(writer, 5, schema->root.child_count);
    stoa_thrift_end_struct(writer);
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        write_element(writer, &schema->root.children[i], schema->root.children[i].name,
                      keeps_extensions);
    }
}

/* ---- Leaves ---------------------------------------------------------------------------------- */

static int32_t count_leaves(const stoa_type *type) {
    if (type->kind != STOA_TYPE_LIST && type->kind != STOA_TYPE_MAP &&
        type->kind != STOA_TYPE_STRUCT) {
        return 1;
    }
    int32_t count = 0;
    for (int32_t i = 0; i < type->child_count; i++) {
        count += count_leaves(&type->children[i].type);
    }
    return count;
}

/* The way down to the current field: a stack that each leaf copies. */
struct walk {
    stoa_arena *arena;
    stoa_leaf *leaves;
    int32_t leaf_count;
    int32_t column;
    stoa_leaf_step steps[LEVEL_MAX + 1];
    int32_t step_count;
    const char *path[2 * LEVEL_MAX + 2];
    int32_t path_count;
    int definition;
    int repetition;
};

static stoa_status join_path(struct walk *walk, const char **out, stoa_error *err) {
    size_t size = 0;
    for (int32_t i = 0; i < walk->path_count; i++) {
        size += strlen(walk->path[i]) + 1;
    }
    void *memory;
    STOA_TRY(stoa_arena_allocate(walk->arena, size, &memory, err));
    char *text = memory;
    for (int32_t i = 0; i < walk->path_count; i++) {
        size_t length = strlen(walk->path[i]);
        memcpy(text, walk->path[i], length);
        text += length;
        *text++ = i + 1 < walk->path_count ? '.' : '\0';
    }
    *out = memory;
    return STOA_OK;
}

static stoa_status add_leaf(struct walk *walk, const stoa_field *field, stoa_error *err) {
    const struct twin twin = twin_of(&field->type);
    void *steps, *path;
    STOA_TRY(stoa_arena_allocate_array(walk->arena, (size_t)walk->step_count,
                                       sizeof(stoa_leaf_step), &steps, err));
    memcpy(steps, walk->steps, (size_t)walk->step_count * sizeof(stoa_leaf_step));
    STOA_TRY(stoa_arena_allocate_array(walk->arena, (size_t)walk->path_count, sizeof(char *),
                                       &path, err));
    memcpy(path, walk->path, (size_t)walk->path_count * sizeof(char *));
    stoa_leaf *leaf = &walk->leaves[walk->leaf_count++];
    *leaf = (stoa_leaf){.field = field,
                        .column = walk->column,
                        .steps = steps,
                        .step_count = walk->step_count,
                        .path = path,
                        .path_count = walk->path_count,
                        .definition_max = (uint8_t)walk->definition,
                        .repetition_max = (uint8_t)walk->repetition,
                        .value_class = twin.value_class,
                        .physical = twin.physical,
                        .type_length = twin.type_length,
                        .value_width = twin.width,
                        .multiplier = twin.multiplier};
    return join_path(walk, &leaf->name, err);
}

static stoa_status walk_field(struct walk *walk, const stoa_field *field, const char *name,
                              stoa_error *err) {
    const stoa_type *type = &field->type;
    const bool repeated = type->kind == STOA_TYPE_LIST || type->kind == STOA_TYPE_MAP;
    const int levels = !field->required + repeated;
    if (walk->definition + levels > LEVEL_MAX || walk->step_count == LEVEL_MAX) {
        return stoa_fail(err, STOA_UNSUPPORTED, "column '%s': nested deeper than Parquet's writer "
                         "goes (%d levels)", walk->path_count > 0 ? walk->path[0] : name,
                         LEVEL_MAX);
    }
    walk->definition += levels;
    walk->repetition += repeated;
    walk->path[walk->path_count++] = name;
    stoa_leaf_step *step = &walk->steps[walk->step_count++];
    *step = (stoa_leaf_step){.kind = STOA_LEAF_STEP_VALUE,
                             .optional = !field->required,
                             .repetition = (uint8_t)walk->repetition};

    if (type->kind == STOA_TYPE_LIST) {
        step->kind = STOA_LEAF_STEP_LIST;
        walk->path[walk->path_count++] = "list";
        STOA_TRY(walk_field(walk, &type->children[0], "element", err));
        walk->path_count--;
    } else if (type->kind == STOA_TYPE_MAP) {
        step->kind = STOA_LEAF_STEP_MAP;
        walk->path[walk->path_count++] = "key_value";
        STOA_TRY(walk_field(walk, &type->children[0], "key", err));
        step->child = 1;
        STOA_TRY(walk_field(walk, &type->children[1], "value", err));
        walk->path_count--;
    } else if (type->kind == STOA_TYPE_STRUCT) {
        if (type->child_count == 0) {
            return stoa_fail(err, STOA_UNSUPPORTED,
                             "column '%s': Parquet has no structs without fields", name);
        }
        step->kind = STOA_LEAF_STEP_STRUCT;
        for (int32_t i = 0; i < type->child_count; i++) {
            step->child = i;
            STOA_TRY(walk_field(walk, &type->children[i], type->children[i].name, err));
        }
    } else {
        STOA_TRY(add_leaf(walk, field, err));
    }
    walk->step_count--;
    walk->path_count--;
    walk->definition -= levels;
    walk->repetition -= repeated;
    return STOA_OK;
}

stoa_status stoa_leaves_create(stoa_arena *arena, const stoa_schema *schema, const stoa_leaf **out,
                               int32_t *out_count, stoa_error *err) {
    int32_t count = count_leaves(&schema->root);
    if (schema->root.child_count == 0) {
        return stoa_fail(err, STOA_UNSUPPORTED, "Parquet has no files without columns");
    }
    void *memory;
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count, sizeof(stoa_leaf), &memory, err));
    struct walk walk = {.arena = arena, .leaves = memory};
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        walk.column = i;
        STOA_TRY(walk_field(&walk, &schema->root.children[i], schema->root.children[i].name, err));
    }
    *out = memory;
    *out_count = walk.leaf_count;
    return STOA_OK;
}
