/* The cache and staging with every allocation and every call behind them failing: a failure is told
 * or done without, nothing leaks, and no byte is wrong. */
#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "vfs/cache.h"
#include "vfs/stage.h"

enum { SIZE = 3 * 4096 + 7 };

struct scene {
    char cache[SUPPORT_PATH_BYTES];
    char stage[SUPPORT_PATH_BYTES];
    char path[SUPPORT_PATH_BYTES * 2]; /* of the last file that was staged */
};

static uint8_t byte_at(size_t offset) {
    return (uint8_t)(offset * 7 + offset / 4096);
}

static stoa_status put(support_world *world, void *user, stoa_error *err) {
    (void)user;
    uint8_t bytes[SIZE];
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = byte_at(i);
    }
    return stoa_vfs_replace(world->registry, "test:/f.csv", NULL, bytes, SIZE, err);
}

/* "cached:" leads through a cache to what "test:" is. */
static stoa_status forward_open(void *state, const char *path, stoa_open_mode mode,
                                const stoa_context *context, stoa_file **out, stoa_error *err) {
    stoa_fs *fs = NULL;
    const char *ignored = NULL;
    STOA_TRY(stoa_fs_find(state, "test:/", &fs, &ignored, err));
    return fs->operations->open(fs->state, path, mode, context, out, err);
}

static stoa_status forward_stat(void *state, const char *path, const stoa_context *context,
                                stoa_file_info *out, stoa_error *err) {
    stoa_fs *fs = NULL;
    const char *ignored = NULL;
    STOA_TRY(stoa_fs_find(state, "test:/", &fs, &ignored, err));
    return fs->operations->stat(fs->state, path, context, out, err);
}

static stoa_status add_cached(support_world *world, const struct scene *scene, stoa_error *err) {
    static const stoa_fs_operations operations = {.open = forward_open, .stat = forward_stat};
    const stoa_cache_options options = {.directory = scene->cache, .block_bytes = 4096};
    stoa_fs inner = {&operations, world->registry};
    stoa_fs fs = {0};
    stoa_cache *cache = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_cache_create(world->pool, &options, &cache, err));
    STOA_CHECK(stoa_fs_cached_create(world->pool, inner, "test:", cache, &fs, err));
    STOA_CHECK(stoa_fs_register(world->registry, "cached", fs, err));
    fs = (stoa_fs){0};

done:
    stoa_fs_close(&fs);
    stoa_cache_close(cache);
    return status;
}

static stoa_status check_copy(support_world *world, const char *path, stoa_error *err) {
    stoa_buffer bytes;
    STOA_TRY(stoa_vfs_read_all(world->registry, path, NULL, SIZE + 1, world->pool, &bytes, err));
    bool is_right = bytes.size == SIZE;
    for (size_t i = 0; is_right && i < SIZE; i++) {
        is_right = bytes.data[i] == byte_at(i);
    }
    stoa_buffer_release(&bytes);
    return is_right ? STOA_OK : stoa_fail(err, STOA_INTERNAL, "the copy has other bytes");
}

static stoa_status read_and_stage(support_world *world, void *user, stoa_error *err) {
    const struct scene *scene = user;
    const stoa_context context = {.pool = world->pool};
    const char *path = NULL;
    stoa_stage *stage = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(add_cached(world, scene, err));
    STOA_CHECK(check_copy(world, "cached:/f.csv", err));
    STOA_CHECK(stoa_stage_create(world->registry, scene->stage, world->pool, &stage, err));
    STOA_CHECK(stoa_stage_add(stage, "cached:/f.csv", true, &context, &path, err));
    STOA_CHECK(check_copy(world, path, err));
    STOA_CHECK(stoa_stage_add(stage, "test:/f.csv", true, &context, &path, err));
    STOA_CHECK(check_copy(world, path, err));

done:
    stoa_stage_close(stage);
    return status;
}

/* The stage took its files along. */
static void check_empty(support_world *world, void *user, stoa_status status) {
    const struct scene *scene = user;
    (void)world, (void)status;
    DIR *directory = opendir(scene->stage);
    for (struct dirent *entry = directory == NULL ? NULL : readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        if (entry->d_name[0] != '.') {
            fail_msg("'%s' was left behind", entry->d_name);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
}

static void failing_calls_are_told(void **state) {
    (void)state;
    struct scene scene = {0};
    support_temp_directory(scene.cache);
    support_temp_directory(scene.stage);
    assert_true(support_fail_each_call(put, read_and_stage, check_empty, &scene) > 8);
}

static void failing_allocations_are_told_or_done_without(void **state) {
    (void)state;
    struct scene scene = {0};
    support_temp_directory(scene.cache);
    support_temp_directory(scene.stage);
    assert_true(support_fail_each_allocation(put, read_and_stage, NULL, &scene) > 20);
}

static stoa_status note_path(support_world *world, struct scene *scene, const char *uri,
                             stoa_error *err) {
    const stoa_context context = {.pool = world->pool};
    const char *path = NULL;
    stoa_stage *stage = NULL;
    STOA_TRY(stoa_stage_create(world->registry, scene->stage, world->pool, &stage, err));
    stoa_status status = stoa_stage_add(stage, uri, true, &context, &path, err);
    if (status == STOA_OK) {
        (void)snprintf(scene->path, sizeof scene->path, "%s", path + strlen(scene->stage));
    }
    if (status == STOA_OK && err != NULL) {
        stoa_fail(err, STOA_INVALID, "in '%s' and in \"%s\"", path, path);
        stoa_stage_explain(stage, err);
    }
    stoa_stage_close(stage);
    return status;
}

static void names_keep_their_ends_and_lead_nowhere_else(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"test:/d/y=2024/f.csv.gz", "/0/d/y=2024/f.csv.gz"},
        {"test:/a*b?[c].csv", "/0/a_b__c_.csv"},
        {"test:/new\nline.csv", "/0/new_line.csv"},
    };
    struct scene scene = {0};
    support_world world;
    stoa_error err = STOA_ERROR_NONE;
    support_world_open(&world);
    support_temp_directory(scene.stage);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char directory[64], wanted[128];
        (void)snprintf(directory, sizeof directory, "%.*s",
                       (int)(strrchr(names[i][0], '/') - names[i][0]), names[i][0]);
        assert_ok(stoa_vfs_make_directories(world.registry, directory, NULL, &err), err);
        assert_ok(stoa_vfs_replace(world.registry, names[i][0], NULL, "x", 1, &err), err);
        assert_ok(note_path(&world, &scene, names[i][0], &err), err);
        assert_non_null(strstr(scene.path, names[i][1]));
        (void)snprintf(wanted, sizeof wanted, "in '%s' and in \"%s\"", names[i][0], names[i][0]);
        assert_string_equal(err.message, wanted);
        err = (stoa_error)STOA_ERROR_NONE;
    }
    support_world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_calls_are_told),
        cmocka_unit_test(failing_allocations_are_told_or_done_without),
        cmocka_unit_test(names_keep_their_ends_and_lead_nowhere_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
