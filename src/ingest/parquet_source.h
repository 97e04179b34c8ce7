/* Parquet files of one load, or of one look at them, as a pipeline: read by our own reader where they
 * lie, with columns made to agree. Footers are read twice: once before, for the columns of all files. */
#ifndef STOA_INGEST_PARQUET_SOURCE_H
#define STOA_INGEST_PARQUET_SOURCE_H

#include "ingest/hive.h"
#include "ingest/inputs.h"
#include "parquet/files.h"

typedef struct stoa_parquet_source {
    stoa_database *database;
    const stoa_ingest_input *inputs;
    stoa_context context;
    const stoa_schema *schema; /* of all files together */
    bool matches_ids;          /* all files have field ids */
    stoa_parquet_open_options opening;
    stoa_parquet_key_file key_file; /* of `opening`; all-zero: none */
    int64_t row_count;
    size_t count;
    stoa_hive_columns folders; /* columns in the names of the inputs' folders */
    stoa_parquet_constant *constants; /* the same of each file, by field ids in `schema` */
    stoa_parquet_files *files; /* NULL before stoa_parquet_source_begin */
} stoa_parquet_source;

/// How the files are opened. All-zero: as they are.
typedef struct stoa_parquet_source_opening {
    const stoa_schema *target; /* what the rows are for; NULL: nothing that is known */
    stoa_type_unit int96_unit; /* of older instants; 0: microseconds where the target has such and none
                                  finer, else nanoseconds */
    bool folders;     /* the names of folders ("day=2024-01-01") are columns too, of the target's types,
                         and their values count where a file has a column of the name */
    const char *keys; /* a file with the keys of encrypted ones; NULL: none */
} stoa_parquet_source_opening;

/// Reads the footers of inputs[0..count) and unites their columns: by field id where all files have
/// ids, else by name. A column that a file lacks is null there; of different types the narrowest that
/// holds the values of all is taken. `inputs` and the context's members must outlive the source.
///
/// Errors   STOA_INVALID  columns that cannot be united: file, column and both types
///          those of stoa_parquet_reader_open and stoa_parquet_key_file_read
/// Owns     The caller releases `out`, also on error, which wipes the keys.
STOA_MUST_USE stoa_status stoa_parquet_source_open(stoa_database *database,
                                                   const stoa_ingest_input *inputs, size_t count,
                                                   const stoa_parquet_source_opening *opening,
                                                   const stoa_context *context,
                                                   stoa_parquet_source *out, stoa_error *err);
/// What of the source's rows is wanted, as in stoa_parquet_files_options. All-zero: everything.
typedef struct stoa_parquet_source_options {
    const int32_t *columns;
    int32_t column_count;
    const stoa_predicate *predicate;
    bool validates;
    int64_t batch_rows;
} stoa_parquet_source_options;

STOA_MUST_USE stoa_status stoa_parquet_source_begin(stoa_parquet_source *source,
                                                    const stoa_parquet_source_options *wanted,
                                                    const stoa_context *context, stoa_error *err);
void stoa_parquet_source_release(stoa_parquet_source *source);

#endif
