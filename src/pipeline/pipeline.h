/* Pipelines: a source, operators and a sink over Arrow batches, on the scheduler's threads.
 *
 *     source ── morsel ──▶ operator ──▶ operator ──▶ sink
 *
 * A morsel is a batch with its place in the order of the rows. The work is done by lanes: a lane is
 * one task that takes a morsel from the source and carries it through all operators, one morsel
 * after the other, with state of its own in each stage. How many lanes there are is bounded by the
 * scheduler's threads; without a scheduler, or with one thread, the caller's thread does it all in a
 * plain loop.
 *
 * Ordered, the sink is called by one thread at a time with everything in the order of the source.
 * Otherwise every lane calls the sink by itself, and the sink puts the lanes' states together at the
 * end. */
#ifndef STOA_PIPELINE_PIPELINE_H
#define STOA_PIPELINE_PIPELINE_H

#include <stoa/arrow.h>

#include "sched/sched.h"

/// A batch and its place. Parts come in the order 0, 1, 2, …; their morsels too.
typedef struct stoa_morsel {
    struct ArrowArray batch; /* `release` NULL: no rows, only the end of a part */
    int64_t part;
    int64_t index;  /* within the part */
    uint64_t bytes; /* what the batch weighs while it waits, and in progress; 0: not known */
    bool last;      /* the part has no morsel after this one */
} stoa_morsel;

/// Where morsels come from.
///
/// Threads  Calls with different locals run at once; with the same local one at a time, not always
///          on the same thread.
typedef struct stoa_pipeline_source {
    void *state;
    /// True: one `next` at a time, whatever the local, and the pipeline numbers the morsels: what
    /// `next` sets beside batch and bytes is ignored. False: the source numbers them itself. It
    /// begins parts in the order of their numbers, without gaps, and a part is handed out to one
    /// local from its first morsel to its last.
    bool serial;
    /// True: no pool knows of the batches' memory, so that `bytes` of what waits is charged to the
    /// pipeline's pool.
    bool foreign;
    /// Makes the state of one lane, on first use. `context` has the pipeline's pool and its token,
    /// which is triggered when the pipeline stops early, and no scheduler: a stage of a stream that
    /// waited for tasks could find itself running one that waits for the stream. It is valid until
    /// close_local. Nullable.
    stoa_status (*open_local)(void *state, const stoa_context *context, void **out_local,
                              stoa_error *err);
    /// Gives the next morsel, or sets `*out_more` (true before) to false: there is none for this
    /// local. `out` comes in with the part and index that continue the local's part (part -1 when
    /// it begins a new one), its other members zero. On failure out->part says where, or is -1.
    stoa_status (*next)(void *state, void *local, stoa_morsel *out, bool *out_more,
                        stoa_error *err);
    /// Nullable. Called for every local that was opened, by the thread that runs the pipeline.
    void (*close_local)(void *state, void *local);
} stoa_pipeline_source;

/// The stage after an operator.
typedef struct stoa_pipeline_stage stoa_pipeline_stage;

/// What is done to a morsel. It may change morsel->batch and pass it on; drop it by returning without
/// passing it on; or pass on several, each a copy of `morsel` with a batch of its own.
///
/// Owns     The batch is released after the call unless it was moved away.
typedef struct stoa_pipeline_operator {
    void *state;
    stoa_status (*open_local)(void *state, const stoa_context *context, void **out_local,
                              stoa_error *err); /* nullable, as the source's */
    stoa_status (*push)(void *state, void *local, stoa_morsel *morsel,
                        const stoa_pipeline_stage *next, stoa_error *err);
    void (*close_local)(void *state, void *local); /* nullable */
} stoa_pipeline_operator;

struct stoa_pipeline_stage {
    stoa_status (*push)(void *state, void *local, stoa_morsel *morsel,
                        const stoa_pipeline_stage *next, stoa_error *err);
    void *state;
    void *local;
};

/// Passes a morsel on. Takes its batch, also on error.
STOA_MUST_USE static inline stoa_status stoa_pipeline_push(const stoa_pipeline_stage *next,
                                                           stoa_morsel *morsel, stoa_error *err) {
    stoa_status status = next->push(next->state, next->local, morsel, next + 1, err);
    if (morsel->batch.release != NULL) {
        morsel->batch.release(&morsel->batch);
        morsel->batch.release = NULL;
    }
    return status;
}

/// Where morsels go.
///
/// Threads  Unordered: `consume` as `next` of a source, with a local for each lane. Ordered: one
///          call at a time and one local. All others: one call at a time, the caller's thread.
typedef struct stoa_pipeline_sink {
    void *state;
    stoa_status (*open_local)(void *state, const stoa_context *context, void **out_local,
                              stoa_error *err); /* nullable, as the source's */
    /// The batch is released after the call unless it was moved away.
    stoa_status (*consume)(void *state, void *local, stoa_morsel *morsel, stoa_error *err);
    /// Adds what a local gathered to the whole, after all morsels. Nullable.
    stoa_status (*combine)(void *state, void *local, stoa_error *err);
    void (*close_local)(void *state, void *local); /* nullable */
    /// After the last combine, when nothing failed. Nullable.
    stoa_status (*finish)(void *state, stoa_error *err);
    /// Makes what was gathered the source of a later pipeline of the same plan. Its state lies in
    /// the sink's. Nullable: this sink breaks no pipeline in two.
    stoa_status (*make_source)(void *state, stoa_pipeline_source *out, stoa_error *err);
} stoa_pipeline_sink;

/// All-zero stands for what is in brackets.
typedef struct stoa_pipeline_options {
    bool ordered;
    int32_t lanes;          /* at most [as many as the scheduler has threads] */
    int32_t window_morsels; /* that may wait for their turn, or for a stream's reader [4 a lane] */
    size_t window_bytes;    /* the same [64 MiB]; one morsel is let in however large it is */
    int64_t slice_rows;     /* after which a lane gives its thread back [1 Mi] */
    int64_t slice_ns;       /* the same [5 ms]; looked at between morsels */
    stoa_priority priority;
    const char *phase; /* of progress ["reading"], as its totals, which may be unknown */
    uint64_t row_count_total;
    uint64_t bytes_total;
} stoa_pipeline_options;

/// What is to be run: plain data, borrowed while it runs.
typedef struct stoa_pipeline {
    stoa_pipeline_source source;
    const stoa_pipeline_operator *operators;
    int32_t operator_count;
    stoa_pipeline_sink sink;
    stoa_pipeline_options options;
} stoa_pipeline;

/// Runs a pipeline to its end. The caller's thread works too.
///
/// Errors   Ordered: of what fails, the one that comes first in the order of the source, and the
///          sink has consumed everything before it. Otherwise the first in time.
///          STOA_CANCELLED  the context's token, asked between morsels
///          STOA_INVALID    an option is out of range
///          STOA_INTERNAL   the source numbers its morsels against its promise
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     After it returns no thread uses anything of the pipeline's.
STOA_MUST_USE stoa_status stoa_pipeline_run(const stoa_pipeline *pipeline,
                                            const stoa_context *context, stoa_error *err);

/// What a stream over a pipeline owns: `close` (nullable) is called with `user` when no thread uses
/// the pipeline any more.
typedef struct stoa_pipeline_owner {
    void *user;
    void (*close)(void *user);
} stoa_pipeline_owner;

/// A pipeline without a sink (pipeline->sink is not looked at) as a stream. Nothing runs before the
/// first batch is asked for; then lanes run ahead of the reader by at most the window. The reader
/// works too while there is nothing for it. Releasing the stream early stops the lanes and waits
/// for them. Batches without rows are left out.
///
/// Errors   as stoa_pipeline_run, also from the stream's get_next
/// Owns     Copies `pipeline` and its operators; takes `schema`, and calls owner->close, also on
///          error.
STOA_MUST_USE stoa_status stoa_pipeline_stream(const stoa_pipeline *pipeline,
                                               const stoa_context *context,
                                               struct ArrowSchema *schema,
                                               const stoa_pipeline_owner *owner,
                                               struct ArrowArrayStream *out, stoa_error *err);

/// A pipeline of a plan.
typedef struct stoa_pipeline_step {
    stoa_pipeline pipeline;
    int32_t source_from;  /* the step whose sink makes this one's source; -1: it has its own */
    const int32_t *after; /* steps that must have ended, beside `source_from` */
    int32_t after_count;
} stoa_pipeline_step;

/// Runs the steps, each after those it depends on, one at a time: each uses all threads by itself.
///
/// Errors   as stoa_pipeline_run; the first failure is the last step that runs
///          STOA_INVALID  an index is out of range, steps wait for each other in a circle, or a
///                        source is to come from a sink that makes none
/// Owns     `steps` is borrowed; a source made by a sink is set in it.
STOA_MUST_USE stoa_status stoa_pipeline_run_plan(stoa_pipeline_step *steps, int32_t step_count,
                                                 const stoa_context *context, stoa_error *err);

/// A stream, anybody's, as a serial source. `rows` and `schema` are borrowed; with a schema (nullable)
/// the batches are weighed.
typedef struct stoa_pipeline_stream_source {
    struct ArrowArrayStream *rows;
    const struct ArrowSchema *schema;
} stoa_pipeline_stream_source;

/// `foreign` is not set: who made the stream knows better.
stoa_pipeline_source stoa_pipeline_source_of_stream(stoa_pipeline_stream_source *stream);

/// Opens part `part` as a stream, which is released when it is at its end.
typedef stoa_status (*stoa_pipeline_open_part)(void *user, int64_t part,
                                               const stoa_context *context,
                                               struct ArrowArrayStream *out, stoa_error *err);

/// Parts that can be read at once, each a stream of its own: the splits of a plan, the files of a
/// load. Lies where its owner puts it.
///
/// Threads  `open` is called from several threads at once.
typedef struct stoa_pipeline_parts_source {
    stoa_pipeline_open_part open;
    void *user;
    int64_t part_count;
    const struct ArrowSchema *schema; /* weighs the batches; nullable */
    _Atomic int64_t next_part;        /* 0 */
} stoa_pipeline_parts_source;

stoa_pipeline_source stoa_pipeline_source_of_parts(stoa_pipeline_parts_source *parts);

#endif
