/* Flushes against all rows, sorted, of which each version that nobody can read is taken away by looking
 * at every snapshot. */
#include "lsm/flush.h"

#include <stdlib.h>

#include "arrow/array.h"
#include "base/bytes.h"
#include "flushed.h"
#include "rows.h"

enum {
    ROUNDS = 40,
    MEMTABLES_MAX = 3,
    BATCH_MAX = 3000,
    ROWS_MAX = 40000,
    SNAPSHOTS_MAX = 6,
    KEY_MAX = 32
};

struct model_row {
    uint8_t key[KEY_MAX];
    size_t key_size;
    uint64_t sequence;
    stoa_operation operation;
    int64_t value;
};

struct world {
    support_world base;
    stoa_sched *sched;
    struct table_format format;
    stoa_definition *definition;
    stoa_memtable *memtables[MEMTABLES_MAX]; /* the newest first */
    int32_t memtable_count;
    struct model_row *rows;
    int64_t row_count;
    uint64_t sequence;
    uint64_t snapshots[SNAPSHOTS_MAX];
    int64_t snapshot_count;
    _Atomic uint64_t file_number;
};

/* ---- Rows ------------------------------------------------------------------------------------ */

static void remember(struct world *world, int32_t id, int64_t value, stoa_operation operation) {
    struct model_row *row = &world->rows[world->row_count++];
    stoa_buffer key;
    stoa_buffer_init(&key, world->format.pool);
    table_key(&world->format, id, &key);
    *row = (struct model_row){.key_size = key.size,
                              .sequence = world->sequence++,
                              .operation = operation,
                              .value = value};
    assert_true(key.size <= KEY_MAX);
    memcpy(row->key, key.data, key.size);
    stoa_buffer_release(&key);
}

static void add_batch(struct world *world, support_random *random, stoa_memtable *table,
                      int32_t ids_max) {
    static int32_t ids[BATCH_MAX];
    static int64_t values[BATCH_MAX];
    const int64_t count = (int64_t)support_random_below(random, BATCH_MAX);
    const stoa_operation operation = (stoa_operation)support_random_below(random, 3);
    const uint64_t first = world->sequence;
    struct ArrowArray batch;
    stoa_error err;
    for (int64_t i = 0; i < count; i++) {
        ids[i] = (int32_t)support_random_between(random, -ids_max, ids_max);
        values[i] = support_random_between(random, -1, 1000);
        remember(world, ids[i], values[i], operation);
    }
    table_batch(&world->format, ids, values, count, &batch);
    assert_ok(stoa_memtable_append(table, &batch, operation, first, &err), err);
}

static void add_row(struct world *world, support_random *random, stoa_memtable *table,
                    int32_t ids_max) {
    const int32_t id = (int32_t)support_random_between(random, -ids_max, ids_max);
    const int64_t value = support_random_between(random, -1, 1000);
    const stoa_operation operation = (stoa_operation)support_random_below(random, 3);
    stoa_cell cells[3];
    char text[32];
    stoa_error err;
    world->sequence += support_random_below(random, 2); /* another table's */
    table_cells(&world->format, id, value, text, cells);
    assert_ok(stoa_memtable_stage_row(table, cells, operation, world->sequence, &err), err);
    stoa_memtable_publish(table);
    remember(world, id, value, operation);
}

static void fill(struct world *world, support_random *random, stoa_memtable *table) {
    const int32_t ids_max = 1 << support_random_below(random, 14);
    for (uint64_t steps = support_random_below(random, 5); steps-- > 0;) {
        add_batch(world, random, table, ids_max);
        for (uint64_t i = support_random_below(random, 300); i-- > 0;) {
            add_row(world, random, table, ids_max);
        }
        if (world->snapshot_count < SNAPSHOTS_MAX - 1 && support_random_bool(random)) {
            world->snapshots[world->snapshot_count++] = world->sequence - 1;
        }
    }
}

/* ---- The reference --------------------------------------------------------------------------- */

static int compare_rows(const void *left, const void *right) {
    const struct model_row *a = left, *b = right;
    const int order = stoa_bytes_compare(a->key, a->key_size, b->key, b->key_size);
    return order != 0 ? order : (a->sequence < b->sequence) - (a->sequence > b->sequence);
}

static bool has_same_key(const struct model_row *a, const struct model_row *b) {
    return stoa_bytes_compare(a->key, a->key_size, b->key, b->key_size) == 0;
}

/* Whether a snapshot sees this version: none of those before it in the list, newer ones of its key, is
 * old enough. */
static bool is_seen(const struct world *world, int64_t index) {
    const struct model_row *rows = world->rows;
    for (int64_t i = 0; i < world->snapshot_count; i++) {
        const uint64_t snapshot = world->snapshots[i];
        bool sees = rows[index].sequence <= snapshot;
        for (int64_t newer = index;
             sees && newer-- > 0 && has_same_key(&rows[newer], &rows[index]);) {
            sees = rows[newer].sequence > snapshot;
        }
        if (sees) {
            return true;
        }
    }
    return false;
}

/* Leaves the rows that must be in the file. */
static void reduce(struct world *world) {
    struct model_row *rows = world->rows;
    qsort(rows, (size_t)world->row_count, sizeof *rows, compare_rows);
    bool *stays = calloc((size_t)world->row_count + 1, sizeof *stays);
    int64_t count = 0;
    for (int64_t i = 0; i < world->row_count; i++) {
        const bool is_newest = i == 0 || !has_same_key(&rows[i - 1], &rows[i]);
        stays[i] = is_newest || is_seen(world, i) ||
                   (stays[i - 1] && rows[i - 1].operation == STOA_OPERATION_MERGE);
    }
    for (int64_t i = 0; i < world->row_count; i++) {
        if (stays[i]) {
            rows[count++] = rows[i];
        }
    }
    world->row_count = count;
    free(stays);
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static void check(const struct world *world, const struct flushed *found) {
    const stoa_keys_view keys = stoa_keys_view_of(&found->keys);
    const uint64_t *sequences = (const uint64_t *)(const void *)found->sequences.data;
    const stoa_cell *values = (const stoa_cell *)(const void *)found->values.data;
    assert_int_equal(found->keys.count, world->row_count);
    for (int64_t i = 0; i < world->row_count; i++) {
        const struct model_row *row = &world->rows[i];
        uint8_t number[8];
        size_t size;
        const uint8_t *key = stoa_keys_bytes(&world->definition->key, &keys, i, number, &size);
        assert_int_equal(stoa_bytes_compare(key, size, row->key, row->key_size), 0);
        assert_int_equal(sequences[i], row->sequence);
        assert_int_equal(found->operations.data[i], row->operation);
        if (row->operation != STOA_OPERATION_DELETE) {
            assert_int_equal(values[i].is_null, row->value < 0);
            assert_true(row->value < 0 || values[i].i == row->value);
        }
    }
}

static void flush_and_check(struct world *world) {
    const stoa_flush_options options = {
        .context = {.pool = world->base.pool, .sched = world->sched},
        .file_systems = world->base.registry,
        .directory = FLUSHED_DIRECTORY,
        .definition = world->definition,
        .snapshots = world->snapshots,
        .snapshot_count = world->snapshot_count,
        .new_file = flushed_next_file,
        .new_file_user = &world->file_number,
    };
    struct flushed found;
    stoa_table_file *file;
    stoa_error err;
    flushed_init(&found, world->base.pool);
    assert_ok(stoa_flush_run(world->memtables, world->memtable_count, &options, &file, &err), err);
    assert_int_equal(file != NULL, world->row_count > 0);
    assert_int_equal(flushed_files(world->base.registry), world->row_count > 0);
    reduce(world);
    if (file != NULL) {
        assert_int_equal(file->info.level, 0);
        assert_int_equal(file->info.number, 1);
        assert_int_equal(file->info.expires_ms, 0);
        flushed_add(file, world->base.pool, &found);
        check(world, &found);
    }
    stoa_table_file_release(file);
    flushed_release(&found);
}

static void open_world(struct world *world, support_random *random, int round) {
    stoa_error err;
    *world = (struct world){.sequence = 1};
    support_world_open(&world->base);
    assert_ok(stoa_vfs_make_directory(world->base.registry, FLUSHED_DIRECTORY, NULL, &err), err);
    if (round % 3 > 0) {
        const stoa_sched_options options = {.threads = 3,
                                            .deterministic = round % 3 == 1,
                                            .seed = support_random_u64(random)};
        assert_ok(stoa_sched_create(world->base.pool, &options, &world->sched, &err), err);
    }
    table_format_open(world->base.pool, support_random_bool(random), &world->format);
    world->definition = flushed_definition(&world->format);
    world->memtable_count = 1 + (int32_t)support_random_below(random, MEMTABLES_MAX);
    world->rows = calloc(ROWS_MAX, sizeof *world->rows);
    for (int32_t i = world->memtable_count; i-- > 0;) {
        assert_ok(stoa_memtable_create(world->base.pool, &world->definition->layout,
                                       &world->memtables[i], &err),
                  err);
        fill(world, random, world->memtables[i]);
    }
    world->snapshots[world->snapshot_count++] = world->sequence - 1;
}

static void close_world(struct world *world) {
    for (int32_t i = 0; i < world->memtable_count; i++) {
        stoa_memtable_close(world->memtables[i]);
    }
    free(world->rows);
    stoa_definition_release(world->definition);
    table_format_close(&world->format);
    stoa_sched_close(world->sched);
    support_world_close(&world->base);
}

static void files_hold_the_rows(void **state) {
    support_random random = support_random_open("lsm.prop_flush");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct world world;
        open_world(&world, &random, round);
        flush_and_check(&world);
        close_world(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_hold_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
