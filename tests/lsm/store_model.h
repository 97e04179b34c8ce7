/* A store beside a model of it (model_rows.h): opened, written to, and looked at in every way.
 *
 * Nothing here asserts: what is wrong is told as an error, so that a driver can shrink the history. */
#ifndef STOA_TESTS_LSM_STORE_MODEL_H
#define STOA_TESTS_LSM_STORE_MODEL_H

#include <inttypes.h>
#include <stdio.h>

#include "arrow/array.h"
#include "arrow/stream.h"
#include "lsm/cell.h"
#include "lsm/store.h"
#include "model_rows.h"
#include "sched/sched.h"

/* ---- The store -------------------------------------------------------------------------------- */

struct model_store {
    stoa_pool *pool;
    stoa_sched *sched;
    stoa_fs_registry *file_systems;
    const char *directory;
    const char *boot;
    stoa_state_options settings;
    const struct model_keys *keys;
    _Atomic int64_t now_ms; /* compactions look at it too */
    stoa_store *store;
    stoa_state *tables[MODEL_TABLES];
    int64_t ids[MODEL_TABLES];
    int64_t next_id;
};

static inline int64_t model_clock(void *user) {
    return ((struct model_store *)user)->now_ms;
}

static inline stoa_status model_create_table(struct model_store *store, int table,
                                             stoa_error *err) {
    const struct model_kind *kind = &MODEL_KINDS[table];
    const stoa_state_table_options options = {.key = kind->key,
                                              .merge = MODEL_MERGE,
                                              .ttl_column = kind->ttl_ms > 0 ? "at" : NULL,
                                              .ttl_ms = kind->ttl_ms,
                                              .compaction = kind->compaction,
                                              .codec = kind->codec};
    const stoa_schema *schema = NULL;
    char text[256];
    (void)snprintf(text, sizeof text, "%s, %s", kind->key_schema, MODEL_VALUE_SCHEMA);
    STOA_TRY(stoa_schema_parse(store->pool, text, &schema, err));
    store->ids[table] = ++store->next_id;
    const stoa_status status = stoa_store_create_table(store->store, store->ids[table], schema,
                                                       &options, err);
    stoa_schema_close(schema);
    return status;
}

/* Makes the tables that are missing: the first opening gives them the ids from 1 on. */
static inline stoa_status model_store_open(struct model_store *store, stoa_error *err) {
    const stoa_store_options options = {.context = {.pool = store->pool, .sched = store->sched},
                                        .file_systems = store->file_systems,
                                        .directory = store->directory,
                                        .create = true,
                                        .boot = store->boot,
                                        .settings = store->settings};
    STOA_TRY(stoa_store_open(&options, &store->store, err));
    for (int i = 0; i < MODEL_TABLES; i++) {
        stoa_status status = store->ids[i] == 0 ? STOA_NOT_FOUND
                                                : stoa_store_open_table(store->store, store->ids[i],
                                                                        &store->tables[i], err);
        if (status == STOA_NOT_FOUND) {
            STOA_TRY(model_create_table(store, i, err));
            status = stoa_store_open_table(store->store, store->ids[i], &store->tables[i], err);
        }
        STOA_TRY(status);
    }
    return STOA_OK;
}

static inline void model_store_close(struct model_store *store) {
    for (int i = 0; i < MODEL_TABLES; i++) {
        stoa_state_close(store->tables[i]);
        store->tables[i] = NULL;
    }
    stoa_store_close(store->store);
    store->store = NULL;
}

/* ---- Looking ---------------------------------------------------------------------------------- */

static inline bool model_same_cell(const stoa_cell *expected, const stoa_cell *found, char type) {
    if (expected->is_null || found->is_null) {
        return expected->is_null == found->is_null;
    }
    return type == 's' || type == 'b' ? model_compare_bytes(expected, found) == 0
           : type == 'd'              ? expected->f == found->f
                                      : expected->i == found->i;
}

/* All cells of a row; tells the first that is wrong. */
static inline stoa_status model_check_row(const struct model_store *store,
                                          const struct model *model, int table, int key,
                                          const stoa_cell *found, stoa_error *err) {
    stoa_cell expected[MODEL_PARTS + MODEL_VALUES];
    const int32_t parts = model_part_count(table);
    model_cells(store->keys, table, key, &model->rows[table][key], expected);
    for (int32_t i = 0; i < parts + MODEL_VALUES; i++) {
        const char type = i < parts ? MODEL_KINDS[table].types[i] : "lldsl"[i - parts];
        if (!model_same_cell(&expected[i], &found[i], type)) {
            return stoa_fail(err, STOA_INTERNAL,
                             "table %d, key %d, column %" PRId32 ": expected %d %" PRId64
                             " %g %zu bytes but found %d %" PRId64 " %g %zu bytes",
                             table, key, i, expected[i].is_null, expected[i].i, expected[i].f,
                             expected[i].size, found[i].is_null, found[i].i, found[i].f,
                             found[i].size);
        }
    }
    return STOA_OK;
}

static inline stoa_status model_check_get(const struct model_store *store,
                                          const struct model *model, int table, int key,
                                          const stoa_state_snapshot *snapshot, stoa_error *err) {
    stoa_cell cells[MODEL_PARTS];
    stoa_row *row = NULL;
    bool found = false;
    stoa_status status = STOA_OK;
    const bool expected = model_is_seen(model, table, key, store->now_ms);
    model_key_cells(store->keys, table, key, cells);
    STOA_TRY(stoa_row_create(store->tables[table], NULL, &row, err));
    STOA_CHECK(stoa_state_get(store->tables[table], cells, snapshot, row, &found, err));
    if (found != expected) {
        status = stoa_fail(err, STOA_INTERNAL, "table %d, key %d: expected %d but found %d rows",
                           table, key, expected, found);
    } else if (found) {
        status = model_check_row(store, model, table, key, stoa_row_cells(row), err);
    }

done:
    stoa_row_close(row);
    return status;
}

/* The next of the keys that a scan gives. */
struct model_cursor {
    const struct model *model;
    int table;
    stoa_state_scan_options options;
    int64_t now_ms;
    int64_t least_total; /* INT64_MIN: all rows */
    int next;
    int64_t given;
};

static inline void model_cursor_init(struct model_cursor *cursor, const struct model *model,
                                     int table, const stoa_state_scan_options *options,
                                     int64_t now_ms) {
    *cursor = (struct model_cursor){.model = model,
                                    .table = table,
                                    .options = *options,
                                    .now_ms = now_ms,
                                    .least_total = INT64_MIN};
    cursor->next = options->reverse ? MODEL_KEYS - 1 : 0;
}

static inline bool model_is_scanned(const struct model_keys *keys,
                                    const struct model_cursor *cursor, int key) {
    const stoa_state_scan_options *options = &cursor->options;
    const struct model_row *row = &cursor->model->rows[cursor->table][key];
    stoa_cell cells[MODEL_PARTS];
    model_key_cells(keys, cursor->table, key, cells);
    const int behind = model_compare(cursor->table, cells, options->to, options->to_count);
    return model_is_seen(cursor->model, cursor->table, key, cursor->now_ms) &&
           model_compare(cursor->table, cells, options->from, options->from_count) >= 0 &&
           (options->to_count == 0 || behind < 0 || (behind == 0 && options->to_included)) &&
           (cursor->least_total == INT64_MIN ||
            (!row->values[VALUE_TOTAL].is_null &&
             row->values[VALUE_TOTAL].i >= cursor->least_total));
}

/* -1: no more. */
static inline int model_cursor_next(const struct model_keys *keys, struct model_cursor *cursor) {
    if (cursor->options.limit > 0 && cursor->given == cursor->options.limit) {
        return -1;
    }
    while (cursor->next >= 0 && cursor->next < MODEL_KEYS) {
        const int key = cursor->next;
        cursor->next += cursor->options.reverse ? -1 : 1;
        if (model_is_scanned(keys, cursor, key)) {
            cursor->given++;
            return key;
        }
    }
    return -1;
}

/* The rows of a batch against what comes next. */
static inline stoa_status model_check_batch(const struct model_store *store,
                                            struct model_cursor *cursor,
                                            const struct ArrowArray *batch, stoa_error *err) {
    const stoa_schema *schema = stoa_state_schema(store->tables[cursor->table]);
    stoa_cell cells[MODEL_PARTS + MODEL_VALUES];
    for (int64_t row = 0; row < batch->length; row++) {
        const int key = model_cursor_next(store->keys, cursor);
        if (key < 0) {
            return stoa_fail(err, STOA_INTERNAL,
                             "table %d: expected %" PRId64 " rows but found more", cursor->table,
                             cursor->given);
        }
        for (int64_t i = 0; i < batch->n_children; i++) {
            stoa_cell_from_array(&schema->root.children[i].type, batch->children[i], row,
                                 &cells[i]);
        }
        STOA_TRY(model_check_row(store, cursor->model, cursor->table, key, cells, err));
    }
    return STOA_OK;
}

static inline stoa_status model_check_end(const struct model_store *store,
                                          struct model_cursor *cursor, stoa_error *err) {
    const int key = model_cursor_next(store->keys, cursor);
    return key < 0
               ? STOA_OK
               : stoa_fail(err, STOA_INTERNAL,
                           "table %d: expected key %d behind %" PRId64 " rows but found the end",
                           cursor->table, key, cursor->given - 1);
}

static inline stoa_status model_check_scan(const struct model_store *store,
                                           struct model_cursor *cursor, stoa_error *err) {
    struct ArrowArrayStream rows = {.release = NULL};
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_state_scan(store->tables[cursor->table], &cursor->options, &rows, err));
    for (;;) {
        struct ArrowArray batch;
        STOA_CHECK(stoa_stream_next(&rows, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        status = model_check_batch(store, cursor, &batch, err);
        stoa_arrow_array_release(&batch);
        STOA_CHECK(status);
    }
    status = model_check_end(store, cursor, err);

done:
    stoa_arrow_stream_release(&rows);
    return status;
}

/* A table as it is at a snapshot (nullable), by gets and by scans both ways. */
static inline stoa_status model_check_table(const struct model_store *store,
                                            const struct model *model, int table,
                                            const stoa_state_snapshot *snapshot, stoa_error *err) {
    for (int key = 0; key < MODEL_KEYS; key++) {
        STOA_TRY(model_check_get(store, model, table, key, snapshot, err));
    }
    for (int i = 0; i < 2; i++) {
        const stoa_state_scan_options options = {.reverse = i == 1, .snapshot = snapshot};
        struct model_cursor cursor;
        model_cursor_init(&cursor, model, table, &options, store->now_ms);
        STOA_TRY(model_check_scan(store, &cursor, err));
    }
    return STOA_OK;
}

static inline stoa_status model_check(const struct model_store *store, const struct model *model,
                                      stoa_error *err) {
    for (int table = 0; table < MODEL_TABLES; table++) {
        STOA_TRY(model_check_table(store, model, table, NULL, err));
    }
    return STOA_OK;
}

/* ---- Writing ---------------------------------------------------------------------------------- */

/* One write of a key. Tables whose rows expire take no operands: whether a base that has expired since
 * still counts depends on when it is compacted. */
typedef enum model_operation { MODEL_PUT, MODEL_MERGED, MODEL_DELETE } model_operation;

struct model_write {
    model_operation operation;
    int table;
    int key;
    struct model_row row;
};

static inline void model_write_make(const struct model_store *store, const struct model *model,
                                    model_operation operation, int table, int key, uint64_t seed,
                                    struct model_write *out) {
    const bool is_put = operation == MODEL_MERGED && MODEL_KINDS[table].ttl_ms > 0;
    *out = (struct model_write){is_put ? MODEL_PUT : operation, table, key, {.is_there = false}};
    if (operation != MODEL_DELETE) {
        model_values(seed, store->now_ms, &out->row);
        model_fit_operand(&model->rows[table][key], &out->row);
    }
}

static inline void model_write_apply(struct model *model, const struct model_write *write) {
    struct model_row *row = &model->rows[write->table][write->key];
    if (write->operation == MODEL_MERGED) {
        model_merge(row, &write->row);
    } else {
        *row = write->row;
    }
}

static inline stoa_status model_write_alone(const struct model_store *store,
                                            const struct model_write *write,
                                            stoa_durability durability, stoa_error *err) {
    stoa_state *state = store->tables[write->table];
    stoa_cell cells[MODEL_PARTS + MODEL_VALUES];
    model_cells(store->keys, write->table, write->key, &write->row, cells);
    switch (write->operation) {
    case MODEL_PUT: return stoa_state_put(state, cells, durability, err);
    case MODEL_MERGED: return stoa_state_merge(state, cells, durability, err);
    case MODEL_DELETE: return stoa_state_delete(state, cells, durability, err);
    }
    return STOA_OK;
}

static inline stoa_status model_write_add(const struct model_store *store,
                                          const struct model_write *write, stoa_state_batch *batch,
                                          stoa_error *err) {
    stoa_state *state = store->tables[write->table];
    stoa_cell cells[MODEL_PARTS + MODEL_VALUES];
    model_cells(store->keys, write->table, write->key, &write->row, cells);
    switch (write->operation) {
    case MODEL_PUT: return stoa_state_batch_put(batch, state, cells, err);
    case MODEL_MERGED: return stoa_state_batch_merge(batch, state, cells, err);
    case MODEL_DELETE: return stoa_state_batch_delete(batch, state, cells, err);
    }
    return STOA_OK;
}

/* Several writes over all tables, from a seed, to the store and to the model. */
static inline stoa_status model_write_batch(const struct model_store *store, struct model *model,
                                            uint64_t seed, stoa_durability durability,
                                            stoa_error *err) {
    support_random random = {seed};
    stoa_state_batch *batch = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_state_batch_create(store->tables[0], &batch, err));
    for (uint64_t left = 1 + support_random_below(&random, MODEL_BATCH); left > 0; left--) {
        struct model_write write;
        model_write_make(store, model, (model_operation)support_random_below(&random, 3),
                         (int)support_random_below(&random, MODEL_TABLES),
                         (int)support_random_below(&random, MODEL_KEYS),
                         support_random_u64(&random), &write);
        model_write_apply(model, &write);
        STOA_CHECK(model_write_add(store, &write, batch, err));
    }
    status = stoa_state_batch_commit(batch, durability, err);

done:
    stoa_state_batch_close(batch);
    return status;
}

/* The keys [from, to) by rank; `to` MODEL_KEYS: to the end. */
static inline stoa_status model_delete_range(const struct model_store *store, struct model *model,
                                             int table, int from, int to,
                                             stoa_durability durability, stoa_error *err) {
    stoa_cell cells[2][MODEL_PARTS];
    const int32_t parts = model_part_count(table);
    model_key_cells(store->keys, table, from, cells[0]);
    model_key_cells(store->keys, table, to < MODEL_KEYS ? to : 0, cells[1]);
    for (int key = from; key < to; key++) {
        model->rows[table][key].is_there = false;
    }
    return stoa_state_delete_range(store->tables[table], cells[0], from == 0 ? 0 : parts, cells[1],
                                   to == MODEL_KEYS ? 0 : parts, durability, err);
}

#endif
