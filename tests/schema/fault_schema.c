/* Schemas, their twins, and predicates, with each allocation failing in turn. */
#include <support.h>

#include "mem/arena.h"
#include "schema/predicate.h"
#include "schema/schema.h"

static const char TEXT[] = "id long not null, name string, tags list<struct<x: int, y: uuid>>, "
                           "place struct<lat: double, lon: double> 'where', m map<string, date>";

static stoa_status twins(support_world *world, void *user, stoa_error *err) {
    (void)user;
    stoa_pool *pool = world->pool;
    const stoa_schema *schema = NULL;
    const stoa_schema *from_json = NULL;
    const stoa_schema *from_arrow = NULL;
    const stoa_schema *part = NULL;
    struct ArrowSchema arrow = {0};
    stoa_buffer json;
    stoa_buffer_init(&json, pool);
    static const int32_t COLUMNS[] = {2, 0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_schema_parse(pool, TEXT, &schema, err));
    STOA_CHECK(stoa_schema_project(pool, schema, COLUMNS, 2, &part, err));
    STOA_CHECK(stoa_schema_to_json(schema, &json, err));
    STOA_CHECK(stoa_schema_from_json(pool, (const char *)json.data, json.size, &from_json, err));
    STOA_CHECK(stoa_schema_to_arrow(pool, schema, &arrow, err));
    STOA_CHECK(stoa_schema_from_arrow(pool, &arrow, &from_arrow, err));
    STOA_ASSERT(stoa_type_equal(&schema->root, &from_arrow->root, true));
done:
    stoa_schema_close(schema);
    stoa_schema_close(from_json);
    stoa_schema_close(from_arrow);
    stoa_schema_close(part);
    stoa_arrow_schema_release(&arrow);
    stoa_buffer_release(&json);
    return status;
}

static stoa_status predicates(support_world *world, void *user, stoa_error *err) {
    static const char *const PREDICATES[] = {
        "id > 2.5 and name in ('a', 'b', null) or not place.lat is null",
        "id in (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18) or name like 'ab%'",
    };
    (void)user;
    const stoa_schema *schema = NULL;
    const stoa_predicate *predicate = NULL;
    stoa_arena arena;
    stoa_buffer text;
    stoa_arena_init(&arena, world->pool);
    stoa_buffer_init(&text, world->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_schema_parse(world->pool, "id long, name string, place struct<lat: double>",
                                 &schema, err));
    /* One row: id 17, name "abc", place null. */
    static const int64_t IDS[] = {17};
    static const int32_t OFFSETS[] = {0, 3};
    static const double LATITUDES[] = {0};
    static const uint8_t NONE[] = {0};
    const void *ids[] = {NULL, IDS};
    const void *names[] = {NULL, OFFSETS, "abc"};
    const void *latitudes[] = {NULL, LATITUDES};
    const void *places[] = {NONE};
    const void *rows[] = {NULL};
    struct ArrowArray id = {.length = 1, .n_buffers = 2, .buffers = ids};
    struct ArrowArray name = {.length = 1, .n_buffers = 3, .buffers = names};
    struct ArrowArray lat = {.length = 1, .n_buffers = 2, .buffers = latitudes};
    struct ArrowArray *fields[] = {&lat};
    struct ArrowArray place = {.length = 1,
                               .null_count = 1,
                               .n_buffers = 1,
                               .buffers = places,
                               .n_children = 1,
                               .children = fields};
    struct ArrowArray *columns[] = {&id, &name, &place};
    struct ArrowArray batch = {.length = 1,
                               .n_buffers = 1,
                               .buffers = rows,
                               .n_children = 3,
                               .children = columns};
    for (size_t i = 0; i < 2; i++) {
        uint8_t selection[1] = {0};
        STOA_CHECK(stoa_predicate_parse(&arena, schema, PREDICATES[i], &predicate, err));
        STOA_CHECK(stoa_predicate_print(predicate, schema, &text, err));
        STOA_CHECK(stoa_predicate_select(predicate, schema, &batch, world->pool, selection, err));
        STOA_ASSERT(selection[0] == i);
    }
done:
    stoa_buffer_release(&text);
    stoa_arena_release(&arena);
    stoa_schema_close(schema);
    return status;
}

static void twins_survive_every_failing_allocation(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(NULL, twins, NULL, NULL) > 20);
}

static void predicates_survive_every_failing_allocation(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(NULL, predicates, NULL, NULL) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twins_survive_every_failing_allocation),
        cmocka_unit_test(predicates_survive_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
