/* The contract of file systems over the compressed one: names that are written as they are, and names
 * that are packed with each format, over memory and over the local disk. */
#include "contract.h"

#include <stdio.h>

#include "vfs/compressed.h"

static void put_before(contract_world *world, stoa_fs inner, stoa_packing packing,
                       const char *base) {
    stoa_fs fs;
    assert_ok(stoa_fs_compressed_create(world->pool, inner, packing, &fs, &world->err), world->err);
    assert_ok(stoa_fs_register(world->registry, "packed", fs, &world->err), world->err);
    (void)snprintf(world->base, sizeof world->base, "packed:%s/base", base);
}

static void open_over_memory(contract_world *world, stoa_packing packing) {
    stoa_fs inner;
    assert_ok(stoa_fs_memory_create(world->pool, &inner, &world->err), world->err);
    put_before(world, inner, packing, "");
}

static void open_over_local(contract_world *world, stoa_packing packing) {
    char directory[SUPPORT_PATH_BYTES];
    support_temp_directory(directory);
    put_before(world, stoa_fs_local(), packing, directory);
}

static void open_plain_memory(contract_world *world) {
    open_over_memory(world, STOA_PACKING_NONE);
}

static void open_plain_local(contract_world *world) {
    open_over_local(world, STOA_PACKING_NONE);
}

static void open_gzip_memory(contract_world *world) {
    open_over_memory(world, STOA_PACKING_GZIP);
}

static void open_zstd_memory(contract_world *world) {
    open_over_memory(world, STOA_PACKING_ZSTD);
}

static void open_lz4_local(contract_world *world) {
    open_over_local(world, STOA_PACKING_LZ4);
}

static void open_zstd_local(contract_world *world) {
    open_over_local(world, STOA_PACKING_ZSTD);
}

int main(void) {
    enum {
        LACKS = CONTRACT_LACKS_TRUNCATE | CONTRACT_LACKS_MAP | CONTRACT_LACKS_UPDATE,
        LACKS_LOCAL = LACKS | CONTRACT_LACKS_PUT_IF
    };
    static const contract_subject subjects[] = {
        {.name = "plain names over memory", .open = open_plain_memory},
        {.name = "plain names over local",
         .open = open_plain_local,
         .lacks = CONTRACT_LACKS_PUT_IF},
        {.name = "gzip over memory",
         .open = open_gzip_memory,
         .lacks = LACKS,
         .ways = CONTRACT_SIZES_ARE_STORED},
        {.name = "zstd over memory",
         .open = open_zstd_memory,
         .lacks = LACKS,
         .ways = CONTRACT_SIZES_ARE_STORED},
        {.name = "lz4 over local",
         .open = open_lz4_local,
         .lacks = LACKS_LOCAL,
         .ways = CONTRACT_SIZES_ARE_STORED},
        {.name = "zstd over local",
         .open = open_zstd_local,
         .lacks = LACKS_LOCAL,
         .ways = CONTRACT_SIZES_ARE_STORED},
    };
    return contract_run(subjects, sizeof subjects / sizeof subjects[0]);
}
