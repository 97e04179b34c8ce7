/* Leveled: the neediest level first.
 *
 * Level 0. Files that overlap none of the level, nor of level 1, move there, unless they are to be
 * compressed there. Otherwise those that overlap each other, directly or through others, are merged
 * together, and with what they overlap in level 1. While a file is being merged, newer ones that overlap
 * it wait.
 *
 * Levels below. The file goes that costs the least: bytes that it overlaps on the next level for each
 * of its own, where files full of deletions count for more. It takes its neighbours with it as long as
 * that costs nothing on the next level. */
#include <stdlib.h>

#include "lsm/compaction_pick_internal.h"

enum { MOVE_DIVISOR = 8, NEIGHBOUR_FILES_MAX = 16 };

/* ---- Level 0 --------------------------------------------------------------------------------- */

static int compare_first(const void *left, const void *right) {
    return stoa_pick_compare_first(*(stoa_table_file *const *)left,
                                   *(stoa_table_file *const *)right);
}

/* Files of one level that overlap each other, in the order of their first keys: [begin, end). */
static int64_t group_end(stoa_table_file *const *order, int64_t begin, int64_t count,
                         const stoa_table_file **out_last) {
    const stoa_table_file *last = order[begin];
    int64_t end = begin + 1;
    for (; end < count && !stoa_pick_is_before(last, order[end]); end++) {
        last = stoa_pick_compare_last(order[end], last) > 0 ? order[end] : last;
    }
    *out_last = last;
    return end;
}

static void choose_file(stoa_pick *pick, const stoa_table_file *file) {
    const stoa_level *level = &pick->version->levels[0];
    for (int64_t i = 0; i < level->count; i++) {
        if (level->files[i] == file) {
            stoa_pick_choose(pick, 0, i);
            return;
        }
    }
}

/* Whether a file would stand on the last level as it is, without the codec that it has there. */
static bool lacks_codec(const stoa_pick *pick, const stoa_table_file *file, int32_t level) {
    return pick->policy->has_codec && stoa_version_is_last_level(pick->version, level) &&
           stoa_sst_codec(file->sst) == STOA_COMPRESSION_NONE;
}

/* Small files are merged all the same: moved they would stay as many as they are. */
static bool pick_level0_moves(stoa_pick *pick) {
    const stoa_level *levels = pick->version->levels;
    const stoa_table_file *last;
    for (int64_t i = 0; i < levels[0].count; i++) {
        pick->level0_order[i] = levels[0].files[i];
    }
    qsort((void *)pick->level0_order, (size_t)levels[0].count, sizeof *pick->level0_order,
          compare_first);
    for (int64_t begin = 0, end; begin < levels[0].count; begin = end) {
        const stoa_table_file *file = pick->level0_order[begin];
        end = group_end(pick->level0_order, begin, levels[0].count, &last);
        const stoa_pick_span below = stoa_pick_span_of(&levels[1], file, file);
        if (end - begin == 1 && !stoa_pick_is_busy(file) && below.begin == below.end &&
            file->info.bytes >= pick->policy->file_bytes / MOVE_DIVISOR &&
            !lacks_codec(pick, file, 1) && stoa_pick_is_free(pick, 1, file, file)) {
            choose_file(pick, file);
        }
    }
    pick->kind = STOA_COMPACTION_MOVE;
    return pick->first != NULL;
}

/* Files that are not busy, nor overlap an older one that has to stay, into level0_order. */
static int64_t list_ready(stoa_pick *pick) {
    const stoa_level *level = &pick->version->levels[0];
    int64_t ready = 0, stays = level->count; /* from the end of the list on: those that stay */
    for (int64_t i = level->count - 1; i >= 0; i--) {
        stoa_table_file *file = level->files[i];
        bool is_ready = !stoa_pick_is_busy(file);
        for (int64_t k = stays; k < level->count && is_ready; k++) {
            is_ready = !stoa_pick_overlaps(file, pick->level0_order[k]);
        }
        pick->level0_order[is_ready ? ready++ : --stays] = file;
    }
    return ready;
}

/* Of very many files the newest are left for later. */
static void keep_oldest(stoa_pick *pick, int64_t chosen) {
    for (int64_t i = 0; chosen > STOA_PICK_RUNS_MAX; i++) {
        chosen -= pick->chosen[0][i];
        pick->chosen[0][i] = 0;
    }
}

static bool pick_level0_merge(stoa_pick *pick) {
    const stoa_level *level1 = &pick->version->levels[1];
    const int64_t count = list_ready(pick);
    int64_t best = 0, best_end = 0;
    const stoa_table_file *last, *best_last = NULL;
    if (count > 0) {
        qsort((void *)pick->level0_order, (size_t)count, sizeof *pick->level0_order, compare_first);
    }
    for (int64_t begin = 0, end; begin < count; begin = end) {
        end = group_end(pick->level0_order, begin, count, &last);
        const stoa_table_file *first = pick->level0_order[begin];
        if (end - begin > best_end - best && !stoa_pick_span_of(level1, first, last).is_busy &&
            stoa_pick_is_free(pick, 1, first, last)) {
            best = begin;
            best_end = end;
            best_last = last;
        }
    }
    if (best == best_end) {
        return false;
    }
    const stoa_pick_span span = stoa_pick_span_of(level1, pick->level0_order[best], best_last);
    for (int64_t i = best; i < best_end; i++) {
        choose_file(pick, pick->level0_order[i]);
    }
    keep_oldest(pick, best_end - best);
    stoa_pick_choose_span(pick, 1, span);
    pick->kind = STOA_COMPACTION_MERGE;
    return true;
}

/* ---- Levels below ---------------------------------------------------------------------------- */

/* A file counts for more by what is deleted in it, as that frees space below. */
static double weight_of(const stoa_table_file *file) {
    const int64_t rows = file->info.row_count > 0 ? file->info.row_count : 1;
    return (double)file->info.bytes * (1 + 2 * (double)file->info.delete_count / (double)rows);
}

/* The one that is cheapest to merge down; -1: none can be now. */
static int64_t find_cheapest(const stoa_pick *pick, int32_t level) {
    const stoa_level *levels = pick->version->levels;
    double least = 0;
    int64_t found = -1;
    for (int64_t i = 0; i < levels[level].count; i++) {
        const stoa_table_file *file = levels[level].files[i];
        if (stoa_pick_is_busy(file)) {
            continue;
        }
        const stoa_pick_span below = stoa_pick_span_of(&levels[level + 1], file, file);
        const double cost = (double)below.bytes / weight_of(file);
        if ((found < 0 || cost < least) && !below.is_busy &&
            stoa_pick_is_free(pick, level + 1, file, file)) {
            least = cost;
            found = i;
        }
    }
    return found;
}

static bool same_span(const stoa_pick_span *left, const stoa_pick_span *right) {
    return left->begin == right->begin && left->end == right->end;
}

/* Neighbours that overlap nothing below that is not taken anyway. */
static stoa_pick_span widen(const stoa_pick *pick, int32_t level, int64_t index,
                            const stoa_pick_span *below) {
    const stoa_level *files = &pick->version->levels[level];
    const stoa_level *next = &pick->version->levels[level + 1];
    stoa_pick_span span = {index, index + 1, 0, false};
    for (int step = 0; step < 2; step++) {
        int64_t at = step == 0 ? index - 1 : index + 1;
        for (; at >= 0 && at < files->count; at += step == 0 ? -1 : 1) {
            const stoa_table_file *first = files->files[at < span.begin ? at : span.begin];
            const stoa_table_file *last = files->files[at < span.end ? span.end - 1 : at];
            const stoa_pick_span wider = stoa_pick_span_of(next, first, last);
            if (span.end - span.begin == NEIGHBOUR_FILES_MAX ||
                stoa_pick_is_busy(files->files[at]) || !same_span(&wider, below) ||
                !stoa_pick_is_free(pick, level + 1, first, last)) {
                break;
            }
            span.begin = at < span.begin ? at : span.begin;
            span.end = at < span.end ? span.end : at + 1;
        }
    }
    return span;
}

static void choose_down(stoa_pick *pick, int32_t level, int64_t index) {
    const stoa_level *levels = pick->version->levels;
    const stoa_table_file *file = levels[level].files[index];
    const stoa_pick_span below = stoa_pick_span_of(&levels[level + 1], file, file);
    pick->output_level = level + 1;
    if (below.begin == below.end && !lacks_codec(pick, file, level + 1)) {
        pick->kind = STOA_COMPACTION_MOVE;
        stoa_pick_choose(pick, level, index);
        return;
    }
    pick->kind = STOA_COMPACTION_MERGE;
    stoa_pick_choose_span(pick, level, widen(pick, level, index, &below));
    stoa_pick_choose_span(pick, level + 1, below);
}

static bool pick_level(stoa_pick *pick, int32_t level) {
    if (level == 0) {
        pick->output_level = 1;
        pick->reason = STOA_COMPACTION_LEVEL0_FILES;
        return pick_level0_moves(pick) || pick_level0_merge(pick);
    }
    const int64_t index = find_cheapest(pick, level);
    if (index >= 0) {
        pick->reason = STOA_COMPACTION_LEVEL_BYTES;
        choose_down(pick, level, index);
    }
    return index >= 0;
}

bool stoa_pick_leveled(stoa_pick *pick, const stoa_compaction_need *need) {
    double scores[STOA_LEVELS];
    memcpy(scores, need->scores, sizeof scores);
    for (;;) {
        int32_t level = 0;
        for (int32_t i = 1; i < STOA_LEVELS - 1; i++) {
            level = scores[i] > scores[level] ? i : level;
        }
        if (scores[level] < 1) {
            return false;
        }
        pick->score = scores[level];
        if (pick_level(pick, level)) {
            return true;
        }
        scores[level] = 0;
    }
}

/* ---- Deletions ------------------------------------------------------------------------------- */

static bool overlaps_below(const stoa_pick *pick, int32_t level, const stoa_table_file *file) {
    for (int32_t i = level + 1; i < STOA_LEVELS; i++) {
        const stoa_pick_span span = stoa_pick_span_of(&pick->version->levels[i], file, file);
        if (span.begin < span.end) {
            return true;
        }
    }
    return false;
}

/* Where nothing older lies below, deletions go when the file is written anew, unless a snapshot needs
 * them; elsewhere they get there by going down. */
static bool choose_deleted(stoa_pick *pick, int32_t level, int64_t index) {
    const stoa_level *levels = pick->version->levels;
    const stoa_table_file *file = levels[level].files[index];
    if (overlaps_below(pick, level, file)) {
        const stoa_pick_span next = stoa_pick_span_of(&levels[level + 1], file, file);
        if (next.is_busy || !stoa_pick_is_free(pick, level + 1, file, file)) {
            return false;
        }
        choose_down(pick, level, index);
        return true;
    }
    if (file->info.sequence_max > pick->policy->oldest_snapshot ||
        !stoa_pick_is_free(pick, level, file, file)) {
        return false;
    }
    stoa_pick_choose(pick, level, index);
    pick->output_level = level;
    pick->kind = STOA_COMPACTION_MERGE;
    return true;
}

bool stoa_pick_deletions(stoa_pick *pick) {
    pick->reason = STOA_COMPACTION_DELETIONS;
    pick->score = 0;
    for (int32_t level = 1; level < STOA_LEVELS; level++) {
        const stoa_level *files = &pick->version->levels[level];
        for (int64_t i = 0; i < files->count; i++) {
            const stoa_table_file_info *info = &files->files[i]->info;
            if (info->delete_count > 0 && 2 * info->delete_count >= info->row_count &&
                !stoa_pick_is_busy(files->files[i]) && choose_deleted(pick, level, i)) {
                return true;
            }
        }
    }
    return false;
}
