/* Files that go as they are: those whose rows have all expired, and the oldest ones of a table that may
 * not be larger than so much. A file goes only when nothing older that it hides would come back. */
#include "lsm/compaction_pick_internal.h"

static bool is_expired(const stoa_pick *pick, const stoa_table_file *file) {
    return file->info.expires_ms > 0 && file->info.expires_ms <= pick->policy->now_ms;
}

/* Files are looked at from the oldest on, so what is older is chosen already if it ever is. Of a running
 * compaction the inputs are still there. */
static bool hides_something(const stoa_pick *pick, int32_t level, int64_t index) {
    const stoa_level *levels = pick->version->levels;
    const stoa_table_file *file = levels[level].files[index];
    for (int32_t below = level + 1; below < STOA_LEVELS; below++) {
        const stoa_pick_span span = stoa_pick_span_of(&levels[below], file, file);
        for (int64_t i = span.begin; i < span.end; i++) {
            if (!pick->chosen[below][i]) {
                return true;
            }
        }
    }
    for (int64_t i = index + 1; level == 0 && i < levels[0].count; i++) {
        if (!pick->chosen[0][i] && stoa_pick_overlaps(file, levels[0].files[i])) {
            return true;
        }
    }
    return false;
}

static bool drop(stoa_pick *pick, stoa_compaction_reason reason) {
    pick->kind = STOA_COMPACTION_DROP;
    pick->reason = reason;
    pick->output_level = STOA_LEVELS - 1; /* nothing comes there */
    return pick->first != NULL;
}

bool stoa_pick_expired(stoa_pick *pick) {
    for (int32_t level = STOA_LEVELS - 1; level >= 0; level--) {
        const stoa_level *files = &pick->version->levels[level];
        for (int64_t i = files->count - 1; i >= 0; i--) {
            const stoa_table_file *file = files->files[i];
            if (is_expired(pick, file) && !stoa_pick_is_busy(file) &&
                !hides_something(pick, level, i)) {
                stoa_pick_choose(pick, level, i);
            }
        }
    }
    return drop(pick, STOA_COMPACTION_EXPIRED);
}

bool stoa_pick_fifo(stoa_pick *pick) {
    uint64_t bytes = 0;
    for (int32_t level = 0; level < STOA_LEVELS; level++) {
        bytes += pick->version->levels[level].bytes;
    }
    for (int32_t level = STOA_LEVELS - 1; level >= 0; level--) {
        const stoa_level *files = &pick->version->levels[level];
        for (int64_t i = files->count - 1; i >= 0; i--) {
            if (pick->policy->fifo_bytes == 0 || bytes <= pick->policy->fifo_bytes ||
                stoa_pick_is_busy(files->files[i])) {
                return drop(pick, STOA_COMPACTION_FIFO_BYTES);
            }
            stoa_pick_choose(pick, level, i);
            bytes -= files->files[i]->info.bytes;
        }
    }
    return drop(pick, STOA_COMPACTION_FIFO_BYTES);
}
