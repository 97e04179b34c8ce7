/* Writes random rows as Parquet, and the same rows and their schema as JSON, for the oracle tests:
 *
 *     tool_parquet_write OUT.parquet "SCHEMA" [NAME=VALUE]... [COLUMN:ENCODING]...   > OUT.json
 *     tool_parquet_write verify FILE | describe FILE [pages]
 *
 * The JSON is made from the Arrow arrays alone, value by value, and shares nothing with the writer:
 * integers and temporals as integers, floats as their bits, decimals as unscaled integers, bytes in
 * hexadecimal, intervals and structs as arrays, maps as arrays of pairs. */
#include <inttypes.h>

#include "parquet/verify.h"
#include "parquet/writer.h"
#include "rows.h"
#include "schema/schema.h"

struct settings {
    int64_t seed, rows, group, page, dictionary, threads, nulls, distinct, items, text, batch;
    int64_t sorted, level, bloom, modern, page_rows, group_bytes;
    char codec[16];
    stoa_parquet_column_encoding encodings[32];
    int32_t encoding_count;
};

static void die(const char *what, const stoa_error *err) {
    fprintf(stderr, "%s: %s: %s\n", what, stoa_status_name(err->status), err->message);
    exit(1);
}

static stoa_parquet_encoding encoding_of(const char *name) {
    stoa_parquet_encoding encoding = STOA_PARQUET_PLAIN;
    if (!stoa_parquet_encoding_find(name, &encoding)) {
        fprintf(stderr, "unknown encoding '%s'\n", name);
        exit(2);
    }
    return encoding;
}

static void parse_setting(struct settings *settings, char *text) {
    const char *value = strchr(text, '=');
    const struct {
        const char *name;
        int64_t *target;
    } numbers[] = {{"seed", &settings->seed},         {"rows", &settings->rows},
                   {"group", &settings->group},       {"page", &settings->page},
                   {"threads", &settings->threads},   {"dictionary", &settings->dictionary},
                   {"nulls", &settings->nulls},       {"distinct", &settings->distinct},
                   {"items", &settings->items},       {"text", &settings->text},
                   {"batch", &settings->batch},       {"sorted", &settings->sorted},
                   {"level", &settings->level},       {"modern", &settings->modern},
                   {"page_rows", &settings->page_rows}, {"bloom", &settings->bloom},
                   {"group_bytes", &settings->group_bytes}};
    if (value == NULL && strchr(text, ':') != NULL && settings->encoding_count < 32) {
        char *colon = strchr(text, ':');
        *colon = '\0';
        stoa_parquet_column_encoding *wanted = &settings->encodings[settings->encoding_count++];
        *wanted = (stoa_parquet_column_encoding){text, encoding_of(colon + 1)};
        return;
    }
    if (value != NULL && strncmp(text, "codec=", 6) == 0) {
        snprintf(settings->codec, sizeof settings->codec, "%s", value + 1);
        return;
    }
    for (size_t i = 0; value != NULL && i < sizeof numbers / sizeof *numbers; i++) {
        if (strlen(numbers[i].name) == (size_t)(value - text) &&
            strncmp(numbers[i].name, text, (size_t)(value - text)) == 0) {
            *numbers[i].target = strtoll(value + 1, NULL, 10);
            return;
        }
    }
    fprintf(stderr, "unknown setting '%s'\n", text);
    exit(2);
}

static stoa_parquet_codec codec_of(const char *name) {
    static const char *const names[] = {"none", "snappy", "gzip", "zstd", "lz4_raw", "brotli"};
    for (int i = 0; i < 6; i++) {
        if (strcmp(names[i], name) == 0) {
            return (stoa_parquet_codec)i;
        }
    }
    fprintf(stderr, "unknown codec '%s'\n", name);
    exit(2);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void print_string(const char *text, size_t size) {
    putchar('"');
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < 0x20) {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

static void print_hex(const uint8_t *bytes, size_t size) {
    putchar('"');
    for (size_t i = 0; i < size; i++) {
        printf("%02x", bytes[i]);
    }
    putchar('"');
}

static void print_i128(__int128 value) {
    char digits[48];
    int at = 0;
    unsigned __int128 magnitude =
        value < 0 ? 0 - (unsigned __int128)value : (unsigned __int128)value;
    do {
        digits[at++] = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
    } while (magnitude > 0);
    if (value < 0) {
        putchar('-');
    }
    while (at > 0) {
        putchar(digits[--at]);
    }
}

static void print_value(const stoa_type *type, const struct ArrowArray *array, int64_t row);

static void print_items(const stoa_type *type, const struct ArrowArray *array, int64_t at) {
    const int32_t *offsets = array->buffers[1];
    putchar('[');
    for (int32_t i = offsets[at]; i < offsets[at + 1]; i++) {
        printf(i > offsets[at] ? "," : "");
        if (type->kind == STOA_TYPE_LIST) {
            print_value(&type->children[0].type, array->children[0], i);
        } else {
            const struct ArrowArray *entries = array->children[0];
            putchar('[');
            print_value(&type->children[0].type, entries->children[0], entries->offset + i);
            putchar(',');
            print_value(&type->children[1].type, entries->children[1], entries->offset + i);
            putchar(']');
        }
    }
    putchar(']');
}

static void print_number(const stoa_type *type, const uint8_t *data, int64_t at) {
    switch (type->kind) {
    case STOA_TYPE_INT8: printf("%d", (int8_t)data[at]); break;
    case STOA_TYPE_UINT8: printf("%d", data[at]); break;
    case STOA_TYPE_INT16: printf("%d", ((const int16_t *)(const void *)data)[at]); break;
    case STOA_TYPE_UINT16: printf("%d", ((const uint16_t *)(const void *)data)[at]); break;
    case STOA_TYPE_INT:
    case STOA_TYPE_DATE: printf("%" PRId32, ((const int32_t *)(const void *)data)[at]); break;
    case STOA_TYPE_UINT32:
    case STOA_TYPE_FLOAT: printf("%" PRIu32, ((const uint32_t *)(const void *)data)[at]); break;
    case STOA_TYPE_UINT64:
    case STOA_TYPE_DOUBLE: printf("%" PRIu64, ((const uint64_t *)(const void *)data)[at]); break;
    case STOA_TYPE_DECIMAL: print_i128(((const __int128 *)(const void *)data)[at]); break;
    case STOA_TYPE_INTERVAL: {
        int32_t months, days;
        int64_t nanos;
        memcpy(&months, data + 16 * at, 4);
        memcpy(&days, data + 16 * at + 4, 4);
        memcpy(&nanos, data + 16 * at + 8, 8);
        printf("[%" PRId32 ",%" PRId32 ",%" PRId64 "]", months, days, nanos);
        break;
    }
    default:
        if (rows_width(type) == 4) {
            printf("%" PRId32, ((const int32_t *)(const void *)data)[at]);
        } else {
            printf("%" PRId64, ((const int64_t *)(const void *)data)[at]);
        }
        break;
    }
}

/* Recursion is as deep as the schema. */
static void print_value(const stoa_type *type, const struct ArrowArray *array, int64_t row) {
    const int64_t at = array->offset + row;
    const uint8_t *validity = array->n_buffers > 0 ? array->buffers[0] : NULL;
    if (type->kind == STOA_TYPE_UNKNOWN ||
        (validity != NULL && (validity[at / 8] >> (at % 8) & 1) == 0)) {
        printf("null");
        return;
    }
    const uint8_t *data = array->n_buffers > 1 ? array->buffers[1] : NULL;
    const int32_t *offsets = array->n_buffers > 1 ? array->buffers[1] : NULL;
    const size_t width = type->kind == STOA_TYPE_UUID ? 16 : (size_t)type->length;
    switch (type->kind) {
    case STOA_TYPE_STRUCT:
        for (int32_t i = 0; i < type->child_count; i++) {
            putchar(i > 0 ? ',' : '[');
            print_value(&type->children[i].type, array->children[i], at);
        }
        putchar(']');
        break;
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP: print_items(type, array, at); break;
    case STOA_TYPE_BOOLEAN: printf(data[at / 8] >> (at % 8) & 1 ? "true" : "false"); break;
    case STOA_TYPE_STRING:
        print_string((const char *)array->buffers[2] + offsets[at],
                     (size_t)(offsets[at + 1] - offsets[at]));
        break;
    case STOA_TYPE_BINARY:
        print_hex((const uint8_t *)array->buffers[2] + offsets[at],
                  (size_t)(offsets[at + 1] - offsets[at]));
        break;
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID: print_hex(data + (size_t)at * width, width); break;
    default: print_number(type, data, at); break;
    }
}

static void print_field(const stoa_field *field) {
    stoa_type bare = field->type;
    char kind[256];
    bare.child_count = 0;
    if (field->type.child_count == 0) {
        stoa_type_print(&bare, kind, sizeof kind);
    }
    const char *nested = field->type.kind == STOA_TYPE_LIST    ? "list"
                         : field->type.kind == STOA_TYPE_MAP   ? "map"
                         : field->type.kind == STOA_TYPE_STRUCT ? "struct"
                                                                : kind;
    printf("{\"name\":");
    print_string(field->name, strlen(field->name));
    printf(",\"id\":%" PRId32 ",\"required\":%s,\"type\":\"%s\",\"unit\":%d,\"precision\":%" PRId32
           ",\"scale\":%" PRId32 ",\"length\":%" PRId32 ",\"children\":[", field->id,
           field->required ? "true" : "false", nested, (int)field->type.unit,
           field->type.precision, field->type.scale, field->type.length);
    for (int32_t i = 0; i < field->type.child_count; i++) {
        printf(i > 0 ? "," : "");
        print_field(&field->type.children[i]);
    }
    printf("]}");
}

static void print_rows(const stoa_schema *schema, const struct ArrowArray *batch) {
    for (int64_t row = 0; row < batch->length; row++) {
        for (int32_t i = 0; i < schema->root.child_count; i++) {
            putchar(i > 0 ? ',' : '[');
            print_value(&schema->root.children[i].type, batch->children[i], row);
        }
        printf("]\n");
    }
}

/* Ids of all leaves that may have a bloom filter. */
static int32_t list_bloom_fields(const stoa_field *field, int32_t *ids, int32_t count) {
    const stoa_type_kind kind = field->type.kind;
    for (int32_t i = 0; i < field->type.child_count; i++) {
        count = list_bloom_fields(&field->type.children[i], ids, count);
    }
    if (field->type.child_count == 0 && kind != STOA_TYPE_BOOLEAN && kind != STOA_TYPE_UNKNOWN) {
        ids[count++] = field->id;
    }
    return count;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_file(stoa_context *context, const char *path, const stoa_schema *schema,
                       const struct settings *settings) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_fs_registry *registry = NULL;
    stoa_file *file = NULL;
    stoa_parquet_writer *writer = NULL;
    static const char *const keys[] = {"made by", "quote \" and é"};
    static const char *const values[] = {"tool_write", "a\nb"};
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.codec = codec_of(settings->codec);
    options.level = (int32_t)settings->level;
    options.row_group_rows = settings->group;
    options.page_bytes = (size_t)settings->page;
    options.dictionary_bytes = (size_t)settings->dictionary;
    options.profile = settings->modern != 0 ? STOA_PARQUET_MODERN : STOA_PARQUET_COMPATIBLE;
    options.page_rows = settings->page_rows;
    options.row_group_bytes = (uint64_t)settings->group_bytes;
    options.encodings = settings->encodings;
    options.encoding_count = settings->encoding_count;
    const stoa_sched_options threads = {.threads = (int32_t)settings->threads};
    options.metadata_keys = keys;
    options.metadata_values = values;
    options.metadata_count = 2;
    int32_t bloom_fields[256];
    options.bloom_fields = bloom_fields;
    for (int32_t i = 0; settings->bloom != 0 && i < schema->root.child_count; i++) {
        options.bloom_count =
            list_bloom_fields(&schema->root.children[i], bloom_fields, options.bloom_count);
    }
    if (stoa_sched_create(context->pool, &threads, &context->sched, &err) != STOA_OK ||
        stoa_fs_registry_create(context->pool, &registry, &err) != STOA_OK ||
        stoa_vfs_open(registry, path, STOA_OPEN_REPLACE, context, &file, &err) != STOA_OK ||
        stoa_parquet_writer_create(context, file, schema, &options, &writer, &err) != STOA_OK) {
        die(path, &err);
    }
    const struct rows_options rows = {(int)settings->nulls, (uint64_t)settings->distinct,
                                      (int)settings->items, (int)settings->text,
                                      settings->sorted != 0};
    printf("[");
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        printf(i > 0 ? "," : "");
        print_field(&schema->root.children[i]);
    }
    printf("]\n");
    for (int64_t done = 0, part = 0; done < settings->rows; part++) {
        const int64_t left = settings->rows - done;
        const int64_t count = left < settings->batch ? left : settings->batch;
        struct ArrowArray batch;
        rows_batch((uint64_t)(settings->seed * 1000003 + part), schema, &rows, count, &batch);
        print_rows(schema, &batch);
        if (stoa_parquet_writer_write(writer, &batch, &err) != STOA_OK) {
            die(path, &err);
        }
        done += count;
    }
    stoa_parquet_summary summary;
    if (stoa_parquet_writer_finish(writer, &summary, &err) != STOA_OK) {
        die(path, &err);
    }
    stoa_parquet_summary_release(&summary);
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
    if (stoa_vfs_open(registry, path, STOA_OPEN_READ, context, &file, &err) != STOA_OK ||
        stoa_parquet_verify(context, file, NULL, &err) != STOA_OK) {
        die(path, &err);
    }
    stoa_file_close(file);
    stoa_fs_registry_close(registry);
    stoa_sched_close(context->sched);
}

static int look(const stoa_context *context, int count, char **words) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_fs_registry *registry = NULL;
    stoa_file *file = NULL;
    stoa_buffer json;
    stoa_buffer_init(&json, context->pool);
    if (stoa_fs_registry_create(context->pool, &registry, &err) != STOA_OK ||
        stoa_vfs_open(registry, words[2], STOA_OPEN_READ, context, &file, &err) != STOA_OK) {
        die(words[2], &err);
    }
    stoa_status status = strcmp(words[1], "verify") == 0
                             ? stoa_parquet_verify(context, file, NULL, &err)
                             : stoa_parquet_describe(context, file, NULL, count > 3, &json, &err);
    if (status != STOA_OK) {
        fprintf(stderr, "%s: %s\n", stoa_status_name(status), err.message);
    }
    if (json.size > 0) {
        fwrite(json.data, 1, json.size, stdout);
    }
    stoa_buffer_release(&json);
    stoa_file_close(file);
    stoa_fs_registry_close(registry);
    return (int)status;
}

int main(int count, char **words) {
    if (count < 3) {
        fprintf(stderr, "usage: tool_parquet_write OUT.parquet SCHEMA [NAME=VALUE]...\n");
        return 2;
    }
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    if (stoa_pool_create(0, NULL, &pool, &err) != STOA_OK) {
        die("pool", &err);
    }
    stoa_context context = {.pool = pool};
    int result = 0;
    if (strcmp(words[1], "verify") == 0 || strcmp(words[1], "describe") == 0) {
        result = look(&context, count, words);
    } else {
        struct settings settings = {.seed = 1, .rows = 1000, .group = 122880, .page = 1 << 20,
                                    .dictionary = 1 << 20, .threads = 1, .nulls = 20, .items = 4,
                                    .text = 20, .batch = 700, .page_rows = 20480,
                                    .group_bytes = 128 << 20, .codec = "zstd"};
        for (int i = 3; i < count; i++) {
            parse_setting(&settings, words[i]);
        }
        const stoa_schema *schema = NULL;
        if (stoa_schema_parse(pool, words[2], &schema, &err) != STOA_OK) {
            die(words[2], &err);
        }
        write_file(&context, words[1], schema, &settings);
        stoa_schema_close(schema);
    }
    if (stoa_pool_used(pool) != 0) {
        fprintf(stderr, "%zu bytes were not given back\n", stoa_pool_used(pool));
        result = 1;
    }
    stoa_pool_close(pool);
    return result;
}
