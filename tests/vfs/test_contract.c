/* What every file system promises, run over each: local, memory, and the fault file system before
 * both with short reads. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { URI_BYTES = 1024 };

struct backend {
    const char *name;
    bool is_local;
    bool has_faults;
};

struct world {
    const struct backend *backend;
    stoa_pool *pool;
    stoa_fs_registry *registry;
    char base[SUPPORT_PATH_BYTES + 16];
    stoa_error err;
};

static const struct backend backends[] = {
    {"local", true, false},
    {"memory", false, false},
    {"faults before local", true, true},
    {"faults before memory", false, true},
};

static int open_world(void **state) {
    struct world *world = test_calloc(1, sizeof *world);
    world->backend = *state;
    world->pool = support_pool_open();
    world->err = (stoa_error)STOA_ERROR_NONE;
    stoa_error err = STOA_ERROR_NONE;
    char directory[SUPPORT_PATH_BYTES];
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
    const char *scheme = world->backend->is_local ? "" : "memory:";
    if (world->backend->has_faults) {
        stoa_fs inner = stoa_fs_local(), fs;
        stoa_fault *fault;
        if (!world->backend->is_local) {
            assert_ok(stoa_fs_memory_create(world->pool, &inner, &err), err);
        }
        assert_ok(stoa_fs_fault_create(world->pool, inner, &fs, &fault, &err), err);
        assert_ok(stoa_fs_register(world->registry, "faults", fs, &err), err);
        stoa_fault_plan(fault, &(stoa_fault_options){.shortens_reads = true, .seed = 42});
        scheme = "faults:";
    }
    support_temp_directory(directory);
    (void)snprintf(world->base, sizeof world->base, "%s%s", scheme,
                   world->backend->is_local ? directory : "/base");
    assert_ok(stoa_vfs_make_directories(world->registry, world->base, NULL, &err), err);
    *state = world;
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    assert_ok(stoa_vfs_remove_tree(world->registry, world->base, NULL, &err), err);
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
    test_free(world);
    return 0;
}

/* The URI of `name` below the world's base; a few are alive at a time. */
static const char *at(struct world *world, const char *name) {
    static char texts[4][URI_BYTES];
    static int next;
    char *text = texts[next++ % 4];
    (void)snprintf(text, URI_BYTES, "%s/%s", world->base, name);
    return text;
}

static stoa_file *open_file(struct world *world, const char *name, stoa_open_mode mode) {
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(world->registry, at(world, name), mode, NULL, &file, &world->err),
              world->err);
    assert_string_equal(stoa_file_uri(file), at(world, name));
    return file;
}

static void write_file(struct world *world, const char *name, const char *text) {
    stoa_file *file = open_file(world, name, STOA_OPEN_REPLACE);
    assert_ok(stoa_file_write(file, text, strlen(text), &world->err), world->err);
    assert_ok(stoa_file_sync(file, &world->err), world->err);
    stoa_file_close(file);
}

static void assert_holds(struct world *world, const char *name, const char *text) {
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(world->registry, at(world, name), NULL, 1 << 20, world->pool,
                                &bytes, &world->err),
              world->err);
    assert_int_equal(bytes.size, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.size);
    stoa_buffer_release(&bytes);
}

static void assert_open_fails(struct world *world, const char *name, stoa_open_mode mode,
                              stoa_status status, const char *text) {
    stoa_file *file = NULL;
    assert_fails(stoa_vfs_open(world->registry, at(world, name), mode, NULL, &file, &world->err),
                 status, text, world->err);
    assert_null(file);
    assert_non_null(strstr(world->err.message, at(world, name)));
}

static void ranges_are_read_where_they_lie(void **state) {
    struct world *world = *state;
    char buffer[16] = "";
    size_t size = 99;
    uint64_t file_size = 0;
    write_file(world, "f", "0123456789");
    stoa_file *file = open_file(world, "f", STOA_OPEN_READ);
    assert_ok(stoa_file_size(file, &file_size, &world->err), world->err);
    assert_int_equal(file_size, 10);
    assert_ok(stoa_file_read(file, 3, buffer, 4, &world->err), world->err);
    assert_memory_equal(buffer, "3456", 4);
    assert_ok(stoa_file_read(file, 10, buffer, 0, &world->err), world->err);
    assert_ok(stoa_file_read_some(file, 8, buffer, 16, &size, &world->err), world->err);
    assert_int_equal(size, 2);
    assert_memory_equal(buffer, "89", 2);
    assert_ok(stoa_file_read_some(file, 1000, buffer, 16, &size, &world->err), world->err);
    assert_int_equal(size, 0);
    stoa_file_close(file);
}

static void reading_past_the_end_says_how_much_there_was(void **state) {
    struct world *world = *state;
    char buffer[16];
    write_file(world, "f", "0123456789");
    stoa_file *file = open_file(world, "f", STOA_OPEN_READ);
    assert_fails(stoa_file_read(file, 8, buffer, 5, &world->err), STOA_CORRUPT,
                 "expected 5 bytes but the file ends after 2", world->err);
    assert_int_equal(world->err.offset, 8);
    assert_fails(stoa_file_read(file, INT64_MAX, buffer, 5, &world->err), STOA_INVALID, NULL,
                 world->err);
    assert_fails(stoa_file_read(file, UINT64_MAX, buffer, 5, &world->err), STOA_INVALID, NULL,
                 world->err);
    stoa_file_close(file);
}

static void vectored_reads_fill_every_range(void **state) {
    struct world *world = *state;
    char a[4] = "", b[4] = "", c[4] = "", d[4] = "";
    const stoa_read_range ranges[] = {{2, 3, a}, {5, 2, b}, {7, 0, c}, {0, 2, d}, {7, 3, c}};
    const stoa_read_range beyond[] = {{0, 3, a}, {3, 2, b}, {5, 4, c}, {9, 2, d}};
    const stoa_read_range absurd[] = {{UINT64_MAX - 1, 3, a}};
    write_file(world, "f", "0123456789");
    stoa_file *file = open_file(world, "f", STOA_OPEN_READ);
    assert_ok(stoa_file_read_vector(file, ranges, 5, &world->err), world->err);
    assert_memory_equal(a, "234", 3);
    assert_memory_equal(b, "56", 2);
    assert_memory_equal(c, "789", 3);
    assert_memory_equal(d, "01", 2);
    assert_ok(stoa_file_read_vector(file, NULL, 0, &world->err), world->err);
    assert_fails(stoa_file_read_vector(file, beyond, 4, &world->err), STOA_CORRUPT,
                 "file ends after 1", world->err);
    assert_fails(stoa_file_read_vector(file, absurd, 1, &world->err), STOA_INVALID, NULL,
                 world->err);
    stoa_file_close(file);
}

static void modes_create_replace_and_append(void **state) {
    struct world *world = *state;
    stoa_file_close(open_file(world, "f", STOA_OPEN_CREATE));
    assert_holds(world, "f", "");
    assert_open_fails(world, "f", STOA_OPEN_CREATE, STOA_EXISTS, "cannot create");
    write_file(world, "f", "long before");
    write_file(world, "f", "short");
    assert_holds(world, "f", "short");
    stoa_file *file = open_file(world, "f", STOA_OPEN_APPEND);
    assert_ok(stoa_file_write(file, " and", 4, &world->err), world->err);
    assert_ok(stoa_file_write(file, "", 0, &world->err), world->err);
    assert_ok(stoa_file_write(file, " more", 5, &world->err), world->err);
    stoa_file_close(file);
    assert_holds(world, "f", "short and more");
    stoa_file_close(open_file(world, "new", STOA_OPEN_APPEND));
    assert_holds(world, "new", "");
}

static void truncating_sets_where_the_next_write_goes(void **state) {
    struct world *world = *state;
    stoa_file *file = open_file(world, "f", STOA_OPEN_CREATE);
    assert_ok(stoa_file_write(file, "0123456789", 10, &world->err), world->err);
    assert_ok(stoa_file_truncate(file, 4, &world->err), world->err);
    assert_ok(stoa_file_write(file, "xy", 2, &world->err), world->err);
    assert_holds(world, "f", "0123xy");
    assert_ok(stoa_file_truncate(file, 8, &world->err), world->err);
    assert_ok(stoa_file_write(file, "z", 1, &world->err), world->err);
    assert_fails(stoa_file_truncate(file, UINT64_MAX, &world->err), STOA_INVALID, NULL, world->err);
    stoa_file_close(file);
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(world->registry, at(world, "f"), NULL, 100, world->pool, &bytes,
                                &world->err),
              world->err);
    assert_int_equal(bytes.size, 9);
    assert_memory_equal(bytes.data, "0123xy\0\0z", 9);
    stoa_buffer_release(&bytes);
}

static void what_a_mode_does_not_offer_is_unsupported(void **state) {
    struct world *world = *state;
    char buffer[4];
    write_file(world, "f", "0123456789");
    stoa_file *file = open_file(world, "f", STOA_OPEN_READ);
    assert_fails(stoa_file_write(file, "x", 1, &world->err), STOA_UNSUPPORTED, "write", world->err);
    assert_fails(stoa_file_truncate(file, 1, &world->err), STOA_UNSUPPORTED, NULL, world->err);
    stoa_file_close(file);
    file = open_file(world, "f", STOA_OPEN_APPEND);
    assert_fails(stoa_file_read(file, 0, buffer, 1, &world->err), STOA_UNSUPPORTED, "read",
                 world->err);
    stoa_file_close(file);
    assert_holds(world, "f", "0123456789");
}

static void maps_show_the_whole_file(void **state) {
    struct world *world = *state;
    const void *bytes = NULL, *again = NULL;
    uint64_t size = 0;
    write_file(world, "f", "0123456789");
    write_file(world, "empty", "");
    stoa_file *file = open_file(world, "f", STOA_OPEN_READ);
    assert_ok(stoa_file_map(file, &bytes, &size, &world->err), world->err);
    assert_int_equal(size, 10);
    assert_memory_equal(bytes, "0123456789", 10);
    assert_ok(stoa_file_map(file, &again, &size, &world->err), world->err);
    assert_ptr_equal(again, bytes);
    stoa_file_close(file);
    file = open_file(world, "empty", STOA_OPEN_READ);
    assert_ok(stoa_file_map(file, &bytes, &size, &world->err), world->err);
    assert_int_equal(size, 0);
    assert_non_null(bytes);
    stoa_file_close(file);
}

static void a_directory_is_not_a_file(void **state) {
    struct world *world = *state;
    assert_ok(stoa_vfs_make_directory(world->registry, at(world, "d"), NULL, &world->err),
              world->err);
    assert_open_fails(world, "d", STOA_OPEN_READ, STOA_INVALID, "it is a directory");
    assert_open_fails(world, "d", STOA_OPEN_REPLACE, STOA_INVALID, "it is a directory");
    assert_open_fails(world, "d", STOA_OPEN_APPEND, STOA_INVALID, "it is a directory");
    assert_open_fails(world, "d", STOA_OPEN_CREATE, STOA_EXISTS, NULL);
    write_file(world, "f", "text");
    assert_open_fails(world, "f/", STOA_OPEN_READ, STOA_NOT_FOUND, NULL);
    assert_open_fails(world, "f/x", STOA_OPEN_READ, STOA_NOT_FOUND, NULL);
    assert_open_fails(world, "f/x", STOA_OPEN_CREATE, STOA_NOT_FOUND, NULL);
}

static void what_is_missing_is_named(void **state) {
    struct world *world = *state;
    stoa_file_info info;
    bool exists = true;
    assert_open_fails(world, "no", STOA_OPEN_READ, STOA_NOT_FOUND, "cannot open");
    assert_open_fails(world, "no/f", STOA_OPEN_CREATE, STOA_NOT_FOUND, "cannot create");
    assert_fails(stoa_vfs_stat(world->registry, at(world, "no"), NULL, &info, &world->err),
                 STOA_NOT_FOUND, at(world, "no"), world->err);
    assert_fails(stoa_vfs_remove(world->registry, at(world, "no"), NULL, &world->err),
                 STOA_NOT_FOUND, at(world, "no"), world->err);
    assert_fails(stoa_vfs_rename(world->registry, at(world, "no"), at(world, "x"), NULL,
                                 &world->err),
                 STOA_NOT_FOUND, at(world, "no"), world->err);
    assert_fails(stoa_vfs_sync_directory(world->registry, at(world, "no"), NULL, &world->err),
                 STOA_NOT_FOUND, at(world, "no"), world->err);
    assert_fails(stoa_vfs_make_directory(world->registry, at(world, "no/d"), NULL, &world->err),
                 STOA_NOT_FOUND, at(world, "no/d"), world->err);
    assert_ok(stoa_vfs_exists(world->registry, at(world, "no"), NULL, &exists, &world->err),
              world->err);
    assert_false(exists);
    assert_ok(stoa_vfs_exists(world->registry, world->base, NULL, &exists, &world->err),
              world->err);
    assert_true(exists);
}

struct names {
    char text[4096];
    int count;
    stoa_status answer;
};

static int compare_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static stoa_status add_name(void *user, const char *name, const stoa_file_info *info,
                            stoa_error *err) {
    struct names *names = user;
    char line[400];
    (void)snprintf(line, sizeof line, "%s%s %d\n", name, info->is_directory ? "/" : "",
                   (int)info->size);
    strncat(names->text, line, sizeof names->text - strlen(names->text) - 1);
    names->count++;
    return names->answer == STOA_OK ? STOA_OK : stoa_fail(err, names->answer, "enough");
}

/* The lines of a listing, sorted. */
static void assert_lists(struct world *world, const char *name, const char *wanted) {
    struct names names = {0};
    char *lines[64];
    size_t count = 0;
    char sorted[4096] = "";
    assert_ok(stoa_vfs_list(world->registry, at(world, name), NULL, add_name, &names, &world->err),
              world->err);
    for (char *line = strtok(names.text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        lines[count++] = line;
    }
    qsort(lines, count, sizeof lines[0], compare_text);
    for (size_t i = 0; i < count; i++) {
        strcat(sorted, lines[i]);
        strcat(sorted, "\n");
    }
    assert_string_equal(sorted, wanted);
}

static void listing_tells_names_kinds_and_sizes(void **state) {
    struct world *world = *state;
    struct names stop = {.answer = STOA_CANCELLED};
    assert_lists(world, "", "");
    write_file(world, "b", "four");
    write_file(world, "a", "");
    assert_ok(stoa_vfs_make_directory(world->registry, at(world, "d"), NULL, &world->err),
              world->err);
    write_file(world, "d/in", "x");
    assert_lists(world, "", "a 0\nb 4\nd/ 0\n");
    assert_lists(world, "d/", "in 1\n");
    assert_fails(stoa_vfs_list(world->registry, at(world, "no"), NULL, add_name, &stop,
                               &world->err),
                 STOA_NOT_FOUND, at(world, "no"), world->err);
    assert_fails(stoa_vfs_list(world->registry, at(world, "b"), NULL, add_name, &stop, &world->err),
                 STOA_NOT_FOUND, at(world, "b"), world->err);
    assert_fails(stoa_vfs_list(world->registry, world->base, NULL, add_name, &stop, &world->err),
                 STOA_CANCELLED, NULL, world->err);
    assert_string_equal(world->err.message, "enough");
    assert_int_equal(stop.count, 1);
}

static void directories_are_made_level_by_level(void **state) {
    struct world *world = *state;
    stoa_file_info info;
    assert_ok(stoa_vfs_make_directories(world->registry, at(world, "a/b//c/"), NULL, &world->err),
              world->err);
    assert_ok(stoa_vfs_make_directories(world->registry, at(world, "a/b/c"), NULL, &world->err),
              world->err);
    assert_ok(stoa_vfs_stat(world->registry, at(world, "a/b/c"), NULL, &info, &world->err),
              world->err);
    assert_true(info.is_directory);
    assert_false(info.is_link);
    assert_int_equal(info.size, 0);
    assert_fails(stoa_vfs_make_directory(world->registry, at(world, "a"), NULL, &world->err),
                 STOA_EXISTS, at(world, "a"), world->err);
    write_file(world, "a/f", "x");
    assert_fails(stoa_vfs_make_directories(world->registry, at(world, "a/f"), NULL, &world->err),
                 STOA_EXISTS, "a file has that name", world->err);
    assert_fails(stoa_vfs_make_directories(world->registry, at(world, "a/f/g"), NULL, &world->err),
                 STOA_EXISTS, at(world, "a/f"), world->err);
}

static void removal_spares_full_directories(void **state) {
    struct world *world = *state;
    bool exists = true;
    assert_ok(stoa_vfs_make_directories(world->registry, at(world, "a/b"), NULL, &world->err),
              world->err);
    write_file(world, "a/f", "x");
    assert_fails(stoa_vfs_remove(world->registry, at(world, "a"), NULL, &world->err), STOA_INVALID,
                 "not empty", world->err);
    assert_ok(stoa_vfs_remove(world->registry, at(world, "a/f"), NULL, &world->err), world->err);
    assert_ok(stoa_vfs_remove(world->registry, at(world, "a/b"), NULL, &world->err), world->err);
    assert_ok(stoa_vfs_remove(world->registry, at(world, "a"), NULL, &world->err), world->err);
    assert_ok(stoa_vfs_exists(world->registry, at(world, "a"), NULL, &exists, &world->err),
              world->err);
    assert_false(exists);
}

static void trees_are_removed_whole(void **state) {
    struct world *world = *state;
    char name[64];
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 5; j++) {
            (void)snprintf(name, sizeof name, "t/%d/%d/x", i, j);
            assert_ok(stoa_vfs_make_directories(world->registry, at(world, name), NULL,
                                                &world->err),
                      world->err);
            (void)snprintf(name, sizeof name, "t/%d/%d/x/f", i, j);
            write_file(world, name, "x");
            (void)snprintf(name, sizeof name, "t/%d/f%d", i, j);
            write_file(world, name, "x");
        }
    }
    write_file(world, "tail", "x");
    assert_ok(stoa_vfs_remove_tree(world->registry, at(world, "t/"), NULL, &world->err),
              world->err);
    assert_lists(world, "", "tail 1\n");
    assert_ok(stoa_vfs_remove_tree(world->registry, at(world, "t"), NULL, &world->err), world->err);
    assert_ok(stoa_vfs_remove_tree(world->registry, at(world, "tail"), NULL, &world->err),
              world->err);
    assert_lists(world, "", "");
}

static void renaming_replaces_the_target(void **state) {
    struct world *world = *state;
    char buffer[8] = "";
    write_file(world, "a", "new");
    write_file(world, "b", "old");
    stoa_file *old = open_file(world, "b", STOA_OPEN_READ);
    assert_ok(stoa_vfs_rename(world->registry, at(world, "a"), at(world, "b"), NULL, &world->err),
              world->err);
    assert_lists(world, "", "b 3\n");
    assert_holds(world, "b", "new");
    /* Who had the old one open still reads it. */
    assert_ok(stoa_file_read(old, 0, buffer, 3, &world->err), world->err);
    assert_string_equal(buffer, "old");
    stoa_file_close(old);
    assert_ok(stoa_vfs_rename(world->registry, at(world, "b"), at(world, "b"), NULL, &world->err),
              world->err);
    assert_holds(world, "b", "new");
}

static void directories_move_with_what_they_hold(void **state) {
    struct world *world = *state;
    assert_ok(stoa_vfs_make_directories(world->registry, at(world, "d/e"), NULL, &world->err),
              world->err);
    assert_ok(stoa_vfs_make_directories(world->registry, at(world, "full/g"), NULL, &world->err),
              world->err);
    write_file(world, "d/e/f", "x");
    write_file(world, "file", "x");
    assert_fails(stoa_vfs_rename(world->registry, at(world, "d"), at(world, "d/e/g"), NULL,
                                 &world->err),
                 STOA_INVALID, "into itself", world->err);
    assert_fails(stoa_vfs_rename(world->registry, at(world, "d"), at(world, "full"), NULL,
                                 &world->err),
                 STOA_INVALID, "not empty", world->err);
    assert_fails(stoa_vfs_rename(world->registry, at(world, "file"), at(world, "d"), NULL,
                                 &world->err),
                 STOA_INVALID, "directory", world->err);
    assert_fails(stoa_vfs_rename(world->registry, at(world, "d"), at(world, "file"), NULL,
                                 &world->err),
                 STOA_INVALID, "file", world->err);
    assert_ok(stoa_vfs_rename(world->registry, at(world, "d"), at(world, "full/g"), NULL,
                              &world->err),
              world->err);
    assert_holds(world, "full/g/e/f", "x");
    assert_lists(world, "", "file 1\nfull/ 0\n");
}

static void an_open_file_outlives_its_name(void **state) {
    struct world *world = *state;
    char buffer[8] = "";
    write_file(world, "f", "text");
    stoa_file *file = open_file(world, "f", STOA_OPEN_READ);
    assert_ok(stoa_vfs_remove(world->registry, at(world, "f"), NULL, &world->err), world->err);
    assert_ok(stoa_file_read(file, 0, buffer, 4, &world->err), world->err);
    assert_string_equal(buffer, "text");
    stoa_file_close(file);
}

static void names_may_hold_anything_but_slashes(void **state) {
    struct world *world = *state;
    const char *const names[] = {"with space", "100%25",         "%2F",
                                 "quote'\"`",  "Größe αβγ 数据", "\xF0\x9F\x8F\x9B",
                                 "a:b",        "#?&=+",          "...",
                                 "-rf",        "new\nline",      "\xFF\xFE"};
    char name[300];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        write_file(world, names[i], names[i]);
        assert_holds(world, names[i], names[i]);
    }
    struct names found = {0};
    assert_ok(stoa_vfs_list(world->registry, world->base, NULL, add_name, &found, &world->err),
              world->err);
    assert_int_equal(found.count, sizeof names / sizeof names[0]);
    memset(name, 'n', sizeof name);
    name[255] = '\0';
    write_file(world, name, "long");
    name[255] = 'n';
    name[256] = '\0';
    assert_open_fails(world, name, STOA_OPEN_CREATE, STOA_INVALID, NULL);
}

static void a_lock_excludes_until_it_is_closed(void **state) {
    struct world *world = *state;
    stoa_file *lock = NULL, *second = NULL;
    char holder[64];
    (void)snprintf(holder, sizeof holder, "process %ld has it", (long)getpid());
    assert_ok(stoa_vfs_lock(world->registry, at(world, "lock"), NULL, &lock, &world->err),
              world->err);
    assert_fails(stoa_vfs_lock(world->registry, at(world, "lock"), NULL, &second, &world->err),
                 STOA_LOCKED, holder, world->err);
    assert_null(second);
    assert_non_null(strstr(world->err.message, at(world, "lock")));
    (void)snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    assert_holds(world, "lock", holder);
    assert_ok(stoa_vfs_lock(world->registry, at(world, "other"), NULL, &second, &world->err),
              world->err);
    stoa_file_close(second);
    stoa_file_close(lock);
    assert_ok(stoa_vfs_lock(world->registry, at(world, "lock"), NULL, &lock, &world->err),
              world->err);
    stoa_file_close(lock);
    assert_fails(stoa_vfs_lock(world->registry, world->base, NULL, &lock, &world->err),
                 STOA_INVALID, "directory", world->err);
}

static void a_version_changes_with_the_content(void **state) {
    struct world *world = *state;
    stoa_file_info before, after;
    write_file(world, "f", "one");
    assert_ok(stoa_vfs_stat(world->registry, at(world, "f"), NULL, &before, &world->err),
              world->err);
    assert_true(before.modified_ms > INT64_C(1500000000000));
    assert_int_equal(before.size, 3);
    assert_false(before.is_directory);
    assert_ok(stoa_vfs_stat(world->registry, at(world, "f"), NULL, &after, &world->err),
              world->err);
    assert_string_equal(before.version, after.version);
    assert_ok(stoa_vfs_replace(world->registry, at(world, "f"), NULL, "two", 3, &world->err),
              world->err);
    assert_ok(stoa_vfs_stat(world->registry, at(world, "f"), NULL, &after, &world->err),
              world->err);
    assert_string_not_equal(before.version, after.version);
}

static void whole_files_are_read_up_to_a_limit(void **state) {
    struct world *world = *state;
    stoa_buffer bytes;
    write_file(world, "f", "0123456789");
    assert_ok(stoa_vfs_read_all(world->registry, at(world, "f"), NULL, 10, world->pool, &bytes,
                                &world->err),
              world->err);
    assert_int_equal(bytes.size, 10);
    stoa_buffer_release(&bytes);
    assert_fails(stoa_vfs_read_all(world->registry, at(world, "f"), NULL, 9, world->pool, &bytes,
                                   &world->err),
                 STOA_LIMIT, "limit of 9", world->err);
    assert_null(bytes.data);
}

static void files_of_several_megabytes_come_back_whole(void **state) {
    struct world *world = *state;
    enum { SIZE = 3 * 1024 * 1024 + 17 };
    support_random random = {7};
    char *bytes = test_malloc(SIZE);
    support_random_bytes(&random, bytes, SIZE);
    stoa_file *file = open_file(world, "f", STOA_OPEN_CREATE);
    for (size_t done = 0; done < SIZE;) {
        size_t part = (size_t)support_random_below(&random, 100000) + 1;
        part = part < SIZE - done ? part : SIZE - done;
        assert_ok(stoa_file_write(file, bytes + done, part, &world->err), world->err);
        done += part;
    }
    stoa_file_close(file);
    stoa_buffer read;
    assert_ok(stoa_vfs_read_all(world->registry, at(world, "f"), NULL, SIZE, world->pool, &read,
                                &world->err),
              world->err);
    assert_int_equal(read.size, SIZE);
    assert_memory_equal(read.data, bytes, SIZE);
    stoa_buffer_release(&read);
    test_free(bytes);
}

#define TEST(function) {#function, function}
static const struct {
    const char *name;
    CMUnitTestFunction function;
} contract[] = {
    TEST(ranges_are_read_where_they_lie),
    TEST(reading_past_the_end_says_how_much_there_was),
    TEST(vectored_reads_fill_every_range),
    TEST(modes_create_replace_and_append),
    TEST(truncating_sets_where_the_next_write_goes),
    TEST(what_a_mode_does_not_offer_is_unsupported),
    TEST(maps_show_the_whole_file),
    TEST(a_directory_is_not_a_file),
    TEST(what_is_missing_is_named),
    TEST(listing_tells_names_kinds_and_sizes),
    TEST(directories_are_made_level_by_level),
    TEST(removal_spares_full_directories),
    TEST(trees_are_removed_whole),
    TEST(renaming_replaces_the_target),
    TEST(directories_move_with_what_they_hold),
    TEST(an_open_file_outlives_its_name),
    TEST(names_may_hold_anything_but_slashes),
    TEST(a_lock_excludes_until_it_is_closed),
    TEST(a_version_changes_with_the_content),
    TEST(whole_files_are_read_up_to_a_limit),
    TEST(files_of_several_megabytes_come_back_whole),
};

int main(void) {
    enum {
        BACKENDS = sizeof backends / sizeof backends[0],
        CONTRACT = sizeof contract / sizeof contract[0]
    };
    static struct CMUnitTest tests[BACKENDS * CONTRACT];
    static char names[BACKENDS * CONTRACT][128];
    for (size_t b = 0; b < BACKENDS; b++) {
        for (size_t t = 0; t < CONTRACT; t++) {
            size_t i = b * CONTRACT + t;
            (void)snprintf(names[i], sizeof names[i], "%s: %s", backends[b].name, contract[t].name);
            tests[i] = (struct CMUnitTest){names[i], contract[t].function, open_world, close_world,
                                           (void *)(uintptr_t)&backends[b]};
        }
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
