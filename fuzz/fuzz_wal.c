/* Any bytes as segments of a log. The first byte says whether the checksums are made right, so that what is
 * behind them is reached too; the next one where the second segment begins. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lsm/wal_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 1 << 16, SEGMENT_UNIT = 512, RIGHT_HEADER = 1, RIGHT_RECORDS = 2, SAME_RUN = 4 };

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

static void make_right(uint8_t *bytes, size_t size, uint8_t flags, const char *boot) {
    stoa_wal_header header;
    if (size < sizeof header || (flags & RIGHT_HEADER) == 0) {
        return;
    }
    memcpy(&header, bytes, sizeof header);
    header.boot = (flags & SAME_RUN) != 0 ? stoa_hash64(boot, strlen(boot)) : header.boot;
    header.crc = stoa_wal_header_crc(&header);
    memcpy(bytes, &header, sizeof header);
    for (size_t at = sizeof header;
         (flags & RIGHT_RECORDS) != 0 && size - at >= sizeof(stoa_wal_head);) {
        stoa_wal_head head;
        memcpy(&head, bytes + at, sizeof head);
        const size_t rest = size - at - sizeof head;
        const size_t padded = head.size == STOA_WAL_END ? 0 : (size_t)stoa_wal_pad(head.size);
        if (padded > rest) {
            return;
        }
        head.place = at ^ header.salt;
        head.crc = stoa_wal_crc(header.crc, &head, bytes + at + sizeof head, padded);
        memcpy(bytes + at, &head, sizeof head);
        at += sizeof head + padded;
    }
}

static void put(stoa_fs_registry *registry, int number, const uint8_t *bytes, size_t size) {
    char uri[64];
    stoa_file *file = NULL;
    (void)snprintf(uri, sizeof uri, "memory:/" STOA_WAL_NAME, (uint64_t)number);
    require(stoa_vfs_open(registry, uri, STOA_OPEN_REPLACE, NULL, &file, NULL) == STOA_OK);
    require(stoa_file_write(file, bytes, size, NULL) == STOA_OK);
    stoa_file_close(file);
}

static stoa_status count(void *user, stoa_wal_position end, const uint8_t *payload, size_t size,
                         stoa_error *err) {
    (void)err;
    require(end.offset % STOA_WAL_ALIGNMENT == 0 && size > 0 && payload != NULL);
    *(uint64_t *)user += stoa_hash64(payload, size) | 1;
    return STOA_OK;
}

/* What is read without changing anything is what is there to go on from; and one record more is one
 * record more. */
static void check_log(stoa_wal_options *options) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_wal *log = NULL;
    uint64_t seen = 0, found = 0, again = 0;
    uint8_t *out;
    options->read_only = true;
    if (stoa_wal_open(options, 1, count, &seen, &log, &err) == STOA_OK) {
        require(stoa_wal_follow(log, count, &seen, &err) == STOA_OK);
    } else {
        require(err.message[0] != '\0');
    }
    stoa_wal_close(log);
    options->read_only = false;
    if (stoa_wal_open(options, 1, count, &found, &log, &err) != STOA_OK) {
        require(log == NULL && err.message[0] != '\0');
        return;
    }
    require(found == seen);
    if (stoa_wal_reserve(log, 5, &out, &err) == STOA_OK) {
        memcpy(out, "12345", 5);
        (void)stoa_wal_commit(log);
        found += stoa_hash64("12345", 5) | 1;
    }
    stoa_wal_close(log);
    require(stoa_wal_open(options, 1, count, &again, &log, &err) == STOA_OK);
    require(again == found);
    stoa_wal_close(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char boot[] = "fuzz";
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    uint8_t *bytes;
    if (size < 2 || size > BYTES_MAX) {
        return 0;
    }
    bytes = malloc(size);
    require(bytes != NULL && stoa_pool_create(64 << 20, NULL, &pool, NULL) == STOA_OK);
    require(stoa_fs_registry_create(pool, &registry, NULL) == STOA_OK);
    memcpy(bytes, data + 2, size - 2);
    const size_t all = size - 2, at = (size_t)data[1] * SEGMENT_UNIT;
    const size_t first = at == 0 || at > all ? all : at;
    make_right(bytes, first, data[0], boot);
    make_right(bytes + first, all - first, data[0], boot);
    put(registry, 1, bytes, first);
    if (first < all) {
        put(registry, 2, bytes + first, all - first);
    }
    free(bytes);
    stoa_wal_options options = {.context = {.pool = pool},
                                .file_systems = registry,
                                .directory = "memory:/",
                                .segment_bytes = 4096,
                                .boot = boot};
    check_log(&options);
    stoa_fs_registry_close(registry);
    stoa_pool_close(pool);
    return 0;
}
