/* A row group holds its rows as pieces of batches. Batches are counted by reference, since one may
 * end one group and begin the next, and the two may be encoded by different threads. */
#include "parquet/row_group.h"

#include <stdatomic.h>

struct stoa_shared_batch {
    atomic_int owners;
    stoa_pool *pool;
    struct ArrowArray array;
};

stoa_status stoa_shared_batch_create(stoa_pool *pool, struct ArrowArray *batch,
                                     stoa_shared_batch **out, stoa_error *err) {
    void *memory;
    stoa_status status = stoa_pool_allocate(pool, sizeof(stoa_shared_batch), &memory, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(batch);
        return status;
    }
    stoa_shared_batch *shared = memory;
    atomic_init(&shared->owners, 1);
    shared->pool = pool;
    shared->array = *batch;
    batch->release = NULL;
    *out = shared;
    return STOA_OK;
}

const struct ArrowArray *stoa_shared_batch_array(const stoa_shared_batch *batch) {
    return &batch->array;
}

void stoa_shared_batch_retain(stoa_shared_batch *batch) {
    /* Relaxed: whoever adds an owner is one already. */
    atomic_fetch_add_explicit(&batch->owners, 1, memory_order_relaxed);
}

void stoa_shared_batch_close(stoa_shared_batch *batch) {
    /* Acquire and release: the last one to let go sees the reads of all others as done. */
    if (batch != NULL &&
        atomic_fetch_sub_explicit(&batch->owners, 1, memory_order_acq_rel) == 1) {
        stoa_arrow_array_release(&batch->array);
        stoa_pool_free(batch->pool, batch, sizeof *batch);
    }
}

stoa_status stoa_row_group_init(stoa_row_group *group, stoa_pool *pool, int32_t leaf_count,
                                stoa_error *err) {
    *group = (stoa_row_group){.pool = pool};
    stoa_buffer_init(&group->pieces, pool);
    stoa_buffer_init(&group->owners, pool);
    group->chunk_count = leaf_count;
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(pool, (size_t)leaf_count, sizeof(stoa_chunk), &memory, err));
    group->chunks = memory;
    STOA_TRY(stoa_pool_allocate_array(pool, (size_t)leaf_count, sizeof(stoa_buffer), &memory, err));
    group->chunk_bytes = memory;
    STOA_TRY(stoa_pool_allocate_array(pool, (size_t)leaf_count, sizeof(stoa_chunk_index), &memory,
                                      err));
    group->chunk_indexes = memory;
    for (int32_t i = 0; i < leaf_count; i++) {
        stoa_buffer_init(&group->chunk_bytes[i], pool);
        stoa_chunk_index_init(&group->chunk_indexes[i], pool);
    }
    return STOA_OK;
}

void stoa_row_group_drop_rows(stoa_row_group *group) {
    stoa_shared_batch **owners = (stoa_shared_batch **)(void *)group->owners.data;
    for (size_t i = 0; i < group->owners.size / sizeof *owners; i++) {
        stoa_shared_batch_close(owners[i]);
    }
    stoa_buffer_release(&group->owners);
    stoa_buffer_release(&group->pieces);
}

void stoa_row_group_clear(stoa_row_group *group) {
    stoa_row_group_drop_rows(group);
    for (int32_t i = 0; i < group->chunk_count; i++) {
        stoa_buffer_clear(&group->chunk_bytes[i]);
        stoa_buffer_clear(&group->chunk_indexes[i].marks);
        stoa_buffer_clear(&group->chunk_indexes[i].column_index);
        stoa_buffer_clear(&group->chunk_indexes[i].bloom);
    }
    group->first_row = group->row_count = 0;
    group->raw_bytes = 0;
}

void stoa_row_group_release(stoa_row_group *group) {
    if (group->pool == NULL) {
        return;
    }
    stoa_row_group_drop_rows(group);
    const size_t chunk_count = (size_t)group->chunk_count;
    for (size_t i = 0; group->chunk_bytes != NULL && i < chunk_count; i++) {
        stoa_buffer_release(&group->chunk_bytes[i]);
    }
    for (size_t i = 0; group->chunk_indexes != NULL && i < chunk_count; i++) {
        stoa_chunk_index_release(&group->chunk_indexes[i]);
    }
    stoa_pool_free(group->pool, group->chunk_indexes, chunk_count * sizeof(stoa_chunk_index));
    stoa_pool_free(group->pool, group->chunk_bytes, chunk_count * sizeof(stoa_buffer));
    stoa_pool_free(group->pool, group->chunks, chunk_count * sizeof(stoa_chunk));
    *group = (stoa_row_group){0};
}

stoa_status stoa_row_group_add(stoa_row_group *group, stoa_shared_batch *batch, int64_t start,
                               int64_t count, uint64_t raw_bytes, stoa_error *err) {
    const stoa_rows piece = {stoa_shared_batch_array(batch), start, count};
    STOA_TRY(stoa_buffer_reserve(&group->owners, sizeof batch, err));
    STOA_TRY(stoa_buffer_append(&group->pieces, &piece, sizeof piece, err));
    STOA_TRY(stoa_buffer_append(&group->owners, &batch, sizeof batch, err));
    stoa_shared_batch_retain(batch);
    group->row_count += count;
    group->raw_bytes += raw_bytes;
    return STOA_OK;
}

stoa_status stoa_row_group_encode(stoa_row_group *group, int32_t leaf_index,
                                  stoa_column_encoder *encoder, const stoa_leaf *leaf,
                                  stoa_error *err) {
    const stoa_rows *pieces = (const stoa_rows *)(const void *)group->pieces.data;
    return stoa_column_encode(encoder, leaf, pieces, group->pieces.size / sizeof *pieces,
                              group->first_row, &group->chunk_bytes[leaf_index],
                              &group->chunks[leaf_index], &group->chunk_indexes[leaf_index], err);
}

static void write_sorting(stoa_thrift_writer *writer, const stoa_parquet_options *options,
                          const int32_t *leaves) {
    if (options->sorting_count == 0) {
        return;
    }
    stoa_thrift_begin_list(writer, 4, STOA_THRIFT_STRUCT, (size_t)options->sorting_count);
    for (int32_t i = 0; i < options->sorting_count; i++) {
        stoa_thrift_item_struct(writer);
        stoa_thrift_write_i32(writer, 1, leaves[i]);
        stoa_thrift_write_bool(writer, 2, options->sorting[i].descending);
        stoa_thrift_write_bool(writer, 3, options->sorting[i].nulls_first);
        stoa_thrift_end_struct(writer);
    }
}

stoa_status stoa_row_group_describe(const stoa_row_group *group, const stoa_leaf *leaves,
                                    uint64_t offset, int32_t ordinal,
                                    const stoa_parquet_options *options,
                                    const int32_t *sorting_leaves, stoa_buffer *out,
                                    stoa_index_writer *indexes, stoa_error *err) {
    uint64_t uncompressed = 0, compressed = 0, chunk_offset = offset, bloom_offset = offset;
    for (int32_t i = 0; i < group->chunk_count; i++) {
        bloom_offset += group->chunk_bytes[i].size;
    }
    stoa_thrift_writer writer;
    stoa_thrift_writer_init(&writer, out, err);
    stoa_thrift_begin_list(&writer, 1, STOA_THRIFT_STRUCT, (size_t)group->chunk_count);
    for (int32_t i = 0; i < group->chunk_count; i++) {
        stoa_chunk_write(&writer, &leaves[i], &group->chunks[i], chunk_offset, bloom_offset);
        STOA_TRY(writer.status);
        STOA_TRY(stoa_index_writer_add(indexes, &group->chunk_indexes[i], chunk_offset,
                                       out->size - 1, err));
        chunk_offset += group->chunk_bytes[i].size;
        bloom_offset += group->chunks[i].bloom_bytes;
        uncompressed += group->chunks[i].uncompressed_bytes;
        compressed += group->chunks[i].compressed_bytes;
    }
    stoa_thrift_write_i64(&writer, 2, (int64_t)uncompressed);
    stoa_thrift_write_i64(&writer, 3, group->row_count);
    write_sorting(&writer, options, sorting_leaves);
    stoa_thrift_write_i64(&writer, 5, (int64_t)offset);
    stoa_thrift_write_i64(&writer, 6, (int64_t)compressed);
    if (ordinal <= INT16_MAX) {
        stoa_thrift_write_i16(&writer, 7, (int16_t)ordinal);
    }
    return stoa_thrift_writer_finish(&writer);
}
