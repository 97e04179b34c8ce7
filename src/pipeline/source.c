/* Sources that many pipelines begin with: a stream, and parts that are streams. */
#include <stdatomic.h>

#include "arrow/array.h"
#include "mem/pool.h"
#include "pipeline/pipeline.h"

static uint64_t weigh(const struct ArrowSchema *schema, const struct ArrowArray *batch) {
    return schema == NULL || batch->release == NULL
               ? 0
               : (uint64_t)stoa_arrow_memory_bytes(schema, batch);
}

/* ---- one stream ------------------------------------------------------------------------------ */

static stoa_status stream_next(void *state, void *local, stoa_morsel *out, bool *out_more,
                               stoa_error *err) {
    (void)local;
    const stoa_pipeline_stream_source *source = state;
    STOA_TRY(stoa_stream_next(source->rows, &out->batch, err));
    *out_more = out->batch.release != NULL;
    out->bytes = weigh(source->schema, &out->batch);
    return STOA_OK;
}

stoa_pipeline_source stoa_pipeline_source_of_stream(stoa_pipeline_stream_source *stream) {
    return (stoa_pipeline_source){.state = stream, .serial = true, .next = stream_next};
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* The part that a lane reads. A batch is known to be its part's last only when the one after it was
 * asked for, so the end is a morsel of its own, without rows. */
struct parts_local {
    const stoa_context *context;
    struct ArrowArrayStream stream;
};

static stoa_status parts_open_local(void *state, const stoa_context *context, void **out_local,
                                    stoa_error *err) {
    (void)state;
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(struct parts_local), &memory, err));
    struct parts_local *local = memory;
    local->context = context;
    *out_local = local;
    return STOA_OK;
}

static stoa_status parts_next(void *state, void *user, stoa_morsel *out, bool *out_more,
                              stoa_error *err) {
    stoa_pipeline_parts_source *parts = state;
    struct parts_local *local = user;
    if (local->stream.release == NULL) {
        if (atomic_load_explicit(&parts->next_part, memory_order_relaxed) >= parts->part_count) {
            *out_more = false;
            return STOA_OK;
        }
        const int64_t part = atomic_fetch_add_explicit(&parts->next_part, 1, memory_order_relaxed);
        if (part >= parts->part_count) {
            *out_more = false;
            return STOA_OK;
        }
        out->part = part;
        STOA_TRY(parts->open(parts->user, part, local->context, &local->stream, err));
    }
    STOA_TRY(stoa_stream_next(&local->stream, &out->batch, err));
    out->bytes = weigh(parts->schema, &out->batch);
    if (out->batch.release == NULL) {
        stoa_arrow_stream_release(&local->stream);
        out->last = true;
    }
    return STOA_OK;
}

static void parts_close_local(void *state, void *user) {
    (void)state;
    struct parts_local *local = user;
    stoa_arrow_stream_release(&local->stream);
    stoa_pool_free(local->context->pool, local, sizeof *local);
}

stoa_pipeline_source stoa_pipeline_source_of_parts(stoa_pipeline_parts_source *parts) {
    return (stoa_pipeline_source){.state = parts,
                                  .open_local = parts_open_local,
                                  .next = parts_next,
                                  .close_local = parts_close_local};
}
