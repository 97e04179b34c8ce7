/* A compaction as a whole: its ranges, who works at them, what comes out.
 *
 * As many workers as the scheduler has threads each take the next range that nobody has, and work at it
 * for some milliseconds at a time: in between they queue up behind all else that waits, so that a task
 * in the foreground has a thread soon. A compaction of one range writes through the scheduler instead:
 * columns are gathered and stripes encoded beside the merge. */
#include <time.h>

#include "arrow/owner.h"
#include "base/clock.h"
#include "lsm/compaction_internal.h"

enum {
    BUDGET_NS = 4 * 1000 * 1000,
    MOMENT_NS = 1000 * 1000,
    RANGES_A_THREAD = 2,
    RANGES_MAX = 256,
    RANGE_DIVISOR = 4,       /* a range has at least this part of a file's bytes */
    STRIPE_BYTES = 32 << 20, /* that a stripe of rows of average size has at most */
    STRIPE_ROWS_DIVISOR = 16 /* a column of a stripe was too large: so many times fewer rows */
};

struct run;

struct worker {
    struct run *run;
    stoa_compaction_range *range; /* that it is at work on; NULL: none yet */
};

struct run {
    stoa_compaction_job job;
    stoa_group group;
    stoa_compaction_range *ranges;
    struct worker *workers;
    int32_t range_capacity;
    int32_t range_count;
    int32_t worker_count;
    _Atomic int32_t next_range;
};

/* ---- Workers --------------------------------------------------------------------------------- */

/* False: there are no more. */
static bool take_range(struct worker *worker) {
    struct run *run = worker->run;
    if (worker->range != NULL && !worker->range->is_done) {
        return true;
    }
    const int32_t index = atomic_fetch_add_explicit(&run->next_range, 1, memory_order_relaxed);
    worker->range = index < run->range_count ? &run->ranges[index] : NULL;
    return worker->range != NULL;
}

static int64_t processor_ns(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static stoa_status work_range(stoa_compaction_range *range, stoa_error *err) {
    const int64_t begin = processor_ns();
    const stoa_status status = stoa_compaction_range_work(range, BUDGET_NS, err);
    stoa_compaction_count(&range->job->processor_ns, processor_ns() - begin);
    return status;
}

/* A thread of the scheduler does not wait for the limiter longer than for a moment. */
static void pay(struct run *run) {
    const int64_t debt = stoa_rate_limiter_debt_ns(run->job.options->limiter);
    const struct timespec moment = {.tv_nsec = debt < MOMENT_NS ? debt : MOMENT_NS};
    const int64_t begin = stoa_clock_monotonic_ns();
    (void)nanosleep(&moment, NULL);
    stoa_compaction_count(&run->job.rate_wait_ns, stoa_clock_monotonic_ns() - begin);
}

static stoa_status work(void *user, stoa_error *err) {
    struct worker *worker = user;
    stoa_group *group = &worker->run->group;
    const bool yields = group->sched != NULL;
    while (take_range(worker)) {
        if (yields && stoa_rate_limiter_debt_ns(worker->run->job.options->limiter) > 0) {
            pay(worker->run);
        } else {
            STOA_TRY(work_range(worker->range, err));
        }
        if (yields) {
            stoa_group_spawn_last(group, work, worker);
            break;
        }
    }
    return STOA_OK;
}

static stoa_status work_all(struct run *run, stoa_error *err) {
    const stoa_context *context = &run->job.options->context;
    STOA_TRY(stoa_group_init(&run->group, context->sched, STOA_BACKGROUND, context->cancel, err));
    for (int32_t i = 0; i < run->range_count; i++) {
        run->ranges[i].cancel = stoa_group_cancel(&run->group);
        run->ranges[i].is_alone = run->range_count == 1;
    }
    for (int32_t i = 0; i < run->worker_count; i++) {
        run->workers[i].run = run;
        stoa_group_spawn(&run->group, work, &run->workers[i]);
    }
    return stoa_group_wait(&run->group, err);
}

/* ---- Before and after ------------------------------------------------------------------------ */

/* A file a range, or less where there are threads for more. */
static int32_t ranges_wanted(const stoa_compaction *compaction, int32_t threads) {
    if (compaction->file_bytes == UINT64_MAX) {
        return 1;
    }
    const uint64_t files = (compaction->bytes + compaction->file_bytes - 1) /
                           compaction->file_bytes;
    const uint64_t most = compaction->bytes / (compaction->file_bytes / RANGE_DIVISOR + 1);
    const uint64_t beside = (uint64_t)threads * RANGES_A_THREAD;
    uint64_t count = threads == 1 ? 1 : most < beside ? most : beside;
    count = count > files || threads == 1 ? count : files;
    return count < 1 ? 1 : count > RANGES_MAX ? RANGES_MAX : (int32_t)count;
}

static stoa_status collect_deleted(struct run *run, stoa_error *err) {
    const stoa_compaction *compaction = run->job.compaction;
    run->job.deleted.pool = run->job.pool;
    for (int64_t i = 0; i < compaction->file_count; i++) {
        const stoa_range_set *set = stoa_sst_ranges(compaction->files[i]->sst);
        for (int64_t k = 0; k < set->count; k++) {
            STOA_TRY(stoa_range_set_add(&run->job.deleted, &set->ranges[k], err));
        }
    }
    stoa_range_set_finish(&run->job.deleted);
    return STOA_OK;
}

static stoa_status prepare(struct run *run, stoa_error *err) {
    stoa_compaction_job *job = &run->job;
    const int32_t threads = stoa_sched_threads(job->options->context.sched);
    void *memory = NULL;
    STOA_TRY(collect_deleted(run, err));
    STOA_TRY(stoa_schema_to_arrow(job->pool, job->definition->schema, &job->schema, err));
    const int32_t wanted = ranges_wanted(job->compaction, threads);
    STOA_TRY(
        stoa_pool_allocate_array(job->pool, (size_t)wanted, sizeof *run->ranges, &memory, err));
    run->ranges = memory;
    run->range_capacity = wanted;
    STOA_TRY(stoa_compaction_split(job, wanted, run->ranges, &run->range_count, err));
    const int32_t workers = threads < run->range_count ? threads : run->range_count;
    STOA_TRY(
        stoa_pool_allocate_array(job->pool, (size_t)workers, sizeof *run->workers, &memory, err));
    run->workers = memory;
    run->worker_count = workers;
    return STOA_OK;
}

static void release(struct run *run, bool keep) {
    stoa_pool *pool = run->job.pool;
    for (int32_t i = 0; i < run->range_count; i++) {
        stoa_compaction_range_release(&run->ranges[i], keep);
    }
    stoa_pool_free(pool, run->ranges, (size_t)run->range_capacity * sizeof *run->ranges);
    stoa_pool_free(pool, run->workers, (size_t)run->worker_count * sizeof *run->workers);
    stoa_range_set_release(&run->job.deleted);
    stoa_arrow_schema_release(&run->job.schema);
}

static stoa_status allocate_files(stoa_compaction_result *result, stoa_pool *pool, int64_t count,
                                  stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, (size_t)count, sizeof *result->files, &memory, err));
    result->pool = pool;
    result->files = memory;
    result->file_count = count;
    return STOA_OK;
}

static void describe(const struct run *run, stoa_compaction_figures *out) {
    const stoa_compaction_job *job = &run->job;
    *out = (stoa_compaction_figures){
        .bytes_read = job->compaction->bytes,
        .files_read = job->compaction->file_count,
        .read = atomic_load(&job->read),
        .written = atomic_load(&job->written),
        .superseded = atomic_load(&job->superseded),
        .folded = atomic_load(&job->folded),
        .deletions = atomic_load(&job->deletions),
        .expired = atomic_load(&job->expired),
        .filtered = atomic_load(&job->filtered),
        .range_count = run->range_count,
        .rate_wait_ns = atomic_load(&job->rate_wait_ns),
        .processor_ns = atomic_load(&job->processor_ns),
    };
    for (int32_t i = 0; i < run->range_count; i++) {
        out->rate_wait_ns += stoa_output_rate_wait_ns(run->ranges[i].output);
    }
}

static stoa_status take_files(const struct run *run, stoa_compaction_result *out, stoa_error *err) {
    int64_t count = 0;
    for (int32_t i = 0; i < run->range_count; i++) {
        count += run->ranges[i].file_count;
    }
    STOA_TRY(allocate_files(out, run->job.pool, count, err));
    describe(run, &out->figures);
    out->figures.files_written = count;
    count = 0;
    for (int32_t i = 0; i < run->range_count; i++) {
        const stoa_compaction_range *range = &run->ranges[i];
        for (int64_t k = 0; k < range->file_count; k++) {
            out->files[count++] = stoa_table_file_retain(range->files[k]);
            out->figures.bytes_written += range->files[k]->info.bytes;
        }
    }
    return STOA_OK;
}

/* A file that was cut meanwhile, or whose disk failed, read as zeros. */
static stoa_status check_inputs(const stoa_compaction *compaction, stoa_error *err) {
    for (int64_t i = 0; i < compaction->file_count; i++) {
        STOA_TRY(stoa_sst_check_map(compaction->files[i]->sst, err));
    }
    return STOA_OK;
}

static stoa_status merge_by(const stoa_compaction *compaction,
                            const stoa_compaction_options *options, int64_t stripe_rows,
                            stoa_compaction_result *out, stoa_error *err) {
    struct run run = {.job = {.compaction = compaction,
                              .options = options,
                              .definition = options->definition,
                              .pool = options->context.pool,
                              .stripe_rows = stripe_rows}};
    stoa_status status = STOA_OK;
    STOA_ASSERT(options->snapshot_count > 0);
    const int64_t begin = stoa_clock_monotonic_ns();
    STOA_CHECK(prepare(&run, err));
    STOA_CHECK(work_all(&run, err));
    STOA_CHECK(check_inputs(compaction, err));
    STOA_CHECK(take_files(&run, out, err));
    out->figures.duration_ns = stoa_clock_monotonic_ns() - begin;

done:
    release(&run, status == STOA_OK);
    return status;
}

/* Large rows make small stripes, which are gathered and encoded whole. */
static int64_t choose_stripe_rows(const stoa_compaction *compaction) {
    int64_t rows = 0;
    for (int64_t i = 0; i < compaction->file_count; i++) {
        rows += compaction->files[i]->info.row_count;
    }
    if (rows == 0) {
        return STOA_STRIPE_ROWS;
    }
    const int64_t most = STRIPE_BYTES / (int64_t)(compaction->bytes / (uint64_t)rows + 1);
    return most < 1 ? 1 : most < STOA_STRIPE_ROWS ? most : STOA_STRIPE_ROWS;
}

/* What is larger than the average, or was packed well, may still make more than 2 GiB of a column. One
 * row never does. */
static stoa_status merge(const stoa_compaction *compaction, const stoa_compaction_options *options,
                         stoa_compaction_result *out, stoa_error *err) {
    int64_t rows = choose_stripe_rows(compaction);
    stoa_status status = merge_by(compaction, options, rows, out, err);
    while (status == STOA_LIMIT && rows > 1) {
        rows = rows > STRIPE_ROWS_DIVISOR ? rows / STRIPE_ROWS_DIVISOR : 1;
        status = merge_by(compaction, options, rows, out, err);
    }
    return status;
}

stoa_status stoa_compaction_run(const stoa_compaction *compaction,
                                const stoa_compaction_options *options, stoa_compaction_result *out,
                                stoa_error *err) {
    *out = (stoa_compaction_result){0};
    if (compaction->kind == STOA_COMPACTION_MERGE) {
        return merge(compaction, options, out, err);
    }
    const int64_t moved = compaction->kind == STOA_COMPACTION_MOVE ? compaction->file_count : 0;
    STOA_TRY(allocate_files(out, options->context.pool, moved, err));
    for (int64_t i = 0; i < moved; i++) {
        out->files[i] = stoa_table_file_retain(compaction->files[i]);
    }
    return STOA_OK;
}

void stoa_compaction_result_release(stoa_compaction_result *result) {
    for (int64_t i = 0; i < result->file_count; i++) {
        stoa_table_file_release(result->files[i]);
    }
    stoa_pool_free(result->pool, (void *)result->files,
                   (size_t)result->file_count * sizeof *result->files);
    *result = (stoa_compaction_result){0};
}
