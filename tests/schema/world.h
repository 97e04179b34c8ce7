/* A pool of its own for each test, which must be empty again at the end. */
#ifndef STOA_TESTS_SCHEMA_WORLD_H
#define STOA_TESTS_SCHEMA_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <support.h>

#include "schema/schema.h"

static inline int world_begin(void **state) {
    *state = support_pool_open();
    return 0;
}

static inline int world_end(void **state) {
    support_pool_close(*state);
    return 0;
}

#define WORLD_TEST(function) cmocka_unit_test_setup_teardown(function, world_begin, world_end)

/* Fails the test with the error's own words; the variable is always `err`. */
#define ok(expression) assert_ok(expression, err)

static inline const stoa_schema *world_schema(stoa_pool *pool, const char *text) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = NULL;
    if (stoa_schema_parse(pool, text, &schema, &err) != STOA_OK) {
        fail_msg("'%s': %s", text, err.message);
    }
    return schema;
}

#endif
