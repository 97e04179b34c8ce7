/* Batches made to fit the table: validated, in its layout, with the rows that do not fit set aside.
 * What is done here is done in parallel, before the rows' turn comes. */
#ifndef STOA_INGEST_FIT_H
#define STOA_INGEST_FIT_H

#include "mem/buffer.h"
#include "pipeline/pipeline.h"

#include <stoa/schema.h>

typedef struct stoa_ingest_fit {
    stoa_pool *pool;
    const stoa_schema *schema; /* of the sink */
    bool rejects;              /* rows that do not fit are set aside, not an error */
    /* The first part with a row that does not fit, when they are not set aside: INT64_MAX before. */
    _Atomic int64_t failed_part;
} stoa_ingest_fit;

/// Passes `batch` on as `morsel`, in the layout of the table. `*rows_before` counts rows of the same
/// part: errors tell rows by it. Rows that were set aside become lines in `rejected`.
///
/// Errors   STOA_INVALID  a row does not fit, and no rows are set aside
/// Owns     Takes `batch`, also on error.
STOA_MUST_USE stoa_status stoa_ingest_fit_batch(stoa_ingest_fit *fit, const char *file,
                                                const struct ArrowSchema *schema,
                                                struct ArrowArray *batch, const stoa_morsel *morsel,
                                                const stoa_pipeline_stage *next,
                                                int64_t *rows_before, stoa_buffer *rejected,
                                                stoa_error *err);

/// Passes the lines in `rejected` on, in the place of rows: they keep the order of the files. Takes
/// what is in the buffer.
STOA_MUST_USE stoa_status stoa_ingest_fit_pass_rejects(stoa_pool *pool, stoa_buffer *rejected,
                                                       const stoa_morsel *morsel,
                                                       const stoa_pipeline_stage *next,
                                                       stoa_error *err);
/// The lines that a batch stands for; NULL when it is rows.
const stoa_buffer *stoa_ingest_fit_rejects(const struct ArrowArray *batch);

/// Puts `row_base` before the row of an error, in its data and in its message.
void stoa_ingest_shift_row(stoa_error *err, int64_t row_base);

#endif
