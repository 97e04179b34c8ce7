/* What does a pipeline cost beside what its stages do?
 *
 *     bench_pipeline_pipeline [MORSELS [RUNS]]
 *
 * A source that hands out one batch of 2,048 numbers again and again (its release does nothing), two
 * operators that pass it on after looking at its length, and a sink that looks at one number a batch:
 * next to nothing, so that what is measured is the way from one to the next. The rival is a plain
 * loop that calls the same four functions through pointers. Both take the same morsels on the same
 * thread, in turn; printed are medians.
 *
 *     pipeline.loop                nanoseconds a morsel of the loop
 *     pipeline.morsel              nanoseconds a morsel that the pipeline costs beyond the loop, on
 *                                  the caller's thread: the token, the place, four calls
 *     pipeline.morsel.unordered.2t the same with two lanes on two threads: the threads' time, less
 *                                  the loop's
 *     pipeline.morsel.ordered.2t   the same, through the window
 *     pipeline.run                 microseconds of a pipeline of one morsel, from nothing to its end
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pipeline/pipeline.h"

enum { ROWS = 2048, RUNS_MAX = 200 };

struct numbers {
    int64_t values[ROWS];
    const void *buffers[2];
    struct ArrowArray column;
    struct ArrowArray *children[1];
    int64_t morsel_count;
    _Atomic int64_t next;
    int64_t sum;
};

struct counter {
    int64_t at;
    int64_t sum;
    char apart[112]; /* no two in one cache line */
};

static void check(stoa_status status, const stoa_error *err) {
    if (status != STOA_OK) {
        fprintf(stderr, "pipeline: %s\n", err->message);
        exit(1);
    }
}

static void nothing(struct ArrowArray *array) {
    array->release = NULL;
}

static stoa_status open_local(void *state, const stoa_context *context, void **out,
                              stoa_error *err) {
    (void)state;
    (void)context;
    (void)err;
    *out = calloc(1, sizeof(struct counter));
    return STOA_OK;
}

static void close_local(void *state, void *local) {
    (void)state;
    free(local);
}

/* Each morsel is a part of its own, so that any lane may take it. */
static stoa_status next(void *state, void *local, stoa_morsel *out, bool *out_more,
                        stoa_error *err) {
    (void)local;
    (void)err;
    struct numbers *numbers = state;
    out->part = atomic_fetch_add_explicit(&numbers->next, 1, memory_order_relaxed);
    out->last = true;
    *out_more = out->part < numbers->morsel_count;
    if (*out_more) {
        out->bytes = sizeof numbers->values;
        out->batch = (struct ArrowArray){.length = ROWS,
                                         .n_children = 1,
                                         .children = numbers->children,
                                         .release = nothing};
    }
    return STOA_OK;
}

static stoa_status look(void *local, const stoa_morsel *morsel, stoa_error *err) {
    (void)err;
    struct counter *counter = local;
    counter->at += morsel->batch.length;
    return STOA_OK;
}

/* Not called directly, so that both sides pay for a call. */
static stoa_status (*volatile look_through_pointer)(void *, const stoa_morsel *,
                                                    stoa_error *) = look;

static stoa_status push(void *state, void *local, stoa_morsel *morsel,
                        const stoa_pipeline_stage *after, stoa_error *err) {
    (void)state;
    check(look_through_pointer(local, morsel, err), err);
    return stoa_pipeline_push(after, morsel, err);
}

static stoa_status look_at_one(void *state, void *local, stoa_morsel *morsel, stoa_error *err) {
    (void)state;
    (void)err;
    struct counter *counter = local;
    const int64_t *values = morsel->batch.children[0]->buffers[1];
    counter->sum += values[morsel->part % ROWS];
    return STOA_OK;
}

static stoa_status combine(void *state, void *local, stoa_error *err) {
    (void)err;
    ((struct numbers *)state)->sum += ((struct counter *)local)->sum;
    return STOA_OK;
}

/* The loop that the pipeline stands for. */
static void loop(struct numbers *numbers, stoa_error *err) {
    struct counter counters[4] = {0};
    stoa_status (*volatile source)(void *, void *, stoa_morsel *, bool *, stoa_error *) = next;
    stoa_status (*volatile sink)(void *, void *, stoa_morsel *, stoa_error *) = look_at_one;
    for (;;) {
        stoa_morsel morsel = {0};
        bool more = true;
        check(source(numbers, &counters[0], &morsel, &more, err), err);
        if (!more) {
            break;
        }
        check(look_through_pointer(&counters[1], &morsel, err), err);
        check(look_through_pointer(&counters[2], &morsel, err), err);
        check(sink(NULL, &counters[3], &morsel, err), err);
        morsel.batch.release(&morsel.batch);
    }
    numbers->sum += counters[3].sum;
}

static void pipe(struct numbers *numbers, stoa_pool *pool, stoa_sched *sched, bool ordered,
                 stoa_error *err) {
    const stoa_pipeline_operator operators[2] =
        {{.open_local = open_local, .push = push, .close_local = close_local},
         {.open_local = open_local, .push = push, .close_local = close_local}};
    const stoa_pipeline pipeline = {.source = {.state = numbers,
                                               .open_local = open_local,
                                               .next = next,
                                               .close_local = close_local},
                                    .operators = operators,
                                    .operator_count = 2,
                                    .sink = {.state = numbers,
                                             .open_local = open_local,
                                             .consume = look_at_one,
                                             .combine = combine,
                                             .close_local = close_local},
                                    .options = {.ordered = ordered}};
    stoa_cancel *cancel;
    check(stoa_cancel_create(NULL, &cancel, err), err);
    const stoa_context context = {.pool = pool, .cancel = cancel, .sched = sched};
    check(stoa_pipeline_run(&pipeline, &context, err), err);
    stoa_cancel_close(cancel);
}

enum way { LOOP, ALONE, UNORDERED_2T, ORDERED_2T, ONE_MORSEL, WAYS };

static int64_t expected_sum(int64_t morsel_count) {
    int64_t sum = 0;
    for (int64_t i = 0; i < morsel_count; i++) {
        sum += i % ROWS;
    }
    return sum;
}

static double timed(enum way way, struct numbers *numbers, int64_t morsel_count, stoa_pool *pool,
                    stoa_sched *sched) {
    stoa_error err = STOA_ERROR_NONE;
    numbers->morsel_count = way == ONE_MORSEL ? 1 : morsel_count;
    atomic_store(&numbers->next, 0);
    numbers->sum = 0;
    const int64_t begin = stoa_clock_monotonic_ns();
    if (way == LOOP) {
        loop(numbers, &err);
    } else {
        pipe(numbers, pool, way == UNORDERED_2T || way == ORDERED_2T ? sched : NULL,
             way == ORDERED_2T, &err);
    }
    const int64_t end = stoa_clock_monotonic_ns();
    if (numbers->sum != expected_sum(numbers->morsel_count)) {
        fprintf(stderr, "pipeline: a wrong sum\n");
        exit(1);
    }
    return (double)(end - begin) / (double)numbers->morsel_count;
}

static int compare(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

int main(int argc, char **argv) {
    static struct numbers numbers;
    static double times[WAYS][RUNS_MAX];
    double median[WAYS];
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool;
    stoa_sched *sched;
    const int64_t morsel_count = argc > 1 ? strtoll(argv[1], NULL, 10) : 1000000;
    const int runs = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 15;
    if (morsel_count < 1 || runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: bench_pipeline_pipeline [MORSELS [RUNS (at most 200)]]\n");
        return 2;
    }
    for (int64_t i = 0; i < ROWS; i++) {
        numbers.values[i] = i;
    }
    numbers.buffers[1] = numbers.values;
    numbers.column = (struct ArrowArray){.length = ROWS,
                                         .n_buffers = 2,
                                         .buffers = numbers.buffers};
    numbers.children[0] = &numbers.column;
    const stoa_sched_options options = {.threads = 2};
    check(stoa_pool_create(0, NULL, &pool, &err), &err);
    check(stoa_sched_create(pool, &options, &sched, &err), &err);
    for (int i = -1; i < runs; i++) { /* the first is for warming up */
        for (enum way way = 0; way < WAYS; way++) {
            times[way][i < 0 ? 0 : i] = timed(way, &numbers, morsel_count, pool, sched);
        }
    }
    for (enum way way = 0; way < WAYS; way++) {
        qsort(times[way], (size_t)runs, sizeof(double), compare);
        median[way] = times[way][runs / 2];
    }
    printf("figure pipeline.loop %.1f ns\n", median[LOOP]);
    printf("figure pipeline.morsel %.1f ns\n", median[ALONE] - median[LOOP]);
    printf("figure pipeline.morsel.unordered.2t %.1f ns\n",
           2 * median[UNORDERED_2T] - median[LOOP]);
    printf("figure pipeline.morsel.ordered.2t %.1f ns\n", 2 * median[ORDERED_2T] - median[LOOP]);
    printf("figure pipeline.run %.2f us\n", median[ONE_MORSEL] / 1e3);
    stoa_sched_close(sched);
    stoa_pool_close(pool);
    return 0;
}
