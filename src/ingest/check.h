/* What the engine's readers would lose, round or not survive, found before they read. */
#ifndef STOA_INGEST_CHECK_H
#define STOA_INGEST_CHECK_H

#include "ingest/inputs.h"

#include <stoa/query.h>

/// Reads a JSON text to its end and counts how deep its brackets nest; `out_mark_bytes` are those of
/// a byte order mark at its start.
///
/// Errors   STOA_LIMIT  deeper than the engine's parser survives, with line
///          STOA_IO, STOA_CANCELLED, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_ingest_check_json(stoa_file *file, const stoa_context *context,
                                                 uint64_t *out_mark_bytes, stoa_error *err);

/// The engine leaves out lines before those that look like a table; `skipped` says how many. Only
/// empty lines and lines that begin with '#' may go that way. `bytes` are the file's first.
///
/// Errors   STOA_INVALID  other lines would be left out, with file and line
STOA_MUST_USE stoa_status stoa_ingest_check_skipped(const stoa_ingest_input *input,
                                                    const uint8_t *bytes, size_t size,
                                                    int64_t skipped, stoa_error *err);

#endif
