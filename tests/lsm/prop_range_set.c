/* Sets of deleted ranges against a look at every range. */
#include "base/bytes.h"
#include "lsm/range_set.h"
#include "support.h"

enum { ROUNDS = 200, QUERIES = 200, KEY_BYTES = 3 };

/* Short keys of few bytes, so that ranges touch, repeat and begin with each other. */
static size_t random_key(support_random *random, uint8_t out[KEY_BYTES]) {
    static const uint8_t bytes[] = {0x00, 0x01, 0x7F, 0xFF};
    const size_t size = (size_t)support_random_below(random, KEY_BYTES + 1);
    for (size_t i = 0; i < size; i++) {
        out[i] = bytes[support_random_below(random, sizeof bytes)];
    }
    return size;
}

static uint64_t reference(const stoa_range_set *set, const uint8_t *key, size_t size,
                          uint64_t snapshot) {
    uint64_t newest = 0;
    for (int64_t i = 0; i < set->count; i++) {
        const stoa_key_range *range = &set->ranges[i];
        const bool holds = stoa_bytes_compare(range->from, range->from_size, key, size) <= 0 &&
                           (range->to_end ||
                            stoa_bytes_compare(key, size, range->to, range->to_size) < 0);
        if (holds && range->sequence <= snapshot && range->sequence > newest) {
            newest = range->sequence;
        }
    }
    return newest;
}

static void check(support_random *random, const stoa_range_set *set) {
    for (int i = 0; i < QUERIES; i++) {
        uint8_t key[KEY_BYTES];
        const size_t size = random_key(random, key);
        const uint64_t snapshot = support_random_bool(random) ? UINT64_MAX
                                                              : support_random_below(random, 1000);
        assert_int_equal(stoa_range_set_cover(set, key, size, snapshot),
                         reference(set, key, size, snapshot));
    }
}

static void add(support_random *random, stoa_range_set *set) {
    uint8_t from[KEY_BYTES], to[KEY_BYTES];
    stoa_error err;
    stoa_key_range range = {.from = from,
                            .from_size = random_key(random, from),
                            .to = to,
                            .to_size = random_key(random, to),
                            .to_end = support_random_below(random, 8) == 0,
                            .sequence = 1 + support_random_below(random, 1000)};
    assert_ok(stoa_range_set_add(set, &range, &err), err);
}

static void newest_range_over_a_key_is_found(void **state) {
    support_random random = support_random_open("lsm.prop_range_set");
    stoa_pool *pool = support_pool_open();
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        stoa_range_set set = {.pool = pool};
        const uint64_t count = support_random_below(&random, round % 10 == 0 ? 300 : 12);
        check(&random, &set);
        for (uint64_t i = 0; i < count; i++) {
            add(&random, &set);
        }
        check(&random, &set);
        stoa_range_set_finish(&set);
        assert_int_equal(set.count, count);
        for (int64_t i = 1; i < set.count; i++) {
            assert_true(stoa_bytes_compare(set.ranges[i - 1].from, set.ranges[i - 1].from_size,
                                           set.ranges[i].from, set.ranges[i].from_size) <= 0);
        }
        check(&random, &set);
        add(&random, &set);
        check(&random, &set);
        stoa_range_set_finish(&set);
        check(&random, &set);
        stoa_range_set_release(&set);
        stoa_range_set_release(&set);
    }
    support_pool_close(pool);
}

static stoa_status fill(support_world *world, void *user, stoa_error *err) {
    const uint64_t *key = user;
    stoa_range_set set = {.pool = world->pool};
    stoa_status status = STOA_OK;
    for (uint64_t i = 1; i <= 20 && status == STOA_OK; i++) {
        const stoa_key_range range = {.from = (const uint8_t *)key,
                                      .from_size = sizeof *key,
                                      .to_end = true,
                                      .sequence = i};
        const int64_t count = set.count;
        status = stoa_range_set_add(&set, &range, err);
        if (set.count != count + (status == STOA_OK)) {
            status = stoa_fail(err, STOA_INTERNAL, "a range that failed was counted");
        }
    }
    stoa_range_set_release(&set);
    return status;
}

static void failed_allocations_change_nothing(void **state) {
    uint64_t key = 7;
    (void)state;
    assert_true(support_fail_each_allocation(NULL, fill, NULL, &key) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newest_range_over_a_key_is_found),
        cmocka_unit_test(failed_allocations_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
