/* A store whose calls fail, and whose machine goes down. */
#ifndef STOA_TESTS_LSM_FAULT_SCENE_H
#define STOA_TESTS_LSM_FAULT_SCENE_H

#include "store_support.h"

struct scene {
    struct store_test store;
    int64_t acknowledged; /* rows, where a test counts them; their users are 1, 2, … */
    int run;
};

/* Each opening is of another run of the machine: the log believes less of what was not synced. */
static stoa_status begin_in(support_world *world, struct scene *scene, stoa_error *err) {
    static const char *const boots[] = {"first", "second", "third"};
    scene->store = (struct store_test){.pool = world->pool,
                                       .file_systems = world->registry,
                                       .directory = "test:/db",
                                       .boot = boots[scene->run++ % 3],
                                       .settings = {.no_background = true,
                                                    .log_segment_bytes = 64 << 10}};
    return stoa_sched_create(world->pool, &(stoa_sched_options){.threads = 1}, &scene->store.sched,
                             err);
}

static void end(struct scene *scene) {
    store_test_close(&scene->store);
    stoa_sched_close(scene->store.sched);
}

#endif
