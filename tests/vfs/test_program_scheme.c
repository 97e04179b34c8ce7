/* A program with a file system of its own: "count:N" is a file of N bytes, each its offset modulo
 * 251. It is written against the public header alone, as a program outside this tree would be. */
#include <stoa/fs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int open_files;
static int closed_file_systems;

static stoa_status count_size(void *state, uint64_t *out, stoa_error *err) {
    (void)err;
    *out = *(const uint64_t *)state;
    return STOA_OK;
}

static stoa_status count_read_at(void *state, uint64_t offset, void *buffer, size_t size,
                                 size_t *out_size, stoa_error *err) {
    uint64_t end = *(const uint64_t *)state;
    unsigned char *bytes = buffer;
    (void)err;
    *out_size = 0;
    /* At most seven bytes a call: the library asks again. */
    while (offset < end && *out_size < size && *out_size < 7) {
        bytes[(*out_size)++] = (unsigned char)(offset++ % 251);
    }
    return STOA_OK;
}

static void count_close(void *state) {
    free(state);
    open_files--;
}

static stoa_status count_open(void *state, const char *path, stoa_open_mode mode,
                              const stoa_context *context, stoa_file **out, stoa_error *err) {
    static const stoa_file_operations operations = {.size = count_size,
                                                    .read_at = count_read_at,
                                                    .close = count_close};
    char *end = NULL;
    unsigned long long size = strtoull(path, &end, 10);
    (void)state;
    if (mode != STOA_OPEN_READ) {
        return stoa_fail(err, STOA_UNSUPPORTED, "numbers cannot be written");
    }
    if (end == path || *end != '\0') {
        return stoa_fail(err, STOA_NOT_FOUND, "'%s' is no number", path);
    }
    uint64_t *file = malloc(sizeof *file);
    if (file == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "no memory");
    }
    *file = size;
    stoa_status status = stoa_file_create(context->pool, path, &operations, file, out, err);
    if (status != STOA_OK) {
        free(file);
        return status;
    }
    open_files++;
    return STOA_OK;
}

static void count_fs_close(void *state) {
    (void)state;
    closed_file_systems++;
}

static void check(bool holds, const char *what, const stoa_error *err) {
    if (!holds) {
        (void)fprintf(stderr, "%s: %s\n", what, err->message);
        exit(1);
    }
}

int main(void) {
    static const stoa_fs_operations operations = {.open = count_open, .close = count_fs_close};
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    stoa_fs *fs = NULL;
    const char *path = NULL;
    stoa_file *file = NULL;
    unsigned char buffer[100];
    uint64_t size = 0;
    size_t got = 0;

    check(stoa_pool_create(0, NULL, &pool, &err) == STOA_OK, "a pool", &err);
    check(stoa_fs_registry_create(pool, &registry, &err) == STOA_OK, "a registry", &err);
    check(stoa_fs_register(registry, "count", (stoa_fs){&operations, NULL}, &err) == STOA_OK,
          "a scheme", &err);
    check(stoa_fs_find(registry, "count:1000", &fs, &path, &err) == STOA_OK, "finding it", &err);
    check(strcmp(path, "1000") == 0, "the path", &err);

    const stoa_context context = {.pool = pool};
    check(fs->operations->open(fs->state, path, STOA_OPEN_READ, &context, &file, &err) == STOA_OK,
          "opening", &err);
    check(stoa_file_size(file, &size, &err) == STOA_OK && size == 1000, "the size", &err);
    check(stoa_file_read(file, 200, buffer, 100, &err) == STOA_OK, "reading", &err);
    for (size_t i = 0; i < 100; i++) {
        check(buffer[i] == (200 + i) % 251, "a byte", &err);
    }
    check(stoa_file_read_some(file, 990, buffer, 100, &got, &err) == STOA_OK && got == 10,
          "reading at the end", &err);
    check(stoa_file_read(file, 990, buffer, 11, &err) == STOA_CORRUPT, "reading past it", &err);
    check(strstr(err.message, "expected 11 bytes but the file ends after 10") != NULL,
          "the message", &err);
    check(stoa_file_write(file, "x", 1, &err) == STOA_UNSUPPORTED, "writing", &err);
    stoa_file_close(file);
    check(fs->operations->open(fs->state, "x", STOA_OPEN_READ, &context, &file, &err) ==
              STOA_NOT_FOUND,
          "opening no number", &err);

    stoa_fs_registry_close(registry);
    check(open_files == 0 && closed_file_systems == 1, "closing", &err);
    check(stoa_pool_used(pool) == 0, "the pool", &err);
    stoa_pool_close(pool);
    return 0;
}
