/* A file that is written under a temporary name and appears whole; or standard
 * output, for "-"; or a pipe or a device, which is written to and never replaced. A name that ends in
 * .gz, .zst or .lz4 is packed. */
#ifndef STOA_INGEST_OUTPUT_FILE_H
#define STOA_INGEST_OUTPUT_FILE_H

#include <stoa/database.h>

#include "mem/buffer.h"

/// All-zero is the released state.
typedef struct stoa_ingest_output {
    stoa_fs_registry *registry;
    stoa_pool *pool;
    stoa_file *file;
    char *path;      /* NULL: standard output, a pipe or a device */
    char *temporary; /* NULL: as `path`, and where files appear whole at their sync */
    int descriptor;  /* of a pipe or a device */
    bool owns_descriptor;
    bool is_packed;
    stoa_buffer pending;
} stoa_ingest_output;

STOA_MUST_USE stoa_status stoa_ingest_output_open(stoa_database *database, const char *path,
                                                  const stoa_context *context,
                                                  stoa_ingest_output *out, stoa_error *err);
/// Collects up to 1 MiB before it writes.
STOA_MUST_USE stoa_status stoa_ingest_output_write(stoa_ingest_output *output, const void *bytes,
                                                   size_t size, stoa_error *err);
/// Writes what is pending, syncs, and gives the file its name.
STOA_MUST_USE stoa_status stoa_ingest_output_publish(stoa_ingest_output *output, stoa_error *err);
/// Without publish before it the temporary file is removed and `path` is as it was.
void stoa_ingest_output_release(stoa_ingest_output *output);

#endif
