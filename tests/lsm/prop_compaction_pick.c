/* Picking, over random histories of a table of files: files are flushed, compactions picked, several of
 * them under way at the same time, and ended in any order. Files hold keys of one byte here, and a
 * compaction is done as its contract says. After every step each key has its newest version, or none if
 * that is a deletion or has expired; the version's levels hold together; nobody shares a file. */
#include "lsm/compaction_pick.h"
#include "support.h"

enum { KEYS = 40, FILES_MAX = 4096, RUNNING_MAX = 5, STEPS = 300, ROUNDS = 1200, NEVER = 0 };

/* The newest version of a key in a file; sequence 0: none. */
struct row {
    uint64_t sequence;
    bool is_deletion;
    int64_t expires_ms; /* NEVER: 0 */
};

struct world {
    support_random *random;
    stoa_pool *pool;
    stoa_compaction_policy policy;
    stoa_version *version;
    stoa_compactions running;
    stoa_compaction *under_way[RUNNING_MAX];
    int under_way_count;
    uint64_t number;
    uint64_t sequence;
    struct row truth[KEYS];
    struct row files[FILES_MAX][KEYS]; /* by number */
    int64_t reasons[STOA_COMPACTION_REASON_COUNT];
    int64_t kinds[3];
};

static stoa_table_file *make_file(struct world *world, int32_t level, const struct row *rows) {
    stoa_table_file_info info = {.number = ++world->number, .level = level};
    stoa_table_file *file;
    stoa_error err;
    stoa_buffer_init(&info.first_key, world->pool);
    stoa_buffer_init(&info.last_key, world->pool);
    assert_true(info.number < FILES_MAX);
    memcpy(world->files[info.number], rows, sizeof world->files[0]);
    bool all_expire = true;
    for (int i = 0; i < KEYS; i++) {
        if (rows[i].sequence == 0) {
            continue;
        }
        const uint8_t key = (uint8_t)i;
        if (info.row_count++ == 0) {
            assert_ok(stoa_buffer_append_byte(&info.first_key, key, &err), err);
            info.sequence_min = rows[i].sequence;
        }
        stoa_buffer_clear(&info.last_key);
        assert_ok(stoa_buffer_append_byte(&info.last_key, key, &err), err);
        info.bytes += 10;
        info.delete_count += rows[i].is_deletion;
        info.sequence_max = rows[i].sequence > info.sequence_max ? rows[i].sequence
                                                                 : info.sequence_max;
        all_expire = all_expire && rows[i].expires_ms != NEVER;
        info.expires_ms = rows[i].expires_ms > info.expires_ms ? rows[i].expires_ms
                                                               : info.expires_ms;
    }
    info.expires_ms = all_expire ? info.expires_ms : NEVER;
    assert_ok(stoa_table_file_create(world->pool, NULL, "test:/f", &info, NULL, &file, &err), err);
    return file;
}

static void apply(struct world *world, const uint64_t *removed, int64_t removed_count,
                  stoa_table_file *const *added, int64_t added_count) {
    stoa_version *next;
    stoa_error err;
    assert_ok(stoa_version_apply(world->version, removed, removed_count, added, added_count, &next,
                                 &err),
              err);
    stoa_version_release(world->version);
    world->version = next;
}

/* ---- What happens to the table --------------------------------------------------------------- */

static void flush(struct world *world) {
    support_random *random = world->random;
    struct row rows[KEYS] = {0};
    const int first = (int)support_random_below(random, KEYS);
    const int count = 1 + (int)support_random_below(random, support_random_bool(random) ? 5 : KEYS);
    const int percent = (int)support_random_below(random, 3) * 45 + 10;
    const bool expires = support_random_below(random, 4) == 0;
    bool any = false;
    for (int i = first; i < KEYS && i < first + count; i++) {
        if (support_random_below(random, 100) < (uint64_t)percent || (!any && i == first)) {
            rows[i].sequence = ++world->sequence;
            rows[i].is_deletion = support_random_below(random, 4) == 0;
            rows[i].expires_ms = expires && !rows[i].is_deletion
                                     ? world->policy.now_ms + 1 +
                                           (int64_t)support_random_below(random, 40)
                                     : NEVER;
            world->truth[i] = rows[i];
            any = true;
        }
    }
    stoa_table_file *file = make_file(world, 0, rows);
    apply(world, NULL, 0, &file, 1);
    stoa_table_file_release(file);
}

static bool is_gone(const struct world *world, const struct row *row) {
    return row->sequence == 0 || row->is_deletion ||
           (row->expires_ms != NEVER && row->expires_ms <= world->policy.now_ms);
}

/* The newest rows of the inputs; deletions only where something older may be. */
static void merge_rows(struct world *world, const stoa_compaction *compaction, struct row *rows) {
    for (int32_t r = 0; r < compaction->input_count; r++) {
        const stoa_run *run = &compaction->inputs[r];
        for (int64_t f = 0; f < run->file_count; f++) {
            const struct row *input = world->files[run->files[f]->info.number];
            for (int i = 0; i < KEYS; i++) {
                if (rows[i].sequence == 0 && input[i].sequence != 0) {
                    rows[i] = input[i]; /* inputs are in order: it is the newest */
                }
                assert_true(rows[i].sequence >= input[i].sequence);
            }
        }
    }
    for (int i = 0; i < KEYS; i++) {
        const uint8_t key = (uint8_t)i;
        if (rows[i].sequence != 0 && is_gone(world, &rows[i])) {
            rows[i].is_deletion = true;
            rows[i].expires_ms = NEVER;
            if (!stoa_compaction_has_older(compaction, &key, 1)) {
                rows[i] = (struct row){0};
            }
        }
    }
}

static void end_merge(struct world *world, const stoa_compaction *compaction,
                      const uint64_t *removed) {
    struct row rows[KEYS] = {0};
    stoa_table_file *added[KEYS];
    int64_t added_count = 0;
    merge_rows(world, compaction, rows);
    for (int i = 0; i < KEYS;) {
        struct row part[KEYS] = {0};
        uint64_t bytes = 0;
        for (; i < KEYS && bytes < compaction->file_bytes; i++) {
            part[i] = rows[i];
            bytes += rows[i].sequence != 0 ? 10 : 0;
        }
        if (bytes > 0) {
            added[added_count++] = make_file(world, compaction->output_level, part);
        }
    }
    assert_true(compaction->file_bytes < UINT64_MAX || added_count <= 1);
    apply(world, removed, compaction->file_count, added, added_count);
    for (int64_t i = 0; i < added_count; i++) {
        stoa_table_file_release(added[i]);
    }
}

static void end_move(struct world *world, const stoa_compaction *compaction,
                     const uint64_t *removed) {
    stoa_table_file *added[FILES_MAX];
    for (int64_t i = 0; i < compaction->file_count; i++) {
        added[i] = make_file(world, compaction->output_level,
                             world->files[compaction->files[i]->info.number]);
    }
    apply(world, removed, compaction->file_count, added, compaction->file_count);
    for (int64_t i = 0; i < compaction->file_count; i++) {
        stoa_table_file_release(added[i]);
    }
}

static void end_one(struct world *world) {
    const int at = (int)support_random_below(world->random, (uint64_t)world->under_way_count);
    stoa_compaction *compaction = world->under_way[at];
    uint64_t removed[FILES_MAX];
    world->under_way[at] = world->under_way[--world->under_way_count];
    for (int64_t i = 0; i < compaction->file_count; i++) {
        removed[i] = compaction->files[i]->info.number;
    }
    if (support_random_below(world->random, 10) == 0) { /* it failed */
    } else if (compaction->kind == STOA_COMPACTION_MERGE) {
        end_merge(world, compaction, removed);
    } else if (compaction->kind == STOA_COMPACTION_MOVE) {
        end_move(world, compaction, removed);
    } else {
        /* What a FIFO drops is no longer known of. */
        for (int64_t f = 0;
             compaction->reason == STOA_COMPACTION_FIFO_BYTES && f < compaction->file_count; f++) {
            for (int i = 0; i < KEYS; i++) {
                if (world->truth[i].sequence == world->files[removed[f]][i].sequence) {
                    world->truth[i] = (struct row){0};
                }
            }
        }
        apply(world, removed, compaction->file_count, NULL, 0);
    }
    stoa_compaction_close(compaction);
}

static void take(struct world *world, stoa_compaction *compaction) {
    stoa_buffer text;
    stoa_error err;
    const char *printed;
    uint64_t bytes = 0;
    world->under_way[world->under_way_count++] = compaction;
    world->reasons[compaction->reason]++;
    world->kinds[compaction->kind]++;
    assert_int_equal(world->running.count, world->under_way_count);
    assert_true(compaction->file_count > 0);
    for (int64_t i = 0; i < compaction->file_count; i++) {
        assert_true(compaction->files[i]->is_compacting);
        bytes += compaction->files[i]->info.bytes;
        for (int other = 0; other + 1 < world->under_way_count; other++) {
            const stoa_compaction *theirs = world->under_way[other];
            for (int64_t k = 0; k < theirs->file_count; k++) {
                assert_ptr_not_equal(theirs->files[k], compaction->files[i]);
            }
        }
    }
    assert_int_equal(bytes, compaction->bytes);
    stoa_buffer_init(&text, world->pool);
    assert_ok(stoa_compaction_print(compaction, &text, &err), err);
    assert_ok(stoa_buffer_text(&text, &printed, &err), err);
    assert_non_null(strstr(printed, stoa_compaction_reason_name(compaction->reason)));
    stoa_buffer_release(&text);
}

static void pick(struct world *world) {
    stoa_compaction *compaction;
    stoa_error err;
    assert_ok(stoa_compaction_pick(world->pool, world->version, &world->policy, &world->running,
                                   &compaction, &err),
              err);
    if (compaction != NULL) {
        take(world, compaction);
    }
}

static void pick_range(struct world *world) {
    const uint8_t from = (uint8_t)support_random_below(world->random, KEYS);
    const uint8_t to = (uint8_t)(from + 1 + support_random_below(world->random, KEYS));
    const stoa_key_range range = {&from, 1, &to, 1, support_random_bool(world->random), 0};
    stoa_compaction *compaction;
    bool must_wait;
    stoa_error err;
    assert_ok(stoa_compaction_pick_range(world->pool, world->version, &world->policy,
                                         support_random_bool(world->random) ? NULL : &range,
                                         support_random_bool(world->random), &world->running,
                                         &compaction, &must_wait, &err),
              err);
    assert_true(compaction == NULL || !must_wait);
    assert_true(!must_wait || world->under_way_count > 0);
    if (compaction != NULL) {
        take(world, compaction);
    }
}

/* ---- What holds ------------------------------------------------------------------------------ */

static bool file_holds(const stoa_table_file *file, int key) {
    return file->info.first_key.data[0] <= key && key <= file->info.last_key.data[0];
}

/* As a get looks for it: the first file of level 0 that has it, then one on each level. */
static struct row find(const struct world *world, int key) {
    for (int32_t level = 0; level < STOA_LEVELS; level++) {
        const stoa_level *files = &world->version->levels[level];
        for (int64_t i = 0; i < files->count; i++) {
            const struct row *row = &world->files[files->files[i]->info.number][key];
            if (file_holds(files->files[i], key) && row->sequence != 0) {
                return *row;
            }
        }
    }
    return (struct row){0};
}

static void check(const struct world *world) {
    for (int i = 0; i < KEYS; i++) {
        const struct row found = find(world, i);
        const bool gone = is_gone(world, &world->truth[i]);
        if (gone != is_gone(world, &found) ||
            (!gone && found.sequence != world->truth[i].sequence)) {
            fail_msg("key %d: expected version %" PRIu64 " but found %" PRIu64, i,
                     gone ? 0 : world->truth[i].sequence, found.sequence);
        }
    }
}

/* With nobody in the way all that is due gets done, and then nothing is. */
static void settle(struct world *world) {
    stoa_compaction_need need;
    for (int i = 0; i < 500; i++) {
        while (world->under_way_count > 0) {
            end_one(world);
            check(world);
        }
        pick(world);
        if (world->under_way_count == 0) {
            stoa_compaction_need_of(world->version, &world->policy, &need);
            if (world->policy.style == STOA_COMPACTION_LEVELED) {
                assert_true(need.scores[need.level] < 1);
            }
            assert_int_equal(need.pace, STOA_COMPACTION_FREE);
            return;
        }
    }
    fail_msg("compactions go on and on");
}

static void open_world(struct world *world, support_random *random, int round) {
    const stoa_definition definition = {.codec = "none",
                                        .compaction = (stoa_compaction_style)(round % 3),
                                        .fifo_bytes = 2000};
    stoa_error err;
    *world = (struct world){.random = random, .pool = support_pool_open()};
    stoa_compaction_policy_init(&world->policy, &definition, 1000);
    world->policy.level0_files = 2 + (int32_t)support_random_below(random, 3);
    world->policy.level1_bytes = 100 + support_random_below(random, 200);
    world->policy.level_factor = 2 + (int32_t)support_random_below(random, 2);
    world->policy.file_bytes = 40 + support_random_below(random, 60);
    assert_ok(stoa_version_create(world->pool, &world->version, &err), err);
}

static void step(struct world *world) {
    const uint64_t what = support_random_below(world->random, 100);
    world->policy.now_ms += (int64_t)support_random_below(world->random, 3);
    world->policy.oldest_snapshot = support_random_bool(world->random) ? UINT64_MAX
                                                                       : world->sequence;
    if (what < 30) {
        flush(world);
    } else if (what < 65) {
        for (int i = 0; i < 3 && world->under_way_count < RUNNING_MAX; i++) {
            pick(world);
        }
    } else if (what < 67) {
        if (world->under_way_count < RUNNING_MAX) {
            pick_range(world);
        }
    } else if (world->under_way_count > 0) {
        end_one(world);
    }
    check(world);
}

static void every_key_keeps_its_newest_version(void **state) {
    support_random random = support_random_open("lsm.prop_compaction_pick");
    static struct world world;
    int64_t reasons[STOA_COMPACTION_REASON_COUNT] = {0}, kinds[3] = {0};
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        open_world(&world, &random, round);
        for (int i = 0; i < STEPS; i++) {
            step(&world);
        }
        world.policy.oldest_snapshot = UINT64_MAX;
        settle(&world);
        for (int i = 0; i < STOA_COMPACTION_REASON_COUNT; i++) {
            reasons[i] += world.reasons[i];
        }
        for (int i = 0; i < 3; i++) {
            kinds[i] += world.kinds[i];
        }
        stoa_version_release(world.version);
        support_pool_close(world.pool);
    }
    for (int i = 0; i < STOA_COMPACTION_REASON_COUNT; i++) {
        print_message("%s: %" PRId64 "\n", stoa_compaction_reason_name((stoa_compaction_reason)i),
                      reasons[i]);
        assert_true(reasons[i] > 0);
    }
    assert_true(kinds[STOA_COMPACTION_MERGE] > 0 && kinds[STOA_COMPACTION_MOVE] > 0 &&
                kinds[STOA_COMPACTION_DROP] > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_keeps_its_newest_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
