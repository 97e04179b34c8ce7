/* Optimistic transactions.
 *
 * A transaction holds a snapshot, its writes as a list, and for each table a memtable of them that is
 * laid over what the snapshot sees (transaction_read.c). Every key that it wrote or read for update is
 * kept; the commit looks under the commit lock whether one of them was changed after the snapshot, and
 * hands the writes to the store as one commit. Savepoints are lengths of the lists: going back cuts
 * them and makes the memtables anew. */
#include "lsm/transaction.h"

#include <inttypes.h>

#include "lsm/newest.h"
#include "lsm/row_cells.h"
#include "mem/resource.h"

#define LIST(type, buffer) ((type *)(void *)(buffer).data)
#define LENGTH(type, buffer) ((int64_t)((buffer).size / sizeof(type)))

/* ---- Begin and end ---------------------------------------------------------------------------- */

/* Gives back what reads. */
static void end(void *owner) {
    stoa_state_transaction *transaction = owner;
    for (int64_t i = 0; i < LENGTH(struct transaction_table *, transaction->tables); i++) {
        struct transaction_table *table = LIST(struct transaction_table *, transaction->tables)[i];
        stoa_state_view_release(table->view);
        stoa_state_view_release(table->source);
        table->view = table->source = NULL;
    }
    transaction->has_ended = true;
}

static void release_table(struct transaction_table *table) {
    stoa_memtable_close(table->own);
    stoa_definition_release(table->definition);
    stoa_state_release(table->state);
}

void stoa_state_transaction_close(stoa_state_transaction *transaction) {
    if (transaction == NULL) {
        return;
    }
    stoa_store *store = transaction->store;
    stoa_resource_leave(transaction->resource);
    end(transaction);
    for (int64_t i = 0; i < LENGTH(struct transaction_table *, transaction->tables); i++) {
        release_table(LIST(struct transaction_table *, transaction->tables)[i]);
    }
    stoa_state_snapshot_close(transaction->snapshot);
    stoa_buffer_release(&transaction->tables);
    stoa_buffer_release(&transaction->writes);
    stoa_buffer_release(&transaction->keys);
    stoa_buffer_release(&transaction->savepoints);
    stoa_buffer_release(&transaction->key);
    stoa_arena_release(&transaction->arena);
    stoa_pool_free(store->pool, transaction, sizeof *transaction);
    stoa_store_release(store);
}

stoa_status stoa_state_transaction_begin(stoa_state *state, stoa_state_transaction **out,
                                         stoa_error *err) {
    stoa_store *store = stoa_state_store(state);
    stoa_state_transaction *made = NULL;
    STOA_TRY(stoa_pool_allocate_array(store->pool, 1, sizeof *made, (void **)&made, err));
    made->store = stoa_store_retain(store);
    stoa_arena_init(&made->arena, store->pool);
    stoa_buffer_init(&made->tables, store->pool);
    stoa_buffer_init(&made->writes, store->pool);
    stoa_buffer_init(&made->keys, store->pool);
    stoa_buffer_init(&made->savepoints, store->pool);
    stoa_buffer_init(&made->key, store->pool);
    stoa_status status = stoa_state_snapshot_create(state, &made->snapshot, err);
    if (status == STOA_OK) {
        status = stoa_resource_enter(store->pool, STOA_RESOURCE_STATE, "", end, made,
                                     &made->resource, err);
    }
    if (status != STOA_OK) {
        stoa_state_transaction_close(made);
        return status;
    }
    *out = made;
    return STOA_OK;
}

/* ---- Tables ----------------------------------------------------------------------------------- */

static stoa_status add_table(stoa_state_transaction *transaction, stoa_state *state,
                             struct transaction_table **out, stoa_error *err) {
    struct transaction_table *table = NULL;
    stoa_state_view *view = NULL;
    STOA_TRY(stoa_arena_allocate(&transaction->arena, sizeof *table, (void **)&table, err));
    STOA_TRY(stoa_state_acquire_open(state, &view, err));
    stoa_status status = stoa_buffer_append(&transaction->tables, &table, sizeof table, err);
    if (status != STOA_OK) {
        stoa_state_view_release(view);
        return status;
    }
    table->source = view;
    table->state = stoa_state_retain(state);
    table->definition = stoa_definition_retain(table->source->definition);
    *out = table;
    return STOA_OK;
}

stoa_status stoa_state_transaction_use(stoa_state_transaction *transaction, stoa_state *state,
                                       struct transaction_table **out, stoa_error *err) {
    struct transaction_table **tables = LIST(struct transaction_table *, transaction->tables);
    if (transaction->has_ended) {
        return stoa_fail(err, STOA_INVALID, "the transaction has ended");
    }
    if (stoa_state_store(state) != transaction->store) {
        return stoa_fail(err, STOA_INVALID, "a table of another database");
    }
    for (int64_t i = 0; i < LENGTH(struct transaction_table *, transaction->tables); i++) {
        if (tables[i]->state == state) {
            *out = tables[i];
            return STOA_OK;
        }
    }
    return add_table(transaction, state, out, err);
}

/* ---- Writing ---------------------------------------------------------------------------------- */

static stoa_status copy_cells(stoa_arena *arena, const stoa_cell *cells, int32_t count,
                              const stoa_cell **out, stoa_error *err) {
    stoa_cell *copies = NULL;
    STOA_TRY(
        stoa_arena_allocate_array(arena, (size_t)count, sizeof *copies, (void **)&copies, err));
    for (int32_t i = 0; i < count; i++) {
        copies[i] = cells[i];
        if (!cells[i].is_null && cells[i].bytes != NULL) {
            const char *bytes;
            STOA_TRY(stoa_arena_copy_text(arena, cells[i].bytes, cells[i].size, &bytes, err));
            copies[i].bytes = bytes;
        }
    }
    *out = copies;
    return STOA_OK;
}

static stoa_status append_key(stoa_state_transaction *transaction, struct transaction_table *table,
                              stoa_error *err) {
    struct transaction_key key = {.table = table, .size = transaction->key.size};
    const char *bytes;
    STOA_TRY(stoa_arena_copy_text(&transaction->arena, (const char *)transaction->key.data,
                                  transaction->key.size, &bytes, err));
    key.bytes = (const uint8_t *)bytes;
    return stoa_buffer_append(&transaction->keys, &key, sizeof key, err);
}

stoa_status stoa_state_transaction_track(stoa_state_transaction *transaction,
                                         struct transaction_table *table, const stoa_cell *cells,
                                         bool keys_only, stoa_error *err) {
    const stoa_key_format *format = &table->definition->key;
    stoa_buffer_clear(&transaction->key);
    STOA_TRY(stoa_cells_key(format, cells, keys_only, format->part_count, &transaction->key, err));
    return append_key(transaction, table, err);
}

/* The first write of a table brings its memtable. */
static stoa_status stage(stoa_state_transaction *transaction, struct transaction_table *table,
                         const stoa_cell *cells, stoa_operation operation, stoa_error *err) {
    if (table->own == NULL) {
        STOA_TRY(stoa_memtable_create(transaction->store->pool, &table->definition->layout,
                                      &table->own, err));
        stoa_state_view_release(table->view);
        table->view = NULL;
    }
    return stoa_memtable_stage_row(table->own, cells, operation, transaction->snapshot->sequence,
                                   err);
}

/* Whatever fails, the transaction is as it was: the list of keys is cut again. */
static stoa_status write_row(stoa_state_transaction *transaction, stoa_state *state,
                             const stoa_cell *cells, stoa_operation operation, stoa_error *err) {
    const bool keys_only = operation == STOA_OPERATION_DELETE;
    const size_t key_bytes = transaction->keys.size;
    struct transaction_write write = {.operation = operation};
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_state_transaction_use(transaction, state, &write.table, err));
    const stoa_definition *definition = write.table->definition;
    STOA_CHECK(stage(transaction, write.table, cells, operation, err));
    STOA_CHECK(stoa_state_transaction_track(transaction, write.table, cells, keys_only, err));
    STOA_CHECK(
        copy_cells(&transaction->arena, cells,
                   keys_only ? definition->key.part_count : definition->schema->root.child_count,
                   &write.cells, err));
    STOA_CHECK(stoa_buffer_append(&transaction->writes, &write, sizeof write, err));
    stoa_memtable_publish(write.table->own);
    return STOA_OK;

done:
    if (write.table->own != NULL) {
        stoa_memtable_discard(write.table->own);
    }
    transaction->keys.size = key_bytes;
    return status;
}

stoa_status stoa_state_transaction_put(stoa_state_transaction *transaction, stoa_state *state,
                                       const stoa_cell *row, stoa_error *err) {
    return write_row(transaction, state, row, STOA_OPERATION_PUT, err);
}

stoa_status stoa_state_transaction_merge(stoa_state_transaction *transaction, stoa_state *state,
                                         const stoa_cell *row, stoa_error *err) {
    return write_row(transaction, state, row, STOA_OPERATION_MERGE, err);
}

stoa_status stoa_state_transaction_delete(stoa_state_transaction *transaction, stoa_state *state,
                                          const stoa_cell *key, stoa_error *err) {
    return write_row(transaction, state, key, STOA_OPERATION_DELETE, err);
}

/* ---- Savepoints ------------------------------------------------------------------------------- */

stoa_status stoa_state_transaction_savepoint(stoa_state_transaction *transaction, int32_t *out,
                                             stoa_error *err) {
    const struct transaction_savepoint made = {transaction->writes.size, transaction->keys.size};
    const int64_t number = LENGTH(struct transaction_savepoint, transaction->savepoints);
    if (transaction->has_ended) {
        return stoa_fail(err, STOA_INVALID, "the transaction has ended");
    }
    if (number == INT32_MAX) {
        return stoa_fail(err, STOA_LIMIT, "a transaction has at most %d savepoints", INT32_MAX);
    }
    STOA_TRY(stoa_buffer_append(&transaction->savepoints, &made, sizeof made, err));
    *out = (int32_t)number;
    return STOA_OK;
}

/* Memtables of the first `count` writes, in the order of the tables, in `out`; NULL where a table has
 * none. */
static stoa_status make_memtables(stoa_state_transaction *transaction, int64_t count,
                                  stoa_memtable **out, stoa_error *err) {
    struct transaction_table **tables = LIST(struct transaction_table *, transaction->tables);
    const struct transaction_write *writes = LIST(struct transaction_write, transaction->writes);
    for (int64_t t = 0; t < LENGTH(struct transaction_table *, transaction->tables); t++) {
        if (tables[t]->own == NULL) {
            continue;
        }
        STOA_TRY(stoa_memtable_create(transaction->store->pool, &tables[t]->definition->layout,
                                      &out[t], err));
        for (int64_t i = 0; i < count; i++) {
            if (writes[i].table == tables[t]) {
                STOA_TRY(stoa_memtable_stage_row(out[t], writes[i].cells, writes[i].operation,
                                                 transaction->snapshot->sequence, err));
            }
        }
        stoa_memtable_publish(out[t]);
    }
    return STOA_OK;
}

static void put_memtables(stoa_state_transaction *transaction, stoa_memtable **memtables) {
    struct transaction_table **tables = LIST(struct transaction_table *, transaction->tables);
    for (int64_t t = 0; t < LENGTH(struct transaction_table *, transaction->tables); t++) {
        stoa_memtable *before = tables[t]->own;
        stoa_state_view_release(tables[t]->view);
        tables[t]->view = NULL;
        tables[t]->own = memtables[t];
        memtables[t] = before;
    }
}

stoa_status stoa_state_transaction_rollback_to(stoa_state_transaction *transaction,
                                               int32_t savepoint, stoa_error *err) {
    const int64_t table_count = LENGTH(struct transaction_table *, transaction->tables);
    const struct transaction_savepoint *list = LIST(struct transaction_savepoint,
                                                    transaction->savepoints);
    stoa_memtable **memtables = NULL;
    stoa_status status = STOA_OK;
    if (transaction->has_ended) {
        return stoa_fail(err, STOA_INVALID, "the transaction has ended");
    }
    if (savepoint < 0 ||
        savepoint >= LENGTH(struct transaction_savepoint, transaction->savepoints)) {
        return stoa_fail(err, STOA_NOT_FOUND, "savepoint %" PRId32 ": expected one that was set",
                         savepoint);
    }
    STOA_TRY(stoa_pool_allocate_array(transaction->store->pool, (size_t)table_count,
                                      sizeof(stoa_memtable *), (void **)&memtables, err));
    const struct transaction_savepoint to = list[savepoint];
    if (to.write_bytes < transaction->writes.size) {
        STOA_CHECK(make_memtables(transaction,
                                  (int64_t)(to.write_bytes / sizeof(struct transaction_write)),
                                  memtables, err));
        put_memtables(transaction, memtables);
    }
    transaction->writes.size = to.write_bytes;
    transaction->keys.size = to.key_bytes;
    transaction->savepoints.size = (size_t)(savepoint + 1) * sizeof to;

done:
    for (int64_t t = 0; t < table_count; t++) {
        stoa_memtable_close(memtables[t]);
    }
    stoa_pool_free(transaction->store->pool, memtables,
                   (size_t)table_count * sizeof(stoa_memtable *));
    return status;
}

/* ---- Commit ----------------------------------------------------------------------------------- */

static stoa_status check_table(stoa_state_transaction *transaction,
                               const struct transaction_table *table, const stoa_state_view *view,
                               stoa_error *err) {
    const struct transaction_key *keys = LIST(struct transaction_key, transaction->keys);
    for (int64_t i = 0; i < LENGTH(struct transaction_key, transaction->keys); i++) {
        uint64_t newer = 0;
        if (keys[i].table != table) {
            continue;
        }
        STOA_TRY(stoa_state_view_newer(view, keys[i].bytes, keys[i].size,
                                       transaction->snapshot->sequence, &newer, err));
        if (newer > 0) {
            transaction->conflict = &keys[i];
            return stoa_fail(err, STOA_CONFLICT, "changed since the transaction began");
        }
    }
    return STOA_OK;
}

/* Under the commit lock: nobody writes, and views have all that was written. */
static stoa_status check_keys(void *user, uint64_t last_sequence, stoa_error *err) {
    stoa_state_transaction *transaction = user;
    struct transaction_table **tables = LIST(struct transaction_table *, transaction->tables);
    if (last_sequence == transaction->snapshot->sequence) {
        return STOA_OK;
    }
    for (int64_t t = 0; t < LENGTH(struct transaction_table *, transaction->tables); t++) {
        stoa_state_view *view = NULL;
        STOA_TRY(stoa_state_acquire_open(tables[t]->state, &view, err));
        const stoa_status status = check_table(transaction, tables[t], view, err);
        stoa_state_view_release(view);
        STOA_TRY(status);
    }
    return STOA_OK;
}

/* "table 3: key (7, "bob")", without any lock. */
static void describe_conflict(const stoa_state_transaction *transaction, stoa_error *err) {
    const struct transaction_key *key = transaction->conflict;
    stoa_buffer text;
    const char *shown = "";
    stoa_buffer_init(&text, transaction->store->pool);
    if (stoa_key_print(&key->table->definition->key, transaction->store->pool, key->bytes,
                       key->size, &text, NULL) == STOA_OK &&
        stoa_buffer_text(&text, &shown, NULL) == STOA_OK) {
        stoa_wrap(err, "key %s", shown);
    }
    stoa_wrap(err, "table %" PRId64, key->table->state->id);
    stoa_buffer_release(&text);
}

static stoa_status commit_writes(stoa_state_transaction *transaction, stoa_durability durability,
                                 stoa_error *err) {
    const struct transaction_write *list = LIST(struct transaction_write, transaction->writes);
    const int64_t count = LENGTH(struct transaction_write, transaction->writes);
    stoa_pool *pool = transaction->store->pool;
    stoa_write *writes = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, (size_t)count, sizeof *writes, (void **)&writes, err));
    for (int64_t i = 0; i < count; i++) {
        writes[i].kind = STOA_WRITE_ROW;
        writes[i].operation = list[i].operation;
        writes[i].state = list[i].table->state;
        writes[i].definition = list[i].table->definition;
        writes[i].cells = list[i].cells;
    }
    const stoa_status status = stoa_store_commit(transaction->store, writes, count, check_keys,
                                                 transaction, durability, NULL, err);
    stoa_pool_free(pool, writes, (size_t)count * sizeof *writes);
    return status;
}

stoa_status stoa_state_transaction_commit(stoa_state_transaction *transaction,
                                          stoa_durability durability, stoa_error *err) {
    stoa_status status = STOA_OK;
    if (transaction->has_ended) {
        return stoa_fail(err, STOA_INVALID, "the transaction has ended");
    }
    transaction->conflict = NULL;
    if (transaction->writes.size > 0) {
        status = commit_writes(transaction, durability, err);
    }
    if (transaction->conflict != NULL) {
        describe_conflict(transaction, err);
    }
    transaction->has_ended = status == STOA_OK || status == STOA_CONFLICT;
    return status;
}
