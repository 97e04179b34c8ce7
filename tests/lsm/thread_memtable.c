/* One thread adds rows while others get and order them: what was published is always found, and a
 * snapshot never changes. */
#include <pthread.h>

#include "lsm/memtable.h"
#include "table_rows.h"

enum { READERS = 3, BATCHES = 1000, BATCH_ROWS = 64, IDS = 300 };

struct shared {
    struct table_format format;
    stoa_memtable *table;
    _Atomic uint64_t published; /* rows with lower numbers are all there */
    _Atomic int failures;
};

/* Row number n has this id, so that everybody knows what is there. */
static int32_t id_of(uint64_t sequence) {
    return (int32_t)(sequence * 7919 % IDS);
}

/* And this value; negative: null. */
static int64_t value_of(uint64_t sequence) {
    return sequence % 3 == 0 ? -1 : (int64_t)sequence;
}

/* The newest row of an id below `end`, or UINT64_MAX. */
static uint64_t newest(int32_t id, uint64_t end) {
    while (end > 0 && id_of(end - 1) != id) {
        end--;
    }
    return end == 0 ? UINT64_MAX : end - 1;
}

static bool is_whole(const struct shared *shared, const stoa_memtable_row *row, int32_t id) {
    const int64_t value = value_of(stoa_memtable_sequence(row));
    stoa_cell cells[2];
    stoa_memtable_cells(shared->table, row, NULL, 2, cells);
    return cells[0].i == id && cells[1].is_null == (value < 0) &&
           (value < 0 || cells[1].i == value);
}

static void *read_rows(void *user) {
    struct shared *shared = user;
    stoa_buffer key;
    stoa_error err;
    uint64_t end;
    int round = 0;
    stoa_buffer_init(&key, shared->format.pool);
    do {
        end = atomic_load_explicit(&shared->published, memory_order_acquire);
        const int32_t id = round % IDS;
        stoa_memtable_row row;
        table_key(&shared->format, id, &key);
        if (stoa_memtable_get(shared->table, key.data, key.size, end - 1, &row, &err) != STOA_OK) {
            atomic_fetch_add(&shared->failures, 1);
            break;
        }
        const uint64_t expected = end == 0 ? UINT64_MAX : newest(id, end);
        if (stoa_memtable_range_cover(shared->table, key.data, key.size, UINT64_MAX) != 0) {
            atomic_fetch_add(&shared->failures, 1);
        }
        const uint64_t found = row.piece == NULL ? UINT64_MAX : stoa_memtable_sequence(&row);
        if (end > 0 && (found != expected || (row.piece != NULL && !is_whole(shared, &row, id)))) {
            atomic_fetch_add(&shared->failures, 1);
        }
        if (++round % 16 == 0) {
            stoa_memtable_order *order;
            if (stoa_memtable_order_of(shared->table, &order, &err) != STOA_OK ||
                (uint64_t)order->count < end) {
                atomic_fetch_add(&shared->failures, 1);
                break;
            }
            stoa_memtable_order_close(order);
        }
    } while (end < (uint64_t)BATCHES * BATCH_ROWS);
    stoa_buffer_release(&key);
    return NULL;
}

static void add_batch(struct shared *shared, uint64_t sequence) {
    int32_t ids[BATCH_ROWS];
    int64_t values[BATCH_ROWS];
    struct ArrowArray batch;
    stoa_error err;
    for (uint64_t row = 0; row < BATCH_ROWS; row++) {
        ids[row] = id_of(sequence + row);
        values[row] = value_of(sequence + row);
    }
    table_batch(&shared->format, ids, values, BATCH_ROWS, &batch);
    assert_ok(stoa_memtable_append(shared->table, &batch, STOA_OPERATION_PUT, sequence, &err), err);
    atomic_store_explicit(&shared->published, sequence + BATCH_ROWS, memory_order_release);
}

static void add_rows(struct shared *shared, uint64_t sequence) {
    for (uint64_t end = sequence + BATCH_ROWS; sequence < end; sequence++) {
        stoa_cell cells[3];
        char text[32];
        stoa_error err;
        table_cells(&shared->format, id_of(sequence), value_of(sequence), text, cells);
        assert_ok(stoa_memtable_stage_row(shared->table, cells, STOA_OPERATION_PUT, sequence, &err),
                  err);
        stoa_memtable_publish(shared->table);
        atomic_store_explicit(&shared->published, sequence + 1, memory_order_release);
    }
}

/* Of ids that no row has, so that rows are found all the same. */
static void add_range(struct shared *shared, uint64_t sequence) {
    stoa_buffer from, to;
    stoa_error err;
    stoa_buffer_init(&from, shared->format.pool);
    stoa_buffer_init(&to, shared->format.pool);
    table_key(&shared->format, IDS, &from);
    table_key(&shared->format, 2 * IDS, &to);
    const stoa_key_range range = {.from = from.data,
                                  .from_size = from.size,
                                  .to = to.data,
                                  .to_size = to.size,
                                  .sequence = sequence + 1};
    assert_ok(stoa_memtable_stage_range(shared->table, &range, &err), err);
    stoa_memtable_publish(shared->table);
    stoa_buffer_release(&from);
    stoa_buffer_release(&to);
}

static void readers_and_a_writer(void **state) {
    struct shared shared = {.failures = 0};
    pthread_t readers[READERS];
    stoa_pool *pool = support_pool_open();
    stoa_error err;
    (void)state;
    table_format_open(pool, false, &shared.format);
    assert_ok(stoa_memtable_create(pool, &shared.format.layout, &shared.table, &err), err);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_rows, &shared), 0);
    }
    for (uint64_t i = 0; i < BATCHES; i++) {
        const uint64_t sequence = i * BATCH_ROWS;
        add_range(&shared, sequence);
        if (i / 8 % 2 == 0) {
            add_batch(&shared, sequence);
        } else {
            add_rows(&shared, sequence);
        }
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    assert_int_equal(shared.failures, 0);
    stoa_memtable_close(shared.table);
    table_format_close(&shared.format);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_and_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
