/* Commits: the one way in which rows and deletions come into a store.
 *
 * Batches are validated and their keys encoded without any lock. Under it rows are staged in the
 * memtables, where readers do not see them, and the record is written; from then on nothing can fail,
 * so that log and memtables say the same. */
#include <inttypes.h>

#include "base/clock.h"
#include "lsm/commit_record.h"
#include "lsm/newest.h"
#include "lsm/rows_codec.h"
#include "lsm/store_internal.h"

enum { ROW_BYTES = 64 }; /* about, of a write whose bytes are not known yet */

static stoa_durability durability_of(const stoa_store *store, stoa_durability asked) {
    return asked == STOA_DURABILITY_DEFAULT ? store->settings.durability : asked;
}

static stoa_status check_write(const stoa_store *store, const stoa_write *write, stoa_error *err) {
    stoa_state *state = write->state;
    if (state->store != store) {
        return stoa_fail(err, STOA_INVALID, "a table of another database");
    }
    if (atomic_load_explicit(&state->is_dropped, memory_order_acquire)) {
        return stoa_fail(err, STOA_NOT_FOUND, "the table was dropped");
    }
    STOA_TRY(stoa_state_check_current(state, err));
    return state->is_unsure ? stoa_state_make_sure(state, err) : STOA_OK;
}

/* Whether the rows that a batch was made of are still the newest. */
static stoa_status check_unchanged(const stoa_write *write, stoa_error *err) {
    const stoa_key_format *format = &write->definition->key;
    const stoa_keys_view keys = stoa_keys_view_of(&write->keys);
    stoa_state_view *view = stoa_state_acquire(write->state);
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < keys.count; i++) {
        uint8_t number[8];
        size_t size = 0;
        uint64_t newer = 0;
        const uint8_t *key = stoa_keys_bytes(format, &keys, i, number, &size);
        STOA_CHECK(stoa_state_view_newer(view, key, size, write->unchanged_since, &newer, err));
        if (newer != 0) {
            status = stoa_fail(err, STOA_CONFLICT,
                               "a row that this would change was changed by somebody else");
            goto done;
        }
    }

done:
    stoa_state_view_release(view);
    return status;
}

/* Puts the write where readers do not see it yet, and says what the log will take. */
static stoa_status stage_write(stoa_write *write, uint64_t sequence, stoa_error *err) {
    stoa_memtable *memtable = write->state->active;
    switch (write->kind) {
    case STOA_WRITE_BATCH:
        return stoa_memtable_stage_batch(memtable, &write->batch, &write->keys, write->operation,
                                         sequence, err);
    case STOA_WRITE_ROW:
        STOA_TRY(stoa_memtable_stage_row(memtable, write->cells, write->operation, sequence, err));
        write->log_bytes = stoa_row_size(&write->definition->layout,
                                         write->operation == STOA_OPERATION_DELETE, write->cells);
        return STOA_OK;
    case STOA_WRITE_RANGE:
        write->range.sequence = sequence;
        write->log_bytes = stoa_commit_range_size(&write->range);
        return stoa_memtable_stage_range(memtable, &write->range, err);
    }
    return STOA_OK;
}

static uint8_t *log_write(const stoa_write *write, uint8_t *out) {
    const stoa_stripe_layout *layout = &write->definition->layout;
    const bool keys_only = write->operation == STOA_OPERATION_DELETE;
    const stoa_commit_part part = {.kind = write->kind == STOA_WRITE_RANGE
                                               ? STOA_COMMIT_RANGE
                                               : (uint8_t)write->operation,
                                   .schema_id = stoa_store_schema_id(write->definition),
                                   .count = (uint32_t)write->row_count,
                                   .table_id = write->state->id,
                                   .size = write->log_bytes};
    out = stoa_commit_part_write(out, &part);
    switch (write->kind) {
    case STOA_WRITE_BATCH:
        return stoa_rows_write(layout, keys_only, &write->batch, 0, write->batch.length, out);
    case STOA_WRITE_ROW: return stoa_row_write(layout, keys_only, write->cells, out);
    case STOA_WRITE_RANGE: return stoa_commit_range_write(out, &write->range);
    }
    return out;
}

static stoa_status log_commit(stoa_store *store, const stoa_write *writes, int64_t count,
                              uint64_t first_sequence, stoa_wal_position *out_position,
                              stoa_error *err) {
    size_t size = STOA_COMMIT_HEAD_BYTES;
    uint8_t *bytes = NULL;
    for (int64_t i = 0; i < count; i++) {
        size += STOA_COMMIT_PART_BYTES + writes[i].log_bytes;
    }
    STOA_TRY(stoa_wal_reserve(store->wal, size, &bytes, err));
    uint8_t *end = stoa_commit_head_write(bytes, first_sequence, (uint32_t)count);
    for (int64_t i = 0; i < count; i++) {
        end = log_write(&writes[i], end);
    }
    STOA_ASSERT(end == bytes + size);
    (void)end;
    *out_position = stoa_wal_commit(store->wal);
    return STOA_OK;
}

void stoa_store_count_active(stoa_state *state) {
    const size_t bytes = stoa_memtable_bytes(state->active);
    state->store->memtable_bytes += bytes - state->active_bytes;
    state->active_bytes = bytes;
    state->has_rows = true;
}

/* What is staged of all writes becomes visible, or is forgotten. Twice for the same memtable is no
 * more than once. */
static void publish(const stoa_write *writes, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        stoa_state *state = writes[i].state;
        stoa_memtable_publish(state->active);
        stoa_store_count_active(state);
    }
}

static void discard(const stoa_write *writes, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        stoa_memtable_discard(writes[i].state->active);
    }
}

static stoa_status stage(stoa_store *store, stoa_write *writes, int64_t count,
                         uint64_t first_sequence, bool logs, stoa_wal_position *out_position,
                         stoa_error *err) {
    uint64_t sequence = first_sequence;
    for (int64_t i = 0; i < count; i++) {
        STOA_TRY(stage_write(&writes[i], sequence, err));
        sequence += writes[i].row_count;
    }
    if (logs) {
        return log_commit(store, writes, count, first_sequence, out_position, err);
    }
    store->has_unlogged = true;
    *out_position = stoa_wal_end(store->wal);
    return STOA_OK;
}

static stoa_status commit_locked(stoa_store *store, stoa_write *writes, int64_t count,
                                 stoa_commit_check check, void *user, bool logs,
                                 stoa_wal_position *out_position, stoa_error *err) {
    const uint64_t last = atomic_load_explicit(&store->last_sequence, memory_order_relaxed);
    uint64_t rows = 0;
    for (int64_t i = 0; i < count; i++) {
        STOA_TRY(check_write(store, &writes[i], err));
        if (writes[i].unchanged_since > 0) {
            STOA_TRY(check_unchanged(&writes[i], err));
        }
        rows += writes[i].row_count;
    }
    if (check != NULL) {
        STOA_TRY(check(user, last, err));
    }
    stoa_status status = stage(store, writes, count, last + 1, logs, out_position, err);
    if (status != STOA_OK) {
        discard(writes, count);
        return status;
    }
    publish(writes, count);
    /* Pairs with stoa_state_sequence: who sees the number sees the rows. */
    atomic_store_explicit(&store->last_sequence, last + rows, memory_order_release);
    return STOA_OK;
}

/* Bytes of batches, which need no lock. */
static stoa_status measure_batches(stoa_write *writes, int64_t count, bool logs, stoa_error *err) {
    for (int64_t i = 0; i < count; i++) {
        stoa_write *write = &writes[i];
        write->row_count = write->kind == STOA_WRITE_BATCH ? (uint64_t)write->batch.length : 1;
        if (logs && write->kind == STOA_WRITE_BATCH) {
            STOA_TRY(stoa_rows_size(&write->definition->layout,
                                    write->operation == STOA_OPERATION_DELETE, &write->batch, 0,
                                    write->batch.length, &write->log_bytes, err));
        }
    }
    return STOA_OK;
}

static stoa_status prepare_task(void *user, stoa_error *err) {
    stoa_store *store = user;
    (void)err;
    /* Where there is no space, who needs the segment is told so. */
    STOA_IGNORE(stoa_wal_prepare(store->wal, NULL));
    atomic_store_explicit(&store->is_preparing, false, memory_order_release);
    return STOA_OK;
}

/* Has the next part of the log made ready before somebody waits for it. */
static void prepare_log(stoa_store *store) {
    if (stoa_wal_wants_prepare(store->wal) && !store->settings.no_background &&
        !atomic_exchange_explicit(&store->is_preparing, true, memory_order_acquire)) {
        stoa_group_spawn(&store->flushes, prepare_task, store);
    }
}

static stoa_status commit(stoa_store *store, stoa_write *writes, int64_t count,
                          stoa_commit_check check, void *user, stoa_durability asked,
                          stoa_wal_position *out_position, stoa_error *err) {
    const stoa_durability durability = durability_of(store, asked);
    const bool logs = durability != STOA_DURABILITY_NONE;
    stoa_wal_position position = {0, 0};
    STOA_TRY(stoa_store_check_writable(store, err));
    STOA_TRY(measure_batches(writes, count, logs, err));
    for (int64_t i = 0; i < count; i++) {
        if (atomic_load_explicit(&writes[i].state->pace, memory_order_relaxed) !=
            STOA_COMPACTION_FREE) {
            STOA_TRY(stoa_state_pause(writes[i].state, ROW_BYTES + writes[i].log_bytes, err));
        }
        if (atomic_load_explicit(&writes[i].state->is_altering, memory_order_relaxed)) {
            stoa_state_wait_altered(writes[i].state);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        if (atomic_load_explicit(&writes[i].state->is_loading, memory_order_acquire)) {
            stoa_state_wait_loaded(writes[i].state);
        }
    }
    pthread_mutex_lock(&store->commit_lock);
    bool has_frozen;
    stoa_status status = stoa_store_make_room(store, &has_frozen, err);
    if (status == STOA_OK) {
        status = commit_locked(store, writes, count, check, user, logs, &position, err);
    }
    pthread_mutex_unlock(&store->commit_lock);
    if (has_frozen) {
        stoa_store_start_flush(store);
    }
    STOA_TRY(status);
    if (out_position != NULL) {
        *out_position = position;
    }
    if (logs) {
        prepare_log(store);
    }
    if (durability == STOA_DURABILITY_SYNC) {
        return stoa_wal_sync(store->wal, position, err);
    }
    if (durability == STOA_DURABILITY_INTERVAL) {
        return stoa_store_sync_later(store, err);
    }
    return STOA_OK;
}

stoa_status stoa_store_commit(stoa_store *store, stoa_write *writes, int64_t count,
                              stoa_commit_check check, void *user, stoa_durability asked,
                              stoa_wal_position *out_position, stoa_error *err) {
    /* Two writers may count as one: a lock of the bus would cost more than the count is worth. */
    const uint32_t number = atomic_load_explicit(&store->commit_count, memory_order_relaxed);
    atomic_store_explicit(&store->commit_count, number + 1, memory_order_relaxed);
    if (number % STOA_STORE_SAMPLE != 0) {
        return commit(store, writes, count, check, user, asked, out_position, err);
    }
    const int64_t begun_ns = stoa_clock_monotonic_ns();
    const stoa_status status = commit(store, writes, count, check, user, asked, out_position, err);
    stoa_latency_add(&store->latencies[STOA_STATE_CALL_COMMIT],
                     stoa_clock_monotonic_ns() - begun_ns);
    return status;
}
