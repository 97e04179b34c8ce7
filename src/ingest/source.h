/* Rows out of files in one piece: Arrow by our own reader, JSON by the engine's.
 *
 * A source is one stream over a run of inputs of one format, whose columns were made to agree. */
#ifndef STOA_INGEST_SOURCE_H
#define STOA_INGEST_SOURCE_H

#include "ingest/inputs.h"

#include <stoa/query.h>

typedef struct stoa_ingest_source {
    stoa_session *session; /* the engine's; NULL for Arrow */
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
} stoa_ingest_source;

/// Opens inputs[0..count), all of one format, which is neither CSV nor Parquet. `target` (nullable)
/// gives columns their types where JSON leaves them open; `rejects` says that rows are to be set aside.
///
/// Errors   STOA_UNSUPPORTED  `rejects` for a format that cannot set rows aside
/// Owns     The caller releases `out`.
STOA_MUST_USE stoa_status stoa_ingest_source_open(stoa_database *database,
                                                  const stoa_ingest_input *inputs, size_t count,
                                                  const stoa_schema *target, bool rejects,
                                                  const stoa_context *context,
                                                  stoa_ingest_source *out, stoa_error *err);

/// After the stream failed: puts the file into `err`.
void stoa_ingest_source_explain(const stoa_ingest_input *inputs, size_t count, stoa_error *err);

/// "… is not offered for JSON".
stoa_status stoa_ingest_fail_json_rejects(stoa_error *err);

void stoa_ingest_source_release(stoa_ingest_source *source);

/// True when both can be read by one source.
bool stoa_ingest_same_source(const stoa_ingest_input *left, const stoa_ingest_input *right);

#endif
