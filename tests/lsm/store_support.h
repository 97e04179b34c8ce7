/* A store for tests: on any file system, with one table of totals by key, and a way to read it. */
#ifndef STOA_TESTS_LSM_STORE_SUPPORT_H
#define STOA_TESTS_LSM_STORE_SUPPORT_H

#include <stoa/state.h>

#include "lsm/store.h"
#include "sched/sched.h"
#include "support.h"
#include "vfs/vfs.h"

enum { TOTALS = 1 };

struct store_test {
    stoa_pool *pool;
    stoa_sched *sched;
    stoa_fs_registry *file_systems;
    const char *directory;
    const char *boot;  /* names the machine's run; NULL: the real one */
    const char *codec; /* of the table; NULL: none */
    stoa_state_options settings;
    stoa_store *store;
    stoa_state *totals; /* "user long not null, total long, name string" by user */
};

static inline void store_test_begin(struct store_test *test, stoa_pool *pool) {
    stoa_error err;
    *test = (struct store_test){.pool = pool, .directory = "memory:/db/state"};
    assert_ok(stoa_sched_create(pool, &(stoa_sched_options){.threads = 2}, &test->sched, &err),
              err);
    assert_ok(stoa_fs_registry_create(pool, &test->file_systems, &err), err);
}

static inline stoa_status store_test_open_as(struct store_test *test, bool read_only,
                                             stoa_error *err) {
    const stoa_store_options options = {
        .context = {.pool = test->pool, .sched = test->sched},
        .file_systems = test->file_systems,
        .directory = test->directory,
        .create = !read_only,
        .read_only = read_only,
        .boot = test->boot,
        .settings = test->settings,
    };
    return stoa_store_open(&options, &test->store, err);
}

/* Opens the store, and makes the table where there is none. */
static inline void store_test_open(struct store_test *test) {
    stoa_error err;
    assert_ok(store_test_open_as(test, false, &err), err);
    if (stoa_store_open_table(test->store, TOTALS, &test->totals, &err) == STOA_NOT_FOUND) {
        const stoa_schema *schema = NULL;
        const stoa_state_table_options options = {.key = "user",
                                                  .merge = "total add",
                                                  .codec = test->codec};
        assert_ok(stoa_schema_parse(test->pool, "user long not null, total long, name string",
                                    &schema, &err),
                  err);
        assert_ok(stoa_store_create_table(test->store, TOTALS, schema, &options, &err), err);
        stoa_schema_close(schema);
        assert_ok(stoa_store_open_table(test->store, TOTALS, &test->totals, &err), err);
    }
}

static inline void store_test_close(struct store_test *test) {
    stoa_state_close(test->totals);
    stoa_store_close(test->store);
    test->totals = NULL;
    test->store = NULL;
}

static inline void store_test_end(struct store_test *test) {
    store_test_close(test);
    stoa_sched_close(test->sched);
    stoa_fs_registry_close(test->file_systems);
}

#endif
