/* Scans: the rows that a reader of a view sees at a sequence number, in the order of their keys, as
 * batches.
 *
 *     stoa_view_scan_create(view, &options, &scan, &err);
 *     stoa_view_scan_seek(scan, &range, &err);                        as often as wanted
 *     stoa_view_scan_next(scan, max_rows, &batch, &err);              until batch.release is NULL
 *     stoa_view_scan_close(scan);
 *
 * Of a key's versions the newest one that the reader may see counts, if it is no deletion, no younger
 * range of deletions holds it and its time has not come; operands are folded into what is below them.
 * A put whose time has come is a deletion, also for operands above it; so is a fold. */
#ifndef STOA_LSM_SCAN_H
#define STOA_LSM_SCAN_H

#include <stoa/context.h>

#include "lsm/get.h"
#include "schema/predicate.h"

typedef struct stoa_view_scan_options {
    stoa_context context;   /* pool is not NULL */
    const int32_t *columns; /* positions in the schema, copied; NULL: all */
    int32_t column_count;
    const stoa_predicate *predicate; /* over the table's schema; borrowed; NULL: all */
    bool reverse;
} stoa_view_scan_options;

typedef struct stoa_view_scan stoa_view_scan;

/// Retains the view and borrows the programs. A scan stands before the first row of all.
///
/// Errors   STOA_INVALID  a column that is not there, or twice
///          STOA_LIMIT    more sorted runs than can be merged; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_view_scan_create(const stoa_view_reading *reading,
                                                const stoa_view_scan_options *options,
                                                stoa_view_scan **out, stoa_error *err);
/// Batches stay valid. NULL is allowed.
void stoa_view_scan_close(stoa_view_scan *scan);

/// The schema of its batches: the columns in the order they were asked for. Borrowed from the scan.
const struct ArrowSchema *stoa_view_scan_schema(const stoa_view_scan *scan);

/// Goes before the first row (the last one, where the scan is reverse) whose key lies in `range`, whose
/// sequence is not looked at. The range is copied. NULL: all keys.
STOA_MUST_USE stoa_status stoa_view_scan_seek(stoa_view_scan *scan, const stoa_key_range *range,
                                              stoa_error *err);

/// The next rows, 1 to `max_rows`, in the canonical layout; at the end `out->release` is NULL. Fewer
/// than max_rows do not mean the end.
///
/// Errors   STOA_CORRUPT (with file and stripe), STOA_CANCELLED, STOA_NO_MEMORY, STOA_LIMIT, and what
///          stoa_merge_fold and stoa_predicate_select answer. The scan can only be closed or sought then
/// Threads  One at a time.
STOA_MUST_USE stoa_status stoa_view_scan_next(stoa_view_scan *scan, int64_t max_rows,
                                              struct ArrowArray *out, stoa_error *err);

/// What a scan did so far.
typedef struct stoa_view_scan_figures {
    int64_t rows_merged;     /* versions that were looked at */
    int64_t stripes_skipped; /* by their zones */
} stoa_view_scan_figures;
void stoa_view_scan_figures_of(const stoa_view_scan *scan, stoa_view_scan_figures *out);

/* ---- Whole views ----------------------------------------------------------------------------- */

/// Keys that cut a range of a view into up to `parts` parts of about as many rows: part i has keys not
/// less than boundary i - 1 and less than boundary i. Appends the boundaries, fewer than `parts`.
STOA_MUST_USE stoa_status stoa_view_scan_split(const stoa_state_view *view,
                                               const stoa_key_range *range, int64_t parts,
                                               stoa_keys *out, stoa_error *err);

/// How many rows of a range (NULL: all keys) a reader sees: by what the files say of themselves where
/// that is exact, else by looking at keys and operations.
STOA_MUST_USE stoa_status stoa_view_scan_count(const stoa_view_reading *reading,
                                               const stoa_view_scan_options *options,
                                               const stoa_key_range *range, int64_t *out,
                                               stoa_error *err);

/// The same of all keys, where it is known without looking at rows; `*out_known` false: it is not.
STOA_MUST_USE stoa_status stoa_view_scan_count_known(const stoa_view_reading *reading,
                                                     stoa_pool *pool, bool *out_known, int64_t *out,
                                                     stoa_error *err);

/// The first key behind all that begin with `key`, in its place; false where there is none.
bool stoa_view_key_successor(stoa_buffer *key);

#endif
