/* Opening a stream or a file.
 *
 * A file whose size is known is opened by its footer. One that comes through a pipe is read as the
 * stream that stands behind its magic: a schema message, as the specification says. Polars writes
 * that message bare, without the size before it: its end is then searched for, at the first
 * continuation mark (always at a multiple of 8) before which the bytes are a whole message.
 *
 * Source   Apache Arrow columnar format 1.5, "IPC Streaming Format", "IPC File Format" */
#include "arrow/ipc_open.h"

#include "arrow/ipc_format.h"
#include "arrow/ipc_schema.h"
#include "base/bytes.h"

enum {
    WORD_BYTES = 4,
    BARE_ROOT_MAX = 16, /* a first word below it is no size of a message but an offset */
    BARE_BYTES_MAX = 16 << 20
};

void stoa_ipc_opening_init(stoa_ipc_opening *opening, stoa_pool *pool) {
    *opening = (stoa_ipc_opening){0};
    stoa_ipc_footer_init(&opening->footer, pool);
}

void stoa_ipc_opening_release(stoa_ipc_opening *opening) {
    stoa_arrow_schema_release(&opening->schema);
    stoa_ipc_footer_release(&opening->footer);
}

static const char *header_name(uint8_t type) {
    static const char *const names[] = {"no header",      "a schema", "a dictionary",
                                        "a record batch", "a tensor", "a sparse tensor"};
    return type < sizeof names / sizeof names[0] ? names[type] : "an unknown header";
}

stoa_status stoa_ipc_unexpected(const stoa_ipc_source *source, const stoa_ipc_message *message,
                                const char *expected, stoa_error *err) {
    stoa_status status = message->header_type >= HEADER_TENSOR ? STOA_UNSUPPORTED : STOA_CORRUPT;
    (void)stoa_fail(err, status, "expected %s but found %s", expected,
                    header_name(message->header_type));
    return stoa_ipc_locate(source, message->offset, status, err);
}

static stoa_status schema_take(const stoa_ipc_source *source, stoa_arena *arena,
                               stoa_flat_table table, stoa_ipc_opening *out, stoa_error *err) {
    stoa_status status = stoa_ipc_schema_read(source->context.pool, arena, table, &out->schema,
                                              &out->ids, err);
    return status == STOA_OK ? STOA_OK : stoa_ipc_locate(source, out->schema_offset, status, err);
}

static stoa_status message_open(stoa_ipc_source *source, stoa_arena *arena, stoa_ipc_opening *out,
                                stoa_error *err) {
    stoa_ipc_message message = {0};
    bool end = false;
    stoa_status status = STOA_OK;
    out->schema_offset = source->position;
    STOA_CHECK(stoa_ipc_message_read(source, &message, &end, err));
    if (end) {
        status = stoa_ipc_corrupt(source, out->schema_offset, err,
                                  "expected an Arrow IPC stream but it ends before its schema");
        goto done;
    }
    if (message.header_type != HEADER_SCHEMA) {
        status = stoa_ipc_unexpected(source, &message, "a schema", err);
        goto done;
    }
    out->version = message.version;
    STOA_CHECK(schema_take(source, arena, message.header, out, err));
    STOA_CHECK(stoa_ipc_source_skip(source, message.body_offset, message.body_size, err));
    source->position = message.body_offset + message.body_size;

done:
    stoa_ipc_message_release(&message);
    return status;
}

/* Tries the bytes before a continuation mark; those that make no sense yet may do so later. */
static stoa_status bare_try(const stoa_ipc_source *source, stoa_arena *arena,
                            const stoa_buffer *bytes, stoa_ipc_opening *out, bool *out_whole,
                            stoa_error *err) {
    stoa_flat_reader reader = stoa_flat_reader_of(bytes->data, bytes->size);
    stoa_flat_table message = stoa_flat_root(&reader);
    *out_whole = false;
    out->version = stoa_flat_i16(message, MESSAGE_VERSION, 0);
    if (stoa_flat_u8(message, MESSAGE_HEADER_TYPE, HEADER_NONE) != HEADER_SCHEMA ||
        reader.wrong != NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_ipc_version_check(source, out->schema_offset, out->version, err));
    stoa_error fault = STOA_ERROR_NONE;
    stoa_status status = schema_take(source, arena, stoa_flat_child(message, MESSAGE_HEADER), out,
                                     &fault);
    *out_whole = status == STOA_OK;
    if (status == STOA_OK || status == STOA_CORRUPT) {
        return STOA_OK;
    }
    if (err != NULL) {
        *err = fault;
    }
    return status;
}

static stoa_status bare_open(stoa_ipc_source *source, stoa_arena *arena, stoa_buffer *bytes,
                             stoa_ipc_opening *out, stoa_error *err) {
    for (bool whole = false; !whole;) {
        uint64_t at = out->schema_offset + bytes->size;
        if (bytes->size > BARE_BYTES_MAX) {
            return stoa_ipc_corrupt(source, out->schema_offset, err,
                                    "a schema of more than %d bytes", BARE_BYTES_MAX);
        }
        STOA_TRY(stoa_ipc_source_read(source, at, WORD_BYTES, bytes, err));
        const uint8_t *word = bytes->data + bytes->size - WORD_BYTES;
        if (at % IPC_ALIGNMENT == 0 && stoa_load_u32(word) == STOA_IPC_CONTINUATION) {
            memcpy(source->peeked, word, WORD_BYTES);
            bytes->size -= WORD_BYTES;
            STOA_TRY(bare_try(source, arena, bytes, out, &whole, err));
            source->position = at;
            source->peeked_size = whole ? WORD_BYTES : 0;
            bytes->size += whole ? 0 : WORD_BYTES;
        }
    }
    return STOA_OK;
}

/* What stands behind the magic of a file that cannot be read by its footer. */
static stoa_status piped_open(stoa_ipc_source *source, stoa_arena *arena, stoa_ipc_opening *out,
                              stoa_error *err) {
    stoa_buffer bytes;
    stoa_buffer_init(&bytes, source->context.pool);
    stoa_status status = STOA_OK;
    out->schema_offset = source->position;
    STOA_CHECK(stoa_ipc_source_read(source, source->position, WORD_BYTES, &bytes, err));
    uint32_t word = stoa_load_u32(bytes.data);
    if (word > 0 && word < BARE_ROOT_MAX) {
        STOA_CHECK(bare_open(source, arena, &bytes, out, err));
    } else {
        memcpy(source->peeked, bytes.data, WORD_BYTES);
        source->peeked_size = WORD_BYTES;
        STOA_CHECK(message_open(source, arena, out, err));
    }

done:
    stoa_buffer_release(&bytes);
    return status;
}

static stoa_status footer_open(stoa_ipc_source *source, stoa_arena *arena, stoa_ipc_opening *out,
                               stoa_error *err) {
    out->by_footer = true;
    STOA_TRY(stoa_ipc_footer_read(source, &out->footer, err));
    out->schema_offset = out->footer.offset;
    out->version = out->footer.version;
    return schema_take(source, arena, out->footer.schema, out, err);
}

stoa_status stoa_ipc_open(stoa_ipc_source *source, stoa_arena *arena, stoa_ipc_opening *out,
                          stoa_error *err) {
    STOA_TRY(stoa_ipc_detect(source, &out->file, err));
    if (!out->file) {
        return message_open(source, arena, out, err);
    }
    return source->size_known ? footer_open(source, arena, out, err)
                              : piped_open(source, arena, out, err);
}
