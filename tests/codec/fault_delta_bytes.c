/* Byte arrays with shared prefixes are written and read while the nth allocation fails: it is reported,
 * nothing leaks, and what was appended to before is as it was. */
#include <string.h>

#include "codec/delta_bytes.h"
#include "support.h"

enum { COUNT = 300, HEAD = 4, SIZE_MAX_OF_ONE = 200 };

static uint8_t source[SIZE_MAX_OF_ONE];

static void fill(stoa_bytes_view *views) {
    memset(source, 'x', sizeof source);
    for (size_t i = 0; i < COUNT; i++) {
        views[i] = (stoa_bytes_view){source, i * 7 % SIZE_MAX_OF_ONE};
    }
}

static stoa_status read_all(stoa_pool *pool, const stoa_buffer *bytes, stoa_error *err) {
    static uint8_t data[COUNT * SIZE_MAX_OF_ONE];
    stoa_delta_bytes_decoder decoder = {0};
    stoa_bytes_view got[COUNT];
    size_t done = 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(
        stoa_delta_bytes_decoder_init(&decoder, pool, bytes->data + HEAD, bytes->size - HEAD, err));
    STOA_CHECK(stoa_delta_bytes_decoder_skip(&decoder, COUNT / 2, err));
    STOA_CHECK(stoa_delta_bytes_decoder_read(&decoder, got, COUNT - COUNT / 2, data, sizeof data,
                                             &done, err));

done:
    stoa_delta_bytes_decoder_release(&decoder);
    return status;
}

/* A half-written buffer shows as STOA_INTERNAL, which the driver does not accept. */
static stoa_status append(bool with_prefixes, const stoa_bytes_view *views, stoa_buffer *out,
                          stoa_error *err) {
    const size_t before = out->size;
    const stoa_status status = with_prefixes ? stoa_delta_bytes_encode(views, COUNT, out, err)
                                             : stoa_delta_lengths_encode(views, COUNT, out, err);
    if (status != STOA_OK && out->size != before) {
        return stoa_fail(err, STOA_INTERNAL, "expected %zu bytes but found %zu", before, out->size);
    }
    return status;
}

static stoa_status write_and_read(support_world *world, void *user, stoa_error *err) {
    const bool with_prefixes = *(const bool *)user;
    stoa_bytes_view views[COUNT];
    stoa_buffer bytes;
    stoa_status status = STOA_OK;

    fill(views);
    stoa_buffer_init(&bytes, world->pool);
    STOA_CHECK(stoa_buffer_append(&bytes, "head", HEAD, err));
    STOA_CHECK(append(with_prefixes, views, &bytes, err));
    if (with_prefixes) {
        STOA_CHECK(read_all(world->pool, &bytes, err));
    }

done:
    stoa_buffer_release(&bytes);
    return status;
}

static void running_out_is_reported(void **state) {
    (void)state;
    for (int prefixes = 0; prefixes < 2; prefixes++) {
        bool with_prefixes = prefixes == 1;
        assert_true(support_fail_each_allocation(NULL, write_and_read, NULL, &with_prefixes) > 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_out_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
