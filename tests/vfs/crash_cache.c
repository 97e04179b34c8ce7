/* Processes that fill one cache directory and are killed at any moment, while others read: nobody
 * ever sees a wrong byte, and what is left is usable. */
#include "cache_world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES = 3, ROUNDS = 25, FILES = 12, SIZE = 9 * CACHE_BLOCK + 55 };

static void name_file(char uri[32], uint64_t number) {
    (void)snprintf(uri, 32, "cached:/%d", (int)number);
}

/* Reads files in disorder until it is killed; the answer is only seen when a byte is wrong. */
static void read_until_killed(struct cache_world *world, uint64_t seed) {
    support_random random = {seed};
    uint8_t bytes[SIZE];
    for (;;) {
        char uri[32];
        stoa_file *file = NULL;
        uint64_t number = support_random_below(&random, FILES);
        name_file(uri, number);
        if (stoa_vfs_open(world->registry, uri, STOA_OPEN_READ, NULL, &file, &world->err) !=
                STOA_OK ||
            stoa_file_read(file, 0, bytes, SIZE, &world->err) != STOA_OK) {
            _exit(2);
        }
        stoa_file_close(file);
        for (size_t i = 0; i < SIZE; i++) {
            if (bytes[i] != cache_world_byte(i, number)) {
                _exit(3);
            }
        }
    }
}

static pid_t start(struct cache_world *world, uint64_t seed) {
    pid_t parent = getpid();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(0);
        }
        read_until_killed(world, seed);
    }
    return child;
}

static void end(pid_t child) {
    int status = 0;
    assert_int_equal(kill(child, SIGKILL), 0);
    while (waitpid(child, &status, 0) < 0) {
        assert_int_equal(errno, EINTR);
    }
    if (!WIFSIGNALED(status)) {
        fail_msg("a reader ended with %d: %s", WEXITSTATUS(status),
                 WEXITSTATUS(status) == 3 ? "a byte was wrong" : "a read failed");
    }
}

/* With room for all, and with room for half, so that entries are removed all the time. */
static void killed_processes_leave_a_usable_cache(void **state) {
    support_random random = support_random_open("crash_cache");
    uint64_t limit = *(const uint64_t *)*state;
    struct cache_world *world = test_calloc(1, sizeof *world);
    pid_t children[PROCESSES];
    support_temp_directory(world->directory);
    cache_world_open(world, limit);
    for (uint64_t i = 0; i < FILES; i++) {
        char uri[32];
        name_file(uri, i);
        cache_world_put(world, uri, SIZE, i);
    }
    for (size_t i = 0; i < PROCESSES; i++) {
        children[i] = start(world, support_random_u64(&random));
    }
    for (int round = 0; round < ROUNDS; round++) {
        const struct timespec pause = {.tv_nsec = (long)support_random_below(&random, 8000000)};
        size_t victim = (size_t)support_random_below(&random, PROCESSES);
        (void)nanosleep(&pause, NULL);
        end(children[victim]);
        children[victim] = start(world, support_random_u64(&random));
    }
    for (size_t i = 0; i < PROCESSES; i++) {
        end(children[i]);
    }
    for (uint64_t i = 0; i < FILES; i++) {
        char uri[32];
        name_file(uri, i);
        cache_world_check(world, uri, SIZE, i);
    }
    assert_int_equal(world->warning_count, 0);
    cache_world_close(world);
    test_free(world);
}

int main(void) {
    static uint64_t large = 64 << 20, small = FILES * SIZE / 2;
    const struct CMUnitTest tests[] = {
        {"killed_processes_leave_a_usable_cache", killed_processes_leave_a_usable_cache, NULL, NULL,
         &large},
        {"with_room_for_half_of_it", killed_processes_leave_a_usable_cache, NULL, NULL, &small},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
