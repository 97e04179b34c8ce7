/* Reading IPC streams and files as a stream of batches.
 *
 *     stream   schema, then dictionaries and batches in order, until the end mark
 *     file     the footer has the schema and the places of dictionaries and batches; all
 *              dictionaries are read before the first batch
 *
 * ipc_open.c tells the two apart.
 *
 *     reader ── source ── file          (kept by a counted keeper: mapped batches need it too)
 *        ├───── opening, fields         (schema and footer; fields point into the schema)
 *        └───── dictionaries
 *
 * Source   Apache Arrow columnar format 1.5, "IPC Streaming Format", "IPC File Format" */
#include "arrow/ipc.h"

#include "arrow/array.h"
#include "arrow/ipc_dictionary.h"
#include "arrow/ipc_format.h"
#include "arrow/ipc_open.h"
#include "arrow/schema.h"
#include "arrow/stream.h"

struct reader {
    stoa_pool *pool;
    stoa_ipc_source source;
    stoa_keeper *file;
    stoa_arena arena;
    stoa_ipc_opening opening; /* schema and footer */
    stoa_ipc_field *root;
    stoa_ipc_dictionaries *dictionaries;
    stoa_ipc_codecs codecs;
    bool started;        /* by footer: the dictionaries were read */
    uint32_t next_batch; /* by footer */
};

static void file_close(void *user) {
    stoa_file_close(user);
}

static void reader_close(void *state) {
    struct reader *reader = state;
    stoa_ipc_dictionaries_close(reader->dictionaries);
    stoa_ipc_codecs_release(&reader->codecs);
    stoa_ipc_opening_release(&reader->opening);
    stoa_arena_release(&reader->arena);
    stoa_keeper_release(reader->file);
    stoa_pool_free(reader->pool, reader, sizeof *reader);
}

static stoa_status reader_open(struct reader *reader, stoa_error *err) {
    stoa_ipc_opening *opening = &reader->opening;
    STOA_TRY(stoa_ipc_open(&reader->source, &reader->arena, opening, err));
    stoa_status status = stoa_ipc_fields_build(&reader->arena, &opening->schema, &opening->ids,
                                               &reader->root, err);
    if (status == STOA_OK) {
        status = stoa_ipc_dictionaries_create(&reader->source, reader->root, &reader->dictionaries,
                                              err);
    }
    return status == STOA_OK
               ? STOA_OK
               : stoa_ipc_locate(&reader->source, opening->schema_offset, status, err);
}

/* In files, dictionaries may stand behind the batches that need them: the footer knows where. */
static stoa_status batch_validate(const struct reader *reader, const struct ArrowArray *batch,
                                  stoa_error *err) {
    const stoa_ipc_opening *opening = &reader->opening;
    stoa_status status = stoa_arrow_validate(&opening->schema, batch, STOA_ARROW_CHECK_FULL, err);
    if (status == STOA_INVALID && opening->file && !opening->by_footer &&
        stoa_ipc_dictionaries_missing(reader->dictionaries)) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "a dictionary comes after the batches that need it: such a file cannot "
                         "be read from a pipe");
    }
    return status;
}

static stoa_status batch_decode(struct reader *reader, const stoa_ipc_message *message,
                                struct ArrowArray *out, stoa_error *err) {
    stoa_ipc_body *body = NULL;
    STOA_TRY(stoa_ipc_body_read(&reader->source, message, message->header, reader->file,
                                &reader->codecs, &body, err));
    const stoa_ipc_assembly assembly = {body, reader->pool, stoa_ipc_dictionaries_resolve,
                                        reader->dictionaries};
    stoa_status status = stoa_ipc_assemble_batch(&assembly, reader->root, out, err);
    stoa_keeper_release(body->keeper);
    if (status == STOA_OK) {
        status = batch_validate(reader, out, err);
    }
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
        return stoa_ipc_locate(&reader->source, message->offset, status, err);
    }
    return STOA_OK;
}

/* Dictionaries up to the next batch, then the batch; `out` stays released at the end. */
static stoa_status stream_next(struct reader *reader, struct ArrowArray *out, stoa_error *err) {
    bool end = false;
    while (!end && out->release == NULL) {
        stoa_ipc_message message = {0};
        stoa_status status = STOA_OK;
        STOA_CHECK(stoa_cancel_check(reader->source.context.cancel, err));
        STOA_CHECK(stoa_ipc_message_read(&reader->source, &message, &end, err));
        if (end) {
            goto done;
        }
        if (message.header_type == HEADER_DICTIONARY_BATCH) {
            status = stoa_ipc_dictionaries_read(reader->dictionaries, &reader->source, &message,
                                                reader->file, &reader->codecs, true, err);
        } else if (message.header_type == HEADER_RECORD_BATCH) {
            status = batch_decode(reader, &message, out, err);
        } else {
            status = stoa_ipc_unexpected(&reader->source, &message,
                                         "a record batch or a dictionary", err);
        }

    done:
        stoa_ipc_message_release(&message);
        STOA_TRY(status);
    }
    return STOA_OK;
}

/* The message of one block of the footer, which must be of the type that the footer says. */
static stoa_status block_read(struct reader *reader, const stoa_ipc_block *block, uint8_t type,
                              stoa_ipc_message *out, stoa_error *err) {
    bool end = false;
    reader->source.position = block->offset;
    STOA_TRY(stoa_ipc_message_read(&reader->source, out, &end, err));
    if (end) {
        return stoa_ipc_corrupt(&reader->source, block->offset, err,
                                "the footer names a message where an end mark stands");
    }
    if (out->header_type != type) {
        return stoa_ipc_unexpected(&reader->source, out,
                                   type == HEADER_RECORD_BATCH ? "a record batch" : "a dictionary",
                                   err);
    }
    if (out->body_offset - out->offset != block->metadata_size ||
        out->body_size != block->body_size) {
        return stoa_ipc_corrupt(&reader->source, block->offset, err,
                                "expected %" PRIu64 " and %" PRIu64 " bytes as the footer says but "
                                "found %" PRIu64 " and %" PRIu64,
                                block->metadata_size, block->body_size,
                                out->body_offset - out->offset, out->body_size);
    }
    return STOA_OK;
}

static stoa_status file_start(struct reader *reader, stoa_error *err) {
    for (uint32_t i = 0; i < reader->opening.footer.dictionary_count; i++) {
        stoa_ipc_message message = {0};
        stoa_status status = STOA_OK;
        STOA_CHECK(stoa_cancel_check(reader->source.context.cancel, err));
        STOA_CHECK(block_read(reader, &reader->opening.footer.dictionaries[i],
                              HEADER_DICTIONARY_BATCH, &message, err));
        STOA_CHECK(stoa_ipc_dictionaries_read(reader->dictionaries, &reader->source, &message,
                                              reader->file, &reader->codecs, false, err));

    done:
        stoa_ipc_message_release(&message);
        STOA_TRY(status);
    }
    reader->started = true;
    return STOA_OK;
}

static stoa_status file_next(struct reader *reader, struct ArrowArray *out, stoa_error *err) {
    if (!reader->started) {
        STOA_TRY(file_start(reader, err));
    }
    if (reader->next_batch == reader->opening.footer.batch_count) {
        return STOA_OK;
    }
    stoa_ipc_message message = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_cancel_check(reader->source.context.cancel, err));
    STOA_CHECK(block_read(reader, &reader->opening.footer.batches[reader->next_batch],
                          HEADER_RECORD_BATCH, &message, err));
    STOA_CHECK(batch_decode(reader, &message, out, err));
    reader->next_batch++;

done:
    stoa_ipc_message_release(&message);
    return status;
}

/* What was read from a map counts only while the file is whole; a file that was cut short explains
 * whatever else seemed wrong with its bytes. */
static stoa_status confirm(const struct reader *reader, stoa_status status, stoa_error *err) {
    stoa_error cut = STOA_ERROR_NONE;
    if (reader->source.map == NULL || stoa_file_map_check(reader->source.file, &cut) == STOA_OK) {
        return status;
    }
    if (err != NULL) {
        *err = cut;
    }
    return cut.status;
}

static stoa_status reader_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct reader *reader = state;
    stoa_status status = reader->opening.by_footer ? file_next(reader, out, err)
                                                   : stream_next(reader, out, err);
    status = confirm(reader, status, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}

/* Takes `file`, also on error. */
static stoa_status reader_create(const stoa_context *context, stoa_file *file, bool map,
                                 struct reader **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    stoa_status status = stoa_pool_allocate_array(context->pool, 1, sizeof(struct reader), &memory,
                                                  err);
    if (status != STOA_OK) {
        stoa_file_close(file);
        return status;
    }
    struct reader *reader = memory;
    reader->pool = context->pool;
    stoa_arena_init(&reader->arena, context->pool);
    stoa_ipc_opening_init(&reader->opening, context->pool);
    status = stoa_keeper_create(context->pool, file_close, file, &reader->file, err);
    if (status != STOA_OK) {
        stoa_file_close(file);
        goto done;
    }
    STOA_CHECK(stoa_ipc_source_init(&reader->source, context, file, map, err));
    STOA_CHECK(confirm(reader, reader_open(reader, err), err));
    *out = reader;

done:
    if (status != STOA_OK) {
        reader_close(reader);
    }
    return status;
}

static stoa_status read_any(const stoa_context *context, stoa_file *file, bool map,
                            struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_stream_operations operations = {reader_next, reader_close};
    struct reader *reader = NULL;
    struct ArrowSchema schema = {0};
    *out = (struct ArrowArrayStream){0};
    STOA_TRY(reader_create(context, file, map, &reader, err));
    stoa_status status = stoa_arrow_schema_copy(context->pool, &reader->opening.schema, &schema,
                                                err);
    if (status != STOA_OK) {
        reader_close(reader);
        return status;
    }
    return stoa_stream_create(context->pool, &schema, &operations, reader, out, err);
}

stoa_status stoa_ipc_read(const stoa_context *context, stoa_file *file,
                          struct ArrowArrayStream *out, stoa_error *err) {
    return read_any(context, file, false, out, err);
}

stoa_status stoa_ipc_read_mapped(const stoa_context *context, stoa_file *file,
                                 struct ArrowArrayStream *out, stoa_error *err) {
    return read_any(context, file, true, out, err);
}
