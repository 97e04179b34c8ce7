/* Writing IPC streams and files.
 *
 *     create   [magic] schema
 *     write    dictionaries that changed, then the batch
 *     finish   end mark [footer]
 *
 * Dictionaries: the writer keeps a copy of what it last wrote under each id, and compares values. Equal
 * ones are not written again; a longer one that begins with the old one is written as a delta; any
 * other replaces the old one, which the stream format allows and the file format does not. A
 * dictionary whose values are dictionary-encoded themselves is written again when the inner one was
 * replaced, since its indices would point into the new one.
 *
 * States: open → (write)* → finished; any failure makes it broken, for what was sent may be half a
 * message. Only close is left then.
 *
 * Source   Apache Arrow columnar format 1.5, "IPC Streaming Format", "Dictionary Messages" */
#include "arrow/ipc.h"

#include "arrow/array.h"
#include "arrow/ipc_emit.h"
#include "arrow/schema.h"

enum { ALIGNMENT_DEFAULT = 64, ALIGNMENT_MIN = 8, ALIGNMENT_MAX = 64 };

enum state { STATE_OPEN, STATE_FINISHED, STATE_BROKEN };

/* What became of a dictionary, and of those inside it. */
enum change { CHANGE_NONE, CHANGE_FIRST_OR_DELTA, CHANGE_REPLACED };

struct stoa_ipc_writer {
    stoa_context context;
    stoa_pool *pool;
    enum state state;
    stoa_ipc_options options;
    stoa_arena arena;
    struct ArrowSchema schema;
    stoa_ipc_field *root;
    struct ArrowArray *written; /* by dictionary id: copies of what was written */
    uint32_t dictionary_count;
    stoa_codec *codec;
    stoa_ipc_encoder encoder;
    stoa_ipc_emitter emitter;
    stoa_buffer dictionary_blocks; /* stoa_ipc_block; file format only */
    stoa_buffer batch_blocks;
};

static stoa_status check_options(const stoa_ipc_options *options, stoa_error *err) {
    uint32_t alignment = options->alignment_bytes;
    if (alignment != 0 && (alignment < ALIGNMENT_MIN || alignment > ALIGNMENT_MAX ||
                           (alignment & (alignment - 1)) != 0)) {
        return stoa_fail(err, STOA_INVALID,
                         "expected an alignment of 8, 16, 32 or 64 bytes but found %u", alignment);
    }
    if ((options->format != STOA_IPC_STREAM && options->format != STOA_IPC_FILE) ||
        (options->codec != STOA_IPC_NONE && options->codec != STOA_IPC_LZ4 &&
         options->codec != STOA_IPC_ZSTD)) {
        return stoa_fail(err, STOA_INVALID, "an unknown format %d or codec %d of Arrow IPC",
                         (int)options->format, (int)options->codec);
    }
    return STOA_OK;
}

static stoa_status writer_start(stoa_ipc_writer *writer, const struct ArrowSchema *schema,
                                stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_arrow_schema_copy(writer->pool, schema, &writer->schema, err));
    STOA_TRY(stoa_ipc_fields_build(&writer->arena, &writer->schema, NULL, &writer->root, err));
    if (writer->root->layout.kind != STOA_ARROW_STRUCT) {
        return stoa_fail(err, STOA_INVALID, "expected a schema of format '+s' but found '%s'",
                         writer->schema.format);
    }
    writer->dictionary_count = stoa_ipc_fields_dictionary_count(writer->root);
    STOA_TRY(stoa_arena_allocate_array(&writer->arena, writer->dictionary_count,
                                       sizeof(struct ArrowArray), &memory, err));
    writer->written = memory;
    if (writer->options.codec != STOA_IPC_NONE) {
        stoa_compression compression = writer->options.codec == STOA_IPC_ZSTD
                                           ? STOA_COMPRESSION_ZSTD
                                           : STOA_COMPRESSION_LZ4_FRAME;
        STOA_TRY(stoa_codec_create(writer->pool, compression, writer->options.codec_level,
                                   &writer->codec, err));
        writer->encoder.codec = writer->codec;
    }
    if (writer->options.format == STOA_IPC_FILE) {
        STOA_TRY(stoa_ipc_emit_magic(&writer->emitter, err));
    }
    return stoa_ipc_emit_schema(&writer->emitter, writer->root, err);
}

stoa_status stoa_ipc_writer_create(const stoa_context *context, stoa_file *file,
                                   const struct ArrowSchema *schema,
                                   const stoa_ipc_options *options, stoa_ipc_writer **out,
                                   stoa_error *err) {
    static const stoa_ipc_options usual = {0};
    void *memory = NULL;
    *out = NULL;
    options = options == NULL ? &usual : options;
    STOA_TRY(check_options(options, err));
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(stoa_ipc_writer), &memory, err));
    stoa_ipc_writer *writer = memory;
    size_t alignment = options->alignment_bytes == 0 ? (size_t)ALIGNMENT_DEFAULT
                                                     : (size_t)options->alignment_bytes;
    writer->context = *context;
    writer->pool = context->pool;
    writer->options = *options;
    stoa_arena_init(&writer->arena, writer->pool);
    stoa_ipc_encoder_init(&writer->encoder, writer->pool, NULL, alignment);
    writer->emitter = (stoa_ipc_emitter){.file = file, .alignment = alignment};
    stoa_buffer_init(&writer->emitter.metadata, writer->pool);
    stoa_buffer_init(&writer->dictionary_blocks, writer->pool);
    stoa_buffer_init(&writer->batch_blocks, writer->pool);
    stoa_status status = writer_start(writer, schema, err);
    if (status != STOA_OK) {
        stoa_ipc_writer_close(writer);
        return status;
    }
    *out = writer;
    return STOA_OK;
}

/* Equal in the first `length` values. */
static stoa_status compare_values(const struct ArrowSchema *schema, const struct ArrowArray *old,
                                  const struct ArrowArray *new, bool *out_equal, stoa_error *err) {
    stoa_error difference = STOA_ERROR_NONE;
    struct ArrowArray head = *new; /* a view: only `length` differs */
    head.length = old->length;
    head.null_count = new->null_count == 0 ? 0 : old->length == new->length ? new->null_count : -1;
    stoa_status status = stoa_arrow_compare(schema, old, schema, &head, &difference);
    *out_equal = status == STOA_OK;
    if (status != STOA_OK && status != STOA_INVALID) {
        if (err != NULL) {
            *err = difference;
        }
        return status;
    }
    return STOA_OK;
}

/* Sends values [from, length) and remembers the whole dictionary. */
static stoa_status dictionary_send(stoa_ipc_writer *writer, const stoa_ipc_field *field,
                                   const struct ArrowArray *values, int64_t from, bool delta,
                                   stoa_error *err) {
    struct ArrowArray copy = {0};
    const struct ArrowArray *const whole[] = {values};
    STOA_TRY(stoa_arrow_concat(writer->pool, field->values->schema, whole, 1, &copy, err));
    struct ArrowArray *written = &writer->written[field->dictionary_id];
    stoa_arrow_array_release(written);
    *written = copy;
    stoa_ipc_encoder_clear(&writer->encoder);
    STOA_TRY(
        stoa_ipc_encode(&writer->encoder, field->values, values, from, values->length - from, err));
    const stoa_ipc_dictionary_head head = {field->dictionary_id, delta};
    stoa_ipc_block block = {0};
    STOA_TRY(stoa_ipc_emit_batch(&writer->emitter, &writer->encoder, values->length - from, &head,
                                 &block, err));
    return writer->options.format == STOA_IPC_FILE
               ? stoa_buffer_append(&writer->dictionary_blocks, &block, sizeof block, err)
               : STOA_OK;
}

static stoa_status dictionary_update(stoa_ipc_writer *writer, const stoa_ipc_field *field,
                                     const struct ArrowArray *values, enum change inside,
                                     enum change *out, stoa_error *err) {
    const struct ArrowArray *old = &writer->written[field->dictionary_id];
    bool extends = false;
    *out = CHANGE_FIRST_OR_DELTA;
    if (old->release == NULL) {
        return dictionary_send(writer, field, values, 0, false, err);
    }
    if (inside != CHANGE_REPLACED && values->length >= old->length) {
        STOA_TRY(compare_values(field->values->schema, old, values, &extends, err));
    }
    if (extends && values->length == old->length) {
        *out = CHANGE_NONE;
        return STOA_OK;
    }
    if (extends) {
        return dictionary_send(writer, field, values, old->length, true, err);
    }
    if (writer->options.format == STOA_IPC_FILE) {
        return stoa_fail(err, STOA_INVALID,
                         "field '%s': the dictionary changed, and the file format holds only one "
                         "and its extensions (the stream format holds any)",
                         field->schema->name);
    }
    *out = CHANGE_REPLACED;
    return dictionary_send(writer, field, values, 0, false, err);
}

/* Inner dictionaries before outer ones. `*out` is the greatest change below `field`. */
static stoa_status dictionaries_send(stoa_ipc_writer *writer, const stoa_ipc_field *field,
                                     const struct ArrowArray *array, enum change *out,
                                     stoa_error *err) {
    enum change inside = CHANGE_NONE;
    *out = CHANGE_NONE;
    if (field->layout.dictionary) {
        STOA_TRY(dictionaries_send(writer, field->values, array->dictionary, &inside, err));
        return dictionary_update(writer, field, array->dictionary, inside, out, err);
    }
    for (int64_t i = 0; i < field->child_count; i++) {
        STOA_TRY(dictionaries_send(writer, &field->children[i], array->children[i], &inside, err));
        *out = inside > *out ? inside : *out;
    }
    return STOA_OK;
}

static stoa_status batch_send(stoa_ipc_writer *writer, const struct ArrowArray *batch,
                              stoa_error *err) {
    enum change change;
    STOA_TRY(dictionaries_send(writer, writer->root, batch, &change, err));
    stoa_ipc_encoder_clear(&writer->encoder);
    for (int64_t i = 0; i < writer->root->child_count; i++) {
        STOA_TRY(stoa_ipc_encode(&writer->encoder, &writer->root->children[i], batch->children[i],
                                 batch->offset, batch->length, err));
    }
    stoa_ipc_block block = {0};
    STOA_TRY(
        stoa_ipc_emit_batch(&writer->emitter, &writer->encoder, batch->length, NULL, &block, err));
    return writer->options.format == STOA_IPC_FILE
               ? stoa_buffer_append(&writer->batch_blocks, &block, sizeof block, err)
               : STOA_OK;
}

static stoa_status check_open(const stoa_ipc_writer *writer, stoa_error *err) {
    if (writer->state == STATE_OPEN) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_INVALID, "the Arrow IPC writer %s",
                     writer->state == STATE_FINISHED ? "was finished" : "failed before");
}

stoa_status stoa_ipc_writer_write(stoa_ipc_writer *writer, const struct ArrowArray *batch,
                                  stoa_error *err) {
    STOA_TRY(check_open(writer, err));
    STOA_TRY(stoa_cancel_check(writer->context.cancel, err));
    STOA_TRY(stoa_arrow_validate(&writer->schema, batch, STOA_ARROW_CHECK_LAYOUT, err));
    if (stoa_arrow_null_count(&writer->schema, batch) != 0) {
        return stoa_fail(err, STOA_INVALID, "a record batch cannot have null rows");
    }
    stoa_status status = batch_send(writer, batch, err);
    if (status != STOA_OK) {
        writer->state = STATE_BROKEN;
    }
    return status;
}

stoa_status stoa_ipc_writer_finish(stoa_ipc_writer *writer, stoa_error *err) {
    STOA_TRY(check_open(writer, err));
    stoa_status status = stoa_ipc_emit_end(&writer->emitter, err);
    if (status == STOA_OK && writer->options.format == STOA_IPC_FILE) {
        status = stoa_ipc_emit_footer(&writer->emitter, writer->root, &writer->dictionary_blocks,
                                      &writer->batch_blocks, err);
    }
    writer->state = status == STOA_OK ? STATE_FINISHED : STATE_BROKEN;
    return status;
}

void stoa_ipc_writer_close(stoa_ipc_writer *writer) {
    if (writer == NULL) {
        return;
    }
    for (uint32_t i = 0; writer->written != NULL && i < writer->dictionary_count; i++) {
        stoa_arrow_array_release(&writer->written[i]);
    }
    stoa_ipc_encoder_release(&writer->encoder);
    stoa_codec_close(writer->codec);
    stoa_buffer_release(&writer->emitter.metadata);
    stoa_buffer_release(&writer->dictionary_blocks);
    stoa_buffer_release(&writer->batch_blocks);
    stoa_arrow_schema_release(&writer->schema);
    stoa_arena_release(&writer->arena);
    stoa_pool_free(writer->pool, writer, sizeof *writer);
}
