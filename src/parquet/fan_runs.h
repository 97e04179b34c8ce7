/* Runs: rows on disk, in order of partitions, until their partitions' files are written. Each run is
 * one temporary file in Arrow's IPC stream format, of pieces of one partition each. */
#ifndef STOA_PARQUET_FAN_RUNS_H
#define STOA_PARQUET_FAN_RUNS_H

#include "arrow/ipc.h"
#include "mem/buffer.h"

/// One run. All-zero is none.
typedef struct stoa_fan_run {
    char *path;
    stoa_file *file;         /* while it is written */
    stoa_ipc_writer *writer; /* while it is written */
    struct ArrowArrayStream rows; /* while it is read */
    stoa_buffer pieces;      /* int32_t each: the partition of a piece */
    size_t piece;            /* the next to be read */
} stoa_fan_run;

/// Begins a run in `folder`, which is made where it is missing.
STOA_MUST_USE stoa_status stoa_fan_run_begin(stoa_fan_run *run, stoa_fs_registry *file_systems,
                                             const stoa_context *context, const char *folder,
                                             const struct ArrowSchema *schema, stoa_error *err);
/// Adds rows of a partition, not below that of the piece before. Borrows `batch`.
STOA_MUST_USE stoa_status stoa_fan_run_write(stoa_fan_run *run, int32_t partition,
                                             const struct ArrowArray *batch, stoa_error *err);
/// Ends the writing; the run can be read from its beginning.
STOA_MUST_USE stoa_status stoa_fan_run_turn(stoa_fan_run *run, stoa_fs_registry *file_systems,
                                            const stoa_context *context, stoa_error *err);
/// The next piece if it is of `partition`; else `out` stays released.
STOA_MUST_USE stoa_status stoa_fan_run_next(stoa_fan_run *run, int32_t partition,
                                            struct ArrowArray *out, stoa_error *err);
/// Removes the file. Twice is harmless.
void stoa_fan_run_release(stoa_fan_run *run, stoa_fs_registry *file_systems, stoa_pool *pool);

#endif
