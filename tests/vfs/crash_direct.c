/* A process that writes a large file past the page cache and is killed with SIGKILL in its middle. What
 * is there then: its bytes at their places, up to some length, with zeros where a piece that was under
 * way has not come; never other bytes. Who reads such a file knows it by its name (it was never renamed),
 * so holes are no harm. */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, ROUNDS = 12, FILE_MIB = 192, BLOCK_BYTES = 4096, NAME_BYTES = 600 };

static uint64_t word_at(uint64_t offset) {
    uint64_t word = (offset / 8 + 1) * UINT64_C(0x9E3779B97F4A7C15);
    return word ^ (word >> 29);
}

/* Pieces of any size, until it is killed. */
static void write_until_killed(const char *path, uint64_t seed) {
    enum { PIECE_WORDS = 3 * MIB / 8 };
    support_random random = {seed};
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    stoa_file *file = NULL;
    uint64_t *words = malloc(PIECE_WORDS * 8);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setenv("STOA_DIRECT_WRITES", "1", 1);
    bool is_open = words != NULL && stoa_pool_create(0, NULL, &pool, NULL) == STOA_OK &&
                   stoa_fs_registry_create(pool, &registry, NULL) == STOA_OK &&
                   stoa_vfs_open(registry, path, STOA_OPEN_CREATE, NULL, &file, NULL) == STOA_OK;
    for (uint64_t offset = 0; is_open && offset < (uint64_t)FILE_MIB * MIB;) {
        size_t count = (size_t)support_random_below(&random, PIECE_WORDS) + 1;
        for (size_t i = 0; i < count; i++) {
            words[i] = word_at(offset + i * 8);
        }
        is_open = stoa_file_write(file, words, count * 8, NULL) == STOA_OK;
        offset += count * 8;
    }
    (void)pause();
    _exit(1);
}

static off_t size_of(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : -1;
}

static void wait_ms(uint64_t ms) {
    struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

static bool is_zero(const uint64_t *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (words[i] != 0) {
            return false;
        }
    }
    return true;
}

static void check_file(const char *path) {
    uint64_t words[BLOCK_BYTES / 8];
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t offset = 0;
    ssize_t got;
    assert_true(descriptor >= 0);
    while ((got = pread(descriptor, words, sizeof words, (off_t)offset)) > 0) {
        size_t count = (size_t)got / 8;
        bool is_hole = is_zero(words, count);
        /* The first MiB goes through the page cache, in order: there are no holes. */
        assert_true(!is_hole || offset >= MIB);
        for (size_t i = 0; i < count && !is_hole; i++) {
            assert_int_equal(words[i], word_at(offset + i * 8));
        }
        offset += (uint64_t)got;
    }
    assert_int_equal(got, 0);
    (void)close(descriptor);
}

static void a_killed_writer_leaves_its_own_bytes_only(void **state) {
    char directory[SUPPORT_PATH_BYTES];
    char path[NAME_BYTES];
    support_random random = support_random_open("crash_direct");
    (void)state;
    support_temp_directory(directory);
    (void)snprintf(path, sizeof path, "%s/f", directory);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t seed = support_random_u64(&random);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            write_until_killed(path, seed);
        }
        for (int wait = 0; wait < 5000 && size_of(path) < 2 * MIB; wait++) {
            wait_ms(1);
        }
        wait_ms(support_random_below(&random, 60));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_true(size_of(path) >= 2 * MIB);
        check_file(path);
        assert_int_equal(unlink(path), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_writer_leaves_its_own_bytes_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
