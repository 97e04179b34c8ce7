/* A pool of its own for each test, which must be empty again at the end. */
#ifndef STOA_TESTS_SCHEMA_WORLD_H
#define STOA_TESTS_SCHEMA_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mem/pool.h"
#include "schema/schema.h"

static inline int world_begin(void **state) {
    stoa_pool *pool = NULL;
    if (stoa_pool_create(0, NULL, &pool, NULL) != STOA_OK) {
        return -1;
    }
    *state = pool;
    return 0;
}

static inline int world_end(void **state) {
    stoa_pool *pool = *state;
    size_t used = stoa_pool_used(pool);
    stoa_pool_close(pool);
    if (used != 0) {
        (void)fprintf(stderr, "%zu bytes were not given back\n", used);
        return -1;
    }
    return 0;
}

#define WORLD_TEST(function) cmocka_unit_test_setup_teardown(function, world_begin, world_end)

/* Fails the test with the error's own words. */
#define assert_ok(expression)                                                                      \
    do {                                                                                           \
        stoa_status assert_status_ = (expression);                                                 \
        if (assert_status_ != STOA_OK) {                                                           \
            fail_msg("%s: %s: %s", #expression, stoa_status_name(assert_status_), err.message);    \
        }                                                                                          \
    } while (0)

static inline const stoa_schema *world_schema(stoa_pool *pool, const char *text) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = NULL;
    if (stoa_schema_parse(pool, text, &schema, &err) != STOA_OK) {
        fail_msg("'%s': %s", text, err.message);
    }
    return schema;
}

#endif
