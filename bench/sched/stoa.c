/* This library's side of the questions that run.py asks; it says what they are.
 *
 *     bench_sched_stoa QUESTION THREADS SIZE RUNS      prints the seconds of each run */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "mem/pool.h"
#include "questions.h"
#include "sched/fork.h"

static void check(stoa_status status, const stoa_error *err) {
    if (status != STOA_OK) {
        fprintf(stderr, "stoa: %s\n", err->message);
        exit(1);
    }
}

/* ---- fork_join ---- */

struct fib_frame {
    stoa_frame frame;
    int n;
    long result;
};

static void run_fib(stoa_worker *worker, stoa_frame **top, stoa_frame *frame);

static long fib(stoa_worker *worker, stoa_frame **top, int n) {
    if (n < 2) {
        return n;
    }
    struct fib_frame left;
    left.n = n - 1;
    left.result = 0;
    stoa_frame **above = stoa_fork(worker, top, &left.frame, run_fib);
    long right = fib(worker, above, n - 2);
    bool mine = stoa_join(worker, top, &left.frame);
    return right + (mine ? fib(worker, top, n - 1) : left.result);
}

static void run_fib(stoa_worker *worker, stoa_frame **top, stoa_frame *frame) {
    struct fib_frame *left = (struct fib_frame *)(void *)frame;
    left->result = fib(worker, top, left->n);
}

static long fork_join(stoa_sched *sched, long size) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cancel *cancel = NULL;
    check(stoa_cancel_create(NULL, &cancel, &err), &err);
    stoa_context context = {.sched = sched, .cancel = cancel};
    struct fib_frame root = {.n = (int)size};
    check(stoa_fork_run(&context, run_fib, &root.frame, &err), &err);
    stoa_cancel_close(cancel);
    return root.result;
}

/* ---- spawn ---- */

static stoa_status mark(void *user, stoa_error *err) {
    (void)err;
    *(unsigned char *)user = 1;
    return STOA_OK;
}

static long spawn(stoa_sched *sched, long size, unsigned char *marks) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_group group;
    check(stoa_group_init(&group, sched, STOA_FOREGROUND, NULL, &err), &err);
    for (long i = 0; i < size; i++) {
        stoa_group_spawn(&group, mark, &marks[i]);
    }
    check(stoa_group_wait(&group, &err), &err);
    return 0;
}

struct inside {
    stoa_sched *sched;
    long size;
    unsigned char *marks;
};

static stoa_status spawn_inside(void *user, stoa_error *err) {
    (void)err;
    struct inside *inside = user;
    (void)spawn(inside->sched, inside->size, inside->marks);
    return STOA_OK;
}

/* From a thread of the scheduler, as the rivals spawn from a thread of theirs. */
static void spawn_from_worker(stoa_sched *sched, long size, unsigned char *marks) {
    stoa_error err = STOA_ERROR_NONE;
    struct inside inside = {sched, size, marks};
    stoa_group group;
    check(stoa_group_init(&group, sched, STOA_FOREGROUND, NULL, &err), &err);
    stoa_group_spawn(&group, spawn_inside, &inside);
    check(stoa_group_wait(&group, &err), &err);
}

/* ---- ranges ---- */

static stoa_status flat_part(void *user, int64_t begin, int64_t end, stoa_error *err) {
    (void)err;
    for (int64_t i = begin; i < end; i++) {
        ((uint64_t *)user)[i] = question_flat((uint64_t)i);
    }
    return STOA_OK;
}

static stoa_status skewed_part(void *user, int64_t begin, int64_t end, stoa_error *err) {
    (void)err;
    for (int64_t i = begin; i < end; i++) {
        ((uint64_t *)user)[i] = question_skewed((uint64_t)i);
    }
    return STOA_OK;
}

static void range(stoa_sched *sched, long size, uint64_t *out, bool skewed) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_context context = {.sched = sched};
    check(stoa_parallel_for(&context, size, skewed ? 1 : 64, skewed ? skewed_part : flat_part, out,
                            &err),
          &err);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        return 2;
    }
    const char *question = argv[1];
    long size = atol(argv[3]);
    int runs = atoi(argv[4]);
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    stoa_sched *sched = NULL;
    stoa_sched_options options = {.threads = atoi(argv[2])};
    check(stoa_pool_create(0, NULL, &pool, &err), &err);
    check(stoa_sched_create(pool, &options, &sched, &err), &err);
    void *out = calloc((size_t)size + 1, 8);
    for (int i = -1; i < runs; i++) {
        if (strcmp(question, "fork_join") != 0) {
            memset(out, 0, (size_t)size * 8);
        }
        double begin = measure_now();
        long answer = 0;
        if (strcmp(question, "fork_join") == 0) {
            answer = fork_join(sched, size);
        } else if (strcmp(question, "spawn_inside") == 0) {
            spawn_from_worker(sched, size, out);
        } else if (strcmp(question, "spawn") == 0) {
            (void)spawn(sched, size, out);
        } else {
            range(sched, size, out, strcmp(question, "skewed") == 0);
        }
        double seconds = measure_now() - begin;
        question_check(question, size, answer, out);
        if (i >= 0) {
            printf("%.9f\n", seconds);
        }
    }
    free(out);
    stoa_sched_close(sched);
    stoa_pool_close(pool);
    return 0;
}
