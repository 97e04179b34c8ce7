/* Encodes N orders rows (10 fixed columns, 62 bytes a row) as Parquet, from memory to a file that is not
 * synced, as the rivals do:
 *
 *     bench_parquet_write_orders OUT.parquet CODEC THREADS ROWS RUNS [ROW_GROUP_ROWS [PROFILE]]
 *
 * with a codec like zstd or zstd:3, prints the seconds of each run, on the clock and of the processor, and
 * the bytes of the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <stoa/sched.h>

#include "arrow/stream.h"
#include "base/clock.h"
#include "orders.h"
#include "parquet/writer.h"

enum { COLUMNS = 10, BATCH_ROWS = 122880 };

static void die(const stoa_error *err) {
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

/* One batch over borrowed columns. */
struct batch {
    const void *root_buffers[1];
    const void *buffers[COLUMNS][2];
    struct ArrowArray children[COLUMNS];
    struct ArrowArray *list[COLUMNS];
};

static void release_batch(struct ArrowArray *array) {
    free(array->private_data);
    array->release = NULL;
}

static void make_batch(const struct ArrowArray *rows, int64_t start, int64_t count,
                       struct ArrowArray *out) {
    static const size_t widths[COLUMNS] = {8, 8, 8, 4, 8, 8, 1, 1, 8, 8};
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        abort();
    }
    for (int i = 0; i < COLUMNS; i++) {
        batch->buffers[i][1] =
            (const char *)rows->children[i]->buffers[1] + (size_t)start * widths[i];
        batch->children[i] =
            (struct ArrowArray){.length = count, .n_buffers = 2, .buffers = batch->buffers[i]};
        batch->list[i] = &batch->children[i];
    }
    *out = (struct ArrowArray){.length = count, .n_buffers = 1, .n_children = COLUMNS,
                               .buffers = batch->root_buffers, .children = batch->list,
                               .release = release_batch, .private_data = batch};
}

static stoa_status write_file(const stoa_context *context, stoa_fs_registry *registry,
                              const char *path, const stoa_schema *schema,
                              const stoa_parquet_options *options, const struct ArrowArray *rows,
                              uint64_t *out_bytes, stoa_error *err) {
    stoa_file *file = NULL;
    stoa_parquet_writer *writer = NULL;
    stoa_status status = stoa_vfs_open(registry, path, STOA_OPEN_REPLACE, context, &file, err);
    if (status == STOA_OK) {
        status = stoa_parquet_writer_create(context, file, schema, options, &writer, err);
    }
    for (int64_t at = 0; status == STOA_OK && at < rows->length; at += BATCH_ROWS) {
        const int64_t left = rows->length - at;
        struct ArrowArray batch;
        make_batch(rows, at, left < BATCH_ROWS ? left : BATCH_ROWS, &batch);
        status = stoa_parquet_writer_write(writer, &batch, err);
    }
    stoa_parquet_summary summary;
    if (status == STOA_OK) {
        status = stoa_parquet_writer_finish(writer, &summary, err);
    }
    if (status == STOA_OK) {
        *out_bytes = summary.file_bytes;
        stoa_parquet_summary_release(&summary);
    }
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
    return status;
}

static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int count, char **words) {
    if (count < 6) {
        fprintf(stderr, "usage: %s OUT.parquet CODEC THREADS ROWS RUNS [ROW_GROUP_ROWS [PROFILE]]\n",
                words[0]);
        return 2;
    }
    static const char *const codecs[] = {"none", "snappy", "gzip", "zstd", "lz4_raw", "brotli"};
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    const stoa_schema *schema = NULL;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.unsynced = true;
    for (int i = 0; i < 6; i++) {
        const size_t length = strlen(codecs[i]);
        if (strncmp(words[2], codecs[i], length) == 0 &&
            (words[2][length] == '\0' || words[2][length] == ':')) {
            options.codec = (stoa_parquet_codec)i;
            options.level = words[2][length] == ':'
                                ? (int32_t)strtol(words[2] + length + 1, NULL, 10)
                                : 0;
        }
    }
    const stoa_sched_options threads = {.threads = (int32_t)strtol(words[3], NULL, 10)};
    if (count > 6) {
        options.row_group_rows = strtoll(words[6], NULL, 10);
    }
    if (count > 7 && strcmp(words[7], "modern") == 0) {
        options.profile = STOA_PARQUET_MODERN;
    }
    if (stoa_pool_create(0, NULL, &pool, &err) != STOA_OK ||
        stoa_fs_registry_create(pool, &registry, &err) != STOA_OK ||
        stoa_schema_parse(pool, "order_id uint64, customer_id uint64, product_id uint64, "
                          "quantity uint32, unit_price double, total_amount double, status uint8, "
                          "payment_method uint8, order_timestamp uint64, "
                          "shipping_address_hash uint64", &schema, &err) != STOA_OK) {
        die(&err);
    }
    stoa_context context = {.pool = pool};
    if (threads.threads > 1 &&
        stoa_sched_create(pool, &threads, &context.sched, &err) != STOA_OK) {
        die(&err);
    }
    const int64_t row_count = strtoll(words[4], NULL, 10);
    struct ArrowArrayStream stream;
    struct ArrowArray rows = {0};
    orders_stream(row_count, row_count, &stream);
    if (stoa_stream_next(&stream, &rows, &err) != STOA_OK) {
        die(&err);
    }
    for (long run = strtol(words[5], NULL, 10); run > 0; run--) {
        uint64_t bytes = 0;
        const int64_t begin = stoa_clock_monotonic_ns();
        const double processor = processor_seconds();
        if (write_file(&context, registry, words[1], schema, &options, &rows, &bytes, &err) !=
            STOA_OK) {
            die(&err);
        }
        printf("%.6f %.6f %llu\n", (double)(stoa_clock_monotonic_ns() - begin) / 1e9,
               processor_seconds() - processor, (unsigned long long)bytes);
    }
    rows.release(&rows);
    stream.release(&stream);
    fprintf(stderr, "peak memory of the writer: %.1f MB\n", (double)stoa_pool_peak(pool) / 1e6);
    stoa_sched_close(context.sched);
    stoa_schema_close(schema);
    stoa_fs_registry_close(registry);
    stoa_pool_close(pool);
    return 0;
}
