/* The order of keys against the order of their values, compared one by one; keys of rows against keys
 * of single values; keys decoded again; damaged keys. */
#include <math.h>
#include <stdio.h>

#include "arrow/builder.h"
#include "lsm/key.h"
#include "lsm/key_kernel.h"
#include "support.h"

enum { ROWS = 300, ROUNDS = 300 };

static const char *const types[] = {
    "boolean",       "int8",           "int16",          "int",         "long",    "uint8",
    "uint16",        "uint32",         "uint64",         "float",       "double",  "decimal(7, 2)",
    "decimal(9, 0)", "decimal(18, 3)", "decimal(38, 5)", "date",        "time_ms", "time",
    "timestamp_s",   "timestamp",      "timestamptz_ns", "duration_ms", "string",  "binary",
    "fixed[3]",      "fixed[16]",      "uuid",
};

struct world {
    stoa_pool *pool;
    support_random random;
    const stoa_schema *schema;
    stoa_key_format format;
    struct ArrowArray batch;
    stoa_keys keys;
};

/* ---- Making rows ----------------------------------------------------------------------------- */

static void random_format(struct world *world) {
    char text[1024];
    size_t size = 0;
    stoa_key_column columns[STOA_KEY_PARTS_MAX];
    stoa_error err;
    const int count = 1 + (int)support_random_below(&world->random, 4);
    for (int i = 0; i < count; i++) {
        const char *type =
            types[support_random_below(&world->random, sizeof types / sizeof *types)];
        size += (size_t)snprintf(text + size, sizeof text - size, "%sc%d %s not null",
                                 i == 0 ? "" : ", ", i, type);
    }
    assert_ok(stoa_schema_parse(world->pool, text, &world->schema, &err), err);
    for (int i = 0; i < count; i++) {
        /* Columns in another order than the batch's. */
        columns[i] = (stoa_key_column){world->schema->root.children[count - 1 - i].id,
                                       support_random_bool(&world->random)};
    }
    assert_ok(stoa_key_format_init(&world->format, world->schema, columns, count, &err), err);
}

/* Few different values, so that rows are often equal in their first columns; many zeros and 0xFF. */
static void random_bytes(support_random *random, uint8_t *out, size_t size) {
    static const uint8_t bytes[] = {0x00, 0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF, 0xFF};
    for (size_t i = 0; i < size; i++) {
        out[i] = bytes[support_random_below(random, sizeof bytes)];
    }
}

static double random_double(support_random *random) {
    static const double values[] = {0.0, -0.0, 1.0, -1.0, 1e-310, -1e-310, 3.5e38, -3.5e38};
    const uint64_t choice = support_random_below(random, 12);
    if (choice < 8) {
        return values[choice];
    }
    return choice == 8    ? (double)NAN
           : choice == 9  ? -(double)NAN
           : choice == 10 ? (double)INFINITY
                          : -(double)INFINITY;
}

static void append_value(support_random *random, const stoa_type *type, stoa_builder *builder) {
    uint8_t bytes[16];
    stoa_error err;
    __int128 wide;
    random_bytes(random, bytes, sizeof bytes);
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN:
        assert_ok(stoa_builder_append_bool(builder, support_random_bool(random), &err), err);
        return;
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
        assert_ok(stoa_builder_append_bytes(builder, bytes, support_random_below(random, 6), &err),
                  err);
        return;
    case STOA_TYPE_FIXED:
        assert_ok(stoa_builder_append_bytes(builder, bytes, (size_t)type->length, &err), err);
        return;
    case STOA_TYPE_DECIMAL:
        memcpy(&wide, bytes, sizeof wide);
        for (int32_t i = type->precision; i < 39; i++) {
            wide /= 10;
        }
        assert_ok(stoa_builder_append_i128(builder, wide, &err), err);
        return;
    case STOA_TYPE_FLOAT: {
        const float narrow = (float)random_double(random);
        assert_ok(stoa_builder_append_bytes(builder, &narrow, sizeof narrow, &err), err);
        return;
    }
    case STOA_TYPE_DOUBLE: {
        const double value = random_double(random);
        assert_ok(stoa_builder_append_bytes(builder, &value, sizeof value, &err), err);
        return;
    }
    default: {
        static const struct {
            stoa_type_kind kind;
            size_t width;
        } widths[] = {{STOA_TYPE_INT8, 1},   {STOA_TYPE_UINT8, 1}, {STOA_TYPE_INT16, 2},
                      {STOA_TYPE_UINT16, 2}, {STOA_TYPE_INT, 4},   {STOA_TYPE_UINT32, 4},
                      {STOA_TYPE_DATE, 4},   {STOA_TYPE_UUID, 16}};
        size_t width = type->kind == STOA_TYPE_TIME && type->unit == STOA_TYPE_MILLISECONDS ? 4 : 8;
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
            width = widths[i].kind == type->kind ? widths[i].width : width;
        }
        assert_ok(stoa_builder_append_bytes(builder, bytes, width, &err), err);
    }
    }
}

static void random_rows(struct world *world) {
    struct ArrowSchema arrow;
    stoa_builder *builder;
    stoa_error err;
    assert_ok(stoa_schema_to_arrow(world->pool, world->schema, &arrow, &err), err);
    assert_ok(stoa_builder_create(world->pool, &arrow, &builder, &err), err);
    for (int row = 0; row < ROWS; row++) {
        for (int32_t i = 0; i < world->schema->root.child_count; i++) {
            append_value(&world->random, &world->schema->root.children[i].type,
                         stoa_builder_child(builder, i));
        }
        assert_ok(stoa_builder_finish_value(builder, &err), err);
    }
    assert_ok(stoa_builder_finish(builder, &world->batch, &err), err);
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&arrow);
}

static void open_world(struct world *world, const char *test) {
    *world = (struct world){.pool = support_pool_open(), .random = support_random_open(test)};
}

static void make_keys(struct world *world) {
    stoa_error err;
    random_format(world);
    random_rows(world);
    stoa_keys_init(&world->keys, world->pool);
    /* In two pieces. */
    const int64_t cut = support_random_between(&world->random, 0, ROWS);
    assert_ok(stoa_keys_append(&world->format, &world->batch, 0, cut, &world->keys, &err), err);
    assert_ok(stoa_keys_append(&world->format, &world->batch, cut, ROWS - cut, &world->keys, &err),
              err);
    assert_int_equal(world->keys.count, ROWS);
}

static void drop_keys(struct world *world) {
    stoa_keys_release(&world->keys);
    stoa_arrow_array_release(&world->batch);
    stoa_schema_close(world->schema);
}

/* ---- What is checked ------------------------------------------------------------------------- */

static stoa_value value_of(const struct world *world, const struct ArrowArray *array, int32_t part,
                           int64_t row) {
    stoa_value value;
    stoa_value_from_array(&world->format.parts[part].field->type, array, row, &value);
    return value;
}

static stoa_value value_at(const struct world *world, int32_t part, int64_t row) {
    return value_of(world, world->batch.children[world->format.parts[part].column], part, row);
}

static int compare_rows(const struct world *world, int64_t left, int64_t right) {
    for (int32_t i = 0; i < world->format.part_count; i++) {
        const stoa_value a = value_at(world, i, left), b = value_at(world, i, right);
        const int order = stoa_value_compare(&a, &b);
        if (order != 0) {
            return world->format.parts[i].descending ? -order : order;
        }
    }
    return 0;
}

static const uint8_t *key_bytes(const struct world *world, int64_t row, uint8_t number[8],
                                size_t *out_size) {
    const stoa_keys_view keys = stoa_keys_view_of(&world->keys);
    if (!world->format.is_number) {
        *out_size = keys.offsets[row + 1] - keys.offsets[row];
        return keys.bytes + keys.offsets[row];
    }
    *out_size = (size_t)world->format.fixed_bytes;
    for (size_t i = 0; i < *out_size; i++) {
        number[i] = (uint8_t)(keys.numbers[row] >> (8 * (*out_size - 1 - i)));
    }
    return number;
}

static int compare_keys(const struct world *world, int64_t left, int64_t right) {
    uint8_t a[8], b[8];
    size_t a_size, b_size;
    const uint8_t *a_bytes = key_bytes(world, left, a, &a_size);
    const uint8_t *b_bytes = key_bytes(world, right, b, &b_size);
    const size_t common = a_size < b_size ? a_size : b_size;
    const int order = common == 0 ? 0 : memcmp(a_bytes, b_bytes, common);
    return order != 0 ? (order > 0) - (order < 0) : (a_size > b_size) - (a_size < b_size);
}

static void order_is_that_of_values(void **state) {
    struct world world;
    (void)state;
    open_world(&world, "lsm.prop_key order");
    for (int round = 0; round < ROUNDS; round++) {
        make_keys(&world);
        for (int64_t i = 0; i < ROWS; i++) {
            const int64_t other = (int64_t)support_random_below(&world.random, ROWS);
            assert_int_equal(compare_keys(&world, i, other), compare_rows(&world, i, other));
        }
        drop_keys(&world);
    }
    support_pool_close(world.pool);
}

static void rows_and_values_give_the_same_bytes(void **state) {
    struct world world;
    stoa_error err;
    (void)state;
    open_world(&world, "lsm.prop_key values");
    for (int round = 0; round < ROUNDS / 4; round++) {
        make_keys(&world);
        stoa_buffer whole, part;
        stoa_buffer_init(&whole, world.pool);
        stoa_buffer_init(&part, world.pool);
        for (int64_t row = 0; row < ROWS; row++) {
            stoa_value values[STOA_KEY_PARTS_MAX];
            uint8_t number[8];
            size_t size;
            const int32_t parts = world.format.part_count;
            for (int32_t i = 0; i < parts; i++) {
                values[i] = value_at(&world, i, row);
            }
            stoa_buffer_clear(&whole);
            stoa_buffer_clear(&part);
            assert_ok(stoa_key_encode(&world.format, values, parts, &whole, &err), err);
            const uint8_t *bytes = key_bytes(&world, row, number, &size);
            assert_int_equal(whole.size, size);
            assert_memory_equal(whole.data, bytes, size);
            /* The first values give the first bytes. */
            const int32_t some = 1 + (int32_t)support_random_below(&world.random, (uint64_t)parts);
            assert_ok(stoa_key_encode(&world.format, values, some, &part, &err), err);
            assert_true(part.size <= size);
            if (part.size > 0) {
                assert_memory_equal(part.data, bytes, part.size);
            }
        }
        stoa_buffer_release(&whole);
        stoa_buffer_release(&part);
        drop_keys(&world);
    }
    support_pool_close(world.pool);
}

/* Bit for bit, but for -0.0 and the bits of NaN. */
static void assert_same_value(const stoa_value *expected, const stoa_value *found) {
    assert_false(found->is_null);
    assert_int_equal(stoa_value_compare(expected, found), 0);
    if (found->type.kind == STOA_TYPE_DOUBLE && found->f == 0) {
        assert_false(signbit(found->f));
    }
}

static void decoding_gives_the_values(void **state) {
    struct world world;
    stoa_error err;
    (void)state;
    open_world(&world, "lsm.prop_key decode");
    for (int round = 0; round < ROUNDS; round++) {
        make_keys(&world);
        struct ArrowArray arrays[STOA_KEY_PARTS_MAX];
        const stoa_keys_view keys = stoa_keys_view_of(&world.keys);
        assert_ok(stoa_keys_decode(&world.format, world.pool, &keys, arrays, &err), err);
        for (int32_t i = 0; i < world.format.part_count; i++) {
            assert_int_equal(arrays[i].length, ROWS);
            for (int64_t row = 0; row < ROWS; row++) {
                const stoa_value expected = value_at(&world, i, row);
                const stoa_value found = value_of(&world, &arrays[i], i, row);
                assert_same_value(&expected, &found);
            }
            stoa_arrow_array_release(&arrays[i]);
        }
        drop_keys(&world);
    }
    support_pool_close(world.pool);
}

/* Damaged keys are refused or decode into something; never more than that. */
static void damaged_keys(void **state) {
    struct world world;
    stoa_error err;
    int refused = 0;
    (void)state;
    open_world(&world, "lsm.prop_key damage");
    for (int round = 0; round < ROUNDS; round++) {
        make_keys(&world);
        struct ArrowArray arrays[STOA_KEY_PARTS_MAX];
        stoa_keys_view keys = stoa_keys_view_of(&world.keys);
        stoa_buffer *buffer = world.format.is_number ? &world.keys.numbers : &world.keys.bytes;
        for (int i = 0; i < 4 && buffer->size > 0; i++) {
            const size_t at = (size_t)support_random_below(&world.random, buffer->size);
            buffer->data[at] ^= (uint8_t)(1 + support_random_below(&world.random, 255));
        }
        if (!world.format.is_number) {
            /* A border between two keys moves; the bytes of all stay in bounds. */
            uint32_t *offsets = (uint32_t *)(void *)world.keys.offsets.data;
            const uint64_t row = 1 + support_random_below(&world.random, ROWS - 1);
            offsets[row] = (uint32_t)support_random_below(&world.random, offsets[ROWS] + 1);
        }
        const stoa_status status = stoa_keys_decode(&world.format, world.pool, &keys, arrays, &err);
        assert_true(status == STOA_OK || status == STOA_CORRUPT);
        refused += status == STOA_CORRUPT;
        for (int32_t i = 0; i < world.format.part_count; i++) {
            stoa_arrow_array_release(&arrays[i]);
        }
        drop_keys(&world);
    }
    assert_true(refused > 0);
    support_pool_close(world.pool);
}

static void bounds_are_those_of_all_numbers(void **state) {
    struct world world;
    (void)state;
    open_world(&world, "lsm.prop_key bounds");
    for (int round = 0; round < ROUNDS; round++) {
        random_format(&world);
        random_rows(&world);
        for (int32_t i = 0; i < world.schema->root.child_count; i++) {
            const stoa_type *type = &world.schema->root.children[i].type;
            const struct ArrowArray *array = world.batch.children[i];
            const int64_t at = support_random_between(&world.random, 0, ROWS - 1);
            const int64_t count = support_random_between(&world.random, 1, ROWS - at);
            uint64_t numbers[ROWS], bounds[2], least = UINT64_MAX, greatest = 0;
            if (stoa_key_width(type) == 0 || stoa_key_width(type) > 8) {
                continue;
            }
            stoa_key_numbers(type, array, array->offset + at, count, numbers);
            for (int64_t row = 0; row < count; row++) {
                least = numbers[row] < least ? numbers[row] : least;
                greatest = numbers[row] > greatest ? numbers[row] : greatest;
            }
            stoa_key_bounds(type, array, array->offset + at, count, bounds);
            assert_int_equal(bounds[0], least);
            assert_int_equal(bounds[1], greatest);
        }
        stoa_arrow_array_release(&world.batch);
        stoa_schema_close(world.schema);
    }
    support_pool_close(world.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_that_of_values),
        cmocka_unit_test(rows_and_values_give_the_same_bytes),
        cmocka_unit_test(decoding_gives_the_values),
        cmocka_unit_test(damaged_keys),
        cmocka_unit_test(bounds_are_those_of_all_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
