/* Reads the rows of a Parquet file that make a predicate true, every value consumed:
 *
 *     bench_parquet_filter_filter make FILE ROWS GROUP_ROWS PAGE_BYTES CODEC
 *     bench_parquet_filter_filter serve FILE THREADS COLUMN,…|*
 *
 * `make` writes orders rows with a page index, with dictionaries of at most two pages; CODEC is none,
 * snappy or zstd. `serve` takes a predicate from each line of its input, opens the file, reads, closes,
 * and answers with seconds, how many rows there are, and a sum of every column (integers modulo 2^64). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/sched.h>

#include "base/clock.h"
#include "orders_parquet.h"
#include "parquet/reader.h"

enum { COLUMNS_MAX = 16, LINE_MAX_BYTES = 4096 };

struct sums {
    int64_t rows;
    int columns;
    bool is_float[COLUMNS_MAX];
    uint64_t integers[COLUMNS_MAX];
    double floats[COLUMNS_MAX];
};

/* ---- Making ---------------------------------------------------------------------------------- */

static void make_file(const stoa_context *context, stoa_fs_registry *registry, char **words) {
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.row_group_rows = strtoll(words[2], NULL, 10);
    options.page_bytes = (size_t)strtoll(words[3], NULL, 10);
    options.dictionary_bytes = options.page_bytes < options.dictionary_bytes / 2
                                   ? 2 * options.page_bytes
                                   : options.dictionary_bytes;
    options.codec = strcmp(words[4], "none") == 0     ? STOA_PARQUET_NONE
                    : strcmp(words[4], "snappy") == 0 ? STOA_PARQUET_SNAPPY
                                                      : STOA_PARQUET_ZSTD;
    orders_write_parquet(context, registry, words[0], strtoll(words[1], NULL, 10), &options);
}

/* ---- Reading --------------------------------------------------------------------------------- */

#define ADD_UP(TYPE)                                                                               \
    do {                                                                                           \
        const TYPE *values = array->buffers[1];                                                    \
        for (int64_t i = 0; i < array->length; i++) {                                              \
            sums->integers[column] += (uint64_t)values[i];                                         \
        }                                                                                          \
    } while (0)

static void consume(const struct ArrowSchema *schema, const struct ArrowArray *array, int column,
                    struct sums *sums) {
    const double *floats = array->buffers[1];
    switch (schema->format[0]) {
    case 'C': ADD_UP(uint8_t); break;
    case 'i':
    case 'I': ADD_UP(uint32_t); break;
    case 'l':
    case 'L':
    case 't': ADD_UP(uint64_t); break;
    case 'g':
        sums->is_float[column] = true;
        for (int64_t i = 0; i < array->length; i++) {
            sums->floats[column] += floats[i];
        }
        break;
    default: (void)fprintf(stderr, "no sum of the format '%s'\n", schema->format); exit(1);
    }
}

static int32_t find_columns(const stoa_schema *schema, const char *names, int32_t *out) {
    int32_t count = 0;
    char copy[LINE_MAX_BYTES];
    (void)snprintf(copy, sizeof copy, "%s", names);
    for (char *name = strtok(copy, ","); name != NULL && count < COLUMNS_MAX;
         name = strtok(NULL, ",")) {
        const stoa_field *field = stoa_schema_column(schema, name);
        if (field == NULL) {
            (void)fprintf(stderr, "no column '%s'\n", name);
            exit(1);
        }
        out[count++] = field->id;
    }
    return count;
}

static void read_file(const stoa_context *context, stoa_fs_registry *registry, char **words,
                      const char *where, struct sums *sums) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file;
    stoa_parquet_reader *reader;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    stoa_parquet_read_options options = STOA_PARQUET_READ_ALL;
    stoa_arena arena;
    int32_t ids[COLUMNS_MAX];
    stoa_arena_init(&arena, context->pool);
    orders_check(stoa_vfs_open(registry, words[0], STOA_OPEN_READ, context, &file, &err), &err);
    orders_check(stoa_parquet_reader_open(context, file, 0, &reader, &err), &err);
    const stoa_schema *whole = stoa_parquet_reader_schema(reader);
    orders_check(stoa_predicate_parse(&arena, whole, where, &options.predicate, &err), &err);
    if (strcmp(words[2], "*") != 0) {
        options.field_ids = ids;
        options.field_count = find_columns(whole, words[2], ids);
    }
    orders_check(stoa_parquet_reader_stream(reader, &options, &stream, &err), &err);
    orders_check(stoa_stream_schema(&stream, &schema, &err), &err);
    for (orders_check(stoa_stream_next(&stream, &batch, &err), &err); batch.release != NULL;
         orders_check(stoa_stream_next(&stream, &batch, &err), &err)) {
        sums->rows += batch.length;
        sums->columns = (int)batch.n_children;
        for (int i = 0; i < sums->columns; i++) {
            consume(schema.children[i], batch.children[i], i, sums);
        }
        batch.release(&batch);
    }
    schema.release(&schema);
    stream.release(&stream);
    stoa_parquet_reader_close(reader);
    stoa_file_close(file);
    stoa_arena_release(&arena);
}

static void serve(const stoa_context *context, stoa_fs_registry *registry, char **words) {
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct sums sums = {0};
        line[strcspn(line, "\n")] = '\0';
        const int64_t begin = stoa_clock_monotonic_ns();
        read_file(context, registry, words, line, &sums);
        printf("%.9f %lld", (double)(stoa_clock_monotonic_ns() - begin) / 1e9,
               (long long)sums.rows);
        for (int i = 0; i < sums.columns; i++) {
            if (sums.is_float[i]) {
                printf(" f%.17g", sums.floats[i]);
            } else {
                printf(" %llu", (unsigned long long)sums.integers[i]);
            }
        }
        printf("\n");
        (void)fflush(stdout);
    }
}

int main(int count, char **words) {
    const bool makes = count == 7 && strcmp(words[1], "make") == 0;
    if (!makes && (count != 5 || strcmp(words[1], "serve") != 0)) {
        (void)fprintf(stderr,
                      "usage: %s make FILE ROWS GROUP_ROWS PAGE_BYTES CODEC | "
                      "serve FILE THREADS COLUMN,...\n",
                      words[0]);
        return 2;
    }
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    orders_check(stoa_pool_create(0, NULL, &pool, &err), &err);
    orders_check(stoa_fs_registry_create(pool, &registry, &err), &err);
    stoa_context context = {.pool = pool};
    if (makes) {
        make_file(&context, registry, words + 2);
    } else {
        const stoa_sched_options threads = {.threads = (int32_t)strtol(words[3], NULL, 10)};
        if (threads.threads > 1) {
            orders_check(stoa_sched_create(pool, &threads, &context.sched, &err), &err);
        }
        serve(&context, registry, words + 2);
    }
    stoa_sched_close(context.sched);
    stoa_fs_registry_close(registry);
    stoa_pool_close(pool);
    return 0;
}
