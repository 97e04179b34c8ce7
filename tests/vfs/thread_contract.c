/* The part of the contract that has threads, for the thread sanitizer. */
#include "contract.h"

#include <stdio.h>

static void open_local(contract_world *world) {
    char directory[SUPPORT_PATH_BYTES];
    support_temp_directory(directory);
    (void)snprintf(world->base, sizeof world->base, "%s/base", directory);
}

static void open_memory(contract_world *world) {
    stoa_fs inner, fs;
    stoa_fault *fault;
    assert_ok(stoa_fs_memory_create(world->pool, &inner, &world->err), world->err);
    assert_ok(stoa_fs_fault_create(world->pool, inner, &fs, &fault, &world->err), world->err);
    assert_ok(stoa_fs_register(world->registry, "faults", fs, &world->err), world->err);
    stoa_fault_plan(fault, &(stoa_fault_options){.shortens_reads = true, .seed = 42});
    (void)snprintf(world->base, sizeof world->base, "faults:/base");
}

int main(void) {
    static const contract_subject subjects[] = {
        {.name = "local", .open = open_local, .lacks = CONTRACT_LACKS_PUT_IF},
        {.name = "faults before memory", .open = open_memory},
    };
    return contract_run_threads(subjects, sizeof subjects / sizeof subjects[0]);
}
