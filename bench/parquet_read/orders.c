/* Reads orders rows from a Parquet file to Arrow, every value consumed:
 *
 *     bench_parquet_read_orders make FILE CODEC ROWS
 *     bench_parquet_read_orders read FILE THREADS RUNS [no-checksums]
 *
 * `read` prints the seconds of each run and a checksum of all values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/sched.h>

#include "base/clock.h"
#include "orders.h"
#include "parquet/reader.h"
#include "parquet/writer.h"

enum { GROUP_ROWS = 122880, BATCH_ROWS = 122880 };

static void check(stoa_status status, const stoa_error *err) {
    if (status != STOA_OK) {
        fprintf(stderr, "%s\n", err->message);
        exit(1);
    }
}

static void make_file(const stoa_context *context, stoa_fs_registry *registry, const char *path,
                      const char *codec, int64_t rows) {
    static const char *const codecs[] = {"none", "snappy", "gzip", "zstd", "lz4_raw"};
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    struct ArrowSchema arrow;
    const stoa_schema *schema;
    stoa_file *file;
    stoa_parquet_writer *writer;
    stoa_parquet_summary summary;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.row_group_rows = GROUP_ROWS;
    for (int i = 0; i < 5; i++) {
        if (strcmp(codec, codecs[i]) == 0) {
            options.codec = (stoa_parquet_codec)i;
        }
    }
    orders_stream(rows, BATCH_ROWS, &stream);
    check(stoa_stream_schema(&stream, &arrow, &err), &err);
    check(stoa_schema_from_arrow(context->pool, &arrow, &schema, &err), &err);
    check(stoa_vfs_open(registry, path, STOA_OPEN_REPLACE, context, &file, &err), &err);
    check(stoa_parquet_writer_create(context, file, schema, &options, &writer, &err), &err);
    while (true) {
        struct ArrowArray batch;
        check(stoa_stream_next(&stream, &batch, &err), &err);
        if (batch.release == NULL) {
            break;
        }
        check(stoa_parquet_writer_write(writer, &batch, &err), &err);
    }
    check(stoa_parquet_writer_finish(writer, &summary, &err), &err);
    stoa_parquet_summary_release(&summary);
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
    stoa_schema_close(schema);
    arrow.release(&arrow);
    stream.release(&stream);
}

/* All words of a buffer; what is left of the last one by bytes. */
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

static uint64_t consume(const struct ArrowSchema *schema, const struct ArrowArray *batch) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < batch->n_children; i++) {
        const struct ArrowArray *column = batch->children[i];
        const char format = schema->children[i]->format[0];
        const size_t width = format == 'C' || format == 'c'                    ? 1
                             : format == 'I' || format == 'i' || format == 'f' ? 4
                                                                               : 8;
        sum += sum_bytes(column->buffers[1], (size_t)column->length * width);
    }
    return sum;
}

static uint64_t read_file(const stoa_context *context, stoa_fs_registry *registry, const char *path,
                          bool ignores_checksums) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file;
    stoa_parquet_reader *reader;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    uint64_t sum = 0;
    const stoa_parquet_read_options options = {.ignores_checksums = ignores_checksums};
    check(stoa_vfs_open(registry, path, STOA_OPEN_READ, context, &file, &err), &err);
    check(stoa_parquet_reader_open(context, file, 0, &reader, &err), &err);
    check(stoa_parquet_reader_stream(reader, &options, &stream, &err), &err);
    check(stoa_stream_schema(&stream, &schema, &err), &err);
    while (true) {
        struct ArrowArray batch;
        check(stoa_stream_next(&stream, &batch, &err), &err);
        if (batch.release == NULL) {
            break;
        }
        sum += consume(&schema, &batch);
        batch.release(&batch);
    }
    schema.release(&schema);
    stream.release(&stream);
    stoa_parquet_reader_close(reader);
    stoa_file_close(file);
    return sum;
}

int main(int count, char **words) {
    if (count < 5) {
        fprintf(stderr, "usage: %s make FILE CODEC ROWS | read FILE THREADS RUNS\n", words[0]);
        return 2;
    }
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    check(stoa_pool_create(0, NULL, &pool, &err), &err);
    check(stoa_fs_registry_create(pool, &registry, &err), &err);
    stoa_context context = {.pool = pool};
    if (strcmp(words[1], "make") == 0) {
        make_file(&context, registry, words[2], words[3], strtoll(words[4], NULL, 10));
    } else {
        const stoa_sched_options threads = {.threads = (int32_t)strtol(words[3], NULL, 10)};
        if (threads.threads > 1) {
            check(stoa_sched_create(pool, &threads, &context.sched, &err), &err);
        }
        for (long run = strtol(words[4], NULL, 10); run > 0; run--) {
            const int64_t begin = stoa_clock_monotonic_ns();
            const uint64_t sum = read_file(&context, registry, words[2], count > 5);
            printf("%.6f %016llx\n", (double)(stoa_clock_monotonic_ns() - begin) / 1e9,
                   (unsigned long long)sum);
        }
        fprintf(stderr, "peak memory: %.1f MB\n", (double)stoa_pool_peak(pool) / 1e6);
    }
    stoa_sched_close(context.sched);
    stoa_fs_registry_close(registry);
    stoa_pool_close(pool);
    return 0;
}
