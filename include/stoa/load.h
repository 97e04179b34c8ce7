/* Files in and out: loading into tables, exporting, looking into files. */
#ifndef STOA_LOAD_H
#define STOA_LOAD_H

#include <stoa/database.h>
#include <stoa/text.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoa_load_options {
    stoa_write_mode mode; /* STOA_CREATE by default here: see STOA_LOAD_DEFAULT */
    const char *kind;
    const char *schema;      /* text form; NULL: the files' own, or the table's when appending */
    const char *format;      /* "parquet", "arrow", "csv", "tsv", "json", "jsonl"; NULL: by content
                                 and name */
    const char *reject_file; /* rows that do not fit go here with their reasons; NULL: fail */
    int64_t batch_rows;      /* 0: the default */
    const char *codec;
    stoa_context context;
    const char *partition; /* "status, month(ts)": as in stoa_sink_options */
    const char *sort;      /* "day, id desc": the order of rows in each file; NULL: that of the input */
    bool ignore_folders;   /* Parquet files below "day=2024-01-01" get no column of that */
    const char *keys; /* as in stoa_inspect_options; what is encrypted is loaded in the clear */
    stoa_type_unit int96_unit; /* of Parquet's INT96 timestamps, rounded down; 0: microseconds where the
                                  table has such and none finer, else nanoseconds, which are exact but
                                  hold the years 1677 to 2262 only */
    const struct stoa_state_table_options *state; /* as in stoa_sink_options; columns of the key become
                                                     required. NULL: none */
} stoa_load_options;

#define STOA_LOAD_DEFAULT                                                                          \
    {                                                                                              \
        STOA_CREATE, NULL, NULL, NULL, NULL, 0, NULL, {NULL, NULL, NULL, NULL, NULL, NULL}, NULL,  \
        NULL, false, NULL, STOA_TYPE_SECONDS, NULL                                                 \
    }

typedef struct stoa_load_report {
    int64_t rows_loaded;
    int64_t rows_rejected;
    int64_t files;
    uint64_t bytes_read;
} stoa_load_report;

/// Loads files into a table, all or nothing. `paths` are files, URIs, globs, or "-" for standard
/// input; they are read in order, a glob's matches in order of name. `options` is nullable.
///
/// Errors   STOA_INVALID    with `err->file`, `err->line` or `err->row`, and `err->column`; something
///                          encrypted without its key; keys that are none
///          STOA_NOT_FOUND  a file, or the table to append to
///          STOA_EXISTS     the table to create
///          STOA_CONFLICT, STOA_CANCELLED, STOA_IO, STOA_CORRUPT, STOA_NO_MEMORY, STOA_LIMIT
/// Threads  Any.
STOA_API STOA_MUST_USE stoa_status stoa_load(stoa_database *database, const char *table,
                                             const char *const *paths, size_t path_count,
                                             const stoa_load_options *options,
                                             stoa_load_report *out, stoa_error *err);

typedef enum stoa_file_format {
    STOA_FORMAT_PARQUET,
    STOA_FORMAT_ARROW_FILE,
    STOA_FORMAT_ARROW_STREAM,
    STOA_FORMAT_CSV,
    STOA_FORMAT_TSV,
    STOA_FORMAT_JSON, /* one array of objects */
    STOA_FORMAT_JSONL
} stoa_file_format;

/// By name: "parquet", "arrow", "arrows", "csv", "tsv", "json", "jsonl" (also "ndjson").
STOA_API STOA_MUST_USE stoa_status stoa_file_format_parse(const char *text, stoa_file_format *out,
                                                          stoa_error *err);

/// Writes a stream as a file, under a temporary name that is synced and renamed at the end. Takes
/// `rows`, also on error. `path` "-" is standard output. `context` and `out_rows` (how many were
/// written) are nullable.
///
/// Errors   the stream's own; STOA_INVALID, STOA_UNSUPPORTED  a type that the format does not have
///          STOA_CANCELLED, STOA_IO, STOA_NO_MEMORY, STOA_LIMIT; nothing is left at `path` then
/// Threads  Any.
STOA_API STOA_MUST_USE stoa_status stoa_export(stoa_database *database,
                                               struct ArrowArrayStream *rows,
                                               stoa_file_format format, const char *path,
                                               const stoa_context *context, int64_t *out_rows,
                                               stoa_error *err);

/// How a Parquet file is written. All-zero is how stoa_export writes it. Lists have commas between
/// columns; a column inside a struct is named with dots.
typedef struct stoa_parquet_export_options {
    const char *codec;       /* "zstd" (default), "snappy", "lz4_raw", "gzip", "brotli", "none" */
    int32_t level;           /* of the codec; 0: its default */
    const char *profile;     /* "compatible" (default) or "modern" */
    int64_t row_group_rows;  /* these four: 0 is the default */
    int64_t row_group_bytes; /* of rows in memory */
    int64_t page_bytes;
    int64_t page_rows;
    const char *bloom;       /* columns that get bloom filters: "id, user.name" */
    const char *sort;        /* how the rows are sorted, which is checked and written down:
                                "day, id desc nulls first"; nulls are last unless it says so */
    const char *encoding;    /* "id=delta_binary_packed, price=byte_stream_split"; others are chosen
                                by their cost */
} stoa_parquet_export_options;

/// stoa_export as Parquet. `options` is nullable.
///
/// Errors   as stoa_export, and
///          STOA_INVALID    an option's value is none, an encoding is not for its column's type, or
///                          the rows are not sorted as `sort` says
///          STOA_NOT_FOUND  a column that the rows do not have
STOA_API STOA_MUST_USE stoa_status stoa_export_parquet(stoa_database *database,
                                                       struct ArrowArrayStream *rows,
                                                       const char *path,
                                                       const stoa_parquet_export_options *options,
                                                       const stoa_context *context,
                                                       int64_t *out_rows, stoa_error *err);

/// Checks what can be checked of options without rows.
///
/// Errors   STOA_INVALID
STOA_API STOA_MUST_USE stoa_status stoa_parquet_export_check(
    stoa_pool *pool, const stoa_parquet_export_options *options, stoa_error *err);

/// A `sort` of the options as it stands behind ORDER BY in SQL: "day" ASC NULLS LAST, "id" DESC NULLS
/// FIRST.
///
/// Errors   STOA_INVALID
STOA_API STOA_MUST_USE stoa_status stoa_sort_to_sql(const char *sort, stoa_text *out,
                                                    stoa_error *err);

typedef struct stoa_folder_export_options {
    const char *partition; /* "status, month(ts)" */
    bool overwrite;        /* a folder that is there and not empty */
    const stoa_parquet_export_options *parquet; /* of the files; NULL: the defaults. What of `sort`
                                                   holds in each file is checked and written down */
} stoa_folder_export_options;

/// Writes a stream as a folder of Parquet files by partition, as Hive and Spark lay them out
/// ("status=new/part-00000.parquet"); columns that are partitions by themselves stand in the folders'
/// names only. The folder appears whole, or not at all. Takes `rows`, also on error; `context` and
/// `out_rows` are nullable.
///
/// Errors   STOA_EXISTS       something is there that is not an empty folder; a database, or what has
///                            or is inside this one, also with `overwrite`
///          STOA_UNSUPPORTED  a file system that cannot rename a folder
///          STOA_INVALID      `partition`; others as stoa_export
/// Threads  Any.
STOA_API STOA_MUST_USE stoa_status stoa_export_folder(stoa_database *database,
                                                      struct ArrowArrayStream *rows,
                                                      const char *path,
                                                      const stoa_folder_export_options *options,
                                                      const stoa_context *context,
                                                      int64_t *out_rows, stoa_error *err);

typedef struct stoa_file_scan_options {
    const char *format;  /* of all files; NULL: by content and name */
    const char *columns; /* "status,total"; NULL: all. A name with a comma stands in "quotes" */
    const char *where;   /* "total > 50"; NULL: all rows */
    int64_t limit;       /* 0 or less: none */
    stoa_context context;
    bool ignore_folders; /* as in stoa_load_options */
    const char *keys;    /* as in stoa_inspect_options */
    stoa_type_unit int96_unit; /* as in stoa_load_options; 0: nanoseconds */
} stoa_file_scan_options;

#define STOA_FILE_SCAN_DEFAULT                                                                     \
    {                                                                                              \
        NULL, NULL, NULL, -1, {NULL, NULL, NULL, NULL, NULL, NULL}, false, NULL, STOA_TYPE_SECONDS \
    }

/// The rows of any files that Stoa reads, without a table: `paths` as stoa_load's. Files with other
/// columns, or of other formats, are united as in a load. Of Parquet files no more is read than the
/// columns, and for a limit the rows, that are wanted. `options` is nullable.
///
/// Errors   as stoa_load; STOA_NOT_FOUND also for a column that the files do not have, STOA_INVALID
///          for a predicate, with `err->offset`
/// Owns     The stream holds what it needs; the database must outlive it.
STOA_API STOA_MUST_USE stoa_status stoa_file_scan(stoa_database *database, const char *const *paths,
                                                  size_t path_count,
                                                  const stoa_file_scan_options *options,
                                                  struct ArrowArrayStream *out, stoa_error *err);

/// How to look into a Parquet file.
typedef struct stoa_inspect_options {
    bool with_pages;  /* also every page, whose checksum is compared; of files of state tables every
                         stripe or record */
    bool as_text;     /* lines for people, not JSON; an Arrow file is JSON here too */
    const char *keys; /* a file with the keys of encrypted ones, a line each: "footer HEX", "column PATH
                         HEX", "id TEXT HEX" (of a key's metadata), "aad-prefix TEXT"; NULL: none */
} stoa_inspect_options;

/// What a file holds (Parquet, Arrow, the files of state tables), as one JSON text unless asked for
/// otherwise. `options` is nullable. Encrypted columns without a key are described as far as they can be.
///
/// Errors   STOA_UNSUPPORTED  a text file
///          STOA_CORRUPT      what the file says of itself does not hold, or keys do not open it
///          STOA_INVALID      an encrypted footer without its key; keys that are none
STOA_API STOA_MUST_USE stoa_status stoa_file_inspect(stoa_database *database, const char *path,
                                                     const stoa_inspect_options *options,
                                                     stoa_text *out, stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
