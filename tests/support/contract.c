/* Worlds of the contract's tests and what the tests share. */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TESTS_MAX = 1024, NAME_BYTES = 160, LIST_BYTES = 8192 };

bool contract_has(const contract_world *world, stoa_fs_feature feature) {
    return (world->subject->features & (uint32_t)feature) != 0;
}

bool contract_lacks(const contract_world *world, uint32_t lacks) {
    return (world->subject->lacks & lacks) != 0;
}

const char *contract_at(const contract_world *world, const char *name) {
    static _Thread_local char texts[8][CONTRACT_URI_BYTES];
    static _Thread_local int next;
    char *text = texts[next++ % 8];
    if (world->subject->uri != NULL) {
        world->subject->uri(world, name, text);
    } else {
        int length = snprintf(text, CONTRACT_URI_BYTES, "%s/%s", world->base, name);
        assert_true(length > 0 && length < CONTRACT_URI_BYTES);
    }
    return text;
}

stoa_file *contract_open(contract_world *world, const char *name, stoa_open_mode mode) {
    stoa_file *file = NULL;
    const char *uri = contract_at(world, name);
    assert_ok(stoa_vfs_open(world->registry, uri, mode, NULL, &file, &world->err), world->err);
    assert_string_equal(stoa_file_uri(file), uri);
    return file;
}

void contract_finish(contract_world *world, stoa_file *file) {
    assert_ok(stoa_file_sync(file, &world->err), world->err);
    stoa_file_close(file);
}

void contract_put(contract_world *world, const char *name, const void *bytes, size_t size) {
    if (world->subject->put != NULL) {
        world->subject->put(world, name, bytes, size);
        return;
    }
    const char *slash = strrchr(name, '/');
    if (slash != NULL) {
        char directory[CONTRACT_URI_BYTES];
        (void)snprintf(directory, sizeof directory, "%.*s", (int)(slash - name), name);
        contract_make_directories(world, directory);
    }
    stoa_file *file = contract_open(world, name, STOA_OPEN_REPLACE);
    assert_ok(stoa_file_write(file, bytes, size, &world->err), world->err);
    if (contract_has(world, STOA_FS_WHOLE_WRITES)) {
        assert_ok(stoa_file_sync(file, &world->err), world->err);
    }
    stoa_file_close(file); /* elsewhere a sync would only cost time: some tests put many */
}

void contract_put_text(contract_world *world, const char *name, const char *text) {
    contract_put(world, name, text, strlen(text));
}

void contract_make_directories(contract_world *world, const char *name) {
    if (!contract_lacks(world, CONTRACT_LACKS_DIRECTORIES)) {
        assert_ok(stoa_vfs_make_directories(world->registry, contract_at(world, name), NULL,
                                            &world->err),
                  world->err);
    }
}

void contract_assert_holds(contract_world *world, const char *name, const char *text) {
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(world->registry, contract_at(world, name), NULL, 1 << 20,
                                world->pool, &bytes, &world->err),
              world->err);
    assert_int_equal(bytes.size, strlen(text));
    if (bytes.size > 0) {
        assert_memory_equal(bytes.data, text, bytes.size);
    }
    stoa_buffer_release(&bytes);
}

void contract_assert_named(const contract_world *world, const char *name) {
    if (strstr(world->err.message, contract_at(world, name)) == NULL) {
        print_error("expected '%s' in the message but found: %s\n", contract_at(world, name),
                    world->err.message);
        fail();
    }
}

void contract_assert_open_fails(contract_world *world, const char *name, stoa_open_mode mode,
                                stoa_status status, const char *text) {
    stoa_file *file = NULL;
    assert_fails(stoa_vfs_open(world->registry, contract_at(world, name), mode, NULL, &file,
                               &world->err),
                 status, text, world->err);
    assert_null(file);
    contract_assert_named(world, name);
}

bool contract_exists(contract_world *world, const char *name) {
    bool exists = false;
    assert_ok(stoa_vfs_exists(world->registry, contract_at(world, name), NULL, &exists,
                              &world->err),
              world->err);
    return exists;
}

struct lines {
    bool hides_sizes;
    size_t count;
    char *line[256];
    char text[LIST_BYTES];
    size_t used;
};

static stoa_status add_line(void *user, const char *name, const stoa_file_info *info,
                            stoa_error *err) {
    struct lines *lines = user;
    char *line = lines->text + lines->used;
    size_t room = sizeof lines->text - lines->used;
    int length = lines->hides_sizes && !info->is_directory
                     ? snprintf(line, room, "%s", name)
                     : snprintf(line, room, "%s%s %d", name, info->is_directory ? "/" : "",
                                (int)info->size);
    if (lines->count == 256 || length < 0 || (size_t)length >= room) {
        return stoa_fail(err, STOA_LIMIT, "more entries than this test expects");
    }
    lines->line[lines->count++] = line;
    lines->used += (size_t)length + 1;
    return STOA_OK;
}

static int compare_lines(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void contract_assert_lists(contract_world *world, const char *name, const char *wanted) {
    struct lines lines = {.hides_sizes = (world->subject->ways & CONTRACT_SIZES_ARE_STORED) != 0};
    char found[LIST_BYTES] = "", expected[LIST_BYTES] = "";
    stoa_status status = stoa_vfs_list(world->registry, contract_at(world, name), NULL, add_line,
                                       &lines, &world->err);
    /* Without directories, an empty one may be none. */
    if (status != STOA_NOT_FOUND || wanted[0] != '\0' ||
        !contract_has(world, STOA_FS_NO_DIRECTORIES)) {
        assert_ok(status, world->err);
    }
    qsort(lines.line, lines.count, sizeof lines.line[0], compare_lines);
    for (size_t i = 0, used = 0; i < lines.count; i++) {
        used += (size_t)snprintf(found + used, sizeof found - used, "%s\n", lines.line[i]);
    }
    for (const char *line = wanted; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *size = strchr(line, ' ');
        bool hides = lines.hides_sizes && size[-1] != '/';
        int length = (int)(hides ? size - line : strchr(line, '\n') - line);
        (void)snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%.*s\n",
                       length, line);
    }
    assert_string_equal(found, expected);
}

static int open_world(void **state) {
    contract_world *world = test_calloc(1, sizeof *world);
    world->subject = *state;
    world->pool = support_pool_open();
    world->err = (stoa_error)STOA_ERROR_NONE;
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &world->err), world->err);
    world->subject->open(world);
    if ((world->subject->lacks & CONTRACT_LACKS_DIRECTORIES) == 0) {
        assert_ok(stoa_vfs_make_directories(world->registry, world->base, NULL, &world->err),
                  world->err);
    }
    *state = world;
    return 0;
}

static int close_world(void **state) {
    contract_world *world = *state;
    if (!contract_lacks(world, CONTRACT_LACKS_REMOVE | CONTRACT_LACKS_LIST)) {
        assert_ok(stoa_vfs_remove_tree(world->registry, world->base, NULL, &world->err),
                  world->err);
    }
    stoa_fs_registry_close(world->registry);
    if (world->subject->close != NULL) {
        world->subject->close(world);
    }
    support_pool_close(world->pool);
    test_free(world);
    return 0;
}

static bool concerns(const contract_test *test, const contract_subject *subject) {
    return (test->needs & subject->lacks) == 0 && (test->only & ~subject->features) == 0 &&
           (test->never & subject->features) == 0 && (test->only_ways & ~subject->ways) == 0 &&
           (test->never_ways & subject->ways) == 0;
}

static int run(const contract_subject *subjects, size_t count, bool only_threads) {
    static const contract_test *const groups[] = {contract_reading_tests, contract_writing_tests,
                                                  contract_naming_tests, contract_directory_tests};
    static struct CMUnitTest tests[TESTS_MAX];
    static char names[TESTS_MAX][NAME_BYTES];
    size_t used = 0;
    for (size_t s = 0; s < count; s++) {
        for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
            for (const contract_test *test = groups[g]; test->name != NULL; test++) {
                if (!concerns(test, &subjects[s]) || (only_threads && !test->has_threads)) {
                    continue;
                }
                assert_true(used < TESTS_MAX);
                (void)snprintf(names[used], NAME_BYTES, "%s: %s", subjects[s].name, test->name);
                tests[used] = (struct CMUnitTest){names[used], test->function, open_world,
                                                  close_world, (void *)(uintptr_t)&subjects[s]};
                used++;
            }
        }
    }
    return _cmocka_run_group_tests("contract", tests, used, NULL, NULL);
}

int contract_run(const contract_subject *subjects, size_t count) {
    return run(subjects, count, false);
}

int contract_run_threads(const contract_subject *subjects, size_t count) {
    return run(subjects, count, true);
}
