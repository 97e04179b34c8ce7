/* Pools from several threads: counts stay exact, limits hold, holders come and go while others ask
 * them. */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { THREADS = 4, ROUNDS = 3000 };

static stoa_pool *root;

static void *allocate_and_free(void *user) {
    support_random random = {(uint64_t)(uintptr_t)user};
    stoa_pool *pool = NULL;
    stoa_error err = STOA_ERROR_NONE;
    assert_ok(stoa_pool_create_child(root, "thread", 0, &pool, &err), err);
    for (int i = 0; i < ROUNDS; i++) {
        void *memory = NULL;
        size_t size = (size_t)support_random_below(&random, 5000);
        stoa_status status = stoa_pool_allocate(pool, size, &memory, &err);
        assert_true(status == STOA_OK || status == STOA_LIMIT);
        assert_true(stoa_pool_used(root) <= 10000);
        if (status == STOA_OK) {
            stoa_pool_free(pool, memory, size);
        }
    }
    stoa_pool_close(pool);
    return NULL;
}

static void run_threads(void *(*function)(void *), int count) {
    pthread_t threads[8];
    for (intptr_t i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, function, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < count; i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

static void limits_hold_under_contention(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    assert_ok(stoa_pool_create(10000, NULL, &root, &err), err);
    run_threads(allocate_and_free, THREADS);
    assert_int_equal(stoa_pool_used(root), 0);
    assert_true(stoa_pool_peak(root) <= 10000);
    stoa_pool_close(root);
}

struct holder {
    atomic_int running;
    atomic_bool is_registered;
};

static size_t hold_a_while(void *user, size_t needed) {
    struct holder *holder = user;
    (void)needed;
    atomic_fetch_add(&holder->running, 1);
    assert_true(atomic_load(&holder->is_registered));
    (void)nanosleep(&(struct timespec){0, 20000}, NULL);
    assert_true(atomic_load(&holder->is_registered));
    atomic_fetch_sub(&holder->running, 1);
    return 0;
}

/* Registers, waits, unregisters; after that its function must neither run nor begin to. */
static void *come_and_go(void *user) {
    stoa_error err = STOA_ERROR_NONE;
    (void)user;
    for (int i = 0; i < 200; i++) {
        struct holder holder = {0};
        stoa_pressure *pressure = NULL;
        atomic_store(&holder.is_registered, true);
        assert_ok(stoa_pressure_register(root, hold_a_while, &holder, &pressure, &err), err);
        (void)nanosleep(&(struct timespec){0, 30000}, NULL);
        stoa_pressure_unregister(pressure);
        atomic_store(&holder.is_registered, false);
        assert_int_equal(atomic_load(&holder.running), 0);
    }
    return NULL;
}

static atomic_bool done;

static void *ask_for_too_much(void *user) {
    (void)user;
    while (!atomic_load(&done)) {
        void *memory = NULL;
        assert_int_equal(stoa_pool_allocate(root, 1 << 20, &memory, NULL), STOA_LIMIT);
    }
    return NULL;
}

static void holders_leave_while_others_ask(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    pthread_t askers[2];
    atomic_store(&done, false);
    assert_ok(stoa_pool_create(100000, NULL, &root, &err), err);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&askers[i], NULL, ask_for_too_much, NULL), 0);
    }
    run_threads(come_and_go, 3);
    atomic_store(&done, true);
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(askers[i], NULL);
    }
    assert_int_equal(stoa_pool_used(root), 0);
    stoa_pool_close(root);
}

/* The first call goes on until it is let go; the others are counted. */
struct slow_holder {
    atomic_int calls;
    atomic_bool may_end;
    stoa_pressure *pressure;
};

static size_t hold_until_let_go(void *user, size_t needed) {
    struct slow_holder *holder = user;
    (void)needed;
    if (atomic_fetch_add(&holder->calls, 1) == 0) {
        while (!atomic_load(&holder->may_end)) {
            (void)nanosleep(&(struct timespec){0, 100000}, NULL);
        }
    }
    return 0;
}

static void *ask_once(void *user) {
    void *memory = NULL;
    (void)user;
    assert_int_equal(stoa_pool_allocate(root, 1 << 20, &memory, NULL), STOA_LIMIT);
    return NULL;
}

static void *unregister(void *user) {
    struct slow_holder *holder = user;
    stoa_pressure_unregister(holder->pressure);
    return NULL;
}

/* Otherwise those who ask in turn keep the one who leaves waiting for ever. */
static void a_holder_that_leaves_gets_no_new_calls(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    struct slow_holder holder = {0};
    pthread_t asking, leaving;
    bool was_left_alone = false;
    assert_ok(stoa_pool_create(100000, NULL, &root, &err), err);
    assert_ok(stoa_pressure_register(root, hold_until_let_go, &holder, &holder.pressure, &err),
              err);
    assert_int_equal(pthread_create(&asking, NULL, ask_once, NULL), 0);
    while (atomic_load(&holder.calls) == 0) {
        (void)nanosleep(&(struct timespec){0, 100000}, NULL);
    }
    assert_int_equal(pthread_create(&leaving, NULL, unregister, &holder), 0);
    /* The other thread may take a while to get there. */
    for (int i = 0; i < 50000 && !was_left_alone; i++) {
        int before = atomic_load(&holder.calls);
        (void)ask_once(NULL);
        was_left_alone = atomic_load(&holder.calls) == before;
        (void)nanosleep(&(struct timespec){0, 100000}, NULL);
    }
    atomic_store(&holder.may_end, true);
    (void)pthread_join(asking, NULL);
    (void)pthread_join(leaving, NULL);
    assert_true(was_left_alone);
    stoa_pool_close(root);
}

/* A holder of blocks that every thread may ask to give them back. */
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static void *cached[64];
static int cached_count;

static size_t drop_cached(void *user, size_t needed) {
    size_t given = 0;
    (void)user;
    (void)pthread_mutex_lock(&cache_lock);
    while (cached_count > 0 && given < needed) {
        stoa_pool_free(root, cached[--cached_count], 1000);
        given += 1000;
    }
    (void)pthread_mutex_unlock(&cache_lock);
    return given;
}

static void *fill_cache(void *user) {
    (void)user;
    for (int i = 0; i < ROUNDS; i++) {
        void *memory = NULL;
        if (stoa_pool_allocate(root, 1000, &memory, NULL) != STOA_OK) {
            continue;
        }
        (void)pthread_mutex_lock(&cache_lock);
        bool kept = cached_count < 64;
        if (kept) {
            cached[cached_count++] = memory;
        }
        (void)pthread_mutex_unlock(&cache_lock);
        if (!kept) {
            stoa_pool_free(root, memory, 1000);
        }
    }
    return NULL;
}

static void caches_shrink_under_pressure(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_pressure *pressure = NULL;
    assert_ok(stoa_pool_create(20000, NULL, &root, &err), err);
    assert_ok(stoa_pressure_register(root, drop_cached, NULL, &pressure, &err), err);
    run_threads(fill_cache, THREADS);
    stoa_pressure_unregister(pressure);
    (void)drop_cached(NULL, SIZE_MAX);
    assert_int_equal(stoa_pool_used(root), 0);
    stoa_pool_close(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_hold_under_contention),
        cmocka_unit_test(holders_leave_while_others_ask),
        cmocka_unit_test(a_holder_that_leaves_gets_no_new_calls),
        cmocka_unit_test(caches_shrink_under_pressure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
