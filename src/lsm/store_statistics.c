/* What a store and its tables say of themselves: figures that are kept anyway, put together. */
#include "lsm/store_internal.h"

_Static_assert((int)STOA_STATE_LEVELS == (int)STOA_LEVELS, "the public number of levels is ours");

const char *stoa_stall_name(stoa_stall stall) {
    static const char *const names[STOA_STALL_COUNT] = {
        [STOA_STALL_MEMTABLES] = "memtables",
        [STOA_STALL_FILES] = "files",
        [STOA_STALL_ALTER] = "alter",
    };
    return names[stall];
}

/* ---- A table --------------------------------------------------------------------------------- */

static void count_level(const stoa_level *level, stoa_state_level *out,
                        uint64_t *decompressed_bytes) {
    out->file_count = level->count;
    out->bytes = level->bytes;
    for (int64_t i = 0; i < level->count; i++) {
        out->row_count += level->files[i]->info.row_count;
        out->delete_count += level->files[i]->info.delete_count;
        *decompressed_bytes += stoa_sst_memory_bytes(level->files[i]->sst);
    }
}

static void count_files(const stoa_version *version, stoa_state_table_statistics *out) {
    uint64_t last_bytes = 0;
    for (int i = 0; i < STOA_LEVELS; i++) {
        count_level(&version->levels[i], &out->levels[i], &out->decompressed_bytes);
        out->file_count += out->levels[i].file_count;
        out->row_count += out->levels[i].row_count;
        out->bytes += out->levels[i].bytes;
        last_bytes = out->levels[i].bytes > 0 ? out->levels[i].bytes : last_bytes;
    }
    out->space_amplification = last_bytes == 0 ? 1 : (double)out->bytes / (double)last_bytes;
}

/* The number of memtables that have rows. */
static int32_t count_memtables(const stoa_state_view *view, stoa_state_table_statistics *out) {
    int32_t filled = 0;
    out->memtable_count = view->memtable_count;
    for (int32_t i = 0; i < view->memtable_count; i++) {
        const int64_t rows = stoa_memtable_row_count(view->memtables[i]);
        out->memtable_row_count += rows;
        out->memtable_bytes += stoa_memtable_bytes(view->memtables[i]);
        filled += rows > 0 || stoa_memtable_has_ranges(view->memtables[i]);
    }
    return filled;
}

void stoa_state_table_statistics_get(stoa_state *state, stoa_state_table_statistics *out) {
    const stoa_store *store = state->store;
    stoa_state_view *view = stoa_state_acquire(state);
    stoa_compaction_policy policy;
    stoa_compaction_need need;
    *out = (stoa_state_table_statistics){.table_id = state->id};
    count_files(view->version, out);
    const int32_t filled = count_memtables(view, out);
    stoa_compaction_policy_init(&policy, view->definition, store->settings.memtable_bytes);
    stoa_compaction_need_of(view->version, &policy, &need);
    for (int i = 0; i < STOA_LEVELS; i++) {
        out->levels[i].score = need.scores[i];
    }
    out->run_count = need.run_count;
    out->due_bytes = need.due_bytes;
    out->read_amplification = (double)(need.run_count + filled);
    stoa_state_view_release(view);
}

/* ---- The store ------------------------------------------------------------------------------- */

/* With the store's lock. */
static void count_lists(const stoa_store *store, stoa_state_statistics *out) {
    out->table_count = store->table_count;
    out->generation_count = store->generation_count;
    out->compacting_count = store->compaction_count;
    out->last_sequence = atomic_load_explicit(&store->last_sequence, memory_order_acquire);
    out->oldest_snapshot = out->last_sequence;
    const stoa_state_snapshot *oldest = store->snapshots.after;
    if (oldest != &store->snapshots) {
        out->oldest_snapshot = oldest->sequence;
    }
    for (const stoa_state_snapshot *s = oldest; s != &store->snapshots; s = s->after) {
        out->snapshot_count++;
    }
}

static void tell_counts(const stoa_store_counts *counts, stoa_state_statistics *out) {
    const stoa_compaction_figures *compacted = &counts->compacted;
    out->flush_count = counts->flushes;
    out->flush_bytes = counts->flushed_bytes;
    out->flush_ns = counts->flush_ns;
    out->compaction_count = counts->compactions;
    out->move_count = counts->moves;
    for (int i = 0; i < STOA_COMPACTION_REASON_COUNT; i++) {
        out->compaction_counts[i] = counts->reasons[i];
    }
    out->compaction_bytes_read = compacted->bytes_read;
    out->compaction_bytes_written = compacted->bytes_written;
    out->compaction_rows_read = (uint64_t)compacted->read;
    out->compaction_rows_written = (uint64_t)compacted->written;
    out->compaction_ns = (uint64_t)compacted->duration_ns;
    out->compaction_rate_wait_ns = (uint64_t)compacted->rate_wait_ns;
    if (counts->flushed_bytes > 0) {
        out->write_amplification = (double)(counts->flushed_bytes + compacted->bytes_written) /
                                   (double)counts->flushed_bytes;
    }
    for (int i = 0; i < STOA_STALL_COUNT; i++) {
        out->stalls[i].count = counts->stalls[i].count;
        out->stalls[i].ns_sum = counts->stalls[i].duration_ns;
        out->stalls[i].ns_max = counts->stalls[i].duration_ns_max;
    }
}

static void tell_log(const stoa_store *store, stoa_state_statistics *out) {
    stoa_wal_figures figures = {0};
    if (!store->read_only) { /* who follows opens its log again and again */
        stoa_wal_figures_of(store->wal, &figures);
    }
    out->log_record_count = figures.records;
    out->log_bytes = figures.bytes;
    out->log_sync_count = figures.syncs;
    out->log_sync_ns = figures.sync_ns;
    out->log_segments_made = figures.segments_made;
    out->log_segments_reused = figures.segments_reused;
    out->log_wait_count = figures.waits;
}

static stoa_state_latency latency_of(const stoa_latency *latency) {
    stoa_latency_figures figures;
    stoa_latency_get(latency, &figures);
    return (stoa_state_latency){
        .count = figures.count,
        .ns_sum = figures.ns_sum,
        .p50_ns = stoa_latency_percentile_ns(&figures, 0.5),
        .p90_ns = stoa_latency_percentile_ns(&figures, 0.9),
        .p99_ns = stoa_latency_percentile_ns(&figures, 0.99),
        .p999_ns = stoa_latency_percentile_ns(&figures, 0.999),
        .max_ns = figures.ns_max,
    };
}

void stoa_state_statistics_get(stoa_state *state, stoa_state_statistics *out) {
    stoa_store *store = state->store;
    *out = (stoa_state_statistics){0};
    pthread_mutex_lock(&store->lock);
    count_lists(store, out);
    const stoa_store_counts counts = store->counts;
    pthread_mutex_unlock(&store->lock);
    tell_counts(&counts, out);
    tell_log(store, out);
    for (int i = 0; i < STOA_STATE_CALL_COUNT; i++) {
        out->latencies[i] = latency_of(&store->latencies[i]);
    }
}
