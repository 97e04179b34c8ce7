/* Stripes of every type and encoding: columns read as they were written, and leaves of predicates against
 * the same leaves on the rows, with nulls, NaN and -0.0, constants that are there, beside them and far
 * away. */
#include <math.h>
#include <stdlib.h>

#include "arrow/array.h"
#include "arrow/owner.h"
#include "base/bits.h"
#include "lsm/stripe_read.h"
#include "schema/schema.h"
#include "support.h"

enum { ROUNDS = 240, LEAVES = 20, COLUMNS = 17, SHAPES = 10, IN_MAX = 24 };

static const char SCHEMA[] =
    "k long not null, a int, b int8 not null, c string, d double, e boolean, f decimal(25, 3), "
    "g uuid, h float, i uint64, j uint16 not null, l timestamp_us, m date not null, "
    "n binary not null, o long, p double not null, q fixed[3]";

struct world {
    stoa_pool *pool;
    support_random random;
    const stoa_schema *schema;
    stoa_key_format key;
    stoa_arena arena;
    stoa_stripe_layout layout;
    struct ArrowArray batch;
    stoa_buffer bytes;
    stoa_stripe_part parts[3 * COLUMNS];
    stoa_stripe_slot slots[3 * COLUMNS];
    stoa_stripe stripe;
    bool seen[7][6]; /* class and encoding */
};

static uint64_t below(struct world *world, uint64_t bound) {
    return support_random_below(&world->random, bound);
}

/* Numbers that are constant, few, growing, near each other, in runs, with outliers, anything. */
static uint64_t random_number(struct world *world, uint64_t shape, uint64_t before) {
    switch (shape) {
    case 0: return 77;
    case 1: return below(world, 5) * UINT64_C(0x0123456789abcdef);
    case 2: return before + below(world, 100);
    case 3: return below(world, 200) - 100;
    case 4: return below(world, 50) == 0 ? support_random_u64(&world->random) : before;
    case 5: return below(world, 60) == 0 ? support_random_u64(&world->random) : below(world, 300);
    case 6: return before - 1000 + below(world, 3);
    case 7: return UINT64_C(0x7fffffffffffff80) + below(world, 256);
    case 8: return below(world, 3000) * UINT64_C(1000003);
    default: return support_random_u64(&world->random);
    }
}

static double random_double(struct world *world, uint64_t shape, uint64_t number) {
    static const double others[] = {-0.0, 0.0, 1.0 / 3, 1e300, -1e-300, INFINITY, -INFINITY};
    const double fraction = (double)(int64_t)(number % 100000) / 100;
    const uint64_t other = below(world, shape % 3 == 0 ? 40 : 100000);
    if (other < sizeof others / sizeof *others) {
        return others[other];
    }
    if (other == 10) {
        return nan("");
    }
    return shape == 5   ? fraction * (double)(1 + number % 7)
           : shape == 3 ? (fraction - 500) * (double)(1 + number % 3)
                        : fraction;
}

/* Bytes of a value of a fixed width. */
static size_t put_value(struct world *world, const stoa_type *type, uint64_t shape, uint64_t number,
                        uint8_t *out) {
    const double fraction = random_double(world, shape, number);
    const float narrow = (float)fraction;
    const __int128 wide = type->kind == STOA_TYPE_DECIMAL && shape == 9 ? (__int128)number * 1000000
                                                                        : (int64_t)number;
    const __int128 repeated = (__int128)(number % 7) * 0x0101010101010101;
    switch (type->kind) {
    case STOA_TYPE_DOUBLE: memcpy(out, &fraction, 8); return 8;
    case STOA_TYPE_FLOAT: memcpy(out, &narrow, 4); return 4;
    case STOA_TYPE_INT8: memcpy(out, &wide, 1); return 1;
    case STOA_TYPE_UINT16: memcpy(out, &wide, 2); return 2;
    case STOA_TYPE_INT:
    case STOA_TYPE_DATE: memcpy(out, &wide, 4); return 4;
    case STOA_TYPE_DECIMAL: memcpy(out, &wide, 16); return 16;
    case STOA_TYPE_UUID: memcpy(out, &repeated, 16); return 16;
    case STOA_TYPE_FIXED: memcpy(out, shape == 0 ? "abc" : (const char *)&repeated, 3); return 3;
    default: memcpy(out, &wide, 8); return 8;
    }
}

static void fill_texts(struct world *world, uint64_t shape, int64_t count, stoa_buffer *offsets,
                       stoa_buffer *bytes) {
    stoa_error err;
    int32_t end = 0;
    assert_ok(stoa_buffer_append(offsets, &end, sizeof end, &err), err);
    for (int64_t i = 0; i < count; i++) {
        const size_t before = bytes->size;
        const uint64_t number = shape < 4 ? below(world, 20) : below(world, 1000000);
        assert_ok(stoa_buffer_append_format(bytes, &err, shape == 0 ? "%03" PRIu64 : "%" PRIu64,
                                            shape == 1 ? number % 2 * 1000 : number),
                  err);
        end += (int32_t)(bytes->size - before);
        assert_ok(stoa_buffer_append(offsets, &end, sizeof end, &err), err);
    }
}

static void make_column(struct world *world, const stoa_field *field, int64_t count,
                        struct ArrowArray *out) {
    stoa_error err;
    stoa_buffer validity, values, bytes;
    stoa_buffer_init(&validity, world->pool);
    stoa_buffer_init(&values, world->pool);
    stoa_buffer_init(&bytes, world->pool);
    const uint64_t shape = below(world, SHAPES), nulls = below(world, 4);
    const bool is_text = field->type.kind == STOA_TYPE_STRING ||
                         field->type.kind == STOA_TYPE_BINARY;
    uint64_t number = support_random_u64(&world->random) >> 2;
    assert_ok(stoa_arrow_array_init(world->pool, is_text ? 3 : 2, 0, false, out, &err), err);
    out->length = count;
    if (is_text) {
        fill_texts(world, shape, count, &values, &bytes);
    } else if (field->type.kind == STOA_TYPE_BOOLEAN) {
        assert_ok(stoa_buffer_append_fill(&values, 0, stoa_bitmap_bytes(count), &err), err);
        for (int64_t i = 0; i < count; i++) {
            stoa_bit_put(values.data, i, shape == 0 || below(world, 3) == 0);
        }
    } else {
        for (int64_t i = 0; i < count; i++) {
            uint8_t value[16];
            number = random_number(world, shape, number);
            const size_t size = put_value(world, &field->type, shape, number, value);
            assert_ok(stoa_buffer_append(&values, value, size, &err), err);
        }
    }
    if (!field->required && nulls > 0) {
        assert_ok(stoa_buffer_append_fill(&validity, 0, stoa_bitmap_bytes(count), &err), err);
        for (int64_t i = 0; i < count; i++) {
            stoa_bit_put(validity.data, i, nulls < 3 && below(world, 5) > 0);
        }
        out->null_count = count - stoa_bitmap_count(validity.data, 0, count);
        stoa_arrow_array_set_buffer(out, 0, &validity);
    }
    stoa_arrow_array_set_buffer(out, 1, &values);
    if (is_text) {
        stoa_arrow_array_set_buffer(out, 2, &bytes);
    }
}

static void encode(struct world *world, int64_t count) {
    stoa_error err;
    stoa_stripe_encoder *encoder;
    uint64_t *numbers = malloc((size_t)count * sizeof *numbers);
    uint8_t *operations = calloc(1, (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        numbers[i] = (uint64_t)i;
    }
    const stoa_keys_view keys = {.numbers = numbers, .count = count};
    const stoa_stripe_rows rows = {&keys, 0, numbers, operations, &world->batch, 0, count};
    stoa_buffer_clear(&world->bytes);
    assert_ok(stoa_stripe_encoder_create(world->pool, &world->layout, STOA_COMPRESSION_NONE,
                                         &encoder, &err),
              err);
    assert_ok(stoa_stripe_encode(encoder, &rows, &world->bytes, world->parts,
                                 &world->stripe.prefix_size, &err),
              err);
    stoa_stripe_encoder_close(encoder);
    memset(world->slots, 0, sizeof world->slots);
    world->stripe = (stoa_stripe){.layout = &world->layout,
                                  .bytes = world->bytes.data,
                                  .parts = world->parts,
                                  .slots = world->slots,
                                  .row_count = (uint32_t)count};
    free(numbers);
    free(operations);
}

static void make_stripe(struct world *world, int round) {
    stoa_error err;
    const int64_t count = 1 + (int64_t)below(world, round % 4 == 0 ? STOA_STRIPE_ROWS : 600);
    assert_ok(stoa_arrow_array_init(world->pool, 1, COLUMNS, false, &world->batch, &err), err);
    world->batch.length = count;
    for (int32_t i = 0; i < COLUMNS; i++) {
        make_column(world, &world->schema->root.children[i], count, world->batch.children[i]);
    }
    encode(world, count);
}

/* Every column, whole and some of its rows, as it was written. */
static void check_columns(struct world *world) {
    stoa_error err;
    int64_t indices[STOA_STRIPE_ROWS];
    uint32_t rows[STOA_STRIPE_ROWS];
    const uint64_t step = 1 + below(world, 20);
    int64_t taken = 0;
    for (int64_t row = 0; row < world->batch.length; row += 1 + (int64_t)below(world, step)) {
        indices[taken] = row;
        rows[taken++] = (uint32_t)row;
    }
    const stoa_stripe_selection all = {NULL, 0, world->batch.length}, some = {rows, 0, taken};
    for (int32_t i = 1; i < COLUMNS; i++) {
        struct ArrowSchema arrow;
        struct ArrowArray whole, found, expected;
        const struct ArrowArray *column = world->batch.children[i];
        assert_ok(stoa_field_to_arrow(world->pool, &world->schema->root.children[i], &arrow, &err),
                  err);
        assert_ok(stoa_stripe_column(&world->stripe, world->pool, i, &all, &whole, &err), err);
        assert_ok(stoa_stripe_column(&world->stripe, world->pool, i, &some, &found, &err), err);
        assert_ok(stoa_arrow_take(world->pool, &arrow, column, indices, taken, &expected, &err),
                  err);
        assert_ok(stoa_arrow_compare(&arrow, column, &arrow, &whole, &err), err);
        assert_ok(stoa_arrow_compare(&arrow, &expected, &arrow, &found, &err), err);
        stoa_arrow_array_release(&whole);
        stoa_arrow_array_release(&found);
        stoa_arrow_array_release(&expected);
        stoa_arrow_schema_release(&arrow);
    }
}

/* A value that is there, or one beside it. `room` keeps texts that are no longer the column's. */
static stoa_value random_constant(struct world *world, int32_t column, uint8_t room[64]) {
    static const double doubles[] = {0.0, -0.0, 1.0 / 3, INFINITY, -INFINITY};
    const stoa_type *type = &world->schema->root.children[column].type;
    const uint64_t row = below(world, (uint64_t)world->batch.length), choice = below(world, 20);
    const int64_t step = (int64_t)below(world, 3) - 1;
    stoa_value value;
    stoa_value_from_array(type, world->batch.children[column], (int64_t)row, &value);
    if (value.is_null) {
        return value;
    }
    value.decimal += choice == 0 ? step * ((__int128)1 << 100) : step;
    value.f = choice == 0  ? NAN
              : choice < 6 ? doubles[choice - 1]
                           : nextafter(value.f, value.f + (double)step);
    value.f = type->kind == STOA_TYPE_FLOAT ? (float)value.f : value.f;
    if (value.bytes != NULL) {
        STOA_ASSERT(value.size < 63);
        if (value.size > 0) {
            memcpy(room, value.bytes, value.size);
        }
        room[value.size] = 'x';
        value.bytes = room;
        const bool is_text = type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY;
        value.size = is_text && (step > 0 || value.size > 0) ? value.size + (size_t)step
                                                             : value.size;
    }
    const int64_t moved = (int64_t)((uint64_t)value.i + (uint64_t)step);
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: break;
    case STOA_TYPE_INT8: value.i = (int8_t)moved; break;
    case STOA_TYPE_UINT16: value.i = (uint16_t)moved; break;
    case STOA_TYPE_INT:
    case STOA_TYPE_DATE: value.i = (int32_t)moved; break;
    default: value.i = choice == 1 ? INT64_MIN : choice == 2 ? INT64_MAX : moved; break;
    }
    return value;
}

static void check_leaf(struct world *world, int32_t column) {
    static uint8_t rooms[IN_MAX][64];
    stoa_error err;
    stoa_value values[IN_MAX];
    const stoa_field *field = &world->schema->root.children[column];
    const bool is_text = field->type.kind == STOA_TYPE_STRING ||
                         field->type.kind == STOA_TYPE_BINARY;
    stoa_predicate leaf = {
        .kind = (stoa_predicate_kind)(STOA_PREDICATE_EQUAL + below(world, is_text ? 10 : 9)),
        .field_id = field->id,
        .values = values,
        .value_count = 1,
    };
    uint8_t found[STOA_STRIPE_ROWS / 8], expected[STOA_STRIPE_ROWS / 8];
    bool is_applied;
    if (leaf.kind == STOA_PREDICATE_IN) {
        leaf.value_count = 1 + (int32_t)below(world, IN_MAX);
    } else if (leaf.kind == STOA_PREDICATE_IS_NULL || leaf.kind == STOA_PREDICATE_IS_NOT_NULL) {
        leaf.value_count = 0;
    }
    for (int32_t i = 0; i < leaf.value_count; i++) {
        values[i] = random_constant(world, column, rooms[i]);
    }
    assert_ok(stoa_predicate_select(&leaf, world->schema, &world->batch, world->pool, expected,
                                    &err),
              err);
    assert_ok(stoa_stripe_select(&world->stripe, world->pool, column, &leaf, found, &is_applied,
                                 &err),
              err);
    assert_true(is_applied);
    assert_memory_equal(found, expected, stoa_bitmap_bytes(world->batch.length));
    const int32_t segment = world->layout.nodes[world->layout.column_nodes[column]].value_segment;
    if (leaf.value_count > 0) {
        world->seen[world->slots[segment].segment.type.values][world->slots[segment].segment.kind] =
            true;
    }
}

/* What is no leaf of the column is left to the caller; constants of another type are refused. */
static void check_refusals(struct world *world) {
    stoa_error err;
    uint8_t bitmap[STOA_STRIPE_ROWS / 8];
    bool is_applied = true;
    const stoa_value text = {.type = {.kind = STOA_TYPE_STRING}, .bytes = bitmap, .size = 0};
    const int32_t id = world->schema->root.children[1].id;
    const stoa_predicate always = {.kind = STOA_PREDICATE_TRUE};
    const stoa_predicate other = {STOA_PREDICATE_EQUAL, id, &text, 1, NULL, 0};
    assert_ok(stoa_stripe_select(&world->stripe, world->pool, 1, &always, bitmap, &is_applied,
                                 &err),
              err);
    assert_false(is_applied);
    assert_ok(stoa_stripe_select(&world->stripe, world->pool, 2, &other, bitmap, &is_applied, &err),
              err);
    assert_false(is_applied);
    assert_fails(stoa_stripe_select(&world->stripe, world->pool, 1, &other, bitmap, &is_applied,
                                    &err),
                 STOA_INVALID, "expected a constant of type int", err);
    assert_false(is_applied);
}

static void leaves_select_the_same(void **state) {
    static struct world world;
    static const stoa_key_column columns[] = {{1, false}};
    stoa_error err;
    (void)state;
    world.pool = support_pool_open();
    world.random = support_random_open("lsm.prop_select");
    stoa_buffer_init(&world.bytes, world.pool);
    stoa_arena_init(&world.arena, world.pool);
    assert_ok(stoa_schema_parse(world.pool, SCHEMA, &world.schema, &err), err);
    assert_ok(stoa_key_format_init(&world.key, world.schema, columns, 1, &err), err);
    assert_ok(stoa_stripe_layout_init(&world.layout, &world.arena, world.schema, &world.key, &err),
              err);
    for (int round = 0; round < ROUNDS; round++) {
        make_stripe(&world, round);
        check_columns(&world);
        for (int32_t column = 1; column < COLUMNS; column++) {
            for (int i = 0; i < LEAVES; i++) {
                check_leaf(&world, column);
            }
        }
        check_refusals(&world);
        stoa_arrow_array_release(&world.batch);
    }
    for (int kind = 0; kind < 6; kind++) {
        assert_true(world.seen[STOA_SEGMENT_SIGNED][kind]);
        assert_true(world.seen[STOA_SEGMENT_DOUBLES][kind]);
    }
    assert_true(world.seen[STOA_SEGMENT_TEXTS][STOA_SEGMENT_LINE]);
    assert_true(world.seen[STOA_SEGMENT_TEXTS][STOA_SEGMENT_FRAMES]);
    assert_true(world.seen[STOA_SEGMENT_TEXTS][STOA_SEGMENT_DICTIONARY]);
    stoa_arena_release(&world.arena);
    stoa_buffer_release(&world.bytes);
    stoa_schema_close(world.schema);
    support_pool_close(world.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(leaves_select_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
