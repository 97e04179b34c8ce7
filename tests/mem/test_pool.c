/* Pools: limits in a tree, messages, peaks, holders that give back, lifetimes, reservations. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

static stoa_error err;

static void *take(stoa_pool *pool, size_t size) {
    void *memory = NULL;
    assert_ok(stoa_pool_allocate(pool, size, &memory, &err), err);
    assert_int_equal((uintptr_t)memory % STOA_ALIGNMENT_BYTES, 0);
    memset(memory, 1, size);
    return memory;
}

static stoa_pool *child_of(stoa_pool *parent, const char *name, size_t limit) {
    stoa_pool *pool = NULL;
    assert_ok(stoa_pool_create_child(parent, name, limit, &pool, &err), err);
    return pool;
}

static stoa_pool *root_of(size_t limit) {
    stoa_pool *pool = NULL;
    assert_ok(stoa_pool_create(limit, NULL, &pool, &err), err);
    return pool;
}

static void bytes_count_in_all_pools_above(void **state) {
    (void)state;
    stoa_pool *root = root_of(0), *a = child_of(root, "a", 0), *b = child_of(a, "b", 0);
    void *memory = take(b, 1000), *other = take(a, 10);
    assert_int_equal(stoa_pool_used(b), 1000);
    assert_int_equal(stoa_pool_used(a), 1010);
    assert_int_equal(stoa_pool_used(root), 1010);
    stoa_pool_free(b, memory, 1000);
    stoa_pool_free(a, other, 10);
    assert_int_equal(stoa_pool_used(root), 0);
    assert_int_equal(stoa_pool_peak(root), 1010);
    assert_int_equal(stoa_pool_peak(b), 1000);
    assert_string_equal(stoa_pool_name(b), "b");
    assert_string_equal(stoa_pool_name(root), "root");
    stoa_pool_close(b);
    stoa_pool_close(a);
    stoa_pool_close(root);
}

static void a_full_pool_says_which_and_how_much(void **state) {
    (void)state;
    stoa_pool *root = root_of(1000), *engine = child_of(root, "engine", 0);
    stoa_pool *query = child_of(engine, "query", 500);
    void *memory = take(query, 400), *none = NULL;
    assert_int_equal(stoa_pool_limit(query), 500);
    assert_int_equal(stoa_pool_limit(engine), 1000); /* what is above holds too */
    assert_fails(stoa_pool_allocate(query, 101, &none, &err), STOA_LIMIT,
                 "memory pool 'query' is full: limit 500 bytes, in use 400, requested 101", err);
    assert_null(none);
    void *exact = take(query, 100);
    /* The root is full before the engine, which has no limit of its own. */
    assert_fails(stoa_pool_allocate(engine, 501, &none, &err), STOA_LIMIT,
                 "memory pool 'root' is full: limit 1000 bytes, in use 500, requested 501", err);
    /* What was refused is counted nowhere. */
    assert_int_equal(stoa_pool_used(engine), 500);
    assert_int_equal(stoa_pool_used(root), 500);
    assert_fails(stoa_pool_allocate(root, SIZE_MAX, &none, &err), STOA_LIMIT, NULL, err);
    stoa_pool_free(query, memory, 400);
    stoa_pool_free(query, exact, 100);
    stoa_pool_close(query);
    stoa_pool_close(engine);
    stoa_pool_close(root);
}

static void sizes_that_do_not_fit_are_refused(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    void *memory = NULL;
    assert_fails(stoa_pool_allocate_array(pool, SIZE_MAX / 2, 3, &memory, &err), STOA_LIMIT,
                 "elements of 3 bytes", err);
    assert_fails(stoa_pool_allocate(pool, SIZE_MAX - 10, &memory, &err), STOA_NO_MEMORY, "root",
                 err);
    assert_int_equal(stoa_pool_used(pool), 0);
    support_pool_close(pool);
}

static void arrays_are_zeroed_and_nothing_has_a_place(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    void *memory = NULL;
    assert_ok(stoa_pool_allocate_array(pool, 100, 8, &memory, &err), err);
    for (size_t i = 0; i < 800; i++) {
        assert_int_equal(((char *)memory)[i], 0);
    }
    stoa_pool_free(pool, memory, 800);
    assert_ok(stoa_pool_allocate(pool, 0, &memory, &err), err);
    assert_non_null(memory);
    stoa_pool_free(pool, memory, 0);
    stoa_pool_free(pool, NULL, 10);
    support_pool_close(pool);
}

static void reallocation_keeps_what_fits(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    void *memory = NULL;
    assert_ok(stoa_pool_reallocate(pool, &memory, 0, 10, &err), err);
    memcpy(memory, "0123456789", 10);
    assert_ok(stoa_pool_reallocate(pool, &memory, 10, 1000, &err), err);
    assert_memory_equal(memory, "0123456789", 10);
    assert_int_equal(stoa_pool_used(pool), 1000);
    assert_ok(stoa_pool_reallocate(pool, &memory, 1000, 4, &err), err);
    assert_memory_equal(memory, "0123", 4);
    void *before = memory;
    assert_fails(stoa_pool_reallocate(pool, &memory, 4, SIZE_MAX - 100, &err), STOA_NO_MEMORY, NULL,
                 err);
    assert_ptr_equal(memory, before);
    assert_memory_equal(memory, "0123", 4);
    stoa_pool_free(pool, memory, 4);
    support_pool_close(pool);
}

static void texts_are_copied(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    char *text = NULL;
    assert_ok(stoa_pool_copy_text(pool, "abcdef", 3, &text, &err), err);
    assert_string_equal(text, "abc");
    stoa_pool_free_string(pool, text);
    assert_ok(stoa_pool_copy_text(pool, NULL, 0, &text, &err), err);
    assert_string_equal(text, "");
    stoa_pool_free_string(pool, text);
    assert_ok(stoa_pool_copy_string(pool, NULL, &text, &err), err);
    assert_null(text);
    stoa_pool_free_string(pool, text);
    support_pool_close(pool);
}

static void memory_outlives_the_handles(void **state) {
    (void)state;
    stoa_pool *root = support_pool_open();
    stoa_pool *a = child_of(root, "a", 0), *b = child_of(a, "b", 0);
    stoa_reservation reservation = {0};
    void *memory = take(b, 100);
    assert_ok(stoa_reservation_resize(&reservation, a, 50, &err), err);
    stoa_pool_close(a);
    stoa_pool_close(b);
    assert_int_equal(stoa_pool_used(root), 150);
    stoa_pool_free(b, memory, 100);
    assert_int_equal(stoa_pool_used(root), 50);
    stoa_reservation_release(&reservation);
    stoa_pool_close(NULL);
    support_pool_close(root);
}

static void long_names_are_cut(void **state) {
    (void)state;
    char name[200];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    stoa_pool *root = root_of(0), *pool = child_of(root, name, 0);
    assert_int_equal(strlen(stoa_pool_name(pool)), 63);
    /* In UTF-8, between characters. */
    memcpy(name + 62, "\xC3\xBC", 2);
    stoa_pool *other = child_of(root, name, 0);
    assert_int_equal(strlen(stoa_pool_name(other)), 62);
    stoa_pool_close(other);
    stoa_pool_close(pool);
    stoa_pool_close(root);
}

/* A cache that drops blocks of 100 bytes when asked. */
struct cache {
    stoa_pool *pool;
    void *blocks[10];
    int count;
    int calls;
    size_t needed;
    size_t most; /* blocks to drop at a call */
};

static void fill(struct cache *cache, int count) {
    while (cache->count < count) {
        cache->blocks[cache->count++] = take(cache->pool, 100);
    }
}

static size_t drop_blocks(void *user, size_t needed) {
    struct cache *cache = user;
    size_t given = 0;
    cache->calls++;
    cache->needed = needed;
    for (size_t n = 0; n < cache->most && given < needed && cache->count > 0; n++) {
        stoa_pool_free(cache->pool, cache->blocks[--cache->count], 100);
        given += 100;
    }
    return given;
}

static void holders_give_back_before_a_request_fails(void **state) {
    (void)state;
    stoa_pool *root = root_of(2000);
    struct cache cache = {.pool = child_of(root, "cache", 0), .most = 10};
    stoa_pool *query = child_of(root, "query", 0);
    stoa_pressure *pressure = NULL;
    void *none = NULL;
    assert_ok(stoa_pressure_register(cache.pool, drop_blocks, &cache, &pressure, &err), err);
    fill(&cache, 10);
    void *memory = take(query, 1200);
    assert_true(cache.calls > 0);
    assert_in_range(cache.count, 0, 8);
    assert_fails(stoa_pool_allocate(query, 1200, &none, &err), STOA_LIMIT, "'root' is full", err);
    assert_int_equal(cache.count, 0);
    stoa_pool_free(query, memory, 1200);
    stoa_pressure_unregister(pressure);
    stoa_pressure_unregister(NULL);
    stoa_pool_close(query);
    stoa_pool_close(cache.pool);
    stoa_pool_close(root);
}

static void holders_that_give_little_are_asked_again(void **state) {
    (void)state;
    stoa_pool *root = root_of(2000);
    struct cache cache = {.pool = root, .most = 1};
    stoa_pressure *pressure = NULL;
    assert_ok(stoa_pressure_register(root, drop_blocks, &cache, &pressure, &err), err);
    fill(&cache, 10);
    void *memory = take(root, 1500);
    assert_in_range(cache.calls, 5, 10);
    stoa_pool_free(root, memory, 1500);
    cache.most = 10;
    (void)drop_blocks(&cache, 1000);
    stoa_pressure_unregister(pressure);
    stoa_pool_close(root);
}

static void only_holders_below_the_full_pool_are_asked(void **state) {
    (void)state;
    stoa_pool *root = root_of(100000), *narrow = child_of(root, "narrow", 1000);
    struct cache inside = {.pool = child_of(narrow, "inside", 0), .most = 10};
    struct cache outside = {.pool = child_of(root, "outside", 0), .most = 10};
    stoa_pressure *pressures[2];
    assert_ok(stoa_pressure_register(inside.pool, drop_blocks, &inside, &pressures[0], &err), err);
    assert_ok(stoa_pressure_register(outside.pool, drop_blocks, &outside, &pressures[1], &err),
              err);
    fill(&inside, 5);
    fill(&outside, 5);
    void *memory = take(narrow, 600);
    assert_true(inside.calls > 0);
    assert_int_equal(outside.calls, 0);
    assert_int_equal(outside.count, 5);
    stoa_pool_free(narrow, memory, 600);
    (void)drop_blocks(&inside, 1000);
    (void)drop_blocks(&outside, 1000);
    stoa_pressure_unregister(pressures[1]);
    stoa_pressure_unregister(pressures[0]);
    stoa_pool_close(inside.pool);
    stoa_pool_close(outside.pool);
    stoa_pool_close(narrow);
    stoa_pool_close(root);
}

static void reservations_are_charged_and_given_back(void **state) {
    (void)state;
    stoa_pool *root = root_of(1000), *pool = child_of(root, "mapped", 0);
    stoa_reservation reservation = {0};
    assert_ok(stoa_reservation_resize(&reservation, pool, 800, &err), err);
    assert_int_equal(stoa_pool_used(root), 800);
    assert_fails(stoa_reservation_resize(&reservation, pool, 1001, &err), STOA_LIMIT, "root", err);
    assert_int_equal(reservation.bytes, 800);
    assert_int_equal(stoa_pool_used(root), 800);
    assert_ok(stoa_reservation_resize(&reservation, pool, 1000, &err), err);
    assert_ok(stoa_reservation_resize(&reservation, pool, 10, &err), err);
    assert_int_equal(stoa_pool_used(pool), 10);
    assert_ok(stoa_reservation_resize(&reservation, pool, 0, &err), err);
    stoa_reservation_release(&reservation);
    stoa_reservation_release(&reservation);
    assert_int_equal(stoa_pool_used(root), 0);
    stoa_pool_close(pool);
    stoa_pool_close(root);
}

static void assert_size(const char *text, size_t wanted) {
    size_t size = 0;
    assert_ok(stoa_memory_size_parse(text, &size, &err), err);
    assert_true(size == wanted);
}

static void sizes_are_read_with_their_units(void **state) {
    (void)state;
    assert_size("0", 0);
    assert_size("123", 123);
    assert_size("123B", 123);
    assert_size("1k", 1024);
    assert_size("1KiB", 1024);
    assert_size("1kb", 1000);
    assert_size("512MB", 512000000);
    assert_size("512M", 512u << 20);
    assert_size("  2 GiB ", (size_t)2 << 30);
    assert_size("2gb", 2000000000);
    assert_size("3T", (size_t)3 << 40);
    assert_size("1TB", 1000000000000);
    assert_size("18446744073709551615", SIZE_MAX);
}

static void sizes_that_are_none_are_refused(void **state) {
    (void)state;
    const char *const bad[] = {"",
                               " ",
                               "x",
                               "-1",
                               "+1",
                               "1.5GB",
                               "1 XB",
                               "GB",
                               "1GBB",
                               "18446744073709551616",
                               "99999999999T",
                               "0x10",
                               "1 2"};
    size_t size = 7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(stoa_memory_size_parse(bad[i], &size, &err), STOA_INVALID, "expected a size",
                     err);
        assert_int_equal(size, 7);
    }
}

static void the_default_limit_comes_from_the_environment(void **state) {
    (void)state;
    size_t size = 0;
    assert_int_equal(unsetenv("STOA_MEMORY"), 0);
    assert_ok(stoa_memory_limit_default(&size, &err), err);
    assert_int_equal(size, (size_t)1 << 30);
    assert_int_equal(setenv("STOA_MEMORY", "64MiB", 1), 0);
    assert_ok(stoa_memory_limit_default(&size, &err), err);
    assert_int_equal(size, (size_t)64 << 20);
    assert_int_equal(setenv("STOA_MEMORY", "lots", 1), 0);
    assert_fails(stoa_memory_limit_default(&size, &err), STOA_INVALID,
                 "STOA_MEMORY: expected a size", err);
    assert_int_equal(unsetenv("STOA_MEMORY"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_count_in_all_pools_above),
        cmocka_unit_test(a_full_pool_says_which_and_how_much),
        cmocka_unit_test(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(arrays_are_zeroed_and_nothing_has_a_place),
        cmocka_unit_test(reallocation_keeps_what_fits),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(memory_outlives_the_handles),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(holders_give_back_before_a_request_fails),
        cmocka_unit_test(holders_that_give_little_are_asked_again),
        cmocka_unit_test(only_holders_below_the_full_pool_are_asked),
        cmocka_unit_test(reservations_are_charged_and_given_back),
        cmocka_unit_test(sizes_are_read_with_their_units),
        cmocka_unit_test(sizes_that_are_none_are_refused),
        cmocka_unit_test(the_default_limit_comes_from_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
