/* Statistics as Prometheus scrapes them: its text format, version 0.0.4. A family is a HELP and a TYPE
 * line and then its samples, all in one place; counters end in _total, durations are seconds.
 *
 * Source  Prometheus, "Exposition formats", text format */
#include <inttypes.h>
#include <stdio.h>

#include "arrow/text.h"
#include "lsm/store_internal.h"

enum { LABELS_BYTES = 96 };

/* Where a text is made; the first failure stays and ends it. */
struct page {
    stoa_buffer *out;
    stoa_error *err;
    stoa_status status;
};

static void family(struct page *page, const char *name, const char *type, const char *help) {
    if (page->status == STOA_OK) {
        page->status =
            stoa_buffer_append_format(page->out, page->err,
                                      "# HELP stoa_state_%s %s\n# TYPE stoa_state_%s %s\n", name,
                                      help, name, type);
    }
}

/* `labels` with their braces, or "". */
static void sample(struct page *page, const char *name, const char *labels, double value) {
    if (page->status == STOA_OK) {
        page->status = stoa_buffer_append_format(page->out, page->err, "stoa_state_%s%s %.17g\n",
                                                 name, labels, value);
    }
}

static void number(struct page *page, const char *name, const char *labels, uint64_t value) {
    if (page->status == STOA_OK) {
        page->status = stoa_buffer_append_format(page->out, page->err,
                                                 "stoa_state_%s%s %" PRIu64 "\n", name, labels,
                                                 value);
    }
}

static void counter(struct page *page, const char *name, const char *help, uint64_t value) {
    family(page, name, "counter", help);
    number(page, name, "", value);
}

static void gauge(struct page *page, const char *name, const char *help, uint64_t value) {
    family(page, name, "gauge", help);
    number(page, name, "", value);
}

static double seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

static void seconds_counter(struct page *page, const char *name, const char *help, uint64_t ns) {
    family(page, name, "counter", help);
    sample(page, name, "", seconds(ns));
}

/* ---- Tables ---------------------------------------------------------------------------------- */

struct table_metric {
    const char *name;
    const char *help;
    double (*value)(const stoa_state_table_statistics *);
};

static double memtables(const stoa_state_table_statistics *table) {
    return table->memtable_count;
}
static double memtable_rows(const stoa_state_table_statistics *table) {
    return (double)table->memtable_row_count;
}
static double memtable_bytes(const stoa_state_table_statistics *table) {
    return (double)table->memtable_bytes;
}
static double decompressed_bytes(const stoa_state_table_statistics *table) {
    return (double)table->decompressed_bytes;
}
static double runs(const stoa_state_table_statistics *table) {
    return (double)table->run_count;
}
static double due_bytes(const stoa_state_table_statistics *table) {
    return (double)table->due_bytes;
}
static double read_amplification(const stoa_state_table_statistics *table) {
    return table->read_amplification;
}
static double space_amplification(const stoa_state_table_statistics *table) {
    return table->space_amplification;
}

static const struct table_metric table_metrics[] = {
    {"memtables", "Memtables, frozen ones included.", memtables},
    {"memtable_rows", "Rows in memtables.", memtable_rows},
    {"memtable_bytes", "Memory of memtables.", memtable_bytes},
    {"decompressed_bytes", "Memory of what was read of compressed files.", decompressed_bytes},
    {"sorted_runs", "Sorted runs of files.", runs},
    {"compaction_due_bytes", "Bytes that compactions have yet to read.", due_bytes},
    {"read_amplification", "Places that a get may have to look at.", read_amplification},
    {"space_amplification", "Bytes of all levels to those of the last one.", space_amplification},
};

static double level_files(const stoa_state_level *level) {
    return (double)level->file_count;
}
static double level_rows(const stoa_state_level *level) {
    return (double)level->row_count;
}
static double level_deletions(const stoa_state_level *level) {
    return (double)level->delete_count;
}
static double level_bytes(const stoa_state_level *level) {
    return (double)level->bytes;
}
static double level_score(const stoa_state_level *level) {
    return level->score;
}

static const struct {
    const char *name;
    const char *help;
    double (*value)(const stoa_state_level *);
} level_metrics[] = {
    {"level_files", "SSTables of a level.", level_files},
    {"level_rows", "Versions of rows on a level, deletions included.", level_rows},
    {"level_deletions", "Deletions on a level.", level_deletions},
    {"level_bytes", "Bytes of the SSTables of a level.", level_bytes},
    {"level_score", "How much a level needs compaction: from 1 on it gets one.", level_score},
};

static void print_tables(struct page *page, const stoa_state_table_statistics *tables,
                         int64_t count) {
    char labels[LABELS_BYTES];
    for (size_t m = 0; m < sizeof table_metrics / sizeof *table_metrics; m++) {
        family(page, table_metrics[m].name, "gauge", table_metrics[m].help);
        for (int64_t i = 0; i < count; i++) {
            (void)snprintf(labels, sizeof labels, "{table=\"%" PRId64 "\"}", tables[i].table_id);
            sample(page, table_metrics[m].name, labels, table_metrics[m].value(&tables[i]));
        }
    }
    for (size_t m = 0; m < sizeof level_metrics / sizeof *level_metrics; m++) {
        family(page, level_metrics[m].name, "gauge", level_metrics[m].help);
        for (int64_t i = 0; i < count * STOA_STATE_LEVELS; i++) {
            const stoa_state_table_statistics *table = &tables[i / STOA_STATE_LEVELS];
            const int level = (int)(i % STOA_STATE_LEVELS);
            (void)snprintf(labels, sizeof labels, "{table=\"%" PRId64 "\",level=\"%d\"}",
                           table->table_id, level);
            sample(page, level_metrics[m].name, labels,
                   level_metrics[m].value(&table->levels[level]));
        }
    }
}

/* ---- The store ------------------------------------------------------------------------------- */

static void print_stalls(struct page *page, const stoa_state_statistics *store) {
    char labels[STOA_STALL_COUNT][LABELS_BYTES];
    for (int i = 0; i < STOA_STALL_COUNT; i++) {
        (void)snprintf(labels[i], LABELS_BYTES, "{reason=\"%s\"}", stoa_stall_name((stoa_stall)i));
    }
    family(page, "stalls_total", "counter", "Waits of writers.");
    for (int i = 0; i < STOA_STALL_COUNT; i++) {
        number(page, "stalls_total", labels[i], store->stalls[i].count);
    }
    family(page, "stall_seconds_total", "counter", "Time that writers waited.");
    for (int i = 0; i < STOA_STALL_COUNT; i++) {
        sample(page, "stall_seconds_total", labels[i], seconds(store->stalls[i].ns_sum));
    }
    family(page, "stall_seconds_max", "gauge", "The longest wait of a writer.");
    for (int i = 0; i < STOA_STALL_COUNT; i++) {
        sample(page, "stall_seconds_max", labels[i], seconds(store->stalls[i].ns_max));
    }
}

static void print_compactions(struct page *page, const stoa_state_statistics *store) {
    char labels[LABELS_BYTES];
    family(page, "compactions_total", "counter", "Compactions, moves and drops of files.");
    for (int i = 0; i < STOA_COMPACTION_REASON_COUNT; i++) {
        (void)snprintf(labels, sizeof labels, "{reason=\"%s\"}",
                       stoa_compaction_reason_name((stoa_compaction_reason)i));
        number(page, "compactions_total", labels, store->compaction_counts[i]);
    }
    counter(page, "moves_total", "Compactions that only put files on another level.",
            store->move_count);
    gauge(page, "compactions_running", "Compactions that run now.",
          (uint64_t)store->compacting_count);
    counter(page, "compaction_read_bytes_total", "Bytes that compactions read.",
            store->compaction_bytes_read);
    counter(page, "compaction_written_bytes_total", "Bytes that compactions wrote.",
            store->compaction_bytes_written);
    counter(page, "compaction_read_rows_total", "Rows that compactions read.",
            store->compaction_rows_read);
    counter(page, "compaction_written_rows_total", "Rows that compactions wrote.",
            store->compaction_rows_written);
    seconds_counter(page, "compaction_seconds_total", "Time of compactions.", store->compaction_ns);
    seconds_counter(page, "compaction_rate_wait_seconds_total",
                    "Time that compactions waited for their rate limit.",
                    store->compaction_rate_wait_ns);
    family(page, "write_amplification", "gauge",
           "Bytes of flushes and compactions to those of flushes.");
    sample(page, "write_amplification", "", store->write_amplification);
}

static void print_log(struct page *page, const stoa_state_statistics *store) {
    counter(page, "log_records_total", "Records of the log.", store->log_record_count);
    counter(page, "log_bytes_total", "Bytes of the log.", store->log_bytes);
    counter(page, "log_syncs_total", "Syncs of the log.", store->log_sync_count);
    seconds_counter(page, "log_sync_seconds_total", "Time of syncs of the log.",
                    store->log_sync_ns);
    counter(page, "log_segments_made_total", "New segments of the log.", store->log_segments_made);
    counter(page, "log_segments_reused_total", "Segments of the log that were used again.",
            store->log_segments_reused);
    counter(page, "log_waits_total", "Writes for which no segment of the log was ready.",
            store->log_wait_count);
}

static void print_latencies(struct page *page, const stoa_state_statistics *store) {
    static const char *const names[STOA_STATE_CALL_COUNT] = {
        [STOA_STATE_CALL_GET] = "get",
        [STOA_STATE_CALL_GET_MANY] = "get_many",
        [STOA_STATE_CALL_COMMIT] = "commit",
    };
    char labels[LABELS_BYTES];
    family(page, "call_seconds", "summary", "Duration of calls; gets and commits: 1 of 64.");
    for (int i = 0; i < STOA_STATE_CALL_COUNT; i++) {
        const stoa_state_latency *latency = &store->latencies[i];
        const struct {
            const char *quantile;
            uint64_t ns;
        } quantiles[] = {{"0.5", latency->p50_ns},
                         {"0.9", latency->p90_ns},
                         {"0.99", latency->p99_ns},
                         {"0.999", latency->p999_ns},
                         {"1", latency->max_ns}};
        for (size_t q = 0; q < sizeof quantiles / sizeof *quantiles; q++) {
            (void)snprintf(labels, sizeof labels, "{call=\"%s\",quantile=\"%s\"}", names[i],
                           quantiles[q].quantile);
            sample(page, "call_seconds", labels, seconds(quantiles[q].ns));
        }
        (void)snprintf(labels, sizeof labels, "{call=\"%s\"}", names[i]);
        sample(page, "call_seconds_sum", labels, seconds(latency->ns_sum));
        number(page, "call_seconds_count", labels, latency->count);
    }
}

static void print_store(struct page *page, const stoa_state_statistics *store) {
    gauge(page, "tables", "State tables.", (uint64_t)store->table_count);
    counter(page, "sequence_total", "The newest sequence number.", store->last_sequence);
    gauge(page, "snapshots", "Open snapshots.", (uint64_t)store->snapshot_count);
    gauge(page, "oldest_snapshot_sequence", "The least sequence number that is read at.",
          store->oldest_snapshot);
    gauge(page, "frozen_generations", "Generations of memtables that wait for being files.",
          (uint64_t)store->generation_count);
    counter(page, "flushes_total", "Flushes.", store->flush_count);
    counter(page, "flush_bytes_total", "Bytes that flushes wrote.", store->flush_bytes);
    seconds_counter(page, "flush_seconds_total", "Time of flushes.", store->flush_ns);
    print_compactions(page, store);
    print_stalls(page, store);
    print_log(page, store);
    print_latencies(page, store);
}

stoa_status stoa_state_prometheus(stoa_state *state, stoa_text *out, stoa_error *err) {
    stoa_store *store = state->store;
    stoa_state **tables = NULL;
    stoa_state_table_statistics *statistics = NULL;
    stoa_state_statistics sums;
    struct page page = {.out = &out->buffer, .err = err};
    int64_t count = 0;
    stoa_status status = STOA_OK;
    stoa_buffer_clear(&out->buffer);
    STOA_TRY(stoa_store_list(store, &tables, &count, err));
    STOA_CHECK(stoa_pool_allocate_array(store->pool, (size_t)count, sizeof *statistics,
                                        (void **)&statistics, err));
    for (int64_t i = 0; i < count; i++) {
        stoa_state_table_statistics_get(tables[i], &statistics[i]);
    }
    stoa_state_statistics_get(state, &sums);
    print_store(&page, &sums);
    print_tables(&page, statistics, count);
    status = page.status;

done:
    stoa_pool_free(store->pool, statistics, (size_t)count * sizeof *statistics);
    stoa_store_list_release(store, tables, count);
    return status;
}
