/* Stripes of random rows of many types, read back by ranges and by rows in any order, and searched by
 * key; damaged stripes. */
#include "arrow/array.h"
#include "base/hash.h"
#include "lsm/stripe_read.h"
#include "rows.h"

enum { ROUNDS = 60, SEGMENTS_MAX = 64 };

static const char *const SCHEMAS[] = {
    "k long not null, a int, b int8 not null, c string, d double, e boolean, f decimal(25, 3), g uuid",
    "k string not null, l int not null, a list<int>, b map<string, double>, "
    "c struct<x: int, y: list<string>>",
    "k int not null, a list<list<struct<p: decimal(9, 2), q: binary>>>, b unknown, "
    "c timestamp_s not null, d interval, e fixed[5], f float, g uint64, h boolean not null",
};

struct world {
    stoa_pool *pool;
    support_random random;
    const stoa_schema *schema;
    struct ArrowSchema arrow;
    struct ArrowArray batch;
    stoa_key_format key;
    stoa_arena arena;
    stoa_stripe_layout layout;
    stoa_keys keys;
    stoa_buffer sequences;
    stoa_buffer operations;
    stoa_buffer bytes;
    stoa_stripe_part parts[SEGMENTS_MAX];
    stoa_stripe_slot slots[SEGMENTS_MAX];
    stoa_stripe stripe;
};

/* Growing keys with gaps, some of them equal; a random prefix for those that are no numbers. */
static void make_keys(struct world *world) {
    stoa_error err;
    uint64_t number = support_random_below(&world->random, 1000);
    const bool is_dense = support_random_bool(&world->random);
    stoa_keys_init(&world->keys, world->pool);
    stoa_buffer_init(&world->sequences, world->pool);
    stoa_buffer_init(&world->operations, world->pool);
    if (!world->key.is_number) {
        assert_ok(stoa_buffer_append(&world->keys.offsets, &(uint32_t){0}, 4, &err), err);
    }
    for (int64_t i = 0; i < world->batch.length; i++) {
        number += is_dense ? 1 : support_random_below(&world->random, 3) * 1000003;
        const uint8_t operation = (uint8_t)support_random_below(&world->random, 2);
        const uint64_t sequence = UINT64_C(1) << 40 | support_random_below(&world->random, 5000);
        if (world->key.is_number) {
            assert_ok(stoa_buffer_append(&world->keys.numbers, &number, sizeof number, &err), err);
        } else {
            assert_ok(stoa_buffer_append_format(&world->keys.bytes, &err, "user/%012" PRIu64,
                                                number),
                      err);
            const uint32_t end = (uint32_t)world->keys.bytes.size;
            assert_ok(stoa_buffer_append(&world->keys.offsets, &end, sizeof end, &err), err);
        }
        assert_ok(stoa_buffer_append(&world->sequences, &sequence, sizeof sequence, &err), err);
        assert_ok(stoa_buffer_append_byte(&world->operations, operation, &err), err);
        world->keys.count++;
    }
}

static void open_stripe(struct world *world) {
    memset(world->slots, 0, sizeof world->slots);
    world->stripe.layout = &world->layout;
    world->stripe.bytes = world->bytes.data;
    world->stripe.parts = world->parts;
    world->stripe.slots = world->slots;
    world->stripe.row_count = (uint32_t)world->batch.length;
    world->stripe.prefix = world->keys.bytes.data;
}

static void make_stripe(struct world *world, int round) {
    stoa_error err;
    stoa_stripe_encoder *encoder;
    static const stoa_key_column columns[] = {{1, false}, {2, true}};
    assert_ok(stoa_schema_parse(world->pool, SCHEMAS[round % 3], &world->schema, &err), err);
    assert_ok(stoa_schema_to_arrow(world->pool, world->schema, &world->arrow, &err), err);
    assert_ok(stoa_key_format_init(&world->key, world->schema, columns, round % 3 == 1 ? 2 : 1,
                                   &err),
              err);
    stoa_arena_init(&world->arena, world->pool);
    assert_ok(stoa_stripe_layout_init(&world->layout, &world->arena, world->schema, &world->key,
                                      &err),
              err);
    assert_true(world->layout.segment_count <= SEGMENTS_MAX);
    const struct rows_options options = {(int)support_random_below(&world->random, 4) * 25,
                                         support_random_below(&world->random, 3) * 7, 4, 12,
                                         support_random_bool(&world->random)};
    const int64_t count = 1 + (int64_t)support_random_below(&world->random, round % 5 == 0
                                                                                ? STOA_STRIPE_ROWS
                                                                                : 300);
    rows_batch(support_random_u64(&world->random), world->schema, &options, count, &world->batch);
    make_keys(world);
    stoa_buffer_init(&world->bytes, world->pool);
    const stoa_keys_view keys = stoa_keys_view_of(&world->keys);
    const stoa_stripe_rows rows = {&keys,
                                   0,
                                   (const uint64_t *)(const void *)world->sequences.data,
                                   world->operations.data,
                                   &world->batch,
                                   0,
                                   count};
    assert_ok(stoa_stripe_encoder_create(world->pool, &world->layout, STOA_COMPRESSION_NONE,
                                         &encoder, &err),
              err);
    assert_ok(stoa_stripe_encode(encoder, &rows, &world->bytes, world->parts,
                                 &world->stripe.prefix_size, &err),
              err);
    stoa_stripe_encoder_close(encoder);
    open_stripe(world);
}

static void drop_stripe(struct world *world) {
    stoa_keys_release(&world->keys);
    stoa_buffer_release(&world->sequences);
    stoa_buffer_release(&world->operations);
    stoa_buffer_release(&world->bytes);
    stoa_arrow_array_release(&world->batch);
    stoa_arrow_schema_release(&world->arrow);
    stoa_arena_release(&world->arena);
    stoa_schema_close(world->schema);
}

static void forget_keeper(void *user) {
    *(bool *)user = true;
}

static void check_column(struct world *world, int32_t column, stoa_keeper *keeper,
                         const stoa_stripe_selection *selection, struct ArrowArray *expected) {
    stoa_error err;
    struct ArrowArray found;
    assert_ok(stoa_stripe_column_view(&world->stripe, world->pool, keeper, column, selection,
                                      &found, &err),
              err);
    assert_ok(stoa_arrow_validate(world->arrow.children[column], &found, STOA_ARROW_CHECK_LAYOUT,
                                  &err),
              err);
    assert_ok(stoa_arrow_compare(world->arrow.children[column], expected,
                                 world->arrow.children[column], &found, &err),
              err);
    stoa_arrow_array_release(&found);
}

/* Every column of the chosen rows, copied and shown where it lies, against the rows that were encoded. */
static void check_columns(struct world *world, const stoa_stripe_selection *selection) {
    stoa_error err;
    stoa_keeper *keeper = NULL;
    bool is_forgotten = false;
    int64_t *indices = rows_allocate((size_t)(selection->count + 1) * sizeof *indices);
    assert_ok(stoa_keeper_create(world->pool, forget_keeper, &is_forgotten, &keeper, &err), err);
    for (int64_t i = 0; i < selection->count; i++) {
        indices[i] = selection->rows != NULL ? selection->rows[i] : selection->first + i;
    }
    for (int32_t i = 0; i < world->schema->root.child_count; i++) {
        struct ArrowArray expected;
        if (world->layout.column_nodes[i] < 0) {
            continue;
        }
        assert_ok(stoa_arrow_take(world->pool, world->arrow.children[i], world->batch.children[i],
                                  indices, selection->count, &expected, &err),
                  err);
        check_column(world, i, NULL, selection, &expected);
        check_column(world, i, keeper, selection, &expected);
        stoa_arrow_array_release(&expected);
    }
    assert_false(is_forgotten);
    stoa_keeper_release(keeper); /* the last: no array keeps it any more */
    assert_true(is_forgotten);
    free(indices);
}

static void check_keys(struct world *world, const stoa_stripe_selection *selection) {
    stoa_error err;
    stoa_keys keys;
    stoa_keys_init(&keys, world->pool);
    assert_ok(stoa_stripe_keys(&world->stripe, selection, &keys, &err), err);
    assert_int_equal(keys.count, selection->count);
    const stoa_keys_view found = stoa_keys_view_of(&keys);
    const stoa_keys_view all = stoa_keys_view_of(&world->keys);
    for (int64_t i = 0; i < selection->count; i++) {
        const int64_t row = selection->rows != NULL ? selection->rows[i] : selection->first + i;
        if (world->key.is_number) {
            assert_int_equal(found.numbers[i], all.numbers[row]);
        } else {
            const uint32_t size = all.offsets[row + 1] - all.offsets[row];
            assert_int_equal(found.offsets[i + 1] - found.offsets[i], size);
            assert_memory_equal(found.bytes + found.offsets[i], all.bytes + all.offsets[row], size);
        }
    }
    stoa_keys_release(&keys);
}

static void check_search(struct world *world) {
    stoa_error err;
    const stoa_keys_view all = stoa_keys_view_of(&world->keys);
    const uint64_t last = world->key.is_number ? all.numbers[all.count - 1] : 0;
    for (int i = 0; i < 200; i++) {
        uint32_t found, expected = 0;
        char text[64];
        if (world->key.is_number) {
            const uint64_t number =
                support_random_bool(&world->random)
                    ? all.numbers[support_random_below(&world->random, (uint64_t)all.count)]
                    : support_random_below(&world->random, last + 3);
            while (expected < all.count && all.numbers[expected] < number) {
                expected++;
            }
            assert_ok(stoa_stripe_find_number(&world->stripe, number, &found, &err), err);
        } else {
            const int size = snprintf(text, sizeof text, "user/%0*" PRIu64,
                                      (int)support_random_below(&world->random, 13),
                                      support_random_below(&world->random, 400000000));
            const size_t used = support_random_below(&world->random, (uint64_t)size + 1);
            for (; expected < all.count; expected++) {
                const uint8_t *key = all.bytes + all.offsets[expected];
                const size_t key_size = all.offsets[expected + 1] - all.offsets[expected];
                const size_t common = used < key_size ? used : key_size;
                const int order = common == 0 ? 0 : memcmp(key, text, common);
                if (order > 0 || (order == 0 && key_size >= used)) {
                    break;
                }
            }
            assert_ok(stoa_stripe_find_bytes(&world->stripe, (const uint8_t *)text, used, &found,
                                             &err),
                      err);
        }
        assert_int_equal(found, expected);
    }
}

static void rows_come_back(void **state) {
    static struct world world;
    (void)state;
    world.pool = support_pool_open();
    world.random = support_random_open("lsm.prop_stripe rows");
    for (int round = 0; round < ROUNDS; round++) {
        make_stripe(&world, round);
        const uint32_t count = world.stripe.row_count;
        uint32_t *rows = rows_allocate(count * sizeof *rows);
        for (uint32_t i = 0; i < count; i++) {
            rows[i] = (uint32_t)support_random_below(&world.random, count);
        }
        const uint32_t first = (uint32_t)support_random_below(&world.random, count + 1);
        const stoa_stripe_selection selections[] = {
            {NULL, 0, count},
            {NULL, first, (int64_t)support_random_below(&world.random, count - first + 1)},
            {rows, 0, count},
            {rows, 0, 0},
        };
        for (size_t i = 0; i < sizeof selections / sizeof *selections; i++) {
            check_columns(&world, &selections[i]);
            check_keys(&world, &selections[i]);
        }
        check_search(&world);
        free(rows);
        drop_stripe(&world);
    }
    support_pool_close(world.pool);
}

/* A flipped byte is found by the checksum of its segment; with the checksums made right again, reading
 * does no harm. */
static void damage_is_found(void **state) {
    static struct world world;
    stoa_error err;
    (void)state;
    world.pool = support_pool_open();
    world.random = support_random_open("lsm.prop_stripe damage");
    for (int round = 0; round < ROUNDS; round++) {
        make_stripe(&world, round);
        const int32_t victim = (int32_t)support_random_below(&world.random,
                                                             (uint64_t)world.layout.segment_count);
        stoa_stripe_part *part = &world.parts[victim];
        world.bytes.data[part->offset + support_random_below(&world.random, part->size)] ^= 1;
        const stoa_segment *segment;
        assert_fails(stoa_stripe_segment(&world.stripe, victim, world.stripe.row_count, &segment,
                                         &err),
                     STOA_CORRUPT, "expected the checksum", err);
        part->crc = stoa_crc32c(0, world.bytes.data + part->offset, part->size);
        for (int32_t i = 0; i < world.schema->root.child_count; i++) {
            const stoa_stripe_selection all = {NULL, 0, world.stripe.row_count};
            struct ArrowArray column;
            if (world.layout.column_nodes[i] >= 0) {
                const stoa_status status = stoa_stripe_column(&world.stripe, world.pool, i, &all,
                                                              &column, &err);
                assert_true(status == STOA_OK || status == STOA_CORRUPT);
                stoa_arrow_array_release(&column);
            }
        }
        drop_stripe(&world);
    }
    support_pool_close(world.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(damage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
