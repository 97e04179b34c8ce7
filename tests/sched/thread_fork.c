/* Fork and join against a serial result, cancelled on the way, and within groups of tasks. */
#include "support.h"

#include <pthread.h>
#include <time.h>

#include "base/error.h"
#include "sched/fork.h"

static stoa_error err;

struct sum_frame {
    stoa_frame frame;
    int64_t begin;
    int64_t end;
    int64_t result;
    stoa_cancel *cancel_at; /* triggered when the range holds 1,000 */
};

static uint64_t mix(int64_t x) {
    return (uint64_t)x * UINT64_C(0x9E3779B97F4A7C15) >> 40;
}

static void run_sum(stoa_worker *worker, stoa_frame **top, stoa_frame *frame);

/* Split at uneven places, so that the tree is deep on one side. */
static int64_t sum(stoa_worker *worker, stoa_frame **top, const struct sum_frame *range) {
    if (range->end - range->begin <= 2) {
        int64_t total = 0;
        for (int64_t i = range->begin; i < range->end; i++) {
            total += (int64_t)mix(i);
        }
        if (range->cancel_at != NULL && range->begin <= 1000 && range->end > 1000) {
            stoa_cancel_trigger(range->cancel_at);
        }
        return total;
    }
    int64_t middle = range->begin + (range->end - range->begin) / 3 + 1;
    struct sum_frame left = {.begin = range->begin, .end = middle, .cancel_at = range->cancel_at};
    struct sum_frame right = {.begin = middle, .end = range->end, .cancel_at = range->cancel_at};
    stoa_frame **above = stoa_fork(worker, top, &left.frame, run_sum);
    int64_t total = sum(worker, above, &right);
    return total + (stoa_join(worker, top, &left.frame) ? sum(worker, top, &left) : left.result);
}

static void run_sum(stoa_worker *worker, stoa_frame **top, stoa_frame *frame) {
    struct sum_frame *range = (struct sum_frame *)(void *)frame;
    range->result = sum(worker, top, range);
}

static int64_t serial(int64_t end) {
    int64_t total = 0;
    for (int64_t i = 0; i < end; i++) {
        total += (int64_t)mix(i);
    }
    return total;
}

static stoa_sched *scheduler(stoa_pool *pool, int32_t threads) {
    stoa_sched_options options = {.threads = threads};
    stoa_sched *sched = NULL;
    assert_ok(stoa_sched_create(pool, &options, &sched, &err), err);
    return sched;
}

static void forks_give_the_serial_result(void **state) {
    (void)state;
    static const int32_t threads[] = {0, 1, 2, 5};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        stoa_pool *pool = support_pool_open();
        stoa_sched *sched = threads[t] == 0 ? NULL : scheduler(pool, threads[t]);
        stoa_context context = {.sched = sched};
        for (int64_t end = 1; end < 40000; end = end * 3 + 1) {
            struct sum_frame root = {.end = end};
            assert_ok(stoa_fork_run(&context, run_sum, &root.frame, &err), err);
            assert_int_equal(root.result, serial(end));
        }
        stoa_sched_close(sched);
        support_pool_close(pool);
    }
}

struct chain {
    stoa_frame frame;
    int depth;
    int64_t result;
};

static void run_chain(stoa_worker *worker, stoa_frame **top, stoa_frame *frame) {
    struct chain *chain = (struct chain *)(void *)frame;
    if (chain->depth == 0) {
        return;
    }
    struct chain below = {.depth = chain->depth - 1}, side = {.depth = 0};
    stoa_frame **above = stoa_fork(worker, top, &side.frame, run_chain);
    run_chain(worker, above, &below.frame);
    if (stoa_join(worker, top, &side.frame)) {
        run_chain(worker, top, &side.frame);
    }
    chain->result = below.result + 1;
}

static void more_frames_than_places_are_run_by_their_owner(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = scheduler(pool, 2);
    stoa_context context = {.sched = sched};
    struct chain root = {.depth = 6000};
    assert_ok(stoa_fork_run(&context, run_chain, &root.frame, &err), err);
    assert_int_equal(root.result, 6000);
    stoa_sched_close(sched);
    support_pool_close(pool);
}

static void a_cancelled_region_says_so(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = scheduler(pool, 3);
    for (int i = 0; i < 20; i++) {
        stoa_cancel *cancel = NULL;
        assert_ok(stoa_cancel_create(NULL, &cancel, &err), err);
        stoa_context context = {.sched = sched, .cancel = cancel};
        struct sum_frame root = {.end = 20000, .cancel_at = cancel};
        assert_fails(stoa_fork_run(&context, run_sum, &root.frame, &err), STOA_CANCELLED,
                     "by request", err);
        assert_fails(stoa_fork_run(&context, run_sum, &root.frame, &err), STOA_CANCELLED,
                     "by request", err);
        stoa_cancel_close(cancel);
    }
    stoa_sched_close(sched);
    support_pool_close(pool);
}

static stoa_status fork_within(void *user, stoa_error *error) {
    stoa_context context = {.sched = user};
    struct sum_frame root = {.end = 3000};
    STOA_TRY(stoa_fork_run(&context, run_sum, &root.frame, error));
    return root.result == serial(3000) ? STOA_OK
                                       : stoa_fail(error, STOA_INTERNAL, "the sum is wrong");
}

struct nest_frame {
    stoa_frame frame;
    stoa_sched *sched;
    int depth;
    bool failed;
};

/* Frames, within them groups, within those regions again. */
static void run_nest(stoa_worker *worker, stoa_frame **top, stoa_frame *frame) {
    struct nest_frame *nest = (struct nest_frame *)(void *)frame;
    if (nest->depth == 0) {
        stoa_group group;
        nest->failed = stoa_group_init(&group, nest->sched, STOA_FOREGROUND, NULL, NULL) != STOA_OK;
        if (!nest->failed) {
            for (int i = 0; i < 4; i++) {
                stoa_group_spawn(&group, fork_within, nest->sched);
            }
            nest->failed = stoa_group_wait(&group, NULL) != STOA_OK;
        }
        return;
    }
    struct nest_frame left = {.sched = nest->sched, .depth = nest->depth - 1}, right = left;
    stoa_frame **above = stoa_fork(worker, top, &left.frame, run_nest);
    run_nest(worker, above, &right.frame);
    if (stoa_join(worker, top, &left.frame)) {
        run_nest(worker, top, &left.frame);
    }
    nest->failed = left.failed || right.failed;
}

static void frames_and_groups_nest(void **state) {
    (void)state;
    for (int32_t threads = 1; threads <= 4; threads++) {
        stoa_pool *pool = support_pool_open();
        stoa_sched *sched = scheduler(pool, threads);
        stoa_context context = {.sched = sched};
        struct nest_frame root = {.sched = sched, .depth = 5};
        assert_ok(stoa_fork_run(&context, run_nest, &root.frame, &err), err);
        assert_false(root.failed);
        stoa_sched_close(sched);
        support_pool_close(pool);
    }
}

enum { OUTSIDERS = 4 };

static void *outsider(void *user) {
    stoa_sched *sched = user;
    stoa_error error = STOA_ERROR_NONE;
    bool well = true;
    for (int i = 0; i < 20 && well; i++) {
        stoa_group group;
        well = stoa_group_init(&group, sched, i % 4 == 0 ? STOA_BACKGROUND : STOA_FOREGROUND, NULL,
                               &error) == STOA_OK;
        for (int k = 0; k < 6 && well; k++) {
            stoa_group_spawn(&group, fork_within, sched);
        }
        well = well && stoa_group_wait(&group, &error) == STOA_OK;
    }
    return well ? NULL : user;
}

static void many_threads_share_it_while_it_changes(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = scheduler(pool, 2);
    pthread_t threads[OUTSIDERS];
    for (int i = 0; i < OUTSIDERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, outsider, sched), 0);
    }
    for (int i = 0; i < 40; i++) {
        assert_ok(stoa_sched_set_threads(sched, 1 + i % 4, &err), err);
        (void)nanosleep(&(struct timespec){0, 500000}, NULL);
    }
    for (int i = 0; i < OUTSIDERS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    stoa_sched_close(sched);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forks_give_the_serial_result),
        cmocka_unit_test(more_frames_than_places_are_run_by_their_owner),
        cmocka_unit_test(a_cancelled_region_says_so),
        cmocka_unit_test(frames_and_groups_nest),
        cmocka_unit_test(many_threads_share_it_while_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
