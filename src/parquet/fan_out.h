/* Rows to files by partition, in bounded memory.
 *
 *     rows ─▶ chunk ─▶ by partition ─┬─▶ files that are open          (few large partitions)
 *                                    └─▶ runs on disk ─▶ one by one    (many, or small ones)
 *
 * A chunk of rows is gathered, and put in order of partitions; its rows are copied partition by
 * partition, many at once by the scheduler's tasks, or handed over where a batch is all of one. When
 * the rows end within the first chunk, each partition's file is written from it, one after the other.
 * Otherwise a partition gets an open file while the row groups of all open files fit the memory that
 * the pool's limit leaves; rows of the others go to runs (temporary files, partitions in order), from
 * which each is read in the end, one file at a time. So the number of partitions is bounded neither
 * by memory nor by open files, row groups are full ones, and rows of a partition keep their order.
 *
 * Where files go is the caller's business: a table, or a directory. */
#ifndef STOA_PARQUET_FAN_OUT_H
#define STOA_PARQUET_FAN_OUT_H

#include "schema/partition.h"
#include "vfs/vfs.h"

/// The files. `user` is passed to each. Calls come from the caller's thread, one at a time.
typedef struct stoa_fan_out_target {
    void *user;
    /// Begins a file of the partition with `values` (of the spec's fields) in `folder`.
    stoa_status (*begin)(void *user, const char *folder, const stoa_value *values, void **out,
                         stoa_error *err);
    /// Takes `batch` (of stoa_partition_file_schema), also on error. `*out_full`: no more of them.
    stoa_status (*write)(void *user, void *file, struct ArrowArray *batch, bool *out_full,
                         stoa_error *err);
    /// Takes `file`, also on error.
    stoa_status (*end)(void *user, void *file, stoa_error *err);
    void (*give_up)(void *user, void *file);
    /// A folder for temporary files that are nobody else's; asked for when there are some.
    stoa_status (*scratch)(void *user, const char **out, stoa_error *err);
} stoa_fan_out_target;

typedef struct stoa_fan_out_options {
    stoa_partition_spec *spec; /* retained */
    const stoa_schema *schema; /* of the batches, canonical; retained */
    stoa_fs_registry *file_systems;
    stoa_context context;   /* with a pool */
    int64_t row_group_rows;   /* of the files, as the next: what an open file keeps in memory */
    uint64_t row_group_bytes;
    size_t chunk_bytes;     /* 0: by the pool's limit */
} stoa_fan_out_options;

typedef struct stoa_fan_out stoa_fan_out;

STOA_MUST_USE stoa_status stoa_fan_out_create(const stoa_fan_out_options *options,
                                              const stoa_fan_out_target *target, stoa_fan_out **out,
                                              stoa_error *err);
/// Takes `batch`, also on error.
///
/// Threads  One call at a time.
STOA_MUST_USE stoa_status stoa_fan_out_write(stoa_fan_out *fan, struct ArrowArray *batch,
                                             stoa_error *err);
/// Writes what is left and ends all files.
STOA_MUST_USE stoa_status stoa_fan_out_finish(stoa_fan_out *fan, stoa_error *err);
/// Without finish before it, gives up the files that are open. Removes temporary files. NULL is
/// allowed.
void stoa_fan_out_close(stoa_fan_out *fan);

#endif
