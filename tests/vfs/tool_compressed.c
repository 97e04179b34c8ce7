/* Compressed files from the command line, for the oracle tests.
 *
 *     tool_vfs_compressed cat FILE                         the plain bytes of FILE; "-" is a pipe
 *     tool_vfs_compressed compare FILE PLAIN SEED COUNT    the size, all bytes in order, and COUNT
 *                                                          reads anywhere are those of PLAIN
 *
 * Prints the packing on standard error. Exit codes: 0 done, 1 the file is wrong (message on standard
 * error, as "status: message"), 2 wrong usage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "vfs/compressed.h"

enum { READ_BYTES_MAX = 300000, PIECE_BYTES = 1 << 20 };

struct tool {
    stoa_context context;
    stoa_fs_registry *registry;
    uint8_t *buffer;
    uint8_t *wanted;
};

static stoa_status open_packed(struct tool *tool, const char *path, stoa_file **out,
                               stoa_error *err) {
    stoa_file *packed = NULL;
    stoa_packing packing;
    if (strcmp(path, "-") == 0) {
        STOA_TRY(stoa_file_from_descriptor(tool->context.pool, STDIN_FILENO, "standard input",
                                           &packed, err));
    } else {
        STOA_TRY(stoa_vfs_open(tool->registry, path, STOA_OPEN_READ, &tool->context, &packed, err));
    }
    STOA_TRY(stoa_compressed_open(&tool->context, packed, &packing, out, err));
    (void)fprintf(stderr, "%s\n", stoa_packing_name(packing));
    return STOA_OK;
}

static stoa_status cat(struct tool *tool, const char *path, stoa_error *err) {
    stoa_file *file = NULL;
    STOA_TRY(open_packed(tool, path, &file, err));
    stoa_status status = STOA_OK;
    size_t got = 1;
    for (uint64_t offset = 0; status == STOA_OK && got > 0; offset += got) {
        status = stoa_file_read_some(file, offset, tool->buffer, PIECE_BYTES, &got, err);
        if (fwrite(tool->buffer, 1, got, stdout) != got) {
            status = stoa_fail(err, STOA_IO, "cannot write to standard output");
        }
    }
    stoa_file_close(file);
    return status;
}

static stoa_status compare_at(struct tool *tool, stoa_file *file, stoa_file *plain, uint64_t offset,
                              size_t size, stoa_error *err) {
    size_t got = 0;
    size_t wanted = 0;
    STOA_TRY(stoa_file_read_some(file, offset, tool->buffer, size, &got, err));
    STOA_TRY(stoa_file_read_some(plain, offset, tool->wanted, size, &wanted, err));
    if (got != wanted || memcmp(tool->buffer, tool->wanted, got) != 0) {
        return stoa_fail(err, STOA_CORRUPT,
                         "%zu bytes at byte %llu: expected %zu of the plain file's but found %zu "
                         "or others",
                         size, (unsigned long long)offset, wanted, got);
    }
    return STOA_OK;
}

static stoa_status compare(struct tool *tool, const char *path, const char *plain_path,
                           uint64_t seed, int count, stoa_error *err) {
    stoa_file *file = NULL;
    stoa_file *plain = NULL;
    support_random random = {seed};
    uint64_t size = 0;
    uint64_t plain_size = 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(open_packed(tool, path, &file, err));
    STOA_CHECK(
        stoa_vfs_open(tool->registry, plain_path, STOA_OPEN_READ, &tool->context, &plain, err));
    STOA_CHECK(stoa_file_size(plain, &plain_size, err));
    if (support_random_bool(&random)) {
        STOA_CHECK(stoa_file_size(file, &size, err));
    }
    for (uint64_t offset = 0; offset < plain_size;) {
        size_t part = (size_t)support_random_below(&random, READ_BYTES_MAX) + 1;
        STOA_CHECK(compare_at(tool, file, plain, offset, part, err));
        offset += part;
    }
    for (int i = 0; i < count; i++) {
        STOA_CHECK(compare_at(tool, file, plain, support_random_below(&random, plain_size + 9),
                              (size_t)support_random_below(&random, READ_BYTES_MAX), err));
    }
    STOA_CHECK(stoa_file_size(file, &size, err));
    if (size != plain_size) {
        status = stoa_fail(err, STOA_CORRUPT, "expected a size of %llu but found %llu",
                           (unsigned long long)plain_size, (unsigned long long)size);
    }

done:
    stoa_file_close(file);
    stoa_file_close(plain);
    return status;
}

int main(int count, char **arguments) {
    struct tool tool = {0};
    stoa_error err = STOA_ERROR_NONE;
    stoa_status status = STOA_OK;
    tool.buffer = malloc(PIECE_BYTES);
    tool.wanted = malloc(PIECE_BYTES);
    STOA_CHECK(stoa_pool_create(0, NULL, &tool.context.pool, &err));
    STOA_CHECK(stoa_fs_registry_create(tool.context.pool, &tool.registry, &err));
    if (count == 3 && strcmp(arguments[1], "cat") == 0) {
        status = cat(&tool, arguments[2], &err);
    } else if (count == 6 && strcmp(arguments[1], "compare") == 0) {
        status = compare(&tool, arguments[2], arguments[3], strtoull(arguments[4], NULL, 10),
                         atoi(arguments[5]), &err);
    } else {
        (void)fprintf(stderr, "usage: see the start of tool_compressed.c\n");
        return 2;
    }

done:
    stoa_fs_registry_close(tool.registry);
    stoa_pool_close(tool.context.pool);
    free(tool.buffer);
    free(tool.wanted);
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s: %s\n", stoa_status_name(status), err.message);
    }
    return status == STOA_OK ? 0 : 1;
}
