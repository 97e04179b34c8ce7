/* Lists are written with commas: "day, id desc nulls first", "id=plain, name=dictionary". A name that is
 * not a column's, with dots in it, is looked for inside structs. */
#include "ingest/parquet_options.h"

#include <strings.h>

#include "arrow/text.h"
#include "base/error.h"
#include "codec/compress.h"
#include "parquet/column_encoder.h"

enum { ITEMS_MAX = 1024 };

/* ---- Lists ----------------------------------------------------------------------------------- */

/* Copies the items of a list without the blanks around them. NULL is no items. */
static stoa_status split(const char *option, const char *list, stoa_arena *arena,
                         const char *const **out, int32_t *out_count, stoa_error *err) {
    static const char blanks[] = " \t\n";
    void *memory;
    *out_count = 0;
    if (list == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(arena, ITEMS_MAX, sizeof(char *), &memory, err));
    const char **items = memory;
    for (const char *at = list;; at++) {
        at += strspn(at, blanks);
        const size_t length = strcspn(at, ",");
        size_t trimmed = length;
        while (trimmed > 0 && strchr(blanks, at[trimmed - 1]) != NULL) {
            trimmed--;
        }
        if (trimmed == 0 || *out_count == ITEMS_MAX) {
            return stoa_fail(err, STOA_INVALID,
                             "%s: expected columns with commas between but found '%s'", option, list);
        }
        STOA_TRY(stoa_arena_copy_text(arena, at, trimmed, &items[(*out_count)++], err));
        at += length;
        if (*at == '\0') {
            *out = items;
            return STOA_OK;
        }
    }
}

static const stoa_field *find_below(const stoa_field *fields, int32_t count, const char *name) {
    for (int32_t i = 0; i < count; i++) {
        const stoa_field *field = &fields[i];
        const size_t length = strlen(field->name);
        if (strcmp(field->name, name) == 0) {
            return field;
        }
        if (field->type.kind == STOA_TYPE_STRUCT && strncmp(field->name, name, length) == 0 &&
            name[length] == '.') {
            const stoa_field *found =
                find_below(field->type.children, field->type.child_count, name + length + 1);
            if (found != NULL) {
                return found;
            }
        }
    }
    return NULL;
}

static stoa_status find_id(const char *option, const stoa_schema *schema, const char *name,
                           int32_t *out, stoa_error *err) {
    const stoa_field *field = find_below(schema->root.children, schema->root.child_count, name);
    if (field == NULL) {
        return stoa_fail(err, STOA_NOT_FOUND, "%s: there is no column '%s'", option, name);
    }
    *out = field->id;
    return STOA_OK;
}

/* ---- Sorting --------------------------------------------------------------------------------- */

struct order {
    char name[256];
    bool descending;
    bool nulls_first;
};

/* Cuts `word` and the blanks before it off the end, if the text ends so. */
static bool cut_word(char *text, const char *word) {
    size_t length = strlen(text);
    const size_t size = strlen(word);
    if (length <= size || strcasecmp(text + length - size, word) != 0 ||
        text[length - size - 1] != ' ') {
        return false;
    }
    length -= size;
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    text[length] = '\0';
    return true;
}

static stoa_status read_order(const char *item, struct order *out, stoa_error *err) {
    *out = (struct order){0};
    const size_t length = strlen(item);
    if (length >= sizeof out->name) {
        return stoa_fail(err, STOA_INVALID, "sort: the name of '%.40s…' is too long", item);
    }
    memcpy(out->name, item, length + 1);
    out->nulls_first = cut_word(out->name, "nulls first");
    if (!out->nulls_first) {
        (void)cut_word(out->name, "nulls last");
    }
    out->descending = cut_word(out->name, "desc");
    if (!out->descending) {
        (void)cut_word(out->name, "asc");
    }
    return STOA_OK;
}

/* `list` as it stands behind ORDER BY. */
static stoa_status write_order_by(const char *list, stoa_arena *arena, stoa_buffer *out,
                                  stoa_error *err) {
    const char *const *items = NULL;
    int32_t count;
    STOA_TRY(split("sort", list, arena, &items, &count, err));
    for (int32_t i = 0; i < count; i++) {
        struct order order;
        STOA_TRY(read_order(items[i], &order, err));
        STOA_TRY(stoa_buffer_append_text(out, i > 0 ? ", " : "", err));
        for (const char *part = order.name; part != NULL;) {
            const char *dot = strchr(part, '.');
            const size_t size = dot == NULL ? strlen(part) : (size_t)(dot - part);
            STOA_TRY(stoa_buffer_append_byte(out, '"', err));
            for (size_t at = 0; at < size; at++) {
                STOA_TRY(stoa_buffer_append_text(out, part[at] == '"' ? "\"" : "", err));
                STOA_TRY(stoa_buffer_append(out, part + at, 1, err));
            }
            STOA_TRY(stoa_buffer_append_text(out, dot == NULL ? "\"" : "\".", err));
            part = dot == NULL ? NULL : dot + 1;
        }
        STOA_TRY(stoa_buffer_append_text(out, order.descending ? " DESC" : " ASC", err));
        STOA_TRY(stoa_buffer_append_text(
            out, order.nulls_first ? " NULLS FIRST" : " NULLS LAST", err));
    }
    return STOA_OK;
}

stoa_status stoa_sort_to_sql(const char *sort, stoa_text *out, stoa_error *err) {
    stoa_arena arena;
    stoa_arena_init(&arena, out->buffer.pool);
    stoa_buffer_clear(&out->buffer);
    stoa_status status = write_order_by(sort, &arena, &out->buffer, err);
    const char *text;
    if (status == STOA_OK) {
        status = stoa_buffer_text(&out->buffer, &text, err);
    }
    stoa_arena_release(&arena);
    return status;
}

static stoa_status read_sorting(const char *list, const stoa_schema *schema, stoa_arena *arena,
                                stoa_parquet_options *out, stoa_error *err) {
    const char *const *items = NULL;
    int32_t count;
    void *memory;
    STOA_TRY(split("sort", list, arena, &items, &count, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count, sizeof *out->sorting, &memory, err));
    stoa_parquet_sorting_option *sorting = memory;
    for (int32_t i = 0; i < count; i++) {
        struct order order;
        STOA_TRY(read_order(items[i], &order, err));
        sorting[i].descending = order.descending;
        sorting[i].nulls_first = order.nulls_first;
        if (schema != NULL) {
            STOA_TRY(find_id("sort", schema, order.name, &sorting[i].field_id, err));
        }
    }
    out->sorting = sorting;
    out->sorting_count = schema == NULL ? 0 : count;
    return STOA_OK;
}

/* Types that the engine and Parquet order alike. */
static bool has_one_order(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN:
    case STOA_TYPE_INT8:
    case STOA_TYPE_INT16:
    case STOA_TYPE_INT:
    case STOA_TYPE_LONG:
    case STOA_TYPE_UINT8:
    case STOA_TYPE_UINT16:
    case STOA_TYPE_UINT32:
    case STOA_TYPE_UINT64:
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE:
    case STOA_TYPE_DECIMAL:
    case STOA_TYPE_DATE:
    case STOA_TYPE_TIME:
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
    case STOA_TYPE_STRING: return true;
    default: return false;
    }
}

static bool has_sorting(const stoa_parquet_sorting_option *sorting, int32_t count, int32_t id) {
    bool found = false;
    for (int32_t i = 0; i < count && !found; i++) {
        found = sorting[i].field_id == id;
    }
    return found;
}

stoa_status stoa_parquet_sorting_read(const char *sort, const stoa_schema *schema,
                                      const stoa_partition_spec *spec, stoa_arena *arena,
                                      const stoa_parquet_sorting_option **out, int32_t *out_count,
                                      stoa_error *err) {
    const char *const *items = NULL;
    int32_t count, used = 0;
    void *memory;
    STOA_TRY(split("sort", sort, arena, &items, &count, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count, sizeof **out, &memory, err));
    stoa_parquet_sorting_option *sorting = memory;
    for (int32_t i = 0; i < count; i++) {
        struct order order;
        STOA_TRY(read_order(items[i], &order, err));
        const stoa_field *field =
            find_below(schema->root.children, schema->root.child_count, order.name);
        if (field == NULL || !has_one_order(&field->type)) {
            break;
        }
        if ((spec != NULL && stoa_partition_identity(spec, field->id) >= 0) ||
            has_sorting(sorting, used, field->id)) {
            continue;
        }
        sorting[used++] = (stoa_parquet_sorting_option){.field_id = field->id,
                                                        .descending = order.descending,
                                                        .nulls_first = order.nulls_first};
    }
    *out = sorting;
    *out_count = used;
    return STOA_OK;
}

/* ---- All of them ----------------------------------------------------------------------------- */

static stoa_status read_blooms(const char *list, const stoa_schema *schema, stoa_arena *arena,
                               stoa_parquet_options *out, stoa_error *err) {
    const char *const *items = NULL;
    int32_t count;
    void *memory;
    STOA_TRY(split("bloom", list, arena, &items, &count, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count, sizeof(int32_t), &memory, err));
    int32_t *ids = memory;
    for (int32_t i = 0; schema != NULL && i < count; i++) {
        STOA_TRY(find_id("bloom", schema, items[i], &ids[i], err));
    }
    out->bloom_fields = ids;
    out->bloom_count = schema == NULL ? 0 : count;
    return STOA_OK;
}

static stoa_status read_encodings(const char *list, const stoa_schema *schema, stoa_arena *arena,
                                  stoa_parquet_options *out, stoa_error *err) {
    const char *const *items = NULL;
    int32_t count;
    void *memory;
    STOA_TRY(split("encoding", list, arena, &items, &count, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count, sizeof *out->encodings, &memory, err));
    stoa_parquet_column_encoding *encodings = memory;
    for (int32_t i = 0; i < count; i++) {
        const char *sign = strrchr(items[i], '=');
        if (sign == NULL || sign == items[i] ||
            !stoa_parquet_encoding_find(sign + 1, &encodings[i].encoding)) {
            return stoa_fail(err, STOA_INVALID,
                             "encoding: expected COLUMN=ENCODING (plain, dictionary, rle, "
                             "delta_binary_packed, delta_length_byte_array, delta_byte_array, "
                             "byte_stream_split) but found '%s'", items[i]);
        }
        STOA_TRY(stoa_arena_copy_text(arena, items[i], (size_t)(sign - items[i]),
                                      &encodings[i].column, err));
    }
    out->encodings = encodings;
    out->encoding_count = schema == NULL ? 0 : count;
    return STOA_OK;
}

static stoa_status read_codec(const stoa_parquet_export_options *options, stoa_arena *arena,
                              stoa_parquet_options *out, stoa_error *err) {
    static const stoa_parquet_codec codecs[] = {STOA_PARQUET_NONE,   STOA_PARQUET_SNAPPY,
                                                STOA_PARQUET_GZIP,   STOA_PARQUET_ZSTD,
                                                STOA_PARQUET_LZ4_RAW, STOA_PARQUET_BROTLI};
    stoa_compression wanted;
    bool found = options->codec == NULL;
    if (!found && stoa_compression_parse(options->codec, &wanted, NULL) == STOA_OK) {
        for (size_t i = 0; i < sizeof codecs / sizeof *codecs && !found; i++) {
            found = stoa_parquet_codec_compression(codecs[i]) == wanted;
            out->codec = found ? codecs[i] : out->codec;
        }
    }
    if (!found) {
        return stoa_fail(err, STOA_INVALID,
                         "codec: expected zstd, snappy, lz4_raw, gzip, brotli or none but found "
                         "'%s'", options->codec);
    }
    stoa_codec *codec = NULL;
    out->level = options->level;
    stoa_status status = stoa_codec_create(arena->pool, stoa_parquet_codec_compression(out->codec),
                                           out->level, &codec, err);
    stoa_codec_close(codec);
    if (status != STOA_OK) {
        stoa_wrap(err, "level");
    }
    return status;
}

static stoa_status read_size(const char *option, int64_t value, int64_t most, int64_t *out,
                             stoa_error *err) {
    if (value < 0 || value > most) {
        return stoa_fail(err, STOA_INVALID, "%s: expected 1 to %" PRId64 " but found %" PRId64,
                         option, most, value);
    }
    *out = value == 0 ? *out : value;
    return STOA_OK;
}

static stoa_status read_sizes(const stoa_parquet_export_options *options,
                              stoa_parquet_options *out, stoa_error *err) {
    int64_t page_bytes = (int64_t)out->page_bytes;
    int64_t group_bytes = (int64_t)out->row_group_bytes;
    STOA_TRY(read_size("row_group_rows", options->row_group_rows, INT32_MAX, &out->row_group_rows,
                       err));
    STOA_TRY(read_size("row_group_bytes", options->row_group_bytes, INT64_MAX, &group_bytes, err));
    STOA_TRY(read_size("page_bytes", options->page_bytes, 1 << 30, &page_bytes, err));
    STOA_TRY(read_size("page_rows", options->page_rows, INT32_MAX, &out->page_rows, err));
    out->page_bytes = (size_t)page_bytes;
    out->row_group_bytes = (uint64_t)group_bytes;
    return STOA_OK;
}

stoa_status stoa_parquet_options_read(const stoa_parquet_export_options *options,
                                      const stoa_schema *schema, stoa_arena *arena,
                                      stoa_parquet_options *out, stoa_error *err) {
    *out = (stoa_parquet_options)STOA_PARQUET_DEFAULT;
    if (options == NULL) {
        return STOA_OK;
    }
    STOA_TRY(read_codec(options, arena, out, err));
    if (options->profile != NULL && strcasecmp(options->profile, "modern") == 0) {
        out->profile = STOA_PARQUET_MODERN;
    } else if (options->profile != NULL && strcasecmp(options->profile, "compatible") != 0) {
        return stoa_fail(err, STOA_INVALID,
                         "profile: expected compatible or modern but found '%s'", options->profile);
    }
    STOA_TRY(read_sizes(options, out, err));
    STOA_TRY(read_blooms(options->bloom, schema, arena, out, err));
    STOA_TRY(read_sorting(options->sort, schema, arena, out, err));
    return read_encodings(options->encoding, schema, arena, out, err);
}

stoa_status stoa_parquet_export_check(stoa_pool *pool, const stoa_parquet_export_options *options,
                                      stoa_error *err) {
    stoa_parquet_options ignored;
    stoa_arena arena;
    stoa_arena_init(&arena, pool);
    stoa_status status = stoa_parquet_options_read(options, NULL, &arena, &ignored, err);
    stoa_arena_release(&arena);
    return status;
}
