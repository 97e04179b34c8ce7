/* Views: what they hold stays until the last reference goes. */
#include "lsm/view.h"
#include "support.h"

static stoa_status hold(support_world *world, void *user, stoa_error *err) {
    const stoa_state_table_options options = {.key = "k"};
    stoa_definition *definition = NULL;
    const stoa_schema *schema = NULL;
    stoa_version *version = NULL;
    stoa_memtable *memtables[2] = {NULL, NULL};
    stoa_state_view *view = NULL;
    stoa_status status = STOA_OK;
    (void)user;
    STOA_CHECK(stoa_schema_parse(world->pool, "k long not null, v int", &schema, err));
    STOA_CHECK(stoa_definition_create(world->pool, schema, &options, &definition, err));
    STOA_CHECK(stoa_version_create(world->pool, &version, err));
    STOA_CHECK(stoa_memtable_create(world->pool, &definition->layout, &memtables[0], err));
    STOA_CHECK(stoa_memtable_create(world->pool, &definition->layout, &memtables[1], err));
    STOA_CHECK(stoa_state_view_create(world->pool, definition, version, &view, err));
    stoa_state_view_add(view, memtables[0]);
    stoa_state_view_add(view, memtables[1]);

done:
    stoa_schema_close(schema);
    stoa_definition_release(definition);
    stoa_version_release(version);
    stoa_memtable_close(memtables[0]);
    stoa_memtable_close(memtables[1]);
    if (view == NULL) {
        return status;
    }
    stoa_state_view *again = stoa_state_view_retain(view);
    stoa_state_view_release(view);
    if (again->memtable_count != 2 || again->memtables[0] != memtables[0] ||
        stoa_memtable_row_count(again->memtables[1]) != 0 || again->version->levels[0].count != 0 ||
        again->definition->schema->root.child_count != 2) {
        status = stoa_fail(err, STOA_INTERNAL, "the view lost what it holds");
    }
    stoa_state_view_release(again);
    return status;
}

static void views_keep_what_they_hold(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(NULL, hold, NULL, NULL) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_keep_what_they_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
