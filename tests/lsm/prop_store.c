/* Random histories of a store against a model of it: writes of all kinds and durabilities over tables
 * with keys of several shapes, snapshots and iterators that are held meanwhile, flushes, compactions,
 * other processes' views, tables that are dropped and made anew, and the store closed and opened again.
 *
 * A history that goes wrong is shrunk, and printed as steps. STOA_TEST_SECONDS is how long histories are
 * tried. */
#include <stdlib.h>

#include "arrow/builder.h"
#include "base/clock.h"
#include "store_model.h"

enum { STEPS_MAX = 500, SNAPSHOTS = 3, ITERATORS = 2, SECONDS = 6, TRIES = 400, ROWS_MAX = 20 };

/* ---- Steps ------------------------------------------------------------------------------------ */

typedef enum step_kind {
    STEP_PUT,
    STEP_MERGE,
    STEP_DELETE,
    STEP_DELETE_RANGE,
    STEP_BATCH,
    STEP_SCAN,
    STEP_GET_MANY,
    STEP_FLUSH,
    STEP_COMPACT,
    STEP_COMPACT_RANGE,
    STEP_SETTLE,
    STEP_SNAPSHOT, /* taken, or looked at and given up */
    STEP_ITERATOR, /* opened, or read to its end and closed */
    STEP_READ_ONLY,
    STEP_CLOCK,
    STEP_RENEW, /* the table is dropped and made anew */
    STEP_REOPEN,
    STEP_CHECK,
    STEP_COUNT
} step_kind;

static const struct {
    const char *name;
    uint64_t weight;
} STEPS[STEP_COUNT] = {
    [STEP_PUT] = {"put", 30},          [STEP_MERGE] = {"merge", 16},
    [STEP_DELETE] = {"delete", 12},    [STEP_DELETE_RANGE] = {"delete range", 3},
    [STEP_BATCH] = {"batch", 8},       [STEP_SCAN] = {"scan", 6},
    [STEP_GET_MANY] = {"get many", 2}, [STEP_FLUSH] = {"flush", 5},
    [STEP_COMPACT] = {"compact", 2},   [STEP_COMPACT_RANGE] = {"compact range", 3},
    [STEP_SETTLE] = {"settle", 2},     [STEP_SNAPSHOT] = {"snapshot", 4},
    [STEP_ITERATOR] = {"iterator", 3}, [STEP_READ_ONLY] = {"read only", 1},
    [STEP_CLOCK] = {"clock", 3},       [STEP_RENEW] = {"renew", 1},
    [STEP_REOPEN] = {"reopen", 2},     [STEP_CHECK] = {"check", 2},
};

struct step {
    step_kind kind;
    int table;
    int key;
    int key_end; /* above `key` */
    stoa_durability durability;
    uint64_t seed;
};

struct history {
    struct model_keys keys;
    stoa_state_options settings;
    struct step steps[STEPS_MAX];
    int64_t count;
};

static step_kind random_kind(support_random *random) {
    uint64_t sum = 0;
    for (int i = 0; i < STEP_COUNT; i++) {
        sum += STEPS[i].weight;
    }
    uint64_t left = support_random_below(random, sum);
    int kind = 0;
    for (; left >= STEPS[kind].weight; kind++) {
        left -= STEPS[kind].weight;
    }
    return (step_kind)kind;
}

static void make_history(support_random *random, struct history *out) {
    model_keys_make(random, &out->keys);
    out->settings = (stoa_state_options){
        .memtable_bytes = 128 << 10,
        .log_segment_bytes = 64 << 10,
        .no_background = support_random_below(random, 3) == 0,
    };
    /* Histories of few keys have many versions of each. */
    const uint64_t keys = support_random_bool(random) ? MODEL_KEYS : 6;
    out->count = 20 + (int64_t)support_random_below(random, STEPS_MAX - 20);
    for (int64_t i = 0; i < out->count; i++) {
        struct step *step = &out->steps[i];
        *step = (struct step){.kind = random_kind(random), .seed = support_random_u64(random)};
        step->table = (int)support_random_below(random, MODEL_TABLES);
        step->key = (int)support_random_below(random, keys);
        step->key_end = step->key + 1 +
                        (int)support_random_below(random, (uint64_t)(MODEL_KEYS - step->key));
        step->durability = (stoa_durability)support_random_below(random, STOA_DURABILITY_SYNC + 1);
    }
}

static void print_history(const struct history *history) {
    static const char *const durabilities[] = {"default", "none", "buffered", "interval", "sync"};
    for (int64_t i = 0; i < history->count; i++) {
        const struct step *step = &history->steps[i];
        print_message("  %-14s table %d keys [%d, %d) %s, seed %" PRIu64 "\n",
                      STEPS[step->kind].name, step->table, step->key, step->key_end,
                      durabilities[step->durability], step->seed);
    }
}

/* ---- Running ---------------------------------------------------------------------------------- */

struct snapshot {
    stoa_state_snapshot *snapshot; /* NULL: none */
    struct model model;
    int64_t ids[MODEL_TABLES]; /* of the tables that it has seen */
};
struct iterator {
    stoa_state_iterator *iterator; /* NULL: none */
    struct model model;
    struct model_cursor cursor;
};
struct run {
    struct model_store store;
    struct model model;
    struct snapshot snapshots[SNAPSHOTS];
    struct iterator iterators[ITERATORS];
};

static void drop_snapshot(struct snapshot *snapshot) {
    stoa_state_snapshot_close(snapshot->snapshot);
    snapshot->snapshot = NULL;
}

static stoa_status step_snapshot(struct run *run, const struct step *step, stoa_error *err) {
    struct snapshot *snapshot = &run->snapshots[step->seed % SNAPSHOTS];
    if (snapshot->snapshot == NULL) {
        snapshot->model = run->model;
        memcpy(snapshot->ids, run->store.ids, sizeof snapshot->ids);
        return stoa_state_snapshot_create(run->store.tables[0], &snapshot->snapshot, err);
    }
    stoa_status status = STOA_OK;
    for (int table = 0; table < MODEL_TABLES && status == STOA_OK; table++) {
        if (snapshot->ids[table] == run->store.ids[table]) {
            status = model_check_table(&run->store, &snapshot->model, table, snapshot->snapshot,
                                       err);
        }
    }
    drop_snapshot(snapshot);
    return status;
}

/* Reads on to the end. */
static stoa_status read_iterator(const struct run *run, struct iterator *iterator,
                                 support_random *random, stoa_error *err) {
    for (;;) {
        struct ArrowArray batch;
        const int64_t rows = 1 + (int64_t)support_random_below(random, ROWS_MAX);
        STOA_TRY(stoa_state_iterator_next(iterator->iterator, rows, &batch, err));
        if (batch.release == NULL) {
            return model_check_end(&run->store, &iterator->cursor, err);
        }
        const stoa_status status = model_check_batch(&run->store, &iterator->cursor, &batch, err);
        stoa_arrow_array_release(&batch);
        STOA_TRY(status);
    }
}

static void close_iterator(struct iterator *iterator) {
    stoa_state_iterator_close(iterator->iterator);
    iterator->iterator = NULL;
}

static stoa_status step_iterator(struct run *run, const struct step *step, stoa_error *err) {
    struct iterator *iterator = &run->iterators[step->seed % ITERATORS];
    support_random random = {step->seed};
    if (iterator->iterator == NULL) {
        const stoa_state_scan_options options = {.reverse = support_random_bool(&random)};
        iterator->model = run->model;
        model_cursor_init(&iterator->cursor, &iterator->model, step->table, &options,
                          run->store.now_ms);
        return stoa_state_iterator_create(run->store.tables[step->table], &options,
                                          &iterator->iterator, err);
    }
    const stoa_status status = read_iterator(run, iterator, &random, err);
    close_iterator(iterator);
    return status;
}

/* Between keys of which some parts are given, with a limit and a condition or without. */
static stoa_status step_scan(const struct run *run, const struct step *step, stoa_error *err) {
    support_random random = {step->seed};
    stoa_cell from[MODEL_PARTS], to[MODEL_PARTS];
    struct model_cursor cursor;
    char where[64];
    const uint64_t counts = (uint64_t)model_part_count(step->table) + 1;
    const bool has_where = support_random_below(&random, 3) == 0;
    model_key_cells(run->store.keys, step->table, step->key, from);
    model_key_cells(run->store.keys, step->table, step->key_end % MODEL_KEYS, to);
    stoa_state_scan_options options = {
        .from = from,
        .from_count = (int32_t)support_random_below(&random, counts),
        .to = to,
        .to_count = (int32_t)support_random_below(&random, counts),
        .to_included = support_random_bool(&random),
        .reverse = support_random_bool(&random),
        .limit = (int64_t)support_random_below(&random, 2) * 5,
    };
    const int64_t least = support_random_between(&random, -500, 500);
    (void)snprintf(where, sizeof where, "total >= %" PRId64, least);
    options.where = has_where ? where : NULL;
    model_cursor_init(&cursor, &run->model, step->table, &options, run->store.now_ms);
    cursor.least_total = has_where ? least : INT64_MIN;
    STOA_TRY(model_check_scan(&run->store, &cursor, err));
    int64_t count = 0;
    STOA_TRY(stoa_state_count(run->store.tables[step->table], &options, &count, err));
    return count == cursor.given
               ? STOA_OK
               : stoa_fail(err, STOA_INTERNAL,
                           "table %d: expected a count of %" PRId64 " but found %" PRId64,
                           step->table, cursor.given, count);
}

/* All keys of the table, in any order. */
static stoa_status make_keys(const struct run *run, int table, const int *order,
                             struct ArrowSchema *out_schema, struct ArrowArray *out,
                             stoa_error *err) {
    const stoa_schema *schema = NULL;
    stoa_builder *builder = NULL;
    stoa_status status = STOA_OK;
    out_schema->release = NULL;
    STOA_TRY(stoa_schema_parse(run->store.pool, MODEL_KINDS[table].key_schema, &schema, err));
    STOA_CHECK(stoa_schema_to_arrow(run->store.pool, schema, out_schema, err));
    STOA_CHECK(stoa_builder_create(run->store.pool, out_schema, &builder, err));
    for (int i = 0; i < MODEL_KEYS; i++) {
        stoa_cell cells[MODEL_PARTS];
        model_key_cells(run->store.keys, table, order[i], cells);
        for (int32_t k = 0; k < model_part_count(table); k++) {
            STOA_CHECK(stoa_cell_append(stoa_builder_child(builder, k), &schema->root.children[k],
                                        &cells[k], err));
        }
        STOA_CHECK(stoa_builder_finish_value(builder, err));
    }
    status = stoa_builder_finish(builder, out, err);

done:
    stoa_builder_close(builder);
    stoa_schema_close(schema);
    return status;
}

static stoa_status check_many(const struct run *run, int table, const int *order,
                              const struct ArrowArray *rows, const uint8_t *found,
                              stoa_error *err) {
    const stoa_schema *schema = stoa_state_schema(run->store.tables[table]);
    for (int i = 0; i < MODEL_KEYS; i++) {
        stoa_cell cells[MODEL_PARTS + MODEL_VALUES];
        const bool is_found = (found[i / 8] >> (i % 8) & 1) != 0;
        if (is_found != model_is_seen(&run->model, table, order[i], run->store.now_ms)) {
            return stoa_fail(err, STOA_INTERNAL, "table %d, key %d of many: found %d", table,
                             order[i], is_found);
        }
        for (int64_t k = 0; k < rows->n_children && is_found; k++) {
            stoa_cell_from_array(&schema->root.children[k].type, rows->children[k], i, &cells[k]);
        }
        if (is_found) {
            STOA_TRY(model_check_row(&run->store, &run->model, table, order[i], cells, err));
        }
    }
    return STOA_OK;
}

static stoa_status step_get_many(const struct run *run, const struct step *step, stoa_error *err) {
    support_random random = {step->seed};
    struct ArrowSchema schema;
    struct ArrowArray keys, rows;
    uint8_t found[(MODEL_KEYS + 7) / 8];
    int order[MODEL_KEYS];
    for (int i = 0; i < MODEL_KEYS; i++) {
        order[i] = (int)support_random_below(&random, MODEL_KEYS);
    }
    stoa_status status = make_keys(run, step->table, order, &schema, &keys, err);
    if (status == STOA_OK) {
        status = stoa_state_get_many(run->store.tables[step->table], &schema, &keys, NULL, NULL,
                                     NULL, &rows, found, err);
    }
    if (status == STOA_OK) {
        status = check_many(run, step->table, order, &rows, found, err);
        stoa_arrow_array_release(&rows);
    }
    stoa_arrow_schema_release(&schema);
    return status;
}

static void let_go(struct run *run) {
    for (int i = 0; i < SNAPSHOTS; i++) {
        drop_snapshot(&run->snapshots[i]);
    }
    for (int i = 0; i < ITERATORS; i++) {
        close_iterator(&run->iterators[i]);
    }
}

static stoa_status step_reopen(struct run *run, stoa_error *err) {
    let_go(run);
    model_store_close(&run->store);
    STOA_TRY(model_store_open(&run->store, err));
    return model_check(&run->store, &run->model, err);
}

static stoa_status step_renew(struct run *run, int table, stoa_error *err) {
    for (int i = 0; i < ITERATORS; i++) {
        if (run->iterators[i].iterator != NULL && run->iterators[i].cursor.table == table) {
            close_iterator(&run->iterators[i]);
        }
    }
    STOA_TRY(stoa_store_drop_table(run->store.store, run->store.ids[table], err));
    stoa_state_close(run->store.tables[table]);
    run->store.tables[table] = NULL;
    memset(run->model.rows[table], 0, sizeof run->model.rows[table]);
    STOA_TRY(model_create_table(&run->store, table, err));
    return stoa_store_open_table(run->store.store, run->store.ids[table], &run->store.tables[table],
                                 err);
}

/* What a process that only reads finds: all that went through the log. */
static stoa_status step_read_only(struct run *run, stoa_error *err) {
    struct model_store other = run->store;
    const stoa_store_options options = {
        .context = {.pool = other.pool, .sched = other.sched},
        .file_systems = other.file_systems,
        .directory = other.directory,
        .read_only = true,
        .boot = other.boot,
        .settings = other.settings,
    };
    STOA_TRY(stoa_state_flush(run->store.tables[0], err)); /* and what did not */
    memset(other.tables, 0, sizeof other.tables);
    STOA_TRY(stoa_store_open(&options, &other.store, err));
    stoa_status status = STOA_OK;
    for (int i = 0; i < MODEL_TABLES && status == STOA_OK; i++) {
        status = stoa_store_open_table(other.store, other.ids[i], &other.tables[i], err);
    }
    if (status == STOA_OK) {
        status = model_check(&other, &run->model, err);
    }
    model_store_close(&other);
    return status;
}

static stoa_status step_write(struct run *run, const struct step *step, model_operation operation,
                              stoa_error *err) {
    struct model_write write;
    model_write_make(&run->store, &run->model, operation, step->table, step->key, step->seed,
                     &write);
    model_write_apply(&run->model, &write);
    return model_write_alone(&run->store, &write, step->durability, err);
}

static stoa_status step_compact_range(const struct run *run, const struct step *step,
                                      stoa_error *err) {
    stoa_cell from[MODEL_PARTS], to[MODEL_PARTS];
    const int32_t parts = model_part_count(step->table);
    model_key_cells(run->store.keys, step->table, step->key, from);
    model_key_cells(run->store.keys, step->table, step->key_end % MODEL_KEYS, to);
    return stoa_state_compact(run->store.tables[step->table], from, parts, to,
                              step->key_end < MODEL_KEYS ? parts : 0, NULL, err);
}

static stoa_status take_step(struct run *run, const struct step *step, stoa_error *err) {
    stoa_state *state = run->store.tables[step->table];
    switch (step->kind) {
    case STEP_PUT: return step_write(run, step, MODEL_PUT, err);
    case STEP_MERGE: return step_write(run, step, MODEL_MERGED, err);
    case STEP_DELETE: return step_write(run, step, MODEL_DELETE, err);
    case STEP_DELETE_RANGE:
        return model_delete_range(&run->store, &run->model, step->table, step->key, step->key_end,
                                  step->durability, err);
    case STEP_BATCH:
        return model_write_batch(&run->store, &run->model, step->seed, step->durability, err);
    case STEP_SCAN: return step_scan(run, step, err);
    case STEP_GET_MANY: return step_get_many(run, step, err);
    case STEP_FLUSH: return stoa_state_flush(state, err);
    case STEP_COMPACT: return stoa_state_compact(state, NULL, 0, NULL, 0, NULL, err);
    case STEP_COMPACT_RANGE: return step_compact_range(run, step, err);
    case STEP_SETTLE: return stoa_state_settle(state, err);
    case STEP_SNAPSHOT: return step_snapshot(run, step, err);
    case STEP_ITERATOR: return step_iterator(run, step, err);
    case STEP_READ_ONLY: return step_read_only(run, err);
    case STEP_CLOCK: run->store.now_ms += (int64_t)(step->seed % MODEL_TTL_MS); return STOA_OK;
    case STEP_RENEW: return step_renew(run, step->table, err);
    case STEP_REOPEN: return step_reopen(run, err);
    case STEP_CHECK: return model_check(&run->store, &run->model, err);
    case STEP_COUNT: break;
    }
    return STOA_OK;
}

static stoa_status take_steps(struct run *run, const struct history *history, stoa_error *err) {
    STOA_TRY(model_store_open(&run->store, err));
    for (int64_t i = 0; i < history->count; i++) {
        const stoa_status status = take_step(run, &history->steps[i], err);
        if (status != STOA_OK) {
            stoa_wrap(err, "step %" PRId64, i);
            return status;
        }
    }
    return step_reopen(run, err);
}

/* On a machine of its own. */
static stoa_status run_history(const struct history *history, stoa_error *err) {
    struct run *run = calloc(1, sizeof *run);
    stoa_error own;
    assert_non_null(run);
    struct model_store *store = &run->store;
    *store = (struct model_store){.pool = support_pool_open(),
                                  .directory = "memory:/db/state",
                                  .settings = history->settings,
                                  .keys = &history->keys,
                                  .now_ms = 1000000};
    store->settings.clock_ms = model_clock;
    store->settings.clock_user = store;
    const stoa_sched_options threads = {.threads = 2};
    assert_ok(stoa_sched_create(store->pool, &threads, &store->sched, &own), own);
    assert_ok(stoa_fs_registry_create(store->pool, &store->file_systems, &own), own);
    const stoa_status status = take_steps(run, history, err);
    let_go(run);
    model_store_close(store);
    stoa_sched_close(store->sched);
    stoa_fs_registry_close(store->file_systems);
    support_pool_close(store->pool);
    free(run);
    return status;
}

/* ---- Shrinking -------------------------------------------------------------------------------- */

/* Leaves out ever smaller parts as long as what remains still goes wrong. */
static void shrink(struct history *history) {
    struct history *less = malloc(sizeof *less);
    stoa_error err;
    int tries = 0;
    assert_non_null(less);
    for (int64_t part = history->count / 2; part > 0; part /= 2) {
        for (int64_t at = 0; at < history->count && tries < TRIES; tries++) {
            const int64_t end = at + part < history->count ? at + part : history->count;
            *less = *history;
            memmove(&less->steps[at], &history->steps[end],
                    (size_t)(history->count - end) * sizeof *less->steps);
            less->count -= end - at;
            if (run_history(less, &err) != STOA_OK) {
                *history = *less;
            } else {
                at = end;
            }
        }
    }
    free(less);
}

static void fail_history(struct history *history, const stoa_error *first) {
    stoa_error err;
    print_error("%s\n", first->message);
    shrink(history);
    print_message("shrunk to %" PRId64 " steps%s:\n", history->count,
                  history->settings.no_background ? ", nothing in the background" : "");
    print_history(history);
    fail_msg("%s", run_history(history, &err) == STOA_OK ? first->message : err.message);
}

static int64_t seconds_to_run(void) {
    const char *text = getenv("STOA_TEST_SECONDS");
    return text != NULL && text[0] != '\0' ? strtoll(text, NULL, 10) : SECONDS;
}

static void test_stores_are_as_their_model(void **state) {
    const int64_t end = stoa_clock_monotonic_ns() + seconds_to_run() * 1000000000;
    support_random random = support_random_open("lsm.prop_store");
    struct history *history = calloc(1, sizeof *history);
    int64_t histories = 0, steps = 0;
    (void)state;
    assert_non_null(history);
    do {
        stoa_error err;
        make_history(&random, history);
        if (run_history(history, &err) != STOA_OK) {
            fail_history(history, &err);
        }
        histories++;
        steps += history->count;
    } while (stoa_clock_monotonic_ns() < end);
    print_message("%" PRId64 " histories of %" PRId64 " steps\n", histories, steps);
    free(history);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stores_are_as_their_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
