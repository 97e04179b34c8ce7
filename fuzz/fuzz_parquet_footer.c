/* Footer, page headers, verification and description of any bytes at all. */
#include <stdlib.h>
#include <string.h>

#include "parquet/verify.h"

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
    stoa_buffer json;
    stoa_buffer_init(&json, pool);
    if (stoa_parquet_verify(&context, &file, NULL, &err) == STOA_OK &&
        (stoa_parquet_describe(&context, &file, NULL, true, &json, &err) != STOA_OK ||
         stoa_parquet_describe_text(&context, &file, NULL, true, &json, &err) != STOA_OK)) {
        abort(); /* what verifies can be described */
    }
    stoa_buffer_clear(&json);
    stoa_status status = stoa_parquet_describe(&context, &file, NULL, false, &json, &err);
    status = stoa_parquet_describe_text(&context, &file, NULL, status == STOA_OK, &json, &err);
    (void)status;
    stoa_buffer_release(&json);
    if (stoa_pool_used(pool) != 0) {
        abort();
    }
    stoa_pool_close(pool);
    return 0;
}
