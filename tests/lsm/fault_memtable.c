/* Memtables when memory runs out: what was published before is there, what was staged is there as a
 * whole or not at all, and publishing takes no memory. */
#include "lsm/memtable.h"
#include "table_rows.h"

enum { ROWS = 40, BATCH_ROWS = 5 };

struct run {
    struct table_format format;
    stoa_memtable *table;
    uint64_t sequence;
    int64_t published; /* rows */
};

static stoa_status stage(struct run *run, struct ArrowArray *batch, stoa_keys *keys,
                         stoa_error *err) {
    const int32_t first = (int32_t)run->sequence;
    char text[32];
    stoa_cell cells[3];
    for (int32_t i = 0; i < ROWS; i++) {
        table_cells(&run->format, first + i, i, text, cells);
        STOA_TRY(stoa_memtable_stage_row(run->table, cells, STOA_OPERATION_PUT,
                                         run->sequence + (uint64_t)i, err));
    }
    STOA_TRY(stoa_keys_append(&run->format.key, batch, 0, BATCH_ROWS, keys, err));
    STOA_TRY(stoa_memtable_stage_batch(run->table, batch, keys, STOA_OPERATION_PUT,
                                       run->sequence + ROWS, err));
    const stoa_key_range range = {.to_end = true, .sequence = run->sequence + ROWS + BATCH_ROWS};
    return stoa_memtable_stage_range(run->table, &range, err);
}

static stoa_status commit(support_world *world, struct run *run, stoa_error *err) {
    int32_t ids[BATCH_ROWS] = {0};
    int64_t values[BATCH_ROWS] = {0};
    struct ArrowArray batch;
    stoa_keys keys;
    stoa_keys_init(&keys, run->format.pool);
    table_batch(&run->format, ids, values, BATCH_ROWS, &batch);
    const stoa_status status = stage(run, &batch, &keys, err);
    assert_int_equal(stoa_memtable_row_count(run->table), run->published);
    if (status == STOA_OK) {
        const uint64_t calls = support_allocator_calls(world->allocator);
        stoa_memtable_publish(run->table);
        assert_int_equal(support_allocator_calls(world->allocator), calls);
        run->sequence += ROWS + BATCH_ROWS + 1;
        run->published += ROWS + BATCH_ROWS;
    } else {
        stoa_memtable_discard(run->table);
    }
    stoa_arrow_array_release(&batch);
    stoa_keys_release(&keys);
    return status;
}

/* Everything that was published is found, and nothing else. */
static stoa_status look(struct run *run, stoa_buffer *key, stoa_error *err) {
    stoa_memtable_order *order;
    stoa_memtable_row row;
    for (int32_t id = 0; id < 3 * ROWS; id++) {
        table_key(&run->format, id, key);
        STOA_TRY(stoa_memtable_get(run->table, key->data, key->size, UINT64_MAX, &row, err));
        const int64_t in_commit = id % (ROWS + BATCH_ROWS + 1);
        const bool is_there = run->published > 0 &&
                              (id == 0 || ((uint64_t)id < run->sequence && in_commit < ROWS));
        assert_int_equal(row.piece != NULL, is_there);
        assert_int_equal(stoa_memtable_range_cover(run->table, key->data, key->size, UINT64_MAX),
                         run->published > 0 ? run->sequence - 1 : 0);
    }
    STOA_TRY(stoa_memtable_order_of(run->table, &order, err));
    assert_int_equal(order->count, run->published);
    stoa_memtable_order_close(order);
    return STOA_OK;
}

/* The rows' own batches are made by another pool, which has all it needs. */
static stoa_status fill(support_world *world, void *user, stoa_error *err) {
    const bool has_text = *(const bool *)user;
    struct run run = {0};
    stoa_buffer key;
    stoa_pool *pool = support_pool_open();
    table_format_open(pool, has_text, &run.format);
    stoa_buffer_init(&key, pool);
    stoa_status status = stoa_memtable_create(world->pool, &run.format.layout, &run.table, err);
    for (int i = 0; i < 2 && status == STOA_OK; i++) {
        status = commit(world, &run, err);
        if (status == STOA_OK) {
            status = look(&run, &key, err);
        }
    }
    if (run.table != NULL && status != STOA_OK) {
        stoa_error second;
        assert_ok(look(&run, &key, &second), second);
        assert_ok(commit(world, &run, &second), second);
        assert_ok(look(&run, &key, &second), second);
    }
    stoa_memtable_close(run.table);
    stoa_buffer_release(&key);
    table_format_close(&run.format);
    support_pool_close(pool);
    return status;
}

static void memory_runs_out(void **state) {
    bool has_text = false;
    (void)state;
    assert_true(support_fail_each_allocation(NULL, fill, NULL, &has_text) > 15);
    has_text = true;
    assert_true(support_fail_each_allocation(NULL, fill, NULL, &has_text) > 15);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_runs_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
