/* The bytes that a target is given, as a file. */
#ifndef STOA_FUZZ_BYTES_FILE_H
#define STOA_FUZZ_BYTES_FILE_H

#include <stdlib.h>
#include <string.h>

#include <stoa/fs.h>

struct bytes_file {
    const uint8_t *bytes;
    size_t size;
};

static stoa_status bytes_file_size(void *state, uint64_t *out, stoa_error *err) {
    (void)err;
    *out = ((const struct bytes_file *)state)->size;
    return STOA_OK;
}

static stoa_status bytes_file_read(void *state, uint64_t offset, void *buffer, size_t size,
                                   size_t *out_size, stoa_error *err) {
    (void)err;
    const struct bytes_file *file = state;
    const size_t left = offset < file->size ? file->size - (size_t)offset : 0;
    *out_size = size < left ? size : left;
    if (*out_size > 0) {
        memcpy(buffer, file->bytes + offset, *out_size);
    }
    return STOA_OK;
}

static void bytes_file_close(void *state) {
    (void)state;
}

/* What the file is read through; closing it keeps the bytes. */
static const stoa_file_operations bytes_file_operations = {.size = bytes_file_size,
                                                           .read_at = bytes_file_read,
                                                           .close = bytes_file_close};

static inline void require(bool holds) {
    if (!holds) {
        abort();
    }
}

#endif
