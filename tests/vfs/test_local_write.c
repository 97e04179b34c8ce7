/* How local files are written: directly past the page cache or through it, with space set aside, on
 * disks that are full. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, FILE_MIB = 24, NAME_BYTES = SUPPORT_PATH_BYTES + 32 };

static char base[SUPPORT_PATH_BYTES];
static char path[NAME_BYTES];
static stoa_pool *pool;
static stoa_fs_registry *registry;
static stoa_error err;
static char log_text[512];

static int set_up(void **state) {
    (void)state;
    err = (stoa_error)STOA_ERROR_NONE;
    log_text[0] = '\0';
    pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    assert_int_equal(setenv("STOA_DIRECT_WRITES", "1", 1), 0);
    (void)unlink(path);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoa_fs_registry_close(registry);
    support_pool_close(pool);
    return 0;
}

static void keep_line(void *user, stoa_log_level level, const char *module, const char *message) {
    (void)user;
    (void)level;
    (void)snprintf(log_text, sizeof log_text, "%s: %s", module, message);
}

static stoa_file *open_new(stoa_open_mode mode) {
    static const stoa_logger logger = {.function = keep_line, .level = STOA_LOG_DEBUG};
    const stoa_context context = {.pool = pool, .logger = &logger};
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(registry, path, mode, &context, &file, &err), err);
    return file;
}

/* Whether the descriptor of the file at `path` is a direct one now. */
static bool is_direct(void) {
    struct stat wanted, found;
    assert_int_equal(stat(path, &wanted), 0);
    for (int descriptor = 3; descriptor < 64; descriptor++) {
        if (fstat(descriptor, &found) == 0 && found.st_ino == wanted.st_ino &&
            found.st_dev == wanted.st_dev) {
            return (fcntl(descriptor, F_GETFL) & O_DIRECT) != 0;
        }
    }
    fail_msg("the file is not open");
    return false;
}

/* Whether the test's folder takes direct writes, found out without the code under test. */
static bool disk_takes_direct(void) {
    struct statx info = {0};
    return statx(AT_FDCWD, path, 0, STATX_DIOALIGN, &info) == 0 &&
           (info.stx_mask & STATX_DIOALIGN) != 0 && info.stx_dio_offset_align != 0;
}

static uint8_t *content;

static void fill_content(uint64_t seed) {
    support_random random = {seed};
    content = content == NULL ? malloc((size_t)FILE_MIB * MIB) : content;
    for (size_t i = 0; i < (size_t)FILE_MIB * MIB; i += 8) {
        uint64_t word = support_random_u64(&random);
        memcpy(content + i, &word, sizeof word);
    }
}

static void assert_file_is(size_t size) {
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(registry, path, NULL, (size_t)FILE_MIB * MIB + 1, pool, &bytes,
                                &err),
              err);
    assert_int_equal(bytes.size, size);
    assert_int_equal(memcmp(bytes.data, content, size), 0);
    stoa_buffer_release(&bytes);
}

/* Writes content[from, to) in pieces of random sizes. */
static void write_content(stoa_file *file, support_random *random, size_t from, size_t to,
                          size_t piece_max) {
    while (from < to) {
        size_t part = 1 + (size_t)support_random_below(random, piece_max);
        part = part < to - from ? part : to - from;
        assert_ok(stoa_file_write(file, content + from, part, &err), err);
        from += part;
    }
}

static void write_in_pieces(size_t piece_max) {
    support_random random = support_random_open("local_write");
    uint64_t size = 0;
    size_t total = (size_t)FILE_MIB * MIB - (size_t)support_random_below(&random, MIB);
    fill_content(support_random_u64(&random));
    stoa_file *file = open_new(STOA_OPEN_REPLACE);
    write_content(file, &random, 0, total, piece_max);
    assert_int_equal(is_direct(), disk_takes_direct());
    assert_ok(stoa_file_size(file, &size, &err), err);
    assert_int_equal(size, total);
    assert_ok(stoa_file_sync(file, &err), err);
    assert_false(is_direct());
    assert_file_is(total);
    /* It goes on, and ends without a sync. */
    total = (size_t)FILE_MIB * MIB;
    assert_ok(stoa_file_truncate(file, total - 3 * MIB, &err), err);
    write_content(file, &random, total - 3 * MIB, total, piece_max);
    stoa_file_close(file);
    assert_file_is(total);
}

static void large_files_hold_what_was_written(void **state) {
    (void)state;
    write_in_pieces(100 << 10);
    write_in_pieces(6 * MIB);
    assert_string_equal(log_text, "");
}

static void a_file_without_a_sync_is_whole_when_it_is_closed(void **state) {
    (void)state;
    support_random random = {7};
    fill_content(7);
    stoa_file *file = open_new(STOA_OPEN_CREATE);
    write_content(file, &random, 0, 9 * MIB + 17, MIB);
    stoa_file_close(file);
    assert_file_is(9 * MIB + 17);
}

static void logs_and_files_to_be_read_soon_stay_in_memory(void **state) {
    (void)state;
    support_random random = {8};
    fill_content(8);
    stoa_file *file = open_new(STOA_OPEN_CREATE);
    stoa_file_advise(file, 0, 0, STOA_ADVICE_WILL_NEED);
    write_content(file, &random, 0, 4 * MIB, MIB);
    assert_false(is_direct());
    stoa_file_close(file);
    file = open_new(STOA_OPEN_APPEND);
    write_content(file, &random, 4 * MIB, 8 * MIB, MIB);
    assert_false(is_direct());
    stoa_file_close(file);
    assert_file_is(8 * MIB);
    file = open_new(STOA_OPEN_REPLACE);
    write_content(file, &random, 0, 1000, 1000);
    assert_ok(stoa_file_sync(file, &err), err);
    write_content(file, &random, 1000, 8 * MIB, MIB);
    assert_false(is_direct());
    stoa_file_close(file);
    assert_file_is(8 * MIB);
    assert_int_equal(setenv("STOA_DIRECT_WRITES", "off", 1), 0);
    file = open_new(STOA_OPEN_REPLACE);
    write_content(file, &random, 0, 8 * MIB, MIB);
    assert_false(is_direct());
    stoa_file_close(file);
    assert_file_is(8 * MIB);
}

/* io_uring_setup answers EPERM from now on, as under the filters of containers. */
static bool forbid_rings(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Runs `function` in a child, where it answers whether all was well; 77 leaves the test out. */
static void assert_in_child(int (*function)(void)) {
    int status = -1;
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(function());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int write_without_rings(void) {
    stoa_file *file = NULL;
    static const stoa_logger logger = {.function = keep_line, .level = STOA_LOG_DEBUG};
    const stoa_context context = {.pool = pool, .logger = &logger};
    stoa_buffer bytes;
    if (!forbid_rings()) {
        return 77;
    }
    if (stoa_vfs_open(registry, path, STOA_OPEN_CREATE, &context, &file, &err) != STOA_OK) {
        return 2;
    }
    for (size_t done = 0; done < 10 * (size_t)MIB; done += 12345) {
        if (stoa_file_write(file, content + done, 12345, &err) != STOA_OK) {
            return 3;
        }
    }
    bool said = strstr(log_text, "vfs: direct writes go one by one") != NULL;
    if (said != disk_takes_direct() || stoa_file_sync(file, &err) != STOA_OK) {
        return 4;
    }
    stoa_file_close(file);
    if (stoa_vfs_read_all(registry, path, NULL, FILE_MIB * (size_t)MIB, pool, &bytes, &err) !=
        STOA_OK) {
        return 5;
    }
    return bytes.size >= 10 * (size_t)MIB && memcmp(bytes.data, content, bytes.size) == 0 ? 0 : 6;
}

static void without_io_uring_files_are_written_all_the_same(void **state) {
    (void)state;
    fill_content(9);
    assert_in_child(write_without_rings);
}

/* ---- Full disks ------------------------------------------------------------------------------ */

static void limit_file_size(rlim_t bytes) {
    struct rlimit limit;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_close_that_finds_the_disk_full_says_so_in_the_log(void **state) {
    (void)state;
    fill_content(11);
    stoa_file *file = open_new(STOA_OPEN_CREATE);
    assert_ok(stoa_file_write(file, content, 3 * MIB, &err), err);
    assert_ok(stoa_file_write(file, content + 3 * MIB, 100, &err), err);
    log_text[0] = '\0';
    limit_file_size(2 * MIB);
    stoa_file_close(file);
    limit_file_size(RLIM_INFINITY);
    if (disk_takes_direct()) {
        assert_non_null(strstr(log_text, "not synced before: File too large"));
        assert_non_null(strstr(log_text, path));
    } else {
        assert_string_equal(log_text, "");
    }
}

/* Bytes wait in memory when the disk turns out to be full: none that a call took is lost, none that
 * it refused is in the file. */
static void what_was_taken_before_the_disk_was_full_is_kept(void **state) {
    (void)state;
    support_random random = support_random_open("full disk");
    fill_content(support_random_u64(&random));
    for (int round = 0; round < 12; round++) {
        (void)unlink(path);
        stoa_file *file = open_new(STOA_OPEN_CREATE);
        /* So low that the end is met, whatever waits in memory. */
        const rlim_t limit = 2 * MIB + support_random_below(&random, 4 * MIB);
        size_t done = 0, refused = 0;
        limit_file_size(limit);
        while (done < 20 * (size_t)MIB) {
            size_t part = 1 + (size_t)support_random_below(&random, 3 * MIB);
            stoa_status status = stoa_file_write(file, content + done, part, &err);
            if (status == STOA_OK) {
                done += part;
                continue;
            }
            assert_int_equal(status, STOA_IO);
            assert_non_null(strstr(err.message, "File too large"));
            if (++refused == 3) {
                limit_file_size(RLIM_INFINITY);
            }
        }
        limit_file_size(RLIM_INFINITY);
        assert_int_equal(refused, 3);
        assert_ok(stoa_file_sync(file, &err), err);
        stoa_file_close(file);
        assert_file_is(done);
    }
}

static void a_sync_that_finds_the_disk_full_can_be_repeated(void **state) {
    (void)state;
    fill_content(10);
    stoa_file *file = open_new(STOA_OPEN_CREATE);
    assert_ok(stoa_file_write(file, content, 3 * MIB, &err), err);
    assert_ok(stoa_file_write(file, content + 3 * MIB, 100, &err), err);
    limit_file_size(3 * MIB);
    stoa_status status = stoa_file_sync(file, &err);
    limit_file_size(RLIM_INFINITY);
    if (disk_takes_direct()) {
        assert_int_equal(status, STOA_IO);
    }
    assert_ok(stoa_file_sync(file, &err), err);
    stoa_file_close(file);
    assert_file_is(3 * MIB + 100);
}

/* On a small file system of its own, in a child that alone sees it. */
static int fill_small_disk(void) {
    char name[NAME_BYTES];
    stoa_file *file = NULL, *other = NULL;
    uint64_t size = 0;
    size_t done = 0;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", base, "tmpfs", 0, "size=4m") != 0) {
        return 77;
    }
    (void)snprintf(name, sizeof name, "%s/other", base);
    if (stoa_vfs_open(registry, path, STOA_OPEN_CREATE, NULL, &file, &err) != STOA_OK ||
        stoa_vfs_open(registry, name, STOA_OPEN_CREATE, NULL, &other, &err) != STOA_OK ||
        stoa_file_write(other, content, MIB, &err) != STOA_OK ||
        stoa_file_write(file, content, 1000, &err) != STOA_OK) {
        return 2;
    }
    /* More than there is: refused at once, and the file is as it was. */
    for (int grow = 0; grow < 2; grow++) {
        if (stoa_file_preallocate(file, 5 * MIB, grow != 0, &err) != STOA_IO ||
            strstr(err.message, "No space left on device") == NULL ||
            stoa_file_size(file, &size, &err) != STOA_OK || size != 1000) {
            return 3;
        }
    }
    /* What was set aside is there, though others take all the rest. */
    if (stoa_file_preallocate(file, 2 * MIB, false, &err) != STOA_OK ||
        stoa_file_size(file, &size, &err) != STOA_OK || size != 1000) {
        return 4;
    }
    while (stoa_file_write(other, content + done, 4096, &err) == STOA_OK) {
        done += 4096;
    }
    if (strstr(err.message, "No space left on device") == NULL || done < MIB / 2 ||
        stoa_file_write(file, content + 1000, 2 * MIB - 1000, &err) != STOA_OK ||
        stoa_file_sync(file, &err) != STOA_OK) {
        return 5;
    }
    stoa_file_close(other);
    /* Room again: the write that failed is repeated. */
    if (stoa_file_write(file, content + 2 * MIB, MIB, &err) == STOA_OK || unlink(name) != 0 ||
        stoa_file_write(file, content + 2 * MIB, MIB, &err) != STOA_OK) {
        return 6;
    }
    stoa_file_close(file);
    stoa_buffer bytes;
    if (stoa_vfs_read_all(registry, path, NULL, 4 * MIB, pool, &bytes, &err) != STOA_OK) {
        return 7;
    }
    return bytes.size == 3 * MIB && memcmp(bytes.data, content, bytes.size) == 0 ? 0 : 8;
}

static void a_full_disk_loses_nothing(void **state) {
    (void)state;
    fill_content(11);
    assert_in_child(fill_small_disk);
}

/* ---- Space ahead ----------------------------------------------------------------------------- */

static void space_is_set_aside_with_and_without_growing(void **state) {
    (void)state;
    uint64_t size = 0;
    struct stat info;
    fill_content(12);
    stoa_file *file = open_new(STOA_OPEN_CREATE);
    assert_ok(stoa_file_preallocate(file, 0, false, &err), err);
    assert_ok(stoa_file_preallocate(file, 4 * MIB, false, &err), err);
    assert_ok(stoa_file_size(file, &size, &err), err);
    assert_int_equal(size, 0);
    assert_ok(stoa_file_write(file, content, 100, &err), err);
    assert_ok(stoa_file_preallocate(file, 2 * MIB, true, &err), err);
    assert_ok(stoa_file_size(file, &size, &err), err);
    assert_int_equal(size, 2 * MIB);
    assert_int_equal(stat(path, &info), 0);
    assert_true((uint64_t)info.st_blocks * 512 >= 2 * MIB);
    /* The next write goes where it would have gone, and no shorter. */
    assert_ok(stoa_file_preallocate(file, MIB, true, &err), err);
    assert_ok(stoa_file_write(file, content + 100, 3 * MIB - 100, &err), err);
    assert_ok(stoa_file_sync(file, &err), err);
    stoa_file_close(file);
    assert_file_is(3 * MIB);
    assert_int_equal(stoa_vfs_open(registry, path, STOA_OPEN_READ, NULL, &file, &err), STOA_OK);
    assert_fails(stoa_file_preallocate(file, 1, true, &err), STOA_UNSUPPORTED, "set space aside",
                 err);
    stoa_file_close(file);
}

static void a_file_cannot_be_grown_past_its_limit(void **state) {
    (void)state;
    uint64_t size = 0;
    stoa_file *file = open_new(STOA_OPEN_CREATE);
    assert_ok(stoa_file_write(file, "0123456789", 10, &err), err);
    assert_fails(stoa_file_preallocate(file, UINT64_MAX, true, &err), STOA_INVALID, NULL, err);
    assert_fails(stoa_file_preallocate(file, INT64_MAX, true, &err), STOA_IO, NULL, err);
    limit_file_size(MIB);
    stoa_status status = stoa_file_preallocate(file, 2 * MIB, true, &err);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(status, STOA_IO);
    assert_ok(stoa_file_size(file, &size, &err), err);
    assert_int_equal(size, 10);
    stoa_file_close(file);
}

/* Stores go on in memory of their own: no signal ends the process, and the sync says it. */
static void a_file_that_is_cut_short_under_a_writable_map_fails_its_sync(void **state) {
    (void)state;
    void *map;
    stoa_file *file = open_new(STOA_OPEN_CREATE);
    assert_ok(stoa_file_preallocate(file, 4 * MIB, true, &err), err);
    stoa_file_close(file);
    file = open_new(STOA_OPEN_UPDATE);
    assert_ok(stoa_file_map_write(file, 4 * MIB, &map, &err), err);
    stoa_file_advise(file, 0, MIB, STOA_ADVICE_WILL_NEED);
    memset(map, 'a', 2 * MIB);
    assert_ok(stoa_file_sync(file, &err), err);
    assert_int_equal(truncate(path, MIB), 0);
    memset(map, 'b', 4 * MIB);
    assert_int_equal(((char *)map)[3 * MIB], 'b');
    assert_fails(stoa_file_map_check(file, &err), STOA_IO, NULL, err);
    assert_fails(stoa_file_sync(file, &err), STOA_IO, "cannot sync", err);
    /* Also when it is long again: what was stored meanwhile is not in it. */
    assert_int_equal(truncate(path, 4 * MIB), 0);
    assert_fails(stoa_file_sync(file, &err), STOA_IO, "cut short", err);
    stoa_file_close(file);
}

static void a_program_without_maps_has_no_writable_ones(void **state) {
    (void)state;
    void *map;
    stoa_file_close(open_new(STOA_OPEN_CREATE));
    assert_int_equal(truncate(path, 100), 0);
    stoa_file *file = open_new(STOA_OPEN_UPDATE);
    stoa_maps_allow(false);
    assert_fails(stoa_file_map_write(file, 100, &map, &err), STOA_UNSUPPORTED, "no mapped", err);
    stoa_maps_allow(true);
    assert_ok(stoa_file_map_write(file, 100, &map, &err), err);
    stoa_file_close(file);
}

static void too_many_open_files_is_a_limit(void **state) {
    (void)state;
    struct rlimit old, none;
    stoa_file *file = NULL;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    stoa_status status = stoa_vfs_open(registry, path, STOA_OPEN_CREATE, NULL, &file, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(status, STOA_LIMIT);
    assert_non_null(strstr(err.message, "Too many open files"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(large_files_hold_what_was_written),
        TEST(a_file_without_a_sync_is_whole_when_it_is_closed),
        TEST(logs_and_files_to_be_read_soon_stay_in_memory),
        TEST(without_io_uring_files_are_written_all_the_same),
        TEST(a_close_that_finds_the_disk_full_says_so_in_the_log),
        TEST(what_was_taken_before_the_disk_was_full_is_kept),
        TEST(a_sync_that_finds_the_disk_full_can_be_repeated),
        TEST(a_full_disk_loses_nothing),
        TEST(space_is_set_aside_with_and_without_growing),
        TEST(a_file_cannot_be_grown_past_its_limit),
        TEST(a_file_that_is_cut_short_under_a_writable_map_fails_its_sync),
        TEST(a_program_without_maps_has_no_writable_ones),
        TEST(too_many_open_files_is_a_limit),
    };
    support_temp_directory(base);
    (void)snprintf(path, sizeof path, "%s/written", base);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(content);
    return failed;
}
