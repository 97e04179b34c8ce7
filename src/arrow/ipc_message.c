/* Reading messages from a file or a pipe.
 *
 * The first word of a message is the continuation mark, or, before Arrow 0.15, already the size of
 * the metadata. No size is believed: it is compared with the size of the file, and where that is
 * unknown memory grows by what has come, so that a stream of ten bytes cannot ask for a gigabyte.
 * An end of the bytes between two messages is an end of the stream, as the specification allows. */
#include "arrow/ipc_message.h"

#include <stdarg.h>
#include <stdio.h>

#include "arrow/ipc_format.h"
#include "base/bytes.h"
#include "base/checked.h"

enum { PIPE_STEP_BYTES = 1 << 20, TEXT_BYTES = 512 };

stoa_status stoa_ipc_locate(const stoa_ipc_source *source, uint64_t offset, stoa_status status,
                            stoa_error *err) {
    STOA_ASSERT(status != STOA_OK);
    if (status == STOA_INVALID) {
        status = STOA_CORRUPT;
    }
    if (err != NULL && err->offset < 0) {
        err->status = status;
        stoa_error_set_file(err, source->file->uri, (int64_t)offset);
        stoa_wrap(err, "reading '%s': at byte %" PRIu64, source->file->uri, offset);
    }
    return status;
}

stoa_status stoa_ipc_corrupt(const stoa_ipc_source *source, uint64_t offset, stoa_error *err,
                             const char *format, ...) {
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)stoa_fail(err, STOA_CORRUPT, "%s", text);
    return stoa_ipc_locate(source, offset, STOA_CORRUPT, err);
}

stoa_status stoa_ipc_check_reader(const stoa_ipc_source *source, uint64_t offset,
                                  const stoa_flat_reader *reader, stoa_error *err) {
    if (reader->wrong == NULL) {
        return STOA_OK;
    }
    return stoa_ipc_corrupt(source, offset, err, "%s (at byte %u of it)", reader->wrong,
                            reader->wrong_at);
}

stoa_status stoa_ipc_version_check(const stoa_ipc_source *source, uint64_t offset, int16_t version,
                                   stoa_error *err) {
    if (version == IPC_VERSION_V4 || version == IPC_VERSION_V5) {
        return STOA_OK;
    }
    (void)stoa_fail(err, STOA_UNSUPPORTED, "expected metadata version V4 or V5 but found V%d",
                    version + 1);
    return stoa_ipc_locate(source, offset, STOA_UNSUPPORTED, err);
}

stoa_status stoa_ipc_source_init(stoa_ipc_source *source, const stoa_context *context,
                                 stoa_file *file, bool map, stoa_error *err) {
    *source = (stoa_ipc_source){.context = *context, .file = file};
    stoa_status status = stoa_file_size(file, &source->size, err);
    if (status == STOA_UNSUPPORTED) {
        stoa_error_clear(err);
        return STOA_OK;
    }
    STOA_TRY(status);
    source->size_known = true;
    if (map && source->size > 0) {
        const void *bytes = NULL;
        uint64_t size = 0;
        status = stoa_file_map(file, &bytes, &size, err);
        if (status == STOA_UNSUPPORTED) {
            stoa_error_clear(err);
            return STOA_OK;
        }
        source->map = status == STOA_OK ? bytes : NULL;
        source->size = status == STOA_OK ? size : source->size;
    }
    return status;
}

/* Reads up to `size` bytes; fewer only at the end. */
static stoa_status read_some(stoa_ipc_source *source, uint64_t offset, uint8_t *out, size_t size,
                             size_t *out_size, stoa_error *err) {
    size_t early = 0;
    if (source->peeked_size > 0 && offset == source->position) {
        STOA_ASSERT(size >= source->peeked_size);
        early = source->peeked_size;
        memcpy(out, source->peeked, early);
        source->peeked_size = 0;
    }
    size_t got = 0;
    if (source->map != NULL) {
        uint64_t left = offset < source->size ? source->size - offset : 0;
        got = size < left ? size : (size_t)left;
        memcpy(out, source->map + offset, got);
        *out_size = got;
        return STOA_OK;
    }
    STOA_TRY(
        stoa_file_read_some(source->file, offset + early, out + early, size - early, &got, err));
    *out_size = early + got;
    return STOA_OK;
}

static stoa_status cut_off(const stoa_ipc_source *source, uint64_t offset, uint64_t expected,
                           uint64_t found, stoa_error *err) {
    return stoa_ipc_corrupt(source, offset, err,
                            "expected %" PRIu64 " bytes but the file ends after %" PRIu64, expected,
                            found);
}

static stoa_status check_range(const stoa_ipc_source *source, uint64_t offset, uint64_t size,
                               stoa_error *err) {
    if (source->size_known && (offset > source->size || size > source->size - offset)) {
        return cut_off(source, offset, size, offset > source->size ? 0 : source->size - offset,
                       err);
    }
    if (size > SIZE_MAX / 2 || offset > UINT64_MAX / 2) {
        return stoa_ipc_corrupt(source, offset, err, "a size of %" PRIu64 " bytes is impossible",
                                size);
    }
    return STOA_OK;
}

stoa_status stoa_ipc_source_read(stoa_ipc_source *source, uint64_t offset, uint64_t size,
                                 stoa_buffer *out, stoa_error *err) {
    STOA_TRY(check_range(source, offset, size, err));
    uint64_t done = 0;
    while (done < size) {
        uint64_t step = size - done;
        if (!source->size_known && step > PIPE_STEP_BYTES) {
            step = PIPE_STEP_BYTES;
        }
        STOA_TRY(stoa_cancel_check(source->context.cancel, err));
        STOA_TRY(source->size_known ? stoa_buffer_reserve_exact(out, (size_t)step, err)
                                    : stoa_buffer_reserve(out, (size_t)step, err));
        size_t got = 0;
        STOA_TRY(read_some(source, offset + done, out->data + out->size, (size_t)step, &got, err));
        out->size += got;
        done += got;
        if (got < step) {
            return cut_off(source, offset, size, done, err);
        }
    }
    return STOA_OK;
}

stoa_status stoa_ipc_source_skip(stoa_ipc_source *source, uint64_t offset, uint64_t size,
                                 stoa_error *err) {
    STOA_TRY(check_range(source, offset, size, err));
    if (source->size_known) {
        return STOA_OK;
    }
    stoa_buffer scratch;
    stoa_buffer_init(&scratch, source->context.pool);
    stoa_status status = STOA_OK;
    for (uint64_t done = 0; done < size;) {
        uint64_t step = size - done < PIPE_STEP_BYTES ? size - done : PIPE_STEP_BYTES;
        stoa_buffer_clear(&scratch);
        STOA_CHECK(stoa_ipc_source_read(source, offset + done, step, &scratch, err));
        done += step;
    }

done:
    stoa_buffer_release(&scratch);
    return status;
}

/* The size of the metadata, -1 at the end of the stream; moves the position behind the prefix. */
static stoa_status prefix_read(stoa_ipc_source *source, int64_t *out_size, stoa_error *err) {
    uint8_t word[4];
    uint64_t offset = source->position;
    *out_size = -1;
    for (int i = 0; i < 2; i++) {
        size_t got = 0;
        STOA_TRY(read_some(source, source->position, word, sizeof word, &got, err));
        if (got == 0 && i == 0) {
            return STOA_OK;
        }
        if (got < sizeof word) {
            return cut_off(source, source->position, sizeof word, got, err);
        }
        source->position += sizeof word;
        if (i == 1 || stoa_load_u32(word) != STOA_IPC_CONTINUATION) {
            break;
        }
    }
    int32_t size = stoa_load_i32(word);
    if (size < 0) {
        return stoa_ipc_corrupt(source, offset, err, "a message's metadata of %" PRId32 " bytes",
                                size);
    }
    *out_size = size == 0 ? -1 : size;
    return STOA_OK;
}

/* Arrow 0.17 tried out compression with a mark in the message's own metadata. */
static stoa_status refuse_experiments(const stoa_ipc_source *source,
                                      const stoa_ipc_message *message, stoa_error *err) {
    static const char key[] = "ARROW:experimental_compression";
    stoa_flat_vector pairs = stoa_flat_tables_of(message->table, MESSAGE_METADATA);
    for (uint32_t i = 0; i < pairs.count; i++) {
        uint32_t size = 0;
        const char *found = stoa_flat_string(stoa_flat_element_table(pairs, i), KEY_VALUE_KEY,
                                             &size);
        if (found != NULL && size == sizeof key - 1 && memcmp(found, key, size) == 0) {
            (void)stoa_fail(err, STOA_UNSUPPORTED,
                            "the experimental compression of Arrow 0.17 is not supported");
            return stoa_ipc_locate(source, message->offset, STOA_UNSUPPORTED, err);
        }
    }
    return STOA_OK;
}

static stoa_status message_parse(const stoa_ipc_source *source, stoa_ipc_message *message,
                                 stoa_error *err) {
    message->reader = stoa_flat_reader_of(message->metadata.data, message->metadata.size);
    message->table = stoa_flat_root(&message->reader);
    message->version = stoa_flat_i16(message->table, MESSAGE_VERSION, 0);
    message->header_type = stoa_flat_u8(message->table, MESSAGE_HEADER_TYPE, HEADER_NONE);
    int64_t body = stoa_flat_i64(message->table, MESSAGE_BODY_LENGTH, 0);
    STOA_TRY(stoa_ipc_check_reader(source, message->offset, &message->reader, err));
    STOA_TRY(stoa_ipc_version_check(source, message->offset, message->version, err));
    message->header = stoa_flat_child(message->table, MESSAGE_HEADER);
    STOA_TRY(refuse_experiments(source, message, err));
    STOA_TRY(stoa_ipc_check_reader(source, message->offset, &message->reader, err));
    if (!stoa_flat_present(message->header)) {
        return stoa_ipc_corrupt(source, message->offset, err, "the message has no header");
    }
    if (body < 0) {
        return stoa_ipc_corrupt(source, message->offset, err, "a body of %" PRId64 " bytes", body);
    }
    message->body_size = (uint64_t)body;
    return STOA_OK;
}

stoa_status stoa_ipc_message_read(stoa_ipc_source *source, stoa_ipc_message *out, bool *out_end,
                                  stoa_error *err) {
    *out = (stoa_ipc_message){.offset = source->position};
    stoa_buffer_init(&out->metadata, source->context.pool);
    int64_t size = -1;
    STOA_TRY(prefix_read(source, &size, err));
    *out_end = size < 0;
    if (*out_end) {
        return STOA_OK;
    }
    STOA_TRY(stoa_ipc_source_read(source, source->position, (uint64_t)size, &out->metadata, err));
    source->position += (uint64_t)size;
    out->body_offset = source->position;
    STOA_TRY(message_parse(source, out, err));
    return check_range(source, out->body_offset, out->body_size, err);
}

void stoa_ipc_message_release(stoa_ipc_message *message) {
    stoa_buffer_release(&message->metadata);
}
