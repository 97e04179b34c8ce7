/* Compressed files from the command line, for the oracle tests.
 *
 *     tool_vfs_compressed cat FILE                         the plain bytes of FILE; "-" is a pipe
 *     tool_vfs_compressed compare FILE PLAIN SEED COUNT    the size, all bytes in order, and COUNT
 *                                                          reads anywhere are those of PLAIN
 *     tool_vfs_compressed write FILE PLAIN SEED HOW        packs PLAIN into FILE, an absolute path, by
 *                                                          its ending. HOW is "parts" (random ones,
 *                                                          with syncs), "append" (by two handles),
 *                                                          "replace", or "put"
 *
 * The first two print the packing on standard error. Exit codes: 0 done, 1 the file is wrong (message
 * on standard error, as "status: message"), 2 wrong usage. */
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

static stoa_status write_parts(struct tool *tool, const char *uri, stoa_open_mode mode,
                               const uint8_t *bytes, size_t size, support_random *random,
                               stoa_error *err) {
    stoa_file *file = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_vfs_open(tool->registry, uri, mode, &tool->context, &file, err));
    for (size_t done = 0; done < size;) {
        size_t part = (size_t)support_random_below(random, 5 * READ_BYTES_MAX) + 1;
        part = part < size - done ? part : size - done;
        STOA_CHECK(stoa_file_write(file, bytes + done, part, err));
        done += part;
        if (support_random_below(random, 4) == 0) {
            STOA_CHECK(stoa_file_sync(file, err));
        }
    }

done:
    stoa_file_close(file);
    return status;
}

/* In memory, as local files cannot be put; then the packed bytes are copied. */
static stoa_status put(struct tool *tool, const char *path, const stoa_buffer *plain,
                       stoa_error *err) {
    char version[64];
    stoa_buffer packed;
    char *uri = NULL;
    char *stored = NULL;
    stoa_status status = STOA_OK;
    stoa_buffer_init(&packed, tool->context.pool);
    const char *name = strrchr(path, '/') + 1;
    STOA_CHECK(stoa_vfs_join(tool->context.pool, "packed-memory:", name, &uri, err));
    STOA_CHECK(stoa_vfs_join(tool->context.pool, "memory:", name, &stored, err));
    STOA_CHECK(stoa_vfs_put_if(tool->registry, uri, &tool->context, "", plain->data, plain->size,
                               version, err));
    STOA_CHECK(stoa_vfs_read_all(tool->registry, stored, &tool->context, SIZE_MAX,
                                 tool->context.pool, &packed, err));
    STOA_CHECK(
        stoa_vfs_replace(tool->registry, path, &tool->context, packed.data, packed.size, err));

done:
    stoa_buffer_release(&packed);
    stoa_pool_free_string(tool->context.pool, uri);
    stoa_pool_free_string(tool->context.pool, stored);
    return status;
}

static stoa_status write_packed(struct tool *tool, const char *path, const char *plain_path,
                                uint64_t seed, const char *how, stoa_error *err) {
    support_random random = {seed};
    stoa_buffer plain;
    char *uri = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_vfs_read_all(tool->registry, plain_path, &tool->context, SIZE_MAX,
                               tool->context.pool, &plain, err));
    STOA_CHECK(stoa_vfs_join(tool->context.pool, "packed:", path + 1, &uri, err));
    if (strcmp(how, "put") == 0) {
        status = put(tool, path, &plain, err);
    } else if (strcmp(how, "replace") == 0) {
        status = stoa_vfs_replace(tool->registry, uri, &tool->context, plain.data, plain.size, err);
    } else {
        size_t first = strcmp(how, "append") == 0
                           ? (size_t)support_random_below(&random, plain.size + 1)
                           : plain.size;
        STOA_CHECK(write_parts(tool, uri, STOA_OPEN_REPLACE, plain.data, first, &random, err));
        if (first < plain.size) {
            STOA_CHECK(write_parts(tool, uri, STOA_OPEN_APPEND, plain.data + first,
                                   plain.size - first, &random, err));
        }
    }

done:
    stoa_pool_free_string(tool->context.pool, uri);
    stoa_buffer_release(&plain);
    return status;
}

/* "packed:" packs local files, "packed-memory:" those of "memory:", which keeps its own. */
static stoa_status add_packing(struct tool *tool, stoa_error *err) {
    static stoa_fs_operations borrowed[2];
    static const char *const schemes[] = {"packed", "packed-memory"};
    static const char *const stored[] = {"file:/x", "memory:/x"};
    for (size_t i = 0; i < 2; i++) {
        stoa_fs *inner = NULL;
        stoa_fs fs;
        const char *path = NULL;
        STOA_TRY(stoa_fs_find(tool->registry, stored[i], &inner, &path, err));
        borrowed[i] = *inner->operations;
        borrowed[i].close = NULL;
        STOA_TRY(stoa_fs_compressed_create(tool->context.pool,
                                           (stoa_fs){&borrowed[i], inner->state}, STOA_PACKING_NONE,
                                           &fs, err));
        STOA_TRY(stoa_fs_register(tool->registry, schemes[i], fs, err));
    }
    return STOA_OK;
}

int main(int count, char **arguments) {
    struct tool tool = {0};
    stoa_error err = STOA_ERROR_NONE;
    stoa_status status = STOA_OK;
    tool.buffer = malloc(PIECE_BYTES);
    tool.wanted = malloc(PIECE_BYTES);
    STOA_CHECK(stoa_pool_create(0, NULL, &tool.context.pool, &err));
    STOA_CHECK(stoa_fs_registry_create(tool.context.pool, &tool.registry, &err));
    STOA_CHECK(add_packing(&tool, &err));
    if (count == 3 && strcmp(arguments[1], "cat") == 0) {
        status = cat(&tool, arguments[2], &err);
    } else if (count == 6 && strcmp(arguments[1], "compare") == 0) {
        status = compare(&tool, arguments[2], arguments[3], strtoull(arguments[4], NULL, 10),
                         atoi(arguments[5]), &err);
    } else if (count == 6 && strcmp(arguments[1], "write") == 0) {
        status = write_packed(&tool, arguments[2], arguments[3], strtoull(arguments[4], NULL, 10),
                              arguments[5], &err);
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
