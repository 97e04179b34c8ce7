/* Pools, buffers, arenas and holders with every allocation failing in turn. */
#include "support.h"

#include "mem/arena.h"
#include "mem/buffer.h"

static size_t give_nothing(void *user, size_t needed) {
    (void)user;
    (void)needed;
    return 0;
}

static stoa_status use_everything(support_world *world, void *user, stoa_error *err) {
    stoa_pool *pool = NULL;
    stoa_buffer buffer = {0};
    stoa_arena arena = {0};
    stoa_pressure *pressure = NULL;
    stoa_reservation reservation = {0};
    stoa_status status = STOA_OK;
    void *memory = NULL;
    const char *text = NULL;
    (void)user;

    STOA_CHECK(stoa_pool_create_child(world->pool, "child", 1 << 20, &pool, err));
    stoa_buffer_init(&buffer, pool);
    stoa_arena_init(&arena, pool);
    STOA_CHECK(stoa_pressure_register(pool, give_nothing, NULL, &pressure, err));
    STOA_CHECK(stoa_reservation_resize(&reservation, pool, 100, err));
    for (int i = 0; i < 200; i++) {
        STOA_CHECK(stoa_buffer_append_format(&buffer, err, "%d ", i));
        STOA_CHECK(stoa_arena_allocate(&arena, (size_t)i * 10, &memory, err));
    }
    STOA_CHECK(stoa_buffer_text(&buffer, &text, err));
    STOA_CHECK(stoa_arena_allocate(&arena, 50000, &memory, err));

done:
    stoa_reservation_release(&reservation);
    stoa_pressure_unregister(pressure);
    stoa_buffer_release(&buffer);
    stoa_arena_release(&arena);
    stoa_pool_close(pool);
    return status;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(NULL, use_everything, NULL, NULL) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
