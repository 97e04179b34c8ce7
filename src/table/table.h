/* The table contract: what every kind of table offers, and how the rest of Stoa uses it.
 *
 * A kind is a struct of functions and a set of capabilities. Callers ask the capabilities before
 * they promise anything; nothing switches on the kind's name. A commit is *set this table's current
 * state from A to B, or tell me who was first*; for one table or for several at once.
 *
 *     database ── catalog (names, schemas, snapshots, files)
 *        └── transaction ── view of the catalog, staged changes of each table it wrote
 *              ├── plan  ── splits ── streams of batches     (scan: any thread opens any split)
 *              └── sink  ── writers ── staged change          (commit or abort) */
#ifndef STOA_TABLE_TABLE_H
#define STOA_TABLE_TABLE_H

#include <stoa/database.h>

#include "parquet/writer.h"
#include "pipeline/pipeline.h"
#include "schema/partition.h"
#include "schema/predicate.h"
#include "vfs/stage.h"

typedef enum stoa_capability {
    STOA_CAN_SCAN = 1u << 0,
    STOA_CAN_APPEND = 1u << 1,
    STOA_CAN_OVERWRITE = 1u << 2,
    STOA_CAN_DELETE = 1u << 3, /* rows, by rewriting the parts that hold them */
    STOA_CAN_UPDATE = 1u << 4,
    STOA_CAN_UPSERT = 1u << 5, /* rows have a key: an append replaces the row of the same key */
    STOA_CAN_SNAPSHOTS = 1u << 6,
    STOA_CAN_PARQUET_FILES = 1u << 7, /* a split can name a Parquet file for the engine to read */
    STOA_CAN_PARTITION = 1u << 8,     /* rows stand in files by partition */
    STOA_CAN_STREAM = 1u << 9,        /* splits are streams: stoa_plan_is_streamed */
    STOA_CAN_ALTER = 1u << 10         /* columns change: stoa_state_alter */
} stoa_capability;

/// Which rows a caller wants; all members optional. Ids are field ids of the table's schema.
typedef struct stoa_scan_request {
    const int32_t *column_ids; /* NULL: all columns */
    int32_t column_count;
    const stoa_predicate *predicate; /* used to skip; applied exactly when `exact` */
    bool exact;
    int64_t limit;       /* -1: none; a hint for planning, applied by stoa_scan */
    int64_t snapshot_id; /* 0: the transaction's view */
} stoa_scan_request;

/// One independent part of a scan.
typedef struct stoa_split {
    int64_t row_count; /* -1: not known */
    uint64_t byte_count;
    bool is_parquet; /* the engine may read it by itself, from stoa_plan_parquet_path */
    int32_t index;
} stoa_split;

typedef struct stoa_plan stoa_plan;

/// Plans a scan over a pinned snapshot. `transaction` NULL is the newest committed state.
///
/// Owns     The caller closes the plan; streams opened from it keep what they need.
/// Threads  A plan is immutable: splits may be opened from any thread.
STOA_MUST_USE stoa_status stoa_table_plan(stoa_database *database, stoa_transaction *transaction,
                                          const char *table, const stoa_scan_request *request,
                                          const stoa_context *context, stoa_plan **out,
                                          stoa_error *err);
void stoa_plan_close(stoa_plan *plan);
/// The table's schema in the plan's snapshot, and the schema of the batches (the columns asked for).
const stoa_schema *stoa_plan_table_schema(const stoa_plan *plan);
const stoa_schema *stoa_plan_schema(const stoa_plan *plan);
int32_t stoa_plan_split_count(const stoa_plan *plan);
const stoa_split *stoa_plan_split(const stoa_plan *plan, int32_t index);
int64_t stoa_plan_row_count(const stoa_plan *plan); /* of all splits; -1: not known */
/// About how many rows the table has, for planners.
int64_t stoa_plan_row_estimate(const stoa_plan *plan);
/// Whether its splits are neither files nor batches in memory but streams, of exactly the rows that the
/// request's predicate takes, whether it asked for that or not.
bool stoa_plan_is_streamed(const stoa_plan *plan);
/// Parts that the predicate ruled out.
int32_t stoa_plan_skipped_count(const stoa_plan *plan);
/// What the table is partitioned by, in the plan's snapshot; NULL: nothing.
const stoa_partition_spec *stoa_plan_partitions(const stoa_plan *plan);
/// The values of its fields in all rows of a split. The file lacks the columns that are partitions by
/// themselves (stoa_partition_identity).
const stoa_value *stoa_plan_partition(const stoa_plan *plan, int32_t split);
/// A local path of a Parquet split's file, valid until the plan is closed. A file that is not local
/// is fetched for it.
///
/// Errors   STOA_UNSUPPORTED  the split is no Parquet file
STOA_MUST_USE stoa_status stoa_plan_parquet_path(stoa_plan *plan, int32_t split,
                                                 const stoa_context *context, const char **out,
                                                 stoa_error *err);
/// Batches in the canonical layout of stoa_plan_schema. A Parquet file is read where it lies, by row
/// group, ahead of the reader on the context's threads, if it has any.
///
/// Errors   of batches of a Parquet file, with its name: STOA_CORRUPT, STOA_UNSUPPORTED, STOA_INVALID
///          (a column whose type does not widen to the table's), STOA_IO, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_plan_open(stoa_plan *plan, int32_t split,
                                         const stoa_context *context, struct ArrowArrayStream *out,
                                         stoa_error *err);
/// The rows of all splits, which are Parquet files or streams, as the source of a pipeline for lanes of
/// the caller's own: `columns` (positions in the table's schema) of the rows that the plan's predicate
/// takes.
///
/// Owns     The caller closes it after the lanes. The context's pool and token are used until then.
typedef struct stoa_plan_files stoa_plan_files;
STOA_MUST_USE stoa_status stoa_plan_files_open(stoa_plan *plan, const int32_t *columns,
                                               int32_t column_count, const stoa_context *context,
                                               stoa_plan_files **out, stoa_pipeline_source *source,
                                               stoa_error *err);
void stoa_plan_files_close(stoa_plan_files *files);
/// For splits that lie in memory: its batches, borrowed until the plan is closed, each with all
/// columns of stoa_plan_table_schema. NULL when the split is not in memory.
const struct ArrowArray *const *stoa_plan_memory_batches(const stoa_plan *plan, int32_t split,
                                                         int64_t *out_count);

/// Whether a table exists in the view, and what it can do.
///
/// Errors   STOA_NOT_FOUND  with the nearest name as a suggestion
STOA_MUST_USE stoa_status stoa_table_find(stoa_database *database, stoa_transaction *transaction,
                                          const char *table, const stoa_schema **out_schema,
                                          uint32_t *out_capabilities, stoa_table_info *out_info,
                                          stoa_error *err);
void stoa_table_info_release(stoa_database *database, stoa_table_info *info);
/// stoa_tables_each as a transaction sees them, with what it made and without what it dropped. The
/// counts in `info` are those of the last commit.
STOA_MUST_USE stoa_status stoa_tables_each_in(stoa_database *database,
                                              stoa_transaction *transaction,
                                              stoa_table_function function, void *user,
                                              stoa_error *err);
bool stoa_table_exists(stoa_database *database, stoa_transaction *transaction, const char *table);

/// The same as the public create, drop and rename, within a transaction (NULL: one of their own).
STOA_MUST_USE stoa_status stoa_table_create_in(stoa_database *database,
                                               stoa_transaction *transaction, const char *table,
                                               const char *kind, const stoa_schema *schema,
                                               stoa_error *err);
STOA_MUST_USE stoa_status stoa_table_drop_in(stoa_database *database, stoa_transaction *transaction,
                                             const char *table, stoa_error *err);
STOA_MUST_USE stoa_status stoa_table_rename_in(stoa_database *database,
                                               stoa_transaction *transaction, const char *table,
                                               const char *new_name, stoa_error *err);

/// A sink of keys: batches have the columns of the table's key (stoa_sink_schema), and the rows with
/// these keys are deleted. For tables with STOA_CAN_UPSERT.
///
/// Errors   as stoa_sink_open
STOA_MUST_USE stoa_status stoa_sink_open_delete(stoa_database *database,
                                                stoa_transaction *transaction, const char *table,
                                                const stoa_context *context, stoa_sink **out,
                                                stoa_error *err);
/// The rows of a sink were made of what its transaction has read: the commit fails with STOA_CONFLICT
/// when somebody else has changed a row of one of their keys since. So it is for all keys of a sink of
/// deletions. Before the first write; for tables with STOA_CAN_UPSERT.
void stoa_sink_expect_unchanged(stoa_sink *sink);
/// A rewrite: instead of `splits` of `plan` (which stay readable through it), the rows written to the
/// sink. DELETE and UPDATE are this; an append by somebody else in between is no conflict, a change
/// of those splits is (and so, for a table in memory, are more than 60 small appends, which are
/// merged then).
STOA_MUST_USE stoa_status stoa_sink_open_rewrite(stoa_plan *plan, stoa_transaction *transaction,
                                                 const int32_t *splits, int32_t split_count,
                                                 const char *operation, const stoa_context *context,
                                                 stoa_sink **out, stoa_error *err);
/// How its rows are put into files; borrowed from the sink, NULL: in none by partition.
const stoa_partition_spec *stoa_sink_partitions(const stoa_sink *sink);
/// Says how the rows come that will be written, by ids of the sink's schema: files write it down, after
/// they have checked it. Before the first write; columns are none that files lack. Copied.
STOA_MUST_USE stoa_status stoa_sink_set_sorting(stoa_sink *sink,
                                                const stoa_parquet_sorting_option *sorting,
                                                int32_t count, stoa_error *err);
/// More writers for one sink: one thread's stream each; sink_write is writer 0's. Close order free,
/// all before commit.
typedef struct stoa_sink_writer stoa_sink_writer;
STOA_MUST_USE stoa_status stoa_sink_writer_open(stoa_sink *sink, stoa_sink_writer **out,
                                                stoa_error *err);
STOA_MUST_USE stoa_status stoa_sink_writer_write(stoa_sink_writer *writer,
                                                 const struct ArrowSchema *schema,
                                                 struct ArrowArray *batch, stoa_error *err);
/// The same for a batch that stoa_batch_conform made for stoa_sink_schema: nothing is left to check,
/// so that validation can run in parallel before the writer's turn.
STOA_MUST_USE stoa_status stoa_sink_writer_write_conformed(stoa_sink_writer *writer,
                                                           struct ArrowArray *batch,
                                                           stoa_error *err);
STOA_MUST_USE stoa_status stoa_sink_writer_finish(stoa_sink_writer *writer, stoa_error *err);
void stoa_sink_writer_close(stoa_sink_writer *writer);

/// What other modules keep beside a database and want closed with it ("sql": the engine). `create`
/// runs at most once, under a lock of its own.
typedef stoa_status (*stoa_attachment_create)(stoa_database *database, void **out, stoa_error *err);
typedef void (*stoa_attachment_close)(void *attachment);
STOA_MUST_USE stoa_status stoa_database_attachment(stoa_database *database, const char *name,
                                                   stoa_attachment_create create,
                                                   stoa_attachment_close close, void **out,
                                                   stoa_error *err);
/// The same without creating: NULL when there is none.
void *stoa_database_find_attachment(stoa_database *database, const char *name);

/// Of what the database does by itself, for calls that are given none.
const stoa_context *stoa_database_context(const stoa_database *database);
/// Makes `*stage` if it is NULL: a place in the temporary directory for copies of files that are not
/// local, from `pool`. The caller closes it.
STOA_MUST_USE stoa_status stoa_database_stage(stoa_database *database, stoa_pool *pool,
                                              stoa_stage **stage, stoa_error *err);
stoa_fs_registry *stoa_database_file_systems(stoa_database *database);
/// Where the caller left out pool or scheduler: the database's.
void stoa_database_fill_context(stoa_database *database, stoa_context *context);
int32_t stoa_database_threads(const stoa_database *database);
/// A directory for temporary files of this process inside the database; for ":memory:" the system's.
STOA_MUST_USE stoa_status stoa_database_temporary_directory(stoa_database *database,
                                                            const char **out_view, stoa_error *err);

#endif
