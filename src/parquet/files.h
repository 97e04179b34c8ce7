/* Several Parquet files as one source of a pipeline: rows in the order of the files, whatever columns
 * each of them has, in the layout of one schema. */
#ifndef STOA_PARQUET_FILES_H
#define STOA_PARQUET_FILES_H

#include "parquet/align.h"
#include "pipeline/pipeline.h"

typedef struct stoa_parquet_files stoa_parquet_files;

/* What is read. All but the schema, which is retained, is borrowed until close. */
typedef struct stoa_parquet_files_options {
    const stoa_schema *schema; /* of all that there is */
    const int32_t *columns;    /* those of its columns that are wanted; NULL: all */
    int32_t column_count;
    const stoa_predicate *predicate; /* over the schema: only rows that make it true; NULL: all */
    stoa_field_match match;          /* by id: only for files that have ids, others by name */
    bool validates;                  /* texts and decimals of files by others */
    stoa_parquet_open_options opening; /* of each */
    int64_t batch_rows;                /* at most; 0: the reader's own */
    int32_t file_count;
    void *user;
    /// Opens a file for reading. Files are opened one after the other, each once.
    stoa_status (*open)(void *user, int32_t file, const stoa_context *context, stoa_file **out,
                        stoa_error *err);
    /// Columns that are the same in all rows of a file, and not in it: an array that lives until the
    /// file is closed. Nullable.
    stoa_status (*constants)(void *user, int32_t file, const stoa_parquet_constant **out,
                             int32_t *out_count, stoa_error *err);
    /// Says more of a failure in a file. Nullable.
    void (*explain)(void *user, int32_t file, stoa_error *err);
} stoa_parquet_files_options;

/// The context is kept; its scheduler tells how many lanes there will be.
///
/// Errors   STOA_INVALID  a column that the schema does not have
///          STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_parquet_files_create(const stoa_context *context,
                                                    const stoa_parquet_files_options *options,
                                                    stoa_parquet_files **out, stoa_error *err);
/// After the pipeline. NULL is allowed.
void stoa_parquet_files_close(stoa_parquet_files *files);

/// The file of a part, and the number within the file of its first row; asked for by stages of the lane
/// that reads it.
void stoa_parquet_files_place(stoa_parquet_files *files, int64_t part, int32_t *out_file,
                              int64_t *out_row);

/// The source of one run: a part is a row group or a piece of one. Of a predicate what the file's own
/// columns decide is left to the reader, which skips by it.
///
/// Errors   of its batches: those of the reader, and of stoa_parquet_align_init and _batch
/// Memory   for each lane what the reader's takes; a footer for each file that is being read
stoa_pipeline_source stoa_parquet_files_source(stoa_parquet_files *files);

/// Sets a window that lets lanes run ahead by a row group each, within a quarter of the pool's limit.
void stoa_parquet_files_window(const stoa_parquet_files *files, stoa_pipeline_options *options);

#endif
