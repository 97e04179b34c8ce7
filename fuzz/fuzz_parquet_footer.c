/* Footer, page headers, verification and description of any bytes at all. */
#include "bytes_file.h"
#include "parquet/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes_file input = {data, size};
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    if (stoa_pool_create((size_t)64 << 20, NULL, &pool, &err) != STOA_OK) {
        abort();
    }
    const stoa_context context = {.pool = pool};
    char name[] = "input";
    stoa_file file = {.operations = &bytes_file_operations,
                      .state = &input,
                      .pool = pool,
                      .uri = name};
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
