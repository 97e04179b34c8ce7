/* What is picked, by tables of files. A file is "level:first-last", then "*bytes" (10), "d" (half of its
 * rows are deletions), "s" (its newest row is newer than the oldest snapshot), "x" (expired), "!" (being
 * compacted). Files are numbered as they are listed, the oldest of level 0 first. */
#include <stdio.h>
#include <stdlib.h>

#include "lsm/compaction_pick.h"
#include "support.h"

enum { SNAPSHOT = 1000, NOW_MS = 50 };

struct table {
    stoa_pool *pool;
    stoa_version *version;
    stoa_compactions running;
    stoa_compaction_policy policy;
};

static stoa_table_file *parse_file(stoa_pool *pool, const char *text, uint64_t number) {
    stoa_table_file_info info = {.number = number,
                                 .level = text[0] - '0',
                                 .bytes = 10,
                                 .row_count = 10,
                                 .sequence_min = number,
                                 .sequence_max = number};
    stoa_table_file *file;
    stoa_error err;
    stoa_buffer_init(&info.first_key, pool);
    stoa_buffer_init(&info.last_key, pool);
    assert_ok(stoa_buffer_append_byte(&info.first_key, (uint8_t)text[2], &err), err);
    assert_ok(stoa_buffer_append_byte(&info.last_key, (uint8_t)text[4], &err), err);
    const char *flag = text + 5;
    if (*flag == '*') {
        info.bytes = strtoull(flag + 1, (char **)(uintptr_t)&flag, 10);
    }
    info.delete_count = *flag == 'd' ? 5 : 0;
    flag += *flag == 'd';
    info.sequence_max = *flag == 's' ? SNAPSHOT + number : number;
    flag += *flag == 's';
    info.expires_ms = *flag == 'x' ? NOW_MS : 0;
    flag += *flag == 'x';
    assert_ok(stoa_table_file_create(pool, NULL, "test:/f", &info, NULL, &file, &err), err);
    atomic_store(&file->is_compacting, *flag == '!');
    flag += *flag == '!';
    assert_true(*flag == ' ' || *flag == '\0');
    return file;
}

static void table_open(struct table *table, stoa_compaction_style style, const char *files) {
    const stoa_definition definition = {.compaction = style, .fifo_bytes = 35, .codec = "none"};
    stoa_table_file *added[32];
    stoa_version *empty;
    int64_t count = 0;
    stoa_error err;
    *table = (struct table){.pool = support_pool_open()};
    stoa_compaction_policy_init(&table->policy, &definition, 1);
    table->policy.level1_bytes = 100;
    table->policy.file_bytes = 50;
    table->policy.now_ms = NOW_MS;
    table->policy.oldest_snapshot = SNAPSHOT;
    for (const char *at = files; *at != '\0'; at += *at == ' ') {
        added[count] = parse_file(table->pool, at, (uint64_t)count + 1);
        count++;
        at += strcspn(at, " ");
    }
    assert_ok(stoa_version_create(table->pool, &empty, &err), err);
    assert_ok(stoa_version_apply(empty, NULL, 0, added, count, &table->version, &err), err);
    for (int64_t i = 0; i < count; i++) {
        stoa_table_file_release(added[i]);
    }
    stoa_version_release(empty);
}

static void table_close(struct table *table) {
    stoa_version_release(table->version);
    support_pool_close(table->pool);
}

static int compare_numbers(const void *left, const void *right) {
    return *(const int *)left - *(const int *)right;
}

/* "merge 0>1: 1 2 3", or "". */
static void describe(const stoa_compaction *compaction, char *out, size_t size) {
    static const char *const kinds[] = {"merge", "move", "drop"};
    int numbers[32];
    out[0] = '\0';
    if (compaction == NULL) {
        return;
    }
    int at = snprintf(out, size, "%s %d>%d:", kinds[compaction->kind], compaction->start_level,
                      compaction->output_level);
    for (int64_t i = 0; i < compaction->file_count; i++) {
        numbers[i] = (int)compaction->files[i]->info.number;
    }
    qsort(numbers, (size_t)compaction->file_count, sizeof *numbers, compare_numbers);
    for (int64_t i = 0; i < compaction->file_count; i++) {
        at += snprintf(out + at, size - (size_t)at, " %d", numbers[i]);
    }
}

struct expected {
    const char *files;
    const char *picked; /* "": nothing */
    stoa_compaction_reason reason;
};

static void check(stoa_compaction_style style, const struct expected *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct table table;
        stoa_compaction *compaction;
        stoa_error err;
        char picked[256];
        table_open(&table, style, cases[i].files);
        assert_ok(stoa_compaction_pick(table.pool, table.version, &table.policy, &table.running,
                                       &compaction, &err),
                  err);
        describe(compaction, picked, sizeof picked);
        if (strcmp(picked, cases[i].picked) != 0) {
            fail_msg("'%s': expected '%s' but found '%s'", cases[i].files, cases[i].picked, picked);
        }
        if (compaction != NULL) {
            assert_string_equal(stoa_compaction_reason_name(compaction->reason),
                                stoa_compaction_reason_name(cases[i].reason));
        }
        stoa_compaction_close(compaction);
        table_close(&table);
    }
}
#define CHECK(style, cases) check(style, cases, sizeof(cases) / sizeof *(cases))

static void leveled_merges_level_0_by_files(void **state) {
    static const struct expected cases[] = {
        {"0:a-f 0:b-g 0:c-h", "", 0},
        {"0:a-f 0:b-g 0:c-h 0:a-z", "merge 0>1: 1 2 3 4", STOA_COMPACTION_LEVEL0_FILES},
        /* with what they overlap below */
        {"1:a-b 1:c-d 1:s-t 0:c-f 0:b-g 0:c-h 0:d-k", "merge 0>1: 1 2 4 5 6 7",
         STOA_COMPACTION_LEVEL0_FILES},
        /* those that overlap nothing move */
        {"0:a-b 0:c-d 0:e-f 0:g-h", "move 0>1: 1 2 3 4", STOA_COMPACTION_LEVEL0_FILES},
        {"1:a-c 0:a-b 0:d-e 0:f-i 0:h-j", "move 0>1: 3", STOA_COMPACTION_LEVEL0_FILES},
        /* unless they are small */
        {"0:a-b*6 0:c-d*5 0:e-f*5 0:g-h*5", "move 0>1: 1", STOA_COMPACTION_LEVEL0_FILES},
        {"0:a-b*5 0:b-d*5 0:e-f*5 0:g-h*5", "merge 0>1: 1 2", STOA_COMPACTION_LEVEL0_FILES},
        /* of groups that do not overlap, the one with more files */
        {"0:a-c 0:b-d 0:h-i 0:h-j 0:i-j", "merge 0>1: 3 4 5", STOA_COMPACTION_LEVEL0_FILES},
        /* where level 1 is large it is not rewritten for a few small ones */
        {"1:a-z*99 0:a-b*2 0:a-b*2 0:a-b*2 0:a-b*2 0:a-b*2", "", 0},
        {"1:a-z*80 0:a-b*4 0:a-b*4 0:a-b*4 0:a-b*4 0:a-b*4", "merge 0>1: 1 2 3 4 5 6",
         STOA_COMPACTION_LEVEL0_FILES},
        /* newer files wait for those at work, others do not */
        {"0:a-c! 0:b-d 0:d-e 0:a-e 0:b-f", "", 0},
        {"0:a-c! 0:b-d 0:h-j 0:i-k 0:j-l 0:k-l", "merge 0>1: 3 4 5 6",
         STOA_COMPACTION_LEVEL0_FILES},
        {"1:h-i! 0:a-c 0:b-d 0:h-j 0:i-k", "merge 0>1: 2 3", STOA_COMPACTION_LEVEL0_FILES},
    };
    (void)state;
    CHECK(STOA_COMPACTION_LEVELED, cases);
}

static void leveled_merges_levels_by_bytes(void **state) {
    static const struct expected cases[] = {
        {"1:a-c*50 1:d-f*49", "", 0},
        /* the file that overlaps the least for its size */
        {"1:a-c*50 1:d-f*50 2:a-b*60 2:d-e*30", "merge 1>2: 2 4", STOA_COMPACTION_LEVEL_BYTES},
        {"1:a-c*50 1:d-f*50 2:a-b*60", "move 1>2: 2", STOA_COMPACTION_LEVEL_BYTES},
        {"1:a-c*50! 1:d-f*100 2:a-b*60 2:d-e*60!", "", 0},
        /* or is full of deletions */
        {"1:a-c*50 1:d-f*50d 2:a-b*40 2:d-e*60", "merge 1>2: 2 4", STOA_COMPACTION_LEVEL_BYTES},
        /* neighbours that cost nothing go along */
        {"1:a-b*50 1:c-d*50 1:e-f*50 2:a-d*60 2:e-h*70", "merge 1>2: 1 2 4",
         STOA_COMPACTION_LEVEL_BYTES},
        /* the neediest level first */
        {"1:a-c*110 2:a-c*1200 3:a-c*10", "merge 2>3: 2 3", STOA_COMPACTION_LEVEL_BYTES},
        {"1:a-c*150 2:a-c*1200 3:a-c*10", "merge 1>2: 1 2", STOA_COMPACTION_LEVEL_BYTES},
        {"6:a-c*9000000000", "", 0},
    };
    (void)state;
    CHECK(STOA_COMPACTION_LEVELED, cases);
}

static void deletions_go_down_and_then_away(void **state) {
    static const struct expected cases[] = {
        {"1:a-c*10d 2:b-d", "merge 1>2: 1 2", STOA_COMPACTION_DELETIONS},
        {"1:a-c*10d 3:b-d", "move 1>2: 1", STOA_COMPACTION_DELETIONS},
        {"2:a-c*10d 3:x-z", "merge 2>2: 1", STOA_COMPACTION_DELETIONS},
        {"6:a-c*10d", "merge 6>6: 1", STOA_COMPACTION_DELETIONS},
        {"6:a-c*10ds", "", 0}, /* a snapshot may need them */
        {"6:a-c*10d!", "", 0},
    };
    (void)state;
    CHECK(STOA_COMPACTION_LEVELED, cases);
}

static void tiered_merges_runs(void **state) {
    static const struct expected cases[] = {
        {"6:a-z*40 0:a-z 0:a-z", "", 0},
        /* similar ones, from the newest on */
        {"6:a-z*400 0:a-z*90 0:a-z*12 0:a-z", "merge 0>0: 3 4", STOA_COMPACTION_RUNS_SIMILAR},
        {"6:a-z*400 0:a-z*30 0:a-z*12 0:a-z", "merge 0>5: 2 3 4", STOA_COMPACTION_RUNS_SIMILAR},
        {"6:a-z*400 5:a-z*44 0:a-z*12 0:a-z", "merge 0>5: 2 3 4", STOA_COMPACTION_RUNS_SIMILAR},
        {"6:a-z*4000 5:a-z*440 0:a-z*12 0:a-z", "merge 0>4: 3 4", STOA_COMPACTION_RUNS_SIMILAR},
        /* else the newest */
        {"6:a-z*4000 5:a-z*440 0:a-z*40 0:a-z", "merge 0>4: 3 4", STOA_COMPACTION_RUNS_MANY},
        /* all, when the oldest is small beside them */
        {"6:a-z*4 0:a-z 0:a-z 0:a-z", "merge 0>6: 1 2 3 4", STOA_COMPACTION_SPACE},
        {"0:a-z 0:a-z 0:a-z 0:a-z", "merge 0>6: 1 2 3 4", STOA_COMPACTION_SPACE},
        /* around those at work */
        {"6:a-z*400 0:a-z*10! 0:a-z*10! 0:a-z 0:a-z", "", 0},
        {"6:a-z*400 0:a-z*10! 0:a-z*10! 0:a-z 0:a-z 0:a-z", "merge 0>0: 4 5 6",
         STOA_COMPACTION_RUNS_SIMILAR},
    };
    (void)state;
    CHECK(STOA_COMPACTION_TIERED, cases);
}

static void fifo_drops_the_oldest(void **state) {
    static const struct expected cases[] = {
        {"0:a-z 0:a-z 0:a-z", "", 0},
        {"0:a-z 0:a-z 0:a-z 0:a-z 0:a-z", "drop 0>6: 1 2", STOA_COMPACTION_FIFO_BYTES},
        {"3:a-z 0:a-z 0:a-z 0:a-z 0:a-z", "drop 0>6: 1 2", STOA_COMPACTION_FIFO_BYTES},
        {"0:a-z! 0:a-z 0:a-z 0:a-z 0:a-z", "", 0},
    };
    (void)state;
    CHECK(STOA_COMPACTION_FIFO, cases);
}

static void expired_files_go_where_nothing_comes_back(void **state) {
    static const struct expected cases[] = {
        {"0:a-c*10x", "drop 0>6: 1", STOA_COMPACTION_EXPIRED},
        {"0:b-d 0:a-c*10x", "", 0},
        {"0:a-c*10x 0:b-d", "drop 0>6: 1", STOA_COMPACTION_EXPIRED},
        {"5:c-d 1:a-c*10x", "", 0},
        {"5:c-d*10x 1:a-c*10x 0:a-z*10x", "drop 0>6: 1 2 3", STOA_COMPACTION_EXPIRED},
        {"5:c-d*10x! 1:a-c*10x 0:x-z*10x", "drop 0>6: 3", STOA_COMPACTION_EXPIRED},
    };
    (void)state;
    CHECK(STOA_COMPACTION_LEVELED, cases);
    CHECK(STOA_COMPACTION_FIFO, cases);
    CHECK(STOA_COMPACTION_TIERED, cases);
}

/* ---- Ranges ---------------------------------------------------------------------------------- */

struct expected_range {
    const char *files;
    const char *range; /* "ad": from a on, without d */
    bool always;
    const char *picked; /* "wait": must wait */
};

static void a_range_becomes_one_run(void **state) {
    static const struct expected_range cases[] = {
        {"3:a-f 0:a-b", "az", false, "merge 0>3: 1 2"},
        {"0:a-f 0:b-g", "az", false, "merge 0>1: 1 2"},
        {"0:a-f", "az", false, "merge 0>1: 1"},
        {"2:a-f 2:g-k 1:c-d 0:h-i", "ae", false, "merge 1>2: 1 3"},
        /* with all older files that go under them */
        {"2:a-f 2:g-k 0:e-i 0:a-e", "ab", false, "merge 0>2: 1 2 3 4"},
        {"2:a-f 2:g-k 0:a-e 0:e-i", "ab", false, "merge 0>2: 1 3"},
        {"2:a-f 2:m-p 1:e-m 0:a-e", "ab", false, "merge 0>2: 1 2 3 4"},
        /* the next level, where this one may not have so much */
        {"1:a-f*90 0:a-b*20", "az", false, "merge 0>2: 1 2"},
        /* what is one run has nothing to do, unless there is something to be left out */
        {"2:a-f*10d 0:x-z", "ab", false, "merge 2>2: 1"},
        {"2:a-b 2:c-d", "xz", true, ""},
        {"2:a-b 2:c-d 0:x-z", "az", true, "merge 0>2: 1 2 3"},
        {"2:a-b 2:c-d 0:c-d", "az", false, "merge 0>2: 2 3"},
        {"2:a-b 2:c-d 0:c-d", "az", true, "merge 0>2: 1 2 3"},
        {"2:a-b 2:c-d! 0:c-d", "az", false, "wait"},
        {"", "az", true, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct table table;
        stoa_compaction *compaction;
        bool must_wait;
        stoa_error err;
        char picked[256];
        const uint8_t *range = (const uint8_t *)cases[i].range;
        table_open(&table, STOA_COMPACTION_LEVELED, cases[i].files);
        assert_ok(stoa_compaction_pick_range(table.pool, table.version, &table.policy,
                                             &(stoa_key_range){range, 1, range + 1, 1, false, 0},
                                             cases[i].always, &table.running, &compaction,
                                             &must_wait, &err),
                  err);
        describe(compaction, picked, sizeof picked);
        if (strcmp(must_wait ? "wait" : picked, cases[i].picked) != 0) {
            fail_msg("'%s': expected '%s' but found '%s'", cases[i].files, cases[i].picked, picked);
        }
        stoa_compaction_close(compaction);
        table_close(&table);
    }
}

static void a_run_without_old_versions_is_left_alone(void **state) {
    struct table table;
    stoa_compaction *compaction;
    bool must_wait;
    stoa_error err;
    (void)state;
    table_open(&table, STOA_COMPACTION_LEVELED, "2:a-b 2:c-d 2:e-f");
    for (int64_t i = 0; i < 3; i++) {
        table.version->levels[2].files[i]->info.sequence_max = i == 1 ? 7 : 0;
    }
    assert_ok(stoa_compaction_pick_range(table.pool, table.version, &table.policy, NULL, false,
                                         &table.running, &compaction, &must_wait, &err),
              err);
    assert_int_equal(compaction->file_count, 1);
    assert_int_equal(compaction->files[0]->info.number, 2);
    stoa_compaction_close(compaction);
    table.version->levels[2].files[1]->info.sequence_max = 0;
    for (int always = 0; always < 2; always++) {
        assert_ok(stoa_compaction_pick_range(table.pool, table.version, &table.policy, NULL,
                                             always == 1, &table.running, &compaction, &must_wait,
                                             &err),
                  err);
        assert_int_equal(compaction == NULL ? 0 : compaction->file_count, always == 0 ? 0 : 3);
        stoa_compaction_close(compaction);
    }
    table_close(&table);
}

static void very_many_files_are_merged_in_parts(void **state) {
    enum { FILES = 300, PART = 256 };
    (void)state;
    for (int style = STOA_COMPACTION_LEVELED; style <= STOA_COMPACTION_TIERED; style++) {
        struct table table;
        stoa_table_file *added[FILES];
        stoa_version *version;
        stoa_compaction *compaction;
        stoa_error err;
        table_open(&table, (stoa_compaction_style)style, "");
        for (int i = 0; i < FILES; i++) {
            added[i] = parse_file(table.pool, "0:a-z", (uint64_t)i + 1);
        }
        assert_ok(stoa_version_apply(table.version, NULL, 0, added, FILES, &version, &err), err);
        assert_ok(stoa_compaction_pick(table.pool, version, &table.policy, &table.running,
                                       &compaction, &err),
                  err);
        assert_int_equal(compaction->file_count, PART);
        /* of level 0 the oldest go down; of runs the newest are one */
        assert_int_equal(compaction->files[PART - 1]->info.number,
                         style == STOA_COMPACTION_LEVELED ? 1 : FILES - PART + 1);
        stoa_compaction_close(compaction);
        for (int i = 0; i < FILES; i++) {
            stoa_table_file_release(added[i]);
        }
        stoa_version_release(version);
        table_close(&table);
    }
}

/* ---- Need and what is older ------------------------------------------------------------------ */

static void need_says_how_far_behind_a_table_is(void **state) {
    struct table table;
    stoa_compaction_need need;
    (void)state;
    table_open(&table, STOA_COMPACTION_LEVELED, "0:a-b 0:a-b! 1:a-z*150 2:a-z*500");
    table.policy.level0_slow = 2;
    table.policy.level0_stop = 3;
    stoa_compaction_need_of(table.version, &table.policy, &need);
    assert_true(need.scores[0] == 0.25 && need.scores[1] == 1.5 && need.scores[2] == 0.5);
    assert_int_equal(need.level, 1);
    assert_int_equal(need.run_count, 4);
    assert_int_equal(need.due_bytes, 50);
    assert_int_equal(need.pace, STOA_COMPACTION_SLOW);
    table.policy.level0_stop = 2;
    stoa_compaction_need_of(table.version, &table.policy, &need);
    assert_int_equal(need.pace, STOA_COMPACTION_STOP);
    table.policy.style = STOA_COMPACTION_FIFO;
    stoa_compaction_need_of(table.version, &table.policy, &need);
    assert_int_equal(need.pace, STOA_COMPACTION_FREE);
    table_close(&table);
}

static bool has_older(const stoa_compaction *compaction, const char *first, const char *last) {
    return stoa_compaction_has_older_between(compaction, (const uint8_t *)first, strlen(first),
                                             (const uint8_t *)last, strlen(last));
}

static void older_versions_are_known_by_key(void **state) {
    struct table table;
    stoa_compaction *compaction;
    stoa_error err;
    (void)state;
    table_open(&table, STOA_COMPACTION_LEVELED,
               "1:a-z*200 2:c-d 2:k-m 3:c-f 4:p-q 4:y-z 5:g-h*10!");
    assert_ok(stoa_compaction_pick(table.pool, table.version, &table.policy, &table.running,
                                   &compaction, &err),
              err);
    assert_int_equal(compaction->output_level, 2);
    assert_false(has_older(compaction, "a", "bz"));
    assert_true(has_older(compaction, "a", "c"));
    assert_true(has_older(compaction, "e", "e"));
    assert_false(has_older(compaction, "i", "o"));
    assert_true(has_older(compaction, "h", "i"));
    assert_true(stoa_compaction_has_older(compaction, (const uint8_t *)"pp", 2));
    assert_false(stoa_compaction_has_older(compaction, (const uint8_t *)"qq", 2));
    assert_false(has_older(compaction, "r", "x"));
    assert_true(has_older(compaction, "z", "z"));
    stoa_compaction_close(compaction);
    table_close(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leveled_merges_level_0_by_files),
        cmocka_unit_test(leveled_merges_levels_by_bytes),
        cmocka_unit_test(deletions_go_down_and_then_away),
        cmocka_unit_test(tiered_merges_runs),
        cmocka_unit_test(fifo_drops_the_oldest),
        cmocka_unit_test(expired_files_go_where_nothing_comes_back),
        cmocka_unit_test(a_range_becomes_one_run),
        cmocka_unit_test(a_run_without_old_versions_is_left_alone),
        cmocka_unit_test(very_many_files_are_merged_in_parts),
        cmocka_unit_test(need_says_how_far_behind_a_table_is),
        cmocka_unit_test(older_versions_are_known_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
