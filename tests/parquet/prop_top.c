/* The first rows of a file by a column, or in its own order, are those of everything read, sorted and
 * cut: random schemas, rows, predicates, limits; and row groups that cannot hold one are not read. */
#include <math.h>

#include "base/bits.h"
#include "parquet/read_top.h"
#include "read_back.h"
#include "rows.h"
#include "write_rows.h"

static const char *const SCHEMAS[] = {
    "a long, b string, c double, d list<int>",
    "a uint64 not null, b decimal(25,3), c boolean, d float",
    "a struct<x: int8, y: string>, b timestamp, c uuid not null, d binary",
};
enum { SCHEMA_COUNT = sizeof SCHEMAS / sizeof *SCHEMAS, ROWS_MAX = 3000, IDS_MAX = 8 };

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_context context;
    support_random *random;
    stoa_file *file;
    stoa_parquet_reader *reader;
    struct ArrowSchema arrow;
    struct ArrowArray rows;
};

static void open_world(struct world *world, support_random *random, int round) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema;
    struct ArrowArray rows, view;
    const struct rows_options kind = {(int)support_random_below(random, 4) * 20,
                                      support_random_bool(random) ? 30 : 0, 3, 12,
                                      support_random_below(random, 3) == 0};
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    *world = (struct world){.pool = support_pool_open(), .random = random};
    world->context.pool = world->pool;
    options.row_group_rows = 1 + (int64_t)support_random_below(random, 1500);
    options.page_bytes = 1 + (size_t)support_random_below(random, 2000);
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
    assert_ok(stoa_schema_parse(world->pool, SCHEMAS[round % SCHEMA_COUNT], &schema, &err), err);
    rows_batch(support_random_u64(random), schema, &kind,
               1 + (int64_t)support_random_below(random, ROWS_MAX), &rows);
    rows_view(&rows, 0, rows.length, true, &view);
    assert_ok(write_rows(&world->context, world->registry, "memory:/x", schema, &options, &view,
                         NULL, &err),
              err);
    rows.release(&rows);
    stoa_schema_close(schema);
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_READ, &world->context,
                            &world->file, &err),
              err);
    assert_ok(stoa_parquet_reader_open(&world->context, world->file, NULL, &world->reader, &err),
              err);
    assert_ok(read_back(&world->context, world->file, &STOA_PARQUET_READ_ALL, &world->arrow,
                        &world->rows, &err),
              err);
}

static void close_world(struct world *world) {
    stoa_arrow_array_release(&world->rows);
    stoa_arrow_schema_release(&world->arrow);
    stoa_parquet_reader_close(world->reader);
    stoa_file_close(world->file);
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
}

/* The field to order by: a column, or a field of the struct. */
static const stoa_field *choose_field(struct world *world, const struct ArrowArray **out_parent,
                                      const struct ArrowArray **out_array) {
    const stoa_type *root = &stoa_parquet_reader_schema(world->reader)->root;
    const int32_t at = (int32_t)support_random_below(world->random, 3);
    *out_parent = NULL;
    *out_array = world->rows.children[at];
    if (root->children[at].type.kind != STOA_TYPE_STRUCT) {
        return &root->children[at];
    }
    const int32_t below = (int32_t)support_random_below(world->random, 2);
    *out_parent = world->rows.children[at];
    *out_array = world->rows.children[at]->children[below];
    return &root->children[at].type.children[below];
}

struct sorted {
    stoa_value value;
    int64_t row;
};

static stoa_parquet_row_order current;

static int compare_sorted(const void *left, const void *right) {
    const struct sorted *a = left, *b = right;
    int order;
    if (a->value.is_null != b->value.is_null) {
        order = a->value.is_null == current.nulls_first ? -1 : 1;
    } else {
        order = a->value.is_null ? 0 : stoa_value_compare(&a->value, &b->value);
        order = current.descending ? -order : order;
    }
    return order != 0 ? order : (a->row > b->row) - (a->row < b->row);
}

static void expect_stream(struct world *world, struct ArrowArrayStream *stream, const int64_t *rows,
                          int64_t count) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema schema;
    struct ArrowArray batches[ROWS_MAX + 1], found, expected;
    const struct ArrowArray *views[ROWS_MAX + 1];
    int64_t batch_count = 0;
    assert_ok(stoa_stream_schema(stream, &schema, &err), err);
    for (assert_ok(stoa_stream_next(stream, &batches[0], &err), err);
         batches[batch_count].release != NULL;
         assert_ok(stoa_stream_next(stream, &batches[batch_count], &err), err)) {
        views[batch_count] = &batches[batch_count];
        batch_count++;
    }
    stoa_arrow_stream_release(stream);
    if (count == 0) {
        assert_int_equal(batch_count, 0);
    } else {
        assert_ok(stoa_arrow_concat(world->pool, &schema, views, batch_count, &found, &err), err);
        assert_int_equal(found.length, count);
        assert_ok(stoa_arrow_take(world->pool, &world->arrow, &world->rows, rows, count, &expected,
                                  &err),
                  err);
        assert_ok(stoa_arrow_compare(&world->arrow, &expected, &schema, &found, &err), err);
        stoa_arrow_array_release(&expected);
        stoa_arrow_array_release(&found);
    }
    for (int64_t i = 0; i < batch_count; i++) {
        stoa_arrow_array_release(&batches[i]);
    }
    stoa_arrow_schema_release(&schema);
}

static void check_top(struct world *world) {
    stoa_error err = STOA_ERROR_NONE;
    const struct ArrowArray *parent, *array;
    const stoa_field *field = choose_field(world, &parent, &array);
    static struct sorted sorted[ROWS_MAX + 1];
    int64_t rows[ROWS_MAX + 1], count = 0;
    struct ArrowArrayStream stream;
    const stoa_predicate present = {.kind = STOA_PREDICATE_IS_NOT_NULL, .field_id = field->id};
    stoa_parquet_read_options options = STOA_PARQUET_READ_ALL;
    options.predicate = support_random_below(world->random, 4) == 0 ? &present : NULL;
    current = (stoa_parquet_row_order){field->id, support_random_bool(world->random),
                                       support_random_bool(world->random)};
    const int64_t limit = 1 + (int64_t)support_random_below(
                                  world->random, support_random_bool(world->random) ? 20 : ROWS_MAX);
    for (int64_t row = 0; row < world->rows.length; row++) {
        struct sorted *one = &sorted[count];
        stoa_value_from_array(&field->type, array, row, &one->value);
        one->value.is_null = one->value.is_null ||
                             (parent != NULL && stoa_arrow_is_null(parent, row));
        one->row = row;
        count += options.predicate == NULL || !one->value.is_null;
    }
    qsort(sorted, (size_t)count, sizeof *sorted, compare_sorted);
    count = count < limit ? count : limit;
    for (int64_t i = 0; i < count; i++) {
        rows[i] = sorted[i].row;
    }
    assert_ok(stoa_parquet_reader_top(world->reader, &options, &current, limit, &stream, &err),
              err);
    expect_stream(world, &stream, rows, count);
}

static void check_first(struct world *world) {
    stoa_error err = STOA_ERROR_NONE;
    int64_t rows[ROWS_MAX + 1];
    struct ArrowArrayStream stream;
    stoa_parquet_read_options options = STOA_PARQUET_READ_ALL;
    options.batch_rows = 1 + (int64_t)support_random_below(world->random, 400);
    const int64_t limit = 1 + (int64_t)support_random_below(world->random, ROWS_MAX);
    const int64_t count = limit < world->rows.length ? limit : world->rows.length;
    for (int64_t i = 0; i < count; i++) {
        rows[i] = i;
    }
    assert_ok(stoa_parquet_reader_first(world->reader, &options, limit, &stream, &err), err);
    expect_stream(world, &stream, rows, count);
}

static void the_first_rows_are_those_of_all_sorted(void **state) {
    (void)state;
    support_random random = support_random_open("top");
    for (int round = 0; round < 20 * SCHEMA_COUNT; round++) {
        struct world world;
        open_world(&world, &random, round);
        for (int i = 0; i < 8; i++) {
            check_top(&world);
        }
        check_first(&world);
        close_world(&world);
    }
}

static void what_has_no_order_is_refused(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    support_random random = support_random_open("top refused");
    struct world world;
    struct ArrowArrayStream stream;
    open_world(&world, &random, 0);
    const stoa_type *root = &stoa_parquet_reader_schema(world.reader)->root;
    const stoa_parquet_row_order list = {.field_id = root->children[3].id};
    const stoa_parquet_row_order column = {.field_id = root->children[0].id};
    assert_int_equal(stoa_parquet_reader_top(world.reader, &STOA_PARQUET_READ_ALL, &list, 5,
                                             &stream, &err),
                     STOA_INVALID);
    err = (stoa_error)STOA_ERROR_NONE;
    assert_int_equal(stoa_parquet_reader_top(world.reader, &STOA_PARQUET_READ_ALL, &column, 0,
                                             &stream, &err),
                     STOA_INVALID);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rows_are_those_of_all_sorted),
        cmocka_unit_test(what_has_no_order_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
