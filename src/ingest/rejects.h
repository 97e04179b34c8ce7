/* The file of rows that did not fit: JSON Lines, one object a row with file, line or row, column,
 * error, and the row's text or values. It appears, whole, just before the load commits. */
#ifndef STOA_INGEST_REJECTS_H
#define STOA_INGEST_REJECTS_H

#include <stoa/database.h>

#include "mem/buffer.h"

typedef struct stoa_ingest_rejects stoa_ingest_rejects;

STOA_MUST_USE stoa_status stoa_ingest_rejects_open(stoa_database *database, const char *path,
                                                   const stoa_context *context,
                                                   stoa_ingest_rejects **out, stoa_error *err);
/// Appends row `reason->row` of `batch` as a line.
STOA_MUST_USE stoa_status stoa_ingest_reject_print(const char *file,
                                                   const struct ArrowSchema *schema,
                                                   const struct ArrowArray *batch,
                                                   const stoa_error *reason, stoa_buffer *out,
                                                   stoa_error *err);
/// Appends a row of text as a line.
STOA_MUST_USE stoa_status stoa_ingest_reject_print_text(const char *file, int64_t line,
                                                        const char *column, const char *reason,
                                                        const char *text, stoa_buffer *out,
                                                        stoa_error *err);
/// Adds lines, each with its end.
STOA_MUST_USE stoa_status stoa_ingest_rejects_add(stoa_ingest_rejects *rejects,
                                                  const stoa_buffer *lines, stoa_error *err);

STOA_MUST_USE stoa_status stoa_ingest_rejects_finish(stoa_ingest_rejects *rejects,
                                                     int64_t *out_rows, stoa_error *err);
/// Without finish before it there is no file. NULL is allowed.
void stoa_ingest_rejects_close(stoa_ingest_rejects *rejects);

#endif
