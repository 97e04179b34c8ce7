/* The bytes of manifests and what becomes of damaged ones; readers beside a writer; the lock. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lsm/manifest_format.h"
#include "manifest_model.h"

enum { EDITS = 3 };

static const char DIRECTORY[] = "test:/db";
static const char LOG[] = "test:/db/MANIFEST-0000000000000001";
static const char GOLDEN[] = "tests/lsm/golden/manifest";

/* Three edits with a field of every kind, in `edits`, and what is there after each of them. */
struct fixture {
    support_world base;
    struct model_edit edits[EDITS];
    struct model models[EDITS + 1];
    stoa_manifest *manifest;
    stoa_error err;
};

static void put_file(struct model_edit *out, int64_t id, uint64_t number, int32_t level,
                     const char *first, const char *last) {
    const int64_t at = out->edit.added_count++;
    memcpy(out->keys[at][0], first, strlen(first));
    memcpy(out->keys[at][1], last, strlen(last));
    out->added[at] = (stoa_manifest_file){.table_id = id,
                                          .info = {.number = number,
                                                   .level = level,
                                                   .bytes = 4096 * number,
                                                   .row_count = (int64_t)(number * 100),
                                                   .delete_count = (int64_t)number,
                                                   .sequence_min = number * 1000,
                                                   .sequence_max = UINT64_MAX - number,
                                                   .expires_ms = number % 2 == 0 ? 0 : -5,
                                                   .first_key = {.data = out->keys[at][0],
                                                                 .size = strlen(first)},
                                                   .last_key = {.data = out->keys[at][1],
                                                                .size = strlen(last)}}};
}

static void make_edits(struct fixture *fixture) {
    for (int i = 0; i < EDITS; i++) {
        struct model_edit *out = &fixture->edits[i];
        out->edit = (stoa_manifest_edit){.tables = out->tables,
                                         .dropped = out->dropped,
                                         .removed = out->removed,
                                         .added = out->added};
    }
    struct model_edit *edits = fixture->edits;
    edits[0].tables[0] = (stoa_manifest_table){7, "{\"n\":1}"};
    edits[0].tables[1] = (stoa_manifest_table){2, "{}"};
    edits[0].edit.table_count = 2;
    put_file(&edits[0], 7, 3, 0, "a", "mm");
    put_file(&edits[0], 7, 4, 1, "", "zz");
    put_file(&edits[0], 2, 5, 6, "same", "same");
    edits[0].edit.next_file = 10;
    edits[1].removed[0] = (stoa_manifest_removal){7, 3};
    edits[1].removed[1] = (stoa_manifest_removal){7, 4};
    edits[1].edit.removed_count = 2;
    put_file(&edits[1], 7, 3, 2, "a", "mm");
    edits[1].edit.log_segment = 8;
    edits[1].edit.last_sequence = UINT64_MAX;
    edits[1].edit.flushed_sequence = 900;
    edits[2].tables[0] = (stoa_manifest_table){7, "{\"n\":2}"};
    edits[2].edit.table_count = 1;
    edits[2].dropped[0] = 2;
    edits[2].edit.dropped_count = 1;
    put_file(&edits[2], 7, 300, 3, "n", "o");
    edits[2].edit.next_file = 301;
    model_init(&fixture->models[0]);
    for (int i = 0; i < EDITS; i++) {
        fixture->models[i + 1] = fixture->models[i];
        model_apply(&fixture->models[i + 1], &edits[i].edit);
    }
}

static stoa_status open_manifest(struct fixture *fixture, const char *directory, bool read_only,
                                 bool create) {
    const stoa_manifest_options options = {.context = {.pool = fixture->base.pool},
                                           .file_systems = fixture->base.registry,
                                           .directory = directory,
                                           .create = create,
                                           .read_only = read_only};
    return stoa_manifest_open(&options, &fixture->manifest, &fixture->err);
}

static void close_manifest(struct fixture *fixture) {
    stoa_manifest_close(fixture->manifest);
    fixture->manifest = NULL;
}

static bool says(const struct fixture *fixture, int edits) {
    return model_same(&fixture->models[edits], stoa_manifest_state_of(fixture->manifest));
}

/* A manifest with all three edits, closed. */
static struct fixture *fixture_open(void) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    support_world_open(&fixture->base);
    make_edits(fixture);
    assert_ok(open_manifest(fixture, DIRECTORY, false, true), fixture->err);
    assert_true(says(fixture, 0));
    for (int i = 0; i < EDITS; i++) {
        assert_ok(stoa_manifest_append(fixture->manifest, &fixture->edits[i].edit, &fixture->err),
                  fixture->err);
        assert_true(says(fixture, i + 1));
    }
    close_manifest(fixture);
    return fixture;
}

static void fixture_close(struct fixture *fixture) {
    close_manifest(fixture);
    support_world_close(&fixture->base);
    free(fixture);
}

static void read_bytes(struct fixture *fixture, const char *uri, stoa_buffer *out) {
    assert_ok(stoa_vfs_read_all(fixture->base.registry, uri, NULL, 1 << 20, fixture->base.pool, out,
                                &fixture->err),
              fixture->err);
}

static void put_bytes(struct fixture *fixture, const char *uri, const void *bytes, size_t size) {
    assert_ok(stoa_vfs_replace(fixture->base.registry, uri, NULL, bytes, size, &fixture->err),
              fixture->err);
}

static bool is_there(struct fixture *fixture, const char *uri) {
    bool there;
    assert_ok(stoa_vfs_exists(fixture->base.registry, uri, NULL, &there, &fixture->err),
              fixture->err);
    return there;
}

/* Where each record begins, and at the end where the last one ends; returns how many there are. */
static int find_records(const stoa_buffer *log, size_t *starts) {
    int count = 0;
    size_t at = sizeof(stoa_manifest_header);
    while (at < log->size) {
        starts[count++] = at;
        at += sizeof(stoa_manifest_record) + stoa_load_u32(log->data + at);
    }
    starts[count] = at;
    return count;
}

/* ---- The format ------------------------------------------------------------------------------ */

/* Version 1 as it was first written. */
static void the_golden_manifest_is_read(void **state) {
    struct fixture *fixture = fixture_open();
    (void)state;
    assert_ok(open_manifest(fixture, GOLDEN, true, false), fixture->err);
    assert_true(says(fixture, EDITS));
    fixture_close(fixture);
}

static void the_golden_manifest_is_written(void **state) {
    static const char *const names[] = {"CURRENT", "MANIFEST-0000000000000001"};
    struct fixture *fixture = fixture_open();
    (void)state;
    for (int i = 0; i < 2; i++) {
        char uri[128], golden[128];
        stoa_buffer found, expected;
        snprintf(uri, sizeof uri, "%s/%s", DIRECTORY, names[i]);
        snprintf(golden, sizeof golden, "%s/%s", GOLDEN, names[i]);
        read_bytes(fixture, uri, &found);
        read_bytes(fixture, golden, &expected);
        assert_int_equal(found.size, expected.size);
        assert_memory_equal(found.data, expected.data, found.size);
        stoa_buffer_release(&found);
        stoa_buffer_release(&expected);
    }
    fixture_close(fixture);
}

/* Puts the log with one record more, of these bytes, after the first edit. */
static void put_payload(struct fixture *fixture, const void *payload, size_t size) {
    size_t starts[8];
    stoa_buffer log;
    read_bytes(fixture, LOG, &log);
    assert_true(find_records(&log, starts) > 2);
    log.size = starts[2];
    stoa_manifest_record record = {.size = (uint32_t)size, .index = 3};
    record.crc = stoa_manifest_crc(1, &record, payload);
    assert_ok(stoa_buffer_append(&log, &record, sizeof record, &fixture->err), fixture->err);
    assert_ok(stoa_buffer_append(&log, payload, size, &fixture->err), fixture->err);
    put_bytes(fixture, LOG, log.data, log.size);
    stoa_buffer_release(&log);
}

static void what_is_newer_is_refused_or_passed_over(void **state) {
    struct fixture *fixture = fixture_open();
    const uint8_t must[8] = {9, 1, 0, 0, 0, 42, 0, 0};
    const uint8_t may[8] = {200, 1, 0, 0, 0, 42, 0, 0};
    stoa_buffer log;
    (void)state;
    read_bytes(fixture, LOG, &log);
    put_payload(fixture, may, sizeof may);
    assert_ok(open_manifest(fixture, DIRECTORY, true, false), fixture->err);
    assert_true(says(fixture, 1));
    close_manifest(fixture);
    put_payload(fixture, must, sizeof must);
    assert_fails(open_manifest(fixture, DIRECTORY, true, false), STOA_UNSUPPORTED, "edit 3 at byte",
                 fixture->err);
    assert_non_null(strstr(fixture->err.message, "field 9 at byte 0 of the edit is not known"));
    log.data[8] = 2;
    const uint32_t crc = stoa_crc32c(0, log.data, offsetof(stoa_manifest_header, crc));
    memcpy(log.data + offsetof(stoa_manifest_header, crc), &crc, sizeof crc);
    put_bytes(fixture, LOG, log.data, log.size);
    assert_fails(open_manifest(fixture, DIRECTORY, false, true), STOA_UNSUPPORTED,
                 "expected version 1 of the format at most but found 2", fixture->err);
    stoa_buffer_release(&log);
    fixture_close(fixture);
}

static void damaged_fields_are_refused(void **state) {
    static const struct {
        uint8_t payload[24];
        const char *message;
    } cases[] = {
        {{1, 1, 0, 0, 0, 0}, "field 1 at byte 0"},       /* no table has id 0 */
        {{1, 2, 0, 0, 0, 1, 'x'}, "field 1 at byte 0"},  /* no zero at the end */
        {{1, 3, 0, 0, 0, 1, 0, 0}, "field 1 at byte 0"}, /* one too many */
        {{2, 2, 0, 0, 0, 7, 7}, "field 2 at byte 0"},    /* more than an id */
        {{3, 1, 0, 0, 0, 7}, "field 3 at byte 0"},       /* no number */
        {{3, 40, 0, 0, 0, 7}, "field 3 at byte 0"},      /* longer than the edit */
        {{6, 1, 0, 0, 0, 50, 4, 3, 0, 0, 0, 7, 3, 7}, "field 4 at byte 6"}, /* level 7 */
        {{0, 0, 0, 0, 0, 0, 0, 0, 1}, "field 0 at byte 0"}, /* something behind the end */
        {{3, 2, 0, 0, 0, 7, 9}, "expected file 0000000000000009 of table 7 but found none"},
    };
    struct fixture *fixture = fixture_open();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t size = cases[i].payload[7] != 0 || cases[i].payload[8] != 0 ? 16 : 8;
        put_payload(fixture, cases[i].payload, size);
        assert_fails(open_manifest(fixture, DIRECTORY, false, true), STOA_CORRUPT, cases[i].message,
                     fixture->err);
    }
    fixture_close(fixture);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static void torn_tails_are_cut(void **state) {
    struct fixture *fixture = fixture_open();
    size_t starts[8];
    stoa_buffer log;
    (void)state;
    read_bytes(fixture, LOG, &log);
    assert_int_equal(find_records(&log, starts), EDITS + 1);
    for (size_t size = starts[3]; size < log.size; size++) {
        put_bytes(fixture, LOG, log.data, size);
        put_bytes(fixture, "test:/db/CURRENT", "MANIFEST-0000000000000001\n", 26);
        assert_ok(open_manifest(fixture, DIRECTORY, true, false), fixture->err);
        assert_true(says(fixture, EDITS - 1));
        close_manifest(fixture);
        assert_ok(open_manifest(fixture, DIRECTORY, false, false), fixture->err);
        assert_true(says(fixture, EDITS - 1));
        assert_ok(stoa_manifest_append(fixture->manifest, &fixture->edits[EDITS - 1].edit,
                                       &fixture->err),
                  fixture->err);
        close_manifest(fixture);
        assert_ok(open_manifest(fixture, DIRECTORY, true, false), fixture->err);
        assert_true(says(fixture, EDITS));
        close_manifest(fixture);
        /* What follows a torn record is not appended to. */
        assert_true(is_there(fixture, LOG) == (size == starts[3]));
    }
    stoa_buffer_release(&log);
    fixture_close(fixture);
}

static void every_flipped_byte_is_found(void **state) {
    struct fixture *fixture = fixture_open();
    size_t starts[8];
    stoa_buffer log;
    (void)state;
    read_bytes(fixture, LOG, &log);
    assert_int_equal(find_records(&log, starts), EDITS + 1);
    for (size_t i = 0; i < log.size; i++) {
        log.data[i] ^= 0x41;
        put_bytes(fixture, LOG, log.data, log.size);
        const stoa_status status = open_manifest(fixture, DIRECTORY, true, false);
        if (i >= starts[3]) { /* the same as one that is not all there yet */
            assert_ok(status, fixture->err);
            assert_true(says(fixture, EDITS - 1));
        } else {
            assert_int_equal(status, STOA_CORRUPT);
            assert_non_null(strstr(fixture->err.message, "at byte"));
        }
        close_manifest(fixture);
        log.data[i] ^= 0x41;
    }
    stoa_buffer_release(&log);
    fixture_close(fixture);
}

static void a_log_that_lost_its_base_is_refused(void **state) {
    struct fixture *fixture = fixture_open();
    stoa_buffer log;
    (void)state;
    read_bytes(fixture, LOG, &log);
    for (size_t size = 0; size < sizeof(stoa_manifest_header) + 24; size++) {
        put_bytes(fixture, LOG, log.data, size);
        assert_fails(open_manifest(fixture, DIRECTORY, true, false), STOA_CORRUPT, "at byte",
                     fixture->err);
    }
    stoa_buffer_release(&log);
    fixture_close(fixture);
}

static void records_of_another_place_are_refused(void **state) {
    struct fixture *fixture = fixture_open();
    size_t starts[8];
    stoa_buffer log;
    (void)state;
    read_bytes(fixture, LOG, &log);
    (void)find_records(&log, starts);
    /* The last edit stands where the one before it should. */
    memmove(log.data + starts[2], log.data + starts[3], log.size - starts[3]);
    put_bytes(fixture, LOG, log.data, log.size - (starts[3] - starts[2]));
    assert_fails(open_manifest(fixture, DIRECTORY, true, false), STOA_CORRUPT,
                 "a record that belongs elsewhere", fixture->err);
    put_bytes(fixture, "test:/db/MANIFEST-0000000000000002", log.data, log.size);
    put_bytes(fixture, "test:/db/CURRENT", "MANIFEST-0000000000000002\n", 26);
    assert_fails(open_manifest(fixture, DIRECTORY, true, false), STOA_CORRUPT,
                 "expected manifest 0000000000000002 but found 0000000000000001", fixture->err);
    stoa_buffer_release(&log);
    fixture_close(fixture);
}

static void current_says_a_name_or_nothing_is_opened(void **state) {
    static const char *const texts[] = {"",
                                        "MANIFEST-0000000000000001",
                                        "MANIFEST-000000000000000G\n",
                                        "MANIFEST-1\n",
                                        "MANIFEST-0000000000000000\n",
                                        "MANIFEST-ffffffffffffffff\n",
                                        "MANIFEST-0000000000000001\n\n",
                                        "manifest-0000000000000001\n",
                                        "../../../../../../../pa/ss\n"};
    struct fixture *fixture = fixture_open();
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_bytes(fixture, "test:/db/CURRENT", texts[i], strlen(texts[i]));
        assert_fails(open_manifest(fixture, DIRECTORY, false, true), STOA_CORRUPT,
                     "expected the name of a manifest", fixture->err);
    }
    put_bytes(fixture, "test:/db/CURRENT", "MANIFEST-0000000000000009\n", 26);
    assert_fails(open_manifest(fixture, DIRECTORY, true, false), STOA_CORRUPT,
                 "CURRENT names manifest 0000000000000009 but there is none", fixture->err);
    /* Nobody begins anew where there was something. */
    assert_ok(stoa_vfs_remove(fixture->base.registry, "test:/db/CURRENT", NULL, &fixture->err),
              fixture->err);
    assert_fails(open_manifest(fixture, DIRECTORY, false, true), STOA_CORRUPT,
                 "has 'MANIFEST-0000000000000001' but no CURRENT", fixture->err);
    fixture_close(fixture);
}

static void nothing_is_made_that_was_not_asked_for(void **state) {
    struct fixture *fixture = fixture_open();
    (void)state;
    assert_fails(open_manifest(fixture, "test:/none", true, true), STOA_NOT_FOUND, NULL,
                 fixture->err);
    assert_fails(open_manifest(fixture, "test:/none", false, false), STOA_NOT_FOUND, NULL,
                 fixture->err);
    assert_false(is_there(fixture, "test:/none"));
    assert_ok(open_manifest(fixture, DIRECTORY, true, false), fixture->err);
    assert_fails(stoa_manifest_append(fixture->manifest, &fixture->edits[0].edit, &fixture->err),
                 STOA_INVALID, "open for reading only", fixture->err);
    fixture_close(fixture);
}

/* ---- Logs that are given up ------------------------------------------------------------------ */

static void a_failed_sync_begins_a_new_log(void **state) {
    struct fixture *fixture = fixture_open();
    const stoa_manifest_edit edit = {.last_sequence = 1, .flushed_sequence = 5000};
    (void)state;
    assert_ok(open_manifest(fixture, DIRECTORY, false, false), fixture->err);
    stoa_fault_plan(fixture->base.fault,
                    &(stoa_fault_options){.fail_at = 1, .call = STOA_FAULT_SYNC});
    assert_fails(stoa_manifest_append(fixture->manifest, &edit, &fixture->err), STOA_IO, NULL,
                 fixture->err);
    assert_true(says(fixture, EDITS));
    /* The disk is full: it goes on failing, and nothing is lost. */
    stoa_fault_plan(fixture->base.fault, &(stoa_fault_options){.space_bytes = 100});
    assert_fails(stoa_manifest_append(fixture->manifest, &edit, &fixture->err), STOA_IO, NULL,
                 fixture->err);
    assert_true(says(fixture, EDITS));
    assert_true(is_there(fixture, LOG));
    stoa_fault_plan(fixture->base.fault, NULL);
    assert_ok(stoa_manifest_append(fixture->manifest, &edit, &fixture->err), fixture->err);
    fixture->models[EDITS].flushed_sequence = 5000;
    assert_true(says(fixture, EDITS));
    assert_false(is_there(fixture, LOG));
    assert_true(is_there(fixture, "test:/db/MANIFEST-0000000000000002"));
    close_manifest(fixture);
    assert_ok(open_manifest(fixture, DIRECTORY, false, false), fixture->err);
    assert_true(says(fixture, EDITS));
    fixture_close(fixture);
}

static void an_edit_that_failed_is_not_found_later(void **state) {
    struct fixture *fixture = fixture_open();
    const stoa_manifest_edit edit = {.flushed_sequence = 5000};
    (void)state;
    assert_ok(open_manifest(fixture, DIRECTORY, false, false), fixture->err);
    stoa_fault_plan(fixture->base.fault,
                    &(stoa_fault_options){.fail_at = 1, .call = STOA_FAULT_SYNC});
    assert_fails(stoa_manifest_append(fixture->manifest, &edit, &fixture->err), STOA_IO, NULL,
                 fixture->err);
    close_manifest(fixture);
    assert_ok(open_manifest(fixture, DIRECTORY, false, false), fixture->err);
    assert_true(says(fixture, EDITS));
    fixture_close(fixture);
}

static void long_logs_are_begun_anew(void **state) {
    struct fixture *fixture = fixture_open();
    stoa_file_info info;
    (void)state;
    assert_ok(open_manifest(fixture, DIRECTORY, false, false), fixture->err);
    for (uint64_t i = 1; i < 4000; i++) {
        const stoa_manifest_edit edit = {.flushed_sequence = 1000 + i};
        assert_ok(stoa_manifest_append(fixture->manifest, &edit, &fixture->err), fixture->err);
    }
    close_manifest(fixture);
    assert_false(is_there(fixture, LOG));
    assert_ok(stoa_vfs_stat(fixture->base.registry, "test:/db/MANIFEST-0000000000000002", NULL,
                            &info, &fixture->err),
              fixture->err);
    assert_true(info.size <= 65536 + 64);
    fixture->models[EDITS].flushed_sequence = 4999;
    assert_ok(open_manifest(fixture, DIRECTORY, true, false), fixture->err);
    assert_true(says(fixture, EDITS));
    fixture_close(fixture);
}

/* ---- Others ---------------------------------------------------------------------------------- */

static void a_half_written_record_is_not_there_yet(void **state) {
    struct fixture *fixture = fixture_open();
    size_t starts[8];
    stoa_buffer log;
    stoa_file *file;
    bool changed;
    (void)state;
    read_bytes(fixture, LOG, &log);
    (void)find_records(&log, starts);
    put_bytes(fixture, LOG, log.data, starts[3]);
    assert_ok(open_manifest(fixture, DIRECTORY, true, false), fixture->err);
    assert_ok(stoa_vfs_open(fixture->base.registry, LOG, STOA_OPEN_APPEND, NULL, &file,
                            &fixture->err),
              fixture->err);
    for (size_t at = starts[3]; at < log.size; at++) {
        assert_ok(stoa_manifest_follow(fixture->manifest, &changed, &fixture->err), fixture->err);
        assert_false(changed);
        assert_true(says(fixture, EDITS - 1));
        assert_ok(stoa_file_write(file, log.data + at, 1, &fixture->err), fixture->err);
    }
    assert_ok(stoa_manifest_follow(fixture->manifest, &changed, &fixture->err), fixture->err);
    assert_true(changed);
    assert_true(says(fixture, EDITS));
    /* The writer takes its last edit back, since it could not be synced. */
    assert_ok(stoa_file_truncate(file, starts[3], &fixture->err), fixture->err);
    assert_ok(stoa_manifest_follow(fixture->manifest, &changed, &fixture->err), fixture->err);
    assert_true(changed);
    assert_true(says(fixture, EDITS - 1));
    stoa_file_close(file);
    stoa_buffer_release(&log);
    fixture_close(fixture);
}

/* The holder of the lock, in another process: says when it has it, and then waits for its death, or for
 * that of the test. */
static void hold(const char *directory, int ready, int life) {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_manifest *manifest;
    const stoa_manifest_edit edit = {.flushed_sequence = 77};
    bool has = stoa_pool_create(0, NULL, &pool, NULL) == STOA_OK &&
               stoa_fs_registry_create(pool, &registry, NULL) == STOA_OK;
    if (has) {
        const stoa_manifest_options options = {.context = {.pool = pool},
                                               .file_systems = registry,
                                               .directory = directory,
                                               .create = true};
        has = stoa_manifest_open(&options, &manifest, NULL) == STOA_OK &&
              stoa_manifest_append(manifest, &edit, NULL) == STOA_OK;
    }
    char nothing;
    (void)!write(ready, has ? "y" : "n", 1);
    (void)!read(life, &nothing, 1);
    _exit(0);
}

static void one_process_writes_and_its_death_gives_the_lock_back(void **state) {
    struct fixture *fixture = fixture_open();
    char directory[SUPPORT_PATH_BYTES], holder[64], answer = 0;
    int ready[2], life[2];
    (void)state;
    support_temp_directory(directory);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(life), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(life[1]);
        hold(directory, ready[1], life[0]);
    }
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    snprintf(holder, sizeof holder, "process %ld has it", (long)child);
    assert_fails(open_manifest(fixture, directory, false, true), STOA_LOCKED, holder, fixture->err);
    assert_ok(open_manifest(fixture, directory, true, false), fixture->err);
    assert_int_equal(stoa_manifest_state_of(fixture->manifest)->flushed_sequence, 77);
    close_manifest(fixture);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_ok(open_manifest(fixture, directory, false, true), fixture->err);
    assert_int_equal(stoa_manifest_state_of(fixture->manifest)->flushed_sequence, 77);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(life[i]);
    }
    fixture_close(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_manifest_is_read),
        cmocka_unit_test(the_golden_manifest_is_written),
        cmocka_unit_test(what_is_newer_is_refused_or_passed_over),
        cmocka_unit_test(damaged_fields_are_refused),
        cmocka_unit_test(torn_tails_are_cut),
        cmocka_unit_test(every_flipped_byte_is_found),
        cmocka_unit_test(a_log_that_lost_its_base_is_refused),
        cmocka_unit_test(records_of_another_place_are_refused),
        cmocka_unit_test(current_says_a_name_or_nothing_is_opened),
        cmocka_unit_test(nothing_is_made_that_was_not_asked_for),
        cmocka_unit_test(a_failed_sync_begins_a_new_log),
        cmocka_unit_test(an_edit_that_failed_is_not_found_later),
        cmocka_unit_test(long_logs_are_begun_anew),
        cmocka_unit_test(a_half_written_record_is_not_there_yet),
        cmocka_unit_test(one_process_writes_and_its_death_gives_the_lock_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
