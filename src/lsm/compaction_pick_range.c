/* A range of keys, or all of them, as one sorted run: what the range overlaps on every level, with what
 * these files overlap on the levels below, goes to the last level. */
#include "lsm/compaction_pick_internal.h"

#include "base/bytes.h"

static bool in_range(const stoa_key_range *range, const stoa_table_file *file) {
    const stoa_table_file_info *info = &file->info;
    return range == NULL ||
           (stoa_bytes_compare(info->last_key.data, info->last_key.size, range->from,
                               range->from_size) >= 0 &&
            (range->to_end || stoa_bytes_compare(info->first_key.data, info->first_key.size,
                                                 range->to, range->to_size) < 0));
}

static bool overlaps_chosen(const stoa_pick *pick, const stoa_table_file *file) {
    return pick->first != NULL && !stoa_pick_is_before(file, pick->first) &&
           !stoa_pick_is_before(pick->last, file);
}

/* Files of a level that overlap those chosen above, and (`in_any_case`) all others in the range. From
 * the newest to the oldest, so that each one in level 0 takes all older ones that it overlaps. What a
 * level adds to the keys between first and last holds for the levels below. */
static void choose_level(stoa_pick *pick, const stoa_key_range *range, int32_t level,
                         bool in_any_case) {
    const stoa_level *files = &pick->version->levels[level];
    for (int64_t i = 0; i < files->count; i++) {
        if ((in_any_case && in_range(range, files->files[i])) ||
            overlaps_chosen(pick, files->files[i])) {
            stoa_pick_choose(pick, level, i);
        }
    }
}

/* The last level that has files; 1 where all are in level 0. */
static int32_t last_level(const stoa_pick *pick) {
    int32_t last = 1;
    for (int32_t i = 1; i < STOA_LEVELS; i++) {
        last = pick->version->levels[i].count > 0 ? i : last;
    }
    return last;
}

/* Where all that there is has its place, so that it does not move on right away. */
static int32_t level_for_all(const stoa_pick *pick, int32_t level) {
    uint64_t bytes = 0;
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        bytes += pick->version->levels[i].bytes;
    }
    if (pick->policy->style == STOA_COMPACTION_TIERED) {
        return STOA_LEVELS - 1;
    }
    while (level < STOA_LEVELS - 1 && stoa_pick_target(pick->policy, level) < bytes) {
        level++;
    }
    return level;
}

/* Nothing is chosen above, and a file may be one that was never rewritten where nothing is older. */
static bool may_shrink(const stoa_table_file *file) {
    return file->info.delete_count > 0 || file->info.sequence_max > 0;
}

/* Files of the last level alone: those that have something to leave out, or all. */
static void choose_last(stoa_pick *pick, const stoa_key_range *range, int32_t level, bool always) {
    const stoa_level *files = &pick->version->levels[level];
    int64_t begin = files->count, end = 0;
    for (int64_t i = 0; i < files->count; i++) {
        if (in_range(range, files->files[i]) && (always || may_shrink(files->files[i]))) {
            begin = i < begin ? i : begin;
            end = i + 1;
        }
    }
    if (begin < end) {
        stoa_pick_choose_span(pick, level, (stoa_pick_span){.begin = begin, .end = end});
    }
}

static bool must_wait(const stoa_pick *pick) {
    for (int32_t level = 0; level < STOA_LEVELS; level++) {
        const stoa_level *files = &pick->version->levels[level];
        for (int64_t i = 0; i < files->count; i++) {
            if (pick->chosen[level][i] && stoa_pick_is_busy(files->files[i])) {
                return true;
            }
        }
    }
    return !stoa_pick_is_free(pick, pick->output_level, pick->first, pick->last);
}

bool stoa_pick_range(stoa_pick *pick, const stoa_key_range *range, bool always,
                     bool *out_must_wait) {
    const int32_t last = last_level(pick);
    if (pick->policy->style == STOA_COMPACTION_FIFO) {
        return false;
    }
    pick->kind = STOA_COMPACTION_MERGE;
    pick->reason = STOA_COMPACTION_MANUAL;
    pick->output_level = last;
    for (int32_t level = 0; level < last; level++) {
        choose_level(pick, range, level, true);
    }
    if (pick->first == NULL) {
        choose_last(pick, range, last, always);
    } else {
        choose_level(pick, range, last, always);
        pick->output_level = level_for_all(pick, last);
    }
    *out_must_wait = pick->first != NULL && must_wait(pick);
    return pick->first != NULL && !*out_must_wait;
}
