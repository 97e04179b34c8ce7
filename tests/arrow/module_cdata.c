/* What oracle_cdata.py loads into Python: the module's functions behind plain C signatures, so that
 * PyArrow and Stoa exchange struct ArrowSchema and struct ArrowArray within one process.
 *
 * Each returns 0, or the status with its message in `message` (MESSAGE_BYTES). */
#include <string.h>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "arrow/layout.h"
#include "arrow/print.h"
#include "random_batch.h"

enum { MESSAGE_BYTES = 1024 };

#define EXPORT __attribute__((visibility("default")))

EXPORT int cdata_random(uint64_t seed, int64_t rows, uint64_t kinds, struct ArrowSchema *schema,
                        struct ArrowArray *array);
EXPORT int cdata_validate(const struct ArrowSchema *schema, const struct ArrowArray *array,
                          char *message);
EXPORT int cdata_compare(const struct ArrowSchema *left_schema, const struct ArrowArray *left,
                         const struct ArrowSchema *right_schema, const struct ArrowArray *right,
                         char *message);
EXPORT int cdata_print(const struct ArrowSchema *schema, const struct ArrowArray *array,
                       int64_t row, int style, char *out, int64_t capacity, char *message);
EXPORT int cdata_type(const struct ArrowSchema *schema, char *out, int64_t capacity,
                      char *message);
EXPORT int cdata_slice(struct ArrowArray *array, int64_t offset, int64_t length,
                       struct ArrowArray *out, char *message);
EXPORT int cdata_take(const struct ArrowSchema *schema, const struct ArrowArray *array,
                      const int64_t *indices, int64_t count, struct ArrowArray *out,
                      char *message);
EXPORT int cdata_concat(const struct ArrowSchema *schema, struct ArrowArray *const *arrays,
                        int64_t count, struct ArrowArray *out, char *message);
EXPORT uint64_t cdata_used(void);

/* Of the whole process, so that cdata_used says at the end whether anything is left. */
static stoa_pool *pool_get(void) {
    static stoa_pool *pool;
    if (pool == NULL && stoa_pool_create(0, NULL, &pool, NULL) != STOA_OK) {
        return NULL;
    }
    return pool;
}

static int answer(stoa_status status, const stoa_error *err, char *message) {
    memcpy(message, err->message, MESSAGE_BYTES);
    return (int)status;
}

int cdata_random(uint64_t seed, int64_t rows, uint64_t kinds, struct ArrowSchema *schema,
                 struct ArrowArray *array) {
    support_random random = {seed};
    support_batch_options options = {.kinds = kinds};
    support_random_schema(&random, pool_get(), &options, schema);
    support_random_batch(&random, pool_get(), schema, &options, rows, array);
    return 0;
}

int cdata_validate(const struct ArrowSchema *schema, const struct ArrowArray *array,
                   char *message) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_status status = stoa_arrow_validate(schema, array, STOA_ARROW_CHECK_LAYOUT, &err);
    if (status == STOA_OK) {
        status = stoa_arrow_validate(schema, array, STOA_ARROW_CHECK_FULL, &err);
    }
    return answer(status, &err, message);
}

int cdata_compare(const struct ArrowSchema *left_schema, const struct ArrowArray *left,
                  const struct ArrowSchema *right_schema, const struct ArrowArray *right,
                  char *message) {
    stoa_error err = STOA_ERROR_NONE;
    return answer(stoa_arrow_compare(left_schema, left, right_schema, right, &err), &err, message);
}

static int text_out(stoa_status status, stoa_buffer *buffer, char *out, int64_t capacity,
                    stoa_error *err, char *message) {
    if (status == STOA_OK && (int64_t)buffer->size >= capacity) {
        status = stoa_fail(err, STOA_LIMIT, "a text of %zu bytes", buffer->size);
    }
    if (status == STOA_OK) {
        memcpy(out, buffer->size == 0 ? (const uint8_t *)"" : buffer->data, buffer->size);
        out[buffer->size] = '\0';
    }
    stoa_buffer_release(buffer);
    return answer(status, err, message);
}

int cdata_print(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
                int style, char *out, int64_t capacity, char *message) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer buffer;
    stoa_buffer_init(&buffer, pool_get());
    stoa_status status =
        stoa_arrow_value_print(schema, array, row, (stoa_print_style)style, &buffer, &err);
    return text_out(status, &buffer, out, capacity, &err, message);
}

int cdata_type(const struct ArrowSchema *schema, char *out, int64_t capacity, char *message) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer buffer;
    stoa_buffer_init(&buffer, pool_get());
    return text_out(stoa_arrow_type_print(schema, &buffer, &err), &buffer, out, capacity, &err,
                    message);
}

int cdata_slice(struct ArrowArray *array, int64_t offset, int64_t length, struct ArrowArray *out,
                char *message) {
    stoa_error err = STOA_ERROR_NONE;
    return answer(stoa_arrow_slice(pool_get(), array, offset, length, out, &err), &err, message);
}

int cdata_take(const struct ArrowSchema *schema, const struct ArrowArray *array,
               const int64_t *indices, int64_t count, struct ArrowArray *out, char *message) {
    stoa_error err = STOA_ERROR_NONE;
    return answer(stoa_arrow_take(pool_get(), schema, array, indices, count, out, &err), &err,
                  message);
}

int cdata_concat(const struct ArrowSchema *schema, struct ArrowArray *const *arrays, int64_t count,
                 struct ArrowArray *out, char *message) {
    stoa_error err = STOA_ERROR_NONE;
    return answer(stoa_arrow_concat(pool_get(), schema, (const struct ArrowArray *const *)arrays,
                                    count, out, &err), &err, message);
}

uint64_t cdata_used(void) {
    return stoa_pool_used(pool_get());
}
