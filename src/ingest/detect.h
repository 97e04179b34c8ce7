/* What a file is: its format and its compression, by content first and by name where content cannot
 * tell. */
#ifndef STOA_INGEST_DETECT_H
#define STOA_INGEST_DETECT_H

#include <stoa/load.h>

#include "mem/pool.h"

typedef enum stoa_ingest_packing {
    STOA_PACKED_NONE,
    STOA_PACKED_GZIP,
    STOA_PACKED_ZSTD,
    STOA_PACKED_LZ4
} stoa_ingest_packing;

typedef struct stoa_ingest_kind {
    stoa_file_format format;
    stoa_ingest_packing packing;
} stoa_ingest_kind;

/// `format` is the user's word for it, or NULL.
///
/// Errors   STOA_INVALID  the format cannot be told, or the word is none, or the file is empty
STOA_MUST_USE stoa_status stoa_ingest_detect(stoa_fs_registry *registry, const char *uri,
                                             const char *format, stoa_ingest_kind *out,
                                             stoa_error *err);

/// The engine's word for a packing that it reads: "uncompressed", "gzip", "zstd".
const char *stoa_ingest_packing_name(stoa_ingest_packing packing);

#endif
