/* What most unit tests of this folder begin with: a pool that is checked for leaks when a test ends,
 * and an error that is empty when one begins. To be included once, by the file with the tests. */
#ifndef STOA_TESTS_ARROW_POOL_WORLD_H
#define STOA_TESTS_ARROW_POOL_WORLD_H

#include "support.h"

static stoa_pool *pool;
static stoa_error err;

static int setup(void **state) {
    (void)state;
    pool = support_pool_open();
    err = (stoa_error)STOA_ERROR_NONE;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_pool_close(pool);
    return 0;
}

#endif
