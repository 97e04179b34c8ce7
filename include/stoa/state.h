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
#include <stoa/text.h>

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

/// A value from a text, read as SQL casts it to the type: "-12.50", "true", "2024-02-29 12:30:45", bytes
/// with escapes like \x0A. What the cell points to lies in `storage`, until that is filled again.
///
/// Errors   STOA_INVALID      expected and found, without the column's name
///          STOA_UNSUPPORTED  a nested type, an interval
///          STOA_NO_MEMORY
STOA_API STOA_MUST_USE stoa_status stoa_cell_parse(const stoa_type *type, const char *text,
                                                   size_t size, stoa_text *storage, stoa_cell *out,
                                                   stoa_error *err);

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
    const char *codec; /* of the last level: "none" (default), "lz4", "zstd"; not with FIFO. What is
                            read of a compressed file stays decompressed in memory until the file goes */
    int32_t filter_bits; /* of the bloom filter, for each key; 0: 10; -1: no filter */
} stoa_state_table_options;

/// How a process works on a database's state tables; given before the first of them is used.
typedef struct stoa_state_options {
    stoa_durability durability;      /* DEFAULT: buffered */
    int64_t interval_ms;             /* 0: 100 */
    size_t memtable_bytes;           /* 0: 64 MiB */
    size_t log_segment_bytes;        /* 0: 32 MiB */
    uint64_t write_rate_bytes;       /* a second, of compactions; 0: no limit */
    bool no_background;              /* flush and compact only when asked to */
    int64_t lock_wait_ms; /* how long the first write, and opening, waits while another process has the
                             lock; 0: not at all */
    int64_t (*clock_ms)(void *user); /* for times to live; NULL: the system's */
    void *clock_user;
} stoa_state_options;

/* ---- Tables ---------------------------------------------------------------------------------- */

/// How this process works on a database's state tables.
///
/// Errors   STOA_INVALID  they are in use already
STOA_API STOA_MUST_USE stoa_status stoa_state_configure(stoa_database *database,
                                                        const stoa_state_options *options,
                                                        stoa_error *err);
/// A program's own merge operator, by the name that `merge` has in program(name). Every process that
/// reads or writes such a column registers it; one of the same name is replaced.
STOA_API STOA_MUST_USE stoa_status stoa_state_register_merge(stoa_database *database,
                                                             const char *name,
                                                             stoa_merge_function function,
                                                             void *user, stoa_error *err);
/// Makes a table. It is dropped, renamed, listed and queried as tables of other kinds are.
///
/// Errors   STOA_INVALID      no key; a text that says nothing of a column (with its byte); a column of
///                            the key that may be null
///          STOA_UNSUPPORTED  a type that cannot be in a key; a database in an object store
///          STOA_EXISTS, STOA_LOCKED (another process writes: its number), STOA_IO
STOA_API STOA_MUST_USE stoa_status stoa_state_create(stoa_database *database, const char *table,
                                                     const stoa_schema *schema,
                                                     const stoa_state_table_options *options,
                                                     stoa_error *err);
/// Opens a table. The first one that a process opens takes the lock of the database's state tables, until
/// the database is closed. Where the database was opened read-only, or another process has the lock, the
/// handle only reads, what was written until now: opened again, it has what was written since. Rows of cells
/// have the columns of stoa_state_schema as long as the handle is open: see stoa_state_alter.
///
/// Errors   STOA_NOT_FOUND  no such table
///          STOA_INVALID    a table of another kind
/// Owns     The caller closes it, before the database. What is still open then, and what was made of it
///          (rows, iterators, streams, batches, transactions, snapshots), answers STOA_INVALID until it is
///          closed; cells of rows are null, and an iterator has no schema.
STOA_API STOA_MUST_USE stoa_status stoa_state_open(stoa_database *database, const char *table,
                                                   stoa_state **out, stoa_error *err);

/// What is done to a column. Those of the key are only renamed; the one that a time to live is counted
/// from is not dropped.
typedef enum stoa_state_alteration_kind {
    STOA_STATE_ADD_COLUMN, /* `text`: "score double 'why'"; null in the rows there are, so never "not
                                 null" (STOA_INVALID); merged by last */
    STOA_STATE_DROP_COLUMN,   /* and what was in it */
    STOA_STATE_RENAME_COLUMN, /* to `text` */
    /* `text`: a type that has all values of the old one; between whole numbers and floats, or of decimals
     * the precision (else STOA_UNSUPPORTED, as with a program's merge operator) */
    STOA_STATE_SET_DATA_TYPE,
    STOA_STATE_DROP_NOT_NULL
} stoa_state_alteration_kind;

typedef struct stoa_state_alteration {
    stoa_state_alteration_kind kind;
    const char *column; /* of all but ADD_COLUMN */
    const char *text;
} stoa_state_alteration;

/// Changes a table's columns, one alteration after the other and all at once, without rewriting rows: files
/// say what they were written by, and are read by the new columns. What is in memory is written into
/// files before; writers wait meanwhile, at most some tenths of a second.
///
/// Handles are for the columns that the table had when they were opened: from then on whatever they are
/// asked for answers STOA_CONFLICT, here and, once they take up what was written, in other processes; the
/// table is opened again. Streams and iterators that had begun go on with the columns that they have.
///
/// Errors   STOA_NOT_FOUND    no such table
///          STOA_INVALID      no alteration; a column that is not there, or is there already; what a key or
///                            a time to live needs; a type that does not have all values; a table of
///                            another kind; a database opened read-only
///          STOA_UNSUPPORTED  as stoa_state_alteration_kind says
///          STOA_CONFLICT     somebody else alters the table, or writes so much that its memory is never
///                            empty
///          STOA_LOCKED, STOA_CORRUPT, STOA_IO, STOA_LIMIT, STOA_NO_MEMORY; nothing has changed
STOA_API STOA_MUST_USE stoa_status stoa_state_alter(stoa_database *database, const char *table,
                                                    const stoa_state_alteration *alterations,
                                                    int32_t count, stoa_error *err);

/// Writes what a state table holds at one moment as a new snapshot of a table of the kind parquet, for
/// those who read files: made when it is missing, overwritten otherwise, its columns too. Rows come in the
/// order of their keys, and a few batches of them are in memory at a time. All or nothing: the target is
/// as it was until the call returns, and after an error. Another process may write the state tables
/// meanwhile. `context` (its token and progress are used) and `out_rows` are nullable.
///
/// Errors   STOA_NOT_FOUND  no such table
///          STOA_INVALID    a table of another kind; a column that the target is partitioned by is not one
///                          of the state table's; a database opened read-only
///          STOA_UNSUPPORTED  a new target in a database in memory
///          STOA_CONFLICT, STOA_EXISTS  somebody else wrote, or made, the target meanwhile
///          STOA_CANCELLED, STOA_CORRUPT, STOA_IO, STOA_LIMIT, STOA_NO_MEMORY
STOA_API STOA_MUST_USE stoa_status stoa_state_publish(stoa_database *database, const char *table,
                                                      const char *target,
                                                      const stoa_context *context,
                                                      int64_t *out_rows, stoa_error *err);

/* ---- Writing -----------------------------------------------------------------------------------
 *
 * Every write is visible when the call returns, and survives what its durability says. On error
 * nothing of it happened, unless the error is of the sync (STOA_IO, after which the table takes no
 * more writes until it is opened anew).
 *
 * Errors   STOA_INVALID      a value that does not fit its column (named), a null in the key or in a
 *                            required column, a database opened read-only
 *          STOA_NOT_FOUND    the table was dropped
 *          STOA_UNSUPPORTED  a row of cells for a table with nested columns
 *          STOA_CONFLICT     the table's columns were changed since it was opened
 *          STOA_LIMIT        a key of more than 64 KiB, one write of more than 1 GiB, or no memory left
 *                            in the pool
 *          STOA_IO           the log or a flush fails (a full disk, say): a later write tries again */

/// One row: a cell for each column, in the order of the schema.
STOA_API STOA_MUST_USE stoa_status stoa_state_put(stoa_state *state, const stoa_cell *row,
                                                  stoa_durability durability, stoa_error *err);
/// Operands of the columns' merge operators, with the key; a null operand changes nothing. A key that
/// is not there becomes a row of the operands.
STOA_API STOA_MUST_USE stoa_status stoa_state_merge(stoa_state *state, const stoa_cell *row,
                                                    stoa_durability durability, stoa_error *err);
/// The row with this key, in the order of the key's columns; no error when there is none.
STOA_API STOA_MUST_USE stoa_status stoa_state_delete(stoa_state *state, const stoa_cell *key,
                                                     stoa_durability durability, stoa_error *err);
/// All rows whose keys are not less than the first `from_count` parts `from` and less than `to`; a
/// count of 0 is the first key, or behind the last.
STOA_API STOA_MUST_USE stoa_status stoa_state_delete_range(stoa_state *state, const stoa_cell *from,
                                                           int32_t from_count, const stoa_cell *to,
                                                           int32_t to_count,
                                                           stoa_durability durability,
                                                           stoa_error *err);
/// The same by the batch, validated as a sink's; of equal keys the last row counts, of operands every
/// one. A batch of deletions has the columns of the key, by name. Takes `batch`, also on error.
STOA_API STOA_MUST_USE stoa_status stoa_state_put_batch(stoa_state *state,
                                                        const struct ArrowSchema *schema,
                                                        struct ArrowArray *batch,
                                                        stoa_durability durability,
                                                        stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_state_merge_batch(stoa_state *state,
                                                          const struct ArrowSchema *schema,
                                                          struct ArrowArray *batch,
                                                          stoa_durability durability,
                                                          stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_state_delete_batch(stoa_state *state,
                                                           const struct ArrowSchema *schema,
                                                           struct ArrowArray *batch,
                                                           stoa_durability durability,
                                                           stoa_error *err);

/// Writes that become visible together, also to several tables of one database.
///
/// Threads  One at a time for a batch.
typedef struct stoa_state_batch stoa_state_batch;
/// An empty batch for tables of the database that `state` belongs to.
STOA_API STOA_MUST_USE stoa_status stoa_state_batch_create(stoa_state *state,
                                                           stoa_state_batch **out, stoa_error *err);
/// Add a write; cells are copied. `operation` is what the call of the same name does alone.
STOA_API STOA_MUST_USE stoa_status stoa_state_batch_put(stoa_state_batch *batch, stoa_state *state,
                                                        const stoa_cell *row, stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_state_batch_merge(stoa_state_batch *batch,
                                                          stoa_state *state, const stoa_cell *row,
                                                          stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_state_batch_delete(stoa_state_batch *batch,
                                                           stoa_state *state, const stoa_cell *key,
                                                           stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_state_batch_delete_range(
    stoa_state_batch *batch, stoa_state *state, const stoa_cell *from, int32_t from_count,
    const stoa_cell *to, int32_t to_count, stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_state_batch_put_rows(stoa_state_batch *batch,
                                                             stoa_state *state,
                                                             const struct ArrowSchema *schema,
                                                             struct ArrowArray *rows,
                                                             stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_state_batch_merge_rows(stoa_state_batch *batch,
                                                               stoa_state *state,
                                                               const struct ArrowSchema *schema,
                                                               struct ArrowArray *rows,
                                                               stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_state_batch_delete_rows(stoa_state_batch *batch,
                                                                stoa_state *state,
                                                                const struct ArrowSchema *schema,
                                                                struct ArrowArray *keys,
                                                                stoa_error *err);
/// Commits and empties the batch; on error it is as it was.
STOA_API STOA_MUST_USE stoa_status stoa_state_batch_commit(stoa_state_batch *batch,
                                                           stoa_durability durability,
                                                           stoa_error *err);
/// The same, visible when the call returns; the future is done when it survives the machine.
STOA_API STOA_MUST_USE stoa_status stoa_state_batch_commit_async(stoa_state_batch *batch,
                                                                 stoa_future **out,
                                                                 stoa_error *err);
/// Gives up what was not committed. NULL is allowed.
STOA_API void stoa_state_batch_close(stoa_state_batch *batch);

/// What the rows of an ingest are.
typedef enum stoa_state_ingest_mode {
    STOA_STATE_INGEST_PUT = 0, /* rows: of equal keys the last one counts */
    STOA_STATE_INGEST_MERGE,   /* operands of the columns' merge operators, with the key */
    STOA_STATE_INGEST_DELETE   /* keys: the columns of the key, by name */
} stoa_state_ingest_mode;

/// Many rows at once, beside the log: they are sorted in memory, a memtable at a time, and written as
/// files, which become part of the table by one commit at the end. The table is as it was until then,
/// and after an error; when the call returns, the rows survive the machine. Memory is that of a memtable
/// twice over, whatever comes. Rows that come in the order of the key are not sorted again, and large
/// files of such rows are not merged later. What is in memory of all state tables is written into files
/// before the commit. `rows` are batches as stoa_state_put_batch takes them. `context` (its token and
/// progress are used) and `out_rows` are nullable. Files are ingested by stoa_load.
///
/// Errors   as those of writes, and the stream's own
///          STOA_INVALID      operands of a key that cannot be folded: a sum that does not fit
///          STOA_UNSUPPORTED  an operator of a program that is not registered
///          STOA_CONFLICT     the table was dropped, or its columns changed, meanwhile
///          STOA_CANCELLED, STOA_NO_MEMORY
/// Owns     Takes `rows`, also on error.
STOA_API STOA_MUST_USE stoa_status stoa_state_ingest(stoa_state *state,
                                                     struct ArrowArrayStream *rows,
                                                     stoa_state_ingest_mode mode,
                                                     const stoa_context *context,
                                                     int64_t *out_rows, stoa_error *err);

/// Makes all that was written so far survive the machine.
STOA_API STOA_MUST_USE stoa_status stoa_state_sync(stoa_state *state, stoa_error *err);

/* ---- Snapshots ------------------------------------------------------------------------------- */

/// What the state tables of a database hold at one moment. Until it is closed compactions keep what
/// it sees; those of another process, beside which this one only reads, do not know of it: such a
/// snapshot is good until this process next takes up what was written.
typedef struct stoa_state_snapshot stoa_state_snapshot;
STOA_API STOA_MUST_USE stoa_status stoa_state_snapshot_create(stoa_state *state,
                                                              stoa_state_snapshot **out,
                                                              stoa_error *err);
/// NULL is allowed.
STOA_API void stoa_state_snapshot_close(stoa_state_snapshot *snapshot);

/* ---- Reading -----------------------------------------------------------------------------------
 *
 * All of it answers STOA_CONFLICT where the table's columns were changed since the handle was opened. */

/// A row for gets of these columns ("total, name"; NULL: all). Between gets it keeps what the last one
/// read from, memory and files: who does not go on reading closes it.
///
/// Errors   STOA_INVALID      no such column
///          STOA_UNSUPPORTED  a nested column
/// Owns     The caller closes it, before the table.
STOA_API STOA_MUST_USE stoa_status stoa_row_create(stoa_state *state, const char *columns,
                                                   stoa_row **out, stoa_error *err);
/// Fills `row` with the row of a key (a cell for each of its columns, in their order), as it is now or
/// (nullable) in a snapshot.
///
/// Errors   STOA_INVALID  a null or another size than the column's; a row of another table, or of a handle
///                        to other columns
///          STOA_CORRUPT  a damaged file: with its name
///          STOA_UNSUPPORTED  a program's merge operator that is not registered
///          STOA_IO, STOA_NO_MEMORY
STOA_API STOA_MUST_USE stoa_status stoa_state_get(stoa_state *state, const stoa_cell *key,
                                                  const stoa_state_snapshot *snapshot,
                                                  stoa_row *row, bool *out_found, stoa_error *err);

/// The rows of many keys, faster than one after the other. `keys` is a batch of the columns of the key, by
/// name; it is taken, also on error. `out_rows` has the columns asked for ("total, name"; NULL: all) of
/// one row a key, in the order of the keys; where there is none they are null, and its bit of
/// `out_found` is 0. `out_schema` (nullable) is theirs.
///
/// Shape    `out_found` has a bit a key, as Arrow's bitmaps.
/// Errors   as stoa_state_get; STOA_LIMIT  more than 2 GiB of texts in a column
/// Owns     The caller releases `out_rows` and `out_schema`; on error they are released.
STOA_API STOA_MUST_USE stoa_status stoa_state_get_many(
    stoa_state *state, const struct ArrowSchema *key_schema, struct ArrowArray *keys,
    const char *columns, const stoa_state_snapshot *snapshot, struct ArrowSchema *out_schema,
    struct ArrowArray *out_rows, uint8_t *out_found, stoa_error *err);

/// Which rows a scan gives, and how. All-zero: all of them, whole, in the order of their keys.
typedef struct stoa_state_scan_options {
    const char *columns;   /* "total, name"; NULL: all */
    const char *where;     /* "total > 50 and name is not null"; NULL: all rows */
    const stoa_cell *from; /* keys not less than these first columns of it */
    int32_t from_count;    /* 0: from the first key */
    const stoa_cell *to;   /* keys less than these; with `to_included` also those that begin so */
    int32_t to_count;      /* 0: to the last key */
    bool to_included;
    bool reverse;
    int64_t limit;                       /* rows; 0: none */
    const stoa_state_snapshot *snapshot; /* NULL: as it is now; only needed by the call */
    stoa_context context;                /* NULL pool: the table's */
} stoa_state_scan_options;

/// A stream of the rows that are there at one moment, as batches in the canonical layout.
///
/// Errors   STOA_INVALID    a condition that is none (with `err->offset`), a bound that is no value of its
///                          column
///          STOA_NOT_FOUND  no such column
///          STOA_IO, STOA_NO_MEMORY, STOA_LIMIT; of the stream also STOA_CORRUPT and STOA_CANCELLED
/// Owns     The caller releases the stream, before it closes the table. Batches may outlive it.
STOA_API STOA_MUST_USE stoa_status stoa_state_scan(stoa_state *state,
                                                   const stoa_state_scan_options *options,
                                                   struct ArrowArrayStream *out, stoa_error *err);

/// How many rows the scan would give, from what files say of themselves where that is exact.
STOA_API STOA_MUST_USE stoa_status stoa_state_count(stoa_state *state,
                                                    const stoa_state_scan_options *options,
                                                    int64_t *out, stoa_error *err);

/// The least and the greatest value of a column (of no row: `*out_found` is false), NaN above all: from
/// what files say of themselves where that is exact, else by reading the column.
///
/// Errors   STOA_NOT_FOUND    no such column
///          STOA_UNSUPPORTED  a column of decimals, texts, bytes, or nested
///          as stoa_state_scan otherwise
STOA_API STOA_MUST_USE stoa_status stoa_state_extremes(stoa_state *state, const char *column,
                                                       const stoa_state_snapshot *snapshot,
                                                       stoa_cell *out_least,
                                                       stoa_cell *out_greatest, bool *out_found,
                                                       stoa_error *err);

/// A scan that may start over from any key, at little cost.
///
/// Threads  One at a time.
typedef struct stoa_state_iterator stoa_state_iterator;

/// Stands before the first row (`reverse`: the last). `limit` counts from each seek. It sees the table as
/// it was at this call.
///
/// Owns     The caller closes it, before the table.
STOA_API STOA_MUST_USE stoa_status
stoa_state_iterator_create(stoa_state *state, const stoa_state_scan_options *options,
                           stoa_state_iterator **out, stoa_error *err);
/// Goes before the first row, within the options' bounds, whose key is not less than the first `count`
/// parts `key`; a reverse one before the last row whose key is not above them or begins so.
STOA_API STOA_MUST_USE stoa_status stoa_state_iterator_seek(stoa_state_iterator *iterator,
                                                            const stoa_cell *key, int32_t count,
                                                            stoa_error *err);
/// The next rows, 1 to `max_rows`, as a batch that the caller releases: soon, then its memory is used
/// again. At the end `out->release` is NULL. Fewer rows than max_rows do not mean the end.
STOA_API STOA_MUST_USE stoa_status stoa_state_iterator_next(stoa_state_iterator *iterator,
                                                            int64_t max_rows,
                                                            struct ArrowArray *out,
                                                            stoa_error *err);
/// Of the batches; borrowed from the iterator.
STOA_API const struct ArrowSchema *stoa_state_iterator_schema(const stoa_state_iterator *iterator);
/// NULL is allowed.
STOA_API void stoa_state_iterator_close(stoa_state_iterator *iterator);

/* ---- Maintenance ----------------------------------------------------------------------------- */

/// Writes what is in memory, of all state tables of the database, into files.
STOA_API STOA_MUST_USE stoa_status stoa_state_flush(stoa_state *state, stoa_error *err);
/// Waits until no flush and no compaction is due or runs.
STOA_API STOA_MUST_USE stoa_status stoa_state_settle(stoa_state *state, stoa_error *err);
/// Merges all files with keys from `from` up to `to` (as stoa_state_delete_range) into one sorted run
/// on the last level that has any, and leaves out what no snapshot needs. What is in memory is written
/// into files before. The context's token and progress are used; NULL: none.
STOA_API STOA_MUST_USE stoa_status stoa_state_compact(stoa_state *state, const stoa_cell *from,
                                                      int32_t from_count, const stoa_cell *to,
                                                      int32_t to_count, const stoa_context *context,
                                                      stoa_error *err);
/// The rows that compactions of this process leave out from now on, as long as the table has the columns of
/// the handle; NULL: none.
STOA_API void stoa_state_set_filter(stoa_state *state, stoa_compaction_filter filter, void *user);
/// Gives up the handle. NULL is allowed.
STOA_API void stoa_state_close(stoa_state *state);
/// Borrowed. It does not change: a table whose columns do is opened again.
STOA_API const stoa_schema *stoa_state_schema(const stoa_state *state);
/// Where the schema has part `part` (0-based) of the key; -1 behind the last one.
STOA_API int32_t stoa_state_key_column(const stoa_state *state, int32_t part);

#ifdef __cplusplus
}
#endif
#endif
