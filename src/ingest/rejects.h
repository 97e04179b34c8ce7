/* The file of rows that did not fit: JSON Lines, one object a row with file, line or row, column,
 * error, and the row's text or values. It appears, whole, just before the load commits. */
#ifndef STOA_INGEST_REJECTS_H
#define STOA_INGEST_REJECTS_H

#include <stoa/database.h>

typedef struct stoa_ingest_rejects stoa_ingest_rejects;

STOA_MUST_USE stoa_status stoa_ingest_rejects_open(stoa_database *database, const char *path,
                                                   const stoa_context *context,
                                                   stoa_ingest_rejects **out, stoa_error *err);
/// Adds row `reason->row` of `batch`.
STOA_MUST_USE stoa_status stoa_ingest_reject_row(stoa_ingest_rejects *rejects, const char *file,
                                                 const struct ArrowSchema *schema,
                                                 const struct ArrowArray *batch,
                                                 const stoa_error *reason, stoa_error *err);
/// Adds a row that is JSON already; `user` is the stoa_ingest_rejects.
STOA_MUST_USE stoa_status stoa_ingest_reject_line(void *user, const char *json, stoa_error *err);

STOA_MUST_USE stoa_status stoa_ingest_rejects_finish(stoa_ingest_rejects *rejects,
                                                     int64_t *out_rows, stoa_error *err);
/// Without finish before it there is no file. NULL is allowed.
void stoa_ingest_rejects_close(stoa_ingest_rejects *rejects);

#endif
