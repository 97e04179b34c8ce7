/* Looking after state tables: what they have done and how large they are.
 *
 *     stoa_state_statistics_get(totals, &statistics, &err);
 *     stoa_state_prometheus(totals, text, &err);            all state tables, for a /metrics page
 *
 * Threads  Any, unless a function says otherwise. */
#ifndef STOA_STATE_MAINTENANCE_H
#define STOA_STATE_MAINTENANCE_H

#include <stoa/state.h>
#include <stoa/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Statistics ------------------------------------------------------------------------------ */

enum { STOA_STATE_LEVELS = 7 };

/// Why a writer had to wait.
typedef enum stoa_stall {
    STOA_STALL_MEMTABLES, /* frozen ones wait for being flushed */
    STOA_STALL_FILES,     /* files of level 0 wait for compaction */
    STOA_STALL_ALTER,     /* the table's columns are changed */
    STOA_STALL_COUNT
} stoa_stall;

/// Why files were compacted.
typedef enum stoa_compaction_reason {
    STOA_COMPACTION_LEVEL0_FILES, /* level 0 has too many */
    STOA_COMPACTION_LEVEL_BYTES,  /* a level below has too many */
    STOA_COMPACTION_RUNS_SIMILAR, /* tiered: runs of similar size */
    STOA_COMPACTION_RUNS_MANY,    /* tiered: none are similar, but there are too many */
    STOA_COMPACTION_SPACE,   /* tiered: what is newer takes too much space beside the oldest run */
    STOA_COMPACTION_EXPIRED, /* all rows are gone by their time to live */
    STOA_COMPACTION_FIFO_BYTES, /* the table is larger than it may be */
    STOA_COMPACTION_DELETIONS,  /* much of a file is deletions */
    STOA_COMPACTION_MANUAL,     /* asked for */
    STOA_COMPACTION_REASON_COUNT
} stoa_compaction_reason;

/// "memtables", "files", "alter"
STOA_API const char *stoa_stall_name(stoa_stall stall);
/// "level 0 files", "space", …
STOA_API const char *stoa_compaction_reason_name(stoa_compaction_reason reason);

/// Calls whose duration is measured.
typedef enum stoa_state_call {
    STOA_STATE_CALL_GET,      /* stoa_state_get; of each row's calls one in 64 */
    STOA_STATE_CALL_GET_MANY, /* stoa_state_get_many; every one */
    STOA_STATE_CALL_COMMIT,   /* a write or a batch of them, with its waits; one in 64 */
    STOA_STATE_CALL_COUNT
} stoa_state_call;

/// Durations of the calls that were measured. Percentiles are at most a quarter too high, and 0 where
/// `count` is.
typedef struct stoa_state_latency {
    uint64_t count;
    uint64_t ns_sum;
    uint64_t p50_ns;
    uint64_t p90_ns;
    uint64_t p99_ns;
    uint64_t p999_ns;
    uint64_t max_ns;
} stoa_state_latency;

typedef struct stoa_state_level {
    int64_t file_count;
    int64_t row_count;    /* versions of rows, deletions too */
    int64_t delete_count; /* of them, and ranges of deletions */
    uint64_t bytes;
    double score; /* from 1 on the level is compacted; the last one has none */
} stoa_state_level;

/// Of one table, as it is now.
typedef struct stoa_state_table_statistics {
    int64_t table_id;
    stoa_state_level levels[STOA_STATE_LEVELS];
    int64_t file_count; /* of all levels */
    int64_t row_count;
    uint64_t bytes;
    int32_t memtable_count; /* the one that takes the writes, and those that wait for being files */
    int64_t memtable_row_count;
    uint64_t memtable_bytes;
    uint64_t decompressed_bytes; /* that files with a codec hold of what was read of them */
    int64_t run_count;           /* sorted runs of files, which a scan merges */
    uint64_t due_bytes;          /* that compactions have yet to read */
    double
        read_amplification; /* places that a get may have to look at: runs and memtables with rows */
    double
        space_amplification; /* bytes of all levels to those of the last that has any; 1: no more */
} stoa_state_table_statistics;

/// Of all state tables of a database; counts since it was opened by this process.
typedef struct stoa_state_statistics {
    int32_t table_count;
    uint64_t last_sequence;
    int64_t snapshot_count;
    uint64_t oldest_snapshot; /* its sequence number; last_sequence where there is none */
    int32_t generation_count; /* of memtables that wait for being files */
    int32_t compacting_count; /* compactions that run now */
    uint64_t flush_count;
    uint64_t flush_bytes; /* written */
    uint64_t flush_ns;
    uint64_t compaction_count; /* that read and wrote */
    uint64_t move_count;       /* files that only went to another level */
    uint64_t compaction_counts[STOA_COMPACTION_REASON_COUNT]; /* of all kinds */
    uint64_t compaction_bytes_read;
    uint64_t compaction_bytes_written;
    uint64_t compaction_rows_read;
    uint64_t compaction_rows_written;
    uint64_t compaction_ns;
    uint64_t compaction_rate_wait_ns; /* for write_rate_bytes */
    double
        write_amplification; /* bytes of flushes and compactions to those of flushes; the log is not
                                   in it; 0: nothing was flushed */
    struct {
        uint64_t count;
        uint64_t ns_sum;
        uint64_t ns_max;
    } stalls[STOA_STALL_COUNT];
    /* Of the log; zeros of a database that is only read. */
    uint64_t log_record_count;
    uint64_t log_bytes;
    uint64_t log_sync_count;
    uint64_t log_sync_ns;
    uint64_t log_segments_made;
    uint64_t log_segments_reused;
    uint64_t log_wait_count; /* writes for which no segment was ready */
    stoa_state_latency latencies[STOA_STATE_CALL_COUNT];
} stoa_state_statistics;

/// What an open table consists of. Some microseconds; nobody waits for it.
STOA_API void stoa_state_table_statistics_get(stoa_state *state, stoa_state_table_statistics *out);
/// What the state tables of the database that `state` belongs to have done. As quick.
STOA_API void stoa_state_statistics_get(stoa_state *state, stoa_state_statistics *out);

/// Fills `out` with both, of all state tables of the database, in the text format of Prometheus
/// (version 0.0.4): names begin with stoa_state_, tables are told by a label `table`, their id.
///
/// Errors   STOA_NO_MEMORY
STOA_API STOA_MUST_USE stoa_status stoa_state_prometheus(stoa_state *state, stoa_text *out,
                                                         stoa_error *err);

/* ---- Checkpoints ----------------------------------------------------------------------------- */

/// All state tables of the database at one moment, as their files in a new directory: every commit that
/// had returned before the call is in it, and of later ones those up to some number. What is in memory is
/// written into files, which are then linked; where the file system has no links, or on another one, they
/// are copied. Nothing that happens to one of the two concerns the other. Writers go on meanwhile.
/// `directory` is a URI, and appears whole and durable, or not at all: it is made under a name that
/// begins with ".stoa-tmp-", which a crash may leave behind. The directory above is made when missing.
/// The copy can take the place of a database's directory of state tables. The context's token is used;
/// NULL: none.
///
/// Errors   STOA_EXISTS       there is something of that name
///          STOA_INVALID      the database is open to be read only
///          STOA_UNSUPPORTED  a file system that has no directories
///          STOA_CONFLICT     bulk loads follow each other too closely
///          STOA_CANCELLED, STOA_IO, STOA_NO_MEMORY, STOA_LIMIT; nothing is there, or, if its name could
///                            not be synced, the whole
STOA_API STOA_MUST_USE stoa_status stoa_state_checkpoint(stoa_state *state, const char *directory,
                                                         const stoa_context *context,
                                                         stoa_error *err);

/* ---- Repair ---------------------------------------------------------------------------------- */

typedef struct stoa_state_repair_options {
    bool dry_run; /* only says what it would do; the database may be open to be read only */
    /* Called for each damage: message, file (below the state tables' directory or with it), byte. NULL:
     * none. */
    stoa_damage_function function;
    void *user;
    stoa_context context; /* the token is used */
} stoa_state_repair_options;

/// What a repair found.
typedef struct stoa_state_repair_result {
    int64_t damage_count; /* 0: all is whole, and nothing was changed */
    int64_t file_count;   /* that were read */
    uint64_t byte_count;
    int64_t lost_file_count;   /* missing, or nothing in them can be read */
    int64_t lost_stripe_count; /* of other files */
    int64_t lost_row_count;    /* versions of rows in all of these */
    int64_t lost_change_count; /* of the log, at most: rows and deleted ranges; those after the last that can
                                  be read are not known and not counted */
} stoa_state_repair_result;

/// Makes state tables that are damaged usable again, as far as their files are whole, and says what is
/// lost. `stoa_database_verify` finds the same damage. Nobody else writes the tables meanwhile; those who
/// read them go on with what they have, and see the repaired ones when they open them anew.
/// Damaged files are kept in the folder "lost" of the state tables' directory. Where rows are lost that had
/// replaced or deleted others, these may be seen again.
/// All of it is done or nothing: after a crash or an error the tables are as damaged as they were.
/// `options` may be NULL; `out` is filled on error too.
///
/// Errors   STOA_NOT_FOUND    the database has no state tables
///          STOA_LOCKED       another process writes them, or this one does; the message names it
///          STOA_CORRUPT      so much is lost that nothing can be saved
///          STOA_INVALID      the database is open to be read only
///          STOA_UNSUPPORTED  a newer version of a format, which is no damage; a database in an object
///                            store
///          STOA_CANCELLED, STOA_IO, STOA_NO_MEMORY
STOA_API STOA_MUST_USE stoa_status stoa_state_repair(stoa_database *database,
                                                     const stoa_state_repair_options *options,
                                                     stoa_state_repair_result *out,
                                                     stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
