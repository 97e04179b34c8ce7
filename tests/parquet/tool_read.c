/* Reads a Parquet file with Stoa's reader and writes what it holds as an Arrow IPC stream, for other
 * implementations to compare; with `rewrite` as a Parquet file.
 *
 *     tool_parquet_read IN.parquet OUT.arrows [batch=N] [threads=N] [int96=ms] [fields=ID,…]
 *                       [groups=N,…] [rows=FIRST+COUNT,…] [no-checksums] [keys=FILE] [rewrite]
 *                       [first=ROWS] [peak] [verify] [where=PREDICATE]
 *
 * Ends with the status's number; the error's words go to standard error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/sched.h>

#include "arrow/array.h"
#include "arrow/ipc.h"
#include "parquet/reader.h"
#include "parquet/verify.h"
#include "parquet/writer.h"
#include "schema/schema.h"

enum { LIST_MAX = 64 };

struct settings {
    stoa_parquet_read_options options;
    stoa_type_unit int96_unit;
    const char *keys;
    bool rewrites;
    bool says_peak;
    bool verifies;
    int64_t rows_max; /* then reading ends; 0: never */
    int32_t threads;
    const char *where; /* a predicate, NULL: none */
    int32_t fields[LIST_MAX];
    int32_t groups[LIST_MAX];
    stoa_parquet_row_range ranges[LIST_MAX];
};

static int32_t parse_list(const char *text, int32_t *out) {
    int32_t count = 0;
    for (char *end; *text != '\0' && count < LIST_MAX; text = *end == ',' ? end + 1 : end) {
        out[count++] = (int32_t)strtol(text, &end, 10);
    }
    return count;
}

static void parse_ranges(const char *text, struct settings *out) {
    char *end;
    for (; *text != '\0' && out->options.range_count < LIST_MAX;
         text = *end == ',' ? end + 1 : end) {
        stoa_parquet_row_range *range = &out->ranges[out->options.range_count++];
        range->first = strtoll(text, &end, 10);
        range->count = strtoll(end + 1, &end, 10);
    }
    out->options.ranges = out->ranges;
}

static void parse_setting(struct settings *out, const char *word) {
    const char *value = strchr(word, '=');
    value = value == NULL ? "" : value + 1;
    if (strncmp(word, "batch=", 6) == 0) {
        out->options.batch_rows = strtoll(value, NULL, 10);
    } else if (strncmp(word, "threads=", 8) == 0) {
        out->threads = (int32_t)strtol(value, NULL, 10);
    } else if (strcmp(word, "int96=ms") == 0) {
        out->int96_unit = STOA_TYPE_MILLISECONDS;
    } else if (strcmp(word, "verify") == 0) {
        out->verifies = true;
    } else if (strcmp(word, "peak") == 0) {
        out->says_peak = true;
    } else if (strncmp(word, "first=", 6) == 0) {
        out->rows_max = strtoll(value, NULL, 10);
    } else if (strcmp(word, "rewrite") == 0) {
        out->rewrites = true;
    } else if (strncmp(word, "keys=", 5) == 0) {
        out->keys = value;
    } else if (strncmp(word, "fields=", 7) == 0) {
        out->options.field_ids = out->fields;
        out->options.field_count = parse_list(value, out->fields);
    } else if (strncmp(word, "groups=", 7) == 0) {
        out->options.groups = out->groups;
        out->options.group_count = parse_list(value, out->groups);
    } else if (strncmp(word, "rows=", 5) == 0) {
        parse_ranges(value, out);
    } else if (strncmp(word, "where=", 6) == 0) {
        out->where = value;
    } else if (strcmp(word, "dictionary") == 0) {
        out->options.dictionary_all = true;
    } else if (strcmp(word, "no-checksums") == 0) {
        out->options.ignores_checksums = true;
    } else {
        fprintf(stderr, "what is '%s'?\n", word);
        exit(99);
    }
}

static stoa_status convert(const stoa_context *context, const struct settings *settings,
                           struct ArrowArrayStream *stream, stoa_file *file, stoa_error *err) {
    int64_t rows = 0;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    stoa_ipc_writer *writer = NULL;
    const stoa_ipc_options options = {.format = STOA_IPC_STREAM};
    stoa_status status = stoa_stream_schema(stream, &schema, err);
    if (status == STOA_OK) {
        status = stoa_ipc_writer_create(context, file, &schema, &options, &writer, err);
    }
    while (status == STOA_OK && (settings->rows_max == 0 || rows < settings->rows_max)) {
        status = stoa_stream_next(stream, &batch, err);
        if (status != STOA_OK || batch.release == NULL) {
            break;
        }
        status = stoa_arrow_validate(&schema, &batch, STOA_ARROW_CHECK_FULL, err);
        if (status == STOA_OK) {
            status = stoa_ipc_writer_write(writer, &batch, err);
        }
        rows += batch.length;
        stoa_arrow_array_release(&batch);
    }
    if (status == STOA_OK) {
        status = stoa_ipc_writer_finish(writer, err);
    }
    stoa_ipc_writer_close(writer);
    stoa_arrow_schema_release(&schema);
    return status;
}

/* By way of the Arrow schema and the JSON of the schema, as tables keep it. */
static stoa_status twice_translated(const stoa_context *context, const struct ArrowSchema *arrow,
                                    const stoa_schema **out, stoa_error *err) {
    const stoa_schema *schema = NULL;
    stoa_buffer json;
    stoa_buffer_init(&json, context->pool);
    stoa_status status = stoa_schema_from_arrow(context->pool, arrow, &schema, err);
    if (status == STOA_OK) {
        status = stoa_schema_to_json(schema, &json, err);
    }
    if (status == STOA_OK) {
        status = stoa_schema_from_json(context->pool, (const char *)json.data, json.size, out, err);
    }
    stoa_schema_close(schema);
    stoa_buffer_release(&json);
    return status;
}

static stoa_status rewrite(const stoa_context *context, const struct settings *settings,
                           struct ArrowArrayStream *stream, stoa_file *file, stoa_error *err) {
    (void)settings;
    static const stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    struct ArrowSchema arrow = {0};
    struct ArrowArray batch = {0};
    const stoa_schema *schema = NULL;
    stoa_parquet_writer *writer = NULL;
    stoa_parquet_summary summary = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_stream_schema(stream, &arrow, err));
    STOA_CHECK(twice_translated(context, &arrow, &schema, err));
    STOA_CHECK(stoa_parquet_writer_create(context, file, schema, &options, &writer, err));
    while (true) {
        STOA_CHECK(stoa_stream_next(stream, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        STOA_CHECK(stoa_parquet_writer_write(writer, &batch, err));
    }
    STOA_CHECK(stoa_parquet_writer_finish(writer, &summary, err));

done:
    stoa_parquet_summary_release(&summary);
    stoa_parquet_writer_close(writer);
    stoa_schema_close(schema);
    stoa_arrow_schema_release(&arrow);
    return status;
}

static stoa_status read_keys(const stoa_context *context, stoa_fs_registry *registry,
                             const char *path, stoa_parquet_key_file *out, stoa_error *err) {
    stoa_file *file = NULL;
    stoa_status status = stoa_vfs_open(registry, path, STOA_OPEN_READ, context, &file, err);
    if (status == STOA_OK) {
        status = stoa_parquet_key_file_read(context->pool, file, out, err);
    }
    stoa_file_close(file);
    return status;
}

static stoa_status run(stoa_context *context, const struct settings *settings, const char *in,
                       const char *out, stoa_error *err) {
    stoa_fs_registry *registry = NULL;
    stoa_file *input = NULL, *output = NULL;
    stoa_parquet_reader *reader = NULL;
    stoa_parquet_key_file keys = {0};
    stoa_parquet_open_options opening = {.keys = &keys.keys};
    stoa_parquet_read_options read_options;
    stoa_arena arena;
    stoa_arena_init(&arena, context->pool);
    struct ArrowArrayStream stream = {0};
    const stoa_sched_options sched = {.threads = settings->threads};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_sched_create(context->pool, &sched, &context->sched, err));
    STOA_CHECK(stoa_fs_registry_create(context->pool, &registry, err));
    STOA_CHECK(stoa_vfs_open(registry, in, STOA_OPEN_READ, context, &input, err));
    STOA_CHECK(stoa_vfs_open(registry, out, STOA_OPEN_REPLACE, context, &output, err));
    opening.int96_unit = settings->int96_unit;
    if (settings->keys != NULL) {
        STOA_CHECK(read_keys(context, registry, settings->keys, &keys, err));
    }
    if (settings->verifies) {
        STOA_CHECK(stoa_parquet_verify(context, input, &keys.keys, err));
    }
    STOA_CHECK(stoa_parquet_reader_open(context, input, &opening, &reader, err));
    read_options = settings->options;
    if (settings->where != NULL) {
        STOA_CHECK(stoa_predicate_parse(&arena, stoa_parquet_reader_schema(reader), settings->where,
                                        &read_options.predicate, err));
    }
    STOA_CHECK(stoa_parquet_reader_stream(reader, &read_options, &stream, err));
    STOA_CHECK((settings->rewrites ? rewrite : convert)(context, settings, &stream, output, err));

done:
    stoa_arrow_stream_release(&stream);
    stoa_arena_release(&arena);
    stoa_parquet_reader_close(reader);
    stoa_parquet_key_file_release(&keys);
    stoa_file_close(output);
    stoa_file_close(input);
    stoa_fs_registry_close(registry);
    stoa_sched_close(context->sched);
    return status;
}

int main(int count, char **words) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    if (count < 3 || stoa_pool_create(0, NULL, &pool, &err) != STOA_OK) {
        fprintf(stderr, "usage: tool_parquet_read IN.parquet OUT.arrows [NAME=VALUE]...\n");
        return 99;
    }
    static struct settings settings = {.threads = 1};
    for (int i = 3; i < count; i++) {
        parse_setting(&settings, words[i]);
    }
    stoa_context context = {.pool = pool};
    stoa_status status = run(&context, &settings, words[1], words[2], &err);
    if (status != STOA_OK) {
        fprintf(stderr, "%s: %s\n", stoa_status_name(status), err.message);
    }
    if (settings.says_peak) {
        printf("%zu\n", stoa_pool_peak(pool));
    }
    if (stoa_pool_used(pool) != 0) {
        fprintf(stderr, "%zu bytes were not given back\n", stoa_pool_used(pool));
        status = (stoa_status)98;
    }
    stoa_pool_close(pool);
    return (int)status;
}
