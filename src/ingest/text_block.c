/* Blocks: bytes are read into the file in memory itself, through its mapping; what lies behind the
 * last record end is kept for the next block. */
#include "ingest/text_block.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "vfs/vfs.h"

#define MARK "\xEF\xBB\xBF"

enum { READ_BYTES = 1 << 20, MARK_BYTES = 3 };

/* Bytes behind the file's length are mapped and may not be touched. */
static stoa_status set_length(stoa_text_block *block, size_t length, stoa_error *err) {
    if (block->file_length == length) {
        return STOA_OK;
    }
    if (ftruncate(block->descriptor, (off_t)length) != 0) {
        return stoa_fail_errno(err, errno, "set the length of", "a file in memory");
    }
    block->file_length = length;
    return STOA_OK;
}

stoa_status stoa_text_block_reserve(stoa_text_block *block, size_t capacity, stoa_error *err) {
    if (capacity <= block->capacity) {
        return set_length(block, block->capacity, err);
    }
    size_t old = block->capacity;
    int descriptor = block->descriptor;
    STOA_TRY(stoa_reservation_resize(&block->reservation, block->pool, capacity, err));
    if (old == 0) {
        descriptor = memfd_create("stoa", MFD_CLOEXEC);
        if (descriptor < 0) {
            stoa_reservation_release(&block->reservation);
            return stoa_fail_errno(err, errno, "make", "a file in memory");
        }
    }
    void *bytes = MAP_FAILED;
    if (ftruncate(descriptor, (off_t)capacity) == 0) {
        bytes = old == 0 ? mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
                         : mremap(block->bytes, old, capacity, MREMAP_MAYMOVE);
    }
    if (bytes == MAP_FAILED) {
        stoa_status status = stoa_fail_errno(err, errno, "map", "a file in memory");
        if (old == 0) {
            (void)close(descriptor);
            stoa_reservation_release(&block->reservation);
        }
        return status;
    }
    block->descriptor = descriptor;
    block->bytes = bytes;
    block->capacity = capacity;
    block->file_length = capacity;
    return STOA_OK;
}

stoa_status stoa_text_block_seal(stoa_text_block *block, stoa_error *err) {
    return set_length(block, block->size, err);
}

void stoa_text_block_release(stoa_text_block *block) {
    if (block->capacity > 0) {
        (void)munmap(block->bytes, block->capacity);
        (void)close(block->descriptor);
    }
    stoa_reservation_release(&block->reservation);
    *block = (stoa_text_block){.pool = block->pool};
}

/* The file begins behind its byte order mark. */
static stoa_status skip_mark(stoa_text_reader *reader, stoa_error *err) {
    uint8_t head[MARK_BYTES];
    size_t size = 0;
    while (size < sizeof head) {
        size_t some = 0;
        STOA_TRY(
            stoa_file_read_some(reader->file, size, head + size, sizeof head - size, &some, err));
        if (some == 0) {
            return STOA_OK;
        }
        size += some;
    }
    reader->offset = memcmp(head, MARK, MARK_BYTES) == 0 ? MARK_BYTES : 0;
    return STOA_OK;
}

/* The engine leaves out a mark at the start of what it reads. One that stands there in the middle of
 * a file is data: a second one is put before it. */
static stoa_status protect_mark(stoa_text_block *block, stoa_error *err) {
    if (block->size < MARK_BYTES || memcmp(block->bytes, MARK, MARK_BYTES) != 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_text_block_reserve(block, block->size + MARK_BYTES, err));
    memmove(block->bytes + MARK_BYTES, block->bytes, block->size);
    block->size += MARK_BYTES;
    return STOA_OK;
}

void stoa_text_reader_release(stoa_text_reader *reader) {
    stoa_file_close(reader->file);
    stoa_buffer_release(&reader->rest);
    *reader = (stoa_text_reader){0};
}

stoa_status stoa_text_reader_open(stoa_fs_registry *registry, const stoa_ingest_input *input,
                                  const stoa_context *context, size_t block_bytes,
                                  stoa_text_reader *out, stoa_error *err) {
    *out = (stoa_text_reader){.input = input,
                              .context = context,
                              .cut = {.end = '\n'},
                              .block_bytes = block_bytes,
                              .record_bytes_max = STOA_TEXT_RECORD_BYTES_MAX,
                              .line = 1,
                              .is_first = true};
    stoa_buffer_init(&out->rest, context->pool);
    stoa_file *file = NULL;
    stoa_packing packing;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_open(registry, input->path, STOA_OPEN_READ, context, &file, err));
    STOA_CHECK(stoa_compressed_open(context, file, &packing, &out->file, err));
    status = skip_mark(out, err);

done:
    if (status != STOA_OK) {
        stoa_text_reader_release(out);
    }
    return status;
}

/* Reads until the block holds `size` bytes or the file ends. */
static stoa_status fill(stoa_text_reader *reader, uint64_t *offset, stoa_text_block *block,
                        size_t size, bool *out_ended, stoa_error *err) {
    STOA_TRY(stoa_text_block_reserve(block, size, err));
    *out_ended = false;
    while (block->size < size) {
        size_t some = 0;
        size_t wanted = size - block->size < READ_BYTES ? size - block->size : READ_BYTES;
        STOA_TRY(stoa_cancel_check(reader->context->cancel, err));
        STOA_TRY(stoa_file_read_some(reader->file, *offset, block->bytes + block->size, wanted,
                                     &some, err));
        if (some == 0) {
            *out_ended = true;
            break;
        }
        *offset += some;
        block->size += some;
    }
    return STOA_OK;
}

stoa_status stoa_text_reader_peek(stoa_text_reader *reader, int64_t lines, size_t bytes_max,
                                  stoa_text_block *block, stoa_error *err) {
    static const stoa_ingest_cut any_line = {.end = '\n'};
    uint64_t offset = reader->offset;
    bool ended = false;
    size_t size = bytes_max < READ_BYTES ? bytes_max : READ_BYTES;
    block->size = 0;
    block->first_line = 1;
    block->is_first = true;
    for (;;) {
        STOA_TRY(fill(reader, &offset, block, size, &ended, err));
        if (ended || size == bytes_max ||
            stoa_ingest_count_kernel(block->bytes, block->size, '\n') >= lines) {
            break;
        }
        size = size > bytes_max / 2 ? bytes_max : size * 2;
    }
    if (!ended) {
        size_t whole = stoa_ingest_cut_kernel(&any_line, block->bytes, block->size);
        block->size = whole > 0 ? whole : block->size;
    }
    return stoa_text_block_seal(block, err);
}

/* Bytes of the first `lines` lines; `size` when there are fewer. */
static size_t lines_end(const uint8_t *bytes, size_t size, int64_t lines) {
    size_t at = 0;
    for (; lines > 0 && at < size; lines--) {
        const uint8_t *found = memchr(bytes + at, '\n', size - at);
        at = found == NULL ? size : (size_t)(found - bytes) + 1;
    }
    return at;
}

/* Bytes of the block that are whole records. */
static size_t find_cut(const stoa_text_reader *reader, const stoa_text_block *block) {
    size_t head = 0;
    if (block->is_first) {
        head = lines_end(block->bytes, block->size, reader->head_lines);
    }
    size_t whole = stoa_ingest_cut_kernel(&reader->cut, block->bytes + head, block->size - head);
    return whole == 0 ? 0 : head + whole;
}

static stoa_status fail_long(const stoa_text_reader *reader, stoa_error *err) {
    stoa_fail(
        err, STOA_LIMIT,
        "line %lld: expected a record of at most %zu bytes; a quote that is never closed makes "
        "a record of all that follows it",
        (long long)reader->line, reader->record_bytes_max);
    if (err != NULL) {
        err->line = reader->line;
    }
    return STOA_LIMIT;
}

/* Reads on until a record ends in the block. */
static stoa_status gather(stoa_text_reader *reader, stoa_text_block *block, size_t *out_whole,
                          stoa_error *err) {
    size_t wanted = block->size < reader->block_bytes ? reader->block_bytes : block->size * 2;
    for (;; wanted *= 2) {
        STOA_TRY(fill(reader, &reader->offset, block, wanted, &reader->ended, err));
        *out_whole = reader->ended ? block->size : find_cut(reader, block);
        if (*out_whole > 0 || reader->ended) {
            return STOA_OK;
        }
        if (wanted > reader->record_bytes_max) {
            return fail_long(reader, err);
        }
    }
}

stoa_status stoa_text_reader_next(stoa_text_reader *reader, stoa_text_block *block,
                                  stoa_error *err) {
    size_t rest = reader->rest.size;
    size_t whole = rest;
    block->size = 0;
    block->is_first = reader->is_first;
    block->first_line = reader->line;
    block->first_byte = reader->offset - rest;
    STOA_TRY(stoa_text_block_reserve(block, rest > 0 ? rest : 1, err));
    if (rest > 0) {
        memcpy(block->bytes, reader->rest.data, rest);
    }
    block->size = rest;
    stoa_buffer_clear(&reader->rest);
    if (!reader->ended) {
        STOA_TRY(gather(reader, block, &whole, err));
        STOA_TRY(stoa_buffer_append(&reader->rest, block->bytes + whole, block->size - whole, err));
    }
    block->size = whole;
    reader->is_first = false;
    reader->line += stoa_ingest_count_kernel(block->bytes, whole, reader->cut.end);
    return protect_mark(block, err);
}
