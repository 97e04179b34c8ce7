/* Memtables against a list of all rows that is searched from its end. */
#include "lsm/memtable.h"
#include "table_rows.h"

enum {
    ROUNDS = 30,
    APPENDS = 40,
    STAGED_MAX = 3,
    BATCH_MAX = 400,
    LARGE = 4200, /* rows of a batch that is kept as it is; smaller ones are copied */
    ROW_GROUP_MAX = 120,
    ROWS_MAX = APPENDS * STAGED_MAX * BATCH_MAX,
    LARGE_BEFORE = 10000, /* in a table with more rows no large ones come */
    IDS = 500,
    RANGES = 200,
    MANY = 70000
};

struct model {
    int32_t ids[ROWS_MAX];
    int64_t values[ROWS_MAX];
    uint64_t sequences[ROWS_MAX];
    stoa_operation operations[ROWS_MAX];
    int64_t count;
};

static void remember(struct model *model, int32_t id, int64_t value, uint64_t sequence,
                     stoa_operation operation) {
    model->ids[model->count] = id;
    model->values[model->count] = value;
    model->sequences[model->count] = sequence;
    model->operations[model->count++] = operation;
}

static stoa_operation random_operation(support_random *random) {
    return support_random_below(random, 4) == 0 ? STOA_OPERATION_DELETE : STOA_OPERATION_PUT;
}

/* A batch that is staged; it and its keys stay where they are until it is published. */
struct staged {
    struct ArrowArray batch;
    stoa_keys keys;
};

static void stage_batch(stoa_memtable *table, const struct table_format *format,
                        support_random *random, struct staged *staged, struct model *model,
                        uint64_t *sequence) {
    int32_t ids[LARGE];
    int64_t values[LARGE];
    stoa_error err;
    const bool is_large = model->count < LARGE_BEFORE && support_random_below(random, 20) == 0;
    const int64_t count = is_large ? LARGE : (int64_t)support_random_below(random, BATCH_MAX);
    const stoa_operation operation = random_operation(random);
    for (int64_t i = 0; i < count; i++) {
        ids[i] = (int32_t)support_random_between(random, -IDS, IDS);
        values[i] = support_random_between(random, -1, 1000);
        remember(model, ids[i], values[i], *sequence + (uint64_t)i, operation);
    }
    table_batch(format, ids, values, count, &staged->batch);
    stoa_keys_init(&staged->keys, format->pool);
    assert_ok(stoa_keys_append(&format->key, &staged->batch, 0, count, &staged->keys, &err), err);
    assert_ok(stoa_memtable_stage_batch(table, &staged->batch, &staged->keys, operation, *sequence,
                                        &err),
              err);
    *sequence += (uint64_t)count;
}

static void stage_rows(stoa_memtable *table, const struct table_format *format,
                       support_random *random, struct model *model, uint64_t *sequence) {
    for (uint64_t count = support_random_below(random, ROW_GROUP_MAX); count > 0; count--) {
        const int32_t id = (int32_t)support_random_between(random, -IDS, IDS);
        const int64_t value = support_random_between(random, -1, 1000);
        const stoa_operation operation = random_operation(random);
        stoa_cell cells[3];
        char text[32];
        stoa_error err;
        *sequence += support_random_below(random, 3); /* other tables have numbers too */
        table_cells(format, id, value, text, cells);
        assert_ok(stoa_memtable_stage_row(table, cells, operation, *sequence, &err), err);
        memset(text, 'x', sizeof text);
        remember(model, id, value, (*sequence)++, operation);
    }
}

/* Batches and rows that are staged together, and then there together or not at all. */
static void append(stoa_memtable *table, const struct table_format *format, support_random *random,
                   struct model *model, uint64_t *sequence) {
    struct staged staged[STAGED_MAX] = {0};
    const int64_t before = model->count;
    const uint64_t first = *sequence;
    for (uint64_t i = support_random_below(random, STAGED_MAX + 1); i-- > 0;) {
        if (support_random_bool(random)) {
            stage_rows(table, format, random, model, sequence);
        } else {
            stage_batch(table, format, random, &staged[i], model, sequence);
        }
    }
    assert_int_equal(stoa_memtable_row_count(table), before);
    if (support_random_below(random, 4) == 0) {
        stoa_memtable_discard(table);
        model->count = before;
        *sequence = first;
    } else {
        stoa_memtable_publish(table);
    }
    for (int i = 0; i < STAGED_MAX; i++) {
        assert_true(model->count == before || staged[i].batch.release == NULL ||
                    staged[i].batch.length < LARGE);
        stoa_arrow_array_release(&staged[i].batch);
        stoa_keys_release(&staged[i].keys);
    }
    assert_int_equal(stoa_memtable_row_count(table), model->count);
}

/* The row of the model that a get must find, or -1. */
static int64_t find(const struct model *model, int32_t id, uint64_t sequence) {
    int64_t i = model->count - 1;
    while (i >= 0 && (model->ids[i] != id || model->sequences[i] > sequence)) {
        i--;
    }
    return i;
}

static void check_row(const stoa_memtable *table, const struct table_format *format,
                      const stoa_memtable_row *row, const struct model *model, int64_t expected) {
    const int32_t columns[] = {format->has_text ? 2 : 1, format->has_text ? 1 : 0};
    stoa_cell cells[2];
    assert_int_equal(stoa_memtable_operation(row), model->operations[expected]);
    stoa_memtable_cells(table, row, columns, 2, cells);
    assert_int_equal(cells[1].i, model->ids[expected]);
    if (model->operations[expected] == STOA_OPERATION_PUT) {
        assert_int_equal(cells[0].is_null, model->values[expected] < 0);
        assert_true(cells[0].is_null || cells[0].i == model->values[expected]);
    }
}

static void check_gets(stoa_memtable *table, const struct table_format *format,
                       support_random *random, const struct model *model, uint64_t sequence) {
    stoa_error err;
    stoa_buffer key;
    stoa_buffer_init(&key, format->pool);
    for (int i = 0; i < 60; i++) {
        const int32_t id = (int32_t)support_random_between(random, -IDS - 9, IDS + 9);
        uint64_t at = support_random_bool(random) ? UINT64_MAX
                                                  : support_random_below(random, sequence + 2);
        stoa_memtable_row row;
        table_key(format, id, &key);
        assert_ok(stoa_memtable_get(table, key.data, key.size, at, &row, &err), err);
        /* And all versions before it. */
        for (;;) {
            const int64_t expected = find(model, id, at);
            assert_int_equal(row.piece != NULL, expected >= 0);
            if (expected < 0) {
                break;
            }
            assert_int_equal(stoa_memtable_sequence(&row), model->sequences[expected]);
            check_row(table, format, &row, model, expected);
            if (model->sequences[expected] == 0) {
                break;
            }
            at = model->sequences[expected] - 1;
            stoa_memtable_before(table, &row, &row);
        }
    }
    stoa_buffer_release(&key);
}

static bool is_older(const stoa_memtable_order *order, int64_t index) {
    return (stoa_memtable_order_place(order, index) & STOA_MEMTABLE_OLDER) != 0;
}

static void check_order(stoa_memtable *table, const struct model *model) {
    stoa_memtable_order *order;
    stoa_error err;
    assert_ok(stoa_memtable_order_of(table, &order, &err), err);
    assert_int_equal(order->count, model->count);
    uint64_t sum = 0;
    stoa_memtable_row before = {0};
    uint8_t before_key[64], number[8];
    size_t before_size = 0;
    for (int64_t i = 0; i < order->count; i++) {
        const stoa_memtable_row row = stoa_memtable_order_row(table, order, i);
        size_t size;
        const uint8_t *key = stoa_memtable_key(table, &row, number, &size);
        const size_t common = size < before_size ? size : before_size;
        const int compared = i == 0 || common == 0 ? -1 : memcmp(before_key, key, common);
        if (i > 0) {
            const int in_order = compared != 0 ? compared
                                               : (before_size > size) - (before_size < size);
            assert_int_equal(is_older(order, i), in_order == 0);
            assert_true(in_order < 0 || (in_order == 0 && stoa_memtable_sequence(&before) >
                                                              stoa_memtable_sequence(&row)));
        }
        sum += stoa_memtable_sequence(&row);
        memcpy(before_key, key, size);
        before_size = size;
        before = row;
    }
    for (int64_t i = 0; i < model->count; i++) {
        sum -= model->sequences[i];
    }
    assert_int_equal(sum, 0);
    stoa_memtable_order_close(order);
}

static void rows_are_found(void **state) {
    static struct model model;
    support_random random = support_random_open("lsm.prop_memtable");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        stoa_pool *pool = support_pool_open();
        struct table_format format;
        stoa_memtable *table;
        stoa_error err;
        uint64_t sequence = support_random_below(&random, 3);
        table_format_open(pool, round % 2 == 1, &format);
        assert_ok(stoa_memtable_create(pool, &format.layout, &table, &err), err);
        model.count = 0;
        for (int batch = 0; batch < APPENDS; batch++) {
            append(table, &format, &random, &model, &sequence);
            if (support_random_below(&random, 4) == 0) {
                check_gets(table, &format, &random, &model, sequence);
            }
            if (support_random_below(&random, 8) == 0) {
                check_order(table, &model);
            }
        }
        check_gets(table, &format, &random, &model, sequence);
        check_order(table, &model);
        stoa_memtable_close(table);
        table_format_close(&format);
        support_pool_close(pool);
    }
}

/* Numbers that make the sort take its different ways. */
static uint64_t skewed_number(support_random *random, int kind) {
    const uint64_t number = support_random_u64(random);
    switch (kind) {
    case 0: return number;
    case 1: return number % MANY; /* dense */
    case 2: return number >> support_random_below(random, 64);
    case 3:
        return support_random_below(random, 1000) == 0 ? number : UINT64_C(1) << 40 | number % 64;
    case 4: return (number & 0xFF) << 56 | (number & 0x300) << 20;
    default: return UINT64_C(77);
    }
}

static void orders_of_many_rows(void **state) {
    support_random random = support_random_open("lsm.prop_memtable");
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        stoa_pool *pool = support_pool_open();
        const stoa_key_column column = {1, false};
        const stoa_schema *schema;
        stoa_key_format key;
        stoa_arena arena;
        stoa_stripe_layout layout;
        stoa_memtable *table;
        stoa_memtable_order *order;
        stoa_error err;
        uint64_t sum = 0, before = 0;
        assert_ok(stoa_schema_parse(pool, "id uint64 not null", &schema, &err), err);
        assert_ok(stoa_key_format_init(&key, schema, &column, 1, &err), err);
        stoa_arena_init(&arena, pool);
        assert_ok(stoa_stripe_layout_init(&layout, &arena, schema, &key, &err), err);
        assert_ok(stoa_memtable_create(pool, &layout, &table, &err), err);
        for (uint64_t i = 0; i < MANY; i++) {
            const stoa_cell cell = {.i = (int64_t)skewed_number(&random, kind)};
            assert_ok(stoa_memtable_stage_row(table, &cell, STOA_OPERATION_PUT, i + 1, &err), err);
            sum += (uint64_t)cell.i ^ i;
            /* Orders are made of many new rows and of few. */
            if (i > MANY - 200 || support_random_below(&random, 2500) == 0) {
                stoa_memtable_publish(table);
                assert_ok(stoa_memtable_order_of(table, &order, &err), err);
                assert_int_equal(order->count, i + 1);
                stoa_memtable_order_close(order);
            }
        }
        stoa_memtable_publish(table);
        assert_ok(stoa_memtable_order_of(table, &order, &err), err);
        assert_int_equal(order->count, MANY);
        for (int64_t i = 0; i < MANY; i++) {
            stoa_memtable_row row;
            stoa_memtable_order_rows(table, order, i, 1, &row);
            const uint64_t number = row.piece->keys.numbers[row.row];
            assert_true(i == 0 || before <= number);
            assert_int_equal(is_older(order, i), i > 0 && before == number);
            if (i > 0 && before == number) {
                const stoa_memtable_row newer = stoa_memtable_order_row(table, order, i - 1);
                assert_true(stoa_memtable_sequence(&newer) > stoa_memtable_sequence(&row));
            }
            before = number;
            sum -= number ^ (stoa_memtable_sequence(&row) - 1);
        }
        assert_int_equal(sum, 0);
        stoa_memtable_order_close(order);
        stoa_memtable_close(table);
        stoa_arena_release(&arena);
        stoa_schema_close(schema);
        support_pool_close(pool);
    }
}

/* Ranges are found as a list that is searched from end to end finds them. */
static void ranges_are_found(void **state) {
    support_random random = support_random_open("lsm.prop_memtable");
    stoa_pool *pool = support_pool_open();
    struct table_format format;
    stoa_memtable *table;
    stoa_error err;
    struct {
        uint8_t from, to;
        bool to_end;
    } ranges[RANGES];
    int count = 0;
    (void)state;
    table_format_open(pool, false, &format);
    assert_ok(stoa_memtable_create(pool, &format.layout, &table, &err), err);
    assert_false(stoa_memtable_has_ranges(table));
    while (count < RANGES) {
        int end = count;
        for (uint64_t i = support_random_below(&random, 4); i-- > 0 && end < RANGES; end++) {
            support_random_bytes(&random, &ranges[end].from, 1);
            support_random_bytes(&random, &ranges[end].to, 1);
            ranges[end].to_end = support_random_below(&random, 10) == 0;
            const stoa_key_range range = {.from = &ranges[end].from,
                                          .from_size = 1,
                                          .to = &ranges[end].to,
                                          .to_size = 1,
                                          .to_end = ranges[end].to_end,
                                          .sequence = (uint64_t)end + 1};
            assert_ok(stoa_memtable_stage_range(table, &range, &err), err);
        }
        if (support_random_below(&random, 4) == 0) {
            stoa_memtable_discard(table);
        } else {
            stoa_memtable_publish(table);
            count = end;
        }
        const uint8_t key = (uint8_t)support_random_below(&random, 256);
        const uint64_t snapshot = support_random_below(&random, RANGES + 2);
        uint64_t expected = 0;
        for (int i = 0; i < count && (uint64_t)i < snapshot; i++) {
            if (ranges[i].from <= key && (ranges[i].to_end || key < ranges[i].to)) {
                expected = (uint64_t)i + 1;
            }
        }
        assert_int_equal(stoa_memtable_range_cover(table, &key, 1, snapshot), expected);
        assert_int_equal(stoa_memtable_has_ranges(table), count > 0);
    }
    stoa_range_set all = {.pool = pool};
    assert_ok(stoa_memtable_ranges(table, &all, &err), err);
    assert_int_equal(all.count, count);
    stoa_range_set_release(&all);
    stoa_memtable_close(table);
    table_format_close(&format);
    support_pool_close(pool);
}

/* Rows that are refused leave the table as it was. */
static void refused_rows(void **state) {
    stoa_pool *pool = support_pool_open();
    struct table_format format;
    stoa_memtable *table;
    stoa_memtable_row row;
    stoa_buffer key;
    stoa_error err;
    (void)state;
    table_format_open(pool, false, &format);
    assert_ok(stoa_memtable_create(pool, &format.layout, &table, &err), err);
    struct ArrowArray batch;
    table_batch(&format, (const int32_t[]){7}, (const int64_t[]){1}, 1, &batch);
    static const uint8_t none = 0;
    const void *validity = batch.children[0]->buffers[0];
    batch.children[0]->buffers[0] = &none;
    batch.children[0]->null_count = 1;
    struct ArrowArray view = batch;
    view.release = NULL; /* the test keeps the rows */
    assert_fails(stoa_memtable_append(table, &view, STOA_OPERATION_PUT, 1, &err), STOA_INVALID,
                 "row 0: the key column 'id' is null", err);
    batch.children[0]->buffers[0] = validity;
    batch.children[0]->null_count = 0;
    stoa_buffer_init(&key, pool);
    table_key(&format, 7, &key);
    assert_ok(stoa_memtable_get(table, key.data, key.size, UINT64_MAX, &row, &err), err);
    assert_null(row.piece);
    assert_int_equal(stoa_memtable_row_count(table), 0);
    assert_ok(stoa_memtable_append(table, &batch, STOA_OPERATION_PUT, 1, &err), err);
    assert_ok(stoa_memtable_get(table, key.data, key.size, UINT64_MAX, &row, &err), err);
    assert_int_equal(stoa_memtable_sequence(&row), 1);
    stoa_buffer_release(&key);
    stoa_memtable_close(table);
    table_format_close(&format);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found),
        cmocka_unit_test(orders_of_many_rows),
        cmocka_unit_test(ranges_are_found),
        cmocka_unit_test(refused_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
