/* Reads a Parquet file to Arrow, every value consumed, as often as it is asked to:
 *
 *     bench_parquet_read_read make FILE ROWS
 *     bench_parquet_read_read serve FILE THREADS [no-checksums]
 *
 * `make` writes orders rows. `serve` reads the file once for each line of its input and answers with
 * seconds and, for every leaf in the order of the schema, a sum: of integers (modulo 2^64), of floating
 * values, of the lengths of texts; of lists, how many items there are, before their leaves. The bytes of
 * texts are summed up as well, but not shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/sched.h>

#include "base/bits.h"
#include "base/clock.h"
#include "orders_parquet.h"
#include "parquet/reader.h"

enum { SUMS_MAX = 64 };

struct sums {
    int count;
    bool is_float[SUMS_MAX];
    uint64_t integers[SUMS_MAX];
    double floats[SUMS_MAX];
    uint64_t bytes;
};

/* ---- Sums ------------------------------------------------------------------------------------ */

/* Slots of nulls are zero in what the reader makes, so they need not be told apart. */
#define DEFINE_SUM(NAME, TYPE)                                                                     \
    static uint64_t sum_##NAME(const void *values, int64_t count) {                                \
        const TYPE *from = values;                                                                 \
        uint64_t sum = 0;                                                                          \
        for (int64_t i = 0; i < count; i++) {                                                      \
            sum += (uint64_t)from[i];                                                              \
        }                                                                                          \
        return sum;                                                                                \
    }
DEFINE_SUM(u8, uint8_t)
DEFINE_SUM(i8, int8_t)
DEFINE_SUM(u16, uint16_t)
DEFINE_SUM(i16, int16_t)
DEFINE_SUM(u32, uint32_t)
DEFINE_SUM(i32, int32_t)
DEFINE_SUM(u64, uint64_t)

/* Several sums side by side, as the compiler may not make them itself. */
static double sum_f64(const void *values, int64_t count) {
    enum { SIDE_BY_SIDE = 16 };
    const double *from = values;
    double sums[SIDE_BY_SIDE] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + SIDE_BY_SIDE <= count; i += SIDE_BY_SIDE) {
        for (int k = 0; k < SIDE_BY_SIDE; k++) {
            sums[k] += from[i + k];
        }
    }
    for (; i < count; i++) {
        sum += from[i];
    }
    for (int k = 0; k < SIDE_BY_SIDE; k++) {
        sum += sums[k];
    }
    return sum;
}

static uint64_t sum_integers(char format, const void *values, int64_t count) {
    switch (format) {
    case 'C': return sum_u8(values, count);
    case 'c': return sum_i8(values, count);
    case 'S': return sum_u16(values, count);
    case 's': return sum_i16(values, count);
    case 'I': return sum_u32(values, count);
    case 'i': return sum_i32(values, count);
    default: return sum_u64(values, count);
    }
}

static uint64_t sum_bytes(const uint8_t *bytes, size_t size) {
    uint64_t sum = 0;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        sum += word;
    }
    for (; at < size; at++) {
        sum += bytes[at];
    }
    return sum;
}

static int next_sum(struct sums *sums, int *at) {
    if (*at == SUMS_MAX) {
        (void)fputs("too many columns\n", stderr);
        exit(1);
    }
    sums->count = *at + 1 > sums->count ? *at + 1 : sums->count;
    return (*at)++;
}

static void consume(const struct ArrowSchema *schema, const struct ArrowArray *array, int *at,
                    struct sums *sums) {
    const char *format = schema->format;
    if (strcmp(format, "+s") == 0) {
        for (int64_t i = 0; i < array->n_children; i++) {
            consume(schema->children[i], array->children[i], at, sums);
        }
    } else if (strcmp(format, "+l") == 0) {
        const int32_t *offsets = array->buffers[1];
        sums->integers[next_sum(sums, at)] += (uint64_t)(offsets[array->length] - offsets[0]);
        consume(schema->children[0], array->children[0], at, sums);
    } else if (format[0] == 'u' || format[0] == 'z') {
        const int32_t *offsets = array->buffers[1];
        const size_t size = (size_t)(offsets[array->length] - offsets[0]);
        sums->integers[next_sum(sums, at)] += size;
        sums->bytes += size > 0 ? sum_bytes((const uint8_t *)array->buffers[2] + offsets[0], size)
                                : 0;
    } else if (format[0] == 'g') {
        const int sum = next_sum(sums, at);
        sums->is_float[sum] = true;
        sums->floats[sum] += sum_f64(array->buffers[1], array->length);
    } else if (strchr("cCsSiIlLt", format[0]) != NULL) {
        sums->integers[next_sum(sums, at)] += sum_integers(format[0], array->buffers[1],
                                                           array->length);
    } else {
        (void)fprintf(stderr, "no sum of the format '%s'\n", format);
        exit(1);
    }
}

static void read_file(const stoa_context *context, stoa_fs_registry *registry, const char *path,
                      bool ignores_checksums, struct sums *sums) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file;
    stoa_parquet_reader *reader;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    const stoa_parquet_read_options options = {.ignores_checksums = ignores_checksums};
    orders_check(stoa_vfs_open(registry, path, STOA_OPEN_READ, context, &file, &err), &err);
    orders_check(stoa_parquet_reader_open(context, file, 0, &reader, &err), &err);
    orders_check(stoa_parquet_reader_stream(reader, &options, &stream, &err), &err);
    orders_check(stoa_stream_schema(&stream, &schema, &err), &err);
    while (true) {
        struct ArrowArray batch;
        int at = 0;
        orders_check(stoa_stream_next(&stream, &batch, &err), &err);
        if (batch.release == NULL) {
            break;
        }
        consume(&schema, &batch, &at, sums);
        batch.release(&batch);
    }
    schema.release(&schema);
    stream.release(&stream);
    stoa_parquet_reader_close(reader);
    stoa_file_close(file);
}

static void serve(const stoa_context *context, stoa_fs_registry *registry, const char *path,
                  bool ignores_checksums) {
    char line[16];
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct sums sums = {0};
        const int64_t begin = stoa_clock_monotonic_ns();
        read_file(context, registry, path, ignores_checksums, &sums);
        printf("%.6f", (double)(stoa_clock_monotonic_ns() - begin) / 1e9);
        for (int i = 0; i < sums.count; i++) {
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
    const bool makes = count == 4 && strcmp(words[1], "make") == 0;
    if (!makes && (count < 4 || strcmp(words[1], "serve") != 0)) {
        (void)fprintf(stderr, "usage: %s make FILE ROWS | serve FILE THREADS [no-checksums]\n",
                      words[0]);
        return 2;
    }
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    orders_check(stoa_pool_create(0, NULL, &pool, &err), &err);
    orders_check(stoa_fs_registry_create(pool, &registry, &err), &err);
    stoa_context context = {.pool = pool};
    const int64_t number = strtoll(words[3], NULL, 10); /* of rows or of threads */
    if (makes) {
        stoa_parquet_options options = STOA_PARQUET_DEFAULT;
        options.codec = STOA_PARQUET_NONE;
        orders_write_parquet(&context, registry, words[2], number, &options);
    } else {
        const stoa_sched_options threads = {.threads = (int32_t)number};
        if (number > 1) {
            orders_check(stoa_sched_create(pool, &threads, &context.sched, &err), &err);
        }
        serve(&context, registry, words[2], count > 4);
    }
    stoa_sched_close(context.sched);
    stoa_fs_registry_close(registry);
    stoa_pool_close(pool);
    return 0;
}
