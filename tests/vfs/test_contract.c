/* The contract of file systems, run over those that need nothing from outside: local, memory,
 * memory that can crash, and wrappers before them. */
#include "contract.h"

#include <stdio.h>

#include "vfs/cache.h"
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

static stoa_fs cached_before(contract_world *world, stoa_fs inner) {
    char directory[SUPPORT_PATH_BYTES];
    stoa_cache *cache;
    stoa_fs fs;
    support_temp_directory(directory);
    const stoa_cache_options options = {.directory = directory, .block_bytes = 4096};
    assert_ok(stoa_cache_create(world->pool, &options, &cache, &world->err), world->err);
    assert_ok(stoa_fs_cached_create(world->pool, inner, "test:", cache, &fs, &world->err),
              world->err);
    stoa_cache_close(cache); /* the file system keeps it */
    return fs;
}

static void open_cached_before_memory(contract_world *world) {
    stoa_fs inner;
    assert_ok(stoa_fs_memory_create(world->pool, &inner, &world->err), world->err);
    stoa_fs fs = cached_before(world, inner);
    assert_ok(stoa_fs_register(world->registry, "cached", fs, &world->err), world->err);
    (void)snprintf(world->base, sizeof world->base, "cached:/base");
}

static void open_faults_before_cached(contract_world *world) {
    stoa_fs inner;
    assert_ok(stoa_fs_memory_create(world->pool, &inner, &world->err), world->err);
    put_faults_before(world, cached_before(world, inner), "");
}

static void open_cached_before_faults(contract_world *world) {
    stoa_fs inner, fs;
    stoa_fault *fault;
    assert_ok(stoa_fs_memory_create(world->pool, &inner, &world->err), world->err);
    assert_ok(stoa_fs_fault_create(world->pool, inner, &fs, &fault, &world->err), world->err);
    stoa_fault_plan(fault, &(stoa_fault_options){.shortens_reads = true, .seed = 42});
    fs = cached_before(world, fs);
    assert_ok(stoa_fs_register(world->registry, "cached", fs, &world->err), world->err);
    (void)snprintf(world->base, sizeof world->base, "cached:/base");
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
        {.name = "cached before memory",
         .open = open_cached_before_memory,
         .lacks = CONTRACT_LACKS_MAP | CONTRACT_LACKS_UPDATE,
         .ways = CONTRACT_OPEN_FILES_CHANGE},
        {.name = "faults before cached",
         .open = open_faults_before_cached,
         .lacks = CONTRACT_LACKS_MAP | CONTRACT_LACKS_UPDATE,
         .ways = CONTRACT_OPEN_FILES_CHANGE},
        {.name = "cached before faults",
         .open = open_cached_before_faults,
         .lacks = CONTRACT_LACKS_MAP | CONTRACT_LACKS_UPDATE,
         .ways = CONTRACT_OPEN_FILES_CHANGE},
    };
    return contract_run(subjects, sizeof subjects / sizeof subjects[0]);
}
