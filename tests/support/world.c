/* Worlds that fail, and the drivers that try every place to fail in. */
#include "support.h"

#include <inttypes.h>

enum { RUNS_MAX = 100000 };

void support_world_open(support_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_fs disk, fs;
    world->allocator = support_allocator_create();
    stoa_allocator hooks = support_allocator_hooks(world->allocator);
    assert_ok(stoa_pool_create(0, &hooks, &world->pool, &err), err);
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
    assert_ok(stoa_fs_crash_create(world->pool, &disk, &err), err);
    assert_ok(stoa_fs_fault_create(world->pool, disk, &fs, &world->fault, &err), err);
    assert_ok(stoa_fs_register(world->registry, "test", fs, &err), err);
}

void support_world_close(support_world *world) {
    stoa_fs_registry_close(world->registry);
    if (stoa_pool_used(world->pool) != 0) {
        print_error("leaked: the pool still counts %zu bytes\n", stoa_pool_used(world->pool));
        fail();
    }
    stoa_pool_close(world->pool);
    support_allocator_close(world->allocator);
    *world = (support_world){0};
}

void support_world_crash(support_world *world, stoa_crash_mode mode, uint64_t seed) {
    stoa_error err = STOA_ERROR_NONE;
    assert_ok(stoa_fs_crash(stoa_fault_inner(world->fault), mode, seed, &err), err);
    stoa_fault_plan(world->fault, NULL);
}

static void run_prepare(support_world *world, support_scenario prepare, void *user) {
    stoa_error err = STOA_ERROR_NONE;
    if (prepare != NULL) {
        assert_ok(prepare(world, user, &err), err);
    }
}

/* A run that met its fault fails with `wanted` and says so, or did without what failed. */
static void check_outcome(stoa_status status, const stoa_error *err, stoa_status wanted,
                          const char *what, uint64_t nth) {
    if (status != STOA_OK &&
        (status != wanted || err->status != status || err->message[0] == '\0')) {
        print_error("%s %" PRIu64 " failed: expected %s but found %s (the error says %s): %s\n",
                    what, nth, stoa_status_name(wanted), stoa_status_name(status),
                    stoa_status_name(err->status), err->message);
        fail();
    }
}

static void check_without_fault(stoa_status status, const stoa_error *err) {
    if (status != STOA_OK) {
        print_error("without a fault: expected ok but found %s: %s\n", stoa_status_name(status),
                    err->message);
        fail();
    }
}

uint64_t support_fail_each_allocation(support_scenario prepare, support_scenario scenario,
                                      support_check check, void *user) {
    for (uint64_t nth = 1; nth < RUNS_MAX; nth++) {
        support_world world;
        stoa_error err = STOA_ERROR_NONE;
        support_world_open(&world);
        run_prepare(&world, prepare, user);
        support_allocator_fail_at(world.allocator, nth);
        stoa_status status = scenario(&world, user, &err);
        bool failed = support_allocator_failed(world.allocator);
        support_allocator_fail_at(world.allocator, 0);
        if (failed) {
            check_outcome(status, &err, STOA_NO_MEMORY, "allocation", nth);
        } else {
            check_without_fault(status, &err);
        }
        if (check != NULL) {
            check(&world, user, status);
        }
        support_world_close(&world);
        if (!failed) {
            return nth;
        }
    }
    fail_msg("still failing after %d runs", RUNS_MAX);
    return 0;
}

static uint64_t fail_each_call(support_scenario prepare, support_scenario scenario,
                               support_check check, void *user, bool fails_on) {
    for (uint64_t nth = 1; nth < RUNS_MAX; nth++) {
        support_world world;
        stoa_error err = STOA_ERROR_NONE;
        support_world_open(&world);
        run_prepare(&world, prepare, user);
        stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = nth,
                                                           .fails_on = fails_on,
                                                           .tears_writes = fails_on,
                                                           .seed = nth});
        stoa_status status = scenario(&world, user, &err);
        bool failed = stoa_fault_happened(world.fault);
        stoa_fault_plan(world.fault, NULL);
        if (failed) {
            check_outcome(status, &err, STOA_IO, "call", nth);
        } else {
            check_without_fault(status, &err);
        }
        if (check != NULL) {
            check(&world, user, status);
        }
        support_world_close(&world);
        if (!failed) {
            return nth;
        }
    }
    fail_msg("still failing after %d runs", RUNS_MAX);
    return 0;
}

uint64_t support_fail_each_call(support_scenario prepare, support_scenario scenario,
                                support_check check, void *user) {
    return fail_each_call(prepare, scenario, check, user, false) +
           fail_each_call(prepare, scenario, check, user, true);
}

/* One run that goes down at the nth call. Returns false when the scenario did not get there. */
static bool crash_once(support_scenario prepare, support_scenario scenario, support_check check,
                       void *user, uint64_t nth, stoa_crash_mode mode, uint64_t seed) {
    support_world world;
    stoa_error err = STOA_ERROR_NONE;
    support_world_open(&world);
    run_prepare(&world, prepare, user);
    support_world_crash(&world, STOA_CRASH_KEEP, 0);
    stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = nth,
                                                       .fails_on = true,
                                                       .tears_writes = true,
                                                       .seed = seed});
    stoa_status status = scenario(&world, user, &err);
    bool went_down = stoa_fault_happened(world.fault);
    if (!went_down) {
        check_without_fault(status, &err);
    }
    support_world_crash(&world, mode, seed);
    check(&world, user, status);
    support_world_close(&world);
    return went_down;
}

uint64_t support_crash_at_each_call(support_scenario prepare, support_scenario scenario,
                                    support_check check, uint64_t seeds, void *user) {
    uint64_t runs = 0;
    for (uint64_t nth = 1; nth < RUNS_MAX; nth++) {
        bool went_down = crash_once(prepare, scenario, check, user, nth, STOA_CRASH_DROP, 0);
        (void)crash_once(prepare, scenario, check, user, nth, STOA_CRASH_KEEP, 0);
        runs += 2;
        for (uint64_t seed = 1; seed <= seeds; seed++, runs++) {
            (void)crash_once(prepare, scenario, check, user, nth, STOA_CRASH_TEAR,
                             seed * 1000003 + nth);
        }
        if (!went_down) {
            return runs;
        }
    }
    fail_msg("still going down after %d runs", RUNS_MAX);
    return runs;
}
