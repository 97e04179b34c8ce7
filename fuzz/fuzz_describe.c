/* Any bytes as a file of a state store that is described: the first byte says whether as a segment of the
 * log, a manifest or an SSTable, and whether with its parts. Of an SSTable the next two say how long the
 * manifest beside it is, which comes first. What is described is JSON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/bytes.h"
#include "lsm/describe.h"
#include "vfs/vfs.h"

#define DIRECTORY "memory:/db/"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOG, MANIFEST, TABLE, KINDS, WITH_PARTS = 0x80 };
static const char *const paths[KINDS] = {DIRECTORY "0000000000000001.log",
                                         DIRECTORY "MANIFEST-0000000000000001",
                                         DIRECTORY "0000000000000009.sst"};

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

static void put(stoa_fs_registry *registry, const char *path, const void *bytes, size_t size) {
    require(stoa_vfs_replace(registry, path, NULL, bytes, size, NULL) == STOA_OK);
}

static void put_files(stoa_fs_registry *registry, int kind, const uint8_t *data, size_t size) {
    static const char current[] = "MANIFEST-0000000000000001\n";
    require(stoa_vfs_make_directories(registry, DIRECTORY, NULL, NULL) == STOA_OK);
    put(registry, DIRECTORY "CURRENT", current, sizeof current - 1);
    if (kind == TABLE) {
        const size_t rest = size < 2 ? 0 : size - 2;
        const size_t manifest = rest == 0 ? 0 : stoa_load_u16(data) % (rest + 1);
        const uint8_t *bytes = data + (size - rest);
        put(registry, paths[MANIFEST], bytes, manifest);
        put(registry, paths[TABLE], bytes + manifest, rest - manifest);
    } else {
        put(registry, paths[kind], data, size);
    }
}

static void check_json(const stoa_buffer *text) {
    json_t *json = json_loadb((const char *)text->data, text->size, JSON_REJECT_DUPLICATES, NULL);
    require(json != NULL);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer text;
    if (size < 1) {
        return 0;
    }
    const int kind = (data[0] & ~WITH_PARTS) % KINDS;
    require(stoa_pool_create(256 << 20, NULL, &pool, NULL) == STOA_OK);
    require(stoa_fs_registry_create(pool, &registry, NULL) == STOA_OK);
    put_files(registry, kind, data + 1, size - 1);
    stoa_buffer_init(&text, pool);
    const stoa_context context = {.pool = pool};
    const stoa_status status = stoa_store_file_describe(&context, registry, paths[kind],
                                                        (data[0] & WITH_PARTS) != 0, &text, &err);
    if (status == STOA_OK) {
        check_json(&text);
    } else {
        require(err.message[0] != '\0' && status != STOA_INTERNAL);
    }
    stoa_buffer_release(&text);
    stoa_fs_registry_close(registry);
    require(stoa_pool_used(pool) == 0);
    stoa_pool_close(pool);
    return 0;
}
