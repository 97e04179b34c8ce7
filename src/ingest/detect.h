/* What a file is: its format and its compression, by content first and by name where content cannot
 * tell. */
#ifndef STOA_INGEST_DETECT_H
#define STOA_INGEST_DETECT_H

#include <stoa/load.h>

#include "mem/pool.h"
#include "vfs/compressed.h"

typedef struct stoa_ingest_kind {
    stoa_file_format format;
    stoa_packing packing;
} stoa_ingest_kind;

/// `format` is the user's word for it, or NULL. `context` has a pool. The format is that of what a
/// compressed file holds.
///
/// Errors   STOA_INVALID  the format cannot be told, or the word is none, or the file is empty
STOA_MUST_USE stoa_status stoa_ingest_detect(stoa_fs_registry *registry, const char *uri,
                                             const char *format, const stoa_context *context,
                                             stoa_ingest_kind *out, stoa_error *err);

#endif
