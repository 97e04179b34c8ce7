/* Output: rows in the order of their keys become SSTables, which are synced and open when it is
 * finished. Flushes and compactions write through it.
 *
 *     stoa_output_create(&options, &output, &err);
 *     stoa_output_add_range(output, &range, &err);        deleted ranges, before all rows
 *     stoa_output_add(output, &source, &err);             rows of up to a stripe, again and again
 *     stoa_output_finish(output, &files, &count, &err);
 *     stoa_output_close(output);
 *
 * A source makes its rows when it is asked to, on a thread of the scheduler, where they are encoded as
 * well; stripes are written in the order in which their sources were added. How many are under way at
 * once is bounded by the scheduler's threads. */
#ifndef STOA_LSM_OUTPUT_H
#define STOA_LSM_OUTPUT_H

#include "lsm/rate_limit.h"
#include "lsm/table_options.h"
#include "lsm/version.h"
#include "sched/sched.h"

typedef struct stoa_output stoa_output;

typedef struct stoa_output_options {
    stoa_context context; /* the pool is not NULL */
    stoa_fs_registry *file_systems;
    const char *directory;
    const stoa_definition *definition; /* files that come out read with its layout */
    const stoa_stripe_layout *rows; /* what the rows have; NULL: the same. An older schema of it */
    int32_t level;                  /* that the files are for */
    stoa_compression codec;         /* of their segments */
    uint64_t file_bytes; /* a file ends when it is so large, between two keys; 0: one file */
    stoa_priority priority;
    stoa_rate_limiter *limiter;       /* of what is written; NULL: no limit */
    uint64_t (*new_file)(void *user); /* a number for a file; any thread */
    void *new_file_user;
} stoa_output_options;

/* Rows of one stripe, at most STOA_STRIPE_ROWS. */
typedef struct stoa_output_rows {
    stoa_keys keys;
    stoa_buffer sequences;   /* uint64_t */
    stoa_buffer operations;  /* a byte each, of stoa_operation */
    struct ArrowArray batch; /* canonical layout of the rows' schema; columns of the key may be
                                released structs */
} stoa_output_rows;

typedef struct stoa_output_source {
    /// Makes the rows: `rows` is empty, and released by the output in any case. No rows are nothing to
    /// write. Any thread, once; does not wait for tasks of the scheduler.
    stoa_status (*fill)(void *user, stoa_output_rows *rows, stoa_error *err);
    /// Called once, whatever happens. NULL is allowed.
    void (*close)(void *user);
    void *user;
} stoa_output_source;

/// Borrows what `options` names until close, the definition as long as files are open.
///
/// Errors   STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_output_create(const stoa_output_options *options, stoa_output **out,
                                             stoa_error *err);

/// Adds a deleted range; each file gets the part of it that lies between its keys and the next file's.
/// Before the first rows. Copies the keys.
STOA_MUST_USE stoa_status stoa_output_add_range(stoa_output *output, const stoa_key_range *range,
                                                stoa_error *err);

/// Adds the rows of a source, whose keys are not less than those before; versions of one key from the
/// newest to the oldest. May work at what was added before.
///
/// Errors   the first failure of anything that was added: of a source, STOA_IO, STOA_CANCELLED,
///          STOA_NO_MEMORY, STOA_LIMIT. Then only close is left.
/// Owns     Takes the source, also on error.
/// Threads  One at a time, with finish.
STOA_MUST_USE stoa_status stoa_output_add(stoa_output *output, const stoa_output_source *source,
                                          stoa_error *err);

/// Ends the files: they are durable, with their names. Neither rows nor ranges: no file.
///
/// Owns     The list and its references are the output's, until close: the caller retains what it
///          keeps.
STOA_MUST_USE stoa_status stoa_output_finish(stoa_output *output, stoa_table_file *const **out,
                                             int64_t *out_count, stoa_error *err);

/// Nanoseconds that the limiter held it back.
int64_t stoa_output_rate_wait_ns(const stoa_output *output);

/// Removes all files unless it was finished. NULL is allowed.
void stoa_output_close(stoa_output *output);

#endif
