/* State of stream processors: values, lists, maps, aggregates and timers, each belonging to a key of a
 * stream, kept in state tables of a database.
 *
 *     stoa_stream_backend_open(database, &(stoa_stream_backend_options){.name = "shop"}, &backend,
 *                              &err);
 *     stoa_stream_state_open(backend, &(stoa_stream_descriptor){.name = "spent",
 *                            .kind = STOA_STREAM_AGGREGATE, .key = "user long not null",
 *                            .value = "total double, orders long",
 *                            .merge = "total add, orders add"}, &spent, &err);
 *     stoa_stream_backend_position_get(backend, "orders", &position, &found, &err);
 *     … for each event from `position` on:
 *         stoa_stream_state_add(spent, &scope, operands, &err);
 *         stoa_stream_backend_position_set(backend, "orders", position + 1, &err);
 *     … every thousand events:
 *         stoa_stream_backend_commit(backend, STOA_DURABILITY_BUFFERED, &err);
 *
 * What is written becomes visible and durable with a commit, all of it together: the states, and the
 * position in the input that they stand for. After a crash the program goes on at that position, and
 * every event counts exactly once. Reads see what was written since the last commit.
 *
 * A key belongs to one of `group_count` key groups, by a hash of its bytes (XXH3 of its key encoding).
 * A backend works on a range of groups, so that the keys of one job can be spread over several
 * processes, each with a database of its own, and spread anew: see stoa_stream_backend_import and
 * stoa_stream_backend_clip.
 *
 * Each state is a state table, `<backend>.<state>`, with the columns key_group, those of the key,
 * namespace, then map key, element or time, and the values. It can be read and scanned like any.
 *
 * Threads  One at a time for a backend and all that was opened from it. */
#ifndef STOA_STREAM_H
#define STOA_STREAM_H

#include <stoa/state_transaction.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoa_stream_backend stoa_stream_backend;
typedef struct stoa_stream_state stoa_stream_state;

typedef struct stoa_stream_backend_options {
    const char *name;    /* its tables' names begin with it */
    int32_t group_count; /* 0: 128. it stays what it was when the backend was made */
    int32_t first_group; /* this process's groups: [first_group, end_group) */
    int32_t end_group;   /* 0: group_count */
} stoa_stream_backend_options;

/// Opens a backend, and makes what is not there.
///
/// Errors   STOA_INVALID  groups out of range, or another group_count than it was made with
///          as stoa_state_create and stoa_state_open
/// Owns     The caller closes it before the database.
STOA_API STOA_MUST_USE stoa_status
stoa_stream_backend_open(stoa_database *database, const stoa_stream_backend_options *options,
                         stoa_stream_backend **out, stoa_error *err);
/// Gives up what was not committed, and all states that were opened from it. NULL is allowed.
STOA_API void stoa_stream_backend_close(stoa_stream_backend *backend);

typedef enum stoa_stream_kind {
    STOA_STREAM_VALUE,     /* one row of values */
    STOA_STREAM_AGGREGATE, /* one row of accumulators, each with its merge operator */
    STOA_STREAM_LIST,      /* rows in the order in which they were added */
    STOA_STREAM_MAP,       /* rows by a key of their own, in its order */
    STOA_STREAM_TIMERS     /* moments that come due, with values or without */
} stoa_stream_kind;

typedef struct stoa_stream_descriptor {
    const char *name;
    stoa_stream_kind kind;
    const char *key;     /* columns as a schema's text; NULL: "key binary not null" */
    const char *map_key; /* the same, of maps */
    const char *value;   /* the same; timers: may be NULL */
    const char *merge;   /* of aggregates, as stoa_state_table_options.merge: "total add" */
    int64_t ttl_ms;      /* a row is gone so long after it was written last; 0: never */
} stoa_stream_descriptor;

/// Opens a state, and makes it when it is not there.
///
/// Errors   STOA_INVALID  a descriptor that makes no sense, or another one than the state was made
///                        with (the schemas differ)
/// Owns     It belongs to the backend, and lives as long.
STOA_API STOA_MUST_USE stoa_status stoa_stream_state_open(stoa_stream_backend *backend,
                                                          const stoa_stream_descriptor *descriptor,
                                                          stoa_stream_state **out, stoa_error *err);
/// The table that a state is, borrowed, to scan over all keys.
STOA_API stoa_state *stoa_stream_state_table(stoa_stream_state *state);

/// Whose state: a key of the stream, and within it a namespace, a window's bytes, say.
typedef struct stoa_stream_scope {
    const stoa_cell *key; /* one a column of the key */
    const void *namespace_bytes;
    size_t namespace_size;
} stoa_stream_scope;

/// The group of a key.
///
/// Errors   STOA_INVALID  a cell that is no value of its column
STOA_API STOA_MUST_USE stoa_status stoa_stream_state_group(const stoa_stream_state *state,
                                                           const stoa_cell *key, int32_t *out,
                                                           stoa_error *err);

/* ---- States ------------------------------------------------------------------------------------
 *
 * Errors of all    STOA_INVALID  a state of another kind, a cell that is no value of its column, or a
 *                                key of a group that is not this process's
 *                  STOA_CORRUPT, STOA_IO, STOA_NO_MEMORY, STOA_LIMIT */

/// Values, aggregates: the row there is, into `row` (of stoa_stream_state_row_create).
STOA_API STOA_MUST_USE stoa_status stoa_stream_state_get(stoa_stream_state *state,
                                                         const stoa_stream_scope *scope,
                                                         stoa_row *row, bool *out_found,
                                                         stoa_error *err);
/// Values, aggregates: puts a row of values in place of what there is.
STOA_API STOA_MUST_USE stoa_status stoa_stream_state_set(stoa_stream_state *state,
                                                         const stoa_stream_scope *scope,
                                                         const stoa_cell *values, stoa_error *err);
/// Aggregates: operands, one a column; null changes nothing. Lists: one row more.
STOA_API STOA_MUST_USE stoa_status stoa_stream_state_add(stoa_stream_state *state,
                                                         const stoa_stream_scope *scope,
                                                         const stoa_cell *values, stoa_error *err);
/// Nothing is there afterwards. Lists and maps take time for each row; not for timers.
STOA_API STOA_MUST_USE stoa_status stoa_stream_state_clear(stoa_stream_state *state,
                                                           const stoa_stream_scope *scope,
                                                           stoa_error *err);

/// Maps: one entry; `map_key` has one cell a column of it.
STOA_API STOA_MUST_USE stoa_status stoa_stream_map_get(stoa_stream_state *state,
                                                       const stoa_stream_scope *scope,
                                                       const stoa_cell *map_key, stoa_row *row,
                                                       bool *out_found, stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_stream_map_put(stoa_stream_state *state,
                                                       const stoa_stream_scope *scope,
                                                       const stoa_cell *map_key,
                                                       const stoa_cell *values, stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_stream_map_remove(stoa_stream_state *state,
                                                          const stoa_stream_scope *scope,
                                                          const stoa_cell *map_key,
                                                          stoa_error *err);

/// Rows of a scope that a scan gives. All-zero: all of them.
typedef struct stoa_stream_range {
    const stoa_cell *from; /* map keys not less than these first columns of it */
    int32_t from_count;
    const stoa_cell *to; /* map keys less than these; with `to_included` also those that begin so */
    int32_t to_count;
    bool to_included;
    bool reverse;
    int64_t limit; /* 0: none */
} stoa_stream_range;

/// Lists: rows in the order in which they were added. Maps: entries in the order of their keys. The
/// batches have the columns of the map key (lists: element, a number that grows), and the values.
/// `range` may be NULL; lists take no bounds. What is written meanwhile may be seen or not.
STOA_API STOA_MUST_USE stoa_status stoa_stream_state_scan(stoa_stream_state *state,
                                                          const stoa_stream_scope *scope,
                                                          const stoa_stream_range *range,
                                                          struct ArrowArrayStream *out,
                                                          stoa_error *err);

/// What a get fills: the columns of the values. Used again and again.
STOA_API STOA_MUST_USE stoa_status stoa_stream_state_row_create(stoa_stream_state *state,
                                                                stoa_row **out, stoa_error *err);

/* ---- Timers ------------------------------------------------------------------------------------ */

/// A scope has at most one timer for each time; setting it again replaces its values.
STOA_API STOA_MUST_USE stoa_status stoa_stream_timer_set(stoa_stream_state *timers,
                                                         const stoa_stream_scope *scope,
                                                         int64_t time, const stoa_cell *values,
                                                         stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_stream_timer_delete(stoa_stream_state *timers,
                                                            const stoa_stream_scope *scope,
                                                            int64_t time, stoa_error *err);
/// Called for a timer that has come due, and is deleted already. It may use the backend, and set timers.
typedef stoa_status (*stoa_stream_timer_function)(void *user, int64_t time,
                                                  const stoa_stream_scope *scope,
                                                  const stoa_cell *values, stoa_error *err);
/// Calls for every timer up to `until`, by time, also for those that the calls set. Cells are valid
/// during the call. Where nothing is due it costs no read.
///
/// Errors   what the function answers: timers that it was not called for are still there, if the
///          backend is not committed; go back with stoa_stream_backend_rollback
STOA_API STOA_MUST_USE stoa_status stoa_stream_timers_fire(stoa_stream_state *timers, int64_t until,
                                                           stoa_stream_timer_function function,
                                                           void *user, stoa_error *err);

/* ---- Positions, commits, checkpoints ----------------------------------------------------------- */

/// How far an input has been taken up; part of the next commit.
STOA_API STOA_MUST_USE stoa_status stoa_stream_backend_position_set(stoa_stream_backend *backend,
                                                                    const char *input,
                                                                    int64_t position,
                                                                    stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_stream_backend_position_get(stoa_stream_backend *backend,
                                                                    const char *input, int64_t *out,
                                                                    bool *out_found,
                                                                    stoa_error *err);

/// Makes all that was written since the last commit visible to others, durable as asked, together.
/// Until then it is held in memory.
///
/// Errors   STOA_CONFLICT  somebody else wrote the same rows: go back with stoa_stream_backend_rollback
STOA_API STOA_MUST_USE stoa_status stoa_stream_backend_commit(stoa_stream_backend *backend,
                                                              stoa_durability durability,
                                                              stoa_error *err);
/// Forgets what was written since the last commit.
STOA_API STOA_MUST_USE stoa_status stoa_stream_backend_rollback(stoa_stream_backend *backend,
                                                                stoa_error *err);

/// Commits so that it survives the machine, with the number of the barrier that it stands for, and
/// writes what is in memory into files.
STOA_API STOA_MUST_USE stoa_status stoa_stream_backend_checkpoint(stoa_stream_backend *backend,
                                                                  int64_t barrier, stoa_error *err);
/// The last one.
STOA_API STOA_MUST_USE stoa_status stoa_stream_backend_checkpoint_get(stoa_stream_backend *backend,
                                                                      int64_t *out, bool *out_found,
                                                                      stoa_error *err);

/* ---- Spreading keys anew ----------------------------------------------------------------------- */

/// Copies the rows of this backend's groups from the backend `name` of another database (a checkpoint, a
/// backup, one that another process has left), for every state that is open here. What is there already
/// under the same keys is replaced. Positions are not copied. Committed by itself, state by state; doing
/// it again does no harm.
///
/// Errors   STOA_NOT_FOUND  no such backend, or no such state in it
///          STOA_INVALID    another group_count, or another schema of a state
STOA_API STOA_MUST_USE stoa_status stoa_stream_backend_import(stoa_stream_backend *backend,
                                                              stoa_database *source,
                                                              const char *name, stoa_error *err);
/// Deletes the rows of all groups that are not this backend's, from every state that is open: one
/// deletion of a range before and one behind, whatever the number of rows. Commits what is written.
STOA_API STOA_MUST_USE stoa_status stoa_stream_backend_clip(stoa_stream_backend *backend,
                                                            stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
