/* Reading files that cannot be mapped, as those that are far away: in how many requests, and that the rows
 * are the same. */
#include <stdatomic.h>

#include "read_back.h"
#include "rows.h"
#include "write_rows.h"

enum { ROWS = 6000, GROUP_ROWS = 1000, GROUPS = ROWS / GROUP_ROWS };

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_context context;
    const stoa_schema *schema;
    struct ArrowSchema arrow;
    struct ArrowArray rows;
    stoa_file *near;
    stoa_file *far;
    atomic_int requests;
};

/* ---- A file without a map -------------------------------------------------------------------- */

static stoa_status far_size(void *state, uint64_t *out, stoa_error *err) {
    return stoa_file_size(((struct world *)state)->near, out, err);
}

static stoa_status far_read_at(void *state, uint64_t offset, void *buffer, size_t size,
                               size_t *out_size, stoa_error *err) {
    struct world *world = state;
    atomic_fetch_add(&world->requests, 1);
    return stoa_file_read_some(world->near, offset, buffer, size, out_size, err);
}

static stoa_status far_read_vector(void *state, const stoa_read_range *ranges, size_t count,
                                   stoa_error *err) {
    struct world *world = state;
    atomic_fetch_add(&world->requests, 1);
    return stoa_file_read_vector(world->near, ranges, count, err);
}

static void far_close(void *state) {
    (void)state;
}

static const stoa_file_operations far_operations = {
    .size = far_size, .read_at = far_read_at, .read_vector = far_read_vector, .close = far_close};

static void open_world(struct world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    const struct rows_options kind = {20, 0, 3, 30, false};
    struct ArrowArray view;
    *world = (struct world){.pool = support_pool_open()};
    world->context.pool = world->pool;
    options.row_group_rows = GROUP_ROWS;
    options.page_bytes = 1000;
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
    assert_ok(stoa_schema_parse(world->pool,
                                "a long, b string, c list<double>, d map<string, int>, e boolean",
                                &world->schema, &err),
              err);
    assert_ok(stoa_schema_to_arrow(world->pool, world->schema, &world->arrow, &err), err);
    rows_batch(3, world->schema, &kind, ROWS, &world->rows);
    rows_view(&world->rows, 0, ROWS, true, &view);
    assert_ok(write_rows(&world->context, world->registry, "memory:/x", world->schema, &options, &view,
                         NULL, &err),
              err);
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_READ, &world->context,
                            &world->near, &err),
              err);
    assert_ok(stoa_file_create(world->pool, "far:/x", &far_operations, world, &world->far, &err),
              err);
}

static void close_world(struct world *world) {
    stoa_file_close(world->far);
    stoa_file_close(world->near);
    world->rows.release(&world->rows);
    stoa_arrow_schema_release(&world->arrow);
    stoa_schema_close(world->schema);
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
}

static void expect_all_rows(struct world *world, const stoa_parquet_read_options *options) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema schema;
    struct ArrowArray found;
    assert_ok(read_back(&world->context, world->far, options, &schema, &found, &err), err);
    assert_ok(stoa_arrow_compare(&world->arrow, &world->rows, &schema, &found, &err), err);
    stoa_arrow_array_release(&found);
    stoa_arrow_schema_release(&schema);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void a_footer_is_one_request_and_a_row_group_another(void **state) {
    (void)state;
    struct world world;
    const stoa_parquet_read_options options = {.batch_rows = 90};
    open_world(&world);
    expect_all_rows(&world, &options);
    assert_int_equal(atomic_load(&world.requests), 1 + GROUPS);
    close_world(&world);
}

static void several_threads_ask_for_no_more(void **state) {
    (void)state;
    struct world world;
    stoa_error err = STOA_ERROR_NONE;
    const stoa_sched_options sched = {.threads = 3};
    const stoa_parquet_read_options options = {.batch_rows = 90};
    open_world(&world);
    assert_ok(stoa_sched_create(world.pool, &sched, &world.context.sched, &err), err);
    expect_all_rows(&world, &options);
    assert_int_equal(atomic_load(&world.requests), 1 + GROUPS);
    stoa_sched_close(world.context.sched);
    close_world(&world);
}

static void columns_are_asked_for_alone(void **state) {
    (void)state;
    struct world world;
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema schema;
    struct ArrowArray found;
    open_world(&world);
    const int32_t id = world.schema->root.children[1].id;
    const int32_t group = 2;
    const stoa_parquet_read_options options = {.field_ids = &id,
                                               .field_count = 1,
                                               .groups = &group,
                                               .group_count = 1};
    assert_ok(read_back(&world.context, world.far, &options, &schema, &found, &err), err);
    assert_int_equal(found.length, GROUP_ROWS);
    assert_int_equal(found.n_children, 1);
    assert_int_equal(atomic_load(&world.requests), 1 + 1);
    stoa_arrow_array_release(&found);
    stoa_arrow_schema_release(&schema);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_footer_is_one_request_and_a_row_group_another),
        cmocka_unit_test(several_threads_ask_for_no_more),
        cmocka_unit_test(columns_are_asked_for_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
