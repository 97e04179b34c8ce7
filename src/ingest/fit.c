/* Validation of batches in the tasks of a load. A batch with a row that does not fit is cut around
 * it; the rest goes on. */
#include "ingest/fit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "arrow/array.h"
#include "base/error.h"
#include "ingest/rejects.h"
#include "schema/validate.h"

void stoa_ingest_shift_row(stoa_error *err, int64_t row_base) {
    char before[48];
    char rest[STOA_ERROR_MESSAGE_BYTES];
    if (err == NULL || err->row < 0 || row_base == 0) {
        return;
    }
    (void)snprintf(before, sizeof before, "row %" PRId64 ", ", err->row);
    err->row += row_base;
    char *found = strstr(err->message, before);
    if (found != NULL) {
        (void)snprintf(rest, sizeof rest, "%s", found + strlen(before));
        (void)snprintf(found, sizeof err->message - (size_t)(found - err->message),
                       "row %" PRId64 ", %s", err->row, rest);
    }
}

/* Takes `batch`, which fits. */
static stoa_status pass_on(struct ArrowArray *batch, const stoa_morsel *morsel,
                           const stoa_pipeline_stage *next, stoa_error *err) {
    stoa_morsel made = *morsel;
    made.batch = *batch;
    return stoa_pipeline_push(next, &made, err);
}

static stoa_status fit_whole(const stoa_ingest_fit *fit, const struct ArrowSchema *schema,
                             struct ArrowArray *batch, const stoa_morsel *morsel,
                             const stoa_pipeline_stage *next, stoa_error *err) {
    struct ArrowArray made = {0};
    STOA_TRY(stoa_batch_conform(fit->pool, fit->schema, schema, batch, &made, err));
    return pass_on(&made, morsel, next, err);
}

/* Finds the first row of a batch that does not fit; `reason->row` -1: all do. */
static stoa_status first_misfit(const stoa_ingest_fit *fit, const struct ArrowSchema *schema,
                                const struct ArrowArray *batch, stoa_error *reason,
                                stoa_error *err) {
    *reason = (stoa_error)STOA_ERROR_NONE;
    stoa_status status = stoa_batch_validate(fit->schema, schema, batch, reason);
    if (status == STOA_INVALID && reason->row >= 0 && reason->row < batch->length) {
        return STOA_OK;
    }
    if (status != STOA_OK && err != NULL) {
        *err = *reason;
    }
    reason->row = -1;
    return status;
}

static stoa_status fit_around(const stoa_ingest_fit *fit, const char *file,
                              const struct ArrowSchema *schema, struct ArrowArray *batch,
                              const stoa_morsel *morsel, const stoa_pipeline_stage *next,
                              stoa_buffer *rejected, stoa_error *err) {
    stoa_status status = STOA_OK;
    while (batch->length > 0) {
        stoa_error reason;
        struct ArrowArray before = {0};
        struct ArrowArray after = {0};
        STOA_CHECK(first_misfit(fit, schema, batch, &reason, err));
        if (reason.row < 0) {
            return fit_whole(fit, schema, batch, morsel, next, err);
        }
        STOA_CHECK(stoa_ingest_reject_print(file, schema, batch, &reason, rejected, err));
        int64_t rest = batch->length - reason.row - 1;
        if (reason.row > 0) {
            STOA_CHECK(stoa_arrow_slice(fit->pool, batch, 0, reason.row, &before, err));
            STOA_CHECK(fit_whole(fit, schema, &before, morsel, next, err));
        }
        STOA_CHECK(stoa_arrow_slice(fit->pool, batch, reason.row + 1, rest, &after, err));
        stoa_arrow_array_release(batch);
        *batch = after;
    }

done:
    stoa_arrow_array_release(batch);
    return status;
}

static void note_failure(stoa_ingest_fit *fit, int64_t part) {
    int64_t first = atomic_load_explicit(&fit->failed_part, memory_order_relaxed);
    while (part < first &&
           !atomic_compare_exchange_weak_explicit(&fit->failed_part, &first, part,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

stoa_status stoa_ingest_fit_batch(stoa_ingest_fit *fit, const char *file,
                                  const struct ArrowSchema *schema, struct ArrowArray *batch,
                                  const stoa_morsel *morsel, const stoa_pipeline_stage *next,
                                  int64_t *rows_before, stoa_buffer *rejected, stoa_error *err) {
    int64_t length = batch->length;
    stoa_status status = fit->rejects
                             ? fit_around(fit, file, schema, batch, morsel, next, rejected, err)
                             : fit_whole(fit, schema, batch, morsel, next, err);
    if (status == STOA_INVALID) {
        note_failure(fit, morsel->part);
        stoa_ingest_shift_row(err, *rows_before);
    }
    *rows_before += length;
    return status;
}

/* ---- rejected rows, travelling in the place of a batch ---- */

static void release_rejects(struct ArrowArray *array) {
    stoa_buffer *lines = array->private_data;
    stoa_pool *pool = lines->pool;
    stoa_buffer_release(lines);
    stoa_pool_free(pool, lines, sizeof *lines);
    array->release = NULL;
}

stoa_status stoa_ingest_fit_pass_rejects(stoa_pool *pool, stoa_buffer *rejected,
                                         const stoa_morsel *morsel, const stoa_pipeline_stage *next,
                                         stoa_error *err) {
    void *memory = NULL;
    if (rejected->size == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_pool_allocate(pool, sizeof *rejected, &memory, err));
    stoa_buffer *lines = memory;
    *lines = *rejected;
    stoa_buffer_init(rejected, pool);
    struct ArrowArray parcel = {.release = release_rejects, .private_data = lines};
    return pass_on(&parcel, morsel, next, err);
}

const stoa_buffer *stoa_ingest_fit_rejects(const struct ArrowArray *batch) {
    return batch->release == release_rejects ? batch->private_data : NULL;
}
