/* What a store has done since it was opened. */
#include "lsm/store_internal.h"

void stoa_store_count_flush(stoa_store *store, const stoa_store_change *change,
                            int64_t duration_ns) {
    uint64_t bytes = 0;
    for (int64_t i = 0; i < change->added_count; i++) {
        bytes += change->added[i].file->info.bytes;
    }
    pthread_mutex_lock(&store->lock);
    store->counts.flushes++;
    store->counts.flushed_bytes += bytes;
    store->counts.flush_ns += (uint64_t)duration_ns;
    pthread_mutex_unlock(&store->lock);
}

void stoa_store_count_compaction(stoa_store *store, const stoa_compaction *compaction,
                                 const stoa_compaction_figures *figures) {
    stoa_compaction_figures *sum = &store->counts.compacted;
    pthread_mutex_lock(&store->lock);
    store->counts.compactions += compaction->kind == STOA_COMPACTION_MERGE;
    store->counts.reasons[compaction->reason]++;
    store->counts.moves += compaction->kind == STOA_COMPACTION_MOVE;
    sum->bytes_read += figures->bytes_read;
    sum->bytes_written += figures->bytes_written;
    sum->files_read += figures->files_read;
    sum->files_written += figures->files_written;
    sum->read += figures->read;
    sum->written += figures->written;
    sum->superseded += figures->superseded;
    sum->folded += figures->folded;
    sum->deletions += figures->deletions;
    sum->expired += figures->expired;
    sum->filtered += figures->filtered;
    sum->duration_ns += figures->duration_ns;
    sum->processor_ns += figures->processor_ns;
    sum->rate_wait_ns += figures->rate_wait_ns;
    pthread_mutex_unlock(&store->lock);
}

void stoa_store_count_stall(stoa_store *store, stoa_stall stall, int64_t duration_ns) {
    const uint64_t ns = (uint64_t)duration_ns;
    pthread_mutex_lock(&store->lock);
    store->counts.stalls[stall].count++;
    store->counts.stalls[stall].duration_ns += ns;
    if (ns > store->counts.stalls[stall].duration_ns_max) {
        store->counts.stalls[stall].duration_ns_max = ns;
    }
    pthread_mutex_unlock(&store->lock);
}
