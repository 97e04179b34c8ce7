/* Ranges: one counter that everybody who is free takes the next part from. Parts begin large and
 * shrink with what is left, so that all end together, but never below the grain. The caller takes
 * parts like the others, so a range that is done before anybody wakes up costs no more than a loop. */
#include "base/error.h"
#include "sched/internal.h"

enum { SHARES = 4 };

struct range {
    stoa_range_function function;
    void *user;
    stoa_cancel *cancel;
    int64_t count;
    int64_t grain;
    int64_t shares; /* a part is what is left over this */
    _Atomic int64_t next;
};

/* Takes the next part; false when nothing is left. */
static bool next_part(struct range *range, int64_t *out_begin, int64_t *out_end) {
    int64_t begin = atomic_load_explicit(&range->next, memory_order_relaxed);
    int64_t size;
    do {
        int64_t left = range->count - begin;
        if (left <= 0) {
            return false;
        }
        size = left / range->shares;
        size = size < range->grain ? range->grain : size;
        size = size > left ? left : size;
    } while (!atomic_compare_exchange_weak_explicit(&range->next, &begin, begin + size,
                                                    memory_order_relaxed, memory_order_relaxed));
    *out_begin = begin;
    *out_end = begin + size;
    return true;
}

static stoa_status run_parts(void *user, stoa_error *err) {
    struct range *range = user;
    int64_t begin, end;
    while (next_part(range, &begin, &end)) {
        STOA_TRY(stoa_cancel_check(range->cancel, err));
        STOA_TRY(range->function(range->user, begin, end, err));
    }
    return STOA_OK;
}

static stoa_status run_on(stoa_sched *sched, struct range *range, stoa_cancel *parent,
                          int64_t tasks, stoa_error *err) {
    stoa_group group;
    STOA_TRY(stoa_group_init(&group, sched, STOA_FOREGROUND, parent, err));
    bool entered = false;
    struct worker *self = sched != NULL ? stoa_worker_enter(sched, &entered) : NULL;
    range->cancel = stoa_group_cancel(&group);
    for (int64_t i = 1; i < tasks; i++) {
        stoa_group_spawn(&group, run_parts, range);
    }
    struct task own = {run_parts, range, &group};
    stoa_group_run(&own);
    stoa_status status = stoa_group_wait(&group, err);
    if (entered) {
        stoa_worker_leave(self);
    }
    return status;
}

stoa_status stoa_parallel_for(const stoa_context *context, int64_t count, int64_t grain,
                              stoa_range_function function, void *user, stoa_error *err) {
    stoa_sched *sched = context != NULL ? context->sched : NULL;
    stoa_cancel *parent = context != NULL ? context->cancel : NULL;
    if (count <= 0) {
        return STOA_OK;
    }
    grain = grain < 1 ? 1 : grain;
    int64_t parts = (count - 1) / grain + 1;
    int64_t threads = stoa_sched_threads(sched);
    int64_t tasks = threads < parts ? threads : parts;
    struct range range = {.function = function,
                          .user = user,
                          .count = count,
                          .grain = grain,
                          .shares = SHARES * tasks};
    atomic_init(&range.next, 0);
    return run_on(sched, &range, parent, tasks, err);
}
