/* Files that are cut short while they are mapped: zeros and STOA_IO instead of the end of the
 * process. Each test is a child process, since handlers are the process's and some must end it. */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stoa/sched.h>

enum { PAGE_COUNT = 64, MAP_COUNT = 1200 };

static char base[SUPPORT_PATH_BYTES];
static char path[SUPPORT_PATH_BYTES + 16];
static size_t page;
static volatile sig_atomic_t own_faults;
static sigjmp_buf way_out;

/* In children nothing may be asserted: cmocka would go on with the tests in them. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void write_pages(void) {
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char *bytes = malloc(page);
    REQUIRE(descriptor >= 0 && bytes != NULL);
    memset(bytes, 'x', page);
    for (int i = 0; i < PAGE_COUNT; i++) {
        REQUIRE(write(descriptor, bytes, page) == (ssize_t)page);
    }
    free(bytes);
    REQUIRE(close(descriptor) == 0);
}

struct mapped {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_file *file;
    const volatile char *bytes;
    uint64_t size;
};

static void open_mapped(struct mapped *out) {
    const void *bytes = NULL;
    write_pages();
    REQUIRE(stoa_pool_create(0, NULL, &out->pool, NULL) == STOA_OK);
    REQUIRE(stoa_fs_registry_create(out->pool, &out->registry, NULL) == STOA_OK);
    REQUIRE(stoa_vfs_open(out->registry, path, STOA_OPEN_READ, NULL, &out->file, NULL) == STOA_OK);
    REQUIRE(stoa_file_map(out->file, &bytes, &out->size, NULL) == STOA_OK);
    REQUIRE(out->size == PAGE_COUNT * page);
    REQUIRE(stoa_file_map_check(out->file, NULL) == STOA_OK);
    out->bytes = bytes;
}

static void close_mapped(struct mapped *mapped) {
    stoa_file_close(mapped->file);
    stoa_fs_registry_close(mapped->registry);
    REQUIRE(stoa_pool_used(mapped->pool) == 0);
    stoa_pool_close(mapped->pool);
}

static size_t count_zeros(const struct mapped *mapped) {
    size_t zeros = 0;
    for (uint64_t i = 0; i < mapped->size; i++) {
        zeros += mapped->bytes[i] == 0;
    }
    return zeros;
}

static void require_broken(const struct mapped *mapped, const char *text) {
    stoa_error err = STOA_ERROR_NONE;
    REQUIRE(stoa_file_map_check(mapped->file, &err) == STOA_IO);
    REQUIRE(strstr(err.message, path) != NULL && strstr(err.message, text) != NULL);
}

/* Runs `function` in a child; returns how it ended (as of waitpid). */
static int in_child(void (*function)(void)) {
    int status = -1;
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        function();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_succeeds(void (*function)(void)) {
    int status = in_child(function);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- Cut short ------------------------------------------------------------------------------- */

static void cut_and_read(void) {
    struct mapped mapped;
    open_mapped(&mapped);
    REQUIRE(count_zeros(&mapped) == 0);
    REQUIRE(truncate(path, (off_t)(10 * page)) == 0);
    REQUIRE(count_zeros(&mapped) == (PAGE_COUNT - 10) * page);
    require_broken(&mapped, "cut short");
    /* Cut again, and grown again: it stays broken. */
    REQUIRE(truncate(path, 0) == 0);
    REQUIRE(count_zeros(&mapped) == PAGE_COUNT * page);
    REQUIRE(truncate(path, (off_t)(PAGE_COUNT * page)) == 0);
    require_broken(&mapped, "could not be read");
    close_mapped(&mapped);
    /* What is mapped next has nothing to do with it, though it lies at the same place. */
    open_mapped(&mapped);
    REQUIRE(count_zeros(&mapped) == 0);
    REQUIRE(stoa_file_map_check(mapped.file, NULL) == STOA_OK);
    close_mapped(&mapped);
}

static void a_file_cut_short_reads_as_zeros_and_is_reported(void **state) {
    (void)state;
    assert_succeeds(cut_and_read);
}

static void cut_within_a_page(void) {
    struct mapped mapped;
    open_mapped(&mapped);
    REQUIRE(truncate(path, (off_t)(PAGE_COUNT * page - 1)) == 0);
    REQUIRE(mapped.bytes[mapped.size - 1] == 0); /* no fault here: the page is there */
    require_broken(&mapped, "cut short to");
    close_mapped(&mapped);
}

static void a_cut_within_the_last_page_is_reported(void **state) {
    (void)state;
    assert_succeeds(cut_within_a_page);
}

static struct mapped shared;
static atomic_int readers_done;

static void *read_and_check(void *user) {
    (void)user;
    size_t zeros = 0;
    do {
        zeros = count_zeros(&shared);
    } while (zeros == 0);
    REQUIRE(stoa_file_map_check(shared.file, NULL) == STOA_IO);
    (void)atomic_fetch_add(&readers_done, 1);
    return NULL;
}

static void cut_under_threads(void) {
    pthread_t threads[4];
    open_mapped(&shared);
    for (int i = 0; i < 4; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, read_and_check, NULL) == 0);
    }
    for (int kept = PAGE_COUNT - 1; kept >= 0; kept -= 7) {
        REQUIRE(truncate(path, (off_t)((size_t)kept * page)) == 0);
        (void)usleep(500);
    }
    for (int i = 0; i < 4; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    REQUIRE(atomic_load(&readers_done) == 4);
    close_mapped(&shared);
}

static void every_thread_that_read_past_the_cut_finds_out(void **state) {
    (void)state;
    assert_succeeds(cut_under_threads);
}

static stoa_status read_as_task(void *user, stoa_error *task_err) {
    const struct mapped *mapped = user;
    (void)count_zeros(mapped);
    return stoa_file_map_check(mapped->file, task_err);
}

/* Workers block signals, but not the one that this is about. */
static void cut_under_a_worker(void) {
    struct mapped mapped;
    stoa_sched *sched = NULL;
    stoa_future *future = NULL;
    open_mapped(&mapped);
    REQUIRE(truncate(path, 0) == 0);
    const stoa_sched_options options = {.threads = 2};
    REQUIRE(stoa_sched_create(mapped.pool, &options, &sched, NULL) == STOA_OK);
    REQUIRE(stoa_sched_submit(sched, read_as_task, &mapped, NULL, &future, NULL) == STOA_OK);
    while (!stoa_future_is_done(future)) {
        (void)usleep(100); /* waiting would run it here */
    }
    REQUIRE(stoa_future_wait(future, -1, NULL) == STOA_IO);
    stoa_future_close(future);
    stoa_sched_close(sched);
    close_mapped(&mapped);
}

static void a_worker_that_reads_past_the_cut_finds_out(void **state) {
    (void)state;
    assert_succeeds(cut_under_a_worker);
}

static void map_many(void) {
    static stoa_file *files[MAP_COUNT];
    struct mapped mapped;
    const void *bytes = NULL;
    uint64_t size;
    open_mapped(&mapped);
    for (int i = 0; i < MAP_COUNT; i++) {
        if (stoa_vfs_open(mapped.registry, path, STOA_OPEN_READ, NULL, &files[i], NULL) !=
            STOA_OK) {
            _exit(77); /* not so many descriptors here */
        }
        REQUIRE(stoa_file_map(files[i], &bytes, &size, NULL) == STOA_OK);
    }
    REQUIRE(truncate(path, 0) == 0);
    REQUIRE(*(const volatile char *)bytes == 0);
    REQUIRE(stoa_file_map_check(files[MAP_COUNT - 1], NULL) == STOA_IO);
    for (int i = 0; i < MAP_COUNT; i++) {
        stoa_file_close(files[i]);
    }
    close_mapped(&mapped);
}

static void more_maps_than_one_block_of_the_table_holds(void **state) {
    (void)state;
    int status = in_child(map_many);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- The program's own handler --------------------------------------------------------------- */

static void on_own_fault(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    (void)context;
    own_faults++;
    siglongjmp(way_out, 1);
}

static void install_own(void) {
    struct sigaction action = {.sa_sigaction = on_own_fault, .sa_flags = SA_SIGINFO};
    REQUIRE(sigaction(SIGBUS, &action, NULL) == 0);
}

/* Reads behind the end of a file that the program has mapped itself. */
static void fault_in_own_map(void) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    volatile char *bytes = mmap(NULL, 2 * PAGE_COUNT * page, PROT_READ, MAP_SHARED, descriptor, 0);
    REQUIRE(bytes != MAP_FAILED);
    if (sigsetjmp(way_out, 1) == 0) {
        (void)bytes[2 * PAGE_COUNT * page - 1];
        REQUIRE(!"reached");
    }
    (void)close(descriptor);
}

static void share_with_own(void) {
    struct mapped mapped;
    install_own();
    open_mapped(&mapped);
    fault_in_own_map();
    REQUIRE(own_faults == 1);
    REQUIRE(truncate(path, 0) == 0);
    REQUIRE(count_zeros(&mapped) == PAGE_COUNT * page);
    REQUIRE(own_faults == 1);
    require_broken(&mapped, "cut short");
    write_pages();
    fault_in_own_map();
    REQUIRE(own_faults == 2);
    if (sigsetjmp(way_out, 1) == 0) {
        REQUIRE(raise(SIGBUS) == 0); /* one that was sent is the program's, always */
    }
    REQUIRE(own_faults == 3);
    close_mapped(&mapped);
}

static void a_handler_from_before_gets_its_own_faults(void **state) {
    (void)state;
    assert_succeeds(share_with_own);
}

static struct sigaction replaced;

/* As crash reporters do: looks, and calls the one that was there. */
static void on_fault_politely(int number, siginfo_t *info, void *context) {
    own_faults++;
    replaced.sa_sigaction(number, info, context);
}

static void chain_later(void) {
    struct mapped first, second;
    struct sigaction action = {.sa_sigaction = on_fault_politely, .sa_flags = SA_SIGINFO};
    install_own();
    open_mapped(&first);
    REQUIRE(sigaction(SIGBUS, &action, &replaced) == 0);
    REQUIRE(truncate(path, 0) == 0);
    REQUIRE(first.bytes[0] == 0 && own_faults == 1);
    /* Another map stands before the polite one; the oldest still gets what is its own, once. */
    open_mapped(&second);
    REQUIRE(truncate(path, 0) == 0);
    REQUIRE(count_zeros(&second) == PAGE_COUNT * page && own_faults == 1);
    write_pages();
    fault_in_own_map();
    REQUIRE(own_faults == 3);
    close_mapped(&first);
    close_mapped(&second);
}

static void replace_later(void) {
    struct mapped mapped;
    for (int i = 0; i < 20; i++) {
        open_mapped(&mapped);
        install_own();
        close_mapped(&mapped);
        open_mapped(&mapped);
        REQUIRE(truncate(path, 0) == 0);
        REQUIRE(count_zeros(&mapped) == PAGE_COUNT * page && own_faults == i);
        write_pages();
        fault_in_own_map();
        REQUIRE(own_faults == i + 1);
        close_mapped(&mapped);
    }
}

static void a_handler_that_came_later_is_asked_after_ours(void **state) {
    (void)state;
    assert_succeeds(chain_later);
    assert_succeeds(replace_later);
}

static void change_all_the_time(void) {
    static const int flags[] = {SA_SIGINFO, SA_SIGINFO | SA_NODEFER, SA_SIGINFO | SA_RESTART,
                                SA_SIGINFO | SA_RESTART | SA_NODEFER, SA_SIGINFO | SA_ONSTACK};
    struct mapped mapped;
    stoa_file *file = NULL;
    const void *bytes = NULL;
    uint64_t size;
    char byte = 0;
    stoa_error err = STOA_ERROR_NONE;
    stoa_status status = STOA_OK;
    open_mapped(&mapped);
    for (int i = 0; i < 5 && status == STOA_OK; i++) {
        struct sigaction action = {.sa_sigaction = on_own_fault, .sa_flags = flags[i]};
        REQUIRE(sigaction(SIGBUS, &action, NULL) == 0);
        stoa_file_close(file);
        REQUIRE(stoa_vfs_open(mapped.registry, path, STOA_OPEN_READ, NULL, &file, NULL) == STOA_OK);
        status = stoa_file_map(file, &bytes, &size, &err);
    }
    REQUIRE(status == STOA_UNSUPPORTED);
    REQUIRE(strstr(err.message, "changes its handler for SIGBUS") != NULL);
    REQUIRE(stoa_file_read(file, 5, &byte, 1, NULL) == STOA_OK && byte == 'x');
    stoa_file_close(file);
    close_mapped(&mapped);
}

static void a_program_that_changes_its_handlers_is_read_for(void **state) {
    (void)state;
    assert_succeeds(change_all_the_time);
}

static void end_by_fault(void) {
    struct mapped mapped;
    (void)signal(SIGBUS, SIG_DFL); /* a sanitizer has one of its own */
    open_mapped(&mapped);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    volatile char *bytes = mmap(NULL, 2 * PAGE_COUNT * page, PROT_READ, MAP_SHARED, descriptor, 0);
    (void)bytes[2 * PAGE_COUNT * page - 1];
}

static void end_by_signal(void) {
    struct mapped mapped;
    (void)signal(SIGBUS, SIG_DFL);
    open_mapped(&mapped);
    (void)raise(SIGBUS);
    (void)pause();
}

static void other_faults_still_end_the_process(void **state) {
    (void)state;
    int status = in_child(end_by_fault);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGBUS);
    status = in_child(end_by_signal);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGBUS);
}

/* ---- Without maps ---------------------------------------------------------------------------- */

static void require_no_maps(void) {
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    stoa_file *file = NULL;
    const void *bytes = NULL;
    uint64_t size;
    struct sigaction before, after;
    write_pages();
    REQUIRE(sigaction(SIGBUS, NULL, &before) == 0);
    REQUIRE(stoa_pool_create(0, NULL, &pool, NULL) == STOA_OK);
    REQUIRE(stoa_fs_registry_create(pool, &registry, NULL) == STOA_OK);
    REQUIRE(stoa_vfs_open(registry, path, STOA_OPEN_READ, NULL, &file, NULL) == STOA_OK);
    REQUIRE(stoa_file_map(file, &bytes, &size, NULL) == STOA_UNSUPPORTED);
    REQUIRE(sigaction(SIGBUS, NULL, &after) == 0);
    REQUIRE(before.sa_handler == after.sa_handler);
    stoa_maps_allow(true);
    REQUIRE(stoa_file_map(file, &bytes, &size, NULL) == STOA_OK && size == PAGE_COUNT * page);
    stoa_file_close(file);
    stoa_fs_registry_close(registry);
    stoa_pool_close(pool);
}

static void forbid_by_call(void) {
    stoa_maps_allow(false);
    require_no_maps();
}

static void forbid_by_environment(void) {
    REQUIRE(setenv("STOA_MAPS", "off", 1) == 0);
    require_no_maps();
}

static void a_program_can_do_without_maps(void **state) {
    (void)state;
    assert_succeeds(forbid_by_call);
    assert_succeeds(forbid_by_environment);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_cut_short_reads_as_zeros_and_is_reported),
        cmocka_unit_test(a_cut_within_the_last_page_is_reported),
        cmocka_unit_test(every_thread_that_read_past_the_cut_finds_out),
        cmocka_unit_test(a_worker_that_reads_past_the_cut_finds_out),
        cmocka_unit_test(more_maps_than_one_block_of_the_table_holds),
        cmocka_unit_test(a_handler_from_before_gets_its_own_faults),
        cmocka_unit_test(a_handler_that_came_later_is_asked_after_ours),
        cmocka_unit_test(a_program_that_changes_its_handlers_is_read_for),
        cmocka_unit_test(other_faults_still_end_the_process),
        cmocka_unit_test(a_program_can_do_without_maps),
    };
    page = (size_t)sysconf(_SC_PAGESIZE);
    support_temp_directory(base);
    (void)snprintf(path, sizeof path, "%s/mapped", base);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
