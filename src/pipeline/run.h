/* One pipeline while it runs: its lanes and the window in which morsels wait for their turn.
 *
 *     PARKED ──wake──▶ READY ──claim──▶ RUNNING ──▶ PARKED | READY (its slice is over) | DONE
 *
 * A READY lane has a task in the scheduler, or is about to; whoever claims it runs it: that task, or
 * the reader of a stream, who has nothing better to do. A PARKED lane is no task and holds no thread;
 * it is woken when what it waits for has happened (a place in the window, the serial source). All
 * lanes but the first begin PARKED.
 *
 * There is one lock; it guards what is said to be guarded, and nothing is called while it is held. */
#ifndef STOA_PIPELINE_RUN_H
#define STOA_PIPELINE_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "mem/buffer.h"
#include "pipeline/pipeline.h"

enum lane_state { LANE_PARKED, LANE_READY, LANE_RUNNING, LANE_DONE };

/* What became of one morsel of the source: the batches that came out at the end, or a failure. */
struct item {
    struct item *next;   /* within its part, or of the free list */
    stoa_buffer outputs; /* stoa_morsel; released ones were moved out */
    uint64_t bytes;      /* what they weigh in the window */
    stoa_reservation charge;
    struct lane *failed; /* the lane whose error stands here; NULL: none */
};

/* A part whose morsels wait. */
struct part {
    struct item *first;
    struct item *last;
    int64_t next_index; /* that is to be put in */
    bool complete;      /* its last morsel is in */
};

struct lane {
    struct run *run;
    enum lane_state state; /* guarded */
    bool queued;           /* guarded: the scheduler has a task of it */
    struct lane *wake_next;

    /* The rest belongs to who runs the lane. */
    bool opened;
    void *source_local;
    stoa_pipeline_stage *stages; /* the operators, then the terminal */
    int32_t stage_count;         /* whose locals are open */
    void *sink_local;
    bool sink_opened;
    struct item *item; /* being made; NULL: none */
    int64_t part; /* that it reads, or -1; guarded too, since others ask whether it is the head */
    int64_t next_index;
    int64_t slice_rows;
    int64_t slice_end_ns;
    stoa_status status; /* its failure, once it has one */
    stoa_error *error;
};

struct run {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something that a stream's reader waits for */
    stoa_pipeline pipeline;
    stoa_context context;       /* with the token of this run */
    stoa_context local_context; /* the same without scheduler */
    stoa_cancel *cancel;        /* the same; NULL: the caller's own is used */
    stoa_pool *pool;
    bool pull;     /* morsels wait for a stream's reader */
    bool windowed; /* morsels go through the window: ordered or pull, and more than one lane */
    stoa_group group;
    bool grouped;

    struct lane *lanes;
    int32_t lane_count;
    stoa_pipeline_stage *stages; /* of all lanes */
    stoa_error *errors;          /* of all lanes */

    /* Guarded, all of it. */
    int32_t parked_count;
    int32_t done_count;
    bool source_busy;      /* serial: a lane is in `next` */
    bool source_ended;     /* no new part will be handed out */
    int64_t source_number; /* serial: the next morsel's part */
    int64_t failed_part;   /* parts after it need not be read; INT64_MAX: none failed */
    bool draining;         /* a lane is in the sink */
    bool reader_waits;
    int64_t used_morsels; /* taken from the source and not through the window yet */
    uint64_t used_bytes;  /* of those that wait */
    struct item *items;   /* all there are */
    int32_t item_count;
    struct item *free_items;
    struct part *parts; /* a ring: part p at p & part_mask */
    int64_t part_mask;
    int64_t head_part;     /* whose turn it is */
    int64_t arrival_count; /* unordered: the next item's part */
    stoa_status status;    /* the run's failure */
    stoa_error error;
    stoa_error sink_error; /* of who is in the sink */

    atomic_bool stopped;    /* set with the lock held; asked without */
    atomic_int parked_hint; /* parked_count, for who looks without the lock */
    _Atomic uint64_t rows_done;
    _Atomic uint64_t bytes_done;
    _Atomic int64_t report_at_ns;
};

/* run.c */

STOA_MUST_USE stoa_status stoa_run_create(const stoa_pipeline *pipeline,
                                          const stoa_context *context, bool pull, struct run **out,
                                          stoa_error *err);
/* Waits for the lanes' tasks. NULL is allowed. */
void stoa_run_close(struct run *run);
/* Waits for the tasks of all lanes; none is started afterwards. */
void stoa_run_wait(struct run *run);
/* Stops the lanes with a failure; the first stays. The lock is held. */
void stoa_run_fail(struct run *run, stoa_status status, const stoa_error *error);
/* All lanes are DONE: nothing may be left in the window, unless the run failed. The lock is held, or
 * nobody else is about. */
void stoa_run_check_end(struct run *run);
/* Counts a morsel of the source that was carried through, for progress. */
void stoa_run_count(struct run *run, int64_t row_count, uint64_t bytes);

/* lane.c */

/* Opens the locals of source and operators, and of the sink where each lane has one. */
STOA_MUST_USE stoa_status stoa_lane_open(struct lane *lane, stoa_error *err);
STOA_MUST_USE stoa_status stoa_lane_open_sink(struct lane *lane, stoa_error *err);
void stoa_lane_close(struct lane *lane);
/* Takes a morsel from the source and carries it through the stages, with nobody else running. */
STOA_MUST_USE stoa_status stoa_lane_step_alone(struct lane *lane, bool *out_more, stoa_error *err);
/* Hands READY lanes to the scheduler: a list that stoa_window_wake made. */
void stoa_lane_spawn_all(struct lane *lanes);
/* Runs a claimed lane for at most `morsel_count` morsels, or its slice. */
void stoa_lane_work(struct lane *lane, int64_t morsel_count);
/* True when the lane has nothing more to do. The lock is held. */
bool stoa_lane_is_over(const struct lane *lane);

/* window.c: the lock is held in all of these but the first two and the last. */

STOA_MUST_USE stoa_status stoa_window_create(struct run *run, stoa_error *err);
void stoa_window_release(struct run *run);
/* True when the lane may take a morsel from the source now. */
bool stoa_window_admits(const struct run *run, const struct lane *lane);
struct item *stoa_window_take_free(struct run *run);
/* The item must be empty. */
void stoa_window_give_free(struct run *run, struct item *item);
/* Puts what became of a morsel in its place. */
STOA_MUST_USE stoa_status stoa_window_put(struct run *run, struct item *item,
                                          const stoa_morsel *place, stoa_error *err);
/* Takes out the item whose turn it is; NULL: it is not there yet. */
struct item *stoa_window_take(struct run *run);
/* The parked lanes that may go on now, made READY; those that are over are DONE. */
struct lane *stoa_window_wake(struct run *run);
/* Releases what is left in an item. */
void stoa_item_clear(struct item *item);

#endif
