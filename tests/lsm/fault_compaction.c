/* Compactions whose allocations and file-system calls fail: told, and nothing of the output is left. */
#include "compaction_table.h"

enum { NOW_MS = 100000, LOG = 90 };

struct faults {
    struct logged_rows log;
    int64_t inputs; /* files */
};

static void drop_some(void *user, const struct ArrowArray *rows, uint8_t *keep) {
    (void)user;
    for (int64_t i = 0; i < rows->length; i++) {
        keep[i] = i % 3 != 0;
    }
}

static stoa_status pick_and_run(struct compaction_table *table, stoa_version *version,
                                stoa_error *err) {
    static const uint64_t snapshots[] = {60, 1000};
    stoa_compaction_policy policy;
    stoa_compactions running = {0};
    stoa_compaction *compaction;
    stoa_compaction_result result = {0};
    bool must_wait;
    stoa_compaction_policy_init(&policy, table->definition, 1000);
    policy.file_bytes = 2000;
    const stoa_compaction_options options = {.context = {.pool = table->world->pool},
                                             .file_systems = table->world->registry,
                                             .directory = COMPACTION_DIRECTORY,
                                             .definition = table->definition,
                                             .programs = table->programs,
                                             .snapshots = snapshots,
                                             .snapshot_count = 2,
                                             .new_file = compaction_new_file,
                                             .new_file_user = table,
                                             .filter = drop_some,
                                             .now_ms = NOW_MS};
    STOA_TRY(stoa_compaction_pick_range(table->world->pool, version, &policy, NULL, true, &running,
                                        &compaction, &must_wait, err));
    const stoa_status status = stoa_compaction_run(compaction, &options, &result, err);
    for (int64_t i = 0; i < result.file_count; i++) {
        atomic_store(&result.files[i]->is_obsolete, true);
    }
    stoa_compaction_result_release(&result);
    stoa_compaction_close(compaction);
    return status;
}

static stoa_status write_and_compact(support_world *world, void *user, stoa_error *err) {
    struct faults *faults = user;
    struct compaction_table table;
    stoa_table_file *files[COMPACTION_FILES_MAX];
    stoa_version *empty = NULL, *version = NULL;
    int64_t count = 0;
    stoa_status status = STOA_OK;
    faults->inputs = -1;
    STOA_CHECK(compaction_table_open(world, true, false, &table, err));
    for (int64_t i = 0; i < 3; i++) {
        const int64_t part = faults->log.count / 3;
        STOA_CHECK(compaction_write(&table, faults->log.rows + i * part, part, i == 0, 1500, 20,
                                    files, &count, err));
    }
    STOA_CHECK(stoa_version_create(world->pool, &empty, err));
    STOA_CHECK(stoa_version_apply(empty, NULL, 0, files, count, &version, err));
    faults->inputs = count;
    STOA_CHECK(pick_and_run(&table, version, err));

done:
    stoa_version_release(version);
    stoa_version_release(empty);
    for (int64_t i = 0; i < count; i++) {
        stoa_table_file_release(files[i]);
    }
    compaction_table_close(&table);
    return status;
}

/* Where the compaction succeeded, what failed may have been the removal of its files. */
static void check_files(support_world *world, void *user, stoa_status status) {
    const struct faults *faults = user;
    if (faults->inputs >= 0 && status != STOA_OK) {
        assert_int_equal(compaction_files_in(world), faults->inputs);
    }
}

static void faults_are_told_and_leave_nothing(void **state) {
    support_random random = support_random_open("lsm.fault_compaction");
    struct faults faults = {0};
    (void)state;
    logged_make(&random, LOG, true, NOW_MS, &faults.log);
    assert_true(support_fail_each_allocation(NULL, write_and_compact, check_files, &faults) > 100);
    /* With a disk that fails for good, files stay that could not be removed. */
    assert_true(support_fail_each_call(NULL, write_and_compact, NULL, &faults) > 20);
    logged_release(&faults.log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_told_and_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
