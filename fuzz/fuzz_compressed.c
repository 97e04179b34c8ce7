/* Compressed files: any bytes are a plain file, the bytes of a packed one, or an error. What is read in
 * order is what is read in pieces from the end to the start, and as long as the size that is told. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "mem/pool.h"
#include "vfs/compressed.h"

enum { POOL_BYTES = 64 << 20, PLAIN_MAX = 4 << 20, PIECE_BYTES = 50000 };

struct bytes {
    const uint8_t *data;
    size_t size;
};

static stoa_status bytes_size(void *state, uint64_t *out, stoa_error *err) {
    (void)err;
    *out = ((struct bytes *)state)->size;
    return STOA_OK;
}

static stoa_status bytes_read(void *state, uint64_t offset, void *buffer, size_t size,
                              size_t *out_size, stoa_error *err) {
    (void)err;
    const struct bytes *bytes = state;
    size_t left = offset < bytes->size ? bytes->size - (size_t)offset : 0;
    *out_size = size < left ? size : left;
    if (*out_size > 0) {
        memcpy(buffer, bytes->data + offset, *out_size);
    }
    return STOA_OK;
}

static const stoa_file_operations file_operations = {.size = bytes_size, .read_at = bytes_read};
static const stoa_file_operations pipe_operations = {.read_at = bytes_read};

static stoa_status open_file(const stoa_context *context, const stoa_file_operations *operations,
                             struct bytes *bytes, stoa_file **out) {
    stoa_file *packed = NULL;
    stoa_packing packing;
    STOA_TRY(stoa_file_create(context->pool, "input", operations, bytes, &packed, NULL));
    return stoa_compressed_open(context, packed, &packing, out, NULL);
}

/* All in order; false when it is an error or longer than PLAIN_MAX. */
static bool read_all(stoa_file *file, uint8_t *out, size_t *out_size) {
    size_t got = 1;
    for (*out_size = 0; got > 0 && *out_size < PLAIN_MAX; *out_size += got) {
        size_t room = PLAIN_MAX - *out_size;
        if (stoa_file_read_some(file, *out_size, out + *out_size,
                                room < PIECE_BYTES ? room : PIECE_BYTES, &got, NULL) != STOA_OK) {
            return false;
        }
    }
    return got == 0;
}

static void compare_backwards(stoa_file *file, const uint8_t *plain, size_t size) {
    uint8_t piece[512];
    for (size_t end = size; end > 0;) {
        size_t part = end < sizeof piece ? end : sizeof piece;
        size_t step = end / 7 < part ? part : end / 7;
        if (stoa_file_read(file, end - part, piece, part, NULL) == STOA_OK &&
            memcmp(piece, plain + end - part, part) != 0) {
            __builtin_trap();
        }
        end -= step;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_context context = {0};
    struct bytes bytes = {data, size};
    stoa_file *file = NULL;
    void *plain = NULL;
    void *again = NULL;
    size_t plain_size = 0;
    size_t again_size = 0;
    uint64_t told = 0;
    if (stoa_pool_create(POOL_BYTES, NULL, &context.pool, NULL) != STOA_OK) {
        return 0;
    }
    if (stoa_pool_allocate(context.pool, PLAIN_MAX, &plain, NULL) == STOA_OK &&
        stoa_pool_allocate(context.pool, PLAIN_MAX, &again, NULL) == STOA_OK &&
        open_file(&context, &file_operations, &bytes, &file) == STOA_OK &&
        read_all(file, plain, &plain_size)) {
        compare_backwards(file, plain, plain_size);
        if (stoa_file_size(file, &told, NULL) == STOA_OK && told != plain_size) {
            __builtin_trap();
        }
    }
    stoa_file_close(file);
    file = NULL;
    /* Its size first: tables are looked for before anything is unpacked. */
    if (plain != NULL && again != NULL &&
        open_file(&context, &file_operations, &bytes, &file) == STOA_OK &&
        stoa_file_size(file, &told, NULL) == STOA_OK && read_all(file, again, &again_size) &&
        again_size != told) {
        __builtin_trap();
    }
    stoa_file_close(file);
    file = NULL;
    if (plain != NULL && again != NULL &&
        open_file(&context, &pipe_operations, &bytes, &file) == STOA_OK &&
        read_all(file, again, &again_size) &&
        (again_size != plain_size || memcmp(again, plain, plain_size) != 0)) {
        __builtin_trap();
    }
    stoa_file_close(file);
    stoa_pool_free(context.pool, plain, plain == NULL ? 0 : PLAIN_MAX);
    stoa_pool_free(context.pool, again, again == NULL ? 0 : PLAIN_MAX);
    if (stoa_pool_used(context.pool) != 0) {
        __builtin_trap(); /* a leak */
    }
    stoa_pool_close(context.pool);
    return 0;
}
