/* The Arrow twins of types and schemas, both ways.
 *
 * To Arrow there is one layout for each type, the canonical one: plain arrays with 32-bit offsets,
 * decimals in 128 bits, dates in days, no dictionaries. From Arrow many layouts lead to one type,
 * because how values lie in memory is no part of it; stoa_batch_conform brings such batches into
 * the canonical layout.
 *
 * Ids travel in the metadata key "PARQUET:field_id", as Arrow's Parquet reader and writer and
 * PyIceberg use it, and docs in "doc". The ids of a foreign schema are kept only when every field
 * has one and no two are the same; else all are given anew, for half an id is none.
 *
 * Source   Apache Arrow, "The Arrow C data interface", "Canonical Extension Types" */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/layout.h"
#include "arrow/schema.h"
#include "base/utf8.h"
#include "schema/fit.h"
#include "schema/internal.h"
#include "schema/schema.h"

static const char FIELD_ID_KEY[] = "PARQUET:field_id";
static const char DOC_KEY[] = "doc";
static const char EXTENSION_KEY[] = "ARROW:extension:name";
static const char EXTENSION_METADATA_KEY[] = "ARROW:extension:metadata";

/* -- to Arrow --------------------------------------------------------------------------------- */

static const char UNIT_LETTERS[] = "smun";

static const char *plain_format(stoa_type_kind kind) {
    switch (kind) {
    case STOA_TYPE_UNKNOWN: return "n";
    case STOA_TYPE_BOOLEAN: return "b";
    case STOA_TYPE_INT8: return "c";
    case STOA_TYPE_INT16: return "s";
    case STOA_TYPE_INT: return "i";
    case STOA_TYPE_LONG: return "l";
    case STOA_TYPE_UINT8: return "C";
    case STOA_TYPE_UINT16: return "S";
    case STOA_TYPE_UINT32: return "I";
    case STOA_TYPE_UINT64: return "L";
    case STOA_TYPE_FLOAT: return "f";
    case STOA_TYPE_DOUBLE: return "g";
    case STOA_TYPE_DATE: return "tdD";
    case STOA_TYPE_INTERVAL: return "tin";
    case STOA_TYPE_STRING: return "u";
    case STOA_TYPE_BINARY: return "z";
    case STOA_TYPE_UUID: return "w:16";
    case STOA_TYPE_LIST: return "+l";
    case STOA_TYPE_MAP: return "+m";
    case STOA_TYPE_STRUCT: return "+s";
    default: return NULL; /* the format has parameters */
    }
}

void stoa_type_arrow_format(const stoa_type *type, char out[STOA_ARROW_FORMAT_BYTES]) {
    const size_t size = STOA_ARROW_FORMAT_BYTES;
    char unit = UNIT_LETTERS[type->unit];
    switch (type->kind) {
    case STOA_TYPE_DECIMAL:
        (void)snprintf(out, size, "d:%d,%d", (int)type->precision, (int)type->scale);
        break;
    case STOA_TYPE_TIME: (void)snprintf(out, size, "tt%c", unit); break;
    case STOA_TYPE_TIMESTAMP: (void)snprintf(out, size, "ts%c:", unit); break;
    case STOA_TYPE_TIMESTAMP_TZ: (void)snprintf(out, size, "ts%c:UTC", unit); break;
    case STOA_TYPE_DURATION: (void)snprintf(out, size, "tD%c", unit); break;
    case STOA_TYPE_FIXED: (void)snprintf(out, size, "w:%d", (int)type->length); break;
    default: (void)snprintf(out, size, "%s", plain_format(type->kind)); break;
    }
}

static stoa_status set_metadata(stoa_pool *pool, const stoa_field *field, struct ArrowSchema *out,
                                stoa_error *err) {
    const char *keys[4] = {FIELD_ID_KEY};
    char id[16];
    (void)snprintf(id, sizeof id, "%d", (int)field->id);
    const char *values[4] = {id};
    int32_t count = 1;
    if (field->doc != NULL) {
        keys[count] = DOC_KEY;
        values[count++] = field->doc;
    }
    if (field->type.kind == STOA_TYPE_UUID) {
        keys[count] = EXTENSION_KEY;
        values[count++] = "arrow.uuid";
        keys[count] = EXTENSION_METADATA_KEY;
        values[count++] = "";
    } else if (field->extension != NULL) {
        keys[count] = EXTENSION_KEY;
        values[count++] = field->extension;
        keys[count] = EXTENSION_METADATA_KEY;
        values[count++] = field->extension_metadata == NULL ? "" : field->extension_metadata;
    }
    return stoa_arrow_schema_set_metadata(pool, out, keys, values, count, err);
}

static stoa_status fill_children(stoa_pool *pool, const stoa_type *type, struct ArrowSchema *out,
                                 stoa_error *err) {
    for (int32_t i = 0; i < type->child_count; i++) {
        STOA_TRY(stoa_field_to_arrow(pool, &type->children[i], out->children[i], err));
    }
    return STOA_OK;
}

stoa_status stoa_field_to_arrow(stoa_pool *pool, const stoa_field *field, struct ArrowSchema *out,
                                stoa_error *err) {
    const stoa_type *type = &field->type;
    char format[STOA_ARROW_FORMAT_BYTES];
    stoa_type_arrow_format(type, format);
    bool map = type->kind == STOA_TYPE_MAP;
    *out = (struct ArrowSchema){0};
    STOA_TRY(stoa_arrow_schema_init(pool, format, field->name, !field->required,
                                    map ? 1 : type->child_count, out, err));
    struct ArrowSchema *parent = out;
    stoa_status status = set_metadata(pool, field, out, err);
    if (status == STOA_OK && map) {
        parent = out->children[0];
        status = stoa_arrow_schema_init(pool, "+s", "entries", false, 2, parent, err);
    }
    if (status == STOA_OK) {
        status = fill_children(pool, type, parent, err);
    }
    if (status != STOA_OK) {
        stoa_arrow_schema_release(out);
    }
    return status;
}

stoa_status stoa_schema_to_arrow(stoa_pool *pool, const stoa_schema *schema,
                                 struct ArrowSchema *out, stoa_error *err) {
    *out = (struct ArrowSchema){0};
    STOA_TRY(stoa_arrow_schema_init(pool, "+s", "", false, schema->root.child_count, out, err));
    stoa_status status = fill_children(pool, &schema->root, out, err);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(out);
    }
    return status;
}

/* -- from Arrow ------------------------------------------------------------------------------- */

struct reader {
    stoa_arena *arena;
    bool all_have_ids;
};

/* 0 when there is none that is a positive number. */
static int32_t metadata_id(const char *metadata) {
    const char *value;
    int32_t size;
    if (!stoa_arrow_metadata_find(metadata, FIELD_ID_KEY, &value, &size) || size < 1 || size > 10) {
        return 0;
    }
    int64_t id = 0;
    for (int32_t i = 0; i < size; i++) {
        if (!stoa_ascii_is_digit(value[i])) {
            return 0;
        }
        id = id * 10 + (value[i] - '0');
    }
    return id > INT32_MAX ? 0 : (int32_t)id;
}

static stoa_type_unit type_unit(stoa_time_unit unit) {
    switch (unit) {
    case STOA_UNIT_SECOND: return STOA_TYPE_SECONDS;
    case STOA_UNIT_MILLISECOND: return STOA_TYPE_MILLISECONDS;
    case STOA_UNIT_MICROSECOND: return STOA_TYPE_MICROSECONDS;
    case STOA_UNIT_NANOSECOND: return STOA_TYPE_NANOSECONDS;
    }
    return STOA_TYPE_MICROSECONDS;
}

static stoa_status refuse(const struct ArrowSchema *arrow, const char *what, stoa_error *err) {
    return stoa_fail(err, STOA_UNSUPPORTED, "field '%s': %s (Arrow format '%s') is not supported",
                     arrow->name == NULL ? "" : arrow->name, what, arrow->format);
}

static stoa_status read_decimal(const struct ArrowSchema *arrow, const stoa_arrow_layout *layout,
                                stoa_type *out, stoa_error *err) {
    if (layout->precision < 1 || layout->precision > STOA_DECIMAL_DIGITS_MAX) {
        return refuse(arrow, "a decimal of more than 38 digits", err);
    }
    if (layout->scale < 0 || layout->scale > layout->precision) {
        return refuse(arrow, "a decimal whose scale is not from 0 to its precision", err);
    }
    out->kind = STOA_TYPE_DECIMAL;
    out->precision = layout->precision;
    out->scale = layout->scale;
    return STOA_OK;
}

stoa_status stoa_type_from_layout(const struct ArrowSchema *arrow, const stoa_arrow_layout *layout,
                                  stoa_extension extension, stoa_type *out, stoa_error *err) {
    *out = (stoa_type){0};
    switch (layout->kind) {
    case STOA_ARROW_NULL: out->kind = STOA_TYPE_UNKNOWN; return STOA_OK;
    case STOA_ARROW_BOOL: out->kind = STOA_TYPE_BOOLEAN; return STOA_OK;
    case STOA_ARROW_INT8:
        out->kind = extension == STOA_EXTENSION_BOOL8 ? STOA_TYPE_BOOLEAN : STOA_TYPE_INT8;
        return STOA_OK;
    case STOA_ARROW_UINT8: out->kind = STOA_TYPE_UINT8; return STOA_OK;
    case STOA_ARROW_INT16: out->kind = STOA_TYPE_INT16; return STOA_OK;
    case STOA_ARROW_UINT16: out->kind = STOA_TYPE_UINT16; return STOA_OK;
    case STOA_ARROW_INT32: out->kind = STOA_TYPE_INT; return STOA_OK;
    case STOA_ARROW_UINT32: out->kind = STOA_TYPE_UINT32; return STOA_OK;
    case STOA_ARROW_INT64: out->kind = STOA_TYPE_LONG; return STOA_OK;
    case STOA_ARROW_UINT64: out->kind = STOA_TYPE_UINT64; return STOA_OK;
    case STOA_ARROW_FLOAT16:
    case STOA_ARROW_FLOAT: out->kind = STOA_TYPE_FLOAT; return STOA_OK;
    case STOA_ARROW_DOUBLE: out->kind = STOA_TYPE_DOUBLE; return STOA_OK;
    case STOA_ARROW_DECIMAL: return read_decimal(arrow, layout, out, err);
    case STOA_ARROW_DATE32:
    case STOA_ARROW_DATE64: out->kind = STOA_TYPE_DATE; return STOA_OK;
    case STOA_ARROW_TIME32:
    case STOA_ARROW_TIME64:
        out->kind = STOA_TYPE_TIME;
        out->unit = type_unit(layout->unit);
        if (out->unit == STOA_TYPE_SECONDS) {
            out->unit = STOA_TYPE_MILLISECONDS;
        }
        return STOA_OK;
    case STOA_ARROW_TIMESTAMP:
        out->kind = layout->timezone_view[0] == '\0' ? STOA_TYPE_TIMESTAMP : STOA_TYPE_TIMESTAMP_TZ;
        out->unit = type_unit(layout->unit);
        return STOA_OK;
    case STOA_ARROW_DURATION:
        out->kind = STOA_TYPE_DURATION;
        out->unit = type_unit(layout->unit);
        return STOA_OK;
    case STOA_ARROW_INTERVAL_MONTHS:
    case STOA_ARROW_INTERVAL_DAY_TIME:
    case STOA_ARROW_INTERVAL_MONTH_DAY_NANO: out->kind = STOA_TYPE_INTERVAL; return STOA_OK;
    case STOA_ARROW_STRING:
    case STOA_ARROW_LARGE_STRING:
    case STOA_ARROW_STRING_VIEW: out->kind = STOA_TYPE_STRING; return STOA_OK;
    case STOA_ARROW_BINARY:
    case STOA_ARROW_LARGE_BINARY:
    case STOA_ARROW_BINARY_VIEW: out->kind = STOA_TYPE_BINARY; return STOA_OK;
    case STOA_ARROW_FIXED:
        if (extension == STOA_EXTENSION_UUID && layout->byte_width == 16) {
            out->kind = STOA_TYPE_UUID;
            return STOA_OK;
        }
        if (layout->byte_width < 1) {
            return refuse(arrow, "a fixed-size binary of no bytes", err);
        }
        out->kind = STOA_TYPE_FIXED;
        out->length = layout->byte_width;
        return STOA_OK;
    case STOA_ARROW_DENSE_UNION:
    case STOA_ARROW_SPARSE_UNION: return refuse(arrow, "a union", err);
    case STOA_ARROW_RUN_END: return refuse(arrow, "a run-end encoded field", err);
    default: return refuse(arrow, "this type", err);
    }
}

static stoa_status read_field(struct reader *reader, const struct ArrowSchema *arrow, int32_t depth,
                              bool named, stoa_field *out, stoa_error *err);

static stoa_status read_children(struct reader *reader, const struct ArrowSchema *arrow,
                                 int32_t depth, bool named, stoa_type *out, stoa_error *err) {
    struct stoa_field_list list = {.arena = reader->arena};
    for (int64_t i = 0; i < arrow->n_children; i++) {
        stoa_field field;
        STOA_TRY(read_field(reader, arrow->children[i], depth, named, &field, err));
        STOA_TRY(stoa_field_list_append(&list, &field, err));
    }
    out->children = list.items;
    out->child_count = list.count;
    return STOA_OK;
}

static stoa_status expect_children(const struct ArrowSchema *arrow, int64_t count,
                                   stoa_error *err) {
    if (arrow->n_children != count) {
        return stoa_fail(err, STOA_INVALID,
                         "field '%s': expected %" PRId64
                         " children for Arrow format '%s' but found "
                         "%" PRId64,
                         arrow->name == NULL ? "" : arrow->name, count, arrow->format,
                         arrow->n_children);
    }
    return STOA_OK;
}

static stoa_status read_type(struct reader *reader, const struct ArrowSchema *arrow,
                             stoa_extension extension, int32_t depth, stoa_type *out,
                             stoa_error *err) {
    stoa_arrow_layout layout;
    *out = (stoa_type){0};
    if (depth > STOA_SCHEMA_DEPTH_MAX) {
        return stoa_fail(err, STOA_LIMIT, "types are nested deeper than %d levels",
                         STOA_SCHEMA_DEPTH_MAX);
    }
    STOA_TRY(stoa_arrow_layout_parse(arrow, &layout, err));
    if (layout.dictionary) {
        stoa_extension inner = stoa_arrow_extension(arrow->dictionary);
        return read_type(reader, arrow->dictionary,
                         inner == STOA_EXTENSION_NONE ? extension : inner, depth + 1, out, err);
    }
    switch (layout.kind) {
    case STOA_ARROW_LIST:
    case STOA_ARROW_LARGE_LIST:
    case STOA_ARROW_FIXED_LIST:
        out->kind = STOA_TYPE_LIST;
        STOA_TRY(expect_children(arrow, 1, err));
        return read_children(reader, arrow, depth + 1, false, out, err);
    case STOA_ARROW_MAP:
        out->kind = STOA_TYPE_MAP;
        STOA_TRY(expect_children(arrow, 1, err));
        STOA_TRY(expect_children(arrow->children[0], 2, err));
        return read_children(reader, arrow->children[0], depth + 1, false, out, err);
    case STOA_ARROW_STRUCT:
        out->kind = STOA_TYPE_STRUCT;
        return read_children(reader, arrow, depth + 1, true, out, err);
    default: return stoa_type_from_layout(arrow, &layout, extension, out, err);
    }
}

static stoa_status copy_metadata(struct reader *reader, const struct ArrowSchema *arrow,
                                 const char *key, const char **out, stoa_error *err) {
    const char *value;
    int32_t size;
    if (!stoa_arrow_metadata_find(arrow->metadata, key, &value, &size) || size < 1 ||
        !stoa_utf8_valid(value, (size_t)size, NULL) || memchr(value, '\0', (size_t)size) != NULL) {
        return STOA_OK;
    }
    return stoa_arena_copy_text(reader->arena, value, (size_t)size, out, err);
}

/* Of extension types whose storage has no layout but the canonical one; others would promise a storage
 * that conforming batches no longer have. */
static stoa_status read_extension(struct reader *reader, const struct ArrowSchema *arrow,
                                  stoa_field *out, stoa_error *err) {
    const char *name = NULL;
    STOA_TRY(copy_metadata(reader, arrow, EXTENSION_KEY, &name, err));
    const bool is_variant = name != NULL && strcmp(name, "arrow.parquet.variant") == 0 &&
                            out->type.kind == STOA_TYPE_STRUCT;
    const bool is_geometry = name != NULL && strcmp(name, "geoarrow.wkb") == 0 &&
                             out->type.kind == STOA_TYPE_BINARY;
    if (!is_variant && !is_geometry) {
        return STOA_OK;
    }
    out->extension = name;
    return copy_metadata(reader, arrow, EXTENSION_METADATA_KEY, &out->extension_metadata, err);
}

static stoa_status read_field(struct reader *reader, const struct ArrowSchema *arrow, int32_t depth,
                              bool named, stoa_field *out, stoa_error *err) {
    *out = (stoa_field){.name = arrow->name};
    if (named && (arrow->name == NULL || arrow->name[0] == '\0')) {
        return stoa_fail(err, STOA_INVALID,
                         "expected a name for every field but found an empty one");
    }
    STOA_TRY(read_type(reader, arrow, stoa_arrow_extension(arrow), depth, &out->type, err));
    out->required = (arrow->flags & ARROW_FLAG_NULLABLE) == 0 &&
                    out->type.kind != STOA_TYPE_UNKNOWN;
    out->id = metadata_id(arrow->metadata);
    reader->all_have_ids = reader->all_have_ids && out->id > 0;
    STOA_TRY(read_extension(reader, arrow, out, err));
    const char *doc;
    int32_t doc_size;
    if (stoa_arrow_metadata_find(arrow->metadata, DOC_KEY, &doc, &doc_size) && doc_size > 0 &&
        memchr(doc, '\0', (size_t)doc_size) == NULL) {
        STOA_TRY(stoa_arena_copy_text(reader->arena, doc, (size_t)doc_size, &out->doc, err));
    }
    return STOA_OK;
}

static int64_t count_fields(const stoa_type *type) {
    int64_t count = type->child_count;
    for (int32_t i = 0; i < type->child_count; i++) {
        count += count_fields(&type->children[i].type);
    }
    return count;
}

static void gather_ids(const stoa_type *type, int32_t **next) {
    for (int32_t i = 0; i < type->child_count; i++) {
        *(*next)++ = type->children[i].id;
        gather_ids(&type->children[i].type, next);
    }
}

static int compare_ids(const void *left, const void *right) {
    int32_t a = *(const int32_t *)left;
    int32_t b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

static stoa_status ids_differ(stoa_arena *arena, const stoa_type *root, bool *out,
                              stoa_error *err) {
    int64_t count = count_fields(root);
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count, sizeof(int32_t), &memory, err));
    int32_t *ids = memory;
    int32_t *next = ids;
    gather_ids(root, &next);
    qsort(ids, (size_t)count, sizeof *ids, compare_ids);
    *out = true;
    for (int64_t i = 1; i < count; i++) {
        *out = *out && ids[i] != ids[i - 1];
    }
    return STOA_OK;
}

stoa_status stoa_schema_from_arrow(stoa_pool *pool, const struct ArrowSchema *arrow,
                                   const stoa_schema **out, stoa_error *err) {
    *out = NULL;
    if (arrow->format == NULL || strcmp(arrow->format, "+s") != 0) {
        return stoa_fail(err, STOA_INVALID, "expected an Arrow struct ('+s') but found '%s'",
                         arrow->format == NULL ? "" : arrow->format);
    }
    stoa_arena scratch;
    stoa_arena_init(&scratch, pool);
    stoa_status status = STOA_OK;
    struct reader reader = {.arena = &scratch, .all_have_ids = true};
    stoa_type root = {.kind = STOA_TYPE_STRUCT};
    bool keep_ids = false;
    STOA_CHECK(read_children(&reader, arrow, 1, true, &root, err));
    if (reader.all_have_ids) {
        STOA_CHECK(ids_differ(&scratch, &root, &keep_ids, err));
    }
    STOA_CHECK(stoa_schema_create(pool, root.children, root.child_count, keep_ids, out, err));
done:
    stoa_arena_release(&scratch);
    return status;
}
