/* The files of an output: stripes that are ready are put one after the other, and cut into files. */
#ifndef STOA_LSM_OUTPUT_FILES_H
#define STOA_LSM_OUTPUT_FILES_H

#include "lsm/output.h"

typedef struct stoa_output_files {
    const stoa_output_options *options;
    stoa_pool *pool;
    stoa_range_set ranges;
    stoa_buffer begin;    /* the first key of the file that is written; empty: of the first file */
    stoa_buffer last_key; /* that was written */

    /* The file that is written; NULL: none. */
    stoa_file *file;
    stoa_sst_writer *writer;
    char *uri;
    uint64_t number;
    uint64_t bytes;     /* of its stripes */
    int64_t expires_ms; /* INT64_MAX: never */

    stoa_table_file **files; /* that are finished */
    int64_t count;
    int64_t capacity;
    int64_t rate_wait_ns;
} stoa_output_files;

void stoa_output_files_init(stoa_output_files *files, const stoa_output_options *options);

/// Writes an encoded stripe; `expires_ms` is when all its rows are gone, INT64_MAX: never.
STOA_MUST_USE stoa_status stoa_output_files_add(stoa_output_files *files,
                                                const stoa_sst_stripe *stripe,
                                                const stoa_keys_view *keys, int64_t expires_ms,
                                                stoa_error *err);
/// Ends the last file and makes their names durable.
STOA_MUST_USE stoa_status stoa_output_files_finish(stoa_output_files *files, stoa_error *err);
/// With `keep` false all files are removed.
void stoa_output_files_release(stoa_output_files *files, bool keep);

#endif
