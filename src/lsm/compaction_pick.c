/* What all styles of picking share: how needy a version is, what stands in the way, and the compaction
 * that is made of the files chosen. The styles are in the files beside this one. */
#include "lsm/compaction_pick_internal.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "lsm/key_bytes.h"

enum {
    LEVEL0_FILES = 4,
    LEVEL0_SLOW = 20,
    LEVEL0_STOP = 36,
    LEVEL0_PATIENCE = 3,
    LEVEL0_SHARE = 4,
    LEVEL1_MEMTABLES = 10,
    LEVEL_FACTOR = 10,
    SPACE_PERCENT = 200,
    SIMILAR_PERCENT = 100
};
static const uint64_t LEVEL1_BYTES = UINT64_C(256) << 20;
static const uint64_t FILE_BYTES = UINT64_C(64) << 20;

const char *stoa_compaction_reason_name(stoa_compaction_reason reason) {
    static const char *const names[STOA_COMPACTION_REASON_COUNT] = {
        [STOA_COMPACTION_LEVEL0_FILES] = "level 0 files",
        [STOA_COMPACTION_LEVEL_BYTES] = "level bytes",
        [STOA_COMPACTION_RUNS_SIMILAR] = "similar runs",
        [STOA_COMPACTION_RUNS_MANY] = "many runs",
        [STOA_COMPACTION_SPACE] = "space",
        [STOA_COMPACTION_EXPIRED] = "expired",
        [STOA_COMPACTION_FIFO_BYTES] = "fifo bytes",
        [STOA_COMPACTION_DELETIONS] = "deletions",
        [STOA_COMPACTION_MANUAL] = "manual",
    };
    return names[reason];
}

void stoa_compaction_policy_init(stoa_compaction_policy *policy, const stoa_definition *definition,
                                 size_t memtable_bytes) {
    const uint64_t memtables = (uint64_t)memtable_bytes * LEVEL1_MEMTABLES;
    *policy = (stoa_compaction_policy){
        .style = definition->compaction,
        .fifo_bytes = definition->fifo_bytes,
        .has_codec = strcmp(definition->codec, "none") != 0,
        .level0_files = LEVEL0_FILES,
        .level0_slow = LEVEL0_SLOW,
        .level0_stop = LEVEL0_STOP,
        .level1_bytes = memtables > LEVEL1_BYTES ? memtables : LEVEL1_BYTES,
        .level_factor = LEVEL_FACTOR,
        .file_bytes = FILE_BYTES,
        .space_percent = SPACE_PERCENT,
        .similar_percent = SIMILAR_PERCENT,
        .oldest_snapshot = UINT64_MAX,
    };
}

/* ---- Keys of files --------------------------------------------------------------------------- */

static int compare_keys(uint64_t left_prefix, const stoa_buffer *left, uint64_t right_prefix,
                        const stoa_buffer *right) {
    return left_prefix != right_prefix
               ? (left_prefix > right_prefix) - (left_prefix < right_prefix)
               : stoa_bytes_compare(left->data, left->size, right->data, right->size);
}

int stoa_pick_compare_first(const stoa_table_file *left, const stoa_table_file *right) {
    return compare_keys(left->first_prefix, &left->info.first_key, right->first_prefix,
                        &right->info.first_key);
}

int stoa_pick_compare_last(const stoa_table_file *left, const stoa_table_file *right) {
    return compare_keys(left->last_prefix, &left->info.last_key, right->last_prefix,
                        &right->info.last_key);
}

bool stoa_pick_is_before(const stoa_table_file *left, const stoa_table_file *right) {
    return compare_keys(left->last_prefix, &left->info.last_key, right->first_prefix,
                        &right->info.first_key) < 0;
}

stoa_pick_span stoa_pick_span_of(const stoa_level *level, const stoa_table_file *first,
                                 const stoa_table_file *last) {
    stoa_pick_span span = {0};
    span.begin = stoa_level_find(level, first->info.first_key.data, first->info.first_key.size);
    span.end = span.begin;
    while (span.end < level->count && !stoa_pick_is_before(last, level->files[span.end])) {
        const stoa_table_file *file = level->files[span.end++];
        span.bytes += file->info.bytes;
        span.is_busy = span.is_busy || stoa_pick_is_busy(file);
    }
    return span;
}

/* ---- Choosing -------------------------------------------------------------------------------- */

void stoa_pick_choose(stoa_pick *pick, int32_t level, int64_t index) {
    const stoa_table_file *file = pick->version->levels[level].files[index];
    pick->chosen[level][index] = 1;
    if (pick->first == NULL || stoa_pick_compare_first(file, pick->first) < 0) {
        pick->first = file;
    }
    if (pick->last == NULL || stoa_pick_compare_last(file, pick->last) > 0) {
        pick->last = file;
    }
}

void stoa_pick_choose_span(stoa_pick *pick, int32_t level, stoa_pick_span span) {
    for (int64_t i = span.begin; i < span.end; i++) {
        stoa_pick_choose(pick, level, i);
    }
}

void stoa_pick_clear(stoa_pick *pick) {
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        memset(pick->chosen[i], 0, (size_t)pick->version->levels[i].count);
    }
    pick->first = pick->last = NULL;
}

bool stoa_pick_is_free(const stoa_pick *pick, int32_t level, const stoa_table_file *first,
                       const stoa_table_file *last) {
    for (const stoa_compaction *other = pick->running->first; other != NULL; other = other->after) {
        if (other->output_level == level && !stoa_pick_is_before(last, other->first) &&
            !stoa_pick_is_before(other->last, first)) {
            return false;
        }
    }
    return true;
}

uint64_t stoa_pick_target(const stoa_compaction_policy *policy, int32_t level) {
    uint64_t bytes = policy->level1_bytes;
    for (int32_t i = 1; i < level; i++) {
        bytes = bytes > UINT64_MAX / (uint64_t)policy->level_factor
                    ? UINT64_MAX
                    : bytes * (uint64_t)policy->level_factor;
    }
    return bytes;
}

/* ---- Need ------------------------------------------------------------------------------------ */

/* What is being compacted already is not counted again. */
static uint64_t idle_bytes(const stoa_level *level) {
    uint64_t bytes = 0;
    for (int64_t i = 0; i < level->count; i++) {
        bytes += stoa_pick_is_busy(level->files[i]) ? 0 : level->files[i]->info.bytes;
    }
    return bytes;
}

static int64_t idle_files(const stoa_level *level) {
    int64_t count = 0;
    for (int64_t i = 0; i < level->count; i++) {
        count += !stoa_pick_is_busy(level->files[i]);
    }
    return count;
}

/* A merge of level 0 writes what it overlaps in level 1 too, mostly all of it. So where level 1 is large
 * the merge waits for more files, up to LEVEL0_PATIENCE times as many. */
static double level0_wanted(const stoa_version *version, const stoa_compaction_policy *policy) {
    const stoa_level *levels = version->levels;
    const double most = (double)policy->level0_files * LEVEL0_PATIENCE;
    const double share = (double)levels[1].bytes / LEVEL0_SHARE;
    const double files = levels[0].bytes == 0
                             ? 0
                             : share * (double)levels[0].count / (double)levels[0].bytes;
    return files < policy->level0_files ? policy->level0_files : files < most ? files : most;
}

static void need_of_levels(const stoa_version *version, const stoa_compaction_policy *policy,
                           stoa_compaction_need *out) {
    for (int32_t i = 1; i < STOA_LEVELS - 1; i++) {
        const uint64_t target = stoa_pick_target(policy, i);
        const uint64_t bytes = idle_bytes(&version->levels[i]);
        out->scores[i] = (double)bytes / (double)target;
        out->due_bytes += bytes > target ? bytes - target : 0;
    }
}

void stoa_compaction_need_of(const stoa_version *version, const stoa_compaction_policy *policy,
                             stoa_compaction_need *out) {
    *out = (stoa_compaction_need){.run_count = version->levels[0].count};
    int64_t idle = idle_files(&version->levels[0]);
    for (int32_t i = 1; i < STOA_LEVELS; i++) {
        const int64_t is_run = version->levels[i].count > 0;
        out->run_count += is_run;
        idle += policy->style == STOA_COMPACTION_TIERED ? is_run : 0;
    }
    if (policy->style == STOA_COMPACTION_FIFO) {
        return;
    }
    const bool is_leveled = policy->style == STOA_COMPACTION_LEVELED;
    out->scores[0] = (double)idle /
                     (is_leveled ? level0_wanted(version, policy) : policy->level0_files);
    out->due_bytes = out->scores[0] >= 1 ? idle_bytes(&version->levels[0]) : 0;
    if (is_leveled) {
        need_of_levels(version, policy, out);
    }
    for (int32_t i = 1; i < STOA_LEVELS; i++) {
        out->level = out->scores[i] > out->scores[out->level] ? i : out->level;
    }
    const int64_t waiting = version->levels[0].count;
    out->pace = waiting >= policy->level0_stop   ? STOA_COMPACTION_STOP
                : waiting >= policy->level0_slow ? STOA_COMPACTION_SLOW
                                                 : STOA_COMPACTION_FREE;
}

/* ---- The compaction -------------------------------------------------------------------------- */

static int64_t run_count_max(const stoa_version *version) {
    return version->levels[0].count + STOA_LEVELS;
}

static stoa_status create(stoa_pool *pool, const stoa_pick *pick, stoa_compaction **out,
                          stoa_error *err) {
    int64_t count = 0;
    void *memory = NULL;
    stoa_status status = STOA_OK;
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        for (int64_t k = 0; k < pick->version->levels[i].count; k++) {
            count += pick->chosen[i][k];
        }
    }
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_compaction), &memory, err));
    stoa_compaction *compaction = memory;
    compaction->pool = pool;
    compaction->file_count = count;
    STOA_CHECK(
        stoa_pool_allocate_array(pool, (size_t)count, sizeof *compaction->files, &memory, err));
    compaction->files = memory;
    const size_t runs = 2 * (size_t)run_count_max(pick->version);
    STOA_CHECK(stoa_pool_allocate_array(pool, runs, sizeof *compaction->inputs, &memory, err));
    compaction->inputs = memory;
    compaction->older = compaction->inputs + runs / 2;
    compaction->version = stoa_version_retain(pick->version);

done:
    if (status != STOA_OK) {
        stoa_pool_free(pool, (void *)compaction->files, (size_t)count * sizeof *compaction->files);
        stoa_pool_free(pool, compaction, sizeof *compaction);
        return status;
    }
    *out = compaction;
    return STOA_OK;
}

/* Files of a level follow each other in a merge, and are one run but for level 0. */
static void add_inputs(stoa_compaction *compaction, const stoa_pick *pick, int32_t level) {
    const stoa_level *files = &pick->version->levels[level];
    stoa_run *run = NULL;
    for (int64_t i = 0; i < files->count; i++) {
        if (!pick->chosen[level][i]) {
            continue;
        }
        if (compaction->kind == STOA_COMPACTION_MERGE && (run == NULL || level == 0)) {
            run = &compaction->inputs[compaction->input_count++];
            *run = (stoa_run){.files = &files->files[i]};
        }
        if (run != NULL) {
            STOA_ASSERT(files->files[i] == run->files[run->file_count]);
            run->file_count++;
        }
        compaction->files[compaction->file_count++] = files->files[i];
        compaction->bytes += files->files[i]->info.bytes;
    }
}

static void add_older(stoa_compaction *compaction, stoa_table_file *const *files, int64_t count) {
    if (count > 0) {
        compaction->older[compaction->older_count++] = (stoa_run){.files = files,
                                                                  .file_count = count};
    }
}

/* Older than all inputs are the levels below the output, and where that is level 0 the files behind
 * the last one chosen: every way to choose has seen to it that nothing else overlaps the inputs and is
 * older than one of them. */
static void list_older(stoa_compaction *compaction, const stoa_pick *pick) {
    const stoa_level *level0 = &pick->version->levels[0];
    int64_t behind = 0;
    for (int64_t i = 0; compaction->output_level == 0 && i < level0->count; i++) {
        behind = pick->chosen[0][i] ? i + 1 : behind;
    }
    for (int64_t i = behind; compaction->output_level == 0 && i < level0->count; i++) {
        add_older(compaction, &level0->files[i], 1);
    }
    for (int32_t i = compaction->output_level + 1; i < STOA_LEVELS; i++) {
        const stoa_level *level = &pick->version->levels[i];
        const stoa_pick_span span = stoa_pick_span_of(level, compaction->first, compaction->last);
        add_older(compaction, level->files + span.begin, span.end - span.begin);
    }
}

static void fill(stoa_compaction *compaction, const stoa_pick *pick) {
    compaction->kind = pick->kind;
    compaction->reason = pick->reason;
    compaction->score = pick->score;
    compaction->output_level = pick->output_level;
    compaction->file_bytes = pick->file_bytes;
    compaction->first = pick->first;
    compaction->last = pick->last;
    compaction->start_level = -1;
    compaction->file_count = 0;
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        add_inputs(compaction, pick, i);
        if (compaction->start_level < 0 && compaction->file_count > 0) {
            compaction->start_level = i;
        }
    }
    list_older(compaction, pick);
}

static void begin(stoa_compaction *compaction, stoa_compactions *running) {
    for (int64_t i = 0; i < compaction->file_count; i++) {
        STOA_ASSERT(!stoa_pick_is_busy(compaction->files[i]));
        atomic_store_explicit(&compaction->files[i]->is_compacting, true, memory_order_relaxed);
    }
    compaction->running = running;
    compaction->after = running->first;
    if (running->first != NULL) {
        running->first->before = compaction;
    }
    running->first = compaction;
    running->count++;
}

void stoa_compaction_close(stoa_compaction *compaction) {
    if (compaction == NULL) {
        return;
    }
    for (int64_t i = 0; i < compaction->file_count; i++) {
        atomic_store_explicit(&compaction->files[i]->is_compacting, false, memory_order_relaxed);
    }
    stoa_compactions *running = compaction->running;
    *(compaction->before != NULL ? &compaction->before->after
                                 : &running->first) = compaction->after;
    if (compaction->after != NULL) {
        compaction->after->before = compaction->before;
    }
    running->count--;
    stoa_pool *pool = compaction->pool;
    stoa_pool_free(pool, compaction->inputs,
                   2 * (size_t)run_count_max(compaction->version) * sizeof *compaction->inputs);
    stoa_pool_free(pool, (void *)compaction->files,
                   (size_t)compaction->file_count * sizeof *compaction->files);
    stoa_version_release(compaction->version);
    stoa_pool_free(pool, compaction, sizeof *compaction);
}

/* ---- Picking --------------------------------------------------------------------------------- */

static stoa_status init(stoa_pick *pick, stoa_pool *pool, stoa_version *version,
                        const stoa_compaction_policy *policy, const stoa_compactions *running,
                        stoa_error *err) {
    void *memory = NULL;
    *pick = (stoa_pick){.version = version,
                        .policy = policy,
                        .running = running,
                        .file_bytes = policy->file_bytes};
    stoa_arena_init(&pick->arena, pool);
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        STOA_TRY(stoa_arena_allocate(&pick->arena, (size_t)version->levels[i].count, &memory, err));
        pick->chosen[i] = memory;
    }
    STOA_TRY(stoa_arena_allocate_array(&pick->arena, (size_t)version->levels[0].count,
                                       sizeof *pick->level0_order, &memory, err));
    pick->level0_order = memory;
    return STOA_OK;
}

static bool pick_by_style(stoa_pick *pick) {
    stoa_compaction_need need;
    if (stoa_pick_expired(pick)) {
        return true;
    }
    stoa_compaction_need_of(pick->version, pick->policy, &need);
    switch (pick->policy->style) {
    case STOA_COMPACTION_FIFO: return stoa_pick_fifo(pick);
    case STOA_COMPACTION_TIERED: return stoa_pick_tiered(pick);
    case STOA_COMPACTION_LEVELED: break;
    }
    return stoa_pick_leveled(pick, &need) || stoa_pick_deletions(pick);
}

static stoa_status finish(stoa_pool *pool, const stoa_pick *pick, stoa_compactions *running,
                          stoa_compaction **out, stoa_error *err) {
    STOA_TRY(create(pool, pick, out, err));
    fill(*out, pick);
    begin(*out, running);
    return STOA_OK;
}

stoa_status stoa_compaction_pick(stoa_pool *pool, stoa_version *version,
                                 const stoa_compaction_policy *policy, stoa_compactions *running,
                                 stoa_compaction **out, stoa_error *err) {
    stoa_pick pick;
    *out = NULL;
    stoa_status status = init(&pick, pool, version, policy, running, err);
    if (status == STOA_OK && pick_by_style(&pick)) {
        status = finish(pool, &pick, running, out, err);
    }
    stoa_arena_release(&pick.arena);
    return status;
}

stoa_status stoa_compaction_pick_range(stoa_pool *pool, stoa_version *version,
                                       const stoa_compaction_policy *policy,
                                       const stoa_key_range *range, bool always,
                                       stoa_compactions *running, stoa_compaction **out,
                                       bool *out_must_wait, stoa_error *err) {
    stoa_pick pick;
    *out = NULL;
    *out_must_wait = false;
    stoa_status status = init(&pick, pool, version, policy, running, err);
    if (status == STOA_OK && stoa_pick_range(&pick, range, always, out_must_wait)) {
        status = finish(pool, &pick, running, out, err);
    }
    stoa_arena_release(&pick.arena);
    return status;
}

/* ---- Questions ------------------------------------------------------------------------------- */

bool stoa_compaction_has_older(const stoa_compaction *compaction, const uint8_t *key, size_t size) {
    return stoa_compaction_has_older_between(compaction, key, size, key, size);
}

bool stoa_compaction_has_older_between(const stoa_compaction *compaction, const uint8_t *first,
                                       size_t first_size, const uint8_t *last, size_t last_size) {
    for (int32_t i = 0; i < compaction->older_count; i++) {
        const stoa_run *run = &compaction->older[i];
        const stoa_level level = {(stoa_table_file **)(uintptr_t)run->files, run->file_count, 0};
        const int64_t at = stoa_level_find(&level, first, first_size);
        if (at < level.count) {
            const stoa_buffer *key = &level.files[at]->info.first_key;
            if (stoa_bytes_compare(key->data, key->size, last, last_size) <= 0) {
                return true;
            }
        }
    }
    return false;
}

stoa_status stoa_compaction_print(const stoa_compaction *compaction, stoa_buffer *out,
                                  stoa_error *err) {
    static const char *const kinds[] = {"merge", "move", "drop"};
    STOA_TRY(stoa_buffer_append_format(out, err, "%s of %" PRId64 " file%s, %.1f MiB",
                                       kinds[compaction->kind], compaction->file_count,
                                       compaction->file_count == 1 ? "" : "s",
                                       (double)compaction->bytes / (1 << 20)));
    STOA_TRY(stoa_buffer_append_format(out, err, ", level %" PRId32, compaction->start_level));
    if (compaction->kind != STOA_COMPACTION_DROP) {
        STOA_TRY(stoa_buffer_append_format(out, err, " to %" PRId32, compaction->output_level));
    }
    STOA_TRY(stoa_buffer_append_format(out, err, ": %s",
                                       stoa_compaction_reason_name(compaction->reason)));
    return compaction->score > 0
               ? stoa_buffer_append_format(out, err, ", score %.2f", compaction->score)
               : STOA_OK;
}
