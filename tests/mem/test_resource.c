/* The registry of what is open: order of release, leaving in any order, what is told. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "mem/resource.h"

struct thing {
    stoa_resource *resource;
    struct thing *inner; /* closed by this one's release */
    const char *name;
    char *trace; /* shared: names in the order of release */
    bool released;
};

static void release(void *owner) {
    struct thing *thing = owner;
    thing->released = true;
    (void)strcat(thing->trace, thing->name);
    if (thing->inner != NULL) {
        stoa_resource_leave(thing->inner->resource);
        thing->inner->resource = NULL;
    }
}

static void enter(stoa_pool *pool, struct thing *thing, stoa_resource_kind kind) {
    stoa_error err = STOA_ERROR_NONE;
    assert_ok(stoa_resource_enter(pool, kind, thing->name, release, thing, &thing->resource, &err),
              err);
}

static void count_lines(void *user, stoa_log_level level, const char *module, const char *line) {
    (void)level;
    (void)module;
    char *log = user;
    (void)strncat(log, line, 4000 - strlen(log));
    (void)strcat(log, "\n");
}

static void released_in_order_of_kind_and_age(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open(), *child = NULL;
    stoa_resources *resources = NULL;
    char trace[64] = "", log[8192] = "";
    stoa_logger logger = {count_lines, log, STOA_LOG_WARN};
    struct thing old_file = {.name = "f", .trace = trace}, new_file = {.name = "F", .trace = trace};
    struct thing stream = {.name = "s", .trace = trace, .inner = &new_file};
    struct thing task = {.name = "t", .trace = trace};
    assert_ok(stoa_resources_create(pool, &resources, &err), err);
    assert_ok(stoa_pool_create_child(pool, "below", 0, &child, &err), err);
    enter(pool, &old_file, STOA_RESOURCE_FILE);
    enter(child, &stream, STOA_RESOURCE_STREAM);
    enter(child, &new_file, STOA_RESOURCE_FILE);
    enter(pool, &task, STOA_RESOURCE_TASK);
    assert_int_equal(stoa_resources_release(resources, STOA_RESOURCE_STREAM, &logger, "here"), 2);
    assert_string_equal(trace, "ts");
    assert_non_null(strstr(log, "here was closed with"));
    stoa_resources_close(resources, &logger, "here");
    assert_string_equal(trace, "tsf"); /* the stream had closed the newer file itself */
    assert_false(new_file.released);
    stoa_resource_leave(old_file.resource);
    stoa_resource_leave(stream.resource);
    stoa_resource_leave(task.resource);
    stoa_pool_close(child);
    support_pool_close(pool);
}

static void count_open(void *user, stoa_resource_kind kind, const char *name) {
    char *text = user;
    (void)strcat(text, stoa_resource_kind_name(kind));
    (void)strcat(text, name);
    (void)strcat(text, ";");
}

static void what_has_left_is_not_told(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    stoa_resources *resources = NULL;
    char trace[64] = "", text[128] = "";
    struct thing things[3] = {{.name = "1", .trace = trace},
                              {.name = "2", .trace = trace},
                              {.name = "3", .trace = trace}};
    assert_ok(stoa_resources_create(pool, &resources, &err), err);
    for (int i = 0; i < 3; i++) {
        enter(pool, &things[i], STOA_RESOURCE_STREAM);
    }
    stoa_resource_leave(things[1].resource); /* from the middle */
    stoa_resource_rename(things[2].resource, "three");
    stoa_resources_each(pool, count_open, text);
    assert_string_equal(text, "stream1;streamthree;");
    stoa_resource_leave(things[2].resource); /* the newest, then the last */
    stoa_resource_leave(things[0].resource);
    assert_int_equal(stoa_resources_release(resources, STOA_RESOURCE_FILE, NULL, "here"), 0);
    stoa_resources_close(resources, NULL, "here");
    assert_string_equal(trace, "");
    support_pool_close(pool);
}

static void a_pool_without_a_registry_keeps_no_account(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    struct thing thing = {.name = "x", .trace = NULL};
    enter(pool, &thing, STOA_RESOURCE_FILE);
    assert_null(thing.resource);
    stoa_resource_leave(thing.resource);
    stoa_resource_rename(thing.resource, "y");
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(released_in_order_of_kind_and_age),
        cmocka_unit_test(what_has_left_is_not_told),
        cmocka_unit_test(a_pool_without_a_registry_keeps_no_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
