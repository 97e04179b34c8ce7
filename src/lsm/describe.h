/* What the files of a store hold, as JSON for people and their programs. */
#ifndef STOA_LSM_DESCRIBE_H
#define STOA_LSM_DESCRIBE_H

#include "vfs/vfs.h"

enum { STOA_STORE_MAGIC_BYTES = 8 };

/// Whether a file that begins with these bytes is a segment of a log, a manifest or an SSTable.
bool stoa_store_file_recognise(const uint8_t *bytes, size_t size);

/// Appends what such a file says of itself: of a manifest its tables and files, of a segment its records,
/// of an SSTable its counts; `with_parts` also each record and each stripe. A manifest and a segment may
/// be in use. An SSTable is read with the definition that the manifest in its folder has for it.
///
/// Errors   STOA_INVALID   a name that such a file does not have
///          STOA_NOT_FOUND  no manifest beside an SSTable, or it does not name it
///          STOA_CORRUPT, STOA_UNSUPPORTED, STOA_IO, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_store_file_describe(const stoa_context *context,
                                                   stoa_fs_registry *file_systems, const char *path,
                                                   bool with_parts, stoa_buffer *out,
                                                   stoa_error *err);

#endif
