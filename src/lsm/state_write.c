/* Writes as programs make them: cells and batches, alone or gathered to become visible together. */
#include "arrow/array.h"
#include "arrow/owner.h"
#include "lsm/row_cells.h"
#include "lsm/store_internal.h"
#include "schema/nulls.h"
#include "schema/schema.h"
#include "schema/validate.h"

/* ---- Preparing ------------------------------------------------------------------------------- */

static void release_write(stoa_write *write) {
    stoa_arrow_array_release(&write->batch);
    stoa_keys_release(&write->keys);
}

/* It stays as long as the table's handle, so that writes may be prepared without a lock. */
static const stoa_definition *definition_of(stoa_state *state) {
    return atomic_load_explicit(&state->definition, memory_order_acquire);
}

/* The schema of a batch of deletions: the columns of the key. */
static stoa_status key_schema(stoa_pool *pool, const stoa_definition *definition,
                              const stoa_schema **out, stoa_error *err) {
    int32_t columns[STOA_KEY_PARTS_MAX];
    for (int32_t i = 0; i < definition->key.part_count; i++) {
        columns[i] = definition->key.parts[i].column;
    }
    return stoa_schema_project(pool, definition->schema, columns, definition->key.part_count, out,
                               err);
}

/* Key columns as a batch of the table: the others are null, and nobody looks at them. */
static stoa_status widen_keys(stoa_pool *pool, const stoa_definition *definition,
                              struct ArrowArray *keys, struct ArrowArray *out, stoa_error *err) {
    const stoa_schema *schema = definition->schema;
    const int64_t rows = keys->length;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arrow_array_init(pool, 1, schema->root.child_count, false, out, err));
    for (int32_t i = 0; i < definition->key.part_count; i++) {
        const int32_t column = definition->key.parts[i].column;
        *out->children[column] = *keys->children[i];
        keys->children[i]->release = NULL;
    }
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        if (out->children[i]->release == NULL) {
            STOA_CHECK(stoa_array_make_nulls(pool, &schema->root.children[i].type, rows,
                                             out->children[i], err));
        }
    }
    out->length = rows;
    out->null_count = 0;

done:
    stoa_arrow_array_release(keys);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}

stoa_status stoa_state_key_schema(const stoa_state *state, stoa_pool *pool, const stoa_schema **out,
                                  stoa_error *err) {
    return key_schema(pool, atomic_load_explicit(&state->definition, memory_order_acquire), out,
                      err);
}

/* Takes `batch`; its columns in the order of the key. */
static stoa_status project_keys(stoa_pool *pool, const stoa_definition *definition,
                                const struct ArrowSchema *arrow, struct ArrowArray *batch,
                                struct ArrowArray *out, stoa_error *err) {
    const stoa_schema *schema = NULL;
    stoa_status status = key_schema(pool, definition, &schema, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(batch);
        return status;
    }
    status = stoa_batch_conform(pool, schema, arrow, batch, out, err);
    stoa_schema_close(schema);
    return status;
}

static stoa_status conform_keys(stoa_pool *pool, const stoa_definition *definition,
                                const struct ArrowSchema *arrow, struct ArrowArray *batch,
                                struct ArrowArray *out, stoa_error *err) {
    struct ArrowArray keys = {.release = NULL};
    STOA_TRY(project_keys(pool, definition, arrow, batch, &keys, err));
    return widen_keys(pool, definition, &keys, out, err);
}

stoa_status stoa_state_keys_of(stoa_state *state, const stoa_definition *definition,
                               const struct ArrowSchema *schema, struct ArrowArray *batch,
                               stoa_keys *out, stoa_error *err) {
    const size_t count = (size_t)definition->schema->root.child_count;
    struct ArrowArray keys = {.release = NULL};
    void *memory = NULL;
    stoa_status status = project_keys(state->pool, definition, schema, batch, &keys, err);
    STOA_CHECK(status);
    STOA_CHECK(
        stoa_pool_allocate_array(state->pool, count, sizeof(struct ArrowArray *), &memory, err));
    /* As if all columns were there: nobody looks at the others. */
    struct ArrowArray **columns = memory;
    for (int32_t i = 0; i < definition->key.part_count; i++) {
        columns[definition->key.parts[i].column] = keys.children[i];
    }
    struct ArrowArray wide = keys;
    wide.children = columns;
    wide.n_children = (int64_t)count;
    STOA_CHECK(stoa_keys_append(&definition->key, &wide, 0, wide.length, out, err));

done:
    stoa_pool_free(state->pool, memory, count * sizeof(struct ArrowArray *));
    stoa_arrow_array_release(&keys);
    return status;
}

stoa_status stoa_state_conform(stoa_state *state, const stoa_definition *definition,
                               stoa_operation operation, const struct ArrowSchema *arrow,
                               struct ArrowArray *batch, struct ArrowArray *out, stoa_error *err) {
    return operation == STOA_OPERATION_DELETE
               ? conform_keys(state->pool, definition, arrow, batch, out, err)
               : stoa_batch_conform(state->pool, definition->schema, arrow, batch, out, err);
}

/* Takes `batch`. An empty one gives a write without rows, which is left out. */
static stoa_status prepare_batch(stoa_state *state, stoa_operation operation,
                                 const struct ArrowSchema *arrow, struct ArrowArray *batch,
                                 stoa_write *out, stoa_error *err) {
    const stoa_definition *definition = definition_of(state);
    *out = (stoa_write){.kind = STOA_WRITE_BATCH,
                        .operation = operation,
                        .state = state,
                        .definition = definition};
    stoa_keys_init(&out->keys, state->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_state_conform(state, definition, operation, arrow, batch, &out->batch, err));
    STOA_CHECK(
        stoa_keys_append(&definition->key, &out->batch, 0, out->batch.length, &out->keys, err));

done:
    if (status != STOA_OK) {
        release_write(out);
    }
    return status;
}

/* Without what only batches and ranges have: clearing it would be a good part of a put. */
static void init_row(stoa_write *write, stoa_state *state, stoa_operation operation,
                     const stoa_cell *cells) {
    write->kind = STOA_WRITE_ROW;
    write->operation = operation;
    write->state = state;
    write->definition = definition_of(state);
    write->cells = cells;
    write->row_count = 1;
    write->log_bytes = 0;
    write->unchanged_since = 0;
}

stoa_status stoa_state_key_range(const stoa_definition *definition, const stoa_cell *from,
                                 int32_t from_count, const stoa_cell *to, int32_t to_count,
                                 stoa_buffer *bytes, stoa_key_range *out, stoa_error *err) {
    if (from_count < 0 || to_count < 0 || from_count > definition->key.part_count ||
        to_count > definition->key.part_count) {
        return stoa_fail(err, STOA_INVALID, "expected at most the %d columns of the key",
                         definition->key.part_count);
    }
    if (from_count > 0) {
        STOA_TRY(stoa_cells_key(&definition->key, from, true, from_count, bytes, err));
    }
    const size_t from_size = bytes->size;
    if (to_count > 0) {
        STOA_TRY(stoa_cells_key(&definition->key, to, true, to_count, bytes, err));
    }
    *out = (stoa_key_range){.from = bytes->data,
                            .from_size = from_size,
                            .to = bytes->data + from_size,
                            .to_size = bytes->size - from_size,
                            .to_end = to_count == 0};
    return STOA_OK;
}

/* ---- One write ------------------------------------------------------------------------------- */

static stoa_status commit_one(stoa_write *write, stoa_durability durability, stoa_error *err) {
    if (write->kind == STOA_WRITE_BATCH && write->batch.length == 0) {
        release_write(write);
        return STOA_OK;
    }
    stoa_status status = stoa_store_commit(write->state->store, write, 1, NULL, NULL, durability,
                                           NULL, err);
    if (write->kind == STOA_WRITE_BATCH) {
        release_write(write);
    }
    return status;
}

static stoa_status commit_row(stoa_state *state, stoa_operation operation, const stoa_cell *cells,
                              stoa_durability durability, stoa_error *err) {
    stoa_write write;
    init_row(&write, state, operation, cells);
    return stoa_store_commit(state->store, &write, 1, NULL, NULL, durability, NULL, err);
}

stoa_status stoa_state_put(stoa_state *state, const stoa_cell *row, stoa_durability durability,
                           stoa_error *err) {
    return commit_row(state, STOA_OPERATION_PUT, row, durability, err);
}

stoa_status stoa_state_merge(stoa_state *state, const stoa_cell *row, stoa_durability durability,
                             stoa_error *err) {
    return commit_row(state, STOA_OPERATION_MERGE, row, durability, err);
}

stoa_status stoa_state_delete(stoa_state *state, const stoa_cell *key, stoa_durability durability,
                              stoa_error *err) {
    return commit_row(state, STOA_OPERATION_DELETE, key, durability, err);
}

stoa_status stoa_state_delete_range(stoa_state *state, const stoa_cell *from, int32_t from_count,
                                    const stoa_cell *to, int32_t to_count,
                                    stoa_durability durability, stoa_error *err) {
    stoa_write write = {.kind = STOA_WRITE_RANGE,
                        .state = state,
                        .definition = definition_of(state)};
    stoa_buffer bytes;
    stoa_buffer_init(&bytes, state->pool);
    stoa_status status = stoa_state_key_range(write.definition, from, from_count, to, to_count,
                                              &bytes, &write.range, err);
    if (status == STOA_OK) {
        status = commit_one(&write, durability, err);
    }
    stoa_buffer_release(&bytes);
    return status;
}

static stoa_status commit_batch(stoa_state *state, stoa_operation operation,
                                const struct ArrowSchema *schema, struct ArrowArray *batch,
                                stoa_durability durability, stoa_error *err) {
    stoa_write write;
    STOA_TRY(prepare_batch(state, operation, schema, batch, &write, err));
    return commit_one(&write, durability, err);
}

stoa_status stoa_state_put_batch(stoa_state *state, const struct ArrowSchema *schema,
                                 struct ArrowArray *batch, stoa_durability durability,
                                 stoa_error *err) {
    return commit_batch(state, STOA_OPERATION_PUT, schema, batch, durability, err);
}

stoa_status stoa_state_merge_batch(stoa_state *state, const struct ArrowSchema *schema,
                                   struct ArrowArray *batch, stoa_durability durability,
                                   stoa_error *err) {
    return commit_batch(state, STOA_OPERATION_MERGE, schema, batch, durability, err);
}

stoa_status stoa_state_delete_batch(stoa_state *state, const struct ArrowSchema *schema,
                                    struct ArrowArray *batch, stoa_durability durability,
                                    stoa_error *err) {
    return commit_batch(state, STOA_OPERATION_DELETE, schema, batch, durability, err);
}

/* ---- Several --------------------------------------------------------------------------------- */

struct stoa_state_batch {
    stoa_store *store;
    stoa_pool *pool;
    stoa_arena arena; /* of cells and keys */
    stoa_write *writes;
    int64_t count;
    int64_t capacity;
    uint64_t unchanged_since; /* of batches that are added */
};

void stoa_state_batch_expect(stoa_state_batch *batch, uint64_t sequence) {
    batch->unchanged_since = sequence;
}

stoa_status stoa_state_batch_create(stoa_state *state, stoa_state_batch **out, stoa_error *err) {
    stoa_pool *pool = state->store->pool;
    stoa_state_batch *batch = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *batch, (void **)&batch, err));
    batch->store = stoa_store_retain(state->store);
    batch->pool = pool;
    stoa_arena_init(&batch->arena, pool);
    *out = batch;
    return STOA_OK;
}

static void clear(stoa_state_batch *batch) {
    for (int64_t i = 0; i < batch->count; i++) {
        if (batch->writes[i].kind == STOA_WRITE_BATCH) {
            release_write(&batch->writes[i]);
        }
        stoa_state_release(batch->writes[i].state);
    }
    batch->count = 0;
    stoa_arena_release(&batch->arena);
    stoa_arena_init(&batch->arena, batch->pool);
}

void stoa_state_batch_close(stoa_state_batch *batch) {
    if (batch == NULL) {
        return;
    }
    stoa_store *store = batch->store;
    clear(batch);
    stoa_pool_free(batch->pool, batch->writes, (size_t)batch->capacity * sizeof *batch->writes);
    stoa_pool_free(batch->pool, batch, sizeof *batch);
    stoa_store_release(store);
}

static stoa_status make_room(stoa_state_batch *batch, stoa_error *err) {
    if (batch->count == batch->capacity) {
        const int64_t capacity = batch->capacity == 0 ? 16 : 2 * batch->capacity;
        void *memory = batch->writes;
        STOA_TRY(stoa_pool_reallocate(batch->pool, &memory,
                                      (size_t)batch->capacity * sizeof *batch->writes,
                                      (size_t)capacity * sizeof *batch->writes, err));
        batch->writes = memory;
        batch->capacity = capacity;
    }
    return STOA_OK;
}

/* There is room for it. */
static void push(stoa_state_batch *batch, const stoa_write *write) {
    batch->writes[batch->count++] = *write;
    stoa_state_retain(write->state);
}

static stoa_status copy_cells(stoa_state_batch *batch, const stoa_cell *cells, int32_t count,
                              const stoa_cell **out, stoa_error *err) {
    stoa_cell *copy = NULL;
    STOA_TRY(
        stoa_arena_allocate_array(&batch->arena, (size_t)count, sizeof *copy, (void **)&copy, err));
    for (int32_t i = 0; i < count; i++) {
        copy[i] = cells[i];
        if (!cells[i].is_null && cells[i].bytes != NULL) {
            const char *bytes = NULL;
            STOA_TRY(
                stoa_arena_copy_text(&batch->arena, cells[i].bytes, cells[i].size, &bytes, err));
            copy[i].bytes = bytes;
        }
    }
    *out = copy;
    return STOA_OK;
}

static stoa_status add_row(stoa_state_batch *batch, stoa_state *state, stoa_operation operation,
                           const stoa_cell *cells, stoa_error *err) {
    stoa_write write;
    init_row(&write, state, operation, NULL);
    const int32_t count = operation == STOA_OPERATION_DELETE
                              ? write.definition->key.part_count
                              : write.definition->schema->root.child_count;
    STOA_TRY(make_room(batch, err));
    STOA_TRY(copy_cells(batch, cells, count, &write.cells, err));
    push(batch, &write);
    return STOA_OK;
}

stoa_status stoa_state_batch_put(stoa_state_batch *batch, stoa_state *state, const stoa_cell *row,
                                 stoa_error *err) {
    return add_row(batch, state, STOA_OPERATION_PUT, row, err);
}

stoa_status stoa_state_batch_merge(stoa_state_batch *batch, stoa_state *state, const stoa_cell *row,
                                   stoa_error *err) {
    return add_row(batch, state, STOA_OPERATION_MERGE, row, err);
}

stoa_status stoa_state_batch_delete(stoa_state_batch *batch, stoa_state *state,
                                    const stoa_cell *key, stoa_error *err) {
    return add_row(batch, state, STOA_OPERATION_DELETE, key, err);
}

stoa_status stoa_state_batch_delete_range(stoa_state_batch *batch, stoa_state *state,
                                          const stoa_cell *from, int32_t from_count,
                                          const stoa_cell *to, int32_t to_count, stoa_error *err) {
    stoa_write write = {.kind = STOA_WRITE_RANGE,
                        .state = state,
                        .definition = definition_of(state)};
    const char *kept = NULL;
    stoa_buffer bytes;
    stoa_buffer_init(&bytes, batch->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(make_room(batch, err));
    STOA_CHECK(stoa_state_key_range(write.definition, from, from_count, to, to_count, &bytes,
                                    &write.range, err));
    STOA_CHECK(stoa_arena_copy_text(&batch->arena, bytes.size > 0 ? (const char *)bytes.data : "",
                                    bytes.size, &kept, err));
    write.range.from = (const uint8_t *)kept;
    write.range.to = (const uint8_t *)kept + write.range.from_size;
    push(batch, &write);

done:
    stoa_buffer_release(&bytes);
    return status;
}

static stoa_status add_rows(stoa_state_batch *batch, stoa_state *state, stoa_operation operation,
                            const struct ArrowSchema *schema, struct ArrowArray *rows,
                            stoa_error *err) {
    stoa_write write;
    stoa_status status = make_room(batch, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(rows);
        return status;
    }
    STOA_TRY(prepare_batch(state, operation, schema, rows, &write, err));
    if (write.batch.length == 0) {
        release_write(&write);
    } else {
        write.unchanged_since = batch->unchanged_since;
        push(batch, &write);
    }
    return STOA_OK;
}

stoa_status stoa_state_batch_put_rows(stoa_state_batch *batch, stoa_state *state,
                                      const struct ArrowSchema *schema, struct ArrowArray *rows,
                                      stoa_error *err) {
    return add_rows(batch, state, STOA_OPERATION_PUT, schema, rows, err);
}

stoa_status stoa_state_batch_merge_rows(stoa_state_batch *batch, stoa_state *state,
                                        const struct ArrowSchema *schema, struct ArrowArray *rows,
                                        stoa_error *err) {
    return add_rows(batch, state, STOA_OPERATION_MERGE, schema, rows, err);
}

stoa_status stoa_state_batch_delete_rows(stoa_state_batch *batch, stoa_state *state,
                                         const struct ArrowSchema *schema, struct ArrowArray *keys,
                                         stoa_error *err) {
    return add_rows(batch, state, STOA_OPERATION_DELETE, schema, keys, err);
}

stoa_status stoa_state_batch_commit_checked(stoa_state_batch *batch, stoa_commit_check check,
                                            void *user, stoa_durability durability,
                                            stoa_wal_position *out_position, stoa_error *err) {
    STOA_TRY(stoa_store_commit(batch->store, batch->writes, batch->count, check, user, durability,
                               out_position, err));
    clear(batch);
    return STOA_OK;
}

stoa_status stoa_state_batch_commit(stoa_state_batch *batch, stoa_durability durability,
                                    stoa_error *err) {
    return stoa_state_batch_commit_checked(batch, NULL, NULL, durability, NULL, err);
}

struct later {
    stoa_store *store;
    stoa_wal_position position;
};

static stoa_status sync_later(void *arguments, const stoa_context *context, stoa_error *err) {
    struct later *later = arguments;
    STOA_TRY(stoa_cancel_check(context->cancel, err));
    return stoa_wal_sync(later->store->wal, later->position, err);
}

stoa_status stoa_state_batch_commit_async(stoa_state_batch *batch, stoa_future **out,
                                          stoa_error *err) {
    struct later later = {.store = batch->store};
    STOA_TRY(stoa_state_batch_commit_checked(batch, NULL, NULL, STOA_DURABILITY_BUFFERED,
                                             &later.position, err));
    return stoa_sched_submit_async(batch->store->context.sched, sync_later, &later, sizeof later,
                                   &batch->store->context, out, err);
}
