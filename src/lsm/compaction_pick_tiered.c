/* Tiered: all that is newer is merged less often, at the price of space and of more runs to look into.
 *
 * Sorted runs, the newest first, are the files of level 0 and then the levels below that have files.
 * Once there are enough of them,
 *   - all are merged when those before the oldest have too many bytes beside it: with one version of
 *     each key in the oldest run, that is what old versions may take;
 *   - else the longest sequence of runs, the newest ones first, of which each is not much larger than
 *     those before it together;
 *   - else the newest ones, so that fewer are left than there may be.
 * The result goes to the level above the next older run, or stays in level 0 as one file. */
#include "lsm/compaction_pick_internal.h"

struct sorted_run {
    int32_t level;
    int64_t index; /* in level 0 */
    uint64_t bytes;
    bool is_busy;
};

/* Run `number`, of level 0 or below it. */
static struct sorted_run run_at(const stoa_pick *pick, int64_t number) {
    const stoa_level *levels = pick->version->levels;
    if (number < levels[0].count) {
        const stoa_table_file *file = levels[0].files[number];
        return (struct sorted_run){0, number, file->info.bytes, stoa_pick_is_busy(file)};
    }
    int32_t level = 0;
    for (int64_t left = number - levels[0].count + 1; left > 0;) {
        left -= levels[++level].count > 0;
    }
    struct sorted_run run = {.level = level, .bytes = levels[level].bytes};
    for (int64_t i = 0; i < levels[level].count; i++) {
        run.is_busy = run.is_busy || stoa_pick_is_busy(levels[level].files[i]);
    }
    return run;
}

/* All runs, and those that are not being merged already. */
static int64_t count_runs(const stoa_pick *pick, int64_t *out_idle) {
    int64_t count = pick->version->levels[0].count;
    for (int32_t i = 1; i < STOA_LEVELS; i++) {
        count += pick->version->levels[i].count > 0;
    }
    *out_idle = 0;
    for (int64_t i = 0; i < count; i++) {
        *out_idle += !run_at(pick, i).is_busy;
    }
    return count;
}

static bool percent_of(uint64_t bytes, int32_t percent, uint64_t of) {
    return (double)bytes * 100 > (double)of * percent;
}

/* Where the runs before run `end` go together. */
static int32_t output_level(const stoa_pick *pick, int64_t end, int64_t count) {
    if (end == count) {
        return STOA_LEVELS - 1;
    }
    const int32_t next = run_at(pick, end).level;
    return next > 0 ? next - 1 : 0;
}

/* In level 0 keys may overlap; on another level only ranges that somebody asked for are in the way. */
static bool choose(stoa_pick *pick, int64_t begin, int64_t end, int64_t count,
                   stoa_compaction_reason reason) {
    for (int64_t i = begin; i < end; i++) {
        const struct sorted_run run = run_at(pick, i);
        const stoa_pick_span all = {.end = pick->version->levels[run.level].count};
        if (run.level == 0) {
            stoa_pick_choose(pick, 0, run.index);
        } else {
            stoa_pick_choose_span(pick, run.level, all);
        }
    }
    pick->kind = STOA_COMPACTION_MERGE;
    pick->reason = reason;
    pick->output_level = output_level(pick, end, count);
    pick->file_bytes = pick->output_level == 0 ? UINT64_MAX : pick->policy->file_bytes;
    if (pick->output_level > 0 &&
        !stoa_pick_is_free(pick, pick->output_level, pick->first, pick->last)) {
        stoa_pick_clear(pick);
        return false;
    }
    return true;
}

static bool pick_all(stoa_pick *pick, int64_t count) {
    uint64_t newer = 0;
    if (count > STOA_PICK_RUNS_MAX) {
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        const struct sorted_run run = run_at(pick, i);
        if (run.is_busy) {
            return false;
        }
        newer += i + 1 < count ? run.bytes : 0;
    }
    return percent_of(newer, pick->policy->space_percent, run_at(pick, count - 1).bytes) &&
           choose(pick, 0, count, count, STOA_COMPACTION_SPACE);
}

/* From the newest run that is not busy on: runs that are not much larger than those before them. */
static bool pick_similar(stoa_pick *pick, int64_t count) {
    for (int64_t begin = 0; begin + 1 < count; begin++) {
        struct sorted_run run = run_at(pick, begin);
        uint64_t bytes = run.bytes;
        int64_t end = begin + 1;
        if (run.is_busy) {
            continue;
        }
        for (; end < count && end - begin < STOA_PICK_RUNS_MAX; end++) {
            run = run_at(pick, end);
            if (run.is_busy || percent_of(run.bytes, 100 + pick->policy->similar_percent, bytes)) {
                break;
            }
            bytes += run.bytes;
        }
        if (end - begin > 1 && choose(pick, begin, end, count, STOA_COMPACTION_RUNS_SIMILAR)) {
            return true;
        }
    }
    return false;
}

static bool pick_newest(stoa_pick *pick, int64_t count, int64_t end) {
    for (int64_t i = 0; i < end; i++) {
        if (run_at(pick, i).is_busy) {
            return false;
        }
    }
    return choose(pick, 0, end, count, STOA_COMPACTION_RUNS_MANY);
}

bool stoa_pick_tiered(stoa_pick *pick) {
    int64_t idle;
    const int64_t count = count_runs(pick, &idle);
    pick->score = (double)idle / pick->policy->level0_files;
    if (idle < pick->policy->level0_files || idle < 2) {
        return false;
    }
    int64_t newest = idle - pick->policy->level0_files + 2; /* one less than wanted are left */
    newest = newest < idle ? newest : idle;
    newest = newest < STOA_PICK_RUNS_MAX ? newest : STOA_PICK_RUNS_MAX;
    return pick_all(pick, count) || pick_similar(pick, count) || pick_newest(pick, count, newest);
}
