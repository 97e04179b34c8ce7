/* Slices of one batch, read and released by several threads in any order. */
#include <pthread.h>

#include "arrow/array.h"
#include "random_batch.h"

enum { THREADS = 4, SLICES = 50, ROWS = 400 };

struct part {
    const struct ArrowSchema *schema;
    stoa_pool *pool;
    struct ArrowArray slices[SLICES];
    int failures;
};

static void *part_run(void *user) {
    struct part *part = user;
    for (int i = 0; i < SLICES; i++) {
        struct ArrowArray inner;
        struct ArrowArray *slice = &part->slices[i];
        part->failures += stoa_arrow_validate(part->schema, slice, STOA_ARROW_CHECK_FULL, NULL) !=
                          STOA_OK;
        part->failures += stoa_arrow_slice(part->pool, slice, 1, slice->length - 1, &inner, NULL) !=
                          STOA_OK;
        stoa_arrow_array_release(slice);
        part->failures += stoa_arrow_validate(part->schema, &inner, STOA_ARROW_CHECK_FULL, NULL) !=
                          STOA_OK;
        stoa_arrow_array_release(&inner);
    }
    return NULL;
}

/* The pool fails the test when the original is not released by whoever is last, or twice. */
static void slices_belong_to_their_threads(void **state) {
    (void)state;
    static struct part parts[THREADS];
    stoa_pool *pool = support_pool_open();
    support_random random = support_random_open("arrow.thread_slices");
    support_batch_options options = {0};
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    pthread_t threads[THREADS];
    support_random_schema(&random, pool, &options, &schema);
    support_random_batch(&random, pool, &schema, &options, ROWS, &batch);
    for (int t = 0; t < THREADS; t++) {
        parts[t] = (struct part){.schema = &schema, .pool = pool};
        for (int i = 0; i < SLICES; i++) {
            int64_t offset = support_random_between(&random, 0, ROWS - 10);
            int64_t length = support_random_between(&random, 1, ROWS - offset);
            assert_ok(stoa_arrow_slice(pool, &batch, offset, length, &parts[t].slices[i], &err),
                      err);
        }
    }
    stoa_arrow_array_release(&batch);
    for (int t = 0; t < THREADS; t++) {
        assert_int_equal(pthread_create(&threads[t], NULL, part_run, &parts[t]), 0);
    }
    for (int t = 0; t < THREADS; t++) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_int_equal(parts[t].failures, 0);
    }
    stoa_arrow_schema_release(&schema);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(slices_belong_to_their_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
