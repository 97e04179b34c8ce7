/* One thread adds rows while others get and order them: what was published is always found, and a
 * snapshot never changes. */
#include <pthread.h>

#include "lsm/memtable.h"
#include "table_rows.h"

enum { READERS = 3, BATCHES = 200, BATCH_ROWS = 64, IDS = 300 };

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

/* The newest row of an id below `end`, or UINT64_MAX. */
static uint64_t newest(int32_t id, uint64_t end) {
    while (end > 0 && id_of(end - 1) != id) {
        end--;
    }
    return end == 0 ? UINT64_MAX : end - 1;
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
        const uint64_t found = row.piece == NULL ? UINT64_MAX : stoa_memtable_sequence(&row);
        if (end > 0 && found != expected) {
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
    uint64_t sequence = 0;
    for (int i = 0; i < BATCHES; i++) {
        int32_t ids[BATCH_ROWS];
        int64_t values[BATCH_ROWS] = {0};
        struct ArrowArray batch;
        for (int row = 0; row < BATCH_ROWS; row++) {
            ids[row] = id_of(sequence + (uint64_t)row);
        }
        table_batch(&shared.format, ids, values, BATCH_ROWS, &batch);
        assert_ok(stoa_memtable_append(shared.table, &batch, STOA_OPERATION_PUT, sequence, &err),
                  err);
        sequence += BATCH_ROWS;
        atomic_store_explicit(&shared.published, sequence, memory_order_release);
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
