/* The way into tables of the kind state: what sinks stage becomes one commit of the store. A few rows lie
 * in memory until then and go through the log; many are written as files while they come, which the
 * commit makes part of their tables. */
#include <string.h>

#include "arrow/array.h"
#include "lsm/bulk.h"
#include "schema/schema.h"
#include "table/kind_state.h"
#include "table/state_home.h"

/* ---- writing --------------------------------------------------------------------------------- */

stoa_status stoa_kind_state_open_table(stoa_store *store, const stoa_entry *entry, stoa_state **out,
                                       stoa_error *err) {
    stoa_status status = stoa_store_open_table(store, entry->id, out, err);
    if (status == STOA_NOT_FOUND) {
        return stoa_fail(err, STOA_CONFLICT, "table '%s' was dropped by somebody else",
                         entry->name);
    }
    STOA_TRY(status);
    if (!stoa_schema_same(stoa_state_definition(*out)->schema, entry->schema)) {
        stoa_state_close(*out);
        *out = NULL;
        return stoa_fail(err, STOA_CONFLICT,
                         "the columns of table '%s' were changed by somebody else", entry->name);
    }
    return STOA_OK;
}

/* A part stays as it is: the batch is given a share of it. */
static stoa_status add_part(stoa_state_batch *batch, stoa_state *state, stoa_part *part,
                            uint64_t sequence, const struct ArrowSchema *schema, stoa_error *err) {
    struct ArrowArray rows = {0};
    stoa_state_batch_expect(batch, part->expects ? sequence : 0);
    (void)pthread_mutex_lock(&part->slice_lock);
    stoa_status status = stoa_arrow_slice(part->database->memory_pool, &part->batch, 0,
                                          part->row_count, &rows, err);
    (void)pthread_mutex_unlock(&part->slice_lock);
    STOA_TRY(status);
    return part->deletes  ? stoa_state_batch_delete_rows(batch, state, schema, &rows, err)
           : part->merges ? stoa_state_batch_merge_rows(batch, state, schema, &rows, err)
                          : stoa_state_batch_put_rows(batch, state, schema, &rows, err);
}

static stoa_status add_parts(stoa_database *database, stoa_state_batch *batch, stoa_state *state,
                             const stoa_change *change, uint64_t sequence, stoa_error *err) {
    const stoa_schema *keys = NULL;
    struct ArrowSchema schema = {0}, key_schema = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_schema_to_arrow(database->pool, change->now->schema, &schema, err));
    STOA_CHECK(stoa_state_key_schema(state, database->pool, &keys, err));
    STOA_CHECK(stoa_schema_to_arrow(database->pool, keys, &key_schema, err));
    if (change->replaced) {
        STOA_CHECK(stoa_state_batch_delete_range(batch, state, NULL, 0, NULL, 0, err));
    }
    for (int64_t i = 0; i < change->added.count; i++) {
        stoa_part *part = change->added.items[i];
        STOA_CHECK(
            add_part(batch, state, part, sequence, part->deletes ? &key_schema : &schema, err));
    }

done:
    stoa_arrow_schema_release(&schema);
    stoa_arrow_schema_release(&key_schema);
    stoa_schema_close(keys);
    return status;
}

/* ---- many rows ---- */

static bool has_files(stoa_change *const *changes, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = 0; j < changes[i]->added.count; j++) {
            if (changes[i]->added.items[j]->bulk != NULL) {
                return true;
            }
        }
    }
    return false;
}

static stoa_operation operation_of(bool merges) {
    return merges ? STOA_OPERATION_MERGE : STOA_OPERATION_PUT;
}

/* Rows of a part that lie in memory go into a load of their own. */
static stoa_status part_to_files(stoa_store *store, const stoa_state *state, stoa_part *part,
                                 stoa_error *err) {
    struct ArrowArray rows = {0};
    if (part->deletes || part->expects) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "rows are changed by key in the same transaction as so many are loaded "
                         "that they become files: they would be two commits");
    }
    stoa_bulk *bulk = NULL;
    STOA_TRY(stoa_bulk_create(store, stoa_state_definition(state), operation_of(part->merges),
                              &bulk, err));
    stoa_status status = STOA_OK;
    (void)pthread_mutex_lock(&part->slice_lock);
    status = stoa_arrow_slice(part->database->memory_pool, &part->batch, 0, part->row_count, &rows,
                              err);
    (void)pthread_mutex_unlock(&part->slice_lock);
    STOA_CHECK(status);
    STOA_CHECK(stoa_bulk_put(bulk, &rows, err));
    STOA_CHECK(stoa_bulk_finish(bulk, err));
    part->bulk = bulk;
    bulk = NULL;

done:
    stoa_bulk_close(bulk);
    return status;
}

static stoa_status list_bulks(stoa_store *store, stoa_arena *arena, const stoa_change *change,
                              stoa_bulk_table *out, stoa_error *err) {
    stoa_bulk **bulks = NULL;
    STOA_TRY(stoa_kind_state_open_table(store, change->now, &out->state, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)change->added.count, sizeof(stoa_bulk *),
                                       (void **)&bulks, err));
    for (int64_t i = 0; i < change->added.count; i++) {
        stoa_part *part = change->added.items[i];
        if (part->bulk == NULL) {
            STOA_TRY(part_to_files(store, out->state, part, err));
        }
        bulks[i] = part->bulk;
    }
    out->bulks = bulks;
    out->count = change->added.count;
    out->replaces = change->replaced;
    return STOA_OK;
}

static stoa_status write_files(stoa_database *database, stoa_store *store,
                               stoa_change *const *changes, int64_t count, stoa_error *err) {
    stoa_arena arena;
    stoa_bulk_table *tables = NULL;
    stoa_status status = STOA_OK;
    stoa_arena_init(&arena, database->pool);
    STOA_CHECK(
        stoa_arena_allocate_array(&arena, (size_t)count, sizeof *tables, (void **)&tables, err));
    for (int64_t i = 0; i < count; i++) {
        tables[i] = (stoa_bulk_table){0};
    }
    for (int64_t i = 0; i < count; i++) {
        status = list_bulks(store, &arena, changes[i], &tables[i], err);
        if (status != STOA_OK) {
            stoa_wrap(err, "table '%s'", changes[i]->now->name);
            goto done;
        }
    }
    STOA_CHECK(stoa_bulk_commit(store, tables, count, err));

done:
    for (int64_t i = 0; tables != NULL && i < count; i++) {
        stoa_state_close(tables[i].state);
    }
    stoa_arena_release(&arena);
    return status;
}

/* All changes of these tables as one commit, made of what was there at the sequence number. */
static stoa_status write_changes(stoa_database *database, stoa_store *store,
                                 stoa_change *const *changes, int64_t count, uint64_t sequence,
                                 stoa_durability durability, stoa_error *err) {
    stoa_state_batch *batch = NULL;
    stoa_status status = STOA_OK;
    if (has_files(changes, count)) {
        return write_files(database, store, changes, count, err);
    }
    for (int64_t i = 0; i < count; i++) {
        stoa_state *state = NULL;
        STOA_CHECK(stoa_kind_state_open_table(store, changes[i]->now, &state, err));
        if (batch == NULL) {
            status = stoa_state_batch_create(state, &batch, err);
        }
        if (status == STOA_OK) {
            status = add_parts(database, batch, state, changes[i], sequence, err);
        }
        stoa_state_close(state);
        if (status != STOA_OK) {
            stoa_wrap(err, "table '%s'", changes[i]->now->name);
            goto done;
        }
    }
    STOA_CHECK(stoa_state_batch_commit(batch, durability, err));

done:
    stoa_state_batch_close(batch);
    return status;
}

stoa_status stoa_kind_state_write(stoa_transaction *transaction, stoa_change *const *changes,
                                  int64_t count, stoa_error *err) {
    stoa_database *database = transaction->database;
    stoa_store *store = NULL;
    STOA_TRY(stoa_state_home_write(database, &store, err));
    const uint64_t sequence = transaction->state_pin == NULL
                                  ? 0
                                  : stoa_store_pin_sequence(transaction->state_pin);
    return write_changes(database, store, changes, count, sequence,
                         stoa_state_home_durability(database), err);
}

void stoa_kind_state_remove(stoa_database *database, int64_t table_id) {
    stoa_store *store = NULL;
    stoa_error error = STOA_ERROR_NONE;
    stoa_status status = stoa_state_home_write(database, &store, &error);
    if (status == STOA_OK) {
        status = stoa_store_drop_table(store, table_id, &error);
    }
    if (status != STOA_OK && status != STOA_NOT_FOUND) {
        stoa_log(&database->logger, STOA_LOG_WARN, "table",
                 "files of a dropped state table stay until it is next written: %s", error.message);
    }
}

/* The catalog will say that its rows are there: they survive whatever the catalog's commit does. */
stoa_status stoa_kind_state_create(stoa_database *database, const stoa_change *change,
                                   stoa_error *err) {
    stoa_store *store = NULL;
    STOA_ASSERT(change->definition != NULL);
    STOA_TRY(stoa_state_home_write(database, &store, err));
    STOA_TRY(stoa_store_create_table_of(store, change->now->id, change->definition, err));
    if (change->added.count == 0) {
        return STOA_OK;
    }
    stoa_change *rows = (stoa_change *)(uintptr_t)change;
    stoa_status status = write_changes(database, store, &rows, 1, 0, STOA_DURABILITY_SYNC, err);
    if (status != STOA_OK) {
        stoa_kind_state_remove(database, change->now->id);
    }
    return status;
}

stoa_status stoa_kind_state_check_writable(stoa_database *database, stoa_error *err) {
    stoa_store *store = NULL;
    return stoa_state_home_write(database, &store, err);
}

/* ---- writers --------------------------------------------------------------------------------- */

/* What is staged are batches in memory, as tables of the kind memory have them, or, where there are many
 * rows, files. Changes of rows that were read stay in memory: their keys are compared at the commit. */
struct state_writer {
    const stoa_sink *sink;
    void *rows; /* a writer of the kind memory */
    struct ArrowSchema schema;
    size_t bytes;
    stoa_bulk *bulk; /* NULL: in memory */
    int64_t row_count;
};

void stoa_kind_state_writer_close(void *state) {
    struct state_writer *writer = state;
    if (writer->rows != NULL) {
        stoa_table_kind_memory.writer_close(writer->rows);
    }
    stoa_bulk_close(writer->bulk);
    stoa_arrow_schema_release(&writer->schema);
    stoa_pool_free(writer->sink->database->pool, writer, sizeof *writer);
}

stoa_status stoa_kind_state_writer_open(const stoa_sink *sink, void **out, stoa_error *err) {
    stoa_pool *pool = sink->database->pool;
    struct state_writer *writer = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *writer, (void **)&writer, err));
    writer->sink = sink;
    stoa_status status = stoa_table_kind_memory.writer_open(sink, &writer->rows, err);
    if (status == STOA_OK) {
        status = stoa_schema_to_arrow(pool, sink->schema, &writer->schema, err);
    }
    if (status != STOA_OK) {
        stoa_kind_state_writer_close(writer);
        return status;
    }
    *out = writer;
    return STOA_OK;
}

static stoa_status create_bulk(const stoa_sink *sink, stoa_store *store, stoa_bulk **out,
                               stoa_error *err) {
    stoa_state *state = NULL;
    if (sink->create) {
        return stoa_bulk_create(store, sink->definition, STOA_OPERATION_PUT, out, err);
    }
    STOA_TRY(stoa_kind_state_open_table(store, sink->entry, &state, err));
    stoa_status status = stoa_bulk_create(store, stoa_state_definition(state),
                                          operation_of(sink->merges), out, err);
    stoa_state_close(state);
    return status;
}

/* The rows so far, and all that follow, become files. */
static stoa_status turn_to_files(struct state_writer *writer, stoa_store *store, stoa_error *err) {
    stoa_part_vector parts = {.pool = writer->sink->database->pool};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_table_kind_memory.writer_finish(writer->rows, &parts, err));
    STOA_CHECK(create_bulk(writer->sink, store, &writer->bulk, err));
    for (int64_t i = 0; i < parts.count; i++) {
        STOA_CHECK(stoa_bulk_put(writer->bulk, &parts.items[i]->batch, err));
    }

done:
    stoa_part_vector_release(&parts);
    return status;
}

stoa_status stoa_kind_state_writer_write(void *state, struct ArrowArray *batch, stoa_error *err) {
    struct state_writer *writer = state;
    const stoa_sink *sink = writer->sink;
    stoa_store *store = NULL;
    writer->row_count += batch->length;
    if (writer->bulk != NULL) {
        return stoa_bulk_put(writer->bulk, batch, err);
    }
    writer->bytes += (size_t)stoa_arrow_memory_bytes(&writer->schema, batch);
    STOA_TRY(stoa_table_kind_memory.writer_write(writer->rows, batch, err));
    if (sink->deletes || sink->expects) {
        return STOA_OK;
    }
    STOA_TRY(stoa_state_home_write(sink->database, &store, err));
    return writer->bytes < stoa_store_memtable_bytes(store) / 2 ? STOA_OK
                                                                : turn_to_files(writer, store, err);
}

stoa_status stoa_kind_state_writer_finish(void *state, stoa_part_vector *out, stoa_error *err) {
    struct state_writer *writer = state;
    stoa_part *part = NULL;
    if (writer->bulk == NULL) {
        return stoa_table_kind_memory.writer_finish(writer->rows, out, err);
    }
    STOA_TRY(stoa_bulk_finish(writer->bulk, err));
    STOA_TRY(stoa_part_create(writer->sink->database, writer->sink->database->pool, &part, err));
    part->row_count = writer->row_count;
    part->bulk = writer->bulk;
    writer->bulk = NULL;
    stoa_status status = stoa_part_vector_push(out, part, err);
    if (status != STOA_OK) {
        stoa_part_release(part);
    }
    return status;
}
