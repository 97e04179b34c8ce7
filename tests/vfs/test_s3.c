/* Objects in S3, as files: what is read, written, listed, renamed. Runs over the server of the tests
 * and (in the judge) over another one. */
#include "s3_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/cache.h"
#include "vfs/counted.h"
#include "vfs/s3.h"

enum { MIB = 1 << 20, PART = 5 * MIB };

static int open_world(void **state) {
    s3_world *world = test_calloc(1, sizeof *world);
    s3_world_open(world, NULL);
    world->options.part_bytes = PART;
    s3_world_register(world, "s3");
    *state = world;
    return 0;
}

static int close_world(void **state) {
    s3_world *world = *state;
    s3_world_close(world);
    test_free(world);
    return 0;
}

static uint8_t *random_bytes(size_t size, uint64_t seed) {
    support_random random = {seed};
    uint8_t *bytes = test_malloc(size + 1);
    support_random_bytes(&random, bytes, size);
    return bytes;
}

/* The server of the tests counts; another one does not. */
static void assert_asked(s3_world *world, const char *beginning, int times) {
    if (!world->is_real) {
        int found = s3_world_count(world, beginning);
        if (found != times) {
            print_error("%s: expected %d requests but found %d\n", beginning, times, found);
        }
        assert_int_equal(found, times);
    }
}

static stoa_file *open_file(s3_world *world, const char *name, stoa_open_mode mode) {
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(world->registry, s3_world_at(world, name), mode, NULL, &file,
                            &world->err),
              world->err);
    return file;
}

static bool exists(s3_world *world, const char *name) {
    bool there = false;
    assert_ok(stoa_vfs_exists(world->registry, s3_world_at(world, name), NULL, &there, &world->err),
              world->err);
    return there;
}

static void objects_of_every_size_come_back(void **state) {
    s3_world *world = *state;
    const size_t sizes[] = {0, 1, PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 12345};
    uint8_t *bytes = random_bytes(4 * PART, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        s3_world_put(world, "f", bytes + i, sizes[i]);
        s3_world_assert_holds(world, "f", bytes + i, sizes[i]);
    }
    test_free(bytes);
}

static void small_objects_are_one_request_and_large_ones_parts(void **state) {
    s3_world *world = *state;
    uint8_t *bytes = random_bytes(2 * PART + 1, 2);
    s3_world_plan(world, "");
    s3_world_put(world, "small", bytes, PART);
    assert_asked(world, "PUT ", 1);
    assert_asked(world, "POST ", 0);
    s3_world_plan(world, "");
    s3_world_put(world, "large", bytes, 2 * PART + 1);
    assert_asked(world, "PUT /lake/base/large?partNumber=", 3);
    assert_asked(world, "POST ", 2);
    test_free(bytes);
}

static void pieces_of_any_size_make_the_same_object(void **state) {
    s3_world *world = *state;
    enum { SIZE = 2 * PART + 777 };
    support_random random = {3};
    uint8_t *bytes = random_bytes(SIZE, 3);
    stoa_file *file = open_file(world, "f", STOA_OPEN_REPLACE);
    uint64_t size = 0;
    for (size_t done = 0; done < SIZE;) {
        size_t part = (size_t)support_random_below(&random, 3 * MIB) + 1;
        part = part < SIZE - done ? part : SIZE - done;
        assert_ok(stoa_file_write(file, bytes + done, part, &world->err), world->err);
        done += part;
    }
    assert_ok(stoa_file_size(file, &size, &world->err), world->err);
    assert_int_equal(size, SIZE);
    assert_ok(stoa_file_sync(file, &world->err), world->err);
    assert_ok(stoa_file_sync(file, &world->err), world->err);
    assert_fails(stoa_file_write(file, "x", 1, &world->err), STOA_UNSUPPORTED, "after the sync",
                 world->err);
    stoa_file_close(file);
    s3_world_assert_holds(world, "f", bytes, SIZE);
    test_free(bytes);
}

static void what_is_not_synced_was_never_there(void **state) {
    s3_world *world = *state;
    uint8_t *bytes = random_bytes(2 * PART, 4);
    stoa_file *file = open_file(world, "small", STOA_OPEN_REPLACE);
    assert_ok(stoa_file_write(file, "x", 1, &world->err), world->err);
    assert_false(exists(world, "small"));
    stoa_file_close(file);
    assert_false(exists(world, "small"));
    s3_world_put(world, "large", "old", 3);
    s3_world_plan(world, "");
    file = open_file(world, "large", STOA_OPEN_REPLACE);
    assert_ok(stoa_file_write(file, bytes, 2 * PART, &world->err), world->err);
    s3_world_assert_holds(world, "large", "old", 3);
    stoa_file_close(file);
    assert_asked(world, "DELETE /lake/base/large?uploadId=", 1);
    s3_world_assert_holds(world, "large", "old", 3);
    test_free(bytes);
}

static void creating_never_overwrites(void **state) {
    s3_world *world = *state;
    uint8_t *bytes = random_bytes(PART + 1, 5);
    stoa_file *small = open_file(world, "small", STOA_OPEN_CREATE);
    stoa_file *large = open_file(world, "large", STOA_OPEN_CREATE);
    stoa_file *late = NULL;
    assert_ok(stoa_file_write(small, "mine", 4, &world->err), world->err);
    assert_ok(stoa_file_write(large, bytes, PART + 1, &world->err), world->err);
    s3_world_put(world, "small", "theirs", 6);
    s3_world_put(world, "large", "theirs", 6);
    assert_fails(stoa_file_sync(small, &world->err), STOA_EXISTS, "it exists", world->err);
    assert_fails(stoa_file_sync(large, &world->err), STOA_EXISTS, "it exists", world->err);
    stoa_file_close(small);
    stoa_file_close(large);
    assert_fails(stoa_vfs_open(world->registry, s3_world_at(world, "small"), STOA_OPEN_CREATE, NULL,
                               &late, &world->err),
                 STOA_EXISTS, s3_world_at(world, "small"), world->err);
    s3_world_assert_holds(world, "small", "theirs", 6);
    s3_world_assert_holds(world, "large", "theirs", 6);
    test_free(bytes);
}

static void a_reader_sees_one_version_or_an_error(void **state) {
    s3_world *world = *state;
    char buffer[16];
    s3_world_put(world, "f", "0123456789", 10);
    stoa_file *file = open_file(world, "f", STOA_OPEN_READ);
    assert_ok(stoa_file_read(file, 2, buffer, 3, &world->err), world->err);
    assert_memory_equal(buffer, "234", 3);
    s3_world_put(world, "f", "abcdefghij", 10);
    assert_fails(stoa_file_read(file, 2, buffer, 3, &world->err), STOA_CONFLICT,
                 "changed while it was open", world->err);
    assert_fails(stoa_file_read(file, 0, buffer, 10, &world->err), STOA_CONFLICT,
                 s3_world_at(world, "f"), world->err);
    assert_ok(stoa_vfs_remove(world->registry, s3_world_at(world, "f"), NULL, &world->err),
              world->err);
    assert_fails(stoa_file_read(file, 2, buffer, 3, &world->err), STOA_NOT_FOUND,
                 "removed while it was open", world->err);
    stoa_file_close(file);
}

static void ranges_that_lie_close_come_together(void **state) {
    s3_world *world = *state;
    enum { SIZE = 2 * PART + 100 };
    uint8_t *bytes = random_bytes(SIZE, 6);
    uint8_t *large = test_malloc(PART + 50);
    char a[10], b[20], c[30], d[40];
    const stoa_read_range ranges[] = {
        {100, sizeof a, a},       {60000, sizeof b, b},     {110, sizeof c, c},
        {SIZE - 40, sizeof d, d}, {1000, PART + 50, large}, {5, 0, NULL},
    };
    s3_world_put(world, "f", bytes, SIZE);
    stoa_file *file = open_file(world, "f", STOA_OPEN_READ);
    s3_world_plan(world, "");
    assert_ok(stoa_file_read_vector(file, ranges, 4, &world->err), world->err);
    assert_asked(world, "GET ", 2);
    assert_memory_equal(a, bytes + 100, sizeof a);
    assert_memory_equal(b, bytes + 60000, sizeof b);
    assert_memory_equal(c, bytes + 110, sizeof c);
    assert_memory_equal(d, bytes + SIZE - 40, sizeof d);
    memset(a, 0, sizeof a);
    assert_ok(stoa_file_read_vector(file, ranges, 6, &world->err), world->err);
    assert_memory_equal(a, bytes + 100, sizeof a);
    assert_memory_equal(large, bytes + 1000, PART + 50);
    stoa_file_close(file);
    test_free(bytes);
    test_free(large);
}

/* Random ranges, alone and in vectors, against the bytes. */
static void random_ranges_hold_what_was_written(void **state) {
    s3_world *world = *state;
    enum { SIZE = 2 * PART + 4321, RANGES = 40 };
    support_random random = support_random_open("s3");
    uint8_t *bytes = random_bytes(SIZE, 7);
    uint8_t *room = test_malloc(RANGES * 70000);
    s3_world_put(world, "f", bytes, SIZE);
    stoa_file *file = open_file(world, "f", STOA_OPEN_READ);
    for (int round = 0; round < 6; round++) {
        stoa_read_range ranges[RANGES];
        for (size_t i = 0; i < RANGES; i++) {
            size_t size = (size_t)support_random_below(&random, 70000);
            ranges[i] = (stoa_read_range){support_random_below(&random, SIZE - size), size,
                                          room + i * 70000};
        }
        assert_ok(stoa_file_read_vector(file, ranges, RANGES, &world->err), world->err);
        for (size_t i = 0; i < RANGES; i++) {
            assert_memory_equal(ranges[i].buffer, bytes + ranges[i].offset, ranges[i].size);
        }
    }
    stoa_file_close(file);
    test_free(bytes);
    test_free(room);
}

static const char *const strange[] = {
    "a b",       "a+b",
    "100%25",    "%2F",
    "x=1/y=2/f", "Größe/αβγ/数据",
    "quote'\"`", "#h?q=1&b",
    "t\tab",     "~!*()$,;:@",
    "dots..x",   "..",
    "a/../b",    "a//b",
    "/lead",     "\xF0\x9F\x8F\x9B",
};

/* A server that keeps objects as files cannot keep all of these. */
static bool needs_own_server(const char *name) {
    return strstr(name, "..") != NULL || strstr(name, "//") != NULL || name[0] == '/' ||
           strstr(name, "%2F") != NULL;
}

struct names {
    int count;
    int known;
};

static stoa_status note_name(void *user, const char *name, const stoa_file_info *info,
                             stoa_error *err) {
    struct names *names = user;
    (void)info;
    (void)err;
    names->count++;
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        names->known += strcmp(name, strange[i]) == 0 ? 1 : 0;
    }
    return STOA_OK;
}

static void keys_mean_themselves(void **state) {
    s3_world *world = *state;
    int written = 0;
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        if (!world->is_real || !needs_own_server(strange[i])) {
            s3_world_put(world, strange[i], strange[i], strlen(strange[i]));
            written++;
        }
    }
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        if (!world->is_real || !needs_own_server(strange[i])) {
            s3_world_assert_holds(world, strange[i], strange[i], strlen(strange[i]));
        }
    }
    struct names names = {0, 0};
    assert_ok(stoa_vfs_list_tree(world->registry, world->base, NULL, note_name, &names,
                                 &world->err),
              world->err);
    assert_int_equal(names.count, written);
    assert_int_equal(names.known, written);
    assert_ok(stoa_vfs_remove_tree(world->registry, world->base, NULL, &world->err), world->err);
    assert_false(exists(world, ""));
}

static void impossible_names_are_refused(void **state) {
    s3_world *world = *state;
    stoa_file *file = NULL;
    stoa_file_info info;
    char name[1200];
    memset(name, 'k', sizeof name);
    name[1100] = '\0';
    assert_fails(stoa_vfs_open(world->registry, s3_world_at(world, name), STOA_OPEN_READ, NULL,
                               &file, &world->err),
                 STOA_INVALID, "at most 1024", world->err);
    const char *const uris[] = {"s3://",       "s3:key",           "s3:///key",   "s3:/bucket/key",
                                "s3://../key", "s3://buc ket/key", "s3://b@c/key"};
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        assert_fails(stoa_vfs_stat(world->registry, uris[i], NULL, &info, &world->err),
                     STOA_INVALID, "expected '//bucket/key'", world->err);
    }
    assert_fails(stoa_vfs_open(world->registry, s3_world_at(world, "f"), STOA_OPEN_APPEND, NULL,
                               &file, &world->err),
                 STOA_UNSUPPORTED, "no appending", world->err);
    assert_fails(stoa_vfs_open(world->registry, s3_world_at(world, "d/"), STOA_OPEN_REPLACE, NULL,
                               &file, &world->err),
                 STOA_INVALID, "it is a directory", world->err);
    assert_fails(stoa_vfs_lock(world->registry, s3_world_at(world, "f"), NULL, &file, &world->err),
                 STOA_UNSUPPORTED, "lock", world->err);
}

static void renaming_copies_and_removes(void **state) {
    s3_world *world = *state;
    stoa_fs_registry *registry = world->registry;
    s3_world_put(world, "a b/=1", "content", 7);
    s3_world_put(world, "target", "old", 3);
    assert_ok(stoa_vfs_rename(registry, s3_world_at(world, "a b/=1"), s3_world_at(world, "target"),
                              NULL, &world->err),
              world->err);
    s3_world_assert_holds(world, "target", "content", 7);
    assert_false(exists(world, "a b/=1"));
    s3_world_put(world, "d/f", "x", 1);
    assert_fails(stoa_vfs_rename(registry, s3_world_at(world, "d"), s3_world_at(world, "e"), NULL,
                                 &world->err),
                 STOA_UNSUPPORTED, "no renaming", world->err);
}

static void large_objects_are_copied_in_parts(void **state) {
    s3_world *world = *state;
    enum { SIZE = 3 * PART + 5 };
    uint8_t *bytes = random_bytes(SIZE, 8);
    stoa_fs *fs = NULL;
    const char *path;
    assert_ok(stoa_fs_find(world->registry, world->base, &fs, &path, &world->err), world->err);
    ((struct s3_fs *)fs->state)->copy_bytes_max = PART;
    s3_world_put(world, "a", bytes, SIZE);
    s3_world_plan(world, "");
    assert_ok(stoa_vfs_rename(world->registry, s3_world_at(world, "a"), s3_world_at(world, "b"),
                              NULL, &world->err),
              world->err);
    assert_asked(world, "PUT /lake/base/b?partNumber=", 4);
    s3_world_assert_holds(world, "b", bytes, SIZE);
    assert_false(exists(world, "a"));
    test_free(bytes);
}

static void versions_guard_replacement(void **state) {
    s3_world *world = *state;
    char first[64], second[64], third[64];
    const char *uri = s3_world_at(world, "manifest");
    assert_ok(stoa_vfs_put_if(world->registry, uri, NULL, "", "one", 3, first, &world->err),
              world->err);
    assert_ok(stoa_vfs_put_if(world->registry, uri, NULL, first, "two", 3, second, &world->err),
              world->err);
    assert_fails(stoa_vfs_put_if(world->registry, uri, NULL, first, "three", 5, third, &world->err),
                 STOA_CONFLICT, "somebody else", world->err);
    assert_string_equal(third, "");
    s3_world_assert_holds(world, "manifest", "two", 3);
}

static stoa_status count_file(void *user, const char *uri, const stoa_file_info *info,
                              stoa_error *err) {
    (void)uri;
    (void)info;
    (void)err;
    ++*(int *)user;
    return STOA_OK;
}

static int count_matches(s3_world *world, const char *pattern) {
    int count = 0;
    assert_ok(stoa_vfs_glob(world->registry, s3_world_at(world, pattern), NULL, world->pool,
                            count_file, &count, &world->err),
              world->err);
    return count;
}

static void deep_patterns_are_one_listing(void **state) {
    s3_world *world = *state;
    const char *const names[] = {"t/a.parquet",  "t/x=1/b.parquet", "t/x=1/y=2/c.parquet",
                                 "t/x=1/c.csv",  "t/.h/d.parquet",  "t/x=2/.e.parquet",
                                 "tt/f.parquet", "t/x=3/sub/f"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        s3_world_put(world, names[i], "x", 1);
    }
    s3_world_plan(world, "");
    assert_int_equal(count_matches(world, "t/**/*.parquet"), 3);
    assert_asked(world, "GET /lake?", 1);
    assert_int_equal(count_matches(world, "t/**"), 5);
    assert_int_equal(count_matches(world, "**/x=*/*.*"), 2);
    assert_int_equal(count_matches(world, "**/x=*/**/c.*"), 2);
    assert_int_equal(count_matches(world, "t/*.parquet"), 1);
    assert_int_equal(count_matches(world, "t/*/b.parquet"), 1);
    assert_int_equal(count_matches(world, "none/**"), 0);
}

/* Cached and counted, it is the same few requests. */
static void what_stands_before_s3_passes_trees_on(void **state) {
    s3_world *world = *state;
    char directory[SUPPORT_PATH_BYTES], pattern[S3_URI_BYTES + 16];
    stoa_cache *cache = NULL;
    stoa_counted *counted = NULL;
    stoa_fs fs, before;
    int count = 0;
    support_temp_directory(directory);
    s3_world_put(world, "t/x=1/a", "x", 1);
    s3_world_put(world, "t/x=2/b", "x", 1);
    const stoa_cache_options options = {.directory = directory};
    assert_ok(stoa_cache_create(world->pool, &options, &cache, &world->err), world->err);
    assert_ok(stoa_fs_s3_create(world->pool, &world->options, &fs, &world->err), world->err);
    assert_ok(stoa_fs_cached_create(world->pool, fs, "s3:", cache, &before, &world->err),
              world->err);
    assert_ok(stoa_fs_counted_create(world->pool, before, &fs, &counted, &world->err), world->err);
    assert_ok(stoa_fs_register(world->registry, "stack", fs, &world->err), world->err);
    s3_world_plan(world, "");
    (void)snprintf(pattern, sizeof pattern, "stack%s/t/**", strchr(world->base, ':'));
    assert_ok(stoa_vfs_glob(world->registry, pattern, NULL, world->pool, count_file, &count,
                            &world->err),
              world->err);
    assert_int_equal(count, 2);
    assert_asked(world, "GET ", 1);
    pattern[strlen(pattern) - 3] = '\0';
    assert_ok(stoa_vfs_remove_tree(world->registry, pattern, NULL, &world->err), world->err);
    assert_asked(world, "POST ", 1);
    assert_false(exists(world, "t"));
    /* Before the cache, what uses it. */
    s3_world_register(world, "stack");
    stoa_cache_close(cache);
}

static void trees_are_removed_by_the_thousand(void **state) {
    s3_world *world = *state;
    enum { FILES = 1203 };
    char name[64];
    int files = world->is_real ? 120 : FILES;
    for (int i = 0; i < files; i++) {
        (void)snprintf(name, sizeof name, "t/%d/f&<%d>", i % 7, i);
        s3_world_put(world, name, "x", 1);
    }
    s3_world_put(world, "tail", "x", 1);
    s3_world_plan(world, "");
    assert_ok(stoa_vfs_remove_tree(world->registry, s3_world_at(world, "t"), NULL, &world->err),
              world->err);
    assert_asked(world, "POST /lake?delete", 2);
    assert_asked(world, "DELETE ", 0);
    assert_false(exists(world, "t"));
    assert_true(exists(world, "tail"));
}

static void a_marker_of_a_directory_is_no_file(void **state) {
    s3_world *world = *state;
    stoa_file_info info;
    if (world->is_real) {
        skip();
    }
    /* Written by the road of other tools: an empty object whose name ends in '/'. */
    struct s3_name name;
    stoa_fs *fs = NULL;
    const char *path;
    const stoa_context context = {.pool = world->pool};
    assert_ok(stoa_fs_find(world->registry, s3_world_at(world, "d/"), &fs, &path, &world->err),
              world->err);
    assert_ok(stoa_s3_name_parse(path, &name, &world->err), world->err);
    assert_ok(stoa_s3_put(fs->state, &name, NULL, "", 0, NULL, &context, &world->err), world->err);
    assert_ok(stoa_vfs_stat(world->registry, s3_world_at(world, "d"), NULL, &info, &world->err),
              world->err);
    assert_true(info.is_directory);
    struct names names = {0, 0};
    assert_ok(stoa_vfs_list(world->registry, s3_world_at(world, "d"), NULL, note_name, &names,
                            &world->err),
              world->err);
    assert_int_equal(names.count, 0);
    assert_ok(stoa_vfs_remove_tree(world->registry, s3_world_at(world, "d"), NULL, &world->err),
              world->err);
    assert_false(exists(world, "d"));
}

static void files_outlive_their_registry(void **state) {
    s3_world *world = *state;
    char buffer[4] = "";
    s3_world_put(world, "f", "text", 4);
    stoa_fs_registry *registry = NULL;
    stoa_file *file = NULL;
    stoa_fs fs;
    assert_ok(stoa_fs_registry_create(world->pool, &registry, &world->err), world->err);
    assert_ok(stoa_fs_s3_create(world->pool, &world->options, &fs, &world->err), world->err);
    assert_ok(stoa_fs_register(registry, "s3", fs, &world->err), world->err);
    assert_ok(stoa_vfs_open(registry, s3_world_at(world, "f"), STOA_OPEN_READ, NULL, &file,
                            &world->err),
              world->err);
    stoa_fs_registry_close(registry);
    assert_ok(stoa_file_read(file, 0, buffer, 4, &world->err), world->err);
    assert_memory_equal(buffer, "text", 4);
    stoa_file_close(file);
}

/* No name server knows these hosts: the server of the tests answers as the proxy. */
static void buckets_may_be_hosts(void **state) {
    s3_world *world = *state;
    if (world->is_real) {
        skip();
    }
    assert_int_equal(setenv("http_proxy", world->endpoint, 1), 0);
    world->options.endpoint = "http://s3.test:80";
    world->options.addressing = STOA_S3_ADDRESSING_VIRTUAL;
    s3_world_register(world, "s3");
    s3_world_plan(world, "");
    s3_world_put(world, "x=1/f g", "text", 4);
    s3_world_assert_holds(world, "x=1/f g", "text", 4);
    assert_asked(world, "PUT /base/x%3D1/f%20g", 1);
    assert_int_equal(count_matches(world, "**"), 1);
    assert_ok(stoa_vfs_rename(world->registry, s3_world_at(world, "x=1/f g"),
                              s3_world_at(world, "b"), NULL, &world->err),
              world->err);
    assert_ok(stoa_vfs_remove_tree(world->registry, world->base, NULL, &world->err), world->err);
    /* What is no host name is a part of the path. */
    bool there = true;
    s3_world_plan(world, "");
    assert_ok(stoa_vfs_exists(world->registry, "s3://Under_score/f", NULL, &there, &world->err),
              world->err);
    assert_false(there);
    assert_asked(world, "HEAD /Under_score/f", 1);
    assert_int_equal(unsetenv("http_proxy"), 0);
}

static void options_out_of_range_are_refused(void **state) {
    s3_world *world = *state;
    stoa_fs fs;
    stoa_s3_options options = STOA_S3_DEFAULT;
    options.part_bytes = MIB;
    assert_fails(stoa_fs_s3_create(world->pool, &options, &fs, &world->err), STOA_INVALID, "5 MiB",
                 world->err);
    options = (stoa_s3_options){.access_key_id = "id"};
    assert_fails(stoa_fs_s3_create(world->pool, &options, &fs, &world->err), STOA_INVALID,
                 "one of the two", world->err);
    options = (stoa_s3_options){.max_attempts = -1};
    assert_fails(stoa_fs_s3_create(world->pool, &options, &fs, &world->err), STOA_INVALID,
                 "attempts", world->err);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(objects_of_every_size_come_back),
        TEST(small_objects_are_one_request_and_large_ones_parts),
        TEST(pieces_of_any_size_make_the_same_object),
        TEST(what_is_not_synced_was_never_there),
        TEST(creating_never_overwrites),
        TEST(a_reader_sees_one_version_or_an_error),
        TEST(ranges_that_lie_close_come_together),
        TEST(random_ranges_hold_what_was_written),
        TEST(keys_mean_themselves),
        TEST(impossible_names_are_refused),
        TEST(renaming_copies_and_removes),
        TEST(large_objects_are_copied_in_parts),
        TEST(versions_guard_replacement),
        TEST(deep_patterns_are_one_listing),
        TEST(what_stands_before_s3_passes_trees_on),
        TEST(trees_are_removed_by_the_thousand),
        TEST(a_marker_of_a_directory_is_no_file),
        TEST(files_outlive_their_registry),
        TEST(buckets_may_be_hosts),
        TEST(options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
