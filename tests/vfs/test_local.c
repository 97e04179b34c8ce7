/* What only local files have: forms of URIs, links, pipes, devices, locks between processes. */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static stoa_pool *pool;
static stoa_fs_registry *registry;
static char base[SUPPORT_PATH_BYTES];
static stoa_error err;

static int set_up(void **state) {
    (void)state;
    err = (stoa_error)STOA_ERROR_NONE;
    pool = support_pool_open();
    support_temp_directory(base);
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoa_fs_registry_close(registry);
    support_pool_close(pool);
    return 0;
}

static const char *at(const char *prefix, const char *name) {
    static char texts[4][1200];
    static int next;
    char *text = texts[next++ % 4];
    (void)snprintf(text, sizeof texts[0], "%s%s/%s", prefix, base, name);
    return text;
}

static void assert_holds(const char *uri, const char *text) {
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(registry, uri, NULL, 1 << 20, pool, &bytes, &err), err);
    assert_int_equal(bytes.size, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.size);
    stoa_buffer_release(&bytes);
}

static void all_forms_of_uris_name_the_same_file(void **state) {
    (void)state;
    char here[SUPPORT_PATH_BYTES];
    assert_ok(stoa_vfs_replace(registry, at("", "a b%20ü"), NULL, "text", 4, &err), err);
    assert_holds(at("", "a b%20ü"), "text");
    assert_holds(at("file:", "a b%20ü"), "text");
    assert_holds(at("file://", "a b%20ü"), "text");
    assert_holds(at("FILE://localhost", "a b%20ü"), "text");
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(base), 0);
    assert_holds("a b%20ü", "text");
    assert_holds("./a b%20ü", "text");
    assert_holds("file:a b%20ü", "text");
    /* A bare name: its directory is the working one. */
    assert_ok(stoa_vfs_replace(registry, "bare", NULL, "other", 5, &err), err);
    assert_holds(at("", "bare"), "other");
    assert_int_equal(chdir(here), 0);
}

static void files_of_another_host_are_refused(void **state) {
    (void)state;
    stoa_file *file = NULL;
    assert_fails(stoa_vfs_open(registry, "file://elsewhere/p", STOA_OPEN_READ, NULL, &file, &err),
                 STOA_UNSUPPORTED, "another host", err);
    assert_fails(stoa_vfs_open(registry, "file://", STOA_OPEN_READ, NULL, &file, &err),
                 STOA_UNSUPPORTED, NULL, err);
    assert_fails(stoa_vfs_open(registry, "", STOA_OPEN_READ, NULL, &file, &err), STOA_INVALID,
                 "expected a path", err);
}

static void removing_a_tree_leaves_what_links_point_to(void **state) {
    (void)state;
    stoa_file_info info;
    assert_ok(stoa_vfs_make_directories(registry, at("", "t/d"), NULL, &err), err);
    assert_ok(stoa_vfs_make_directories(registry, at("", "kept"), NULL, &err), err);
    assert_ok(stoa_vfs_replace(registry, at("", "kept/f"), NULL, "text", 4, &err), err);
    assert_int_equal(symlink(at("", "kept"), at("", "t/d/link")), 0);
    assert_int_equal(symlink(at("", "nowhere"), at("", "t/dangling")), 0);
    assert_ok(stoa_vfs_stat(registry, at("", "t/d/link"), NULL, &info, &err), err);
    assert_true(info.is_link);
    assert_true(info.is_directory);
    assert_ok(stoa_vfs_stat(registry, at("", "t/dangling"), NULL, &info, &err), err);
    assert_true(info.is_link);
    assert_false(info.is_directory);
    assert_ok(stoa_vfs_remove_tree(registry, at("", "t"), NULL, &err), err);
    assert_holds(at("", "kept/f"), "text");
    assert_int_equal(access(at("", "t"), F_OK), -1);
    /* A link itself, too. */
    assert_int_equal(symlink(at("", "kept"), at("", "link")), 0);
    assert_ok(stoa_vfs_remove_tree(registry, at("", "link"), NULL, &err), err);
    assert_holds(at("", "kept/f"), "text");
}

static void *feed_pipe(void *path) {
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < 10 && descriptor >= 0; i++) {
        assert_int_equal(write(descriptor, "0123456789", 10), 10);
    }
    (void)close(descriptor);
    return NULL;
}

static void named_pipes_are_read_in_order(void **state) {
    (void)state;
    pthread_t thread;
    stoa_buffer bytes;
    char *path = (char *)(uintptr_t)at("", "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pthread_create(&thread, NULL, feed_pipe, path), 0);
    assert_ok(stoa_vfs_read_all(registry, path, NULL, 1000, pool, &bytes, &err), err);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(bytes.size, 100);
    assert_memory_equal(bytes.data + 90, "0123456789", 10);
    stoa_buffer_release(&bytes);
}

static void a_full_disk_is_an_error_in_the_systems_words(void **state) {
    (void)state;
    stoa_file *file = NULL;
    if (access("/dev/full", W_OK) != 0) {
        skip();
    }
    assert_ok(stoa_vfs_open(registry, "/dev/full", STOA_OPEN_APPEND, NULL, &file, &err), err);
    assert_fails(stoa_file_write(file, "x", 1, &err), STOA_IO, "No space left on device", err);
    assert_non_null(strstr(err.message, "cannot write 1 bytes to '/dev/full'"));
    stoa_file_close(file);
}

static void a_failed_write_can_be_repeated_without_a_gap(void **state) {
    (void)state;
    stoa_file *file = NULL;
    struct rlimit old, small = {10, 10};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_ok(stoa_vfs_open(registry, at("", "f"), STOA_OPEN_CREATE, NULL, &file, &err), err);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    stoa_status first = stoa_file_write(file, "01234", 5, &err);
    /* Half of it fits. */
    stoa_status second = stoa_file_write(file, "abcdefghij", 10, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(first, STOA_OK);
    assert_int_equal(second, STOA_IO);
    assert_ok(stoa_file_write(file, "ABCDEFGHIJ", 10, &err), err);
    stoa_file_close(file);
    assert_holds(at("", "f"), "01234ABCDEFGHIJ");
}

/* Ranges of a file whose pages are on the disk only: apart, adjacent, empty, and past the end. */
static void many_cold_ranges_come_whole(void **state) {
    enum { RANGES = 300, WORDS = 1 << 19 };
    (void)state;
    static uint32_t words[WORDS], got[RANGES * 64];
    stoa_read_range ranges[RANGES];
    support_random random = support_random_open("cold ranges");
    stoa_file *file = NULL;
    for (uint32_t i = 0; i < WORDS; i++) {
        words[i] = i;
    }
    assert_ok(stoa_vfs_replace(registry, at("", "f"), NULL, words, sizeof words, &err), err);
    uint64_t next = 0;
    for (size_t i = 0; i < RANGES; i++) {
        size_t count = (size_t)support_random_below(&random, 65);
        next += support_random_below(&random, 2) == 0 ? 0 : support_random_below(&random, 1500);
        ranges[i] = (stoa_read_range){next * 4, count * 4, got + i * 64};
        next += count;
    }
    assert_true(next < WORDS);
    int descriptor = open(at("", "f"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED), 0);
    assert_int_equal(close(descriptor), 0);
    assert_ok(stoa_vfs_open(registry, at("", "f"), STOA_OPEN_READ, NULL, &file, &err), err);
    stoa_file_advise(file, 0, 0, STOA_ADVICE_RANDOM);
    for (int run = 0; run < 2; run++) { /* cold, then warm */
        memset(got, 0xff, sizeof got);
        assert_ok(stoa_file_read_vector(file, ranges, RANGES, &err), err);
        for (size_t i = 0; i < RANGES; i++) {
            assert_memory_equal(ranges[i].buffer, words + ranges[i].offset / 4, ranges[i].size);
        }
    }
    ranges[RANGES - 1] = (stoa_read_range){sizeof words - 4, 8, got};
    assert_fails(stoa_file_read_vector(file, ranges, RANGES, &err), STOA_CORRUPT, "ends after 4",
                 err);
    stoa_file_close(file);
}

/* Whatever is said of it, cold and warm, over all and in parts; and a cut under huge pages is seen. */
static void advice_changes_no_byte_of_a_map(void **state) {
    enum { WORDS = (5 << 20) / 4 + 9 };
    static uint32_t words[WORDS];
    const void *bytes = NULL;
    uint64_t size = 0;
    stoa_file *file = NULL;
    stoa_buffer changed;
    (void)state;
    for (size_t i = 0; i < WORDS; i++) {
        words[i] = (uint32_t)i * 2654435761u;
    }
    assert_ok(stoa_vfs_replace(registry, at("", "m"), NULL, words, sizeof words, &err), err);
    assert_ok(stoa_vfs_open(registry, at("", "m"), STOA_OPEN_READ, NULL, &file, &err), err);
    assert_ok(stoa_file_map(file, &bytes, &size, &err), err);
    assert_int_equal(size, sizeof words);
    for (stoa_file_advice advice = STOA_ADVICE_NORMAL; advice <= STOA_ADVICE_DONE; advice++) {
        stoa_file_advise(file, 0, 0, STOA_ADVICE_DONE);
        stoa_file_advise(file, 0, 0, STOA_ADVICE_SEQUENTIAL);
        stoa_file_advise(file, 0, 0, advice);
        assert_memory_equal(bytes, words, sizeof words);
        stoa_file_advise(file, 3 << 20, 1 << 20, advice);
        stoa_file_advise(file, size - 1, UINT64_MAX, advice);
        stoa_file_advise(file, size, 0, advice);
        assert_memory_equal(bytes, words, sizeof words);
    }
    assert_ok(stoa_file_map_check(file, &err), err);
    const uint32_t *mark = stoa_file_map_mark(file);
    assert_true(stoa_map_mark_is_clear(mark));
    stoa_file_advise(file, 0, 0, STOA_ADVICE_SEQUENTIAL);
    assert_int_equal(truncate(at("", "m"), 1 << 20), 0);
    stoa_buffer_init(&changed, pool);
    assert_ok(stoa_buffer_append(&changed, bytes, (size_t)size, &err), err);
    assert_memory_equal(changed.data, words, 1 << 20);
    assert_false(stoa_map_mark_is_clear(mark));
    assert_fails(stoa_file_map_check(file, &err), STOA_IO, "cut short", err);
    stoa_buffer_release(&changed);
    stoa_file_close(file);
}

/* Takes the lock in a child that lives until it is killed; returns its process id. */
static pid_t lock_in_child(const char *path) {
    int ends[2];
    char byte = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        stoa_file *lock = NULL;
        byte = stoa_vfs_lock(registry, path, NULL, &lock, NULL) == STOA_OK ? 'y' : 'n';
        (void)!write(ends[1], &byte, 1);
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    (void)close(ends[0]);
    (void)close(ends[1]);
    return child;
}

static void a_lock_names_the_process_and_dies_with_it(void **state) {
    (void)state;
    char text[64];
    stoa_file *lock = NULL;
    pid_t child = lock_in_child(at("", "lock"));
    (void)snprintf(text, sizeof text, "process %ld has it", (long)child);
    stoa_status status = stoa_vfs_lock(registry, at("", "lock"), NULL, &lock, &err);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(status, STOA_LOCKED);
    assert_non_null(strstr(err.message, text));
    assert_ok(stoa_vfs_lock(registry, at("", "lock"), NULL, &lock, &err), err);
    stoa_file_close(lock);
}

static void descriptors_do_not_leak_into_programs(void **state) {
    (void)state;
    stoa_file *file = NULL, *lock = NULL;
    assert_ok(stoa_vfs_open(registry, at("", "f"), STOA_OPEN_CREATE, NULL, &file, &err), err);
    assert_ok(stoa_vfs_lock(registry, at("", "l"), NULL, &lock, &err), err);
    for (int descriptor = 3; descriptor < 64; descriptor++) {
        struct stat info, mine;
        if (fstat(descriptor, &info) == 0 && stat(at("", "f"), &mine) == 0 &&
            info.st_ino == mine.st_ino) {
            assert_true((fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
        }
    }
    stoa_file_close(file);
    stoa_file_close(lock);
}

static void descriptors_read_in_order_and_stay_open(void **state) {
    (void)state;
    int ends[2];
    char buffer[16] = "";
    size_t size = 0;
    stoa_file *in = NULL, *out = NULL;
    assert_int_equal(pipe(ends), 0);
    assert_ok(stoa_file_from_descriptor(pool, ends[0], "standard input", &in, &err), err);
    assert_ok(stoa_file_from_descriptor(pool, ends[1], "standard output", &out, &err), err);
    assert_ok(stoa_file_write(out, "0123456789", 10, &err), err);
    assert_ok(stoa_file_sync(out, &err), err);
    stoa_file_close(out);
    assert_int_equal(close(ends[1]), 0);
    assert_ok(stoa_file_read(in, 0, buffer, 4, &err), err);
    assert_fails(stoa_file_read(in, 0, buffer, 4, &err), STOA_UNSUPPORTED,
                 "'standard input': it can only be read in order: at byte 4", err);
    assert_ok(stoa_file_read_some(in, 4, buffer, 16, &size, &err), err);
    assert_int_equal(size, 6);
    assert_memory_equal(buffer, "456789", 6);
    assert_fails(stoa_file_read(in, 10, buffer, 1, &err), STOA_CORRUPT, "ends after 0", err);
    stoa_file_close(in);
    assert_int_equal(close(ends[0]), 0);
}

static void many_files_make_a_wide_tree(void **state) {
    (void)state;
    char name[32];
    for (int i = 0; i < 500; i++) {
        (void)snprintf(name, sizeof name, "w/%d", i);
        assert_ok(stoa_vfs_make_directories(registry, at("", name), NULL, &err), err);
    }
    assert_ok(stoa_vfs_remove_tree(registry, at("", "w"), NULL, &err), err);
    assert_int_equal(access(at("", "w"), F_OK), -1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(all_forms_of_uris_name_the_same_file),
        TEST(files_of_another_host_are_refused),
        TEST(removing_a_tree_leaves_what_links_point_to),
        TEST(named_pipes_are_read_in_order),
        TEST(a_full_disk_is_an_error_in_the_systems_words),
        TEST(a_failed_write_can_be_repeated_without_a_gap),
        TEST(many_cold_ranges_come_whole),
        TEST(advice_changes_no_byte_of_a_map),
        TEST(a_lock_names_the_process_and_dies_with_it),
        TEST(descriptors_do_not_leak_into_programs),
        TEST(descriptors_read_in_order_and_stay_open),
        TEST(many_files_make_a_wide_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
