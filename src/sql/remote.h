/* Files that a statement names by URI: staged, and named by their local paths to the engine. */
#ifndef STOA_SQL_REMOTE_H
#define STOA_SQL_REMOTE_H

#include "sql/text.h"
#include "sql/view.h"

/// Writes `sql` into `out` with a local path in place of each URI that is read: a string after FROM
/// or JOIN, or the first argument (or a list) of read_csv and its like. A pattern becomes the list
/// of its files, in byte order. What is staged stays until the view is closed. `*out_any` is false,
/// and `out` empty, when there is none.
///
/// Errors   STOA_NOT_FOUND, STOA_INVALID  no such file; no match; `query_offset` says where in `sql`
///          STOA_UNSUPPORTED  no file system is registered for a scheme
///          whatever fetching the file fails with
/// Owns     `out` is initialised here and released by the caller, also on error.
STOA_MUST_USE stoa_status stoa_sql_remote_rewrite(struct view *view, const char *sql,
                                                  struct sql_text *out, bool *out_any,
                                                  stoa_error *err);

#endif
