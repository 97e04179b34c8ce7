/* The whole reader, with keys for encrypted files, over any bytes at all: what it lets through is an
 * array that holds together, but for texts that are no UTF-8 and decimals of too many digits, which it
 * leaves to validation. */
#include <stdlib.h>
#include <string.h>

#include "arrow/array.h"
#include "parquet/reader.h"

struct input {
    const uint8_t *bytes;
    size_t size;
};

static stoa_status input_size(void *state, uint64_t *out, stoa_error *err) {
    (void)err;
    *out = ((const struct input *)state)->size;
    return STOA_OK;
}

static stoa_status input_read(void *state, uint64_t offset, void *buffer, size_t size,
                              size_t *out_size, stoa_error *err) {
    (void)err;
    const struct input *input = state;
    const size_t left = offset < input->size ? input->size - (size_t)offset : 0;
    *out_size = size < left ? size : left;
    if (*out_size > 0) {
        memcpy(buffer, input->bytes + offset, *out_size);
    }
    return STOA_OK;
}

/* Checksums would keep damage from the decoders. Rows are bounded: a few bytes stand for many. */
static void read_all(const stoa_parquet_reader *reader, const stoa_parquet_read_options *options) {
    enum { BATCHES_MAX = 64 };
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    if (stoa_parquet_reader_stream(reader, options, &stream, &err) == STOA_OK &&
        stoa_stream_schema(&stream, &schema, &err) == STOA_OK) {
        for (int i = 0; i < BATCHES_MAX; i++) {
            struct ArrowArray batch;
            if (stoa_stream_next(&stream, &batch, &err) != STOA_OK || batch.release == NULL) {
                break;
            }
            stoa_error invalid = STOA_ERROR_NONE;
            if (stoa_arrow_validate(&schema, &batch, STOA_ARROW_CHECK_FULL, &invalid) ==
                    STOA_INVALID &&
                strstr(invalid.message, "UTF-8") == NULL &&
                strstr(invalid.message, "digits") == NULL) {
                abort();
            }
            stoa_arrow_array_release(&batch);
        }
    }
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(&stream);
}

/* The seeds' keys, by the metadata that they keep with them. */
static const stoa_parquet_named_key ids[] = {{"kf", {"0123456789012345", 16}},
                                             {"kc1", {"1234567890123450", 16}},
                                             {"kc2", {"1234567890123451", 16}}};
static const stoa_parquet_keys keys = {.ids = ids, .id_count = 3};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const stoa_file_operations operations = {.size = input_size, .read_at = input_read};
    struct input input = {data, size};
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    if (stoa_pool_create((size_t)64 << 20, NULL, &pool, &err) != STOA_OK) {
        abort();
    }
    const stoa_context context = {.pool = pool};
    char name[] = "input";
    stoa_file file = {.operations = &operations, .state = &input, .pool = pool, .uri = name};
    stoa_parquet_reader *reader = NULL;
    const stoa_parquet_open_options options = {.int96_unit = STOA_TYPE_MILLISECONDS, .keys = &keys};
    if (stoa_parquet_reader_open(&context, &file, &options, &reader, &err) == STOA_OK) {
        static const stoa_parquet_row_range ranges[] = {{1, 1}, {5, 20}};
        read_all(reader,
                 &(stoa_parquet_read_options){.batch_rows = 300, .ignores_checksums = true});
        read_all(reader, &(stoa_parquet_read_options){.ranges = ranges,
                                                      .range_count = 2,
                                                      .ignores_checksums = true});
    }
    stoa_parquet_reader_close(reader);
    if (stoa_pool_used(pool) != 0) {
        abort();
    }
    stoa_pool_close(pool);
    return 0;
}
