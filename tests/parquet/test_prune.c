/* What is proven away is not read: bytes are counted by a file system without maps. And which bounds are
 * believed. */
#include <math.h>

#include "parquet/read_bounds.h"
#include "parquet/read_top.h"
#include "read_back.h"
#include "support.h"
#include "vfs/counted.h"
#include "write_rows.h"

enum { ROWS = 40000, GROUP_ROWS = 20000 };

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_context context;
    stoa_counted *counted;
    stoa_file *file;
    stoa_arena arena;
    stoa_file_operations operations; /* of the file, without its map */
    uint64_t file_bytes;
};

/* Rows: a grows, b is a hash of it, c has few values, d is long. */
static void make_rows(stoa_pool *pool, const stoa_schema *schema, struct ArrowArray *out) {
    stoa_error err = STOA_ERROR_NONE;
    static int64_t a[ROWS], b[ROWS], c[ROWS];
    static int32_t offsets[ROWS + 1];
    static uint8_t bytes[ROWS * 40];
    static const void *fixed[3][2] = {{NULL, a}, {NULL, b}, {NULL, c}};
    static const void *text[3] = {NULL, offsets, bytes};
    static struct ArrowArray columns[4];
    static struct ArrowArray *children[4];
    static const void *none[1];
    for (int64_t i = 0; i < ROWS; i++) {
        a[i] = i;
        b[i] = (int64_t)(((uint64_t)i * UINT64_C(0x9e3779b97f4a7c15)) >> 8);
        c[i] = (i * 7 % 10) * 2;
        offsets[i + 1] = offsets[i] + 40;
        for (int k = 0; k < 40; k++) {
            bytes[offsets[i] + k] = (uint8_t)('a' + (b[i] >> k) % 26);
        }
    }
    for (int i = 0; i < 4; i++) {
        columns[i] = (struct ArrowArray){.length = ROWS,
                                         .n_buffers = i < 3 ? 2 : 3,
                                         .buffers = i < 3 ? fixed[i] : text};
        children[i] = &columns[i];
    }
    const struct ArrowArray rows = {.length = ROWS,
                                    .n_buffers = 1,
                                    .buffers = none,
                                    .n_children = 4,
                                    .children = children};
    struct ArrowSchema arrow;
    const struct ArrowArray *parts[] = {&rows};
    assert_ok(stoa_schema_to_arrow(pool, schema, &arrow, &err), err);
    assert_ok(stoa_arrow_concat(pool, &arrow, parts, 1, out, &err), err);
    stoa_arrow_schema_release(&arrow);
}

static void write_file(struct world *world) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema;
    struct ArrowArray rows;
    const int32_t bloom_fields[] = {2};
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.codec = STOA_PARQUET_NONE;
    options.row_group_rows = GROUP_ROWS;
    options.page_bytes = 4096;
    options.bloom_fields = bloom_fields;
    options.bloom_count = 1;
    assert_ok(stoa_schema_parse(world->pool,
                                "a long not null, b long not null, c long not null, "
                                "d string not null",
                                &schema, &err),
              err);
    make_rows(world->pool, schema, &rows);
    assert_ok(write_rows(&world->context, world->registry, "memory:/x", schema, &options, &rows,
                         &world->file_bytes, &err),
              err);
    stoa_arrow_array_release(&rows);
    stoa_schema_close(schema);
}

static void open_world(struct world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_fs memory, counted;
    *world = (struct world){.pool = support_pool_open()};
    world->context.pool = world->pool;
    stoa_arena_init(&world->arena, world->pool);
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
    assert_ok(stoa_fs_memory_create(world->pool, &memory, &err), err);
    assert_ok(stoa_fs_counted_create(world->pool, memory, &counted, &world->counted, &err), err);
    assert_ok(stoa_fs_register(world->registry, "memory", counted, &err), err);
    write_file(world);
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_READ, &world->context,
                            &world->file, &err),
              err);
    world->operations = *world->file->operations;
    world->operations.map = NULL;
    world->file->operations = &world->operations;
}

static void close_world(struct world *world) {
    stoa_file_close(world->file);
    stoa_arena_release(&world->arena);
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
}

/* Bytes that a read takes from the file, the footer's left out, and how many rows it gives. */
static uint64_t read_bytes(struct world *world, const char *where, bool no_columns,
                           int64_t *out_rows) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_reader *reader;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    stoa_counted_figures before, after;
    static const int32_t none[1];
    stoa_parquet_read_options options = STOA_PARQUET_READ_ALL;
    options.field_ids = no_columns ? none : NULL;
    *out_rows = 0;
    assert_ok(stoa_parquet_reader_open(&world->context, world->file, 0, &reader, &err), err);
    stoa_counted_get(world->counted, STOA_COUNTED_READ, &before);
    if (where != NULL) {
        assert_ok(stoa_predicate_parse(&world->arena, stoa_parquet_reader_schema(reader), where,
                                       &options.predicate, &err),
                  err);
    }
    assert_ok(stoa_parquet_reader_stream(reader, &options, &stream, &err), err);
    for (assert_ok(stoa_stream_next(&stream, &batch, &err), err); batch.release != NULL;
         assert_ok(stoa_stream_next(&stream, &batch, &err), err)) {
        *out_rows += batch.length;
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&stream);
    stoa_parquet_reader_close(reader);
    stoa_counted_get(world->counted, STOA_COUNTED_READ, &after);
    return after.bytes - before.bytes;
}

static void what_is_proven_away_is_not_read(void **state) {
    (void)state;
    struct world world;
    int64_t rows;
    open_world(&world);
    const uint64_t all = read_bytes(&world, NULL, false, &rows);
    assert_int_equal(rows, ROWS);
    assert_true(all > world.file_bytes * 9 / 10);

    /* Statistics: no group, then one of two. */
    assert_int_equal(read_bytes(&world, "a < 0", false, &rows), 0);
    assert_int_equal(rows, 0);
    assert_true(read_bytes(&world, "a >= 20000", false, &rows) < all * 6 / 10);
    assert_int_equal(rows, ROWS - GROUP_ROWS);

    /* Pages: of a long 512 rows, of the text 102; the index is the most of it. */
    assert_true(read_bytes(&world, "a >= 30000 and a <= 30020", false, &rows) < all / 20);
    assert_int_equal(rows, 21);
    assert_true(read_bytes(&world, "a between 100 and 110 or a between 39000 and 39010", false,
                           &rows) < all / 8);
    assert_int_equal(rows, 22);

    /* Bloom filters of b: 0 is its first value; 1 is within its bounds and not there. */
    assert_true(read_bytes(&world, "b = 1", false, &rows) < all / 20);
    assert_int_equal(rows, 0);

    /* The dictionaries of c: 3 is within its bounds and not there. */
    assert_true(read_bytes(&world, "c = 3", false, &rows) < all / 100);
    assert_int_equal(rows, 0);
    close_world(&world);
}

static void counting_reads_the_footer_alone(void **state) {
    (void)state;
    struct world world;
    int64_t rows;
    open_world(&world);
    assert_int_equal(read_bytes(&world, NULL, true, &rows), 0);
    assert_int_equal(rows, ROWS);
    close_world(&world);
}

static void the_first_rows_by_a_column_prove_the_others_away(void **state) {
    (void)state;
    struct world world;
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_reader *reader;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    stoa_counted_figures before, after;
    int64_t rows;
    open_world(&world);
    const uint64_t all = read_bytes(&world, NULL, false, &rows);
    assert_ok(stoa_parquet_reader_open(&world.context, world.file, NULL, &reader, &err), err);
    const stoa_parquet_row_order order = {
        .field_id = stoa_schema_column(stoa_parquet_reader_schema(reader), "a")->id,
        .descending = true};
    stoa_counted_get(world.counted, STOA_COUNTED_READ, &before);
    assert_ok(stoa_parquet_reader_top(reader, &STOA_PARQUET_READ_ALL, &order, 5, &stream, &err),
              err);
    assert_ok(stoa_stream_next(&stream, &batch, &err), err);
    stoa_counted_get(world.counted, STOA_COUNTED_READ, &after);
    assert_int_equal(batch.length, 5);
    assert_int_equal(((const int64_t *)batch.children[0]->buffers[1])[0], ROWS - 1);
    /* The order's column of one group, and a page of each of the others. */
    assert_true(after.bytes - before.bytes < all / 6);
    stoa_arrow_array_release(&batch);
    stoa_arrow_stream_release(&stream);
    stoa_parquet_reader_close(reader);
    close_world(&world);
}

/* -- bounds ----------------------------------------------------------------------------------- */

struct believed {
    bool lower;
    bool upper;
};

static struct believed read_bounds(stoa_parquet_element element, stoa_type type,
                                   stoa_read_class value_class, int32_t order, bool is_deprecated,
                                   const void *min, const void *max, size_t size) {
    const stoa_parquet_leaf leaf = {.name = "x", .element = 0};
    const stoa_parquet_footer footer = {.elements = &element,
                                        .element_count = 1,
                                        .leaves = &leaf,
                                        .leaf_count = 1,
                                        .orders = order < 0 ? NULL : &order};
    const stoa_read_node node = {.kind = type.kind, .field_id = 1, .value_class = value_class};
    const stoa_bounds_reader reader = stoa_bounds_reader_of(&footer, &node, &type);
    stoa_read_bounds bounds;
    stoa_bounds_reader_read(&reader, min, min == NULL ? 0 : size, max, max == NULL ? 0 : size,
                            is_deprecated, &bounds);
    return (struct believed){bounds.has_lower, bounds.has_upper};
}

static void assert_believed(struct believed found, bool lower, bool upper) {
    assert_int_equal(found.lower, lower);
    assert_int_equal(found.upper, upper);
}

static void numbers_with_one_order_are_believed(void **state) {
    (void)state;
    const stoa_parquet_element element = {.physical = STOA_PARQUET_INT64};
    const stoa_type type = {.kind = STOA_TYPE_LONG};
    const int64_t low = -5, high = 9;
    for (int32_t order = -1; order <= 1; order++) {
        assert_believed(read_bounds(element, type, STOA_READ_COPY, order, order < 1, &low, &high, 8),
                        true, true);
    }
    assert_believed(read_bounds(element, type, STOA_READ_COPY, 1, false, &low, NULL, 8), true,
                    false);
    /* In the wrong order, or of a wrong size. */
    assert_believed(read_bounds(element, type, STOA_READ_COPY, 1, false, &high, &low, 8), false,
                    false);
    assert_believed(read_bounds(element, type, STOA_READ_COPY, 1, false, &low, &high, 4), false,
                    false);
}

static void unsigned_numbers_need_their_order(void **state) {
    (void)state;
    const stoa_parquet_element element = {.physical = STOA_PARQUET_INT64};
    const stoa_type type = {.kind = STOA_TYPE_UINT64};
    const uint64_t low = 3, middle = 9, high = UINT64_C(1) << 63;
    assert_believed(read_bounds(element, type, STOA_READ_COPY, 1, false, &low, &high, 8), true,
                    true);
    assert_believed(read_bounds(element, type, STOA_READ_COPY, -1, false, &low, &high, 8), false,
                    false);
    assert_believed(read_bounds(element, type, STOA_READ_COPY, -1, false, &low, &middle, 8), true,
                    true);
    assert_believed(read_bounds(element, type, STOA_READ_COPY, -1, false, NULL, &middle, 8), false,
                    false);
}

static void narrow_numbers_must_fit_their_type(void **state) {
    (void)state;
    const stoa_parquet_element element = {.physical = STOA_PARQUET_INT32};
    const stoa_type type = {.kind = STOA_TYPE_UINT8};
    const int32_t low = 3, high = 255, beyond = 256;
    assert_believed(read_bounds(element, type, STOA_READ_NARROW_1, 1, false, &low, &high, 4), true,
                    true);
    assert_believed(read_bounds(element, type, STOA_READ_NARROW_1, 1, false, &low, &beyond, 4),
                    false, false);
    assert_believed(read_bounds(element, type, STOA_READ_NARROW_1, 1, false, &low, NULL, 4), false,
                    false);
}

static void floats_are_believed_without_nan(void **state) {
    (void)state;
    const stoa_parquet_element element = {.physical = STOA_PARQUET_DOUBLE};
    const stoa_type type = {.kind = STOA_TYPE_DOUBLE};
    const double low = -1.5, high = INFINITY, nan = (double)NAN, zero = 0.0, minus = -0.0;
    assert_believed(read_bounds(element, type, STOA_READ_COPY, -1, true, &low, &high, 8), true,
                    true);
    assert_believed(read_bounds(element, type, STOA_READ_COPY, 2, false, &low, &high, 8), true,
                    true);
    assert_believed(read_bounds(element, type, STOA_READ_COPY, 1, false, &low, &nan, 8), false,
                    false);
    assert_believed(read_bounds(element, type, STOA_READ_COPY, 1, false, &zero, &minus, 8), true,
                    true); /* equal as predicates compare */
}

static void bytes_are_believed_in_the_order_of_their_type(void **state) {
    (void)state;
    const stoa_parquet_element element = {.physical = STOA_PARQUET_BYTE_ARRAY,
                                          .logical = STOA_PARQUET_LOGICAL_STRING};
    const stoa_type type = {.kind = STOA_TYPE_STRING};
    assert_believed(read_bounds(element, type, STOA_READ_BYTES, 1, false, "ab", "b\xff", 2), true,
                    true);
    assert_believed(read_bounds(element, type, STOA_READ_BYTES, -1, false, "ab", "cd", 2), false,
                    false);
    assert_believed(read_bounds(element, type, STOA_READ_BYTES, 1, true, "ab", "cd", 2), false,
                    false);
}

static void decimals_of_one_width_are_not_cut(void **state) {
    (void)state;
    const stoa_parquet_element element = {.physical = STOA_PARQUET_FIXED, .type_length = 3};
    const stoa_type type = {.kind = STOA_TYPE_DECIMAL, .precision = 6};
    assert_believed(read_bounds(element, type, STOA_READ_DECIMAL_FIXED, 1, false, "\1\2\3", "\2\0\0", 3),
                    true, true);
    assert_believed(read_bounds(element, type, STOA_READ_DECIMAL_FIXED, 1, false, "\1\2", "\2\0", 2),
                    false, false);
}

static void types_without_an_order_have_no_bounds(void **state) {
    (void)state;
    const uint8_t bytes[12] = {0};
    assert_believed(read_bounds((stoa_parquet_element){.physical = STOA_PARQUET_INT96},
                                (stoa_type){.kind = STOA_TYPE_TIMESTAMP}, STOA_READ_INT96, 1, false,
                                bytes, bytes, 12),
                    false, false);
    assert_believed(read_bounds((stoa_parquet_element){.physical = STOA_PARQUET_FIXED},
                                (stoa_type){.kind = STOA_TYPE_INTERVAL}, STOA_READ_INTERVAL, 1,
                                false, bytes, bytes, 12),
                    false, false);
    assert_believed(
        read_bounds((stoa_parquet_element){.physical = STOA_PARQUET_BYTE_ARRAY,
                                           .logical = STOA_PARQUET_LOGICAL_GEOMETRY},
                    (stoa_type){.kind = STOA_TYPE_BINARY}, STOA_READ_BYTES, 1, false, bytes, bytes,
                    12),
        false, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_proven_away_is_not_read),
        cmocka_unit_test(counting_reads_the_footer_alone),
        cmocka_unit_test(the_first_rows_by_a_column_prove_the_others_away),
        cmocka_unit_test(numbers_with_one_order_are_believed),
        cmocka_unit_test(unsigned_numbers_need_their_order),
        cmocka_unit_test(narrow_numbers_must_fit_their_type),
        cmocka_unit_test(floats_are_believed_without_nan),
        cmocka_unit_test(bytes_are_believed_in_the_order_of_their_type),
        cmocka_unit_test(decimals_of_one_width_are_not_cut),
        cmocka_unit_test(types_without_an_order_have_no_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
