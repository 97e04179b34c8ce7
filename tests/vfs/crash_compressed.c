/* Packed files and crashes: what was synced is there, what was not is a beginning of it or an error,
 * and never other bytes; what is replaced is the old file or the new one. */
#include "support.h"

#include <string.h>

#include "vfs/compressed.h"

enum { PART_BYTES = 150000, PARTS = 3, SEEDS = 8 };

/* One packed file; `synced` bytes of it were promised by the last run. */
struct packed {
    const char *name;
    size_t synced;
};

static const char *const NAMES[] = {"packed:/d/f.gz", "packed:/d/f.zst", "packed:/d/f.lz4"};
static const size_t NAMES_COUNT = sizeof NAMES / sizeof NAMES[0];
static uint8_t plain[PART_BYTES * PARTS];
static stoa_fs_operations borrowed;

/* "packed:" is the compressed file system before "test:", which stays the world's to close. */
static stoa_status stand_before(support_world *world, stoa_error *err) {
    stoa_fs *stored = NULL;
    stoa_fs fs;
    const char *path = NULL;
    STOA_TRY(stoa_fs_find(world->registry, "test:/x", &stored, &path, err));
    borrowed = *stored->operations;
    borrowed.close = NULL;
    STOA_TRY(stoa_fs_compressed_create(world->pool, (stoa_fs){&borrowed, stored->state},
                                       STOA_PACKING_NONE, &fs, err));
    return stoa_fs_register(world->registry, "packed", fs, err);
}

static stoa_status write_part(support_world *world, const char *name, size_t part,
                              stoa_error *err) {
    stoa_file *file = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_vfs_open(world->registry, name, STOA_OPEN_APPEND, NULL, &file, err));
    STOA_CHECK(stoa_file_write(file, plain + part * PART_BYTES, PART_BYTES, err));
    STOA_CHECK(stoa_file_sync(file, err));

done:
    stoa_file_close(file);
    return status;
}

static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    struct packed *packed = user;
    packed->synced = PART_BYTES;
    STOA_TRY(stand_before(world, err));
    STOA_TRY(stoa_vfs_make_directories(world->registry, "test:/d", NULL, err));
    STOA_TRY(write_part(world, packed->name, 0, err));
    return stoa_vfs_sync_directory(world->registry, "test:/d", NULL, err);
}

/* One handle that syncs in its middle, and one that goes on behind it. */
static stoa_status append(support_world *world, void *user, stoa_error *err) {
    struct packed *packed = user;
    for (size_t part = 1; part < PARTS; part++) {
        STOA_TRY(write_part(world, packed->name, part, err));
        packed->synced += PART_BYTES;
    }
    return STOA_OK;
}

static void check_beginning(support_world *world, void *user, stoa_status status) {
    static uint8_t back[sizeof plain + 1];
    const struct packed *packed = user;
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file = NULL;
    size_t got = 0;
    size_t done = 0;
    assert_true(status != STOA_OK || packed->synced == sizeof plain);
    assert_ok(stoa_vfs_open(world->registry, packed->name, STOA_OPEN_READ, NULL, &file, &err), err);
    do {
        status = stoa_file_read_some(file, done, back + done, 1000, &got, &err);
        done += status == STOA_OK ? got : 0;
    } while (status == STOA_OK && got == 1000 && done <= sizeof plain);
    if (status != STOA_OK && status != STOA_CORRUPT) {
        fail_msg("%s", err.message);
    }
    assert_in_range(done, packed->synced, sizeof plain);
    assert_memory_equal(back, plain, done);
    stoa_file_close(file);
}

static stoa_status replace(support_world *world, void *user, stoa_error *err) {
    const struct packed *packed = user;
    return stoa_vfs_replace(world->registry, packed->name, NULL, plain, sizeof plain, err);
}

static void check_old_or_new(support_world *world, void *user, stoa_status status) {
    const struct packed *packed = user;
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(world->registry, packed->name, NULL, sizeof plain, world->pool,
                                &bytes, &err),
              err);
    assert_true(bytes.size == sizeof plain || (bytes.size == PART_BYTES && status != STOA_OK));
    assert_memory_equal(bytes.data, plain, bytes.size);
    stoa_buffer_release(&bytes);
}

static void no_crash_takes_what_was_synced(void **state) {
    (void)state;
    for (size_t i = 0; i < NAMES_COUNT; i++) {
        struct packed packed = {NAMES[i], 0};
        assert_true(support_crash_at_each_call(prepare, append, check_beginning, SEEDS, &packed) >
                    50);
    }
}

static void no_crash_leaves_half_a_packed_file(void **state) {
    (void)state;
    for (size_t i = 0; i < NAMES_COUNT; i++) {
        struct packed packed = {NAMES[i], 0};
        assert_true(support_crash_at_each_call(prepare, replace, check_old_or_new, SEEDS, &packed) >
                    50);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_crash_takes_what_was_synced),
        cmocka_unit_test(no_crash_leaves_half_a_packed_file),
    };
    for (size_t i = 0; i < sizeof plain; i++) {
        plain[i] = (uint8_t)((i * i) >> 7);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
