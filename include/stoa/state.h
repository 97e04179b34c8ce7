/* State tables: records with a primary key that are put, changed and deleted one by one or by the
 * batch, and read by key or as columns. A database's state tables share one log, so a batch over
 * several of them is all or nothing.
 *
 *     stoa_state_create(db, "totals", schema, &(stoa_state_table_options){.key = "user",
 *                       .merge = "total add, last_seen max"}, &err);
 *     stoa_state_open(db, "totals", &totals, &err);
 *     stoa_state_put(totals, (stoa_cell[]){{.i = 7}, {.f = 1.5}, {.i = now}}, NULL, &err);
 *     stoa_state_get(totals, (stoa_cell[]){{.i = 7}}, NULL, row, &found, &err);
 *
 * Threads  Everything may be called from any thread, unless a function says otherwise. One process
 *          writes a database's state tables at a time; others read what it has written. */
#ifndef STOA_STATE_H
#define STOA_STATE_H

#include <stoa/database.h>
#include <stoa/sched.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoa_state stoa_state; /* an open table */

/// One value, by its column's type: booleans, whole numbers, dates, times, timestamps and durations in
/// `i` (unsigned 64 bits as its bits), floats and doubles in `f`, strings, binaries, fixed and uuids in
/// `bytes`; decimals in `bytes` too, 16 of them, little-endian two's complement, unscaled.
typedef struct stoa_cell {
    bool is_null;
    int64_t i;
    double f;
    const void *bytes;
    size_t size;
} stoa_cell;

/// A row that gets fill with the columns that it was made for, again and again.
///
/// Threads  One at a time.
typedef struct stoa_row stoa_row;
/// One cell for each of its columns. They are valid until the next get of the row, or its close; what
/// they point to is kept as long.
STOA_API const stoa_cell *stoa_row_cells(const stoa_row *row);
/// NULL is allowed.
STOA_API void stoa_row_close(stoa_row *row);

typedef enum stoa_durability {
    STOA_DURABILITY_DEFAULT = 0, /* the database's */
    STOA_DURABILITY_NONE,        /* no log: what was not flushed is lost with the process */
    STOA_DURABILITY_BUFFERED,    /* survives the process */
    STOA_DURABILITY_INTERVAL,    /* and, after `interval_ms`, the machine */
    STOA_DURABILITY_SYNC         /* survives the machine when the call returns */
} stoa_durability;

typedef enum stoa_compaction_style {
    STOA_COMPACTION_LEVELED = 0,
    STOA_COMPACTION_TIERED,
    STOA_COMPACTION_FIFO /* the oldest files go when the table is larger than `fifo_bytes` */
} stoa_compaction_style;

/// Called for rows that a compaction is about to keep (canonical layout of the schema); sets keep[i]
/// to 0 to drop row i. Any thread; must not call Stoa.
typedef void (*stoa_compaction_filter)(void *user, const struct ArrowArray *rows, uint8_t *keep);
/// A program's own merge operator for one column: `operands` oldest first, the first one the base (null
/// where there is none, or where it is not known yet), the others not null. Operands are folded in parts,
/// so it must be associative: f(base, f(null, a, b)) is f(base, a, b); it is not called for one value
/// alone. Called from any thread, several at once; the result's bytes stay valid until the same thread's
/// next call. Must not call Stoa.
typedef void (*stoa_merge_function)(void *user, const stoa_cell *operands, int64_t count,
                                    stoa_cell *out);

/// What is kept of a table beside its schema. Zeros and NULLs are the defaults.
typedef struct stoa_state_table_options {
    const char *key;        /* "user, ts desc" */
    const char *merge;      /* "total add, tags union, last_seen max, doc program(my_merge)";
                               columns that are not named: last */
    const char *ttl_column; /* a timestamp: rows are gone `ttl_ms` after it; null: never */
    int64_t ttl_ms;
    stoa_compaction_style compaction;
    uint64_t fifo_bytes;
    const char *codec;   /* of the last level: "none" (default), "lz4", "zstd" */
    int32_t filter_bits; /* of the bloom filter, for each key; 0: 10; -1: no filter */
} stoa_state_table_options;

/// How a process works on a database's state tables; given before the first of them is used.
typedef struct stoa_state_options {
    stoa_durability durability;      /* DEFAULT: buffered */
    int64_t interval_ms;             /* 0: 100 */
    size_t memtable_bytes;           /* 0: 64 MiB */
    size_t log_segment_bytes;        /* 0: 64 MiB */
    uint64_t write_rate_bytes;       /* a second, of compactions; 0: no limit */
    bool no_background;              /* flush and compact only when asked to */
    int64_t (*clock_ms)(void *user); /* for times to live; NULL: the system's */
    void *clock_user;
} stoa_state_options;

#ifdef __cplusplus
}
#endif
#endif
