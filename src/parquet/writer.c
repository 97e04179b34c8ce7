/* The file: magic, row groups one after the other, footer, its length, magic.
 *
 * Batches are cut into row groups of exactly row_group_rows, or fewer where the next row would pass
 * row_group_bytes. The chunks of a full group are encoded
 * by tasks (encoding.h). Groups are appended in order, by the caller's thread, and what the footer
 * says of a group is kept in its final form (thrift), so that memory grows by a few hundred bytes a
 * column chunk and by nothing else.
 *
 * After a failure the writer is only good for closing; every call repeats the first error. */
#include "parquet/writer.h"

#include "base/hash.h"
#include "base/bytes.h"
#include "parquet/arrow_schema.h"
#include "parquet/bloom_build.h"
#include "parquet/encoding.h"
#include "parquet/row_bytes.h"
#include "parquet/row_group.h"
#include "parquet/sorting.h"

enum { FORMAT_VERSION = 2, IN_FLIGHT_MAX = 1024, WRITE_BYTES = 1 << 18 };

struct stoa_parquet_writer {
    stoa_context context;
    stoa_file *file;
    const stoa_schema *schema;
    stoa_parquet_options options;
    stoa_arena arena; /* leaves, totals, copied metadata */
    const stoa_leaf *leaves;
    int32_t leaf_count;
    stoa_leaf_statistics *totals;
    const int32_t *sorting_leaves; /* one a sorting column of the options */

    stoa_row_group waiting;      /* the group that is being filled */
    stoa_row_group spare;        /* memory for the next one, or all-zero */
    stoa_encoding *encoding;     /* full groups */
    stoa_buffer small;           /* chunks too small for a write of their own */
    stoa_buffer group_structs;   /* RowGroup structs of the footer */
    stoa_index_writer indexes;   /* page indexes, which stand before it */
    int32_t group_count;
    uint64_t offset;
    int64_t row_count;           /* taken in */
    int64_t row_count_written;
    uint64_t raw_bytes_pending;  /* of rows that are not in the file yet */
    uint64_t raw_bytes_written;
    bool finished;
    stoa_status status;
    stoa_error error;
    stoa_hash_stream hash; /* of all bytes written */
};

/* Remembers the first failure. */
static stoa_status fail_writer(stoa_parquet_writer *writer, stoa_status status,
                               const stoa_error *error, stoa_error *err) {
    if (writer->status == STOA_OK) {
        writer->status = status;
        writer->error = *error;
    }
    if (err != NULL) {
        *err = writer->error;
    }
    return writer->status;
}

static stoa_status write_bytes(stoa_parquet_writer *writer, const void *bytes, size_t size,
                               stoa_error *err) {
    STOA_TRY(stoa_file_write(writer->file, bytes, size, err));
    stoa_hash_stream_update(&writer->hash, bytes, size);
    writer->offset += size;
    return STOA_OK;
}

/* ---- Making the writer ----------------------------------------------------------------------- */

static stoa_status check_options(const stoa_parquet_options *options, stoa_error *err) {
    if (options->row_group_rows < 1) {
        return stoa_fail(err, STOA_INVALID,
                         "row_group_rows: expected at least 1 but found %" PRId64,
                         options->row_group_rows);
    }
    if (options->row_group_rows > INT32_MAX) {
        return stoa_fail(err, STOA_INVALID,
                         "row_group_rows: expected at most %" PRId32 " but found %" PRId64,
                         INT32_MAX, options->row_group_rows);
    }
    if (options->page_bytes < 1 || options->page_bytes > (size_t)1 << 30) {
        return stoa_fail(err, STOA_INVALID, "page_bytes: expected 1 to %zu but found %zu",
                         (size_t)1 << 30, options->page_bytes);
    }
    if (options->row_groups_in_flight < 0 || options->row_groups_in_flight > IN_FLIGHT_MAX) {
        return stoa_fail(err, STOA_INVALID,
                         "row_groups_in_flight: expected 0 to %d but found %" PRId32, IN_FLIGHT_MAX,
                         options->row_groups_in_flight);
    }
    if (options->page_rows < 1) {
        return stoa_fail(err, STOA_INVALID, "page_rows: expected at least 1 but found %" PRId64,
                         options->page_rows);
    }
    if (options->row_group_bytes < 1) {
        return stoa_fail(err, STOA_INVALID, "row_group_bytes: expected at least 1 but found 0");
    }
    if (options->dictionary_bytes > (size_t)1 << 30) {
        return stoa_fail(err, STOA_INVALID, "dictionary_bytes: expected at most %zu but found %zu",
                         (size_t)1 << 30, options->dictionary_bytes);
    }
    return STOA_OK;
}

static stoa_status check_blooms(const stoa_parquet_options *options, const stoa_leaf *leaves,
                                int32_t leaf_count, stoa_error *err) {
    if (options->bloom_count > 0 && !(options->bloom_rate > 0 && options->bloom_rate < 1)) {
        return stoa_fail(err, STOA_INVALID, "bloom_rate: expected a number between 0 and 1 but found "
                         "%g", options->bloom_rate);
    }
    if (options->bloom_count > 0 && (options->bloom_bytes < 32 || options->bloom_bytes > 128 << 20)) {
        return stoa_fail(err, STOA_INVALID, "bloom_bytes: expected 32 to %d but found %zu", 128 << 20,
                         options->bloom_bytes);
    }
    for (int32_t i = 0; i < options->bloom_count; i++) {
        bool found = false;
        for (int32_t j = 0; j < leaf_count && !found; j++) {
            found = leaves[j].field->id == options->bloom_fields[i] &&
                    stoa_bloom_is_possible(&leaves[j]);
        }
        if (!found) {
            return stoa_fail(err, STOA_INVALID, "bloom_fields: expected the id of a column that is "
                             "neither boolean nor nested but found %" PRId32,
                             options->bloom_fields[i]);
        }
    }
    return STOA_OK;
}

/* What the options point to, which the caller may change. */
static stoa_status copy_bytes(stoa_arena *arena, const void *bytes, size_t count, size_t size,
                              const void **out, stoa_error *err) {
    void *memory;
    STOA_TRY(stoa_arena_allocate_array(arena, count, size, &memory, err));
    if (count > 0) {
        memcpy(memory, bytes, count * size);
    }
    *out = memory;
    return STOA_OK;
}

static stoa_status open_indexes(stoa_parquet_writer *writer, stoa_error *err) {
    stoa_parquet_options *options = &writer->options;
    const void *copy;
    STOA_TRY(check_blooms(options, writer->leaves, writer->leaf_count, err));
    STOA_TRY(copy_bytes(&writer->arena, options->bloom_fields, (size_t)options->bloom_count,
                        sizeof *options->bloom_fields, &copy, err));
    options->bloom_fields = copy;
    STOA_TRY(copy_bytes(&writer->arena, options->sorting, (size_t)options->sorting_count,
                        sizeof *options->sorting, &copy, err));
    options->sorting = copy;
    return stoa_sorting_resolve(options, writer->leaves, writer->leaf_count, &writer->arena,
                                &writer->sorting_leaves, err);
}

static stoa_status copy_texts(stoa_arena *arena, const char *const *texts, int32_t count,
                              const char *const **out, stoa_error *err) {
    void *memory;
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count, sizeof(char *), &memory, err));
    const char **copies = memory;
    for (int32_t i = 0; i < count; i++) {
        STOA_TRY(stoa_arena_copy_text(arena, texts[i], strlen(texts[i]), &copies[i], err));
    }
    *out = copies;
    return STOA_OK;
}

static stoa_status copy_encodings(stoa_arena *arena, stoa_parquet_options *options,
                                  stoa_error *err) {
    void *memory;
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)options->encoding_count,
                                       sizeof *options->encodings, &memory, err));
    stoa_parquet_column_encoding *copies = memory;
    for (int32_t i = 0; i < options->encoding_count; i++) {
        copies[i] = options->encodings[i];
        STOA_TRY(stoa_arena_copy_text(arena, copies[i].column, strlen(copies[i].column),
                                      &copies[i].column, err));
    }
    options->encodings = copies;
    return STOA_OK;
}

static stoa_status open_writer(stoa_parquet_writer *writer, stoa_error *err) {
    stoa_parquet_options *options = &writer->options;
    void *totals;
    STOA_TRY(check_options(options, err));
    STOA_TRY(stoa_leaves_create(&writer->arena, writer->schema, &writer->leaves,
                                &writer->leaf_count, err));
    STOA_TRY(stoa_arena_allocate_array(&writer->arena, (size_t)writer->leaf_count,
                                       sizeof *writer->totals, &totals, err));
    writer->totals = totals;
    STOA_TRY(copy_texts(&writer->arena, options->metadata_keys, options->metadata_count,
                        &options->metadata_keys, err));
    STOA_TRY(copy_texts(&writer->arena, options->metadata_values, options->metadata_count,
                        &options->metadata_values, err));
    STOA_TRY(open_indexes(writer, err));
    STOA_TRY(copy_encodings(&writer->arena, options, err));
    STOA_TRY(stoa_encoding_check(options, writer->leaves, writer->leaf_count, err));
    STOA_TRY(stoa_encoding_create(&writer->context, options, writer->leaves, writer->leaf_count,
                                  &writer->encoding, err));
    STOA_TRY(stoa_row_group_init(&writer->waiting, writer->context.pool, writer->leaf_count, err));
    return write_bytes(writer, STOA_PARQUET_MAGIC, STOA_PARQUET_MAGIC_BYTES, err);
}

stoa_status stoa_parquet_writer_create(const stoa_context *context, stoa_file *file,
                                       const stoa_schema *schema,
                                       const stoa_parquet_options *options,
                                       stoa_parquet_writer **out, stoa_error *err) {
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(stoa_parquet_writer), &memory, err));
    stoa_parquet_writer *writer = memory;
    stoa_hash_stream_init(&writer->hash);
    writer->context = *context;
    writer->file = file;
    writer->schema = stoa_schema_retain(schema);
    writer->options = *options;
    stoa_arena_init(&writer->arena, context->pool);
    stoa_buffer_init(&writer->group_structs, context->pool);
    stoa_buffer_init(&writer->small, context->pool);
    stoa_index_writer_init(&writer->indexes, context->pool);
    stoa_status status = open_writer(writer, err);
    if (status != STOA_OK) {
        stoa_parquet_writer_close(writer);
        return status;
    }
    *out = writer;
    return STOA_OK;
}

void stoa_parquet_writer_close(stoa_parquet_writer *writer) {
    if (writer == NULL) {
        return;
    }
    stoa_encoding_close(writer->encoding);
    stoa_buffer_release(&writer->small);
    stoa_row_group_release(&writer->waiting);
    stoa_row_group_release(&writer->spare);
    stoa_buffer_release(&writer->group_structs);
    stoa_index_writer_release(&writer->indexes);
    stoa_arena_release(&writer->arena);
    stoa_schema_close(writer->schema);
    stoa_pool_free(writer->context.pool, writer, sizeof *writer);
}

/* ---- Row groups ------------------------------------------------------------------------------ */

static stoa_status write_small(stoa_parquet_writer *writer, stoa_error *err) {
    stoa_status status = STOA_OK;
    if (writer->small.size > 0) {
        status = write_bytes(writer, writer->small.data, writer->small.size, err);
        stoa_buffer_clear(&writer->small);
    }
    return status;
}

/* Large pieces as they are, small ones together. */
static stoa_status write_piece(stoa_parquet_writer *writer, const stoa_buffer *bytes,
                               stoa_error *err) {
    if (writer->small.size + bytes->size > WRITE_BYTES) {
        STOA_TRY(write_small(writer, err));
    }
    return bytes->size > WRITE_BYTES
               ? write_bytes(writer, bytes->data, bytes->size, err)
               : stoa_buffer_append(&writer->small, bytes->data, bytes->size, err);
}

/* Chunks, then their bloom filters. */
static stoa_status write_chunks(stoa_parquet_writer *writer, const stoa_row_group *group,
                                stoa_error *err) {
    for (int32_t i = 0; i < group->chunk_count; i++) {
        STOA_TRY(write_piece(writer, &group->chunk_bytes[i], err));
    }
    for (int32_t i = 0; i < group->chunk_count; i++) {
        STOA_TRY(write_piece(writer, &group->chunk_indexes[i].bloom, err));
    }
    return write_small(writer, err);
}

static stoa_status append_group(stoa_parquet_writer *writer, stoa_row_group *group,
                                stoa_error *err) {
    STOA_TRY(stoa_row_group_describe(group, writer->leaves, writer->offset, writer->group_count,
                                     &writer->options, writer->sorting_leaves,
                                     &writer->group_structs, &writer->indexes, err));
    STOA_TRY(write_chunks(writer, group, err));
    for (int32_t i = 0; i < writer->leaf_count; i++) {
        stoa_statistics_merge(&writer->leaves[i], &writer->totals[i],
                              &group->chunks[i].statistics);
    }
    writer->group_count++;
    writer->row_count_written += group->row_count;
    writer->raw_bytes_written += group->raw_bytes;
    writer->raw_bytes_pending -= group->raw_bytes;
    return STOA_OK;
}

/* The memory of what was written is the next group's: fresh pages cost more than filling them. */
static stoa_status append_oldest(stoa_parquet_writer *writer, stoa_error *err) {
    stoa_row_group group = {0};
    STOA_TRY(stoa_encoding_take(writer->encoding, &group, err));
    stoa_status status = append_group(writer, &group, err);
    if (status == STOA_OK && writer->spare.pool == NULL) {
        stoa_row_group_clear(&group);
        writer->spare = group;
        return STOA_OK;
    }
    stoa_row_group_release(&group);
    return status;
}

static stoa_status next_group(stoa_parquet_writer *writer, stoa_row_group *out, stoa_error *err) {
    if (writer->spare.pool != NULL) {
        *out = writer->spare;
        writer->spare = (stoa_row_group){0};
        return STOA_OK;
    }
    stoa_status status = stoa_row_group_init(out, writer->context.pool, writer->leaf_count, err);
    if (status != STOA_OK) {
        stoa_row_group_release(out);
    }
    return status;
}

/* Hands the waiting group on and begins the next, in the memory of one that was written if it can. */
static stoa_status end_group(stoa_parquet_writer *writer, stoa_error *err) {
    const stoa_buffer *pieces = &writer->waiting.pieces;
    STOA_TRY(stoa_sorting_check(writer->context.pool, &writer->options, writer->leaves,
                                writer->sorting_leaves,
                                (const stoa_rows *)(const void *)pieces->data,
                                pieces->size / sizeof(stoa_rows), writer->waiting.first_row, err));
    const int64_t next_row = writer->waiting.first_row + writer->waiting.row_count;
    STOA_TRY(stoa_encoding_put(writer->encoding, &writer->waiting, err));
    if (stoa_encoding_is_full(writer->encoding)) {
        STOA_TRY(append_oldest(writer, err));
    }
    STOA_TRY(next_group(writer, &writer->waiting, err));
    writer->waiting.first_row = next_row;
    return STOA_OK;
}

/* Ends the group before rows [at, at + count) where they would take it beyond its bytes, and says in
 * `out_count` how many of them belong to the group that is filled then. */
static stoa_status make_room(stoa_parquet_writer *writer, const struct ArrowArray *batch,
                             int64_t at, int64_t count, int64_t *out_count, uint64_t *out_bytes,
                             stoa_error *err) {
    const uint64_t most = writer->options.row_group_bytes;
    const uint64_t used = writer->waiting.raw_bytes;
    *out_count = stoa_rows_fitting(writer->schema, batch, at, count,
                                   used < most ? most - used : 0, out_bytes);
    if (*out_count == 0 && writer->waiting.row_count > 0) {
        STOA_TRY(end_group(writer, err));
        *out_count = stoa_rows_fitting(writer->schema, batch, at, count, most, out_bytes);
    }
    if (*out_count == 0) { /* one row is more than a group should hold: it is one */
        *out_count = 1;
        *out_bytes = stoa_rows_bytes(writer->schema, batch, at, 1);
    }
    return STOA_OK;
}

static stoa_status take_rows(stoa_parquet_writer *writer, stoa_shared_batch *batch,
                             stoa_error *err) {
    const struct ArrowArray *array = stoa_shared_batch_array(batch);
    const int64_t length = array->length;
    for (int64_t done = 0; done < length;) {
        const int64_t room = writer->options.row_group_rows - writer->waiting.row_count;
        int64_t count = length - done < room ? length - done : room;
        uint64_t bytes;
        STOA_TRY(make_room(writer, array, done, count, &count, &bytes, err));
        STOA_TRY(stoa_row_group_add(&writer->waiting, batch, done, count, bytes, err));
        writer->raw_bytes_pending += bytes;
        writer->row_count += count;
        done += count;
        if (writer->waiting.row_count == writer->options.row_group_rows) {
            STOA_TRY(end_group(writer, err));
        }
    }
    return STOA_OK;
}

static stoa_status write_batch(stoa_parquet_writer *writer, struct ArrowArray *batch,
                               stoa_error *err) {
    if (writer->finished) {
        return stoa_fail(err, STOA_INVALID, "the Parquet file is finished already");
    }
    if (batch->n_children != writer->schema->root.child_count) {
        return stoa_fail(err, STOA_INVALID,
                         "expected a batch of %" PRId32 " columns but found %" PRId64,
                         writer->schema->root.child_count, batch->n_children);
    }
    stoa_shared_batch *shared;
    STOA_TRY(stoa_cancel_check(writer->context.cancel, err));
    STOA_TRY(stoa_shared_batch_create(writer->context.pool, batch, &shared, err));
    stoa_status status = take_rows(writer, shared, err);
    stoa_shared_batch_close(shared);
    return status;
}

stoa_status stoa_parquet_writer_write(stoa_parquet_writer *writer, struct ArrowArray *batch,
                                      stoa_error *err) {
    stoa_error error = STOA_ERROR_NONE;
    stoa_status status = writer->status;
    if (status == STOA_OK) {
        status = write_batch(writer, batch, &error);
    }
    stoa_arrow_array_release(batch);
    return status == STOA_OK ? STOA_OK : fail_writer(writer, status, &error, err);
}

uint64_t stoa_parquet_writer_bytes(const stoa_parquet_writer *writer) {
    /* Until a group is written nothing is known of how well the rows compress. */
    double ratio = 1;
    if (writer->raw_bytes_written > 0) {
        ratio = (double)writer->offset / (double)writer->raw_bytes_written;
    }
    return writer->offset + (uint64_t)((double)writer->raw_bytes_pending * ratio);
}

/* ---- The footer ------------------------------------------------------------------------------ */

static void write_key_value(stoa_thrift_writer *thrift, const char *key, const void *value,
                            size_t size) {
    stoa_thrift_item_struct(thrift);
    stoa_thrift_write_text(thrift, 1, key);
    stoa_thrift_write_binary(thrift, 2, value, size);
    stoa_thrift_end_struct(thrift);
}

static stoa_status build_footer(stoa_parquet_writer *writer, const stoa_buffer *arrow_schema,
                                const stoa_buffer *groups, stoa_buffer *out, stoa_error *err) {
    const stoa_parquet_options *options = &writer->options;
    stoa_thrift_writer thrift;
    stoa_thrift_writer_init(&thrift, out, err);
    stoa_thrift_write_i32(&thrift, 1, FORMAT_VERSION);
    stoa_schema_twin_write(&thrift, writer->schema, !writer->options.stores_plainly);
    stoa_thrift_write_i64(&thrift, 3, writer->row_count);
    stoa_thrift_begin_list(&thrift, 4, STOA_THRIFT_STRUCT, (size_t)writer->group_count);
    stoa_thrift_items_raw(&thrift, groups->data, groups->size);
    stoa_thrift_begin_list(&thrift, 5, STOA_THRIFT_STRUCT, (size_t)options->metadata_count + 1);
    write_key_value(&thrift, "ARROW:schema", arrow_schema->data, arrow_schema->size);
    for (int32_t i = 0; i < options->metadata_count; i++) {
        write_key_value(&thrift, options->metadata_keys[i], options->metadata_values[i],
                        strlen(options->metadata_values[i]));
    }
    stoa_thrift_write_text(&thrift, 6, "stoa version " STOA_BUILD_VERSION);
    stoa_thrift_begin_list(&thrift, 7, STOA_THRIFT_STRUCT, (size_t)writer->leaf_count);
    for (int32_t i = 0; i < writer->leaf_count; i++) {
        stoa_thrift_item_struct(&thrift);
        stoa_thrift_write_empty(&thrift, 1); /* the order that the type defines */
        stoa_thrift_end_struct(&thrift);
    }
    return stoa_thrift_writer_finish(&thrift);
}

static stoa_status write_footer(stoa_parquet_writer *writer, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_buffer footer, arrow_schema, groups;
    stoa_buffer_init(&footer, writer->context.pool);
    stoa_buffer_init(&arrow_schema, writer->context.pool);
    stoa_buffer_init(&groups, writer->context.pool);
    STOA_CHECK(stoa_index_writer_place(&writer->indexes, &writer->group_structs, writer->offset,
                                       &groups, err));
    STOA_CHECK(write_piece(writer, &writer->indexes.column_indexes, err));
    STOA_CHECK(write_piece(writer, &writer->indexes.offset_indexes, err));
    STOA_CHECK(write_small(writer, err));
    STOA_CHECK(stoa_parquet_arrow_schema(&writer->context, writer->schema, &arrow_schema, err));
    STOA_CHECK(build_footer(writer, &arrow_schema, &groups, &footer, err));
    if (footer.size > INT32_MAX) {
        status = stoa_fail(err, STOA_LIMIT,
                           "the footer of %zu bytes is more than Parquet's 2 GiB; write fewer row "
                           "groups", footer.size);
        goto done;
    }
    uint8_t size[4];
    stoa_store_u32(size, (uint32_t)footer.size);
    STOA_CHECK(stoa_buffer_append(&footer, size, sizeof size, err));
    STOA_CHECK(stoa_buffer_append(&footer, STOA_PARQUET_MAGIC, STOA_PARQUET_MAGIC_BYTES, err));
    STOA_CHECK(write_bytes(writer, footer.data, footer.size, err));
    if (!writer->options.unsynced) {
        STOA_CHECK(stoa_file_sync(writer->file, err));
    }

done:
    stoa_buffer_release(&footer);
    stoa_buffer_release(&arrow_schema);
    stoa_buffer_release(&groups);
    return status;
}

static stoa_status summarize(const stoa_parquet_writer *writer, stoa_parquet_summary *out,
                             stoa_error *err) {
    void *memory;
    out->row_count = writer->row_count;
    out->row_group_count = writer->group_count;
    out->file_bytes = writer->offset;
    out->content_hash = stoa_hash_stream_finish(&writer->hash);
    STOA_TRY(stoa_arena_allocate_array(&out->arena, (size_t)writer->leaf_count,
                                       sizeof *out->columns, &memory, err));
    out->columns = memory;
    for (int32_t i = 0; i < writer->leaf_count; i++) {
        const stoa_leaf *leaf = &writer->leaves[i];
        const stoa_leaf_statistics *total = &writer->totals[i];
        if (leaf->repetition_max > 0) {
            continue;
        }
        stoa_field_summary *column = &out->columns[out->column_count++];
        column->field_id = leaf->field->id;
        column->value_count = total->level_count;
        column->null_count = total->null_count;
        column->may_have_nan = total->has_nan;
        STOA_TRY(stoa_statistics_value(leaf, &total->min, &out->arena, &column->lower, err));
        STOA_TRY(stoa_statistics_value(leaf, &total->max, &out->arena, &column->upper, err));
    }
    return STOA_OK;
}

static stoa_status finish_file(stoa_parquet_writer *writer, stoa_error *err) {
    if (writer->finished) {
        return stoa_fail(err, STOA_INVALID, "the Parquet file is finished already");
    }
    writer->finished = true;
    if (writer->waiting.row_count > 0) {
        STOA_TRY(end_group(writer, err));
    }
    while (!stoa_encoding_is_empty(writer->encoding)) {
        STOA_TRY(append_oldest(writer, err));
    }
    STOA_ASSERT(writer->row_count == writer->row_count_written);
    STOA_TRY(stoa_cancel_check(writer->context.cancel, err));
    return write_footer(writer, err);
}

stoa_status stoa_parquet_writer_finish(stoa_parquet_writer *writer, stoa_parquet_summary *out,
                                       stoa_error *err) {
    stoa_error error = STOA_ERROR_NONE;
    *out = (stoa_parquet_summary){0};
    stoa_arena_init(&out->arena, writer->context.pool);
    stoa_status status = writer->status;
    if (status == STOA_OK) {
        status = finish_file(writer, &error);
    }
    if (status == STOA_OK) {
        status = summarize(writer, out, &error);
    }
    if (status != STOA_OK) {
        stoa_parquet_summary_release(out);
        return fail_writer(writer, status, &error, err);
    }
    return STOA_OK;
}

void stoa_parquet_summary_release(stoa_parquet_summary *summary) {
    if (summary == NULL) {
        return;
    }
    stoa_arena_release(&summary->arena);
    *summary = (stoa_parquet_summary){0};
}
