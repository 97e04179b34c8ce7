/* The log, one rule a test: what it gives back, where it is cut, what it calls damage, what it does on a
 * full disk and after a sync that failed. */
#include "wal_world.h"

static support_world disk;
static wal_world world;
static stoa_error err;
static char log_text[512];

static void keep_line(void *user, stoa_log_level level, const char *module, const char *message) {
    (void)user, (void)module;
    assert_int_equal(level, STOA_LOG_WARN);
    (void)snprintf(log_text, sizeof log_text, "%s", message);
}

static int set_up(void **state) {
    static const stoa_logger logger = {.function = keep_line, .level = STOA_LOG_WARN};
    (void)state;
    err = (stoa_error)STOA_ERROR_NONE;
    log_text[0] = '\0';
    support_world_open(&disk);
    world = (wal_world){.pool = disk.pool,
                        .registry = disk.registry,
                        .directory = "test:/log",
                        .boot = "one",
                        .logger = &logger};
    assert_ok(stoa_vfs_make_directories(disk.registry, world.directory, NULL, &err), err);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    wal_close(&world);
    support_world_close(&disk);
    return 0;
}

static const char *uri_of(uint64_t number) {
    static char text[SUPPORT_PATH_BYTES + 32];
    (void)snprintf(text, sizeof text, "%s/" STOA_WAL_NAME, world.directory, number);
    return text;
}

static bool is_there(uint64_t number) {
    bool there;
    assert_ok(stoa_vfs_exists(world.registry, uri_of(number), NULL, &there, &err), err);
    return there;
}

/* Changes bytes of a segment behind the log's back. */
static void change(uint64_t number, uint64_t offset, const void *bytes, size_t size) {
    void *map;
    stoa_file *file;
    assert_ok(stoa_vfs_open(world.registry, uri_of(number), STOA_OPEN_UPDATE, NULL, &file, &err),
              err);
    assert_ok(stoa_file_map_write(file, offset + size, &map, &err), err);
    memcpy((uint8_t *)map + offset, bytes, size);
    stoa_file_close(file);
}

static void flip(uint64_t number, uint64_t offset) {
    uint8_t byte;
    stoa_file *file;
    assert_ok(stoa_vfs_open(world.registry, uri_of(number), STOA_OPEN_READ, NULL, &file, &err),
              err);
    assert_ok(stoa_file_read(file, offset, &byte, 1, &err), err);
    stoa_file_close(file);
    byte ^= 4;
    change(number, offset, &byte, 1);
}

static void assert_damaged(uint64_t number, uint64_t offset, const char *why) {
    char text[64];
    (void)snprintf(text, sizeof text, STOA_WAL_NAME "': byte %" PRIu64 ":", number, offset);
    assert_fails(wal_try_open(&world, &err), STOA_CORRUPT, text, err);
    assert_non_null(strstr(err.message, why));
    assert_non_null(strstr(err.file, world.directory));
    assert_int_equal(err.offset, (int64_t)offset);
}

/* Where record `number` begins. */
static uint64_t begin_of(int64_t number) {
    return number > 0 && world.ends[number - 1].segment == world.ends[number].segment
               ? world.ends[number - 1].offset
               : sizeof(stoa_wal_header);
}

static void reopen(const char *boot) {
    wal_close(&world);
    (void)snprintf(world.boot, sizeof world.boot, "%s", boot);
    wal_open(&world);
}

/* ---- What is there ---------------------------------------------------------------------------- */

static void an_empty_log_has_no_files(void **state) {
    (void)state;
    wal_open(&world);
    assert_int_equal(stoa_wal_end(world.log).offset, 0);
    assert_ok(wal_sync(&world, &err), err);
    assert_false(is_there(1));
    reopen("one");
    assert_int_equal(world.count, 0);
}

static void records_come_back_in_order(void **state) {
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 300);
    assert_true(world.ends[299].segment > 5);
    reopen("one");
    assert_int_equal(world.count, 300);
    wal_append_many(&world, 10);
    reopen("two");
    assert_int_equal(world.count, 310);
    wal_append_many(&world, 10);
    reopen("two");
    assert_int_equal(world.count, 320);
    assert_string_equal(log_text, "");
}

static void a_process_goes_on_in_the_same_segment(void **state) {
    (void)state;
    world.segment_bytes = 64 << 10;
    wal_open(&world);
    for (int i = 0; i < 20; i++) {
        wal_append_many(&world, 1);
        reopen("one");
    }
    assert_int_equal(world.ends[19].segment, 1);
    reopen("two");
    wal_append_many(&world, 1);
    assert_int_equal(world.ends[20].segment, 2);
}

static void a_record_that_is_given_up_is_not_there(void **state) {
    uint8_t *out;
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 1);
    assert_ok(stoa_wal_reserve(world.log, 500, &out, &err), err);
    memset(out, 0xFF, 500);
    reopen("one");
    assert_int_equal(world.count, 1);
    assert_ok(stoa_wal_reserve(world.log, 500, &out, &err), err);
    memset(out, 0xFF, 500);
    wal_append_many(&world, 1);
    reopen("one");
    assert_int_equal(world.count, 2);
}

static void large_records_have_segments_of_their_own(void **state) {
    enum { LARGE = 3 << 20 };
    uint8_t *out;
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 3);
    assert_ok(stoa_wal_prepare(world.log, &err), err);
    assert_fails(stoa_wal_reserve(world.log, (size_t)STOA_WAL_PAYLOAD_MAX + 1, &out, &err),
                 STOA_LIMIT, "at most 1073741824", err);
    assert_ok(stoa_wal_reserve(world.log, LARGE, &out, &err), err);
    memset(out, 7, LARGE);
    const stoa_wal_position end = stoa_wal_commit(world.log);
    assert_int_equal(end.segment, 2);
    assert_int_equal(end.offset, sizeof(stoa_wal_header) + sizeof(stoa_wal_head) + LARGE);
    assert_ok(stoa_wal_sync(world.log, end, &err), err);
}

static stoa_status count_bytes(void *user, stoa_wal_position end, const uint8_t *payload,
                               size_t size, stoa_error *e) {
    (void)end, (void)payload, (void)e;
    *(size_t *)user += size;
    return STOA_OK;
}

static stoa_status refuse(void *user, stoa_wal_position end, const uint8_t *payload, size_t size,
                          stoa_error *e) {
    (void)user, (void)end, (void)payload, (void)size;
    return stoa_fail(e, STOA_LIMIT, "no room for more");
}

static void what_replaying_answers_ends_the_opening(void **state) {
    stoa_wal *log = NULL;
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 1);
    wal_close(&world);
    const stoa_wal_options options = wal_options(&world, false);
    assert_fails(stoa_wal_open(&options, 0, refuse, NULL, &log, &err), STOA_LIMIT, "no room", err);
    assert_null(log);
}

/* ---- Segments --------------------------------------------------------------------------------- */

static void released_segments_are_used_again(void **state) {
    stoa_wal_figures figures;
    (void)state;
    world.segment_bytes = WAL_SEGMENT_BYTES;
    wal_open(&world);
    for (int i = 0; i < 40; i++) {
        wal_append_many(&world, 20);
        assert_ok(wal_flush(&world, &err), err);
        assert_ok(stoa_wal_prepare(world.log, &err), err);
    }
    stoa_wal_figures_of(world.log, &figures);
    assert_int_equal(figures.records, 800);
    assert_true(figures.segments_reused > 30);
    assert_true(figures.segments_made < 40);
    reopen("one");
    assert_int_equal(world.replayed, wal_first(&world));
    wal_append_many(&world, 20);
    stoa_wal_figures_of(world.log, &figures);
    assert_int_equal(figures.segments_made + figures.segments_reused, figures.waits);
    assert_true(figures.segments_reused > 0);
}

static void a_new_log_begins_small(void **state) {
    stoa_file_info info;
    stoa_wal_figures figures;
    size_t bytes = 0;
    (void)state;
    world.segment_bytes = 8 << 20;
    wal_open(&world);
    assert_false(stoa_wal_wants_prepare(world.log));
    for (uint64_t size = 1 << 20, number = 1; number <= 5; number++) {
        uint8_t *out;
        assert_ok(stoa_wal_reserve(world.log, 700000, &out, &err), err);
        memset(out, 1, 700000);
        assert_int_equal(stoa_wal_commit(world.log).segment, number);
        assert_ok(stoa_vfs_stat(world.registry, uri_of(number), NULL, &info, &err), err);
        assert_int_equal(info.size, size);
        size = size < 8 << 20 ? 2 * size : size;
        assert_int_equal(stoa_wal_wants_prepare(world.log), number != 3); /* it was prepared */
        uint64_t next;
        assert_ok(stoa_wal_rotate(world.log, &next, &err), err);
        assert_int_equal(next, number + 1);
        assert_ok(stoa_wal_rotate(world.log, &next, &err), err);
        assert_int_equal(next, number + 1);
        assert_ok(number == 2 ? stoa_wal_prepare(world.log, &err) : STOA_OK, err);
    }
    stoa_wal_figures_of(world.log, &figures);
    assert_int_equal(figures.waits, 4);
    wal_close(&world);
    const stoa_wal_options options = wal_options(&world, false);
    assert_ok(stoa_wal_open(&options, 0, count_bytes, &bytes, &world.log, &err), err);
    assert_int_equal(bytes, 5 * 700000);
}

/* A sync writes whole large pages: who syncs often leaves the segment that has them. */
static void syncs_end_a_segment_of_large_pages(void **state) {
    uint64_t before = 0;
    (void)state;
    world.segment_bytes = 8 << 20;
    wal_open(&world);
    for (int i = 0; i < 2; i++) { /* the second in one of 2 MiB */
        uint8_t *out;
        assert_ok(stoa_wal_reserve(world.log, 700000, &out, &err), err);
        memset(out, 1, 700000);
        before = stoa_wal_commit(world.log).segment;
    }
    for (int i = 0; i < 10; i++) {
        wal_append_many(&world, 1);
        assert_ok(wal_sync(&world, &err), err);
    }
    assert_int_equal(stoa_wal_end(world.log).segment, before);
    for (int i = 0; i < 100; i++) {
        wal_append_many(&world, 1);
        assert_ok(wal_sync(&world, &err), err);
    }
    assert_int_equal(stoa_wal_end(world.log).segment, before + 1);
}

static void without_writable_maps_there_is_no_log(void **state) {
    uint8_t *out;
    (void)state;
    char base[SUPPORT_PATH_BYTES];
    support_temp_directory(base);
    (void)snprintf(world.directory, sizeof world.directory, "%s", base);
    wal_open(&world);
    stoa_maps_allow(false);
    assert_fails(stoa_wal_reserve(world.log, 1, &out, &err), STOA_UNSUPPORTED, "no mapped", err);
    stoa_maps_allow(true);
    wal_append_many(&world, 3);
}

/* Written by the first version. */
static void golden_segments_are_read(void **state) {
    (void)state;
    for (uint64_t number = 1; number <= 2; number++) {
        char path[64];
        stoa_buffer bytes;
        (void)snprintf(path, sizeof path, "tests/lsm/golden/wal-1/" STOA_WAL_NAME, number);
        assert_ok(stoa_vfs_read_all(world.registry, path, NULL, 1 << 20, world.pool, &bytes, &err),
                  err);
        assert_ok(stoa_vfs_replace(world.registry, uri_of(number), NULL, bytes.data, bytes.size,
                                   &err),
                  err);
        stoa_buffer_release(&bytes);
    }
    /* 12 records, a sync, 8, the end, 10 in another segment. */
    static const uint64_t offsets[] = {96,  144, 200,  240,  272,  312,  344,  512,  552,  592,
                                       888, 984, 1952, 1992, 2240, 2272, 2328, 2536, 2680, 2952,
                                       120, 168, 216,  528,  568,  616,  904,  960,  1000, 1048};
    world.count = sizeof offsets / sizeof *offsets;
    for (int64_t i = 0; i < world.count; i++) {
        world.ends[i] = (stoa_wal_position){i < 20 ? 1 : 2, offsets[i]};
    }
    world.synced = world.count;
    (void)snprintf(world.boot, sizeof world.boot, "golden");
    wal_open(&world);
    assert_int_equal(world.count, 30);
    wal_append_many(&world, 1);
    assert_int_equal(world.ends[30].segment, 2);
    reopen("another");
    assert_int_equal(world.count, 31);
}

/* ---- Torn and damaged -------------------------------------------------------------------------- */

static void a_torn_tail_is_cut_with_a_warning(void **state) {
    char text[64];
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 40);
    assert_ok(wal_sync(&world, &err), err);
    wal_append_many(&world, 60);
    const int64_t torn = 70;
    flip(world.ends[torn].segment, begin_of(torn) + sizeof(stoa_wal_head));
    reopen("two");
    assert_int_equal(world.count, torn);
    (void)snprintf(text, sizeof text, "is cut at byte %" PRIu64 ":", begin_of(torn));
    assert_non_null(strstr(log_text, text));
    /* What is behind is gone for good, also when nothing was appended. */
    log_text[0] = '\0';
    world.life = 1;
    wal_append_many(&world, 30);
    reopen("three");
    assert_int_equal(world.count, torn + 30);
    assert_string_equal(log_text, "");
}

/* The last segment has a record that was not synced, and its header has another salt. */
static void a_torn_header_is_a_segment_that_has_not_begun(void **state) {
    const uint8_t zeros[64] = {0};
    uint64_t segment;
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 3);
    assert_ok(wal_sync(&world, &err), err);
    assert_ok(stoa_wal_rotate(world.log, &segment, &err), err);
    wal_append_many(&world, 1);
    wal_close(&world);
    flip(segment, offsetof(stoa_wal_header, salt));
    assert_damaged(segment, 0, "checksum of the header");
    (void)snprintf(world.boot, sizeof world.boot, "two");
    assert_damaged(segment, 0, "checksum of the header"); /* the record was made with it */
    change(segment, sizeof(stoa_wal_header), zeros, sizeof zeros);
    wal_open(&world);
    assert_int_equal(world.count, 3);
    wal_append_many(&world, 2);
    reopen("three");
    assert_int_equal(world.count, 5);
}

static void what_was_synced_cannot_be_torn(void **state) {
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 40);
    assert_ok(wal_sync(&world, &err), err);
    wal_append_many(&world, 1); /* says so */
    flip(world.ends[30].segment, world.ends[30].offset - 1);
    wal_close(&world);
    (void)snprintf(world.boot, sizeof world.boot, "two");
    assert_damaged(world.ends[30].segment, begin_of(30), "says that it was synced");
}

static void in_the_same_run_nothing_can_be_torn(void **state) {
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 40);
    wal_close(&world);
    for (int64_t i = 39; i >= 10; i -= 29) { /* the last one, and one in the middle */
        for (size_t at = 0; at < sizeof(stoa_wal_head) + 1; at++) {
            flip(world.ends[i].segment, begin_of(i) + at);
            assert_damaged(world.ends[i].segment, begin_of(i), "has been running since");
            flip(world.ends[i].segment, begin_of(i) + at);
        }
    }
    wal_open(&world);
    assert_int_equal(world.count, 40);
}

static void a_missing_segment_is_damage(void **state) {
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 100);
    wal_close(&world);
    assert_ok(stoa_vfs_remove(world.registry, uri_of(2), NULL, &err), err);
    (void)snprintf(world.boot, sizeof world.boot, "two");
    assert_damaged(2, 0, "later segments have records");
}

static void headers_are_checked(void **state) {
    stoa_wal_header header = {.magic = STOA_WAL_MAGIC, .version = STOA_WAL_VERSION + 1};
    header.crc = stoa_wal_header_crc(&header);
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 1);
    wal_close(&world);
    for (uint64_t at = 0; at < sizeof header; at++) {
        flip(1, at);
        assert_int_equal(wal_try_open(&world, &err), STOA_CORRUPT);
        assert_non_null(strstr(err.message, "0000000000000001.log"));
        flip(1, at);
    }
    wal_open(&world);
    wal_close(&world);
    change(1, 0, &header, sizeof header);
    assert_fails(wal_try_open(&world, &err), STOA_UNSUPPORTED,
                 "expected a version up to 1 but found 2", err);
    header = (stoa_wal_header){0};
    change(1, 0, &header, sizeof header);
    assert_fails(wal_try_open(&world, &err), STOA_CORRUPT, "it is not a segment", err);
}

/* What a power cut may leave of a file that was used again: its new name and its old header. */
static void a_segment_with_an_earlier_header_has_not_begun(void **state) {
    (void)state;
    world.segment_bytes = WAL_SEGMENT_BYTES;
    wal_open(&world);
    wal_append_many(&world, 30);
    assert_ok(wal_sync(&world, &err), err);
    const uint64_t last = world.ends[29].segment;
    wal_close(&world);
    assert_ok(stoa_vfs_rename(world.registry, strcpy((char[600]){0}, uri_of(1)), uri_of(last + 1),
                              NULL, &err),
              err);
    world.first_segment = 2;
    wal_open(&world);
    assert_int_equal(world.count, 30);
    assert_false(is_there(last + 1));
}

static void a_file_that_was_cut_short_ends_there(void **state) {
    stoa_file *file;
    (void)state;
    world.segment_bytes = 64 << 10;
    wal_open(&world);
    wal_append_many(&world, 50);
    wal_close(&world);
    assert_ok(stoa_vfs_open(world.registry, uri_of(1), STOA_OPEN_APPEND, NULL, &file, &err), err);
    assert_ok(stoa_file_truncate(file, world.ends[20].offset + 3, &err), err);
    stoa_file_close(file);
    wal_open(&world);
    assert_int_equal(world.count, 21);
    world.life = 1;
    wal_append_many(&world, 50);
    reopen("one");
    assert_int_equal(world.count, 71);
}

static void names_of_other_files_do_not_matter(void **state) {
    static const char *const names[] = {"MANIFEST", "0000000000000001.sst", "0000000000000001.log~",
                                        "000000000000000A.log", "1.log"};
    char uri[64];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(uri, sizeof uri, "test:/log/%s", names[i]);
        assert_ok(stoa_vfs_replace(world.registry, uri, NULL, "x", 1, &err), err);
    }
    wal_open(&world);
    wal_append_many(&world, 5);
    reopen("one");
    assert_int_equal(world.count, 5);
    wal_close(&world);
    assert_ok(stoa_vfs_replace(world.registry, "test:/log/ffffffffffffffff.log", NULL, "x", 1,
                               &err),
              err);
    assert_fails(wal_try_open(&world, &err), STOA_CORRUPT, "ffffffffffffffff.log", err);
}

/* ---- Trouble with the disk ---------------------------------------------------------------------- */

static void a_full_disk_refuses_and_recovers(void **state) {
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 5);
    /* Space is set aside by calls that count as writes. */
    stoa_fault_plan(disk.fault, &(stoa_fault_options){.fail_at = 1,
                                                      .call = STOA_FAULT_WRITE,
                                                      .fails_on = true});
    stoa_status status = STOA_OK;
    while (status == STOA_OK) {
        status = wal_append(&world, &err);
    }
    assert_int_equal(status, STOA_IO);
    const int64_t count = world.count;
    assert_int_equal(wal_append(&world, &err), STOA_IO);
    assert_int_equal(stoa_wal_prepare(world.log, &err), STOA_IO);
    stoa_fault_plan(disk.fault, NULL);
    assert_ok(wal_sync(&world, &err), err);
    wal_append_many(&world, 50);
    reopen("one");
    assert_int_equal(world.count, count + 50);
}

static void a_failed_sync_is_final(void **state) {
    uint8_t *out;
    uint64_t segment;
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 5);
    assert_ok(wal_sync(&world, &err), err);
    wal_append_many(&world, 1);
    stoa_fault_plan(disk.fault, &(stoa_fault_options){.fail_at = 1, .call = STOA_FAULT_SYNC});
    assert_fails(wal_sync(&world, &err), STOA_IO, "0000000000000001", err);
    stoa_fault_plan(disk.fault, NULL);
    assert_fails(wal_sync(&world, &err), STOA_IO, "an earlier sync of the log failed", err);
    assert_fails(stoa_wal_reserve(world.log, 1, &out, &err), STOA_IO, "an earlier sync", err);
    assert_fails(stoa_wal_rotate(world.log, &segment, &err), STOA_IO, "an earlier sync", err);
    assert_fails(stoa_wal_prepare(world.log, &err), STOA_IO, "an earlier sync", err);
    reopen("one");
    assert_int_equal(world.count, 6);
}

static void a_sync_that_cannot_begin_can_be_tried_again(void **state) {
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 50);
    reopen("one"); /* earlier segments are opened when they are synced */
    stoa_fault_plan(disk.fault, &(stoa_fault_options){.fail_at = 1, .call = STOA_FAULT_OPEN});
    assert_fails(wal_sync(&world, &err), STOA_IO, "cannot update", err);
    assert_ok(wal_sync(&world, &err), err);
    support_world_crash(&disk, STOA_CRASH_DROP, 0);
    reopen("two");
    assert_int_equal(world.count, 50);
}

/* ---- Others who read ---------------------------------------------------------------------------- */

static void a_damaged_record_stops_who_follows(void **state) {
    stoa_wal *follower;
    size_t bytes = 0;
    (void)state;
    world.segment_bytes = 64 << 10;
    wal_open(&world);
    wal_append_many(&world, 5);
    const stoa_wal_options options = wal_options(&world, true);
    assert_ok(stoa_wal_open(&options, 0, count_bytes, &bytes, &follower, &err), err);
    wal_append_many(&world, 1);
    flip(1, begin_of(5) + sizeof(stoa_wal_head));
    const size_t before = bytes;
    assert_fails(stoa_wal_follow(follower, count_bytes, &bytes, &err), STOA_CORRUPT,
                 "expected a whole record", err);
    assert_int_equal(bytes, before);
    flip(1, begin_of(5) + sizeof(stoa_wal_head));
    assert_ok(stoa_wal_follow(follower, count_bytes, &bytes, &err), err);
    assert_true(bytes > before);
    stoa_wal_close(follower);
}

static void reading_changes_nothing(void **state) {
    stoa_wal *follower;
    size_t bytes = 0;
    (void)state;
    wal_open(&world);
    wal_append_many(&world, 60);
    flip(world.ends[55].segment, begin_of(55) + 3);
    (void)snprintf(world.boot, sizeof world.boot, "two");
    stoa_wal_options options = wal_options(&world, true);
    assert_ok(stoa_wal_open(&options, 0, count_bytes, &bytes, &follower, &err), err);
    assert_ok(stoa_wal_follow(follower, count_bytes, &bytes, &err), err);
    stoa_wal_close(follower);
    flip(world.ends[55].segment, begin_of(55) + 3);
    reopen("one");
    assert_int_equal(world.count, 60);
    assert_string_equal(log_text, "");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_empty_log_has_no_files),
        TEST(records_come_back_in_order),
        TEST(a_process_goes_on_in_the_same_segment),
        TEST(a_record_that_is_given_up_is_not_there),
        TEST(large_records_have_segments_of_their_own),
        TEST(what_replaying_answers_ends_the_opening),
        TEST(released_segments_are_used_again),
        TEST(a_new_log_begins_small),
        TEST(syncs_end_a_segment_of_large_pages),
        TEST(without_writable_maps_there_is_no_log),
        TEST(golden_segments_are_read),
        TEST(a_torn_tail_is_cut_with_a_warning),
        TEST(a_torn_header_is_a_segment_that_has_not_begun),
        TEST(what_was_synced_cannot_be_torn),
        TEST(in_the_same_run_nothing_can_be_torn),
        TEST(a_missing_segment_is_damage),
        TEST(headers_are_checked),
        TEST(a_segment_with_an_earlier_header_has_not_begun),
        TEST(a_file_that_was_cut_short_ends_there),
        TEST(names_of_other_files_do_not_matter),
        TEST(a_full_disk_refuses_and_recovers),
        TEST(a_failed_sync_is_final),
        TEST(a_sync_that_cannot_begin_can_be_tried_again),
        TEST(a_damaged_record_stops_who_follows),
        TEST(reading_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
