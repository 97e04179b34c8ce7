/* S3 with the nth allocation failing, for every n: reported, nothing leaked, and an object is whole
 * or was never there. */
#include "s3_world.h"

#include <string.h>

static s3_world server;

static stoa_status put_file_system(support_world *world, stoa_error *err) {
    stoa_fs fs;
    STOA_TRY(stoa_fs_s3_create(world->pool, &server.options, &fs, err));
    stoa_status status = stoa_fs_register(world->registry, "objects", fs, err);
    if (status != STOA_OK) {
        stoa_fs_close(&fs);
    }
    return status;
}

static stoa_status count_entry(void *user, const char *name, const stoa_file_info *info,
                               stoa_error *err) {
    (void)name;
    (void)info;
    (void)err;
    ++*(int *)user;
    return STOA_OK;
}

static stoa_status write_object(support_world *world, const char *uri, stoa_open_mode mode,
                                const char *text, stoa_error *err) {
    stoa_file *file = NULL;
    STOA_TRY(stoa_vfs_open(world->registry, uri, mode, NULL, &file, err));
    stoa_status status = stoa_file_write(file, text, strlen(text), err);
    if (status == STOA_OK) {
        status = stoa_file_sync(file, err);
    }
    stoa_file_close(file);
    return status;
}

static stoa_status use(support_world *world, void *user, stoa_error *err) {
    char version[64], buffer[8];
    int count = 0;
    stoa_file *file = NULL;
    const stoa_read_range ranges[] = {{0, 2, buffer}, {3, 2, buffer + 3}};
    (void)user;
    STOA_TRY(put_file_system(world, err));
    STOA_TRY(write_object(world, "objects://lake/t/a", STOA_OPEN_REPLACE, "text of a", err));
    STOA_TRY(
        stoa_vfs_open(world->registry, "objects://lake/t/a", STOA_OPEN_READ, NULL, &file, err));
    stoa_status status = stoa_file_read_vector(file, ranges, 2, err);
    stoa_file_close(file);
    STOA_TRY(status);
    STOA_TRY(stoa_vfs_list(world->registry, "objects://lake/t", NULL, count_entry, &count, err));
    STOA_TRY(
        stoa_vfs_rename(world->registry, "objects://lake/t/a", "objects://lake/t/b", NULL, err));
    status = stoa_vfs_put_if(world->registry, "objects://lake/t/c", NULL, "", "c", 1, version, err);
    if (status == STOA_CONFLICT) {
        /* Of a run before. */
        stoa_error_clear(err);
        status = STOA_OK;
    }
    STOA_TRY(status);
    return stoa_vfs_remove_tree(world->registry, "objects://lake/t", NULL, err);
}

static stoa_status upload(support_world *world, void *user, stoa_error *err) {
    static char bytes[(5 << 20) + 3];
    stoa_file *file = NULL;
    (void)user;
    STOA_TRY(put_file_system(world, err));
    STOA_TRY(
        stoa_vfs_open(world->registry, "objects://lake/u", STOA_OPEN_REPLACE, NULL, &file, err));
    stoa_status status = stoa_file_write(file, bytes, sizeof bytes, err);
    if (status == STOA_OK) {
        status = stoa_file_sync(file, err);
    }
    stoa_file_close(file);
    return status;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    support_fail_each_allocation(NULL, use, NULL, NULL);
}

static void every_allocation_of_an_upload_may_fail(void **state) {
    (void)state;
    support_fail_each_allocation(NULL, upload, NULL, NULL);
}

static int open_server(void **state) {
    (void)state;
    s3_world_open(&server, NULL);
    server.options.part_bytes = 5 << 20;
    return 0;
}

static int close_server(void **state) {
    (void)state;
    s3_world_close(&server);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_allocation_of_an_upload_may_fail),
    };
    return cmocka_run_group_tests(tests, open_server, close_server);
}
