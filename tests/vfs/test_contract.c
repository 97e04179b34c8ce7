/* The contract of file systems, run over those that need nothing from outside: local, memory,
 * memory that can crash, and wrappers before them. */
#include "contract.h"

#include <stdio.h>

#include "vfs/counted.h"

static void open_local(contract_world *world) {
    char directory[SUPPORT_PATH_BYTES];
    support_temp_directory(directory);
    (void)snprintf(world->base, sizeof world->base, "%s/base", directory);
}

static void open_memory(contract_world *world) {
    (void)snprintf(world->base, sizeof world->base, "memory:/base");
}

static void open_crash_memory(contract_world *world) {
    stoa_fs fs;
    assert_ok(stoa_fs_crash_create(world->pool, &fs, &world->err), world->err);
    assert_ok(stoa_fs_register(world->registry, "crash", fs, &world->err), world->err);
    (void)snprintf(world->base, sizeof world->base, "crash:/base");
}

static void put_faults_before(contract_world *world, stoa_fs inner, const char *base) {
    stoa_fs fs;
    stoa_fault *fault;
    assert_ok(stoa_fs_fault_create(world->pool, inner, &fs, &fault, &world->err), world->err);
    assert_ok(stoa_fs_register(world->registry, "faults", fs, &world->err), world->err);
    stoa_fault_plan(fault, &(stoa_fault_options){.shortens_reads = true, .seed = 42});
    (void)snprintf(world->base, sizeof world->base, "faults:%s/base", base);
}

static void open_faults_before_local(contract_world *world) {
    char directory[SUPPORT_PATH_BYTES];
    support_temp_directory(directory);
    put_faults_before(world, stoa_fs_local(), directory);
}

static void open_faults_before_memory(contract_world *world) {
    stoa_fs inner;
    assert_ok(stoa_fs_memory_create(world->pool, &inner, &world->err), world->err);
    put_faults_before(world, inner, "");
}

static void open_counted_before_memory(contract_world *world) {
    stoa_fs inner, fs;
    stoa_counted *counted;
    assert_ok(stoa_fs_memory_create(world->pool, &inner, &world->err), world->err);
    assert_ok(stoa_fs_counted_create(world->pool, inner, &fs, &counted, &world->err), world->err);
    assert_ok(stoa_fs_register(world->registry, "counted", fs, &world->err), world->err);
    (void)snprintf(world->base, sizeof world->base, "counted:/base");
}

int main(void) {
    static const contract_subject subjects[] = {
        {.name = "local", .open = open_local, .lacks = CONTRACT_LACKS_PUT_IF},
        {.name = "memory", .open = open_memory},
        {.name = "memory that can crash", .open = open_crash_memory},
        {.name = "faults before local",
         .open = open_faults_before_local,
         .lacks = CONTRACT_LACKS_PUT_IF},
        {.name = "faults before memory", .open = open_faults_before_memory},
        {.name = "counted before memory", .open = open_counted_before_memory},
    };
    return contract_run(subjects, sizeof subjects / sizeof subjects[0]);
}
