/* A memtable is flushed by several threads while others look keys up in it. */
#include <pthread.h>

#include "flushed.h"
#include "lsm/flush.h"

enum { READERS = 2, ROWS = 30000, FLUSHES = 3 };

struct shared {
    support_world world;
    struct table_format format;
    stoa_definition *definition;
    stoa_memtable *table;
    _Atomic uint64_t file_number;
    _Atomic bool done;
    _Atomic int failures;
};

static void *read_rows(void *user) {
    struct shared *shared = user;
    stoa_buffer key;
    stoa_error err;
    stoa_buffer_init(&key, shared->world.pool);
    for (int32_t id = 0; !atomic_load(&shared->done); id = (id + 1) % ROWS) {
        stoa_memtable_row row;
        stoa_cell cells[2];
        table_key(&shared->format, id, &key);
        if (stoa_memtable_get(shared->table, key.data, key.size, UINT64_MAX, &row, &err) !=
                STOA_OK ||
            row.piece == NULL) {
            atomic_fetch_add(&shared->failures, 1);
            break;
        }
        stoa_memtable_cells(shared->table, &row, NULL, 2, cells);
        if (cells[1].i != id) {
            atomic_fetch_add(&shared->failures, 1);
        }
    }
    stoa_buffer_release(&key);
    return NULL;
}

static void fill(struct shared *shared) {
    static int32_t ids[ROWS / 2];
    static int64_t values[ROWS / 2];
    struct ArrowArray batch;
    stoa_error err;
    for (int32_t i = 0; i < ROWS / 2; i++) {
        ids[i] = 2 * i;
        values[i] = 2 * i;
    }
    table_batch(&shared->format, ids, values, ROWS / 2, &batch);
    assert_ok(stoa_memtable_append(shared->table, &batch, STOA_OPERATION_PUT, 1, &err), err);
    for (int32_t i = ROWS / 2; i-- > 0;) {
        stoa_cell cells[3];
        char text[32];
        table_cells(&shared->format, 2 * i + 1, 2 * i + 1, text, cells);
        assert_ok(stoa_memtable_stage_row(shared->table, cells, STOA_OPERATION_PUT,
                                          (uint64_t)(ROWS + i), &err),
                  err);
    }
    stoa_memtable_publish(shared->table);
}

static void flush(struct shared *shared, stoa_sched *sched) {
    const stoa_flush_options options = {
        .context = {.pool = shared->world.pool, .sched = sched},
        .file_systems = shared->world.registry,
        .directory = FLUSHED_DIRECTORY,
        .definition = shared->definition,
        .new_file = flushed_next_file,
        .new_file_user = &shared->file_number,
    };
    struct flushed found;
    stoa_table_file *file;
    stoa_error err;
    assert_ok(stoa_flush_run(&shared->table, 1, &options, &file, &err), err);
    flushed_init(&found, shared->world.pool);
    flushed_add(file, shared->world.pool, &found);
    assert_int_equal(found.keys.count, ROWS);
    for (int64_t i = 0; i < ROWS; i++) {
        assert_int_equal(((const stoa_cell *)(const void *)found.values.data)[i].i, i);
    }
    flushed_release(&found);
    stoa_table_file_release(file);
}

static void readers_and_a_flush(void **state) {
    static struct shared shared;
    const stoa_sched_options options = {.threads = 3};
    pthread_t readers[READERS];
    stoa_sched *sched;
    stoa_error err;
    (void)state;
    support_world_open(&shared.world);
    stoa_pool *pool = shared.world.pool;
    assert_ok(stoa_vfs_make_directory(shared.world.registry, FLUSHED_DIRECTORY, NULL, &err), err);
    assert_ok(stoa_sched_create(pool, &options, &sched, &err), err);
    table_format_open(pool, false, &shared.format);
    shared.definition = flushed_definition(&shared.format);
    assert_ok(stoa_memtable_create(pool, &shared.definition->layout, &shared.table, &err), err);
    fill(&shared);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_rows, &shared), 0);
    }
    for (int i = 0; i < FLUSHES; i++) {
        flush(&shared, sched);
    }
    atomic_store(&shared.done, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    assert_int_equal(shared.failures, 0);
    stoa_memtable_close(shared.table);
    stoa_definition_release(shared.definition);
    table_format_close(&shared.format);
    stoa_sched_close(sched);
    support_world_close(&shared.world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_and_a_flush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
