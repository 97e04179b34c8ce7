/* The system's allocator: alignment, reuse of large blocks, and giving them back. */
#include <stdio.h>
#include <string.h>

#include "mem/system.h"
#include "support.h"

enum { MIB = 1 << 20 };

static void blocks_of_all_sizes_are_aligned_and_writable(void **state) {
    (void)state;
    stoa_system *system = stoa_system_create();
    stoa_allocator allocator = stoa_system_allocator(system);
    for (size_t size = 1; size < 64u * MIB; size = size * 3 + 1) {
        uint8_t *memory = allocator.allocate(allocator.user, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % STOA_ALIGNMENT_BYTES, 0);
        memory[0] = 1;
        memory[size - 1] = 2;
        allocator.release(allocator.user, memory, size);
    }
    stoa_system_close(system);
}

static void an_absurd_size_is_no_memory(void **state) {
    (void)state;
    stoa_system *system = stoa_system_create();
    stoa_allocator allocator = stoa_system_allocator(system);
    assert_null(allocator.allocate(allocator.user, SIZE_MAX));
    assert_null(allocator.allocate(allocator.user, SIZE_MAX / 2));
    stoa_system_close(system);
}

static int64_t resident_bytes(void) {
    long total = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &total, &resident), 2);
    assert_int_equal(fclose(file), 0);
    return (int64_t)resident * 4096;
}

/* What is kept for reuse is bounded, whatever was in use before. */
static void memory_goes_back_to_the_system(void **state) {
    (void)state;
    enum { COUNT = 100 };
    stoa_system *system = stoa_system_create();
    stoa_allocator allocator = stoa_system_allocator(system);
    void *blocks[COUNT];
    int64_t before = resident_bytes();
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = allocator.allocate(allocator.user, 2 * MIB);
        assert_non_null(blocks[i]);
        memset(blocks[i], i, 2 * MIB);
    }
    for (int i = 0; i < COUNT; i++) {
        allocator.release(allocator.user, blocks[i], 2 * MIB);
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(resident_bytes() - before < 48 * MIB);
#else
    (void)before;
#endif
    stoa_system_close(system);
}

/* As many blocks as a quarter of what stays in use go to who asks next, as they are. */
static void blocks_are_kept_by_what_is_in_use(void **state) {
    (void)state;
    enum { COUNT = 64, GIVEN = 16, SIZE = 4 * MIB };
    stoa_system *system = stoa_system_create();
    stoa_allocator allocator = stoa_system_allocator(system);
    uint8_t *blocks[COUNT];
    int kept = 0;
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = allocator.allocate(allocator.user, SIZE);
        assert_non_null(blocks[i]);
    }
    for (int i = 0; i < GIVEN; i++) {
        blocks[i][0] = 1;
        allocator.release(allocator.user, blocks[i], SIZE);
    }
    for (int i = 0; i < GIVEN; i++) {
        blocks[i] = allocator.allocate(allocator.user, SIZE);
        kept += blocks[i][0];
    }
#if !defined(__SANITIZE_ADDRESS__)
    assert_int_equal(kept, GIVEN);
#else
    (void)kept;
#endif
    for (int i = 0; i < COUNT; i++) {
        allocator.release(allocator.user, blocks[i], SIZE);
    }
    stoa_system_close(system);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_all_sizes_are_aligned_and_writable),
        cmocka_unit_test(an_absurd_size_is_no_memory),
        cmocka_unit_test(memory_goes_back_to_the_system),
        cmocka_unit_test(blocks_are_kept_by_what_is_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
