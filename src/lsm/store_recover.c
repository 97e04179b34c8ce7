/* Bringing back what the log holds: commits that are not in files yet go into memtables again. */
#include <inttypes.h>

#include "lsm/commit_record.h"
#include "lsm/rows_codec.h"
#include "lsm/store_internal.h"

struct recovery {
    stoa_store *store;
    uint64_t flushed_sequence; /* commits up to it are in files */
    uint64_t last_sequence;    /* that was brought back; the store may have given out later ones */
    stoa_buffer cells;         /* of the row at hand */
};

/* A row that came alone is kept among others that did, not as a batch of its own. */
static stoa_status apply_row(const stoa_commit_part *part, const stoa_stripe_layout *layout,
                             stoa_memtable *memtable, stoa_buffer *scratch, stoa_error *err) {
    const bool keys_only = part->kind == STOA_OPERATION_DELETE;
    const size_t columns = (size_t)layout->schema->root.child_count;
    stoa_buffer_clear(scratch);
    STOA_TRY(stoa_buffer_reserve(scratch, columns * sizeof(stoa_cell), err));
    stoa_cell *cells = (stoa_cell *)(void *)scratch->data;
    STOA_TRY(stoa_row_read(layout, keys_only, part->bytes, part->size, cells, err));
    STOA_TRY(stoa_memtable_stage_row(memtable, cells, (stoa_operation)part->kind,
                                     part->first_sequence, err));
    stoa_memtable_publish(memtable);
    return STOA_OK;
}

static stoa_status apply_range(const stoa_commit_part *part, stoa_memtable *memtable,
                               stoa_error *err) {
    stoa_key_range range;
    STOA_TRY(stoa_commit_range_read(part, &range, err));
    STOA_TRY(stoa_memtable_stage_range(memtable, &range, err));
    stoa_memtable_publish(memtable);
    return STOA_OK;
}

static stoa_status apply_rows(const stoa_commit_part *part, const stoa_stripe_layout *layout,
                              stoa_pool *pool, stoa_memtable *memtable, stoa_error *err) {
    struct ArrowArray batch = {.release = NULL};
    STOA_TRY(stoa_rows_read(layout, pool, part->kind == STOA_OPERATION_DELETE, part->count,
                            part->bytes, part->size, &batch, err));
    return stoa_memtable_append(memtable, &batch, (stoa_operation)part->kind,
                                part->first_sequence, err);
}

stoa_status stoa_commit_part_apply(const stoa_commit_part *part, const stoa_stripe_layout *layout,
                                   stoa_pool *pool, stoa_memtable *memtable, stoa_buffer *scratch,
                                   stoa_error *err) {
    stoa_status status = STOA_INVALID;
    if (part->kind == STOA_COMMIT_RANGE) {
        return apply_range(part, memtable, err);
    }
    if (part->count == 1 && stoa_memtable_takes_rows(memtable)) {
        status = apply_row(part, layout, memtable, scratch, err);
    }
    /* Batches are checked otherwise: this one had a single row. */
    return status == STOA_INVALID ? apply_rows(part, layout, pool, memtable, err) : status;
}

static stoa_status recover_part(void *user, const stoa_commit_part *part, stoa_error *err) {
    struct recovery *recovery = user;
    stoa_store *store = recovery->store;
    const uint64_t last = part->first_sequence + part->count - 1;
    if (last <= recovery->flushed_sequence) {
        return STOA_OK;
    }
    recovery->last_sequence = last;
    stoa_state *found = stoa_store_find(store, part->table_id);
    if (found == NULL) {
        return STOA_OK; /* dropped since */
    }
    stoa_state *state = found->successor != NULL ? found->successor : found;
    const uint32_t schema_id = stoa_store_schema_id(state->definition);
    stoa_status status = STOA_OK;
    if (part->schema_id != schema_id) { /* a reader's manifest may be older than the log */
        status = stoa_fail(err, STOA_CORRUPT,
                           "table %" PRId64 ": expected rows of schema %" PRIu32
                           " but found some of schema %" PRIu32,
                           part->table_id, schema_id, part->schema_id);
    } else {
        const stoa_definition *definition = state->definition;
        status = stoa_commit_part_apply(part, &definition->layout, state->pool, state->active,
                                        &recovery->cells, err);
    }
    stoa_store_count_active(state);
    stoa_state_release(found);
    return status;
}

void stoa_store_raise_sequence(stoa_store *store, uint64_t sequence) {
    if (sequence > atomic_load_explicit(&store->last_sequence, memory_order_relaxed)) {
        /* Pairs with stoa_state_sequence: who sees the number sees the rows. */
        atomic_store_explicit(&store->last_sequence, sequence, memory_order_release);
    }
}

static stoa_status recover_commit(void *user, stoa_wal_position end, const uint8_t *payload,
                                  size_t size, stoa_error *err) {
    struct recovery *recovery = user;
    stoa_store *store = recovery->store;
    (void)end;
    STOA_TRY(stoa_commit_read(payload, size, recover_part, recovery, err));
    if (!store->read_only && store->memtable_bytes >= store->settings.memtable_bytes) {
        /* The segment is still needed: it may hold more. What is in files is known by its number. */
        stoa_store_raise_sequence(store, recovery->last_sequence);
        STOA_TRY(stoa_store_freeze(store, 0, recovery->last_sequence, err));
        STOA_TRY(stoa_store_flush_oldest(store, err));
    }
    return STOA_OK;
}

/* Of a reader. Segments are released, and used again, when a manifest says that what they had is in files:
 * as long as none says so, nothing was missing when the log was read. */
static stoa_status check_released(stoa_store *store, uint64_t log_segment, stoa_error *err) {
    bool changed = false;
    STOA_TRY(stoa_manifest_follow(store->manifest, &changed, err));
    store->must_renew = store->must_renew || changed;
    return stoa_manifest_state_of(store->manifest)->log_segment == log_segment
               ? STOA_OK
               : stoa_fail(err, STOA_CONFLICT,
                           "the log in '%s' was released while it was read: it is in files now",
                           store->directory);
}

stoa_status stoa_store_recover(stoa_store *store, uint64_t *out_last_sequence, stoa_error *err) {
    const stoa_manifest_state *state = stoa_manifest_state_of(store->manifest);
    const uint64_t log_segment = state->log_segment;
    struct recovery recovery = {.store = store,
                                .flushed_sequence = state->flushed_sequence,
                                .last_sequence = state->flushed_sequence};
    const stoa_wal_options options = {.context = store->context,
                                      .file_systems = store->file_systems,
                                      .directory = store->directory,
                                      .segment_bytes = store->settings.log_segment_bytes,
                                      .boot = store->boot,
                                      .read_only = store->read_only};
    stoa_buffer_init(&recovery.cells, store->pool);
    stoa_status status = stoa_wal_open(&options, log_segment, recover_commit, &recovery,
                                       &store->wal, err);
    stoa_buffer_release(&recovery.cells);
    STOA_TRY(status);
    /* Bulk loads, and rows without a log that were flushed, are known by the manifest's number only. */
    const uint64_t last = stoa_manifest_state_of(store->manifest)->last_sequence;
    *out_last_sequence = last > recovery.last_sequence ? last : recovery.last_sequence;
    if (store->read_only) {
        status = check_released(store, log_segment, err);
    }
    if (status != STOA_OK) {
        stoa_wal_close(store->wal);
        store->wal = NULL;
    }
    return status;
}

/* All that was read becomes visible at once: a commit has several parts. */
stoa_status stoa_store_recover_more(stoa_store *store, stoa_error *err) {
    const stoa_manifest_state *state = stoa_manifest_state_of(store->manifest);
    const uint64_t log_segment = state->log_segment;
    struct recovery recovery = {.store = store, .flushed_sequence = state->flushed_sequence};
    stoa_buffer_init(&recovery.cells, store->pool);
    const stoa_status status = stoa_wal_follow(store->wal, recover_commit, &recovery, err);
    stoa_buffer_release(&recovery.cells);
    STOA_TRY(status);
    stoa_store_raise_sequence(store, recovery.last_sequence);
    return check_released(store, log_segment, err);
}
